"""``rawseg train --pretrained``: a network that begins with the features of another."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..output import console

__all__ = ["Weights", "fill", "weight_file"]

FILE = "--pretrained FILE"


class Weights(NamedTuple):
    """A file, and which entry of it is the state dict, where several could be."""

    path: Path
    entry: str | None = None


def weight_file(given: str, channels: int) -> Weights:
    """Return what ``--pretrained`` means: a path, FILE:ENTRY, or the file of a package.

    Raises
    ------
    ArgumentError
        If it is none of these, or images have other than three channels.
    CheckpointError
        If the package is not installed, or holds another file than the one that was tried.
    """
    from ...errors import ArgumentError
    from ...interchange import packages
    from ...models.encoder_unet import ENCODERS

    if channels != 3:
        expected = "3 with --pretrained, whose weights are for colour images (grey ones are read as three equal channels)"
        raise ArgumentError("train", "--channels", expected, channels)
    path, _, entry = given.rpartition(":")
    if Path(given).exists():
        return Weights(Path(given))
    if path and Path(path).is_file():
        return Weights(Path(path), entry)
    return Weights(packages.find(given, FILE, ENCODERS))


def fill(net: Any, weights: Weights) -> None:
    """Load the classifier's features into a network, and print what was left out."""
    from ...models import load_backbone

    report = load_backbone(net, weights.path, weights.entry)
    left_out = f"; left out: {', '.join(report.unexpected)}" if report.unexpected else ""
    console().print(f"{len(report.loaded)} weights of the backbone from {weights.path.name}{left_out}")
