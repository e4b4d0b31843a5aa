"""Activations: where rawseg differs from PyTorch 2.13; each test asserts that PyTorch still does what its line says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError

INF, NAN = np.inf, np.nan


def gradient(f, value, dtype=np.float64):
    x = rawseg.Tensor(np.array([value], dtype), requires_grad=True)
    return rawseg.grad(f(x), x)[0].item()


def torch_gradient(f, value, dtype=torch.float64):
    x = torch.tensor([value], dtype=dtype, requires_grad=True)
    return torch.autograd.grad(f(x), x)[0].item()


@pytest.mark.spec("gelu.tail")
def test_gelu_in_the_negative_tail():
    """PyTorch computes gelu from 1 + erf, which cancels far below 0; rawseg keeps all digits."""
    exact = -1.0910951546869920e-43  # mpmath, as the other; 6 ulp of the probability, and a product
    assert F.gelu(rawseg.Tensor(np.array([-14.0]))).item() == pytest.approx(exact, rel=14 * 2**-53)
    assert TF.gelu(torch.tensor([-14.0], dtype=torch.float64)).item() == 0
    assert TF.gelu(torch.tensor([-6.0])).item() == 0  # float32
    assert F.gelu(rawseg.tensor([-6.0])).item() == pytest.approx(-5.9195258702261888e-9, rel=2**-24)


@pytest.mark.spec("gelu.large")
def test_gelu_tanh_of_large_float32():
    """PyTorch's tanh form of gelu overflows in x**3 and its gradient is NaN; rawseg computes in float64 and gives 1."""
    assert np.isnan(torch_gradient(lambda x: TF.gelu(x, approximate="tanh"), 1e20, torch.float32))
    assert gradient(lambda x: F.gelu(x, "tanh"), 1e20, np.float32) == 1


@pytest.mark.spec("gelu.large")
def test_gelu_of_infinity_in_float32():
    """PyTorch's gelu of inf is NaN in float32 where the CPU has AVX-512, otherwise inf; rawseg's is inf everywhere."""
    assert TF.gelu(torch.full((16,), INF)).isnan().all() == (torch.backends.cpu.get_cpu_capability() == "AVX512")
    assert TF.gelu(torch.tensor([INF], dtype=torch.float64)).item() == INF
    assert F.gelu(rawseg.tensor([INF])).item() == INF


@pytest.mark.spec("mish.large")
def test_second_derivative_of_mish_far_out():
    """PyTorch's second derivative of mish is NaN from x = 800 on; rawseg's is 0."""
    x = torch.tensor([800.0], dtype=torch.float64, requires_grad=True)
    (first,) = torch.autograd.grad(TF.mish(x), x, create_graph=True)
    assert torch.isnan(torch.autograd.grad(first, x)[0]).all()
    y = rawseg.Tensor(np.array([800.0]), requires_grad=True)
    (ours,) = rawseg.grad(F.mish(y), y, create_graph=True)
    assert rawseg.grad(ours, y)[0].item() == 0


@pytest.mark.spec("hardsigmoid.gradient")
def test_a_sixth_in_float64():
    """PyTorch's gradient of hardsigmoid is a sixth in float32 whatever the dtype; rawseg's is one in float64."""
    assert torch_gradient(TF.hardsigmoid, 0.5) == np.float32(1 / 6)
    assert gradient(F.hardsigmoid, 0.5) == 1 / 6


@pytest.mark.spec("hardsigmoid.gradient")
def test_second_derivative_of_hardsigmoid():
    """PyTorch has no second derivative of hardsigmoid; rawseg's is 0."""
    x = torch.tensor([0.5], requires_grad=True)
    (first,) = torch.autograd.grad(TF.hardsigmoid(x), x, create_graph=True)
    with pytest.raises(RuntimeError, match="derivative for aten::hardsigmoid_backward is not implemented"):
        torch.autograd.grad(first, x)
    y = rawseg.Tensor(np.array([0.5]), requires_grad=True)
    (ours,) = rawseg.grad(F.hardsigmoid(y) * y, y, create_graph=True)  # s + y s'
    assert rawseg.grad(ours, y)[0].item() == pytest.approx(2 / 6, rel=1e-15)  # 2 s' + y s''


@pytest.mark.spec("activation.parameters")
def test_parameters_that_make_no_sense():
    """PyTorch accepts celu with a negative alpha, softplus with a negative beta and NaN bounds; rawseg refuses."""
    x = torch.ones(2)
    TF.celu(x, -1.0)
    TF.softplus(x, -1.0)
    TF.elu(x, NAN)
    for call, argument in (
        (lambda: F.celu(rawseg.ones(2), -1.0), "alpha"),
        (lambda: F.softplus(rawseg.ones(2), -1.0), "beta"),
        (lambda: F.elu(rawseg.ones(2), NAN), "alpha"),
        (lambda: F.hardtanh(rawseg.ones(2), NAN, 1.0), "min_val"),
    ):
        with pytest.raises(ArgumentError, match=argument):
            call()


@pytest.mark.spec("activation.inplace")
def test_inplace_writes_nothing():
    """PyTorch overwrites the input; rawseg accepts the argument and returns a fresh Tensor."""
    x = torch.tensor([-1.0])
    TF.relu(x, inplace=True)
    assert x.item() == 0
    y = rawseg.tensor([-1.0])
    assert F.relu(y, inplace=True).item() == 0
    assert y.item() == -1


@pytest.mark.spec("softmax.dim")
def test_softmax_without_an_axis():
    """PyTorch guesses an axis, with a warning; rawseg asks for it."""
    with pytest.warns(UserWarning, match="Implicit dimension choice"):
        TF.softmax(torch.ones(2, 2))
    with pytest.raises(TypeError, match="dim"):
        F.softmax(rawseg.ones(2, 2))
    assert TF.softmax(torch.ones(2, 0), 1).shape == (2, 0)
    with pytest.raises(ValueError, match="softmax: input: expected at least 1 along dim 1"):
        F.softmax(rawseg.ones(2, 0), 1)


@pytest.mark.spec("relu6.rules")
def test_the_gradient_of_relu6_at_nan():
    """PyTorch's gradient of relu6 at NaN is 0 or 1, depending on the place in the array; rawseg's passes everywhere."""
    x = torch.full((26,), NAN, requires_grad=True)  # a few vectors and a rest
    TF.relu6(x).sum().backward()
    assert x.grad is not None
    assert not (x.grad == 1).all()
    mine = rawseg.Tensor(np.full(26, NAN, np.float32), requires_grad=True)
    F.relu6(mine).sum().backward()
    assert (mine.grad.numpy() == 1).all()
