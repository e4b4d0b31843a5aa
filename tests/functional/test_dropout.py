"""Dropout: how much is dropped, that a seed repeats it, and what its gradient is."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ShapeError


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_of_zeros(p):
    rawseg.manual_seed(0)
    count = 200_000
    out = F.dropout(rawseg.ones(count, dtype=np.float64), p).numpy()
    zeros = int((out == 0).sum())
    assert abs(zeros - p * count) < 6 * np.sqrt(p * (1 - p) * count)  # six deviations of a binomial
    assert set(np.unique(out)) == {0, 1 / (1 - p)}


def test_a_seed_repeats_the_zeros_in_every_dtype():
    rawseg.manual_seed(7)
    first = F.dropout(rawseg.ones(50)).numpy()
    second = F.dropout(rawseg.ones(50)).numpy()
    rawseg.manual_seed(7)
    assert np.array_equal(F.dropout(rawseg.ones(50)).numpy(), first)
    assert not np.array_equal(first, second)
    rawseg.manual_seed(7)
    assert np.array_equal(F.dropout(rawseg.ones(50, dtype=np.float64)).numpy(), first)


def test_channels_fall_as_a_whole():
    rawseg.manual_seed(1)
    out = F.dropout2d(rawseg.ones(20, 30, 4, 5), 0.25).numpy()
    assert (out == out[:, :, :1, :1]).all()
    assert 90 < (out[:, :, 0, 0] == 0).sum() < 210  # 150, and a binomial's deviation is 10.6
    assert F.dropout2d(rawseg.ones(3, 4, 5)).shape == (3, 4, 5)


def test_the_gradient_goes_where_the_value_went():
    x = rawseg.randn(4, 5, requires_grad=True)
    out = F.dropout(x, 0.4)
    out.sum().backward()
    assert np.array_equal(x.grad.numpy(), np.where(out.numpy() == 0, 0, np.float32(1 / 0.6)))


def test_nothing_and_everything():
    x = rawseg.randn(10)
    state = rawseg.get_rng_state()
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert rawseg.get_rng_state() == state  # no number was drawn
    assert not F.dropout(x, 1.0).numpy().any()


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_wrong_probability_draws_nothing(p):
    state = rawseg.get_rng_state()
    with pytest.raises(ArgumentError, match="dropout: p: expected a probability, 0 to 1"):
        F.dropout(rawseg.ones(3), p)
    with pytest.raises(ShapeError, match=r"dropout2d: input: expected shape \(N, C, H, W\) or \(C, H, W\), got shape \(3,\)"):
        F.dropout2d(rawseg.ones(3))
    assert rawseg.get_rng_state() == state
