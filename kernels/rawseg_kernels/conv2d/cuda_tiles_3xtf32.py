"""Convolution as ``cuda_tiles`` has it, but on tensor cores, which multiply numbers split into two of TF32.

Three products of tensor cores stand for one of float32: with |x - hi - lo| <= 2^-22 |x|, they leave out lo lo and what the
splits leave, and errors are as small as those of a chain. float64 is computed by ``cuda_tiles``.
"""

from __future__ import annotations

from functools import partial

from . import cuda_tiles

forward = partial(cuda_tiles.forward, precision="3xtf32")
backward_input = partial(cuda_tiles.backward_input, precision="3xtf32")
backward_weight = partial(cuda_tiles.backward_weight, precision="3xtf32")
backward_bias = cuda_tiles.backward_bias  # has no products
