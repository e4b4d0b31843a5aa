"""Mask R-CNN as one ONNX graph: its layers recorded like any network's, its choices of boxes written by hand.

The stages are those of `rawseg.models.mask_rcnn`, for one image of a fixed size: ``sections`` records layers, ``proposals``
and ``detections`` choose boxes, ``cutting`` cuts regions out of the pyramid, ``pasting`` puts masks into the image, and
``assembly`` connects them.
"""

from .assembly import export

__all__ = ["export"]
