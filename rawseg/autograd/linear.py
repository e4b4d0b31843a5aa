"""Products of matrices: matmul on the project's own kernel, and einsum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rawseg_kernels import matmul as kernel

from ..device import array_module
from ..errors import ArgumentError, DTypeError, ShapeError
from .function import Function
from .operands import as_tensor, is_floating, pair_of_operands
from .shaping import Expand, Reshape, sum_to

if TYPE_CHECKING:
    from .tensor import Tensor


def _as_it_lies(array: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return a matrix as its rows lie in memory, and whether that turned it: the kernel needs no copy of a ``.T``."""
    if array.flags.c_contiguous:  # most are, and soon told
        return array, False
    turned = array.swapaxes(-1, -2)
    return (turned, True) if turned.flags.c_contiguous else (array, False)


def product(a: np.ndarray, b: np.ndarray, turned_a: bool = False, turned_b: bool = False) -> np.ndarray:
    """Return a product of matrices, each as it is or transposed, on rawseg's own kernels."""
    (a, lies_turned_a), (b, lies_turned_b) = _as_it_lies(a), _as_it_lies(b)
    return kernel.forward(a, b, turned_a is not lies_turned_a, turned_b is not lies_turned_b)


class MatMul(Function):
    """Stacks of matrices (..., M, K) @ (..., K, N) with equal stack axes; either is read transposed where it is ``turned``.

    The product runs on rawseg's own kernels, whose sums have one order: the thread count of a BLAS cannot reach the bits, and a
    CUDA graph can hold it.
    """

    compiled = True

    @staticmethod
    def forward(ctx, a, b, *, turned_a=False, turned_b=False):
        ctx.save(a, b)
        ctx.turned = turned_a, turned_b
        return product(a, b, turned_a, turned_b)

    @staticmethod
    def backward(ctx, grad_output):
        (a, b), (turned_a, turned_b) = ctx.saved, ctx.turned
        grad_a = grad_b = None
        if ctx.needs_grad[0] and turned_a:
            grad_a = MatMul.apply(b, grad_output, turned_a=turned_b, turned_b=True)
        elif ctx.needs_grad[0]:
            grad_a = MatMul.apply(grad_output, b, turned_b=not turned_b)
        if ctx.needs_grad[1] and turned_b:
            grad_b = MatMul.apply(grad_output, a, turned_a=True, turned_b=turned_a)
        elif ctx.needs_grad[1] and _as_it_lies(b.array)[1]:  # the gradient lies as b does: a weight keeps it without a copy
            grad_b = MatMul.apply(grad_output, a, turned_a=True, turned_b=turned_a).swapaxes(-1, -2)
        elif ctx.needs_grad[1]:
            grad_b = MatMul.apply(a, grad_output, turned_a=not turned_a)
        return grad_a, grad_b


class Affine(Function):
    """Rows (..., K) times a transposed weight (N, K), and a bias (N,), if there is one, added to the products."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save(x if ctx.needs_grad[1] else None, weight if ctx.needs_grad[0] else None)
        ctx.shape = x.shape
        out = product(x.reshape(_matrix(x)), weight, turned_b=True)
        if bias is not None:
            out += bias
        return out.reshape(*x.shape[:-1], weight.shape[0])

    @staticmethod
    def backward(ctx, grad_output):
        (x, weight), is_matrix = ctx.saved, len(ctx.shape) == 2
        grad_x = grad_weight = grad_bias = None
        grads = grad_output if is_matrix else Reshape.apply(grad_output, shape=_matrix(grad_output))
        if ctx.needs_grad[0]:
            grad_x = MatMul.apply(grads, weight)
            grad_x = grad_x if is_matrix else Reshape.apply(grad_x, shape=ctx.shape)
        if ctx.needs_grad[1]:
            rows = x if is_matrix else Reshape.apply(x, shape=_matrix(x))
            grad_weight = MatMul.apply(grads, rows, turned_a=True)
        if ctx.needs_grad[2]:
            grad_bias = sum_to(grad_output, grad_output.shape[-1:])
        return grad_x, grad_weight, grad_bias


def _matrix(x: Any) -> tuple[int, int]:
    """Return the shape of an array's last axis as rows of one matrix."""
    return math.prod(x.shape[:-1]), x.shape[-1]


