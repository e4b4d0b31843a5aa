"""Class ids as rows of zeros with a one: as PyTorch, and its errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import given
from hypothesis import strategies as st

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError


@pytest.mark.spec("one_hot.rule")
def test_by_hand():
    out = F.one_hot(rawseg.tensor([[1, 0], [2, 1]]), 3)
    assert out.tolist() == [[[0, 1, 0], [1, 0, 0]], [[0, 0, 1], [0, 1, 0]]]
    assert out.dtype == np.int64


@pytest.mark.proves("one_hot", "torch")
@given(st.integers(0, 1000), st.lists(st.integers(0, 3), max_size=3), st.sampled_from([-1, 5]))
def test_as_torch(seed, shape, classes):
    ids = np.asarray(np.random.default_rng(seed).integers(0, 5, shape))
    if not ids.size and classes == -1:
        classes = 5
    want = TF.one_hot(torch.tensor(ids), classes).numpy()
    got = F.one_hot(ids, classes).numpy()
    assert got.shape == want.shape
    assert np.array_equal(got, want)


@pytest.mark.spec("one_hot.rule")
@pytest.mark.proves("one_hot", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.one_hot(np.array([0, 3]), 3), IndexRangeError, r"one_hot: tensor: expected class ids 0..2, got 3 at \(1,\)"),
        (lambda: F.one_hot(np.array([-1])), IndexRangeError, r"one_hot: tensor: expected class ids 0..0, got -1 at \(0,\)"),
        (lambda: F.one_hot(np.array([0.0])), DTypeError, "one_hot: tensor: expected int64 class ids, got float64"),
        (lambda: F.one_hot(np.array([0], np.int32)), DTypeError, "one_hot: tensor: expected int64 class ids, got int32"),
        (
            lambda: F.one_hot(np.zeros(0, np.int64)),
            ArgumentError,
            r"num_classes: expected at least 1 \(or -1 and at least one id",
        ),
        (lambda: F.one_hot(np.array([0]), 0), ArgumentError, "num_classes: expected at least 1"),
        (lambda: F.one_hot(np.array([0]), -2), ArgumentError, "num_classes: expected at least -1, got -2"),
        (lambda: F.one_hot(np.array([0]), 2.0), ArgumentTypeError, "num_classes: expected an int, got 2.0"),
        (lambda: F.one_hot(np.zeros(0, np.int64), 2**70), MemoryError, "one_hot: out: expected at most .* bytes for shape"),
        (lambda: F.one_hot(np.array([2**40])), MemoryError, "one_hot: out: expected at most .* bytes for shape"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()
