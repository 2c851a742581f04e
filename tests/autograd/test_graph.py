"""The graph: accumulation, freeing, hooks, modes, types, and time linear in its size."""

import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import tinyternary.autograd as ag
from tinyternary.autograd import Function, Tensor, no_grad
from tinyternary.errors import ShapeError, TinyTernaryError


def leaf(*values):
    return Tensor(np.array(values, np.float64), requires_grad=True)


def test_gradients_add_up_over_uses_and_over_backward_passes():
    x = leaf(2.0, 3.0)
    (x * x + x).sum().backward()
    np.testing.assert_allclose(x.grad, [5, 7])
    (3 * x).sum().backward()
    np.testing.assert_allclose(x.grad, [8, 10])


@pytest.mark.parametrize("uses", [1, 2, 3, 4])
def test_a_number_may_be_used_any_number_of_times(uses):
    x = leaf(1.0, 2.0)
    number = Tensor(2.0, requires_grad=True)
    s = (x.sum() + number).retain_grad()
    total = s * 1.0
    for _ in range(1, uses):
        total = total + s
    total.backward()
    for tensor in (x, number, s):
        assert isinstance(tensor.grad, np.ndarray)
        np.testing.assert_array_equal(tensor.grad, np.full(tensor.shape, uses))


def test_leaves_do_not_share_their_gradient_arrays():
    x, y = leaf(1.0), leaf(2.0)
    (x + y).sum().backward()
    x.grad += 10
    np.testing.assert_allclose(y.grad, [1])
    upstream = np.ones(1)
    (x + 0).backward(upstream)
    x.grad += 1
    np.testing.assert_allclose(upstream, [1])


def test_a_diamond_is_visited_once():
    calls = []

    class Counted(Function):
        @staticmethod
        def forward(ctx, x):
            return x + 0

        @staticmethod
        def backward(ctx, grad):
            calls.append(grad.copy())
            return grad

    x = leaf(1.0)
    y = Counted.apply(x)
    (y * 2 + y * 3 + y).sum().backward()
    assert len(calls) == 1
    np.testing.assert_allclose(calls[0], [6])


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), operations=st.integers(1, 25))
def test_random_graphs_agree_with_finite_differences(seed, operations):
    def build(a, b):
        rng = np.random.default_rng(seed)
        made = [a, b]
        for _ in range(operations):
            i, j = rng.integers(0, len(made), 2)
            kind = rng.integers(0, 4)
            x, y = made[i], made[j]
            if kind == 0:
                made.append(x + y)
            elif kind == 1:
                made.append(x * y.tanh())
            elif kind == 2:
                made.append((x - y).tanh())
            else:
                made.append(ag.stack([x, y]).mean(0))
        return made[-1]

    rng = np.random.default_rng(seed + 1)
    assert ag.gradcheck(build, rng.standard_normal(3), rng.standard_normal(3), atol=1e-5)


def test_a_second_backward_says_that_the_graph_was_freed():
    x = leaf(1.0)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(TinyTernaryError, match=r"freed by an earlier backward.*retain_graph=True"):
        y.backward()
    np.testing.assert_allclose(x.grad, [2])
    z = (x * x).sum()
    z.backward(retain_graph=True)
    z.backward()
    np.testing.assert_allclose(x.grad, [6])


def test_a_shared_part_that_was_freed_is_noticed():
    x = leaf(1.0)
    shared = x * x
    (shared * 2).sum().backward()
    with pytest.raises(TinyTernaryError, match="freed"):
        (shared * 3).sum().backward()


def test_no_grad_and_detach_record_nothing():
    x = leaf(1.0)
    with no_grad():
        y = x * 2
        with no_grad():
            pass
        assert not (x * 2).requires_grad
    assert not y.requires_grad
    assert (x * 2).requires_grad
    assert not (x.detach() * 2).requires_grad

    @no_grad()
    def inside(t):
        return t * 2

    assert not inside(x).requires_grad
    (x * x.detach()).sum().backward()
    np.testing.assert_allclose(x.grad, [1])
    with pytest.raises(TinyTernaryError, match="nothing here requires a gradient"):
        y.sum().backward()


def test_no_grad_ends_after_an_exception():
    x = leaf(1.0)
    with pytest.raises(ZeroDivisionError), no_grad():
        1 / 0  # noqa: B018
    assert (x * 2).requires_grad


