# %% [markdown]
# Answers to lesson 07 by someone who had not read its checks.

# %% variant={"of": "7_1_soften", "wrong": "the largest logit of the batch is subtracted: quiet rows vanish"}
def soften(logits, temperature):
    e = np.exp((logits - logits.max()) / temperature)
    return e / e.sum(axis=1, keepdims=True)


# %% variant={"of": "7_1_soften", "wrong": "a softmax at 1, and a power of it"}
def soften(logits, temperature):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    p = (e / e.sum(axis=1, keepdims=True)) ** (1 / temperature)
    return p / p.sum(axis=1, keepdims=True)


# %% variant={"of": "7_1_soften", "wrong": "the power is not normalised again"}
def soften(logits, temperature):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return (e / e.sum(axis=1, keepdims=True)) ** (1 / temperature)


# %% variant={"of": "7_1_soften", "wrong": "logits are cut off at 500"}
def soften(logits, temperature):
    e = np.exp(np.clip(logits / temperature, -500, 500))
    return e / e.sum(axis=1, keepdims=True)


# %% variant={"of": "7_1_soften", "wrong": "subtracts in the caller's logits"}
def soften(logits, temperature):
    logits -= logits.max(axis=1, keepdims=True)
    e = np.exp(logits / temperature)
    return e / e.sum(axis=1, keepdims=True)


