# %% [markdown]
# Answers to lesson 01 by someone who had not read its checks.

# %% variant={"of": "1_1_threshold", "wrong": "a weight on the line survives"}
def threshold(weights, delta):
    signs = np.sign(weights)
    signs[np.abs(weights) < delta] = 0
    return signs.astype(np.int8)


# %% variant={"of": "1_1_threshold", "wrong": "writes zeros into the weights it was given"}
def threshold(weights, delta):
    weights[np.abs(weights) <= delta] = 0
    return np.sign(weights).astype(np.int8)


# %% variant={"of": "1_1_threshold", "right": "rounds the sum of two one-sided signs"}
def threshold(weights, delta):
    above = np.sign(np.maximum(weights - delta, 0))
    below = np.sign(np.minimum(weights + delta, 0))
    return (above + below).astype("i1")


# %% variant={"of": "1_2_best_scale", "wrong": "mean magnitude of the survivors: not for trits of another sign"}
def best_scale(weights, trits):
    survivors = np.abs(weights)[trits != 0]
    return float(survivors.mean()) if survivors.size else 0.0


# %% variant={"of": "1_2_best_scale", "wrong": "counts the survivors in int8"}
def best_scale(weights, trits):
    t = trits.ravel()
    n = t @ t
    if n == 0:
        return 0.0
    return float(weights.ravel() @ t / n)


# %% variant={"of": "1_2_best_scale", "wrong": "a line with an intercept is fitted"}
def best_scale(weights, trits):
    if not trits.any():
        return 0.0
    t = trits.ravel().astype(float)
    w = weights.ravel()
    return float(np.mean((w - w.mean()) * (t - t.mean())) / max(np.var(t), 1e-12))


# %% variant={"of": "1_2_best_scale", "right": "least squares by the library"}
def best_scale(weights, trits):
    column = np.reshape(trits, (-1, 1)).astype(float)
    return float(np.linalg.lstsq(column, np.ravel(weights), rcond=None)[0][0])


# %% variant={"of": "1_3_relative_error", "wrong": "only what became zero is lost"}
def relative_error(weights, delta):
    gone = weights[np.abs(weights) <= delta]
    return float(np.sum(gone**2) / np.sum(weights**2))


# %% variant={"of": "1_3_relative_error", "wrong": "the root of the share"}
def relative_error(weights, delta):
    t = np.sign(weights) * (np.abs(weights) > delta)
    alpha = np.sum(weights * t) / max(np.sum(t * t), 1)
    return float(np.linalg.norm(weights - alpha * t) / np.linalg.norm(weights))


# %% variant={"of": "1_3_relative_error", "wrong": "the mean over rows counts survivors in the first axis only"}
def relative_error(weights, delta):
    kept = np.abs(weights[np.abs(weights) > delta])
    if kept.size == 0:
        return 1.0
    share = kept.size / len(weights)
    explained = kept.mean() ** 2 * share * len(weights.ravel())
    return float(1 - explained / np.sum(weights**2))


# %% variant={"of": "1_3_relative_error", "right": "one less the squared cosine of weights and trits"}
def relative_error(weights, delta):
    signs = np.sign(weights) * (np.abs(weights) > delta)
    length = np.linalg.norm(signs)
    if not length:
        return 1.0
    cosine = np.sum(weights * signs) / (length * np.linalg.norm(weights))
    return float(1 - cosine**2)


# %% variant={"of": "1_4_absmean", "wrong": "int8 before the clip: an outlier wraps around"}
def absmean(weights, per_row=False):
    scale = np.abs(weights).mean(axis=1, keepdims=True) if per_row else np.abs(weights).mean()
    scale = np.maximum(scale, 1e-5)
    return np.clip(np.round(weights / scale).astype(int).astype(np.int8), -1, 1), scale


# %% variant={"of": "1_4_absmean", "wrong": "1e-5 only where the scale is zero"}
def absmean(weights, per_row=False):
    scale = np.mean(np.abs(weights), axis=1 if per_row else None, keepdims=per_row)
    scale = np.where(scale == 0, 1e-5, scale)
    return np.clip(np.rint(weights / scale), -1, 1).astype(np.int8), scale


# %% variant={"of": "1_4_absmean", "wrong": "trits by the scale of the matrix, even for scales by row"}
def absmean(weights, per_row=False):
    size = np.abs(weights)
    scale = max(size.mean(), 1e-5)
    trits = np.clip(np.round(weights / scale), -1, 1).astype(np.int8)
    if per_row:
        return trits, np.maximum(size.mean(axis=1, keepdims=True), 1e-5)
    return trits, scale


