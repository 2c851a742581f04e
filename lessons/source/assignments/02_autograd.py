# %% [markdown]
# # Assignment 02 · Autograd
#
# Three exercises and a question on lesson 02. The operations are new ones, so no table of derivatives will help you; the chain rule will. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The checks are as in the lessons: run them as often as you like.

# %% tags=["drawn"]
LEAK = [0.05, 0.11, 0.17, 0.24, 0.3]
CAP = [1.5, 2.25, 2.75, 3.5, 4.25, 5.5]
TOP = [0.4, 0.55, 0.35, 0.6]
POWER = [3, 4, 5, 6, 7]
P, Q, R = [(2, 3, -1), (3, -2, 2), (-1, 2, 4), (2, -3, 5), (4, 1, -2), (-2, 5, 3)]

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

check = course.checks("assignment-02-SEED")
my = check.mine

# %% [markdown]
# ## 1 · An activation with two kinks
#
# The function *h* of this assignment lets small positive numbers through, leaks below zero and gives way at the top:
#
# | x | h(x) |
# |---|---|
# | below 0 | LEAK times x |
# | from 0 to CAP | x |
# | above CAP | CAP + TOP times (x - CAP) |
#
# At 0 and at CAP the slope is taken from the middle piece: 1.

# %% [markdown]
# ### Exercise 2.1: forward and backward (2 points)
#
# Write `kinked(x)`, the function itself on an array of any shape, and `kinked_backward(x, grad)`, which gives the gradient of the loss with respect to `x` where `grad` is its gradient with respect to `kinked(x)`. Leave both arguments as they are.


# %% nbgrader={"grade": false, "grade_id": "2_1_kinked", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kinked(x):
    """Apply h to each element."""
    ### BEGIN SOLUTION
    return np.where(x < 0, LEAK * x, np.where(x > CAP, CAP + TOP * (x - CAP), x))
    ### END SOLUTION


def kinked_backward(x, grad):
    """Return the gradient with respect to x; `grad` is the one with respect to kinked(x)."""
    ### BEGIN SOLUTION
    return grad * np.where(x < 0, LEAK, np.where(x > CAP, TOP, 1.0))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_1_kinked_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.1")
