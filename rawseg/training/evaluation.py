"""Scores of a model on held-out images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeAlias

import numpy as np

from ..autograd.grad_mode import no_grad
from ..autograd.tensor import Tensor
from ..device import move
from ..errors import ShapeError
from ..metrics import Metrics
from ..models.inference import as_input, evaluating

Batch: TypeAlias = tuple[np.ndarray, np.ndarray]
Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]


class Batches(Protocol):
    """What the loop asks of a loader; `rawseg.data.Loader` has it."""

    batch_size: int
    seed: int
    shuffle: bool

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        ...

    def iterate(self, epoch: int, start_batch: int = 0) -> Iterator[Batch]:
        """Yield the batches of an epoch, from one of them on; the same ones whenever it is asked."""
        ...


def as_target(masks: np.ndarray, logits: Tensor) -> Tensor:
    """Return masks as a Tensor beside the logits, cropped to their middle where valid convolutions have eaten the border."""
    height, width = logits.shape[-2:]
    top, left = (masks.shape[-2] - height) // 2, (masks.shape[-1] - width) // 2
    if top < 0 or left < 0:
        raise ShapeError("target", "logits", f"at most the size {masks.shape[-2:]} of the masks", f"size {(height, width)}")
    middle = np.ascontiguousarray(masks[..., top : top + height, left : left + width])
    return Tensor(move(middle, logits.device))


def class_ids(logits: Tensor) -> np.ndarray:
    """Return the class of every pixel: the largest of C logits, or whether a single logit is above 0 (probability 1/2)."""
    array = logits.array[:, 0] > 0 if logits.shape[1] == 1 else logits.array.argmax(axis=1)
    return move(array, "cpu").astype(np.int64)


def evaluate(
    model: Any,
    loss: Loss,
    batches: Iterable[Batch],
    num_classes: int,
    ignore_index: int | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """Return loss and scores of a model in eval mode; the mode is restored.

    Parameters
    ----------
    model : Module
        Images in, logits (N, C, H, W) out.
    loss : callable
        ``(logits, masks) -> scalar``, the mean over a batch.
    batches : iterable of (images, masks)
        Arrays (N, C, H, W) and (N, H, W).
    num_classes : int
        Number of classes; 2 for a single logit.
    ignore_index : int, optional
        Pixels with this id count nowhere.
    stop : callable
        Asked before each batch; if it returns True, so much for the evaluation.

    Returns
    -------
    scores : dict, or None if stopped
        ``loss``, ``mean_iou``, ``mean_dice``, ``pixel_accuracy``, and lists by class ``iou`` and ``dice``.
    """
    metrics, total, count = Metrics(num_classes, ignore_index), 0.0, 0
    with no_grad(), evaluating(model):
        for images, masks in batches:
            if stop():
                return None
            logits = model(as_input(images, model))
            target = as_target(masks, logits)
            total += float(loss(logits, target)) * len(images)
            count += len(images)
            metrics.update(class_ids(logits), move(target.array, "cpu"))
    summary = metrics.compute()
    return {
        "loss": total / count if count else float("nan"),
        "mean_iou": summary.mean_iou,
        "mean_dice": summary.mean_dice,
        "pixel_accuracy": summary.pixel_accuracy,
        "iou": summary.iou.tolist(),
        "dice": summary.dice.tolist(),
    }
