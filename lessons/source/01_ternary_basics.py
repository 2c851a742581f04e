# %% [markdown]
# # 01 · Ternary basics
#
# A weight of a neural network is usually a 32-bit float: one of four billion values. In this lesson we throw almost all of them away and keep three, **-1, 0 and +1**. It sounds like vandalism. By the end you will know exactly what it costs, why it costs so little, and what it buys.
#
# You will be able to
#
# - turn a vector, then a weight matrix, into *trits* and a *scale*, and say how much was lost;
# - derive the threshold that loses least, and find it in data;
# - say how much information a ternary weight carries, and how few bits can hold it;
# - multiply a matrix by a vector without a single multiplication;
# - put four trits into one byte, and get them back;
# - answer the question that everybody asks sooner or later: *why are my weights not -1, 0, 1?*
#
# **What you need:** Python, a little NumPy, what a mean and a matrix product are. **Time:** about 90 minutes, 70 of them at the exercises below. **Network:** none. Everything here runs in seconds.
#
# | | exercise | difficulty | minutes |
# |---|---|---|---|
# | 1.1 | draw the line between the trits | ● | 3 |
# | 1.2 | the best scale | ●● | 6 |
# | 1.3 | what a threshold costs | ● | 4 |
# | 1.4 | absmean, BitNet's rule | ●● | 6 |
# | 1.5 | the best threshold, exactly | ●●● | 10 |
# | 1.6 | entropy | ● | 4 |
# | 1.7 | a product without a multiplication | ●● | 6 |
# | 1.8 | pack four trits into a byte | ●● | 6 |
# | 1.9 | unpack them | ●● | 6 |
# | 1.10, 1.11 | two bugs from the museum | ●● | 6 each |
# | 1.12 | a question to answer in words | ● | 4 |
#
# **How it works.** An exercise is a function with a `raise NotImplementedError` in it: put your code in that line's place, run the cell, then run the check below it. The check is instant, says what it expected, and you can run it as often as you like. Stuck? `check.hint("1.5")` in a cell of your own gives one hint, and the next one when you run it again. An exercise you leave open does not block you: the cells below it then go on with the lesson's version, and say so. Some cells ask you to *predict, then run*. They show nothing until you have put your guess in place of `None`. A guess that turns out wrong is what you will remember next week.

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

import tinyternary as tt
from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})
MINUS, ZERO, PLUS = (style.TRIT_COLORS[trit] for trit in (-1, 0, 1))

check = course.checks("01_ternary_basics")
my = check.mine

# %% [markdown]
# ## 1 · What is a trit?
#
# A *bit* is a choice between two. A **trit** is a choice between three, and the friendliest three are -1, 0 and +1. Number systems built on them are called *balanced ternary*: no minus sign, since the digits carry it, and rounding is just cutting off digits. Donald Knuth called it "perhaps the prettiest number system of all", and in 1958 a group at Moscow State University built a computer, *Setun*, that thought in nothing else.
#
# For a neural network the three values have a plainer meaning. A weight says what to do with an input:
#
# | trit | the input is |
# |---|---|
# | +1 | added |
# | 0 | ignored |
# | -1 | subtracted |
#
# How do we get trits from float weights? By drawing two lines, at $+\delta$ and $-\delta$. What lies beyond a line keeps only its sign; what lies between becomes 0:
#
# $$
# t = \begin{cases} +1 & w > \delta \\ 0 & |w| \le \delta \\ -1 & w < -\delta \end{cases}
# $$
#
# The number $\delta$ is the **threshold**.

# %% [markdown]
# ### Exercise 1.1: draw the line (1 point)
#
# Write `threshold(weights, delta)`. It takes an array of any shape and returns an `int8` array of the same shape. A weight of exactly $\pm\delta$ becomes 0.


# %% nbgrader={"grade": false, "grade_id": "1_1_threshold", "locked": false, "schema_version": 3, "solution": true, "task": false}
def threshold(weights, delta):
    """Turn weights into trits: 0 within +-delta, else the sign."""
    ### BEGIN SOLUTION
    return np.where(np.abs(weights) > delta, np.sign(weights), 0).astype(np.int8)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_1_threshold_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.1")
