"""Matrix products."""

from __future__ import annotations

from ....autograd.linear import Einsum, MatMul
from ..program import Step
from ..simplification import linear
from ..writer import Writer
from .registry import translates


@translates(linear)
def linear_layer(w: Writer, step: Step) -> str:
    """Translate ``x @ weight.T + bias``."""
    return w.node("Gemm", *w.inputs(step), transB=1)


@translates(MatMul)
def matmul(w: Writer, step: Step) -> str:
    """Translate products of stacks of matrices; one that is read transposed is transposed first."""
    axes, operands = list(range(step.out.ndim)), w.inputs(step)  # as many as of an operand
    for i, name in enumerate(("turned_a", "turned_b")):
        if step.options.get(name):
            operands[i] = w.node("Transpose", operands[i], perm=[*axes[:-2], axes[-1], axes[-2]])
    return w.node("MatMul", *operands)


@translates(Einsum)
def einsum(w: Writer, step: Step) -> str:
    """Translate a sum of products over named axes."""
    w.needs(step, 12)
    equation = f"{','.join(step.options['terms'])}->{step.options['out_term']}"
    return w.node("Einsum", *w.inputs(step), equation=equation)
