# %% [markdown]
# Answers to lesson 02 by someone who had not read its checks.

# %% variant={"of": "2_1_Value", "wrong": "slopes of a product not crossed"}
def as_value(x):
    return x if isinstance(x, Value) else Value(x)


class Value:
    def __init__(self, data, sources=()):
        self.data = float(data)
        self.grad = 0.0
        self.sources = tuple(sources)

    def __add__(self, other):
        other = as_value(other)
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        other = as_value(other)
        return Value(self.data * other.data, [(self, self.data), (other, other.data)])

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + (-as_value(other))


# %% variant={"of": "2_1_Value", "wrong": "slopes of a sum are the data"}
def as_value(x):
    return x if isinstance(x, Value) else Value(x)


class Value:
    def __init__(self, data, sources=()):
        self.data = float(data)
        self.grad = 0.0
        self.sources = tuple(sources)

    def __add__(self, other):
        other = as_value(other)
        return Value(self.data + other.data, [(self, self.data), (other, other.data)])

    def __mul__(self, other):
        other = as_value(other)
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + (-as_value(other))


# %% variant={"of": "2_1_Value", "wrong": "slopes are Values"}
def as_value(x):
    return x if isinstance(x, Value) else Value(x)


class Value:
    def __init__(self, data, sources=()):
        self.data = float(data)
        self.grad = 0.0
        self.sources = tuple(sources)

    def __add__(self, other):
        other = as_value(other)
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        other = as_value(other)
        return Value(self.data * other.data, [(self, other), (other, self)])

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + (-as_value(other))


# %% variant={"of": "2_1_Value", "wrong": "in place: the left one becomes the sum"}
def as_value(x):
    return x if isinstance(x, Value) else Value(x)


class Value:
    def __init__(self, data, sources=()):
        self.data = float(data)
        self.grad = 0.0
        self.sources = tuple(sources)

    def __add__(self, other):
        other = as_value(other)
        old = Value(self.data, self.sources)
        self.data += other.data
        self.sources = ((old, 1.0), (other, 1.0))
        return self

    def __mul__(self, other):
        other = as_value(other)
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + (-as_value(other))


# %% variant={"of": "2_1_Value", "wrong": "one source where both are the same"}
def as_value(x):
    return x if isinstance(x, Value) else Value(x)


class Value:
    def __init__(self, data, sources=()):
        self.data = float(data)
        self.grad = 0.0
        self.sources = tuple(sources)

    def __add__(self, other):
        other = as_value(other)
        return Value(self.data + other.data, {self: 1.0, other: 1.0}.items())

    def __mul__(self, other):
        other = as_value(other)
        return Value(self.data * other.data, {self: other.data, other: self.data}.items())

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + (-as_value(other))


# %% variant={"of": "2_1_Value", "right": "sources as tuples, slopes as integers where they are"}
def as_value(x):
    return x if isinstance(x, Value) else Value(x)


class Value:
    def __init__(self, data, sources=()):
        self.data = float(data)
        self.grad = 0.0
        self.sources = tuple(sources)

    def __add__(self, other):
        other = as_value(other)
        made = Value(self.data + other.data)
        made.sources = ((self, 1), (other, 1))
        return made

    def __mul__(self, other):
        other = as_value(other)
        made = Value(self.data * other.data)
        made.sources = ((other, self.data), (self, other.data))
        return made

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self):
        return self * -1.0

    def __sub__(self, other):
        return self + (-as_value(other))


# %% variant={"of": "2_2_push", "wrong": "wipes out what came before"}
def push(node):
    for source, slope in node.sources:
        source.grad = node.grad * slope


# %% variant={"of": "2_2_push", "wrong": "forgets its own gradient"}
def push(node):
    for source, slope in node.sources:
        source.grad += slope


# %% variant={"of": "2_2_push", "wrong": "pushes on, all the way down"}
def push(node):
    for source, slope in node.sources:
        source.grad += node.grad * slope
        push(source)


# %% variant={"of": "2_2_push", "wrong": "times the data of the source"}
def push(node):
    for source, slope in node.sources:
        source.grad += node.grad * slope * source.data


# %% variant={"of": "2_2_push", "wrong": "each source once"}
def push(node):
    for source, slope in dict(node.sources).items():
        source.grad += node.grad * slope


# %% variant={"of": "2_2_push", "wrong": "gives its gradient away"}
def push(node):
    for source, slope in node.sources:
        source.grad += node.grad * slope
    node.grad = 0.0


