# %% [markdown]
# # 03 · Training
#
# In lesson 02 you built the machine that computes gradients. A gradient says which way is down. It does not say which images to look at next, how far to step, when to step less far, or whether the number at the end means anything. Those four questions are most of what "training a network" is, and most of what goes wrong with it.
#
# You will be able to
#
# - feed a network batches that see every example once an epoch, in an order that you can get back next year;
# - write a loss that does not overflow, and say what it must be before the first step;
# - build SGD with momentum, Adam and AdamW, and say what each does that the one before could not;
# - give a learning rate a life: up, along a cosine, down;
# - put an interval around an accuracy, and be startled by its width;
# - recognise four famous training bugs by their symptoms.
#
# **What you need:** NumPy, the chain rule, lesson 02 for the taste of it. **Time:** about 90 minutes. **Network:** none. Every training run takes a second or less.
#
# | exercise | builds | difficulty |
# |---|---|---|
# | 3.1 | shuffled batches | ● |
# | 3.2 | log-softmax, cross-entropy and its gradient | ●● |
# | 3.3 | SGD with momentum | ● |
# | 3.4 | Adam | ●● |
# | 3.5 | AdamW | ●● |
# | 3.6 | warm-up and cosine | ●● |
# | 3.7 | a bootstrap interval | ●● |
# | 3.8 | *museum:* a training script with three diseases | ●●● |
# | 3.9 | *museum:* the network that predicts coin flips | ●● |
# | 3.10 | a question to answer in words | ●● |
#
# Work as in the earlier lessons: fill in, run, check, and ask `check.hint("3.4")` when you are stuck.

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import binom, norm, t as student_t

import tinyternary as tt
from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})
PLAIN, MOMENTUM, ADAM = style.FLOAT, style.TERNARY, style.ACCENT

check = course.checks("03_training")
my = check.mine

# %% [markdown]
# ## 1 · Which images next?
#
# A step of training looks at a small *batch* of examples. A batch of 32 gives a gradient that is noisy but cheap; one **epoch** is one pass through all the examples, batch after batch.
#
# There are two ways to draw batches. *With replacement*: each batch is drawn from all examples, like dice. *Without*: shuffle the examples once an epoch, then deal them out like cards. The first is what most proofs assume, the second is what everybody does. Why?
#
# **Predict, then run.** There are 1000 examples, and an epoch draws 1000 of them with replacement. What percentage of the examples is not seen at all in that epoch?

# %%
my_guess = None  # percent of the examples that are never drawn

rng = np.random.default_rng(31)
unseen = 100 * np.mean([1 - np.unique(rng.integers(0, 1000, 1000)).size / 1000 for _ in range(200)])
check.predicted(my_guess, float(unseen), within=4, unit=" %",
                comment="(1 - 1/n)^n is close to 1/e. More than a third of your data stays in the box.")  # fmt: skip

# %% [markdown]
# ### Exercise 3.1: deal the cards (2 points)
#
# Write `batches(count, batch_size, seed, epoch)`. It yields integer arrays: the indices of one batch after another. Together they hold each of `0 ... count - 1` exactly once, in random order. The last batch may be shorter than the others; do not drop it.
#
# The order depends on `seed` and on `epoch`, and on nothing else: each epoch is shuffled afresh, and the same two numbers bring back the same order, today or in a run that was killed at night and goes on in the morning. Draw from a generator of your own: NumPy's global one is shared with everybody else's code. `np.random.default_rng` takes more than a single number; what it takes is worth a look, for adding the two numbers is a trap.


# %% nbgrader={"grade": false, "grade_id": "3_1_batches", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batches(count, batch_size, seed, epoch):
    """Yield index arrays that deal out 0 ... count - 1 in an order drawn from (seed, epoch)."""
    ### BEGIN SOLUTION
    order = np.random.default_rng([seed, epoch]).permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_1_batches_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.1")
def _(batches):
    dealt = list(batches(10, 4, seed=0, epoch=0))
    check.equal(
        [len(batch) for batch in dealt], [4, 4, 2],
        "Ten examples in batches of four: two full ones and a short one with the rest.",
    )  # fmt: skip
    check.equal(
        np.sort(np.concatenate(dealt)), np.arange(10),
        "Sorted, the batches should hold each of 0 ... 9 exactly once.",
    )  # fmt: skip

    def order(seed, epoch, count=60):
        return np.concatenate([np.asarray(b) for b in batches(count, 8, seed, epoch)])

    check.equal(
        order(3, 1), order(3, 1),
        "The same seed and epoch should bring back the same order. Who else draws from your "
        "generator?",
    )  # fmt: skip
    check.true(
        not np.array_equal(order(3, 0), order(3, 1)),
        "Epochs 0 and 1 have the same order: an epoch should be shuffled afresh.",
    )
    check.true(not np.array_equal(order(3, 0), order(4, 0)), "Seeds 3 and 4 give the same order.")
    check.true(
        not np.array_equal(order(0, 1), order(1, 0)),
        "Seed 0 in epoch 1 has the order of seed 1 in epoch 0: runs that should be independent "
        "share their shuffles. The two numbers must not be mixed into one by adding.",
    )
    together = np.mean(np.abs(np.diff(order(5, 0, 400))) == 1)
    check.true(
        together < 0.2,
        "Neighbours stay neighbours: it is the examples that should be shuffled, not only the "
        "batches. Data often comes sorted by class.",
    )
    ### BEGIN HIDDEN TESTS
    before = np.random.get_state()[1].copy()
    order(7, 7)
    check.equal(
        np.random.get_state()[1], before,
        "Your function reseeds or draws from NumPy's global generator: other code shares it.",
    )  # fmt: skip
    for count, size in ((1, 1), (7, 7), (8, 100), (33, 1), (64, 32)):
        dealt = list(batches(count, size, 2, 5))
        check.equal(
            np.sort(np.concatenate(dealt)),
            np.arange(count),
            f"{count} examples, batches of {size}.",
        )
        check.true(
            all(len(b) == size for b in dealt[:-1]) and 0 < len(dealt[-1]) <= size,
            f"{count} examples in batches of {size}: all but the last should be full, none empty.",
        )
    first = order(1, 0)
    for epoch in (8, 10, 32, 64, 100, 256, 1000, 1024, 4096, 10_000, 65_536, 10**5, 10**6):
        check.true(
            not np.array_equal(first, order(0, epoch)),
            f"Seed 0 in epoch {epoch} has the order of seed 1 in epoch 0: multiplying before adding "
            "only moves the clash further away. Can the generator be given both numbers?",
        )
    place = np.argsort(order(6, 1, 400))
    kept = np.mean(np.diff(place[order(6, 0, 400)]) == 1)
    check.true(
        kept < 0.2,
        "Who follows whom in epoch 0 does so in epoch 1, too: the order is only moved on from one "
        "epoch to the next. Shuffle each epoch afresh.",
    )
    firsts = [order(0, epoch)[0] for epoch in range(60)]
    check.true(len(set(firsts)) > 20, "Over 60 epochs, far too few examples ever come first.")
    ### END HIDDEN TESTS


# %% variant={"of": "3_1_batches", "wrong": "drops the short batch", "says": "short one"}
def batches(count, batch_size, seed, epoch):
    order = np.random.default_rng([seed, epoch]).permutation(count)
    for i in range(count // batch_size):
        yield order[i * batch_size : (i + 1) * batch_size]


# %% variant={"of": "3_1_batches", "wrong": "draws with replacement", "says": "exactly once"}
def batches(count, batch_size, seed, epoch):
    rng = np.random.default_rng([seed, epoch])
    for start in range(0, count, batch_size):
        yield rng.integers(0, count, min(batch_size, count - start))


# %% variant={"of": "3_1_batches", "wrong": "fills the last batch up from the front"}
def batches(count, batch_size, seed, epoch):
    order = np.random.default_rng([seed, epoch]).permutation(count)
    order = np.resize(order, -(-count // batch_size) * batch_size)
    yield from order.reshape(-1, batch_size)


# %% variant={"of": "3_1_batches", "wrong": "one order for all epochs", "says": "afresh"}
def batches(count, batch_size, seed, epoch):
    order = np.random.default_rng(seed).permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]


# %% variant={"of": "3_1_batches", "wrong": "adds seed and epoch", "says": "adding"}
def batches(count, batch_size, seed, epoch):
    order = np.random.default_rng(seed + epoch).permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]


# %% variant={"of": "3_1_batches", "wrong": "shuffles the batches, not the examples", "says": "Neighbours"}
def batches(count, batch_size, seed, epoch):
    whole = [np.arange(s, min(s + batch_size, count)) for s in range(0, count, batch_size)]
    full, rest = (whole[:-1], whole[-1:]) if len(whole[-1]) < batch_size else (whole, [])
    for i in np.random.default_rng([seed, epoch]).permutation(len(full)):
        yield full[i]
    yield from rest


# %% variant={"of": "3_1_batches", "wrong": "the global generator, never seeded", "says": "bring back"}
def batches(count, batch_size, seed, epoch):
    order = np.random.permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]


# %% variant={"of": "3_1_batches", "wrong": "seeds the global generator", "says": "global generator"}
def batches(count, batch_size, seed, epoch):
    np.random.seed([seed, epoch])
    order = np.random.permutation(count)
    for start in range(0, count, batch_size):
        yield order[start : start + batch_size]


# %% variant={"of": "3_1_batches", "right": "a list, shuffled in place"}
def batches(count, batch_size, seed, epoch):
    order = np.arange(count)
    np.random.default_rng((epoch, seed)).shuffle(order)
    return [order[s : s + batch_size] for s in range(0, count, batch_size)]


# %% variant={"of": "3_1_batches", "right": "the standard library's random, and cuts"}
def batches(count, batch_size, seed, epoch):
    import random

    order = list(range(count))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    yield from np.split(np.array(order), range(batch_size, count, batch_size))


# %% [markdown] hints={"of": "3_1_batches"}
# 1. What does a permutation of `count` give you, and what would slices of it be?
# 2. `np.random.default_rng` accepts a list of integers as its seed, and keeps them apart.
# 3. `range(0, count, batch_size)` gives where each batch starts. What does a slice do that reaches beyond the end?

# %% [markdown]
# The left figure shows your iterator beside the dice, for 1000 examples and three epochs. On the right, how the dice's neglect dies away: after $k$ epochs a share of $e^{-k}$ has still never been seen. The cards have no such tail.

# %% jupyter={"source_hidden": true}
epochs = 3
dice = np.random.default_rng(32).integers(0, 1000, (epochs, 1000))
cards = np.stack([np.concatenate(list(my.batches(1000, 32, 0, e))) for e in range(epochs)])
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.1), width_ratios=(1.3, 1))
times = np.arange(10)
for drawn, color, name, offset in (
    (dice, ADAM, "with replacement", -0.2),
    (cards, MOMENTUM, "shuffled once an epoch", 0.2),
):
    seen = np.bincount(np.bincount(drawn.ravel(), minlength=1000), minlength=10)[:10]
    left.bar(times + offset, seen, width=0.4, color=color, label=name)
left.set(xticks=times, xlabel="times an example was seen in three epochs", ylabel="examples",
         title="Dice neglect some and favour others")  # fmt: skip
left.legend(fontsize=9)
passes = np.linspace(0, 5, 60)
right.plot(passes, 100 * np.exp(-passes), color=ADAM)
right.plot([0, 1, 5], [100, 0, 0], color=MOMENTUM)
right.plot(1, 100 / np.e, "o", color=ADAM)
right.annotate(
    f"1/e = {100 / np.e:.1f} %", (1, 100 / np.e), (10, 4), textcoords="offset points", color=ADAM
)
right.set(
    xlabel="epochs", ylabel="never seen, %", ylim=(-4, 104), title="Shuffling leaves nobody out"
)
plt.show()

# %% [markdown]
# The library's batches rest on the same idea. The order of an epoch is a function of `(seed, epoch)`, so `batch(17)` can be had without going through the sixteen before it, and a killed run goes on as if nothing had happened. It makes one other choice: all its batches are full, and the images left over are others in each epoch.

# %%
pictures = tt.data.phantoms("train", count=100)
library = tt.data.Batches(pictures, tt.data.fit_preprocessing(pictures), 32, seed=3)
for epoch in (0, 1):
    order = library.order(epoch)
    print(f"library, epoch {epoch}: every image once: {np.array_equal(np.sort(order), np.arange(100))},"
          f" {len(library)} full batches, left over {np.sort(order[96:])}")  # fmt: skip
print("yours, epoch 0: ", [len(batch) for batch in my.batches(100, 32, 3, 0)])
again = tt.data.Batches(pictures, tt.data.fit_preprocessing(pictures), 32, seed=3)
list(library)  # an epoch of the one; the other jumps
print(
    "batch 4 after an epoch, and at once:",
    np.array_equal(next(iter(library))[0], again.batch(3).images),
)

# %% [markdown]
# ## 2 · What is a good loss?
#
# A classifier gives a score, a *logit*, for each class. The **softmax** makes them probabilities, $p_c = e^{z_c} / \sum_j e^{z_j}$, and the **cross-entropy** asks how surprised we are by the truth: $-\log p_y$, averaged over the batch.
#
# Written down like that, it breaks. In float32, $e^{89}$ is infinite; infinity over infinity is NaN, and one NaN in the loss is in every weight a step later. On the other side, a probability of $10^{-50}$ becomes 0, and $\log 0$ is $-\infty$. Both are cured by one observation: adding a constant to all logits of a row changes nothing. So choose the constant that makes the largest of them 0, and stay with logarithms:
#
# $$
# \log p_c = z_c - m - \log \sum_j e^{z_j - m}, \qquad m = \max_j z_j .
# $$
#
# There is a gift at the end. The slope of this loss is the friendliest in all of machine learning: *what you said minus what is true*. Differentiate $-\log p_y$ with respect to $z_c$ and see.

# %% [markdown]
# ### Exercise 3.2: a loss that does not overflow (3 points)
#
# Write two functions. `log_softmax(logits)` takes an array $(B, C)$ and returns $\log p$ of the same shape, each row on its own. `cross_entropy(logits, labels)` takes labels $(B,)$, integers from 0 to $C-1$, and returns `(loss, gradient)`: the mean loss of the batch as a float, and its gradient with respect to the logits, $(B, C)$. Mind that the loss is a *mean*.


# %% nbgrader={"grade": false, "grade_id": "3_2_cross_entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_softmax(logits):
    """Logarithms of the softmax of each row of (B, C)."""
    ### BEGIN SOLUTION
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    ### END SOLUTION


