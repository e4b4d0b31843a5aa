"""How exact float32 convolutions must be: one setting, read when ``algorithm="auto"`` chooses.

``"fast"`` allows Winograd's F(4x4, 3x3), whose rounding errors are some ten times those of direct sums (about 2e-6 of the
output's standard deviation for 64 channels, where a direct sum has 2e-7), ``"balanced"`` F(2x2, 3x3), which is as accurate as
direct sums, ``"exact"`` direct sums alone. float64 is always summed directly.
"""

from __future__ import annotations

import os

from ._errors import ArgumentError

PRECISIONS = ("fast", "balanced", "exact")


def _checked(argument: str, precision: object) -> str:
    if precision not in PRECISIONS:
        raise ArgumentError("set_precision", argument, f"one of {PRECISIONS}", repr(precision))
    return str(precision)


_precision = _checked("RAWSEG_PRECISION", os.environ.get("RAWSEG_PRECISION") or "fast")


def get_precision() -> str:
    """Return ``"fast"``, ``"balanced"`` or ``"exact"``; see `set_precision`."""
    return _precision


def set_precision(precision: str) -> None:
    """Say what float32 convolutions may trade for speed; the environment variable ``RAWSEG_PRECISION`` does so from the start.

    Parameters
    ----------
    precision : {"fast", "balanced", "exact"}
        Whether 3x3 convolutions of stride 1 may use Winograd's F(4x4, 3x3), at most F(2x2, 3x3), or direct sums only. The
        rounding error of each is bounded; that of F(4x4, 3x3) is some ten times larger than a direct sum's, that of F(2x2, 3x3)
        about the same. Results have the same bits on every run at each setting. On a GPU, which has no Winograd, "exact" keeps
        products away from tensor cores, whatever `set_tensor_core_precision` allows.

    Raises
    ------
    ArgumentError
        If there is no such precision.
    """
    global _precision
    _precision = _checked("precision", precision)
