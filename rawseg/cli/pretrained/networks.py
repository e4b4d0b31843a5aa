"""``rawseg predict --model NAME``: which networks there are, and where their weights are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from ...errors import ArgumentError

__all__ = ["NETWORKS", "Network", "of_name"]


class Network(Protocol):
    """What `rawseg predict` asks of a network."""

    def predict(self, paths: list[Path], out: Path, overlay: bool) -> None:
        """Predict for every image, write into a folder and print a line each."""
        ...


def _mobilenet_v2(path: Path, device: str) -> Network:
    from .classes import ImageNetClasses

    return ImageNetClasses(path, device)


def _selfie(path: Path, device: str) -> Network:
    from .persons import Persons

    return Persons(path, device)


NETWORKS: dict[str, Callable[[Path, str], Network]] = {"mobilenet_v2": _mobilenet_v2, "selfie": _selfie}


def of_name(name: str, weights: Path | None, device: str) -> Network:
    """Return a network with its weights: those of ``--weights``, else of a package.

    Raises
    ------
    ArgumentError
        If there is no such network.
    CheckpointError
        If neither a file was given nor the package is installed, or if the file is damaged.
    """
    from ...interchange import packages

    if name not in NETWORKS:
        raise ArgumentError("predict", "--model", f"one of {', '.join(NETWORKS)}", repr(name))
    return NETWORKS[name](packages.find(name) if weights is None else weights, device)
