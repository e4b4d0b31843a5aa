"""Gradients through every operator that has one, against finite differences in float64; second ones of what is new here."""

from __future__ import annotations

import numpy as np
import pytest
from one_node import ints, node

import rawseg
from rawseg.autograd import Tensor
from rawseg.onnx.operators import compute
from rawseg.testing import gradcheck, gradgradcheck

BOOLS = np.array([[True, False, True], [False, False, True]])


def spread(shape, low, high):
    """Return distinct numbers evenly spread between two, shuffled: no ties, and kinks only where they are put."""
    count = int(np.prod(shape))
    return np.random.default_rng(count).permutation(np.linspace(low, high, count)).reshape(shape)


X, Y, ROW = spread((2, 3), -1.93, 2.11), spread((2, 3), 0.61, 1.72), spread((3,), 0.74, 1.87)
INSIDE, ABOVE = spread((2, 3), -0.9, 0.8), spread((2, 3), 1.2, 3)
# operator, inputs (floating ones are checked), attributes
CASES = [
    *[(op, (X, ROW), {}) for op in ("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean")],
    ("Pow", (Y, ROW), {}),
    ("Pow", (X, ints(3)), {}),
    ("Mod", (X, ROW), {"version": 28}),
    ("Mod", (X, ROW), {"fmod": 1}),
    *[(op, (X,), {}) for op in ("Neg", "Abs", "Exp", "Sin", "Cos", "Sinh", "Cosh", "Tanh", "Asinh", "Atan", "Erf", "Identity")],
    *[(op, (INSIDE,), {}) for op in ("Tan", "Asin", "Acos", "Atanh")],
    *[(op, (Y,), {}) for op in ("Sqrt", "Log", "Reciprocal")],
    ("Acosh", (ABOVE,), {}),
    *[
        (op, (X,), {})
        for op in ("Relu", "LeakyRelu", "Elu", "Celu", "Selu", "Sigmoid", "Softplus", "Softsign", "HardSwish", "Mish")
    ],
    ("Gelu", (X,), {}),
    ("Gelu", (X,), {"approximate": "tanh"}),
    ("HardSigmoid", (X,), {"alpha": 0.3}),
    ("ThresholdedRelu", (X,), {"alpha": 0.35}),
    ("Shrink", (X,), {"lambd": 0.5, "bias": 0.2}),
    ("Swish", (X,), {"alpha": 1.5, "version": 24}),
    ("SwiGLU", (X, Y), {"version": 28}),
    ("PRelu", (X, ROW), {}),
    ("Clip", (X,), {"min": -1.0, "max": 1.0, "version": 6}),
    ("Clip", (X, np.array(-1.0), np.array(1.0)), {}),
    ("Clip", (X, None, np.array(1.0)), {}),
    ("Where", (BOOLS, X, ROW), {}),
    ("Cast", (X,), {"to": 11}),
    ("Reshape", (X, ints(3, -1)), {}),
    ("Flatten", (X,), {}),
    ("Transpose", (X,), {"perm": (1, 0)}),
    ("Squeeze", (X[:, None], ints(1)), {}),
    ("Unsqueeze", (X, ints(0, -1)), {}),
    ("Expand", (X[:, None], ints(2, 4, 1)), {}),
    ("Tile", (X, ints(2, 3)), {}),
    ("Trilu", (X,), {"upper": 0}),
    ("Concat", (X, Y, X), {"axis": 1}),
    ("Split", (X, ints(1, 2)), {"axis": 1, "outputs": 2}),
    ("Slice", (X, ints(-1, 2), ints(-9, 0), ints(0, 1), ints(-1, -1)), {}),
    ("Gather", (X, ints(0, 2, 2, -1).reshape(2, 2)), {"axis": 1}),
    ("GatherElements", (X, ints(0, 2, 2, 1).reshape(2, 2)), {"axis": 1}),
    ("GatherND", (X, ints(0, 2, 2).reshape(3, 1) % 2), {}),
    ("GatherND", (X, ints(0, 2).reshape(2, 1)), {"batch_dims": 1}),
    *[
        ("ScatterElements", (X, ints(0, 0, 2, 0, 0, 0).reshape(2, 3), Y), {"axis": 1, "reduction": how})
        for how in ("none", "add", "mul", "max", "min")
    ],
    *[
        ("ScatterND", (X, ints(1, 1, 1).reshape(3, 1), spread((3, 3), -1, 2)), {"reduction": how})
        for how in ("none", "add", "mul")
    ],
    ("Compress", (X, np.array([True, False, True])), {"axis": 1}),
    ("OneHot", (ints(0, 2, -1), ints(3), spread((2,), 0.3, 1)), {}),
    ("TopK", (X, ints(2)), {"outputs": 2}),
    ("TopK", (X, ints(1)), {"outputs": 2, "largest": 0, "axis": 0}),
    ("Unique", (X,), {"outputs": 4}),
    ("ReverseSequence", (X, ints(2, 1, 0)), {}),
    ("CumSum", (X, np.array(1)), {"exclusive": 1, "reverse": 1}),
    ("CumProd", (X, np.array(1)), {"version": 26}),
    ("CumProd", (X * (abs(X) < 1.5), np.array(0)), {"version": 26, "exclusive": 1}),
    *[(f"Reduce{op}", (X, ints(1)), {}) for op in ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSumExp", "SumSquare")],
    ("ReduceProd", (np.array([[2.0, 0, 3], [0, 0, 1]]), ints(1)), {}),
    ("ReduceLogSum", (Y, ints(0)), {"keepdims": 0}),
    ("SoftmaxCrossEntropyLoss", (X, ints(0, 2), ROW), {"outputs": 2, "wanted": (0,)}),
    ("NegativeLogLikelihoodLoss", (X, ints(0, 2), ROW), {"wanted": (0,)}),
]


def differentiable(op, inputs, version=21, outputs=1, wanted=None, **attributes):
    """Return a function of the floating inputs, and those as Tensors that require gradients."""
    slots = [i for i, x in enumerate(inputs) if x is not None and x.dtype == np.float64]
    slots = slots if wanted is None else list(wanted)
    missing = tuple(i for i, x in enumerate(inputs) if x is None)
    made = node(op, len(inputs), outputs, version, missing, **attributes)

    def function(*given):
        tensors = [None if x is None else Tensor(x) for x in inputs]
        for slot, tensor in zip(slots, given):
            tensors[slot] = tensor
        floating = [out for out in compute(made, *tensors) if out.dtype.kind == "f"]
        return floating[0] if len(floating) == 1 else tuple(floating)

    return function, [rawseg.tensor(inputs[slot], requires_grad=True) for slot in slots]


def named(case):
    op, _, attributes = case
    return "-".join([op, *(f"{key}={value}" for key, value in attributes.items() if key not in ("outputs", "wanted"))])


@pytest.mark.parametrize("case", CASES, ids=named)
def test_first_derivative(case):
    op, inputs, attributes = case
    function, tensors = differentiable(op, inputs, **attributes)
    assert tensors
    assert gradcheck(function, *tensors)


SECOND = {
    "Tan",
    "Asin",
    "Acos",
    "Atan",
    "Sinh",
    "Cosh",
    "Asinh",
    "Acosh",
    "Atanh",
    "Erf",
    "PRelu",
    "CumProd",
    "ReduceProd",
    "ScatterElements",
}


@pytest.mark.parametrize("case", [case for case in CASES if case[0] in SECOND], ids=named)
def test_second_derivative(case):
    op, inputs, attributes = case
    function, tensors = differentiable(op, inputs, **attributes)
    assert gradgradcheck(function, *tensors)


def slope(op, x, *others, **attributes):
    """Return the derivative of the sum of a node's output at numbers."""
    tensor = rawseg.tensor(np.array(x), requires_grad=True)
    made = node(op, 1 + len(others), version=attributes.pop("version", 21), **attributes)
    compute(made, tensor, *map(Tensor, others))[0].sum().backward()
    return tensor.grad.tolist()


def test_slopes_at_kinks():
    """As PyTorch has them: relu6 0 at both bounds, prelu its slope at 0, a norm of zeros 0."""
    assert slope("Clip", [0.0, 3.0, 6.0], np.array(0.0), np.array(6.0)) == [0, 1, 0]
    assert slope("Clip", [0.0, 3.0], version=6, min=0.0) == [0, 1]
    assert slope("Relu", [0.0, 3.0]) == [0, 1]
    assert slope("PRelu", [0.0, 1.0], np.array([0.25])) == [0.25, 1]
    assert slope("ReduceL2", [0.0, 0.0]) == [0, 0]
    assert slope("ReduceMax", [1.0, 1.0]) == [0.5, 0.5]


def test_no_nan_from_what_was_not_chosen():
    """The slope of an unchosen branch is 0, not 0 times inf."""
    x = rawseg.tensor(np.array([np.inf, -1.0]), requires_grad=True)
    weight = rawseg.tensor(np.array([0.5]), requires_grad=True)
    compute(node("PRelu", 2), x, weight)[0].sum().backward()
    assert weight.grad.tolist() == [-1]
    assert x.grad.tolist() == [1, 0.5]


def test_the_gradient_of_a_cast_is_cast_back():
    x = rawseg.tensor(np.array([1.0, 2.0]), requires_grad=True)
    for to in (1, 10):
        (out,) = compute(node("Cast", 1, to=to), x)
        out.sum().backward()
    assert (x.grad.dtype, x.grad.tolist()) == (np.float64, [2, 2])
    (whole,) = compute(node("Cast", 1, to=7), x)
    assert not whole.requires_grad
