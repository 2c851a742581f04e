# %% [markdown]
# # Assignment 09 · Energy and memory
#
# Three exercises and a question on lesson 09. Somebody builds a chip for ternary networks, with a file format of its own; you say what a file, a layer and a network cost on it. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The checks are as in the lessons: run them as often as you like.

# %% tags=["drawn"]
GROUP, PER, SCALE, WHOLE = [
    (24, 4, 1, 7),
    (32, 5, 2, 9),
    (48, 5, 4, 14),
    (64, 4, 3, 19),
    (96, 5, 2, 22),
]
ALIGN = [8, 12, 16, 20, 32]
HEADER = [20, 28, 36, 44, 52]
ADD_LOW, ADD_HIGH = [(0.02, 0.06), (0.03, 0.05), (0.025, 0.08), (0.04, 0.07), (0.03, 0.09)]
MUL_LOW, MUL_HIGH = [(0.1, 0.3), (0.15, 0.4), (0.2, 0.35), (0.12, 0.5), (0.18, 0.32)]
CHIP_LOW, CHIP_HIGH = [(0.4, 1.2), (0.5, 2.0), (0.6, 1.5), (0.8, 1.8), (0.3, 1.0)]
SHARE = [0.55, 0.58, 0.62, 0.66, 0.7]
BYTES = [0.05, 0.08, 0.1, 0.12, 0.15]
FACTOR = [40, 60, 75, 90, 120]
PEAK, BANDWIDTH = [(120, 24), (200, 25), (300, 20), (640, 32), (500, 20)]
OVERHEAD = [2, 3, 5, 8, 10]

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

check = course.checks("assignment-09-SEED")
my = check.mine

# %% [markdown]
# ## 1 · A file, to the byte
#
# The chip's file holds one ternary matrix of `outputs` rows and `inputs` columns:
#
# - first a header of HEADER bytes;
# - then the rows, one after the other. A row is cut into groups of GROUP trits; where `inputs` is no multiple of GROUP, its last group is shorter;
# - a group is a scale of SCALE bytes (a shorter group has one, too) and then its trits, PER a byte. Each group starts in a byte of its own;
# - at its end each row is filled up, so that its length is a multiple of ALIGN bytes. The header is not filled up.

# %% [markdown]
# ### Exercise 9.1: how long, and where? (3 points)
#
# `file_bytes(outputs, inputs)` returns the length of the file. `byte_of(row, column, inputs)` returns the byte of the file in which the trit at `(row, column)` lies; rows, columns and bytes are counted from 0. Both are whole numbers; `outputs` may be 0, `inputs` is at least 1.


