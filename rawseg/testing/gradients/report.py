"""What a check of gradients found, and the text that says so."""

from __future__ import annotations

import math
from dataclasses import dataclass
from textwrap import wrap
from typing import NamedTuple

RUNGS = 10  # lines of the ladder that are printed
WIDTH = 110  # columns of the text
LISTED = 6  # elements that are named


class Rung(NamedTuple):
    """One step of the ladder: the difference quotient, and its distance from the gradient."""

    h: float
    difference: float
    error: float


@dataclass(frozen=True)
class GradientReport:
    """The result of `rawseg.testing.examine`; ``str`` of it is the text.

    Attributes
    ----------
    passed : bool
        Whether the gradients are right.
    verdict : str
        "right"; "nondeterministic", "shape or dtype", "not finite", "kink", "kink within the step", "jump", "wrong formula",
        "truncation" or "rounding". A kink within the step, or at the point where subgradients may pass, can be right as well.
    words : str
        The verdict in a sentence.
    order : int
        1 of gradients, 2 of gradients of gradients.
    input, name, element : int, str, tuple of int
        Which input, what the function calls it, and which element of it; None and "" where the verdict is not about one.
    analytic, numeric, error, tolerance : float
        Of the element. The tolerance is ``truncation + rounding``.
    truncation, rounding : float
        What is left out of the differences, and what rounding does to them and to the gradient.
    ladder : tuple of Rung
        Falling steps.
    left, right : float or None
        The slopes on both sides of a kink.
    elements, wrong : int
        Of this input: how many there are, and how many differ by more than their tolerance.
    where : tuple
        The wrong elements, if these are few.
    hints : tuple of str
        What kind of mistake it looks like, best first.
    checked : int
        Elements that were compared, of all inputs.
    dtype : str
        Of the check: the coarsest of input and outputs.
    resolution : float
        The smallest relative error that would have been seen: of the element, or in every element where all are right.
    """

    passed: bool
    verdict: str
    words: str
    order: int = 1
    input: int | None = None
    name: str = ""
    element: tuple[int, ...] | None = None
    analytic: float = math.nan
    numeric: float = math.nan
    error: float = math.nan
    tolerance: float = math.nan
    truncation: float = math.nan
    rounding: float = math.nan
    ladder: tuple[Rung, ...] = ()
    left: float | None = None
    right: float | None = None
    elements: int = 0
    wrong: int = 0
    where: tuple[tuple[int, ...], ...] = ()
    hints: tuple[str, ...] = ()
    checked: int = 0
    dtype: str = "float64"
    resolution: float = 0.0

    def __str__(self) -> str:
        check = "gradcheck" if self.order == 1 else "gradgradcheck"
        if self.passed:
            return f"{check}: {self._agreement()}"
        if self.element is None:
            return f"{check}: {self.verdict}: {self.words}"
        place = f"{check}: {self.place} at {self.element}"
        compared = f"analytic gradient {self.analytic + 0.0:.12g}, finite differences {self.numeric + 0.0:.12g}"
        lines = [
            f"{place}: {compared}",
            *_labelled("verdict", f"{self.verdict}: {self.words}"),
            *self._error(),
            *self._ladder(),
        ]
        lines += _labelled("wrong", self._wrong()) if self.wrong else []
        return "\n".join([*lines, *(line for hint in self.hints for line in _labelled("hint", hint))])

    @property
    def place(self) -> str:
        """The input, with its name if it has one."""
        return f"input {self.input}" + (f" ({self.name})" if self.name else "")

    def _agreement(self) -> str:
        if not self.checked:
            return "there was nothing to compare"
        agree = "1 element agrees" if self.checked == 1 else f"{self.checked} elements agree"
        seen = f"in any of them an error of {percent(self.resolution)} of the typical gradient would have been seen"
        text = f"{agree} with finite differences ({self.dtype}); {seen}"
        note = _labelled("note", f"{self.place} at {self.element}: {self.words}") if self.verdict != "right" else []
        return "\n".join([text, *note])

    def _error(self) -> list[str]:
        if not math.isfinite(self.error):
            return []
        share = abs(self.error / self.numeric) if self.numeric else math.inf
        shown = f" ({percent(share)} of the gradient)" if share < 10 else ""
        lines = [f"  error      {self.error:.3g}{shown}"]
        if not math.isfinite(self.tolerance):
            return lines
        parts = f"{self.tolerance:.3g} = {self.truncation:.2g} truncation + {self.rounding:.2g} rounding, {self.dtype}"
        lines += [f"  tolerance  {parts}"]
        if 0 < self.resolution < 1:
            lines += [f"             a relative error of {percent(self.resolution)} would have been seen here"]
        return lines

    def _ladder(self) -> list[str]:
        rungs = self.ladder[:: math.ceil(len(self.ladder) / RUNGS)] if self.ladder else ()
        lines = ["  ladder     step h      difference quotient      error      slope"] if rungs else []
        for before, rung in zip((None, *rungs), rungs):
            slope = "" if before is None else _slope(before, rung)
            lines.append(f"             {rung.h:<10.3g}  {rung.difference:< 23.15g}  {rung.error:<9.2g}  {slope}".rstrip())
        return lines

    def _wrong(self) -> str:
        if self.wrong == self.elements:
            return f"all {self.elements} elements of this input" if self.elements > 1 else "the only element of this input"
        listed = f": {', '.join(map(str, self.where))}" if self.where else ""
        return f"{self.wrong} of {self.elements} elements of this input{listed}"


def _labelled(label: str, text: str) -> list[str]:
    """Return the lines of a text, the first behind a label."""
    return wrap(text, WIDTH, initial_indent=f"  {label:<10} ", subsequent_indent=13 * " ", break_long_words=False)


def percent(share: float) -> str:
    """Return a share to two digits: in per cent, or as a number where it is small."""
    return f"{100 * share:.3g} %" if share >= 1e-4 else f"{share:.1e}"


def _slope(before: Rung, rung: Rung) -> str:
    """Return the power of h with which the error falls between two rungs."""
    if not (before.error > 0 and rung.error > 0):
        return ""
    return f"{round(math.log(before.error / rung.error) / math.log(before.h / rung.h), 1) + 0.0:.1f}"
