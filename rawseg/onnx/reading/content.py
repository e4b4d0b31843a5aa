"""From bytes to a message of the onnx package."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

import onnx
from google.protobuf.message import DecodeError

from rawseg_kernels._memory import limit_bytes

from ...errors import ArgumentTypeError, CheckpointError

__all__ = ["message"]


def message(source: Any) -> tuple[onnx.ModelProto, str, str | None]:
    """Return the model, what to call it in errors, and the folder of its file, if it has one."""
    if isinstance(source, onnx.ModelProto):
        return source, "model", None
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _parsed(bytes(source), "model"), "model", None
    if not isinstance(source, (str, os.PathLike)):
        raise ArgumentTypeError("load", "source", "a path, bytes or an onnx.ModelProto", type(source).__name__)
    label = os.fspath(source)
    return _parsed(_content(label), label), label, os.path.dirname(os.path.abspath(label))


def _content(path: str) -> bytes:
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError("load", path, "a file", "a folder or a device")
        if status.st_size > limit_bytes():
            expected = f"at most {limit_bytes()} bytes (RAWSEG_MEMORY_LIMIT, else this machine's memory)"
            raise CheckpointError("load", path, expected, status.st_size)
        with open(path, "rb") as file:
            return file.read(status.st_size)
    except (OSError, ValueError) as cause:  # a path with a NUL is a ValueError
        number = getattr(cause, "errno", None) or 0
        name = errno.errorcode.get(number, type(cause).__name__)
        text = getattr(cause, "strerror", None) or cause
        raise CheckpointError("load", path, "a file that can be read", f"{name}: {text}") from cause


def _parsed(content: bytes, label: str) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as cause:
        raise CheckpointError("load", label, "an intact ONNX file", f"{len(content)} bytes that are none: {cause}") from cause
    if not model.HasField("graph"):
        raise CheckpointError("load", label, "an ONNX file with a graph", f"{len(content)} bytes without one")
    return model
