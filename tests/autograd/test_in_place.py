"""What writes to a Tensor, what only looks like it, and what is refused before anything changes."""

from __future__ import annotations

import operator

import numpy as np
import pytest
import torch

import rawseg
from rawseg.errors import DTypeError, GraphError, ShapeError

AUGMENTED = [operator.iadd, operator.isub, operator.imul, operator.itruediv]


@pytest.mark.parametrize("change", AUGMENTED, ids=lambda f: f.__name__)
def test_without_a_graph_every_view_sees_the_change(change):
    x, twin = rawseg.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    row, other = x[0], twin[0]
    x, twin = change(x, 3.0), change(twin, 3.0)
    assert x.tolist() == twin.tolist()
    assert row.tolist() == other.tolist()


def test_a_hand_written_update_step():
    w = rawseg.ones(3, requires_grad=True)
    alias = w
    (w * w).sum().backward()
    with rawseg.no_grad():
        w -= 0.1 * w.grad
    assert w is alias
    np.testing.assert_allclose(w.numpy(), 0.8, rtol=2**-22)  # 1 - 0.1 * 2, three roundings
    assert w.requires_grad


def test_with_a_graph_the_name_moves_on_and_the_gradient_is_right():
    x = rawseg.tensor([2.0, 3.0], requires_grad=True)
    y = x * x
    y += x
    total = rawseg.zeros(())
    for part in y:
        total += part
    total.backward()
    assert x.grad.tolist() == [5.0, 7.0]


@pytest.mark.parametrize("change", AUGMENTED, ids=lambda f: f.__name__)
def test_a_leaf_that_requires_a_gradient_refuses(change):
    x = rawseg.ones(2, requires_grad=True)
    with pytest.raises(GraphError, match=r"expected a no_grad\(\) block around a change of a leaf"):
        change(x, 1.0)
    assert x.tolist() == [1.0, 1.0]


def test_dtype_and_shape_stay():
    x = rawseg.tensor([1, 2])
    with pytest.raises(DTypeError, match="add: value: expected int64, got float32"):
        x += 0.5
    y = rawseg.ones(2)
    with pytest.raises(ShapeError, match=r"add: other: expected a shape that broadcasts to \(2,\), got .*\(3, 2\)"):
        y += rawseg.ones(3, 2)
    assert x.tolist() == [1, 2]
    assert y.tolist() == [1.0, 1.0]


def test_methods_with_an_underscore():
    x = rawseg.tensor([1.0, -2.0])
    assert x.add_(rawseg.ones(2), alpha=3) is x
    assert x.tolist() == [4.0, 1.0]
    assert x.sub_(1).mul_(2).div_(4).tolist() == [1.5, 0.0]
    assert x.clamp_(max=1.0).tolist() == [1.0, 0.0]
    assert x.fill_(7).zero_().tolist() == [0.0, 0.0]
    with pytest.raises(GraphError, match="add_: tensor"):
        rawseg.ones(1, requires_grad=True).add_(1)


def test_a_change_by_an_operator_is_counted():
    x, w = rawseg.ones(2), rawseg.ones(2, requires_grad=True)
    y = (x * w).sum()
    x += 1
    with pytest.raises(GraphError, match="changed in place"):
        y.backward()


def test_views_of_saved_memory_are_read_only_too():
    base = rawseg.zeros(2, 3)
    row, w = base[0], rawseg.ones(2, 3, requires_grad=True)
    loss = (base * w).sum()
    for tensor in (base, row, base.detach(), base.T):
        assert not tensor.numpy().flags.writeable
    loss.backward()