def _(threshold):
    trits = threshold(np.array([-2.0, -0.3, 0.0, 0.4, 1.1]), 0.5)
    check.equal(trits, [-1, 0, 0, 0, 1], "Beyond ±0.5 keep the sign, within it write 0.")
    check.equal(
        threshold(np.array([0.5, -0.5, 0.51]), 0.5), [0, 0, 1],
        "A weight that lies exactly on the threshold becomes 0: is it > or >=?",
    )  # fmt: skip
    check.true(
        np.asarray(trits).dtype == np.int8,
        f"Trits should be stored as int8, one byte each; yours are {np.asarray(trits).dtype}. "
        "Try `.astype(np.int8)`.",
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(11)
    check.equal(
        threshold(np.array([0.3, 0.0, -0.3]), 0.0), [1, 0, -1],
        "With delta = 0 every weight keeps its sign, and 0 stays 0. Do you divide by delta?",
    )  # fmt: skip
    check.equal(
        threshold(np.array([900.0, -900.0, 2.0, -2.0]), 1.0), [1, -1, 1, -1],
        "However large a weight is, its trit is 1 or -1.",
    )  # fmt: skip
    check.equal(
        threshold(np.array([0.9, -0.9, 1.4, -1.4, 1.6, -1.6], np.float32), np.float32(1.5)),
        [0, 0, 0, 0, 1, -1],
        "The line is drawn at delta itself, not at half of it or at the next whole number.",
    )  # fmt: skip
    many = rng.normal(size=(7, 5))
    before = many.copy()
    got = threshold(many, 0.8)
    check.equal(got, (many > 0.8).astype(int) - (many < -0.8), "A matrix keeps its shape.")
    check.equal(many, before, "The weights you were given have changed: work on a copy.")
    ### END HIDDEN TESTS


# %% variant={"of": "1_1_threshold", "wrong": "zero only strictly inside: >= for >", "says": "exactly on the threshold"}
def threshold(weights, delta):
    return np.where(np.abs(weights) >= delta, np.sign(weights), 0).astype(np.int8)


# %% variant={"of": "1_1_threshold", "wrong": "binary: forgets the zeros", "says": "within it write 0"}
def threshold(weights, delta):
    return np.sign(weights).astype(np.int8)


# %% variant={"of": "1_1_threshold", "wrong": "forgets the sign of negative weights"}
def threshold(weights, delta):
    return (np.abs(weights) > delta).astype(np.int8)


# %% variant={"of": "1_1_threshold", "wrong": "leaves floats", "says": "int8"}
def threshold(weights, delta):
    return np.sign(weights) * (np.abs(weights) > delta)


# %% variant={"of": "1_1_threshold", "wrong": "writes into its argument"}
def threshold(weights, delta):
    weights[np.abs(weights) <= delta] = 0
    return np.sign(weights).astype(np.int8)


# %% variant={"of": "1_1_threshold", "right": "two comparisons"}
def threshold(weights, delta):
    return (weights > delta).astype(np.int8) - (weights < -delta).astype(np.int8)


# %% variant={"of": "1_1_threshold", "right": "a loop over the entries"}
def threshold(weights, delta):
    trits = np.zeros(weights.shape, dtype=np.int8)
    for place, w in np.ndenumerate(weights):
        if w > delta:
            trits[place] = 1
        elif w < -delta:
            trits[place] = -1
    return trits


# %% variant={"of": "1_1_threshold", "wrong": "rounds the quotient: a line at half of delta"}
def threshold(weights, delta):
    return np.clip(np.round(weights / delta), -1, 1).astype(np.int8)


# %% variant={"of": "1_1_threshold", "wrong": "divides by delta, which may be 0", "says": "divide by delta"}
def threshold(weights, delta):
    with np.errstate(all="ignore"):
        size = np.ceil(np.abs(weights) / delta) - 1
    return (np.sign(weights) * np.clip(np.nan_to_num(size, posinf=0), 0, 1)).astype(np.int8)


# %% [markdown] hints={"of": "1_1_threshold"}
# 1. There are three cases. Which question about a weight tells "0" from "not 0", and which tells "+1" from "-1"?
# 2. The first is about the size of a weight, whatever its sign: look at `np.abs` and at what a comparison of an array gives. The second is what `np.sign` is for.
# 3. `np.where(condition, this, that)` chooses entry by entry. Mind that the result is to be of type int8, and that "larger" and "larger or equal" differ at the line itself.

# %% [markdown]
# Let us see it happen to 24 weights. The upper dots are the floats; each falls onto one of three places.

# %% jupyter={"source_hidden": true}
rng = np.random.default_rng(323)
few = rng.normal(size=24)
delta = 0.6
trits = my.threshold(few, delta)

figure, axes = plt.subplots(figsize=(8.5, 2.7))
axes.axvspan(-delta, delta, color=ZERO, alpha=0.25, linewidth=0)
for w, t in zip(few, trits):
    axes.plot([w, t], [1, 0], color=style.TRIT_COLORS[int(t)], linewidth=1, alpha=0.55)
colors = [style.TRIT_COLORS[int(t)] for t in trits]
axes.scatter(few, np.ones_like(few), c=colors, s=36, zorder=3)
axes.scatter(trits, np.zeros_like(few), c=colors, s=90, zorder=3)
for t, name in ((-1, "-1"), (0, "0"), (1, "+1")):
    axes.text(t, -0.30, f"{name}\n{np.sum(trits == t)} weights", ha="center", va="top")
axes.text(0, 1.20, f"within ±δ = ±{delta}", ha="center", color=style.MUTED)
axes.set(ylim=(-0.85, 1.45), xlim=(-2.9, 2.9), yticks=[0, 1], yticklabels=["trits", "weights"],
         title="24 float weights fall onto three values")  # fmt: skip
axes.spines["left"].set_visible(False)
axes.tick_params(left=False)
plt.show()

# %% [markdown]
# ## 2 · One number to make up for the loss: the scale
#
# Look at the figure again. A weight of 2.2 and one of 0.7 both became +1. And if the whole matrix had been ten times smaller, the trits (with a threshold ten times smaller) would be the same: the *size* of the weights is gone.
#
# One float brings it back, the **scale** $\alpha$. We stand in for the weights with $\alpha\, t$, that is with $-\alpha$, $0$ and $+\alpha$. Which $\alpha$ is best? Let us ask for the least squared error,
#
# $$
# E(\alpha) = \sum_i (w_i - \alpha t_i)^2
#           = \sum_i w_i^2 \;-\; 2\alpha \sum_i w_i t_i \;+\; \alpha^2 \sum_i t_i^2 ,
# $$
#
# a parabola in $\alpha$. Setting its slope to zero is a one-liner on paper, and the result has a meaning you can say in five words. Find both.

# %% [markdown]
# ### Exercise 1.2: the best scale (2 points)
#
# Write `best_scale(weights, trits)`: the $\alpha$ that minimises $E(\alpha)$ for the given trits, as a float. Arrays of any shape come in. If every trit is 0, any $\alpha$ is as good as another: return `0.0`.


# %% nbgrader={"grade": false, "grade_id": "1_2_best_scale", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_scale(weights, trits):
    """Scale alpha that minimises sum((weights - alpha * trits) ** 2)."""
    ### BEGIN SOLUTION
    kept = np.count_nonzero(trits)
    # E'(alpha) = 0: the mean of |w| over the weights that were kept
    return float(np.sum(weights * trits) / kept) if kept else 0.0
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_2_best_scale_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.2")
def _(best_scale):
    w = np.array([-2.0, -0.3, 0.1, 0.5, 1.0])
    t = np.array([-1, 0, 0, 0, 1], dtype=np.int8)
    check.close(
        best_scale(w, t), 1.5,
        "Only weights whose trit is not 0 can feel alpha. How many of them are there?",
    )  # fmt: skip
    check.close(
        best_scale(w, np.zeros(5, np.int8)), 0.0, "With no trit left, return 0.0, not 0 / 0."
    )
    # any trits, not only those that a threshold makes: here one has the wrong sign
    odd = np.array([-1, 1, 0, 0, 1], dtype=np.int8)
    check.close(
        best_scale(w, odd), 0.9,
        "The formula holds for any trits, also for one that has the other sign than its weight. "
        "Start from the parabola: what multiplies alpha, what alpha squared?",
    )  # fmt: skip
    check.close(
        best_scale(w, -t), -1.5,
        "Nothing says that the parabola's lowest point lies at a positive alpha: if most trits "
        "have the other sign than their weights, it lies below 0.",
    )  # fmt: skip
    many = np.ones((20, 20), dtype=np.int8)
    check.close(
        best_scale(np.full((20, 20), 0.25), many), 0.25,
        "400 weights of 0.25, all kept. Trits are int8, a type that ends at 127, and a product "
        "of int8 arrays (`@`, `dot`) is int8 again: convert them first, or count.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(12)
    for shape in ((9, 13), (40, 50), (2, 3, 4), (1,)):
        big = rng.laplace(size=shape) + 0.3
        trits = rng.integers(-1, 2, size=shape).astype(np.int8)
        trits.flat[0] = 1
        want = np.linalg.lstsq(trits.reshape(-1, 1).astype(float), big.ravel(), rcond=None)[0][0]
        check.close(
            best_scale(big, trits), want,
            f"On random trits of shape {shape}, another scale gives a smaller error than yours.",
        )  # fmt: skip
    check.close(
        best_scale(np.array([1.0, -3.0]), np.array([1, -1], np.int8)), 2.0,
        "No trit left is a case of its own: add nothing to what you divide by, or every other "
        "result is a little off.", rtol=1e-12, atol=0,
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "1_2_best_scale", "wrong": "mean over all weights, zeros included", "says": "not 0 can feel alpha"}
def best_scale(weights, trits):
    return float(np.mean(np.abs(weights) * np.abs(trits)))


# %% variant={"of": "1_2_best_scale", "wrong": "mean |w| (absmean's scale), whatever the trits"}
def best_scale(weights, trits):
    return float(np.mean(np.abs(weights)))


# %% variant={"of": "1_2_best_scale", "wrong": "divides by zero when nothing is left", "says": "return 0.0"}
def best_scale(weights, trits):
    with np.errstate(all="ignore"):
        return float(np.sum(weights * trits) / np.sum(trits * trits))


# %% variant={"of": "1_2_best_scale", "wrong": "mean of |w| over the kept: wrong for a trit of the other sign", "says": "other sign"}
def best_scale(weights, trits):
    kept = np.abs(weights)[trits != 0]
    return float(kept.mean()) if kept.size else 0.0


# %% variant={"of": "1_2_best_scale", "wrong": "the largest weight"}
def best_scale(weights, trits):
    return float(np.max(np.abs(weights * trits)))


# %% variant={"of": "1_2_best_scale", "wrong": "int8 trits multiplied with int8 trits: wraps from 128 on", "says": "ends at 127"}
def best_scale(weights, trits):
    t = trits.ravel()
    energy = t @ t
    return float(weights.ravel() @ t / energy) if energy else 0.0


# %% variant={"of": "1_2_best_scale", "wrong": "the size of alpha: loses its sign", "says": "below 0"}
def best_scale(weights, trits):
    kept = np.count_nonzero(trits)
    return float(abs(np.sum(weights * trits)) / kept) if kept else 0.0


# %% variant={"of": "1_2_best_scale", "wrong": "a small number below the line, for safety", "says": "add nothing"}
def best_scale(weights, trits):
    return float(np.sum(weights * trits) / (np.count_nonzero(trits) + 1e-8))


# %% variant={"of": "1_2_best_scale", "right": "least squares by inner products"}
def best_scale(weights, trits):
    t = trits.ravel().astype(float)
    energy = t @ t
    return float(weights.ravel() @ t / energy) if energy > 0 else 0.0


# %% variant={"of": "1_2_best_scale", "right": "means of the two sides, joined"}
def best_scale(weights, trits):
    total = weights[trits == 1].sum() - weights[trits == -1].sum()
    count = (trits == 1).sum() + (trits == -1).sum()
    return 0.0 if count == 0 else float(total / count)


# %% [markdown] hints={"of": "1_2_best_scale"}
# 1. $E(\alpha)$ is a parabola $c - 2 b \alpha + a \alpha^2$. Where is its lowest point, in terms of $a$ and $b$?
# 2. $b$ and $a$ are two sums over all entries, and both stand in the formula above. What is $t^2$ if $t$ is -1, 0 or 1, and what does its sum count?
# 3. One case has no lowest point. Treat it before you divide.

# %% [markdown]
# Did you find the five words? For trits made by a threshold, $w_i t_i = |w_i|$ wherever $t_i \ne 0$, so the best scale is *the mean of the survivors*:
#
# $$
# \alpha^\star = \frac{\sum_i w_i t_i}{\sum_i t_i^2} = \operatorname{mean}\{|w_i| : |w_i| > \delta\}.
# $$
#
# With the best scale in hand we can say what a threshold costs.

# %% [markdown]
# ### Exercise 1.3: what a threshold costs (2 points)
#
# Write `relative_error(weights, delta)`: the share of the energy $\sum w^2$ that is lost when the weights are thresholded at `delta` and get the best scale for those trits. A float between 0 (nothing lost) and 1 (everything). You may call what you wrote before.
#
# Two edges to mind: a weight exactly on the line is lost, and at a threshold that nothing survives, so is everything.


# %% nbgrader={"grade": false, "grade_id": "1_3_relative_error", "locked": false, "schema_version": 3, "solution": true, "task": false}
def relative_error(weights, delta):
    """Share of sum(w^2) lost at threshold delta with the best scale."""
    ### BEGIN SOLUTION
    survivors = np.abs(weights)[np.abs(weights) > delta]
    kept = survivors.sum() ** 2 / survivors.size if survivors.size else 0.0
    return float(1 - kept / np.sum(np.square(weights)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_3_relative_error_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.3")
def _(relative_error):
    check.close(
        relative_error(np.array([3.0, -3.0, 0.0, 3.0]), 1.0), 0.0,
        "These weights are ternary already: nothing should be lost.", atol=1e-9,
    )  # fmt: skip
    check.close(
        relative_error(np.array([1.0, -2.0]), 5.0), 1.0, "Nothing survives: everything is lost."
    )
    check.close(
        relative_error(np.array([0.0, -2.0, 0.0]), 1.0), 0.0,
        "A single survivor, and the best scale for it is its own size: nothing is lost.", atol=1e-9,
    )  # fmt: skip
    check.close(
        relative_error(np.array([1.0, 3.0]), 1.0), 0.1,
        "A weight that lies exactly on the threshold does not survive it: its energy is lost.",
    )  # fmt: skip
    w = np.array([0.5, -1.0, 2.0, -4.0])
    check.close(
        relative_error(w, 1.5), 13 / 85,
        "Sum of squared differences over the sum of squared weights; the scale is the best one "
        "for these trits, not a fixed one.",
    )  # fmt: skip
    check.close(
        relative_error(10 * w, 15.0), relative_error(w, 1.5),
        "Ten times the weights and ten times the threshold should lose the same share: "
        "divide by the energy of the weights.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(13)
    big = rng.normal(size=(30, 50)) - 0.4
    for delta in (0.0, 0.4, 1.3, 2.9):
        t = np.where(np.abs(big) > delta, np.sign(big), 0)
        alpha = np.sum(big * t) / np.sum(t * t)
        want = np.sum((big - alpha * t) ** 2) / np.sum(big**2)
        check.close(relative_error(big, delta), want, f"On a random matrix, delta = {delta}.")
    ### END HIDDEN TESTS


# %% variant={"of": "1_3_relative_error", "wrong": "not divided by the energy"}
def relative_error(weights, delta):
    t = np.where(np.abs(weights) > delta, np.sign(weights), 0)
    kept = np.count_nonzero(t)
    alpha = np.sum(weights * t) / kept if kept else 0.0
    return float(np.mean((weights - alpha * t) ** 2))


# %% variant={"of": "1_3_relative_error", "wrong": "absmean's scale for every threshold", "says": "ternary already"}
def relative_error(weights, delta):
    t = np.where(np.abs(weights) > delta, np.sign(weights), 0)
    alpha = np.mean(np.abs(weights))
    return float(np.sum((weights - alpha * t) ** 2) / np.sum(weights**2))


# %% variant={"of": "1_3_relative_error", "wrong": "root of the energy's share"}
def relative_error(weights, delta):
    t = np.where(np.abs(weights) > delta, np.sign(weights), 0)
    kept = np.count_nonzero(t)
    alpha = np.sum(weights * t) / kept if kept else 0.0
    return float(np.linalg.norm(weights - alpha * t) / np.linalg.norm(weights))


# %% variant={"of": "1_3_relative_error", "wrong": "counts only the weights set to zero"}
def relative_error(weights, delta):
    return float(np.sum(weights[np.abs(weights) <= delta] ** 2) / np.sum(weights**2))


# %% variant={"of": "1_3_relative_error", "wrong": "scale 1: forgets alpha"}
def relative_error(weights, delta):
    t = np.where(np.abs(weights) > delta, np.sign(weights), 0)
    return float(np.sum((weights - t) ** 2) / np.sum(weights**2))


# %% variant={"of": "1_3_relative_error", "wrong": "weights on the line survive: >=", "says": "exactly on the threshold"}
def relative_error(weights, delta):
    survivors = np.abs(weights)[np.abs(weights) >= delta]
    kept = survivors.sum() ** 2 / survivors.size if survivors.size else 0.0
    return float(1 - kept / np.sum(np.square(weights)))


# %% variant={"of": "1_3_relative_error", "wrong": "guards the division with 2 in place of 1", "says": "single survivor"}
def relative_error(weights, delta):
    t = np.where(np.abs(weights) > delta, np.sign(weights), 0)
    kept = np.count_nonzero(t)
    alpha = np.sum(weights * t) / max(kept, 2)
    return float(np.sum((weights - alpha * t) ** 2) / np.sum(weights**2))


# %% variant={"of": "1_3_relative_error", "wrong": "what is kept, not what is lost"}
def relative_error(weights, delta):
    survivors = np.abs(weights)[np.abs(weights) > delta]
    kept = survivors.sum() ** 2 / survivors.size if survivors.size else 0.0
    return float(kept / np.sum(np.square(weights)))


# %% variant={"of": "1_3_relative_error", "right": "with what was written before"}
def relative_error(weights, delta):
    trits = threshold(weights, delta)
    rest = weights - best_scale(weights, trits) * trits
    return float(np.mean(rest * rest) / np.mean(weights * weights))


# %% variant={"of": "1_3_relative_error", "right": "as the text says it"}
def relative_error(weights, delta):
    t = np.where(np.abs(weights) > delta, np.sign(weights), 0)
    alpha = np.sum(weights * t) / max(np.count_nonzero(t), 1)
    return float(np.sum((weights - alpha * t) ** 2) / np.sum(weights**2))


# %% variant={"of": "1_3_relative_error", "right": "as one minus a squared cosine"}
def relative_error(weights, delta):
    w = np.ravel(weights)
    t = np.sign(w) * (np.abs(w) > delta)
    if not t.any():
        return 1.0
    return float(1 - (w @ t) ** 2 / ((w @ w) * (t @ t)))


# %% [markdown] hints={"of": "1_3_relative_error"}
# 1. You have written two of the three steps already: weights to trits, and trits to their best scale.
# 2. The third is a fraction. Above the line: the squared differences between each weight and what stands in for it, added up. Below: the same with nothing standing in.
# 3. At a threshold that nothing survives, which trits and which scale do your two functions give, and what is the fraction then?

# %% [markdown]
# **Predict, then run.** Take standard normal weights and $\delta = 0.6$. With the best scale, what share of the weights' energy $\sum w_i^2$ is *lost*? Nearly all of it, half, a fifth, a hundredth? Write a number of percent in place of `None`.

# %%
my_guess = None  # percent of the energy that is lost

weights = np.random.default_rng(2).normal(size=100_000)
trits = my.threshold(weights, 0.6)
alpha = my.best_scale(weights, trits)
lost = 100 * my.relative_error(weights, 0.6)
check.predicted(my_guess, lost, within=4, unit=" %",
                comment=f"Three values in place of four billion, and {100 - lost:.0f} % of the energy stay.")  # fmt: skip

# %% jupyter={"source_hidden": true}
scales = np.linspace(0, 2.4, 200)
energy = np.sum(weights**2)
curve = [np.sum((weights - a * trits) ** 2) / energy for a in scales]

figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.2), width_ratios=(1, 1.25))
left.plot(scales, curve, color=style.TERNARY)
left.plot(alpha, lost / 100, "o", color=style.ACCENT)
left.annotate(f"α = {alpha:.2f}\n{lost:.0f} % lost", (alpha, lost / 100), (1.0, 0.45), ha="center",
              arrowprops={"arrowstyle": "-", "color": style.MUTED})  # fmt: skip
left.set(xlabel="scale α", ylabel="share of the energy lost", ylim=(0, 1.05),
         title="The error is a parabola in α")  # fmt: skip

bins = np.linspace(-4, 4, 161)
right.hist([weights[trits == t] for t in (-1, 0, 1)], bins, stacked=True, color=(MINUS, ZERO, PLUS))
for t, name in ((-1, "-α"), (0, "0"), (1, "+α")):
    right.vlines(t * alpha, 0, 2150, color=style.INK, linewidth=1.4)
    right.text(t * alpha, 2190, name, ha="center")
right.set(yticks=[], ylim=(0, 2400), xlabel="weight", title="Each colour is replaced by one line")
right.spines["left"].set_visible(False)
plt.show()

# %% [markdown]
# ## 3 · A whole matrix
#
# A layer's weight is a matrix $W$ of shape $(N, K)$: $N$ outputs, each with $K$ inputs. Two questions come up at once.
#
# **Which threshold?** It should follow the size of the weights, or a layer with small weights would be wiped out. The rule that made ternary language models famous, *BitNet b1.58*, takes both numbers from one mean. It is called **absmean**:
#
# $$
# \alpha = \operatorname{mean} |W|, \qquad T = \operatorname{clip}\big(\operatorname{round}(W / \alpha),\, -1,\, 1\big).
# $$
#
# There is a threshold hidden in it. Where does $\operatorname{round}(W/\alpha)$ go from 0 to 1? At $W / \alpha = \tfrac12$, so $\delta = \alpha / 2$.
#
# **One scale or many?** We can take one $\alpha$ for the whole matrix, or one for each row, that is for each output. Rows of a trained layer can differ a lot in size; a scale for each costs 4 bytes, and in return no row is starved. BitNet and BitMedViT use one for the matrix.

# %% [markdown]
# ### Exercise 1.4: absmean (2 points)
#
# Write `absmean(weights, per_row=False)` for a matrix $(N, K)$. Return `(trits, scale)`: trits as `int8` $(N, K)$; the scale as one number, or with `per_row=True` as an array $(N, 1)$, so that `scale * trits` just works in both cases.
#
# A row of zeros would divide by zero. Do as BitNet does: let no scale be smaller than `1e-5`.


# %% nbgrader={"grade": false, "grade_id": "1_4_absmean", "locked": false, "schema_version": 3, "solution": true, "task": false}
def absmean(weights, per_row=False):
    """BitNet b1.58's rule: scale = mean |W|, trits = clip(round(W / scale), -1, 1)."""
    ### BEGIN SOLUTION
    magnitude = np.abs(weights)
    scale = magnitude.mean(axis=1, keepdims=True) if per_row else magnitude.mean()
    scale = np.maximum(scale, 1e-5)
    return np.clip(np.round(weights / scale), -1, 1).astype(np.int8), scale
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_4_absmean_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.4")
def _(absmean):
    w = np.array([[0.1, -0.2, 0.3, -1.0], [4.0, -8.0, 1.0, 3.0]])
    trits, scale = absmean(w)
    check.close(
        scale, 2.2, "One scale for the matrix: the mean of all eight magnitudes.", rtol=1e-4
    )
    check.equal(
        trits, [[0, 0, 0, 0], [1, -1, 0, 1]],
        "Divide by the scale, round, then clip to -1..1. One scale leaves nothing of the first row.",
    )  # fmt: skip
    check.equal(
        absmean(np.array([[1.0, 2.0, 3.0, -2.0]]))[0], [[0, 1, 1, -1]],
        "1 / 2 lies exactly halfway. NumPy rounds it to 0, and a weight on the threshold is 0.",
    )  # fmt: skip
    trits, scale = absmean(w, per_row=True)
    check.close(
        scale, [[0.4], [4.0]],
        "per_row=True: one mean for each row, and of shape (N, 1), so that it divides row by row.",
        rtol=1e-4,
    )  # fmt: skip
    check.equal(trits, [[0, 0, 1, -1], [1, -1, 0, 1]], "Each row is divided by its own scale.")
    check.true(np.asarray(trits).dtype == np.int8, "Trits should be int8.")
    for per_row in (False, True):
        zeros, floor = absmean(np.zeros((2, 3)), per_row=per_row)
        check.close(
            floor, np.full((2, 1), 1e-5) if per_row else 1e-5,
            f"A matrix of zeros, per_row={per_row}: let no scale be smaller than 1e-5.",
        )  # fmt: skip
        check.equal(zeros, np.zeros((2, 3)), "A matrix of zeros has the trits 0.")
    faint, floor = absmean(np.array([[2e-6, -1e-6], [1.0, -1.0]]), per_row=True)
    check.close(
        floor, [[1e-5], [1.0]],
        "The floor is for every scale below 1e-5, not only for 0, and is no matter of adding: "
        "larger scales stay as they are.", rtol=1e-7,
    )  # fmt: skip
    check.equal(faint, [[0, 0], [1, -1]], "Divide by the scale that you return.")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(14)
    big = rng.normal(size=(6, 40)) * np.logspace(-2, 1, 6)[:, None]
    for per_row in (False, True):
        trits, scale = absmean(big, per_row=per_row)
        library = tt.quant.absmean(big, "channel" if per_row else "tensor")
        check.equal(trits, library.trits, "On a random matrix the trits differ from the library's.")
        check.close(scale, library.scale, "On a random matrix the scale is another.", rtol=1e-4)
        check.dtype(trits, np.int8, "Trits are int8 in both cases.")
        check.close(
            np.sum(scale * trits, axis=1).shape, (6,), "`scale * trits` should keep the shape."
        )
    single = absmean(np.array([[0.5, -1.5, 4.0]]), per_row=True)
    check.equal(single[0], [[0, -1, 1]], "A matrix of one row.")
    check.close(single[1], [[2.0]], "A matrix of one row.")
    check.close(
        absmean(np.array([[0.0, 0.0, 0.0, 1.0]]))[1], 0.25,
        "The floor is for the scale, not for each weight.", rtol=1e-9,
    )  # fmt: skip
    spike = np.zeros((1, 200))
    spike[0, 3] = 5.0
    for per_row in (False, True):
        check.equal(
            absmean(spike, per_row=per_row)[0], np.sign(spike),
            "One weight is 200 times the scale, and 200 does not fit into an int8: clip first.",
        )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "1_4_absmean", "wrong": "no clip: round gives -2 and 2", "says": "clip"}
def absmean(weights, per_row=False):
    scale = np.abs(weights).mean(axis=1, keepdims=True) if per_row else np.abs(weights).mean()
    scale = np.maximum(scale, 1e-5)
    return np.round(weights / scale).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "wrong": "mean of W, not of |W|", "says": "magnitudes"}
def absmean(weights, per_row=False):
    scale = weights.mean(axis=1, keepdims=True) if per_row else weights.mean()
    scale = np.maximum(scale, 1e-5)
    return np.clip(np.round(weights / scale), -1, 1).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "wrong": "mean over columns, the wrong axis"}
def absmean(weights, per_row=False):
    scale = np.abs(weights).mean(axis=0, keepdims=True) if per_row else np.abs(weights).mean()
    scale = np.maximum(scale, 1e-5)
    return np.clip(np.round(weights / scale), -1, 1).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "wrong": "no guard: a row of zeros divides by zero", "says": "1e-5"}
def absmean(weights, per_row=False):
    scale = np.abs(weights).mean(axis=1, keepdims=True) if per_row else np.abs(weights).mean()
    return np.nan_to_num(np.clip(np.round(weights / scale), -1, 1)).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "wrong": "int8 before the rounding: cuts off"}
def absmean(weights, per_row=False):
    scale = np.abs(weights).mean(axis=1, keepdims=True) if per_row else np.abs(weights).mean()
    scale = np.maximum(scale, 1e-5)
    return np.clip((weights / scale).astype(np.int8), -1, 1), scale


# %% variant={"of": "1_4_absmean", "wrong": "no floor at all: 0 / 0 is NaN", "says": "1e-5"}
def absmean(weights, per_row=False):
    scale = np.abs(weights).mean(axis=1, keepdims=True) if per_row else np.abs(weights).mean()
    with np.errstate(all="ignore"):
        return np.clip(np.round(weights / scale), -1, 1).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "wrong": "a floor for the rows only", "says": "per_row=False"}
def absmean(weights, per_row=False):
    if per_row:
        scale = np.maximum(np.abs(weights).mean(axis=1, keepdims=True), 1e-5)
    else:
        scale = np.abs(weights).mean()
    with np.errstate(all="ignore"):
        return np.clip(np.round(weights / scale), -1, 1).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "wrong": "adds 1e-5 in place of a floor", "says": "no matter of adding"}
def absmean(weights, per_row=False):
    scale = np.abs(weights).mean(axis=1, keepdims=True) if per_row else np.abs(weights).mean()
    scale = scale + 1e-5
    return np.clip(np.round(weights / scale), -1, 1).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "wrong": "a floor for 0 alone", "says": "every scale below"}
def absmean(weights, per_row=False):
    scale = np.abs(weights).mean(axis=1, keepdims=True) if per_row else np.abs(weights).mean()
    scale = np.where(scale == 0, 1e-5, scale)
    return np.clip(np.round(weights / scale), -1, 1).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "wrong": "returns the floor, divides without it"}
