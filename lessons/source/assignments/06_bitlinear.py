# %% [markdown]
# # Assignment 06 · BitLinear
#
# Three exercises and a question on lesson 06. A chip wants narrower activations than eight bits and gives each group of them a scale; you build the layer that it runs. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The checks are as in the lessons: run them as often as you like.

# %% tags=["drawn"]
SHARE, PART = [("the first quarter", 4), ("the first third", 3), ("the first half", 2), ("the first fifth", 5), ("the first sixth", 6)]  # fmt: skip
EPS = [1e-3, 2e-3, 3e-3, 5e-3, 8e-3]
BITS, TOP = [(4, 7), (5, 15), (6, 31), (7, 63)]
GROUP = [4, 6, 8, 10, 12]

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

check = course.checks("assignment-06-SEED")
my = check.mine

# %% [markdown]
# ## 1 · A norm that reads a part
#
# The size of a long vector can be told from a part of it. The *partial RMSNorm* (Zhang and Sennrich, 2019) divides all entries of a token by the root mean square of **SHARE** of them:
#
# $$y_i = x_i \Big/ \sqrt{\frac1m \sum_{j=1}^{m} x_j^2 + \epsilon}, \qquad m = \lfloor n / PART \rfloor, \quad \epsilon = EPS.$$

# %% [markdown]
# ### Exercise 6.1: partial RMSNorm (2 points)
#
# `partial_norm(x)` takes an array of shape (..., n) with n at least PART and returns one of the same shape.


# %% nbgrader={"grade": false, "grade_id": "6_1_partial_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def partial_norm(x):
    """Divide each token by the root mean square of a part of it."""
    ### BEGIN SOLUTION
    part = x[..., : x.shape[-1] // PART]
    return x / np.sqrt(np.mean(part**2, axis=-1, keepdims=True) + EPS)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_1_partial_norm_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.1")
def _(partial_norm):
    parts, eps = PART, EPS
    with check.part("the part", points=1):
        x = np.zeros((1, 2 * parts))
        x[0, :2], x[0, -1] = 3.0, 60.0
        check.close(
            partial_norm(x), x / (9 + eps) ** 0.5,
            f"Of {2 * parts} entries the first two are read, and all are divided.",
        )  # fmt: skip
        odd = np.ones((1, 2 * parts + 1))
        odd[0, 2] = 100.0
        check.close(
            partial_norm(odd), odd / (1 + eps) ** 0.5,
            f"Of {2 * parts + 1} entries the first two are read as well: rounded down.",
        )  # fmt: skip
    with check.part("each token by itself, and the floor", points=1):
        many = np.random.default_rng(61).normal(size=(2, 3, 4 * parts)) * [[[1.0], [0.01], [50.0]]]
        want = many.copy()
        for token in want.reshape(-1, 4 * parts):
            token /= (sum(v * v for v in token[:4]) / 4 + eps) ** 0.5
        check.close(
            partial_norm(many), want,
            "Six tokens of very different sizes, each divided by its own root. Where is epsilon "
            "added: under the root?",
        )  # fmt: skip
        check.close(partial_norm(np.zeros((1, parts))), np.zeros((1, parts)), "Zeros stay zeros.")


# %% variant={"of": "6_1_partial_norm", "wrong": "the whole token is read", "says": "the first two are read"}
def partial_norm(x):
    return x / np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + EPS)


