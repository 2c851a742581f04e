# %% [markdown]
# Answers to lesson 11 by someone who had not read its checks.

# %% variant={"of": "11_1_reliability", "wrong": "bins own their lower edge"}
def reliability(confidence, right, bins=10):
    edges = np.arange(bins + 1) / bins
    place = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, bins - 1)
    counts = np.zeros(bins, int)
    sure, accuracy = np.full(bins, np.nan), np.full(bins, np.nan)
    for b in range(bins):
        own = place == b
        counts[b] = own.sum()
        if counts[b]:
            sure[b] = confidence[own].mean()
            accuracy[b] = right[own].mean()
    return counts, sure, accuracy


def ece(confidence, right, bins=10):
    counts, sure, accuracy = reliability(confidence, right, bins)
    full = counts > 0
    return float(np.sum(counts[full] * np.abs(accuracy - sure)[full]) / len(confidence))


# %% variant={"of": "11_1_reliability", "wrong": "empty bins are 0"}
def reliability(confidence, right, bins=10):
    edges = np.arange(bins + 1) / bins
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.zeros(bins, int)
    sure, accuracy = np.zeros(bins), np.zeros(bins)
    for b in range(bins):
        own = place == b
        counts[b] = own.sum()
        if counts[b]:
            sure[b] = confidence[own].mean()
            accuracy[b] = right[own].mean()
    return counts, sure, accuracy


def ece(confidence, right, bins=10):
    counts, sure, accuracy = reliability(confidence, right, bins)
    full = counts > 0
    return float(np.sum(counts[full] * np.abs(accuracy - sure)[full]) / len(confidence))


# %% variant={"of": "11_1_reliability", "wrong": "bins of equal counts"}
def reliability(confidence, right, bins=10):
    edges = np.quantile(confidence, np.arange(bins + 1) / bins)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.zeros(bins, int)
    sure, accuracy = np.full(bins, np.nan), np.full(bins, np.nan)
    for b in range(bins):
        own = place == b
        counts[b] = own.sum()
        if counts[b]:
            sure[b] = confidence[own].mean()
            accuracy[b] = right[own].mean()
    return counts, sure, accuracy


def ece(confidence, right, bins=10):
    counts, sure, accuracy = reliability(confidence, right, bins)
    full = counts > 0
    return float(np.sum(counts[full] * np.abs(accuracy - sure)[full]) / len(confidence))


# %% variant={"of": "11_1_reliability", "wrong": "each bin counts the same"}
def reliability(confidence, right, bins=10):
    edges = np.arange(bins + 1) / bins
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.zeros(bins, int)
    sure, accuracy = np.full(bins, np.nan), np.full(bins, np.nan)
    for b in range(bins):
        own = place == b
        counts[b] = own.sum()
        if counts[b]:
            sure[b] = confidence[own].mean()
            accuracy[b] = right[own].mean()
    return counts, sure, accuracy


def ece(confidence, right, bins=10):
    counts, sure, accuracy = reliability(confidence, right, bins)
    full = counts > 0
    return float(np.mean(np.abs(accuracy - sure)[full]))


# %% variant={"of": "11_1_reliability", "wrong": "ece always with ten bins"}
def reliability(confidence, right, bins=10):
    edges = np.arange(bins + 1) / bins
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.zeros(bins, int)
    sure, accuracy = np.full(bins, np.nan), np.full(bins, np.nan)
    for b in range(bins):
        own = place == b
        counts[b] = own.sum()
        if counts[b]:
            sure[b] = confidence[own].mean()
            accuracy[b] = right[own].mean()
    return counts, sure, accuracy


def ece(confidence, right, bins=10):
    counts, sure, accuracy = reliability(confidence, right)
    full = counts > 0
    return float(np.sum(counts[full] * np.abs(accuracy - sure)[full]) / len(confidence))


# %% variant={"of": "11_1_reliability", "right": "answer by answer, with Python's comparisons"}
def reliability(confidence, right, bins=10):
    members = [[] for _ in range(bins)]
    for c, r in zip(confidence, right):
        b = 0
        while b < bins - 1 and c > (b + 1) / bins:
            b += 1
        members[b].append((float(c), bool(r)))
    sure = [sum(c for c, _ in m) / len(m) if m else math.nan for m in members]
    share = [sum(r for _, r in m) / len(m) if m else math.nan for m in members]
    return np.array([len(m) for m in members]), np.array(sure), np.array(share)


