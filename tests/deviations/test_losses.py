"""Losses: where rawseg differs from PyTorch 2.13; each test asserts that PyTorch still does what its line says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, DTypeError, ShapeError


@pytest.mark.spec("bce.target")
def test_targets_that_are_no_probabilities():
    """PyTorch takes any target for bce with logits; rawseg only 0 to 1."""
    assert TF.binary_cross_entropy_with_logits(torch.zeros(1), torch.full((1,), 2.0)).isfinite()
    with pytest.raises(ArgumentError, match="target: expected probabilities, 0 to 1"):
        F.binary_cross_entropy_with_logits(rawseg.zeros(1), rawseg.full((1,), 2.0))


@pytest.mark.spec("bce.derivatives")
def test_the_second_derivative_of_bce():
    """PyTorch's second derivative of bce holds an epsilon, off in the tenth digit; rawseg's is that of the formula."""
    exact = 0.25 / 0.1**2 + 0.75 / 0.9**2  # t / p**2 + (1 - t) / (1 - p)**2
    x = torch.tensor([0.1], dtype=torch.float64, requires_grad=True)
    loss = TF.binary_cross_entropy(x, torch.tensor([0.25], dtype=torch.float64), reduction="sum")
    second = torch.autograd.grad(torch.autograd.grad(loss, x, create_graph=True)[0], x)[0].item()
    assert abs(second - exact) > 1e-11 * exact
    y = rawseg.Tensor(np.array([0.1]), requires_grad=True)
    (first,) = rawseg.grad(F.binary_cross_entropy(y, np.array([0.25]), reduction="sum"), y, create_graph=True)
    assert rawseg.grad(first, y)[0].item() == pytest.approx(exact, rel=2**-48)


@pytest.mark.spec("bce.derivatives")
def test_the_gradient_of_pos_weight():
    """PyTorch has no gradient of pos_weight; rawseg has one."""
    with pytest.raises(RuntimeError, match="not differentiable with respect to argument 'pos_weight'"):
        TF.binary_cross_entropy_with_logits(torch.zeros(1), torch.ones(1), pos_weight=torch.ones(1, requires_grad=True))
    weight = rawseg.ones(1, requires_grad=True)
    F.binary_cross_entropy_with_logits(rawseg.zeros(1), rawseg.ones(1), pos_weight=weight).backward()
    assert weight.grad.item() == np.float32(np.log(2))


@pytest.mark.spec("regression.shapes")
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
def test_targets_that_broadcast(name):
    """PyTorch broadcasts the target, with a warning; rawseg refuses."""
    with pytest.warns(UserWarning, match="different to the input size"):
        getattr(TF, name)(torch.ones(2, 3), torch.ones(3))
    with pytest.raises(ShapeError, match=rf"{name}: target: expected shape \(2, 3\), that of input"):
        getattr(F, name)(rawseg.ones(2, 3), rawseg.ones(3))


@pytest.mark.spec("regression.shapes")
def test_targets_of_another_dtype():
    """PyTorch promotes a target of another dtype; rawseg refuses."""
    assert TF.mse_loss(torch.ones(2), torch.ones(2, dtype=torch.float64)).dtype == torch.float64
    with pytest.raises(DTypeError, match="target: expected float32, the dtype of input, got float64"):
        F.mse_loss(rawseg.ones(2), rawseg.ones(2).double())


@pytest.mark.spec("cross_entropy.empty")
def test_the_gradient_where_all_weights_are_zero():
    """PyTorch's gradient is NaN where the weights of all kept targets are 0; rawseg's is 0."""
    x = torch.ones(1, 2, requires_grad=True)
    TF.cross_entropy(x, torch.tensor([0]), torch.tensor([0.0, 1.0])).backward()
    assert torch.isnan(x.grad).any()
    y = rawseg.ones(1, 2, requires_grad=True)
    loss = F.cross_entropy(y, np.array([0]), np.array([0, 1], np.float32))
    loss.backward()
    assert np.isnan(loss.item())
    assert not y.grad.numpy().any()


@pytest.mark.spec("cross_entropy.ignored-nonfinite")
def test_ignored_pixels_that_are_not_finite():
    """PyTorch lets a NaN of an ignored pixel into the gradient; rawseg gives it 0."""
    x = torch.tensor([[np.nan, 0.0], [0.0, 0.0]], requires_grad=True)
    TF.cross_entropy(x, torch.tensor([-100, 1])).backward()
    assert torch.isnan(x.grad[0]).any()
    y = rawseg.Tensor(np.array([[np.nan, 0.0], [0.0, 0.0]]), requires_grad=True)
    F.cross_entropy(y, np.array([-100, 1])).backward()
    assert y.grad[0].tolist() == [0, 0]


@pytest.mark.spec("cross_entropy.weight")
def test_negative_class_weights():
    """PyTorch takes any class weight; rawseg only finite ones of at least 0."""
    assert TF.cross_entropy(torch.zeros(1, 2), torch.tensor([0]), torch.tensor([-1.0, 1.0])).isfinite()
    with pytest.raises(ArgumentError, match="weight: expected finite weights of at least 0"):
        F.cross_entropy(rawseg.zeros(1, 2), np.array([0]), np.array([-1, 1], np.float32))


@pytest.mark.spec("bce.logits")
def test_a_certain_pixel_that_is_right():
    """PyTorch loses digits of the loss of a certain pixel in subtraction (14 of 16 at -30); rawseg keeps all."""
    theirs = TF.binary_cross_entropy_with_logits(
        torch.tensor(-30.0, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)
    )
    exact = np.log1p(np.exp(-30.0))
    assert abs(theirs.item() - exact) > 0.01 * exact
    ours = F.binary_cross_entropy_with_logits(np.array([-30.0]), np.array([0.0])).item()
    assert ours == pytest.approx(exact, rel=2**-51)


@pytest.mark.spec("bce.floor")
def test_the_gradient_of_an_impossible_pixel():
    """PyTorch's bound of the gradient is the float32 next to 1e12 in float64, too; rawseg's is 1e12."""
    x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    TF.binary_cross_entropy(x, torch.ones(1, dtype=torch.float64)).backward()
    assert x.grad.item() == -1 / np.float64(np.float32(1e-12))
    y = rawseg.zeros(1, dtype="float64", requires_grad=True)
    F.binary_cross_entropy(y, np.ones(1)).backward()
    assert y.grad.item() == -1e12
