"""The files of a run: the best weights, a checkpoint to continue from, and the history as JSON lines."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, CheckpointError
from ..files import sweep_temporaries
from ..optim import Optimizer
from ..optim.lr_scheduler import LRScheduler
from ..serialization import save
from .checkpoint import load_checkpoint, save_checkpoint
from .progress import Progress, Record, plain, score_keys, write_history

BEST, LAST, HISTORY = "best.safetensors", "last.safetensors", "metrics.jsonl"


class RunFolder:
    """Writes and reads the files of one run, each in one step.

    Parameters
    ----------
    folder : str or path
        Made if it is not there.
    model, optimizer, schedule
        What a checkpoint holds.
    loader : dict
        What decides the batches, apart from the data; a resumed run must have the same.
    about : dict
        Metadata for both weight files.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        model: Any,
        optimizer: Optimizer,
        schedule: LRScheduler | None,
        loader: dict[str, Any],
        about: dict[str, Any],
    ) -> None:
        self.path, self.loader, self.about = Path(folder), loader, about
        self.model, self.optimizer, self.schedule = model, optimizer, schedule

    @property
    def last(self) -> Path:
        """The checkpoint."""
        return self.path / LAST

    def begin(self) -> None:
        """Make the folder; ArgumentError if there is a run in it already."""
        if self.last.exists():
            expected = f"True, or another folder, or {self.last} removed"
            raise ArgumentError("fit", "resume", expected, "False, which would overwrite that run")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as cause:
            raise CheckpointError("fit", str(self.path), "a folder that can be made", cause.strerror) from cause
        sweep_temporaries(self.path)

    def resume(self) -> Progress:
        """Load the checkpoint into model, optimizer and schedule, and cut the history to what it knows."""
        sweep_temporaries(self.path)
        state = load_checkpoint(self.last, self.model, self.optimizer, self.schedule, self._check)
        progress = Progress.from_dict(self.last, state["progress"])
        write_history(self.path / HISTORY, progress.history)
        return progress

    def _check(self, state: dict[str, Any]) -> None:
        Progress.from_dict(self.last, state["progress"])
        if state["loader"] != self.loader:
            raise CheckpointError("fit", "loader", f"{self.loader}, as it is now", state["loader"])

    def save_best(self, record: Record) -> None:
        """Write the weights, with the epoch and score that they are from."""
        origin = {name: plain(record[name]) for name in ("epoch", "step", score_keys(record)[0])}
        save(self.model.state_dict(), self.path / BEST, {**self.about, **origin})

    def save_last(self, progress: Progress) -> None:
        """Write the checkpoint."""
        state = {**self.about, "loader": self.loader, "progress": progress.as_dict()}
        save_checkpoint(self.last, self.model, self.optimizer, self.schedule, state)

    def save_history(self, progress: Progress) -> None:
        """Write the records of all epochs."""
        write_history(self.path / HISTORY, progress.history)
