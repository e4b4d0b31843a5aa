"""Resizing's tables: exact against fractions, float32 against PyTorch, and given scales."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma
from hypothesis import example, given
from hypothesis import strategies as st

from rawseg_kernels import resize
from rawseg_kernels.resize import tables

DTYPES = [np.float32, np.float64]


@st.composite
def scaled_sides(draw):
    """Draw ``(side, factor, new side)`` with a new side of at least 1."""
    side = draw(st.integers(1, 9))
    factor = draw(st.floats(1 / side, 5))
    return side, factor, int(side * factor)


def torch_resize(x, mode, **size):
    return torch.nn.functional.interpolate(x, mode=mode, **size).numpy()


@pytest.mark.spec("interpolate.nearest", "interpolate.nearest-exact")
def test_nearest_tables_are_exact_for_every_pair_of_sizes():
    for old in range(1, 42):
        for new in range(1, 42):
            step = Fraction(old, new)
            assert tables.nearest(old, new).tolist() == [int(dst * step) for dst in range(new)]
            assert tables.nearest_exact(old, new).tolist() == [int((dst + Fraction(1, 2)) * step) for dst in range(new)]


@pytest.mark.proves("interpolate", "torch")
@pytest.mark.spec("interpolate.nearest")
@example((2, 1.12, 2), "nearest")  # there PyTorch copies, and doubles here, whatever the scale
@example((3, 2.3, 6), "nearest")
@given(scaled_sides(), st.sampled_from(["nearest", "nearest-exact"]))
def test_float32_tables_follow_a_scale_factor_as_torch_does(case, mode):
    side, factor, new = case
    x = torch.arange(side, dtype=torch.float32).expand(1, 1, 1, side)
    want = torch_resize(x, mode, scale_factor=(1.0, factor))
    got = resize.forward(x.numpy(), (1, new), mode, scale=(1.0, 1 / factor), compat="torch")
    np.testing.assert_array_equal(got, want)


@pytest.mark.proves("interpolate", "torch")
@pytest.mark.spec("interpolate.scale")
@pytest.mark.parametrize("dtype", DTYPES)
@given(scaled_sides())
def test_a_given_scale_is_used_instead_of_the_ratio_of_sizes(dtype, case):
    side, factor, new = case
    x = np.random.default_rng(side).standard_normal((1, 1, side, 3)).astype(dtype)
    want = torch_resize(torch.from_numpy(x).double(), "bilinear", scale_factor=(factor, 1.5))
    got = resize.forward(x, (new, 4), "bilinear", scale=(1 / factor, 1 / 1.5))
    assert_within(got, want, (gamma(10 + 4 * max(side, new, 4), np.float64) + gamma(8, dtype)) * 4 * np.abs(x).max())


@pytest.mark.proves("interpolate", "torch")
@pytest.mark.spec("interpolate.nearest", "interpolate.nearest-exact")
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@given(st.integers(4, 60), st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0, 1.3, 0.7, 1.7, 2.2, 1.05]))
def test_a_given_scale_picks_the_nearest_pixels_too(mode, side, factor):
    x = np.arange(float(side)).reshape(1, 1, side, 1)
    want = torch_resize(torch.from_numpy(x), mode, scale_factor=(factor, 1.0))
    got = resize.forward(x, want.shape[2:], mode, scale=(1 / factor, 1.0))
    if factor in (0.25, 0.5, 1.0, 2.0, 4.0):  # PyTorch's float32 coordinates are exact
        np.testing.assert_array_equal(got, want)
    source = (np.arange(want.size) + (0.5 if mode == "nearest-exact" else 0.0)) / factor
    whole = np.abs(source - np.round(source)) < 2.0**-16 * side  # there PyTorch's roundings may go to the other side
    copied = mode == "nearest" and want.size in (side, 2 * side)
    assert (got.ravel() == want.ravel())[~whole | copied].all()


def test_a_given_scale_by_hand():
    x = np.arange(5, dtype=np.float32).reshape(1, 1, 5, 1)
    assert resize.forward(x, (6, 1), "nearest", scale=(1 / 1.3, 1.0)).ravel().tolist() == [0, 0, 1, 2, 3, 3]
    assert resize.forward(x, (6, 1), "nearest").ravel().tolist() == [0, 0, 1, 2, 3, 4]


def test_a_scale_that_is_too_large_ends_at_the_last_pixel():
    x = np.arange(3, dtype=np.float32).reshape(1, 1, 1, 3)
    assert resize.forward(x, (1, 4), "bilinear", scale=(1, 7.0)).ravel().tolist() == [2, 2, 2, 2]
    assert resize.forward(x, (1, 4), "nearest", scale=(1, 7.0), compat="torch").ravel().tolist() == [0, 2, 2, 2]
    first, second, first_weight, second_weight = tables.bilinear(3, 4, False, 7.0, np.float32)
    assert (first.tolist(), second.tolist()) == ([2] * 4, [2] * 4)
    assert (first_weight.tolist(), second_weight.tolist()) == ([0] * 4, [1] * 4)  # no weight lies outside [0, 1]


def test_transposed_tables_list_every_term_once_in_the_order_of_the_outputs():
    sources, weights = np.array([np.arange(300) % 3, np.arange(300) % 2]), np.arange(600.0).reshape(2, 300)
    starts, outputs, transposed = tables.transposed(4, sources, weights)
    assert starts.tolist() == [0, 250, 500, 600, 600]  # 100 + 150, 100 + 150, 100, and a pixel that nobody reads
    for pixel in range(4):
        mine = slice(starts[pixel], starts[pixel + 1])
        terms = [(output, term) for output in range(300) for term in range(2) if sources[term, output] == pixel]
        assert outputs[mine].tolist() == [output for output, _ in terms]
        assert transposed[mine].tolist() == [weights[term, output] for output, term in terms]
