"""What a graph has saved: told apart when memory is shared, and never changed unnoticed."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg.errors import GraphError


def test_two_tensors_on_one_array_keep_their_own_derivatives():
    x = rawseg.tensor([3.0], requires_grad=True)
    (constant_second,) = rawseg.grad(x * x.detach(), x, create_graph=True)
    (constant_first,) = rawseg.grad(x.detach() * x, x, create_graph=True)
    assert (constant_second.item(), constant_first.item()) == (3.0, 3.0)
    assert not constant_second.requires_grad  # d(c x)/dx = c, a constant, although c shares x's memory
    assert not constant_first.requires_grad
    y = x * x.detach() * x  # c x^2: first derivative 2 c x, second 2 c
    (first,) = rawseg.grad(y, x, create_graph=True)
    (second,) = rawseg.grad(first, x)
    assert (first.item(), second.item()) == (18.0, 6.0)


def test_a_changed_condition_is_noticed():
    x = rawseg.tensor([1.0, -2.0], requires_grad=True)
    positive = x.detach() > 0
    y = rawseg.where(positive, x, 0.0)
    positive[...] = False
    with pytest.raises(GraphError, match="Where: saved array: expected version 0"):
        y.sum().backward()


@pytest.mark.parametrize("kind", [lambda index: index, rawseg.tensor], ids=["array", "Tensor"])
def test_a_changed_index_leaves_the_gradient_alone(kind):
    x, index = rawseg.tensor([1.0, -2.0], requires_grad=True), kind(np.array([0, 0]))
    y = x[index]
    index[...] = 1
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 0.0]


@pytest.mark.parametrize("shape", [(1, 1, 4, 4), (1, 4, 4)])
def test_changed_pool_indices_are_noticed(shape):
    x = rawseg.randn(*shape, requires_grad=True)
    out, indices = F.max_pool2d(x, 2, return_indices=True)
    assert not indices.numpy().flags.writeable
    indices[...] = 7
    with pytest.raises(GraphError, match="MaxPool2d: saved array: expected version 0"):
        out.sum().backward()


def test_a_view_by_einsum_cannot_write_to_its_operand():
    x = rawseg.tensor([[1.0, 2.0], [3.0, 4.0]])
    rawseg.einsum("ij->ji", x)[0, 1] = 99.0
    assert x.tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_a_retained_gradient_is_kept_once_and_on_its_own_memory():
    x, seed = rawseg.ones(2, requires_grad=True), rawseg.ones(2)
    y = x + 0
    y.retain_grad()
    y.retain_grad()
    y.backward(seed)
    assert y.grad.tolist() == [1.0, 1.0]
    y.grad.zero_()
    assert (seed.tolist(), x.grad.tolist()) == ([1.0, 1.0], [1.0, 1.0])


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_computed_tensor_is_not_copied_with_its_graph(copied):
    with pytest.raises(
        GraphError, match=r"copy: tensor: expected a leaf \(use clone\(\) or detach\(\)\), got a computed Tensor"
    ):
        copied(rawseg.ones(1, requires_grad=True) * 2)
    assert copy.deepcopy(rawseg.ones(1, requires_grad=True)).requires_grad
