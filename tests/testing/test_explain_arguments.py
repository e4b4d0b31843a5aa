"""What `explain` takes for inputs and results, and what it says of those that do not fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rawseg
from rawseg.errors import ArgumentError, ShapeError
from rawseg.testing import explain

X = np.array([[-1.0, 2.0, 3.0]])


def test_lists_of_numbers_are_arrays():
    assert explain("relu", [[-1.0, 2.0]], [0.0, 2.0]).ratio == 0
    assert explain("relu", [[-1.0]], [0.0]).ratio == 0
    assert explain("relu", {"input": [[-1.0, 2.0]]}, ((0.0, 2.0),)).ratio == 0
    assert explain("mse_loss", [[1.0, 2.0], [1.0, 4.0]], 2.0).ratio == 0
    assert explain("relu", [X], [np.maximum(X, 0)]).ratio == 0


@pytest.mark.parametrize(
    "tensor", [lambda a: torch.tensor(a, requires_grad=True), lambda a: rawseg.tensor(a, requires_grad=True)]
)
def test_tensors_that_record_a_graph(tensor):
    x = tensor(X)
    got = torch.relu(x) if isinstance(x, torch.Tensor) else rawseg.functional.relu(x)
    assert explain("relu", [x], got).ratio == 0
    assert got.requires_grad


def test_optional_arrays_may_be_left_out_go_by_name_or_be_options():
    x, weight, bias = (np.random.default_rng(i).integers(-3, 4, s).astype(float) for i, s in enumerate([(2, 3), (4, 3), (4,)]))
    plain, shifted = x @ weight.T, x @ weight.T + bias
    assert explain("linear", [x, weight], plain).is_rounding
    assert explain("linear", [x, weight, None], plain).is_rounding
    assert explain("linear", [x, weight, bias], shifted).is_rounding
    assert explain("linear", {"bias": bias, "weight": weight, "input": x}, shifted).is_rounding
    assert explain("linear", [x], shifted, weight=weight, bias=bias).is_rounding
    assert not explain("linear", [x, weight], shifted, bias=-bias).is_rounding


WEIGHT = np.ones((2, 1, 1, 1))
IMAGE = np.ones((1, 1, 2, 2))
WRONG = [
    ("an input too many", "relu", [X, X], {}, "inputs: expected 1 arrays at most (input), got 2"),
    ("an option in an array's place", "conv2d", [IMAGE, WEIGHT, None, 2], {}, "3 arrays at most (input, weight, bias), got 4"),
    ("an input missing", "conv2d", [IMAGE], {}, "takes, got a call with missing a required argument: 'weight'"),
    ("none at all", "relu", [], {}, "takes, got a call with missing a required argument: 'input'"),
    ("a misspelt one", "relu", {"inpt": X}, {}, "inputs: expected arrays named input, got 'inpt'"),
    ("an option among them", "conv2d", {"input": IMAGE, "stride": 1}, {}, "arrays named input, weight, bias, got 'stride'"),
    ("a misspelt option", "max_pool2d", [IMAGE], {"kernel": 2}, "takes, got a call with "),
    ("ragged lists", "relu", [[[1.0], [1.0, 2.0]]], {}, "inputs: expected what NumPy makes an array of, got list ("),
]


@pytest.mark.parametrize(("op", "inputs", "options", "message"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_inputs(op, inputs, options, message):
    with pytest.raises(ArgumentError) as caught:
        explain(op, inputs, IMAGE, **options)
    assert caught.value.op == "explain"
    assert caught.value.argument == "inputs"
    assert message in str(caught.value)


def test_wrong_results():
    with pytest.raises(ArgumentError, match="explain: got: expected a sequence of 2 outputs, got ndarray"):
        explain("max_pool2d", [IMAGE], np.ones((1, 1, 1, 1)), kernel_size=2, return_indices=True)
    with pytest.raises(ShapeError, match=r"explain: got: expected shapes \[\(1, 3\)\], got \[\(3, 1\)\]"):
        explain("relu", [X], X.T)
    with pytest.raises(ArgumentError, match="explain: got: expected what NumPy makes an array of, got list"):
        explain("relu", [X], [[1.0], [1.0, 2.0]])


@pytest.mark.parametrize(("name", "like"), [("sofmax", "softmax"), ("conv2", "conv2d"), ("maxpool2d", "max_pool2d")])
def test_a_misspelt_operation_is_told_what_it_is_like(name, like):
    with pytest.raises(
        ArgumentError, match=rf"^explain: op: expected one of the \d+ operations \(.*\b{like}\b.*\?\), got '{name}'"
    ):
        explain(name, [X], X)


def test_an_operation_like_none_is_told_where_they_are():
    with pytest.raises(ArgumentError, match=r"\(public functions of rawseg.functional and rawseg.ops\), got '8'"):
        explain("8", [X], X)