def absmean(weights, per_row=False):
    scale = np.abs(weights).mean(axis=1, keepdims=True) if per_row else np.abs(weights).mean()
    with np.errstate(all="ignore"):
        trits = np.clip(np.round(np.nan_to_num(weights / scale)), -1, 1).astype(np.int8)
    return trits, np.maximum(scale, 1e-5)


# %% variant={"of": "1_4_absmean", "wrong": "half is rounded up", "says": "halfway"}
def absmean(weights, per_row=False):
    scale = np.abs(weights).mean(axis=1, keepdims=True) if per_row else np.abs(weights).mean()
    scale = np.maximum(scale, 1e-5)
    size = np.floor(np.abs(weights) / scale + 0.5)
    return (np.sign(weights) * np.minimum(size, 1)).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "right": "by its threshold, half the scale"}
def absmean(weights, per_row=False):
    axis = 1 if per_row else None
    scale = np.maximum(np.mean(np.abs(weights), axis=axis, keepdims=per_row), 1e-5)
    half = scale / 2
    return (weights > half).astype(np.int8) - (weights < -half).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "right": "row after row"}
def absmean(weights, per_row=False):
    if not per_row:
        scale = max(float(np.abs(weights).sum() / weights.size), 1e-5)
        return np.rint(np.clip(weights / scale, -1, 1)).astype(np.int8), scale
    rows = [absmean(row[None, :]) for row in weights]
    return np.concatenate([r[0] for r in rows]), np.array([[r[1]] for r in rows])


# %% [markdown] hints={"of": "1_4_absmean"}
# 1. Start with one scale for the whole matrix: a mean, then the formula above, word by word. Check it before you think of rows.
# 2. For rows only the mean changes. `axis=` says along which axis it is taken; one more argument of `mean` keeps that axis, so that the result divides the matrix row by row.
# 3. A floor is a comparison: the larger of two numbers, for each scale. NumPy has a function that does it for an array and for a single number alike.

# %% [markdown]
# Here is a matrix whose lower rows are larger than its upper ones, as happens in trained layers. With one scale the upper rows fade away: nearly all of their weights fall below the threshold. With a scale for each row all of them keep their pattern; compare the losses in the titles. The last line holds your function against the library's, `tt.quant.absmean`.

# %% jupyter={"source_hidden": true}
W = np.random.default_rng(3).normal(size=(16, 32)) * np.linspace(0.15, 2.0, 16)[:, None]
T, scale = my.absmean(W)
T_row, scale_row = my.absmean(W, per_row=True)


def lost_by(W, approximation):
    return np.sum((W - approximation) ** 2) / np.sum(W**2)


figure, axes = plt.subplots(1, 4, figsize=(11, 2.5), width_ratios=(1, 1, 1, 0.85))
trit_map = plt.matplotlib.colors.ListedColormap([MINUS, "#eef0f3", PLUS])
float_map = plt.matplotlib.colors.LinearSegmentedColormap.from_list("w", [MINUS, "#eef0f3", PLUS])
axes[0].imshow(W, cmap=float_map, vmin=-3, vmax=3, aspect="auto")
axes[0].set(title="W, float", ylabel="output n")
axes[1].imshow(T, cmap=trit_map, vmin=-1, vmax=1, aspect="auto")
axes[1].set(title=f"one scale: {100 * lost_by(W, scale * T):.0f} % lost")
axes[2].imshow(T_row, cmap=trit_map, vmin=-1, vmax=1, aspect="auto")
axes[2].set(title=f"one a row: {100 * lost_by(W, scale_row * T_row):.0f} % lost")
for a in axes[:3]:
    a.set(xticks=[], yticks=[], xlabel="input k")
rows = np.arange(16)
axes[3].barh(rows, np.mean(T == 0, axis=1), color=ZERO, height=0.8, label="one scale")
axes[3].plot(np.mean(T_row == 0, axis=1), rows, "o", color=style.INK, ms=4, label="one a row")
axes[3].invert_yaxis()
axes[3].set(xlim=(0, 1), yticks=[], xlabel="share of zeros", title="zeros by row")
axes[3].legend(loc="lower right", fontsize=8)
plt.show()

library = tt.quant.absmean(W)
print("same trits as tt.quant.absmean:", np.array_equal(T, library.trits),
      "| scale", float(scale), "and", float(library.scale))  # fmt: skip

# %% [markdown]
# ## 4 · Which threshold loses least?
#
# A small threshold keeps nearly every weight, and stands in for the small ones with an $\alpha$ far too large for them. A large threshold throws half the matrix away. Somewhere between lies the best. Let us find it, first with a computer, then with a pencil.

# %% [markdown]
# **Predict, then run.** Weights are standard normal again. Two rules are on offer: absmean's $\delta = 0.5 \operatorname{mean}|W|$, and that of *Ternary Weight Networks* (TWN), $\delta = 0.7 \operatorname{mean}|W|$ with the mean of the survivors as its scale. Which of them lies closer to the best threshold? Write `"absmean"` or `"twn"`.

# %%
my_guess = None  # "absmean" or "twn"

draws = np.random.default_rng(4)
populations = {
    "Gaussian": draws.normal(size=200_000),
    "Laplace (heavy tails)": draws.laplace(size=200_000),
    "uniform (no tails)": draws.uniform(-1, 1, size=200_000),
}
steps = np.linspace(0.02, 2.0, 100)  # thresholds in units of mean |w|
curves = {
    name: np.array([my.relative_error(w, step * np.mean(np.abs(w))) for step in steps])
    for name, w in populations.items()
}
best_step = steps[np.argmin(curves["Gaussian"])]
check.predicted(my_guess, "twn" if abs(best_step - 0.7) < abs(best_step - 0.5) else "absmean",
                comment=f"For a Gaussian the best threshold is at {best_step:.2f} mean |w|.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8.5, 3.9))
behind = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
for step, name, side in ((0.5, "absmean, 0.5 ", "right"), (0.7, " TWN, 0.7", "left")):
    axes.axvline(step, color=style.MUTED, linestyle=":", linewidth=1.3)
    axes.text(step, 0.545, name, color=style.MUTED, fontsize=9, ha=side)
for (name, errors), color, up in zip(
    curves.items(), (style.TERNARY, "#8a5fb0", "#b8860b"), (True, True, False)
):
    axes.plot(steps, errors, color=color)
    least = np.argmin(errors)
    axes.plot(steps[least], errors[least], "o", color=color, zorder=3)
    axes.annotate(
        f"{100 * errors[least]:.1f} % lost at {steps[least]:.2f}",
        (steps[least], errors[least]), (0, 7 if up else -7), textcoords="offset points",
        ha="center", va="bottom" if up else "top", fontsize=9, color=color, bbox=behind,
    )  # fmt: skip
    place = (0.10, np.interp(0.10, steps, errors) + 0.012) if up else (0.06, 0.12)
    axes.text(*place, name, color=color)
axes.set(
    xlabel="threshold δ, in units of mean |w|", ylabel="share of the energy lost",
    ylim=(0, 0.58), xlim=(0, 2), title="Error against threshold, with the best scale at each",
)  # fmt: skip
style.grid_behind(axes)
plt.show()

# %% [markdown]
# Three things to read off. The curves are flat at the bottom: a threshold that is off by a fifth hardly matters. The best place depends on the *shape* of the distribution, since heavy tails want a larger threshold. And TWN's 0.7 is a compromise between the uniform and the Gaussian best.
#
# ### With a pencil
#
# Put the best $\alpha$ into $E$. What is left is the energy minus what the survivors explain. With $n(\delta)$ survivors whose magnitudes add up to $S(\delta)$,
#
# $$
# E(\delta) = \sum_i w_i^2 - \frac{S(\delta)^2}{n(\delta)},
# $$
#
# so we want the threshold that makes $S^2/n$ largest. Now let $\delta$ creep up past one more weight: a weight of magnitude $\delta$ drops out, $S$ falls by $\delta$ and $n$ by 1. At the best place this changes nothing to first order:
#
# $$
# \frac{2 S}{n}\,\delta = \frac{S^2}{n^2}
# \quad\Longrightarrow\quad
# \boxed{\;\delta^\star = \tfrac12\,\frac{S}{n} = \tfrac12\,\alpha^\star\;}
# $$
#
# The best threshold lies **halfway between the two values it decides between**, 0 and $\alpha$, and of course it does: each weight should go to the nearer one. Together with "$\alpha$ is the mean of the survivors" this makes two conditions, and they have to hold at once. Engineers know the pair as the *Lloyd-Max* conditions, from the 1950s.
#
# Look at our two rules with that in mind. **absmean** keeps $\delta = \alpha/2$, but its $\alpha$ is the mean of *all* weights. **TWN** takes the mean of the survivors, but its $\delta$ is not half of that. Each rule keeps one of the two conditions.
#
# For a Gaussian with standard deviation $\sigma$, density $\varphi$ and upper tail $Q$, the mean of the survivors is $\sigma\, \varphi(\delta/\sigma) / Q(\delta/\sigma)$. No closed formula solves $\delta = \tfrac12 \alpha(\delta)$, but going round and round does: threshold, mean, half, threshold, mean, half. That loop is Lloyd's algorithm, the ancestor of k-means.

# %%
delta = 0.0
for turn in range(1, 41):
    alpha = norm.pdf(delta) / norm.sf(delta)  # mean of the survivors, sigma = 1
    delta = alpha / 2  # halfway between 0 and alpha
    if turn in (1, 2, 3, 5, 10, 20, 40):
        print(f"turn {turn:2d}   alpha = {alpha:.5f}   delta = {delta:.5f}")

kept_energy = 2 * norm.pdf(delta) ** 2 / norm.sf(delta)
print(f"\nA Gaussian's best: delta = {delta:.4f} sigma, alpha = {alpha:.4f} sigma,")
print(f"{100 - 200 * norm.sf(delta):.1f} % zeros, {100 * kept_energy:.2f} % of the energy kept.")

# %% [markdown]
# Remember these: **$\delta^\star = 0.612\,\sigma$, $\alpha^\star = 1.224\,\sigma$, 81 % of the energy kept.** In units of $\operatorname{mean}|w| = \sqrt{2/\pi}\,\sigma$ the threshold is 0.767; the figure, on its grid, said 0.76.
#
# The picture below shows the hunt: the curve is the mean of the survivors for each threshold, the straight line is $\alpha = 2\delta$, and the staircase is the loop you just ran. On the right, where the rules land.

# %% jupyter={"source_hidden": true}
grid = np.linspace(0, 1.1, 200)
stairs = [(0.0, 0.0)]
d = 0.0
for _ in range(12):
    a = norm.pdf(d) / norm.sf(d)
    stairs += [(d, a), (a / 2, a)]
    d = a / 2

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), width_ratios=(1, 1.15))
left.plot(grid, norm.pdf(grid) / norm.sf(grid), color=style.TERNARY, label="mean of the survivors")
left.plot(grid, 2 * grid, color=style.FLOAT, label="α = 2 δ")
left.plot(*zip(*stairs), color=style.ACCENT, linewidth=1.1)
left.plot(delta, alpha, "o", color=style.ACCENT, zorder=3)
left.annotate(f"δ = {delta:.3f}\nα = {alpha:.3f}", (delta, alpha), (0.70, 0.80),
              arrowprops={"arrowstyle": "-", "color": style.MUTED})  # fmt: skip
left.set(xlabel="threshold δ / σ", ylabel="scale α / σ", xlim=(0, 1.1), ylim=(0, 2),
         title="Both conditions at once")  # fmt: skip
left.legend(loc="upper left", fontsize=9)

mean = np.sqrt(2 / np.pi)
rules = {
    "absmean": (mean / 2, mean),
    "TWN": (0.7 * mean, norm.pdf(0.7 * mean) / norm.sf(0.7 * mean)),
    "best": (delta, alpha),
}


def error_of(d, a):  # E(alpha) of section 2, for a Gaussian with sigma = 1
    return 1 - 4 * a * norm.pdf(d) + 2 * a**2 * norm.sf(d)


values = [error_of(d, a) for d, a in rules.values()]
bars = right.barh(list(rules), values, color=[style.FLOAT, style.FLOAT, style.TERNARY], height=0.55)
for bar, value, (d, a) in zip(bars, values, rules.values()):
    right.text(value + 0.004, bar.get_y() + bar.get_height() / 2,
               f"{100 * value:.1f} %   δ = {d:.2f} σ,  α = {a:.2f} σ", va="center", fontsize=9)  # fmt: skip
right.axvline(1 / 9, color=style.ACCENT, linestyle="--", linewidth=1.2)
right.text(1 / 9 + 0.004, -0.78, "Shannon's limit at log₂ 3 bits: 1/9", color=style.ACCENT,
           fontsize=8.5, va="center")  # fmt: skip
right.set(xlim=(0, 0.54), ylim=(2.5, -1), xlabel="share of the energy lost",
          title="A Gaussian layer, each rule with its own α")  # fmt: skip
plt.show()

# %% [markdown]
# The dashed line is a bonus from information theory: no code that spends $R$ bits on each Gaussian weight can lose less than $2^{-2R}$ of the energy, and $2^{-2\log_2 3} = 1/9$. Rounding each weight by itself leaves us at 19 % instead of 11 %; that gap is the price of simplicity.
#
# And absmean loses 26 %, clearly more than TWN. Is BitNet's rule a bad one, then? Not so fast: squared distance to some float weights is not what a network is judged by. BitNet *trains through* the rounding: the float weights move until the **ternary** network is good, and there is no fixed target left to be close to. Hold on to that thought until section 8.
#
# Play with the threshold yourself (in Jupyter the slider moves; on paper you get three stills).


# %% jupyter={"source_hidden": true}
def draw_threshold(axes, delta):
    w = populations["Gaussian"][:40_000]
    t = my.threshold(w, delta)
    a = my.best_scale(w, t)
    parts = [w[t == trit] for trit in (-1, 0, 1)]
    width = delta / max(1, round(delta / 0.067)) or 0.067  # so that ±δ are edges of bins
    axes.hist(parts, np.arange(-60, 61) * width, stacked=True, color=(MINUS, ZERO, PLUS))
    for trit in (-1, 0, 1):
        axes.axvline(trit * a, color=style.INK, linewidth=1.3)
    axes.set(yticks=[], xlabel="weight / σ", xlim=(-4, 4))
    axes.set_title(f"δ = {delta:.2f}: α = {a:.2f}, {100 * np.mean(t == 0):.0f} % zeros, "
                   f"{100 * my.relative_error(w, delta):.0f} % lost", fontsize=9.5)  # fmt: skip
    axes.spines["left"].set_visible(False)


figure, stills = plt.subplots(1, 3, figsize=(11, 2.4))
for still, value in zip(stills, (0.2, 0.61, 1.4)):
    draw_threshold(still, value)
plt.show()


def move(delta=0.6):
    _, axes = plt.subplots(figsize=(6.5, 3))
    draw_threshold(axes, delta)
    plt.show()


course.slider(move, delta=(0.0, 2.5, 0.05))

# %% [markdown]
# ### Exercise 1.5: the best threshold, exactly (3 points)
#
# A Gaussian is a theory; a layer is a finite heap of numbers. For a finite heap the best threshold can be found *exactly*, without trying a grid and without a formula for the distribution.
#
# Write `best_threshold(weights)`: a $\delta \ge 0$ for which `relative_error(weights, delta)` is smallest. (Between two neighbouring magnitudes every $\delta$ gives the same trits, so there is a whole interval of right answers: return any number in it.) It should take less than a second for 200,000 weights.
#
# *Exactly* means: the right survivors, every one of them. "Close to the best" is what a grid is for.


# %% nbgrader={"grade": false, "grade_id": "1_5_best_threshold", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_threshold(weights):
    """Threshold that loses least of sum(w^2), with the best scale for its trits."""
    ### BEGIN SOLUTION
    ranked = np.sort(np.abs(np.ravel(weights)))[::-1]
    explained = np.cumsum(ranked) ** 2 / np.arange(1, ranked.size + 1)
    k = np.argmax(explained) + 1  # the k largest survive
    below = ranked[k] if k < ranked.size else 0.0
    return float((ranked[k - 1] + below) / 2)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_5_best_threshold_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.5")
