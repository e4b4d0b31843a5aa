"""The references on complex numbers: their gradients, of all arrays at once, equal the complex step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from complex_step import assert_complex_step
from hypothesis import given
from hypothesis import strategies as st

from rawseg_kernels.avg_pool2d import reference as avg_pool2d
from rawseg_kernels.batch_norm import reference as batch_norm
from rawseg_kernels.conv2d import reference as conv2d
from rawseg_kernels.conv_transpose2d import reference as conv_transpose2d
from rawseg_kernels.matmul import reference as matmul
from rawseg_kernels.resize import reference as resize
from rawseg_kernels.resize import tables

CONV = (2, 1), (1, 0), (1, 2), 2  # stride, padding, dilation, groups
PAIRS = np.array([[0, 0], [1, 0]])
ROWS, COLUMNS = (tables.bilinear(*sizes, False, None, np.float64) for sizes in ((4, 7), (6, 3)))

# op, shapes of the arrays, forward of the arrays, gradients of all arrays from grad_output and the arrays
CASES: list[tuple[str, list[tuple[int, ...]], Callable[..., Any], Callable[..., Any]]] = [
    (
        "conv2d",
        [(2, 4, 5, 4), (4, 2, 3, 2), (4,)],
        lambda x, w, b: conv2d.forward(x, w, b, (3, 2), *CONV),
        lambda g, x, w, b: (
            conv2d.backward_input(g, w, x.shape, *CONV),
            conv2d.backward_weight(g, x, w.shape, *CONV),
            conv2d.backward_bias(g),
        ),
    ),
    (
        "conv_transpose2d",
        [(2, 4, 3, 2), (4, 2, 3, 2)],
        lambda x, w: conv_transpose2d.forward(x, w, None, (5, 4), *CONV),
        lambda g, x, w: (
            conv_transpose2d.backward_input(g, w, x.shape, *CONV),
            conv_transpose2d.backward_weight(g, x, w.shape, *CONV),
        ),
    ),
    (
        "matmul",
        [(2, 3, 4), (1, 4, 2)],
        lambda a, b: matmul.forward(a, b, PAIRS, False, False),
        lambda g, a, b: (
            matmul.forward(g, b, PAIRS, False, True),
            matmul.forward(a, g, np.array([[0, 0], [1, 1]]), True, False).sum(0, keepdims=True),
        ),
    ),
    (
        "avg_pool2d",
        [(2, 2, 5, 4)],
        lambda x: avg_pool2d.forward(x, (3, 2), (2, 1), (1, 0), (3, 3), False, 0),
        lambda g, x: (avg_pool2d.backward(g, x.shape, (3, 2), (2, 1), (1, 0), False, 0),),
    ),
    (
        "interpolate",
        [(2, 2, 4, 6)],
        lambda x: resize.forward_bilinear(x, ROWS, COLUMNS),
        lambda g, x: (resize.backward_bilinear(g, (4, 6), ROWS, COLUMNS),),
    ),
    (
        "batch_norm",
        [(3, 2, 4), (2,), (2,)],
        lambda x, w, b: batch_norm.forward_train(x, w, b, 1e-5)[0],
        lambda g, x, w, b: batch_norm.backward_train(
            g, x, w, b, *batch_norm.forward_train(x, w, b, 1e-5)[1:3], -np.inf, np.inf
        ),
    ),
]


@pytest.mark.parametrize(
    ("shapes", "forward", "backward"),
    [pytest.param(*case[1:], id=case[0], marks=pytest.mark.proves(case[0], "complex step")) for case in CASES],
)
@given(st.integers(0, 2**16))
def test_gradients_equal_the_complex_step(shapes, forward, backward, seed):
    rng = np.random.default_rng(seed)
    assert_complex_step(forward, backward, [rng.standard_normal(shape) for shape in shapes], rng)
