"""Reductions and losses: NumPy and PyTorch as oracles, empty sets, and axes as attributes and as inputs."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from one_node import floats, ints, run, same

ORACLES = {
    "ReduceSum": lambda x, **over: x.sum(**over, dtype=x.dtype),
    "ReduceProd": lambda x, **over: x.prod(**over, dtype=x.dtype),
    "ReduceL1": lambda x, **over: abs(x).sum(**over, dtype=x.dtype),
    "ReduceSumSquare": lambda x, **over: (x * x).sum(**over, dtype=x.dtype),
    "ReduceMax": lambda x, **over: x.max(**over, initial=least(x.dtype)),
    "ReduceMin": lambda x, **over: x.min(**over, initial=-least(x.dtype) - (x.dtype.kind == "i")),
    "ReduceL2": lambda x, **over: np.sqrt((x * x).sum(**over)),
    "ReduceLogSum": lambda x, **over: np.log(x.sum(**over)),
    "ReduceLogSumExp": lambda x, **over: np.log(np.exp(x.astype("f8")).sum(**over)),
    "ReduceMean": lambda x, **over: x.mean(**over),
}
ROUNDED = {"ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMean"}  # the others are exact on small whole numbers


def least(dtype):
    return -np.inf if dtype.kind == "f" else int(np.iinfo(dtype).min)


def drawn(data, shape, dtype):
    count = int(np.prod(shape, dtype=int))
    return np.array(data.draw(st.lists(st.integers(-3, 4), min_size=count, max_size=count)), dtype).reshape(shape)


@pytest.mark.parametrize("op", ORACLES)
@given(st.lists(st.integers(0, 3), max_size=4), st.sampled_from(["f4", "f8", "i4", "i8"]), st.booleans(), st.data())
def test_reductions_are_numpys(op, shape, dtype, kept, data):
    dtype = dtype.replace("i", "f") if op in ROUNDED else dtype
    axes = data.draw(st.permutations(range(len(shape))).flatmap(lambda order: st.integers(0, 4).map(lambda n: order[:n])))
    x = drawn(data, shape, dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of NumPy, about means of nothing and logarithms of what is negative
        want = np.asarray(ORACLES[op](x, axis=tuple(axes) or None, keepdims=kept))
    named = [axis - x.ndim if i % 2 else axis for i, axis in enumerate(axes)]
    for got in (
        run(op, x, ints(*named) if named else None, keepdims=int(kept)),
        run(op, x, version=11, keepdims=int(kept), **({"axes": tuple(named)} if named else {})),
    ):
        assert (got.dtype, got.shape) == (x.dtype, want.shape)
        # of small whole numbers exact; else a rounding for each of at most 81 elements, and a few more
        roundings = 100 * np.finfo(dtype).eps if op in ROUNDED else 0
        np.testing.assert_allclose(got, want, rtol=roundings, atol=roundings)


def test_empty_sets_have_the_values_of_the_text():
    x = np.zeros((2, 0), np.float32)
    wants = {"Sum": 0, "Prod": 1, "L1": 0, "L2": 0, "SumSquare": 0, "Max": -np.inf, "Min": np.inf, "LogSum": -np.inf}
    for name, want in (wants | {"LogSumExp": -np.inf, "Mean": np.nan}).items():
        assert same(run(f"Reduce{name}", x, ints(1), keepdims=0), floats(want, want)), name
    none = np.zeros(0, np.uint8)
    assert (run("ReduceMax", none).tolist(), run("ReduceMin", none).tolist()) == ([0], [255])
    assert (run("ReduceMax", none.astype(bool)).tolist(), run("ReduceMin", none.astype(bool)).tolist()) == ([False], [True])


@pytest.mark.parametrize("op", ORACLES)
def test_no_element_is_left_out_of_any_number_of_them(op):
    for count in range(1, 10):
        x = np.stack([np.arange(1, count + 1), np.arange(count, 0, -1) * 0.5])
        want = ORACLES[op](x, axis=1, keepdims=True)
        np.testing.assert_allclose(run(op, x, ints(-1)), want, rtol=1e-14)  # float64, a few roundings


def test_no_axes_mean_all_or_none():
    x = floats(-3, 4).reshape(2, 1)
    for empty in (None, ints()):
        assert same(run("ReduceSum", x, empty), floats(1).reshape(1, 1))
        assert same(run("ReduceSum", x, empty, noop_with_empty_axes=1), x)
        assert same(run("ReduceL2", x, empty, noop_with_empty_axes=1), abs(x))  # what stands around the sum stays
        assert same(run("ReduceSumSquare", x, empty, noop_with_empty_axes=1), x * x)


def test_bools_integers_and_halves():
    x = np.array([[True, False], [True, True]])
    assert run("ReduceMin", x, ints(1), keepdims=0).tolist() == [False, True]
    assert run("ReduceMean", ints(-7, 0)).tolist() == [-3]  # towards 0
    assert run("ReduceMean", ints(2**60, 2**60 + 2), keepdims=0).tolist() == 2**60 + 1  # beyond what float64 holds
    assert run("ReduceSum", np.full(3, 2**31 - 1, np.int32), keepdims=0).tolist() == 2**31 - 3  # wraps around
    assert same(run("ReduceL2", ints(-2, 3), keepdims=0), np.int64(3))
    assert same(run("ReduceLogSum", ints(1, 30), version=18, keepdims=0), np.int64(3))
    assert same(run("ReduceLogSumExp", ints(700, 800), version=18, keepdims=0), np.int64(800))
    half = np.full(4096, 30, np.float16)  # whose sum no half can hold
    assert same(run("ReduceMean", half), np.array([30], np.float16))


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@given(
    st.sampled_from([(), (3,), (2, 2)]), st.integers(0, 3), st.booleans(), st.none() | st.integers(-1, 2), st.integers(0, 99)
)
def test_losses_are_pytorchs(reduction, inner, batch, weighted, ignored, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(batch, 3, *inner)).astype(np.float32)
    labels = rng.integers(0, 3, (batch, *inner)).astype(np.int32 if seed % 2 else np.int64)
    if ignored is not None:
        labels[rng.random(labels.shape) < 0.3] = ignored
    weights = rng.random(3).astype(np.float32) if weighted else None
    attributes = {"reduction": reduction} | ({} if ignored is None else {"ignore_index": ignored})
    targets = torch.tensor(labels).long(), None if weights is None else torch.tensor(weights)
    options = {"reduction": reduction, "ignore_index": -100 if ignored is None else ignored}
    loss, logs = run("SoftmaxCrossEntropyLoss", scores, labels, weights, outputs=2, **attributes)
    plain = run("NegativeLogLikelihoodLoss", scores, labels, weights, **attributes)
    tolerance = {"rtol": 1e-5, "atol": 1e-6}  # float32 sums of up to twelve terms; PyTorch's own are in float32
    np.testing.assert_allclose(loss, TF.cross_entropy(torch.tensor(scores), *targets, **options), **tolerance)
    np.testing.assert_allclose(logs, TF.log_softmax(torch.tensor(scores), 1), **tolerance)
    np.testing.assert_allclose(plain, TF.nll_loss(torch.tensor(scores), *targets, **options), **tolerance)


def test_a_loss_of_halves_is_rounded_once():
    scores = np.array([[0, 12]], np.float16)
    assert same(run("SoftmaxCrossEntropyLoss", scores, ints(0)), np.float16(math.log1p(math.exp(-12)) + 12))
