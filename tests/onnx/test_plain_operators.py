"""ONNX's own cases of the operators on elements, shapes, indices and losses: all pass but those of dtypes that NumPy lacks."""

from __future__ import annotations

import importlib
import pkgutil
import re
import warnings
from functools import cache

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from onnx.backend.test.case import node as cases

from rawseg.autograd import Tensor
from rawseg.errors import RawsegError
from rawseg.onnx import Node
from rawseg.onnx.operators import compute

OPERATORS = """
    Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh BitCast BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor
    Cast CastLike Ceil Celu Clip Compress Concat Constant ConstantOfShape Cos Cosh CumProd CumSum Div Elu Equal Erf Exp
    Expand EyeLike Flatten Floor Gather GatherElements GatherND Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity
    IsInf IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg NegativeLogLikelihoodLoss NonZero Not OneHot Or
    PRelu Pow Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd
    ReduceSum ReduceSumSquare Relu Reshape ReverseSequence Round Scatter ScatterElements ScatterND Selu Shape Shrink Sigmoid
    Sign Sin Sinh Size Slice SoftmaxCrossEntropyLoss Softplus Softsign Split Sqrt Squeeze Sub Sum SwiGLU Swish Tan Tanh
    ThresholdedRelu Tile TopK Transpose Trilu Unique Unsqueeze Where Xor
""".split()  # noqa: SIM905
# Cases by name, and why rawseg refuses them.
REFUSED = {
    r"_bfloat16|_BFLOAT16": "no array of NumPy or CuPy holds bfloat16",
    r"_FLOAT8|_FLOAT4": "nor floats of 8 or 4 bits",
    r"_U?INT[24](_|$)": "nor integers of 4 or 2 bits",
    r"equal_string": "a Tensor holds numbers",
    r"identity_(sequence|opt)": "a Tensor is no sequence and no optional",
}
SLOW = {"averagepool", "lppool", "maxpool"}  # modules whose import computes pools in Python loops, half a minute together


@cache
def by_operator() -> dict[str, list]:
    """Return the cases of one node, by its operator."""
    found: dict[str, list] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their expected values are computed on import, with overflows
        for module in pkgutil.iter_modules(cases.__path__):
            if module.name not in SLOW:
                importlib.import_module(f"{cases.__name__}.{module.name}")
    for case in cases._NodeTestCases:
        nodes = case.model.graph.node
        if len(nodes) == 1 and not nodes[0].domain:
            found.setdefault(nodes[0].op_type, []).append(case)
    return found


def attribute(proto: onnx.AttributeProto):
    value = helper.get_attribute_value(proto)
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value.decode() if isinstance(value, bytes) else tuple(value) if isinstance(value, list) else value


def array(value):
    """Return a tensor of a case as an array; sequences and missing optionals as they are."""
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value if value is None or isinstance(value, list) else np.asarray(value)


def replay(case) -> None:
    proto = case.model.graph.node[0]
    attributes = {each.name: attribute(each) for each in proto.attribute}
    version = next(each.version for each in case.model.opset_import if not each.domain)
    node = Node(proto.op_type, tuple(proto.input), tuple(proto.output), attributes, proto.name, "", version)
    for inputs, outputs in case.data_sets:
        given = iter(inputs)
        found = compute(node, *[Tensor(array(next(given))) if name else None for name in proto.input])
        wanted = [out for out, name in zip(found, proto.output, strict=False) if name]
        assert len(wanted) == len(outputs), case.name
        for out, want in zip(wanted, map(array, outputs)):
            assert (out.dtype, out.shape) == (want.dtype, want.shape), case.name
            # the case's own tolerance; integers and bools are exact
            tolerance = {"rtol": case.rtol, "atol": case.atol} if want.dtype.kind == "f" else {"rtol": 0, "atol": 0}
            np.testing.assert_allclose(out.numpy(), want, err_msg=case.name, **tolerance)


@pytest.mark.parametrize("op", OPERATORS)
def test_every_case_passes_or_is_refused_for_its_dtype(op):
    assert by_operator()[op], "onnx has no case any more"
    for case in by_operator()[op]:
        if any(re.search(pattern, case.name) for pattern in REFUSED):
            with pytest.raises((RawsegError, TypeError)):
                replay(case)
        else:
            replay(case)


def test_what_is_refused_is_named():
    names = [case.name for op in OPERATORS for case in by_operator()[op]]
    for pattern, reason in REFUSED.items():
        assert any(re.search(pattern, name) for name in names), reason