# %% variant={"of": "7_1_soften", "wrong": "the maximum before the temperature is divided"}
def soften(logits, temperature):
    e = np.exp(logits / temperature - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


# %% variant={"of": "7_1_soften", "right": "by the logarithm of the sum"}
def soften(logits, temperature):
    z = np.asarray(logits) / temperature
    return np.exp(z - np.logaddexp.reduce(z, axis=-1)[:, None])


# %% variant={"of": "7_1_soften", "right": "a loop over rows"}
def soften(logits, temperature):
    result = []
    for row in logits:
        top = max(row)
        powers = [np.exp((score - top) / temperature) for score in row]
        result.append([power / sum(powers) for power in powers])
    return np.array(result)


# %% variant={"of": "7_2_kl", "wrong": "a little is added to both, so that no logarithm breaks"}
def kl(p, q):
    return (p * np.log((p + 1e-12) / (q + 1e-12))).sum(axis=1)


# %% variant={"of": "7_2_kl", "wrong": "infinities are made finite"}
def kl(p, q):
    with np.errstate(all="ignore"):
        return np.nan_to_num(p * np.log(p / q)).sum(axis=1)


# %% variant={"of": "7_2_kl", "wrong": "leaves out what the student thinks impossible"}
def kl(p, q):
    both = (p > 0) & (q > 0)
    ratio = np.where(both, p, 1) / np.where(both, q, 1)
    return (p * np.log(ratio)).sum(axis=1)


# %% variant={"of": "7_2_kl", "wrong": "the mean over classes"}
def kl(p, q):
    with np.errstate(all="ignore"):
        return np.nansum(p * np.log(p / q), axis=1) / p.shape[1]


# %% variant={"of": "7_2_kl", "wrong": "the size of each term"}
def kl(p, q):
    with np.errstate(all="ignore"):
        return np.nansum(np.abs(p * np.log(p / q)), axis=1)


# %% variant={"of": "7_2_kl", "wrong": "a row in which any q is 0 costs infinitely much"}
def kl(p, q):
    result = np.full(len(p), np.inf)
    for i in range(len(p)):
        if (q[i] > 0).all():
            seen = p[i] > 0
            result[i] = (p[i][seen] * np.log(p[i][seen] / q[i][seen])).sum()
    return result


# %% variant={"of": "7_2_kl", "right": "nothing is what nansum leaves out"}
def kl(p, q):
    with np.errstate(all="ignore"):
        return np.nansum(p * np.log(p / q), axis=1)


# %% variant={"of": "7_2_kl", "right": "class by class in plain Python"}
def kl(p, q):
    import math

    result = []
    for row_p, row_q in zip(p, q):
        total = 0.0
        for a, b in zip(row_p, row_q):
            if a > 0:
                total += math.inf if b == 0 else a * (math.log(a) - math.log(b))
        result.append(total)
    return np.array(result)


# %% variant={"of": "7_3_soft_gradient", "wrong": "the teacher is not warmed"}
def soft_gradient(student, teacher, temperature):
    return (soften(student, temperature) - soften(teacher, 1.0)) / temperature / len(student)


# %% variant={"of": "7_3_soft_gradient", "wrong": "by the probabilities, without the softmax"}
def soft_gradient(student, teacher, temperature):
    p, q = soften(teacher, temperature), soften(student, temperature)
    return -p / q / temperature / len(student)


# %% variant={"of": "7_3_soft_gradient", "wrong": "the softmax's diagonal only"}
def soft_gradient(student, teacher, temperature):
    p, q = soften(teacher, temperature), soften(student, temperature)
    return -p / q * q * (1 - q) / temperature / len(student)


# %% variant={"of": "7_3_soft_gradient", "wrong": "the other direction"}
def soft_gradient(student, teacher, temperature):
    p, q = soften(teacher, temperature), soften(student, temperature)
    ratio = np.log(q) - np.log(p)
    return q * (ratio - (q * ratio).sum(axis=1, keepdims=True)) / temperature / len(student)


# %% variant={"of": "7_3_soft_gradient", "right": "the softmax's Jacobian, image by image"}
def soft_gradient(student, teacher, temperature):
    p, q = soften(teacher, temperature), soften(student, temperature)
    result = np.zeros(student.shape)
    for i in range(len(q)):
        log_jacobian = np.eye(len(q[i])) - q[i][None, :]  # d log q_c / d z_k, times T
        result[i] = -(p[i] @ log_jacobian) / temperature
    return result / len(q)


# %% variant={"of": "7_4_joint_loss", "wrong": "the square in the gradient only"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    log_q = student - np.logaddexp.reduce(student, axis=1)[:, None]
    log_warm = student / temperature - np.logaddexp.reduce(student / temperature, axis=1)[:, None]
    log_p = teacher / temperature - np.logaddexp.reduce(teacher / temperature, axis=1)[:, None]
    loss = -(1 - alpha) * log_q[rows, labels].mean()
    loss += alpha * (np.exp(log_p) * (log_p - log_warm)).sum(axis=1).mean()
    hard = np.exp(log_q)
    hard[rows, labels] -= 1
    grad = (1 - alpha) * hard / len(labels)
    return float(loss), grad + alpha * temperature**2 * soft_gradient(student, teacher, temperature)


# %% variant={"of": "7_4_joint_loss", "wrong": "logarithms cut off at 1e-12"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    q, warm, p = soften(student, 1), soften(student, temperature), soften(teacher, temperature)
    hard_loss = -np.log(np.maximum(q[rows, labels], 1e-12)).mean()
    soft_loss = (p * np.log(np.maximum(p, 1e-12) / np.maximum(warm, 1e-12))).sum(axis=1).mean()
    loss = (1 - alpha) * hard_loss + alpha * temperature**2 * soft_loss
    grad = q.copy()
    grad[rows, labels] -= 1
    grad = (1 - alpha) * grad / len(labels)
    return float(loss), grad + alpha * temperature * (warm - p) / len(labels)


# %% variant={"of": "7_4_joint_loss", "wrong": "cross-entropy with the teacher: its own entropy stays in"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    log_q = student - np.logaddexp.reduce(student, axis=1)[:, None]
    log_warm = student / temperature - np.logaddexp.reduce(student / temperature, axis=1)[:, None]
    loss = -(1 - alpha) * log_q[rows, labels].mean()
    loss -= alpha * temperature**2 * (soften(teacher, temperature) * log_warm).sum(axis=1).mean()
    hard = np.exp(log_q)
    hard[rows, labels] -= 1
    grad = (1 - alpha) * hard / len(labels)
    return float(loss), grad + alpha * temperature**2 * soft_gradient(student, teacher, temperature)


# %% variant={"of": "7_4_joint_loss", "wrong": "the square for the labels, too"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    log_q = student - np.logaddexp.reduce(student, axis=1)[:, None]
    log_warm = student / temperature - np.logaddexp.reduce(student / temperature, axis=1)[:, None]
    log_p = teacher / temperature - np.logaddexp.reduce(teacher / temperature, axis=1)[:, None]
    hard_loss = -log_q[rows, labels].mean()
    soft_loss = (np.exp(log_p) * (log_p - log_warm)).sum(axis=1).mean()
    hard = np.exp(log_q)
    hard[rows, labels] -= 1
    grad = (1 - alpha) * hard / len(labels) + alpha * soft_gradient(student, teacher, temperature)
    return float(
        ((1 - alpha) * hard_loss + alpha * soft_loss) * temperature**2
    ), grad * temperature**2


# %% variant={"of": "7_4_joint_loss", "wrong": "the sum of the batch"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    log_q = student - np.logaddexp.reduce(student, axis=1)[:, None]
    log_warm = student / temperature - np.logaddexp.reduce(student / temperature, axis=1)[:, None]
    log_p = teacher / temperature - np.logaddexp.reduce(teacher / temperature, axis=1)[:, None]
    loss = -(1 - alpha) * log_q[rows, labels].sum()
    loss += alpha * temperature**2 * (np.exp(log_p) * (log_p - log_warm)).sum()
    hard = np.exp(log_q)
    hard[rows, labels] -= 1
    grad = (1 - alpha) * hard + alpha * temperature**2 * soft_gradient(
        student, teacher, temperature
    ) * len(labels)
    return float(loss), grad


# %% variant={"of": "7_4_joint_loss", "wrong": "one-hot labels as wide as the largest label"}
def joint_loss(student, teacher, labels, alpha, temperature):
    one_hot = np.zeros(student.shape)
    one_hot[:, : labels.max() + 1] = np.eye(labels.max() + 1)[labels]
    one_hot /= one_hot.sum(axis=0).clip(1)
    log_q = student - np.logaddexp.reduce(student, axis=1)[:, None]
    log_warm = student / temperature - np.logaddexp.reduce(student / temperature, axis=1)[:, None]
    log_p = teacher / temperature - np.logaddexp.reduce(teacher / temperature, axis=1)[:, None]
    loss = -(1 - alpha) * (one_hot * log_q).sum(axis=1).mean()
    loss += alpha * temperature**2 * (np.exp(log_p) * (log_p - log_warm)).sum(axis=1).mean()
    grad = (1 - alpha) * (np.exp(log_q) - one_hot) / len(labels)
    return float(loss), grad + alpha * temperature**2 * soft_gradient(student, teacher, temperature)


# %% variant={"of": "7_4_joint_loss", "right": "image by image, with one-hot labels"}
def joint_loss(student, teacher, labels, alpha, temperature):
    def log_softmax(z):
        z = np.asarray(z, float)
        return z - z.max() - np.log(np.exp(z - z.max()).sum())

    total, grad = 0.0, np.zeros(student.shape)
    for i, label in enumerate(labels):
        plain, warm = log_softmax(student[i]), log_softmax(student[i] / temperature)
        wise = log_softmax(teacher[i] / temperature)
        one_hot = np.arange(student.shape[1]) == label
        total += (1 - alpha) * -plain[one_hot].item()
        total += alpha * temperature**2 * float(np.exp(wise) @ (wise - warm))
        grad[i] = (1 - alpha) * (np.exp(plain) - one_hot)
        grad[i] += alpha * temperature * (np.exp(warm) - np.exp(wise))
    return total / len(labels), grad / len(labels)


# %% variant={"of": "7_5_feature_loss", "wrong": "divided by the teacher's length"}
def feature_loss(hidden, teacher_hidden, projection):
    u, _ = unit(hidden @ projection.T)
    v, length = unit(teacher_hidden)
    d = 2 * (u - v) / len(u)
    d = (d - (d * u).sum(axis=1, keepdims=True) * u) / length
    return float(((u - v) ** 2).sum(axis=1).mean()), d @ projection, d.T @ hidden


# %% variant={"of": "7_5_feature_loss", "wrong": "the teacher's features at their own length"}
def feature_loss(hidden, teacher_hidden, projection):
    u, length = unit(hidden @ projection.T)
    v = teacher_hidden
    d = 2 * (u - v) / len(u)
    d = (d - (d * u).sum(axis=1, keepdims=True) * u) / length
    return float(((u - v) ** 2).sum(axis=1).mean()), d @ projection, d.T @ hidden


# %% variant={"of": "7_5_feature_loss", "wrong": "loses the part along the teacher"}
def feature_loss(hidden, teacher_hidden, projection):
    u, length = unit(hidden @ projection.T)
    v, _ = unit(teacher_hidden)
    d = 2 * (u - v) / len(u)
    d = (d - (d * v).sum(axis=1, keepdims=True) * v) / length
    return float(((u - v) ** 2).sum(axis=1).mean()), d @ projection, d.T @ hidden


# %% variant={"of": "7_5_feature_loss", "wrong": "half of it: 1 - cos"}
def feature_loss(hidden, teacher_hidden, projection):
    u, length = unit(hidden @ projection.T)
    v, _ = unit(teacher_hidden)
    cos = (u * v).sum(axis=1, keepdims=True)
    d = -(v - cos * u) / length / len(u)
    return float((1 - cos).mean()), d @ projection, d.T @ hidden


# %% variant={"of": "7_5_feature_loss", "wrong": "the student's features are normalised before they are mapped"}
def feature_loss(hidden, teacher_hidden, projection):
    h, length = unit(hidden)
    v, _ = unit(teacher_hidden)
    u = h @ projection.T
    d = 2 * (u - v) / len(u)
    back = d @ projection
    back = (back - (back * h).sum(axis=1, keepdims=True) * h) / length
    return float(((u - v) ** 2).sum(axis=1).mean()), back, d.T @ h


# %% variant={"of": "7_5_feature_loss", "wrong": "the projection's gradient at the unit features"}
def feature_loss(hidden, teacher_hidden, projection):
    u, length = unit(hidden @ projection.T)
    v, _ = unit(teacher_hidden)
    d = 2 * (u - v) / len(u)
    d = (d - (d * u).sum(axis=1, keepdims=True) * u) / length
    return float(((u - v) ** 2).sum(axis=1).mean()), d @ projection, d.T @ unit(hidden)[0]


# %% variant={"of": "7_5_feature_loss", "right": "by the cosine, image by image"}
def feature_loss(hidden, teacher_hidden, projection):
    loss, by_hidden, by_projection = 0.0, np.zeros(hidden.shape), np.zeros(projection.shape)
    for i, (h, t) in enumerate(zip(hidden, teacher_hidden)):
        (u,), ((length,),) = unit((projection @ h)[None])
        (v,), _ = unit(t[None])
        loss += float(((u - v) ** 2).sum()) / len(hidden)
        back = (np.eye(len(u)) - np.outer(u, u)) @ (u - v) * (2 / length / len(hidden))
        by_hidden[i] = projection.T @ back
        by_projection += np.outer(back, h)
    return loss, by_hidden, by_projection


# %% variant={"of": "7_6_paired_interval", "wrong": "1.96, as for a large sample"}
def paired_interval(a, b):
    d = np.asarray(a) - np.asarray(b)
    half = 1.96 * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


# %% variant={"of": "7_6_paired_interval", "wrong": "the root of n - 1 a second time"}
def paired_interval(a, b):
    d = np.asarray(a) - np.asarray(b)
    half = t_quantile(len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d) - 1)
    return d.mean() - half, d.mean() + half


