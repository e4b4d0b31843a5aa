"""What no node may ask for: each message says which input or attribute, what it must be, and what it was."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_node import floats, ints, node, run

from rawseg.autograd import Tensor
from rawseg.errors import ArgumentError, DTypeError, IndexRangeError, RawsegError, ShapeError
from rawseg.onnx.operators import compute

X = np.arange(6, dtype=np.float32).reshape(2, 3)
HUGE = 2**40
# operator, inputs, attributes, error, message
REFUSALS = [
    (
        "Add",
        (floats(1, 2), floats(1, 2, 3)),
        {},
        ShapeError,
        r"Add: inputs: expected shapes that broadcast, got \(2,\) and \(3,\)",
    ),
    ("Add", (floats(1), ints(1)), {}, DTypeError, "input 1: expected float32, the dtype of input 0, got int64"),
    (
        "Add",
        (X, floats(1, 2)),
        {"version": 6, "broadcast": 1, "axis": 2},
        ArgumentError,
        "axis: expected one with 1 axes .* got 2",
    ),
    ("Div", (ints(1), ints(0)), {}, ArgumentError, "Div: B: expected integers other than 0"),
    ("Mod", (ints(1, 2), ints(0, 1)), {}, ArgumentError, "Mod: B: expected integers other than 0"),
    ("Max", (), {}, ArgumentError, "Max: inputs: expected at least one"),
    ("Max", (X, None), {}, ArgumentError, "Max: inputs: expected at least one, and none left out"),
    ("Sin", (ints(1),), {}, DTypeError, "Sin: X: expected floats, got int64"),
    ("Sigmoid", (ints(1),), {}, DTypeError, "Sigmoid: sigmoid: input: expected float32 or float64, got int64"),
    ("Floor", (ints(1),), {}, DTypeError, "Floor: X: expected floats"),
    ("Celu", (X,), {"alpha": 0.0}, ArgumentError, "alpha: expected greater than 0, got 0.0"),
    ("Gelu", (X,), {"approximate": "erf"}, ArgumentError, "approximate: expected one of"),
    ("PRelu", (floats(1), X), {}, ShapeError, r"slope: expected a shape that broadcasts to \(1,\), got \(2, 3\)"),
    ("SwiGLU", (X, floats(1)), {"version": 28}, ShapeError, r"B: expected shape \(2, 3\), that of A"),
    ("Clip", (X, floats(1, 2)), {}, ShapeError, "min: expected one number"),
    ("BitShift", (ints(1), ints(1)), {}, ArgumentError, "direction: expected LEFT or RIGHT, got ''"),
    ("BitwiseAnd", (floats(1), floats(1)), {}, DTypeError, "input 0: expected integers, got float32"),
    ("And", (ints(1), ints(1)), {}, DTypeError, "And: input 0: expected bool, got int64"),
    ("Where", (ints(1), X, X), {}, DTypeError, "input 0: expected bool"),
    ("Where", (np.ones(2, bool), X, X), {}, ShapeError, r"got \(2, 3\) and \(2, 3\) and \(2,\)"),
    ("Cast", (X,), {"to": 8}, ArgumentError, "to: expected bool, an integer or a float dtype of NumPy, got string"),
    ("Cast", (X,), {"to": 16}, ArgumentError, "got bfloat16"),
    ("Cast", (X,), {"to": 99}, ArgumentError, "got type 99"),
    ("Cast", (X,), {}, ArgumentError, "got type None"),
    ("BitCast", (X,), {"to": 11, "version": 26}, ArgumentError, "to: expected a dtype of 4 bytes, as float32 has, got float64"),
    ("Constant", (), {"value_string": "text"}, ArgumentError, "value: expected a dense tensor, or .* got value_string"),
    ("ConstantOfShape", (ints(-1),), {}, ArgumentError, "shape: expected at most 64 sizes, none of them negative"),
    ("ConstantOfShape", (ints(HUGE, HUGE),), {}, ArgumentError, "shape: expected an output of at most .* bytes"),
    ("ConstantOfShape", (ints(0, HUGE, HUGE),), {}, ArgumentError, "shape: expected an output of at most .* bytes"),
    ("ConstantOfShape", (ints(1),), {"value": X}, ArgumentError, "value: expected a tensor of one element"),
    ("Range", (ints(0), ints(9), ints(0)), {}, ArgumentError, "delta: .* other than 0"),
    ("Range", (floats(0), floats(np.inf), floats(1)), {}, ArgumentError, "finite"),
    ("Range", (ints(0), ints(2**62), ints(1)), {}, ArgumentError, "shape: expected an output of at most"),
    ("Range", (ints(0, 1), ints(2), ints(1)), {}, ArgumentError, r"start: expected one number, got shape \(2,\)"),
    ("EyeLike", (floats(1),), {}, ArgumentError, "expected two axes"),
    (
        "Reshape",
        (X, ints(4, -1)),
        {},
        ArgumentError,
        r"shape: expected sizes that hold the elements of \(2, 3\), got \(4, -1\)",
    ),
    ("Reshape", (X, ints(5)), {}, ArgumentError, "expected sizes that hold the elements"),
    ("Reshape", (X, ints(-1, -1)), {}, ArgumentError, "one -1"),
    ("Reshape", (X, ints(-2, 3)), {}, ArgumentError, "sizes of at least 0"),
    ("Reshape", (X, ints(1, 1, 0)), {}, ArgumentError, "zeros that copy one of 2 sizes"),
    ("Reshape", (X, ints(0, -1)), {"allowzero": 1}, ArgumentError, "not beside a size of 0"),
    ("Reshape", (X, floats(2, 3)), {}, ArgumentError, "shape: expected integers along at most one axis, got float32"),
    ("Reshape", (X, ints(2, 3)[None]), {}, ArgumentError, r"got int64 of shape \(1, 2\)"),
    ("Flatten", (X,), {"axis": 3}, ArgumentError, r"axis: expected a place in \[-2, 2\], got 3"),
    ("Transpose", (X,), {"perm": (0, 0)}, ArgumentError, "expected different axes"),
    ("Transpose", (X,), {"perm": (0,)}, ArgumentError, "perm: expected each of 2 axes once"),
    ("Squeeze", (X, ints(1)), {}, ShapeError, "axes: expected axes of size 1"),
    ("Squeeze", (X, ints(2)), {}, ArgumentError, r"axes: expected an axis in \[-2, 1\], got 2"),
    ("Unsqueeze", (X, ints(0, -4)), {}, ArgumentError, "axes: expected different axes"),
    ("Unsqueeze", (X,), {}, ArgumentError, "axes: expected an attribute or an input, got neither"),
    ("Expand", (X, ints(2, 4)), {}, ArgumentError, r"shape: expected one that broadcasts with \(2, 3\), got \(2, 4\)"),
    ("Expand", (X, ints(HUGE, 1, 1)), {}, ArgumentError, "shape: expected an output of at most"),
    ("Expand", (floats(1), ints(-1)), {}, ArgumentError, "none of them negative"),
    ("Tile", (X, ints(1)), {}, ArgumentError, "repeats: expected 2 numbers of at least 0"),
    ("Tile", (X, ints(1, -1)), {}, ArgumentError, "repeats: expected 2 numbers of at least 0"),
    ("Tile", (X, ints(HUGE, HUGE)), {}, ArgumentError, "shape: expected an output of at most"),
    ("Trilu", (floats(1),), {}, ShapeError, "expected at least two axes"),
    ("Concat", (X, ints(1)), {}, DTypeError, "input 1: expected float32"),
    ("Concat", (X, X[:1]), {"axis": 1}, ShapeError, r"tensors\[1\]: expected shape"),
    ("Concat", (X, X), {"axis": 2}, ArgumentError, r"axis: expected an axis in \[-2, 1\], got 2"),
    ("Concat", (np.float32(1), np.float32(1)), {"axis": 0}, ArgumentError, "axis: expected no axis, for there is none"),
    (
        "Split",
        (X, ints(1, 3)),
        {"axis": 1, "outputs": 2},
        ArgumentError,
        "split: expected 2 sizes of at least 0 that add up to 3",
    ),
    ("Split", (X, ints(4, -1)), {"axis": 1, "outputs": 2}, ArgumentError, "split: expected 2 sizes of at least 0"),
    ("Split", (X,), {"axis": 1, "outputs": 2, "version": 13}, ArgumentError, "split: expected 2 equal parts"),
    ("Split", (X,), {"num_outputs": 3, "outputs": 2}, ArgumentError, "num_outputs: expected 2, the number of outputs, got 3"),
    (
        "Split",
        (floats(*range(5)),),
        {"num_outputs": 4, "outputs": 4},
        ArgumentError,
        "4 equal parts of an axis, got 5 elements",
    ),
    ("Slice", (X, ints(0), ints(1), ints(0), ints(0)), {}, ArgumentError, "steps: expected steps other than 0"),
    ("Slice", (X, ints(0, 0), ints(1)), {}, ArgumentError, "starts: expected as many starts as ends, axes and steps"),
    ("Slice", (X, ints(0, 0), ints(1, 1), ints(0, -2)), {}, ArgumentError, "axes: expected different axes"),
    ("Slice", (X, ints(0, 0, 0), ints(1, 1, 1)), {}, ArgumentError, r"axes: expected an axis in \[-2, 1\], got 2"),
    ("Slice", (X,), {"version": 9}, ArgumentError, "starts: expected starts and ends"),
    ("Gather", (X, ints(0, 2)), {}, IndexRangeError, r"Gather: indices: expected numbers in \[-2, 1\], got 2 at \(1,\)"),
    ("Gather", (X, ints(-3)), {}, IndexRangeError, r"got -3 at \(0,\)"),
    ("Gather", (X[:0], ints(0)), {}, IndexRangeError, "expected none, for the axis is empty"),
    ("Gather", (X, floats(0)), {}, DTypeError, "indices: expected integers"),
    ("Gather", (X, ints(0)), {"axis": 2}, ArgumentError, "axis: expected an axis in"),
    ("GatherElements", (X, ints(0)), {}, ShapeError, r"indices: expected at most \(2, 3\), any size along axis 0, got \(1,\)"),
    ("GatherElements", (X, np.zeros((1, 4), int)), {}, ShapeError, r"got \(1, 4\)"),
    ("GatherND", (X, np.zeros((1, 3), int)), {}, ShapeError, "indices: expected 1 to 2 along the last axis"),
    ("GatherND", (X, np.full((1, 2), 2)), {}, IndexRangeError, r"indices: expected numbers in \[-2, 1\], got 2"),
    ("GatherND", (X, np.zeros((1, 1), int)), {"batch_dims": 1}, ShapeError, r"indices: expected \(2,\) as the first sizes"),
    ("GatherND", (X, np.zeros((1, 1), int)), {"batch_dims": 2}, ArgumentError, "batch_dims: expected a number of common axes"),
    (
        "ScatterElements",
        (X, ints(5)[None], floats(1)[None]),
        {},
        IndexRangeError,
        r"expected numbers in \[-2, 1\], got 5 at \(0, 0\)",
    ),
    (
        "ScatterElements",
        (X, ints(0)[None], floats(1)),
        {},
        ShapeError,
        r"updates: expected shape \(1, 1\), that of the indices",
    ),
    ("ScatterElements", (X, ints(0)[None], ints(1)[None]), {}, DTypeError, "input 1: expected float32"),
    (
        "ScatterElements",
        (X, ints(0)[None], X[:1, :1]),
        {"reduction": "sum"},
        ArgumentError,
        "reduction: expected one of none, add",
    ),
    ("ScatterND", (X, ints(0)[None], floats(1)), {}, ShapeError, r"updates: expected shape \(1, 3\), got \(1,\)"),
    ("TopK", (X, ints(4)), {}, ArgumentError, "K: expected at most 3, the elements along axis 1, got 4"),
    ("TopK", (X, ints(-1)), {}, ArgumentError, "K: expected at most 3"),
    ("TopK", (X,), {}, ArgumentError, "K: .* got None"),
    ("ArgMax", (X[:, :0],), {"axis": 1}, ShapeError, "data: expected at least one element along axis 1"),
    ("Compress", (X, np.array([False, False, True])), {"axis": 0}, IndexRangeError, r"expected numbers in \[-2, 1\], got 2"),
    ("Compress", (X, ints(1)), {}, DTypeError, "condition: expected bool"),
    ("OneHot", (ints(1), ints(2**62), floats(0, 1)), {}, ArgumentError, "shape: expected an output of at most"),
    ("OneHot", (ints(1), ints(0), floats(0, 1)), {}, ArgumentError, "depth: expected at least 1, got 0"),
    ("OneHot", (ints(1), ints(2), floats(0)), {}, ShapeError, r"values: expected \(2,\)"),
    ("ReverseSequence", (X, ints(3, 1, 1)), {}, ArgumentError, r"sequence_lens: expected 3 numbers in \[0, 2\]"),
    ("ReverseSequence", (X, ints(1, 1)), {"time_axis": 1}, ArgumentError, "time_axis: expected 0 and 1"),
    ("CumSum", (X, np.array(2)), {}, ArgumentError, "axis: expected an axis in"),
    ("CumSum", (X, floats(1)), {}, ArgumentError, "axis: expected an axis in .* got 1.0"),
    ("ReduceSum", (X, ints(2)), {}, ArgumentError, "axes: expected an axis in"),
    ("ReduceSum", (X, ints(1, -1)), {}, ArgumentError, "axes: expected different axes"),
    ("ReduceMean", (ints(),), {}, ShapeError, "data: expected at least one whole number to average"),
    ("SoftmaxCrossEntropyLoss", (X, ints(0, 3)), {}, IndexRangeError, r"target: expected class ids 0..2, got 3 at \(1,\)"),
    ("SoftmaxCrossEntropyLoss", (X, ints(0, -100)), {}, IndexRangeError, "got -100"),
    ("NegativeLogLikelihoodLoss", (X, floats(0, 1)), {}, DTypeError, "target: expected integers"),
    ("NegativeLogLikelihoodLoss", (X, ints(0)), {}, ShapeError, r"target: expected shape \(2,\)"),
    ("NegativeLogLikelihoodLoss", (floats(1), ints(0)), {}, ShapeError, "input: expected at least two axes"),
    ("SoftmaxCrossEntropyLoss", (X, ints(0, 1)), {"reduction": "max"}, ArgumentError, "reduction: expected one of"),
]


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: f"{case[0]}: {case[4][:40]}")
def test_messages(case):
    op, inputs, attributes, error, message = case
    with pytest.raises(error, match=message) as caught:
        run(op, *inputs, **attributes)
    assert caught.value.op.startswith(op)


def test_a_broadcast_that_cannot_fit_is_refused_before_it_is_made():
    wide = np.broadcast_to(np.float32(0), (2**22, 1)), np.broadcast_to(np.float32(0), (1, 2**22))
    for op in ("Add", "Max", "Pow", "Mod"):
        with pytest.raises(ArgumentError, match="an output of at most"):
            run(op, *wide)


JUNK = st.one_of(
    st.sampled_from(["", "x", 1.5, float("nan"), 2**63 - 1, -(2**63), (), (0, 1), (0.5,), ("x",), (2**62, 2)]),
    st.integers(-3, 3),
    st.just(X),
)
NAMES = """
    axis axes perm to k K largest split num_outputs starts ends start end value value_ints value_float batch_dims reduction
    keepdims noop_with_empty_axes upper exclusive reverse fmod direction min max alpha beta gamma lambd bias dtype allowzero
    broadcast select_last_index time_axis batch_axis ignore_index detect_negative sorted approximate
