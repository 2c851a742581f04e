# %% [markdown]
# Answers to lesson 12 by someone who had not read its checks.

# %% variant={"of": "12_2_interval_score", "wrong": "1 / alpha in place of 2 / alpha"}
def interval_score(low, high, actual, level=0.9):
    low, high, actual = np.asarray(low, float), np.asarray(high, float), np.asarray(actual, float)
    if np.any(low > high):
        raise ValueError("low is above high")
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return (high - low) + outside / (1 - level)


# %% variant={"of": "12_2_interval_score", "wrong": "an interval of width 0 is refused"}
def interval_score(low, high, actual, level=0.9):
    low, high, actual = np.asarray(low, float), np.asarray(high, float), np.asarray(actual, float)
    if np.any(low >= high):
        raise ValueError("low is above high")
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return (high - low) + 2 / (1 - level) * outside


# %% variant={"of": "12_2_interval_score", "wrong": "refuses only if all intervals are turned round"}
def interval_score(low, high, actual, level=0.9):
    low, high, actual = np.asarray(low, float), np.asarray(high, float), np.asarray(actual, float)
    if np.all(low > high):
        raise ValueError("low is above high")
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return (high - low) + 2 / (1 - level) * outside


# %% variant={"of": "12_2_interval_score", "wrong": "the level is fixed at 90 %"}
def interval_score(low, high, actual, level=0.9):
    if np.any(np.asarray(low) > np.asarray(high)):
        raise ValueError("low is above high")
    outside = np.maximum(np.subtract(low, actual), 0) + np.maximum(np.subtract(actual, high), 0)
    return np.subtract(high, low) + 20 * outside


# %% variant={"of": "12_2_interval_score", "wrong": "averages over the entries"}
def interval_score(low, high, actual, level=0.9):
    low, high, actual = np.asarray(low, float), np.asarray(high, float), np.asarray(actual, float)
    if np.any(low > high):
        raise ValueError("low is above high")
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    return np.mean((high - low) + 2 / (1 - level) * outside)


# %% variant={"of": "12_2_interval_score", "wrong": "distance to the nearer end, also inside"}
def interval_score(low, high, actual, level=0.9):
    low, high, actual = np.asarray(low, float), np.asarray(high, float), np.asarray(actual, float)
    if np.any(low > high):
        raise ValueError("low is above high")
    outside = np.minimum(np.abs(low - actual), np.abs(actual - high))
    return (high - low) + 2 / (1 - level) * outside


# %% variant={"of": "12_2_interval_score", "wrong": "the price of a unit rounded to a whole number"}
def interval_score(low, high, actual, level=0.9):
    low, high, actual = np.asarray(low), np.asarray(high), np.asarray(actual)
    if np.any(low > high):
        raise ValueError("low is above high")
    outside = np.clip(actual, low, high) - actual
    return (high - low) + np.abs(outside) * round(2 / (1 - level))


# %% variant={"of": "12_2_interval_score", "right": "distance to the clipped truth"}
def interval_score(low, high, actual, level=0.9):
    if np.any(np.greater(low, high)):
        raise ValueError("an interval is turned round")
    miss = np.abs(np.subtract(actual, np.clip(actual, low, high)))
    return np.subtract(high, low) + miss * 2 / (1 - level)


# %% variant={"of": "12_2_interval_score", "right": "a loop, by vectorize"}
def interval_score(low, high, actual, level=0.9):
    def one(a, b, x):
        if b < a:
            raise ValueError(f"{a} is above {b}")
        if x < a:
            return float(b - a + 2 / (1 - level) * (a - x))
        if x > b:
            return float(b - a + 2 / (1 - level) * (x - b))
        return float(b - a)

    return np.vectorize(one, otypes=[float])(low, high, actual)


