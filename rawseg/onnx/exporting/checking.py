"""The proof of a file: ONNX's checker, with its inference of shapes, and ONNX Runtime's answers beside rawseg's."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from ...errors import BackendError, GraphError
from .model_builder import OP

__all__ = ["JUMPS", "TOLERANCE", "answers", "check", "compare", "session"]

# Of the largest number of an output. Sums of K float32 terms in another order differ by about sqrt(K) * 6e-8 of their terms,
# and a network stacks a hundred of them, whose errors batch norm and skips carry on: some 1e-5. A wrong operator shows in the
# first digits.
TOLERANCE = 1e-4
# Of two elements that are equal to the last digit either may be the maximum, and what follows the unpooling sees another map:
# in SegNet single pixels moved by 0.01 of the largest number. A wrong operator moves all pixels by much of it.
JUMPS = 1e-2
RUNNABLE = "a model that this version of ONNX Runtime runs (an older opset may help)"


def check(model: onnx.ModelProto) -> None:
    """Raise a GraphError unless ONNX's checker passes the model, all shapes inferred."""
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise GraphError(OP, "model", "a model that onnx.checker passes", str(error).strip()) from error


def session(data: bytes) -> Any:
    """Return ONNX Runtime ready to run a model on the CPU.

    Raises
    ------
    BackendError
        If the package onnxruntime is missing.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise BackendError(OP, "verify", "the onnxruntime package (pip install onnxruntime), or verify=False", "no such module")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    try:
        return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes derive from nothing nearer
        raise GraphError(OP, "verify", RUNNABLE, f"{type(error).__name__}: {error}") from error


def answers(run: Any, inputs: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    """Return ONNX Runtime's outputs."""
    try:
        return run.run(None, dict(inputs))
    except Exception as error:  # its classes derive from nothing nearer
        raise GraphError(OP, "verify", RUNNABLE, f"{type(error).__name__}: {error}") from error


def compare(run: Any, inputs: Mapping[str, np.ndarray], wanted: Sequence[np.ndarray], jumps: bool = False) -> float:
    """Return the largest difference of ONNX Runtime's outputs from the network's, as a share of an output's largest number.

    Parameters
    ----------
    run : InferenceSession
        ONNX Runtime with the model.
    inputs : mapping
        Arrays by the inputs' names.
    wanted : sequence of ndarray
        The network's outputs.
    jumps : bool
        Whether rounding can make the network choose otherwise, as one that unpools to where maxima were does; then the mean
        difference of an output is taken.

    Raises
    ------
    GraphError
        If it exceeds `TOLERANCE`, or `JUMPS`, or an output has another shape.
    """
    names, largest = [output.name for output in run.get_outputs()], 0.0
    for name, ours, theirs in zip(names, wanted, answers(run, inputs), strict=True):
        if ours.shape != theirs.shape:
            raise GraphError(OP, name, f"shape {ours.shape} from ONNX Runtime", f"shape {theirs.shape}")
        if not ours.size:
            continue
        a, b = ours.astype(np.float64), theirs.astype(np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        scale = np.abs(a[np.isfinite(a)]).max(initial=0.0) or 1.0
        with np.errstate(invalid="ignore"):
            differences = np.where(same, 0.0, np.abs(a - b))
        difference = float(differences.mean() if jumps else differences.max()) / scale
        tolerance = JUMPS if jumps else TOLERANCE
        if not difference <= tolerance:
            expected = f"{'mean ' * jumps}differences of at most {tolerance} of the largest number from ONNX Runtime"
            raise GraphError(OP, name, expected, difference)
        largest = max(largest, difference)
    return largest
