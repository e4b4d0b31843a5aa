"""``rawseg train --pretrained``: a network that begins with the features of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..output import console

__all__ = ["fill", "weight_file"]

FILE = "--pretrained FILE"


def weight_file(given: str, channels: int) -> Path:
    """Return the file that ``--pretrained`` means: a path, or that of a package.

    Raises
    ------
    ArgumentError
        If it is neither, or images have other than three channels.
    CheckpointError
        If the package is not installed, or holds another file than the one that was tried.
    """
    from ...errors import ArgumentError
    from ...interchange import packages

    if channels != 3:
        expected = "3 with --pretrained, whose weights are for colour images (grey ones are read as three equal channels)"
        raise ArgumentError("train", "--channels", expected, channels)
    path = Path(given)
    return path if path.exists() else packages.find(given, FILE)


def fill(net: Any, path: Path) -> None:
    """Load the classifier's features into a network, and print what was left out."""
    from ...models import load_backbone

    report = load_backbone(net, path)
    left_out = f"; left out: {', '.join(report.unexpected)}" if report.unexpected else ""
    console().print(f"{len(report.loaded)} weights of the backbone from {path.name}{left_out}")
