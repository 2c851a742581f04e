# %% [markdown]
# # Assignment 05 · Vision Transformer
#
# Three exercises and a question on lesson 05: another way to cut an image, attention that looks nearby, and the bill for a block. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The checks are as in the lessons: run them as often as you like.

# %% tags=["drawn"]
WALK, FLIP_ROWS, FLIP_COLUMNS, DOWN = [
    ("column by column: down the left column first, then the next to its right", False, False, True),
    ("row by row from the bottom: the bottom row from left to right, then the one above", True, False, False),
    ("row by row from the right: the top row from right to left, then the one below", False, True, False),
    ("column by column from the right: down the right column first, then the next to its left", False, True, True),
    ("column by column, upwards: up the left column first, then the next to its right", True, False, True),
]  # fmt: skip
REACH = [1, 2, 3, 4]
SLOPE = [0.2, 0.35, 0.5, 0.65, 0.8]
HEADS, SHARED = [(6, 2), (8, 2), (12, 3), (12, 4), (10, 5), (8, 4)]
GATES = [3, 4, 5, 6, 7]

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

check = course.checks("assignment-05-SEED")
my = check.mine

# %% [markdown]
# ## 1 · Another walk through the image
#
# The lesson took patches row by row from the top left. Here they are taken **WALK**. Within a patch nothing changes: its pixels are read row by row from its top left, the channels of a pixel together.

# %% [markdown]
# ### Exercise 5.1: cut (3 points)
#
# `cut(image, size)` takes an image of shape (height, width, channels), both sides multiples of `size`, and returns an array of shape (patches, size · size · channels).


