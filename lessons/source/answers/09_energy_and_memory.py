# %% [markdown]
# Answers to lesson 09 by someone who had not read its checks.

# %% variant={"of": "9_1_linear_macs", "wrong": "a row for the class token in the patch embedding"}
def linear_macs(shape):
    s = shape
    qkv = s.width * (s.heads + 2 * s.kv_heads) * s.head_dim
    block = qkv + s.width**2 + 2 * s.width * s.mlp_width
    return s.tokens * s.patch_values * s.width + s.depth * s.tokens * block + s.width * s.classes


# %% variant={"of": "9_1_linear_macs", "wrong": "keys and values in one matrix of one"}
def linear_macs(shape):
    s = shape
    qkv = s.width * (s.heads + s.kv_heads) * s.head_dim
    block = qkv + s.width**2 + 2 * s.width * s.mlp_width
    return s.patches * s.patch_values * s.width + s.depth * s.tokens * block + s.width * s.classes


# %% variant={"of": "9_1_linear_macs", "wrong": "the FFN is four times as wide as the tokens"}
def linear_macs(shape):
    s = shape
    qkv = s.width * (s.heads + 2 * s.kv_heads) * s.head_dim
    block = qkv + s.width**2 + 2 * s.width * 4 * s.width
    return s.patches * s.patch_values * s.width + s.depth * s.tokens * block + s.width * s.classes


# %% variant={"of": "9_1_linear_macs", "wrong": "the output projection is shared like the keys"}
def linear_macs(shape):
    s = shape
    qkv = s.width * (s.heads + 2 * s.kv_heads) * s.head_dim
    block = qkv + s.kv_heads * s.head_dim * s.width + 2 * s.width * s.mlp_width
    return s.patches * s.patch_values * s.width + s.depth * s.tokens * block + s.width * s.classes


# %% variant={"of": "9_1_linear_macs", "wrong": "biases are counted, too"}
def linear_macs(shape):
    s = shape
    made = (s.heads + 2 * s.kv_heads) * s.head_dim
    block = (s.width + 1) * (made + s.width + s.mlp_width) + (s.mlp_width + 1) * s.width
    return (
        s.patches * (s.patch_values + 1) * s.width
        + s.depth * s.tokens * block
        + (s.width + 1) * s.classes
    )


# %% variant={"of": "9_1_linear_macs", "right": "a list of matrices, each with its rows"}
def linear_macs(shape):
    patches, patch_values, tokens, width, depth, _, head_dim, kv_heads, mlp_width, classes = shape
    block = [
        (tokens, width, width),
        (tokens, width, kv_heads * head_dim),
        (tokens, width, kv_heads * head_dim),
        (tokens, width, width),
        (tokens, width, mlp_width),
        (tokens, mlp_width, width),
    ]
    matrices = [(patches, patch_values, width), *block * depth, (1, width, classes)]
    total = 0
    for rows, inputs, outputs in matrices:
        total += rows * inputs * outputs
    return total


# %% variant={"of": "9_2_attention_macs", "wrong": "patches, not tokens"}
def attention_macs(shape):
    return 2 * shape.depth * shape.heads * shape.patches**2 * shape.head_dim


# %% variant={"of": "9_2_attention_macs", "wrong": "each pair of tokens once"}
def attention_macs(shape):
    pairs = shape.tokens * (shape.tokens + 1) // 2
    return 2 * shape.depth * shape.heads * pairs * shape.head_dim


# %% variant={"of": "9_2_attention_macs", "wrong": "the values' product is shared, the scores' is not"}
def attention_macs(shape):
    scores = shape.heads * shape.tokens**2 * shape.head_dim
    values = shape.kv_heads * shape.tokens**2 * shape.head_dim
    return shape.depth * (scores + values)


# %% variant={"of": "9_2_attention_macs", "wrong": "each head is as wide as the network"}
def attention_macs(shape):
    return 2 * shape.depth * shape.heads * shape.tokens**2 * shape.width


# %% variant={"of": "9_2_attention_macs", "right": "head by head"}
def attention_macs(shape):
    total = 0
    for _ in range(shape.depth):
        for _ in range(shape.heads):
            total += shape.tokens * shape.head_dim * shape.tokens  # scores
            total += shape.tokens * shape.tokens * shape.head_dim  # values
    return total


