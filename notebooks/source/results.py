# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Results: a ternary student beside its float teacher, and beside published numbers
#
# For each data set a small float Vision Transformer (the *teacher*) is trained from scratch on the
# 28 x 28 images, and a ternary *student* with the same shape learns from it: every linear layer of
# its encoder has weights -1, 0 and +1 and takes int8 inputs. All of it runs on a CPU.
# BreastMNIST's 546 training images are few: there the network first learns to predict their hidden
# pixels, without a label, and only then the labels.
#
# The recipes are files in the package; they were chosen by training and validation images. Test
# images are read when a network is finished; sections 4 to 7 ask the same finished networks again,
# and nothing was chosen by the answers.
#
# This notebook trains nothing. It reads run folders, or the small files that `tinyternary collect`
# made of them. *For teaching and research, not for clinical use.*

# %%
# %matplotlib inline
import json
import os
from pathlib import Path

import numpy as np
from IPython.display import HTML, display

from tinyternary import data, experiments
from tinyternary.errors import DataFileError
from tinyternary.report import (
    accuracy_against_cost,
    effects as ablation_figures,
    result_figures as figures,
    uncertainty,
)
from tinyternary.report.predictions import confusion_matrix

# Where `tinyternary reproduce NAME --out RUNS/NAME` wrote, and the MedMNIST files; both optional
RUNS = os.environ.get("TINYTERNARY_RUNS", "")
DATA = os.environ.get("TINYTERNARY_DATA") or None
DATASETS = ("breastmnist", "pneumoniamnist", "bloodmnist")
places = ("results", "../results", "notebooks/results")
RECORDED = next((path for path in map(Path, places) if path.is_dir()), Path("results"))


def read(name):
    """Give one data set's record, from its run folders where they are, and where it came from."""
    folder = Path(RUNS, name)
    if RUNS and folder.is_dir():
        try:
            return experiments.collect(folder, DATA), f"run folders {folder}"
        except DataFileError as error:
            print(f"{name}: without the test images ({error})")
            return experiments.collect(folder, images=False), f"run folders {folder}"
    file = RECORDED / f"{name}.json"
    return (json.loads(file.read_text()), f"recorded file {file.name}") if file.is_file() else None


def show(rows):
    """Draw plain rows, the first of them a header, as a table."""
    head, *body = ["".join(f"<{tag}>{cell}</{tag}>" for cell in row)
                   for tag, row in zip(["th"] + ["td"] * len(rows), rows)]  # fmt: skip
    return HTML(f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in body)}</table>")


found = {name: read(name) for name in DATASETS}
records = {name: pair[0] for name, pair in found.items() if pair}
results = {name: experiments.Results.from_dict(record) for name, record in records.items()}
summaries = {name: result.summary() for name, result in results.items()}
for name, result in results.items():
    seeds = ", ".join(str(row["seed"]) for row in result.seeds)
    print(f"{name}: {found[name][1]}, seeds {seeds}")

# %% [markdown]
# ## 1. The table
#
# *Mean of the seeds [95 % t-interval]*: how far the mean could lie with other seeds, that is with
# other initial weights, orders of the images and augmentations. It says nothing about other test
# images; section 6 does. Published numbers come without intervals.
#
# ACC and AUC are those of MedMNIST's own evaluator. Where a recipe says so, logits are averaged
# over mirrored and shifted copies of an image (*copies*); section 6 has the numbers without.


# %%
def cell(summary):
    """Write a mean with its interval; an accuracy cannot pass 1."""
    if summary["interval"] is None:
        return f"{summary['mean']:.4f}"
    low, high = np.clip(summary["interval"], 0, 1)
    return f"{summary['mean']:.4f} [{low:.4f}, {high:.4f}]"


def copies(recipe):
    """Count the copies of an image that are averaged."""
    asked = recipe["evaluation"]
    mirrored = {"none": 1, "horizontal": 2, "both": 4}[asked["flips"]]
    return mirrored * (2 * asked["shifts"] + 1) ** 2


rows = [["data set", "metric", "seeds", "float teacher", "ternary student", "student - teacher",
         "ResNet-18 (28)", "auto-sklearn", "BitMedViT (224)", "copies", "minutes a seed"]]  # fmt: skip
