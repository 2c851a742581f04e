# %% [markdown]
# # Assignment 08 · Packing and kernels
#
# Three exercises and a question on lesson 08. A vendor's chip keeps trits in its own way, in files, in memory and in registers; you write down what it does. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The checks are as in the lessons: run them as often as you like.

# %% tags=["drawn"]
DIGIT_PLUS, DIGIT_ZERO, DIGIT_MINUS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1)]
COUNTS, PLACES = [
    ("1, 3, 9, 27 and 81", (1, 3, 9, 27, 81)),
    ("3, 81, 1, 27 and 9", (3, 81, 1, 27, 9)),
    ("27, 1, 81, 9 and 3", (27, 1, 81, 9, 3)),
    ("9, 27, 3, 81 and 1", (9, 27, 3, 81, 1)),
    ("81, 1, 27, 3 and 9", (81, 1, 27, 3, 9)),
]
LEAST = [3, 5, 6, 8, 10, 12]
FIRST, SECOND, FIRST_BITS, SECOND_BITS, ZERO_FIRST, ZERO_SECOND = [
    ("is +1", "is -1", (0, 0, 1), (1, 0, 0), 0, 0),
    ("is 0", "is -1", (0, 1, 0), (1, 0, 0), 255, 0),
    ("is not +1", "is 0", (1, 1, 0), (0, 1, 0), 255, 255),
    ("is +1", "is not -1", (0, 0, 1), (0, 1, 1), 0, 255),
]
ORDER, SHIFTS = [
    ("7, 6, 5, 4, 3, 2, 1, 0", (7, 6, 5, 4, 3, 2, 1, 0)),
    ("4, 5, 6, 7, 0, 1, 2, 3", (4, 5, 6, 7, 0, 1, 2, 3)),
    ("0, 2, 4, 6, 1, 3, 5, 7", (0, 2, 4, 6, 1, 3, 5, 7)),
    ("1, 0, 3, 2, 5, 4, 7, 6", (1, 0, 3, 2, 5, 4, 7, 6)),
    ("3, 2, 1, 0, 7, 6, 5, 4", (3, 2, 1, 0, 7, 6, 5, 4)),
]
LANES, SUMS, FOLDS = [(16, 4, 2), (32, 8, 3), (64, 16, 4), (128, 32, 5), (256, 64, 6)]
ROWS, COLUMNS = [(2, 5), (3, 4), (4, 6), (5, 3), (6, 2)]

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from tinyternary import course
from tinyternary.course.judge.counting import CountedInt, Tally
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

TRITS = ListedColormap([style.TRIT_COLORS[trit] for trit in (-1, 0, 1)])


def popcount(byte):
    """How many bits of a byte (0 to 255) are 1: one operation of the machine."""
    ones = CountedInt((int(byte) & 255).bit_count())
    ones.tally = getattr(byte, "tally", None) or Tally()
    ones.tally.count("popcount")
    return ones


check = course.checks("assignment-08-SEED")
my = check.mine

# %% [markdown]
# ## 1 · Base 3, the vendor's way
#
# Five trits share a byte, as in lesson 08, but not as a fraction. A trit's digit is DIGIT_PLUS for +1, DIGIT_ZERO for 0 and DIGIT_MINUS for -1. The five digits of a byte, from the first trit to the fifth, count COUNTS. The byte is their weighted sum **plus LEAST**. Where the last byte has fewer than five trits, it is filled up with the trit 0.

# %% [markdown]
# ### Exercise 8.1: pack, unpack, refuse (3 points)
#
# `pack(trits)` takes an `int8` vector of any length and returns `uint8`. `unpack(codes, count)` returns the first `count` trits as `int8`, and raises `ValueError` if one of the bytes stands for no five trits.