def cross_entropy(logits, labels):
    """Mean of -log p[label], and its gradient with respect to the logits."""
    ### BEGIN SOLUTION
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].mean()), gradient / len(labels)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_2_cross_entropy_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.2")
def _(log_softmax, cross_entropy):
    logits = np.array([[2.0, 0.0, -1.0, 0.5], [0.0, 0.0, 0.0, 0.0]])
    labels = np.array([0, 3])
    with check.part("log_softmax", points=1), np.errstate(all="ignore"):
        check.close(
            log_softmax(logits[1:]), np.full((1, 4), -np.log(4)),
            "Four equal logits: each class has probability 1/4, and its natural logarithm is wanted.",
        )  # fmt: skip
        check.close(
            log_softmax(np.array([[1000.0, 0.0]])), [[0.0, -1000.0]],
            "A logit of 1000 should do no harm: take the row's maximum away first, and never go "
            "through a probability that has become 0.",
        )  # fmt: skip
        check.close(
            log_softmax(np.array([[900.0, 900.0], [-900.0, -900.0]])), np.full((2, 2), -np.log(2)),
            "Here one row is around 900 and another around -900: each needs its own maximum.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.close(
            log_softmax(np.array([[4000.0, 0.0, 0.0]])), [[0.0, -4000.0, -4000.0]],
            "One logit far above the others: it is the maximum that has to go, so that no power is "
            "above 1. With the mean taken away the largest is still large.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("the loss", points=1):
        p = np.exp([2.0, 0.0, -1.0, 0.5])
        loss, _ = cross_entropy(logits, labels)
        check.close(
            loss, (np.log(4) - np.log(p[0] / p.sum())) / 2,
            "Pick the log probability of each row's own label; the loss is minus their mean.",
        )  # fmt: skip
        check.close(
            cross_entropy(np.array([[0.0, 300.0]]), np.array([0]))[0], 300.0,
            "Confidently wrong by 300: that should cost 300, not infinity and not some cap.",
        )  # fmt: skip
    with check.part("the gradient", points=1):
        _, gradient = cross_entropy(logits, labels)
        check.close(
            np.sum(gradient, axis=1), [0.0, 0.0],
            "A constant added to a row changes nothing, so its gradients should add up to 0.",
        )  # fmt: skip
        check.true(
            gradient[1, 3] < 0 < gradient[1, 0],
            "A higher logit for the true class should lower the loss: that slope is negative, and "
            "those of the others are positive.",
        )
        check.close(
            gradient[1], [0.125, 0.125, 0.125, -0.375],
            "Second row of two: what you said (1/4 each) minus what is true, for the *mean* of the "
            "batch.",
        )  # fmt: skip
        with np.errstate(all="ignore"):
            _, gradient = cross_entropy(np.array([[1000.0, 0.0]]), np.array([1]))
        check.close(
            gradient, [[1.0, -1.0]],
            "A logit of 1000 should not hurt the gradient either: take the probabilities from "
            "`log_softmax`.", atol=1e-9,
        )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(320)
    z, y = rng.normal(0, 3, (7, 5)), rng.integers(0, 5, 7)
    before = z.copy()
    loss, gradient = cross_entropy(z, y)
    step = 1e-5
    for i, j in ((0, 0), (3, 4), (6, 2), (2, y[2]), (5, y[5])):
        up, down = z.copy(), z.copy()
        up[i, j] += step
        down[i, j] -= step
        slope = (cross_entropy(up, y)[0] - cross_entropy(down, y)[0]) / (2 * step)
        check.close(
            gradient[i, j], slope, "The loss does not move as its gradient says.", rtol=1e-4
        )
    check.close(log_softmax(z), tt.autograd.log_softmax(z).data, "On random logits.")
    check.equal(z, before, "The logits you were given have changed.")
    ### END HIDDEN TESTS


# %% variant={"of": "3_2_cross_entropy", "wrong": "softmax first, log after: overflows", "says": "maximum away first"}
def log_softmax(logits):
    e = np.exp(logits)
    return np.log(e / e.sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].mean()), gradient / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "stable softmax, then log with a tiny number added", "says": "become 0"}
def log_softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.log(e / e.sum(axis=1, keepdims=True) + 1e-12)


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].mean()), gradient / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "one maximum for the whole batch", "says": "its own maximum"}
def log_softmax(logits):
    shifted = logits - logits.max()
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].mean()), gradient / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "softmax over the batch in place of the classes", "says": "1/4"}
def log_softmax(logits):
    shifted = logits - logits.max(axis=0, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].mean()), gradient / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "sum in place of mean", "says": "minus their mean"}
def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].sum()), gradient


# %% variant={"of": "3_2_cross_entropy", "wrong": "mean loss, but the gradient of the sum", "says": "*mean*"}
def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    rows = np.arange(len(labels))
    gradient = np.exp(logp)
    gradient[rows, labels] -= 1
    return float(-logp[rows, labels].mean()), gradient


# %% variant={"of": "3_2_cross_entropy", "wrong": "the gradient by a softmax that overflows", "says": "hurt the gradient"}
def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    rows = np.arange(len(labels))
    e = np.exp(logits)
    gradient = e / e.sum(axis=1, keepdims=True)
    gradient[rows, labels] -= 1
    return float(-log_softmax(logits)[rows, labels].mean()), gradient / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "truth minus what was said", "says": "slope is negative"}
def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    truth = np.eye(logits.shape[1])[labels]
    return float(-(truth * logp).sum(axis=1).mean()), (truth - np.exp(logp)) / len(labels)


# %% variant={"of": "3_2_cross_entropy", "wrong": "the loss is clipped", "says": "some cap"}
def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def cross_entropy(logits, labels):
    logp = log_softmax(logits)
    truth = np.eye(logits.shape[1])[labels]
    p = np.clip(np.exp(logp), 1e-12, 1)
    return float(-(truth * np.log(p)).sum(axis=1).mean()), (p - truth) / len(labels)


# %% variant={"of": "3_2_cross_entropy", "right": "one-hot rows"}
def log_softmax(logits):
    top = np.max(logits, axis=-1)[:, None]
    return logits - (top + np.log(np.sum(np.exp(logits - top), axis=-1))[:, None])


def cross_entropy(logits, labels):
    truth = np.eye(logits.shape[1])[labels]
    logp = log_softmax(logits)
    return np.sum(-truth * logp) / len(labels), (np.exp(logp) - truth) / len(labels)


# %% variant={"of": "3_2_cross_entropy", "right": "row after row, logaddexp"}
def log_softmax(logits):
    return np.stack([row - np.logaddexp.reduce(row) for row in logits])


def cross_entropy(logits, labels):
    loss, rows = 0.0, []
    for row, label in zip(log_softmax(logits), labels):
        loss -= row[label] / len(labels)
        slope = np.exp(row)
        slope[label] -= 1
        rows.append(slope / len(labels))
    return loss, np.array(rows)


# %% [markdown] hints={"of": "3_2_cross_entropy"}
# 1. Which `axis` runs over the classes, and what does `keepdims=True` save you?
# 2. `logp[np.arange(B), labels]` picks one number from each row.
# 3. For the gradient: one row of probabilities for each image. Where is the truth 1, and what does the mean over the batch do to every slope?

# %% [markdown]
# **Predict, then run.** A freshly made network knows nothing: for ten classes, its logits are all about 0. What is its loss, before the first step?

# %%
my_guess = None  # the loss of a network that knows nothing, ten classes

nothing, _ = my.cross_entropy(np.zeros((32, 10)), np.arange(32) % 10)
check.predicted(my_guess, nothing, within=0.15,
                comment="log C for C classes. If your first loss is far above it, your network starts "
                        "out confidently wrong: look at its initialisation before anything else.")  # fmt: skip

# %% jupyter={"source_hidden": true}
margin = np.linspace(-130, 130, 521, dtype=np.float32)
two = np.stack([margin, np.zeros_like(margin)], axis=1)
with np.errstate(all="ignore"):
    e = np.exp(two)
    naive = -np.log(e[:, 0] / e.sum(axis=1))
stable = -my.log_softmax(two)[:, 0]

figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.3), width_ratios=(1.2, 1))
left.plot(margin, stable, color=MOMENTUM, label="through the maximum")
ok = np.isfinite(naive)
left.plot(margin[ok], naive[ok], color=ADAM, linestyle=(0, (2, 2)), label="as the formula says")
low, high = margin[ok].min(), margin[ok].max()
left.axvspan(-130, low, color=ADAM, alpha=0.1, linewidth=0)
left.axvspan(high, 130, color=ADAM, alpha=0.1, linewidth=0)
left.text((low - 130) / 2, 60, "log 0", color=ADAM, ha="center")
left.text((high + 130) / 2, 60, "NaN", color=ADAM, ha="center")
left.set(xlabel="logit of the true class minus the other's", ylabel="loss", xlim=(-130, 130),
         title="In float32 the textbook formula has cliffs")  # fmt: skip
left.legend(fontsize=9, loc="upper right", bbox_to_anchor=(0.83, 1))

scores = np.array([[1.6, 0.4, -0.6, 0.9]])
probabilities = np.exp(my.log_softmax(scores))[0]
slope = my.cross_entropy(scores, np.array([1]))[1][0]
right.bar(np.arange(4) - 0.2, probabilities, width=0.38, color=PLAIN, label="what it said")
right.bar(np.arange(4) + 0.2, slope, width=0.38, color=ADAM, label="gradient")
right.plot(1 - 0.2, 1, marker="_", color=style.INK, markersize=22, markeredgewidth=2)
right.text(0.55, 1.0, "the truth", ha="right", va="center", fontsize=9)
right.axhline(0, color=style.MUTED, linewidth=0.8)
right.set(xticks=range(4), xticklabels=[f"class {c}" for c in range(4)], ylim=(-1, 1.15),
          title="The slope: said minus true")  # fmt: skip
right.legend(fontsize=9, loc="lower right")
plt.show()

z = np.random.default_rng(33).normal(0, 4, (64, 10))
y = np.arange(64) % 10
tensor = tt.Tensor(z, requires_grad=True)
loss = tt.autograd.cross_entropy(tensor, y)
loss.backward()
mine = my.cross_entropy(z, y)
print(f"loss: yours {mine[0]:.12f}, the library's {float(loss.data):.12f}")
print(f"largest difference of the gradients: {np.abs(mine[1] - tensor.grad).max():.1e}")

# %% [markdown]
# ## 3 · Momentum: a ball in a valley
#
# The plainest optimiser goes a little way against the gradient, $w \leftarrow w - \eta\, g$, with the **learning rate** $\eta$. Its trouble is valleys. Where the ground is steep across and gentle along, the steep direction dictates how small $\eta$ must be, and the gentle one is crossed at a snail's pace.
#
# **Momentum** remembers. Instead of the gradient, the step follows a velocity that gathers gradients and slowly forgets them:
#
# $$
# v \leftarrow \mu\, v + g, \qquad w \leftarrow w - \eta\, v .
# $$
#
# Across the valley the gradient changes its sign again and again, and the velocity cancels. Along it, gradients agree, and the velocity grows.
#
# **Predict, then run.** On a slope that never changes ($g$ constant) and with $\mu = 0.9$: how many times longer are the steps in the end than those of plain gradient descent?

# %%
my_guess = None  # times longer

velocity = 0.0
for _ in range(200):
    velocity = 0.9 * velocity + 1.0
check.predicted(my_guess, velocity, within=1,
                comment="1 + 0.9 + 0.81 + ... = 1 / (1 - 0.9). Switch momentum on and keep the learning "
                        "rate, and you have raised the learning rate tenfold.")  # fmt: skip

# %% [markdown]
# ### Exercise 3.3: SGD with momentum (2 points)
#
# An optimiser has a memory, so it is a class. `parameters` is a list of arrays; `step(gradients)` gets a list of arrays of the same shapes, in the same order, and updates the parameters **in place**: the network holds the very same arrays, and must see the change. Each parameter has its own velocity, at first 0.
#
# Keep the learning rate as `self.lr` and read it in each step: a schedule will change it from outside. The gradients are not yours to change.


# %% nbgrader={"grade": false, "grade_id": "3_3_Momentum", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Momentum:
    """Stochastic gradient descent with momentum."""

    def __init__(self, parameters, lr=0.1, momentum=0.9):
        ### BEGIN SOLUTION
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocities = [np.zeros_like(w) for w in parameters]
        ### END SOLUTION

    def step(self, gradients):
        """Update every parameter in place."""
        ### BEGIN SOLUTION
        for w, v, g in zip(self.parameters, self.velocities, gradients):
            v *= self.momentum
            v += g
            w -= self.lr * v
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_3_Momentum_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.3", mutates=True)
def _(Momentum):
    w = np.array([1.0, 2.0])
    optimizer = Momentum([w], lr=0.1, momentum=0.5)
    g = np.array([1.0, -1.0])
    optimizer.step([g])
    check.true(
        not np.array_equal(w, [1.0, 2.0]),
        "The array you were given has not changed. `w = w - ...` makes a new array and binds a "
        "name to it; the network goes on with the old one.",
    )
    check.close(w, [0.9, 2.1], "First step from rest: the velocity is the gradient itself.")
    optimizer.step([g])
    check.close(
        w, [0.75, 2.25],
        "Second step, same gradient: half of the old velocity and the new gradient, 1.5 in all.",
    )  # fmt: skip
    check.equal(
        g, [1.0, -1.0],
        "The gradient array has changed. If the velocity *is* the first gradient's array, updating "
        "the one changes the other.",
    )  # fmt: skip
    optimizer.lr = 1.0
    optimizer.step([np.zeros(2)])
    check.close(
        w, [0.0, 3.0],
        "With the gradient at 0 and `lr` set to 1 from outside, the step is the old velocity, "
        "halved, times the *new* learning rate: the velocity itself has no learning rate in it.",
    )  # fmt: skip
    other = np.zeros(2)
    Momentum([other], lr=1.0).step([np.zeros(2)])
    check.equal(
        other, [0.0, 0.0],
        "A second optimiser, made after the first, moves by the first one's velocity. Keep the "
        "velocities in `self`: what stands in the class itself is shared by all.",
    )  # fmt: skip
    a, b = np.array([1.0]), np.array([2.0])
    optimizer = Momentum([a, b], lr=1.0, momentum=0.9)
    for _ in range(2):
        optimizer.step([np.array([1.0]), np.array([10.0])])
    check.close([a[0], b[0]], [-1.9, -27.0], "Two parameters: each has a velocity of its own.")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(330)
    for mu in (0.0, 0.9):
        w = rng.normal(size=(4, 3)).astype(np.float32)
        tensor = tt.Tensor(w.copy(), requires_grad=True)
        theirs = tt.train.SGD([tensor], lr=0.05, momentum=mu)
        optimizer = Momentum([w], lr=0.05, momentum=mu)
        for _ in range(6):
            gradient = rng.normal(size=(4, 3)).astype(np.float32)
            optimizer.step([gradient])
            tensor.grad = gradient
            theirs.step()
        check.close(w, tensor.data, "Six random steps from a random start.", rtol=1e-4, atol=1e-5)
        check.dtype(w, np.float32, "Parameters keep their type.")
    ### END HIDDEN TESTS


# %% variant={"of": "3_3_Momentum", "wrong": "makes new arrays", "says": "new array"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = list(parameters), lr, momentum
        self.velocities = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        for i, g in enumerate(gradients):
            self.velocities[i] = self.momentum * self.velocities[i] + g
            self.parameters[i] = self.parameters[i] - self.lr * self.velocities[i]


