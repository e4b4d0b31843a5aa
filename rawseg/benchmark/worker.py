"""The process that measures: a request on standard input, one JSON line for every result on standard output.

It is a process of its own because threads, allocator and kernel cache are settled when a process starts. rawseg is imported
before PyTorch, whose OpenMP runtime, told to keep its threads on CPUs of their own, ties down the thread that loads it.
"""

from __future__ import annotations

import inspect
import json
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import rawseg
from rawseg_kernels._arena import memory_stats, reset_peak_memory_stats

from ..errors import ArgumentError, RawsegError
from ..testing.adapters import imported
from .boxes import PASSES as BOXES
from .cases import Case
from .convolutions import conv2d_passes, conv_transpose2d_passes
from .layers import PASSES as LAYERS
from .optimisers import PASSES as OPTIMISERS
from .passes import Pass, array
from .planes import (
    adaptive_avg_pool2d_passes,
    interpolate_passes,
    max_pool2d_passes,
    max_unpool2d_passes,
    roi_align_passes,
)
from .rows import PASSES as ROWS
from .timing import measure
from .windows import PASSES as WINDOWS

PASSES: dict[str, Callable[..., list[Pass]]] = {
    "conv2d": conv2d_passes,
    "conv_transpose2d": conv_transpose2d_passes,
    "max_pool2d": max_pool2d_passes,
    "max_unpool2d": max_unpool2d_passes,
    "adaptive_avg_pool2d": adaptive_avg_pool2d_passes,
    "interpolate": interpolate_passes,
    "roi_align": roi_align_passes,
    **LAYERS,
    **ROWS,
    **WINDOWS,
    **BOXES,
    **OPTIMISERS,
}
# Loops without vectors, for reading: they are timed where they end soon, and where they are asked for.
PLAIN = {("rawseg_kernels.conv2d", "direct"), ("rawseg_kernels.conv_transpose2d", "direct")}
SHORT = 1e8  # operations


def passes_of(case: Case) -> list[Pass]:
    """Return the passes of a case.

    Raises
    ------
    ArgumentError
        If there is no such operation, or its options do not fit.
    """
    if case.op not in PASSES:
        raise ArgumentError("bench", "--op", f"one of {tuple(PASSES)}", repr(case.op))
    try:
        inspect.signature(PASSES[case.op]).bind(case.shape, **case.options)  # says what is missing, and not of which function
        return PASSES[case.op](case.shape, **case.options)
    except RawsegError:
        raise  # it says more
    except (TypeError, IndexError, ValueError, ArithmeticError) as error:
        raise ArgumentError("bench", "--shape", f"sizes and options of {case.op}", f"{case.name!r} ({error})") from error


def functions(item: Pass, wanted: list[str], foreign: Any) -> dict[str, Callable[..., Any] | None]:
    """Return {algorithm: kernel} of a pass; a foreign implementation under the name it was given by."""
    if item.room is None:
        return {"composed": None}
    verb = getattr(item.room, item.verb)
    wanted = [item.chosen if name == "auto" else name for name in wanted]
    names = wanted or [name for name in item.algorithms if (item.room.__name__, name) not in PLAIN or item.flops < SHORT]
    found: dict[str, Any] = {name: partial(verb, algorithm=name) for name in item.algorithms if name in names}
    if foreign is not None:
        name, function = foreign
        other = function if item.verb == "forward" and callable(function) else getattr(function, item.verb, None)
        if other is not None:
            found[name] = other
    return found


def load(name: str) -> tuple[str, Any] | None:
    """Return a foreign implementation ``package.module:attribute``; it may have the kernels' verbs as attributes.

    Raises
    ------
    ArgumentError
        If it cannot be imported.
    """
    if not name:
        return None
    holder, attribute = imported(name, "bench", "--impl")
    return name, getattr(holder, attribute)


def check(item: Pass, algorithm: str, result: np.ndarray, exact: np.ndarray) -> dict[str, Any]:
    """Return the largest error over its bound, and what is wrong with a result that cannot be right."""
    dtype = np.float32 if exact.dtype.kind == "f" else exact.dtype
    if result.shape != exact.shape or result.dtype != dtype:
        return {"wrong": f"{result.dtype} {result.shape}, expected {np.dtype(dtype)} {exact.shape}"}
    error = np.abs(result.astype(np.float64) - exact)
    bound = np.broadcast_to(item.bound(algorithm, item, exact), error.shape)
    bad = ~(error <= bound)
    ratio = float(np.max(np.divide(error, bound, out=np.zeros_like(error), where=bound > 0), initial=0.0))
    if not bad.any():
        return {"error": float(error.max(initial=0.0)), "ratio": ratio}
    at = tuple(int(i) for i in np.argwhere(bad)[0])
    return {"wrong": f"element {at} is {result[at]:.6g}, exactly {exact[at]:.6g}: off by more than rounding can be"}


def deterministic(setup: Callable[[], Callable[[], Any]], once: np.ndarray, threads: int) -> bool:
    """Return whether the bits of a result are the same again, and on one thread."""
    once, again = once.copy(), array(setup()())
    rawseg.set_num_threads(1)
    try:
        alone = array(setup()())
    finally:
        rawseg.set_num_threads(threads)
    return once.tobytes() == again.tobytes() == alone.tobytes()


