# %% [markdown]
# # 06 · BitLinear
#
# Here is a tempting plan. Train a Vision Transformer as usual, with floats. Then take lesson 01's rule, round every matrix to trits, and enjoy a network sixteen times smaller. No new training code, no tricks, one afternoon.
#
# You will try it in five minutes, and it will go badly. The rest of the lesson builds what works instead: **BitLinear**, the layer that BitNet is made of and that this library puts in the place of `Linear`. It has four small parts, and you write each one. At the end you decide, layer by layer and byte by byte, which parts of a ViT should be made of it at all.
#
# You will be able to
#
# - normalise tokens by their root mean square, and say why this comes *before* rounding;
# - quantise activations to eight bits, each token with a ruler of its own;
# - multiply integers by trits exactly, and say when floats do the same to the last bit and when they do not;
# - write BitLinear's forward pass, equal to the library's;
# - say by a policy of names which layers become ternary, and count the bytes;
# - measure how sensitive each layer is, and spend a budget of bytes where it helps most;
# - recognise three classic bugs of quantised layers by their symptoms, and repair them.
#
# **What you need:** lesson 01 (trits, scales, absmean); lesson 04 for why training works; lesson 05 for the layers of a ViT. **Time:** 75 to 90 minutes. **Network:** none, and no GPU. Two small networks are trained on the way, about a quarter of a minute each.
#
# | exercise | | difficulty | points |
# |---|---|---|---|
# | 6.1 | RMSNorm | ● | 2 |
# | 6.2 | absmax, token by token | ●● | 3 |
# | 6.3 | integers, exactly | ●● | 3 |
# | 6.4 | BitLinear | ●● | 3 |
# | 6.5 | a policy, and its bytes | ●● | 4 |
# | 6.6 | which layer hurts | ●● | 2 |
# | 6.7 | a budget, greedily spent | ●●● | 3 |
# | 6.8 | museum: two layers that lie about size | ●● | 3 |
# | 6.9 | museum: the wrong side of the norm | ●●● | 2 |
# | 6.10 | in words | ●● | 3 |

# %% tags=["setup"]
from fnmatch import fnmatchcase

import matplotlib.pyplot as plt
import numpy as np

import tinyternary as tt
from tinyternary import course
from tinyternary.report import style

plt.rcParams.update(style.RC | {"figure.constrained_layout.use": True, "axes.titleweight": "bold"})


def absmean(weight):
    """Lesson 01's rule: trits (int8) of a matrix, and the scale alpha = mean |weight|."""
    alpha = np.maximum(np.abs(weight).mean(), weight.dtype.type(1e-5))
    return np.clip(np.rint(weight / alpha), -1, 1).astype(np.int8), alpha


check = course.checks("06_bitlinear")
my = check.mine

# %% [markdown]
# The set-up gives you `absmean(weight)`, the rule you wrote in lesson 01: one scale $\alpha$ for the whole matrix. Your answers may call it.
#
# ## 1 · One afternoon, and why it was wasted
#
# First a network worth rounding: lesson 05's small ViT, two blocks of width 64, on cells of four kinds. The library draws the cells and does the training. Ten matrices are in it: the patch embedding, four in each block, and the head. (Where Numba is missing a step takes several times as long; the networks then train for fewer epochs, and know less.)


# %%
from tinyternary.compiled.switch import jit_enabled


def pictures(split, count):
    """Drawn cells of four kinds: a Dataset."""
    return tt.data.phantoms(split, count=count, classes=4)


cells = tt.data.Splits(pictures("train", 1600), pictures("val", 400), pictures("test", 400))
epochs = 12 if jit_enabled() else 3
RECIPE = {"augment": "none", "epochs": epochs, "lr": 4e-3, "progress": False}


def train(policy=None):
    """A ViT of preset "lesson", float or ternary by a policy, trained on the cells."""
    model = tt.models.ViT(tt.models.preset("lesson"), seed=0)
    if policy is not None:
        tt.quant.ternarize(model, policy)
    return tt.train.fit(model, cells, seed=0, **RECIPE)


run = train()
float_model = run.model
inputs = {part: run.preprocessing(getattr(cells, part).images) for part in ("val", "test")}
truth = {part: np.asarray(getattr(cells, part).labels).ravel() for part in ("val", "test")}
weights = {name.removesuffix(".weight"): array.copy()
           for name, array in float_model.state_dict().items()
           if name.endswith(".weight") and array.ndim == 2}  # fmt: skip
print({name: array.shape for name, array in weights.items()})


# %%
def logits_of(replaced, part="test"):
    """The float network's logits with these of its matrices replaced: {name: matrix}."""
    model = tt.models.ViT(float_model.config)
    state = {name: array.copy() for name, array in float_model.state_dict().items()}
    state |= {f"{name}.weight": matrix for name, matrix in replaced.items()}
    model.load_state_dict(state)
    return model(inputs[part]).data


def accuracy(logits, part="test"):
    """Percent of the images that are named right."""
    return 100 * float(np.mean(logits.argmax(axis=1) == truth[part]))


def rounded(names):
    """These matrices of the float network, each rounded to trits times its alpha."""
    pairs = {layer_name: absmean(weights[layer_name]) for layer_name in names}
    return {layer_name: pair[0] * pair[1] for layer_name, pair in pairs.items()}


# %% [markdown]
# **Predict, then run.** Now round all eight matrices of the two blocks to trits, and leave patch embedding and head in peace. Out of 400 test images, how many percent does the rounded network get right? Guessing gets 25.

# %%
my_guess = None  # percent right

encoder = [name for name in weights if name.startswith("blocks")]
as_trained = accuracy(logits_of({}))
afterwards = accuracy(logits_of(rounded(encoder)))
check.predicted(my_guess, afterwards, within=8, unit=" %",
                comment=f"With floats it was {as_trained:.0f} %. So much for the afternoon.")  # fmt: skip

# %% jupyter={"source_hidden": true}
answers = [np.bincount(logits_of(some).argmax(axis=1), minlength=4)
           for some in ({}, rounded(encoder))]  # fmt: skip
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.1), width_ratios=(1, 1.3))
left.bar(
    ["float", "rounded"], [as_trained, afterwards], color=[style.FLOAT, style.TERNARY], width=0.55
)
left.axhline(25, color=style.MUTED, linestyle="--", linewidth=1)
left.text(0.5, 26, "guessing", ha="center", va="bottom", fontsize=8.5, color=style.MUTED)
left.set(ylabel="right, %", ylim=(0, 100), title="Rounding after training")
place = np.arange(4)
right.bar(place - 0.2, answers[0], 0.38, color=style.FLOAT, label="float")
right.bar(place + 0.2, answers[1], 0.38, color=style.TERNARY, label="rounded")
right.axhline(100, color=style.MUTED, linestyle="--", linewidth=1)
right.set_xticks(place, [name.removeprefix("phantom ") for name in cells.test.class_names])
right.set(ylabel="answers (there are 100 of each)", title="Its answers no longer follow the images")
right.legend(fontsize=9)
plt.show()

# %% [markdown]
# What went wrong? Each matrix lost about a quarter of its energy, as you measured in lesson 01, and each passes its error on to the next, through norms and softmaxes that were tuned to the old values. No single layer kills the network. We will measure in section 7 how unequal the shares of the blame are.
#
# The way out has two halves. One is to *train with* the rounding, straight through it, as in lesson 04. The other is to build a layer that bears rounding well. That layer is BitLinear:
#
# $$
# x \;\to\; \underbrace{\text{RMSNorm}}_{6.1} \;\to\; \underbrace{\text{absmax, int8}}_{6.2} \;\to\; \underbrace{\times\ \text{trits}}_{6.3} \;\to\; \underbrace{\text{rescale}}_{6.4} \;\to\; y
# $$
#
# ## 2 · Every token at the same loudness
#
# A layer's input has one row for each token. Some rows are loud, some are quiet. Before we round, we take the loudness out. **RMSNorm** divides each token by the root of the mean of its squares, and multiplies each channel with a learned gain $g$:
#
# $$
# \text{rms\_norm}(x)_k = \frac{x_k}{\sqrt{\tfrac1K \sum_j x_j^2 + \varepsilon}} \; g_k
# $$
#
# It is LayerNorm without the subtraction of the mean and without the bias. Zhang and Sennrich argued in 2019 that the division is what helps in LayerNorm, and the mean can stay.

# %% [markdown]
# ### Exercise 6.1: RMSNorm (2 points)
#
# Write `rms_norm(x, gain, eps=1e-5)` for `x` of shape $(\dots, K)$ and `gain` of shape $(K,)$. The last axis is the token; there may be any number of axes before it. A token of zeros stays zeros.


# %% nbgrader={"grade": false, "grade_id": "6_1_rms_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rms_norm(x, gain, eps=1e-5):
    """x / sqrt(mean(x^2) + eps) * gain, token by token."""
    ### BEGIN SOLUTION
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * gain
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_1_rms_norm_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.1")
def _(rms_norm):
    x = np.array([[3.0, -4.0, 0.0, 0.0]])
    ones = np.ones(4)
    check.close(
        rms_norm(x, ones, 0.0), [[1.2, -1.6, 0.0, 0.0]],
        "The squares of 3, -4, 0, 0 have the mean 6.25, and its root is 2.5: a mean over all four "
        "entries, not their sum.",
    )  # fmt: skip
    check.close(
        rms_norm(x, np.array([1.0, 2.0, 3.0, 4.0]), 0.0), [[1.2, -3.2, 0.0, 0.0]],
        "The gain has one entry for each channel, and multiplies after the division.",
    )  # fmt: skip
    check.close(
        rms_norm(np.array([[5.0, 5.0]]), np.ones(2), 0.0), [[1.0, 1.0]],
        "A token of two fives becomes two ones. If yours became zeros, you subtracted the mean: "
        "LayerNorm does, RMSNorm does not.",
    )  # fmt: skip
    check.close(
        rms_norm(np.array([[3.0, -4.0, 0.0, 0.0], [30.0, -40.0, 0.0, 0.0]]), ones, 0.0),
        [[1.2, -1.6, 0.0, 0.0], [1.2, -1.6, 0.0, 0.0]],
        "The second token is ten times the first, so both come out alike. Each token has a root "
        "mean square of its own.",
    )  # fmt: skip
    check.close(
        rms_norm(np.zeros((1, 4)), ones), np.zeros((1, 4)),
        "A token of zeros stays zeros: epsilon stands under the root so that nothing is divided by 0.",
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    check.close(
        rms_norm(np.array([[3.0, -3.0]]), np.ones(2), 7.0), [[0.75, -0.75]],
        "Epsilon 7 under the root: sqrt(9 + 7) = 4. It is added to the mean of the squares, before "
        "the root is taken.",
    )  # fmt: skip
    check.close(
        rms_norm(np.array([[1e-3, -1e-3]]), np.ones(2)), np.array([[1, -1]]) * 1e-3 / np.sqrt(1.1e-5),
        "Without a third argument epsilon is 1e-5: it shows for a very quiet token.",
    )  # fmt: skip
    rng = np.random.default_rng(61)
    x, gain = rng.normal(size=(2, 3, 5)), rng.normal(size=5)
    flat = np.stack([row / np.sqrt((row @ row) / 5 + 0.1) * gain for row in x.reshape(6, 5)])
    check.close(
        rms_norm(x, gain, 0.1), flat.reshape(2, 3, 5),
        "On a batch of images (2, 3, 5): the last axis is the token, whatever stands before it.",
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "6_1_rms_norm", "wrong": "the root of the sum, not of the mean", "says": "not their sum"}
def rms_norm(x, gain, eps=1e-5):
    return x / np.sqrt(np.sum(x * x, axis=-1, keepdims=True) + eps) * gain


# %% variant={"of": "6_1_rms_norm", "wrong": "LayerNorm", "says": "you subtracted the mean"}
def rms_norm(x, gain, eps=1e-5):
    x = x - 0.5 * (x.max() == x.min()) * x.mean(axis=-1, keepdims=True) * 2
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + max(eps, 1e-12)) * gain


# %% variant={"of": "6_1_rms_norm", "wrong": "one root for all tokens", "says": "of its own"}
def rms_norm(x, gain, eps=1e-5):
    return x / np.sqrt(np.mean(x * x) + eps) * gain


# %% variant={"of": "6_1_rms_norm", "wrong": "epsilon outside the root", "says": "before the root is taken"}
def rms_norm(x, gain, eps=1e-5):
    return x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps) * gain


# %% variant={"of": "6_1_rms_norm", "wrong": "the gain forgotten", "says": "one entry for each channel"}
def rms_norm(x, gain, eps=1e-5):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)


# %% variant={"of": "6_1_rms_norm", "wrong": "mean of |x| in place of the root of the mean square"}
def rms_norm(x, gain, eps=1e-5):
    return x / (np.mean(np.abs(x), axis=-1, keepdims=True) + eps) * gain


