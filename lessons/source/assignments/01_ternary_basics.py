# %% [markdown]
# # Assignment 01 · Ternary basics
#
# Three exercises and a question on lesson 01. The rules are close to the lesson's and are not the lesson's: read each one to its end before you write. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The checks are as in the lessons: run them as often as you like.

# %% tags=["drawn"]
QUANTILE = [0.23, 0.28, 0.34, 0.41, 0.46, 0.52, 0.57]
GROUP = [3, 5, 6, 7, 10]
CODES, CODE_PLUS, CODE_ZERO, CODE_MINUS = [
    ("+1 is `01`, 0 is `00`, -1 is `11`", 1, 0, 3),
    ("+1 is `00`, 0 is `11`, -1 is `10`", 0, 3, 2),
    ("+1 is `11`, 0 is `10`, -1 is `01`", 3, 2, 1),
    ("+1 is `10`, 0 is `11`, -1 is `00`", 2, 3, 0),
    ("+1 is `11`, 0 is `01`, -1 is `00`", 3, 1, 0),
]
PLACES, SHIFTS = [
    ("from the highest two bits down: trits 1, 2, 3, 4", (6, 4, 2, 0)),
    ("from the highest two bits down: trits 2, 1, 4, 3", (4, 6, 0, 2)),
    ("from the highest two bits down: trits 1, 3, 2, 4", (6, 2, 4, 0)),
    ("from the lowest two bits up: trits 1, 3, 2, 4", (0, 4, 2, 6)),
]

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

TRITS = ListedColormap([style.TRIT_COLORS[trit] for trit in (-1, 0, 1)])

check = course.checks("assignment-01-SEED")
my = check.mine

weights = np.random.default_rng([101, SEED]).standard_t(4, size=(6, 40))

# %% [markdown]
# ## 1 · A threshold that fixes the share of zeros
#
# Absmean puts the threshold at half the mean of $|w|$, and how many zeros that gives depends on the weights. Here it is the other way round: in **each row**, $\delta$ is the QUANTILE quantile of $|w|$ (`np.quantile`, which interpolates), so that about that share of the row becomes 0. A weight of exactly $\pm\delta$ becomes 0. The row's scale is the one that loses least for these trits: the mean of $|w|$ over the weights that were kept; a row that keeps none has the scale 0.

# %% [markdown]
# ### Exercise 1.1: trits by quantile (3 points)
#
# `by_quantile(w)` takes a matrix of floats, a row an output, and returns `(trits, scales)`: `int8` of the same shape, and one float a row.