# %% variant={"of": "9_3_stored_bytes", "wrong": "a byte more in each row, full or not"}
def stored_bytes(outputs, inputs, storage):
    if storage == "float32":
        return 4 * outputs * inputs
    if storage == "int8":
        return outputs * (inputs + 4)
    if storage == "2 bits":
        return outputs * (inputs // 4 + 1) + 4
    if storage == "1.6 bits":
        return outputs * (inputs // 5 + 1) + 4
    raise ValueError(storage)


# %% variant={"of": "9_3_stored_bytes", "wrong": "columns start in a byte of their own"}
def stored_bytes(outputs, inputs, storage):
    if storage == "float32":
        return 4 * outputs * inputs
    if storage == "int8":
        return inputs * outputs + 4 * inputs
    if storage == "2 bits":
        return inputs * -(-outputs // 4) + 4
    if storage == "1.6 bits":
        return inputs * -(-outputs // 5) + 4
    raise ValueError(storage)


# %% variant={"of": "9_3_stored_bytes", "wrong": "the ternary scale for each row"}
def stored_bytes(outputs, inputs, storage):
    a_byte = {"2 bits": 4, "1.6 bits": 5, "int8": 1}
    if storage == "float32":
        return 4 * outputs * inputs
    if storage not in a_byte:
        raise ValueError(storage)
    return outputs * (-(-inputs // a_byte[storage]) + 4)


# %% variant={"of": "9_3_stored_bytes", "wrong": "anything unknown is 1.6 bits"}
def stored_bytes(outputs, inputs, storage):
    if storage == "float32":
        return 4 * outputs * inputs
    if storage == "int8":
        return outputs * inputs + 4 * outputs
    if storage == "2 bits":
        return outputs * -(-inputs // 4) + 4
    return outputs * -(-inputs // 5) + 4


# %% variant={"of": "9_3_stored_bytes", "wrong": "a KeyError for what is unknown"}
def stored_bytes(outputs, inputs, storage):
    return {
        "float32": 4 * outputs * inputs,
        "int8": outputs * inputs + 4 * outputs,
        "2 bits": outputs * -(-inputs // 4) + 4,
        "1.6 bits": outputs * -(-inputs // 5) + 4,
    }[storage]


# %% variant={"of": "9_3_stored_bytes", "wrong": "finds the storage by a word in it"}
def stored_bytes(outputs, inputs, storage):
    if "32" in storage:
        return 4 * outputs * inputs
    if "8" in storage:
        return outputs * inputs + 4 * outputs
    if "2" in storage:
        return outputs * -(-inputs // 4) + 4
    if "1.6" in storage:
        return outputs * -(-inputs // 5) + 4
    raise ValueError(storage)


# %% variant={"of": "9_3_stored_bytes", "wrong": "rounded to the nearest byte"}
def stored_bytes(outputs, inputs, storage):
    if storage == "float32":
        return 4 * outputs * inputs
    if storage == "int8":
        return outputs * inputs + 4 * outputs
    if storage == "2 bits":
        return outputs * max(1, round(inputs / 4)) + 4
    if storage == "1.6 bits":
        return outputs * max(1, round(inputs / 5)) + 4
    raise ValueError(f"nobody has defined {storage}")


# %% variant={"of": "9_3_stored_bytes", "right": "counts the places where a byte begins"}
def stored_bytes(outputs, inputs, storage):
    match storage:
        case "float32":
            return 4 * inputs * outputs
        case "int8":
            return sum(inputs + 4 for _ in range(outputs))
        case "2 bits" | "1.6 bits":
            step = 4 if storage == "2 bits" else 5
            return len(range(0, inputs, step)) * outputs + 4
    raise ValueError(f"storage {storage!r}")


# %% variant={"of": "9_4_gain", "wrong": "a part without a factor vanishes"}
def gain(amounts, factors):
    left = sum(amounts[part] / factor for part, factor in factors.items())
    return sum(amounts.values()) / left if left else inf


# %% variant={"of": "9_4_gain", "wrong": "the mean of the factors, weighted"}
def gain(amounts, factors):
    total = sum(amounts.values())
    return sum(a / total * factors.get(part, 1) for part, a in amounts.items())


# %% variant={"of": "9_4_gain", "wrong": "an infinite factor is left out of both sums"}
def gain(amounts, factors):
    kept = {part: a for part, a in amounts.items() if factors.get(part, 1) != inf}
    if not kept:
        return inf
    return sum(kept.values()) / sum(a / factors.get(part, 1) for part, a in kept.items())


# %% variant={"of": "9_4_gain", "wrong": "whole parts only"}
def gain(amounts, factors):
    left = sum(a // factors.get(part, 1) for part, a in amounts.items())
    return sum(amounts.values()) / left if left else inf


# %% variant={"of": "9_4_gain", "wrong": "parts never grow: factors below 1 count as 1"}
def gain(amounts, factors):
    left = sum(a / max(1, factors.get(part, 1)) for part, a in amounts.items())
    return sum(amounts.values()) / left if left else inf


# %% variant={"of": "9_4_gain", "wrong": "divides in the caller's dictionary"}
def gain(amounts, factors):
    total = sum(amounts.values())
    for part, factor in factors.items():
        amounts[part] /= factor
    left = sum(amounts.values())
    return total / left if left else inf


# %% variant={"of": "9_4_gain", "wrong": "any infinite factor makes the gain infinite"}
def gain(amounts, factors):
    if inf in factors.values():
        return inf
    left = sum(a / factors.get(part, 1) for part, a in amounts.items())
    return sum(amounts.values()) / left


# %% variant={"of": "9_4_gain", "wrong": "a tiny rest in place of nothing"}
def gain(amounts, factors):
    left = sum(a / factors.get(part, 1) for part, a in amounts.items())
    return sum(amounts.values()) / (left + 1e-12)


# %% variant={"of": "9_4_gain", "right": "by shares, and an exception for nothing left"}
def gain(amounts, factors):
    total = sum(amounts.values())
    shares = {part: a / total for part, a in amounts.items()}
    try:
        return 1 / sum(share / factors.get(part, 1.0) for part, share in shares.items())
    except ZeroDivisionError:
        return inf


# %% variant={"of": "9_4_gain", "right": "part by part, with reciprocals"}
def gain(amounts, factors):
    total = left = np.float64(0)
    for part, amount in amounts.items():
        total = total + amount
        left = left + amount * (1 / factors[part] if part in factors else 1)
    return total / left if left > 0 else inf


# %% variant={"of": "9_5_energy_range", "wrong": "a missing price is a price of zero"}
def energy_range(counts, prices):
    low = sum(n * prices.get(kind, (0, 0))[0] for kind, n in counts.items())
    high = sum(n * prices.get(kind, (0, 0))[1] for kind, n in counts.items())
    return low, high


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "wrong": "only kinds that both have"}
def energy_range(counts, prices):
    both = counts.keys() & prices.keys()
    return (
        sum(counts[kind] * prices[kind][0] for kind in both),
        sum(counts[kind] * prices[kind][1] for kind in both),
    )


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "wrong": "every price has to be counted"}
def energy_range(counts, prices):
    low = high = 0
    for kind, (least, most) in prices.items():
        low += counts[kind] * least
        high += counts[kind] * most
    return low, high


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "wrong": "low with low and high with high"}
def energy_range(counts, prices):
    low = sum(n * prices[kind][0] for kind, n in counts.items())
    high = sum(n * prices[kind][1] for kind, n in counts.items())
    return low, high


def ratio_range(above, below):
    pair = above[0] / below[0], above[1] / below[1]
    return min(pair), max(pair)


# %% variant={"of": "9_5_energy_range", "wrong": "the last kind's price for all"}
def energy_range(counts, prices):
    for kind in counts:
        low, high = prices[kind]
    n = sum(counts.values())
    return n * low, n * high


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "wrong": "the middle price, half as much to either side"}
def energy_range(counts, prices):
    middle = sum(n * (prices[kind][0] * prices[kind][1]) ** 0.5 for kind, n in counts.items())
    return middle / 1.5, middle * 1.5


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "wrong": "the ratio the wrong way up"}
def energy_range(counts, prices):
    low = sum(n * prices[kind][0] for kind, n in counts.items())
    high = sum(n * prices[kind][1] for kind, n in counts.items())
    return low, high


def ratio_range(above, below):
    return below[0] / above[1], below[1] / above[0]


# %% variant={"of": "9_5_energy_range", "right": "a product of arrays; all four ratios"}
def energy_range(counts, prices):
    table = np.array([prices[kind] for kind in counts], dtype=float).reshape(-1, 2)
    low, high = np.array(list(counts.values()), dtype=float) @ table
    return float(low), float(high)


def ratio_range(above, below):
    ratios = [a / b for a in above for b in below]
    return min(ratios), max(ratios)


# %% variant={"of": "9_6_shared_ratio", "wrong": "all prices low, or all high"}
def shared_ratio(above, below, prices):
    ratios = []
    for end in (0, 1):
        a = sum(n * prices[kind][end] for kind, n in above.items())
        b = sum(n * prices[kind][end] for kind, n in below.items())
        ratios.append(a / b)
    return min(ratios), max(ratios)


# %% variant={"of": "9_6_shared_ratio", "wrong": "one price at a time leaves its low end"}
def shared_ratio(above, below, prices):
    kinds = list(above.keys() | below.keys())

    def ratio(paid):
        a = sum(n * paid[kind] for kind, n in above.items())
        return a / sum(n * paid[kind] for kind, n in below.items())

    low = {kind: prices[kind][0] for kind in kinds}
    ratios = [ratio(low)] + [ratio(low | {kind: prices[kind][1]}) for kind in kinds]
    return min(ratios), max(ratios)


# %% variant={"of": "9_6_shared_ratio", "wrong": "high where the counts rise, low where they fall"}
def shared_ratio(above, below, prices):
    def ratio(end):
        a = b = 0
        for kind in above.keys() | below.keys():
            more = above.get(kind, 0) > below.get(kind, 0)
            price = prices[kind][1 if more == end else 0]
            a += above.get(kind, 0) * price
            b += below.get(kind, 0) * price
        return a / b

    return ratio(False), ratio(True)


# %% variant={"of": "9_6_shared_ratio", "wrong": "only kinds that are in both baskets"}
def shared_ratio(above, below, prices):
    kinds = sorted(above.keys() & below.keys())
    ratios = []
    for paid in product(*(prices[kind] for kind in kinds)):
        a = sum(above[kind] * p for kind, p in zip(kinds, paid, strict=True))
        b = sum(below[kind] * p for kind, p in zip(kinds, paid, strict=True))
        ratios.append(a / b)
    return min(ratios), max(ratios)


# %% variant={"of": "9_6_shared_ratio", "wrong": "kinds of the first basket only"}
def shared_ratio(above, below, prices):
    kinds = list(above)
    ratios = []
    for paid in product(*(prices[kind] for kind in kinds)):
        a = sum(above[kind] * p for kind, p in zip(kinds, paid, strict=True))
        b = sum(below.get(kind, 0) * p for kind, p in zip(kinds, paid, strict=True))
        ratios.append(a / b if b else inf)
    return min(ratios), max(ratios)


# %% variant={"of": "9_6_shared_ratio", "wrong": "the extremes of the counts' ratios"}
def shared_ratio(above, below, prices):
    ratios = [
        above.get(kind, 0) / below[kind] if below.get(kind, 0) else inf
        for kind in above.keys() | below.keys()
    ]
    return min(ratios), max(ratios)


# %% variant={"of": "9_6_shared_ratio", "wrong": "a hundred prices by chance"}
def shared_ratio(above, below, prices):
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(100):
        paid = {kind: rng.uniform(low, high) for kind, (low, high) in prices.items()}
        a = sum(n * paid[kind] for kind, n in above.items())
        ratios.append(a / sum(n * paid[kind] for kind, n in below.items()))
    return min(ratios), max(ratios)


# %% variant={"of": "9_6_shared_ratio", "wrong": "a walk that turns each price once"}
def shared_ratio(above, below, prices):
    def ratio(paid):
        a = sum(n * paid[kind] for kind, n in above.items())
        return a / sum(n * paid[kind] for kind, n in below.items())

    def walk(best):
        paid = {kind: low for kind, (low, _) in prices.items()}
        for kind in prices:
            paid = best((paid, paid | {kind: prices[kind][1]}), key=ratio)
        return ratio(paid)

    return walk(min), walk(max)


# %% variant={"of": "9_6_shared_ratio", "right": "by a threshold on the ratio of the counts"}
def shared_ratio(above, below, prices):
    kinds = sorted(
        above.keys() | below.keys(),
        key=lambda kind: above.get(kind, 0) / below[kind] if below.get(kind) else inf,
    )
    a = np.array([above.get(kind, 0) for kind in kinds], float)
    b = np.array([below.get(kind, 0) for kind in kinds], float)
    low, high = np.array([prices[kind] for kind in kinds], float).T
    least, most = inf, 0.0
    for cut in range(len(kinds) + 1):
        dear_first = np.where(np.arange(len(kinds)) < cut, high, low)
        dear_last = np.where(np.arange(len(kinds)) < cut, low, high)
        least = min(least, float(a @ dear_first / (b @ dear_first)))
        most = max(most, float(a @ dear_last / (b @ dear_last)))
    return least, most


# %% variant={"of": "9_6_shared_ratio", "right": "by Dinkelbach's steps"}
def shared_ratio(above, below, prices):
    either = above.keys() | below.keys()

    def extreme(sign):
        paid = {kind: prices[kind][0] for kind in either}
        before = None
        while True:
            ratio = sum(n * paid[kind] for kind, n in above.items())
            ratio /= sum(n * paid[kind] for kind, n in below.items())
            if ratio == before:
                return ratio
            before = ratio
            for kind in either:
                worth = sign * (above.get(kind, 0) - ratio * below.get(kind, 0))
                paid[kind] = prices[kind][1 if worth > 0 else 0]

    return extreme(-1), extreme(1)


# %% variant={"of": "9_7_intensity", "wrong": "bits in whole bytes: two bits take none"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b // 8 for b in bits)
    moved = rows * inputs * x + inputs * outputs * w + rows * outputs * y
    return rows * inputs * outputs / moved if moved else inf


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, np.asarray(macs_per_byte) * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "MACs for each bit"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = bits
    return rows * inputs * outputs / (rows * inputs * x + inputs * outputs * w + rows * outputs * y)


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, np.asarray(macs_per_byte) * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "bits of weights and outputs changed over"}
def intensity(rows, inputs, outputs, bits):
    x, y, w = bits
    moved = (rows * inputs * x + inputs * outputs * w + rows * outputs * y) / 8
    return rows * inputs * outputs / moved


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, np.asarray(macs_per_byte) * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "weights are read for each row"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b / 8 for b in bits)
    return rows * inputs * outputs / (rows * (inputs * x + inputs * outputs * w + outputs * y))


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, np.asarray(macs_per_byte) * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "clipped in the caller's array"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b / 8 for b in bits)
    return 1 / (x / outputs + w / rows + y / inputs)


def attainable(macs_per_byte, peak, bandwidth):
    if isinstance(macs_per_byte, np.ndarray):
        macs_per_byte *= bandwidth
        macs_per_byte[macs_per_byte > peak] = peak
        return macs_per_byte
    return min(peak, macs_per_byte * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "one answer for a whole array"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b / 8 for b in bits)
    return 1 / (x / outputs + w / rows + y / inputs)


def attainable(macs_per_byte, peak, bandwidth):
    return min(peak, float(np.max(macs_per_byte)) * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "whole MACs a byte"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = bits
    return (
        8
        * rows
        * inputs
        * outputs
        // (rows * inputs * x + inputs * outputs * w + rows * outputs * y)
    )


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, np.asarray(macs_per_byte) * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "outputs and inputs changed over in the short form"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b / 8 for b in bits)
    return 1 / (x / inputs + w / rows + y / outputs)


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, np.asarray(macs_per_byte) * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "a smooth roof: time of both added"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b / 8 for b in bits)
    return 1 / (x / outputs + w / rows + y / inputs)


def attainable(macs_per_byte, peak, bandwidth):
    return 1 / (1 / peak + 1 / (np.asarray(macs_per_byte) * bandwidth))


# %% variant={"of": "9_7_intensity", "right": "the slower of two times"}
def intensity(rows, inputs, outputs, bits):
    numbers = (rows * inputs, inputs * outputs, rows * outputs)
    moved = sum(n * b for n, b in zip(numbers, bits, strict=True))
    return 8 * rows * inputs * outputs / moved


def attainable(macs_per_byte, peak, bandwidth):
    seconds = np.maximum(1 / peak, 1 / (np.asarray(macs_per_byte, float) * bandwidth))
    return 1 / seconds


# %% variant={"of": "9_7_intensity", "right": "left and right of the ridge"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = np.array(bits) / 8
    return 1 / (x / outputs + w / rows + y / inputs)


def attainable(macs_per_byte, peak, bandwidth):
    ridge = peak / bandwidth
    return np.where(np.less(macs_per_byte, ridge), np.multiply(macs_per_byte, bandwidth), peak)


# %% variant={"of": "9_8_faults", "wrong": "names changed over"}
def faults():
    return {"A": "GOP for GMAC", "B": "MB for MiB"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters / file_bytes


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return rows * inputs * outputs / seconds / peak


# %% variant={"of": "9_8_faults", "wrong": "A is mended the wrong way round"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return (4 * parameters / 2**20) / (file_bytes / 1e6)


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return rows * inputs * outputs / seconds / peak


# %% variant={"of": "9_8_faults", "wrong": "B counts twice and halves the peak"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters / file_bytes


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return 2 * rows * inputs * outputs / seconds / (peak / 2)


# %% variant={"of": "9_8_faults", "wrong": "a percentage"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters / file_bytes


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return 100 * rows * inputs * outputs / seconds / peak


# %% variant={"of": "9_8_faults", "wrong": "no share above 1"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters / file_bytes


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return min(1.0, 2 * rows * inputs * outputs / seconds / peak)


# %% variant={"of": "9_8_faults", "wrong": "rounded as in a table"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return round(4 * parameters / file_bytes, 1)


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return round(rows * inputs * outputs / seconds / peak, 2)


# %% variant={"of": "9_8_faults", "wrong": "takes the common error of 4.9 % off"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters / 1e6 / (file_bytes / 2**20) / 1.049


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return rows * inputs * outputs / seconds / peak


# %% variant={"of": "9_8_faults", "right": "bits over bits; the peak in operations"}
def faults():
    return dict(zip("AB", ("MB for MiB", "GOP for GMAC"), strict=True))


def repaired_times(parameters, file_bytes):
    return 32 * parameters / (8 * file_bytes)


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    least = rows * inputs * outputs / peak
    return least / seconds


# %% variant={"of": "9_9_step_joules", "wrong": "low from low and high from high"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    low = (more[0] * more[1] - base[0] * base[1]) / times
    high = (more[0] * more[2] - base[0] * base[2]) / times
    return min(low, high), max(low, high)


# %% variant={"of": "9_9_step_joules", "wrong": "never below nothing"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    low = (more[0] * more[1] - base[0] * base[2]) / times
    high = (more[0] * more[2] - base[0] * base[1]) / times
    return max(0.0, low), max(0.0, high)


# %% variant={"of": "9_9_step_joules", "wrong": "once more than more often"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    low = more[0] * more[1] - base[0] * base[2]
    high = more[0] * more[2] - base[0] * base[1]
    return low / (times + 1), high / (times + 1)


# %% variant={"of": "9_9_step_joules", "wrong": "the power's difference, by the time of the longer run"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    return (more[1] - base[2]) * more[0] / times, (more[2] - base[1]) * more[0] / times


# %% variant={"of": "9_9_step_joules", "wrong": "mean power by the time that came on top"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    extra = more[0] - base[0]
    return extra * more[1] / times, extra * more[2] / times


# %% variant={"of": "9_9_step_joules", "wrong": "the base from the middle of its range"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    idle = base[0] * (base[1] + base[2]) / 2
    return (more[0] * more[1] - idle) / times, (more[0] * more[2] - idle) / times


# %% variant={"of": "9_9_step_joules", "wrong": "a list of all ends, the other way round"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    ends = [more[0] * a - base[0] * b for a in more[1:] for b in base[1:]]
    return max(ends) / times, min(ends) / times


# %% variant={"of": "9_9_step_joules", "right": "all four ends, sorted"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    seconds, *watts = more
    before, *idle = base
    ends = sorted((seconds * a - before * b) / times for a, b in product(watts, idle))
    return ends[0], ends[-1]


# %% variant={"of": "9_10_audit", "wrong": "other units of the same kind do not fit"}
def audit(claim):
    base, result = claim["baseline"], claim["result"]
    if base["unit"] != result["unit"]:
        raise ValueError("units differ")
    ratio = base["amount"] / result["amount"]
    left = sorted(claim["spent"] - claim["counted"])
    verdict = "holds"
    if abs(ratio - claim["said"]) > 0.05 * claim["said"]:
        verdict = "does not follow"
    elif left or base["network"] != result["network"]:
        verdict = "needs a footnote"
    return {
        "ratio": ratio,
        "unit": UNITS[base["unit"]][0],
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "5 % of the ratio, not of what was said"}
def audit(claim):
    base, result = claim["baseline"], claim["result"]
    kind, size = UNITS[base["unit"]]
    other, small = UNITS[result["unit"]]
    if kind != other:
        raise ValueError("kinds differ")
    ratio = base["amount"] * size / (result["amount"] * small)
    left = sorted(claim["spent"] - claim["counted"])
    verdict = "holds"
    if abs(ratio - claim["said"]) > 0.05 * ratio:
        verdict = "does not follow"
    elif left or base["network"] != result["network"]:
        verdict = "needs a footnote"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "who said too little is forgiven"}
def audit(claim):
    base, result = claim["baseline"], claim["result"]
    kind, size = UNITS[base["unit"]]
    other, small = UNITS[result["unit"]]
    if kind != other:
        raise ValueError("kinds differ")
    ratio = base["amount"] * size / (result["amount"] * small)
    left = sorted(claim["spent"] - claim["counted"])
    verdict = "holds"
    if claim["said"] - ratio > 0.05 * claim["said"]:
        verdict = "does not follow"
    elif left or base["network"] != result["network"]:
        verdict = "needs a footnote"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "a footnote before the number"}
def audit(claim):
    base, result = claim["baseline"], claim["result"]
    kind, size = UNITS[base["unit"]]
    other, small = UNITS[result["unit"]]
    if kind != other:
        raise ValueError("kinds differ")
    ratio = base["amount"] * size / (result["amount"] * small)
    left = sorted(claim["spent"] - claim["counted"])
    if left or base["network"] != result["network"]:
        verdict = "needs a footnote"
    elif abs(ratio - claim["said"]) > 0.05 * claim["said"]:
        verdict = "does not follow"
    else:
        verdict = "holds"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "what is counted and not spent is left out, too"}
def audit(claim):
    base, result = claim["baseline"], claim["result"]
    kind, size = UNITS[base["unit"]]
    other, small = UNITS[result["unit"]]
    if kind != other:
        raise ValueError("kinds differ")
    ratio = base["amount"] * size / (result["amount"] * small)
    left = sorted(claim["spent"] ^ claim["counted"])
    verdict = "holds"
    if abs(ratio - claim["said"]) > 0.05 * claim["said"]:
        verdict = "does not follow"
    elif left or base["network"] != result["network"]:
        verdict = "needs a footnote"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "takes what is counted out of the caller's set"}
def audit(claim):
    base, result = claim["baseline"], claim["result"]
    kind, size = UNITS[base["unit"]]
    other, small = UNITS[result["unit"]]
    if kind != other:
        raise ValueError("kinds differ")
    ratio = base["amount"] * size / (result["amount"] * small)
    left = claim["spent"]
    left -= claim["counted"]
    verdict = "holds"
    if abs(ratio - claim["said"]) > 0.05 * claim["said"]:
        verdict = "does not follow"
    elif left or base["network"] != result["network"]:
        verdict = "needs a footnote"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": sorted(left),
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "converts in the caller's claim"}
def audit(claim):
    for side in (claim["baseline"], claim["result"]):
        side["unit"], size = UNITS[side["unit"]]
        side["amount"] *= size
    base, result = claim["baseline"], claim["result"]
    if base["unit"] != result["unit"]:
        raise ValueError("kinds differ")
    ratio = base["amount"] / result["amount"]
    left = sorted(claim["spent"] - claim["counted"])
    verdict = "holds"
    if abs(ratio - claim["said"]) > 0.05 * claim["said"]:
        verdict = "does not follow"
    elif left or base["network"] != result["network"]:
        verdict = "needs a footnote"
    return {
        "ratio": ratio,
        "unit": base["unit"],
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "5 % are 0.05, whatever was said"}
def audit(claim):
    base, result = claim["baseline"], claim["result"]
    kind, size = UNITS[base["unit"]]
    other, small = UNITS[result["unit"]]
    if kind != other:
        raise ValueError("kinds differ")
    ratio = base["amount"] * size / (result["amount"] * small)
    left = sorted(claim["spent"] - claim["counted"])
    verdict = "holds"
    if abs(ratio - claim["said"]) > 0.05:
        verdict = "does not follow"
    elif left or base["network"] != result["network"]:
        verdict = "needs a footnote"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "a footnote only where both are missing"}