# %% variant={"of": "1_4_absmean", "right": "the threshold hidden in it, with a loop over rows"}
def absmean(weights, per_row=False):
    if per_row:
        pairs = [absmean(weights[i : i + 1]) for i in range(len(weights))]
        return np.vstack([t for t, _ in pairs]), np.array([[s] for _, s in pairs])
    scale = max(float(np.abs(weights).mean()), 1e-5)
    return (weights > scale / 2).astype(np.int8) - (weights < -scale / 2).astype(np.int8), scale


# %% variant={"of": "1_5_best_threshold", "wrong": "Lloyd's loop: halts at the first of several fixed points"}
def best_threshold(weights):
    size = np.abs(weights).ravel()
    delta = size.mean() / 2
    for _ in range(200):
        kept = size[size > delta]
        if kept.size == 0:
            break
        delta = kept.mean() / 2
    return float(delta)


# %% variant={"of": "1_5_best_threshold", "wrong": "the last survivor's own magnitude, so that it is lost"}
def best_threshold(weights):
    size = np.sort(np.abs(weights).ravel())[::-1]
    gain = np.cumsum(size) ** 2 / np.arange(1, size.size + 1)
    return float(size[np.argmax(gain)])


# %% variant={"of": "1_5_best_threshold", "wrong": "never tries to keep all weights"}
def best_threshold(weights):
    size = np.sort(np.abs(weights).ravel())
    total = np.cumsum(size[::-1])[::-1]
    gain = total[1:] ** 2 / np.arange(size.size - 1, 0, -1)
    k = int(np.argmax(gain))
    return float((size[k] + size[k + 1]) / 2)


# %% variant={"of": "1_5_best_threshold", "wrong": "works in float32"}
def best_threshold(weights):
    size = np.sort(np.abs(weights).ravel().astype(np.float32))[::-1]
    gain = np.cumsum(size) ** 2 / np.arange(1, size.size + 1)
    k = int(np.argmax(gain))
    return float((size[k] + (size[k + 1] if k + 1 < size.size else 0)) / 2)


# %% variant={"of": "1_5_best_threshold", "right": "half the mean of the best survivors"}
def best_threshold(weights):
    size = -np.sort(-np.abs(np.ravel(weights)).astype(float))
    means = np.cumsum(size) / (1 + np.arange(len(size)))
    k = np.argmax(means * means * (1 + np.arange(len(size))))
    return float(means[k] / 2)


# %% variant={"of": "1_6_entropy_bits", "wrong": "takes both signs for equally likely"}
def entropy_bits(trits):
    zero = np.mean(trits == 0)
    if zero in (0, 1):
        return float(1 - zero)
    rest = 1 - zero
    return float(-zero * np.log2(zero) - rest * np.log2(rest) + rest)


# %% variant={"of": "1_6_entropy_bits", "wrong": "nothing known as soon as a value is missing"}
def entropy_bits(trits):
    p = np.array([np.mean(trits == t) for t in (-1, 0, 1)])
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.nan_to_num(-np.sum(p * np.log2(p))))


# %% variant={"of": "1_6_entropy_bits", "wrong": "shares of the rows, not of all"}
def entropy_bits(trits):
    _, counts = np.unique(trits, return_counts=True)
    p = counts / len(trits)
    return float(-np.sum(p * np.log2(p)))


# %% variant={"of": "1_6_entropy_bits", "right": "from counts, without shares"}
def entropy_bits(trits):
    counts = np.unique(trits, return_counts=True)[1].astype(float)
    return float(np.log2(counts.sum()) - counts @ np.log2(counts) / counts.sum())


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "int16 for the sums"}
def add_subtract_skip(trits, x):
    total = np.zeros(len(trits), np.int16)
    wide = x.astype(np.int16)
    for k in range(trits.shape[1]):
        total = total + np.where(trits[:, k] == 1, wide[k], 0)
        total = total - np.where(trits[:, k] == -1, wide[k], 0)
        total = total.astype(np.int16)
    return total


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "negates in int8: 128 does not fit"}
def add_subtract_skip(trits, x):
    zero = x[:1] - x[:1]
    return np.where(trits == 1, x, np.where(trits == -1, -x, zero)).sum(axis=1)


# %% variant={"of": "1_7_add_subtract_skip", "wrong": "float sums"}
def add_subtract_skip(trits, x):
    wide = x.astype(np.float32)
    return np.array([wide[row == 1].sum() - wide[row == -1].sum() for row in trits])


# %% variant={"of": "1_7_add_subtract_skip", "right": "collects indices and takes the two sums"}
def add_subtract_skip(trits, x):
    answers = []
    for row in trits:
        added = x[np.flatnonzero(row > 0)].astype(np.int64)
        taken = x[np.flatnonzero(row < 0)].astype(np.int64)
        answers.append(added.sum() - taken.sum())
    return np.array(answers)


