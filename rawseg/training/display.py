"""What a run shows: a live bar on a terminal, one line an epoch everywhere else."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from .progress import SCORES, Record, score_keys


def line(record: Record, epochs: int) -> str:
    """Return an epoch's record in one line of fixed columns."""
    width = len(str(epochs))
    parts = [f"epoch {record['epoch']:{width}d}/{epochs}", f"loss {record['loss']:.4f}"]
    if "val_loss" in record:
        parts += [f"val loss {record['val_loss']:.4f}"]
    parts += [f"{SCORES[key].removeprefix('mean ')} {record[key]:.4f}" for key in score_keys(record)]
    parts += [f"lr {record['lr']:.2e}", f"{record['images_per_second']:.1f} images/s", f"{record['seconds']:.1f} s"]
    return "  ".join(parts) + ("  best" if record.get("best") else "")


def display(epochs: int, batches: int, done: int, plain: bool | None) -> PlainDisplay:
    """Return the display for this terminal, or for the lack of one.

    Parameters
    ----------
    epochs, batches : int
        Length of the run, and of each epoch.
    done : int
        Batches done before.
    plain : bool or None
        True for lines in any case; None for lines unless standard output is a terminal and ``NO_COLOR`` is not set.
    """
    if plain is None:
        plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return PlainDisplay(epochs) if plain else LiveDisplay(epochs, batches, done)


class PlainDisplay:
    """One line an epoch, written at once.

    Parameters
    ----------
    epochs : int
        Length of the run.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave the terminal as it was."""

    def batch(self, epoch: int, loss: float, images: int) -> None:
        """Show one more batch of the epoch, counted from 0."""

    def epoch(self, record: Record) -> None:
        """Show a finished epoch."""
        self.say(line(record, self.epochs))

    def say(self, text: str) -> None:
        """Show a line."""
        print(text, flush=True)


class LiveDisplay(PlainDisplay):
    """A bar over the whole run, with the loss, images a second and the time left; finished epochs scroll by above it.

    Parameters
    ----------
    epochs, batches : int
        Length of the run, and of each epoch.
    done : int
        Batches done before.
    """

    def __init__(self, epochs: int, batches: int, done: int) -> None:
        super().__init__(epochs)
        from rich import progress

        self._bar = progress.Progress(
            progress.TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            progress.BarColumn(bar_width=None),
            progress.TaskProgressColumn(),
            progress.TextColumn("loss [bold]{task.fields[loss]}"),
            progress.TextColumn("{task.fields[speed]} images/s"),
            progress.TimeRemainingColumn(elapsed_when_finished=True),
            expand=True,
        )
        fields: dict[str, Any] = {"epoch": done // batches + 1, "epochs": epochs, "loss": "-", "speed": "-"}
        self._task = self._bar.add_task("train", total=epochs * batches, completed=done, **fields)
        self._smooth: float | None = None  # images a second
        self._last = time.monotonic()

    def __enter__(self) -> PlainDisplay:
        self._bar.start()
        self._last = time.monotonic()
        return self

    def __exit__(self, *_exception: object) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    def batch(self, epoch: int, loss: float, images: int) -> None:
        """Show one more batch of the epoch, counted from 0."""
        now = time.monotonic()
        speed = images / max(now - self._last, 1e-9)
        self._last = now
        self._smooth = speed if self._smooth is None else 0.8 * self._smooth + 0.2 * speed
        self._bar.update(self._task, advance=1, epoch=epoch + 1, loss=f"{loss:.4f}", speed=f"{self._smooth:.1f}")

    def epoch(self, record: Record) -> None:
        """Show a finished epoch."""
        super().epoch(record)
        self._last = time.monotonic()  # validation is not the next batch's time

    def say(self, text: str) -> None:
        """Show a line above the bar."""
        self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