# %% variant={"of": "2_2_push", "right": "by index"}
def push(node):
    for i in range(len(node.sources)):
        node.sources[i][0].grad = node.sources[i][0].grad + node.sources[i][1] * node.grad


# %% variant={"of": "2_3_topological_order", "wrong": "breadth first, turned round"}
def topological_order(result):
    seen, order, queue = {id(result)}, [], [result]
    while queue:
        node = queue.pop(0)
        order.append(node)
        for source, _ in node.sources:
            if id(source) not in seen:
                seen.add(id(source))
                queue.append(source)
    return order[::-1]


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "recursion"}
def topological_order(result):
    seen, order = set(), []

    def visit(node):
        if id(node) not in seen:
            seen.add(id(node))
            for source, _ in node.sources:
                visit(source)
            order.append(node)

    visit(result)
    return order


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "seen when first met, not when done: depth first, turned round"}
def topological_order(result):
    seen, order, stack = {id(result)}, [], [result]
    while stack:
        node = stack.pop()
        order.append(node)
        for source, _ in node.sources:
            if id(source) not in seen:
                seen.add(id(source))
                stack.append(source)
    return order[::-1]


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "looks through a list: quadratic"}
def topological_order(result):
    order, stack = [], [(result, False)]
    while stack:
        node, done = stack.pop()
        if any(node is other for other in order):
            continue
        if done:
            order.append(node)
        else:
            stack.append((node, True))
            stack.extend((source, False) for source, _ in node.sources)
    return order


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "does not clear the gradients of before"}
def topological_order(result):
    seen, order, stack = set(), [], [(result, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((source, False) for source, _ in node.sources)
    return order


def backward(result):
    result.grad = 1.0
    for node in reversed(topological_order(result)):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "clears each node just before it is pushed"}
def topological_order(result):
    seen, order, stack = set(), [], [(result, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((source, False) for source, _ in node.sources)
    return order


def backward(result):
    result.grad = 1.0
    for node in reversed(topological_order(result)):
        for source, _ in node.sources:
            source.grad = 0.0
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "pushes in the order of computing"}
def topological_order(result):
    seen, order, stack = set(), [], [(result, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((source, False) for source, _ in node.sources)
    return order


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in order:
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "result first"}
def topological_order(result):
    seen, order, stack = set(), [], [(result, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((source, False) for source, _ in node.sources)
    return order[::-1]


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in order:
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "wrong": "known by their number: equal values are one node"}
def topological_order(result):
    seen, order, stack = set(), [], [(result, False)]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node.data not in seen:
            seen.add(node.data)
            stack.append((node, True))
            stack.extend((source, False) for source, _ in node.sources)
    return order


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = 0.0
    result.grad = 1.0
    for node in reversed(order):
        push(node)


Value.backward = backward


# %% variant={"of": "2_3_topological_order", "right": "counts who still waits"}
def topological_order(result):
    waiting, todo = {id(result): 0}, [result]
    while todo:
        for source, _ in todo.pop().sources:
            if id(source) not in waiting:
                waiting[id(source)] = 0
                todo.append(source)
            waiting[id(source)] += 1
    order, free = [], [result]
    while free:
        node = free.pop()
        order.append(node)
        for source, _ in node.sources:
            waiting[id(source)] -= 1
            if not waiting[id(source)]:
                free.append(source)
    return order[::-1]


def backward(result):
    order = topological_order(result)
    for node in order:
        node.grad = float(node is result)
    while order:
        push(order.pop())


Value.backward = backward


# %% variant={"of": "2_4_unbroadcast", "wrong": "missing axes only"}
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(axis=0)
    return grad


# %% variant={"of": "2_4_unbroadcast", "wrong": "stretched axes only"}
def unbroadcast(grad, shape):
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


# %% variant={"of": "2_4_unbroadcast", "wrong": "the mean over copies"}
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.mean(axis=0)
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.mean(axis=axis, keepdims=True)
    return grad


# %% variant={"of": "2_4_unbroadcast", "wrong": "sums the last axes away"}
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad.sum(axis=-1)
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(axis=axis, keepdims=True)
    return grad


# %% variant={"of": "2_4_unbroadcast", "wrong": "the first copy"}
def unbroadcast(grad, shape):
    while grad.ndim > len(shape):
        grad = grad[0]
    for axis, size in enumerate(shape):
        if size == 1:
            grad = np.take(grad, [0], axis=axis)
    return grad


# %% variant={"of": "2_4_unbroadcast", "wrong": "any missing axis: everything by reshape and sum, fails to keep the order of axes"}
def unbroadcast(grad, shape):
    size = int(np.prod(shape))
    return grad.reshape(size, -1).sum(axis=1).reshape(shape)


# %% variant={"of": "2_4_unbroadcast", "wrong": "drops the axes of size one"}
def unbroadcast(grad, shape):
    grad = grad.sum(axis=tuple(range(grad.ndim - len(shape))))
    return grad.sum(axis=tuple(i for i, n in enumerate(shape) if n == 1))


# %% variant={"of": "2_4_unbroadcast", "right": "sum over one tuple of axes"}
def unbroadcast(grad, shape):
    padded = (1,) * (grad.ndim - len(shape)) + tuple(shape)
    axes = tuple(i for i, n in enumerate(padded) if n == 1)
    return np.sum(grad, axis=axes).reshape(shape)


# %% variant={"of": "2_5_matmul_backward", "wrong": "no transposes: fits squares"}
def matmul_backward(a, b, grad):
    return grad @ b, a @ grad


# %% variant={"of": "2_5_matmul_backward", "wrong": "grad_b transposed"}
def matmul_backward(a, b, grad):
    return grad @ b.T, grad.T @ a


# %% variant={"of": "2_5_matmul_backward", "wrong": "the order of the pair"}
def matmul_backward(a, b, grad):
    return a.T @ grad, grad @ b.T


# %% variant={"of": "2_5_matmul_backward", "wrong": "divided by the batch"}
def matmul_backward(a, b, grad):
    return grad @ b.T, a.T @ grad / len(a)


# %% variant={"of": "2_5_matmul_backward", "wrong": "forgets the gradient that comes in"}
def matmul_backward(a, b, grad):
    ones = np.ones_like(grad)
    return ones @ b.T, a.T @ ones


# %% variant={"of": "2_5_matmul_backward", "right": "einsum"}
def matmul_backward(a, b, grad):
    return np.einsum("mn,kn->mk", grad, b), np.einsum("mk,mn->kn", a, grad)


# %% variant={"of": "2_6_numeric_gradient", "wrong": "one-sided"}
def numeric_gradient(f, x, eps=1e-6):
    x = np.array(x, dtype=np.float64)
    grad = np.zeros_like(x)
    base = f(x)
    for i in np.ndindex(x.shape):
        moved = x.copy()
        moved[i] += eps
        grad[i] = (f(moved) - base) / eps
    return grad


# %% variant={"of": "2_6_numeric_gradient", "wrong": "in the type that comes in"}
def numeric_gradient(f, x, eps=1e-6):
    grad = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += eps
        down[i] -= eps
        grad[i] = (f(up) - f(down)) / (2 * eps)
    return grad


# %% variant={"of": "2_6_numeric_gradient", "wrong": "asarray makes no copy"}
def numeric_gradient(f, x, eps=1e-6):
    x = np.asarray(x, dtype=np.float64)
    grad = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        x[i] += eps
        up = f(x)
        x[i] -= 2 * eps
        down = f(x)
        x[i] += eps
        grad[i] = (up - down) / (2 * eps)
    return grad


# %% variant={"of": "2_6_numeric_gradient", "wrong": "divides by eps"}
def numeric_gradient(f, x, eps=1e-6):
    x = np.array(x, dtype=np.float64)
    grad = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        d = np.zeros_like(x)
        d[i] = eps
        grad[i] = (f(x + d) - f(x - d)) / eps
    return grad


# %% variant={"of": "2_6_numeric_gradient", "wrong": "a step of its own"}
def numeric_gradient(f, x, eps=1e-6):
    x = np.array(x, dtype=np.float64)
    grad = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        d = np.zeros_like(x)
        d[i] = 1e-6
        grad[i] = (f(x + d) - f(x - d)) / 2e-6
    return grad


# %% variant={"of": "2_6_numeric_gradient", "wrong": "the slopes come back as float32"}
def numeric_gradient(f, x, eps=1e-6):
    grad = np.zeros_like(x)
    x = np.array(x, dtype=np.float64)
    for i in np.ndindex(x.shape):
        d = np.zeros_like(x)
        d[i] = eps
        grad[i] = (f(x + d) - f(x - d)) / (2 * eps)
    return grad


# %% variant={"of": "2_6_numeric_gradient", "wrong": "rows: one axis only"}
def numeric_gradient(f, x, eps=1e-6):
    x = np.array(x, dtype=np.float64)
    grad = np.zeros_like(x)
    for i in range(len(x)):
        d = np.zeros_like(x)
        d[i] = eps
        grad[i] = (f(x + d) - f(x - d)) / (2 * eps)
    return grad


# %% variant={"of": "2_6_numeric_gradient", "right": "a flat copy"}
def numeric_gradient(f, x, eps=1e-6):
    flat = np.array(x, dtype=np.float64).ravel()
    slopes = []
    for i in range(flat.size):
        kept = flat[i]
        flat[i] = kept + eps
        up = float(f(flat.reshape(np.shape(x))))
        flat[i] = kept - eps
        down = float(f(flat.reshape(np.shape(x))))
        flat[i] = kept
        slopes.append((up - down) / (2 * eps))
    return np.array(slopes).reshape(np.shape(x))


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "one maximum for all rows"}
def softmax_cross_entropy(logits, labels):
    z = logits - logits.max()
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = np.mean(np.log(e.sum(axis=1)) - z[rows, labels])
    p[rows, labels] -= 1
    return float(loss), p / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "gradient of the sum"}
def softmax_cross_entropy(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = np.mean(np.log(e.sum(axis=1)) - z[rows, labels])
    p[rows, labels] -= 1
    return float(loss), p


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "log of the probability"}
def softmax_cross_entropy(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    with np.errstate(divide="ignore"):
        loss = -np.mean(np.log(p[rows, labels]))
    p[rows, labels] -= 1
    return float(loss), p / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "a little something in the logarithm"}
def softmax_cross_entropy(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.mean(np.log(p[rows, labels] + 1e-12))
    p[rows, labels] -= 1
    return float(loss), p / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "divides by all entries"}
def softmax_cross_entropy(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = np.mean(np.log(e.sum(axis=1)) - z[rows, labels])
    p[rows, labels] -= 1
    return float(loss), p / p.size


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "subtracts whole columns"}
def softmax_cross_entropy(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    loss = np.mean(np.log(e.sum(axis=1)) - z[np.arange(len(labels)), labels])
    p[:, labels] -= 1
    return float(loss), p / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "in place on the logits"}
def softmax_cross_entropy(logits, labels):
    logits -= logits.max(axis=1, keepdims=True)
    e = np.exp(logits)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = np.mean(np.log(e.sum(axis=1)) - logits[rows, labels])
    p[rows, labels] -= 1
    return float(loss), p / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "wrong": "truth minus prediction"}
def softmax_cross_entropy(logits, labels):
    z = logits - logits.max(axis=1, keepdims=True)
    e = np.exp(z)
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = np.mean(np.log(e.sum(axis=1)) - z[rows, labels])
    return float(loss), (np.eye(logits.shape[1])[labels] - p) / len(labels)


# %% variant={"of": "2_7_softmax_cross_entropy", "right": "logaddexp"}
def softmax_cross_entropy(logits, labels):
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    truth = np.eye(logits.shape[1])[labels]
    loss = -np.where(truth == 1, log_p, 0).sum() / len(labels)
    return float(loss), (np.exp(log_p) - truth) / len(labels)


# %% variant={"of": "2_8_Tensor", "wrong": "no unbroadcast"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data = np.asarray(data)
        self.grad = None
        self.sources = tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(self.data + other.data, [(self, lambda g: g), (other, lambda g: g)])

    def __matmul__(self, other):
        def back_a(grad):
            return matmul_backward(self.data, other.data, grad)[0]

        def back_b(grad):
            return matmul_backward(self.data, other.data, grad)[1]

        return Tensor(self.data @ other.data, [(self, back_a), (other, back_b)])

    def relu(self):
        return Tensor(np.maximum(self.data, 0), [(self, lambda g: g * (self.data > 0))])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros(node.data.shape)
        self.grad = np.ones(self.data.shape)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "unbroadcasts the right-hand side only"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data = np.asarray(data)
        self.grad = None
        self.sources = tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(
            self.data + other.data,
            [(self, lambda g: g), (other, lambda g: unbroadcast(g, other.data.shape))],
        )

    def __matmul__(self, other):
        def back_a(grad):
            return matmul_backward(self.data, other.data, grad)[0]

        def back_b(grad):
            return matmul_backward(self.data, other.data, grad)[1]

        return Tensor(self.data @ other.data, [(self, back_a), (other, back_b)])

    def relu(self):
        return Tensor(np.maximum(self.data, 0), [(self, lambda g: g * (self.data > 0))])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros(node.data.shape)
        self.grad = np.ones(self.data.shape)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "+= on a gradient that is another's array"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data = np.asarray(data)
        self.grad = None
        self.sources = tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(
            self.data + other.data,
            [
                (self, lambda g: unbroadcast(g, self.data.shape)),
                (other, lambda g: unbroadcast(g, other.data.shape)),
            ],
        )

    def __matmul__(self, other):
        def back_a(grad):
            return matmul_backward(self.data, other.data, grad)[0]

        def back_b(grad):
            return matmul_backward(self.data, other.data, grad)[1]

        return Tensor(self.data @ other.data, [(self, back_a), (other, back_b)])

    def relu(self):
        return Tensor(np.maximum(self.data, 0), [(self, lambda g: g * (self.data > 0))])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = None
        self.grad = np.ones(self.data.shape)
        for node in reversed(order):
            for source, back in node.sources:
                if source.grad is None:
                    source.grad = back(node.grad)
                else:
                    source.grad += back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "mask of the gradient's sign"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data = np.asarray(data)
        self.grad = None
        self.sources = tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(
            self.data + other.data,
            [
                (self, lambda g: unbroadcast(g, self.data.shape)),
                (other, lambda g: unbroadcast(g, other.data.shape)),
            ],
        )

    def __matmul__(self, other):
        def back_a(grad):
            return matmul_backward(self.data, other.data, grad)[0]

        def back_b(grad):
            return matmul_backward(self.data, other.data, grad)[1]

        return Tensor(self.data @ other.data, [(self, back_a), (other, back_b)])

    def relu(self):
        return Tensor(np.maximum(self.data, 0), [(self, lambda g: np.maximum(g, 0))])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros(node.data.shape)
        self.grad = np.ones(self.data.shape)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "gradients pile up from call to call"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data = np.asarray(data)
        self.grad = None
        self.sources = tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(
            self.data + other.data,
            [
                (self, lambda g: unbroadcast(g, self.data.shape)),
                (other, lambda g: unbroadcast(g, other.data.shape)),
            ],
        )

    def __matmul__(self, other):
        def back_a(grad):
            return matmul_backward(self.data, other.data, grad)[0]

        def back_b(grad):
            return matmul_backward(self.data, other.data, grad)[1]

        return Tensor(self.data @ other.data, [(self, back_a), (other, back_b)])

    def relu(self):
        return Tensor(np.maximum(self.data, 0), [(self, lambda g: g * (self.data > 0))])

    def backward(self):
        order = topological_order(self)
        for node in order:
            if node.grad is None:
                node.grad = np.zeros(node.data.shape)
        self.grad = np.ones(self.data.shape)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "relu writes into its input"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data = np.asarray(data)
        self.grad = None
        self.sources = tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(
            self.data + other.data,
            [
                (self, lambda g: unbroadcast(g, self.data.shape)),
                (other, lambda g: unbroadcast(g, other.data.shape)),
            ],
        )

    def __matmul__(self, other):
        def back_a(grad):
            return matmul_backward(self.data, other.data, grad)[0]

        def back_b(grad):
            return matmul_backward(self.data, other.data, grad)[1]

        return Tensor(self.data @ other.data, [(self, back_a), (other, back_b)])

    def relu(self):
        out = self.data
        out[out < 0] = 0
        return Tensor(out, [(self, lambda g: g * (self.data > 0))])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros(node.data.shape)
        self.grad = np.ones(self.data.shape)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "wrong": "a source's shape is looked up in the gradient's: zeros like data, whole numbers"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data = np.asarray(data)
        self.grad = None
        self.sources = tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        return Tensor(
            self.data + other.data,
            [
                (self, lambda g: unbroadcast(g, self.data.shape)),
                (other, lambda g: unbroadcast(g, self.data.shape)),
            ],
        )

    def __matmul__(self, other):
        def back_a(grad):
            return matmul_backward(self.data, other.data, grad)[0]

        def back_b(grad):
            return matmul_backward(self.data, other.data, grad)[1]

        return Tensor(self.data @ other.data, [(self, back_a), (other, back_b)])

    def relu(self):
        return Tensor(np.maximum(self.data, 0), [(self, lambda g: g * (self.data > 0))])

    def backward(self):
        order = topological_order(self)
        for node in order:
            node.grad = np.zeros(node.data.shape)
        self.grad = np.ones(self.data.shape)
        for node in reversed(order):
            for source, back in node.sources:
                source.grad = source.grad + back(node.grad)


# %% variant={"of": "2_8_Tensor", "right": "relu by where, gradients in a dictionary first"}
class Tensor:
    def __init__(self, data, sources=()):
        self.data = np.asarray(data)
        self.grad = None
        self.sources = tuple(sources)

    def cross_entropy(self, labels):
        loss, slope = softmax_cross_entropy(self.data, labels)
        return Tensor(loss, [(self, lambda grad: grad * slope)])

    def __add__(self, other):
        def back(x):
            return lambda grad: unbroadcast(grad, x.data.shape)

        return Tensor(self.data + other.data, [(x, back(x)) for x in (self, other)])

    def __matmul__(self, other):
        a, b = self.data, other.data
        return Tensor(a @ b, [(self, lambda g: g @ b.T), (other, lambda g: a.T @ g)])

    def relu(self):
        on = self.data > 0
        return Tensor(np.where(on, self.data, 0), [(self, lambda g: np.where(on, g, 0))])

    def backward(self):
        order = topological_order(self)
        grads = {id(node): np.zeros(node.data.shape) for node in order}
        grads[id(self)] = np.ones(self.data.shape)
        for node in order[::-1]:
            for source, back in node.sources:
                grads[id(source)] = grads[id(source)] + back(grads[id(node)])
        for node in order:
            node.grad = grads[id(node)]


# %% variant={"of": "2_9_fit_slope", "wrong": "cleared once, before the loop"}
def fit_slope(x, y, rate, steps):
    a, swings = 0.0, []
    grad = 0.0
    for _ in range(steps):
        error = a * x - y
        grad += np.mean(2 * error * x)
        a -= rate * grad
        swings.append(a)
        grad = grad * 0.9
    return swings


# %% variant={"of": "2_9_fit_slope", "wrong": "before each step"}
def fit_slope(x, y, rate, steps):
    a, swings = 0.0, []
    for _ in range(steps):
        swings.append(a)
        a -= rate * np.mean(2 * (a * x - y) * x)
    return swings


# %% variant={"of": "2_9_fit_slope", "wrong": "the last one only"}
def fit_slope(x, y, rate, steps):
    a = 0.0
    for _ in range(steps):
        a -= rate * np.mean(2 * (a * x - y) * x)
    return [a]


# %% variant={"of": "2_9_fit_slope", "wrong": "the sum in place of the mean"}
def fit_slope(x, y, rate, steps):
    a, swings = 0.0, []
    for _ in range(steps):
        a -= rate * np.sum(2 * (a * x - y) * x)
        swings.append(a)
    return swings


# %% variant={"of": "2_9_fit_slope", "wrong": "without the two"}
def fit_slope(x, y, rate, steps):
    a, swings = 0.0, []
    for _ in range(steps):
        a -= rate * np.mean((a * x - y) * x)
        swings.append(a)
    return swings


# %% variant={"of": "2_9_fit_slope", "right": "in closed form"}
def fit_slope(x, y, rate, steps):
    curve, target = np.mean(x * x), np.mean(x * y)
    a, motion = 0.0, []
    for _turn in range(steps):
        a = a - 2 * rate * (curve * a - target)
        motion.append(float(a))
    return motion


# %% variant={"of": "2_10_record", "wrong": "as it was, with def"}
def record(slopes):
    steps = []
    for local in slopes:

        def back(grad):
            return grad * local

        steps.append(back)
    return steps


# %% variant={"of": "2_10_record", "wrong": "a generator expression has the same memory"}
def record(slopes):
    return [lambda grad: grad * slopes[i] for i in range(len(slopes))]


# %% variant={"of": "2_10_record", "wrong": "slopes are read when called: the list may have changed"}
def record(slopes):
    def at(i):
        return lambda grad: grad * slopes[i]

    return [at(i) for i in range(len(slopes))]


# %% variant={"of": "2_10_record", "wrong": "a product of all so far"}
def record(slopes):
    steps, product = [], 1.0
    for local in slopes:
        product *= local
        steps.append(lambda grad, product=product: grad * product)
    return steps


# %% variant={"of": "2_10_record", "right": "partial"}
def record(slopes):
    import functools
    import operator

    return [functools.partial(operator.mul, local) for local in slopes]