class Einsum(Function):
    """One NumPy einsum; the gradient of an operand is the einsum with that operand and the output exchanged."""

    @staticmethod
    def forward(ctx, *arrays, terms, out_term):
        ctx.save(*arrays)
        ctx.terms, ctx.out_term = terms, out_term
        # optimize=False: plain loops in one order; an optimised path may call a BLAS whose bits follow its thread count
        out = array_module(arrays[0]).einsum(f"{','.join(terms)}->{out_term}", *arrays, optimize=False)
        return out.copy() if len(arrays) == 1 else out  # of one array einsum may return a view, which could be written to

    @staticmethod
    def backward(ctx, grad_output):
        operands = ctx.saved
        gradients: list[Tensor | None] = []
        for i, term in enumerate(ctx.terms):
            if not ctx.needs_grad[i]:
                gradients.append(None)
                continue
            others = [t for j, t in enumerate(ctx.terms) if j != i]
            known = set(ctx.out_term).union(*others) if others else set(ctx.out_term)
            summed_alone = [axis for axis, letter in enumerate(term) if letter not in known]
            kept = "".join(letter for letter in term if letter in known)
            partial = Einsum.apply(
                grad_output, *[o for j, o in enumerate(operands) if j != i], terms=(ctx.out_term, *others), out_term=kept
            )
            for axis in summed_alone:  # an index that only this operand has was summed: its gradient is spread out
                partial = partial.unsqueeze(axis)
            gradients.append(Expand.apply(partial, shape=operands[i].shape))
        return tuple(gradients)


def matmul(a: Any, b: Any) -> Tensor:
    """Return the matrix product, with NumPy's rules for vectors and for broadcasting of leading axes.

    Raises
    ------
    ShapeError
        If the inner sizes differ, or a scalar is given.
    """
    a, b = pair_of_operands("matmul", a, b)
    if not is_floating(a):
        raise DTypeError("matmul", "input", "float32 or float64", a.dtype)
    if a.ndim == 0 or b.ndim == 0:
        raise ShapeError("matmul", "input", "at least one axis each", f"shapes {a.shape} and {b.shape}")
    if a.ndim == b.ndim == 2 and a.shape[1] == b.shape[0]:  # most are so, and sooner told
        return MatMul.apply(a, b)
    left = a.unsqueeze(0) if a.ndim == 1 else a
    right = b.unsqueeze(1) if b.ndim == 1 else b
    if left.shape[-1] != right.shape[-2]:
        raise ShapeError("matmul", "other", f"{left.shape[-1]} rows, the columns of input {a.shape}", f"shape {b.shape}")
    try:
        stack = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    except ValueError:
        raise ShapeError("matmul", "other", f"leading axes that broadcast with {left.shape[:-2]}", right.shape[:-2]) from None
    if right.ndim == 2 and left.ndim > 2:  # one matrix for a whole stack of rows: a single product
        rows = left.reshape(math.prod(left.shape[:-1]), left.shape[-1])
        out = MatMul.apply(rows, right).reshape(*stack, left.shape[-2], right.shape[-1])
    else:
        both = [x if x.shape[:-2] == stack else x.expand(*stack, *x.shape[-2:]) for x in (left, right)]
        out = MatMul.apply(*both)
    if a.ndim == 1:
        out = out.squeeze(-2)
    return out.squeeze(-1) if b.ndim == 1 else out


def einsum(equation: str, *operands: Any) -> Tensor:
    """Return a sum of products over named axes, e.g. ``einsum("bij,bjk->bik", a, b)``.

    Parameters
    ----------
    equation : str
        Letters for axes; no ellipsis, and no letter twice within one operand.
    *operands : Tensor
        One per term.
    """
    tensors = [as_tensor("einsum", f"operands[{i}]", operand) for i, operand in enumerate(operands)]
    left, arrow, out_term = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow:
        out_term = "".join(sorted(letter for letter in set(left) - {","} if left.count(letter) == 1))
    if len(terms) != len(tensors) or not tensors:
        raise ArgumentError("einsum", "equation", f"{len(tensors)} terms, one for each operand", repr(equation))
    sizes: dict[str, int] = {}
    for i, (term, tensor) in enumerate(zip(terms, tensors)):
        if not term.isalpha() and term:
            raise ArgumentError("einsum", "equation", "letters only (no ellipsis)", repr(equation))
        if len(set(term)) != len(term):
            raise ArgumentError("einsum", "equation", "no letter twice in one operand", repr(term))
        if len(term) != tensor.ndim:
            raise ShapeError("einsum", f"operands[{i}]", f"{len(term)} axes for {term!r}", f"shape {tensor.shape}")
        if tensor.dtype != tensors[0].dtype:
            raise DTypeError("einsum", f"operands[{i}]", str(tensors[0].dtype), tensor.dtype)
        for letter, size in zip(term, tensor.shape):
            if sizes.setdefault(letter, size) != size:
                raise ShapeError(
                    "einsum", f"operands[{i}]", f"size {sizes[letter]} for axis {letter!r}", f"shape {tensor.shape}"
                )
    if not set(out_term) <= set(sizes) or len(set(out_term)) != len(out_term):
        raise ArgumentError("einsum", "equation", f"output letters of {''.join(sizes)!r}, each once", repr(out_term))
    return Einsum.apply(*tensors, terms=tuple(terms), out_term=out_term)
