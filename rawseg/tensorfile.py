"""The safetensors format: a JSON header that tells dtype, shape and place of every array, then the arrays' bytes.

Layout (github.com/huggingface/safetensors): 8 bytes, the header's length as a little-endian integer; the header,
``{"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "value"}}``; then
the data, which the arrays cover without hole or overlap. Nothing in such a file is ever executed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rawseg_kernels._memory import limit_bytes

from .errors import CheckpointError
from .files import atomic_write, sweep_temporaries

DTYPES = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
CODES = {dtype.newbyteorder("=").str: code for code, dtype in DTYPES.items()}
METADATA = "__metadata__"
MOST_HEADER = 100_000_000  # bytes; the format's own limit
MOST_AXES = 32


class Entry(NamedTuple):
    """What the header tells of one array."""

    name: str
    dtype: np.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


class Header(NamedTuple):
    """The header of a file: its arrays in the order of their bytes, and its metadata."""

    entries: list[Entry]
    metadata: dict[str, str]


def write(path: str | os.PathLike[str], arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write a file in one step: the old one stays until the new one is complete, synced, and read back without a difference.

    Parameters
    ----------
    path : str or path
        The file to make or to replace.
    arrays : dict of ndarray
        Of the dtypes in ``DTYPES``.
    metadata : dict of str
        Free text.

    Raises
    ------
    CheckpointError
        If the file cannot be written, or reads back differently. Then the old file is as it was.
    """
    # Wide elements first keeps every array aligned; the rest of the order is the name, so equal contents give equal bytes.
    order = sorted(arrays, key=lambda name: (-arrays[name].itemsize, name))
    header = _header_bytes([(name, arrays[name]) for name in order], metadata)
    sweep_temporaries(Path(os.path.realpath(path)).parent)
    with atomic_write(path, CheckpointError) as file:
        written = hashlib.sha256()
        for piece in (struct.pack("<Q", len(header)), header, *(as_bytes(arrays[name]) for name in order)):
            written.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        if hashlib.file_digest(file, "sha256").digest() != written.digest():  # type: ignore[arg-type]
            raise CheckpointError("save", str(path), "to read back what was written", "other bytes: check the disk")


def as_bytes(array: np.ndarray) -> memoryview:
    """Return the elements' bytes in C order, little-endian, without a copy where that is possible."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data


def _header_bytes(arrays: list[tuple[str, np.ndarray]], metadata: dict[str, str]) -> bytes:
    header: dict[str, Any] = {METADATA: metadata} if metadata else {}
    begin = 0
    for name, array in arrays:
        end = begin + array.nbytes
        code = CODES[array.dtype.newbyteorder("=").str]
        header[name] = {"dtype": code, "shape": list(array.shape), "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays, in the order of their bytes, and the metadata.

    Raises
    ------
    CheckpointError
        If the file cannot be read, or anything in it contradicts the format. The header is checked as a whole, and against
        the file's size and the memory of this machine, before any array is read.
    """
    with _opened(path) as file:
        header = _read_header(path, file)
        arrays = {}
        for entry in header.entries:
            array = np.empty(entry.shape, entry.dtype)
            if file.readinto(array.reshape(-1).view(np.uint8).data) != array.nbytes:
                raise CheckpointError("load", str(path), f"{array.nbytes} bytes of {entry.name}", "the end of the file")
            arrays[entry.name] = array.astype(entry.dtype.newbyteorder("="), copy=False)
        return arrays, header.metadata


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return only the metadata; raises as `read`."""
    with _opened(path) as file:
        return _read_header(path, file).metadata


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BufferedReader]:
    try:
        with open(path, "rb") as file:
            yield file
    except OSError as cause:
        name = errno.errorcode.get(cause.errno or 0, type(cause).__name__)
        raise CheckpointError("load", str(path), "a file that can be read", f"{name}: {cause.strerror or cause}") from cause


def _read_header(path: str | os.PathLike[str], file: BufferedReader) -> Header:
    size = os.fstat(file.fileno()).st_size
    if size > limit_bytes():
        expected = f"at most {limit_bytes()} bytes (RAWSEG_MEMORY_LIMIT, else this machine's memory)"
        raise CheckpointError("load", str(path), expected, size)
    start = file.read(8)
    length = struct.unpack("<Q", start)[0] if len(start) == 8 else -1
    if not 2 <= length <= min(size - 8, MOST_HEADER):
        expected = "a safetensors file, which begins with the length of its header"
        raise CheckpointError("load", str(path), expected, f"a length of {length} in a file of {size} bytes")
    try:
        header = json.loads(file.read(length).decode(), object_pairs_hook=_without_repetition)
    except (ValueError, RecursionError) as error:
        raise CheckpointError("load", str(path), "a header in JSON", f"{type(error).__name__}: {error}") from None
    try:
        return _parse(header, size - 8 - length)
    except ValueError as error:
        raise CheckpointError("load", str(path), "an intact safetensors header and all of its data", error) from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name that occurs twice")
    return found


def _parse(header: Any, size: int) -> Header:
    """Check a header against the number of data bytes; ValueError tells what is wrong."""
    if not isinstance(header, dict):
        raise ValueError(f"a {type(header).__name__} instead of an object")
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("metadata that is not text")
    entries = sorted((_entry(name, value) for name, value in header.items()), key=lambda entry: (entry.begin, entry.end))
    place = 0
    for entry in entries:
        if entry.begin != place:
            raise ValueError(f"{entry.name} at {entry.begin} instead of {place}")
        place = entry.end
    if place != size:
        raise ValueError(f"{size} bytes of data instead of {place}")
    return Header(entries, metadata)


def _entry(name: str, value: Any) -> Entry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"no dtype, shape and data_offsets for {name}")
    code, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(code, str) or code not in DTYPES:
        raise ValueError(f"dtype {code!r} of {name}, which NumPy lacks")
    if not _naturals(shape) or len(shape) > MOST_AXES or not _naturals(offsets) or len(offsets) != 2:
        raise ValueError(f"shape {shape} and data_offsets {offsets} of {name}")
    # Zeros count as 1 here: NumPy refuses (0, huge) too.
    if math.prod(max(n, 1) for n in shape) * DTYPES[code].itemsize >= 2**62:
        raise ValueError(f"shape {shape} of {name}")
    if offsets[1] - offsets[0] != math.prod(shape) * DTYPES[code].itemsize:
        raise ValueError(f"{offsets[1] - offsets[0]} bytes for {code} of shape {shape} of {name}")
    return Entry(name, DTYPES[code], tuple(shape), *offsets)


def _naturals(values: Any) -> bool:
    return isinstance(values, list) and all(type(value) is int and value >= 0 for value in values)
