"""RoIAlign's loops themselves: against PyTorch, by complex steps, and compiled against plain."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits
from roi_cases import grid_sampled, samples_near_kinks

from rawseg.testing.strategies.regions import regions
from rawseg_kernels import roi_align
from rawseg_kernels.roi_align import reference

SEEDS = st.integers(0, 2**16)


@pytest.mark.proves("roi_align", "torch")
@given(regions(), SEEDS)
def test_masked_grid_sample_is_the_same(case, seed):
    x = np.random.default_rng(seed).standard_normal(case.shape)
    # A coordinate below 20 passes some 12 roundings here and there, and neighbours differ by at most 2 max |x|. Where a sample
    # lies at an end of what is valid either answer may be given, so such boxes are left to the exact cases.
    want = grid_sampled(torch.tensor(x), torch.tensor(case.boxes), **case.options).numpy()
    got = roi_align.forward(x, roi_align.sample_grid(x, case.boxes, **case.options), algorithm="reference")
    near = np.array([samples_near_kinks(case, k) for k in range(len(case.boxes))], bool)
    assert_within(got[~near], want[~near], 4 * 20 * 12 * 2.0**-53 * np.abs(x).max(initial=0))


@pytest.mark.proves("roi_align", "complex step")
def test_complex_steps_through_the_reference():
    rng = np.random.default_rng(1)
    x, boxes = rng.standard_normal((2, 2, 4, 5)), np.array([[0, 0.3, 0.2, 3.7, 2.9], [1, -2.5, 1, 4, 6.5]])
    grid = roi_align.sample_grid(x, boxes, (2, 1))
    tables, g = (grid.batch, grid.rows, grid.columns), rng.standard_normal((2, 2, 2, 1))
    operands = [x, grid.row_weights, grid.column_weights]
    gradients = roi_align.backward_input(g, grid), roi_align.backward_rows(g, x, grid), roi_align.backward_columns(g, x, grid)
    for position, gradient in enumerate(gradients):
        direction = rng.standard_normal(gradient.shape)
        stepped = [a + 1e-30j * direction if i == position else a + 0j for i, a in enumerate(operands)]
        out = reference.forward(stepped[0], *tables, *stepped[1:], grid.output_size)
        slope = float((out.imag / 1e-30 * g).sum())
        assert abs(slope - np.vdot(gradient, direction)) <= 1e-13 * np.vdot(abs(gradient), abs(direction))


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 2, 4, 3)).astype(np.float32)
    boxes = np.array([[1, -2, 0.5, 2.25, 5.5], [0, 0.2, 0.1, 1.7, 3.3]], np.float32)
    grid = roi_align.sample_grid(x, boxes, (2, 1))
    tables, weights = (grid.batch, grid.rows, grid.columns), (grid.row_weights, grid.column_weights)
    g = rng.standard_normal((2, 2, 2, 1)).astype(np.float32)
    pairs = [
        (roi_align.forward(x, grid, algorithm="reference"), reference.forward(x, *tables, *weights, (2, 1))),
        (roi_align.backward_input(g, grid, algorithm="reference"), reference.backward_input(g, x.shape, *tables, *weights)),
        (roi_align.backward_rows(g, x, grid, algorithm="reference"), reference.backward_rows(g, x, *tables, weights[1])),
        (roi_align.backward_columns(g, x, grid, algorithm="reference"), reference.backward_columns(g, x, *tables, weights[0])),
    ]
    for compiled, plain in pairs:
        assert_same_bits(compiled, plain)
