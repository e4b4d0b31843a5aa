"""Gradient clipping: by hand, against exact sums, against torch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, unit_roundoff

import rawseg
from rawseg.errors import ArgumentError, DataError
from rawseg.optim import clip_grad_norm_, clip_grad_value_
from rawseg.optim.clip_grad import all_finite
from rawseg_kernels._foreach import reference


def with_gradients(*arrays) -> list[rawseg.Tensor]:
    params = []
    for array in arrays:
        param = rawseg.Tensor(np.zeros_like(array), requires_grad=True)
        param.grad = rawseg.tensor(array)
        params.append(param)
    return params


def random_arrays(dtype) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.standard_normal(shape).astype(dtype) for shape in ((3, 4), (), (50,), (0, 2))]


def test_by_hand():
    params = with_gradients(np.array([3.0]), np.array([[4.0]]))
    assert clip_grad_norm_(params, max_norm=2.5).item() == 5.0
    assert [param.grad.item() for param in params] == pytest.approx([1.5, 2.0], rel=1e-6)  # 1e-6 / 5 is added on purpose
    assert params[0].grad.item() == 3.0 * (2.5 / (5.0 + 1e-6))


def test_small_gradients_are_not_touched():
    params = with_gradients(np.array([3.0, 4.0], np.float32))
    before = params[0].grad.array.tobytes()
    assert clip_grad_norm_(params, max_norm=6.0).item() == 5.0
    assert params[0].grad.array.tobytes() == before
    assert clip_grad_norm_(params[0], max_norm=6.0).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 0.5, math.inf])
def test_norms_and_scaled_gradients_are_torchs(dtype, p):
    arrays = random_arrays(dtype)
    if p == math.inf:
        arrays = arrays[:3]  # torch knows no largest element of nothing
    params, others = with_gradients(*arrays), [torch.tensor(np.zeros_like(array)) for array in arrays]
    for other, array in zip(others, arrays):
        other.grad = torch.tensor(array)
    got = clip_grad_norm_(params, 0.75, norm_type=p)
    want = torch.nn.utils.clip_grad_norm_(others, 0.75, norm_type=p, foreach=False)
    flat = np.concatenate([array.ravel() for array in arrays]).astype(np.float64)
    exact = abs(flat).max() if p == math.inf else math.fsum(abs(flat) ** p) ** (1 / p)
    # float64: a power of each term, a sum of 63, a root, 1 / p of the sum's relative error; then one rounding to dtype
    share = 1 / min(p, 1) if p != math.inf else 1
    bound = exact * (share * gamma(80, np.float64) + unit_roundoff(dtype))
    assert abs(got.item() - exact) <= bound
    assert got.dtype == dtype
    # torch sums in the dtype, in the worst case with as many roundings as terms, twice (norms, norm of norms)
    slack = share * gamma(2 * 80, dtype)
    assert abs(want.item() - exact) <= exact * slack
    for param, other, array in zip(params, others, arrays):
        assert_within(param.grad.array, other.grad.numpy(), 2 * slack * abs(array.astype(np.float64)), "scaled gradient")


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 0.5, math.inf])
def test_norms_and_cut_values_are_those_of_the_loops(p):
    given = random_arrays(np.float32)
    params = with_gradients(*given)
    exact = reference.norm(given, p)
    assert clip_grad_norm_(params, 0.75, norm_type=p).item() == pytest.approx(exact, rel=2e-7)
    for param, array in zip(params, given):
        reference.scale(array, 0.75 / (exact + 1e-6))
        np.testing.assert_allclose(param.grad.array, array, rtol=2e-7, atol=0)
    clip_grad_value_(params, 0.05)
    for param, array in zip(params, given):
        reference.limit(array, 0.05)
        np.testing.assert_allclose(param.grad.array, array, rtol=2e-7, atol=0)


def test_no_gradients_at_all():
    x = rawseg.zeros(2, requires_grad=True)
    assert clip_grad_norm_([x], 1.0).item() == 0.0
    assert clip_grad_norm_([], 1.0).item() == 0.0
    assert clip_grad_norm_([], 1.0, norm_type=math.inf).item() == 0.0
    clip_grad_value_([x], 1.0)
    assert x.grad is None


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_norm_that_is_not_finite(bad):
    params = with_gradients(np.array([1.0, bad]), np.array([2.0]))
    before = [param.grad.array.tobytes() for param in params]
    with pytest.raises(DataError, match="clip_grad_norm_: parameters: expected gradients with a finite norm, got"):
        clip_grad_norm_(params, 1.0, error_if_nonfinite=True)
    assert [param.grad.array.tobytes() for param in params] == before
    others = [torch.zeros(2, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)]
    for other, param in zip(others, params):
        other.grad = torch.tensor(param.grad.array.copy())
    torch.nn.utils.clip_grad_norm_(others, 1.0)
    clip_grad_norm_(params, 1.0)
    for other, param in zip(others, params):
        np.testing.assert_array_equal(param.grad.array, other.grad.numpy())


def test_values_are_cut_and_nan_stays():
    params = with_gradients(np.array([-3.0, 0.5, np.nan, np.inf], np.float32))
    clip_grad_value_(params, 1.0)
    np.testing.assert_array_equal(params[0].grad.array, np.array([-1.0, 0.5, np.nan, 1.0], np.float32))
    clip_grad_value_(params[0], np.float64(0.25))
    assert params[0].grad.dtype == np.float32


def test_clipping_counts_as_a_change_in_place():
    (param,) = with_gradients(np.array([3.0, 4.0]))
    version = param.grad._version[0]
    clip_grad_norm_([param], 1.0)
    clip_grad_value_([param], 0.1)
    assert param.grad._version[0] == version + 2


def test_arguments_outside_their_domain():
    params = with_gradients(np.array([1.0]))
    with pytest.raises(ArgumentError, match="clip_grad_norm_: max_norm: expected a number"):
        clip_grad_norm_(params, -1.0)
    with pytest.raises(ArgumentError, match="clip_grad_norm_: norm_type: expected a number above 0, or inf, got 0"):
        clip_grad_norm_(params, 1.0, norm_type=0)
    with pytest.raises(ArgumentError, match="clip_grad_value_: clip_value: expected a number"):
        clip_grad_value_(params, math.nan)


def test_all_finite_looks_everywhere(monkeypatch):
    monkeypatch.setattr("rawseg.optim.blocks.BLOCK", 4)
    for at in range(10):
        array = np.zeros(10, np.float32)
        assert all_finite(array)
        array[at] = np.nan if at % 2 else -np.inf
        assert not all_finite(array)
    assert all_finite(np.zeros((0, 3)))
    assert all_finite(np.array(3))


def test_a_gradient_that_cannot_be_written_is_refused_before_any_is_scaled():
    a, b = (rawseg.ones(2, requires_grad=True) for _ in range(2))
    a.grad = rawseg.full((2,), 5.0)
    locked = np.full(2, 5.0, np.float32)
    locked.flags.writeable = False
    b.grad = rawseg.Tensor(locked)
    for clip in (lambda: clip_grad_norm_([a, b], 1.0), lambda: clip_grad_value_([a, b], 1.0)):
        with pytest.raises(ArgumentError, match="expected gradients that can be written to, got a read-only one at 1"):
            clip()
    assert a.grad.tolist() == [5.0, 5.0]