def audit(claim):
    base, result = claim["baseline"], claim["result"]
    kind, size = UNITS[base["unit"]]
    other, small = UNITS[result["unit"]]
    if kind != other:
        raise ValueError("kinds differ")
    ratio = base["amount"] * size / (result["amount"] * small)
    left = sorted(claim["spent"] - claim["counted"])
    verdict = "holds"
    if abs(ratio - claim["said"]) > 0.05 * claim["said"]:
        verdict = "does not follow"
    elif left and base["network"] != result["network"]:
        verdict = "needs a footnote"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": base["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "wrong": "the network of the result"}
def audit(claim):
    base, result = claim["baseline"], claim["result"]
    kind, size = UNITS[base["unit"]]
    other, small = UNITS[result["unit"]]
    if kind != other:
        raise ValueError("kinds differ")
    ratio = base["amount"] * size / (result["amount"] * small)
    left = sorted(claim["spent"] - claim["counted"])
    verdict = "holds"
    if abs(ratio / claim["said"] - 1) > 0.05:
        verdict = "does not follow"
    elif left or base["network"] != result["network"]:
        verdict = "needs a footnote"
    return {
        "ratio": ratio,
        "unit": kind,
        "baseline": result["network"],
        "left out": left,
        "verdict": verdict,
    }