for name, result in results.items():
    known = experiments.published(name)
    minutes = np.mean([row["seconds"] for row in result.seeds]) / 60
    for metric in ("acc", "auc"):
        s = {who: summaries[name][who][metric] for who in summaries[name]}
        difference = s["student - teacher"]
        ends = difference["interval"]
        about = f" [{100 * ends[0]:+.2f}, {100 * ends[1]:+.2f}]" if ends else ""
        rows.append([
            name, metric.upper(), len(result.seeds), cell(s["teacher"]), cell(s["student"]),
            f"{100 * difference['mean']:+.2f}{about} points",
            *(known[method].get(metric, "-") for method in
              ("ResNet-18 (28)", "auto-sklearn", "BitMedViT (224)")),
            copies(result.config["student"]["recipe"]), f"{minutes:.0f}",
        ])  # fmt: skip
show(rows)

# %% [markdown]
# Minutes are training and validation of all stages as recorded, nearly all seeds on one core beside
# other jobs; two cores take about two thirds of the time. Seed by seed, with the 95 % bootstrap
# interval over the test images:

# %%
rows = [["data set", "seed", "teacher ACC", "student ACC", "teacher AUC", "student AUC",
         "minutes: pretraining, teacher, student"]]  # fmt: skip
for name, result in results.items():
    for row in result.seeds:
        values = [
            f"{row[who][m]:.4f} [{row[who]['intervals'][m][0]:.3f}, {row[who]['intervals'][m][1]:.3f}]"
            for m in ("acc", "auc") for who in ("teacher", "student")
        ]  # fmt: skip
        minutes = ", ".join(f"{row['stages'].get(stage, 0) / 60:.1f}"
                            for stage in ("pretraining", "teacher", "student"))  # fmt: skip
        rows.append([name, row["seed"], *values, minutes])
show(rows)

# %%
for name, result in results.items():
    values = {
        who: {metric: result.values(who, metric) for metric in ("acc", "auc")}
        for who in ("teacher", "student")
    }
    display(figures.against_published(name, values, summaries[name], experiments.published(name)))

# %% [markdown]
# Dots are seeds, thick lines the t-intervals of their mean, diamonds published numbers.
#
# What the comparison can bear: the official baselines are convolutional networks or automated
# searches on the same 28 x 28 files; BitMedViT sees 224 x 224 pixels and learns from a large
# pretrained teacher. Neither averages over copies of the test images, as far as they say.

# %% [markdown]
# ## 2. Training curves
#
# One line per seed; the teacher in grey, the student in green. The student starts from the
# teacher's weights, so its curves begin where an untrained network's would not. Its training loss
# contains the distillation term and does not compare with the teacher's. Both losses are those of
# augmented images, where the recipe has mixup also of blended ones.

# %%
for name, record in records.items():
    display(figures.stage_curves(record["curves"], name=name))

# %% [markdown]
# ## 3. Teacher against student
#
# Student and teacher of one seed share initial weights, batches and augmentation, so the
# differences are taken within each seed. The shaded band is one point to either side.

# %%
pairs = {
    name: {
        who: {m: result.values(who, m) for m in ("acc", "auc")} for who in ("teacher", "student")
    }
    for name, result in results.items()
}
differences = {name: summary["student - teacher"] for name, summary in summaries.items()}
figures.seed_pairs(pairs, differences)

# %% [markdown]
# What the intervals carry, in words: whether they lie within one point of zero, and whether they
# leave zero out.


# %%
def verdict(difference):
    """Say what the interval of a paired difference carries."""
    if difference["interval"] is None:
        return "one seed: nothing can be said"
    low, high = (100 * end for end in difference["interval"])
    within = "within one point of the teacher" if low > -1 and high < 1 else (
        "less than a point below the teacher" if low > -1 else
        "more than a point below the teacher" if high < -1 else
        "too few seeds, or too spread, to say whether it is within a point")  # fmt: skip
    sign = "no difference shown" if low <= 0 <= high else ("above it" if low > 0 else "below it")
    return f"{within}; {sign}"


