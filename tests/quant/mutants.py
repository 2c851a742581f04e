"""Deliberate mistakes in quantisers, straight-through rules and import; each must fail a test.

``python -m tests.quant.mutants`` copies the package to a temporary folder,
changes one line, runs the tests that ought to notice, and prints a table.
Exit status 1 if any mistake goes unnoticed.
"""

from __future__ import annotations

import sys

from tests import mutation
from tests.mutation import Mutant

RULES = ("tests/quant/test_rules.py",)
STE = ("tests/quant/test_straight_through.py",)
BIT = ("tests/quant/test_bitlinear.py",)
SCOPE = ("tests/quant/test_microscope.py",)
CHOICE = ("tests/quant/test_sensitivity.py",)
INT8 = ("tests/quant/test_int8_attention.py",)
VIT = ("tests/models/test_vit.py",)
FILES = ("tests/models/test_pretrained.py",)


MUTANTS = [
    Mutant("absmean: truncated, not rounded", "quant/rules/absmean.py",
           "trits = np.clip(np.rint(w / alpha), -1, 1)", "trits = np.clip(np.trunc(w / alpha), -1, 1)", RULES),
    Mutant("absmean: trits not clipped", "quant/rules/absmean.py",
           "trits = np.clip(np.rint(w / alpha), -1, 1)", "trits = np.rint(w / alpha)", RULES),
    Mutant("absmean in training: not clipped", "quant/rules/absmean.py",
           "np.clip(np.rint(w / alpha), -1, 1) * alpha", "np.rint(w / alpha) * alpha", STE),
    Mutant("absmean in training: NaN let through", "quant/rules/absmean.py",
           "if not np.isfinite(mean):", "if False:", BIT),
    Mutant("absmean: threshold reported as the scale", "quant/rules/absmean.py",
           "as_quantized(trits, alpha, alpha / 2,", "as_quantized(trits, alpha, alpha,", RULES),
    Mutant("twn: scale is the mean of all", "quant/rules/twn.py",
           "as_quantized(trits, survivors_mean(w, trits), delta,",
           "as_quantized(trits, mean_magnitude(w) + 1e-5, delta,", RULES),
    Mutant("twn: fraction 0.75", "config/grid.py", "TWN_FRACTION = 0.7\n", "TWN_FRACTION = 0.75\n", RULES),
    Mutant("survivors: divided by all weights", "quant/rules/_weights.py",
           "np.maximum(kept.sum(axis=-1, keepdims=True, dtype=np.float64), 1)", "w.shape[-1]", RULES),
    Mutant("ttq: scales of the signs exchanged", "quant/rules/ttq.py",
           "as_quantized(trits, plus, delta, weights, granularity, negative=minus)",
           "as_quantized(trits, minus, delta, weights, granularity, negative=plus)", RULES),
    Mutant("floor of the scale missing", "quant/rules/absmean.py",
           "alpha = np.maximum(mean_magnitude(w), FLOOR)", "alpha = mean_magnitude(w)", RULES),
    Mutant("int4 as wide as int8", "quant/rules/integers.py",
           'most = MOST[f"int{bits}"]', 'most = MOST["int8"]', RULES),
    Mutant("two scales: sign of -1 lost", "quant/quantized.py",
           "np.where(self.trits < 0, -negative,", "np.where(self.trits < 0, negative,", RULES),
    Mutant("groups along the wrong axis", "quant/quantized.py",
           "np.repeat(scale, shape[1] // scale.shape[1], axis=1)",
           "np.tile(scale, shape[1] // scale.shape[1])", RULES),
    Mutant("NaN let through", "quant/quantized.py", "    if bad:\n", "    if False:\n", RULES),
    Mutant("clipped: no clip in the gradient", "quant/ste.py",
           "(np.abs(w) <= alpha).astype(w.dtype)", "np.ones_like(w)", STE),
    Mutant("soft: sharpness dropped from the slope", "quant/ste.py",
           "k * (2 - up * up - down * down) / 2",
           "(2 - up * up - down * down) / 2", STE),
    Mutant("threshold: gradient not scaled to the spike's area", "quant/ste.py",
           "(alpha / width)", "alpha", STE),
    Mutant("threshold: sign of its gradient", "quant/ste.py",
           "-np.sign(w) * (np.abs(w) < width)", "np.sign(w) * (np.abs(w) < width)", STE),
    Mutant("learned scale: gradient not divided by sqrt(N)", "quant/rules/_weights.py",
           "1.0 / math.sqrt(groups.shape[-1])", "1.0", STE),
    Mutant("learned scale of -1: sign of its gradient", "quant/rules/_weights.py",
           "np.minimum(q.trits, 0), size, negative", "np.abs(np.minimum(q.trits, 0)), size, negative", STE),
    Mutant("learned scale of +1: sees the negative weights", "quant/rules/_weights.py",
           "q.trits if negative is None else np.maximum(q.trits, 0)", "q.trits", STE),
    Mutant("seq: gradient outside the clip", "quant/rules/seq.py",
           "through_staircase(ctx, grad * inside,", "through_staircase(ctx, grad,", STE),
    Mutant("seq: straight-through term of the scale dropped", "quant/rules/seq.py",
           "q.trits / half - ratio * inside", "q.trits / half", STE),
    Mutant("fixed thresholds learn", "quant/rules/band.py",
           'self.delta.requires_grad = delta == "learned"', "pass", STE),
    Mutant("absmax: truncated, not rounded", "kernels/reference.py",
           "np.clip(np.rint(x / scale), -most - 1, most)",
           "np.clip(np.trunc(x / scale), -most - 1, most)", STE),
    Mutant("absmax: per batch, not per token", "kernels/reference.py",
           "np.abs(x).max(axis=-1, keepdims=True, initial=0)",
           "np.broadcast_to(np.abs(x).max(), (*x.shape[:-1], 1))", STE),
    Mutant("ternary activations: unit of the token dropped from the gradient",
           "quant/activations/trits.py", "np.sum(grad * codes * unit)", "np.sum(grad * codes)", STE),
    Mutant("BitLinear: no norm", "quant/bitlinear.py", "x = norm(x)", "pass", BIT),
    Mutant("fused norm: rounded to seven bits", "quant/activations/absmax.py",
           "FakeAbsmax.forward(ctx, RMSNorm.forward(ctx, x, weight, eps))",
           "FakeAbsmax.forward(ctx, RMSNorm.forward(ctx, x, weight, eps), bits=7)", STE),
    Mutant("BitLinear: bias allocated and never added", "quant/bitlinear.py",
           "return linear(self._input(x), weight, self.bias)",
           "return linear(self._input(x), weight, None)", BIT),
    Mutant("BitLinear: activations stay float", "quant/bitlinear.py",
           "return x if activation is None else mixed(x, activation, self.strength)", "return x", BIT),
    Mutant("gradual: strength applied twice", "quant/ste.py",
           "(quantized - value) * strength", "(quantized - value) * strength**2", BIT),
    Mutant("gradual: values of an attention stay rounded", "quant/int8_attention.py",
           "return mixed(qkv, rule, self.strength)", "return rule(qkv)", INT8),
    Mutant("gradual: weights of an attention stay rounded", "quant/int8_attention.py",
           "STEPS if self.strength else 0", "STEPS", INT8),
    Mutant("sensitivity: norms and attentions stay quantised", "quant/analysis/sensitivity.py",
           "isinstance(m, QUANTIZED)}", "isinstance(m, BitLinear)}", CHOICE),
    Mutant("ternarize: half done after an error", "quant/ternarize.py",
           "        layer = made[name] = BitLinear(module, rules[name], name)\n",
           "        layer = made[name] = BitLinear(module, rules[name], name)\n"
           "        replace_module(model, name, layer)\n", BIT),
    Mutant("microscope: flips not per step", "quant/analysis/microscope.py",
           "flips / size / elapsed", "flips / size", SCOPE),
    Mutant("microscope: every flip counts as a return", "quant/analysis/microscope.py",
           "changed & (q.trits == before[-2])", "changed", SCOPE),
    Mutant("sensitivity: the two experiments exchanged", "quant/analysis/sensitivity.py",
           "panel.score(judge, everything - {name})", "panel.score(judge, {name})", CHOICE),
    Mutant("sensitivity: test images judged", "quant/analysis/loss.py", "data = data.val", "data = data.test", CHOICE),
    Mutant("search: bytes saved ignored", "quant/analysis/search.py",
           "(tried.loss - score.loss) / max(size - smaller, 1)", "tried.loss - score.loss", CHOICE),
    Mutant("ViT: no final norm", "models/vit.py",
           "features: Tensor = self.norm(pooled)", "features: Tensor = pooled", VIT),
    Mutant("ViT: no positions", "models/vit.py",
           "x = x + (self.pos_embed if", "x = x + 0 * (self.pos_embed if", VIT),
    Mutant("positions: rows and columns alike", "config/positions.py",
           "np.broadcast_to(waves[:, None, :], shape)", "np.broadcast_to(waves[None, :, :], shape)", VIT),
    Mutant("import: query, key and value in another order", "models/naming.py",
           'joined = np.concatenate([parts[k][1] for k in "qkv"])',
           'joined = np.concatenate([parts[k][1] for k in "kqv"])', FILES),
    Mutant("import: LayerScale along the wrong axis", "models/naming.py",
           "gamma.reshape(-1, *[1] * (array.ndim - 1))", "gamma", FILES),
    Mutant("import: colour channels averaged", "models/pretrained.py",
           "patch.sum(axis=1, keepdims=True)", "patch.mean(axis=1, keepdims=True)", FILES),
    Mutant("interpolation: corners aligned", "models/position_grid.py",
           "at = (np.arange(new) + 0.5) * old / new - 0.5",
           "at = np.arange(new) * (old - 1) / max(new - 1, 1)", FILES),
]  # fmt: skip

FOLDERS = ("quant", "models")

if __name__ == "__main__":
    sys.exit(mutation.report(MUTANTS, FOLDERS))
