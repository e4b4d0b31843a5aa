"""Matrix products as ``cuda_tiles`` has it, but on tensor cores, which multiply numbers rounded to TF32.

Every number has a relative error of up to 2^-11, and a product of two of up to 2^-10. float64 is computed by ``cuda_tiles``.
"""

from __future__ import annotations

from functools import partial

from . import cuda_tiles

forward = partial(cuda_tiles.forward, precision="tf32")
