"""Elements of tensors in files beside the model: only regular files of its own folder are opened."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping

from ...errors import CheckpointError

__all__ = ["content_of"]

NUMBER = re.compile(r"[0-9]{1,18}")


def content_of(entries: Mapping[str, str], needed: int, folder: str | None, label: str) -> bytes:
    """Return the bytes of a tensor.

    Parameters
    ----------
    entries : mapping
        ``location``, and as text ``offset`` and ``length`` in bytes; by default the start of the file, and what is needed.
    needed : int
        Bytes that the tensor's shape and dtype ask for.
    folder : str or None
        Of the model's file.
    label : str
        What to call the tensor in errors.

    Raises
    ------
    CheckpointError
        If the path leaves the folder, also through a symbolic link, is no file, or the file has not those bytes.
    """
    if folder is None:
        raise CheckpointError("load", label, "elements inside the model (or load it by its path)", "elements in another file")
    path = _inside(folder, entries.get("location", ""), label)
    offset, length = (_number(entries, key, default, label) for key, default in (("offset", 0), ("length", needed)))
    if length != needed:
        raise CheckpointError("load", label, f"{needed} bytes for its shape and dtype", length)
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError("load", label, f"a file {path}", "something else")
        if offset + needed > status.st_size:
            raise CheckpointError("load", label, f"{path} of at least {offset + needed} bytes", status.st_size)
        with open(path, "rb") as file:
            file.seek(offset)
            content = file.read(needed)
    except OSError as cause:
        raise CheckpointError("load", label, f"a file {path} that can be read", cause.strerror or cause) from cause
    if len(content) != needed:
        raise CheckpointError("load", label, f"{needed} bytes in {path}", len(content))
    return content


def _inside(folder: str, location: str, label: str) -> str:
    """Return the real path of a relative one, which must lie below the folder."""
    parts = re.split(r"[/\\]", location)
    if not location or "\0" in location or os.path.isabs(location) or ".." in parts or ":" in parts[0] or not parts[0]:
        raise CheckpointError("load", label, "a path inside the model's folder", repr(location))
    home, path = os.path.realpath(folder), os.path.realpath(os.path.join(folder, location))
    if os.path.commonpath([home, path]) != home:
        raise CheckpointError("load", label, "a file inside the model's folder", f"{location!r}, a link to {path}")
    return path


def _number(entries: Mapping[str, str], key: str, default: int, label: str) -> int:
    text = entries.get(key)
    if text is None or text == "":
        return default
    if not NUMBER.fullmatch(text):
        raise CheckpointError("load", label, f"an {key} in bytes", repr(text[:40]))
    return int(text)