def _(best_threshold):
    four = np.array([5.0, -4.0, 1.0, 0.5])
    delta = best_threshold(four)
    check.true(np.ndim(delta) == 0, "Return one number.")
    check.true(
        1.0 <= delta < 4.0,
        f"For 5, -4, 1, 0.5 the two large ones should survive and the others not; "
        f"your {float(delta):.3g} does not part them. Remember: a weight survives if it is "
        "strictly larger than delta.",
    )
    delta = best_threshold(np.array([2.0, -2.0, 2.0]))
    check.true(
        0 <= delta < 2,
        f"For 2, -2, 2 all should survive, and a threshold is at least 0: yours is {delta:.3g}.",
    )
    w = np.random.default_rng(15).laplace(size=3000)
    grid = min(relative_error(w, d) for d in np.linspace(0, 4, 400))
    mine = relative_error(w, best_threshold(w))
    check.true(
        mine <= grid + 1e-12,
        f"On Laplace weights a plain grid of thresholds loses {grid:.5f}, yours {mine:.5f}. "
        "A fixed multiple of the mean or of sigma fits one distribution only.",
    )
    check.quick(
        2, lambda: best_threshold(np.random.default_rng(16).normal(size=200_000)),
        "Do you add everything up anew for each threshold? What changes from one to the next?",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(17)
    heaps = [rng.standard_t(3, size=size) for size in (1, 2, 3, 7, 40) for _ in range(25)]
    heaps += [rng.standard_t(3, size=3000) for _ in range(8)]
    heaps += [rng.normal(size=700) for _ in range(8)]
    # two humps, where the loop of threshold and mean stops at the wrong one
    heaps += [np.concatenate([rng.normal(1, 0.05, 400), rng.normal(6, 0.3, n)]) for n in (8, 30)]
    heaps += [1e-4 * rng.normal(size=50), 1e4 * rng.normal(size=50)]
    heaps += [np.array([3.0, -3.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0, 0.99])]
    for w in heaps:
        sizes = np.sort(np.abs(w))[::-1]
        explained = np.array([sizes[:k].sum() ** 2 / k for k in range(1, sizes.size + 1)])
        delta = best_threshold(w)
        check.true(delta >= 0, f"A threshold is at least 0; yours is {delta:.3g}.")
        survive = int(np.sum(sizes > delta))
        right = int(np.argmax(explained)) + 1
        check.true(
            survive > 0 and explained[survive - 1] >= explained.max() * (1 - 1e-13),
            f"Of {w.size} weights, {right} should survive; with your threshold {survive} do. "
            "Near is not exact: a grid, however fine, or a loop that stops at the first good "
            "place, misses by a few.",
        )
    # so many weights that sums in float32 put the best place a few ranks off
    sizes = np.sort(np.abs(rng.normal(size=50_000)))[::-1]
    explained = np.cumsum(sizes) ** 2 / np.arange(1, sizes.size + 1)
    survive = int(np.sum(sizes > best_threshold(sizes)))
    check.true(
        survive > 0 and explained[survive - 1] >= explained.max() * (1 - 1e-12),
        f"Of {sizes.size} weights, {int(np.argmax(explained)) + 1} should survive; with your "
        f"threshold {survive} do. In which type do you add them up?",
    )
    matrix = rng.normal(size=(20, 30))
    check.true(
        relative_error(matrix, best_threshold(matrix))
        <= relative_error(matrix, best_threshold(matrix.ravel())) + 1e-12,
        "A matrix should give the same threshold as its entries in a row.",
    )
    ### END HIDDEN TESTS


# %% variant={"of": "1_5_best_threshold", "wrong": "the Gaussian's formula for everything"}
def best_threshold(weights):
    return float(0.612 * np.std(weights))


# %% variant={"of": "1_5_best_threshold", "wrong": "TWN's rule for everything"}
def best_threshold(weights):
    return float(0.7 * np.mean(np.abs(weights)))


# %% variant={"of": "1_5_best_threshold", "wrong": "S / n in place of S^2 / n"}
def best_threshold(weights):
    ranked = np.sort(np.abs(np.ravel(weights)))[::-1]
    k = np.argmax(np.cumsum(ranked) / np.arange(1, ranked.size + 1)) + 1
    below = ranked[k] if k < ranked.size else 0.0
    return float((ranked[k - 1] + below) / 2)


# %% variant={"of": "1_5_best_threshold", "wrong": "returns the smallest survivor, which then falls", "says": "strictly larger"}
def best_threshold(weights):
    ranked = np.sort(np.abs(np.ravel(weights)))[::-1]
    explained = np.cumsum(ranked) ** 2 / np.arange(1, ranked.size + 1)
    return float(ranked[np.argmax(explained)])


# %% variant={"of": "1_5_best_threshold", "wrong": "sorted the wrong way round"}
def best_threshold(weights):
    ranked = np.sort(np.abs(np.ravel(weights)))
    explained = np.cumsum(ranked) ** 2 / np.arange(1, ranked.size + 1)
    k = np.argmax(explained)
    return float(ranked[k]) * 0.999


# %% variant={"of": "1_5_best_threshold", "wrong": "a coarse grid"}
def best_threshold(weights):
    w = np.abs(np.ravel(weights))
    grid = np.linspace(0, w.max(), 12)[:-1]
    return float(max(grid, key=lambda d: w[w > d].sum() ** 2 / max((w > d).sum(), 1)))


# %% variant={"of": "1_5_best_threshold", "wrong": "a grid of 2,001 points", "says": "a grid, however fine"}
def best_threshold(weights):
    m = np.sort(np.abs(np.ravel(weights)))
    above = np.append(np.cumsum(m[::-1])[::-1], 0.0)
    grid = np.linspace(0, m[-1], 2001)[:-1]
    first = np.searchsorted(m, grid, side="right")
    return float(grid[np.argmax(above[first] ** 2 / (m.size - first))])


# %% variant={"of": "1_5_best_threshold", "wrong": "threshold, mean, half, threshold: stops where it first stands still", "says": "first good"}
def best_threshold(weights):
    w = np.abs(np.ravel(weights))
    delta = 0.0
    for _ in range(100):
        kept = w[w > delta]
        delta = kept.mean() / 2
    return float(delta)


# %% variant={"of": "1_5_best_threshold", "wrong": "below zero where all survive", "says": "at least 0"}
def best_threshold(weights):
    ranked = np.sort(np.abs(np.ravel(weights)))[::-1]
    explained = np.cumsum(ranked) ** 2 / np.arange(1, ranked.size + 1)
    k = np.argmax(explained) + 1
    return float(ranked[k]) if k < ranked.size else -1.0


# %% variant={"of": "1_5_best_threshold", "right": "largest survivors from the small end"}
def best_threshold(weights):
    m = np.sort(np.abs(np.asarray(weights)).ravel())
    total = m.sum()
    dropped = np.concatenate([[0.0], np.cumsum(m)[:-1]])
    left = m.size - np.arange(m.size)
    i = int(np.argmax((total - dropped) ** 2 / left))  # the i smallest are dropped
    return float(m[i - 1]) if i else 0.0


# %% variant={"of": "1_5_best_threshold", "right": "a loop over the ranks"}
def best_threshold(weights):
    ranked = [*sorted(np.abs(weights).ravel().tolist(), reverse=True), 0.0]
    total, best, place = 0.0, -1.0, 0
    for k, magnitude in enumerate(ranked[:-1], start=1):
        total += magnitude
        if total * total / k > best:
            best, place = total * total / k, k
    return (ranked[place - 1] + ranked[place]) / 2


# %% [markdown] hints={"of": "1_5_best_threshold"}
# 1. How many different sets of survivors can a threshold leave, for $K$ weights? Write them down for 5, -4, 1, 0.5.
# 2. The survivors are always the $k$ largest magnitudes, for some $k$. Which two numbers does the formula with the pencil need for each $k$, and how do they change from $k$ to $k + 1$?
# 3. Sort once. NumPy has a function that gives the sums of the first 1, 2, 3, ... entries in one go. Then ask which $k$ is best, and return a number between the smallest magnitude that survives and the largest that does not.

# %% [markdown]
# Pencil against computer: on 200,000 Gaussian weights your function should find $0.612\,\sigma$, on Laplace weights close to $1.0 \operatorname{mean}|w|$ (in theory it is exactly 1; try to prove it: the survivors of a Laplace have mean $\delta + \operatorname{mean}|w|$), and on uniform ones, a third of the way to the edge.

# %%
for name, w in populations.items():
    found = my.best_threshold(w)
    print(f"{name:<22} delta = {found:.3f} = {found / np.mean(np.abs(w)):.3f} mean |w|"
          f" = {found / np.std(w):.3f} sigma, {100 * my.relative_error(w, found):.2f} % lost")  # fmt: skip

# %% [markdown]
# ### And a layer that has learned something?
#
# Theory spoke of Gaussians. Here is a small network that reads handwritten digits, 8 × 8 pixels (they come with scikit-learn, so no network connection is needed): 64 inputs, 128 hidden units, 10 outputs. It takes a second to train. Are *its* weights anything like a Gaussian?

# %%
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

digits, labels = load_digits(return_X_y=True)
digits = (digits / 16).astype(np.float32)


def split(seed):
    order = np.random.default_rng(seed).permutation(len(labels))
    return order[:1297], order[1297:]  # train, test


train_rows, held_out = split(0)
network = MLPClassifier(128, tol=1e-3, max_iter=300, random_state=0)
network.fit(digits[train_rows], labels[train_rows])
print(f"test accuracy {100 * network.score(digits[held_out], labels[held_out]):.1f} %\n")

hidden, output = (weights.T for weights in network.coefs_)  # (N, K): outputs, inputs
inked = digits[train_rows].max(axis=0) > 0  # pixels that ever see ink
real = {
    "hidden layer": hidden[:, inked],
    "output layer": output,
    "never any ink": hidden[:, ~inked],
}
print("                    best δ /   best δ /   % of energy")
print("                    mean |w|   sigma      lost there")
for name, w in {"Gaussian": populations["Gaussian"], **real}.items():
    d = my.best_threshold(w)
    print(f"{name:<18}{d / np.mean(np.abs(w)):10.2f}{d / np.std(w):11.2f}"
          f"{100 * my.relative_error(w, d):12.1f}")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(11, 2.8))
bins = np.linspace(-4, 4, 61)
for axis, (name, w) in zip(axes, real.items()):
    z = w.ravel() / np.std(w)
    axis.hist(z, bins, density=True, color=style.TERNARY, alpha=0.75)
    axis.plot(bins, norm.pdf(bins), color=style.INK, linewidth=1.1)
    for side in (-1, 1):
        axis.axvline(side * my.best_threshold(z), color=style.ACCENT, linestyle=":", linewidth=1.6)
    axis.set(yticks=[], xlim=(-4, 4), ylim=(0, 1.05 if name == "never any ink" else 0.62),
             xlabel="weight / σ", title=f"{name}, {w.size:,} weights")  # fmt: skip
    axis.spines["left"].set_visible(False)
axes[0].text(2.15, 0.30, "a Gaussian", fontsize=9)
axes[0].text(-3.9, 0.55, "dotted: best ±δ", fontsize=9, color=style.ACCENT)
plt.show()

# %% [markdown]
# Roughly, yes. The two layers that have learned want a threshold near $0.6\,\sigma$ and lose about what a Gaussian loses, the output layer a little less, since it has shorter tails. And then there is the third panel: the weights of the few pixels that are never inked. No gradient has ever reached them; all they have felt is weight decay, and they have shrunk to nearly nothing. Their shape is a spike with tails, and the Gaussian's threshold is off by more than a factor of two. With *one* scale for the whole layer they all become 0, which is exactly what they deserve.
#
# ## 5 · How much does a ternary weight know?
#
# If all three values are equally likely, one trit carries $\log_2 3 = 1.585$ bits. That number gave BitNet **b1.58** its name. If they are not equally likely, it carries less: Shannon's entropy,
#
# $$
# H = -\sum_{t \in \{-1, 0, 1\}} p_t \log_2 p_t \quad \text{bits per weight},
# $$
#
# the number of yes-or-no questions that a clever questioner needs for each trit, on average, when asking about many trits at once. If the trits are *independent* of each other, it is also the floor for any lossless file format: no packing, however sly, gets below $H$ bits for each weight on average. (Where neighbours resemble each other a format can use that and go lower, as PNG does with pictures.)

# %% [markdown]
# ### Exercise 1.6: entropy (2 points)
#
# Write `entropy_bits(trits)`: the entropy in bits of the shares of -1, 0 and +1 in an array of any shape. A value that does not occur adds nothing (the limit of $p \log p$ as $p \to 0$ is 0).


