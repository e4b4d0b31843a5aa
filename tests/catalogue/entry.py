"""What an entry of the catalogue says; the batteries of tests run every promise over every entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np


class KernelCall(NamedTuple):
    """A kernel with everything but its arrays: fresh, same bits for any threads and layouts, never outside its memory.

    ``arrays`` makes the arguments in a dtype (integers stay int64), large enough for at least two tasks. The entry of the plain
    loops has the same call with any algorithm, ``of_algorithm(*arrays, algorithm)``, for the forms in CUDA.
    """

    op: str  # the room, e.g. "conv2d"
    name: str  # one of a kind, e.g. "conv2d.backward_weight im2col"
    call: Callable[..., Any]
    arrays: Callable[[Any], list[np.ndarray]]
    of_algorithm: Callable[..., Any] | None = None


class OpCall(NamedTuple):
    """A public function of `rawseg.functional` or `rawseg.ops` with everything but its arrays.

    ``arrays`` are small, float64, all elements apart from each other and from kinks (see ``twins.spread``). ``torch`` is the
    same call on PyTorch's Tensors, composed of its primitives where it has no such function; None only where the op's own
    tests hold another second oracle. ``differentiable`` says which arrays have a gradient: all, unless told.
    """

    op: str  # the public name, e.g. "conv2d"
    name: str  # one of a kind, e.g. "conv2d groups"
    call: Callable[..., Any]
    arrays: list[np.ndarray]
    torch: Callable[..., Any] | None
    differentiable: tuple[bool, ...] = ()
    # Whether PyTorch, too, has the second derivatives of its call.
    torch_second: bool = True


def forms(op: str, name: str, algorithms: Iterable[str], call: Callable[..., Any], arrays: Any) -> list[KernelCall]:
    """Return an entry for each algorithm of ``call(*arrays, algorithm)``."""
    return [
        KernelCall(
            op,
            f"{name} {algorithm}",
            lambda *given, algorithm=algorithm: call(*given, algorithm),
            arrays,
            call if algorithm == "reference" else None,
        )
        for algorithm in algorithms
    ]
