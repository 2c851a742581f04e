# %% [markdown]
# Answers to lesson 03 by someone who had not read its checks.

# %% variant={"of": "3_1_batches", "wrong": "seed and epoch added"}
def batches(count, batch_size, seed, epoch):
    order = np.random.default_rng(seed + epoch).permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]


# %% variant={"of": "3_1_batches", "wrong": "seed and epoch multiplied into one number that clashes"}
def batches(count, batch_size, seed, epoch):
    order = np.random.default_rng(1000 * seed + epoch).permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]


# %% variant={"of": "3_1_batches", "wrong": "only the order of the batches is shuffled"}
def batches(count, batch_size, seed, epoch):
    starts = np.arange(0, count, batch_size)
    np.random.default_rng([seed, epoch]).shuffle(starts)
    for start in starts:
        yield np.arange(start, min(start + batch_size, count))


# %% variant={"of": "3_1_batches", "wrong": "split into equal parts, a little larger or smaller than asked"}
def batches(count, batch_size, seed, epoch):
    order = np.random.default_rng([seed, epoch]).permutation(count)
    yield from np.array_split(order, -(-count // batch_size))


# %% variant={"of": "3_1_batches", "wrong": "the short batch comes first"}
def batches(count, batch_size, seed, epoch):
    order = np.random.default_rng([seed, epoch]).permutation(count)
    first = count % batch_size
    if first:
        yield order[:first]
    for start in range(first, count, batch_size):
        yield order[start : start + batch_size]


# %% variant={"of": "3_1_batches", "wrong": "an empty batch at the end where the size divides the count"}
def batches(count, batch_size, seed, epoch):
    order = np.random.default_rng([seed, epoch]).permutation(count)
    for number in range(count // batch_size + 1):
        yield order[number * batch_size : (number + 1) * batch_size]


# %% variant={"of": "3_1_batches", "wrong": "the rest is filled up with examples from the front"}
def batches(count, batch_size, seed, epoch):
    order = np.random.default_rng([seed, epoch]).permutation(count)
    for start in range(0, count, batch_size):
        yield np.take(order, np.arange(start, start + batch_size), mode="wrap")


# %% variant={"of": "3_1_batches", "wrong": "the epoch only rotates the seed's order"}
def batches(count, batch_size, seed, epoch):
    order = np.roll(np.random.default_rng(seed).permutation(count), epoch)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]


# %% variant={"of": "3_1_batches", "wrong": "the global generator is seeded anew"}
def batches(count, batch_size, seed, epoch):
    np.random.seed(hash((seed, epoch)) % 2**32)
    order = np.random.permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]


# %% variant={"of": "3_1_batches", "right": "keys sorted, batches in a list's iterator"}
def batches(count, batch_size, seed, epoch):
    keys = np.random.default_rng((epoch, seed)).random(count)
    order = np.argsort(keys)
    return iter([order[i : i + batch_size] for i in range(0, count, batch_size)])


# %% variant={"of": "3_1_batches", "right": "drawn card by card from a shrinking deck"}
def batches(count, batch_size, seed, epoch):
    rng = np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=(epoch,)))
    deck = list(range(count))
    hand = []
    while deck:
        hand.append(deck.pop(int(rng.integers(len(deck)))))
        if len(hand) == batch_size or not deck:
            yield np.array(hand)
            hand = []


# %% variant={"of": "3_2_cross_entropy", "wrong": "one maximum for the whole batch"}
def log_softmax(logits):
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].mean()), gradient / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "log of a clipped softmax"}
def log_softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.log(e / e.sum(axis=1, keepdims=True) + 1e-12)


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].mean()), gradient / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "divided by batch and classes, as a mean over all entries"}
def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    hot = np.eye(logits.shape[1])[labels]
    return float(-(hot * logp).mean()), (np.exp(logp) - hot) / logits.size