# %% variant={"of": "6_1_partial_norm", "wrong": "epsilon outside the root"}
def partial_norm(x):
    part = x[..., : x.shape[-1] // PART]
    return x / (np.sqrt(np.mean(part**2, axis=-1, keepdims=True)) + EPS)


# %% variant={"of": "6_1_partial_norm", "wrong": "one root for all tokens", "says": "own root"}
def partial_norm(x):
    part = x[..., : x.shape[-1] // PART]
    return x / np.sqrt(np.mean(part**2) + EPS)


# %% variant={"of": "6_1_partial_norm", "wrong": "the sum of squares is divided by the length of the token", "says": "the first two"}
def partial_norm(x):
    part = x[..., : x.shape[-1] // PART]
    return x / np.sqrt(np.sum(part**2, axis=-1, keepdims=True) / x.shape[-1] + EPS)


# %% variant={"of": "6_1_partial_norm", "right": "einsum and a reciprocal root"}
def partial_norm(x):
    m = x.shape[-1] // PART
    squares = np.einsum("...i,...i->...", x[..., :m], x[..., :m]) / m
    return x * ((squares + EPS) ** -0.5)[..., None]


# %% variant={"of": "6_1_partial_norm", "right": "token by token"}
def partial_norm(x):
    out = np.array(x, float)
    m = out.shape[-1] // PART
    for token in out.reshape(-1, out.shape[-1]):
        token /= np.sqrt(np.dot(token[:m], token[:m]) / m + EPS)
    return out


# %% [markdown] hints={"of": "6_1_partial_norm"}
# 1. Which slice of the last axis is read? Which entries are divided?
# 2. With `keepdims=True` the roots have a shape that the tokens can be divided by.

# %%
rng = np.random.default_rng([61, SEED])
tokens = rng.normal(size=(300, 96)) * rng.uniform(0.2, 4, size=(300, 1))
after = np.sqrt(np.mean(my.partial_norm(tokens) ** 2, axis=1))
fig, ax = plt.subplots(figsize=(7, 2.4))
ax.hist(after, bins=40, color=style.TERNARY)
ax.set(
    title="Size of tokens after a norm that read SHARE", xlabel="root mean square", ylabel="tokens"
)
plt.show()

# %% [markdown]
# ## 2 · Narrow integers, a scale a group
#
# An activation has BITS bits here: whole numbers from -TOP to TOP. Each token is cut into groups of GROUP neighbours (its length is a multiple of GROUP), and each group has a scale of its own, $s = \max|x| / TOP$ over the group; $q = \operatorname{round}(x / s)$ with `np.round`. A group of zeros has the scale 1.

# %% [markdown]
# ### Exercise 6.2: quantise in groups (3 points)
#
# `quantize(x)` takes floats of shape (tokens, n) and returns `(q, scales)`: `int8` of the same shape, and floats of shape (tokens, n / GROUP).


# %% nbgrader={"grade": false, "grade_id": "6_2_quantize", "locked": false, "schema_version": 3, "solution": true, "task": false}
def quantize(x):
    """Return narrow integers and the scale of each group."""
    ### BEGIN SOLUTION
    groups = x.reshape(len(x), -1, GROUP)
    largest = np.abs(groups).max(axis=2)
    scales = np.where(largest > 0, largest / TOP, 1.0)
    q = np.round(groups / scales[..., None]).astype(np.int8)
    return q.reshape(x.shape), scales
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_2_quantize_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.2")
def _(quantize):
    top, size = TOP, GROUP
    two = np.zeros((1, 2 * size))
    two[0, 0], two[0, 1], two[0, size], two[0, -1] = -float(top), 0.8, 20.0 * top, 20.0
    with check.part("scales", points=1):
        check.close(
            quantize(two)[1], [[1.0, 20.0]],
            f"The largest size in each group of {size} becomes {top}.",
        )  # fmt: skip
        check.close(
            quantize(np.zeros((2, size)))[1], [[1.0], [1.0]], "A group of zeros has the scale 1."
        )  # fmt: skip
    with check.part("integers", points=2):
        want = np.zeros(2 * size, int)
        want[0], want[1], want[size], want[-1] = -top, 1, top, 1
        check.equal(
            np.asarray(quantize(two)[0])[0], want,
            "Divided by the scale of its own group and rounded to the nearest.",
        )  # fmt: skip
        check.dtype(quantize(two)[0], np.int8)
        check.equal(quantize(np.zeros((2, size)))[0], np.zeros((2, size)), "Zeros stay zeros.")
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(62)
        x = rng.normal(size=(5, 4 * size)) * np.array([[1e-3], [0.05], [1.0], [8.0], [30.0]])
        before = x.copy()
        q, scales = quantize(x)
        for row in range(5):
            for group in range(4):
                part = x[row, group * size : (group + 1) * size]
                scale = max(abs(v) for v in part) / top
                check.close(scales[row][group], scale, "Five tokens, four groups each.")
                check.equal(
                    q[row][group * size : (group + 1) * size], [round(v / scale) for v in part],
                    "Five tokens, four groups each.",
                )  # fmt: skip
        check.equal(x, before, "The array you were given has changed: work on a copy.")
        ### END HIDDEN TESTS


# %% variant={"of": "6_2_quantize", "wrong": "one scale a token, repeated", "says": "in each group"}
def quantize(x):
    largest = np.abs(x).max(axis=1, keepdims=True)
    scale = np.where(largest > 0, largest / TOP, 1.0)
    q = np.round(x / scale).astype(np.int8)
    return q, np.repeat(scale, x.shape[1] // GROUP, axis=1)


# %% variant={"of": "6_2_quantize", "wrong": "the scale upside down"}
def quantize(x):
    groups = x.reshape(len(x), -1, GROUP)
    largest = np.abs(groups).max(axis=2)
    factor = np.where(largest > 0, TOP / np.where(largest > 0, largest, 1), 1.0)
    return np.round(groups * factor[..., None]).astype(np.int8).reshape(x.shape), factor


# %% variant={"of": "6_2_quantize", "wrong": "cut off, not rounded", "says": "nearest"}
def quantize(x):
    groups = x.reshape(len(x), -1, GROUP)
    largest = np.abs(groups).max(axis=2)
    scales = np.where(largest > 0, largest / TOP, 1.0)
    return (groups / scales[..., None]).astype(np.int8).reshape(x.shape), scales


# %% variant={"of": "6_2_quantize", "wrong": "eight bits, as in the lesson", "says": "becomes"}
def quantize(x):
    groups = x.reshape(len(x), -1, GROUP)
    largest = np.abs(groups).max(axis=2)
    scales = np.where(largest > 0, largest / 127, 1.0)
    return np.round(groups / scales[..., None]).astype(np.int8).reshape(x.shape), scales


# %% variant={"of": "6_2_quantize", "right": "group by group"}
def quantize(x):
    q, scales = np.zeros(x.shape, np.int8), np.ones((len(x), x.shape[1] // GROUP))
    for g in range(x.shape[1] // GROUP):
        part = x[:, g * GROUP : (g + 1) * GROUP]
        for row, values in enumerate(part):
            if values.any():
                scales[row, g] = max(values.max(), -values.min()) / TOP
            q[row, g * GROUP : (g + 1) * GROUP] = np.round(values / scales[row, g])
    return q, scales


# %% variant={"of": "6_2_quantize", "right": "maximum.reduceat, and scales repeated"}
def quantize(x):
    starts = np.arange(0, x.shape[1], GROUP)
    scales = np.maximum.reduceat(np.abs(x), starts, axis=1) / TOP
    scales[scales == 0] = 1.0
    return np.rint(x / np.repeat(scales, GROUP, axis=1)).astype(np.int8), scales


# %% [markdown] hints={"of": "6_2_quantize"}
# 1. A reshape to three axes lays each group along the last.
# 2. Largest size first, then the scale; where the largest is 0, what would you divide by?

# %%
rng = np.random.default_rng([62, SEED])
token = rng.normal(size=(1, 12 * GROUP)) * np.repeat(rng.uniform(0.1, 3, 12), GROUP)
q, scales = my.quantize(token)
fig, ax = plt.subplots(figsize=(9, 2.6))
ax.plot(token[0], color=style.FLOAT, lw=1, label="float")
ax.step(range(token.size), (q * np.repeat(scales, GROUP, axis=1))[0], where="mid",
        color=style.TERNARY, label="BITS bits, groups of GROUP")  # fmt: skip
ax.set(title="A token and what BITS bits keep of it", xlabel="entry")
ax.legend()
plt.show()

# %% [markdown]
# ## 3 · The layer
#
# The weights are trits of shape (outputs, n), with one scale $\alpha$ for all of them. Inside a group everything is whole numbers; between groups there are scales. So the chip adds up each group's products as integers, multiplies with the group's scale, adds up the groups, and at the very end multiplies with $\alpha$.

# %% [markdown]
# ### Exercise 6.3: a layer on groups (3 points)
#
# `group_linear(x, trits, alpha)` quantises `x` with your `quantize` and returns `(sums, y)`: the integer sums of each group, `int32` of shape (tokens, groups, outputs), and the result, floats of shape (tokens, outputs).


# %% nbgrader={"grade": false, "grade_id": "6_3_group_linear", "locked": false, "schema_version": 3, "solution": true, "task": false}
def group_linear(x, trits, alpha):
    """Multiply quantised tokens with ternary weights, group by group."""
    ### BEGIN SOLUTION
    q, scales = quantize(x)
    q = q.reshape(len(x), -1, GROUP).astype(np.int32)
    weights = trits.reshape(len(trits), -1, GROUP).astype(np.int32)
    sums = np.einsum("tgi,ogi->tgo", q, weights)
    return sums, alpha * np.einsum("tgo,tg->to", sums, scales)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_3_group_linear_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.3")
def _(group_linear):
    top, size = TOP, GROUP
    rng = np.random.default_rng(63)
    x = rng.normal(size=(4, 3 * size)) * 5
    trits = rng.integers(-1, 2, size=(6, 3 * size)).astype(np.int8)
    whole = np.zeros((4, 3, size), int)
    scales = np.zeros((4, 3))
    for t in range(4):
        for g in range(3):
            part = x[t, g * size : (g + 1) * size]
            scales[t, g] = max(abs(v) for v in part) / top
            whole[t, g] = [round(v / scales[t, g]) for v in part]
    wanted = np.zeros((4, 3, 6), int)
    for t, g, o in np.ndindex(4, 3, 6):
        wanted[t, g, o] = sum(int(a) * int(b) for a, b in zip(whole[t, g], trits[o, g * size :]))
    with check.part("sums of integers", points=2):
        sums = group_linear(x, trits, 0.5)[0]
        check.equal(
            np.shape(sums), (4, 3, 6), "A sum for each token, group and output, in that order."
        )  # fmt: skip
        check.equal(sums, wanted, "Within a group, whole numbers times trits, added up.")
        check.dtype(sums, np.int32)
        long = np.full((1, size), 3.0)
        check.equal(
            group_linear(long, np.ones((1, size), np.int8), 1.0)[0], [[[top * size]]],
            f"{size} times {top}: what does an int8 make of that?",
        )  # fmt: skip
    with check.part("the result", points=1):
        result = [[sum(scales[t, g] * wanted[t, g, o] for g in range(3)) * 0.25 for o in range(6)]
                  for t in range(4)]  # fmt: skip
        check.close(
            group_linear(x, trits, 0.25)[1], result,
            "Each group's sum by its own scale, then all groups, then alpha, once.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(
            group_linear(np.zeros((2, size)), trits[:, :size], 1.0)[1], np.zeros((2, 6)), "Zeros."
        )  # fmt: skip
        check.close(group_linear(x[:1], trits[:1], 2.0)[1], [[8 * result[0][0]]], "One of each.")
        ### END HIDDEN TESTS


# %% variant={"of": "6_3_group_linear", "wrong": "the scales are summed, too", "says": "own scale"}
def group_linear(x, trits, alpha):
    q, scales = quantize(x)
    q = q.reshape(len(x), -1, GROUP).astype(np.int32)
    weights = trits.reshape(len(trits), -1, GROUP).astype(np.int32)
    sums = np.einsum("tgi,ogi->tgo", q, weights)
    return sums, alpha * sums.sum(axis=1) * scales.sum(axis=1, keepdims=True)


# %% variant={"of": "6_3_group_linear", "wrong": "divided by the scales", "says": "own scale"}
def group_linear(x, trits, alpha):
    q, scales = quantize(x)
    q = q.reshape(len(x), -1, GROUP).astype(np.int32)
    weights = trits.reshape(len(trits), -1, GROUP).astype(np.int32)
    sums = np.einsum("tgi,ogi->tgo", q, weights)
    return sums, alpha * (sums / scales[..., None]).sum(axis=1)


# %% variant={"of": "6_3_group_linear", "wrong": "the floats are multiplied, not the integers"}
def group_linear(x, trits, alpha):
    groups = x.reshape(len(x), -1, GROUP)
    weights = trits.reshape(len(trits), -1, GROUP)
    sums = np.einsum("tgi,ogi->tgo", groups, weights)
    return np.round(sums).astype(np.int32), alpha * sums.sum(axis=1)


# %% variant={"of": "6_3_group_linear", "wrong": "alpha once for each group's square", "says": "alpha, once"}
def group_linear(x, trits, alpha):
    q, scales = quantize(x)
    q = q.reshape(len(x), -1, GROUP).astype(np.int32)
    weights = trits.reshape(len(trits), -1, GROUP).astype(np.int32)
    sums = np.einsum("tgi,ogi->tgo", q, weights)
    return sums, alpha * alpha * np.einsum("tgo,tg->to", sums, scales)


# %% variant={"of": "6_3_group_linear", "right": "a product for each group"}
def group_linear(x, trits, alpha):
    q, scales = quantize(x)
    sums, y = [], np.zeros((len(x), len(trits)))
    for g in range(scales.shape[1]):
        part = slice(g * GROUP, (g + 1) * GROUP)
        sums.append(q[:, part].astype(np.int32) @ trits[:, part].astype(np.int32).T)
        y += scales[:, g : g + 1] * sums[-1]
    return np.stack(sums, axis=1), alpha * y


# %% variant={"of": "6_3_group_linear", "right": "adding where a trit is 1, subtracting where it is -1"}
def group_linear(x, trits, alpha):
    q, scales = quantize(x)
    wide = q.astype(np.int32)
    sums = np.zeros((len(x), scales.shape[1], len(trits)), np.int32)
    for o, row in enumerate(trits):
        for i, trit in enumerate(row):
            if trit == 1:
                sums[:, i // GROUP, o] += wide[:, i]
            elif trit == -1:
                sums[:, i // GROUP, o] -= wide[:, i]
    return sums, alpha * (sums * scales[:, :, None]).sum(axis=1)


# %% [markdown] hints={"of": "6_3_group_linear"}
# 1. Tokens, groups and places within a group are three axes; the trits have the last two of them as well.
# 2. Widen before you multiply: which type holds the sum of a whole group?

# %%
rng = np.random.default_rng([63, SEED])
x = rng.normal(size=(200, 6 * GROUP))
x[:, 3] *= 25  # an outlier, in the first group
trits = rng.integers(-1, 2, size=(32, 6 * GROUP)).astype(np.int8)
_, y = my.group_linear(x, trits, 1.0)
exact = x @ trits.T
size = np.abs(x).max(axis=1, keepdims=True) / TOP
by_token = (np.round(x / size) * size) @ trits.T
errors = [np.sqrt(np.mean((z - exact) ** 2)) for z in (by_token, y)]
fig, ax = plt.subplots(figsize=(6, 1.9))
ax.barh(["a scale a token", "a scale a group"], errors, color=[style.FLOAT, style.TERNARY])
ax.set(title="With an outlier in every token", xlabel="root mean square error")
plt.show()

# %% [markdown] nbgrader={"grade": true, "grade_id": "6_4_groups", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 6.4: what does a group cost? (2 points, in words)
#
# Why does the outlier of the figure above do less harm with a scale a group, and what do groups cost in operations and in bytes, for GROUP entries a group? Would you still want them with eight bits and no outliers?
#
# ### BEGIN SOLUTION
# An outlier makes the scale coarse for everything that shares it: a whole token, or GROUP neighbours; the other groups keep fine steps. The cost: one float multiplication and addition for each token, group and output in place of one for each token and output (GROUP integer additions for one of them), and a scale for each group of a token: with 2 or 4 bytes beside GROUP activations of BITS bits. With eight bits and no outliers the step of a scale a token is fine enough that rounding hardly shows; then groups cost more than they give.
# ### END SOLUTION

# %% [markdown] rubric={"of": "6_4_groups"}
# 1 point: an outlier coarsens only its own group. 1 point: names both costs (a float multiply-add per group and output; bytes of scales) and judges the case of eight bits without outliers.

# %%
check.summary()
