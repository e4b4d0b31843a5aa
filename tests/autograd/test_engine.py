"""The graph: accumulation, retention, hooks, versions, depth, and what is refused."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import rawseg
from rawseg.autograd import Function, backward
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, GraphError, ShapeError


def test_hand_computed():
    x = rawseg.tensor([2.0, 3.0], requires_grad=True)
    y = (x * x + x).sum()
    y.backward()
    assert x.grad.tolist() == [5.0, 7.0]  # 2x + 1


@pytest.mark.spec("autograd.accumulation", "autograd.unused")
def test_gradients_accumulate_and_unused_leaves_stay_none():
    x, unused = rawseg.ones(2, requires_grad=True), rawseg.ones(2, requires_grad=True)
    (x * 2).sum().backward()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]
    assert unused.grad is None


def test_a_leaf_used_twice_and_a_diamond():
    x = rawseg.tensor([3.0], requires_grad=True)
    a = x * 2
    (a * a + a * x).backward()  # 4x^2 + 2x^2
    assert x.grad.item() == 36.0


def test_leaves_never_share_gradient_memory():
    a, b = rawseg.ones(2, requires_grad=True), rawseg.ones(2, requires_grad=True)
    seed = rawseg.ones(2)
    (a + b).backward(seed)
    a.grad.zero_()
    assert b.grad.tolist() == [1.0, 1.0]
    assert seed.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("length", [6, 40000])  # small arrays, and those of reused memory
def test_a_gradient_that_was_given_is_not_shared_in_another_shape(length):
    x, given = rawseg.ones(2, length // 2, requires_grad=True), rawseg.ones(length) * 3
    x.reshape(-1).backward(given)
    assert not np.shares_memory(x.grad.array, given.array)
    given.zero_()
    assert x.grad.tolist() == [[3] * (length // 2)] * 2


def test_a_gradient_that_a_hook_keeps_is_not_shared_in_another_shape():
    kept, x = [], rawseg.ones(2, 3, requires_grad=True)
    flat = x.reshape(-1)
    flat.register_hook(kept.append)
    (flat * 2).sum().backward()
    x.grad.zero_()
    assert kept[0].tolist() == [2] * 6


def test_a_long_chain_needs_no_recursion():
    x = rawseg.ones(1, requires_grad=True)
    y = x
    for _ in range(10_000):
        y = y + x
    y.backward()
    assert x.grad.item() == 10_001.0
    del y
    assert gc.collect() >= 0


def test_the_graph_is_freed_without_the_cycle_collector():
    gc.collect()
    gc.disable()
    try:
        x = rawseg.ones(4, requires_grad=True)
        middle = x.exp()  # saves its own output
        witness = weakref.ref(middle)
        loss = (middle * middle).sum()
        del middle
        loss.backward()
        del loss
        assert witness() is None
    finally:
        gc.enable()


@pytest.mark.spec("autograd.freed")
def test_a_second_backward_needs_retain_graph():
    x = rawseg.ones(2, requires_grad=True)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 4.0]
    with pytest.raises(GraphError, match="retain_graph=True"):
        y.backward()
    assert x.grad.tolist() == [4.0, 4.0]


@pytest.mark.spec("autograd.version")
def test_an_in_place_change_of_a_saved_array_is_noticed():
    x, w = rawseg.ones(2), rawseg.ones(2, requires_grad=True)
    y = (x * w).sum()
    x.add_(1)
    with pytest.raises(GraphError, match="Mul: saved array: expected version 0, as forward saw it, got version 1"):
        y.backward()
    assert w.grad is None


def test_a_change_through_a_view_is_noticed():
    x, w = rawseg.ones(2, 2), rawseg.ones(2, 2, requires_grad=True)
    y = (x * w).sum()
    x[0][1] = 5.0
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()


def test_a_change_through_a_detached_twin_is_noticed():
    x, data = rawseg.ones(2, requires_grad=True), rawseg.ones(2)
    y = (x * data).sum()
    data.detach().zero_()
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()


@pytest.mark.spec("autograd.version")
def test_a_change_of_a_saved_output_is_noticed():
    x = rawseg.ones(2, requires_grad=True)
    y = x.exp()
    with rawseg.no_grad():
        y.zero_()
    with pytest.raises(GraphError, match="Exp: saved array"):
        y.sum().backward()


def test_writing_to_what_the_graph_depends_on_is_refused():
    x = rawseg.ones(2, requires_grad=True)
    for write in (lambda: x.add_(1), lambda: x.__setitem__(0, 1.0), lambda: (x * 2).zero_()):
        with pytest.raises(GraphError, match="no_grad"):
            write()
    with rawseg.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 2.0]
    plain = rawseg.zeros(2)
    with pytest.raises(GraphError, match="use where or cat"):
        plain[0] = x[0]


def test_numpy_of_a_graph_tensor_is_read_only():
    x, data = rawseg.ones(2, requires_grad=True), rawseg.ones(2)
    y = x * data
    for tensor in (x, data, y):
        if tensor is not y:
            assert not tensor.numpy().flags.writeable
    parameter = rawseg.ones(2, requires_grad=True)  # before anything is computed from it, and what is computed
    assert not parameter.numpy().flags.writeable
    assert not (parameter + 1).numpy().flags.writeable
    free = rawseg.zeros(2)
    free.numpy()[0] = 7
    assert free.tolist() == [7.0, 0.0]


def test_no_grad_records_nothing_and_nests():
    x = rawseg.ones(1, requires_grad=True)
    with rawseg.no_grad():
        assert not (x * 2).requires_grad
        with rawseg.enable_grad():
            assert (x * 2).requires_grad
        assert not rawseg.is_grad_enabled()

    @rawseg.no_grad()
    def silent():
        return x * 2

    assert not silent().requires_grad
    assert rawseg.is_grad_enabled()


def test_grad_of_a_computed_tensor_and_of_unused_ones():
    x = rawseg.tensor([2.0], requires_grad=True)
    y = x * x
    z = y * y * x
    gy, gx = rawseg.grad(z, [y, x], retain_graph=True)
    assert (gy.item(), gx.item()) == (2 * 4 * 2, 5 * 16)  # dz/dy = 2yx; dz/dx = 5x^4
    assert x.grad is None
    other = rawseg.ones(1, requires_grad=True)
    with pytest.raises(GraphError, match=r"inputs\[0\]: expected an input that the outputs depend on"):
        rawseg.grad(z, other, retain_graph=True)
    assert rawseg.grad(z, other, allow_unused=True) == (None,)


def test_third_derivative():
    x = rawseg.tensor([1.5], dtype=np.float64, requires_grad=True)
    y = x**4
    for _ in range(3):
        (y,) = rawseg.grad(y, x, create_graph=True)
    assert y.item() == 24 * 1.5


def test_create_graph_accumulates_differentiable_gradients():
    x = rawseg.tensor([3.0], requires_grad=True)
    (x**3).backward(create_graph=True)
    first = x.grad
    assert first.requires_grad
    (second,) = rawseg.grad(first, x)
    assert second.item() == 18.0


def test_backward_of_selected_inputs_only():
    a, b = rawseg.ones(1, requires_grad=True), rawseg.ones(1, requires_grad=True)
    backward((a * b).sum(), inputs=[a])
    assert a.grad.item() == 1.0
    assert b.grad is None
    backward([a * b, b], inputs=[a])  # a leaf that is differentiated itself is not asked for either
    assert a.grad.item() == 2.0
    assert b.grad is None


def test_hooks_see_and_replace_gradients():
    x = rawseg.ones(2, requires_grad=True)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    handle = x.register_hook(lambda g: g * 10)
    y.retain_grad()
    (y * 3).sum().backward(retain_graph=True)
    assert seen == [[3.0, 3.0]]
    assert y.grad.tolist() == [3.0, 3.0]
    assert x.grad.tolist() == [60.0, 60.0]
    handle.remove()
    x.grad = None
    (y * 3).sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]
    x.register_hook(lambda g: g.sum())
    with pytest.raises(GraphError, match=r"hook: gradient: expected shape \(2,\)"):
        (x * 1).sum().backward()


def test_a_hook_of_a_computed_tensor_replaces_its_gradient():
    x = rawseg.ones(2, requires_grad=True)
    y = x * 2
    y.register_hook(lambda g: g * 10)
    y.sum().backward()
    assert x.grad.tolist() == [20.0, 20.0]


@pytest.mark.spec("autograd.seed")
def test_non_scalars_need_a_gradient_of_their_shape_and_dtype():
    x = rawseg.ones(2, requires_grad=True)
    with pytest.raises(ShapeError, match=r"gradient of shape \(2,\)"):
        (x * 2).backward()
    with pytest.raises(ShapeError, match=r"expected shape \(2,\), got shape \(3,\)"):
        (x * 2).backward(rawseg.ones(3))
    with pytest.raises(ShapeError, match=r"expected shape \(2,\), got shape \(2, 1\)"):
        (x * 2).backward(rawseg.ones(2, 1))
    with pytest.raises(DTypeError, match="expected float32, got float64"):
        (x * 2).backward(rawseg.ones(2, dtype=np.float64))
    with pytest.raises(GraphError, match="one that has no graph"):
        rawseg.ones(1).backward()
    with pytest.raises(ArgumentError, match="expected 1, one for each tensor, got 2"):
        backward(x.sum(), [None, None])


class Broken(Function):
    """Returns a gradient of the wrong shape."""

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.sum()


class FirstOrderOnly(Function):
    """Has no second derivative."""

    second_order = False

    @staticmethod
    def forward(ctx, x):
        return x * 2

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * 2


def test_every_edge_is_guarded():
    x = rawseg.ones(2, requires_grad=True)
    with pytest.raises(GraphError, match=r"Broken: gradient of input 0: expected \(2,\) float32 cpu, got \(\) float32 cpu"):
        Broken.apply(x).sum().backward()
    assert x.grad is None


def test_a_function_without_second_derivative_says_so():
    x = rawseg.ones(2, requires_grad=True)
    FirstOrderOnly.apply(x).sum().backward()
    with pytest.raises(GraphError, match=r"FirstOrderOnly: create_graph: .* no second derivative"):
        FirstOrderOnly.apply(x).sum().backward(create_graph=True)


@pytest.mark.spec("autograd.exception")
def test_an_exception_in_backward_changes_no_gradient():
    x, y = rawseg.ones(2, requires_grad=True), rawseg.ones(2, requires_grad=True)
    loss = (y * 3).sum() + Broken.apply(x).sum()
    with pytest.raises(GraphError):
        loss.backward()
    assert x.grad is None
    assert y.grad is None


@pytest.mark.spec("autograd.anomaly")
def test_anomaly_detection_names_the_operation():
    x = rawseg.tensor([0.0], requires_grad=True)
    with rawseg.detect_anomaly(), pytest.raises(GraphError, match="Log: out: expected finite values"):
        x.log()
    y = x.sqrt()
    with rawseg.detect_anomaly(), pytest.raises(GraphError, match="Sqrt: gradient: expected finite values"):
        y.backward()


def test_inputs_may_be_one_tensor():
    x, other = rawseg.tensor([2.0, 3.0], requires_grad=True), rawseg.ones(2, requires_grad=True)
    (x * x * other).sum().backward(inputs=x)
    assert (x.grad.tolist(), other.grad) == ([4.0, 6.0], None)


def test_set_grad_enabled_is_a_call_a_block_and_a_decorator():
    rawseg.set_grad_enabled(False)
    assert not rawseg.is_grad_enabled()
    with rawseg.set_grad_enabled(True):
        assert rawseg.is_grad_enabled()
    assert not rawseg.is_grad_enabled()
    rawseg.set_grad_enabled(True)
    quiet = rawseg.set_grad_enabled(False)(rawseg.is_grad_enabled)
    assert (rawseg.is_grad_enabled(), quiet(), rawseg.is_grad_enabled()) == (True, False, True)


@pytest.mark.parametrize("takes_none", [False, True])
def test_an_output_that_nothing_depends_on_has_zeros_for_a_gradient_or_none(takes_none):
    class Twins(Function):
        @staticmethod
        def forward(ctx, x):
            return x + 0, x * 2

        @staticmethod
        def backward(ctx, first, second):
            seen.append(second)
            return first

    seen = []
    Twins.takes_none = takes_none
    x = rawseg.tensor([1.0, 2.0], requires_grad=True)
    Twins.apply(x)[0].sum().backward()
    assert x.grad.tolist() == [1, 1]
    assert (seen[0] is None) if takes_none else (seen[0].tolist() == [0, 0])


def test_gradients_are_tensors():
    class Careless(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output.array * 2

    x = rawseg.ones(1, requires_grad=True)
    with pytest.raises(ArgumentTypeError, match="Careless: gradient of input 0: expected a Tensor or None, got ndarray"):
        Careless.apply(x).backward()
    x.register_hook(lambda gradient: gradient.array)
    with pytest.raises(ArgumentTypeError, match="hook: gradient: expected a Tensor or None, got ndarray"):
        (x * 2).backward()
