"""What a demo is asked for, and what all of them do with it: a new folder, a trained model, a table of scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from ...device import move
from ..options import make_folder
from ..output import console


@dataclass(frozen=True)
class Request:
    """The options of ``rawseg demo``.

    Attributes
    ----------
    out : Path
        Where the demo makes its folder.
    data : Path or None
        Where the data are, if not in their usual place.
    epochs : int or None
        How long to train; None for the demo's own length.
    seed : int
        Everything random follows from it.
    device : str
        Where to train.
    plain : bool
        Lines instead of a live bar.
    """

    out: Path
    data: Path | None
    epochs: int | None
    seed: int
    device: str
    plain: bool

    def folder(self, name: str) -> Path:
        """Make and return a folder that no run is in yet."""
        move(np.zeros(0), self.device)  # a device that is none is told now
        return make_folder(free_folder(self.out / name))


def free_folder(folder: Path) -> Path:
    """Return the folder itself, or a numbered one if a run is in it already: no run is ever overwritten."""
    number, candidate = 1, folder
    while candidate.exists() and any(candidate.iterdir()):
        number += 1
        candidate = folder.with_name(f"{folder.name}-{number}")
    return candidate


def show_scores(
    title: str, scores: Mapping[str, Mapping[str, Any]], headings: Mapping[str, str], folder: Path, files: tuple[str, ...]
) -> None:
    """Print a table of scores, write it as scores.json, and name the files that the demo leaves.

    Parameters
    ----------
    title : str
        Of the table.
    scores : mapping of str to mapping
        For each row its numbers by name.
    headings : mapping of str to str
        The numbers that are printed, and their headings.
    folder : Path
        The demo's.
    files : tuple of str
        What to look at in it.
    """
    from ...files import write_bytes_atomically
    from ...training.progress import plain

    write_bytes_atomically(folder / "scores.json", json.dumps(plain(dict(scores)), indent=1, allow_nan=False).encode())
    table = Table(title=title)
    table.add_column("")
    for heading in headings.values():
        table.add_column(heading, justify="right")
    for name, values in scores.items():
        cells = [values.get(key) for key in headings]
        table.add_row(name, *("" if v is None else f"{v:,}" if isinstance(v, int) else f"{v:.4f}" for v in cells))
    screen = console()
    screen.print(table)
    for file in (*files, "scores.json"):
        screen.print(f"  {folder / file}")
