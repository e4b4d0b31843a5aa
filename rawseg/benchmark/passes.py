"""One pass of an operation: what rawseg and PyTorch are asked to compute, what it costs at least, and how far off it may be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rawseg_kernels._arena import empty
from rawseg_kernels._arrays import module_of

from ..testing.rounding.bounds import gamma, product_gamma, smallest

Bound = Callable[[str, "Pass", np.ndarray], Any]


@dataclass(frozen=True)
class Pass:
    """A direction of an operation at one shape.

    Parameters
    ----------
    name : str
        "forward", "grad input" or "grad weight"; "step" of an optimiser.
    arrays : tuple of ndarray
        The operands.
    ours, theirs : callable
        Set up a side and return what is timed. ``ours(function, *arrays)`` gets a kernel with the algorithm bound, or a
        foreign function in its place; ``theirs(*tensors)`` gets the operands in PyTorch, of any dtype and layout.
    flops : float
        Of the definition; an algorithm that needs fewer gets credit for all.
    bound : callable
        ``bound(algorithm, pass, exact result)``: the largest error that float32 explains, elementwise or one for all.
    room : module, optional
        The kernels' folder, whose algorithms are timed one by one; without one there is only rawseg's function.
    verb : str
        The function of the room.
    chosen : str
        The algorithm that "auto" is; the room's first, unless told.
    oracle : callable, optional
        The exact result of operands in double precision, where PyTorch has no such operation.
    where : {"cpu", "cuda"}
        Where PyTorch computes the exact result.
    """

    name: str
    arrays: tuple[np.ndarray, ...]
    ours: Callable[..., Callable[[], Any]]
    theirs: Callable[..., Callable[[], Any]] | None
    flops: float
    bound: Bound
    room: Any = None
    verb: str = ""
    chosen: str = ""
    oracle: Callable[..., np.ndarray] | None = None
    where: str = "cpu"

    def __post_init__(self) -> None:
        if not self.chosen:
            object.__setattr__(self, "chosen", self.algorithms[0])

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The names to time; some may not exist for this geometry."""
        return self.room.ALGORITHMS if self.room is not None else ("composed",)

    def exact(self, *, magnitudes: bool = False) -> np.ndarray:
        """Return the result in double precision, by PyTorch; of the operands' magnitudes, if these are wanted."""
        import torch

        wide = [array.astype(np.float64) if array.dtype.kind == "f" else array for array in self.arrays]
        wide = [abs(array) if magnitudes else array for array in wide]
        if self.oracle is not None:
            return self.oracle(*wide)
        assert self.theirs is not None
        tensors = [torch.from_numpy(array) for array in wide]
        if self.where == "cuda":
            tensors = [tensor.cuda() for tensor in tensors]
        return first(self.theirs(*tensors)()).cpu().numpy()


def first(result: Any) -> Any:
    """Return the result that is compared, the first of several; a Tensor's values without their graph."""
    result = result[0] if isinstance(result, (tuple, list)) else result
    return result.detach() if hasattr(result, "detach") else result


def array(result: Any) -> np.ndarray:
    """Return that of rawseg as an array."""
    result = first(result)
    return result if isinstance(result, np.ndarray) else result.numpy()


def beside(like: Any, given: Any) -> Any:
    """Return an array, or a tuple with arrays, where another array lies: a copy on its GPU, or the same one on the CPU."""
    if isinstance(given, tuple):
        parts = [beside(like, part) for part in given]
        return type(given)(*parts) if hasattr(given, "_fields") else tuple(parts)
    return module_of(like).asarray(given) if isinstance(given, np.ndarray) else given


def sum_of(terms: int) -> Bound:
    """Return the bound of a sum of so many products in any order, and at any precision: a share of their magnitudes' sum."""

    def bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
        return product_gamma(algorithm, terms, np.float32) * item.exact(magnitudes=True) + smallest(terms, np.float32)

    return bound


def relative(roundings: int) -> Bound:
    """Return the bound of so many roundings after each other, none of which cancels."""
    return lambda algorithm, item, exact: gamma(roundings, np.float32) * np.abs(exact) + smallest(roundings, np.float32)


def nothing(algorithm: str, item: Pass, exact: np.ndarray) -> float:
    """Return the bound of what only moves numbers."""
    return 0.0


def normals(seed: int, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    """Return float32 arrays of standard normal numbers."""
    rng = np.random.default_rng(seed)
    arrays = [empty(tuple(shape), np.float32) for shape in shapes]  # begin with a line of the cache, as PyTorch's do
    return [rng.standard_normal(out=array, dtype=np.float32) for array in arrays]


def by_autograd(function: Callable[..., Any], which: int = 0) -> Callable[..., Callable[[], Any]]:
    """Return the gradient of a PyTorch function: ``theirs(grad_output, *operands)``, with respect to operand ``which``."""

    def theirs(grad_output: Any, *operands: Any) -> Callable[[], Any]:
        import torch

        operands = tuple(t.detach().requires_grad_(i == which) for i, t in enumerate(operands))
        with torch.enable_grad():
            out = function(*operands)
        return lambda: torch.autograd.grad(out, operands[which], grad_output, retain_graph=True)

    return theirs
