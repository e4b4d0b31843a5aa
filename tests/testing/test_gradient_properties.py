"""Right gradients pass whatever the function, the seed and the scale; one element that is 0.1 % off never does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rawseg.testing import examine

EXPONENTS = st.integers(-6, 6)
AWAY = st.floats(0.3, 2.0).flatmap(lambda size: st.sampled_from([size, -size]))  # away from 0


class Function(NamedTuple):
    """y = size * f(x / unit), with its gradient."""

    kind: str
    x: np.ndarray
    parameters: np.ndarray
    unit: float
    size: float

    def __call__(self, x):
        z, p = x / x.dtype.type(self.unit), self.parameters.astype(x.dtype)
        return np.asarray(x.dtype.type(self.size) * VALUES[self.kind](z, p), x.dtype)

    def backward(self, grad_output, x):
        z, p = x.astype(np.float64) / self.unit, self.parameters
        gradient = GRADIENTS[self.kind](np.asarray(grad_output, np.float64), z, p)
        return np.asarray(self.size / self.unit * gradient, x.dtype)

    def off(self, grad_output, x):
        """The largest element 0.1 % too large."""
        gradient = self.backward(grad_output, x)
        gradient[np.argmax(np.abs(gradient))] *= 1.001
        return gradient


VALUES = {
    "polynomial": lambda z, p: p[0, 0] + p[0, 1] * z + p[1, 0] * z**2 + p[1, 1] * z**3,
    "exp of sin": lambda z, p: np.exp(np.sin(p[0, 0] * z)),
    "sin of exp": lambda z, p: np.sin(np.exp(p[0, 0] * z / 2)),
    "bilinear": lambda z, p: z @ (p @ z),
    "tanh of a product": lambda z, p: np.tanh(p @ z),
    "a sum of squares": lambda z, p: ((p @ z) ** 2).mean(),
}
GRADIENTS = {
    "polynomial": lambda g, z, p: g * (p[0, 1] + 2 * p[1, 0] * z + 3 * p[1, 1] * z**2),
    "exp of sin": lambda g, z, p: g * np.exp(np.sin(p[0, 0] * z)) * np.cos(p[0, 0] * z) * p[0, 0],
    "sin of exp": lambda g, z, p: g * np.cos(np.exp(p[0, 0] * z / 2)) * np.exp(p[0, 0] * z / 2) * p[0, 0] / 2,
    "bilinear": lambda g, z, p: g * (p @ z + p.T @ z),
    "tanh of a product": lambda g, z, p: p.T @ (g * (1 - np.tanh(p @ z) ** 2)),
    "a sum of squares": lambda g, z, p: g * p.T @ (p @ z) * 2 / len(p),
}


@st.composite
def functions(draw, dtype=np.float64):
    unit, size = 10.0 ** draw(EXPONENTS), 10.0 ** draw(EXPONENTS)
    x = np.array(draw(st.lists(AWAY, min_size=2, max_size=2)))
    parameters = np.array(draw(st.lists(AWAY, min_size=4, max_size=4))).reshape(2, 2)
    return Function(draw(st.sampled_from(sorted(VALUES))), (x * unit).astype(dtype), parameters, unit, size)


@given(functions(), st.integers(0, 2**32 - 1))
def test_right_gradients_pass(function, seed):
    report = examine(function, function.x, backward=function.backward, seed=seed)
    assert report.passed, str(report)


@given(functions(np.float32), st.integers(0, 2**32 - 1))
def test_right_gradients_of_float32_pass(function, seed):
    report = examine(function, function.x, backward=function.backward, seed=seed)
    assert report.passed, str(report)


@given(functions(), st.integers(0, 2**32 - 1))
def test_an_element_that_is_off_by_a_thousandth_is_found(function, seed):
    report = examine(function, function.x, backward=function.off, seed=seed)
    assert (report.passed, report.verdict) == (False, "wrong formula"), str(report)
    assert report.wrong == 1
    assert abs(report.analytic / report.numeric - 1.001) < 1e-4
