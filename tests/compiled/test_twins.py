"""Every operation that has a compiled twin: NumPy against twin, forward and backward.

`CASES` draws inputs for each registered name and states how far the two may be apart;
0 promises the same bits. A new twin without an entry fails `test_every_twin_is_tested`.
"""

import importlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import tinyternary.compiled
from tests.marks import needs_compiled
from tinyternary import Tensor
from tinyternary.autograd import Context, Function, backward
from tinyternary.autograd.ops import (
    activations,
    arithmetic,
    attention,
    normalization,
    packed_attention,
    products,
    softmax,
)
from tinyternary.compiled import twins
from tinyternary.quant.activations import absmax
from tinyternary.quant.rules import absmean
from tinyternary.train import optimizers

pytestmark = needs_compiled

sizes = st.integers(1, 70)
seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from(["contiguous", "read-only", "every other", "transposed"])


def normal(seed, *shape, scale=1.0):
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def strided(x, kind):
    """The same numbers with other strides, or read-only."""
    if kind == "every other":
        wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
        wide[..., ::2] = x
        return wide[..., ::2]
    if kind == "transposed":
        return np.ascontiguousarray(x.swapaxes(0, -1)).swapaxes(0, -1)
    x = x.copy()
    x.flags.writeable = kind != "read-only"
    return x


# ---- what each operation is given: arrays, keywords -------------------------------------


@st.composite
def rows(draw, most=70, scales=(1.0,)):
    shape = (draw(st.integers(1, most)), draw(sizes))
    return strided(normal(draw(seeds), *shape, scale=draw(st.sampled_from(scales))), draw(kinds))


@st.composite
def for_add(draw):
    size = draw(st.integers(1 << 14, 40_000))
    return tuple(normal(draw(seeds), size) for _ in range(2)), {}


@st.composite
def for_accumulate(draw):
    before, grad = draw(for_add())[0]
    return draw(st.sampled_from([(None, grad), (before, grad), (before, grad, before)])), {}


@st.composite
def for_gelu(draw):
    return (draw(rows(scales=(0.1, 3.0))),), {
        "approximate": draw(st.sampled_from(["none", "tanh"]))
    }


@st.composite
def for_softmax(draw):
    return (draw(rows(scales=(0.01, 1.0, 50.0))),), {"axis": draw(st.sampled_from([-1, 1]))}


@st.composite
def for_layer_norm(draw):
    x = draw(rows(most=600))
    weight, bias = normal(draw(seeds), 2, x.shape[1])
    return (x, weight, draw(st.sampled_from([bias, None]))), {"eps": 1e-3}


@st.composite
def for_rms_norm(draw):
    (x, weight, _), options = draw(for_layer_norm())
    return (x, draw(st.sampled_from([weight, None]))), options


@st.composite
def for_linear(draw):
    def size():  # whole vectors more often than not
        return draw(st.one_of(st.integers(1, 9).map(lambda n: 16 * n), st.integers(1, 150)))

    m, k, n = draw(st.integers(1, 400)), size(), size()
    x = strided(normal(draw(seeds), m, k), draw(kinds))
    return (x, normal(draw(seeds), n, k), draw(st.sampled_from([normal(draw(seeds), n), None]))), {}


@st.composite
def for_attention(draw):
    batch, kv, group = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    tokens, keys, depth = (
        draw(st.integers(1, 150)),
        draw(st.integers(1, 150)),
        draw(st.sampled_from([1, 6, 10, 16, 26, 32, 64])),
    )
    if draw(st.booleans()):  # heads of one array, beside each other
        qkv = normal(draw(seeds), batch, tokens, kv * (group + 2), depth).transpose(0, 2, 1, 3)
        parts = tuple(np.split(qkv, (kv * group, kv * (group + 1)), axis=1))
        return parts, {"causal": draw(st.booleans())}
    q = strided(normal(draw(seeds), batch, kv * group, tokens, depth), draw(kinds))
    return (q, *(normal(draw(seeds), batch, kv, keys, depth) for _ in range(2))), {}


@st.composite
def for_packed_attention(draw):
    kv, group, depth = (
        draw(st.integers(1, 2)),
        draw(st.integers(1, 3)),
        draw(st.sampled_from([1, 6, 16, 26, 32])),
    )
    qkv = normal(
        draw(seeds), draw(st.integers(1, 3)), draw(st.integers(1, 150)), kv * (group + 2) * depth
    )
    static = {"heads": kv * group, "kv_heads": kv, "causal": draw(st.booleans())}
    if draw(st.booleans()):  # scores of 0, -1, -2, ...: no exponential is near the middle of steps
        x = qkv.reshape(*qkv.shape[:2], kv * (group + 2), depth)
        x[:, :, : kv * group] = 0
        x[:, :, : kv * group, 0] = draw(st.sampled_from([1, 2]))
        x[:, :, kv * group : -kv, 0] = -np.floor(np.abs(3 * x[:, :, -kv:, 0])) * np.sqrt(depth)
        static["steps"] = 127
    return (strided(qkv, draw(kinds)),), static


