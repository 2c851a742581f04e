# %% [markdown]
# # Assignment 10 · Deployment
#
# Three exercises and a question on lesson 10: a file of another make with a seal, what a network has to be told about its images, and a promise about slow answers. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The checks are as in the lessons: run them as often as you like.

# %% tags=["drawn"]
MAGIC = ["TRIT", "TRNX", "BITS", "PACK", "TNET"]
WIDTH, ENDS, ENDIAN = [
    (2, "lowest", "little"), (3, "highest", "big"), (4, "lowest", "little"),
    (2, "highest", "big"), (3, "lowest", "little"), (4, "highest", "big"),
]  # fmt: skip
FACTOR = [3, 5, 7, 11, 13, 17, 19]
MODULUS = [65521, 65519, 65497, 65479, 65449]
MEANS = [(0.42, 0.5, 0.61), (0.55, 0.48, 0.4), (0.37, 0.45, 0.52), (0.6, 0.57, 0.49)]
SPREADS = [(0.2, 0.25, 0.3), (0.31, 0.22, 0.27), (0.24, 0.33, 0.21), (0.28, 0.26, 0.35), (0.23, 0.29, 0.32)]  # fmt: skip
SKIP = [2, 3, 4, 5, 6, 8]
PERCENT = [90, 92, 94, 96, 97, 98]

# %% tags=["setup"]
import json

import matplotlib.pyplot as plt
import numpy as np

from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

check = course.checks("assignment-10-SEED")
my = check.mine

# %% [markdown]
# ## 1 · A file with a seal
#
# The format of this assignment, from its first byte to its last:
#
# | part | bytes |
# |---|---|
# | the four letters `MAGIC` in ASCII | 4 |
# | the length of the header, as an unsigned integer, its ENDS byte first | WIDTH |
# | the header: JSON in UTF-8 | as long as said |
# | the payload: packed weights | all the rest but the last two |
# | the seal, as an unsigned integer, its ENDS byte first | 2 |
#
# The **seal** is computed over every byte before it, from the first to the last of the payload: start with $s = 1$, and for each byte $b$ let $s \leftarrow (FACTOR \cdot s + b) \bmod MODULUS$.

# %% [markdown]
# ### Exercise 10.1: write it, read it (4 points)
#
# `write(header, payload)` takes a dictionary and `bytes`, and returns the file as `bytes`. `read(data)` gives `(header, payload)` back, and raises `ValueError` for anything that is not such a file: other letters, a length that leads beyond the end, a seal that does not fit, a header that is no JSON, or too few bytes for even that.


# %% nbgrader={"grade": false, "grade_id": "10_1_write", "locked": false, "schema_version": 3, "solution": true, "task": false}
def write(header, payload):
    """Return the bytes of a file."""
    ### BEGIN SOLUTION
    text = json.dumps(header).encode()
    body = MAGIC.encode() + len(text).to_bytes(WIDTH, ENDIAN) + text + payload
    s = 1
    for byte in body:
        s = (FACTOR * s + byte) % MODULUS
    return body + s.to_bytes(2, ENDIAN)
    ### END SOLUTION


def read(data):
    """Return header and payload of a file; refuse what is none."""
    ### BEGIN SOLUTION
    start = 4 + WIDTH
    if len(data) < start + 2 or data[:4] != MAGIC.encode():
        raise ValueError("not a file of this kind")
    body, seal = data[:-2], int.from_bytes(data[-2:], ENDIAN)
    s = 1
    for byte in body:
        s = (FACTOR * s + byte) % MODULUS
    if s != seal:
        raise ValueError("the seal is broken")
    end = start + int.from_bytes(body[4:start], ENDIAN)
    if end > len(body):
        raise ValueError("the header is longer than the file")
    return json.loads(body[start:end].decode()), body[end:]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "10_1_write_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
