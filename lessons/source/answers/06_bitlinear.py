# %% [markdown]
# Answers to lesson 06 by someone who had not read its checks.

# %% variant={"of": "6_1_rms_norm", "wrong": "epsilon as a floor"}
def rms_norm(x, gain, eps=1e-5):
    return x / np.sqrt(np.maximum((x**2).mean(axis=-1, keepdims=True), eps)) * gain


# %% variant={"of": "6_1_rms_norm", "wrong": "the default epsilon whatever is asked for"}
def rms_norm(x, gain, eps=1e-5):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-5) * gain


# %% variant={"of": "6_1_rms_norm", "wrong": "the gain before the norm"}
def rms_norm(x, gain, eps=1e-5):
    y = x * gain
    return y / np.sqrt(np.mean(y * y, axis=-1, keepdims=True) + eps)


# %% variant={"of": "6_1_rms_norm", "wrong": "normalises what it was given, in place"}
def rms_norm(x, gain, eps=1e-5):
    x /= np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    return x * gain


# %% variant={"of": "6_1_rms_norm", "wrong": "the second axis: fits a batch of two axes"}
def rms_norm(x, gain, eps=1e-5):
    return x / np.sqrt(np.mean(x * x, axis=1, keepdims=True) + eps) * gain


# %% variant={"of": "6_1_rms_norm", "wrong": "epsilon is divided by the width too"}
def rms_norm(x, gain, eps=1e-5):
    return x / np.sqrt(((x * x).sum(axis=-1, keepdims=True) + eps) / x.shape[-1]) * gain


# %% variant={"of": "6_1_rms_norm", "right": "einsum for the sum of squares"}
def rms_norm(x, gain, eps=1e-5):
    squares = np.einsum("...k,...k->...", x, x) / x.shape[-1]
    return np.einsum("...k,...,k->...k", x, (squares + eps) ** -0.5, gain)


# %% variant={"of": "6_1_rms_norm", "right": "a loop over tokens"}
def rms_norm(x, gain, eps=1e-5):
    result = np.empty(x.shape, np.result_type(x, gain))
    for place in np.ndindex(x.shape[:-1]):
        token = x[place]
        result[place] = token / np.hypot(np.linalg.norm(token) / len(token) ** 0.5, eps**0.5) * gain
    return result


# %% variant={"of": "6_2_absmax", "wrong": "a floor under the scale, not under the maximum"}
def absmax(x):
    scale = np.maximum(np.abs(x).max(axis=-1, keepdims=True) / 127, 1e-5)
    return np.rint(x / scale).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "1e-5 is added to every maximum"}
def absmax(x):
    scale = (np.abs(x).max(axis=-1, keepdims=True) + 1e-5) / 127
    return np.rint(x / scale).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "a floor only where the token is all zeros"}
def absmax(x):
    largest = np.abs(x).max(axis=-1, keepdims=True)
    largest = np.where(largest == 0, 1e-5, largest)
    scale = largest / 127
    return np.rint(x / scale).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "one ruler for each first index"}
def absmax(x):
    scale = np.maximum(np.abs(x).reshape(len(x), -1).max(axis=1), 1e-5) / 127
    scale = np.broadcast_to(scale.reshape(-1, *[1] * (x.ndim - 1)), (*x.shape[:-1], 1))
    return np.rint(x / scale).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "half the range from lowest to highest"}
def absmax(x):
    span = x.max(axis=-1, keepdims=True) - x.min(axis=-1, keepdims=True)
    scale = np.maximum(span / 2, 1e-5) / 127
    return np.clip(np.rint(x / scale), -127, 127).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "127.5 marks on the ruler"}
def absmax(x):
    scale = np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5) / 127.5
    return np.clip(np.rint(x / scale), -128, 127).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "divides in the caller's array"}
def absmax(x):
    scale = np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5) / 127
    x /= scale
    return np.rint(x).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "the sign is lost in the scale"}
