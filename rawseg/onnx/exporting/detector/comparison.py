"""Detections of ONNX Runtime beside rawseg's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....errors import GraphError
from ..checking import TOLERANCE, answers
from ..model_builder import OP

__all__ = ["BOX_TOLERANCE", "MASK_TOLERANCE", "compare_detections", "paired"]

BOX_TOLERANCE = 1e-3  # of the largest corner: sides are the exponential of what the network says
# The mean over all pixels of what masks differ by: a corner that lies, to float32's last digit, on a pixel's edge may fall on
# either side of it, and moves that mask by a pixel.
MASK_TOLERANCE = 1e-3


def compare_detections(run: Any, inputs: Mapping[str, np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """Return the largest difference of scores, as a share of the largest.

    Parameters
    ----------
    run : InferenceSession
        ONNX Runtime with the model.
    inputs : mapping
        The image, by the input's name.
    wanted : sequence of ndarray
        rawseg's boxes, labels, scores and masks.

    Raises
    ------
    GraphError
        If labels, boxes, scores or masks differ beyond rounding. Objects whose scores rounding cannot tell apart may come in
        either order.
    """
    found = answers(run, inputs)
    if len(found[2]) != len(wanted[2]):
        raise GraphError(OP, "scores", f"{len(wanted[2])} objects from ONNX Runtime", len(found[2]))
    if not len(wanted[2]):
        return 0.0
    difference = float(np.abs(found[2] - wanted[2]).max() / wanted[2].max())
    _within("scores", difference, TOLERANCE)
    order = paired(found, wanted)
    boxes, labels, _, masks = (array[order] for array in found)
    if not np.array_equal(labels, wanted[1]):
        raise GraphError(OP, "labels", f"{wanted[1]} from ONNX Runtime", labels)
    _within("boxes", float(np.abs(boxes - wanted[0]).max() / np.abs(wanted[0]).max()), BOX_TOLERANCE)
    _within("masks", float(np.abs(masks - wanted[3]).mean()), MASK_TOLERANCE)
    return difference


def paired(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> list[int]:
    """Return for each of rawseg's objects the one found for it: the nearest box of its label and, nearly, of its score."""
    free, order = set(range(len(found[2]))), []
    for box, label, score in zip(*wanted[:3]):
        alike = [j for j in free if abs(found[2][j] - score) <= TOLERANCE and found[1][j] == label] or sorted(free)
        nearest = min(alike, key=lambda j: float(np.abs(found[0][j] - box).max()))
        free.remove(nearest)
        order.append(nearest)
    return order


def _within(name: str, difference: float, tolerance: float) -> None:
    if not difference <= tolerance:
        raise GraphError(OP, name, f"a difference of at most {tolerance} from ONNX Runtime", difference)
