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
# # Can it be trusted? A ternary student, asked what the field asks
#
# An accuracy is one number about images that are like the training images. Whoever wants to rely on
# a network needs more: whether its probabilities mean what they say, whom it serves worse than its
# mean, what happens to damaged images, what it looked at, and what nobody has measured. Extreme
# quantisation raises all of these questions again: weights of three values might keep the mean and
# lose the rest.
#
# So everything here is asked of two networks side by side: the float *teacher* and the ternary
# *student* that learned from it, on the same images. Differences are paired, image by image, and
# every claim has an interval of 95 %. What is chosen after training (a temperature, a threshold, the
# limits of prediction sets) is chosen on validation images.
#
# The numbers are those of `tinyternary report --quick`, one run of each data set; the page that it
# writes shows the same tables and figures. A quick report draws fewer resamples and tests maps and
# damage on fewer images, so that some intervals are wider than they need to be. This notebook trains nothing and reads no images: it draws the
# small files that the command recorded. *For teaching and research, not for clinical use.*

# %%
# %matplotlib inline
import html
import json
from pathlib import Path

from IPython.display import HTML, display

from tinyternary.report.trust.page import trust_sections

places = [Path(place) for place in ("results", "../results", "notebooks/results")]
RECORDED = next((path for path in places if any(path.glob("trust-*.json"))), places[0])
records = {
    path.stem.removeprefix("trust-"): json.loads(path.read_text())
    for path in sorted(RECORDED.glob("trust-*.json"))
}
if not records:
    print("no report has been recorded here")
sections = {name: trust_sections(record) for name, record in records.items()}
for name, record in records.items():
    runs = {who: found["seed"] for who, found in record["model"].items()}
    ended = all(found["finished"] for found in record["model"].values())
    images = record["data"]["images"]
    print(
        f"{name}: {images['train']:,} training, {images['val']:,} validation and "
        f"{images['test']:,} test images; seeds {runs}"
        + ("" if ended else "; a run had not ended: its best epoch so far")
    )


def table(content):
    """Draw a table of the report, with its caption."""
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in content.header)
    lines = (
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
        for row in content.rows
    )
    return HTML(
        f"<table><tr>{head}</tr>{''.join(lines)}</table><small>{html.escape(content.caption)}</small>"
    )


def draw(part, titled=True):
    """Draw a section of the report: its words, its table, its figure, and its parts."""
    if titled:
        display(HTML(f"<h4>{html.escape(part.title)}</h4>"))
    if part.text:
        display(HTML(f"<p>{html.escape(part.text)}</p>"))
    if part.table is not None:
        display(table(part.table))
    if part.figure is not None:
        display(part.figure)
    for inner in part.parts:
        draw(inner)


def show(key):
    """Draw one section for each data set that has it."""
    for name, found in sections.items():
        if key in found:
            display(HTML(f"<h3>{html.escape(records[name]['data']['title'])}</h3>"))
            draw(found[key], titled=False)


# %% [markdown]
# ## 1. What is right
#
# The headline. Both networks are run as packed files, one pass for each image, because that is what
# users run; a run may record more by averaging mirrored and moved copies of each image, and the
# caption says so. The interval of a single accuracy is wide, since test images are few. That of the
# *difference* is narrow, since both networks find the same images hard.

# %%
show("accuracy")

# %% [markdown]
# A network that keeps its teacher's accuracy may still err elsewhere. The confusion matrices show
# which mistakes are common; that they are not spread evenly is the rule.

# %%
show("mistakes")

# %% [markdown]
# ## 2. Who is served worse
#
# The files say nothing about patients: no age, no sex, no hospital. Fairness between people cannot be
# measured with them, and no number below stands in for it. What can be asked is whether accuracy
# depends on the class, on how much an image resembles a training image, and on the quality of the
# image. Shares have Wilson's intervals and differences Newcombe's, which keep a width where a
# bootstrap of a handful of images has none.

# %%
show("strata")

