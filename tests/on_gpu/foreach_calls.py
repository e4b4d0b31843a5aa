"""Launches over many arrays: each beside the loops that define it, for arrays in any number and size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from rawseg_kernels._arrays import filled
from rawseg_kernels._foreach import adam, clip, reference, sgd
from rawseg_kernels._foreach.table import CHUNK, Table

SIZES = [7, 0, CHUNK + 3, 1, 300]
DTYPES = [np.float32, np.float64]


class ForeachCall(NamedTuple):
    """A call that changes columns of arrays: gradient, x, and slots; ``run(table, like)`` gets one of them, too."""

    name: str
    columns: int
    run: Callable[[Table, Any], Any]
    loops: Callable[..., Any]  # of the arrays of one row


def arrays(columns: int, dtype: Any, sizes: list[int] = SIZES) -> list[list[np.ndarray]]:
    """Return columns of numbers; all but the first three, slots of squares, are not negative."""
    rng = np.random.default_rng(3)
    found = [[rng.standard_normal(size).astype(dtype) for size in sizes] for _ in range(columns)]
    return [*found[:3], *([abs(array) for array in column] for column in found[3:])]


def _sgd(name: str, momentum: float, share: float, decay: float, nesterov: bool, maximize: bool) -> ForeachCall:
    options = 0.1, momentum, share, decay, nesterov, maximize

    def loops(gradient: Any, x: Any, buffer: Any = None) -> None:
        reference.sgd(x, gradient, buffer, *options)

    return ForeachCall(f"sgd {name}", 3 if momentum else 2, lambda table, _: sgd.update(table, *options), loops)


def _adam(name: str, step: int, decay: float, decoupled: bool, amsgrad: bool, maximize: bool) -> ForeachCall:
    numbers = step, 0.05, (0.9, 0.99), 1e-6, decay, decoupled

    def loops(gradient: Any, x: Any, m: Any, v: Any, largest: Any = None) -> None:
        reference.adam(x, gradient, m, v, largest, *numbers, maximize)

    return ForeachCall(
        f"adam {name}", 5 if amsgrad else 4, lambda table, _: adam.update(table, *numbers, amsgrad, maximize), loops
    )


def _scaled(factor: float, table: Table, like: Any) -> None:
    clip.scale(table, filled(like, (), factor, np.float64))


def _rules() -> Iterator[ForeachCall]:
    yield _sgd("plain", 0.0, 1.0, 0.0, False, False)
    yield _sgd("decay, climbing", 0.0, 1.0, 0.1, False, True)
    yield _sgd("momentum, dampened", 0.9, 0.7, 0.0, False, True)
    yield _sgd("nesterov, decay", 0.9, 1.0, 0.1, True, False)
    yield _adam("plain", 1, 0.0, False, False, False)
    yield _adam("decay, climbing", 3, 0.1, False, False, True)
    yield _adam("AMSGrad, decay", 7, 0.1, False, True, False)
    yield _adam("W, AMSGrad, climbing", 2, 0.2, True, True, True)
    yield ForeachCall("clip scale", 1, partial(_scaled, 0.3), lambda gradient: reference.scale(gradient, 0.3))
    yield ForeachCall("clip no scale", 1, partial(_scaled, 1.0), lambda gradient: None)
    yield ForeachCall("clip limit", 1, lambda table, _: clip.limit(table, 0.5), lambda gradient: reference.limit(gradient, 0.5))


CALLS = list(_rules())
NORMS = [math.inf, 1.0, 2.0, 3.0, 0.5]


def called(call: ForeachCall, columns: list[list[np.ndarray]]) -> None:
    """Run a call on columns, the first of which is only read if there are others."""
    table = Table()
    table.point_at(columns[:1] if len(columns) > 1 else [], columns[1:] or columns)
    call.run(table, columns[0][0])


def norm_of(columns: list[list[Any]], p: float, max_norm: float) -> tuple[Any, Any]:
    """Return norm and factor of columns, each of a dtype of its own."""
    tables = [Table() for _ in columns]
    for table, column in zip(tables, columns):
        table.point_at([column], [])
    return clip.norm_and_factor(tables, columns[0][0], p, max_norm)