# %% nbgrader={"grade": false, "grade_id": "1_6_entropy_bits", "locked": false, "schema_version": 3, "solution": true, "task": false}
def entropy_bits(trits):
    """Entropy of the trits' shares, in bits per trit."""
    ### BEGIN SOLUTION
    shares = np.array([np.mean(trits == t) for t in (-1, 0, 1)])
    shares = shares[shares > 0]
    return float(-np.sum(shares * np.log2(shares)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_6_entropy_bits_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.6")
def _(entropy_bits):
    check.close(
        entropy_bits(np.array([-1, 0, 1], np.int8)), np.log2(3),
        "Three equal shares carry log2 3 bits. Is your logarithm to base 2?",
    )  # fmt: skip
    check.close(
        entropy_bits(np.array([-1, -1, 1, 1], np.int8)), 1.0,
        "No zeros here, so this is a fair coin: 1 bit. A share of 0 should add nothing (and "
        "log2(0) is not your friend).",
    )  # fmt: skip
    check.close(
        entropy_bits(np.zeros(9, np.int8)), 0.0, "If all are 0, there is nothing to learn: exactly 0 bits. Add nothing to the shares.",
        atol=1e-12,
    )  # fmt: skip
    check.close(
        entropy_bits(np.array([[0, 0], [1, -1]], np.int8)), 1.5,
        "Shares 1/2, 1/4, 1/4 in a matrix: 1.5 bits.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(18)
    t = rng.choice([-1, 0, 1], p=[0.2, 0.7, 0.1], size=(40, 25)).astype(np.int8)
    p = np.unique(t, return_counts=True)[1] / t.size
    check.close(entropy_bits(t), -np.sum(p * np.log2(p)), "On random, lopsided trits.")
    ### END HIDDEN TESTS


# %% variant={"of": "1_6_entropy_bits", "wrong": "natural logarithm: nats", "says": "base 2"}
def entropy_bits(trits):
    p = np.unique(trits, return_counts=True)[1] / trits.size
    return float(-np.sum(p * np.log(p)))


# %% variant={"of": "1_6_entropy_bits", "wrong": "0 log 0 gives NaN", "says": "add nothing"}
def entropy_bits(trits):
    p = np.array([np.mean(trits == t) for t in (-1, 0, 1)])
    with np.errstate(all="ignore"):
        return float(-np.sum(p * np.log2(p)))


# %% variant={"of": "1_6_entropy_bits", "wrong": "log2 3 whatever the shares"}
def entropy_bits(trits):
    return float(np.log2(3))


# %% variant={"of": "1_6_entropy_bits", "wrong": "entropy of zero or not: forgets the sign"}
def entropy_bits(trits):
    z = np.mean(trits == 0)
    return float(-sum(p * np.log2(p) for p in (z, 1 - z) if p > 0))


# %% variant={"of": "1_6_entropy_bits", "wrong": "shares by row: len() of a matrix", "says": "in a matrix"}
def entropy_bits(trits):
    p = np.unique(trits, return_counts=True)[1] / len(trits)
    return float(-np.sum(p * np.log2(p)))


# %% variant={"of": "1_6_entropy_bits", "right": "np.unique"}
def entropy_bits(trits):
    p = np.unique(trits, return_counts=True)[1] / np.size(trits)
    return float(np.sum(p * np.log2(1 / p)))


# %% variant={"of": "1_6_entropy_bits", "right": "counting, with the plain math module"}
def entropy_bits(trits):
    import math

    flat = trits.ravel().tolist()
    total = 0.0
    for value in (-1, 0, 1):
        count = flat.count(value)
        if count:
            total += count / len(flat) * math.log2(len(flat) / count)
    return total


# %% variant={"of": "1_6_entropy_bits", "wrong": "adds 1e-9 inside the logarithm", "says": "exactly 0 bits"}
def entropy_bits(trits):
    p = np.array([np.mean(trits == t) for t in (-1, 0, 1)])
    return float(-np.sum(p * np.log2(p + 1e-9)))


# %% variant={"of": "1_6_entropy_bits", "wrong": "takes it that -1 and +1 are equally many"}
def entropy_bits(trits):
    z = np.mean(trits == 0)
    side = (1 - z) / 2
    return float(-sum(p * np.log2(p) for p in (z, side, side) if p > 0))


# %% [markdown] hints={"of": "1_6_entropy_bits"}
# 1. First the three shares. How do you get the share of +1 in an array of any shape, in one line?
# 2. The logarithm of 0 is trouble, and a value that does not occur adds nothing: which shares do you need at all?
# 3. `np.log2`; and mind the minus sign: entropy is never negative.

# %% [markdown]
# **Predict, then run.** absmean sets every weight below $\tfrac12 \operatorname{mean}|W|$ to zero. For Gaussian weights, what percentage is that?

# %%
my_guess = None  # percent of zeros under absmean

T, _ = my.absmean(np.random.default_rng(5).normal(size=(500, 500)))
zeros = 100 * np.mean(T == 0)
check.predicted(my_guess, float(zeros), within=3, unit=" %",
                comment=f"With such shares a trit carries {my.entropy_bits(T):.3f} of the "
                        f"{np.log2(3):.3f} bits it could.")  # fmt: skip

# %% jupyter={"source_hidden": true}
gaussian = populations["Gaussian"]
deltas = np.linspace(0.01, 2.2, 90)
bits = [my.entropy_bits(my.threshold(gaussian, d)) for d in deltas]
loss = [my.relative_error(gaussian, d) for d in deltas]
marks = {"absmean": 0.5 * mean, "TWN": 0.7 * mean, "best": my.best_threshold(gaussian)}

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4))
left.plot(deltas, bits, color=style.TERNARY)
left.axhline(np.log2(3), color=style.MUTED, linestyle=":", linewidth=1.2)
left.text(2.2, np.log2(3) + 0.04, "log₂ 3 = 1.585", color=style.MUTED, ha="right", fontsize=9)
left.set(
    xlabel="threshold δ / σ", ylabel="bits per weight", xlim=(0, 2.2), ylim=(0, 1.8),
    title="Entropy of a Gaussian's trits",
)  # fmt: skip
right.plot(bits, loss, color=style.TERNARY)
rates = np.linspace(0.9, 1.7, 60)
right.plot(rates, 2.0 ** (-2 * rates), color=style.ACCENT, linestyle="--", linewidth=1.2)
right.text(1.03, 0.16, "Shannon's limit", color=style.ACCENT, fontsize=9)
right.text(1.10, 0.375, "δ small", fontsize=9, color=style.MUTED)
right.text(1.06, 0.275, "δ large", fontsize=9, color=style.MUTED)
for (name, d), offset in zip(marks.items(), ((7, 3), (4, -12), (-6, -12))):
    b, e = my.entropy_bits(my.threshold(gaussian, d)), my.relative_error(gaussian, d)
    left.plot(d, b, "o", color=style.INK, ms=5)
    right.plot(b, e, "o", color=style.INK, ms=5)
    right.annotate(
        name, (b, e), offset, textcoords="offset points", fontsize=9,
        ha="left" if offset[0] > 0 else "right",
    )  # fmt: skip
left.text(0.92, 1.42, "absmean, TWN, best", fontsize=9, va="center")
right.set(
    xlabel="bits per weight", ylabel="share of the energy lost", xlim=(1.0, 1.7), ylim=(0.08, 0.42),
    title="What a bit buys",
)  # fmt: skip
plt.show()

# %%
for name, w in {"Gaussian": gaussian[None, :], **real}.items():
    T, _ = my.absmean(w / np.std(w))
    print(f"{name:<14} {100 * np.mean(T == 0):5.1f} % zeros, {my.entropy_bits(T):.3f} bits a trit")

# %% [markdown]
# absmean's threshold, whatever it loses in squared error, sits almost exactly where a trit carries the most information, and the layers that have learned are no exception.
#
# ## 6 · Multiplication disappears
#
# Time to collect the reward. An output of a layer is a sum of products, $y_n = \sum_k W_{nk}\, x_k$. With $W \approx \alpha T$,
#
# $$
# y_n \approx \alpha \Big( \sum_{k:\, T_{nk} = +1} x_k \;-\; \sum_{k:\, T_{nk} = -1} x_k \Big).
# $$
#
# Add these, subtract those, skip the rest: the only multiplication left is one by $\alpha$ for each output. If the inputs are rounded to `int8` as well (BitNet's are; lesson 06 does it), the sums are sums of small integers, *exact*, in any order.
#
# One trap waits here, and real kernels have fallen into it. An `int8` holds -128 to 127. Three hundred such numbers can add up to 38,100, and even $-(-128)$ does not fit. What does not fit wraps around, without a warning. NumPy is careful in one place, `sum`, which adds small integers in a wide type of its own accord. It is careful nowhere else:

# %%
x = np.full(300, 127, dtype=np.int8)
ones = np.ones(300, dtype=np.int8)
running = np.zeros(1, dtype=np.int8)
for value in x:
    running += value

print("x.sum()                        ", x.sum())
print("ones @ x                       ", ones @ x)
print("np.dot(ones, x)                ", np.dot(ones, x))
print("np.add.reduce(x, dtype=np.int8)", np.add.reduce(x, dtype=np.int8))
print("a loop that adds up in int8    ", running[0])
print("-np.array([-128], np.int8)     ", -np.array([-128], np.int8))

# %% [markdown]
# ### Exercise 1.7: add, subtract, skip (2 points)
#
# Write `add_subtract_skip(trits, x)`: the product of a ternary matrix $(N, K)$ and an `int8` vector $(K,)$, as integers $(N,)$. **No multiplication, no division**: the check hands you numbers that count what is done to them. Take them as they come (`astype` is fine; `int(...)` would make plain numbers of them, which count nothing). And mind the trap.


# %% nbgrader={"grade": false, "grade_id": "1_7_add_subtract_skip", "locked": false, "schema_version": 3, "solution": true, "task": false}
def add_subtract_skip(trits, x):
    """Exact product of trits (N, K) and int8 x (K,), without a multiplication."""
    ### BEGIN SOLUTION
    wide = x.astype(np.int32)
    added = np.where(trits == 1, wide, 0).sum(axis=1)
    subtracted = np.where(trits == -1, wide, 0).sum(axis=1)
    return added - subtracted
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_7_add_subtract_skip_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.7")
def _(add_subtract_skip):
    trits = np.array([[1, 0, -1], [-1, -1, 0], [0, 0, 0]], dtype=np.int8)
    x = np.array([10, 20, 30], dtype=np.int8)
    got = add_subtract_skip(trits, x)
    check.equal(
        got, [-20, -30, 0], "Row 0 adds 10, skips 20, subtracts 30. One result for each row."
    )
    check.equal(
        add_subtract_skip(np.ones((1, 300), np.int8), np.full(300, 127, np.int8)), [38100],
        "300 times 127 does not fit into int8, and not into int16 either: add in a wider type.",
    )  # fmt: skip
    check.equal(
        add_subtract_skip(np.array([[-1]], np.int8), np.array([-128], np.int8)), [128],
        "Subtracting -128 should give +128. In int8, -(-128) is -128: widen first, negate then.",
    )  # fmt: skip
    check.true(
        np.asarray(got).dtype.kind in "iu",
        f"Sums of integers are integers, and exact; yours are {np.asarray(got).dtype}.",
    )
    t = np.array([[1, -1, 0, 1, 1, -1], [0, 1, 1, -1, 0, 1], [-1, -1, -1, 0, 0, 1]], np.int8)
    t, x = check.counted(t, np.array([10, -20, 30, 40, -50, 60], np.int8))
    check.equal(add_subtract_skip(t, x), [-40, 30, 40], "On numbers that count what you do.")
    products = check.tally.multiply + check.tally.divide
    check.true(
        products == 0,
        f"Your code multiplied or divided {products} times. "
        "This one is to be done with additions and subtractions alone.",
    )
    check.true(
        check.tally.add >= 10,
        f"Adding up these three rows takes 10 additions, and {check.tally.add} were seen. Were "
        "the numbers turned into plain ones first (`int(...)`, `np.asarray`), or added into an "
        "array in place? Then nobody can see what you do: take them as they come, and widen with "
        "`x.astype(...)`.",
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(19)
    for n, k in ((1, 1), (5, 64), (33, 257), (2, 3000)):
        t = rng.integers(-1, 2, size=(n, k)).astype(np.int8)
        v = rng.integers(-128, 128, size=k).astype(np.int8)
        check.equal(
            add_subtract_skip(t, v), t.astype(np.int64) @ v.astype(np.int64),
            f"On a random matrix of {n} x {k}.",
        )  # fmt: skip
    check.equal(
        add_subtract_skip(-np.ones((2, 70_000), np.int8), np.full(70_000, -128, np.int8)),
        [8_960_000, 8_960_000], "70,000 inputs, all -128, all subtracted.",
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "sums in int8, which wraps around", "says": "wider type"}
def add_subtract_skip(trits, x):
    added = np.where(trits == 1, x, np.int8(0)).sum(axis=1, dtype=np.int8)
    return added - np.where(trits == -1, x, np.int8(0)).sum(axis=1, dtype=np.int8)


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "sums in int16: 127 times 300 overflows", "says": "int16"}
def add_subtract_skip(trits, x):
    wide = x.astype(np.int16)
    plus = np.where(trits == 1, wide, np.int16(0)).sum(axis=1, dtype=np.int16)
    return plus - np.where(trits == -1, wide, np.int16(0)).sum(axis=1, dtype=np.int16)


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "negates in int8: -(-128) is -128", "says": "widen first"}
def add_subtract_skip(trits, x):
    signed = np.where(trits == 1, x, np.where(trits == -1, -x, np.int8(0)))
    return signed.sum(axis=1, dtype=np.int64)


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "multiplies after all", "says": "multiplied or divided"}
def add_subtract_skip(trits, x):
    return trits.astype(np.int64) @ x.astype(np.int64)


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "the int8 product: wraps", "says": "wider type"}
def add_subtract_skip(trits, x):
    return trits @ x


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "an int8 array to add up in", "says": "wider type"}
def add_subtract_skip(trits, x):
    out = np.zeros(len(trits), dtype=np.int8)
    for k in range(len(x)):
        out += np.where(trits[:, k] == 1, x[k], np.int8(0))
        out -= np.where(trits[:, k] == -1, x[k], np.int8(0))
    return out


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "a helper multiplies", "says": "multiplied or divided"}
def times(trit, value):
    return trit * value


def add_subtract_skip(trits, x):
    return [sum(times(t, v) for t, v in zip(row, x.tolist())) for row in trits.tolist()]


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "a product by another name", "says": "multiplied or divided"}
import operator


def add_subtract_skip(trits, x):
    return operator.matmul(trits.astype(int), x.astype(int))


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "the product as a method", "says": "multiplied or divided"}
def add_subtract_skip(trits, x):
    return trits.astype(int).__matmul__(x.astype(int))


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "a product from linalg", "says": "multiplied or divided"}
def add_subtract_skip(trits, x):
    return np.linalg.multi_dot([trits.astype(int), x.astype(int)])


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "dot under a name of one letter", "says": "multiplied or divided"}
from numpy import dot as d


def add_subtract_skip(trits, x):
    return d(trits.astype(int), x.astype(int))


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "the array's own dot", "says": "multiplied or divided"}
def add_subtract_skip(trits, x):
    return trits.astype(int).dot(x.astype(int))


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "divides by the trit, which is its own reciprocal", "says": "multiplied or divided"}
def add_subtract_skip(trits, x):
    safe = np.where(trits == 0, 1, trits).astype(int)
    return np.where(trits == 0, 0, x.astype(int) // safe).sum(axis=1)


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "masks times inputs", "says": "multiplied or divided"}
def add_subtract_skip(trits, x):
    wide = x.astype(int)
    return ((trits == 1) * wide).sum(axis=1) - ((trits == -1) * wide).sum(axis=1)


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "sums of floats", "says": "integers"}
def add_subtract_skip(trits, x):
    wide = x.astype(float)
    return np.where(trits == 1, wide, 0).sum(axis=1) - np.where(trits == -1, wide, 0).sum(axis=1)


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "plain numbers, multiplied unseen", "says": "as they come"}
def add_subtract_skip(trits, x):
    return [sum(int(t) * int(v) for t, v in zip(row, x)) for row in trits]


# %% variant={"of": "1_7_add_subtract_skip", "right": "a list to add up in, and two indices"}
def add_subtract_skip(trits, x):
    n, k = trits.shape
    out = [0] * n
    wide = x.astype(np.int64)
    for i in range(n):
        for j in range(k):
            if trits[i, j] == 1:
                out[i] += wide[j]
            elif trits[i, j] == -1:
                out[i] -= wide[j]
    return out


# %% variant={"of": "1_7_add_subtract_skip", "right": "an array to add up in, and two indices"}
def add_subtract_skip(trits, x):
    out = np.zeros(trits.shape[0], dtype=np.int64)
    for i, row in enumerate(trits):
        for j, trit in enumerate(row):
            if trit == 1:
                out[i] += x[j]
            if trit == -1:
                out[i] -= x[j]
    return out


# %% variant={"of": "1_7_add_subtract_skip", "right": "choosing among three"}
def add_subtract_skip(trits, x):
    wide = x.astype(np.int64)
    return np.select([trits == 1, trits == -1], [wide, -wide], 0).sum(axis=1)


# %% variant={"of": "1_7_add_subtract_skip", "right": "sums with where="}
def add_subtract_skip(trits, x):
    wide = np.broadcast_to(x.astype(np.int32), trits.shape)
    return wide.sum(axis=1, where=trits > 0) - wide.sum(axis=1, where=trits < 0)


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "sums over outputs in place of inputs"}
def add_subtract_skip(trits, x):
    wide = x.astype(np.int32)
    return np.where(trits == 1, wide, 0).sum(axis=0) - np.where(trits == -1, wide, 0).sum(axis=0)


# %% variant={"of": "1_7_add_subtract_skip", "right": "two loops, as a processor would"}
def add_subtract_skip(trits, x):
    result = []
    for row in trits.tolist():
        total = 0
        for trit, value in zip(row, x.tolist()):
            if trit > 0:
                total += value
            elif trit < 0:
                total -= value
        result.append(total)
    return np.array(result)


# %% variant={"of": "1_7_add_subtract_skip", "right": "boolean masks, row by row"}
def add_subtract_skip(trits, x):
    wide = x.astype(np.int64)
    return np.array([wide[row == 1].sum() - wide[row == -1].sum() for row in trits])


# %% [markdown] hints={"of": "1_7_add_subtract_skip"}
# 1. Take one row. Which entries of `x` are to be added, which subtracted? How do you pick them out of `x` with a comparison of the row?
# 2. Two sums and one difference for each row. A loop over the rows is fine; `np.where` does all rows at once.
# 3. Before you add or negate anything: of which type are the numbers, and of which type should they be? `astype` makes the change.

# %% [markdown]
# Here is one output of a layer with 24 inputs at work, from left to right: the running total steps up, down, or stays. On the right, what one multiply-accumulate costs in energy on a chip, from Mark Horowitz's much-quoted table for a 45 nm process.

# %% jupyter={"source_hidden": true}
rng = np.random.default_rng(6)
row = my.absmean(rng.normal(size=(1, 24)))[0]
x = rng.integers(10, 128, size=24).astype(np.int8)
running = np.cumsum([my.add_subtract_skip(row[:, k : k + 1], x[k : k + 1])[0] for k in range(24)])
before = np.concatenate([[0], running[:-1]])

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.4), width_ratios=(1.7, 1))
names = {1: "add", 0: "skip", -1: "subtract"}
for trit, name in names.items():
    where = np.flatnonzero(row[0] == trit)
    color = style.TRIT_COLORS[trit]
    if trit:
        left.bar(
            where, running[where] - before[where], bottom=before[where], color=color, width=0.7
        )
    else:
        left.hlines(running[where], where - 0.35, where + 0.35, color=style.MUTED, linewidth=2)
    left.plot([], [], "s", color=color if trit else style.MUTED, label=f"{name} ({where.size})")
left.step(
    np.arange(25) - 0.5,
    np.concatenate([[0], running]),
    where="post",
    color=style.MUTED,
    linewidth=0.7,
)
left.axhline(0, color=style.GRID, zorder=0)
left.set(xlabel="input k", ylabel="running total", xticks=range(0, 24, 4),
         title="One output: 24 inputs, no multiplication")  # fmt: skip
left.legend(fontsize=9, ncols=3, loc="upper left")
room = 0.3 * np.ptp(np.append(running, 0))
left.set_ylim(min(running.min(), 0) - room / 3, max(running.max(), 0) + room)

used = np.mean(row != 0)
picojoules = {
    "float32\nmultiply, add": (3.7, 0.9),
    "int8 multiply,\nint32 add": (0.2, 0.1),
    "ternary:\nint32 add": (0.0, 0.1),
}
multiply, add = np.array(list(picojoules.values())).T
right.barh(range(3), multiply, color=style.FLOAT, label="multiply", height=0.55)
right.barh(range(3), add, left=multiply, color=style.TERNARY, label="add", height=0.55)
for place, total in enumerate(multiply + add):
    right.text(total + 0.08, place, f"{total:.1f} pJ", va="center", fontsize=9)
right.set(yticks=range(3), yticklabels=list(picojoules), xlabel="pJ per weight, arithmetic only",
          xlim=(0, 5.6), title="45 nm, Horowitz 2014")  # fmt: skip
right.invert_yaxis()
right.legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# A factor of 46 against float32, of 3 against int8, and every zero is skipped on top of that. Before you print the 46 on a poster: this counts arithmetic only. Fetching a weight from memory costs far more than using it, which is why the next section matters more than this one. (And a CPU has no "add or skip" instruction for bits in a byte. Making it fast anyway is lesson 08.)
#
# ## 7 · Four trits in a byte
#
# So far our trits sit in `int8`, a whole byte each: 8 bits for 1.58 bits of content. Two bits hold four patterns, and we need three. The library's **code** for a trit is simply trit + 1:
#
# | trit | code | bits |
# |---|---|---|
# | -1 | 0 | `00` |
# | 0 | 1 | `01` |
# | +1 | 2 | `10` |
# | | 3 | `11` never occurs |
#
# Four codes share a byte, the **first trit in the lowest two bits**, the next above it, and so on, as the figure shows. If the number of trits is not a multiple of four, the row is filled up with the trit 0, code `01`.

