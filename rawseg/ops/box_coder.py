"""Boxes as shifts and scalings of other boxes: what the regression branch of an R-CNN learns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rawseg_kernels._arrays import check_floating, check_shape, real

from ..autograd import Tensor
from ..autograd.operands import as_tensor
from ..autograd.shaping import cat, stack
from ..errors import ArgumentError, ArgumentTypeError, ShapeError
from .boxes import checked_boxes

__all__ = ["BoxCoder"]

OP = "BoxCoder"
LARGEST_SCALING = math.log(1000 / 16)  # of a side, as a logarithm: exp of an untrained network's output must stay finite


class BoxCoder:
    r"""Boxes relative to proposals, and back.

    .. math:: t_x = w_x\,\frac{x - x_p}{w_p},\quad t_y = w_y\,\frac{y - y_p}{h_p},\quad
              t_w = w_w \log\frac{w}{w_p},\quad t_h = w_h \log\frac{h}{h_p}

    with centres (x, y), widths and heights; p marks the proposal (Girshick et al., arXiv 1311.2524, appendix C).

    Parameters
    ----------
    weights : (float, float, float, float)
        Weights of x, y, width and height: 1 each for a region proposal network, (10, 10, 5, 5) for the heads of a Faster R-CNN.
    bbox_xform_clip : float
        `decode` holds the logarithms of scalings at or below this, log(1000 / 16) by default, with a gradient of 0 above it.

    Notes
    -----
    Differentiable to every order in boxes, proposals and codes. Proposals, and boxes to be encoded, must have an area: PyTorch
    gives inf or NaN for those without.

    Examples
    --------
    >>> import numpy as np
    >>> coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
    >>> codes = coder.encode_single(np.array([[2.0, 2.0, 6.0, 6.0]]), np.array([[0.0, 2.0, 4.0, 6.0]]))
    >>> codes
    tensor([[0.5, 0. , 0. , 0. ]], dtype=float64)
    >>> coder.decode_single(codes, np.array([[0.0, 2.0, 4.0, 6.0]]))
    tensor([[2., 2., 6., 6.]], dtype=float64)
    """

    def __init__(self, weights: Sequence[float], bbox_xform_clip: float = LARGEST_SCALING) -> None:
        if not isinstance(weights, (tuple, list)) or len(weights) != 4:
            raise ArgumentError(OP, "weights", "four numbers (x, y, width, height)", weights)
        self.weights = tuple(real(OP, "weights", weight) for weight in weights)
        if min(self.weights) <= 0:
            raise ArgumentError(OP, "weights", "numbers greater than 0", self.weights)
        self.bbox_xform_clip = real(OP, "bbox_xform_clip", bbox_xform_clip)

    def encode(self, reference_boxes: Sequence[Any], proposals: Sequence[Any]) -> tuple[Tensor, ...]:
        """Return codes image by image.

        Parameters
        ----------
        reference_boxes, proposals : sequence of Tensor, shape (L_i, 4)
            For each image the boxes and the proposals that they belong to, in one order.

        Returns
        -------
        tuple of Tensor, shape (L_i, 4)
            See `encode_single`.
        """
        boxes, froms = _listed("reference_boxes", reference_boxes), _listed("proposals", proposals)
        if len(boxes) != len(froms):
            raise ArgumentError(OP, "proposals", f"{len(boxes)} images, as reference_boxes", len(froms))
        return tuple(self.encode_single(*image) for image in zip(boxes, froms))

    def encode_single(self, reference_boxes: Any, proposals: Any) -> Tensor:
        """Return the codes of boxes.

        Parameters
        ----------
        reference_boxes, proposals : Tensor or ndarray, shape (L, 4)
            ``(x1, y1, x2, y2)``, of one dtype, each with an area.

        Returns
        -------
        Tensor, shape (L, 4)
            ``(t_x, t_y, t_w, t_h)``.

        Raises
        ------
        ArgumentError
            If a corner is not finite or a box has no area.
        """
        boxes = checked_boxes(OP, "reference_boxes", reference_boxes, positive=True)
        froms = checked_boxes(OP, "proposals", proposals, positive=True)
        check_floating(OP, reference_boxes=boxes.array, proposals=froms.array)
        check_shape(OP, "proposals", froms, boxes.shape)
        (x, y, w, h), (from_x, from_y, from_w, from_h) = _centred(boxes), _centred(froms)
        weight_x, weight_y, weight_w, weight_h = self.weights
        shifts = weight_x * (x - from_x) / from_w, weight_y * (y - from_y) / from_h
        return stack([*shifts, weight_w * (w / from_w).log(), weight_h * (h / from_h).log()], 1)

    def decode(self, rel_codes: Any, boxes: Sequence[Any]) -> Tensor:
        """Return boxes from codes, those of all images together.

        Parameters
        ----------
        rel_codes : Tensor or ndarray
            Codes; any shape of ``4 * C * sum(L_i)`` elements, ``(sum(L_i), 4 * C)`` if there are none.
        boxes : sequence of Tensor, shape (L_i, 4)
            The proposals of each image.

        Returns
        -------
        Tensor, shape (sum(L_i), C, 4)
            One box of each of C classes for every proposal; of this shape for no proposals too (PyTorch: 2-D).
        """
        codes, froms = as_tensor(OP, "rel_codes", rel_codes), cat(_listed("boxes", boxes))
        count = froms.shape[0]
        if count:
            if codes.size % (4 * count):
                raise ShapeError(OP, "rel_codes", f"4 numbers or more for each of {count} boxes", f"shape {codes.shape}")
            codes = codes.reshape(count, codes.size // count)
        decoded = self.decode_single(codes, froms)
        return decoded.reshape(count, decoded.shape[1] // 4, 4)

    def decode_single(self, rel_codes: Any, boxes: Any) -> Tensor:
        """Return boxes from codes.

        Parameters
        ----------
        rel_codes : Tensor or ndarray, shape (L, 4 * C)
            ``(t_x, t_y, t_w, t_h)`` of each class after the other; NaN stays NaN.
        boxes : Tensor or ndarray, shape (L, 4)
            The proposals, ``(x1, y1, x2, y2)``, in the dtype of ``rel_codes``.

        Returns
        -------
        Tensor, shape (L, 4 * C)
            ``(x1, y1, x2, y2)`` of each class after the other.

        Raises
        ------
        ArgumentError
            If a corner of a proposal is not finite or a proposal is inverted.
        """
        codes, froms = as_tensor(OP, "rel_codes", rel_codes), checked_boxes(OP, "boxes", boxes)
        check_floating(OP, rel_codes=codes.array, boxes=froms.array)
        if codes.ndim != 2 or codes.shape[0] != froms.shape[0] or codes.shape[1] % 4:
            raise ShapeError(OP, "rel_codes", f"shape ({froms.shape[0]}, 4 C)", f"shape {codes.shape}")
        x, y, w, h = (side.unsqueeze(1) for side in _centred(froms))  # (L, 1) each
        shift_x, shift_y, scale_w, scale_h = (codes[:, i::4] / weight for i, weight in enumerate(self.weights))
        centre_x, centre_y = shift_x * w + x, shift_y * h + y
        half_w = 0.5 * (scale_w.clamp(max=self.bbox_xform_clip).exp() * w)
        half_h = 0.5 * (scale_h.clamp(max=self.bbox_xform_clip).exp() * h)
        corners = [centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h]
        return stack(corners, 2).reshape(*codes.shape)  # (L, C, 4) -> (L, 4 C)


def _centred(boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the centre, the width and the height of each box."""
    w, h = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return boxes[:, 0] + 0.5 * w, boxes[:, 1] + 0.5 * h, w, h


def _listed(argument: str, boxes: Any) -> list[Tensor]:
    if not isinstance(boxes, (tuple, list)):
        raise ArgumentTypeError(OP, argument, "a list with a Tensor of boxes for each image", type(boxes).__name__)
    if not boxes:
        raise ArgumentError(OP, argument, "at least one image", "none")
    return [as_tensor(OP, argument, image) for image in boxes]
