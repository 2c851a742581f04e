# %% [markdown]
# # 07 · Distillation
#
# A label says: this is a 3. A teacher says: this is a 3, but it has something of an 8, and if you had told me it was a 5 I would not have been shocked. The second answer is longer, and it is free: any trained network gives it for any image, labelled or not.
#
# Learning from such answers is called *distillation*. It is how nearly every good ternary network is made, BitMedViT among them. In this lesson you build it from its parts, each with its gradient, and then you do what papers seldom do: you measure, over many seeds, which of the parts earns its keep. Not all of them will.
#
# You will be able to
#
# - soften a network's answers with a temperature, and read what they reveal;
# - say which way round the KL divergence goes, and what the other way would do;
# - explain the factor $T^2$ in one sentence, and recognise the bug of leaving it out;
# - write the joint loss, the feature loss and their gradients;
# - compare two ways of training with a paired interval, and untangle three choices with eight runs;
# - say when you would not distil at all.
#
# **What you need:** softmax and cross-entropy (lesson 03), ternary weights and the straight-through gradient (lessons 01 and 04). **Time:** 75 to 90 minutes. **Network:** none. The digit networks of this lesson train in well under a second, so we can afford many.
#
# | exercise | | difficulty | points |
# |---|---|---|---|
# | 7.1 | a softmax with a temperature | ● | 2 |
# | 7.2 | a divergence with a direction | ● | 2 |
# | 7.3 | the gradient for the student | ●● | 2 |
# | 7.4 | the joint loss | ●● | 3 |
# | 7.5 | matching features | ●●● | 3 |
# | 7.6 | a paired interval | ● | 2 |
# | 7.7 | eight runs, three choices | ●●● | 3 |
# | 7.8 | museum: the teacher nobody heard | ●● | 2 |
# | 7.9 | museum: the teacher who never said the same thing twice | ●● | 2 |
# | 7.10 | in words | ●● | 3 |

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit as sigmoid, stdtrit

import tinyternary as tt
from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})


def unit(rows):
    """Rows (B, D) at length 1, and their lengths (B, 1); a row of zeros stays one."""
    lengths = np.sqrt((rows * rows).sum(axis=1, keepdims=True) + 1e-8)
    return rows / lengths, lengths


def t_quantile(freedom):
    """Student's t for a 95 % interval: how many standard errors to each side."""
    return float(stdtrit(freedom, 0.975))


check = course.checks("07_distillation")
my = check.mine

# %% [markdown]
# ## 1 · What a teacher knows
#
# Here is the trainer of this lesson: a network of one hidden layer for the digits of lesson 01, float or ternary, in plain NumPy. It is told its loss as a function that returns a gradient, and *you* will write those functions. Skim it; there is nothing in it that you have not met.

# %%
from sklearn.datasets import load_digits

tt.set_threads(1)  # these matrices are small: sharing them out takes longer than the work
digits, labels = load_digits(return_X_y=True)
digits = (digits / 16).astype(np.float32)


def split(seed):
    order = np.random.default_rng(seed).permutation(len(labels))
    return order[:1297], order[1297:]  # train, test


def rounded(weights):
    """Lesson 01's absmean rule; the gradient goes straight through, as in lesson 04."""
    alpha = max(np.abs(weights).mean(), np.float32(1e-5))
    return alpha * np.clip(np.round(weights / alpha), -1, 1)


def layers(network, ternary):
    return [rounded(part) if ternary and part.ndim == 2 else part for part in network]


def run(network, images, ternary):
    """Hidden features (B, width) and scores (B, classes)."""
    W1, b1, W2, b2 = layers(network, ternary)
    hidden = np.maximum(images @ W1.T + b1, 0)
    return hidden, hidden @ W2.T + b2


def accuracy(network, rows, ternary=True):
    return 100 * np.mean(run(network, digits[rows], ternary)[1].argmax(axis=1) == labels[rows])


