"""Rows laid out in phases: every tap of every window is where the tables say, and nothing is written beside a row's place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rawseg_kernels import _phases
from rawseg_kernels._jit import kernel
from rawseg_kernels._phases import lay_row, slots_of
from rawseg_kernels._simd_rows import BLOCK


@kernel
def lay(first, last, row, stride_w, phases, around, to, to_at):
    for _ in range(first, last):
        lay_row(row, 0, row.size, stride_w, phases, around, to, to_at)


@st.composite
def rows(draw):
    """Draw ``(w, out_w, kernel_w, stride_w, padding_w, dilation_w)``."""
    kernel_w, stride_w, dilation_w = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    padding_w, reach = draw(st.integers(0, kernel_w // 2)), dilation_w * (kernel_w - 1) + 1
    w = draw(st.integers(max(1, dilation_w, reach - 2 * padding_w), 70))
    return w, (w + 2 * padding_w - reach) // stride_w + 1, kernel_w, stride_w, padding_w, dilation_w


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(rows())
@example((33, 17, 2, 2, 1, 1))  # the shorter phase begins later, and has as many vectors as the longer one
def test_taps_are_contiguous_and_nothing_else_is_touched(dtype, geometry):
    w, out_w, _, stride_w, padding_w, dilation_w = geometry
    pitch, phases, taps = _phases.tables(*geometry)
    row, length = np.arange(1, w + 1).astype(dtype), len(phases) * pitch
    lines = np.full(length + 2 * BLOCK, -1, dtype)  # a guard on either side
    lines[BLOCK:-BLOCK] = 0
    for _ in range(2):  # the second row finds what the first has left
        lay(0, 1, row, stride_w, phases, dtype(0), lines, BLOCK)
    assert (lines[:BLOCK] == -1).all()
    assert (lines[-BLOCK:] == -1).all()
    padded = np.zeros(w + 2 * padding_w + out_w * stride_w + 5 * dilation_w, dtype)
    padded[padding_w : padding_w + w] = row
    assert len(taps)
    for at, kw in taps:
        want = padded[kw * dilation_w :][: out_w * stride_w : stride_w]
        np.testing.assert_array_equal(lines[BLOCK + at :][:out_w], want)
        assert at % pitch + -(-out_w // BLOCK) * BLOCK <= pitch  # whole vectors are read


@pytest.mark.parametrize(
    ("geometry", "slots"), [((3, 1, 9), 4), ((1, 5, 9), 1), ((3, 4, 9), 16), ((3, 4, 7), 8), ((4, 1, 9), 4)]
)
def test_all_rows_under_a_window_have_places_of_their_own(geometry, slots):
    assert slots_of.py_func(*geometry) == slots
