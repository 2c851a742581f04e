# %% [markdown]
# # 11 · Trust
#
# A network answers every question with the same composure. Show it a cell and it says *segmented, 97 %*. Show it a photograph of your cat and it says *segmented, 97 %*. Nothing in the number tells you whether to believe it.
#
# The first ten lessons built a network and made it small. This one asks whether anybody should listen to it. The tools are old, most of them older than neural networks, and simple enough to write in an afternoon: a diagram, a division, an honest way of counting. What is hard is to use them *before* the result looks good, and we shall meet half a dozen results that looked very good indeed.
#
# You will be able to
#
# - draw a reliability diagram, and say how far a network's confidence is from the truth;
# - mend it with one number, and say what that number cannot do;
# - choose a threshold for a wanted sensitivity, and know how often such a choice keeps its word;
# - turn sensitivity and specificity into what a patient wants to know, for any prevalence;
# - give an interval that counts patients and not pictures;
# - measure what noise, blur and bad light do, and compare networks by it;
# - put an explanation to the test, with controls;
# - find look-alikes on both sides of a split, and repair it;
# - write down what a model must not be used for.
#
# **What you need:** lessons 03 (splits, the bootstrap) and 05 (attention). **Time:** about 90 minutes. **Network:** none.
#
# | | exercise | difficulty | minutes |
# |---|---|---|---|
# | 11.1 | a reliability diagram | ●● | 8 |
# | 11.2 | one number | ●● | 8 |
# | 11.3 | a threshold with a promise | ●● | 6 |
# | 11.4 | predictive values | ● | 4 |
# | 11.5 | an interval that counts patients | ●●● | 8 |
# | 11.6 | corruption error | ● | 4 |
# | 11.7 | a deletion test | ●●● | 10 |
# | 11.8 | look-alikes | ●● | 6 |
# | 11.9 | museum: the model that won | ● | 5 |
# | 11.10 | museum: the coin that beat the coin | ●● | 5 |
# | 11.11 | museum: the study without names | ●●● | 8 |
# | 11.12 | the limits of a model, in words | ●● | 8 |
#
# The cells in this lesson are drawn by a program and no patient is behind them. Wherever a prediction is shown it says so, and says one thing more: **for teaching and research, not for clinical use**.

# %% tags=["setup"]
import math

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import log_softmax, softmax

import tinyternary as tt
from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})


def sign(figure, note=f"{style.SYNTHETIC_NOTE}; {style.CLINICAL_NOTE}"):
    """Write below a figure what its predictions are not."""
    figure.supxlabel(note, fontsize=8, color=style.MUTED, x=0.99, ha="right")


check = course.checks("11_trust")
my = check.mine

# %% [markdown]
# ## 1 · What does 90 % mean?
#
# First a network to doubt: the lesson's small ViT with all linear layers of its blocks ternary, trained on 600 drawn cells of four kinds. That is little data, as in medicine, and the network trains for long enough to know its 600 images rather well.

# %%
from tinyternary.compiled.switch import jit_enabled

tt.set_threads(1)  # a small network: sharing out its products takes longer than the work


def pictures(split, count):
    """Drawn cells of four kinds: a Dataset."""
    return tt.data.phantoms(split, count=count, classes=4)


cells = tt.data.Splits(pictures("train", 600), pictures("val", 400), pictures("test", 1200))
NAMES = [name.removeprefix("phantom ") for name in cells.class_names]


def train(policy=None):
    """A ViT of preset "lesson", float or ternary by a policy, trained on the cells."""
    model = tt.models.ViT(tt.models.preset("lesson"), seed=0)
    if policy is not None:
        tt.quant.ternarize(model, policy)
    epochs = 30 if jit_enabled() else 3
    return tt.train.fit(model, cells, seed=0, epochs=epochs, lr=4e-3, augment="none",
                        progress=False)  # fmt: skip


run = train("all-linear")


def logits_of(run, images):
    """What a trained network says of images: (N, 4)."""
    return tt.evaluate.predict_logits(run.model, images, run.preprocessing).astype(float)


val_logits, test_logits = (logits_of(run, part.images) for part in (cells.val, cells.test))
val_labels, test_labels = cells.val.labels, cells.test.labels

# %% jupyter={"source_hidden": true}
test_probabilities = softmax(test_logits, axis=1)
sure = test_probabilities.max(axis=1)
figure, axes = plt.subplots(1, 8, figsize=(11, 1.9))
for axis, row in zip(axes, range(40, 48)):
    axis.imshow(cells.test.images[row])
    axis.set(xticks=[], yticks=[])
    axis.set_title(f"{NAMES[test_logits[row].argmax()]}\n{100 * sure[row]:.0f} %", fontsize=9)
figure.suptitle("Eight cells, eight answers, and how sure it is of each", x=0.01, ha="left",
                fontsize=11, fontweight="bold")  # fmt: skip
sign(figure)
plt.show()

# %% [markdown]
# The largest probability of an answer is its **confidence**. If the numbers mean anything, then of all answers given with a confidence of 90 %, nine in ten should be right. That is what *calibrated* means: not that the network is good, but that it knows how good it is. A weather forecast that says 30 % rain, and is followed by rain on three days of ten, is calibrated. (So is a forecaster who announces the yearly average every morning, and nobody listens.)
#
# **Predict, then run.** The cell prints how sure the network is on average, over the 1,200 test images. How many of its answers are right?

# %%
print(f"mean confidence on the test images: {100 * np.mean(sure):.0f} %")
my_guess = None  # percent right

right = test_logits.argmax(axis=1) == test_labels
check.predicted(my_guess, float(100 * np.mean(right)), within=3, unit=" %",
                comment="Somewhat less than it believes. Where, and by how much, is the next question.")  # fmt: skip

# %% [markdown]
# One average hides where the confidence goes wrong. So we sort the answers into bins by confidence, and ask bin by bin how many are right. Drawn as bars, that is the **reliability diagram** (DeGroot and Fienberg, 1983, had weather forecasters in mind); boiled down to one number it is the **expected calibration error** of Guo and colleagues (2017):
#
# $$
# \text{ECE} = \sum_{b} \frac{n_b}{N} \, \bigl| \text{accuracy}_b - \text{confidence}_b \bigr|
# $$
#
# with $n_b$ answers in bin $b$, of which a share $\text{accuracy}_b$ is right, and whose mean confidence is $\text{confidence}_b$.
#
# ### Exercise 11.1: a reliability diagram (3 points)
#
# `reliability(confidence, right, bins=10)` gets an array of confidences and a boolean array that says which answers are right. It returns three arrays with one entry for each bin: the number of answers, their mean confidence, the share of them that is right. Bins have equal widths over [0, 1] and own their upper edge: a confidence of exactly 0.5 lies in the bin from 0.4 to 0.5. (A confidence of 0 goes to the first bin.) Where a bin is empty, both means are `nan`.
#
# `ece(confidence, right, bins=10)` returns the number above. Empty bins count for nothing.


# %% nbgrader={"grade": false, "grade_id": "11_1_reliability", "locked": false, "schema_version": 3, "solution": true, "task": false}
def reliability(confidence, right, bins=10):
    """Answers, mean confidence and accuracy of each bin: three arrays (bins,)."""
    ### BEGIN SOLUTION
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(place, confidence, bins) / count
        accuracy = np.bincount(place, right, bins) / count
    return count, mean_confidence, accuracy
    ### END SOLUTION


def ece(confidence, right, bins=10):
    """Expected calibration error: mean distance of accuracy from confidence, over answers."""
    ### BEGIN SOLUTION
    count, mean_confidence, accuracy = reliability(confidence, right, bins)
    gap = np.where(count > 0, np.abs(accuracy - mean_confidence), 0)
    return float(np.sum(count * gap) / np.sum(count))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_1_reliability_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.1")
def _(reliability, ece):
    def same(got, want, hint):
        got, empty = np.asarray(got, float), np.isnan(want)
        check.true(
            got.shape == empty.shape and np.array_equal(np.isnan(got), empty),
            f"{hint} Yours: {got}.",
        )
        check.close(got[~empty], np.asarray(want)[~empty], hint)

    sure = np.array([0.55, 0.58, 0.97, 0.93, 0.91, 0.99])
    good = np.array([True, False, True, True, False, True])
    with check.part("the bins", points=2):
        got = reliability(sure, good)
        check.true(
            isinstance(got, tuple | list) and len(got) == 3,
            "Return three arrays: how many answers, their mean confidence, their accuracy.",
        )
        count, mean, share = got
        check.equal(
            count, [0, 0, 0, 0, 0, 2, 0, 0, 0, 4],
            "Two confidences lie between 0.5 and 0.6, four between 0.9 and 1.",
        )  # fmt: skip
        same(
            mean, [np.nan] * 5 + [0.565] + [np.nan] * 3 + [0.95],
            "Mean of the confidences that fell into a bin (not the bin's middle); nan where none did.",
        )  # fmt: skip
        same(
            share, [np.nan] * 5 + [0.5] + [np.nan] * 3 + [0.75],
            "Share of right answers among those in the bin; nan where there are none.",
        )  # fmt: skip
        edges = np.array([0.5, 0.75, 1.0, 0.0])
        check.equal(
            reliability(edges, np.ones(4, bool), 4)[0], [1, 1, 1, 1],
            "Confidences 0.5, 0.75, 1 and 0 in four bins: an upper edge belongs to its bin, 0 to "
            "the first and 1 to the last.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.equal(
            np.shape(reliability(np.array([0.2, 0.35]), np.ones(2, bool))[0]), (10,),
            "Ten bins, also where the upper ones are empty.",
        )  # fmt: skip
        rng = np.random.default_rng(111)
        for bins in (1, 7, 15):
            sure, good = rng.uniform(0.2, 1, 300), rng.random(300) < 0.7
            inside = [(sure > b / bins) & (sure <= (b + 1) / bins) for b in range(bins)]
            count, mean, share = reliability(sure, good, bins)
            check.equal(count, [np.sum(i) for i in inside], f"300 answers in {bins} bins.")
            same(mean, [np.mean(sure[i]) if i.any() else np.nan for i in inside], f"{bins} bins.")
            same(share, [np.mean(good[i]) if i.any() else np.nan for i in inside], f"{bins} bins.")
        ### END HIDDEN TESTS
    with check.part("the error", points=1):
        sure = np.array([0.55, 0.58, 0.97, 0.93, 0.91, 0.99])
        good = np.array([True, False, True, True, False, True])
        check.close(
            ece(sure, good), (2 * 0.065 + 4 * 0.2) / 6,
            "Each bin counts by its answers, whatever the sign of its gap.",
        )  # fmt: skip
        mixed = np.array([0.55, 0.95]), np.array([True, False])
        check.close(
            ece(*mixed), 0.7, "0.55 and right, 0.95 and wrong: the two gaps must not cancel."
        )
        check.close(
            ece(np.array([0.55, 0.95]), np.array([True, False]), 1), 0.25,
            "In a single bin they do cancel: 75 % sure, 50 % right. Is `bins` handed on?",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(112)
        sure, good = rng.uniform(0.4, 1, 500), rng.random(500) < 0.6
        inside = np.ceil(sure * 15)
        want = sum(
            abs(np.sum(good[inside == b]) - np.sum(sure[inside == b])) for b in np.unique(inside)
        )
        check.close(ece(sure, good, 15), want / 500, "500 answers in 15 bins.")
        ### END HIDDEN TESTS


# %% variant={"of": "11_1_reliability", "wrong": "bins own their lower edge", "says": "upper edge"}
def reliability(confidence, right, bins=10):
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        return (
            count,
            np.bincount(place, confidence, bins) / count,
            np.bincount(place, right, bins) / count,
        )


def ece(confidence, right, bins=10):
    count, sure, share = reliability(confidence, right, bins)
    return float(np.nansum(count * np.abs(sure - share)) / len(right))


# %% variant={"of": "11_1_reliability", "wrong": "the bins' middles for mean confidences", "says": "not the bin's middle"}
def reliability(confidence, right, bins=10):
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    middle = np.where(count > 0, (np.arange(bins) + 0.5) / bins, np.nan)
    with np.errstate(invalid="ignore"):
        return count, middle, np.bincount(place, right, bins) / count


def ece(confidence, right, bins=10):
    count, sure, share = reliability(confidence, right, bins)
    return float(np.nansum(count * np.abs(sure - share)) / len(right))


# %% variant={"of": "11_1_reliability", "wrong": "0 in place of nan: an empty bin looks like a wrong one", "says": "nan where"}
def reliability(confidence, right, bins=10):
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    whole = np.maximum(count, 1)
    return (
        count,
        np.bincount(place, confidence, bins) / whole,
        np.bincount(place, right, bins) / whole,
    )


def ece(confidence, right, bins=10):
    count, sure, share = reliability(confidence, right, bins)
    return float(np.sum(count * np.abs(sure - share)) / len(right))


# %% variant={"of": "11_1_reliability", "wrong": "signed gaps cancel", "says": "must not cancel"}
def reliability(confidence, right, bins=10):
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        return (
            count,
            np.bincount(place, confidence, bins) / count,
            np.bincount(place, right, bins) / count,
        )


def ece(confidence, right, bins=10):
    count, sure, share = reliability(confidence, right, bins)
    return abs(float(np.nansum(count * (sure - share)) / len(right)))


# %% variant={"of": "11_1_reliability", "wrong": "every bin counts the same", "says": "by its answers"}
def reliability(confidence, right, bins=10):
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        return (
            count,
            np.bincount(place, confidence, bins) / count,
            np.bincount(place, right, bins) / count,
        )


def ece(confidence, right, bins=10):
    _, sure, share = reliability(confidence, right, bins)
    return float(np.nanmean(np.abs(sure - share)))


# %% variant={"of": "11_1_reliability", "wrong": "ten bins whatever is asked", "says": "handed on"}
def reliability(confidence, right, bins=10):
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        return (
            count,
            np.bincount(place, confidence, bins) / count,
            np.bincount(place, right, bins) / count,
        )


def ece(confidence, right, bins=10):
    count, sure, share = reliability(confidence, right)
    return float(np.nansum(count * np.abs(sure - share)) / len(right))


# %% variant={"of": "11_1_reliability", "right": "a loop over the bins"}
def reliability(confidence, right, bins=10):
    count, sure, share = np.zeros(bins, int), np.full(bins, np.nan), np.full(bins, np.nan)
    for b in range(bins):
        inside = (confidence > b / bins) & (confidence <= (b + 1) / bins)
        if b == 0:
            inside |= confidence == 0
        count[b] = inside.sum()
        if count[b]:
            sure[b], share[b] = confidence[inside].mean(), np.asarray(right)[inside].mean()
    return count, sure, share


def ece(confidence, right, bins=10):
    total = 0.0
    for n, a, b in zip(*reliability(confidence, right, bins)):
        if n:
            total += n * abs(a - b)
    return total / len(confidence)


# %% variant={"of": "11_1_reliability", "right": "searchsorted for the bins"}
def reliability(confidence, right, bins=10):
    place = np.maximum(np.searchsorted(np.linspace(0, 1, bins + 1), confidence, side="left") - 1, 0)
    one = place[:, None] == np.arange(bins)
    count = one.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return (
            count,
            (one * confidence[:, None]).sum(axis=0) / count,
            (one * right[:, None]).sum(axis=0) / count,
        )


def ece(confidence, right, bins=10):
    count, sure, share = reliability(confidence, right, bins)
    some = count > 0
    return float(np.average(np.abs(sure - share)[some], weights=count[some]))


# %% [markdown] hints={"of": "11_1_reliability"}
# 1. Which bin does a confidence of 0.93 belong to, of ten? Multiply by the number of bins first, then think about which way to round so that 0.5 lands below the edge and not above.
# 2. `np.bincount(place, minlength=bins)` counts; with `weights` it adds up. A mean is one divided by the other, and 0 / 0 is `nan` (inside `np.errstate(invalid="ignore")` without a warning).
# 3. For the error, each bin's gap counts as often as it has answers. What should an empty bin's gap count? `np.where` or `np.nansum` help.


# %% jupyter={"source_hidden": true}
def draw_reliability(axes, confidence, right, color, title, bins=10):
    count, mean, share = my.reliability(confidence, right, bins)
    edges = np.arange(bins) / bins
    axes.bar(edges, share, 1 / bins, align="edge", color=color, alpha=0.55, edgecolor="white")
    axes.plot([0, 1], [0, 1], color=style.MUTED, linestyle=":", linewidth=1.3)
    full = count > 0
    axes.plot(mean[full], share[full], "o", color=color, markersize=4)
    for place in np.flatnonzero(full):
        axes.vlines(
            mean[place], *sorted((mean[place], share[place])), color=style.ACCENT, linewidth=2
        )
        axes.text(edges[place] + 0.5 / bins, 0.02, count[place], ha="center", fontsize=7.5)
    axes.set(xlim=(0.2, 1), ylim=(0, 1.03), xlabel="confidence", ylabel="share right", title=title)
    axes.text(0.23, 0.93, f"ECE {100 * my.ece(confidence, right, bins):.1f} points", fontsize=10)


figure, (left, right_axes) = plt.subplots(1, 2, figsize=(10, 3.7), width_ratios=(1, 1))
draw_reliability(left, sure, right, style.TERNARY, "Surer than right, nearly everywhere")
for rows, color, name in ((right, style.TERNARY, "right"), (~right, style.ACCENT, "wrong")):
    right_axes.hist(sure[rows], np.arange(0.25, 1.001, 0.025), color=color, alpha=0.75, label=name)
right_axes.set(
    xlabel="confidence",
    ylabel="answers",
    title="Some of its mistakes are made with full conviction",
)
right_axes.legend()
sign(figure)
plt.show()

# %% [markdown]
# Left, the dots should lie on the dotted diagonal; the orange lines are the gaps, the small numbers say how many answers stand behind each bar (a bar of five answers is a rumour). Right, the same 1,200 answers by confidence. A network trained until its training images hold no surprise has seen nearly every answer of its own come out right, and goes on believing in itself.
#
# The ECE has a fault you should know of before you quote it: it depends on the bins. And a network that says *one in four* of everything has an error of nearly 0 here, and is useless. Calibration is a property to have on top of being good.

# %% [markdown]
# ## 2 · One number mends it
#
# Lesson 07 divided logits by a **temperature** $T$ to soften a teacher. The same division softens a boaster: $p = \operatorname{softmax}(z / T)$. With $T > 1$ all answers become less sure, with $T < 1$ surer. One number for the whole network, chosen on validation images, and nothing is retrained.
#
# Chosen by what? Not by the ECE, which jumps with its bins, but by the **log-loss**: the mean of $-\log p$ of the class that was true. It is a *proper* score: whoever has to announce a probability, and pays the log-loss, does best by announcing what they believe.
#
# ### Exercise 11.2: one number (3 points)
#
# `log_loss(logits, labels, temperature)` is the mean of $-\log p$ of the true class at a temperature, in nats. `log_softmax` from SciPy is there (`log_softmax(x, axis=1)`); logits of thousands must do no harm.
#
# `fit_temperature(logits, labels)` returns the temperature between 0.05 and 20 with the least log-loss, to within 1 %. Any way of finding it will do.


# %% nbgrader={"grade": false, "grade_id": "11_2_temperature", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_loss(logits, labels, temperature):
    """Mean of -log p of the true class, for probabilities softmax(logits / temperature)."""
    ### BEGIN SOLUTION
    logs = log_softmax(logits / temperature, axis=1)
    return float(-np.mean(logs[np.arange(len(labels)), labels]))
    ### END SOLUTION


def fit_temperature(logits, labels):
    """Temperature between 0.05 and 20 that has the least log-loss."""
    ### BEGIN SOLUTION
    low, high = np.log(0.05), np.log(20)
    # the loss has one valley in log T: keep the better two thirds until they are narrow
    while high - low > 1e-4:
        a, b = low + (high - low) / 3, high - (high - low) / 3
        if log_loss(logits, labels, np.exp(a)) < log_loss(logits, labels, np.exp(b)):
            high = b
        else:
            low = a
    return float(np.exp((low + high) / 2))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_2_temperature_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.2")
def _(log_loss, fit_temperature):
    with check.part("the loss", points=1):
        z = np.log(np.array([[1.0, 3.0], [4.0, 1.0]]))
        check.close(
            log_loss(z, np.array([1, 1]), 1.0), -(np.log(0.75) + np.log(0.2)) / 2,
            "At temperature 1: the mean of -log p of the class that is true.",
        )  # fmt: skip
        check.close(
            log_loss(2 * z, np.array([1, 1]), 2.0), -(np.log(0.75) + np.log(0.2)) / 2,
            "Twice the logits at twice the temperature give the same probabilities: it divides.",
        )  # fmt: skip
        check.close(
            log_loss(np.array([[5000.0, 0.0]]), np.array([1]), 1.0), 5000.0,
            "A logit of 5,000 for the wrong class costs 5,000 nats, no more and no less: take the "
            "logarithm inside the softmax, not after it.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(113)
        z, labels = rng.normal(0, 3, (50, 4)), rng.integers(0, 4, 50)
        for t in (0.3, 1.7):
            p = np.exp(z / t) / np.exp(z / t).sum(axis=1, keepdims=True)
            check.close(
                log_loss(z, labels, t), np.mean(-np.log(p[range(50), labels])),
                f"50 answers about four classes, T = {t}.",
            )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("the temperature", points=2):
        # four answers of ten are wrong and all are equally sure: the best p is 0.6
        z = np.tile([3.0, 0.0], (10, 1))
        labels = np.arange(10) % 5 // 3
        check.close(
            fit_temperature(z, labels), 3 / np.log(1.5),
            "Ten answers, each with logits 3 and 0, six right. A temperature that makes p = 0.6 "
            "of them loses least. Do you divide by T, and is your search fine and wide enough?", rtol=0.011,
        )  # fmt: skip
        labels = (np.arange(100) == 0).astype(int)
        check.close(
            fit_temperature(z[:1].repeat(100, axis=0) / 6, labels), 0.5 / np.log(99),
            "Of 100 answers with logits 0.5 and 0, 99 are right: this network is too modest, and "
            "the temperature has to lie below 1.", rtol=0.011,
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(114)
        for wanted in (0.4, 1.6, 9.0):
            z = rng.normal(0, 2, (400, 3))
            labels = np.array([rng.choice(3, p=softmax(row)) for row in z])
            own = np.exp(np.linspace(np.log(0.02), np.log(60), 4000))
            losses = [-np.mean(log_softmax(z / t, axis=1)[np.arange(400), labels]) for t in own]
            best = own[int(np.argmin(losses))]
            check.close(
                fit_temperature(z * wanted / best, labels), wanted,
                f"400 answers whose best temperature is {wanted}.", rtol=0.011,
            )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "11_2_temperature", "wrong": "multiplies", "says": "it divides"}
def log_loss(logits, labels, temperature):
    return float(
        -np.mean(log_softmax(logits * temperature, axis=1)[np.arange(len(labels)), labels])
    )


def fit_temperature(logits, labels):
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 2000))
    return float(grid[np.argmin([log_loss(logits, labels, t) for t in grid])])