# %% jupyter={"source_hidden": true}
four = np.array([1, 0, -1, 1])
codes = four + 1
byte = int(tt.kernels.pack(four[None, :].astype(np.int8), bits=2).data[0, 0])
figure, axes = plt.subplots(figsize=(8.5, 2.6))
for i, (trit, code) in enumerate(zip(four, codes)):
    color = style.TRIT_COLORS[int(trit)]
    top, place = 2 * i + 1, 6 - 2 * i
    axes.text(top, 2.5, f"trit {i}:  {trit:+d}" if trit else f"trit {i}:  0", ha="center")
    axes.plot([top, place + 1], [2.35, 0.95], color=color, linewidth=2)
    for b in (1, 0):
        left_edge = place + 1 - b
        axes.add_patch(
            plt.Rectangle((left_edge, 0), 1, 0.8, facecolor=color, edgecolor="white", linewidth=2)
        )
        axes.text(left_edge + 0.5, 0.4, f"{code:02b}"[1 - b], color="white" if trit else style.INK,
                  ha="center", va="center", fontsize=12)  # fmt: skip
        axes.text(left_edge + 0.5, -0.15, f"bit {2 * i + b}", ha="center", va="top", fontsize=8,
                  color=style.MUTED)  # fmt: skip
axes.text(8.2, 0.4, f"= {byte}", va="center", fontsize=13)
axes.set(xlim=(-0.1, 9.2), ylim=(-0.6, 2.9), xticks=[], yticks=[], title="Four trits, one byte")
for spine in axes.spines.values():
    spine.set_visible(False)
plt.show()

# %% [markdown]
# ### Exercise 1.8: pack (3 points)
#
# Write `pack_row(trits)`: a row of $K$ trits (`int8`) in, $\lceil K/4 \rceil$ bytes (`uint8`) out, in the order above.