def ece(confidence, right, bins=10):
    n, sure, share = reliability(confidence, right, bins)
    return float(np.nansum(n * abs(share - sure)) / n.sum())


# %% variant={"of": "11_1_reliability", "right": "a matrix of who belongs where"}
def reliability(confidence, right, bins=10):
    upper = np.linspace(0, 1, bins + 1)[1:]
    first = np.argmax(np.asarray(confidence)[:, None] <= upper, axis=1)
    member = np.eye(bins)[first]
    n = member.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return n.astype(int), confidence @ member / n, np.asarray(right, float) @ member / n


def ece(confidence, right, bins=10):
    n, sure, share = reliability(confidence, right, bins)
    return sum(k / len(right) * abs(a - c) for k, c, a in zip(n, sure, share) if k)


# %% variant={"of": "11_2_temperature", "wrong": "logarithm of a softmax"}
def log_loss(logits, labels, temperature):
    logs = np.log(softmax(np.asarray(logits) / temperature, axis=1))
    return float(-logs[np.arange(len(labels)), labels].mean())


def fit_temperature(logits, labels):
    grid = np.geomspace(0.05, 20, 2000)
    return float(grid[np.argmin([log_loss(logits, labels, t) for t in grid])])


# %% variant={"of": "11_2_temperature", "wrong": "logarithm with a floor"}
def log_loss(logits, labels, temperature):
    logs = np.log(softmax(np.asarray(logits) / temperature, axis=1) + 1e-12)
    return float(-logs[np.arange(len(labels)), labels].mean())


def fit_temperature(logits, labels):
    grid = np.geomspace(0.05, 20, 2000)
    return float(grid[np.argmin([log_loss(logits, labels, t) for t in grid])])


# %% variant={"of": "11_2_temperature", "wrong": "temperature after the softmax"}
def log_loss(logits, labels, temperature):
    logs = log_softmax(np.asarray(logits), axis=1) / temperature
    return float(-logs[np.arange(len(labels)), labels].mean())


def fit_temperature(logits, labels):
    grid = np.geomspace(0.05, 20, 2000)
    return float(grid[np.argmin([log_loss(logits, labels, t) for t in grid])])


# %% variant={"of": "11_2_temperature", "wrong": "only 1 to 5"}
def log_loss(logits, labels, temperature):
    logs = log_softmax(np.asarray(logits) / temperature, axis=1)
    return float(-logs[np.arange(len(labels)), labels].mean())


def fit_temperature(logits, labels):
    grid = np.linspace(1, 5, 2000)
    return float(grid[np.argmin([log_loss(logits, labels, t) for t in grid])])


# %% variant={"of": "11_2_temperature", "wrong": "a linear grid"}
def log_loss(logits, labels, temperature):
    logs = log_softmax(np.asarray(logits) / temperature, axis=1)
    return float(-logs[np.arange(len(labels)), labels].mean())


def fit_temperature(logits, labels):
    grid = np.linspace(0.05, 20, 200)
    return float(grid[np.argmin([log_loss(logits, labels, t) for t in grid])])


# %% variant={"of": "11_2_temperature", "wrong": "logits divided in place"}
def log_loss(logits, labels, temperature):
    logits /= temperature
    logs = log_softmax(logits, axis=1)
    return float(-logs[np.arange(len(labels)), labels].mean())


def fit_temperature(logits, labels):
    grid = np.geomspace(0.05, 20, 2000)
    return float(grid[np.argmin([log_loss(logits, labels, t) for t in grid])])


# %% variant={"of": "11_2_temperature", "right": "golden section in the logarithm, sums by hand"}
def log_loss(logits, labels, temperature):
    total = 0.0
    for row, label in zip(np.asarray(logits, float), labels):
        z = row / temperature
        top = z.max()
        total += top + math.log(sum(math.exp(v - top) for v in z)) - z[label]
    return total / len(labels)


def fit_temperature(logits, labels):
    low, high, g = math.log(0.05), math.log(20), (math.sqrt(5) - 1) / 2
    for _ in range(22):
        a, b = high - g * (high - low), low + g * (high - low)
        if log_loss(logits, labels, math.exp(a)) < log_loss(logits, labels, math.exp(b)):
            high = b
        else:
            low = a
    return math.exp((low + high) / 2)