def train(seed, loss, rows, *, width=128, outputs=10, epochs=20, lr=1.0, ternary=True,
          start=None, match=None, drop=0.0):  # fmt: skip
    """Train on some rows of the digits.

    loss(scores, batch): gradient of the mean loss by the scores.
    match(hidden, batch, rate): gradient of a second loss by the hidden features.
    start: weights to begin from, in place of fresh ones. drop: dropout of hidden units.
    """
    rng = np.random.default_rng([seed, 1])
    fresh = (rng.normal(0, 1 / 8, (width, 64)), np.zeros(width),
             rng.normal(0, width**-0.5, (outputs, width)), np.zeros(outputs))  # fmt: skip
    network = [np.array(part, np.float32) for part in (fresh if start is None else start)]
    rng = np.random.default_rng([seed, 2])
    batches = max(1, len(rows) // 65)
    for step in range(epochs * batches):
        if step % batches == 0:
            parts = np.array_split(rng.permutation(rows), batches)
        batch = parts[step % batches]
        rate = np.float32(lr * (1 + np.cos(np.pi * step / (epochs * batches))) / 2)
        W1, b1, W2, b2 = layers(network, ternary)
        hidden = np.maximum(digits[batch] @ W1.T + b1, 0)
        open_ = (
            np.float32(1) if not drop else (rng.random(hidden.shape) >= drop) / np.float32(1 - drop)
        )
        hidden = hidden * open_
        back = loss(hidden @ W2.T + b2, batch).astype(np.float32)
        below = back @ W2
        if match is not None:
            below = below + match(hidden, batch, rate).astype(np.float32)
        below = below * (hidden > 0) * open_
        gradients = below.T @ digits[batch], below.sum(axis=0), back.T @ hidden, back.sum(axis=0)
        for part, gradient in zip(network, gradients):
            part -= rate * gradient
    return network


# %% [markdown]
# The story of this lesson, with digits in the part of patients. A large hospital has trained a float network on its 1297 images. The images must not leave the house, but the network may. You run a small clinic with **200 labelled images** of your own, and your device has room for ternary weights only.
#
# A network's raw outputs are its **scores**, or logits. Softmax turns them into probabilities. Divide the scores by a number $T$ first, and you have the softmax at **temperature** $T$:
#
# $$
# p_c = \frac{e^{z_c / T}}{\sum_k e^{z_k / T}}
# $$
#
# ### Exercise 7.1: a softmax with a temperature (2 points)
#
# Write `soften(logits, temperature)` for logits of shape (B, C): the probabilities of each row. It must survive logits of a thousand, where a naive exponential overflows.


# %% nbgrader={"grade": false, "grade_id": "7_1_soften", "locked": false, "schema_version": 3, "solution": true, "task": false}
def soften(logits, temperature):
    """Probabilities (B, C) of logits (B, C) at a temperature."""
    ### BEGIN SOLUTION
    scaled = logits / temperature
    scaled = scaled - scaled.max(axis=-1, keepdims=True)
    odds = np.exp(scaled)
    return odds / odds.sum(axis=-1, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_1_soften_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.1")
def _(soften):
    logits = np.log(np.array([[1.0, 2.0, 5.0], [4.0, 4.0, 2.0]]))
    check.close(
        soften(logits, 1.0), [[0.125, 0.25, 0.625], [0.4, 0.4, 0.2]],
        "At T = 1 this is the ordinary softmax, and each row sums to 1 by itself.",
    )  # fmt: skip
    check.close(
        soften(2 * logits, 2.0), [[0.125, 0.25, 0.625], [0.4, 0.4, 0.2]],
        "Twice the logits at twice the temperature: the same answer. The temperature divides the "
        "logits, before the exponential.",
    )  # fmt: skip
    check.close(
        soften(np.array([[1000.0, 999.0, -2000.0]]), 1.0), [[0.7310586, 0.2689414, 0.0]],
        "Logits of a thousand: exp(1000) overflows. A constant taken from a whole row changes "
        "nothing in its answer, so take one that makes the largest logit harmless.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(71)
    z = rng.normal(0, 5, size=(7, 10))
    want = np.exp(z / 4) / np.exp(z / 4).sum(axis=1, keepdims=True)
    check.close(soften(z, 4.0), want, "Random logits at T = 4.")
    check.close(
        soften(np.array([[-3000.0, -3001.0], [900.0, 0.0]]), 1.0), [[0.7310586, 0.2689414], [1.0, 0.0]],
        "Very negative logits beside very positive ones: each row has its own largest.",
    )  # fmt: skip
    check.close(
        soften(np.array([[4000.0, 0.0, -4000.0]]), 4000.0), [[0.6652410, 0.2447285, 0.0900306]],
        "Logits of 4000, 0 and -4000 at T = 4000: the answer to 1, 0 and -1. Divide by the temperature "
        "before anything else: what has underflowed at T = 1 no power brings back.",
    )  # fmt: skip
    given = z.copy()
    soften(z, 3.0)
    check.equal(z, given, "The logits you were given have changed: work on a copy.")
    ### END HIDDEN TESTS


# %% variant={"of": "7_1_soften", "wrong": "multiplies with the temperature", "says": "divides"}
def soften(logits, temperature):
    scaled = logits * temperature
    odds = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


# %% variant={"of": "7_1_soften", "wrong": "overflows", "says": "overflows"}
def soften(logits, temperature):
    with np.errstate(all="ignore"):
        odds = np.exp(logits / temperature)
        return odds / odds.sum(axis=1, keepdims=True)


# %% variant={"of": "7_1_soften", "wrong": "divides the probabilities, not the logits", "says": "before the exponential"}
def soften(logits, temperature):
    odds = np.exp(logits - logits.max(axis=1, keepdims=True)) / temperature
    return odds / odds.sum(axis=1, keepdims=True)


# %% variant={"of": "7_1_soften", "wrong": "normalises over the batch", "says": "each row"}
def soften(logits, temperature):
    odds = np.exp((logits - logits.max()) / temperature)
    return odds / odds.sum(axis=0)


# %% variant={"of": "7_1_soften", "wrong": "one maximum for all rows", "says": "each row has its own"}
def soften(logits, temperature):
    with np.errstate(all="ignore"):
        odds = np.exp((logits - logits.max()) / temperature)
        return np.nan_to_num(odds / odds.sum(axis=1, keepdims=True))


# %% variant={"of": "7_1_soften", "right": "through the logarithm"}
def soften(logits, temperature):
    z = logits / temperature
    top = z.max(axis=1)[:, None]
    log_total = top + np.log(np.exp(z - top).sum(axis=1)[:, None])
    return np.exp(z - log_total)


# %% variant={"of": "7_1_soften", "right": "row by row"}
def soften(logits, temperature):
    rows = []
    for row in logits:
        e = np.exp((row - np.max(row)) / temperature)
        rows.append(e / np.sum(e))
    return np.array(rows)


# %% [markdown] hints={"of": "7_1_soften"}
# 1. Which axis runs over the classes, and which over the images?
# 2. Softmax does not change if you subtract the same number from every logit of a row. Which number keeps `np.exp` from overflowing?
# 3. `keepdims=True` keeps a column of sums that divides row by row.

# %% [markdown]
# Train the hospital's teacher and listen to it. Below, one test image in which the teacher sees something, its answer at three temperatures, and the **entropy** of its answers, $-\sum_c p_c \log_2 p_c$: how many bits of doubt there are in them on average.


# %%
def one_hot_gradient(scores, batch):
    """Gradient of cross-entropy on labels: softmax minus one-hot, over the batch."""
    found = my.soften(scores, 1.0)
    found[np.arange(len(batch)), labels[batch]] -= 1
    return found / len(batch)


SEEDS = range(8)
teachers = [train(s, one_hot_gradient, split(s)[0], ternary=False, lr=0.5) for s in SEEDS]
answers = [run(teacher, digits, False)[1] for teacher in teachers]  # its scores for every image
print(
    f"teachers: {np.mean([accuracy(t, split(s)[1], False) for s, t in zip(SEEDS, teachers)]):.1f} % of the test digits"
)

# %% jupyter={"source_hidden": true}
test = split(0)[1]
calm = my.soften(answers[0][test], 1.0)
two = np.sort(calm, axis=1)
right = calm.argmax(axis=1) == labels[test]
pick = test[np.argmax(np.where(right, two[:, -2], 0))]
figure, axes = plt.subplots(1, 4, figsize=(11, 2.9), width_ratios=(0.8, 1.3, 1.3, 1.5))
axes[0].imshow(digits[pick].reshape(8, 8), cmap="gray_r")
axes[0].set(xticks=[], yticks=[], title=f"Label: {labels[pick]}")
sure = test[np.argmax(calm.max(axis=1))]
for axis, row, name in ((axes[1], pick, "This image"), (axes[2], sure, f"A sure {labels[sure]}")):
    for T, color in ((1, style.FLOAT), (4, style.TERNARY), (16, style.ACCENT)):
        axis.plot(
            range(10),
            my.soften(answers[0][row][None], float(T))[0],
            "o-",
            ms=4,
            color=color,
            label=f"T = {T}",
        )
    axis.set(xticks=range(10), xlabel="class", ylim=(-0.03, 1.03), title=name)
axes[1].set_ylabel("probability")
axes[2].legend(fontsize=9, loc="center right" if labels[sure] < 5 else "center left")
grid = np.geomspace(0.5, 32, 40)


def doubt(temperature):
    p = my.soften(answers[0][test], temperature)
    return -np.sum(p * np.log2(np.maximum(p, 1e-300)), axis=1).mean()


axes[3].plot(grid, [doubt(T) for T in grid], color=style.TERNARY)
axes[3].axhline(np.log2(10), color=style.MUTED, linestyle=":")
axes[3].text(0.5, np.log2(10) - 0.28, "no idea at all: log₂ 10", fontsize=9, color=style.MUTED)
axes[3].set(xscale="log", xticks=(0.5, 1, 2, 4, 8, 16, 32), xticklabels=("½", 1, 2, 4, 8, 16, 32), ylim=(0, 3.5),
            xlabel="temperature", ylabel="bits", title="Doubt rises with T")  # fmt: skip
axes[3].minorticks_off()
plt.show()

# %% [markdown]
# Turn the temperature yourself, and watch how much of its answer the teacher leaves to the classes that it does not choose. (In Jupyter the slider moves; on paper you get three stills.)


# %% jupyter={"source_hidden": true}
def draw_answers(axes, temperature):
    """The teacher's answers to the two images above, at a temperature."""
    found = my.soften(answers[0][[pick, sure]], temperature)
    for row, shift, color, name in zip(
        found, (-0.2, 0.2), (style.ACCENT, style.TERNARY), ("this image", f"a sure {labels[sure]}")
    ):
        axes.bar(np.arange(10) + shift, row, 0.4, color=color,
                 label=f"{name}: {100 * (1 - row.max()):.1f} % for the others")  # fmt: skip
    axes.set(xticks=range(10), xlabel="class", ylim=(0, 1.4), yticks=(0, 0.5, 1),
             title=f"T = {temperature:g}")  # fmt: skip
    axes.legend(fontsize=8, loc="upper left")


figure, stills = plt.subplots(1, 3, figsize=(11, 2.6), sharey=True)
for still, temperature in zip(stills, (0.5, 2.0, 8.0)):
    draw_answers(still, temperature)
stills[0].set_ylabel("probability")
plt.show()


def warm_up(T=4.0):
    _, axes = plt.subplots(figsize=(6.5, 3))
    draw_answers(axes, T)
    axes.set_ylabel("probability")
    plt.show()


course.slider(warm_up, T=(0.5, 20.0, 0.5))

# %% [markdown]
# The order of the classes never changes, whatever the temperature. What changes is how much the small ones are allowed to say. At $T = 1$ a sure answer is as good as a label. At $T = 4$ you can read in it what the image looks like apart from what it is. Geoffrey Hinton called this **dark knowledge**: it is in the network all the time, hidden in the ratios of very small probabilities.
#
# Averaged over all images of a class, it is a map of which digits resemble which. No label says that an 8 is nearer to a 1 than to a 0.

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 2, figsize=(8, 3.6))
for axis, T in zip(axes, (1.0, 4.0)):
    mean = np.array([my.soften(answers[0][labels == c], T).mean(axis=0) for c in range(10)])
    np.fill_diagonal(mean, np.nan)
    image = axis.imshow(mean, cmap="BuGn", vmin=0, vmax=np.nanmax(mean))
    axis.set(
        xticks=range(10),
        yticks=range(10),
        xlabel="teacher's class",
        title=f"T = {T:.0f}: at most {100 * np.nanmax(mean):.1f} %",
    )
    axis.spines[:].set_visible(False)
axes[0].set_ylabel("label")
figure.suptitle("What else it could have been (the diagonal is left out)", fontsize=11)
plt.show()

# %% [markdown]
# ## 2 · A distance with a direction
#
# The student shall give the teacher's answers. How far are two answers apart? The usual measure is the **Kullback-Leibler divergence**,
#
# $$
# \mathrm{KL}(p \,\|\, q) = \sum_c p_c \log \frac{p_c}{q_c},
# $$
#
# the price in nats for believing $q$ while the truth is $p$. It is zero if they agree, never negative, and it is *not symmetric*: it matters who stands first.
#
# ### Exercise 7.2: a divergence with a direction (2 points)
#
# Write `kl(p, q)` for rows of probabilities (B, C): an array (B,) of divergences, in nats. A class with $p_c = 0$ costs nothing, whatever $q_c$ is. A class with $p_c > 0$ and $q_c = 0$ costs infinitely much.


# %% nbgrader={"grade": false, "grade_id": "7_2_kl", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kl(p, q):
    """KL(p || q) of each row, in nats: (B, C), (B, C) -> (B,)."""
    ### BEGIN SOLUTION
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * np.log(p / q), 0.0)
    return terms.sum(axis=-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_2_kl_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.2")
def _(kl):
    p = np.array([[0.5, 0.5], [0.9, 0.1]])
    q = np.array([[0.25, 0.75], [0.9, 0.1]])
    check.close(
        kl(p, q), [0.14384104, 0.0],
        "Half log(0.5 / 0.25) plus half log(0.5 / 0.75) is 0.1438 nats; two equal rows are 0 apart. "
        "The weights in front of the logarithms are those of p, and there is one number per row.",
    )  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        found = kl(np.array([[0.0, 0.5, 0.5]]), np.array([[0.5, 0.25, 0.25]]))
        check.close(
            found, [0.69314718],
            "A class with p = 0 should add nothing: 0 times a logarithm is to be 0 here, and not NaN.",
        )  # fmt: skip
        found = kl(
            np.array([[0.5, 0.5, 0.0], [0.2, 0.8, 0.0]]),
            np.array([[1.0, 0.0, 0.0], [0.2, 0.8, 0.0]]),
        )
        check.true(
            np.isposinf(found[0]),
            f"What q holds to be impossible happens half the time: infinitely dear, yet {found[0]} came.",
        )
        check.close(found[1], 0.0, "Equal rows with a zero in both are 0 apart.")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(72)
    a, b = rng.dirichlet(np.ones(6), size=5), rng.dirichlet(np.ones(6), size=5)
    check.close(kl(a, b), (a * (np.log(a) - np.log(b))).sum(axis=1), "Random rows.")
    check.close(
        kl(b, a), (b * (np.log(b) - np.log(a))).sum(axis=1), "The same the other way round."
    )
    ### END HIDDEN TESTS


# %% variant={"of": "7_2_kl", "wrong": "the other direction", "says": "those of p"}
def kl(p, q):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(q > 0, q * np.log(q / p), 0.0).sum(axis=1)


# %% variant={"of": "7_2_kl", "wrong": "one number for the batch", "says": "one number per row"}
def kl(p, q):
    return np.mean((p * np.log(p / q)).sum(axis=1))


# %% variant={"of": "7_2_kl", "wrong": "NaN where p is 0", "says": "NaN"}
def kl(p, q):
    return (p * np.log(p / q)).sum(axis=1)


# %% variant={"of": "7_2_kl", "wrong": "cross-entropy", "says": "0 apart"}
def kl(p, q):
    return -(p * np.log(np.maximum(q, 1e-30))).sum(axis=1)


# %% variant={"of": "7_2_kl", "wrong": "a floor that makes the impossible cheap", "says": "infinitely dear"}
def kl(p, q):
    return (p * (np.log(np.maximum(p, 1e-12)) - np.log(np.maximum(q, 1e-12)))).sum(axis=1)


# %% variant={"of": "7_2_kl", "wrong": "in bits", "says": "nats"}
def kl(p, q):
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(p > 0, p * np.log2(p / q), 0.0).sum(axis=1)


# %% variant={"of": "7_2_kl", "right": "scipy's relative entropy"}
def kl(p, q):
    from scipy.special import rel_entr

    return rel_entr(p, q).sum(axis=1)


# %% variant={"of": "7_2_kl", "right": "a loop over classes that occur"}
def kl(p, q):
    total = np.zeros(len(p))
    for i in range(len(p)):
        for c in np.flatnonzero(p[i]):
            total[i] += p[i, c] * (np.log(p[i, c]) - np.log(q[i, c])) if q[i, c] else np.inf
    return total


# %% [markdown] hints={"of": "7_2_kl"}
# 1. Who supplies the weights of the sum: the one who stands first or second?
# 2. `np.where(condition, this, 0.0)` chooses element by element. It computes both, so silence the warnings with `np.errstate`.

# %% [markdown]
# What does the direction do? Give a student too little room: the teacher's answer has two humps, and the student may only put one bell curve over it, of any centre and width. Fit it once with the teacher in front, once with the student in front.
#
# **Predict, then run.** The humps sit at 30 and at 70, and the left one is somewhat larger. With $\mathrm{KL}(\text{teacher} \,\|\, \text{student})$, where is the centre of the best bell curve?

# %%
my_guess = None  # a place between 0 and 100

places = np.arange(101)


def bell(center, width):
    heights = np.exp(-0.5 * ((places - center) / width) ** 2) + 1e-300
    return heights / heights.sum()


teacher_humps = 0.6 * bell(30, 6) + 0.4 * bell(70, 6)
centers, widths = np.arange(10.0, 91.0), np.arange(3.0, 40.0)
students = np.array([bell(c, w) for c in centers for w in widths])
same = np.broadcast_to(teacher_humps, students.shape)
best = {"KL(teacher ‖ student)": np.argmin(my.kl(same, students)),
        "KL(student ‖ teacher)": np.argmin(my.kl(students, same))}  # fmt: skip
check.predicted(my_guess, float(centers[best["KL(teacher ‖ student)"] // len(widths)]), within=4,
                comment="In between, where the teacher sees next to nothing: rather too wide than wrong anywhere.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8, 3))
axes.fill_between(places, teacher_humps, color=style.GRID, label="teacher")
for (name, index), color in zip(best.items(), (style.TERNARY, style.ACCENT)):
    axes.plot(places, students[index], color=color, label=name)
axes.set(
    yticks=[],
    xlabel="place",
    title="Teacher in front: covers everything. Student in front: picks one hump",
)
axes.legend(fontsize=9)
axes.spines["left"].set_visible(False)
plt.show()

# %% [markdown]
# With the teacher in front, every place where the teacher expects something and the student does not is dear, so the student *covers*. With the student in front, only places where the student puts weight count, so it *seeks* one mode and forgets the other.
#
# Distillation puts the **teacher in front**. There is a second, more homely reason: then it is cross-entropy with soft labels, up to the teacher's own entropy, which does not depend on the student. Replace the teacher by a one-hot label, and you are back at the ordinary loss.
#
# It also makes the gradient as simple as could be.
#
# ### Exercise 7.3: the gradient for the student (2 points)
#
# Let $p$ and $q$ be the teacher's and the student's probabilities at temperature $T$. Derive the derivative of $\mathrm{KL}(p \,\|\, q)$ by the student's *logits* $z$. (Write $\log q_c$ out, with the softmax in it. Two terms remain.) Do not forget that $T$ stands between $z$ and the softmax.
#
# Write `soft_gradient(student, teacher, temperature)` for logits (B, C): the gradient, (B, C), of the **mean** over the batch of the divergence by the student's logits. No factor in front of it yet.


# %% nbgrader={"grade": false, "grade_id": "7_3_soft_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def soft_gradient(student, teacher, temperature):
    """Gradient of mean KL(teacher || student) at a temperature by the student's logits (B, C)."""
    ### BEGIN SOLUTION
    difference = soften(student, temperature) - soften(teacher, temperature)
    return difference / (temperature * len(student))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_3_soft_gradient_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.3")
def _(soft_gradient):
    student = np.log(np.array([[1.0, 1.0], [3.0, 1.0]]))
    teacher = np.log(np.array([[3.0, 1.0], [3.0, 1.0]]))
    check.close(
        soft_gradient(student[:1], teacher[:1], 1.0), [[-0.25, 0.25]],
        "One image, T = 1: the teacher says 0.75 and 0.25, the student 0.5 each. A step *against* "
        "the gradient has to raise the class in which the student says too little.",
    )  # fmt: skip
    check.close(
        soft_gradient(student, teacher, 1.0), [[-0.125, 0.125], [0.0, 0.0]],
        "Two images, of which one is answered as the teacher does: the loss is the mean over the "
        "batch, so each image counts half.",
    )  # fmt: skip
    check.close(
        soft_gradient(2 * student[:1], 2 * teacher[:1], 2.0), [[-0.125, 0.125]],
        "Twice the logits at T = 2: the same probabilities as before, but half the gradient. The "
        "logits are divided by T on their way in, and the chain rule remembers.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(73)
    s, t = rng.normal(0, 3, (4, 5)), rng.normal(0, 3, (4, 5))

    def loss(z):
        return kl(soften(t, 3.0), soften(z, 3.0)).mean()

    measured = np.zeros_like(s)
    for place in np.ndindex(s.shape):
        nudge = np.zeros_like(s)
        nudge[place] = 1e-5
        measured[place] = (loss(s + nudge) - loss(s - nudge)) / 2e-5
    check.close(
        soft_gradient(s, t, 3.0),
        measured,
        "Against a central difference, at T = 3.",
        rtol=1e-5,
        atol=1e-9,
    )
    ### END HIDDEN TESTS


# %% variant={"of": "7_3_soft_gradient", "wrong": "the sign", "says": "*against*"}
def soft_gradient(student, teacher, temperature):
    return (soften(teacher, temperature) - soften(student, temperature)) / (
        temperature * len(student)
    )


# %% variant={"of": "7_3_soft_gradient", "wrong": "forgets that T stands in between", "says": "chain rule"}
def soft_gradient(student, teacher, temperature):
    return (soften(student, temperature) - soften(teacher, temperature)) / len(student)


# %% variant={"of": "7_3_soft_gradient", "wrong": "the sum over the batch", "says": "mean"}
def soft_gradient(student, teacher, temperature):
    return (soften(student, temperature) - soften(teacher, temperature)) / temperature


# %% variant={"of": "7_3_soft_gradient", "wrong": "divides by T squared", "says": "half the gradient"}
def soft_gradient(student, teacher, temperature):
    return (
        (soften(student, temperature) - soften(teacher, temperature))
        / temperature**2
        / len(student)
    )


# %% variant={"of": "7_3_soft_gradient", "wrong": "the mean over classes as well", "says": "says 0.75"}
def soft_gradient(student, teacher, temperature):
    return (soften(student, temperature) - soften(teacher, temperature)) / (
        temperature * student.size
    )


# %% variant={"of": "7_3_soft_gradient", "right": "through the Jacobian of the softmax"}
def soft_gradient(student, teacher, temperature):
    rows = []
    for z, t in zip(student, teacher):
        p, q = soften(t[None], temperature)[0], soften(z[None], temperature)[0]
        jacobian = np.diag(q) - np.outer(q, q)
        rows.append(jacobian @ (-p / q) / temperature)
    return np.array(rows) / len(rows)


# %% variant={"of": "7_3_soft_gradient", "right": "scaled logits"}
def soft_gradient(student, teacher, temperature):
    count = student.shape[0]
    gap = soften(student / temperature, 1.0)
    gap -= soften(teacher / temperature, 1.0)
    return gap / count / temperature


# %% [markdown] hints={"of": "7_3_soft_gradient"}
# 1. The teacher does not move. So only $-\sum_c p_c \log q_c$ depends on the student, and $\log q_c = z_c / T - \log \sum_k e^{z_k / T}$.
# 2. The derivative of that logarithm of a sum by $z_c$ is a probability over $T$. Which one?
# 3. Use your `soften` twice, then divide by two things.

# %% [markdown]
# ## 3 · Why the square?
#
# In every paper the soft loss carries a factor $T^2$. It looks like a fudge. Measure what it is there for: take a fresh student, and compare how large the gradients of the soft loss are at different temperatures with that of the label loss.
#
# **Predict, then run.** From $T = 4$ to $T = 16$: by which factor does the soft loss's gradient shrink, without any factor in front?

# %%
my_guess = None  # how many times smaller

rows = split(0)[0]
rng = np.random.default_rng(5)
start = [
    rng.normal(0, 1 / 8, (128, 64)),
    np.zeros(128),
    rng.normal(0, 128**-0.5, (10, 128)),
    np.zeros(10),
]
young = run(start, digits[rows], True)[1]
old = answers[0][rows]


def size(gradient):
    return np.linalg.norm(gradient)


hard_size = size(one_hot_gradient(young, rows))
sizes = {T: size(my.soft_gradient(young, old, float(T))) for T in (0.5, 1, 2, 4, 8, 16, 32)}
check.predicted(my_guess, sizes[4] / sizes[16], within=3, unit=" times smaller",
                comment="4 times the temperature: near 4 squared, and the nearer the warmer it gets.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8, 3.3))
ts = np.array(list(sizes))
axes.plot(ts, list(sizes.values()), "o-", color=style.ACCENT, label="soft loss, plain")
axes.plot(ts, ts**2 * list(sizes.values()), "o-", color=style.TERNARY, label="soft loss × T²")
axes.axhline(hard_size, color=style.FLOAT, label="label loss")
axes.plot(ts, sizes[32] * (32 / ts) ** 2, ":", color=style.MUTED, label="slope −2")
axes.set(xscale="log", yscale="log", xticks=ts, xticklabels=("½", 1, 2, 4, 8, 16, 32), xlabel="temperature",
         ylabel="size of the gradient", ylim=(sizes[32] / 2, 30 * hard_size),
         title="Without T² a warm teacher whispers")  # fmt: skip
axes.minorticks_off()
axes.legend(fontsize=9, ncols=2)
plt.show()

# %% [markdown]
# One factor $1/T$ comes from the chain rule, as you found in 7.3. The other comes from the probabilities themselves: warm answers all lie near 1/10, and their *differences* shrink like $1/T$. For large $T$, with logits centred in each row, the gradient becomes
#
# $$
# T^2 \, \frac{q_c - p_c}{T} \;\longrightarrow\; \frac{z_c - v_c}{C}
# $$
#
# for logits $z$ of the student, $v$ of the teacher and $C$ classes: a very warm student simply copies logits. The factor does not make anything better by itself. It keeps the balance between teacher and labels where you set it, so that $T$ can be turned without touching anything else.
#
# ## 4 · Two voices in one loss
#
# Now both voices at once: a share $1 - \alpha$ for the labels, a share $\alpha$ for the teacher.
#
# $$
# L = (1 - \alpha)\,\mathrm{CE}(\text{labels}, z) + \alpha\, T^2\, \mathrm{KL}\big(p^{(T)} \,\|\, q^{(T)}\big)
# $$
#
# The labels are heard at temperature 1: they speak to the network as it will be used.
#
# ### Exercise 7.4: the joint loss (3 points)
#
# Write `joint_loss(student, teacher, labels, alpha, temperature)`: logits (B, C) twice, labels (B,) as integers. Return the loss, a float, and its gradient by the student's logits (B, C), both for the mean over the batch. The loss must be finite for logits of a thousand.


# %% nbgrader={"grade": false, "grade_id": "7_4_joint_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def joint_loss(student, teacher, labels, alpha, temperature):
    """Loss and its gradient by the student's logits: labels at 1 - alpha, teacher at alpha."""
    ### BEGIN SOLUTION
    rows = np.arange(len(labels))

    def log_soften(logits):
        logits = logits - logits.max(axis=1, keepdims=True)
        return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    log_q, log_p = log_soften(student / temperature), log_soften(teacher / temperature)
    soft = (np.exp(log_p) * (log_p - log_q)).sum(axis=1)
    hard = -log_soften(student)[rows, labels]
    loss = np.mean((1 - alpha) * hard + alpha * temperature**2 * soft)
    hard_gradient = soften(student, 1.0)
    hard_gradient[rows, labels] -= 1
    hard_gradient /= len(labels)
    balanced = temperature**2 * soft_gradient(student, teacher, temperature)
    return float(loss), (1 - alpha) * hard_gradient + alpha * balanced
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_4_joint_loss_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.4")
def _(joint_loss):
    student = np.log(np.array([[1.0, 1.0], [3.0, 1.0]]))
    teacher = np.log(np.array([[9.0, 1.0], [1.0, 1.0]]))
    one = np.array([1, 0])
    with check.part("the loss", points=1):
        loss = joint_loss(student, teacher, one, 0.0, 3.0)[0]
        check.close(
            loss, 0.5 * (np.log(2) + np.log(4 / 3)),
            "alpha = 0: the teacher is silent, and this is the cross-entropy of the labels, at "
            "temperature 1 whatever T is.",
        )  # fmt: skip
        p, q = soften(teacher, 2.0), soften(student, 2.0)
        soft = 4 * kl(p, q).mean()
        check.close(
            joint_loss(student, teacher, one, 1.0, 2.0)[0], soft,
            "alpha = 1 and T = 2: only the teacher speaks, KL(teacher || student) with the teacher in "
            "front, both softened, times the factor of section 3.",
        )  # fmt: skip
        check.close(
            joint_loss(student, teacher, one, 0.25, 2.0)[0],
            0.75 * 0.5 * (np.log(2) + np.log(4 / 3)) + 0.25 * soft,
            "alpha = 0.25: a quarter for the teacher, the rest for the labels.",
        )  # fmt: skip
    with check.part("its gradient", points=1):
        check.close(
            joint_loss(student, teacher, one, 0.0, 3.0)[1], [[0.25, -0.25], [-0.125, 0.125]],
            "alpha = 0: the gradient of cross-entropy, probabilities at T = 1 minus one-hot labels, "
            "over the number of images.",
        )  # fmt: skip
        check.close(
            joint_loss(student, teacher, one, 1.0, 2.0)[1], 4 * soft_gradient(student, teacher, 2.0),
            "alpha = 1: the gradient of 7.3, with the factor that the loss carries.",
        )  # fmt: skip
        check.close(
            joint_loss(student, teacher, one, 0.25, 2.0)[1],
            0.75 * np.array([[0.25, -0.25], [-0.125, 0.125]]) + soft_gradient(student, teacher, 2.0),
            "alpha = 0.25 and T = 2: both gradients, in the shares of the loss.",
        )  # fmt: skip
    with check.part("large logits", points=1):
        loss, gradient = joint_loss(
            np.array([[1000.0, 0.0, -900.0]]), np.array([[0.0, 1000.0, -800.0]]), np.array([1]), 0.5, 1.0
        )  # fmt: skip
        check.true(
            np.isfinite(loss) and np.all(np.isfinite(gradient)),
            f"Logits of 1000 give a loss of {loss}. A probability that underflows to 0 has no "
            "logarithm: compute log-probabilities directly, logits minus the log of the sum.",
        )
        check.close(loss, 1000.0, "Student and teacher both a thousand nats apart from each other.")
        check.close(gradient, [[1.0, -1.0, 0.0]], "And the gradient is as small as ever.")
        two = np.array([[1000.0, 0.0, -900.0], [-3000.0, -3001.0, -3002.0]])
        check.close(
            joint_loss(two, two, np.array([0, 0]), 0.5, 1.0)[0], 0.25 * np.log(1 + np.exp(-1) + np.exp(-2)),
            "A second image with very negative logits: each image has a largest logit of its own.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(74)
        s, t, y = rng.normal(0, 3, (5, 4)), rng.normal(0, 3, (5, 4)), rng.integers(4, size=5)
        given = s.copy()
        loss, gradient = joint_loss(s, t, y, 0.7, 4.0)
        check.equal(s, given, "The student's logits have changed: work on a copy.")
        measured = np.zeros_like(s)
        for place in np.ndindex(s.shape):
            nudge = np.zeros_like(s)
            nudge[place] = 1e-5
            above = joint_loss(s + nudge, t, y, 0.7, 4.0)[0]
            measured[place] = (above - joint_loss(s - nudge, t, y, 0.7, 4.0)[0]) / 2e-5
        check.close(
            gradient,
            measured,
            "Your gradient against a central difference of your loss.",
            rtol=1e-4,
            atol=1e-8,
        )
    ### END HIDDEN TESTS


# %% variant={"of": "7_4_joint_loss", "wrong": "no factor", "says": "factor of section 3"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    hard = -np.log(soften(student, 1.0)[rows, labels])
    soft = kl(soften(teacher, temperature), soften(student, temperature))
    g = soften(student, 1.0)
    g[rows, labels] -= 1
    g = (1 - alpha) * g / len(rows) + alpha * soft_gradient(student, teacher, temperature)
    return float(np.mean((1 - alpha) * hard + alpha * soft)), g


# %% variant={"of": "7_4_joint_loss", "wrong": "labels at the temperature too", "says": "temperature 1"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    hard = -np.log(soften(student, temperature)[rows, labels])
    soft = temperature**2 * kl(soften(teacher, temperature), soften(student, temperature))
    g = soften(student, temperature)
    g[rows, labels] -= 1
    g = (1 - alpha) * g / len(rows) + alpha * temperature**2 * soft_gradient(
        student, teacher, temperature
    )
    return float(np.mean((1 - alpha) * hard + alpha * soft)), g


# %% variant={"of": "7_4_joint_loss", "wrong": "KL the other way round", "says": "teacher in front"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    hard = -np.log(soften(student, 1.0)[rows, labels])
    soft = temperature**2 * kl(soften(student, temperature), soften(teacher, temperature))
    g = soften(student, 1.0)
    g[rows, labels] -= 1
    g = (1 - alpha) * g / len(rows) + alpha * temperature**2 * soft_gradient(
        student, teacher, temperature
    )
    return float(np.mean((1 - alpha) * hard + alpha * soft)), g


# %% variant={"of": "7_4_joint_loss", "wrong": "alpha and 1 - alpha swapped", "says": "teacher is silent"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    hard = -np.log(soften(student, 1.0)[rows, labels])
    soft = temperature**2 * kl(soften(teacher, temperature), soften(student, temperature))
    g = soften(student, 1.0)
    g[rows, labels] -= 1
    g = alpha * g / len(rows) + (1 - alpha) * temperature**2 * soft_gradient(
        student, teacher, temperature
    )
    return float(np.mean(alpha * hard + (1 - alpha) * soft)), g


# %% variant={"of": "7_4_joint_loss", "wrong": "the logarithm of a probability that underflows", "says": "log-probabilities directly"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    with np.errstate(all="ignore"):
        hard = -np.log(soften(student, 1.0)[rows, labels])
        soft = temperature**2 * kl(soften(teacher, temperature), soften(student, temperature))
    g = soften(student, 1.0)
    g[rows, labels] -= 1
    g = (1 - alpha) * g / len(rows) + alpha * temperature**2 * soft_gradient(
        student, teacher, temperature
    )
    return float(np.mean((1 - alpha) * hard + alpha * soft)), g


# %% variant={"of": "7_4_joint_loss", "wrong": "the gradient lacks the factor that the loss has", "says": "factor that the loss carries"}
def joint_loss(student, teacher, labels, alpha, temperature):
    rows = np.arange(len(labels))
    hard = -np.log(soften(student, 1.0)[rows, labels])
    soft = temperature**2 * kl(soften(teacher, temperature), soften(student, temperature))
    g = soften(student, 1.0)
    g[rows, labels] -= 1
    g = (1 - alpha) * g / len(rows) + alpha * soft_gradient(student, teacher, temperature)
    return float(np.mean((1 - alpha) * hard + alpha * soft)), g


# %% variant={"of": "7_4_joint_loss", "right": "scipy's log_softmax and an identity matrix"}
def joint_loss(student, teacher, labels, alpha, temperature):
    from scipy.special import log_softmax

    log_q = log_softmax(student / temperature, axis=1)
    log_p = log_softmax(teacher / temperature, axis=1)
    wanted = np.eye(student.shape[1])[labels]
    hard = -(wanted * log_softmax(student, axis=1)).sum() / len(labels)
    soft = (np.exp(log_p) * (log_p - log_q)).sum() / len(labels)
    slope = (1 - alpha) * (np.exp(log_softmax(student, axis=1)) - wanted)
    slope = slope + alpha * temperature * (np.exp(log_q) - np.exp(log_p))
    return (1 - alpha) * hard + alpha * temperature**2 * soft, slope / len(labels)


# %% variant={"of": "7_4_joint_loss", "right": "image by image"}
def joint_loss(student, teacher, labels, alpha, temperature):
    total, gradients = 0.0, []
    for z, v, y in zip(student, teacher, labels):
        zt, vt = z / temperature, v / temperature
        log_q, log_p = zt - np.logaddexp.reduce(zt), vt - np.logaddexp.reduce(vt)
        total += (1 - alpha) * (np.logaddexp.reduce(z) - z[y])
        total += alpha * temperature**2 * np.sum(np.exp(log_p) * (log_p - log_q))
        g = (1 - alpha) * np.exp(z - np.logaddexp.reduce(z))
        g[y] -= 1 - alpha
        gradients.append(g + alpha * temperature * (np.exp(log_q) - np.exp(log_p)))
    return total / len(student), np.array(gradients) / len(student)


# %% [markdown] hints={"of": "7_4_joint_loss"}
# 1. You have nearly everything: `soften`, and the gradient of 7.3. Which factor do loss and gradient share?
# 2. The gradient of cross-entropy is that of 7.3 with a one-hot teacher and T = 1.
# 3. For large logits: $\log q_c = z_c / T - \log \sum_k e^{z_k / T}$, with the row's largest logit taken out first. Never the logarithm of a probability.

# %% [markdown]
# Time to use it. The clinic has 200 labelled images and a ternary network of 128 hidden units, and trains for 60 epochs, once alone and once with half an ear for the hospital's teacher.
#
# One thing has to be fair before we compare. A second loss also changes how large the steps are, and a student alone might just need a larger learning rate. So each of the two gets three rates, and counts with its **best**.
#
# **Predict, then run.** By how many points of accuracy does the best with a teacher beat the best alone (mean of eight splits)? The teacher itself is right on about 96 %.

# %%
my_guess = None  # points of accuracy

joint = my.joint_loss


def hears(seed, alpha=0.5, temperature=4.0):
    """Loss of a student of teacher `seed`, for `train`."""

    def loss(scores, batch):
        return joint(scores, answers[seed][batch], labels[batch], alpha, temperature)[1]

    return loss


def tested(network, seed):
    return accuracy(network, split(seed)[1])


def clinic(seed, alpha=0.5, epochs=60, **choices):
    """Test accuracy of a student of 200 labelled images."""
    network = train(seed, hears(seed, alpha), split(seed)[0][:200], epochs=epochs, **choices)
    return tested(network, seed)


RATES = (0.5, 1.0, 2.0)
by_rate = {
    alpha: np.array([[clinic(s, alpha, lr=lr) for s in SEEDS] for lr in RATES])
    for alpha in (0.0, 0.5)
}
at = {alpha: int(found.mean(axis=1).argmax()) for alpha, found in by_rate.items()}
alone, taught = by_rate[0.0][at[0.0]], by_rate[0.5][at[0.5]]
check.predicted(my_guess, float(np.mean(taught - alone)), within=0.7, unit=" points",
                comment=f"{alone.mean():.1f} % alone, {taught.mean():.1f} % taught. The same 200 images; only the answers are longer.")  # fmt: skip

# %% [markdown]
# And the teacher can do what labels cannot: speak about images that nobody has labelled. Here is Hinton's most famous experiment, in ternary. The student gets images without labels, $\alpha = 1$, and **not one of them is a 3**. It never sees a 3 in training.
#
# **Predict, then run.** How many percent of the 3s in the test set does it recognise? (A student of labels, of course, gets none.)

# %%
my_guess = None  # percent of the 3s

threes = {T: [] for T in (1.0, 2.0, 4.0, 8.0)}
for s in SEEDS:
    rows, test = split(s)
    no_threes, test_threes = rows[labels[rows] != 3], test[labels[test] == 3]
    for T, found in threes.items():
        found.append(accuracy(train(s, hears(s, 1.0, T), no_threes), test_threes))
check.predicted(my_guess, float(np.mean(threes[4.0])), within=10, unit=" %",
                comment="At T = 4. All it knows of a 3 is what the teacher said about other digits.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.2))
for alpha, color, name in (
    (0.0, style.MUTED, "labels only"),
    (0.5, style.TERNARY, "labels and a teacher"),
):
    means = by_rate[alpha].mean(axis=1)
    left.plot(np.log2(RATES), means, "o-", color=color, label=name)
    left.plot(np.log2(RATES[at[alpha]]), means[at[alpha]], "o", color=color, markersize=11)
left.set(xticks=np.log2(RATES), xticklabels=RATES, xlabel="learning rate", ylabel="test accuracy, %",
         title="Longer answers, better students")  # fmt: skip
left.legend(fontsize=9, loc="lower right")
for T, found in threes.items():
    right.scatter(np.full(len(found), np.log2(T)), found, color=style.TERNARY, s=22, alpha=0.6)
right.plot(np.log2(list(threes)), [np.mean(v) for v in threes.values()], color=style.TERNARY)
right.set(xticks=range(4), xticklabels=(1, 2, 4, 8), xlabel="temperature", ylabel="3s recognised, %", ylim=(-4, 104),
          title="A student that never saw a 3")  # fmt: skip
plt.show()

# %% [markdown]
# At $T = 1$ it hardly works: what the teacher says about 3s while it looks at a 2 is lost beside the 2. Warmed up, the whispers add up to a digit.
#
# ## 5 · Look over the teacher's shoulder
#
# Why only listen to the answers? In 2015 Adriana Romero and colleagues let the student imitate the teacher's *hidden features* as well (FitNets). BitMedViT does it: half of its teacher's share goes into features.
#
# Two obstacles. The widths differ: the teacher's hidden layer has 128 units and the student's perhaps 48. So a matrix $M$ is learned beside the student, which maps its features $h$ to the teacher's width; after training it is thrown away. And the *scales* differ, so we compare directions only. With $u$ the student's mapped features at length 1 and $v$ the teacher's at length 1,
#
# $$
# F = \frac{1}{B} \sum_{\text{images}} \lVert u - v \rVert^2 , \qquad u = \frac{M h}{\lVert M h \rVert} .
# $$
#
# For unit vectors this is $2 - 2\cos$ of the angle between them.
#
# ### Exercise 7.5: matching features (3 points)
#
# Write `feature_loss(hidden, teacher_hidden, projection)` for `hidden` (B, D), `teacher_hidden` (B, D') and `projection` $M$ (D', D). Return three things: the loss, its gradient by `hidden` (B, D), its gradient by `projection` (D', D). The set-up's `unit(rows)` returns rows of length 1 *and* the lengths they had.
#
# The hard piece is the way back through the division by the length. A change of $m = Mh$ along its own direction changes only the length and not $u$. So the gradient that arrives at $u$ loses its part along $u$, and what is left is divided by the length.


# %% nbgrader={"grade": false, "grade_id": "7_5_feature_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def feature_loss(hidden, teacher_hidden, projection):
    """Mean squared distance of directions, and its gradients by hidden and projection."""
    ### BEGIN SOLUTION
    u, lengths = unit(hidden @ projection.T)
    v, _ = unit(teacher_hidden)
    loss = np.sum((u - v) ** 2) / len(hidden)
    at_u = 2 * (u - v) / len(hidden)
    along = np.sum(at_u * u, axis=1, keepdims=True)
    at_mapped = (at_u - along * u) / lengths
    return float(loss), at_mapped @ projection, at_mapped.T @ hidden
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_5_feature_loss_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.5")
def _(feature_loss):
    same = np.eye(2)
    h, v = np.array([[3.0, 0.0], [0.0, 2.0]]), np.array([[0.0, 5.0], [0.0, 7.0]])
    with check.part("the loss", points=1):
        check.close(
            feature_loss(h, v, same)[0], 1.0,
            "Two images: the first is at a right angle to the teacher's, squared distance 2 between "
            "unit vectors; the second agrees. The mean over the images is 1. Lengths do not matter.",
            rtol=1e-6,
        )  # fmt: skip
        wide = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        check.close(
            feature_loss(np.array([[1.0, 2.0]]), np.array([[2.0, 4.0, 6.0]]), wide)[0], 0.0,
            "From width 2 to width 3: M h is (1, 2, 3), just the teacher's direction.", atol=1e-6,
        )  # fmt: skip
    rng = np.random.default_rng(75)
    hidden, theirs, m = rng.normal(size=(4, 3)), rng.normal(size=(4, 5)), rng.normal(size=(5, 3))
    _, by_hidden, by_projection = feature_loss(hidden, theirs, m)

    def measured(of, array):
        slope = np.zeros_like(array)
        for place in np.ndindex(array.shape):
            nudge = np.zeros_like(array)
            nudge[place] = 1e-5
            slope[place] = (of(array + nudge) - of(array - nudge)) / 2e-5
        return slope

    with check.part("the gradient by the hidden features", points=1):
        check.close(
            feature_loss(h, v, same)[1], [[0.0, -1 / 3], [0.0, 0.0]],
            "Image 1 should turn towards (0, 1), and the longer the vector the less a step turns it: "
            "-1 (two times -1, over two images) divided by its length 3. Along its own direction "
            "nothing is to be gained, so that entry is 0.", rtol=1e-6, atol=1e-8,
        )  # fmt: skip
        check.close(
            by_hidden, measured(lambda x: feature_loss(x, theirs, m)[0], hidden),
            "Against a central difference of your loss, by hidden.", rtol=1e-5, atol=1e-8,
        )  # fmt: skip
    with check.part("the gradient by the projection", points=1):
        check.true(
            np.shape(by_projection) == (5, 3),
            f"The gradient by the projection should be (5, 3) like it, not {np.shape(by_projection)}.",
        )
        check.close(
            by_projection, measured(lambda x: feature_loss(hidden, theirs, x)[0], m),
            "Against a central difference of your loss, by the projection: M is a weight matrix like "
            "any other.", rtol=1e-5, atol=1e-8,
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        silent = np.vstack([hidden, np.zeros((1, 3))])
        parts = feature_loss(silent, np.vstack([theirs, np.ones((1, 5))]), m)
        check.true(
            all(np.all(np.isfinite(part)) for part in parts),
            "An image whose hidden units are all 0 gave NaN or infinity: use the lengths that `unit` returns.",
        )
    ### END HIDDEN TESTS


# %% variant={"of": "7_5_feature_loss", "wrong": "does not normalise", "says": "Lengths do not matter"}
def feature_loss(hidden, teacher_hidden, projection):
    m = hidden @ projection.T
    gap = (m - teacher_hidden) / len(hidden)
    return np.sum((m - teacher_hidden) ** 2) / len(hidden), 2 * gap @ projection, 2 * gap.T @ hidden


# %% variant={"of": "7_5_feature_loss", "wrong": "takes the length for a constant", "says": "Along its own direction"}
def feature_loss(hidden, teacher_hidden, projection):
    u, lengths = unit(hidden @ projection.T)
    v, _ = unit(teacher_hidden)
    back = 2 * (u - v) / len(hidden) / lengths
    return np.sum((u - v) ** 2) / len(hidden), back @ projection, back.T @ hidden


# %% variant={"of": "7_5_feature_loss", "wrong": "does not divide by the length", "says": "length 3"}
def feature_loss(hidden, teacher_hidden, projection):
    u, _ = unit(hidden @ projection.T)
    v, _ = unit(teacher_hidden)
    g = 2 * (u - v) / len(hidden)
    g = g - (g * u).sum(axis=1, keepdims=True) * u
    return np.sum((u - v) ** 2) / len(hidden), g @ projection, g.T @ hidden


# %% variant={"of": "7_5_feature_loss", "wrong": "the mean over units as well", "says": "mean over the images"}
def feature_loss(hidden, teacher_hidden, projection):
    u, lengths = unit(hidden @ projection.T)
    v, _ = unit(teacher_hidden)
    g = 2 * (u - v) / u.size
    g = (g - (g * u).sum(axis=1, keepdims=True) * u) / lengths
    return np.mean((u - v) ** 2), g @ projection, g.T @ hidden


# %% variant={"of": "7_5_feature_loss", "wrong": "the projection's gradient turned over", "says": "should be (5, 3)"}
def feature_loss(hidden, teacher_hidden, projection):
    u, lengths = unit(hidden @ projection.T)
    v, _ = unit(teacher_hidden)
    g = 2 * (u - v) / len(hidden)
    g = (g - (g * u).sum(axis=1, keepdims=True) * u) / lengths
    return np.sum((u - v) ** 2) / len(hidden), g @ projection, hidden.T @ g


# %% variant={"of": "7_5_feature_loss", "right": "with the cosine"}
def feature_loss(hidden, teacher_hidden, projection):
    mapped = hidden @ projection.T
    u, lengths = unit(mapped)
    v = unit(teacher_hidden)[0]
    count = hidden.shape[0]
    cosine = (u * v).sum(axis=1, keepdims=True)
    loss = np.mean(
        (u * u).sum(axis=1, keepdims=True) + (v * v).sum(axis=1, keepdims=True) - 2 * cosine
    )
    towards = 2 / count * (cosine * u - v) / lengths
    return loss, np.dot(towards, projection), np.dot(towards.T, hidden)


# %% variant={"of": "7_5_feature_loss", "right": "image by image, through the Jacobian"}
def feature_loss(hidden, teacher_hidden, projection):
    loss, by_hidden, by_projection = 0.0, np.zeros_like(hidden), np.zeros_like(projection)
    goal = unit(teacher_hidden)[0]
    for i, h in enumerate(hidden):
        m = projection @ h
        length = np.sqrt(m @ m + 1e-8)
        gap = m / length - goal[i]
        loss += gap @ gap / len(hidden)
        jacobian = np.eye(m.size) / length - np.outer(m, m) / length**3
        back = jacobian @ gap * (2 / len(hidden))
        by_hidden[i] = projection.T @ back
        by_projection += np.outer(back, h)
    return loss, by_hidden, by_projection


# %% [markdown] hints={"of": "7_5_feature_loss"}
# 1. Go forward in named steps: mapped, u and lengths, v, loss. Then go backward through the same names.
# 2. The gradient at u is 2 (u - v) over the number of images. Its part along u, for each row, is its scalar product with u.
# 3. From mapped on it is a linear layer: `mapped = hidden @ projection.T`. Which two products did lesson 02 find for its two inputs?

# %% [markdown]
# Does it do what it should? Train students of 48 hidden units, with and without the feature loss beside the joint loss, and measure how well a linear map can find the teacher's features in theirs afterwards.


# %%
class Matching:
    """The feature loss for `train`: holds the projection and lets it learn."""

    def __init__(self, seed, width, weight=1.0):
        self.theirs = run(teachers[seed], digits, False)[0]
        self.projection = (
            np.random.default_rng([seed, 3]).normal(0, width**-0.5, (128, width)).astype(np.float32)
        )
        self.weight, self.losses, self.compare = np.float32(weight), [], my.feature_loss

    def __call__(self, hidden, batch, rate):
        loss, by_hidden, by_projection = self.compare(hidden, self.theirs[batch], self.projection)
        self.projection -= rate * self.weight * by_projection.astype(np.float32)
        self.losses.append(loss)
        return self.weight * by_hidden


with_features, without, curves = [], [], []
for s in SEEDS:
    matching = Matching(s, 48)
    with_features.append(clinic(s, width=48, match=matching))
    without.append(clinic(s, width=48))
    curves.append(matching.losses)
print(
    f"answers only: {np.mean(without):.1f} %   answers and features: {np.mean(with_features):.1f} %"
)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3), width_ratios=(1.2, 1))
for curve in curves:
    left.plot(1 - np.array(curve) / 2, color=style.TERNARY, alpha=0.35, linewidth=1)
left.plot(1 - np.mean(curves, axis=0) / 2, color=style.TERNARY)
left.set(xlabel="step", ylabel="mean cosine", ylim=(-0.1, 1), title="The features do come to agree")
gain = np.subtract(with_features, without)
right.axvline(0, color=style.MUTED, linewidth=1)
right.scatter(gain, SEEDS, color=style.ACCENT)
right.set(
    yticks=SEEDS,
    ylim=(7.7, -0.7),
    ylabel="split",
    xlabel="points gained by features",
    title="The accuracy gains nothing",
)
plt.show()

# %% [markdown]
# The features agree better and better, just as asked, and the accuracy does not thank us for it. The loss that we can lower is not always the one that matters. But is the difference real, or the luck of eight splits? Time for a proper instrument.
#
# ## 6 · Which is better?
#
# Two ways of training, eight splits of the data, sixteen accuracies. The accuracies vary from split to split, because some test sets are kinder than others. But they are kind *to both*. If you take the difference on each split first, the kindness cancels.
#
# ### Exercise 7.6: a paired interval (2 points)
#
# Write `paired_interval(a, b)` for two arrays of results, in which `a[i]` and `b[i]` come from the same seed: the 95 % interval of the mean of `a - b`, as `(low, high)`,
#
# $$
# \bar d \;\pm\; t_{n-1} \, \frac{s_d}{\sqrt n} ,
# $$
#
# with $\bar d$ the mean and $s_d$ the standard deviation of the $n$ differences. It is estimated from a sample, so its sum of squares is divided by $n - 1$. `t_quantile(freedom)` of the set-up gives $t$.


# %% nbgrader={"grade": false, "grade_id": "7_6_paired_interval", "locked": false, "schema_version": 3, "solution": true, "task": false}
def paired_interval(a, b):
    """95 % interval (low, high) of the mean of a - b, pair by pair."""
    ### BEGIN SOLUTION
    differences = np.subtract(a, b)
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    half = t_quantile(len(differences) - 1) * error
    return differences.mean() - half, differences.mean() + half
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_6_paired_interval_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.6")
def _(paired_interval):
    a, b = np.array([90.0, 80.0, 70.0, 85.0]), np.array([88.0, 79.0, 67.0, 83.0])
    check.close(
        paired_interval(a, b), [0.7007701, 3.2992299],
        "The differences are 2, 1, 3, 2: mean 2, standard deviation 0.816 (squares over n - 1), "
        "t of 3 degrees of freedom. The levels of a and b, 70 to 90, should play no part.",
    )  # fmt: skip
    check.close(
        paired_interval(b, a), [-3.2992299, -0.7007701],
        "The other way round the interval is mirrored: low first, then high.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(76)
    for n in (2, 5, 30):
        level = rng.normal(80, 20, n)
        a, b = level + rng.normal(1, 1, n), level + rng.normal(0, 1, n)
        low, high = paired_interval(a, b)
        check.close(
            (low + high) / 2,
            np.mean(a) - np.mean(b),
            f"{n} pairs: the middle is the mean difference.",
        )
        want = 2 * t_quantile(n - 1) * np.sqrt(np.sum((a - b - np.mean(a - b)) ** 2) / (n - 1) / n)
        check.close(
            high - low,
            want,
            f"{n} pairs: t is that of n - 1 degrees of freedom, and the error shrinks with the root of n.",
        )
    ### END HIDDEN TESTS


# %% variant={"of": "7_6_paired_interval", "wrong": "unpaired", "says": "play no part"}
def paired_interval(a, b):
    error = np.sqrt(np.var(a, ddof=1) / len(a) + np.var(b, ddof=1) / len(b))
    half = t_quantile(2 * len(a) - 2) * error
    return np.mean(a) - np.mean(b) - half, np.mean(a) - np.mean(b) + half


# %% variant={"of": "7_6_paired_interval", "wrong": "divides by n", "says": "n - 1"}
def paired_interval(a, b):
    d = a - b
    half = t_quantile(len(d) - 1) * d.std() / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


# %% variant={"of": "7_6_paired_interval", "wrong": "the spread of the results, not the error of their mean", "says": "standard deviation"}
def paired_interval(a, b):
    d = a - b
    half = t_quantile(len(d) - 1) * d.std(ddof=1)
    return d.mean() - half, d.mean() + half


# %% variant={"of": "7_6_paired_interval", "wrong": "n degrees of freedom", "says": "degrees of freedom"}
def paired_interval(a, b):
    d = a - b
    half = t_quantile(len(d)) * d.std(ddof=1) / np.sqrt(len(d))
    return d.mean() - half, d.mean() + half


# %% variant={"of": "7_6_paired_interval", "right": "by hand"}
def paired_interval(a, b):
    n = len(a)
    d = [x - y for x, y in zip(a, b)]
    middle = sum(d) / n
    variance = sum((x - middle) ** 2 for x in d) / (n - 1)
    half = t_quantile(n - 1) * (variance / n) ** 0.5
    return middle - half, middle + half


# %% variant={"of": "7_6_paired_interval", "right": "both ends at once"}
def paired_interval(a, b):
    d = np.asarray(a) - np.asarray(b)
    reach = t_quantile(d.size - 1) * np.sqrt(np.var(d, ddof=1) / d.size)
    return tuple(np.mean(d) + reach * np.array([-1.0, 1.0]))


# %% [markdown] hints={"of": "7_6_paired_interval"}
# 1. After the first line you should not need a and b any more.
# 2. `np.std` divides by n unless it is told otherwise (`ddof`).

# %% [markdown]
# Here are three comparisons with the measured accuracies from above, each with a paired interval and with the one you would get if you forgot that the splits belong together.
#
# **Predict, then run.** How many times as wide is the unpaired interval for *teacher against alone*?

# %%
my_guess = None  # times as wide


def forgetful(a, b):
    """The interval for two samples that have nothing to do with each other."""
    spread = np.concatenate([np.asarray(a) - np.mean(a), np.asarray(b) - np.mean(b)])
    freedom = len(spread) - 2
    half = t_quantile(freedom) * np.sqrt(np.sum(spread**2) / freedom * 2 / len(a))
    center = np.mean(a) - np.mean(b)
    return center - half, center + half


started = np.array([clinic(s, 0.0, lr=0.5, start=teachers[s]) for s in SEEDS])
pairs = {"teacher − alone": (taught, alone), "start from teacher − alone": (started, alone),
         "features − answers (48 units)": (with_features, without)}  # fmt: skip
paired = {name: my.paired_interval(*pair) for name, pair in pairs.items()}
unpaired = {name: forgetful(*pair) for name, pair in pairs.items()}
first = "teacher − alone"
check.predicted(my_guess, float(np.ptp(unpaired[first]) / np.ptp(paired[first])), within=0.4, unit=" times",
                comment="The same sixteen numbers. To get there unpaired you need that factor squared as many runs.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8, 2.8))
for place, name in enumerate(pairs):
    for interval, color, lift in (
        (paired[name], style.TERNARY, -0.12),
        (unpaired[name], style.MUTED, 0.12),
    ):
        axes.plot(interval, [place + lift] * 2, color=color, linewidth=4, solid_capstyle="round")
        axes.plot(np.mean(interval), place + lift, "o", color="white", markersize=3)
axes.axvline(0, color=style.INK, linewidth=1)
axes.set(yticks=range(3), yticklabels=list(pairs), ylim=(2.6, -0.6), xlabel="points of accuracy",
         title="Paired (teal) and unpaired (grey): the same runs")  # fmt: skip
plt.show()

# %% [markdown]
# There is a newcomer in the middle: a student that is not taught at all, but *starts from the teacher's weights* and rounds them. The labels do the rest. It does well too, and not one line of this lesson's losses is needed for it. So the teacher gives something by its answers and something by its weights. Do the two add up?
#
# ## 7 · Three choices, eight runs
#
# So there are three things to choose: hear the teacher's **answers**, **start** from its weights, match its **features**. Most papers switch them on one after the other and call the increments contributions. That hides something. Switch them in *every* combination, $2^3 = 8$ runs, and you can compute from the same eight numbers
#
# - the **main effect** of a factor: mean of the four runs with it, minus mean of the four without;
# - the **interaction** of two: half the difference between the effect of A where B is on and the effect of A where B is off. It is 0 if the two simply add up, and negative if either makes the other superfluous;
# - the interaction of all three, likewise: half the difference between an interaction where the third is on and where it is off.
#
# Every one of the eight runs works in every one of these numbers: that is the beauty of a **factorial design**.
#
# ### Exercise 7.7: eight runs, three choices (3 points)
#
# Write `effects(results)` for an array of shape (2, 2, 2): `results[i, j, k]` is the accuracy with factor A off or on (i), B (j), C (k). Return an array of the same shape: `[1, 0, 0]` is the main effect of A, `[0, 1, 0]` that of B, `[1, 1, 0]` the interaction of A and B, `[1, 1, 1]` that of all three, and `[0, 0, 0]` is the grand mean.


# %% nbgrader={"grade": false, "grade_id": "7_7_effects", "locked": false, "schema_version": 3, "solution": true, "task": false}
def effects(results):
    """Main effects and interactions of a 2 x 2 x 2 table; [0, 0, 0] is the mean."""
    ### BEGIN SOLUTION
    found = np.array(results, float)
    for axis in range(3):
        off, on = np.take(found, 0, axis), np.take(found, 1, axis)
        found = np.stack([off + on, on - off], axis)
    found /= 4
    found[0, 0, 0] /= 2
    return found
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_7_effects_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.7")
def _(effects):
    a, b, c = np.indices((2, 2, 2))
    with check.part("mean and main effects", points=1):
        found = np.asarray(effects(80 + 4.0 * a + 2.0 * b - 1.0 * c))
        check.true(
            found.shape == (2, 2, 2), f"The answer should have shape (2, 2, 2), not {found.shape}."
        )
        check.close(found[0, 0, 0], 82.5, "[0, 0, 0] is the mean of all eight.")
        check.close(
            [found[1, 0, 0], found[0, 1, 0], found[0, 0, 1]], [4.0, 2.0, -1.0],
            "A adds 4, B adds 2, C takes 1 away: the main effects are just these, mean with minus mean "
            "without.",
        )  # fmt: skip
    with check.part("interactions of two", points=1):
        found = np.asarray(effects(80 + 4.0 * a + 2.0 * b - 1.0 * c))
        check.close(
            [found[1, 1, 0], found[1, 0, 1], found[0, 1, 1]], [0.0, 0.0, 0.0],
            "The factors simply add up here, so there is no interaction.",
        )  # fmt: skip
        found = np.asarray(effects(80 + 6.0 * (a | b)))
        check.close(
            [found[1, 0, 0], found[0, 1, 0], found[1, 1, 0]], [3.0, 3.0, -3.0],
            "Either of A and B adds 6, and both together add 6 as well: A is worth 6 without B and 0 "
            "with it. Half the difference is -3.",
        )  # fmt: skip
    with check.part("the interaction of all three", points=1):
        found = np.asarray(effects(80 + 8.0 * a * b * c))
        check.close(
            found, np.array([[[81, 2], [2, 2]], [[2, 2], [2, 2]]]),
            "8 points, and only if all three are on: every effect is 2. For the last one: the "
            "interaction of A and B is 4 where C is on, 0 where it is off, half the difference is 2.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        y = np.random.default_rng(77).normal(90, 3, (2, 2, 2))
        signs = 2 * np.array([a.ravel(), b.ravel(), c.ravel()]).T - 1.0
        columns = [np.prod(signs ** np.array(which), axis=1) for which in np.ndindex(2, 2, 2)]
        want = 2 * np.linalg.solve(np.array(columns).T, y.ravel()).reshape(2, 2, 2)
        want[0, 0, 0] /= 2
        given = y.copy()
        check.close(
            effects(y),
            want,
            "A random table: effects are twice the coefficients of a regression on -1 and +1.",
        )
        check.equal(y, given, "The table you were given has changed: work on a copy.")
        check.close(effects(np.arange(8).reshape(2, 2, 2))[0, 0, 0], 3.5, "A table of integers.")
    ### END HIDDEN TESTS


# %% variant={"of": "7_7_effects", "wrong": "effects against the baseline only", "says": "half"}
def effects(results):
    y = np.array(results, float)
    base = y[0, 0, 0]
    out = np.zeros((2, 2, 2))
    out[0, 0, 0] = y.mean()
    out[1, 0, 0], out[0, 1, 0], out[0, 0, 1] = (
        y[1, 0, 0] - base,
        y[0, 1, 0] - base,
        y[0, 0, 1] - base,
    )
    out[1, 1, 0] = y[1, 1, 0] - base - out[1, 0, 0] - out[0, 1, 0]
    return out


# %% variant={"of": "7_7_effects", "wrong": "interactions not halved", "says": "Half the difference"}
def effects(results):
    found = np.array(results, float)
    for axis in range(3):
        off, on = np.take(found, 0, axis), np.take(found, 1, axis)
        found = np.stack([(off + on) / 2, on - off], axis)
    return found


# %% variant={"of": "7_7_effects", "wrong": "regression coefficients, half the effects", "says": "mean with minus mean"}
def effects(results):
    found = np.array(results, float)
    for axis in range(3):
        off, on = np.take(found, 0, axis), np.take(found, 1, axis)
        found = np.stack([off + on, on - off], axis)
    return found / 8


# %% variant={"of": "7_7_effects", "wrong": "off minus on", "says": "mean with minus mean"}
def effects(results):
    found = np.array(results, float)
    for axis in range(3):
        off, on = np.take(found, 0, axis), np.take(found, 1, axis)
        found = np.stack([off + on, off - on], axis)
    found /= 4
    found[0, 0, 0] /= 2
    return found


# %% variant={"of": "7_7_effects", "wrong": "the mean like an effect", "says": "mean of all eight"}
def effects(results):
    found = np.array(results, float)
    for axis in range(3):
        off, on = np.take(found, 0, axis), np.take(found, 1, axis)
        found = np.stack([off + on, on - off], axis)
    return found / 4


# %% variant={"of": "7_7_effects", "right": "contrasts with signs"}
def effects(results):
    out = np.empty((2, 2, 2))
    for which in np.ndindex(2, 2, 2):
        total = 0.0
        for run_ in np.ndindex(2, 2, 2):
            sign = 1
            for factor in range(3):
                if which[factor] and not run_[factor]:
                    sign = -sign
            total += sign * results[run_]
        out[which] = total / (8 if sum(which) == 0 else 4)
    return out


# %% variant={"of": "7_7_effects", "right": "one small matrix along each axis"}
def effects(results):
    h = np.array([[1, 1], [-1, 1]])
    out = np.einsum("ai,bj,ck,ijk->abc", h, h, h, np.asarray(results, float)) / 4
    out[0, 0, 0] = np.mean(results)
    return out


# %% [markdown] hints={"of": "7_7_effects"}
# 1. The main effect of A: which four of the eight runs get a plus, which a minus? And what do you divide by?
# 2. For the interaction of A and B, multiply the signs of A with those of B. For all three, multiply all three.
# 3. Neat: along each axis in turn, replace (off, on) by (off + on, on - off). What remains is a division, by one number for the mean and by another for the rest.

# %% [markdown]
# Now the experiment: the clinic's student of 128 units, 200 images, and **half the time**, 30 epochs. Eight runs for each of eight splits, a few seconds in all.
#
# **Predict, then run.** Starting from the teacher's weights turns out to be worth most, and hearing its answers is worth something, too. What is the *interaction* of the two?

# %%
my_guess = None  # points; 0 if they add up, negative if one makes the other superfluous

table = np.zeros((len(SEEDS), 2, 2, 2))
for s in SEEDS:
    for answers_on, start_on, features_on in np.ndindex(2, 2, 2):
        table[s, answers_on, start_on, features_on] = clinic(
            s, 0.5 * answers_on, epochs=30, start=teachers[s] if start_on else None,
            match=Matching(s, 128) if features_on else None)  # fmt: skip
by_split = np.array([my.effects(results) for results in table])
check.predicted(my_guess, float(by_split[:, 1, 1, 0].mean()), within=0.4, unit=" points",
                comment="Whoever starts from the teacher has less left to ask.")  # fmt: skip

# %% jupyter={"source_hidden": true}
names = {(1, 0, 0): "answers", (0, 1, 0): "start", (0, 0, 1): "features", (1, 1, 0): "answers × start",
         (1, 0, 1): "answers × features", (0, 1, 1): "start × features", (1, 1, 1): "all three"}  # fmt: skip
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.3), width_ratios=(1.25, 1))
for place, which in enumerate(names):
    found = by_split[(slice(None), *which)]
    low, high = my.paired_interval(found, np.zeros(len(found)))
    color = style.TERNARY if low > 0 else style.ACCENT if high < 0 else style.MUTED
    left.plot([low, high], [place, place], color=color, linewidth=4, solid_capstyle="round")
    said = f"{found.mean():+.1f}".replace("-", "−")
    left.text(max(high, 0) + 0.15, place, said, va="center", fontsize=9, color=color)
left.axvline(0, color=style.INK, linewidth=1)
left.set(yticks=range(7), yticklabels=list(names.values()), ylim=(6.6, -0.6), xlabel="points of accuracy",
         title="Main effects and interactions")  # fmt: skip
for start_on, color, name in (
    (0, style.MUTED, "fresh start"),
    (1, style.TERNARY, "start from the teacher"),
):
    means = table[:, :, start_on, 0].mean(axis=0)
    right.plot([0, 1], means, "o-", color=color)
    right.text(1.05, means[1], name, color=color, va="center", fontsize=9)
right.set(xticks=(0, 1), xticklabels=("labels only", "answers too"), xlim=(-0.2, 1.9), ylabel="test accuracy, %",
          title="Not parallel: they do not add up")  # fmt: skip
plt.show()

# %% [markdown]
# Read one factor at a time and you would report what distillation adds for a student that starts fresh. For one that starts from the teacher it adds less than half of that, because both bring something of the same thing, what the teacher knows. Still, the two together are best. And features, in this small world, are not worth their matrix: all four of their effects are nothing.
#
# Now the claim of this lesson, and it is about time. Does a ternary student with a teacher beat one that trains alone **twice as long**, at the rate that suits it best? It depends on what it takes from the teacher.

# %%
halves = {
    "fresh, answers": table[:, 1, 0, 0],
    "start": table[:, 0, 1, 0],
    "start, answers": table[:, 1, 1, 0],
}
for name, found in halves.items():
    low, high = my.paired_interval(found, alone)
    print(
        f"{name:<16} 30 epochs against 60 alone: {np.mean(found - alone):+.1f} points, [{low:+.1f}, {high:+.1f}]"
    )

# %% [markdown]
# Answers alone halve the time: in 30 epochs they bring a fresh student about as far as labels do in 60. With the teacher's weights to start from, half the time is *more* than enough, and with its answers as well the lead is clear.
#
# ## 8 · In the library, on a ViT
#
# `tt.train.distill` is what you have built, on a Vision Transformer. Its soft loss is your `joint_loss` at $\alpha = 1$, which we can check to the last digits; its features are the tokens after the last block, through a LayerNorm and a matrix. The defaults, $\alpha = 0.5$, $T = 2$ and half of the teacher's share for features, are BitMedViT's (arXiv 2510.13760).

# %%
rng = np.random.default_rng(8)
some, theirs = rng.normal(0, 3, (6, 10)), rng.normal(0, 3, (6, 10))
scores = tt.Tensor(some, requires_grad=True)
library = tt.autograd.kl_divergence(scores, theirs, 2.0)
library.backward()
loss, gradient = my.joint_loss(some, theirs, np.zeros(6, int), 1.0, 2.0)
print(
    f"library {float(library.data):.12f}, yours {loss:.12f}, gradients differ by {np.abs(scores.grad - gradient).max():.0e}"
)

# %% [markdown]
# Now phantoms, four classes of small synthetic pictures, and the lesson's preset of a ViT. A float teacher first; then a ternary student alone, and one that starts from the teacher and hears it, for half as many epochs. (One seed, so: an illustration, and no evidence.)

# %%
draw = tt.data.phantoms
data = tt.data.Splits(draw("train", count=500, classes=4), draw("val", count=100, classes=4),
                      draw("test", count=500, classes=4))  # fmt: skip
config = tt.models.preset("lesson", num_classes=4)
teacher = tt.train.fit(tt.models.ViT(config, seed=0), data, seed=0, progress=False)
print(f"float teacher: {100 * teacher.metrics['test']['acc']:.1f} %")

# %%


def student():
    return tt.quant.ternarize(tt.models.ViT(config, seed=1), policy="bitmedvit")


vit_alone = tt.train.fit(student(), data, epochs=10, seed=1, progress=False)
vit_taught = tt.train.distill(student(), teacher, data, epochs=5, seed=1, progress=False,
                              start_from_teacher=True, feature="none")  # fmt: skip
for name, found in (("alone, 10 epochs", vit_alone), ("taught, 5 epochs", vit_taught)):
    print(f"{name}: {100 * found.metrics['test']['acc']:.1f} %")

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8, 3))
for name, found, color in (
    ("student alone", vit_alone, style.MUTED),
    ("student from the teacher", vit_taught, style.TERNARY),
):
    curve = 100 * np.array(found.history["val_acc"])
    axes.plot(np.arange(1, len(curve) + 1), curve, "o-", color=color, label=name)
best_teacher = 100 * max(teacher.history["val_acc"])
axes.axhline(best_teacher, color=style.FLOAT, linestyle=":", label="float teacher, best epoch")
axes.set(
    xlabel="epoch",
    ylabel="validation accuracy, %",
    title="A ternary ViT that starts from its teacher starts high",
)
axes.legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# In the library the same bugs are waiting as anywhere. Two of the best known stand in the next room.
#
# ## 9 · The museum
#
# Both exhibits train without an error, and the loss falls. You get the symptoms and the code. Find the line, say what it does, repair it.
#
# ### Exhibit A: the teacher nobody heard
#
# Chest X-rays have several findings at a time, so there is no softmax: each finding has a sigmoid of its own. Somebody carried distillation over to this case. Our stand-in has four findings in a digit: it is odd, it is prime, it is at least 5, it has a loop. The gradient, by the student's scores (B, 4):


# %% tags=["exhibit"]
def findings_gradient(student, teacher, findings, alpha, temperature):
    """Gradient of the mean loss by the student's scores; findings are 0 or 1."""
    hard = sigmoid(student) - findings  # line a
    soft = sigmoid(student / temperature) - sigmoid(teacher / temperature)  # line b
    mixed = (1 - alpha) * hard + alpha * soft / temperature  # line c
    return mixed / len(findings)  # line d


# %% jupyter={"source_hidden": true}
findings = np.array(
    [[c % 2, c in (2, 3, 5, 7), c >= 5, c in (0, 6, 8, 9)] for c in range(10)], float
)[labels]


def plain_findings(scores, batch):
    return (sigmoid(scores) - findings[batch]) / len(batch)


def found_right(network, seed, ternary=True):
    test = split(seed)[1]
    return 100 * np.mean((run(network, digits[test], ternary)[1] > 0) == findings[test])


finders = [train(s, plain_findings, split(s)[0], outputs=4, ternary=False, lr=0.5) for s in SEEDS]
they_say = [run(network, digits, False)[1] for network in finders]


def finding_students(gradient, temperature, alpha=0.9, shuffled=False):
    """Accuracy of a clinic's students with a gradient; the answers perhaps in a wrong order."""
    found = []
    for s in SEEDS:
        said = they_say[s]
        if shuffled:
            said = said[np.random.default_rng(s).permutation(len(said))]

        def loss(scores, batch, said=said):
            return gradient(scores, said[batch], findings[batch], alpha, temperature)

        found.append(found_right(train(s, loss, split(s)[0][:200], outputs=4), s))
    return np.array(found)


def show_findings(gradient, title):
    _, axes = plt.subplots(figsize=(8, 3))
    ts = (1, 2, 4, 8, 16)
    for shuffled, color, name in (
        (False, style.TERNARY, "the teacher's answers"),
        (True, style.ACCENT, "the same answers, shuffled"),
    ):
        means = [finding_students(gradient, float(T), shuffled=shuffled).mean() for T in ts]
        axes.plot(np.log2(ts), means, "o-", color=color, label=name)
    axes.set(
        xticks=range(5),
        xticklabels=ts,
        xlabel="temperature",
        ylabel="findings right, %",
        ylim=(50, 95),
        title=title,
    )
    axes.legend(fontsize=9)
    plt.show()


show_findings(findings_gradient, "Warm enough, it does not matter what the teacher says")

# %% [markdown]
# The orange student gets the teacher's answers *to other images*, which is nonsense, and at $\alpha = 0.9$ nonsense ought to ruin it. At $T = 1$ it does. At $T = 16$ the two students are as good as each other.
#
# ### Exercise 7.8: let it be heard (2 points)
#
# Write `repaired_gradient(student, teacher, findings, alpha, temperature)`, such that the balance between labels and teacher that `alpha` sets is kept at every temperature, as in section 3. At $T = 1$ it has to give what the exhibit gives.


# %% nbgrader={"grade": false, "grade_id": "7_8_repaired_gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    """Gradient of the mean loss by the student's scores, balanced at every temperature."""
    ### BEGIN SOLUTION
    hard = sigmoid(student) - findings
    soft = sigmoid(student / temperature) - sigmoid(teacher / temperature)
    return ((1 - alpha) * hard + alpha * temperature * soft) / len(findings)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_8_repaired_gradient_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.8")
def _(repaired_gradient):
    student, teacher = np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([[1.0, 1.0], [0.0, 3.0]])
    seen = np.array([[1.0, 0.0], [0.0, 1.0]])
    hard = (sigmoid(student) - seen) / 2
    soft = (sigmoid(student) - sigmoid(teacher)) / 2
    check.close(
        repaired_gradient(student, teacher, seen, 0.3, 1.0), 0.7 * hard + 0.3 * soft,
        "At T = 1 the exhibit was right, and the repair should not change it.",
    )  # fmt: skip
    check.close(
        repaired_gradient(student, teacher, seen, 0.0, 8.0), hard,
        "alpha = 0 and T = 8: the labels' share has nothing to do with the temperature.",
    )  # fmt: skip
    warm = repaired_gradient(student, teacher, seen, 1.0, 1000.0)
    check.close(
        warm, (student - teacher) / 8,
        "alpha = 1 and T = 1000: the teacher's share is to be neither inaudible nor a shout. For a "
        "very warm sigmoid it should come to (student - teacher) / 4, over the number of images. "
        "Section 3 says how fast the plain gradient shrinks, and for which two reasons.", rtol=1e-3,
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(78)
    s, t, y = rng.normal(0, 3, (5, 4)), rng.normal(0, 3, (5, 4)), rng.integers(2, size=(5, 4))

    def loss(z):
        p = sigmoid(t / 4)
        hard = np.logaddexp(0, z) - y * z
        soft = np.logaddexp(0, z / 4) - p * z / 4
        return (0.4 * hard + 0.6 * 16 * soft).sum() / 5

    measured = np.zeros_like(s)
    for place in np.ndindex(s.shape):
        nudge = np.zeros_like(s)
        nudge[place] = 1e-5
        measured[place] = (loss(s + nudge) - loss(s - nudge)) / 2e-5
    check.close(
        repaired_gradient(s, t, y, 0.6, 4.0), measured,
        "At T = 4, against a central difference of the balanced loss.", rtol=1e-5, atol=1e-8,
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "7_8_repaired_gradient", "wrong": "the exhibit", "says": "inaudible"}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    hard = sigmoid(student) - findings
    soft = sigmoid(student / temperature) - sigmoid(teacher / temperature)
    return ((1 - alpha) * hard + alpha * soft / temperature) / len(findings)


# %% variant={"of": "7_8_repaired_gradient", "wrong": "one T of two", "says": "two reasons"}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    hard = sigmoid(student) - findings
    soft = sigmoid(student / temperature) - sigmoid(teacher / temperature)
    return ((1 - alpha) * hard + alpha * soft) / len(findings)


# %% variant={"of": "7_8_repaired_gradient", "wrong": "T squared on top of no division", "says": "shout"}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    hard = sigmoid(student) - findings
    soft = sigmoid(student / temperature) - sigmoid(teacher / temperature)
    return ((1 - alpha) * hard + alpha * temperature**2 * soft) / len(findings)


# %% variant={"of": "7_8_repaired_gradient", "wrong": "scales the labels with it", "says": "nothing to do with the temperature"}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    hard = sigmoid(student) - findings
    soft = sigmoid(student / temperature) - sigmoid(teacher / temperature)
    return temperature**2 * ((1 - alpha) * hard + alpha * soft / temperature) / len(findings)


# %% variant={"of": "7_8_repaired_gradient", "wrong": "leaves the temperature out altogether", "says": "(student - teacher) / 4"}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    hard = sigmoid(student) - findings
    soft = sigmoid(student) - sigmoid(teacher)
    return ((1 - alpha) * hard + alpha * soft) / len(findings)


# %% variant={"of": "7_8_repaired_gradient", "right": "the square, written out"}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    count = len(student)
    labels_say = (sigmoid(student) - findings) / count
    teacher_says = (
        (sigmoid(student / temperature) - sigmoid(teacher / temperature)) / temperature / count
    )
    return (1 - alpha) * labels_say + alpha * temperature**2 * teacher_says


# %% variant={"of": "7_8_repaired_gradient", "right": "with tanh"}
def repaired_gradient(student, teacher, findings, alpha, temperature):
    half = 2 * temperature
    soft = (np.tanh(student / half) - np.tanh(teacher / half)) / 2
    hard = 0.5 + np.tanh(student / 2) / 2 - findings
    return (hard + alpha * (temperature * soft - hard)) / student.shape[0]


# %% [markdown] hints={"of": "7_8_repaired_gradient"}
# 1. Multiply the temperature by ten. Which of the lines a to d makes the teacher's share smaller, and by how much in all?
# 2. Count the powers of T: one from the chain rule, one from the probabilities. Which factor does the *loss* carry in 7.4?

# %%
show_findings(my.repaired_gradient, "Repaired: nonsense is heard as well, at every temperature")

# %% [markdown]
# Now the two curves stay apart. (That the teacher is best heard at $T = 1$ here is no bug: a single finding has only one wrong answer, so there is no order among wrong answers for a temperature to bring out.)
#
# The catalogue's name: *the square that was forgotten*. A student that ignores its teacher looks like a teacher that has nothing to say, and that is what gets published. **Shuffle the teacher's answers**: if the student does not mind, it was not listening.
#
# ### Exhibit B: the teacher who never said the same thing twice
#
# The hospital sends a teacher that was trained with dropout, as a module of the library. The student asks it for every batch.

# %% tags=["exhibit"]


def ask(teacher, images):
    """The teacher's scores (B, classes), as an array, for a batch of images."""
    said = teacher(tt.Tensor(images))
    return said.data


# %%
class Hospital(tt.nn.Module):
    """A teacher of one hidden layer with dropout."""

    def __init__(self, network):
        super().__init__()
        rng = np.random.default_rng(0)
        self.first, self.second = tt.nn.Linear(64, 128, rng=rng), tt.nn.Linear(128, 10, rng=rng)
        self.drop = tt.nn.Dropout(0.5)
        for layer, weight, bias in ((self.first, *network[:2]), (self.second, *network[2:])):
            layer.weight.data[...], layer.bias.data[...] = weight, bias

    def forward(self, images):
        """Scores (B, 10) of images (B, 64)."""
        return self.second(self.drop(self.first(images).relu()))


def sent(seed):
    """The hospital's teacher, as it arrives."""
    return Hospital(dropped[seed])


dropped = [train(s, one_hot_gradient, split(s)[0], ternary=False, lr=0.5, drop=0.5) for s in SEEDS]

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3), width_ratios=(1.3, 1))
visitor = sent(0)
for _ in range(6):
    left.plot(
        range(10),
        my.soften(ask(visitor, digits[pick][None]), 1.0)[0],
        "o-",
        markersize=3,
        linewidth=1,
        color=style.ACCENT,
    )
left.set(
    xticks=range(10),
    xlabel="class",
    ylabel="probability",
    title="Six times the same image, six answers",
)
promised, heard = [], []
for s in SEEDS:
    test = split(s)[1]
    promised.append(accuracy(dropped[s], test, False))
    heard.append(100 * np.mean(ask(sent(s), digits[test]).argmax(axis=1) == labels[test]))
for a, b in zip(promised, heard):
    right.plot([0, 1], [a, b], "o-", color=style.MUTED, markersize=4, linewidth=1)
right.set(xticks=(0, 1), xticklabels=("the hospital's\nreport", "as we ask it"), xlim=(-0.4, 1.4), ylabel="test accuracy, %",
          title="It is worse here than there")  # fmt: skip
plt.show()

# %% [markdown]
# ### Exercise 7.9: a steady voice (2 points)
#
# Write `repaired_ask(teacher, images)` for any module of the library: the same images give the same answers, and they are those of the network as it would be used. The visitor should leave the house as they found it: a teacher that was being trained by somebody else goes on in training mode, one that was not does not. (`teacher.training` tells, `teacher.eval()` and `teacher.train()` switch.)


# %% nbgrader={"grade": false, "grade_id": "7_9_repaired_ask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_ask(teacher, images):
    """The teacher's scores, as an array, as it would be used; its mode is left as it was."""
    ### BEGIN SOLUTION
    was_training = teacher.training
    teacher.eval()
    with tt.no_grad():
        scores = teacher(tt.Tensor(images)).data
    teacher.train(was_training)
    return scores
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "7_9_repaired_ask_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("7.9", allow=("tinyternary.autograd", "tinyternary.nn"))
def _(repaired_ask):
    rng = np.random.default_rng(79)
    first, last = tt.nn.Linear(6, 32, rng=rng), tt.nn.Linear(32, 3, rng=rng)
    images = rng.normal(size=(5, 6)).astype(np.float32)
    with tt.no_grad():
        want = last(tt.nn.GELU()(first(tt.Tensor(images)))).data
    teacher = tt.nn.Sequential(first, tt.nn.GELU(), tt.nn.Dropout(0.5), last)
    one, two = repaired_ask(teacher, images), repaired_ask(teacher, images)
    check.true(
        isinstance(one, np.ndarray), "The answer should be a plain array, as in the exhibit."
    )
    check.equal(
        one, two,
        "Two calls with the same images should give the same answers. Something in the teacher still "
        "throws dice.",
    )  # fmt: skip
    check.close(
        one, want, "These are not the answers of the whole network, with all its units on.", rtol=1e-5, atol=1e-6
    )  # fmt: skip
    check.true(
        teacher.training,
        "This teacher was in training mode when you came. It should be in training mode when you leave.",
    )
    teacher.eval()
    repaired_ask(teacher, images)
    check.true(
        not teacher.training,
        "This teacher was in evaluation mode when you came, and is in training mode now.",
    )
    ### BEGIN HIDDEN TESTS
    others = images[::-1].copy()
    check.close(
        repaired_ask(teacher, others), want[::-1],
        "Other images, of the same number, get answers of their own.", rtol=1e-5, atol=1e-6,
    )  # fmt: skip
    teacher.train()
    repaired_ask(teacher, images)
    check.true(
        all(layer.training for layer in (first, last)),
        "The modes of the layers inside belong to it as well.",
    )
    ### END HIDDEN TESTS


# %% variant={"of": "7_9_repaired_ask", "wrong": "the exhibit", "says": "dice"}
def repaired_ask(teacher, images):
    with tt.no_grad():
        return teacher(tt.Tensor(images)).data


# %% variant={"of": "7_9_repaired_ask", "wrong": "the mean of many noisy answers", "says": "dice"}
def repaired_ask(teacher, images):
    with tt.no_grad():
        return np.mean([teacher(tt.Tensor(images)).data for _ in range(20)], axis=0)


# %% variant={"of": "7_9_repaired_ask", "wrong": "leaves it in evaluation mode", "says": "in training mode when you leave"}
def repaired_ask(teacher, images):
    teacher.eval()
    with tt.no_grad():
        return teacher(tt.Tensor(images)).data


# %% variant={"of": "7_9_repaired_ask", "wrong": "always back to training", "says": "evaluation mode when you came"}
def repaired_ask(teacher, images):
    teacher.eval()
    with tt.no_grad():
        scores = teacher(tt.Tensor(images)).data
    teacher.train()
    return scores


# %% variant={"of": "7_9_repaired_ask", "wrong": "a tensor, not an array", "says": "plain array"}
def repaired_ask(teacher, images):
    was = teacher.training
    teacher.eval()
    scores = teacher(tt.Tensor(images))
    teacher.train(was)
    return scores


# %% variant={"of": "7_9_repaired_ask", "right": "with finally"}
def repaired_ask(teacher, images):
    training = teacher.training
    try:
        teacher.eval()
        with tt.no_grad():
            return teacher(tt.Tensor(images)).numpy()
    finally:
        if training:
            teacher.train()


# %% variant={"of": "7_9_repaired_ask", "right": "a copy is put into evaluation mode"}
def repaired_ask(teacher, images):
    import copy

    double = copy.deepcopy(teacher)
    double.eval()
    with tt.no_grad():
        return double(tt.Tensor(images)).data.copy()


# %% [markdown] hints={"of": "7_9_repaired_ask"}
# 1. Dropout does one thing in training and nothing otherwise. In which mode is a module that has just been made?
# 2. Remember the mode before you change it.

# %%
voices = {"alone": None, "exhibit": ask, "repaired": my.repaired_ask}
by_voice = {}
for name, voice in voices.items():
    found = []
    for s in SEEDS:
        teacher_sent = sent(s)

        def loss(scores, batch, voice=voice, teacher_sent=teacher_sent):
            said = scores if voice is None else voice(teacher_sent, digits[batch])
            return joint(scores, said, labels[batch], 0.0 if voice is None else 0.9, 4.0)[1]

        found.append(tested(train(s, loss, split(s)[0][:200], epochs=60), s))
    by_voice[name] = np.array(found)
    print(f"{name:<9} {by_voice[name].mean():.1f} %")
low, high = my.paired_interval(by_voice["repaired"], by_voice["exhibit"])
print(f"repaired - exhibit: between {low:+.1f} and {high:+.1f} points")

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(figsize=(8, 2.4))
for place, found in enumerate(by_voice.values()):
    color = (style.MUTED, style.ACCENT, style.TERNARY)[place]
    apart = np.linspace(-0.2, 0.2, len(found))  # so that equal accuracies do not hide each other
    axes.scatter(found, place + apart, color=color, s=20, alpha=0.7)
    axes.plot([found.mean()] * 2, [place - 0.3, place + 0.3], color=color, linewidth=2.5)
axes.set(yticks=range(3), yticklabels=list(by_voice), ylim=(2.6, -0.6), xlabel="student's test accuracy, % (eight splits)",
         title="The student forgives most of the noise")  # fmt: skip
plt.show()

# %% [markdown]
# The catalogue's name: *left in training mode*. Look at the figure before you call it harmless or fatal. Fresh noise at every question averages out over an epoch or two, so the student takes little harm, and that is just why nobody finds this bug by its accuracy. It is found by the cheapest of all tests: **ask twice**. (The same test finds a teacher that sees another crop of the image than its student.) The library's `distill` calls `eval()` on the teacher before each question.
#
# ## 10 · In words

# %% [markdown] nbgrader={"grade": true, "grade_id": "7_10_words", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### Exercise 7.10: without a teacher (3 points)
#
# When would you *not* distil? Give at least three situations, each with its reason, and support at least one with a measurement of this lesson. Say for one of them what you would do instead.
#
# ### BEGIN SOLUTION
# If the student can start from the teacher's weights and computing is short: hearing the answers as well then adds less than half of what it adds for a fresh student (the interaction in the factorial is negative), and the teacher's forward pass for every image may cost more than that. I would start from the weights and train on the labels.
#
# If labels are many: the teacher's lead was measured with 200 labelled images. With enough good labels they are the better source, because the teacher makes mistakes.
#
# If the teacher is wrong in a way that matters: it was trained on other scanners or patients, is miscalibrated, or is biased against a group. The student copies its mistakes confidently.
#
# If the student is far too small for the teacher: it spends its capacity on imitating what it cannot represent (Cho and Hariharan 2019). A smaller teacher, or one stopped early, or no teacher towards the end of training.
#
# If the teacher costs more than it gives: it has to be run for every image and every augmentation. Likewise if its licence, or the privacy of its training data, which its answers may reveal, forbids it.
# ### END SOLUTION

# %% [markdown] rubric={"of": "7_10_words"}
# One point each, at most three:
#
# - **Situations:** three different ones with a reason each, such as: labels are plentiful and good; the teacher is weak, miscalibrated, biased or from another domain; the capacity gap is large; the student can start from the teacher's weights; time or computing is short; privacy or licence.
# - **Evidence:** at least one measurement of this lesson, used correctly: the interaction answers × start, features that agree without helping, answers at half the epochs against labels at all of them, the interval of a difference.
# - **Instead:** a workable alternative for one of them: start from the weights, a smaller or earlier-stopped teacher, more labels, labels only towards the end.
#
# "If the teacher is bad" without a way of finding out earns no point for that situation.

# %% [markdown]
# ## Recap
#
# - A **temperature** makes small probabilities audible. The order of the classes stays; the doubt rises with $T$.
# - **KL has a direction.** Teacher in front: the student covers whatever the teacher thinks possible, and the gradient is $(q - p) / T$.
# - The gradient shrinks like $1/T^2$, and the factor $T^2$ **keeps the balance** with the labels. It does nothing else.
# - Soft answers teach a clinic with few labels better than the labels alone, each at its best learning rate, and even about classes that its images do not show.
# - A loss that falls (**features**) need not be one that helps.
# - **Paired** intervals take out what two methods have in common.
# - A **factorial** shows what one-at-a-time hides: what answers and starting weights bring overlaps.
# - A ternary student that **starts from its teacher** beats, in half the time, one that trains alone at its best rate; one that hears the answers too does so by more.
# - Shuffle the teacher's answers; ask it twice.
#
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - G. Hinton, O. Vinyals, J. Dean, *Distilling the Knowledge in a Neural Network*, 2015, arXiv 1503.02531. Temperature, the factor $T^2$ and the matching of logits (section 2), and the digit that was never shown (section 3).
# - A. Romero et al., *FitNets: Hints for Thin Deep Nets*, 2015, arXiv 1412.6550. Hidden features as hints, with a regressor where widths differ.
# - J. H. Cho, B. Hariharan, *On the Efficacy of Knowledge Distillation*, ICCV 2019, arXiv 1910.01348. Larger teachers are often not better ones, because the student cannot follow; stopping the teacher early helps.
# - BitMedViT, ICCAD 2025, arXiv 2510.13760. The recipe whose numbers are `distill`'s defaults.
# - FTerViT, arXiv 2605.21171. A ternary ViT distilled by KL only, without features.
#
# **Next:** lesson 08 packs the student's trits and makes them fast.
