# %% [markdown]
# # 12 · Capstone
#
# Somebody has a microcontroller with a page of flash for your network, a pile of labelled images, and a question: *can it be done?* Everything that you need to answer is in your folder by now. You wrote it.
#
# So this lesson has few new ideas and one long thread. You say what you expect, in numbers, before anything runs. You train a teacher with your optimiser, decide to the byte which of its matrices may stay float, round the others with your quantiser, and let the student listen with your distillation loss. You pack it, prove that the file answers as the network did, measure it, and write a report that you would sign. Then you defend it, and you find out how good a forecaster you are.
#
# You will be able to
#
# - put a forecast in writing so that it can be scored, and be scored fairly;
# - predict the size of a file to the byte, and spend a budget of bytes as well as it can be spent;
# - tell whether a packed file and a network are the same thing, where accuracies cannot;
# - compare two networks on the same images, and say how many images a claim would need;
# - say of a claim *supported*, *refuted* or *open*, and mean it;
# - read another's report with a pencil, and refuse your own where something is missing.
#
# **What you need:** lessons 01 to 07. What you solved there, in this folder, runs here; where you left something open, the lesson's version runs and says so. **Time:** 90 minutes with the drawn cells that come with the library, an evening with a data set of your own. **Network:** none. Training takes about a minute in all.
#
# | exercise | | difficulty | points |
# |---|---|---|---|
# | 12.1 | your design, in words, before anything is trained (it stands after 12.2) | ●● | 4 |
# | 12.2 | a fair price for a forecast | ● | 2 |
# | 12.3 | the file, to the byte | ●● | 2 |
# | 12.4 | a budget, spent as well as can be | ●●● | 4 |
# | 12.5 | is this file that network? | ●● | 3 |
# | 12.6 | who is better, and how many images would tell | ●● | 3 |
# | 12.7 | supported, refuted, open | ●● | 3 |
# | 12.8 | museum: somebody else's report | ●●● | 4 |
# | 12.9 | a report that refuses | ●● | 4 |
# | 12.10 | your defence, in words | ●●● | 5 |

# %% tags=["setup"]
import math
import time
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import tinyternary as tt
from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})
NOTE = style.CLINICAL_NOTE
REQUIRED = {
    "data": "data set",
    "images": "test images",
    "seeds": "students trained",
    "accuracy": "student, % right",
    "gap": "student - teacher, points",
    "claim": "claim",
    "verdict": "verdict",
    "bytes": "file, bytes",
    "energy": "energy of an image, µJ, modelled",
    "latency": "one image, ms, p50 and p95",
    "limits": "what this does not show",
}
KINDS = (
    "MB mixed with MiB", "energy from wall time", "chosen on the test set", "no warm-up",
    "interval too narrow", "interval too wide", "not paired", "leak between splits",
)  # fmt: skip

check = course.checks("12_capstone")
my = check.mine

# %% [markdown]
# ## 1 · The wager
#
# Here is what you may decide. The data: `"phantoms"` are cells that the library draws, four kinds of them; the name of a MedMNIST set with one label an image (`"breastmnist"`, `"bloodmnist"`, ...) takes its official file, if you have it in `~/.medmnist` or in the folder that `TINYTERNARY_DATA` names. The budget: bytes of the whole file, header and all. And a claim about the student, minus the teacher, in points of accuracy, that you will have to defend at the end: `("above", -3.0)` says "it loses less than three points".
#
# Go through the lesson once with what stands here. Then come back, change it, and run everything again.

# %%
DATA = "phantoms"
BUDGET = 64_000  # bytes of the file
CLAIM = ("above", -3.0)  # student - teacher, in points

# %%
from tinyternary.compiled.switch import jit_enabled

tt.set_threads(1)  # matrices this small are not worth sharing out
STEPS = {"teacher": 300, "student": 150} if jit_enabled() else {"teacher": 60, "student": 30}


def some(part, count):
    """At most so many images of a split, drawn at random."""
    order = np.random.default_rng(0).permutation(len(part))[:count]
    return part if len(part) <= count else part.subset(np.sort(order))


if DATA == "phantoms":
    drawn = (("train", 1600), ("val", 400), ("test", 400))
    data = tt.data.Splits(*(tt.data.phantoms(s, count=n, classes=4) for s, n in drawn))
else:
    data = tt.data.Splits(
        *(some(part, n) for part, n in zip(tt.data.load(DATA), (4000, 1000, 2000)))
    )
if np.ndim(data.train.labels) > 1:
    raise ValueError(f"{DATA} has several labels an image; take a set with one")
print(f"{DATA}: {', '.join(f'{part.split} {len(part)}' for part in data)}")
print(f"{data.num_classes} classes: {', '.join(data.class_names)}")

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(2, 8, figsize=(10, 2.9))
shown = np.argsort(data.train.labels[:200], kind="stable")[
    :: max(1, min(200, len(data.train)) // 16)
]
for axis, row in zip(axes.flat, shown):
    image = data.train.images[row]
    axis.imshow(image.squeeze(), cmap="gray" if data.channels == 1 else None)
    name = data.class_names[int(data.train.labels[row])].removeprefix("phantom ")
    axis.set_title(name[:14], fontsize=8, fontweight="normal")
for axis in axes.flat:
    axis.set_axis_off()
plt.show()

# %% [markdown]
# The teacher will be a small Vision Transformer in float32, two blocks of width 64. The student has the same shape, with trits in most of its matrices.
#
# **A forecast is a pair.** "About 90 %" cannot be wrong. "Between 85 and 94 %, and I would bet nine to one on it" can. So you will write five pairs: the numbers between which you expect the truth with a probability of 90 %. Before you do, you should know how you will be paid.
#
# Suppose the price of a forecast is nothing if the truth lies inside, and 1 if not. Then the best forecast is "between minus and plus infinity". Suppose it is the width: the best is a single number, and always wrong. The **interval score** takes both, and it is built so that nothing pays better than your honest belief (Gneiting and Raftery, 2007). For a forecast $[l, u]$ at level $1 - \alpha$, and a truth $x$:
#
# $$
# S = (u - l) \;+\; \frac{2}{\alpha}\,(\text{how far } x \text{ lies outside})
# $$
#
# Low is good. At 90 % a missed unit costs twenty units of width.

# %% [markdown]
# ### Exercise 12.2: a fair price (2 points)
#
# Write `interval_score(low, high, actual, level=0.9)`. It works for numbers, and for arrays entry by entry. An interval of width 0 is daring but allowed; one that is turned round, `low` above `high`, raises `ValueError`, for its width would be negative and it would win every contest.


# %% nbgrader={"grade": false, "grade_id": "12_2_interval_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def interval_score(low, high, actual, level=0.9):
    """Width, plus 2 / (1 - level) for each unit by which the truth lies outside."""
    ### BEGIN SOLUTION
    if np.any(np.asarray(low) > np.asarray(high)):
        raise ValueError("an interval has its low end first")
    missed = np.maximum(np.subtract(low, actual), 0) + np.maximum(np.subtract(actual, high), 0)
    return np.subtract(high, low) + 2 / (1 - level) * missed
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "12_2_interval_score_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("12.2")
def _(interval_score):
    check.close(
        interval_score(80.0, 90.0, 86.0), 10.0,
        "The truth lies inside: the price is the width and nothing else, wherever inside it lies.",
    )  # fmt: skip
    check.close(
        interval_score(80.0, 90.0, 92.0), 50.0,
        "Two units above the upper end: the width, 10, and two units at 2 / 0.1 = 20 each. What is "
        "missed is measured from the nearer end.",
    )  # fmt: skip
    check.close(
        interval_score(80.0, 90.0, 79.5), 20.0, "Half a unit below the lower end costs as much as half a unit above the upper one."
    )  # fmt: skip
    check.close(
        interval_score(80.0, 90.0, 92.0, 0.5), 18.0,
        "At a level of 50 % alpha is a half: a missed unit costs 4 units of width.",
    )  # fmt: skip
    check.close(
        interval_score(np.array([1.0, 1.0]), np.array([2.0, 3.0]), np.array([0.0, 2.5])), [21.0, 2.0],
        "Arrays, entry by entry: an `if` on an array knows one answer only; a maximum with 0 has one for each.",
    )  # fmt: skip
    check.raises(
        ValueError, lambda: interval_score(90.0, 80.0, 85.0), "From 90 to 80: turned round."
    )
    try:
        daring = interval_score(5.0, 5.0, 5.0)
    except ValueError:
        check.fail("From 5 to 5 is daring but allowed: only `low` above `high` is turned round.")
    check.close(daring, 0.0, "From 5 to 5 is allowed, and was right: it costs nothing.")
    ### BEGIN HIDDEN TESTS
    check.raises(
        ValueError, lambda: interval_score(np.array([0.0, 3.0]), np.array([1.0, 2.0]), 0.5),
        "One of two intervals is turned round.",
    )  # fmt: skip
    rng = np.random.default_rng(122)
    low = rng.normal(size=40)
    high, actual = low + rng.uniform(0, 2, 40), rng.normal(size=40)
    want = [(b - a) + 2 / 0.3 * (a - x if x < a else x - b if x > b else 0.0)
            for a, b, x in zip(low, high, actual)]  # fmt: skip
    check.close(interval_score(low, high, actual, 0.7), want, "Random intervals at 70 %.")
    ### END HIDDEN TESTS


# %% variant={"of": "12_2_interval_score", "wrong": "a fine for missing, however far", "says": "two units"}
def interval_score(low, high, actual, level=0.9):
    if np.any(np.asarray(low) > high):
        raise ValueError
    outside = (actual < low) | (actual > high)
    return high - low + 2 / (1 - level) * outside


# %% variant={"of": "12_2_interval_score", "wrong": "half the price: 1 / alpha", "says": "20 each"}
def interval_score(low, high, actual, level=0.9):
    if np.any(np.asarray(low) > high):
        raise ValueError
    missed = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return high - low + missed / (1 - level)


# %% variant={"of": "12_2_interval_score", "wrong": "measured from the middle", "says": "nearer end"}
def interval_score(low, high, actual, level=0.9):
    if np.any(np.asarray(low) > high):
        raise ValueError
    middle = (np.asarray(low) + high) / 2
    outside = (actual < np.asarray(low)) | (actual > np.asarray(high))
    return high - np.asarray(low) + 2 / (1 - level) * outside * np.abs(actual - middle)


# %% variant={"of": "12_2_interval_score", "wrong": "only the upper end", "says": "below the lower end"}
def interval_score(low, high, actual, level=0.9):
    if np.any(np.asarray(low) > high):
        raise ValueError
    return high - np.asarray(low) + 2 / (1 - level) * np.maximum(actual - np.asarray(high), 0)


# %% variant={"of": "12_2_interval_score", "wrong": "level in place of alpha", "says": "20 each"}
def interval_score(low, high, actual, level=0.9):
    if np.any(np.asarray(low) > high):
        raise ValueError
    missed = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return high - low + 2 / level * missed


# %% variant={"of": "12_2_interval_score", "wrong": "turned round and nobody minds", "says": "turned round"}
def interval_score(low, high, actual, level=0.9):
    missed = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return high - low + 2 / (1 - level) * missed


# %% variant={"of": "12_2_interval_score", "right": "clip finds the nearest point inside"}
def interval_score(low, high, actual, level=0.9):
    low, high, actual = (np.asarray(v, float) for v in (low, high, actual))
    if not np.all(low <= high):
        raise ValueError("low above high")
    nearest = np.clip(actual, low, high)
    return (high - low) + np.abs(actual - nearest) * (2 / (1 - level))


# %% variant={"of": "12_2_interval_score", "right": "with where"}
def interval_score(low, high, actual, level=0.9):
    low, high = np.asarray(low, float), np.asarray(high, float)
    if (high < low).any():
        raise ValueError("turned round")
    price = 2.0 / (1.0 - level)
    below = np.where(actual < low, price * (low - actual), 0.0)
    above = np.where(actual > high, price * (actual - high), 0.0)
    return high - low + below + above


# %% [markdown] hints={"of": "12_2_interval_score"}
# 1. How far outside is the truth if it lies inside? Which function of NumPy gives 0 there and the distance elsewhere, for a whole array at once?
# 2. Two distances, one for each end; at most one of them is positive.
# 3. The price of a unit is 2 divided by alpha, and alpha is what the level leaves over.

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.1))
truth = np.linspace(70, 105, 400)
for half, color in ((2, style.ACCENT), (5, style.TERNARY), (10, style.FLOAT)):
    left.plot(
        truth, my.interval_score(90.0 - half, 90.0 + half, truth), color=color, label=f"90 ± {half}"
    )
left.set(
    xlabel="what comes true", ylabel="price", ylim=(0, 120), title="Wide is dear, wrong is dearer"
)
left.legend(fontsize=9)
belief = np.random.default_rng(0).normal(0, 3, 40_000)
halves = np.linspace(0, 15, 61)
mean_price = [my.interval_score(-h, h, belief).mean() for h in halves]
honest = float(np.quantile(np.abs(belief), 0.9))
right.plot(halves, mean_price, color=style.TERNARY)
right.axvline(honest, color=style.ACCENT, linestyle="--", linewidth=1.2)
right.text(honest + 0.3, 44, "what you do believe", color=style.ACCENT, fontsize=9)
right.set(xlabel="± what you write down", ylabel="mean price", ylim=(0, 52),
          title="A belief of ±3 (one σ), announced honestly or not")  # fmt: skip
plt.show()

# %% [markdown]
# On the right somebody believes in a Gaussian with a standard deviation of 3 and wonders what to write. Boasting costs far more than modesty, and the valley has its floor where nine in ten of their own cases lie inside. That is what makes the score *proper*. (Most people, asked for 90 %, give intervals that hold half the time. You will see.)
#
# Now it is your turn. **Write your five pairs before you go on**, `(low, high)` in place of each `None`. What is counted in ratios or spans decades, bytes, energy and time, is scored in doublings: a miss by a factor of 2 is one unit, whichever way. Your rival is a clerk who knows nothing and plays safe.

# %%
my_forecast = {
    "teacher, % right": None,
    "student, % right": None,
    "file, bytes": None,
    "energy, times less than the teacher's": None,  # by the cost model, an image
    "latency of one image, ms": None,  # the packed student, this machine, one thread, median
}

the_clerk = {
    "teacher, % right": (100 / data.num_classes, 100),
    "student, % right": (100 / data.num_classes, 100),
    "file, bytes": (BUDGET / 16, BUDGET),
    "energy, times less than the teacher's": (1, 16),
    "latency of one image, ms": (0.01, 10),
}
written = sum(pair is not None for pair in my_forecast.values())
when = time.strftime("%Y-%m-%d %H:%M")
print(f"{written} of {len(my_forecast)} written down, {when}")