@check.exercise("10.1")
def _(write, read):
    letters, width, endian = MAGIC.encode(), WIDTH, ENDIAN
    factor, modulus = FACTOR, MODULUS

    def sealed(body):
        total = 1
        for k in range(len(body)):
            total = (total * factor + body[k]) % modulus
        return bytes(body) + int.to_bytes(total, 2, endian)

    def made(text, payload, length=None):
        size = int.to_bytes(len(text) if length is None else length, width, endian)
        return sealed(b"".join([letters, size, text, payload]))

    header, payload = {"version": 3, "name": "näher"}, bytes(range(40, 71))
    good = made(json.dumps(header).encode(), payload)
    with check.part("writing", points=1):
        got = write(header, payload)
        check.true(isinstance(got, bytes), "A file is `bytes`.")
        check.equal(list(got[:4]), list(letters), "It begins with the four letters.")
        length = int.from_bytes(got[4 : 4 + width], endian)
        check.true(
            4 + width + length + len(payload) + 2 == len(got),
            f"The length of the header stands in {width} bytes, and says {length:,}; the whole file "
            f"has {len(got):,}. Which byte comes first, and are letters counted or bytes?",
        )  # fmt: skip
        check.true(
            json.loads(got[4 + width : 4 + width + length]) == header, "Then the header, as JSON."
        )
        check.equal(list(got[4 + width + length : -2]), list(payload), "Then the payload as it is.")
        check.equal(
            list(got[-2:]), list(sealed(got[:-2])[-2:]),
            "The seal is over every byte before it, the letters too, and starts with 1.",
        )  # fmt: skip
    with check.part("reading", points=1):
        back = read(good)
        check.true(back[0] == header, f"The header comes back; you gave {back[0]!r}.")
        check.equal(list(back[1]), list(payload), "The payload comes back, without the seal.")
        check.true(read(made(b"{}", b""))[1] == b"", "A file without a payload is one.")
        spaced = made(b'{"a":\n [1]}', b"\x00\xff")
        check.true(read(spaced)[0] == {"a": [1]}, "JSON of somebody else's making.")
    with check.part("refusing", points=2):
        check.raises(
            ValueError, lambda: read(sealed(b"ELSE" + good[4:-2])), "Other letters, sealed well."
        )  # fmt: skip
        check.raises(
            ValueError, lambda: read(made(b"{}", b"abc", length=6)),
            "Sealed well, and its header is said to be longer than what is left of the file.",
        )  # fmt: skip
        for place in (0, 4, 4 + width, len(good) // 2, len(good) - 3, len(good) - 1):
            bent = bytearray(good)
            bent[place] ^= 4
            check.raises(
                ValueError, lambda bent=bent: read(bytes(bent)),
                f"A bit of byte {place} has flipped: the seal does not fit any more.",
            )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.raises(
            ValueError, lambda: read(made(b"{}", b"", length=5)),
            "Sealed well, and its header is said to be longer than what is left of the file.",
        )  # fmt: skip
        long = {"names": ["class"] * 60}
        check.true(
            read(made(json.dumps(long).encode(), b"ab")) == (long, b"ab"),
            "A header of more than 255 bytes: its length takes two of them.",
        )
        for size in range(len(good)):
            check.raises(
                ValueError, lambda size=size: read(good[:size]), f"The first {size} bytes of a file."
            )  # fmt: skip
        check.raises(ValueError, lambda: read(good + b"\x00"), "A byte more at its end.")
        check.raises(
            ValueError, lambda: read(made(b"{no json", b"ab")), "A header that is no JSON."
        )
        check.raises(
            ValueError, lambda: read(made(b"\xff\xfe", b"ab")), "A header that is no UTF-8."
        )
        check.true(read(made(b"[]", b"xyz"))[1] == b"xyz", "The header ends where it says.")
        ### END HIDDEN TESTS


# %% variant={"of": "10_1_write", "wrong": "the seal leaves out the letters", "says": "letters too"}
def write(header, payload):
    text = json.dumps(header).encode()
    body = len(text).to_bytes(WIDTH, ENDIAN) + text + payload
    s = 1
    for byte in body:
        s = (FACTOR * s + byte) % MODULUS
    return MAGIC.encode() + body + s.to_bytes(2, ENDIAN)


def read(data):
    s = 1
    for byte in data[4:-2]:
        s = (FACTOR * s + byte) % MODULUS
    end = 4 + WIDTH + int.from_bytes(data[4 : 4 + WIDTH], ENDIAN)
    if data[:4] != MAGIC.encode() or s != int.from_bytes(data[-2:], ENDIAN) or end > len(data) - 2:
        raise ValueError
    return json.loads(data[4 + WIDTH : end]), data[end:-2]


# %% variant={"of": "10_1_write", "wrong": "letters of the header are counted, not bytes", "says": "letters counted or bytes"}
def write(header, payload):
    text = json.dumps(header, ensure_ascii=False)
    body = MAGIC.encode() + len(text).to_bytes(WIDTH, ENDIAN) + text.encode() + payload
    s = 1
    for byte in body:
        s = (FACTOR * s + byte) % MODULUS
    return body + s.to_bytes(2, ENDIAN)


def read(data):
    s = 1
    for byte in data[:-2]:
        s = (FACTOR * s + byte) % MODULUS
    end = 4 + WIDTH + int.from_bytes(data[4 : 4 + WIDTH], ENDIAN)
    if data[:4] != MAGIC.encode() or s != int.from_bytes(data[-2:], ENDIAN) or end > len(data) - 2:
        raise ValueError
    return json.loads(data[4 + WIDTH : end]), data[end:-2]


# %% variant={"of": "10_1_write", "wrong": "the length is not compared with what is there", "says": "longer than what is left"}
def write(header, payload):
    text = json.dumps(header).encode()
    body = MAGIC.encode() + len(text).to_bytes(WIDTH, ENDIAN) + text + payload
    s = 1
    for byte in body:
        s = (FACTOR * s + byte) % MODULUS
    return body + s.to_bytes(2, ENDIAN)


def read(data):
    s = 1
    for byte in data[:-2]:
        s = (FACTOR * s + byte) % MODULUS
    if data[:4] != MAGIC.encode() or s != int.from_bytes(data[-2:], ENDIAN):
        raise ValueError
    end = 4 + WIDTH + int.from_bytes(data[4 : 4 + WIDTH], ENDIAN)
    return json.JSONDecoder().raw_decode(data[4 + WIDTH : end].decode("latin-1"))[0], data[end:-2]


# %% variant={"of": "10_1_write", "wrong": "the seal is written, and never looked at", "says": "seal does not fit"}
def write(header, payload):
    text = json.dumps(header).encode()
    body = MAGIC.encode() + len(text).to_bytes(WIDTH, ENDIAN) + text + payload
    s = 1
    for byte in body:
        s = (FACTOR * s + byte) % MODULUS
    return body + s.to_bytes(2, ENDIAN)


def read(data):
    end = 4 + WIDTH + int.from_bytes(data[4 : 4 + WIDTH], ENDIAN)
    if data[:4] != MAGIC.encode() or end > len(data) - 2:
        raise ValueError
    return json.loads(data[4 + WIDTH : end]), data[end:-2]


# %% variant={"of": "10_1_write", "right": "one function for the seal, and a memoryview"}
def _seal(body):
    s = 1
    for byte in memoryview(body):
        s = (s * FACTOR + byte) % MODULUS
    return s.to_bytes(2, ENDIAN)


def write(header, payload):
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    body = b"%b%b%b%b" % (MAGIC.encode(), len(text).to_bytes(WIDTH, ENDIAN), text, payload)
    return body + _seal(body)


def read(data):
    if len(data) < 6 + WIDTH:
        raise ValueError("too short")
    if _seal(data[:-2]) != data[-2:]:
        raise ValueError("damaged")
    if not data.startswith(MAGIC.encode()):
        raise ValueError("another format")
    rest = data[4 + WIDTH : -2]
    length = int.from_bytes(data[4 : 4 + WIDTH], ENDIAN)
    if length > len(rest):
        raise ValueError("too short for its header")
    return json.loads(rest[:length]), rest[length:]


# %% variant={"of": "10_1_write", "right": "read by writing again"}
def write(header, payload):
    return _whole(json.dumps(header).encode(), payload)


def _whole(text, payload):
    body = MAGIC.encode() + len(text).to_bytes(WIDTH, ENDIAN) + text + payload
    total = 1
    for byte in body:
        total = (total * FACTOR + byte) % MODULUS
    return body + total.to_bytes(2, ENDIAN)


def read(data):
    start = 4 + WIDTH
    end = start + int.from_bytes(data[4:start], ENDIAN)
    text, payload = data[start:end], data[end:-2]
    if len(data) < end + 2 or _whole(text, payload) != data:
        raise ValueError("this is not what a writer makes")
    return json.loads(text), payload


# %% [markdown] hints={"of": "10_1_write"}
# 1. `int.to_bytes` and `int.from_bytes` know how many bytes, and which comes first.
# 2. Look at each slice in `read`: what is it, if the file ends before? A slice does not complain.

# %%
data = my.write({"layer": "fc1", "shape": [4, 8]}, bytes([0b10_01_00_10] * 8))
caught = 0
for place in range(8 * len(data)):
    bent = bytearray(data)
    bent[place // 8] ^= 1 << place % 8
    try:
        my.read(bytes(bent))
    except ValueError:
        caught += 1
print(f"{len(data)} bytes; of {8 * len(data)} single bits flipped, {caught} were refused")

# %% [markdown]
# ## 2 · What the network has to be told
#
# This network was trained on images whose channels were standardised: red, green and blue with the means MEANS and the spreads SPREADS, of values from 0 to 1. A camera gives bytes from 0 to 255, and stores **blue first**. The network wants channels in front.

# %% [markdown]
# ### Exercise 10.2: prepare (2 points)
#
# `prepare(images)` takes `uint8` of shape (n, height, width, 3), blue, green, red, and returns `float32` of shape (n, 3, height, width), red first, standardised.


# %% nbgrader={"grade": false, "grade_id": "10_2_prepare", "locked": false, "schema_version": 3, "solution": true, "task": false}
def prepare(images):
    """Turn a camera's images into what the network was trained on."""
    ### BEGIN SOLUTION
    red_first = images[..., ::-1] / 255
    standard = (red_first - np.array(MEANS)) / np.array(SPREADS)
    return standard.transpose(0, 3, 1, 2).astype(np.float32)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "10_2_prepare_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("10.2")
def _(prepare):
    means, spreads = MEANS, SPREADS
    blue = np.zeros((1, 2, 3, 3), np.uint8)
    blue[..., 0] = 255
    near = {"rtol": 1e-4, "atol": 1e-5}
    with check.part("channels", points=1):
        got = np.asarray(prepare(blue))
        check.equal(got.shape, (1, 3, 2, 3), "Channels in front, then height and width.")
        check.dtype(got, np.float32)
        want = [(v - m) / s for v, m, s in zip((0, 0, 1), means, spreads)]
        check.close(
            got[0, :, 0, 0], want,
            "An image that is blue all over: the first channel is red's, and there is none.", **near,
        )  # fmt: skip
    with check.part("standardised", points=1):
        rng = np.random.default_rng(102)
        images = rng.integers(0, 256, size=(2, 3, 5, 3)).astype(np.uint8)
        kept = images.copy()
        want = np.zeros((2, 3, 3, 5))
        for n, row, column, channel in np.ndindex(2, 3, 5, 3):
            value = int(images[n, row, column, 2 - channel]) / 255
            want[n, channel, row, column] = (value - means[channel]) / spreads[channel]
        check.close(
            prepare(images), want,
            "From 0 to 1 first, less the mean, by the spread, each channel its own.", **near,
        )  # fmt: skip
        check.equal(images, kept, "The images you were given have changed: work on copies.")


# %% variant={"of": "10_2_prepare", "wrong": "blue stays first", "says": "first channel is red"}
def prepare(images):
    standard = (images / 255 - np.array(MEANS)) / np.array(SPREADS)
    return standard.transpose(0, 3, 1, 2).astype(np.float32)


# %% variant={"of": "10_2_prepare", "wrong": "channels are turned after they were standardised", "says": "first channel is red"}
def prepare(images):
    standard = (images / 255 - np.array(MEANS)) / np.array(SPREADS)
    return standard.transpose(0, 3, 1, 2)[:, ::-1].astype(np.float32)


# %% variant={"of": "10_2_prepare", "wrong": "bytes, not values from 0 to 1"}
def prepare(images):
    standard = (images[..., ::-1].astype(float) - np.array(MEANS)) / np.array(SPREADS)
    return standard.transpose(0, 3, 1, 2).astype(np.float32)


# %% variant={"of": "10_2_prepare", "wrong": "a reshape in place of a transpose"}
def prepare(images):
    n, height, width, _ = images.shape
    standard = (images[..., ::-1] / 255 - np.array(MEANS)) / np.array(SPREADS)
    return standard.reshape(n, 3, height, width).astype(np.float32)


# %% variant={"of": "10_2_prepare", "right": "channel by channel"}
def prepare(images):
    planes = [(images[..., 2 - c] / 255.0 - MEANS[c]) / SPREADS[c] for c in range(3)]
    return np.stack(planes, axis=1).astype(np.float32)


# %% variant={"of": "10_2_prepare", "right": "a factor and an offset"}
def prepare(images):
    spread = np.array(SPREADS, np.float32)[:, None, None]
    offset = np.array(MEANS, np.float32)[:, None, None] / spread
    front = np.moveaxis(images, -1, 1)[:, ::-1]
    return front.astype(np.float32) * (np.float32(1 / 255) / spread) - offset


# %% [markdown] hints={"of": "10_2_prepare"}
# 1. Three things happen: order of channels, standardising, order of axes. To which order of channels do the means belong?
# 2. The last axis broadcasts against three numbers by itself.

# %%
rng = np.random.default_rng([102, SEED])
field = np.clip(rng.normal([120, 110, 160], 30, size=(1, 24, 24, 3)), 0, 255).astype(np.uint8)
fig, ax = plt.subplots(figsize=(7, 2.4))
for name, plane, color in zip(("red", "green", "blue"), my.prepare(field)[0], ("#c2416b", "#4f9d54", "#3b6fb6")):  # fmt: skip
    ax.hist(plane.ravel(), bins=30, histtype="step", color=color, label=name)
ax.set(
    title="What the network sees of three channels", xlabel="standardised value", ylabel="pixels"
)
ax.legend()
plt.show()

# %% [markdown]
# ## 3 · A promise about slow answers
#
# The first SKIP answers after a start are slow for reasons that pass (compiling, caches), so they are measured and not counted. Of the rest, the service promises that PERCENT % of the answers come within a time. That time is the **nearest rank**: of $m$ latencies in order, number $\lceil PERCENT\, m / 100 \rceil$, counted from 1. It is a latency that really occurred.

# %% [markdown]
# ### Exercise 10.3: the time to promise (2 points)
#
# `promise(latencies)` takes latencies in the order in which they were measured, more than SKIP of them, and returns that time.


# %% nbgrader={"grade": false, "grade_id": "10_3_promise", "locked": false, "schema_version": 3, "solution": true, "task": false}
def promise(latencies):
    """Return the time within which most answers come, after the first ones."""
    ### BEGIN SOLUTION
    warm = sorted(latencies[SKIP:])
    rank = -(-PERCENT * len(warm) // 100)
    return warm[rank - 1]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "10_3_promise_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("10.3")
def _(promise):
    skip, percent = SKIP, PERCENT
    cold = [9000.0 + k for k in range(skip)]
    with check.part("the rank", points=1):
        check.close(
            promise([*cold, *map(float, range(1, 101))]), float(percent),
            f"After the cold ones come latencies of 1 to 100: {percent} % of them are within "
            f"{percent}.",
        )  # fmt: skip
        check.close(
            promise([*cold, 5.0, 1.0, 3.0]), 5.0,
            "Three latencies, in any order: a promise that so many keep needs the slowest.",
        )  # fmt: skip
        check.close(promise([*cold, 7.0]), 7.0, "A single latency.")
    with check.part("the cold ones", points=1):
        check.close(
            promise([*([0.001] * skip), *([2.0] * 50), *([3.0] * 50)]), 3.0,
            f"The first {skip} do not count, also where they are quick.",
        )  # fmt: skip
        late = [4.0] * skip + [5.0] * 15 + [60.0] * 2
        check.close(promise(late), 60.0, "They are the first in time, not the slowest.")
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(103)
        for count in (skip + 2, 60, 157, 500):
            measured = rng.gamma(2.0, 5.0, count)
            kept = measured.copy()
            ranked = sorted(measured.tolist()[skip:])
            within = next(t for t in ranked if 100 * sum(x <= t for x in ranked) >= percent * len(ranked))  # fmt: skip
            check.close(promise(measured), within, f"{count} latencies.")
            check.equal(measured, kept, "The latencies you were given have changed order.")
        ### END HIDDEN TESTS


# %% variant={"of": "10_3_promise", "wrong": "interpolated between two latencies"}
def promise(latencies):
    return float(np.percentile(latencies[SKIP:], PERCENT))


# %% variant={"of": "10_3_promise", "wrong": "the cold ones count", "says": "are within"}
def promise(latencies):
    warm = sorted(latencies)
    return warm[-(-PERCENT * len(warm) // 100) - 1]


# %% variant={"of": "10_3_promise", "wrong": "the slowest are left out, not the first", "says": "first in time"}
def promise(latencies):
    warm = sorted(latencies)[: len(latencies) - SKIP]
    return warm[-(-PERCENT * len(warm) // 100) - 1]


# %% variant={"of": "10_3_promise", "wrong": "the rank is rounded down", "says": "needs the slowest"}
def promise(latencies):
    warm = sorted(latencies[SKIP:])
    return warm[max(PERCENT * len(warm) // 100 - 1, 0)]


# %% variant={"of": "10_3_promise", "right": "NumPy's own nearest rank"}
def promise(latencies):
    return np.percentile(np.asarray(latencies)[SKIP:], PERCENT, method="inverted_cdf")


# %% variant={"of": "10_3_promise", "right": "counted up"}
def promise(latencies):
    warm = list(latencies)[SKIP:]
    for time in sorted(warm):
        if sum(other <= time for other in warm) * 100 >= PERCENT * len(warm):
            return time
    raise AssertionError


# %% [markdown] hints={"of": "10_3_promise"}
# 1. First leave out, then sort. Why in that order?
# 2. With whole numbers the rank needs no floats: how do you round a quotient up?

# %%
rng = np.random.default_rng([103, SEED])
latencies = np.concatenate([rng.gamma(9, 20, SKIP), rng.gamma(30, 0.3, 300) * rng.choice([1, 3], 300, p=[0.93, 0.07])])  # fmt: skip
fig, ax = plt.subplots(figsize=(8, 2.6))
ax.semilogy(latencies, ".", color=style.TERNARY)
ax.axhline(my.promise(latencies), color=style.ACCENT, label="the time to promise")
ax.axhline(np.mean(latencies[SKIP:]), color=style.FLOAT, ls="--", label="the mean")
ax.set(title="Latencies, and what may be promised", xlabel="answer", ylabel="ms")
ax.legend(loc="upper right")
plt.show()

# %% [markdown] nbgrader={"grade": true, "grade_id": "10_4_seal", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 10.4: what the seal is worth (2 points, in words)
#
# Which damage does the seal of 10.1 find for certain, how much of random damage slips through, and what does it not protect against at all? Say what would have to be in the file to notice that 10.2's means were left out of the service.
#
# ### BEGIN SOLUTION
# A single changed byte is found for certain (its difference times a power of the factor is not a multiple of the prime modulus), and so is almost every cut. Of random damage about one in 65,000 slips through, since the seal has that many values. It does not protect against somebody who changes the file on purpose and computes the seal anew: that takes a signature or a keyed hash. The preprocessing has to stand in the header (means, spreads, order of channels), and the service has to take it from there; an example with its expected answer in the file lets it check at start that it sees what the network saw.
# ### END SOLUTION

# %% [markdown] rubric={"of": "10_4_seal"}
# 1 point: single bytes for certain or nearly, about 1 in 65,000 of random damage, nothing against intent. 1 point: preprocessing in the header and read from it, or a stored example that is checked.

# %%
check.summary()
