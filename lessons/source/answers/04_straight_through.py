# %% [markdown]
# Answers to lesson 04 by someone who had not read its checks.

# %% variant={"of": "4_1_measured_slope", "wrong": "divides by the step, not by two steps"}
def measured_slope(loss, weights, step):
    slope = np.zeros(weights.shape)
    for i in np.ndindex(weights.shape):
        up = weights.astype(float)
        down = weights.astype(float)
        up[i] += step
        down[i] -= step
        slope[i] = (loss(up) - loss(down)) / step
    return slope


# %% variant={"of": "4_1_measured_slope", "wrong": "indexes rows: right for one axis only"}
def measured_slope(loss, weights, step):
    slope = np.zeros_like(weights)
    for i in range(len(weights)):
        up, down = weights.copy(), weights.copy()
        up[i] += step
        down[i] -= step
        slope[i] = (loss(up) - loss(down)) / (2 * step)
    return slope


# %% variant={"of": "4_1_measured_slope", "wrong": "up and down are the same array"}
def measured_slope(loss, weights, step):
    slope = np.zeros(weights.shape)
    for i in np.ndindex(weights.shape):
        up = down = weights.copy()
        up[i] += step
        down[i] -= step
        slope[i] = (loss(up) - loss(down)) / (2 * step)
    return slope


# %% variant={"of": "4_1_measured_slope", "wrong": "nudges stay: copied once, before the loop"}
def measured_slope(loss, weights, step):
    slope = np.zeros(weights.shape)
    up, down = weights.copy(), weights.copy()
    for i in np.ndindex(weights.shape):
        up[i] += step
        down[i] -= step
        slope[i] = (loss(up) - loss(down)) / (2 * step)
    return slope


# %% variant={"of": "4_1_measured_slope", "wrong": "restores by arithmetic, so that rounding is left in the weights"}
def measured_slope(loss, weights, step):
    slope = np.zeros(weights.shape)
    for i in np.ndindex(weights.shape):
        weights[i] += step
        up = loss(weights)
        weights[i] -= 2 * step
        down = loss(weights)
        weights[i] += step
        slope[i] = (up - down) / (2 * step)
    return slope


# %% variant={"of": "4_1_measured_slope", "wrong": "comes back flat"}
def measured_slope(loss, weights, step):
    slopes = []
    for i in np.ndindex(weights.shape):
        up, down = weights.copy(), weights.copy()
        up[i] += step
        down[i] -= step
        slopes.append((loss(up) - loss(down)) / (2 * step))
    return np.array(slopes)


# %% variant={"of": "4_1_measured_slope", "right": "one-hot directions"}
def measured_slope(loss, weights, step):
    eye = np.eye(weights.size).reshape(weights.size, *weights.shape) * step
    slopes = [(loss(weights + e) - loss(weights - e)) / (2 * step) for e in eye]
    return np.array(slopes).reshape(weights.shape)


