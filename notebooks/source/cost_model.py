# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The cost model, and the published figures worked out again
#
# Papers on ternary networks multiply a parameter count by a bit width and call the result savings.
# Here the counts come from the shapes of the network, the prices from tables with sources, and
# whatever can be checked is checked. Two kinds of numbers appear, and they are never mixed:
#
# * **counted**: parameters, bytes stored, multiply-accumulates (MACs), operations. These are exact.
#   The tests hold them against PyTorch's `FlopCounterMode`, fvcore, packed files and loops that
#   count their own operations.
# * **modelled**: bytes moved, energy, least time. These rest on constants that are known to within
#   a factor; each carries a low, a middle and a high value.
#
# 1 MAC is one multiplication and one addition: 2 ops.

# %%
# %matplotlib inline
from collections import Counter
from functools import partial

import numpy as np
from IPython.display import HTML

from tinyternary import cost
from tinyternary.report import cost_figures as figures
from tinyternary.report.roofline import predicted_against_measured, roofline


def show(rows):
    """Draw plain rows, the first of them a header, as a table."""
    head, *body = ["".join(f"<{tag}>{cell}</{tag}>" for cell in row)
                   for tag, row in zip(["th"] + ["td"] * len(rows), rows)]  # fmt: skip
    return HTML(f"<table><tr>{head}</tr>{''.join(f'<tr>{line}</tr>' for line in body)}</table>")


# %% [markdown]
# ## 1. BitMedViT's table
#
# The README of BitMedViT (arXiv 2510.13760) gives: 8.65 M parameters, 10.5 MB, 11.5 GOPs, 3.7 W,
# 16.9 ms, 683.1 GOPs/s and 183.6 GOPs/J. Its code has three quirks that the totals depend on:
# BitLinear allocates biases that its forward pass never adds, a feature matcher for distillation
# stays in the model, and the Jetson version of the code runs that matcher at every inference.
#
# A fourth changes no total here: its attention is causal, by a default of the library that it comes
# from. The published operations count all pairs of tokens, and so do the tables below;
# `preset("bitmedvit", causal=True)` counts the pairs that such a network needs.

# %%
count = cost.bitmedvit_parameters(channels=1, classes=2)
print(f"used by inference        {count.used:>10,}")
print(f"biases never added       {count.idle_biases:>10,}")
print(f"feature matcher          {count.matcher:>10,}")
print(f"allocated by its code    {count.total:>10,}")

# %% [markdown]
# The same by hand, from the shapes: 224 x 224 pixels in patches of 7 give 1,024 tokens; width 512,
# three blocks, eight query heads that share one key/value head of 64, feed-forward width 2,048.

# %%
width, tokens, hidden, depth = 512, 32 * 32, 2048, 3
block = {
    "LayerNorm": 2 * width,
    "QKV (512 + 2 x 64 outputs)": (width + 1) * 640,
    "output projection": (width + 1) * width,
    "fc1, its RMSNorm": width * hidden + width,
    "fc2, its RMSNorm": hidden * width + hidden,
}
whole = {
    "patch embedding (1 channel)": 49 * width + width,
    "position embedding": tokens * width,
    "three blocks": depth * sum(block.values()),
    "final LayerNorm": 2 * width,
    "head (2 classes)": (width + 1) * 2,
}
for name, parameters in {**block, **whole}.items():
    print(f"{name:<30}{parameters:>10,}")
print(f"{'used by inference':<30}{sum(whole.values()):>10,}")
assert sum(whole.values()) == count.used

# %% [markdown]
# Now every published figure beside the derived one. *Tolerance* is what the rounding of the
# published digits allows. A claim that does not follow says what it would take.

# %%
rows = [("source", "what", "published", "derived", "tolerance", "follows", "how")]
for claim in cost.claims():
    digits = ",.0f" if claim.published > 1e6 else ".4g"
    rows.append((
        claim.source.split(",")[0], f"{claim.what}, {claim.unit}".rstrip(", "),
        format(claim.published, digits), format(claim.derived, digits),
        format(claim.tolerance, ".2g"), "yes" if claim.follows else "<b>no</b>", claim.how,
    ))  # fmt: skip
