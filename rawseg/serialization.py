"""Save and load named arrays as .safetensors, with a manifest by which every bit is checked when it is read.

The file's metadata holds the manifest as JSON under ``rawseg``, with its SHA-256 before it. The manifest tells dtype, shape and
SHA-256 of every array. Files of other programs have no manifest; their structure alone is checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import tensorfile
from .autograd.tensor import Tensor
from .device import device_of, move
from .errors import ArgumentError, ArgumentTypeError, CheckpointError, DTypeError

__all__ = ["load", "load_metadata", "save"]

FORMAT = 1  # of the manifest
SEMANTICS = 1  # of the operations: raised when a result changes on purpose, so that old weights mean something else
MANIFEST = "rawseg"  # the metadata's one key; its value is the SHA-256 of the rest, a colon, and the manifest in JSON
SIGNED = re.compile(r"[0-9a-f]{64}:")
CONTENTS = {"format": int, "kind": str, "rawseg": str, "semantics": int, "total_bytes": int, "tensors": dict, "state": dict}


def save(tensors: Mapping[str, Any], path: str | os.PathLike[str], metadata: Mapping[str, Any] | None = None) -> None:
    """Write Tensors or arrays to a .safetensors file.

    Parameters
    ----------
    tensors : dict of Tensor or ndarray
        For example ``model.state_dict()``.
    path : str or path
        The file to make, or to replace in one step.
    metadata : dict, optional
        Anything that JSON can hold; `load_metadata` returns it.

    Raises
    ------
    ArgumentTypeError, ArgumentError, DTypeError
        If something is not an array, or has a name or a dtype that the format lacks.
    CheckpointError
        If the file cannot be written; a file that was there is as it was.

    Notes
    -----
    The new file is written beside the old one, synced, read back and compared, and only then takes its place. Equal
    contents give equal bytes.

    Examples
    --------
    >>> import rawseg, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rawseg.save({"weight": rawseg.ones(2)}, folder + "/a.safetensors", metadata={"epoch": 3})
    ...     rawseg.load(folder + "/a.safetensors")
    {'weight': tensor([1., 1.])}
    """
    save_arrays(path, tensors, "weights", dict(metadata or {}))


def load(path: str | os.PathLike[str], device: str = "cpu") -> dict[str, Tensor]:
    """Return the Tensors of a .safetensors file, rawseg's own or another program's.

    Parameters
    ----------
    path : str or path
        The file. Nothing in it is executed.
    device : str
        Where the Tensors shall live.

    Returns
    -------
    tensors : dict of Tensor
        In the order in which they were saved, if rawseg saved them.

    Raises
    ------
    CheckpointError
        If the file cannot be read, is damaged, or would not fit into memory.
    """
    arrays, _ = load_arrays(path)
    return {name: Tensor(move(array, device)) for name, array in arrays.items()}


def load_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what was given to `save` as metadata; empty for files of other programs. Raises as `load`."""
    manifest = _manifest(path, tensorfile.read_metadata(path))
    return {} if manifest is None else manifest["state"]


def save_arrays(path: str | os.PathLike[str], tensors: Mapping[str, Any], kind: str, state: dict[str, Any]) -> None:
    """Write named arrays and a JSON-able state; see `save`."""
    from . import __version__

    if not isinstance(tensors, Mapping):
        raise ArgumentTypeError("save", "tensors", "a dict of Tensors, e.g. model.state_dict()", type(tensors).__name__)
    arrays = {name: _as_array(name, tensor) for name, tensor in tensors.items()}
    manifest = {
        "format": FORMAT,
        "kind": kind,
        "rawseg": __version__,
        "semantics": SEMANTICS,
        "total_bytes": sum(array.nbytes for array in arrays.values()),
        "tensors": {name: _description(array) for name, array in arrays.items()},
        "state": state,
    }
    try:
        text = json.dumps(manifest, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ArgumentError("save", "metadata", "what JSON can hold (None for NaN)", error) from None
    tensorfile.write(path, arrays, {MANIFEST: signed(text)})


def load_arrays(path: str | os.PathLike[str], kind: str | None = None) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return verified arrays and the state; with ``kind`` only a file of that kind is accepted. Raises as `load`."""
    arrays, metadata = tensorfile.read(path)
    manifest = _manifest(path, metadata)
    found = None if manifest is None else manifest["kind"]
    if kind is not None and found != kind:
        raise CheckpointError("load", str(path), f"a {kind} file of rawseg", f"a {found or 'foreign'} file")
    if manifest is None:
        return arrays, {}
    described = manifest["tensors"]
    changed = [name for name, array in arrays.items() if described.get(name) != _description(array)]
    changed += sorted(set(described) - set(arrays))
    if changed:
        expected = "arrays that match their SHA-256 in the manifest"
        raise CheckpointError("load", str(path), expected, f"damage in {', '.join(sorted(changed))}")
    return {name: arrays[name] for name in described}, manifest["state"]


def signed(text: str) -> str:
    """Return a text with its SHA-256 before it."""
    return f"{hashlib.sha256(text.encode()).hexdigest()}:{text}"


def _manifest(path: str | os.PathLike[str], metadata: dict[str, str]) -> dict[str, Any] | None:
    """Return the checked manifest, or None for a file of another program."""
    if MANIFEST not in metadata and not any(SIGNED.match(value) for value in metadata.values()):
        return None
    text = metadata.get(MANIFEST, "").partition(":")[2]
    if signed(text) != metadata.get(MANIFEST):
        raise CheckpointError("load", str(path), "a manifest that matches its SHA-256", "a damaged one")
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict) or any(not isinstance(manifest.get(key), kind) for key, kind in CONTENTS.items()):
        raise CheckpointError("load", str(path), f"a manifest with {', '.join(CONTENTS)}", "one without")
    if manifest["format"] > FORMAT:
        expected = f"a manifest of format {FORMAT} or older"
        raise CheckpointError(
            "load", str(path), expected, f"{manifest['format']}, of rawseg {manifest['rawseg']}: update rawseg"
        )
    return manifest


def _as_array(name: Any, tensor: Any) -> np.ndarray:
    """Return a C-contiguous NumPy array of a dtype that the format has."""
    if not isinstance(name, str):
        raise ArgumentTypeError("save", "tensors", "names that are text", repr(name))
    if name == tensorfile.METADATA:
        raise ArgumentError("save", "tensors", "another name: the format keeps this one for itself", name)
    array = tensor.array if isinstance(tensor, Tensor) else np.asarray(tensor) if isinstance(tensor, np.generic) else tensor
    if not device_of(array):
        raise ArgumentTypeError("save", name, "a Tensor or an array", type(array).__name__)
    if array.dtype.name not in tensorfile.DTYPES:
        raise DTypeError("save", name, f"one of {', '.join(tensorfile.DTYPES)}", array.dtype)
    return np.asarray(move(array, "cpu"), array.dtype.newbyteorder("="), order="C")


def _description(array: np.ndarray) -> dict[str, Any]:
    digest = hashlib.sha256(tensorfile.as_bytes(array)).hexdigest()
    return {"dtype": array.dtype.newbyteorder("=").name, "shape": list(array.shape), "sha256": digest}
