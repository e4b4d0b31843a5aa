"""Gradients against finite differences, for rawseg's functions and anybody's, with a report that says why they differ.

No tolerance is guessed. Every element is compared with two central differences, whose truncation and rounding are bounded
(`differences`, `survey`). Where these bounds do not cover the error, or are too wide to show an error of 0.1 %, the element is
looked at with steps of many sizes, and what the differences do as the step falls is the verdict (`verdicts`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...errors import ArgumentError, ArgumentTypeError, DTypeError, GraphError
from ..adapters import adapt
from ..adapters.adapter import Adapter
from .examination import Examination
from .report import Report
from .second_order import GradientOf

__all__ = ["GradcheckError", "examine", "gradcheck", "gradgradcheck"]

KINKS = ("refuse", "subgradient")


class GradcheckError(AssertionError):
    """A gradient differs from finite differences by more than truncation and rounding can explain; ``report`` tells why."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report = report

    def __reduce__(self):  # exceptions cross process borders by their arguments
        return type(self), (self.report,)


def gradcheck(function: Any, *inputs: Any, raise_exception: bool = True, **how: Any) -> bool:
    """Check the first derivatives of a function against central differences.

    Parameters
    ----------
    function : callable or Adapter
        Takes the inputs and returns an array or several; its floating outputs are checked.
    *inputs : Tensor, ndarray or None
        float64 or float32. Of rawseg's and PyTorch's Tensors those with ``requires_grad`` are checked, element by element; of
        NumPy's and CuPy's arrays every floating one.
    raise_exception : bool
        If not, return False where the gradients are wrong.
    **how
        What `examine` takes: ``backward``, ``options``, ``wanted``, ``step``, ``seed`` and ``kinks``.

    Returns
    -------
    bool
        True.

    Raises
    ------
    GradcheckError
        With a report: the input and the element, both numbers, the tolerance, what the differences do as the step falls, and
        what kind of mistake it looks like.

    Examples
    --------
    >>> import rawseg
    >>> x = rawseg.tensor([0.5, 2.0], dtype="float64", requires_grad=True)
    >>> gradcheck(lambda x: (x * x).exp(), x)
    True

    Of a function on NumPy's arrays the gradient stands beside it:

    >>> gradcheck(np.sin, np.array([0.5, 2.0]), backward=lambda grad_output, x: grad_output * np.cos(x))
    True
    """
    __tracebackhide__ = True
    return _verdict(examine(function, *inputs, **how), raise_exception)


def gradgradcheck(function: Any, *inputs: Any, raise_exception: bool = True, **how: Any) -> bool:
    """Check second derivatives: `gradcheck` of the function that returns the gradients, in the gradient of the output as well.

    Parameters and errors are those of `gradcheck`. A function with its gradient beside it has no second derivative.
    """
    __tracebackhide__ = True
    return _verdict(examine(function, *inputs, order=2, **how), raise_exception)


