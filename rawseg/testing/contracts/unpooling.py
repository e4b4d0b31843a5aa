"""Unpooling: elements put back where max pooling found them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from ..case import Case
from ..rounding import Moved
from ..strategies import pooling
from .contract import Contract, Edge, Refusal
from .planes import shuffled

OP = "max_unpool2d"


def _case(indices: Any, /, kernel_size: Any = 2, **options: Any) -> Case:
    """Return a call on numbers of the indices' shape; a plane that is written out is one image of one channel."""
    where = np.array(indices, np.int64)
    where = where[None, None] if where.ndim == 2 else where
    case = shuffled(OP, where.shape, kernel_size=kernel_size, **options)
    return case.having(indices=where)


def _edges() -> list[Edge]:
    plain, twice = [[0, 3], [9, 15]], [[1, 1, 3]]
    overlapping = {"kernel_size": (1, 2), "stride": 1}
    planes = np.arange(24).reshape(2, 2, 2, 3)
    return [
        Edge("max_unpool2d.fill", "0 where nothing is put", _case(plain), True),
        Edge("max_unpool2d.backward", "every image and channel by itself", _case(planes % 12, (2, 3)), True),
        Edge("max_unpool2d.plain-indices", "stride and padding", _case(plain, 3, stride=(4, 5), padding=1), True),
        Edge("max_unpool2d.plain-indices", "a size below the default", _case([[0, 3], [9, 14]], output_size=(3, 5)), True),
        Edge("max_unpool2d.plain-indices", "a whole output shape", _case(plain, output_size=(1, 1, 5, 4)), True),
        Edge("max_unpool2d.indices", "the last pixel", _case([[15, 0]], (4, 2)), True),
        Edge("max_unpool2d.indices", "a batch without images", _case(np.zeros((0, 2, 2, 3))), True),
        Edge("max_unpool2d.duplicates", "the last wins", _case(twice, **overlapping, duplicates="last"), True),
        Edge("max_unpool2d.duplicates", "all add up", _case(twice, **overlapping, duplicates="sum"), True),
    ]


def _refusals() -> list[Refusal]:
    plain, row = [[0, 3], [9, 15]], "max_unpool2d.plain-indices"
    fitting = _case(plain)
    narrow = fitting.having(indices=fitting.arrays["indices"].astype(np.int32))
    fewer = fitting.having(indices=fitting.arrays["indices"][..., :1])
    return [
        Refusal("max_unpool2d.indices", "an index beyond the plane", _case([[0, 16], [3, 5]]), "indices", IndexRangeError),
        Refusal("max_unpool2d.indices", "an index below 0", _case([[0, -1], [3, 5]]), "indices", IndexRangeError),
        Refusal("max_unpool2d.indices", "indices of another shape", fewer, "indices", ShapeError),
        Refusal("max_unpool2d.indices", "indices of 32 bits", narrow, "indices", DTypeError),
        Refusal("max_unpool2d.duplicates", "one pixel twice", _case([[0, 3], [3, 5]]), "indices", ArgumentError, True),
        Refusal(row, "a size a stride too small", _case(plain, output_size=(2, 4)), "output_size", ArgumentError),
        Refusal(row, "a size a stride too large", _case(plain, output_size=(4, 6)), "output_size", ArgumentError),
        Refusal(row, "another batch", _case(plain, output_size=(7, 1, 4, 4)), "output_size", ArgumentError, True),
        Refusal(row, "three numbers", _case(plain, output_size=(1, 4, 4)), "output_size", ArgumentError),
        Refusal(row, "a stride of 0", _case([[0, 1]], stride=0), "stride", ArgumentError, True),
        Refusal(row, "no pixel", _case([[0]], padding=1), "padding", ShapeError, True),
        Refusal(
            row, "two axes", Case(OP, {k: a[0, 0] for k, a in fitting.arrays.items()}, fitting.options), "input", ShapeError
        ),
    ]


CONTRACTS = [
    Contract(
        OP,
        F.max_unpool2d,
        pooling.max_unpool2d,
        ("input",),
        Moved(),
        _edges,
        _refusals,
        needed=("input", "indices", "kernel_size"),
    )
]