# %% variant={"of": "11_2_temperature", "right": "a root of the slope in 1/T, by bisection"}
def log_loss(logits, labels, temperature):
    z = np.asarray(logits, np.float64) / temperature
    z = z - z.max(axis=1, keepdims=True)
    true = np.take_along_axis(z, np.asarray(labels)[:, None], axis=1)[:, 0]
    return np.mean(np.log(np.exp(z).sum(axis=1)) - true)


def fit_temperature(logits, labels):
    z = np.asarray(logits, np.float64)
    true = z[np.arange(len(z)), labels].mean()
    low, high = 1 / 20, 1 / 0.05
    for _ in range(60):
        beta = (low + high) / 2
        expected = (softmax(beta * z, axis=1) * z).sum(axis=1).mean()
        low, high = (beta, high) if expected < true else (low, beta)
    return 1 / beta


# %% variant={"of": "11_3_threshold_for", "wrong": "rounding up in floats alone"}
def threshold_for(scores, truth, sensitivity):
    positives = np.sort(np.asarray(scores)[np.asarray(truth)])[::-1]
    need = math.ceil(sensitivity * len(positives))
    return positives[need - 1]


# %% variant={"of": "11_3_threshold_for", "wrong": "halfway to the next score"}
def threshold_for(scores, truth, sensitivity):
    positives = np.sort(np.asarray(scores)[np.asarray(truth)])[::-1]
    need = math.ceil(sensitivity * len(positives) - 1e-9)
    every = np.sort(scores)
    t = positives[need - 1]
    lower = every[every < t]
    return (t + lower[-1]) / 2 if len(lower) else t


# %% variant={"of": "11_3_threshold_for", "wrong": "thresholds of a grid"}
def threshold_for(scores, truth, sensitivity):
    positives = np.sort(np.asarray(scores)[np.asarray(truth)])[::-1]
    need = math.ceil(sensitivity * len(positives) - 1e-9)
    grid = np.linspace(0, 1, 1001)
    return max(t for t in grid if np.sum(positives >= t) >= need)


# %% variant={"of": "11_3_threshold_for", "wrong": "scores without ties"}
def threshold_for(scores, truth, sensitivity):
    positives = np.unique(np.asarray(scores)[np.asarray(truth)])[::-1]
    need = math.ceil(sensitivity * len(positives) - 1e-9)
    return positives[need - 1]


# %% variant={"of": "11_3_threshold_for", "right": "every score tried from the top"}
def threshold_for(scores, truth, sensitivity):
    n = int(np.sum(truth))
    for t in sorted(set(np.asarray(scores).tolist()), reverse=True):
        found = sum(1 for s, y in zip(scores, truth) if y and s >= t)
        if found / n >= sensitivity:
            return t


# %% variant={"of": "11_3_threshold_for", "right": "a cumulative sum"}
def threshold_for(scores, truth, sensitivity):
    order = np.argsort(-np.asarray(scores), kind="stable")
    found = np.cumsum(np.asarray(truth)[order]) / np.count_nonzero(truth)
    return np.asarray(scores)[order][np.searchsorted(found, sensitivity - 1e-12)]


# %% variant={"of": "11_4_predictive_values", "wrong": "prevalence forgotten"}
def predictive_values(sensitivity, specificity, prevalence):
    tp, fn = sensitivity, 1 - sensitivity
    tn, fp = specificity, (1 - specificity)
    return tp / (tp + fp), tn / (tn + fn)


# %% variant={"of": "11_4_predictive_values", "wrong": "npv from the yeses"}
def predictive_values(sensitivity, specificity, prevalence):
    tp, fp = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    return tp / (tp + fp), 1 - tp / (tp + fp)


# %% variant={"of": "11_4_predictive_values", "wrong": "a thousand people, arrays too"}
def predictive_values(sensitivity, specificity, prevalence):
    tp, fn = sensitivity * prevalence, (1 - sensitivity) * prevalence
    tn, fp = specificity * (1 - prevalence), (1 - specificity) * (1 - prevalence)
    tp, fn, tn, fp = (np.round(1000 * n) for n in (tp, fn, tn, fp))
    return tp / (tp + fp), tn / (tn + fn)


# %% variant={"of": "11_4_predictive_values", "right": "odds times a likelihood ratio"}
def predictive_values(sensitivity, specificity, prevalence):
    sick, well = (
        np.multiply(sensitivity, prevalence),
        np.multiply(specificity, np.subtract(1, prevalence)),
    )
    yes = sick + 1 - prevalence - well
    return sick / yes, well / (1 - yes)


