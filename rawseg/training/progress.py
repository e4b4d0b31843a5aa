"""Where a run stands: what a checkpoint keeps beside the arrays, and the history that is drawn and written as JSON lines."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CheckpointError
from ..files import write_bytes_atomically

Record = dict[str, Any]  # of one epoch: numbers, NaN where there is no score, and lists of numbers
SCORES = {"val_mean_iou": "mean IoU", "val_mean_dice": "mean Dice", "val_accuracy": "accuracy", "val_psnr": "PSNR"}
SCORES |= {"val_mask_ap": "mask AP", "val_box_ap": "box AP"}


def score_keys(record: Record) -> list[str]:
    """Return which scores a record has to show; the first of them decides which weights are the best."""
    return [key for key in SCORES if key in record]


def best_score(record: Record) -> float:
    """Return the score that decides which weights are the best; larger is better."""
    return record[score_keys(record)[0]]


@dataclass
class Progress:
    """The position of a run, in batches, and what has been seen so far.

    Parameters
    ----------
    step : int
        Optimizer steps done.
    epoch : int
        Epochs done; also the number of the one that is being trained.
    batch : int
        Batches of that epoch that are done.
    loss_sum : float
        Sum over that epoch's images of their batch's mean loss.
    images : int
        How many images that is.
    seconds : float
        Time spent on their training.
    best_epoch : int or None
        Number of the epoch with the best validation score, counted from 1.
    best_score : float
        That score.
    history : list of dict
        One record an epoch.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    images: int = 0
    seconds: float = 0.0
    best_epoch: int | None = None
    best_score: float = math.nan
    history: list[Record] = field(default_factory=list)

    def next_epoch(self, record: Record) -> None:
        """Finish an epoch."""
        self.history.append(record)
        self.epoch += 1
        self.batch, self.loss_sum, self.images, self.seconds = 0, 0.0, 0, 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return what JSON can hold, with None for NaN."""
        return {name: plain(value) for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, path: str | os.PathLike[str], values: dict[str, Any]) -> Progress:
        """Return the Progress that `as_dict` wrote into a file."""
        try:
            progress = cls(**values)
        except TypeError as error:
            raise CheckpointError("resume", str(path), "the position of a run", error) from None
        progress.best_score = math.nan if progress.best_score is None else progress.best_score
        progress.history = [_with_nan(record) for record in progress.history]
        return progress


@dataclass(frozen=True)
class Result:
    """What a run has come to.

    Parameters
    ----------
    history : list of dict
        One record an epoch, as in ``metrics.jsonl``, with NaN where there is no score.
    best_epoch : int or None
        Number of the epoch with the best validation score, counted from 1.
    best_score : float
        That score, of a segmentation the mean IoU over the classes.
    interrupted : bool
        Ctrl-C ended it early; ``last.safetensors`` continues it.
    folder : Path
        Where the files are.
    """

    history: list[Record]
    best_epoch: int | None
    best_score: float
    interrupted: bool
    folder: Path


def plain(value: Any) -> Any:
    """Return a value for JSON: None for inf and NaN, which it lacks."""
    if isinstance(value, dict):
        return {name: plain(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_nan(value: Any) -> Any:
    """Undo `plain`."""
    if isinstance(value, dict):
        return {name: _with_nan(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_with_nan(entry) for entry in value]
    return math.nan if value is None else value


def write_history(path: str | os.PathLike[str], history: list[Record]) -> None:
    """Write one JSON object a line, in one step: a killed run leaves no half line."""
    lines = [json.dumps(plain(record), allow_nan=False) + "\n" for record in history]
    write_bytes_atomically(path, "".join(lines).encode())
