# %% [markdown]
# # Assignment 04 · Straight through
#
# Three exercises and a question on lesson 04: a gate of another kind, a scale that is learned for more than three levels, and a lamp that lights up when weights cannot make up their mind. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The checks are as in the lessons: run them as often as you like.

# %% tags=["drawn"]
GATE = [0.8, 0.9, 1.1, 1.25, 1.4, 1.6]
OUTSIDE = [0.15, 0.25, 0.35, 0.45, 0.5]
LEVELS = [2, 3, 4, 5, 6]
WINDOW, TURNS = [(6, 3), (5, 2), (7, 3), (8, 4), (9, 5), (7, 4), (8, 3)]

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

check = course.checks("assignment-04-SEED")
my = check.mine

# %% [markdown]
# ## 1 · A gate that is left ajar
#
# Rounding has the slope 0 almost everywhere, so the backward pass makes one up. This one depends on where the latent weight $w$ is and on which way the optimiser would push it (downhill: against the gradient):
#
# - within $\pm GATE$, the border included, the gradient passes as it is;
# - outside, and pushed **back** towards 0, OUTSIDE of the gradient passes;
# - outside, and pushed further **out**, nothing passes.

# %% [markdown]
# ### Exercise 4.1: the gate (3 points)
#
# `gate(w, grad)` returns the gradient for the latent weights, where `grad` is the gradient with respect to the rounded ones. Any shape; the arguments stay as they are.


# %% nbgrader={"grade": false, "grade_id": "4_1_gate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gate(w, grad):
    """Return the made-up gradient of the latent weights."""
    ### BEGIN SOLUTION
    inside = np.abs(w) <= GATE
    back = w * grad > 0
    return grad * np.where(inside, 1.0, np.where(back, OUTSIDE, 0.0))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_1_gate_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.1")