# %% variant={"of": "11_5_cluster_interval", "wrong": "a patient drawn twice counts once"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    patients = np.asarray(patients)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(rows), len(rows))
        figures.append(statistic(np.concatenate([rows[i] for i in set(drawn.tolist())])))
    tail = (1 - level) / 2
    return np.nanquantile(figures, tail), np.nanquantile(figures, 1 - tail)


# %% variant={"of": "11_5_cluster_interval", "wrong": "membership by isin, twice is once"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    patients = np.asarray(patients)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(rows), len(rows))
        figures.append(statistic(np.flatnonzero(np.isin(patients, np.unique(patients)[drawn]))))
    tail = (1 - level) / 2
    return np.nanquantile(figures, tail), np.nanquantile(figures, 1 - tail)


# %% variant={"of": "11_5_cluster_interval", "wrong": "95 % always"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    patients = np.asarray(patients)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(rows), len(rows))
        figures.append(statistic(np.concatenate([rows[i] for i in drawn])))
    tail = 0.025
    return np.nanquantile(figures, tail), np.nanquantile(figures, 1 - tail)


# %% variant={"of": "11_5_cluster_interval", "wrong": "patients are numbered from 0"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    patients = np.asarray(patients)
    rows = [np.flatnonzero(patients == p) for p in range(int(patients.max()) + 1)]
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(rows), len(rows))
        figures.append(statistic(np.concatenate([rows[i] for i in drawn])))
    tail = (1 - level) / 2
    return np.nanquantile(figures, tail), np.nanquantile(figures, 1 - tail)


# %% variant={"of": "11_5_cluster_interval", "wrong": "images lie patient by patient"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    patients = np.asarray(patients)
    starts = np.flatnonzero(np.r_[True, patients[1:] != patients[:-1]])
    rows = np.split(np.arange(len(patients)), starts[1:])
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(rows), len(rows))
        figures.append(statistic(np.concatenate([rows[i] for i in drawn])))
    tail = (1 - level) / 2
    return np.nanquantile(figures, tail), np.nanquantile(figures, 1 - tail)


# %% variant={"of": "11_5_cluster_interval", "wrong": "same number of images each"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    patients = np.asarray(patients)
    each = len(patients) // len(np.unique(patients))
    rows = np.argsort(patients, kind="stable")[: each * len(np.unique(patients))].reshape(-1, each)
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(rows), len(rows))
        figures.append(statistic(np.concatenate([rows[i] for i in drawn])))
    tail = (1 - level) / 2
    return np.nanquantile(figures, tail), np.nanquantile(figures, 1 - tail)


# %% variant={"of": "11_5_cluster_interval", "wrong": "mean of the patients' figures"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    patients = np.asarray(patients)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(rows), len(rows))
        figures.append(np.nanmean([statistic(rows[i]) for i in drawn]))
    tail = (1 - level) / 2
    return np.nanquantile(figures, tail), np.nanquantile(figures, 1 - tail)


# %% variant={"of": "11_5_cluster_interval", "wrong": "normal, not percentile"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    patients = np.asarray(patients)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(resamples):
        drawn = rng.integers(0, len(rows), len(rows))
        figures.append(statistic(np.concatenate([rows[i] for i in drawn])))
    m, s = np.nanmean(figures), np.nanstd(figures)
    return m - 1.96 * s, m + 1.96 * s


# %% variant={"of": "11_5_cluster_interval", "wrong": "patients drawn as often as they have images"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    patients = np.asarray(patients)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    rng = np.random.default_rng(seed)
    figures = []
    for _ in range(resamples):
        drawn = rng.choice(len(rows), len(rows), p=np.array([len(r) for r in rows]) / len(patients))
        figures.append(statistic(np.concatenate([rows[i] for i in drawn])))
    tail = (1 - level) / 2
    return np.nanquantile(figures, tail), np.nanquantile(figures, 1 - tail)


# %% variant={"of": "11_5_cluster_interval", "right": "a dict of lists, choice, sorted figures"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    images = {}
    for row, patient in enumerate(patients):
        images.setdefault(patient, []).append(row)
    names = list(images)
    rng = np.random.RandomState(seed)
    found = []
    while resamples > 0:
        resamples -= 1
        rows = []
        for _ in names:
            rows += images[names[rng.randint(len(names))]]
        value = statistic(np.array(rows))
        if value == value:
            found.append(value)
    return np.percentile(found, 50 - 50 * level), np.percentile(found, 50 + 50 * level)


