"""Every kernel of the catalogue on the device: built, beside the plain loops on the CPU, on spoiled memory, and again.

Then once more with NaN, infinities and the like among its numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cupy  # type: ignore[import-not-found]
import numpy as np
from on_gpu import foreach_calls
from on_gpu.sources import SOURCES, is_made, variants
from on_gpu.test_kernels import CALLS, CudaCall, tolerance
from on_gpu.test_special_values import SPOILED, spoiled
from promises import outputs_of

from gpu import loops
from rawseg_kernels._cuda.order import by_merging, stable
from rawseg_kernels._errors import ArgumentError

REPEATS = 20
TINY = 2.0**-126  # what is smaller in float32, a GPU makes 0
FUNCTIONS = 1e-6  # of the largest element: the device's own exp, log and tanh

Step = tuple[str, Callable[[], dict[str, Any]]]


def steps() -> list[Step]:
    """Return one step a file, one a kernel call, and the planted fault."""
    built = [(f"build {source.path.name}", partial(build, source)) for source in SOURCES]
    checked = [(f"check {case}", partial(check, call)) for call, case in enumerate(CALLS)]
    odd = [(f"special values {case}", partial(special, call)) for call, case in enumerate(CALLS) if case in SPOILED]
    rules = [(f"check foreach {call.name}", partial(check_foreach, call)) for call in foreach_calls.CALLS]
    norms = [(f"check foreach clip norm {p:g}", partial(check_norm, p)) for p in foreach_calls.NORMS]
    return [*built, ("a planted fault is found", planted), ("check order", check_order), *checked, *rules, *norms, *odd]


def ask_for(names: list[str]) -> None:
    """Begin to compute what the steps of these names compare with."""
    loops.ask([call for call, case in enumerate(CALLS) if {f"check {case}", f"special values {case}"} & set(names)])


def build(source: Any) -> dict[str, Any]:
    """Compile all kernels of a file, for both dtypes; return what they need."""
    needs = {}
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        for defines in filter(partial(is_made, chip=cupy.cuda.Device().compute_capability, dtype=dtype), variants(source)):
            module = cupy.RawModule(code=source.whole, options=source.options(dtype, defines))
            for name in source.signatures:
                function = module.get_function(name)
                given = ",".join(f"{key}={value}" for key, value in defines)
                needs[f"{name} {dtype} {given}".strip()] = {
                    "registers": getattr(function, "num_regs", None),
                    "local_bytes": getattr(function, "local_size_bytes", None),
                }
    return {"sha256": source.digest, "kernels": needs}


def on_device(arrays: list[np.ndarray]) -> list[Any]:
    """Return copies on the device."""
    return [cupy.asarray(array) for array in arrays]


def on_host(result: Any) -> list[np.ndarray]:
    """Return copies of a call's results on the host."""
    outputs: tuple[Any, ...] = outputs_of(result)
    return [out.get() for out in outputs]


def spoil() -> None:
    """Fill free memory of the pool with NaN, so that an element that no kernel writes shows."""
    blocks = [cupy.full(2**size, np.nan, np.float32) for size in range(8, 24)]
    del blocks


def repeated(run: Callable[[], list[np.ndarray]], dtype: str) -> list[np.ndarray]:
    """Return the results of a run, which is repeated on memory that is spoiled anew, or raise where bits differ."""
    spoil()
    first = run()
    for repeat in range(REPEATS):
        spoil()
        if any(one.tobytes() != other.tobytes() for one, other in zip(first, run(), strict=True)):
            raise AssertionError(f"run {repeat + 2} has other bits than the first, {dtype}")
    return first