@st.composite
def for_absmax(draw):
    return (draw(rows(scales=(1e-7, 1.0, 1e4))),), {"bits": draw(st.sampled_from([8, 7, 4]))}


@st.composite
def for_absmean(draw):
    return (draw(rows(scales=(1e-7, 1.0, 1e4))),), {"alpha": np.float32(draw(st.floats(1e-5, 10)))}


@st.composite
def for_adamw(draw):
    size = draw(st.integers(1, 3000))
    weight, grad, mean, root = (normal(draw(seeds), size) for _ in range(4))
    options = (
        1e-2,
        0.9,
        0.999,
        1e-8,
        draw(st.sampled_from([0.0, 0.1])),
        draw(st.integers(1, 1000)),
    )
    return (weight, grad, mean, root**2, *options), {}


def near(tolerance):
    def agree(found, expected):
        bound = tolerance * (1 + np.abs(expected).max(initial=0))
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=bound if tolerance else 0)

    return agree


def but_for_ties(found, expected):
    """The norms differ by roundings, and so may a value beside a tie take the next code."""
    code = 1.001 * np.abs(expected).max(-1, keepdims=True) / 127 + 1e-9
    far = np.abs(found - expected) > 2e-5 * (1 + np.abs(expected))
    assert (np.abs(found - expected) <= code).all()
    assert far.sum() <= 2 + 0.01 * far.size


CASES = {  # the NumPy form, what it is given, how near forward and backward have to be
    "Add": (arithmetic.Add, for_add(), near(0), near(0)),
    "Accumulate": (backward._sum.__wrapped__, for_accumulate(), near(0), None),
    "Gelu": (activations.Gelu, for_gelu(), near(2e-6), near(2e-6)),
    "Softmax": (softmax.Softmax, for_softmax(), near(2e-6), near(2e-6)),
    "LayerNorm": (normalization.LayerNorm, for_layer_norm(), near(2e-5), near(2e-5)),
    "RMSNorm": (normalization.RMSNorm, for_rms_norm(), near(2e-5), near(2e-5)),
    "Linear": (products.Linear, for_linear(), near(1e-5), near(1e-5)),
    "Attention": (attention.Attention, for_attention(), near(5e-6), near(2e-5)),
    "PackedAttention": (
        packed_attention.PackedAttention, for_packed_attention(), near(5e-6), near(2e-5),
    ),
    "FakeAbsmax": (absmax.FakeAbsmax, for_absmax(), near(0), near(0)),
    "NormAbsmax": (absmax.NormAbsmax, for_rms_norm(), but_for_ties, near(2e-5)),
    "FakeAbsmean": (absmean.FakeAbsmean, for_absmean(), near(0), near(0)),
    "AdamW": (optimizers._adamw.__wrapped__, for_adamw(), near(2e-6), None),
}  # fmt: skip


def answers(face, arrays, static):
    """What a form of an operation makes of inputs: its results, and the gradients of a drawn one."""
    arrays = tuple(
        a.copy(order="K") if isinstance(a, np.ndarray) and a.flags.writeable else a for a in arrays
    )
    if not hasattr(face, "backward"):  # in place, or without a graph
        forward = (
            face if not hasattr(face, "forward") else lambda *a, **s: face.forward(None, *a, **s)
        )
        result = forward(*arrays, **static)
        return [result] if result is not None else list(arrays[:4]), []
    ctx = Context(face)
    ctx.needs = tuple(a is not None for a in arrays)
    out = face.forward(ctx, *arrays, **static)
    grads = face.backward(ctx, normal(7, *out.shape))
    return [out], list(grads) if isinstance(grads, tuple) else [grads]


def compare(name, arrays, static):
    plain, _, near_forward, near_backward = CASES[name]
    twin = twins.twin(name)
    assert twin.fits(*arrays, **static)
    found, expected = answers(twin, arrays, static), answers(plain, arrays, static)
    for side, agree in enumerate((near_forward, near_backward)):
        assert len(found[side]) == len(expected[side])
        for a, b in zip(found[side], expected[side]):
            assert (a is None) == (b is None)
            if a is not None:
                assert (a.dtype, a.shape) == (b.dtype, b.shape)
                agree(a, b)


@pytest.mark.parametrize("name", CASES)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_twin_equals_numpy(name, data):
    compare(name, *data.draw(CASES[name][1]))


FAR = np.array(
    [0, -0.0, 1e-30, -1e-12, 1, -3, 20, -20, 88, -100, 1e10, -1e10, 1e25, -1e25, np.inf, np.nan],
    np.float32,
)  # fmt: skip
FAR_ROWS = np.array(
    [
        [0, -np.inf, 1], [-np.inf] * 3, [1e30, 0, -1e30], [200, 0, -200], [np.nan, 0, 1],
        [0, np.nan, 1], [0, 1, np.nan], [np.inf, 0, 1], [-200, -200.5, -np.inf], [1e-30] * 3,
    ],
    np.float32,
)  # fmt: skip


