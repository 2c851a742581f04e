# %% [markdown]
# # Assignment 11 · Trust
#
# Three exercises and a question on lesson 11: how honest a network's confidence is, a threshold that keeps a promise, and what a "yes" is worth where the illness is rare. **Points:** 8, and 2 for the question. **Time:** about 40 minutes. The numbers here are drawn by a program and show no patient. *For teaching and research, not for clinical use.*

# %% tags=["drawn"]
BINS = [4, 5, 6, 7, 8]
PROMISE = [0.85, 0.88, 0.9, 0.92, 0.94, 0.96]
GUARD = [2, 3, 4, 5]
SICK = [0.02, 0.03, 0.04, 0.06, 0.08]
COST = [8, 12, 15, 20, 25, 30]

# %% tags=["setup"]
import matplotlib.pyplot as plt
import numpy as np

from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True})

check = course.checks("assignment-11-SEED")
my = check.mine

# %% [markdown]
# ## 1 · Bins that are equally full
#
# The lesson cut confidence into bins of equal width; most images then fall into the last one or two. Here the images are sorted by confidence and cut into **BINS bins of equal count**: with $n$ images, bin $b$ (counted from 0) holds the sorted images from place $\lfloor b\,n / BINS \rfloor$ up to, and without, $\lfloor (b + 1)\,n / BINS \rfloor$. Among equal confidences the order of the images is kept.
#
# The *worst gap* is the largest distance, over the bins, between mean confidence and share of right answers.

# %% [markdown]
# ### Exercise 11.1: the worst gap (3 points)
#
# `worst_gap(confidence, right)` takes two arrays of shape (n,), n at least BINS; `right` holds 0 and 1 or booleans. It returns a float from 0 to 1.