def _(gate):
    border, share = GATE, OUTSIDE
    w = np.array([-0.3, 0.0, 0.5, border, -border])
    grad = np.array([1.0, -2.0, 3.0, 4.0, 5.0])
    kept = w.copy(), grad.copy()
    with check.part("inside", points=1):
        check.close(gate(w, grad), grad, "All of these lie inside, the last two on the border.")
        check.equal([w, grad], kept, "An argument has changed: work on copies.")
    with check.part("outside", points=2):
        far = np.array([border + 0.1, border + 0.1, -border - 0.1, -border - 0.1])
        check.close(
            gate(far, np.array([2.0, -2.0, 2.0, -2.0])), [2 * share, 0, 0, -2 * share],
            "A step goes against the gradient: where it is positive the weight gets smaller. Is "
            "that back towards 0, or further out?",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(41)
        many, up = rng.normal(size=(6, 7)) * 1.5, rng.normal(size=(6, 7))
        many[0, :3] = border + 1e-6, -border - 1e-6, border - 1e-6
        want = []
        for weight, slope in zip(many.ravel(), up.ravel()):
            moved = weight - 1e-9 * slope
            ajar = share if abs(moved) < abs(weight) else 0.0
            want.append(slope if abs(weight) <= border else slope * ajar)
        check.close(gate(many, up), np.reshape(want, many.shape), "A matrix of weights.")
        check.close(gate(np.array([9.0]), np.array([0.0])), [0.0], "No gradient, nothing to pass.")
        ### END HIDDEN TESTS


# %% variant={"of": "4_1_gate", "wrong": "back and out are exchanged: the step is taken along the gradient", "says": "against the gradient"}
def gate(w, grad):
    return grad * np.where(np.abs(w) <= GATE, 1.0, np.where(w * grad < 0, OUTSIDE, 0.0))


# %% variant={"of": "4_1_gate", "wrong": "the border counts as outside", "says": "on the border"}
def gate(w, grad):
    return grad * np.where(np.abs(w) < GATE, 1.0, np.where(w * grad > 0, OUTSIDE, 0.0))


# %% variant={"of": "4_1_gate", "wrong": "closed outside, whatever the direction", "says": "back towards 0"}
def gate(w, grad):
    return grad * (np.abs(w) <= GATE)


# %% variant={"of": "4_1_gate", "wrong": "ajar on both sides", "says": "further out"}
def gate(w, grad):
    return np.where(np.abs(w) <= GATE, grad, OUTSIDE * grad)


# %% variant={"of": "4_1_gate", "right": "signs compared"}
def gate(w, grad):
    ajar = OUTSIDE * (np.sign(w) == np.sign(grad))
    return np.where((w >= -GATE) & (w <= GATE), grad, grad * ajar)


# %% variant={"of": "4_1_gate", "right": "number by number"}
def gate(w, grad):
    out = np.empty(np.shape(w))
    for place in np.ndindex(*np.shape(w)):
        slope = grad[place]
        if w[place] > GATE:
            slope = OUTSIDE * max(slope, 0.0)
        elif w[place] < -GATE:
            slope = OUTSIDE * min(slope, 0.0)
        out[place] = slope
    return out


# %% [markdown] hints={"of": "4_1_gate"}
# 1. A weight of 2 with a gradient of +1: where does a small step of gradient descent take it?
# 2. Which sign has `w * grad` in that case, and which if it is pushed out?

# %%
line = np.linspace(-2.5, 2.5, 501)
fig, ax = plt.subplots(figsize=(7, 2.6))
ax.plot(line, my.gate(line, np.ones(501)), color=style.ACCENT, label="gradient +1")
ax.plot(line, my.gate(line, -np.ones(501)), color=style.SERIES[2], label="gradient -1")
ax.set(title="What passes depends on the direction", xlabel="latent weight", ylabel="passes")
ax.legend()
plt.show()

# %% [markdown]
# ## 2 · A learned scale with more levels
#
# A quantiser with the whole levels from -LEVELS to +LEVELS and a scale $\alpha$ that is trained:
#
# $$r = w / \alpha, \qquad q = \operatorname{clip}(\operatorname{round}(r), -N, N), \qquad \hat w = \alpha\, q, \qquad N = LEVELS.$$
#
# With the straight-through idea applied to the rounding only, $\hat w$ changes with $\alpha$ by $q - r$ where $|r| \le N$, and by $\pm N$ (the sign of $r$) where it was clipped. LSQ then multiplies the sum by $1/\sqrt{nN}$, with $n$ the number of weights, so that the scale learns at the pace of the weights. (`np.round` rounds halves to even; so does this quantiser.)

# %% [markdown]
# ### Exercise 4.2: forward, and the gradient of the scale (3 points)
#
# `quantize(w, alpha)` returns $\hat w$. `scale_gradient(w, alpha, grad)` returns one float: the gradient with respect to $\alpha$, where `grad` is the one with respect to $\hat w$.


# %% nbgrader={"grade": false, "grade_id": "4_2_scale", "locked": false, "schema_version": 3, "solution": true, "task": false}
def quantize(w, alpha):
    """Round to the levels of a scale."""
    ### BEGIN SOLUTION
    return alpha * np.clip(np.round(w / alpha), -LEVELS, LEVELS)
    ### END SOLUTION


def scale_gradient(w, alpha, grad):
    """Return the gradient with respect to the scale."""
    ### BEGIN SOLUTION
    r = w / alpha
    slope = np.where(np.abs(r) <= LEVELS, np.round(r) - r, LEVELS * np.sign(r))
    return float(np.sum(grad * slope) / np.sqrt(w.size * LEVELS))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_2_scale_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.2")
def _(quantize, scale_gradient):
    n = LEVELS
    with check.part("forward", points=1):
        w = np.array([0.1, -0.7, 0.5 * (n + 0.2), 100.0, -100.0])
        check.close(
            quantize(w, 0.5), [0, -0.5, 0.5 * n, 0.5 * n, -0.5 * n],
            f"With a scale of 0.5 the levels are 0, ±0.5, ... up to ±{0.5 * n:g}.",
        )  # fmt: skip
        check.close(quantize(np.array([0.5 * (n + 0.8)]), 0.5), [0.5 * n], "Too high: clipped.")
    with check.part("one weight", points=1):
        check.close(
            scale_gradient(np.array([0.7]), 0.5, np.array([1.0])), (1 - 1.4) / np.sqrt(n),
            "r is 1.4, rounded to 1: the slope is 1 - 1.4. Then the factor of LSQ.",
        )  # fmt: skip
        check.close(
            scale_gradient(np.array([-50.0]), 0.5, np.array([1.0])), -n / np.sqrt(n),
            f"It was clipped from below: the weight is -{n} scales, and so is the slope.",
        )  # fmt: skip
    with check.part("many", points=1):
        rng = np.random.default_rng(42)
        w, up = rng.normal(size=(5, 8)) * n, rng.normal(size=(5, 8))
        total = 0.0
        for weight, slope in zip(w.ravel().tolist(), up.ravel().tolist()):
            r = weight / 0.8
            part = round(r) - r if -n <= r <= n else (n if r > 0 else -n)
            total += slope * part
        check.close(
            scale_gradient(w, 0.8, up), total / (40 * n) ** 0.5,
            "Each weight's slope times its gradient, added up; one factor for all: how many "
            "weights are there?",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(
            scale_gradient(np.array([0.5 * n]), 0.5, np.ones(1)), 0,
            "A weight exactly on the highest level was rounded, not clipped.",
        )  # fmt: skip
        edge = np.array([0.8 * (n + 0.3), 0.8 * (n - 0.3), -0.8 * (n + 0.3)])
        want = (n + 0.3 - n) / (3 * n) ** 0.5
        check.close(
            scale_gradient(edge, 0.8, np.ones(3)), want,
            "Just beyond the highest level a weight is clipped, just below it is rounded.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "4_2_scale", "wrong": "clipped weights have no slope", "says": "clipped from below"}
def quantize(w, alpha):
    return alpha * np.clip(np.round(w / alpha), -LEVELS, LEVELS)


def scale_gradient(w, alpha, grad):
    r = w / alpha
    slope = np.where(np.abs(r) <= LEVELS, np.round(r) - r, 0.0)
    return np.sum(grad * slope) / np.sqrt(w.size * LEVELS)


# %% variant={"of": "4_2_scale", "wrong": "the slope is the level: the rounding is taken as fixed", "says": "1 - 1.4"}
def quantize(w, alpha):
    return alpha * np.clip(np.round(w / alpha), -LEVELS, LEVELS)


def scale_gradient(w, alpha, grad):
    q = np.clip(np.round(w / alpha), -LEVELS, LEVELS)
    return np.sum(grad * q) / np.sqrt(w.size * LEVELS)


# %% variant={"of": "4_2_scale", "wrong": "without LSQ's factor", "says": "factor of LSQ"}
def quantize(w, alpha):
    return alpha * np.clip(np.round(w / alpha), -LEVELS, LEVELS)


def scale_gradient(w, alpha, grad):
    r = w / alpha
    return np.sum(grad * np.where(np.abs(r) <= LEVELS, np.round(r) - r, LEVELS * np.sign(r)))


# %% variant={"of": "4_2_scale", "wrong": "three levels, as in the lesson"}
def quantize(w, alpha):
    return alpha * np.clip(np.round(w / alpha), -1, 1)


def scale_gradient(w, alpha, grad):
    r = w / alpha
    slope = np.where(np.abs(r) <= 1, np.round(r) - r, np.sign(r))
    return np.sum(grad * slope) / np.sqrt(w.size)


# %% variant={"of": "4_2_scale", "right": "the clipped level minus the clipped ratio, and what was clipped"}
def quantize(w, alpha):
    return np.clip(alpha * np.round(w / alpha), -alpha * LEVELS, alpha * LEVELS)


def scale_gradient(w, alpha, grad):
    r = np.asarray(w) / alpha
    q = np.clip(np.round(r), -LEVELS, LEVELS)
    slope = q - r * (np.abs(r) <= LEVELS)
    return (np.asarray(grad) * slope).sum() * (np.size(w) * LEVELS) ** -0.5


# %% variant={"of": "4_2_scale", "right": "a loop"}
def quantize(w, alpha):
    flat = [alpha * max(-LEVELS, min(LEVELS, round(float(x) / alpha))) for x in np.ravel(w)]
    return np.reshape(flat, np.shape(w))


def scale_gradient(w, alpha, grad):
    total = 0.0
    for x, g in zip(np.ravel(w), np.ravel(grad)):
        r = x / alpha
        if r > LEVELS:
            total += g * LEVELS
        elif r < -LEVELS:
            total -= g * LEVELS
        else:
            total += g * (np.round(r) - r)
    return total / (len(np.ravel(w)) * LEVELS) ** 0.5


# %% [markdown] hints={"of": "4_2_scale"}
# 1. A clipped weight is LEVELS times the scale. By how much does it change when the scale grows by a little?
# 2. Put the slope of each weight into an array of the same shape, times `grad`, and only then add up.

# %%
rng = np.random.default_rng([42, SEED])
weights = rng.standard_t(4, size=400)
scales = np.linspace(0.1, 2.0, 80)
lost = [np.mean((my.quantize(weights, a) - weights) ** 2) for a in scales]
pull = [
    my.scale_gradient(weights, a, 2 * (my.quantize(weights, a) - weights) / 400) for a in scales
]
fig, axes = plt.subplots(1, 2, figsize=(9, 2.6))
axes[0].plot(scales, lost, color=style.TERNARY)
axes[0].set(title="What a scale loses", xlabel="scale", ylabel="mean squared error")
axes[1].plot(scales, pull, color=style.ACCENT)
axes[1].axhline(0, color=style.MUTED, lw=1)
axes[1].set(title="Its gradient crosses 0 near the best", xlabel="scale", ylabel="gradient")
plt.show()

# %% [markdown]
# ## 3 · Weights that cannot make up their mind
#
# `history` holds the trits of a layer, a row a step, a column a weight. A weight **turns** at a step if its trit differs from that of the step before. A weight is **restless** if there is any stretch of WINDOW steps in a row (WINDOW rows of `history`, so WINDOW - 1 changes between neighbours) within which it turns at least TURNS times.

# %% [markdown]
# ### Exercise 4.3: find them (2 points)
#
# `restless(history)` returns a boolean array, an entry a weight. A history with fewer rows than WINDOW has no such stretch: then nothing is restless.


# %% nbgrader={"grade": false, "grade_id": "4_3_restless", "locked": false, "schema_version": 3, "solution": true, "task": false}
def restless(history):
    """Say which weights turn too often within a stretch of steps."""
    ### BEGIN SOLUTION
    turned = np.diff(history, axis=0) != 0
    found = np.zeros(history.shape[1], bool)
    for first in range(len(history) - WINDOW + 1):
        found |= turned[first : first + WINDOW - 1].sum(axis=0) >= TURNS
    return found
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_3_restless_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.3")
def _(restless):
    window, turns = WINDOW, TURNS

    def trits(places, rows):
        column, now = [], 0
        for row in range(rows):
            now = 1 - now if row in places else now
            column.append(now)
        return column

    rows = 3 * window
    quick = list(range(window, window + turns))
    fewer = quick[:-1]
    spread = [2, *range(window + 2, window + 1 + turns)]
    history = np.array([trits(p, rows) for p in (quick, fewer, spread, [])], np.int8).T
    check.equal(
        restless(history), [True, False, False, False],
        f"The first weight turns {turns} times in a row, the second once less, the third as often "
        "but not within one stretch, the last never.",
    )  # fmt: skip
    wide = [window - 1 + k for k in [*range(turns - 1), window - 2]]
    over = [window - 1 + k for k in [*range(turns - 1), window - 1]]
    history = np.array([trits(p, rows) for p in (wide, over)], np.int8).T
    check.equal(
        restless(history), [True, False],
        f"{window} rows have {window - 1} places between neighbours where a trit may turn: the "
        "first weight's turns just fit in, the second's just do not.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    check.equal(
        restless(np.tile([[1], [-1]], (window // 2, 1))[: window - 1].astype(np.int8)), [False],
        "A history shorter than a stretch.",
    )  # fmt: skip
    start = np.array([trits(range(1, turns + 1), window)]).T
    check.equal(restless(start.astype(np.int8)), [True], "A history of one stretch exactly.")
    check.equal(
        restless(np.vstack([np.zeros((window, 1)), start]).astype(np.int8)), [True],
        "The last stretch counts too.",
    )  # fmt: skip
    rng = np.random.default_rng(43)
    many = rng.choice([-1, 0, 0, 0, 0, 1], size=(30, 50)).astype(np.int8)
    want = []
    for column in many.T.tolist():
        hits = [int(x != y) for x, y in zip(column, column[1:])]
        want.append(any(sum(hits[s : s + window - 1]) >= turns for s in range(30 - window + 1)))
    check.equal(restless(many), want, "Fifty weights over thirty steps.")
    ### END HIDDEN TESTS


# %% variant={"of": "4_3_restless", "wrong": "turns are counted over the whole history", "says": "within one stretch"}
def restless(history):
    return (np.diff(history, axis=0) != 0).sum(axis=0) >= TURNS


# %% variant={"of": "4_3_restless", "wrong": "WINDOW changes in place of WINDOW rows", "says": "just do not"}
def restless(history):
    turned = np.diff(history, axis=0) != 0
    found = np.zeros(history.shape[1], bool)
    for first in range(max(0, len(turned) - WINDOW + 1)):
        found |= turned[first : first + WINDOW].sum(axis=0) >= TURNS
    return found


# %% variant={"of": "4_3_restless", "wrong": "more than TURNS asked for", "says": "in a row"}
def restless(history):
    turned = np.diff(history, axis=0) != 0
    found = np.zeros(history.shape[1], bool)
    for first in range(len(history) - WINDOW + 1):
        found |= turned[first : first + WINDOW - 1].sum(axis=0) > TURNS
    return found


# %% variant={"of": "4_3_restless", "wrong": "stretches that do not overlap"}
def restless(history):
    turned = np.diff(history, axis=0) != 0
    found = np.zeros(history.shape[1], bool)
    for first in range(0, len(history) - WINDOW + 1, WINDOW):
        found |= turned[first : first + WINDOW - 1].sum(axis=0) >= TURNS
    return found


# %% variant={"of": "4_3_restless", "right": "running sums"}
def restless(history):
    if len(history) < WINDOW:
        return np.zeros(history.shape[1], bool)
    total = np.zeros((len(history), history.shape[1]), int)
    total[1:] = np.cumsum(np.diff(history, axis=0) != 0, axis=0)
    return (total[WINDOW - 1 :] - total[: len(total) - WINDOW + 1]).max(axis=0) >= TURNS


# %% variant={"of": "4_3_restless", "right": "distances between turns"}
def restless(history):
    out = []
    for column in np.asarray(history).T:
        at = [k for k in range(1, len(column)) if column[k] != column[k - 1]]
        spans = [at[k + TURNS - 1] - at[k] for k in range(len(at) - TURNS + 1)]
        out.append(len(column) >= WINDOW and any(span <= WINDOW - 2 for span in spans))
    return np.array(out, bool)


# %% [markdown] hints={"of": "4_3_restless"}
# 1. Make an array of turns first: how many rows has it, compared with the history?
# 2. A stretch that starts at row s: which rows of that array belong to it?

# %%
rng = np.random.default_rng([43, SEED])
walk = np.cumsum(rng.normal(size=(60, 40)) * np.linspace(0.02, 0.6, 40), axis=0)
history = np.clip(np.round(walk), -1, 1).astype(np.int8)
found = my.restless(history)
fig, ax = plt.subplots(figsize=(9, 2.8))
ax.imshow(history.T, cmap="coolwarm", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
ax.plot(np.full(found.sum(), 61), np.flatnonzero(found), "<", color=style.INK, clip_on=False)
ax.set(title="Restless weights are marked at the right", xlabel="step", ylabel="weight")
plt.show()

# %% [markdown] nbgrader={"grade": true, "grade_id": "4_4_ajar", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 4.4: what the gate does to a weight (2 points, in words)
#
# A latent weight has drifted to twice GATE, and from now on its gradient says, step after step, that its trit should be 0. Describe its way with the gate of 4.1, with a gate that is closed outside, and with no gate. Which of the three can bring back a weight that a large initialisation put far outside, and what is the price of each?
#
# ### BEGIN SOLUTION
# With 4.1's gate it comes back, slowly at first (a share of each step), then at full pace inside. With a gate closed outside it stays where it is for ever: its trit is frozen. Without a gate it comes back at full pace, but such weights may also run out without bound, since nothing stops them where more makes no difference to the trit, and then need as long to come back. The first and the last can bring weights back after a large initialisation; the price is slowness for the first, runaways for the last, dead weights for the closed gate.
# ### END SOLUTION

# %% [markdown] rubric={"of": "4_4_ajar"}
# 1 point: the three ways are right (slow return, frozen, full pace with runaways). 1 point: which can bring back weights after a large initialisation, and a price for each.

# %%
check.summary()
