"""Scores of a model on held-out data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeAlias

from ..autograd.grad_mode import no_grad
from ..autograd.tensor import Tensor
from ..models.inference import evaluating
from .tasks import Task

Batch: TypeAlias = tuple[Any, Any]  # images and targets: arrays, or lists of images and of what is known of each
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


def evaluate(
    model: Any,
    loss: Loss | None,
    batches: Iterable[Batch],
    task: Task,
    stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """Return loss and scores of a model in eval mode; the mode is restored.

    Parameters
    ----------
    model : Module
        Images in, logits out.
    loss : callable
        ``(logits, target) -> scalar``, the mean over a batch; None if the network has losses of its own (`Detection`).
    batches : iterable of (images, targets)
        Arrays (N, C, H, W) and whatever the task compares the output with.
    task : Segmentation, Classification, Reconstruction or Detection
        Brings targets and outputs together, and scores them.
    stop : callable
        Asked before each batch; if it returns True, so much for the evaluation.

    Returns
    -------
    scores : dict, or None if stopped
        ``loss``, if there is one, and the task's scores.
    """
    tally, total, count = task.tally(), 0.0, 0
    with no_grad(), evaluating(model):
        for images, targets in batches:
            if stop():
                return None
            output = task.output(model, images)
            target = task.target(targets, output)
            if loss is not None:
                total += float(loss(output, target)) * len(images)
            count += len(images)
            tally.update(output, target)
    mean = {} if loss is None else {"loss": total / count if count else float("nan")}
    return {**mean, **tally.scores()}
