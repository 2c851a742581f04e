# %% [markdown]
# # 04 · Straight through
#
# A ternary weight takes three values. Between them it jumps, and where it does not jump it is flat. Gradient descent needs a slope to walk down, and here there is none: the derivative of a staircase is zero on every step. By the book, a ternary network cannot be trained at all.
#
# Everybody trains them anyway, with a trick of one line that looks like a mistake. In this lesson you build the trick, watch through a microscope what it does to every single weight, and find out how wrong it may be before it stops working. The answer surprised us.
#
# You will be able to
#
# - measure the slope of a quantised loss, and say why it is no use;
# - write the straight-through estimator, plain and clipped, as an operation of the autograd engine;
# - count the only thing that changes a ternary network, the *flip*, and tell travelling weights from oscillating ones;
# - say what a learning rate means when only ratios count;
# - derive the gradients of a learned scale, LSQ's and TTQ's, and say which of them is exact;
# - recognise two famous straight-through bugs by their symptoms, and repair them.
#
# **What you need:** lesson 01 (trits, scales, absmean) and the idea of a backward pass from lesson 02. **Time:** 75 to 90 minutes. **Network:** none, and no GPU. The digits network at the centre of it trains in about a second.
#
# | exercise | | difficulty | points |
# |---|---|---|---|
# | 4.1 | measure the true slope | ● | 2 |
# | 4.2 | the straight-through estimator | ● | 2 |
# | 4.3 | a gate, and a way back | ●● | 2 |
# | 4.4 | count the flips | ● | 2 |
# | 4.5 | steps until a flip | ●● | 3 |
# | 4.6 | a detector of oscillations | ●● | 3 |
# | 4.7 | gradients of learned scales | ●●● | 4 |
# | 4.8 | museum: the runaways | ●● | 2 |
# | 4.9 | museum: the scale that was forgotten | ●●● | 3 |
# | 4.10 | in words | ●● | 3 |

# %% tags=["setup"]
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np

import tinyternary as tt
from tinyternary import course
from tinyternary.autograd import Function, cross_entropy
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})
MINUS, ZERO, PLUS = (style.TRIT_COLORS[trit] for trit in (-1, 0, 1))


def absmean(latent):
    """Lesson 01's rule: trits (int8) and the scale alpha = mean |latent|; delta = alpha / 2."""
    alpha = max(float(np.mean(np.abs(latent))), 1e-5)
    return np.clip(np.round(latent / alpha), -1, 1).astype(np.int8), alpha


check = course.checks("04_straight_through")
my = check.mine

# %% [markdown]
# The set-up gives you `absmean(latent)`, the rule you wrote in lesson 01, in its short form: one scale for the matrix. Your answers may call it.
#
# A word on words. The floats that the optimiser moves are the **latent** weights. What the forward pass sees are the **trits**, times their scale. The **threshold** $\delta$ lies at half the scale.
#
# ## 1 · The slope that is not there
#
# What is the slope of the loss with respect to one latent weight? Forget calculus and *measure* it: nudge the weight up by a small $h$, nudge it down by $h$, and compare,
#
# $$
# \text{slope}_i \approx \frac{L(w + h\,e_i) - L(w - h\,e_i)}{2h} .
# $$
#
# This is how lesson 02 checked gradients. It asks nothing of the function, not even that it has a derivative. So it is the honest instrument for a staircase.

# %% [markdown]
# ### Exercise 4.1: measure it (2 points)
#
# Write `measured_slope(loss, weights, step)`. `loss` is a function of an array, `weights` an array of floats of any shape. Return an array of the same shape: the central difference for each entry, with all other entries left where they are. The array you were given must be unchanged at the end.


# %% nbgrader={"grade": false, "grade_id": "4_1_measured_slope", "locked": false, "schema_version": 3, "solution": true, "task": false}
def measured_slope(loss, weights, step):
    """Central difference of loss(weights) for each entry of weights."""
    ### BEGIN SOLUTION
    slope = np.zeros(weights.shape)
    nudged = weights.copy()
    for place in np.ndindex(weights.shape):
        nudged[place] = weights[place] + step
        above = loss(nudged)
        nudged[place] = weights[place] - step
        slope[place] = (above - loss(nudged)) / (2 * step)
        nudged[place] = weights[place]
    return slope
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_1_measured_slope_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.1")
def _(measured_slope):
    def bowl(w):
        return float(np.sum(np.array([1.0, 2.0, 3.0]) * w**2))

    check.close(
        measured_slope(bowl, np.array([1.0, -1.0, 2.0]), 0.5), [2.0, -4.0, 12.0],
        "A bowl, sum of c w²: its slope is 2 c w. A central difference gets this exactly for any "
        "step: one nudge up, one down, divided by the distance between the two.",
    )  # fmt: skip

    def stairs(w):
        return float(np.sum(np.abs(w) > 0.5))

    check.equal(
        measured_slope(stairs, np.array([0.1, 0.9, -0.3]), 0.01), [0.0, 0.0, 0.0],
        "A staircase with its edges at ±0.5: none of these three comes near one.",
    )  # fmt: skip
    check.close(
        measured_slope(stairs, np.array([0.1, 0.495, -0.505]), 0.01), [0.0, 50.0, -50.0],
        "The last two lie within one step of an edge: the staircase rises by 1 between the two "
        "nudges, which are 0.02 apart.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(41)
    m = rng.normal(size=(3, 4))
    a = rng.normal(size=(3, 4))
    check.close(
        measured_slope(lambda w: float(np.sum(np.sin(w) * a)), m, 1e-4), np.cos(m) * a,
        "On a matrix: one slope for each entry, in the matrix's shape.", rtol=1e-5,
    )  # fmt: skip
    check.close(
        measured_slope(lambda w: float(w[0] * w[1]), np.array([3.0, 5.0]), 0.1), [5.0, 3.0],
        "L = a b: while you nudge a, b has to stay where it was, and a has to be put back before "
        "you nudge b.",
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "4_1_measured_slope", "wrong": "one-sided difference", "says": "one nudge up, one down"}
def measured_slope(loss, weights, step):
    slope = np.zeros(weights.shape)
    for place in np.ndindex(weights.shape):
        nudged = weights.copy()
        nudged[place] += step
        slope[place] = (loss(nudged) - loss(weights)) / step
    return slope


# %% variant={"of": "4_1_measured_slope", "wrong": "divides by the step, not by twice the step"}
def measured_slope(loss, weights, step):
    slope = np.zeros(weights.shape)
    for place in np.ndindex(weights.shape):
        up, down = weights.copy(), weights.copy()
        up[place] += step
        down[place] -= step
        slope[place] = (loss(up) - loss(down)) / step
    return slope


# %% variant={"of": "4_1_measured_slope", "wrong": "nudges all entries at once"}
def measured_slope(loss, weights, step):
    slope = (loss(weights + step) - loss(weights - step)) / (2 * step)
    return np.full(weights.shape, slope)


# %% variant={"of": "4_1_measured_slope", "wrong": "does not put the entry back", "says": "nudge"}
def measured_slope(loss, weights, step):
    slope = np.zeros(weights.shape)
    nudged = weights.copy()
    for place in np.ndindex(weights.shape):
        nudged[place] += step
        above = loss(nudged)
        nudged[place] -= 2 * step
        slope[place] = (above - loss(nudged)) / (2 * step)
    return slope


# %% variant={"of": "4_1_measured_slope", "wrong": "nudges the array it was given", "says": "work on a copy"}
def measured_slope(loss, weights, step):
    slope = np.zeros(weights.shape)
    for place in np.ndindex(weights.shape):
        before = weights[place]
        weights[place] = before + step
        above = loss(weights)
        weights[place] = before - step
        slope[place] = (above - loss(weights)) / (2 * step)
        weights[place] = before
    weights += 1e-9
    return slope


# %% variant={"of": "4_1_measured_slope", "right": "rows of an identity matrix as nudges"}
def measured_slope(loss, weights, step):
    nudges = step * np.eye(weights.size).reshape(weights.size, *weights.shape)
    rises = [loss(weights + nudge) - loss(weights - nudge) for nudge in nudges]
    return np.array(rises).reshape(weights.shape) / (2 * step)


# %% variant={"of": "4_1_measured_slope", "right": "in place, and put back"}
def measured_slope(loss, weights, step):
    slope = np.empty(weights.shape)
    for place, value in np.ndenumerate(weights):
        weights[place] = value + step
        slope[place] = loss(weights)
        weights[place] = value - step
        slope[place] -= loss(weights)
        weights[place] = value
    return slope / step / 2


# %% [markdown] hints={"of": "4_1_measured_slope"}
# 1. How many times do you have to call `loss` for each entry? (Not once.)
# 2. `np.ndindex(weights.shape)` runs through the places of an array of any shape; an array takes such a place as an index.
# 3. Work on a copy, change one entry, call, change it the other way, call, put it back.

# %% [markdown]
# Now point it at a network. Here is the digit classifier of lesson 01 again, ten rows of 64 weights, in four fresh initialisations. Its weights pass through a staircase with a fixed threshold and a fixed scale before the loss sees them.
#
# **Predict, then run.** Of the 2560 weights, how many percent show a slope that is not zero, measured with a step of 0.001? (The latent weights are normal with standard deviation 0.1; the edges lie at ±0.05.)

# %%
my_guess = None  # percent of the weights with a slope that is not 0

from sklearn.datasets import load_digits

digits, labels = load_digits(return_X_y=True)
digits = (digits / 16).astype(np.float32)
some, their = digits[:150], labels[:150]


def linear_loss(weights):
    """Cross-entropy of a linear classifier on 150 digits."""
    scores = some @ weights.T
    scores = scores - scores.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(150), their]))


def staircase_loss(latent):
    """The same, seen through trits: threshold 0.05, scale 0.1."""
    return linear_loss(0.1 * np.sign(latent) * (np.abs(latent) > 0.05))


fresh_four = np.random.default_rng(0).normal(0, 0.1, size=(4, 10, 64))
steps = (0.001, 0.003, 0.01, 0.03)
slopes = {h: np.array([my.measured_slope(staircase_loss, W, h) for W in fresh_four]) for h in steps}
with_slope = 100 * np.mean(slopes[0.001] != 0)
check.predicted(my_guess, float(with_slope), within=2, unit=" %",
                comment="The others could be nudged all day: the loss does not move at all.")  # fmt: skip

# %% jupyter={"source_hidden": true}
place = (3, 29)
line = np.linspace(-0.16, 0.16, 321)


def along(loss):
    moved = fresh_four[0].copy()
    values = []
    for value in line:
        moved[place] = value
        values.append(loss(moved))
    return np.array(values)


smooth, stairs = along(linear_loss), along(staircase_loss)
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.5), width_ratios=(1, 1.15))
left.plot(line, smooth - smooth.mean() + stairs.mean(), color=style.FLOAT, label="float weight")
left.plot(line, stairs, color=style.TERNARY, label="through trits")
for edge in (-0.05, 0.05):
    left.axvline(edge, color=style.MUTED, linestyle=":", linewidth=1)
left.set(
    xlabel="one latent weight (dotted: ±δ)",
    ylabel="loss (float: shifted)",
    title="A hill turned into stairs",
)
left.legend(fontsize=9)

shares = [100 * np.mean(slopes[h] != 0) for h in steps]
sizes = [np.abs(slopes[h][slopes[h] != 0]).mean() for h in steps]
right.plot(steps, shares, "o-", color=style.TERNARY)
right.set(
    xscale="log", yscale="log", xlabel="step h", title="Smaller steps: fewer slopes, and steeper"
)
right.set_ylabel("weights with a slope, %", color=style.TERNARY)
other = right.twinx()
other.plot(steps, sizes, "o-", color=style.ACCENT)
other.set(yscale="log")
other.set_ylabel("their mean |slope|", color=style.ACCENT)
other.spines["right"].set_visible(True)
plt.show()

# %% [markdown]
# Shrink the step by ten and about a tenth as many weights have a slope, each of them about ten times as steep. Take the limit and you have it: **the true slope is zero everywhere, except on a set of measure zero, where it is infinite.** Gradient descent with the true gradient does not fail loudly. It just does nothing.
#
# (A few weights stay flat even on an edge: they look at pixels at the rim that are blank in every digit.)
#
# ## 2 · As if nothing had happened
#
# The way out was proposed by Geoffrey Hinton in a lecture in 2012, and written up by Yoshua Bengio and colleagues a year later. It fits in one sentence: **round on the way forward, and on the way back pretend that you did not.**
#
# $$
# \text{forward:}\quad \hat w = \alpha\, t(w) \qquad\qquad \text{backward:}\quad \frac{\partial L}{\partial w} := \frac{\partial L}{\partial \hat w}
# $$
#
# It is called the **straight-through estimator**, STE for short. Note where the right-hand side is evaluated: at the *rounded* weights. It is the honest gradient of the loss with respect to the weights that the network really used. What is dishonest is only whom it is handed to.
#
# In an autograd engine this is an operation like any other, with a forward and a backward that do not belong together. That is all it takes.

# %% [markdown]
# ### Exercise 4.2: straight through (2 points)
#
# Write the class `StraightThrough`, an operation of the library's engine: a `Function` has two static methods, `forward(ctx, latent)` on plain arrays, and `backward(ctx, grad)`, which turns the gradient of the result into the gradient of the input. `StraightThrough.apply(tensor)` then runs it and records it.
#
# Forward: the fake-quantised weights $\alpha t$ by `absmean`. Backward: straight through.