# %% variant={"of": "9_10_audit", "right": "step by step, with loops and returns"}
def audit(claim):
    def in_base(side):
        kind, size = UNITS[side["unit"]]
        return kind, side["amount"] * size

    (kind, before), (other, after) = in_base(claim["baseline"]), in_base(claim["result"])
    if other != kind:
        raise ValueError(f"{kind} and {other} cannot be compared")
    report = {"ratio": before / after, "unit": kind, "baseline": claim["baseline"]["network"]}
    report["left out"] = []
    for part in sorted(claim["spent"]):
        if part not in claim["counted"]:
            report["left out"].append(part)
    same = claim["baseline"]["network"] == claim["result"]["network"]
    low, high = 0.95 * claim["said"], 1.05 * claim["said"]
    if not low <= report["ratio"] <= high:
        report["verdict"] = "does not follow"
    else:
        report["verdict"] = "holds" if same and not report["left out"] else "needs a footnote"
    return report


# %% variant={"of": "9_1_linear_macs", "wrong": "a token less in the patch embedding: there need be no class token"}
def linear_macs(shape):
    s = shape
    qkv = s.width * (s.heads + 2 * s.kv_heads) * s.head_dim
    block = qkv + s.width**2 + 2 * s.width * s.mlp_width
    embedding = (s.tokens - 1) * s.patch_values * s.width
    return embedding + s.depth * s.tokens * block + s.width * s.classes