def _(kinked, kinked_backward):
    x = np.array([-2.0, -1.0, 0.0, 1.0, CAP, CAP + 1, CAP + 2])
    low, top, cap = LEAK, TOP, CAP
    with check.part("forward", points=1):
        check.close(
            kinked(x), [-2 * low, -low, 0, 1, cap, cap + top, cap + 2 * top],
            "Which of the three pieces is each number on? The pieces meet: there is no jump.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(21)
        many = rng.normal(size=(4, 3, 5)) * 2 * cap
        before = many.copy()
        want = [
            low * v if v < 0 else v if v <= cap else cap + top * (v - cap) for v in many.ravel()
        ]
        check.close(kinked(many), np.reshape(want, many.shape), "An array of three axes.")
        check.equal(many, before, "The array you were given has changed: work on a copy.")
        ### END HIDDEN TESTS
    with check.part("backward", points=1):
        check.close(
            kinked_backward(x, np.ones(7)), [low, low, 1, 1, 1, top, top],
            "With a gradient of 1 from above, what comes out is the slope at each x.",
        )  # fmt: skip
        check.close(
            kinked_backward(x, np.arange(7.0)), np.arange(7.0) * [low, low, 1, 1, 1, top, top],
            "The chain rule multiplies the slope with what comes from above.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        near = np.array([-0.01, 0.01, cap - 0.01, cap + 0.01])
        check.close(kinked_backward(near, np.ones(4)), [low, 1, 1, top], "Just beside the kinks.")
        rng = np.random.default_rng(22)
        at, up = rng.normal(size=(3, 6)) * 2 * cap, rng.normal(size=(3, 6))
        kept = up.copy()
        slopes = [low if v < 0 else 1.0 if v <= cap else top for v in at.ravel()]
        check.close(kinked_backward(at, up), up * np.reshape(slopes, at.shape), "Random inputs.")
        check.equal(up, kept, "The gradient you were given has changed: work on a copy.")
        ### END HIDDEN TESTS


# %% variant={"of": "2_1_kinked", "wrong": "the top piece starts from 0: a jump", "says": "no jump"}
def kinked(x):
    return np.where(x < 0, LEAK * x, np.where(x > CAP, TOP * x, x))


def kinked_backward(x, grad):
    return grad * np.where(x < 0, LEAK, np.where(x > CAP, TOP, 1.0))


# %% variant={"of": "2_1_kinked", "wrong": "backward forgets the gradient from above", "says": "from above"}
def kinked(x):
    return np.where(x < 0, LEAK * x, np.where(x > CAP, CAP + TOP * (x - CAP), x))


def kinked_backward(x, grad):
    return np.where(x < 0, LEAK, np.where(x > CAP, TOP, 1.0))


# %% variant={"of": "2_1_kinked", "wrong": "clipped at the top, as ReLU6 is"}
def kinked(x):
    return np.minimum(np.where(x < 0, LEAK * x, x), CAP)


def kinked_backward(x, grad):
    return grad * np.where(x < 0, LEAK, np.where(x > CAP, 0.0, 1.0))


# %% variant={"of": "2_1_kinked", "wrong": "the slope is that of h(x), not of x", "says": "slope"}
def kinked(x):
    return np.where(x < 0, LEAK * x, np.where(x > CAP, CAP + TOP * (x - CAP), x))


def kinked_backward(x, grad):
    return np.where(x < 0, LEAK * grad, np.where(x > CAP, CAP + TOP * (grad - CAP), grad))


# %% variant={"of": "2_1_kinked", "right": "three parts added up"}
def kinked(x):
    return LEAK * np.minimum(x, 0) + np.clip(x, 0, CAP) + TOP * np.maximum(x - CAP, 0)


def kinked_backward(x, grad):
    return LEAK * grad * (x < 0) + grad * ((x >= 0) & (x <= CAP)) + TOP * grad * (x > CAP)


# %% variant={"of": "2_1_kinked", "right": "np.piecewise and np.select"}
def kinked(x):
    x = np.asarray(x, float)
    return np.piecewise(
        x, [x < 0, x > CAP], [lambda v: LEAK * v, lambda v: CAP + TOP * (v - CAP), lambda v: v]
    )


def kinked_backward(x, grad):
    return np.select([x < 0, x > CAP], [LEAK * grad, TOP * grad], grad)


# %% [markdown] hints={"of": "2_1_kinked"}
# 1. Draw the three pieces. Where do they meet, and what is h there?
# 2. The slope of each piece is one number. What does the chain rule do with it and with `grad`?

# %%
line = np.linspace(-4, 2 * CAP, 400)
fig, ax = plt.subplots(figsize=(7, 2.8))
ax.plot(line, my.kinked(line), color=style.TERNARY, label="h(x)")
ax.plot(line, my.kinked_backward(line, np.ones(400)), color=style.ACCENT, label="its slope")
ax.set(title="A function with two kinks, and its slope", xlabel="x")
ax.legend()
plt.show()

# %% [markdown]
# ## 2 · The gradient of a norm
#
# The *POWER-norm* of a row $x$ of $n$ numbers, made independent of $n$, is
#
# $$m(x) = \Big(\frac1n\sum_i |x_i|^{p}\Big)^{1/p}, \qquad p = POWER.$$

# %% [markdown]
# ### Exercise 2.2: through a norm (3 points)
#
# `norm_backward(x, grad)` takes rows `x` of shape (rows, n), none of them all zeros, and `grad` of shape (rows,), the gradient of the loss with respect to each row's $m$. It returns the gradient with respect to `x`.


# %% nbgrader={"grade": false, "grade_id": "2_2_norm_backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def norm_backward(x, grad):
    """Return the gradient with respect to x of the loss, through the norm of each row."""
    ### BEGIN SOLUTION
    m = np.mean(np.abs(x) ** POWER, axis=1) ** (1 / POWER)
    slope = (np.abs(x) / m[:, None]) ** (POWER - 1) * np.sign(x) / x.shape[1]
    return grad[:, None] * slope
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_2_norm_backward_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.2")
def _(norm_backward):
    with check.part("by hand", points=1):
        check.close(
            norm_backward(np.array([[2.0, 2.0]]), np.array([1.0])), [[0.5, 0.5]],
            "Both numbers are 2 and so is m. Raise both a little: m rises as much, and each of "
            "them has half of that.",
        )  # fmt: skip
        check.close(
            norm_backward(np.array([[-3.0, 3.0, -3.0]]), np.array([6.0])), [[-2.0, 2.0, -2.0]],
            "m grows with the size of a number: where the number is negative, the slope is too.",
        )  # fmt: skip
    with check.part("by brute force", points=2):
        rng = np.random.default_rng(23)
        x, up = rng.normal(size=(3, 5)), rng.normal(size=3)
        p = POWER

        def loss(rows):
            total = 0.0
            for row, weight in zip(rows, up):
                total += weight * (sum(abs(v) ** p for v in row) / len(row)) ** (1 / p)
            return total

        want = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            step = np.zeros_like(x)
            step[place] = 1e-5
            want[place] = (loss(x + step) - loss(x - step)) / 2e-5
        check.close(
            norm_backward(x, up), want,
            f"Compared with central differences of the norm with p = {p}: is it the power p - 1, "
            "and what of the root, the mean, and the gradient from above?", rtol=1e-5, atol=1e-7,
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(
            norm_backward(np.array([[0.0, 4.0, 0.0, 0.0]]), np.array([1.0])),
            [[0.0, 0.25 ** (1 / p), 0.0, 0.0]], "A row with zeros in it: their slope is 0.",
        )  # fmt: skip
        check.close(
            norm_backward(1e-3 * x, up), want, "Rows a thousand times smaller: the slope is the same.",
            rtol=1e-4, atol=1e-7,
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "2_2_norm_backward", "wrong": "signs are lost", "says": "negative"}
def norm_backward(x, grad):
    m = np.mean(np.abs(x) ** POWER, axis=1) ** (1 / POWER)
    return grad[:, None] * (np.abs(x) / m[:, None]) ** (POWER - 1) / x.shape[1]


# %% variant={"of": "2_2_norm_backward", "wrong": "a sum for the mean: n is forgotten", "says": "half of that"}
def norm_backward(x, grad):
    m = np.mean(np.abs(x) ** POWER, axis=1) ** (1 / POWER)
    return grad[:, None] * (np.abs(x) / m[:, None]) ** (POWER - 1) * np.sign(x)


# %% variant={"of": "2_2_norm_backward", "wrong": "the power p in place of p - 1", "says": "p - 1"}
def norm_backward(x, grad):
    m = np.mean(np.abs(x) ** POWER, axis=1) ** (1 / POWER)
    return grad[:, None] * (np.abs(x) / m[:, None]) ** POWER * np.sign(x) / x.shape[1]


# %% variant={"of": "2_2_norm_backward", "wrong": "the gradient from above is left out"}
def norm_backward(x, grad):
    m = np.mean(np.abs(x) ** POWER, axis=1) ** (1 / POWER)
    return (np.abs(x) / m[:, None]) ** (POWER - 1) * np.sign(x) / x.shape[1]


# %% variant={"of": "2_2_norm_backward", "right": "step by step backwards"}
def norm_backward(x, grad):
    sizes = np.abs(x)
    mean = (sizes**POWER).mean(axis=1)
    d_mean = grad * mean ** (1 / POWER - 1) / POWER
    d_powers = np.repeat(d_mean[:, None], x.shape[1], axis=1) / x.shape[1]
    return d_powers * POWER * sizes ** (POWER - 1) * np.sign(x)


# %% variant={"of": "2_2_norm_backward", "right": "a row at a time"}
def norm_backward(x, grad):
    out = np.zeros(x.shape)
    for i, row in enumerate(x):
        m = (sum(abs(v) ** POWER for v in row) / len(row)) ** (1 / POWER)
        for j, v in enumerate(row):
            out[i, j] = grad[i] * (abs(v) / m) ** (POWER - 1) / len(row) * (1 if v > 0 else -1)
    return out


# %% [markdown] hints={"of": "2_2_norm_backward"}
# 1. Name the steps forwards: sizes, powers, mean, root. Each has a slope of its own.
# 2. The slope of the root of order p at y is y to the power 1/p - 1, divided by p. What is y to the power 1/p?

# %%
example = np.linspace(-2, 2, 9)[None]
fig, ax = plt.subplots(figsize=(7, 2.6))
ax.bar(example[0], my.norm_backward(example, np.ones(1))[0], width=0.3, color=style.TERNARY)
ax.set(title="Large numbers get nearly all of the gradient", xlabel="x", ylabel="gradient")
plt.show()

# %% [markdown]
# ## 3 · A tape
#
# An engine can do without objects. A **tape** is a list of steps; each makes one number from two earlier ones, or is an input:
#
# - `("input", value)`
# - `("add", i, j)`: the sum of what steps `i` and `j` made
# - `("mix", i, j)`: with $a$ and $b$ from steps `i` and `j`, the number $P\,ab + (Q)\,a + (R)\,b$
#
# `i` and `j` are places in the list, counted from 0, always earlier than the step, and may be the same. Several steps may use one number.

# %% [markdown]
# ### Exercise 2.3: run the tape, then run it backwards (3 points)
#
# `run_tape(tape)` returns the list of all numbers. `tape_gradients(tape)` returns a list as long: the derivative of the **last** number with respect to each.


# %% nbgrader={"grade": false, "grade_id": "2_3_tape", "locked": false, "schema_version": 3, "solution": true, "task": false}
def run_tape(tape):
    """Return the number that each step makes."""
    ### BEGIN SOLUTION
    made = []
    for step in tape:
        if step[0] == "input":
            made.append(step[1])
            continue
        a, b = made[step[1]], made[step[2]]
        made.append(a + b if step[0] == "add" else P * a * b + Q * a + R * b)
    return made
    ### END SOLUTION


def tape_gradients(tape):
    """Return the derivative of the last number with respect to each."""
    ### BEGIN SOLUTION
    made = run_tape(tape)
    grads = [0.0] * len(tape)
    grads[-1] = 1.0
    for place in reversed(range(len(tape))):
        if tape[place][0] == "input":
            continue
        kind, i, j = tape[place]
        left, right = (1, 1) if kind == "add" else (P * made[j] + Q, P * made[i] + R)
        grads[i] += left * grads[place]
        grads[j] += right * grads[place]
    return grads
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "2_3_tape_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("2.3")
def _(run_tape, tape_gradients):
    p, q, r = P, Q, R
    two = [("input", 2.0), ("input", 5.0), ("mix", 0, 1)]
    shared = [("input", 3.0), ("add", 0, 0), ("mix", 0, 1), ("add", 2, 0)]
    with check.part("forwards", points=1):
        check.close(run_tape(two), [2, 5, 10 * p + 2 * q + 5 * r], "The first of the two is a.")
        check.close(
            run_tape(shared), [3, 6, 18 * p + 3 * q + 6 * r, 18 * p + 3 * q + 6 * r + 3],
            "A number may be used again and again.",
        )  # fmt: skip
        check.close(run_tape([("input", 4.0)]), [4], "An input alone.")
    with check.part("backwards, each number used once", points=1):
        check.close(
            tape_gradients(two), [5 * p + q, 2 * p + r, 1],
            "The slope of the mix in a is that of its two terms that hold a.",
        )  # fmt: skip
        line = [("input", 1.0), ("input", -2.0), ("add", 0, 1), ("input", 4.0), ("mix", 3, 2)]
        check.close(
            tape_gradients(line), [4 * p + r, 4 * p + r, 4 * p + r, q - p, 1],
            "Through two steps: what the sum gets, it hands on to both of its numbers.",
        )  # fmt: skip
    with check.part("backwards, where paths meet", points=1):
        check.close(
            tape_gradients(shared), [12 * p + q + 2 * r + 1, 3 * p + r, 1, 1],
            "The first number reaches the last along several ways; what comes along each adds up.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        square = [("input", 3.0), ("mix", 0, 0)]
        check.close(
            tape_gradients(square), [6 * p + q + r, 1], "A step that uses the same number twice."
        )  # fmt: skip
        aside = [("input", 3.0), ("mix", 0, 0), ("input", 1.0), ("add", 2, 2)]
        check.close(tape_gradients(aside), [0, 0, 2, 1], "What the last number does not use has 0.")
        rng = np.random.default_rng(24)
        for _trial in range(5):
            tape = [("input", float(v)) for v in rng.normal(size=3) / 4]
            for place in range(3, 9):
                i, j = (int(n) for n in rng.integers(max(0, place - 4), place, 2))
                tape.append((str(rng.choice(["add", "mix"])), i, j))
            ahead = [[float(n == m) for m in range(9)] for n in range(9)]
            value = []
            for place, step in enumerate(tape):
                if step[0] == "input":
                    value.append(step[1])
                    continue
                a, b = value[step[1]], value[step[2]]
                da, db = ahead[step[1]], ahead[step[2]]
                mix = step[0] == "mix"
                value.append(p * a * b + q * a + r * b if mix else a + b)
                left, right = (p * b + q, p * a + r) if mix else (1, 1)
                ahead[place] = [left * x + right * y for x, y in zip(da, db)]
                ahead[place][place] = 1.0
            check.close(
                tape_gradients(tape)[:3], ahead[8][:3],
                "Compared with the derivatives carried forwards, on a random tape.",
            )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "2_3_tape", "wrong": "a gradient is overwritten, not added to", "says": "adds up"}
def run_tape(tape):
    made = []
    for step in tape:
        if step[0] == "input":
            made.append(step[1])
        else:
            a, b = made[step[1]], made[step[2]]
            made.append(a + b if step[0] == "add" else P * a * b + Q * a + R * b)
    return made


def tape_gradients(tape):
    made = run_tape(tape)
    grads = [0.0] * (len(tape) - 1) + [1.0]
    for place in reversed(range(len(tape))):
        if tape[place][0] != "input":
            kind, i, j = tape[place]
            left, right = (1, 1) if kind == "add" else (P * made[j] + Q, P * made[i] + R)
            grads[i] = left * grads[place]
            grads[j] = right * grads[place]
    return grads


# %% variant={"of": "2_3_tape", "wrong": "a and b change places in the slopes", "says": "two terms that hold a"}
def run_tape(tape):
    made = []
    for step in tape:
        if step[0] == "input":
            made.append(step[1])
        else:
            a, b = made[step[1]], made[step[2]]
            made.append(a + b if step[0] == "add" else P * a * b + Q * a + R * b)
    return made


def tape_gradients(tape):
    made = run_tape(tape)
    grads = [0.0] * (len(tape) - 1) + [1.0]
    for place in reversed(range(len(tape))):
        if tape[place][0] != "input":
            kind, i, j = tape[place]
            left, right = (1, 1) if kind == "add" else (P * made[i] + Q, P * made[j] + R)
            grads[i] += left * grads[place]
            grads[j] += right * grads[place]
    return grads


# %% variant={"of": "2_3_tape", "wrong": "the mix is taken for a plain product", "says": "The first of the two"}
def run_tape(tape):
    made = []
    for step in tape:
        if step[0] == "input":
            made.append(step[1])
        else:
            a, b = made[step[1]], made[step[2]]
            made.append(a + b if step[0] == "add" else a * b)
    return made


def tape_gradients(tape):
    made = run_tape(tape)
    grads = [0.0] * (len(tape) - 1) + [1.0]
    for place in reversed(range(len(tape))):
        if tape[place][0] != "input":
            kind, i, j = tape[place]
            left, right = (1, 1) if kind == "add" else (made[j], made[i])
            grads[i] += left * grads[place]
            grads[j] += right * grads[place]
    return grads


# %% variant={"of": "2_3_tape", "wrong": "the steps are walked forwards"}
def run_tape(tape):
    made = []
    for step in tape:
        if step[0] == "input":
            made.append(step[1])
        else:
            a, b = made[step[1]], made[step[2]]
            made.append(a + b if step[0] == "add" else P * a * b + Q * a + R * b)
    return made


def tape_gradients(tape):
    made = run_tape(tape)
    grads = [0.0] * (len(tape) - 1) + [1.0]
    for place, step in enumerate(tape):
        if step[0] != "input":
            kind, i, j = step
            left, right = (1, 1) if kind == "add" else (P * made[j] + Q, P * made[i] + R)
            grads[i] += left * grads[place]
            grads[j] += right * grads[place]
    return grads


# %% variant={"of": "2_3_tape", "right": "derivatives carried forwards, one input at a time"}
def run_tape(tape, start=None):
    made = []
    for place, step in enumerate(tape):
        if start is not None and place < len(start):
            made.append(start[place])
        elif step[0] == "input":
            made.append(step[1])
        else:
            a, b = made[step[1]], made[step[2]]
            made.append(a + b if step[0] == "add" else P * a * b + Q * a + R * b)
    return made


def tape_gradients(tape):
    made = run_tape(tape)
    found = []
    for source in range(len(tape)):
        tangent = []
        for place, step in enumerate(tape):
            if place == source:
                tangent.append(1.0)
            elif step[0] == "input" or place < source:
                tangent.append(0.0)
            elif step[0] == "add":
                tangent.append(tangent[step[1]] + tangent[step[2]])
            else:
                i, j = step[1], step[2]
                tangent.append((P * made[j] + Q) * tangent[i] + (P * made[i] + R) * tangent[j])
        found.append(tangent[-1])
    return found


# %% variant={"of": "2_3_tape", "right": "recursion over who uses a number"}
def run_tape(tape):
    made = []
    for step in tape:
        if step[0] == "input":
            made += [step[1]]
        elif step[0] == "add":
            made += [made[step[1]] + made[step[2]]]
        else:
            a, b = made[step[1]], made[step[2]]
            made += [a * (P * b + Q) + R * b]
    return made


def tape_gradients(tape):
    made = run_tape(tape)

    def of(place):
        total = 1.0 if place == len(tape) - 1 else 0.0
        for later in range(place + 1, len(tape)):
            if tape[later][0] == "input":
                continue
            kind, i, j = tape[later]
            if i == place:
                total += of(later) * (1 if kind == "add" else P * made[j] + Q)
            if j == place:
                total += of(later) * (1 if kind == "add" else P * made[i] + R)
        return total

    return [of(place) for place in range(len(tape))]


# %% [markdown] hints={"of": "2_3_tape"}
# 1. Which derivative do you know before you start, and in which order can the others be had?
# 2. A number that three steps use gets something from each of them. When is it complete?

# %%
tape = [("input", 0.5), ("input", -1.0), ("mix", 0, 1), ("add", 2, 0), ("mix", 3, 3)]
for step, value, grad in zip(tape, my.run_tape(tape), my.tape_gradients(tape)):
    print(f"{step!s:>18}   value {value:8.3f}   gradient {grad:8.3f}")

# %% [markdown] nbgrader={"grade": true, "grade_id": "2_4_checking", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 2.4: what a check can see (2 points, in words)
#
# Somebody checks `kinked_backward` by central differences with a step of 0.001, at 1,000 random places, and finds three of them badly wrong. Is the backward wrong? Say what those places have in common and how you would test so that only real mistakes are found. Then: would training have shown a backward that forgets the leak?
#
# ### BEGIN SOLUTION
# Probably not: at a place closer to a kink than the step, one of the two points lies on another piece, and the difference is a mix of two slopes. All three should lie within 0.001 of 0 or of the upper kink. Test away from the kinks (leave such places out, or choose a smaller step in float64 and look whether the places go away), and test the kinks themselves against the convention. Training would most likely go on: gradients only vanish for negative inputs, as in a plain ReLU, and a network learns with that; a falling loss does not prove a gradient.
# ### END SOLUTION

# %% [markdown] rubric={"of": "2_4_checking"}
# 1 point: the places lie within a step of a kink, where a difference mixes two slopes; says how to test apart from them. 1 point: training would go on all the same, so learning proves nothing about a gradient.

# %%
check.summary()
