"""Weight files that know their network: one .safetensors with the weights, the model's name and its options."""

from __future__ import annotations

import os
from typing import Any

from ..errors import ArgumentError, ArgumentTypeError, CheckpointError
from ..serialization import load, load_metadata, save

CHECKPOINT = "model."  # how the weights are named in a training checkpoint

__all__ = ["describe", "load_model", "save_model"]


def describe(model: Any, class_names: list[str] | None = None) -> dict[str, Any]:
    """Return what a file must say so that `load_model` can build the network again."""
    return {"model": model.name, "config": dict(model.config), "class_names": class_names}


def save_model(model: Any, path: str | os.PathLike[str], class_names: list[str] | None = None) -> None:
    """Write a model that `rawseg.models.build` made.

    Raises
    ------
    CheckpointError
        If the file cannot be written; one that was there is as it was.
    """
    save(model.state_dict(), path, describe(model, class_names))


def load_model(path: str | os.PathLike[str], device: str = "cpu") -> Any:
    """Build the network that a file describes, and load its weights.

    Returns
    -------
    Module
        In eval mode, with ``class_names`` (a list or None).

    Raises
    ------
    CheckpointError
        If the file is damaged, was not written by rawseg, or does not fit the network that it names.
    """
    from . import build

    about = load_metadata(path)
    if not isinstance(about.get("model"), str) or not isinstance(about.get("config"), dict):
        expected = "weights that tell their model, such as best.safetensors of a run"
        raise CheckpointError("load_model", str(path), expected, "a file without")
    try:
        model = build(about["model"], **_options(about))
    except (ArgumentError, ArgumentTypeError, TypeError) as error:
        raise CheckpointError("load_model", str(path), "a model that this version can build", error) from None
    weights = load(path)
    if any(name.startswith(CHECKPOINT) for name in weights):  # of a run: the optimizer's arrays are left aside
        weights = {name.removeprefix(CHECKPOINT): t for name, t in weights.items() if name.startswith(CHECKPOINT)}
    model.load_state_dict(weights)
    model.class_names = about.get("class_names")
    return model.to(device).eval()


def _options(about: dict[str, Any]) -> dict[str, Any]:
    """Return the options that the named constructor takes; a fixed architecture fixes the rest."""
    config = dict(about["config"])
    if about["model"] == "unet_paper":
        return {name: config[name] for name in ("in_channels", "classes") if name in config}
    return config
