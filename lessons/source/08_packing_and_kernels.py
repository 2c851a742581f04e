# %% [markdown]
# # 08 · Packing and kernels
#
# A ternary product needs no multiplication. So a loop that only adds, subtracts and skips must be faster than one that multiplies. Mustn't it?
#
# Near the end of this lesson you run that loop, compiled, beside NumPy's product, which multiplies everything with everything, zeros too. Write down now who wins, and by what factor; a slip of paper will do. Whatever you wrote, the reason for the result lies in what a processor is really paid for: **loads**, **guesses**, and how many numbers fit under **one instruction**.
#
# You learn it by playing. The first half of the lesson is five puzzles in the manner of Sasha Rush's *GPU Puzzles* and *Tensor Puzzles*: a picture, a rule, a few lines of code. And, as on a golf course, a **par**: how many loads, stores and operations a good solution takes. Your numbers are counted, one by one.
#
# You will be able to
#
# - put four and five trits into a byte, and take them out again without a division;
# - multiply 64 pairs of trits with seven operations;
# - let a table do your additions, and say when that pays;
# - count what a tile in registers saves, and choose its shape;
# - time two programs so that the result means something;
# - climb the library's ladder of kernels on your own machine, and read where each rung stands under the roof;
# - recognise four famous bugs of kernels by their symptoms.
#
# **What you need:** lesson 01 (trits, packing); Python, and a little NumPy. Numba has to be installed for sections 7 to 9. **Time:** 75 to 90 minutes. **Network:** none, and no GPU.
#
# | exercise | | difficulty | points |
# |---|---|---|---|
# | 8.1 | four in a byte, to par | ● | 2 |
# | 8.2 | five in a byte | ●● | 3 |
# | 8.3 | sixty-four at a time | ●● | 3 |
# | 8.4 | let a table add | ●● | 3 |
# | 8.5 | a tile of registers | ●●● | 3 |
# | 8.6 | the best tile | ● | 2 |
# | 8.7 | museum: a clock that lies | ●● | 3 |
# | 8.8 | museum: two products that were right on the test | ●● | 3 |
# | 8.9 | museum: one byte too far | ●●● | 2 |
# | 8.10 | in words | ●● | 3 |

# %% tags=["setup"]
import time

import matplotlib.pyplot as plt
import numpy as np

import tinyternary as tt
from tinyternary import course
from tinyternary.course.judge.counting import CountedInt, Tally, counted
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})


def spent(tally):
    """What the machine was paid for: loads, stores, and operations of any kind."""
    memory = {"loads": tally.load, "stores": tally.store}
    return memory | {"operations": sum(tally.counts.values()) - sum(memory.values())}


def score(puzzle, *arguments, **par):
    """Run a puzzle on counted copies of its arrays, and print what it took beside its par."""
    tally = Tally()
    puzzle(*(counted(a, tally) if isinstance(a, np.ndarray) else a for a in arguments))
    counts = spent(tally)
    card = "   ".join(f"{kind} {counts[kind]} (par {most})" for kind, most in par.items())
    under = sum(par[kind] - counts[kind] for kind in par)
    print(f"{puzzle.__name__}:  {card}{f'   {under} under par' if under > 0 else ''}")


def to_par(check, par, least, hint):
    """Hold what was counted to a par; too little means that something went on unseen."""
    counts = spent(check.tally)
    card = ", ".join(f"{kind} {counts[kind]} (par {most})" for kind, most in par.items())
    for kind, few in least.items():
        check.true(
            counts[kind] >= few,
            f"{card}. The puzzle cannot be solved with fewer than {few} {kind}, so something was "
            "done where the machine does not see it: take numbers one at a time, as `x[i]`, and "
            "leave them as they come. `int(...)`, `np.array(...)` and `sum` of a whole array hide them.",
        )
    for kind, most in par.items():
        check.true(counts[kind] <= most, f"Right, but over par: {card}. {hint}")


def popcount(word):
    """How many bits of a word of 64 are 1: one operation of the machine."""
    ones = CountedInt((int(word) & (2**64 - 1)).bit_count())
    ones.tally = getattr(word, "tally", None) or Tally()
    ones.tally.count("popcount")
    return ones


