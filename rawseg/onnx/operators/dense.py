"""Products of matrices and sums of products: Gemm, MatMul, Einsum."""

from __future__ import annotations

from ...autograd import Tensor
from ...autograd.linear import einsum, matmul
from ...device import array_module
from ..limits import allocatable, broadcasts
from ..node import Node
from .registry import operator

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@operator("Gemm", widens=True)
def gemm(node: Node, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    """Return alpha * A @ B + beta * C, with A and B as they are or transposed."""
    if a.ndim != 2 or b.ndim != 2:
        node.refuse("A", "matrices", f"shapes {a.shape} and {b.shape}")
    left = a.T if node.attribute("transA", 0) else a
    right = b.T if node.attribute("transB", 0) else b
    alpha, beta = node.attribute("alpha", 1.0), node.attribute("beta", 1.0)
    out = _product(node, left, right)
    out = out if alpha == 1 else out * alpha
    if c is None or beta == 0:
        return out
    broadcasts(node, "C", c, out.shape)
    return out + (c if beta == 1 else c * beta)


@operator("MatMul", widens=True)
def matrix_product(node: Node, a: Tensor, b: Tensor) -> Tensor:
    """Return the product of stacks of matrices, NumPy's rules for vectors included."""
    return _product(node, a, b)


def _product(node: Node, a: Tensor, b: Tensor) -> Tensor:
    if a.dtype.kind == "f":
        return matmul(a, b)
    if a.dtype != b.dtype or a.dtype.kind not in "iu":
        node.refuse("B", f"floats or integers, of the dtype of A, {a.dtype}", b.dtype)
    if a.ndim > 1 and b.ndim > 1:
        allocatable(node, (max(a.size, 1) // max(a.shape[-1], 1), max(b.size, 1) // max(b.shape[-2], 1)), a.dtype)
    return Tensor(array_module(a.array).matmul(a.array, b.array))


@operator("Einsum", since=12, widens=True)
def einstein_sum(node: Node, *operands: Tensor) -> Tensor:
    """Return a sum of products over named axes; "..." stands for axes that broadcast, a letter twice for a diagonal."""
    equation = node.attributes["equation"].replace(" ", "")
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(operands):
        node.refuse("equation", f"{len(operands)} terms, one for each input", repr(equation))
    unused = [letter for letter in LETTERS if letter not in equation]
    depth = max((_dots(node, term, x) for term, x in zip(terms, operands)), default=0)
    if depth > len(unused):
        node.refuse("equation", f"at most {len(LETTERS)} axes", repr(equation))
    shared = "".join(unused[:depth])
    plain = [term.replace("...", shared[depth - _dots(node, term, x) :]) for term, x in zip(terms, operands)]
    if arrow:
        result = result.replace("...", shared)
    else:
        named = "".join(plain)
        result = shared + "".join(sorted(letter for letter in set(named) - set(shared) if named.count(letter) == 1))
    terms, operands = zip(*(_diagonal(term, x) for term, x in zip(plain, operands)))
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands):
        for letter, size in zip(term, x.shape):
            sizes[letter] = size if sizes.get(letter, 1) == 1 else sizes[letter]
    allocatable(node, [sizes.get(letter, 0) for letter in result], operands[0].dtype)
    return einsum(f"{','.join(terms)}->{result}", *(_broadcast(term, x, sizes, shared) for term, x in zip(terms, operands)))


def _dots(node: Node, term: str, x: Tensor) -> int:
    """Return how many axes of an operand "..." stands for."""
    named = len(term.replace("...", ""))
    if "..." not in term:
        return 0
    if named > x.ndim:
        node.refuse("equation", f"at most {x.ndim} axes for shape {x.shape}", repr(term))
    return x.ndim - named


def _diagonal(term: str, x: Tensor) -> tuple[str, Tensor]:
    """Return an operand with every letter once, of those that stand there twice the diagonal."""
    for letter in dict.fromkeys(term):
        while term.count(letter) > 1 and len(term) == x.ndim:
            first, second = term.index(letter), term.rindex(letter)
            places = array_module(x.array).arange(x.shape[first])
            order = [first, second, *(axis for axis in range(x.ndim) if axis not in (first, second))]
            x = x.permute(*order)[places, places]
            term = letter + "".join(term[axis] for axis in order[2:])
    return term, x


def _broadcast(term: str, x: Tensor, sizes: dict[str, int], shared: str) -> Tensor:
    """Return an operand whose axes of size 1 under "..." have the size that others have there."""
    if len(term) != x.ndim:
        return x  # `einsum` says so
    return x.expand(*(sizes[letter] if letter in shared else size for letter, size in zip(term, x.shape)))
