"""The weights of a model for TensorFlow.js: bytes in files beside model.json, which its manifest cuts into arrays.

A file is opened only if it lies in model.json's own folder, and read only if its size is what the manifest adds up to.
Quantised weights are brought back to float32 as TensorFlow.js does: ``value * scale + min``.
"""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rawseg_kernels._memory import limit_bytes

from ..errors import CheckpointError

__all__ = ["read_weights"]

DTYPES = {"float32": "<f4", "int32": "<i4", "bool": "|b1", "uint8": "|u1"}
QUANTISED = {"float16": "<f2", "uint8": "|u1", "uint16": "<u2"}
MOST_AXES = 8


def read_weights(manifest: Any, folder: Path) -> dict[str, np.ndarray]:
    """Return the arrays that a ``weightsManifest`` lists, by name.

    Raises
    ------
    CheckpointError
        If the manifest contradicts itself or its files, or one of these is missing or lies elsewhere.
    """
    if not isinstance(manifest, list):
        raise CheckpointError("tfjs", "weightsManifest", "a list of groups", type(manifest).__name__)
    weights: dict[str, np.ndarray] = {}
    held = 0
    for group in manifest:
        if (
            not isinstance(group, dict)
            or not isinstance(group.get("paths"), list)
            or not isinstance(group.get("weights"), list)
        ):
            raise CheckpointError("tfjs", "weightsManifest", "groups with paths and weights", repr(group)[:80])
        entries = [_checked(entry) for entry in group["weights"]]
        held += sum(_held(entry["dtype"], shape) for entry, shape, _ in entries)
        if held > limit_bytes():  # all groups together: many can name one and the same file
            expected = f"weights of at most {limit_bytes()} bytes (RAWSEG_MEMORY_LIMIT, else this machine's memory)"
            raise CheckpointError("tfjs", "weightsManifest", expected, held)
        data = _joined(group["paths"], folder, sum(size for *_, size in entries))
        begin = 0
        for entry, shape, size in entries:
            if entry["name"] in weights:
                raise CheckpointError("tfjs", "weightsManifest", "every weight once", f"{entry['name']} twice")
            weights[entry["name"]] = _array(entry, shape, data[begin : begin + size])
            begin += size
    return weights


def _checked(entry: Any) -> tuple[dict[str, Any], tuple[int, ...], int]:
    """Return an entry, its shape, and how many bytes of the files are its."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise CheckpointError("tfjs", "weightsManifest", "weights with a name", repr(entry)[:80])
    name, shape, dtype = entry["name"], entry.get("shape"), entry.get("dtype")
    if not isinstance(shape, list) or len(shape) > MOST_AXES or not all(type(n) is int and n >= 0 for n in shape):
        raise CheckpointError("tfjs", name, f"a shape of at most {MOST_AXES} whole numbers", repr(shape)[:80])
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise CheckpointError("tfjs", name, f"a dtype of {', '.join(DTYPES)}", repr(dtype)[:40])
    stored = DTYPES[dtype]
    if "quantization" in entry:
        stored = _quantised(name, dtype, entry["quantization"])
    held = _held(dtype, shape)
    if held > limit_bytes():
        expected = f"at most {limit_bytes()} bytes (RAWSEG_MEMORY_LIMIT, else this machine's memory)"
        raise CheckpointError("tfjs", name, expected, f"{held} for shape {tuple(shape)}")
    return entry, tuple(shape), np.dtype(stored).itemsize * math.prod(shape)


def _held(dtype: str, shape: Sequence[int]) -> int:
    """Return the bytes of an array; NumPy's limits hold for empty ones, too."""
    return np.dtype(DTYPES[dtype]).itemsize * math.prod(n or 1 for n in shape)


def _quantised(name: str, dtype: str, quantization: Any) -> str:
    """Return the dtype in which quantised weights are stored."""
    if not isinstance(quantization, dict) or str(quantization.get("dtype")) not in QUANTISED:
        raise CheckpointError("tfjs", name, f"a quantization to {', '.join(QUANTISED)}", repr(quantization)[:80])
    wanted = ("float32",) if quantization["dtype"] == "float16" else ("float32", "int32")
    if dtype not in wanted:
        raise CheckpointError("tfjs", name, f"quantised weights that were {' or '.join(wanted)}", dtype)
    if quantization["dtype"] != "float16":
        numbers = [quantization.get(key) for key in ("scale", "min")]
        if not all(isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n) for n in numbers):
            raise CheckpointError("tfjs", name, "a quantization with numbers scale and min", repr(quantization)[:80])
    return QUANTISED[quantization["dtype"]]


def _joined(paths: list[Any], folder: Path, size: int) -> bytes:
    """Return the bytes of a group's files, one after the other."""
    files = [_inside(path, folder) for path in paths]
    try:
        found = [os.stat(file) for file in files]
        if not all(stat.S_ISREG(status.st_mode) for status in found):
            raise CheckpointError("tfjs", "weightsManifest", "paths of files", "a folder or a device among them")
        if sum(status.st_size for status in found) != size:
            expected = f"{size} bytes in {', '.join(map(repr, paths[:4]))}, as the weights add up to"
            raise CheckpointError("tfjs", "weightsManifest", expected, sum(status.st_size for status in found))
        data = b"".join(file.read_bytes() for file in files)
    except OSError as error:
        raise CheckpointError("tfjs", str(error.filename), "a file that can be read", error.strerror or error) from error
    if len(data) != size:
        raise CheckpointError("tfjs", "weightsManifest", f"{size} bytes", f"{len(data)}: a file changed while it was read")
    return data


def _inside(path: Any, folder: Path) -> Path:
    """Return the file of a path that does not leave the folder, by links either."""
    if isinstance(path, str) and path and "\0" not in path:
        file = (folder / path).resolve()
        if not Path(path).is_absolute() and file.is_relative_to(folder.resolve()):
            return file
    raise CheckpointError("tfjs", "weightsManifest", "paths of files in the folder of model.json", repr(path)[:120])


def _array(entry: dict[str, Any], shape: tuple[int, ...], data: bytes) -> np.ndarray:
    """Return one weight, dequantised."""
    quantization, dtype = entry.get("quantization"), np.dtype(DTYPES[entry["dtype"]]).newbyteorder("=")
    if quantization is None:
        if entry["dtype"] == "bool" and data.strip(b"\0\1"):
            raise CheckpointError("tfjs", entry["name"], "bools of 0 and 1", "others")
        return np.frombuffer(data, DTYPES[entry["dtype"]]).astype(dtype).reshape(shape)
    stored = np.frombuffer(data, QUANTISED[quantization["dtype"]]).reshape(shape)
    if quantization["dtype"] == "float16":
        return stored.astype(np.float32)
    with np.errstate(over="ignore"):
        values = stored.astype(np.float64) * quantization["scale"] + quantization["min"]  # JavaScript's numbers are doubles
        if dtype.kind == "f":
            return values.astype(np.float32)
    rounded = np.floor(values + 0.5)  # JavaScript's Math.round
    if rounded.size and not np.abs(rounded).max() < 2**31:
        raise CheckpointError("tfjs", entry["name"], "whole numbers of 32 bits", "larger ones")
    return rounded.astype(np.int32)