# %% variant={"of": "3_3_Momentum", "wrong": "an average: (1 - mu) g", "says": "the gradient itself"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocities = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        for w, v, g in zip(self.parameters, self.velocities, gradients):
            v *= self.momentum
            v += (1 - self.momentum) * g
            w -= self.lr * v


# %% variant={"of": "3_3_Momentum", "wrong": "the learning rate inside the velocity", "says": "*new* learning rate"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocities = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        for w, v, g in zip(self.parameters, self.velocities, gradients):
            v *= self.momentum
            v -= self.lr * g
            w += v


# %% variant={"of": "3_3_Momentum", "wrong": "the first gradient's array becomes the velocity", "says": "gradient array has changed"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocities = None

    def step(self, gradients):
        if self.velocities is None:
            self.velocities = list(gradients)
        else:
            for v, g in zip(self.velocities, [g.copy() for g in gradients]):
                v *= self.momentum
                v += g
        for w, v in zip(self.parameters, self.velocities):
            w -= self.lr * v


# %% variant={"of": "3_3_Momentum", "wrong": "one velocity for all parameters", "says": "velocity of its own"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum, self.v = parameters, lr, momentum, 0.0

    def step(self, gradients):
        for w, g in zip(self.parameters, gradients):
            self.v = self.momentum * self.v + g
            w -= self.lr * self.v


# %% variant={"of": "3_3_Momentum", "wrong": "no memory at all"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr = parameters, lr

    def step(self, gradients):
        for w, g in zip(self.parameters, gradients):
            w -= self.lr * g


# %% variant={"of": "3_3_Momentum", "wrong": "Nesterov's step"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocities = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        for w, v, g in zip(self.parameters, self.velocities, gradients):
            v *= self.momentum
            v += g
            w -= self.lr * (g + self.momentum * v)


# %% variant={"of": "3_3_Momentum", "right": "velocities made anew, parameters written into"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.weights, self.lr, self.mu = list(parameters), lr, momentum
        self.v = [0.0] * len(self.weights)

    def step(self, gradients):
        self.v = [self.mu * v + g for v, g in zip(self.v, gradients)]
        for w, v in zip(self.weights, self.v):
            w[...] = w - self.lr * v


# %% variant={"of": "3_3_Momentum", "right": "a dictionary, np.subtract with out"}
class Momentum:
    def __init__(self, parameters, lr=0.1, momentum=0.9):
        self.lr, self.momentum = lr, momentum
        self.kept = {i: (w, np.zeros(w.shape, w.dtype)) for i, w in enumerate(parameters)}

    def step(self, gradients):
        for i, g in enumerate(gradients):
            w, v = self.kept[i]
            v[...] = v * self.momentum + g
            np.subtract(w, self.lr * v, out=w)


# %% [markdown] hints={"of": "3_3_Momentum"}
# 1. What has to survive from one step to the next, and where does an object keep such things?
# 2. `np.zeros_like(w)` for each parameter, made once. Then go through parameters, velocities and gradients together.
# 3. `w -= something` writes into the array, `w = w - something` does not.

# %% [markdown]
# Here is the valley: thirty times steeper across than along. Plain gradient descent gets nearly the largest learning rate at which it does not fly off; momentum gets a third of that, and arrives first.


# %% jupyter={"source_hidden": true}
STEEP = np.array([1.0, 30.0])


def descend(optimizer_of, steps=60, start=(-9.0, 1.6)):
    """Path (steps + 1, 2) of an optimiser in the valley (x^2 + 30 y^2) / 2."""
    w = np.array(start)
    optimizer = optimizer_of([w])
    path = [w.copy()]
    for _ in range(steps):
        optimizer.step([STEEP * w])
        path.append(w.copy())
    return np.array(path)


def height(path):
    return np.maximum((STEEP * path**2).sum(axis=1) / 2, 1e-9)


def draw_valley(axes, paths):
    x, y = np.meshgrid(np.linspace(-10, 4, 160), np.linspace(-2.4, 2.4, 120))
    levels = np.geomspace(0.3, 100, 10)
    axes.contour(x, y, (x**2 + 30 * y**2) / 2, levels, colors=style.GRID, linewidths=1)
    for path, color, name in paths:
        axes.plot(*path.T, "-o", color=color, linewidth=1.2, markersize=2.6, label=name)
    axes.plot(0, 0, "*", color=style.INK, markersize=9)
    axes.set(xlim=(-10, 4), ylim=(-2.4, 2.4), xticks=[], yticks=[])


plain_path = descend(lambda p: my.Momentum(p, lr=0.062, momentum=0.0))
ball_path = descend(lambda p: my.Momentum(p, lr=0.02, momentum=0.8))
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.1), width_ratios=(1.6, 1))
draw_valley(left, [(plain_path, PLAIN, "plain"), (ball_path, MOMENTUM, "momentum 0.8")])
left.set_title("Plain descent zigzags, momentum rolls")
left.legend(fontsize=9, loc="lower left")
right.plot(height(plain_path), color=PLAIN)
right.plot(height(ball_path), color=MOMENTUM)
right.set(
    yscale="log",
    ylim=(1e-6, 200),
    xlabel="step",
    ylabel="height above the bottom",
    title="and gets lower",
)
plt.show()

# %% [markdown]
# Too much of it is no good either: a ball that never loses speed rolls up the other side. Three stills; in Jupyter, a slider.


# %% jupyter={"source_hidden": true}
def ball(axes, momentum):
    path = descend(lambda p: my.Momentum(p, lr=0.02, momentum=momentum))
    draw_valley(axes, [(path, MOMENTUM, "")])
    axes.set_title(
        f"momentum {momentum:g}: height {height(path)[-1]:.2g} after 60 steps", fontsize=9.5
    )


figure, stills = plt.subplots(1, 3, figsize=(11, 2.3))
for still, momentum in zip(stills, (0.3, 0.8, 0.97)):
    ball(still, momentum)
plt.show()


def roll(momentum=0.9):
    _, axes = plt.subplots(figsize=(7, 3))
    ball(axes, momentum)
    plt.show()


course.slider(roll, momentum=(0.0, 0.98, 0.02))

# %% [markdown]
# And against the library's `tt.train.SGD`, on the same float32 gradients:

# %%
rng = np.random.default_rng(34)
w = rng.normal(size=(64, 32)).astype(np.float32)
tensor = tt.Tensor(w.copy(), requires_grad=True)
theirs, ours = tt.train.SGD([tensor], lr=0.1, momentum=0.9), my.Momentum([w], lr=0.1, momentum=0.9)
for _ in range(50):
    tensor.grad = rng.normal(size=w.shape).astype(np.float32)
    ours.step([tensor.grad])
    theirs.step()
print("after 50 steps: same bits:", np.array_equal(w, tensor.data),
      f"| largest difference {np.abs(w - tensor.data).max():.1e}")  # fmt: skip

# %% [markdown]
# ## 4 · Adam: a step of known size
#
# In a network, gradients differ by orders of magnitude from layer to layer, and one learning rate has to serve them all. **Adam** measures each weight's gradients and divides by their size. It keeps two running means for every weight, of the gradient and of its square:
#
# $$
# m \leftarrow \beta_1 m + (1 - \beta_1)\, g, \qquad
# s \leftarrow \beta_2 s + (1 - \beta_2)\, g^2 ,
# $$
#
# usually with $\beta_1 = 0.9$ and $\beta_2 = 0.999$, and steps along $m / \sqrt{s}$. Whether the gradients are millionths or millions, the step has the size of the learning rate.
#
# Would have, if there were no beginning. Both means start at 0, and at first they are mostly that 0. After $t$ steps with a constant gradient, how much of $g$ is in $m$? A share of $1 - \beta_1^t$; and in $s$, a share of $1 - \beta_2^t$ of $g^2$. Adam divides each by its own share, which gives $\hat m$ and $\hat s$. That is the **bias correction**.
#
# **Predict, then run.** Leave the correction out. In the very first step, $m$ holds a tenth of the gradient and $s$ a thousandth of its square. How long is that step, in units of the learning rate: far too short, about right, too long? Write a number.

# %%
my_guess = None  # length of the first step without correction, in learning rates

first = (1 - 0.9) / np.sqrt(1 - 0.999)
check.predicted(my_guess, float(first), within=0.4,
                comment="Too long: the root makes of a thousandth only a thirtieth. And it gets worse "
                        "before it gets better, as the figure below shows.")  # fmt: skip

# %% [markdown]
# ### Exercise 3.4: Adam (2 points)
#
# Write the class `Adam`, with the same manners as `Momentum`: in place, `self.parameters` and `self.lr` under these names (the next exercise builds on them), gradients left alone. The update is
#
# $$
# w \leftarrow w - \eta\, \frac{\hat m}{\sqrt{\hat s} + \varepsilon} .
# $$
#
# The first call of `step` is $t = 1$.


# %% nbgrader={"grade": false, "grade_id": "3_4_Adam", "locked": false, "schema_version": 3, "solution": true, "task": false}
class Adam:
    """Adam: steps of known size, whatever the size of the gradients."""

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        ### BEGIN SOLUTION
        self.parameters, self.lr, self.betas, self.eps = parameters, lr, betas, eps
        self.means = [np.zeros_like(w) for w in parameters]
        self.squares = [np.zeros_like(w) for w in parameters]
        self.steps = 0
        ### END SOLUTION

    def step(self, gradients):
        """Update every parameter in place."""
        ### BEGIN SOLUTION
        self.steps += 1
        beta1, beta2 = self.betas
        for w, m, s, g in zip(self.parameters, self.means, self.squares, gradients):
            m += (1 - beta1) * (g - m)
            s += (1 - beta2) * (g * g - s)
            root = np.sqrt(s / (1 - beta2**self.steps)) + self.eps
            w -= self.lr / (1 - beta1**self.steps) * m / root
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_4_Adam_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.4", mutates=True)
def _(Adam):
    w = np.zeros(3)
    optimizer = Adam([w], lr=0.1)
    g = np.array([1e-3, -5.0, 2e6])
    with np.errstate(all="ignore"):
        optimizer.step([g])
    check.true(np.any(w != 0), "The array you were given has not changed: write into it.")
    check.close(
        w, [-0.1, 0.1, -0.1],
        "The first step should have the size of the learning rate, whatever the gradient's. "
        "Is each mean divided by its own share, and is t = 1 in the first step?", rtol=1e-4,
    )  # fmt: skip
    optimizer.step([g])
    check.close(
        w, [-0.2, 0.2, -0.2], "The same gradient again: another step of that size.", rtol=1e-4
    )
    check.equal(g, [1e-3, -5.0, 2e6], "The gradient array has changed.")
    w = np.zeros(3)
    Adam([w], lr=0.1).step([-g])
    check.close(
        w, [0.1, -0.1, 0.1],
        "A second optimiser, made after the first: it begins at t = 1, with means of its own. Keep "
        "them in `self`: what stands in the class itself is shared by all.", rtol=1e-4,
    )  # fmt: skip
    w = np.zeros(1)
    optimizer = Adam([w], lr=1.0)
    optimizer.step([np.array([1.0])])
    optimizer.step([np.array([-1.0])])
    check.close(
        w, [-1.0 + 0.01 / 0.19],
        "Gradients +1, then -1: the mean is nearly 0 by then, the mean square is still 1, and the "
        "second step should be short. m is a running mean of g, s of g squared.", rtol=1e-4,
    )  # fmt: skip
    a, b = np.zeros(1), np.zeros(1)
    optimizer = Adam([a, b], lr=0.5)
    for _ in range(3):
        optimizer.step([np.array([3.0]), np.array([3.0])])
    check.close(
        [a[0], b[0]], [-1.5, -1.5],
        "Two parameters with equal gradients should move equally: t counts steps, not parameters.",
        rtol=1e-4,
    )  # fmt: skip
    check.true(
        getattr(optimizer, "parameters", None) is not None and optimizer.parameters[0] is a,
        "Keep the arrays as `self.parameters`: AdamW will look for them there.",
    )
    optimizer.lr = 0.0
    optimizer.step([np.array([3.0]), np.array([3.0])])
    check.close(a, [-1.5], "With `lr` set to 0 from outside nothing should move.", rtol=1e-4)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(340)
    for eps in (1e-8, 0.3):
        w = rng.normal(size=(3, 4)).astype(np.float32)
        tensor = tt.Tensor(w.copy(), requires_grad=True)
        theirs = tt.train.AdamW([tensor], lr=0.03, betas=(0.8, 0.95), eps=eps, weight_decay=0.0)
        optimizer = Adam([w], lr=0.03, betas=(0.8, 0.95), eps=eps)
        for _ in range(8):
            gradient = rng.normal(size=(3, 4)).astype(np.float32)
            optimizer.step([gradient])
            tensor.grad = gradient
            theirs.step()
        check.close(
            w, tensor.data, f"Eight random steps, betas 0.8 and 0.95, eps {eps}: is eps outside the "
            "root?", rtol=1e-3, atol=1e-4,
        )  # fmt: skip
        check.dtype(w, np.float32, "Parameters keep their type.")
    w = np.ones(2)
    Adam([w]).step([np.zeros(2)])
    check.equal(w, [1.0, 1.0], "A gradient of 0 should move nothing, and make no NaN.")
    ### END HIDDEN TESTS


