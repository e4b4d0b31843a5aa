"""Read and write .safetensors files through the safetensors library, with the errors, limits and atomic writes of rawseg."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rawseg_kernels._memory import limit_bytes

from .errors import CheckpointError
from .files import atomic_write, check_path, sweep_temporaries

DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint64", "uint32", "uint16", "uint8", "bool")
METADATA = "__metadata__"
READERS = {".onnx": "rawseg.onnx.load", ".json": "rawseg.tfjs.load"}


def write(path: str | os.PathLike[str], arrays: dict[str, np.ndarray], metadata: dict[str, str]) -> None:
    """Write a file in one step: the old one stays until the new one is complete, synced, and read back without a difference.

    Parameters
    ----------
    path : str or path
        The file to make or to replace.
    arrays : dict of ndarray
        Of the dtypes in ``DTYPES``.
    metadata : dict of str
        Free text; one entry, since the library writes several in no fixed order and equal contents shall give equal bytes.

    Raises
    ------
    CheckpointError
        If the file cannot be written, or reads back differently. Then the old file is as it was.
    """
    from safetensors.numpy import save

    contents = save({name: arrays[name] for name in sorted(arrays)}, metadata)
    with atomic_write(path, CheckpointError) as file:
        sweep_temporaries(Path(os.path.realpath(path)).parent)
        file.write(contents)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").digest()  # type: ignore[arg-type]
        if digest != hashlib.sha256(contents).digest():
            raise CheckpointError("save", str(path), "to read back what was written", "other bytes: check the disk")


def as_bytes(array: np.ndarray) -> memoryview:
    """Return the elements' bytes in C order, little-endian, without a copy where that is possible."""
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the arrays by name, and the metadata.

    Raises
    ------
    CheckpointError
        If the file cannot be read, contradicts the format, or is larger than the memory of this machine.
    """
    with _opened(path) as file:
        arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
        for name, array in arrays.items():
            if array.dtype.name not in DTYPES:  # NumPy knows more of them where another package has brought them along
                raise ValueError(f"{name} of {array.dtype.name}, which is none of {', '.join(DTYPES)}")
        return arrays, file.metadata() or {}


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return only the metadata; raises as `read`."""
    with _opened(path) as file:
        return file.metadata() or {}


@contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a file; whatever the library says against it becomes a CheckpointError that names the file."""
    from safetensors import SafetensorError, safe_open

    check_path("load", path)
    try:
        with open(path, "rb") as file:  # the system's own word on what cannot be opened, and the size
            size, head = os.fstat(file.fileno()).st_size, file.read(9)
        if size > limit_bytes():
            expected = f"at most {limit_bytes()} bytes (RAWSEG_MEMORY_LIMIT, else this machine's memory)"
            raise CheckpointError("load", str(path), expected, size)
        if head[8:] != b"{":  # after 8 bytes of its length begins a header of JSON
            raise CheckpointError("load", str(path), "an intact .safetensors file", _other_kind(path, head))
        with safe_open(os.fspath(path), framework="numpy") as opened:
            yield opened
    except OSError as cause:
        name = errno.errorcode.get(cause.errno or 0, type(cause).__name__)
        raise CheckpointError("load", str(path), "a file that can be read", f"{name}: {cause.strerror or cause}") from cause
    except (SafetensorError, TypeError, ValueError, AttributeError) as cause:  # the last three: dtypes that NumPy lacks
        if isinstance(cause, CheckpointError):
            raise
        raise CheckpointError("load", str(path), "an intact .safetensors file", " ".join(str(cause).split())) from cause


def _other_kind(path: str | os.PathLike[str], head: bytes) -> str:
    """Return what a file is that cannot be a .safetensors file, and what reads it."""
    if not head:
        return "an empty file"
    if head.startswith((b"PK\3\4", b"\x80")):
        return "a file of torch.save, which rawseg.models.load_pretrained reads"
    suffix = Path(path).suffix.lower()
    reader = f"; {READERS[suffix]} reads {suffix} files" if suffix in READERS else ""
    return f"one that is neither that nor a file of torch.save{reader}"
