"""Gradients against finite differences, for rawseg's functions and anybody's, with a report that says why they differ.

No tolerance is guessed. Every element is compared with two central differences, whose truncation and rounding are bounded
(`differences`, `survey`). Where these bounds do not cover the error, or are too wide to show an error of 0.1 %, the element is
looked at with steps of many sizes, and what the differences do as the step falls is the verdict (`verdicts`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...errors import ArgumentError
from .arguments import adapter_of, array_of, refuse_others, refuse_unfit, unpacked, wanted_of
from .examination import Examination
from .report import GradientReport
from .second_order import GradientOf

__all__ = ["GradcheckError", "examine", "gradcheck", "gradgradcheck"]

KINKS = ("refuse", "subgradient")


class GradcheckError(AssertionError):
    """A gradient differs from finite differences by more than truncation and rounding can explain; ``report`` tells why."""

    def __init__(self, report: GradientReport) -> None:
        super().__init__(str(report))
        self.report = report

    def __reduce__(self):  # exceptions cross process borders by their arguments
        return type(self), (self.report,)


def gradcheck(
    function: Any,
    *inputs: Any,
    backward: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
    wanted: Sequence[bool] | None = None,
    step: float | None = None,
    seed: int = 0,
    kinks: str = "refuse",
    raise_exception: bool = True,
    **others: Any,
) -> bool:
    """Check the first derivatives of a function against central differences.

    Parameters
    ----------
    function : callable or Adapter
        Takes the inputs and returns an array or several; its floating outputs are checked.
    *inputs : Tensor, ndarray or None
        float64 or float32; one tuple of them will do, as PyTorch's gradcheck takes it. Of rawseg's and PyTorch's Tensors those
        with ``requires_grad`` are checked, element by element; of NumPy's and CuPy's arrays every floating one.
    backward, options, wanted, step, seed, kinks
        As `examine` takes them: ``options`` are the function's further arguments, what is no array among them.
    raise_exception : bool
        If not, return False where the gradients are wrong.
    **others
        None: tolerances, as PyTorch's gradcheck has them, are refused, since none is chosen here.

    Returns
    -------
    bool
        True.

    Raises
    ------
    GradcheckError
        With a report: the input and the element, both numbers, the tolerance, what the differences do as the step falls, and
        what kind of mistake it looks like.
    ArgumentError, ArgumentTypeError, DTypeError, GraphError
        As of `examine`.

    Examples
    --------
    >>> import numpy as np
    >>> import rawseg
    >>> x = rawseg.tensor([0.5, 2.0], dtype="float64", requires_grad=True)
    >>> gradcheck(lambda x: (x * x).exp(), x)
    True

    Of a function on NumPy's arrays the gradient stands beside it:

    >>> gradcheck(np.sin, np.array([0.5, 2.0]), backward=lambda grad_output, x: grad_output * np.cos(x))
    True
    """
    __tracebackhide__ = True
    refuse_others("gradcheck", others)
    how = {"backward": backward, "options": options, "wanted": wanted, "step": step, "seed": seed, "kinks": kinks}
    return _verdict(examine(function, *inputs, **how), raise_exception)


def gradgradcheck(
    function: Any,
    *inputs: Any,
    backward: Callable[..., Any] | None = None,
    options: Mapping[str, Any] | None = None,
    wanted: Sequence[bool] | None = None,
    step: float | None = None,
    seed: int = 0,
    kinks: str = "refuse",
    raise_exception: bool = True,
    **others: Any,
) -> bool:
    """Check second derivatives: `gradcheck` of the function that returns the gradients, in the gradient of the output as well.

    Parameters and errors are those of `gradcheck`. A function with its gradient beside it has no second derivative.
    """
    __tracebackhide__ = True
    refuse_others("gradgradcheck", others)
    how = {"backward": backward, "options": options, "wanted": wanted, "step": step, "seed": seed, "kinks": kinks}
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
) -> GradientReport:
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
        Which inputs to check, instead of the default choice.
    step : float, optional
        The step h, relative to max(1, |x|): 1e-4 in float64 and 1/64 in float32, unless given.
    seed : int
        Of the random direction in which outputs are added up.
    kinks : str
        "refuse": a kink at the point is a failure, since there is no gradient. "subgradient": everything between the slopes on
        both sides is right there.

    Returns
    -------
    GradientReport
        With ``passed``, ``verdict`` and much more; ``str`` of it is the text to read.

    Raises
    ------
    ArgumentError, ArgumentTypeError, DTypeError
        If an argument is none that can be used.
    GraphError
        If no input is to be checked.

    Examples
    --------
    >>> import numpy as np
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
    inputs = tuple(unpacked(inputs))
    adapter = adapter_of(function, inputs, backward)
    arrays = [array_of(adapter, position, given) for position, given in enumerate(inputs)]
    flags = wanted_of(inputs, arrays) if wanted is None else [bool(flag) for flag in wanted]
    refuse_unfit(arrays, flags)
    options = dict(options or {})
    if order == 2:
        adapter, arrays, flags = GradientOf.at(adapter, arrays, options, flags, seed + 1)
    return Examination(adapter, arrays, options, flags, order, step, seed, kinks).report()


def _verdict(report: GradientReport, raise_exception: bool) -> bool:
    __tracebackhide__ = True
    if raise_exception and not report.passed:
        raise GradcheckError(report)
    return report.passed
