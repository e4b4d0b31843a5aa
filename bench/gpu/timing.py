"""Operations at the shapes of real networks, beside PyTorch on the same GPU, at the same accuracy on both sides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cupy  # type: ignore[import-not-found]
import numpy as np

from gpu.clock import microseconds_of
from rawseg.benchmark.cases import Case, named
from rawseg.benchmark.passes import first
from rawseg.benchmark.worker import check, passes_of
from rawseg_kernels._algorithms import cuda_algorithms


def steps() -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    """Return a step for every case of the bench."""
    return [(f"time {case.family} {case.op} {case.name}", partial(time, case)) for case in named([], [])]


def time(case: Case) -> dict[str, Any]:
    """Time all passes of a case, every algorithm of the device's and PyTorch's in two layouts, with TF32 and without."""
    import torch

    rows = []
    for item in passes_of(case):
        if item.room is None or item.theirs is None:
            continue
        arrays = [cupy.asarray(array) for array in item.arrays]
        tensors = [torch.from_numpy(array).cuda() for array in item.arrays]
        last = [t.to(memory_format=torch.channels_last) if t.ndim == 4 else t for t in tensors]
        names = cuda_algorithms(item.room.__name__)
        ours = {name: item.ours(partial(getattr(item.room, item.verb), algorithm=name), *arrays) for name in names}
        exact = item.exact()
        ours = {name: call for name, call in ours.items() if works(call)}
        for name, call in ours.items():  # a wrong kernel is not timed
            if wrong := check(item, name, first(call()).get(), exact).get("wrong"):
                raise AssertionError(f"{item.name} {name}: {wrong}")
        theirs = {"torch": item.theirs(*tensors), "torch channels_last": item.theirs(*last)}
        found = timed({**{name: call for name, call in ours.items() if not is_tf32(name)}, **theirs}, False)
        if rounded := {name: call for name, call in ours.items() if is_tf32(name)}:
            found |= timed({**rounded, **{f"{name} tf32": call for name, call in theirs.items()}}, True)
        size = sum(array.nbytes for array in item.arrays)
        rows.append({"pass": item.name, "us": found, "flops": item.flops, "bytes_in": size})
    return {"rows": rows, "said": "; ".join(map(ratio, rows))}


def timed(calls: dict[str, Callable[[], Any]], tf32: bool) -> dict[str, float]:
    """Return the microseconds of calls, PyTorch's with TF32 or without."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = True
    return dict(zip(calls, microseconds_of(list(calls.values()))))


def is_tf32(name: str) -> bool:
    """Return whether a side rounds numbers to TF32, to be compared with others that do."""
    return name.endswith(("_tf32", " tf32"))


def works(call: Callable[[], Any]) -> bool:
    """Return whether an algorithm has this geometry."""
    from rawseg.errors import RawsegError

    try:
        call()
    except RawsegError:
        return False
    return True


def ratio(row: dict[str, Any]) -> str:
    """Return how many times as long PyTorch's better layout takes as our best algorithm, and again where both have TF32."""
    said = [row["pass"]]
    for tf32 in (False, True):
        us = {name: us for name, us in row["us"].items() if is_tf32(name) == tf32}
        ours = min((us for name, us in us.items() if not name.startswith("torch")), default=np.nan)
        theirs = min((us for name, us in us.items() if name.startswith("torch")), default=np.nan)
        if us:
            said.append(f"{'TF32 ' if tf32 else ''}{theirs / ours:.2f}")
    return " ".join(said)