show(rows)

# %% [markdown]
# Three things to take away:
#
# * "8.65 M", "10.5 MB" and "683.1 GOPs/s" agree with one another only if the feature matcher is
#   counted and run. It does nothing for the prediction.
# * "GOPs" are MACs, and "MB" are MiB.
# * **43x** compares with another network, the 451 MiB teacher. Ternarising *this* network makes it
#   3.1 times smaller, because the feed-forward weights become 14 % of the bytes and all else stays
#   float32. All matrices at 2 bits would give 8.2 times; then the position embedding alone is half.

# %%
policies = ["float32", "int8", "bitmedvit", "all-linear", "everything"]
comparison = cost.compare("bitmedvit", policies, device="jetson-orin-nano")
show(comparison.table())

# %%
by_policy = {report.policy: report for report in comparison.reports}
figures.bytes_by_layer(by_policy["bitmedvit"])

# %% [markdown]
# ## 2. BitNet's 71x
#
# BitNet b1.58 divides the energy of an fp16 multiplication and addition by that of one int8 addition.
# An accumulator of 8 bits overflows after a few terms, so the addition has to be 32 bits wide:

# %%
seven = cost.energy_table("7nm")
half = seven.op("fp16_add").middle + seven.op("fp16_mul").middle
print(f"fp16 multiply and add                  {half:.3f} pJ")
print(f"over an int8 addition                  {half / seven.op('int8_add').middle:.1f}x")
print(f"over an int32 addition                 {half / seven.op('int32_add').middle:.1f}x")
skipping = seven.op("int32_add").middle * (1 - cost.gaussian_zero_share(
    by_policy["everything"].choices.rules["head"]))  # fmt: skip
print(f"over an int32 addition, zeros skipped  {half / skipping:.1f}x")

# %% [markdown]
# And for the network as a whole at 7 nm, with norms, softmax, quantisation and memory included:

# %%
whole_network = cost.compare("bitmedvit", ["float16", "all-linear", "everything"], table="7nm")
show(whole_network.table())

# %% [markdown]
# Against float16 the ternary network comes out *more* expensive by this model as long as its
# activations and attention stay float32. Weights were never what moved most: at 1,024 tokens the
# activations are. With float16 activations and int8 attention the picture turns:

# %%
rows = [("what", "arithmetic, mJ", "on-chip, mJ", "DRAM, mJ", "all, mJ (modelled)")]
for label, options in {
    "float16": {"policy": "float16"},
    "everything ternary, float32 activations": {"policy": "everything"},
    "... float16 activations": {"policy": "everything", "floats": "float16"},
    "... and int8 attention": {"policy": "everything", "floats": "float16", "attention": "int8"},
}.items():
    report = cost.analyze("bitmedvit", table="7nm", **options)
    parts = [amount.middle / 1e3 for amount in report.energy_by_source.values()]
    rows.append((label, *(f"{part:.2f}" for part in parts), f"{sum(parts):.2f}"))
show(rows)

# %% [markdown]
# ## 3. FTerViT's "about 15x"
#
# 88.8 MB of float32 over 6.09 MB is 14.6, rounded up. But the published sizes at 384 and 224 pixels
# differ by 0.28, which is exactly 380 more positions of width 384 in two bytes *if MB means MiB*; and
# then the float32 network has to be given in MiB as well: 84.7 / 6.09 = 13.9.