def test_hooks_see_the_whole_gradient_and_may_change_it():
    x = leaf(1.0, 2.0)
    y = x * 3
    seen = []
    remove = y.register_hook(lambda g: seen.append(g.copy()))
    y.register_hook(lambda g: g * 10)
    leaf_seen = []
    x.register_hook(lambda g: leaf_seen.append(g.copy()))
    (y * 2 + y + x).sum().backward()
    np.testing.assert_allclose(seen, [[3, 3]])
    np.testing.assert_allclose(leaf_seen, [[91, 91]])  # once, with both paths in it
    np.testing.assert_allclose(x.grad, [91, 91])
    remove()
    remove()  # a second time does no harm
    with pytest.raises(TinyTernaryError, match="register_hook"):
        Tensor([1.0]).register_hook(print)


def test_retain_grad_keeps_the_gradient_of_a_result():
    x = leaf(1.0, 2.0)
    y = (x * 3).retain_grad()
    (y * y).sum().backward()
    np.testing.assert_allclose(y.grad, [6, 12])


def test_what_is_retained_is_what_goes_on_whatever_the_order_of_hooks():
    for first in ("retain", "hook"):
        x = leaf(1.0, 2.0)
        y = x * 3
        if first == "retain":
            y.retain_grad()
        y.register_hook(lambda g: g * 10)
        y.retain_grad()
        y.retain_grad()  # a second time changes nothing
        (y * y).sum().backward()
        np.testing.assert_allclose(y.grad, [60, 120])
        np.testing.assert_allclose(x.grad, [180, 360])
    with pytest.raises(TinyTernaryError, match=r"retain_grad: .*does not require"):
        Tensor([1.0]).retain_grad()


@pytest.mark.parametrize("shape", [(), (2,)])
def test_gradients_add_up_over_passes_with_hooks_as_without(shape):
    x = Tensor(np.full(shape, 2.0), requires_grad=True)
    hooked = Tensor(np.full(shape, 2.0), requires_grad=True)
    hooked.register_hook(lambda g: g * 10)
    for _ in range(3):
        (x * x + x).sum().backward()
        (hooked * hooked + hooked).sum().backward()
    np.testing.assert_allclose(x.grad, np.full(shape, 15.0))
    np.testing.assert_allclose(hooked.grad, np.full(shape, 150.0))
    y = (x * 1).retain_grad()
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    np.testing.assert_allclose(y.grad, np.full(shape, 2.0))


def test_a_hook_may_not_change_the_shape():
    x = leaf(1.0, 2.0)
    y = x * 3
    y.register_hook(lambda g: g[:1])
    with pytest.raises(ShapeError, match=r"register_hook: .*\(2,\) into one of shape \(1,\)"):
        y.sum().backward()


def test_backward_of_a_non_scalar_wants_its_gradient():
    x = leaf(1.0, 2.0)
    with pytest.raises(ShapeError, match=r"shape \(2,\) needs a gradient"):
        (x * 2).backward()
    with pytest.raises(ShapeError, match=r"grad has shape \(3,\), the tensor has shape \(2,\)"):
        (x * 2).backward(np.ones(3))
    (x * 2).backward([1.0, 10.0])
    np.testing.assert_allclose(x.grad, [2, 20])


def test_split_uses_one_node_and_unused_parts_get_zero():
    x = leaf(1.0, 2.0, 3.0)
    a, _, c = ag.split(x, 3)
    (a * 2 + c * 5).sum().backward()
    np.testing.assert_allclose(x.grad, [2, 0, 5])


def test_an_error_inside_backward_leaves_no_half_sums():
    class Fails(Function):
        broken = True

        @staticmethod
        def forward(ctx, x):
            return x + 0

        @staticmethod
        def backward(ctx, grad):
            if Fails.broken:
                raise RuntimeError("on purpose")
            return grad

    x = leaf(1.0)
    y = x * 2
    z = (Fails.apply(y) + y).sum()
    with pytest.raises(RuntimeError, match="on purpose"):
        z.backward(retain_graph=True)
    Fails.broken = False
    z.backward()
    np.testing.assert_allclose(x.grad, [4])


# ---- types -----------------------------------------------------------------------------


def test_float32_is_the_default_and_float64_is_kept():
    assert Tensor([1, 2.5]).dtype == np.float32
    assert Tensor(3.0).dtype == np.float32
    assert Tensor(np.ones(2)).dtype == np.float64
    assert Tensor(np.ones(2, np.float16)).dtype == np.float32
    assert Tensor(np.arange(3)).dtype.kind == "i"
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    for y in (x * 2, 2 / x, x + np.arange(3), x - np.float64(0.3), x**2, x.mean(), x.var(), x.gelu(), -x, x * [1, 2, 3]):  # fmt: skip
        assert y.dtype == np.float32, y
        x.grad = None
        y.sum().backward()
        assert x.grad.dtype == np.float32