def _called(case: CudaCall, arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Return the results of a call with copies of its arrays."""
    return on_host(case.run(*on_device(arrays)))


def check(call: int) -> dict[str, Any]:
    """Compare with the loops in float32 and float64, and with itself."""
    case, worst = CALLS[call], {}
    for dtype in loops.DTYPES:
        arrays = case.entry.arrays(np.dtype(dtype).type)
        first = repeated(partial(_called, case, arrays), dtype)
        worst[dtype] = worst_of(case, dtype, first, loops.plain(call, dtype))
    return {"worst": worst, "said": f"float32 {worst['float32']:.1e}, float64 {worst['float64']:.1e}, {REPEATS + 1} runs equal"}


def special(call: int) -> dict[str, Any]:
    """Compare with the loops where there are NaN, infinities, subnormals and -0 in one array after the other."""
    case, worst = CALLS[call], 0.0
    for arrays, want in zip(spoiled(case), loops.special(call), strict=True):
        spoil()
        try:
            got = on_host(case.run(*on_device(arrays)))
        except ArgumentError:
            if want is None:
                continue
            raise
        if want is None:
            raise AssertionError("the loops refuse these values, the device does not")
        worst = max(worst, worst_of(case, "float32", got, want))
    return {"worst": worst, "said": f"float32 {worst:.1e}"}


def worst_of(case: CudaCall, dtype: str, got: list[np.ndarray], want: tuple[np.ndarray, ...]) -> float:
    """Return the largest difference of all outputs, or raise."""
    allowed = max(tolerance(case, np.dtype(dtype)), FUNCTIONS)
    return max((difference(allowed, one, other) for one, other in zip(got, want, strict=True)), default=0.0)


def check_foreach(call: foreach_calls.ForeachCall) -> dict[str, Any]:
    """Compare a launch over many arrays, which changes them, with the loops, and with itself."""
    worst = {}
    for dtype in foreach_calls.DTYPES:
        want = foreach_calls.arrays(call.columns, dtype)
        for row in zip(*want):
            call.loops(*row)
        found = repeated(partial(_changed, call, dtype), dtype.__name__)
        whole = [array for column in want for array in column]
        worst[dtype.__name__] = max(map(partial(difference, FUNCTIONS), found, whole))
    return {"worst": worst, "said": f"float32 {worst['float32']:.1e}, float64 {worst['float64']:.1e}, {REPEATS + 1} runs equal"}


def _changed(call: foreach_calls.ForeachCall, dtype: Any) -> list[np.ndarray]:
    """Return what a launch makes of many arrays."""
    columns = [on_device(column) for column in foreach_calls.arrays(call.columns, dtype)]
    foreach_calls.called(call, columns)
    return [array.get() for column in columns for array in column]


def check_norm(p: float) -> dict[str, Any]:
    """Compare the norm of many arrays, and the factor that it asks for, with the loops', and with itself."""
    columns = [foreach_calls.arrays(1, dtype)[0] for dtype in foreach_calls.DTYPES]
    want = foreach_calls.reference.norm([array for column in columns for array in column], p)

    def run() -> list[np.ndarray]:
        return [array.get() for array in foreach_calls.norm_of([on_device(column) for column in columns], p, 0.5)]

    worst = difference(FUNCTIONS, repeated(run, "both dtypes")[0], np.asarray(want, np.float64))
    return {"worst": worst, "said": f"{worst:.1e}, {REPEATS + 1} runs equal"}


def check_order() -> dict[str, Any]:
    """Compare the order of integers by merging with NumPy's, and with CuPy's."""
    for size in (0, 1, 2, 1000, 2**20 + 1):
        keys = np.random.default_rng(size).integers(-size // 3, size // 3 + 1, size)
        spoil()
        got, want = by_merging(cupy.asarray(keys)), np.argsort(keys, kind="stable")
        difference(0, got.get(), want)
        difference(0, stable(cupy.asarray(keys)).get(), want)
    return {"said": "up to 2^20 + 1 keys"}


def difference(allowed: float, got: np.ndarray, want: np.ndarray) -> float:
    """Return the largest difference as a share of the largest element, or raise where it is more than may be."""
    if (got.shape, got.dtype) != (want.shape, want.dtype):
        raise AssertionError(f"{got.dtype} {got.shape}, expected {want.dtype} {want.shape}")
    if got.dtype.kind != "f":
        if not np.array_equal(got, want):
            raise AssertionError(f"{int((got != want).sum())} of {got.size} integers differ")
        return 0.0
    with np.errstate(invalid="ignore"):
        same = (got == want) | (np.isnan(got) & np.isnan(want))
        apart = np.where(same, 0, np.abs(got.astype(np.float64) - want))
    largest = np.abs(want[np.isfinite(want)]).max(initial=TINY)
    found = float(apart.max(initial=0) / largest)
    if not found <= allowed:
        raise AssertionError(f"differs by {found:.2e} of the largest element, allowed {allowed:.0e}")
    return found


def planted() -> dict[str, Any]:
    """Prove that neither a wrong kernel would pass, nor one whose bits differ in one of the runs."""
    return {"said": f"a wrong element: {_found(_wrong_element)}; a bit of the last run: {_found(_other_bit)}"}


def _found(fault: Callable[[], Any]) -> str:
    """Return what the check says of a fault, or raise if it says nothing."""
    try:
        fault()
    except AssertionError as error:
        return str(error)
    raise AssertionError(f"{fault.__name__.strip('_').replace('_', ' ')}: not found")


def _wrong_element() -> None:
    """Compare the first call's result with the loops', one element changed."""
    case, want = CALLS[0], loops.plain(0, "float32")[0]
    got = _called(case, case.entry.arrays(np.float32))[0]
    got.reshape(-1)[-1] += np.abs(want).max()
    difference(FUNCTIONS, got, want)


def _other_bit() -> None:
    """Repeat the first call, the last of whose runs has one bit that differs: less than a comparison with the loops sees."""
    case, runs = CALLS[0], 0

    def run() -> list[np.ndarray]:
        nonlocal runs
        results = _called(case, case.entry.arrays(np.float32))
        results[0].reshape(-1).view(np.uint8)[0] ^= runs == REPEATS
        runs += 1
        return results

    repeated(run, "float32")