# %% variant={"of": "9_1_linear_macs", "wrong": "as a float, in thousands of millions"}
def linear_macs(shape):
    s = shape
    qkv = s.width * (s.heads + 2 * s.kv_heads) * s.head_dim
    block = qkv + s.width**2 + 2 * s.width * s.mlp_width
    return (
        s.patches * s.patch_values * s.width + s.depth * s.tokens * block + s.width * s.classes
    ) / 1e9


# %% variant={"of": "9_2_attention_macs", "wrong": "queries are tokens, keys are patches"}
def attention_macs(shape):
    return 2 * shape.depth * shape.heads * shape.tokens * shape.patches * shape.head_dim


# %% variant={"of": "9_2_attention_macs", "wrong": "the softmax is counted, too"}
def attention_macs(shape):
    return shape.depth * shape.heads * shape.tokens**2 * (2 * shape.head_dim + 1)


# %% variant={"of": "9_4_gain", "wrong": "less than one is nothing"}
def gain(amounts, factors):
    left = sum(a / factors.get(part, 1) for part, a in amounts.items())
    return sum(amounts.values()) / left if left >= 1 else inf


# %% variant={"of": "9_4_gain", "wrong": "two decimals"}
def gain(amounts, factors):
    left = sum(a / factors.get(part, 1) for part, a in amounts.items())
    return round(sum(amounts.values()) / left, 2) if left else inf