# %% nbgrader={"grade": false, "grade_id": "1_1_by_quantile", "locked": false, "schema_version": 3, "solution": true, "task": false}
def by_quantile(w):
    """Turn a matrix into trits with a fixed share of zeros in each row, and a scale a row."""
    ### BEGIN SOLUTION
    sizes = np.abs(w)
    delta = np.quantile(sizes, QUANTILE, axis=1, keepdims=True)
    kept = sizes > delta
    count = kept.sum(axis=1)
    scales = (sizes * kept).sum(axis=1) / np.maximum(count, 1)
    return (np.sign(w) * kept).astype(np.int8), scales
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_1_by_quantile_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.1")
def _(by_quantile):
    small = np.array([[0.1, -0.4, 0.9, -1.6, 0.2, 3.0, -0.7, 0.5]])
    trits, scales = by_quantile(small)
    delta = np.sort(np.abs(small[0]))[int(QUANTILE * 7)]
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(12)
    many = rng.normal(size=(5, 31)) * np.array([[1.0], [100.0], [0.01], [5.0], [1.0]])
    lines = np.quantile(np.abs(many), QUANTILE, axis=1)
    ### END HIDDEN TESTS
    with check.part("trits", points=2):
        check.equal(
            np.asarray(trits)[0], [0 if abs(v) <= delta else int(np.sign(v)) for v in small[0]],
            f"About {QUANTILE:.0%} of a row's eight weights become 0: the smallest ones.",
        )  # fmt: skip
        check.dtype(trits, np.int8)
        tied = np.array([[0.5, -0.5, 0.5, -0.5]])
        check.equal(
            by_quantile(tied)[0], np.zeros((1, 4), int),
            "All weights of this row have the same size, so each lies on the threshold.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        want = [[int(np.sign(v)) * (abs(v) > d) for v in row] for row, d in zip(many, lines)]
        check.equal(
            by_quantile(many)[0], want,
            "Each row has a threshold of its own: rows of small weights keep as many as rows of "
            "large ones.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("scales", points=1):
        kept = [abs(v) for v in small[0] if abs(v) > delta]
        check.close(
            scales, [sum(kept) / len(kept)],
            "The scale is the mean size of the weights that were kept, zeros left out.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(by_quantile(np.zeros((2, 3)))[1], [0, 0], "A row that keeps nothing: scale 0.")
        check.close(
            by_quantile(np.array([[0.0, 0.0, 4.0, 0.0, 0.0]]))[1], [4.0], "A row that keeps one."
        )
        sizes = [[abs(v) for v in row if abs(v) > d] for row, d in zip(many, lines)]
        check.close(
            by_quantile(many)[1], [sum(row) / len(row) for row in sizes],
            "One scale for each row, from that row alone.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "1_1_by_quantile", "wrong": "one threshold for the whole matrix", "says": "threshold of its own"}
def by_quantile(w):
    kept = np.abs(w) > np.quantile(np.abs(w), QUANTILE)
    scales = (np.abs(w) * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)
    return (np.sign(w) * kept).astype(np.int8), scales


# %% variant={"of": "1_1_by_quantile", "wrong": "the scale is the mean over all weights, zeros too", "says": "zeros left out"}
def by_quantile(w):
    kept = np.abs(w) > np.quantile(np.abs(w), QUANTILE, axis=1, keepdims=True)
    return (np.sign(w) * kept).astype(np.int8), (np.abs(w) * kept).mean(axis=1)


# %% variant={"of": "1_1_by_quantile", "wrong": "the lesson's threshold, half the mean of |w|"}
def by_quantile(w):
    kept = np.abs(w) > 0.5 * np.abs(w).mean(axis=1, keepdims=True)
    scales = (np.abs(w) * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)
    return (np.sign(w) * kept).astype(np.int8), scales


# %% variant={"of": "1_1_by_quantile", "wrong": "a weight on the threshold is kept", "says": "on the threshold"}
def by_quantile(w):
    kept = np.abs(w) >= np.quantile(np.abs(w), QUANTILE, axis=1, keepdims=True)
    scales = (np.abs(w) * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1)
    return (np.sign(w) * kept).astype(np.int8), scales


# %% variant={"of": "1_1_by_quantile", "right": "a loop over rows"}
def by_quantile(w):
    trits, scales = np.zeros(w.shape, np.int8), []
    for i, row in enumerate(w):
        delta = np.quantile(abs(row), QUANTILE)
        trits[i, row > delta] = 1
        trits[i, row < -delta] = -1
        kept = abs(row[trits[i] != 0])
        scales.append(kept.mean() if len(kept) else 0.0)
    return trits, np.array(scales)


# %% variant={"of": "1_1_by_quantile", "right": "the scale as a projection"}
def by_quantile(w):
    trits = (np.sign(w) * (np.abs(w) > np.quantile(np.abs(w), QUANTILE, axis=1)[:, None])).astype(np.int8)  # fmt: skip
    norm = (trits * trits).sum(1)
    return trits, np.where(norm > 0, (w * trits).sum(1) / np.where(norm > 0, norm, 1), 0.0)


# %% [markdown] hints={"of": "1_1_by_quantile"}
# 1. What does `np.quantile` give with `axis=1`, and which shape lets you compare it with the matrix?
# 2. Which entries belong to the mean, and by how many do you divide where there are none?

# %%
trits, scales = my.by_quantile(weights)
fig, axes = plt.subplots(1, 2, figsize=(9, 2.8), width_ratios=[2, 1])
axes[0].imshow(trits, cmap=TRITS, vmin=-1, vmax=1, aspect="auto")
axes[0].set(title="Trits of six rows", xlabel="input", ylabel="output")
axes[1].barh(range(6), scales, color=style.ACCENT)
axes[1].invert_yaxis()
axes[1].set(title="and their scales", xlabel="scale")
plt.show()

# %% [markdown]
# ## 2 · A scale for each group
#
# A row of thousands of weights has parts that are large and parts that are small. Files in use today therefore give each **group** of consecutive weights a scale. Here a group is GROUP weights of a row, from its beginning; where the row's length is no multiple of GROUP, the last group is shorter.

# %% [markdown]
# ### Exercise 1.2: the mean size of each group (2 points)
#
# `group_scales(w)` takes a matrix of shape (rows, columns) and returns the mean of $|w|$ of each group, of shape (rows, groups).


# %% nbgrader={"grade": false, "grade_id": "1_2_group_scales", "locked": false, "schema_version": 3, "solution": true, "task": false}
def group_scales(w):
    """Return the mean of |w| over each group of a row; the last group may be shorter."""
    ### BEGIN SOLUTION
    starts = range(0, w.shape[1], GROUP)
    return np.stack([np.abs(w[:, s : s + GROUP]).mean(axis=1) for s in starts], axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_2_group_scales_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.2")
def _(group_scales):
    two = np.array([[1.0] * GROUP + [-3.0] * GROUP])
    check.close(
        group_scales(two), [[1.0, 3.0]],
        f"The first group is the first {GROUP} weights, the second the next {GROUP}; signs do not "
        "count.",
    )  # fmt: skip
    ragged = np.array([[1.0] * GROUP + [5.0, 7.0], [2.0] * GROUP + [-1.0, 0.0]])
    check.close(
        group_scales(ragged), [[1.0, 6.0], [2.0, 0.5]],
        "Two weights are left for the last group: its mean is over those two.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(13)
    for columns in (1, GROUP - 1, GROUP, GROUP + 1, 4 * GROUP, 4 * GROUP + 2):
        many = rng.normal(size=(3, columns))
        want = [
            [sum(abs(v) for v in row[s : s + GROUP]) / len(row[s : s + GROUP])
             for s in range(0, columns, GROUP)]
            for row in many.tolist()
        ]  # fmt: skip
        check.close(group_scales(many), want, f"A row of {columns} in groups of {GROUP}.")
    ### END HIDDEN TESTS


# %% variant={"of": "1_2_group_scales", "wrong": "the rest of a row is dropped", "says": "left for the last group"}
def group_scales(w):
    whole = w.shape[1] // GROUP
    return np.abs(w[:, : whole * GROUP]).reshape(len(w), whole, GROUP).mean(axis=2)


# %% variant={"of": "1_2_group_scales", "wrong": "the last group is filled up with zeros", "says": "over those two"}
def group_scales(w):
    full = np.pad(np.abs(w), ((0, 0), (0, -w.shape[1] % GROUP)))
    return full.reshape(len(w), -1, GROUP).mean(axis=2)


# %% variant={"of": "1_2_group_scales", "wrong": "GROUP groups instead of groups of GROUP"}
def group_scales(w):
    parts = np.array_split(np.abs(w), GROUP, axis=1)
    return np.stack([part.mean(axis=1) if part.size else np.zeros(len(w)) for part in parts], 1)


# %% variant={"of": "1_2_group_scales", "wrong": "signs cancel", "says": "signs do not count"}
def group_scales(w):
    starts = range(0, w.shape[1], GROUP)
    return np.stack([w[:, s : s + GROUP].mean(axis=1) for s in starts], axis=1)


# %% variant={"of": "1_2_group_scales", "right": "sums between borders"}
def group_scales(w):
    starts = np.arange(0, w.shape[1], GROUP)
    sizes = np.diff(np.append(starts, w.shape[1]))
    return np.add.reduceat(np.abs(w), starts, axis=1) / sizes


# %% variant={"of": "1_2_group_scales", "right": "filled up with NaN, which the mean leaves out"}
def group_scales(w):
    full = np.full((len(w), -(-w.shape[1] // GROUP) * GROUP), np.nan)
    full[:, : w.shape[1]] = np.abs(w)
    return np.nanmean(full.reshape(len(w), -1, GROUP), axis=2)


# %% [markdown] hints={"of": "1_2_group_scales"}
# 1. At which columns does a group begin?
# 2. A slice that runs past the end of a row is no error: what does it give?

# %%
table = my.group_scales(weights)
fig, ax = plt.subplots(figsize=(9, 2.4))
shown = ax.imshow(table, cmap="Greys", vmin=0, aspect="auto")
fig.colorbar(shown, ax=ax, label="mean |w|")
ax.set(title="Mean size of each group of GROUP", xlabel="group", ylabel="row")
plt.show()

# %% [markdown]
# ## 3 · Another layout of the byte
#
# Our files write -1 as `00`, 0 as `01` and +1 as `10`. A chip's vendor did it another way: CODES, and in a byte, PLACES.

# %% [markdown]
# ### Exercise 1.3: pack, and refuse (3 points)
#
# `pack(trits)` takes an `int8` vector whose length is a multiple of four and returns `uint8`, four trits a byte, in the vendor's layout. `unpack(codes)` gives the trits back as `int8`, and raises `ValueError` for a byte that holds the code which no trit has.


# %% nbgrader={"grade": false, "grade_id": "1_3_pack", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pack(trits):
    """Put four trits into a byte, in the vendor's layout."""
    ### BEGIN SOLUTION
    codes = np.array([CODE_MINUS, CODE_ZERO, CODE_PLUS], np.uint8)[np.asarray(trits) + 1]
    return np.bitwise_or.reduce(codes.reshape(-1, 4) << np.array(SHIFTS, np.uint8), axis=1)
    ### END SOLUTION


def unpack(codes):
    """Return the trits of packed bytes."""
    ### BEGIN SOLUTION
    fields = ((np.asarray(codes)[:, None] >> np.array(SHIFTS)) & 3).reshape(-1)
    meaning = {CODE_MINUS: -1, CODE_ZERO: 0, CODE_PLUS: 1}
    table = np.array([meaning.get(code, 9) for code in (0, 1, 2, 3)], np.int8)
    trits = table[fields]
    if (trits == 9).any():
        raise ValueError("a code that no trit has")
    return trits
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "1_3_pack_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("1.3")
def _(pack, unpack):
    code = {-1: CODE_MINUS, 0: CODE_ZERO, 1: CODE_PLUS}
    shifts = SHIFTS
    with check.part("the codes", points=1):
        for trit in (-1, 0, 1):
            check.equal(
                pack(np.full(4, trit, np.int8)), [code[trit] * 85],
                f"Four times {trit}: the code of {trit} stands four times in the byte.",
            )  # fmt: skip
    with check.part("their places", points=1):
        for place in range(4):
            trits = np.zeros(8, np.int8)
            trits[place], trits[4 + (place + 1) % 4] = 1, -1
            want = [
                sum(code[int(t)] << s for t, s in zip(trits[k : k + 4], shifts)) for k in (0, 4)
            ]
            check.equal(
                pack(trits), want, "Which bits are the first trit's? Read the places again."
            )
        check.dtype(pack(np.zeros(4, np.int8)), np.uint8)
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(14)
        many = rng.integers(-1, 2, 400).astype(np.int8)
        want = [sum(code[int(t)] << s for t, s in zip(many[k : k + 4], shifts)) for k in range(0, 400, 4)]  # fmt: skip
        check.equal(pack(many), want, "Four hundred trits.")
        check.equal(pack(np.zeros(0, np.int8)), [], "No trits, no bytes.")
        ### END HIDDEN TESTS
    with check.part("and back", points=1):
        rng = np.random.default_rng(15)
        some = rng.integers(-1, 2, 64).astype(np.int8)
        packed = [sum(code[int(t)] << s for t, s in zip(some[k : k + 4], shifts)) for k in range(0, 64, 4)]  # fmt: skip
        check.equal(
            unpack(np.array(packed, np.uint8)), some, "Each byte gives its four trits back."
        )
        check.dtype(unpack(np.array(packed, np.uint8)), np.int8)
        lost = ({0, 1, 2, 3} - set(code.values())).pop()
        zero = code[0] * 85
        for shift in shifts:
            bad = zero ^ (code[0] << shift) ^ (lost << shift)
            check.raises(
                ValueError, lambda bad=bad: unpack(np.array([zero, bad], np.uint8)),
                f"The byte {bad:08b} holds the code {lost:02b}, which no trit has: such a file is "
                "damaged, and its reader should say so.",
            )  # fmt: skip


# %% variant={"of": "1_3_pack", "wrong": "the lesson's codes and places"}
def pack(trits):
    return ((np.asarray(trits) + 1).astype(np.uint8).reshape(-1, 4) << np.array([0, 2, 4, 6], np.uint8)).sum(1).astype(np.uint8)  # fmt: skip


def unpack(codes):
    fields = ((np.asarray(codes)[:, None] >> np.array([0, 2, 4, 6])) & 3).reshape(-1)
    if (fields == 3).any():
        raise ValueError("no trit")
    return fields.astype(np.int8) - np.int8(1)


# %% variant={"of": "1_3_pack", "wrong": "places in the opposite order", "says": "Which bits"}
def pack(trits):
    codes = np.array([CODE_MINUS, CODE_ZERO, CODE_PLUS], np.uint8)[np.asarray(trits) + 1]
    return np.bitwise_or.reduce(codes.reshape(-1, 4) << np.array(SHIFTS, np.uint8)[::-1], axis=1)


def unpack(codes):
    fields = (np.asarray(codes)[:, None] >> np.array(SHIFTS)[::-1]) & 3
    table = {CODE_MINUS: -1, CODE_ZERO: 0, CODE_PLUS: 1}
    if not set(fields.ravel().tolist()) <= set(table):
        raise ValueError("no trit")
    return np.array([table[f] for f in fields.ravel().tolist()], np.int8)


# %% variant={"of": "1_3_pack", "wrong": "the fourth code is taken for 0", "says": "damaged"}
def pack(trits):
    codes = np.array([CODE_MINUS, CODE_ZERO, CODE_PLUS], np.uint8)[np.asarray(trits) + 1]
    return np.bitwise_or.reduce(codes.reshape(-1, 4) << np.array(SHIFTS, np.uint8), axis=1)


def unpack(codes):
    fields = (np.asarray(codes)[:, None] >> np.array(SHIFTS)) & 3
    table = {CODE_MINUS: -1, CODE_PLUS: 1}
    return np.array([table.get(f, 0) for f in fields.ravel().tolist()], np.int8)


# %% variant={"of": "1_3_pack", "right": "plain loops over integers"}
def pack(trits):
    code = {-1: CODE_MINUS, 0: CODE_ZERO, 1: CODE_PLUS}
    numbers = [int(t) for t in trits]
    return np.array(
        [sum(code[t] << s for t, s in zip(numbers[i : i + 4], SHIFTS)) for i in range(0, len(numbers), 4)],
        np.uint8,
    )  # fmt: skip


def unpack(codes):
    trit = {CODE_MINUS: -1, CODE_ZERO: 0, CODE_PLUS: 1}
    try:
        return np.array([trit[int(c) >> s & 3] for c in codes for s in SHIFTS], np.int8)
    except KeyError:
        raise ValueError("a code that no trit has") from None


# %% variant={"of": "1_3_pack", "right": "a table of all 256 bytes"}
def _bytes():
    trit = {CODE_MINUS: -1, CODE_ZERO: 0, CODE_PLUS: 1}
    return {
        tuple(trit[byte >> s & 3] for s in SHIFTS): byte
        for byte in range(256)
        if all(byte >> s & 3 in trit for s in SHIFTS)
    }


def pack(trits):
    known = _bytes()
    return np.array([known[tuple(four)] for four in np.reshape(trits, (-1, 4)).tolist()], np.uint8)


def unpack(codes):
    known = {byte: four for four, byte in _bytes().items()}
    if not set(np.asarray(codes).tolist()) <= set(known):
        raise ValueError("damaged")
    return np.array([known[byte] for byte in np.asarray(codes).tolist()], np.int8).reshape(-1)


# %% [markdown] hints={"of": "1_3_pack"}
# 1. Write the byte of the trits +1, 0, 0, -1 down on paper, in the vendor's layout.
# 2. A small array that is asked with `trits + 1` turns each trit into its code. What is the way back, and what does it say for the fourth code?

# %%
example = np.array([1, 0, 0, -1, -1, 1, 0, 1], np.int8)
for four, byte in zip(example.reshape(-1, 4), my.pack(example)):
    print(f"{four!s:>14}  ->  {byte:08b}")

# %% [markdown] nbgrader={"grade": true, "grade_id": "1_4_layout", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 1.4: two files, one reader (2 points, in words)
#
# Somebody reads the vendor's files with our reader, and the other way round. In which of the two cases may a reader notice from the codes alone, and what happens to the network if it does not? What should a file say, so that nobody has to notice?
#
# ### BEGIN SOLUTION
# A reader can notice only where a code turns up that stands for no trit in its own layout: ours refuses `11`, the vendor's refuses its own unused code. Files of both kinds are full of the code that the other refuses unless the unused codes agree; then (or if the reader does not look) each trit is read as another one, in another place: the weights are permuted and their signs and zeros exchanged, shapes and sizes are right, nothing crashes, and the answers are worthless. The file has to name its layout and version in its header, and a reader has to refuse one that it does not know.
# ### END SOLUTION

# %% [markdown] rubric={"of": "1_4_layout"}
# 1 point: says when a code gives it away (the other layout uses the code that this one leaves out) and that otherwise wrong answers come without an error. 1 point: a layout or version in the header which the reader checks.

# %%
check.summary()