""".split()  # noqa: SIM905
ARRAYS = [
    X,
    floats(0.5, -2),
    ints(0, 1),
    ints(-1),
    ints(),
    np.array(2),
    np.ones((2, 3), bool),
    X[:0],
    np.float32(3),
    X.astype("f2"),
]
OPERATORS = sorted(
    {case[0] for case in REFUSALS} | {"Sub", "Pow", "Neg", "Min", "Relu", "HardSigmoid", "Selu", "Shrink", "Unique"}
)


@pytest.mark.parametrize("op", OPERATORS)
@given(
    st.lists(st.sampled_from([*ARRAYS, None]), max_size=4),
    st.dictionaries(st.sampled_from(NAMES), JUNK, max_size=4),
    st.sampled_from([6, 9, 11, 13, 18, 28]),
    st.integers(1, 3),
)
def test_whatever_a_node_asks_for_only_rawsegs_errors_come_out(op, arrays, attributes, version, outputs):
    missing = tuple(i for i, array in enumerate(arrays) if array is None)
    made = node(op, len(arrays), outputs, max(version, 28 if op in ("SwiGLU", "BitCast") else 0), missing, **attributes)
    try:
        found = compute(made, *[None if array is None else Tensor(np.array(array)) for array in arrays])
    except RawsegError as error:
        found, message = (), str(error)
    else:
        message = op
    assert op in message
    assert all(isinstance(out, Tensor) for out in found)
