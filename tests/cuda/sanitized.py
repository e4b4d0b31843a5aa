"""``python -m cuda.sanitized``: every CUDA kernel on arrays of its own; prints each name first, so that a death has one."""

from __future__ import annotations

import numpy as np
from cuda.test_kernels import CALLS, DTYPES


def main() -> None:
    """Run the calls of the catalogue; arrays end where malloc's block ends, which the sanitizer watches."""
    for case in CALLS:
        for dtype in DTYPES:
            print(f"{case} {dtype.__name__}", flush=True)
            case.run(*(np.array(array, order="C") for array in case.entry.arrays(dtype)))


if __name__ == "__main__":
    main()
