"""Im f(x + i h d) / h is the derivative of f along d to all digits (Squire and Trapp, SIAM Review 40, 1998)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from promises import outputs_of

STEP = 1e-200  # squared it vanishes beside anything, and nothing is subtracted: there is no truncation and no cancellation
RELATIVE = 1e-13  # of the sum of magnitudes: 900 roundings, and no case here sums as many terms


def assert_complex_step(
    forward: Callable[..., Any], gradients: Callable[..., Any], arrays: list[Any], rng: np.random.Generator
) -> None:
    """Compare the gradients, ``gradients(grad_output, *arrays)``, with the complex step along a random direction."""
    directions = [rng.standard_normal(array.shape) for array in arrays]
    stepped = forward(*[array + 1j * STEP * direction for array, direction in zip(arrays, directions)])
    slope, grad_output = stepped.imag / STEP, rng.standard_normal(stepped.shape)
    found = outputs_of(gradients(grad_output, *arrays))
    terms = [gradient * direction for gradient, direction in zip(found, directions, strict=True)]
    size = np.abs(grad_output * slope).sum() + sum(np.abs(term).sum() for term in terms)
    assert abs(np.vdot(grad_output, slope) - sum(term.sum() for term in terms)) <= RELATIVE * size