# %% variant={"of": "3_4_Adam", "wrong": "no bias correction", "says": "its own share"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps = parameters, lr, betas, eps
        self.means = [np.zeros_like(w) for w in parameters]
        self.squares = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        b1, b2 = self.betas
        for w, m, s, g in zip(self.parameters, self.means, self.squares, gradients):
            m += (1 - b1) * (g - m)
            s += (1 - b2) * (g * g - s)
            w -= self.lr * m / (np.sqrt(s) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "t starts at 0", "says": "t = 1"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.means = [np.zeros_like(w) for w in parameters]
        self.squares = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        b1, b2 = self.betas
        for w, m, s, g in zip(self.parameters, self.means, self.squares, gradients):
            m += (1 - b1) * (g - m)
            s += (1 - b2) * (g * g - s)
            hat_m = m / np.float64(1 - b1**self.t)
            hat_s = s / np.float64(1 - b2**self.t)
            w -= self.lr * hat_m / (np.sqrt(hat_s) + self.eps)
        self.t += 1


# %% variant={"of": "3_4_Adam", "wrong": "t counts parameters", "says": "not parameters"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.means = [np.zeros_like(w) for w in parameters]
        self.squares = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        b1, b2 = self.betas
        for w, m, s, g in zip(self.parameters, self.means, self.squares, gradients):
            self.t += 1
            m += (1 - b1) * (g - m)
            s += (1 - b2) * (g * g - s)
            w -= self.lr * m / (1 - b1**self.t) / (np.sqrt(s / (1 - b2**self.t)) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "corrects the mean only"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.means = [np.zeros_like(w) for w in parameters]
        self.squares = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for w, m, s, g in zip(self.parameters, self.means, self.squares, gradients):
            m += (1 - b1) * (g - m)
            s += (1 - b2) * (g * g - s)
            w -= self.lr * m / (1 - b1**self.t) / (np.sqrt(s) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "only the sign of the gradient", "says": "running mean"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr = parameters, lr

    def step(self, gradients):
        for w, g in zip(self.parameters, gradients):
            w -= self.lr * np.sign(g)


# %% variant={"of": "3_4_Adam", "wrong": "eps under the root", "says": "outside the root"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps**2, 0
        self.means = [np.zeros_like(w) for w in parameters]
        self.squares = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for w, m, s, g in zip(self.parameters, self.means, self.squares, gradients):
            m += (1 - b1) * (g - m)
            s += (1 - b2) * (g * g - s)
            w -= self.lr * m / (1 - b1**self.t) / np.sqrt(s / (1 - b2**self.t) + self.eps)


# %% variant={"of": "3_4_Adam", "wrong": "no squares: the mean of |g|"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps, self.t = parameters, lr, betas, eps, 0
        self.means = [np.zeros_like(w) for w in parameters]
        self.sizes = [np.zeros_like(w) for w in parameters]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for w, m, s, g in zip(self.parameters, self.means, self.sizes, gradients):
            m += (1 - b1) * (g - m)
            s += (1 - b2) * (np.abs(g) - s)
            w -= self.lr * m / (1 - b1**self.t) / (s / (1 - b2**self.t) + self.eps)


# %% variant={"of": "3_4_Adam", "right": "as the paper's algorithm 1"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.eps, self.t = parameters, lr, eps, 0
        self.b1, self.b2 = betas
        self.m, self.v = [0 * w for w in parameters], [0 * w for w in parameters]

    def step(self, gradients):
        self.t += 1
        for i, g in enumerate(gradients):
            self.m[i] = self.b1 * self.m[i] + (1 - self.b1) * g
            self.v[i] = self.b2 * self.v[i] + (1 - self.b2) * g**2
            m_hat = self.m[i] / (1 - self.b1**self.t)
            v_hat = self.v[i] / (1 - self.b2**self.t)
            self.parameters[i][...] -= self.lr * m_hat / (np.sqrt(v_hat) + self.eps)


# %% variant={"of": "3_4_Adam", "right": "weighted sums of all that was seen"}
class Adam:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.betas, self.eps = parameters, lr, betas, eps
        self.sums = [[np.zeros_like(w), np.zeros_like(w)] for w in parameters]
        self.weights = [0.0, 0.0]  # of all gradients so far: what the sums are divided by

    def step(self, gradients):
        self.weights = [b * n + 1 for b, n in zip(self.betas, self.weights)]
        for w, pair, g in zip(self.parameters, self.sums, gradients):
            for power, (b, total) in enumerate(zip(self.betas, pair), start=1):
                total *= b
                total += g**power
            mean, square = (total / n for total, n in zip(pair, self.weights))
            w -= self.lr * mean / (np.sqrt(square) + self.eps)


# %% [markdown] hints={"of": "3_4_Adam"}
# 1. What are the three things this optimiser has to remember between steps?
# 2. After the first step m is 0.1 g. By what must it be divided to be g? And s, which is 0.001 g squared?
# 3. Count steps once a call, before anything is divided; divide m and s by their shares without overwriting m and s themselves.

# %% jupyter={"source_hidden": true}
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.3), width_ratios=(1, 1, 1.45))
sizes = np.logspace(-4, 4, 9)
reach = {"SGD": [], "Adam": []}
for size in sizes:
    for name, make in (
        ("SGD", lambda p: my.Momentum(p, lr=0.01)),
        ("Adam", lambda p: my.Adam(p, lr=0.01)),
    ):
        w = np.zeros(1)
        make([w]).step([np.array([size])])
        reach[name].append(-w[0])
left.plot(sizes, reach["SGD"], "o-", color=MOMENTUM, markersize=4)
left.plot(sizes, reach["Adam"], "o-", color=ADAM, markersize=4)
left.text(1e-3, 0.03, "Adam", color=ADAM)
left.text(5e1, 6, "SGD", color=MOMENTUM, ha="right")
left.set(xscale="log", yscale="log", xlabel="size of the gradient", ylabel="length of the first step",
         title="The first step is lr long")  # fmt: skip

turns = np.arange(1, 4001)
without = (1 - 0.9**turns) / np.sqrt(1 - 0.999**turns)
middle.plot(turns, without, color=PLAIN)
middle.axhline(1, color=ADAM)
peak = int(np.argmax(without))
middle.plot(turns[peak], without[peak], "o", color=PLAIN)
middle.text(turns[peak] * 3, without[peak], f"{without[peak]:.1f} times too long\nin step {turns[peak]}",
            fontsize=9, va="center")  # fmt: skip
middle.text(1.1, 0.45, "with correction", color=ADAM, fontsize=9)
middle.set(xscale="log", ylim=(0, 7.6), xlabel="step, constant gradient", ylabel="length / lr",
           title="Uncorrected: wild at first")  # fmt: skip

adam_path = descend(lambda p: my.Adam(p, lr=0.6))
draw_valley(
    right,
    [(plain_path, PLAIN, "plain"), (ball_path, MOMENTUM, "momentum"), (adam_path, ADAM, "Adam")],
)
right.set_title("Adam does not see that the valley is steep")
right.legend(fontsize=8.5, loc="upper right")
plt.show()

# %% [markdown]
# Look at Adam's first steps: as far along the valley as across (the picture is stretched in height), for each coordinate has a step size of its own. The price is paid at the other end. Near the bottom the gradients shrink, Adam's steps hardly do, and it runs past and has to come back. Something has to turn the learning rate down towards the end; that is section 6.
#
# ## 5 · Decay, and where it must not go
#
# Weights that no example needs should fade. The classical way is to add $\frac{\lambda}{2} \lVert w \rVert^2$ to the loss, which adds $\lambda w$ to the gradient: **L2 regularisation**. With plain SGD that is the same as shrinking each weight by the factor $1 - \eta\lambda$ in each step: **weight decay**. For years nobody made a difference between the two names.
#
# With Adam there is one. What is added to the gradient gets divided by $\sqrt{\hat s}$, as everything in the gradient does. **Predict, then run.** Two groups of weights, all of them 1 at first. Their gradients are pure noise, a hundred times larger in the one group than in the other. Adam gets $g + \lambda w$ as its gradient. Which group fades faster: `"large"` (large gradients), `"small"`, or the `"same"`?

# %%
my_guess = None  # "large", "small" or "same"

lam, lr, noise = 0.1, 1e-3, np.array([[10.0], [0.1]])
rng = np.random.default_rng(35)
w = np.ones((2, 400))
optimizer = my.Adam([w], lr=lr)
l2_track = [w.mean(axis=1).copy()]
for _ in range(1500):
    optimizer.step([noise * rng.normal(size=w.shape) + lam * w])
    l2_track.append(w.mean(axis=1).copy())
l2_track = np.array(l2_track)
check.predicted(my_guess, "large" if l2_track[-1, 0] < l2_track[-1, 1] else "small",
                comment=f"Mean weight after 1500 steps: {l2_track[-1, 0]:.2f} with large gradients, "
                        f"{l2_track[-1, 1]:.2f} with small ones. Those that move most are held least.")  # fmt: skip

# %% [markdown]
# ### Exercise 3.5: AdamW (2 points)
#
# Loshchilov and Hutter's remedy is to take the decay out of the gradient. In each step every weight, *as it was before the step*, loses the share $\eta \lambda$; what Adam does with the gradient is left as it was. This is **decoupled** weight decay, and the W in AdamW.
#
# Write `AdamW`. It may build on your `Adam` (inherit, and call `super()`), of which it can count on `self.parameters` and `self.lr`.


# %% nbgrader={"grade": false, "grade_id": "3_5_AdamW", "locked": false, "schema_version": 3, "solution": true, "task": false}
class AdamW(Adam):
    """Adam with decoupled weight decay."""

    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        ### BEGIN SOLUTION
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay
        ### END SOLUTION

    def step(self, gradients):
        """Shrink every parameter, then step as Adam does."""
        ### BEGIN SOLUTION
        for w in self.parameters:
            w *= 1 - self.lr * self.weight_decay
        super().step(gradients)
        ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_5_AdamW_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.5", mutates=True)
def _(AdamW):
    w = np.array([2.0, -4.0])
    AdamW([w], lr=0.1, weight_decay=0.5).step([np.zeros(2)])
    check.close(
        w, [1.9, -3.8],
        "No gradient at all: each weight should lose the share lr x weight_decay, here 5 %, and "
        "nothing else should happen to it.",
    )  # fmt: skip
    w = np.array([1.0, 1.0])
    AdamW([w], lr=0.1, weight_decay=0.5).step([np.array([1e-3, 1e3])])
    check.close(
        w, [0.85, 0.85],
        "From 1: 5 % of decay, then a step of 0.1, for a small gradient as for a large one. The "
        "share is one of the weight before the step, and it never goes through Adam's division.",
        rtol=1e-4,
    )  # fmt: skip
    w = np.array([1.0])
    AdamW([w], lr=0.1, weight_decay=0.0).step([np.array([7.0])])
    check.close(w, [0.9], "Without decay it is Adam.", rtol=1e-4)
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(350)
    w = [rng.normal(size=(3, 4)).astype(np.float32), rng.normal(size=5).astype(np.float32)]
    tensors = [tt.Tensor(v.copy(), requires_grad=True) for v in w]
    theirs = tt.train.AdamW(tensors, lr=0.03, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.4)
    optimizer = AdamW(w, lr=0.03, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.4)
    for turn in range(8):
        if turn == 4:
            optimizer.lr = theirs.lr = 0.3
        gradients = [rng.normal(size=v.shape).astype(np.float32) for v in w]
        optimizer.step(gradients)
        for tensor, gradient in zip(tensors, gradients):
            tensor.grad = gradient
        theirs.step()
    for ours, tensor in zip(w, tensors):
        check.close(
            ours, tensor.data,
            "Eight random steps, the learning rate raised half way: decay follows it.",
            rtol=1e-3, atol=1e-4,
        )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "3_5_AdamW", "wrong": "L2: decay inside the gradient", "says": "nothing else"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay

    def step(self, gradients):
        super().step([g + self.weight_decay * w for g, w in zip(gradients, self.parameters)])


# %% variant={"of": "3_5_AdamW", "wrong": "decay without the learning rate", "says": "lr x weight_decay"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay

    def step(self, gradients):
        for w in self.parameters:
            w *= 1 - self.weight_decay
        super().step(gradients)


# %% variant={"of": "3_5_AdamW", "wrong": "decays what the step has left", "says": "before the step"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay

    def step(self, gradients):
        super().step(gradients)
        for w in self.parameters:
            w *= 1 - self.lr * self.weight_decay


# %% variant={"of": "3_5_AdamW", "wrong": "the decay of the first learning rate for ever", "says": "decay follows"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.shrink = 1 - lr * weight_decay

    def step(self, gradients):
        for w in self.parameters:
            w *= self.shrink
        super().step(gradients)


# %% variant={"of": "3_5_AdamW", "wrong": "a constant pull towards 0 (L1)"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.weight_decay = weight_decay

    def step(self, gradients):
        for w in self.parameters:
            w -= self.lr * self.weight_decay * np.sign(w)
        super().step(gradients)


# %% variant={"of": "3_5_AdamW", "wrong": "forgets the decay"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)

    def step(self, gradients):
        super().step(gradients)


# %% variant={"of": "3_5_AdamW", "right": "remembers the weights, decays after"}
class AdamW(Adam):
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        super().__init__(parameters, lr, betas, eps)
        self.decay = weight_decay

    def step(self, gradients):
        before = [w.copy() for w in self.parameters]
        super().step(gradients)
        for w, old in zip(self.parameters, before):
            w -= self.lr * self.decay * old


# %% variant={"of": "3_5_AdamW", "right": "all by itself"}
class AdamW:
    def __init__(self, parameters, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        self.parameters, self.lr, self.betas, self.eps = parameters, lr, betas, eps
        self.decay, self.t = weight_decay, 0
        self.m, self.s = [0 * w for w in parameters], [0 * w for w in parameters]

    def step(self, gradients):
        self.t += 1
        b1, b2 = self.betas
        for i, (w, g) in enumerate(zip(self.parameters, gradients)):
            self.m[i] = b1 * self.m[i] + (1 - b1) * g
            self.s[i] = b2 * self.s[i] + (1 - b2) * g * g
            move = self.m[i] / (1 - b1**self.t)
            move = move / (np.sqrt(self.s[i] / (1 - b2**self.t)) + self.eps)
            w -= self.lr * (move + self.decay * w)


# %% [markdown] hints={"of": "3_5_AdamW"}
# 1. Which two independent things happen to a weight in one step, and which of them needs the gradient?
# 2. `super().__init__(...)` and `super().step(gradients)` do all that Adam does. What is left to do, and before or after?

# %% jupyter={"source_hidden": true}
rng = np.random.default_rng(35)
w = np.ones((2, 400))
optimizer = my.AdamW([w], lr=lr, weight_decay=lam)
decoupled_track = [w.mean(axis=1).copy()]
for _ in range(1500):
    optimizer.step([noise * rng.normal(size=w.shape)])
    decoupled_track.append(w.mean(axis=1).copy())
decoupled_track = np.array(decoupled_track)

figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.1), sharey=True)
for axis, track, title in zip(
    axes,
    (l2_track, decoupled_track),
    ("L2 inside Adam: unequal treatment", "AdamW: everybody fades alike"),
):
    axis.plot(track[:, 0], color=ADAM, linewidth=3, label="large gradients")
    axis.plot(track[:, 1], color=style.SERIES[2], linestyle="--", label="small gradients")
    axis.plot((1 - lr * lam) ** np.arange(1501), color=style.INK, linestyle=":", linewidth=1.3,
              label="$(1-\\eta\\lambda)^t$")  # fmt: skip
    axis.set(xlabel="step", title=title, ylim=(0.2, 1.05))
axes[0].set_ylabel("mean of 400 weights")
axes[0].legend(fontsize=9, loc="lower left")
plt.show()

rng = np.random.default_rng(36)
w = rng.normal(size=(64, 32)).astype(np.float32)
tensor = tt.Tensor(w.copy(), requires_grad=True)
theirs, ours = (
    tt.train.AdamW([tensor], lr=0.01, weight_decay=0.1),
    my.AdamW([w], lr=0.01, weight_decay=0.1),
)
for _ in range(50):
    tensor.grad = rng.normal(size=w.shape).astype(np.float32)
    ours.step([tensor.grad])
    theirs.step()
print(
    f"against tt.train.AdamW after 50 steps: largest difference {np.abs(w - tensor.data).max():.1e}"
)

# %% [markdown]
# The library's version updates each array in one compiled pass and spares biases, norms and position embeddings from decay (`tt.train.parameter_groups`): pulling those towards 0 regularises nothing. For ternary networks the decay has a second life. It moves latent weights towards the threshold, late in training too, which is why BitNet's notes turn it off half way (`tt.train.Schedule`, kind `"two-phase"`).
#
# ## 6 · The life of a learning rate
#
# Early on, gradients are large and Adam's mean squares are guesses from a handful of batches: begin with small steps. Then be bold. Near the end the noise of the batches is all that is left, so make the steps smaller and smaller until it averages out. The schedule that has won by sheer popularity is a linear **warm-up** followed by half a **cosine**:
#
# $$
# \eta(t) = \eta_{\min} + (\eta - \eta_{\min}) \cdot \tfrac12 \big(1 + \cos \pi p\big),
# $$
#
# where the progress $p$ runs from 0 in the first step after the warm-up to 1 in the very last step.
#
# **Predict, then run.** Without warm-up and with $\eta_{\min} = 0$: for what percentage of the training is the learning rate *below a tenth* of its peak?

