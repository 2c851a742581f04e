# %% [markdown]
# # Assignment 03 · Training
#
# Three exercises and a question on lesson 03: an optimiser, a schedule and an interval, none of them quite the lesson's. Read each rule to its end before you write. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The checks are as in the lessons: run them as often as you like.

# %% tags=["drawn"]
CLIP = [0.5, 0.8, 1.25, 1.6, 2.0]
KEEP = [0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
LOOK = [0.2, 0.3, 0.4, 0.6]
WARM = [0.05, 0.1, 0.15, 0.2]
HOLD = [0.4, 0.5, 0.55, 0.6, 0.7]
FLOOR = [0.02, 0.04, 0.06, 0.08, 0.1, 0.12]
SHAPE, BEND = [("a straight line", 1), ("a parabola", 2), ("a cubic", 3), ("a quartic", 4)]
LEVEL = [80, 84, 88, 90, 92, 96]
RESAMPLES = [300, 400, 500, 600, 700]

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

check = course.checks("assignment-03-SEED")
my = check.mine

# %% [markdown]
# ## 1 · An optimiser with a brake
#
# One step of it, for a vector of parameters $w$, its memory $v$ and the gradient $g$:
#
# 1. **Brake.** If $g$ is longer than CLIP (the root of the sum of squares), it is shortened to the length CLIP, its direction kept.
# 2. **Remember.** $v \leftarrow \mu v + (1 - \mu)\, g$ with $\mu = KEEP$ and the braked $g$.
# 3. **Step.** $w \leftarrow w - \eta\,\big(\lambda g + (1 - \lambda)\, v\big)$ with $\lambda = LOOK$, the braked $g$ and the **new** $v$.

# %% [markdown]
# ### Exercise 3.1: one step (3 points)
#
# `step(w, v, g, rate)` returns the new `(w, v)` and leaves its arguments as they are.


# %% nbgrader={"grade": false, "grade_id": "3_1_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def step(w, v, g, rate):
    """Return parameters and memory after one step."""
    ### BEGIN SOLUTION
    length = np.sqrt(np.sum(g**2))
    if length > CLIP:
        g = g * (CLIP / length)
    v = KEEP * v + (1 - KEEP) * g
    return w - rate * (LOOK * g + (1 - LOOK) * v), v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_1_step_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.1")
def _(step):
    clip, mu, look = CLIP, KEEP, LOOK

    def wanted(w, v, g, rate):
        size = float(np.linalg.norm(g))
        braked = [x * min(1.0, clip / size) if size else 0.0 for x in g]
        memory = [mu * m + (1 - mu) * x for m, x in zip(v, braked)]
        moved = [a - rate * (look * x + (1 - look) * m) for a, x, m in zip(w, braked, memory)]
        return moved, memory

    small = clip * np.array([0.3, -0.4])
    with check.part("memory and step", points=2):
        w, v = np.array([1.0, 2.0]), np.array([0.1, 0.2])
        kept = (w.copy(), v.copy(), small.copy())
        got = step(w, v, small, 0.5)
        want = wanted(w, v, small, 0.5)
        check.close(
            got[1], want[1], "The gradient is short: no brake. What stays of the old memory?"
        )
        check.close(
            got[0], want[0],
            "The step goes by the gradient and by the new memory, each with its share.",
        )  # fmt: skip
        check.equal([w, v, small], kept, "An argument has changed: work on copies.")
    with check.part("brake", points=1):
        long = clip * np.array([3.0, -4.0])
        check.close(
            step(np.zeros(2), np.zeros(2), long, 1.0)[1], wanted([0, 0], [0, 0], long, 1.0)[1],
            f"This gradient is {5 * clip:g} long, and {clip:g} is as long as it may be: both entries "
            "shrink by the same factor.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(31)
        for size in (0.1, 0.9, 1.1, 1.5, 30.0):
            w, v, g = rng.normal(size=(3, 6))
            g = g * (clip * size / np.linalg.norm(g))
            want = wanted(w, v, g, 0.1)
            got = step(w, v, g, 0.1)
            check.close(got[0], want[0], f"A gradient of {size:g} times the longest length.")
            check.close(got[1], want[1], f"A gradient of {size:g} times the longest length.")
        still = step(np.ones(3), np.ones(3), np.zeros(3), 0.1)
        check.close(
            still[1], [mu] * 3, "A gradient of zeros: the memory fades, and nothing breaks."
        )
        ### END HIDDEN TESTS


# %% variant={"of": "3_1_step", "wrong": "each entry is clipped on its own", "says": "same factor"}
def step(w, v, g, rate):
    g = np.clip(g, -CLIP, CLIP)
    v = KEEP * v + (1 - KEEP) * g
    return w - rate * (LOOK * g + (1 - LOOK) * v), v


# %% variant={"of": "3_1_step", "wrong": "the gradient is always brought to the longest length", "says": "no brake"}
def step(w, v, g, rate):
    g = g * (CLIP / max(np.linalg.norm(g), 1e-12))
    v = KEEP * v + (1 - KEEP) * g
    return w - rate * (LOOK * g + (1 - LOOK) * v), v


# %% variant={"of": "3_1_step", "wrong": "the step takes the old memory", "says": "new memory"}
def step(w, v, g, rate):
    g = g * min(1.0, CLIP / max(np.linalg.norm(g), 1e-12))
    new = KEEP * v + (1 - KEEP) * g
    return w - rate * (LOOK * g + (1 - LOOK) * v), new


# %% variant={"of": "3_1_step", "wrong": "the lesson's momentum: the gradient enters whole", "says": "old memory"}
def step(w, v, g, rate):
    g = g * min(1.0, CLIP / max(np.linalg.norm(g), 1e-12))
    v = KEEP * v + g
    return w - rate * (LOOK * g + (1 - LOOK) * v), v


# %% variant={"of": "3_1_step", "right": "written out in one pass"}
def step(w, v, g, rate):
    scale = 1.0 if not g.any() else min(1.0, CLIP / np.linalg.norm(g))
    new = KEEP * v + (1 - KEEP) * scale * g
    return w - rate * LOOK * scale * g - rate * (1 - LOOK) * new, new


# %% variant={"of": "3_1_step", "right": "plain lists"}
def step(w, v, g, rate):
    length = sum(x * x for x in g) ** 0.5
    braked = [x * CLIP / length if length > CLIP else x for x in g]
    memory = [KEEP * m + (1 - KEEP) * x for m, x in zip(v, braked)]
    moved = [a - rate * (LOOK * x + (1 - LOOK) * m) for a, x, m in zip(w, braked, memory)]
    return np.array(moved), np.array(memory)


# %% [markdown] hints={"of": "3_1_step"}
# 1. How long is the gradient, and by which one number do you multiply it to make it as long as it may be?
# 2. Three lines, in the order of the three rules. Which `g` and which `v` does each of them use?

# %%
rng = np.random.default_rng([3, SEED])
w, v, path = np.array([4.0, 3.0]), np.zeros(2), []
for _ in range(60):
    path.append(w)
    w, v = my.step(w, v, np.array([4.0, 0.4]) * w + rng.normal(size=2) / 4, 0.15)
fig, ax = plt.subplots(figsize=(7, 3))
ax.plot(*np.transpose(path), "o-", ms=3, color=style.TERNARY)
ax.plot(0, 0, "+", ms=12, color=style.ACCENT)
ax.set(title="Sixty steps down a narrow valley", xlabel="steep direction", ylabel="flat direction")
plt.show()

# %% [markdown]
# ## 2 · A schedule in three pieces
#
# Of all steps, the first part (WARM of them) warms up: the rate rises in a straight line, from 0 **before** the first step to its peak, so that step number 0 has already the first rise. Then it stays at the peak until the part HOLD of all steps is done. Over the rest it falls along SHAPE: with $u$ from 0 where the fall begins to 1 at the end of training, the rate is
#
# $$\text{floor} + (\text{peak} - \text{floor})\,(1 - u)^{BEND}, \qquad \text{floor} = FLOOR \times \text{peak}.$$

# %% [markdown]
# ### Exercise 3.2: the rate of a step (2 points)
#
# `rate(step, steps, peak)` gives the rate of step number `step`, counted from 0, of `steps` in all. Warm-up takes `WARM * steps` steps and the fall begins at `HOLD * steps` (in these examples both are whole numbers). For the fall $u$ is how much of it is over **before** the step.


# %% nbgrader={"grade": false, "grade_id": "3_2_rate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rate(step, steps, peak):
    """Return the learning rate of one step: warm-up, plateau, fall."""
    ### BEGIN SOLUTION
    warm, hold = round(WARM * steps), round(HOLD * steps)
    if step < warm:
        return peak * (step + 1) / warm
    if step < hold:
        return peak
    u = (step - hold) / (steps - hold)
    return peak * (FLOOR + (1 - FLOOR) * (1 - u) ** BEND)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_2_rate_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.2")
def _(rate):
    warm, hold, floor, bend = round(WARM * 100), round(HOLD * 100), FLOOR, BEND
    with check.part("warm-up and plateau", points=1):
        check.close(
            rate(0, 100, 0.8), 0.8 / warm,
            f"The warm-up takes {warm} of 100 steps: the first has the first rise, not 0.",
        )  # fmt: skip
        check.close(rate(warm - 1, 100, 0.8), 0.8, "The last step of the warm-up has the peak.")
        check.close(rate(warm, 100, 0.8), 0.8, "Then the rate stays.")
        check.close(rate(hold - 1, 100, 0.8), 0.8, f"Up to step {hold - 1} it stays.")
        ### BEGIN HIDDEN TESTS
        got = [rate(k, 200, 3.0) for k in range(2 * hold)]
        want = [3.0 * min(1.0, (k + 1) / (2 * warm)) for k in range(2 * hold)]
        check.close(got, want, "Of 200 steps.")
        ### END HIDDEN TESTS
    with check.part("the fall", points=1):
        check.close(rate(hold, 100, 0.8), 0.8, "Where the fall begins nothing of it is over yet.")
        left = (100 - 99) / (100 - hold)
        check.close(
            rate(99, 100, 1.0), floor + (1 - floor) * left**bend,
            f"Before the last step {1 - left:.3f} of the fall are over. The floor is a share of the "
            "peak.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        got = [rate(k, 200, 3.0) for k in range(2 * hold, 200)]
        lefts = [(200 - k) / (200 - 2 * hold) for k in range(2 * hold, 200)]
        want = [3.0 * floor + (3.0 - 3.0 * floor) * left**bend for left in lefts]
        check.close(got, want, "Of 200 steps, with a peak of 3.")
        ### END HIDDEN TESTS


# %% variant={"of": "3_2_rate", "wrong": "step 0 has the rate 0", "says": "not 0"}
def rate(step, steps, peak):
    if step < WARM * steps - 1e-9:
        return peak * step / (WARM * steps)
    if step < HOLD * steps - 1e-9:
        return peak
    u = (step - HOLD * steps) / (steps - HOLD * steps)
    return peak * (FLOOR + (1 - FLOOR) * (1 - u) ** BEND)


# %% variant={"of": "3_2_rate", "wrong": "the fall begins after the warm-up: no plateau", "says": "it stays"}
def rate(step, steps, peak):
    warm = WARM * steps
    if step < warm - 1e-9:
        return peak * (step + 1) / warm
    u = (step - warm) / (steps - warm)
    return peak * (FLOOR + (1 - FLOOR) * (1 - u) ** BEND)


# %% variant={"of": "3_2_rate", "wrong": "the floor is a rate, not a share of the peak"}
def rate(step, steps, peak):
    if step < WARM * steps - 1e-9:
        return peak * (step + 1) / (WARM * steps)
    if step < HOLD * steps - 1e-9:
        return peak
    u = (step - HOLD * steps) / (steps - HOLD * steps)
    return FLOOR + (peak - FLOOR) * (1 - u) ** BEND


# %% variant={"of": "3_2_rate", "wrong": "a cosine, as in the lesson", "says": "are over"}
def rate(step, steps, peak):
    if step < WARM * steps - 1e-9:
        return peak * (step + 1) / (WARM * steps)
    if step < HOLD * steps - 1e-9:
        return peak
    u = (step - HOLD * steps) / (steps - HOLD * steps)
    return peak * (FLOOR + (1 - FLOOR) * 0.5 * (1 + np.cos(np.pi * u)))


# %% variant={"of": "3_2_rate", "right": "the smaller of a rise and a fall"}
def rate(step, steps, peak):
    rise = (step + 1) / (WARM * steps)
    left = min(1.0, (steps - step) / (steps - HOLD * steps))
    return peak * min(1.0, rise, FLOOR + (1 - FLOOR) * left**BEND)


# %% variant={"of": "3_2_rate", "right": "interpolated between corners"}
def rate(step, steps, peak):
    warm, hold = WARM * steps, HOLD * steps
    rise = np.interp(step + 1, [0, warm], [0.0, peak])
    left = np.interp(step, [hold, steps], [1.0, 0.0])
    return float(rise if step + 1 < warm else peak * FLOOR + peak * (1 - FLOOR) * left**BEND)


# %% [markdown] hints={"of": "3_2_rate"}
# 1. In which piece is the step? Two comparisons decide it.
# 2. What is u for the first step of the fall, and what for the step that would come after the last?

# %%
fig, ax = plt.subplots(figsize=(7, 2.6))
ax.plot([my.rate(k, 100, 1.0) for k in range(100)], color=style.TERNARY)
ax.set(title="Warm-up, plateau, and SHAPE down", xlabel="step of 100", ylabel="rate / peak", ylim=0)
plt.show()

# %% [markdown]
# ## 3 · Is B better than A?
#
# Two networks answered the same images. `a` and `b` are arrays of 0 and 1, an entry an image: whether the network was right. Because the images are the same, they are resampled **together**: an image is drawn with both of its answers. The interval of this assignment is LEVEL % wide, from RESAMPLES resamples.

# %% [markdown]
# ### Exercise 3.3: a paired bootstrap (3 points)
#
# `paired(a, b, rng)` returns `(low, high)`: the interval of the difference of accuracies, **b minus a, in points** (percent). Draw all resamples by one call, `rng.integers(0, n, size=(RESAMPLES, n))`, a row a resample, so that the check can draw the same. The interval's ends are percentiles of the differences (`np.percentile`), with as much left out below as above.


# %% nbgrader={"grade": false, "grade_id": "3_3_paired", "locked": false, "schema_version": 3, "solution": true, "task": false}
def paired(a, b, rng):
    """Return the interval of b's accuracy minus a's, in points."""
    ### BEGIN SOLUTION
    n = len(a)
    drawn = rng.integers(0, n, size=(RESAMPLES, n))
    gains = 100.0 * (np.asarray(b, float) - np.asarray(a, float))[drawn].mean(axis=1)
    out = (100 - LEVEL) / 2
    low, high = np.percentile(gains, [out, 100 - out])
    return low, high
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_3_paired_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.3")
def _(paired):
    level, resamples = LEVEL, RESAMPLES
    one = np.array([0, 1, 1, 0, 1, 0, 1, 1, 0, 1] * 6)
    with check.part("paired, in points", points=1):
        check.close(
            paired(one, one, np.random.default_rng(1)), [0, 0],
            "A network against itself: image by image there is no difference, whatever is drawn. "
            "Are both drawn together?",
        )  # fmt: skip
        check.close(
            paired(np.zeros(40, int), np.ones(40, int), np.random.default_rng(1)), [100, 100],
            "b right everywhere and a nowhere: 100 points, and b minus a is positive.",
        )  # fmt: skip
    with check.part("the interval", points=2):
        rng = np.random.default_rng(33)
        a = (rng.random(977) < 0.7).astype(int)
        b = (rng.random(977) < 0.8).astype(int)
        draws = np.random.default_rng(7).integers(0, 977, size=(resamples, 977))
        found = [(np.take(b, row).sum() - np.take(a, row).sum()) / 9.77 for row in draws]
        want = np.percentile(found, [50 - level / 2, 50 + level / 2])
        check.close(
            paired(a, b, np.random.default_rng(7)), want,
            f"An interval of {level} % leaves {(100 - level) / 2:g} % out on each side, of "
            f"{resamples} resamples.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        shapes = []

        class Watched:
            def integers(self, *args, **settings):
                drawn = np.random.default_rng(9).integers(*args, **settings)
                shapes.append(np.shape(drawn))
                return drawn

        paired(a, b, Watched())
        check.equal(shapes, [(resamples, 977)], "One call draws all resamples, a row each.")
        few = np.array([True, False, True]), np.array([True, True, False])
        few = np.tile(few[0], 67), np.tile(few[1], 67)
        draws = np.random.default_rng(8).integers(0, 201, size=(resamples, 201))
        found = [(np.take(few[1], row).sum() - np.take(few[0], row).sum()) / 2.01 for row in draws]
        want = np.percentile(found, [50 - level / 2, 50 + level / 2])
        check.close(
            paired(*few, np.random.default_rng(8)), want,
            "Answers may be True and False: NumPy does not subtract those.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "3_3_paired", "wrong": "each network's images are drawn apart", "says": "drawn together"}
def paired(a, b, rng):
    n = len(a)
    one = rng.integers(0, n, size=(RESAMPLES, n))
    two = rng.integers(0, n, size=(RESAMPLES, n))
    gains = 100.0 * (np.asarray(b)[two].mean(axis=1) - np.asarray(a)[one].mean(axis=1))
    return tuple(np.percentile(gains, [(100 - LEVEL) / 2, (100 + LEVEL) / 2]))


# %% variant={"of": "3_3_paired", "wrong": "a share, not points", "says": "100 points"}
def paired(a, b, rng):
    n = len(a)
    drawn = rng.integers(0, n, size=(RESAMPLES, n))
    gains = np.asarray(b)[drawn].mean(axis=1) - np.asarray(a)[drawn].mean(axis=1)
    return tuple(np.percentile(gains, [(100 - LEVEL) / 2, (100 + LEVEL) / 2]))


# %% variant={"of": "3_3_paired", "wrong": "all that is left out is left out on each side", "says": "on each side"}
def paired(a, b, rng):
    n = len(a)
    drawn = rng.integers(0, n, size=(RESAMPLES, n))
    gains = 100.0 * (np.asarray(b)[drawn].mean(axis=1) - np.asarray(a)[drawn].mean(axis=1))
    return tuple(np.percentile(gains, [100 - LEVEL, LEVEL]))


# %% variant={"of": "3_3_paired", "wrong": "a minus b", "says": "b minus a"}
def paired(a, b, rng):
    n = len(a)
    drawn = rng.integers(0, n, size=(RESAMPLES, n))
    gains = 100.0 * (np.asarray(a)[drawn].mean(axis=1) - np.asarray(b)[drawn].mean(axis=1))
    return tuple(np.percentile(gains, [(100 - LEVEL) / 2, (100 + LEVEL) / 2]))


# %% variant={"of": "3_3_paired", "right": "a loop over resamples"}
def paired(a, b, rng):
    a, b = np.asarray(a, float), np.asarray(b, float)
    found = []
    for row in rng.integers(0, len(a), size=(RESAMPLES, len(a))):
        found.append(100 * (b[row].mean() - a[row].mean()))
    return [np.percentile(found, 50 - LEVEL / 2), np.percentile(found, 50 + LEVEL / 2)]


# %% variant={"of": "3_3_paired", "right": "counted: how often each image was drawn"}
def paired(a, b, rng):
    n = len(a)
    drawn = rng.integers(0, n, size=(RESAMPLES, n))
    counts = np.zeros((RESAMPLES, n))
    np.add.at(counts, (np.arange(RESAMPLES)[:, None], drawn), 1)
    gains = counts @ (np.asarray(b, int) - np.asarray(a, int)) / n * 100
    return np.quantile(gains, 0.5 - LEVEL / 200), np.quantile(gains, 0.5 + LEVEL / 200)


# %% [markdown] hints={"of": "3_3_paired"}
# 1. What is the difference of the two networks on a single image? It is one of three numbers.
# 2. Index that array with all of the drawn places at once: which axis do you average?

# %%
rng = np.random.default_rng([33, SEED])
hard = rng.random(200)
first, second = (hard < 0.80).astype(int), (hard + rng.normal(size=200) * 0.05 < 0.84).astype(int)
low, high = my.paired(first, second, np.random.default_rng(0))
fig, ax = plt.subplots(figsize=(7, 1.8))
ax.plot([low, high], [0, 0], lw=6, solid_capstyle="butt", color=style.TERNARY)
ax.plot(100 * (second.mean() - first.mean()), 0, "o", color=style.ACCENT)
ax.axvline(0, color=style.MUTED, lw=1)
ax.set(title="B minus A, LEVEL % interval", xlabel="points of accuracy", yticks=[])
plt.show()

# %% [markdown] nbgrader={"grade": true, "grade_id": "3_4_claim", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 3.4: what may be claimed? (2 points, in words)
#
# The figure above compares one training of A with one of B on 200 images. What does the interval cover, and what does it not? Somebody writes "B is better than A" when it lies above 0: name two things that they would have to do before you believe it.
#
# ### BEGIN SOLUTION
# It covers the chance in which 200 images were drawn for the test: with other images of the same kind the difference would lie in there in about that share of cases. It does not cover the chance of training (initial weights, order of batches): another seed of either network may give another sign. So: train both with several seeds and put an interval over seeds; and choose the comparison (the set, the metric, when to stop) before looking, on images that neither choice has seen; also correct for how many comparisons were tried.
# ### END SOLUTION

# %% [markdown] rubric={"of": "3_4_claim"}
# 1 point: the interval is about the test images, not about the seeds of training. 1 point: two sound demands (several seeds; a test set that chose nothing; the number of comparisons; other data).

# %%
check.summary()