# %% [markdown] nbgrader={"grade": true, "grade_id": "12_1_design", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### Exercise 12.1: your design (4 points, before anything is trained)
#
# Half a page. What is the network for, and what would a wrong answer cost? Which parts do you expect to become ternary within the budget, and why those? What is your claim about student and teacher, with its margin, and *which result would make you take it back*? Which choices will you make by validation images, and what will the test images be used for?
#
# ### BEGIN SOLUTION
# The network sorts drawn cells into four kinds. It stands for a pre-sorter on a microscope with a small battery: a wrong answer costs a second look by a person, so a few points of accuracy may be traded for size, but not ten.
#
# The matrices of the blocks hold nearly all of the weights, so they become ternary. I expect the patch embedding to stay float: it sees the raw pixels, and lesson 06 found it to do most harm per byte. Norms, biases and positions are vectors and stay float. The head is so small that it hardly matters. I do not fix this by taste, though: the harm of each matrix is measured on validation images, and the bytes decide.
#
# I claim that the student loses less than three points against its own teacher, on the same test images. I take it back if the paired 95 % interval lies below minus three, and I claim nothing if it crosses minus three.
#
# By validation images I choose the policy. Steps, learning rate, temperature and the epoch at which I stop are fixed beforehand. The test images are read once, at the end, for the numbers of the report.
# ### END SOLUTION

# %% [markdown] rubric={"of": "12_1_design"}
# One point each:
#
# - **Purpose and cost:** what it is for and what an error costs, so that a margin follows from it. "As accurate as possible" earns nothing.
# - **Policy with a reason:** which parts become ternary, by bytes and by harm (lesson 06), not by habit.
# - **A claim that can fail:** direction, margin and unit, and the result that would refute it. Full point only if "the interval crosses the margin" is told apart from "refuted".
# - **Splits:** choices are made on validation data, the test images are read once; what is fixed beforehand is named.

# %% [markdown]
# ## 2 · A teacher, by your own hand
#
# `course.mine("03")` opens what you solved in lesson 03. Below, `training.AdamW` is *your* AdamW, `training.batches` deals *your* batches; the library gives the network and its gradients (lesson 02 showed that you could). What you have not solved is named once, and the lesson's version stands in.

# %%
basics, training, through, layers, distilling = (
    course.mine(number) for number in ("01", "03", "04", "06", "07")
)

# %%
preprocessing = tt.data.fit_preprocessing(data.train)
labels = {part.split: np.asarray(part.labels) for part in data}


def logits_of(model, images):
    """A network's logits (N, classes) for raw images."""
    model.eval()
    with tt.no_grad():
        parts = [model(preprocessing(images[i : i + 200])).data for i in range(0, len(images), 200)]
    return np.concatenate(parts)


def right(logits, split="test"):
    """Which images of a split are named right."""
    return logits.argmax(axis=1) == labels[split]


def teach(model, gradient, steps, lr, seed):
    """Train with your batches, your AdamW and your schedule; return the losses.

    gradient(logits, rows): the loss of a batch, and its gradient by the logits.
    """
    tensors = list(model.parameters())
    optimizer = training.AdamW([tensor.data for tensor in tensors], lr, weight_decay=0.05)
    losses, epoch = [], 0
    while len(losses) < steps:
        model.train()
        for rows in training.batches(len(data.train), 64, seed, epoch):
            optimizer.lr = training.cosine(len(losses), steps, lr, warmup=20)
            for tensor in tensors:
                tensor.grad = None
            logits = model(preprocessing(data.train.images[rows]))
            loss, back = gradient(logits.data, rows)
            logits.backward(back.astype(np.float32))
            optimizer.step([tensor.grad for tensor in tensors])
            losses.append(loss)
            if len(losses) == steps:
                break
        epoch += 1
    return losses


def by_labels(logits, rows):
    return training.cross_entropy(logits, labels["train"][rows])


config = tt.models.preset("lesson", num_classes=data.num_classes, channels=data.channels)