for name in results:
    for metric in ("acc", "auc"):
        found_difference = differences[name][metric]
        print(f"{name}, {metric.upper()}: {100 * found_difference['mean']:+.2f} points, "
              f"{verdict(found_difference)}")  # fmt: skip

# %% [markdown]
# ## 4. Mistakes and confidence
#
# Confusion matrices of the student, summed over the seeds: rows are true classes.

# %%
for name, result in results.items():
    counts = np.sum([row["student"]["confusion"] for row in result.seeds], axis=0)
    title = f"{name}: student, {len(result.seeds)} seed" + "s" * (len(result.seeds) > 1)
    display(confusion_matrix(counts, result.class_names, title=title))

# %%
rows = [["data set", "", "ACC", "balanced ACC", "sensitivity", "specificity", "F1", "ECE"]]
for name, result in results.items():
    for who in ("teacher", "student"):
        metrics = ("acc", "balanced_accuracy", "sensitivity", "specificity", "f1", "ece")
        means = [np.mean(result.values(who, m)) for m in metrics]
        rows.append([name, who, *(f"{mean:.3f}" for mean in means)])
show(rows)

# %% [markdown]
# Means over the seeds. In BreastMNIST class 1 is "normal, benign", so *sensitivity* there is not
# that for malignancy; the matrix above shows both. The expected calibration error (ECE) is the mean
# distance between confidence and accuracy. Below, each network's own single answers: what a packed
# file gives.

# %%
for name, record in records.items():
    if "single_pass" in record:
        once = record["single_pass"]["seeds"].values()
        bins = {who: [each[who]["reliability"] for each in once] for who in ("teacher", "student")}
        display(uncertainty.reliability_diagram(bins, title=f"{name}, test, single pass"))

# %% [markdown]
# ## 5. Which choice matters: an ablation
#
# A full factorial on PneumoniaMNIST: five weight quantisers x one scale per matrix or per output
# channel x the teacher's answers or labels alone x four policies. Every cell is a short training
# that starts from the same float teacher and sees the same batches, so the cells differ only in
# these four choices. One run per cell: the residual of a model with all main effects and all pair
# interactions stands in for chance, and intervals and tests rest on it.
#
# Policies: `bitmedvit` makes the feed-forward layers ternary, `all-linear` the attention's too,
# `bit-attention` names the same layers, without the LayerNorms in front of layers that normalise
# for themselves, as in BitMedViT's code, and `everything` adds patch embedding, head and the scales
# of the norms.

# %%
folder = Path(RUNS, "ablation")
recorded = RECORDED / "ablation.json"
source = folder if RUNS and (folder / "ablation.json").is_file() else recorded
ablation = experiments.read_ablation(source) if source.exists() else None
if ablation is None:
    print("no ablation has been recorded")
else:
    where = "run folder" if source == folder else "recorded file"
    print(f"{where} {source.name}: {len(ablation.cells)} of {ablation.planned} cells on "
          f"{ablation.dataset}, {ablation.config['recipe']['epochs']} epochs each")  # fmt: skip
    for level, why in ablation.skipped.items():
        print(f"not run: {level}, {why}")

# %%
if ablation is not None:
    responses = ("test_acc", "test_auc")
    effects = {name: ablation.effects(name) for name in responses}
    levels = {name: [vars(row) for row in effect.levels] for name, effect in effects.items()}
    references = {name: ablation.teacher["test"][name.removeprefix("test_")] for name in responses}
    display(ablation_figures.main_effects(levels, references))

# %% [markdown]
# Each dot is the mean over all cells with that level, with its 95 % interval. How much of the
# spread between the cells each choice explains, and how likely such a share is by chance (F test
# against the residual; ten terms were tested, so a p of 0.05 is not rare):

# %%
if ablation is not None:
    rows = [["on", "effect", "share of the spread", "typical size, points", "F", "p"]]
    for name, effect in effects.items():
        for term in (*effect.main(), *effect.pairs()):
            rows.append([name.replace("_", " "), " x ".join(term.factors),
                         f"{100 * term.share:.1f} %", f"{100 * term.size:.2f}", f"{term.f:.2f}",
                         f"{term.p:.2g}"])  # fmt: skip
        rest = 1 - sum(term.share for term in effect.terms)
        rows.append([name.replace("_", " "), f"residual, {effect.freedom} degrees of freedom",
                     f"{100 * rest:.1f} %", f"{100 * effect.residual:.2f}", "", ""])  # fmt: skip
    display(show(rows))