# %% nbgrader={"grade": false, "grade_id": "4_2_StraightThrough", "locked": false, "schema_version": 3, "solution": true, "task": false}
class StraightThrough(Function):
    """Forward: alpha * trits by absmean. Backward: as if it were the identity."""

    @staticmethod
    def forward(ctx, latent):
        ### BEGIN SOLUTION
        trits, alpha = absmean(latent)
        return (alpha * trits).astype(latent.dtype)
        ### END SOLUTION

    @staticmethod
    def backward(ctx, grad):
        ### BEGIN SOLUTION
        return grad
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_2_StraightThrough_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.2", allow=("tinyternary.autograd",))
def _(StraightThrough):
    check.true(
        hasattr(StraightThrough, "apply"),
        "`StraightThrough` should be a class that inherits from Function: "
        "`class StraightThrough(Function):`.",
    )
    values = np.array([[0.9, -0.1, 0.2, -1.2]])
    latent = tt.Tensor(values.copy(), requires_grad=True)
    seen = StraightThrough.apply(latent)
    check.close(
        seen.data, [[0.6, 0.0, 0.0, -0.6]],
        "Forward: the mean of |w| is 0.6, the trits are 1, 0, 0, -1, and the network sees alpha "
        "times them.",
    )  # fmt: skip
    seen.backward(np.array([[1.0, 2.0, 3.0, 4.0]]))
    check.true(latent.grad is not None, "No gradient came back to the latent weights.")
    check.close(
        latent.grad, [[1.0, 2.0, 3.0, 4.0]],
        "Backward: what arrives goes through unchanged, for every weight: those of trit 0 too, "
        "and without alpha.",
    )  # fmt: skip
    check.equal(latent.data, values, "The latent weights must not change: round a copy.")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(42)
    big = rng.normal(size=(6, 9)) * 3
    latent = tt.Tensor(big, requires_grad=True)
    seen = StraightThrough.apply(latent)
    trits, alpha = absmean(big)
    check.close(seen.data, alpha * trits, "On a random matrix, forward.")
    (seen * seen).sum().backward()
    check.close(
        latent.grad, 2 * alpha * trits,
        "L = sum of ŵ²: the gradient is 2 ŵ, taken at the rounded weights.",
    )  # fmt: skip
    with np.errstate(invalid="ignore"):
        flat = StraightThrough.apply(tt.Tensor(np.zeros((2, 3)))).data
    check.equal(
        flat, np.zeros((2, 3)),
        "Weights that are all 0 stay 0. Their mean is 0 too: absmean never divides by less than "
        "its floor.",
    )  # fmt: skip
    tensor = tt.Tensor(big.astype(np.float32), requires_grad=True)
    check.true(
        StraightThrough.apply(tensor).data.dtype == np.float32,
        "float32 latent weights should give float32 weights, or the whole network grows to "
        "float64 behind them.",
    )
    ### END HIDDEN TESTS