# %% variant={"of": "11_2_temperature", "wrong": "logarithm after the softmax", "says": "inside the softmax"}
def log_loss(logits, labels, temperature):
    p = softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels]
    return float(-np.mean(np.log(np.maximum(p, 1e-12))))


def fit_temperature(logits, labels):
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 2000))
    return float(grid[np.argmin([log_loss(logits, labels, t) for t in grid])])


# %% variant={"of": "11_2_temperature", "wrong": "never below 1", "says": "too modest"}
def log_loss(logits, labels, temperature):
    return float(
        -np.mean(log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels])
    )


def fit_temperature(logits, labels):
    grid = np.linspace(1, 20, 4000)
    return float(grid[np.argmin([log_loss(logits, labels, t) for t in grid])])


# %% variant={"of": "11_2_temperature", "wrong": "a coarse grid that ends early", "says": "fine and wide"}
def log_loss(logits, labels, temperature):
    return float(
        -np.mean(log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels])
    )


def fit_temperature(logits, labels):
    grid = np.linspace(0.05, 5, 500)
    return float(grid[np.argmin([log_loss(logits, labels, t) for t in grid])])


# %% variant={"of": "11_2_temperature", "wrong": "the temperature with the highest mean confidence that is right"}
def log_loss(logits, labels, temperature):
    return float(
        -np.mean(log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels])
    )


def fit_temperature(logits, labels):
    grid = np.exp(np.linspace(np.log(0.05), np.log(20), 2000))
    hit = [softmax(logits / t, axis=1)[np.arange(len(labels)), labels].mean() for t in grid]
    return float(grid[np.argmax(hit)])


# %% variant={"of": "11_2_temperature", "wrong": "sums over classes: not the true one alone", "says": "the class that is true"}
def log_loss(logits, labels, temperature):
    return float(-np.mean(log_softmax(logits / temperature, axis=1)))


def fit_temperature(logits, labels):
    return 1.0


# %% variant={"of": "11_2_temperature", "right": "a fine grid in log T"}
def log_loss(logits, labels, temperature):
    z = logits / temperature
    top = z.max(axis=1)
    total = top + np.log(np.exp(z - top[:, None]).sum(axis=1))
    return float(np.mean(total - np.take_along_axis(z, labels[:, None], 1)[:, 0]))


def fit_temperature(logits, labels):
    grid = np.geomspace(0.05, 20, 1500)
    return min(grid, key=lambda t: log_loss(logits, labels, t))


# %% variant={"of": "11_2_temperature", "right": "SciPy's minimiser"}
def log_loss(logits, labels, temperature):
    return -log_softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels].mean()


def fit_temperature(logits, labels):
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda u: log_loss(logits, labels, np.exp(u)), bounds=(np.log(0.05), np.log(20)),
        method="bounded", options={"xatol": 1e-5},
    )  # fmt: skip
    return np.exp(found.x)


# %% [markdown] hints={"of": "11_2_temperature"}
# 1. `log_softmax` gives a logarithm for each class. Which entry of each row does the loss look at? (Lesson 03 picked it with two index arrays.)
# 2. The loss as a function of T has a single valley. A list of candidates, and the best of them, is an honest way to find its bottom.
# 3. "Within 1 %" is a relative demand: steps that are fine at 10 are far too coarse at 0.1. `np.geomspace` has steps that grow.

# %% [markdown]
# **Predict, then run.** Of the network's 1,200 answers about the test images, how many change when its logits are divided by that temperature?

# %%
my_guess = None  # answers out of 1,200 that become another class

T = my.fit_temperature(val_logits, val_labels)
changed = int(np.sum((test_logits / T).argmax(axis=1) != test_logits.argmax(axis=1)))
check.predicted(my_guess, changed, within=0,
                comment=f"T = {T:.2f}. The largest of four numbers is still the largest after a division: "
                        "the answers stay, only the conviction goes.")  # fmt: skip

# %% [markdown]
# For its kind the ternary network is modest: rounding in every layer keeps it from learning its 600 images by heart. So let the same division work on a greater boaster, the **float** network of the same shape, trained on the same images in the same way.

# %%
float_run = train()
float_val, float_test = (logits_of(float_run, part.images) for part in (cells.val, cells.test))

# %% jupyter={"source_hidden": true}
float_T = my.fit_temperature(float_val, val_labels)
networks = {
    "ternary": (val_logits, test_logits, T, style.TERNARY),
    "float": (float_val, float_test, float_T, style.FLOAT),
}
figure, (left, middle, right_axes) = plt.subplots(
    1, 3, figsize=(11.5, 3.5), width_ratios=(1.2, 1, 1)
)
grid = np.geomspace(0.6, 5, 60)
for name, (on_val, on_test, best, color) in networks.items():
    for part, z, y, line in (
        ("validation", on_val, val_labels, ":"),
        ("test", on_test, test_labels, "-"),
    ):
        left.plot(
            grid, [my.log_loss(z, y, t) for t in grid], line, color=color, label=f"{name}, {part}"
        )
    left.plot(best, my.log_loss(on_val, val_labels, best), "o", color=color, markersize=6)
left.legend(fontsize=8, loc="upper center")
left.set(xscale="log", xlim=(0.6, 5), xticks=[0.6, 1, 2, 4], xticklabels=["0.6", "1", "2", "4"],
         xlabel="temperature", ylabel="log-loss", title="Dots: chosen on validation")  # fmt: skip
left.minorticks_off()
float_right = float_test.argmax(axis=1) == test_labels
for axes, t, title in (
    (middle, 1.0, "Float, as trained"), (right_axes, float_T, f"The same answers, T = {float_T:.2f}"),
):  # fmt: skip
    confidence = softmax(float_test / t, axis=1).max(axis=1)
    draw_reliability(axes, confidence, float_right, style.FLOAT, title)
sign(figure)
plt.show()
for name, (_, z, best, _) in networks.items():
    correct = z.argmax(axis=1) == test_labels
    for t in (1.0, best):
        p = softmax(z / t, axis=1).max(axis=1)
        print(f"{name:8} T = {t:.2f}   test log-loss {my.log_loss(z, test_labels, t):.3f}   "
              f"mean confidence {100 * p.mean():.1f} %   ECE {100 * my.ece(p, correct):.1f} points")  # fmt: skip

# %% [markdown]
# One number for each network, and validation and test want nearly the same one. The floats need more of it than the trits, and gain more. That is why temperature scaling is the first thing to try, and often the last.
#
# Know what it cannot do. It does not make a single answer better. It cools all answers alike, so that a network which is too sure of one class and too modest about another stays so. And it holds for images *like those it was chosen on*: on a blurred image, or on a cat, the number means nothing. The library reports an `ece` with every evaluation, and its model cards say that the probabilities of a network are not calibrated unless the metrics say so.

# %% [markdown]
# ## 3 · A threshold with a promise
#
# Now a question with two answers: *is this cell two-lobed?* Its score is the probability that the network gives to that class, and somebody has to say above which score the answer is yes. One half is a habit, not a choice. Missing a sick patient and frightening a healthy one are different mistakes, and the threshold is where you say how different.
#
# Two shares describe what a threshold does. **Sensitivity**: of those who have it, how many get a yes. **Specificity**: of those who have it not, how many get a no. Every threshold buys the one with the other. (In Jupyter the slider moves; on paper you get three stills.)

# %% jupyter={"source_hidden": true}
TWO_LOBED = 3
val_scores, test_scores = (softmax(z / T, axis=1)[:, TWO_LOBED] for z in (val_logits, test_logits))
val_sick, test_sick = val_labels == TWO_LOBED, test_labels == TWO_LOBED


def draw_scores(axes, threshold):
    edges = np.linspace(0, 1, 26)
    for rows, color, up in ((~val_sick, style.FLOAT, 1), (val_sick, style.ACCENT, -1)):
        heights, _ = np.histogram(val_scores[rows], edges)
        share = up * heights / rows.sum()
        said = edges[:-1] >= threshold - 1e-9
        for part, alpha in ((said, 0.95), (~said, 0.35)):
            axes.bar(edges[:-1][part], share[part], 0.04, align="edge", color=color, alpha=alpha)
    axes.axvline(threshold, color=style.INK, linewidth=1.3)
    hit, spared = (
        np.mean(val_scores[val_sick] >= threshold),
        np.mean(val_scores[~val_sick] < threshold),
    )
    axes.set_title(f"threshold {threshold:.2f}\nsensitivity {100 * hit:.0f} %, specificity {100 * spared:.0f} %",
                   fontsize=9.5)  # fmt: skip
    axes.set(yticks=[], xlabel="score", xlim=(0, 1), ylim=(-0.45, 0.75))
    axes.text(0.97, 0.6, "other cells", color=style.FLOAT, ha="right", fontsize=9)
    axes.text(0.97, -0.38, "two-lobed", color=style.ACCENT, ha="right", fontsize=9)
    axes.spines["left"].set_visible(False)


figure, stills = plt.subplots(1, 3, figsize=(11, 2.9))
for still, value in zip(stills, (0.04, 0.2, 0.6)):
    draw_scores(still, value)
sign(figure)
plt.show()


def move_threshold(threshold=0.2):
    figure, axes = plt.subplots(figsize=(6.5, 3.2))
    draw_scores(axes, threshold)
    sign(figure)
    plt.show()


course.slider(move_threshold, threshold=(0.0, 1.0, 0.04))

# %% [markdown]
# In practice the wish comes first: *we must not miss more than one in twenty*. Then the threshold is the highest one that still grants it, since a higher threshold frightens fewer healthy people.
#
# ### Exercise 11.3: a threshold with a promise (2 points)
#
# `threshold_for(scores, truth, sensitivity)` gets scores, a boolean array that says who has it, and the share of those who have to get a yes (above 0, at most 1). The answer is yes where `score >= threshold`. Return the **largest** threshold that catches at least that share.


# %% nbgrader={"grade": false, "grade_id": "11_3_threshold_for", "locked": false, "schema_version": 3, "solution": true, "task": false}
def threshold_for(scores, truth, sensitivity):
    """Largest threshold such that `scores >= threshold` finds this share of the positives."""
    ### BEGIN SOLUTION
    highest_first = np.sort(scores[truth])[::-1]
    # 0.55 * 100 is a hair above 55 in floating point: that hair is not a patient
    needed = math.ceil(sensitivity * len(highest_first) - 1e-9)
    return float(highest_first[needed - 1])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_3_threshold_for_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.3")
def _(threshold_for):
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.95, 0.4, 0.3])
    truth = np.array([1, 1, 1, 1, 1, 0, 0, 0], bool)
    check.close(
        threshold_for(scores, truth, 0.8), 0.6,
        "Positives score 0.9, 0.8, 0.7, 0.6 and 0.5. Four of five are wanted: the largest threshold "
        "that catches four is the fourth's own score, since yes means >=. Only positives matter.",
    )  # fmt: skip
    check.close(
        threshold_for(scores, truth, 0.75), 0.6,
        "At least 75 % of five: three are too few, so it has to be four. Do you round down?",
    )  # fmt: skip
    check.close(threshold_for(scores, truth, 1.0), 0.5, "All of them: the lowest positive's score.")
    check.close(threshold_for(scores, truth, 0.05), 0.9, "At least 5 %: one of five will do.")
    four = np.array([0.2, 0.4, 0.6, 0.8])
    check.close(
        threshold_for(four, np.ones(4, bool), 0.3), 0.6,
        "At least 30 % of four positives are two, and the largest threshold for that is a score. "
        "A quantile that interpolates, or rounds to the nearest, gives something else.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    check.close(
        threshold_for(np.arange(100) / 100, np.ones(100, bool), 0.55), 0.45,
        "55 % of 100 positives are 55. (In floating point, 0.55 * 100 is a hair more than 55; a "
        "hair is not a patient.)",
    )  # fmt: skip
    check.close(
        threshold_for(np.array([0.12345678, 0.9]), np.array([True, False]), 0.95), 0.12345678,
        "One positive, at 0.12345678: the largest threshold that finds it is that very score.", rtol=1e-9,
    )  # fmt: skip
    odd = np.array([-7.25, 3.14159, 250.0])
    check.close(
        threshold_for(odd, np.array([True, True, False]), 1.0), -7.25,
        "Scores need not be shares: positives at -7.25 and 3.14159. The threshold is a score, and no "
        "point of a grid.", rtol=1e-9,
    )  # fmt: skip
    rng = np.random.default_rng(115)
    for share in (0.5, 0.9, 0.95):
        scores = np.round(rng.random(120), 2)  # with ties
        truth = rng.random(120) < 0.3
        fits = [t for t in scores if np.mean(scores[truth] >= t) >= share - 1e-9]
        check.close(
            threshold_for(scores, truth, share), max(t for t in fits if t in scores[truth]),
            f"120 scores with ties, a sensitivity of {share}.",
        )  # fmt: skip
    before = scores.copy()
    threshold_for(scores, truth, 0.9)
    check.equal(scores, before, "The scores you were given have changed: sort a copy.")
    ### END HIDDEN TESTS


