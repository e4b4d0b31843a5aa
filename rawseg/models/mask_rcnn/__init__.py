"""Mask R-CNN, every stage a file of its own.

A photograph goes through ``transform`` (size, batch), ``backbone`` (feature pyramid), ``anchors``, ``rpn`` (where objects could
be), ``selection`` (which boxes go on), ``regions`` (features of a box), ``heads`` (class, box, mask) and ``detections``;
``stages`` lists them in order. What is learned from is made by ``matching`` and ``targets``, on plain arrays, apart from the
differentiable ``losses``.
"""

from .network import MaskRCNN
from .selection import FATES
from .stages import STAGES, Stage, run

__all__ = ["FATES", "STAGES", "MaskRCNN", "Stage", "run"]
