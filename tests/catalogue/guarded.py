"""``python -m catalogue.guarded front|end``: every kernel on arrays that end at unreadable pages; prints each name first.

``np.empty`` gives such arrays, too, filled with NaN: a kernel that writes beside its output dies, and an element that it
forgets differs from the same call without guards.
"""

from __future__ import annotations

import sys

import numpy as np
from guard_pages import guarded
from promises import assert_same_bits

from catalogue.collected import KERNELS

plain_empty = np.empty


def guarded_empty(shape, dtype=float, *args, **kwargs):
    """Return an array of NaN, or of a huge number where there is none, between guards."""
    out = plain_empty(shape, dtype, *args, **kwargs)
    if out.dtype.kind not in "fiu" or not out.flags.c_contiguous:
        return out
    out.fill(np.nan if out.dtype.kind == "f" else np.iinfo(out.dtype).max)
    return guarded(out, end=sys.argv[1] == "end")


def main() -> None:
    """Run the catalogue."""
    for entry in KERNELS:
        for dtype in (np.float32, np.float64):
            print(f"{entry.name} {dtype.__name__}", flush=True)
            arrays = entry.arrays(dtype)
            want = entry.call(*arrays)
            np.empty = guarded_empty
            try:
                got = entry.call(*[guarded(array, end=sys.argv[1] == "end") for array in arrays])
            finally:
                np.empty = plain_empty
            assert_same_bits(got, want, entry.name)


if __name__ == "__main__":
    main()