# %% variant={"of": "7_6_paired_interval", "wrong": "the pairs are sorted first"}
def paired_interval(a, b):
    d = np.sort(a) - np.sort(b)
    half = t_quantile(len(d) - 1) * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


# %% variant={"of": "7_6_paired_interval", "right": "the statistics of Python"}
def paired_interval(a, b):
    from statistics import mean, stdev

    d = [float(x) - float(y) for x, y in zip(a, b)]
    half = t_quantile(len(d) - 1) * stdev(d) * len(d) ** -0.5
    return mean(d) - half, mean(d) + half


# %% variant={"of": "7_7_effects", "wrong": "the interaction of three is halved once"}
def effects(results):
    out = np.zeros((2, 2, 2))
    for index in np.ndindex(2, 2, 2):
        signs = np.ones((2, 2, 2))
        for axis in range(3):
            if index[axis]:
                shape = [1, 1, 1]
                shape[axis] = 2
                signs = signs * np.array([-1, 1]).reshape(shape)
        out[index] = (signs * results).sum() / {0: 8, 1: 4, 2: 4, 3: 2}[sum(index)]
    return out


# %% variant={"of": "7_7_effects", "wrong": "the factors in the opposite order"}
def effects(results):
    h = np.array([[0.5, 0.5], [-1.0, 1.0]])
    scale = np.array([1, 1, 0.5, 0.25])[np.indices((2, 2, 2)).sum(axis=0)]
    return np.einsum("ai,bj,ck,kji->abc", h, h, h, results) * scale