# %% variant={"of": "11_3_threshold_for", "wrong": "a quantile that interpolates", "says": "largest threshold"}
def threshold_for(scores, truth, sensitivity):
    return float(np.quantile(scores[truth], 1 - sensitivity))


# %% variant={"of": "11_3_threshold_for", "wrong": "a quantile of all scores", "says": "Only positives matter"}
def threshold_for(scores, truth, sensitivity):
    ordered = np.sort(scores)[::-1]
    return float(ordered[math.ceil(sensitivity * len(ordered)) - 1])


# %% variant={"of": "11_3_threshold_for", "wrong": "rounds down", "says": "round down"}
def threshold_for(scores, truth, sensitivity):
    ordered = np.sort(scores[truth])[::-1]
    return float(ordered[max(int(sensitivity * len(ordered) + 1e-9), 1) - 1])


# %% variant={"of": "11_3_threshold_for", "wrong": "off by one: a threshold below", "says": "fourth's own score"}
def threshold_for(scores, truth, sensitivity):
    ordered = np.append(np.sort(scores[truth])[::-1], 0.0)
    return float(ordered[math.ceil(sensitivity * len(ordered[:-1]) - 1e-9)])


# %% variant={"of": "11_3_threshold_for", "wrong": "from the lowest: the complement"}
def threshold_for(scores, truth, sensitivity):
    ordered = np.sort(scores[truth])
    return float(ordered[math.ceil(sensitivity * len(ordered) - 1e-9) - 1])


# %% variant={"of": "11_3_threshold_for", "wrong": "the specificity's threshold"}
def threshold_for(scores, truth, sensitivity):
    ordered = np.sort(scores[~truth])
    return float(ordered[math.ceil(sensitivity * len(ordered) - 1e-9) - 1])


# %% variant={"of": "11_3_threshold_for", "wrong": "trusts the product: 0.55 * 100 is 56", "says": "a hair"}
def threshold_for(scores, truth, sensitivity):
    ordered = np.sort(scores[truth])[::-1]
    return float(ordered[math.ceil(sensitivity * len(ordered)) - 1])


# %% variant={"of": "11_3_threshold_for", "right": "tries every positive's score"}
def threshold_for(scores, truth, sensitivity):
    sick = np.asarray(scores)[truth]
    return max(t for t in sick if np.mean(sick >= t) >= sensitivity - 1e-12)


# %% variant={"of": "11_3_threshold_for", "right": "lets a loop lower the threshold"}
def threshold_for(scores, truth, sensitivity):
    total = int(np.count_nonzero(truth))
    for found, t in enumerate(sorted(scores[truth].tolist(), reverse=True), 1):
        if found / total >= sensitivity - 1e-12:
            return t


# %% [markdown] hints={"of": "11_3_threshold_for"}
# 1. Do the scores of healthy people play a part in a sensitivity? Once you have answered that, sort the others.
# 2. If four positives must be caught, and the threshold may be as high as possible, on whose score does it lie?
# 3. From a share to a number of people: it must be *at least* the share, so which way do you round?

# %% [markdown]
# Let us use it as a clinic would. There are **20** positives in the validation set; we choose the threshold that finds 95 % of them, 19 of 20, and promise: *sensitivity 95 %*. Then new patients come.
#
# We can play that many times. From the 400 two-lobed cells of the validation and test split, draw 20, choose, and see how many of the other 380 the threshold finds.
#
# **Predict, then run.** In what share of such studies is the promise kept, that is, does the threshold find 95 % or more of the new positives?

# %%
my_guess = None  # percent of the studies in which at least 95 % of new positives are found

sick_scores = np.concatenate([val_scores[val_sick], test_scores[test_sick]])
rng = np.random.default_rng(3)
reached = []
for _ in range(4000):
    order = rng.permutation(sick_scores)
    chosen = my.threshold_for(order[:20], np.ones(20, bool), 0.95)
    reached.append(np.mean(order[20:] >= chosen))
reached = np.array(reached)
check.predicted(my_guess, float(100 * np.mean(reached >= 0.95)), within=5, unit=" %",
                comment=f"The mean sensitivity is {100 * reached.mean():.1f} %, and not 95.")  # fmt: skip

# %% [markdown]
# No trick, no leak, nothing chosen on test images. It would come out the same for any other network and any other disease. The threshold lies on the score of the 19th positive of 20. A new positive is equally likely to fall into any of the 21 gaps that twenty scores make (below all, between two, above all), and 19 of these lie above the threshold. So the expected sensitivity is 19/21 = 90.5 %, and how it scatters is known exactly: after a Beta distribution with parameters 19 and 2 (Wilks, 1941, for the tolerance limits of factories).

# %% jupyter={"source_hidden": true}
from scipy.stats import beta

figure, (left, right_axes) = plt.subplots(1, 2, figsize=(10.5, 3.5))
left.hist(100 * reached, np.arange(60, 101, 1.0), density=True, color=style.TERNARY, alpha=0.6)
curve = np.linspace(0.6, 1, 400)
left.plot(100 * curve, beta.pdf(curve, 19, 2) / 100, color=style.INK, linewidth=1.4)
left.axvline(95, color=style.ACCENT, linestyle="--", linewidth=1.4)
left.text(94.5, 0.095, "promised", color=style.ACCENT, ha="right", va="center", fontsize=9)
left.text(72, 0.045, "Beta(19, 2),\nnothing fitted", fontsize=9)
left.set(xlabel="sensitivity among new positives, %", yticks=[], ylim=(0, 0.101),
         title="19 of 20 found, and then came the next patients")  # fmt: skip
left.spines["left"].set_visible(False)
counts = np.arange(5, 201)
found = np.ceil(0.95 * counts - 1e-9)
right_axes.plot(
    counts, 100 * beta.sf(0.95, found, counts + 1 - found), color=style.TERNARY, linewidth=1.3
)
right_axes.text(90, 24, "at least 95 % found in validation", color=style.TERNARY, fontsize=9)
right_axes.plot(counts, 100 * beta.sf(0.95, counts, 1), color=style.ACCENT)
right_axes.text(78, 90, "all found", color=style.ACCENT, fontsize=9)
right_axes.plot(59, 100 * beta.sf(0.95, 59, 1), "o", color=style.ACCENT)
right_axes.annotate(f"59 of 59: {100 * beta.sf(0.95, 59, 1):.0f} %", (59, 100 * beta.sf(0.95, 59, 1)), (62, 70),
                    fontsize=9, arrowprops={"arrowstyle": "-", "color": style.MUTED})  # fmt: skip
right_axes.set(xlabel="positives in the validation set", ylabel="promise kept, % of studies", ylim=(0, 104),
               title="A promise of 95 % needs more than 95 %")  # fmt: skip
style.grid_behind(right_axes)
sign(figure)
plt.show()

# %% [markdown]
# The teal saw on the right (its teeth come from rounding up to whole patients) closes in on one half: a threshold that *just* keeps its promise on validation images keeps it on new ones about as often as a coin shows heads, and with 20 positives three times in four it does not. To be safe you ask validation for more than you promise. The orange curve is the strictest way, no positive missed at all; it takes 59 positives until "95 % or more" can be said with 95 % confidence. Statisticians have known the number 59 for eighty years. It says in one line why a validation set with 21 malignant images (BreastMNIST's) cannot support a claim about sensitivity.
#
# (The library's `tt.evaluate.choose_threshold` aims at balanced accuracy, accuracy or F1, also on validation images, and says yes strictly above the threshold, which it puts halfway between two scores. The same warning holds.)

# %% [markdown]
# ## 4 · Yes, but in whom?
#
# Sensitivity looks from the disease to the answer: of the sick, how many hear a yes. A patient looks the other way: *it said yes; am I sick?* That share is the **positive predictive value**, and its partner, the share of those with a no who are indeed well, is the **negative predictive value**. Between the two views stands a number that is no property of the test at all: the **prevalence**, the share of people tested who are sick.
#
# Think of 1,000 people and count. That is all there is to Bayes' rule here.
#
# ### Exercise 11.4: predictive values (2 points)
#
# `predictive_values(sensitivity, specificity, prevalence)` returns `(ppv, npv)`. All are shares; arrays should work as well as numbers.


# %% nbgrader={"grade": false, "grade_id": "11_4_predictive_values", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictive_values(sensitivity, specificity, prevalence):
    """Share of the yeses that are right, and share of the noes that are right."""
    ### BEGIN SOLUTION
    hit, missed = sensitivity * prevalence, (1 - sensitivity) * prevalence
    alarmed, spared = (1 - specificity) * (1 - prevalence), specificity * (1 - prevalence)
    return hit / (hit + alarmed), spared / (spared + missed)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_4_predictive_values_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.4")
def _(predictive_values):
    ppv, npv = predictive_values(0.8, 0.75, 0.2)
    check.close(
        ppv, 16 / 36,
        "Of 100 people 20 are sick, 16 of them hear a yes; of the 80 others a quarter, 20, hear one "
        "too. How many of the 36 are sick?",
    )  # fmt: skip
    check.close(
        npv, 60 / 64, "60 of the well and 4 of the sick hear a no. How many of these are well?"
    )
    check.close(
        predictive_values(0.9, 0.6, 0.5), (0.9 / 1.3, 0.6 / 0.7),
        "Half of the people are sick. Is each share taken of the right group?",
    )  # fmt: skip
    rates = np.array([0.01, 0.1, 0.5])
    check.close(
        np.stack(predictive_values(0.9, 0.9, rates)),
        [[1 / 12, 0.5, 0.9], [0.891 / 0.892, 0.81 / 0.82, 0.9]],
        "Three prevalences at once: a good test, and ever more people who have it.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(116)
    sick, yes = rng.random(5000) < 0.3, rng.random(5000)
    yes = np.where(sick, yes < 0.7, yes < 0.2)
    check.close(
        predictive_values(np.mean(yes[sick]), np.mean(~yes[~sick]), np.mean(sick)),
        (np.mean(sick[yes]), np.mean(~sick[~yes])), "5,000 people, counted one by one.",
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "11_4_predictive_values", "wrong": "sensitivity and specificity themselves"}
def predictive_values(sensitivity, specificity, prevalence):
    return sensitivity + 0 * prevalence, specificity + 0 * prevalence


# %% variant={"of": "11_4_predictive_values", "wrong": "takes the sick and the well for equally many", "says": "Of 100 people"}
def predictive_values(sensitivity, specificity, prevalence):
    return (
        sensitivity / (sensitivity + 1 - specificity) + 0 * prevalence,
        specificity / (specificity + 1 - sensitivity) + 0 * prevalence,
    )


# %% variant={"of": "11_4_predictive_values", "wrong": "the share of all who are found, not of the yeses"}
def predictive_values(sensitivity, specificity, prevalence):
    return sensitivity * prevalence, specificity * (1 - prevalence)


# %% variant={"of": "11_4_predictive_values", "wrong": "the other value is its complement", "says": "hear a no"}
def predictive_values(sensitivity, specificity, prevalence):
    hit, alarmed = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    ppv = hit / (hit + alarmed)
    return ppv, 1 - ppv


# %% variant={"of": "11_4_predictive_values", "right": "by odds"}
def predictive_values(sensitivity, specificity, prevalence):
    odds = prevalence / (1 - prevalence)
    yes, no = odds * sensitivity / (1 - specificity), odds * (1 - sensitivity) / specificity
    return yes / (1 + yes), 1 / (1 + no)


# %% variant={"of": "11_4_predictive_values", "right": "among a million people"}
def predictive_values(sensitivity, specificity, prevalence):
    sick = 1e6 * prevalence
    well = 1e6 - sick
    true_yes, true_no = sensitivity * sick, specificity * well
    return true_yes / (true_yes + well - true_no), true_no / (true_no + sick - true_yes)


# %% [markdown] hints={"of": "11_4_predictive_values"}
# 1. Draw two rows, sick and well, and two columns, yes and no, and write the share of all people into each of the four fields.
# 2. A sensitivity is a share of a row. What the patient asks for is a share of a column.

# %% [markdown]
# **Predict, then run.** A test finds 95 % of the sick and clears 90 % of the well. A town screens everybody for a disease that one person in a hundred has. You get a yes. How likely is it that you have the disease?

# %%
my_guess = None  # percent

ppv, npv = my.predictive_values(0.95, 0.90, 0.01)
check.predicted(my_guess, float(100 * ppv), within=3, unit=" %",
                comment=f"The test is fine; the disease is rare. (A no, though, is right in {100 * npv:.2f} % of cases.)")  # fmt: skip


# %% jupyter={"source_hidden": true}
def draw_people(axes, prevalence, sensitivity=0.95, specificity=0.90):
    """1,000 people as squares: who is sick, and who gets a yes."""
    sick = round(1000 * prevalence)
    hit = round(sick * sensitivity)
    alarmed = round((1000 - sick) * (1 - specificity))
    kinds = np.repeat([0, 1, 2, 3], [hit, sick - hit, alarmed, 1000 - sick - alarmed])
    colors = np.array([style.ACCENT, "#7a2e0e", "#f2c9b4", "#dfe6ea"])
    y, x = np.divmod(np.arange(1000), 40)
    axes.scatter(x, -y, c=colors[kinds], s=15, marker="s", linewidth=0)
    axes.set(xlim=(-1, 40), ylim=(-25.5, 1), xticks=[], yticks=[])
    axes.set_axis_off()
    ppv, _ = my.predictive_values(sensitivity, specificity, prevalence)
    axes.set_title(f"prevalence {100 * prevalence:g} %\n{hit} of {hit + alarmed} yeses are right: {100 * ppv:.0f} %",
                   fontsize=10)  # fmt: skip


figure, stills = plt.subplots(1, 3, figsize=(11, 3.2))
for still, value in zip(stills, (0.3, 0.05, 0.01)):
    draw_people(still, value)
figure.supxlabel("orange: sick, yes   ·   dark: sick, missed   ·   pale orange: well, but yes   ·   grey: well, no",
                 fontsize=9)  # fmt: skip
plt.show()


def move_prevalence(prevalence=0.05, sensitivity=0.95, specificity=0.9):
    _, axes = plt.subplots(figsize=(5.5, 3.7))
    draw_people(axes, prevalence, sensitivity, specificity)
    plt.show()


course.slider(move_prevalence, prevalence=(0.005, 0.5, 0.005), sensitivity=(0.5, 1.0, 0.01),
              specificity=(0.5, 1.0, 0.01))  # fmt: skip

# %% [markdown]
# Move the specificity and not the sensitivity, and watch the pale squares: in a rare disease nearly all yeses come from the large crowd of the well. A good test in a rare disease is mostly wrong when it says yes. That does not make it useless (a yes has made the disease nine times likelier), but it has to be told, and a test set in which half of the images are sick will not tell it: every accuracy, and every precision, belongs to the mixture it was measured on.
#
# Our own network, and what became of it in a real study:

# %%
threshold = my.threshold_for(val_scores, val_sick, 0.95)
sensitivity = float(np.mean(test_scores[test_sick] >= threshold))
specificity = float(np.mean(test_scores[~test_sick] < threshold))
print(
    f"threshold {threshold:.3f}, chosen on validation: sensitivity {sensitivity:.2f}, specificity {specificity:.2f} on test"
)
for prevalence in (np.mean(test_sick), 0.05, 0.01):
    ppv, npv = my.predictive_values(sensitivity, specificity, prevalence)
    print(
        f"   where {100 * prevalence:4.1f} % are two-lobed: a yes is right in {100 * ppv:4.1f} %, a no in {100 * npv:5.2f} %"
    )

# %% jupyter={"source_hidden": true}
# PneumoniaMNIST, the library's recorded ternary students (notebooks/results/pneumoniamnist.json),
# five seeds: test accuracy at a threshold of one half, and at the one best for validation accuracy
AT_HALF = (0.8990, 0.8990, 0.9054, 0.9006, 0.9022)
AT_CHOSEN = (0.7869, 0.8173, 0.8397, 0.8045, 0.8157)
SICK = {"validation": (389, 524), "test": (390, 624)}

figure, (left, right_axes) = plt.subplots(1, 2, figsize=(10, 2.9), width_ratios=(1, 1.5))
shares = [100 * a / b for a, b in SICK.values()]
left.barh(list(SICK), shares, color=[style.FLOAT, style.TERNARY], height=0.55)
for place, value in enumerate(shares):
    left.text(value + 1, place, f"{value:.1f} %", va="center", fontsize=9)
left.set(xlim=(0, 95), xlabel="images with pneumonia, %", title="Another mixture")
left.invert_yaxis()
for a, b in zip(AT_HALF, AT_CHOSEN):
    right_axes.plot([100 * a, 100 * b], [0, 1], "o-", color=style.TERNARY, linewidth=1.2, alpha=0.8)
right_axes.set(yticks=[0, 1], yticklabels=["one half", "best for accuracy\non validation"], ylim=(1.4, -0.4),
               xlabel="test accuracy, % (five seeds)", title="The threshold that was best, and is not")  # fmt: skip
sign(figure, f"PneumoniaMNIST, recorded runs; {style.CLINICAL_NOTE}")
plt.show()

# %% [markdown]
# In PneumoniaMNIST three quarters of the validation images show pneumonia, but five eighths of the test images do. A threshold that was best for *accuracy* on the first leans towards yes, and on the second every seed loses between six and twelve points against plain one half. The network is the same, and so are the images of each kind; only their mixture has changed.
#
# ## 5 · How sure, and of how many?
#
# Lesson 03 put an interval around an accuracy, first by Wilson's formula and then by the bootstrap. Medical journals often want a third one, by **Clopper and Pearson**, called *exact*: it contains every share that would not find what you saw too extreme, counted in binomial probabilities. It never covers less than it promises, and pays for that by being the widest. The one from school, $p \pm 1.96\sqrt{p(1-p)/n}$, named after Wald, is the one to forget:

# %%
from scipy.stats import binomtest

for right_of, n in ((128, 156), (30, 42), (20, 20)):
    p = right_of / n
    half = 1.96 * (p * (1 - p) / n) ** 0.5
    row = {"Wald": (p - half, p + half)}
    for name in ("wilson", "exact"):
        row[name] = tuple(binomtest(right_of, n).proportion_ci(method=name))
    shown = "   ".join(
        f"{name} {100 * low:5.1f} to {100 * high:5.1f}" for name, (low, high) in row.items()
    )
    print(f"{right_of:3} of {n:3}   {100 * p:5.1f} %   {shown}")

# %% [markdown]
# Twenty of twenty: Wald's interval is from 100 to 100 %, absolute certainty after twenty patients. The exact one starts at 83. (A rule for the back of an envelope: after $n$ successes and no failure the failure rate may be as large as $3/n$.)
#
# All of these count *trials*. So, what is a trial? A study writes: *240 images, 204 right, 85 % (exact interval 80 to 89 %)*. There were 40 patients with six images each. Images of one patient are alike, and so are the mistakes: a patient whose anatomy confuses the network confuses it six times.
#
# **Predict, then run.** We draw such studies: 40 patients, six images each, a network that is right on 85 % of images overall, but easy and hard patients (each with a hit rate of their own, from a Beta distribution with mean 0.85). Counting images, we compute a 95 % interval for each study. How many of those intervals contain the 85 %?

# %%
my_guess = None  # percent of the intervals that contain the truth; 95 was promised

TRUE = 0.85


def draw_study(rng, patients=40, images=6):
    """Which images are right (N,), and whose they are (N,)."""
    rate = rng.beta(TRUE, 1 - TRUE, patients)
    return (rng.random((patients, images)) < rate[:, None]).ravel(), np.repeat(
        np.arange(patients), images
    )


rng = np.random.default_rng(5)
studies = [draw_study(rng) for _ in range(1000)]
by_image = [
    binomtest(int(good.sum()), len(good)).proportion_ci(method="exact") for good, _ in studies
]
covered = [low <= TRUE <= high for low, high in by_image]
check.predicted(my_guess, float(100 * np.mean(covered)), within=4, unit=" %",
                comment="An interval that misses nearly every third time, and is printed as 95 %.")  # fmt: skip

# %% [markdown]
# ### Exercise 11.5: an interval that counts patients (3 points)
#
# The bootstrap mends it, if it draws what nature draws. Nature sends *patients*, and each brings their images along.
#
# `cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95)` gets an array that says of each image whose it is (numbers or names, in any order, any number of images each), and a function `statistic(rows)` that computes a figure from an array of image indices. A resample draws as many patients as there are, with replacement, and takes all images of each; a patient who is drawn twice brings theirs twice. Return `(low, high)`, the middle `level` of the resampled figures.
#
# A resample may come without a single sick patient. It has no AUC, and `statistic` returns `nan`: such resamples are left out.


# %% nbgrader={"grade": false, "grade_id": "11_5_cluster_interval", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    """Percentile interval of a figure, from resampled patients."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    images_of = [np.flatnonzero(patients == person) for person in np.unique(patients)]
    values = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(images_of), len(images_of))
        values.append(statistic(np.concatenate([images_of[i] for i in drawn])))
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_5_cluster_interval_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.5")
def _(cluster_interval):
    who = np.array([3, 3, 3, 8, 8, 3, 5])
    drawn = []
    cluster_interval(lambda rows: drawn.append(np.sort(rows)) or 0.0, who, seed=1, resamples=200)
    check.equal(len(drawn), 200, "The figure is computed once for each resample.")
    with check.part("what a resample is", points=2):
        seen = {tuple(rows.tolist()) for rows in drawn}
        groups = {3: [0, 1, 2, 5], 8: [3, 4], 5: [6]}
        possible = {
            tuple(sorted(groups[a] + groups[b] + groups[c]))
            for a in groups for b in groups for c in groups
        }  # fmt: skip
        extra = sorted(seen - possible, key=len)
        check.true(
            not extra,
            f"Patients own the images {groups}. A resample had the images {list(extra[0]) if extra else ''}: "
            "three patients are drawn, and each brings all of theirs, twice if drawn twice.",
        )
        check.true(
            len(seen) == len(possible),
            f"In 200 resamples {len(seen)} different ones came up, of {len(possible)} that are possible: "
            "three patients, with replacement, each as likely as the others.",
        )
    with check.part("the interval", points=1):
        sizes = np.repeat(np.arange(40), 6)
        good = (np.arange(40) < 34)[sizes]
        share = lambda rows: good[rows].mean()  # noqa: E731
        got = cluster_interval(share, sizes, seed=2)
        check.true(np.shape(got) == (2,), "Return two numbers, low and high.")
        check.close(
            got, (0.725, 0.95),
            "40 patients of six images, 34 of them all right: the interval of 34 of 40, not of 204 "
            "of 240.", atol=0.026, rtol=0,
        )  # fmt: skip
        check.close(
            cluster_interval(share, sizes, seed=2, level=0.5), (0.825, 0.9),
            "The middle half of the resamples: is `level` used, with equal tails?", atol=0.026, rtol=0,
        )  # fmt: skip
        calls = iter([np.nan, 1.0, np.nan, 2.0, 3.0] * 40)
        check.close(
            cluster_interval(lambda rows: next(calls), sizes, resamples=200, level=0.9), (1, 3),
            "Where the figure is nan the resample is left out.",
        )  # fmt: skip
        known = iter(range(200))
        check.close(
            cluster_interval(lambda rows: float(next(known)), sizes, resamples=200, level=0.9),
            (9.95, 189.05),
            "The figures of 200 resamples are 0, 1, 2, ... 199: a level of 0.9 cuts off a twentieth "
            "on each side.", atol=1.01, rtol=0,
        )  # fmt: skip
        a, b = (cluster_interval(share, sizes, seed=7, resamples=11) for _ in range(2))
        check.equal(a, b, "The same seed should give the same interval.")
        seeds = {tuple(cluster_interval(share, sizes, seed=s, resamples=11)) for s in range(12)}
        check.true(len(seeds) > 3, "Twelve seeds, hardly another interval: is `seed` used?")
    ### BEGIN HIDDEN TESTS
    times = []
    cluster_interval(
        lambda rows: times.append(np.bincount(rows, minlength=3)) or 0.0,
        np.arange(3),
        resamples=600,
    )
    check.close(
        np.mean(times, axis=0), np.ones(3),
        "Three patients of one image each: over many resamples each is drawn equally often.", atol=0.12, rtol=0,
    )  # fmt: skip
    names = np.array(["b", "a", "b", "c", "a", "b"])
    lengths = set()
    cluster_interval(lambda rows: lengths.add(len(rows)) or 0.0, names, resamples=300)
    check.equal(sorted(lengths), [3, 4, 5, 6, 7, 8, 9], "Names in place of numbers, in any order.")
    ### END HIDDEN TESTS


