"""Sums over groups of numbers in parts that blocks of threads add up, and the statistics of all normalisations by them.

Parts, and the threads of a block, follow from shapes alone. Sums are float64, like those of the loops, but in another order.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .kernel import MOST_BLOCKS, Kernel
from .memory import empty
from .source import Source

kernel = Source(__file__, "moments.cu").kernel

PART = 8192  # numbers of a part, where there are more
MOST_PARTS = 64  # of a group: the last thread adds them up alone
FEWEST, MOST = 32, 256  # threads of a block, which add eight numbers each before they meet


class Groups(NamedTuple):
    """Groups of numbers in an array: number i of piece b of group j stands at ``j * step + b * stride + i``."""

    number: int
    pieces: int
    length: int
    stride: int
    step: int

    @property
    def count(self) -> int:
        """Numbers of a group."""
        return self.pieces * self.length

    @property
    def parts(self) -> int:
        """Parts of a group."""
        return max(1, min(MOST_PARTS, -(-self.count // PART)))

    def launch(self, run: Kernel, *arguments: Any) -> None:
        """Run a block for each part of each group; the kernel's last parameters say which numbers these are."""
        threads = FEWEST
        while threads < min(MOST, self.count // self.parts // 8):
            threads *= 2
        groups = self.number, self.parts, self.count, max(self.length, 1), self.stride, self.step
        blocks = min(self.number * self.parts, MOST_BLOCKS)
        run.launch((blocks,), (threads,), *arguments, *groups, shared=8 * threads)

    def partial(self, like: Any) -> Any:
        """Return room for a sum of each part."""
        return empty(like, (self.number, self.parts), np.float64)

    def totals(self, partial: Any) -> Any:
        """Return the sum of each group's parts, in order."""
        total = empty(partial, (self.number,))
        kernel("moments_totals", np.float64)(self.number, partial, total, self.number, self.parts)
        return total


def statistics(x: Any, groups: Groups, eps: float) -> tuple[Any, Any, Any]:
    """Return mean, ``1 / sqrt(variance + eps)`` and biased variance of each group, float64; of an empty one 0 and 0."""
    partial = groups.partial(x)
    mean, inv_std, variance = (empty(x, (groups.number,), np.float64) for _ in range(3))
    groups.launch(kernel("moments_sums", x.dtype), x, partial)
    kernel("moments_mean", x.dtype)(groups.number, partial, mean, groups.number, groups.parts, groups.count)
    groups.launch(kernel("moments_squares", x.dtype), x, mean, partial)
    run = kernel("moments_deviation", x.dtype)
    run(groups.number, partial, inv_std, variance, groups.number, groups.parts, groups.count, eps)
    return mean, inv_std, variance
