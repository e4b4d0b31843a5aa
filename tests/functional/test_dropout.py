"""Dropout: how much is dropped, that a seed repeats it, and what its gradient is."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ShapeError


@pytest.mark.proves("dropout", "reference")
@pytest.mark.spec("dropout.share")
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_of_zeros(p):
    rawseg.manual_seed(0)
    count = 200_000
    out = F.dropout(rawseg.ones(count, dtype=np.float64), p).numpy()
    zeros = int((out == 0).sum())
    assert abs(zeros - p * count) < 6 * np.sqrt(p * (1 - p) * count)  # six deviations of a binomial
    assert set(np.unique(out)) == {0, 1 / (1 - p)}


@pytest.mark.proves("dropout", "determinism")
@pytest.mark.proves("dropout2d", "determinism")
@pytest.mark.spec("dropout.seed")
def test_a_seed_repeats_the_zeros_in_every_dtype():
    rawseg.manual_seed(7)
    first = F.dropout(rawseg.ones(50)).numpy()
    second = F.dropout(rawseg.ones(50)).numpy()
    rawseg.manual_seed(7)
    assert np.array_equal(F.dropout(rawseg.ones(50)).numpy(), first)
    assert not np.array_equal(first, second)
    rawseg.manual_seed(7)
    assert np.array_equal(F.dropout(rawseg.ones(50, dtype=np.float64)).numpy(), first)


@pytest.mark.proves("dropout2d", "reference")
@pytest.mark.spec("dropout.share")
def test_channels_fall_as_a_whole():
    rawseg.manual_seed(1)
    out = F.dropout2d(rawseg.ones(20, 30, 4, 5), 0.25).numpy()
    assert (out == out[:, :, :1, :1]).all()
    assert 90 < (out[:, :, 0, 0] == 0).sum() < 210  # 150, and a binomial's deviation is 10.6
    assert F.dropout2d(rawseg.ones(3, 4, 5)).shape == (3, 4, 5)


@pytest.mark.proves("dropout", "first order")
@pytest.mark.spec("dropout.derivatives")
def test_the_gradient_goes_where_the_value_went():
    x = rawseg.randn(4, 5, requires_grad=True)
    out = F.dropout(x, 0.4)
    out.sum().backward()
    assert np.array_equal(x.grad.numpy(), np.where(out.numpy() == 0, 0, np.float32(1 / 0.6)))


@pytest.mark.proves("dropout", "second order")
@pytest.mark.proves("dropout2d", "second order")
@pytest.mark.spec("dropout.derivatives")
@pytest.mark.parametrize("drop", [F.dropout, F.dropout2d])
def test_the_second_derivative_goes_the_same_way(drop):
    x = rawseg.Tensor(np.random.default_rng(0).uniform(1, 2, (2, 3, 4, 5)), requires_grad=True)
    rawseg.manual_seed(3)
    out = drop(x, 0.25)
    (grad,) = rawseg.grad((out**3).sum(), x, create_graph=True)
    (again,) = rawseg.grad(grad.sum(), x)
    scale = np.where(out.numpy() == 0, 0, 1 / 0.75)
    np.testing.assert_allclose(grad.numpy(), 3 * scale**3 * x.numpy() ** 2, rtol=2**-49)
    np.testing.assert_allclose(again.numpy(), 6 * scale**3 * x.numpy(), rtol=2**-49)


def test_a_number_is_an_array_too():
    rawseg.manual_seed(0)
    assert F.dropout(2.0, 0.5).item() in (0, 4)


def test_nothing_and_everything():
    x = rawseg.randn(10)
    state = rawseg.get_rng_state()
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x
    assert rawseg.get_rng_state() == state  # no number was drawn
    assert not F.dropout(x, 1.0).numpy().any()


@pytest.mark.proves("dropout", "bad input")
@pytest.mark.proves("dropout2d", "bad input")
@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_a_wrong_probability_draws_nothing(p):
    state = rawseg.get_rng_state()
    with pytest.raises(ArgumentError, match="dropout: p: expected a probability, 0 to 1"):
        F.dropout(rawseg.ones(3), p)
    with pytest.raises(ShapeError, match=r"dropout2d: input: expected shape \(N, C, H, W\) or \(C, H, W\), got shape \(3,\)"):
        F.dropout2d(rawseg.ones(3))
    assert rawseg.get_rng_state() == state