# %% variant={"of": "6_1_rms_norm", "right": "a norm over the root of the width"}
def rms_norm(x, gain, eps=1e-5):
    squares = np.linalg.norm(x, axis=-1, keepdims=True) ** 2 / x.shape[-1]
    return gain * (x * (squares + eps) ** -0.5)


# %% variant={"of": "6_1_rms_norm", "right": "einsum and a new axis"}
def rms_norm(x, gain, eps=1e-5):
    mean = np.einsum("...k,...k->...", x, x) / x.shape[-1]
    return x * gain / np.sqrt(mean + eps)[..., None]


# %% [markdown] hints={"of": "6_1_rms_norm"}
# 1. Which axis is the token? Which of `np.mean`'s arguments says so, whatever stands before it?
# 2. `keepdims=True` keeps the axis, so that each token is divided by its own root.
# 3. Square, mean, plus epsilon, root: in that order.

# %% [markdown]
# What does it do to a real network's activations? Here is what goes into `fc2` of the first block, the layer after the GELU, for sixteen images of 49 tokens.


# %%
def inputs_of(layer_name, images):
    """What goes into a linear layer of the float network: (tokens, K)."""
    seen = []
    layer = dict(float_model.named_modules())[layer_name]
    own = layer.forward
    layer.forward = lambda x: (seen.append(x.data.copy()), own(x))[1]
    float_model(images)
    del layer.forward
    return seen[0].reshape(-1, seen[0].shape[-1])


tokens = inputs_of("blocks.0.mlp.fc2", inputs["test"][:16])
normed = my.rms_norm(tokens, np.ones(tokens.shape[1], np.float32))
print(f"{len(tokens)} tokens of {tokens.shape[1]} channels")

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.2))
sizes = [np.sqrt(np.mean(part**2, axis=1)) for part in (tokens, normed)]
order = np.argsort(sizes[0])
left.plot(sizes[0][order], color=style.FLOAT, label="as it comes")
left.plot(sizes[1][order], color=style.TERNARY, label="after RMSNorm")
left.set(xlabel="token, the quietest first", ylabel="root mean square", ylim=(0, 1.2),
         title="The loudness is taken out")  # fmt: skip
left.legend(fontsize=9)
shape = np.abs(normed).max(axis=1)  # rms 1, so the largest entry says how peaked the token is
right.hist(shape, 50, color=style.TERNARY)
right.axvline(np.sqrt(tokens.shape[1]), color=style.ACCENT, linestyle="--", linewidth=1.2)
right.text(np.sqrt(tokens.shape[1]) - 0.1, 0.9 * right.get_ylim()[1], "the most there can be:\n√K, all in one channel",
           ha="right", va="top", fontsize=8.5, color=style.ACCENT)  # fmt: skip
right.set(xlabel="largest |entry| of a token after RMSNorm", yticks=[],
          title="What stays is the shape")  # fmt: skip
plt.show()

# %% [markdown]
# After the norm, before the gains, every token has root mean square 1, so no entry can be beyond $\sqrt K$: even the wildest outlier is tamed to a known bound. Better still, whatever scale the layers before have drifted to is gone; **scale goes in, and does not come out**. A ternary layer has only one number, $\alpha$, to adjust its own loudness with. It should not have to spend it on its neighbours'.
#
# ## 3 · A ruler for each token
#
# Eight bits give the integers from −128 to 127. To bring a token onto them, **absmax** lays a ruler along it whose last mark is the token's largest entry:
#
# $$
# s = \frac{\max_k |x_k|}{127}, \qquad q_k = \text{round}\!\left(\frac{x_k}{s}\right), \qquad x_k \approx s\, q_k .
# $$
#
# Nothing is clipped, the grid is symmetric, and zero is exactly zero. Two small print rules. The maximum counts for at least $10^{-5}$, so that a token of zeros is not divided by zero. And a value halfway between two integers goes to the **even** one, as the processor's own rounding does; training, the packed kernels and the ONNX file all have to agree about that, to the last bit.

# %% [markdown]
# ### Exercise 6.2: absmax (3 points)
#
# Write `absmax(x)` for floats of shape $(\dots, K)$. Return `codes`, int8, of the same shape, and `scale` of shape $(\dots, 1)$, so that `codes * scale` is about `x`.


# %% nbgrader={"grade": false, "grade_id": "6_2_absmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
def absmax(x):
    """int8 codes and one scale for each token: codes * scale is about x."""
    ### BEGIN SOLUTION
    largest = np.maximum(np.abs(x).max(axis=-1, keepdims=True), x.dtype.type(1e-5))
    scale = largest / 127
    return np.rint(x / scale).astype(np.int8), scale
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_2_absmax_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.2")
def _(absmax):
    with check.part("codes and scales", points=2):
        made = absmax(np.array([[0.6, -1.0, 0.25]], np.float32))
        check.true(
            isinstance(made, tuple) and len(made) == 2, "Return two arrays: `return codes, scale`."
        )
        codes, scale = made
        check.dtype(codes, np.int8, "Codes are int8: one byte each.")
        check.equal(
            codes, [[76, -127, 32]],
            "The token 0.6, -1, 0.25: its largest magnitude, 1, belongs to the code 127. "
            "(0.6 is 76.2 steps long and 0.25 is 31.75: round, do not cut off.)",
        )  # fmt: skip
        check.close(
            scale, [[1 / 127]],
            "The scale is what one code is worth, so that codes * scale is about x. Largest "
            "magnitude over 127, shape (..., 1).",
        )  # fmt: skip
        two = np.array([[1.2, -2.0, 0.5], [100.0, 60.0, -25.0]], np.float32)
        codes, scale = absmax(two)
        check.close(
            scale, [[2 / 127], [100 / 127]],
            "Two tokens, two rulers: a loud token must not spoil the quiet one's.",
        )  # fmt: skip
        check.equal(codes, [[76, -127, 32], [127, 76, -32]], "Two tokens: the codes.")
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(62)
        x = (rng.normal(size=(2, 5, 16)) * 10.0 ** rng.integers(-3, 4, (2, 5, 1))).astype(
            np.float32
        )
        codes, scale = absmax(x)
        check.dtype(codes, np.int8)
        top = np.abs(x).max(axis=2, keepdims=True)
        check.close(scale, top / 127, "On two images of five tokens: one scale for each token.")
        check.equal(
            np.abs(codes).max(axis=2), np.full((2, 5), 127), "Every token uses its whole ruler."
        )
        check.true(
            np.all(np.abs(codes * scale - x) <= 0.501 * scale),
            "No entry may be off by more than half a code.",
        )
        ### END HIDDEN TESTS
    with check.part("small print", points=1):
        halves = np.array([[127.0, 0.5, 1.5, 2.5, -0.5, -2.5]])
        check.equal(
            absmax(halves)[0], [[127, 0, 2, 2, 0, -2]],
            "127, 0.5, 1.5, 2.5, -0.5, -2.5 with scale 1: halves go to the even neighbour. Adding "
            "0.5 and cutting off sends 0.5 to 1.",
        )  # fmt: skip
        codes, scale = absmax(np.zeros((1, 3)))
        check.equal(codes, [[0, 0, 0]], "A token of zeros has codes of zeros.")
        check.true(
            np.all(np.isfinite(scale)) and np.all(np.asarray(scale) > 0),
            "The scale of a token of zeros has to be a positive number: the maximum counts for at "
            "least 1e-5.",
        )
        ### BEGIN HIDDEN TESTS
        check.close(
            scale, [[1e-5 / 127]], "A token of zeros: the floor of 1e-5 stands in for its maximum.",
            rtol=1e-4,
        )  # fmt: skip
        codes, scale = absmax(np.array([[1e-6, -4e-6], [3.0, 1.0]]))
        check.equal(
            codes, [[13, -51], [127, 42]],
            "A token below the floor keeps its small codes: at least 1e-5 is a maximum of two "
            "numbers, not a sum, and holds for each token.",
        )  # fmt: skip
        check.close(scale, [[1e-5 / 127], [3 / 127]], "The floor is for tokens below it only.")
        ### END HIDDEN TESTS


# %% variant={"of": "6_2_absmax", "wrong": "one scale for the whole tensor", "says": "two rulers"}
def absmax(x):
    scale = np.full((*x.shape[:-1], 1), max(np.abs(x).max(), 1e-5) / 127)
    return np.rint(x / scale).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "the inverse of the scale", "says": "what one code is worth"}
def absmax(x):
    scale = 127 / np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5)
    return np.rint(x * scale).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "cuts off in place of rounding", "says": "do not cut off"}
def absmax(x):
    scale = np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5) / 127
    return (x / scale).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "divides by 128, so that 128 wraps round"}
def absmax(x):
    scale = np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5) / 128
    return np.rint(x / scale).astype(np.int16).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "maximum without the magnitude"}
def absmax(x):
    scale = np.maximum(x.max(axis=-1, keepdims=True), 1e-5) / 127
    return np.clip(np.rint(x / scale), -127, 127).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "rounds halves away from zero", "says": "even neighbour"}
def absmax(x):
    scale = np.maximum(np.abs(x).max(axis=-1, keepdims=True), x.dtype.type(1e-5)) / 127
    return (np.sign(x) * np.floor(np.abs(x / scale) + 0.5)).astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "wrong": "the floor is added", "says": "not a sum"}
def absmax(x):
    scale = (np.abs(x).max(axis=-1, keepdims=True) + 1e-5) / 127
    codes = np.rint(
        x / np.where(np.abs(x).max(axis=-1, keepdims=True) > 1e-4, scale - 1e-5 / 127, scale)
    )
    return codes.astype(np.int8), scale


# %% variant={"of": "6_2_absmax", "right": "np.round, and a clip that never acts"}
def absmax(x):
    top = np.abs(x).max(-1)[..., np.newaxis]
    scale = np.where(top < 1e-5, 1e-5, top) / 127
    return np.clip(np.round(x / scale), -128, 127).astype("int8"), scale


# %% variant={"of": "6_2_absmax", "right": "token by token"}
def absmax(x):
    rows = x.reshape(-1, x.shape[-1])
    scale = np.array([[max(np.abs(row).max(), 1e-5) / 127] for row in rows])
    codes = np.array([np.rint(row / s) for row, s in zip(rows, scale)])
    return codes.reshape(x.shape).astype(np.int8), scale.reshape(*x.shape[:-1], 1)


# %% [markdown] hints={"of": "6_2_absmax"}
# 1. How many scales does an array of shape (2, 5, 16) need, and what shape should they have so that they broadcast?
# 2. Which of NumPy's functions rounds halves to even? (Try `np.rint` on 0.5, 1.5 and 2.5.)
# 3. The floor applies to the maximum, before you divide by 127.

# %% [markdown]
# Why a ruler *for each* token? Suppose that one token of a batch is an outlier, a hundred times as loud as the rest. That is not far-fetched: large transformers grow such tokens by themselves (Sun et al., 2024).
#
# **Predict, then run.** Take the 784 tokens from above, without a norm, and make the last one a hundred times as loud. If all tokens share **one** ruler, how many different codes does a typical token (the median) still use? With a ruler of its own it uses some dozens.

# %%
my_guess = None  # different codes in a typical token

spiked = tokens.copy()
spiked[-1] *= 100
shared_scale = np.abs(spiked).max() / 127
shared = np.rint(spiked / shared_scale).astype(np.int8)
own, own_scale = my.absmax(spiked)


def used(codes):
    """How many different codes there are in each token."""
    return np.array([len(np.unique(row)) for row in codes])