# %%
if ablation is not None:
    for name in responses:
        for term in effects[name].pairs()[:2]:
            display(ablation_figures.interaction_lines(
                ablation.cells, ablation.column(name), term.factors, response=name,
                note=f"(p = {term.p:.2g})"))  # fmt: skip

# %%
if ablation is not None:
    size = (ablation.teacher["bytes"], ablation.teacher["test"]["auc"])
    display(ablation_figures.size_against(
        ablation.cells, ablation.column("test_auc"), response="test_auc", teacher=size))  # fmt: skip

# %% [markdown]
# ## 6. What limits the numbers
#
# **How much is chance.** Half widths of the 95 % intervals of the student's accuracy: of the mean
# over seeds, and of one seed over test images.

# %%
halves = []
for name, result in results.items():
    interval = summaries[name]["student"]["acc"]["interval"]
    boot = np.mean([np.diff(row["student"]["intervals"]["acc"])[0] / 2 for row in result.seeds])
    images = result.seeds[0]["student"]["images"]
    halves.append((f"{name}\n{images:,} test images",
                   (interval[1] - interval[0]) / 2 if interval else None, float(boot)))  # fmt: skip
uncertainty.half_widths(halves)

# %%
rows = [["data set", "test images", "one image is, points", "validation ACC", "test ACC",
         "validation AUC", "test AUC"]]  # fmt: skip
for name, result in results.items():
    images = result.seeds[0]["student"]["images"]
    val = [row["validation"]["student"] for row in result.seeds]
    rows.append([
        name, f"{images:,}", f"{100 / images:.2f}",
        *(f"{np.mean(values):.4f}" for metric in ("acc", "auc")
          for values in ([v[metric] for v in val], result.values("student", metric))),
    ])  # fmt: skip
show(rows)

# %% [markdown]
# **How much the copies bring.** The table of section 1 averages mirrored and shifted copies of each
# test image where the recipe says so. A packed file answers once:

# %%
rows = [["data set", "", "copies", "ACC, copies", "ACC, single", "AUC, copies", "AUC, single"]]
for name, record in records.items():
    for who in ("teacher", "student"):
        if "single_pass" in record:
            once = record["single_pass"]["seeds"].values()
            means = [np.mean(values) for m in ("acc", "auc") for values in
                     (results[name].values(who, m), [each[who][m] for each in once])]  # fmt: skip
            rows.append([name, who, copies(results[name].config[who]["recipe"]),
                         *(f"{mean:.4f}" for mean in means)])  # fmt: skip
show(rows)

# %% [markdown]
# **Where the line is drawn.** Of two classes the network names the one with more than half of the
# probability. The validation images may choose another threshold, for accuracy (ACC) or for
# balanced accuracy (BACC, the mean of both classes' shares of right answers). They are few, and a
# threshold for accuracy leans towards the class that is common among them: where test images are
# of another mix (the shares of class 1 are in the table), it costs what it was meant to gain. A
# threshold for balanced accuracy weighs both classes alike, whatever their mix.

# %%
rows = [["data set", "", "class 1, validation / test", "thresholds for ACC", "ACC at 0.5",
         "ACC at them", "thresholds for BACC", "BACC at 0.5", "BACC at them"]]  # fmt: skip
for name, record in records.items():
    for who in ("teacher", "student") if "thresholds" in record else ():
        first = results[name].seeds[0]
        counts = [m["per_class"]["images"] for m in (first["validation"][who], first[who])]
        row = [name, who, " / ".join(f"{each[1] / sum(each):.2f}" for each in counts)]
        for goal, metric in (("accuracy", "acc"), ("balanced_accuracy", "balanced_accuracy")):
            seeds = [seed[who] for seed in record["thresholds"].values()]
            cuts = [seed[goal]["threshold"] for seed in seeds]
            row.append(f"{min(cuts):.2f} to {max(cuts):.2f}")
            row += [f"{np.mean([s[at][metric] for s in seeds]):.4f}" for at in ("half", goal)]
        rows.append(row)
