"""``python -m gpu.calls``: every kernel call once, for compute-sanitizer; prints each name before it runs."""

from __future__ import annotations

import cupy  # type: ignore[import-not-found]
import numpy as np
from on_gpu import foreach_calls
from on_gpu.test_kernels import CALLS

from rawseg.errors import BackendError
from rawseg_kernels._cuda.order import by_merging

SIZES = 1, 2, 1000  # of keys that are sorted


def main() -> None:
    """Run them in both dtypes, every array in memory of its own: within a pool's block nothing would be seen."""
    cupy.cuda.set_allocator(None)
    for dtype in (np.float32, np.float64):
        for case in CALLS:
            begin(case, dtype)
            try:
                case.run(*map(cupy.asarray, case.entry.arrays(dtype)))
            except BackendError:
                print("which this GPU does not have", flush=True)
        for call in foreach_calls.CALLS:
            begin(call.name, dtype)
            foreach_calls.called(call, [[*map(cupy.asarray, column)] for column in foreach_calls.arrays(call.columns, dtype)])
        for p in foreach_calls.NORMS:
            begin(f"clip norm {p:g}", dtype)
            foreach_calls.norm_of([[*map(cupy.asarray, foreach_calls.arrays(1, dtype)[0])]], p, 0.5)
    for size in SIZES:
        begin(f"order of {size}", np.int64)
        by_merging(cupy.asarray(np.random.default_rng(size).integers(-size, size + 1, size)))
    cupy.cuda.get_current_stream().synchronize()


def begin(name: object, dtype: type) -> None:
    """Wait for the call before, and print the name of the next one."""
    cupy.cuda.get_current_stream().synchronize()
    print(f"{name} {dtype.__name__}", flush=True)


if __name__ == "__main__":
    main()