def workspace(run: Callable[[], Any]) -> int:
    """Return the bytes of large arrays that a call holds beside its result at most."""
    run()
    reset_peak_memory_stats()
    before = memory_stats()["live"]
    result = run()
    stats = memory_stats()
    del result
    return stats["peak"] - max(before, stats["live"])


def torch_sides(item: Pass) -> dict[str, Callable[[], Any]]:
    """Return PyTorch's side in its default layout, and in channels_last where there are maps."""
    import torch

    if item.theirs is None:
        return {}
    sides = {}
    layouts = {"torch": torch.contiguous_format, "torch channels_last": torch.channels_last}
    for name, layout in layouts.items():
        if name == "torch" or any(a.ndim == 4 for a in item.arrays):
            tensors = [torch.from_numpy(a.copy()) for a in item.arrays]
            tensors = [t.contiguous(memory_format=layout) if t.ndim == 4 else t for t in tensors]
            sides[name] = item.theirs(*tensors)
    return sides


def rows(case: Case, item: Pass, request: dict[str, Any], foreign: Any) -> Iterator[dict[str, Any]]:
    """Check every algorithm of a pass, time those that are right together with PyTorch, and yield a row for each."""
    found, sides, threads = {}, {}, request["threads"]
    exact = item.exact() if request["check"] else np.empty(0)
    made = 0
    for name, function in functions(item, request["algorithms"], foreign).items():
        setup = partial(item.ours, function, *item.arrays)
        try:
            result = array(setup()())
        except RawsegError as error:
            if name in item.algorithms:
                continue  # this algorithm does not exist for this geometry
            found[name] = {"wrong": str(error)}
            continue
        except Exception as error:  # whatever a foreign kernel raises belongs in its row
            found[name] = {"wrong": f"{type(error).__name__}: {error}"}
            continue
        made = result.nbytes
        found[name] = check(item, name, result, exact) if request["check"] else {}
        if "wrong" not in found[name]:
            sides[f"ours {name}"] = setup()
            if request["check"]:
                found[name]["deterministic"] = deterministic(setup, result, threads)
                found[name]["workspace"] = workspace(sides[f"ours {name}"])
    if request["torch"]:
        sides |= torch_sides(item)
    times = measure(sides, request["repeats"], request["seconds"]) if sides else {}
    shared = {"op": case.op, "family": case.family, "case": case.name, "shape": case.shape, "options": case.options}
    shared |= {"pass": item.name, "flops": item.flops, "result": made}
    shared["bytes"] = sum(a.nbytes for a in item.arrays) + made
    shared |= {name: values for name, values in times.items() if not name.startswith("ours ")}
    for name, facts in found.items():
        yield {**shared, "algorithm": name, "auto": name == item.chosen, **facts, "ms": times.get(f"ours {name}", [])}


def first_call(case: Case, wanted: str, algorithm: str) -> dict[str, Any]:
    """Return the milliseconds of the first call in this process, its operands and what makes them included."""
    import torch  # noqa: F401 (not to be timed)

    start = time.perf_counter()
    item = next(item for item in passes_of(case) if item.name == wanted)
    function = functions(item, [algorithm], None)[algorithm]
    array(item.ours(function, *item.arrays)())
    return {"first": 1e3 * (time.perf_counter() - start)}


def check_passes(cases: list[Case], wanted: list[str]) -> None:
    """Refuse what no case has, before PyTorch is loaded and the machine is measured."""
    names = dict.fromkeys(item.name for case in cases for item in passes_of(case))
    if not any(not wanted or name in wanted for name in names):
        raise ArgumentError("bench", "--pass", f"a pass that these operations have, of {tuple(names)}", f"{wanted}")


def answers(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield all results of a request."""
    from .machine import facts

    rawseg.set_num_threads(request["threads"])
    if request["kind"] == "first call":
        yield first_call(Case(*request["case"]), request["pass"], request["algorithm"])
        return
    foreign = load(request["impl"])
    if request["kind"] == "operations":
        check_passes([Case(*raw) for raw in request["cases"]], request["passes"])
    if request["torch"] or request["check"]:
        import torch

        torch.set_num_threads(request["threads"])
        torch.set_grad_enabled(False)
    if request["kind"] in ("model", "first step"):
        from .model_steps import results

        yield from results(request)
        return
    yield {"machine": facts(request["threads"])}
    for raw in request["cases"]:
        case = Case(*raw)
        for item in passes_of(case):
            if not request["passes"] or item.name in request["passes"]:
                yield from rows(case, item, request, foreign)
        yield {"done": case.name}


def main() -> None:
    """Serve one request."""
    request = json.load(sys.stdin)
    out, sys.stdout = sys.stdout, sys.stderr  # a foreign kernel may print
    try:
        for answer in answers(request):
            print(json.dumps(answer, default=float), file=out, flush=True)
    except RawsegError as error:
        print(json.dumps({"refused": [error.op, error.argument, str(error.expected), str(error.got)]}), file=out, flush=True)


if __name__ == "__main__":
    main()