show(rows)

# %% [markdown]
# **Which images are missed.** If chance decided, different seeds would miss different images.
# Images that every seed misses are a matter of the data or of the model's shape:

# %%
kept = {name: record["single_pass"] for name, record in records.items() if "single_pass" in record}
if kept:
    wrong = {name: once["wrong"] for name, once in kept.items()}
    display(uncertainty.missed_by(wrong, {name: once["images"] for name, once in kept.items()}))
    for name, once in kept.items():
        student = once["wrong"]["student"]
        errors = sum(k * n for k, n in enumerate(student))
        seeds = len(student) - 1
        print(f"{name}: {student[-1]} images are missed by all {seeds} students, "
              f"{100 * seeds * student[-1] / max(errors, 1):.0f} % of the students' errors; "
              f"{once['wrong']['shared']} by every teacher and every student")  # fmt: skip

# %% [markdown]
# **Images that stand on both sides of the split.** A study's frames of one examination differ by
# little. Where a split has spread them over training and test images, a network gains by
# recognising them, and its accuracy promises too much for the next patient. Below, test images by
# their correlation with the most similar training image (mirrored, or moved by a pixel, where that
# fits better), and how often that image's label alone is right. Single passes.

# %%
alike = {name: record["similarity"] for name, record in records.items() if "similarity" in record}
if alike:
    display(uncertainty.by_similarity(alike))
for name, record in alike.items():
    images = np.array(record["images"])
    shares = {who: images @ np.nan_to_num(np.array(record[who], float)) / images.sum()
              for who in ("nearest", "teacher", "student")}  # fmt: skip
    print(f"{name}: {images[-1]} of {images.sum()} test images ({100 * images[-1] / images.sum():.0f}"
          f" %) look like a training image with a correlation above {record['above'][-1]}; that "
          f"image's label is right for {100 * shares['nearest']:.1f} % of all test images, the "
          f"teacher for {100 * shares['teacher']:.1f} %, the student for "
          f"{100 * shares['student']:.1f} %")  # fmt: skip

# %% [markdown]
# ## 7. What bytes buy
#
# The same network at four sizes, every matrix of it ternary, and at one of them under three
# policies (the sweeps `sizes` and `policies` of the package). Everything here is *one pass of the
# packed file*, which is what runs on a device; no copies of an image are averaged. Training is
# shorter than in the recipes of section 1, so the float teachers beside them are shorter too.

# %%
place = Path(RUNS, "sizes") if RUNS and Path(RUNS, "sizes").is_dir() else RECORDED / "sizes.json"
swept = None
if place.is_dir():
    swept = experiments.collect(place, DATA)
elif place.is_file():
    swept = json.loads(place.read_text())
if swept is None:
    print("no sweep has been recorded")
else:
    order = ["float32", "everything", "all-linear", "integer-attention"]
    points = sorted(
        swept["points"],
        key=lambda p: (DATASETS.index(p["dataset"]), int(p["variant"].removesuffix("kb")),
                       order.index(p["policy"])),
    )  # fmt: skip
    titles = {name: data.MEDMNIST[name].title for name in DATASETS}
    display(accuracy_against_cost(points, names=titles))

# %% [markdown]
# Small dots are seeds, large ones their mean; horizontal bars are the range of the modelled
# energy, which knows of no other cost than arithmetic and memory. Files hold 2 bits a trit, and
# floats for the rest.
#
# Packed as small as it goes (1.6 bits a trit, the rest in int8) every size is a whole program for
# a microcontroller, with its image, its stack and its code; flash and memory are counted, see
# `tinyternary cost --flash`:


# %%
def over(members, metric):
    """Mean with its interval of one number of some points."""
    return cell(experiments.over_seeds([member[metric] for member in members]))


groups = {}
for point in points if swept is not None else ():
    groups.setdefault((point["dataset"], point["variant"], point["policy"]), []).append(point)
