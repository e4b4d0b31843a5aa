"""A pass of the bench with its operands on the device: what is called on either side, at which accuracy."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import cupy  # type: ignore[import-not-found]
import numpy as np

import rawseg
from rawseg.benchmark.cases import Case
from rawseg.benchmark.passes import Pass, first
from rawseg.errors import DeviceError, RawsegError
from rawseg_kernels._algorithms import cuda_algorithms

Call = Callable[[], Any]
PRODUCTS = {"linear"}  # of Tensors, without a room: products of matrices, which are there at every accuracy
ACCURACIES = {"composed": "fp32", "composed_3xtf32": "3xtf32", "composed_tf32": "tf32"}


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Let rawseg use tensor cores so far."""
    before = rawseg.get_tensor_core_precision()
    rawseg.set_tensor_core_precision(name)
    try:
        yield
    finally:
        rawseg.set_tensor_core_precision(before)


def let_torch(tf32: bool) -> None:
    """Let PyTorch round to TF32 or not, and choose the fastest of its convolutions."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True


def is_tf32(name: str) -> bool:
    """Return whether a side rounds numbers to TF32, to be compared with others that do."""
    return name.endswith(("_tf32", " tf32"))


def ours(case: Case, item: Pass) -> dict[str, Callable[[], Call]]:
    """Return what sets each algorithm of ours up: a call has state of its own, where it has any."""
    arrays = [cupy.asarray(array) for array in item.arrays]
    if item.room is None:
        names = ACCURACIES if case.op in PRODUCTS else {"composed": "fp32"}
        return {name: partial(_at, accuracy, partial(item.ours, None, *arrays)) for name, accuracy in names.items()}
    verb, names = getattr(item.room, item.verb), cuda_algorithms(item.room.__name__)
    return {name: partial(item.ours, partial(verb, algorithm=name), *arrays) for name in names}


def _at(accuracy: str, setup: Callable[[], Call]) -> Call:
    call = setup()

    def run() -> Any:
        with precision(accuracy):
            return call()

    return run


def theirs(item: Pass) -> dict[str, Callable[[], Call]]:
    """Return what sets PyTorch up, in its default layout, and in channels_last where there are maps; nothing if it has none."""
    import torch

    if item.theirs is None:
        return {}
    tensors = [torch.from_numpy(array).cuda() for array in item.arrays]
    sides = {"torch": partial(item.theirs, *tensors)}
    if any(t.ndim == 4 for t in tensors):
        last = [t.to(memory_format=torch.channels_last) if t.ndim == 4 else t for t in tensors]
        sides["torch channels_last"] = partial(item.theirs, *last)
    return sides


def result(setup: Callable[[], Call], composed: bool) -> Any:
    """Return what a side of ours computes, or None where an algorithm does not have this geometry or this GPU."""
    try:
        return setup()()
    except DeviceError:
        raise  # host and device mixed up
    except RawsegError:
        if composed:
            raise
        return None


def on_host(found: Any) -> np.ndarray:
    """Return the array of a result that is compared, on the host."""
    found = first(found)
    if isinstance(found, rawseg.Tensor):
        return found.array.get()
    return found.get() if hasattr(found, "get") else found.cpu().numpy()


def bytes_of(found: Any) -> int:
    """Return the bytes of all arrays of a result of ours."""
    if isinstance(found, (tuple, list)):
        return sum(map(bytes_of, found))
    return int(getattr(getattr(found, "array", found), "nbytes", 0))
