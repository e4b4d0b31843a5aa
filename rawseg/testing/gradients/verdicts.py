"""Why a gradient and the differences disagree: one element looked at with steps of many sizes (`ladder`)."""

from __future__ import annotations

import math
from typing import NamedTuple

from .differences import Difference, Probe
from .ladder import RUNGS_NEEDED, SHARP, Estimate, Ladder, limit

GRADIENT_ROUNDINGS = 64  # roundings of the gradient itself, in units u of the sum of its magnitudes
MOVE = "move the input away from it"
BLURRED = 0.1  # share of the gradient that has to be known, or nothing is


class Finding(NamedTuple):
    """What was found about one element.

    ``words`` say the verdict in a sentence; ``left`` and ``right`` are one-sided slopes, of a kink.
    """

    passed: bool
    verdict: str
    words: str
    numeric: float
    truncation: float
    rounding: float
    ladder: tuple[Difference, ...]
    left: float | None = None
    right: float | None = None


def look(probe: Probe, position: int, at: tuple[int, ...], analytic: float, step: float, kinks: str) -> Finding:
    """Return what is to be said of an element whose gradient and differences seem to disagree.

    Parameters
    ----------
    probe : Probe
        The function.
    position, at : int, tuple of int
        The input and the element.
    analytic : float
        Its gradient.
    step : float
        That of the check; a kink further away is no news.
    kinks : str
        "refuse", or "subgradient": at a kink everything between the slopes of both sides is right.
    """
    ladder = Ladder(probe, position, at)
    if len(ladder.rungs) < RUNGS_NEEDED:
        return _out_of_domain(probe, ladder)
    if (power := ladder.growth()) > 0:
        return _growing(ladder, power)
    if (slopes := ladder.kink()) is not None:
        return _kink(ladder, analytic, slopes, kinks)
    for rounding in (ladder.ordinary, ladder.measured):
        found = ladder.derivative(rounding)
        own = GRADIENT_ROUNDINGS * ladder.u * (float(ladder.total[found.rung]) + abs(analytic))
        sharp = found.doubt <= SHARP * max(float(ladder.typical[: found.rung + 1].max()), abs(found.value))
        if sharp and abs(found.value - analytic) <= found.doubt + own:
            return _right(ladder, found, own, step)
    return _undecided_or_wrong(ladder, analytic, found, own, step)


def _finding(ladder: Ladder, passed: bool, verdict: str, words: str, found: Estimate, own: float) -> Finding:
    return Finding(passed, verdict, words, found.value, found.truncation, found.rounding + own, tuple(ladder.rungs))


def _right(ladder: Ladder, found: Estimate, own: float, step: float) -> Finding:
    broken = ladder.breaks(20)
    if broken is None or broken[0] >= step:
        return _finding(ladder, True, "right", "the gradient is right", found, own)
    words = f"{_away(broken)}, within the step; with smaller ones the differences agree with the gradient"
    return _finding(ladder, True, "kink within the step", words, found, own)


def _undecided_or_wrong(ladder: Ladder, analytic: float, found: Estimate, own: float, step: float) -> Finding:
    """Say what remains where the gradient is not clearly right."""
    error, share = abs(found.value - analytic), max(float(ladder.typical[found.rung]), abs(found.value))
    explained, unsettled = error <= found.doubt + own, found.truncation > found.rounding
    blurred = found.doubt > BLURRED * max(share, abs(analytic))
    broken = ladder.breaks(3)
    if broken is not None and broken[0] < step and blurred and (unsettled or not explained):
        words = f"{_away(broken)}: so close that rounding hides what smaller steps would show; {MOVE}"
        return _finding(ladder, False, "kink within the step", words, found, own)
    if (ladder.noisy and blurred) or (not explained and ladder.swallows(analytic, found.rung)):
        words = "the function's values are further off by rounding than any step can make up for; a wider dtype would tell"
        return _finding(ladder, False, "rounding", words, found, own)
    if explained and not unsettled:
        return _finding(ladder, True, "rounding", "rounding explains the difference, at every step", found, own)
    if blurred or not (explained or ladder.settles(found, error)):
        words = "differences change with every step, down to the smallest that there is: the function varies too fast for them"
        return _finding(ladder, False, "truncation", words, found, own)
    if explained:
        words = "the function varies so fast that the smallest steps leave out as much as there is to see"
        return _finding(ladder, True, "truncation", words, found, own)
    if ladder.apart(found.rung) and ladder.bend[found.rung] > error:
        words = f"a kink or jump lies within {ladder.h[found.rung]:.1g} of this point, and rounding hides more; {MOVE}"
        return _finding(ladder, False, "kink within the step", words, found, own)
    words = "as the step falls the differences settle, at a number that is not the gradient"
    return _finding(ladder, False, "wrong formula", words, found, own)


def _out_of_domain(probe: Probe, ladder: Ladder) -> Finding:
    why = f" ({type(probe.refusal).__name__}: {probe.refusal})" if probe.refusal is not None else ""
    words = f"no finite values on one side of this point, or on both, however small the step{why}"
    return Finding(False, "not finite", words, math.nan, math.nan, math.nan, tuple(ladder.rungs))


def _growing(ladder: Ladder, power: float) -> Finding:
    left, right = float(ladder.left[-1]), float(ladder.right[-1])
    none = Estimate(float(ladder.value[-1]), math.inf, float(ladder.measured[-1]), -1)
    if power > 0.75:
        words = "the difference quotient grows like 1/h as the step h falls: the function jumps here"
        return _finding(ladder, False, "jump", words, none, 0.0)
    words = f"the slopes grow without limit as the step falls, like h**-{power:.2g}: there is no derivative here"
    return _finding(ladder, False, "kink", words, none, 0.0)._replace(left=left, right=right)


def _kink(ladder: Ladder, analytic: float, slopes: tuple[float, float], kinks: str) -> Finding:
    """Judge a gradient at a kink; outputs have kinks of their own, so a subgradient lies between sums of the smaller slopes."""
    left, right = slopes
    bend = limit(ladder.h, ladder.bend, ladder.measured * ladder.outputs, 1)
    middle = (left + right) / 2
    own = GRADIENT_ROUNDINGS * ladder.u * (float(ladder.total[bend.rung]) + abs(analytic))
    between = abs(analytic - middle) <= bend.value / 2 + bend.doubt + own
    words = f"at this point the slope is {left:.9g} to the left and {right:.9g} to the right; the gradient "
    words += "lies between them, a subgradient" if between else "is not between them: not even a subgradient"
    found = Estimate(middle, bend.truncation, bend.rounding, bend.rung)
    passed = between and kinks == "subgradient"
    return _finding(ladder, passed, "kink", words, found, own)._replace(left=left, right=right)


def _away(broken: tuple[float, float]) -> str:
    return f"a kink or jump lies between {broken[0]:.1g} and {broken[1]:.1g} away from this point"