def test_mixed_precision_gradients_come_back_in_the_leaf_type():
    x = Tensor(np.ones(3, np.float32), requires_grad=True)
    (x * Tensor(np.ones(3, np.float64))).sum().backward()
    assert x.grad.dtype == np.float32


def test_keeps_arrays_without_copying():
    data = np.ones(3, np.float32)
    assert Tensor(data).data is data
    assert Tensor(data).numpy() is data


@pytest.mark.parametrize("data", [np.arange(3), [1, 2], np.array([True])])
def test_integers_refuse_gradients(data):
    with pytest.raises(ShapeError, match=r"only floats have gradients, got (int|bool)"):
        Tensor(data, requires_grad=True)


def test_text_is_no_data():
    with pytest.raises(ShapeError, match="expected numbers, got str"):
        Tensor("abc")


def test_a_tensor_with_a_gradient_does_not_become_an_array_unnoticed():
    x = leaf(1.0)
    with pytest.raises(TinyTernaryError, match="detach"):
        np.asarray(x)
    np.testing.assert_allclose(np.asarray(x.detach()), [1])


def test_an_array_on_the_left_gives_a_tensor():
    x = leaf(1.0, 2.0)
    y = np.array([3.0, 4.0]) * x
    assert isinstance(y, Tensor)
    assert isinstance(np.ones((2, 2)) @ x, Tensor)
    y.sum().backward()
    np.testing.assert_allclose(x.grad, [3, 4])


def test_comparisons_give_plain_bools():
    x = leaf(1.0, 2.0)
    assert (x > 1.5).tolist() == [False, True]
    assert (x <= x).all()


def test_repr_tells_shape_and_origin():
    x = leaf(1.0, 2.0)
    assert "shape=(2,)" in repr(x)
    assert "requires_grad=True" in repr(x)
    assert "made by Multiply" in repr(x * 2)


def test_wrong_functions_are_told_what_is_wrong():
    class Short(Function):
        @staticmethod
        def forward(ctx, x):
            return x + 0

        @staticmethod
        def backward(ctx, grad):
            return grad[:1]

    class Many(Short):
        @staticmethod
        def backward(ctx, grad):
            return grad, grad

    with pytest.raises(ShapeError, match=r"Short.backward: gradient 0 has shape \(1,\)"):
        Short.apply(leaf(1.0, 2.0)).sum().backward()
    with pytest.raises(TinyTernaryError, match="returned 2 gradients for 1 inputs"):
        Many.apply(leaf(1.0, 2.0)).sum().backward()


# ---- time ------------------------------------------------------------------------------


def chain(length):
    x = leaf(1.0)
    y = x
    for _ in range(length):
        y = y * 1.0
    start = time.process_time()  # of this process alone: the machine may be busy
    y.sum().backward()
    seconds = time.process_time() - start
    np.testing.assert_allclose(x.grad, [1])
    return seconds


def test_ten_thousand_operations_cost_linear_time_and_no_recursion():
    chain(1000)
    short = min(chain(2_500) for _ in range(5))
    long = min(chain(10_000) for _ in range(5))
    assert long < 10 * short  # four times the operations; quadratic would cost sixteen times


def test_sixty_four_residual_blocks_are_not_exponential():
    calls = []

    class Counted(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 0.5

        @staticmethod
        def backward(ctx, grad):
            calls.append(1)
            return grad * 0.5

    x = leaf(1.0)
    y = x
    for _ in range(64):
        y = y + Counted.apply(y)  # 2^64 paths lead from y to x
    y.sum().backward()
    assert len(calls) == 64
    np.testing.assert_allclose(x.grad, [1.5**64])


def test_the_graph_is_freed_without_the_cycle_collector():
    import gc
    import weakref

    class Big(np.ndarray):
        pass

    gc.disable()
    try:
        x = leaf(1.0)
        kept = np.zeros(1000).view(Big)
        watch = weakref.ref(kept)
        y = (x * Tensor(kept)).sum()
        del kept
        assert watch() is not None
        y.backward()
        assert watch() is None  # what Multiply saved is gone, though y lives on
    finally:
        gc.enable()