def planes_of(trits):
    """Two planes of bits, words of 64 (first trit lowest): which trits are not 0, which are -1."""
    padded = np.zeros(-(-len(trits) // 64) * 64, np.int8)
    padded[: len(trits)] = trits
    planes = [np.packbits(bits, bitorder="little") for bits in (padded != 0, padded < 0)]
    return [plane.view(np.uint64) for plane in planes]


class Machine:
    """A pretended computer: a clock, and programs that take time on it.

    Each program's first call takes `compiling` seconds more; every seventh call of any program
    is disturbed for `hiccup` seconds; and with every call the machine gets slower by the share
    `heating` of its speed, as it warms up.
    """

    def __init__(self, compiling=0.0, hiccup=0.0, heating=0.0):
        self.compiling, self.hiccup, self.heating = compiling, hiccup, heating
        self.now, self.calls = 0.0, {}

    def clock(self):
        """Seconds since the machine was switched on."""
        return self.now

    def program(self, name, *seconds):
        """Make a program whose calls take these seconds, in turn."""

        def run():
            before = self.calls.get(name, 0)
            total = sum(self.calls.values())
            self.calls[name] = before + 1
            self.now += seconds[before % len(seconds)] * (1 + self.heating * total)
            self.now += self.compiling * (before == 0) + self.hiccup * (total % 7 == 6)

        return run


check = course.checks("08_packing_and_kernels")
my = check.mine

# %% [markdown]
# ## 1 · A paper machine
#
# Our machine for the puzzles is as simple as a processor can be and still teach something.
#
# | you write | the machine |
# |---|---|
# | `x[i]` | **loads** a number from memory |
# | `out[i] = v` | **stores** one |
# | `a + b`, `a - b`, `a * b`, `a << 2`, `a >> 2`, `a & b`, `a \| b`, `a ^ b`, `-a` | does one **operation** |
# | `total = ...`, any variable | keeps a number in a **register**: free |
# | loops, indices such as `4 * i + 2` | free (the real thing hides them well) |
#
# Numbers come to you one at a time and count what is done to them; leave them as they come. `out[0] += v` is a load, an operation *and* a store. There is no `sum` and no `@`: they would do everything at once, and this is about what they do inside.
#
# `score` runs a program on the machine. Here are two that compute the same sum of products. Where do the extra loads come from?


# %%
def into_memory(x, w, out):
    """Dot product; the sum lives in memory."""
    out[0] = 0
    for i in range(len(x)):
        out[0] += x[i] * w[i]


def into_register(x, w, out):
    """Dot product; the sum lives in a variable."""
    total = 0
    for i in range(len(x)):
        total += x[i] * w[i]
    out[0] = total


x, w = np.arange(1, 9), np.array([1, 0, -1, 1, 0, 0, -1, 1])
for program in (into_memory, into_register):
    score(program, x, w, np.zeros(1, int), loads=16, stores=1, operations=16)

# %% [markdown]
# The second one makes par. Keep the first one in mind: we meet its like again in section 7, and there the difference is not a factor of two.
#
# Now the first puzzle. You packed four trits into a byte in lesson 01 with a few whole-array operations. Each trit got a **code**, trit + 1, and the codes stand side by side, the first one lowest:

# %% jupyter={"source_hidden": true}
four = (1, 0, -1, 1)
figure, axes = plt.subplots(figsize=(8.5, 2.7))
for i, trit in enumerate(four):
    left = 6 - 2 * i
    color = style.TRIT_COLORS[trit]
    axes.text(left + 1, 2.72, f"trits[{i}] = {trit}", ha="center", fontsize=9.5)
    axes.annotate("", (left + 1, 0.95), (left + 1, 2.62),
                  arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 1.6})  # fmt: skip
    axes.text(left + 1.08, 1.72, f"code {trit + 1}\ntimes {4**i}", fontsize=8.5, color=style.MUTED)
    for b in (0, 1):
        axes.add_patch(
            plt.Rectangle((left + b, 0.1), 1, 0.75, facecolor=color, edgecolor="white", lw=2)
        )
        axes.text(left + b + 0.5, 0.475, f"{trit + 1:02b}"[b], ha="center", va="center", fontsize=12,
                  color="white" if trit else style.INK)  # fmt: skip
axes.text(
    8.15, 0.475, f"= {sum((t + 1) * 4**i for i, t in enumerate(four))}", va="center", fontsize=13
)
axes.set(xlim=(-0.1, 9), ylim=(0, 3.1), xticks=[], yticks=[], title="Four trits, one byte")
for spine in axes.spines.values():
    spine.set_visible(False)
plt.show()

# %% [markdown]
# ### Exercise 8.1: four in a byte, to par (2 points)
#
# Write `pack4(trits, out)` for the machine. `trits` holds $4B$ trits, `out` has room for $B$ bytes; fill `out`, return nothing.
#
# **Par** for each byte: 4 loads, 1 store, **7 operations**. One point if the bytes are right, one for par. The obvious way (four times "plus one", three shifts, three times "or") takes 10. Where can three operations go?


# %% nbgrader={"grade": false, "grade_id": "8_1_pack4", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pack4(trits, out):
    """Fill out (B,) with the 2-bit codes of trits (4 B,), four a byte."""
    ### BEGIN SOLUTION
    for byte in range(len(out)):
        a, b, c, d = (trits[4 * byte + i] for i in range(4))
        # 85 is the code 01 four times: the four "plus one", at once
        out[byte] = 85 + a + (b << 2) + (c << 4) + (d << 6)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_1_pack4_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.1", mutates=True)
def _(pack4):
    trits, out = check.counted(
        np.array([1, 0, -1, 1, 0, 0, 0, 0, -1, -1, -1, -1], np.int8), np.zeros(3, np.uint8)
    )
    with check.part("the bytes", points=1):
        pack4(trits, out)
        check.equal(
            np.asarray(out), [134, 85, 0],
            "Trits 1, 0, -1, 1 make the byte of the figure; four zeros make 01 01 01 01; four times "
            "-1 make 0. If your first byte is 146, your first trit stands in the highest bits.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(81)
        for count in (1, 2, 17):
            plain = rng.integers(-1, 2, 4 * count).astype(np.int8)
            many, room = check.counted(plain, np.zeros(count, np.uint8))
            pack4(many, room)
            check.equal(
                np.asarray(room), tt.kernels.pack(plain[None], bits=2).data[0],
                f"{4 * count} random trits.",
            )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("to par", points=1):
        trits, out = check.counted(
            np.array([1, 0, -1, 1, -1, 1, 1, 0], np.int8), np.zeros(2, np.uint8)
        )
        pack4(trits, out)
        check.equal(np.asarray(out), [134, 104], "The bytes first, then par.")
        to_par(
            check, {"loads": 8, "stores": 2, "operations": 14}, {"loads": 8, "operations": 12},
            "Two bytes are 14 operations. Shifts of the four codes are needed, and joining them; is "
            "the first shift? (`sum` begins with an addition to 0.) And must \"plus one\" be done four times?",
        )  # fmt: skip


# %% variant={"of": "8_1_pack4", "wrong": "the obvious way: ten operations", "says": "over par"}
def pack4(trits, out):
    for b in range(len(out)):
        c = [trits[4 * b + i] + 1 for i in range(4)]
        out[b] = c[0] | (c[1] << 2) | (c[2] << 4) | (c[3] << 6)


# %% variant={"of": "8_1_pack4", "wrong": "the first trit in the highest bits", "says": "highest bits"}
def pack4(trits, out):
    for b in range(len(out)):
        value = 85
        for i in range(4):
            value += trits[4 * b + i] << (6 - 2 * i)
        out[b] = value


# %% variant={"of": "8_1_pack4", "wrong": "builds the byte in memory", "says": "stores"}
def pack4(trits, out):
    for b in range(len(out)):
        out[b] = 85
        for i in range(4):
            out[b] += trits[4 * b + i] << (2 * i)


# %% variant={"of": "8_1_pack4", "wrong": "plain numbers, unseen", "says": "does not see"}
def pack4(trits, out):
    for b in range(len(out)):
        t = [int(trits[4 * b + i]) for i in range(4)]
        out[b] = t[0] + (t[1] << 2) + (t[2] << 4) + (t[3] << 6) + 85


# %% variant={"of": "8_1_pack4", "wrong": "the correction left out, masked instead"}
def pack4(trits, out):
    for b in range(len(out)):
        t = [trits[4 * b + i] for i in range(4)]
        out[b] = (t[0] + (t[1] << 2) + (t[2] << 4) + (t[3] << 6)) & 255


# %% variant={"of": "8_1_pack4", "wrong": "reads each trit twice", "says": "loads"}
def pack4(trits, out):
    for b in range(len(out)):
        value = 85 + trits[4 * b]
        for i in range(1, 4):
            if trits[4 * b + i] != 7:
                value += trits[4 * b + i] << (2 * i)
        out[b] = value


# %% variant={"of": "8_1_pack4", "right": "Horner's rule, from the last trit"}
def pack4(trits, out):
    for b in range(len(out)):
        value = trits[4 * b + 3]
        for i in (2, 1, 0):
            value = (value << 2) + trits[4 * b + i]
        out[b] = value + 0b01010101


# %% variant={"of": "8_1_pack4", "right": "multiplications for shifts"}
def pack4(trits, out):
    for b in range(len(out)):
        a, c, d, e = (trits[4 * b + i] for i in range(4))
        out[b] = 85 + a + 4 * c + 16 * d + 64 * e


# %% [markdown] hints={"of": "8_1_pack4"}
# 1. Write the byte as a sum: (a + 1) + 4 (b + 1) + 16 (c + 1) + 64 (d + 1). Which part of it does not depend on the trits?
# 2. Shifting a negative number to the left is fine: `-1 << 2` is -4. So nothing has to be added before the shifts.
# 3. Three shifts, three additions to join, and one more addition for everything that is the same in every byte.

# %%
rng = np.random.default_rng(8)
score(my.pack4, rng.integers(-1, 2, 16).astype(np.int8), np.zeros(4, np.uint8),
      loads=16, stores=4, operations=28)  # fmt: skip

# %% [markdown]
# What is the same for all numbers need be done only once. The library's kernels go further with this very trick. They never turn codes back into trits: with $c = t + 1$,
#
# $$
# \sum_k t_k x_k = \sum_k c_k x_k - \sum_k x_k ,
# $$
#
# and the last sum does not depend on the weights, so *all* outputs share it.
#
# ## 2 · Five in a byte
#
# Five trits have $3^5 = 243$ patterns and a byte has 256, so five should fit. Read the five digits $d_n = t_n + 1$ as a **fraction in base 3**, first digit first:
#
# $$
# f = \frac{d_1}{3} + \frac{d_2}{9} + \frac{d_3}{27} + \frac{d_4}{81} + \frac{d_5}{243} = \frac{q}{243}, \qquad \text{stored as the byte } \lceil 256\, f \rceil .
# $$
#
# The picture shows where such a byte points: the first digit says in which third, the next in which third of that third, and so on.

# %% jupyter={"source_hidden": true}
five = (1, 0, -1, 1, 0)
pointer = int(tt.kernels.pack(np.array([five], np.int8), bits=1.6).data[0, 0]) / 256
figure, axes = plt.subplots(figsize=(9.5, 2.9))
low, width = 0.0, 1.0
for level, trit in enumerate(five):
    for piece in range(3 ** (level + 1)):
        inside = low - 1e-9 <= piece / 3 ** (level + 1) < low + width - 1e-9
        axes.barh(-level, 3.0 ** -(level + 1), left=piece / 3 ** (level + 1), height=0.86, align="center",
                  color=style.TRIT_COLORS[piece % 3 - 1], alpha=1 if inside else 0.18,
                  edgecolor="white", linewidth=1.5 if level < 3 else 0.2)  # fmt: skip
    width /= 3
    low += (trit + 1) * width
    axes.text(-0.012, -level, f"trit {level + 1}", ha="right", va="center", fontsize=9)
    axes.text(1.012, -level, f"{trit:+d}" if trit else "0", va="center", fontsize=11,
              color=style.TRIT_COLORS[trit] if trit else style.MUTED)  # fmt: skip
axes.plot([pointer, pointer], [-4.6, 0.6], color=style.INK, linewidth=1.3)
axes.text(pointer, 0.66, f"byte {pointer * 256:.0f} of 256", ha="center", va="bottom", fontsize=9.5)
axes.set(xlim=(-0.07, 1.05), ylim=(-4.6, 1.2), xticks=[], yticks=[])
for spine in axes.spines.values():
    spine.set_visible(False)
axes.set_title("A byte is a place between 0 and 1: third, third of a third, ...", pad=2)
plt.show()

# %% [markdown]
# How do you read a digit off a fraction? The way you would in base 10: to get the first digit of 0.4142, multiply by ten and look at what comes to stand before the point. What stays behind it is the rest of the number. Here "ten" is three, and "before the point" means above the lowest 8 bits.
#
# ### Exercise 8.2: five in a byte (3 points)
#
# Write two functions. `pack5(trits)` returns the byte (a whole number) of five `int8` trits; it may do what it likes. `unpack5(data, out)` is for the machine: $B$ bytes in `data`, room for $5B$ trits in `out`.
#
# **Par** for `unpack5`, for each byte: 1 load, 5 stores, **19 operations**, and **no division** (`/`, `//`, `%`, `divmod`). Dividing is what one would do first; but division is the slowest arithmetic that a processor has, and most vector units cannot divide whole numbers at all.


# %% nbgrader={"grade": false, "grade_id": "8_2_unpack5", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pack5(trits):
    """Byte of five trits: 256 times the fraction in base 3, rounded up."""
    ### BEGIN SOLUTION
    q = 0
    for trit in trits:
        q = 3 * q + int(trit) + 1
    return -(-256 * q // 243)
    ### END SOLUTION


def unpack5(data, out):
    """Fill out (5 B,) with the trits of data (B,), without a division."""
    ### BEGIN SOLUTION
    for byte in range(len(data)):
        rest = data[byte]
        for n in range(5):
            moved = 3 * rest
            out[5 * byte + n] = (moved >> 8) - 1
            if n < 4:
                rest = moved & 255
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_2_unpack5_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.2", mutates=True)
def _(pack5, unpack5):
    with check.part("pack5", points=1):
        check.equal(
            pack5(np.array([-1, -1, -1, -1, -1], np.int8)), 0, "Five times -1: all digits are 0."
        )
        check.equal(
            pack5(np.array([0, -1, -1, -1, -1], np.int8)), 86,
            "Trits 0, -1, -1, -1, -1: the fraction is 1/3, and 256/3 = 85.3 is rounded up. If yours "
            "is 2, your first trit counts least.",
        )  # fmt: skip
        check.equal(
            pack5(np.array([-1, -1, -1, -1, 0], np.int8)), 2,
            "Trits -1, -1, -1, -1, 0: the fraction is 1/243, and 256/243 = 1.05 is rounded up, to 2.",
        )  # fmt: skip
        check.equal(
            pack5(np.ones(5, np.int8)), 255,
            "Five times +1: 256 times 242/243, rounded up. Trits are int8, and 242 is more than an "
            "int8 holds: make plain numbers of them.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        every = (
            np.stack(np.meshgrid(*[[-1, 0, 1]] * 5, indexing="ij"), -1)
            .reshape(-1, 5)
            .astype(np.int8)
        )
        check.equal(
            [int(pack5(trits)) for trits in every], tt.kernels.pack(every, bits=1.6).data[:, 0],
            "All 243 patterns.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("unpack5", points=1):
        data, out = check.counted(np.array([86, 255], np.uint8), np.zeros(10, np.int8))
        unpack5(data, out)
        check.equal(
            np.asarray(out), [0, -1, -1, -1, -1, 1, 1, 1, 1, 1],
            "86 is 0, -1, -1, -1, -1, and 255 is five times +1. A byte times three does not fit a "
            "byte: what stands above the lowest 8 bits is the digit, and the digit is the trit + 1.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        every = (
            np.stack(np.meshgrid(*[[-1, 0, 1]] * 5, indexing="ij"), -1)
            .reshape(-1, 5)
            .astype(np.int8)
        )
        data, out = check.counted(
            tt.kernels.pack(every, bits=1.6).data[:, 0], np.zeros(5 * 243, np.int8)
        )
        unpack5(data, out)
        check.equal(np.asarray(out).reshape(-1, 5), every, "All 243 bytes.")
        ### END HIDDEN TESTS
    with check.part("unpack5, to par", points=1):
        data, out = check.counted(np.array([86, 255], np.uint8), np.zeros(10, np.int8))
        unpack5(data, out)
        check.equal(
            np.asarray(out), [0, -1, -1, -1, -1, 1, 1, 1, 1, 1], "The trits first, then par."
        )
        check.true(
            check.tally.divide == 0,
            f"Your code divided {check.tally.divide} times. A multiplication moves the digit to where "
            "a shift finds it.",
        )
        to_par(
            check, {"loads": 2, "stores": 10, "operations": 38}, {"loads": 2, "operations": 20},
            "For each trit: one multiplication, one shift, one subtraction, and one operation that "
            "keeps the rest. Is there anything to be kept after the last one?",
        )  # fmt: skip


# %% variant={"of": "8_2_unpack5", "wrong": "rounds down when packing", "says": "rounded up"}
def pack5(trits):
    q = 0
    for trit in trits:
        q = 3 * q + int(trit) + 1
    return 256 * q // 243


def unpack5(data, out):
    for b in range(len(data)):
        rest = data[b]
        for n in range(5):
            moved = 3 * rest
            out[5 * b + n] = (moved >> 8) - 1
            rest = moved & 255 if n < 4 else 0


# %% variant={"of": "8_2_unpack5", "wrong": "the first trit counts least", "says": "counts least"}
def pack5(trits):
    q = sum((int(t) + 1) * 3**n for n, t in enumerate(trits))
    return -(-256 * q // 243)


def unpack5(data, out):
    for b in range(len(data)):
        rest = data[b]
        for n in range(5):
            moved = 3 * rest
            out[5 * b + n] = (moved >> 8) - 1
            rest = moved & 255 if n < 4 else 0


# %% variant={"of": "8_2_unpack5", "wrong": "sums in int8, which wrap", "says": "more than an int8"}
def pack5(trits):
    q = np.int8(0)
    with np.errstate(all="ignore"):
        for trit in trits:
            q = np.int8((3 * int(q) + int(trit) + 1 + 128) % 256 - 128)
    return -(-256 * int(q) // 243)


def unpack5(data, out):
    for b in range(len(data)):
        rest = data[b]
        for n in range(5):
            moved = 3 * rest
            out[5 * b + n] = (moved >> 8) - 1
            rest = moved & 255 if n < 4 else 0


# %% variant={"of": "8_2_unpack5", "wrong": "divides by powers of three", "says": "divided"}
def pack5(trits):
    q = 0
    for trit in trits:
        q = 3 * q + int(trit) + 1
    return -(-256 * q // 243)


def unpack5(data, out):
    for b in range(len(data)):
        q = data[b] * 243 // 256
        for n in (4, 3, 2, 1, 0):
            q, digit = divmod(q, 3)
            out[5 * b + n] = digit - 1


# %% variant={"of": "8_2_unpack5", "wrong": "a mask after the last trit too", "says": "over par"}
def pack5(trits):
    q = 0
    for trit in trits:
        q = 3 * q + int(trit) + 1
    return -(-256 * q // 243)


def unpack5(data, out):
    for b in range(len(data)):
        rest = data[b]
        for n in range(5):
            rest = 3 * rest
            out[5 * b + n] = (rest >> 8) - 1
            rest = rest & 255


# %% variant={"of": "8_2_unpack5", "wrong": "forgets that a digit is the trit plus one", "says": "the trit + 1"}
def pack5(trits):
    q = 0
    for trit in trits:
        q = 3 * q + int(trit) + 1
    return -(-256 * q // 243)


def unpack5(data, out):
    for b in range(len(data)):
        rest = data[b]
        for n in range(5):
            moved = 3 * rest
            out[5 * b + n] = moved >> 8
            rest = moved & 255 if n < 4 else 0


# %% variant={"of": "8_2_unpack5", "wrong": "loads the byte again for each trit", "says": "loads"}
def pack5(trits):
    q = 0
    for trit in trits:
        q = 3 * q + int(trit) + 1
    return -(-256 * q // 243)


def unpack5(data, out):
    for b in range(len(data)):
        for n in range(5):
            out[5 * b + n] = ((((data[b] * 3**n) & 255) * 3) >> 8) - 1


# %% variant={"of": "8_2_unpack5", "right": "the rest by subtraction"}
def pack5(trits):
    q = int(np.dot(np.asarray(trits, int) + 1, [81, 27, 9, 3, 1]))
    return (256 * q + 242) // 243


def unpack5(data, out):
    for b in range(len(data)):
        rest = data[b]
        for n in range(4):
            rest = rest * 3
            digit = rest >> 8
            out[5 * b + n] = digit - 1
            rest = rest & 0xFF
        out[5 * b + 4] = ((rest * 3) >> 8) - 1


# %% variant={"of": "8_2_unpack5", "right": "one less before the shift"}
def pack5(trits):
    return int(np.ceil(sum((int(t) + 1) * 256 / 3 ** (n + 1) for n, t in enumerate(trits)) - 1e-9))


def unpack5(data, out):
    for b in range(len(data)):
        value = data[b]
        for n in range(5):
            value = value * 3
            out[5 * b + n] = (value - 256) >> 8
            if n != 4:
                value = value & 255


# %% [markdown] hints={"of": "8_2_unpack5"}
# 1. `pack5`: the whole number q is what you get by "times three, plus the next digit", five times. Rounding up a division of whole numbers: `-(-a // b)`.
# 2. `unpack5`: follow 86 by hand. 3 times 86 is 258. Which part of 258 is the digit, which part the rest? And three times the rest?
# 3. A shift by 8 gives what stands before the point; `& 255` keeps what stands behind it.

# %%
score(my.unpack5, np.array([0, 86, 171, 255], np.uint8), np.zeros(20, np.int8),
      loads=4, stores=20, operations=76)  # fmt: skip

# %% [markdown]
# **Predict, then run.** Why round *up*? Suppose that somebody rounds down when packing, $\lfloor 256 f \rfloor$, and leaves the rest as it is. Of the 243 patterns of five trits, how many come back wrong?

# %%
my_guess = None  # wrong patterns, of 243

every = np.stack(np.meshgrid(*[[-1, 0, 1]] * 5, indexing="ij"), -1).reshape(-1, 5).astype(np.int8)


def come_back(stored):
    """Trits that these bytes (243,) are decoded to, by numbers wide enough for three times a byte."""
    out = np.zeros(5 * len(stored), int)
    my.unpack5(np.array(stored), out)
    return out.reshape(-1, 5)


up = [int(my.pack5(trits)) for trits in every]
down = [256 * q // 243 for q in range(243)]
wrong = np.any(come_back(down) != every, axis=1)
assert np.array_equal(come_back(up), every)
check.predicted(my_guess, int(wrong.sum()), within=15,
                comment="A fraction that is a little too small has lost its last digit, and often all of them. "
                        "Rounded up, the error never reaches the next digit.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(9.5, 1.9))
lost = np.argmax(come_back(down) != every, axis=1)
for row, bad in enumerate((np.zeros(243, bool), wrong)):
    axes.bar(np.arange(243), 0.8, 1, bottom=1 - row, edgecolor="white", linewidth=0.3,
             color=np.where(bad, style.ACCENT, style.TERNARY))  # fmt: skip
axes.set(yticks=(1.4, 0.4), yticklabels=("rounded up", "rounded down"), xlim=(-1, 243),
         xlabel="pattern q of five trits", title="One rounding the other way, and the file is lost")  # fmt: skip
axes.spines["left"].set_visible(False)
axes.tick_params(left=False)
plt.show()

# %% [markdown]
# 1.6 bits a trit, within a hundredth of the best that is possible. Then why does the library compute with 2 bits and keep base 3 for files? Look at the score: 19 operations for five trits, one after the other, each waiting for the last. A 2-bit field is taken out by a mask, and all fields of a register at once. A kernel that unpacks base 3 as it goes was slower every time we tried, even with the weights in main memory. *Small* and *fast* are two different wishes. (They can be talked into a truce: unpack by a *table in a register*, section 4, and only once for many inputs. `five` on the ladder does that, and is nearly as fast as 2 bits from 64 inputs on; with one input it is not.)
#
# ## 3 · Sixty-four at a time
#
# Let both factors be trits, weights and inputs. There is another way to write them down: in **planes**. One plane of bits says which trits are *not zero*, the other which are *negative*. A machine word has 64 bits, so two words hold 64 trits.

# %% jupyter={"source_hidden": true}
rng = np.random.default_rng(11)
pair = rng.integers(-1, 2, (2, 16)).astype(np.int8)
rows = [
    ("w", pair[0]), ("w is not 0", pair[0] != 0), ("w is negative", pair[0] < 0),
    ("x", pair[1]), ("x is not 0", pair[1] != 0), ("x is negative", pair[1] < 0),
    ("w · x", pair[0] * pair[1]),
]  # fmt: skip
figure, axes = plt.subplots(figsize=(9, 3.3))
for (name, values), y in zip(rows, (0, -1, -2, -3.35, -4.35, -5.35, -6.7)):
    trit_row = values.dtype == np.int8
    for k, value in enumerate(values):
        color = style.TRIT_COLORS[int(value)] if trit_row else ("#475569" if value else "#eef0f3")
        axes.add_patch(plt.Rectangle((k, y), 0.92, 0.82, color=color, linewidth=0))
        text = f"{value:+d}" if trit_row and value else f"{int(value)}"
        axes.text(k + 0.46, y + 0.4, text, ha="center", va="center", fontsize=9,
                  color="white" if value else style.MUTED)  # fmt: skip
    axes.text(-0.25, y + 0.4, name, ha="right", va="center", fontsize=9.5)
axes.text(16.2, y + 0.4, f"sum {int((pair[0] * pair[1]).sum())}", va="center", fontsize=10.5)
axes.set(
    xlim=(-3.2, 18.2), ylim=(y - 0.25, 1.1), xticks=[], yticks=[], title="Sixteen trits in planes"
)
for spine in axes.spines.values():
    spine.set_visible(False)
plt.show()

# %% [markdown]
# A bitwise operation works on all 64 bits of a word at once, and so does `popcount(word)`, which counts the ones. Both are a single instruction on a processor, and a single operation on ours.
#
# ### Exercise 8.3: sixty-four at a time (3 points)
#
# Write `count_dot(w_nonzero, w_negative, x_nonzero, x_negative)`: the sum of $w_k x_k$ over all trits, from four arrays of $W$ words. `popcount` is there for you to call.
#
# **Par** for each word: 4 loads and **7 operations**, and 2 more operations at the end of it all. One product at a time would take more than a hundred. One point if the number is right, two for par.


# %% nbgrader={"grade": false, "grade_id": "8_3_count_dot", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    """Sum of products of two rows of trits, 64 to a word."""
    ### BEGIN SOLUTION
    count = against = 0
    for word in range(len(w_nonzero)):
        both = w_nonzero[word] & x_nonzero[word]
        unlike = w_negative[word] ^ x_negative[word]
        count += popcount(both)
        against += popcount(both & unlike)
    return count - 2 * against
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_3_count_dot_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.3")
def _(count_dot):
    def dot(w, x):
        return count_dot(*check.counted(*planes_of(np.array(w)), *planes_of(np.array(x))))

    with check.part("the sum", points=1):
        check.equal(
            dot([1, 1, 1, 0, 0], [1, 1, 0, 1, 0]), 2,
            "w = 1, 1, 1, 0, 0 and x = 1, 1, 0, 1, 0: a product counts where neither is 0.",
        )  # fmt: skip
        check.equal(
            dot([-1] * 3, [1, 1, 0]), -2,
            "w = -1, -1, -1 and x = 1, 1, 0: the products are -1, -1, 0. A product is negative where "
            "exactly one of the two is; a zero in x is no product, also where w is negative; and a "
            "-1 is one less than 0, but two less than a +1.",
        )  # fmt: skip
        check.equal(
            dot([1, -1, 1, -1], [1, 1, -1, -1]), 0,
            "w = 1, -1, 1, -1 and x = 1, 1, -1, -1: the products are 1, -1, -1, 1.",
        )  # fmt: skip
        check.equal(dot([-1] * 100, [-1] * 100), 100, "A hundred times -1 · -1: two words.")
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(83)
        for k in (1, 63, 64, 65, 128, 500):
            w, x = rng.integers(-1, 2, (2, k))
            check.equal(dot(w, x), int(w @ x), f"{k} random trits.")
        check.equal(
            dot([1] * 40_000, [-1] * 40_000), -40_000,
            "40 000 times 1 · -1: the counts of many words fit neither into a byte nor into two.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("to par", points=2):
        w, x = np.array([[1, -1, 0, -1, 1, 0, 1] * 27, [1, 1, -1, -1, 0, 1, -1] * 27])
        got = dot(w, x)
        check.equal(got, int(w @ x), "The sum first, then par.")
        to_par(
            check, {"loads": 12, "operations": 23}, {"loads": 12, "operations": 18},
            "For each of the three words: which bits count at all, which of them count as -1, two "
            "popcounts, two additions. The subtraction can wait until all words are through.",
        )  # fmt: skip


# %% variant={"of": "8_3_count_dot", "wrong": "forgets the zeros: XOR of the signs alone", "says": "neither is 0"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    total = 0
    for i in range(len(w_nonzero)):
        total += popcount(w_nonzero[i] | x_nonzero[i]) - 2 * popcount(w_negative[i] ^ x_negative[i])
    return total


# %% variant={"of": "8_3_count_dot", "wrong": "counts a negative product once", "says": "two less"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    count = against = 0
    for i in range(len(w_nonzero)):
        both = w_nonzero[i] & x_nonzero[i]
        count += popcount(both)
        against += popcount(both & (w_negative[i] ^ x_negative[i]))
    return count - against


# %% variant={"of": "8_3_count_dot", "wrong": "negative where both are", "says": "exactly one"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    count = against = 0
    for i in range(len(w_nonzero)):
        both = w_nonzero[i] & x_nonzero[i]
        count += popcount(both)
        against += popcount(both & w_negative[i] & x_negative[i])
    return count - 2 * against


# %% variant={"of": "8_3_count_dot", "wrong": "signs not masked by the zeros", "says": "a zero in x"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    count = against = 0
    for i in range(len(w_nonzero)):
        count += popcount(w_nonzero[i] & x_nonzero[i])
        against += popcount((w_negative[i] ^ x_negative[i]) & w_nonzero[i])
    return count - 2 * against


# %% variant={"of": "8_3_count_dot", "wrong": "four products of planes: over par", "says": "over par"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    total = 0
    for i in range(len(w_nonzero)):
        wn, w, xn, x = w_negative[i], w_nonzero[i], x_negative[i], x_nonzero[i]
        wp, xp = w ^ wn, x ^ xn
        total += popcount(wp & xp) + popcount(wn & xn) - popcount(wp & xn) - popcount(wn & xp)
    return total


# %% variant={"of": "8_3_count_dot", "wrong": "counts bits where nobody sees it", "says": "does not see"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    count = against = 0
    for i in range(len(w_nonzero)):
        both = int(w_nonzero[i]) & int(x_nonzero[i])
        count += both.bit_count()
        against += (both & (int(w_negative[i]) ^ int(x_negative[i]))).bit_count()
    return count - 2 * against


# %% variant={"of": "8_3_count_dot", "wrong": "the first word only", "says": "two words"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    both = w_nonzero[0] & x_nonzero[0]
    return popcount(both) - 2 * popcount(both & (w_negative[0] ^ x_negative[0]))


# %% variant={"of": "8_3_count_dot", "wrong": "subtracts in every word", "says": "can wait"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    total = 0
    for i in range(len(w_nonzero)):
        both = w_nonzero[i] & x_nonzero[i]
        total += popcount(both) - 2 * popcount(both & (w_negative[i] ^ x_negative[i]))
    return total


# %% variant={"of": "8_3_count_dot", "right": "those for and those against"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    plus = minus = 0
    for i in range(len(w_nonzero)):
        both = w_nonzero[i] & x_nonzero[i]
        unlike = both & (w_negative[i] ^ x_negative[i])
        plus += popcount(both)
        minus += popcount(unlike)
    return plus - minus - minus


# %% variant={"of": "8_3_count_dot", "right": "a shift for the two, and zip"}
def count_dot(w_nonzero, w_negative, x_nonzero, x_negative):
    alive = odd = 0
    for a, s, b, r in zip(w_nonzero, w_negative, x_nonzero, x_negative):
        a = a & b
        alive = alive + popcount(a)
        odd = odd + popcount((s ^ r) & a)
    return alive - (odd << 1)


# %% [markdown] hints={"of": "8_3_count_dot"}
# 1. Look at the figure's last row. Which bitwise operation of two planes gives the places where the product is not 0?
# 2. And which gives the places where the signs differ? Not all of those count: only where there is a product at all.
# 3. If n products are not 0, and m of these are -1, what is their sum?

# %%
w_row, x_row = np.random.default_rng(3).integers(-1, 2, (2, 256))
score(my.count_dot, *planes_of(w_row), *planes_of(x_row), loads=16, operations=30)

# %% [markdown]
# Thirty operations for 256 products: not quite one operation for eight of them. With 512-bit registers, eight words at a time, this is rung 14 of the library's ladder, the topmost that a processor climbs. The price is paid elsewhere: the *inputs* have to be ternary too, and whether a network bears that is a question of accuracy.
#
# With int8 inputs, an input has eight planes of its own, one for each bit, and there are eight times as many counts to take:

# %% jupyter={"source_hidden": true}
per_word = {
    "one at a time:\nmultiply, add": 2.0,
    "int8 × trit, in planes": 8 * 6 / 64,
    "trit × trit, in planes": 7 / 64,
}
figure, axes = plt.subplots(figsize=(8.5, 2.2))
axes.barh(
    list(per_word),
    list(per_word.values()),
    height=0.6,
    color=[style.FLOAT, "#7fbcbd", style.TERNARY],
)
for place, value in enumerate(per_word.values()):
    axes.text(value + 0.03, place, f"{value:.2g}", va="center", fontsize=9.5)
axes.invert_yaxis()
axes.set(
    xlim=(0, 2.3),
    xlabel="operations for each product",
    title="Planes pay where both sides are trits",
)
plt.show()

# %% [markdown]
# ## 4 · Let a table add
#
# Back to int8 inputs. A layer has many outputs, and all of them see the *same* inputs. Take three of these, $a, b, c$. Whatever the weights are, three trits can make only 27 sums of them: $-a-b-c$, $\;0-b-c$, $\;a-b-c$, and so on to $a+b+c$. So compute all 27 once, keep them in a **table**, and let every output look its sum up. That idea is called *T-MAC*.
#
# The table has an order, so that an index can be made from the trits:
#
# $$
# T[\,(t_0 + 1) + 3\,(t_1 + 1) + 9\,(t_2 + 1)\,] = t_0\, a + t_1\, b + t_2\, c .
# $$

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(10.5, 2.7))
for index in range(27):
    t = (index % 3 - 1, index // 3 % 3 - 1, index // 9 - 1)
    for level, trit in enumerate(t):
        axes.add_patch(plt.Rectangle((index + 0.02, 2.1 - 0.75 * level), 0.96, 0.7, linewidth=0,
                                     color=style.TRIT_COLORS[trit]))  # fmt: skip
        axes.text(index + 0.5, 2.45 - 0.75 * level, "−0+"[trit + 1], ha="center", va="center",
                  color="white" if trit else style.INK, fontsize=10)  # fmt: skip
    axes.text(
        index + 0.5, 0.32, str(index), ha="center", va="center", fontsize=8.5, color=style.MUTED
    )
for level, name in enumerate(("$t_0$, with a", "$t_1$, with b", "$t_2$, with c", "index")):
    axes.text(
        -0.3,
        2.45 - 0.75 * level if level < 3 else 0.32,
        name,
        ha="right",
        va="center",
        fontsize=9.5,
    )
axes.set(xlim=(-3.8, 27.1), ylim=(0, 3), xticks=[], yticks=[], title="27 sums of three numbers")
for spine in axes.spines.values():
    spine.set_visible(False)
plt.show()

# %% [markdown]
# ### Exercise 8.4: let a table add (3 points)
#
# Write `table_of(x)`: the list of 27 sums for three inputs `x`, in the order above. **Par**: 3 loads and **26 operations**, about one an entry. Computed each for itself they take more than twice as many. (26 can be beaten.)
#
# And write `look_up(tables, indices)`: one output. `tables` has a row of 27 entries for each group of three inputs, `indices` one index for each group; return the sum. **Par** for $G$ groups: $2G$ loads, $G$ operations.


# %% nbgrader={"grade": false, "grade_id": "8_4_table_of", "locked": false, "schema_version": 3, "solution": true, "task": false}
def table_of(x):
    """All sums t0 x[0] + t1 x[1] + t2 x[2], as a list of 27."""
    ### BEGIN SOLUTION
    table = [0]
    for i in range(3):
        value = x[i]
        less = [entry - value for entry in table]
        more = [entry + value for entry in table]
        table = less + table + more
    return table
    ### END SOLUTION


def look_up(tables, indices):
    """Sum of one entry of each table."""
    ### BEGIN SOLUTION
    total = 0
    for group in range(len(indices)):
        total += tables[group, indices[group]]
    return total
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_4_table_of_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.4")
def _(table_of, look_up):
    with check.part("the table", points=1):
        got = table_of(check.counted(np.array([1, 10, 100])))
        check.true(
            got is not None and len(got) == 27, "A list of 27 sums: three trits have 27 patterns."
        )
        check.equal(
            got[:6], [-111, -110, -109, -101, -100, -99],
            "x = 1, 10, 100. The table begins with -1-10-100, and the trit of the first input changes "
            "fastest.",
        )  # fmt: skip
        check.equal(
            got,
            [a + b + c for c in (-100, 0, 100) for b in (-10, 0, 10) for a in (-1, 0, 1)],
            "x = 1, 10, 100: all 27. The one in the middle is 0, and the second half is the first with "
            "the other sign, backwards.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(84)
        a, b, c = rng.integers(-127, 128, 3)
        check.equal(
            table_of(np.array([a, b, c], int)),
            [i * a + j * b + k * c for k in (-1, 0, 1) for j in (-1, 0, 1) for i in (-1, 0, 1)],
            "Three random inputs.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("the table, to par", points=1):
        got = table_of(check.counted(np.array([1, 10, 100])))
        check.equal(got[:3], [-111, -110, -109], "The table first, then par.")
        to_par(
            check, {"loads": 3, "operations": 26}, {"loads": 3, "operations": 22},
            "No entry needs more than one operation: each is another entry with one input more, or "
            "one less. Where can you start, and which input comes next?",
        )  # fmt: skip
    with check.part("looking up", points=1):
        tables = np.arange(81).reshape(3, 27) ** 2
        counted_tables, indices = check.counted(tables, np.array([26, 0, 5]))
        check.equal(
            look_up(counted_tables, indices), 26**2 + 27**2 + 59**2,
            "Three groups with indices 26, 0, 5: the last entry of table 0, the first of table 1, and "
            "entry 5 of table 2.",
        )  # fmt: skip
        to_par(
            check, {"loads": 6, "operations": 3}, {"loads": 6, "operations": 2},
            "For each group one index is loaded, then one entry, and that is added to a variable. "
            "(A row of a table, `tables[g]`, is 27 loads; an entry, `tables[g, i]`, is one.)",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(85)
        tables, indices = rng.integers(-300, 300, (50, 27)), rng.integers(0, 27, 50)
        check.equal(look_up(tables, indices), tables[np.arange(50), indices].sum(), "50 groups.")
        ### END HIDDEN TESTS


# %% variant={"of": "8_4_table_of", "wrong": "each sum for itself", "says": "over par"}
def table_of(x):
    a, b, c = x[0], x[1], x[2]
    return [i * a + j * b + k * c for k in (-1, 0, 1) for j in (-1, 0, 1) for i in (-1, 0, 1)]


def look_up(tables, indices):
    return sum(tables[g, indices[g]] for g in range(len(indices)))


# %% variant={"of": "8_4_table_of", "wrong": "the last input changes fastest", "says": "changes"}
def table_of(x):
    table = [0]
    for i in (2, 1, 0):
        value = x[i]
        table = [t - value for t in table] + table + [t + value for t in table]
    return table


def look_up(tables, indices):
    return sum(tables[g, indices[g]] for g in range(len(indices)))


# %% variant={"of": "8_4_table_of", "wrong": "loads the input for every entry", "says": "loads"}
def table_of(x):
    table = [0]
    for i in range(3):
        table = [t - x[i] for t in table] + table + [t + x[i] for t in table]
    return table


def look_up(tables, indices):
    return sum(tables[g, indices[g]] for g in range(len(indices)))


# %% variant={"of": "8_4_table_of", "wrong": "only patterns without a zero: 8 sums", "says": "27 patterns"}
def table_of(x):
    table = [0]
    for i in range(3):
        value = x[i]
        table = [t - value for t in table] + [t + value for t in table]
    return table


def look_up(tables, indices):
    return sum(tables[g, indices[g]] for g in range(len(indices)))


# %% variant={"of": "8_4_table_of", "wrong": "with NumPy, out of the machine's sight", "says": "does not see"}
def table_of(x):
    a, b, c = (int(x[i]) * np.array([-1, 0, 1]) for i in range(3))
    return (c[:, None, None] + b[:, None] + a).ravel().tolist()


def look_up(tables, indices):
    return sum(tables[g, indices[g]] for g in range(len(indices)))


# %% variant={"of": "8_4_table_of", "wrong": "looks everything up in the first table", "says": "table 1"}
def table_of(x):
    table = [0]
    for i in range(3):
        value = x[i]
        table = [t - value for t in table] + table + [t + value for t in table]
    return table


def look_up(tables, indices):
    return sum(tables[0, indices[g]] for g in range(len(indices)))


# %% variant={"of": "8_4_table_of", "right": "23 operations: zero is not added to"}
def table_of(x):
    a, b, c = x[0], x[1], x[2]
    three = [-a, 0, a]
    nine = [-a - b, -b, a - b, *three, b - a, b, a + b]
    low = [t - c if t is not three[1] else -c for t in nine]
    high = [t + c if t is not three[1] else c for t in nine]
    return low + nine + high


def look_up(tables, indices):
    total = tables[0, indices[0]]
    for g in range(1, len(indices)):
        total = total + tables[g, indices[g]]
    return total


# %% variant={"of": "8_4_table_of", "right": "half of it by the other sign"}
def table_of(x):
    a, b, c = x
    both, apart = a + b, b - a
    nine = [-both, -b, -apart, -a, 0, a, apart, b, both]
    high = [entry + c for entry in nine]
    return [-entry for entry in reversed(high)] + nine + high


def look_up(tables, indices):
    total = 0
    for g, i in enumerate(indices):
        total = total + tables[g, i]
    return total


# %% [markdown] hints={"of": "8_4_table_of"}
# 1. Start small. For one input the table is -a, 0, a. How do you get the table for two inputs from it, with one operation for each new entry?
# 2. With the second input: the old table less b, the old table, the old table plus b. And with the third?
# 3. Load each input into a variable once. Under par: to add something to 0, you need not add.

# %%
score(my.table_of, np.array([3, -20, 100]), loads=3, operations=26)
score(my.look_up, np.arange(27 * 8).reshape(8, 27), np.arange(8) * 3, loads=16, operations=8)

# %% [markdown]
# One addition now does the work of three. With groups of $g$ trits, one would do the work of $g$; but a table has $3^g$ entries, and somebody has to fill it. For a layer with $N$ outputs, each weight costs
#
# $$
# \frac{1}{g}\Big(1 + \frac{3^g - 1}{N}\Big) \quad\text{additions.}
# $$
#
# **Predict, then run.** Adding, subtracting and skipping (a third are zeros) takes 0.67 additions for each weight. How few are possible with tables, for a layer of 768 outputs and the best $g$?

# %%
my_guess = None  # additions for each weight


def additions(group, outputs):
    """Additions for each weight with tables for groups of trits."""
    return (1 + (3**group - 1) / outputs) / group


groups = np.arange(1, 9)
best_group = int(groups[np.argmin(additions(groups, 768))])
check.predicted(my_guess, additions(best_group, 768), within=0.05,
                comment=f"With groups of {best_group} trits, in tables of {3**best_group} entries.")  # fmt: skip


# %% jupyter={"source_hidden": true}
def draw_groups(axes, outputs):
    costs = additions(groups, outputs)
    least = int(np.argmin(costs))
    axes.bar(groups, 1 / groups, color=style.TERNARY, label="looking up")
    axes.bar(groups, costs - 1 / groups, bottom=1 / groups, color="#b7dadb", label="filling tables")
    axes.axhline(2 / 3, color=style.FLOAT, linestyle="--", linewidth=1.1)
    axes.annotate(f"{costs[least]:.2f}", (groups[least], costs[least]), (0, 4),
                  textcoords="offset points", ha="center", fontsize=9.5)  # fmt: skip
    axes.set(ylim=(0, 1.5), xticks=groups, xlabel="trits in a group g", title=f"{outputs} outputs")


figure, stills = plt.subplots(1, 3, figsize=(11, 2.9), sharey=True)
for still, outputs in zip(stills, (64, 768, 8192)):
    draw_groups(still, outputs)
stills[0].set_ylabel("additions for each weight")
stills[2].text(8.5, 0.69, "add, subtract, skip", fontsize=8.5, color=style.FLOAT, ha="right")
stills[2].legend(fontsize=9, loc="upper right")
plt.show()


def move_outputs(log2_outputs=9):
    _, axes = plt.subplots(figsize=(5.5, 3))
    draw_groups(axes, 2**log2_outputs)
    plt.show()


course.slider(move_outputs, log2_outputs=(4, 14, 1))

# %% [markdown]
# On paper that is a triumph. On a processor a table in memory is looked up one load at a time, and each load has to wait for its index: rung 3 of the ladder does this, and you will see how it fares. Tables win where they fit *into a register*, sixteen entries of a byte each, and one instruction looks up 64 of them: rung 13.
#
# Additions, then, are not what we should have counted. Loads are.
#
# ## 5 · A tile of registers
#
# The product $Y = X W^\top$ of $X$ $(M, K)$ and $W$ $(N, K)$ takes $M N K$ multiply-accumulates (MACs). The plain triple loop loads two numbers for each: an input and a weight. Yet there are only $M K$ inputs and $N K$ weights; each is loaded over and over.
#
# The cure is the most important trick in this trade. Compute a small rectangle of outputs *at the same time*, `rows` × `columns` of them, with all their sums in registers. For each $k$ load `rows` inputs and `columns` weights, and let every input meet every weight:

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(9, 3.7))
m, n, depth, r, c, at = 6, 9, 8, 2, 3, 4
blocks = {"X": (0, 0, m, depth), "W": (depth + 2, m + 1.4, depth, n), "Y": (depth + 2, 0, m, n)}
for name, (left, bottom, height, width) in blocks.items():
    for i in range(height):
        for j in range(width):
            color = "#eef0f3"
            in_rows, in_columns = 2 <= i < 2 + r, 3 <= j < 3 + c
            if name == "X" and in_rows:
                color = style.FLOAT if j == at else "#cbd5e1"
            if name == "W" and in_columns:
                color = style.TERNARY if i == at else "#b7dadb"
            if name == "Y" and in_rows and in_columns:
                color = style.ACCENT
            y0 = bottom + height - 1 - i
            axes.add_patch(plt.Rectangle((left + j, y0), 0.92, 0.92, color=color, linewidth=0))
axes.text(-0.4, m / 2, "X", ha="right", va="center", fontsize=13)
axes.text(
    depth + 1.6,
    m + 1.4 + depth / 2,
    "W (one column for each output)",
    ha="right",
    va="center",
    fontsize=10.5,
)
axes.text(
    depth + n + 2.4,
    m / 2,
    "Y: 2 × 3 sums\nin registers",
    va="center",
    fontsize=10.5,
    color=style.ACCENT,
)
axes.text(at + 0.46, -0.35, "k", ha="center", va="top", fontsize=11)
axes.text(depth + n + 2.4, m + 1.4 + depth - 1 - at + 0.45, "k", va="center", fontsize=11)
axes.set(xlim=(-1.2, depth + n + 7.5), ylim=(-1.4, m + depth + 1.8), xticks=[], yticks=[], aspect="equal",
         title="Five loads, six MACs")  # fmt: skip
for spine in axes.spines.values():
    spine.set_visible(False)
plt.show()

# %% [markdown]
# ### Exercise 8.5: a tile of registers (3 points)
#
# Write `tiled(x, w, out, rows, columns)` for the machine: fill `out` $(M, N)$ with the product of `x` $(M, K)$ and `w` $(N, K)$, tile by tile. $M$ is a multiple of `rows`, $N$ of `columns`.
#
# The machine has registers for one tile: `rows · columns` sums, `rows` inputs, `columns` weights, and no more. Multiplication is allowed here. **Par**, exactly:
#
# $$
# \text{loads} = M N K \Big(\frac{1}{\text{rows}} + \frac{1}{\text{columns}}\Big), \qquad \text{stores} = M N .
# $$


# %% nbgrader={"grade": false, "grade_id": "8_5_tiled", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tiled(x, w, out, rows, columns):
    """Fill out (M, N) with x (M, K) times w (N, K) transposed, in tiles of rows x columns."""
    ### BEGIN SOLUTION
    for top in range(0, out.shape[0], rows):
        for left in range(0, out.shape[1], columns):
            sums = {(r, c): 0 for r in range(rows) for c in range(columns)}
            for k in range(x.shape[1]):
                inputs = [x[top + r, k] for r in range(rows)]
                weights = [w[left + c, k] for c in range(columns)]
                for r, c in sums:
                    sums[r, c] += inputs[r] * weights[c]
            for r, c in sums:
                out[top + r, left + c] = sums[r, c]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_5_tiled_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.5", mutates=True)
def _(tiled):
    rng = np.random.default_rng(86)

    class Loads(Tally):
        """How many numbers were loaded in a row, at most, before one of them was used."""

        in_a_row = most_in_a_row = 0

        def count(self, kind, times=1):
            super().count(kind, times)
            self.in_a_row = self.in_a_row + times if kind == "load" else 0
            self.most_in_a_row = max(self.most_in_a_row, self.in_a_row)

    def product(m, k, n, rows, columns):
        x, w = rng.integers(-9, 10, (m, k)), rng.integers(-1, 2, (n, k))
        machine = check.counted(x, w, np.full((m, n), 77))
        check.tally.__class__ = Loads  # the tally at hand, which from now on minds the order, too
        try:
            tiled(*machine, rows, columns)
        except IndexError:
            check.fail(
                f"X is {m} x {k}, W is {n} x {k}, tiles of {rows} x {columns}: your code reaches past "
                "the end of an array. `rows` counts rows of X and of Y, `columns` counts rows of W, "
                "which are columns of Y."
            )
        return np.asarray(machine[2]), x @ w.T

    with check.part("the product", points=1):
        for m, k, n, rows, columns in (
            (2, 3, 2, 1, 1),
            (2, 3, 3, 2, 3),
            (4, 5, 6, 2, 3),
            (6, 4, 2, 3, 1),
        ):
            got, want = product(m, k, n, rows, columns)
            check.equal(
                got, want,
                f"X is {m} x {k}, W is {n} x {k}, tiles of {rows} x {columns}. Does every tile start "
                "its sums at 0, and is every tile of Y written where it belongs?",
            )  # fmt: skip
    for name, (m, k, n, rows, columns) in {
        "loads to par": (4, 5, 6, 2, 3), "loads to par, other shapes": (6, 4, 8, 3, 2),
    }.items():  # fmt: skip
        with check.part(name, points=1):
            got, want = product(m, k, n, rows, columns)
            check.equal(got, want, "The product first, then par.")
            loads = m * n * k // rows + m * n * k // columns
            check.true(
                check.tally.load >= loads,
                f"loads {check.tally.load} (par {loads}). That is fewer than a tile of {rows} x "
                f"{columns} can do with: you keep more than {rows} inputs and {columns} weights at a "
                "time, and the machine has no registers for them (or hide loads from it).",
            )
            to_par(
                check, {"loads": loads, "stores": m * n}, {"loads": loads, "operations": 2 * m * n * k - m * n},
                f"X is {m} x {k}, W is {n} x {k}, tiles of {rows} x {columns}: for each k, {rows} "
                f"inputs and {columns} weights are loaded once each, and every sum stays in a "
                "variable until its tile is done. (`out[i, j] += v` loads and stores each time.)",
            )  # fmt: skip
            check.true(
                check.tally.most_in_a_row <= rows + columns,
                f"Tiles of {rows} x {columns}: your code loads {check.tally.most_in_a_row} numbers "
                f"before it uses one, and there are registers for {rows} inputs and {columns} "
                "weights. Which loop has to be the outer one, that over k or those over the tile?",
            )
            ### BEGIN HIDDEN TESTS
            got, want = product(6, 3, 12, rows * 2 if rows == 3 else rows, columns * 2)
            check.equal(got, want, "Larger tiles.")
            ### END HIDDEN TESTS


# %% variant={"of": "8_5_tiled", "wrong": "no tile at all: two loads for each MAC", "says": "over par"}
def tiled(x, w, out, rows, columns):
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total = 0
            for k in range(x.shape[1]):
                total += x[i, k] * w[j, k]
            out[i, j] = total


# %% variant={"of": "8_5_tiled", "wrong": "sums in memory", "says": "loads and stores each time"}
def tiled(x, w, out, rows, columns):
    for top in range(0, out.shape[0], rows):
        for left in range(0, out.shape[1], columns):
            for r in range(rows):
                for c in range(columns):
                    out[top + r, left + c] = 0
            for k in range(x.shape[1]):
                xs = [x[top + r, k] for r in range(rows)]
                ws = [w[left + c, k] for c in range(columns)]
                for r in range(rows):
                    for c in range(columns):
                        out[top + r, left + c] += xs[r] * ws[c]


# %% variant={"of": "8_5_tiled", "wrong": "weights loaded again for each row", "says": "over par"}
def tiled(x, w, out, rows, columns):
    for top in range(0, out.shape[0], rows):
        for left in range(0, out.shape[1], columns):
            sums = [[0] * columns for _ in range(rows)]
            for k in range(x.shape[1]):
                for r in range(rows):
                    value = x[top + r, k]
                    for c in range(columns):
                        sums[r][c] += value * w[left + c, k]
            for r in range(rows):
                for c in range(columns):
                    out[top + r, left + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "wrong": "keeps whole rows of inputs: more registers than there are", "says": "no registers"}
def tiled(x, w, out, rows, columns):
    depth = x.shape[1]
    for top in range(0, out.shape[0], rows):
        xs = [[x[top + r, k] for k in range(depth)] for r in range(rows)]
        for left in range(0, out.shape[1], columns):
            sums = [[0] * columns for _ in range(rows)]
            for k in range(depth):
                for c in range(columns):
                    weight = w[left + c, k]
                    for r in range(rows):
                        sums[r][c] += xs[r][k] * weight
            for r in range(rows):
                for c in range(columns):
                    out[top + r, left + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "wrong": "sums not set back between tiles", "says": "start its sums at 0"}
def tiled(x, w, out, rows, columns):
    sums = [[0] * columns for _ in range(rows)]
    for top in range(0, out.shape[0], rows):
        for left in range(0, out.shape[1], columns):
            for k in range(x.shape[1]):
                xs = [x[top + r, k] for r in range(rows)]
                ws = [w[left + c, k] for c in range(columns)]
                for r in range(rows):
                    for c in range(columns):
                        sums[r][c] += xs[r] * ws[c]
            for r in range(rows):
                for c in range(columns):
                    out[top + r, left + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "wrong": "rows that share one list of sums"}
def tiled(x, w, out, rows, columns):
    for top in range(0, out.shape[0], rows):
        for left in range(0, out.shape[1], columns):
            sums = [[0] * columns] * rows
            for k in range(x.shape[1]):
                xs = [x[top + r, k] for r in range(rows)]
                ws = [w[left + c, k] for c in range(columns)]
                for r in range(rows):
                    for c in range(columns):
                        sums[r][c] += xs[r] * ws[c]
            for r in range(rows):
                for c in range(columns):
                    out[top + r, left + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "wrong": "a product of whole arrays", "says": "hide loads"}
def tiled(x, w, out, rows, columns):
    out[...] = np.asarray(x).view(np.ndarray) @ np.asarray(w).view(np.ndarray).T


# %% variant={"of": "8_5_tiled", "wrong": "rows and columns exchanged", "says": "which are columns of Y"}
def tiled(x, w, out, rows, columns):
    for top in range(0, out.shape[0], columns):
        for left in range(0, out.shape[1], rows):
            sums = [[0] * rows for _ in range(columns)]
            for k in range(x.shape[1]):
                xs = [x[top + r, k] for r in range(columns)]
                ws = [w[left + c, k] for c in range(rows)]
                for r in range(columns):
                    for c in range(rows):
                        sums[r][c] += xs[r] * ws[c]
            for r in range(columns):
                for c in range(rows):
                    out[top + r, left + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "right": "slices, and an outer product"}
def tiled(x, w, out, rows, columns):
    for top in range(0, out.shape[0], rows):
        for left in range(0, out.shape[1], columns):
            sums = 0
            for k in range(x.shape[1]):
                some = x[top : top + rows, k]
                sums = sums + np.multiply.outer(some, w[left : left + columns, k])
            out[top : top + rows, left : left + columns] = sums


# %% variant={"of": "8_5_tiled", "right": "one weight at a time"}
def tiled(x, w, out, rows, columns):
    for top in range(0, out.shape[0], rows):
        for left in range(0, out.shape[1], columns):
            sums = [[0] * columns for _ in range(rows)]
            for k in range(x.shape[1]):
                xs = [x[top + r, k] for r in range(rows)]
                for c in range(columns):
                    weight = w[left + c, k]
                    for r in range(rows):
                        sums[r][c] = sums[r][c] + weight * xs[r]
            for r in range(rows):
                for c in range(columns):
                    out[top + r, left + c] = sums[r][c]


# %% variant={"of": "8_5_tiled", "right": "columns outside, and a flat list of sums"}
def tiled(x, w, out, rows, columns):
    for left in range(0, w.shape[0], columns):
        for top in range(0, x.shape[0], rows):
            sums = [0] * (rows * columns)
            for k in range(w.shape[1]):
                ws = [w[left + c, k] for c in range(columns)]
                for r in range(rows):
                    value = x[top + r, k]
                    for c in range(columns):
                        sums[r * columns + c] += value * ws[c]
            for place, total in enumerate(sums):
                out[top + place // columns, left + place % columns] = total


# %% [markdown] hints={"of": "8_5_tiled"}
# 1. Five loops: over tiles of rows, over tiles of columns, over k, and over the rows and columns of one tile. In which of these is an input loaded, in which a weight?
# 2. The loop over k stands *outside* the two inner ones. Before these two begin, everything that they need from memory is in variables.
# 3. Sums start at 0 for each tile, before the loop over k, and are stored after it, once.

# %%
big_x, big_w = (
    np.random.default_rng(5).integers(-9, 10, (12, 10)),
    np.random.default_rng(6).integers(-1, 2, (12, 10)),
)
for rows, columns in ((1, 1), (2, 2), (3, 4), (6, 6)):
    loads = 12 * 12 * 10 * (rows + columns) // (rows * columns)
    print(f"{rows} x {columns}", end="   ")
    score(my.tiled, big_x, big_w, np.zeros((12, 12), int), rows, columns, loads=loads, stores=144)

# %% [markdown]
# From 2 loads a MAC to a third of one, and nothing else has changed: the same multiplications, the same sums. But registers are few. AVX-512 has 32, AVX2 has 16, and what does not fit is *spilled* to memory, behind your back, where it costs loads and stores again.
#
# ### Exercise 8.6: the best tile (2 points)
#
# Write `best_tile(registers)`: the shape `(rows, columns)` with the fewest loads for each MAC whose sums, inputs and weights fit: `rows · columns + rows + columns <= registers`. Where several are equally good, any will do. `registers` is at least 3.


# %% nbgrader={"grade": false, "grade_id": "8_6_best_tile", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_tile(registers):
    """(rows, columns) with the least 1 / rows + 1 / columns that fits into the registers."""
    ### BEGIN SOLUTION
    sizes = range(1, registers)
    shapes = [(r, c) for r in sizes for c in sizes if r * c + r + c <= registers]
    return min(shapes, key=lambda shape: 1 / shape[0] + 1 / shape[1])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_6_best_tile_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.6")
def _(best_tile):
    def ask(registers, loads):
        rows, columns = best_tile(registers)
        check.true(
            rows * columns + rows + columns <= registers,
            f"With {registers} registers you chose {rows} x {columns}, which takes "
            f"{rows * columns + rows + columns}: the sums, and the inputs and weights that meet.",
        )
        check.close(
            1 / rows + 1 / columns, loads,
            f"With {registers} registers you chose {rows} x {columns}: loads for each MAC, against "
            "the best there are. Long and thin saves little; do you try every shape?",
        )  # fmt: skip

    ask(3, 2.0)
    ask(8, 1.0)
    ask(16, 2 / 3)
    ask(11, 1 / 2 + 1 / 3)
    ### BEGIN HIDDEN TESTS
    ask(5, 1.5)
    ask(24, 0.5)
    ask(32, 1 / 4 + 1 / 5)
    ask(23, 1 / 3 + 1 / 5)
    ask(63, 2 / 7)
    ask(64, 2 / 7)
    ask(128, min(1 / r + 1 / c for r in range(1, 64) for c in range(1, 64) if r * c + r + c <= 128))
    ### END HIDDEN TESTS


# %% variant={"of": "8_6_best_tile", "wrong": "counts the sums only", "says": "the inputs and weights"}
def best_tile(registers):
    sizes = range(1, registers + 1)
    shapes = [(r, c) for r in sizes for c in sizes if r * c <= registers]
    return min(shapes, key=lambda s: 1 / s[0] + 1 / s[1])


# %% variant={"of": "8_6_best_tile", "wrong": "square tiles only", "says": "every shape"}
def best_tile(registers):
    side = 1
    while (side + 1) ** 2 + 2 * (side + 1) <= registers:
        side += 1
    return side, side


# %% variant={"of": "8_6_best_tile", "wrong": "the most sums, however thin", "says": "Long and thin"}
def best_tile(registers):
    sizes = range(1, registers)
    shapes = [(r, c) for r in sizes for c in sizes if r * c + r + c <= registers]
    return max(shapes, key=lambda s: (s[0] * s[1] + s[0] + s[1], -s[0]))


# %% variant={"of": "8_6_best_tile", "wrong": "one register is left over", "says": "the best there are"}
def best_tile(registers):
    sizes = range(1, registers)
    shapes = [(r, c) for r in sizes for c in sizes if r * c + r + c < registers]
    return min(shapes, key=lambda s: 1 / s[0] + 1 / s[1], default=(1, 1))


# %% variant={"of": "8_6_best_tile", "wrong": "a single row"}
def best_tile(registers):
    return 1, (registers - 1) // 2


# %% variant={"of": "8_6_best_tile", "right": "columns follow from rows"}
def best_tile(registers):
    best = (1, 1)
    for rows in range(1, registers):
        columns = (registers - rows) // (rows + 1)
        if columns >= 1 and rows * columns * sum(best) > best[0] * best[1] * (rows + columns):
            best = (rows, columns)
    return best


# %% variant={"of": "8_6_best_tile", "right": "most MACs for each load"}
def best_tile(registers):
    found = {}
    for r in range(1, registers):
        for c in range(r, registers):
            if (r + 1) * (c + 1) <= registers + 1:
                found[r * c / (r + c)] = (r, c)
    return found[max(found)]


# %% [markdown] hints={"of": "8_6_best_tile"}
# 1. There are few shapes: two loops try them all.
# 2. Loads for each MAC are 1/rows + 1/columns, as in the par of 8.5. Keep the shape with the least.


# %% jupyter={"source_hidden": true}
def draw_tiles(axes, registers, top=9):
    sides = np.arange(1, top + 1)
    loads = np.add.outer(1 / sides, 1 / sides)
    fits = sides[:, None] * sides + sides[:, None] + sides <= registers
    shown = plt.matplotlib.colors.LinearSegmentedColormap.from_list("loads", ["#0f8b8d", "#e2f0f0"])
    axes.imshow(np.where(fits, loads, np.nan), origin="lower", cmap=shown, vmin=0.2, vmax=2,
                extent=(0.5, top + 0.5, 0.5, top + 0.5))  # fmt: skip
    for r in sides:
        for c in sides:
            if fits[r - 1, c - 1]:
                axes.text(c, r, f"{loads[r - 1, c - 1]:.2f}", ha="center", va="center", fontsize=7)
    rows, columns = my.best_tile(registers)
    axes.add_patch(
        plt.Rectangle(
            (columns - 0.5, rows - 0.5), 1, 1, fill=False, edgecolor=style.ACCENT, linewidth=2.2
        )
    )
    axes.set(
        xlabel="columns",
        xticks=sides,
        yticks=sides,
        title=f"{registers} registers: {rows} × {columns}",
    )


figure, stills = plt.subplots(1, 3, figsize=(10.5, 3.7), sharey=True)
for still, registers in zip(stills, (8, 16, 32)):
    draw_tiles(still, registers)
stills[0].set_ylabel("rows")
figure.suptitle("Loads for each MAC of the tiles that fit", fontsize=10, color=style.MUTED)
plt.show()


def move_registers(registers=32):
    _, axes = plt.subplots(figsize=(4.2, 4.2))
    draw_tiles(axes, registers)
    plt.show()


course.slider(move_registers, registers=(3, 99, 1))

# %% [markdown]
# The best tile is as square as it can be, and grows only with the *root* of the registers. Our kernels for AVX-512 take 4 × 4: sixteen sums, four vectors of weights, and the rest for shifted codes and inputs. In a first version we were greedier, with 24 sums. The compiler ran out of registers, and the kernel collapsed.

# %% [markdown]
# ## 6 · A clock that tells the truth
#
# From here on we measure. So first a piece from the **bug museum**, out of its room, since everything after it depends on it.
#
# ### Exhibit: the twins
#
# A colleague compares programs with this function. To try it out, they gave it the *same* program twice, under two names.


# %% tags=["exhibit"]
def hasty_times(programs, rounds, clock):
    """Seconds for a call of each program: {name: seconds}."""
    seconds = {}
    for name, run in programs.items():
        start = clock()
        for _ in range(rounds):
            run()
        seconds[name] = (clock() - start) / rounds
    return seconds


def twins(times, order, **machine):
    """Time two programs of 1 ms each on a pretended machine; milliseconds by name."""
    pretended = Machine(**machine)
    programs = {name: pretended.program(name, 0.001) for name in order}
    return {name: 1000 * seconds for name, seconds in times(programs, 20, pretended.clock).items()}


# %% jupyter={"source_hidden": true}
def draw_twins(times, axes):
    kinds = {
        "compiles at the first call": {"compiling": 0.05},
        "is disturbed now and then": {"hiccup": 0.02},
        "gets slower as it warms up": {"heating": 0.05},
    }
    for axis, (kind, machine) in zip(axes, kinds.items()):
        for place, order in enumerate((("anna", "bela"), ("bela", "anna"))):
            measured = twins(times, order, **machine)
            for offset, name in zip((-0.2, 0.2), order):
                color = style.TERNARY if name == "anna" else style.FLOAT
                axis.bar(place + offset, measured[name], 0.36, color=color)
                axis.text(place + offset, measured[name] + 0.06, name, ha="center", fontsize=8.5)
        axis.axhline(1, color=style.ACCENT, linestyle="--", linewidth=1.1)
        axis.set(ylim=(0, 4.7), xticks=(0, 1), xticklabels=("anna first", "bela first"), title=kind)
        axis.title.set_fontsize(10)
    axes[0].set_ylabel("measured, ms")


figure, axes = plt.subplots(1, 3, figsize=(10.5, 2.8), sharey=True)
draw_twins(hasty_times, axes)
axes[0].text(1.55, 1.06, "truth", color=style.ACCENT, fontsize=8.5, ha="right")
plt.show()

# %% [markdown]
# Twins, and never alike or never right. On one machine both are three times too slow. On another it depends on who was timed first, and whoever it is may publish a paper. Each panel is a fault of its own, and each is common in benchmarks of compiled Python, where a first call may take a *second* and the next a *microsecond*.
#
# ### Exercise 8.7: a clock that tells the truth (3 points)
#
# Write `fair_times(programs, rounds, clock)`. `programs` is a dict of functions without arguments; `clock()` gives the time in seconds. Return a dict with the typical seconds of each program, one by which the twins come out alike on all three machines (within a few percent), and right on the first two.
#
# Each program is to be called exactly `rounds + 1` times.


# %% nbgrader={"grade": false, "grade_id": "8_7_fair_times", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fair_times(programs, rounds, clock):
    """Typical seconds of a call: {name: seconds}."""
    ### BEGIN SOLUTION
    for run in programs.values():
        run()
    samples = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            samples[name].append(clock() - start)
    return {name: float(np.median(times)) for name, times in samples.items()}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_7_fair_times_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.7")
def _(fair_times):
    def timed(rounds, programs, **machine):
        pretended = Machine(**machine)
        made = {name: pretended.program(name, *seconds) for name, seconds in programs.items()}
        got = fair_times(made, rounds, pretended.clock)
        check.true(
            set(made) == set(programs) and all(callable(run) for run in made.values()),
            "Your function changed the dict of programs that it was given. Whoever called it still "
            "needs them: return a dict of your own.",
        )
        check.true(
            isinstance(got, dict) and set(got) == set(programs),
            f"Return a dict with a time for each of {sorted(programs)}.",
        )
        return got, pretended.calls

    two = {"anna": [0.001], "bela": [0.001]}
    with check.part("a machine that compiles first", points=1):
        for rounds in (1, 5):
            got, calls = timed(rounds, two, compiling=0.5)
            check.close(
                [got["anna"], got["bela"]], [0.001, 0.001],
                f"The first call of each takes half a second more; {rounds} round(s) were asked for. "
                "What a program does once in its life is not its typical time.",
            )  # fmt: skip
            check.true(
                set(calls.values()) == {rounds + 1},
                f"{rounds} round(s): each program is to be called {rounds + 1} times, and the calls "
                f"were {calls}.",
            )
    with check.part("a machine that is disturbed now and then", points=1):
        got, _ = timed(21, two, hiccup=0.02)
        check.close(
            [got["anna"], got["bela"]], [0.001, 0.001],
            "Every seventh call is disturbed for 20 ms. A few wild values move a mean; what are they "
            "to a typical value?",
        )  # fmt: skip
        got, _ = timed(9, {"anna": [0.003, 0.001, 0.002]})
        check.close(
            got["anna"], 0.002,
            "A program that takes 1, 2 or 3 ms in turn: typical is what half of the calls stay "
            "under. The fastest call is not typical.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        got, _ = timed(4, {"anna": [0.9, 0.004, 0.001, 0.002, 0.008]})
        check.close(
            got["anna"], 0.003, "Four calls of 4, 1, 2 and 8 ms: between the two in the middle."
        )
        ### END HIDDEN TESTS
    with check.part("a machine that gets slower", points=1):
        got, _ = timed(21, two, heating=0.05)
        check.close(
            got["bela"] / got["anna"], 1.0,
            "Twins, on a machine that gets slower by 5 % with each call: how many times as long the "
            "second one takes. Whoever comes later meets a slower machine; let both meet it.",
            rtol=0.06,
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        got, _ = timed(
            31, {"c": [0.002], "a": [0.001], "b": [0.004]}, heating=0.03, hiccup=0.05, compiling=1
        )
        check.close(
            [got["c"] / got["a"], got["b"] / got["a"]], [2.0, 4.0],
            "Three programs of 2, 1 and 4 ms, on a machine with all three faults: their ratios.",
            rtol=0.1,
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "8_7_fair_times", "wrong": "the hasty one", "says": "once in its life"}
def fair_times(programs, rounds, clock):
    seconds = {}
    for name, run in programs.items():
        start = clock()
        for _ in range(rounds):
            run()
        seconds[name] = (clock() - start) / rounds
    return seconds


# %% variant={"of": "8_7_fair_times", "wrong": "no warm-up, but one round more", "says": "once in its life"}
def fair_times(programs, rounds, clock):
    samples = {name: [] for name in programs}
    for _ in range(rounds + 1):
        for name, run in programs.items():
            start = clock()
            run()
            samples[name].append(clock() - start)
    return {name: float(np.median(times)) for name, times in samples.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "the mean", "says": "move a mean"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    samples = dict.fromkeys(programs, 0.0)
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            samples[name] += (clock() - start) / rounds
    return samples


# %% variant={"of": "8_7_fair_times", "wrong": "the fastest call", "says": "not typical"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    best = dict.fromkeys(programs, float("inf"))
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            best[name] = min(best[name], clock() - start)
    return best


# %% variant={"of": "8_7_fair_times", "wrong": "one after the other", "says": "Whoever comes later"}
def fair_times(programs, rounds, clock):
    result = {}
    for name, run in programs.items():
        run()
        times = []
        for _ in range(rounds):
            start = clock()
            run()
            times.append(clock() - start)
        result[name] = float(np.median(times))
    return result


# %% variant={"of": "8_7_fair_times", "wrong": "milliseconds"}
def fair_times(programs, rounds, clock):
    samples = {name: [] for name in programs}
    for turn in range(rounds + 1):
        for name, run in programs.items():
            start = clock()
            run()
            if turn:
                samples[name].append(1000 * (clock() - start))
    return {name: float(np.median(times)) for name, times in samples.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "the upper one of two in the middle", "says": "between the two"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    samples = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = clock()
            run()
            samples[name].append(clock() - start)
    return {name: sorted(times)[len(times) // 2] for name, times in samples.items()}


# %% variant={"of": "8_7_fair_times", "wrong": "a clock of its own"}
def fair_times(programs, rounds, clock):
    for run in programs.values():
        run()
    samples = {name: [] for name in programs}
    for _ in range(rounds):
        for name, run in programs.items():
            start = time.perf_counter()
            run()
            samples[name].append(time.perf_counter() - start)
    return {name: float(np.median(times)) for name, times in samples.items()}


# %% variant={"of": "8_7_fair_times", "right": "the first round thrown away"}
def fair_times(programs, rounds, clock):
    samples = {name: [] for name in programs}
    for _ in range(rounds + 1):
        for name, run in programs.items():
            start = clock()
            run()
            samples[name].append(clock() - start)
    return {name: float(np.median(times[1:])) for name, times in samples.items()}


# %% variant={"of": "8_7_fair_times", "right": "a table of samples, there and back"}
def fair_times(programs, rounds, clock):
    table = np.zeros((rounds, len(programs)))
    order = list(enumerate(programs.values()))
    for _, run in order:
        run()
    for turn in range(rounds):
        for place, run in order if turn % 2 else order[::-1]:
            start = clock()
            run()
            table[turn, place] = clock() - start
    return dict(zip(programs, np.median(table, axis=0).tolist()))


# %% [markdown] hints={"of": "8_7_fair_times"}
# 1. Three panels, three remedies. Which call should not be timed at all?
# 2. Which summary of twenty numbers does not care how wild the wildest of them are?
# 3. If the machine changes while you measure, let the programs take turns: a round is one call of each, timed apart.

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(10.5, 2.8), sharey=True)
draw_twins(my.fair_times, axes)
axes[0].text(1.55, 1.06, "truth", color=style.ACCENT, fontsize=8.5, ha="right")
plt.show()

# %% [markdown]
# **Warm up, take turns, take the median.** On the third machine the time itself is still too long, for the machine *is* slower by then; but both meet it alike, so their *ratio* is right, and a ratio is all that a comparison should claim. The library's benchmarks do the same, and give the quartiles too (`tinyternary/bench/timing.py`).
#
# ## 7 · The ladder
#
# Now to a real machine: yours. The library has fifteen kernels that compute the same product, bit for bit (two of them for smaller inputs: 7 bits, or trits; one for graphics processors), each a page that adds one idea to the last (`tinyternary/kernels/ladder/`). Here are those that your processor can run. The first call of each compiles it, or fetches it from the disk if that was done before.

# %%
from functools import partial

from threadpoolctl import threadpool_limits

one_thread = threadpool_limits(1)  # for NumPy too
M, K, N = 32, 512, 1024
rng = np.random.default_rng(80)
trits = rng.integers(-1, 2, (N, K)).astype(np.int8)
x8 = rng.integers(-127, 128, (M, K)).astype(np.int8)
inputs = {"int8": x8, "int7": np.clip(x8, -63, 63), "ternary": np.sign(x8)}
packed = tt.kernels.pack(trits)
programs = {
    rung.name: partial(tt.kernels.matmul, inputs[rung.activations], packed, rung.name, threads=1)
    for rung in tt.kernels.backends() if rung.available
}  # fmt: skip
for rung in tt.kernels.backends():
    if rung.available:
        start = time.perf_counter()
        result = programs[rung.name]()
        took = time.perf_counter() - start
        same = np.array_equal(result, inputs[rung.activations].astype(int) @ trits.T.astype(int))
        print(
            f"{rung.name:<8} {rung.summary:<56} first call {1000 * took:6.0f} ms   {'exact' if same else 'WRONG'}"
        )
    else:
        print(f"{rung.name:<8} {rung.summary:<56} {rung.missing}")

# %% [markdown]
# **Predict, then run.** The lowest rung, `naive`, is the loop of the introduction, compiled: for each weight it adds, subtracts or skips, and never multiplies. Beside it, NumPy's float product `x @ w.T`, which multiplies every weight with every input, zeros included. How many times as long as NumPy does the loop without multiplication take? (Below 1: it is faster.)

# %%
my_guess = None  # times NumPy's time

x32, w32 = x8.astype(np.float32), trits.astype(np.float32)
programs["NumPy float32"] = lambda: x32 @ w32.T
times = my.fair_times(programs, 15, time.perf_counter)
slower = times["naive"] / times["NumPy float32"]
check.predicted(my_guess, slower, within=slower / 3,
                comment="Compiled, one thread each, no multiplication. What does it do all that time?")  # fmt: skip

# %% jupyter={"source_hidden": true}
inputs_row, weights_row = x8[0].tolist(), trits[0].tolist()


def one_output():
    total = 0
    for value, trit in zip(inputs_row, weights_row):
        if trit > 0:
            total += value
        elif trit < 0:
            total -= value
    return total


python = my.fair_times({"one": one_output}, 9, time.perf_counter)["one"]
rates = {name: M * N * K / seconds / 1e9 for name, seconds in times.items()}
rates["a loop in Python"] = K / python / 1e9
order = sorted(rates, key=rates.get)
float_rate = rates["NumPy float32"]
plain = ("blas", "a loop in Python")
figure, axes = plt.subplots(figsize=(9.5, 0.33 * len(order) + 0.9))
for place, name in enumerate(order):
    rate, numpy_too = rates[name], name == "NumPy float32"
    color = style.ACCENT if numpy_too else "#a9b4c0" if name in plain else style.TERNARY
    axes.barh(place, rate, color=color, height=0.68)
    beside = f"{rate / float_rate:.1f} ×" if rate > float_rate else f"1 / {float_rate / rate:,.3g}"
    if float_rate / rate > 20:
        beside = f"1 / {float_rate / rate:,.0f}"
    axes.text(
        rate * 1.12, place, f"{rate:.2g}" if rate < 10 else f"{rate:.0f}", va="center", fontsize=9
    )
    if not numpy_too:
        axes.text(1900, place, beside, va="center", ha="right", fontsize=9, color=style.MUTED)
axes.text(1900, len(order) - 0.35, "against NumPy", ha="right", fontsize=8.5, color=style.MUTED)
axes.set(xscale="log", xlim=(0.003, 2000), yticks=range(len(order)), yticklabels=order,
         xlabel=f"GMAC/s at M, K, N = {M}, {K}, {N}, one thread",
         title=f"One product, computed in {len(order)} ways")  # fmt: skip
plt.show()

# %% [markdown]
# Let us look into that loop. For every weight it asks *is it positive? negative?*, and the answer is a die with three sides. A processor guesses answers beforehand and works on, and at each wrong guess it throws away what it has begun: fifteen cycles or so, in which it could have multiplied dozens of numbers. But why does the compiler not turn the question into arithmetic, as compilers do? Here is the inner loop again with its numbers in variables: the sum, instead of in `out`, and the input, which is read before the question is asked. That is all the difference.


# %%
from numba import njit


@njit
def in_variables(x, trits, out):
    depth = x.shape[1]
    for i in range(x.shape[0]):
        for j in range(trits.shape[0]):
            total = np.int32(0)
            for k in range(depth):
                value = np.int32(x[i, k])
                if trits[j, k] > 0:
                    total += value  # in `naive`: out[i, j] += x[i, k]
                elif trits[j, k] < 0:
                    total -= value  # in `naive`: out[i, j] -= x[i, k]
            out[i, j] = total


# %% [markdown]
# **Predict, then run.** By what factor is this faster than `naive`?

# %%
my_guess = None  # times as fast

room = np.zeros((M, N), np.int32)
pair = {"naive": programs["naive"], "in variables": partial(in_variables, x8, trits, room)}
line = my.fair_times(pair, 7, time.perf_counter)
faster = line["naive"] / line["in variables"]
assert np.array_equal(room, programs["blas"]())
check.predicted(my_guess, faster, within=faster / 3,
                comment="As in section 1: a sum in memory, a sum in a variable.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8.5, 2.1))
three = {
    "numbers in memory (naive)": (1e3 * line["naive"], style.FLOAT),
    "numbers in variables": (1e3 * line["in variables"], style.TERNARY),
    "NumPy float32": (1e3 * times["NumPy float32"], style.ACCENT),
}
axes.barh(
    list(three),
    [value for value, _ in three.values()],
    color=[color for _, color in three.values()],
    height=0.6,
)
for place, (value, _) in enumerate(three.values()):
    axes.text(value * 1.1, place, f"{value:.3g} ms", va="center", fontsize=9.5)
axes.invert_yaxis()
axes.set(xscale="log", xlim=(0.1, 1500), xlabel="ms", title="Two lines of a loop")
plt.show()

# %% [markdown]
# A store is a promise. A compiler must not write to `out` where your program would not have written, so as long as the sum lives there the question has to stay a question. A load is half a promise: what your program would not have read may not be there to read, and of the processors that compute on many bytes at once only those with AVX-512 can leave some of them out. So the loop reads its input first, whatever the weight is. A variable is nobody's business: the compiler computes both answers, selects one, and does so for 8, 16 or 32 weights *under one instruction*. The loop that lost by one or two orders of magnitude now comes near a tuned library, or draws level with it.
#
# Look at your slip of paper. It was never the multiplication, neither what it costs nor what it would save. What a processor is paid for is guesses, loads, and instructions, however much or little each of them does. The rungs above differ in nothing else:
#
# | rung | what it adds |
# |---|---|
# | `packed` | no branch: code times input, one correction for all (section 1) |
# | `lookup` | tables of sums, in memory: a load that waits for a load (section 4) |
# | `tile` | each row unpacked once for all inputs; the compiler finds vector instructions |
# | `vector` | a tile of registers, 4 × 4 (section 5) |
# | `planes`, `ternary` | 64 trits in a word, counted (section 3) |
# | `avx2` to `avx512`, `neon` | an instruction that multiplies several bytes in each of its lanes, and adds them up |
# | `five` | five trits in a byte (section 2), unpacked by tables in registers, once for many inputs |
# | `lookup7` | tables in registers (section 4 again) |
# | `cuda` | thousands of threads, and two inputs in one multiplication (a GPU; only when asked for) |
#
# ### Under the roof
#
# How much better could they be? Two limits hold for any kernel: it cannot multiply faster than its best instruction allows, and it cannot run faster than its bytes arrive. Against the MACs for each byte that must come from memory, the two make the shape of a **roof**. Lesson 09 lives under it; here is a first look.

# %%
roof = tt.bench.this_machine(runs=25)
print(f"int8 instruction: {roof.peak['int8'] / 1e9:.0f} GMAC/s   float32: {roof.peak['fp32'] / 1e9:.0f} GMAC/s   "
      f"memory: {roof.dram_bytes_per_second / 1e9:.0f} GB/s, one core")  # fmt: skip

big = np.random.default_rng(81).integers(-1, 2, (4096, 4096)).astype(np.int8)
one_row, big32, big_packed = (
    x32[:1, :1].repeat(4096, 1),
    big.astype(np.float32),
    tt.kernels.pack(big),
)
layer = tt.kernels.TernaryLinear(big_packed, np.float32(1))
single = my.fair_times(
    {"NumPy": lambda: one_row @ big32.T, "ternary": lambda: layer(one_row)}, 9, time.perf_counter
)

# %% jupyter={"source_hidden": true}
weight_bytes = dict.fromkeys(times, N * K / 4) | {
    "naive": N * K,
    "blas": 4 * N * K,
    "NumPy float32": 4 * N * K,
}
figure, axes = plt.subplots(figsize=(9.5, 4.4))
grid = np.geomspace(0.1, 400, 200)
slope = grid * roof.dram_bytes_per_second / 1e9
for kind, color, name in (
    ("int8", style.TERNARY, "int8 instruction"),
    ("fp32", style.ACCENT, "float32 instruction"),
):
    top = roof.peak[kind] / 1e9
    axes.plot(grid, np.minimum(slope, top), color=color, linewidth=1.6)
    axes.text(0.11, top * 1.06, name, color=color, fontsize=9)
    axes.plot(grid, np.full_like(grid, top), color=color, linewidth=0.7, linestyle=":")
axes.text(0.75, 5.5, "as fast as bytes come from memory", fontsize=9, color=style.MUTED)
shown = [
    "naive",
    "packed",
    "lookup",
    "tile",
    "vector",
    "planes",
    "neon",
    "avx2",
    "avx512",
    "ternary",
]
below = 0.0  # labels of neighbours are moved apart
for name in sorted((n for n in [*shown, "NumPy float32"] if n in times), key=rates.get):
    value = M * N * K / (weight_bytes[name] + M * K + 4 * M * N)
    color = style.ACCENT if name == "NumPy float32" else style.TERNARY
    axes.plot(value, rates[name], "o", color=color, ms=6)
    height = rates[name] if name == "NumPy float32" else max(rates[name], 1.42 * below)
    below = below if name == "NumPy float32" else height
    axes.text(1.12 * value, height, name, fontsize=8.5, color=color, va="center",
              bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})  # fmt: skip
for name, size, color in (
    ("NumPy, one row", 4, style.ACCENT),
    ("ternary, one row", 0.25, style.TERNARY),
):
    rate = big.size / single["NumPy" if size == 4 else "ternary"] / 1e9
    axes.plot(1 / size, rate, "s", color=color, ms=7)
    beside, side = ((6, -13), "left") if size == 4 else ((-8, 5), "right")
    axes.annotate(
        name,
        (1 / size, rate),
        beside,
        textcoords="offset points",
        fontsize=8.5,
        color=color,
        ha=side,
    )
axes.set(xscale="log", yscale="log", xlim=(0.1, 400), ylim=(0.015, 900), xlabel="MACs for each byte of the matrices",
         ylabel="GMAC/s", title="Circles: 32 rows of inputs. Squares: a single one, and 4096 × 4096 weights")  # fmt: skip
style.grid_behind(axes)
plt.show()

# %% [markdown]
# With 32 rows most rungs hang far below any roof: they lose to themselves, by the way their loops are made. The best come near the flat part, and `ternary` gets there without using that instruction at all.
#
# With a *single* row, as when one image or one word is answered, every weight is used once, and NumPy sits close under the slope: it waits for memory, and no trick of arithmetic would help it. There the sixteenfold bytes of a float are the whole story. The ternary square may even stand *above* the slope. Its matrix takes 4 MiB, and where a cache holds those, but not NumPy's 64 MiB, its bytes do not come from memory at all.
#
# ## 8 · Two pieces of common sense
#
# *"A third of the weights are zero. Skip them, and save a third."* To skip, a program has to know where the others are, so it keeps their places in a list: a load more for each weight that is left, and inputs picked one by one instead of sixteen in a row. SciPy's sparse matrices do just this, in C++.
#
# **Predict, then run.** A ternary matrix of 512 × 512, eight rows of inputs. From which share of zeros does SciPy's sparse product beat NumPy's dense one, which multiplies all the zeros?

# %%
my_guess = None  # percent zeros

from scipy import sparse

shares = np.array([0.33, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995])
taken = []
for share in shares:
    rng = np.random.default_rng(82)
    some = rng.choice(
        np.array([-1, 0, 1], np.int8), (512, 512), p=[(1 - share) / 2, share, (1 - share) / 2]
    )
    rows, wide = x8[:8], x8[:8].astype(np.float32)
    dense, thin, fast = (
        some.astype(np.float32),
        sparse.csr_matrix(some.astype(np.float32)),
        tt.kernels.pack(some),
    )
    taken.append(my.fair_times({
        "sparse": partial(lambda a, b: a @ b.T, thin, wide),
        "NumPy": partial(lambda a, b: b @ a.T, dense, wide),
        "ternary": partial(tt.kernels.matmul, rows, fast, threads=1),
    }, 15, time.perf_counter))  # fmt: skip
columns = {name: np.array([row[name] for row in taken]) for name in taken[0]}


def breaks_even(name):
    """Share of zeros, in percent, from which the sparse product is faster than another."""
    ahead = np.log(columns[name] / columns["sparse"])
    wins = np.flatnonzero(ahead > 0)
    if not len(wins) or wins[0] == 0:
        return 100.0 if not len(wins) else 100 * shares[0]
    last = slice(wins[0] - 1, wins[0] + 1)
    return 100 * float(np.interp(0, ahead[last], shares[last]))


check.predicted(my_guess, breaks_even("NumPy"), within=8, unit=" %",
                comment=f"And against the library's ternary kernel: from {breaks_even('ternary'):.0f} % on.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8.5, 3.6))
odds = shares / (1 - shares)
for name, color, text, side in (
    ("sparse", style.INK, "SciPy, skips zeros", "top"),
    ("NumPy", style.ACCENT, "NumPy, multiplies them", "center"),
    ("ternary", style.TERNARY, "tinyternary, adds them", "bottom"),
):
    axes.plot(odds, 1e6 * columns[name], "o-", color=color, ms=4)
    axes.text(1.1 * odds[-1], 1e6 * columns[name][-1], text, color=color, fontsize=9.5, va=side)
for name, color in (("NumPy", style.ACCENT), ("ternary", style.TERNARY)):
    even = breaks_even(name) / 100
    if even < 1:
        height = np.interp(even, shares, 1e6 * columns[name])
        axes.plot(even / (1 - even), height, "o", ms=13, mfc="none", mec=color)
        axes.annotate(
            f"{100 * even:.0f} %",
            (even / (1 - even), height),
            (10, 6),
            textcoords="offset points",
            fontsize=10,
            color=color,
        )
axes.axvspan(odds[0], 1, color=style.GRID, zorder=0)
axes.text(0.7, 5.6, "trained\nmatrices", ha="center", fontsize=8.5, color=style.MUTED)
axes.set(xscale="log", yscale="log", xlim=(0.4, 2000), ylim=(4, 2500), ylabel="µs", xlabel="zeros",
         title="Skipping pays where there is hardly anything left")  # fmt: skip
axes.set_xticks(odds, [f"{100 * share:.3g} %" for share in shares], fontsize=8)
axes.minorticks_off()
plt.show()

# %% [markdown]
# absmean sets a third of the weights to zero; that is nowhere near. Zeros save nothing by being zero. They would if they came in *blocks* that a whole instruction can leave out, or in a fixed pattern that fits its lanes, and there are quantisers that train for that (*Sherry*, arXiv 2601.07892, keeps three of every four).
#
# *"Ternary is faster."* Of what size?
#
# **Predict, then run.** A small layer: 64 inputs, 64 outputs, one row. We call the library's general function, `tt.kernels.linear(x, packed, scale)`, and NumPy's `x @ w.T`. How many times as long as NumPy does the ternary call take? (Below 1: it is faster.)

# %%
my_guess = None  # times NumPy's time


def twenty(run):
    """A program of twenty calls: one is too short for the clock."""

    def calls():
        for _ in range(20):
            run()

    return calls


sides = np.array([16, 32, 64, 128, 256, 512, 1024])
small = []
for side in sides:
    some = np.random.default_rng(83).integers(-1, 2, (side, side)).astype(np.int8)
    row, dense, fast = x32[:1, :1].repeat(side, 1), some.astype(np.float32), tt.kernels.pack(some)
    ready, place = tt.kernels.TernaryLinear(fast, np.float32(0.02)), np.empty((1, side), np.float32)
    small.append(my.fair_times({
        "linear": twenty(partial(tt.kernels.linear, row, fast, 0.02)),
        "layer": twenty(partial(ready, row, place, 1)),
        "NumPy": twenty(partial(lambda a, b: a @ b.T, row, dense)),
    }, 15, time.perf_counter))  # fmt: skip
against = {
    name: np.array([row[name] / row["NumPy"] for row in small]) for name in ("linear", "layer")
}
ratio = float(against["linear"][sides == 64][0])
check.predicted(my_guess, ratio, within=ratio / 3,
                comment="Four thousand MACs take less than a tenth of a microsecond. The rest is Python, checking arguments.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8.5, 3.3))
for name, color, text, up in (("linear", "#7fbcbd", "linear(x, packed, scale): looks at everything at each call", 7),
                              ("layer", style.TERNARY, "TernaryLinear: made ready once", -14)):  # fmt: skip
    axes.plot(sides, against[name], "o-", color=color)
    axes.annotate(
        text,
        (sides[0], against[name][0]),
        (4, up),
        textcoords="offset points",
        fontsize=9.5,
        color=color,
    )
axes.axhline(1, color=style.ACCENT, linewidth=1.2)
axes.text(1024, 1.08, "NumPy float32", color=style.ACCENT, fontsize=9, ha="right")
axes.set(xscale="log", yscale="log", xlabel="inputs = outputs, one row", ylabel="times NumPy's time", ylim=(0.05, 40),
         title="Below some size the kernel is not what you measure")  # fmt: skip
axes.set_xticks(sides, [str(side) for side in sides])
axes.minorticks_off()
plt.show()

# %% [markdown]
# The same kernel, the same bits, and the sign of the answer depends on what stands *around* the kernel. In our first version every call was made like the upper line, and at 64 × 64 ternary simply lost. The lower line is the same layer with all that is the same at each call done once. That is the trick of puzzle 8.1, one more time.
#
# ## 9 · From the bug museum
#
# Two more rooms. The catalogue of faults, from which each exhibit has one: `"broadcasting"`, `"compile time"`, `"out of bounds"`, `"overflow"`, `"rounding"`, `"scale for its inverse"`, `"swapped planes"`, `"wrong axis"`.
#
# ### Exhibits A and B: right on the test
#
# Kernel A multiplies with two planes of weights. Its author tested it with the all-zero matrix, with inputs of zero, and with random numbers "for plausibility". Then a classifier of digits ran on it.


# %% tags=["exhibit"]
def product_a(planes, x):
    """W x; planes (2, N, K): first which weights are +1, then which are -1. x (K,) int8."""
    minus, plus = planes  # line a
    added = np.where(plus, x, 0).sum(axis=1)  # line b
    taken_away = np.where(minus, x, 0).sum(axis=1)  # line c
    return added - taken_away  # line d


# %% [markdown]
# Kernel B works on codes, trit + 1, and adds up in 16 bits, since those are twice as many to a register. It passed its random tests. Then it met a layer with 2048 inputs behind a ReLU.


# %% tags=["exhibit"]
def product_b(codes, x):
    """W x; codes (N, K) int8 are the trits of W plus one. x (K,) int8."""
    sums = np.zeros(len(codes), np.int16)  # line a
    for k in range(len(x)):
        sums += codes[:, k] * x[k].astype(np.int16)  # line b
    correction = x.sum(dtype=np.int32)  # line c
    return sums - correction  # line d


# %% jupyter={"source_hidden": true}
from sklearn.datasets import load_digits

pixels, labels = load_digits(return_X_y=True)
pixels = pixels.astype(np.int8)
learned = pixels[:1200].astype(float)
fitted = np.linalg.solve(  # least squares, held back a little by the 10,000
    learned.T @ learned + 1e4 * np.eye(64), learned.T @ (np.eye(10)[labels[:1200]] - 0.1)
).T
digit_trits = np.clip(np.rint(fitted / np.abs(fitted).mean()), -1, 1).astype(np.int8)
digit_planes = np.stack([digit_trits == 1, digit_trits == -1])


def right_digits(product):
    """Percent of held-out digits that the ternary classifier names right with this kernel."""
    named = [int(np.argmax(product(digit_planes, x))) for x in pixels[1200:]]
    return 100 * np.mean(np.array(named) == labels[1200:])


def activations(kind, k, seed=0):
    """Inputs (K,) int8 of a layer: "signed" as after a norm, "positive" as after a ReLU."""
    values = np.random.default_rng(seed).normal(size=k)
    values = np.maximum(values, 0) if kind == "positive" else values
    return np.rint(values / np.abs(values).max() * 127).astype(np.int8)


def errors_b(product, kind, k):
    """What kernel B's outputs are off by, for 400 random rows."""
    some = np.random.default_rng(k).integers(-1, 2, (400, k)).astype(np.int8)
    values = activations(kind, k)
    return product(some + np.int8(1), values) - some.astype(int) @ values.astype(int)


figure, axes = plt.subplots(1, 3, figsize=(11.5, 3.1), width_ratios=(1, 1.2, 1))
bars = {"guessing": 10, "kernel A": right_digits(product_a)}
axes[0].bar(list(bars), list(bars.values()), color=[style.MUTED, style.ACCENT], width=0.55)
for place, value in enumerate(bars.values()):
    axes[0].text(place, value + 0.3, f"{value:.1f} %", ha="center", fontsize=9.5)
axes[0].set(ylim=(0, 14), ylabel="digits named right, %", title="A: worse than guessing")
lengths = np.array([64, 512, 1024, 1536, 1792, 2048, 2304, 2560, 3072])
for kind, color in (("signed", style.FLOAT), ("positive", style.ACCENT)):
    wrong_share = [100 * np.mean(errors_b(product_b, kind, k) != 0) for k in lengths]
    axes[1].plot(lengths, wrong_share, "o-", ms=4, color=color)
    axes[1].text(
        640 if kind == "positive" else 2300,
        60 if kind == "positive" else 6,
        f"{kind} inputs",
        color=color,
        fontsize=9.5,
    )
axes[1].set(
    xlabel="inputs K",
    ylabel="outputs that are wrong, %",
    ylim=(-4, 108),
    title="B: fine, fine, fine, gone",
)
off = errors_b(product_b, "positive", 2048)
values, counts = np.unique(off, return_counts=True)
axes[2].bar(
    range(len(values)),
    counts,
    color=[style.ACCENT if v else style.MUTED for v in values],
    width=0.5,
)
axes[2].set(xticks=range(len(values)), xticklabels=[f"{v:,}" for v in values], ylabel="outputs of 400",
            xlabel="off by", title="B: what they are off by")  # fmt: skip
plt.show()

# %% [markdown]
# ### Exercise 8.8: find, name, repair (3 points)
#
# Write three functions. `faults()` returns two pairs, of A and of B: the letter of the line, and the name from the catalogue. `repaired_a(planes, x)` and `repaired_b(codes, x)` compute the product as their docstrings promise, in integers.


# %% nbgrader={"grade": false, "grade_id": "8_8_repaired", "locked": false, "schema_version": 3, "solution": true, "task": false}
def faults():
    """Line and name of A's fault, line and name of B's: (("c", "rounding"), ...)."""
    ### BEGIN SOLUTION
    return ("a", "swapped planes"), ("a", "overflow")
    ### END SOLUTION


def repaired_a(planes, x):
    """W x for planes (2, N, K) of +1 and of -1, and x (K,) int8."""
    ### BEGIN SOLUTION
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)
    ### END SOLUTION


def repaired_b(codes, x):
    """W x for codes (N, K), trits plus one, and x (K,) int8."""
    ### BEGIN SOLUTION
    wide = x.astype(np.int32)
    return codes.astype(np.int32) @ wide - wide.sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_8_repaired_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.8")
def _(faults, repaired_a, repaired_b):
    with check.part("lines and names", points=1):
        said = faults()
        check.true(
            isinstance(said, tuple | list)
            and len(said) == 2
            and all(len(pair) == 2 for pair in said),
            'Return two pairs of a letter and a name, such as (("c", "rounding"), ("b", "rounding")).',
        )
        ### BEGIN HIDDEN TESTS
        (line_a, name_a), (line_b, name_b) = (
            [str(p).strip().lower() for p in pair] for pair in said
        )
        check.true(
            name_a == "swapped planes",
            f"A: {name_a} is another fault. Somebody who is wrong nearly every time knows the answers "
            "well. What is a product off by, if its arg max becomes an arg min?",
        )
        check.true(
            line_a == "a", f"A: line {line_a} does what its names say. Read the docstring again."
        )
        check.true(
            name_b == "overflow",
            f"B: {name_b} is another fault. Errors of exactly the same size, a round one in binary: "
            "how many values has a number of 16 bits?",
        )
        check.true(line_b == "a", f"B: line {line_b} is a consequence. Where is the type chosen?")
        ### END HIDDEN TESTS
    with check.part("kernel A, repaired", points=1):
        planes = np.array([[[1, 0, 0, 1], [0, 0, 0, 0]], [[0, 1, 0, 0], [1, 1, 1, 1]]], bool)
        x = np.array([10, 20, 30, 40], np.int8)
        check.equal(
            repaired_a(planes, x), [30, -100],
            "Row 0 adds 10 and 40 and takes 20 away; row 1 takes everything away.",
        )  # fmt: skip
        long = np.stack([np.ones((1, 600), bool), np.zeros((1, 600), bool)])
        check.equal(
            repaired_a(long, np.full(600, 127, np.int8)),
            [76200],
            "600 times 127: sums are wide integers.",
        )
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(88)
        t, x = rng.integers(-1, 2, (9, 70)), rng.integers(-128, 128, 70).astype(np.int8)
        got = repaired_a(np.stack([t == 1, t == -1]), x)
        check.equal(got, t @ x.astype(int), "Random planes.")
        check.true(np.asarray(got).dtype.kind in "iu", "Sums of integers are integers, and exact.")
        check.equal(
            repaired_a(long[::-1], np.full(600, -128, np.int8)), [76800],
            "600 times -1 · -128. The other sign of -128 is no number of 8 bits.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("kernel B, repaired", points=1):
        codes = np.array([[2, 0, 1, 2], [0, 0, 0, 0]], np.int8)
        x = np.array([10, 20, 30, 40], np.int8)
        check.equal(
            repaired_b(codes, x), [30, -100],
            "Codes 2, 0, 1, 2 are the trits 1, -1, 0, 1; the correction is the sum of x.",
        )  # fmt: skip
        check.equal(
            repaired_b(np.full((1, 300), 2, np.int8), np.full(300, 127, np.int8)), [38100],
            "300 codes of 2 times 127: their sum, 76,200, needs more than 16 bits, on the way too.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.equal(
            repaired_b(np.zeros((1, 3000), np.int8), np.full(3000, -128, np.int8)), [384_000],
            "3000 trits of -1 times -128: the correction is a sum that needs more than 16 bits too.",
        )  # fmt: skip
        rng = np.random.default_rng(89)
        t, x = (
            rng.integers(-1, 2, (9, 3000)).astype(np.int8),
            rng.integers(0, 128, 3000).astype(np.int8),
        )
        check.equal(
            repaired_b(t + np.int8(1), x), t.astype(int) @ x.astype(int), "3000 positive inputs."
        )
        got = repaired_b(t + np.int8(1), x)
        check.true(np.asarray(got).dtype.kind in "iu", "Sums of integers are integers, and exact.")
        ### END HIDDEN TESTS


# %% variant={"of": "8_8_repaired", "wrong": "B blamed on rounding", "says": "16 bits"}
def faults():
    return ("a", "swapped planes"), ("a", "rounding")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    return codes.astype(int) @ x.astype(int) - x.sum(dtype=int)


# %% variant={"of": "8_8_repaired", "wrong": "A blamed on the line that subtracts", "says": "docstring"}
def faults():
    return ("d", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    return codes.astype(int) @ x.astype(int) - x.sum(dtype=int)


# %% variant={"of": "8_8_repaired", "wrong": "widens the result, not the sum", "says": "on the way"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    sums = (codes.astype(np.int16) * x).sum(axis=1, dtype=np.int16)
    return sums.astype(np.int64) - x.sum(dtype=np.int64)


# %% variant={"of": "8_8_repaired", "wrong": "16 bits unsigned: twice as far, then wrong again", "says": "16 bits"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    plus, minus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    sums = (codes.astype(np.int16) * x).sum(axis=1, dtype=np.int16).view(np.uint16)
    return sums.astype(np.int64) - x.sum(dtype=np.int64)


# %% variant={"of": "8_8_repaired", "wrong": "A left as it was"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    minus, plus = planes
    return np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1)


def repaired_b(codes, x):
    return codes.astype(int) @ x.astype(int) - x.sum(dtype=int)


# %% variant={"of": "8_8_repaired", "wrong": "A with the size of the sum", "says": "takes everything away"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    minus, plus = planes
    return np.abs(np.where(plus, x, 0).sum(axis=1) - np.where(minus, x, 0).sum(axis=1))


def repaired_b(codes, x):
    return codes.astype(int) @ x.astype(int) - x.sum(dtype=int)


# %% variant={"of": "8_8_repaired", "wrong": "A sums in 16 bits now", "says": "wide integers"}
def faults():
    return ("a", "swapped planes"), ("a", "overflow")


def repaired_a(planes, x):
    wide = x.astype(np.int16)
    plus, minus = (
        np.where(plane, wide, np.int16(0)).sum(axis=1, dtype=np.int16) for plane in planes
    )
    return plus - minus


def repaired_b(codes, x):
    return codes.astype(int) @ x.astype(int) - x.sum(dtype=int)


# %% variant={"of": "8_8_repaired", "right": "the exhibits, one line changed in each"}
def faults():
    return (("A", "Swapped planes"), ("A", "Overflow"))


def repaired_a(planes, x):
    plus, minus = planes
    added = np.where(plus, x, 0).sum(axis=1)
    taken_away = np.where(minus, x, 0).sum(axis=1)
    return added - taken_away


def repaired_b(codes, x):
    sums = np.zeros(len(codes), np.int32)
    for k in range(len(x)):
        sums += codes[:, k] * x[k].astype(np.int16)
    correction = x.sum(dtype=np.int32)
    return sums - correction


# %% variant={"of": "8_8_repaired", "right": "trits again, and a product"}
def faults():
    return [["a", "swapped planes"], ["a", "overflow"]]


def repaired_a(planes, x):
    return (planes[0].astype(int) - planes[1]) @ x.astype(int)


def repaired_b(codes, x):
    return (codes.astype(np.int64) - 1) @ x.astype(np.int64)


# %% [markdown] hints={"of": "8_8_repaired"}
# 1. A: right far less often than by guessing. If you turned every answer round, how good would it be? Which line decides about the sign of everything?
# 2. B: all errors have the same size. Write it as a power of two. Positive inputs make sums that grow with K; signed inputs cancel out.
# 3. B: the result fits into 16 bits, but the sum of codes times inputs on the way to it does not. Choose the type of `sums` for the worst case, and mind the products that go into it.

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.7))
mended = {"kernel A": right_digits(product_a), "repaired": right_digits(my.repaired_a)}
left.bar(list(mended), list(mended.values()), color=[style.ACCENT, style.TERNARY], width=0.5)
for place, value in enumerate(mended.values()):
    left.text(place, value + 2, f"{value:.0f} %", ha="center", fontsize=10)
left.set(ylim=(0, 100), ylabel="digits named right, %", title="It knew them all along")
for product, color, text in (
    (product_b, style.ACCENT, "kernel B"),
    (my.repaired_b, style.TERNARY, "repaired"),
):
    wrong_share = [100 * np.mean(errors_b(product, "positive", int(k)) != 0) for k in lengths]
    right.plot(lengths, wrong_share, "o-", ms=4, color=color)
    right.text(700, 70 if product is product_b else 8, text, color=color, fontsize=10)
right.set(
    xlabel="inputs K, behind a ReLU",
    ylabel="outputs that are wrong, %",
    ylim=(-4, 108),
    title="Wide enough for the worst case",
)
plt.show()

# %% [markdown]
# An accuracy far *below* guessing is a gift: a network that knows nothing guesses, one that is wrong nearly every time knows most of the answers, and has a sign wrong. And an error that is always the same power of two is a signature. Kernels do use 16-bit sums; our `avx2` rung does, and empties them into 32 bits before the worst case can fill them. *Random tests do not find the worst case.* You have to construct it.
#
# ### Exhibit D: one byte too far
#
# The last exhibit is the nastiest. In NumPy, `x[70]` of an array of 70 is an `IndexError`. In a kernel compiled by Numba it is *a number*: whatever stands in memory behind the array. Nobody says a word. We do it here with a pretended memory, one long list of numbers in which everything has its place, so that nothing can break.


# %% tags=["exhibit"]
def row_product(memory, x_at, codes_at, k):
    """Sum of trit times input; k inputs stand from x_at on, packed codes from codes_at on."""
    total = 0
    for byte in range(-(-k // 4)):  # line a
        four_codes = memory[codes_at + byte]  # line b
        for j in range(4):  # line c
            value = memory[x_at + 4 * byte + j]  # line d
            total += (four_codes >> 2 * j & 3) * value  # line e
    for i in range(k):  # line f
        total -= memory[x_at + i]  # line g
    return total


def laid_out(trits, x, behind):
    """Memory with packed codes, inputs, and what happens to stand behind them; and the places."""
    codes = tt.kernels.pack(np.asarray(trits, np.int8)[None], bits=2).data[0].tolist()
    return [*codes, *map(int, x), *behind], len(codes), 0


# %% jupyter={"source_hidden": true}
def off_by(product, k, behind):
    rng = np.random.default_rng(k)
    some, values = rng.integers(-1, 2, k), rng.integers(-127, 128, k)
    return product(*laid_out(some, values, behind), k) - int(some @ values)


neighbours = {
    "zeros (fresh memory)": [0] * 4, "another array": [17, -80, 44, 9], "its next tenant": [-120, 3, -66, 71],
}  # fmt: skip
lengths_d = np.arange(60, 73)
figure, axes = plt.subplots(figsize=(9.5, 2.9))
for place, ((name, behind), color) in enumerate(
    zip(neighbours.items(), (style.MUTED, "#8a5fb0", style.ACCENT))
):
    values = [off_by(row_product, int(k), behind) for k in lengths_d]
    axes.bar(lengths_d + 0.27 * (place - 1), values, 0.25, color=color, label=name)
axes.axhline(0, color=style.INK, linewidth=0.7)
axes.set(
    xticks=lengths_d,
    xlabel="inputs K",
    ylabel="off by",
    title="Right on Monday, wrong on Tuesday: it depends on the neighbours",
)
axes.legend(
    title="behind the inputs stands",
    fontsize=9,
    ncols=3,
    loc="lower center",
    bbox_to_anchor=(0.5, -0.62),
    title_fontsize=9,
)
plt.show()

# %% [markdown]
# ### Exercise 8.9: find, name, repair (2 points)
#
# `fault_of_row()` returns letter and name. `repaired_row(memory, x_at, codes_at, k)` computes the product and reads **nothing** that is not its own, not even to ignore it: behind an array there may be no memory at all, and then the program is gone.


# %% nbgrader={"grade": false, "grade_id": "8_9_repaired_row", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fault_of_row():
    """Letter of the faulty line, and its name in the catalogue."""
    ### BEGIN SOLUTION
    return "d", "out of bounds"
    ### END SOLUTION


def repaired_row(memory, x_at, codes_at, k):
    """Sum of trit times input, for k inputs from x_at on and packed codes from codes_at on."""
    ### BEGIN SOLUTION
    total = 0
    for i in range(k):
        code = memory[codes_at + i // 4] >> 2 * (i % 4) & 3
        total += (code - 1) * memory[x_at + i]
    return total
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_9_repaired_row_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.9")
def _(fault_of_row, repaired_row):
    def codes_of(trits):
        return tt.kernels.pack(np.asarray(trits, np.int8)[None], bits=2).data[0].tolist()

    class Memory(list):
        """A list that remembers which places were read, and does not end where its numbers do."""

        def __getitem__(self, place):
            some = range(len(self))[place] if isinstance(place, slice) else [place.__index__()]
            self.read.update(some)
            found = [list.__getitem__(self, i) if 0 <= i < len(self) else 12345 for i in some]
            return found if isinstance(place, slice) else found[0]

        def __iter__(self):
            return (self[place] for place in range(len(self)))

    def ask(memory, x_at, codes_at, k):
        memory = Memory(memory)
        memory.read = set()
        got = repaired_row(memory, x_at, codes_at, k)
        own = {*range(x_at, x_at + k), *range(codes_at, codes_at - (-k // 4))}
        foreign = sorted(memory.read - own)
        check.true(
            not foreign,
            f"Inputs from {x_at}, codes from {codes_at}, K = {k}: your code reads place "
            f"{foreign[:1]}, where neither an input nor a code of its own stands. Reading and then "
            "ignoring is reading, too.",
        )
        return got

    with check.part("line and name", points=1):
        said = fault_of_row()
        check.true(
            isinstance(said, tuple | list) and len(said) == 2,
            'Return a letter and a name, such as ("a", "rounding").',
        )
        ### BEGIN HIDDEN TESTS
        line, name = (str(part).strip().lower() for part in said)
        check.true(
            name == "out of bounds",
            f"{name} is another fault. Which result depends on what stands *behind* the inputs?",
        )
        check.true(
            line == "d",
            f"Line {line} stays inside. Take K = 5 and write down which places each line reads.",
        )
        ### END HIDDEN TESTS
    with check.part("the repaired row", points=1):
        trits, x = [1, 0, -1, 1, -1], [10, 20, 30, 40, 50]
        check.equal(
            ask([*codes_of(trits), *x, 999, 888, 777], 2, 0, 5), -30,
            "Trits 1, 0, -1, 1, -1 and inputs 10, 20, 30, 40, 50, and behind them 999: 10 - 30 + 40 - "
            "50. The code that fills up the last byte is 01, a factor of 1 and not of 0.",
        )  # fmt: skip
        check.equal(
            ask([*codes_of(trits), *x], 2, 0, 5),
            -30,
            "The same, and the memory ends with the inputs.",
        )
        check.equal(
            ask([0, *x[:4], *codes_of(trits[:4])], 1, 5, 4), 20, "Codes behind the inputs, K = 4."
        )
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(90)
        for k in (1, 2, 3, 4, 7, 64, 66):
            trits, x = rng.integers(-1, 2, k), rng.integers(-127, 128, k)
            codes, values = codes_of(trits), [int(v) for v in x]
            for memory, places in (
                ([7, *codes, *values], (1 + len(codes), 1, k)), ([*values, *codes], (0, k, k)),
            ):  # fmt: skip
                check.equal(ask(memory, *places), int(trits @ x), f"{k} random inputs.")
        ### END HIDDEN TESTS


# %% variant={"of": "8_9_repaired_row", "wrong": "reads, and ignores what it read", "says": "ignoring is"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for byte in range(-(-k // 4)):
        for j in range(4):
            value = memory[x_at + 4 * byte + j]
            if 4 * byte + j < k:
                total += ((memory[codes_at + byte] >> 2 * j & 3) - 1) * value
    return total


# %% variant={"of": "8_9_repaired_row", "wrong": "leaves the last byte out"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for i in range(k // 4 * 4):
        total += ((memory[codes_at + i // 4] >> 2 * (i % 4) & 3) - 1) * memory[x_at + i]
    return total


# %% variant={"of": "8_9_repaired_row", "wrong": "the correction runs over the padding too", "says": "of its own stands"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for i in range(-(-k // 4) * 4):
        code = memory[codes_at + i // 4] >> 2 * (i % 4) & 3
        total += (code - 1) * memory[x_at + i]
    return total


# %% variant={"of": "8_9_repaired_row", "wrong": "forgets the correction"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    return sum((memory[codes_at + i // 4] >> 2 * (i % 4) & 3) * memory[x_at + i] for i in range(k))


# %% variant={"of": "8_9_repaired_row", "wrong": "blames the loop over bytes", "says": "stays inside"}
def fault_of_row():
    return "a", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    return sum(
        ((memory[codes_at + i // 4] >> 2 * (i % 4) & 3) - 1) * memory[x_at + i] for i in range(k)
    )


# %% variant={"of": "8_9_repaired_row", "wrong": "another name", "says": "another fault"}
def fault_of_row():
    return "d", "overflow"


def repaired_row(memory, x_at, codes_at, k):
    return sum(
        ((memory[codes_at + i // 4] >> 2 * (i % 4) & 3) - 1) * memory[x_at + i] for i in range(k)
    )


# %% variant={"of": "8_9_repaired_row", "wrong": "catches the error that memory does not give", "says": "ignoring is"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for byte in range(-(-k // 4)):
        for j in range(4):
            try:
                value = memory[x_at + 4 * byte + j]
            except IndexError:
                continue
            if 4 * byte + j < k:
                total += ((memory[codes_at + byte] >> 2 * j & 3) - 1) * value
    return total


# %% variant={"of": "8_9_repaired_row", "right": "whole bytes, then the rest"}
def fault_of_row():
    return "d", "out of bounds"


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for byte in range(-(-k // 4)):
        four_codes = memory[codes_at + byte]
        for j in range(min(4, k - 4 * byte)):
            total += ((four_codes >> 2 * j & 3) - 1) * memory[x_at + 4 * byte + j]
    return total


# %% variant={"of": "8_9_repaired_row", "right": "the exhibit with a condition"}
def fault_of_row():
    return ("D", "Out of bounds")


def repaired_row(memory, x_at, codes_at, k):
    total = 0
    for byte in range(-(-k // 4)):
        four_codes = memory[codes_at + byte]
        for j in range(4):
            i = 4 * byte + j
            value = memory[x_at + i] if i < k else 0
            total += (four_codes >> 2 * j & 3) * value
    for i in range(k):
        total -= memory[x_at + i]
    return total


# %% [markdown] hints={"of": "8_9_repaired_row"}
# 1. Take K = 5. There are two bytes of codes, so eight codes. How many inputs?
# 2. "Filled up with the trit 0": which code is that, and what does line e make of it?
# 3. Do not ask memory for an input that is not there. A loop that ends earlier, or a condition before the load.

# %% [markdown]
# Why does it hide so well? Fresh memory is zeros, so it is right in the small test that starts from nothing. Widths of networks are multiples of four, so it is right in most layers. This library's tests draw K from 0 upwards, odd ones among them, put inputs right beside memory that must not be touched, and see whether the program survives. Numba has a switch for the hunt:

# %%
careful = njit(boundscheck=True)(lambda values, i: values[i])
try:
    careful(np.arange(70), 70)
except IndexError as error:
    print("IndexError:", error)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(9.5, 2.1))
values = {
    name: [off_by(my.repaired_row, int(k), behind) for k in lengths_d]
    for name, behind in neighbours.items()
}
for place, (name, color) in enumerate(zip(neighbours, (style.MUTED, "#8a5fb0", style.ACCENT))):
    axes.plot(lengths_d + 0.12 * (place - 1), values[name], "o", color=color, ms=5)
axes.set(
    xticks=lengths_d,
    ylim=(-150, 150),
    xlabel="inputs K",
    ylabel="off by",
    title="Repaired: whoever lives next door",
)
style.grid_behind(axes)
plt.show()

# %% [markdown]
# ## 10 · In words

# %% [markdown] nbgrader={"grade": true, "grade_id": "8_10_words", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### Exercise 8.10: a letter to the marketing department (3 points)
#
# A draft of a leaflet says: *"Our ternary engine needs no multiplications and skips every third weight. It is therefore at least five times as fast as float, as our benchmark shows (first run of each, float first)."* Write a short answer. What in it is wrong, and why? What does make a ternary product fast, and when? Use at least two measurements of this lesson. And how should the benchmark be done?
#
# ### BEGIN SOLUTION
# Multiplications are not what a processor is short of. A compiled loop that never multiplies was fifty to two hundred times slower than NumPy's multiplying product where we ran it; with its numbers in variables it came near or drew level, and nothing about multiplication had changed. Skipping a third of the weights makes the product slower, not faster: where we ran it the sparse product overtook NumPy between 80 and 90 % zeros, and the ternary kernel at 98 or 99 %.
#
# What helps is that the weights are small. Sixteen times fewer bytes means less waiting where every weight is used once, as in the picture of the roof with a single row; and small integers let one instruction do 64 products, and a tile of registers feeds it with few loads. Both hold for layers that are large enough: at 64 by 64, called through the general function, we took ten times as long as NumPy.
#
# The benchmark: warm up every contender, for a first call may compile; let them take turns, since the machine changes; take medians with quartiles. Same thread count, same work, conversions included. Name the machine and the shapes, and show the small ones too. If float is timed first and cold, it pays for warming the machine up.
# ### END SOLUTION

# %% [markdown] rubric={"of": "8_10_words"}
# One point each:
#
# - **What is wrong:** neither "no multiplications" nor "skips zeros" makes it fast, each with a measurement of this lesson (the naive loop against NumPy, two lines changed; the share of zeros at which skipping pays). Half a point without a measurement.
# - **What is right:** at least two of: bytes where weights are used once; many products under one instruction; few loads through tiles; and that it depends on the size (64 × 64), or on what stands around the kernel.
# - **The benchmark:** warm-up, turns and median or quartiles (two of the three at least), and that machine and shapes have to be named. That "float first" favours the second contender, or the first, with a reason, is a bonus.

# %% [markdown]
# ## Recap
#
# - What is **the same for all** is done once: one constant for four codes, one sum of inputs for all outputs, one table for all rows, one preparation for all calls.
# - **Two bits** are for computing, **1.6 bits** mostly for storing: a digit in base 3 comes off by a multiplication and a shift, but one after the other.
# - **Planes** multiply 64 trits by 64 trits in seven operations. With int8 inputs it is eight times as many.
# - **Tables** save additions; they pay where they fit into a register.
# - A **tile** of $r \times c$ sums needs $1/r + 1/c$ loads a MAC. As square as possible, as large as the registers.
# - **Warm up, take turns, take the median.** Claim ratios, and name the machine.
# - A compiled loop without multiplications can lose to a multiplying library by two orders of magnitude, and two lines decide. Skipping zeros pays when hardly anything is left. Small layers measure Python.
# - Four bugs to know by sight: a clock that counts the compiler, swapped planes, overflow, out of bounds.
#
# Your card:

# %% jupyter={"source_hidden": true}
rng = np.random.default_rng(9)
rounds = {
    "8.1 pack4": (
        my.pack4,
        [rng.integers(-1, 2, 16).astype(np.int8), np.zeros(4, np.uint8)],
        28,
        16,
    ),
    "8.2 unpack5": (
        my.unpack5,
        [np.array([0, 86, 171, 255], np.uint8), np.zeros(20, np.int8)],
        76,
        4,
    ),
    "8.3 count_dot": (my.count_dot, [*planes_of(w_row), *planes_of(x_row)], 30, 16),
    "8.4 table_of": (my.table_of, [np.array([3, -20, 100])], 26, 3),
    "8.5 tiled, 3 × 4": (my.tiled, [big_x, big_w, np.zeros((12, 12), int), 3, 4], None, 840),
}
total = 0
for hole, (puzzle, arguments, par, loads) in rounds.items():
    tally = Tally()
    puzzle(*(counted(a, tally) if isinstance(a, np.ndarray) else a for a in arguments))
    counts = spent(tally)
    strokes = counts["loads"] - loads + (counts["operations"] - par if par else 0)
    total += strokes
    operations = f"operations {counts['operations']:3d} (par {par})" if par else ""
    print(f"{hole:<18} loads {counts['loads']:3d} (par {loads:3d})   {operations:<26} {strokes:+d}")
print(f"{'together':<18} {total:+d}")

# %% [markdown]
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - S. Rush, *GPU Puzzles* and *Tensor Puzzles*, 2022, github.com/srush. The manner of this lesson, and many hours of pleasure.
# - K. Goto, R. van de Geijn, *Anatomy of High-Performance Matrix Multiplication*, ACM Transactions on Mathematical Software 34, 2008. Tiles for registers and caches, by the author of the BLAS that NumPy's descends from.
# - S. Williams, A. Waterman, D. Patterson, *Roofline: An Insightful Visual Performance Model*, Communications of the ACM 52, 2009. The roof.
# - J. Wei et al., *T-MAC: CPU Renaissance via Table Lookup for Low-Bit LLM Deployment on Edge*, 2024, arXiv 2407.00088. Tables of sums.
# - ggml's type TQ1_0 (github.com/ggml-org/llama.cpp). Five trits in a byte, rounded up, decoded by multiplication.
# - H. S. Warren, *Hacker's Delight*, 2nd edition, 2012. Chapter 5 counts bits; all of it is about doing many things under one operation.
# - T. Mytkowicz et al., *Producing Wrong Data Without Doing Anything Obviously Wrong!*, ASPLOS 2009, and A. Georges, D. Buytaert, L. Eeckhout, *Statistically Rigorous Java Performance Evaluation*, OOPSLA 2007. Clocks that lie.
# - Numba's documentation, on `boundscheck`: off by default, and then "out of bounds accesses can produce garbage results or segfaults".
# - In this library: `tinyternary/kernels/packing.py`, `ladder/`, a page for each rung with bytes and operations per MAC, and `simd/`, which writes the vector instructions. `tinyternary bench kernels` measures all of it beside ONNX Runtime.
#
# **Next:** lesson 09 prices operations and bytes in picojoules.