# %% variant={"of": "9_4_gain", "wrong": "factors in the order of the parts, not by name"}
def gain(amounts, factors):
    times = list(factors.values()) + [1] * len(amounts)
    left = sum(a / f for a, f in zip(amounts.values(), times, strict=False))
    return sum(amounts.values()) / left if left else inf


# %% variant={"of": "9_5_energy_range", "wrong": "what has no price is left out by a default made on the fly"}
def energy_range(counts, prices):
    low = sum(n * prices.setdefault(kind, (0.0, 0.0))[0] for kind, n in counts.items())
    high = sum(n * prices.setdefault(kind, (0.0, 0.0))[1] for kind, n in counts.items())
    return low, high


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "wrong": "high before low"}
def energy_range(counts, prices):
    low = sum(n * prices[kind][0] for kind, n in counts.items())
    high = sum(n * prices[kind][1] for kind, n in counts.items())
    return high, low


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_5_energy_range", "wrong": "a ratio about the middle"}
def energy_range(counts, prices):
    low = sum(n * prices[kind][0] for kind, n in counts.items())
    high = sum(n * prices[kind][1] for kind, n in counts.items())
    return low, high


def ratio_range(above, below):
    middle = sum(above) / sum(below)
    return middle / 1.5**2, middle * 1.5**2


