"""The gradients of a function as a function of their own, whose gradients are second derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..adapters.adapter import Adapter, Arrays, Given, Options


class GradientOf(Adapter):
    """What a function's gradients are along directions, which are arguments after the function's own.

    Parameters
    ----------
    adapter : Adapter
        The function.
    wanted : sequence of bool
        Which of its arrays have gradients.
    """

    has_second = False

    def __init__(self, adapter: Adapter, wanted: Sequence[bool]) -> None:
        super().__init__(adapter.function)
        self._adapter, self._wanted = adapter, list(wanted)
        self.framework, self.device, self.has_gradients = adapter.framework, adapter.device, adapter.has_second

    @classmethod
    def at(
        cls, adapter: Adapter, arrays: list[Any], options: Options, wanted: list[bool], seed: int
    ) -> tuple[GradientOf, list[Any], list[bool]]:
        """Return a function's gradients, their arguments with directions drawn, and which of these are to be checked."""
        rng = np.random.default_rng(seed)
        copies = [None if array is None else array.copy() for array in arrays]
        outputs = [out for out in adapter.values(copies, options) if out.dtype.kind == "f"]
        ways = [np.asarray(rng.uniform(0.5, 1.5, out.shape), out.dtype) for out in outputs]
        return cls(adapter, wanted), [*arrays, *ways], [*wanted, *(True for _ in ways)]

    def argument(self, position: int) -> str:
        """Return the name of an argument of the function, or of a direction."""
        own = len(self._wanted)
        return self._adapter.argument(position) if position < own else "the gradient of the output"

    def values(self, arrays: Given, options: Options) -> Arrays:
        """Return the gradients."""
        points, ways = self._split(arrays)
        return self._adapter.gradients(points, options, self._wanted, ways)

    def gradients(self, arrays: Given, options: Options, wanted: Sequence[bool], directions: Arrays) -> Arrays:
        """Return the gradients of the gradients."""
        points, ways = self._split(arrays)
        found = self._adapter.second(points, options, self._wanted, ways, directions)
        asked = [flag for flag, own in zip(wanted, self._wanted) if own] + list(wanted[len(self._wanted) :])
        return [gradient for gradient, flag in zip(found, asked, strict=True) if flag]

    def _split(self, arrays: Given) -> tuple[list[Any], Arrays]:
        own = len(self._wanted)
        return list(arrays[:own]), list(arrays[own:])