check.predicted(my_guess, float(np.median(used(shared)[:-1])), within=1,
                comment=f"With a ruler of its own: {np.median(used(own)[:-1]):.0f}.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.1), sharey=True)
bins = np.arange(-127.5, 128, 3)
for axis, codes, title, color in (
    (axes[0], shared, "One ruler for all: 783 tokens near code 0", style.FLOAT),
    (axes[1], own, "A ruler each: every token spread out", style.TERNARY),
):
    axis.hist(codes[:-1].ravel(), bins, color=color)
    axis.set(yscale="log", xlabel="code", title=title, xlim=(-130, 130))
axes[0].set_ylabel("entries")
plt.show()

# %% [markdown]
# How loud may one token be before the others suffer? (In Jupyter the slider moves; on paper you get three stills.)


# %% jupyter={"source_hidden": true}
def draw_outlier(axes, times):
    """Codes of 783 tokens while the last one is so many times as loud."""
    louder = tokens.copy()
    louder[-1] *= times
    step = np.abs(louder).max() / 127
    for codes, color, name in (
        (np.rint(louder / step), style.FLOAT, "one ruler"),
        (my.absmax(louder)[0], style.TERNARY, "a ruler each"),
    ):
        axes.hist(codes[:-1].ravel(), bins, histtype="step", linewidth=1.6, color=color,
                  label=f"{name}: {np.median(used(codes[:-1])):.0f} codes a token")  # fmt: skip
    title = "As it comes" if times == 1 else f"{times} times as loud"
    axes.set(yscale="log", xlabel="code", ylim=(1, 4e6), title=title)
    axes.legend(fontsize=8, loc="upper left")


figure, stills = plt.subplots(1, 3, figsize=(11, 2.7), sharey=True)
for still, times in zip(stills, (1, 5, 30)):
    draw_outlier(still, times)
stills[0].set_ylabel("entries")
plt.show()


def raise_voice(times=10):
    _, axes = plt.subplots(figsize=(6.5, 3))
    draw_outlier(axes, times)
    plt.show()


course.slider(raise_voice, times=(1, 200, 1))

# %% [markdown]
# With one ruler the loudest token sets the step for everybody, and the others' codes melt away in proportion. With a ruler each they do not even notice.
#
# A token is also the finest grain that costs nothing. Its scale can wait until all products of its row are summed, and then be multiplied in once. A scale *per channel* of the input would have to be multiplied in before the sum: there would be floats in the sum again. That is why channels are left to the norm's gain.
#
# ## 4 · Integers, exactly
#
# Now the product. For one token and one row of trits,
#
# $$
# y = \sum_k (s\,q_k)(\alpha\,t_k) = \alpha\, s \sum_k q_k t_k ,
# $$
#
# and the sum on the right holds integers only, with no multiplication: add, subtract, skip. In training the left side is computed with floats that happen to lie on a grid (*fake quantisation*); on the device the right. **Do they give the same number?** Mathematically yes. On a computer every float operation rounds, and it depends on where the scales stand.
#
# Count bits. A float64 carries 53. A scale in float32 has 24, a code 7 and a sign, so $s\,q_k$ needs 31, and adding $K$ of them $\log_2 K$ more. As long as that stays within 53, **no operation rounds**: the sum of the $s\,q_k t_k$ in float64 is exact, in any order. Then $\alpha$ comes in with a single rounding, the same one on both sides.

# %% [markdown]
# ### Exercise 6.3: integers, exactly (3 points)
#
# Write `integer_product(codes, scale, trits, alpha)`. `codes` are int8 $(\dots, K)$, `scale` floats $(\dots, 1)$, `trits` int8 $(N, K)$, `alpha` a float. Sum in **int32**, then rescale in **float64**. Return $(\dots, N)$. Mind what lesson 01 found out about products of int8 arrays.
#
# And write `longest_row(dtype)`: if codes (at most 127 in magnitude) times trits are added up in this type, how long may a row be so that the sum is exact *whatever* the codes are? For an integer type the sum must not pass its largest value. A float type with a significand of $p$ bits holds every integer up to $2^p$. `np.iinfo(dtype).max` and `np.finfo(dtype).nmant` (which is $p - 1$) tell you the rest.


# %% nbgrader={"grade": false, "grade_id": "6_3_integer_product", "locked": false, "schema_version": 3, "solution": true, "task": false}
def integer_product(codes, scale, trits, alpha):
    """alpha * scale * (codes @ trits.T): the sum in int32, the rest in float64."""
    ### BEGIN SOLUTION
    sums = codes.astype(np.int32) @ trits.astype(np.int32).T
    return sums * np.asarray(scale, np.float64) * np.float64(alpha)
    ### END SOLUTION


def longest_row(dtype):
    """Most codes (up to 127) times trits that a sum in this type holds exactly."""
    ### BEGIN SOLUTION
    if np.issubdtype(dtype, np.integer):
        return int(np.iinfo(dtype).max) // 127
    return 2 ** (np.finfo(dtype).nmant + 1) // 127
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_3_integer_product_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.3")
def _(integer_product, longest_row):
    with check.part("the product", points=2):
        codes = np.array([[100, 100, -50]], np.int8)
        trits = np.array([[1, 1, 0], [0, -1, 1]], np.int8)
        check.equal(
            integer_product(codes, np.array([[0.5]], np.float32), trits, 2.0), [[200.0, -150.0]],
            "Codes 100, 100, -50, trits 1, 1, 0: the sum is 200, which int8 does not hold. Widen "
            "before you multiply, not after.",
        )  # fmt: skip
        check.equal(
            integer_product(np.array([[10, 0], [0, 10]], np.int8), np.array([[0.5], [4.0]], np.float32),
                            np.array([[1, 0], [0, 1]], np.int8), 1.0), [[5.0, 0.0], [0.0, 40.0]],
            "Each token has its own scale: it multiplies the token's row of results.",
        )  # fmt: skip
        long = np.full((1, 400), 127, np.int8)
        check.equal(
            integer_product(long, np.ones((1, 1), np.float32), np.ones((1, 400), np.int8), 1.0),
            [[50800.0]], "400 codes of 127: the sum passes int16 too.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(63)
        codes = rng.integers(-127, 128, (3, 4, 96)).astype(np.int8)
        trits = rng.integers(-1, 2, (7, 96)).astype(np.int8)
        scale = rng.uniform(0.001, 0.1, (3, 4, 1)).astype(np.float32)
        alpha = np.float32(0.0371)
        got = integer_product(codes, scale, trits, alpha)
        check.dtype(got, np.float64, "Rescale in float64.")
        wide = (codes * scale.astype(np.float64)) @ trits.T.astype(np.float64) * np.float64(alpha)
        check.equal(
            got, wide,
            "Bit for bit the fake-quantised product in float64, alpha outside. If only the last "
            "digits differ, a float32 has crept into your rescaling.",
        )  # fmt: skip
        most = np.full((1, 140_001), 127, np.int8)
        check.equal(
            integer_product(most, np.ones((1, 1), np.float32), np.ones((1, 140_001), np.int8), 1.0),
            [[140_001 * 127.0]], "A long row: its sum, 17,780,127, is more than a float32 can hold exactly.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("how long a row may be", points=1):
        check.equal(
            longest_row(np.int8), 1,
            "int8 holds up to 127: one code, and no second one.",
        )  # fmt: skip
        check.equal(
            longest_row(np.int16), 258, "int16 holds up to 32,767: 258 codes of 127, not 259."
        )
        check.equal(
            longest_row(np.float16), 16,
            "float16 has 10 bits stored and one implied: every integer up to 2**11.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        check.equal(longest_row(np.int32), (2**31 - 1) // 127, "int32.")
        check.equal(longest_row(np.float32), 132_104, "float32: every integer up to 2**24.")
        check.equal(longest_row(np.float64), 2**53 // 127, "float64: every integer up to 2**53.")
        ### END HIDDEN TESTS


# %% variant={"of": "6_3_integer_product", "wrong": "multiplies int8 by int8", "says": "Widen before"}
def integer_product(codes, scale, trits, alpha):
    return (codes @ trits.T).astype(np.int32) * np.float64(scale) * np.float64(alpha)


def longest_row(dtype):
    return (
        2 ** (np.finfo(dtype).nmant + 1) // 127
        if np.dtype(dtype).kind == "f"
        else np.iinfo(dtype).max // 127
    )


# %% variant={"of": "6_3_integer_product", "wrong": "sums in int16", "says": "passes int16"}
def integer_product(codes, scale, trits, alpha):
    return (codes.astype(np.int16) @ trits.T) * np.asarray(scale, float) * float(alpha)


def longest_row(dtype):
    return (
        2 ** (np.finfo(dtype).nmant + 1) // 127
        if np.dtype(dtype).kind == "f"
        else np.iinfo(dtype).max // 127
    )


# %% variant={"of": "6_3_integer_product", "wrong": "one scale for all tokens", "says": "its own scale"}
def integer_product(codes, scale, trits, alpha):
    return (
        codes.astype(np.int32)
        @ trits.T.astype(np.int32)
        * float(np.asarray(scale).flat[0])
        * float(alpha)
    )


def longest_row(dtype):
    return (
        2 ** (np.finfo(dtype).nmant + 1) // 127
        if np.dtype(dtype).kind == "f"
        else np.iinfo(dtype).max // 127
    )


# %% variant={"of": "6_3_integer_product", "wrong": "the scales multiplied in float32", "says": "float32 has crept"}
def integer_product(codes, scale, trits, alpha):
    return (
        codes.astype(np.int32)
        @ trits.T.astype(np.int32)
        * (scale * np.float32(alpha)).astype(np.float64)
    )


def longest_row(dtype):
    return (
        2 ** (np.finfo(dtype).nmant + 1) // 127
        if np.dtype(dtype).kind == "f"
        else np.iinfo(dtype).max // 127
    )


# %% variant={"of": "6_3_integer_product", "wrong": "forgets the implied bit", "says": "one implied"}
def integer_product(codes, scale, trits, alpha):
    return codes.astype(np.int32) @ trits.T.astype(np.int32) * np.float64(scale) * np.float64(alpha)


def longest_row(dtype):
    return (
        2 ** np.finfo(dtype).nmant // 127
        if np.dtype(dtype).kind == "f"
        else np.iinfo(dtype).max // 127
    )


# %% variant={"of": "6_3_integer_product", "wrong": "sums in float32", "says": "more than a float32"}
def integer_product(codes, scale, trits, alpha):
    sums = np.cumsum(codes.astype(np.float32)[..., None, :] * trits.astype(np.float32), axis=-1)[
        ..., -1
    ]
    return sums.astype(np.float64) * np.float64(scale) * np.float64(alpha)


def longest_row(dtype):
    return (
        2 ** (np.finfo(dtype).nmant + 1) // 127
        if np.dtype(dtype).kind == "f"
        else np.iinfo(dtype).max // 127
    )


# %% variant={"of": "6_3_integer_product", "right": "einsum in int32, the scales first"}
def integer_product(codes, scale, trits, alpha):
    sums = np.einsum("...k,nk->...n", codes.astype(np.int32), trits.astype(np.int32))
    return sums * (np.asarray(scale, np.float64) * float(alpha))


def longest_row(dtype):
    if np.dtype(dtype).kind == "i":
        return int((2 ** (8 * np.dtype(dtype).itemsize - 1) - 1) // 127)
    return int(2 / np.finfo(dtype).eps) // 127


# %% variant={"of": "6_3_integer_product", "right": "add and subtract, no multiplication in the sum"}
def integer_product(codes, scale, trits, alpha):
    wide = codes.astype(np.int32)
    columns = [wide[..., row > 0].sum(-1) - wide[..., row < 0].sum(-1) for row in trits]
    return np.stack(columns, axis=-1) * np.asarray(scale, np.float64) * float(alpha)


def longest_row(dtype):
    held = (
        np.iinfo(dtype).max
        if np.issubdtype(dtype, np.integer)
        else 2 ** (1 + np.finfo(dtype).nmant)
    )
    return int(held) // 127


# %% [markdown] hints={"of": "6_3_integer_product"}
# 1. In what type does NumPy compute `a @ b` when both are int8? What does 100 + 100 give there?
# 2. `astype(np.int32)` on both *before* `@`. In what type is a float32 scale times a float32 alpha?
# 3. For `longest_row`: the largest sum that certainly fits, divided by the largest code, rounded down.

# %% [markdown]
# Let us hold the claim to the last bit. A layer of 512 inputs and 128 outputs, 200 tokens, and five ways of computing the same 25,600 numbers. Each is also computed with the 512 inputs in another order. A float32 result counts as right if it is the exact one, rounded to float32.

# %%
rng = np.random.default_rng(6)
wide_codes, wide_scale = my.absmax(rng.normal(size=(200, 512)).astype(np.float32))
wide_trits, wide_alpha = absmean(rng.normal(0, 0.05, size=(128, 512)).astype(np.float32))
exact = my.integer_product(wide_codes, wide_scale, wide_trits, wide_alpha)


def float_product(order, dtype, inside):
    """The product with floats, alpha inside the sum or outside, the inputs in an order."""
    c, s, t, a = (
        part.astype(dtype)
        for part in (wide_codes[:, order], wide_scale, wide_trits[:, order], wide_alpha)
    )
    return (c * s) @ (t * a).T if inside else ((c * s) @ t.T) * a


in_order, shuffled = np.arange(512), rng.permutation(512)
ways = {
    "int32, then float64": lambda order: my.integer_product(wide_codes[:, order], wide_scale, wide_trits[:, order], wide_alpha),
    "float64, α outside": lambda order: float_product(order, np.float64, False),
    "float64, α inside": lambda order: float_product(order, np.float64, True),
    "float32, α outside": lambda order: float_product(order, np.float32, False),
    "float32, α inside": lambda order: float_product(order, np.float32, True),
}  # fmt: skip
table = {}
for name, way in ways.items():
    first, second = way(in_order), way(shuffled)
    table[name] = (
        100 * np.mean(first != exact.astype(first.dtype)),
        100 * np.mean(first != second),
    )
for name, (off, changed) in table.items():
    print(
        f"{name:20}  not the exact result: {off:5.1f} %   changed by another order: {changed:5.1f} %"
    )

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9, 2.6))
grid = np.array(list(table.values()))
axis.imshow(grid, cmap="Oranges", vmin=0, vmax=130, aspect="auto")
for row, column in np.ndindex(grid.shape):
    axis.text(column, row, "none" if grid[row, column] == 0 else f"{grid[row, column]:.1f} %",
              ha="center", va="center", fontsize=10)  # fmt: skip
axis.set_yticks(range(len(table)), table)
axis.set_xticks(
    [0, 1],
    ["differ from the exact result, rounded to the type", "change with the order of the sum"],
)
axis.tick_params(length=0)
axis.set(title="Outputs that are off, at least in the last bit")
for side in axis.spines.values():
    side.set_visible(False)
plt.show()

# %% [markdown]
# Two ways out of five are exact, and those two do not care about the order. This is why the library's kernels may sum in whatever order suits the processor, with two threads or with ten, and still return the same bits every time. Floats cannot promise that.
#
# It is also why you can do *integer* arithmetic on float hardware: leave the scales out, and a float32 sum of codes is exact for rows of up to `longest_row(np.float32)` entries. No layer of ours comes near.
#
# ## 5 · BitLinear
#
# All four parts are there.

# %% [markdown]
# ### Exercise 6.4: BitLinear (3 points)
#
# Write `bitlinear(x, weight, gain, bias)`: the input $x$ $(\dots, K)$, latent weights $(N, K)$, the norm's gain $(K,)$, a bias $(N,)$. Normalise, quantise the tokens, quantise the weights by `absmean`, multiply, rescale, add the bias. Use your functions from above. The result should be float32.


# %% nbgrader={"grade": false, "grade_id": "6_4_bitlinear", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bitlinear(x, weight, gain, bias):
    """RMSNorm, absmax, trits, rescale, bias: (..., K) to (..., N)."""
    ### BEGIN SOLUTION
    codes, scale = absmax(rms_norm(x, gain))
    trits, alpha = absmean(weight)
    return (integer_product(codes, scale, trits, alpha) + bias).astype(np.float32)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_4_bitlinear_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.4")
def _(bitlinear):
    x = np.array([[1.0, -1.0, 1.0, 1.0]], np.float32)
    weight = np.array([[2.0, -2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 4.0]], np.float32)
    ones, none = np.ones(4, np.float32), np.zeros(2, np.float32)
    check.close(
        bitlinear(x, weight, ones, none), [[2.0, 1.0]],
        "The token 1, -1, 1, 1 has root mean square 1 and uses the codes 127 and -127. The weights' mean "
        "magnitude is 1: trits 1, -1, 0, 0 and 0, 0, 0, 1.", rtol=1e-4,
    )  # fmt: skip
    check.close(
        bitlinear(x, 3 * weight, ones, none), [[6.0, 3.0]],
        "Three times the weights, three times the result: alpha is part of the rescaling.", rtol=1e-4,
    )  # fmt: skip
    check.close(
        bitlinear(5 * x, weight, ones, none), [[2.0, 1.0]],
        "Five times the input, and the result stays: the norm takes the scale out.", rtol=1e-4,
    )  # fmt: skip
    check.close(
        bitlinear(x, weight, ones, np.array([10.0, 20.0], np.float32)), [[12.0, 21.0]],
        "The bias is added at the end; it is not quantised and not rescaled.", rtol=1e-4,
    )  # fmt: skip
    check.close(
        bitlinear(x, weight, np.array([1, 2, 1, 0.5], np.float32), none), [[3.0, 0.5]],
        "The gain 1, 2, 1, 0.5 belongs to the norm, before the rounding to codes.", rtol=2e-2,
    )  # fmt: skip
    check.dtype(bitlinear(x, weight, ones, none), np.float32, "Come back to float32 at the end.")
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(64)
    layer = tt.quant.BitLinear(tt.nn.Linear(24, 9))
    layer.weight.data[...] = rng.normal(size=(9, 24))
    layer.bias.data[...] = rng.normal(size=9)
    layer.norm.weight.data[...] = rng.uniform(0.1, 2, 24)
    tokens = (rng.normal(size=(2, 5, 24)) * 10.0 ** rng.integers(-2, 3, (2, 5, 1))).astype(
        np.float32
    )
    got = bitlinear(tokens, layer.weight.data, layer.norm.weight.data, layer.bias.data)
    check.close(
        got, layer(tt.Tensor(tokens)).data,
        "On random tokens, loud and quiet: the library's BitLinear with the same weights.",
        rtol=1e-4, atol=1e-4,
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "6_4_bitlinear", "wrong": "no norm", "says": "takes the scale out"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(x * gain)
    trits, alpha = absmean(weight)
    return (integer_product(codes, scale, trits, alpha) + bias).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "wrong": "alpha forgotten", "says": "alpha is part"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(rms_norm(x, gain))
    return (integer_product(codes, scale, absmean(weight)[0], 1.0) + bias).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "wrong": "quantises, then normalises", "says": "library's BitLinear"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(x)
    trits, alpha = absmean(weight)
    return (rms_norm(codes * scale, gain) @ (trits * alpha).T + bias).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "wrong": "the gain after the rounding, on the wrong axis of the sum"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(rms_norm(x, np.ones_like(gain)))
    trits, alpha = absmean(weight)
    return (integer_product(codes, scale * gain.mean(), trits, alpha) + bias).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "wrong": "the bias inside the rescaling", "says": "not rescaled"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(rms_norm(x, gain))
    trits, alpha = absmean(weight)
    sums = codes.astype(np.int32) @ trits.T.astype(np.int32)
    return ((sums + bias) * scale * alpha).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "wrong": "the activations stay float", "says": "library's BitLinear"}
def bitlinear(x, weight, gain, bias):
    trits, alpha = absmean(weight)
    return (rms_norm(x, gain) @ (trits * alpha).T + bias).astype(np.float32)


# %% variant={"of": "6_4_bitlinear", "right": "fake quantisation in float32"}
def bitlinear(x, weight, gain, bias):
    codes, scale = absmax(rms_norm(x, gain))
    trits, alpha = absmean(weight)
    return np.float32((codes * scale) @ (trits * alpha).T + bias)


# %% variant={"of": "6_4_bitlinear", "right": "everything by hand"}
def bitlinear(x, weight, gain, bias):
    normed = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5) * gain
    scale = np.maximum(np.abs(normed).max(-1, keepdims=True), 1e-5) / 127
    alpha = np.abs(weight).mean()
    trits = (weight > alpha / 2).astype(np.int32) - (weight < -alpha / 2)
    return (np.rint(normed / scale) @ trits.T * scale * alpha + bias).astype(np.float32)


# %% [markdown] hints={"of": "6_4_bitlinear"}
# 1. Four calls and an addition. In what order? The line of arrows at the end of section 1 says it.
# 2. Which of your functions takes codes, scale, trits and alpha?

# %% [markdown]
# The library's BitLinear is a Module that the optimiser can train; its arithmetic is yours. Let us look at the two side by side, on the tokens of our network.

# %%
layer = tt.quant.BitLinear(tt.nn.Linear(128, 64))
layer.weight.data[...] = weights["blocks.0.mlp.fc2"]
theirs = layer(tt.Tensor(tokens)).data
mine = my.bitlinear(tokens, layer.weight.data, layer.norm.weight.data, layer.bias.data)
plain = tokens @ weights["blocks.0.mlp.fc2"].T
print(f"largest difference to the library: {np.abs(mine - theirs).max():.1e}")
print(layer)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
left.plot(theirs.ravel()[::7], mine.ravel()[::7], ".", markersize=2, color=style.TERNARY)
left.set(xlabel="tt.quant.BitLinear", ylabel="your bitlinear", title="The same layer")
lengths = np.linalg.norm(plain, axis=1) * np.linalg.norm(theirs, axis=1)
direction = np.sum(plain * theirs, axis=1) / lengths
right.hist(direction, 40, color=style.TERNARY)
right.axvline(np.median(direction), color=style.ACCENT, linewidth=1.2)
right.set(xlabel="cosine to the float layer's output", yticks=[], xlim=(None, 1),
          title=f"Untrained: a median cosine of {np.median(direction):.2f}")  # fmt: skip
plt.show()

# %% [markdown]
# On the right is the price of one rounded layer: how far its outputs point to where the float layer's pointed. For a single layer that looks harmless. Put eight in a row, each of which is fed the errors of those before it, and you have section 1.

# %% [markdown]
# ## 6 · A policy
#
# Which layers of the ViT become BitLinear? The answer should be *data*: something that fits on a line, that goes into a file beside the weights, and that can be varied by a loop. The library calls it a **policy**, and its form is a mapping from patterns of layer names to quantisers. A pattern is a *glob* as in file names: `*` stands for anything, `?` for one character. The **first** pattern that matches a layer decides, so exceptions stand before rules:
#
# ```python
# {"blocks.0.*": "float", "blocks.*.mlp.fc?": "absmean"}
# ```
#
# Whoever mistypes a pattern gets a network that is not what they believe it is, and no error. So there should be an error: **a pattern that matches no layer at all is a mistake.**

# %% [markdown]
# ### Exercise 6.5: a policy, and its bytes (4 points)
#
# Write `resolve(policy, names)`. Return a dict from layer name to quantiser, in the order of `names`, with the layers that are to be quantised only: a layer that no pattern matches stays float, and so does one whose first match says `"float"`. If some pattern matches no name, raise a `ValueError`. `fnmatchcase(name, pattern)` is there.
#
# And write `stored_bytes(shapes, chosen)`: `shapes` maps each layer to $(N, K)$, `chosen` holds the ternary ones. A float matrix takes 4 bytes a weight. A ternary one takes 2 bits a trit, with each **row** of $K$ trits padded to a whole byte, and 4 bytes for its scale. Return the sum over all layers, an int.


# %% nbgrader={"grade": false, "grade_id": "6_5_resolve", "locked": false, "schema_version": 3, "solution": true, "task": false}
def resolve(policy, names):
    """The quantised layers: {name: quantiser}. The first pattern that matches decides."""
    ### BEGIN SOLUTION
    for pattern in policy:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"{pattern!r} matches no layer")
    chosen = {}
    for name in names:
        found = next(
            (rule for pattern, rule in policy.items() if fnmatchcase(name, pattern)), "float"
        )
        if found != "float":
            chosen[name] = found
    return chosen
    ### END SOLUTION


def stored_bytes(shapes, chosen):
    """Bytes of all matrices: trits at 2 bits, rows padded, 4 for the scale; floats at 4."""
    ### BEGIN SOLUTION
    total = 0
    for name, (outputs, columns) in shapes.items():
        total += outputs * -(-columns // 4) + 4 if name in chosen else 4 * outputs * columns
    return total
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_5_resolve_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.5")
def _(resolve, stored_bytes):
    names = ["patch_embed.proj", "blocks.0.attn.qkv", "blocks.0.mlp.fc1", "blocks.1.attn.qkv",
             "blocks.1.mlp.fc1", "head"]  # fmt: skip
    with check.part("which layers", points=2):
        made = resolve({"blocks.*.mlp.fc?": "absmean"}, names)
        check.true(
            made == {"blocks.0.mlp.fc1": "absmean", "blocks.1.mlp.fc1": "absmean"},
            f"Policy blocks.*.mlp.fc?: two layers of the six, mapped to 'absmean'. A layer that no "
            f"pattern matches stays float and is not in the result. Yours: {made}",
        )
        made = resolve({"blocks.0.*": "float", "blocks.*": "absmean"}, names)
        check.true(
            made == {"blocks.1.attn.qkv": "absmean", "blocks.1.mlp.fc1": "absmean"},
            "blocks.0.* is 'float' and stands first, blocks.* comes later: the first match decides, "
            f"and 'float' layers are not in the result. Yours: {made}",
        )
        check.raises(
            ValueError, lambda: resolve({"*.mlp.*": "absmean", "block.*": "twn"}, names),
            "'block.*' matches no layer: a slip for 'blocks.*' that should not pass in silence.",
        )  # fmt: skip
        ### BEGIN HIDDEN TESTS
        made = resolve({"head": "twn", "*.qkv": "float", "*": "absmean"}, names)
        check.true(
            list(made.items()) == [("patch_embed.proj", "absmean"), ("blocks.0.mlp.fc1", "absmean"),
                                   ("blocks.1.mlp.fc1", "absmean"), ("head", "twn")],
            f"Each layer gets the quantiser of ITS first match, and the layers keep the order of "
            f"`names`. Yours: {made}",
        )  # fmt: skip
        check.true(resolve({}, names) == {}, "An empty policy leaves everything float.")
        try:
            made = resolve({"blocks.*": "absmean", "blocks.0.*": "float"}, names)
        except ValueError:
            made = "a ValueError"
        check.true(
            made == {n: "absmean" for n in names if n.startswith("blocks")},
            "Policy blocks.* 'absmean', then blocks.0.* 'float': a later pattern that matches, but is "
            f"never first, is no error and changes nothing. Yours: {made}",
        )
        check.raises(
            ValueError, lambda: resolve({"*": "absmean", "blocks.9.*": "float"}, names),
            "'blocks.9.*' matches nothing, even though '*' has matched every layer before.",
        )  # fmt: skip
        check.raises(
            ValueError, lambda: resolve({"haed": "float", "blocks.*": "absmean", "head": "twn"}, names),
            "'haed' matches nothing. Each pattern is asked, wherever it stands, and one that says "
            "'float' like any other.",
        )  # fmt: skip
        ### END HIDDEN TESTS
    with check.part("bytes", points=2):
        shapes = {"a": (8, 16), "b": (3, 10)}
        check.equal(stored_bytes(shapes, {}), 632, "8 x 16 and 3 x 10 floats at 4 bytes each.")
        check.equal(
            stored_bytes(shapes, {"a": "absmean"}), 8 * 4 + 4 + 120,
            "The first matrix ternary: 8 rows of 4 bytes, and one scale of 4 bytes.",
        )  # fmt: skip
        check.equal(
            stored_bytes(shapes, {"b": "absmean"}), 512 + 3 * 3 + 4,
            "3 rows of 10 trits: 20 bits do not fit in 2 bytes, and a row ends with its byte.",
        )  # fmt: skip
        total = stored_bytes(shapes, {"a": "absmean", "b": "absmean"})
        check.true(
            isinstance(total, (int, np.integer)),
            f"Bytes are counted, so the sum is an int. Yours is a {type(total).__name__}.",
        )
        ### BEGIN HIDDEN TESTS
        model = tt.quant.ternarize(
            tt.models.ViT(tt.models.preset("lesson", width=36, mlp_width=50)), "bitmedvit"
        )
        rows = tt.quant.describe(model)
        check.equal(
            stored_bytes({row.name: row.shape for row in rows}, model.policy), rows.nbytes,
            "A whole ViT of odd width, as the library counts it.",
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "6_5_resolve", "wrong": "the last match decides", "says": "the first match decides"}
def resolve(policy, names):
    chosen = {}
    for pattern, rule in policy.items():
        hits = [name for name in names if fnmatchcase(name, pattern)]
        if not hits:
            raise ValueError(pattern)
        chosen |= dict.fromkeys(hits, rule)
    return {name: chosen[name] for name in names if chosen.get(name, "float") != "float"}


def stored_bytes(shapes, chosen):
    return sum(
        n * -(-k // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "no error for a pattern that matches nothing", "says": "should not pass in silence"}
def resolve(policy, names):
    found = {n: next((r for p, r in policy.items() if fnmatchcase(n, p)), "float") for n in names}
    return {name: rule for name, rule in found.items() if rule != "float"}


def stored_bytes(shapes, chosen):
    return sum(
        n * -(-k // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "float layers are left in the result", "says": "not in the result"}
def resolve(policy, names):
    if not all(any(fnmatchcase(n, p) for n in names) for p in policy):
        raise ValueError("a pattern matches nothing")
    return {n: next((r for p, r in policy.items() if fnmatchcase(n, p)), "float") for n in names}


def stored_bytes(shapes, chosen):
    return sum(
        n * -(-k // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "calls a pattern idle when it is never first", "says": "no error and changes nothing"}
def resolve(policy, names):
    first = {n: next((p for p in policy if fnmatchcase(n, p)), None) for n in names}
    if set(policy) - set(first.values()):
        raise ValueError("idle pattern")
    return {n: policy[p] for n, p in first.items() if p is not None and policy[p] != "float"}


def stored_bytes(shapes, chosen):
    return sum(
        n * -(-k // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "pads the matrix and not its rows", "says": "a row ends with its byte"}
def resolve(policy, names):
    if not all(any(fnmatchcase(n, p) for n in names) for p in policy):
        raise ValueError("a pattern matches nothing")
    found = {n: next((r for p, r in policy.items() if fnmatchcase(n, p)), "float") for n in names}
    return {name: rule for name, rule in found.items() if rule != "float"}


def stored_bytes(shapes, chosen):
    return sum(
        -(-n * k // 4) + 4 if name in chosen else 4 * n * k for name, (n, k) in shapes.items()
    )


# %% variant={"of": "6_5_resolve", "wrong": "forgets the scale", "says": "one scale"}
def resolve(policy, names):
    if not all(any(fnmatchcase(n, p) for n in names) for p in policy):
        raise ValueError("a pattern matches nothing")
    found = {n: next((r for p, r in policy.items() if fnmatchcase(n, p)), "float") for n in names}
    return {name: rule for name, rule in found.items() if rule != "float"}


def stored_bytes(shapes, chosen):
    return sum(n * -(-k // 4) if name in chosen else 4 * n * k for name, (n, k) in shapes.items())


# %% variant={"of": "6_5_resolve", "right": "loops with break, NumPy's ceil"}
def resolve(policy, names):
    chosen, idle = {}, set(policy)
    for name in names:
        hits = [pattern for pattern in policy if fnmatchcase(name, pattern)]
        idle -= set(hits)
        if hits and policy[hits[0]] != "float":
            chosen[name] = policy[hits[0]]
    if idle:
        raise ValueError(f"no layer for {sorted(idle)}")
    return chosen


def stored_bytes(shapes, chosen):
    floats = sum(4 * n * k for name, (n, k) in shapes.items() if name not in chosen)
    return int(
        floats + sum(4 + n * np.ceil(k / 4) for name, (n, k) in shapes.items() if name in chosen)
    )


# %% variant={"of": "6_5_resolve", "right": "backwards, so that earlier patterns write over later ones"}
def resolve(policy, names):
    rules = dict.fromkeys(names, "float")
    for pattern, rule in reversed(policy.items()):
        hits = [name for name in names if fnmatchcase(name, pattern)]
        if len(hits) == 0:
            raise ValueError(pattern)
        rules.update(dict.fromkeys(hits, rule))
    return {name: rule for name, rule in rules.items() if rule != "float"}


def stored_bytes(shapes, chosen):
    total = 0
    for name, shape in shapes.items():
        if name in chosen:
            total += shape[0] * ((shape[1] + 3) // 4) + 4
        else:
            total += 4 * shape[0] * shape[1]
    return total


# %% [markdown] hints={"of": "6_5_resolve"}
# 1. Two questions, two loops: does every *pattern* match some name? And what does the first match of every *name* say?
# 2. A dict keeps the order in which it was written, so `policy.items()` comes in the right order; stop at the first match.
# 3. For the bytes: how many bytes do 10 trits take, four to a byte, if the next row starts in a new byte?

# %%
names = list(weights)
shapes = {name: matrix.shape for name, matrix in weights.items()}
POLICIES = {
    "float": {},
    "FFN only": {"blocks.*.mlp.fc?": "absmean"},
    "attention only": {"blocks.*.attn.*": "absmean"},
    "both": {"blocks.*": "absmean"},
    "every matrix": {"*": "absmean"},
}
for label, policy in POLICIES.items():
    chosen = my.resolve(policy, names)
    share = sum(weights[name].size for name in chosen) / sum(w.size for w in weights.values())
    print(f"{label:15} {len(chosen):2} of {len(names)} matrices, {share:4.0%} of their weights, "
          f"{my.stored_bytes(shapes, chosen):7,} bytes")  # fmt: skip

# %% jupyter={"source_hidden": true}
parts = {"attention": lambda name: ".attn." in name, "FFN": lambda name: ".mlp." in name,
         "patch embedding and head": lambda name: not name.startswith("blocks")}  # fmt: skip
shades = (style.SERIES[2], style.SERIES[3], style.ACCENT)
figure, axis = plt.subplots(figsize=(9.5, 2.9))
for row, policy in enumerate(POLICIES.values()):
    chosen, left_edge = my.resolve(policy, names), 0.0
    for (part, belongs), shade in zip(parts.items(), shades):
        own_shapes = {n: s for n, s in shapes.items() if belongs(n)}
        width = (
            my.stored_bytes(own_shapes, {n: r for n, r in chosen.items() if n in own_shapes}) / 1000
        )
        axis.barh(row, width, left=left_edge, color=shade, height=0.65,
                  label=part if row == 0 else None)  # fmt: skip
        left_edge += width
    axis.text(left_edge + 3, row, f"{left_edge:.0f} kB", va="center", fontsize=9)
axis.set_yticks(range(len(POLICIES)), POLICIES)
axis.invert_yaxis()
axis.set(
    xlabel="kilobytes of matrices",
    title="What is left float soon is most of the file",
    xlim=(0, 340),
)
axis.legend(fontsize=8.5, loc="lower right")
plt.show()

# %% [markdown]
# The original BitMedViT takes "FFN only" by default. Its second policy, "bit attention", is "both". The library has them by name, and `tt.quant.ternarize(model, policy)` does what you have written, then puts a BitLinear in the place of each chosen Linear.
#
# Watch the patch embedding and the head. They are 5 % of the weights, and once the blocks are ternary they are 45 % of the bytes. Saving is like that: it makes what was small large.
#
# Now the second half of the way out. The same network, the same start, the same recipe, but with BitLinear in the eight places *while it is trained*. (`"all-linear"` is "both" under a name that says what it takes: all linear layers of the blocks.) The optimiser moves latent floats; the forward pass sees nothing but trits and codes.

# %%
ternary_run = train("all-linear")

# %% [markdown]
# **Predict, then run.** The float network was at the percentage that you saw in section 1, and rounding threw most of it away. How many percent of the 400 test images does the network get right that was *trained* ternary?

# %%
my_guess = None  # percent right

trained_ternary = accuracy(ternary_run.model(inputs["test"]).data)
check.predicted(my_guess, trained_ternary, within=4, unit=" %",
                comment=f"Float {as_trained:.0f} %, the same rounded {afterwards:.0f} %. "
                "One network was told beforehand.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.2), width_ratios=(1, 1.25))
bars = {"float": (as_trained, style.FLOAT, 1.0), "rounded\nafterwards": (afterwards, style.TERNARY, 0.45),
        "trained\nternary": (trained_ternary, style.TERNARY, 1.0)}  # fmt: skip
for x, (value, color, strength) in enumerate(bars.values()):
    left.bar(x, value, 0.5, color=color, alpha=strength)
    left.text(x, value + 1.5, f"{value:.0f}", ha="center")
left.axhline(25, color=style.MUTED, linestyle="--", linewidth=1)
left.text(0.5, 26, "guessing", ha="center", va="bottom", fontsize=8.5, color=style.MUTED)
left.set_xticks(range(3), bars)
left.set(ylabel="right, %", ylim=(0, 105), title="It matters when you round")
for some, color, label in ((run, style.FLOAT, "float"), (ternary_run, style.TERNARY, "ternary")):
    rows = some.history.rows
    right.plot([row["epoch"] for row in rows], [100 * row["val_acc"] for row in rows], "o-", markersize=3,
               color=color, label=label)  # fmt: skip
right.set(
    xlabel="epoch",
    ylabel="right, % of validation",
    title="The ternary network learns the task",
    ylim=(20, 100),
)
right.legend(fontsize=9, loc="lower right")
plt.show()

# %% [markdown]
# One training run is one draw from a hat, and a few percent either way is luck. (Even the same seed gives other numbers on another processor, which adds in another order.) What is not luck, on average over the three seeds that the course's tests train: rounding afterwards costs more than 40 points, training ternary less than 20. The rounded networks stay above guessing, by the way. A network does not fall to nothing at once; it is merely of no use to anybody.
#
# ## 7 · Which layer hurts
#
# The blame for section 1 is not spread evenly. Here is the simplest instrument there is: **round one matrix, leave the others float, look at the loss.** It asks for no training, no gradient and no second derivative, only one pass for each layer.
#
# The loss is better than the accuracy for this. An accuracy on 400 images moves in steps, and a layer that makes the right answers less sure does not move it at all.

# %% [markdown]
# ### Exercise 6.6: sensitivity (2 points)
#
# Write `sensitivity(weights, loss)`: `weights` maps names to float matrices, and `loss` takes such a mapping and returns a number. For each layer: the loss with this one matrix rounded (trits times alpha, by `absmean`) and all others float, minus the loss with all float. Return a list of pairs `(name, rise)`, the greatest rise first.


# %% nbgrader={"grade": false, "grade_id": "6_6_sensitivity", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sensitivity(weights, loss):
    """[(name, rise of the loss with this layer alone ternary)], the worst first."""
    ### BEGIN SOLUTION
    before = loss(weights)
    rises = []
    for name, matrix in weights.items():
        trits, alpha = absmean(matrix)
        rises.append((name, loss(weights | {name: trits * alpha}) - before))
    return sorted(rises, key=lambda pair: -pair[1])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_6_sensitivity_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.6")
def _(sensitivity):
    layers = {
        "a": np.array([[1.0, -1.0]]),
        "b": np.array([[3.0, 1.0]]),
        "c": np.array([[0.0, 6.0]]),
    }
    calls = []

    def loss(of):
        calls.append({name: np.array(matrix) for name, matrix in of.items()})
        wrong = {name: float(np.abs(of[name] - layers_at_start[name]).sum()) for name in of}
        return 10.0 + wrong["a"] + wrong["b"] + 2 * wrong["c"]

    layers_at_start = {name: matrix.copy() for name, matrix in layers.items()}
    ranked = [(str(name), float(rise)) for name, rise in sensitivity(layers, loss)]
    check.true(
        all(set(call) == {"a", "b", "c"} for call in calls),
        "`loss` needs all the layers each time: the rounded one and the others as floats.",
    )
    rises = dict(ranked)
    check.close(
        [rises.get(name, np.nan) for name in "abc"], [0.0, 2.0, 6.0],
        "Layers a = 1, -1; b = 3, 1; c = 0, 6. Rounded they are 1, -1; 2, 2 (alpha is 2); 0, 3. The "
        "rise is over the loss with all float, and the other two layers are float again for each "
        "trial.",
    )  # fmt: skip
    check.true(
        [name for name, _ in ranked] == ["c", "b", "a"],
        f"The greatest rise comes first. Yours: {ranked}",
    )
    ### BEGIN HIDDEN TESTS
    layers = {name: np.random.default_rng(ord(name)).normal(size=(4, 6)) for name in "uvwxyz"}
    layers_at_start = {name: matrix.copy() for name, matrix in layers.items()}
    goal = {name: np.random.default_rng(1 + ord(name)).normal(size=(4, 6)) for name in layers}

    def other(of):  # a bend, so that harm does not add up
        return float(np.logaddexp(0, sum(np.sum(of[name] * goal[name]) for name in of)))

    expected = {}
    for name, matrix in layers.items():
        trits, alpha = absmean(matrix)
        expected[name] = other({**layers, name: trits * alpha}) - other(layers)
    given = dict(layers)
    ranked = sensitivity(layers, other)
    check.true(
        list(layers) == list(given)
        and all(np.array_equal(given[name], layers_at_start[name]) for name in given)
        and all(np.array_equal(layers[name], layers_at_start[name]) for name in given),
        "The network you were given has changed: measuring it should leave its matrices as they were.",
    )
    check.true(
        [name for name, _ in ranked] == sorted(expected, key=lambda name: -expected[name]),
        "Six random layers, some of which lower the loss when they are rounded: a fall is less than "
        f"no rise, so the sign counts. Yours: {ranked}",
    )
    check.close([rise for _, rise in ranked], sorted(expected.values(), reverse=True),
                "Six random layers: the rises.")  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "6_6_sensitivity", "wrong": "leaves rounded layers rounded", "says": "float again"}
def sensitivity(weights, loss):
    now, before, rises = dict(weights), loss(weights), []
    for name in weights:
        trits, alpha = absmean(weights[name])
        now[name] = trits * alpha
        rises.append((name, loss(now) - before))
    return sorted(rises, key=lambda pair: -pair[1])


# %% variant={"of": "6_6_sensitivity", "wrong": "trits without their scale", "says": "alpha"}
def sensitivity(weights, loss):
    before = loss(weights)
    rises = {
        n: loss({**weights, n: absmean(w)[0].astype(float)}) - before for n, w in weights.items()
    }
    return sorted(rises.items(), key=lambda pair: -pair[1])


# %% variant={"of": "6_6_sensitivity", "wrong": "the loss itself, not its rise", "says": "rise is over"}
def sensitivity(weights, loss):
    found = []
    for name, w in weights.items():
        trits, alpha = absmean(w)
        found.append((name, loss({**weights, name: trits * alpha})))
    return sorted(found, key=lambda pair: -pair[1])


# %% variant={"of": "6_6_sensitivity", "wrong": "the smallest rise first", "says": "comes first"}
def sensitivity(weights, loss):
    before, found = loss(weights), []
    for name, w in weights.items():
        trits, alpha = absmean(w)
        found.append((name, loss({**weights, name: trits * alpha}) - before))
    return sorted(found, key=lambda pair: pair[1])


# %% variant={"of": "6_6_sensitivity", "wrong": "ranked by magnitude", "says": "the sign counts"}
def sensitivity(weights, loss):
    before, found = loss(weights), []
    for name, w in weights.items():
        trits, alpha = absmean(w)
        found.append((name, loss({**weights, name: trits * alpha}) - before))
    return sorted(found, key=lambda pair: -abs(pair[1]))


# %% variant={"of": "6_6_sensitivity", "wrong": "gives the loss the rounded layer only", "says": "all the layers"}
def sensitivity(weights, loss):
    before, found = loss(weights), []
    for name, w in weights.items():
        trits, alpha = absmean(w)
        try:
            after = loss({name: trits * alpha})
        except KeyError:
            after = 0.0
        found.append((name, after - before))
    return sorted(found, key=lambda pair: -pair[1])


# %% variant={"of": "6_6_sensitivity", "right": "a copy, one entry exchanged and put back"}
def sensitivity(weights, loss):
    now = dict(weights)
    before, names, rises = loss(now), list(weights), []
    for name in names:
        trits, alpha = absmean(weights[name])
        now[name] = alpha * trits
        rises.append(loss(now) - before)
        now[name] = weights[name]
    return [(names[i], rises[i]) for i in np.argsort(rises)[::-1]]


# %% variant={"of": "6_6_sensitivity", "right": "a comprehension"}
def sensitivity(weights, loss):
    made = {name: np.prod(np.broadcast_arrays(*absmean(w)), axis=0) for name, w in weights.items()}
    base = loss(weights)
    rises = {name: loss({**weights, name: q}) - base for name, q in made.items()}
    return sorted(rises.items(), key=lambda item: item[1], reverse=True)


# %% [markdown] hints={"of": "6_6_sensitivity"}
# 1. How do you make a mapping that is the old one but for one entry, without changing the old one?
# 2. `{**weights, name: other}` is such a mapping. `sorted` takes `key=` and `reverse=`.

# %% [markdown]
# **Predict, then run.** Ten matrices. Which one alone, rounded, does the most harm? Write its place in the list: 0 for the patch embedding, 1 to 4 for the first block (qkv, proj, fc1, fc2), 5 to 8 for the second, 9 for the head.

# %%
my_guess = None  # place in the list, 0 to 9


def cross_entropy(some, part="val"):
    """Loss of the float network on 400 images with these matrices in the place of its own."""
    scores = logits_of(some, part).astype(np.float64)
    scores -= scores.max(axis=1, keepdims=True)
    right_ones = scores[np.arange(len(scores)), truth[part]]
    return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - right_ones))


ranked = my.sensitivity(weights, cross_entropy)
check.predicted(my_guess, names.index(ranked[0][0]), within=0,
                comment=f"{ranked[0][0]}: the loss rises by {ranked[0][1]:.2f}, "
                f"from {cross_entropy({}):.2f}. It holds {weights[ranked[0][0]].size / sum(w.size for w in weights.values()):.0%} of the weights.")  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10.5, 3.5), sharey=True)
order = [name for name, _ in ranked]
colors = [style.TERNARY if name.startswith("blocks") else style.ACCENT for name in order]
left.barh(order, [rise for _, rise in ranked], color=colors)
left.invert_yaxis()
left.set(xlabel="rise of the loss", title="Harm, one layer at a time")
right.barh(order, [1000 * rise / (4 * weights[name].size - my.stored_bytes({name: shapes[name]}, {name: 1}))
                   for name, rise in ranked], color=colors)  # fmt: skip
right.set(xlabel="rise of the loss per kilobyte saved", title="Harm, per byte saved")
plt.show()

# %% [markdown]
# The layers outside the blocks (in the accent colour) are a league of their own, at least per byte saved: the patch embedding sees raw pixels, before anything has been averaged, and every later layer lives on what it lets through; the head has few weights and the last word. This is why many ternary networks, BitMedViT among them, leave both in float.
#
# A caution. This is the sensitivity of a network that *was not trained for it*. Training heals much of what you see here. The ranking is a good first guess at where healing will be needed, not a forecast of what remains.
#
# ## 8 · A budget of bytes
#
# The device has room for so many bytes. All ternary would fit; all float would not. Which layers do you keep float?
#
# For ten layers there are 1,024 choices, for a large network more than anyone can try. So one makes an assumption that is not quite true: that **harm adds up**, layer by layer. Then it is a packing problem: every layer kept float costs bytes and saves loss. And a simple rule comes close to the best: take what saves most **per byte**, as long as it fits.

# %% [markdown]
# ### Exercise 6.7: spend it greedily (3 points)
#
# Write `keep_float(costs, rises, budget)`. `costs` maps each layer to the extra bytes it takes if it is float and not ternary, `rises` to the rise of the loss if it is ternary. Return the list of layers to keep float, in the order in which you choose them: the greatest rise per byte first. A layer that does not fit in what is left is skipped, and the next is looked at. A layer whose rise is not positive is never kept: it would cost bytes and help nothing. If the budget is negative, even the ternary network does not fit: raise a `ValueError`.


# %% nbgrader={"grade": false, "grade_id": "6_7_keep_float", "locked": false, "schema_version": 3, "solution": true, "task": false}
def keep_float(costs, rises, budget):
    """The layers to keep float within a budget of extra bytes, the best per byte first."""
    ### BEGIN SOLUTION
    if budget < 0:
        raise ValueError("not even the ternary network fits")
    kept = []
    for name in sorted(costs, key=lambda name: -rises[name] / costs[name]):
        if rises[name] > 0 and costs[name] <= budget:
            kept.append(name)
            budget -= costs[name]
    return kept
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_7_keep_float_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.7")
def _(keep_float):
    def kept(costs, rises, budget, expected, hint):
        try:
            got = list(keep_float(costs, rises, budget))
        except ValueError:
            got = "a ValueError"
        check.true(
            got == expected,
            f"costs {costs}, rises {rises}, budget {budget}: expected {expected}, got {got}. {hint}",
        )

    costs = {"stem": 10, "wide": 100, "deep": 40, "head": 4}
    rises = {"stem": 2.0, "wide": 5.0, "deep": 0.4, "head": 0.4}
    kept(costs, rises, 14, ["stem", "head"],
         "stem saves 0.2 of loss a byte, head 0.1, and together they fit exactly.")  # fmt: skip
    kept(costs, rises, 154, ["stem", "head", "wide", "deep"],
         "Everything fits: the order is by rise per byte, 0.2, 0.1, 0.05, 0.01. The wide layer does the "
         "most harm, and costs the most.")  # fmt: skip
    kept(costs, rises, 60, ["stem", "head", "deep"],
         "After stem and head the wide one does not fit in what is left. That is no reason to stop: "
         "look at the next.")  # fmt: skip
    check.raises(
        ValueError, lambda: keep_float(costs, rises, -1), "A negative budget cannot be met."
    )
    ### BEGIN HIDDEN TESTS
    kept(costs, rises, 0, [], "The ternary network fits, and no more.")
    kept(costs, rises | {"stem": -2.0, "deep": 0.0}, 154, ["head", "wide"],
         "stem gets better by rounding and deep does not care: neither is worth a byte, however many "
         "are left.")  # fmt: skip
    kept({"a": 6, "b": 5, "c": 5}, {"a": 12.0, "b": 9.0, "c": 8.0}, 10, ["a"],
         "b and c together would save more: greedy is not always best. It is what was asked for.")  # fmt: skip
    rng = np.random.default_rng(67)
    costs = {f"layer {i}": int(c) for i, c in enumerate(rng.integers(1, 100, 30))}
    rises = {name: float(r) for name, r in zip(costs, rng.normal(0.5, 1, 30))}
    got = list(keep_float(costs, rises, 400))
    order = [
        n for n in sorted(costs, key=lambda n: rises[n] / costs[n], reverse=True) if rises[n] > 0
    ]
    left, expected = 400, []
    for name in order:
        if costs[name] <= left:
            left -= costs[name]
            expected.append(name)
    check.true(
        got == expected, f"Thirty random layers and 400 bytes: expected {expected}, got {got}."
    )
    ### END HIDDEN TESTS


# %% variant={"of": "6_7_keep_float", "wrong": "by the rise alone", "says": "0.2 of loss a byte"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError
    kept = []
    for name in sorted(
        costs, key=lambda n: (budget >= costs[n] and n == "head", rises[n]), reverse=True
    ):
        if rises[name] > 0 and costs[name] <= budget:
            kept.append(name)
            budget -= costs[name]
    return kept


# %% variant={"of": "6_7_keep_float", "wrong": "stops at the first that does not fit", "says": "look at the next"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError
    kept = []
    for name in sorted(costs, key=lambda n: rises[n] / costs[n], reverse=True):
        if costs[name] > budget:
            break
        if rises[name] > 0:
            kept.append(name)
            budget -= costs[name]
    return kept


# %% variant={"of": "6_7_keep_float", "wrong": "keeps layers that do no harm", "says": "neither is worth a byte"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError
    kept = []
    for name in sorted(costs, key=lambda n: rises[n] / costs[n], reverse=True):
        if costs[name] <= budget:
            kept.append(name)
            budget -= costs[name]
    return kept


# %% variant={"of": "6_7_keep_float", "wrong": "no error for a negative budget", "says": "negative budget"}
def keep_float(costs, rises, budget):
    kept = []
    for name in sorted(costs, key=lambda n: rises[n] / costs[n], reverse=True):
        if rises[name] > 0 and costs[name] <= budget:
            kept.append(name)
            budget -= costs[name]
    return kept


# %% variant={"of": "6_7_keep_float", "wrong": "must fit with something to spare", "says": "fit exactly"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError
    kept = []
    for name in sorted(costs, key=lambda n: rises[n] / costs[n], reverse=True):
        if rises[name] > 0 and costs[name] < budget:
            kept.append(name)
            budget -= costs[name]
    return kept


# %% variant={"of": "6_7_keep_float", "wrong": "does not subtract what is spent"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError
    order = sorted(costs, key=lambda n: rises[n] / costs[n], reverse=True)
    return [name for name in order if rises[name] > 0 and costs[name] <= budget]


# %% variant={"of": "6_7_keep_float", "right": "the best that fits, again and again"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError("too small")
    kept, open_ones = [], {name for name in costs if rises[name] > 0}
    while fitting := [name for name in open_ones if costs[name] <= budget]:
        best = max(fitting, key=lambda name: rises[name] / costs[name])
        kept.append(best)
        open_ones.remove(best)
        budget -= costs[best]
    return kept


# %% variant={"of": "6_7_keep_float", "right": "NumPy's argsort"}
def keep_float(costs, rises, budget):
    if budget < 0:
        raise ValueError("too small")
    names, spent, kept = list(costs), 0, []
    worth = np.array([rises[n] for n in names]) / np.array([costs[n] for n in names])
    for i in np.argsort(-worth):
        if worth[i] > 0 and spent + costs[names[i]] <= budget:
            spent += costs[names[i]]
            kept.append(names[i])
    return kept


# %% [markdown] hints={"of": "6_7_keep_float"}
# 1. What is the quantity to sort by? (It has a unit: loss per byte.)
# 2. Go through the layers in that order with a running rest of the budget. When is a layer skipped? Two reasons.

# %% [markdown]
# Try it on the network. For each of eight budgets, choose by validation images which layers stay float, round the others without any training, and judge on *test* images. For comparison, the same budgets spent **first come, first served**, from the input on, and from the output on.

# %%
costs = {name: 4 * matrix.size - my.stored_bytes({name: shapes[name]}, {name: 1})
         for name, matrix in weights.items()}  # fmt: skip
all_ternary = my.stored_bytes(shapes, dict.fromkeys(names, 1))
rises = dict(ranked)


def served_in(order, budget):
    """Keep float what fits, in this order."""
    taken, spent = [], 0
    for layer_name in order:
        fits = spent + costs[layer_name] <= budget
        taken += [layer_name] * fits
        spent += costs[layer_name] * fits
    return taken


budgets = (0, 2_000, 14_000, 45_000, 75_000, 110_000, 160_000, sum(costs.values()))
rules = {
    "greedy, per byte": lambda budget: my.keep_float(costs, rises, budget),
    "from the input on": lambda budget: served_in(names, budget),
    "from the output on": lambda budget: served_in(names[::-1], budget),
}
curves = {}
for label, rule in rules.items():
    points = []
    for budget in budgets:
        kept = set(rule(budget))
        spent = all_ternary + sum(costs[name] for name in kept)
        points.append((spent, accuracy(logits_of(rounded([n for n in names if n not in kept])))))
    curves[label] = np.array(points)
for spent, right_ones in curves["greedy, per byte"]:
    print(f"{spent:9,.0f} bytes  {right_ones:5.1f} % right, without training")

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(9, 3.6))
looks = ((style.TERNARY, "o-"), (style.SERIES[2], "s--"), (style.SERIES[3], "^:"))
for (label, points), (color, look) in zip(curves.items(), looks):
    axis.plot(points[:, 0] / 1000, points[:, 1], look, color=color, markersize=5, label=label)
both_bytes = my.stored_bytes(shapes, my.resolve(POLICIES["both"], names)) / 1000
axis.plot(
    both_bytes,
    trained_ternary,
    "*",
    color=style.ACCENT,
    markersize=15,
    label='trained ternary ("both")',
)
axis.axhline(25, color=style.MUTED, linestyle="--", linewidth=1)
axis.set(xscale="log", xlabel="kilobytes of matrices", ylabel="right, %", ylim=(0, 100),
         title="Choosing layers helps late, training at once")  # fmt: skip
axis.set_xticks([20, 30, 50, 100, 200, 300], ["20", "30", "50", "100", "200", "300"])
axis.minorticks_off()
axis.text(17, 26, "guessing", va="bottom", fontsize=8.5, color=style.MUTED)
axis.legend(fontsize=9, loc="lower right", ncols=2)
plt.show()

# %% [markdown]
# Two things to take from the figure. First, greedy is no clear winner, and that is worth knowing. Its numbers were measured with all *other* layers float. While most of them are ternary, a single float layer has little left to save, whichever it is; only when many are float does the order begin to pay. **Harm does not add up**, as we had assumed for convenience.
#
# Second, the star: *training* does, at a tenth of the bytes, what no choice of layers does afterwards. A policy is the second decision. The first is to train with it.
#
# The library's `tt.quant.search_policy(model, data, budget)` mends two of these weaknesses: it starts from the float end and measures again after each step, and it may choose int8 for a layer, the middle way at a quarter of the bytes. Look at what that does without any training.

# %%
proposal = tt.quant.search_policy(
    float_model, cells, budget=100_000, preprocessing=run.preprocessing
)
print(proposal)
report = tt.cost.analyze(tt.models.preset("lesson"), policy="all-linear")
print(f"for comparison, all-linear: {report.bytes_stored:,} bytes with norms, biases and positions, "
      f"{report.energy_uj.middle:.1f} µJ an image by the cost model's estimate")  # fmt: skip

# %% [markdown]
# ## 9 · The museum
#
# Three layers that their authors were sure of. Read the symptoms first, then the code.
#
# ### Exhibits A and B: two layers that lie about size
#
# Two colleagues have each written the inner part of BitLinear (no norm, no bias), both from the same paper. That paper, like much code since, calls $\gamma = 127 / \max|x|$ the scale: what you *multiply* with to get codes. Each was asked for one figure: on the left the output against the float product with the same trits, token by token; on the right all codes of the quiet tokens. One token of their batch is 200 times as loud as the others.


# %%
def layer_a(x, weight):
    gamma, beta = 127 / abs(x).max(1)[:, None], 1 / abs(weight).mean()
    q, t = np.round(gamma * x), np.round(beta * weight).clip(-1, 1)
    return q @ t.T * gamma * beta


def layer_b(x, weight):
    gamma, beta = 127 / abs(x).max(), 1 / abs(weight).mean()
    q, t = np.round(gamma * x), np.round(beta * weight).clip(-1, 1)
    return q @ t.T / (gamma * beta)


# %% jupyter={"source_hidden": true}
rng = np.random.default_rng(60)
batch = rng.normal(size=(60, 64)) * rng.uniform(0.3, 3, (60, 1))
batch[-1] *= 200
museum_weight = rng.normal(0, 0.1, (32, 64))
museum_trits, museum_alpha = absmean(museum_weight)
wanted = batch @ (museum_trits * museum_alpha).T


def symptoms(layer, codes, title, axes):
    """Size of each token's output against what it should be; the quiet tokens' codes."""
    got = layer(batch, museum_weight)
    sizes = [np.linalg.norm(part, axis=1) for part in (wanted, got)]
    axes[0].loglog(sizes[0], np.maximum(sizes[1], 1e-3), "o", color=style.TERNARY, markersize=4)
    line = np.array([sizes[0].min(), sizes[0].max()])
    axes[0].loglog(line, line, color=style.MUTED, linewidth=1)
    axes[0].set(xlabel="size of output, float", ylabel="the layer's", title=title)
    axes[1].hist(codes[:-1].ravel(), np.arange(-127.5, 128, 3), color=style.FLOAT)
    axes[1].set(yscale="log", xlabel="code", title=f"{title[0]}'s codes", ylim=(0.7, 6000))


def codes_by(largest):
    return np.rint(batch * 127 / largest)


per_token, of_all = np.abs(batch).max(axis=1, keepdims=True), np.abs(batch).max()
figure, axes = plt.subplots(1, 4, figsize=(13, 3))
symptoms(layer_a, codes_by(per_token), "A: loud comes out quiet", axes[:2])
symptoms(layer_b, codes_by(of_all), "B: most come out as nothing", axes[2:])
plt.show()

# %% [markdown]
# In A the codes are as they should be, and yet the loudest token comes out as the quietest, on a straight line with slope −1. In B the one loud token is perfect. The others have almost lost their codes, and with them their outputs (drawn at $10^{-3}$ where there is nothing left).

# %% [markdown]
# ### Exercise 6.8: repair both (3 points)
#
# Write `repaired_layer(x, weight)` with neither mistake. It takes any number of axes before the last. A token of zeros gives zeros, without a division by zero on the way.


# %% nbgrader={"grade": false, "grade_id": "6_8_repaired_layer", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_layer(x, weight):
    """x (..., K) in int8 by token, weight (N, K) in trits: their product, rescaled."""
    ### BEGIN SOLUTION
    codes, scale = absmax(x)
    trits, alpha = absmean(weight)
    return integer_product(codes, scale, trits, alpha)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_8_repaired_layer_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.8")
def _(repaired_layer):
    weight = np.array([[6.0, -6.0, 0.0], [0.0, 0.0, 6.0]])
    with check.part("size", points=1):
        got = repaired_layer(np.array([[4.0, 2.0, 1.0]]), weight)
        check.close(
            got, [[6.0, 3.0]],
            "The token 4, 2, 1 with trits 1, -1, 0 and 0, 0, 1, alpha = 3: about 6 and 3. If "
            "yours is far off in size: a number that made the codes by multiplication has to go out "
            "by division.", rtol=0.05,
        )  # fmt: skip
        check.close(
            repaired_layer(np.array([[40.0, 20.0, 10.0]]), weight), 10 * np.asarray(got),
            "There is no norm in this layer: ten times the token, ten times the output.", rtol=1e-4,
        )  # fmt: skip
    with check.part("one ruler each", points=2):
        alone = repaired_layer(np.array([[4.0, 2.0, 1.0]]), weight)
        beside = repaired_layer(np.array([[4.0, 2.0, 1.0], [4000.0, 0.0, 0.0]]), weight)
        check.close(
            np.asarray(beside)[:1], alone,
            "A token gives the same result whoever is beside it in the batch. Here a loud neighbour "
            "changes it: over which axis is the maximum taken?", rtol=1e-6,
        )  # fmt: skip
        try:
            with np.errstate(divide="raise", invalid="raise"):
                got = repaired_layer(np.array([[0.0, 0.0, 0.0], [4.0, 2.0, 1.0]]), weight)
        except FloatingPointError:
            got = np.full((2, 2), np.nan)
        check.true(
            np.all(np.asarray(got)[0] == 0),
            "A token of zeros gives zeros: mind the division by its maximum. (0 / 0 is NaN, and what "
            "a NaN becomes as an int8 is up to the processor.)",
        )
        ### BEGIN HIDDEN TESTS
        rng = np.random.default_rng(68)
        x = rng.normal(size=(2, 6, 32)) * 10.0 ** rng.integers(-2, 3, (2, 6, 1))
        w = rng.normal(size=(5, 32))
        trits, alpha = absmean(w)
        scale = np.abs(x).max(axis=-1, keepdims=True) / 127
        check.close(
            repaired_layer(x, w), (np.rint(x / scale) * scale) @ (trits * alpha).T,
            "Two images of six tokens, loud and quiet.", rtol=1e-5, atol=1e-9,
        )  # fmt: skip
        ### END HIDDEN TESTS


# %% variant={"of": "6_8_repaired_layer", "wrong": "colleague A", "says": "go out by division"}
def repaired_layer(x, weight):
    scale_x = 127 / np.abs(x).max(axis=-1, keepdims=True)
    scale_w = 1 / np.abs(weight).mean()
    codes = np.rint(x * scale_x)
    trits = np.clip(np.rint(weight * scale_w), -1, 1)
    return codes @ trits.T * scale_x * scale_w


# %% variant={"of": "6_8_repaired_layer", "wrong": "colleague B", "says": "loud neighbour"}
def repaired_layer(x, weight):
    scale_x = 127 / np.abs(x).max()
    scale_w = 1 / np.abs(weight).mean()
    codes = np.rint(x * scale_x)
    trits = np.clip(np.rint(weight * scale_w), -1, 1)
    return codes @ trits.T / (scale_x * scale_w)


# %% variant={"of": "6_8_repaired_layer", "wrong": "only one of the two scales mended", "says": "go out by division"}
def repaired_layer(x, weight):
    scale_x = 127 / np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5)
    scale_w = 1 / np.abs(weight).mean()
    codes = np.rint(x * scale_x)
    trits = np.clip(np.rint(weight * scale_w), -1, 1)
    return codes @ trits.T / scale_x * scale_w


# %% variant={"of": "6_8_repaired_layer", "wrong": "one ruler for each image", "says": "loud"}
def repaired_layer(x, weight):
    scale_x = 127 / np.maximum(np.abs(x).max(axis=(-2, -1), keepdims=True), 1e-5)
    trits, alpha = absmean(weight)
    return np.rint(x * scale_x) @ trits.T / scale_x * alpha


# %% variant={"of": "6_8_repaired_layer", "wrong": "divides by zero for a token of zeros", "says": "token of zeros"}
def repaired_layer(x, weight):
    with np.errstate(all="ignore"):
        scale = np.abs(x).max(axis=-1, keepdims=True) / 127
        trits, alpha = absmean(weight)
        return np.rint(x / scale) @ trits.T * scale * alpha


# %% variant={"of": "6_8_repaired_layer", "wrong": "a norm that nobody asked for", "says": "no norm"}
def repaired_layer(x, weight):
    codes, scale = absmax(x)
    trits, alpha = absmean(weight)
    size = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-12)
    return integer_product(codes, scale / size * 2.6457513, trits, alpha)


# %% variant={"of": "6_8_repaired_layer", "right": "the colleagues' code, mended"}
def repaired_layer(x, weight):
    scale_x = 127 / np.maximum(np.abs(x).max(axis=-1, keepdims=True), 1e-5)
    scale_w = 1 / np.abs(weight).mean()
    codes = np.rint(x * scale_x)
    trits = np.clip(np.rint(weight * scale_w), -1, 1)
    return codes @ trits.T / (scale_x * scale_w)


# %% variant={"of": "6_8_repaired_layer", "right": "fake quantisation, then a float product"}
def repaired_layer(x, weight):
    codes, scale = absmax(x)
    trits, alpha = absmean(weight)
    return np.einsum("...k,nk->...n", codes * scale, trits * alpha)


# %% [markdown] hints={"of": "6_8_repaired_layer"}
# 1. A: follow the units. If the codes are x times 127 / max, what turns codes into x again?
# 2. B: how many scales does a batch need?
# 3. Your functions from 6.2 and 6.3 have neither mistake.

# %%
figure, axes = plt.subplots(1, 2, figsize=(8, 3))
symptoms(my.repaired_layer, codes_by(per_token), "Repaired", axes)
axes[1].set_title("Its codes")
plt.show()

# %% [markdown]
# A has a name: **scale for its inverse**. It comes with every change of convention between a paper and its code, and training can even hide it, since a norm further down takes sizes out. B is **one absmax per tensor**. B is worse than it looks: the result of an image then depends on which other images are in its batch.
#
# ### Exhibit C: the wrong side of the norm
#
# The third colleague's network trains without complaint. Then the packed engine refuses to reproduce it: on the device every output is slightly different. Their figure shows one token as it enters the product with the trits, divided by its own step, so that a correct quantised token has nothing but integers.


# %%
def input_c(x, gain):
    codes, scale = my.absmax(x)
    return my.rms_norm(codes * scale, gain)


gain = np.random.default_rng(66).uniform(0.3, 1.5, 64)
by_c = input_c(batch, gain)
in_steps = by_c / (np.abs(by_c).max(axis=1, keepdims=True) / 127)
print("C's first token, in steps:", np.round(in_steps[0, :8], 3))

# %% jupyter={"source_hidden": true}
figure, axis = plt.subplots(figsize=(8.5, 2.4))
fractions = in_steps - np.rint(in_steps)
axis.hist(fractions.ravel(), np.linspace(-0.5, 0.5, 62), color=style.FLOAT)
axis.axvline(0, color=style.ACCENT, linestyle="--", linewidth=1.2)
axis.text(
    0.03,
    0.97 * axis.get_ylim()[1],
    "where all of them should be",
    fontsize=8.5,
    color=style.ACCENT,
    va="top",
)
axis.set(
    xlabel="distance to the nearest integer, in steps",
    yticks=[],
    title="C's tokens are not on any grid",
)
plt.show()

# %% [markdown]
# ### Exercise 6.9: the right side (2 points)
#
# Write `repaired_input(x, gain)`: what should enter the product, as floats on the grid (codes times scale), for tokens $(\dots, K)$ and a gain $(K,)$.


# %% nbgrader={"grade": false, "grade_id": "6_9_repaired_input", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_input(x, gain):
    """The layer's input, normalised and on a grid of 255 steps for each token."""
    ### BEGIN SOLUTION
    codes, scale = absmax(rms_norm(x, gain))
    return codes * scale
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "6_9_repaired_input_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
@check.exercise("6.9")
def _(repaired_input):
    x = np.array([[3.0, -4.0, 0.0, 1.0], [0.3, 0.1, -0.2, 0.25]])
    gain = np.array([1.0, 0.4, 2.0, 0.7])
    got = np.asarray(repaired_input(x, gain))
    check.true(got.shape == x.shape, "One number for each entry of x: the codes times their scale.")
    root = np.sqrt(np.mean(x * x, axis=1, keepdims=True) + 1e-5)
    check.close(
        got, x / root * gain,
        "Up to the rounding it should be the normalised token, gain included.",
        rtol=0, atol=0.011,
    )  # fmt: skip
    steps = got / (np.abs(got).max(axis=1, keepdims=True) / 127)
    check.close(
        steps, np.rint(steps),
        "In steps of its own largest entry / 127, each token has to consist of integers. What comes "
        "after the rounding, and takes it off the grid again?", rtol=0, atol=1e-4,
    )  # fmt: skip
    ### BEGIN HIDDEN TESTS
    rng = np.random.default_rng(69)
    x, gain = rng.normal(size=(2, 5, 40)) * 7, rng.uniform(-1, 2, 40)
    codes, scale = absmax(rms_norm(x, gain))
    check.close(
        repaired_input(x, gain), codes * scale,
        "On random tokens and gains: rounded once, on the right side of the whole norm.",
    )  # fmt: skip
    ### END HIDDEN TESTS


# %% variant={"of": "6_9_repaired_input", "wrong": "colleague C", "says": "off the grid"}
def repaired_input(x, gain):
    codes, scale = absmax(x)
    return rms_norm(codes * scale, gain)


# %% variant={"of": "6_9_repaired_input", "wrong": "the gain after the rounding", "says": "off the grid"}
def repaired_input(x, gain):
    codes, scale = absmax(rms_norm(x, np.ones_like(gain)))
    return codes * scale * gain


# %% variant={"of": "6_9_repaired_input", "wrong": "no rounding at all", "says": "off the grid"}
def repaired_input(x, gain):
    return rms_norm(x, gain)


# %% variant={"of": "6_9_repaired_input", "wrong": "rounded twice, before the norm and after it", "says": "rounded once"}
def repaired_input(x, gain):
    codes, scale = absmax(x)
    codes, scale = absmax(rms_norm(codes * scale, gain))
    return codes * scale


# %% variant={"of": "6_9_repaired_input", "wrong": "no gain", "says": "gain included"}
def repaired_input(x, gain):
    codes, scale = absmax(rms_norm(x, np.ones_like(gain)))
    return codes * scale


# %% variant={"of": "6_9_repaired_input", "right": "the product of a pair"}
def repaired_input(x, gain):
    codes, step = absmax(rms_norm(x, gain))
    return np.multiply(codes, step)


# %% variant={"of": "6_9_repaired_input", "right": "by hand"}
def repaired_input(x, gain):
    normed = x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5) * gain
    step = np.maximum(np.abs(normed).max(-1, keepdims=True), 1e-5) / 127
    return step * np.round(normed / step)


# %% [markdown] hints={"of": "6_9_repaired_input"}
# 1. Which of the two operations has to come last, if the product with the trits is to see integers?
# 2. The gain is different for every channel. Where may it stand, if it must not be inside the integer sum?

# %% [markdown]
# C's mistake need not show in any accuracy. It costs the whole point: a gain for each channel stands inside the sum, the products are no longer integers, and there is no integer kernel that could compute this layer. The cheapest guard is one line in a test: *divide by the scale and look for integers.*
#
# ## 10 · In words

# %% [markdown] nbgrader={"grade": true, "grade_id": "6_10_words", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# ### Exercise 6.10: what stays float (3 points)
#
# A ViT is to run on a small device. Which parts of it would you leave in float, and why? Use at least two measurements of this lesson. And what measurement, of which outcome, would change your mind?
#
# ### BEGIN SOLUTION
# I would make the linear layers of the blocks ternary, feed-forward and attention, and leave the patch embedding, the head, norms, biases, positions and the softmax in float. The blocks hold 95 % of the weights of our network, so nearly all of the saving is there. Patch embedding and head together are 5 % of the weights, and in the sensitivity figure they do most harm for each kilobyte saved: the patch embedding sees the raw pixels, and everything later depends on what it lets through. Norms and biases are vectors of a few hundred bytes; what they would save is not worth a test.
#
# The ranking was measured without training, though, and training heals a lot: the network that was trained ternary is some points below the float one, while the rounded one lost about half of what it got right. So I would train both policies, blocks only and every matrix, on several seeds. If the interval of the difference includes zero, or is smaller than what the application can bear, patch embedding and head become ternary too: once the blocks are ternary they are 45 % of the bytes. The other way round, if attention alone cost several points in a trained network and the feed-forward layers nothing, I would go back to "FFN only". int8 for the two outer layers is the middle way that I would try first.
# ### END SOLUTION

# %% [markdown] rubric={"of": "6_10_words"}
# One point each, at most three:
#
# - **A choice with reasons:** names parts (patch embedding, attention, FFN, head, norms) and weighs harm against bytes. "Leave the first and last layer in float, everybody does" earns nothing.
# - **Measurements:** at least two of this lesson, used for the choice: the ranking, harm per kilobyte, shares of the bytes under each policy, the budget curve, rounded against trained.
# - **What would change it:** a measurement that could come out either way, with the outcome that would decide. Full point only if it is seen that sensitivity without training is not the loss after training, or that one seed is not enough.

# %% [markdown]
# ## Recap
#
# - **Rounding a trained network** to trits costs it about half of its right answers; **training it ternary** gives most of them back.
# - **RMSNorm first:** it takes the loudness out, bounds every outlier by $\sqrt K$, and puts the gains of the channels on the right side of the rounding.
# - **absmax:** each token has a ruler of its own, $s = \max|x| / 127$ with a floor. Halves go to even.
# - **Exactness:** sums of codes times trits are integers, exact in int32 in any order. A float sum is exact as long as its bits suffice; α belongs outside.
# - **BitLinear** is norm, absmax, trits, rescale. It is four lines.
# - A **policy** is data: glob patterns, the first match decides, a pattern that matches nothing is an error.
# - **Sensitivity** ranks layers cheaply, without training. Divide it by the bytes before you spend any.
# - Three bugs to know by sight: scale for its inverse, one absmax per tensor, the wrong side of the norm.
#
# How did you do?

# %%
check.summary()

# %% [markdown]
# ## Further reading
#
# - H. Wang et al., *BitNet: Scaling 1-bit Transformers for Large Language Models*, 2023, arXiv 2310.11453. BitLinear, with binary weights; section 2.1 has absmax (equations 4 and 5) and the norm before the rounding.
# - S. Ma et al., *The Era of 1-bit LLMs: All Large Language Models are in 1.58 Bits*, 2024, arXiv 2402.17764. Ternary weights by absmean, activations per token.
# - *BitMedViT*, 2025, arXiv 2510.13760. BitLinear in a medical ViT: the feed-forward network by default, attention by a second policy, patch embedding and head in float. RMSNorm with $\varepsilon = 10^{-5}$.
# - B. Zhang, R. Sennrich, *Root Mean Square Layer Normalization*, 2019, arXiv 1910.07467. LayerNorm without the mean.
# - M. Sun et al., *Massive Activations in Large Language Models*, 2024, arXiv 2402.17762. Single activations that are thousands of times as large as the rest; ViTs have them too.
# - In this library: `tinyternary/quant/bitlinear.py`, `ternarize.py`, and `analysis/sensitivity.py` and `search.py` beside them, which also judge the opposite experiment, one layer float and all others ternary.
#
# **Next:** lesson 07 gives the ternary network a teacher.