def far_in_a_matrix(name, value):
    """Inputs of a product or of attention, one entry of one of them far out."""
    shapes = [(5, 16), (16, 16), (16,)] if name == "Linear" else [(1, 2, 5, 16)] * 3
    for which in range(len(shapes)):
        arrays = [normal(number, *shape) for number, shape in enumerate(shapes)]
        arrays[which].flat[9] = value
        yield tuple(arrays), {}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ["Gelu", "Softmax", "Linear", "Attention", "AdamW"])
def test_twins_are_numpys_far_out_and_beside_what_is_no_number(name):
    plain = CASES[name][0]
    if name == "Gelu":
        cases = [((FAR,), {"approximate": kind}) for kind in ("none", "tanh")]
    elif name == "Softmax":
        cases = [((FAR_ROWS,), {"axis": -1})]
    elif name == "AdamW":
        states = np.zeros((2, FAR.size), np.float32)
        cases = [((np.ones_like(FAR), FAR, *states, 1e-2, 0.9, 0.999, 1e-8, 0.1, 1), {})]
    else:
        cases = [case for value in (np.nan, np.inf, 1e25) for case in far_in_a_matrix(name, value)]
    for arrays, static in cases:
        found, expected = answers(twins.twin(name), arrays, static), answers(plain, arrays, static)
        for a, b in zip([*found[0], *found[1]], [*expected[0], *expected[1]]):
            atol = 1e-6
            if name == "Gelu":  # its erf ends at 1 - 6e-8, which leaves that share of |x|
                finite = np.isfinite(arrays[0])
                a, b = (np.where(finite, y / np.maximum(1, np.abs(arrays[0])), y) for y in (a, b))
                atol = 1e-7
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=atol)


def test_every_twin_is_tested():
    folder = Path(tinyternary.compiled.__file__).parent
    for path in folder.glob("*.py"):
        importlib.import_module(f"tinyternary.compiled.{path.stem}")
    assert twins._twins.keys() == twins.FILES.keys() == CASES.keys()


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("side", ["forward", "backward"])
@settings(deadline=None, max_examples=5)
@given(data=st.data())
def test_a_wrong_twin_is_noticed(name, side, data):
    twin = twins.twin(name)
    if not hasattr(twin, side):
        return
    arrays, static = data.draw(CASES[name][1])
    right = vars(twin).get(side)
    method = getattr(twin, side)

    def spoil(x):
        x = x.copy()
        x.flat[x.size // 2] += 0.1 * (1 + np.abs(x).max())  # one entry of all
        return x

    def wrong(ctx, *given, **options):
        result = method(ctx, *given, **options)
        if result is None:  # in place
            given[0][...] = spoil(given[0])
            return None
        if isinstance(result, tuple):
            return (spoil(result[0]), *result[1:])
        return spoil(result)

    try:
        setattr(twin, side, staticmethod(wrong))
        with pytest.raises(AssertionError):
            compare(name, arrays, static)
    finally:
        if right is None:
            delattr(twin, side)
        else:
            setattr(twin, side, right)
    compare(name, arrays, static)


# ---- who runs when ----------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch):
    """Names of the sides of Gelu's twin that ran."""
    twin, seen = twins.twin("Gelu"), []

    def watch(side, method):
        def spy(*given, **options):
            seen.append(side)
            return method(*given, **options)

        monkeypatch.setattr(twin, side, staticmethod(spy))

    watch("forward", twin.forward)
    watch("backward", twin.backward)
    return seen


def test_the_twin_runs_where_it_fits_and_backward_follows(calls):
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    x.gelu().sum().backward()
    assert calls == ["forward", "backward"]
    x = Tensor(np.ones(3), requires_grad=True)  # float64: checked gradients are NumPy's
    x.gelu().sum().backward()
    assert calls == ["forward", "backward"]


def test_an_operation_of_somebody_else_keeps_its_own_forward(calls):
    class Gelu(Function):
        @staticmethod
        def forward(ctx, x):
            return x + 1

        @staticmethod
        def backward(ctx, grad):
            return grad

    assert Gelu.apply(np.zeros(2, np.float32)).data.tolist() == [1, 1]
    assert calls == []


def test_a_function_of_arrays_runs_the_forward_alone(calls):
    @twins.with_twin("Gelu")
    def half(x, approximate):
        return x / 2

    assert half(np.array([100], np.float32), "none").tolist() == [100]
    assert half(np.array([100.0]), "none").tolist() == [50]
    assert calls == ["forward"]


def test_without_the_compiler_nothing_is_registered(monkeypatch):
    monkeypatch.setenv("TINYTERNARY_JIT", "0")
    assert [twins.twin(name) for name in twins.FILES] == [None] * len(twins.FILES)


def test_unknown_operations_have_no_twin():
    assert twins.twin("Exp") is None
