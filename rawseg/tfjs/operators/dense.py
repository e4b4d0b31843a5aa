"""Products of matrices, with the bias and the activation that may be fused into them."""

from __future__ import annotations

from ..operation import Operation
from ..registry import translation
from ..translator import Translator
from ..value import Value
from .activation import activated


@translation("MatMul", "_FusedMatMul")
def matmul(t: Translator, operation: Operation) -> Value:
    """Multiply two matrices, either of them transposed if it is asked for."""
    a, b = t.input(operation, 0), t.input(operation, 1)
    if a.rank != 2 or b.rank != 2:
        operation.refuse("input", "two matrices", f"shapes {a.shape} and {b.shape}")
    turned = [operation.flag(name) for name in ("transpose_a", "transpose_b")]
    rows, inner = reversed(a.shape) if turned[0] else a.shape
    inner_too, columns = reversed(b.shape) if turned[1] else b.shape
    if None not in (inner, inner_too) and inner != inner_too:
        operation.refuse("input", "matrices whose inner lengths agree", f"shapes {a.shape} and {b.shape}")
    attributes = {"transA": int(turned[0]), "transB": int(turned[1])}
    return activated(t, operation, "Gemm", [t.plain(a), t.plain(b)], attributes, (rows, columns))