def absmax(x):
    biggest = np.take_along_axis(x, np.abs(x).argmax(axis=-1)[..., None], axis=-1)
    scale = np.where(np.abs(biggest) < 1e-5, 1e-5, biggest) / 127
    return np.rint(x / scale).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "right": "Python's own round, entry by entry"}
def absmax(x):
    codes = np.zeros(x.shape, np.int8)
    scale = np.zeros((*x.shape[:-1], 1), x.dtype)
    for place in np.ndindex(x.shape[:-1]):
        step = max([1e-5, *(abs(float(value)) for value in x[place])]) / 127
        scale[place] = step
        codes[place] = [round(float(value) / step) for value in x[place]]
    return codes, scale


# %% variant={"of": "6_2_absmax", "right": "the larger of highest and negated lowest"}
def absmax(x):
    top = np.maximum(x.max(axis=-1, keepdims=True), -x.min(axis=-1, keepdims=True))
    scale = np.fmax(top, np.asarray(1e-5, x.dtype)) / 127
    return np.clip(np.round(x / scale), -127, 127).astype("int8"), scale


# %% variant={"of": "6_3_integer_product", "wrong": "widens one factor to int16 only"}
def integer_product(codes, scale, trits, alpha):
    sums = codes.astype(np.int16) @ trits.T
    return sums.astype(np.int32).astype(np.float64) * scale * alpha


def longest_row(dtype):
    if np.issubdtype(dtype, np.integer):
        return int(np.iinfo(dtype).max) // 127
    return 2 ** (np.finfo(dtype).nmant + 1) // 127


# %% variant={"of": "6_3_integer_product", "wrong": "rescaled in float32"}
def integer_product(codes, scale, trits, alpha):
    sums = codes.astype(np.int32) @ trits.astype(np.int32).T
    return sums.astype(np.float32) * scale.astype(np.float32) * np.float32(alpha)


def longest_row(dtype):
    if np.issubdtype(dtype, np.integer):
        return int(np.iinfo(dtype).max) // 127
    return 2 ** (np.finfo(dtype).nmant + 1) // 127


# %% variant={"of": "6_3_integer_product", "wrong": "the scales inside the sum, in float32"}
def integer_product(codes, scale, trits, alpha):
    left = codes * scale.astype(np.float32)
    right = trits * np.float32(alpha)
    return (left @ right.T).astype(np.float64)


def longest_row(dtype):
    if np.issubdtype(dtype, np.integer):
        return int(np.iinfo(dtype).max) // 127
    return 2 ** (np.finfo(dtype).nmant + 1) // 127


# %% variant={"of": "6_3_integer_product", "wrong": "the sign bit counts as room"}
def integer_product(codes, scale, trits, alpha):
    sums = codes.astype(np.int32) @ trits.astype(np.int32).T
    return alpha * (scale.astype(np.float64) * sums)


def longest_row(dtype):
    dtype = np.dtype(dtype)
    bits = 8 * dtype.itemsize if dtype.kind == "i" else np.finfo(dtype).nmant + 1
    return 2**bits // 127


# %% variant={"of": "6_3_integer_product", "wrong": "rounds the row up"}
def integer_product(codes, scale, trits, alpha):
    sums = codes.astype(np.int32) @ trits.astype(np.int32).T
    return alpha * (scale.astype(np.float64) * sums)


def longest_row(dtype):
    dtype = np.dtype(dtype)
    most = np.iinfo(dtype).max if dtype.kind == "i" else 2 ** (np.finfo(dtype).nmant + 1)
    return int(np.ceil(float(most) / 127))


# %% variant={"of": "6_3_integer_product", "wrong": "the largest float, as if it were exact up to there"}
def integer_product(codes, scale, trits, alpha):
    sums = codes.astype(np.int32) @ trits.astype(np.int32).T
    return alpha * (scale.astype(np.float64) * sums)


def longest_row(dtype):
    dtype = np.dtype(dtype)
    most = np.iinfo(dtype).max if dtype.kind == "i" else int(np.finfo(dtype).max)
    return int(most) // 127


