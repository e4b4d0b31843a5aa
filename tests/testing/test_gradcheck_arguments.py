"""What gradcheck refuses before it checks anything."""

from __future__ import annotations

from inspect import signature

import numpy as np
import pytest
import torch
from testing.products import SEED, W, X, product, product_backward

import rawseg
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, GraphError
from rawseg.testing import examine, gradcheck, gradgradcheck

REFUSED = [
    (ArgumentError, r"gradcheck: kinks: expected one of \('refuse', 'subgradient'\), got 'ignore'", {"kinks": "ignore"}),
    (ArgumentError, r"gradcheck: order: expected 1 or 2, got 3", {"order": 3}),
    (ArgumentError, r"gradcheck: step: expected a number between 0 and 1, got -0.1", {"step": -0.1}),
    (ArgumentError, r"gradcheck: wanted: expected 2 flags, one for each input, got 1", {"wanted": [True]}),
    (GraphError, r"gradcheck: inputs: expected at least one Tensor with requires_grad=True, .*", {"wanted": [False, False]}),
]


@pytest.mark.parametrize(("error", "message", "how"), REFUSED)
def test_arguments_that_are_refused(error, message, how):
    with pytest.raises(error, match=message):
        examine(product, X, W, backward=product_backward, **how)


def test_inputs_that_are_refused():
    with pytest.raises(GraphError, match="at least one Tensor"):
        gradcheck(product, rawseg.tensor(X), rawseg.tensor(W))
    with pytest.raises(GraphError, match="at least one Tensor"):
        gradcheck(product, np.arange(3), np.arange(3), backward=product_backward)
    with pytest.raises(DTypeError, match=r"gradcheck: inputs\[1\]: expected float64 or float32, got float16"):
        gradcheck(product, X, W.astype(np.float16), backward=product_backward)
    with pytest.raises(DTypeError, match=r"gradcheck: inputs\[0\]: expected float64 or float32, got torch.bfloat16"):
        gradcheck(product, torch.tensor(X, dtype=torch.bfloat16, requires_grad=True), W)
    with pytest.raises(DTypeError, match=r"gradcheck: inputs\[1\]: expected float64 or float32, got None"):
        gradcheck(product, X, None, backward=product_backward, wanted=[True, True])
    with pytest.raises(ArgumentTypeError, match=r"gradcheck: inputs\[1\]: expected a Tensor, an array or None; .*, got list"):
        gradcheck(product, X, SEED, backward=product_backward)
    with pytest.raises(ArgumentError, match="adapt: backward: expected None: rawseg finds gradients itself"):
        gradcheck(product, *(rawseg.tensor(a, requires_grad=True) for a in (X, W)), backward=product_backward)
    with pytest.raises(ArgumentError, match="product: backward: expected a function that returns the gradients"):
        gradcheck(product, X, W)


def test_a_tuple_of_inputs_as_pytorch_takes_it():
    assert gradcheck(product, (X, W), backward=product_backward)
    assert gradcheck(product, tuple(torch.tensor(a, requires_grad=True) for a in (X, W)))
    assert gradgradcheck(product, tuple(rawseg.tensor(a, requires_grad=True) for a in (X, W)))


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_keywords_that_are_none(check):
    for name in ("eps", "atol", "rtol"):
        with pytest.raises(ArgumentTypeError, match=rf"{check.__name__}: {name}: expected nothing, as no tolerance .* step= "):
            check(product, X, W, **{name: 1e-6})
    with pytest.raises(ArgumentTypeError, match=rf"{check.__name__}: order: expected nothing: gradcheck is of order 1"):
        check(product, X, W, order=2)
    with pytest.raises(ArgumentTypeError, match=r"speed: expected no argument but backward, options, .*, got 3"):
        check(product, X, W, speed=3)
    named = list(signature(check).parameters)
    assert named[:-1] == ["function", "inputs", "backward", "options", "wanted", "step", "seed", "kinks", "raise_exception"]


def test_numbers_among_the_inputs_go_by_keyword():
    with pytest.raises(ArgumentTypeError, match=r"inputs\[2\]: .* goes by keyword: options=\{'power': ...\}, got int"):
        gradcheck(product, X, W, 3, backward=product_backward)
    assert gradcheck(product, X, W, options={"power": 3}, backward=product_backward)