# %% variant={"of": "11_5_cluster_interval", "wrong": "draws images", "says": "all of theirs"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    rng = np.random.default_rng(seed)
    n = len(patients)
    values = [statistic(rng.integers(0, n, n)) for _ in range(resamples)]
    return tuple(np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2]))


# %% variant={"of": "11_5_cluster_interval", "wrong": "a patient drawn twice counts once", "says": "twice if drawn twice"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    rng = np.random.default_rng(seed)
    people = np.unique(patients)
    values = [
        statistic(np.flatnonzero(np.isin(patients, rng.choice(people, len(people)))))
        for _ in range(resamples)
    ]
    return tuple(np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2]))


# %% variant={"of": "11_5_cluster_interval", "wrong": "without replacement", "says": "with replacement"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    values = [
        statistic(np.concatenate([rows[i] for i in rng.permutation(len(rows))]))
        for _ in range(resamples)
    ]
    return tuple(np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2]))


# %% variant={"of": "11_5_cluster_interval", "wrong": "draws images of drawn patients anew", "says": "all of theirs"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    values = []
    for _ in range(resamples):
        picked = [rows[i] for i in rng.integers(0, len(rows), len(rows))]
        values.append(statistic(np.concatenate([rng.choice(r, len(r)) for r in picked])))
    return tuple(np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2]))


# %% variant={"of": "11_5_cluster_interval", "wrong": "nan spoils everything", "says": "left out"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    values = []
    for _ in range(resamples):
        values.append(
            statistic(np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))]))
        )
    return tuple(np.quantile(values, [(1 - level) / 2, (1 + level) / 2]))


# %% variant={"of": "11_5_cluster_interval", "wrong": "both tails at once: too narrow", "says": "equal tails"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    values = []
    for _ in range(resamples):
        values.append(
            statistic(np.concatenate([rows[i] for i in rng.integers(0, len(rows), len(rows))]))
        )
    return tuple(np.nanquantile(values, [1 - level, level]))


# %% variant={"of": "11_5_cluster_interval", "right": "a dictionary of lists"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    import random

    dice = random.Random(seed)
    owned = {}
    for row, person in enumerate(patients.tolist()):
        owned.setdefault(person, []).append(row)
    people = sorted(owned)
    values = []
    for _ in range(resamples):
        rows = [row for person in dice.choices(people, k=len(people)) for row in owned[person]]
        values.append(statistic(np.array(rows)))
    known = np.sort([v for v in values if not np.isnan(v)])
    return np.quantile(known, (1 - level) / 2), np.quantile(known, (1 + level) / 2)


# %% variant={"of": "11_5_cluster_interval", "right": "counts of patients, rows repeated"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    rng = np.random.default_rng(seed)
    people, whose = np.unique(patients, return_inverse=True)
    values = []
    for _ in range(resamples):
        times = np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people))
        values.append(statistic(np.repeat(np.arange(len(patients)), times[whose])))
    values = np.array(values)
    return tuple(np.quantile(values[~np.isnan(values)], [(1 - level) / 2, 1 - (1 - level) / 2]))


# %% [markdown] hints={"of": "11_5_cluster_interval"}
# 1. Lesson 03's bootstrap drew numbers below the number of images. What should the numbers count now?
# 2. Make a list first with one array of row numbers for each patient (`np.unique`, `np.flatnonzero`). A resample joins as many of those arrays as there are patients.
# 3. `np.nanquantile` is a quantile that leaves out what is not a number.

# %% jupyter={"source_hidden": true}
by_patient = [my.cluster_interval(lambda rows, good=good: good[rows].mean(), whose, seed=s, resamples=200)
              for s, (good, whose) in enumerate(studies[:150])]  # fmt: skip
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.3), sharey=True)
for axis, found, title in zip(
    axes, (by_image, by_patient), ("Counting images", "Counting patients")
):
    inside = np.array([low <= TRUE <= high for low, high in found])
    for place, ((low, high), good) in enumerate(zip(found[:50], inside)):
        axis.vlines(
            place, 100 * low, 100 * high, color=style.TERNARY if good else style.ACCENT, linewidth=2
        )
    axis.axhline(100 * TRUE, color=style.INK, linewidth=1, linestyle=":")
    axis.set(
        xticks=[],
        xlabel="fifty studies",
        title=f"{title}: {100 * inside.mean():.0f} % hold the truth",
    )
axes[0].set_ylabel("95 % interval, %")
plt.show()
print(
    f"intervals by patient are {np.mean(np.ptp(by_patient, axis=1)) / np.mean([b - a for a, b in by_image]):.1f} times as wide"
)

# %% [markdown]
# Wider, and true to what they say, nearly: with few patients the percentile bootstrap still covers a little less than it promises. The honest interval is not worse, it is what you know. If a paper tells you the number of images and not the number of patients, you do not have its interval.
#
# The function takes any statistic, and that is the point of the bootstrap. The area under the ROC curve, for instance: the share of all pairs of a sick and a healthy image in which the sick one scores higher. No threshold is in it and no prevalence, which is its strength (and its weakness: nobody is ever treated by an AUC).


# %%
def test_auc(rows):
    """AUC of "two-lobed" on some rows of the test images."""
    return tt.evaluate.auc(test_sick[rows].astype(int), test_scores[rows], "binary-class")


everybody = np.arange(len(test_sick))  # each drawn cell is a patient of its own
low, high = my.cluster_interval(test_auc, everybody, resamples=300)
print(f"AUC {test_auc(everybody):.3f}, 95 % interval {low:.3f} to {high:.3f}")

# %% [markdown]
# ## 6 · Weather
#
# The test images came from the same microscope on the same good day as the training images. In use there will be noise, a lens out of focus, a lamp that ages, a JPEG where there used to be none. The library draws such weather (`tt.data.corrupt`, thirteen kinds at five severities, after ImageNet-C and MedMNIST-C). Here are six kinds at severity 3. Would any of them make *you* err?

# %% jupyter={"source_hidden": true}
KINDS = ("gaussian_noise", "defocus", "contrast", "brighter", "uneven_light", "jpeg")
weather = cells.test.subset(slice(0, 300))
figure, axes = plt.subplots(2, 7, figsize=(10.5, 3.3))
for line, row in zip(axes, (2, 4)):
    shown = {"as taken": weather.images[row]} | {
        kind: tt.data.corrupt(weather.images, kind, 3)[row] for kind in KINDS
    }
    for axis, (kind, image) in zip(line, shown.items()):
        axis.imshow(image)
        axis.set(xticks=[], yticks=[])
        if row == 2:
            axis.set_title(kind.replace("_", " "), fontsize=9.5)
figure.suptitle(
    "Severity 3 of 5: a cell is a cell", x=0.01, ha="left", fontsize=11, fontweight="bold"
)
figure.supxlabel(style.SYNTHETIC_NOTE, fontsize=8, color=style.MUTED, x=0.99, ha="right")
plt.show()

# %% [markdown]
# **Predict, then run.** On the 300 clean images our ternary network is right as often as the cell says. The light now falls off to one side (*uneven light*, severity 3). How often is it right on those?


# %%
def share_right(run, images):
    return float(np.mean(logits_of(run, images).argmax(axis=1) == weather.labels))


print(f"clean: {100 * share_right(run, weather.images):.0f} %")
my_guess = None  # percent right under uneven light, severity 3

in_bad_light = share_right(run, tt.data.corrupt(weather.images, "uneven_light", 3))
check.predicted(my_guess, 100 * in_bad_light, within=5, unit=" %",
                comment="Chance is 25 %. Nobody had told the network that lamps fail.")  # fmt: skip

# %% [markdown]
# Accuracies under six kinds of weather at five severities are thirty numbers for each network. To compare networks one wants few, and the custom is to measure against a *baseline*: for each kind, the errors over all severities, divided by the baseline's errors over the same severities. The **corruption error** is the mean of those quotients over the kinds. Below 1, the network stands the weather better than the baseline. (ImageNet-C takes AlexNet as its baseline, and so does MedMNIST-C, with balanced errors.)
#
# ### Exercise 11.6: corruption error (1 point)
#
# `corruption_error(wrong, baseline)` gets two dictionaries with the same kinds, each naming a list of error shares by severity. Sum over the severities first, then divide, then take the mean over the kinds. A kind under which the baseline makes no error at all has no quotient: leave it out.


# %% nbgrader={"grade": false, "grade_id": "11_6_corruption_error", "locked": false, "schema_version": 3, "solution": true, "task": false}
def corruption_error(wrong, baseline):
    """Mean over kinds of a network's summed errors over a baseline's."""
    ### BEGIN SOLUTION
    quotients = [sum(wrong[kind]) / sum(baseline[kind]) for kind in wrong if sum(baseline[kind])]
    return float(np.mean(quotients))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_6_corruption_error_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.6")
