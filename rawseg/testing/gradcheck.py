"""Gradients against finite differences, with a tolerance that is derived from the function at hand, not guessed.

A central difference D(h) errs by c h^2, so (4 D(h/2) - D(h)) / 3 errs by O(h^4) only, and |D(h) - D(h/2)| bounds what was left
out. What remains is rounding: u S / h, where S sums the magnitudes that the function adds up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import Tensor, enable_grad, grad, no_grad
from ..errors import DTypeError, GraphError

STEP = 1e-4  # O(h^4) truncation 1e-16 and rounding 1e-16 / h = 1e-12 meet near here in float64
ROUNDING = 256  # roundings, in units of u S, that one evaluation may accumulate (sums of a few hundred terms)
SMOOTH = 1e-2  # D(h) and D(h/2) further apart than this share of S: not a derivative but a kink or a jump


class GradcheckError(AssertionError):
    """An analytic gradient differs from finite differences by more than truncation and rounding can explain."""


def gradcheck(function: Callable[..., Any], *inputs: Tensor, step: float = STEP, seed: int = 0) -> bool:
    """Check the first derivatives of a function against central differences.

    Parameters
    ----------
    function : callable
        Takes Tensors, returns a Tensor or a tuple of Tensors; its floating outputs are checked.
    *inputs : Tensor
        float64; those with ``requires_grad`` are checked, element by element.
    step : float
        The step h, relative to max(1, |x|). Keep inputs further than this from kinks.
    seed : int
        Of the random direction in which outputs are added up.

    Returns
    -------
    bool
        True.

    Raises
    ------
    GradcheckError
        With the input, the element, both values and the tolerance.

    Examples
    --------
    >>> import rawseg
    >>> x = rawseg.tensor([0.5, 2.0], dtype="float64", requires_grad=True)
    >>> gradcheck(lambda x: (x * x).exp(), x)
    True
    """
    for position, tensor in enumerate(inputs):
        if tensor.requires_grad and tensor.dtype != np.float64:
            raise DTypeError("gradcheck", f"inputs[{position}]", "float64", tensor.dtype)
    outputs = _floating_outputs(function(*inputs))
    rng = np.random.default_rng(seed)
    directions = [Tensor(rng.uniform(0.5, 1.5, out.shape) * rng.choice([-1.0, 1.0], out.shape)) for out in outputs]
    checked = [t for t in inputs if t.requires_grad]
    if not checked:
        raise GraphError("gradcheck", "inputs", "at least one Tensor with requires_grad=True", "none")
    live = [(out, d) for out, d in zip(outputs, directions) if out.requires_grad]
    if live:
        analytic = grad([out for out, _ in live], checked, [d for _, d in live], allow_unused=True)
    else:
        analytic = (None,) * len(checked)

    def total(arrays: list[np.ndarray]) -> tuple[float, float]:
        """Return the outputs' sum along the direction, and the sum of magnitudes."""
        with no_grad():
            values = _floating_outputs(function(*[Tensor(a) for a in arrays]))
        terms = np.concatenate([(v.array * d.array).ravel() for v, d in zip(values, directions)])
        return float(terms.sum()), float(np.abs(terms).sum())

    arrays = [np.array(t.array, copy=True) for t in inputs]
    for tensor, gradient in zip(checked, analytic):
        position = next(i for i, t in enumerate(inputs) if t is tensor)
        found = np.zeros(tensor.shape) if gradient is None else gradient.array
        _check_input(total, arrays, position, found, step)
    return True


def _check_input(total: Callable, arrays: list[np.ndarray], position: int, analytic: np.ndarray, step: float) -> None:
    x = arrays[position]
    for at in np.ndindex(x.shape):
        middle = float(x[at])
        h = step * max(1.0, abs(middle))
        coarse, size = _difference(total, arrays, x, at, h)
        fine, _ = _difference(total, arrays, x, at, h / 2)
        x[at] = middle
        numeric = (4 * fine - coarse) / 3
        rounding = ROUNDING * np.finfo(np.float64).eps * (size + 1) / h
        tolerance = abs(fine - coarse) + rounding
        error = abs(numeric - analytic[at])
        kink = abs(fine - coarse) > SMOOTH * (abs(coarse) + abs(fine)) + 1e3 * rounding
        if kink or not error <= tolerance:
            hint = "; the differences disagree: a kink or a jump lies within the step" if kink else ""
            where = tuple(int(i) for i in at)
            raise GradcheckError(
                f"gradcheck: input {position} at {where}: analytic gradient {analytic[at]:.12g}, "
                f"finite differences {numeric:.12g}, error {error:.3g}, tolerance {tolerance:.3g}{hint}"
            )


def _difference(total: Callable, arrays: list, x: np.ndarray, at: tuple, h: float) -> tuple[float, float]:
    middle = x[at]
    x[at] = middle + h
    above, size = total(arrays)
    x[at] = middle - h
    below, _ = total(arrays)
    x[at] = middle
    return (above - below) / ((middle + h) - (middle - h)), size


def gradgradcheck(function: Callable[..., Any], *inputs: Tensor, step: float = STEP, seed: int = 0) -> bool:
    """Check second derivatives: `gradcheck` of the function that returns the gradients.

    Parameters and errors are those of `gradcheck`.
    """
    outputs = _floating_outputs(function(*inputs))
    rng = np.random.default_rng(seed + 1)
    directions = [Tensor(rng.uniform(0.5, 1.5, out.shape), requires_grad=True) for out in outputs]
    flags = [t.requires_grad for t in inputs]

    def gradients(*everything: Tensor) -> tuple[Tensor, ...]:
        points, seeds = everything[: len(inputs)], everything[len(inputs) :]
        leaves = [t if t.requires_grad else Tensor(t.array, requires_grad=flag) for t, flag in zip(points, flags)]
        with enable_grad():
            values = _floating_outputs(function(*leaves))
            live = [(v, s) for v, s in zip(values, seeds) if v.requires_grad]
            wanted = [t for t, flag in zip(leaves, flags) if flag]
            found = grad([v for v, _ in live], wanted, [s for _, s in live], create_graph=True, allow_unused=True)
        return tuple(w.zeros_like() if g is None else g for g, w in zip(found, wanted))

    return gradcheck(gradients, *inputs, *directions, step=step, seed=seed)


def _floating_outputs(result: Any) -> list[Tensor]:
    outputs = result if isinstance(result, (tuple, list)) else [result]
    return [out for out in outputs if out.dtype.kind == "f"]
