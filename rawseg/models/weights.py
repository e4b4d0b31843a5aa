"""Weight files that know their network: one .safetensors with the weights, the model's name and its options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ArgumentError, ArgumentTypeError, CheckpointError, type_of
from ..interchange import pickled
from ..nn import Module
from ..nn.init import skipped
from ..serialization import load_arrays, save

MODEL_PREFIX = "model."  # of the weights' names in a training checkpoint

__all__ = ["describe", "load_model", "load_weights", "save_model"]


def describe(model: Any, class_names: list[str] | None = None) -> dict[str, Any]:
    """Return what a file must say so that `load_model` can build the network again."""
    if not hasattr(model, "name") or not hasattr(model, "config"):
        expected = "one with a name and a config, as rawseg.models.build makes (rawseg.save(model.state_dict(), ...) saves any)"
        raise ArgumentTypeError("save_model", "model", expected, type(model).__name__)
    return {"model": model.name, "config": dict(model.config), "class_names": class_names}


def save_model(model: Any, path: str | os.PathLike[str], class_names: list[str] | None = None) -> None:
    """Write a model that `rawseg.models.build` made.

    Raises
    ------
    CheckpointError
        If the file cannot be written; one that was there is as it was.
    ArgumentTypeError
        If the model cannot tell how to build it.
    """
    save(model.state_dict(), path, describe(model, class_names))


def load_model(path: str | os.PathLike[str], device: str = "cpu") -> Any:
    """Build the network that a weight file or a training checkpoint of rawseg describes, and load its weights.

    Returns
    -------
    Module
        In eval mode, with ``class_names`` (a list or None).

    Raises
    ------
    CheckpointError
        If the file is damaged, was not written by rawseg, or does not fit the network that it names.
    """
    from . import build, options_of

    if pickled.is_pickled(path):
        expected = "a .safetensors file that tells its model (build the model, then load_weights or load_pretrained)"
        raise CheckpointError("load_model", str(path), expected, "a file of PyTorch, which tells none")
    weights, about = _read(path)
    if not isinstance(about.get("model"), str) or not isinstance(about.get("config"), dict):
        expected = "weights that tell their model, such as best.safetensors of a run"
        raise CheckpointError("load_model", str(path), expected, "a file without")
    config = about["config"]
    try:
        known = options_of(about["model"])  # a name may stand for a fixed architecture, such as "unet_paper"
        with skipped():  # the file brings every weight
            model = build(about["model"], **{name: value for name, value in config.items() if name in known})
    except (ArgumentError, ArgumentTypeError, TypeError) as error:
        raise CheckpointError("load_model", str(path), "a model that this version can build", error) from None
    differs = sorted(name for name in {*config, *model.config} if config.get(name) != model.config.get(name))
    if differs:
        expected = f"options of {about['model']}, which {differs} are not"
        raise CheckpointError("load_model", str(path), expected, {name: config.get(name) for name in differs})
    _fill(model, weights, path)
    model.class_names = about.get("class_names")
    return model.to(device).eval()


def load_weights(path: str | os.PathLike[str], model: Any) -> None:
    """Load a model's weights from a weight file or from a training checkpoint.

    Parameters
    ----------
    path : str or path
        ``best.safetensors``, ``last.safetensors``, or any .safetensors or .pth file with this model's keys; see
        `load_pretrained` for files whose keys are not quite the model's.
    model : Module
        Receives the weights.

    Raises
    ------
    CheckpointError
        If the file is damaged or does not fit; the message lists every key at fault. Then the model is unchanged.
    """
    if not isinstance(model, Module):
        raise ArgumentTypeError("load_weights", "model", "a rawseg.nn.Module", type_of(model))
    if pickled.is_pickled(path):
        _fill(model, pickled.read(path), path)
    else:
        _fill(model, _read(path)[0], path)


def weights_of(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Return the weights in a .safetensors file: all of its arrays, or of a training checkpoint the model's."""
    return _read(path)[0]


def of_model(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights among the arrays of a training checkpoint."""
    return {name.removeprefix(MODEL_PREFIX): array for name, array in arrays.items() if name.startswith(MODEL_PREFIX)}


def _read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return a file's weights, and what it tells of their model."""
    arrays, state = load_arrays(path)
    if {"optimizer", "rng", "user"} <= set(state):  # a training checkpoint
        return of_model(arrays), state["user"]
    return arrays, state


def _fill(model: Any, weights: dict[str, np.ndarray], path: str | os.PathLike[str]) -> None:
    try:
        model.load_state_dict(weights)
    except CheckpointError as error:
        raise CheckpointError("load", str(path), error.expected, error.got) from None