def _(corruption_error):
    wrong = {"noise": [0.1, 0.2, 0.6], "blur": [0.2, 0.2, 0.2]}
    check.close(
        corruption_error(wrong, {"noise": [0.1, 0.1, 0.1], "blur": [0.2, 0.3, 0.7]}), 1.75,
        "Noise: 0.9 against 0.3, three times the errors; blur: 0.6 against 1.2, half of them. First "
        "the sums over severities, then the quotient of each kind, then their mean.",
    )  # fmt: skip
    check.close(
        corruption_error(
            {"a": [0.3], "b": [0.4, 0.4], "c": [0.1]}, {"c": [0.0], "b": [0.2, 0.6], "a": [0.1]}
        ),
        2.0,
        "Kinds come in any order, and one under which the baseline never errs is left out.",
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(117)
    one, two = ({kind: list(rng.random(5)) for kind in "abcd"} for _ in range(2))
    want = np.mean([np.sum(one[k]) / np.sum(two[k]) for k in "abcd"])
    check.close(corruption_error(one, two), want, "Four kinds at five severities.")
    check.close(
        corruption_error({"a": [0.1, 0.3], "b": [0.2, 0.2]}, {"a": [0.0, 0.2], "b": [0.2, 0.2]}), 1.5,
        "The baseline makes no error at one severity of a, but at the other: its sum is 0.2, and the "
        "quotient 2.",
    )  # fmt: skip
    check.close(
        corruption_error({"a": [0.0, 0.0], "b": [0.2, 0.2]}, {"a": [0.1, 0.3], "b": [0.2, 0.2]}), 0.5,
        "The network makes no error under a, and the baseline does: a quotient of 0, which counts.",
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "11_6_corruption_error", "wrong": "quotients by severity", "says": "First the sums"}
def corruption_error(wrong, baseline):
    return float(
        np.mean([np.mean(np.divide(wrong[k], baseline[k])) for k in wrong if sum(baseline[k])])
    )


# %% variant={"of": "11_6_corruption_error", "wrong": "one quotient of all errors", "says": "quotient of each kind"}
def corruption_error(wrong, baseline):
    return sum(map(sum, wrong.values())) / sum(map(sum, baseline.values()))


# %% variant={"of": "11_6_corruption_error", "wrong": "upside down"}
def corruption_error(wrong, baseline):
    return float(np.mean([sum(baseline[k]) / sum(wrong[k]) for k in wrong if sum(baseline[k])]))


# %% variant={"of": "11_6_corruption_error", "wrong": "takes the kinds in the order they come"}
def corruption_error(wrong, baseline):
    pairs = zip(wrong.values(), baseline.values())
    return float(np.mean([sum(a) / sum(b) for a, b in pairs if sum(b)]))


# %% variant={"of": "11_6_corruption_error", "wrong": "counts a kind without quotient as 0", "says": "left out"}
def corruption_error(wrong, baseline):
    return float(
        np.mean([sum(wrong[k]) / sum(baseline[k]) if sum(baseline[k]) else 0 for k in wrong])
    )


# %% variant={"of": "11_6_corruption_error", "right": "a running total"}
def corruption_error(wrong, baseline):
    total, kinds = 0.0, 0
    for kind, errors in baseline.items():
        if np.sum(errors) > 0:
            total += np.sum(wrong[kind]) / np.sum(errors)
            kinds += 1
    return total / kinds


# %% variant={"of": "11_6_corruption_error", "right": "quotients of means, which are the same"}
def corruption_error(wrong, baseline):
    usable = [k for k in wrong if any(baseline[k])]
    return sum(np.mean(wrong[k]) / np.mean(baseline[k]) for k in usable) / len(usable)


# %% [markdown] hints={"of": "11_6_corruption_error"}
# 1. Go kind by kind, and look the baseline up by its name.
# 2. Three steps in this order: sums over severities, a quotient, a mean. Which kinds have no quotient?

# %% [markdown]
# Our baseline is the float network of section 2, of the same shape and trained on the same images.

# %%
wrong = {
    name: {kind: [1 - share_right(each, tt.data.corrupt(weather.images, kind, severity))
                  for severity in (1, 2, 3, 4, 5)] for kind in KINDS}
    for name, each in (("ternary", run), ("float", float_run))
}  # fmt: skip
print(
    f"clean: ternary {100 * share_right(run, weather.images):.1f} %, float {100 * share_right(float_run, weather.images):.1f} %"
)
print(
    f"corruption error of the ternary network against the float one: {my.corruption_error(wrong['ternary'], wrong['float']):.2f}"
)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 6, figsize=(11, 2.5), sharey=True)
for axis, kind in zip(axes, KINDS):
    for name, each, color in (("float", float_run, style.FLOAT), ("ternary", run, style.TERNARY)):
        axis.plot(range(6), [100 * share_right(each, weather.images), *(100 - 100 * np.array(wrong[name][kind]))],
                  color=color, label=name)  # fmt: skip
    axis.axhline(25, color=style.MUTED, linestyle=":", linewidth=1.2)
    axis.set(title=kind.replace("_", " "), xticks=range(6), xlabel="severity", ylim=(15, 100))
axes[0].set_ylabel("right, %")
axes[0].legend(fontsize=8.5, loc="lower left", bbox_to_anchor=(0, 0.12))
axes[0].text(5, 26, "chance", color=style.MUTED, fontsize=8.5, ha="right", va="bottom")
sign(figure)
plt.show()

# %% [markdown]
# Both networks fall, in the same places: what they lack is not bits but bad weather in training. Being ternary costs a little on top. Blur, which a person would complain about first, does least; light and contrast, which a person hardly notices, do most. Where your network is weak you learn from a picture like this one, and not from thinking about it. And the cure is known, training images with weather in them (`tt.data.AUGMENTATIONS` lists what the library draws): whoever may *train* on the weather will stand it better, so a comparison has to say who did.
#
# ## 7 · Where does it look?
#
# A vision transformer comes with something that looks like an explanation for free. Its attention says how much each patch is looked at, and drawn over the image it glows on the cell and not on the background. It is in half the papers, and it is what a clinician is shown: *the network looked at the lesion*.
#
# Below, the attention that the 49 patches receive in the last block, averaged over heads and over the patches that give it.

# %% jupyter={"source_hidden": true}
looked = cells.test.subset(slice(0, 200))
record = {}
with tt.no_grad():
    run.model.eval()
    run.model(run.preprocessing(looked.images), record)
attention = record["blocks.1.attn"].mean(axis=(1, 2))  # (200, 49): received, last block
answers = softmax(logits_of(run, looked.images), axis=1)
said = answers.argmax(axis=1)

figure, axes = plt.subplots(2, 8, figsize=(11, 3.4))
for column, row in enumerate(range(8, 16)):
    axes[0, column].imshow(looked.images[row])
    axes[0, column].set_title(f"{NAMES[said[row]]}\n{100 * answers[row].max():.0f} %", fontsize=9)
    axes[1, column].imshow(looked.images[row])
    axes[1, column].imshow(attention[row].reshape(7, 7), cmap="inferno", alpha=0.6,
                           extent=(-0.5, 27.5, 27.5, -0.5), interpolation="bilinear")  # fmt: skip
    for axis in axes[:, column]:
        axis.set(xticks=[], yticks=[])
axes[1, 0].set_ylabel("attention")
sign(figure)
plt.show()

# %% [markdown]
# Convincing? On most of them it glows on the cell. Now let us ask what an explanation would have to *do*. If these patches are why the network gave its answer, then taking them away should take the answer away, faster than taking away others. That is a **deletion test** (Samek and others, 2017; Petsiuk and others, 2018): remove patches in the order of their importance, most important first, watch the score of the answer, and compare with other orders. The faster it falls, the more *faithful* the order.
#
# ### Exercise 11.7: a deletion test (3 points)
#
# `deletion_curve(answer, image, order, fill, step=7, patch=4)` removes patches and records what is left of the score.
#
# - `answer(images)` gives one score for each of a stack of images (N, H, W, C);
# - `image` is one image (H, W, C), made of square patches of `patch` pixels, numbered row by row from the upper left;
# - `order` lists the numbers of all patches, most important first; a removed patch gets the colour `fill` in all its pixels, and stays removed;
# - `step` patches are removed at a time. If the last lot is smaller, it is removed all the same.
#
# Return the scores as an array: first of the whole image, then after each lot. The image you are given stays as it is.