def examine(
    function: Any,
    *inputs: Any,
    order: int = 1,
    backward: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
    wanted: Sequence[bool] | None = None,
    step: float | None = None,
    seed: int = 0,
    kinks: str = "refuse",
) -> Report:
    """Return what `gradcheck` finds, whether right or wrong.

    Parameters
    ----------
    function, *inputs
        As `gradcheck` takes them.
    order : int
        2 for what `gradgradcheck` finds.
    backward : callable, optional
        The gradient of a function on arrays, as in `rawseg.testing.adapt`.
    options : mapping, optional
        Further arguments of the function, by keyword.
    wanted : sequence of bool, optional
        Which inputs are checked, if it shall be others.
    step : float, optional
        The step h, relative to max(1, |x|): 1e-4 in float64 and 1/64 in float32, unless given.
    seed : int
        Of the random direction in which outputs are added up.
    kinks : str
        "refuse": a kink at the point is a failure, since there is no gradient. "subgradient": everything between the slopes on
        both sides is right there.

    Returns
    -------
    Report
        With ``passed``, ``verdict`` and much more; ``str`` of it is the text to read.

    Raises
    ------
    ArgumentError, ArgumentTypeError, DTypeError
        If an argument is none that can be used.
    GraphError
        If no input is to be checked.

    Examples
    --------
    >>> report = examine(np.abs, np.array([0.5, 0.0]), backward=lambda grad_output, x: grad_output * np.sign(x))
    >>> report.passed, report.verdict, report.element
    (False, 'kink', (1,))
    """
    if kinks not in KINKS:
        raise ArgumentError("gradcheck", "kinks", f"one of {KINKS}", repr(kinks))
    if order not in (1, 2):
        raise ArgumentError("gradcheck", "order", "1 or 2", order)
    if step is not None and not 0 < step < 1:
        raise ArgumentError("gradcheck", "step", "a number between 0 and 1", step)
    adapter = _adapter(function, inputs, backward)
    arrays = [_array(position, given) for position, given in enumerate(inputs)]
    flags = _wanted(inputs, arrays) if wanted is None else [bool(flag) for flag in wanted]
    _check(arrays, flags)
    options = dict(options or {})
    if order == 2:
        adapter, arrays, flags = GradientOf.at(adapter, arrays, options, flags, seed + 1)
    return Examination(adapter, arrays, options, flags, order, step, seed, kinks).report()


def _verdict(report: Report, raise_exception: bool) -> bool:
    __tracebackhide__ = True
    if raise_exception and not report.passed:
        raise GradcheckError(report)
    return report.passed


def _adapter(function: Any, inputs: Sequence[Any], backward: Any) -> Adapter:
    """Return the function's adapter: what arrays it takes is seen by its inputs, else by its module."""
    for given in inputs:
        if _is_tensor(given):
            framework = "rawseg" if isinstance(given, Tensor) else "torch"
            return adapt(function, backward, framework=framework, device=str(given.device))
        if type(given).__module__.partition(".")[0] == "cupy":
            return adapt(function, backward, framework="cupy")
    return adapt(function, backward)


def _is_tensor(given: Any) -> bool:
    torch = sys.modules.get("torch")
    return isinstance(given, Tensor) or (torch is not None and isinstance(given, torch.Tensor))


def _array(position: int, given: Any) -> Any:
    """Return an input as a NumPy array."""
    if given is None or isinstance(given, (np.ndarray, np.generic)):
        return None if given is None else np.asarray(given)
    if isinstance(given, Tensor):
        return given.numpy()
    if _is_tensor(given):
        if given.is_floating_point() and given.element_size() < 4:
            raise DTypeError("gradcheck", f"inputs[{position}]", "float64 or float32", given.dtype)
        return given.detach().cpu().numpy()
    if type(given).__module__.partition(".")[0] == "cupy":
        return given.get()
    raise ArgumentTypeError("gradcheck", f"inputs[{position}]", "a Tensor, an array or None", type(given).__name__)


def _wanted(inputs: Sequence[Any], arrays: list[Any]) -> list[bool]:
    if any(map(_is_tensor, inputs)):
        return [_is_tensor(given) and given.requires_grad for given in inputs]
    return [array is not None and array.dtype.kind == "f" for array in arrays]


def _check(arrays: list[Any], wanted: list[bool]) -> None:
    if len(wanted) != len(arrays):
        raise ArgumentError("gradcheck", "wanted", f"{len(arrays)} flags, one for each input", len(wanted))
    if not any(wanted):
        expected = "at least one Tensor with requires_grad=True, or one floating array"
        raise GraphError("gradcheck", "inputs", expected, "none")
    for position, (array, flag) in enumerate(zip(arrays, wanted)):
        if flag and (array is None or array.dtype not in (np.float32, np.float64)):
            got = None if array is None else array.dtype
            raise DTypeError("gradcheck", f"inputs[{position}]", "float64 or float32", got)
