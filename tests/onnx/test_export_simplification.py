"""A program in fewer steps computes what it computed: what looks like one operator of ONNX, and what looks idle."""

from __future__ import annotations

import numpy as np
import pytest
from exported_networks import IMAGE, Applied, run

import rawseg
from rawseg import functional as F
from rawseg import nn, onnx, ops
from rawseg.onnx.exporting.plain import state_of
from rawseg.onnx.exporting.recording import record
from rawseg.onnx.exporting.simplification import simplified

X = rawseg.tensor(np.random.default_rng(0).random((2, 3, 8, 8), np.float32))
WEIGHT = rawseg.tensor(np.arange(32, dtype=np.float32).reshape(4, 8))
BOXES = np.array([[1, 1, 5, 6]], np.float32)


def test_steps_that_onnx_has_one_operator_for_are_one():
    model = nn.Sequential(nn.Linear(8, 4), nn.Identity())
    program = record(model, lambda x: model(x[:, 0, 0]).mean(1), state_of(model), [X])[0]
    assert [step.name for step in simplified(program).steps] == ["GetItem", "linear", "mean"]


def test_a_product_that_others_read_stays():
    weight, bias = (rawseg.tensor(np.ones(shape, np.float32)) for shape in ((4, 8), (4,)))

    def function(x):
        product = F.linear(x[:, 0, 0], weight)
        return product + bias, product

    program = record(Applied(function), function, {}, [X])[0]
    assert [step.name for step in simplified(program).steps] == ["GetItem", "linear", "Add"]


def test_a_sum_that_others_read_stays():
    def function(x):
        total = x.sum((2, 3))
        return total / 64, total

    program = record(Applied(function), function, {}, [X])[0]
    assert [step.name for step in simplified(program).steps] == ["Sum", "Div"]


def test_a_sum_over_another_count_is_no_mean():
    program = record(Applied(F.relu), lambda x: x.sum((2, 3)) / 63, {}, [X])[0]
    assert [step.name for step in simplified(program).steps] == ["Sum", "Div"]


def assert_exported(function, *arrays) -> list[str]:
    """Check that ONNX Runtime gives, in the first digits, what a function gives, and return the operators of its file."""
    file = onnx.export(Applied(function), arrays, other_x=arrays)
    wanted = function(*map(rawseg.tensor, arrays))
    for ours, theirs in zip(wanted if isinstance(wanted, tuple) else (wanted,), run(file, *arrays), strict=True):
        assert theirs.shape == ours.shape
        # sums of up to 128 terms in another order; a step too few shows in the first digit
        np.testing.assert_allclose(theirs, ours.numpy(), rtol=1e-5)
    return [node.op_type for node in file.graph.node]


def test_a_product_whose_addend_has_more_axes_is_no_layer():
    assert "Gemm" in assert_exported(lambda x: F.linear(x[:, 0, 0], WEIGHT) + rawseg.ones(3, 1, 4), IMAGE)


def test_a_sum_of_two_biases_has_both():
    assert assert_exported(lambda x: F.linear(x[:, 0, 0], WEIGHT) + rawseg.ones(4) + rawseg.ones(4), IMAGE)[-2:] == [
        "Gemm",
        "Add",
    ]


@pytest.mark.parametrize("count", [[128.0], [128.0, 128.0], [[128.0]]])
def test_a_sum_over_counts_with_axes_is_no_mean(count):
    assert assert_exported(lambda x: x.sum() / rawseg.tensor(count), IMAGE) == ["ReduceSum", "Div"]


def test_a_square_that_is_turned_is_not_left_as_it_was():
    assert assert_exported(lambda x: x.transpose(2, 3), IMAGE) == ["Transpose"]
    assert assert_exported(lambda x: x.permute(0, 1, 2, 3) * 2, IMAGE) == ["Mul"]


def test_an_idle_step_may_be_the_last():
    assert assert_exported(lambda x: (x * 2).clone(), IMAGE) == ["Mul"]
    assert assert_exported(lambda x: (x * 2).reshape(x.shape), IMAGE) == ["Mul"]


def test_an_idle_step_may_be_among_the_arguments_of_another():
    assert assert_exported(lambda x, boxes: ops.roi_align(x, [boxes.clone(), boxes.clone()], 2, 1.0, 2), IMAGE, BOXES)


def test_constants_of_equal_bytes_and_another_dtype_are_two():
    """A 0 of float32 and one of int32 are four equal bytes."""
    assert_exported(lambda x: (x + 0.0, (x * 9).astype(np.int32) + 0), IMAGE)


def test_constants_are_kept_as_they_were_when_they_were_read():
    def changing(x):
        places, addend = np.array([0, 1]), rawseg.ones(8)
        first = x[:, :, places] + addend
        places += 4
        addend += 1.0
        return first, x[:, :, places] + addend

    assert_exported(changing, IMAGE)