# %% variant={"of": "4_2_StraightThrough", "wrong": "forgets the scale"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        trits, alpha = absmean(latent)
        return trits.astype(latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad


# %% variant={"of": "4_2_StraightThrough", "wrong": "the chain rule's alpha in backward"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        trits, ctx.alpha = absmean(latent)
        return (ctx.alpha * trits).astype(latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.alpha


# %% variant={"of": "4_2_StraightThrough", "wrong": "clips the gradient's own values"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        trits, alpha = absmean(latent)
        return (alpha * trits).astype(latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        return np.clip(grad, -1, 1)


# %% variant={"of": "4_2_StraightThrough", "wrong": "a scale for each row"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        alpha = np.abs(latent).mean(axis=-1, keepdims=True)
        return alpha * np.clip(np.round(latent / alpha), -1, 1)

    @staticmethod
    def backward(ctx, grad):
        return grad


# %% variant={"of": "4_2_StraightThrough", "wrong": "no gradient for zeros"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        trits, alpha = absmean(latent)
        ctx.kept = trits != 0
        return (alpha * trits).astype(latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.kept


# %% variant={"of": "4_2_StraightThrough", "wrong": "no guard where all weights are zero"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        alpha = np.abs(latent).mean()
        return alpha * np.clip(np.round(latent / alpha), -1, 1)

    @staticmethod
    def backward(ctx, grad):
        return grad


# %% variant={"of": "4_2_StraightThrough", "right": "hands on a copy of the gradient"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        trits, alpha = absmean(latent)
        return np.multiply(trits, alpha, dtype=latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad.copy()


# %% variant={"of": "4_3_gate", "wrong": "strictly within"}
def gate(grad, latent, limit, way_back=False):
    inside = np.abs(latent) < limit
    if way_back:
        inside = inside | (grad * latent > 0)
    return np.where(inside, grad, 0)


# %% variant={"of": "4_3_gate", "wrong": "lets what pushes outwards pass"}
def gate(grad, latent, limit, way_back=False):
    inside = np.abs(latent) <= limit
    if way_back:
        inside = inside | (np.sign(grad) != np.sign(latent))
    return np.where(inside, grad, 0)


# %% variant={"of": "4_3_gate", "wrong": "no absolute value: open below minus the limit"}
def gate(grad, latent, limit, way_back=False):
    mask = latent <= limit
    if way_back:
        mask = mask | ((latent > limit) & (grad > 0))
    return grad * mask


# %% variant={"of": "4_3_gate", "wrong": "a way back on one side only"}
def gate(grad, latent, limit, way_back=False):
    mask = np.abs(latent) <= limit
    if way_back:
        mask = mask | (grad > 0)
    return grad * mask


# %% variant={"of": "4_3_gate", "wrong": "writes into the gradient it was given"}
def gate(grad, latent, limit, way_back=False):
    outside = np.abs(latent) > limit
    if way_back:
        outside &= grad * latent <= 0
    grad[outside] = 0
    return grad


# %% variant={"of": "4_3_gate", "wrong": "the way back is only for weights with gradient inwards of the limit: all or nothing"}
def gate(grad, latent, limit, way_back=False):
    if np.all(np.abs(latent) <= limit):
        return grad
    if way_back and np.all(grad * latent > 0):
        return grad
    return np.zeros_like(grad)


# %% variant={"of": "4_3_gate", "wrong": "limit of one taken for granted"}
def gate(grad, latent, limit, way_back=False):
    inside = np.abs(latent) <= 1
    if way_back:
        inside |= grad * latent > 0
    return np.where(inside, grad, 0.0)


# %% variant={"of": "4_3_gate", "right": "tries a very small step"}
def gate(grad, latent, limit, way_back=False):
    inside = np.abs(latent) <= limit
    back = np.sign(latent) * np.sign(grad) > 0
    return grad * np.where(inside, 1, back * bool(way_back))


# %% variant={"of": "4_4_count_flips", "wrong": "the threshold of before for both"}
def count_flips(before, after):
    trits, alpha = absmean(before)
    later = np.clip(np.round(after / alpha), -1, 1)
    return int(np.sum(trits != later))


# %% variant={"of": "4_4_count_flips", "wrong": "a jump over zero counts twice"}
def count_flips(before, after):
    return int(np.abs(absmean(before)[0] - absmean(after)[0]).sum())


# %% variant={"of": "4_4_count_flips", "wrong": "fake-quantised weights: all change with the scale"}
def count_flips(before, after):
    a, alpha = absmean(before)
    b, beta = absmean(after)
    return int(np.sum(a * alpha != b * beta))


# %% variant={"of": "4_4_count_flips", "wrong": "signs of the latent weights"}
def count_flips(before, after):
    return int(np.count_nonzero(np.sign(before) != np.sign(after)))


# %% variant={"of": "4_4_count_flips", "wrong": "ups and downs cancel"}
def count_flips(before, after):
    return abs(int(np.sum(absmean(after)[0].astype(int) - absmean(before)[0])))


# %% variant={"of": "4_4_count_flips", "wrong": "the share, not the number"}
def count_flips(before, after):
    return np.mean(absmean(before)[0] != absmean(after)[0])


# %% variant={"of": "4_4_count_flips", "wrong": "only the difference of zeros"}
def count_flips(before, after):
    return int(np.sum((absmean(before)[0] == 0) != (absmean(after)[0] == 0)))


# %% variant={"of": "4_4_count_flips", "right": "python loop over pairs"}
def count_flips(before, after):
    a, b = absmean(before)[0].ravel().tolist(), absmean(after)[0].ravel().tolist()
    return sum(p != q for p, q in zip(a, b, strict=True))


# %% variant={"of": "4_5_steps_to_flip", "wrong": "the threshold is alpha"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent))
    speed = -lr * grad
    steps = np.full(latent.shape, np.inf)
    for i in np.ndindex(latent.shape):
        ahead = [
            (e - latent[i]) / speed[i]
            for e in (-delta, delta)
            if speed[i] and (e - latent[i]) / speed[i] > 0
        ]
        steps[i] = min(ahead, default=np.inf)
    return steps


# %% variant={"of": "4_5_steps_to_flip", "wrong": "the nearest threshold, whichever way it goes"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = np.abs(np.abs(latent) - delta) / (lr * np.abs(grad))
    return np.where(grad == 0, np.inf, steps)


# %% variant={"of": "4_5_steps_to_flip", "wrong": "moves up the gradient"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    speed = lr * grad
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.stack([(delta - latent) / speed, (-delta - latent) / speed])
    both = np.where((both > 0) & (speed != 0), both, np.inf)
    return both.min(axis=0)


# %% variant={"of": "4_5_steps_to_flip", "wrong": "the far threshold when two lie ahead"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    target = np.where(grad > 0, -delta, delta)
    speed = -lr * grad
    with np.errstate(divide="ignore", invalid="ignore"):
        steps = (target - latent) / speed
    return np.where((speed == 0) | (steps < 0), np.inf, steps)


# %% variant={"of": "4_5_steps_to_flip", "wrong": "whole steps"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    speed = -lr * grad
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.stack([(delta - latent) / speed, (-delta - latent) / speed])
    both = np.where((both > 0) & (speed != 0), both, np.inf)
    return np.ceil(both.min(axis=0))


# %% variant={"of": "4_5_steps_to_flip", "wrong": "negative steps in place of infinity"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    speed = -lr * grad
    target = np.where(
        speed > 0, np.where(latent < -delta, -delta, delta), np.where(latent > delta, delta, -delta)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        return (target - latent) / speed


# %% variant={"of": "4_5_steps_to_flip", "wrong": "a threshold for each row"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent), axis=-1, keepdims=True) / 2
    speed = -lr * grad
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.stack([(delta - latent) / speed, (-delta - latent) / speed])
    both = np.where((both > 0) & (speed != 0), both, np.inf)
    return both.min(axis=0)


# %% variant={"of": "4_5_steps_to_flip", "right": "both edges, the nearer one ahead"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    speed = -lr * grad
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.stack([(delta - latent) / speed, (-delta - latent) / speed])
    both = np.where((both > 0) & (speed != 0), both, np.inf)
    return both.min(axis=0)


# %% variant={"of": "4_6_oscillations", "wrong": "compares with the step before, not the flip before"}
def oscillations(trits):
    moves = np.sign(np.diff(trits.astype(int), axis=0))
    return np.sum(moves[1:] * moves[:-1] < 0, axis=0)


# %% variant={"of": "4_6_oscillations", "wrong": "counts every flip but the first"}
def oscillations(trits):
    flips = np.sum(np.diff(trits, axis=0) != 0, axis=0)
    return np.maximum(flips - 1, 0)


# %% variant={"of": "4_6_oscillations", "wrong": "along the wrong axis"}
def oscillations(trits):
    count = np.zeros(len(trits), int)
    for n, row in enumerate(trits):
        last = 0
        for move in np.diff(row):
            if move and last and np.sign(move) != last:
                count[n] += 1
            last = np.sign(move) or last
    return count


# %% variant={"of": "4_6_oscillations", "wrong": "one number for all weights"}
def oscillations(trits):
    last = np.zeros(trits.shape[1])
    count = 0
    for move in np.sign(np.diff(trits, axis=0)):
        count += np.sum(move * last < 0)
        last = np.where(move != 0, move, last)
    return count


# %% variant={"of": "4_6_oscillations", "wrong": "only jumps of one count, -1 to +1 is not noticed"}
def oscillations(trits):
    last = np.zeros(trits.shape[1])
    count = np.zeros(trits.shape[1], int)
    for move in np.diff(trits, axis=0):
        move = np.where(np.abs(move) == 1, move, 0)
        count += move * last < 0
        last = np.where(move != 0, move, last)
    return count


# %% variant={"of": "4_6_oscillations", "wrong": "products of jumps, only exact opposites count"}
def oscillations(trits):
    last = np.zeros(trits.shape[1], np.int8)
    count = np.zeros(trits.shape[1], int)
    for move in np.diff(trits, axis=0):
        count += (move == -last) & (move != 0)
        last = np.where(move != 0, move, last)
    return count


# %% variant={"of": "4_6_oscillations", "wrong": "counts in int8"}
def oscillations(trits):
    last = np.zeros(trits.shape[1], np.int8)
    count = np.zeros(trits.shape[1], np.int8)
    for move in np.sign(np.diff(trits, axis=0)):
        count += (move * last < 0).astype(np.int8)
        last = np.where(move != 0, move, last)
    return count


# %% variant={"of": "4_6_oscillations", "wrong": "returns to the trit of the flip before the last"}
def oscillations(trits):
    count = np.zeros(trits.shape[1], int)
    for n, column in enumerate(trits.T):
        path = [column[0]]
        for trit in column[1:]:
            if trit != path[-1]:
                path.append(trit)
        count[n] = sum(a == c for a, c in zip(path, path[2:]))
    return count


# %% variant={"of": "4_6_oscillations", "right": "column by column, flips only"}
def oscillations(trits):
    count = []
    for column in trits.T:
        moves = np.sign(np.diff(column.astype(int)))
        moves = moves[moves != 0]
        count.append(int(np.sum(moves[1:] != moves[:-1])))
    return np.array(count, dtype=int)


# %% variant={"of": "4_7_lsq_gradient", "wrong": "TTQ's term within: the trit alone"}
def lsq_gradient(grad, latent, alpha):
    trits = np.clip(np.round(latent / alpha), -1, 1)
    return float(np.sum(grad * trits) / np.sqrt(grad.size))


def ttq_gradients(grad, trits):
    return float(grad[trits == 1].sum()), float(-grad[trits == -1].sum())


# %% variant={"of": "4_7_lsq_gradient", "wrong": "forgets that beyond the clip w / alpha falls away"}
def lsq_gradient(grad, latent, alpha):
    ratio = latent / alpha
    inner = np.clip(np.round(ratio), -1, 1) - ratio
    return float(np.sum(grad * inner) / np.sqrt(grad.size))


def ttq_gradients(grad, trits):
    return float(grad[trits == 1].sum()), float(-grad[trits == -1].sum())


# %% variant={"of": "4_7_lsq_gradient", "wrong": "divides by N"}
def lsq_gradient(grad, latent, alpha):
    ratio = np.clip(latent / alpha, -1, 1)
    slope = np.where(np.abs(latent) < alpha, np.round(ratio) - ratio, np.sign(latent))
    return float(np.mean(grad * slope))


def ttq_gradients(grad, trits):
    return float(grad[trits == 1].sum()), float(-grad[trits == -1].sum())


# %% variant={"of": "4_7_lsq_gradient", "wrong": "the root of the number of rows"}
def lsq_gradient(grad, latent, alpha):
    ratio = latent / alpha
    slope = np.where(np.abs(ratio) < 1, np.round(ratio) - ratio, np.sign(ratio))
    return float(np.sum(grad * slope) / np.sqrt(len(grad)))


def ttq_gradients(grad, trits):
    return float(grad[trits == 1].sum()), float(-grad[trits == -1].sum())


# %% variant={"of": "4_7_lsq_gradient", "wrong": "no minus for the scale of -1"}
def lsq_gradient(grad, latent, alpha):
    ratio = latent / alpha
    slope = np.where(np.abs(ratio) < 1, np.round(ratio) - ratio, np.sign(ratio))
    return float(np.sum(grad * slope) / np.sqrt(grad.size))


def ttq_gradients(grad, trits):
    return float(grad[trits == 1].sum()), float(grad[trits == -1].sum())


# %% variant={"of": "4_7_lsq_gradient", "wrong": "the mean over the weights of a sign"}
def lsq_gradient(grad, latent, alpha):
    ratio = latent / alpha
    slope = np.where(np.abs(ratio) < 1, np.round(ratio) - ratio, np.sign(ratio))
    return float(np.sum(grad * slope) / np.sqrt(grad.size))


def ttq_gradients(grad, trits):
    plus, minus = trits == 1, trits == -1
    return float(grad[plus].sum() / max(plus.sum(), 1)), float(
        -grad[minus].sum() / max(minus.sum(), 1)
    )


# %% variant={"of": "4_7_lsq_gradient", "wrong": "the order of the two scales"}
def lsq_gradient(grad, latent, alpha):
    ratio = latent / alpha
    slope = np.where(np.abs(ratio) < 1, np.round(ratio) - ratio, np.sign(ratio))
    return float(np.sum(grad * slope) / np.sqrt(grad.size))


def ttq_gradients(grad, trits):
    return float(-grad[trits < 0].sum()), float(grad[trits > 0].sum())


# %% variant={"of": "4_7_lsq_gradient", "right": "derivative of the surrogate, spelled out"}
def lsq_gradient(grad, latent, alpha):
    total = 0.0
    for g, w in zip(np.ravel(grad), np.ravel(latent), strict=True):
        r = w / alpha
        total += g * (1.0 if r >= 1 else -1.0 if r <= -1 else round(r) - r)
    return float(total / grad.size**0.5)


def ttq_gradients(grad, trits):
    return float(np.vdot(grad, trits > 0)), float(np.vdot(-grad, trits < 0))


# %% variant={"of": "4_8_repaired_step", "wrong": "a gate without a way back"}
def repaired_step(latent, grad, lr):
    return latent - lr * np.where(np.abs(latent) <= 1, grad, 0)


# %% variant={"of": "4_8_repaired_step", "wrong": "clips the gradient"}
def repaired_step(latent, grad, lr):
    return latent - lr * np.clip(grad, -1, 1)


# %% variant={"of": "4_8_repaired_step", "wrong": "clips before the step, and goes the wrong way"}
def repaired_step(latent, grad, lr):
    return np.clip(latent, -1, 1) + lr * grad


# %% variant={"of": "4_8_repaired_step", "wrong": "folds back to zero what goes beyond"}
def repaired_step(latent, grad, lr):
    new = latent - lr * grad
    return np.where(np.abs(new) > 1, 0, new)


# %% variant={"of": "4_8_repaired_step", "wrong": "squashes every weight"}
def repaired_step(latent, grad, lr):
    return np.tanh(latent - lr * grad)


# %% variant={"of": "4_8_repaired_step", "wrong": "weight decay on every step"}
def repaired_step(latent, grad, lr):
    return np.clip(0.99 * latent - lr * grad, -1, 1)


# %% variant={"of": "4_8_repaired_step", "wrong": "clips above only"}
def repaired_step(latent, grad, lr):
    return np.minimum(latent - lr * grad, 1)


# %% variant={"of": "4_8_repaired_step", "wrong": "keeps trits, not latent weights"}
def repaired_step(latent, grad, lr):
    return np.clip(np.round(latent - lr * grad), -1, 1)


# %% variant={"of": "4_8_repaired_step", "right": "clip first, then the step"}
def repaired_step(latent, grad, lr):
    return np.clip(latent, -1, 1) - lr * grad


# %% variant={"of": "4_9_repaired_through", "wrong": "no gradient to alpha"}
def repaired_through(latent, alpha):
    trits, _ = absmean(latent.data)
    quantised = alpha * tt.Tensor(trits.astype(latent.data.dtype))
    return latent + (quantised - latent).detach()


# %% variant={"of": "4_9_repaired_through", "wrong": "alpha stands in front of the straight-through part"}
def repaired_through(latent, alpha):
    trits, _ = absmean(latent.data)
    through = latent + (tt.Tensor(trits.astype(latent.data.dtype)) - latent).detach()
    return alpha * through


# %% variant={"of": "4_9_repaired_through", "wrong": "nothing for the latent weights"}
def repaired_through(latent, alpha):
    trits, _ = absmean(latent.data)
    return alpha * tt.Tensor(trits.astype(latent.data.dtype))


# %% variant={"of": "4_9_repaired_through", "wrong": "absmean's scale in place of the learned one"}
def repaired_through(latent, alpha):
    trits, scale = absmean(latent.data)
    fixed = tt.Tensor((trits * scale).astype(latent.data.dtype))
    return latent - latent.detach() + fixed + 0 * alpha


# %% variant={"of": "4_9_repaired_through", "wrong": "trits by the learned alpha's threshold"}
def repaired_through(latent, alpha):
    trits = np.clip(np.round(latent.data / alpha.data), -1, 1).astype(latent.data.dtype)
    return latent - latent.detach() + alpha * tt.Tensor(trits)


# %% variant={"of": "4_9_repaired_through", "wrong": "LSQ's gradient for alpha"}
def repaired_through(latent, alpha):
    trits = tt.Tensor(absmean(latent.data)[0].astype(latent.data.dtype))
    return (
        latent
        - latent.detach()
        + alpha * trits
        - (alpha - alpha.detach()) * latent.detach() / alpha.detach()
    )


# %% variant={"of": "4_9_repaired_through", "wrong": "forward is the latent weight plus the quantised one"}
def repaired_through(latent, alpha):
    trits = tt.Tensor(absmean(latent.data)[0].astype(latent.data.dtype))
    return latent + alpha * trits


# %% variant={"of": "4_9_repaired_through", "right": "a Function with two inputs"}
class _Learned(Function):
    @staticmethod
    def forward(ctx, latent, alpha):
        trits, _ = absmean(latent)
        ctx.trits = trits.astype(latent.dtype)
        return alpha * ctx.trits

    @staticmethod
    def backward(ctx, grad):
        return grad, np.sum(grad * ctx.trits)


def repaired_through(latent, alpha):
    return _Learned.apply(latent, alpha)