# %% variant={"of": "1_8_pack_row", "wrong": "a byte too many if the trits fill their bytes"}
def pack_row(trits):
    codes = np.concatenate([trits + 1, np.ones(4 - len(trits) % 4, np.int8)]).reshape(-1, 4)
    return (codes @ np.array([1, 4, 16, 64])).astype(np.uint8)


# %% variant={"of": "1_8_pack_row", "wrong": "fills up with code 0"}
def pack_row(trits):
    codes = np.zeros(-(-len(trits) // 4) * 4, np.uint8)
    codes[: len(trits)] = trits + 1
    return codes[::4] | codes[1::4] << 2 | codes[2::4] << 4 | codes[3::4] << 6


# %% variant={"of": "1_8_pack_row", "wrong": "fills up in front"}
def pack_row(trits):
    codes = np.pad(trits + 1, (-len(trits) % 4, 0), constant_values=1).reshape(-1, 4)
    return (codes @ np.array([1, 4, 16, 64])).astype(np.uint8)


# %% variant={"of": "1_8_pack_row", "right": "a bit for each half of a code"}
def pack_row(trits):
    bits = np.zeros((-(-len(trits) // 4) * 4, 2), bool)
    bits[:, 0] = True
    bits[: len(trits), 0] = trits == 0
    bits[: len(trits), 1] = trits == 1
    return np.packbits(bits.ravel(), bitorder="little")


# %% variant={"of": "1_9_unpack_row", "wrong": "looks for damage among the first count only"}
def unpack_row(data, count):
    codes = (data[:, None] >> np.array([0, 2, 4, 6], np.uint8) & 3).ravel()[:count]
    if (codes == 3).any():
        raise ValueError("code 11")
    return codes.astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "wrong": "takes a neighbour's bit for a code 11"}
def unpack_row(data, count):
    if np.any(data & data >> 1):
        raise ValueError("code 11")
    codes = np.stack([data >> s & 3 for s in (0, 2, 4, 6)], axis=1).ravel()
    return codes[:count].astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "wrong": "all first places, then all second ones"}
def unpack_row(data, count):
    codes = np.concatenate([data >> s & 3 for s in (0, 2, 4, 6)])
    if np.any(codes == 3):
        raise ValueError("code 11")
    return codes[:count].astype(np.int8) - np.int8(1)


# %% variant={"of": "1_9_unpack_row", "right": "a table of all bytes"}
def unpack_row(data, count):
    table = np.array([[b // 4**j % 4 - 1 for j in range(4)] for b in range(256)], np.int8)
    row = table[data].reshape(-1)
    if row.max(initial=0) == 2:
        raise ValueError("a byte holds the pattern 11")
    return row[:count]


# %% variant={"of": "1_10_repaired_linear", "wrong": "int16 moves the bug to wider layers"}
def fault_of_linear():
    return "d", "overflow"


def repaired_linear(trits, scale, inputs):
    largest = max(np.max(np.abs(inputs)), 1e-5)
    codes = np.round(inputs / largest * 7).astype(np.int16)
    return scale * largest / 7 * (trits @ codes)


# %% variant={"of": "1_10_repaired_linear", "wrong": "no more rounding"}
def fault_of_linear():
    return "d", "overflow"


def repaired_linear(trits, scale, inputs):
    largest = max(np.max(np.abs(inputs)), 1e-5)
    return scale * largest / 7 * (trits @ (inputs / largest * 7))


# %% variant={"of": "1_10_repaired_linear", "wrong": "widens the sums when they have wrapped around"}
def fault_of_linear():
    return "d", "overflow"


def repaired_linear(trits, scale, inputs):
    largest = max(np.max(np.abs(inputs)), 1e-5)
    codes = np.round(inputs / largest * 7).astype(np.int8)
    sums = (trits @ codes).astype(np.int64)
    return scale * largest / 7 * sums


# %% variant={"of": "1_11_repaired_quantize", "wrong": "the mean for every number of bits"}
def fault_of_quantize():
    return "b", "scale set by outliers"


def repaired_quantize(W, bits):
    limit = 2 ** (bits - 1) - 1
    scale = max(np.mean(np.abs(W)) / limit, 1e-5)
    return np.clip(np.round(W / scale), -limit, limit), scale


# %% variant={"of": "1_11_repaired_quantize", "wrong": "codes of 2 bits by half the largest survivor: TWN's scale"}
def fault_of_quantize():
    return "b", "scale set by outliers"


def repaired_quantize(W, bits):
    limit = 2 ** (bits - 1) - 1
    if bits > 2:
        scale = np.max(np.abs(W)) / limit
        return np.clip(np.round(W / scale), -limit, limit), scale
    codes = np.sign(W) * (np.abs(W) > np.mean(np.abs(W)) / 2)
    return codes, np.abs(W[codes != 0]).mean()