# %%
my_guess = None  # percent of the training spent below a tenth of the peak

below = 100 * np.mean((1 + np.cos(np.pi * np.linspace(0, 1, 100_001))) / 2 < 0.1)
check.predicted(my_guess, float(below), within=4, unit=" %",
                comment="The cosine is flat at both ends: a long time near the peak, a long landing.")  # fmt: skip

# %% [markdown]
# ### Exercise 3.6: warm-up and cosine (2 points)
#
# Write `cosine(step, total, lr, warmup=0, min_lr=0.0)`: the learning rate of `step`, counted from 0, in a training of `total` steps. Three moments pin it down:
#
# - the first `warmup` steps rise in equal stairs from `lr / warmup` to `lr`. A first step of 0 would be a wasted one;
# - step `warmup` is at the peak, `lr`: there the cosine begins;
# - the last step, `total - 1`, is at `min_lr`, and so is every step after it.
#
# A training may be as short as its warm-up. Then nothing is left for the cosine, and nothing should break.


# %% nbgrader={"grade": false, "grade_id": "3_6_cosine", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    """Learning rate of a step: a linear warm-up, then half a cosine down to min_lr."""
    ### BEGIN SOLUTION
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return min_lr + (lr - min_lr) * (1 + np.cos(np.pi * progress)) / 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_6_cosine_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.6")
def _(cosine):
    check.close(cosine(0, 101, 2.0), 2.0, "Without warm-up the first step is at the peak.")
    check.close(
        cosine(100, 101, 2.0), 0.0,
        "101 steps are counted from 0, so step 100 is the last, and has arrived at min_lr.",
        atol=1e-9,
    )  # fmt: skip
    check.close(cosine(50, 101, 2.0), 1.0, "Half way down a cosine: half the peak.")
    check.close(
        cosine(0, 110, 1.0, warmup=10), 0.1,
        "The first of ten warm-up steps is a tenth of the peak, not 0.",
    )  # fmt: skip
    check.close(cosine(9, 110, 1.0, warmup=10), 1.0, "The last warm-up step reaches the peak.")
    check.close(
        cosine(10, 110, 1.0, warmup=10), 1.0,
        "The cosine begins after the warm-up: its progress is counted from there.",
    )  # fmt: skip
    check.close(
        cosine(109, 110, 1.0, warmup=10, min_lr=0.2), 0.2,
        "At the end, min_lr is left. What falls is the difference between lr and min_lr.",
    )  # fmt: skip
    check.close(
        cosine(150, 110, 1.0, warmup=10, min_lr=0.2), 0.2,
        "Beyond the end it stays at min_lr: a cosine would rise again.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    for total, warmup, low in (
        (40, 0, 0.0),
        (40, 7, 0.01),
        (40, 39, 0.1),
        (40, 38, 0.1),
        (5, 5, 0.0),
        (1, 0, 0.3),
    ):
        theirs = tt.train.Schedule(total, 0.5, warmup, low)
        for step in range(total + 3):
            if step == warmup >= total - 1:
                continue  # at the peak and at the end at once: either will do
            try:
                got = cosine(step, total, 0.5, warmup, low)
            except ZeroDivisionError:
                check.fail(
                    f"Step {step} of {total} with a warm-up of {warmup}: no step is left between the "
                    "peak and the end, and the progress is divided by their number."
                )
            check.close(
                got, theirs(step),
                f"Step {step} of {total}, warm-up {warmup}, min_lr {low}.", atol=1e-9,
            )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "3_6_cosine", "wrong": "warm-up from 0: a wasted step", "says": "not 0"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * step / warmup
    progress = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return min_lr + (lr - min_lr) * (1 + np.cos(np.pi * progress)) / 2


# %% variant={"of": "3_6_cosine", "wrong": "the cosine runs from step 0: a jump after warm-up", "says": "counted from there"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1.0, step / max(1, total - 1))
    return min_lr + (lr - min_lr) * (1 + np.cos(np.pi * progress)) / 2


# %% variant={"of": "3_6_cosine", "wrong": "one step short of the end", "says": "the last"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / (total - warmup))
    return min_lr + (lr - min_lr) * (1 + np.cos(np.pi * progress)) / 2


# %% variant={"of": "3_6_cosine", "wrong": "min_lr as a floor under a cosine to 0", "says": "Step"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return max(min_lr, lr * (1 + np.cos(np.pi * progress)) / 2)


# %% variant={"of": "3_6_cosine", "wrong": "rises again after the end", "says": "rise again"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, total - 1 - warmup)
    return min_lr + (lr - min_lr) * (1 + np.cos(np.pi * progress)) / 2


# %% variant={"of": "3_6_cosine", "wrong": "a quarter of a cosine", "says": "half the peak"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return min_lr + (lr - min_lr) * np.cos(np.pi * progress / 2)


# %% variant={"of": "3_6_cosine", "wrong": "a straight line"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if step < warmup:
        return lr * (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, total - 1 - warmup))
    return lr + (min_lr - lr) * progress


# %% variant={"of": "3_6_cosine", "right": "interpolation for the warm-up, sine squared for the fall"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    if warmup and step < warmup:
        return float(np.interp(step, [-1, warmup - 1], [0.0, lr]))
    left = max(0, total - 1 - step)
    length = total - 1 - warmup
    share = left / length if length > 0 else float(step == warmup)
    return min_lr + (lr - min_lr) * np.sin(np.pi / 2 * share) ** 2


# %% variant={"of": "3_6_cosine", "right": "the plain math module"}
def cosine(step, total, lr, warmup=0, min_lr=0.0):
    import math

    if step + 1 <= warmup:
        return (step + 1) * (lr / warmup)
    if step >= total - 1:
        return lr if step == warmup else min_lr
    angle = math.pi * (step - warmup) / (total - 1 - warmup)
    return 0.5 * (lr + min_lr) + 0.5 * (lr - min_lr) * math.cos(angle)


# %% [markdown] hints={"of": "3_6_cosine"}
# 1. Two cases. In which of them does the cosine not matter at all?
# 2. For the second: at which step is the progress 0, at which is it 1, and how many steps lie between?
# 3. What if those two steps are the same one? And what if the step lies beyond the end?

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(9, 3))
steps = np.arange(200)
for warmup, low, color in ((0, 0.0, PLAIN), (20, 0.0, MOMENTUM), (60, 0.1, ADAM)):
    rates = [my.cosine(int(s), 200, 1.0, warmup, low) for s in steps]
    library = tt.train.Schedule(200, 1.0, warmup, low)
    same = np.allclose(rates, [library(int(s)) for s in steps], rtol=1e-12)
    axes.plot(
        steps,
        rates,
        color=color,
        label=f"warm-up {warmup}, down to {low:g}" + (" (= library)" if same else " (differs)"),
    )
axes.axhline(0.1, color=style.MUTED, linewidth=0.9, linestyle=":")
axes.axvspan(200 * (1 - below / 100), 200, color=PLAIN, alpha=0.09, linewidth=0)
axes.text(198, 0.42, f"without warm-up,\nthe last {below:.0f} % are\nspent below a tenth",
          ha="right", fontsize=9, color=PLAIN)  # fmt: skip
axes.set(
    xlabel="step",
    ylabel="learning rate / peak",
    ylim=(0, 1.08),
    xlim=(0, 200),
    title="Up a ramp, down a cosine",
)
axes.legend(fontsize=9, loc="upper right")
plt.show()


def ramp(warmup=20, min_lr=0.0):
    _, axes = plt.subplots(figsize=(7, 2.6))
    axes.plot([my.cosine(int(s), 200, 1.0, warmup, min_lr) for s in steps], color=MOMENTUM)
    axes.set(ylim=(0, 1.08), xlabel="step", ylabel="learning rate / peak")
    plt.show()


course.slider(ramp, warmup=(0, 150, 5), min_lr=(0.0, 0.5, 0.05))

# %% [markdown]
# ## 7 · How sure is a number?
#
# Suppose all of that is done and the network gets 134 of 156 test images right: 85.9 %, what a good network reaches on BreastMNIST, whose test split has exactly 156 images. Somebody else's reaches 83.3 %. Are you better?
#
# **Predict, then run.** Other test images of the same kind would give another accuracy. From where to where does a 95 % interval around your 85.9 % reach, that is, how many *points* lie between its ends?

# %%
my_guess = None  # width of the 95 % interval, in points of accuracy


def wilson(right, count, level=0.95):
    """Wilson's interval of a share: those p that would not find the observed share odd."""
    z = norm.ppf((1 + level) / 2)
    share = right / count
    center = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return center - half, center + half


low, high = wilson(134, 156)
check.predicted(my_guess, float(100 * (high - low)), within=2, unit=" points",
                comment=f"From {100 * low:.1f} to {100 * high:.1f} %. Half the leaderboard fits in between.")  # fmt: skip

# %% [markdown]
# Wilson's formula is for shares only. The **bootstrap** works for any figure you can compute: accuracy, AUC, the difference of two networks. The idea is cheeky. We cannot draw new test images from the world, but the ones we have are our best picture of it, so we draw *from them*, as many as there are, with replacement (here the dice are right). Compute the figure for that resample. Do it a few thousand times, and look at the spread.
#
# ### Exercise 3.7: the bootstrap (2 points)
#
# Write `bootstrap_interval(right, seed=0, resamples=2000, level=0.95)`. `right` is a boolean array, one entry for each test image. Return `(low, high)`, as shares: the interval that holds the middle `level` of the resampled accuracies, with equal tails cut off on both sides. The same seed gives the same interval, and as in 3.1 NumPy's global generator is left alone.


# %% nbgrader={"grade": false, "grade_id": "3_7_bootstrap_interval", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    """Percentile interval of an accuracy, from resampled test images."""
    ### BEGIN SOLUTION
    rng = np.random.default_rng(seed)
    picks = rng.integers(0, len(right), (resamples, len(right)))
    accuracies = np.asarray(right)[picks].mean(axis=1)
    tail = (1 - level) / 2
    low, high = np.quantile(accuracies, (tail, 1 - tail))
    return float(low), float(high)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_7_bootstrap_interval_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.7")