# %% [markdown]
# Read the parts with care. There are a dozen of them, so that one will look bad by chance; their mix
# of classes differs, which alone can make one easier than another.

# %% [markdown]
# ## 3. Does a probability mean what it says
#
# Of all answers given with 80 % confidence, eight in ten should be right. The expected calibration
# error (ECE) is the mean distance from that, in bins of equally many images. One number, the
# temperature, is fitted on validation images and divides all logits; it changes how sure the network
# is and not what it says.
#
# Two cautions. An ECE of few images is never zero: the text states how large it would be by chance for
# a perfectly calibrated network. And a temperature promises something for images like those it was
# fitted on only.

# %%
show("calibration")

# %% [markdown]
# ## 4. Sets of classes, and silence
#
# Instead of one answer with a doubtful probability, a network can name every class that it cannot rule
# out, with a promise that holds for any network: the true class is in the set nine times in ten
# (split conformal prediction). The promise needs test images of the same kind as the validation
# images, and it is one about many draws of them: the text states which coverage was to be expected
# with so few. Where a data set breaks the promise, its splits differ.

# %%
show("sets")

# %% [markdown]
# ## 5. Where to say yes
#
# A threshold is a decision about harms: what a missed case costs beside a false alarm. Predictive
# values depend on how many people are ill. In these files many are; on a ward fewer, and in a screening
# very few.

# %%
show("operating")

# %% [markdown]
# ## 6. Damaged images
#
# Noise, blur, compression and other light, each at five severities (MedMNIST-C). A quantised network
# has fewer values to absorb them with; whether that shows is in the paired difference.

# %%
show("robustness")

# %% [markdown]
# ## 7. Images that are of none of the classes
#
# A classifier answers whatever it is shown. Is it less sure of noise, of an image whose pixels were
# shuffled, of an empty one? And can a simple score tell such images from its own? These are the
# easiest strangers there are; another organ is harder, so the report asks about the images of every
# other set whose file lies beside its own.

# %%
show("outliers")

# %% [markdown]
# ## 8. What it looked at
#
# Maps of what a network used are easy to draw and easy to believe. Each kind is tested before it is
# shown any trust: do answers hang on the pixels that it puts first (deletion and insertion, beside
# random orders), and does it change when the weights are scrambled? Only then is it worth asking
# whether teacher and student use the same.

# %%
show("maps")

# %% [markdown]
# ## 9. What it costs
#
# The reason for all of it. Bytes are those of the files. Energy is modelled. Times were measured on a
# machine that was busy with other things, and say little beyond their order.

# %%
show("cost")

# %% [markdown]
# ## 10. What has not been told
#
# TRIPOD+AI (27 items) and CLAIM (44) list what a reader has to be told about such a model. Each item
# is answered, or it is said why it cannot be; here only the counts and the open items. The page of the
# report has all of them.

# %%
for name, found in sections.items():
    display(HTML(f"<h3>{html.escape(records[name]['data']['title'])}</h3>"))
    draw(found["limits"], titled=False)

for key in ("tripod-ai", "claim-2024") if sections else ():
    content = next(iter(sections.values()))[key]
    missing = [row for row in content.table.rows if row[2] == "not available"]
    display(HTML(f"<h4>{html.escape(content.title)}</h4><p>{html.escape(content.text)}</p>"))
    display(HTML("<ul>" + "".join(
        f"<li>{html.escape(row[0])}, {html.escape(row[1])}. {html.escape(row[3])}</li>"
        for row in missing) + "</ul>"))  # fmt: skip

# %% [markdown]
# ## 11. Run it again
#
# ```sh
# tinyternary reproduce pneumoniamnist-micro --root ~/medmnist --out runs/pneumoniamnist-micro --seeds 0
# tinyternary report runs/pneumoniamnist-micro/seed-0 --root ~/medmnist --out pneumonia.html --quick
# ```
#
# The second command writes the page, and beside it the JSON file that is recorded here as
# `notebooks/results/trust-NAME.json`. Another seed gives other numbers; the
# [results notebook](results.ipynb) shows by how much.
