# %% [markdown]
# # 09 · Energy and memory
#
# Three sentences from three papers: **"43x smaller." "71x less energy." "About 15x compression."** Each comes from people who know what they do, each has a calculation behind it, and not one of them says what you think it says.
#
# This lesson gives you the tools to find out what such a sentence means, and they are the cheapest tools in the whole course: multiplication, addition, and a habit of asking *of what, in which unit, and what else was there*. You will count a network's work by hand and its file to the byte. You will put prices on operations, honest ones that come as ranges. Then you will take the three sentences apart, and one of your own choice.
#
# You will be able to
#
# - count the multiply-accumulates of a Vision Transformer, and say which part grows with the square of the tokens;
# - predict a packed file's size to the byte, padding, scales and header included;
# - say in one line what speeding up or shrinking *one part* can give at most;
# - carry an energy as an interval, and compare two networks although neither energy is known;
# - draw a roofline, and tell whether a layer waits for arithmetic or for memory;
# - recognise three famous accounting errors by their symptoms;
# - audit a claim: baseline, unit, what is left out.
#
# **What you need:** the layers of a ViT (lesson 05), packed trits (lessons 01 and 08), policies (lesson 06). **Time:** 80 to 90 minutes. **Network:** none. Nothing is trained here, so everything runs at once.
#
# | exercise | | difficulty | points |
# |---|---|---|---|
# | 9.1 | work: the linear layers | ● | 2 |
# | 9.2 | work: attention | ●● | 2 |
# | 9.3 | bytes of a matrix | ●● | 3 |
# | 9.4 | what one part can give | ● | 2 |
# | 9.5 | picojoules, low and high | ●● | 3 |
# | 9.6 | one shop, two baskets | ●●● | 3 |
# | 9.7 | the roofline | ●● | 3 |
# | 9.8 | museum: two tables too good to be true | ●● | 3 |
# | 9.9 | museum: joules by the stopwatch | ●● | 2 |
# | 9.10 | the audit, as a function | ●● | 3 |
# | 9.11 | the audit, in words | ●●● | 4 |

# %% tags=["setup"]
from itertools import product
from math import inf
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

import tinyternary as tt
from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})


class Shape(NamedTuple):
    """What a ViT's costs depend on."""

    patches: int  # patches of an image
    patch_values: int  # pixels times channels of a patch
    tokens: int  # patches, and a class token where there is one
    width: int
    depth: int  # blocks
    heads: int  # query heads
    head_dim: int  # heads * head_dim = width
    kv_heads: int  # key heads, and as many value heads
    mlp_width: int
    classes: int


def shape_of(name, **changes):
    """Shape of one of the library's networks, with some fields of its configuration changed."""
    c = tt.models.preset(name, **changes)
    return Shape(c.grid**2, c.channels * c.patch_size**2, c.tokens, c.width, c.depth,
                 c.heads, c.head_dim, c.kv_heads or c.heads, c.mlp_width, c.num_classes)  # fmt: skip


check = course.checks("09_energy_and_memory")
my = check.mine

# %% [markdown]
# ## 1 · Work
#
# The network of this lesson is BitMedViT: 224 × 224 pixels, cut into patches of 7 × 7. The set-up gives you its numbers as a plain tuple, `Shape`.

# %%
bitmedvit = shape_of("bitmedvit")
print(bitmedvit)

# %% [markdown]
# The unit of work is the **MAC**, a multiply-accumulate: one multiplication whose result is added to a running sum. A linear layer makes `outputs` numbers for every row of its input, and each is a sum over `inputs` products. So it takes rows × inputs × outputs MACs, and nothing about the values matters. Biases, norms and softmaxes are not products of matrices; MACs leave them out.
#
# In a ViT the rows are tokens. (Lesson 05 has the picture.) The patch embedding has a row for each patch. The four matrices of a block have a row for each token: queries, keys and values in one (each query head makes `head_dim` numbers, and each of the `kv_heads` makes as many for keys, and again for values), the output projection, and the two matrices of the feed-forward network, the FFN. The head sees one row, the pooled image.
#
# ### Exercise 9.1: the linear layers (2 points)
#
# Write `linear_macs(shape)`: the MACs of all matrices with weights, for one image. BitMedViT shares one key head and one value head among eight query heads, and the class token of other ViTs is no patch: do not take what differs for the same.


# %% nbgrader={"grade": false, "grade_id": "9_1_linear_macs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def linear_macs(shape):
    """MACs per image of patch embedding, blocks and head; attention's own products are not in it."""
    ### BEGIN SOLUTION
    qkv = shape.width * (shape.heads + 2 * shape.kv_heads) * shape.head_dim
    block = qkv + shape.width * shape.width + 2 * shape.width * shape.mlp_width
    embedding = shape.patches * shape.patch_values * shape.width
    return embedding + shape.depth * shape.tokens * block + shape.width * shape.classes
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_1_linear_macs_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.1")
def _(linear_macs):
    shape = Shape(patches=4, patch_values=3, tokens=5, width=6, depth=0, heads=2, head_dim=3,
                  kv_heads=2, mlp_width=10, classes=2)  # fmt: skip
    check.equal(
        linear_macs(shape), 84,
        "No block at all: 4 patches of 3 values become 6 numbers each (72), and the head makes 2 "
        "numbers of 6, once for the image and not once for each token (12).",
    )  # fmt: skip
    check.equal(
        linear_macs(shape._replace(depth=1, mlp_width=0)), 84 + 5 * (6 * 18 + 36),
        "One block without an FFN, 5 tokens: queries, keys and values are 3 x 6 numbers from 6, "
        "the output projection is 6 from 6.",
    )  # fmt: skip
    check.equal(
        linear_macs(shape._replace(depth=1)), 84 + 5 * (6 * 18 + 36 + 120),
        "The FFN has two matrices: up to mlp_width and down again.",
    )  # fmt: skip
    check.equal(
        linear_macs(shape._replace(depth=2, kv_heads=1)), 84 + 10 * (6 * 12 + 36 + 120),
        "Two blocks, and now both query heads share one key head and one value head: "
        "6 + 3 + 3 numbers for each token.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(91)
    for _ in range(5):
        p, v, d, h, e, m, c = (int(n) for n in rng.integers(2, 9, 7))
        for kv in (1, h):
            got = linear_macs(Shape(p, v, p + 1, h * e, d, h, e, kv, m, c))
            rows = [(v, h * e, p), (h * e, c, 1)]
            for _ in range(d):
                rows += [(h * e, (h + 2 * kv) * e, p + 1), (h * e, h * e, p + 1),
                         (h * e, m, p + 1), (m, h * e, p + 1)]  # fmt: skip
            check.equal(
                got, sum(k * n * r for k, n, r in rows),
                "On a random shape with a class token: add up rows x inputs x outputs, layer by layer.",
            )  # fmt: skip
    check.equal(
        linear_macs(shape._replace(tokens=4, depth=1)), 84 + 4 * (6 * 18 + 36 + 120),
        "4 patches and 4 tokens, as in a network without a class token, which BitMedViT is: the "
        "patch embedding has a row for each patch all the same.",
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "9_1_linear_macs", "wrong": "the head once for each token", "says": "once for the image"}
def linear_macs(shape):
    s = shape
    block = (
        s.width * (s.heads + 2 * s.kv_heads) * s.head_dim + s.width**2 + 2 * s.width * s.mlp_width
    )
    return s.patches * s.patch_values * s.width + s.tokens * (s.depth * block + s.width * s.classes)


# %% variant={"of": "9_1_linear_macs", "wrong": "as many key heads as query heads", "says": "share one key head"}
def linear_macs(shape):
    s = shape
    block = 3 * s.width**2 + s.width**2 + 2 * s.width * s.mlp_width
    return s.patches * s.patch_values * s.width + s.tokens * s.depth * block + s.width * s.classes


# %% variant={"of": "9_1_linear_macs", "wrong": "the class token embedded as a patch"}
def linear_macs(shape):
    s = shape
    block = (
        s.width * (s.heads + 2 * s.kv_heads) * s.head_dim + s.width**2 + 2 * s.width * s.mlp_width
    )
    return s.tokens * s.patch_values * s.width + s.tokens * s.depth * block + s.width * s.classes


# %% variant={"of": "9_1_linear_macs", "wrong": "one matrix of the FFN", "says": "two matrices"}
def linear_macs(shape):
    s = shape
    block = s.width * (s.heads + 2 * s.kv_heads) * s.head_dim + s.width**2 + s.width * s.mlp_width
    return s.patches * s.patch_values * s.width + s.tokens * s.depth * block + s.width * s.classes


# %% variant={"of": "9_1_linear_macs", "wrong": "operations, two for each MAC"}
def linear_macs(shape):
    s = shape
    block = (
        s.width * (s.heads + 2 * s.kv_heads) * s.head_dim + s.width**2 + 2 * s.width * s.mlp_width
    )
    return 2 * (
        s.patches * s.patch_values * s.width + s.tokens * s.depth * block + s.width * s.classes
    )


# %% variant={"of": "9_1_linear_macs", "wrong": "weights, not MACs: the tokens forgotten"}
def linear_macs(shape):
    s = shape
    block = (
        s.width * (s.heads + 2 * s.kv_heads) * s.head_dim + s.width**2 + 2 * s.width * s.mlp_width
    )
    return s.patches * s.patch_values * s.width + s.depth * block + s.width * s.classes


# %% variant={"of": "9_1_linear_macs", "wrong": "the output projection forgotten", "says": "output projection"}
def linear_macs(shape):
    s = shape
    block = s.width * (s.heads + 2 * s.kv_heads) * s.head_dim + 2 * s.width * s.mlp_width
    return s.patches * s.patch_values * s.width + s.tokens * s.depth * block + s.width * s.classes


# %% variant={"of": "9_1_linear_macs", "right": "a list of layers"}
def linear_macs(shape):
    s = shape
    layers = [(s.patches, s.patch_values, s.width), (1, s.width, s.classes)]
    for _ in range(s.depth):
        layers.append((s.tokens, s.width, s.width + 2 * s.kv_heads * s.head_dim))
        layers.append((s.tokens, s.width, s.width))
        layers.append((s.tokens, s.width, s.mlp_width))
        layers.append((s.tokens, s.mlp_width, s.width))
    return sum(rows * inputs * outputs for rows, inputs, outputs in layers)


# %% variant={"of": "9_1_linear_macs", "right": "unpacked"}
def linear_macs(shape):
    patches, values, tokens, width, depth, _, dim, kv, hidden, classes = shape
    per_token = width * (width + 2 * kv * dim) + width * width + width * hidden + hidden * width
    return int(np.dot([patches, tokens * depth, 1], [values * width, per_token, width * classes]))


# %% [markdown] hints={"of": "9_1_linear_macs"}
# 1. Write down a list of the layers first: how many rows, how many inputs, how many outputs? A block has four.
# 2. The matrix that makes queries, keys and values has (heads + 2 × kv_heads) × head_dim outputs.
# 3. The patch embedding has `patches` rows, the blocks have `tokens`, the head has one.

# %% [markdown]
# There is a second kind of product, and it has no weights at all. In every head, each token's query meets the key of each token: that makes the table of scores. Then the table is multiplied with the values.
#
# ### Exercise 9.2: attention (2 points)
#
# Write `attention_macs(shape)`: the MACs of both products, over all heads and blocks. Before you write it, decide whether sharing key and value heads saves anything here.


# %% nbgrader={"grade": false, "grade_id": "9_2_attention_macs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_macs(shape):
    """MACs per image of queries with keys, and of attention weights with values."""
    ### BEGIN SOLUTION
    table = shape.tokens * shape.tokens * shape.head_dim
    return 2 * shape.depth * shape.heads * table
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_2_attention_macs_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.2")
def _(attention_macs):
    shape = Shape(patches=5, patch_values=3, tokens=5, width=6, depth=1, heads=2, head_dim=3,
                  kv_heads=2, mlp_width=10, classes=2)  # fmt: skip
    check.equal(
        attention_macs(shape), 300,
        "One block, 2 heads, 5 tokens: a table of 5 x 5 scores in each head, each a sum of 3 "
        "products (150 for both heads), and as much again to weigh the values.",
    )  # fmt: skip
    check.equal(
        attention_macs(shape._replace(tokens=10)), 1200,
        "Twice the tokens: four times the scores, each as long as before.",
    )  # fmt: skip
    check.equal(
        attention_macs(shape._replace(kv_heads=1)), 300,
        "Sharing a key head saves the making of keys, which 9.1 has counted. Every query still "
        "meets every key.",
    )  # fmt: skip
    check.equal(attention_macs(shape._replace(depth=3)), 900, "Three blocks.")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(92)
    for _ in range(5):
        p, d, h, e = (int(n) for n in rng.integers(2, 9, 4))
        got = attention_macs(Shape(p, 4, p + 1, h * e, d, h, e, 1, 7, 3))
        check.equal(
            got, sum(2 * (p + 1) * (p + 1) * e for _ in range(d * h)),
            "On a random shape with a class token, which attends like any other token.",
        )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "9_2_attention_macs", "wrong": "scores only", "says": "weigh the values"}
def attention_macs(shape):
    return shape.depth * shape.heads * shape.tokens**2 * shape.head_dim


# %% variant={"of": "9_2_attention_macs", "wrong": "one table for each key head", "says": "Every query still meets"}
def attention_macs(shape):
    return 2 * shape.depth * shape.kv_heads * shape.tokens**2 * shape.head_dim


# %% variant={"of": "9_2_attention_macs", "wrong": "linear in the tokens", "says": "scores"}
def attention_macs(shape):
    return 2 * shape.depth * shape.heads * shape.tokens * shape.head_dim


# %% variant={"of": "9_2_attention_macs", "wrong": "every head as wide as the network", "says": "each a sum of 3"}
def attention_macs(shape):
    return 2 * shape.depth * shape.heads * shape.tokens**2 * shape.width


# %% variant={"of": "9_2_attention_macs", "wrong": "patches, without the class token"}
def attention_macs(shape):
    return 2 * shape.depth * shape.patches**2 * shape.width


# %% variant={"of": "9_2_attention_macs", "right": "heads times head_dim is the width"}
def attention_macs(shape):
    return 2 * shape.depth * shape.width * shape.tokens**2


# %% variant={"of": "9_2_attention_macs", "right": "two products, head by head"}
def attention_macs(shape):
    macs = 0
    for _ in range(shape.depth):
        for _ in range(shape.heads):
            macs += shape.tokens * shape.head_dim * shape.tokens  # scores
            macs += shape.tokens * shape.tokens * shape.head_dim  # values
    return macs


# %% [markdown] hints={"of": "9_2_attention_macs"}
# 1. How many scores are there in one head? How many products is one score a sum of?
# 2. The second product: rows of attention weights, one weight for each token, times the values. Which sizes meet?
# 3. Eight query heads make eight tables, whoever made their keys.

# %% [markdown]
# Add the two and compare them with the library's count, which is checked against PyTorch's and fvcore's counters in its tests:


# %%
for name in ("lesson", "tiny", "deit-tiny", "bitmedvit"):
    shape = shape_of(name)
    linear, attention = my.linear_macs(shape), my.attention_macs(shape)
    report = tt.cost.analyze(name)
    print(f"{name:10} {linear / 1e6:10,.1f} M linear + {attention / 1e6:8,.1f} M attention = "
          f"{(linear + attention) / 1e6:10,.1f} M; the library says {report.macs / 1e6:10,.1f} M")  # fmt: skip
    assert linear + attention == report.macs

# %% [markdown]
# The paper's "11.5 G" is the last line. You have just reproduced your first published figure, and learnt that its unit is MACs.
#
# **Predict, then run.** BitMedViT cuts patches of 7 × 7 pixels. Had it taken 14 × 14, there would be a quarter of the tokens. How many times more work does the finer cut cost, all in all?

# %%
my_guess = None  # how many times the MACs

work = {}
for patch in (28, 14, 7):
    shape = shape_of("bitmedvit", patch_size=patch)
    work[patch] = np.array([my.linear_macs(shape), my.attention_macs(shape)]) / 1e9
check.predicted(my_guess, work[7].sum() / work[14].sum(), within=0.4, unit=" times",
                comment="The linear layers grow about fourfold and attention sixteenfold; the sum is in between.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.1), width_ratios=(1, 1.2))
place = np.arange(len(work))
parts = np.array(list(work.values()))
left.bar(place, parts[:, 0], color=style.FLOAT, width=0.6, label="linear layers")
left.bar(place, parts[:, 1], bottom=parts[:, 0], color=style.ACCENT, width=0.6, label="attention")
left.set_xticks(
    place,
    [f"{patch} px\n{shape_of('bitmedvit', patch_size=patch).tokens} tokens" for patch in work],
)
left.set(ylabel="GMAC an image", title="Finer patches, more work")
left.legend(fontsize=9)
tokens = np.unique(np.geomspace(16, 16384, 60).astype(int))
curves = np.array([[my.linear_macs(s), my.attention_macs(s)] for s in
                   (bitmedvit._replace(tokens=int(t), patches=int(t)) for t in tokens)])  # fmt: skip
right.loglog(tokens, curves[:, 0] / 1e9, color=style.FLOAT)
right.loglog(tokens, curves[:, 1] / 1e9, color=style.ACCENT)
# one grows like the tokens, the other like their square: they meet where the ratio is used up
crossing = round(bitmedvit.tokens * my.linear_macs(bitmedvit) / my.attention_macs(bitmedvit), -2)
right.axvline(bitmedvit.tokens, color=style.MUTED, linestyle="--", linewidth=1)
right.text(bitmedvit.tokens * 0.9, 0.012, "BitMedViT", rotation=90, fontsize=8.5, color=style.MUTED,
           ha="right", va="bottom")  # fmt: skip
right.text(18, 1.6, "linear layers: slope 1", color=style.FLOAT, fontsize=9)
right.text(55, 0.0012, "attention: slope 2", color=style.ACCENT, fontsize=9)
right.set(
    xlabel="tokens",
    ylabel="GMAC an image",
    title=f"Attention overtakes near {crossing:,.0f} tokens",
)
style.grid_behind(right)
plt.show()

# %% [markdown]
# Keep the right-hand figure in mind when someone ternarises "the network". Weights can be ternary only where there are weights. The orange line has none.
#
# ## 2 · Bytes
#
# A weight takes 4 bytes in float32, 1 in int8, and a trit 2 bits, or 1.6. So a ternary file is sixteen times smaller? You know already that it is not; here is why, to the byte. A packed file holds, for a matrix of `outputs` rows and `inputs` columns:
#
# | storage | what it holds |
# |---|---|
# | `"float32"` | 4 bytes for each weight |
# | `"int8"` | 1 byte for each weight, and for each row a scale of 4 bytes |
# | `"2 bits"` | 4 trits a byte, and for the whole matrix one scale of 4 bytes |
# | `"1.6 bits"` | 5 trits a byte, and one scale as above |
#
# And no byte is shared by two rows: **each row starts in a byte of its own**, because a kernel that works on row 17 wants to know where row 17 begins.
#
# ### Exercise 9.3: bytes of a matrix (3 points)
#
# Write `stored_bytes(outputs, inputs, storage)`, a whole number. For any other storage raise `ValueError`: a size that nobody has defined should not come out as a number.


# %% nbgrader={"grade": false, "grade_id": "9_3_stored_bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stored_bytes(outputs, inputs, storage):
    """Bytes of a matrix (outputs, inputs) in a packed file, its scales included."""
    ### BEGIN SOLUTION
    if storage == "float32":
        return 4 * outputs * inputs
    if storage == "int8":
        return outputs * (inputs + 4)
    trits = {"2 bits": 4, "1.6 bits": 5}.get(storage)
    if trits is None:
        raise ValueError(f"unknown storage {storage!r}")
    return outputs * -(-inputs // trits) + 4
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_3_stored_bytes_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.3")
def _(stored_bytes):
    with check.part("floats, int8 and scales", points=1):
        got = stored_bytes(3, 40, "float32")
        check.equal(got, 480, "3 x 40 weights of 4 bytes each.")
        check.true(not isinstance(got, float), "Bytes are whole: an int, not a float.")
        check.equal(
            stored_bytes(3, 40, "int8"), 132,
            "3 x 40 bytes, and 3 scales of 4 bytes: one for each row.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.equal(stored_bytes(40, 3, "int8"), 280, "40 rows of 3: which side has the scales?")
        ### END HIDDEN TESTS
    with check.part("trits", points=2):
        check.equal(
            stored_bytes(3, 40, "2 bits"), 34,
            "10 bytes a row, three rows, and one scale of 4 bytes for the whole matrix.",
        )  # fmt: skip
        check.equal(stored_bytes(3, 40, "1.6 bits"), 28, "8 bytes a row: five trits in each.")
        check.equal(
            stored_bytes(3, 41, "2 bits"), 37,
            "41 trits need 11 bytes, the last of which holds one trit, and the next row does not "
            "start in it. That holds for each of the three rows.",
        )  # fmt: skip
        got = stored_bytes(3, 41, "1.6 bits")
        check.equal(got, 31, "41 trits in fives: nine bytes a row.")
        check.true(not isinstance(got, float), "Bytes are whole: an int, not a float.")
        check.raises(
            ValueError, lambda: stored_bytes(3, 40, "3 bits"), "Nobody has defined 3 bits here."
        )
        ### BEGIN HIDDEN TESTS
        for storage in ("int32", "float8", "int2", "11.6 bits", "2", ""):
            check.raises(
                ValueError, lambda: stored_bytes(3, 40, storage),
                f"Nobody has defined {storage!r} here: a storage is one of the four names, whole.",
            )  # fmt: skip
        for outputs, inputs in ((1, 1), (7, 3), (5, 4), (2, 5), (512, 49), (2048, 512), (9, 1023)):
            for storage, each in (("2 bits", 4), ("1.6 bits", 5)):
                row = len(range(0, inputs, each))
                check.equal(
                    stored_bytes(outputs, inputs, storage), outputs * row + 4,
                    f"{outputs} rows of {inputs} trits: whole bytes for each row, and one scale.",
                )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "9_3_stored_bytes", "wrong": "padded once, for the whole matrix", "says": "each of the three rows"}
def stored_bytes(outputs, inputs, storage):
    if storage == "float32":
        return 4 * outputs * inputs
    if storage == "int8":
        return outputs * inputs + 4 * outputs
    return int(np.ceil(outputs * inputs / {"2 bits": 4, "1.6 bits": 5}[storage])) + 4


# %% variant={"of": "9_3_stored_bytes", "wrong": "no padding, cut off"}
def stored_bytes(outputs, inputs, storage):
    if storage not in ("float32", "int8", "2 bits", "1.6 bits"):
        raise ValueError(storage)
    if storage == "float32":
        return 4 * outputs * inputs
    if storage == "int8":
        return outputs * inputs + 4 * outputs
    return outputs * (inputs // {"2 bits": 4, "1.6 bits": 5}[storage]) + 4


# %% variant={"of": "9_3_stored_bytes", "wrong": "scales forgotten", "says": "scale"}
def stored_bytes(outputs, inputs, storage):
    bits = {"float32": 32, "int8": 8, "2 bits": 2, "1.6 bits": 1.6}[storage]
    return outputs * int(np.ceil(inputs * bits / 8))


# %% variant={"of": "9_3_stored_bytes", "wrong": "a scale for each row of trits", "says": "one scale of 4 bytes"}
def stored_bytes(outputs, inputs, storage):
    row = {
        "float32": 4 * inputs,
        "int8": inputs,
        "2 bits": -(-inputs // 4),
        "1.6 bits": -(-inputs // 5),
    }
    return outputs * (row[storage] + (4 if storage != "float32" else 0))


# %% variant={"of": "9_3_stored_bytes", "wrong": "another storage comes out as a number", "says": "Nobody has defined"}
def stored_bytes(outputs, inputs, storage):
    if storage == "float32":
        return 4 * outputs * inputs
    if storage == "int8":
        return outputs * inputs + 4 * outputs
    return outputs * -(-inputs // (4 if storage == "2 bits" else 5)) + 4


# %% variant={"of": "9_3_stored_bytes", "wrong": "int8 with one scale for the matrix", "says": "for each row"}
def stored_bytes(outputs, inputs, storage):
    rows = {
        "float32": 4 * inputs,
        "int8": inputs,
        "2 bits": -(-inputs // 4),
        "1.6 bits": -(-inputs // 5),
    }
    if storage not in rows:
        raise ValueError(storage)
    return outputs * rows[storage] + (0 if storage == "float32" else 4)


# %% variant={"of": "9_3_stored_bytes", "wrong": "1.6 bits by multiplication with a float: 40 trits need more than 8 bytes"}
def stored_bytes(outputs, inputs, storage):
    if storage == "float32":
        return 4 * outputs * inputs
    if storage == "int8":
        return outputs * inputs + 4 * outputs
    if storage not in ("2 bits", "1.6 bits"):
        raise ValueError(storage)
    bits = 2 if storage == "2 bits" else 1.6
    return outputs * int(inputs * bits / 8 + 1) + 4


# %% variant={"of": "9_3_stored_bytes", "right": "a table of rows"}
def stored_bytes(outputs, inputs, storage):
    table = {
        "float32": (4 * inputs, 0),
        "int8": (inputs, 4 * outputs),
        "2 bits": ((inputs + 3) // 4, 4),
        "1.6 bits": ((inputs + 4) // 5, 4),
    }
    if storage not in table:
        raise ValueError("float32, int8, 2 bits or 1.6 bits")
    row, scales = table[storage]
    return outputs * row + scales


# %% variant={"of": "9_3_stored_bytes", "right": "match and divmod"}
def stored_bytes(outputs, inputs, storage):
    match storage:
        case "float32":
            return outputs * inputs * 4
        case "int8":
            return outputs * inputs + outputs * 4
        case "2 bits" | "1.6 bits":
            whole, rest = divmod(inputs, 4 if storage == "2 bits" else 5)
            return outputs * (whole + (rest > 0)) + 4
    raise ValueError(storage)


# %% [markdown] hints={"of": "9_3_stored_bytes"}
# 1. How many bytes does one row of 41 trits need, at four in a byte? What division gives that, for any length?
# 2. Division that rounds up: add something before you divide, or negate, divide and negate.
# 3. Scales: none for floats, one a row for int8, one a matrix for trits.

# %% [markdown]
# Now a whole network, and a real file. The function below adds up everything that a packed BitMedViT holds: its matrices by your count, and every vector (biases, norms, the position embedding) at 4 bytes for each number. Then the library packs the network, and we look at what lies on the disk.


# %%
import tempfile
from pathlib import Path


def network(policy):
    """A BitMedViT, its weights as they are at birth: sizes do not depend on them."""
    model = tt.models.ViT(bit_config)
    return tt.quant.ternarize(model, policy) if policy else model


def count_bytes(model, storage_of):
    """Bytes of a network's arrays: {"FFN": ..., "other matrices": ..., "vectors": ...}."""
    sums = dict.fromkeys(("FFN", "other matrices", "positions and vectors"), 0)
    for name, array in model.state_dict().items():
        if name.endswith(".weight") and array.ndim == 2:
            part = "FFN" if ".mlp." in name else "other matrices"
            sums[part] += my.stored_bytes(*array.shape, storage_of(name))
        else:
            sums["positions and vectors"] += 4 * array.size
    return sums


bit_config = tt.models.preset("bitmedvit")
INT8 = tt.cost.BASELINES["int8"]
sizes = {
    "float32": count_bytes(network(None), lambda name: "float32"),
    "FFN ternary": count_bytes(network("bitmedvit"),
                               lambda name: "2 bits" if ".mlp." in name else "float32"),
}  # fmt: skip
with tempfile.TemporaryDirectory() as folder:
    path = tt.deploy.pack(network("bitmedvit")).save(Path(folder) / "bitmedvit.safetensors")
    content = path.read_bytes()
header = 8 + int.from_bytes(content[:8], "little")  # its length, then names, types and places
predicted = sum(sizes["FFN ternary"].values())
print(f"counted   {predicted:>10,} bytes of arrays")
print(f"header    {header:>10,}")
print(f"on disk   {len(content):>10,}")
assert predicted + header == len(content)

# %% [markdown]
# To the byte. If your count agrees with a file to the byte, there is nothing in the file that you have not understood. (Sizes in this lesson are given in **MiB**: 1 MiB is 1024 × 1024 bytes.)
#
# **Predict, then run.** The paper's headline is "43x smaller". Its network stores the FFN at 2 bits and everything else in float32. Take *that same network* with everything in float32, and divide: how many times smaller has ternarising made it? To agree with the paper's own table to the last digit, the cell counts the small extra layer that its code keeps from training, in both.

# %%
my_guess = None  # how many times smaller

MIB = 2**20
matcher = 4 * tt.cost.bitmedvit_parameters().matcher
in_float, as_published = (
    sum(sizes[kind].values()) + matcher for kind in ("float32", "FFN ternary")
)
check.predicted(my_guess, in_float / as_published, within=0.3, unit=" times",
                comment=f"{in_float / MIB:.1f} MiB become {as_published / MIB:.1f} MiB, the paper's own 10.5. The 43 is "
                f"{451 / (as_published / MIB):.0f}: it divides another network, the 451 MiB of the float32 teacher.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9, 2.3))
colors = {"FFN": style.TERNARY, "other matrices": style.FLOAT, "positions and vectors": "#b9c2cd"}
for row, parts in enumerate(sizes.values()):
    start = 0.0
    for part, amount in parts.items():
        axis.barh(row, amount / MIB, left=start, color=colors[part], height=0.55,
                  label=part if row == 0 else None)  # fmt: skip
        if amount / MIB > 2:
            axis.text(start + amount / MIB / 2, row, f"{amount / MIB:.1f}", ha="center", va="center",
                      color="white", fontsize=9)  # fmt: skip
        start += amount / MIB
    axis.text(start + 0.4, row, f"{start:.1f} MiB", va="center", fontsize=9.5)
axis.set_yticks(range(len(sizes)), list(sizes))
axis.set(
    xlim=(0, 41), xlabel="MiB", title="What was large has become small, and what is left is large"
)
axis.invert_yaxis()
axis.legend(fontsize=9, ncols=3, loc="lower right", bbox_to_anchor=(1, 0.98))
axis.set_title(axis.get_title(loc="left"), pad=24, loc="left")
plt.show()

# %% [markdown]
# The FFN did shrink sixteenfold. The other nine MiB did not notice.
#
# **Predict, then run.** Forget trits for a minute. What would the dullest compression of all do: every matrix of this network in int8, one scale a row, vectors left in float32? The ternary network has 10.4 MiB. How many does the int8 one have?

# %%
my_guess = None  # MiB

sizes["all int8"] = count_bytes(network(INT8), lambda name: "int8")
in_int8 = sum(sizes["all int8"].values()) / MIB
check.predicted(my_guess, in_int8, within=0.7, unit=" MiB",
                comment="Smaller than the ternary one. Eight bits everywhere beat two bits somewhere.")  # fmt: skip


# %% jupyter={"source_hidden": true}
def in_blocks(name):
    return "2 bits" if ".mlp." in name or ".attn." in name else "float32"


sizes["all blocks ternary"] = count_bytes(network("all-linear"), in_blocks)
sizes["every matrix ternary"] = count_bytes(network("everything"), lambda name: "2 bits")
# under this policy, patch embedding and head have a scale for each row
sizes["every matrix ternary"]["other matrices"] += 4 * (bitmedvit.width - 1 + bitmedvit.classes - 1)
for label, policy in (("all blocks ternary", "all-linear"), ("every matrix ternary", "everything")):
    assert sum(sizes[label].values()) == tt.cost.analyze("bitmedvit", policy).bytes_stored
figure, axis = plt.subplots(figsize=(9, 2.9))
for row, parts in enumerate(list(sizes.values())[1:]):
    start = 0.0
    for part, amount in parts.items():
        axis.barh(
            row,
            amount / MIB,
            left=start,
            color=colors[part],
            height=0.6,
            label=part if row == 0 else None,
        )
        start += amount / MIB
    axis.text(start + 0.1, row, f"{start:.2f} MiB", va="center", fontsize=9.5)
axis.set_yticks(range(4), list(sizes)[1:])
axis.set(xlim=(0, 12), xlabel="MiB")
axis.set_title("A policy decides more than a number of bits", pad=24)
axis.invert_yaxis()
axis.legend(fontsize=9, ncols=3, loc="lower right", bbox_to_anchor=(1, 0.98))
plt.show()

# %% [markdown]
# That is no argument against trits: with every matrix ternary the file has 4.0 MiB, and half of that is the position embedding. It is an argument for looking at the *rest*. Which brings us to a law.
#
# ## 3 · What one part can give
#
# Gene Amdahl argued it in 1967 for programs of which one part runs on many processors and another does not. It holds for everything that adds up: seconds, bytes, joules. If a total is made of parts, and part $i$ becomes $f_i$ times smaller, then
#
# $$
# \text{gain} = \frac{\sum_i a_i}{\sum_i a_i / f_i} .
# $$
#
# Note what happens when one $f$ grows without bound while the others stay at 1. Its term disappears, and all the others stay.
#
# ### Exercise 9.4: what one part can give (2 points)
#
# Write `gain(amounts, factors)`. `amounts` says how much each part takes, `factors` how many times less it is to take. A part without a factor stays as it is; a factor may be `inf` (the set-up has it), for a part that vanishes. If nothing at all is left, the gain is `inf`.


# %% nbgrader={"grade": false, "grade_id": "9_4_gain", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gain(amounts, factors):
    """How many times smaller the sum becomes: {part: amount}, {part: times less}."""
    ### BEGIN SOLUTION
    left = sum(amount / factors.get(part, 1) for part, amount in amounts.items())
    return sum(amounts.values()) / left if left else inf
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_4_gain_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.4")
def _(gain):
    amounts = {"FFN": 60.0, "rest": 40.0}
    check.close(
        gain(amounts, {"FFN": 3}), 100 / 60,
        "60 becomes 20 and 40 stays: 100 over 60. Gains are not averaged: what adds up is what is "
        "left.",
    )  # fmt: skip
    check.close(gain(amounts, {}), 1.0, "Nothing changes: a part without a factor stays.")
    check.close(
        gain(amounts, {"FFN": inf}), 2.5,
        "The FFN costs nothing any more. The rest is still there: 100 over 40.",
    )  # fmt: skip
    check.close(gain(amounts, {"FFN": 3, "rest": 4}), 100 / 30, "Two parts, each with its factor.")
    ### BEGIN HIDDEN TESTS
    check.true(gain(amounts, {"FFN": inf, "rest": inf}) == inf, "Nothing is left: the gain is inf.")
    check.close(
        gain(amounts, {"FFN": 0.5}), 100 / 160,
        "A factor below 1 is a part that became larger: the gain is then below 1.",
    )  # fmt: skip
    check.close(gain({"a": 2, "b": 3, "c": 5}, {"b": 6, "c": 10}), 10 / 3, "Three parts.")
    check.close(
        gain({"a": 0.02, "b": 0.03}, {"a": 2}), 1.25,
        "0.02 and 0.03, perhaps seconds: a small amount is not nothing.",
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "9_4_gain", "wrong": "the mean of the factors, by share", "says": "not averaged"}
def gain(amounts, factors):
    total = sum(amounts.values())
    return sum(amount / total * factors.get(part, 1) for part, amount in amounts.items())


# %% variant={"of": "9_4_gain", "wrong": "only parts that have a factor count", "says": "60 becomes 20"}
def gain(amounts, factors):
    before = sum(amounts[part] for part in factors)
    left = sum(amounts[part] / factors[part] for part in factors)
    return before / left if left else inf


# %% variant={"of": "9_4_gain", "wrong": "upside down"}
def gain(amounts, factors):
    left = sum(amount / factors.get(part, 1) for part, amount in amounts.items())
    return left / sum(amounts.values())


# %% variant={"of": "9_4_gain", "wrong": "what is saved, not how many times smaller"}
def gain(amounts, factors):
    total = sum(amounts.values())
    left = sum(amount / factors.get(part, 1) for part, amount in amounts.items())
    return (total - left) / total


# %% variant={"of": "9_4_gain", "wrong": "the best factor is everybody's"}
def gain(amounts, factors):
    return max(factors.values(), default=1)


# %% variant={"of": "9_4_gain", "wrong": "all gone is no gain", "says": "the gain is inf"}
def gain(amounts, factors):
    left = sum(amount / factors.get(part, 1) for part, amount in amounts.items())
    return sum(amounts.values()) / left if left else 0.0


# %% variant={"of": "9_4_gain", "right": "a loop"}
def gain(amounts, factors):
    before = after = 0.0
    for part in amounts:
        before += amounts[part]
        after += amounts[part] / factors[part] if part in factors else amounts[part]
    if after == 0:
        return float("inf")
    return before / after


# %% variant={"of": "9_4_gain", "right": "arrays"}
def gain(amounts, factors):
    a = np.array(list(amounts.values()), float)
    f = np.array([factors.get(part, 1.0) for part in amounts], float)
    with np.errstate(divide="ignore"):
        return float(np.divide(a.sum(), (a / f).sum()))


# %% [markdown] hints={"of": "9_4_gain"}
# 1. Two sums: what there was, and what is left. The gain is one over the other.
# 2. `factors.get(part, 1)` gives 1 for a part that nobody mentioned.
# 3. A number divided by `inf` is 0, as it should be. What is divided by 0 needs a line of its own.

# %% [markdown]
# **Predict, then run.** Suppose an engineer of genius makes the whole FFN of BitMedViT free: no time, no energy, nothing. It holds 73 % of the float network's bytes, but how much of its *work*? If time went with MACs, how many times faster would the network be?

# %%
my_guess = None  # times faster, with a free FFN

ffn = 2 * bitmedvit.depth * bitmedvit.tokens * bitmedvit.width * bitmedvit.mlp_width
macs = {"FFN": ffn, "attention": my.attention_macs(bitmedvit),
        "other matrices": my.linear_macs(bitmedvit) - ffn}  # fmt: skip
bound = my.gain(macs, {"FFN": inf})
check.predicted(my_guess, bound, within=0.3, unit=" times",
                comment=f"The FFN does {100 * ffn / sum(macs.values()):.0f} % of the MACs. Sixteen times faster would "
                f"give {my.gain(macs, {'FFN': 16}):.2f}, infinitely fast {bound:.2f}: genius is hardly paid for.")  # fmt: skip

# %%
in_bytes = sizes["float32"]
print(f"bytes, FFN at 2 bits       {my.gain(in_bytes, {'FFN': 16}):.2f} times smaller")
print(f"bytes, FFN gone altogether {my.gain(in_bytes, {'FFN': inf}):.2f} times smaller")

# %% [markdown]
# There is the 43x again, from another side. *No* treatment of the FFN, not even its removal, makes this file four times smaller. A claim that lies beyond Amdahl's bound is not an exaggeration. It is a claim about something else, and it pays to ask about what.


# %% jupyter={"source_hidden": true}
def draw_gain(axes, share, name=""):
    factors = np.geomspace(1, 100, 60)
    curve = [my.gain({"part": share, "rest": 1 - share}, {"part": f}) for f in factors]
    ceiling = my.gain({"part": share, "rest": 1 - share}, {"part": inf})
    at_16 = my.gain({"part": share, "rest": 1 - share}, {"part": 16})
    axes.semilogx(factors, curve, color=style.TERNARY)
    axes.axhline(ceiling, color=style.ACCENT, linestyle="--", linewidth=1.2)
    axes.text(
        1.1, ceiling * 0.98, f"at most {ceiling:.2f}", color=style.ACCENT, va="top", fontsize=9
    )
    axes.plot(16, at_16, "o", color=style.TERNARY)
    axes.annotate(f"{at_16:.2f}", (16, at_16), (6, -13), textcoords="offset points", fontsize=9)
    axes.set(ylim=(0, 1.15 * ceiling), xlabel="how many times less the part takes",
             xticks=[1, 4, 16, 64], xticklabels=[1, 4, 16, 64])  # fmt: skip
    axes.minorticks_off()
    axes.set_title(f"{name}{100 * share:.0f} %", fontsize=10)


matrix_share = 1 - in_bytes["positions and vectors"] / sum(in_bytes.values())
figure, stills = plt.subplots(1, 3, figsize=(11, 2.8))
for still, share, name in zip(
    stills,
    (ffn / sum(macs.values()), in_bytes["FFN"] / sum(in_bytes.values()), matrix_share),
    ("FFN, of the MACs: ", "FFN, of the bytes: ", "all matrices, of the bytes: "),
):
    draw_gain(still, share, name)
stills[0].set_ylabel("gain of the whole")
plt.show()


def move(share=0.73):
    _, axes = plt.subplots(figsize=(6.5, 3))
    draw_gain(axes, share, "part's share: ")
    plt.show()


course.slider(move, share=(0.05, 0.99, 0.01))

# %% [markdown]
# In Jupyter, move the share and watch the ceiling. Only when nearly everything is in the part that you improve does the sixteen come out as anything like sixteen.
#
# ## 4 · Picojoules
#
# What does a MAC cost in energy? Two tables are quoted everywhere. Mark Horowitz gave the first in 2014, for a 45 nm process; Norman Jouppi and colleagues the second in 2021, for 7 nm. In picojoules (a millionth of a millionth of a joule) for an operation:

# %%
tables = {name: tt.cost.energy_table(name) for name in ("45nm", "7nm")}
kinds = ["int8_add", "int32_add", "int8_mul", "fp16_add", "fp16_mul", "fp32_add", "fp32_mul"]
print(f"{'pJ':26}{'45 nm':>22}{'7 nm':>24}")
for kind in kinds:
    row = [tables[name].op(kind) for name in tables]
    print(f"{kind:26}" + "".join(f"{r.middle:10.3f} ({r.low:.3f} to {r.high:.3f})" for r in row))
for size in (32768, 1048576):
    row = [tables[name].sram_access(size) for name in tables]
    print(f"{'8 bytes, SRAM ' + str(size // 1024) + ' KB':26}" +
          "".join(f"{r.middle:10.1f} ({r.low:.1f} to {r.high:.1f})  " for r in row))  # fmt: skip
row = [tables[name].dram for name in tables]
print(
    f"{'8 bytes, DRAM':26}"
    + "".join(f"{r.middle:10.0f} ({r.low:.0f} to {r.high:.0f})    " for r in row)
)

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9, 3.4))
things = {kind.replace("_", " "): tables["45nm"].op(kind) for kind in kinds}
things |= {
    f"8 bytes from {size // 1024} KB": tables["45nm"].sram_access(size) for size in (32768, 1048576)
}
things["8 bytes from DRAM"] = tables["45nm"].dram
for row, (name, r) in enumerate(things.items()):
    color = style.ACCENT if "bytes" in name else style.TERNARY if "int" in name else style.FLOAT
    axis.plot(
        [r.low, r.high], [row, row], color=color, linewidth=6, alpha=0.45, solid_capstyle="round"
    )
    axis.plot(r.middle, row, "o", color=color)
axis.set_yticks(range(len(things)), list(things))
axis.set(xscale="log", xlabel="picojoules, 45 nm", title="Moving a number costs more than using it")
axis.invert_yaxis()
style.grid_behind(axis)
plt.show()

# %% [markdown]
# Look at the scale: it is logarithmic, and DRAM stands by itself.
#
# The bars are as important as the dots. Horowitz calls his figures rough, and your chip is not his chip. This library takes every single price to be within a factor of 1.5 either way (DRAM has ranges of its own, from the sources). That factor is an assumption, and it is written beside the number. A price is a pair, **low and high**, and whatever you compute from it is a pair too.
#
# Sums are easy: lows add up to the low, highs to the high. A ratio is less easy. If one amount lies between 2 and 4 and another between 1 and 2, by how much may the first exceed the second?
#
# ### Exercise 9.5: picojoules, low and high (3 points)
#
# Write `energy_range(counts, prices)`: `counts` is `{kind: how many}`, `prices` is `{kind: (low, high)}`; return a tuple `(low, high)`. There may be prices for kinds that nobody counts. A kind that is counted and has *no* price must raise `KeyError`: a missing price is not a price of zero.
#
# Write `ratio_range(above, below)` for two such tuples that know nothing of each other: the smallest and the largest ratio that they allow.


# %% nbgrader={"grade": false, "grade_id": "9_5_energy_range", "locked": false, "schema_version": 3, "solution": true, "task": false}
def energy_range(counts, prices):
    """Least and most energy of these counts: {kind: count}, {kind: (low, high)}."""
    ### BEGIN SOLUTION
    low = sum(count * prices[kind][0] for kind, count in counts.items())
    high = sum(count * prices[kind][1] for kind, count in counts.items())
    return low, high
    ### END SOLUTION


def ratio_range(above, below):
    """Least and most that above / below can be, for two pairs (low, high)."""
    ### BEGIN SOLUTION
    return above[0] / below[1], above[1] / below[0]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_5_energy_range_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.5")
def _(energy_range, ratio_range):
    prices = {"add": (0.1, 0.3), "mul": (2.0, 5.0), "load": (10.0, 40.0)}
    with check.part("sums", points=2):
        check.close(
            energy_range({"add": 10, "mul": 2}, prices), (5.0, 13.0),
            "10 additions and 2 multiplications: 1 + 4 at the lowest prices, 3 + 10 at the highest.",
        )  # fmt: skip
        check.close(energy_range({"load": 3}, prices), (30.0, 120.0), "Nothing but three loads.")
        check.raises(
            KeyError, lambda: energy_range({"add": 1, "exp": 5}, prices),
            "exp is counted and has no price. If that passes in silence, exponentials are free.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(95)
        names = [f"op{i}" for i in range(7)]
        low = rng.uniform(0.1, 5, 7)
        high = low * rng.uniform(1, 4, 7)
        n = rng.integers(1, 100, 7)
        random_prices = dict(zip(names, zip(low.tolist(), high.tolist())))
        check.close(
            energy_range(dict(zip(names, n.tolist())), random_prices), (n @ low, n @ high),
            "Seven random kinds: each count times its own prices.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("ratios", points=1):
        check.close(
            ratio_range((2.0, 4.0), (1.0, 2.0)), (1.0, 4.0),
            "2 to 4 over 1 to 2: the ratio is least where the upper amount is small and the lower "
            "one large at the same time, and most the other way round.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(ratio_range((3.0, 3.5), (1.4, 6.0)), (0.5, 2.5), "A ratio may lie around 1.")
        check.close(
            ratio_range((1.0, 9.0), (1.0, 9.0)), (1 / 9, 9.0),
            "Two amounts with the same range need not be the same amount.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "9_5_energy_range", "wrong": "low over low and high over high", "says": "at the same time"}
def energy_range(counts, prices):
    return tuple(sum(n * prices[kind][end] for kind, n in counts.items()) for end in (0, 1))


def ratio_range(above, below):
    return above[0] / below[0], above[1] / below[1]


# %% variant={"of": "9_5_energy_range", "wrong": "a missing price is zero", "says": "exponentials are free"}
def energy_range(counts, prices):
    return tuple(
        sum(n * prices.get(kind, (0, 0))[end] for kind, n in counts.items()) for end in (0, 1)
    )


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "wrong": "kinds that are counted but unknown are left out", "says": "exponentials are free"}
def energy_range(counts, prices):
    known = [kind for kind in counts if kind in prices]
    return sum(counts[k] * prices[k][0] for k in known), sum(
        counts[k] * prices[k][1] for k in known
    )


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "wrong": "the middle twice", "says": "lowest prices"}
def energy_range(counts, prices):
    middle = sum(n * (prices[kind][0] + prices[kind][1]) / 2 for kind, n in counts.items())
    return middle, middle


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "wrong": "the same pair divided by itself is 1"}
def energy_range(counts, prices):
    return tuple(sum(n * prices[kind][end] for kind, n in counts.items()) for end in (0, 1))


def ratio_range(above, below):
    if above == below:
        return 1.0, 1.0
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "right": "arrays and all four quotients"}
def energy_range(counts, prices):
    ends = np.array([prices[kind] for kind in counts], float)
    low, high = np.array(list(counts.values()), float) @ ends
    return float(low), float(high)


def ratio_range(above, below):
    quotients = [a / b for a in above for b in below]
    return min(quotients), max(quotients)


# %% variant={"of": "9_5_energy_range", "right": "a running sum"}
def energy_range(counts, prices):
    low = high = 0.0
    for kind in counts:
        cheap, dear = prices[kind]
        low, high = low + counts[kind] * cheap, high + counts[kind] * dear
    return (low, high)


def ratio_range(above, below):
    (a, b), (c, d) = above, below
    return a / d, b / c


# %% [markdown] hints={"of": "9_5_energy_range"}
# 1. Which lookup in a dictionary raises `KeyError` by itself, and which never does?
# 2. For the ratio, try all four quotients of an end of one and an end of the other. Which is the smallest?
# 3. A quotient is small if what is above the line is small and what is below it is large.

# %% [markdown]
# Now the second headline. BitNet's papers compare a float16 MAC, one multiplication and one addition, with what a ternary weight leaves of it: one addition of an 8-bit number. At 7 nm. Watch what becomes of the ratio as we write down what else a ternary MAC needs.


# %%
def prices_of(table, kinds):
    """Low and high of these kinds of operation: {kind: (low, high)}."""
    return {kind: (table.op(kind).low, table.op(kind).high) for kind in kinds}


seven = prices_of(tables["7nm"], kinds)
points = {kind: (tables["7nm"].op(kind).middle,) * 2 for kind in kinds}
half = {"fp16_mul": 1, "fp16_add": 1}
steps = {
    "one 8-bit addition": {"int8_add": 1},
    "a sum that does not overflow": {"int32_add": 1},
    "what a SIMD kernel does": {"int8_mul": 1, "int32_add": 1},
}
ratios = {}
for step, counts in steps.items():
    point = my.ratio_range(my.energy_range(half, points), my.energy_range(counts, points))[0]
    low, high = my.ratio_range(my.energy_range(half, seven), my.energy_range(counts, seven))
    ratios[step] = (low, point, high)
    print(f"{step:30} {point:5.1f} times less ({low:.1f} to {high:.1f})")

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9, 2.4))
for row, (low, point, high) in enumerate(ratios.values()):
    axis.plot(
        [low, high], [row, row], color=style.TERNARY, linewidth=6, alpha=0.4, solid_capstyle="round"
    )
    axis.plot(point, row, "o", color=style.TERNARY)
    axis.annotate(
        f"{point:.1f}", (point, row), (0, 9), textcoords="offset points", ha="center", fontsize=9.5
    )
axis.set_yticks(range(len(ratios)), list(ratios))
axis.set(xscale="log", xlim=(1, 250), ylim=(2.5, -0.7), xlabel="energy of a float16 MAC over it, 7 nm",
         xticks=[1, 3, 10, 30, 100], xticklabels=[1, 3, 10, 30, 100],
         title="The 71x of one addition")  # fmt: skip
axis.minorticks_off()
style.grid_behind(axis)
plt.show()

# %% [markdown]
# A sum of int8 numbers does not fit into int8: a few hundred terms need 16 bits at the very least, and kernels use 32. The accumulator was left out. With it, 71 becomes 16.7. And processors as they are have no instruction that adds by trit; the kernels of lesson 08 multiply all the same, because their multiply-add is one instruction. And none of these rows has fetched a single byte yet.
#
# ## 5 · One shop, two baskets
#
# So let us price the whole network: every operation, norms and softmax and rounding included, and every byte that moves through two on-chip memories and DRAM. The library's model counts the *basket*, you price it. The baskets below are for one image, with the same float attention in all three.


# %%
def basket(report):
    """What an image takes: {kind of operation, or 8 bytes of a memory: how many}, and prices."""
    counts = {kind: n for kind, n in report.ops.items() if kind != "skip"}
    prices = prices_of(report.energy_model, counts)
    for i, cache in enumerate(report.caches):
        moved = sum(
            layer.levels[i].moved.total + layer.levels[i + 1].moved.total for layer in report.layers
        )
        counts[cache.name] = moved / 8
        price = report.energy_model.sram_access(cache.capacity)
        prices[cache.name] = (price.low, price.high)
    counts["DRAM"] = sum(layer.dram_bytes for layer in report.layers) / 8
    prices["DRAM"] = (report.energy_model.dram.low, report.energy_model.dram.high)
    return counts, prices


reports = {
    "float32": tt.cost.analyze("bitmedvit", "float32"),
    "FFN ternary": tt.cost.analyze("bitmedvit", "bitmedvit"),
    "all int8": tt.cost.analyze("bitmedvit", "int8", attention="float32"),
}
baskets, shop = {}, {}
for name, report in reports.items():
    baskets[name], prices = basket(report)
    shop |= prices
    low, high = (1e-9 * end for end in my.energy_range(baskets[name], shop))
    print(f"{name:12} {low:6.1f} to {high:6.1f} mJ an image, at 45 nm")
    assert np.allclose((low, high), (report.energy_uj.low / 1e3, report.energy_uj.high / 1e3))

# %% [markdown]
# **Predict, then run.** Whoever ternarises wants to save multiplications. Suppose the ternary network's arithmetic, *all* of it, cost nothing: every addition, every float product of its attention, every exponential. By how many times would its energy fall?

# %%
my_guess = None  # times less energy

parts = {
    source: amount.middle for source, amount in reports["FFN ternary"].energy_by_source.items()
}
free = my.gain(parts, {"compute": inf})
check.predicted(my_guess, free, within=0.15, unit=" times",
                comment=f"Arithmetic is {100 * parts['compute'] / sum(parts.values()):.0f} % of its energy. All the rest "
                "is moving numbers about. The prize is in bytes, and chiefly in those of the activations.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.0), width_ratios=(1.2, 1))
source_names = {"compute": "arithmetic", "on_chip": "on-chip memory", "dram": "DRAM"}
source_colors = (style.TERNARY, "#b9c2cd", style.FLOAT)
for row, report in enumerate(reports.values()):
    start = 0.0
    for (source, amount), color in zip(report.energy_by_source.items(), source_colors):
        left.barh(row, amount.middle / 1e3, left=start, color=color, height=0.6,
                  label=source_names[source] if row == 0 else None)  # fmt: skip
        start += amount.middle / 1e3
    right.plot([report.energy_uj.low / 1e3, report.energy_uj.high / 1e3], [row, row], color=style.INK,
               linewidth=2, marker="|", markersize=9)  # fmt: skip
left.set_yticks(range(3), list(reports))
left.set_title("Where it goes (middle prices)", pad=24)
left.set(xlabel="mJ an image")
left.legend(fontsize=8.5, ncols=3, loc="lower left", bbox_to_anchor=(-0.02, 0.98), columnspacing=1)
right.set_yticks(range(3), [""] * 3)
right.set(xlabel="mJ an image", xlim=(0, 280), ylim=left.get_ylim())
right.set_title("The ranges overlap", pad=24)
for axis in (left, right):
    axis.invert_yaxis()
plt.show()

# %% [markdown]
# The teal parts are what everybody talks about. Now look at the right: the ternary network takes 70 to 151 mJ, the int8 one 64 to 137. Does that mean nobody can tell which takes less?
#
# It would, if the two were built by different firms in different years. But both run *on the same chip*. We do not know what a byte from DRAM costs there, but we know that it costs both of them the same. Imagine two shopping baskets. You cannot say what either will cost before you have seen the shop. If one has less of everything in it, you can still say which is cheaper, in any shop.
#
# ### Exercise 9.6: one shop, two baskets (3 points)
#
# Write `shared_ratio(above, below, prices)`: the smallest and the largest ratio of the energies of two baskets, where every price may lie anywhere between its low and high but is **the same for both**. Kinds may be missing in one of the baskets. There are at most 17 kinds.
#
# A fact to build on: if all prices but one are fixed, the ratio only rises or only falls in that one (it has the form $(a + bp) / (c + dp)$). So where do the extremes lie?


# %% nbgrader={"grade": false, "grade_id": "9_6_shared_ratio", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shared_ratio(above, below, prices):
    """Least and most of energy(above) / energy(below), where both pay the same prices."""
    ### BEGIN SOLUTION
    kinds = sorted(set(above) | set(below))
    corners = np.array(list(product(*(prices[kind] for kind in kinds))))
    a, b = ([basket.get(kind, 0) for kind in kinds] for basket in (above, below))
    ratios = (corners @ a) / (corners @ b)
    return float(ratios.min()), float(ratios.max())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_6_shared_ratio_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.6")
def _(shared_ratio):
    prices = {"add": (1.0, 2.0), "load": (10.0, 40.0), "exp": (3.0, 3.0)}
    check.close(
        shared_ratio({"add": 6, "load": 9}, {"add": 2, "load": 3}, prices), (3.0, 3.0),
        "The first basket is exactly three times the second: whatever things cost, it costs three "
        "times as much. Your ends seem to pay different prices for one and the same thing.",
    )  # fmt: skip
    check.close(
        shared_ratio({"add": 20, "load": 1}, {"add": 10, "load": 2}, prices), (60 / 90, 50 / 40),
        "20 additions and 1 load over 10 and 2. The ratio is largest where additions are dear and "
        "loads cheap, which is neither all low nor all high.",
    )  # fmt: skip
    check.close(
        shared_ratio({"add": 10, "exp": 5}, {"load": 1, "exp": 10}, prices), (25 / 70, 35 / 40),
        "10 additions and 5 exponentials over 1 load and 10 exponentials. A kind that one basket "
        "lacks is there 0 times, and still costs the other what it costs.",
    )  # fmt: skip
    check.close(
        shared_ratio({"add": 10}, {"load": 1, "exp": 10}, prices), (10 / 70, 20 / 40),
        "A kind that one basket lacks is there 0 times.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(96)
    for size in (3, 5, 7):
        names = [f"k{i}" for i in range(size)]
        low = rng.uniform(0.1, 10, size)
        high = low * rng.uniform(1, 3, size)
        a, b = rng.integers(1, 50, size), rng.integers(1, 50, size)
        values = []
        for bits in range(2**size):
            p = np.array([high[i] if bits >> i & 1 else low[i] for i in range(size)])
            values.append((a @ p) / (b @ p))
        check.close(
            shared_ratio(dict(zip(names, a.tolist())), dict(zip(names, b.tolist())),
                         dict(zip(names, zip(low.tolist(), high.tolist())))),
            (min(values), max(values)),
            f"{size} random kinds. Each price by itself is at one of its ends where the ratio is "
            "extreme, but which end, depends on the others: have you tried them all together?",
            rtol=1e-9,
        )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "9_6_shared_ratio", "wrong": "each total by itself", "says": "one and the same thing"}
def shared_ratio(above, below, prices):
    return ratio_range(energy_range(above, prices), energy_range(below, prices))


# %% variant={"of": "9_6_shared_ratio", "wrong": "all low or all high", "says": "neither all low nor all high"}
def shared_ratio(above, below, prices):
    first, second = energy_range(above, prices), energy_range(below, prices)
    ratios = [first[0] / second[0], first[1] / second[1]]
    return min(ratios), max(ratios)


# %% variant={"of": "9_6_shared_ratio", "wrong": "drawn at random: never reaches the corners"}
def shared_ratio(above, below, prices):
    rng = np.random.default_rng(0)
    kinds = sorted(set(above) | set(below))
    low, high = np.array([prices[k] for k in kinds], float).T
    drawn = rng.uniform(low, high, (5000, len(kinds)))
    a, b = ([basket.get(k, 0) for k in kinds] for basket in (above, below))
    ratios = drawn @ np.array(a, float) / (drawn @ np.array(b, float))
    return ratios.min(), ratios.max()


# %% variant={"of": "9_6_shared_ratio", "wrong": "one price at a time, the others in the middle"}
def shared_ratio(above, below, prices):
    kinds = sorted(set(above) | set(below))
    middle = {k: sum(prices[k]) / 2 for k in kinds}
    found = []
    for kind in kinds:
        for end in prices[kind]:
            p = middle | {kind: end}
            found.append(
                sum(n * p[k] for k, n in above.items()) / sum(n * p[k] for k, n in below.items())
            )
    return min(found), max(found)


# %% variant={"of": "9_6_shared_ratio", "wrong": "only the kinds that both have", "says": "there 0 times"}
def shared_ratio(above, below, prices):
    kinds = sorted(set(above) & set(below)) or sorted(above)
    corners = np.array(list(product(*(prices[k] for k in kinds))), float)
    ratios = (
        corners @ [above.get(k, 0) for k in kinds] / (corners @ [below.get(k, 1) for k in kinds])
    )
    return ratios.min(), ratios.max()


# %% variant={"of": "9_6_shared_ratio", "right": "sorted by how much more the first basket has"}
def shared_ratio(above, below, prices):
    kinds = sorted(
        set(above) | set(below),
        key=lambda k: above.get(k, 0) / (above.get(k, 0) + below.get(k, 0)),
    )
    found = []
    for cut in range(len(kinds) + 1):
        for first, second in ((0, 1), (1, 0)):
            p = {k: prices[k][first if i < cut else second] for i, k in enumerate(kinds)}
            found.append(
                sum(n * p[k] for k, n in above.items()) / sum(n * p[k] for k, n in below.items())
            )
    return min(found), max(found)


# %% variant={"of": "9_6_shared_ratio", "right": "corners in plain Python"}
def shared_ratio(above, below, prices):
    kinds = list(above) + [kind for kind in below if kind not in above]
    found = []
    for corner in product(*[prices[kind] for kind in kinds]):
        price = dict(zip(kinds, corner))
        top = sum(price[kind] * count for kind, count in above.items())
        found.append(top / sum(price[kind] * count for kind, count in below.items()))
    return min(found), max(found)


# %% [markdown] hints={"of": "9_6_shared_ratio"}
# 1. If the ratio is monotone in each price, no extreme can lie between two ends. Which points of a box are left?
# 2. `itertools.product` (the set-up imports it) goes through all combinations: `product((1, 2), (10, 40))`.
# 3. Every combination prices both baskets. Take the smallest and the largest ratio of all of them; `basket.get(kind, 0)` is the count of a kind that may be missing.


# %%
def compare(above, below):
    """Ratio of two networks' energies: the naive interval, and that with shared prices."""
    naive = my.ratio_range(
        my.energy_range(baskets[above], shop), my.energy_range(baskets[below], shop)
    )
    return naive, my.shared_ratio(baskets[above], baskets[below], shop)


pairs = [("float32", "FFN ternary"), ("all int8", "FFN ternary")]
found = {}
for above, below in pairs:
    naive, shared = found[above, below] = compare(above, below)
    print(f"{above} over {below}: {naive[0]:.2f} to {naive[1]:.2f} if they shared nothing, "
          f"{shared[0]:.2f} to {shared[1]:.2f} on one chip")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9, 2.5))
for row, (naive, shared) in enumerate(found.values()):
    axis.plot(naive, [row - 0.13] * 2, color="#b9c2cd", linewidth=6, solid_capstyle="round")
    axis.plot(shared, [row + 0.13] * 2, color=style.TERNARY, linewidth=6, solid_capstyle="round")
    axis.text(
        naive[1] * 1.05,
        row - 0.13,
        "prices unknown to each other",
        fontsize=8.5,
        va="center",
        color=style.MUTED,
    )
    axis.text(
        max(naive[1], shared[1]) * 1.05,
        row + 0.17,
        "one chip",
        fontsize=8.5,
        va="center",
        color=style.TERNARY,
    )
axis.axvline(1, color=style.ACCENT, linestyle="--", linewidth=1.2)
axis.set_yticks(range(2), [f"{above} /\n{below}" for above, below in found])
axis.set(xscale="log", xlim=(0.38, 9), ylim=(1.5, -0.5), xticks=[0.5, 1, 2, 4], xticklabels=[0.5, 1, 2, 4],
         xlabel="ratio of energies", title="Unknown energies, known order")  # fmt: skip
axis.minorticks_off()
plt.show()

# %% [markdown]
# Two results that no point estimate would have given you. Ternarising the FFN saves, by this model, between 1.6 and 1.9 times the energy, wherever the prices lie: the saving is certain, and it is not forty. And dull int8 takes *less* than the paper's ternary network at **every** price within the ranges; the library's tests find the same with the caches of a Jetson and of a Raspberry Pi, at 45 nm and at 7 nm. It was the smaller file, too. The reason is the same both times: int8 touches every matrix, and the ternary policy one kind only.
#
# It is lesson 07's paired interval in other clothes. What two things have in common drops out of their comparison.
#
# One honest remark. The prices are ranges; the *model* is not. How many bytes pass each memory depends on how a kernel cuts its matrices into tiles, whether norms are fused, and what stays in a cache. A second model would give other baskets, and this interval does not know it.
#
# And the 71x? Here is how it ends, against float16 at 7 nm as in the paper, all matrices ternary.

# %%
seven_reports = {
    "float16": tt.cost.analyze("bitmedvit", "float16", table="7nm"),
    "ternary, float16 activations": tt.cost.analyze(
        "bitmedvit", "everything", floats="float16", table="7nm"
    ),
    "FFN ternary, float32 activations": tt.cost.analyze("bitmedvit", "bitmedvit", table="7nm"),
}
seven_baskets, seven_shop = {}, {}
for name, report in seven_reports.items():
    seven_baskets[name], prices = basket(report)
    seven_shop |= prices
staircase = dict(ratios)
for name in list(seven_reports)[1:]:
    low, high = my.shared_ratio(seven_baskets["float16"], seven_baskets[name], seven_shop)
    middle = seven_reports["float16"].energy_uj.middle / seven_reports[name].energy_uj.middle
    staircase[name] = (low, middle, high)
    print(f"whole network, {name}: {middle:.2f} ({low:.2f} to {high:.2f}) times less than float16")

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9.5, 3.0))
for row, (low, point, high) in enumerate(staircase.values()):
    color = style.TERNARY if row < 3 else style.ACCENT
    axis.plot([low, high], [row, row], color=color, linewidth=6, alpha=0.4, solid_capstyle="round")
    axis.plot(point, row, "o", color=color)
    axis.annotate(
        f"{point:.1f}", (point, row), (0, 8), textcoords="offset points", ha="center", fontsize=9.5
    )
axis.axvline(1, color=style.MUTED, linewidth=1)
axis.set_yticks(range(5), ["MAC: " + name for name in list(staircase)[:3]] +
                ["network: " + name for name in list(staircase)[3:]])  # fmt: skip
axis.set(xscale="log", xlim=(0.4, 250), ylim=(4.5, -0.8), xticks=[0.5, 1, 3, 10, 30, 100],
         xticklabels=[0.5, 1, 3, 10, 30, 100], xlabel="energy of float16 over it, 7 nm",
         title="What is left of 71x, step by step")  # fmt: skip
axis.minorticks_off()
style.grid_behind(axis)
plt.show()

# %% [markdown]
# The last row lies *below* 1. A network with a ternary FFN that keeps its activations in float32 takes more energy, by this model, than a plain float16 network, because it moves twice the bytes for each activation.
#
# ## 6 · The roofline
#
# Energy adds up; time overlaps. While a chip multiplies, its memory can already fetch the next weights, so a layer takes as long as the *slower* of the two. Samuel Williams, Andrew Waterman and David Patterson made a picture of that in 2009. Ask of a layer how many MACs it does for each byte that it moves: its **arithmetic intensity**. Then no layer does more MACs a second than
#
# - the chip's **peak**, if it has enough to do with each byte, or
# - intensity × **bandwidth**, if it has not.
#
# Where the two meet is the *ridge*. Left of it a layer is memory-bound: faster arithmetic does nothing for it. Right of it, it is compute-bound: fewer bytes do nothing.
#
# ### Exercise 9.7: the roofline (3 points)
#
# Write `intensity(rows, inputs, outputs, bits)`: MACs for each byte of a linear layer. It reads its input and its weights and writes its output, each number once; `bits` is a tuple of the bits for a number of each, `(input, weight, output)`. No padding and no scales this time.
#
# Write `attainable(macs_per_byte, peak, bandwidth)`: the most MACs a second. The first argument may be an array, and then so is the result.


# %% nbgrader={"grade": false, "grade_id": "9_7_intensity", "locked": false, "schema_version": 3, "solution": true, "task": false}
def intensity(rows, inputs, outputs, bits):
    """MACs for each byte moved, if input, weights and output move once."""
    ### BEGIN SOLUTION
    x_bits, w_bits, y_bits = bits
    moved = rows * inputs * x_bits + outputs * inputs * w_bits + rows * outputs * y_bits
    return 8 * rows * inputs * outputs / moved
    ### END SOLUTION


def attainable(macs_per_byte, peak, bandwidth):
    """Most MACs a second, for a peak in MACs a second and a bandwidth in bytes a second."""
    ### BEGIN SOLUTION
    return np.minimum(peak, macs_per_byte * bandwidth)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_7_intensity_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.7")
def _(intensity, attainable):
    with check.part("intensity", points=2):
        check.close(
            intensity(1, 8, 4, (8, 8, 8)), 32 / 44,
            "One row, 8 inputs, 4 outputs, a byte each: 32 MACs, and 8 + 32 + 4 bytes.",
        )  # fmt: skip
        check.close(
            intensity(10, 8, 4, (8, 8, 8)), 320 / 152,
            "Ten rows: ten times the MACs, and inputs and outputs, but the weights are read once "
            "for all rows.",
        )  # fmt: skip
        check.close(
            intensity(1, 8, 4, (8, 2, 32)), 32 / (8 + 8 + 16),
            "Inputs of 8 bits, weights of 2, outputs of 32: 8 + 8 + 16 bytes. A byte has 8 bits.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(97)
        for _ in range(5):
            m, k, n = (int(v) for v in rng.integers(1, 60, 3))
            x, w, y = (float(v) for v in rng.choice([1.6, 2, 8, 16, 32], 3))
            moved = m * k * x / 8 + k * n * w / 8 + m * n * y / 8
            check.close(
                intensity(m, k, n, (x, w, y)), m * k * n / moved,
                "On a random layer: input (rows x inputs), weights (inputs x outputs), output "
                "(rows x outputs), each with its own bits.",
            )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("the roof", points=1):
        check.close(
            attainable(2.0, 100.0, 10.0), 20.0,
            "2 MACs for each byte, 10 bytes a second: the memory allows 20 MACs a second, however "
            "fast the arithmetic is.",
        )  # fmt: skip
        check.close(
            attainable(50.0, 100.0, 10.0), 100.0,
            "Enough to do with each byte: the arithmetic's own peak is the limit.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(
            attainable(np.array([1.0, 10.0, 12.0]), 100.0, 10.0), [10.0, 100.0, 100.0],
            "An array of intensities gives an array.",
        )  # fmt: skip
        check.close(
            attainable(np.array([[1, 3], [7, 90]]), 100.0, 2.5), [[2.5, 7.5], [17.5, 100.0]],
            "A table of whole numbers, 2 x 2, at 2.5 bytes a second: the result has its shape, and "
            "need not be whole.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "9_7_intensity", "wrong": "weights read again for each row", "says": "once for all rows"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = bits
    moved = rows * (inputs * x + inputs * outputs * w + outputs * y) / 8
    return rows * inputs * outputs / moved


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, macs_per_byte * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "MACs for each bit", "says": "a byte each"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = bits
    return rows * inputs * outputs / (rows * inputs * x + inputs * outputs * w + rows * outputs * y)


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, macs_per_byte * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "weights only", "says": "8 + 32 + 4 bytes"}
def intensity(rows, inputs, outputs, bits):
    return rows * inputs * outputs / (inputs * outputs * bits[1] / 8)


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, macs_per_byte * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "two operations a MAC", "says": "32 MACs"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = bits
    moved = (rows * inputs * x + inputs * outputs * w + rows * outputs * y) / 8
    return 2 * rows * inputs * outputs / moved


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, macs_per_byte * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "the larger of the two", "says": "however fast"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = bits
    moved = (rows * inputs * x + inputs * outputs * w + rows * outputs * y) / 8
    return rows * inputs * outputs / moved


def attainable(macs_per_byte, peak, bandwidth):
    return np.maximum(peak, macs_per_byte * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "input and output swapped"}
def intensity(rows, inputs, outputs, bits):
    y, w, x = bits
    moved = (rows * inputs * x + inputs * outputs * w + rows * outputs * y) / 8
    return rows * inputs * outputs / moved


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, macs_per_byte * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "one number for an array", "says": "gives an array"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = bits
    moved = (rows * inputs * x + inputs * outputs * w + rows * outputs * y) / 8
    return rows * inputs * outputs / moved


def attainable(macs_per_byte, peak, bandwidth):
    return min(peak, float(np.max(macs_per_byte)) * bandwidth)


# %% variant={"of": "9_7_intensity", "right": "bytes first, and where"}
def intensity(rows, inputs, outputs, bits):
    sizes = np.array([rows * inputs, inputs * outputs, rows * outputs])
    return float(rows * inputs * outputs / (sizes @ np.array(bits, float) / 8))


def attainable(macs_per_byte, peak, bandwidth):
    macs_per_byte = np.asarray(macs_per_byte, float)
    return np.where(macs_per_byte < peak / bandwidth, macs_per_byte * bandwidth, peak)


# %% variant={"of": "9_7_intensity", "right": "one over a sum of three"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b / 8 for b in bits)
    return 1 / (x / outputs + w / rows + y / inputs)


def attainable(macs_per_byte, peak, bandwidth):
    return np.clip(bandwidth * np.asarray(macs_per_byte), None, peak)


# %% [markdown] hints={"of": "9_7_intensity"}
# 1. Three things move: how many numbers are in each, and how many bytes is a number of it?
# 2. MACs over bytes. Try rows = 1 on paper: what dominates the bytes?
# 3. Of two limits the lower one holds, entry by entry: NumPy has a function for the smaller of two arrays.

# %% [markdown]
# Divide numerator and denominator by rows × inputs × outputs and you see the whole story: $1 / (b_x/\text{outputs} + b_w/\text{rows} + b_y/\text{inputs})$, with $b$ in bytes. The weights' bytes are divided by the *rows*. A language model that writes one word at a time has one row, and weights are nearly all that it moves. That is where ternary weights save nearly sixteen times the bytes, and the time to move them. And a Vision Transformer?


# %% jupyter={"source_hidden": true}
def draw_rows(axes, rows):
    """Bytes moved by fc1 of BitMedViT for each row, with three kinds of weights."""
    kinds = {"float32": 32, "int8": 8, "ternary": 2}
    width, hidden = bitmedvit.width, bitmedvit.mlp_width
    moved = {
        k: width * hidden / my.intensity(rows, width, hidden, (32, b, 32)) for k, b in kinds.items()
    }
    around = (width + hidden) * 4
    for place, (kind, amount) in enumerate(moved.items()):
        axes.bar(place, around / 1024, color="#b9c2cd", width=0.6)
        axes.bar(place, (amount - around) / 1024, bottom=around / 1024,
                 color=style.TERNARY if kind == "ternary" else style.FLOAT, width=0.6)  # fmt: skip
    axes.set_xticks(range(3), list(moved))
    ratio = moved["float32"] / moved["ternary"]
    axes.set_title(
        f"{rows:,} row{'s' if rows > 1 else ''}: {ratio:.1f} times fewer bytes", fontsize=10
    )


figure, stills = plt.subplots(1, 3, figsize=(11, 2.7))
for still, rows in zip(stills, (1, 49, 1024)):
    draw_rows(still, rows)
stills[0].set_ylabel("KiB for each row")
stills[2].text(2.45, stills[2].get_ylim()[1] * 0.97, "grey: activations\ncolour: weights", fontsize=8.5,
               color=style.MUTED, ha="right", va="top")  # fmt: skip
plt.show()


def move(rows=49):
    _, axes = plt.subplots(figsize=(6.5, 3))
    draw_rows(axes, rows)
    axes.set_ylabel("KiB for each row")
    plt.show()


course.slider(move, rows=(1, 2048, 1))

# %% [markdown]
# A ViT never works at "batch 1". Its tokens are a batch: 49 of them in the smallest network of this library, 1,024 in BitMedViT. With every further row the weights are shared by one more, until what moves is activations, and *their* bits are what counts. So the celebrated speed-ups of ternary language models do not carry over to images, and nobody has done anything wrong.
#
# **Predict, then run.** A Jetson Orin Nano, for which BitMedViT was made: 68 GB/s, 0.64 TMAC/s for float32 and 10 for integers. In float32 none of the six FFN layers is memory-bound at one image. Ternary weights take a sixteenth of the bytes; inputs are int8 now, outputs float32 as before. How many of the six are memory-bound?

# %%
my_guess = None  # of the six layers of the FFN

jetson = tt.cost.device("jetson-orin-nano")
bandwidth = jetson.dram_bytes_per_second
layers = {}
for kind, policy in (("float32", "float32"), ("FFN ternary", "bitmedvit"), ("all int8", "int8")):
    for layer in tt.cost.analyze("bitmedvit", policy).layers:
        g, arithmetic = layer.step.gemm, layer.step.arithmetic
        if layer.step.kind == "linear":
            dense = my.intensity(g.rows, g.inputs, g.outputs, (g.x_bits, g.w_bits, g.y_bits))
            assert np.isclose(dense, g.macs / g.operand_bytes)
            peak = jetson.peak_of(arithmetic)
            waits = my.attainable(dense, peak, bandwidth) < peak
            layers[kind, layer.step.name] = (dense, peak / bandwidth, bool(waits))
bound = {kind: sum(waits for (k, name), (*_, waits) in layers.items() if k == kind and ".mlp." in name)
         for kind in ("float32", "FFN ternary")}  # fmt: skip
assert bound["float32"] == 0
check.predicted(my_guess, bound["FFN ternary"],
                comment="The three fc1. They move less than before, and wait all the same: integers are computed "
                "sixteen times as fast, so a layer needs sixteen times as much to do with each byte.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9, 3.9))
x = np.geomspace(0.1, 2000, 200)
for peak, color, name in ((jetson.peak_of("int8"), style.TERNARY, "integers"),
                          (jetson.peak_of("float32"), style.FLOAT, "float32")):  # fmt: skip
    axis.loglog(x, my.attainable(x, peak, bandwidth) / 1e12, color=color, linewidth=1.4)
    axis.text(0.12, peak / 1e12 * 1.12, f"peak of {name}", color=color, fontsize=9)
shown = {"blocks.0.mlp.fc1": "fc1", "blocks.0.mlp.fc2": "fc2", "head": "head"}
for kind, color in (("float32", style.FLOAT), ("FFN ternary", style.TERNARY)):
    for name, label in shown.items():
        dense, ridge, _ = layers[kind, name]
        if kind == "FFN ternary" and name == "head":
            continue  # float in both
        height = my.attainable(dense, ridge * bandwidth, bandwidth) / 1e12
        axis.plot(dense, height, "o", color=color, markersize=7)
        shift = {"head": (8, -4), "fc1": (-3, -15), "fc2": (4, -15)}[label]
        if kind == "float32":
            label = {"fc1": "fc1, fc2", "fc2": "", "head": "head"}[label]
        axis.annotate(
            label, (dense, height), shift, textcoords="offset points", fontsize=9, color=color
        )
axis.set(xlabel="MACs for each byte", ylabel="TMAC/s at most", ylim=(0.008, 25), xlim=(0.1, 2000),
         title="Ternary layers sit under a higher roof, and fc1 does not reach it")  # fmt: skip
style.grid_behind(axis)
plt.show()

# %%
outer = (bitmedvit.tokens, bitmedvit.width, bitmedvit.mlp_width)
ridge = jetson.peak_of("int8") / bandwidth
for label, bits in (("int8 in, 2-bit weights, float32 out", (8, 2, 32)),
                    ("int8 in, 1.6-bit weights, float32 out", (8, 1.6, 32)),
                    ("int8 in, 0-bit weights, float32 out", (8, 0, 32)),
                    ("int8 in, 2-bit weights, int8 out", (8, 2, 8))):  # fmt: skip
    print(
        f"fc1, {label:38} {my.intensity(*outer, bits):6.1f} MACs a byte; the ridge is at {ridge:.0f}"
    )

# %% [markdown]
# Read the third line twice. With weights that take *no bytes at all*, fc1 would still wait for memory. The last line shows what helps: let the kernel apply the activation and round to int8 before it writes. A bit saved in the output is worth more than a bit saved in the weights, at 1,024 rows. (A roofline is a bound and no forecast, and lesson 10 measures.)
#
# ## 7 · The bug museum
#
# Three calculations that have been printed, in one form or another, many times. Their authors were not careless; the code runs and the results look good. Read them by their symptoms.
#
# ### Exhibits A and B: two tables too good to be true
#
# Colleague A compares the sizes of files. Their function passes every review, until somebody compares a float32 file with itself.


# %% tags=["exhibit"]
def times_smaller(parameters, file_bytes):
    before = 4 * parameters / 1e6
    after = file_bytes / 2**20
    return before / after


# %% jupyter={"source_hidden": true}
deit = 22_200_000  # about as many parameters as a DeiT-S has
for label, size in (
    ("int8, a byte each", deit),
    ("float16", 2 * deit),
    ("float32, with itself", 4 * deit),
):
    print(f"{label:22} {times_smaller(deit, size):.3f} times smaller")

# %% [markdown]
# Colleague B measures how well kernels use a Raspberry Pi 5, whose data sheet allows 307 GMAC/s in int8: four cores, 2.4 GHz, 32 MACs a cycle. They time products of matrices, count the operations with PyTorch's counter, and divide.


# %% tags=["exhibit"]
def utilization(rows, inputs, outputs, seconds, peak):
    operations = 2 * rows * inputs * outputs
    return operations / seconds / peak


timed = {(64, 512, 512): 1.80e-4, (256, 512, 2048): 1.60e-3, (1024, 512, 2048): 5.35e-3}

# %% jupyter={"source_hidden": true}
used = [100 * utilization(*size, seconds, 307.2e9) for size, seconds in timed.items()]
figure, axis = plt.subplots(figsize=(8.5, 2.4))
bars = axis.barh(
    [" × ".join(map(str, size)) for size in timed], used, color=style.FLOAT, height=0.55
)
for bar, value in zip(bars, used):
    axis.text(
        value + 1, bar.get_y() + bar.get_height() / 2, f"{value:.0f} %", va="center", fontsize=9.5
    )
axis.axvline(100, color=style.ACCENT, linestyle="--", linewidth=1.2)
axis.set(
    xlim=(0, 150), xlabel="of the peak, %", title="B's figure: the larger the matrix, the better"
)
axis.invert_yaxis()
plt.show()

# %% [markdown]
# ### Exercise 9.8: find, name, repair (3 points)
#
# `faults()` returns a dictionary with the name of each fault, `{"A": ..., "B": ...}`, each one of
#
# `"bits for bytes"`, `"a warm cache"`, `"MB for MiB"`, `"an average of ratios"`, `"GOP for GMAC"`, `"the wrong baseline"`.
#
# `repaired_times(parameters, file_bytes)` and `repaired_utilization(rows, inputs, outputs, seconds, peak)` return what A and B meant to compute; `peak` is in MACs a second, as the data sheet has it, and the result a share, not a percentage.


# %% nbgrader={"grade": false, "grade_id": "9_8_faults", "locked": false, "schema_version": 3, "solution": true, "task": false}
def faults():
    """Names of the two faults: {"A": ..., "B": ...}."""
    ### BEGIN SOLUTION
    return {"A": "MB for MiB", "B": "GOP for GMAC"}
    ### END SOLUTION


def repaired_times(parameters, file_bytes):
    """How many times smaller a file is than the float32 numbers of its network."""
    ### BEGIN SOLUTION
    return 4 * parameters / file_bytes
    ### END SOLUTION


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    """Share of the peak that a product of matrices has reached."""
    ### BEGIN SOLUTION
    return rows * inputs * outputs / seconds / peak
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_8_faults_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.8")
def _(faults, repaired_times, repaired_utilization):
    with check.part("names", points=1):
        said = faults()
        check.true(
            isinstance(said, dict) and set(said) == {"A", "B"},
            'Return a dictionary such as {"A": "a warm cache", "B": "bits for bytes"}.',
        )
        ### BEGIN HIDDEN TESTS
        a, b = (str(said[key]).strip().lower() for key in "AB")
        check.true(
            a == "mb for mib",
            f"A: not {a}. What is 1.049, the ratio of a file to itself? Try 2**20 and other numbers "
            "that both lines of A's function contain.",
        )
        check.true(
            b == "gop for gmac",
            f"B: not {b}. No kernel does more than the peak. By which factor would all bars have to "
            "shrink, and in what is the peak given?",
        )
        ### END HIDDEN TESTS
    with check.part("A repaired", points=1):
        check.close(
            repaired_times(1000, 4000), 1.0, "A float32 file and its own numbers: once, exactly.",
            rtol=1e-9,
        )  # fmt: skip
        check.close(
            repaired_times(1000, 1600), 2.5,
            "4,000 bytes over 1,600. A ratio has no unit, if both sides have the same.",
            rtol=1e-9,
        )  # fmt: skip
    with check.part("B repaired", points=1):
        check.close(
            repaired_utilization(10, 20, 30, 1.6, 7500.0), 0.5,
            "6,000 MACs in 1.6 seconds, where 7,500 a second are possible: half of the peak. What is "
            "counted and what the peak counts have to be the same thing.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(
            repaired_utilization(1024, 512, 2048, 5.35e-3, 307.2e9),
            1024 * 512 * 2048 / 5.35e-3 / 307.2e9, "The largest of B's products: a share below 1.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "9_8_faults", "wrong": "both sizes in MB, rounded first", "says": "once, exactly"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return round(4 * parameters / 1e6, 1) / max(round(file_bytes / 1e6, 1), 0.1)


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return rows * inputs * outputs / (seconds * peak)


# %% variant={"of": "9_8_faults", "wrong": "blames the cache for B", "says": "what is the peak given"}
def faults():
    return {"A": "MB for MiB", "B": "a warm cache"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters / file_bytes


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return rows * inputs * outputs / seconds / peak


# %% variant={"of": "9_8_faults", "wrong": "blames bits for A", "says": "ratio of a file to itself"}
def faults():
    return {"A": "bits for bytes", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters / file_bytes


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return rows * inputs * outputs / seconds / peak


# %% variant={"of": "9_8_faults", "wrong": "the units exchanged", "says": "once, exactly"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return (4 * parameters / 2**20) / (file_bytes / 1e6)


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return rows * inputs * outputs / seconds / peak


# %% variant={"of": "9_8_faults", "wrong": "capped at 100 %", "says": "half of the peak"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters / file_bytes


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return min(1.0, 2 * rows * inputs * outputs / seconds / peak)


# %% variant={"of": "9_8_faults", "wrong": "in percent", "says": "half of the peak"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters / file_bytes


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return 100 * rows * inputs * outputs / seconds / peak


# %% variant={"of": "9_8_faults", "right": "both in MiB, the peak in operations"}
def faults():
    return {"A": "mb for mib", "B": "gop for gmac"}


def repaired_times(parameters, file_bytes):
    before = 4 * parameters / 2**20
    after = file_bytes / 2**20
    return before / after


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return 2 * rows * inputs * outputs / seconds / (2 * peak)


# %% variant={"of": "9_8_faults", "right": "seconds at the peak over seconds taken"}
def faults():
    return {"B": "GOP for GMAC"} | {"A": "MB for MiB"}


def repaired_times(parameters, file_bytes):
    return parameters / (file_bytes / 4)


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    least = rows * inputs * outputs / peak
    return least / seconds


# %% [markdown] hints={"of": "9_8_faults"}
# 1. A: compute 2**20 / 1e6. Where have you seen that number?
# 2. B: halve all bars. Which of them is impossible then? What did the counter count, and what does the data sheet count?
# 3. Repairing a ratio means bringing both sides to one unit. It does not matter which.

# %% [markdown]
# A is 4.9 % for nothing, in every table where the float size comes from a calculator and the file size from a file manager. B is a factor of two, and it goes either way: PyTorch's `FlopCounterMode` counts two operations for each MAC; fvcore, thop, ptflops and torchinfo count MACs and often call them FLOPs. BitMedViT's "11.5 GOPs" are GMACs, as you know since section 1.
#
# A is also how **"about 15x"** comes about. FTerViT's DeiT-III-S takes 88.8 MB in float32, and its file is published as 6.09 "MB". Which kind? There is a second network, the same at 224 in place of 384 pixels, with 5.81. The two differ by 380 positions of width 384, two bytes each:

# %%
difference = 380 * 384 * 2
print(
    f"{difference:,} bytes are {difference / 1e6:.3f} MB or {difference / 2**20:.3f} MiB; published: {6.09 - 5.81:.2f}"
)
(ftervit,) = (claim for claim in tt.cost.claims() if claim.what == "compression")
floats = ftervit.derived * 6.09 * 2**20
print(f"float32: {floats / 1e6:.1f} MB or {floats / 2**20:.1f} MiB")
print(f"in mixed units {floats / 1e6 / 6.09:.1f} times smaller, "
      f"in one unit {my.repaired_times(floats / 4, 6.09 * 2**20):.1f}")  # fmt: skip

# %% [markdown]
# Published sizes are MiB, then, and 14.6, "about 15", becomes 13.9. A detective story of three lines.
#
# ### Exhibit C: joules by the stopwatch
#
# Colleague C wants to know which layer drains the battery. They let a profiler add up the seconds of each step, over both threads of the chip, and know from the data sheet that it is made for 15 W.


# %% tags=["exhibit"]
def energy_of_steps(seconds, watts=15.0):
    return {step: watts * s for step, s in seconds.items()}


quiet = {"wait for the camera": 0.0200, "attention": 0.0062, "FFN": 0.0127, "norms": 0.0019}
busy = quiet | {"attention": 0.0115, "FFN": 0.0244, "norms": 0.0035}

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 2.7), width_ratios=(1.5, 1))
place = np.arange(len(quiet))
by_c = energy_of_steps(quiet)
left.bar(place - 0.2, [1e3 * e for e in by_c.values()], 0.38, color=style.FLOAT, label="as usual")
left.bar(place + 0.2, [1e3 * e for e in energy_of_steps(busy).values()], 0.38, color="#b9c2cd",
         label="another program runs too")  # fmt: skip
left.set_xticks(place, list(quiet), fontsize=9)
left.set(ylabel="mJ an image", ylim=(0, 520), title="C's figure")
left.legend(fontsize=8.5, loc="upper right")
measured = 0.0312 * 4.4  # seconds an image, mean watts at the plug
right.bar(["C's sum", "a meter at the plug"], [1e3 * sum(by_c.values()), 1e3 * measured],
          color=[style.FLOAT, style.INK], width=0.5)  # fmt: skip
right.set(ylabel="mJ an image", title="All steps together")
plt.show()

# %% [markdown]
# Waiting costs most. An addition takes twice the energy when somebody else uses the chip. And the steps together need several times what came out of the plug.
#
# What can one say honestly about a single step? A meter at the plug measures the whole board: idle current, screen, memory and all. But it can measure *twice*: a run in which the step is executed, and the same run in which the step is executed `times` more often. Whatever both have in common drops out.
#
# ### Exercise 9.9: find, name, repair (2 points)
#
# `fault_of_energy()` returns one of `"zeros counted as work"`, `"the whole chip's power, billed by the clock"`, `"kilo for kibi"`, `"prices of another process"`.
#
# `step_joules(more, base, times)`: energy of *one* execution of the step, as a tuple `(low, high)`. `more` and `base` are runs, each `(seconds, low_watts, high_watts)`, where the meter's reading of the mean power is somewhere between low and high; in `more` the step ran `times` times more. The readings of the two runs err independently. If the meter is too coarse, `low` comes out negative. Leave it so: it says that this measurement has shown nothing.


# %% nbgrader={"grade": false, "grade_id": "9_9_step_joules", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fault_of_energy():
    """Name of C's fault."""
    ### BEGIN SOLUTION
    return "the whole chip's power, billed by the clock"
    ### END SOLUTION


def step_joules(more, base, times):
    """Joules (low, high) of one execution, from two runs (seconds, low watts, high watts)."""
    ### BEGIN SOLUTION
    (long, long_low, long_high), (short, short_low, short_high) = more, base
    low = long * long_low - short * short_high
    high = long * long_high - short * short_low
    return low / times, high / times
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_9_step_joules_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.9")
def _(fault_of_energy, step_joules):
    with check.part("name", points=1):
        said = str(fault_of_energy()).strip().lower()
        ### BEGIN HIDDEN TESTS
        check.true(
            said == "the whole chip's power, billed by the clock",
            f"Not {said}. What do waiting, and a program of somebody else's, change in C's "
            "calculation, and what would they change in the work that the step does?",
        )
        ### END HIDDEN TESTS
        check.true(len(said) > 10, "Return one of the four names.")
    with check.part("two runs", points=1):
        check.close(
            step_joules((10.0, 5.0, 5.0), (8.0, 4.0, 4.0), 9), (2.0, 2.0),
            "A perfect meter: 50 J with, 32 J without, 9 executions. The two runs differ in power "
            "and in time.",
        )  # fmt: skip
        check.close(
            step_joules((10.0, 4.9, 5.1), (8.0, 4.0, 4.2), 2), (7.7, 9.5),
            "49 to 51 J with, 32 to 33.6 J without, 2 executions: the difference is least where the "
            "first is low and the second is high.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(
            step_joules((10.0, 4.0, 5.0), (10.0, 4.0, 5.0), 5), (-2.0, 2.0),
            "Two runs that the meter cannot tell apart: from -2 to 2 J. A negative low end is an "
            "answer; cutting it off at 0 would claim more than was measured.",
        )  # fmt: skip
        check.close(
            step_joules((3.0, 2.0, 2.5), (2.0, 1.0, 1.75), 4), (0.625, 1.375), "Two other runs."
        )
        ### END HIDDEN TESTS


# %% variant={"of": "9_9_step_joules", "wrong": "more seconds at the mean power: the stopwatch again", "says": "in power and in time"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    extra = more[0] - base[0]
    return extra * more[1] / times, extra * more[2] / times


# %% variant={"of": "9_9_step_joules", "wrong": "low minus low", "says": "the second is high"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    return tuple((more[0] * more[end] - base[0] * base[end]) / times for end in (1, 2))


# %% variant={"of": "9_9_step_joules", "wrong": "cut off at zero", "says": "claim more than was measured"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    low = (more[0] * more[1] - base[0] * base[2]) / times
    high = (more[0] * more[2] - base[0] * base[1]) / times
    return max(low, 0.0), max(high, 0.0)


# %% variant={"of": "9_9_step_joules", "wrong": "another name", "says": "waiting"}
def fault_of_energy():
    return "zeros counted as work"


def step_joules(more, base, times):
    low = (more[0] * more[1] - base[0] * base[2]) / times
    return low, (more[0] * more[2] - base[0] * base[1]) / times


# %% variant={"of": "9_9_step_joules", "wrong": "all executions together", "says": "9 executions"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    return more[0] * more[1] - base[0] * base[2], more[0] * more[2] - base[0] * base[1]


# %% variant={"of": "9_9_step_joules", "right": "ends of each run first"}
def fault_of_energy():
    return "The whole chip's power, billed by the clock"


def step_joules(more, base, times):
    with_step = [more[0] * w for w in more[1:]]
    without = [base[0] * w for w in base[1:]]
    return (with_step[0] - without[1]) / times, (with_step[1] - without[0]) / times


# %% variant={"of": "9_9_step_joules", "right": "all four differences"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    found = [(more[0] * a - base[0] * b) / times for a in more[1:] for b in base[1:]]
    return min(found), max(found)


# %% [markdown] hints={"of": "9_9_step_joules"}
# 1. C multiplies two numbers. Does either of them know what a step does? What does a waiting chip still draw?
# 2. Energy of a run: seconds times watts, which lies between two ends. Then the difference of two such pairs, as in exercise 9.5 the quotient.
# 3. Least: the first run as low as it may be, the second as high.

# %% jupyter={"source_hidden": true}
base = (60.0, 4.38, 4.42)
figure, axis = plt.subplots(figsize=(8.5, 2.5))
for row, times in enumerate((200, 2000, 20000)):
    # each execution adds 1.5 ms to the run and 9 mJ to its energy; the meter is right to 0.45 %
    seconds = base[0] + 0.0015 * times
    watts = (base[0] * 4.4 + 0.009 * times) / seconds
    low, high = my.step_joules((seconds, 0.9955 * watts, 1.0045 * watts), base, times)
    axis.plot(
        [1e3 * low, 1e3 * high],
        [row, row],
        color=style.TERNARY,
        linewidth=6,
        alpha=0.6,
        solid_capstyle="round",
    )
    axis.text(
        max(1e3 * high, 0) + 0.4,
        row,
        f"{1e3 * low:.1f} to {1e3 * high:.1f} mJ",
        va="center",
        fontsize=9,
    )
axis.axvline(9, color=style.ACCENT, linestyle="--", linewidth=1.2)
axis.axvline(0, color=style.MUTED, linewidth=1)
axis.set_yticks(range(3), [f"{times:,} times" for times in (200, 2000, 20000)])
axis.set(xlabel="mJ for one execution (true: 9)", xlim=(-5, 29), ylim=(2.5, -0.6),
         title="Repeat a step often enough, and a coarse meter will do")  # fmt: skip
plt.show()

# %% [markdown]
# C's fault has a grown-up version. Efficiency in "GOPs per joule" on a data sheet or in a paper is often throughput over the power of the whole board: useful, and a property of the board. BitMedViT's 183.6 GOPs/J is of that kind: a measured rate over measured watts. It says nothing about what an addition costs.
#
# ## 8 · The audit
#
# Every claim of this lesson fell to the same three questions. *Of what against what?* *In which unit?* *What else was there?* Put them into a function, and nobody can skip one. The set-up cell below gives the units.

# %% tags=["setup"]
UNITS = {
    "B": ("bytes", 1), "MB": ("bytes", 10**6), "MiB": ("bytes", 2**20),
    "GMAC": ("MACs", 10**9), "GOP": ("MACs", 10**9 / 2),
    "pJ": ("joules", 1e-12), "mJ": ("joules", 1e-3),
}  # fmt: skip

# %% [markdown]
# ### Exercise 9.10: the audit, as a function (3 points)
#
# Write `audit(claim)`. A claim is a dictionary:
#
# ```python
# {"said": 4.0,                                            # "4 times less"
#  "baseline": {"network": "A", "amount": 8.0, "unit": "MB"},
#  "result": {"network": "B", "amount": 2.0, "unit": "MB"},
#  "spent": {"weights", "positions"},                      # what such a network needs
#  "counted": {"weights"}}                                 # what the claim counts
# ```
#
# Return a dictionary with
#
# - `"ratio"`: baseline over result, **both in one unit**. Amounts of different kinds (bytes and joules) raise `ValueError`;
# - `"unit"`: the kind, `"bytes"`, `"MACs"` or `"joules"`;
# - `"baseline"`: the name of the baseline's network;
# - `"left out"`: a sorted list of what is spent and not counted;
# - `"verdict"`: `"does not follow"` if the ratio differs from what was said by more than 5 % of what was said; else `"needs a footnote"` if the baseline is another network or something is left out; else `"holds"`.


# %% nbgrader={"grade": false, "grade_id": "9_10_audit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def audit(claim):
    """Name ratio, unit, baseline and what is left out of a claim, and give a verdict."""
    ### BEGIN SOLUTION
    baseline, result = claim["baseline"], claim["result"]
    kind, size = UNITS[baseline["unit"]]
    other, other_size = UNITS[result["unit"]]
    if kind != other:
        raise ValueError(f"{kind} cannot be compared with {other}")
    ratio = baseline["amount"] * size / (result["amount"] * other_size)
    left_out = sorted(set(claim["spent"]) - set(claim["counted"]))
    if abs(ratio - claim["said"]) > 0.05 * claim["said"]:
        verdict = "does not follow"
    elif left_out or baseline["network"] != result["network"]:
        verdict = "needs a footnote"
    else:
        verdict = "holds"
    return {"ratio": ratio, "unit": kind, "baseline": baseline["network"],
            "left out": left_out, "verdict": verdict}  # fmt: skip
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_10_audit_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.10")
def _(audit):
    def claim(said, first, second, spent=("a",), counted=("a",), networks=("N", "N")):
        return {
            "said": said, "spent": set(spent), "counted": set(counted),
            "baseline": {"network": networks[0], "amount": first[0], "unit": first[1]},
            "result": {"network": networks[1], "amount": second[0], "unit": second[1]},
        }  # fmt: skip

    with check.part("ratio and unit", points=1):
        found = audit(claim(4.0, (8.0, "MB"), (2.0, "MB")))
        check.true(
            isinstance(found, dict)
            and set(found) == {"ratio", "unit", "baseline", "left out", "verdict"},
            'Return a dictionary with "ratio", "unit", "baseline", "left out" and "verdict".',
        )
        check.close(found["ratio"], 4.0, "8 MB over 2 MB.")
        check.true(found["unit"] == "bytes", "The unit is the kind of thing: MB are bytes.")
        check.close(
            audit(claim(2.0, (2.0, "MB"), (1.0, "MiB")))["ratio"], 2e6 / 2**20,
            "2 MB over 1 MiB is not 2: bring both to bytes first.",
        )  # fmt: skip
        check.close(
            audit(claim(1.0, (23.0, "GOP"), (11.5, "GMAC")))["ratio"], 1.0,
            "23 GOP and 11.5 GMAC are the same work.",
        )  # fmt: skip
        check.raises(
            ValueError, lambda: audit(claim(1.0, (1.0, "MB"), (1.0, "pJ"))),
            "Bytes over joules is no ratio.",
        )  # fmt: skip
    with check.part("baseline and what is left out", points=1):
        found = audit(claim(4.0, (8.0, "MB"), (2.0, "MB"), "wap", "w", ("big", "small")))
        check.true(
            found["baseline"] == "big", "The baseline is named after its network: here, big."
        )
        check.true(
            found["left out"] == ["a", "p"],
            f"Left out: expected ['a', 'p'], got {found['left out']}. Spent are w, a and p, counted is w: a and p are left out, in order.",
        )  # fmt: skip
        check.true(
            list(audit(claim(4.0, (8.0, "MB"), (2.0, "MB"), "a", "ax"))["left out"]) == [],
            "What is counted and not spent is not left out.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        given, same = (claim(4.0, (8.0, "MB"), (2.0, "MB"), "wap", "w") for _ in range(2))
        audit(given)
        check.true(
            given == same,
            f"Your function changed the claim that it was given, which is {given} now. Whoever "
            "asks about it a second time gets another answer: work on values of your own.",
        )
        ### END HIDDEN TESTS
    with check.part("verdict", points=1):
        table = [
            (claim(4.0, (8.0, "MB"), (2.0, "MB")), "holds",
             "The same network, nothing left out, and the number is right."),
            (claim(4.0, (8.0, "MB"), (2.0, "MB"), networks=("big", "small")), "needs a footnote",
             "The number is right, but it compares with another network."),
            (claim(4.0, (8.0, "MB"), (2.0, "MB"), "wa", "w"), "needs a footnote",
             "The number is right, but something is left out."),
            (claim(15.0, (88.8, "MB"), (6.09, "MiB")), "does not follow",
             "88.8 MB over 6.09 MiB is 13.9: more than 5 % from 15, in one unit."),
            (claim(10.0, (16.0, "mJ"), (2.0, "mJ")), "does not follow",
             "8 for 10 is too much said: whatever else holds, the number does not follow."),
        ]  # fmt: skip
        ### BEGIN HIDDEN TESTS
        table += [
            (claim(10.0, (20.8, "mJ"), (2.0, "mJ")), "holds", "10.4 for 10 is within 5 %."),
            (claim(10.0, (19.1, "mJ"), (2.0, "mJ")), "holds", "9.55 for 10 is within 5 %."),
            (claim(10.0, (19.02, "mJ"), (2.0, "mJ")), "holds",
             "9.51 for 10 differs by 4.9 % of what was said."),
            (claim(10.0, (20.98, "mJ"), (2.0, "mJ")), "holds",
             "10.49 for 10 differs by 4.9 % of what was said."),
            (claim(10.0, (21.04, "mJ"), (2.0, "mJ")), "does not follow", "10.52 for 10 is beyond 5 %."),
            (claim(10.0, (18.98, "mJ"), (2.0, "mJ")), "does not follow", "9.49 for 10 is beyond 5 %."),
            (claim(0.5, (1.0, "mJ"), (1.0, "mJ"), "ab", "a", ("b", "c")), "does not follow",
             "A wrong number comes before any footnote."),
        ]  # fmt: skip
        ### END HIDDEN TESTS
        for one, verdict, hint in table:
            got = audit(one)["verdict"]
            check.true(got == verdict, f'Expected "{verdict}", got "{got}". {hint}')


# %% variant={"of": "9_10_audit", "wrong": "amounts divided as they are written", "says": "bring both to bytes"}
def audit(claim):
    base, ours = claim["baseline"], claim["result"]
    if UNITS[base["unit"]][0] != UNITS[ours["unit"]][0]:
        raise ValueError("kinds")
    ratio = base["amount"] / ours["amount"]
    left = sorted(claim["spent"] - claim["counted"])
    verdict = "holds" if base["network"] == ours["network"] and not left else "needs a footnote"
    if abs(ratio / claim["said"] - 1) > 0.05:
        verdict = "does not follow"
    return {"ratio": ratio, "unit": UNITS[base["unit"]][0], "baseline": base["network"],
            "left out": left, "verdict": verdict}  # fmt: skip


# %% variant={"of": "9_10_audit", "wrong": "bytes over joules", "says": "no ratio"}
def audit(claim):
    base, ours = claim["baseline"], claim["result"]
    ratio = base["amount"] * UNITS[base["unit"]][1] / (ours["amount"] * UNITS[ours["unit"]][1])
    left = sorted(claim["spent"] - claim["counted"])
    verdict = "holds" if base["network"] == ours["network"] and not left else "needs a footnote"
    if abs(ratio / claim["said"] - 1) > 0.05:
        verdict = "does not follow"
    return {"ratio": ratio, "unit": UNITS[base["unit"]][0], "baseline": base["network"],
            "left out": left, "verdict": verdict}  # fmt: skip


# %% variant={"of": "9_10_audit", "wrong": "another network is fine", "says": "another network"}
def audit(claim):
    base, ours = claim["baseline"], claim["result"]
    (kind, a), (other, b) = UNITS[base["unit"]], UNITS[ours["unit"]]
    if kind != other:
        raise ValueError(kind)
    ratio = base["amount"] * a / (ours["amount"] * b)
    left = sorted(claim["spent"] - claim["counted"])
    verdict = "needs a footnote" if left else "holds"
    if abs(ratio - claim["said"]) > 0.05 * claim["said"]:
        verdict = "does not follow"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "only boasting is wrong: a ratio above what was said passes", "says": "comes before any footnote"}
def audit(claim):
    base, ours = claim["baseline"], claim["result"]
    (kind, a), (other, b) = UNITS[base["unit"]], UNITS[ours["unit"]]
    if kind != other:
        raise ValueError(kind)
    ratio = base["amount"] * a / (ours["amount"] * b)
    left = sorted(claim["spent"] - claim["counted"])
    fine = base["network"] == ours["network"] and not left
    verdict = "holds" if fine else "needs a footnote"
    if ratio < 0.95 * claim["said"] or (fine and ratio > 1.05 * claim["said"]):
        verdict = "does not follow"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "the footnote before the number"}
def audit(claim):
    base, ours = claim["baseline"], claim["result"]
    (kind, a), (other, b) = UNITS[base["unit"]], UNITS[ours["unit"]]
    if kind != other:
        raise ValueError(kind)
    ratio = base["amount"] * a / (ours["amount"] * b)
    left = sorted(claim["spent"] - claim["counted"])
    if left or base["network"] != ours["network"]:
        verdict = "needs a footnote"
    else:
        verdict = (
            "holds" if abs(ratio - claim["said"]) <= 0.05 * claim["said"] else "does not follow"
        )
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "whatever is in one list only", "says": "counted and not spent"}
def audit(claim):
    base, ours = claim["baseline"], claim["result"]
    (kind, a), (other, b) = UNITS[base["unit"]], UNITS[ours["unit"]]
    if kind != other:
        raise ValueError(kind)
    ratio = base["amount"] * a / (ours["amount"] * b)
    left = sorted(claim["spent"] ^ claim["counted"])
    verdict = "holds" if base["network"] == ours["network"] and not left else "needs a footnote"
    if abs(ratio - claim["said"]) > 0.05 * claim["said"]:
        verdict = "does not follow"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "right": "early returns"}
def audit(claim):
    base, ours = claim["baseline"], claim["result"]
    kinds = {UNITS[part["unit"]][0] for part in (base, ours)}
    if len(kinds) > 1:
        raise ValueError("bytes, MACs and joules do not mix")
    first, second = (part["amount"] * UNITS[part["unit"]][1] for part in (base, ours))
    found = {"ratio": first / second, "unit": kinds.pop(), "baseline": base["network"],
             "left out": sorted(thing for thing in claim["spent"] if thing not in claim["counted"])}  # fmt: skip
    if not 0.95 <= found["ratio"] / claim["said"] <= 1.05:
        return found | {"verdict": "does not follow"}
    if found["left out"] or base["network"] != ours["network"]:
        return found | {"verdict": "needs a footnote"}
    return found | {"verdict": "holds"}


# %% variant={"of": "9_10_audit", "right": "a helper and a list of doubts"}
def in_one_unit(part):
    kind, size = UNITS[part["unit"]]
    return kind, part["amount"] * size


def audit(claim):
    kind, before = in_one_unit(claim["baseline"])
    other, after = in_one_unit(claim["result"])
    if other != kind:
        raise ValueError((kind, other))
    doubts = sorted(claim["spent"].difference(claim["counted"]))
    wrong = abs(before / after - claim["said"]) / claim["said"] > 0.05
    footnote = bool(doubts) or claim["baseline"]["network"] != claim["result"]["network"]
    verdict = "does not follow" if wrong else "needs a footnote" if footnote else "holds"
    return dict(ratio=before / after, unit=kind, baseline=claim["baseline"]["network"],
                verdict=verdict, **{"left out": doubts})  # fmt: skip


# %% [markdown] hints={"of": "9_10_audit"}
# 1. `UNITS[unit]` gives a kind and a size. Check the kinds before you divide.
# 2. "Spent and not counted" is a difference of two sets.
# 3. Three verdicts, in an order: the number first, then the footnotes, and only what passes both holds.

# %%
weights_and_rest = {"FFN", "other matrices", "positions and vectors"}
everything = {"arithmetic", "accumulation", "norms and softmax", "on-chip memory", "DRAM"}


def a_claim(said, first, second, spent, counted):
    """A claim from two triples (network, amount, unit)."""
    names = ("network", "amount", "unit")
    return {"said": said, "baseline": dict(zip(names, first)), "result": dict(zip(names, second)),
            "spent": spent, "counted": counted}  # fmt: skip


teacher, paper = ("MedViTv2-L", 451, "MiB"), ("BitMedViT", as_published / MIB, "MiB")
itself = ("BitMedViT", in_float / MIB, "MiB")
claims = {
    "43x smaller": a_claim(43, teacher, paper, weights_and_rest, weights_and_rest),
    "43x, the same network": a_claim(43, itself, paper, weights_and_rest, weights_and_rest),
    "3.1x, the same network": a_claim(3.1, itself, paper, weights_and_rest, weights_and_rest),
    "71x less energy": a_claim(71.4, ("a MAC", 0.16 + 0.34, "pJ"), ("a MAC", 0.007, "pJ"), everything, {"arithmetic"}),
    "16.7x, with the sum": a_claim(16.7, ("a MAC", 0.16 + 0.34, "pJ"), ("a MAC", 0.03, "pJ"), everything,
                                   {"arithmetic", "accumulation"}),
    "about 15x": a_claim(15, ("DeiT-III-S", 88.8, "MB"), ("DeiT-III-S", 6.09, "MiB"), weights_and_rest, weights_and_rest),
}  # fmt: skip
for name, claim in claims.items():
    found = my.audit(claim)
    print(f"{name:24} {found['ratio']:6.2f}  {found['verdict']:17} baseline {found['baseline']:11} "
          f"left out: {', '.join(found['left out']) or 'nothing'}")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9, 3.2))
verdict_colors = {
    "holds": style.TERNARY,
    "needs a footnote": "#b8860b",
    "does not follow": style.ACCENT,
}
for row, claim in enumerate(claims.values()):
    found = my.audit(claim)
    color = verdict_colors[found["verdict"]]
    axis.plot([found["ratio"], claim["said"]], [row, row], color="#b9c2cd", linewidth=2)
    axis.plot(claim["said"], row, "|", color=style.INK, markersize=14, markeredgewidth=2)
    axis.plot(found["ratio"], row, "o", color=color, markersize=8)
    axis.text(150, row, found["verdict"], color=color, va="center", fontsize=9)
axis.set_yticks(range(len(claims)), list(claims))
axis.set(xscale="log", xlim=(2, 700), xticks=[3, 10, 30, 100], xticklabels=[3, 10, 30, 100],
         xlabel="times: said (bar) and derived (dot)", title="Six sentences, audited")  # fmt: skip
axis.minorticks_off()
axis.invert_yaxis()
plt.show()

# %% [markdown]
# Note what the audit does *not* do. It does not call anybody a liar. 43x is true, of a distillation from a large teacher into a small student. 71x is true, of one addition. Most bad numbers are good numbers that have moved to another sentence.
#
# ## 9 · In words

# %% [markdown] nbgrader={"grade": true, "grade_id": "9_11_words", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# **Exercise 9.11 (4 points, read by a person).** Choose a claim of your own: a ratio of size, speed, work or energy from a paper, a README, a data sheet or an advertisement, and best one that you believe. Quote it with its source. Then audit it: what is the *baseline*, what is the *unit*, and what is *left out*? Derive the number as far as you can from what is published, or say which figure you would need. End with the sentence that the authors could have written instead, as short as theirs and true.
#
# ### BEGIN SOLUTION
# The claim: BitMedViT (arXiv 2510.13760, abstract) reports "39x less memory traffic".
#
# Baseline: as for its 43x, a float32 network that is another one, the MedViTv2-L teacher, or a single matrix product in place of a whole network. Unit: bytes between DRAM and chip; MB or MiB makes no difference for a ratio if both sides have the same. Left out, if only weights are counted: the activations. They are the larger part for this network, since 1,024 rows share each weight.
#
# Derivation, for the same network at one image: by the library's model the float32 network moves 1.38 times the bytes of the ternary one to and from DRAM, because activations stay float32. What it stores: 32.9 MiB become 10.4, 3.2 times. So 39 does not follow for this network in itself; neither does any number beyond 3.7, which is what remains if the FFN's weights vanish. To derive 39 I would need the teacher's activations, or the shape of the product that was measured.
#
# What they could have written: "Reading its weights takes a third of the bytes of the same network in float32; against its 451 MiB teacher, a forty-third."
# ### END SOLUTION

# %% [markdown] rubric={"of": "9_11_words"}
# One point each, at most four:
#
# - **Baseline:** says against what the claim compares, and whether that is the same network (or device, batch, precision) treated otherwise. "It is not stated" is a finding and earns the point if the text was searched for it.
# - **Unit:** names the unit of both sides and, where it is ambiguous (MB or MiB, GOP or GMAC, joules of operations or of a board), shows by a calculation which one is meant, or that it cannot be told.
# - **Left out:** names at least one thing that is spent and not counted, and says in which direction it moves the ratio. A list without a direction earns half.
# - **Derivation and a better sentence:** a calculation with its numbers shown, or the missing figure named exactly; and a sentence that is true, specific and no longer than the original. A verdict on the authors' honesty earns nothing.

# %% [markdown]
# ## Recap
#
# - A **MAC** is a multiplication and an addition. Linear layers grow with the tokens, attention's products with their square, and the latter have no weights to ternarise.
# - A **file** is matrices, scales, padding, vectors and a header. Count it to the byte, and nothing in it is a secret.
# - **43x** is a teacher of 451 MiB over a student. The same network shrinks **3.14x**, and no treatment of its FFN alone could make it four times smaller. int8 everywhere is smaller still.
# - **Amdahl:** what you do not touch decides.
# - An **energy** is a pair, low and high. Missing prices are errors, not zeros.
# - What two networks **share** drops out of their comparison: the energies are unknown, and their order is known.
# - **71x** is one addition without its sum. With it 16.7x, in a kernel 5x, and a whole network, all matrices ternary, less than 2x against float16.
# - **Roofline:** weights' bytes are shared by rows, and a ViT's tokens are rows. At 1,024 rows activations are what moves.
# - Three errors to know by sight: **MB for MiB** (1.049), **GOP for GMAC** (2), **joules by the stopwatch**.
# - Baseline, unit, what is left out. Ask all three, of your own numbers first.
#
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - M. Horowitz, *Computing's energy problem (and what we can do about it)*, ISSCC 2014. The 45 nm prices (figure 1.1.9), and DRAM's range.
# - N. P. Jouppi et al., *Ten Lessons From Three Generations Shaped Google's TPUv4i*, ISCA 2021. The 7 nm prices (table 2).
# - S. Williams, A. Waterman, D. Patterson, *Roofline: An Insightful Visual Performance Model for Multicore Architectures*, Communications of the ACM 52, 2009.
# - G. M. Amdahl, *Validity of the single processor approach to achieving large scale computing capabilities*, AFIPS 1967. Three pages, and no formula: others wrote it down.
# - V. Sze et al., *Efficient Processing of Deep Neural Networks*, Proceedings of the IEEE 105, 2017. Why moving costs more than computing, and the ways to keep a tile.
# - *BitMedViT*, 2025, arXiv 2510.13760, and its README: 10.5 MB, 11.5 GOPs, 43x, 183.6 GOPs/J. *BitNet b1.58*, arXiv 2402.17764: 71.4. *FTerViT*, arXiv 2605.21171: 6.09 and 5.81 MB, about 15x.
# - NVIDIA, Jetson Orin Nano series data sheet DS-11105-001, for the roofs of section 6.
# - In this library: `tinyternary.cost`, whose `claims()` derives each published figure and says what it takes, and the notebook `cost_model`.
#
# **Next:** lesson 10 puts the packed network to work, refuses damaged files, and measures where ternary loses.
