"""Hypothesis strategies of cases: for every operation calls of it, valid by construction, the degenerate on purpose.

``cases("conv2d")`` draws calls. Shapes and options alone, for who fills the arrays, are drawn by functions of the files here:
``convolution.convolutions``, ``pooling.geometries``, ``windows.windows``, ``regions.regions``, ``sampling.points``,
``boxes.grid_boxes``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .convolution import everything

__all__ = ["cases"]


def cases(op: str, dtype: Any = np.float64, offered: Callable[[str], bool] = everything) -> Any:
    """Return the strategy of an operation's calls, each a `rawseg.testing.Case`.

    Parameters
    ----------
    op : str
        Public name in `rawseg.functional` or `rawseg.ops`.
    dtype : dtype
        Of floating arrays: float64 or float32.
    offered : callable
        ``offered(name)``: whether the implementation at hand takes this argument. What it does not keeps its default and is
        left out of the case.

    Raises
    ------
    ArgumentError
        If the operation has no contract.

    Examples
    --------
    >>> from hypothesis import given, settings
    >>> from rawseg.functional import conv2d
    >>> @settings(max_examples=5, database=None, deadline=None)  # the first call of a kernel compiles it
    ... @given(cases("conv2d"))
    ... def test_it_runs(case):
    ...     assert conv2d(*case.values, **case.options).ndim == 4
    >>> test_it_runs()
    """
    from ..contracts import contract_of  # they draw from the files of this folder

    return contract_of(op).cases(dtype, offered)
