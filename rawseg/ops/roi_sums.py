"""The sums behind RoIAlign as Functions that are each other's derivatives.

A value is linear in the map, in the weights of the row samples and in those of the column samples. So every derivative, of any
order, is one of four sums, with one of the operands (output gradient, map, row weights, column weights) left out; here each
of the four is a Function whose backward pass is made of the other three.
"""

from __future__ import annotations

from typing import Any

from rawseg_kernels import roi_align as roi_align_room
from rawseg_kernels import roi_align_max as roi_align_max_room
from rawseg_kernels._roi_grid import Grid

from ..autograd import Function

__all__ = ["Align", "Largest", "Mean"]


class Mean:
    """The four sums for the mean of a bin's samples."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def forward(self, x: Any, rows: Any, columns: Any) -> Any:
        return roi_align_room.forward(x, self.grid, rows, columns)

    def input(self, grad_output: Any, rows: Any, columns: Any) -> Any:
        return roi_align_room.backward_input(grad_output, self.grid, rows, columns)

    def rows(self, grad_output: Any, x: Any, columns: Any) -> Any:
        return roi_align_room.backward_rows(grad_output, x, self.grid, columns)

    def columns(self, grad_output: Any, x: Any, rows: Any) -> Any:
        return roi_align_room.backward_columns(grad_output, x, self.grid, rows)


class Chosen:
    """The same for one chosen sample of each bin."""

    def __init__(self, grid: Grid, chosen: Any) -> None:
        self.grid, self.chosen = grid, chosen

    def forward(self, x: Any, rows: Any, columns: Any) -> Any:
        return roi_align_max_room.gather(x, self.chosen, self.grid, rows, columns)

    def input(self, grad_output: Any, rows: Any, columns: Any) -> Any:
        return roi_align_max_room.backward_input(grad_output, self.chosen, self.grid, rows, columns)

    def rows(self, grad_output: Any, x: Any, columns: Any) -> Any:
        return roi_align_max_room.backward_rows(grad_output, x, self.chosen, self.grid, columns)

    def columns(self, grad_output: Any, x: Any, rows: Any) -> Any:
        return roi_align_max_room.backward_columns(grad_output, x, self.chosen, self.grid, rows)


class Align(Function):
    """The value of every bin."""

    @staticmethod
    def forward(ctx, x, rows, columns, *, sums):
        ctx.sums = sums
        _save(ctx, x, rows, columns)
        return sums.forward(x, rows, columns)

    @staticmethod
    def backward(ctx, grad_output):
        x, rows, columns = ctx.saved
        return (
            AlignInput.apply(grad_output, rows, columns, sums=ctx.sums) if ctx.needs_grad[0] else None,
            AlignRows.apply(grad_output, x, columns, sums=ctx.sums) if ctx.needs_grad[1] else None,
            AlignColumns.apply(grad_output, x, rows, sums=ctx.sums) if ctx.needs_grad[2] else None,
        )


class Largest(Function):
    """The largest sample of every bin; from then on the choice is fixed."""

    @staticmethod
    def forward(ctx, x, rows, columns, *, grid):
        out, chosen = roi_align_max_room.forward(x, grid, rows, columns)
        ctx.sums = Chosen(grid, chosen)
        _save(ctx, x, rows, columns)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        return Align.backward(ctx, grad_output)


class AlignInput(Function):
    """The gradient of the map."""

    @staticmethod
    def forward(ctx, grad_output, rows, columns, *, sums):
        ctx.sums = sums
        _save(ctx, grad_output, rows, columns)
        return sums.input(grad_output, rows, columns)

    @staticmethod
    def backward(ctx, grad_input):
        grad_output, rows, columns = ctx.saved
        return (
            Align.apply(grad_input, rows, columns, sums=ctx.sums) if ctx.needs_grad[0] else None,
            AlignRows.apply(grad_output, grad_input, columns, sums=ctx.sums) if ctx.needs_grad[1] else None,
            AlignColumns.apply(grad_output, grad_input, rows, sums=ctx.sums) if ctx.needs_grad[2] else None,
        )


class AlignRows(Function):
    """The gradient of the row weights."""

    @staticmethod
    def forward(ctx, grad_output, x, columns, *, sums):
        ctx.sums = sums
        ctx.save(grad_output, x, columns)
        return sums.rows(grad_output, x, columns)

    @staticmethod
    def backward(ctx, grad_rows):
        grad_output, x, columns = ctx.saved
        return (
            Align.apply(x, grad_rows, columns, sums=ctx.sums) if ctx.needs_grad[0] else None,
            AlignInput.apply(grad_output, grad_rows, columns, sums=ctx.sums) if ctx.needs_grad[1] else None,
            AlignColumns.apply(grad_output, x, grad_rows, sums=ctx.sums) if ctx.needs_grad[2] else None,
        )


class AlignColumns(Function):
    """The gradient of the column weights."""

    @staticmethod
    def forward(ctx, grad_output, x, rows, *, sums):
        ctx.sums = sums
        ctx.save(grad_output, x, rows)
        return sums.columns(grad_output, x, rows)

    @staticmethod
    def backward(ctx, grad_columns):
        grad_output, x, rows = ctx.saved
        return (
            Align.apply(x, rows, grad_columns, sums=ctx.sums) if ctx.needs_grad[0] else None,
            AlignInput.apply(grad_output, rows, grad_columns, sums=ctx.sums) if ctx.needs_grad[1] else None,
            AlignRows.apply(grad_output, x, grad_columns, sums=ctx.sums) if ctx.needs_grad[2] else None,
        )


def _save(ctx: Any, data: Any, rows: Any, columns: Any) -> None:
    """Keep the first operand only for the gradients of the weights, which are wanted only where boxes have a gradient."""
    ctx.save(data if any(ctx.needs_grad[1:]) else None, rows, columns)
