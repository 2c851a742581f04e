# %% [markdown]
# # Assignment 07 · Distillation
#
# Three exercises and a question on lesson 07: a divergence that never becomes infinite, the gradient of a loss with two voices, and what eight runs say about a pair of choices. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The checks are as in the lessons: run them as often as you like.

# %% tags=["drawn"]
MIX = [0.1, 0.15, 0.2, 0.25, 0.3, 0.4]
HEAT = [1.5, 2.5, 3, 3.5, 4, 5]
WEIGHT = [0.35, 0.45, 0.55, 0.6, 0.7]
SMOOTH = [0.05, 0.08, 0.12, 0.16]
ORDER, SIGNS, PAIR, ONE, OTHER, THIRD, REST, STATE, LEVEL = [
    (
        "the third factor changes fastest, then the second, then the first",
        (4, 2, 1),
        "first and the second",
        0,
        1,
        "third",
        2,
        "on",
        1,
    ),
    (
        "the first factor changes fastest, then the third, then the second",
        (1, 4, 2),
        "second and the third",
        1,
        2,
        "first",
        0,
        "off",
        0,
    ),
    (
        "the second factor changes fastest, then the first, then the third",
        (2, 1, 4),
        "second and the third",
        1,
        2,
        "first",
        0,
        "on",
        1,
    ),
    (
        "the second factor changes fastest, then the third, then the first",
        (4, 1, 2),
        "first and the second",
        0,
        1,
        "third",
        2,
        "off",
        0,
    ),
    (
        "the third factor changes fastest, then the first, then the second",
        (2, 4, 1),
        "first and the third",
        0,
        2,
        "second",
        1,
        "on",
        1,
    ),
    (
        "the second factor changes fastest, then the third, then the first",
        (4, 1, 2),
        "second and the third",
        1,
        2,
        "first",
        0,
        "off",
        0,
    ),
]  # (steps of the pair, level of the third) differ in all six

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

check = course.checks("assignment-07-SEED")
my = check.mine

# %% [markdown]
# ## 1 · A divergence that stays finite
#
# $KL(p \,\|\, q)$ is infinite where the student $q$ gives nothing to a class that the teacher $p$ holds possible. The *skew* divergence (Lee, 1999) stirs a little of the teacher into the student first:
#
# $$D(p, q) = KL\big(p \;\big\|\; MIX\, p + (1 - MIX)\, q\big), \qquad KL(p\,\|\,r) = \sum_i p_i \ln \frac{p_i}{r_i},$$
#
# in nats, where a class with $p_i = 0$ adds 0.

# %% [markdown]
# ### Exercise 7.1: skew divergence (2 points)
#
# `skew(p, q)` takes two arrays of probabilities of shape (n, classes) and returns an array of shape (n,).