# %% variant={"of": "7_7_effects", "wrong": "in the caller's array"}
def effects(results):
    for axis in range(3):
        view = np.moveaxis(results, axis, 0)
        low, high = view[0].copy(), view[1].copy()
        view[0], view[1] = (low + high) / 2, (high - low) / 2
    results *= 2
    results[0, 0, 0] /= 2
    return results


# %% variant={"of": "7_7_effects", "wrong": "the sign of interactions"}
def effects(results):
    h = np.array([[0.5, 0.5], [1.0, -1.0]])
    scale = np.array([1, -1, 0.5, -0.25])[np.indices((2, 2, 2)).sum(axis=0)]
    return -np.einsum("ai,bj,ck,ijk->abc", h, h, h, results) * scale * np.where(scale == 1, -1, 1)


# %% variant={"of": "7_7_effects", "wrong": "as integers, if accuracies are percent"}
def effects(results):
    out = np.zeros_like(results)
    for index in np.ndindex(2, 2, 2):
        signs = np.ones((2, 2, 2))
        for place in np.ndindex(2, 2, 2):
            for on, at in zip(index, place):
                if on and not at:
                    signs[place] *= -1
        out[index] = (signs * results).sum() / (4 if any(index) else 8)
    return out


# %% variant={"of": "7_7_effects", "right": "eight signed sums"}
def effects(results):
    out = np.zeros((2, 2, 2))
    for i in range(2):
        for j in range(2):
            for k in range(2):
                total = 0.0
                for a in range(2):
                    for b in range(2):
                        for c in range(2):
                            minus = i * (1 - a) + j * (1 - b) + k * (1 - c)
                            total += (-1) ** minus * results[a, b, c]
                out[i, j, k] = total / (4 if i + j + k else 8)
    return out


