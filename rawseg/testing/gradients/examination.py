"""One check of gradients from beginning to end: does the function repeat itself, are there gradients at all, are they right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..adapters.adapter import Adapter, Arrays, GradientError, Options
from ..repeating import unequal_bits
from .differences import STEPS, Probe
from .hints import hints
from .report import LISTED, GradientReport, Rung
from .survey import Survey, survey
from .verdicts import Finding, look

LOOKED_AT = 12  # suspect elements that are all looked at, to tell how many are wrong
FULL = 4096  # elements up to which another input is compared as well, for a hint


class Examination(NamedTuple):
    """A function, a point, and how to check.

    Parameters
    ----------
    adapter : Adapter
        The function.
    arrays, options, wanted
        The point, and which arrays are checked.
    order : int
        1, or 2 where the function returns gradients itself.
    step : float or None
        Relative to max(1, |x|); by dtype unless given.
    seed : int
        Of the directions.
    kinks : str
        "refuse" or "subgradient".
    """

    adapter: Adapter
    arrays: Sequence[Any]
    options: Options
    wanted: Sequence[bool]
    order: int
    step: float | None
    seed: int
    kinks: str

    def report(self) -> GradientReport:
        """Return what is found."""
        try:
            outputs = [self.adapter.values(self._copies(), self.options) for _ in range(2)]
            if report := self._outputs_at_fault(*outputs):
                return report
            floating = [out for out in outputs[0] if out.dtype.kind == "f"]
            directions = self.directions(floating)
            found = [self.adapter.gradients(self._copies(), self.options, self.wanted, directions) for _ in range(2)]
        except GradientError as error:
            return self._refused("shape or dtype", str(error))
        if report := self._gradients_at_fault(*found):
            return report
        return self._compared(Probe(self.adapter, self.arrays, self.options, floating, directions), found[0])

    def directions(self, outputs: Arrays) -> Arrays:
        """Return along what the outputs are added up: magnitudes between 1/2 and 3/2 with random signs."""
        rng = np.random.default_rng(self.seed)
        drawn = [rng.uniform(0.5, 1.5, out.shape) * rng.choice([-1.0, 1.0], out.shape) for out in outputs]
        return [np.asarray(direction, out.dtype) for direction, out in zip(drawn, outputs)]

    # before anything is compared

    def _outputs_at_fault(self, first: Arrays, again: Arrays) -> GradientReport | None:
        names = [f"output {position}" for position in range(len(first))]
        if difference := unequal_bits(names, first, again):
            return self._refused("nondeterministic", difference)
        floating = [(name, out) for name, out in zip(names, first) if out.dtype.kind == "f"]
        if not floating:
            got = ", ".join(str(out.dtype) for out in first) or "no outputs"
            return self._refused("shape or dtype", f"no output is a float that could have a gradient: {got}")
        for name, out in floating:
            if out.dtype not in (np.float32, np.float64):
                return self._refused("shape or dtype", f"{name} is {out.dtype}: only float32 and float64 can be compared")
            if (at := _not_finite(out)) is not None:
                return self._refused("not finite", f"{name} at {at} is {out[at]}: nothing can be said about gradients there")
        return None

    def _gradients_at_fault(self, first: Arrays, again: Arrays) -> GradientReport | None:
        names = [f"the gradient of {self._blank(position).place}" for position in self._positions()]
        if difference := unequal_bits(names, first, again):
            return self._refused("nondeterministic", difference)
        for name, gradient in zip(names, first):
            if (at := _not_finite(gradient)) is not None:
                return self._refused("not finite", f"{name} at {at} is {gradient[at]}, where the outputs are finite")
        return None

    # the comparison

    def _compared(self, probe: Probe, gradients: Arrays) -> GradientReport:
        checked, resolution, note = 0, 0.0, None
        for position, gradient in zip(self._positions(), gradients):
            step = self.step or STEPS[probe.dtype(position)]
            found = survey(probe, position, gradient, step)
            tolerance, numeric, wrong = found.tolerance.copy(), found.numeric.copy(), found.wrong
            for at in found.worst_first():
                finding = look(probe, position, at, float(gradient[at]), step, self.kinks)
                report = self._of(probe, position, at, gradient, finding)
                if not finding.passed:
                    return self._explained(report, probe, position, gradients, found, wrong)
                tolerance[at], numeric[at], wrong[at] = report.tolerance, report.numeric, False
                note = note or (None if finding.verdict == "right" else report)
            checked += gradient.size
            resolution = max(resolution, _relative(tolerance, numeric))
        kind = max((probe.dtype(position) for position in self._positions()), key=lambda name: name == "float32")
        right = note or GradientReport(True, "right", "", self.order)
        return replace(right, checked=checked, resolution=resolution, dtype=kind)

    def _of(self, probe: Probe, position: int, at: tuple[int, ...], gradient: np.ndarray, finding: Finding) -> GradientReport:
        analytic = float(gradient[at])
        tolerance = finding.truncation + finding.rounding
        return replace(
            self._blank(position),
            passed=finding.passed,
            verdict=finding.verdict,
            words=finding.words,
            element=at,
            analytic=analytic,
            numeric=finding.numeric,
            error=abs(finding.numeric - analytic),
            tolerance=tolerance,
            truncation=finding.truncation,
            rounding=finding.rounding,
            ladder=tuple(Rung(d.h, d.value, abs(d.value - analytic)) for d in finding.ladder),
            left=finding.left,
            right=finding.right,
            elements=gradient.size,
            dtype=probe.dtype(position),
            resolution=tolerance / abs(finding.numeric) if finding.numeric else 0.0,
        )

    def _explained(
        self, report: GradientReport, probe: Probe, position: int, gradients: Arrays, found: Survey, wrong: np.ndarray
    ) -> GradientReport:
        """Return the report with how many elements are wrong and what kind of mistake that may be."""
        gradient = gradients[self._positions().index(position)]
        wrong[report.element] = True
        few = found.worst_first() if np.count_nonzero(found.suspect) <= LOOKED_AT else []
        for at in few:
            step = self.step or STEPS[probe.dtype(position)]
            wrong[at] = not look(probe, position, at, float(gradient[at]), step, self.kinks).passed
        places = [tuple(int(i) for i in at) for at in np.argwhere(wrong)]
        report = replace(report, wrong=len(places), where=tuple(places) if len(places) <= LISTED else ())
        if report.verdict != "wrong formula":
            return report
        others = {}
        for other, theirs in zip(self._positions(), gradients):
            if other != position and theirs.shape == gradient.shape and theirs.size <= FULL:
                step = self.step or STEPS[probe.dtype(other)]
                others[self._blank(other).place] = survey(probe, other, theirs, step).numeric
        tolerance = np.where(wrong, found.tolerance, np.maximum(found.tolerance, found.error))
        return replace(report, hints=tuple(hints(gradient, found.numeric, tolerance, others)[:2]))

    def _positions(self) -> list[int]:
        return [position for position, flag in enumerate(self.wanted) if flag]

    def _copies(self) -> list[Any]:
        return [None if array is None else array.copy() for array in self.arrays]

    def _blank(self, position: int) -> GradientReport:
        return GradientReport(False, "", "", self.order, position, self.adapter.argument(position))

    def _refused(self, verdict: str, words: str) -> GradientReport:
        return GradientReport(False, verdict, words, self.order)


def _not_finite(array: np.ndarray) -> tuple[int, ...] | None:
    bad = np.argwhere(~np.isfinite(array))
    return tuple(int(i) for i in bad[0]) if len(bad) else None


def _relative(tolerance: np.ndarray, numeric: np.ndarray) -> float:
    """Return the widest tolerance in parts of the typical gradient of an input."""
    typical = float(np.sqrt(np.mean(np.square(numeric)))) if numeric.size else 0.0
    return float(tolerance.max()) / typical if typical > 0 and np.isfinite(typical) else 0.0
