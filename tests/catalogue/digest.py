"""``python -m catalogue.digest THREADS``: a hash of every kernel's results, as JSON, for comparison between processes."""

from __future__ import annotations

import hashlib
import json
import sys

import numpy as np
from promises import outputs_of

from catalogue.collected import KERNELS
from rawseg_kernels import _threads


def digest(call, arrays) -> str:
    """Return the SHA-256 of all outputs, their shapes and dtypes."""
    sha = hashlib.sha256()
    for out in outputs_of(call(*arrays)):
        sha.update(f"{out.dtype} {out.shape}".encode() + np.ascontiguousarray(out).tobytes())
    return sha.hexdigest()


if __name__ == "__main__":
    _threads.SERIAL_WORK = 0  # threads however small the arrays
    _threads.set_num_threads(int(sys.argv[1]))
    found = {
        f"{entry.name} {dtype.__name__}": digest(entry.call, entry.arrays(dtype))
        for entry in KERNELS
        for dtype in (np.float32, np.float64)
    }
    print(json.dumps(found))