if swept is not None:
    rows = [["data set", "flash, at most", "file", "flash", "memory", "seeds", "ACC of it", "AUC of it",
             "ACC, 2 bits and floats", "ACC of the float teacher", "its file"]]  # fmt: skip
    for (name, variant, policy), members in groups.items():
        if policy != "everything":
            continue
        teachers = groups[name, variant, "float32"]
        small = [member["smallest"] for member in members]
        rows.append([
            name, f"{variant.removesuffix('kb')},000 bytes",
            *(f"{np.max([each[part] for each in small]):,}"
              for part in ("bytes", "flash_bytes", "ram_bytes")),
            len(members), *(over(small, metric) for metric in ("acc", "auc")),
            over(members, "acc"), over(teachers, "acc"), f"{teachers[0]['bytes']:,}",
        ])  # fmt: skip
    display(show(rows))

# %% [markdown]
# Every network of the figure, one pass of its file with 2 bits a trit. Two to five thousandths of
# accuracy are nothing here: the last column but one says how far a number could lie with other
# test images.

# %%
if swept is not None:
    rows = [["data set", "at most", "policy", "bytes", "energy, µJ", "seeds", "ACC", "AUC",
             "95 % over test images, ACC", "minutes a seed"]]  # fmt: skip
    for (name, variant, policy), members in groups.items():
        low, middle, high = (members[0]["energy_uj"][end] for end in ("low", "middle", "high"))
        ends = np.mean([member["intervals"]["acc"] for member in members], axis=0)
        rows.append([
            name, variant, "float teacher" if policy == "float32" else policy,
            f"{np.mean([m['bytes'] for m in members]):,.0f}",
            f"{middle:.1f} ({low:.1f} to {high:.1f})", len(members),
            over(members, "acc"), over(members, "auc"), f"{ends[0]:.3f} to {ends[1]:.3f}",
            f"{np.mean([m['seconds'] for m in members]) / 60:.0f}",
        ])  # fmt: skip
    display(show(rows))

# %% [markdown]
# What a step costs, policy against policy at the same size, paired by seed: students of one seed
# share their teacher, their batches and their augmentation.

# %%
if swept is not None:
    rows = [["data set", "difference", "seeds", "ACC, points", "AUC, points"]]
    for name in DATASETS:
        for one, other in (("everything", "all-linear"), ("integer-attention", "all-linear")):
            by_seed = {
                policy: {m["seed"]: m for m in groups.get((name, "100kb", policy), [])}
                for policy in (one, other)
            }
            shared = sorted(set(by_seed[one]) & set(by_seed[other]))
            if not shared:
                continue
            row = [name, f"{one} - {other}", len(shared)]
            for metric in ("acc", "auc"):
                found = experiments.over_seeds(
                    [100 * (by_seed[one][s][metric] - by_seed[other][s][metric]) for s in shared]
                )
                ends = found["interval"]
                about = f" [{ends[0]:+.2f}, {ends[1]:+.2f}]" if ends else ""
                row.append(f"{found['mean']:+.2f}{about}")
            rows.append(row)
    display(show(rows))

# %% [markdown]
# ## 8. Run it again
#
# ```sh
# tinyternary reproduce breastmnist --root ~/medmnist --out runs/breastmnist
# tinyternary reproduce pneumoniamnist --root ~/medmnist --out runs/pneumoniamnist
# tinyternary reproduce bloodmnist --root ~/medmnist --out runs/bloodmnist
# tinyternary ablate pneumoniamnist --teacher runs/pneumoniamnist/seed-0/teacher \
#     --root ~/medmnist --out runs/ablation
# tinyternary sweep sizes --root ~/medmnist --out runs/sizes --jobs 2
# tinyternary sweep policies --root ~/medmnist --out runs/sizes --jobs 2
# ```
#
# Each command may be stopped and given again, and several processes may share an `--out` with different `--seeds` or `--cells`.
# Then run this notebook with `TINYTERNARY_RUNS=runs` and `TINYTERNARY_DATA=~/medmnist`. The
# recorded files beside it were written by
# `tinyternary collect runs/NAME --root ~/medmnist --out notebooks/results/NAME.json`.
