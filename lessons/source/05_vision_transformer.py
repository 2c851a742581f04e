# %% [markdown]
# # 05 · Vision Transformer
#
# A convolution looks at an image through a small window and never quite forgets that it is looking at an image. A transformer has no window and no image. It gets a *list of vectors*, and one operation, **attention**, by which every vector may look at every other. In 2021 it turned out that this is enough: cut an image into squares, call each square a word, and read.
#
# In this lesson you write all of it in NumPy, some sixty lines. At the end your code takes the weights of a network that the library has trained, and computes its answers to the last digit or so.
#
# You will be able to
#
# - cut images into patches and put them together again, and say what one wrong `transpose` does;
# - work attention out with a pencil, write it as code, and say what the $\sqrt d$ is for;
# - prove that attention cannot tell the order of its tokens, test that claim, and mend it with positions;
# - split tokens into heads, let heads share keys and values, and say what that saves;
# - build a transformer block, and a whole Vision Transformer (ViT) of blocks;
# - count its parameters and multiply-accumulates by formula;
# - read attention maps, and find two famous bugs by their symptoms.
#
# **What you need:** NumPy's `reshape`, `transpose` and `@` on more than two axes. Lesson 03 explains how a network is trained; here the library does the training. **Time:** 75 to 90 minutes. **Network:** none; about half a minute of training in all.
#
# **How hard:** 5.1 ●●○, 5.2 ●●○, 5.3 ●○○, 5.4 ●●○, 5.5 ●○○, 5.6 ●●●, 5.7 ●●○, 5.8 ●●○, then two pieces for the museum of bugs, 5.9 ●●○ and 5.10 ●●○, and a question to answer in words, 5.11. As always, an exercise left open does not block you, and `check.hint("5.1")` gives one hint at a time.

# %% tags=["setup"]
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import erf

import tinyternary as tt
from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})

check = course.checks("05_vision_transformer")
my = check.mine


def gelu(x):
    """The non-linearity of most transformers: x times the Gaussian's share below x."""
    return x * (1 + erf(x / np.sqrt(2, dtype=x.dtype))) / 2


# %% [markdown]
# ## 1 · An image becomes a sequence
#
# Dosovitskiy and his colleagues called their paper *An Image is Worth 16x16 Words*, and its first step is just that. Cut the image into squares of $p \times p$ pixels, the **patches**. Write the $p \cdot p \cdot C$ numbers of each patch in a row. Put the rows one below the other, patch after patch as you would read a page: left to right, top to bottom. An image $(H, W, C)$ has become a matrix $(T, p\,p\,C)$ with $T = \tfrac Hp \cdot \tfrac Wp$ rows, and each row is one **token**.
#
# Our images have 28 × 28 pixels. They show invented blood cells, which the library draws from a seed. If the BloodMNIST file lies in the usual folder, the real ones are taken instead.


# %%
def pictures(split, count):
    """Real cells where the file is at hand, else phantoms: a Dataset."""
    try:
        return tt.data.medmnist("bloodmnist", split).subset(slice(count))
    except tt.errors.DataFileError:
        return tt.data.phantoms(split, count=count, classes=4)


cells = pictures("test", 400)
cells

# %% [markdown]
# ### Exercise 5.1: scissors and glue (3 points)
#
# Write `patchify(images, p)`: from images $(B, H, W, C)$ to patches $(B, T, p\,p\,C)$. Patches come in reading order; within a patch the pixels come in reading order too, and the $C$ values of a pixel stay together. If $p$ does not divide $H$ and $W$, raise a `ValueError`.
#
# And its inverse, `unpatchify(patches, p, height, width)`: from patches back to images $(B, H, W, C)$. The number of channels follows from the shape.
#
# No loop is needed. A `reshape` never moves a number in memory, it only changes where the axes begin; a `transpose` is what moves. You want one of the first, one of the second, one of the first.