# %% variant={"of": "6_3_integer_product", "wrong": "knows int32 and takes the rest for floats of 24 bits"}
def integer_product(codes, scale, trits, alpha):
    sums = codes.astype(np.int32) @ trits.astype(np.int32).T
    return alpha * (scale.astype(np.float64) * sums)


def longest_row(dtype):
    return (2**31 - 1) // 127 if dtype == np.int32 else 2**24 // 127


# %% variant={"of": "6_3_integer_product", "right": "einsum, and the factors as the docstring has them"}
def integer_product(codes, scale, trits, alpha):
    sums = np.einsum("...k,nk->...n", codes, trits, dtype=np.int32)
    return float(alpha) * scale.astype(np.float64) * sums


def longest_row(dtype):
    dtype = np.dtype(dtype)
    limit = 2 << np.finfo(dtype).nmant if dtype.kind == "f" else int(np.iinfo(dtype).max)
    return divmod(limit, 127)[0]


# %% variant={"of": "6_3_integer_product", "right": "adds and subtracts columns"}
def integer_product(codes, scale, trits, alpha):
    wide = codes.astype(np.int32)
    sums = np.stack(
        [
            wide[..., row == 1].sum(axis=-1, dtype=np.int32)
            - wide[..., row == -1].sum(axis=-1, dtype=np.int32)
            for row in trits
        ],
        axis=-1,
    )
    return np.float64(alpha) * (np.float64(scale) * sums)


def longest_row(dtype):
    try:
        return int(np.iinfo(dtype).max) // 127
    except ValueError:
        return int(2.0 ** (np.finfo(dtype).nmant + 1) // 127)


# %% variant={"of": "6_4_bitlinear", "wrong": "float64 comes out"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(rms_norm(x, gain))
    trits, alpha = absmean(weight)
    return integer_product(codes, scale, trits, alpha) + bias


# %% variant={"of": "6_4_bitlinear", "wrong": "a scale for each row of weights"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(rms_norm(x, gain))
    rows = [absmean(row) for row in weight]
    columns = [integer_product(codes, scale, trits[None], alpha) for trits, alpha in rows]
    return (np.concatenate(columns, axis=-1) + bias).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "wrong": "the weights go through the norm, too"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(rms_norm(x, gain))
    trits, alpha = absmean(rms_norm(weight, np.ones(weight.shape[1], weight.dtype)))
    return (integer_product(codes, scale, trits, alpha) + bias).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "wrong": "the gain after the rounding"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(rms_norm(x, np.ones_like(gain)))
    trits, alpha = absmean(weight)
    return ((codes * scale * gain) @ (trits * alpha).T + bias).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "wrong": "the gain goes into the weights before they are rounded"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(rms_norm(x, np.ones_like(gain)))
    trits, alpha = absmean(weight * gain)
    return (integer_product(codes, scale, trits, alpha) + bias).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "wrong": "ends with a flat list of tokens"}
def bitlinear(x, weight, gain, bias):
    flat = x.reshape(-1, x.shape[-1])
    codes, scale = absmax(rms_norm(flat, gain))
    trits, alpha = absmean(weight)
    return (integer_product(codes, scale, trits, alpha) + bias).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "right": "fake quantisation: two float matrices on their grids"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(rms_norm(x, gain))
    trits, alpha = absmean(weight)
    fake_x = codes * scale.astype(np.float64)
    fake_w = trits * np.float64(alpha)
    return np.float32(np.einsum("...k,nk->...n", fake_x, fake_w) + bias)


# %% variant={"of": "6_5_resolve", "wrong": "float is passed over, and a later pattern decides"}
def resolve(policy, names):
    for pattern in policy:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(pattern)
    chosen = {}
    for name in names:
        for pattern, quantiser in policy.items():
            if quantiser != "float" and fnmatchcase(name, pattern):
                chosen[name] = quantiser
                break
    return chosen