# %% nbgrader={"grade": false, "grade_id": "8_1_pack", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pack(trits):
    """Put five trits into a byte, in the vendor's base 3."""
    ### BEGIN SOLUTION
    full = np.zeros(-(-len(trits) // 5) * 5, np.int8)
    full[: len(trits)] = trits
    digits = np.array([DIGIT_MINUS, DIGIT_ZERO, DIGIT_PLUS])[full + 1]
    return (digits.reshape(-1, 5) @ np.array(PLACES) + LEAST).astype(np.uint8)
    ### END SOLUTION


def unpack(codes, count):
    """Return the first `count` trits of packed bytes."""
    ### BEGIN SOLUTION
    sums = np.asarray(codes).astype(int) - LEAST
    if ((sums < 0) | (sums >= 243)).any():
        raise ValueError("a byte that stands for no five trits")
    digits = sums[:, None] // np.array(PLACES) % 3
    trits = np.zeros(3, np.int8)
    trits[DIGIT_PLUS], trits[DIGIT_MINUS] = 1, -1
    return trits[digits].reshape(-1)[:count]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_1_pack_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.1")
def _(pack, unpack):
    digit = {-1: DIGIT_MINUS, 0: DIGIT_ZERO, 1: DIGIT_PLUS}
    counts, least = PLACES, LEAST
    of_zeros = least + 121 * digit[0]
    steps = {trit: digit[trit] - digit[0] for trit in (-1, 1)}
    ### BEGIN HIDDEN TESTS

    def byte_of(five):
        byte = least
        for trit, place in zip(five, counts):
            byte += place * digit[int(trit)]
        return byte

    ### END HIDDEN TESTS
    with check.part("digits and places", points=1):
        for trit in (-1, 0, 1):
            check.equal(
                pack(np.full(5, trit, np.int8)), [least + 121 * digit[trit]],
                f"Five times {trit:+d}: the digit {digit[trit]} in all five places, which count 121 "
                f"together, and {least} more. (121 times 2 is more than an int8 holds.)",
            )  # fmt: skip
        for at in range(5):
            one = np.zeros(5, np.int8)
            one[at] = -1
            check.equal(
                pack(one), [of_zeros + counts[at] * steps[-1]],
                f"The trits {one.tolist()}: what does trit {at + 1} of a byte count?",
            )  # fmt: skip
        check.dtype(pack(one), np.uint8)
    with check.part("any length", points=1):
        check.equal(
            pack(np.array([0, 0, 0, 0, 0, 1, -1], np.int8)),
            [of_zeros, of_zeros + counts[0] * steps[1] + counts[1] * steps[-1]],
            "Seven trits, 0, 0, 0, 0, 0, 1, -1, take two bytes. The second is filled up with three "
            f"trits 0, whose digit is {digit[0]}.",
        )  # fmt: skip
        check.equal(pack(np.zeros(0, np.int8)), [], "No trits, no bytes.")
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(81)
        for length in (1, 4, 5, 6, 243, 999):
            some = rng.integers(-1, 2, length).astype(np.int8)
            padded = [*some.tolist(), 0, 0, 0, 0]
            want = [byte_of(padded[k : k + 5]) for k in range(0, length, 5)]
            check.equal(pack(some), want, f"{length} random trits.")
        ### END HIDDEN TESTS
    with check.part("and back", points=1):
        packed = np.array([of_zeros, of_zeros + counts[1] * steps[1] + counts[4] * steps[-1]])
        packed = packed.astype(np.uint8)
        ten = [0, 0, 0, 0, 0, 0, 1, 0, 0, -1]
        check.equal(unpack(packed, 10), ten, "Each byte gives its five trits back.")
        check.equal(
            unpack(packed, 7), ten[:7],
            "Two bytes and count 7: what fills up the last byte is not returned.",
        )  # fmt: skip
        check.dtype(unpack(packed, 10), np.int8)
        for bad in (0, least - 1, least + 243, 255):
            check.raises(
                ValueError, lambda bad=bad: unpack(np.array([packed[0], bad], np.uint8), 10),
                f"The byte {bad}: the smallest that five trits make is {least}, the largest 242 "
                "more. (A uint8 below 0 comes back at 255.)",
            )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        every = np.stack(np.meshgrid(*[[-1, 0, 1]] * 5), -1).reshape(-1, 5)
        packed = np.array([byte_of(five) for five in every], np.uint8)
        check.equal(unpack(packed, 1215), every.reshape(-1), "All 243 patterns.")
        check.equal(unpack(np.zeros(0, np.uint8), 0), [], "No bytes, no trits.")
        ### END HIDDEN TESTS


# %% variant={"of": "8_1_pack", "wrong": "the digit is the trit plus one", "says": "in all five places"}
def pack(trits):
    full = np.zeros(-(-len(trits) // 5) * 5, int)
    full[: len(trits)] = trits
    return ((full + 1).reshape(-1, 5) @ np.array(PLACES) + LEAST).astype(np.uint8)


def unpack(codes, count):
    sums = np.asarray(codes).astype(int) - LEAST
    if sums.size and (sums.min() < 0 or sums.max() > 242):
        raise ValueError("no five trits")
    return (sums[:, None] // np.array(PLACES) % 3 - 1).astype(np.int8).reshape(-1)[:count]


# %% variant={"of": "8_1_pack", "wrong": "the first trit counts most, the others less and less", "says": "what does trit"}
def pack(trits):
    full = np.zeros(-(-len(trits) // 5) * 5, int)
    full[: len(trits)] = trits
    digits = np.array([DIGIT_MINUS, DIGIT_ZERO, DIGIT_PLUS])[full + 1]
    return (digits.reshape(-1, 5) @ np.array([81, 27, 9, 3, 1]) + LEAST).astype(np.uint8)


def unpack(codes, count):
    sums = np.asarray(codes).astype(int) - LEAST
    if sums.size and (sums.min() < 0 or sums.max() > 242):
        raise ValueError("no five trits")
    trits = np.zeros(3, np.int8)
    trits[DIGIT_PLUS], trits[DIGIT_MINUS] = 1, -1
    return trits[sums[:, None] // np.array([81, 27, 9, 3, 1]) % 3].reshape(-1)[:count]


# %% variant={"of": "8_1_pack", "wrong": "the last byte is filled up with nothing", "says": "three trits 0"}
def pack(trits):
    digit = {-1: DIGIT_MINUS, 0: DIGIT_ZERO + 1 - 1, 1: DIGIT_PLUS}
    numbers = [digit[int(t)] for t in trits]
    low = 0 if DIGIT_ZERO else 1  # whatever digit 0 has, this is another one
    numbers += [low] * (-len(numbers) % 5)
    return np.array(
        [LEAST + sum(d * p for d, p in zip(numbers[i : i + 5], PLACES)) for i in range(0, len(numbers), 5)],
        np.uint8,
    )  # fmt: skip


def unpack(codes, count):
    trit = {DIGIT_MINUS: -1, DIGIT_ZERO: 0, DIGIT_PLUS: 1}
    out = []
    for code in np.asarray(codes).tolist():
        if not LEAST <= code < LEAST + 243:
            raise ValueError(code)
        out += [trit[(code - LEAST) // place % 3] for place in PLACES]
    return np.array(out[:count], np.int8)


# %% variant={"of": "8_1_pack", "wrong": "the constant is forgotten on both ways", "says": "more"}
def pack(trits):
    full = np.zeros(-(-len(trits) // 5) * 5, int)
    full[: len(trits)] = trits
    digits = np.array([DIGIT_MINUS, DIGIT_ZERO, DIGIT_PLUS])[full + 1]
    return (digits.reshape(-1, 5) @ np.array(PLACES)).astype(np.uint8)


def unpack(codes, count):
    sums = np.asarray(codes).astype(int)
    if (sums > 242).any():
        raise ValueError("no five trits")
    trits = np.zeros(3, np.int8)
    trits[DIGIT_PLUS], trits[DIGIT_MINUS] = 1, -1
    return trits[sums[:, None] // np.array(PLACES) % 3].reshape(-1)[:count]


# %% variant={"of": "8_1_pack", "wrong": "subtracts in uint8, so that small bytes pass for large ones", "says": "The byte"}
def pack(trits):
    full = np.zeros(-(-len(trits) // 5) * 5, int)
    full[: len(trits)] = trits
    digits = np.array([DIGIT_MINUS, DIGIT_ZERO, DIGIT_PLUS])[full + 1]
    return (digits.reshape(-1, 5) @ np.array(PLACES) + LEAST).astype(np.uint8)


def unpack(codes, count):
    sums = np.asarray(codes, np.uint8) - np.uint8(LEAST)
    if (sums < 0).any():
        raise ValueError("no five trits")
    trits = np.zeros(3, np.int8)
    trits[DIGIT_PLUS], trits[DIGIT_MINUS] = 1, -1
    return trits[sums[:, None].astype(int) // np.array(PLACES) % 3].reshape(-1)[:count]


# %% variant={"of": "8_1_pack", "wrong": "returns what fills up the last byte", "says": "is not returned"}
def pack(trits):
    full = np.zeros(-(-len(trits) // 5) * 5, int)
    full[: len(trits)] = trits
    digits = np.array([DIGIT_MINUS, DIGIT_ZERO, DIGIT_PLUS])[full + 1]
    return (digits.reshape(-1, 5) @ np.array(PLACES) + LEAST).astype(np.uint8)


def unpack(codes, count):
    sums = np.asarray(codes).astype(int) - LEAST
    if ((sums < 0) | (sums > 242)).any():
        raise ValueError("no five trits")
    trits = np.zeros(3, np.int8)
    trits[DIGIT_PLUS], trits[DIGIT_MINUS] = 1, -1
    return trits[sums[:, None] // np.array(PLACES) % 3].reshape(-1)


# %% variant={"of": "8_1_pack", "right": "a table of all patterns"}
def _table():
    digit = {-1: DIGIT_MINUS, 0: DIGIT_ZERO, 1: DIGIT_PLUS}
    every = np.stack(np.meshgrid(*[[-1, 0, 1]] * 5), -1).reshape(-1, 5).tolist()
    return {tuple(f): LEAST + sum(digit[t] * p for t, p in zip(f, PLACES)) for f in every}


def pack(trits):
    known, numbers = _table(), [*np.asarray(trits).tolist()]
    numbers += [0] * (-len(numbers) % 5)
    return np.array([known[tuple(numbers[i : i + 5])] for i in range(0, len(numbers), 5)], np.uint8)


def unpack(codes, count):
    known = {byte: five for five, byte in _table().items()}
    try:
        return np.array([t for c in np.asarray(codes).tolist() for t in known[c]][:count], np.int8)
    except KeyError as error:
        raise ValueError("damaged") from error


# %% variant={"of": "8_1_pack", "right": "digits taken off from the highest place"}
def pack(trits):
    digits = [{-1: DIGIT_MINUS, 0: DIGIT_ZERO, 1: DIGIT_PLUS}[int(t)] for t in trits]
    out = []
    while digits:
        five, digits = digits[:5], digits[5:]
        five += [DIGIT_ZERO] * (5 - len(five))
        out.append(LEAST + sum(d * p for d, p in zip(five, PLACES)))
    return np.array(out, np.uint8)


def unpack(codes, count):
    trit = {DIGIT_MINUS: -1, DIGIT_ZERO: 0, DIGIT_PLUS: 1}
    out = np.zeros((len(codes), 5), np.int8)
    for row, code in enumerate(codes):
        rest = int(code) - LEAST
        if rest not in range(243):
            raise ValueError(f"byte {code}")
        for place in (81, 27, 9, 3, 1):
            digit, rest = divmod(rest, place)
            out[row, PLACES.index(place)] = trit[digit]
    return out.reshape(-1)[:count]


# %% [markdown] hints={"of": "8_1_pack"}
# 1. Write down the byte of the trits +1, 0, 0, 0, 0 by hand: five digits, what each counts, and the constant.
# 2. To take a digit out: what is left after a whole division by what it counts, and after that modulo 3?
# 3. Work on numbers wider than a byte, and look at them before you take digits out.

# %%
example = np.array([1, 0, -1, 0, 0, -1, 1], np.int8)
print(f"{example.tolist()}  ->  bytes {my.pack(example).tolist()}")
print(f"and back: {my.unpack(my.pack(example), 7).tolist()}")
print(f"{8 / 5} bits a trit, where no code can do with fewer than {np.log2(3):.3f} on average")

# %% [markdown]
# ## 2 · Two planes of another kind
#
# For computing, the chip keeps a row of trits in two planes of bytes. A bit of the first plane is 1 where the trit **FIRST**; a bit of the second is 1 where the trit **SECOND**. Eight trits share a byte of each plane: from the first trit to the eighth they lie in bits ORDER (bit 0 is the lowest). The last byte is filled up with the trit 0.

# %% [markdown]
# ### Exercise 8.2: planes, and their product (3 points)
#
# `planes_of(trits)` takes an `int8` vector of any length and returns the two planes, `uint8` each.
#
# `plane_dot(w_first, w_second, x_first, x_second)` is for the paper machine of lesson 08: from the planes of two rows, both of the same kind and length, it returns the sum of the products of their trits. `popcount(byte)` is there for you to call, and counts as one operation. For each byte it may take **4 loads** and at most **16 operations**; 2 more are free at the end. A product at a time would take twenty-four and more.


# %% nbgrader={"grade": false, "grade_id": "8_2_planes_of", "locked": false, "schema_version": 3, "solution": true, "task": false}
def planes_of(trits):
    """Return two planes of bytes, eight trits a byte."""
    ### BEGIN SOLUTION
    full = np.zeros(-(-len(trits) // 8) * 8, np.int8)
    full[: len(trits)] = trits
    eights = full.reshape(-1, 8) + 1
    planes = [np.array(bits)[eights] << np.array(SHIFTS) for bits in (FIRST_BITS, SECOND_BITS)]
    return tuple(plane.sum(axis=1).astype(np.uint8) for plane in planes)
    ### END SOLUTION


def plane_dot(w_first, w_second, x_first, x_second):
    """Sum of products of two rows of trits, eight to a byte."""
    ### BEGIN SOLUTION
    count = against = 0
    for byte in range(len(w_first)):
        a, b, c, d = w_first[byte], w_second[byte], x_first[byte], x_second[byte]
        both = ((a ^ ZERO_FIRST) | (b ^ ZERO_SECOND)) & ((c ^ ZERO_FIRST) | (d ^ ZERO_SECOND))
        unlike = (a ^ c) | (b ^ d)
        count += popcount(both)
        against += popcount(both & unlike)
    return count - 2 * against
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_2_planes_of_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.2")
def _(planes_of, plane_dot):
    facts = [dict(zip((-1, 0, 1), FIRST_BITS)), dict(zip((-1, 0, 1), SECOND_BITS))]
    places = SHIFTS

    def equal_trits(*trits):
        """Bytes of the two planes, one for each trit given: it stands there eight times."""
        return [np.array([255 * fact[trit] for trit in trits], np.uint8) for fact in facts]

    def dot(w, x):
        return plane_dot(*check.counted(*equal_trits(*w), *equal_trits(*x)))

    ### BEGIN HIDDEN TESTS
    def planes(trits):
        found = np.zeros((2, -(-len(trits) // 8)), np.uint8)
        for at in range(8 * found.shape[1]):
            trit = int(trits[at]) if at < len(trits) else 0
            for plane, fact in zip(found, facts):
                plane[at // 8] |= fact[trit] << places[at % 8]
        return found

    ### END HIDDEN TESTS
    with check.part("planes", points=1):
        for trit in (-1, 0, 1):
            got = planes_of(np.full(8, trit, np.int8))
            check.true(
                isinstance(got, tuple | list) and len(got) == 2, "Return two planes, as a tuple."
            )
            check.equal(
                np.array([np.ravel(plane) for plane in got]), equal_trits(trit),
                f"Eight times {trit:+d}: the first plane says where a trit FIRST, the second where "
                "it SECOND.",
            )  # fmt: skip
        for at in range(8):
            one = np.zeros(8, np.int8)
            one[at] = 1
            turned = [255 * fact[0] ^ (fact[0] ^ fact[1]) << places[at] for fact in facts]
            check.equal(
                planes_of(one), np.array(turned)[:, None],
                f"Trit {at + 1} of eight is +1, the others 0: in which bit does it lie?",
            )  # fmt: skip
        check.dtype(planes_of(one)[0], np.uint8)
        check.dtype(planes_of(one)[1], np.uint8)
        check.equal(
            planes_of(np.zeros(3, np.int8)), equal_trits(0),
            "Three trits 0: the byte is filled up with five more, and each plane says of them what "
            "it says of any 0.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(82)
        for length in (1, 7, 8, 9, 500):
            some = rng.integers(-1, 2, length).astype(np.int8)
            check.equal(planes_of(some), planes(some), f"{length} random trits.")
        ### END HIDDEN TESTS
    with check.part("the product", points=1):
        for w in (0, 1, -1):
            for x in (0, 1, -1):
                check.equal(
                    dot([w], [x]), 8 * w * x,
                    f"Eight times {w:+d} and eight times {x:+d}, a byte in each plane.",
                )  # fmt: skip
        check.equal(
            dot([-1, 1, -1, 0, 1], [1, 1, 1, 1, 1]), 0,
            "Forty trits, five bytes: eight times -1, eight times +1, and so on, and forty times "
            "+1.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(83)
        for length in (1, 8, 9, 64, 777):
            w, x = rng.integers(-1, 2, (2, length))
            got = plane_dot(*check.counted(*planes(w), *planes(x)))
            check.equal(got, int(w @ x), f"{length} random trits.")
        ### END HIDDEN TESTS
    with check.part("few operations", points=1):
        for w, x in ((1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (-1, 0), (0, 0)):
            check.equal(dot([w], [x]), 8 * w * x, "The product first, then the operations.")
        check.equal(
            dot([1, -1, 0, -1, 1, 0], [1, 1, -1, -1, 1, 1]), 16,
            "The product first, then the operations.",
        )  # fmt: skip
        tally = check.tally
        done = sum(tally.counts.values()) - tally.load - tally.store
        check.true(
            done >= 6 * 6,
            f"{done} operations in six bytes. It cannot be done with fewer than 36, so something was "
            "done where the machine does not see it: leave the numbers as they come, and count bits "
            "with popcount.",
        )
        check.true(
            tally.load == 24,
            f"{tally.load} loads in six bytes, and it takes 24: load each byte once, as `w_first[i]`, "
            "into a variable. Whole arrays at once are nothing for this machine.",
        )
        check.true(
            done <= 6 * 16 + 2,
            f"{done} operations in six bytes, where {6 * 16 + 2} are allowed. Which bits count at all? "
            "Which of those count as -1? Two popcounts are enough.",
        )


# %% variant={"of": "8_2_planes_of", "wrong": "the lesson's planes: not zero, and negative", "says": "the first plane says"}
def planes_of(trits):
    full = np.zeros(-(-len(trits) // 8) * 8, np.int8)
    full[: len(trits)] = trits
    eights = full.reshape(-1, 8)
    return tuple(
        (facts << np.array(SHIFTS)).sum(axis=1).astype(np.uint8)
        for facts in ((eights != 0).astype(int), (eights < 0).astype(int))
    )


def plane_dot(w_first, w_second, x_first, x_second):
    count = against = 0
    for i in range(len(w_first)):
        both = w_first[i] & x_first[i]
        count += popcount(both)
        against += popcount(both & (w_second[i] ^ x_second[i]))
    return count - 2 * against


# %% variant={"of": "8_2_planes_of", "wrong": "the first trit in the lowest bit, and so on", "says": "in which bit"}
def planes_of(trits):
    full = np.zeros(-(-len(trits) // 8) * 8, np.int8)
    full[: len(trits)] = trits
    eights = full.reshape(-1, 8) + 1
    return tuple(
        (np.array(bits)[eights] << np.arange(8)).sum(axis=1).astype(np.uint8)
        for bits in (FIRST_BITS, SECOND_BITS)
    )


def plane_dot(w_first, w_second, x_first, x_second):
    return 0


# %% variant={"of": "8_2_planes_of", "wrong": "the two planes exchanged", "says": "the first plane says"}
def planes_of(trits):
    full = np.zeros(-(-len(trits) // 8) * 8, np.int8)
    full[: len(trits)] = trits
    eights = full.reshape(-1, 8) + 1
    return tuple(
        (np.array(bits)[eights] << np.array(SHIFTS)).sum(axis=1).astype(np.uint8)
        for bits in (SECOND_BITS, FIRST_BITS)
    )


def plane_dot(w_first, w_second, x_first, x_second):
    return 0


# %% variant={"of": "8_2_planes_of", "wrong": "signs that meet a zero count", "says": "Eight times"}
def planes_of(trits):
    out = np.zeros((2, -(-len(trits) // 8)), np.uint8)
    for i in range(8 * out.shape[1]):
        t = int(trits[i]) if i < len(trits) else 0
        for plane, bits in zip(out, (FIRST_BITS, SECOND_BITS)):
            plane[i // 8] |= bits[t + 1] << SHIFTS[i % 8]
    return tuple(out)


def plane_dot(w_first, w_second, x_first, x_second):
    za, zb = ZERO_FIRST, ZERO_SECOND
    total = 0
    for i in range(len(w_first)):
        a, b, c, d = w_first[i], w_second[i], x_first[i], x_second[i]
        both = ((a ^ za) | (b ^ zb)) & ((c ^ za) | (d ^ zb))
        total += popcount(both) - 2 * popcount((a ^ c) | (b ^ d))
    return total


# %% variant={"of": "8_2_planes_of", "wrong": "products of opposite signs are left out, not subtracted", "says": "Eight times"}
def planes_of(trits):
    out = np.zeros((2, -(-len(trits) // 8)), np.uint8)
    for i in range(8 * out.shape[1]):
        t = int(trits[i]) if i < len(trits) else 0
        for plane, bits in zip(out, (FIRST_BITS, SECOND_BITS)):
            plane[i // 8] |= bits[t + 1] << SHIFTS[i % 8]
    return tuple(out)


def plane_dot(w_first, w_second, x_first, x_second):
    za, zb = ZERO_FIRST, ZERO_SECOND
    total = 0
    for i in range(len(w_first)):
        a, b, c, d = w_first[i], w_second[i], x_first[i], x_second[i]
        both = ((a ^ za) | (b ^ zb)) & ((c ^ za) | (d ^ zb))
        total += popcount(both) - popcount(both & ((a ^ c) | (b ^ d)))
    return total


# %% variant={"of": "8_2_planes_of", "wrong": "trit by trit, far over the budget", "says": "operations in six bytes"}
def planes_of(trits):
    out = np.zeros((2, -(-len(trits) // 8)), np.uint8)
    for i in range(8 * out.shape[1]):
        t = int(trits[i]) if i < len(trits) else 0
        for plane, bits in zip(out, (FIRST_BITS, SECOND_BITS)):
            plane[i // 8] |= bits[t + 1] << SHIFTS[i % 8]
    return tuple(out)


def plane_dot(w_first, w_second, x_first, x_second):
    trit = {(FIRST_BITS[i], SECOND_BITS[i]): i - 1 for i in range(3)}
    total = 0
    for i in range(len(w_first)):
        a, b, c, d = w_first[i], w_second[i], x_first[i], x_second[i]
        for s in range(8):
            total = total + trit[(a >> s) & 1, (b >> s) & 1] * trit[(c >> s) & 1, (d >> s) & 1]
    return total


# %% variant={"of": "8_2_planes_of", "wrong": "counts where the machine does not see it", "says": "does not see it"}
def planes_of(trits):
    out = np.zeros((2, -(-len(trits) // 8)), np.uint8)
    for i in range(8 * out.shape[1]):
        t = int(trits[i]) if i < len(trits) else 0
        for plane, bits in zip(out, (FIRST_BITS, SECOND_BITS)):
            plane[i // 8] |= bits[t + 1] << SHIFTS[i % 8]
    return tuple(out)


def plane_dot(w_first, w_second, x_first, x_second):
    za, zb = ZERO_FIRST, ZERO_SECOND
    total = 0
    for i in range(len(w_first)):
        a, b, c, d = (int(v[i]) for v in (w_first, w_second, x_first, x_second))
        both = ((a ^ za) | (b ^ zb)) & ((c ^ za) | (d ^ zb))
        total += both.bit_count() - 2 * (both & ((a ^ c) | (b ^ d))).bit_count()
    return total


# %% variant={"of": "8_2_planes_of", "right": "alike and unlike, by four masks"}
def planes_of(trits):
    out = [[], []]
    numbers = [*np.asarray(trits).tolist()]
    numbers += [0] * (-len(numbers) % 8)
    for i in range(0, len(numbers), 8):
        for plane, bits in zip(out, (FIRST_BITS, SECOND_BITS)):
            plane.append(sum(bits[t + 1] << s for t, s in zip(numbers[i : i + 8], SHIFTS)))
    return np.array(out[0], np.uint8), np.array(out[1], np.uint8)


def plane_dot(w_first, w_second, x_first, x_second):
    za, zb = ZERO_FIRST, ZERO_SECOND
    plus = minus = 0
    for a, b, c, d in zip(w_first, w_second, x_first, x_second):
        alive = ((a ^ za) | (b ^ zb)) & ((c ^ za) | (d ^ zb))
        other = ((a ^ c) | (b ^ d)) & alive
        plus = plus + popcount(alive ^ other)
        minus = minus + popcount(other)
    return plus - minus


# %% variant={"of": "8_2_planes_of", "right": "the sign from the plane that tells + from -, masks only where needed"}
def planes_of(trits):
    order = np.argsort(np.array(SHIFTS))
    full = np.concatenate([trits, np.zeros(-len(trits) % 8, np.int8)]).reshape(-1, 8)[:, order]
    return tuple(
        np.packbits(np.array(bits, np.uint8)[full + 1], axis=1, bitorder="little").reshape(-1)
        for bits in (FIRST_BITS, SECOND_BITS)
    )


def plane_dot(w_first, w_second, x_first, x_second):
    by_first = FIRST_BITS[0] != FIRST_BITS[2]
    total = 0
    for i in range(len(w_first)):
        a, b, c, d = w_first[i], w_second[i], x_first[i], x_second[i]
        unlike = a ^ c if by_first else b ^ d
        if FIRST_BITS[1]:
            a, c = 255 - a, 255 - c
        if SECOND_BITS[1]:
            b, d = 255 - b, 255 - d
        both = (a | b) & (c | d)
        total = total + popcount(both) - (popcount(both & unlike) << 1)
    return total


# %% [markdown] hints={"of": "8_2_planes_of"}
# 1. Make a table of three rows, -1, 0 and +1, with the two bits that each has. Which pair of bits does no trit have?
# 2. From the table: which bitwise operations on the two planes say where a trit is not 0? A bit is turned round by `^ 255`.
# 3. Of two trits that are not 0, which planes tell whether they have the same sign?

# %%
row = np.random.default_rng([82, SEED]).integers(-1, 2, 16).astype(np.int8)
first, second = my.planes_of(row)
fig, axes = plt.subplots(3, 1, figsize=(9, 2.6))
for ax, values, name in zip(
    axes,
    (row, np.unpackbits(first), np.unpackbits(second)),
    ("sixteen trits", "first plane, bits 7 to 0", "second plane, bits 7 to 0"),
):
    shown = values[None] if name == "sixteen trits" else values[None].astype(int)
    colors, least = (TRITS, -1) if name == "sixteen trits" else ("Greys", 0)
    ax.imshow(shown, cmap=colors, vmin=least, vmax=1, aspect="auto")
    for i, value in enumerate(values):
        ax.text(i, 0, f"{value:+d}" if name == "sixteen trits" and value else f"{value}",
                ha="center", va="center", color="white" if value else style.INK)  # fmt: skip
    ax.axvline(7.5, color=style.INK, lw=1)
    ax.set(xticks=[], yticks=[0], yticklabels=[name])
plt.show()
print(f"the row with itself: {my.plane_dot(first, second, first, second)}, "
      f"its trits that are not 0: {np.count_nonzero(row)}")  # fmt: skip

# %% [markdown]
# ## 3 · What a tile costs
#
# For large products the chip has vectors of LANES numbers. It computes $Y$ (m × n) from inputs $X$ (m × k) and weights $W$ (n × k), tile by tile; a tile is ROWS rows by COLUMNS columns of $Y$, and at the lower and right edges it is smaller, as $m$ and $n$ leave it. Rows of $X$ and $W$ are read along $k$, LANES numbers a vector, and the last vector of a row is filled up.
#
# - For each vector along $k$, a tile **loads** one vector for each of its rows and one for each of its columns. Nothing is kept from one tile to the next.
# - Then it takes one **product** instruction for each of its outputs: LANES products, added to that output's own vector of SUMS sums.
# - When $k$ is through, each output's vector of sums is folded in halves: FOLDS **additions** for each output.

# %% [markdown]
# ### Exercise 8.3: count it (2 points)
#
# `tile_costs(m, k, n)` returns `(loads, products, additions)`, three whole numbers, for $m$, $k$ and $n$ from 1: how many instructions of each kind the chip takes for the whole product.


# %% nbgrader={"grade": false, "grade_id": "8_3_tile_costs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tile_costs(m, k, n):
    """Return how many loads, products and additions a product takes, tile by tile."""
    ### BEGIN SOLUTION
    vectors = -(-k // LANES)
    down, across = -(-m // ROWS), -(-n // COLUMNS)
    return vectors * (m * across + n * down), vectors * m * n, FOLDS * m * n
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "8_3_tile_costs_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("8.3")
def _(tile_costs):
    rows, columns, lanes, folds = ROWS, COLUMNS, LANES, FOLDS
    with check.part("whole tiles", points=1):
        check.equal(
            tile_costs(rows, lanes, columns),
            [rows + columns, rows * columns, folds * rows * columns],
            f"One tile of {rows} by {columns}, one vector along k: {rows} and {columns} loads, a "
            f"product for each output, and {folds} additions for each.",
        )  # fmt: skip
        check.equal(
            tile_costs(rows, 3 * lanes, columns),
            [3 * (rows + columns), 3 * rows * columns, folds * rows * columns],
            "Three vectors along k: three times the loads and products. The folding comes once, at "
            "the end.",
        )  # fmt: skip
        check.equal(
            tile_costs(2 * rows, lanes, columns)[0], 2 * (rows + columns),
            "Two tiles, one below the other: each loads the weights for itself.",
        )  # fmt: skip
        check.equal(
            tile_costs(rows, lanes, 3 * columns)[0], 3 * (rows + columns),
            "Three tiles side by side: each loads the inputs for itself.",
        )  # fmt: skip
        got = tile_costs(rows, lanes, columns)
        check.true(
            all(isinstance(v, int | np.integer) for v in got), "Instructions are whole numbers."
        )
        ### BEGIN HIDDEN TESTS
        check.equal(
            tile_costs(4 * rows, 5 * lanes, 6 * columns),
            [120 * (rows + columns), 120 * rows * columns, 24 * folds * rows * columns],
            "Four by six tiles, five vectors along k.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("edges", points=1):
        check.equal(
            tile_costs(rows + 1, lanes, 1)[0], rows + 1 + 2,
            f"{rows + 1} rows and one column are a tile of {rows} by 1 and one of 1 by 1: the tile "
            "at the edge loads what it has, and no more.",
        )  # fmt: skip
        check.equal(
            tile_costs(1, lanes, columns + 1)[0], columns + 1 + 2,
            f"One row and {columns + 1} columns: a tile of 1 by {columns} and one of 1 by 1.",
        )  # fmt: skip
        check.equal(
            tile_costs(1, lanes + 1, 1), [4, 2, folds],
            f"k = {lanes + 1} takes two vectors, the second nearly empty.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(84)
        for _ in range(8):
            m, n = (int(v) for v in rng.integers(1, 20, 2))
            k = int(rng.integers(1, 4 * lanes))
            loads = 0
            for i in range(0, m, rows):
                for j in range(0, n, columns):
                    loads += min(rows, m - i) + min(columns, n - j)
            steps = len(range(0, k, lanes))
            check.equal(
                tile_costs(m, k, n), [steps * loads, steps * m * n, folds * m * n],
                f"m = {m}, k = {k}, n = {n}: go through the tiles one by one.",
            )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "8_3_tile_costs", "wrong": "the lesson's formula, which knows whole tiles only"}
def tile_costs(m, k, n):
    vectors = -(-k // LANES)
    loads = round(m * n * vectors * (1 / ROWS + 1 / COLUMNS))
    return loads, m * n * vectors, m * n * FOLDS


# %% variant={"of": "8_3_tile_costs", "wrong": "tiles at the edge load as much as whole ones", "says": "loads what it has"}
def tile_costs(m, k, n):
    vectors = -(-k // LANES)
    tiles = -(-m // ROWS) * -(-n // COLUMNS)
    return vectors * tiles * (ROWS + COLUMNS), m * n * vectors, m * n * FOLDS


# %% variant={"of": "8_3_tile_costs", "wrong": "rows and columns of the tile exchanged"}
def tile_costs(m, k, n):
    vectors = -(-k // LANES)
    loads = vectors * (m * -(-n // ROWS) + n * -(-m // COLUMNS))
    return loads, m * n * vectors, m * n * FOLDS


# %% variant={"of": "8_3_tile_costs", "wrong": "the rest of k is left out", "says": "nearly empty"}
def tile_costs(m, k, n):
    vectors = max(1, k // LANES)
    loads = vectors * (m * -(-n // COLUMNS) + n * -(-m // ROWS))
    return loads, m * n * vectors, m * n * FOLDS


# %% variant={"of": "8_3_tile_costs", "wrong": "folds after every vector along k", "says": "comes once"}
def tile_costs(m, k, n):
    vectors = -(-k // LANES)
    loads = vectors * (m * -(-n // COLUMNS) + n * -(-m // ROWS))
    return loads, m * n * vectors, m * n * vectors * FOLDS


# %% variant={"of": "8_3_tile_costs", "wrong": "the weights stay for all tiles", "says": "weights for itself"}
def tile_costs(m, k, n):
    vectors = -(-k // LANES)
    return vectors * (m * -(-n // COLUMNS) + n), m * n * vectors, m * n * FOLDS


# %% variant={"of": "8_3_tile_costs", "right": "tile by tile"}
def tile_costs(m, k, n):
    loads = products = additions = 0
    for top in range(0, m, ROWS):
        for left in range(0, n, COLUMNS):
            r, c = min(ROWS, m - top), min(COLUMNS, n - left)
            for _ in range(0, k, LANES):
                loads += r + c
                products += r * c
            additions += FOLDS * r * c
    return loads, products, additions


# %% variant={"of": "8_3_tile_costs", "right": "rounded up by divmod"}
def tile_costs(m, k, n):
    vectors, down, across = (
        whole + (rest > 0) for whole, rest in map(divmod, (k, m, n), (LANES, ROWS, COLUMNS))
    )
    return (m * across + n * down) * vectors, vectors * n * m, n * m * FOLDS


# %% [markdown] hints={"of": "8_3_tile_costs"}
# 1. Draw $Y$ with its tiles for m = 7 and n = 8. How many tiles are in a row of tiles, and what do they load together?
# 2. How often is one row of $X$ loaded in all, and one row of $W$?
# 3. Rounding up a division of whole numbers: `-(-a // b)`.

# %%
rows_of_x = np.arange(1, 31)
costs = np.array([my.tile_costs(int(m), 1024, 512) for m in rows_of_x])
fig, ax = plt.subplots(figsize=(9, 2.8))
ax.plot(rows_of_x, costs[:, 0] / costs[:, 1], "o-", color=style.TERNARY, ms=4, label="loads")
ax.plot(rows_of_x, costs[:, 2] / costs[:, 1], color=style.ACCENT, label="additions")
ax.axhline(1 / ROWS + 1 / COLUMNS, color=style.MUTED, lw=1, ls="--", label="whole tiles only")
ax.set(xlabel="rows of inputs", ylabel="for each product", ylim=(0, None),
       title="Tiles of ROWS by COLUMNS: what one row costs, and what many do")  # fmt: skip
ax.legend()
plt.show()

# %% [markdown] nbgrader={"grade": true, "grade_id": "8_4_words", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 8.4: which one where? (2 points, in words)
#
# The vendor's driver knows three ways for trits: the bytes of exercise 8.1, the planes of 8.2, and two bits a trit as in the lesson. Which would you use for the file that is sent over a slow link, which for a product of ternary weights with ternary inputs, and which for ternary weights with `int8` inputs? Give for each the bits a trit takes and one reason that has to do with operations.
#
# ### BEGIN SOLUTION
# The link: base 3, 1.6 bits a trit (eight bits for five). Every bit is waited for, and the byte is decoded only once, when the file is read. To compute from it would be slow, since its digits come off by a division (or multiplication and shift) each, and one after the other.
#
# Ternary times ternary: planes, 2 bits a trit. A bitwise operation works on all trits of a word at once and a popcount adds them up, so that here a dozen or so operations do eight products, or sixty-four in a 64-bit word.
#
# Ternary times `int8`: two-bit codes, 2 bits a trit. The inputs would need eight planes, and the whole count once for each; two-bit fields are taken out by a mask and a shift, all fields of a vector at once, and the product instruction takes them as small integers.
# ### END SOLUTION

# %% [markdown] rubric={"of": "8_4_words"}
# 1 point: base 3 for the link, with 1.6 bits and that its digits cost too much work, or come one after the other, for a kernel. 1 point: planes for ternary inputs and two-bit codes for `int8`, with 2 bits each and a reason for either (all bits of a word at once and popcount; eight planes of `int8` multiply the work). Half of it if only one of the two has a reason.

# %%
check.summary()
