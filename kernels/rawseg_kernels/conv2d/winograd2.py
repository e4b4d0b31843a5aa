"""Convolution by Winograd's F(2x2, 3x3): stride 1, 3x3 kernels, any dilation, float32; `_winograd` says how."""

from __future__ import annotations

from functools import partial

from . import _winograd_directions as directions

SIZE = 2

forward = partial(directions.forward, SIZE)
backward_input = partial(directions.backward_input, SIZE)
backward_weight = partial(directions.backward_weight, SIZE)