def stored_bytes(shapes, chosen):
    return sum(
        n * -(-k // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "patterns to float need not match"}
def resolve(policy, names):
    for pattern, quantiser in policy.items():
        if quantiser != "float" and not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(pattern)
    chosen = {}
    for name in names:
        for pattern, quantiser in policy.items():
            if fnmatchcase(name, pattern):
                if quantiser != "float":
                    chosen[name] = quantiser
                break
    return chosen


def stored_bytes(shapes, chosen):
    return sum(
        n * -(-k // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "in the order of the policy"}
def resolve(policy, names):
    left, chosen = list(names), {}
    for pattern, quantiser in policy.items():
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(pattern)
        for name in [name for name in left if fnmatchcase(name, pattern)]:
            left.remove(name)
            if quantiser != "float":
                chosen[name] = quantiser
    return chosen


def stored_bytes(shapes, chosen):
    return sum(
        n * -(-k // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "every quantiser is absmean"}
def resolve(policy, names):
    for pattern in policy:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(pattern)
    chosen = {}
    for name in names:
        first = next((q for pattern, q in policy.items() if fnmatchcase(name, pattern)), "float")
        if first != "float":
            chosen[name] = "absmean"
    return chosen


def stored_bytes(shapes, chosen):
    return sum(
        n * -(-k // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "the mistyped pattern is found only if it stands last"}
def resolve(policy, names):
    matched = False
    for pattern in policy:
        matched = any(fnmatchcase(name, pattern) for name in names)
    if policy and not matched:
        raise ValueError("a pattern matches nothing")
    chosen = {}
    for name in names:
        first = next((q for pattern, q in policy.items() if fnmatchcase(name, pattern)), "float")
        if first != "float":
            chosen[name] = first
    return chosen


def stored_bytes(shapes, chosen):
    return sum(
        n * -(-k // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "pads the columns: rows and columns changed places"}
def resolve(policy, names):
    for pattern in policy:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(pattern)
    chosen = {}
    for name in names:
        first = next((q for pattern, q in policy.items() if fnmatchcase(name, pattern)), "float")
        if first != "float":
            chosen[name] = first
    return chosen


def stored_bytes(shapes, chosen):
    return sum(
        k * -(-n // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "always a byte more, even for full rows"}
def resolve(policy, names):
    for pattern in policy:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(pattern)
    chosen = {}
    for name in names:
        first = next((q for pattern, q in policy.items() if fnmatchcase(name, pattern)), "float")
        if first != "float":
            chosen[name] = first
    return chosen


def stored_bytes(shapes, chosen):
    return sum(
        n * (k // 4 + 1) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "a float from np.ceil"}
def resolve(policy, names):
    for pattern in policy:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(pattern)
    chosen = {}
    for name in names:
        first = next((q for pattern, q in policy.items() if fnmatchcase(name, pattern)), "float")
        if first != "float":
            chosen[name] = first
    return chosen


def stored_bytes(shapes, chosen):
    return sum(
        n * np.ceil(k / 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "right": "patterns as regular expressions, backwards"}
def resolve(policy, names):
    import re
    from fnmatch import translate

    rules = [(re.compile(translate(pattern)), quantiser) for pattern, quantiser in policy.items()]
    hits = {name: [bool(rule.match(name)) for rule, _ in rules] for name in names}
    for place, pattern in enumerate(policy):
        if sum(hit[place] for hit in hits.values()) == 0:
            raise ValueError(f"{pattern} matches no layer")
    result = {}
    for name, hit in hits.items():
        decided = "float"
        for place in reversed(range(len(rules))):
            if hit[place]:
                decided = rules[place][1]
        if decided != "float":
            result[name] = decided
    return result


def stored_bytes(shapes, chosen):
    total = 0
    for name, (rows, columns) in shapes.items():
        if name not in chosen:
            total += rows * columns * 32 // 8
        else:
            while columns % 4:
                columns += 1
            total += rows * columns * 2 // 8 + 4
    return total


# %% variant={"of": "6_6_sensitivity", "wrong": "a share of the loss, no difference"}
def sensitivity(weights, loss):
    base, pairs = loss(weights), []
    for name in weights:
        trits, alpha = absmean(weights[name])
        pairs.append((name, loss({**weights, name: trits * alpha}) / base - 1))
    return sorted(pairs, key=lambda pair: pair[1], reverse=True)


# %% variant={"of": "6_6_sensitivity", "wrong": "rounds the caller's matrices, too"}
def sensitivity(weights, loss):
    base, pairs = loss(weights), []
    for name, matrix in weights.items():
        kept = matrix.copy()
        trits, alpha = absmean(matrix)
        matrix[:] = trits * alpha
        pairs.append((name, loss(weights) - base))
        weights[name] = kept
    return sorted(pairs, key=lambda pair: pair[1], reverse=True)


# %% variant={"of": "6_6_sensitivity", "wrong": "one float among ternary ones"}
def sensitivity(weights, loss):
    def rounded(matrix):
        trits, alpha = absmean(matrix)
        return trits * alpha

    ternary = {name: rounded(matrix) for name, matrix in weights.items()}
    base = loss(ternary)
    pairs = [(name, base - loss({**ternary, name: weights[name]})) for name in weights]
    return sorted(pairs, key=lambda pair: pair[1], reverse=True)


# %% variant={"of": "6_6_sensitivity", "wrong": "sorted by name"}
def sensitivity(weights, loss):
    base = loss(weights)
    pairs = []
    for name in weights:
        trits, alpha = absmean(weights[name])
        pairs.append((name, loss({**weights, name: trits * alpha}) - base))
    return sorted(pairs, reverse=True)


# %% variant={"of": "6_6_sensitivity", "right": "inserts each pair at its place"}
def sensitivity(weights, loss):
    ranked = []
    for name in list(weights):
        trial = weights.copy()
        trits, alpha = absmean(trial.pop(name))
        trial[name] = np.where(trits > 0, alpha, np.where(trits < 0, -alpha, 0 * alpha))
        rise = loss(trial) - loss(weights)
        place = sum(other >= rise for _, other in ranked)
        ranked.insert(place, (name, rise))
    return ranked


# %% variant={"of": "6_7_keep_float", "wrong": "a budget of nothing is refused"}
def keep_float(costs, rises, budget):
    if budget <= 0:
        raise ValueError("budget")
    kept = []
    for name in sorted(costs, key=lambda name: rises[name] / costs[name], reverse=True):
        if rises[name] > 0 and costs[name] <= budget:
            kept.append(name)
            budget -= costs[name]
    return kept


# %% variant={"of": "6_7_keep_float", "wrong": "the best packing of all, not the greedy one"}
def keep_float(costs, rises, budget):
    from itertools import combinations

    if budget < 0:
        raise ValueError("budget")
    useful = [name for name in costs if rises[name] > 0]
    best = max(
        (
            chosen
            for size in range(len(useful) + 1)
            for chosen in combinations(useful, size)
            if sum(costs[name] for name in chosen) <= budget
        ),
        key=lambda chosen: sum(rises[name] for name in chosen),
    )
    return sorted(best, key=lambda name: rises[name] / costs[name], reverse=True)


# %% variant={"of": "6_7_keep_float", "wrong": "keeps what does no harm"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError("budget")
    kept = []
    for name in sorted(costs, key=lambda name: rises[name] / costs[name], reverse=True):
        if rises[name] >= 0 and costs[name] <= budget:
            kept.append(name)
            budget -= costs[name]
    return kept


# %% variant={"of": "6_7_keep_float", "wrong": "rise per whole byte: an integer division"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError("budget")
    kept = []
    for name in sorted(costs, key=lambda name: rises[name] // costs[name], reverse=True):
        if rises[name] > 0 and costs[name] <= budget:
            kept.append(name)
            budget -= costs[name]
    return kept


# %% variant={"of": "6_7_keep_float", "wrong": "in the order of the costs' dict"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError("budget")
    kept = set()
    for name in sorted(costs, key=lambda name: rises[name] / costs[name], reverse=True):
        if rises[name] > 0 and costs[name] <= budget:
            kept.add(name)
            budget -= costs[name]
    return [name for name in costs if name in kept]


# %% variant={"of": "6_7_keep_float", "wrong": "takes chosen layers out of the caller's dict"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError("budget")
    kept = []
    while costs:
        name = max(costs, key=lambda name: rises[name] / costs[name])
        cost = costs.pop(name)
        if rises[name] > 0 and cost <= budget:
            kept.append(name)
            budget -= cost
    return kept


# %% variant={"of": "6_7_keep_float", "right": "recursion, the best that fits first"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError(f"{budget} bytes are missing for the ternary network itself")
    open_ = [name for name in costs if rises[name] > 0 and costs[name] <= budget]
    if not open_:
        return []
    best = min(open_, key=lambda name: costs[name] / rises[name])
    rest = {name: cost for name, cost in costs.items() if name != best}
    return [best, *keep_float(rest, rises, budget - costs[best])]


# %% variant={"of": "6_8_repaired_layer", "wrong": "a token of zeros divides by zero"}
def repaired_layer(x, weight):
    trits, alpha = absmean(weight)
    step = np.abs(x).max(axis=-1, keepdims=True) / 127
    codes = np.rint(x / step).astype(np.int8)
    return codes.astype(np.int32) @ trits.astype(np.int32).T * step * alpha


# %% variant={"of": "6_8_repaired_layer", "wrong": "nothing is rounded any more"}
def repaired_layer(x, weight):
    trits, alpha = absmean(weight)
    return x @ (trits * alpha).T


# %% variant={"of": "6_8_repaired_layer", "wrong": "sums int8 codes in int8"}
def repaired_layer(x, weight):
    trits, alpha = absmean(weight)
    step = np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5) / 127
    codes = np.rint(x / step).astype(np.int8)
    return (codes @ trits.T) * step * alpha


# %% variant={"of": "6_8_repaired_layer", "wrong": "divides by alpha, too"}
def repaired_layer(x, weight):
    trits, alpha = absmean(weight)
    gamma = 127 / np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5)
    codes = np.rint(x * gamma)
    return codes @ trits.T / (gamma * alpha)


# %% variant={"of": "6_8_repaired_layer", "wrong": "takes the loudness out before, and leaves it out"}
def repaired_layer(x, weight):
    trits, alpha = absmean(weight)
    codes, scale = absmax(rms_norm(x, np.ones(x.shape[-1], x.dtype)))
    return integer_product(codes, scale, trits, alpha)


# %% variant={"of": "6_8_repaired_layer", "right": "gamma by token, and divided by"}
def repaired_layer(x, weight):
    trits, alpha = absmean(weight)
    gamma = 127 / np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5)
    codes = np.rint(gamma * x).astype(np.float64)
    return np.tensordot(codes, trits, axes=(-1, -1)) / gamma * alpha


# %% variant={"of": "6_9_repaired_input", "wrong": "the norm after the rounding"}
def repaired_input(x, gain):
    codes, scale = absmax(x)
    return rms_norm(codes * scale, gain)


# %% variant={"of": "6_9_repaired_input", "wrong": "the gain before the norm"}
def repaired_input(x, gain):
    codes, scale = absmax(rms_norm(x * gain, np.ones_like(gain)))
    return codes * scale


# %% variant={"of": "6_9_repaired_input", "wrong": "the codes without their scale"}
def repaired_input(x, gain):
    codes, scale = absmax(rms_norm(x, gain))
    return codes.astype(np.float32)


# %% variant={"of": "6_9_repaired_input", "wrong": "rounds twice, before and after the gain"}
def repaired_input(x, gain):
    codes, scale = absmax(rms_norm(x, np.ones_like(gain)))
    codes, scale = absmax(codes * scale * gain)
    return codes * scale


# %% variant={"of": "6_9_repaired_input", "wrong": "one grid for the whole batch"}
def repaired_input(x, gain):
    y = rms_norm(x, gain)
    step = np.abs(y).max() / 127
    return np.rint(y / step) * step


# %% variant={"of": "6_9_repaired_input", "right": "written out"}
def repaired_input(x, gain):
    loud = np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + 1e-5)
    y = x / loud * gain
    step = np.maximum(np.abs(y).max(axis=-1, keepdims=True), 1e-5) / 127
    return step * np.round(y / step)