# %% nbgrader={"grade": false, "grade_id": "1_8_pack_row", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pack_row(trits):
    """Pack trits (K,) into 2-bit codes, four a byte: uint8 (ceil(K / 4),)."""
    ### BEGIN SOLUTION
    padded = np.zeros(-(-len(trits) // 4) * 4, dtype=np.int8)
    padded[: len(trits)] = trits
    codes = (padded + 1).astype(np.uint8).reshape(-1, 4)
    return codes[:, 0] | codes[:, 1] << 2 | codes[:, 2] << 4 | codes[:, 3] << 6
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_8_pack_row_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.8")
def _(pack_row):
    check.equal(
        pack_row(np.array([1, 0, -1, 1], np.int8)), [134],
        "This is the byte in the figure: 10 in bits 1-0, 01 above it, then 00, then 10.",
    )  # fmt: skip
    check.equal(
        pack_row(np.array([1, -1, -1, -1, 0, 0, 0, 0], np.int8)), [2, 85],
        "Eight trits, two bytes. If you got 128 for the first: the first trit belongs in the "
        "lowest bits.",
    )  # fmt: skip
    check.equal(
        pack_row(np.array([-1, -1, -1, -1, 1], np.int8)), [0, 86],
        "Five trits, two bytes: fill up with the trit 0, whose code is 01, not 00.",
    )  # fmt: skip
    packed = np.asarray(pack_row(np.ones(4, np.int8)))
    check.true(
        packed.dtype == np.uint8,
        f"Bytes are uint8; yours are {packed.dtype}, {packed.itemsize} bytes for every four trits.",
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(20)
    for k in (1, 2, 3, 4, 5, 6, 7, 8, 31, 256, 2047):
        t = rng.integers(-1, 2, size=k).astype(np.int8)
        check.equal(
            pack_row(t), tt.kernels.pack(t[None, :], bits=2).data[0],
            f"{k} random trits: other bytes than the library's.",
        )  # fmt: skip
        check.dtype(pack_row(t), np.uint8, "Bytes are uint8, however many trits there are.")
    ### END HIDDEN TESTS


# %% variant={"of": "1_8_pack_row", "wrong": "first trit in the highest bits"}
def pack_row(trits):
    padded = np.concatenate([trits, np.zeros(-len(trits) % 4, np.int8)])
    codes = (padded + 1).astype(np.uint8).reshape(-1, 4)
    return codes[:, 0] << 6 | codes[:, 1] << 4 | codes[:, 2] << 2 | codes[:, 3]


# %% variant={"of": "1_8_pack_row", "wrong": "fills up with code 00, the trit -1", "says": "01, not 00"}
def pack_row(trits):
    codes = np.zeros(-(-len(trits) // 4) * 4, dtype=np.uint8)
    codes[: len(trits)] = trits + 1
    codes = codes.reshape(-1, 4)
    return codes[:, 0] | codes[:, 1] << 2 | codes[:, 2] << 4 | codes[:, 3] << 6


# %% variant={"of": "1_8_pack_row", "wrong": "drops the trits that do not fill a byte", "says": "Five trits"}
def pack_row(trits):
    codes = (trits[: len(trits) // 4 * 4] + 1).astype(np.uint8).reshape(-1, 4)
    return codes[:, 0] | codes[:, 1] << 2 | codes[:, 2] << 4 | codes[:, 3] << 6


# %% variant={"of": "1_8_pack_row", "wrong": "two's complement codes: -1 as 11"}
def pack_row(trits):
    padded = np.concatenate([trits, np.zeros(-len(trits) % 4, np.int8)])
    codes = (padded & 3).astype(np.uint8).reshape(-1, 4)
    return codes[:, 0] | codes[:, 1] << 2 | codes[:, 2] << 4 | codes[:, 3] << 6


# %% variant={"of": "1_8_pack_row", "wrong": "int64 bytes: nothing is saved", "says": "uint8"}
def pack_row(trits):
    padded = np.concatenate([trits, np.zeros(-len(trits) % 4, np.int8)])
    return (padded + 1).astype(np.int64).reshape(-1, 4) @ np.array([1, 4, 16, 64])


# %% variant={"of": "1_8_pack_row", "wrong": "a byte too many where the trits fill the last one", "says": "got (2,)"}
def pack_row(trits):
    padded = np.zeros((len(trits) // 4 + 1) * 4, dtype=np.int8)
    padded[: len(trits)] = trits
    codes = (padded + 1).astype(np.uint8).reshape(-1, 4)
    return codes[:, 0] | codes[:, 1] << 2 | codes[:, 2] << 4 | codes[:, 3] << 6


# %% variant={"of": "1_8_pack_row", "wrong": "fills up in front"}
def pack_row(trits):
    padded = np.concatenate([np.zeros(-len(trits) % 4, np.int8), trits])
    codes = (padded + 1).astype(np.uint8).reshape(-1, 4)
    return codes[:, 0] | codes[:, 1] << 2 | codes[:, 2] << 4 | codes[:, 3] << 6


# %% variant={"of": "1_8_pack_row", "wrong": "trits side by side as far as they go: four columns, not four neighbours"}
def pack_row(trits):
    padded = np.concatenate([trits, np.zeros(-len(trits) % 4, np.int8)])
    codes = (padded + 1).astype(np.uint8).reshape(4, -1)
    return codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6


# %% variant={"of": "1_8_pack_row", "right": "powers of four"}
def pack_row(trits):
    padded = np.concatenate([trits, np.zeros(-len(trits) % 4, np.int8)]).astype(int)
    return ((padded + 1).reshape(-1, 4) @ [1, 4, 16, 64]).astype(np.uint8)


# %% variant={"of": "1_8_pack_row", "right": "one trit after another"}
def pack_row(trits):
    data = np.full((len(trits) + 3) // 4, 0b01010101, dtype=np.uint8)
    for k, trit in enumerate(trits.tolist()):
        place = 2 * (k % 4)
        data[k // 4] = (int(data[k // 4]) & ~(3 << place)) | (trit + 1) << place
    return data


# %% [markdown] hints={"of": "1_8_pack_row"}
# 1. Three steps: fill up to a multiple of four, turn trits into codes, put four codes together. Do the last one by hand for the figure's four trits and look at the places of the bits.
# 2. Filling up: how many are missing? Putting together: `reshape` makes rows of four; then one byte is made of each row. A code moves up by two places if it is shifted (`<<`) by 2, or multiplied by 4.
# 3. The four shifted codes never share a bit, so `|` and `+` do the same. Mind the type in which you shift: the last one goes up to bit 7, and the result is to be uint8.

# %% [markdown]
# ### Exercise 1.9: unpack (3 points)
#
# And back. Write `unpack_row(data, count)`: the first `count` trits (`int8`) from packed bytes.
#
# A byte that holds the pattern `11` was written by nobody: the file is damaged, or it is not ours. A reader that shrugs and goes on hands its user wrong numbers with a straight face. Raise a `ValueError` if `11` occurs in any of the four places of any byte, also in a place beyond `count`: what fills the last byte up was written by `pack_row`, too.


# %% nbgrader={"grade": false, "grade_id": "1_9_unpack_row", "locked": false, "schema_version": 3, "solution": true, "task": false}
def unpack_row(data, count):
    """First `count` trits, int8, of bytes packed by `pack_row`; ValueError on a code 11."""
    ### BEGIN SOLUTION
    codes = (data[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    if (codes == 3).any():
        raise ValueError("code 11: these bytes do not hold trits")
    return (codes.reshape(-1)[:count].astype(np.int8)) - np.int8(1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_9_unpack_row_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.9")
def _(unpack_row):
    try:
        got = unpack_row(np.array([134], np.uint8), 4)
    except ValueError:
        check.fail(
            "134 is 10 00 01 10 and sound, yet you raise a ValueError. Two neighbouring 1s that "
            "belong to different codes, as in 01 10, are no code 11."
        )
    check.equal(
        got, [1, 0, -1, 1], "134 is the byte in the figure. Lowest two bits first, then less 1."
    )
    check.true(
        np.asarray(got).dtype == np.int8,
        f"Trits are int8; yours are {np.asarray(got).dtype}. In uint8, 0 - 1 is 255.",
    )
    check.equal(
        unpack_row(np.array([0, 86], np.uint8), 5), [-1, -1, -1, -1, 1],
        "Five trits of two bytes: what fills the row up should not come back.",
    )  # fmt: skip
    for damaged in (0b11, 0b1100, 0b110000, 0b11000000):
        for data in ([85, damaged], [damaged, 85], [85, damaged, 85]):
            check.raises(
                ValueError, lambda data=data: unpack_row(np.array(data, np.uint8), 4 * len(data)),
                f"The byte {damaged:08b} of {data} holds a code 11.",
            )  # fmt: skip
    check.raises(
        ValueError, lambda: unpack_row(np.array([0b11010110], np.uint8), 3),
        "11010110 holds a code 11 in its fourth place. Three trits were asked for, but the file "
        "is damaged all the same: look at every place before you cut off what was not asked for.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(21)
    check.raises(
        ValueError, lambda: unpack_row(np.array([85, 85, 0xFF], np.uint8), 4),
        "A whole byte of 11s lies beyond the trits that were asked for.",
    )  # fmt: skip
    for k in (1, 2, 3, 4, 5, 64, 333):
        t = rng.integers(-1, 2, size=k).astype(np.int8)
        data = tt.kernels.pack(t[None, :], bits=2).data[0]
        before = data.copy()
        check.equal(unpack_row(data, k), t, f"{k} random trits, packed by the library.")
        check.dtype(unpack_row(data, k), np.int8, "Trits are int8, however many there are.")
        check.equal(unpack_row(data, k // 2), t[: k // 2], f"Only the first {k // 2} trits of {k}.")
        check.equal(data, before, "The bytes you were given have changed: work on a copy.")
    ### END HIDDEN TESTS


# %% variant={"of": "1_9_unpack_row", "wrong": "stays in uint8: -1 becomes 255"}
def unpack_row(data, count):
    codes = (data[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & np.uint8(3)
    if (codes == 3).any():
        raise ValueError("code 11")
    return (codes - np.uint8(1)).reshape(-1)[:count]


# %% variant={"of": "1_9_unpack_row", "wrong": "returns the filling too", "says": "should not come back"}
def unpack_row(data, count):
    codes = (data[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    if (codes == 3).any():
        raise ValueError("code 11")
    return codes.reshape(-1).astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "wrong": "takes a damaged byte without a word", "says": "ValueError"}
def unpack_row(data, count):
    codes = (data[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    return codes.reshape(-1)[:count].astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "wrong": "any two neighbouring 1s count as 11", "says": "no code 11"}
def unpack_row(data, count):
    if (data & (data >> 1)).any():
        raise ValueError("code 11")
    codes = (data[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    return codes.reshape(-1)[:count].astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "wrong": "highest bits first"}
def unpack_row(data, count):
    codes = (data[:, None] >> np.array([6, 4, 2, 0], dtype=np.uint8)) & 3
    if (codes == 3).any():
        raise ValueError("code 11")
    return codes.reshape(-1)[:count].astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "wrong": "looks only at the trits that were asked for", "says": "damaged all the same"}
def unpack_row(data, count):
    codes = ((data[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3).reshape(-1)[:count]
    if (codes == 3).any():
        raise ValueError("code 11")
    return codes.astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "wrong": "looks at the bytes that were needed only", "says": "beyond the trits"}
def unpack_row(data, count):
    data = data[: -(-count // 4)]
    codes = (data[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    if (codes == 3).any():
        raise ValueError("code 11")
    return codes.reshape(-1)[:count].astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "wrong": "refuses only a byte that is all 11s", "says": "holds a code 11"}
def unpack_row(data, count):
    if (data == 255).any():
        raise ValueError("code 11")
    codes = (data[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    return codes.reshape(-1)[:count].astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "wrong": "looks at the last byte only", "says": "holds a code 11"}
def unpack_row(data, count):
    codes = (data[:, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    if (codes[-1] == 3).any():
        raise ValueError("code 11")
    return codes.reshape(-1)[:count].astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "right": "one byte after another"}
def unpack_row(data, count):
    trits = []
    for byte in data.tolist():
        for _ in range(4):
            byte, code = divmod(byte, 4)
            if code == 3:
                raise ValueError("code 11: damaged")
            trits.append(code - 1)
    return np.array(trits[:count], dtype=np.int8)


# %% variant={"of": "1_9_unpack_row", "right": "a mask for 11 and a table for the rest"}
def unpack_row(data, count):
    if np.any(data & (data >> 1) & 0b01010101):
        raise ValueError("code 11: not packed trits")
    table = np.array([[(b >> s & 3) - 1 for s in (0, 2, 4, 6)] for b in range(256)], np.int8)
    return table[data].ravel()[:count]


# %% [markdown] hints={"of": "1_9_unpack_row"}
# 1. How do you get the third code out of one byte? Shift it down to the lowest two bits first, then drop what stands above them: `& 3`.
# 2. All four codes of all bytes at once: a column of bytes, `data[:, None]`, against a row of four shifts. `reshape(-1)` then puts them in order.
# 3. The order matters: look for 3 among *all* codes, then cut off at `count`, then change the type, and take away 1 last.

# %% [markdown]
# There and back again, on a real matrix and against the library. `tt.kernels.pack` does what you just did, for all rows at once, and can do one better: with `bits=1.6` it puts **five** trits into a byte. Five trits have $3^5 = 243$ patterns, a byte has 256, so it just fits. $8/5 = 1.6$ bits a weight is within one percent of the $\log_2 3 = 1.585$ that uniform trits need: there is next to nothing left to gain.

# %%
T, scale = my.absmean(np.random.default_rng(7).normal(size=(512, 2048)))
mine = np.stack([my.pack_row(row) for row in T])
library = tt.kernels.pack(T, bits=2)
print("same bytes as tt.kernels.pack:", np.array_equal(mine, library.data))
print("and back:", all(np.array_equal(my.unpack_row(b, 2048), row) for b, row in zip(mine[:32], T)))

base3 = tt.kernels.pack(T, bits=1.6)
sizes = {
    "float32": 4 * T.size, "float16": 2 * T.size, "int8": T.nbytes,
    "2 bits, four a byte": library.nbytes, "1.6 bits, five a byte": base3.nbytes,
}  # fmt: skip
floor = my.entropy_bits(T) * T.size / 8
for name, size in sizes.items():
    print(f"{name:<22} {size:>10,} bytes   {8 * size / T.size:5.2f} bits per weight")
print(
    f"{'entropy, the floor':<22} {floor:>10,.0f} bytes   {8 * floor / T.size:5.2f} bits per weight"
)

# %% [markdown]
# **Predict, then run.** Reading 64 bits from DRAM costs 1300 to 2600 pJ, by the same table as before. A float32 multiply-accumulate costs 4.6 pJ. How many float32 multiply-accumulates could you do for the energy that it takes to *fetch one float32 weight*?

# %%
my_guess = None  # multiply-accumulates per fetched weight

dram = np.array([1300, 2600]) / 64  # pJ per bit
per_fetch = float(np.sqrt(np.prod(32 * dram)) / (3.7 + 0.9))
check.predicted(my_guess, per_fetch, within=per_fetch / 2,
                comment="(Geometric mean of the range.) Was it worth it to make the arithmetic cheap?")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.1))
colors = [style.FLOAT] * 3 + [style.TERNARY] * 2
left.barh(list(sizes), [s / 2**20 for s in sizes.values()], color=colors, height=0.6)
left.axvline(floor / 2**20, color=style.ACCENT, linestyle="--", linewidth=1.2)
left.text(
    floor / 2**20 + 0.05,
    -0.75,
    "entropy of the trits",
    color=style.ACCENT,
    fontsize=8.5,
    va="center",
)
for place, size in enumerate(sizes.values()):
    left.text(size / 2**20 + 0.05, place, f"{size / 2**20:.2f} MiB", va="center", fontsize=9)
left.set(xlabel="MiB", xlim=(0, 5), ylim=(4.6, -1.1), title="A layer of 512 × 2048 weights")

widths = {"float32": 32, "float16": 16, "int8": 8, "2 bits": 2, "1.6 bits": 1.6}
low, high = (np.array(list(widths.values())) * d for d in dram)
right.barh(list(widths), high - low, left=low, color=colors, height=0.6)
right.axvline(4.6, color=style.INK, linewidth=1.1)
right.text(4.6, -0.75, " one float32 multiply-add", fontsize=8.5, va="center")
right.axvline(0.1, color=style.TERNARY, linewidth=1.1)
right.text(0.1, -0.75, " one int32 add", fontsize=8.5, va="center", color=style.TERNARY)
for place, (a, b) in enumerate(zip(low, high)):
    right.text(b * 1.15, place, f"{a:,.0f}-{b:,.0f}", va="center", fontsize=9)
right.set(xscale="log", xlim=(0.05, 12000), ylim=(4.6, -1.1), xlabel="pJ to fetch one weight from DRAM",
          title="Moving a weight costs more than using it")  # fmt: skip
plt.show()

# %% [markdown]
# Sixteen times fewer bytes than float32, and not on paper: `library.nbytes` counts bytes that exist. Whether it makes a program *faster* is another question, one of kernels, and we will measure it in lesson 08 and not before.
#
# ## 8 · Why are my weights not -1, 0, 1?
#
# Let us ternarise something that works: the digits again, and the plainest classifier there is, ten rows of 64 weights, one row for each digit, trained by gradient descent. Such a row is a picture of what its digit looks like.


# %%
def train(rows, seed, quantize=None, turns=200):
    """Softmax regression. With `quantize`, the forward pass sees the quantised weights."""
    W = np.random.default_rng(seed).normal(0, 0.1, size=(10, 64)).astype(np.float32)
    bias = np.zeros(10, np.float32)
    x, wanted = digits[rows], np.eye(10, dtype=np.float32)[labels[rows]]
    for turn in range(turns):
        seen = W if quantize is None else quantize(W)
        scores = x @ seen.T + bias
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        gradient = (scores / scores.sum(axis=1, keepdims=True) - wanted) / len(rows)
        step = (1.0 if quantize is None else 0.5) * (1 + np.cos(np.pi * turn / turns)) / 2
        W -= step * (gradient.T @ x)  # the update goes to the float weights, always
        bias -= step * gradient.sum(axis=0)
    return W, bias


def accuracy(W, bias, rows):
    return np.mean(np.argmax(digits[rows] @ W.T + bias, axis=1) == labels[rows])


def ternary(W):
    """Trits times scale: your absmean, put together again."""
    trits, scale = my.absmean(W)
    return (scale * trits).astype(np.float32)


train_rows, test_rows = split(0)
W_float, bias_float = train(train_rows, 0)
print(
    f"float classifier: {100 * accuracy(W_float, bias_float, test_rows):.1f} % of the test digits right"
)

# %% [markdown]
# **Predict, then run.** We replace its weights by trits and a scale. Chance is 10 %, the float classifier is at about 95 %. What will be left?

# %%
my_guess = None  # percent of the test digits right

rounded = accuracy(ternary(W_float), bias_float, test_rows)
check.predicted(my_guess, float(100 * rounded), within=5, unit=" %",
                comment="These weights never expected to be rounded.")  # fmt: skip

# %% [markdown]
# Rounding *afterwards* throws away much of what the classifier knew. The remedy is the idea behind every ternary network in this course: **let the weights know while they learn.** In each step of training, the forward pass uses the rounded weights, `quantize(W)`; the gradient is computed for those; and the update is applied to the float weights `W` as if the rounding had not been there. That "as if" is called the *straight-through estimator*, it looks like cheating, and lesson 04 is about why it works. The float weights behind the scenes are called **latent**. `train` above can do it already: look for `quantize`.

# %%
outcomes = []
for seed in range(5):
    train_rows, test_rows = split(seed)
    W_float, bias_float = train(train_rows, seed)
    W_latent, bias_latent = train(train_rows, seed, quantize=ternary)
    outcomes.append([
        accuracy(W_float, bias_float, test_rows),
        accuracy(ternary(W_float), bias_float, test_rows),
        accuracy(ternary(W_latent), bias_latent, test_rows),
        accuracy(W_latent, bias_latent, test_rows),
    ])  # fmt: skip
outcomes = 100 * np.array(outcomes)
kinds = ["float", "rounded afterwards", "trained ternary", "its latent weights"]
for kind, column in zip(kinds, outcomes.T):
    print(
        f"{kind:<20} {column.mean():5.1f} %   (five splits: {column.min():.1f} to {column.max():.1f})"
    )

# %% jupyter={"source_hidden": true}
figure = plt.figure(figsize=(11, 5.6))
top, bottom = figure.subfigures(2, 1, height_ratios=(1.15, 1))
grid_axes = top.subplots(3, 10)
shown = (("float", W_float, float_map), ("rounded", np.sign(ternary(W_float)), trit_map),
         ("trained\nternary", np.sign(ternary(W_latent)), trit_map))  # fmt: skip
for line, (name, rows, colors) in zip(grid_axes, shown):
    limit = 1 if name != "float" else np.abs(rows).max() * 0.8
    for digit, axis in enumerate(line):
        axis.imshow(rows[digit].reshape(8, 8), cmap=colors, vmin=-limit, vmax=limit)
        axis.set(xticks=[], yticks=[])
        for spine in axis.spines.values():
            spine.set_visible(False)
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
for digit, axis in enumerate(grid_axes[0]):
    axis.set_title(str(digit), loc="center")

left, right = bottom.subplots(1, 2, width_ratios=(1, 1.1))
for place, column in enumerate(outcomes.T):
    color = (style.FLOAT, style.ACCENT, style.TERNARY, style.MUTED)[place]
    left.scatter(column, np.full(5, place), color=color, s=28, alpha=0.8)
    left.plot([column.mean()] * 2, [place - 0.3, place + 0.3], color=color, linewidth=2.5)
left.set(yticks=range(4), yticklabels=kinds, ylim=(3.6, -0.6), xlabel="test accuracy, % (five splits)",
         title="Rounding hurts; training with it heals")  # fmt: skip
style.grid_behind(left, "x")

half = float(my.absmean(W_latent)[1]) / 2
edge = np.abs(W_latent).max()
trits = my.absmean(W_latent)[0]
right.hist([W_latent[trits == t] for t in (-1, 0, 1)], half / 3 * np.arange(-round(3 * edge / half) - 1, round(3 * edge / half) + 2), stacked=True,
           color=(MINUS, ZERO, PLUS), label=("-1", "0", "+1"))  # fmt: skip
for edge_at in (-half, half):
    right.axvline(edge_at, color=style.INK, linewidth=1, linestyle=":")
right.set(
    yticks=[], xlabel="latent weight (dotted: ±δ)", title="The latent weights are not ternary"
)
right.legend(title="becomes", fontsize=9)
plt.show()

# %% [markdown]
# Two of these results deserve a second look.
#
# Rounding costs this classifier about 24 points. Trained ternary, it is within about 4 of the float one, with pictures made of three colours. And its latent weights, used *as they are*, do clearly **worse** than their own rounded version. They are not "the real weights" of which the trits are a poor copy. The trits are the network; the latent weights are the bookkeeping of the optimiser, a tally of how strongly each weight has been pushed to one side or the other.
#
# This answers the question that fills the issue trackers of every ternary project. A weight leads three lives:
#
# | | what is in memory | where |
# |---|---|---|
# | **latent** | floats of any value | the training checkpoint; `layer.weight` prints these |
# | **fake quantised** | floats, but only $-\alpha, 0, +\alpha$ | computed afresh in each forward pass of training |
# | **packed** | bytes, four or five trits each, and one $\alpha$ | the deployed file |
#
# Print a ternary layer's weight and you see the first. That is not a bug. It becomes one only when somebody ships the first and reports the size of the third.

# %%
print("latent         ", W_latent[3, 26:31])
print("fake quantised ", ternary(W_latent)[3, 26:31])
packed = tt.kernels.pack(my.absmean(W_latent)[0], bits=2)
print(
    "packed         ", packed.data[3, 6:8], f"({packed.nbytes} bytes for {W_latent.size} weights)"
)

# %% [markdown]
# ## 9 · From the bug museum
#
# Every field has its famous mistakes. Here are two of ours: code that looked right, passed its tests and was shipped. You get the symptoms and the code. Find the line, name the fault, repair it.
#
# The catalogue of faults, one of which is each exhibit's: `"broadcasting"`, `"division by zero"`, `"overflow"`, `"scale set by outliers"`, `"swapped axes"`, `"truncation"`.
#
# ### Exhibit A: the layer that could not grow
#
# A ternary layer that rounds its inputs to 4 bits, codes from -7 to 7, multiplies, and brings the result back to size. Its unit test has four inputs and has passed for a year.


# %% tags=["exhibit"]
def linear(trits, scale, inputs):
    """Ternary layer: float inputs (K,) as codes from -7 to 7, the product, and back to size."""
    largest = max(np.max(np.abs(inputs)), 1e-5)  # line a
    codes = np.round(inputs / largest * 7)  # line b
    codes = codes.astype(np.int8)  # line c
    sums = trits @ codes  # line d
    return scale * largest / 7 * sums  # line e


small = linear(np.array([[1, -1, 0, 1]], np.int8), 0.5, np.array([0.2, -0.4, 1.0, 0.3]))
print(f"the unit test: {small[0]:.3f}, expected about {0.5 * (0.2 + 0.4 + 0.3):.3f}")

# %% [markdown]
# Then somebody made the model wider, and its accuracy fell apart. Left, one output as more and more inputs are connected; right, layers of different widths.

# %% jupyter={"source_hidden": true}
rng = np.random.default_rng(8)
wide_trits = rng.integers(-1, 2, size=(64, 2**14)).astype(np.int8)
signal = rng.uniform(size=2**14)  # as after a ReLU
signal[0] = 1.0

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2))
counts = np.arange(1, 161)
all_on = np.ones((1, 160), np.int8)
came = [linear(all_on[:, :k], 1.0, signal[:k])[0] for k in counts]
left.plot(counts, np.cumsum(signal[:160]), color=style.FLOAT, label="what it should be")
left.plot(counts, came, color=style.ACCENT, linewidth=1.4, label="what came out")
left.axhline(0, color=style.GRID, zorder=0)
left.set(xlabel="inputs connected, all positive and added", ylabel="output",
         title="A sum of positive numbers turns negative")  # fmt: skip
left.legend(fontsize=9)

widths = 2 ** np.arange(1, 15)
wrong = []
for k in widths:
    want = wide_trits[:, :k] @ signal[:k]
    off = np.abs(linear(wide_trits[:, :k], 1.0, signal[:k]) - want)
    wrong.append(np.mean(off > 0.5 * np.std(want)))
right.plot(widths, 100 * np.array(wrong), "o-", color=style.ACCENT)
shown = [2, 8, 32, 128, 512, 2048, 8192]
right.set(xscale="log", xticks=shown, xticklabels=shown, xlabel="inputs K", ylim=(-4, 104),
          ylabel="% of outputs wrong", title="Right when small, wrong when wide")  # fmt: skip
right.minorticks_off()
style.grid_behind(right)
plt.show()

# %% [markdown]
# ### Exercise 1.10: find, name, repair (2 points)
#
# `fault_of_linear()` returns the letter of the faulty line and the fault's name from the catalogue, such as `("a", "truncation")`. `repaired_linear` is the layer, mended. It should still round its inputs to 4 bits: that is the point of it.


# %% nbgrader={"grade": false, "grade_id": "1_10_repaired_linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fault_of_linear():
    """Letter of the faulty line, and what its fault is called."""
    ### BEGIN SOLUTION
    return "d", "overflow"
    ### END SOLUTION


def repaired_linear(trits, scale, inputs):
    """Ternary layer: float inputs (K,) as codes from -7 to 7, the product, and back to size."""
    ### BEGIN SOLUTION
    largest = max(np.max(np.abs(inputs)), 1e-5)
    codes = np.round(inputs / largest * 7).astype(np.int8)
    sums = trits.astype(np.int32) @ codes
    return scale * largest / 7 * sums
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_10_repaired_linear_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.10")
def _(fault_of_linear, repaired_linear):
    with check.part("line and name", points=1):
        said = fault_of_linear()
        check.true(
            isinstance(said, tuple | list) and len(said) == 2,
            'Return a letter and a name, such as ("a", "truncation").',
        )
        ### BEGIN HIDDEN TESTS
        line, name = (str(part).strip().lower() for part in said)
        check.true(
            line == "d",
            f"Line {line} does what it should. Print what each line makes, its values and its "
            "dtype, for 4 inputs and for 400: which is the first that is not as it should be?",
        )
        check.true(
            name == "overflow",
            f"The line is right, but {name} is another fault. What happened to the sum?",
        )
        ### END HIDDEN TESTS
    with check.part("the repaired layer", points=1):
        small = repaired_linear(
            np.array([[1, -1, 0, 1]], np.int8), 0.5, np.array([0.2, -0.4, 1.0, 0.3])
        )
        check.close(small, [3 / 7], "The unit test with four inputs should still pass.")
        check.close(
            repaired_linear(np.ones((2, 200), np.int8), 0.5, np.full(200, 3.0)), [300, 300],
            "200 inputs of 3.0, all added, times 0.5. If you widen the sums, do it before they "
            "are made: what has been lost in them does not come back.",
        )  # fmt: skip
        check.close(
            repaired_linear(-np.ones((1, 5000), np.int8), 1.0, np.full(5000, -2.0)), [10_000],
            "5000 inputs: a sum of up to 5000 times 7 needs more room than int16 has.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        with np.errstate(all="ignore"):
            dark = repaired_linear(np.ones((2, 3), np.int8), 1.0, np.zeros(3))
        check.equal(dark, [0, 0], "Inputs that are all 0: line a guards against dividing by 0.")
        rng = np.random.default_rng(22)
        for n, k in ((1, 1), (7, 30), (20, 30_000)):
            t = rng.integers(-1, 2, size=(n, k)).astype(np.int8)
            x = rng.normal(size=k)
            step = np.max(np.abs(x)) / 7
            check.close(
                repaired_linear(t, 0.7, x), 0.7 * step * (t.astype(np.int64) @ np.rint(x / step)),
                f"On a random layer of {n} x {k}: inputs as codes from -7 to 7, the sums exact.",
                rtol=1e-4,
            )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "1_10_repaired_linear", "wrong": "widens what has wrapped already", "says": "before they are made"}
def fault_of_linear():
    return "d", "overflow"


def repaired_linear(trits, scale, inputs):
    largest = max(np.max(np.abs(inputs)), 1e-5)
    codes = np.round(inputs / largest * 7).astype(np.int8)
    return scale * largest / 7 * (trits @ codes).astype(np.int64)


# %% variant={"of": "1_10_repaired_linear", "wrong": "int16, which moves the wall", "says": "more room than int16"}
def fault_of_linear():
    return "d", "overflow"


def repaired_linear(trits, scale, inputs):
    largest = max(np.max(np.abs(inputs)), 1e-5)
    codes = np.round(inputs / largest * 7).astype(np.int16)
    return scale * largest / 7 * (trits @ codes)


# %% variant={"of": "1_10_repaired_linear", "wrong": "no rounding any more", "says": "unit test"}
def fault_of_linear():
    return "d", "overflow"


def repaired_linear(trits, scale, inputs):
    return scale * (trits @ inputs)


# %% variant={"of": "1_10_repaired_linear", "wrong": "blames the conversion of the codes, which fit", "says": "first that is not"}
def fault_of_linear():
    return "c", "overflow"


def repaired_linear(trits, scale, inputs):
    largest = max(np.max(np.abs(inputs)), 1e-5)
    codes = np.round(inputs / largest * 7).astype(np.int32)
    return scale * largest / 7 * (trits @ codes)


# %% variant={"of": "1_10_repaired_linear", "wrong": "another name", "says": "another fault"}
def fault_of_linear():
    return "d", "truncation"


def repaired_linear(trits, scale, inputs):
    largest = max(np.max(np.abs(inputs)), 1e-5)
    codes = np.round(inputs / largest * 7).astype(np.int32)
    return scale * largest / 7 * (trits @ codes)


# %% variant={"of": "1_10_repaired_linear", "wrong": "smaller codes, so that they fit for longer", "says": "unit test"}
def fault_of_linear():
    return "d", "overflow"


def repaired_linear(trits, scale, inputs):
    largest = max(np.max(np.abs(inputs)), 1e-5)
    codes = np.round(inputs / largest * 3).astype(np.int8)
    return scale * largest / 3 * (trits @ codes)


# %% variant={"of": "1_10_repaired_linear", "right": "wide codes"}
def fault_of_linear():
    return ["D", "Overflow"]


def repaired_linear(trits, scale, inputs):
    largest = max(np.max(np.abs(inputs)), 1e-5)
    codes = np.round(inputs / largest * 7).astype(np.int64)
    return scale * largest / 7 * (trits @ codes)


# %% variant={"of": "1_10_repaired_linear", "right": "with the product without multiplication"}
def fault_of_linear():
    return "d", "overflow"


def repaired_linear(trits, scale, inputs):
    step = max(np.max(np.abs(inputs)), 1e-5) / 7
    return scale * step * add_subtract_skip(trits, np.rint(inputs / step).astype(np.int8))


# %% [markdown] hints={"of": "1_10_repaired_linear"}
# 1. In the left figure the output jumps by the same height every time. How large is that jump, counted in steps of the codes (`largest / 7`)? Does the number ring a bell?
# 2. Copy the lines into a cell of your own, one by one, and print values and dtypes for 4 inputs and for 400. Section 6 has met this fault.
# 3. The repair is one `astype`. The question is where: before the numbers are lost.

# %% [markdown]
# ### Exhibit B: one bit too few
#
# A quantiser for any number of bits: codes from `-limit` to `limit`, which is 127 for 8 bits, 7 for 4 bits, and 1 for 2 bits. It has served an `int8` product for years. Then somebody called it with `bits=2`, because three values are what it makes there.


# %% tags=["exhibit"]
def quantize(W, bits):
    """Codes in -limit..limit, and the scale that belongs to them."""
    limit = 2 ** (bits - 1) - 1  # line a
    scale = np.max(np.abs(W)) / limit  # line b
    codes = np.round(W / scale)  # line c
    return np.clip(codes, -limit, limit), scale  # line d


# %% jupyter={"source_hidden": true}
def network_accuracy(quantizer):
    """Test accuracy of section 4's network with both weight matrices quantised."""
    x = digits[held_out]
    for place, (weights, bias) in enumerate(zip(network.coefs_, network.intercepts_)):
        codes, scale = quantizer(weights.T)
        x = x @ (scale * codes).T + bias
        x = np.maximum(x, 0) if place == 0 else x
    return np.mean(np.argmax(x, axis=1) == labels[held_out])


all_bits = np.array([8, 7, 6, 5, 4, 3, 2])
right_share = [100 * network_accuracy(lambda W, b=b: quantize(W, b)) for b in all_bits]
zero_share = [100 * np.mean(quantize(hidden, b)[0] == 0) for b in all_bits]
figure, axes = plt.subplots(figsize=(7.5, 3.2))
axes.plot(all_bits, right_share, "o-", color=style.TERNARY)
axes.plot(all_bits, zero_share, "o-", color=style.MUTED)
axes.text(7.9, 88, "test accuracy, %", color=style.TERNARY)
axes.text(7.9, 24, "codes that are 0, % (hidden layer)", color=style.MUTED)
for values, up in ((right_share, -13), (zero_share, 7)):
    axes.annotate(f"{values[-1]:.0f} %", (2, values[-1]), (0, up), textcoords="offset points",
                  ha="center", fontsize=9)  # fmt: skip
axes.set(xlim=(8.3, 1.7), ylim=(0, 108), xticks=all_bits, xlabel="bits",
         title="Fine at 8 bits, fine at 4, and at 2 the network is gone")  # fmt: skip
style.grid_behind(axes)
plt.show()

# %% [markdown]
# Is 2 bits simply too few? Three values were enough in section 8.
#
# ### Exercise 1.11: find, name, repair (2 points)
#
# `fault_of_quantize()` returns line and name as before. `repaired_quantize(W, bits)` should, for `bits=2`, give the codes and the scale of BitNet's rule; for 3 bits and more, exactly what it gave before, for there it does its work. No `W` here is all zeros, so the floor under the scale that 1.4 asked for may be there or not.


# %% nbgrader={"grade": false, "grade_id": "1_11_repaired_quantize", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fault_of_quantize():
    """Letter of the faulty line, and what its fault is called."""
    ### BEGIN SOLUTION
    return "b", "scale set by outliers"
    ### END SOLUTION


def repaired_quantize(W, bits):
    """Codes in -limit..limit, and the scale that belongs to them."""
    ### BEGIN SOLUTION
    if bits == 2:
        return absmean(W)
    limit = 2 ** (bits - 1) - 1
    scale = np.max(np.abs(W)) / limit
    return np.clip(np.round(W / scale), -limit, limit), scale
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_11_repaired_quantize_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.11")
def _(fault_of_quantize, repaired_quantize):
    with check.part("line and name", points=1):
        said = fault_of_quantize()
        check.true(
            isinstance(said, tuple | list) and len(said) == 2,
            'Return a letter and a name, such as ("a", "truncation").',
        )
        ### BEGIN HIDDEN TESTS
        line, name = (str(part).strip().lower() for part in said)
        check.true(
            line == "b",
            f"Line {line} does what it should. Take the hidden layer and bits=2: print what each "
            "line makes, and compare it with what your absmean makes on the way.",
        )
        check.true(
            name == "scale set by outliers",
            f"The line is right, but {name} is another fault. Which weights decide how large the "
            "number in that line is?",
        )
        ### END HIDDEN TESTS
    with check.part("the repaired quantiser", points=1):
        W = np.array([[0.1, -0.2, 0.3, -1.0], [4.0, -8.0, 1.0, 3.0]])
        codes, scale = repaired_quantize(W, 2)
        check.close(scale, 2.2, "For 2 bits, BitNet's scale.")
        check.equal(codes, [[0, 0, 0, 0], [1, -1, 0, 1]], "For 2 bits, BitNet's trits.")
        codes, scale = repaired_quantize(W, 8)
        check.close(scale, 8 / 127, "For 8 bits the scale was right: leave it as it was.")
        check.equal(
            codes, [[2, -3, 5, -16], [64, -127, 16, 48]], "For 8 bits, the codes of the exhibit."
        )
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(23)
        W = rng.standard_t(4, size=(30, 40))
        for bits in (8, 5, 4, 3):
            limit = 2 ** (bits - 1) - 1
            codes, scale = repaired_quantize(W, bits)
            check.close(scale, np.abs(W).max() / limit, f"For {bits} bits the scale was right.")
            check.equal(codes, np.rint(W / scale), f"For {bits} bits the codes were right.")
        codes, scale = repaired_quantize(W, 2)
        check.close(scale, np.abs(W).mean(), "On a random matrix, 2 bits: another scale.")
        check.equal(
            codes, np.clip(np.rint(W / scale), -1, 1), "A random matrix, 2 bits: the trits."
        )
        ### END HIDDEN TESTS


# %% variant={"of": "1_11_repaired_quantize", "wrong": "the mean for any number of bits: breaks 8 bits", "says": "leave it as it was"}
def fault_of_quantize():
    return "b", "scale set by outliers"


def repaired_quantize(W, bits):
    limit = 2 ** (bits - 1) - 1
    scale = np.mean(np.abs(W)) / limit
    return np.clip(np.round(W / scale), -limit, limit), scale


# %% variant={"of": "1_11_repaired_quantize", "wrong": "the right trits, the old scale"}
def fault_of_quantize():
    return "b", "scale set by outliers"


def repaired_quantize(W, bits):
    limit = 2 ** (bits - 1) - 1
    scale = np.max(np.abs(W)) / limit
    if bits == 2:
        return absmean(W)[0], scale
    return np.clip(np.round(W / scale), -limit, limit), scale


# %% variant={"of": "1_11_repaired_quantize", "wrong": "blames the rounding", "says": "compare it with"}
def fault_of_quantize():
    return "c", "truncation"


def repaired_quantize(W, bits):
    if bits == 2:
        return absmean(W)
    limit = 2 ** (bits - 1) - 1
    scale = np.max(np.abs(W)) / limit
    return np.clip(np.round(W / scale), -limit, limit), scale


# %% variant={"of": "1_11_repaired_quantize", "wrong": "another name", "says": "another fault"}
def fault_of_quantize():
    return "b", "division by zero"


def repaired_quantize(W, bits):
    if bits == 2:
        return absmean(W)
    limit = 2 ** (bits - 1) - 1
    scale = np.max(np.abs(W)) / limit
    return np.clip(np.round(W / scale), -limit, limit), scale


# %% variant={"of": "1_11_repaired_quantize", "wrong": "half the scale, so that fewer are 0", "says": "BitNet's scale"}
def fault_of_quantize():
    return "b", "scale set by outliers"


def repaired_quantize(W, bits):
    limit = 2 ** (bits - 1) - 1
    scale = np.max(np.abs(W)) / limit / (2 if bits == 2 else 1)
    return np.clip(np.round(W / scale), -limit, limit), scale


# %% variant={"of": "1_11_repaired_quantize", "right": "one line changes"}
def fault_of_quantize():
    return "b", "scale set by outliers"


def repaired_quantize(W, bits):
    limit = 2 ** (bits - 1) - 1
    size = np.abs(W)
    scale = size.mean() if limit == 1 else size.max() / limit
    return np.clip(np.round(W / scale), -limit, limit), scale


# %% variant={"of": "1_11_repaired_quantize", "right": "two branches"}
def fault_of_quantize():
    return ("B", "scale set by outliers")


def repaired_quantize(W, bits):
    if bits > 2:
        limit = 2 ** (bits - 1) - 1
        scale = np.abs(W).max() / limit
    else:
        limit, scale = 1, max(np.abs(W).mean(), 1e-5)
    return np.rint(W / scale).clip(-limit, limit).astype(int), scale


# %% [markdown] hints={"of": "1_11_repaired_quantize"}
# 1. Nearly all codes are 0 at 2 bits. Where does the threshold between 0 and 1 lie, as a share of the largest weight? And where does absmean put it for a Gaussian?
# 2. With 255 values it costs little to make room for the largest weight. With three values it costs everything. Which line makes that room?
# 3. Three values need a scale that follows the many and not the few, and you wrote one in 1.4. Leave the other numbers of bits alone.

# %% [markdown]
# One weight in thousands decides what all the others become. With 255 values that is the careful choice, since nothing is cut off and the steps are small anyhow. With three values the line between 0 and 1 runs at *half of the largest weight*, and hardly anybody is beyond it.

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2), width_ratios=(1.35, 1))
largest, middle = np.max(np.abs(hidden)), float(my.repaired_quantize(hidden, 2)[1])
left.hist(hidden.ravel(), np.linspace(-largest, largest, 81), color=ZERO)
for scale, color, name, height in (
    (largest, style.ACCENT, "½ max |w|", 0.80), (middle, style.TERNARY, "½ mean |w|", 0.93),
):  # fmt: skip
    beyond = 100 * np.mean(np.abs(hidden) > scale / 2)
    for side in (-1, 1):
        left.axvline(side * scale / 2, color=color, linewidth=1.4)
    left.text(0.53 * largest, height * left.get_ylim()[1],
              f"{name}: {beyond:.0f} % beyond", color=color, fontsize=9)  # fmt: skip
left.set(yticks=[], xlabel="weight of the hidden layer", title="Where 0 ends")
left.spines["left"].set_visible(False)
bars = {
    "float": 100 * network.score(digits[held_out], labels[held_out]),
    "8 bits": 100 * network_accuracy(lambda W: quantize(W, 8)),
    "2 bits, as exhibited": 100 * network_accuracy(lambda W: quantize(W, 2)),
    "2 bits, repaired": 100 * network_accuracy(lambda W: my.repaired_quantize(W, 2)),
}
colors = (style.FLOAT, style.FLOAT, style.ACCENT, style.TERNARY)
right.barh(list(bars), list(bars.values()), color=colors, height=0.6)
for place, value in enumerate(bars.values()):
    right.text(value + 1, place, f"{value:.0f} %", va="center", fontsize=9)
right.set(xlim=(0, 112), xlabel="test accuracy, %", title="The same network, one line changed")
right.invert_yaxis()
plt.show()

# %% [markdown]
# Something else is worth noticing here. This network was rounded *afterwards* and lost less than a tenth of its accuracy, where the ten rows of section 8 lost a quarter of theirs. It is wide, 128 hidden units for ten digits, and what one unit gets wrong the others outvote. How much rounding costs is a property of the network, and nothing to be quoted without naming it. (A vision transformer, rounded afterwards, loses about half of what it got right: lesson 06.)
#
# ### In your own words

# %% [markdown] nbgrader={"grade": true, "grade_id": "1_12_latent_weights", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# **Exercise 1.12 (2 points, read by a person).** Who needs the latent weights: the **optimiser**, the **file** that is shipped, the **engine** that runs it? Say yes or no for each, and why. Then advise a colleague who wants to save memory during training by keeping only trits and scale, and adding each update to those: what becomes of an update of 0.001?
#
# ### BEGIN SOLUTION
# The optimiser needs them. An update is small against the scale; it has to be added to something that can hold it, so that many small pushes in one direction add up until a weight crosses the threshold and its trit flips.
#
# The file does not: trits and scale are the whole network. With latent floats inside it would be sixteen times as large or more, and somebody might load them as if they were the weights, which does worse than their rounding.
#
# The engine does not: it adds, subtracts and skips, by trits, and never sees a float weight but the scale.
#
# The colleague's training stands still. After each step the sum of trit and update is rounded back to the trit, for 0.001 does not reach the threshold; the next step starts from the same place, and nothing is ever remembered.
# ### END SOLUTION

# %% [markdown] rubric={"of": "1_12_latent_weights"}
# - Half a point: the optimiser needs them, with the reason that small updates have to add up (a reason such as "gradients are floats" alone is not enough).
# - Half a point: the file does not, because trits and scale determine every output. Size alone, or "they are worse", is fine as a reason, too.
# - Half a point: the engine does not, because it computes with trits.
# - Half a point: an update of 0.001 is rounded away each time, so that no trit ever changes. Randomised rounding as a way out is a bonus, not required.

# %% [markdown]
# ## Recap
#
# - A **trit** is -1, 0 or +1. A **threshold** $\delta$ and a **scale** $\alpha$ turn a float matrix into trits and back into something like it.
# - For given trits the best scale is the **mean of the survivors**. The best threshold is **half the scale**. For a Gaussian both hold at $\delta = 0.612\,\sigma$, $\alpha = 1.224\,\sigma$, and 81 % of the energy stays.
# - **absmean** ($\alpha = \operatorname{mean}|W|$, $\delta = \alpha/2$) sets 31 % of a Gaussian to zero: not the least squared error, but nearly the most information, 1.583 of at most 1.585 bits.
# - A ternary product is **add, subtract, skip**; with int8 inputs it is exact, as long as the sum is kept in a type wide enough. NumPy's `sum` takes care of that; `@`, `dot` and a minus sign do not.
# - **Four trits fit a byte** at 2 bits each, five at 1.6. Bytes matter more than multiplications, for moving a weight costs more than using it.
# - A scale for three values has to follow the many weights, not the largest: **absmean**, not absmax.
# - Rounding a finished network hurts, a small one badly. Training *through* the rounding heals, and the **latent** floats it needs are not the network.
#
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - S. Ma et al., *The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits*, 2024, arXiv 2402.17764. The absmean rule (equations 1 to 3), and the name.
# - F. Li, B. Liu et al., *Ternary Weight Networks*, 2016, arXiv 1605.04711. The mean of the survivors as scale, and $\delta = 0.7 \operatorname{mean}|W|$ as a compromise between uniform and Gaussian weights.
# - S. P. Lloyd, *Least squares quantization in PCM*, IEEE Transactions on Information Theory 28, 1982 (a Bell Labs note of 1957), and J. Max, *Quantizing for minimum distortion*, IRE Transactions on Information Theory 6, 1960. The two conditions of section 4. Max tabulates the three-level Gaussian quantiser: check our 0.612 and 1.224 there.
# - T. M. Cover, J. A. Thomas, *Elements of Information Theory*, chapters 2 (entropy) and 10 (the limit $2^{-2R}$).
# - M. Horowitz, *Computing's energy problem (and what we can do about it)*, ISSCC 2014. The energies of sections 6 and 7, for a 45 nm process.
# - *BitMedViT: Ternary-Quantized Vision Transformer for Medical AI Assistants on the Edge*, 2025, arXiv 2510.13760. Where this course is heading: absmean, one scale per matrix, int8 activations, four trits a byte.
# - D. E. Knuth, *The Art of Computer Programming*, volume 2, section 4.1, for balanced ternary; B. Hayes, *Third Base*, American Scientist 89, 2001, for Setun and the charm of base 3.
#
# **Next:** lesson 02 builds the machine that computes gradients, so that we can train something larger than ten rows of digits.
