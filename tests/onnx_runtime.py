"""One node on rawseg and on onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx_models import of_one_node

import rawseg.onnx

onnxruntime.set_default_logger_severity(4)


def runtime(model: onnx.ModelProto, arrays: dict) -> list[np.ndarray]:
    """Return onnxruntime's outputs."""
    found = onnxruntime.InferenceSession(model.SerializeToString()).run(None, arrays)
    assert all(isinstance(out, np.ndarray) for out in found)
    return found  # type: ignore[return-value]


def both(op: str, arrays: dict, opset: int, outputs: str = "y", rtol: float = 1e-4, **attributes) -> list[np.ndarray]:
    """Return the outputs of one node, compared with onnxruntime's; None as an input leaves it out."""
    model = of_one_node(op, arrays, opset, outputs, **attributes)
    given = {name: array for name, array in arrays.items() if array is not None}
    found = rawseg.onnx.load(model)(*given.values())
    outs = [out.numpy() for out in (found if isinstance(found, tuple) else (found,))]
    for out, want in zip(outs, runtime(model, given)):
        assert (out.shape, out.dtype) == (want.shape, want.dtype)
        np.testing.assert_allclose(out, want, rtol=rtol, atol=1e-5)  # float32, its terms in another order
    return outs