# %%
pixels = {384: (384 // 16) ** 2, 224: (224 // 16) ** 2}
more = (pixels[384] - pixels[224]) * 384 * 2
print(f"{more:,} bytes: {more / 1e6:.4f} MB or {more / 2**20:.4f} MiB")
print("published: 6.09 - 5.81 = 0.28")

# %% [markdown]
# ## 4. Where the energy goes
#
# Bars are the middle values at 45 nm, whiskers the sums of all lows and of all highs. The order of
# the policies is safe where the whiskers move together (they share every constant); the millijoules
# are not.

# %%
figures.energy_bars(comparison.reports)

# %%
figures.tornado(by_policy["bitmedvit"])

# %%
figures.energy_against_zero_share(by_policy["everything"])

# %% [markdown]
# Skipping zeros, which is often named first, saves almost nothing here: additions of integers are
# already the cheapest thing that the network does.
#
# ## 5. Roofline
#
# No step can be faster than its MACs at the peak rate, nor than its bytes at the bandwidth. The bound
# assumes perfect overlap, so a real device is slower: the published 16.9 ms lie above it.

# %%
roofline(by_policy["bitmedvit"])

# %%
rows = [("device", "float32, ms", "bitmedvit, ms", "everything, int8 attention, ms (all modelled)")]
for name in cost.devices():
    bounds = [
        cost.analyze("bitmedvit", "float32", device=name),
        cost.analyze("bitmedvit", "bitmedvit", device=name),
        cost.analyze("bitmedvit", "everything", attention="int8", device=name),
    ]
    rows.append((cost.device(name).title, *(f"{1e3 * report.seconds:,.2f}" for report in bounds)))
show(rows)

# %% [markdown]
# ## 6. Checks
#
# **Operations.** The ternary product on numbers that count what is done with them:

# %%
from tinyternary.cost import operations
from tinyternary.cost.tally import CountingArray, CountingNumber, Tally

rng = np.random.default_rng(0)
x, trits = rng.integers(-128, 128, (3, 20)), rng.integers(-1, 2, (5, 20))
tally = Tally()
counting = CountingArray(x, tally, "x")
for row in range(3):
    for column in range(5):
        total = CountingNumber(0, tally)
        for i in range(20):
            if trits[column, i] > 0:
                total = total + counting[row, i]
            elif trits[column, i] < 0:
                total = total - counting[row, i]
        assert total.value == x[row] @ trits[column]
values = Counter(trits.ravel().tolist())
print("happened ", dict(tally))
print("predicted", dict(operations.ternary_matmul(3, values[1], values[-1], values[0], "skip")))

# %% [markdown]
# **Time.** The roofs of one core of this machine are measured by register-only loops, not by the
# kernels; then the kernels themselves are timed. The bound must never be above a measurement.

# %%
from tinyternary import kernels
from tinyternary.bench.peaks import this_machine
from tinyternary.bench.timing import interleave

machine = this_machine()
print(machine.title)
print(f"int8 {machine.peak['int8'] / 1e9:,.0f} GMAC/s, float32 {machine.peak['fp32'] / 1e9:,.0f} GMAC/s, "
      f"DRAM {machine.dram_bytes_per_second / 1e9:.0f} GB/s")  # fmt: skip

shapes = [(m, k, n) for m in (1, 64, 1024) for k, n in ((192, 768), (512, 2048), (2048, 512))]
timings = {}
for rows in (1, 64, 1024):  # shapes of one size take turns, so that caches are as in use
    runs = {}
    for m, k, n in shapes:
        if m == rows:
            packed = kernels.pack(rng.integers(-1, 2, (n, k)).astype(np.int8))
            inputs = rng.integers(-127, 128, (m, k)).astype(np.int8)
            out = np.empty((m, n), np.int32)
            runs[f"{m} x {k} x {n}"] = partial(kernels.matmul, inputs, packed, out=out, threads=1)
    timings |= interleave(runs, seconds=0.4)
measured = [timings[name].median for name in timings]
least = [cost.least_kernel_seconds(machine, cost.Gemm(*shape, 8, 2, 32)) for shape in shapes]
assert all(bound <= timings[name].low for bound, name in zip(least, timings))
predicted_against_measured(
    list(timings), least, measured, title="kernels.matmul, M x K x N, one core"
)

# %% [markdown]
# One row (M = 1) is far from the roof: it is over in microseconds, most of which are the call and the
# reading of weights from the caches, which the bound leaves out. From 64 rows on the kernel reaches
# some 60 to 90 % of what the dot-product instruction can do.
