"""The training loop: epochs of batches, validation, the best weights and a checkpoint after each."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import numpy as np

from rawseg_kernels._arrays import integer

from ..errors import ArgumentError
from ..optim import Optimizer, clip_grad_norm_
from ..optim.clip_grad import all_finite, gradients_finite
from ..optim.lr_scheduler import LRScheduler
from ..random import manual_seed
from .display import PlainDisplay, display
from .errors import TrainingError, not_finite
from .evaluation import Batch, Batches, evaluate
from .interrupt import Interrupt
from .progress import Progress, Record, Result, best_score
from .run_folder import RunFolder
from .tasks import Segmentation, Task


class Trainer:
    """Trains a model, and can be stopped and continued at any batch with the same bits.

    Parameters
    ----------
    model : Module
        Images (N, C, H, W) in, logits out: (N, classes, H', W') for a segmentation. Where H' and W' are smaller (valid
        convolutions), the masks are cropped to their middle. It is trained in place, on the device where its parameters are.
    loss : callable or None
        ``(logits, targets) -> scalar Tensor``, the mean over the batch; None for a `Detection`, whose network has its own.
    optimizer : Optimizer
        Of the model's parameters.
    train : Loader
        Training batches; see `Batches`.
    validation : Loader or (ndarray, ndarray), optional
        Held-out images and targets. Without them there are no scores and no best weights.
    folder : str or path
        For ``best.safetensors`` (weights with the best score), ``last.safetensors`` (checkpoint), ``metrics.jsonl``.
    task : Task, optional
        What the network is for: `Segmentation` (by default, two classes), `Classification`, `Reconstruction`, `Detection`.
    schedule : LRScheduler, optional
        Stepped after every optimizer step.
    clip_norm : float, optional
        Largest norm of all gradients together.
    seed : int
        Given to `rawseg.manual_seed` when a run begins, for dropout. Order and augmentation follow from the loader's.
    about : dict, optional
        Anything that JSON can hold, kept in the metadata of both files. Default: the model's ``name`` and ``config``, if it
        has them, from which `rawseg.models.load_model` builds it again.
    plain : bool, optional
        One line an epoch instead of a live bar. Default: unless standard output is a terminal and ``NO_COLOR`` is not set.

    Notes
    -----
    The same seeds give the same weights, bit for bit, for any number of threads and whether or not the run was
    interrupted. Files are replaced in one step each, the checkpoint last, so a killed run continues from the last
    complete epoch.
    """

    def __init__(
        self,
        model: Any,
        loss: Any,
        optimizer: Optimizer,
        train: Batches,
        validation: Batches | tuple[np.ndarray, np.ndarray] | None = None,
        *,
        folder: str | os.PathLike[str],
        task: Task | None = None,
        schedule: LRScheduler | None = None,
        clip_norm: float | None = None,
        seed: int = 0,
        about: dict[str, Any] | None = None,
        plain: bool | None = None,
    ) -> None:
        if len(train) == 0:
            raise ArgumentError("Trainer", "train", "at least one batch", "none")
        self.model, self.loss, self.optimizer, self.schedule = model, loss, optimizer, schedule
        self.train, self.validation = train, validation
        self.task = Segmentation() if task is None else task
        self.clip_norm, self.seed, self.plain = clip_norm, seed, plain
        about = about if about is not None else _about(model)
        self.files = RunFolder(folder, model, optimizer, schedule, _loader(train), about)
        self.progress = Progress()
        self._last_loss: float | None = None

    def fit(self, epochs: int, resume: bool = False, on_epoch: Callable[[Record], None] | None = None) -> Result:
        """Train up to a number of epochs.

        Parameters
        ----------
        epochs : int
            In all, those before a resume included.
        resume : bool
            Continue from ``last.safetensors``; the result is that of a run that never stopped.
        on_epoch : callable, optional
            Called with each finished epoch's record, after its files are written.

        Returns
        -------
        result : Result
            Also after Ctrl-C, which waits for the current batch and saves a checkpoint. A second Ctrl-C raises
            KeyboardInterrupt at once and leaves the last epoch's checkpoint.

        Raises
        ------
        TrainingError
            If the loss or a gradient is not finite. No file is written then.
        CheckpointError
            If a file cannot be written, or a checkpoint does not fit.
        ArgumentError
            If the folder holds a checkpoint and ``resume`` is False.
        """
        epochs = integer("fit", "epochs", epochs, 1)
        if resume:
            self.progress = self.files.resume()
        else:
            self.files.begin()
            self.progress = Progress()
            manual_seed(self.seed)
        progress, batches = self.progress, len(self.train)
        done = progress.epoch * batches + progress.batch
        with Interrupt() as interrupt, display(epochs, batches, done, self.plain) as screen:
            while progress.epoch < epochs and not interrupt.requested:
                scores = self._validate(interrupt) if self._train_epoch(interrupt, screen) else None
                if scores is None:
                    self._check_weights()
                    self.files.save_last(progress)
                    break
                record = self._finish_epoch(scores)
                screen.epoch(record)
                if on_epoch is not None:
                    on_epoch(record)
            stopped = interrupt.requested and progress.epoch < epochs
            if stopped:
                screen.say(f"interrupted in epoch {progress.epoch + 1}; {self.files.last} continues it (resume=True, --resume)")
        return Result(progress.history, progress.best_epoch, progress.best_score, stopped, self.files.path)

    def _train_epoch(self, interrupt: Interrupt, screen: PlainDisplay) -> bool:
        """Train on what is left of an epoch; return False if Ctrl-C came before its end."""
        progress, began = self.progress, time.monotonic() - self.progress.seconds
        self.model.train()
        with closing(self.train.iterate(progress.epoch, progress.batch)) as batches:  # type: ignore[type-var]
            for images, targets in batches:
                loss = self._step(images, targets)
                progress.step += 1
                progress.batch += 1
                progress.loss_sum += loss * len(images)
                progress.images += len(images)
                progress.seconds = time.monotonic() - began
                screen.batch(progress.epoch, loss, len(images))
                if interrupt.requested:
                    return False
        return True

    def _step(self, images: Any, targets: Any) -> float:
        """Train on one batch and return its loss."""
        self.optimizer.zero_grad()
        loss = self.task.loss(self.model, self.loss, images, targets)
        value = loss.item()
        if not math.isfinite(value):
            raise self._failure("loss", value)
        loss.backward()
        self._check_gradients()
        if self.clip_norm is not None:
            clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        self._last_loss = value
        return value

    def _check_gradients(self) -> None:
        gradients = {name: parameter.grad for name, parameter in self.model.named_parameters() if parameter.grad is not None}
        if not gradients_finite(list(gradients.values())):
            name = next(name for name, gradient in gradients.items() if not all_finite(gradient.array))
            raise self._failure(f"gradient of {name}", "inf or NaN")

    def _check_weights(self) -> None:
        """Raise before bad weights replace good ones in a file: a step can overflow although its gradient was finite."""
        for name, tensor in self.model.state_dict().items():
            if not all_finite(tensor.array):
                raise self._failure(name, "inf or NaN")

    def _failure(self, what: str, got: object) -> TrainingError:
        rates = [group["lr"] for group in self.optimizer.param_groups]
        return not_finite(what, got, self.progress, self._last_loss, self.files.last, rates)

    def _validate(self, interrupt: Interrupt) -> Record | None:
        """Return the scores, empty without validation; None if Ctrl-C came before its end."""
        if self.validation is None:
            return {}
        stop = lambda: interrupt.requested  # noqa: E731 (asked again before each batch)
        scores = evaluate(self.model, self.loss, self._held_out(), self.task, stop)
        if scores is not None and not math.isfinite(scores.get("loss", 0.0)):
            raise self._failure("validation loss", scores["loss"])
        return None if scores is None else {f"val_{name}": score for name, score in scores.items()}

    def _held_out(self) -> Iterator[Batch]:
        if not isinstance(self.validation, tuple):
            yield from self.validation.iterate(0)  # type: ignore[union-attr]
            return
        images, targets = self.validation
        for start in range(0, len(images), self.train.batch_size):
            part = slice(start, start + self.train.batch_size)
            yield images[part], targets[part]

    def _finish_epoch(self, scores: Record) -> Record:
        """Record an epoch and write the files, the checkpoint last."""
        self._check_weights()
        progress = self.progress
        record = {
            "epoch": progress.epoch + 1,
            "step": progress.step,
            "lr": self.optimizer.param_groups[0]["lr"],
            "loss": progress.loss_sum / progress.images,
            **scores,
            "best": self._is_best(scores),
            "seconds": progress.seconds,
            "images_per_second": progress.images / max(progress.seconds, 1e-9),
        }
        if record["best"]:
            progress.best_epoch, progress.best_score = record["epoch"], best_score(scores)
            self.files.save_best(record)
        progress.next_epoch(record)
        self.files.save_last(progress)
        self.files.save_history(progress)
        return record

    def _is_best(self, scores: Record) -> bool:
        """Tell whether the weights are the best so far; the first ones are, whatever they score."""
        before = -math.inf if math.isnan(self.progress.best_score) else self.progress.best_score
        return bool(scores) and (self.progress.best_epoch is None or best_score(scores) > before)


def _about(model: Any) -> dict[str, Any]:
    known = hasattr(model, "name") and hasattr(model, "config")
    return {"model": model.name, "config": model.config} if known else {}


def _loader(train: Batches) -> dict[str, Any]:
    """Return what decides the batches, apart from the data."""
    return {"seed": train.seed, "batch_size": train.batch_size, "shuffle": train.shuffle, "batches": len(train)}