# %% nbgrader={"grade": false, "grade_id": "5_1_patchify", "locked": false, "schema_version": 3, "solution": true, "task": false}
def patchify(images, p):
    """(B, H, W, C) to (B, T, p p C), patches and pixels in reading order."""
    ### BEGIN SOLUTION
    B, H, W, C = images.shape
    # row of patches, row in it, column of patches, column in it; refuses what p does not divide
    x = images.reshape(B, H // p, p, W // p, p, C)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(B, -1, p * p * C)
    ### END SOLUTION


def unpatchify(patches, p, height, width):
    """(B, T, p p C) to (B, H, W, C): the inverse of patchify."""
    ### BEGIN SOLUTION
    x = patches.reshape(len(patches), height // p, width // p, p, p, -1)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(len(patches), height, width, -1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_1_patchify_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.1")
def _(patchify, unpatchify):
    ### BEGIN HIDDEN TESTS
    def by_loops(images, p):
        rows, columns = images.shape[1] // p, images.shape[2] // p
        return np.stack(
            [
                images[:, r * p : (r + 1) * p, c * p : (c + 1) * p].reshape(len(images), -1)
                for r in range(rows)
                for c in range(columns)
            ],
            axis=1,
        )

    ### END HIDDEN TESTS
    wide = np.arange(24).reshape(1, 4, 6, 1)  # 4 rows of 6 pixels, numbered
    squares = [[0, 1, 6, 7], [2, 3, 8, 9], [4, 5, 10, 11],
               [12, 13, 18, 19], [14, 15, 20, 21], [16, 17, 22, 23]]  # fmt: skip
    color = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    with check.part("patches", points=2):
        patches = patchify(wide, 2)
        check.equal(
            np.asarray(patches)[0, 0], [0, 1, 6, 7],
            "The first patch of an image whose pixels are numbered 0, 1, 2, ... Its second row of "
            "pixels lies one image row further down. Is it a square that you cut, or a strip?",
        )  # fmt: skip
        check.equal(
            np.asarray(patches)[0, 1], [2, 3, 8, 9],
            "The second patch is the one to the right of the first: reading order.",
        )  # fmt: skip
        check.equal(
            np.asarray(patchify(color, 2))[0, 0], [*range(6), *range(18, 24)],
            "The first patch with three channels, every entry of the images numbered: pixel after "
            "pixel in reading order, and the channels of one pixel side by side.",
        )  # fmt: skip
        check.raises(
            ValueError, lambda: patchify(np.zeros((1, 7, 8, 1)), 4),
            "7 rows are not a multiple of 4: a quiet crop loses pixels that nobody will miss "
            "until much later.",
        )  # fmt: skip
        check.raises(ValueError, lambda: patchify(np.zeros((1, 8, 7, 1)), 4), "Mind the width.")
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(51)
        check.equal(patchify(color, 2), by_loops(color, 2), "Two images, three channels.")
        for flat in ((1, 2, 8, 1), (1, 8, 2, 1)):
            check.raises(
                ValueError, lambda flat=flat: patchify(np.zeros(flat), 4),
                f"{flat[1]} rows of {flat[2]} have as many pixels as a patch of 4 x 4, and hold none: "
                "height and width have to be multiples of p, each for itself.",
            )  # fmt: skip
        for height, width, p, channels in ((12, 6, 3, 2), (8, 8, 1, 1), (5, 10, 5, 4)):
            images = rng.normal(size=(3, height, width, channels))
            check.equal(
                patchify(images, p), by_loops(images, p),
                f"Images of {height} x {width}, {channels} channels, patches of {p}.",
            )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("and back", points=1):
        check.equal(
            unpatchify(np.array([squares]), 2, 4, 6), wide,
            "Patches of a numbered image of 4 rows and 6 columns should give it back.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.equal(unpatchify(by_loops(color, 2), 2, 4, 6), color, "With three channels.")
        tall = np.random.default_rng(52).normal(size=(2, 12, 6, 2))
        check.equal(unpatchify(by_loops(tall, 3), 3, 12, 6), tall, "A tall image, random numbers.")
        ### END HIDDEN TESTS


# %% variant={"of": "5_1_patchify", "wrong": "reshape alone: strips of a row", "says": "a strip"}
def patchify(images, p):
    B, H, W, C = images.shape
    if H % p or W % p:
        raise ValueError("no")
    return images.reshape(B, (H // p) * (W // p), p * p * C)


def unpatchify(patches, p, height, width):
    return patches.reshape(len(patches), height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "patches column by column", "says": "to the right"}
def patchify(images, p):
    B, H, W, C = images.shape
    if H % p or W % p:
        raise ValueError("no")
    x = images.reshape(B, H // p, p, W // p, p, C)
    return x.transpose(0, 3, 1, 2, 4, 5).reshape(B, -1, p * p * C)


def unpatchify(patches, p, height, width):
    x = patches.reshape(len(patches), width // p, height // p, p, p, -1)
    return x.transpose(0, 2, 3, 1, 4, 5).reshape(len(patches), height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "channels first within a patch", "says": "channels of one pixel"}
def patchify(images, p):
    B, H, W, C = images.shape
    if H % p or W % p:
        raise ValueError("no")
    x = images.reshape(B, H // p, p, W // p, p, C)
    return x.transpose(0, 1, 3, 5, 2, 4).reshape(B, -1, p * p * C)


def unpatchify(patches, p, height, width):
    x = patches.reshape(len(patches), height // p, width // p, p, p, -1)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(len(patches), height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "pixels of a patch column by column", "says": "one image row further down"}
def patchify(images, p):
    B, H, W, C = images.shape
    if H % p or W % p:
        raise ValueError("no")
    x = images.reshape(B, H // p, p, W // p, p, C)
    return x.transpose(0, 1, 3, 4, 2, 5).reshape(B, -1, p * p * C)


def unpatchify(patches, p, height, width):
    x = patches.reshape(len(patches), height // p, width // p, p, p, -1)
    return x.transpose(0, 1, 4, 2, 3, 5).reshape(len(patches), height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "crops what does not fit", "says": "quiet crop"}
def patchify(images, p):
    B, H, W, C = images.shape
    H, W = H - H % p, W - W % p
    x = images[:, :H, :W].reshape(B, H // p, p, W // p, p, C)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(B, -1, p * p * C)


def unpatchify(patches, p, height, width):
    x = patches.reshape(len(patches), height // p, width // p, p, p, -1)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(len(patches), height, width, -1)


# %% variant={"of": "5_1_patchify", "wrong": "the way back without its transpose", "says": "give it back"}
def patchify(images, p):
    B, H, W, C = images.shape
    if H % p or W % p:
        raise ValueError("no")
    x = images.reshape(B, H // p, p, W // p, p, C)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(B, -1, p * p * C)


def unpatchify(patches, p, height, width):
    return patches.reshape(len(patches), height, width, -1)


# %% variant={"of": "5_1_patchify", "right": "loops over rows and columns"}
def patchify(images, p):
    B, H, W, C = images.shape
    if H % p != 0 or W % p != 0:
        raise ValueError("does not divide")
    out = np.empty((B, (H // p) * (W // p), p * p * C), images.dtype)
    for r in range(H // p):
        for c in range(W // p):
            square = images[:, p * r : p * r + p, p * c : p * c + p, :]
            out[:, r * (W // p) + c] = square.reshape(B, -1)
    return out


def unpatchify(patches, p, height, width):
    B, T, K = patches.shape
    out = np.empty((B, height, width, K // (p * p)), patches.dtype)
    for t in range(T):
        r, c = divmod(t, width // p)
        square = patches[:, t].reshape(B, p, p, -1)
        out[:, p * r : p * r + p, p * c : p * c + p, :] = square
    return out


# %% variant={"of": "5_1_patchify", "right": "swapaxes and split"}
def patchify(images, p):
    if images.shape[1] % p or images.shape[2] % p:
        raise ValueError("does not divide")
    bands = np.split(images, images.shape[1] // p, axis=1)
    squares = [s for band in bands for s in np.split(band, images.shape[2] // p, axis=2)]
    return np.stack([s.reshape(len(images), -1) for s in squares], axis=1)


def unpatchify(patches, p, height, width):
    channels = patches.shape[-1] // (p * p)
    x = patches.reshape(-1, height // p, width // p, p, p, channels).swapaxes(2, 3)
    return x.reshape(-1, height, width, channels)


# %% [markdown] hints={"of": "5_1_patchify"}
# 1. Give each of the six things an axis of its own: image, row of patches, row within a patch, column of patches, column within a patch, channel. In which order does the image hold them?
# 2. In which order do you want them? The axes that become $T$ have to stand side by side, and so have those that become $p\,p\,C$.
# 3. The way back needs the same six axes and a transpose that undoes the first. This one happens to be its own inverse.

# %% jupyter={"source_hidden": true}
image = cells.images[5]
patches = my.patchify(image[None], 4)[0]

figure = plt.figure(figsize=(11, 3.6))
left, right = figure.subfigures(1, 2, width_ratios=(1, 2.4))
axes = left.subplots()
axes.imshow(image)
for edge in range(0, 29, 4):
    axes.axhline(edge - 0.5, color="white", linewidth=0.8)
    axes.axvline(edge - 0.5, color="white", linewidth=0.8)
axes.set_axis_off()
axes.set_title("28 × 28 pixels, cut at 4")
small = right.subplots(4, 13)
for place, axes in enumerate(small.ravel()):
    axes.set_axis_off()
    if place < len(patches):
        axes.imshow(patches[place].reshape(4, 4, 3))
        axes.set_title(str(place), loc="center", fontsize=7, fontweight="normal", pad=1.5)
right.suptitle("... are a sentence of 49 words", x=0.02, ha="left", fontsize=11, fontweight="bold")
plt.show()

again = my.unpatchify(my.patchify(cells.images, 4), 4, 28, 28)
print("patches of 400 images:", my.patchify(cells.images, 4).shape,
      "| and back to the same images:", np.array_equal(again, cells.images))  # fmt: skip

# %% [markdown]
# Nothing has been computed so far; no number has changed. The first thing a ViT *computes* is a matrix product: every patch, as a row of $p\,p\,C$ numbers, is multiplied by one matrix and becomes a vector of width $D$. That is the **patch embedding**. Engineers often write it as a convolution with kernel $p$ and stride $p$; it is the same product.
#
# ## 2 · Attention: every token asks, every token answers
#
# Now the tokens have to talk. Each token makes three vectors of itself, by three matrices:
#
# - a **query** $q$: what am I looking for?
# - a **key** $k$: what do I have to offer?
# - a **value** $v$: what will I hand over, if asked?
#
# Token $i$ compares its query with everybody's keys. The dot product $q_i \cdot k_j$, divided by $\sqrt d$ with $d$ the width of queries and keys, is the **score** that $i$ gives to $j$. A softmax turns the scores of one token into shares that add up to 1, and what token $i$ gets is the mix of all values by these shares:
#
# $$
# S = \frac{Q K^\top}{\sqrt d}, \qquad
# A_{ij} = \frac{e^{S_{ij}}}{\sum_{m} e^{S_{im}}}, \qquad
# \text{out} = A\, V .
# $$
#
# ### With a pencil
#
# Four tokens, $d = 4$. To spare you a calculator, the queries are multiples of $\ln 2$, so that $e^{n \ln 2} = 2^n$ and all shares are plain fractions.

# %%
queries = np.array([[2, 2, 0, 0], [-2, 2, 2, 0], [0, 0, 0, 0], [-2, 2, -2, 4]]) * np.log(2)
keys = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
values = np.array([[8, 0], [0, 8], [8, 8], [0, 0]])

# %% [markdown]
# **Predict, then run.** Take paper and work out the *second* row: its four scores (in units of $\ln 2$, after dividing by $\sqrt 4$), its four shares, its mix of values. What is the **first** number of what token 2 gets?

# %%
my_guess = None  # the first number of the second row of A V

# the library's attention hands over what it is given as values: with the unit matrix, the shares
asked = tt.Tensor(np.hstack([queries, keys, np.eye(4)])[None])
shares = tt.autograd.packed_attention(asked, heads=1, kv_heads=1).data[0]
mixed = shares @ values
check.predicted(my_guess, float(mixed[1, 0]), within=1e-9,
                comment="Scores 0, 2, 1, 0; so 1, 4, 2, 1 of 8 parts; so 1/8 of 8, and 2/8 of 8.")  # fmt: skip

# %% jupyter={"source_hidden": true}
FRACTIONS = {1: "1/8", 2: "1/4", 4: "1/2"}
scores = np.log2(shares / shares.min(axis=1, keepdims=True))


def draw_numbers(axes, table, title, text, color, top):
    shade = plt.matplotlib.colors.LinearSegmentedColormap.from_list("s", ["#ffffff", color])
    axes.imshow(table, cmap=shade, vmin=min(0, table.min()), vmax=top, aspect="auto")
    for (i, j), number in np.ndenumerate(table):
        axes.text(j, i, text(number), ha="center", va="center", fontsize=11)
    axes.set(xticks=range(table.shape[1]), yticks=range(4), yticklabels=range(1, 5))
    axes.set_xticklabels(range(1, table.shape[1] + 1))
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


figure, axes = plt.subplots(1, 4, figsize=(11, 2.6), width_ratios=(2, 2, 1, 1))
draw_numbers(axes[0], scores, "scores: who asks whom (× ln 2)",
             lambda n: f"{n:.0f}", style.SERIES[2], 4)  # fmt: skip
draw_numbers(
    axes[1],
    shares,
    "shares: each row adds up to 1",
    lambda n: FRACTIONS[round(8 * n)],
    style.TERNARY,
    0.9,
)
draw_numbers(axes[2], values, "values", lambda n: f"{n:.0f}", style.ACCENT, 16)
draw_numbers(axes[3], mixed, "what each gets", lambda n: f"{n:.0f}", style.ACCENT, 16)
axes[0].set(ylabel="token that asks", xlabel="token that is asked")
axes[1].set(xlabel="token that is asked")
plt.show()

# %% [markdown]
# Look at token 3. Its query is zero, it looks for nothing in particular, and it gets the plain mean of all values. That is what attention does before it has learned anything. Learning makes it choosy.
#
# ### Exercise 5.2: one head (3 points)
#
# Write `attention(q, k, v)`, which returns `(mixed, shares)`. The last two axes count: $q$ is $(\ldots, T, d)$, $k$ is $(\ldots, S, d)$ and $v$ is $(\ldots, S, e)$; whatever stands before (images, heads) is carried along. `shares` is $(\ldots, T, S)$, `mixed` is $(\ldots, T, e)$.
#
# One thing has to be minded: $e^{1000}$ is infinite in any float type. Subtracting the largest score of a row from all scores of that row changes no share, and makes the largest power $e^0$.


# %% nbgrader={"grade": false, "grade_id": "5_2_attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention(q, k, v):
    """softmax(q k^T / sqrt(d)) v, and the softmax itself."""
    ### BEGIN SOLUTION
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1], dtype=q.dtype)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_2_attention_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.2")
def _(attention):
    q = np.array([[2, 2, 0, 0], [-2, 2, 2, 0], [0, 0, 0, 0]]) * np.log(2)
    k = np.array([[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1]])
    v = np.array([[8.0, 0], [0, 8], [8, 8], [0, 0]])
    want = np.array([[4, 2, 1, 1], [1, 4, 2, 1], [2, 2, 2, 2]]) / 8
    with check.part("shares", points=2):
        shares = np.asarray(attention(q, k, v)[1])
        check.true(
            shares.shape == (3, 4),
            f"Three tokens ask four: shares should be (3, 4), yours are {shares.shape}.",
        )
        check.close(
            shares.sum(axis=-1), np.ones(3),
            "Each row belongs to one token that asks, and its shares add up to 1. Along which "
            "axis do yours add up to 1?",
        )  # fmt: skip
        check.close(
            shares, want,
            "The worked example from above. If yours are sharper or flatter: what are the scores "
            "divided by, and which width is d?",
        )  # fmt: skip
        with np.errstate(all="ignore"):
            huge = attention(1000 * q, k, v)[1]
        check.close(
            huge, [[1, 0, 0, 0], [0, 1, 0, 0], [0.25] * 4],
            "Queries a thousand times as large. exp of a large score is infinite: subtract the "
            "largest score of each row first.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(53)
        q5, k5 = rng.normal(size=(2, 3, 5, 8)), rng.normal(size=(2, 3, 7, 8))
        scores = np.einsum("bhtd,bhsd->bhts", q5, k5) / np.sqrt(8)
        powers = np.exp(scores)
        check.close(
            attention(q5, k5, rng.normal(size=(2, 3, 7, 4)))[1],
            powers / powers.sum(-1, keepdims=True),
            "Two images, three heads, five tokens that ask seven, d = 8.",
        )  # fmt: skip
        # one row's largest score must not drown another's
        apart = np.array([[[1.0, 0]], [[2000.0, 0]]])
        with np.errstate(all="ignore"):
            drowned = attention(
                apart, np.tile([[1.0, 0], [-1.0, 0]], (2, 1, 1)), np.ones((2, 2, 1))
            )
        check.close(drowned[1][0, 0], [0.80442968, 0.19557032],
                    "Subtract each row's own largest score, not that of the whole array.")  # fmt: skip
        rows = attention(np.array([[-2000.0, 0], [2000.0, 0]]), np.ones((2, 2)), np.ones((2, 1)))
        check.close(rows[1], np.full((2, 2), 0.5),
                    "Two rows with very different scores, alike within each row: one maximum a row.")  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("mix", points=1):
        check.close(
            attention(q, k, v)[0], want @ v, "What each token gets is its shares times the values."
        )
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(54)
        q5, k5, v5 = (rng.normal(size=(2, 3, *s)) for s in ((5, 8), (7, 8), (7, 4)))
        powers = np.exp(np.einsum("bhtd,bhsd->bhts", q5, k5) / np.sqrt(8))
        check.close(
            attention(q5, k5, v5)[0],
            np.einsum("bhts,bhse->bhte", powers / powers.sum(-1, keepdims=True), v5),
            "Values may be wider or narrower than keys.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "5_2_attention", "wrong": "no root of d", "says": "which width is d"}
def attention(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_2_attention", "wrong": "divides by d, not by its root", "says": "which width is d"}
def attention(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2) / q.shape[-1]
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_2_attention", "wrong": "root of the number of tokens"}
def attention(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-2])
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_2_attention", "wrong": "softmax over the tokens that ask", "says": "along which axis"}
def attention(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    powers = np.exp(scores - scores.max(axis=-2, keepdims=True))
    shares = powers / powers.sum(axis=-2, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_2_attention", "wrong": "softmax overflows", "says": "exp of a large score"}
def attention(q, k, v):
    powers = np.exp(q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1]))
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_2_attention", "wrong": "one maximum for the whole array"}
def attention(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    powers = np.exp(scores - scores.max())
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_2_attention", "wrong": "k.T turns all axes around, guarded for two only"}
def attention(q, k, v):
    turned = k.T if k.ndim == 2 else np.moveaxis(k, 0, -1).reshape(*k.shape[:-2], -1, k.shape[-2])
    scores = q @ turned / np.sqrt(q.shape[-1])
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_2_attention", "wrong": "returns the scores in place of the shares", "says": "add up to 1"}
def attention(q, k, v):
    scores = q @ np.swapaxes(k, -1, -2) / np.sqrt(q.shape[-1])
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True) @ v, scores


# %% variant={"of": "5_2_attention", "right": "einsum and SciPy's softmax"}
def attention(q, k, v):
    from scipy.special import softmax

    shares = softmax(np.einsum("...td,...sd->...ts", q, k) * q.shape[-1] ** -0.5, axis=-1)
    return np.einsum("...ts,...se->...te", shares, v), shares


# %% variant={"of": "5_2_attention", "right": "the root taken out of both sides, log-sum-exp"}
def attention(q, k, v):
    from scipy.special import logsumexp

    root = q.shape[-1] ** 0.25
    scores = (q / root) @ np.moveaxis(k / root, -1, -2)
    shares = np.exp(scores - logsumexp(scores, axis=-1, keepdims=True))
    return shares @ v, shares


# %% [markdown] hints={"of": "5_2_attention"}
# 1. With two axes only you would write `q @ k.T`. What does `.T` do to an array with four axes, and which function swaps just the last two?
# 2. Each row of scores belongs to one token that asks. Its maximum and its sum run over the tokens that are *asked*: which axis is that? `keepdims=True` keeps it for the division.

# %% [markdown]
# ### What the root is for
#
# The numbers in a fresh query and key are about as large as a draw from a standard normal. Their dot product is a sum of $d$ products, each of variance 1, so its standard deviation is $\sqrt d$: at $d = 256$ scores of ±16 are nothing special, and $e^{16}$ is nine million times $e^0$. The division brings the scores back to a spread of about 1, whatever the width.
#
# **Predict, then run.** A paper's code has been retyped without the root. Queries and keys are standard normal, $d = 256$, and one token asks 49. Without the root, what share of its attention does the *most attended* token get, on average? (With the root it is about a tenth.) Write a number of percent.

# %%
my_guess = None  # percent


def largest_share(width, root, rng):
    q, k = rng.normal(size=(400, 1, width)), rng.normal(size=(400, 49, width))
    shares = my.attention(q if root else q * np.sqrt(width), k, k)[1][:, 0]
    entropy = -(shares * np.log2(shares + 1e-300)).sum(axis=1).mean()
    return 100 * shares.max(axis=1).mean(), entropy


actual = largest_share(256, False, np.random.default_rng(1))[0]
check.predicted(my_guess, float(actual), within=8, unit=" %",
                comment="Attention has all but become an index: one token is picked, the rest is ignored.")  # fmt: skip

# %% jupyter={"source_hidden": true}
widths = 2 ** np.arange(2, 11)
curves = {
    root: np.array([largest_share(w, root, np.random.default_rng(w)) for w in widths])
    for root in (True, False)
}
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.2))
for root, color, name in ((True, style.TERNARY, "divided by √d"), (False, style.ACCENT, "not divided")):  # fmt: skip
    left.plot(widths, curves[root][:, 1], "o-", color=color, label=name, markersize=4)
left.axhline(np.log2(49), color=style.MUTED, linestyle=":", linewidth=1.2)
left.text(4, np.log2(49) + 0.08, "log₂ 49: all 49 tokens alike", fontsize=8.5, color=style.MUTED)
left.set(xscale="log", xticks=[4, 16, 64, 256, 1024], xticklabels=[4, 16, 64, 256, 1024],
         xlabel="width d", ylabel="entropy of a row, bits", ylim=(0, 6.3),
         title="Without the root, attention collapses")  # fmt: skip
left.minorticks_off()
left.legend(loc="lower left")
rng = np.random.default_rng(6)
q, k = rng.normal(size=(1, 256)), rng.normal(size=(49, 256))
for factor, color in ((16, style.ACCENT), (1, style.TERNARY)):
    right.bar(range(49), my.attention(q * factor, k, k)[1][0], color=color,
              alpha=0.9, width=0.8 if factor == 1 else 1.0)  # fmt: skip
right.set(xlabel="token that is asked", ylabel="share", title="One row at d = 256")
plt.show()

# %% [markdown]
# A row that has collapsed is not only rigid. The softmax is flat there: its derivative, $A_{ij}(1 - A_{ij})$ on the diagonal, is zero at a share of 0 and at a share of 1. No gradient, no learning. It is the first of this lesson's museum pieces, and the only one that we give away: *no $1/\sqrt d$; nothing fails, nothing warns, and the entropy of the attention rows tells.* The other two you will have to find.
#
# ## 3 · Does it know the order?
#
# Read the formula of attention again and look for the place where it says which token comes first. There is none. Rows of $Q$ meet rows of $K$, all of them, and nothing asks for their numbers.
#
# Let $P$ be a permutation matrix, so that $PX$ holds the tokens of $X$ in another order. Queries, keys and values are made token by token, so they become $PQ$, $PK$, $PV$. The scores become $PQ\,(PK)^\top = P\,(QK^\top)\,P^\top$: rows and columns change places, no number changes. The softmax works on each row by itself, so it comes along: $P A P^\top$. And at last
#
# $$
# (P A P^\top)(P V) = P A\,(P^\top P)\, V = P\,(A V), \qquad\text{since } P^\top P = 1 .
# $$
#
# Shuffle what goes in, and what comes out is the same, shuffled the same way: attention is **permutation-equivariant**. If the tokens are pooled by their mean afterwards, $\tfrac1T \mathbf 1^\top P = \tfrac1T \mathbf 1^\top$, and even the shuffle is gone: the result is **permutation-invariant**. A bag of words. A face with its eyes in the chin is as good a face as any.
#
# ### Exercise 5.3: catch it in the act (2 points)
#
# A proof is good, a test is quicker, and the two should agree. Write two tests. `f` is a function of tokens $(T, D)$, `x` are tokens and `order` is a permutation of $0 \ldots T-1$, so that `x[order]` are the same tokens shuffled.
#
# - `equivariant(f, x, order)`: `True` if shuffling before `f` and shuffling after `f` give the same, up to rounding.
# - `invariant(f, x, order)`: `True` if `f` does not notice, up to rounding.


# %% nbgrader={"grade": false, "grade_id": "5_3_equivariant", "locked": false, "schema_version": 3, "solution": true, "task": false}
def equivariant(f, x, order):
    """Whether f(x shuffled) is f(x) shuffled the same way."""
    ### BEGIN SOLUTION
    return bool(np.allclose(f(x[order]), f(x)[order]))
    ### END SOLUTION


def invariant(f, x, order):
    """Whether f(x shuffled) is f(x)."""
    ### BEGIN SOLUTION
    return bool(np.allclose(f(x[order]), f(x)))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_3_equivariant_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.3")
def _(equivariant, invariant):
    rng = np.random.default_rng(55)
    x, order = rng.normal(size=(6, 3)), np.array([2, 0, 3, 1, 5, 4])
    place = np.arange(6.0)[:, None]

    def mixing(t):
        likeness = np.exp(t @ t.T)
        return likeness @ t / likeness.sum(axis=1)[:, None]

    with check.part("equivariant", points=1):
        check.true(
            equivariant(lambda t: 2 * t + 1, x, order),
            "2 x + 1 does the same to every token, wherever it stands: equivariant. Shuffle in "
            "the same direction on both sides (the order is not its own inverse).",
        )  # fmt: skip
        check.true(
            equivariant(mixing, x, order),
            "Attention is equivariant, but its sums run in another order, and floats differ in "
            "the last digit. Compare up to rounding.",
        )  # fmt: skip
        check.true(
            not equivariant(lambda t: t + place, x, order),
            "f adds to every token the number of its place: that is not equivariant.",
        )  # fmt: skip
        check.true(
            not equivariant(lambda t: np.cumsum(t, axis=0), x, order),
            "A running sum from the first token on is not equivariant.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.true(
            not equivariant(lambda t: np.zeros_like(t) + t[0], x, order),
            "f gives every token the first one: that changes when another comes first.",
        )
        check.true(
            not equivariant(lambda t: t[::-1], np.arange(5.0)[:, None], np.array([1, 2, 3, 4, 0])),
            "f turns the tokens around: not equivariant for a rotation.",
        )
        check.true(
            not equivariant(lambda t: np.sort(t, axis=0), x, order),
            "f sorts: that is invariant, but not equivariant.",
        )
        check.true(
            not equivariant(lambda t: t + place / 100, x, order),
            "f adds a hundredth of the place to each token. That is little, but no rounding.",
        )
        for tokens, o in ((x, order), (x[order], np.argsort(order))):
            check.true(
                not equivariant(lambda t: 0 * t + (t * place).sum(), tokens, o),
                "f gives every token one and the same sum, weighted by the places: a shuffle changes "
                "all entries by the same amount, up or down. It is the size of a difference that counts.",
            )
        ### END HIDDEN TESTS
    with check.part("invariant", points=1):
        check.true(
            invariant(lambda t: t.mean(axis=0), x, order), "A mean does not notice an order."
        )
        check.true(
            invariant(lambda t: mixing(t).mean(axis=0), x, order),
            "Attention and then the mean: invariant, up to rounding.",
        )  # fmt: skip
        check.true(
            invariant(lambda t: t[3], x, np.array([1, 0, 2, 3, 5, 4])),
            "A shuffle that leaves the fourth token where it is, and an f that returns just that.",
        )
        check.true(
            not invariant(lambda t: t[0], x, order),
            "The first token is another one after a shuffle.",
        )
        ### BEGIN HIDDEN TESTS
        check.true(
            not invariant(mixing, x, order),
            "Attention alone is equivariant, not invariant: its rows come out shuffled.",
        )
        check.true(not invariant(lambda t: (t * place).sum(axis=0), x, order),
                   "A sum weighted by the places.")  # fmt: skip
        check.true(
            not invariant(lambda t: t.mean(axis=0) + t[0] / 100, x, order),
            "The mean and a hundredth of the first token. That is little, but no rounding.",
        )
        for tokens, o in ((x, order), (x[order], np.argsort(order))):
            check.true(
                not invariant(lambda t: (t * place).sum(), tokens, o),
                "A single number, larger or smaller after the shuffle: it is the size of the "
                "difference that counts.",
            )
        ### END HIDDEN TESTS


# %% variant={"of": "5_3_equivariant", "wrong": "undoes the shuffle in the wrong direction", "says": "same direction"}
def equivariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x)[np.argsort(order)]))


def invariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x)))


# %% variant={"of": "5_3_equivariant", "wrong": "exact comparison of floats", "says": "up to rounding"}
def equivariant(f, x, order):
    return np.array_equal(f(x[order]), f(x)[order])


def invariant(f, x, order):
    return np.array_equal(f(x[order]), f(x))


# %% variant={"of": "5_3_equivariant", "wrong": "takes invariance for equivariance"}
def equivariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x)))


def invariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x)))


# %% variant={"of": "5_3_equivariant", "wrong": "compares the sums of all tokens only"}
def equivariant(f, x, order):
    return bool(np.allclose(np.sum(f(x[order]), axis=0), np.sum(f(x), axis=0)))


def invariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x)))


# %% variant={"of": "5_3_equivariant", "wrong": "invariant compares the means: attention alone passes", "says": "not invariant"}
def equivariant(f, x, order):
    return bool(np.allclose(f(x[order]), f(x)[order]))


def invariant(f, x, order):
    a, b = f(x[order]), f(x)
    return bool(np.allclose(np.sort(a, axis=0), np.sort(b, axis=0)))


# %% variant={"of": "5_3_equivariant", "right": "by a permutation matrix and a largest difference"}
def equivariant(f, x, order):
    P = np.eye(len(x))[order]
    return float(np.abs(f(P @ x) - P @ f(x)).max()) < 1e-9


def invariant(f, x, order):
    P = np.eye(len(x))[order]
    return float(np.abs(f(P @ x) - f(x)).max()) < 1e-9


# %% variant={"of": "5_3_equivariant", "right": "token by token"}
def equivariant(f, x, order):
    after, before = f(x), f(x[order])
    return all(np.allclose(before[place], after[old]) for place, old in enumerate(order))


def invariant(f, x, order):
    return bool(np.isclose(f(x[np.asarray(order)]), f(x)).all())


# %% [markdown] hints={"of": "5_3_equivariant"}
# 1. Write down the two sides in words first: "shuffle, then f" and "f, then shuffle".
# 2. `==` on floats asks for the same bits. Which function of NumPy compares up to rounding?

# %% [markdown]
# Now the same on a whole network. `tt.models.ViT` with its position table set to zero is a ViT without positions; we give it eight images, and the same images with their 49 patches shuffled.

# %%
probe = tt.models.ViT(tt.models.preset("lesson"), seed=3)
inputs = (cells.images[:8] / 255).astype(np.float32)
order = np.random.default_rng(8).permutation(49)
shuffled = my.unpatchify(my.patchify(inputs, 4)[:, order], 4, 28, 28)
learned = probe.pos_embed.data.copy()
moved = {}
for name, table in (("without positions", 0 * learned), ("with positions", learned)):
    probe.pos_embed.data[...] = table
    before, after = (probe(x.transpose(0, 3, 1, 2).copy()).data for x in (inputs, shuffled))
    moved[name] = np.abs(after - before).max() / np.abs(before).max()
    print(f"{name:<18} the logits move by {moved[name]:.0e} of the largest of them")

figure, axes = plt.subplots(1, 4, figsize=(9, 2.5))
for k, (a, title) in enumerate(((inputs, "an image"), (shuffled, "without positions: the same"))):
    for n in range(2):
        axes[2 * k + n].imshow(a[n])
        axes[2 * k + n].set_axis_off()
    axes[2 * k].set_title(title, fontsize=10)
plt.show()

# %% [markdown]
# To a ViT without positions the right pair *is* the left pair, to the rounding of its sums.
#
# ### Positions
#
# The cure is almost embarrassingly plain: give each place a vector of its own and **add** it to the token that stands there. Two kinds are common. **Learned** positions are a table $(T, D)$ of parameters, random at first. **Sine-cosine** positions are a formula. For the place $n$ along one axis and a set of frequencies $\omega_0, \omega_1, \ldots$ take the sines of $n\omega_m$, then the cosines. It works like the hands of a clock: the fast hand tells neighbours apart, the slow hands tell where in the day you are, and no two times look alike.
#
# An image has two axes, so one half of the vector tells the column and the other half tells the row:
#
# $$
# \omega_m = 10\,000^{-m/M}, \quad m = 0, \ldots, M-1, \quad M = D/4,
# $$
# $$
# \text{pos}(r, c) = \big[\,\sin(c\,\omega_m)_m,\ \cos(c\,\omega_m)_m,\ \sin(r\,\omega_m)_m,\ \cos(r\,\omega_m)_m\,\big].
# $$
#
# ### Exercise 5.4: a clock for every place (2 points)
#
# Write `positions(grid, width)`: the table $(\text{grid}^2, D)$ for a square grid of patches, row by row as the patches come, $D$ = `width`, a multiple of 4.


# %% nbgrader={"grade": false, "grade_id": "5_4_positions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def positions(grid, width):
    """Sine-cosine table (grid * grid, width): half for the column, half for the row."""
    ### BEGIN SOLUTION
    quarter = width // 4
    angle = np.arange(grid)[:, None] * 10_000.0 ** (-np.arange(quarter) / quarter)
    waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)  # (grid, D / 2)
    row, column = np.divmod(np.arange(grid**2), grid)
    return np.concatenate([waves[column], waves[row]], axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_4_positions_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.4")
def _(positions):
    table = positions(3, 8)
    check.true(
        np.shape(table) == (9, 8),
        f"A grid of 3 x 3 and width 8 make a table (9, 8); yours is {np.shape(table)}.",
    )
    check.close(
        table[0], [0, 0, 1, 1, 0, 0, 1, 1],
        "The place (0, 0): all sines are 0, all cosines 1. Two sines, two cosines for the column, "
        "then the same for the row: blocks, not alternating.",
    )  # fmt: skip
    s, c = np.sin(1), np.cos(1)
    slow = np.sin(0.01), np.cos(0.01)
    check.close(
        table[1], [s, slow[0], c, slow[1], 0, 0, 1, 1],
        "The second token is one to the right: its column is 1, its row 0. With D = 8 there are "
        "M = 2 frequencies, 1 and 10000^(-1/2) = 0.01; the exponent is divided by M.",
    )  # fmt: skip
    check.close(
        table[3], [0, 0, 1, 1, s, slow[0], c, slow[1]], "The fourth token: row 1, column 0."
    )
    ### BEGIN HIDDEN TESTS
    for grid, width in ((7, 64), (2, 4), (5, 12)):
        check.close(
            positions(grid, width), tt.models.sinusoidal_positions(grid, width),
            f"grid {grid}, width {width}: another table than the formula gives.",
            rtol=1e-4, atol=1e-6,
        )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "5_4_positions", "wrong": "row first, then column", "says": "column is 1"}
def positions(grid, width):
    q = width // 4
    angle = np.arange(grid)[:, None] * 10_000.0 ** (-np.arange(q) / q)
    waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    row, column = np.divmod(np.arange(grid**2), grid)
    return np.concatenate([waves[row], waves[column]], axis=1)


# %% variant={"of": "5_4_positions", "wrong": "sine and cosine alternate, as in the paper for text", "says": "alternating"}
def positions(grid, width):
    q = width // 4
    angle = np.arange(grid)[:, None] * 10_000.0 ** (-np.arange(q) / q)
    waves = np.stack([np.sin(angle), np.cos(angle)], axis=2).reshape(grid, -1)
    row, column = np.divmod(np.arange(grid**2), grid)
    return np.concatenate([waves[column], waves[row]], axis=1)


# %% variant={"of": "5_4_positions", "wrong": "exponent divided by D / 2", "says": "divided by M"}
def positions(grid, width):
    q = width // 4
    angle = np.arange(grid)[:, None] * 10_000.0 ** (-np.arange(q) / (2 * q))
    waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    row, column = np.divmod(np.arange(grid**2), grid)
    return np.concatenate([waves[column], waves[row]], axis=1)


# %% variant={"of": "5_4_positions", "wrong": "one axis only, the token's number"}
def positions(grid, width):
    q = width // 2
    angle = np.arange(grid**2)[:, None] * 10_000.0 ** (-np.arange(q) / q)
    waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    return np.concatenate([waves[:, :q // 2], waves[:, q:q + q // 2],
                           waves[:, q // 2:q], waves[:, q + q // 2:]], axis=1)  # fmt: skip


# %% variant={"of": "5_4_positions", "right": "a loop over places and frequencies"}
def positions(grid, width):
    M = width // 4
    table = np.zeros((grid * grid, width))
    for r in range(grid):
        for c in range(grid):
            for m in range(M):
                w = 10_000.0 ** (-m / M)
                table[grid * r + c, m] = np.sin(c * w)
                table[grid * r + c, M + m] = np.cos(c * w)
                table[grid * r + c, 2 * M + m] = np.sin(r * w)
                table[grid * r + c, 3 * M + m] = np.cos(r * w)
    return table


# %% variant={"of": "5_4_positions", "right": "real and imaginary part of a turning pointer, on a mesh"}
def positions(grid, width):
    w = np.exp(-np.log(10_000.0) * np.arange(width // 4) / (width // 4))
    row, column = np.meshgrid(np.arange(grid), np.arange(grid), indexing="ij")
    c, r = (np.exp(1j * a.reshape(-1, 1) * w) for a in (column, row))
    return np.hstack([c.imag, c.real, r.imag, r.real])


# %% [markdown] hints={"of": "5_4_positions"}
# 1. Make the waves of one axis first: a table (grid, D/2) of sines and cosines. Columns and rows use the same table.
# 2. Token number $t$ of a grid of width $g$ stands in row $\lfloor t/g \rfloor$ and column $t \bmod g$. Indexing an array with an array picks rows.


# %% jupyter={"source_hidden": true}
def cosines(table):
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    return unit @ unit.T


table = my.positions(7, 64)
alike = cosines(table)
figure = plt.figure(figsize=(11, 3.1))
left, middle, right = figure.subfigures(1, 3, width_ratios=(1.25, 1.05, 1.7))
axes = left.subplots()
axes.imshow(table, cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
axes.set(xlabel="entry of the vector", ylabel="token", xticks=[0, 16, 32, 48, 63],
         title="The table of positions")  # fmt: skip
axes = middle.subplots()
axes.imshow(alike, cmap="viridis", vmin=alike.min(), vmax=1)
axes.set(xticks=range(0, 49, 7), yticks=range(0, 49, 7), xlabel="token", ylabel="token",
         title="cosine, place by place")  # fmt: skip
axes.tick_params(labelsize=7)
for axes, place in zip(right.subplots(1, 3), (0, 24, 40)):
    axes.imshow(alike[place].reshape(7, 7), cmap="viridis", vmin=alike.min(), vmax=1)
    axes.plot(place % 7, place // 7, "s", color=style.ACCENT, markersize=7)
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"token {place}", loc="center", fontsize=9, fontweight="normal")
right.suptitle("Near places have like vectors", x=0.02, ha="left", fontsize=11, fontweight="bold")
plt.show()

# %% [markdown]
# Nobody told the formula about distance, and yet the similarity of two places falls off with it, in both directions. The 49 × 49 matrix in the middle is that fact unrolled: bright bands where the column is the same and the row is near.
#
# ## 4 · Several heads
#
# One head has one set of shares for each token: it can look for *one* thing. So a transformer cuts the width $D$ into $H$ **heads** of width $d = D/H$, lets each do its own attention, and puts the results side by side again. The cost is the same; a token can now look for $H$ things at once.
#
# ### Exercise 5.5: split and merge (2 points)
#
# Write `split_heads(x, heads)`, from $(B, T, H d)$ to $(B, H, T, d)$, and `merge_heads(x)`, from $(B, H, T, d)$ back to $(B, T, H d)$. Head 0 has the first $d$ entries of each token, head 1 the next $d$, and so on.


# %% nbgrader={"grade": false, "grade_id": "5_5_split_heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split_heads(x, heads):
    """(B, T, H d) to (B, H, T, d)."""
    ### BEGIN SOLUTION
    B, T, width = x.shape
    return x.reshape(B, T, heads, width // heads).transpose(0, 2, 1, 3)
    ### END SOLUTION


def merge_heads(x):
    """(B, H, T, d) to (B, T, H d)."""
    ### BEGIN SOLUTION
    B, heads, T, width = x.shape
    return x.transpose(0, 2, 1, 3).reshape(B, T, heads * width)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_5_split_heads_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.5")
def _(split_heads, merge_heads):
    x = np.arange(12).reshape(1, 3, 4)  # three tokens: 0..3, 4..7, 8..11
    parts = np.array([[[[0, 1], [4, 5], [8, 9]], [[2, 3], [6, 7], [10, 11]]]])
    with check.part("split", points=1):
        check.equal(
            split_heads(x, 2), parts,
            "Three tokens 0..3, 4..7, 8..11, two heads: head 0 has the first two entries of every "
            "token. If a head has entries that belong to one token only, a reshape has cut "
            "through the tokens.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(56)
        big = rng.normal(size=(2, 5, 12))
        for heads in (1, 3, 4, 12):
            want = np.stack(np.split(big, heads, axis=-1), axis=1)
            check.equal(split_heads(big, heads), want, f"Width 12, {heads} heads.")
        ### END HIDDEN TESTS
    with check.part("merge", points=1):
        check.equal(
            merge_heads(parts), x,
            "The two heads of those three tokens, side by side again. Which axis has to come next "
            "to the width before they can become one?",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(57)
        heads = rng.normal(size=(2, 3, 5, 4))
        check.equal(merge_heads(heads), np.concatenate(list(heads.swapaxes(0, 1)), axis=-1),
                    "Two images, three heads, five tokens.")  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "5_5_split_heads", "wrong": "one reshape cuts through the tokens", "says": "cut through the tokens"}
def split_heads(x, heads):
    return x.reshape(x.shape[0], heads, x.shape[1], -1)


def merge_heads(x):
    return x.reshape(x.shape[0], x.shape[2], -1)


# %% variant={"of": "5_5_split_heads", "wrong": "heads take every H-th entry", "says": "first two entries"}
def split_heads(x, heads):
    return x.reshape(*x.shape[:2], -1, heads).transpose(0, 3, 1, 2)


def merge_heads(x):
    return x.transpose(0, 2, 3, 1).reshape(x.shape[0], x.shape[2], -1)


# %% variant={"of": "5_5_split_heads", "wrong": "merge forgets its transpose", "says": "which axis"}
def split_heads(x, heads):
    return x.reshape(*x.shape[:2], heads, -1).transpose(0, 2, 1, 3)


def merge_heads(x):
    return x.reshape(x.shape[0], x.shape[2], -1)


# %% variant={"of": "5_5_split_heads", "wrong": "stops at (B, T, H, d)", "says": "expected shape"}
def split_heads(x, heads):
    return x.reshape(*x.shape[:2], heads, -1)


def merge_heads(x):
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)


# %% variant={"of": "5_5_split_heads", "right": "split and stack, concatenate"}
def split_heads(x, heads):
    return np.stack(np.split(x, heads, axis=2), axis=1)


def merge_heads(x):
    return np.concatenate([x[:, h] for h in range(x.shape[1])], axis=-1)


# %% variant={"of": "5_5_split_heads", "right": "swapaxes, moveaxis"}
def split_heads(x, heads):
    return x.reshape(x.shape[0], x.shape[1], heads, -1).swapaxes(1, 2)


def merge_heads(x):
    return np.moveaxis(x, 1, 2).reshape(x.shape[0], x.shape[2], -1)


# %% [markdown] hints={"of": "5_5_split_heads"}
# 1. A reshape may cut an axis in two, or join two neighbours. Cut the last axis first: what shape is that?
# 2. Then the axes of tokens and heads have to change places. The way back does the same in the opposite order.

# %% jupyter={"source_hidden": true}
numbered = np.arange(5 * 8)[None].reshape(1, 5, 8)
good = my.split_heads(numbered, 4)[0]
short_cut = numbered.reshape(1, 4, 5, 2)[0]

figure, axes = plt.subplots(1, 3, figsize=(11, 2.5), width_ratios=(1.5, 1.5, 1.5))
colors = [plt.matplotlib.colors.to_rgb(c) for c in style.SERIES[:5]]


def draw_owners(axes, owners, title, ylabel, lines):
    axes.imshow([[colors[o] for o in row] for row in owners], aspect="auto", alpha=0.75)
    for (i, j), owner in np.ndenumerate(owners):
        axes.text(j, i, owner, ha="center", va="center", color="white", fontsize=9)
    for line in lines:
        axes.axvline(line - 0.5, color="white", linewidth=4)
    axes.set(xticks=[], yticks=range(len(owners)), ylabel=ylabel)
    axes.set_title(title, fontsize=10)
    axes.tick_params(length=0)


draw_owners(axes[0], numbered[0] // 8, "five tokens, four heads", "token", (2, 4, 6))
draw_owners(axes[1], good.transpose(1, 0, 2).reshape(5, 8) // 8, "split: a head sees every token",
            "place in the head", (2, 4, 6))  # fmt: skip
draw_owners(axes[2], short_cut.transpose(1, 0, 2).reshape(5, 8) // 8,
            "by one reshape: it sees one or two", "place in the head", (2, 4, 6))  # fmt: skip
plt.show()

# %% [markdown]
# The number in each cell is the token that the entry came from; the white lines part the heads. The shapes of the second and the third picture are the same, and no error is raised by either.
#
# ### One key and one value for all
#
# Must every head have its own keys and values? In 2019 Noam Shazeer asked that about language models, where the keys and values of all earlier words have to be read from memory for each new word, and answered no: let all heads keep their own **queries**, and share a single key and a single value. That is **multi-query attention**. If groups of heads share, it is *grouped-query* attention. BitMedViT, the network that this course is heading for, has 8 heads and one key/value head.
#
# In practice queries, keys and values are made by *one* matrix product, and lie side by side in its result: with $G$ key/value heads, a token's row holds first all $H$ queries, then $G$ keys, then $G$ values, each of width $d$. So a row has $(H + 2G)\,d$ entries.
#
# ### Exercise 5.6: heads that share (3 points)
#
# Write `self_attention(qkv, heads, kv_heads)`: from $(B, T, (H + 2G)\,d)$ to the merged result $(B, T, H d)$. With `kv_heads` equal to `heads` it is multi-head attention, with 1 multi-query; in general $G$ divides $H$, and neighbouring heads share: heads $0 \ldots H/G - 1$ use key/value head 0, the next ones key/value head 1. You may call what you wrote before.


# %% nbgrader={"grade": false, "grade_id": "5_6_self_attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def self_attention(qkv, heads, kv_heads):
    """(B, T, (H + 2 G) d), queries, keys, values, to (B, T, H d)."""
    ### BEGIN SOLUTION
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, k, v = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, kv_heads), split_heads(v, kv_heads)
    share = heads // kv_heads
    mixed, _ = attention(q, np.repeat(k, share, axis=1), np.repeat(v, share, axis=1))
    return merge_heads(mixed)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_6_self_attention_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.6")
def _(self_attention):
    rng = np.random.default_rng(58)

    def compare(heads, kv_heads, d, hint):
        qkv = rng.normal(size=(2, 5, (heads + 2 * kv_heads) * d)).astype(np.float32)
        want = tt.autograd.packed_attention(tt.Tensor(qkv), heads, kv_heads).data
        check.close(self_attention(qkv, heads, kv_heads), want, hint, rtol=1e-3, atol=1e-5)

    with check.part("every head its own", points=1):
        compare(1, 1, 3, "One head: a row is query, key, value, in this order.")
        compare(2, 2, 3, "Two heads: first both queries, then both keys, then both values. "
                "The root is that of a head's width d.")  # fmt: skip
    with check.part("one key and value for all", points=1):
        compare(4, 1, 2, "Four heads, one key and one value: a row has (4 + 2) d entries, so "
                "queries, keys and values are not thirds of it.")  # fmt: skip
        ### BEGIN HIDDEN TESTS
        compare(8, 1, 1, "Eight heads of width 1, one key and value.")
        ### END HIDDEN TESTS
    with check.part("a few that share", points=1):
        compare(4, 2, 3, "Four heads, two keys: neighbouring heads share. Heads 0 and 1 use key 0, "
                "heads 2 and 3 use key 1.")  # fmt: skip
        ### BEGIN HIDDEN TESTS
        compare(6, 2, 2, "Six heads, two keys and values.")
        compare(6, 3, 2, "Six heads, three keys and values.")
        ### END HIDDEN TESTS


# %% variant={"of": "5_6_self_attention", "wrong": "cuts the row into thirds", "says": "not thirds"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    if kv_heads != heads:
        q = k = v = np.zeros((*qkv.shape[:2], heads * d))
    else:
        q, k, v = np.split(qkv, 3, axis=-1)
    return merge_heads(attention(*(split_heads(a, heads) for a in (q, k, v)))[0])


# %% variant={"of": "5_6_self_attention", "wrong": "keys dealt out in turn: tile for repeat", "says": "neighbouring heads"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, k, v = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, kv_heads), split_heads(v, kv_heads)
    times = (1, heads // kv_heads, 1, 1)
    return merge_heads(attention(q, np.tile(k, times), np.tile(v, times))[0])


# %% variant={"of": "5_6_self_attention", "wrong": "values before keys", "says": "in this order"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, v, k = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, kv_heads), split_heads(v, kv_heads)
    n = heads // kv_heads
    return merge_heads(attention(q, np.repeat(k, n, axis=1), np.repeat(v, n, axis=1))[0])


# %% variant={"of": "5_6_self_attention", "wrong": "query, key and value of a head side by side", "says": "both queries"}
def self_attention(qkv, heads, kv_heads):
    if heads != kv_heads:
        return np.zeros((*qkv.shape[:2], qkv.shape[-1] // (heads + 2 * kv_heads) * heads))
    per_head = split_heads(qkv, heads)
    q, k, v = np.split(per_head, 3, axis=-1)
    return merge_heads(attention(q, k, v)[0])


# %% variant={"of": "5_6_self_attention", "wrong": "one attention over the whole width: no heads"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, k, v = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    n = heads // kv_heads
    k, v = (merge_heads(np.repeat(split_heads(a, kv_heads), n, axis=1)) for a in (k, v))
    return attention(q, k, v)[0]


# %% variant={"of": "5_6_self_attention", "wrong": "all heads take the first key", "says": "neighbouring heads"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    q, k, v = np.split(qkv, [heads * d, (heads + kv_heads) * d], axis=-1)
    q, k, v = split_heads(q, heads), split_heads(k, kv_heads), split_heads(v, kv_heads)
    if kv_heads < heads:
        k, v = k[:, :1], v[:, :1]
    return merge_heads(attention(q, k, v)[0])


# %% variant={"of": "5_6_self_attention", "right": "an axis for the group, broadcast"}
def self_attention(qkv, heads, kv_heads):
    B, T, width = qkv.shape
    d = width // (heads + 2 * kv_heads)
    x = qkv.reshape(B, T, heads + 2 * kv_heads, d).transpose(0, 2, 1, 3)
    q = x[:, :heads].reshape(B, kv_heads, heads // kv_heads, T, d)
    k = x[:, heads : heads + kv_heads, None]
    v = x[:, heads + kv_heads :, None]
    return merge_heads(attention(q, k, v)[0].reshape(B, heads, T, d))


# %% variant={"of": "5_6_self_attention", "right": "head after head"}
def self_attention(qkv, heads, kv_heads):
    d = qkv.shape[-1] // (heads + 2 * kv_heads)
    cut = np.split(qkv, heads + 2 * kv_heads, axis=-1)
    out = []
    for h in range(heads):
        g = heads + h * kv_heads // heads
        scores = cut[h] @ cut[g].swapaxes(1, 2) / d**0.5
        e = np.exp(scores - scores.max(-1, keepdims=True))
        out.append(e / e.sum(-1, keepdims=True) @ cut[g + kv_heads])
    return np.concatenate(out, axis=-1)


# %% [markdown] hints={"of": "5_6_self_attention"}
# 1. How wide is one head? The row's length is $(H + 2G)\,d$, and you know $H$ and $G$. At which two entries do keys and values begin?
# 2. Queries split into $H$ heads, keys and values into $G$. Before they meet, each key/value head has to stand there $H/G$ times in a row: `np.repeat` and `np.tile` differ in just that.

# %% [markdown]
# **Predict, then run.** What does sharing save? BitMedViT: width 512, 8 heads of 64, 1024 tokens. Compare the matrix that makes queries, keys and values with 8 key/value heads and with one. What percent of its weights is saved?

# %%
my_guess = None  # percent of the weights of the qkv matrix

groups = [8, 4, 2, 1]
reports = [tt.cost.analyze(tt.models.preset("bitmedvit", kv_heads=g)) for g in groups]
qkv_weights = np.array([512 * (512 + 2 * g * 64) for g in groups])
check.predicted(my_guess, float(100 * (1 - qkv_weights[-1] / qkv_weights[0])), within=4, unit=" %",
                comment="Queries stay, a third; of keys and values one part in eight is left.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(11, 2.9))
kilobytes = np.array([2 * 1024 * g * 64 * 4 / 1024 for g in groups])
whole = np.array([r.parameters / 1e6 for r in reports])
for plot, amounts, title, unit in (
    (axes[0], qkv_weights / 1e3, "weights of one qkv matrix", "thousand"),
    (axes[1], kilobytes, "keys and values, one block", "KiB an image, float32"),
    (axes[2], whole, "parameters of BitMedViT", "million"),
):
    bars = plot.bar(range(4), amounts, color=[style.FLOAT] * 3 + [style.TERNARY], width=0.65)
    plot.bar_label(bars, [f"{a:.2f}" if a < 100 else f"{a:,.0f}" for a in amounts], fontsize=9)
    plot.set(xticks=range(4), xticklabels=groups, xlabel="key/value heads", ylabel=unit)
    plot.set_title(title, fontsize=10)
    plot.margins(y=0.15)
plt.show()

# %% [markdown]
# Keys and values shrink eightfold, as bytes that have to be kept and read; the network as a whole by a seventh or so, since most of its parameters sit elsewhere. The scores cost what they did: every head still asks its own questions.
#
# ## 5 · The block
#
# A transformer is a pile of identical **blocks**, and a block is two small networks, each wrapped in the same way:
#
# $$
# \begin{aligned}
# x &\leftarrow x + \operatorname{Attention}(\operatorname{LayerNorm}(x)) \\
# x &\leftarrow x + \operatorname{MLP}(\operatorname{LayerNorm}(x))
# \end{aligned}
# $$
#
# Three ideas are in these two lines. **Attention mixes tokens, the MLP does not:** it works on each token by itself, two linear layers with a GELU between them. **Residuals:** a block does not replace the tokens, it *adds* to them. What runs through from the first block to the last is called the residual stream, and gradients run back along it unhindered. **Pre-norm:** the branch sees normalised tokens, the stream itself is left alone. **LayerNorm** takes each token by itself, subtracts the mean of its $D$ entries, divides by their standard deviation, and then scales and shifts each entry by two learned vectors:
#
# $$
# \operatorname{LayerNorm}(x) = \frac{x - \operatorname{mean}(x)}{\sqrt{\operatorname{var}(x) + \varepsilon}} \odot w + b, \qquad \varepsilon = 10^{-6}.
# $$

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(10.5, 2.5))
axes.set(xlim=(0, 105), ylim=(0, 24))
axes.set_axis_off()
arrow = {"arrowstyle": "-|>", "color": style.INK, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}


def box(x, text, color, width=13):
    axes.add_patch(plt.Rectangle((x, 3), width, 7, facecolor=color, alpha=0.18, edgecolor=color))
    axes.text(x + width / 2, 6.5, text, ha="center", va="center", fontsize=9)


axes.annotate("", (103, 19), (2, 19), arrowprops=arrow | {"linewidth": 2.6, "color": style.TERNARY})
axes.text(2, 21, "residual stream x (T, D)", color=style.TERNARY, fontsize=9.5)
for start, middle, color in ((10, "attention\nmixes tokens", style.SERIES[2]),
                             (58, "MLP\neach token alone", style.SERIES[3])):  # fmt: skip
    axes.plot([start - 3, start - 3], [19, 6.5], color=style.INK, linewidth=1.4)
    axes.annotate("", (start, 6.5), (start - 3, 6.5), arrowprops=arrow)
    box(start, "LayerNorm", style.MUTED)
    axes.annotate("", (start + 17, 6.5), (start + 13, 6.5), arrowprops=arrow)
    box(start + 17, middle, color, 17)
    axes.plot([start + 34, start + 38], [6.5, 6.5], color=style.INK, linewidth=1.4)
    axes.annotate("", (start + 38, 17.4), (start + 38, 6.5), arrowprops=arrow)
    axes.plot(start + 38, 19, "o", color="white", markeredgecolor=style.TERNARY, markersize=13)
    axes.text(start + 38, 18.9, "+", ha="center", va="center", fontsize=11)
axes.set_title("A block adds to the stream twice, and never replaces it")
plt.show()

# %% [markdown]
# ### Exercise 5.7: a block (3 points)
#
# Write `layer_norm(x, weight, bias, eps=1e-6)` over the last axis, and `block(x, p, heads, kv_heads)` for tokens $(B, T, D)$. `p` is a dict of arrays with the library's names (and timm's):
#
# | name | shape | |
# |---|---|---|
# | `norm1.weight`, `norm1.bias` | $(D)$ | LayerNorm before the attention |
# | `attn.qkv.weight`, `attn.qkv.bias` | $((H + 2G)d,\ D)$ | tokens to queries, keys, values |
# | `attn.proj.weight`, `attn.proj.bias` | $(D, D)$ | mixes the heads' results, after merging |
# | `norm2.weight`, `norm2.bias` | $(D)$ | LayerNorm before the MLP |
# | `mlp.fc1.weight`, `mlp.fc1.bias` | $(M, D)$ | the wide layer, then `gelu` |
# | `mlp.fc2.weight`, `mlp.fc2.bias` | $(D, M)$ | and back |
#
# A weight is stored as (outputs, inputs), so a layer is `x @ weight.T + bias`. `gelu` is there since the first cell.


# %% nbgrader={"grade": false, "grade_id": "5_7_block", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_norm(x, weight, bias, eps=1e-6):
    """Mean 0 and variance 1 over the last axis, then scaled and shifted."""
    ### BEGIN SOLUTION
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + eps) * weight + bias
    ### END SOLUTION


def block(x, p, heads, kv_heads):
    """x + attention(norm(x)), then x + mlp(norm(x)), for tokens (B, T, D)."""
    ### BEGIN SOLUTION

    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    seen = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    mixed = self_attention(linear(seen, "attn.qkv"), heads, kv_heads)
    x = x + linear(mixed, "attn.proj")
    seen = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    return x + linear(gelu(linear(seen, "mlp.fc1")), "mlp.fc2")
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_7_block_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.7")
def _(layer_norm, block):
    with check.part("LayerNorm", points=1):
        one, nil = np.ones(4), np.zeros(4)
        check.close(
            layer_norm(np.array([[1.0, 3, 1, 3], [10, 30, 10, 30]]), one, nil),
            [[-1, 1, -1, 1]] * 2,
            "Each token by itself: mean 2 and standard deviation 1 here, 20 and 10 in the second. "
            "The variance is the mean of the squares (divided by D, not D - 1).", atol=1e-5,
        )  # fmt: skip
        check.close(
            layer_norm(np.array([[1.0, 3, 1, 3]]), np.array([1.0, 1, 2, 2]), np.array([0.0, 5, 0, 5])),
            [[-1, 6, -2, 7]], "First scaled by the weight, then shifted by the bias.", atol=1e-5,
        )  # fmt: skip
        check.close(
            layer_norm(np.full((1, 4), 7.0), one, nil), np.zeros((1, 4)),
            "A token whose entries are all alike: eps keeps the division from being 0 / 0.",
        )  # fmt: skip
        check.close(
            layer_norm(np.array([[-1e-3, 1e-3]]), one[:2], nil[:2], 3e-6), [[-0.5, 0.5]],
            "eps is added to the variance, inside the root.",
        )  # fmt: skip
    rng = np.random.default_rng(59)

    def parameters(width, heads, kv_heads, hidden):
        rows = width + 2 * kv_heads * (width // heads)
        shapes = {"norm1": (width,), "attn.qkv": (rows, width), "attn.proj": (width, width),
                  "norm2": (width,), "mlp.fc1": (hidden, width), "mlp.fc2": (width, hidden)}  # fmt: skip
        p = {}
        for name, shape in shapes.items():
            p[f"{name}.weight"] = rng.normal(size=shape) / 2 + (len(shape) == 1)
            p[f"{name}.bias"] = rng.normal(size=shape[:1]) / 2
        return p

    def reference(x, p, heads, kv_heads):
        width = x.shape[-1]
        part = tt.nn.EncoderBlock(
            tt.nn.LayerNorm(width), tt.nn.Attention(width, heads, kv_heads), tt.nn.LayerNorm(width),
            tt.nn.Mlp(width, len(p["mlp.fc1.bias"])),
        )  # fmt: skip
        for name, array in part.state_dict().items():
            array[...] = p[name]
        return part(tt.Tensor(x.astype(np.float32))).data

    with check.part("block", points=2):
        p = parameters(8, 2, 2, 12)
        x = 3 * rng.normal(size=(2, 5, 8))
        silent = {name: 0 * array for name, array in p.items()}
        check.close(
            block(x, silent, 2, 2), x,
            "With all weights and biases 0 both branches are 0, and a block leaves its tokens as "
            "they are: it adds, to the tokens that came in and not to the normalised ones.",
        )  # fmt: skip
        mute = p | {
            "mlp.fc2.weight": 0 * p["mlp.fc2.weight"],
            "mlp.fc2.bias": 0 * p["mlp.fc2.bias"],
        }
        check.close(
            block(x, mute, 2, 2), reference(x, mute, 2, 2),
            "With a silent MLP: x + proj(attention(qkv(norm1(x)))). Is the output projection there, "
            "are the biases, and is the norm before the attention (not after the sum)?",
            rtol=1e-3, atol=1e-3,
        )  # fmt: skip
        check.close(
            block(x, p, 2, 2), reference(x, p, 2, 2),
            "The first half is right. The second half starts from the *result* of the first: it is "
            "normalised by norm2, and added to.", rtol=1e-3, atol=1e-3,
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        p = parameters(12, 3, 1, 7)
        x = rng.normal(size=(1, 6, 12))
        check.close(
            block(x, p, 3, 1), reference(x, p, 3, 1), "Three heads with one key and value.",
            rtol=1e-3, atol=1e-3,
        )  # fmt: skip
        bare = {name: 0 * array for name, array in p.items()}
        bare["mlp.fc1.bias"], bare["mlp.fc2.weight"] = np.linspace(-3, 3, 7), p["mlp.fc2.weight"]
        check.close(
            block(x, bare, 3, 1), x + bare["mlp.fc2.weight"] @ gelu(bare["mlp.fc1.bias"]),
            "Only the bias of the wide layer is left, and the layer back. Between the two stands "
            "`gelu` as it is in the first cell: an approximation of it is another function.",
            rtol=1e-6,
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "5_7_block", "wrong": "post-norm: the norm after the sum", "says": "leaves its tokens"}
def layer_norm(x, weight, bias, eps=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + eps) * weight + bias


def block(x, p, heads, kv_heads):
    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    x = x + linear(self_attention(linear(x, "attn.qkv"), heads, kv_heads), "attn.proj")
    x = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    x = x + linear(gelu(linear(x, "mlp.fc1")), "mlp.fc2")
    return layer_norm(x, p["norm2.weight"], p["norm2.bias"])


# %% variant={"of": "5_7_block", "wrong": "the residual is taken from the normalised tokens", "says": "not to the normalised ones"}
def layer_norm(x, weight, bias, eps=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + eps) * weight + bias


def block(x, p, heads, kv_heads):
    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    seen = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    mixed = self_attention(linear(seen, "attn.qkv"), heads, kv_heads)
    x = seen + linear(mixed, "attn.proj")
    seen = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    return x + linear(gelu(linear(seen, "mlp.fc1")), "mlp.fc2")


# %% variant={"of": "5_7_block", "wrong": "no output projection", "says": "output projection"}
def layer_norm(x, weight, bias, eps=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + eps) * weight + bias


def block(x, p, heads, kv_heads):
    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    seen = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    mixed = self_attention(linear(seen, "attn.qkv"), heads, kv_heads)
    x = x + mixed
    seen = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    return x + linear(gelu(linear(seen, "mlp.fc1")), "mlp.fc2")


# %% variant={"of": "5_7_block", "wrong": "the MLP starts from the tokens before the attention", "says": "*result* of the first"}
def layer_norm(x, weight, bias, eps=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + eps) * weight + bias


def block(x, p, heads, kv_heads):
    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    seen = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    mixed = self_attention(linear(seen, "attn.qkv"), heads, kv_heads)
    y = x + linear(mixed, "attn.proj")
    seen = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    return y + linear(gelu(linear(seen, "mlp.fc1")), "mlp.fc2")


# %% variant={"of": "5_7_block", "wrong": "no GELU", "says": "second half"}
def layer_norm(x, weight, bias, eps=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + eps) * weight + bias


def block(x, p, heads, kv_heads):
    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    seen = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    mixed = self_attention(linear(seen, "attn.qkv"), heads, kv_heads)
    x = x + linear(mixed, "attn.proj")
    seen = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    return x + linear(linear(seen, "mlp.fc1"), "mlp.fc2")


# %% variant={"of": "5_7_block", "wrong": "writes into its argument", "says": "changed the array"}
def layer_norm(x, weight, bias, eps=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / np.sqrt(variance + eps) * weight + bias


def block(x, p, heads, kv_heads):
    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    seen = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    mixed = self_attention(linear(seen, "attn.qkv"), heads, kv_heads)
    x += linear(mixed, "attn.proj")
    seen = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    return x + linear(gelu(linear(seen, "mlp.fc1")), "mlp.fc2")


# %% variant={"of": "5_7_block", "wrong": "normalises over the tokens", "says": "by itself"}
def layer_norm(x, weight, bias, eps=1e-6):
    centred = x - x.mean(axis=-2, keepdims=True)
    variance = np.mean(centred**2, axis=-2, keepdims=True)
    return centred / np.sqrt(variance + eps) * weight + bias


def block(x, p, heads, kv_heads):
    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    seen = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    mixed = self_attention(linear(seen, "attn.qkv"), heads, kv_heads)
    x = x + linear(mixed, "attn.proj")
    seen = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    return x + linear(gelu(linear(seen, "mlp.fc1")), "mlp.fc2")


# %% variant={"of": "5_7_block", "wrong": "eps outside the root", "says": "inside the root"}
def layer_norm(x, weight, bias, eps=1e-6):
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = np.mean(centred**2, axis=-1, keepdims=True)
    return centred / (np.sqrt(variance) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    seen = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    mixed = self_attention(linear(seen, "attn.qkv"), heads, kv_heads)
    x = x + linear(mixed, "attn.proj")
    seen = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    return x + linear(gelu(linear(seen, "mlp.fc1")), "mlp.fc2")


# %% variant={"of": "5_7_block", "wrong": "variance divided by D - 1", "says": "divided by D"}
def layer_norm(x, weight, bias, eps=1e-6):
    variance = x.var(axis=-1, keepdims=True, ddof=1)
    return (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(variance + eps) * weight + bias


def block(x, p, heads, kv_heads):
    def linear(x, name):
        return x @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    seen = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    mixed = self_attention(linear(seen, "attn.qkv"), heads, kv_heads)
    x = x + linear(mixed, "attn.proj")
    seen = layer_norm(x, p["norm2.weight"], p["norm2.bias"])
    return x + linear(gelu(linear(seen, "mlp.fc1")), "mlp.fc2")


# %% variant={"of": "5_7_block", "right": "var, and a closure for the norms"}
def layer_norm(x, weight, bias, eps=1e-6):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return weight * ((x - mean) * (variance + eps) ** -0.5) + bias


def block(x, p, heads, kv_heads):
    q = layer_norm(x, p["norm1.weight"], p["norm1.bias"])
    q = np.einsum("btd,nd->btn", q, p["attn.qkv.weight"]) + p["attn.qkv.bias"]
    q = self_attention(q, heads, kv_heads)
    middle = x + (q @ p["attn.proj.weight"].T + p["attn.proj.bias"])
    h = layer_norm(middle, p["norm2.weight"], p["norm2.bias"])
    h = h @ p["mlp.fc1.weight"].T + p["mlp.fc1.bias"]
    return middle + gelu(h) @ p["mlp.fc2.weight"].T + p["mlp.fc2.bias"]


# %% variant={"of": "5_7_block", "right": "mean of squares minus square of the mean; branches as lists of names"}
def layer_norm(x, weight, bias, eps=1e-6):
    m = x.sum(-1, keepdims=True) / x.shape[-1]
    s = (x * x).sum(-1, keepdims=True) / x.shape[-1] - m * m
    return (x - m) / np.sqrt(np.maximum(s, 0) + eps) * weight + bias


def block(x, p, heads, kv_heads):
    def norm(t, n):
        return layer_norm(t, p[n + ".weight"], p[n + ".bias"], 1e-6)

    def layer(t, n):
        return np.dot(t, p[n + ".weight"].T) + p[n + ".bias"]

    after = layer(self_attention(layer(norm(x, "norm1"), "attn.qkv"), heads, kv_heads), "attn.proj")
    after = np.add(x, after)
    return after + layer(gelu(layer(norm(after, "norm2"), "mlp.fc1")), "mlp.fc2")


# %% [markdown] hints={"of": "5_7_block"}
# 1. For the norm: `keepdims=True` lets a mean of one token be subtracted from its entries. On which side of the root does $\varepsilon$ stand?
# 2. For the block: a small inner function `linear(x, name)` that looks up weight and bias saves eight lines. What goes into the branch is normalised; what it is added to is not.

# %% [markdown]
# ## 6 · A whole Vision Transformer
#
# Patches, an embedding, positions, a few blocks, the mean of all tokens, one last LayerNorm and a linear head: that is a ViT. You have written every part of it. Put together, it is this long:


# %%
def forward(images, state, config):
    """Images (B, C, H, W) to logits (B, classes), by this lesson's functions alone."""
    p, C, D = config.patch_size, config.channels, config.width
    # the library's columns run channel, row, column; ours row, column, channel
    weight = state["patch_embed.proj.weight"].reshape(D, C, p, p).transpose(0, 2, 3, 1)
    patches = my.patchify(images.transpose(0, 2, 3, 1), p)
    x = patches @ weight.reshape(D, -1).T + state["patch_embed.proj.bias"]
    x = x + state["pos_embed"]
    for i in range(config.depth):
        of_block = f"blocks.{i}."
        own = {n.removeprefix(of_block): a for n, a in state.items() if n.startswith(of_block)}
        x = my.block(x, own, config.heads, config.key_value_heads)
    pooled = my.layer_norm(x.mean(axis=1), state["norm.weight"], state["norm.bias"])
    return pooled @ state["head.weight"].T + state["head.bias"]


# %% [markdown]
# Only the weights are missing. The library trains a small network for us: two blocks, width 64, four heads, on 1,600 images of cells of four kinds (of eight, if they are real). It takes about ten seconds. (Where Numba is missing a step takes several times as long; the networks of this lesson then train for fewer steps, and know less.)

# %%
from tinyternary.compiled.switch import jit_enabled

fast = jit_enabled()
whole = tt.data.Splits(pictures("train", 1600 if fast else 300), pictures("val", 200), cells)
config = tt.models.preset("lesson", num_classes=whole.train.num_classes)
recipe = {"augment": "none", "epochs": 8 if fast else 3, "lr": 2e-3, "progress": False}
run = tt.train.fit(tt.models.ViT(config, seed=0), whole, seed=0, **recipe)
print(run.model.describe())
print(f"{100 * run.metrics['test']['acc']:.1f} % of {len(cells)} test images right, "
      f"after {run.seconds:.0f} s of training; chance is {100 / config.num_classes:.0f} %")  # fmt: skip

# %% [markdown]
# **Predict, then run.** Now your functions take the weights of that network and compute its logits for 400 test images, in another order of operations, with another implementation of every single part. The logits are float32 and reach three or four. How large is the largest difference to the library's? Write a power of ten: `-1` for 0.1, `-2` for 0.01, and so on.

# %%
my_guess = None  # a power of ten

inputs = run.preprocessing(cells.images)
state = {name: array.copy() for name, array in run.model.state_dict().items()}
theirs = run.model(inputs).data
mine = forward(inputs, state, config)
largest = float(np.abs(mine - theirs).max())
check.predicted(my_guess, float(np.floor(np.log10(largest))), within=1,
                comment=f"It is {largest:.1e}, the rounding of float32. "
                f"The same class for {np.mean(mine.argmax(1) == theirs.argmax(1)):.0%} of the images. "
                "This is not like a ViT. It is one.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.1), width_ratios=(1, 1.3))
left.plot(theirs.ravel(), mine.ravel(), ".", color=style.TERNARY, markersize=3)
edge = [theirs.min(), theirs.max()]
left.plot(edge, edge, color=style.MUTED, linewidth=0.8)
left.set(xlabel="logit of tt.models.ViT", ylabel="logit of your forward",
         title=f"{theirs.size:,} logits")  # fmt: skip
gaps = np.maximum(np.abs(mine - theirs).ravel(), 1e-9)
right.hist(gaps, np.logspace(-9, -2, 50), color=style.TERNARY)
right.axvline(np.finfo(np.float32).eps, color=style.ACCENT, linestyle="--", linewidth=1.2)
right.text(9e-8, 0.9 * right.get_ylim()[1], "float32's\nrounding of 1", color=style.ACCENT,
           fontsize=8.5, ha="right", va="top")  # fmt: skip
right.set(xscale="log", xlabel="difference of a logit", yticks=[],
          title="The largest differs in the last digits only")  # fmt: skip
plt.show()

# %% [markdown]
# ### What has it learned?
#
# Three looks inside. First the **positions**. They were random numbers before training; the library drew them without any idea of a grid.

# %% jupyter={"source_hidden": true}
start = tt.models.ViT(config, seed=0).pos_embed.data[0]
end = state["pos_embed"][0]
place = np.stack(np.divmod(np.arange(49), 7), axis=1)
apart = np.linalg.norm(place[:, None] - place[None], axis=-1)
pairs = np.triu_indices(49, 1)

figure = plt.figure(figsize=(11, 2.9))
left, right = figure.subfigures(1, 2, width_ratios=(1.5, 1))
for axes, (table, t) in zip(left.subplots(1, 4), ((start, 10), (end, 10), (end, 24), (end, 38))):
    similar = cosines(table - table.mean(axis=0))[t].copy()
    similar[t] = np.nan
    axes.imshow(similar.reshape(7, 7), cmap="viridis", vmin=-0.4, vmax=0.6)
    axes.plot(t % 7, t // 7, "s", color=style.ACCENT, markersize=8)
    axes.set(xticks=[], yticks=[])
    name = "before" if table is start else "after"
    axes.set_title(f"token {t}, {name}", loc="center", fontsize=9, fontweight="normal")
left.suptitle("Similarity of one place to the others", x=0.02, ha="left", fontsize=11,
              fontweight="bold")  # fmt: skip
axes = right.subplots()
distances = np.unique(apart[pairs].round(6))
for table, name, color in ((start, "before training", style.FLOAT), (end, "after", style.TERNARY)):
    similar = cosines(table - table.mean(axis=0))[pairs]
    means = [similar[np.isclose(apart[pairs], d)].mean() for d in distances]
    axes.plot(distances, means, ".-", color=color, label=name, linewidth=1)
axes.axhline(0, color=style.MUTED, linewidth=0.6)
axes.set(
    xlabel="distance in patches", ylabel="mean cosine", title="Alike: neighbours, and far corners"
)
axes.legend()
plt.show()

# %% [markdown]
# In these few seconds the table has begun to learn a layout that nobody had told it. Neighbours have become alike. But look at the right end of the curve: so have the places that are *farthest* from each other. These are opposite corners, and the small maps show why: what the network has learned is the middle and the rim. In these images a cell sits in the middle, and what is at the rim is slide, whichever rim. A position is not a coordinate for the network; it is whatever about a place is worth knowing.

# %%
rim = np.any((place == 0) | (place == 6), axis=1)
similar = cosines(end - end.mean(axis=0))
off = ~np.eye(49, dtype=bool)
for name, rows, columns in (("middle and middle", ~rim, ~rim), ("rim and rim", rim, rim),
                            ("middle and rim", ~rim, rim)):  # fmt: skip
    print(f"{name:<18} mean cosine {similar[np.outer(rows, columns) & off].mean():+.2f}")

# %% [markdown]
# Second, the **heads**. Here is where each of the eight heads looks from the patch in the middle, on average over 400 images. The numbers are the smallest and the largest share, in units of an equal share of 1/49.

# %% jupyter={"source_hidden": true}
record = {}
run.model(inputs, record=record)
maps = np.stack([record[f"blocks.{i}.attn"] for i in range(config.depth)])  # (2, B, H, T, T)

figure, axes = plt.subplots(2, 4, figsize=(8.6, 4.3))
for i, line in enumerate(axes):
    for h, one in enumerate(line):
        share = 49 * maps[i, :, h, 24].mean(axis=0)
        one.imshow(share.reshape(7, 7), cmap="magma", vmin=0.3, vmax=1.7)
        one.plot(3, 3, "s", color="white", markersize=4)
        one.set(xticks=[], yticks=[])
        one.set_title(f"block {i}, head {h}: {share.min():.1f} to {share.max():.1f}", loc="center",
                      fontsize=8.5, fontweight="normal")  # fmt: skip
figure.suptitle("Heads divide the work", x=0.01, ha="left", fontsize=11, fontweight="bold")
plt.show()

# %% [markdown]
# Some heads look around themselves, some at the rim, some at everything, at least on average. Nobody has assigned these parts; they differ since they started from different random numbers. In Jupyter, move the sliders and look at single images.


# %% jupyter={"source_hidden": true}
def look(image=0, block=1, head=0, token=24):
    _, (left, right) = plt.subplots(1, 2, figsize=(6, 2.9))
    left.imshow(cells.images[image])
    left.plot(4 * (token % 7) + 1.5, 4 * (token // 7) + 1.5, "s", color=style.ACCENT, markersize=9)
    right.imshow(49 * maps[block, image, head, token].reshape(7, 7), cmap="magma", vmin=0)
    for axes, title in ((left, "the token that asks"), (right, "where it looks")):
        axes.set_axis_off()
        axes.set_title(title)
    plt.show()


course.slider(
    look, image=(0, 39), block=(0, config.depth - 1), head=(0, config.heads - 1), token=(0, 48)
)

# %% [markdown]
# Third, **attention maps** on single images. The head reads the mean of all tokens, so the question "what did the network look at?" becomes: how much of each patch is in that mean? One layer's shares answer for one layer. To follow the way through several, Abnar and Zuidema proposed the **rollout**: average the heads, add the identity for the residual stream, give both half the weight, and multiply the layers' matrices.
#
# $$
# R = \prod_{\text{blocks}} \tfrac12\,\big(\bar A + 1\big), \qquad \text{map}_j = \tfrac1T \sum_i R_{ij} .
# $$


# %%
def rollout(maps):
    """Shares (blocks, H, T, T) of one image to how much of each token is in the mean (T,)."""
    flow = np.eye(maps.shape[-1])
    for layer in maps.mean(axis=1):
        flow = (layer + np.eye(len(layer))) / 2 @ flow
    return flow.mean(axis=0)


# %% jupyter={"source_hidden": true}
chosen = [int(np.flatnonzero(cells.labels == c)[0]) for c in np.unique(cells.labels)[:4]]
figure, axes = plt.subplots(2, len(chosen), figsize=(2.3 * len(chosen), 4.7), squeeze=False)
guesses = theirs.argmax(axis=1)
for column, n in zip(axes.T, chosen):
    flow = rollout(maps[:, n]).reshape(7, 7) * 49
    for one in column:
        one.imshow(cells.images[n])
        one.set_axis_off()
    veil = np.kron(flow, np.ones((4, 4)))
    column[1].imshow(veil, cmap="magma", alpha=0.6, vmin=0.7, vmax=1.5)
    column[0].set_title(
        cells.class_names[cells.labels[n]].removeprefix("phantom "), loc="center", fontsize=9
    )
    right_or_not = "right" if guesses[n] == cells.labels[n] else "wrong"
    column[1].set_title(f"{flow.min():.2f} to {flow.max():.2f}, {right_or_not}", loc="center", fontsize=8.5,
                        fontweight="normal")  # fmt: skip
figure.suptitle("Rollout: 1 would be an equal part of the mean", x=0.01, ha="left", fontsize=11,
                fontweight="bold")  # fmt: skip
plt.show()

# %% [markdown]
# Handle such pictures with care. They show where information *could* have come from, by the shares alone; they say nothing of what the values carried, nor of what the head did with it. A map that lights up the nucleus is not a proof that the network has understood nuclei. It is a good place to find that it has *not*.
#
# ## 7 · Shuffled images
#
# You know now that a ViT learns the layout of an image from a table of positions, and that the table starts as noise. So let us be cruel. We cut every image into patches, shuffle them, and glue them together, in two ways:
#
# - **one shuffle for all:** every image, in training and test, is shuffled by the same permutation;
# - **a shuffle of its own for each:** every image by another.
#
# The images are handwritten digits of 8 × 8 pixels (they come with scikit-learn), cut into 16 patches of 2 × 2. To your eyes both are gone.

# %%
from sklearn.datasets import load_digits

tables, numbers = load_digits(return_X_y=True)
tables = (15.9 * tables).astype(np.uint8).reshape(-1, 8, 8, 1)


def shuffle(data, kind, p, seed):
    """The same data set with the patches of its images in another order."""
    height, width = data.images.shape[1:3]
    patches = my.patchify(data.images, p)
    count, tokens, _ = patches.shape
    if kind == "one":
        orders = np.tile(np.random.default_rng(99).permutation(tokens), (count, 1))
    elif kind == "each":
        orders = np.random.default_rng(seed).random((count, tokens)).argsort(axis=1)
    else:
        return data
    patches = np.take_along_axis(patches, orders[:, :, None], axis=1)
    return replace(data, images=my.unpatchify(patches, p, height, width))


def digits(seed):
    order = np.random.default_rng(seed).permutation(len(numbers))
    cut = {"train": order[: 1197 if fast else 200], "val": order[1197:1297], "test": order[1297:]}
    names = tuple("0123456789")
    return tt.data.Splits(
        *(tt.data.Dataset(tables[rows], numbers[rows], tt.config.Task.MULTI_CLASS, names, "digits", split)
          for split, rows in cut.items())
    )  # fmt: skip


def accuracy_on(data, kind, p, seed, **changes):
    """Percent of the test images that a ViT has right, trained on shuffled ones."""
    data = tt.data.Splits(*(shuffle(part, kind, p, 10 * seed + n) for n, part in enumerate(data)))
    config = tt.models.preset(
        "lesson", image_size=data.train.image_size, channels=data.train.channels, patch_size=p,
        num_classes=data.train.num_classes,
    )  # fmt: skip
    run = tt.train.fit(tt.models.ViT(config, seed=seed), data, seed=seed, **recipe | changes)
    return 100 * run.metrics["test"]["acc"], run


for_digits = {"epochs": 16 if fast else 4, "lr": 4e-3, "batch_size": 32}
kinds = {"none": "as they are", "one": "one shuffle for all", "each": "each its own"}

# %% jupyter={"source_hidden": true}
figure = plt.figure(figsize=(11, 1.45))
some = digits(0).test.subset(slice(4))
for part, kind in zip(figure.subfigures(1, 3, wspace=0.06), kinds):
    for image, one in zip(shuffle(some, kind, 2, 5).images, part.subplots(1, 4)):
        one.imshow(image[..., 0], cmap="gray_r")
        one.set(xticks=[], yticks=[])
    part.suptitle(kinds[kind], x=0.02, ha="left", fontsize=10, fontweight="bold")
plt.show()

# %%
digit_data = digits(0)
on_digits = {"none": accuracy_on(digit_data, "none", 2, 0, **for_digits)[0]}
print(f"digits as they are: {on_digits['none']:.1f} % of {len(digit_data.test)} test images right")

# %% [markdown]
# **Predict, then run.** That is for digits as they are. What does the network get when it is trained and tested on digits that were **all shuffled by the same permutation**? Write a number of percent.

# %%
my_guess = None  # percent right with one shuffle for all

on_digits["one"] = accuracy_on(digit_data, "one", 2, 0, **for_digits)[0]
check.predicted(my_guess, on_digits["one"], within=3, unit=" %",
                comment=f"As they are: {on_digits['none']:.1f} %.")  # fmt: skip

# %% [markdown]
# A picture that you could not read to save your life is as easy as the original. It is not that the network is clever. To a ViT the two tasks **are the same task**: token 5 has another place in the sentence, and its row in the table of positions is noise at the start in either case. What differs is only which noise. We can even turn the trained network of section 6 into one for shuffled images without any training, by shuffling the rows of its table:

# %%
order = np.random.default_rng(4).permutation(49)
jumbled = my.unpatchify(my.patchify(inputs.transpose(0, 2, 3, 1), 4)[:, order], 4, 28, 28)
jumbled = jumbled.transpose(0, 3, 1, 2)
carried = state | {"pos_embed": state["pos_embed"][:, order]}
for name, table in (("its own table", state), ("a table shuffled along", carried)):
    logits = forward(jumbled, table, config)
    print(f"shuffled images, {name:<23} {np.mean(logits.argmax(1) == cells.labels):6.1%} right, "
          f"logits off by {np.abs(logits - mine).max():.0e}")  # fmt: skip

# %% [markdown]
# A shuffle of its own for each image is another matter. Then no table can help: where a patch stands says nothing any more, and what remains is the bag of patches. For digits, which are made of strokes that only mean something in their places, the bag is poor:

# %%
on_digits["each"] = accuracy_on(digit_data, "each", 2, 0, **for_digits)[0]
print(f"digits, each with a shuffle of its own: {on_digits['each']:.1f} % right")

# %% [markdown]
# **Predict, then run.** And the cells? The network of section 6 is trained again, on cells that are each shuffled in their own way. How many *points* of accuracy does it lose?

# %%
my_guess = None  # points lost

on_cells = {"none": 100 * run.metrics["test"]["acc"]}
on_cells["each"] = accuracy_on(whole, "each", 4, 0)[0]
check.predicted(my_guess, on_cells["none"] - on_cells["each"], within=3, unit=" points",
                comment="Colour, texture, how much nucleus there is: most of it survives the shuffle.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure = plt.figure(figsize=(11, 3.4))
left, right = figure.subfigures(1, 2, width_ratios=(1.25, 1))
axes = left.subplots(1, 2, sharey=True)
for one, results, chance, title in (
    (axes[0], on_digits, 10, "digits, 16 patches"),
    (axes[1], on_cells, 100 / config.num_classes, "cells, 49 patches"),
):
    colors = {"none": style.FLOAT, "one": style.TERNARY, "each": style.ACCENT}
    bars = one.bar([kinds[k].replace(" for", "\nfor").replace("they", "\nthey").replace("its", "\nits") for k in results],
                   results.values(), color=[colors[k] for k in results], width=0.6)  # fmt: skip
    one.bar_label(bars, fmt="%.1f", fontsize=9)
    one.axhline(chance, color=style.MUTED, linestyle=":", linewidth=1.2)
    one.text(len(results) - 0.62, chance, "chance", fontsize=8, color=style.MUTED, va="bottom")
    one.set_xlim(-0.5, len(results) - 0.1)
    one.set(ylim=(0, 108), title=title)
    one.tick_params(axis="x", labelsize=8.5)
axes[0].set_ylabel("test accuracy, %")
few = shuffle(cells.subset(slice(4)), "each", 4, 0)
for n, one in enumerate(right.subplots(2, 4).T):
    one[0].imshow(cells.images[n])
    one[1].imshow(few.images[n])
    for axis in one:
        axis.set_axis_off()
right.suptitle("Four cells, and their bags of patches", x=0.02, ha="left", fontsize=11,
               fontweight="bold")  # fmt: skip
plt.show()

# %% [markdown]
# Keep this as a tool. A network trained on shuffled patches measures how much of your task is *layout* and how much is a heap of textures, and for the cells here the answer is humbling. If your network reaches nearly the same without any layout, do not write in the abstract that it recognises shapes.
#
# (One training run each, and the numbers move a little with the seed. The course's tests repeat the digits with three seeds: on average one shuffle for all costs less than three points, each its own more than ten, the lower end of a 95 % interval.)
#
# ## 8 · What it costs
#
# Before you train a network you can know exactly how large it is, and how much it computes. The unit is the **MAC**, one multiply-accumulate: a product of $(T, K)$ with $(K, N)$ takes $T \cdot K \cdot N$ of them. Additions of biases, norms, softmax and GELU are not counted as MACs: for networks of the usual width they are a small part.
#
# ### Exercise 5.8: count (3 points)
#
# Write `count(tokens, patch, width, depth, heads, kv_heads, hidden, classes)`, which returns `(parameters, macs)` for one image. It is the network of section 6, mean pooling and all: `tokens` patches of `patch` numbers each ($p\,p\,C$); learned positions; `depth` blocks as in 5.7, biases included, with an MLP `hidden` wide; a last LayerNorm; a head with `classes` outputs. All integers.
#
# Go through `forward` and the table of 5.7 line by line. Do not forget that attention multiplies two pairs of matrices that are not weights.


# %% nbgrader={"grade": false, "grade_id": "5_8_count", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    """Parameters and multiply-accumulates of a ViT, for one image."""
    ### BEGIN SOLUTION
    rows = width + 2 * kv_heads * (width // heads)  # outputs of the qkv matrix
    matrices = width * (rows + width + 2 * hidden)  # weights of one block
    biases = rows + width + hidden + width
    norms = 2 * 2 * width
    parameters = (
        (patch + 1) * width + tokens * width + depth * (matrices + biases + norms)
        + 2 * width + (width + 1) * classes
    )  # fmt: skip
    mixing = 2 * tokens**2 * width  # scores and mix, all heads
    macs = tokens * patch * width + depth * (tokens * matrices + mixing) + width * classes
    return parameters, macs
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_8_count_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.8")
def _(count):
    def arguments(c):
        return (c.tokens, c.patch_size**2 * c.channels, c.width, c.depth, c.heads,
                c.key_value_heads, c.mlp_width, c.num_classes)  # fmt: skip

    small = tt.models.preset("tiny", depth=1, num_classes=5)
    with check.part("parameters", points=1):
        have, want = count(*arguments(small))[0], tt.cost.analyze(small).parameters
        check.equal(
            have, want,
            "Parameters of one block, width 64, 49 tokens, patches of 48 numbers: every matrix of "
            "the table with its bias, two vectors for each LayerNorm (the last one too), the "
            f"table of positions, the embedding, the head. You are off by {have - want}.",
        )  # fmt: skip
        shared = tt.models.preset("tiny", kv_heads=1)
        check.equal(
            count(*arguments(shared))[0], tt.cost.analyze(shared).parameters,
            "Four blocks, four heads with one key and value for all: how many rows has the qkv "
            "matrix now?",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        for c in (tt.models.preset("small"), tt.models.preset("small", kv_heads=1, patch_size=7)):
            check.equal(count(*arguments(c))[0], tt.cost.analyze(c).parameters, "A larger one.")
        narrow = tt.models.preset("tiny", mlp_width=100)
        check.equal(
            count(*arguments(narrow))[0], tt.cost.analyze(narrow).parameters,
            "Width 64 and an MLP that is 100 wide: `hidden` need not be four times the width.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("multiply-accumulates", points=2):
        check.true(
            all(isinstance(n, int) for n in count(*arguments(small))),
            "Both counts are whole numbers, of type int: `//` divides without a remainder.",
        )
        have, want = count(*arguments(small))[1], tt.cost.analyze(small).macs
        check.equal(
            have, want,
            "MACs of the same small network: each weight of a block is used once for every token, "
            "the head's only once; scores and mix are products of matrices as well. "
            f"You are off by {have - want}.",
        )  # fmt: skip
        shared = tt.models.preset("tiny", kv_heads=1)
        check.equal(
            count(*arguments(shared))[1], tt.cost.analyze(shared).macs,
            "One key and value for all: the qkv product shrinks, but every head still compares "
            "its queries with all keys.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        for c in (tt.models.preset("small", patch_size=7), tt.models.preset("bitmedvit")):
            check.equal(count(*arguments(c))[1], tt.cost.analyze(c).macs, "A larger one.")
        narrow = tt.models.preset("tiny", mlp_width=100)
        check.equal(
            count(*arguments(narrow))[1], tt.cost.analyze(narrow).macs,
            "Width 64 and an MLP that is 100 wide: `hidden` need not be four times the width.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "5_8_count", "wrong": "attention's two products forgotten", "says": "scores and mix"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    rows = width + 2 * kv_heads * (width // heads)
    matrices = width * (rows + width + 2 * hidden)
    extra = rows + 2 * width + hidden + 4 * width
    parameters = (
        (patch + 1 + tokens) * width
        + depth * (matrices + extra)
        + 2 * width
        + (width + 1) * classes
    )
    return parameters, tokens * patch * width + depth * tokens * matrices + width * classes


# %% variant={"of": "5_8_count", "wrong": "sharing also shrinks the scores", "says": "every head still compares"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width // heads
    rows = width + 2 * kv_heads * d
    matrices = width * (rows + width + 2 * hidden)
    extra = rows + 2 * width + hidden + 4 * width
    parameters = (
        (patch + 1 + tokens) * width
        + depth * (matrices + extra)
        + 2 * width
        + (width + 1) * classes
    )
    mixing = 2 * tokens**2 * kv_heads * d
    return parameters, tokens * patch * width + depth * (
        tokens * matrices + mixing
    ) + width * classes


# %% variant={"of": "5_8_count", "wrong": "the head runs on every token", "says": "only once"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    rows = width + 2 * kv_heads * (width // heads)
    matrices = width * (rows + width + 2 * hidden)
    extra = rows + 2 * width + hidden + 4 * width
    parameters = (
        (patch + 1 + tokens) * width
        + depth * (matrices + extra)
        + 2 * width
        + (width + 1) * classes
    )
    mixing = 2 * tokens**2 * width
    return parameters, tokens * (
        patch * width + depth * matrices + width * classes
    ) + depth * mixing


# %% variant={"of": "5_8_count", "wrong": "no positions, no last norm", "says": "table of positions"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    rows = width + 2 * kv_heads * (width // heads)
    matrices = width * (rows + width + 2 * hidden)
    extra = rows + 2 * width + hidden + 4 * width
    parameters = (patch + 1) * width + depth * (matrices + extra) + (width + 1) * classes
    mixing = 2 * tokens**2 * width
    return parameters, tokens * patch * width + depth * (
        tokens * matrices + mixing
    ) + width * classes


# %% variant={"of": "5_8_count", "wrong": "one qkv row count, 3 D, for any sharing", "says": "how many rows"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    matrices = width * (4 * width + 2 * hidden)
    extra = 5 * width + hidden + 4 * width
    parameters = (
        (patch + 1 + tokens) * width
        + depth * (matrices + extra)
        + 2 * width
        + (width + 1) * classes
    )
    mixing = 2 * tokens**2 * width
    return parameters, tokens * patch * width + depth * (
        tokens * matrices + mixing
    ) + width * classes


# %% variant={"of": "5_8_count", "wrong": "the square of the tokens counted once for every head's full width"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    rows = width + 2 * kv_heads * (width // heads)
    matrices = width * (rows + width + 2 * hidden)
    extra = rows + 2 * width + hidden + 4 * width
    parameters = (
        (patch + 1 + tokens) * width
        + depth * (matrices + extra)
        + 2 * width
        + (width + 1) * classes
    )
    mixing = 2 * tokens**2 * width * heads
    return parameters, tokens * patch * width + depth * (
        tokens * matrices + mixing
    ) + width * classes


# %% variant={"of": "5_8_count", "right": "a list of layers"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    d = width // heads
    layers = [(patch, width, tokens), (width, classes, 1)]
    for _ in range(depth):
        layers += [(width, (heads + 2 * kv_heads) * d, tokens), (width, width, tokens),
                   (width, hidden, tokens), (hidden, width, tokens)]  # fmt: skip
    parameters = sum(k * n + n for k, n, _ in layers)
    parameters += tokens * width + (2 * depth + 1) * 2 * width
    macs = sum(k * n * t for k, n, t in layers)
    macs += depth * heads * (tokens * d * tokens + tokens * tokens * d)
    return parameters, macs


# %% variant={"of": "5_8_count", "right": "by adding up sizes of empty arrays"}
def count(tokens, patch, width, depth, heads, kv_heads, hidden, classes):
    qkv = (heads + 2 * kv_heads) * (width // heads)
    inside = {
        "qkv": (qkv, width),
        "proj": (width, width),
        "fc1": (hidden, width),
        "fc2": (width, hidden),
    }
    weights = sum(a * b for a, b in inside.values())
    one = weights + sum(a for a, _ in inside.values()) + 4 * width
    parameters = depth * one + width * (patch + tokens + 3) + classes * (width + 1)
    return parameters, depth * tokens * (weights + 2 * tokens * width) + width * (
        tokens * patch + classes
    )


# %% [markdown] hints={"of": "5_8_count"}
# 1. Write a helper list first: for each matrix its inputs, its outputs and on how many rows it works. Parameters and MACs both come out of it.
# 2. For one head the scores are a product of $(T, d)$ with $(d, T)$. And then there are $H$ heads, and then the mix. In all that is a multiple of $T^2 D$.

# %% [markdown]
# Your formula against the cost model of the library, `tt.cost.analyze`, which walks through the network step by step:

# %%
for name in ("lesson", "tiny", "small", "bitmedvit"):
    c = tt.models.preset(name)
    report = tt.cost.analyze(c)
    _, macs = my.count(c.tokens, c.patch_size**2 * c.channels, c.width, c.depth, c.heads,
                       c.key_value_heads, c.mlp_width, c.num_classes)  # fmt: skip
    print(f"{name:<10} {report.parameters:>10,} parameters {macs:>15,} MACs, "
          f"the library: {report.macs:>15,}")  # fmt: skip

# %% [markdown]
# BitMedViT's paper says 11.5 "GOPs", and here they are, to the last digit that it prints: what it counts are MACs. (Its blocks have no LayerNorm before the MLP and no biases in it, so your count of parameters is not meant for it; MACs do not mind.)
#
# **Predict, then run.** Linear layers cost a multiple of $T$, attention's two products a multiple of $T^2$. From how many tokens on do the two products cost *more* than all the linear layers of a BitMedViT block? (It has 1,024 tokens: images of 224 × 224, patches of 7.)

# %%
my_guess = None  # tokens

c = tt.models.preset("bitmedvit")
linear_weights = c.width * (c.qkv_width + c.width + 2 * c.mlp_width)
crossing = linear_weights / (2 * c.width)
check.predicted(my_guess, float(crossing), within=600, unit=" tokens",
                comment=f"An image of {7 * np.sqrt(crossing):.0f} pixels a side. Below that, the "
                "famous quadratic cost is not where the work is.")  # fmt: skip

# %% jupyter={"source_hidden": true}
GROUPS = {"patch_embed": "patches", "qkv": "qkv", "scores": "scores", "values": "mix",
          "proj": "projection", "fc1": "MLP", "fc2": "MLP", "head": "head"}  # fmt: skip


def by_group(config):
    sums = dict.fromkeys(GROUPS.values(), 0)
    for layer in tt.cost.analyze(config).layers:
        if layer.step.macs:
            key = "patch_embed" if "patch" in layer.step.name else layer.step.name.split(".")[-1]
            sums[GROUPS[key]] += layer.step.macs
    return sums


figure, axes = plt.subplots(1, 3, figsize=(11.5, 3.1), width_ratios=(1, 1, 1.15))
for one, name in zip(axes, ("lesson", "bitmedvit")):
    sums = by_group(tt.models.preset(name))
    total = sum(sums.values())
    colors = [style.ACCENT if k in ("scores", "mix") else style.FLOAT for k in sums]
    bars = one.barh(list(sums), [100 * s / total for s in sums.values()], color=colors, height=0.65)
    one.bar_label(bars, fmt="%.1f %%", fontsize=8.5, padding=2)
    one.invert_yaxis()
    one.set(
        xlim=(0, 78), xlabel="percent of the MACs", title=f"{name}: {total / 1e6:,.0f} million MACs"
    )
T = np.geomspace(16, 16384, 80)
share = 2 * T * c.width / (2 * T * c.width + linear_weights)
axes[2].plot(T, 100 * share, color=style.ACCENT)
for tokens, name in ((1024, "BitMedViT"), (crossing, f"{crossing:.0f}")):
    y = 100 * 2 * tokens * c.width / (2 * tokens * c.width + linear_weights)
    axes[2].plot(tokens, y, "o", color=style.INK)
    axes[2].annotate(name, (tokens, y), (-7, 5), textcoords="offset points", ha="right", fontsize=9)
axes[2].set(xscale="log", xlabel="tokens T", ylabel="percent", ylim=(0, 100),
            title="Scores and mix, share of a block")  # fmt: skip
style.grid_behind(axes[2])
plt.show()

# %% [markdown]
# The MLP is where a ViT spends its time: more than half of it in BitMedViT. It is also the part that BitMedViT makes ternary, by default the only one: where the work is, there is something to save.
#
# ## 9 · The museum of bugs
#
# Two exhibits. Each is code that somebody might well have written, and shows nothing but its symptoms. Read them, find the line, repair it.
#
# ### Exhibit A: it learns
#
# Most libraries keep images as $(B, C, H, W)$, channels first. A colleague has written the scissors for that order, and a patch is meant to come out in the order channel, row, column, as in `tt.models.ViT`:


# %% tags=["exhibit"]
def unfold_exhibit(batch, side):
    """(B, C, H, W) to (B, T, C p p). Exhibit A: read, but do not trust."""
    count, channels, height, width = batch.shape
    rows, columns = height // side, width // side
    axes = batch.reshape(count, channels, rows, side, columns, side)
    axes = axes.transpose(0, 2, 3, 1, 4, 5)
    return axes.reshape(count, rows * columns, channels * side * side)


# %% [markdown]
# "It trains", says the colleague, and shows a curve: digits, training loss epoch by epoch, and the accuracy at the end. No error, no warning, the right shape. A suspicious friend draws the "patches" as pictures.

# %%
tokens = unfold_exhibit(cells.images[5:6].transpose(0, 3, 1, 2), 4)[0]
print("shape:", tokens.shape)

through_exhibit = tt.data.Splits(
    *(replace(part, images=my.unpatchify(unfold_exhibit(part.images.transpose(0, 3, 1, 2), 2), 2, 8, 8))
      for part in digit_data)
)  # fmt: skip
strange, strange_run = accuracy_on(through_exhibit, "none", 2, 0, **for_digits)
print(
    f"digits, tokens of the exhibit: {strange:.1f} % right; good tokens: {on_digits['none']:.1f} %"
)

# %% jupyter={"source_hidden": true}
figure = plt.figure(figsize=(11, 3.1))
left, middle, right = figure.subfigures(1, 3, width_ratios=(1.25, 1, 1))
axes = left.subplots()
losses = strange_run.history["train_loss"]
axes.plot(range(1, len(losses) + 1), losses, "o-", color=style.TERNARY, markersize=3.5)
axes.set(xlabel="epoch", ylabel="training loss", ylim=(0, None),
         title=f"“It trains”: {strange:.0f} % right")  # fmt: skip
axes = middle.subplots()
axes.imshow(cells.images[5])
axes.set_axis_off()
axes.set_title("the image")
small = right.subplots(7, 7, gridspec_kw={"wspace": 0.05, "hspace": 0.05})
for token, axes in zip(tokens, small.ravel()):
    axes.imshow(token.reshape(3, 4, 4).transpose(1, 2, 0))
    axes.set_axis_off()
right.suptitle("its 49 “patches”, in their places", x=0.02, ha="left", fontsize=11,
               fontweight="bold")  # fmt: skip
plt.show()

# %% [markdown]
# ### Exercise 5.9: repair exhibit A (2 points)
#
# Write `unfold(images, p)` as it was meant: $(B, C, H, W)$ to $(B, T, C\,p\,p)$, patches in reading order, within a patch channel after channel, each in reading order.


# %% nbgrader={"grade": false, "grade_id": "5_9_unfold", "locked": false, "schema_version": 3, "solution": true, "task": false}
def unfold(images, p):
    """(B, C, H, W) to (B, T, C p p): channel, row, column within a patch."""
    ### BEGIN SOLUTION
    B, C, H, W = images.shape
    x = images.reshape(B, C, H // p, p, W // p, p)
    x = x.transpose(0, 2, 4, 1, 3, 5)  # (B, rows, columns, C, p, p)
    return x.reshape(B, (H // p) * (W // p), C * p * p)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_9_unfold_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.9")
def _(unfold):
    gray = np.arange(24).reshape(1, 1, 4, 6)
    check.equal(
        np.asarray(unfold(gray, 2))[0, 0], [0, 1, 6, 7],
        "The first token of a numbered image of 4 rows and 6 columns should be a square. Give the "
        "six axes their names, in the order after the transpose: which have to become T?",
    )  # fmt: skip
    check.equal(
        np.asarray(unfold(gray, 2))[0, 1],
        [2, 3, 8, 9],
        "The second token is to the right of the first.",
    )
    color = np.arange(2 * 3 * 4 * 6).reshape(2, 3, 4, 6)
    check.equal(
        np.asarray(unfold(color, 2))[1, 0], color[1, :, :2, :2].ravel(),
        "With colour: all pixels of the first channel, then those of the second.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    images = np.random.default_rng(60).normal(size=(2, 3, 12, 6)).astype(np.float32)
    library = tt.nn.PatchEmbed(3, 3, 8).unfold(images)
    check.equal(unfold(images, 3), library, "Other than the library's PatchEmbed.unfold.")
    ### END HIDDEN TESTS


# %% variant={"of": "5_9_unfold", "wrong": "the exhibit itself", "says": "should be a square"}
def unfold(images, p):
    B, C, H, W = images.shape
    x = images.reshape(B, C, H // p, p, W // p, p).transpose(0, 2, 3, 1, 4, 5)
    return x.reshape(B, (H // p) * (W // p), C * p * p)


# %% variant={"of": "5_9_unfold", "wrong": "columns and rows of patches changed over", "says": "to the right"}
def unfold(images, p):
    B, C, H, W = images.shape
    x = images.reshape(B, C, H // p, p, W // p, p).transpose(0, 4, 2, 1, 3, 5)
    return x.reshape(B, -1, C * p * p)


# %% variant={"of": "5_9_unfold", "wrong": "channels last within the patch", "says": "first channel"}
def unfold(images, p):
    B, C, H, W = images.shape
    x = images.reshape(B, C, H // p, p, W // p, p).transpose(0, 2, 4, 3, 5, 1)
    return x.reshape(B, -1, C * p * p)


# %% variant={"of": "5_9_unfold", "wrong": "each patch turned over", "says": "should be a square"}
def unfold(images, p):
    B, C, H, W = images.shape
    x = images.reshape(B, C, H // p, p, W // p, p).transpose(0, 2, 4, 1, 5, 3)
    return x.reshape(B, -1, C * p * p)


# %% variant={"of": "5_9_unfold", "right": "through patchify, then the channels moved"}
def unfold(images, p):
    patches = patchify(images.transpose(0, 2, 3, 1), p)
    B, T, width = patches.shape
    return patches.reshape(B, T, p * p, -1).swapaxes(2, 3).reshape(B, T, width)


# %% variant={"of": "5_9_unfold", "right": "sliding windows"}
def unfold(images, p):
    from numpy.lib.stride_tricks import sliding_window_view

    x = sliding_window_view(images, (p, p), (2, 3))[:, :, ::p, ::p]
    return x.transpose(0, 2, 3, 1, 4, 5).reshape(len(images), -1, images.shape[1] * p * p)


# %% [markdown] hints={"of": "5_9_unfold"}
# 1. What do the pictures show: squares of the image, or something flatter? How many image rows does one of them reach over?
# 2. After the reshape the axes are: image, channel, row of patches, row within the patch, column of patches, column within the patch. Read off the order that the transpose makes of them.

# %% [markdown]
# The moral of exhibit A: a network is a very forgiving thing. It made as much of strips as of squares, and the loss had nothing to report. **Look at your data where it enters the network**, not where it leaves the disk.
#
# ### Exhibit B: it leaks
#
# Images of different sizes give sequences of different lengths. To put them in one batch, the short ones are filled up with rubbish tokens, and a mask `seen` says which tokens are real. A masked token must not be looked at: its share has to be 0.


# %% tags=["exhibit"]
def masked_exhibit(queries, keys, values, seen):
    """Attention (B, T, d) to the tokens with seen (B, T) true. Exhibit B: do not trust."""
    S = queries @ keys.swapaxes(1, 2) / np.sqrt(queries.shape[-1])  # (B, T, T)
    S = np.where(seen[:, None, :], S, -1e9)
    E = np.exp(S - S.max(axis=1, keepdims=True))
    A = E / E.sum(axis=1, keepdims=True)
    return A @ values, A


# %% [markdown]
# The symptoms, on one image of five real tokens and three of rubbish:

# %%
rng = np.random.default_rng(61)
q, k, v = rng.normal(size=(3, 1, 8, 16))
seen = np.array([[True] * 5 + [False] * 3])
mixed, shares = masked_exhibit(q, k, v, seen)
print("rows add up to   ", shares[0].sum(axis=1).round(2))
print("columns add up to", shares[0].sum(axis=0).round(2))
rubbish = v.copy()
rubbish[0, 5:] += 10.0  # what stands in a masked token should not matter to anyone
moved = np.abs(masked_exhibit(q, k, rubbish, seen)[0] - mixed).max()
print(f"other rubbish in the masked tokens moves the result by {moved:.2f}")

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.2), width_ratios=(1.25, 1))
picture = left.imshow(shares[0], cmap="viridis", vmin=0)
left.axvspan(4.5, 7.5, facecolor="none", edgecolor=style.ACCENT, linewidth=2)
left.set(xlabel="token that is asked (framed: masked)", ylabel="token that asks",
         title="The masked columns are not dark")  # fmt: skip
figure.colorbar(picture, ax=left, label="share")
right.bar(range(8), shares[0].sum(axis=1), color=style.FLOAT)
right.axhline(1, color=style.ACCENT, linestyle="--", linewidth=1.2)
right.set(xlabel="token that asks", ylabel="sum of its shares", title="Some get more than others")
plt.show()

# %% [markdown]
# ### Exercise 5.10: repair exhibit B (2 points)
#
# Write `masked_attention(q, k, v, seen)`, which returns `(mixed, shares)`: $q$, $k$, $v$ are $(B, T, d)$, `seen` is $(B, T)$. Every row adds up to 1, and masked tokens get exactly 0. At least one token of each image is real.


# %% nbgrader={"grade": false, "grade_id": "5_10_masked_attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_attention(q, k, v, seen):
    """Attention to the real tokens only: mixed (B, T, d) and shares (B, T, T)."""
    ### BEGIN SOLUTION
    scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    scores = np.where(seen[:, None, :], scores, -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "5_10_masked_attention_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("5.10")
def _(masked_attention):
    rng = np.random.default_rng(62)
    q, k, v = rng.normal(size=(3, 2, 6, 4))
    seen = np.array([[True] * 6, [True, True, False, True, False, False]])
    mixed, shares = masked_attention(q, k, v, seen)
    shares = np.asarray(shares)
    check.close(
        shares.sum(axis=-1), np.ones((2, 6)),
        "Each token that asks hands out shares that add up to 1, its row of the matrix.",
    )  # fmt: skip
    check.equal(
        shares[1][:, ~seen[1]], np.zeros((6, 3)),
        "Masked tokens get a share of exactly 0, from everybody: they are columns of the matrix. "
        "Does the mask stand before the softmax?",
    )  # fmt: skip
    check.close(
        masked_attention(q, k, v + 100 * ~seen[:, :, None], seen)[0], mixed,
        "What stands in a masked token must not matter.",
    )  # fmt: skip
    alone = [0, 1, 3]
    powers = np.exp(q[1][alone] @ k[1][alone].T / 2)
    check.close(
        np.asarray(mixed)[1][alone], powers / powers.sum(-1, keepdims=True) @ v[1][alone],
        "An image with three real tokens should get what it gets without any filling.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    large = np.asarray(masked_attention(q, 1e4 * k, v, seen)[1])
    check.close(
        large.sum(axis=-1), np.ones((2, 6)),
        "Large scores: subtract the largest of each row, as in exercise 5.2, and of the tokens "
        "that may be seen: a masked one may have a larger score.",
    )  # fmt: skip
    check.equal(large[1][:, ~seen[1]], np.zeros((6, 3)), "Large scores: masked tokens still get 0.")
    ### END HIDDEN TESTS


# %% variant={"of": "5_10_masked_attention", "wrong": "the exhibit itself", "says": "its row"}
def masked_attention(q, k, v, seen):
    scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    scores = np.where(seen[:, None, :], scores, -1e9)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = powers / powers.sum(axis=1, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_10_masked_attention", "wrong": "rows right, but the mask hides those who ask", "says": "columns of the matrix"}
def masked_attention(q, k, v, seen):
    scores = np.where(seen[:, :, None], q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]), -1e9)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_10_masked_attention", "wrong": "mask after the softmax, rows no longer whole", "says": "add up to 1"}
def masked_attention(q, k, v, seen):
    scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = powers / powers.sum(axis=-1, keepdims=True) * seen[:, None, :]
    return shares @ v, shares


# %% variant={"of": "5_10_masked_attention", "wrong": "masked scores set to 0: still a share", "says": "exactly 0"}
def masked_attention(q, k, v, seen):
    scores = np.where(seen[:, None, :], q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]), 0)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_10_masked_attention", "wrong": "forgets the root on the way"}
def masked_attention(q, k, v, seen):
    scores = np.where(seen[:, None, :], q @ k.swapaxes(1, 2), -np.inf)
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares = powers / powers.sum(axis=-1, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_10_masked_attention", "wrong": "the largest score is taken over masked tokens too", "says": "may be seen"}
def masked_attention(q, k, v, seen):
    scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    with np.errstate(all="ignore"):
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True)) * seen[:, None, :]
        shares = powers / powers.sum(axis=-1, keepdims=True)
        return shares @ v, shares


# %% variant={"of": "5_10_masked_attention", "right": "the exhibit with its axis set right"}
def masked_attention(q, k, v, seen):
    scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    scores = np.where(seen[:, None, :], scores, -1e9)
    powers = np.exp(scores - scores.max(axis=2, keepdims=True))
    shares = powers / powers.sum(axis=2, keepdims=True)
    return shares @ v, shares


# %% variant={"of": "5_10_masked_attention", "right": "powers of masked tokens set to zero"}
def masked_attention(q, k, v, seen):
    real = seen[:, None, :]
    scores = q @ k.swapaxes(1, 2) * q.shape[-1] ** -0.5
    top = np.max(scores, axis=2, keepdims=True, where=real, initial=-np.inf)
    powers = np.where(real, np.exp(np.minimum(scores - top, 0)), 0)
    shares = powers / powers.sum(axis=2, keepdims=True)
    return np.einsum("bts,bsd->btd", shares, v), shares


# %% variant={"of": "5_10_masked_attention", "right": "image after image, without the filling"}
def masked_attention(q, k, v, seen):
    B, T, _ = q.shape
    shares = np.zeros((B, T, T))
    for b in range(B):
        _, part = attention(q[b], k[b][seen[b]], v[b][seen[b]])
        shares[b][:, seen[b]] = part
    return shares @ v, shares


# %% [markdown] hints={"of": "5_10_masked_attention"}
# 1. Which of the two sums, rows or columns, ought to be 1? Which are? So along which axis was the softmax taken?
# 2. Why did the masked columns come out uniform and not 0? Work out by hand what a softmax makes of a column in which every entry is $-10^9$.

# %% [markdown]
# The moral of exhibit B: test a mask by **changing what it hides**. If anything moves, it leaks. (The printed sums would have told as well, had anyone printed them.)
#
# ## 10 · In words

# %% [markdown] nbgrader={"grade": true, "grade_id": "5_11_words", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### Exercise 5.11: what does it know before it is trained? (3 points)
#
# A colleague has 600 ultrasound images and wants to train a ViT from scratch, "since transformers have overtaken convolutional networks". What does a CNN know about images before the first step of training that a ViT does not? Which result of this lesson shows it? And what follows for a small medical data set: name two things that your colleague could do. Write five to ten sentences.
#
# ### BEGIN SOLUTION
# A convolution has two assumptions about images built in. Locality: a unit sees a small neighbourhood, so that pixels near each other are combined first. Weight sharing over places: the same filter is used everywhere, so that a feature learned in one corner is known in all others (translation equivariance). A ViT has almost none of that. Within a patch it knows what belongs together, since the patch is cut as a square, and the patch embedding is shared over places; beyond that the layout is in the table of positions, which is noise at first. The shuffled digits show it: with one shuffle for all images the ViT learns as well as on the originals, so that it cannot have used the neighbourhood of patches before it learned it from data. A CNN would suffer, since its windows would see patches that do not belong together.
#
# What is not built in has to be learned, and that takes images: with 600 a ViT from scratch is likely to overfit where a CNN still generalises; with very many the freedom becomes an advantage, as Dosovitskiy et al. found. So the colleague could start from pretrained weights (by ImageNet, or self-supervised on unlabelled ultrasound images); distil from a CNN or a large teacher; augment strongly (shifts and small rotations teach what a convolution has for free); give the network some of the knowledge (overlapping patches by a convolutional stem, sine-cosine positions, smaller networks); or take a CNN. Whatever is chosen should be compared with a plain CNN on the same splits over several seeds: with this few images one run says little.
# ### END SOLUTION

# %% [markdown] rubric={"of": "5_11_words"}
# - **1 point** for what a CNN has built in: locality *and* sharing of filters over places (translation equivariance), in whatever words. Half a point for one of the two. "CNNs are better with images" is nothing.
# - **1 point** for the evidence: one fixed shuffle costs nothing (or: equivariance without positions; or the positions that start as noise), *with* the reason why that shows a lack of built-in knowledge. Half a point for the result without the reason. That each-its-own shuffle hurts the digits is not the evidence: it would hurt any network.
# - **1 point** for two sensible measures with a reason each (pretraining, distillation, augmentation, convolutional stem or overlapping patches, a smaller network, a CNN, a fair comparison over seeds). Half a point for one. "More data" counts only with a word on where it should come from.
# - A mark of quality, without points: the answer says that a ViT is *not* free of assumptions (patches are squares; their embedding is shared).

# %% [markdown]
# ## Recap
#
# - **Patches:** reshape to six axes, one transpose, reshape. A reshape moves nothing; look at the pictures of your patches.
# - **Attention:** each token compares its query with all keys; a softmax along the tokens that are *asked* makes shares; it gets their mix of values. $1/\sqrt d$ keeps the shares from collapsing as the width grows.
# - It is **permutation-equivariant**; with mean pooling, invariant. Order enters through positions that are added, and nowhere else. So one fixed shuffle of all images is no harder for a ViT, and a shuffle for each image shows what a bag of patches can do.
# - **Heads** split the width; with **multi-query attention** they share one key and one value, which leaves an eighth of their bytes at 8 heads.
# - A **block** adds twice to the residual stream: attention mixes tokens, the MLP works on each. Norms stand before the branches.
# - **MACs** can be counted before anything is trained. The MLP has most of them until the tokens are many.
#
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - A. Dosovitskiy et al., *An Image is Worth 16x16 Words: Transformers for Image Recognition at Scale*, ICLR 2021, arXiv 2010.11929. The ViT: patches, learned positions (its figure 7 shows their similarity), pre-norm blocks (equations 1 to 4), and that it needs many images to overtake CNNs.
# - A. Vaswani et al., *Attention Is All You Need*, 2017, arXiv 1706.03762. Scaled dot products and the reason for the root (section 3.2.1 and its footnote), heads, sine-cosine positions.
# - N. Shazeer, *Fast Transformer Decoding: One Write-Head is All You Need*, 2019, arXiv 1911.02150. Multi-query attention. Grouped queries: J. Ainslie et al., 2023, arXiv 2305.13245.
# - M. Naseer et al., *Intriguing Properties of Vision Transformers*, NeurIPS 2021, arXiv 2105.10497. Trained ViTs tested on images with shuffled patches, against CNNs.
# - X. Chen, S. Xie, K. He, *An Empirical Study of Training Self-Supervised Vision Transformers*, 2021, arXiv 2104.02057. The sine-cosine table for two axes.
# - S. Abnar, W. Zuidema, *Quantifying Attention Flow in Transformers*, ACL 2020, arXiv 2005.00928. The rollout.
# - R. Xiong et al., *On Layer Normalization in the Transformer Architecture*, ICML 2020, arXiv 2002.04745. Why the norm moved to the front of the branch.
# - *BitMedViT: Ternary-Quantized Vision Transformer for Medical AI Assistants on the Edge*, 2025, arXiv 2510.13760. 1,024 tokens, 3 blocks, 8 heads, one key/value head, 11.5 G multiply-accumulates.
#
# **Next:** lesson 06 makes the linear layers of this network ternary, one kind after the other, and finds out which of them mind.
