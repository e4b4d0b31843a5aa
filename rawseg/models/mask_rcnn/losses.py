"""The five losses: differentiable functions of what the network answers and of plain arrays of what it shall answer."""

from __future__ import annotations

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...device import move

__all__ = ["box_losses", "mask_loss", "proposal_losses"]

BETA = 1 / 9  # of smooth L1, where it turns from a parabola into a line; that of the released Faster R-CNNs


def proposal_losses(
    objectness: Tensor, deltas: Tensor, labels: np.ndarray, codes: np.ndarray, positive: np.ndarray, negative: np.ndarray
) -> tuple[Tensor, Tensor]:
    """Return the losses of the region proposal network (Ren et al., arXiv 1506.01497, equation 1).

    Parameters
    ----------
    objectness : Tensor, shape (K,)
        Logits of all anchors of all images.
    deltas : Tensor, shape (K, 4)
        Codes of where the objects lie.
    labels : ndarray, shape (K,)
        1 and 0.
    codes : ndarray, shape (K, 4)
        What ``deltas`` shall be where there is an object.
    positive, negative : ndarray of int64
        The anchors that were drawn.

    Returns
    -------
    objectness : Tensor
        Mean binary cross entropy.
    boxes : Tensor
        Sum of smooth L1, over the number of all that were drawn.
    """
    drawn = np.concatenate([positive, negative])
    answers = F.binary_cross_entropy_with_logits(objectness[drawn], _beside(objectness, labels[drawn]), reduction="sum")
    boxes = F.smooth_l1_loss(deltas[positive], _beside(deltas, codes[positive]), reduction="sum", beta=BETA)
    return answers / max(len(drawn), 1), boxes / max(len(drawn), 1)


def box_losses(class_logits: Tensor, deltas: Tensor, labels: np.ndarray, codes: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return the losses of the box head (Girshick, arXiv 1504.08083, equation 1).

    Parameters
    ----------
    class_logits : Tensor, shape (K, classes)
        Of all regions.
    deltas : Tensor, shape (K, 4 * classes)
        Codes of the box, for every class it could be of.
    labels : ndarray of int64, shape (K,)
        0 for background.
    codes : ndarray, shape (K, 4)
        What the codes of the true class shall be.

    Returns
    -------
    classes : Tensor
        Mean cross entropy; 0 without regions.
    boxes : Tensor
        Sum of smooth L1 over the regions with an object, over the number of all.
    """
    classes = F.cross_entropy(class_logits, _beside(class_logits, labels), empty="zero")
    shown = np.flatnonzero(labels)
    own = deltas.reshape(len(labels), class_logits.shape[1], 4)[shown, labels[shown]]
    boxes = F.smooth_l1_loss(own, _beside(deltas, codes[shown]), reduction="sum", beta=BETA)
    return classes, boxes / max(len(labels), 1)


def mask_loss(mask_logits: Tensor, labels: np.ndarray, targets: np.ndarray) -> Tensor:
    """Return the mean binary cross entropy of the mask of the true class (He et al., arXiv 1703.06870, section 3).

    Parameters
    ----------
    mask_logits : Tensor, shape (K, classes, M, M)
        Of the regions with an object; there may be none, and the loss is then 0 with a gradient of 0.
    labels : ndarray of int64, shape (K,)
        Their classes.
    targets : ndarray, shape (K, M, M)
        How much of each cell the object covers.
    """
    own = mask_logits[np.arange(len(labels)), labels]
    total = F.binary_cross_entropy_with_logits(own, _beside(own, targets), reduction="sum")
    return total / max(own.size, 1)


def _beside(x: Tensor, array: np.ndarray) -> Tensor:
    """Return an array as a Tensor where ``x`` is."""
    return Tensor(move(array, x.device))