# %% variant={"of": "4_2_StraightThrough", "wrong": "the true derivative: zero", "says": "unchanged"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        trits, alpha = absmean(latent)
        return (alpha * trits).astype(latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        return np.zeros_like(grad)


# %% variant={"of": "4_2_StraightThrough", "wrong": "the product rule: times alpha", "says": "without alpha"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        trits, alpha = absmean(latent)
        ctx.save(alpha)
        return (alpha * trits).astype(latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved[0]


# %% variant={"of": "4_2_StraightThrough", "wrong": "only through trits that are not 0", "says": "trit 0 too"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        trits, alpha = absmean(latent)
        ctx.save(trits)
        return (alpha * trits).astype(latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad * np.abs(ctx.saved[0])


# %% variant={"of": "4_2_StraightThrough", "wrong": "forgets the scale", "says": "alpha"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        return absmean(latent)[0].astype(latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad


# %% variant={"of": "4_2_StraightThrough", "wrong": "does not round at all: the float network"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        return latent.copy()

    @staticmethod
    def backward(ctx, grad):
        return grad


# %% variant={"of": "4_2_StraightThrough", "right": "by the threshold, and a copy of the gradient"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        alpha = np.abs(latent).mean()
        return np.sign(latent) * (np.abs(latent) > alpha / 2) * alpha

    @staticmethod
    def backward(ctx, grad):
        return grad.copy()


# %% variant={"of": "4_2_StraightThrough", "right": "times one"}
class StraightThrough(Function):
    @staticmethod
    def forward(ctx, latent):
        trits, alpha = absmean(latent)
        ctx.save(np.ones_like(latent))
        return np.asarray(trits * alpha, dtype=latent.dtype)

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.saved[0]


# %% [markdown] hints={"of": "4_2_StraightThrough"}
# 1. `absmean` gives you two things. What does the network multiply its inputs with?
# 2. The backward of the identity function: what comes in, what goes out?
# 3. An int8 array times a Python float is float64. `.astype(latent.dtype)` keeps the type of what came in.

# %% [markdown]
# Does it learn? Here is a network for the digits: 64 pixels, 128 hidden units, ten outputs, both weight matrices ternary, only the biases float. The trainer is plain gradient descent with a cosine schedule. Read it: there is nothing about ternary weights in it except the word `through`.

# %%
tt.set_threads(1)  # these matrices are small: sharing them out takes longer than the work
HIDDEN, EPOCHS, BATCHES = 128, 20, 20
WEIGHTS = (0, 2)  # which of the four parameters are weight matrices


def split(seed):
    order = np.random.default_rng(seed).permutation(len(labels))
    return order[:1297], order[1297:]  # train, test


def start(seed, size=1.0):
    """W1, b1, W2, b2 of a fresh network; `size` multiplies the usual initialisation."""
    rng = np.random.default_rng([seed, 1])
    values = (
        rng.normal(0, size / np.sqrt(64), (HIDDEN, 64)), np.zeros(HIDDEN),
        rng.normal(0, size / np.sqrt(HIDDEN), (10, HIDDEN)), np.zeros(10),
    )  # fmt: skip
    return [tt.Tensor(v.astype(np.float32), requires_grad=True) for v in values]


def scores(images, network, through):
    W1, b1, W2, b2 = network
    hidden = (tt.Tensor(images) @ through(W1).T + b1).relu()
    return hidden @ through(W2).T + b2


def accuracy(network, through, rows):
    with tt.no_grad():
        found = scores(digits[rows], network, through).data
    return 100 * np.mean(found.argmax(axis=1) == labels[rows])


def train(seed, through, lr=1.0, weight_lr=None, size=1.0, slopes=None, cosine=True, watch=None):
    """Train on split `seed`; return the network and its test accuracy after each epoch.

    slopes: for each weight matrix an array that its gradient is multiplied with.
    watch: called with the network after every step.
    """
    rows, test = split(seed)
    network = start(seed, size)
    rng = np.random.default_rng([seed, 2])
    curve = []
    for epoch in range(EPOCHS):
        for turn, batch in enumerate(np.array_split(rng.permutation(rows), BATCHES)):
            cross_entropy(scores(digits[batch], network, through), labels[batch]).backward()
            done = (epoch * BATCHES + turn) / (EPOCHS * BATCHES)
            fade = (1 + np.cos(np.pi * done)) / 2 if cosine else 1.0
            for place, parameter in enumerate(network):
                gradient, parameter.grad = parameter.grad, None
                rate = lr if place not in WEIGHTS or weight_lr is None else weight_lr
                if gradient is not None and place in WEIGHTS and slopes is not None:
                    gradient = gradient * slopes[place]
                if gradient is not None:
                    parameter.data[...] -= np.float32(rate * fade) * gradient
            if watch is not None:
                watch(network)
        curve.append(accuracy(network, through, test))
    return network, np.array(curve)


# %% [markdown]
# **Predict, then run.** Three networks from the same start: one float, one ternary with the straight-through gradient, one ternary with the *true* gradient, which is zero for both weight matrices, so that only its 138 biases learn. The float one ends at about 97 % of the test digits. Where does the straight-through one end?

# %%
my_guess = None  # percent of the test digits right, straight-through


def as_float(latent):
    return latent


def true_gradient(latent):
    trits, alpha = absmean(latent.data)
    return tt.Tensor((alpha * trits).astype(np.float32))  # a constant: nothing flows back


kinds = {"float": (as_float, 0.5), "straight-through": (my.StraightThrough.apply, 1.0),
         "true gradient": (true_gradient, 1.0)}  # fmt: skip
curves = {name: np.array([train(seed, through, lr)[1] for seed in range(3)])
          for name, (through, lr) in kinds.items()}  # fmt: skip
check.predicted(my_guess, float(curves["straight-through"][:, -1].mean()), within=2, unit=" %",
                comment="Mean of three splits. A wrong gradient, and hardly anything is lost.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8, 3.5))
epochs = np.arange(1, EPOCHS + 1)
for (name, three), color in zip(curves.items(), (style.FLOAT, style.TERNARY, style.ACCENT)):
    axes.plot(epochs, three.mean(axis=0), color=color)
    axes.fill_between(
        epochs, three.min(axis=0), three.max(axis=0), color=color, alpha=0.2, linewidth=0
    )
    high = name == "straight-through"
    axes.text(20.3, three[:, -1].mean() - (3.5 if high else -2 if name == "float" else 0),
              f"{name}  {three[:, -1].mean():.1f} %", color=color, va="center", fontsize=9.5)  # fmt: skip
axes.set(xlabel="epoch", ylabel="test accuracy, %", xlim=(1, 27), ylim=(0, 105), xticks=(1, 5, 10, 15, 20),
         title="The wrong gradient learns, the right one does not")  # fmt: skip
style.grid_behind(axes)
plt.show()

# %% [markdown]
# How can that be? One answer: nobody takes infinitesimal steps. Let us take real ones, of different lengths, away from a fresh network: along the straight-through gradient, and along a random direction for comparison. The loss on the vertical axis is the true one, stairs and all.


# %% jupyter={"source_hidden": true}
def descent(network, directions, lengths, rows):
    """True loss after a step of each length along each direction."""
    kept = [network[place].data.copy() for place in WEIGHTS]
    found = {}
    for name, direction in directions.items():
        norm = np.sqrt(sum(np.sum(d**2) for d in direction))
        losses = []
        for length in lengths:
            for place, before, d in zip(WEIGHTS, kept, direction):
                network[place].data[...] = before - length * d / norm
            with tt.no_grad():
                now = scores(digits[rows], network, my.StraightThrough.apply)
                losses.append(float(cross_entropy(now, labels[rows]).data))
        found[name] = np.array(losses)
    for place, before in zip(WEIGHTS, kept):
        network[place].data[...] = before
    return found


fresh = start(0)
rows = split(0)[0][:600]
cross_entropy(scores(digits[rows], fresh, my.StraightThrough.apply), labels[rows]).backward()
gradient = [fresh[place].grad for place in WEIGHTS]
rng = np.random.default_rng(7)
slopes_drawn = [rng.lognormal(0, 1, g.shape) for g in gradient]
lengths = np.geomspace(1e-4, 3, 60)
falls = descent(fresh, {
    "straight-through": gradient,
    "a random direction": [rng.normal(size=g.shape) for g in gradient],
}, lengths, rows)  # fmt: skip

figure, axes = plt.subplots(figsize=(8, 3.3))
for (name, losses), color in zip(falls.items(), (style.TERNARY, style.MUTED)):
    axes.plot(lengths, losses, color=color, label=name)
axes.set(xscale="log", xlabel="length of the step (all latent weights together)", ylabel="true loss after it",
         title="No slope under your feet, a valley in front of you")  # fmt: skip
axes.legend(fontsize=9)
style.grid_behind(axes)
plt.show()

# %% [markdown]
# Near the ground the curve is a staircase with tiny steps. From a distance it is a slope, and the straight-through gradient points down it. The reason is that there are thousands of stairs: an inch forward along the direction in which every weight *wants* to go pushes some of them over an edge, and most of those that go over go the right way.
#
# Notice what that argument needs: that each weight is pushed to the correct **side**. It does not need the correct *strength*. So let us be rude to the strengths. Give each weight a positive number of its own, drawn once at the start from a log-normal distribution, and multiply its gradient with it in every step, for the whole training. The draws spread widely: one weight in twenty gets more than five times the gradient it should, and one in twenty less than a fifth.
#
# **Predict, then run.** By how many points of accuracy does this fall behind the identity (a positive number if it is worse)? As a yardstick: with random *signs* in place of random strengths the network ends below 60 %.

# %%
my_guess = None  # points lost by random positive slopes


def drawn(seed, draw):
    rng = np.random.default_rng([seed, 3])
    return {0: draw(rng, (HIDDEN, 64)), 2: draw(rng, (10, HIDDEN))}


families = {
    "slope 1": None,
    "uniform in 0..2": lambda rng, shape: rng.uniform(0, 2, shape).astype(np.float32),
    "log-normal": lambda rng, shape: rng.lognormal(0, 1, shape).astype(np.float32),
    "random signs": lambda rng, shape: rng.choice([-1, 1], shape).astype(np.float32),
}
ends = {
    name: np.array([
        train(seed, my.StraightThrough.apply, slopes=None if draw is None else drawn(seed, draw))[1][-1]
        for seed in range(5)
    ])
    for name, draw in families.items()
}  # fmt: skip
check.predicted(my_guess, float(np.mean(ends["slope 1"] - ends["log-normal"])), within=1, unit=" points",
                comment="Five splits. Here strengths hardly matter; signs are everything.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8, 2.8))
colors = (style.TERNARY, style.TERNARY, style.TERNARY, style.ACCENT)
for place, ((name, found), color) in enumerate(zip(ends.items(), colors)):
    axes.scatter(found, np.full(found.size, place), color=color, s=28, alpha=0.8)
    axes.plot([found.mean()] * 2, [place - 0.3, place + 0.3], color=color, linewidth=2.5)
    right = name != "random signs"
    axes.text(found.min() - 1.5 if right else found.max() + 2, place, f"{found.mean():.1f} %",
              ha="right" if right else "left", va="center", fontsize=9)  # fmt: skip
axes.set(yticks=range(4), yticklabels=list(ends), ylim=(3.6, -0.6), xlim=(25, 100),
         xlabel="test accuracy, % (five splits)", title="In this network any positive slope will do")  # fmt: skip
style.grid_behind(axes, "x")
plt.show()

# %% [markdown]
# A lesson for your own work hides in this figure. *It trains well* says next to nothing about whether a surrogate gradient is a good one: ones, uniform draws and log-normal draws cannot be told apart here. Remember it when somebody proposes a better curve.
#
# It is no law, though. What you saw is one small network whose scale follows its weights (absmean). Give it a constant scale that is too small, $1/\sqrt K$, and strengths begin to matter: over ten splits the log-normal ones cost it two to three points. Where a claim holds is part of the claim: when you meet one, ask what was varied.
#
# ## 3 · Beyond the limit
#
# The identity lets every gradient through, also that of a weight which is already +1 and is told, step after step, to grow further. Its latent weight obeys. It wanders off, far beyond anything that matters, and should the network ever want this weight back, it has to walk all the way home first.
#
# The classic remedy is the **clipped** estimator: rounding $\operatorname{clip}(w, -c, c)$ is flat beyond $\pm c$, so let the gradient be zero there, and pass it within. Binary networks were trained this way in 2016; their authors found that leaving the clip out made results clearly worse.
#
# But a gate that closes can lock somebody out. A weight beyond the limit gets no gradient at all, *neither outwards nor inwards*. There is a gentler gate: beyond the limit, let a gradient pass if the descent step would bring the weight back.

# %% [markdown]
# ### Exercise 4.3: a gate, and a way back (2 points)
#
# Write `gate(grad, latent, limit, way_back=False)`: the gradient that reaches the latent weights, an array of their shape.
#
# - Where $|w| \le$ `limit`, `grad` passes unchanged.
# - Beyond, it is 0; except that with `way_back=True` it passes if the step $w - \eta\,\text{grad}$ (with a small $\eta > 0$) brings the weight closer to zero.


# %% nbgrader={"grade": false, "grade_id": "4_3_gate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gate(grad, latent, limit, way_back=False):
    """Gradient of a clipped straight-through estimator, with or without a way back."""
    ### BEGIN SOLUTION
    open_ = np.abs(latent) <= limit
    if way_back:
        open_ = open_ | (grad * latent > 0)  # the step goes against the weight's own sign
    return np.where(open_, grad, 0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_3_gate_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.3")
def _(gate):
    grad = np.array([0.1, -0.2, 0.3, -0.4, 0.5, -0.6])
    latent = np.array([0.0, 0.4, 1.0, -1.0, 1.5, -1.5])
    with check.part("the clip", points=1):
        check.close(
            gate(grad, latent, 1.0), [0.1, -0.2, 0.3, -0.4, 0.0, 0.0],
            "The last two latent weights, ±1.5, lie beyond the limit. A weight exactly at the limit "
            "still gets its gradient. The limit concerns the weight, not the gradient.",
        )  # fmt: skip
        check.close(
            gate(grad, latent, 0.25), [0.1, 0, 0, 0, 0, 0],
            "With the limit at 0.25 only the first weight is within.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(43)
        g, w = rng.normal(size=(5, 6)), rng.normal(size=(5, 6)) * 2
        check.close(gate(g, w, 1.2), g * (np.abs(w) <= 1.2), "On a random matrix.")
        check.close(gate(g, w, np.inf), g, "With an infinite limit the gate is always open.")
        ### END HIDDEN TESTS
    with check.part("a way back", points=1):
        check.close(
            gate(np.array([0.5, -0.5, 0.5, -0.5]), np.array([1.5, 1.5, -1.5, -1.5]), 1.0, way_back=True),
            [0.5, 0.0, 0.0, -0.5],
            "Descent subtracts the gradient. A weight of +1.5 comes closer to zero if its gradient "
            "is positive, one of -1.5 if it is negative.",
        )  # fmt: skip
        check.close(
            gate(np.array([0.5, -0.5]), np.array([0.2, -0.9]), 1.0, way_back=True), [0.5, -0.5],
            "Within the limit everything passes, whatever its direction.",
        )  # fmt: skip
        check.close(
            gate(np.array([4.0]), np.array([1.5]), 1.0, way_back=True),
            [4.0],
            "A strong gradient inwards passes as well: it is the direction of the step that counts, "
            "for a small step, not where a step of length 1 would land.",
        )
        check.close(
            gate(np.array([-0.5, 0.5]), np.array([0.2, -0.9]), 1.0, way_back=True), [-0.5, 0.5],
            "Within the limit everything passes, outward gradients as well.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        inward = np.abs(w - 1e-9 * g) < np.abs(w)
        check.close(
            gate(g, w, 1.2, way_back=True), g * ((np.abs(w) <= 1.2) | inward), "On a random matrix.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "4_3_gate", "wrong": "clips the gradient, not by the weight", "says": "not the gradient"}
def gate(grad, latent, limit, way_back=False):
    return np.clip(grad, -limit, limit)


# %% variant={"of": "4_3_gate", "wrong": "closed at the limit itself", "says": "exactly at the limit"}
def gate(grad, latent, limit, way_back=False):
    inside = np.abs(latent) < limit
    if way_back:
        inside = inside | (grad * latent > 0)
    return grad * inside


# %% variant={"of": "4_3_gate", "wrong": "the way back leads outwards: the sign of descent", "says": "Descent subtracts"}
def gate(grad, latent, limit, way_back=False):
    inside = np.abs(latent) <= limit
    if way_back:
        inside = inside | (grad * latent < 0)
    return grad * inside


# %% variant={"of": "4_3_gate", "wrong": "way_back alone decides, within the limit too", "says": "Within the limit"}
def gate(grad, latent, limit, way_back=False):
    if way_back:
        return grad * (grad * latent > 0)
    return grad * (np.abs(latent) <= limit)


# %% variant={"of": "4_3_gate", "wrong": "only the positive side is clipped"}
def gate(grad, latent, limit, way_back=False):
    inside = latent <= limit
    if way_back:
        inside = inside | (grad > 0)
    return grad * inside


# %% variant={"of": "4_3_gate", "wrong": "a way back for everybody: never closes", "says": "Descent subtracts"}
def gate(grad, latent, limit, way_back=False):
    return grad.copy() if way_back else grad * (np.abs(latent) <= limit)


# %% variant={"of": "4_3_gate", "right": "by signs"}
def gate(grad, latent, limit, way_back=False):
    result = grad.copy()
    beyond = np.abs(latent) > limit
    if way_back:
        beyond &= np.sign(grad) != np.sign(latent)
    result[beyond] = 0
    return result


# %% variant={"of": "4_3_gate", "right": "by trying the step"}
def gate(grad, latent, limit, way_back=False):
    within = (latent <= limit) & (latent >= -limit)
    if not way_back:
        return grad * within
    comes_back = np.where(latent > 0, grad > 0, grad < 0)
    return grad * (within | comes_back)


# %% [markdown] hints={"of": "4_3_gate"}
# 1. A mask is an array of True and False; an array times a mask is 0 where it is False.
# 2. A weight of +2 with a gradient of +1: does the descent step take it towards zero, or away?
# 3. Look at the product of a weight and its gradient. What does its sign tell you?

# %% [markdown]
# One weight, three gates. It is pushed upwards for 100 steps (its target lies at +1.5, out of a trit's reach). Then the world changes and wants -1.5.
#
# **Predict, then run.** One of the three never comes back. Which: `"identity"`, `"clipped"` or `"way back"`?

# %%
my_guess = None  # "identity", "clipped" or "way back"

rules = {"identity": (np.inf, False), "clipped": (1.0, False), "way back": (1.0, True)}
paths = {}
for name, (limit, way_back) in rules.items():
    w = np.array([0.21])
    path = []
    for step in range(160):
        path.append(w[0])
        trit = np.clip(np.round(w), -1, 1)  # threshold 0.5, scale 1
        grad = trit - (1.5 if step < 100 else -1.5)  # of (trit - target)² / 2
        w = w - 0.05 * my.gate(grad, w, limit, way_back)
    paths[name] = np.array(path)
stuck = [name for name, path in paths.items() if path[-1] > 0.5]
check.predicted(my_guess, stuck[0],
                comment="It stepped over the limit once, and no gradient has reached it since.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8.5, 3.5))
axes.axvspan(100, 160, color=style.GRID, alpha=0.6, linewidth=0)
for edge in (-0.5, 0.5):
    axes.axhline(edge, color=style.MUTED, linestyle=":", linewidth=1)
axes.axhline(1, color=style.MUTED, linewidth=0.8)
axes.text(1, 1.07, "limit", fontsize=8.5, color=style.MUTED)
axes.text(1, -0.43, "dotted: ±δ", fontsize=8.5, color=style.MUTED)
for (name, path), color in zip(paths.items(), ("#8a5fb0", style.ACCENT, style.TERNARY)):
    axes.plot(path, color=color, label=name)
axes.text(102, 3.3, "target now -1.5", fontsize=9, color=style.MUTED)
axes.set(xlabel="step", ylabel="latent weight", xlim=(0, 160), ylim=(-2.3, 3.7),
         title="Far away, locked out, or at hand")  # fmt: skip
axes.legend(fontsize=9, loc="lower center")
plt.show()
for name, path in paths.items():
    late = np.flatnonzero(path[100:] < -0.5)
    print(f"{name:<9} at {path[100]:5.2f} when the world changes, "
          + (f"trit -1 after {late[0]} steps" if late.size else "trit +1 for ever"))  # fmt: skip

# %% [markdown]
# Weights that are locked out are called **dead**. In practice three things help: weight decay, which pulls at every weight whether the gate is open or not; a scale that grows, so that the limit moves outwards past them; or never letting them out in the first place, by clipping the latent weights themselves after each update. BinaryConnect, the ancestor of all this, did the last.
#
# And absmean with the identity, as in BitNet? It has no clip, and gets away with it, because its threshold is half the mean of all $|w|$: when the weights wander off together, the threshold follows. That will be the subject of section 5.
#
# ## 4 · The microscope
#
# Now we look closer. A training step changes thousands of latent floats, by tiny amounts. The network sees none of that. From its point of view a weight stays *exactly* what it was, perhaps for hundreds of steps, and then becomes another. That event is a **flip**. (The scale moves too, a little; but it is one number for the whole matrix.)

# %% [markdown]
# ### Exercise 4.4: count the flips (2 points)
#
# Write `count_flips(before, after)`: how many trits differ between two successive versions of a latent matrix, both seen by `absmean`. A whole number; a jump from -1 to +1 is one flip.


# %% nbgrader={"grade": false, "grade_id": "4_4_count_flips", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_flips(before, after):
    """Number of trits that differ between two versions of a latent matrix."""
    ### BEGIN SOLUTION
    return np.count_nonzero(absmean(before)[0] != absmean(after)[0])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_4_count_flips_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.4")
def _(count_flips):
    before = np.array([1.0, -1.0, 0.1, 0.1])
    check.equal(
        count_flips(before, before + 0.01), 0,
        "Every latent weight has moved, and no trit has: only trits count.",
    )  # fmt: skip
    check.equal(
        count_flips(before, np.array([-1.0, -1.0, 0.1, 0.9])), 2,
        "The first jumps from +1 to -1, which is one flip; the last goes from 0 to +1; the other two "
        "stay.",
    )  # fmt: skip
    check.equal(
        count_flips(np.array([0.4, 1.0, -1.0, 0.4]), np.array([0.4, 1.6, -1.6, 0.4])), 2,
        "Here the two outer weights have not moved, and yet their trits change from +1 to 0: the "
        "mean has grown, and the threshold with it. Each version has its own threshold.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(44)
    a = rng.normal(size=(20, 30))
    b = a + rng.normal(size=a.shape) * 0.3
    wanted = int(np.sum(absmean(a)[0] != absmean(b)[0]))
    check.equal(count_flips(a, b), wanted, "On random matrices.")
    check.equal(count_flips(a, 7 * a), 0, "Seven times as large, the same trits: no flip.")
    ### END HIDDEN TESTS


# %% variant={"of": "4_4_count_flips", "wrong": "one threshold for both versions", "says": "its own threshold"}
def count_flips(before, after):
    delta = np.abs(before).mean() / 2

    def cut(w):
        return np.sign(w) * (np.abs(w) > delta)

    return int(np.sum(cut(before) != cut(after)))


# %% variant={"of": "4_4_count_flips", "wrong": "a jump from -1 to +1 counts twice", "says": "one flip"}
def count_flips(before, after):
    return int(np.abs(absmean(before)[0].astype(int) - absmean(after)[0]).sum())


# %% variant={"of": "4_4_count_flips", "wrong": "counts latent weights that moved", "says": "only trits count"}
def count_flips(before, after):
    return int(np.sum(before != after))


# %% variant={"of": "4_4_count_flips", "wrong": "counts changes of sign only"}
def count_flips(before, after):
    return int(np.sum(np.sign(before) != np.sign(after)))


# %% variant={"of": "4_4_count_flips", "wrong": "the net change: flips up less flips down"}
def count_flips(before, after):
    return int(abs(absmean(before)[0].sum() - absmean(after)[0].sum()))


# %% variant={"of": "4_4_count_flips", "right": "by hand, with each version's own mean"}
def count_flips(before, after):
    old = np.sign(before) * (np.abs(before) > np.abs(before).mean() / 2)
    new = np.sign(after) * (np.abs(after) > np.abs(after).mean() / 2)
    return (old != new).sum()


# %% variant={"of": "4_4_count_flips", "right": "a loop"}
def count_flips(before, after):
    old, new = absmean(before)[0].ravel(), absmean(after)[0].ravel()
    return sum(1 for a, b in zip(old.tolist(), new.tolist()) if a != b)


# %% [markdown] hints={"of": "4_4_count_flips"}
# 1. What does the network see of `before`, and what of `after`?
# 2. Two arrays compared with `!=` give a mask; a mask can be counted.

# %% [markdown]
# Did the third test catch you? A weight can flip without moving, because the others moved the threshold under its feet.
#
# Time to put the digits network under the microscope. We train it once more and keep both latent matrices after every one of the 400 steps.

# %%
film = []  # after each step: the two latent matrices


def keep(network):
    film.append([network[place].data.copy() for place in WEIGHTS])


filmed, curve = train(0, my.StraightThrough.apply, watch=keep)
flips = np.array(
    [sum(my.count_flips(a, b) for a, b in zip(old, new)) for old, new in pairwise(film)]
)
size = sum(latent.size for latent in film[0])
trits_of_film = np.array(
    [np.concatenate([absmean(m)[0].ravel() for m in moment]) for moment in film]
)
ever = np.mean((trits_of_film != trits_of_film[0]).any(axis=0))
print(f"{size} weights, {len(film)} steps, {flips.sum()} flips; test accuracy {curve[-1]:.1f} %")
print(f"per step {flips.mean():.0f} trits flip, {100 * flips.mean() / size:.2f} % of them")
print(f"{100 * (1 - ever):.0f} % of the trits are never anything else than at the first step")

# %% jupyter={"source_hidden": true}
first = np.array([moment[0].ravel() for moment in film])  # (steps, weights) of the first layer
alphas = np.abs(first).mean(axis=1, keepdims=True)
ratio = first / alphas
layer = trits_of_film[:, : first.shape[1]]
busy = (np.diff(layer.astype(int), axis=0) != 0).sum(axis=0)
rng = np.random.default_rng(4)
shown = np.concatenate([rng.choice(np.flatnonzero(busy == 0), 12, replace=False),
                        rng.choice(np.flatnonzero((busy > 0) & (busy < 9)), 14, replace=False),
                        rng.choice(np.flatnonzero(busy > 25), 4, replace=False)])  # fmt: skip

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), width_ratios=(1.6, 1))
for column in shown:
    color = style.TRIT_COLORS[int(layer[-1, column])]
    left.plot(
        ratio[:, column],
        color=color if layer[-1, column] else style.MUTED,
        linewidth=1.0,
        alpha=0.9,
    )
for edge in (-0.5, 0.5):
    left.plot([0, 400], [edge, edge], color=style.INK, linewidth=1.2)
left.text(402, 0.5, "+δ", va="center")
left.text(402, -0.5, "-δ", va="center")
for trit, at in ((-1, -1.7), (0, 0), (1, 1.7)):
    left.text(426, at, f"{trit:+d}" if trit else "0", ha="center", va="center", fontsize=12,
              color=style.TRIT_COLORS[trit] if trit else style.MUTED)  # fmt: skip
left.set(xlabel="step", ylabel="latent weight / α", xlim=(0, 440), xticks=range(0, 401, 100), ylim=(-2.8, 2.8),
         title="30 latent weights, coloured by where they end")  # fmt: skip

per_epoch = np.append(flips, 0).reshape(EPOCHS, BATCHES).sum(axis=1)
right.bar(np.arange(1, EPOCHS + 1), per_epoch, color=style.TERNARY, width=0.75)
fade = (1 + np.cos(np.pi * (np.arange(EPOCHS) + 0.5) / EPOCHS)) / 2
right.plot(np.arange(1, EPOCHS + 1), fade * per_epoch[0], color=style.ACCENT, linewidth=1.4)
right.text(7.2, per_epoch[0] * 0.78, "learning rate", color=style.ACCENT, fontsize=9)
right.set(
    xlabel="epoch", ylabel="flips", xticks=(1, 5, 10, 15, 20), title="The network comes to rest"
)
style.grid_behind(right)
plt.show()

# %% [markdown]
# Look at the left figure for a while. Most latent weights drift a little and stay in their band. Some travel: they set out on one side of a threshold, cross it, and go on. A few do neither. They sit *on* a threshold and rattle across it again and again. Keep them in mind; section 6 is theirs.
#
# On the right, flips per epoch. Early on, several thousand in each; in the last, fewer than fifty: the schedule brings the network to rest. And the same training in histograms: where the latent weights of the first layer are, epoch by epoch (in Jupyter the slider moves through the film).


# %% jupyter={"source_hidden": true}
def draw_moment(axes, step):
    now, trits = ratio[step], layer[step]
    bins = np.linspace(-4, 4, 81)  # ±0.5 are edges of bins
    axes.hist([now[trits == t] for t in (-1, 0, 1)], bins, stacked=True, color=(MINUS, ZERO, PLUS))
    for edge in (-0.5, 0.5):
        axes.axvline(edge, color=style.INK, linewidth=1)
    axes.set(yticks=[], xlim=(-4, 4), ylim=(0, 380), xlabel="latent weight / α")
    axes.set_title(
        f"step {step}: {100 * np.mean(trits == 0):.0f} % zeros, α = {alphas[step, 0]:.3f}",
        fontsize=9.5,
    )
    axes.spines["left"].set_visible(False)


figure, stills = plt.subplots(1, 3, figsize=(11, 2.5))
for still, step in zip(stills, (0, 60, 399)):
    draw_moment(still, step)
plt.show()


def move(step=0):
    _, axes = plt.subplots(figsize=(6.5, 3))
    draw_moment(axes, step)
    plt.show()


course.slider(move, step=(0, 399, 1))

# %% [markdown]
# The library has this microscope built in, for networks of any size: hand a `tt.quant.Microscope` to a trainer as `on_step`, and it records flips, zeros, distances to the thresholds and more for every ternary layer. Here it looks at a network made of the library's own parts, and your counter looks with it.

# %%
rng = np.random.default_rng(0)
model = tt.nn.Sequential(
    tt.nn.Linear(64, 128, rng=rng), tt.nn.GELU(), tt.nn.Linear(128, 10, rng=rng)
)
tt.quant.ternarize(model, {"layers.?": tt.quant.LayerQuant()})  # absmean and straight-through
print(model.layers[0])

microscope = tt.quant.Microscope(every=1)
optimizer = tt.train.AdamW(tt.train.parameter_groups(model, 0.0), lr=3e-3)
rows, test = split(0)
counted, before = [0], model.layers[0].weight.data.copy()
for step in range(200):
    microscope(step, model)
    if step:
        counted.append(my.count_flips(before, model.layers[0].weight.data))
    before = model.layers[0].weight.data.copy()
    batch = rng.choice(rows, 64)
    optimizer.zero_grad()
    cross_entropy(model(tt.Tensor(digits[batch])), labels[batch]).backward()
    optimizer.step()
record = microscope.to_dict()
theirs = np.array(record["layers"]["layers.0"]["flips"]) * before.size
print(
    "flips by your counter and by the library's agree in every step:", np.allclose(theirs, counted)
)
found = model(tt.Tensor(digits[test])).data.argmax(axis=1)
print(f"{100 * np.mean(found == labels[test]):.1f} % of the test digits right after 200 steps")

# %% jupyter={"source_hidden": true}
from IPython.display import display

display(tt.report.latent_over_time(record, "layers.0"))

# %% [markdown]
# ## 5 · What does a learning rate mean here?
#
# Multiply every latent weight by ten. The mean of $|w|$ grows by ten, the threshold with it, and every trit stays exactly what it was. **Trits depend on ratios only.** What has changed is how far it is to the next threshold, measured in steps: ten times further.

# %% [markdown]
# ### Exercise 4.5: steps until a flip (3 points)
#
# Write `steps_to_flip(latent, grad, lr)`: for each weight, how many steps of plain descent, $w \leftarrow w - \eta\,g$ with its gradient staying as it is, until it reaches the next threshold on its way. The thresholds stay at $\pm\delta$ with $\delta = \tfrac12 \operatorname{mean}|w|$ of the weights you were given. Return floats, unrounded: distance divided by speed. A weight with no threshold ahead of it (or no gradient) never flips: `np.inf`.


# %% nbgrader={"grade": false, "grade_id": "4_5_steps_to_flip", "locked": false, "schema_version": 3, "solution": true, "task": false}
def steps_to_flip(latent, grad, lr):
    """Steps of constant descent until each latent weight reaches its next threshold."""
    ### BEGIN SOLUTION
    delta = np.mean(np.abs(latent)) / 2
    above = np.where(latent < -delta, -delta, np.where(latent <= delta, delta, np.inf))
    below = np.where(latent > delta, delta, np.where(latent >= -delta, -delta, -np.inf))
    distance = np.where(grad < 0, above - latent, latent - below)
    with np.errstate(divide="ignore"):  # no gradient: never
        return distance / (lr * np.abs(grad))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_5_steps_to_flip_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.5")
def _(steps_to_flip):
    # mean |w| = 1, delta = 0.5
    latent = np.array([0.2, 0.2, 1.6, 1.6, -1.2, -1.2])
    grad = np.array([-1.0, 1.0, 2.0, -2.0, -0.5, 0.5])
    with np.errstate(all="ignore"):
        got = steps_to_flip(latent, grad, 0.1)
    wanted = [3.0, 7.0, 5.5, np.inf, 14.0, np.inf]
    check.true(
        np.shape(got) == (6,), "One number for each weight, in the shape of the latent weights."
    )
    for index, (value, target) in enumerate(zip(np.asarray(got, float), wanted)):
        check.close(
            value, target,
            f"The thresholds are at ±0.5. A weight at {latent[index]} with gradient {grad[index]} "
            f"moves {'up' if grad[index] < 0 else 'down'} by {0.1 * abs(grad[index]):.2f} a step. "
            "Which threshold does it meet first, if any?",
        )  # fmt: skip
    with np.errstate(all="ignore"):
        got = steps_to_flip(np.array([1.0, 1.0]), np.array([0.0, 1.0]), 0.1)
    check.close(
        got, [np.inf, 5.0], "Without a gradient a weight stays where it is: np.inf, not NaN."
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(45)
    w, g = rng.normal(size=(8, 9)), rng.normal(size=(8, 9))
    half = np.abs(w).mean() / 2

    def cut(x):
        return np.where(np.abs(x) > half, np.sign(x), 0)

    with np.errstate(all="ignore"):
        got = np.asarray(steps_to_flip(w, g, 0.01), float)
    check.true(np.shape(got) == w.shape, "A matrix in, a matrix out.")
    ends = np.isfinite(got)
    short, past = np.where(ends, got - 1e-6, 1e6), np.where(ends, got + 1e-6, 1e6)
    check.true(
        np.array_equal(cut(w - 0.01 * g * short), cut(w)),
        "On random weights: some flip earlier than you say.",
    )
    check.true(
        np.array_equal(cut(w - 0.01 * g * past) != cut(w), ends),
        "On random weights: some have not flipped when you say they do.",
    )
    with np.errstate(all="ignore"):
        larger = steps_to_flip(10 * w, g, 0.01)
    check.close(larger, 10 * got, "Ten times the weights, ten times the steps.")
    ### END HIDDEN TESTS


# %% variant={"of": "4_5_steps_to_flip", "wrong": "always the nearest threshold, whatever the direction", "says": "moves"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    return np.abs(np.abs(latent) - delta) / np.maximum(lr * np.abs(grad), 1e-300)


# %% variant={"of": "4_5_steps_to_flip", "wrong": "ascent in place of descent"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    above = np.where(latent < -delta, -delta, np.where(latent <= delta, delta, np.inf))
    below = np.where(latent > delta, delta, np.where(latent >= -delta, -delta, -np.inf))
    distance = np.where(grad > 0, above - latent, latent - below)
    return distance / np.maximum(lr * np.abs(grad), 1e-300)


# %% variant={"of": "4_5_steps_to_flip", "wrong": "threshold at the mean, not at half of it", "says": "thresholds are at ±0.5"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent))
    above = np.where(latent < -delta, -delta, np.where(latent <= delta, delta, np.inf))
    below = np.where(latent > delta, delta, np.where(latent >= -delta, -delta, -np.inf))
    distance = np.where(grad < 0, above - latent, latent - below)
    with np.errstate(all="ignore"):
        return np.where(grad == 0, np.inf, distance / (lr * np.abs(grad)))


# %% variant={"of": "4_5_steps_to_flip", "wrong": "forgets that a -1 moving up meets -delta first"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    above = np.where(latent <= delta, delta, np.inf)
    below = np.where(latent >= -delta, -delta, -np.inf)
    distance = np.where(grad < 0, above - latent, latent - below)
    with np.errstate(all="ignore"):
        return np.where(grad == 0, np.inf, distance / (lr * np.abs(grad)))


# %% variant={"of": "4_5_steps_to_flip", "wrong": "no gradient: flips at once", "says": "Without a gradient"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    above = np.where(latent < -delta, -delta, np.where(latent <= delta, delta, np.inf))
    below = np.where(latent > delta, delta, np.where(latent >= -delta, -delta, -np.inf))
    distance = np.where(grad < 0, above - latent, latent - below)
    with np.errstate(all="ignore"):
        return np.where(grad == 0, 0.0, distance / (lr * np.abs(grad)))


# %% variant={"of": "4_5_steps_to_flip", "right": "a loop over the cases"}
def steps_to_flip(latent, grad, lr):
    delta = np.mean(np.abs(latent)) / 2
    steps = np.full(latent.shape, np.inf)
    for place, w in np.ndenumerate(latent):
        speed = -lr * grad[place]
        ahead = [e - w for e in (-delta, delta) if (e - w) * speed > 0]
        if ahead:
            steps[place] = min(abs(d) for d in ahead) / abs(speed)
    return steps


# %% variant={"of": "4_5_steps_to_flip", "right": "times of arrival at both thresholds, the smaller positive one"}
def steps_to_flip(latent, grad, lr):
    delta = np.abs(latent).mean() / 2
    with np.errstate(all="ignore"):
        arrivals = [(latent - edge) / (lr * grad) for edge in (-delta, delta)]
    return np.minimum(*[np.where(np.isfinite(a) & (a > 0), a, np.inf) for a in arrivals])


# %% [markdown] hints={"of": "4_5_steps_to_flip"}
# 1. Descent subtracts: in which direction does a weight with a negative gradient move?
# 2. A weight between the thresholds has one of them ahead whichever way it goes. One beyond has one ahead, or none.
# 3. Nested `np.where` gives the next threshold above, and another the next below; `np.inf` where there is none.

# %% [markdown]
# Your function holds the key to how ternary networks train. The number of steps goes as $|w| / (\eta\,|g|)$: what counts is the learning rate **relative to the size of the latent weights**. Multiply all latent weights by $c$ and the learning rate by $c$, and nothing at all has changed.
#
# *Nothing at all* is a strong claim, so let us test it bit by bit. Two trainings, one with 16 times the latent weights and 16 times their learning rate. (A power of two, so that even the rounding of floats is the same. And the scale is a constant here, so that the latent weights can do nothing but choose trits.)


# %%
class ConstantScale(Function):
    """absmean's trits times 4 / sqrt(K), whatever the size of the latent weights."""

    @staticmethod
    def forward(ctx, latent):
        ctx.save(latent)
        return absmean(latent)[0] * np.float32(4 / np.sqrt(latent.shape[1]))

    @staticmethod
    def backward(ctx, grad):
        return my.gate(grad, ctx.saved[0], np.inf)  # a gate that is always open


def trits_of(network):
    return np.concatenate([absmean(network[place].data)[0].ravel() for place in WEIGHTS])


def train_and_watch(seed, through, size=1.0, **options):
    """Accuracy after each epoch, and all trits: at the start and after every step."""
    seen = [trits_of(start(seed, size))]
    _, curve = train(
        seed, through, size=size, watch=lambda net: seen.append(trits_of(net)), **options
    )
    return curve, np.array(seen)


_, usual = train_and_watch(0, ConstantScale.apply, lr=0.25)
_, larger = train_and_watch(0, ConstantScale.apply, lr=0.25, size=16, weight_lr=0.25 * 16)
same = sum(np.array_equal(a, b) for a, b in zip(usual[1:], larger[1:]))
print(f"all {usual.shape[1]} trits equal after {same} of {len(usual) - 1} steps")

# %% [markdown]
# Every trit, in every step. The size of the latent weights is not a property of the network. It is an **inertia**, and the ratio $\eta / |w|$ is the *effective* learning rate. This is why weight decay acts so oddly on ternary networks: it does not make the weights of the network smaller (they are trits), it makes them easier to turn. And it is why a network whose latent weights grow during training slows down by itself.
#
# **Predict, then run.** Now the careless version: an initialisation ten times too large, and the learning rate left as it was. The usual network, with this constant scale, ends at about 97 % of the test digits, and 22 % of its trits change at some time during training. With the large initialisation, how many percent of the trits *ever* change?

# %%
my_guess = None  # percent of the trits that ever change

outcomes = {}
for size_of_start in (1, 10, 30):
    rowwise = []
    for seed in range(3):
        curve, seen = train_and_watch(seed, ConstantScale.apply, size_of_start, lr=0.3)
        moved = 100 * np.mean((seen != seen[0]).any(axis=0))
        rowwise.append((curve[-1], moved))
    outcomes[size_of_start] = np.array(rowwise)
check.predicted(my_guess, float(outcomes[10][:, 1].mean()), within=3, unit=" %",
                comment=f"And yet {outcomes[10][:, 0].mean():.1f} % of the test digits are right.")  # fmt: skip

# %% jupyter={"source_hidden": true}
untrained = np.mean(
    [accuracy(start(seed), ConstantScale.apply, split(seed)[1]) for seed in range(5)]
)
figure, axes = plt.subplots(figsize=(8, 3.4))
for (size_of_start, found), color in zip(
    outcomes.items(), (style.TERNARY, style.ACCENT, "#8a5fb0")
):
    axes.scatter(found[:, 1], found[:, 0], s=30, color=color, zorder=3)
    axes.annotate(f"init × {size_of_start}\n{found[:, 0].mean():.1f} %", (found[:, 1].mean(), found[:, 0].min()),
                  (0, -8), textcoords="offset points", ha="center", va="top", fontsize=9, color=color)  # fmt: skip
axes.axhline(untrained, color=style.MUTED, linestyle=":", linewidth=1.2)
axes.text(
    26,
    untrained + 2,
    f"trits never trained: {untrained:.0f} %",
    ha="right",
    fontsize=9,
    color=style.MUTED,
)
axes.set(xlabel="trits that ever change, %", ylabel="test accuracy, %", xlim=(0, 26), ylim=(0, 103),
         title="A few trits in a hundred make the network")  # fmt: skip
style.grid_behind(axes)
plt.show()

# %% [markdown]
# More than nine out of ten weights are the dice of the initialisation, and the network works. A random ternary matrix seems to be a decent heap of features already; it is enough to turn the few weights that are most in the way. That is good news for training and a warning for judgement: an accuracy does not tell you that the weights were *learned*. The microscope does.
#
# ## 6 · Weights that cannot make up their mind
#
# Take one weight whose ideal value is 0.3, with 0 and 1 on offer. At trit 0 the gradient says *up*, with strength 0.3. At trit 1 it says *down*, with strength 0.7. There is no trit at which the gradient is zero, so the latent weight runs to the threshold and hops across it for ever, seven small steps up for every three large ones down. It **oscillates**.
#
# **Predict, then run.** With a learning rate of 0.1 such a weight flips in 60 % of the steps. With a learning rate ten times *smaller*, in how many percent of them?

# %%
my_guess = None  # percent of steps with a flip, at a tenth of the learning rate


def undecided(ideal, lr, steps=400, w=0.49):
    """Path of a latent weight (threshold 0.5) and of its trit under (trit - ideal)² / 2."""
    path, trits = [], []
    for _ in range(steps):
        trit = 1 if w > 0.5 else 0
        path.append(w)
        trits.append(trit)
        w = w - lr * (trit - ideal)
    return np.array(path), np.array(trits)


hops = {lr: 100 * np.mean(np.diff(undecided(0.3, lr)[1]) != 0) for lr in (0.1, 0.01)}
check.predicted(my_guess, float(hops[0.01]), within=5, unit=" %",
                comment=f"As often as before ({hops[0.1]:.0f} %), but for the longer way there. The steps shrink, and so does "
                        "the distance that they have to cover.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(11, 3.1), width_ratios=(1, 1, 0.9))
for axis, lr in zip(axes, (0.1, 0.01)):
    path, trits = undecided(0.3, lr)
    axis.step(np.arange(60), path[200:260], where="post", color=style.TERNARY)
    axis.plot(np.arange(60), path[200:260], "o", ms=3.5, color=style.TERNARY)
    axis.axhline(0.5, color=style.ACCENT, linewidth=1.2)
    axis.set(
        xlabel="step",
        ylabel="latent weight",
        title=f"learning rate {lr:g}",
        ylim=(0.5 - lr, 0.5 + lr),
    )
ideals = np.linspace(0.02, 0.98, 49)
means = [undecided(ideal, 0.05, 2000)[1][200:].mean() for ideal in ideals]
axes[2].plot(ideals, means, "o", ms=4, color=style.TERNARY)
axes[2].plot([0, 1], [0, 1], color=style.MUTED, linewidth=1, zorder=0)
axes[2].set(xlabel="ideal weight", ylabel="mean of its trit", title="On average it is right")
plt.show()

# %% [markdown]
# Both panels show the same dance; only the scale of the axis differs. A smaller learning rate does not end an oscillation. (A schedule ends it only by running out of training.)
#
# The right panel is rather beautiful. The trit's *average over time* is the ideal weight: the straight-through estimator has turned the weight into a pulse train with just the right duty cycle. Audio engineers do this on purpose and call it delta-sigma modulation. Unfortunately a deployed network is a snapshot. It gets 0 or 1, whichever the last step happened to leave.
#
# How much of this goes on in a real network? We need a detector.

# %% [markdown]
# ### Exercise 4.6: a detector of oscillations (3 points)
#
# A flip counts as an **oscillation** if it goes in the opposite direction to the *previous flip of the same weight*, however long ago that was. A weight's first flip never counts.
#
# Write `oscillations(trits)`: `trits` is an `int8` array $(T, N)$, one row for each step, one column for each weight. Return how many oscillations each weight had, integers $(N,)$.


# %% nbgrader={"grade": false, "grade_id": "4_6_oscillations", "locked": false, "schema_version": 3, "solution": true, "task": false}
def oscillations(trits):
    """For each weight, flips that go against the direction of its previous flip."""
    ### BEGIN SOLUTION
    last = np.zeros(trits.shape[1])  # each weight's latest change that was not 0
    count = np.zeros(trits.shape[1], dtype=int)
    for change in np.diff(trits, axis=0):
        count += change * last < 0
        last = np.where(change != 0, change, last)
    return count
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_6_oscillations_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.6")
def _(oscillations):
    film = np.array([
        [0, 0, -1, 0, 1],
        [0, 1, 0, 1, 1],
        [0, 0, 0, 1, 1],
        [0, 1, 1, 1, -1],
        [0, 0, 1, 0, 0],
        [0, 1, 1, 0, 0],
    ], dtype=np.int8)  # fmt: skip
    got = np.asarray(oscillations(film))
    check.true(
        got.shape == (5,), f"One count for each of the 5 weights (columns); got shape {got.shape}."
    )
    check.true(got.dtype.kind in "iu", f"Counts are whole numbers; yours are {got.dtype}.")
    stories = (
        (0, 0, "never flips"),
        (1, 4, "goes 0 1 0 1 0 1: five flips, the first of which has no predecessor"),
        (2, 0, "goes -1 0 0 1 1 1: two flips, both upwards. It travels"),
        (3, 1, "goes 0 1 1 1 0 0: up, and three steps later down again. The pause does not matter"),
        (4, 1, "goes 1 1 1 -1 0 0: down by two, then up by one. Only directions count"),
    )
    for column, wanted, story in stories:
        check.equal(got[column], wanted, f"Weight {column} {story}.")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(46)
    many = rng.choice([-1, 0, 1], p=[0.1, 0.6, 0.3], size=(40, 25)).astype(np.int8)
    wanted = []
    for column in many.T.astype(int):
        steps = [int(np.sign(b - a)) for a, b in pairwise(column) if a != b]
        wanted.append(sum(a != b for a, b in pairwise(steps)))
    check.equal(oscillations(many), wanted, "On random trits.")
    hopping = np.tile(np.array([[0], [1]], dtype=np.int8), (150, 1))
    check.equal(
        oscillations(hopping), [298],
        "A weight that hops in each of 300 steps. Counts may need more than the 8 bits of a trit.",
    )  # fmt: skip
    check.equal(oscillations(many[:1]), np.zeros(25, int), "A film of a single step has no flips.")
    ### END HIDDEN TESTS


# %% variant={"of": "4_6_oscillations", "wrong": "counts all flips", "says": "no predecessor"}
def oscillations(trits):
    return (np.diff(trits.astype(int), axis=0) != 0).sum(axis=0)


# %% variant={"of": "4_6_oscillations", "wrong": "all flips but the first: travelling counts too", "says": "It travels"}
def oscillations(trits):
    return np.maximum((np.diff(trits.astype(int), axis=0) != 0).sum(axis=0) - 1, 0)


# %% variant={"of": "4_6_oscillations", "wrong": "only flips in two successive steps", "says": "pause does not matter"}
def oscillations(trits):
    d = np.sign(np.diff(trits.astype(int), axis=0))
    return (d[1:] * d[:-1] < 0).sum(axis=0)


# %% variant={"of": "4_6_oscillations", "wrong": "one count for the whole layer", "says": "One count for each"}
def oscillations(trits):
    last = np.zeros(trits.shape[1], dtype=int)
    count = 0
    for change in np.diff(trits.astype(int), axis=0):
        count += int(np.sum(np.sign(change) * last < 0))
        last = np.where(change != 0, np.sign(change), last)
    return count


# %% variant={"of": "4_6_oscillations", "wrong": "returns to the value of two steps before"}
def oscillations(trits):
    return ((trits[2:] == trits[:-2]) & (trits[1:-1] != trits[:-2])).sum(axis=0)


# %% variant={"of": "4_6_oscillations", "right": "weight by weight"}
def oscillations(trits):
    counts = []
    for column in trits.T.tolist():
        moves = [b - a for a, b in pairwise(column) if b != a]
        counts.append(sum(1 for a, b in pairwise(moves) if a * b < 0))
    return np.array(counts, dtype=int)


# %% variant={"of": "4_6_oscillations", "right": "the last direction filled forward by its place"}
def oscillations(trits):
    d = np.sign(np.diff(trits.astype(int), axis=0))
    if len(d) == 0:
        return np.zeros(trits.shape[1], dtype=int)
    where = np.where(d != 0, np.arange(1, len(d) + 1)[:, None], 0)
    filled = np.maximum.accumulate(where, axis=0)  # step of the latest flip, 0: none yet
    padded = np.vstack([np.zeros((1, d.shape[1]), int), d])
    latest = np.take_along_axis(padded, filled, axis=0)
    before = np.vstack([np.zeros((1, d.shape[1]), int), latest[:-1]])
    return (d * before < 0).sum(axis=0)


# %% [markdown] hints={"of": "4_6_oscillations"}
# 1. What do you have to remember about each weight from one step to the next?
# 2. `np.diff(trits.astype(int), axis=0)` gives the changes; their sign is a direction, 0 where nothing flips.
# 3. Keep an array with the last direction of each weight. Update it only where there was a flip.

# %% [markdown]
# **Predict, then run.** In the film of section 4 there were more than 25,000 flips. How many percent of them were oscillations, that is, took back what the weight's previous flip had done?

# %%
my_guess = None  # percent of the flips

took_back = my.oscillations(trits_of_film)
all_flips = (np.diff(trits_of_film.astype(int), axis=0) != 0).sum(axis=0)
check.predicted(my_guess, float(100 * took_back.sum() / all_flips.sum()), within=7, unit=" %",
                comment="Training a ternary network is mostly hesitation.")  # fmt: skip

# %% jupyter={"source_hidden": true}
restless = np.sort(all_flips)[::-1]
share = np.cumsum(restless) / restless.sum()
by_epoch = []
for epoch in range(EPOCHS):
    window = slice(epoch * BATCHES, (epoch + 1) * BATCHES)
    upto = trits_of_film[: window.stop + 1]
    before = my.oscillations(trits_of_film[: window.start + 1]).sum()
    by_epoch.append(my.oscillations(upto).sum() - before)
by_epoch = np.array(by_epoch)

figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.3), width_ratios=(1.3, 1))
at = np.arange(1, EPOCHS + 1)
left.bar(at, per_epoch, color=style.TERNARY, width=0.75, label="travel")
left.bar(at, by_epoch, color=style.ACCENT, width=0.75, label="take back the flip before")
left.set(
    xlabel="epoch", ylabel="flips", xticks=(1, 5, 10, 15, 20), title="Travel first, then hesitation"
)
left.legend(fontsize=9)
right.plot(100 * np.arange(1, share.size + 1) / share.size, 100 * share, color=style.TERNARY)
tenth = 100 * share[share.size // 10 - 1]
right.plot(10, tenth, "o", color=style.ACCENT)
right.annotate(f"a tenth of the weights:\n{tenth:.0f} % of the flips", (10, tenth), (22, tenth - 28), fontsize=9,
               arrowprops={"arrowstyle": "-", "color": style.MUTED})  # fmt: skip
right.set(xlabel="weights, most restless first, %", ylabel="their share of all flips, %", xlim=(0, 60), ylim=(0, 105),
          title="Few weights do most of it")  # fmt: skip
style.grid_behind(right)
plt.show()

# %% [markdown]
# The travelling is over after a few epochs. What remains are weights at a threshold.
#
# Three remedies are in use. **Decay the learning rate**: it does not stop a hopping weight, but it makes fewer latent weights reach a threshold in the first place (compare the two schedules below). **Dampen**: add a small pull of each latent weight towards the middle of its band, away from the thresholds. **Freeze**: watch each weight with a detector like yours, and once it has oscillated often enough, fix it at the trit it held most of the time. Markus Nagel and colleagues, who studied all this in 2022, proposed the last two, for low-bit networks of the MobileNet kind.

# %%
_, unfaded = train_and_watch(0, my.StraightThrough.apply, cosine=False)
for name, trits in (("cosine", trits_of_film), ("constant", unfaded)):
    changed = (np.diff(trits[-5 * BATCHES :].astype(int), axis=0) != 0).sum() / 5
    print(f"{name:<9} learning rate: {changed:5.0f} flips in each of the last five epochs")

# %% [markdown]
# ## 7 · Scales that learn
#
# absmean computes its scale from the latent weights. Other rules make it a parameter with a gradient of its own. There are two ways to think about such a gradient, and they do not agree.
#
# **TTQ** (*trained ternary quantisation*) has two scales: a weight of trit +1 stands for $+\alpha_+$, one of trit -1 for $-\alpha_-$. As long as no trit flips, $\hat w$ is simply linear in both. No estimator is needed. What is $\partial \hat w_i / \partial \alpha_+$ for a weight of trit +1? For one of trit -1? Sum up what the chain rule gives.
#
# **LSQ** (*learned step size quantisation*) looks at the whole rule, $\hat w = \alpha \cdot \operatorname{round}(\operatorname{clip}(w/\alpha, -1, 1))$, where $\alpha$ appears twice: it multiplies the trit, and it decides which trit it is. Rounding is treated as straight-through. In other words, LSQ differentiates the **surrogate**
#
# $$
# S(w, \alpha) = \alpha \cdot \big( \operatorname{clip}(w/\alpha, -1, 1) + r \big), \qquad r = \text{what rounding added, held constant.}
# $$
#
# Differentiate it with pencil and paper, within the clip and beyond it. Within, a term in $w/\alpha$ remains: that is the whole difference between the two.
#
# One practical detail. A scale collects gradient from all $N$ weights of its matrix and would race ahead of them. LSQ divides its gradient by $\sqrt{N}$.

# %% [markdown]
# ### Exercise 4.7: gradients of learned scales (4 points)
#
# `grad` is the gradient of the loss with respect to the fake-quantised weights, an array.
#
# - `lsq_gradient(grad, latent, alpha)`: gradient of LSQ's one scale, a float: $\frac{1}{\sqrt N} \sum_i \text{grad}_i \, \partial S_i / \partial \alpha$.
# - `ttq_gradients(grad, trits)`: a pair of floats, for $\alpha_+$ and for $\alpha_-$, exact and without a $\sqrt N$.


# %% nbgrader={"grade": false, "grade_id": "4_7_lsq_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lsq_gradient(grad, latent, alpha):
    """Gradient of a learned scale by LSQ, divided by the root of the number of weights."""
    ### BEGIN SOLUTION
    ratio = latent / alpha
    slope = np.where(np.abs(ratio) <= 1, np.round(ratio) - ratio, np.sign(ratio))
    return float(np.sum(grad * slope) / np.sqrt(latent.size))
    ### END SOLUTION


def ttq_gradients(grad, trits):
    """Gradients of TTQ's two scales: of +1 and of -1."""
    ### BEGIN SOLUTION
    return float(np.sum(grad[trits == 1])), float(-np.sum(grad[trits == -1]))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_7_lsq_gradient_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.7")
def _(lsq_gradient, ttq_gradients):
    def surrogate(w, alpha, r):
        return alpha * (np.clip(w / alpha, -1, 1) + r)

    def measured(grad, w, alpha):
        clipped = np.clip(w / alpha, -1, 1)
        r = np.round(clipped) - clipped
        h = 1e-6
        rise = surrogate(w, alpha + h, r) - surrogate(w, alpha - h, r)
        return np.sum(grad * rise) / (2 * h) / np.sqrt(w.size)

    with check.part("LSQ", points=2):
        for value, where in ((0.3, "within the clip, trit 0"), (0.8, "within the clip, trit +1"),
                             (2.5, "beyond the clip"), (-0.7, "within the clip, trit -1"),
                             (-3.0, "beyond the clip, negative")):  # fmt: skip
            one, w = np.array([1.0]), np.array([value])
            check.close(
                lsq_gradient(one, w, 1.0), measured(one, w, 1.0),
                f"A single weight of {value}, alpha 1, {where}: the finite difference of the "
                "surrogate gives another number. Write S as a sum without the bracket first.",
                rtol=1e-4, atol=1e-7,
            )  # fmt: skip
        grad, w = np.array([1.0, -2.0, 0.5, 1.0]), np.array([0.3, 0.8, -2.0, -0.1])
        check.close(
            lsq_gradient(grad, w, 0.5), measured(grad, w, 0.5),
            "Four weights, alpha 0.5: sum over the weights, each with its own grad, then divide by "
            "the root of their number. And w is compared with alpha, not with 1.",
            rtol=1e-4,
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(47)
        g, big = rng.normal(size=(7, 9)), rng.normal(size=(7, 9))
        check.close(
            lsq_gradient(g, big, 0.9),
            measured(g, big, 0.9),
            "On a random matrix. N is the number of weights, not of rows.",
            rtol=1e-4,
        )
        ### END HIDDEN TESTS
    with check.part("TTQ", points=2):
        grad, trits = np.array([1.0, 2.0, 4.0, 8.0]), np.array([1, 0, -1, -1], dtype=np.int8)
        got = ttq_gradients(grad, trits)
        check.true(np.size(got) == 2, "Return two numbers: for +1, and for -1.")
        check.close(
            got[0],
            1.0,
            "The scale of +1 hears of the weights of trit +1 alone: one, with gradient 1.",
        )
        check.close(
            got[1], -12.0,
            "A weight of trit -1 stands for minus its scale. If that scale grows, the weight falls.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(48)
        g, t = rng.normal(size=(6, 5)), rng.integers(-1, 2, size=(6, 5)).astype(np.int8)

        def seen(plus, minus):
            return np.sum(g * np.where(t > 0, plus, np.where(t < 0, -minus, 0.0)))

        wanted = [seen(2.0, 1.0) - seen(1.0, 1.0), seen(1.0, 2.0) - seen(1.0, 1.0)]
        check.close(ttq_gradients(g, t), wanted, "On a random matrix.")
        check.close(
            ttq_gradients(g, 0 * t), [0.0, 0.0], "No trit but 0: no gradient for any scale."
        )
        ### END HIDDEN TESTS


# %% variant={"of": "4_7_lsq_gradient", "wrong": "LSQ as if no trit could flip: the trit alone", "says": "trit 0"}
def lsq_gradient(grad, latent, alpha):
    trits = np.round(np.clip(latent / alpha, -1, 1))
    return float(np.sum(grad * trits) / np.sqrt(latent.size))


def ttq_gradients(grad, trits):
    return float(np.sum(grad[trits == 1])), float(-np.sum(grad[trits == -1]))


# %% variant={"of": "4_7_lsq_gradient", "wrong": "the term w / alpha beyond the clip too", "says": "beyond the clip"}
def lsq_gradient(grad, latent, alpha):
    ratio = latent / alpha
    slope = np.round(np.clip(ratio, -1, 1)) - ratio
    return float(np.sum(grad * slope) / np.sqrt(latent.size))


def ttq_gradients(grad, trits):
    return float(np.sum(grad[trits == 1])), float(-np.sum(grad[trits == -1]))


# %% variant={"of": "4_7_lsq_gradient", "wrong": "no root of N", "says": "root of their number"}
def lsq_gradient(grad, latent, alpha):
    ratio = latent / alpha
    slope = np.where(np.abs(ratio) <= 1, np.round(ratio) - ratio, np.sign(ratio))
    return float(np.sum(grad * slope))


def ttq_gradients(grad, trits):
    return float(np.sum(grad[trits == 1])), float(-np.sum(grad[trits == -1]))


# %% variant={"of": "4_7_lsq_gradient", "wrong": "compares w with 1, not with alpha", "says": "compared with alpha"}
def lsq_gradient(grad, latent, alpha):
    slope = np.where(
        np.abs(latent) <= 1, np.round(latent / alpha) - latent / alpha, np.sign(latent)
    )
    return float(np.sum(grad * slope) / np.sqrt(latent.size))


def ttq_gradients(grad, trits):
    return float(np.sum(grad[trits == 1])), float(-np.sum(grad[trits == -1]))


# %% variant={"of": "4_7_lsq_gradient", "wrong": "TTQ: the sign of the negative scale", "says": "minus its scale"}
def lsq_gradient(grad, latent, alpha):
    ratio = latent / alpha
    slope = np.where(np.abs(ratio) <= 1, np.round(ratio) - ratio, np.sign(ratio))
    return float(np.sum(grad * slope) / np.sqrt(latent.size))


def ttq_gradients(grad, trits):
    return float(np.sum(grad[trits == 1])), float(np.sum(grad[trits == -1]))


# %% variant={"of": "4_7_lsq_gradient", "wrong": "TTQ: means in place of sums, NaN when empty", "says": "TTQ"}
def lsq_gradient(grad, latent, alpha):
    ratio = latent / alpha
    slope = np.where(np.abs(ratio) <= 1, np.round(ratio) - ratio, np.sign(ratio))
    return float(np.sum(grad * slope) / np.sqrt(latent.size))


def ttq_gradients(grad, trits):
    up, down = trits == 1, trits == -1
    return float((grad * up).sum() / max(up.sum(), 1)), float(
        -(grad * down).sum() / max(down.sum(), 1)
    )


# %% variant={"of": "4_7_lsq_gradient", "right": "with masks"}
def lsq_gradient(grad, latent, alpha):
    v = latent / alpha
    inside = (np.abs(v) <= 1).astype(float)
    trit = np.rint(np.clip(v, -1, 1))
    return np.sum(grad * (trit - v * inside)) / latent.size**0.5


def ttq_gradients(grad, trits):
    return np.sum(grad * (trits > 0)), np.sum(grad * np.minimum(trits, 0))


# %% variant={"of": "4_7_lsq_gradient", "right": "weight by weight"}
def lsq_gradient(grad, latent, alpha):
    total = 0.0
    for g, w in zip(grad.ravel(), latent.ravel()):
        if w > alpha:
            total += g
        elif w < -alpha:
            total -= g
        else:
            total += g * (round(w / alpha) - w / alpha)
    return total / np.sqrt(grad.size)


def ttq_gradients(grad, trits):
    plus = minus = 0.0
    for g, t in zip(grad.ravel(), trits.ravel()):
        plus += g if t == 1 else 0.0
        minus -= g if t == -1 else 0.0
    return [plus, minus]


# %% [markdown] hints={"of": "4_7_lsq_gradient"}
# 1. LSQ, within the clip: multiply the bracket out. Which part of $S$ still depends on $\alpha$? What is $r$ there?
# 2. LSQ, beyond the clip: $\operatorname{clip}(w/\alpha)$ is a constant there, and $r$ is 0.
# 3. TTQ: write down $\hat w$ for each of the three trits, and differentiate each by $\alpha_+$ and by $\alpha_-$.

# %% [markdown]
# Let the two walk. A Gaussian layer ($\sigma = 1$) is to be approximated in the sense of least squares. The trits are those of the threshold $\alpha/2$. Lesson 01 found the best scale with a pencil: $\alpha^\star = 1.224$. One scale descends with the exact gradient (TTQ's, both signs tied together), one with LSQ's.
#
# **Predict, then run.** One ends at 1.224. Where does LSQ's end?

# %%
my_guess = None  # LSQ's final scale, in units of sigma

gaussian = np.random.default_rng(5).normal(size=40_000)


def walk(rule, alpha, turns=150, lr=0.6):
    path = []
    for _ in range(turns):
        path.append(alpha)
        trits = np.round(np.clip(gaussian / alpha, -1, 1))
        grad = (alpha * trits - gaussian) / gaussian.size  # of the mean of (ŵ - w)² / 2
        if rule == "exact":
            step = sum(my.ttq_gradients(grad, trits))
        else:
            step = np.sqrt(gaussian.size) * my.lsq_gradient(grad, gaussian, alpha)
        alpha -= lr * step
    return np.array(path)


walks = {rule: [walk(rule, at) for at in (0.4, 2.6)] for rule in ("exact", "LSQ")}
check.predicted(my_guess, float(walks["LSQ"][0][-1]), within=0.04,
                comment=f"The exact gradient ends at {walks['exact'][0][-1]:.3f}. LSQ's is not the gradient "
                        "of the error, so it need not vanish where the error is least.")  # fmt: skip


# %% jupyter={"source_hidden": true}
def lost_at(alpha):
    trits = np.round(np.clip(gaussian / alpha, -1, 1))
    return 100 * np.mean((gaussian - alpha * trits) ** 2) / np.mean(gaussian**2)


figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.3))
for (rule, two), color in zip(walks.items(), (style.TERNARY, style.ACCENT)):
    for path in two:
        left.plot(path[:60], color=color, label=rule if path is two[0] else None)
left.set(xlabel="step", ylabel="scale α / σ", title="Two gradients, two places of rest")
left.legend(fontsize=9)
grid = np.linspace(0.9, 1.7, 81)
right.plot(grid, [lost_at(a) for a in grid], color=style.FLOAT)
for (rule, two), color, (dx, dy), side in zip(
    walks.items(), (style.TERNARY, style.ACCENT), ((-4, -15), (8, -11)), ("right", "left")
):
    end = two[0][-1]
    right.plot(end, lost_at(end), "o", color=color, zorder=3)
    right.annotate(
        f"{rule}: {end:.3f}, {lost_at(end):.1f} % lost", (end, lost_at(end)), (dx, dy),
        textcoords="offset points", color=color, fontsize=9, ha=side,
    )  # fmt: skip
right.set(xlabel="scale α / σ", ylabel="share of the energy lost, %", ylim=(18, 25),
          title="It hardly costs anything")  # fmt: skip
plt.show()

# %% [markdown]
# Six percent too large, and 0.2 points of energy poorer. LSQ pays this price for something: its gradient knows that $\alpha$ moves the thresholds as well, which TTQ's exact one is blind to. In a network the goal is not squared error anyway. In the library they are called `seq` (LSQ's scale in the ternary form of ParetoQ) and `ttq`; `tt.quant.quantizers()` lists all rules, and `tt.quant.STRAIGHT_THROUGH` the surrogates that go with them.

# %%
for name, rule in tt.quant.STRAIGHT_THROUGH.items():
    print(f"{name:<9} {rule.doc}")

# %% [markdown]
# ## 8 · The museum
#
# Straight-through bugs have a nasty property: most of them *train*. The loss falls, the accuracy is not absurd, and nobody looks further. So here are three exhibits, and you get what you would get in life: symptoms, and code to read.
#
# ### Exhibit A: the tracker that grew old
#
# Four hundred ternary weights follow a target that is measured with noise. Their trits come from a fixed threshold, $\operatorname{clip}(\operatorname{round}(w), -1, 1)$. The update is below. At step 300 the target turns over to its opposite. A young tracker adapts in no time; this one has seen 300 steps.


# %%
def buggy_step(latent, grad, lr):
    """One step of descent on the latent weights."""
    return latent - lr * grad


def follow(step, turn_over=300, after=300, lr=0.05):
    """Share of trits that are right after each step, and the latent weights along the way."""
    rng = np.random.default_rng(6)
    target, latent = rng.normal(0, 1.5, 400), rng.normal(0, 0.5, 400)
    right, snapshots = [], []
    for now in range(turn_over + after):
        if now == turn_over:
            target = -target
        trits = np.clip(np.round(latent), -1, 1)
        right.append(np.mean(trits == np.clip(np.round(target), -1, 1)))
        snapshots.append(latent)
        latent = step(latent, trits - target + rng.normal(0, 0.3, 400), lr)
    return 100 * np.array(right), np.array(snapshots)


# %% jupyter={"source_hidden": true}
def show_exhibit(step, name):
    _, axes = plt.subplots(1, 3, figsize=(11, 2.9), width_ratios=(1.2, 1, 1))
    for turn_over, color, label in (
        (30, style.TERNARY, "after 30 steps"),
        (300, style.ACCENT, "after 300"),
    ):
        right, snapshots = follow(step, turn_over)
        axes[0].plot(
            np.arange(-20, 300), right[turn_over - 20 : turn_over + 300], color=color, label=label
        )
    axes[0].set(
        xlabel="steps since the target turned over",
        ylabel="right trits, %",
        ylim=(0, 105),
        title=name,
    )
    axes[0].legend(title="turned over", fontsize=9, loc="lower right")
    edge = max(2.0, np.abs(snapshots[300]).max())
    for axis, at in zip(axes[1:], (30, 300)):
        axis.hist(snapshots[at], np.linspace(-edge, edge, 61), color=style.FLOAT)
        for delta in (-0.5, 0.5):
            axis.axvline(delta, color=style.ACCENT, linewidth=1)
        axis.set(xlabel="latent weight (lines: ±δ)", yticks=[], title=f"step {at}")
        axis.spines["left"].set_visible(False)
    plt.show()


show_exhibit(buggy_step, "Old trackers are slow")

# %% [markdown]
# ### Exercise 4.8: repair it (2 points)
#
# What is wrong? Write `repaired_step(latent, grad, lr)`, such that
#
# - a weight well within ±1 takes the ordinary step;
# - no latent weight strays beyond ±1 by more than one step, however long it is pushed;
# - a weight that was pushed outwards for a long time follows at once when the push turns round.
#
# There is more than one good repair. (And there is one tempting repair that breaks the third condition: section 3.)


# %% nbgrader={"grade": false, "grade_id": "4_8_repaired_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_step(latent, grad, lr):
    """One step of descent after which no latent weight is far away, and none is dead."""
    ### BEGIN SOLUTION
    return np.clip(latent - lr * grad, -1, 1)  # as BinaryConnect does
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_8_repaired_step_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.8")
def _(repaired_step):
    check.close(
        repaired_step(np.array([0.0, 0.4, -0.8]), np.array([1.0, -0.9, 0.5]), 0.1), [-0.1, 0.49, -0.85],
        "Weights well within ±1 should take the plain step, latent - lr * grad.",
    )  # fmt: skip
    latent = np.array([0.2, -0.2, 0.9, 0.97])
    push = np.array([-0.9, 0.9, -0.9, -0.9])
    for _ in range(400):
        latent = repaired_step(latent, push, 0.1)
    far = float(np.abs(latent).max())
    check.true(
        far <= 1.0 + 0.09 + 1e-9,
        f"After 400 steps with the same gradient a latent weight lies at {far:.3g}: it still runs "
        "away. How large the gradient is does not matter; how often it comes does.",
    )
    check.equal(
        np.clip(np.round(latent), -1, 1), [1, -1, 1, 1],
        "Pushed outwards for 400 steps, these should have trits 1, -1, 1, 1.",
    )  # fmt: skip
    for _ in range(20):
        latent = repaired_step(latent, -push, 0.1)
    check.equal(
        np.clip(np.round(latent), -1, 1), [-1, 1, -1, -1],
        "Now pushed the other way for 20 steps, 0.09 each, which is ample. A weight that does not "
        "follow is locked out: it was beyond the limit when the push turned round, and nothing "
        "reaches it there.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(49)
    w, g = rng.uniform(-0.8, 0.8, size=(6, 7)), rng.uniform(-1, 1, size=(6, 7))
    check.close(repaired_step(w, g, 0.1), w - 0.1 * g, "On a random matrix within ±0.8.")
    right, moments = [], []
    target, latent = rng.normal(0, 1.5, 200), rng.normal(0, 0.5, 200)
    for now in range(260):
        goal = target if now < 200 else -target
        trits = np.clip(np.round(latent), -1, 1)
        right.append(np.mean(trits == np.clip(np.round(goal), -1, 1)))
        latent = repaired_step(latent, trits - goal, 0.05)
        moments.append(np.abs(latent).max())
    check.true(right[-1] > 0.7, "60 steps after the target turned over most trits are still wrong.")
    ### END HIDDEN TESTS


# %% variant={"of": "4_8_repaired_step", "wrong": "a mask: dead once it is over the limit", "says": "locked out"}
def repaired_step(latent, grad, lr):
    return latent - lr * grad * (np.abs(latent) <= 1)


# %% variant={"of": "4_8_repaired_step", "wrong": "clips the gradient", "says": "still runs"}
def repaired_step(latent, grad, lr):
    return latent - lr * np.clip(grad, -1, 1)


# %% variant={"of": "4_8_repaired_step", "wrong": "weight decay on every weight", "says": "plain step"}
def repaired_step(latent, grad, lr):
    return 0.9 * latent - lr * grad


# %% variant={"of": "4_8_repaired_step", "wrong": "clips at the threshold: no trit but 0 is left"}
def repaired_step(latent, grad, lr):
    return np.clip(latent - lr * grad, -0.5, 0.5)


# %% variant={"of": "4_8_repaired_step", "wrong": "a smaller learning rate", "says": "plain step"}
def repaired_step(latent, grad, lr):
    return latent - 0.1 * lr * grad


# %% variant={"of": "4_8_repaired_step", "wrong": "a gate that opens outwards", "says": "still runs"}
def repaired_step(latent, grad, lr):
    return latent - lr * grad * ((np.abs(latent) <= 1) | (grad * latent < 0))


# %% variant={"of": "4_8_repaired_step", "right": "the gate with a way back"}
def repaired_step(latent, grad, lr):
    return latent - lr * gate(grad, latent, 1.0, way_back=True)


# %% variant={"of": "4_8_repaired_step", "right": "brought back before the step"}
def repaired_step(latent, grad, lr):
    return np.maximum(-1, np.minimum(1, latent)) - lr * grad


# %% [markdown] hints={"of": "4_8_repaired_step"}
# 1. Where are the latent weights at step 300, compared with ±δ? How many steps is it from there?
# 2. A trit has been +1 for long, and its target is 2.3. What does its latent weight do?
# 3. BinaryConnect looked after its latent weights *after* each update; section 3 had a gate.

# %%
show_exhibit(my.repaired_step, "Repaired: age is no matter")

# %% [markdown]
# The name in the museum's catalogue: *unmasked clip*. The forward pass clips, the backward pass does not know.
#
# ### Exhibit B: the scale that was forgotten
#
# Two colleagues have each written a layer whose scale is to be **learned**, in the popular one-line style: `.detach()` cuts a part out of the graph, so that it counts as a constant. The latent weights should get the gradient straight through, the scale the exact one. Each has sent you a log.


# %%
def colleague_a(latent, alpha):
    trits = tt.Tensor(absmean(latent.data)[0].astype(np.float64))
    return (alpha * latent.abs().mean()) * trits


def colleague_b(latent, alpha):
    trits = tt.Tensor(absmean(latent.data)[0].astype(np.float64))
    return latent + (alpha * trits - latent).detach()


def fit_layer(through, turns=150, lr=0.5):
    """Fit a ternary layer of 16 x 32 to a float one; return the log."""
    rng = np.random.default_rng(8)
    wanted, x = rng.normal(size=(16, 32)), rng.normal(size=(256, 32))
    latent = tt.Tensor(rng.normal(0, 0.3, (16, 32)), requires_grad=True)
    alpha = tt.Tensor(np.array(0.3), requires_grad=True)
    log = {"loss": [], "alpha": [], "flips": [], "gradient": None}
    for _ in range(turns):
        error = tt.Tensor(x) @ through(latent, alpha).T - tt.Tensor(x @ wanted.T)
        loss = (error * error).mean()
        loss.backward()
        before = latent.data.copy()
        log["loss"].append(loss.item())
        log["alpha"].append(alpha.item())
        if log["gradient"] is None:
            log["gradient"] = latent.grad.copy()
        latent.data[...] -= lr * latent.grad
        if alpha.grad is not None:
            alpha.data[...] -= lr * alpha.grad / np.sqrt(latent.size)
        latent.grad = alpha.grad = None
        log["flips"].append(my.count_flips(before, latent.data))
    return log


logs = {"A": fit_layer(colleague_a), "B": fit_layer(colleague_b)}
for name, log in logs.items():
    print(f"colleague {name}: loss {log['loss'][0]:.1f} -> {log['loss'][-1]:.1f}, "
          f"alpha {log['alpha'][0]:.2f} -> {log['alpha'][-1]:.2f}, {sum(log['flips'])} flips")  # fmt: skip
    print("   gradient of six latent weights in the first step:", log["gradient"][0, :6].round(4))


# %% jupyter={"source_hidden": true}
def show_logs(logs):
    _, axes = plt.subplots(1, 3, figsize=(11, 2.8))
    colors = {"A": style.ACCENT, "B": "#8a5fb0", "repaired": style.TERNARY}
    for name, log in logs.items():
        for axis, key in zip(axes, ("loss", "alpha", "flips")):
            values = np.cumsum(log[key]) if key == "flips" else log[key]
            axis.plot(values, color=colors[name], label=name)
    for axis, title in zip(axes, ("loss", "scale α", "flips so far")):
        axis.set(xlabel="step", title=title)
        style.grid_behind(axis)
    axes[0].set_ylim(0)
    axes[1].legend(fontsize=9)
    plt.show()


show_logs(logs)

# %% [markdown]
# Read the logs before the code. In A the gradients of six weights have one and the same magnitude. In B the scale is a horizontal line. What is in the graph that should not be, and what is missing that should?

# %% [markdown]
# ### Exercise 4.9: repair both (3 points)
#
# Write `repaired_through(latent, alpha)`. Both are Tensors, `alpha` of shape `()`. Return a Tensor such that
#
# - forward it is $\alpha\,t$, with absmean's trits of the latent weights and the *learned* `alpha`;
# - backward the latent weights get the incoming gradient unchanged;
# - and `alpha` gets the exact gradient, $\sum_i \text{grad}_i\, t_i$.
#
# You may use the engine: `.detach()`, `tt.Tensor`, or a `Function` of your own.


# %% nbgrader={"grade": false, "grade_id": "4_9_repaired_through", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_through(latent, alpha):
    """Forward alpha * trits; backward straight through to latent, exact to alpha."""
    ### BEGIN SOLUTION
    trits = tt.Tensor(absmean(latent.data)[0])
    return alpha * trits + (latent - latent.detach())  # the bracket is 0, with slope 1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "4_9_repaired_through_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("4.9", allow=("tinyternary.autograd",))
def _(repaired_through):
    values = np.array([[0.9, -0.1, 0.2, -1.2]])
    latent = tt.Tensor(values, requires_grad=True)
    alpha = tt.Tensor(np.array(0.25), requires_grad=True)
    seen = repaired_through(latent, alpha)
    check.true(
        isinstance(seen, tt.Tensor) and seen.requires_grad,
        "Return a Tensor that hangs together with latent and alpha in the graph, or nothing can "
        "flow back. (`.data` leaves the graph.)",
    )
    check.close(
        seen.data, [[0.25, 0, 0, -0.25]],
        "Forward: the learned alpha, 0.25, times the trits 1, 0, 0, -1. (absmean's own scale would be "
        "0.6; it only makes the trits.)",
        atol=1e-7,
    )  # fmt: skip
    seen.backward(np.array([[1.0, 2.0, 3.0, 5.0]]))
    check.true(
        latent.grad is not None,
        "The latent weights get no gradient at all: trits are constants in the graph, so something "
        "else has to carry it.",
    )
    check.close(
        latent.grad, [[1.0, 2.0, 3.0, 5.0]],
        "The latent weights should get the gradient unchanged: each its own, not multiplied by "
        "alpha, and nothing by way of a scale.",
    )  # fmt: skip
    check.true(
        alpha.grad is not None,
        "alpha gets no gradient: it was detached along with what should be.",
    )
    check.close(
        alpha.grad, -4.0,
        "alpha should get the sum of grad times trit, here 1 - 5. If yours has another value, is "
        "alpha in the graph once too often?",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(50)
    w = rng.normal(size=(5, 8))
    latent, alpha = tt.Tensor(w, requires_grad=True), tt.Tensor(np.array(1.7), requires_grad=True)
    seen = repaired_through(latent, alpha)
    trits = absmean(w)[0]
    check.close(seen.data, 1.7 * trits, "On a random matrix, forward.", atol=1e-7)
    (seen * seen).sum().backward()
    check.close(latent.grad, 3.4 * trits, "On a random matrix: the latent weights.", atol=1e-7)
    check.close(alpha.grad, 3.4 * np.sum(trits**2), "On a random matrix: alpha.")
    ### END HIDDEN TESTS


# %% variant={"of": "4_9_repaired_through", "wrong": "colleague B: alpha detached", "says": "alpha gets no gradient"}
def repaired_through(latent, alpha):
    trits = tt.Tensor(absmean(latent.data)[0].astype(latent.dtype))
    rounded = (alpha * trits - latent).detach()
    return latent + rounded


# %% variant={"of": "4_9_repaired_through", "wrong": "trits alone: no gradient to the latent weights", "says": "no gradient at all"}
def repaired_through(latent, alpha):
    return alpha * tt.Tensor(absmean(latent.data)[0].astype(latent.dtype))


# %% variant={"of": "4_9_repaired_through", "wrong": "straight through the trits, so times alpha", "says": "not multiplied by"}
def repaired_through(latent, alpha):
    trits = tt.Tensor(absmean(latent.data)[0].astype(latent.dtype))
    return alpha * (trits + latent - latent.detach())


# %% variant={"of": "4_9_repaired_through", "wrong": "colleague A: a statistic of the weights in the graph", "says": "by way of a scale"}
def repaired_through(latent, alpha):
    trits = tt.Tensor(absmean(latent.data)[0].astype(latent.dtype))
    size = latent.abs().mean()
    return alpha * (size / size.detach()) * trits + (latent - latent.detach())


# %% variant={"of": "4_9_repaired_through", "wrong": "absmean's scale in place of the learned one", "says": "0.6"}
def repaired_through(latent, alpha):
    trits, scale = absmean(latent.data)
    seen = tt.Tensor((scale * trits).astype(latent.dtype))
    return seen + (latent - latent.detach()) + (alpha - alpha.detach())


# %% variant={"of": "4_9_repaired_through", "wrong": "alpha gets the gradient of all weights, trits forgotten", "says": "grad times trit"}
def repaired_through(latent, alpha):
    trits = tt.Tensor(absmean(latent.data)[0].astype(latent.dtype))
    return (alpha.detach() * trits) + (latent - latent.detach()) + (alpha - alpha.detach())


# %% variant={"of": "4_9_repaired_through", "right": "a Function with two inputs"}
class Learned(Function):
    def take(ctx, latent, alpha):
        trits = absmean(latent)[0].astype(latent.dtype)
        ctx.save(trits)
        return alpha * trits

    def give(ctx, grad):
        return grad, np.sum(grad * ctx.saved[0]).reshape(())

    forward, backward = staticmethod(take), staticmethod(give)


def repaired_through(latent, alpha):
    return Learned.apply(latent, alpha)


# %% variant={"of": "4_9_repaired_through", "right": "latent plus a constant, and alpha's share on top"}
def repaired_through(latent, alpha):
    trits = absmean(latent.data)[0].astype(latent.dtype)
    rounded = latent + tt.Tensor(alpha.data * trits - latent.data)
    return rounded + (alpha - alpha.detach()) * tt.Tensor(trits)


# %% [markdown] hints={"of": "4_9_repaired_through"}
# 1. `x - x.detach()` is zero. What is its slope?
# 2. Write the result as a sum of two terms: one that carries alpha's gradient, one that carries the latent weights'.
# 3. The second term must not change what the forward pass sees.

# %%
show_logs(logs | {"repaired": fit_layer(my.repaired_through)})

# %% [markdown]
# *Gradient to alpha by mistake*, says the label under A: a statistic of the latent weights stood in the graph, and all weights of a sign got the same push. *Detached where it should not be*, says the one under B, and B would have passed most code reviews: the trits are trained, the loss falls, and only a plot of $\alpha$ shows it.
#
# ### Exhibit C: the wrong file
#
# This one is short, and easily made: a checkpoint and a model look so much alike. A trained network is saved for a device. In the notebook it scores what it should. The file is suspiciously large, and the device disagrees with the notebook.


# %%
def save_weights(network):
    return b"".join(network[place].data.tobytes() for place in WEIGHTS)


in_file = save_weights(filmed)
rows, test = split(0)
print(f"notebook: {accuracy(filmed, my.StraightThrough.apply, test):.1f} % right;"
      f"  device, from the file: {accuracy(filmed, as_float, test):.1f} %")  # fmt: skip

# %% [markdown]
# **Predict, then run.** How many times too large is the file, compared with the trits packed four to a byte?

# %%
my_guess = None  # times too large

pack_row = course.mine("01").pack_row  # yours, from lesson 01
packed = b"".join(
    pack_row(row).tobytes() for place in WEIGHTS for row in absmean(filmed[place].data)[0]
)
check.predicted(my_guess, len(in_file) / len(packed), within=1,
                comment=f"{len(in_file):,} bytes in place of {len(packed):,}. It holds the latent weights.")  # fmt: skip

# %% jupyter={"source_hidden": true}
values = filmed[0].data.ravel()
trits, alpha = absmean(filmed[0].data)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.8))
left.hist(values, 80, color=style.FLOAT)
left.set(yticks=[], xlabel="value", title="What was shipped")
right.bar(
    [-alpha, 0, alpha],
    [np.sum(trits == t) for t in (-1, 0, 1)],
    width=0.12 * alpha,
    color=(MINUS, ZERO, PLUS),
)
right.set(yticks=[], xlim=left.get_xlim(), xlabel="value", title="What was trained")
for axis in (left, right):
    axis.spines["left"].set_visible(False)
plt.show()

# %% [markdown]
# What was trained is the right picture. The left one is the optimiser's notebook: every number in it says how firmly a trit is settled, and none of them is a weight. The cheapest protection is a test that loads the *file* and compares its answers with those of the network that was evaluated. Lesson 10 builds such a file.
#
# ## 9 · In words

# %% [markdown] nbgrader={"grade": true, "grade_id": "4_10_words", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### Exercise 4.10: wrong, and yet (3 points)
#
# In what sense is the straight-through gradient *wrong*, and in what sense is it not? Why does training work all the same? Use at least two measurements of this lesson as evidence, and name one situation in which it would *not* work.
#
# ### BEGIN SOLUTION
# The derivative of the trits by the latent weights is zero almost everywhere and infinite at the thresholds (4.1), so the gradient that the latent weights get is not the derivative of the loss by them. It is not even the gradient of any other function of the latent weights in general: it is taken at the rounded weights and handed to the latent ones. What is right about it: with respect to the rounded weights it is exact, at the network that is really used. It therefore says correctly, for every weight, to which side the loss would like it to move. The latent weight adds these wishes up over many batches, and the trit changes only when enough of them agree. That is a vote with inertia rather than a descent.
#
# Evidence: finite steps along it lower the true loss although infinitesimal ones do nothing; random positive slopes, which spoil the strength of every wish and keep its side, train as well as the identity, while random signs ruin it; most trits never need to change.
#
# It does not work where the side is wrong or nothing flips: with slopes of random sign; with latent weights that are dead behind a clip or have run far away; with a learning rate that is tiny compared with the latent weights. It also does not settle a weight whose ideal value lies between two trits, which goes on oscillating.
# ### END SOLUTION

# %% [markdown] rubric={"of": "4_10_words"}
# One point each, at most three:
#
# - **Wrong:** the true derivative of the trits is zero almost everywhere (infinite at thresholds); the STE puts 1 in its place. Full point only if it is said *of what* it is not the derivative: of the loss by the latent weights.
# - **Right:** it is the exact gradient at the rounded weights, so the side (sign) of each push is informative; latent weights accumulate pushes and a flip needs many that agree; finite steps descend. At least two measurements are named: the descent figure, random slopes against random signs, the share of trits that ever change, oscillation, the 16 times larger latent weights.
# - **Limits:** one situation in which it fails, with the reason: random signs, dead or runaway weights, a learning rate too small relative to the latent weights, oscillation at the threshold when the last step is shipped.
#
# "Because the noise averages out" alone earns nothing; "it works in practice" neither.

# %% [markdown]
# ## Recap
#
# - The **true slope** of a quantised loss is zero almost everywhere and infinite at the thresholds. Finite steps see a slope nevertheless.
# - The **straight-through estimator** takes the exact gradient at the rounded weights and hands it to the latent ones. Its strength may be wrong by random factors; its **sign** may not.
# - A clip without a mask lets latent weights **run away**; a mask without a way back leaves them **dead**. Clipping the latent weights after each update does neither.
# - The only event in a ternary network is the **flip**. Most flips take back an earlier one.
# - Latent weights are **inertia**: with $c$ times the latent weights and $c$ times the learning rate the network is the same, bit by bit.
# - A weight whose ideal lies between two trits **oscillates**, at a rate that does not depend on the learning rate.
# - **Learned scales**: TTQ's gradient is exact for fixed trits, LSQ's is that of a surrogate which knows of the thresholds.
# - Plot the latent weights, the flips and the scale. An accuracy shows none of the bugs in the museum.
#
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - Y. Bengio, N. Léonard, A. Courville, *Estimating or Propagating Gradients Through Stochastic Neurons for Conditional Computation*, 2013, arXiv 1308.3432. Names the straight-through estimator and credits Hinton's lectures of 2012.
# - M. Courbariaux, Y. Bengio, J.-P. David, *BinaryConnect*, 2015, arXiv 1511.00363. Binary weights with float ones behind them, clipped to ±1 after each update (section 2.4).
# - I. Hubara, M. Courbariaux et al., *Binarized Neural Networks*, 2016, arXiv 1602.02830. The clipped estimator, and that leaving the clip out makes results significantly worse.
# - P. Yin et al., *Understanding Straight-Through Estimator in Training Activation Quantized Neural Nets*, 2019, arXiv 1903.05662. Proves for a small network that a well chosen surrogate's gradient correlates with that of the population loss, and that a poorly chosen one is unstable near good solutions.
# - M. Nagel et al., *Overcoming Oscillations in Quantization-Aware Training*, 2022, arXiv 2203.11086. The toy of section 6, the detector, dampening and freezing.
# - S. Esser et al., *Learned Step Size Quantization*, 2020, arXiv 1902.08153. Equation 3 and the scaling of section 2.2 are exercise 4.7.
# - C. Zhu et al., *Trained Ternary Quantization*, 2017, arXiv 1612.01064. Two learned scales.
# - S. Ma et al., *The Era of 1-bit LLMs*, 2024, arXiv 2402.17764. absmean with the identity.
#
# **Next:** lesson 05 builds the network that we want to make ternary, a Vision Transformer.
