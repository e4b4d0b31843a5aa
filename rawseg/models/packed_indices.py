"""Where the largest elements of 2 x 2 windows were, in two bits each: what a SegNet decoder must be told, and no more."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import is_grad_enabled
from ..device import array_module
from ..functional.pooling import PoolIndices

__all__ = ["PackedIndices", "packed", "unpacked"]


class PackedIndices:
    """The indices of a 2 x 2 pooling of stride 2, four to a byte.

    Parameters
    ----------
    indices : PoolIndices, shape (N, C, H / 2, W / 2)
        As ``max_pool2d(x, 2, return_indices=True)`` gives them, for even H and W.
    """

    def __init__(self, indices: PoolIndices) -> None:
        self.shape, self.plane = indices.shape, indices.plane
        width = self.plane[1]
        inside = indices.array - self._corners(indices.array)  # 0, 1, width or width + 1
        below = inside >= width
        places = (2 * below + inside - width * below).astype(np.uint8).ravel()  # 0 to 3
        xp = array_module(places)
        places = xp.concatenate([places, xp.zeros(-places.size % 4, np.uint8)]).reshape(-1, 4)
        self.codes = places[:, 0] | places[:, 1] << 2 | places[:, 2] << 4 | places[:, 3] << 6

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.codes.nbytes

    def unpack(self) -> PoolIndices:
        """Return the indices as they were."""
        xp = array_module(self.codes)
        places = (self.codes[:, None] >> xp.arange(0, 8, 2, dtype=np.uint8)) & 3
        places = places.ravel()[: int(np.prod(self.shape))].reshape(self.shape).astype(np.int64)
        return PoolIndices(self._corners(places) + (places >> 1) * self.plane[1] + (places & 1), self.plane)

    def _corners(self, like: Any) -> Any:
        """Return the index of every window's first element."""
        xp = array_module(like)
        rows, columns = xp.arange(self.shape[2]), xp.arange(self.shape[3])
        return 2 * rows[:, None] * self.plane[1] + 2 * columns


def packed(indices: Any) -> Any:
    """Return indices for a decoder: where a graph is recorded, backward keeps them as they are anyway."""
    return indices if is_grad_enabled() else PackedIndices(indices)


def unpacked(indices: Any) -> Any:
    """Return the indices that `packed` was given."""
    return indices.unpack() if isinstance(indices, PackedIndices) else indices
