"""One function twice: in rawseg in the dtype of its arrays, and in PyTorch in float64, values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from bounds import assert_within, gamma, smallest
from hypothesis import strategies as st

import rawseg

torch.set_num_threads(1)  # its float sums then have one order, and the machine is left to rawseg


DTYPES = st.sampled_from([np.float32, np.float64])
SEEDS = st.integers(0, 1000)


def pairs(low: int, high: int) -> Any:
    """A strategy for (height, width)."""
    return st.tuples(st.integers(low, high), st.integers(low, high))


def numbers(seed: int, *shape: int, dtype: Any) -> np.ndarray:
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def ours(f: Callable, arrays: list[np.ndarray], grad_output: np.ndarray | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the value and the gradient of each array; without ``grad_output`` that of the sum."""
    leaves = [rawseg.Tensor(array, requires_grad=True) for array in arrays]
    out = f(*leaves)
    seed = np.ones(out.shape, out.dtype) if grad_output is None else grad_output.astype(out.dtype)
    gradients = rawseg.grad(out, leaves, rawseg.Tensor(seed))
    assert out.dtype == arrays[0].dtype
    assert all(g is not None and (g.shape, g.dtype) == (a.shape, a.dtype) for g, a in zip(gradients, arrays))
    return out.numpy(), [g.numpy() for g in gradients if g is not None]


def torchs(f: Callable, arrays: list[np.ndarray], grad_output: np.ndarray | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
    """The same from PyTorch, in float64."""
    leaves = [torch.tensor(array.astype(np.float64), requires_grad=True) for array in arrays]
    out = f(*leaves)
    seed = torch.ones_like(out) if grad_output is None else torch.tensor(grad_output.astype(np.float64))
    return out.detach().numpy(), [g.numpy() for g in torch.autograd.grad(out, leaves, seed)]


def assert_multilinear(
    f: Callable, g: Callable, arrays: list[np.ndarray], grad_output: Any, terms: int, what: str = ""
) -> None:
    """Compare an operation that is linear in each array, with weights of at least 0.

    Run on absolute values it gives the sum of magnitudes that Higham's bound gamma_K times that sum asks for.
    """
    dtype = arrays[0].dtype
    out, gradients = ours(f, arrays, grad_output)
    want, wants = torchs(g, arrays, grad_output)
    size, sizes = torchs(g, [abs(array) for array in arrays], abs(grad_output))
    factor = 2 * gamma(terms, dtype)  # either side may err
    assert_within(out, want, factor * size + smallest(terms, dtype), f"{what} value")
    for position, (one, other, magnitude) in enumerate(zip(gradients, wants, sizes)):
        assert_within(one, other, factor * magnitude + smallest(terms, dtype), f"{what} gradient {position}")


def spread(shape: tuple[int, ...], low: float = -2.0, high: float = 2.0, seed: int = 0, dtype: Any = np.float64) -> np.ndarray:
    """Shuffled values, all different and none within 1e-3 of another or of 0, so that no difference quotient meets a kink."""
    count = int(np.prod(shape))
    values = np.linspace(low, high, count + 2)[1:-1] + (high - low) / (4 * count + 8)
    return np.random.default_rng(seed).permutation(values).reshape(shape).astype(dtype)