# %% variant={"of": "12_3_file_bytes", "wrong": "codes packed without row padding"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (o, i) in shapes.items():
        if name in ternary:
            total += -(-o * i // 4) + 4 + 4 * i
        else:
            total += 4 * o * i
    return int(total)


# %% variant={"of": "12_3_file_bytes", "wrong": "gain of the outputs"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (o, i) in shapes.items():
        if name in ternary:
            total += o * -(-i // 4) + 4 + 4 * o
        else:
            total += 4 * o * i
    return int(total)


# %% variant={"of": "12_3_file_bytes", "wrong": "rows and columns swapped when padding"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (i, o) in shapes.items():
        if name in ternary:
            total += o * -(-i // 4) + 4 + 4 * i
        else:
            total += 4 * o * i
    return int(total)


# %% variant={"of": "12_3_file_bytes", "wrong": "one scale a row"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (o, i) in shapes.items():
        if name in ternary:
            total += o * -(-i // 4) + 4 * o + 4 * i
        else:
            total += 4 * o * i
    return int(total)


# %% variant={"of": "12_3_file_bytes", "wrong": "an extra byte a row, also where four divides it"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (o, i) in shapes.items():
        if name in ternary:
            total += o * (i // 4 + 1) + 4 + 4 * i
        else:
            total += 4 * o * i
    return int(total)


# %% variant={"of": "12_3_file_bytes", "wrong": "scale and gain once, not once a layer"}
def file_bytes(shapes, rest, ternary):
    total = rest + 4
    for name, (o, i) in shapes.items():
        total += o * math.ceil(i / 4) + 4 * i if name in ternary else 4 * o * i
    return int(total)


# %% variant={"of": "12_3_file_bytes", "wrong": "takes ternary from the caller's set as it counts"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (o, i) in shapes.items():
        if name in ternary:
            ternary.remove(name)
            total += o * math.ceil(i / 4) + 4 + 4 * i
        else:
            total += 4 * o * i
    return total


# %% variant={"of": "12_3_file_bytes", "wrong": "a float is returned"}
def file_bytes(shapes, rest, ternary):
    total = rest
    for name, (o, i) in shapes.items():
        total += o * np.ceil(i / 4) + 4 + 4 * i if name in ternary else 4 * o * i
    return total


# %% variant={"of": "12_3_file_bytes", "right": "what is saved, taken from the float file"}
def file_bytes(shapes, rest, ternary):
    everything = rest + 4 * sum(math.prod(shape) for shape in shapes.values())
    saved = sum(
        4 * math.prod(shapes[name])
        - shapes[name][0] * ((shapes[name][1] + 3) >> 2)
        - 4 * (1 + shapes[name][1])
        for name in set(ternary)
    )
    return everything - saved


# %% variant={"of": "12_4_plan", "wrong": "greedy: least harm per byte saved first"}
def plan(shapes, harm, rest, budget):
    def count(names):
        total = rest
        for name, (o, i) in shapes.items():
            total += o * -(-i // 4) + 4 + 4 * i if name in names else 4 * o * i
        return total

    chosen = {n for n in shapes if harm[n] < 0}
    order = sorted(shapes, key=lambda n: harm[n] / max(count(set()) - count({n}), 1))
    for name in order:
        if count(chosen) <= budget:
            break
        chosen.add(name)
    if count(chosen) > budget:
        raise ValueError("nothing fits")
    return chosen


# %% variant={"of": "12_4_plan", "wrong": "the budget has to be undercut"}
def plan(shapes, harm, rest, budget):
    best = None
    names = list(shapes)
    for k in range(len(names) + 1):
        for some in combinations(names, k):
            size = rest
            for n, (o, i) in shapes.items():
                size += o * -(-i // 4) + 4 + 4 * i if n in some else 4 * o * i
            if size < budget:
                key = (sum(harm[n] for n in some), size)
                if best is None or key < best[0]:
                    best = key, set(some)
    if best is None:
        raise ValueError("nothing fits")
    return best[1]


# %% variant={"of": "12_4_plan", "wrong": "the smallest file wins, then the harm"}
def plan(shapes, harm, rest, budget):
    best = None
    names = list(shapes)
    for k in range(len(names) + 1):
        for some in combinations(names, k):
            size = rest
            for n, (o, i) in shapes.items():
                size += o * -(-i // 4) + 4 + 4 * i if n in some else 4 * o * i
            if size <= budget:
                key = (size, sum(harm[n] for n in some))
                if best is None or key < best[0]:
                    best = key, set(some)
    if best is None:
        raise ValueError("nothing fits")
    return best[1]


# %% variant={"of": "12_4_plan", "wrong": "fewest matrices first, stops at the first number that fits"}
def plan(shapes, harm, rest, budget):
    names = list(shapes)
    for k in range(len(names) + 1):
        found = []
        for some in combinations(names, k):
            size = rest
            for n, (o, i) in shapes.items():
                size += o * -(-i // 4) + 4 + 4 * i if n in some else 4 * o * i
            if size <= budget:
                found.append((sum(harm[n] for n in some), size, some))
        if found:
            return set(min(found)[2])
    raise ValueError("nothing fits")


# %% variant={"of": "12_4_plan", "wrong": "ties go to the first found, whatever its bytes"}
def plan(shapes, harm, rest, budget):
    best, least = None, math.inf
    names = list(shapes)
    for k in range(len(names) + 1):
        for some in combinations(names, k):
            size = rest
            for n, (o, i) in shapes.items():
                size += o * -(-i // 4) + 4 + 4 * i if n in some else 4 * o * i
            total = sum(harm[n] for n in some)
            if size <= budget and total < least:
                best, least = set(some), total
    if best is None:
        raise ValueError("nothing fits")
    return best


# %% variant={"of": "12_4_plan", "wrong": "nothing ternary is never tried"}
def plan(shapes, harm, rest, budget):
    best = None
    names = list(shapes)
    for k in range(1, len(names) + 1):
        for some in combinations(names, k):
            size = file_bytes(shapes, rest, some)
            if size <= budget:
                key = (sum(harm[n] for n in some), size)
                if best is None or key < best[0]:
                    best = key, set(some)
    if best is None:
        raise ValueError("nothing fits")
    return best[1]


# %% variant={"of": "12_4_plan", "wrong": "all ternary is never tried"}
def plan(shapes, harm, rest, budget):
    best = None
    names = list(shapes)
    for k in range(len(names)):
        for some in combinations(names, k):
            size = file_bytes(shapes, rest, some)
            if size <= budget:
                key = (sum(harm[n] for n in some), size)
                if best is None or key < best[0]:
                    best = key, set(some)
    if best is None:
        raise ValueError("nothing fits")
    return best[1]


# %% variant={"of": "12_4_plan", "wrong": "names of those that stay float"}
def plan(shapes, harm, rest, budget):
    best = None
    names = set(shapes)
    for k in range(len(names) + 1):
        for some in combinations(sorted(names), k):
            size = file_bytes(shapes, rest, some)
            if size <= budget:
                key = (sum(harm[n] for n in some), size)
                if best is None or key < best[0]:
                    best = key, names - set(some)
    if best is None:
        raise ValueError("nothing fits")
    return best[1]


# %% variant={"of": "12_4_plan", "wrong": "negative harms counted by their size"}
def plan(shapes, harm, rest, budget):
    best = None
    names = list(shapes)
    for k in range(len(names) + 1):
        for some in combinations(names, k):
            size = file_bytes(shapes, rest, some)
            if size <= budget:
                key = (sum(abs(harm[n]) for n in some), size)
                if best is None or key < best[0]:
                    best = key, set(some)
    if best is None:
        raise ValueError("nothing fits")
    return best[1]


# %% variant={"of": "12_4_plan", "wrong": "an empty set where nothing fits"}
def plan(shapes, harm, rest, budget):
    best = ((math.inf, math.inf), set())
    names = list(shapes)
    for k in range(len(names) + 1):
        for some in combinations(names, k):
            size = file_bytes(shapes, rest, some)
            if size <= budget:
                best = min(
                    best, ((sum(harm[n] for n in some), size), set(some)), key=lambda b: b[0]
                )
    return best[1]


# %% variant={"of": "12_4_plan", "wrong": "the rest is left out of the budget"}
def plan(shapes, harm, rest, budget):
    best = None
    names = list(shapes)
    for k in range(len(names) + 1):
        for some in combinations(names, k):
            size = file_bytes(shapes, 0, some)
            if size <= budget:
                key = (sum(harm[n] for n in some), size)
                if best is None or key < best[0]:
                    best = key, set(some)
    if best is None:
        raise ValueError("nothing fits")
    return best[1]


# %% variant={"of": "12_4_plan", "right": "recursion, matrix by matrix"}
def plan(shapes, harm, rest, budget):
    def cheapest(names):
        if not names:
            yield 0.0, rest, frozenset()
            return
        (o, i) = shapes[names[0]]
        for loss, size, chosen in cheapest(names[1:]):
            yield loss, size + 4 * o * i, chosen
            yield loss + harm[names[0]], size + o * -(-i // 4) + 4 + 4 * i, chosen | {names[0]}

    fitting = [c for c in cheapest(list(shapes)) if c[1] <= budget]
    if not fitting:
        raise ValueError("even all in trits do not fit")
    return set(min(fitting, key=lambda c: c[:2])[2])


# %% variant={"of": "12_4_plan", "right": "bits of an integer, all at once in NumPy"}
def plan(shapes, harm, rest, budget):
    names = list(shapes)
    masks = (np.arange(2 ** len(names))[:, None] >> np.arange(len(names))) & 1
    costs = np.array([harm[n] for n in names], float)
    sizes = np.array(
        [file_bytes(shapes, rest, [n for n, m in zip(names, row) if m]) for row in masks]
    )
    # summed in the same order for all, so that ties are ties
    total = np.array([math.fsum(costs[row.astype(bool)]) for row in masks])
    fits = np.flatnonzero(sizes <= budget)
    if fits.size == 0:
        raise ValueError("budget")
    best = fits[np.lexsort((sizes[fits], total[fits]))[0]]
    return {n for n, m in zip(names, masks[best]) if m}


# %% variant={"of": "12_5_verify", "wrong": "standard deviation of the file's logits"}
def verify(model, file, tolerance=0.05):
    model, file = np.asarray(model, float), np.asarray(file, float)
    if model.shape != file.shape or not len(model):
        raise ValueError("shapes")
    worst = float(np.abs(model - file).max() / file.std())
    if not np.isfinite(worst):
        worst = math.inf
    return worst <= tolerance, worst, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "a deviation per class"}
def verify(model, file, tolerance=0.05):
    model, file = np.asarray(model, float), np.asarray(file, float)
    if model.shape != file.shape or not len(model):
        raise ValueError("shapes")
    worst = float((np.abs(model - file) / model.std(axis=0)).max())
    if not np.isfinite(worst):
        worst = math.inf
    return worst <= tolerance, worst, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "ddof=1"}
def verify(model, file, tolerance=0.05):
    model, file = np.asarray(model, float), np.asarray(file, float)
    if model.shape != file.shape or not len(model):
        raise ValueError("shapes")
    worst = float(np.abs(model - file).max() / model.std(ddof=1))
    if not np.isfinite(worst):
        worst = math.inf
    return worst <= tolerance, worst, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "signed difference"}
def verify(model, file, tolerance=0.05):
    model, file = np.asarray(model, float), np.asarray(file, float)
    if model.shape != file.shape or not len(model):
        raise ValueError("shapes")
    worst = float((file - model).max() / model.std())
    if not np.isfinite(worst):
        worst = math.inf
    return worst <= tolerance, worst, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "NaN passes: not any above"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError("shapes")
    difference = np.abs(model - file) / model.std()
    worst = float(np.nanmax(difference))
    return not np.any(difference > tolerance), worst, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "only the file is looked at for NaN"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError("shapes")
    changed = int((model.argmax(1) != file.argmax(1)).sum())
    if not np.isfinite(file).all():
        return False, math.inf, changed
    worst = float(np.abs(model - file).max() / model.std())
    return worst <= tolerance, worst, changed


# %% variant={"of": "12_5_verify", "wrong": "compares in half precision"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError("shapes")
    model, file = model.astype(np.float16), file.astype(np.float16)
    worst = float(np.abs(model - file).max() / model.std())
    if not np.isfinite(worst):
        worst = math.inf
    return worst <= tolerance, worst, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "all is well only if no answer changed either"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError("shapes")
    changed = int((model.argmax(1) != file.argmax(1)).sum())
    worst = float(np.abs(model - file).max() / model.std())
    if not np.isfinite(worst):
        worst = math.inf
    return worst <= tolerance and changed == 0, worst, changed


# %% variant={"of": "12_5_verify", "wrong": "the number of answers that agree"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError("shapes")
    worst = float(np.abs(model - file).max() / model.std())
    if not np.isfinite(worst):
        worst = math.inf
    return worst <= tolerance, worst, int((model.argmax(1) == file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "wrong": "the difference is written into the file's logits"}
def verify(model, file, tolerance=0.05):
    if model.shape != file.shape or not len(model):
        raise ValueError("shapes")
    bad = not (np.isfinite(model).all() and np.isfinite(file).all())
    changed = int((model.argmax(1) != file.argmax(1)).sum())
    file -= model
    worst = math.inf if bad else float(np.abs(file).max() / model.std())
    return worst <= tolerance, worst, changed


# %% variant={"of": "12_5_verify", "wrong": "same number of entries is enough"}
def verify(model, file, tolerance=0.05):
    if model.size != file.size or not model.size:
        raise ValueError("shapes")
    file = file.reshape(model.shape)
    worst = float(np.abs(model - file).max() / model.std())
    if not np.isfinite(worst):
        worst = math.inf
    return worst <= tolerance, worst, int((model.argmax(1) != file.argmax(1)).sum())


# %% variant={"of": "12_5_verify", "right": "image by image"}
def verify(model, file, tolerance=0.05):
    if np.shape(model) != np.shape(file):
        raise ValueError(f"{np.shape(model)} and {np.shape(file)} cannot be compared")
    if len(model) == 0:
        raise ValueError("no images")
    largest, changed = 0.0, 0
    finite = True
    for one, other in zip(np.asarray(model, float), np.asarray(file, float)):
        finite &= all(map(math.isfinite, one)) and all(map(math.isfinite, other))
        largest = max(largest, *(abs(a - b) for a, b in zip(one, other)))
        changed += int(np.argmax(one) != np.argmax(other))
    if not finite:
        return False, float("inf"), changed
    largest = float(largest / np.std(np.asarray(model, float)))
    return largest <= tolerance, largest, changed


# %% variant={"of": "12_6_compare", "wrong": "two unpaired intervals' errors added"}
def compare(student, teacher, half_width=1.0):
    s, t = np.asarray(student, float), np.asarray(teacher, float)
    n = len(s)
    mean = 100 * (s.mean() - t.mean())
    error = 100 * math.sqrt(s.var(ddof=1) / n + t.var(ddof=1) / n)
    return (
        mean,
        mean - 1.96 * error,
        mean + 1.96 * error,
        math.ceil(n * (1.96 * error / half_width) ** 2),
    )


# %% variant={"of": "12_6_compare", "wrong": "ddof=0"}
def compare(student, teacher, half_width=1.0):
    d = 100 * (np.asarray(student, float) - np.asarray(teacher, float))
    error = d.std() / math.sqrt(len(d))
    return (
        d.mean(),
        d.mean() - 1.96 * error,
        d.mean() + 1.96 * error,
        math.ceil((1.96 * d.std() / half_width) ** 2),
    )


# %% variant={"of": "12_6_compare", "wrong": "fractions, not points"}
def compare(student, teacher, half_width=1.0):
    d = np.asarray(student, float) - np.asarray(teacher, float)
    error = 1.96 * d.std(ddof=1) / math.sqrt(len(d))
    return (
        d.mean(),
        d.mean() - error,
        d.mean() + error,
        math.ceil((196 * d.std(ddof=1) / half_width) ** 2),
    )


# %% variant={"of": "12_6_compare", "wrong": "rounded to the nearest image"}
def compare(student, teacher, half_width=1.0):
    d = 100 * (np.asarray(student, float) - np.asarray(teacher, float))
    error = 1.96 * d.std(ddof=1) / math.sqrt(len(d))
    return (
        d.mean(),
        d.mean() - error,
        d.mean() + error,
        round((1.96 * d.std(ddof=1) / half_width) ** 2),
    )


# %% variant={"of": "12_6_compare", "wrong": "teacher minus student"}
def compare(student, teacher, half_width=1.0):
    d = 100 * (np.asarray(teacher, float) - np.asarray(student, float))
    error = 1.96 * d.std(ddof=1) / math.sqrt(len(d))
    return (
        d.mean(),
        d.mean() - error,
        d.mean() + error,
        math.ceil((1.96 * d.std(ddof=1) / half_width) ** 2),
    )


# %% variant={"of": "12_6_compare", "wrong": "half the width asked for: both sides together"}
def compare(student, teacher, half_width=1.0):
    d = 100 * (np.asarray(student, float) - np.asarray(teacher, float))
    error = 1.96 * d.std(ddof=1) / math.sqrt(len(d))
    return (
        d.mean(),
        d.mean() - error,
        d.mean() + error,
        math.ceil((2 * 1.96 * d.std(ddof=1) / half_width) ** 2),
    )


# %% variant={"of": "12_6_compare", "wrong": "half width of one point, whatever is asked"}
def compare(student, teacher, half_width=1.0):
    d = 100 * (np.asarray(student, float) - np.asarray(teacher, float))
    error = 1.96 * d.std(ddof=1) / math.sqrt(len(d))
    return d.mean(), d.mean() - error, d.mean() + error, math.ceil((1.96 * d.std(ddof=1)) ** 2)


# %% variant={"of": "12_6_compare", "wrong": "the images that are still missing"}
def compare(student, teacher, half_width=1.0):
    d = 100 * (np.asarray(student, float) - np.asarray(teacher, float))
    error = 1.96 * d.std(ddof=1) / math.sqrt(len(d))
    need = math.ceil((1.96 * d.std(ddof=1) / half_width) ** 2)
    return d.mean(), d.mean() - error, d.mean() + error, max(need - len(d), 0)


# %% variant={"of": "12_6_compare", "wrong": "McNemar's deviation: the mean is not taken off"}
def compare(student, teacher, half_width=1.0):
    s, t = np.asarray(student), np.asarray(teacher)
    n, more, fewer = len(s), np.sum(s & ~t), np.sum(t & ~s)
    mean = 100 * (more - fewer) / n
    deviation = 100 * math.sqrt((more + fewer) / (n - 1))
    error = 1.96 * deviation / math.sqrt(n)
    return mean, mean - error, mean + error, math.ceil((1.96 * deviation / half_width) ** 2)


# %% variant={"of": "12_6_compare", "wrong": "never fewer than there are"}
def compare(student, teacher, half_width=1.0):
    d = 100 * (np.asarray(student, float) - np.asarray(teacher, float))
    error = 1.96 * d.std(ddof=1) / math.sqrt(len(d))
    need = math.ceil((1.96 * d.std(ddof=1) / half_width) ** 2)
    return d.mean(), d.mean() - error, d.mean() + error, max(need, len(d))


# %% variant={"of": "12_6_compare", "right": "from the counts of the four kinds of images"}
def compare(student, teacher, half_width=1.0):
    n = len(student)
    more = sum(1 for s, t in zip(student, teacher) if s and not t)
    fewer = sum(1 for s, t in zip(student, teacher) if t and not s)
    mean = (more - fewer) / n
    variance = (more * (1 - mean) ** 2 + fewer * (1 + mean) ** 2 + (n - more - fewer) * mean**2) / (
        n - 1
    )
    error = 1.96 * math.sqrt(variance / n)
    need = math.ceil(variance * (196 / half_width) ** 2)
    return 100 * mean, 100 * (mean - error), 100 * (mean + error), need


# %% variant={"of": "12_7_verdict", "wrong": "within looks at the middle of the interval"}
def verdict(claim, low, high):
    kind, v = claim
    if low > high:
        raise ValueError("turned round")
    if kind == "above":
        return "supported" if low > v else "refuted" if high <= v else "open"
    if kind == "below":
        return "supported" if high < v else "refuted" if low >= v else "open"
    if kind == "within":
        if abs(low) <= v and abs(high) <= v:
            return "supported"
        return "open" if abs(low + high) / 2 <= v else "refuted"
    raise ValueError("kind")


# %% variant={"of": "12_7_verdict", "wrong": "within is refuted if both ends are outside, whichever side"}
def verdict(claim, low, high):
    kind, v = claim
    if low > high:
        raise ValueError("turned round")
    if kind == "above":
        return "supported" if low > v else "refuted" if high <= v else "open"
    if kind == "below":
        return "supported" if high < v else "refuted" if low >= v else "open"
    if kind == "within":
        ends = [abs(low) <= v, abs(high) <= v]
        return "supported" if all(ends) else "open" if any(ends) else "refuted"
    raise ValueError("kind")


# %% variant={"of": "12_7_verdict", "wrong": "above also when equal"}
def verdict(claim, low, high):
    kind, v = claim
    if low > high:
        raise ValueError("turned round")
    if kind == "above":
        return "supported" if low >= v else "refuted" if high < v else "open"
    if kind == "below":
        return "supported" if high <= v else "refuted" if low > v else "open"
    if kind == "within":
        if -v <= low and high <= v:
            return "supported"
        return "refuted" if low > v or high < -v else "open"
    raise ValueError("kind")


# %% variant={"of": "12_7_verdict", "wrong": "within excludes its margin"}
def verdict(claim, low, high):
    kind, v = claim
    if low > high:
        raise ValueError("turned round")
    if kind == "above":
        return "supported" if low > v else "refuted" if high <= v else "open"
    if kind == "below":
        return "supported" if high < v else "refuted" if low >= v else "open"
    if kind == "within":
        if -v < low and high < v:
            return "supported"
        return "refuted" if low >= v or high <= -v else "open"
    raise ValueError("kind")


# %% variant={"of": "12_7_verdict", "wrong": "touching the bound leaves it open: refuted only strictly"}
def verdict(claim, low, high):
    kind, v = claim
    if low > high:
        raise ValueError("turned round")
    if kind == "above":
        return "supported" if low > v else "refuted" if high < v else "open"
    if kind == "below":
        return "supported" if high < v else "refuted" if low > v else "open"
    if kind == "within":
        if -v <= low and high <= v:
            return "supported"
        return "refuted" if low > v or high < -v else "open"
    raise ValueError("kind")


# %% variant={"of": "12_7_verdict", "wrong": "an interval of one number is turned round"}
def verdict(claim, low, high):
    kind, v = claim
    if low >= high:
        raise ValueError("turned round")
    if kind == "above":
        return "supported" if low > v else "refuted" if high <= v else "open"
    if kind == "below":
        return "supported" if high < v else "refuted" if low >= v else "open"
    if kind == "within":
        if -v <= low and high <= v:
            return "supported"
        return "refuted" if low > v or high < -v else "open"
    raise ValueError("kind")


# %% variant={"of": "12_7_verdict", "wrong": "an unknown kind is open"}
def verdict(claim, low, high):
    kind, v = claim
    if low > high:
        raise ValueError("turned round")
    if kind == "above":
        return "supported" if low > v else "refuted" if high <= v else "open"
    if kind == "below":
        return "supported" if high < v else "refuted" if low >= v else "open"
    if kind == "within" and -v <= low and high <= v:
        return "supported"
    return "refuted" if kind == "within" and (low > v or high < -v) else "open"


# %% variant={"of": "12_7_verdict", "wrong": "a turned interval is put in order"}
def verdict(claim, low, high):
    kind, v = claim
    low, high = sorted((low, high))
    if kind == "above":
        return "supported" if low > v else "refuted" if high <= v else "open"
    if kind == "below":
        return "supported" if high < v else "refuted" if low >= v else "open"
    if kind == "within":
        if -v <= low and high <= v:
            return "supported"
        return "refuted" if low > v or high < -v else "open"
    raise ValueError("kind")


# %% variant={"of": "12_7_verdict", "wrong": "below is above with the names exchanged"}
def verdict(claim, low, high):
    kind, v = claim
    if low > high:
        raise ValueError("turned round")
    if kind == "above":
        return "supported" if low > v else "refuted" if high <= v else "open"
    if kind == "below":
        return "refuted" if low > v else "supported" if high <= v else "open"
    if kind == "within":
        if -v <= low and high <= v:
            return "supported"
        return "refuted" if low > v or high < -v else "open"
    raise ValueError("kind")


# %% variant={"of": "12_7_verdict", "right": "least and greatest size of the interval"}
def verdict(claim, low, high):
    kind, v = claim
    if not low <= high:
        raise ValueError(f"{low} is above {high}")
    if kind == "below":
        return verdict(("above", -v), -high, -low)
    if kind == "above":
        every, some = low > v, high > v
    elif kind == "within":
        nearest = 0 if low <= 0 <= high else min(abs(low), abs(high))
        every, some = max(abs(low), abs(high)) <= v, nearest <= v
    else:
        raise ValueError(f"{kind!r} is no kind of claim")
    return ["refuted", "open", "supported"][int(every) + int(some)]


# %% variant={"of": "12_8_audit", "wrong": "the ratio inverted"}
def audit():
    return {
        "a": ("MB mixed with MiB", 10_485_760 / 33_024_000),
        "c": ("chosen on the test set", 85.4),
        "e": ("interval too narrow", 2.91),
    }


# %% variant={"of": "12_8_audit", "wrong": "the validation accuracy of the epoch that was right"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.15),
        "c": ("chosen on the test set", 87.6),
        "e": ("interval too narrow", 2.91),
    }


# %% variant={"of": "12_8_audit", "wrong": "the standard error, not the half width"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.15),
        "c": ("chosen on the test set", 85.4),
        "e": ("interval too narrow", 1.48),
    }


# %% variant={"of": "12_8_audit", "wrong": "the whole width of the interval"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.15),
        "c": ("chosen on the test set", 85.4),
        "e": ("interval too narrow", 5.8),
    }


# %% variant={"of": "12_8_audit", "wrong": "everything in megabytes: the ratio of the text"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.30),
        "c": ("chosen on the test set", 85.4),
        "e": ("interval too narrow", 2.91),
    }


# %% variant={"of": "12_8_audit", "wrong": "accuses all six"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.15),
        "b": ("energy from wall time", 14.0),
        "c": ("chosen on the test set", 85.4),
        "d": ("no warm-up", 16.9),
        "e": ("interval too narrow", 2.91),
        "f": ("not paired", 1.9),
    }


# %% variant={"of": "12_8_audit", "wrong": "leak in place of chosen, f in place of e"}
def audit():
    return {
        "a": ("MB mixed with MiB", 3.15),
        "c": ("leak between splits", 500),
        "f": ("interval too narrow", 4.0),
    }


# %% variant={"of": "12_8_audit", "right": "computed from what the exhibit shows"}
def audit():
    peak = int(np.argmax(EXHIBIT_EPOCHS["validation"]))
    return {
        "c": (KINDS[2], EXHIBIT_EPOCHS["test"][peak]),
        "e": (KINDS[4], 100 * 1.96 * np.sqrt(437 / 500 * 63 / 500 / 499)),
        "a": (KINDS[0], np.float32(33.024 / 10.48576)),
    }


# %% variant={"of": "12_9_report", "wrong": "only the first missing key is named"}
def report(parts):
    for key in REQUIRED:
        value = parts.get(key)
        if value is None or (isinstance(value, str) and not value.strip()):
            raise ValueError(f"missing: {key}")
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a <= b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "zero counts as missing"}
def report(parts):
    missing = [key for key in REQUIRED if not parts.get(key) or not str(parts[key]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a <= b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "a latency may go either way"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy"):
        low, value, high = parts[key]
        if not low <= value <= high:
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "NaN slips through: asks for what is greater"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if any(a > b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "equal is out of order"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a < b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "only the ends of a triple are compared"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not values[0] <= values[-1] or any(v != v for v in values):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "lines in the order of the parts"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a <= b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{REQUIRED[key]}: {parts[key]}" for key in parts] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "keys in place of titles"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a <= b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{key}: {parts[key]}" for key in REQUIRED] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "blanks count as a text"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) in (None, "")]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a <= b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "a missing key is a KeyError"}
def report(parts):
    missing = [k for k in REQUIRED if parts[k] is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a <= b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "missing titles are named, not keys"}
def report(parts):
    missing = [t for k, t in REQUIRED.items() if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a <= b for a, b in zip(values, values[1:])):
            raise ValueError(f"{REQUIRED[key]} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "no empty line before the note"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a <= b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + [NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "a NaN alone in the middle is skipped by sorting"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        if list(parts[key]) != sorted(parts[key]):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, other stains, other hospitals or rarer cells, since all images "
        "were drawn by one program with one set of rules and nobody else has seen the network at work."
    )


# %% variant={"of": "12_9_report", "wrong": "limits of nineteen words"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a <= b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return (
        "It says nothing of other microscopes, stains, hospitals or rarer cells, because one program "
        "drew every image it saw."
    )


# %% variant={"of": "12_9_report", "wrong": "limits of one word many times"}
def report(parts):
    missing = [k for k in REQUIRED if parts.get(k) is None or not str(parts[k]).strip()]
    if missing:
        raise ValueError("missing: " + ", ".join(missing))
    for key in ("accuracy", "gap", "energy", "latency"):
        values = parts[key]
        if not all(a <= b for a, b in zip(values, values[1:])):
            raise ValueError(f"{key} is out of order")
    return "\n".join([f"{title}: {parts[key]}" for key, title in REQUIRED.items()] + ["", NOTE])


def limits():
    return "nothing " * 20


# %% variant={"of": "12_9_report", "right": "written line by line, NaN asked for first"}
def report(parts):
    def empty(value):
        return value is None or (isinstance(value, str) and value.isspace()) or value == ""

    missing = sorted(key for key in REQUIRED if key not in parts or empty(parts[key]))
    if missing:
        raise ValueError(f"{missing}")
    wrong = []
    for key, value in parts.items():
        if isinstance(value, tuple):
            steps = np.diff(np.asarray(value, float))
            if not (steps >= 0).all():
                wrong.append(key)
    if wrong:
        raise ValueError(" ".join(wrong))
    text = ""
    for key in REQUIRED:
        text += f"{REQUIRED[key]}: {parts[key]!s}\n"
    return text + "\n" + NOTE


def limits():
    return """The test images were drawn by the same program as those for training.
    Nothing is said of another microscope, of another stain, of sick children,
    or of cells which nobody thought of."""