# %% nbgrader={"grade": false, "grade_id": "11_1_worst_gap", "locked": false, "schema_version": 3, "solution": true, "task": false}
def worst_gap(confidence, right):
    """Return the largest gap between confidence and accuracy over bins of equal count."""
    ### BEGIN SOLUTION
    order = np.argsort(confidence, kind="stable")
    n = len(order)
    gaps = []
    for b in range(BINS):
        part = order[b * n // BINS : (b + 1) * n // BINS]
        gaps.append(abs(confidence[part].mean() - right[part].mean()))
    return float(max(gaps))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_1_worst_gap_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.1")
def _(worst_gap):
    count = BINS
    rng = np.random.default_rng(111)

    def wanted(confidence, right):
        ranked = sorted(range(len(confidence)), key=lambda k: confidence[k])
        worst = 0.0
        for b in range(count):
            part = ranked[b * len(ranked) // count : (b + 1) * len(ranked) // count]
            said = sum(float(confidence[k]) for k in part) / len(part)
            was = sum(float(right[k]) for k in part) / len(part)
            worst = max(worst, abs(said - was))
        return worst

    many = rng.uniform(0.3, 1, 8 * count + 3)
    won = (rng.random(len(many)) < many**2).astype(int)
    with check.part("bins", points=2):
        sure = np.repeat(np.linspace(0.5, 0.95, count), 4)
        right = np.ones(4 * count, int)
        right[:4] = 0
        check.close(
            worst_gap(sure, right), 0.5,
            "The four least sure are all wrong at a confidence of one half; the others are off by "
            "less, on their sides.",
        )  # fmt: skip
        check.close(worst_gap(sure[::-1], right[::-1]), 0.5, "The same images in another order.")
        check.close(
            worst_gap(many, won), wanted(many, won),
            f"{count} bins of equal count, cut where the text says. A large gap that many small "
            "ones would hide is what you are after.",
        )  # fmt: skip
    with check.part("what may come", points=1):
        check.close(
            worst_gap(many, won.astype(bool)), wanted(many, won), "Right answers as True and False."
        )  # fmt: skip
        check.close(
            worst_gap(np.full(count, 0.7), np.ones(count, int)), 0.3,
            "One image in each bin, all equally sure.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        for n in (count, count + 1, 3 * count - 1, 101):
            said = rng.uniform(0.2, 1, n).round(2)
            was = (rng.random(n) < 0.6).astype(int)
            check.close(worst_gap(said, was), wanted(said, was), f"{n} images.")
        tied = np.tile([0.6, 0.8, 0.7], 40 * count + 1)
        outcome = np.arange(len(tied)) < 70 * count
        check.close(
            worst_gap(tied, outcome), wanted(tied, outcome),
            "Many are equally sure: among them the order of the images is kept.",
        )  # fmt: skip
        kept = said.copy(), was.copy()
        worst_gap(said, was)
        check.equal([said, was], kept, "An argument has changed: work on copies.")
        ### END HIDDEN TESTS


# %% variant={"of": "11_1_worst_gap", "wrong": "bins of equal width, as in the lesson"}
def worst_gap(confidence, right):
    place = np.minimum((np.asarray(confidence) * BINS).astype(int), BINS - 1)
    gaps = [
        abs(confidence[place == b].mean() - right[place == b].mean())
        for b in range(BINS)
        if (place == b).any()
    ]
    return max(gaps)


# %% variant={"of": "11_1_worst_gap", "wrong": "the mean gap, weighted: ECE", "says": "are all wrong"}
def worst_gap(confidence, right):
    order = np.argsort(confidence, kind="stable")
    n, total = len(order), 0.0
    for b in range(BINS):
        part = order[b * n // BINS : (b + 1) * n // BINS]
        total += len(part) / n * abs(confidence[part].mean() - right[part].mean())
    return total


# %% variant={"of": "11_1_worst_gap", "wrong": "only overconfidence counts"}
def worst_gap(confidence, right):
    order = np.argsort(confidence, kind="stable")
    n = len(order)
    parts = [order[b * n // BINS : (b + 1) * n // BINS] for b in range(BINS)]
    return max(right[p].mean() - confidence[p].mean() for p in parts)


# %% variant={"of": "11_1_worst_gap", "wrong": "the images are not sorted"}
def worst_gap(confidence, right):
    n = len(confidence)
    parts = [slice(b * n // BINS, (b + 1) * n // BINS) for b in range(BINS)]
    return max(abs(np.mean(confidence[p]) - np.mean(right[p])) for p in parts)


# %% variant={"of": "11_1_worst_gap", "right": "running sums"}
def worst_gap(confidence, right):
    order = np.argsort(confidence, kind="mergesort")
    edges = np.arange(BINS + 1) * len(order) // BINS
    gap = np.asarray(confidence, float)[order] - np.asarray(right, float)[order]
    sums = np.diff(np.concatenate([[0.0], np.cumsum(gap)])[edges])
    return float(np.abs(sums / np.diff(edges)).max())


# %% variant={"of": "11_1_worst_gap", "right": "pairs in a list"}
def worst_gap(confidence, right):
    pairs = sorted(zip(confidence, range(len(confidence)), right), key=lambda p: (p[0], p[1]))
    worst = 0.0
    for b in range(BINS):
        part = pairs[b * len(pairs) // BINS : (b + 1) * len(pairs) // BINS]
        worst = max(worst, abs(sum(c - float(r) for c, _, r in part)) / len(part))
    return worst


# %% [markdown] hints={"of": "11_1_worst_gap"}
# 1. `np.argsort` gives the order; which kind of it keeps equals in their order?
# 2. Write down the borders of the bins for ten images before you write the loop.

# %%
rng = np.random.default_rng([111, SEED])
said = rng.beta(5, 1.4, 600)
was = (rng.random(600) < said**1.8).astype(int)
order = np.argsort(said)
bins = np.array_split(order, BINS)
fig, ax = plt.subplots(figsize=(4.4, 3.2))
ax.plot([0, 1], [0, 1], color=style.MUTED, lw=1)
ax.plot([said[b].mean() for b in bins], [was[b].mean() for b in bins], "o-", color=style.TERNARY)
ax.set(title=f"Worst gap {my.worst_gap(said, was):.2f}", xlabel="confidence", ylabel="share right")
plt.show()

# %% [markdown]
# ## 2 · A promise with a guard
#
# A screening test promises to find at least PROMISE of the ill. Its score is high where illness is likely, and it says "ill" where **score >= threshold**. The threshold is chosen on validation images: the **highest** that keeps the promise there. Then a guard: since the next hospital's images will be a little harder, the threshold is lowered to the score of the ill image **GUARD places further down** among the ill ones, sorted from high to low (or to the lowest ill score if there are not so many left).

# %% [markdown]
# ### Exercise 11.2: choose it (3 points)
#
# `choose(scores, ill)` takes arrays of shape (n,), `ill` of booleans with at least one True, and returns the threshold, one of the scores of the ill. With $m$ ill images the promise asks for at least $\lceil PROMISE \cdot m \rceil$ of them.


# %% nbgrader={"grade": false, "grade_id": "11_2_choose", "locked": false, "schema_version": 3, "solution": true, "task": false}
def choose(scores, ill):
    """Return the threshold that keeps the promise, lowered by the guard."""
    ### BEGIN SOLUTION
    down = np.sort(scores[ill])[::-1]
    need = int(np.ceil(PROMISE * len(down) - 1e-9))
    return float(down[min(need - 1 + GUARD, len(down) - 1)])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_2_choose_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.2")
def _(choose):
    promise, guard = PROMISE, GUARD

    def wanted(sick):
        ranked = sorted(sick, reverse=True)
        found = 1
        while found < promise * len(ranked) - 1e-9:
            found += 1
        return ranked[min(found + guard, len(ranked)) - 1]

    rng = np.random.default_rng(112)
    with check.part("the promise and the guard", points=2):
        sick = np.linspace(0.995, 0.005, 199)
        check.close(
            choose(sick, np.ones(199, bool)), wanted(sick),
            f"Of 199 ill images the promise asks for {int(np.ceil(promise * 199))}; the threshold "
            f"is the score of the one {guard} places further down.",
        )  # fmt: skip
        few = np.array([0.9, 0.7, 0.4])
        check.close(
            choose(few, np.ones(3, bool)), 0.4,
            "Three ill images: there are not so many left, so the lowest it is.",
        )  # fmt: skip
    with check.part("the ill among the healthy", points=1):
        scores = rng.random(300)
        ill = rng.random(300) < scores
        check.close(
            choose(scores, ill), wanted(scores[ill]),
            "The healthy have scores, too, and do not count for the promise; and images come in "
            "any order.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        for n in (25, 50, 400):
            scores = rng.normal(size=n)
            ill = rng.random(n) < 0.6
            ill[0] = True
            check.close(
                choose(scores, ill), wanted(scores[ill]), f"{n} images, scores of any sign."
            )
        whole = np.arange(100.0)
        check.close(
            choose(whole, np.ones(100, bool)), wanted(whole),
            "The promise asks for a whole number of images here: not for one more.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "11_2_choose", "wrong": "no guard", "says": "further down"}
def choose(scores, ill):
    down = np.sort(scores[ill])[::-1]
    return float(down[int(np.ceil(PROMISE * len(down) - 1e-9)) - 1])


# %% variant={"of": "11_2_choose", "wrong": "the guard goes up", "says": "further down"}
def choose(scores, ill):
    down = np.sort(scores[ill])[::-1]
    need = int(np.ceil(PROMISE * len(down) - 1e-9))
    return float(down[max(need - 1 - GUARD, 0)])


# %% variant={"of": "11_2_choose", "wrong": "all images count", "says": "do not count"}
def choose(scores, ill):
    down = np.sort(scores)[::-1]
    need = int(np.ceil(PROMISE * len(down) - 1e-9))
    return float(down[min(need - 1 + GUARD, len(down) - 1)])


# %% variant={"of": "11_2_choose", "wrong": "one place too far", "says": "further down"}
def choose(scores, ill):
    down = np.sort(scores[ill])[::-1]
    need = int(np.ceil(PROMISE * len(down) - 1e-9))
    return float(down[min(need + GUARD, len(down) - 1)])


# %% variant={"of": "11_2_choose", "right": "threshold by threshold, then the guard"}
def choose(scores, ill):
    sick = sorted(float(s) for s, yes in zip(scores, ill) if yes)
    place = len(sick) - 1
    while sum(s >= sick[place] for s in sick) < PROMISE * len(sick) - 1e-9:
        place -= 1
    return sick[max(place - GUARD, 0)]


# %% variant={"of": "11_2_choose", "right": "from below"}
def choose(scores, ill):
    up = np.sort(np.asarray(scores)[np.asarray(ill)])
    spare = int(np.floor((1 - PROMISE) * len(up) + 1e-9))
    return up[max(spare - GUARD, 0)]


# %% [markdown] hints={"of": "11_2_choose"}
# 1. Sort the scores of the ill from high to low: the k-th of them as a threshold finds how many?
# 2. Which place is the one of the promise, and which the one of the guard? What if the list ends before?

# %%
rng = np.random.default_rng([112, SEED])
ill = rng.random(500) < 0.3
scores = rng.normal(size=500) + 2.2 * ill
line = my.choose(scores, ill)
fig, ax = plt.subplots(figsize=(7, 2.6))
edges = np.linspace(-3, 6, 40)
ax.hist(scores[~ill], edges, color=style.FLOAT, alpha=0.7, label="healthy")
ax.hist(scores[ill], edges, color=style.ACCENT, alpha=0.7, label="ill")
ax.axvline(line, color=style.INK)
found = np.mean(scores[ill] >= line)
ax.set(title=f"The threshold finds {found:.1%} of these ill", xlabel="score", ylabel="images")
ax.legend()
plt.show()

# %% [markdown]
# ## 3 · What a yes is worth
#
# In the hospital where the test was made, half of the images showed the illness. Where it is going to be used, SICK of the people have it. Missing an ill person is held to be COST times as bad as sending a healthy one to a further examination.

# %% [markdown]
# ### Exercise 11.3: worth (2 points)
#
# `worth(sensitivity, specificity)` returns a pair: the share of those with a "yes" who are ill, at the prevalence of use, and the *expected cost* per 1,000 people, counted in needless examinations (1 each) and missed ill people (COST each). If nobody gets a yes, the first is NaN.


# %% nbgrader={"grade": false, "grade_id": "11_3_worth", "locked": false, "schema_version": 3, "solution": true, "task": false}
def worth(sensitivity, specificity):
    """Return what a yes is worth and what the test costs, where it is used."""
    ### BEGIN SOLUTION
    hits = SICK * sensitivity
    alarms = (1 - SICK) * (1 - specificity)
    missed = SICK * (1 - sensitivity)
    value = hits / (hits + alarms) if hits + alarms > 0 else float("nan")
    return value, 1000 * (alarms + COST * missed)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "11_3_worth_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("11.3")
def _(worth):
    sick, cost = SICK, COST
    people = 100_000
    ill = round(people * sick)
    with check.part("a yes", points=1):
        for finds, spares in ((0.9, 0.9), (0.6, 0.99), (1.0, 0.0)):
            found, alarms = ill * finds, (people - ill) * (1 - spares)
            check.close(
                worth(finds, spares)[0], found / (found + alarms),
                f"Of {people:,} people {ill:,} are ill: how many ill and how many healthy get a yes?",
            )  # fmt: skip
        check.close(worth(0.0, 0.5)[0], 0.0, "Only healthy people get a yes.")
        check.close(worth(0.5, 1.0)[0], 1.0, "Only ill people get a yes.")
        check.true(np.isnan(worth(0.0, 1.0)[0]), "Nobody gets a yes: there is no share of nothing.")
    with check.part("the cost", points=1):
        for finds, spares in ((0.9, 0.9), (0.5, 1.0), (1.0, 0.8)):
            want = ((people - ill) * (1 - spares) + cost * ill * (1 - finds)) / (people / 1000)
            check.close(
                worth(finds, spares)[1], want,
                f"Per 1,000 people: the healthy with a yes, and {cost} for each ill one without.",
            )  # fmt: skip
        check.close(worth(0.0, 1.0)[1], 1000 * sick * cost, "Always no: every ill one is missed.")


# %% variant={"of": "11_3_worth", "wrong": "the prevalence of the hospital", "says": "are ill"}
def worth(sensitivity, specificity):
    hits, alarms = sensitivity, 1 - specificity
    value = hits / (hits + alarms) if hits + alarms else float("nan")
    return value, 1000 * ((1 - SICK) * alarms + COST * SICK * (1 - sensitivity))


# %% variant={"of": "11_3_worth", "wrong": "every yes costs an examination, the ill ones too", "says": "healthy with a yes"}
def worth(sensitivity, specificity):
    hits, alarms = SICK * sensitivity, (1 - SICK) * (1 - specificity)
    value = hits / (hits + alarms) if hits + alarms else float("nan")
    return value, 1000 * (hits + alarms + COST * SICK * (1 - sensitivity))


# %% variant={"of": "11_3_worth", "wrong": "0 where nobody gets a yes", "says": "share of nothing"}
def worth(sensitivity, specificity):
    hits, alarms = SICK * sensitivity, (1 - SICK) * (1 - specificity)
    value = hits / (hits + alarms) if hits + alarms else 0.0
    return value, 1000 * (alarms + COST * SICK * (1 - sensitivity))


# %% variant={"of": "11_3_worth", "wrong": "the cost of a missed one is left out of the second number", "says": "each ill one"}
def worth(sensitivity, specificity):
    hits, alarms = SICK * sensitivity, (1 - SICK) * (1 - specificity)
    value = hits / (hits + alarms) if hits + alarms else float("nan")
    return value, 1000 * (alarms + SICK * (1 - sensitivity))


# %% variant={"of": "11_3_worth", "right": "counted in a thousand people"}
def worth(sensitivity, specificity):
    ill = 1000 * SICK
    healthy = 1000 - ill
    yes_ill, yes_healthy = ill * sensitivity, healthy - healthy * specificity
    yes = yes_ill + yes_healthy
    return (yes_ill / yes if yes else np.nan), yes_healthy + COST * (ill - yes_ill)


# %% variant={"of": "11_3_worth", "right": "Bayes in odds"}
def worth(sensitivity, specificity):
    cost = 1e3 * ((1 - SICK) * (1 - specificity) + COST * SICK * (1 - sensitivity))
    if sensitivity == 0 and specificity == 1:
        return np.nan, cost
    if specificity == 1:
        return 1.0, cost
    odds = SICK / (1 - SICK) * sensitivity / (1 - specificity)
    return odds / (1 + odds), cost


# %% [markdown] hints={"of": "11_3_worth"}
# 1. Take 1,000 people. Sort them into four groups: ill or not, yes or no.
# 2. Which two of the groups does the first number need, and which two the second?

# %%
spares = np.linspace(0.5, 0.999, 200)
fig, axes = plt.subplots(1, 2, figsize=(9, 2.6))
for finds, color in zip((0.8, 0.9, 0.98), style.SERIES):
    both = [my.worth(finds, s) for s in spares]
    axes[0].plot(spares, [b[0] for b in both], color=color, label=f"finds {finds:.0%}")
    axes[1].plot(spares, [b[1] for b in both], color=color)
axes[0].set(title="What a yes is worth", xlabel="specificity", ylabel="share ill")
axes[1].set(title="What the test costs", xlabel="specificity", ylabel="per 1,000 people")
axes[0].legend()
plt.show()

# %% [markdown] nbgrader={"grade": true, "grade_id": "11_4_promise", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### Question 11.4: who would you tell? (2 points, in words)
#
# The maker writes: "finds PROMISE of all ill people." The threshold was chosen as in 11.2, on validation images of one hospital, and the number was read off the same images. Name two reasons why the promise may not hold in use, and what the maker should have reported in its place, to whom the sentence above matters most.
#
# ### BEGIN SOLUTION
# The number was read off the images that chose the threshold, so it holds there by construction and is too good elsewhere; other hospitals have other machines, other patients and other stages of illness, so scores shift; images of the same patient may stand on both sides. They should report sensitivity and specificity on images that chose nothing, with intervals that count patients, from another place if possible, and predictive values at the prevalence of use; and say who was in the data. It matters to those who get a no, and to whoever decides that a no ends the examination.
# ### END SOLUTION

# %% [markdown] rubric={"of": "11_4_promise"}
# 1 point: two sound reasons (chosen and measured on the same images; another population or machine; images of one patient). 1 point: test data that chose nothing, intervals, predictive values or prevalence of use.

# %%
check.summary()
