"""Deliberate mistakes in backward formulas; each must make the quick tests fail.

``python -m tests.autograd.mutants`` copies the package to a temporary folder,
changes one line, runs the tests that ought to notice, and prints a table.
Exit status 1 if any mistake goes unnoticed.
"""

from __future__ import annotations

import sys

from tests import mutation
from tests.mutation import Mutant

GRADIENTS = "tests/autograd/test_operation_gradients.py"
GRAPH = "tests/autograd/test_graph.py"


MUTANTS = [
    Mutant("subtract: sign of b dropped", "autograd/ops/arithmetic.py",
           "unbroadcast(-grad, b_shape)", "unbroadcast(grad, b_shape)",
           (f"{GRADIENTS}::test_binary",)),
    Mutant("divide: a / b^2 became a / b", "autograd/ops/arithmetic.py",
           "-grad * (a / b) / b", "-grad * (a / b)", (f"{GRADIENTS}::test_binary",)),
    Mutant("broadcasting: stretched axes not summed", "autograd/ops/broadcasting.py",
           "grad.sum(stretched, keepdims=True) if stretched else grad",
           "grad.mean(stretched, keepdims=True) if stretched else grad",
           (f"{GRADIENTS}::test_binary",)),
    Mutant("power: exponent not lowered", "autograd/ops/arithmetic.py",
           "grad * exponent * a ** (exponent - 1)", "grad * exponent * a**exponent",
           (f"{GRADIENTS}::test_power",)),
    Mutant("maximum: ties get the whole gradient", "autograd/ops/choosing.py",
           "np.where(a == b, grad.dtype.type(0.5)", "np.where(a == b, grad.dtype.type(1.0)",
           (f"{GRADIENTS}::test_ties_share_the_gradient",)),
    Mutant("tanh: square dropped", "autograd/ops/elementwise.py",
           "grad * (1 - y * y)", "grad * (1 - y)", (f"{GRADIENTS}::test_pointwise",)),
    Mutant("sigmoid: factor (1 - y) dropped", "autograd/ops/elementwise.py",
           "grad * y * (1 - y)", "grad * y", (f"{GRADIENTS}::test_pointwise",)),
    Mutant("mean: not divided by the count", "autograd/ops/reductions.py",
           "grad / grad.dtype.type(count)", "grad", (f"{GRADIENTS}::test_reductions",)),
    Mutant("max: ties not shared", "autograd/ops/reductions.py",
           "share /= share.sum(axes, keepdims=True)", "share /= 1",
           (f"{GRADIENTS}::test_ties_share_the_gradient",)),
    Mutant("var: correction ignored in backward", "autograd/ops/reductions.py",
           "ctx.save(centered, axes, divisor)", "ctx.save(centered, axes, divisor + correction)",
           (f"{GRADIENTS}::test_var_with_correction",)),
    Mutant("permute: order not inverted", "autograd/ops/shapes.py",
           "grad.transpose(np.argsort([a % grad.ndim for a in axes]))", "grad.transpose(axes)",
           (f"{GRADIENTS}::test_shaping",)),
    Mutant("indexing: an entry taken twice counted once", "autograd/ops/indexing.py",
           "np.add.at(result, index, grad)", "result[index] = grad",
           (f"{GRADIENTS}::test_indexing",)),
    Mutant("embedding: a row taken twice counted once", "autograd/ops/indexing.py",
           "np.add.at(result, indices, grad)", "result[indices] = grad",
           (f"{GRADIENTS}::test_embedding_adds_up_rows_taken_twice",)),
    Mutant("matmul: B not transposed for A's gradient", "autograd/ops/products.py",
           "np.matmul(grad, b2.swapaxes(-1, -2))", "np.matmul(grad, b2)",
           (f"{GRADIENTS}::test_matmul",)),
    Mutant("softmax: inner product dropped", "autograd/ops/softmax.py",
           "return y * (grad - inner)", "return y * grad", (f"{GRADIENTS}::test_softmax",)),
    Mutant("layer norm: mean of the gradient dropped", "autograd/ops/normalization.py",
           "(g - g.mean(-1, keepdims=True) - normed * inner) * rstd",
           "(g - normed * inner) * rstd", (f"{GRADIENTS}::test_norms",)),
    Mutant("rms norm: projection dropped", "autograd/ops/normalization.py",
           "return (g - normed * inner) * rstd, grad_weight", "return g * rstd, grad_weight",
           (f"{GRADIENTS}::test_norms",)),
    Mutant("gelu: density term dropped", "autograd/ops/activations.py",
           " + x * np.exp(-0.5 * x * x) * (1 / sqrt(2 * pi))", "",
           (f"{GRADIENTS}::test_pointwise",)),
    Mutant("attention: scale dropped from the scores' gradient", "autograd/ops/attention.py",
           "grad_scores *= grad.dtype.type(1 / sqrt(q.shape[3]))", "pass",
           (f"{GRADIENTS}::test_attention",)),
    Mutant("causal attention: a token does not see itself", "autograd/ops/attention.py",
           "where=np.arange(k.shape[2]) > query)", "where=np.arange(k.shape[2]) >= query + (query == 0))",
           ("tests/autograd/test_parity.py::test_forward_and_backward_equal_pytorch",)),
    Mutant("cross-entropy: weights of the classes dropped", "autograd/ops/losses.py",
           "np.exp(logp) * wanted.sum(-1, keepdims=True) - wanted", "np.exp(logp) - wanted",
           (f"{GRADIENTS}::test_cross_entropy",)),
    Mutant("KL: one temperature too many", "autograd/ops/losses.py",
           "grad.dtype.type(temperature / len(log_q))",
           "grad.dtype.type(temperature**2 / len(log_q))", (f"{GRADIENTS}::test_other_losses",)),
    Mutant("dropout: mask applied forward only", "autograd/ops/activations.py",
           "return grad * mask, None", "return grad, None",
           (f"{GRADIENTS}::test_dropout_passes_the_gradient_of_what_was_kept",)),
    Mutant("engine: a second use overwrites the first", "autograd/backward.py",
           "node.grads[index] = _sum(before, grad)", "node.grads[index] = grad",
           (f"{GRAPH}::test_a_diamond_is_visited_once",)),
    Mutant("engine: leaves share gradient arrays", "autograd/backward.py",
           "tensor.grad = _sum(None, grad)", "tensor.grad = grad",
           (f"{GRAPH}::test_leaves_do_not_share_their_gradient_arrays",)),
    Mutant("engine: a hooked leaf forgets the pass before", "autograd/backward.py",
           "_keep(leaf, hooked_by(leaf._hooks or [], grad))",
           "leaf.grad = hooked_by(leaf._hooks or [], grad)",
           (f"{GRAPH}::test_gradients_add_up_over_passes_with_hooks_as_without",)),
    Mutant("engine: gradients without axes become numbers", "autograd/backward.py",
           "return np.asarray(np.add(before, grad, out=into))",
           "return np.add(before, grad, out=into)",
           (f"{GRAPH}::test_a_number_may_be_used_any_number_of_times",)),
]  # fmt: skip

FOLDERS = ("autograd",)

if __name__ == "__main__":
    sys.exit(mutation.report(MUTANTS, FOLDERS))