# %% variant={"of": "3_2_cross_entropy", "wrong": "the maximum is taken off the learner's logits in place"}
def log_softmax(logits):
    logits -= logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].mean()), gradient / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "the square of labels by labels instead of the pairs"}
def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    gradient = np.exp(logp)
    gradient[np.arange(len(labels)), labels] -= 1
    return float(-logp[:, labels].mean()), gradient / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "true minus said"}
def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    hot = np.eye(logits.shape[1])[labels]
    return float(-(hot * logp).sum(axis=1).mean()), (hot - np.exp(logp)) / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "the row's mean taken away for the maximum"}
def log_softmax(logits):
    shifted = logits - logits.mean(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].mean()), gradient / len(labels)


# %% variant={"of": "3_2_cross_entropy", "right": "row by row, with logaddexp"}
def log_softmax(logits):
    rows = [row - np.logaddexp.reduce(row) for row in logits]
    return np.array(rows)


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    total, gradient = 0.0, np.zeros_like(logp)
    for i, label in enumerate(labels):
        total -= logp[i, label]
        for c in range(logp.shape[1]):
            gradient[i, c] = (np.exp(logp[i, c]) - (c == label)) / len(labels)
    return float(total / len(labels)), gradient


# %% variant={"of": "3_3_Momentum", "wrong": "a running mean of gradients"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocity = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        for w, v, g in zip(self.parameters, self.velocity, gradients):
            v *= self.momentum
            v += (1 - self.momentum) * g
            w -= self.lr * v


# %% variant={"of": "3_3_Momentum", "wrong": "the learning rate inside the velocity"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocity = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        for w, v, g in zip(self.parameters, self.velocity, gradients):
            v *= self.momentum
            v += self.lr * g
            w -= v


# %% variant={"of": "3_3_Momentum", "wrong": "Nesterov's look ahead"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocity = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        for w, v, g in zip(self.parameters, self.velocity, gradients):
            v *= self.momentum
            v += g
            w -= self.lr * (g + self.momentum * v)


# %% variant={"of": "3_3_Momentum", "wrong": "one velocity, an alias for all"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocity = [0.0] * len(parameters)

    def step(self, gradients):
        v = 0.0
        for i, g in enumerate(gradients):
            v = self.momentum * self.velocity[0] + g if i == 0 else self.momentum * v + g
            self.velocity[i] = v
            self.parameters[i][...] -= self.lr * v


# %% variant={"of": "3_3_Momentum", "wrong": "the step before the velocity has gathered"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocity = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        for w, v, g in zip(self.parameters, self.velocity, gradients):
            w -= self.lr * v
            v *= self.momentum
            v += g


# %% variant={"of": "3_3_Momentum", "wrong": "the first velocity is the first gradient array itself"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocity = None

    def step(self, gradients):
        if self.velocity is None:
            self.velocity = list(gradients)
        else:
            for v, g in zip(self.velocity, gradients):
                v *= self.momentum
                v += g
        for w, v in zip(self.parameters, self.velocity):
            w -= self.lr * v


# %% variant={"of": "3_3_Momentum", "wrong": "a shared velocity kept on the class"}
class Momentum:
    velocity = {}

    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum

    def step(self, gradients):
        for i, (w, g) in enumerate(zip(self.parameters, gradients)):
            self.velocity[i] = self.momentum * self.velocity.get(i, 0.0) + g
            w -= self.lr * self.velocity[i]


# %% variant={"of": "3_3_Momentum", "wrong": "the momentum it is given is forgotten"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr = parameters, lr
        self.velocity = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        for w, v, g in zip(self.parameters, self.velocity, gradients):
            v *= 0.9
            v += g
            w -= self.lr * v


# %% variant={"of": "3_3_Momentum", "right": "velocities in a dictionary, grown when first needed"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters = list(parameters)
        self.lr = lr
        self.mu = momentum
        self.memory = {}

    def step(self, gradients):
        for key, g in enumerate(gradients):
            old = self.memory.get(key, 0.0)
            self.memory[key] = self.mu * old + g
            np.subtract(
                self.parameters[key],
                self.lr * self.memory[key],
                out=self.parameters[key],
                casting="same_kind",
            )


