"""Free places of one stretch of memory: the smallest that suffices is given, and neighbours that are free become one.

Numbers only, counted in bytes from the start of the stretch; whose memory it is, and who waits for whom, `_arena` knows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator


class Ranges:
    """What is free below ``top``, where the last place in use ends; from there to ``size`` all is.

    Attributes
    ----------
    starts, sizes : list of int
        Of the free places below ``top``, in order; no two touch, and none touches ``top``.
    kept : list of int
        Bytes of each that the machine may still keep pages for, at most.
    high : int
        Where memory begins that was never used, or was given up since.
    page : int
        Bytes that are given up together.
    """

    __slots__ = ("high", "kept", "page", "size", "sizes", "starts", "top")

    def __init__(self, size: int, page: int) -> None:
        self.size, self.page, self.top, self.high = size, page, 0, 0
        self.starts: list[int] = []
        self.sizes: list[int] = []
        self.kept: list[int] = []

    @property
    def cached(self) -> int:
        """Bytes that are free and that the machine may still keep pages for."""
        return sum(self.kept) + self.high - self.top

    def room(self, size: int) -> int:
        """Return the size of the smallest free place of so many bytes below the top, or -1."""
        best = -1
        for length in self.sizes:
            if length >= size and (length < best or best < 0):
                best = length
        return best

    def take(self, size: int, room: int) -> tuple[int, int]:
        """Return where so many bytes begin in the free place of that `room`, and how many of them count as kept."""
        at = self.sizes.index(room)
        start, kept = self.starts[at], self.kept[at]
        if room == size:
            del self.starts[at], self.sizes[at], self.kept[at]
            return start, kept
        self.starts[at], self.sizes[at] = start + size, room - size
        self.kept[at] = min(kept, room - size)  # which bytes they are is not known once a part was given up
        return start, kept - self.kept[at]

    def extend(self, size: int) -> tuple[int, int]:
        """Do as `take` above the top; the caller knows that there are so many bytes."""
        start = self.top
        self.top += size
        kept = min(self.high, self.top) - start
        self.high = max(self.high, self.top)
        return start, kept

    def give_back(self, start: int, size: int) -> int:
        """Free a place again; return by how much more is `cached`."""
        at, given, kept = bisect_left(self.starts, start), size, size
        if at < len(self.starts) and self.starts[at] == start + size:
            size, kept = size + self.sizes[at], kept + self.kept[at]
            del self.starts[at], self.sizes[at], self.kept[at]
        if at and self.starts[at - 1] + self.sizes[at - 1] == start:
            at -= 1
            start, size, kept = self.starts[at], size + self.sizes[at], kept + self.kept[at]
            del self.starts[at], self.sizes[at], self.kept[at]
        if start + size == self.top:
            self.top = start
            return given + size - kept  # what was given up below the top counts as kept above it: one number tells all there
        self.starts.insert(at, start)
        self.sizes.insert(at, size)
        self.kept.insert(at, kept)
        return given

    def forget(self, size: int) -> Iterator[tuple[int, int, int]]:
        """Yield start, end and kept bytes of free places, which the caller gives up: the last first, until it is enough."""
        if self.high > self.top:
            end, self.high = self.high, max(self.top, (self.high - size) // self.page * self.page)
            size -= end - self.high
            yield self.high, end, end - self.high
        for at in range(len(self.kept) - 1, -1, -1):
            if size > 0 and self.kept[at]:
                kept, self.kept[at] = self.kept[at], 0
                size -= kept
                yield self.starts[at], self.starts[at] + self.sizes[at], kept