# %% variant={"of": "11_5_cluster_interval", "right": "counts of a multinomial, rows repeated"}
def cluster_interval(statistic, patients, seed=0, resamples=1000, level=0.95):
    _, whose = np.unique(patients, return_inverse=True)
    n = whose.max() + 1
    rng = np.random.default_rng(seed)
    times = rng.multinomial(n, np.ones(n) / n, size=resamples)
    figures = np.array([statistic(np.repeat(np.arange(len(whose)), t[whose])) for t in times])
    figures = figures[~np.isnan(figures)]
    low, high = np.quantile(figures, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


# %% variant={"of": "11_6_corruption_error", "wrong": "a kind left out because of one severity"}
def corruption_error(wrong, baseline):
    found = []
    for kind in wrong:
        if min(baseline[kind]) > 0:
            found.append(sum(wrong[kind]) / sum(baseline[kind]))
    return float(np.mean(found))


# %% variant={"of": "11_6_corruption_error", "wrong": "kinds matched by their place"}
def corruption_error(wrong, baseline):
    found = []
    for kind, other in zip(wrong, baseline):
        if sum(baseline[other]) > 0:
            found.append(sum(wrong[kind]) / sum(baseline[other]))
    return float(np.mean(found))


# %% variant={"of": "11_6_corruption_error", "wrong": "kinds without errors of the network left out too"}
def corruption_error(wrong, baseline):
    found = []
    for kind in wrong:
        if sum(baseline[kind]) > 0 and sum(wrong[kind]) > 0:
            found.append(sum(wrong[kind]) / sum(baseline[kind]))
    return float(np.mean(found))


# %% variant={"of": "11_6_corruption_error", "wrong": "divided by all kinds"}
def corruption_error(wrong, baseline):
    found = []
    for kind in wrong:
        if sum(baseline[kind]) > 0:
            found.append(sum(wrong[kind]) / sum(baseline[kind]))
    return float(np.sum(found) / len(wrong))


# %% variant={"of": "11_6_corruption_error", "right": "arrays of sums"}
def corruption_error(wrong, baseline):
    kinds = sorted(baseline)
    above = np.array([np.sum(wrong[k]) for k in kinds])
    below = np.array([np.sum(baseline[k]) for k in kinds])
    return np.divide(
        above, below, where=below > 0, out=np.zeros(len(kinds))
    ).sum() / np.count_nonzero(below)


# %% variant={"of": "11_7_deletion_curve", "wrong": "as wide as high"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    left = np.array(image)
    across = left.shape[0] // patch
    stack = [left.copy()]
    for begin in range(0, len(order), step):
        for p in order[begin : begin + step]:
            y, x = divmod(int(p), across)
            left[patch * y : patch * (y + 1), patch * x : patch * (x + 1)] = fill
        stack.append(left.copy())
    return np.asarray(answer(np.stack(stack)))


# %% variant={"of": "11_7_deletion_curve", "wrong": "a smaller last lot is forgotten"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    left = np.array(image)
    across = left.shape[1] // patch
    stack = [left.copy()]
    for begin in range(0, len(order) - step + 1, step):
        for p in order[begin : begin + step]:
            y, x = divmod(int(p), across)
            left[patch * y : patch * (y + 1), patch * x : patch * (x + 1)] = fill
        stack.append(left.copy())
    return np.asarray(answer(np.stack(stack)))


# %% variant={"of": "11_7_deletion_curve", "wrong": "all the same image"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    left = np.array(image)
    across = left.shape[1] // patch
    stack = [left.copy()]
    for begin in range(0, len(order), step):
        for p in order[begin : begin + step]:
            y, x = divmod(int(p), across)
            left[patch * y : patch * (y + 1), patch * x : patch * (x + 1)] = fill
        stack.append(left)
    return np.asarray(answer(np.stack(stack)))


# %% variant={"of": "11_7_deletion_curve", "wrong": "the order taken for ranks"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    left = np.array(image)
    across = left.shape[1] // patch
    stack = [left.copy()]
    for begin in range(0, len(order), step):
        for p in np.argsort(order)[begin : begin + step]:
            y, x = divmod(int(p), across)
            left[patch * y : patch * (y + 1), patch * x : patch * (x + 1)] = fill
        stack.append(left.copy())
    return np.asarray(answer(np.stack(stack)))


# %% variant={"of": "11_7_deletion_curve", "right": "one image at a time, a mask grown by Kronecker product"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    rows, columns = image.shape[0] // patch, image.shape[1] // patch
    removed = np.zeros(rows * columns, bool)
    scores = [answer(image[None])[0]]
    todo = [int(p) for p in order]
    while todo:
        lot, todo = todo[:step], todo[step:]
        removed[lot] = True
        mask = np.kron(removed.reshape(rows, columns), np.ones((patch, patch), bool))
        holes = np.where(mask[:, :, None], np.asarray(fill).astype(image.dtype), image)
        scores.append(answer(holes[None])[0])
    return np.array(scores)


# %% variant={"of": "11_7_deletion_curve", "right": "a rank for every pixel"}
def deletion_curve(answer, image, order, fill, step=7, patch=4):
    height, width, _ = image.shape
    lots = -(-len(order) // step)
    when = np.full((height // patch) * (width // patch), lots + 1)
    for rank, p in enumerate(order):
        when[p] = rank // step + 1
    number = np.arange(height)[:, None] // patch * (width // patch) + np.arange(width) // patch
    holes = np.repeat(image[None], lots + 1, axis=0)
    for lot in range(lots + 1):
        holes[lot][when[number] <= lot] = fill
    return np.array([float(s) for s in answer(holes)])


# %% variant={"of": "11_8_nearest", "wrong": "means of each channel"}
def correlations(images, others):
    def unit(stack):
        flat = np.asarray(stack, np.float64)
        flat = (flat - flat.mean(axis=(1, 2), keepdims=True)).reshape(len(stack), -1)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        return np.where(length > 1e-9, flat / np.where(length > 1e-9, length, 1), 0)

    return unit(images) @ unit(others).T


def nearest(images, others):
    r = correlations(images, others)
    return r.max(axis=1), r.argmax(axis=1)


# %% variant={"of": "11_8_nearest", "wrong": "bytes stay bytes"}
def correlations(images, others):
    def unit(stack):
        flat = np.asarray(stack).reshape(len(stack), -1)
        flat = flat - flat.mean(axis=1, keepdims=True).astype(flat.dtype)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        return np.where(length > 1e-9, flat / np.where(length > 1e-9, length, 1), 0)

    return unit(images) @ unit(others).T


def nearest(images, others):
    r = correlations(images, others)
    return r.max(axis=1), r.argmax(axis=1)


# %% variant={"of": "11_8_nearest", "wrong": "the magnitude of the correlation"}
def correlations(images, others):
    def unit(stack):
        flat = np.asarray(stack, np.float64).reshape(len(stack), -1)
        flat = flat - flat.mean(axis=1, keepdims=True)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        return np.where(length > 1e-9, flat / np.where(length > 1e-9, length, 1), 0)

    return np.abs(unit(images) @ unit(others).T)


def nearest(images, others):
    r = correlations(images, others)
    return r.max(axis=1), r.argmax(axis=1)


# %% variant={"of": "11_8_nearest", "wrong": "standard deviation with ddof"}
def correlations(images, others):
    def unit(stack):
        flat = np.asarray(stack, np.float64).reshape(len(stack), -1)
        flat = flat - flat.mean(axis=1, keepdims=True)
        length = flat.std(axis=1, ddof=1, keepdims=True) * np.sqrt(flat.shape[1])
        return np.where(length > 1e-9, flat / np.where(length > 1e-9, length, 1), 0)

    return unit(images) @ unit(others).T


def nearest(images, others):
    r = correlations(images, others)
    return r.max(axis=1), r.argmax(axis=1)


# %% variant={"of": "11_8_nearest", "wrong": "nearest by distance"}
def correlations(images, others):
    def unit(stack):
        flat = np.asarray(stack, np.float64).reshape(len(stack), -1)
        flat = flat - flat.mean(axis=1, keepdims=True)
        length = np.linalg.norm(flat, axis=1, keepdims=True)
        return np.where(length > 1e-9, flat / np.where(length > 1e-9, length, 1), 0)

    return unit(images) @ unit(others).T


def nearest(images, others):
    a, b = (np.reshape(s, (len(s), -1)).astype(float) for s in (images, others))
    d = ((a[:, None] - b) ** 2).sum(axis=2).argmin(axis=1)
    return correlations(images, others)[np.arange(len(a)), d], d


# %% variant={"of": "11_8_nearest", "right": "pair by pair, with sums over pixels"}
def correlations(images, others):
    out = np.zeros((len(images), len(others)))
    for i, a in enumerate(images):
        a = a.astype(float).ravel()
        for j, b in enumerate(others):
            b = b.astype(float).ravel()
            cov = (a * b).mean() - a.mean() * b.mean()
            both = a.std() * b.std()
            out[i, j] = cov / both if both else 0
    return out


def nearest(images, others):
    best, where = [], []
    for row in correlations(images, others):
        j = max(range(len(row)), key=row.__getitem__)
        best.append(row[j])
        where.append(j)
    return np.array(best), np.array(where)


# %% variant={"of": "11_8_nearest", "right": "einsum in whole numbers"}
def correlations(images, others):
    a, b = (np.asarray(s).astype(np.int64) for s in (images, others))
    n = a[0].size
    sa, sb = a.sum(axis=(1, 2, 3)), b.sum(axis=(1, 2, 3))
    cross = n * np.einsum("ihwc,jhwc->ij", a, b) - np.outer(sa, sb)
    va = n * np.einsum("ihwc,ihwc->i", a, a) - sa**2
    vb = n * np.einsum("ihwc,ihwc->i", b, b) - sb**2
    return cross / np.maximum(np.sqrt(va)[:, None] * np.sqrt(vb), 1)


def nearest(images, others):
    r = correlations(images, others)
    where = np.argsort(-r, axis=1, kind="stable")[:, 0]
    return np.take_along_axis(r, where[:, None], 1).ravel(), where


# %% variant={"of": "11_9_balanced_accuracy", "wrong": "precisions, not sensitivities"}
def fault_of_best_model():
    return "c", "blind to the small class"


def balanced_accuracy(truth, yes):
    return float((np.mean(truth[yes]) + np.mean(~truth[~yes])) / 2)


# %% variant={"of": "11_9_balanced_accuracy", "wrong": "arguments exchanged"}
def fault_of_best_model():
    return "c", "blind to the small class"


def balanced_accuracy(yes, truth):
    return float((np.mean(yes[truth]) + np.mean(~yes[~truth])) / 2)


# %% variant={"of": "11_9_balanced_accuracy", "wrong": "the smaller of the two"}
def fault_of_best_model():
    return "c", "blind to the small class"


def balanced_accuracy(truth, yes):
    return float(min(np.mean(yes[truth]), np.mean(~yes[~truth])))


# %% variant={"of": "11_9_balanced_accuracy", "right": "by counts, Youden's J"}
def fault_of_best_model():
    return ("c", "blind to the small class")


def balanced_accuracy(truth, yes):
    hits = sum(1 for t, y in zip(truth, yes) if t and y)
    alarms = sum(1 for t, y in zip(truth, yes) if not t and y)
    sick = sum(map(bool, truth))
    return 0.5 + (hits / sick - alarms / (len(truth) - sick)) / 2


# %% variant={"of": "11_10_repaired_report", "wrong": "candidates of the test images too"}
def fault_of_report():
    return "a", "chosen on the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    candidates = np.unique(np.concatenate([val_scores, test_scores]))
    merits = [balanced_accuracy(val_truth, val_scores >= t) for t in candidates]
    threshold = candidates[np.argmax(merits)]
    return threshold, balanced_accuracy(test_truth, test_scores >= threshold)


# %% variant={"of": "11_10_repaired_report", "wrong": "strictly above"}
def fault_of_report():
    return "a", "chosen on the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    candidates = np.unique(val_scores)
    merits = [balanced_accuracy(val_truth, val_scores > t) for t in candidates]
    threshold = candidates[np.argmax(merits)]
    return threshold, balanced_accuracy(test_truth, test_scores > threshold)


# %% variant={"of": "11_10_repaired_report", "wrong": "candidates unsorted, first of the best"}
def fault_of_report():
    return "a", "chosen on the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    candidates = np.asarray(val_scores)
    merits = [balanced_accuracy(val_truth, val_scores >= t) for t in candidates]
    threshold = candidates[np.argmax(merits)]
    return threshold, balanced_accuracy(test_truth, test_scores >= threshold)


# %% variant={"of": "11_10_repaired_report", "wrong": "candidates halfway between scores"}
def fault_of_report():
    return "a", "chosen on the test set"


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    candidates = np.unique(val_scores)
    candidates = np.r_[candidates[0], (candidates[1:] + candidates[:-1]) / 2]
    merits = [balanced_accuracy(val_truth, val_scores >= t) for t in candidates]
    threshold = candidates[np.argmax(merits)]
    return threshold, balanced_accuracy(test_truth, test_scores >= threshold)


# %% variant={"of": "11_10_repaired_report", "right": "max over pairs, with the sign of the threshold"}
def fault_of_report():
    return ["a", "chosen on the test set"]


def repaired_report(val_scores, val_truth, test_scores, test_truth):
    best = max((balanced_accuracy(val_truth, val_scores >= t), -t) for t in val_scores)
    return -best[1], balanced_accuracy(test_truth, test_scores >= -best[1])


# %% variant={"of": "11_11_groups", "wrong": "a limit that belongs to it"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    near = correlations(images, images) >= above
    n = len(images)
    group = np.full(n, -1)
    count = 0
    for i in range(n):
        if group[i] >= 0:
            continue
        stack = [i]
        group[i] = count
        while stack:
            for k in np.flatnonzero(near[stack.pop()] & (group < 0)):
                group[k] = count
                stack.append(int(k))
        count += 1
    return group


# %% variant={"of": "11_11_groups", "wrong": "chains of two"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    near = correlations(images, images) > above
    near = (near.astype(int) @ near) > 0
    n = len(images)
    group = np.full(n, -1)
    count = 0
    for i in range(n):
        if group[i] >= 0:
            continue
        stack = [i]
        group[i] = count
        while stack:
            for k in np.flatnonzero(near[stack.pop()] & (group < 0)):
                group[k] = count
        count += 1
    return group


# %% variant={"of": "11_11_groups", "wrong": "the nearest, both ways"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    r = correlations(images, images) - 2 * np.eye(len(images))
    near = (r > above) & (r == r.max(axis=1, keepdims=True))
    near |= near.T
    n = len(images)
    group = np.full(n, -1)
    count = 0
    for i in range(n):
        if group[i] >= 0:
            continue
        stack = [i]
        group[i] = count
        while stack:
            for k in np.flatnonzero(near[stack.pop()] & (group < 0)):
                group[k] = count
                stack.append(int(k))
        count += 1
    return group


# %% variant={"of": "11_11_groups", "wrong": "only images next to each other"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    near = correlations(images, images) > above
    near &= np.abs(np.subtract.outer(np.arange(len(images)), np.arange(len(images)))) <= 1
    n = len(images)
    group = np.full(n, -1)
    count = 0
    for i in range(n):
        if group[i] >= 0:
            continue
        stack = [i]
        group[i] = count
        while stack:
            for k in np.flatnonzero(near[stack.pop()] & (group < 0)):
                group[k] = count
                stack.append(int(k))
        count += 1
    return group


# %% variant={"of": "11_11_groups", "wrong": "one sweep, joined to the last that is near"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    near = correlations(images, images) > above
    n = len(images)
    own = np.arange(n)
    for i in range(n):
        for k in range(i):
            if near[i, k]:
                own[i] = own[k]
    return np.unique(own, return_inverse=True)[1]
    group = np.full(n, -1)
    count = 0
    for i in range(n):
        if group[i] >= 0:
            continue
        stack = [i]
        group[i] = count
        while stack:
            for k in np.flatnonzero(near[stack.pop()] & (group < 0)):
                group[k] = count
                stack.append(int(k))
        count += 1
    return group


# %% variant={"of": "11_11_groups", "wrong": "groups in the order of their size"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    near = correlations(images, images) > above
    n = len(images)
    group = np.full(n, -1)
    count = 0
    for i in range(n):
        if group[i] >= 0:
            continue
        stack = [i]
        group[i] = count
        while stack:
            for k in np.flatnonzero(near[stack.pop()] & (group < 0)):
                group[k] = count
                stack.append(int(k))
        count += 1
    order = np.argsort(-np.bincount(group), kind="stable")
    return np.argsort(order)[group]


# %% variant={"of": "11_11_groups", "right": "union-find, then renumbered"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    parent = list(range(len(images)))

    def root(i):
        return i if parent[i] == i else root(parent[i])

    for i, k in zip(*np.nonzero(correlations(images, images) > above)):
        a, b = sorted((root(i), root(k)))
        parent[b] = a
    seen = {}
    return np.array([seen.setdefault(root(i), len(seen)) for i in range(len(images))])


# %% variant={"of": "11_11_groups", "right": "powers of the matrix until nothing changes"}
def fault_of_study():
    return "leak between the splits"


def groups(images, above):
    near = (correlations(images, images) > above) | np.eye(len(images), dtype=bool)
    while True:
        further = (near.astype(float) @ near) > 0
        if (further == near).all():
            break
        near = further
    first = near.argmax(axis=1)
    return np.searchsorted(np.unique(first), first)