# %% nbgrader={"grade": false, "grade_id": "11_7_deletion_curve", "locked": false, "schema_version": 3, "solution": true, "task": false}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    """Scores of an image as its patches are removed, `step` at a time, in this order."""
    ### BEGIN SOLUTION
    across = image.shape[1] // patch
    left = image.copy()
    stages = [image]
    for start in range(0, len(order), step):
        for place in order[start : start + step]:
            y, x = divmod(int(place), across)
            left[y * patch : (y + 1) * patch, x * patch : (x + 1) * patch] = fill
        stages.append(left.copy())
    return np.asarray(answer(np.stack(stages)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_7_deletion_curve_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.7")
def _(deletion_curve):
    image = np.zeros((4, 6, 1), np.uint8)
    for place in range(6):
        y, x = divmod(place, 3)
        image[2 * y : 2 * y + 2, 2 * x : 2 * x + 2] = 10 * (place + 1)
    kept = image.copy()
    light = lambda images: np.asarray(images, float).sum(axis=(1, 2, 3))  # noqa: E731
    order = np.array([5, 0, 3, 1, 4, 2])
    with check.part("the order", points=2):
        got = deletion_curve(light, image, order, 0, step=1, patch=2)
        check.equal(image, kept, "The image you were given has changed: work on a copy.")
        check.equal(
            got, [840, 600, 560, 400, 320, 120, 0],
            "Six patches of four pixels, of brightness 10, 20, 30 in the first row and 40, 50, 60 in the second. The "
            "first number is the whole image's, then 5 goes (60), then 0 (10), and what is gone "
            "stays gone.",
        )  # fmt: skip
        check.equal(
            deletion_curve(light, image, order, 0, step=4, patch=2), [840, 320, 0],
            "Four at a time: after the first lot two are left, and they are the last lot.",
        )  # fmt: skip
    with check.part("the fill", points=1):
        color = np.zeros((4, 4, 3), np.uint8)
        tint = np.array([1, 2, 3], np.uint8)
        got = deletion_curve(
            lambda images: np.asarray(images)[:, :, :, 2].sum(axis=(1, 2)), color, [3, 0, 1, 2], tint, step=2, patch=2,
        )  # fmt: skip
        check.equal(
            got, [0, 24, 48], "A removed patch gets the fill's colour, each channel its own."
        )
        check.true(not color.any(), "The image you were given has changed: work on a copy.")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(118)
    big = rng.integers(0, 256, (28, 28, 3)).astype(np.uint8)
    order = rng.permutation(49)
    fill = np.array([90, 100, 110], np.uint8)
    weights = rng.normal(size=(28, 28, 3))
    got = deletion_curve(
        lambda images: (np.asarray(images, float) * weights).sum(axis=(1, 2, 3)), big, order, fill
    )
    gone = np.argsort(order).reshape(7, 7).repeat(4, 0).repeat(4, 1)[..., None]
    want = [np.sum(np.where(gone < n, fill, big) * weights) for n in range(0, 50, 7)]
    check.close(got, want, "A random image of 7 x 7 patches, seven at a time.")
    ### END HIDDEN TESTS


# %% variant={"of": "11_7_deletion_curve", "wrong": "every stage is the same array", "says": "whole image"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    across = image.shape[1] // patch
    left = image.copy()
    stages = [left]
    for start in range(0, len(order), step):
        for place in order[start : start + step]:
            y, x = divmod(int(place), across)
            left[y * patch : (y + 1) * patch, x * patch : (x + 1) * patch] = fill
        stages.append(left)
    return answer(np.stack(stages))


# %% variant={"of": "11_7_deletion_curve", "wrong": "columns first"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    across = image.shape[1] // patch
    left = image.copy()
    stages = [image]
    for start in range(0, len(order), step):
        for place in order[start : start + step]:
            x, y = divmod(int(place), across)
            left[y * patch : (y + 1) * patch, x * patch : (x + 1) * patch] = fill
        stages.append(left.copy())
    return answer(np.stack(stages))


# %% variant={"of": "11_7_deletion_curve", "wrong": "each lot from the whole image", "says": "stays gone"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    across = image.shape[1] // patch
    stages = [image]
    for start in range(0, len(order), step):
        left = image.copy()
        for place in order[start : start + step]:
            y, x = divmod(int(place), across)
            left[y * patch : (y + 1) * patch, x * patch : (x + 1) * patch] = fill
        stages.append(left)
    return answer(np.stack(stages))


# %% variant={"of": "11_7_deletion_curve", "wrong": "leaves the last, smaller lot in", "says": "last lot"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    across = image.shape[1] // patch
    left = image.copy()
    stages = [image]
    for start in range(0, len(order) - step + 1, step):
        for place in order[start : start + step]:
            y, x = divmod(int(place), across)
            left[y * patch : (y + 1) * patch, x * patch : (x + 1) * patch] = fill
        stages.append(left.copy())
    return answer(np.stack(stages))


# %% variant={"of": "11_7_deletion_curve", "wrong": "writes into the image", "says": "work on a copy"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    across = image.shape[1] // patch
    stages = [image.copy()]
    for start in range(0, len(order), step):
        for place in order[start : start + step]:
            y, x = divmod(int(place), across)
            image[y * patch : (y + 1) * patch, x * patch : (x + 1) * patch] = fill
        stages.append(image.copy())
    return answer(np.stack(stages))


# %% variant={"of": "11_7_deletion_curve", "wrong": "least important first"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    across = image.shape[1] // patch
    left = image.copy()
    stages = [image]
    order = np.asarray(order)[::-1]
    for start in range(0, len(order), step):
        for place in order[start : start + step]:
            y, x = divmod(int(place), across)
            left[y * patch : (y + 1) * patch, x * patch : (x + 1) * patch] = fill
        stages.append(left.copy())
    return answer(np.stack(stages))


# %% variant={"of": "11_7_deletion_curve", "wrong": "grey for every channel", "says": "each channel"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    across = image.shape[1] // patch
    left = image.copy()
    stages = [image]
    for start in range(0, len(order), step):
        for place in order[start : start + step]:
            y, x = divmod(int(place), across)
            left[y * patch : (y + 1) * patch, x * patch : (x + 1) * patch] = np.mean(fill)
        stages.append(left.copy())
    return answer(np.stack(stages))


# %% variant={"of": "11_7_deletion_curve", "right": "a rank for each patch, and masks"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    down, across = image.shape[0] // patch, image.shape[1] // patch
    rank = np.empty(down * across, int)
    rank[np.asarray(order)] = np.arange(len(order))
    rank = np.kron(rank.reshape(down, across), np.ones((patch, patch), int))[..., None]
    lots = -(-len(order) // step)
    return np.array(
        answer(np.stack([np.where(rank < n * step, fill, image) for n in range(lots + 1)]))
    )


# %% variant={"of": "11_7_deletion_curve", "right": "one stage at a time, asked one by one"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    left, scores = np.array(image), [answer(image[None])[0]]
    for n, place in enumerate(order, 1):
        y, x = place // (image.shape[1] // patch) * patch, place % (image.shape[1] // patch) * patch
        left[y : y + patch, x : x + patch, :] = fill
        if n % step == 0 or n == len(order):
            scores.append(answer(left[None])[0])
    return np.array(scores)


# %% [markdown] hints={"of": "11_7_deletion_curve"}
# 1. Patch 9 of a 7 x 7 grid lies in which row and which column? `divmod` knows. Which pixels are those?
# 2. Keep one image that loses patches as you go, and put a *copy* of it on a list after each lot. What happens to a list of the same array seven times?
# 3. `range(0, len(order), step)` starts each lot, also the last and smaller one; a slice that reaches beyond the end just ends.

# %% [markdown]
# Four orders for 200 test images. The **own** attention map of each image, as drawn above. **Somebody else's**: the map of another image, which knows this network but has never seen this cell. The distance from the **middle** of the picture, which knows neither the network nor the image. And **random**.
#
# **Predict, then run.** Which order takes the answer away fastest: `"own"`, `"somebody else's"`, `"middle"` or `"random"`?

# %%
my_guess = None  # "own", "somebody else's", "middle" or "random"

rng = np.random.default_rng(7)
y, x = np.divmod(np.arange(49), 7)
orders = {
    "own": np.argsort(-attention, axis=1),
    "somebody else's": np.argsort(-np.roll(attention, 1, axis=0), axis=1),
    "middle": np.argsort((y - 3) ** 2 + (x - 3) ** 2 + 0.01 * rng.random((200, 49)), axis=1),
    "random": np.argsort(rng.random((200, 49)), axis=1),
}
FILL = np.rint(cells.train.images.mean(axis=(0, 1, 2))).astype(np.uint8)
curves = {}
for name, of_images in orders.items():
    scored = []
    for image, order, label in zip(looked.images, of_images, said):
        scored.append(my.deletion_curve(
            lambda images, label=label: softmax(logits_of(run, images), axis=1)[:, label], image, order, FILL,
        ))  # fmt: skip
    curves[name] = np.array(scored)  # (200, 8)
areas = {name: (c[:, 1:] + c[:, :-1]).mean(axis=1) / 2 for name, c in curves.items()}
check.predicted(my_guess, min(areas, key=lambda name: areas[name].mean()),
                comment="Mean area below the curve: " + ", ".join(f"{n} {a.mean():.3f}" for n, a in areas.items()) + ".")  # fmt: skip

# %% jupyter={"source_hidden": true}
SHADES = {
    "own": style.TERNARY,
    "somebody else's": style.SERIES[3],
    "middle": style.ACCENT,
    "random": style.FLOAT,
}
figure, (left, right_axes) = plt.subplots(1, 2, figsize=(10.5, 3.4), width_ratios=(1.15, 1))
for name, curve in curves.items():
    left.plot(
        np.arange(0, 50, 7),
        curve.mean(axis=0),
        "o-",
        markersize=3.5,
        color=SHADES[name],
        label=name,
    )
left.set(xlabel="patches removed", ylabel="probability of the answer", ylim=(0, 1), xticks=range(0, 50, 7),
         title="The map beats chance; the bull's eye beats the map")  # fmt: skip
left.legend(fontsize=9)
style.grid_behind(left)
for place, name in enumerate(("random", "somebody else's", "middle")):
    gap = areas["own"] - areas[name]
    low, high = my.cluster_interval(
        lambda rows, gap=gap: gap[rows].mean(), np.arange(200), resamples=500
    )
    right_axes.hlines(place, low, high, color=SHADES[name], linewidth=3)
    right_axes.plot(gap.mean(), place, "o", color=SHADES[name])
right_axes.axvline(0, color=style.INK, linewidth=1, linestyle=":")
right_axes.set(yticks=range(3), yticklabels=["own - random", "own - else's", "own - middle"], ylim=(2.5, -0.5),
               xlabel="area of own map minus the other's\n← own more faithful        own less faithful →",
               title="Paired, with 95 % intervals")  # fmt: skip
sign(figure)
plt.show()

# %% [markdown]
# Against *random*, the only comparison that many papers make, the attention map wins, and one could write: *attention explains the decision*. Against two rivals that a biostatistician would call **controls**, it does not. The map of another image does about as well (to within a few hundredths, one way or the other), so whatever the map says, little of it is about *this* image. And the middle of the picture, which explains nothing, does better, in at least four of the five networks that we trained from other seeds (which four, if it is four, depends on the order in which a processor adds). The map is right about where cells tend to be. That was never the question.
#
# A fair word for attention: it is what the network *computes with*, a true intermediate result, good for finding bugs. And a fair word against the test: images with grey holes are weather that the network has not met, so the curves measure the holes too. But all four orders cut the same holes.
#
# This is an old lesson. Adebayo and others (2018) randomised the weights of networks and found that several kinds of saliency map hardly changed. Ask of every explanation what it would look like if it were wrong.

# %% [markdown]
# ## 8 · Have we met?
#
# Lesson 03's network predicted coin flips, because images of one patient lay on both sides of the split. There we knew whose image was whose. Usually nobody tells you. But images of one examination *look* alike, and that can be computed.
#
# The similarity for the purpose is the **correlation of the pixels**: subtract from each image its mean, divide by its length, and take the scalar product. It is 1 for the same picture, also at another brightness or contrast, and near 0 for pictures that have nothing to do with each other.
#
# ### Exercise 11.8: look-alikes (2 points)
#
# `correlations(images, others)` gets two stacks of bytes, (N, H, W, C) and (M, H, W, C), and returns the correlation of each image with each of the others, (N, M). An image without any contrast has correlation 0 with everything.
#
# `nearest(images, others)` returns for each image the highest of its correlations, and which of the others it belongs to: two arrays (N,).


# %% nbgrader={"grade": false, "grade_id": "11_8_nearest", "locked": false, "schema_version": 3, "solution": true, "task": false}
def correlations(images, others):
    """Correlation of the pixels of each image with each other one: (N, M)."""
    ### BEGIN SOLUTION
    units = []
    for stack in (images, others):
        flat = stack.reshape(len(stack), -1).astype(np.float64)
        flat -= flat.mean(axis=1, keepdims=True)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        units.append(flat / np.where(length > 0, length, 1))
    return units[0] @ units[1].T
    ### END SOLUTION


def nearest(images, others):
    """Highest correlation of each image, and which of the others has it."""
    ### BEGIN SOLUTION
    table = correlations(images, others)
    return table.max(axis=1), table.argmax(axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_8_nearest_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.8")
def _(correlations, nearest):
    a = np.array([[[10, 20], [30, 40]], [[40, 30], [20, 10]]], np.uint8)[..., None]
    b = np.array([[[110, 120], [130, 140]], [[0, 0], [0, 240]], [[7, 7], [7, 7]]], np.uint8)[
        ..., None
    ]
    with check.part("correlations", points=1):
        got = correlations(a, b)
        check.true(
            np.shape(got) == (2, 3), "One row for each image, one column for each of the others."
        )
        check.close(
            got[:, 0], [1, -1],
            "The same picture, 100 brighter, has correlation 1, and its negative -1. Is the mean "
            "taken off each image, and in floating point?",
        )  # fmt: skip
        check.close(
            got[:, 1], np.array([1, -1]) * 0.7745966692,
            "Correlation of 10, 20, 30, 40 with 0, 0, 0, 240. Each image is divided by its length, "
            "once its own mean is off.",
        )  # fmt: skip
        check.close(got[:, 2], [0, 0], "An image without contrast has correlation 0, not nan.")
        ### BEGIN HIDDEN TESTS
        faint = np.array([[[7, 8], [7, 7]]], np.uint8)[..., None]
        check.close(correlations(faint, faint), [[1]], "A faint picture, with itself.")
        rng = np.random.default_rng(119)
        x, y = (rng.integers(0, 256, (n, 9, 7, 3)).astype(np.uint8) for n in (5, 6))
        want = np.corrcoef(x.reshape(5, -1), y.reshape(6, -1))[:5, 5:]
        before = x.copy()
        check.close(correlations(x, y), want, "Random color images.", atol=1e-5)
        check.equal(x, before, "The images you were given have changed: work on a copy.")
        ### END HIDDEN TESTS
    with check.part("the nearest", points=1):
        value, which = nearest(a, b)
        check.equal(
            which, [0, 2], "The nearest is the one with the highest correlation, -1 is the lowest."
        )
        check.close(value, [1, 0], "And its correlation.", atol=1e-9)
        ### BEGIN HIDDEN TESTS
        value, which = nearest(y, np.concatenate([x, y[::-1]]))
        check.equal(which, 5 + np.arange(6)[::-1], "Each image among others, itself included.")
        check.close(value, np.ones(6), "An image's correlation with itself.")
        ### END HIDDEN TESTS


# %% variant={"of": "11_8_nearest", "wrong": "bytes multiplied as bytes", "says": "floating point"}
def correlations(images, others):
    return (images.reshape(len(images), -1) @ others.reshape(len(others), -1).T).astype(float)


def nearest(images, others):
    table = correlations(images, others)
    return table.max(axis=1), table.argmax(axis=1)


# %% variant={"of": "11_8_nearest", "wrong": "the mean stays: brightness counts", "says": "mean"}
def correlations(images, others):
    units = []
    for stack in (images, others):
        flat = stack.reshape(len(stack), -1).astype(float)
        units.append(flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12))
    return units[0] @ units[1].T


def nearest(images, others):
    table = correlations(images, others)
    return table.max(axis=1), table.argmax(axis=1)


# %% variant={"of": "11_8_nearest", "wrong": "the mean of all images, not of each", "says": "each image"}
def correlations(images, others):
    units = []
    for stack in (images, others):
        flat = stack.reshape(len(stack), -1).astype(float)
        flat = flat - flat.mean()
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        units.append(flat / np.where(length > 0, length, 1))
    return units[0] @ units[1].T


def nearest(images, others):
    table = correlations(images, others)
    return table.max(axis=1), table.argmax(axis=1)


# %% variant={"of": "11_8_nearest", "wrong": "nan for an image without contrast", "says": "not nan"}
def correlations(images, others):
    rows = np.concatenate([s.reshape(len(s), -1).astype(float) for s in (images, others)])
    with np.errstate(all="ignore"):
        return np.corrcoef(rows)[: len(images), len(images) :]


def nearest(images, others):
    table = correlations(images, others)
    return table.max(axis=1), table.argmax(axis=1)


# %% variant={"of": "11_8_nearest", "wrong": "the size of the correlation: a negative counts as near", "says": "-1 is the lowest"}
def correlations(images, others):
    units = []
    for stack in (images, others):
        flat = stack.reshape(len(stack), -1).astype(float)
        flat = flat - flat.mean(axis=1, keepdims=True)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        units.append(flat / np.where(length > 0, length, 1))
    return units[0] @ units[1].T


def nearest(images, others):
    table = np.abs(correlations(images, others))
    return table.max(axis=1), table.argmax(axis=1)


# %% variant={"of": "11_8_nearest", "right": "corrcoef, mended"}
def correlations(images, others):
    rows = np.concatenate([s.reshape(len(s), -1).astype(float) for s in (images, others)])
    with np.errstate(all="ignore"):
        table = np.corrcoef(rows)[: len(images), len(images) :]
    return np.nan_to_num(table)


def nearest(images, others):
    table = correlations(images, others)
    which = np.argmax(table, axis=1)
    return np.take_along_axis(table, which[:, None], axis=1)[:, 0], which


# %% variant={"of": "11_8_nearest", "right": "pair by pair"}
def correlations(images, others):
    def one(p, q):
        p, q = p.ravel() - p.mean(), q.ravel() - q.mean()
        size = np.sqrt((p @ p) * (q @ q))
        return p @ q / size if size else 0.0

    return np.array([[one(p, q) for q in others] for p in images])


def nearest(images, others):
    rows = correlations(images, others).tolist()
    which = [max(range(len(row)), key=row.__getitem__) for row in rows]
    return np.array([row[i] for row, i in zip(rows, which)]), np.array(which)


# %% [markdown] hints={"of": "11_8_nearest"}
# 1. Flatten each image to a row of floats. (A byte that goes below 0 comes back at 255.) What has to be taken off each row so that brightness does not count, and what has to be divided out so that contrast does not?
# 2. With rows of mean 0 and length 1 the whole table is one matrix product. `keepdims=True` keeps the columns in shape.
# 3. A row of zeros has length 0. What may it be divided by, so that it stays a row of zeros?

# %% [markdown]
# Now the dumbest classifier there is. It learns nothing. It keeps the training images, and gives a new image the label of the one that looks most like it. Call it the **copier**.
#
# On BreastMNIST (ultrasound, 546 training and 156 test images, malignant or not) the results of this library record what the copier does (with `tt.data.most_similar`, your `nearest` with mirror images and moves by a pixel). Some landmarks: answering *not malignant* to everything is right on 73.1 % of the test images. MedMNIST's published ResNet-50 reaches 81.2 %, BitMedViT 82.1 %.
#
# **Predict, then run.** What does the copier reach?

# %%
my_guess = None  # percent of BreastMNIST's test images

# from notebooks/results/breastmnist.json: test images by their correlation with the nearest
# training image (below 0.8, to 0.9, to 0.95, to 0.98, above), and of these the right answers
IMAGES = np.array([29, 44, 22, 10, 51])
COPIER = np.array([24, 31, 17, 8, 48])
STUDENT = np.array([0.869, 0.791, 0.900, 0.740, 0.890])  # the ternary network's share, 5 seeds

copied = 100 * COPIER.sum() / IMAGES.sum()
low, high = binomtest(int(COPIER.sum()), int(IMAGES.sum())).proportion_ci(method="wilson")
check.predicted(my_guess, float(copied), within=2, unit=" %",
                comment=f"95 % interval {100 * low:.0f} to {100 * high:.0f} %. It has never learned a thing, and ties with BitMedViT.")  # fmt: skip

# %% jupyter={"source_hidden": true}
BANDS = ("below 0.8", "0.8 to 0.9", "0.9 to 0.95", "0.95 to 0.98", "above 0.98")
figure, (left, right_axes) = plt.subplots(1, 2, figsize=(11, 3.5), width_ratios=(1.25, 1))
place = np.arange(5)
for offset, share, color, name in ((-0.19, COPIER / IMAGES, style.ACCENT, "the copier"),
                                   (0.19, STUDENT, style.TERNARY, "a trained ternary ViT")):  # fmt: skip
    left.bar(place + offset, 100 * share, 0.36, color=color, label=name)
left.set(xticks=place, xticklabels=[f"{b}\n{n} images" for b, n in zip(BANDS, IMAGES)], ylim=(50, 105),
         ylabel="right, %", title="Correlation with the nearest training image")  # fmt: skip
left.tick_params(axis="x", labelsize=8.5)
left.legend(fontsize=9, loc="upper left", ncols=2)
rest = slice(0, 4)
rows = {
    "all say “not malignant”": (73.1, style.FLOAT),
    "ResNet-50, published": (81.2, style.FLOAT),
    "BitMedViT, published": (82.1, style.FLOAT),
    "copier": (copied, style.ACCENT),
    "copier, without the 51": (100 * COPIER[rest].sum() / IMAGES[rest].sum(), style.ACCENT),
    "ternary ViT": (100 * (STUDENT @ IMAGES) / IMAGES.sum(), style.TERNARY),
    "ternary ViT, without the 51": (
        100 * (STUDENT[rest] @ IMAGES[rest]) / IMAGES[rest].sum(),
        style.TERNARY,
    ),
}
right_axes.barh(
    list(rows), [v for v, _ in rows.values()], color=[c for _, c in rows.values()], height=0.62
)
for row, (value, _) in enumerate(rows.values()):
    right_axes.text(value + 0.4, row, f"{value:.1f}", va="center", fontsize=9)
right_axes.set(
    xlim=(65, 93),
    xlabel="right on BreastMNIST's test split, %",
    title="Landmarks, and a copier among them",
)
right_axes.invert_yaxis()
sign(figure, f"BreastMNIST, recorded runs; {style.CLINICAL_NOTE}")
plt.show()

# %% [markdown]
# A third of the test images, 51 of 156, have a training image with a correlation above 0.98: nearly the same picture. There the copier is right 94 times in a hundred. On the other 105 images it is right on 76 %, hardly more than the 73 % that come for free. The trained network is better than the copier exactly where there is nothing to copy, and that is the part of its accuracy that you may believe.
#
# What does it mean? Not that BreastMNIST is worthless, nor that anybody cheated. The source has several images of a patient, and the split did not know patients. It means that a figure around 82 % on this test set is no evidence of having learned anything, and that whoever compares two networks by half a point there is comparing how well they remember. **Before you believe an accuracy, ask the copier.** (If the real file is on your machine, here is what your own `nearest` finds.)

# %% jupyter={"source_hidden": true}
try:
    known, fresh = (tt.data.medmnist("breastmnist", split) for split in ("train", "test"))
except tt.errors.DataFileError:
    print("breastmnist.npz is not here: nothing is missing, the recorded figures are above")
else:
    value, which = my.nearest(fresh.images, known.images)
    agree = known.labels[which] == fresh.labels
    print(f"nearest, without mirrors and moves: right on {100 * agree.mean():.1f} %, "
          f"{np.sum(value > 0.98)} images above 0.98")  # fmt: skip
    figure, axes = plt.subplots(2, 6, figsize=(9, 3.2))
    for column, row in enumerate(np.argsort(-value)[5:35:5]):
        for axis, image in zip(axes[:, column], (fresh.images[row], known.images[which[row]])):
            axis.imshow(image.squeeze(), cmap="gray")
            axis.set(xticks=[], yticks=[])
        axes[0, column].set_title(f"{value[row]:.3f}", fontsize=9)
    axes[0, 0].set_ylabel("test")
    axes[1, 0].set_ylabel("training")
    plt.show()

# %% [markdown]
# ## 9 · From the bug museum
#
# Three exhibits, each a piece of honest code that ended in a wrong sentence about a model. You get the symptoms and the code. The catalogue of faults, one of which is each exhibit's: `"blind to the small class"`, `"chosen on the test set"`, `"counts images for patients"`, `"leak between the splits"`, `"off by one"`, `"trained on the labels of the test set"`.
#
# (A fourth exhibit you have seen already: attention as an explanation hung in section 7.)
#
# ### Exhibit A: the model that won
#
# A competition on 156 ultrasound images, 114 of them without a malignant finding (label 1, as in BreastMNIST). Two models are left, each a list of scores for label 1, and a function that names the winner.


# %% tags=["exhibit"]
def best_model(answers, truth):
    """Name of the model that is right most often, and how often each is right."""
    merit = {}
    for name, scores in answers.items():
        yes = scores > 0.5  # line a
        right = yes == truth  # line b
        merit[name] = np.mean(right)  # line c
    return max(merit, key=merit.get), merit  # line d


# %% jupyter={"source_hidden": true}
rng = np.random.default_rng(11)
contest_truth = np.arange(156) < 114
contest = {
    "Granite": rng.uniform(0.70, 0.76, 156),
    "Willow": 1
    / (1 + np.exp(-(rng.normal(0.95, 1.2, 156) * np.where(contest_truth, 1, -1) - 0.7))),
}
winner, merit = best_model(contest, contest_truth)
figure, (left, right_axes) = plt.subplots(1, 2, figsize=(10.5, 2.9), width_ratios=(1, 1.5))
left.barh(list(merit), [100 * m for m in merit.values()], color=style.FLOAT, height=0.5)
for place, value in enumerate(merit.values()):
    left.text(100 * value + 1, place, f"{100 * value:.1f}", va="center")
left.set(xlim=(0, 100), xlabel="right, %", title=f"The winner: {winner}")
left.invert_yaxis()
epochs = np.arange(1, 31)
loss = 0.583 + 0.12 * np.exp(-epochs / 3)
right_axes.plot(epochs, loss, color=style.FLOAT)
right_axes.text(30, loss[-1] + 0.012, "training loss", color=style.FLOAT, ha="right", fontsize=9)
right_axes.plot(epochs, np.full(30, 0.7308), color=style.ACCENT)
right_axes.text(30, 0.742, "validation accuracy", color=style.ACCENT, ha="right", fontsize=9)
right_axes.set(
    xlabel="epoch", ylim=(0.55, 0.8), title=f"{winner}, as it learned (drawn after life)"
)
style.grid_behind(right_axes)
plt.show()

# %% [markdown]
# The loss falls, nothing explodes, and the accuracy is the same to four digits in every epoch. A doctor on the jury shows the winner 42 images with a malignant finding, and it finds none of them.
#
# ### Exercise 11.9: find, name, repair (2 points)
#
# `fault_of_best_model()` returns the letter of the line in which the merit of a model is made of the wrong thing, and the fault's name from the catalogue, such as `("a", "off by one")`. `balanced_accuracy(truth, yes)` is the merit that should stand there: the mean of sensitivity and specificity, of two boolean arrays. (There will always be both kinds.)


# %% nbgrader={"grade": false, "grade_id": "11_9_balanced_accuracy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fault_of_best_model():
    """Letter of the faulty line, and what its fault is called."""
    ### BEGIN SOLUTION
    return "c", "blind to the small class"
    ### END SOLUTION


def balanced_accuracy(truth, yes):
    """Mean of the share of positives that get a yes and of negatives that get a no."""
    ### BEGIN SOLUTION
    return float((np.mean(yes[truth]) + np.mean(~yes[~truth])) / 2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_9_balanced_accuracy_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.9")
def _(fault_of_best_model, balanced_accuracy):
    with check.part("line and name", points=1):
        said = fault_of_best_model()
        check.true(
            isinstance(said, tuple | list) and len(said) == 2,
            'Return a letter and a name, such as ("a", "off by one").',
        )
        ### BEGIN HIDDEN TESTS
        line, name = (str(part).strip().lower() for part in said)
        check.true(
            line == "c",
            f"Line {line} does what it should. What does the winner answer, and which line then "
            "finds that good?",
        )
        check.true(
            name == "blind to the small class",
            f"The line is right, but {name} is another fault. Of whom does that mean hardly hear?",
        )
        ### END HIDDEN TESTS
    with check.part("another merit", points=1):
        truth = np.array([1, 1, 1, 1, 1, 1, 0, 0], bool)
        check.close(
            balanced_accuracy(truth, np.ones(8, bool)), 0.5,
            "Who says yes to everything finds all positives and no negative: worth one half, however "
            "many positives there are.",
        )  # fmt: skip
        check.close(
            balanced_accuracy(truth, np.array([1, 1, 1, 0, 0, 0, 0, 0], bool)), 0.75,
            "Half of the positives get a yes, all negatives a no.",
        )  # fmt: skip
        check.close(
            balanced_accuracy(truth, np.array([1, 1, 1, 1, 1, 1, 1, 0], bool)), 0.75,
            "All positives get a yes, half of the negatives a no. Each share is one of its own kind: "
            "of those who have it, of those who have it not.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(120)
        truth, yes = rng.random(200) < 0.2, rng.random(200) < 0.6
        want = [np.sum(truth & yes) / np.sum(truth), np.sum(~truth & ~yes) / np.sum(~truth)]
        check.close(balanced_accuracy(truth, yes), np.mean(want), "200 random answers.")
        ### END HIDDEN TESTS


# %% variant={"of": "11_9_balanced_accuracy", "wrong": "the accuracy again", "says": "one half"}
def fault_of_best_model():
    return "c", "blind to the small class"


def balanced_accuracy(truth, yes):
    return float(np.mean(truth == yes))


# %% variant={"of": "11_9_balanced_accuracy", "wrong": "the sensitivity alone", "says": "one half"}
def fault_of_best_model():
    return "c", "blind to the small class"


def balanced_accuracy(truth, yes):
    return float(np.mean(yes[truth]))


# %% variant={"of": "11_9_balanced_accuracy", "wrong": "mean of the predictive values"}
def fault_of_best_model():
    return "c", "blind to the small class"


def balanced_accuracy(truth, yes):
    no = ~yes
    first = np.mean(truth[yes]) if yes.any() else 0.0
    return float((first + (np.mean(~truth[no]) if no.any() else 0.25)) / 2)


# %% variant={"of": "11_9_balanced_accuracy", "wrong": "blames the threshold", "says": "does what it should"}
def fault_of_best_model():
    return "a", "blind to the small class"


def balanced_accuracy(truth, yes):
    return float((np.mean(yes[truth]) + np.mean(~yes[~truth])) / 2)


# %% variant={"of": "11_9_balanced_accuracy", "wrong": "another name", "says": "another fault"}
def fault_of_best_model():
    return "c", "chosen on the test set"


def balanced_accuracy(truth, yes):
    return float((np.mean(yes[truth]) + np.mean(~yes[~truth])) / 2)


# %% variant={"of": "11_9_balanced_accuracy", "right": "right answers by kind"}
def fault_of_best_model():
    return "c", "blind to the small class"


def balanced_accuracy(truth, yes):
    good = truth == yes
    return (good[truth].mean() + good[~truth].mean()) / 2


# %% variant={"of": "11_9_balanced_accuracy", "right": "counts"}
def fault_of_best_model():
    return ["C", "blind to the small class"]


def balanced_accuracy(truth, yes):
    hits, spared = np.sum(truth & yes), np.sum(~(truth | yes))
    return 0.5 * (hits / truth.sum() + spared / (len(truth) - truth.sum()))


# %% [markdown] hints={"of": "11_9_balanced_accuracy"}
# 1. What must a model say, to be right on exactly 114 of 156 images in every epoch?
# 2. Lines a and b compare answers with the truth, and nothing is wrong with that. Which line lets 114 outvote 42?
# 3. Use the truth as a mask on the answers: once for those who have it, once for the others.

# %% jupyter={"source_hidden": true}
rows = {name: (np.mean((s > 0.5) == contest_truth), my.balanced_accuracy(contest_truth, s > 0.5),
               tt.evaluate.auc(contest_truth.astype(int), s, "binary-class"))
        for name, s in contest.items()}  # fmt: skip
figure, axes = plt.subplots(figsize=(7.5, 2.3))
for place, values in enumerate(rows.values()):
    for value, mark, color in zip(values, "osD", (style.FLOAT, style.ACCENT, style.TERNARY)):
        axes.plot(100 * value, place, mark, color=color, markersize=9)
for label, mark, color in (("accuracy", "o", style.FLOAT), ("balanced accuracy", "s", style.ACCENT),
                           ("AUC", "D", style.TERNARY)):  # fmt: skip
    axes.plot([], [], mark, color=color, label=label)
axes.axvline(50, color=style.MUTED, linestyle=":", linewidth=1.2)
axes.set(yticks=[0, 1], yticklabels=list(rows), ylim=(1.6, -0.6), xlim=(40, 115), xticks=range(40, 101, 10), xlabel="%",
         title="One figure ranks them one way, two the other")  # fmt: skip
axes.legend(fontsize=9, loc="upper right")
plt.show()

# %% [markdown]
# Granite said *not malignant* to everybody. 73.1 % is what that is worth on BreastMNIST, and 62.5 % on PneumoniaMNIST's test split (*pneumonia* to everybody). An accuracy should never be read without the share of the largest class beside it, and a flat line in a learning curve is always a message.
#
# ### Exhibit B: the coin that beat the coin
#
# A function that chooses a threshold and reports what it is worth. "Thresholds are shaky with few images," says its author, "so I let it use all that we have."


# %% tags=["exhibit"]
def report(val_scores, val_truth, test_scores, test_truth):
    """A threshold, and its balanced accuracy on the test images."""
    scores = np.concatenate([val_scores, test_scores])  # line a
    truth = np.concatenate([val_truth, test_truth])  # line b
    candidates = np.unique(scores)  # line c
    merits = [my.balanced_accuracy(truth, scores >= t) for t in candidates]  # line d
    threshold = candidates[np.argmax(merits)]  # line e
    return threshold, my.balanced_accuracy(test_truth, test_scores >= threshold)  # line f


# %% jupyter={"source_hidden": true}
def coin_study(rng, images):
    """Scores that know nothing of the truth: 20 validation images, and so many test images."""
    truths = [np.arange(n) % 2 == 0 for n in (20, images)]
    return rng.random(20), truths[0], rng.random(images), truths[1]


def reported(function, images, studies=150):
    rng = np.random.default_rng(13)
    return 100 * np.mean([function(*coin_study(rng, images))[1] for _ in range(studies)])


sizes = np.array([20, 40, 80, 160])
exhibited = [reported(report, n) for n in sizes]
figure, axes = plt.subplots(figsize=(7.5, 3))
axes.plot(sizes, exhibited, "o-", color=style.ACCENT)
axes.axhline(50, color=style.MUTED, linestyle=":", linewidth=1.3)
axes.text(160, 50.4, "what coins are worth", color=style.MUTED, fontsize=9, ha="right")
for n, value in zip(sizes, exhibited):
    axes.annotate(
        f"{value:.0f} %", (n, value), (0, 8), textcoords="offset points", ha="center", fontsize=9
    )
axes.set(xscale="log", xticks=sizes, xticklabels=sizes, ylim=(48, 66), xlabel="test images",
         ylabel="balanced accuracy, %", title="Reported for coin flips, mean of 150 studies")  # fmt: skip
axes.minorticks_off()
style.grid_behind(axes)
plt.show()

# %% [markdown]
# Somebody tested it with scores from a random generator. It reported more than one half, again and again; the fewer test images, the more.
#
# ### Exercise 11.10: find, name, repair (2 points)
#
# `fault_of_report()` returns the letter of the **first** line that does what it should not, and the fault's name. `repaired_report` gets and returns the same as the exhibit, and its threshold is the smallest of the best candidates, as there. Your `balanced_accuracy` may be called.


# %% nbgrader={"grade": false, "grade_id": "11_10_repaired_report", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fault_of_report():
    """Letter of the first faulty line, and what its fault is called."""
    ### BEGIN SOLUTION
    return "a", "chosen on the test set"
    ### END SOLUTION


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    """A threshold, and its balanced accuracy on the test images."""
    ### BEGIN SOLUTION
    candidates = np.unique(val_scores)
    merits = [balanced_accuracy(val_truth, val_scores >= t) for t in candidates]
    threshold = candidates[np.argmax(merits)]
    return threshold, balanced_accuracy(test_truth, test_scores >= threshold)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_10_repaired_report_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.10")
def _(fault_of_report, repaired_report):
    with check.part("line and name", points=1):
        said = fault_of_report()
        check.true(
            isinstance(said, tuple | list) and len(said) == 2,
            'Return a letter and a name, such as ("f", "off by one").',
        )
        ### BEGIN HIDDEN TESTS
        line, name = (str(part).strip().lower() for part in said)
        check.true(
            line == "a",
            f"Line {line} is not the first. Follow the test images through the function: where do "
            "they get a say in something that should be settled before they are looked at?",
        )
        check.true(
            name == "chosen on the test set",
            f"The line is right, but {name} is another fault. Nothing is trained here. What is "
            "settled with the help of line a?",
        )
        ### END HIDDEN TESTS
    with check.part("the repaired report", points=1):
        val = np.array([0.1, 0.4, 0.6, 0.9]), np.array([0, 1, 0, 1], bool)
        test = np.array([0.2, 0.3, 0.7, 0.8]), np.array([0, 0, 1, 1], bool)
        threshold, worth = repaired_report(*val, *test)
        check.close(
            threshold, 0.4,
            "On the validation images 0.4 and 0.9 are equally good, and the smaller counts. On the "
            "test images 0.7 would be better, but who may know that?",
        )  # fmt: skip
        check.close(worth, 1.0, "What the report says of it is measured on the test images.")
        threshold, worth = repaired_report(*val, test[0][::-1], test[1])
        check.close(
            (threshold, worth), (0.4, 0.0),
            "The same validation images and test images whose scores are all upside down: the same "
            "threshold, and a report of 0.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(
            repaired_report(*val, np.array([0.4, 0.3]), np.array([True, False])), (0.4, 1.0),
            "A test score on the threshold itself is a yes, as in the exhibit.",
        )  # fmt: skip
        mixed = np.array([0.9, 0.6, 0.1, 0.4]), np.array([1, 0, 0, 1], bool)
        check.close(
            repaired_report(*mixed, *test), (0.4, 1.0),
            "The same validation images in another order: 0.9 and 0.4 are equally good, and the smaller "
            "counts, not the first.",
        )  # fmt: skip
        rng = np.random.default_rng(121)
        for _ in range(5):
            scores, truth = rng.random(40), rng.random(40) < 0.4
            others, theirs = rng.random(60), rng.random(60) < 0.4
            best = max(balanced_accuracy(truth, scores >= t) for t in scores)
            want = min(t for t in scores if balanced_accuracy(truth, scores >= t) > best - 1e-12)
            got = repaired_report(scores, truth, others, theirs)
            check.close(
                got, (want, balanced_accuracy(theirs, others >= want)),
                "40 validation and 60 test images with random scores.",
            )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "11_10_repaired_report", "wrong": "test images only", "says": "who may know"}
def fault_of_report():
    return "a", "chosen on the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    candidates = np.unique(test_scores)
    merits = [balanced_accuracy(test_truth, test_scores >= t) for t in candidates]
    threshold = candidates[np.argmax(merits)]
    return threshold, balanced_accuracy(test_truth, test_scores >= threshold)


# %% variant={"of": "11_10_repaired_report", "wrong": "test scores stay among the candidates", "says": "validation images"}
def fault_of_report():
    return "a", "chosen on the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    candidates = np.unique(np.concatenate([val_scores, test_scores]))
    merits = [balanced_accuracy(val_truth, val_scores >= t) for t in candidates]
    threshold = candidates[np.argmax(merits)]
    return threshold, balanced_accuracy(test_truth, test_scores >= threshold)


# %% variant={"of": "11_10_repaired_report", "wrong": "reports the validation images", "says": "measured on the test"}
def fault_of_report():
    return "a", "chosen on the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    candidates = np.unique(val_scores)
    merits = [balanced_accuracy(val_truth, val_scores >= t) for t in candidates]
    threshold = candidates[np.argmax(merits)]
    return threshold, balanced_accuracy(val_truth, val_scores >= threshold)


# %% variant={"of": "11_10_repaired_report", "wrong": "blames the report line", "says": "not the first"}
def fault_of_report():
    return "f", "chosen on the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    candidates = np.unique(val_scores)
    merits = [balanced_accuracy(val_truth, val_scores >= t) for t in candidates]
    threshold = candidates[np.argmax(merits)]
    return threshold, balanced_accuracy(test_truth, test_scores >= threshold)


# %% variant={"of": "11_10_repaired_report", "wrong": "another name", "says": "another fault"}
def fault_of_report():
    return "a", "trained on the labels of the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    candidates = np.unique(val_scores)
    merits = [balanced_accuracy(val_truth, val_scores >= t) for t in candidates]
    threshold = candidates[np.argmax(merits)]
    return threshold, balanced_accuracy(test_truth, test_scores >= threshold)


# %% variant={"of": "11_10_repaired_report", "wrong": "one half: chooses nothing"}
def fault_of_report():
    return "a", "chosen on the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    return 0.5, balanced_accuracy(test_truth, test_scores >= 0.5)


# %% variant={"of": "11_10_repaired_report", "right": "a loop that keeps the best"}
def fault_of_report():
    return "a", "chosen on the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    best, threshold = -1.0, None
    for t in sorted(val_scores.tolist()):
        merit = balanced_accuracy(val_truth, val_scores >= t)
        if merit > best:
            best, threshold = merit, t
    return threshold, balanced_accuracy(test_truth, test_scores >= threshold)


# %% variant={"of": "11_10_repaired_report", "right": "max with a key"}
def fault_of_report():
    return ("A", "chosen on the test set")


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    chosen = max(np.unique(val_scores), key=lambda t: balanced_accuracy(val_truth, val_scores >= t))
    return chosen, balanced_accuracy(test_truth, test_scores >= chosen)


# %% [markdown] hints={"of": "11_10_repaired_report"}
# 1. Coins are worth one half on images that had no say. How do 20 test images get a say?
# 2. Go through the lines and ask of each: would it give the same if the test images were other ones? The first that would not, although it should, is yours.
# 3. The repair takes away and adds nothing. Only the last line may know the test images.

# %% jupyter={"source_hidden": true}
repaired = [reported(my.repaired_report, n) for n in sizes]
figure, axes = plt.subplots(figsize=(7.5, 2.8))
for values, color, name in (
    (exhibited, style.ACCENT, "as exhibited"),
    (repaired, style.TERNARY, "repaired"),
):
    axes.plot(sizes, values, "o-", color=color, label=name)
axes.axhline(50, color=style.MUTED, linestyle=":", linewidth=1.3)
axes.set(xscale="log", xticks=sizes, xticklabels=sizes, ylim=(44, 66), xlabel="test images",
         ylabel="balanced accuracy, %", title="Coins are worth one half again")  # fmt: skip
axes.minorticks_off()
axes.legend()
style.grid_behind(axes)
plt.show()

# %% [markdown]
# A threshold is one number, and still it earned points that are not there. A temperature chosen on the test set is the same fault in ECE; the best of fifty epochs by test accuracy is the same fault with fifty candidates, and it is in published code (that of MedViTV2, arXiv 2502.13693, keeps the checkpoint that is best on the test split). The rule fits on a card: **what the test images had a say in is not tested.**
#
# ### Exhibit C: the study without names
#
# 480 drawn images arrive from a hospital, four classes, no names. They are split at random and handed to two classifiers: the copier, and a small network (one hidden layer, on the standardised pixels). A second hospital then sends 240 images of the same kind.

# %% jupyter={"source_hidden": true}
import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier


def hospital(seed, patients=120, frames=4):
    """Frames of drawn cells, each patient's taken again under other light and noise, shuffled."""
    base = tt.data.phantoms("train", count=patients, classes=4, seed=1000 + seed)
    rng = np.random.default_rng([seed, 7])
    whose = np.repeat(np.arange(patients), frames)
    frames_of = base.images[whose].astype(np.float32)
    light = rng.uniform(0.75, 1.05, (len(whose), 1, 1, 1))
    taken = np.clip(frames_of * light + rng.normal(0, 7, frames_of.shape), 0, 255).astype(np.uint8)
    order = rng.permutation(len(whose))
    return taken[order], base.labels[whose][order], whose[order]


def standardized(images):
    flat = images.reshape(len(images), -1) / 255.0
    return (flat - flat.mean(axis=1, keepdims=True)) / flat.std(axis=1, keepdims=True)


def copy_and_learn(images, labels, train_rows, others, their_labels, seed=0):
    """Accuracy of the copier and of a small network on other images, in percent."""
    _, which = my.nearest(others, images[train_rows])
    network = MLPClassifier((64,), max_iter=40, learning_rate_init=2e-3, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(standardized(images[train_rows]), labels[train_rows])
    return (100 * np.mean(labels[train_rows][which] == their_labels),
            100 * network.score(standardized(others), their_labels))  # fmt: skip


study_images, study_labels, secret = hospital(0)
mixed = np.random.default_rng(0).permutation(480)
at_home = copy_and_learn(
    study_images, study_labels, mixed[120:], study_images[mixed[:120]], study_labels[mixed[:120]]
)
away_images, away_labels, _ = hospital(99, patients=60)
away = copy_and_learn(study_images, study_labels, mixed[120:], away_images, away_labels)
figure, axes = plt.subplots(figsize=(7.5, 2.6))
for offset, values, color, name in ((-0.17, at_home, style.FLOAT, "its own test images"),
                                    (0.17, away, style.ACCENT, "the second hospital")):  # fmt: skip
    axes.barh(np.arange(2) + offset, values, 0.32, color=color, label=name)
    for place, value in enumerate(values):
        axes.text(value + 1, place + offset, f"{value:.0f} %", va="center", fontsize=9)
axes.axvline(25, color=style.MUTED, linestyle=":", linewidth=1.2)
axes.set(yticks=[0, 1], yticklabels=["copier", "network"], xlim=(0, 155), xticks=range(0, 101, 20), ylim=(1.5, -0.5), xlabel="right, %",
         title="Nearly perfect at home, nearly lost next door")  # fmt: skip
axes.legend(fontsize=9, loc="center right")
sign(figure)
plt.show()

# %% [markdown]
# "Another population," says the report, "the model needs fine-tuning at each site." Perhaps. But you have read section 8, and the copier has told you more than the network did.
#
# ### Exercise 11.11: names for the nameless (3 points)
#
# `fault_of_study()` names the fault from the catalogue (a string; there is no line this time).
#
# `groups(images, above)` finds out who belongs together. Two images whose correlation is larger than `above` belong to one group, and so do two that are joined by a chain of such pairs. Return an integer array: the group of each image, numbered 0, 1, 2, ... in the order in which the groups first appear. Your `correlations` may be called.


# %% nbgrader={"grade": false, "grade_id": "11_11_groups", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fault_of_study():
    """Name of the fault, from the catalogue."""
    ### BEGIN SOLUTION
    return "leak between the splits"
    ### END SOLUTION


def groups(images, above):
    """Group of each image (N,): joined by chains of pairs that correlate above a limit."""
    ### BEGIN SOLUTION
    alike = correlations(images, images) > above
    group = np.full(len(images), -1)
    count = 0
    for first in range(len(images)):
        if group[first] >= 0:
            continue
        group[first] = count
        waiting = [first]
        while waiting:
            for other in np.flatnonzero(alike[waiting.pop()] & (group < 0)):
                group[other] = count
                waiting.append(other)
        count += 1
    return group
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_11_groups_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.11")
def _(fault_of_study, groups):
    with check.part("the name", points=1):
        ### BEGIN HIDDEN TESTS
        said = str(fault_of_study()).strip().lower()
        check.true(
            said == "leak between the splits",
            f"{said} is another fault. What does a copier need, to be right on nearly every test image?",
        )
        ### END HIDDEN TESTS
        check.true(isinstance(fault_of_study(), str), "Return the fault's name, a string.")
    with check.part("the groups", points=2):
        turn = np.deg2rad([0, 90, 20, 200, 110, 40, 130])
        # pictures on a circle: the correlation of two is the cosine of the angle between them
        a, b = np.array([1.0, -1, 0, 0]), np.array([0.0, 0, 1, -1])
        circle = np.rint(128 + 100 * (np.outer(np.cos(turn), a) + np.outer(np.sin(turn), b)))
        circle = circle.reshape(-1, 2, 2, 1).astype(np.uint8)
        check.equal(groups(circle[:2], 0.9), [0, 1], "Two pictures with correlation 0: two groups.")
        check.equal(
            groups(circle[[0, 2]], 0.9),
            [0, 0],
            "Two pictures with a correlation of 0.94: one group.",
        )
        check.equal(
            groups(circle, 0.9), [0, 1, 0, 2, 1, 0, 1],
            "Pictures at 0, 90, 20, 200, 110, 40 and 130 degrees of a circle, alike within 25 degrees. "
            "0 and 40 are not alike, but 20 joins them: follow the chain. Numbers go by first appearance.",
        )  # fmt: skip
        check.equal(groups(circle, 0.9999), np.arange(7), "Nothing alike: seven groups.")
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(122)
        base = rng.integers(0, 200, (12, 6, 6, 3))
        whose = rng.integers(0, 12, 60)
        shots = (base[whose] + rng.integers(0, 9, (60, 6, 6, 3))).astype(np.uint8)
        seen = {}
        want = [seen.setdefault(w, len(seen)) for w in whose.tolist()]
        check.equal(groups(shots, 0.9), want, "60 images of 12 patients, in any order.")
        for _ in range(4):
            turn = np.deg2rad(rng.permutation(np.arange(0, 200, 20)))
            chain = np.rint(128 + 100 * (np.outer(np.cos(turn), a) + np.outer(np.sin(turn), b)))
            check.equal(
                groups(chain.reshape(-1, 2, 2, 1).astype(np.uint8), 0.9), np.zeros(10),
                "A chain of ten in random order: each link joins its neighbours, so all are one group.",
            )  # fmt: skip
        blank = np.concatenate([np.full((1, 2, 2, 1), 9, np.uint8), circle[:1]])
        check.equal(
            groups(blank, 0.0), [0, 1], "A correlation of 0 is not larger than a limit of 0."
        )
        check.equal(groups(blank, 0.9), [0, 1], "An image without contrast is a group of its own.")
        ### END HIDDEN TESTS


# %% variant={"of": "11_11_groups", "wrong": "the first that is alike: no chains", "says": "follow the chain"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    alike = correlations(images, images) > above
    first = alike.argmax(axis=1)
    return np.unique(first, return_inverse=True)[1]


# %% variant={"of": "11_11_groups", "wrong": "below the limit", "says": "two groups"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    alike = correlations(images, images) < above
    np.fill_diagonal(alike, True)
    group = np.arange(len(images))
    for _ in images:
        group = np.array([group[row].min() for row in alike])
    return np.unique(group, return_inverse=True)[1]


# %% variant={"of": "11_11_groups", "wrong": "joins once: chains of three only"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    alike = correlations(images, images) > above
    group = np.array([np.flatnonzero(row).min() for row in alike])
    group = np.array([group[row].min() for row in alike])
    return np.unique(group, return_inverse=True)[1]


# %% variant={"of": "11_11_groups", "wrong": "blames the threshold", "says": "another fault"}
def fault_of_study():
    return "chosen on the test set"


def groups(images, above):
    alike = correlations(images, images) > above
    group = np.arange(len(images))
    for _ in images:
        group = np.array([group[row].min() for row in alike])
    return np.unique(group, return_inverse=True)[1]


# %% variant={"of": "11_11_groups", "wrong": "numbers with holes", "says": "first appearance"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    alike = correlations(images, images) > above
    group = np.arange(len(images))
    for _ in images:
        group = np.array([group[row].min() for row in alike])
    return group


# %% variant={"of": "11_11_groups", "right": "the smallest number spreads until it stands still"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    alike = correlations(images, images) > above
    np.fill_diagonal(alike, True)
    group = np.arange(len(images))
    while True:
        smaller = np.array([group[row].min() for row in alike])
        if np.array_equal(smaller, group):
            return np.unique(group, return_inverse=True)[1]
        group = smaller


# %% variant={"of": "11_11_groups", "right": "SciPy's connected components, renumbered"}
def fault_of_study():
    return "Leak between the splits"


def groups(images, above):
    from scipy.sparse.csgraph import connected_components

    _, part = connected_components(correlations(images, images) > above)
    seen = {}
    return np.array([seen.setdefault(p, len(seen)) for p in part.tolist()])


# %% [markdown] hints={"of": "11_11_groups"}
# 1. A table says who is alike to whom. Start with one image, collect everybody who is alike to it, then everybody who is alike to those, and so on until nobody new comes.
# 2. Keep a list of images whose friends are not collected yet, and an array that says which group an image has, or -1. When the list is empty, the group is whole; the next image without a group starts another.
# 3. Going through the images in their order and numbering groups as you start them gives the numbers that are asked for.

# %%
split_by_patient = course.mine("03").split_by_patient  # yours, from lesson 03

group = my.groups(study_images, 0.85)
print(f"{group.max() + 1} groups in 480 images, "
      f"{'exactly' if len(set(zip(group.tolist(), secret.tolist()))) == group.max() + 1 == 120 else 'not'} the 120 patients")  # fmt: skip
train_rows, test_rows = split_by_patient(group, 0.25, 0)
mended = copy_and_learn(
    study_images, study_labels, train_rows, study_images[test_rows], study_labels[test_rows]
)
for who, before, after, elsewhere in zip(("copier", "network"), at_home, mended, away):
    print(
        f"{who:8} by image {before:3.0f} %   by group {after:3.0f} %   the second hospital {elsewhere:3.0f} %"
    )

# %% jupyter={"source_hidden": true}
leaks = []
for seed in range(5):
    images, labels, _ = hospital(seed)
    mixed = np.random.default_rng(seed).permutation(480)
    by_group = split_by_patient(my.groups(images, 0.85), 0.25, seed)
    leaks.append([copy_and_learn(images, labels, a, images[b], labels[b], seed)
                  for a, b in ((mixed[120:], mixed[:120]), by_group)])  # fmt: skip
leaks = np.array(leaks)  # (seeds, split, copier or network)
figure, (left, right_axes) = plt.subplots(1, 2, figsize=(11, 3.2), width_ratios=(1.2, 1))
table = my.correlations(study_images, study_images)
same = secret[:, None] == secret
upper = np.triu(np.ones_like(same), 1).astype(bool)
for rows, color, name in (
    (~same & upper, style.FLOAT, "two patients"),
    (same & upper, style.ACCENT, "one patient"),
):
    left.hist(
        table[rows], np.linspace(-0.4, 1, 71), density=True, color=color, alpha=0.75, label=name
    )
left.axvline(0.85, color=style.INK, linestyle="--", linewidth=1.2)
left.set(
    yticks=[], xlabel="correlation of two images", title="Nobody said who is who. The pixels do"
)
left.legend(fontsize=9, loc="upper left")
for place, (name, values) in enumerate({
    "network, by image": leaks[:, 0, 1], "network, by group": leaks[:, 1, 1],
    "copier, by image": leaks[:, 0, 0], "copier, by group": leaks[:, 1, 0],
}.items()):  # fmt: skip
    color = style.ACCENT if "image" in name else style.TERNARY
    right_axes.scatter(values, place + np.linspace(-0.15, 0.15, len(values)), s=24, color=color)
    right_axes.plot([values.mean()] * 2, [place - 0.3, place + 0.3], color=color, linewidth=2.5)
    right_axes.text(
        -0.02,
        place,
        name,
        ha="right",
        va="center",
        fontsize=9,
        transform=right_axes.get_yaxis_transform(),
    )
right_axes.axvline(25, color=style.MUTED, linestyle=":", linewidth=1.2)
right_axes.set(
    yticks=[],
    ylim=(3.5, -0.5),
    xlim=(15, 104),
    xlabel="right, % (five hospitals)",
    title="One number, two splits",
)
sign(figure)
plt.show()
gap = leaks[:, 0, 1] - leaks[:, 1, 1]
half = 2.776 * gap.std(ddof=1) / len(gap) ** 0.5  # Student's t, 4 degrees of freedom
print(
    f"the random split flatters the network by {gap.mean():.0f} points (95 % interval {gap.mean() - half:.0f} to {gap.mean() + half:.0f})"
)

# %% [markdown]
# The second hospital was not another population. It was the first one, honestly split. Correlation found the patients without being told their names, because frames of one examination differ by light and noise; with real images the histogram on the left has no such clean gap, and you would look at the pairs near the limit with your own eyes. When in doubt, join: a group too large costs a few test images, a leak costs the study.
#
# ## 10 · What they would ask you
#
# Suppose the network is good. Journals and regulators have written down what they want to know before anybody believes it, and the lists are not long. **TRIPOD+AI** (2024) is for prediction models, **CLAIM** (2024 update) for imaging; a **model card** is the page that travels with the file. Nearly all of what they ask, you can now compute.
#
# | they ask | you have |
# |---|---|
# | where the images are from, how many *patients*, how they were split | `groups`, `split_by_patient` |
# | which class is how common, here and in use | `predictive_values` |
# | how the threshold was chosen, on what, before what | `threshold_for`, and exhibit B |
# | discrimination with its uncertainty | AUC with `cluster_interval` |
# | calibration | `reliability`, `ece`, `fit_temperature` |
# | sensitivity and specificity, not accuracy alone | `balanced_accuracy`, and exhibit A |
# | performance under other conditions, at other sites | `corruption_error`; another hospital's images, which nothing replaces |
# | what an explanation shown to users is worth | `deletion_curve`, with controls |
# | what it must not be used for | the question below |
#
# The library writes a card for each packed file (`tt.deploy.model_card`, lesson 10), with a section *Limits* that holds what is true of every file. What is true of *yours*, it cannot know. Here are the facts of the network of this lesson.

# %%
p = softmax(test_logits / T, axis=1).max(axis=1)
low, high = binomtest(int(right.sum()), len(right)).proportion_ci(method="exact")
print(f"""ternary ViT, 600 training, 400 validation, 1,200 test images, all drawn by a program
right on {100 * right.mean():.1f} % of the test images (95 % interval {100 * low:.1f} to {100 * high:.1f})
mean confidence {100 * sure.mean():.1f} % as trained, {100 * p.mean():.1f} % with T = {T:.2f}; ECE {100 * my.ece(p, right):.1f} points
"two-lobed": threshold {threshold:.3f} for a sensitivity of 0.95 on {val_sick.sum()} validation positives;
    on test sensitivity {sensitivity:.2f}, specificity {specificity:.2f}, {100 * np.mean(test_sick):.0f} % of the images are two-lobed
under uneven light (severity 3) right on {100 * in_bad_light:.0f} % (chance 25 %)
attention maps: less faithful than the middle of the picture
for teaching and research, not for clinical use""")

# %% [markdown] nbgrader={"grade": true, "grade_id": "11_12_limits", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### Question 11.12: the limits (3 points)
#
# Write the *Limits* section of a model card for this network, for a reader who decides whether to use it and will read nothing else. Six to ten sentences. Use the numbers above and name, where there is one, the consequence of each limit. Say what it must not be used for, and what would have to be measured before that could change.
#
# ### BEGIN SOLUTION
# **For teaching and research, not for clinical use.** The network has seen drawings of four kinds of cells and nothing else; no image of a patient was used to train or to test it, so nothing here says how it would do on one. It must not be used to classify a real smear, or to sort real patients, not even as a second opinion. It answers for every image, also for one that shows none of the four kinds.
#
# It is right on the share of test images printed above, give or take two to three points, under the conditions it was trained on. Under light that falls off to one side, which a person hardly notices, it is near chance: do not use it with another lamp, camera or stain without measuring again. Its probabilities have been calibrated by one temperature on 400 validation images; they hold for images like those, and for no blurred or foreign ones. As trained, without that temperature, it is surer than it is right.
#
# The threshold for "two-lobed" aims at a sensitivity of 95 % on about a hundred validation positives; the true sensitivity may well be some points lower, and on our test images it is what is printed. Predictive values depend on how common the class is: the test set is a quarter two-lobed, and where one cell in a hundred is, most of the yeses will be wrong. Attention maps should not be shown to users as a reason.
#
# Before any of this could change: real images with their patients' numbers, split by patient and by site, a test set from a hospital that had no part in development, with enough positives for the sensitivity that is to be claimed (59 of 59 for "at least 95 %"), calibration and thresholds fixed beforehand, results by site, device and group of patients, and a study of what people do with the answers.
# ### END SOLUTION

# %% [markdown] rubric={"of": "11_12_limits"}
# Half a point each, up to three:
#
# 1. What it must not be used for is said plainly, with "for teaching and research, not for clinical use" or the same in other words, and that no real patient is in the data.
# 2. The conditions: worse under other light, device or site, with a number; and that it answers for anything at all.
# 3. Calibration: with the temperature and only for images like the validation images; or the overconfidence without it.
# 4. Sensitivity promised against sensitivity reached, with the number of positives or the scatter of such a choice.
# 5. Prevalence: the predictive value where the class is rare, with a number or "most yeses are wrong".
# 6. Uncertainty counted in patients, or an interval with its number of images.
# 7. The attention map is no explanation.
# 8. What would have to be measured: external images, split by patient, enough positives, choices fixed before.
#
# Take half a point off for any claim that the numbers do not support ("robust", "generalises", "safe").

# %% [markdown]
# ## Recap
#
# - **Calibrated** means that of the answers given with 90 % nine in ten are right. The **reliability diagram** shows it, the **ECE** sums it up, one **temperature** mends most of it and changes no answer.
# - A **threshold** is chosen on validation images, for a sensitivity that somebody wants. One that *just* keeps its promise there keeps it on new patients about every second time: 19 of 20 promises no more than 19 of 21.
# - **Predictive values** need the prevalence. A good test in a rare disease is mostly wrong when it says yes.
# - An **interval** counts what nature draws: patients. Counting images, 95 % can mean 70.
# - Measure the **weather**, against a baseline, before somebody else does.
# - An **explanation** needs controls: another image's map, and a map that knows nothing. Attention beat chance and lost to the middle of the picture.
# - **Ask the copier.** What it gets right is no evidence of learning; on BreastMNIST that is 82 %.
# - What the test images had a say in is **not tested**, and an accuracy without the share of the largest class is half a number.
#
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - C. Guo, G. Pleiss, Y. Sun, K. Weinberger, *On Calibration of Modern Neural Networks*, ICML 2017. The ECE in this form, and temperature scaling.
# - M. DeGroot, S. Fienberg, *The Comparison and Evaluation of Forecasters*, The Statistician 32, 1983. Reliability before neural networks.
# - S. S. Wilks, *Determination of Sample Sizes for Setting Tolerance Limits*, Annals of Mathematical Statistics 12, 1941. The Beta distribution of section 3, and 59.
# - D. Altman, J. M. Bland, *Diagnostic tests 2: predictive values*, BMJ 309, 1994. A page and a half.
# - C. Clopper, E. Pearson, *The Use of Confidence or Fiducial Limits*, Biometrika 26, 1934; L. Brown, T. Cai, A. DasGupta, *Interval Estimation for a Binomial Proportion*, Statistical Science 16, 2001, on what is wrong with Wald's.
# - C. Field, A. Welsh, *Bootstrapping clustered data*, Journal of the Royal Statistical Society B 69, 2007.
# - D. Hendrycks, T. Dietterich, *Benchmarking Neural Network Robustness to Common Corruptions and Perturbations*, ICLR 2019; F. Di Salvo, S. Doerrich, C. Ledig, *MedMNIST-C*, 2024, arXiv 2406.17536.
# - W. Samek and others, *Evaluating the Visualization of What a Deep Neural Network Has Learned*, IEEE TNNLS 28, 2017; V. Petsiuk, A. Das, K. Saenko, *RISE*, BMVC 2018, for deletion; J. Adebayo and others, *Sanity Checks for Saliency Maps*, NeurIPS 2018; S. Jain, B. Wallace, *Attention is not Explanation*, NAACL 2019.
# - W. Al-Dhabyani and others, *Dataset of breast ultrasound images*, Data in Brief 28, 2020, and J. Yang and others, *MedMNIST v2*, Scientific Data 10, 2023: the source of BreastMNIST, and the landmarks of section 8. BitMedViT's figure is Table 1 of its README (arXiv 2510.13760).
# - G. Collins and others, *TRIPOD+AI statement*, BMJ 385, 2024; A. Tejani and others, *CLAIM: 2024 Update*, Radiology: Artificial Intelligence 6, 2024; M. Mitchell and others, *Model Cards for Model Reporting*, FAT* 2019.
#
# **Next:** lesson 12, where everything comes together: a network within a budget of bytes, trained, packed and defended.
