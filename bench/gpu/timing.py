"""Operations at the shapes of real networks, beside PyTorch on the same GPU, at the same accuracy on both sides."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cupy  # type: ignore[import-not-found]
import numpy as np

from gpu import device, limits, sides
from gpu.beside import compare, label, passes, right
from gpu.clock import microseconds_of
from gpu.sides import is_tf32
from rawseg.benchmark.cases import Case, named
from rawseg.benchmark.passes import Pass


def steps() -> list[tuple[str, Callable[[], dict[str, Any]]]]:
    """Return two steps for every case of the bench: it is compared with PyTorch, and then timed beside it."""
    found = []
    for case in named([], []):
        found += [(f"beside PyTorch {label(case)}", partial(compare, case)), (f"time {label(case)}", partial(time, case))]
    return found


def time(case: Case) -> dict[str, Any]:
    """Time all passes of a case, every algorithm of the device's and PyTorch's in two layouts, with TF32 and without."""
    may_be_timed = right(case)  # a wrong kernel is not
    rows = [timed_pass(case, item, may_be_timed[item.name]) for item in passes(case)]
    if not rows:
        raise AssertionError(f"{label(case)}: nothing was timed")
    free()
    return {"rows": rows, "said": "; ".join(map(ratio, rows))}


def free() -> None:
    """Give both sides' memory back: neither sees what the other keeps."""
    import torch

    cupy.get_default_memory_pool().free_all_blocks()
    torch.cuda.empty_cache()


def timed_pass(case: Case, item: Pass, names: list[str]) -> dict[str, Any]:
    """Return the times of one pass, and how near they are to what bounds it on this device."""
    ours = {name: setup() for name, setup in sides.ours(case, item).items() if name in names}
    theirs = {name: setup() for name, setup in sides.theirs(item).items()}
    found = timed({**{name: call for name, call in ours.items() if not is_tf32(name)}, **theirs}, False)
    if rounded := {name: call for name, call in ours.items() if is_tf32(name)}:
        found |= timed({**rounded, **{f"{name} tf32": call for name, call in theirs.items()}}, True)
    read = sum(array.nbytes for array in item.arrays)
    written = sides.bytes_of(next(iter(ours.values()))())
    row = {"pass": item.name, "us": found, "flops": item.flops, "bytes_in": read, "bytes_out": written}
    return {**row, **limits.reached(found, item.flops, read + written, device.measured())}


def timed(calls: dict[str, Callable[[], Any]], tf32: bool) -> dict[str, float]:
    """Return the microseconds of calls, PyTorch's with TF32 or without."""
    sides.let_torch(tf32)
    return dict(zip(calls, microseconds_of(list(calls.values()))))


def ratio(row: dict[str, Any]) -> str:
    """Return how many times as long PyTorch's better layout takes as our best algorithm, and again where both have TF32.

    Beside it, how much of the limit our best without TF32 reaches.
    """
    said = [row["pass"]]
    for tf32 in (False, True):
        us = {name: us for name, us in row["us"].items() if is_tf32(name) == tf32}
        ours = min((us for name, us in us.items() if not name.startswith("torch")), default=np.nan)
        theirs = min((us for name, us in us.items() if name.startswith("torch")), default=np.nan)
        if us:
            said.append(f"{'TF32 ' if tf32 else ''}{theirs / ours:.2f}" if theirs == theirs else f"{ours:.0f} us")
    best = max(percent for name, percent in row["reached"].items() if not (name.startswith("torch") or is_tf32(name)))
    return f"{' '.join(said)}, {best:.0f}% of {row['limit']['fp32']['by']}"
