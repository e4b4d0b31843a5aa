"""What a network is trained for: how its output meets the truth, and which scores tell how well. The `Trainer` is given one."""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np

from rawseg_kernels._arrays import contiguous, integer

from ..autograd.tensor import Tensor
from ..device import move
from ..errors import ShapeError
from ..functional import sigmoid
from ..metrics import Metrics
from ..models.inference import as_input

__all__ = ["Classification", "Reconstruction", "Segmentation", "Tally", "Task"]


class Tally(Protocol):
    """Counts what is seen, batch by batch."""

    def update(self, output: Any, target: Any, /) -> None:
        """Take in a batch."""
        ...

    def scores(self) -> dict[str, Any]:
        """Return the scores of all batches, by name; numbers, and lists of numbers."""
        ...


class Task(Protocol):
    """How outputs meet targets, what is minimised, and what counts how well it went."""

    def output(self, model: Any, images: Any, /) -> Any:
        """Return what a model makes of a loader's images."""
        ...

    def loss(self, model: Any, criterion: Any, images: Any, targets: Any, /) -> Tensor:
        """Return what a training step minimises."""
        ...

    def target(self, targets: Any, output: Any, /) -> Any:
        """Return a loader's targets beside the output."""
        ...

    def tally(self) -> Tally:
        """Return an empty tally."""
        ...


class Direct:
    """What the tasks share whose network answers a batch with one Tensor, which a criterion compares with the target."""

    def output(self, model: Any, images: np.ndarray) -> Tensor:
        """Return logits."""
        return model(as_input(images, model))

    def loss(self, model: Any, criterion: Any, images: np.ndarray, targets: np.ndarray) -> Tensor:
        """Return the criterion's value."""
        logits = self.output(model, images)
        return criterion(logits, self.target(targets, logits))

    def target(self, targets: np.ndarray, output: Tensor) -> Tensor:
        """Return targets beside the logits."""
        return Tensor(move(targets, output.device))


class Segmentation(Direct):
    """A class for every pixel: the scores are mean IoU, mean Dice and pixel accuracy, and IoU and Dice by class.

    Parameters
    ----------
    num_classes : int
        Number of classes in the masks; 2 for a single logit.
    ignore_index : int, optional
        Pixels with this id count nowhere.
    """

    def __init__(self, num_classes: int = 2, ignore_index: int | None = None) -> None:
        self.num_classes, self.ignore_index = integer("Segmentation", "num_classes", num_classes, 2), ignore_index

    def target(self, targets: np.ndarray, output: Tensor) -> Tensor:
        """Return masks beside the logits, cropped to their middle where valid convolutions have eaten the border."""
        height, width = output.shape[-2:]
        top, left = (targets.shape[-2] - height) // 2, (targets.shape[-1] - width) // 2
        if top < 0 or left < 0:
            expected = f"at most the size {targets.shape[-2:]} of the masks"
            raise ShapeError("target", "logits", expected, f"size {(height, width)}")
        middle = contiguous(targets[..., top : top + height, left : left + width])
        return super().target(middle, output)

    def tally(self) -> Tally:
        """Return an empty confusion matrix."""
        return _Masks(Metrics(self.num_classes, self.ignore_index))


class _Masks:
    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics

    def update(self, output: Tensor, target: Tensor) -> None:
        self.metrics.update(class_ids(output), move(target.array, "cpu"))

    def scores(self) -> dict[str, Any]:
        summary = self.metrics.compute()
        means = {name: getattr(summary, name) for name in ("mean_iou", "mean_dice", "pixel_accuracy")}
        return {**means, "iou": summary.iou.tolist(), "dice": summary.dice.tolist()}


class Classification(Direct):
    """A class for every image: the scores are accuracy, and accuracy by class."""

    def tally(self) -> Tally:
        """Return empty counts."""
        return _Labels()


class _Labels:
    def __init__(self) -> None:
        self.hits, self.counts = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def update(self, output: Tensor, target: Tensor) -> None:
        classes = output.shape[1]
        found, truth = move(output.array.argmax(axis=1), "cpu"), move(target.array, "cpu")
        if self.counts.size == 0:
            self.hits, self.counts = np.zeros(classes, np.int64), np.zeros(classes, np.int64)
        self.hits += np.bincount(truth[found == truth], minlength=classes)
        self.counts += np.bincount(truth, minlength=classes)

    def scores(self) -> dict[str, Any]:
        total = int(self.counts.sum())
        with np.errstate(invalid="ignore"):
            by_class = (self.hits / self.counts).tolist()  # NaN for a class that is not there
        return {"accuracy": int(self.hits.sum()) / total if total else math.nan, "accuracy_by_class": by_class}


class Reconstruction(Direct):
    """The image itself, from logits: the score is the peak signal-to-noise ratio, ``-10 log10(mean squared error)`` dB."""

    def tally(self) -> Tally:
        """Return empty sums."""
        return _Errors()


class _Errors:
    def __init__(self) -> None:
        self.total, self.count = 0.0, 0

    def update(self, output: Tensor, target: Tensor) -> None:
        error = move(sigmoid(output).array, "cpu").astype(np.float64) - move(target.array, "cpu")
        self.total += float(np.square(error).sum())
        self.count += error.size

    def scores(self) -> dict[str, Any]:
        error = self.total / self.count if self.count else math.nan
        return {"psnr": -10 * math.log10(error) if error else math.inf, "squared_error": error}


def class_ids(logits: Tensor) -> np.ndarray:
    """Return the class of every pixel: the largest of C logits, or whether a single logit is above 0 (probability 1/2)."""
    array = logits.array[:, 0] > 0 if logits.shape[1] == 1 else logits.array.argmax(axis=1)
    return move(array, "cpu").astype(np.int64)
