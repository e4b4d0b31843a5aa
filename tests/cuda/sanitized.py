"""``python -m cuda.sanitized ROOM``: CUDA kernels on arrays of their own; prints each name first, so that a death has one."""

from __future__ import annotations

import sys

import numpy as np
from cuda.test_kernels import CALLS, DTYPES, room_of


def main() -> None:
    """Run the calls of the catalogue; arrays end where malloc's block ends, which the sanitizer watches."""
    for case in [case for case in CALLS if room_of(case) == sys.argv[1]]:
        for dtype in DTYPES:
            print(f"{case} {dtype.__name__}", flush=True)
            case.run(*(np.array(array, order="C") for array in case.entry.arrays(dtype)))


if __name__ == "__main__":
    main()