# %% variant={"of": "3_4_Adam", "wrong": "eps inside the root"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.m = [np.zeros_like(w) for w in parameters]
        self.s = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for i, g in enumerate(gradients):
            self.m[i] = b1 * self.m[i] + (1 - b1) * g
            self.s[i] = b2 * self.s[i] + (1 - b2) * g * g
            m, s = self.m[i] / (1 - b1**self.t), self.s[i] / (1 - b2**self.t)
            self.parameters[i] -= self.lr * m / np.sqrt(s + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "t counted per parameter"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.m = [np.zeros_like(w) for w in parameters]
        self.s = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        b1, b2 = self.betas
        for i, g in enumerate(gradients):
            self.t += 1
            self.m[i] = b1 * self.m[i] + (1 - b1) * g
            self.s[i] = b2 * self.s[i] + (1 - b2) * g * g
            m, s = self.m[i] / (1 - b1**self.t), self.s[i] / (1 - b2**self.t)
            self.parameters[i] -= self.lr * m / (np.sqrt(s) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "the corrected means are kept, and corrected again"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.m = [np.zeros_like(w) for w in parameters]
        self.s = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for w, m, s, g in zip(self.parameters, self.m, self.s, gradients):
            m *= b1
            m += (1 - b1) * g
            s *= b2
            s += (1 - b2) * g**2
            m /= 1 - b1**self.t
            s /= 1 - b2**self.t
            w -= self.lr * m / (np.sqrt(s) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "the variance: the mean is taken off before the square"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.m = [np.zeros_like(w) for w in parameters]
        self.s = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for w, m, s, g in zip(self.parameters, self.m, self.s, gradients):
            m *= b1
            m += (1 - b1) * g
            s *= b2
            s += (1 - b2) * (g - m) ** 2
            w -= self.lr * m / (1 - b1**self.t) / (np.sqrt(s / (1 - b2**self.t)) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "the correction of the second mean is not under the root"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.m = [np.zeros_like(w) for w in parameters]
        self.s = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for w, m, s, g in zip(self.parameters, self.m, self.s, gradients):
            m *= b1
            m += (1 - b1) * g
            s *= b2
            s += (1 - b2) * g**2
            w -= self.lr * m / (1 - b1**self.t) / (np.sqrt(s) / (1 - b2**self.t) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "eps added to the root before it is corrected"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.m = [np.zeros_like(w) for w in parameters]
        self.s = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        rate = self.lr * np.sqrt(1 - b2**self.t) / (1 - b1**self.t)
        for w, m, s, g in zip(self.parameters, self.m, self.s, gradients):
            m *= b1
            m += (1 - b1) * g
            s *= b2
            s += (1 - b2) * g**2
            w -= rate * m / (np.sqrt(s) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "one size of step for a whole array: the norm of the squares"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.m = [np.zeros_like(w) for w in parameters]
        self.s = [0.0 for w in parameters]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for i, g in enumerate(gradients):
            self.m[i] = b1 * self.m[i] + (1 - b1) * g
            self.s[i] = b2 * self.s[i] + (1 - b2) * np.mean(g**2)
            m, s = self.m[i] / (1 - b1**self.t), self.s[i] / (1 - b2**self.t)
            self.parameters[i] -= self.lr * m / (np.sqrt(s) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "betas swapped"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.eps, self.t = parameters, lr, eps, 0
        self.b2, self.b1 = betas
        self.m = [np.zeros_like(w) for w in parameters]
        self.s = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        self.t += 1
        for w, m, s, g in zip(self.parameters, self.m, self.s, gradients):
            m *= self.b1
            m += (1 - self.b1) * g
            s *= self.b2
            s += (1 - self.b2) * g**2
            w -= (
                self.lr
                * m
                / (1 - self.b1**self.t)
                / (np.sqrt(s / (1 - self.b2**self.t)) + self.eps)
            )


# %% variant={"of": "3_4_Adam", "wrong": "always the usual betas"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.eps, self.t = parameters, lr, eps, 0
        self.m = [np.zeros_like(w) for w in parameters]
        self.s = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        self.t += 1
        for w, m, s, g in zip(self.parameters, self.m, self.s, gradients):
            m *= 0.9
            m += 0.1 * g
            s *= 0.999
            s += 0.001 * g**2
            w -= self.lr * m / (1 - 0.9**self.t) / (np.sqrt(s / (1 - 0.999**self.t)) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "its memory is the class's"}
class Adam:
    memory = {}
    t = 0

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps = parameters, lr, betas, eps

    def step(self, gradients):
        Adam.t += 1
        b1, b2 = self.betas
        for i, (w, g) in enumerate(zip(self.parameters, gradients)):
            m, s = self.memory.get(i, (0.0, 0.0))
            m, s = b1 * m + (1 - b1) * g, b2 * s + (1 - b2) * g * g
            self.memory[i] = m, s
            w -= self.lr * m / (1 - b1**self.t) / (np.sqrt(s / (1 - b2**self.t)) + self.eps)


# %% variant={"of": "3_4_Adam", "right": "weighted sums with running totals of the weights"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps = parameters, lr, betas, eps
        self.state = [[np.zeros(w.shape), np.zeros(w.shape)] for w in parameters]
        self.shares = [0.0, 0.0]

    def step(self, gradients):
        b1, b2 = self.betas
        self.shares = [b1 * self.shares[0] + 1 - b1, b2 * self.shares[1] + 1 - b2]
        for w, state, g in zip(self.parameters, self.state, gradients):
            g = np.asarray(g, float)
            state[0] += (1 - b1) * (g - state[0])
            state[1] += (1 - b2) * (g * g - state[1])
            m, s = state[0] / self.shares[0], state[1] / self.shares[1]
            w[...] = w - self.lr * m / (np.sqrt(s) + self.eps)


# %% variant={"of": "3_5_AdamW", "wrong": "L2: added to the gradient"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay

    def step(self, gradients):
        super().step([g + self.weight_decay * w for g, w in zip(gradients, self.parameters)])


# %% variant={"of": "3_5_AdamW", "wrong": "decay after the step"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay

    def step(self, gradients):
        super().step(gradients)
        for w in self.parameters:
            w *= 1 - self.lr * self.weight_decay


# %% variant={"of": "3_5_AdamW", "wrong": "decay not scaled by the learning rate"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay

    def step(self, gradients):
        for w in self.parameters:
            w *= 1 - self.weight_decay
        super().step(gradients)


# %% variant={"of": "3_5_AdamW", "wrong": "the factor is computed once, with the first learning rate"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.keep = 1 - lr * weight_decay

    def step(self, gradients):
        for w in self.parameters:
            w *= self.keep
        super().step(gradients)


# %% variant={"of": "3_5_AdamW", "wrong": "betas and eps are not handed on"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr)
        self.weight_decay = weight_decay

    def step(self, gradients):
        for w in self.parameters:
            w *= 1 - self.lr * self.weight_decay
        super().step(gradients)


# %% variant={"of": "3_5_AdamW", "wrong": "decay pulls by its sign, as an L1 would"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay

    def step(self, gradients):
        for w in self.parameters:
            w -= self.lr * self.weight_decay * np.sign(w)
        super().step(gradients)


# %% variant={"of": "3_5_AdamW", "wrong": "only matrices fade, as the library's groups would have it"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay

    def step(self, gradients):
        for w in self.parameters:
            if w.ndim > 1:
                w *= 1 - self.lr * self.weight_decay
        super().step(gradients)


# %% variant={"of": "3_5_AdamW", "right": "old copies, Adam first, then the share of the old"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        Adam.__init__(self, parameters, lr=lr, betas=betas, eps=eps)
        self.decay = weight_decay

    def step(self, gradients):
        before = [w.copy() for w in self.parameters]
        Adam.step(self, gradients)
        for w, old in zip(self.parameters, before):
            w -= self.lr * self.decay * old


# %% variant={"of": "3_6_cosine", "wrong": "warm-up begins at 0"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * step / warmup
    p = min(1.0, (step - warmup) / (total - 1 - warmup))
    return min_lr + (lr - min_lr) * 0.5 * (1 + np.cos(np.pi * p))


# %% variant={"of": "3_6_cosine", "wrong": "progress reaches 1 one step too late"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    p = min(1.0, (step - warmup) / (total - warmup))
    return min_lr + (lr - min_lr) * 0.5 * (1 + np.cos(np.pi * p))


# %% variant={"of": "3_6_cosine", "wrong": "rises again after the end"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    p = (step - warmup) / max(1, total - 1 - warmup)
    return min_lr + (lr - min_lr) * 0.5 * (1 + np.cos(np.pi * p))


# %% variant={"of": "3_6_cosine", "wrong": "the warm-up rises from the minimum"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return min_lr + (lr - min_lr) * (step + 1) / warmup
    p = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return min_lr + (lr - min_lr) * 0.5 * (1 + np.cos(np.pi * p))


# %% variant={"of": "3_6_cosine", "wrong": "the minimum is a floor under a cosine to 0"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    p = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return max(min_lr, lr * 0.5 * (1 + np.cos(np.pi * p)))


# %% variant={"of": "3_6_cosine", "wrong": "divides by zero where nothing is left after the warm-up"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    if step == warmup:
        return lr
    p = min(1.0, (step - warmup) / (total - 1 - warmup))
    return min_lr + (lr - min_lr) * 0.5 * (1 + np.cos(np.pi * p))


# %% variant={"of": "3_6_cosine", "wrong": "degrees for radians"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    p = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return min_lr + (lr - min_lr) * 0.5 * (1 + np.cos(180 * p))


# %% variant={"of": "3_6_cosine", "wrong": "a straight line down"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    p = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return lr + (min_lr - lr) * p


# %% variant={"of": "3_6_cosine", "right": "squared cosine of half the angle, clipped"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    last = total - 1
    if step >= last:
        return min_lr
    half = 0.5 * np.pi * (step - warmup) / (last - warmup)
    return min_lr + (lr - min_lr) * np.cos(half) ** 2


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "two standard deviations of the resamples"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    found = rng.choice(right, (resamples, len(right))).mean(axis=1)
    return found.mean() - 1.96 * found.std(), found.mean() + 1.96 * found.std()


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "the whole of 1 - level cut off on each side"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    found = rng.choice(right, (resamples, len(right))).mean(axis=1)
    low, high = np.quantile(found, [1 - level, level])
    return low, high


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "95 % whatever the level asked for"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    found = rng.choice(right, (resamples, len(right))).mean(axis=1)
    low, high = np.percentile(found, [2.5, 97.5])
    return low, high


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "resampled without replacement, half of the images each"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    n = len(right)
    found = [right[rng.permutation(n)[: n // 2]].mean() for _ in range(resamples)]
    tail = (1 - level) / 2
    return np.quantile(found, tail), np.quantile(found, 1 - tail)


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "as many images as there are resamples"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    found = rng.choice(right, (resamples, resamples)).mean(axis=1)
    tail = (1 - level) / 2
    return np.quantile(found, tail), np.quantile(found, 1 - tail)


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "numbers right instead of shares"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    found = rng.choice(right, (resamples, len(right))).sum(axis=1)
    tail = (1 - level) / 2
    return np.quantile(found, tail), np.quantile(found, 1 - tail)


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "Wilson's formula instead of resampling"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    n, p = len(right), right.mean()
    z = norm.ppf((1 + level) / 2)
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return middle - half, middle + half


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "the seed is not used"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng()
    found = rng.choice(right, (resamples, len(right))).mean(axis=1)
    tail = (1 - level) / 2
    return np.quantile(found, tail), np.quantile(found, 1 - tail)


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "the global seed for all that comes after"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    np.random.seed(seed)
    found = np.random.choice(right, (resamples, len(right))).mean(axis=1)
    tail = (1 - level) / 2
    return np.quantile(found, tail), np.quantile(found, 1 - tail)


# %% variant={"of": "3_7_bootstrap_interval", "right": "counts drawn from a binomial, sorted by hand"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    found = sorted(rng.binomial(len(right), np.mean(right), resamples) / len(right))
    cut = int(round(resamples * (1 - level) / 2))
    return float(found[cut]), float(found[-1 - cut])


# %% variant={"of": "3_8_train_epoch", "wrong": "the gradients are set to zero once an epoch"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    network.zero_grad()
    for rows in order:
        logits = network.forward(images[rows], training=True)
        loss, gradient = cross_entropy(logits, labels[rows])
        network.backward(gradient)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "zeroed between backward and step"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        logits = network.forward(images[rows], training=True)
        loss, gradient = cross_entropy(logits, labels[rows])
        network.backward(gradient)
        network.zero_grad()
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "zeroed after the step only: what was left before is in the first"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        logits = network.forward(images[rows], training=True)
        loss, gradient = cross_entropy(logits, labels[rows])
        network.backward(gradient)
        optimizer.step(network.gradients)
        network.zero_grad()
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "dropout is off in training too"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, gradient = cross_entropy(network.forward(images[rows]), labels[rows])
        network.backward(gradient)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "dropout stays on in the evaluation"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, gradient = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(gradient)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std, training=True)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "raw images go straight in"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, gradient = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(gradient)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    return float(np.mean(network.forward(images).argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "training images are centred and scaled a second time"}
def train_epoch(network, optimizer, images, labels, order):
    images = (images - images.mean(axis=0)) / (images.std(axis=0) + 1e-6)
    losses = []
    for rows in order:
        network.zero_grad()
        loss, gradient = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(gradient)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "evaluate scales the caller's images in place"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, gradient = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(gradient)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    images -= mean
    images /= std
    return float(np.mean(network.forward(images).argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "the mean loss in place of the list"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, gradient = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(gradient)
        optimizer.step(network.gradients)
        losses.append(loss)
    return np.mean(losses)


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "the number right, not the share"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, gradient = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(gradient)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return int(np.sum(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "labels not taken by the batch's rows but from the front"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        logits = network.forward(images[rows], training=True)
        loss, gradient = cross_entropy(logits, labels[: len(rows)])
        network.backward(gradient)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "right": "new arrays of zeros for the gradients"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.gradients = [np.zeros_like(g) for g in network.gradients]
        loss, gradient = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(gradient)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "right": "gradients filled by hand, images evaluated one at a time"}
def train_epoch(network, optimizer, images, labels, order):
    def one(rows):
        for g in network.gradients:
            g.fill(0)
        logits = network.forward(images[rows], True)
        loss, upstream = cross_entropy(logits, labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        return loss

    return [one(rows) for rows in order]


def evaluate(network, images, labels, mean, std):
    hits = 0
    for image, label in zip(images, labels):
        scores = network.forward(((image - mean) / std)[None])[0]
        hits += int(np.argmax(scores)) == int(label)
    return hits / len(labels)


# %% variant={"of": "3_9_split_by_patient", "wrong": "images split at random"}
def split_by_patient(patients, share, seed):
    order = np.random.default_rng(seed).permutation(len(patients))
    cut = round(share * len(patients))
    return order[cut:], order[:cut]


# %% variant={"of": "3_9_split_by_patient", "wrong": "the first patients by name are for testing"}
def split_by_patient(patients, share, seed):
    names = np.unique(patients)
    held = names[: round(share * len(names))]
    test = np.isin(patients, held)
    return np.flatnonzero(~test), np.flatnonzero(test)


# %% variant={"of": "3_9_split_by_patient", "wrong": "patients with many images are drawn more often"}
def split_by_patient(patients, share, seed):
    patients = np.asarray(patients)
    order = np.random.default_rng(seed).permutation(patients)
    count = round(share * len(np.unique(patients)))
    held = []
    for name in order:
        if len(held) < count and name not in held:
            held.append(name)
    test = np.isin(patients, held)
    return np.flatnonzero(~test), np.flatnonzero(test)


# %% variant={"of": "3_9_split_by_patient", "wrong": "training and test rows swapped"}
def split_by_patient(patients, share, seed):
    names = np.random.default_rng(seed).permutation(np.unique(patients))
    test = np.isin(patients, names[: round(share * len(names))])
    return np.flatnonzero(test), np.flatnonzero(~test)


# %% variant={"of": "3_9_split_by_patient", "wrong": "masks in place of indices"}
def split_by_patient(patients, share, seed):
    names = np.random.default_rng(seed).permutation(np.unique(patients))
    test = np.isin(patients, names[: round(share * len(names))])
    return ~test, test


# %% variant={"of": "3_9_split_by_patient", "wrong": "patients are numbered from 0 without a gap"}
def split_by_patient(patients, share, seed):
    count = int(patients.max()) + 1
    held = np.random.default_rng(seed).permutation(count)[: round(share * count)]
    test = np.isin(patients, held)
    return np.flatnonzero(~test), np.flatnonzero(test)


# %% variant={"of": "3_9_split_by_patient", "wrong": "as many patients as images are asked for, with the same number each"}
def split_by_patient(patients, share, seed):
    names = np.random.default_rng(seed).permutation(np.unique(patients))
    test, wanted = [], round(share * len(patients))
    for name in names:
        if len(test) < wanted:
            test.extend(np.flatnonzero(patients == name))
    test = np.array(test, int)
    return np.setdiff1d(np.arange(len(patients)), test), test


# %% variant={"of": "3_9_split_by_patient", "wrong": "rounded down"}
def split_by_patient(patients, share, seed):
    names = np.random.default_rng(seed).permutation(np.unique(patients))
    test = np.isin(patients, names[: int(share * len(names))])
    return np.flatnonzero(~test), np.flatnonzero(test)


# %% variant={"of": "3_9_split_by_patient", "wrong": "the names themselves, not the rows"}
def split_by_patient(patients, share, seed):
    names = np.random.default_rng(seed).permutation(np.unique(patients))
    count = round(share * len(names))
    return names[count:], names[:count]


# %% variant={"of": "3_9_split_by_patient", "wrong": "neighbouring rows of the file kept together instead of the patient"}
def split_by_patient(patients, share, seed):
    changes = np.flatnonzero(patients[1:] != patients[:-1]) + 1
    groups = np.split(np.arange(len(patients)), changes)
    order = np.random.default_rng(seed).permutation(len(groups))
    cut = round(share * len(groups))
    test = np.sort(np.concatenate([groups[i] for i in order[:cut]]))
    train = np.sort(np.concatenate([groups[i] for i in order[cut:]]))
    return train, test


# %% variant={"of": "3_9_split_by_patient", "right": "groups in a dictionary, names drawn by choice"}
def split_by_patient(patients, share, seed):
    groups = {}
    for row, name in enumerate(patients):
        groups.setdefault(name, []).append(row)
    names = list(groups)
    count = round(share * len(names))
    held = set(np.random.default_rng(seed).choice(len(names), count, replace=False).tolist())
    train, test = [], []
    for i, name in enumerate(names):
        (test if i in held else train).extend(groups[name])
    return np.array(train, dtype=int), np.array(test, dtype=int)
