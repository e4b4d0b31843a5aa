"""``python -m on_gpu.sanitized ROOM``: CUDA kernels on arrays of their own; prints each name first, so that a death has one."""

from __future__ import annotations

import sys

import numpy as np
from on_gpu import foreach_calls, test_wrong_indices
from on_gpu.test_kernels import CALLS, DTYPES, room_of

from rawseg_kernels._cuda.order import by_merging


def main() -> None:
    """Run the calls of the catalogue; arrays end where malloc's block ends, which the sanitizer watches."""
    if sys.argv[1] == "_foreach":
        run_foreach()
    if sys.argv[1] == "wrong_indices":
        test_wrong_indices.run_far()
    if sys.argv[1] == "order":
        run_orders()
    for case in [case for case in CALLS if room_of(case) == sys.argv[1]]:
        for dtype in DTYPES:
            print(f"{case} {dtype.__name__}", flush=True)
            case.run(*(np.array(array, order="C") for array in case.entry.arrays(dtype)))


def run_orders() -> None:
    """Sort keys by merging."""
    for size in (1, 2, 3, 63, 64, 65, 300):
        print(f"order {size}", flush=True)
        by_merging(np.random.default_rng(size).integers(0, 9, size))


def run_foreach() -> None:
    """Run the launches over many arrays."""
    for dtype in DTYPES:
        for call in foreach_calls.CALLS:
            print(f"{call.name} {dtype.__name__}", flush=True)
            foreach_calls.called(call, foreach_calls.arrays(call.columns, dtype))
        for p in foreach_calls.NORMS:
            print(f"norm {p} {dtype.__name__}", flush=True)
            foreach_calls.norm_of(foreach_calls.arrays(1, dtype), p, 1.0)


if __name__ == "__main__":
    main()