# %% variant={"of": "7_7_effects", "right": "a matrix of Kronecker products"}
def effects(results):
    h = np.array([[1, 1], [-1, 1]])
    flat = np.kron(np.kron(h, h), h) @ np.asarray(results, float).ravel() / 4
    flat[0] /= 2
    return flat.reshape(2, 2, 2)


# %% variant={"of": "7_8_repaired_gradient", "wrong": "labels at the temperature"}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    hard = sigmoid(student / temperature) - findings
    soft = sigmoid(student / temperature) - sigmoid(teacher / temperature)
    return ((1 - alpha) * hard + alpha * soft * temperature) / len(findings)


# %% variant={"of": "7_8_repaired_gradient", "wrong": "the temperature is put into alpha"}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    alpha = alpha * temperature**2 / (1 - alpha + alpha * temperature**2)
    hard = sigmoid(student) - findings
    soft = sigmoid(student / temperature) - sigmoid(teacher / temperature)
    return ((1 - alpha) * hard + alpha * soft / temperature) / len(findings)


# %% variant={"of": "7_8_repaired_gradient", "right": "finding by finding"}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    grad = np.empty(student.shape)
    count = student.shape[0]
    for place, score in np.ndenumerate(student):
        heard = 1 / (1 + np.exp(-score / temperature)) - 1 / (
            1 + np.exp(-teacher[place] / temperature)
        )
        told = 1 / (1 + np.exp(-score)) - findings[place]
        grad[place] = (told + alpha * (temperature * heard - told)) / count
    return grad


# %% variant={"of": "7_9_repaired_ask", "wrong": "looks at the mode after it has changed it"}
def repaired_ask(teacher, images):
    teacher.eval()
    was_training = teacher.training
    said = teacher(tt.Tensor(images)).data
    if was_training:
        teacher.train()
    return said


# %% variant={"of": "7_9_repaired_ask", "wrong": "sets the flag of the outermost module only"}
def repaired_ask(teacher, images):
    before = teacher.training
    teacher.training = False
    said = teacher(tt.Tensor(images)).data
    teacher.training = before
    return said


# %% variant={"of": "7_9_repaired_ask", "wrong": "the mode the wrong way round"}
def repaired_ask(teacher, images):
    was = teacher.training
    teacher.eval()
    said = teacher(tt.Tensor(images)).data
    if not was:
        teacher.train()
    return said


# %% variant={"of": "7_9_repaired_ask", "wrong": "remembers the first answer of a batch of this size"}
def repaired_ask(teacher, images, heard={}):
    was = teacher.training
    if images.shape not in heard:
        teacher.eval()
        heard[images.shape] = teacher(tt.Tensor(images)).data
        if was:
            teacher.train()
    return heard[images.shape]


# %% variant={"of": "7_9_repaired_ask", "right": "a copy is asked"}
def repaired_ask(teacher, images):
    from copy import deepcopy

    visitor = deepcopy(teacher)
    visitor.eval()
    with tt.no_grad():
        return visitor(tt.Tensor(images)).data


# %% variant={"of": "7_9_repaired_ask", "right": "the mode is given back even after an error"}
def repaired_ask(teacher, images):
    modes = teacher.training
    try:
        teacher.eval()
        return np.array(teacher(tt.Tensor(images)).data)
    finally:
        (teacher.train if modes else teacher.eval)()
