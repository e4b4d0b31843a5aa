"""Learning curves: losses and scores over the epochs."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ArgumentError
from ..pictures.figure import BLUE, FAINT, GREEN, INK, PURPLE, VERMILLION, hexadecimal, new_figure, write_figure
from .progress import SCORES, Record, best_score, score_keys

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def learning_curves(history: Sequence[Record], path: str | os.PathLike[str]) -> None:
    """Draw losses and scores over the epochs.

    Parameters
    ----------
    history : sequence of dict
        As `Trainer.fit` returns it, or as read from ``metrics.jsonl``.
    path : str or path
        A PNG file, replaced in one step.

    Raises
    ------
    ArgumentError
        If the history is empty.
    """
    if not history:
        raise ArgumentError("learning_curves", "history", "at least one epoch", "none")
    scored = bool(score_keys(history[0]))
    figure = new_figure(9.6 if scored else 5.2, 3.8)
    left = figure.add_subplot(1, 2 if scored else 1, 1)
    _curve(left, history, "loss", "training", BLUE)
    left.set_ylabel("loss")
    if scored:
        if "val_loss" in history[0]:
            _curve(left, history, "val_loss", "validation", VERMILLION)
        right = figure.add_subplot(1, 2, 2)
        for key, rgb in reversed(list(zip(score_keys(history[0]), (GREEN, PURPLE)))):
            _curve(right, history, key, SCORES[key], rgb)
        right.set_ylabel("validation score")
        if "val_psnr" not in history[0]:  # decibels
            right.set_ylim(0, 1.02)
        _mark_best(right, history)
    for axes in figure.axes:
        _tidy(axes, len(history))
    write_figure(figure, path)


def _curve(axes: Axes, history: Sequence[Record], key: str, label: str, rgb: tuple[int, int, int]) -> None:
    values = [math.nan if record[key] is None else record[key] for record in history]
    marker = "o" if len(history) <= 40 else ""
    epochs = [record["epoch"] for record in history]
    axes.plot(epochs, values, color=hexadecimal(rgb), label=label, linewidth=1.8, marker=marker, markersize=3.5)


def _mark_best(axes: Axes, history: Sequence[Record]) -> None:
    best = [record for record in history if record.get("best") and best_score(record) is not None]
    if best and not math.isnan(best_score(best[-1])):
        epoch, score = best[-1]["epoch"], best_score(best[-1])
        name = SCORES[score_keys(best[-1])[0]].removeprefix("mean ")
        label = f"best {name} {score:.3f}, epoch {epoch}"
        axes.plot([epoch], [score], "o", color="none", markeredgecolor=INK, markersize=9, label=label)


def _tidy(axes: Axes, epochs: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, max(epochs, 2) + 0.5)
    axes.grid(color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=INK, length=3)
    axes.legend(frameon=False, fontsize=9)