# %% variant={"of": "9_5_energy_range", "wrong": "counts of nothing are not looked at: picojoules in whole numbers"}
def energy_range(counts, prices):
    low = sum(n * int(prices[kind][0]) for kind, n in counts.items())
    high = sum(n * int(prices[kind][1]) for kind, n in counts.items())
    return low, high


def ratio_range(above, below):
    return above[0] / below[1], above[1] / below[0]


# %% variant={"of": "9_7_intensity", "wrong": "each part in whole bytes"}
def intensity(rows, inputs, outputs, bits):
    numbers = (rows * inputs, inputs * outputs, rows * outputs)
    moved = sum(-(-n * b // 8) for n, b in zip(numbers, bits, strict=True))
    return rows * inputs * outputs / moved


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, np.asarray(macs_per_byte) * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "any array comes back as one row"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b / 8 for b in bits)
    return 1 / (x / outputs + w / rows + y / inputs)


def attainable(macs_per_byte, peak, bandwidth):
    if np.isscalar(macs_per_byte):
        return min(peak, macs_per_byte * bandwidth)
    return np.array([min(peak, m * bandwidth) for m in np.ravel(macs_per_byte)])


# %% variant={"of": "9_7_intensity", "wrong": "filled into an array of the argument's type: whole numbers are cut"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b / 8 for b in bits)
    return 1 / (x / outputs + w / rows + y / inputs)


def attainable(macs_per_byte, peak, bandwidth):
    most = np.zeros_like(macs_per_byte)
    np.copyto(most, np.minimum(peak, np.asarray(macs_per_byte) * bandwidth), casting="unsafe")
    return most


# %% variant={"of": "9_7_intensity", "wrong": "operations, two for each MAC"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b / 8 for b in bits)
    return 2 / (x / outputs + w / rows + y / inputs)


def attainable(macs_per_byte, peak, bandwidth):
    return np.minimum(peak, np.asarray(macs_per_byte) * bandwidth)


# %% variant={"of": "9_7_intensity", "wrong": "the roof compares bytes with MACs"}
def intensity(rows, inputs, outputs, bits):
    x, w, y = (b / 8 for b in bits)
    return 1 / (x / outputs + w / rows + y / inputs)


def attainable(macs_per_byte, peak, bandwidth):
    bound = np.asarray(macs_per_byte) < bandwidth / peak
    return np.where(bound, np.asarray(macs_per_byte) * bandwidth, peak)


# %% variant={"of": "9_8_faults", "wrong": "whole times"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters // file_bytes


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return rows * inputs * outputs / seconds / peak


# %% variant={"of": "9_8_faults", "wrong": "B's colleague is told to double the peak, in a peak that is doubled already"}
def faults():
    return {"A": "MB for MiB", "B": "GOP for GMAC"}


def repaired_times(parameters, file_bytes):
    return 4 * parameters / file_bytes


def repaired_utilization(rows, inputs, outputs, seconds, peak):
    return rows * inputs * outputs / seconds / (2 * peak)


# %% variant={"of": "9_9_step_joules", "wrong": "one execution less"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    low = more[0] * more[1] - base[0] * base[2]
    high = more[0] * more[2] - base[0] * base[1]
    return low / max(1, times - 1), high / max(1, times - 1)


# %% variant={"of": "9_9_step_joules", "wrong": "a negative low end loses its sign"}
def fault_of_energy():
    return "the whole chip's power, billed by the clock"


def step_joules(more, base, times):
    low = (more[0] * more[1] - base[0] * base[2]) / times
    high = (more[0] * more[2] - base[0] * base[1]) / times
    return tuple(sorted((abs(low), abs(high))))


# %% variant={"of": "9_9_step_joules", "wrong": "a good repair under another name"}
def fault_of_energy():
    return "prices of another process"


def step_joules(more, base, times):
    low = (more[0] * more[1] - base[0] * base[2]) / times
    high = (more[0] * more[2] - base[0] * base[1]) / times
    return low, high