# %% nbgrader={"grade": false, "grade_id": "9_1_file_bytes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def file_bytes(outputs, inputs):
    """Length of the file in bytes: header, scales, trits and what fills up."""
    ### BEGIN SOLUTION
    groups, rest = divmod(inputs, GROUP)
    row = groups * (SCALE + -(-GROUP // PER))
    if rest:
        row += SCALE + -(-rest // PER)
    return HEADER + outputs * -(-row // ALIGN) * ALIGN
    ### END SOLUTION


def byte_of(row, column, inputs):
    """Which byte of the file holds this trit, counted from 0."""
    ### BEGIN SOLUTION
    group, place = divmod(column, GROUP)
    start = file_bytes(row, inputs)
    return start + group * (SCALE + -(-GROUP // PER)) + SCALE + place // PER
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_1_file_bytes_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.1")
def _(file_bytes, byte_of):
    group, per, scale, whole, align, header = GROUP, PER, SCALE, WHOLE, ALIGN, HEADER
    ### BEGIN HIDDEN TESTS

    places, length = [], 0  # where the trits of one long row lie, and up to where
    for _ in range(align + 1):
        length += scale
        places += [length + at // per for at in range(group)]
        length = places[-1] + 1

    def filled(inputs):
        length = places[inputs - 1] + 1
        return length + (align - length) % align

    ### END HIDDEN TESTS
    with check.part("whole groups", points=1):
        check.equal(file_bytes(0, 100), header, f"No rows: the header's {header} bytes are left.")
        check.equal(
            file_bytes(1, align * group), header + align * whole,
            f"{align} groups of {group} trits: {whole} bytes each, {scale} of them for the scale. "
            f"Together that is a multiple of {align}, and nothing is filled up.",
        )  # fmt: skip
        check.equal(
            file_bytes(3, align * group), header + 3 * align * whole, "Three such rows, one header."
        )
        got = file_bytes(3, group)
        check.true(isinstance(got, int | np.integer), "Bytes are whole: an int, not a float.")
    with check.part("what is left over", points=1):
        check.equal(
            file_bytes(1, 1), header + align,
            f"One trit: a scale, a byte, and the row is filled up to {align} bytes.",
        )  # fmt: skip
        got = file_bytes(1, 1)
        check.true(isinstance(got, int | np.integer), "Bytes are whole: an int, not a float.")
        check.equal(
            file_bytes(5, 1), header + 5 * align, "Five such rows: each is filled up by itself."
        )
        check.equal(
            file_bytes(1, align * group + 1), header + align * (whole + 1),
            f"One trit more than {align} groups: a shorter group, with a scale of its own.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        for inputs in range(1, align * group):
            check.equal(
                file_bytes(7, inputs), header + 7 * filled(inputs),
                f"Seven rows of {inputs}: whole groups, then a shorter one of {inputs % group} "
                f"trits (if any) in as many bytes as those need, then up to a multiple of {align}.",
            )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("where", points=1):
        check.equal(
            [byte_of(0, column, group) for column in (0, per - 1, per)],
            [header + scale, header + scale, header + scale + 1],
            f"Columns 0, {per - 1} and {per} of the first row. Before the first trits come the "
            f"header and a scale; {per} trits share a byte.",
        )  # fmt: skip
        check.equal(
            byte_of(0, group, 2 * group), header + whole + scale,
            "The first trit of the second group: another scale comes before it.",
        )  # fmt: skip
        check.equal(
            byte_of(1, 0, 1), header + align + scale,
            "The second row starts where the first one, filled up, ends.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        for inputs in (1, per, group - 1, group + 1, 3 * group, 7 * group + 2):
            check.equal(
                [[byte_of(row, column, inputs) for column in range(inputs)] for row in (0, 3)],
                [[header + row * filled(inputs) + at for at in places[:inputs]] for row in (0, 3)],
                f"Rows 0 and 3 of a matrix with {inputs} columns.",
            )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "9_1_file_bytes", "wrong": "filled up once, at the end of the file", "says": "by itself"}
def file_bytes(outputs, inputs):
    groups, rest = divmod(inputs, GROUP)
    row = groups * (SCALE + -(-GROUP // PER)) + (SCALE + -(-rest // PER) if rest else 0)
    return HEADER + -(-outputs * row // ALIGN) * ALIGN


def byte_of(row, column, inputs):
    group, place = divmod(column, GROUP)
    return file_bytes(row, inputs) + group * (SCALE + -(-GROUP // PER)) + SCALE + place // PER


# %% variant={"of": "9_1_file_bytes", "wrong": "the shorter group shares the scale of the one before"}
def file_bytes(outputs, inputs):
    groups, rest = divmod(inputs, GROUP)
    row = max(groups, 1) * SCALE + groups * -(-GROUP // PER) + -(-rest // PER)
    return HEADER + outputs * -(-row // ALIGN) * ALIGN


def byte_of(row, column, inputs):
    group, place = divmod(column, GROUP)
    return file_bytes(row, inputs) + group * (SCALE + -(-GROUP // PER)) + SCALE + place // PER


# %% variant={"of": "9_1_file_bytes", "wrong": "the header is filled up too", "says": "No rows"}
def file_bytes(outputs, inputs):
    groups, rest = divmod(inputs, GROUP)
    row = groups * (SCALE + -(-GROUP // PER)) + (SCALE + -(-rest // PER) if rest else 0)
    return -(-(HEADER + 1) // ALIGN) * ALIGN + outputs * -(-row // ALIGN) * ALIGN


def byte_of(row, column, inputs):
    group, place = divmod(column, GROUP)
    return file_bytes(row, inputs) + group * (SCALE + -(-GROUP // PER)) + SCALE + place // PER


# %% variant={"of": "9_1_file_bytes", "wrong": "the scale comes after the trits of its group", "says": "Before the first trits"}
def file_bytes(outputs, inputs):
    groups, rest = divmod(inputs, GROUP)
    row = groups * (SCALE + -(-GROUP // PER)) + (SCALE + -(-rest // PER) if rest else 0)
    return HEADER + outputs * -(-row // ALIGN) * ALIGN


def byte_of(row, column, inputs):
    group, place = divmod(column, GROUP)
    return file_bytes(row, inputs) + group * (SCALE + -(-GROUP // PER)) + place // PER


# %% variant={"of": "9_1_file_bytes", "wrong": "the last group is always whole"}
def file_bytes(outputs, inputs):
    row = -(-inputs // GROUP) * (SCALE + -(-GROUP // PER))
    return HEADER + outputs * -(-row // ALIGN) * ALIGN


def byte_of(row, column, inputs):
    group, place = divmod(column, GROUP)
    return file_bytes(row, inputs) + group * (SCALE + -(-GROUP // PER)) + SCALE + place // PER


# %% variant={"of": "9_1_file_bytes", "wrong": "one scale for the whole matrix, as in the lesson", "says": "for the scale"}
def file_bytes(outputs, inputs):
    row = -(-inputs // PER)
    return HEADER + (SCALE + outputs * -(-row // ALIGN) * ALIGN if outputs else 0)


def byte_of(row, column, inputs):
    stride = (file_bytes(2, inputs) - file_bytes(1, inputs)) if inputs else 0
    return HEADER + SCALE + row * stride + column // PER


# %% variant={"of": "9_1_file_bytes", "right": "the row group by group"}
def _row(inputs):
    length = 0
    for start in range(0, inputs, GROUP):
        length += SCALE + len(range(start, min(start + GROUP, inputs), PER))
    return length + -length % ALIGN


def file_bytes(outputs, inputs):
    return HEADER + outputs * _row(inputs)


def byte_of(row, column, inputs):
    before = sum(SCALE + -(-GROUP // PER) for _ in range(column // GROUP))
    return HEADER + row * _row(inputs) + before + SCALE + column % GROUP // PER


# %% variant={"of": "9_1_file_bytes", "right": "scales and trits added up apart"}
def file_bytes(outputs, inputs):
    scales = SCALE * ((inputs + GROUP - 1) // GROUP)
    trits = inputs // GROUP * ((GROUP + PER - 1) // PER) + (inputs % GROUP + PER - 1) // PER
    return HEADER + outputs * ((scales + trits + ALIGN - 1) // ALIGN * ALIGN)


def byte_of(row, column, inputs):
    stride = file_bytes(1, inputs) - HEADER
    earlier = column // GROUP
    return (HEADER + row * stride + (earlier + 1) * SCALE
            + earlier * ((GROUP + PER - 1) // PER) + column % GROUP // PER)  # fmt: skip


# %% [markdown] hints={"of": "9_1_file_bytes"}
# 1. Take a row of GROUP + 1 trits and write down its bytes, one after the other, to the end of what fills up.
# 2. Three times something is rounded up: where, and to a multiple of what?
# 3. Row 5 starts where a file of five rows ends.

# %%
widths = np.arange(1, 600)
sizes = np.array([my.file_bytes(64, int(n)) for n in widths])
fig, ax = plt.subplots(figsize=(9, 2.8))
ax.plot(widths, 8 * sizes / (64 * widths), color=style.TERNARY)
ax.axhline(8 / PER, color=style.MUTED, lw=1, ls="--", label="the trits alone")
ax.set(xlabel="inputs (64 outputs)", ylabel="bits a trit", ylim=(1, 6), title="What a trit takes, all counted")  # fmt: skip
ax.legend()
plt.show()

# %% [markdown]
# ## 2 · Prices that hang together
#
# A layer has inputs × outputs weights and does rows × inputs × outputs MACs. The chip does it in two ways.
#
# | | ternary | int8 |
# |---|---|---|
# | for each MAC | SHARE additions (zeros are skipped) | 1 multiplication and 1 addition |
# | and, from the chip's own memory | BYTES bytes | BYTES bytes |
# | for each weight, once, from DRAM | 2 bits | 8 bits |
#
# Inputs and outputs stay on the chip. Nobody knows the prices; each of three lies anywhere in its range, in pJ: an addition in **ADD_LOW to ADD_HIGH**, a multiplication in **MUL_LOW to MUL_HIGH**, a byte from the chip's own memory in **CHIP_LOW to CHIP_HIGH**. The fourth is tied to the third: whatever a byte from the chip's memory costs, a byte from DRAM costs **FACTOR times** that.

# %% [markdown]
# ### Exercise 9.2: a range, and a ratio of ranges (3 points)
#
# `energy(rows, inputs, outputs)` returns the least and the most that the ternary layer can take, in pJ, as a tuple `(low, high)`. With `rows` 0 only the weights come from DRAM.
#
# `saving(rows, inputs, outputs)` returns the least and the most of *energy of the int8 layer over energy of the ternary layer*, as a tuple. Both are done on the same chip and pay the same prices.


# %% nbgrader={"grade": false, "grade_id": "9_2_energy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def energy(rows, inputs, outputs):
    """Least and most pJ of the ternary layer."""
    ### BEGIN SOLUTION
    weights = inputs * outputs
    moved = BYTES * rows * weights + FACTOR * weights / 4
    added = SHARE * rows * weights
    return added * ADD_LOW + moved * CHIP_LOW, added * ADD_HIGH + moved * CHIP_HIGH
    ### END SOLUTION


def saving(rows, inputs, outputs):
    """Least and most of int8's energy over the ternary one, at the same prices."""
    ### BEGIN SOLUTION
    weights = inputs * outputs
    macs = rows * weights
    ratios = []
    for add in (ADD_LOW, ADD_HIGH):
        for mul in (MUL_LOW, MUL_HIGH):
            for chip in (CHIP_LOW, CHIP_HIGH):
                dear = macs * (add + mul + BYTES * chip) + weights * FACTOR * chip
                cheap = macs * (SHARE * add + BYTES * chip) + weights / 4 * FACTOR * chip
                ratios.append(dear / cheap)
    return min(ratios), max(ratios)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_2_energy_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.2")
def _(energy, saving):
    add, mul, chip = [ADD_LOW, ADD_HIGH], [MUL_LOW, MUL_HIGH], [CHIP_LOW, CHIP_HIGH]
    share, local, factor = SHARE, BYTES, FACTOR
    ### BEGIN HIDDEN TESTS

    def everywhere(rows):
        shop = np.meshgrid(*(np.linspace(*price, 2) for price in (add, mul, chip)))
        a, m, c = (axis.ravel() for axis in shop)
        ours = rows * share * a + (rows * local + factor / 4) * c
        ratios = (rows * (a + m) + (rows * local + factor) * c) / ours
        return [ratios.min(), ratios.max()]

    ### END HIDDEN TESTS
    with check.part("DRAM", points=1):
        check.close(
            energy(0, 40, 10), [100 * factor * chip[0], 100 * factor * chip[1]],
            f"No rows: 400 weights of 2 bits come from DRAM, 100 bytes, and a byte costs {factor} "
            "times as much as one from the chip's memory.",
        )  # fmt: skip
        check.close(
            np.subtract(energy(1000, 4, 1), energy(0, 4, 1)),
            [4000 * (share * add[i] + local * chip[i]) for i in (0, 1)],
            "What 1000 rows add to a layer of four weights: the MACs with their additions and "
            "their bytes on the chip. The weights come from DRAM once for all rows.",
        )  # fmt: skip
    with check.part("the range", points=1):
        for rows, inputs, outputs in ((1, 8, 5), (64, 10, 6)):
            weights = inputs * outputs
            check.close(
                energy(rows, inputs, outputs),
                [weights * (rows * share * add[i] + (rows * local + factor / 4) * chip[i]) for i in (0, 1)],
                f"{rows} rows, {inputs} inputs, {outputs} outputs: all prices low, and all high.",
            )  # fmt: skip
    with check.part("the ratio", points=1):
        check.close(
            saving(0, 40, 10), [4.0, 4.0],
            "No rows: four times the bytes at the same price, whatever it is. Do your two layers pay "
            "different prices?",
        )  # fmt: skip
        got = saving(1, 64, 64)
        check.true(
            np.shape(got) == (2,) and got[0] < got[1], "Return two numbers, the least one first."
        )
        check.close(
            saving(7, 64, 64), saving(7, 5, 5), "Of the weights' number the ratio does not depend."
        )
        ### BEGIN HIDDEN TESTS
        for rows in (1, 16, 256, 10_000):
            check.close(
                saving(rows, 12, 7), everywhere(rows),
                f"{rows} rows. Each of the three prices is at one of its ends where the ratio is "
                "extreme, and they need not be the same ends. The price of DRAM has no choice of its "
                "own.",
                rtol=1e-7,
            )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "9_2_energy", "wrong": "the weights come from DRAM for each row", "says": "once for all rows"}
def energy(rows, inputs, outputs):
    n = inputs * outputs
    return tuple(
        n * max(rows, 1) * (SHARE * a * (rows > 0) + BYTES * c * (rows > 0) + FACTOR * c / 4)
        for a, c in ((ADD_LOW, CHIP_LOW), (ADD_HIGH, CHIP_HIGH))
    )


def saving(rows, inputs, outputs):
    return 1.0, 4.0


# %% variant={"of": "9_2_energy", "wrong": "zeros are added as well", "says": "additions"}
def energy(rows, inputs, outputs):
    n = inputs * outputs
    return tuple(
        n * rows * (a + BYTES * c) + n * FACTOR * c / 4
        for a, c in ((ADD_LOW, CHIP_LOW), (ADD_HIGH, CHIP_HIGH))
    )


def saving(rows, inputs, outputs):
    return 1.0, 4.0


# %% variant={"of": "9_2_energy", "wrong": "two bytes a weight for two bits", "says": "2 bits"}
def energy(rows, inputs, outputs):
    n = inputs * outputs
    return tuple(
        n * rows * (SHARE * a + BYTES * c) + n * FACTOR * c * 2
        for a, c in ((ADD_LOW, CHIP_LOW), (ADD_HIGH, CHIP_HIGH))
    )


def saving(rows, inputs, outputs):
    return 1.0, 4.0


# %% variant={"of": "9_2_energy", "wrong": "two layers that know nothing of each other", "says": "different prices"}
def energy(rows, inputs, outputs):
    n = inputs * outputs
    return tuple(
        n * rows * (SHARE * a + BYTES * c) + n * FACTOR * c / 4
        for a, c in ((ADD_LOW, CHIP_LOW), (ADD_HIGH, CHIP_HIGH))
    )


def saving(rows, inputs, outputs):
    low, high = energy(rows, inputs, outputs)
    n = inputs * outputs
    least, most = (
        n * rows * (a + m + BYTES * c) + n * FACTOR * c
        for a, m, c in ((ADD_LOW, MUL_LOW, CHIP_LOW), (ADD_HIGH, MUL_HIGH, CHIP_HIGH))
    )
    return least / high, most / low


# %% variant={"of": "9_2_energy", "wrong": "all prices low, or all high"}
def energy(rows, inputs, outputs):
    n = inputs * outputs
    return tuple(
        n * rows * (SHARE * a + BYTES * c) + n * FACTOR * c / 4
        for a, c in ((ADD_LOW, CHIP_LOW), (ADD_HIGH, CHIP_HIGH))
    )


def saving(rows, inputs, outputs):
    ends = [
        (rows * (a + m + BYTES * c) + FACTOR * c) / (rows * (SHARE * a + BYTES * c) + FACTOR * c / 4)
        for a, m, c in ((ADD_LOW, MUL_LOW, CHIP_LOW), (ADD_HIGH, MUL_HIGH, CHIP_HIGH))
    ]  # fmt: skip
    return min(ends), max(ends)


# %% variant={"of": "9_2_energy", "wrong": "DRAM has a price of its own", "says": "no choice of its own"}
def energy(rows, inputs, outputs):
    n = inputs * outputs
    return tuple(
        n * rows * (SHARE * a + BYTES * c) + n * FACTOR * c / 4
        for a, c in ((ADD_LOW, CHIP_LOW), (ADD_HIGH, CHIP_HIGH))
    )


def saving(rows, inputs, outputs):
    ends = [
        (rows * (a + m + BYTES * c) + d) / (rows * (SHARE * a + BYTES * c) + d / 4)
        for a in (ADD_LOW, ADD_HIGH)
        for m in (MUL_LOW, MUL_HIGH)
        for c in (CHIP_LOW, CHIP_HIGH)
        for d in (FACTOR * CHIP_LOW, FACTOR * CHIP_HIGH)
    ]
    return min(ends), max(ends)


# %% variant={"of": "9_2_energy", "right": "a table of counts, and corners as rows"}
def energy(rows, inputs, outputs):
    counts = np.array([SHARE * rows, BYTES * rows + FACTOR * 2 / 8]) * inputs * outputs
    return tuple((np.array([[ADD_LOW, CHIP_LOW], [ADD_HIGH, CHIP_HIGH]]) @ counts).tolist())


def saving(rows, inputs, outputs):
    ternary = np.array([SHARE * rows, 0, BYTES * rows + FACTOR / 4])
    int8 = np.array([rows, rows, BYTES * rows + FACTOR])
    ends = [(ADD_LOW, ADD_HIGH), (MUL_LOW, MUL_HIGH), (CHIP_LOW, CHIP_HIGH)]
    corners = np.stack(np.meshgrid(*ends), axis=-1).reshape(-1, 3)
    ratios = (corners @ int8) / (corners @ ternary)
    return float(ratios.min()), float(ratios.max())


# %% variant={"of": "9_2_energy", "right": "corners by the bits of a number"}
def _pay(add, mul, chip, rows, weights, ternary):
    macs = rows * weights
    adds, muls, bits = (SHARE, 0, 2) if ternary else (1, 1, 8)
    dram = FACTOR * chip
    return macs * (adds * add + muls * mul + BYTES * chip) + weights * bits / 8 * dram


def energy(rows, inputs, outputs):
    n = inputs * outputs
    low = _pay(ADD_LOW, MUL_LOW, CHIP_LOW, rows, n, True)
    return low, _pay(ADD_HIGH, MUL_HIGH, CHIP_HIGH, rows, n, True)


def saving(rows, inputs, outputs):
    found, n = [], inputs * outputs
    for corner in range(8):
        prices = ((ADD_LOW, ADD_HIGH)[corner & 1], (MUL_LOW, MUL_HIGH)[corner >> 1 & 1],
                  (CHIP_LOW, CHIP_HIGH)[corner >> 2])  # fmt: skip
        found.append(_pay(*prices, rows, n, False) / _pay(*prices, rows, n, True))
    return sorted(found)[0], sorted(found)[-1]


# %% [markdown] hints={"of": "9_2_energy"}
# 1. Count first, price later: how many additions, how many bytes on the chip, how many from DRAM? A byte has 8 bits.
# 2. How many prices are free? How many combinations of their ends are there?
# 3. One combination of prices, two energies, one ratio. What is the least of all the ratios, and what the most?

# %%
row_counts = 2 ** np.arange(13)
bounds = np.array([my.saving(int(rows), 512, 512) for rows in row_counts])
fig, ax = plt.subplots(figsize=(9, 2.8))
ax.fill_between(row_counts, bounds[:, 0], bounds[:, 1], color=style.TERNARY, alpha=0.3)
ax.plot(row_counts, bounds, color=style.TERNARY)
ax.axhline(4, color=style.MUTED, lw=1, ls="--", label="bytes of the weights")
ax.set(xscale="log", xlabel="rows that share the weights", ylabel="int8 over ternary", ylim=(1, None),
       title="What trits save, at any prices in the ranges")  # fmt: skip
ax.legend()
plt.show()

# %% [markdown]
# ## 3 · What can be won at most
#
# The chip does **PEAK GMAC/s** (a GMAC is $10^9$ MACs) and moves **BANDWIDTH GB/s** ($10^9$ bytes). A layer takes as long as the slower of the two, arithmetic or memory; and starting it takes **OVERHEAD µs** before that, which nothing shortens. Layers run one after the other.

# %% [markdown]
# ### Exercise 9.3: who waits, and what for? (2 points)
#
# `layers` is a dictionary `{name: (macs, bytes)}` of at least one layer; either number may be 0. `waiting(layers)` returns the set of the names of the layers that are memory-bound. `at_most(layers)` returns two numbers: how many times as fast the whole network can become at most by faster **arithmetic** alone, and at most by faster **memory** alone.


# %% nbgrader={"grade": false, "grade_id": "9_3_waiting", "locked": false, "schema_version": 3, "solution": true, "task": false}
def waiting(layers):
    """Names of the layers that wait for memory."""
    ### BEGIN SOLUTION
    return {name for name, (macs, moved) in layers.items() if moved * PEAK > macs * BANDWIDTH}
    ### END SOLUTION


def at_most(layers):
    """How many times as fast, at most: by arithmetic alone, by memory alone."""
    ### BEGIN SOLUTION
    arithmetic = np.array([macs / (1000 * PEAK) for macs, _ in layers.values()])
    memory = np.array([moved / (1000 * BANDWIDTH) for _, moved in layers.values()])
    now = (np.maximum(arithmetic, memory) + OVERHEAD).sum()
    return now / (memory + OVERHEAD).sum(), now / (arithmetic + OVERHEAD).sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "9_3_waiting_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("9.3")
def _(waiting, at_most):
    macs, data, start = 1000 * PEAK, 1000 * BANDWIDTH, OVERHEAD  # in one microsecond
    with check.part("who waits", points=1):
        got = waiting({"a": (macs, 2 * data), "b": (2 * macs, data)})
        check.true(isinstance(got, set | frozenset), "Return a set of names.")
        check.true(
            set(got) == {"a"},
            f"You say {sorted(got)}. a: {macs:,} MACs take 1 µs and {2 * data:,} bytes take 2 µs; b "
            "the other way round. a waits for its bytes.",
        )
        got = waiting({"a": (9999 * macs, 10_000 * data), "b": (9999 * macs, 9998 * data)})
        check.true(
            set(got) == {"a"},
            f"You say {sorted(got)}. Both have nearly as much to do as to move: for a, arithmetic "
            "takes 9999 µs and memory 10000; for b, 9999 and 9998. Where is this chip's ridge?",
        )
        check.true(
            waiting({"a": (macs, 0)}) == set(), "A layer that moves nothing waits for nothing."
        )
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(93)
        times = rng.uniform(0.5, 40, (30, 2))
        many = {f"layer {i}": (a * macs, m * data) for i, (a, m) in enumerate(times)}
        want = {f"layer {i}" for i, (a, m) in enumerate(times) if m > a}
        check.true(set(waiting(many)) == want, "Thirty random layers.")
        ### END HIDDEN TESTS
    with check.part("at most", points=1):
        check.close(
            at_most({"a": (5 * macs, data)}), [(start + 5) / (start + 1), 1.0],
            f"One layer: {start} µs to start, 5 µs of arithmetic, 1 µs of memory. If arithmetic took "
            "no time, the memory's 1 µs would be left, and the start. Faster memory wins nothing.",
        )  # fmt: skip
        check.close(
            at_most({"a": (data * 0, 3 * data)}), [1.0, (start + 3) / start],
            "One layer that only moves: without its memory's time, the start is left.",
        )  # fmt: skip
        check.close(
            at_most({"a": (6 * macs, 2 * data), "b": (macs, 4 * data)}),
            [(2 * start + 10) / (2 * start + 6), (2 * start + 10) / (2 * start + 7)],
            "Two layers, a with 6 and 2 µs, b with 1 and 4: each starts, and each takes the longer "
            "of its two times, layer by layer.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        now = sum(start + max(pair) for pair in times.tolist())
        check.close(
            at_most(many),
            [now / (30 * start + times[:, 1].sum()), now / (30 * start + times[:, 0].sum())],
            "Thirty random layers.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "9_3_waiting", "wrong": "the start is forgotten", "says": "to start"}
def waiting(layers):
    return {n for n, (macs, moved) in layers.items() if moved / BANDWIDTH > macs / PEAK}


def at_most(layers):
    a = np.array([macs / PEAK for macs, _ in layers.values()])
    m = np.array([moved / BANDWIDTH for _, moved in layers.values()])
    now = np.maximum(a, m).sum()
    return now / m.sum() if m.sum() else np.inf, now / a.sum() if a.sum() else np.inf


# %% variant={"of": "9_3_waiting", "wrong": "the start counts once for the network", "says": "each starts"}
def waiting(layers):
    return {n for n, (macs, moved) in layers.items() if moved / BANDWIDTH > macs / PEAK}


def at_most(layers):
    a = np.array([macs / (1e3 * PEAK) for macs, _ in layers.values()])
    m = np.array([moved / (1e3 * BANDWIDTH) for _, moved in layers.values()])
    now = OVERHEAD + np.maximum(a, m).sum()
    return now / (OVERHEAD + m.sum()), now / (OVERHEAD + a.sum())


# %% variant={"of": "9_3_waiting", "wrong": "sums of both times first, then the longer", "says": "layer by layer"}
def waiting(layers):
    return {n for n, (macs, moved) in layers.items() if moved / BANDWIDTH > macs / PEAK}


def at_most(layers):
    a = sum(macs for macs, _ in layers.values()) / (1e3 * PEAK)
    m = sum(moved for _, moved in layers.values()) / (1e3 * BANDWIDTH)
    start = OVERHEAD * len(layers)
    return (start + max(a, m)) / (start + m), (start + max(a, m)) / (start + a)


# %% variant={"of": "9_3_waiting", "wrong": "compute-bound layers instead", "says": "waits for its bytes"}
def waiting(layers):
    return {n for n, (macs, moved) in layers.items() if macs / PEAK > moved / BANDWIDTH}


def at_most(layers):
    a = np.array([macs / (1e3 * PEAK) for macs, _ in layers.values()]) + OVERHEAD
    m = np.array([moved / (1e3 * BANDWIDTH) for _, moved in layers.values()]) + OVERHEAD
    return np.maximum(a, m).sum() / m.sum(), np.maximum(a, m).sum() / a.sum()


# %% variant={"of": "9_3_waiting", "wrong": "fewer MACs than bytes", "says": "You say"}
def waiting(layers):
    return {n for n, (macs, moved) in layers.items() if macs < moved}


def at_most(layers):
    return 1.0, 1.0


# %% variant={"of": "9_3_waiting", "wrong": "arithmetic and memory one after the other"}
def waiting(layers):
    return {n for n, (macs, moved) in layers.items() if moved / BANDWIDTH > macs / PEAK}


def at_most(layers):
    a = np.array([macs / (1e3 * PEAK) for macs, _ in layers.values()])
    m = np.array([moved / (1e3 * BANDWIDTH) for _, moved in layers.values()])
    now = (a + m + OVERHEAD).sum()
    return now / (m + OVERHEAD).sum(), now / (a + OVERHEAD).sum()


# %% variant={"of": "9_3_waiting", "right": "seconds, layer by layer"}
def waiting(layers):
    found = set()
    for name, (macs, moved) in layers.items():
        if moved / (BANDWIDTH * 1e9) > macs / (PEAK * 1e9):
            found.add(name)
    return found


def at_most(layers):
    now = free = instant = 0.0
    for macs, moved in layers.values():
        a, m, start = macs / (PEAK * 1e9), moved / (BANDWIDTH * 1e9), OVERHEAD * 1e-6
        now += start + max(a, m)
        free += start + m
        instant += start + a
    return now / free, now / instant


# %% variant={"of": "9_3_waiting", "right": "by intensity, and what is saved"}
def waiting(layers):
    return {n for n, (macs, moved) in layers.items() if moved and macs / moved < PEAK / BANDWIDTH}


def at_most(layers):
    work = np.array(list(layers.values()), float) / [PEAK * 1000, BANDWIDTH * 1000]
    now = np.sum(work.max(axis=1)) + OVERHEAD * len(work)
    arithmetic_saves = np.maximum(work[:, 0] - work[:, 1], 0).sum()
    memory_saves = np.maximum(work[:, 1] - work[:, 0], 0).sum()
    return now / (now - arithmetic_saves), now / (now - memory_saves)


# %% [markdown] hints={"of": "9_3_waiting"}
# 1. Bring everything to microseconds: how many MACs does a chip of 1 GMAC/s do in one?
# 2. Imagine arithmetic that takes no time at all. How long does a layer take then?
# 3. The longer of two times, for each layer by itself; then the sum.

# %%
network = {f"{name} × {rows}": (rows * k * n, rows * (k + n) + k * n / 4)
           for rows in (1, 16, 1024)
           for name, k, n in (("embedding", 147, 256), ("FFN", 512, 2048), ("head", 512, 12))}  # fmt: skip
slow = my.waiting(network)
fig, ax = plt.subplots(figsize=(9, 3.2))
for name, (macs, moved) in network.items():
    color = style.ACCENT if name in slow else style.TERNARY
    ax.loglog(macs / moved, macs / 1e6, "o", color=color)
    ax.annotate(name, (macs / moved, macs / 1e6), xytext=(5, -3), textcoords="offset points", fontsize=8)  # fmt: skip
ax.axvline(PEAK / BANDWIDTH, color=style.MUTED, lw=1, ls="--")
ax.set(xlabel="MACs for each byte", ylabel="million MACs", title="Layer × rows: who waits for memory (orange), left of the ridge")  # fmt: skip
ax.margins(x=0.25)
plt.show()
gains = my.at_most({name: cost for name, cost in network.items() if name.endswith("× 1")})
print("one row: at most {:.2f} times by arithmetic, {:.2f} by memory".format(*gains))

# %% [markdown] nbgrader={"grade": true, "grade_id": "9_4_words", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 9.4: a sentence from a leaflet (2 points, in words)
#
# The leaflet of the chip says: *"Two bits instead of eight: four times smaller, four times faster, a quarter of the energy."* Take the three parts one by one. Where is each nearly true on this chip, and what keeps it from being true everywhere? Use a number of yours for each.
#
# ### BEGIN SOLUTION
# Smaller: only the trits are. A scale for each group, the last byte of a group, what fills up a row, and the header come on top, so that a trit takes more than its bits (exercise 9.1's figure shows how much), most in narrow layers; in wide ones it is nearly true if the int8 file has scales, too.
#
# Faster: only a layer that waits for memory, and whose bytes are mostly weights, which means few rows. Left of the ridge its time falls with the bytes, but the start stays, and at most the second number of `at_most` can be won. To the right of the ridge fewer bytes win nothing at all.
#
# Energy: with one row the weights' bytes from DRAM are nearly everything, and the ratio is close to 4. With many rows that share the weights, additions and bytes on the chip decide; the range that the prices allow there (exercise 9.2's figure at 4096 rows) is wide, and 4 is nothing special in it.
# ### END SOLUTION

# %% [markdown] rubric={"of": "9_4_words"}
# 1 point: says for which layers each part is nearly true (wide ones; memory-bound ones with few rows; few rows that share weights), with a number of their own for at least two of the three. 1 point: says what stands against it in each: scales, padding and header; the start and compute-bound layers; arithmetic and bytes on the chip when many rows share the weights. Half for two of the three.

# %%
check.summary()
