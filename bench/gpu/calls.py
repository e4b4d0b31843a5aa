"""``python -m gpu.calls``: every kernel call of the catalogue once, for compute-sanitizer; prints each name before it runs."""

from __future__ import annotations

import cupy  # type: ignore[import-not-found]
import numpy as np
from cuda.test_kernels import CALLS


def main() -> None:
    """Run them in both dtypes, every array in memory of its own: within a pool's block nothing would be seen."""
    cupy.cuda.set_allocator(None)
    for case in CALLS:
        for dtype in (np.float32, np.float64):
            print(f"{case} {dtype.__name__}", flush=True)
            case.run(*map(cupy.asarray, case.entry.arrays(dtype)))
            cupy.cuda.get_current_stream().synchronize()


if __name__ == "__main__":
    main()