# %% nbgrader={"grade": false, "grade_id": "5_1_cut", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cut(image, size):
    """Return the patches of an image, in this assignment's order."""
    ### BEGIN SOLUTION
    height, width, channels = image.shape
    grid = image.reshape(height // size, size, width // size, size, channels).swapaxes(1, 2)
    if FLIP_ROWS:
        grid = grid[::-1]
    if FLIP_COLUMNS:
        grid = grid[:, ::-1]
    if DOWN:
        grid = grid.swapaxes(0, 1)
    return grid.reshape(-1, size * size * channels)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_1_cut_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.1")
def _(cut):
    flip_rows, flip_columns, down = FLIP_ROWS, FLIP_COLUMNS, DOWN

    def corners(height, width, size):
        rows = list(range(0, height, size))
        columns = list(range(0, width, size))
        rows = list(reversed(rows)) if flip_rows else rows
        columns = list(reversed(columns)) if flip_columns else columns
        if down:
            return [(row, column) for column in columns for row in rows]
        return [(row, column) for row in rows for column in columns]

    plain = np.arange(24).reshape(4, 6, 1)
    with check.part("order of the patches", points=2):
        got = np.asarray(cut(plain, 2))
        check.equal(got.shape, (6, 4), "Six patches of four numbers.")
        check.equal(
            got[:, 0], [plain[place][0] for place in corners(4, 6, 2)],
            "The first pixel of each patch, in the order in which they came.",
        )  # fmt: skip
    with check.part("within a patch", points=1):
        for row, (top, left) in zip(np.asarray(cut(plain, 2)), corners(4, 6, 2)):
            check.equal(
                row, [plain[top + i, left + j, 0] for i in (0, 1) for j in (0, 1)],
                "Only the walk over the patches has changed: inside, pixels are read row by row.",
            )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(51)
        image = rng.normal(size=(6, 12, 3))
        for size in (1, 2, 3, 6):
            want = [
                [image[top + i, left + j, c] for i in range(size) for j in range(size) for c in (0, 1, 2)]
                for top, left in corners(6, 12, size)
            ]  # fmt: skip
            check.close(cut(image, size), want, f"Three channels, patches of {size}.")
        ### END HIDDEN TESTS


# %% variant={"of": "5_1_cut", "wrong": "the lesson's order", "says": "first pixel of each patch"}
def cut(image, size):
    height, width, channels = image.shape
    grid = image.reshape(height // size, size, width // size, size, channels).swapaxes(1, 2)
    return grid.reshape(-1, size * size * channels)


# %% variant={"of": "5_1_cut", "wrong": "the right walk, and pixels of a patch column by column", "says": "inside, pixels"}
def cut(image, size):
    height, width, channels = image.shape
    grid = image.reshape(height // size, size, width // size, size, channels).swapaxes(1, 2)
    if FLIP_ROWS:
        grid = grid[::-1]
    if FLIP_COLUMNS:
        grid = grid[:, ::-1]
    if DOWN:
        grid = grid.swapaxes(0, 1)
    return grid.swapaxes(2, 3).reshape(-1, size * size * channels)


# %% variant={"of": "5_1_cut", "wrong": "reshaped at once, without a transpose"}
def cut(image, size):
    return image.reshape(-1, size * size * image.shape[2])


# %% variant={"of": "5_1_cut", "wrong": "patches in the opposite order"}
def cut(image, size):
    height, width, channels = image.shape
    grid = image.reshape(height // size, size, width // size, size, channels).swapaxes(1, 2)
    if FLIP_ROWS:
        grid = grid[::-1]
    if FLIP_COLUMNS:
        grid = grid[:, ::-1]
    if DOWN:
        grid = grid.swapaxes(0, 1)
    return grid.reshape(-1, size * size * channels)[::-1]


# %% variant={"of": "5_1_cut", "right": "a loop over corners"}
def cut(image, size):
    height, width, _ = image.shape
    tops, lefts = list(range(0, height, size)), list(range(0, width, size))
    if FLIP_ROWS:
        tops.reverse()
    if FLIP_COLUMNS:
        lefts.reverse()
    places = (
        [(t, c) for c in lefts for t in tops] if DOWN else [(t, c) for t in tops for c in lefts]
    )
    return np.stack([image[t : t + size, c : c + size].ravel() for t, c in places])


# %% variant={"of": "5_1_cut", "right": "sorted by what comes first"}
def cut(image, size):
    height, width, _ = image.shape
    places = [(t, c) for t in range(0, height, size) for c in range(0, width, size)]

    def turn(place):
        row = -place[0] if FLIP_ROWS else place[0]
        column = -place[1] if FLIP_COLUMNS else place[1]
        return (column, row) if DOWN else (row, column)

    return np.array([image[t : t + size, c : c + size].reshape(-1) for t, c in sorted(places, key=turn)])  # fmt: skip


# %% [markdown] hints={"of": "5_1_cut"}
# 1. Split the two long axes in two: which of the four are the place of a patch, and which the place in it?
# 2. Once the axes of the places stand in front, the walk is a matter of those two alone.

# %%
ramp = np.add.outer(np.arange(6), np.arange(8) / 2)[..., None]
fig, axes = plt.subplots(1, 2, figsize=(8, 2.4), width_ratios=[1, 2])
axes[0].imshow(ramp[..., 0], cmap="viridis")
axes[0].set(title="An image", xticks=[], yticks=[])
axes[1].imshow(my.cut(ramp, 2).T, cmap="viridis", aspect="auto")
axes[1].set(title="Its patches, a column each", xlabel="patch", yticks=[])
plt.show()

# %% [markdown]
# ## 2 · Attention that looks nearby
#
# One head, tokens in a line. Token $i$ may look at token $j$ only where $|i - j| \le REACH$. And what is farther away counts less: before the softmax the score is
#
# $$s_{ij} = \frac{q_i \cdot k_j}{\sqrt d} - SLOPE \cdot |i - j|.$$

# %% [markdown]
# ### Exercise 5.2: near attention (3 points)
#
# `near_attention(q, k, v)` takes arrays of shape (tokens, d) and returns `(output, weights)`: of shape (tokens, d) and (tokens, tokens). Each row of the weights adds up to 1, and is 0 where a token may not look.


# %% nbgrader={"grade": false, "grade_id": "5_2_near_attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def near_attention(q, k, v):
    """Attend to nearby tokens; return the output and the weights."""
    ### BEGIN SOLUTION
    place = np.arange(len(q))
    far = np.abs(place[:, None] - place)
    scores = q @ k.T / np.sqrt(q.shape[1]) - SLOPE * far
    scores = np.where(far <= REACH, scores, -np.inf)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = odds / odds.sum(axis=1, keepdims=True)
    return weights @ v, weights
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_2_near_attention_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.2")
def _(near_attention):
    reach, slope = REACH, SLOPE
    n = reach + 3
    nothing = np.zeros((n, 4))
    rng = np.random.default_rng(52)
    q, k, v = rng.normal(size=(3, n, 5))
    rows = []
    for i in range(n):
        seen = {j: sum(q[i] * k[j]) / 5**0.5 - slope * abs(i - j)
                for j in range(n) if abs(i - j) <= reach}  # fmt: skip
        total = sum(np.exp(s) for s in seen.values())
        rows.append([np.exp(seen[j]) / total if j in seen else 0.0 for j in range(n)])
    with check.part("where it looks", points=1):
        weights = np.asarray(near_attention(nothing, nothing, nothing)[1])
        want = [[abs(i - j) <= reach for j in range(n)] for i in range(n)]
        check.equal(
            weights > 0, want,
            f"Token 0 may look at the tokens 0 to {reach}, itself included, and no farther.",
        )  # fmt: skip
        check.close(weights.sum(axis=1), np.ones(n), "Each row adds up to 1.")
    with check.part("how much", points=1):
        raw = np.exp(-slope * np.arange(reach + 1))
        check.close(
            near_attention(nothing, nothing, nothing)[1][0][: reach + 1], raw / raw.sum(),
            "All products are 0 here: only the distance decides, and near counts more than far.",
        )  # fmt: skip
        check.close(
            near_attention(q, k, v)[1], rows,
            "Score: product by the root of d, less the distance's share; then softmax over what a "
            "token may see.",
        )  # fmt: skip
    with check.part("output", points=1):
        mixed = [[sum(rows[i][j] * v[j][c] for j in range(n)) for c in range(5)] for i in range(n)]
        check.close(near_attention(q, k, v)[0], mixed, "The output mixes the values, not the keys.")
        ### BEGIN HIDDEN TESTS
        large = near_attention(200 * q, 200 * k, v)
        check.true(np.isfinite(large[0]).all(), "Large scores overflow the exponential.")
        check.close(near_attention(q[:1], k[:1], v[:1])[0], v[:1], "One token sees itself alone.")
        two = near_attention(q[:2], k[:2], v[:2])[1]
        check.close(np.sum(two, axis=1), [1, 1], "Two tokens, fewer than the reach may be.")
        ### END HIDDEN TESTS


# %% variant={"of": "5_2_near_attention", "wrong": "the mask multiplies after the softmax: rows do not add up to 1", "says": "adds up to 1"}
def near_attention(q, k, v):
    place = np.arange(len(q))
    far = np.abs(place[:, None] - place)
    scores = q @ k.T / np.sqrt(q.shape[1]) - SLOPE * far
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = odds / odds.sum(axis=1, keepdims=True) * (far <= REACH)
    return weights @ v, weights


# %% variant={"of": "5_2_near_attention", "wrong": "the border of the reach is left out", "says": "and no farther"}
def near_attention(q, k, v):
    place = np.arange(len(q))
    far = np.abs(place[:, None] - place)
    scores = np.where(far < REACH, q @ k.T / np.sqrt(q.shape[1]) - SLOPE * far, -np.inf)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = odds / odds.sum(axis=1, keepdims=True)
    return weights @ v, weights


# %% variant={"of": "5_2_near_attention", "wrong": "far counts more", "says": "near counts more"}
def near_attention(q, k, v):
    place = np.arange(len(q))
    far = np.abs(place[:, None] - place)
    scores = np.where(far <= REACH, q @ k.T / np.sqrt(q.shape[1]) + SLOPE * far, -np.inf)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = odds / odds.sum(axis=1, keepdims=True)
    return weights @ v, weights


# %% variant={"of": "5_2_near_attention", "wrong": "the distance is divided by the root of d as well", "says": "only the distance"}
def near_attention(q, k, v):
    place = np.arange(len(q))
    far = np.abs(place[:, None] - place)
    scores = np.where(far <= REACH, (q @ k.T - SLOPE * far) / np.sqrt(q.shape[1]), -np.inf)
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    weights = odds / odds.sum(axis=1, keepdims=True)
    return weights @ v, weights


# %% variant={"of": "5_2_near_attention", "right": "token by token"}
def near_attention(q, k, v):
    n, d = q.shape
    weights = np.zeros((n, n))
    for i in range(n):
        seen = slice(max(0, i - REACH), min(n, i + REACH + 1))
        scores = k[seen] @ q[i] / d**0.5 - SLOPE * np.abs(np.arange(n)[seen] - i)
        odds = np.exp(scores - scores.max())
        weights[i, seen] = odds / odds.sum()
    return weights @ v, weights


# %% variant={"of": "5_2_near_attention", "right": "a very negative number in place of minus infinity"}
def near_attention(q, k, v):
    rows, columns = np.indices((len(q), len(q)))
    far = abs(rows - columns)
    scores = np.einsum("id,jd->ij", q, k) / np.sqrt(q.shape[-1]) - SLOPE * far
    scores[far > REACH] = -1e30
    scores -= scores.max(axis=-1)[:, None]
    odds = np.exp(scores)
    weights = odds / odds.sum(axis=-1)[:, None]
    return np.einsum("ij,jd->id", weights, v), weights


# %% [markdown] hints={"of": "5_2_near_attention"}
# 1. Make the table of distances first. `np.arange(n)` against itself gives it.
# 2. Which score makes the exponential exactly 0?

# %%
rng = np.random.default_rng([52, SEED])
q, k, v = rng.normal(size=(3, 16, 8))
fig, ax = plt.subplots(figsize=(4, 3.4))
shown = ax.imshow(my.near_attention(q, k, v)[1], cmap="Greys", vmin=0)
fig.colorbar(shown, ax=ax, label="weight")
ax.set(title="A band of attention", xlabel="looked at", ylabel="token")
plt.show()

# %% [markdown]
# ## 3 · The bill
#
# A block has HEADS query heads and SHARED heads for keys and values (each shared by several query heads), all heads of the same width, `dim / HEADS`. Attention looks at **all** tokens. Its feed-forward part is gated: two matrices from `dim` to the hidden width, multiplied with each other entry by entry, and one matrix back. The hidden width is `GATES * dim`.

# %% [markdown]
# ### Exercise 5.3: MACs of a block (2 points)
#
# `block_macs(tokens, dim)` returns a dictionary of the multiply-accumulates of one block for one image: `"qkv"` (three projections), `"attention"` (scores, and the mix of values), `"out"` (the projection after it), `"ffn"` (the three matrices; the product entry by entry is not a MAC). All are whole numbers.


# %% nbgrader={"grade": false, "grade_id": "5_3_block_macs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def block_macs(tokens, dim):
    """Count the multiply-accumulates of a block, part by part."""
    ### BEGIN SOLUTION
    head = dim // HEADS
    return {
        "qkv": tokens * dim * (dim + 2 * SHARED * head),
        "attention": 2 * tokens * tokens * HEADS * head,
        "out": tokens * dim * dim,
        "ffn": 3 * tokens * dim * GATES * dim,
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_3_block_macs_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.3")
def _(block_macs):
    heads, shared, times = HEADS, SHARED, GATES
    with check.part("the matrices", points=1):
        for tokens, head in ((1, 1), (3, 2), (49, 16)):
            dim = heads * head
            bill = block_macs(tokens, dim)
            width = sum([head] * heads + [head] * shared + [head] * shared)
            check.equal(
                bill["qkv"], tokens * dim * width,
                f"{heads} heads of queries, {shared} of keys and {shared} of values, {head} wide "
                "each: that many columns, for each token.",
            )  # fmt: skip
            check.equal(bill["out"], tokens * dim**2, "After attention the width is dim again.")
            check.equal(
                bill["ffn"], sum(tokens * dim * (times * dim) for _ in ("gate", "up", "down")),
                f"Three matrices, each between {dim} and {times * dim}.",
            )  # fmt: skip
    with check.part("attention", points=1):
        for tokens, head in ((1, 1), (3, 2), (49, 16)):
            pairs = tokens * tokens
            check.equal(
                block_macs(tokens, heads * head)["attention"],
                sum(pairs * head + pairs * head for _ in range(heads)),
                "Every query head has a score for each pair of tokens, and mixes values by it; "
                "shared keys save no products there.",
            )  # fmt: skip


# %% variant={"of": "5_3_block_macs", "wrong": "keys and values have as many heads as queries", "says": "that many columns"}
def block_macs(tokens, dim):
    return {
        "qkv": 3 * tokens * dim * dim, "attention": 2 * tokens * tokens * dim,
        "out": tokens * dim * dim, "ffn": 3 * tokens * dim * GATES * dim,
    }  # fmt: skip


# %% variant={"of": "5_3_block_macs", "wrong": "attention costs less with shared keys", "says": "save no products"}
def block_macs(tokens, dim):
    head = dim // HEADS
    return {
        "qkv": tokens * dim * (dim + 2 * SHARED * head), "attention": 2 * tokens**2 * SHARED * head,
        "out": tokens * dim * dim, "ffn": 3 * tokens * dim * GATES * dim,
    }  # fmt: skip


# %% variant={"of": "5_3_block_macs", "wrong": "a feed-forward part without a gate", "says": "Three matrices"}
def block_macs(tokens, dim):
    head = dim // HEADS
    return {
        "qkv": tokens * dim * (dim + 2 * SHARED * head), "attention": 2 * tokens * tokens * dim,
        "out": tokens * dim * dim, "ffn": 2 * tokens * dim * GATES * dim,
    }  # fmt: skip


# %% variant={"of": "5_3_block_macs", "wrong": "operations, two a MAC"}
def block_macs(tokens, dim):
    head = dim // HEADS
    return {
        "qkv": 2 * tokens * dim * (dim + 2 * SHARED * head), "attention": 4 * tokens * tokens * dim,
        "out": 2 * tokens * dim * dim, "ffn": 6 * tokens * dim * GATES * dim,
    }  # fmt: skip


# %% variant={"of": "5_3_block_macs", "right": "sizes of matrices, added up"}
def block_macs(tokens, dim):
    shapes = {
        "qkv": [(dim, dim), (dim, dim * SHARED // HEADS), (dim, dim * SHARED // HEADS)],
        "out": [(dim, dim)],
        "ffn": [(dim, GATES * dim), (dim, GATES * dim), (GATES * dim, dim)],
    }
    bill = {part: tokens * sum(a * b for a, b in them) for part, them in shapes.items()}
    return bill | {"attention": tokens * dim * tokens + tokens * tokens * dim}


# %% variant={"of": "5_3_block_macs", "right": "per token, then times tokens"}
def block_macs(tokens, dim):
    head = dim // HEADS
    each = {"qkv": dim * head * (HEADS + 2 * SHARED), "out": dim * dim}
    each["ffn"] = dim * dim * GATES * 3
    each["attention"] = 2 * head * HEADS * tokens
    return {part: tokens * count for part, count in each.items()}


# %% [markdown] hints={"of": "5_3_block_macs"}
# 1. A matrix of a inputs and b outputs costs a · b for each token. Write down the shapes.
# 2. A score is a product of two vectors of one head's width. How many scores are there?

# %%
lengths = np.array([16, 49, 196, 784, 1024])
bills = [my.block_macs(int(t), 240) for t in lengths]
fig, ax = plt.subplots(figsize=(7, 2.8))
for part, color in zip(bills[0], style.SERIES):
    ax.loglog(lengths, [bill[part] for bill in bills], "o-", color=color, label=part)
ax.set(title="Attention grows with the square", xlabel="tokens", ylabel="MACs")
ax.legend()
plt.show()

# %% [markdown] nbgrader={"grade": true, "grade_id": "5_4_walk", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 5.4: does the walk matter? (2 points, in words)
#
# Somebody trains a ViT with the patches of the lesson's walk and runs it with those of 5.1's. Say what happens with learned positions, and what would have happened without any positions and attention over all tokens. Then: with the attention of 5.2, does the order matter even without positions?
#
# ### BEGIN SOLUTION
# With learned positions every patch gets the position that belongs to another place: the network sees a jumbled image and answers wrongly. Without positions, attention over all tokens and a mean over them do not know the order: the answer stays the same up to rounding. With 5.2's attention the order matters: the mask and the penalty depend on the distance in the line, so another walk makes other tokens neighbours.
# ### END SOLUTION

# %% [markdown] rubric={"of": "5_4_walk"}
# 1 point: wrong with learned positions, unchanged without any (mean pooling). 1 point: near attention depends on the order through distances.

# %%
check.summary()