# %% nbgrader={"grade": false, "grade_id": "7_1_skew", "locked": false, "schema_version": 3, "solution": true, "task": false}
def skew(p, q):
    """Return the skew divergence of each row of q from that of p."""
    ### BEGIN SOLUTION
    mixed = MIX * p + (1 - MIX) * q
    possible = p > 0
    ratio = np.where(possible, p, 1.0) / np.where(possible, mixed, 1.0)
    return np.sum(p * np.log(ratio), axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_1_skew_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.1")
def _(skew):
    stir = MIX
    p, q = np.array([[0.8, 0.2]]), np.array([[0.4, 0.6]])
    with check.part("value", points=1):
        mixed = [stir * a + (1 - stir) * b for a, b in zip(p[0], q[0])]
        want = sum(a * np.log(a / r) for a, r in zip(p[0], mixed))
        check.close(
            skew(p, q), [want],
            f"{stir} of the teacher goes into the student; then the logarithm of teacher over "
            "mixture, weighed by the teacher.",
        )  # fmt: skip
        check.close(skew(p, p), [0.0], "Nothing lies between a distribution and itself.")
    with check.part("nothing and infinity", points=1):
        with np.errstate(all="ignore"):
            sure = skew(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [0.0, 1.0]]))
        check.close(
            sure, [-np.log(stir), 0.0],
            "A student that is sure of the wrong class: what is left is the teacher's part in the "
            "mixture. And what the teacher holds impossible adds 0.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(71)
        a, b = rng.dirichlet(np.ones(5), 7), rng.dirichlet(np.ones(5), 7)
        a[0] = [0, 0.5, 0, 0.5, 0]
        want = []
        for one, two in zip(a, b):
            terms = [x * np.log(x / (stir * x + (1 - stir) * y)) for x, y in zip(one, two) if x > 0]
            want.append(sum(terms))
        with np.errstate(all="ignore"):
            check.close(skew(a, b), want, "Seven rows of five classes.")
        ### END HIDDEN TESTS


# %% variant={"of": "7_1_skew", "wrong": "the shares of the mixture are exchanged", "says": "goes into the student"}
def skew(p, q):
    mixed = (1 - MIX) * p + MIX * q
    with np.errstate(all="ignore"):
        return np.sum(np.where(p > 0, p * np.log(p / mixed), 0.0), axis=1)


# %% variant={"of": "7_1_skew", "wrong": "the mixture weighs, not the teacher", "says": "weighed by the teacher"}
def skew(p, q):
    mixed = MIX * p + (1 - MIX) * q
    with np.errstate(all="ignore"):
        return np.sum(np.where(p > 0, mixed * np.log(p / mixed), 0.0), axis=1)


# %% variant={"of": "7_1_skew", "wrong": "a zero of the teacher becomes NaN", "says": "adds 0"}
def skew(p, q):
    with np.errstate(all="ignore"):
        return np.sum(p * np.log(p / (MIX * p + (1 - MIX) * q)), axis=1)


# %% variant={"of": "7_1_skew", "wrong": "plain KL", "says": "goes into the student"}
def skew(p, q):
    with np.errstate(all="ignore"):
        return np.sum(np.where(p > 0, p * np.log(p / q), 0.0), axis=1)


# %% variant={"of": "7_1_skew", "right": "cross-entropy less entropy"}
def skew(p, q):
    mixed = MIX * p + (1 - MIX) * q
    safe, safe_mixed = np.where(p > 0, p, 1.0), np.where(p > 0, mixed, 1.0)
    return (p * np.log(safe)).sum(1) - (p * np.log(safe_mixed)).sum(1)


# %% variant={"of": "7_1_skew", "right": "row by row"}
def skew(p, q):
    out = []
    for one, two in zip(p, q):
        seen = one > 0
        r = MIX * one[seen] + (1 - MIX) * two[seen]
        out.append(float(np.dot(one[seen], np.log(one[seen] / r))))
    return np.array(out)


# %% [markdown] hints={"of": "7_1_skew"}
# 1. Write the mixture down for one class with p = 1 and q = 0. Can it be 0?
# 2. Where p is 0 the product is 0 times minus infinity: choose another number there before the logarithm.

# %%
share = np.linspace(0.001, 0.999, 200)
teacher = np.tile([0.9, 0.1], (200, 1))
student = np.stack([share, 1 - share], axis=1)
fig, ax = plt.subplots(figsize=(7, 2.6))
ax.plot(share, my.skew(teacher, student), color=style.TERNARY, label="skew")
ax.plot(share, np.sum(teacher * np.log(teacher / student), axis=1), color=style.FLOAT, label="KL")
ax.set(title="The skew divergence is bounded", xlabel="student's share of class 0", ylabel="nats", ylim=(0, 3))  # fmt: skip
ax.legend()
plt.show()

# %% [markdown]
# ## 2 · A loss with two voices
#
# For one image with the student's logits $z$, the teacher's logits $t$ and the label $y$:
#
# $$L = WEIGHT \cdot T^2\, KL\big(\sigma(t/T)\,\|\,\sigma(z/T)\big) \;+\; (1 - WEIGHT)\cdot CE\big(\tilde y, \sigma(z)\big), \qquad T = HEAT,$$
#
# where $\sigma$ is the softmax and the label is smoothed: $\tilde y$ has $SMOOTH / C$ in each of the $C$ classes and $1 - SMOOTH$ more in the right one. The loss of a batch is the **mean** over its images.

# %% [markdown]
# ### Exercise 7.2: its gradient (4 points)
#
# `gradient(z, t, labels)` takes logits of shape (n, classes) and whole-number labels of shape (n,), and returns the gradient of the batch's loss with respect to `z`.


# %% nbgrader={"grade": false, "grade_id": "7_2_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gradient(z, t, labels):
    """Return the gradient of the batch's loss with respect to the student's logits."""

    ### BEGIN SOLUTION
    def softmax(logits):
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    n, classes = z.shape
    soft = np.full(z.shape, SMOOTH / classes)
    soft[np.arange(n), labels] += 1 - SMOOTH
    heard = HEAT * (softmax(z / HEAT) - softmax(t / HEAT))
    told = softmax(z) - soft
    return (WEIGHT * heard + (1 - WEIGHT) * told) / n
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_2_gradient_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.2")
def _(gradient):
    heat, weight, smooth = HEAT, WEIGHT, SMOOTH

    def chances(row, warm):
        odds = [np.exp((v - max(row)) / warm) for v in row]
        return [o / sum(odds) for o in odds]

    def loss(z, t, labels):
        total = 0.0
        for own, theirs, label in zip(z.tolist(), t.tolist(), labels):
            p, q = chances(theirs, heat), chances(own, heat)
            total += weight * heat**2 * sum(a * np.log(a / b) for a, b in zip(p, q))
            for k, chance in enumerate(chances(own, 1.0)):
                aim = smooth / len(own) + (1 - smooth) * (k == label)
                total -= (1 - weight) * aim * np.log(chance)
        return total / len(z)

    def measured(z, t, labels):
        out = np.zeros(z.shape)
        for place in np.ndindex(*z.shape):
            up, down = z.copy(), z.copy()
            up[place] += 1e-5
            down[place] -= 1e-5
            out[place] = (loss(up, t, labels) - loss(down, t, labels)) / 2e-5
        return out

    rng = np.random.default_rng(72)
    z, t = rng.normal(size=(2, 4, 3)) * 2
    labels = np.array([0, 2, 1, 2])
    near = {"rtol": 1e-4, "atol": 1e-7}
    with check.part("the teacher's voice", points=1):
        pulled = np.asarray(gradient(z, t, labels)) - gradient(z, z, labels)
        check.close(
            pulled, measured(z, t, labels) - measured(z, z, labels),
            "Compared with the same student under a teacher that agrees with it: the difference "
            "is the teacher's voice. Temperature squared, and once divided.", **near,
        )  # fmt: skip
    with check.part("the label's voice", points=1):
        check.close(
            gradient(z, z, labels), measured(z, z, labels),
            "A teacher that agrees with the student says nothing: the label's voice is left, "
            "smoothed, in every class.", **near,
        )  # fmt: skip
    with check.part("both", points=2):
        check.close(
            gradient(z, t, labels), measured(z, t, labels), "By central differences.", **near
        )
        ### BEGIN HIDDEN TESTS
        check.close(
            np.sum(gradient(z, t, labels), axis=1), np.zeros(4),
            "Raising all logits of an image by the same changes nothing.", atol=1e-12,
        )  # fmt: skip
        check.close(
            gradient(z[:1], t[:1], labels[:1]), measured(z[:1], t[:1], labels[:1]),
            "A batch of one image.", **near,
        )  # fmt: skip
        check.close(
            gradient(z + np.array([[900.0], [-900.0], [0.0], [5.0]]), t - 800, labels), measured(z, t, labels),
            "Large logits.", **near,
        )  # fmt: skip
        far = gradient(np.array([[9000.0, -9000.0, 0.0]]), np.zeros((1, 3)), np.array([0]))
        check.true(np.isfinite(far).all(), "Logits that lie far apart overflow the exponential.")
        wide, wider = rng.normal(size=(2, 3, 6))
        check.close(
            gradient(wide, wider, np.array([5, 0, 3])), measured(wide, wider, [5, 0, 3]),
            "Six classes.", **near,
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "7_2_gradient", "wrong": "T squared is not divided by the T inside", "says": "once divided"}
def gradient(z, t, labels):
    def softmax(logits):
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    soft = np.full(z.shape, SMOOTH / z.shape[1])
    soft[np.arange(len(z)), labels] += 1 - SMOOTH
    heard = HEAT**2 * (softmax(z / HEAT) - softmax(t / HEAT))
    return (WEIGHT * heard + (1 - WEIGHT) * (softmax(z) - soft)) / len(z)


# %% variant={"of": "7_2_gradient", "wrong": "no smoothing", "says": "smoothed"}
def gradient(z, t, labels):
    def softmax(logits):
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    hard = np.eye(z.shape[1])[labels]
    heard = HEAT * (softmax(z / HEAT) - softmax(t / HEAT))
    return (WEIGHT * heard + (1 - WEIGHT) * (softmax(z) - hard)) / len(z)


# %% variant={"of": "7_2_gradient", "wrong": "a sum over the batch"}
def gradient(z, t, labels):
    def softmax(logits):
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    soft = SMOOTH / z.shape[1] + (1 - SMOOTH) * np.eye(z.shape[1])[labels]
    heard = HEAT * (softmax(z / HEAT) - softmax(t / HEAT))
    return WEIGHT * heard + (1 - WEIGHT) * (softmax(z) - soft)


# %% variant={"of": "7_2_gradient", "wrong": "the weights are exchanged"}
def gradient(z, t, labels):
    def softmax(logits):
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    soft = SMOOTH / z.shape[1] + (1 - SMOOTH) * np.eye(z.shape[1])[labels]
    heard = HEAT * (softmax(z / HEAT) - softmax(t / HEAT))
    return ((1 - WEIGHT) * heard + WEIGHT * (softmax(z) - soft)) / len(z)


# %% variant={"of": "7_2_gradient", "right": "one target for each voice"}
def gradient(z, t, labels):
    def chances(logits):
        logits = logits - logits.max(axis=-1)[:, None]
        return np.exp(logits - np.log(np.exp(logits).sum(axis=-1))[:, None])

    n, c = z.shape
    aim = (1 - SMOOTH) * (np.arange(c) == np.asarray(labels)[:, None]) + SMOOTH / c
    out = (1 - WEIGHT) * chances(z) - (1 - WEIGHT) * aim
    out += WEIGHT * HEAT * chances(z / HEAT)
    out -= WEIGHT * HEAT * chances(t / HEAT)
    return out / n


# %% variant={"of": "7_2_gradient", "right": "image by image"}
def gradient(z, t, labels):
    def chances(row):
        odds = np.exp(row - row.max())
        return odds / odds.sum()

    out = np.zeros(z.shape)
    for i, (own, theirs, label) in enumerate(zip(z, t, labels)):
        aim = np.full(len(own), SMOOTH / len(own))
        aim[label] += 1 - SMOOTH
        out[i] = WEIGHT * HEAT**2 * (chances(own / HEAT) - chances(theirs / HEAT)) / HEAT
        out[i] += (1 - WEIGHT) * (chances(own) - aim)
    return out / len(z)


# %% [markdown] hints={"of": "7_2_gradient"}
# 1. The gradient of a cross-entropy with respect to logits is a difference of two distributions. Which two, for each of the voices?
# 2. The logits are divided by T before the softmax: what does the chain rule make of that, and of the factor in front?

# %%
example = np.array([[2.0, 0.5, -1.0]])
teacher = np.array([[0.0, 1.5, -1.0]])
fig, ax = plt.subplots(figsize=(6, 2.2))
ax.bar(range(3), -my.gradient(example, teacher, np.array([0]))[0], color=style.SERIES[:3])
ax.axhline(0, color=style.MUTED, lw=1)
ax.set(title="Label 0, a teacher who would say 1: where the logits go", xlabel="class", xticks=range(3))  # fmt: skip
plt.show()

# %% [markdown]
# ## 3 · A pair of choices
#
# Three choices, each off or on, were tried in all eight combinations. In the list of results ORDER, all from off to on. Of interest are the four runs in which the THIRD factor is **STATE**. Among them, the *interaction* of the two other factors is half of the difference between the effect of the one where the other is on and its effect where the other is off; an effect is the result with the factor on less the result with it off.

# %% [markdown]
# ### Exercise 7.3: the interaction (2 points)
#
# `interaction(results)` takes the eight results in that order and returns the interaction of the **PAIR** factor where the THIRD is STATE.


# %% nbgrader={"grade": false, "grade_id": "7_3_interaction", "locked": false, "schema_version": 3, "solution": true, "task": false}
def interaction(results):
    """Return the interaction of two of three factors, at one level of the third."""
    ### BEGIN SOLUTION
    found = {}
    for place, result in enumerate(results):
        levels = [place // step % 2 for step in SIGNS]
        if levels[REST] == LEVEL:
            found[levels[ONE], levels[OTHER]] = result
    return ((found[1, 1] - found[0, 1]) - (found[1, 0] - found[0, 0])) / 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_3_interaction_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.3")
def _(interaction):
    steps = SIGNS
    pair, rest, level = (ONE, OTHER), REST, LEVEL

    def results(rule):
        out = [0.0] * 8
        for place in range(8):
            out[place] = rule(*[place // step % 2 for step in steps])
        return out

    with check.part("no interaction", points=1):
        check.close(
            interaction(results(lambda a, b, c: 10 + 3 * a - 2 * b + 5 * c)), 0.0,
            "Here each factor does the same whatever the others are.", atol=1e-12,
        )  # fmt: skip
    with check.part("one that is there", points=1):
        check.close(
            interaction(results(lambda *x: 80 + 4 * x[pair[0]] * x[pair[1]])), 2.0,
            "Only both together bring 4 points: the one's effect is 4 with the other and 0 without.",
        )  # fmt: skip
        check.close(
            interaction(results(lambda *x: 6 * x[pair[0]] * x[pair[1]] * (x[rest] == level))), 3.0,
            "These two act together only where the third factor is as asked for.",
        )  # fmt: skip
        check.close(
            interaction(results(lambda *x: 7 * x[pair[0]] * x[rest] - 3 * x[rest] * x[pair[1]])), 0.0,
            "These results have other pairs that act together, but not this one. Which factor "
            "changes fastest in the list?", atol=1e-12,
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(73)
        for _trial in range(3):
            effects = dict(enumerate(rng.normal(size=8)))
            got = interaction(
                results(lambda a, b, c, e=effects: sum(
                    e[k] for k in range(8) if (k & 1 <= a) and (k >> 1 & 1 <= b) and (k >> 2 <= c)
                ))
            )  # fmt: skip
            both = (1 << pair[0]) | (1 << pair[1])
            want = (effects[both] + level * effects[7]) / 2
            check.close(got, want, "Results made of effects and interactions of every kind.")
        ### END HIDDEN TESTS


# %% variant={"of": "7_3_interaction", "wrong": "over all eight runs", "says": "asked for"}
def interaction(results):
    run = np.arange(8)
    on = np.array([(run // step) % 2 == 1 for step in SIGNS])
    agree = on[ONE] == on[OTHER]
    return np.asarray(results, float)[agree].mean() - np.asarray(results, float)[~agree].mean()


# %% variant={"of": "7_3_interaction", "wrong": "the other level of the third factor", "says": "asked for"}
def interaction(results):
    run = np.arange(8)
    on = np.array([(run // step) % 2 for step in SIGNS])
    four = on[REST] != LEVEL
    signs = (2 * on[ONE] - 1) * (2 * on[OTHER] - 1)
    return float((signs * np.asarray(results, float))[four].sum() / 2)


# %% variant={"of": "7_3_interaction", "wrong": "not halved", "says": "4 with the other"}
def interaction(results):
    run = np.arange(8)
    on = np.array([(run // step) % 2 for step in SIGNS])
    signs = (2 * on[ONE] - 1) * (2 * on[OTHER] - 1)
    return float((signs * np.asarray(results, float))[on[REST] == LEVEL].sum())


# %% variant={"of": "7_3_interaction", "wrong": "the effect of both on against both off", "says": "does the same"}
def interaction(results):
    run = np.arange(8)
    on = np.array([(run // step) % 2 == 1 for step in SIGNS])
    here = on[REST] == LEVEL
    both, none = on[ONE] & on[OTHER] & here, ~on[ONE] & ~on[OTHER] & here
    return (np.asarray(results, float)[both].mean() - np.asarray(results, float)[none].mean()) / 2


# %% variant={"of": "7_3_interaction", "right": "a table of three axes"}
def interaction(results):
    table = np.zeros((2, 2, 2))
    for place, result in enumerate(results):
        table[tuple(place // step % 2 for step in SIGNS)] = result
    four = np.take(table, LEVEL, axis=REST)
    return (four[1, 1] - four[0, 1] - four[1, 0] + four[0, 0]) / 2


# %% variant={"of": "7_3_interaction", "right": "signs multiplied"}
def interaction(results):
    signs = np.array([[1 if place // step % 2 else -1 for step in SIGNS] for place in range(8)])
    here = signs[:, REST] == 2 * LEVEL - 1
    return float((signs[:, ONE] * signs[:, OTHER] * here) @ np.asarray(results, float)) / 2


# %% [markdown] hints={"of": "7_3_interaction"}
# 1. Write the eight runs down as three columns of 0 and 1, in the list's order.
# 2. Take the four means first: both on, the one alone, the other alone, neither.

# %%
rng = np.random.default_rng([73, SEED])
runs = (85 + rng.normal(size=8)).round(1)
print("results:", *runs)
print("interaction of the PAIR factor, the THIRD STATE:", round(float(my.interaction(runs)), 3))

# %% [markdown] nbgrader={"grade": true, "grade_id": "7_4_claim", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 7.4: one run each (2 points, in words)
#
# The eight results above come from one run each, and differ by chance alone. What would you need to say whether an interaction is more than chance, and why is a factorial with eight runs still worth more than four runs that change one factor at a time?
#
# ### BEGIN SOLUTION
# The spread of one combination over seeds: several runs of each combination (or of some), paired by seed, and an interval of the interaction from them; from eight single runs nothing says how large chance is. In a factorial every run counts for every factor: each effect is a difference of two means of four, where one factor at a time compares single runs; and only a factorial can see that a choice helps with another one and not without it.
# ### END SOLUTION

# %% [markdown] rubric={"of": "7_4_claim"}
# 1 point: repeats over seeds to know the spread, and an interval. 1 point: every run serves every effect, or interactions cannot be seen one at a time.

# %%
check.summary()
