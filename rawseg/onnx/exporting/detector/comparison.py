"""Detections of ONNX Runtime beside rawseg's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....errors import GraphError
from ..checking import compare
from ..model_builder import OP

__all__ = ["MASK_TOLERANCE", "compare_detections"]

# The mean over all pixels of what masks differ by: a corner that lies, to float32's last digit, on a pixel's edge may fall on
# either side of it, and moves that mask by a pixel.
MASK_TOLERANCE = 1e-3


class Answered:
    """Outputs that ONNX Runtime has given already, for `compare`."""

    def __init__(self, names: Sequence[Any], outputs: Sequence[np.ndarray]) -> None:
        self._names, self._outputs = names, outputs

    def get_outputs(self) -> Sequence[Any]:
        """Return the outputs' descriptions."""
        return self._names

    def run(self, _names: Any, _inputs: Any) -> Sequence[np.ndarray]:
        """Return the outputs."""
        return self._outputs


def compare_detections(run: Any, inputs: Mapping[str, np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """Return the largest difference in boxes and scores, as `compare` has it.

    Raises
    ------
    GraphError
        If labels, boxes, scores or masks differ beyond rounding.
    """
    found = run.run(None, dict(inputs))
    largest = compare(Answered(run.get_outputs()[:3], found[:3]), inputs, wanted[:3])
    masks = np.abs(found[3] - wanted[3])
    if masks.size and not masks.mean() <= MASK_TOLERANCE:
        raise GraphError(OP, "masks", f"a mean difference of at most {MASK_TOLERANCE} from ONNX Runtime", masks.mean())
    return largest