def _(bootstrap_interval):
    right = np.arange(100) >= 20  # 80 of 100
    got = bootstrap_interval(right)
    check.true(np.shape(got) == (2,), "Return two numbers, low and high.")
    check.close(
        got, binom.ppf([0.025, 0.975], 100, 0.8) / 100,
        "80 of 100 right. A resample has as many images as there are, drawn with replacement; 2.5 % "
        "of the resampled accuracies are cut off on each side.", atol=0.0151, rtol=0,
    )  # fmt: skip
    check.close(
        bootstrap_interval(right, level=0.5), binom.ppf([0.25, 0.75], 100, 0.8) / 100,
        "The middle half: a quarter is cut off on each side. Is `level` used?", atol=0.0101, rtol=0,
    )  # fmt: skip
    twice = [bootstrap_interval(right, seed=5, resamples=9) for _ in range(8)]
    check.equal(
        twice,
        [twice[0]] * 8,
        "The same seed should give the same interval, also with few resamples.",
    )
    check.close(
        bootstrap_interval(np.ones(30, bool)), (1.0, 1.0),
        "If all are right, every resample is all right too.",
    )  # fmt: skip
    few = np.arange(20) > 0  # 19 of 20
    check.close(
        bootstrap_interval(few)[1], 1.0,
        "19 of 20 right: more than 2.5 % of all resamples miss the one mistake, so the upper end is "
        "exactly 1. Take quantiles of the resampled accuracies, not a formula with a deviation.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(370)
    for n, p in ((40, 0.5), (156, 0.86), (1000, 0.97)):
        right = rng.permutation(np.arange(n) < round(n * p))
        want = binom.ppf([0.025, 0.975], n, round(n * p) / n) / n
        got = bootstrap_interval(right, seed=int(n), resamples=4000)
        check.close(got, want, f"{round(n * p)} of {n}, in random order.", atol=1.6 / n, rtol=0)
    three = np.array([False, False, True])
    for level, want in ((0.6, (0, 2 / 3)), (0.2, (1 / 3, 1 / 3))):
        check.close(
            bootstrap_interval(three, level=level), want,
            f"Three images, the last one right, level {level}. Each image should be drawn equally "
            "often, and half of what is cut off lies on each side.",
        )  # fmt: skip
    before = np.random.get_state()[1].copy()
    bootstrap_interval(right, seed=7, resamples=50)
    check.equal(
        np.random.get_state()[1], before,
        "Your function reseeds or draws from NumPy's global generator: other code shares it.",
    )  # fmt: skip
    seeds = {tuple(bootstrap_interval(right, seed=s, resamples=25)) for s in range(20)}
    check.true(len(seeds) > 5, "Twenty seeds give nearly the same 25 resamples: is `seed` used?")
    ### END HIDDEN TESTS


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "without replacement: every resample is the same", "says": "with replacement"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(right).mean() for _ in range(resamples)]
    return tuple(np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "half as many images in a resample", "says": "as many images"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    drawn = [rng.choice(right, len(right) // 2).mean() for _ in range(resamples)]
    return tuple(np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "5 % on each side", "says": "on each side"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    drawn = right[rng.integers(0, len(right), (resamples, len(right)))].mean(axis=1)
    return tuple(np.quantile(drawn, [1 - level, level]))


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "level is ignored", "says": "`level`"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    drawn = right[rng.integers(0, len(right), (resamples, len(right)))].mean(axis=1)
    return tuple(np.quantile(drawn, [0.025, 0.975]))


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "mean plus and minus two deviations", "says": "not a formula"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    drawn = right[rng.integers(0, len(right), (resamples, len(right)))].mean(axis=1)
    reach = norm.ppf((1 + level) / 2)
    return drawn.mean() - reach * drawn.std(), drawn.mean() + reach * drawn.std()


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "smallest and largest resample"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    drawn = right[rng.integers(0, len(right), (resamples, len(right)))].mean(axis=1)
    return drawn.min(), drawn.max()


# %% variant={"of": "3_7_bootstrap_interval", "wrong": "unseeded", "says": "same seed"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng()
    drawn = right[rng.integers(0, len(right), (resamples, len(right)))].mean(axis=1)
    return tuple(np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))


# %% variant={"of": "3_7_bootstrap_interval", "right": "sorted, by rank"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    rng = np.random.default_rng(seed)
    drawn = sorted(np.mean(rng.choice(right, len(right))) for _ in range(resamples))
    cut = int(resamples * (1 - level) / 2)
    return drawn[cut], drawn[resamples - 1 - cut]


# %% variant={"of": "3_7_bootstrap_interval", "right": "counts of each image, np.percentile"}
def bootstrap_interval(right, seed=0, resamples=2000, level=0.95):
    n = len(right)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    low, high = np.percentile(counts @ right / n, [50 - 50 * level, 50 + 50 * level])
    return low, high


# %% [markdown] hints={"of": "3_7_bootstrap_interval"}
# 1. One resample is a choice of indices. Which NumPy function draws `n` integers below `n`, repeats allowed?
# 2. All resamples at once are a matrix of indices, `(resamples, n)`; `right[...]` of it has the same shape. Which mean is wanted?
# 3. `np.quantile` takes two shares at once. With a level of 0.95 they are 0.025 and 0.975; what are they for any level?

# %% jupyter={"source_hidden": true}
right156 = np.arange(156) < 134
rng = np.random.default_rng(0)
resampled = 100 * right156[rng.integers(0, 156, (2000, 156))].mean(axis=1)
boot = 100 * np.array(my.bootstrap_interval(right156))
score = 100 * np.array(wilson(134, 156))

figure, (left, middle) = plt.subplots(1, 2, figsize=(11.5, 3.5), width_ratios=(1, 1.15))
edges = 100 * (np.arange(112, 157) - 0.5) / 156
left.hist(resampled, edges, color=style.GRID, edgecolor="white", linewidth=0.4)
for y, (ends, color, name) in enumerate(((boot, MOMENTUM, "bootstrap"), (score, ADAM, "Wilson"))):
    left.plot(ends, [232 + 24 * y] * 2, color=color, linewidth=3)
    left.text(
        ends[1] + 0.7,
        232 + 24 * y,
        f"{name}: {ends[0]:.1f} to {ends[1]:.1f}",
        va="center",
        fontsize=9,
        color=color,
    )
left.axvline(100 * 134 / 156, color=style.INK, linewidth=1)
left.set(
    xlim=(74, 103),
    ylim=(0, 275),
    yticks=[],
    xlabel="accuracy of a resample, %",
    title="134 of 156: the same network, other images",
)
left.spines["left"].set_visible(False)

sizes = np.geomspace(50, 50_000, 60)
middle.plot(sizes, [100 * np.subtract(*wilson(0.86 * n, n)[::-1]) for n in sizes], color=ADAM)
for flag, offset in (
    ("breastmnist", (6, 4)),
    ("pneumoniamnist", (6, 4)),
    ("dermamnist", (6, 4)),
    ("pathmnist", (6, 4)),
):
    known = tt.data.MEDMNIST[flag]
    n = known.samples[2]
    width = 100 * np.subtract(*wilson(0.86 * n, n)[::-1])
    middle.plot(n, width, "o", color=style.INK, markersize=5)
    middle.annotate(
        f"{known.title}, n = {n:,}: {width:.1f}",
        (n, width),
        offset,
        textcoords="offset points",
        fontsize=9,
    )
middle.set(xscale="log", xlabel="test images", ylabel="width of the 95 % interval, points", ylim=(0, 20), xlim=(50, 200_000),
           title="For half the width, four times the images (at 86 %)")  # fmt: skip
plt.show()

from tinyternary.config import Task
from tinyternary.evaluate.intervals import bootstrap_intervals

judged = tt.evaluate.judge(np.ones(156, int), right156.astype(float), Task.BINARY)
print("the library's bootstrap:", bootstrap_intervals(judged, seed=0, resamples=2000)["acc"])
print("yours                  :", list(my.bootstrap_interval(right156, seed=0, resamples=2000)))
print(
    "all 156 right: bootstrap",
    my.bootstrap_interval(np.ones(156, bool)),
    "Wilson",
    tuple(round(float(v), 4) for v in wilson(156, 156)),
)

# %% [markdown]
# The two agree well for 134 of 156. Look at the last line for where they do not: if all 156 are right, the bootstrap is *certain* that the accuracy is 100 %. It can only reshuffle what it has seen, and it has never seen a mistake. Wilson's interval still allows for one image in forty. Near 0 and 1, or with a few dozen images, trust Wilson.
#
# Neither knows anything about training. The network stays fixed here, and only the test images vary; that another seed would have given another network comes on top. We are about to see how much.

# %% [markdown]
# ## 8 · Museum, first room: a script with three diseases
#
# Time to train something. Below is the smallest network worth the name, 64 pixels to 32 hidden units to 10 digits. Its backward is written out, for in two layers the chain rule fits on a line. As in most frameworks, tinyternary's `Tensor` included, `backward` **adds** to the gradients that are there already: that is what makes a weight that is used twice come out right.


# %% tags=["setup"]
class Network:
    """Inputs, hidden units with ReLU and dropout, classes."""

    def __init__(self, sizes, seed, dropout=0.0):
        inputs, hidden, classes = sizes
        self.rng = np.random.default_rng(seed)
        self.parameters = [
            self.rng.normal(0, np.sqrt(2 / inputs), (inputs, hidden)).astype(np.float32),
            np.zeros(hidden, np.float32),
            self.rng.normal(0, np.sqrt(2 / hidden), (hidden, classes)).astype(np.float32),
            np.zeros(classes, np.float32),
        ]
        self.gradients = [np.zeros_like(w) for w in self.parameters]
        self.dropout = dropout

    def zero_grad(self):
        """Set all gradients to 0."""
        for gradient in self.gradients:
            gradient[...] = 0

    def forward(self, x, training=False):
        """Logits (B, C) of images (B, inputs); drops hidden units in training only."""
        w1, b1, w2, b2 = self.parameters
        hidden = np.maximum(x @ w1 + b1, 0)
        slope = (hidden > 0).astype(np.float32)
        if training and self.dropout:
            kept = (self.rng.random(hidden.shape) >= self.dropout) / (1 - self.dropout)
            hidden, slope = hidden * kept.astype(np.float32), slope * kept.astype(np.float32)
        self.seen = x, hidden, slope
        return hidden @ w2 + b2

    def backward(self, upstream):
        """Add to `gradients`, given the loss's gradient with respect to the logits."""
        x, hidden, slope = self.seen
        inner = (upstream @ self.parameters[2].T) * slope
        found = x.T @ inner, inner.sum(axis=0), hidden.T @ upstream, upstream.sum(axis=0)
        for gradient, part in zip(self.gradients, found):
            gradient += part


# %% [markdown]
# The data are scikit-learn's 1797 digits, 8 × 8 pixels, in three parts: *fit* to train on, *validation* to choose by, *test* to look at once. Each pixel is centred and scaled by its mean and deviation.
#
# A colleague hands you their script: an epoch of training, and the evaluation.

# %%
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

pixels, digits = load_digits(return_X_y=True)
pixels = (pixels / 16).astype(np.float32)
shuffled = np.random.default_rng(0).permutation(len(digits))
fit, validation, test = shuffled[:997], shuffled[997:1297], shuffled[1297:]
mean, std = pixels[fit].mean(axis=0), pixels[fit].std(axis=0) + 0.1
inputs = (pixels - mean) / std


def sick_epoch(network, optimizer, images, labels, order):
    curve = []
    for batch in order:
        scores = network.forward(images[batch], training=True)
        loss, slope = my.cross_entropy(scores, labels[batch])
        network.backward(slope)
        gradients = network.gradients
        optimizer.step(gradients)
        curve.append(loss)
    return curve


def sick_evaluate(network, images, labels):
    center, scale = images.mean(axis=0), images.std(axis=0) + 0.1
    scores = network.forward((images - center) / scale, training=True)
    right = scores.argmax(axis=1) == labels
    return float(np.mean(right))


# %% [markdown]
# Three complaints come with it.
#
# 1. *"The loss goes down for a moment, then it climbs. With a learning rate a hundred times smaller it gets most digits right, and then the loss creeps up all the same."*
# 2. *"I evaluated the same network ten times on the same images and got ten accuracies."*
# 3. *"In the notebook it is fine. In the clinic, where images arrive one at a time, it is useless."*
#
# **Predict, then run.** Take the third complaint. A well-trained network is evaluated by the script, once on all 500 test images together, and once on each image alone. What percentage is right *one at a time*? (The network's weights come from scikit-learn, which trains it as it should be, so nothing is wrong with them.)

# %%
my_guess = None  # percent right, one image at a time

trained = MLPClassifier((32,), learning_rate_init=0.01, random_state=0).fit(
    inputs[fit], digits[fit]
)
healthy = Network((64, 32, 10), seed=0, dropout=0.3)
healthy.parameters = [w for pair in zip(trained.coefs_, trained.intercepts_) for w in pair]
together = [100 * sick_evaluate(healthy, pixels[test], digits[test]) for _ in range(10)]
alone = 100 * np.mean([sick_evaluate(healthy, pixels[[i]], digits[[i]]) for i in test])
check.predicted(my_guess, float(alone), within=4, unit=" %",
                comment=f"All together it was {np.mean(together):.1f} %. Alone, it is chance. What does an image "
                        "look like to the network when there is no other?")  # fmt: skip

# %% jupyter={"source_hidden": true}
ill = Network((64, 32, 10), seed=0)
optimizer = my.Momentum(ill.parameters, lr=0.05)
losses, norms = [], []
for epoch in range(3):
    for rows in my.batches(len(fit), 32, 0, epoch):
        losses += sick_epoch(ill, optimizer, inputs[fit], digits[fit], [rows])
        norms.append(np.sqrt(sum(float(np.sum(g * g)) for g in ill.gradients)))

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.2), width_ratios=(1.35, 1, 0.8))
left.plot(losses, color=ADAM, label="loss")
left.plot(norms, color=style.SERIES[2], linewidth=1.3, label="length of all gradients")
left.axhline(np.log(10), color=style.MUTED, linestyle=":", linewidth=1.2)
left.text(
    len(losses) * 0.985,
    np.log(10) * 0.62,
    "log 10: knows nothing",
    fontsize=9,
    color=style.MUTED,
    ha="right",
    va="top",
)
left.set(yscale="log", xlabel="step", title="1 · Falls, then climbs")
left.legend(fontsize=9, loc="upper left")
left.set_ylim(top=max(max(losses), max(norms)) * 12)
middle.plot(range(1, 11), together, "o-", color=ADAM, linewidth=1)
middle.set(
    xlabel="evaluation",
    ylabel="accuracy, %",
    xticks=range(1, 11),
    title="2 · One network, ten accuracies",
)
right.bar(["together", "one by one"], [np.mean(together), alone], color=[PLAIN, ADAM], width=0.55)
right.axhline(10, color=style.MUTED, linestyle=":", linewidth=1.2)
right.set(ylim=(0, 105), ylabel="accuracy, %", title="3 · Fine here, useless there")
plt.show()

# %% [markdown]
# ### Exercise 3.8: cure it (3 points)
#
# Find the line, or the missing line, behind each complaint, and give it its name. Then write both functions anew.
#
# - `train_epoch(network, optimizer, images, labels, order)` goes through the batches in `order` (index arrays) and returns the list of their losses. The images come centred and scaled. It may call your `cross_entropy`. The gradient of a step should be that of its own batch, whatever somebody left in the network before.
# - `evaluate(network, images, labels, mean, std)` gets *raw* images and, in addition, what was measured on the training images. It returns the share that is right.


# %% nbgrader={"grade": false, "grade_id": "3_8_train_epoch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_epoch(network, optimizer, images, labels, order):
    """Train on the batches of one epoch; return their losses."""
    ### BEGIN SOLUTION
    losses = []
    for rows in order:
        network.zero_grad()
        logits = network.forward(images[rows], training=True)
        loss, upstream = cross_entropy(logits, labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses
    ### END SOLUTION


def evaluate(network, images, labels, mean, std):
    """Share of raw images that the network gets right."""
    ### BEGIN SOLUTION
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_8_train_epoch_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.8", mutates=True)
def _(train_epoch, evaluate):
    rng = np.random.default_rng(380)
    clean = rng.normal(size=(40, 6)).astype(np.float32)
    std = np.array([0.1, 0.5, 1, 2, 4, 10], np.float32)  # of each pixel, as the camera has it
    mean = np.full(6, 3.0, np.float32)
    images = std * clean + mean
    labels = rng.integers(0, 3, 40)
    order = [np.arange(0, 16), np.arange(16, 32), np.arange(32, 40)]

    class Recorder:
        """An optimiser that moves nothing and keeps what it is given."""

        def __init__(self):
            self.kept = []

        def step(self, gradients):
            self.kept.append([np.array(g) for g in gradients])

    with check.part("complaint 1, the loss climbs", points=1):
        network, recorder = Network((6, 5, 3), 0), Recorder()
        network.gradients[3] += 100.0  # somebody was here before
        losses = train_epoch(network, recorder, images, labels, order)
        check.true(len(recorder.kept) == 3, "One step of the optimiser for each batch.")
        check.true(np.shape(losses) == (3,), "Return one loss for each batch.")
        for i, rows in enumerate(order):
            fresh = Network((6, 5, 3), 0)
            wanted, upstream = cross_entropy(fresh.forward(images[rows]), labels[rows])
            fresh.backward(upstream)
            check.close(
                recorder.kept[i][3], fresh.gradients[3],
                f"Step {i + 1}: the optimiser should get the gradient of this batch alone, without "
                "what earlier batches, or somebody before them, have left in the network.",
                rtol=1e-3, atol=1e-5,
            )  # fmt: skip
            check.close(losses[i], wanted, "The loss of each batch, before its step.", rtol=1e-4)
        network = Network((6, 40, 3), 1, dropout=0.5)
        first = train_epoch(network, Recorder(), images, labels, order)
        second = train_epoch(network, Recorder(), images, labels, order)
        check.true(
            not np.allclose(first, second),
            "This network has dropout. While it trains, units should be dropped at random, so that "
            "no two passes give the same losses.",
        )
    network = Network((6, 40, 3), 2, dropout=0.5)
    truth = network.forward(clean).argmax(axis=1)
    with check.part("complaint 2, ten accuracies", points=1):
        said = [evaluate(network, images, truth, mean, std) for _ in range(6)]
        check.close(
            said, [said[0]] * 6,
            "The same network, the same images, six times: six times the same answer is wanted. What "
            "in this network is random, and when should it not be?",
        )  # fmt: skip
        check.true(
            network.dropout == 0.5,
            "After the evaluation the network has another dropout than before: training would go on "
            "without it. `forward` can be asked to leave it out this once.",
        )
    with check.part("complaint 3, useless in the clinic", points=1):
        network.dropout = 0.0
        single = [evaluate(network, images[[i]], truth[[i]], mean, std) for i in range(len(images))]
        check.close(
            single, np.ones(len(images)),
            "One at a time, an image should look to the network as it did in training: use what was "
            "measured there, and nothing of the images that happen to be around.",
        )  # fmt: skip
        check.close(
            evaluate(network, images, (truth + (np.arange(40) < 10)) % 3, mean, std), 0.75,
            "Return the share that is right, a number from 0 to 1.",
        )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    before = images.copy()
    evaluate(network, images, truth, mean, std)
    check.equal(images, before, "The images you were given have changed.")
    network = Network((6, 8, 3), 3)
    optimizer = Momentum(network.parameters, lr=0.1)
    target = (clean[:, 0] > 0).astype(int)
    for _ in range(60):
        losses = train_epoch(network, optimizer, clean, target, order)
    check.true(
        np.mean(losses) < 0.2, "After 60 epochs with your Momentum the loss should be small."
    )
    ### END HIDDEN TESTS


# %% variant={"of": "3_8_train_epoch", "wrong": "nothing cured but the clinic", "says": "complaint 1"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        loss, upstream = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std, training=True)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "gradients zeroed once an epoch", "says": "this batch alone"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    network.zero_grad()
    for rows in order:
        loss, upstream = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "zeroed after the step only: the first batch gets leftovers", "says": "somebody before"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        loss, upstream = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        network.zero_grad()
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "zeroed between backward and step", "says": "Step 1"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        loss, upstream = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(upstream)
        network.zero_grad()
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "dropout off in training as well", "says": "dropped at random"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, upstream = cross_entropy(network.forward(images[rows]), labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "dropout on in evaluation", "says": "complaint 2"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, upstream = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    logits = network.forward((images - mean) / std, training=True)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "turns dropout off for ever", "says": "go on without it"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, upstream = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    network.dropout = 0
    logits = network.forward((images - mean) / std, training=True)
    return float(np.mean(logits.argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "normalises with the test images", "says": "measured there"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, upstream = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    images = (images - images.mean(axis=0)) / (images.std(axis=0) + 0.1)
    return float(np.mean(network.forward(images).argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "wrong": "evaluates raw images", "says": "as it did in training"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        network.zero_grad()
        loss, upstream = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    return float(np.mean(network.forward(images).argmax(axis=1) == labels))


# %% variant={"of": "3_8_train_epoch", "right": "fresh gradient arrays, an average over dropout is not needed"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    for rows in order:
        loss, upstream = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.gradients = [np.zeros_like(w) for w in network.parameters]
        network.backward(upstream)
        optimizer.step(network.gradients)
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    said = np.argmax(network.forward((images - mean) / std, training=False), axis=1)
    return np.count_nonzero(said == labels) / len(labels)


# %% variant={"of": "3_8_train_epoch", "right": "zeroed at the start and after every step; image by image"}
def train_epoch(network, optimizer, images, labels, order):
    losses = []
    network.zero_grad()
    for rows in order:
        loss, upstream = cross_entropy(network.forward(images[rows], training=True), labels[rows])
        network.backward(upstream)
        optimizer.step(network.gradients)
        network.zero_grad()
        losses.append(loss)
    return losses


def evaluate(network, images, labels, mean, std):
    right = [
        int(np.argmax(network.forward((image[None] - mean) / std)) == label)
        for image, label in zip(images, labels)
    ]
    return sum(right) / len(right)


# %% [markdown] hints={"of": "3_8_train_epoch"}
# 1. In the first picture the gradients' length grows and grows. Read `Network.backward` again: what does it do with what is already there?
# 2. Which argument of `forward` makes it random? Which of the two functions wants that, and which does not?
# 3. What is the mean of a batch of one image, and what is left of the image when it is taken away?

# %% [markdown]
# The three are classics, and each has a milder form that no plot will show you.
#
# - **`zero_grad` forgotten.** Every step follows the sum of all gradients so far: momentum of 1, on top of the one you chose. Such a ball never loses speed. With tiny steps it can still find a valley, and get most images right while it rolls about, which is why the bug survives for months in some scripts.
# - **Dropout on in evaluation** costs a few points and makes the figure random. In PyTorch it is a forgotten `model.eval()`.
# - **Statistics of the test images.** With 500 images around, nobody notices: their mean is nearly that of the training images. One at a time, every pixel minus its own mean is 0, the network sees a blank page 500 times, and gives it the same answer 500 times. Computing the mean over *all* the data before the split is the same sin in a milder form: the test images have had a say in how they are seen.
#
# The library measures `mean` and `std` once (`tt.data.fit_preprocessing(train)`), and writes them into the model's file, so that the clinic cannot get them wrong.

# %% [markdown]
# ## 9 · Same recipe, another seed
#
# Now everything is yours: batches, loss, optimiser, schedule, loop, evaluation. `run` puts the pieces together. A *seed* decides two things that nobody cares about, the weights at the start and the order of the batches.


# %%
class Scheduled:
    """An optimiser whose learning rate follows a schedule, step by step."""

    def __init__(self, optimizer, schedule):
        self.optimizer, self.schedule, self.taken = optimizer, schedule, 0

    def step(self, gradients):
        self.optimizer.lr = self.schedule(self.taken)
        self.taken += 1
        self.optimizer.step(gradients)


def run(make, lr, seed, rows=None, labels=digits, epochs=12, hidden=32, watch=None):
    """Train a network on digits; return it. `watch(network)` is called after each epoch."""
    rows = fit if rows is None else rows
    network = Network((64, hidden, 10), seed)
    total = epochs * -(-len(rows) // 32)
    optimizer = Scheduled(
        make(network.parameters), lambda step: my.cosine(step, total, lr, total // 20)
    )
    for epoch in range(epochs):
        order = my.batches(len(rows), 32, seed, epoch)
        my.train_epoch(network, optimizer, inputs[rows], labels[rows], order)
        if watch:
            watch(network)
    return network


def score(network, rows, labels=digits):
    """Accuracy in percent."""
    return 100 * my.evaluate(network, pixels[rows], labels[rows], mean, std)


RECIPES = {"momentum": my.Momentum, "AdamW": my.AdamW}
GRID = {"momentum": (0.01, 0.03, 0.1), "AdamW": (0.003, 0.01, 0.03)}
chosen = {}
for name, make in RECIPES.items():
    # three learning rates each, chosen on validation images, with seeds that are not used again
    tried = {
        lr: np.mean([score(run(make, lr, seed), validation) for seed in (100, 101, 102)])
        for lr in GRID[name]
    }
    chosen[name] = max(tried, key=tried.get)
    print(
        f"{name:<9}", {lr: f"{value:.1f} %" for lr, value in tried.items()}, "-> lr", chosen[name]
    )

# %% [markdown]
# Both optimisers have had the same care: three learning rates, the same seeds, chosen on images that are not the test's. Now ten runs of each, and **nothing** changes but the seed.
#
# **Predict, then run.** How many points of test accuracy lie between the best and the worst of ten runs of the *same* recipe (momentum)?

# %%
my_guess = None  # points between the best and the worst of ten seeds

SEEDS = range(10)
outcomes = {
    name: np.array([score(run(make, chosen[name], seed), test) for seed in SEEDS])
    for name, make in RECIPES.items()
}
spread = float(np.ptp(outcomes["momentum"]))
check.predicted(my_guess, spread, within=0.3, unit=" points",
                comment="One test image is 0.2 points. Nothing changed but the seed.")  # fmt: skip


# %%
def paired(a, b, level=0.95):
    """Mean of the differences a - b, seed by seed, with Student's interval."""
    difference = np.asarray(a) - np.asarray(b)
    half = (
        student_t.ppf((1 + level) / 2, len(difference) - 1)
        * difference.std(ddof=1)
        / np.sqrt(len(difference))
    )
    return difference.mean(), difference.mean() - half, difference.mean() + half


gap, gap_low, gap_high = paired(outcomes["AdamW"], outcomes["momentum"])
for name, values in outcomes.items():
    print(
        f"{name:<9} mean {values.mean():.2f} %, deviation {values.std(ddof=1):.2f}, from {values.min():.1f} to {values.max():.1f}"
    )
print(f"AdamW minus momentum: {gap:+.2f} points, 95 % interval {gap_low:+.2f} to {gap_high:+.2f}")
best, worst = max(outcomes.values(), key=np.mean), min(outcomes.values(), key=np.mean)
print(f"Let me choose one seed each, and I can show you {best.max() - worst.min():+.1f} points for the one, "
      f"or {worst.max() - best.min():+.1f} for the other.")  # fmt: skip
deviation = np.sqrt(np.mean([v.var(ddof=1) for v in outcomes.values()]))
print(f"Seeds that a gap of 0.4 points needs, to stand out of its own 95 % interval: about "
      f"{int(np.ceil(2 * (1.96 * deviation / 0.4) ** 2))} of each.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.2), width_ratios=(1.5, 1))
for place, (values, color) in enumerate(zip(outcomes.values(), (MOMENTUM, ADAM))):
    order = np.argsort(values, kind="stable")
    stacked = np.empty(len(values))  # equal accuracies side by side
    for value in np.unique(values):
        same = order[values[order] == value]
        stacked[same] = (np.arange(len(same)) - (len(same) - 1) / 2) * 0.11
    left.scatter(values, place + stacked, color=color, s=34, alpha=0.85, zorder=3)
    left.plot([values.mean()] * 2, [place - 0.38, place + 0.38], color=color, linewidth=2.5)
ends = 100 * np.array(wilson(round(5 * outcomes["momentum"].mean()), 500))
left.plot(ends, [-0.72] * 2, color=style.MUTED, linewidth=3)
left.text(
    ends.mean(),
    -0.82,
    "500 test images alone (Wilson)",
    fontsize=8.5,
    color=style.MUTED,
    ha="center",
    va="bottom",
)
left.set(yticks=[0, 1], yticklabels=list(outcomes), ylim=(1.55, -1.15), xlabel="test accuracy, % (a dot is a seed, a line the mean)",
         title="The seed moves more than the optimiser")  # fmt: skip
style.grid_behind(left, "x")
right.barh(["gap of the means", "best minus worst\nseed, momentum", "best minus worst\nseed, AdamW", "width of Wilson's\ninterval, n = 500"],
           [abs(gap), spread, np.ptp(outcomes["AdamW"]), np.ptp(ends)],
           color=[style.INK, MOMENTUM, ADAM, style.MUTED], height=0.6)  # fmt: skip
right.invert_yaxis()
right.set(xlabel="points", title="How much is how much")
plt.show()

# %% [markdown]
# Take two dots from this figure, one of each row, and you can tell any story you like: that AdamW wins by about a point, or that momentum does. A single pair of runs says next to nothing. And above both rows lies the grey bar, wider than either: the uncertainty that comes from having 500 test images, which no number of seeds will shrink. With forty seeds of each (we have tried; try it) the gap is less than a quarter of a point, in either direction, while ten runs of one recipe still lie a point or so apart.
#
# (It is not that optimisers never matter. A learning rate from the wrong end of the grid costs more than any seed, as the lines above the prediction show. Once each has its own, what is left between them is small, and small things take many runs to see.)

# %% [markdown]
# ## 10 · What training accuracy proves
#
# Now for a bad idea. Take 500 training images and **shuffle their labels**: a 3 is called 7, another 3 is called 0. There is nothing left to learn. The network is wider this time (256 hidden units), it trains for 40 epochs, and otherwise all is as before.
#
# **Predict, then run.** What *training* accuracy does it reach, on those shuffled labels? (Chance is 10 %.)

# %%
my_guess = None  # percent of the shuffled labels that it gets right, in training

few = fit[:500]
nonsense = digits.copy()
nonsense[few] = np.random.default_rng(37).permutation(digits[few])
curves = {}
for name, labels in (("true", digits), ("shuffled", nonsense)):
    track = []
    run(my.AdamW, 0.01, 0, few, labels, epochs=40, hidden=256,
        watch=lambda net, y=labels, t=track: t.append((score(net, few, y), score(net, test))))  # fmt: skip
    curves[name] = np.array(track)
check.predicted(my_guess, float(curves["shuffled"][-1, 0]), within=3, unit=" %",
                comment=f"On test images it is right on {curves['shuffled'][-1, 1]:.1f} %: chance. It has learned 500 "
                        "images by heart, and nothing about digits.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.2), sharey=True)
for axis, curve, title in zip(
    axes, curves.values(), ("True labels: it learns", "Shuffled labels: it memorises")
):
    axis.plot(np.arange(1, 41), curve[:, 0], color=PLAIN, label="training images")
    axis.plot(np.arange(1, 41), curve[:, 1], color=ADAM, label="test images")
    axis.axhline(10, color=style.MUTED, linestyle=":", linewidth=1.2)
    for value, color, up in zip(curve[-1], (PLAIN, ADAM), (3, -3)):
        axis.annotate(f"{value:.0f} %", (40, value), (4, up), textcoords="offset points", color=color,
                      fontsize=9, va="bottom" if up > 0 else "top")  # fmt: skip
    axis.set(xlabel="epoch", title=title, ylim=(0, 112), xlim=(0, 44))
axes[0].set_ylabel("accuracy, %")
axes[0].legend(loc="center right", fontsize=9)
axes[1].text(22, 13, "chance", color=style.MUTED, fontsize=9)
plt.show()

# %% [markdown]
# Zhang and colleagues did this to ImageNet-sized networks in 2017, and upset a good many textbooks: the same network, with the same optimiser, memorises noise or learns digits, and its training accuracy looks the same at the end. (The way there does not: look how much longer the noise takes.) That a network fits its training data proves that it is large enough. For anything else you need images that it has never seen.
#
# *Never seen* is a stronger condition than it sounds.

# %% [markdown]
# ## 11 · Museum, second room: the network that predicts coin flips
#
# A hospital sends 600 images: 100 patients, 6 images each. The label is a diagnosis, yes or no. To be on the safe side, somebody has replaced the diagnoses by **coin flips**, one a patient, before you got them: nothing in an image can tell the label. (Our patients are digits: the six images of a patient are six noisy copies of one digit. Each of the eight trials below flips the coins anew.)
#
# You split the 600 images at random, 450 to train on and 150 to test on, train, and evaluate on images that the network has never seen. It has to come out at 50 %.

# %%
PATIENTS, SHOTS = 100, 6
rng = np.random.default_rng(38)
faces = pixels[rng.permutation(len(pixels))[:PATIENTS]]
coins = rng.integers(0, 2, (8, PATIENTS))  # one row of flips for each trial
patient = np.repeat(np.arange(PATIENTS), SHOTS)
shots = (faces[patient] + 0.1 * rng.normal(size=(len(patient), 64))).astype(np.float32)


def trial(train_rows, test_rows, seed):
    """Train on some of the shots; return the accuracy on others, in percent."""
    diagnosis = coins[seed][patient]
    center, scale = shots[train_rows].mean(axis=0), shots[train_rows].std(axis=0) + 0.1
    network = Network((64, 64, 2), seed)
    optimizer = my.AdamW(network.parameters, lr=0.005)
    x = (shots[train_rows] - center) / scale
    for epoch in range(25):
        order = my.batches(len(train_rows), 32, seed, epoch)
        my.train_epoch(network, optimizer, x, diagnosis[train_rows], order)
    return 100 * my.evaluate(network, shots[test_rows], diagnosis[test_rows], center, scale)


# %% [markdown]
# **Predict, then run.** What does it come out at?

# %%
my_guess = None  # percent of the coin flips that it predicts, on images it has not seen

by_image = []
for seed in range(8):
    mixed = np.random.default_rng(seed).permutation(len(shots))
    by_image.append(trial(mixed[:450], mixed[450:], seed))
check.predicted(my_guess, float(np.mean(by_image)), within=5, unit=" %",
                comment="A network that predicts coin flips. Publish, or find out what happened?")  # fmt: skip

# %% [markdown]
# ### Exercise 3.9: repair the split (2 points)
#
# There is no bug in the training, none in the evaluation, and no test image is among the training images. Name what is wrong, then write the split that mends it.
#
# `split_by_patient(patients, share, seed)` gets an array with one entry for each image, saying whose it is (numbers or names, in any order, with any number of images each). It returns `(train_rows, test_rows)`, arrays of image indices, each index in exactly one of them. `round(share * number of patients)` patients, drawn at random by the seed, are for testing; one with many images is as likely to be drawn as one with few.


# %% nbgrader={"grade": false, "grade_id": "3_9_split_by_patient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split_by_patient(patients, share, seed):
    """Rows for training and for testing, such that the two have nothing to do with each other."""
    ### BEGIN SOLUTION
    people = np.unique(patients)
    count = round(share * len(people))
    chosen = np.random.default_rng(seed).permutation(people)[:count]
    held_out = np.isin(patients, chosen)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "3_9_split_by_patient_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("3.9")
def _(split_by_patient):
    who = np.array([7, 7, 3, 12, 3, 12, 12, 50, 7, 50])
    train, test = split_by_patient(who, 0.5, 0)
    check.equal(
        np.sort(np.concatenate([train, test])), np.arange(10),
        "Each row should be in exactly one of the two parts.",
    )  # fmt: skip
    shared = set(who[train].tolist()) & set(who[test].tolist())
    check.true(
        not shared,
        f"Of patient {min(shared, default=0)} there are images on both sides: the network can "
        "recognise the person, and never look for the disease.",
    )
    check.true(
        len(set(who[test].tolist())) == 2,
        f"Half of four patients should be for testing, and {len(set(who[test].tolist()))} are. "
        "The share is one of the patients, not of the images, and first train, then test.",
    )
    names = np.array(["b", "a", "c", "a", "d", "c", "e", "a"])
    train, test = split_by_patient(names, 0.4, 1)
    check.true(
        len(set(names[test])) == 2 and not set(names[train]) & set(names[test]),
        "Patients may have names in place of numbers: two of these five should be for testing.",
    )
    many = np.repeat(np.arange(30), 2)
    tests = [tuple(split_by_patient(many, 0.3, seed)[1]) for seed in range(12)]
    check.true(
        len(set(tests)) > 6,
        "Other seeds should test on other patients, and yours hardly change: draw them at random.",
    )
    again = split_by_patient(many, 0.3, 5)[1]
    check.equal(
        np.sort(again), np.sort(np.array(tests[5])), "The same seed should give the same split."
    )
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(390)
    for seed in range(10):
        who = rng.choice(1000, 40, replace=False)[rng.integers(0, 40, 200)]
        train, test = split_by_patient(who, 0.25, seed)
        check.equal(np.sort(np.concatenate([train, test])), np.arange(200), "Each row once.")
        people = len(np.unique(who))
        check.true(
            not set(who[train]) & set(who[test]) and len(set(who[test])) == round(0.25 * people),
            f"{people} patients with 200 images between them: a quarter of the people, none shared.",
        )
    shares = np.bincount(np.concatenate([split_by_patient(many, 0.5, s)[1] for s in range(60)]))
    check.true(shares.min() > 10, "Some patients are hardly ever drawn for testing.")
    uneven = np.repeat(np.arange(20), np.where(np.arange(20) == 7, 100, 1))
    often = sum(7 in uneven[split_by_patient(uneven, 0.25, s)[1]] for s in range(60))
    check.true(
        2 < often < 35,
        f"Five of twenty patients are for testing. The one with 100 images is among them {often} "
        "times in 60, and should be about as often as anybody else, 15 times: draw from the "
        "patients, each of them once.",
    )
    ### END HIDDEN TESTS


# %% variant={"of": "3_9_split_by_patient", "wrong": "splits images", "says": "both sides"}
def split_by_patient(patients, share, seed):
    order = np.random.default_rng(seed).permutation(len(patients))
    count = round(share * len(patients))
    return order[count:], order[:count]


# %% variant={"of": "3_9_split_by_patient", "wrong": "fills the test part by images: the last patient is cut", "says": "both sides"}
def split_by_patient(patients, share, seed):
    people = np.random.default_rng(seed).permutation(np.unique(patients))
    rank = {p: i for i, p in enumerate(people.tolist())}
    order = np.array(sorted(range(len(patients)), key=lambda i: rank[patients[i].item()]))
    count = round(share * len(patients)) - 1
    return order[count:], order[:count]


# %% variant={"of": "3_9_split_by_patient", "wrong": "the first patients, never drawn", "says": "at random"}
def split_by_patient(patients, share, seed):
    people = np.unique(patients)
    held_out = np.isin(patients, people[: round(share * len(people))])
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


# %% variant={"of": "3_9_split_by_patient", "wrong": "train and test the wrong way round"}
def split_by_patient(patients, share, seed):
    people = np.random.default_rng(seed).permutation(np.unique(patients))
    held_out = np.isin(patients, people[: round(share * len(people))])
    return np.flatnonzero(held_out), np.flatnonzero(~held_out)


# %% variant={"of": "3_9_split_by_patient", "wrong": "a coin for each patient: not the number asked for", "says": "patients"}
def split_by_patient(patients, share, seed):
    people = np.unique(patients)
    picked = people[np.random.default_rng(seed).random(len(people)) < share]
    held_out = np.isin(patients, picked)
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


# %% variant={"of": "3_9_split_by_patient", "wrong": "one image of each patient: leaves rows out", "says": "exactly one"}
def split_by_patient(patients, share, seed):
    people, rows = np.unique(patients, return_index=True)
    order = np.random.default_rng(seed).permutation(len(people))
    count = round(share * len(people))
    return rows[order[count:]], rows[order[:count]]


# %% variant={"of": "3_9_split_by_patient", "right": "a set and two lists"}
def split_by_patient(patients, share, seed):
    import random

    people = sorted(set(patients.tolist()))
    chosen = set(random.Random(seed).sample(people, round(share * len(people))))
    train = [i for i, p in enumerate(patients.tolist()) if p not in chosen]
    test = [i for i, p in enumerate(patients.tolist()) if p in chosen]
    return np.array(train, dtype=int), np.array(test, dtype=int)


# %% variant={"of": "3_9_split_by_patient", "right": "ranks of the patients by a random number"}
def split_by_patient(patients, share, seed):
    people, whose = np.unique(patients, return_inverse=True)
    rank = np.argsort(np.argsort(np.random.default_rng(seed).random(len(people))))
    test = rank[whose] < round(share * len(people))
    return np.where(~test)[0], np.where(test)[0]


# %% [markdown] hints={"of": "3_9_split_by_patient"}
# 1. What do a test image and some training image have in common, here? What is it that should be shuffled?
# 2. `np.unique` gives each patient once. Draw from those, then ask of every image whether its patient was drawn.
# 3. `np.isin(patients, drawn)` is that question for all images at once.

# %% jupyter={"source_hidden": true}
by_patient = [trial(*my.split_by_patient(patient, 0.25, seed), seed) for seed in range(8)]
mixed = np.random.default_rng(0).permutation(len(shots))
train_rows, test_rows = mixed[:450], mixed[450:]
looked_at = test_rows[:4]
distances = np.linalg.norm(shots[looked_at][:, None] - shots[train_rows][None], axis=2)
twins = train_rows[distances.argmin(axis=1)]

figure = plt.figure(figsize=(11, 3.3))
pictures_side, strip_side = figure.subfigures(1, 2, width_ratios=(1, 1.35))
grid_axes = pictures_side.subplots(2, 4)
for column, (a, b) in enumerate(zip(looked_at, twins)):
    for axis, row in zip(grid_axes[:, column], (a, b)):
        axis.imshow(shots[row].reshape(8, 8), cmap="gray_r", vmin=-0.2, vmax=1.2)
        axis.set(xticks=[], yticks=[])
        axis.set_xlabel(f"patient {patient[row]}", fontsize=8.5)
grid_axes[0, 0].set_ylabel("test")
grid_axes[1, 0].set_ylabel("nearest in\ntraining")
pictures_side.suptitle("Never seen? Look below", fontsize=11, fontweight="bold", x=0.02, ha="left")
strip = strip_side.subplots()
for place, (values, color) in enumerate(((by_image, ADAM), (by_patient, MOMENTUM))):
    strip.scatter(values, place + np.linspace(-0.16, 0.16, 8), color=color, s=32, zorder=3)
    strip.plot([np.mean(values)] * 2, [place - 0.33, place + 0.33], color=color, linewidth=2.5)
strip.axvline(50, color=style.MUTED, linestyle=":", linewidth=1.3)
strip.text(50.6, -0.52, "coin flips", color=style.MUTED, fontsize=9, va="center")
strip.set(yticks=[0, 1], yticklabels=["split by image", "split by patient"], ylim=(1.5, -0.7), xlim=(30, 100),
          xlabel="test accuracy, % (eight seeds)", title="The same data, the same network, another split")  # fmt: skip
plt.show()
print(f"split by image {np.mean(by_image):.1f} %, split by patient {np.mean(by_patient):.1f} %")

# %% [markdown]
# The network recognised the *patients*. Nearly every one of them had images in the training set, for which it had learned the coin by heart, just as in section 10; the test images looked like those. The split leaked.
#
# This one is not a toy. Chest X-ray sets hold many images of one person; DermaMNIST has the same lesions on both sides of its official split (Abhishek et al., see below); video frames, neighbouring slices of a scan, augmented copies made *before* the split all do the same. The symptom is always a figure that is too good, and it is the only one, for every curve looks perfect.
#
# Note how wide the lower row scatters. There are 150 images on the test side, but they belong to 25 patients, and 25 is the number that counts: Wilson's interval for 25 coin flips is about 36 points wide. The library looks for such twins between splits with `tt.data.most_similar`; lesson 11 does so on real data.

# %%
low, high = wilson(12.5, 25)
print(
    f"95 % interval for 25 coin flips: {100 * low:.0f} to {100 * high:.0f} %, {100 * (high - low):.0f} points wide"
)

# %% [markdown] nbgrader={"grade": true, "grade_id": "3_10_better", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ## 12 · In your own words
#
# ### Question 3.10 (3 points)
#
# A colleague writes: *"My run is 0.4 points better than yours: 97.8 % against 97.4 %, on the same 500 test images. I used AdamW, you used SGD with momentum. So we should switch."*
#
# What would they have to show you before you switch? Use numbers from this lesson, and put the most important things first.
#
# ### BEGIN SOLUTION
# 0.4 points of 500 images are two images. Wilson's interval at 97.4 % on 500 images is almost three points wide, and in section 9 two runs of the *same* recipe differ by about a point when only the seed changes. One pair of runs therefore says nothing, either way.
#
# I would ask for: (1) several seeds of each, the same set for both and named beforehand, with the mean of the paired differences and its interval; from the spread we saw, about a dozen seeds of each are needed to tell 0.4 points from 0, and the interval has to exclude 0. (2) An equal budget of tuning for both, on validation images: a new optimiser with ten learning rates against an old one with its default is a comparison of budgets. (3) That the test images were looked at once: not used to choose the epoch, the seed or the learning rate. (4) That the split is by patient, the statistics are the training images', and dropout is off, the same in both scripts.
#
# (5) Even then the gap is one on *these* 500 images. The two networks see the same images, so compare them image by image (bootstrap the difference, or count those that only one gets right), or take more test images. If all of that holds, 0.4 points are real; whether they are worth a switch is another question.
# ### END SOLUTION

# %% [markdown] rubric={"of": "3_10_better"}
# One point each, for three of these four with a reason or a number; at least one of the first two must be there for full points.
#
# 1. **Seeds.** One run each is no evidence; several seeds of both, mean difference with an interval that excludes 0. (A number from section 9: a spread of about a point.)
# 2. **Test size.** 0.4 points of 500 are two images; the interval for 500 images is almost three points wide; paired comparison or more images.
# 3. **Equal care.** Learning rate and the rest tuned with the same budget, on validation images; the test set used once, not to choose epoch, seed or learning rate.
# 4. **The same, sound pipeline.** Same split, no patient on both sides, training statistics, evaluation mode.
#
# No point for "use statistics" or "more data" without saying which and why. An answer that rejects the claim outright ("it is only noise") misses that one cannot tell: take half a point off the first item.

# %% [markdown]
# ## Recap
#
# - **Deal cards, do not roll dice.** Shuffled batches see every example once an epoch; the order is a function of `(seed, epoch)`, so it can be had again.
# - **Take the maximum away** before exponentials, and stay with logarithms. The first loss should be $\log C$; the gradient is *said minus true*.
# - **Momentum** cancels what changes its sign and multiplies what does not by $1/(1-\mu)$. **Adam** makes steps of known size; its bias correction keeps the first ones from being several times too long. **AdamW** keeps decay out of that division.
# - **Warm-up, then a cosine**: the last fifth of the training runs at less than a tenth of the peak.
# - **An accuracy has an interval**: almost 11 points wide for 156 images. The seed adds its own spread, and together they swallow most differences between optimisers.
# - **A network can fit anything.** Training accuracy proves size; test accuracy proves something only if the test images have nothing to do with the training images.
#
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - D. P. Kingma, J. Ba, *Adam: A Method for Stochastic Optimization*, ICLR 2015, arXiv 1412.6980. Algorithm 1, and section 3 for the bias correction.
# - I. Loshchilov, F. Hutter, *Decoupled Weight Decay Regularization*, ICLR 2019, arXiv 1711.05101 (AdamW, algorithm 2), and *SGDR*, ICLR 2017, arXiv 1608.03983 (the cosine).
# - B. T. Polyak, *Some methods of speeding up the convergence of iteration methods*, 1964, for momentum; G. Goh, *Why Momentum Really Works*, Distill 2017, for pictures of it.
# - E. B. Wilson, *Probable inference, the law of succession, and statistical inference*, Journal of the American Statistical Association 22, 1927. B. Efron, R. Tibshirani, *An Introduction to the Bootstrap*, 1993, chapter 13 for the percentile interval.
# - C. Zhang et al., *Understanding deep learning requires rethinking generalization*, ICLR 2017, arXiv 1611.03530. Shuffled labels.
# - X. Bouthillier et al., *Accounting for Variance in Machine Learning Benchmarks*, MLSys 2021, arXiv 2103.03098. Seeds, splits, and how many of them a claim needs.
# - K. Abhishek et al., *Investigating the Quality of DermaMNIST and Fitzpatrick17k Dermatological Image Datasets*, 2024, arXiv 2401.14497. Lesions on both sides of a split.
# - J. Yang et al., *MedMNIST v2*, Scientific Data 2023: BreastMNIST's 156 test images, and what networks reach on them.
# - In the library: `tinyternary/train/optimizers.py` and `schedules.py`, `tinyternary/data/batches.py`, `tinyternary/evaluate/intervals.py`. You have written the heart of each.
#
# **Next:** lesson 04 sends gradients through a staircase, where the true slope is zero almost everywhere, and gets away with it.