# %%
teacher = tt.models.ViT(config, seed=0)
teacher_losses = teach(teacher, by_labels, STEPS["teacher"], 4e-3, seed=0)
teacher_logits = {part.split: logits_of(teacher, part.images) for part in data}
teacher_right = right(teacher_logits["test"])
print(f"validation images: {100 * right(teacher_logits['val'], 'val').mean():.1f} % right")

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(8, 2.8))
axis.plot(teacher_losses, color=style.FLOAT, alpha=0.35, linewidth=1)
window = max(1, len(teacher_losses) // 25)
smooth = np.convolve(teacher_losses, np.ones(window) / window, "valid")
axis.plot(np.arange(len(smooth)) + window - 1, smooth, color=style.FLOAT)
axis.axhline(np.log(data.num_classes), color=style.MUTED, linestyle=":")
axis.text(len(teacher_losses), np.log(data.num_classes), "knows nothing", ha="right", va="bottom",
          fontsize=8.5, color=style.MUTED)  # fmt: skip
axis.set(
    xlabel="step",
    ylabel="loss of a batch",
    ylim=(0, None),
    title="The teacher learns, with your optimiser",
)
plt.show()

# %% [markdown]
# The loop ends when its steps are spent. No epoch is chosen, so nothing can be chosen wrongly. The test images have been asked already, to save a second look later, but nobody has counted the answers.
#
# ## 3 · To the byte
#
# In lesson 06 you counted the bytes of matrices. A file holds a little more. For each layer with trits the packed file stores
#
# - the codes: four trits a byte, and **each row begins with a byte of its own**;
# - one scale, a float32;
# - the gain of the RMSNorm that BitLinear puts before its rounding: one float32 for each *input*.
#
# A float matrix is stored as float32. Biases, norms and positions are the same whichever matrices are ternary: call their bytes the **rest**.

# %% [markdown]
# ### Exercise 12.3: the file, to the byte (2 points)
#
# Write `file_bytes(shapes, rest, ternary)`. `shapes` is `{name: (outputs, inputs)}`, `rest` a number of bytes, `ternary` the names of the matrices that become ternary (a set, a list or a tuple). Return the bytes of all arrays, an `int`.


# %% nbgrader={"grade": false, "grade_id": "12_3_file_bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def file_bytes(shapes, rest, ternary):
    """Bytes of all arrays of a packed file: codes, scales, gains, floats and the rest."""
    ### BEGIN SOLUTION
    total = rest
    for name, (outputs, inputs) in shapes.items():
        if name in ternary:
            codes = outputs * math.ceil(inputs / 4)
            total += codes + 4 + 4 * inputs
        else:
            total += 4 * outputs * inputs
    return total
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "12_3_file_bytes_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("12.3")
def _(file_bytes):
    shapes = {"a": (2, 8), "b": (3, 5)}
    check.equal(
        file_bytes(shapes, 100, ()),
        224,
        "All float: 4 bytes for each of 16 + 15 weights, and the rest.",
    )
    check.equal(
        file_bytes(shapes, 100, {"a"}), 200,
        "a in trits: 2 rows of 2 bytes, a scale of 4, and a gain for each of its 8 inputs.",
    )  # fmt: skip
    check.equal(
        file_bytes(shapes, 100, ["b"]), 194,
        "b in trits: a row of 5 trits takes 2 bytes, and the next row does not begin inside the second.",
    )  # fmt: skip
    check.true(
        isinstance(file_bytes(shapes, 100, {"a"}), int), "A number of bytes is whole: an int."
    )
    names = {"a", "b"}
    file_bytes(shapes, 100, names)
    check.true(names == {"a", "b"}, "Who asks keeps their set of names: it came back changed.")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(123)
    for _ in range(8):
        shapes = {
            name: (int(n), int(k)) for name, n, k in zip("uvwxyz", *rng.integers(1, 40, (2, 6)))
        }
        chosen = {name for name in shapes if rng.random() < 0.5}
        want = int(rng.integers(1000))
        rest = want
        for name, (n, k) in shapes.items():
            want += n * ((k + 3) // 4) + 4 * (k + 1) if name in chosen else n * k * 4
        check.equal(
            file_bytes(shapes, rest, chosen), want, f"Shapes {shapes}, ternary {sorted(chosen)}."
        )
    ### END HIDDEN TESTS


# %% variant={"of": "12_3_file_bytes", "wrong": "the gains forgotten, as in lesson 06", "says": "gain for each"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (n, k) in shapes.items():
        total += n * -(-k // 4) + 4 if name in ternary else 4 * n * k
    return total


# %% variant={"of": "12_3_file_bytes", "wrong": "rows that share a byte", "says": "does not begin inside"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (n, k) in shapes.items():
        total += -(-n * k // 4) + 4 + 4 * k if name in ternary else 4 * n * k
    return total


# %% variant={"of": "12_3_file_bytes", "wrong": "a gain for each output", "says": "8 inputs"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (n, k) in shapes.items():
        total += n * -(-k // 4) + 4 + 4 * n if name in ternary else 4 * n * k
    return total


# %% variant={"of": "12_3_file_bytes", "wrong": "a scale for each row", "says": "a scale of 4"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (n, k) in shapes.items():
        total += n * -(-k // 4) + 4 * n + 4 * k if name in ternary else 4 * n * k
    return total


# %% variant={"of": "12_3_file_bytes", "wrong": "the rest left out", "says": "and the rest"}
def file_bytes(shapes, rest, ternary):
    return sum(
        n * -(-k // 4) + 4 + 4 * k if name in ternary else 4 * n * k
        for name, (n, k) in shapes.items()
    )


# %% variant={"of": "12_3_file_bytes", "wrong": "a float", "says": "an int"}
def file_bytes(shapes, rest, ternary):
    total = float(rest)
    for name, (n, k) in shapes.items():
        total += n * -(-k // 4) + 4 + 4 * k if name in ternary else 4 * n * k
    return total


# %% variant={"of": "12_3_file_bytes", "right": "one sum"}
def file_bytes(shapes, rest, ternary):
    def stored(name, n, k):
        return n * ((k + 3) // 4) + 4 * (1 + k) if name in ternary else 4 * n * k

    return rest + sum(stored(name, *shape) for name, shape in shapes.items())


# %% variant={"of": "12_3_file_bytes", "right": "what trits save"}
def file_bytes(shapes, rest, ternary):
    size = rest + 4 * sum(n * k for n, k in shapes.values())
    for name in set(ternary):
        n, k = shapes[name]
        size -= 4 * n * k - n * math.ceil(k / 4) - 4 - 4 * k
    return size


# %% [markdown] hints={"of": "12_3_file_bytes"}
# 1. How many bytes does one row of 5 trits take, if a byte holds four and the next row starts afresh?
# 2. Three things for a layer with trits: rows of codes, one scale, a gain for each input. Which of the two numbers of a shape is the inputs?

# %% [markdown]
# Is it true? Pack three networks, and compare with what their files hold. (Lesson 06's count, for matrices alone, is beside it.)

# %%
names = [name for name, module in teacher.named_modules() if isinstance(module, tt.nn.Linear)]
weights = {name: dict(teacher.named_modules())[name].weight.data.copy() for name in names}
shapes = {name: matrix.shape for name, matrix in weights.items()}
whole = tt.deploy.pack(teacher).tensor_bytes
rest = whole - sum(4 * matrix.size for matrix in weights.values())


def untrained(chosen):
    """A network of the same shape with these layers ternary, to be packed and weighed."""
    return tt.quant.ternarize(tt.models.ViT(config), dict.fromkeys(chosen, "absmean"))


for title, chosen in (("none", []), ("blocks", names[1:-1]), ("every matrix", names)):
    held = tt.deploy.pack(untrained(chosen)).tensor_bytes
    counted = my.file_bytes(shapes, rest, chosen)
    matrices = layers.stored_bytes(shapes, chosen)
    print(
        f"{title:<13} the file holds {held:>7,}, you say {counted:>7,}; its matrices {matrices:>7,}"
    )

# %% [markdown]
# The file also has a header of text: the network's shape, its policy, class names, how images are prepared. It comes out of the budget as well. Every layer with trits is named there, so we weigh the header of the network that has most of them.
#
# Which matrices may stay float? Your `sensitivity` of lesson 06 rounds one at a time and looks at the validation loss.


# %%
def loss_with(replaced):
    """Validation loss of the teacher with these matrices in the place of its own."""
    model = tt.models.ViT(config)
    state = {name: array.copy() for name, array in teacher.state_dict().items()}
    state |= {f"{name}.weight": np.asarray(matrix, np.float32) for name, matrix in replaced.items()}
    model.load_state_dict(state)
    return training.cross_entropy(logits_of(model, data.val.images).astype(float), labels["val"])[0]


harm = dict(layers.sensitivity(weights, loss_with))
for name in names:
    print(f"{name:<20} {shapes[name]!s:>11}   loss rises by {harm[name]:+.3f}")

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9, 3.2))
saved = [
    (my.file_bytes(shapes, rest, ()) - my.file_bytes(shapes, rest, [name])) / 1000 for name in names
]
axis.bar(range(len(names)), [harm[name] for name in names], color=style.TERNARY, width=0.6)
for place, name in enumerate(names):
    axis.text(place, max(harm[name], 0), f"saves\n{saved[place]:.0f} kB" if saved[place] >= 1 else "saves\n<1 kB",
              ha="center", va="bottom", fontsize=8, color=style.MUTED)  # fmt: skip
axis.set_xticks(range(len(names)), [name.removeprefix("blocks.") for name in names], rotation=25,
                ha="right", fontsize=8.5)  # fmt: skip
axis.set(
    ylabel="rise of the loss",
    ylim=(0, 1.25 * max(harm.values())),
    title="One matrix in trits, all others float",
)
plt.show()

# %% [markdown]
# In lesson 06 you spent a budget greedily, the best harm per byte first. That is quick and usually good. But a greedy packer can buy a cheap thing first and then lack the few bytes that something better needs. Here are ten matrices, so there are $2^{10} = 1024$ policies: few enough to try them all.

# %% [markdown]
# ### Exercise 12.4: a budget, spent as well as can be (4 points)
#
# Write `plan(shapes, harm, rest, budget)`. `harm` is `{name: rise of the loss if this matrix is ternary}`, `budget` the bytes that all arrays may take together, at most. Return a `set` of the names that become **ternary**: of all choices that fit, the one whose harms have the smallest sum; if several tie, the one with the fewest bytes. If nothing fits, not even with every matrix in trits, raise `ValueError`. A harm may be negative: some matrices are better for a little rounding.


# %% nbgrader={"grade": false, "grade_id": "12_4_plan", "locked": false, "schema_version": 3, "solution": true, "task": false}
def plan(shapes, harm, rest, budget):
    """Names of the matrices that become ternary: least harm within the budget."""
    ### BEGIN SOLUTION
    best = None
    for count in range(len(shapes) + 1):
        for ternary in combinations(shapes, count):
            size = file_bytes(shapes, rest, ternary)
            if size <= budget:
                rank = (sum(harm[name] for name in ternary), size)
                if best is None or rank < best[0]:
                    best = rank, set(ternary)
    if best is None:
        raise ValueError("not even the network with every matrix in trits fits")
    return best[1]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "12_4_plan_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
@check.exercise("12.4")
def _(plan):
    # in trits a, b, c, d save 130, 70, 48 and 28 bytes
    shapes = {"a": (10, 4), "b": (6, 4), "c": (4, 5), "d": (4, 3)}
    floats = file_bytes(shapes, 0, ())
    saves = {name: floats - file_bytes(shapes, 0, {name}) for name in shapes}

    def named(budget, harm, hint):
        got = plan(shapes, harm, 1000, budget)
        check.true(
            isinstance(got, set | frozenset),
            f"Return a set of names; this is {type(got).__name__}.",
        )
        check.true(
            set(got) <= set(shapes), "There should be nothing in the set but names of matrices."
        )
        return sorted(got), hint

    def same(budget, harm, want, hint):
        got, hint = named(budget, harm, hint)
        check.true(
            got == sorted(want),
            f"`shapes = {shapes}`, `harm = {harm}`, rest 1000, budget {budget}: expected "
            f"{sorted(want)} in trits, got {got}. {hint}",
        )  # fmt: skip

    even = {"a": 5, "b": 3, "c": 2, "d": 2}
    with check.part("within the budget", points=2):
        same(
            1000 + floats, even, [], "Everything fits as it is: rounding would do harm for nothing."
        )
        same(
            1000 + floats - saves["a"], {"a": 1, "b": 3, "c": 2, "d": 2}, ["a"],
            "With a in trits it fits exactly: at most the budget means that the last byte may be used.",
        )  # fmt: skip
        check.raises(
            ValueError, lambda: plan(shapes, even, 1000, 1000 + floats - sum(saves.values()) - 1),
            "One byte less than the smallest file.",
        )  # fmt: skip
        same(
            1000 + floats - sum(saves.values()),
            even,
            list(shapes),
            "It fits with every matrix in trits.",
        )
    with check.part("least harm", points=2):
        same(
            1000 + floats - saves["a"] - saves["b"], {"a": 6, "b": 6, "c": 4, "d": 3}, ["a", "b"],
            "a, c and d would save enough as well, and do more harm in all.",
        )  # fmt: skip
        same(
            1000 + floats - saves["b"], {"a": 9, "b": 7, "c": 3, "d": 2}, ["c", "d"],
            "The sum of the harms counts: two small ones may do less than one of the size that is needed.",
        )  # fmt: skip
        same(
            1000 + floats, {"a": 5, "b": 3, "c": -1, "d": 2}, ["c"],
            "c has a negative harm: it is better in trits, budget or not.",
        )  # fmt: skip
        same(
            1000 + floats - saves["d"], {"a": 2, "b": 2, "c": 4, "d": 3}, ["a"],
            "a and b do equal harm, and either is enough: the smaller file wins.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(124)
        for _ in range(12):
            many = {n: (int(a), int(b)) for n, a, b in zip("pqrstuv", *rng.integers(2, 12, (2, 7)))}
            hurt = {n: int(h) for n, h in zip(many, rng.integers(-2, 12, 7))}
            least, most = file_bytes(many, 50, many), file_bytes(many, 50, ())
            budget = int(rng.integers(min(least, most), max(least, most) + 1))
            choices = []
            for bits in range(2**7):
                chosen = {n for i, n in enumerate(many) if bits >> i & 1}
                if file_bytes(many, 50, chosen) <= budget:
                    choices.append((sum(hurt[n] for n in chosen), file_bytes(many, 50, chosen)))
            if not choices:
                continue
            got = plan(many, hurt, 50, budget)
            found = (sum(hurt[n] for n in got), file_bytes(many, 50, got))
            check.true(
                found == min(choices),
                f"`shapes = {many}`, `harm = {hurt}`, rest 50, budget {budget}: there is a choice of "
                f"harm and bytes {min(choices)}; yours has {found}.",
            )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "12_4_plan", "wrong": "greedy: keep float what does most harm per byte, while it fits", "says": "harm"}
def plan(shapes, harm, rest, budget):
    ternary = set(shapes)
    if file_bytes(shapes, rest, ternary) > budget:
        raise ValueError

    def price(name):
        return harm[name] / (file_bytes(shapes, rest, ()) - file_bytes(shapes, rest, {name}))

    for name in sorted(shapes, key=price, reverse=True):
        if harm[name] > 0 and file_bytes(shapes, rest, ternary - {name}) <= budget:
            ternary.remove(name)
    return ternary


# %% variant={"of": "12_4_plan", "wrong": "rounds the harmless ones until it fits", "says": "expected"}
def plan(shapes, harm, rest, budget):
    ternary = {name for name in shapes if harm[name] < 0}
    for name in sorted(shapes, key=lambda n: harm[n]):
        if file_bytes(shapes, rest, ternary) <= budget:
            return ternary
        ternary.add(name)
    if file_bytes(shapes, rest, ternary) > budget:
        raise ValueError
    return ternary


# %% variant={"of": "12_4_plan", "wrong": "below the budget, not at it", "says": "the last byte may be used"}
def plan(shapes, harm, rest, budget):
    best = None
    for count in range(len(shapes) + 1):
        for ternary in combinations(shapes, count):
            if file_bytes(shapes, rest, ternary) < budget or (
                not ternary and file_bytes(shapes, rest, ternary) <= budget
            ):
                rank = (sum(harm[n] for n in ternary), file_bytes(shapes, rest, ternary))
                best = min(best, (rank, ternary)) if best else (rank, ternary)
    if best is None:
        raise ValueError
    return set(best[1])


# %% variant={"of": "12_4_plan", "wrong": "the smallest file, whatever the harm", "says": "for nothing"}
def plan(shapes, harm, rest, budget):
    if file_bytes(shapes, rest, shapes) > budget:
        raise ValueError
    return set(shapes)


# %% variant={"of": "12_4_plan", "wrong": "the names that stay float", "says": "expected"}
def plan(shapes, harm, rest, budget):
    best = None
    for count in range(len(shapes) + 1):
        for ternary in combinations(shapes, count):
            size = file_bytes(shapes, rest, ternary)
            if size <= budget:
                rank = (sum(harm[n] for n in ternary), size)
                if best is None or rank < best[0]:
                    best = rank, set(shapes) - set(ternary)
    if best is None:
        raise ValueError
    return best[1]


# %% variant={"of": "12_4_plan", "wrong": "of several with equal harm, the first", "says": "the smaller file wins"}
def plan(shapes, harm, rest, budget):
    best = None
    for bits in range(2 ** len(shapes)):
        ternary = {name for i, name in enumerate(reversed(shapes)) if bits >> i & 1}
        if file_bytes(shapes, rest, ternary) <= budget:
            total = sum(harm[n] for n in ternary)
            if best is None or total < best[0]:
                best = total, ternary
    if best is None:
        raise ValueError
    return best[1]


# %% variant={"of": "12_4_plan", "right": "by the bits of a number"}
def plan(shapes, harm, rest, budget):
    names = list(shapes)
    fitting = []
    for bits in range(1 << len(names)):
        chosen = [name for place, name in enumerate(names) if bits >> place & 1]
        size = file_bytes(shapes, rest, chosen)
        if size <= budget:
            fitting.append((sum(map(harm.get, chosen)), size, chosen))
    if not fitting:
        raise ValueError("nothing fits")
    return set(min(fitting)[2])


# %% variant={"of": "12_4_plan", "right": "one matrix after the other, by recursion"}
def plan(shapes, harm, rest, budget):
    names = list(shapes)

    def search(place, chosen):
        if place == len(names):
            size = file_bytes(shapes, rest, chosen)
            return (
                (sum(harm[n] for n in chosen), size, tuple(sorted(chosen)))
                if size <= budget
                else None
            )
        found = [search(place + 1, chosen), search(place + 1, chosen | {names[place]})]
        found = [f for f in found if f is not None]
        return min(found) if found else None

    best = search(0, frozenset())
    if best is None:
        raise ValueError("too little room")
    return set(best[2])


# %% [markdown] hints={"of": "12_4_plan"}
# 1. `itertools.combinations(shapes, count)` gives every choice of `count` names. Which counts are possible, from the least to the most?
# 2. Python compares pairs from the left: `(harm, bytes)` is smaller if the harm is, or if the harm is equal and the bytes are fewer.
# 3. Keep the best choice that fits. What is left of that variable if none ever did?

# %%
header = tt.deploy.pack(untrained(names), preprocessing=preprocessing, class_names=data.class_names,
                        task=data.task, dataset=DATA)  # fmt: skip
room = BUDGET - (header.nbytes - header.tensor_bytes)
chosen = my.plan(shapes, harm, rest, room)
print(f"{BUDGET:,} bytes, {BUDGET - room:,} of them for the header")
print("stay float:", ", ".join(name for name in names if name not in chosen) or "nothing")

# %% jupyter={"source_hidden": true}
every = [frozenset(c) for count in range(len(names) + 1) for c in combinations(names, count)]
sizes = np.array([my.file_bytes(shapes, rest, c) for c in every]) / 1000
harms = np.array([sum(harm[name] for name in c) for c in every])
extra = {name: my.file_bytes(shapes, rest, names) - my.file_bytes(shapes, rest, set(names) - {name})
         for name in names}  # fmt: skip
extra = {name: -value for name, value in extra.items()}
budgets = np.linspace(sizes.min(), sizes.max(), 240)
exact = [harms[sizes <= b + 1e-9].min() for b in budgets]
greedy = []
for b in budgets:
    kept = layers.keep_float(extra, harm, max(0.0, 1000 * (b - sizes.min())))
    greedy.append(sum(harm[name] for name in names if name not in kept))
missed = np.mean(np.array(greedy) > np.array(exact) + 1e-9)
figure, axis = plt.subplots(figsize=(9, 3.6))
axis.plot(sizes, harms, ".", color=style.MUTED, markersize=3, alpha=0.5)
axis.step(budgets, exact, where="post", color=style.TERNARY, label="the best there is")
axis.step(
    budgets,
    greedy,
    where="post",
    color=style.ACCENT,
    linewidth=1,
    linestyle="--",
    label="greedy (lesson 06)",
)
axis.axvline(room / 1000, color=style.FLOAT, linestyle=":", linewidth=1.2)
place = every.index(frozenset(chosen))
axis.plot(sizes[place], harms[place], "o", color=style.TERNARY, markersize=8)
axis.text(
    room / 1000 + 2, axis.get_ylim()[1], "your budget", fontsize=8.5, color=style.FLOAT, va="top"
)
axis.set(xlabel="bytes of all arrays, thousands", ylabel="sum of the harms",
         title=f"{len(every):,} policies; greedy misses the best at {100 * missed:.0f} % of the budgets")  # fmt: skip
axis.legend(fontsize=9)
plt.show()

# %% [markdown]
# Look at the two stripes of points. One matrix decides in which of them a policy lies, and it is not a large one. Then look along the lower edge: where greedy goes astray it loses little. The search is exact, the harms are not. They were measured one at a time, without training, and their sum is a guess. An exact answer to a rough question is a rough answer, and worth writing down as one.
#
# ## 4 · The student
#
# Four pieces of yours meet in one layer. Forward, the latent weights go through your `absmean` of lesson 01. Backward, the gradient goes through your `gate` of lesson 04, open for weights within three scales and for those on their way back. Around it, the library's BitLinear. On top, your `joint_loss` of lesson 07: the labels at 0.3, the teacher at 0.7, with $T = 2$.


# %%
class Rounding(tt.autograd.Function):
    """Trits forward, straight through backward: lessons 01 and 04, in your words."""

    @staticmethod
    def forward(ctx, latent):
        trits, alpha = basics.absmean(latent)
        ctx.save(latent, alpha)
        return (alpha * trits).astype(latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        latent, alpha = ctx.saved
        return through.gate(grad, latent, 3 * alpha, way_back=True)


class Quantizer(tt.nn.Module):
    """What BitLinear asks of a rule: floats to train with, trits and a scale to pack."""

    def forward(self, weight):
        return Rounding.apply(weight)

    def quantize(self, weights):
        trits, alpha = basics.absmean(weights)
        return tt.quant.Quantized(trits, np.float32(alpha))


def new_student():
    """The teacher's weights, with the chosen layers ternary by your rule."""
    model = tt.models.ViT(config)
    model.load_state_dict({name: array.copy() for name, array in teacher.state_dict().items()})
    tt.quant.ternarize(model, {name: "absmean" for name in names if name in chosen})
    for name, module in model.named_modules():
        if name in chosen:
            module.quantizer = Quantizer()
    return model


def by_both(logits, rows):
    return distilling.joint_loss(
        logits, teacher_logits["train"][rows], labels["train"][rows], 0.7, 2.0
    )


# %%
rounded_only = right(logits_of(new_student(), data.val.images), "val").mean()
student = new_student()
student_losses = [teach(student, by_both, STEPS["student"], 3e-3, seed=1)]

# %% [markdown]
# One student can be lucky. Two more cost a quarter of a minute.

# %%
students = [student, new_student(), new_student()]
for seed in (2, 3):
    student_losses.append(teach(students[seed - 1], by_both, STEPS["student"], 3e-3, seed))
by_seed = [100 * right(logits_of(s, data.val.images), "val").mean() for s in students]
print(f"validation images, three seeds: {', '.join(f'{v:.1f} %' for v in by_seed)}")

# %% jupyter={"source_hidden": true}
figure, (left, right_) = plt.subplots(1, 2, figsize=(10, 3), width_ratios=(1.5, 1))
for losses, color in zip(student_losses, (style.TERNARY, style.SERIES[3], style.SERIES[4])):
    wide = max(1, len(losses) // 15)
    left.plot(np.convolve(losses, np.ones(wide) / wide, "valid"), color=color)
left.set(xlabel="step", ylabel="joint loss", ylim=(0, None), title="Three students, one teacher")
bars = {"teacher": 100 * right(teacher_logits["val"], "val").mean(), "rounded": 100 * rounded_only}
bars |= {f"seed {s}": v for s, v in zip((1, 2, 3), by_seed)}
right_.barh(list(bars), list(bars.values()), height=0.6,
            color=[style.FLOAT, style.ACCENT, *[style.TERNARY] * 3])  # fmt: skip
for place, value in enumerate(bars.values()):
    right_.text(value + 1.5, place, f"{value:.0f} %", va="center", fontsize=9)
right_.set(xlim=(0, 118), xlabel="validation images named right, %", title="Rounded, then taught")
right_.invert_yaxis()
plt.show()

# %% [markdown]
# The report will be about the first of them, whatever the others do. Picking the best of three would be a choice, and choices have to be declared.
#
# ## 5 · Is this file that network?
#
# Pack it. The file has trits, scales, floats and a header; latent weights stay behind.

# %%
packed = tt.deploy.pack(student, preprocessing=preprocessing, class_names=data.class_names,
                        task=data.task, dataset=DATA)  # fmt: skip
path = packed.save("capstone.safetensors")
engine = tt.deploy.load(path, threads=1)
file_logits = engine(data.test.images)
student_logits = logits_of(student, data.test.images)
print(f"{path.stat().st_size:,} bytes on disk; {BUDGET - path.stat().st_size:,} of the budget left")
print(
    f"arrays: {packed.tensor_bytes:,} bytes; your plan said {my.file_bytes(shapes, rest, chosen):,}"
)

# %% [markdown]
# Now the engine computes with integers what the network computed with floats on the integers' grid. Sums of floats depend on their order, so the logits will not be the same to the last bit. How do you tell a rounding error from a wrong file?
#
# The usual test looks at accuracy. Keep this one in mind: while this lesson was written, a scale was passed in the wrong place, so that every $-1$ in the file stood for half of what it should. The file was valid and loaded without complaint. Its accuracy was lower than hoped, as that of a small student may well be.

# %% [markdown]
# ### Exercise 12.5: is this file that network? (3 points)
#
# Write `verify(model, file, tolerance=0.05)` for two arrays of logits of shape (N, classes). Return three things:
#
# - whether all is well: every logit of the file within `tolerance` of the model's (at the tolerance is within), in units of the **standard deviation of the model's logits**, all of them together;
# - the largest difference, in these units, as a `float`; `inf` if anything is not a number, or not finite;
# - the number of images whose answer, the largest logit, has changed.
#
# What cannot be compared raises `ValueError`: shapes that differ (NumPy would stretch a single row over all), and no images at all.


# %% nbgrader={"grade": false, "grade_id": "12_5_verify", "locked": false, "schema_version": 3, "solution": true, "task": false}
def verify(model, file, tolerance=0.05):
    """(all well, largest difference in standard deviations, answers changed)."""
    ### BEGIN SOLUTION
    if model.shape != file.shape or model.size == 0:
        raise ValueError(f"cannot compare logits of shapes {model.shape} and {file.shape}")
    largest = float(np.abs(model - file).max() / model.std())
    if not np.isfinite(largest):
        largest = math.inf
    changed = int(np.sum(model.argmax(axis=1) != file.argmax(axis=1)))
    return largest <= tolerance, largest, changed
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "12_5_verify_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("12.5")
def _(verify):
    # mean 0 and standard deviation 2
    model = np.array([[2.0, -2.0], [-2.0, 2.0], [2.0, -2.0]])

    def result(file, **more):
        found = verify(model, np.asarray(file, float), **more)
        check.true(
            isinstance(found, tuple) and len(found) == 3,
            "Return three things: well, largest, changed.",
        )
        return bool(found[0]), float(found[1]), found[2]

    with check.part("a file as it should be, and one that is off", points=1):
        ok, largest, changed = result(model + 0.01)
        check.close(
            largest, 0.005,
            "Every logit is off by 0.01, and the model's logits have a standard deviation of 2. "
            "Differences without a unit mean nothing: divide.",
        )  # fmt: skip
        check.true(
            ok and changed == 0,
            "Half a percent of a standard deviation is within the tolerance of 0.05.",
        )
        ok, largest, changed = result(model - [[0, 0], [0, 0.5], [0, 0]])
        check.close(
            largest, 0.25, "One logit is 0.5 too small: the largest difference, whichever its sign."
        )
        check.true(
            not ok, "One wrong logit among six makes a wrong file: a mean over all would hide it."
        )
        check.true(
            result(model + 0.09)[0],
            "0.045 standard deviations: within the tolerance of 0.05 that nobody has changed.",
        )
        check.true(
            not result(model + 0.11)[0], "0.055 standard deviations: beyond the tolerance of 0.05."
        )
        check.true(result(model + 0.5, tolerance=0.25)[0], "At the tolerance is within it.")
        check.true(
            not result(model + 0.5, tolerance=0.24)[0],
            "A quarter is more than the 0.24 that is allowed.",
        )
    with check.part("faults that accuracy does not show", points=1):
        ok, _, changed = result(model * 1.5)
        check.equal(changed, 0, "Logits times 1.5: every answer is the same.")
        check.true(
            not ok,
            "Logits times 1.5: all answers agree, and it is another network. Compare logits.",
        )
        ok, largest, changed = result(model[::-1] * [[1], [-1], [1]])
        check.true(changed == 1 and not ok, "One of three images gets another answer.")
        for value in (np.nan, np.inf):
            file = model.copy()
            file[1, 1] = value
            ok, largest, _ = result(file)
            check.true(
                not ok and largest == np.inf,
                f"A logit of the file is {value}: not well, and the largest difference is inf. NaN is neither above a "
                "tolerance nor below it: which way round is your comparison?",
            )  # fmt: skip
            found = verify(file, model.copy())
            check.true(
                not found[0] and found[1] == np.inf,
                f"A logit of the model is {value}: no file is as good as that, and the largest difference is "
                "inf. What is a standard deviation of such logits?",
            )  # fmt: skip
    with check.part("what cannot be compared", points=1):
        check.raises(
            ValueError, lambda: verify(model, model[:1]),
            "One row against three: NumPy stretches it over all of them.",
        )  # fmt: skip
        check.raises(
            ValueError, lambda: verify(np.empty((0, 4)), np.empty((0, 4))),
            "No images: all of none are well, and nothing has been tested.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(125)
        a = rng.normal(3, 2, (50, 4))
        b = a + rng.normal(0, 0.3, a.shape)
        ok, largest, changed = verify(a, b, 10.0)
        check.close(largest, np.abs(a - b).max() / a.std(), "Random logits with a mean of 3.")
        check.equal(
            changed, np.sum(np.argmax(a, 1) != np.argmax(b, 1)), "Random logits: answers changed."
        )
        check.true(ok is True or ok == 1, "Everything is within ten standard deviations.")
        check.raises(ValueError, lambda: verify(a, b[:, :1]), "A column of logits against four.")
        check.raises(
            ValueError, lambda: verify(a, b.reshape(100, 2)), "As many logits, of twice the images."
        )
        ### END HIDDEN TESTS


# %% variant={"of": "12_5_verify", "wrong": "compares answers only", "says": "Compare logits"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError
    changed = int((model.argmax(1) != file.argmax(1)).sum())
    largest = float(np.abs(model - file).max() / model.std())
    if np.isnan(largest):
        largest = np.inf
    return changed == 0, largest, changed


# %% variant={"of": "12_5_verify", "wrong": "NaN slips through", "says": "NaN is neither"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError
    largest = float(np.abs(model - file).max() / model.std())
    return not largest > tolerance, largest, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "absolute differences", "says": "divide"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError
    largest = float(np.abs(model - file).max())
    largest = largest if np.isfinite(largest) else np.inf
    return largest <= tolerance, largest, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "the mean difference", "says": "would hide it"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError
    off = np.abs(model - file) / model.std()
    largest = float(off.max()) if np.isfinite(off).all() else np.inf
    return (
        bool(off.mean() <= tolerance),
        largest,
        int((model.argmax(1) != file.argmax(1)).sum()),
    )


# %% variant={"of": "12_5_verify", "wrong": "broadcasts", "says": "stretches"}
def verify(model, file, tolerance=0.05):
    if not model.size:
        raise ValueError
    largest = float(np.abs(model - file).max() / model.std())
    largest = largest if np.isfinite(largest) else np.inf
    return largest <= tolerance, largest, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "nothing tested, all well", "says": "nothing has been tested"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape:
        raise ValueError
    if not len(model):
        return True, 0.0, 0
    largest = float(np.abs(model - file).max() / model.std())
    largest = largest if np.isfinite(largest) else np.inf
    return largest <= tolerance, largest, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "only what is too large counts", "says": "whichever its sign"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError
    largest = float((file - model).max() / model.std())
    largest = largest if np.isfinite(largest) else np.inf
    return largest <= tolerance, largest, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "right": "asks for finite numbers first"}
def verify(model, file, tolerance=0.05):
    model, file = np.asarray(model), np.asarray(file)
    if model.shape != file.shape:
        raise ValueError("different shapes")
    if len(model) == 0:
        raise ValueError("no images")
    changed = np.count_nonzero(np.argmax(model, axis=1) - np.argmax(file, axis=1))
    if not (np.isfinite(model).all() and np.isfinite(file).all()):
        return False, np.inf, changed
    largest = np.max(np.abs(file - model)) / np.std(model)
    return bool(largest <= tolerance), float(largest), changed


# %% variant={"of": "12_5_verify", "right": "allclose with an absolute tolerance"}
def verify(model, file, tolerance=0.05):
    if np.shape(model) != np.shape(file) or np.size(model) < 1:
        raise ValueError("nothing to compare")
    unit = np.std(model)
    worst = np.nan_to_num(np.abs(model - file) / unit, nan=np.inf, posinf=np.inf).max()
    same = np.allclose(file / unit, model / unit, rtol=0, atol=tolerance)
    return same, float(worst), sum(int(a.argmax() != b.argmax()) for a, b in zip(model, file))


# %% [markdown] hints={"of": "12_5_verify"}
# 1. What is `nan > 0.05`? And `nan <= 0.05`? Which of the two questions should say "well"?
# 2. Refuse before you compute: shapes first, then whether there is anything.
# 3. One number for the differences: the largest size, divided by `model.std()`.

# %% [markdown]
# Put it to the test with four files. The first is yours. The second has the slip told above. The third is the file of another of your students, mixed up in a folder. In the fourth, the classes come in reverse order.


# %%
class Slip(Quantizer):
    def quantize(self, weights):
        trits, alpha = basics.absmean(weights)
        return tt.quant.Quantized(trits, np.float32(alpha), np.float32(alpha / 2))


def answers_of(model):
    """Logits of a network's own packed file for the test images."""
    file = tt.deploy.pack(model, preprocessing=preprocessing, task=data.task).save(
        "other.safetensors"
    )
    logits = tt.deploy.load(file, threads=1)(data.test.images)
    file.unlink()
    return logits


slipped = new_student()
slipped.load_state_dict(student.state_dict())
for name, module in slipped.named_modules():
    if name in chosen:
        module.quantizer = Slip()
files = {
    "yours": file_logits,
    "half a scale": answers_of(slipped),
    "another seed": answers_of(students[1]),
    "classes reversed": file_logits[:, ::-1],
}
verified = {title: my.verify(student_logits, found) for title, found in files.items()}
for title, (ok, largest, changed) in verified.items():
    print(f"{title:<17} {100 * right(files[title]).mean():5.1f} % right, {changed:>3} answers changed, "
          f"largest {largest:8.5f}: {'as the network' if ok else 'NOT this network'}")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 4, figsize=(11, 3), sharey=True)
for axis, (title, found) in zip(axes, files.items()):
    color = style.TERNARY if verified[title][0] else style.ACCENT
    axis.plot(student_logits.ravel(), found.ravel(), ".", markersize=2, color=color)
    axis.set_title(f"{title}\n{100 * right(found).mean():.1f} % right", fontsize=10)
    axis.set_xlabel("logit of the network")
axes[0].set_ylabel("logit of the file")
plt.show()

# %% [markdown]
# Look at the third. It is about as accurate as yours, and no accuracy will ever tell you that you have shipped the wrong file. Logits do at once.
#
# **From the museum.** The most common verifier in the wild compares accuracies, on a few images, and says *pass* also where there were none. It never failed anybody. That is what is wrong with it.
#
# One more witness. Your BitLinear of lesson 06 computes one layer of the student by itself, in integers:

# %%
first = next((name for name in names if name in chosen), None)
if first is not None:
    layer = dict(student.named_modules())[first]
    tokens = np.random.default_rng(5).normal(size=(49, shapes[first][1])).astype(np.float32)
    with tt.no_grad():
        theirs = layer(tt.Tensor(tokens)).data
    ours = layers.bitlinear(tokens, layer.weight.data, layer.norm.weight.data, layer.bias.data)
    ok, largest, _ = my.verify(theirs, ours, 1e-3)
    print(
        f"{first}: your BitLinear and the student's differ by {largest:.1e} at most: {'the same' if ok else 'NOT the same'}"
    )

# %% [markdown]
# ## 6 · What you may say
#
# Now the test images, once. Your `bootstrap_interval` of lesson 03 gives the accuracy's interval. It has to be about $\pm 1.96 \sqrt{p(1-p)/n}$ wide, whatever the network: the coin-tossing of $n$ images sets it.

# %%
student_right = right(file_logits)
accuracy = {"teacher": 100 * teacher_right.mean(), "student": 100 * student_right.mean()}
intervals = {who: tuple(100 * end for end in training.bootstrap_interval(found))
             for who, found in (("teacher", teacher_right), ("student", student_right))}  # fmt: skip
for who, (low, high) in intervals.items():
    print(
        f"{who}: {accuracy[who]:.1f} % of {len(data.test)} images, 95 % interval {low:.1f} to {high:.1f}"
    )

# %% [markdown]
# The two intervals overlap widely, and that says nothing. Most images are right with both networks or wrong with both, and all the luck in *which* images were drawn is shared. What differs is decided by the few images on which just one of the two is right. So take the difference image by image: $+1$, $0$ or $-1$.

# %% [markdown]
# ### Exercise 12.6: who is better, and how many images would tell (3 points)
#
# Write `compare(student, teacher, half_width=1.0)`. Both are boolean arrays: which images each of them names right. (NumPy refuses to subtract booleans: make numbers of them first.) Return four numbers:
#
# - the mean difference, student minus teacher, in points (percent of the images);
# - the low and the high end of its 95 % interval: 1.96 standard errors to each side, from the differences' own standard deviation (`ddof=1`);
# - the number of test images, a whole number, rounded up, at which the interval would reach `half_width` points to each side, if the two go on to differ as often as here.


# %% nbgrader={"grade": false, "grade_id": "12_6_compare", "locked": false, "schema_version": 3, "solution": true, "task": false}
def compare(student, teacher, half_width=1.0):
    """Difference in points, its 95 % interval, and images for a half width in points."""
    ### BEGIN SOLUTION
    differences = 100.0 * (np.asarray(student, float) - np.asarray(teacher, float))
    gap, count = differences.mean(), len(differences)
    half = 1.96 * differences.std(ddof=1) / math.sqrt(count)
    return gap, gap - half, gap + half, math.ceil(count * (half / half_width) ** 2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "12_6_compare_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("12.6")
def _(compare):
    # 100 images: 80 right with both, 8 only with the student, 5 only with the teacher
    teacher = np.repeat([True, False, True, False], [80, 8, 5, 7])
    student = np.repeat([True, True, False, False], [80, 8, 5, 7])
    gap, low, high, images = compare(student, teacher)
    with check.part("the difference and its interval", points=2):
        check.close(
            gap, 3.0,
            "8 images only the student has right, 5 only the teacher: 3 points of 100 images. (`True - "
            "False` is refused by NumPy: make numbers of them first.)",
        )  # fmt: skip
        d = np.repeat([0.0, 1.0, -1.0], [87, 8, 5])
        half = 196 * d.std(ddof=1) / 10
        check.close(
            [low, high], [3 - half, 3 + half],
            "The interval comes from the 100 differences, most of them 0. Two separate intervals, added "
            "up, are much wider; ends are in points, like the difference.", rtol=1e-4,
        )  # fmt: skip
        gap, low, high, _ = compare(teacher, student)
        check.close(gap, -3.0, "The other way round: student minus teacher.")
        check.true(low < gap < high, "The low end comes first, also for a negative difference.")
    with check.part("how many images", points=1):
        check.equal(
            images, math.ceil(100 * half**2),
            "The half width shrinks with the root of the number of images: for a third of it, nine times "
            "as many. Round up.",
        )  # fmt: skip
        check.equal(
            compare(student, teacher, 2.5)[3], math.ceil(100 * (half / 2.5) ** 2),
            "Two and a half points to each side need fewer images than one.",
        )  # fmt: skip
        check.equal(
            compare(student, teacher, 20.0)[3], math.ceil(100 * (half / 20) ** 2),
            "Twenty points to each side need fewer images than there are: say how few.",
        )  # fmt: skip
        check.true(isinstance(images, int | np.integer), "A number of images is whole: an int.")
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(126)
        a, b = rng.random(333) < 0.9, rng.random(333) < 0.8
        d = 100 * (a * 1.0 - b)
        error = np.sqrt(np.sum((d - d.mean()) ** 2) / 332 / 333)
        got = compare(a, b, 0.5)
        check.close(
            got[:3], [d.mean(), d.mean() - 1.96 * error, d.mean() + 1.96 * error],
            "333 random images.", rtol=1e-6,
        )  # fmt: skip
        check.equal(
            got[3], math.ceil(333 * (1.96 * error / 0.5) ** 2), "333 random images, half a point."
        )
        same = np.ones(20, bool)
        check.close(compare(same, same)[:3], [0, 0, 0], "Two networks that never differ.")
        ### END HIDDEN TESTS


# %% variant={"of": "12_6_compare", "wrong": "two separate intervals", "says": "much wider"}
def compare(student, teacher, half_width=1.0):
    n, p, q = len(student), student.mean(), teacher.mean()
    gap, half = 100 * (p - q), 196 * np.sqrt((p * (1 - p) + q * (1 - q)) / n)
    return gap, gap - half, gap + half, math.ceil(n * (half / half_width) ** 2)


# %% variant={"of": "12_6_compare", "wrong": "the standard deviation, not the standard error", "says": "The interval"}
def compare(student, teacher, half_width=1.0):
    d = 100.0 * (student * 1.0 - teacher)
    half = 1.96 * d.std(ddof=1)
    return d.mean(), d.mean() - half, d.mean() + half, math.ceil((half / half_width) ** 2)


# %% variant={"of": "12_6_compare", "wrong": "teacher minus student", "says": "points of 100"}
def compare(student, teacher, half_width=1.0):
    d = 100.0 * (teacher * 1.0 - student)
    half = 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half, math.ceil(len(d) * (half / half_width) ** 2)


# %% variant={"of": "12_6_compare", "wrong": "shares in place of points", "says": "3 points"}
def compare(student, teacher, half_width=1.0):
    d = student * 1.0 - teacher
    half = 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    return (
        d.mean(),
        d.mean() - half,
        d.mean() + half,
        math.ceil(len(d) * (100 * half / half_width) ** 2),
    )


# %% variant={"of": "12_6_compare", "wrong": "half the width, so twice the images", "says": "root of the number"}
def compare(student, teacher, half_width=1.0):
    d = 100.0 * (student * 1.0 - teacher)
    half = 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half, math.ceil(len(d) * half / half_width)


# %% variant={"of": "12_6_compare", "wrong": "only images on which they differ", "says": "100 images"}
def compare(student, teacher, half_width=1.0):
    d = 100.0 * (student * 1.0 - teacher)
    d = d[d != 0] if (d != 0).any() else d
    half = 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean(), d.mean() - half, d.mean() + half, math.ceil(len(d) * (half / half_width) ** 2)


# %% variant={"of": "12_6_compare", "right": "from the two counts"}
def compare(student, teacher, half_width=1.0):
    n = len(student)
    ups, downs = np.sum(student & ~teacher), np.sum(teacher & ~student)
    mean = (ups - downs) / n
    variance = ((ups + downs) - n * mean**2) / (n - 1)
    reach = 1.96 * 100 * np.sqrt(variance / n)
    needed = 1.96**2 * 100**2 * variance / half_width**2
    return 100 * mean, 100 * mean - reach, 100 * mean + reach, int(np.ceil(needed))


# %% variant={"of": "12_6_compare", "right": "integers, then percent"}
def compare(student, teacher, half_width=1.0):
    d = np.array(student, int) - np.array(teacher, int)
    error = np.std(d, ddof=1) / len(d) ** 0.5
    low, high = d.mean() - 1.96 * error, d.mean() + 1.96 * error
    images = math.ceil(len(d) * (100 * 1.96 * error / half_width) ** 2)
    return 100 * d.mean(), 100 * low, 100 * high, images


# %% [markdown] hints={"of": "12_6_compare"}
# 1. Make an array of +100, 0 and -100, one for each image. Its mean is the difference in points.
# 2. The standard error of a mean is the standard deviation divided by the root of the count.
# 3. If n images give a half width h, how many give h / 2? Solve the same for any half width.

# %%
gap, low, high, needed = my.compare(student_right, teacher_right)
alone = 196 * np.sqrt(
    sum(r.mean() * (1 - r.mean()) for r in (student_right, teacher_right)) / len(data.test)
)
print(
    f"student - teacher: {gap:+.1f} points, 95 % interval {low:+.1f} to {high:+.1f} (unpaired it would be ±{alone:.1f})"
)
print(f"for ±1 point: {needed:,} images; there are {len(data.test)}")

# %% [markdown]
# An interval is a statement about test sets that were not drawn. For once, we can draw them. (Phantoms come without end. For a real set, the next cell resamples the images that there are.)
#
# **Predict, then run.** Twenty-five fresh test sets, of as many images as yours. On how many of them is your student strictly ahead of its teacher?

# %%
my_guess = None  # of 25 fresh test sets

ahead, worlds = 0, []
for world in range(25):
    if DATA == "phantoms":
        fresh = tt.data.phantoms("test", seed=1200 + world, count=len(data.test), classes=4)
        truth = np.asarray(fresh.labels)
        found = [engine(fresh.images).argmax(axis=1) == truth,
                 logits_of(teacher, fresh.images).argmax(axis=1) == truth]  # fmt: skip
    else:
        rows = np.random.default_rng(world).integers(0, len(data.test), len(data.test))
        found = [student_right[rows], teacher_right[rows]]
    worlds.append(found)
    ahead += int(found[0].sum() > found[1].sum())
worlds = np.array(worlds)  # (25, 2, images)
over_all = my.compare(worlds[:, 0].ravel(), worlds[:, 1].ravel())
check.predicted(my_guess, float(ahead), within=3,
                comment=f"Over all {worlds[:, 0].size:,} images: {over_all[0]:+.2f} points, "
                        f"{over_all[1]:+.2f} to {over_all[2]:+.2f}. Whoever reports one test set reports one of these.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9, 3.4))
gaps = [my.compare(*world)[:3] for world in worlds]
for place, (middle, a, b) in enumerate(sorted(gaps)):
    color = style.TERNARY if middle > 0 else style.ACCENT if middle < 0 else style.MUTED
    axis.plot([place, place], [a, b], color=color, linewidth=1.4, alpha=0.7)
    axis.plot(place, middle, "o", color=color, markersize=4)
axis.axhline(0, color=style.MUTED, linewidth=1)
axis.axhspan(over_all[1], over_all[2], color=style.FLOAT, alpha=0.15)
axis.plot([-1, 24.8], [gap, gap], color=style.TERNARY, linewidth=1.2, linestyle="--")
axis.text(
    25.2,
    gap,
    "the one that\nyou have",
    fontsize=8.5,
    color=style.TERNARY,
    va="center" if abs(gap - over_all[0]) > 1 else "bottom",
)
axis.text(25.2, over_all[0], "all of them\ntogether", fontsize=8.5, color=style.FLOAT, va="center")
covered = sum(a <= over_all[0] <= b for _, a, b in gaps)
axis.set(xticks=[], xlim=(-1, 28.5), xlabel="25 test sets, sorted", ylabel="student - teacher, points",
         title=f"The same two networks: ahead on {ahead}, not ahead on {25 - ahead}; {covered} of 25 intervals hold")  # fmt: skip
plt.show()

# %% [markdown]
# The same two networks, no training in between, and a paper could be written about either colour. "The student beats its teacher" is a headline that one test set in a few gives away for free. Look where your own test set lies, which you would have reported.
#
# ### Exercise 12.7: supported, refuted, open (3 points)
#
# A claim is a pair: `("above", v)` says that the true difference is greater than $v$; `("below", v)` that it is less; `("within", v)` that its size is at most $v$, so that student and teacher are *as good as each other* to within $v$ points. An interval, both ends included, is what you know.
#
# Write `verdict(claim, low, high)`. It says `"supported"` if **every** number of the interval agrees with the claim, `"refuted"` if **none** does, and `"open"` otherwise. An unknown kind of claim, or an interval turned round, raises `ValueError`.


# %% nbgrader={"grade": false, "grade_id": "12_7_verdict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def verdict(claim, low, high):
    """What an interval says of a claim: "supported", "refuted" or "open"."""
    ### BEGIN SOLUTION
    kind, value = claim
    if low > high:
        raise ValueError("an interval has its low end first")
    if kind == "above":
        every, none = low > value, high <= value
    elif kind == "below":
        every, none = high < value, low >= value
    elif kind == "within":
        every, none = -value <= low and high <= value, low > value or high < -value
    else:
        raise ValueError(f"no such claim: {kind!r}")
    return "supported" if every else "refuted" if none else "open"
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "12_7_verdict_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("12.7")
def _(verdict):
    def says(claim, low, high, want, hint):
        got = verdict(claim, low, high)
        check.true(
            got == want,
            f"`verdict({claim}, {low}, {high})`: expected {want!r}, got {got!r}. {hint}",
        )

    with check.part("above and below", points=1):
        says(("above", 0.0), 0.5, 2.0, "supported", "Every number from 0.5 to 2 is above 0.")
        says(("above", 0.0), -2.0, -0.5, "refuted", "No number from -2 to -0.5 is above 0.")
        says(
            ("above", 0.0),
            -1.0,
            3.0,
            "open",
            "Some of it is above 0 and some is not, wherever its middle lies.",
        )
        says(
            ("above", -3.0),
            -2.5,
            -0.5,
            "supported",
            "Worse than the teacher, and yet above -3: both can be true.",
        )
        says(("below", 0.0), -2.5, -0.5, "supported", "Every number from -2.5 to -0.5 is below 0.")
        says(("below", 1.0), 2.0, 3.0, "refuted", "No number from 2 to 3 is below 1.")
        says(("below", 1.0), 0.0, 3.0, "open", "0 is below 1, and 3 is not.")
    with check.part("as good as each other", points=1):
        says(
            ("within", 1.0), -3.0, 3.0, "open",
            "The interval holds 0, and 2 as well. That no difference was found does not say that there is none.",
        )  # fmt: skip
        says(("within", 1.0), -0.8, 0.4, "supported", "Every number from -0.8 to 0.4 is within 1.")
        says(
            ("within", 1.0),
            0.2,
            0.9,
            "supported",
            "It does not hold 0, so there is a difference; it is within 1 all the same.",
        )
        says(("within", 1.0), 1.2, 3.0, "refuted", "No number from 1.2 to 3 is within 1.")
        says(("within", 1.0), -3.0, -1.5, "refuted", "No number from -3 to -1.5 is within 1 of 0.")
        says(("within", 1.0), 0.5, 1.5, "open", "0.5 is within 1, and 1.5 is not.")
    with check.part("the ends, and what is refused", points=1):
        says(
            ("above", 0.0),
            0.0,
            2.0,
            "open",
            "0 itself belongs to the interval, and is not above 0.",
        )
        says(
            ("above", 0.0),
            -2.0,
            0.0,
            "refuted",
            "The highest number that is possible, 0, is not above 0.",
        )
        says(("below", 0.0), -2.0, 0.0, "open", "0 itself is not below 0.")
        says(
            ("below", 0.0),
            0.0,
            2.0,
            "refuted",
            "The lowest number that is possible, 0, is not below 0.",
        )
        says(("within", 1.0), -1.0, 1.0, "supported", "At most 1 includes 1 and -1.")
        says(("within", 1.0), 1.0, 2.0, "open", "1 itself is within 1.")
        says(("within", 1.0), -2.0, -1.0, "open", "-1 itself is within 1.")
        says(("above", 0.0), 1.0, 1.0, "supported", "An interval of one number is allowed.")
        check.raises(
            ValueError, lambda: verdict(("above", 0.0), 2.0, 1.0), "From 2 to 1: turned round."
        )
        check.raises(
            ValueError, lambda: verdict(("better", 0.0), 1.0, 2.0), "There is no claim 'better'."
        )
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(127)
        tests = {
            "above": lambda x, v: x > v,
            "below": lambda x, v: x < v,
            "within": lambda x, v: abs(x) <= v,
        }
        for _ in range(120):
            kind = str(rng.choice(list(tests)))
            value = float(rng.integers(0, 3))
            low, high = sorted(map(float, rng.integers(-4, 5, 2)))
            agree = [tests[kind](x, value) for x in np.arange(low, high + 0.25, 0.25)]
            want = "supported" if all(agree) else "open" if any(agree) else "refuted"
            says(
                (kind, value),
                low,
                high,
                want,
                "Go through the numbers of the interval in your mind.",
            )
        ### END HIDDEN TESTS


# %% variant={"of": "12_7_verdict", "wrong": "the middle decides", "says": "wherever its middle lies"}
def verdict(claim, low, high):
    kind, value = claim
    if low > high or kind not in ("above", "below", "within"):
        raise ValueError
    middle = (low + high) / 2
    holds = {"above": middle > value, "below": middle < value, "within": abs(middle) <= value}[kind]
    return "supported" if holds else "refuted"


# %% variant={"of": "12_7_verdict", "wrong": "no difference found, so they are equal", "says": "does not say that there is none"}
def verdict(claim, low, high):
    kind, value = claim
    if low > high or kind not in ("above", "below", "within"):
        raise ValueError
    if kind == "above":
        return "supported" if low > value else "refuted" if high <= value else "open"
    if kind == "below":
        return "supported" if high < value else "refuted" if low >= value else "open"
    return "supported" if low <= 0 <= high else "refuted"


# %% variant={"of": "12_7_verdict", "wrong": "ends of the interval left out", "says": "belongs to the interval"}
def verdict(claim, low, high):
    kind, value = claim
    if low > high or kind not in ("above", "below", "within"):
        raise ValueError
    if kind == "above":
        return "supported" if low >= value else "refuted" if high <= value else "open"
    if kind == "below":
        return "supported" if high <= value else "refuted" if low >= value else "open"
    return (
        "supported"
        if -value <= low and high <= value
        else "refuted"
        if low > value or high < -value
        else "open"
    )


# %% variant={"of": "12_7_verdict", "wrong": "within looks at one side", "says": "within 1"}
def verdict(claim, low, high):
    kind, value = claim
    if low > high or kind not in ("above", "below", "within"):
        raise ValueError
    if kind == "above":
        return "supported" if low > value else "refuted" if high <= value else "open"
    if kind == "below":
        return "supported" if high < value else "refuted" if low >= value else "open"
    return "supported" if high <= value else "refuted" if low > value else "open"


# %% variant={"of": "12_7_verdict", "wrong": "what is not supported is refuted", "says": "expected 'open'"}
def verdict(claim, low, high):
    kind, value = claim
    if low > high or kind not in ("above", "below", "within"):
        raise ValueError
    holds = {"above": low > value, "below": high < value, "within": -value <= low and high <= value}
    return "supported" if holds[kind] else "refuted"


# %% variant={"of": "12_7_verdict", "wrong": "an unknown claim is open", "says": "no claim 'better'"}
def verdict(claim, low, high):
    kind, value = claim
    if low > high:
        raise ValueError
    if kind == "above":
        return "supported" if low > value else "refuted" if high <= value else "open"
    if kind == "below":
        return "supported" if high < value else "refuted" if low >= value else "open"
    if kind == "within":
        return (
            "supported"
            if -value <= low and high <= value
            else "refuted"
            if low > value or high < -value
            else "open"
        )
    return "open"


# %% variant={"of": "12_7_verdict", "right": "below is above, mirrored; within is both"}
def verdict(claim, low, high):
    kind, v = claim
    if not low <= high:
        raise ValueError("turned round")
    if kind == "below":
        return verdict(("above", -v), -high, -low)
    if kind == "above":
        return ("open", "supported", "refuted")[1 if low > v else 2 if high <= v else 0]
    if kind != "within":
        raise ValueError(kind)
    if max(abs(low), abs(high)) <= v:
        return "supported"
    nearest = min(max(low, 0.0), high)
    return "open" if abs(nearest) <= v else "refuted"


# %% variant={"of": "12_7_verdict", "right": "by the numbers nearest and farthest from the claim"}
def verdict(claim, low, high):
    kind, value = claim
    if high < low:
        raise ValueError("low above high")
    agrees = {
        "above": [low > value, high > value],
        "below": [low < value, high < value],
        "within": [-value <= low <= high <= value, not (low > value or high < -value)],
    }
    if kind not in agrees:
        raise ValueError("unknown claim")
    return "supported" if all(agrees[kind]) else "open" if any(agrees[kind]) else "refuted"


# %% [markdown] hints={"of": "12_7_verdict"}
# 1. For "above": which end of the interval is the hardest to please? And which is the last that could?
# 2. "within" has two sides. It is supported if both ends are within; it is refuted if the whole interval lies beyond one of the sides.
# 3. "open" is what remains. You never have to test for it.

# %%
claims = {
    "your claim": CLAIM,
    "the student beats its teacher": ("above", 0.0),
    "the teacher beats its student": ("below", 0.0),
    "they are as good to within 1 point": ("within", 1.0),
}
known = {
    f"your {len(data.test)} images": (gap, low, high),
    f"all {worlds[:, 0].size:,}": over_all[:3],
}
verdicts = {(c, k): my.verdict(claim, ends[1], ends[2])
            for c, claim in claims.items() for k, ends in known.items()}  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (top, table) = plt.subplots(2, 1, figsize=(9, 3.9), height_ratios=(1, 1.5))
for place, (middle, a, b) in enumerate(known.values()):
    top.plot(
        [a, b], [place, place], color=style.TERNARY, linewidth=5, alpha=0.5, solid_capstyle="butt"
    )
    top.plot(middle, place, "o", color=style.TERNARY)
for value in (0.0, -1.0, 1.0, CLAIM[1]):
    top.axvline(value, color=style.MUTED, linewidth=0.8, linestyle=":")
reach = max(3.6, abs(low), abs(high), abs(CLAIM[1])) + 0.4
top.set(yticks=range(len(known)), yticklabels=list(known), ylim=(-0.6, 1.6), xlim=(-reach, reach),
        xlabel="student - teacher, points", title="Two intervals, four claims")  # fmt: skip
colors = {"supported": style.TERNARY, "refuted": style.ACCENT, "open": style.MUTED}
for row, claim in enumerate(claims):
    table.text(0.0, row, claim, fontsize=9.5, va="center")
    for column, title in enumerate(known):
        said = verdicts[claim, title]
        table.text(
            0.5 + 0.28 * column,
            row,
            said,
            fontsize=9.5,
            va="center",
            color=colors[said],
            fontweight="bold",
        )
for column, title in enumerate(known):
    table.text(0.5 + 0.28 * column, -1, title, fontsize=9, va="center", color=style.MUTED)
table.set(xlim=(0, 1), ylim=(3.6, -1.6))
table.set_axis_off()
plt.show()

# %% [markdown]
# Read the lower row of the figure twice. "Not significantly different" and "equal" are two claims, and the same images can leave both open. What turns *open* into *supported* is seldom a cleverer test. It is more images.
#
# ### Energy and time
#
# Energy is not measured here, it is **modelled**: the cost model of the library counts operations and bytes, multiplies them with published energies of a 45 nm process, and carries a range, because those are known to within a factor at best. Time *is* measured, of this machine, one image after another, warmed up, both networks in turns.

# %%
costs = {"teacher": tt.cost.analyze(teacher), "student": tt.cost.analyze(student)}
energy = {who: cost.energy_uj for who, cost in costs.items()}
teacher_path = tt.deploy.pack(teacher, preprocessing=preprocessing, task=data.task).save(
    "teacher.safetensors"
)
engines = {"teacher": tt.deploy.load(teacher_path, threads=1), "student": engine}
took = {who: [] for who in engines}
for turn in range(320):
    image = data.test.images[turn % len(data.test)][None]
    for who, machine in engines.items():
        start = time.perf_counter()
        machine(image)
        took[who].append(1000 * (time.perf_counter() - start))
latency = {who: tuple(np.quantile(times[20:], (0.5, 0.95))) for who, times in took.items()}
ratios = {
    "bytes of the file": teacher_path.stat().st_size / path.stat().st_size,
    "energy, modelled": energy["teacher"].middle / energy["student"].middle,
    "time of an image": latency["teacher"][0] / latency["student"][0],
}
for who in engines:
    e, (p50, p95) = energy[who], latency[who]
    print(
        f"{who}: {e.middle:.0f} µJ ({e.low:.0f} to {e.high:.0f}), p50 {p50:.3f} ms, p95 {p95:.3f} ms"
    )

# %% jupyter={"source_hidden": true}
figure, (left, middle_, last) = plt.subplots(1, 3, figsize=(11, 3), width_ratios=(1, 1.2, 1))
for place, who in enumerate(energy):
    e, color = energy[who], style.FLOAT if who == "teacher" else style.TERNARY
    left.bar(place, e.middle, 0.5, color=color)
    left.plot([place, place], [e.low, e.high], color=style.INK, linewidth=1.2)
left.set(
    xticks=(0, 1), xticklabels=list(energy), ylabel="µJ an image", title="Modelled, with its range"
)
edges = np.linspace(0, 3 * latency["teacher"][0], 60)  # a busy machine has a long tail
for who in took:
    middle_.hist(
        took[who][20:],
        edges,
        alpha=0.7,
        color=style.FLOAT if who == "teacher" else style.TERNARY,
        label=who,
    )
middle_.set(yticks=[], xlabel="ms for one image", title="Measured, 300 times each")
middle_.legend(fontsize=9)
last.barh(list(ratios), list(ratios.values()), color=style.TERNARY, height=0.5)
for place, value in enumerate(ratios.values()):
    last.text(value + 0.1, place, f"{value:.1f}×", va="center", fontsize=9)
last.axvline(1, color=style.MUTED, linewidth=1)
last.set(xlim=(0, 1.25 * max(ratios.values())), title="One network, three ratios")
last.invert_yaxis()
plt.show()

# %% [markdown]
# Three ratios of one pair of networks, all of them true. A headline takes the largest. A report gives all three, and says what each of them is a ratio *of*.
#
# ## 7 · Somebody else's report
#
# Before you write yours, read this one. It is short, it has a figure, every line has numbers and some have intervals. Three of its six lines are wrong, and **the numbers on the page are enough to find out**: nothing has to be run, nothing looked up.
#
# ### Exhibit: *NanoScope, a ternary transformer for blood cells*

# %% tags=["setup", "exhibit"]
EXHIBIT = {
    "a": "Size. The float network has 33,024,000 bytes, the packed file 10,485,760 bytes. "
         "33.0 shrink to 10.0: our network is 3.30 times smaller.",
    "b": "Energy. By the cost model (45 nm, DRAM at 1300 to 2600 pJ per 64 bits) an image takes "
         "41 mJ (27 to 58) in float and 14 mJ (9 to 20) packed: 2.9 times less. Modelled, not measured.",
    "c": "Training. 12 epochs of 6000 images, 500 for validation, 500 for testing. We keep the best "
         "epoch, the 9th (see the figure), and report it: 87.4 % of the test images.",
    "d": "Latency. One image at a time, one thread, 500 calls after 20 to warm up: p50 16.9 ms, "
         "p95 21.3 ms, so that the median image is one of 59 a second.",
    "e": "Accuracy. 437 of the 500 test images are right, 87.4 %; the 95 % interval is 86.5 to 88.3.",
    "f": "Teacher. It has 441 of the same 500 right. 14 images only the teacher has right, 10 only the "
         "student: -0.8 points, paired 95 % interval -2.7 to +1.1. We do not say who is better.",
}  # fmt: skip
EXHIBIT_EPOCHS = {
    "validation": [71.0, 78.6, 82.0, 84.4, 85.6, 86.8, 87.6, 87.2, 87.0, 87.4, 87.0, 87.2],
    "test": [70.2, 77.0, 81.6, 83.2, 84.6, 85.2, 85.4, 86.2, 87.4, 86.0, 85.8, 86.2],
}

# %% jupyter={"source_hidden": true} tags=["exhibit"]
import textwrap

for letter, line in EXHIBIT.items():
    print(textwrap.fill(f"({letter}) {line}", 96, subsequent_indent="    "))
figure, axis = plt.subplots(figsize=(8.5, 3.2))
axis.axvline(9, color=style.ACCENT, linestyle="--", linewidth=1)
for name, color in (("validation", style.FLOAT), ("test", style.TERNARY)):
    values = EXHIBIT_EPOCHS[name]
    axis.plot(range(1, 13), values, "o-", color=color, markersize=3.5, label=name)
    for epoch, value in list(enumerate(values, 1))[3:]:
        above = (name == "validation") != (epoch == 9)
        axis.annotate(
            f"{value:.1f}", (epoch, value), textcoords="offset points", xytext=(0, 9 if above else -9),
            ha="center", va="center", fontsize=8, color=color,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
        )  # fmt: skip
axis.text(9.1, 82.6, "the epoch we keep", color=style.ACCENT, fontsize=8.5)
axis.set(
    xticks=range(1, 13), xlim=(3.5, 12.5), ylim=(82, 89), xlabel="epoch", ylabel="right, %",
    title="NanoScope learns: the last nine epochs",
)  # fmt: skip
axis.legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# ### Exercise 12.8: three faults (4 points)
#
# Write `audit()`, which returns a dictionary with **three** entries: the letter of a wrong line, and for it a pair: what kind of fault it is, one of `KINDS`, and the number that should stand there.
#
# | kind | the number that should stand there |
# |---|---|
# | MB mixed with MiB | the ratio |
# | energy from wall time | the energy in mJ |
# | chosen on the test set | the test accuracy that may be reported, in % |
# | no warm-up | the median in ms |
# | interval too narrow, interval too wide | half the interval's width, in points |
# | not paired | half the interval's width, in points |
# | leak between splits | the number of images that are left |
#
# So `{"d": ("no warm-up", 12.5)}` would accuse line d (it is innocent). One point for each fault, and one for accusing nobody else.


# %% nbgrader={"grade": false, "grade_id": "12_8_audit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def audit():
    """{letter: (kind, the number that should stand there)}, three of them."""
    ### BEGIN SOLUTION
    return {
        "a": ("MB mixed with MiB", 3.149),
        "c": ("chosen on the test set", 85.4),
        "e": ("interval too narrow", 2.91),
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "12_8_audit_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
@check.exercise("12.8")
def _(audit):
    found = audit()
    check.true(isinstance(found, dict), "Return a dictionary: a letter, and a pair for it.")
    for letter, pair in found.items():
        check.true(letter in tuple("abcdef"), f"{letter!r} is no line of the report: a to f.")
        check.true(
            isinstance(pair, tuple | list) and len(pair) == 2,
            f"Line {letter} needs a pair: the kind of fault, and a number.",
        )  # fmt: skip
        check.true(pair[0] in KINDS, f"{pair[0]!r} is none of KINDS. Copy one from the table.")
    check.true(
        len(found) == 3,
        f"Three lines are wrong; you name {len(found)}. Who accuses everybody has read nothing.",
    )
    ### BEGIN HIDDEN TESTS
    stated = {"a": ("MB mixed with MiB", 33_024_000 / 10_485_760, 0.03),
              "c": ("chosen on the test set", 85.4, 0.05),
              "e": ("interval too narrow", 196 * math.sqrt(0.874 * 0.126 / 500), 0.25)}  # fmt: skip
    traces = {"a": "One fault is about a quotient: divide the counts that are given.",
              "c": "One fault is in the figure: look for the peaks of both curves.",
              "e": "One fault is about how much any network's result must vary with so many images."}  # fmt: skip
    innocent = (
        "One of the lines that you name stands up to its own numbers: recompute each that it gives."
    )
    for place, letter in enumerate(stated):
        with check.part(f"fault {place + 1} of 3", points=1):
            kind, number, margin = stated[letter]
            check.true(letter in found, f"Not found yet. {traces[letter]}")
            got_kind, got = found[letter]
            check.true(
                got_kind == kind, f"Line {letter} is wrong, but its fault is not {got_kind!r}."
            )
            check.true(
                abs(float(got) - number) <= margin,
                f"Line {letter}, {kind!r}: that is the fault. The number that should stand there is not {got}; "
                "the table says which number is asked for.",
            )  # fmt: skip
    with check.part("nobody accused wrongly", points=1):
        check.true(set(found) == set(stated), innocent)
    ### END HIDDEN TESTS


# %% variant={"of": "12_8_audit", "wrong": "the paired interval is narrower than the other, so it looks wrong", "says": "stands up to its own numbers"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.15),
        "c": ("chosen on the test set", 85.4),
        "f": ("interval too narrow", 2.9),
    }


# %% variant={"of": "12_8_audit", "wrong": "the ratio with both in MiB, but of the wrong pair", "says": "should stand there is not"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.46),
        "c": ("chosen on the test set", 85.4),
        "e": ("interval too narrow", 2.9),
    }


# %% variant={"of": "12_8_audit", "wrong": "the validation accuracy in place of the test's", "says": "should stand there is not"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.15),
        "c": ("chosen on the test set", 87.6),
        "e": ("interval too narrow", 2.9),
    }


# %% variant={"of": "12_8_audit", "wrong": "the standard error, not half the interval", "says": "should stand there is not"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.15),
        "c": ("chosen on the test set", 85.4),
        "e": ("interval too narrow", 1.48),
    }


# %% variant={"of": "12_8_audit", "wrong": "accuses everybody", "says": "Three lines"}
def audit():
    return dict.fromkeys("abcdef", ("interval too narrow", 2.9))


# %% variant={"of": "12_8_audit", "wrong": "the right line, another fault", "says": "its fault is not"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.15),
        "c": ("leak between splits", 500),
        "e": ("interval too narrow", 2.9),
    }


# %% variant={"of": "12_8_audit", "right": "computed"}
def audit():
    best = int(np.argmax([71.0, 78.6, 82.0, 84.4, 85.6, 86.8, 87.6, 87.2, 87.0, 87.4, 87.0, 87.2]))
    honest = [70.2, 77.0, 81.6, 83.2, 84.6, 85.2, 85.4, 86.2, 87.4, 86.0, 85.8, 86.2][best]
    p = honest / 100
    return {
        "e": ("interval too narrow", 1.96 * 100 * np.sqrt(p * (1 - p) / 500)),
        "a": ("MB mixed with MiB", 33.024 / 10.48576),
        "c": ("chosen on the test set", honest),
    }


# %% variant={"of": "12_8_audit", "right": "rounded, in lists"}
def audit():
    found = dict.fromkeys("ace")
    found["a"] = ["MB mixed with MiB", 3.15]
    found["c"] = ["chosen on the test set", 85.4]
    found["e"] = ["interval too narrow", 3]
    return found


# %% [markdown] hints={"of": "12_8_audit"}
# 1. Take a pencil: for each line, compute its last number from the others.
# 2. What is the least that an accuracy from 500 images can be uncertain by, whoever measures it? And why may a difference on the *same* images be less uncertain?
# 3. On which of the two curves does the dashed line mark the peak?

# %% [markdown]
# A minute per line is enough, if you know what to ask. Sizes: divide the counts, not the names of the units. Intervals: $1.96\sqrt{p(1-p)/n}$ in your head ($\sqrt{1/n}$ is its upper limit, and near enough for a first look). Epochs: whose peak is it? Percentiles: do they come in order, and is the warm-up named? Differences: are they paired, and how many images lie behind them?
#
# ## 8 · Your report
#
# A form that accepts an empty field will be handed in with one. Yours shall refuse.
#
# ### Exercise 12.9: a report that refuses (4 points)
#
# Two functions. `report(parts)` takes a dictionary with what was measured. `REQUIRED`, in the set-up, says which keys there must be and what each is called. `accuracy`, `gap` and `energy` are triples `(low, value, high)`, `latency` is a pair `(p50, p95)`, the others are texts or numbers.
#
# - Whatever is **missing** (no such key, `None`, or a text of blanks), all of it, is named by its key in one `ValueError`.
# - A triple or a pair that is **out of order** raises a `ValueError` that names its key. So does one with a NaN in it. (Equal is in order.)
# - Otherwise return a text: for each key of `REQUIRED`, in that order, one line with the title that stands there, a colon, a blank, and the value as Python's `str` shows it; then an empty line, then `NOTE`.
#
# `limits()` returns what *your* report does not show, in twenty words or more. Nobody can write it for you.


# %% nbgrader={"grade": false, "grade_id": "12_9_report", "locked": false, "schema_version": 3, "solution": true, "task": false}
def report(parts):
    """The report as text; ValueError for what is missing or out of order."""
    ### BEGIN SOLUTION
    missing = [key for key in REQUIRED if parts.get(key) is None or not str(parts[key]).strip()]
    if missing:
        raise ValueError(f"missing: {', '.join(missing)}")
    for key in ("accuracy", "gap", "energy", "latency"):
        ends = parts[key]
        if not all(a <= b for a, b in zip(ends, ends[1:])):
            raise ValueError(f"{key} is out of order: {ends}")
    lines = [f"{title}: {parts[key]}" for key, title in REQUIRED.items()]
    return "\n".join([*lines, "", NOTE])
    ### END SOLUTION


def limits():
    """What the report does not show, in at least twenty words."""
    ### BEGIN SOLUTION
    return (
        "The images are drawn by the program that drew the training images: no other scanner, no other "
        "staining, no patient. The teacher is one network of one seed. Energy is a model's, "
        "and time is this machine's."
    )
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "12_9_report_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
@check.exercise("12.9")
def _(report, limits):
    parts = {
        "limits": "one hospital", "data": "cells", "images": 400, "seeds": 3, "accuracy": (90.0, 92.5, 95.0),
        "gap": (-1.5, 0.0, 1.5), "claim": "above -3", "verdict": "supported", "bytes": 57008,
        "energy": (24.0, 36.0, 53.0), "latency": (0.09, 0.12),
    }  # fmt: skip

    def refusal(changes, without=()):
        made = {key: value for key, value in (parts | changes).items() if key not in without}
        try:
            report(made)
        except ValueError as error:
            return str(error)
        except KeyError as error:
            check.fail(
                f"A missing part should raise a ValueError that names it; this was a KeyError of {error}."
            )
        return None

    def refused(changes, keys, hint, without=()):
        said = refusal(changes, without)
        check.true(
            said is not None,
            f"With {changes or 'nothing'} changed and without {list(without)}: not refused. {hint}",
        )
        silent = [key for key in keys if key not in said]
        check.true(
            not silent, f"The refusal says {said!r} and does not name {', '.join(silent)}. {hint}"
        )

    with check.part("says everything, in order", points=1):
        text = report(parts)
        check.true(isinstance(text, str), "Return a text.")
        want = [": ".join((REQUIRED[key], str(parts[key]))) for key in REQUIRED] + ["", NOTE]
        for number, (got, line) in enumerate(zip(text.split("\n") + [""] * 20, want), 1):
            check.true(got == line, f"Line {number} should be {line!r}, and is {got!r}.")
        check.equal(
            len(text.split("\n")), len(want), "One line for each part, an empty one, and NOTE."
        )
        check.true(report(parts | {"gap": (0, 0, 0)}), "Equal ends are in order, and 0 is a value.")
    with check.part("refuses what is missing", points=1):
        refused({}, ["energy"], "A key is missing.", without=["energy"])
        refused({"verdict": None}, ["verdict"], "None is missing.")
        refused({"limits": "  "}, ["limits"], "A text of blanks is missing.")
        refused(
            {"data": None, "claim": ""}, ["data", "seeds", "claim"],
            "All that is missing, at once: who fills in a form wants to know it the first time.", without=["seeds"],
        )  # fmt: skip
        said = refusal({"claim": None})
        check.true(
            not any(key in said for key in ("seeds", "accuracy", "verdict")),
            f"Only the claim was missing; the refusal says {said!r}.",
        )  # fmt: skip
        check.true(
            refusal({"images": 0}) is None,
            "0 is a value, not a missing part: see what is asked for.",
        )
    with check.part("refuses what is out of order", points=1):
        refused(
            {"accuracy": (90.0, 96.0, 95.0)}, ["accuracy"], "The value lies above the high end."
        )
        refused({"gap": (0.5, 0.0, 1.5)}, ["gap"], "The value lies below the low end.")
        refused({"energy": (24.0, 36.0, 30.0)}, ["energy"], "The value lies above the high end.")
        refused(
            {"latency": (0.2, 0.1)}, ["latency"], "Half of the calls are slower than 95 % of them?"
        )
        refused(
            {"accuracy": (90.0, float("nan"), 95.0)},
            ["accuracy"],
            "NaN is not in order with anything.",
        )
        ### BEGIN HIDDEN TESTS
        nan = float("nan")
        for key in ("accuracy", "gap", "energy"):
            for triple in ((nan, 1.0, 2.0), (1.0, 2.0, nan), (3.0, 2.0, 4.0), (1.0, 5.0, 4.0)):
                refused({key: triple}, [key], "A triple out of order.")
        refused({"latency": (nan, 1.0)}, ["latency"], "A NaN.")
        check.true(refusal({"latency": (0.1, 0.1)}) is None, "Two equal percentiles are in order.")
        for key in REQUIRED:
            refused({key: None}, [key], "None is missing.")
        ### END HIDDEN TESTS
    with check.part("your own words", points=1):
        words = limits()
        check.true(isinstance(words, str), "`limits()` should return a text.")
        check.true(len(set(words.lower().split())) >= 15 and len(words.split()) >= 20,
                   f"Twenty words or more, please; these are {len(words.split())}.")  # fmt: skip


# %% variant={"of": "12_9_report", "wrong": "stops at the first that is missing", "says": "the first time"}
def report(parts):
    for key in REQUIRED:
        if parts.get(key) is None or not str(parts[key]).strip():
            raise ValueError(f"missing: {key}")
    for key in ("accuracy", "gap", "energy", "latency"):
        ends = parts[key]
        if not all(a <= b for a, b in zip(ends, ends[1:])):
            raise ValueError(key)
    return "\n".join([*(f"{t}: {parts[k]}" for k, t in REQUIRED.items()), "", NOTE])


def limits():
    return " ".join(f"word{i}" for i in range(30))


# %% variant={"of": "12_9_report", "wrong": "whatever is falsy is missing", "says": "0 is a value"}
def report(parts):
    missing = [key for key in REQUIRED if not parts.get(key) or not str(parts[key]).strip()]
    if missing:
        raise ValueError(f"missing: {missing}")
    for key in ("accuracy", "gap", "energy", "latency"):
        ends = parts[key]
        if not all(a <= b for a, b in zip(ends, ends[1:])):
            raise ValueError(key)
    return "\n".join([*(f"{t}: {parts[k]}" for k, t in REQUIRED.items()), "", NOTE])


def limits():
    return " ".join(f"word{i}" for i in range(30))


# %% variant={"of": "12_9_report", "wrong": "NaN passes", "says": "NaN"}
def report(parts):
    missing = [key for key in REQUIRED if parts.get(key) is None or not str(parts[key]).strip()]
    if missing:
        raise ValueError(f"missing: {missing}")
    for key in ("accuracy", "gap", "energy", "latency"):
        ends = parts[key]
        if any(a > b for a, b in zip(ends, ends[1:])):
            raise ValueError(key)
    return "\n".join([*(f"{t}: {parts[k]}" for k, t in REQUIRED.items()), "", NOTE])


def limits():
    return " ".join(f"word{i}" for i in range(30))


# %% variant={"of": "12_9_report", "wrong": "in the order in which the parts came", "says": "Line 1 should be"}
def report(parts):
    missing = [key for key in REQUIRED if parts.get(key) is None or not str(parts[key]).strip()]
    if missing:
        raise ValueError(f"missing: {missing}")
    for key in ("accuracy", "gap", "energy", "latency"):
        ends = parts[key]
        if not all(a <= b for a, b in zip(ends, ends[1:])):
            raise ValueError(key)
    return "\n".join(
        [*(f"{REQUIRED[k]}: {v}" for k, v in parts.items() if k in REQUIRED), "", NOTE]
    )


def limits():
    return " ".join(f"word{i}" for i in range(30))


# %% variant={"of": "12_9_report", "wrong": "forgets the note", "says": "should be"}
def report(parts):
    missing = [key for key in REQUIRED if parts.get(key) is None or not str(parts[key]).strip()]
    if missing:
        raise ValueError(f"missing: {missing}")
    for key in ("accuracy", "gap", "energy", "latency"):
        ends = parts[key]
        if not all(a <= b for a, b in zip(ends, ends[1:])):
            raise ValueError(key)
    return "\n".join(f"{t}: {parts[k]}" for k, t in REQUIRED.items())


def limits():
    return " ".join(f"word{i}" for i in range(30))


# %% variant={"of": "12_9_report", "wrong": "nothing but an excuse for limits", "says": "Twenty words"}
def report(parts):
    missing = [key for key in REQUIRED if parts.get(key) is None or not str(parts[key]).strip()]
    if missing:
        raise ValueError(f"missing: {missing}")
    for key in ("accuracy", "gap", "energy", "latency"):
        ends = parts[key]
        if not all(a <= b for a, b in zip(ends, ends[1:])):
            raise ValueError(key)
    return "\n".join([*(f"{t}: {parts[k]}" for k, t in REQUIRED.items()), "", NOTE])


def limits():
    return "More research is needed."


# %% variant={"of": "12_9_report", "right": "sorted tells"}
def report(parts):
    def empty(value):
        return value is None or (isinstance(value, str) and value.strip() == "")

    lacking = [key for key in REQUIRED if empty(parts.get(key))]
    if lacking:
        raise ValueError("please add " + " and ".join(lacking))
    for key, value in parts.items():
        if isinstance(value, tuple) and (
            list(value) != sorted(value) or any(v != v for v in value)
        ):
            raise ValueError(f"{key}: {value} is not in order")
    text = ""
    for key in REQUIRED:
        text += f"{REQUIRED[key]}: {parts[key]}\n"
    return text + "\n" + NOTE


def limits():
    return (
        "one "
        + "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        * 2
    )


# %% variant={"of": "12_9_report", "right": "one by one"}
def report(parts):
    wrong = set(REQUIRED) - {k for k, v in parts.items() if v is not None and str(v).strip() != ""}
    if wrong:
        raise ValueError(str(sorted(wrong)))
    for key in ("accuracy", "gap", "energy"):
        low, value, high = parts[key]
        if not low <= value <= high:
            raise ValueError(f"{key}: {low}, {value}, {high}")
    p50, p95 = parts["latency"]
    if not p50 <= p95:
        raise ValueError("latency")
    return "\n".join([f"{REQUIRED[key]}: {parts[key]}" for key in REQUIRED]) + f"\n\n{NOTE}"


def limits():
    return """Four hundred images, three students of one teacher, nothing but drawings; what it means for a
    patient nobody knows, and energy has not been measured."""


# %% [markdown] hints={"of": "12_9_report"}
# 1. Collect what is missing in a list first, and raise once. `parts.get(key)` gives `None` where there is no such key.
# 2. `not a <= b` and `a > b` are not the same question. Which of them does NaN answer in your favour?
# 3. For your limits: which images has it never seen, how many seeds, what is modelled and not measured?

# %% [markdown]
# And here it is, of your network, made by your code. First the forecast. What you wrote down an hour ago meets what happened:

# %%
happened = {
    "teacher, % right": accuracy["teacher"],
    "student, % right": accuracy["student"],
    "file, bytes": path.stat().st_size,
    "energy, times less than the teacher's": ratios["energy, modelled"],
    "latency of one image, ms": latency["student"][0],
}


def price(name, pair):
    """The score of a forecast: in points for accuracies, in doublings for the others."""
    if pair is None:
        return None
    unit = np.asarray if "%" in name else np.log2
    return float(
        my.interval_score(*unit([float(end) for end in pair]), unit(float(happened[name])))
    )


forecasts = []
for name, value in happened.items():
    pair, yours, theirs = (
        my_forecast.get(name),
        price(name, my_forecast.get(name)),
        price(name, the_clerk[name]),
    )
    inside = "" if pair is None else "held" if pair[0] <= value <= pair[1] else "missed"
    forecasts.append([name, "none" if pair is None else f"{pair[0]:g} to {pair[1]:g}", f"{value:,.4g}" if value < 1e4 else f"{value:,}",
                      inside, "" if yours is None else f"{yours:.2f}", f"{theirs:.2f}"])  # fmt: skip
    print(
        f"{name:<40} you: {forecasts[-1][1]:<16} it was {forecasts[-1][2]:<9} {inside:<7} price {forecasts[-1][4] or '-':<7} clerk {theirs:.2f}"
    )
held = sum(row[3] == "held" for row in forecasts)
if written:
    print(f"{held} of {written} of your 90 % intervals held.")

# %%
used = {
    "quantiser (01)": (basics, "absmean"), "batches (03)": (training, "batches"),
    "AdamW (03)": (training, "AdamW"), "schedule (03)": (training, "cosine"),
    "cross-entropy (03)": (training, "cross_entropy"), "interval (03)": (training, "bootstrap_interval"),
    "straight through (04)": (through, "gate"), "sensitivity (06)": (layers, "sensitivity"),
    "BitLinear (06)": (layers, "bitlinear"), "joint loss (07)": (distilling, "joint_loss"),
}  # fmt: skip
whose = {
    what: "yours" if name in lesson.yours else "the lesson's"
    for what, (lesson, name) in used.items()
}
seed_gaps = [my.compare(right(logits_of(s, data.test.images)), teacher_right)[0] for s in students]
parts = {
    "data": f"{DATA}{' (synthetic phantoms, not patients)' if data.synthetic else ''}",
    "images": len(data.test),
    "seeds": f"{len(students)}, of one teacher; student - teacher {', '.join(f'{g:+.1f}' for g in seed_gaps)} points",
    "accuracy": tuple(
        round(float(v), 1)
        for v in (intervals["student"][0], accuracy["student"], intervals["student"][1])
    ),
    "gap": tuple(round(float(v), 1) for v in (low, gap, high)),
    "claim": f"student - teacher is {CLAIM[0]} {CLAIM[1]:g} points",
    "verdict": my.verdict(CLAIM, low, high),
    "bytes": path.stat().st_size,
    "energy": tuple(round(float(v), 1) for v in energy["student"]),
    "latency": tuple(round(float(v), 3) for v in latency["student"]),
    "limits": my.limits(),
}
print(my.report(parts))

# %%
figure, (left, last) = plt.subplots(1, 2, figsize=(10, 3))
left.bar(
    ["teacher", "student"],
    [accuracy["teacher"], accuracy["student"]],
    0.5,
    color=[style.FLOAT, style.TERNARY],
)
for place, who in enumerate(("teacher", "student")):
    left.plot([place, place], intervals[who], color=style.INK, linewidth=1.4)
left.axhline(100 / data.num_classes, color=style.MUTED, linestyle=":")
left.set(ylim=(0, 105), ylabel="test images right, %", title="Accuracy, with 95 % intervals")
for row, (name, (a, b)) in enumerate(
    (("paired, test images", (low, high)), ("all fresh images", over_all[1:3]))
):
    last.plot(
        [a, b], [row, row], color=style.TERNARY, linewidth=6, alpha=0.6, solid_capstyle="butt"
    )
    last.plot((a + b) / 2, row, "o", color=style.TERNARY)
    last.text(
        (a + b) / 2,
        row + 0.2,
        name if DATA == "phantoms" or row == 0 else "resampled images",
        ha="center",
        fontsize=9,
    )
last.axvline(CLAIM[1], color=style.ACCENT, linestyle="--", linewidth=1.2)
last.text(CLAIM[1] + 0.05, -0.45, "the claim's margin", color=style.ACCENT, fontsize=8.5)
last.set(
    yticks=[],
    ylim=(-0.6, 1.6),
    xlabel="student - teacher, points",
    title=f"The claim: {parts['verdict']}",
)
last.spines["left"].set_visible(False)

page = tt.report.Page(
    title=f"A ternary network in {BUDGET:,} bytes",
    lead=f"{parts['claim']}: {parts['verdict']} by {parts['images']} test images.",
    banner=f"{style.SYNTHETIC_NOTE} · {NOTE}" if data.synthetic else NOTE,
    tiles=[
        tt.report.Tile(
            f"{accuracy['student']:.1f} %",
            "student, test images",
            f"95 %: {intervals['student'][0]:.1f} to {intervals['student'][1]:.1f}",
        ),
        tt.report.Tile(
            f"{path.stat().st_size:,}",
            "bytes on disk",
            f"{ratios['bytes of the file']:.1f} times fewer than float32",
        ),
        tt.report.Tile(
            f"{energy['student'].middle:.0f} µJ",
            "an image, modelled",
            f"{energy['student'].low:.0f} to {energy['student'].high:.0f}",
        ),
        tt.report.Tile(
            f"{latency['student'][0]:.3f} ms",
            "p50 of one image",
            f"p95 {latency['student'][1]:.3f}, one thread, this machine",
        ),
    ],
    sections=[
        tt.report.Section(
            "What was measured",
            table=tt.report.Table(
                ["", ""], [[title, str(parts[key])] for key, title in REQUIRED.items()]
            ),
        ),
        tt.report.Section(
            "Student and teacher",
            f"{parts['images']} test images; the difference is paired, image by image.",
            figure,
            alt="Accuracies with intervals; the paired difference beside the claim's margin.",
        ),
        tt.report.Section(
            "The policy",
            f"Within {BUDGET:,} bytes, header included. Float: {', '.join(n for n in names if n not in chosen) or 'nothing'}. "
            f"Chosen by the harm on validation images. The file's largest logit difference from the network: {verified['yours'][1]:.1e} standard deviations.",
        ),
        tt.report.Section(
            "The forecast",
            f"Intervals of 90 %, {written} of {len(my_forecast)} written down ({when}), and their price.",
            table=tt.report.Table(
                ["", "forecast", "happened", "", "price", "the clerk's"], forecasts
            ),
        ),
        tt.report.Section(
            "Whose code ran",
            table=tt.report.Table(["", ""], [[what, who] for what, who in whose.items()]),
        ),
    ],
    footer=f"tinyternary {tt.__version__}, lesson 12. {NOTE}.",
)
written_to = page.write(Path("capstone_report.html"))
print(
    f"Your report: {written_to}, {written_to.stat().st_size:,} bytes, one file, to be opened in any browser."
)
print(", ".join(f"{what}: {who}" for what, who in whose.items()))
plt.show()

# %% [markdown]
# Send it to somebody who will not be polite.
#
# ## 9 · The defence

# %% [markdown] nbgrader={"grade": true, "grade_id": "12_10_defence", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# ### Exercise 12.10: your defence (5 points, when all is measured)
#
# A page, with your own numbers. Answer the reviewer:
#
# 1. *Is your claim supported, refuted or open, and by which interval?* Say what the claim would have to be for the verdict to change.
# 2. *Your student came out where it did by luck of the seed, or of the test images.* What speaks against each of the two, and what does not?
# 3. *How much smaller, how much less energy, how much faster?* Three ratios, each with what it is a ratio of, and which of them you measured.
# 4. *Which of your forecasts missed, and why?*
# 5. *May a hospital use it?* What would have to be measured first?
#
# ### BEGIN SOLUTION
# 1. Supported: the whole paired interval of student minus teacher lies above my margin of minus three. The verdict would be open for a margin inside the interval. For "the student is better" it is open, as it is for "the teacher is better": the interval holds zero. For "as good to within one point" my test images leave it open as well; it took all of the fresh ones to say more.
#
# 2. Of the test images: the interval carries that luck, and the twenty-five fresh sets showed how large it is, since the same pair of networks was ahead on some and not on others. Of the seed: three students of the same teacher came out close together. But they share the teacher, its weights to start from and the data, so that they say nothing about another teacher; for that I would train several pairs.
#
# 3. The file has several times fewer bytes than the teacher's file in the same format, counted on disk, header included. Energy is some three times less by the cost model, which is modelled, with a range as wide as a factor of two. The time of one image, measured on this machine with one thread, is hardly better: small matrices leave little to gain. Bytes and time are measured, energy is not.
#
# 4. I missed the time: I had reasoned from bytes, and time does not follow bytes in a network this small. I had also given intervals that were too narrow. The file I could have computed.
#
# 5. No. It has never seen a patient. Needed are: images of several sites and devices, split by patient; calibration and a decision threshold for the cost of each error; subgroups; a comparison with what is done today; and somebody who is responsible.
# ### END SOLUTION

# %% [markdown] rubric={"of": "12_10_defence"}
# One point each:
#
# - **Verdict:** the right word, with the interval and its unit, and a margin at which it would change. A claim of "no difference" from an interval that holds zero earns nothing.
# - **Luck:** test images and seeds told apart; the interval speaks of the first only; three students share a teacher.
# - **Ratios:** three, each with its denominator (file on disk in the same format, modelled energy with its range, measured median on a named machine); what is modelled is called so.
# - **Forecasts:** at least one that missed (or was needlessly wide), with a cause. "All held" is fine with an honest word on their widths and prices.
# - **Use:** no, with at least three things to measure first, among them data of real patients split by patient, and calibration or the cost of errors.

# %% [markdown]
# ## Recap
#
# - A forecast is an **interval with a level**, written before; the **interval score** makes honesty the best policy.
# - The size of a file can be known **to the byte** before a network is trained: codes by rows, scales, gains, floats, header.
# - Ten matrices are 1024 policies: **search them all**. The answer is as good as the harms that went in.
# - A file is a network if their **logits** agree. Accuracies agree also for wrong files; NaN passes careless comparisons; and no images at all are no test.
# - Two networks are compared **image by image**. The half width goes with the root of the images.
# - *Supported, refuted, open*: **every, none, otherwise.** "No difference found" is not "equal".
# - Read reports with a pencil: **divide the counts, bound the interval, ask whose peak it was.**
# - A report that cannot be handed in with a gap will not have one.
#
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - T. Gneiting, A. E. Raftery, *Strictly Proper Scoring Rules, Prediction, and Estimation*, Journal of the American Statistical Association 102, 2007. The interval score (section 6.2), and why it cannot be gamed.
# - M. Alpert, H. Raiffa, *A progress report on the training of probability assessors*, in Judgment under Uncertainty, 1982. Intervals that should hold nearly always, and hold half the time.
# - Q. McNemar, *Note on the sampling error of the difference between correlated proportions or percentages*, Psychometrika 12, 1947. Only the images on which two answers differ decide.
# - D. G. Altman, J. M. Bland, *Absence of evidence is not evidence of absence*, BMJ 311, 1995. One page, and the reason for "open".
# - X. Bouthillier et al., *Accounting for Variance in Machine Learning Benchmarks*, MLSys 2021. Seeds, splits and what a comparison needs.
# - M. Horowitz, *Computing's energy problem (and what we can do about it)*, ISSCC 2014. The energies behind the cost model's 45 nm table.
# - G. S. Collins et al., *TRIPOD+AI statement*, BMJ 385, 2024. What a report on a clinical prediction model has to contain.
# - *BitMedViT*, 2025, arXiv 2510.13760. Read its table of results with a pencil: every ratio there has a denominator.
#
# **That was the last lesson.** Everything in `mine/solved/` is yours. Change a rule, a loss, a data set, and run this page again.
