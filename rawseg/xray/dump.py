"""A dump of an inference: what passes between its stages, in one file from which each stage can be run again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..device import move
from ..errors import ArgumentError, ArgumentTypeError, DataError
from ..models.inference import evaluating
from ..models.mask_rcnn import STAGES, MaskRCNN, Stage, run
from ..serialization import load_arrays, save_arrays
from ..tensorfile import as_bytes

__all__ = ["FILE", "digest_of", "inputs_of", "load", "parts_of", "record", "replay", "stage_named"]

FILE, KIND = "stages.safetensors", "xray"
# How the stages want a value; all others are arrays or lists of arrays.
TENSORS = {
    "batch",
    "maps",
    "objectness",
    "deltas",
    "box_features",
    "class_logits",
    "box_codes",
    "mask_features",
    "mask_logits",
}
SIZES = {"sizes", "original_sizes"}
CONTENTS = {"model": str, "config": dict, "image_size": list, "stages": list, "weights": str}


def record(model: MaskRCNN, image: Any, folder: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Run all stages on one image and write what each gives.

    Parameters
    ----------
    model : MaskRCNN
        Run in eval mode, without gradients; it has its own mode again afterwards.
    image : Tensor or ndarray, shape (C, H, W)
        Values in [0, 1].
    folder : str or path
        Exists; ``stages.safetensors`` in it is replaced in one step.

    Returns
    -------
    dict of ndarray
        The image as ``images.0``, then the values in the stages' order: ``batch``, ``maps.0``, ``maps.1``, ...,
        ``results.boxes``, .... A value that has a part for each level or image has the part's number after its name.

    Raises
    ------
    ArgumentTypeError
        If the model is no MaskRCNN.
    ShapeError
        If the image does not fit it.
    CheckpointError
        If the file cannot be written.
    """
    if not isinstance(model, MaskRCNN):
        raise ArgumentTypeError("xray", "model", "a MaskRCNN", type(model).__name__)
    arrays: dict[str, np.ndarray] = {}

    def seen(stage: Stage, given: dict[str, Any]) -> None:
        arrays.update(_all_named(given))

    with no_grad(), evaluating(model):
        run(model, {"images": [image]}, seen)
    arrays = dict(_named("images", [image])) | arrays
    about = {
        "model": model.name,
        "config": dict(model.config),
        "image_size": list(image.shape[1:]),
        "stages": [stage.name for stage in STAGES],
        "weights": digest_of(model),
    }
    save_arrays(Path(folder) / FILE, arrays, KIND, about)
    return arrays


def load(folder: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays of a dump, and what it tells of itself.

    Returns
    -------
    arrays : dict of ndarray
        As `record` returned them, bit for bit.
    about : dict
        ``model`` and ``config``, ``image_size`` [H, W], ``stages`` (names) and ``weights`` (a SHA-256).

    Raises
    ------
    CheckpointError
        If the file is missing, damaged or none of `record`.
    DataError
        If its stages or values are not those of this version.
    """
    path = Path(folder) / FILE
    arrays, about = load_arrays(path, KIND)
    if any(not isinstance(about.get(name), kind) for name, kind in CONTENTS.items()):
        raise DataError("xray", str(path), f"a dump that tells {', '.join(CONTENTS)}", f"one that tells {sorted(about)}")
    names = [stage.name for stage in STAGES]
    if about["stages"] != names:
        raise DataError("xray", str(path), f"the stages {names}", f"{about['stages']}: record it again")
    missing = [name for name in ("images", *(n for stage in STAGES for n in stage.gives)) if not parts_of(name, arrays)]
    if missing:
        raise DataError("xray", str(path), "every value of every stage", f"none of {', '.join(missing)}")
    return arrays, about


def stage_named(name: str) -> Stage:
    """Return a stage; ArgumentError if there is none of this name."""
    found = {stage.name: stage for stage in STAGES}
    if name not in found:
        raise ArgumentError("xray", "stage", f"one of {list(found)}", repr(name))
    return found[name]


def parts_of(name: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Return the names of a value's arrays in a dump: its own, or those of its parts, in their order."""
    return [key for key in arrays if key == name or key.startswith(f"{name}.")]


def inputs_of(stage: Stage, arrays: Mapping[str, np.ndarray], device: str = "cpu") -> list[Any]:
    """Return the values that a stage reads, as it wants them, from a dump's arrays.

    Parameters
    ----------
    stage : Stage
        One of `rawseg.models.mask_rcnn.STAGES`.
    arrays : mapping of ndarray
        A dump's, or those of several.
    device : str
        Where Tensors shall live.

    Raises
    ------
    DataError
        If a value is not among the arrays.
    """
    return [_value(name, arrays, device, stage) for name in stage.reads]


def replay(model: MaskRCNN, stage: Stage | str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run one stage on a dump's arrays and return what it gives, named as in a dump.

    Parameters
    ----------
    model : MaskRCNN
        Run in eval mode, without gradients.
    stage : Stage or str
        The stage or its name.
    arrays : mapping of ndarray
        At least those of the values that the stage reads; from which dump each comes is up to the caller.

    Raises
    ------
    ArgumentError
        If there is no such stage.
    DataError
        If a value that it reads is missing.
    """
    stage = stage_named(stage) if isinstance(stage, str) else stage
    inputs = inputs_of(stage, arrays, next(model.parameters()).device)
    with no_grad(), evaluating(model):
        given = stage.run(model, *inputs)
    return _all_named(dict(zip(stage.gives, given)))


def digest_of(model: MaskRCNN) -> str:
    """Return the SHA-256 of all weights, with their names, dtypes and shapes."""
    digest = hashlib.sha256()
    for name, tensor in model.state_dict().items():
        array = move(tensor.array, "cpu")
        digest.update(f"{name} {array.dtype.name} {array.shape};".encode())
        digest.update(as_bytes(array))
    return digest.hexdigest()


def _all_named(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: array for value in values.items() for name, array in _named(*value)}


def _named(name: str, value: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yield a value's arrays; of the results there is one dictionary, as there is one image."""
    if name == "results":
        for key, tensor in value[0].items():
            yield f"{name}.{key}", _array(tensor)
    elif isinstance(value, list):
        for i, part in enumerate(value):
            yield f"{name}.{i}", _array(part)
    else:
        yield name, _array(value)


def _array(value: Any) -> np.ndarray:
    """Return an array of its own memory layout's C order, on the CPU; a size (H, W) becomes two int64."""
    if isinstance(value, tuple):
        return np.array(value, np.int64)
    return np.ascontiguousarray(move(value.array if isinstance(value, Tensor) else value, "cpu"))


def _value(name: str, arrays: Mapping[str, np.ndarray], device: str, stage: Stage) -> Any:
    """Return the opposite of `_named`."""
    names = parts_of(name, arrays)
    if not names:
        raise DataError("xray", name, f"arrays of what '{stage.name}' reads", "none")
    parts = [_part(name, arrays[key], device) for key in names]
    return parts[0] if names == [name] else parts


def _part(name: str, array: np.ndarray, device: str) -> Any:
    if name in SIZES:
        return tuple(int(side) for side in array)
    return Tensor(move(array, device)) if name in TENSORS else array
