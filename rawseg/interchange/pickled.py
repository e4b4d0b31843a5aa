"""Read .pth and .pt files of PyTorch, with PyTorch, and nothing in them that is not a tensor.

The one file of rawseg's library that imports torch, and only when such a file is read: ``torch.load(..., weights_only=True)``
knows a fixed list of things to rebuild, all of them data, and refuses the pickles that ask for anything else. What the file
declares is held against its size before anything is believed.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from rawseg_kernels._memory import limit_bytes

from ..errors import CheckpointError
from ..files import check_path

__all__ = ["is_pickled", "read", "read_with_origin"]

CONVERT = (
    "import torch, safetensors.torch as s; "
    "s.save_file(torch.load('net.pth', weights_only=True, map_location='cpu'), 'net.safetensors')"
)
ASKS_FOR = re.compile(r"[Uu]nsupported (?:global: )?GLOBAL (\S+)")  # how PyTorch says it, in two of its messages
ADVICE = re.compile(r"^.*(?:WeightsUnpickler error: |trusted source\. )| Check the documentation.*$")  # how to load it anyway
SAFE = (2, 6)  # CVE-2025-32434
NAMED = 8  # entries that a message lists
DAMAGED = (zipfile.BadZipFile, EOFError, NotImplementedError, ValueError)  # what zipfile raises for such archives


def is_pickled(path: str | os.PathLike[str]) -> bool:
    """Return whether a file begins as PyTorch's do: a zip archive, or a pickle; False for what cannot be opened.

    Raises
    ------
    CheckpointError
        If it is a pipe or a device: reading might wait for ever.
    ArgumentTypeError
        If it is no path.
    """
    check_path("load", path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
            raise CheckpointError("load", str(path), "a file", "a pipe or a device")
        with open(path, "rb") as file:
            head = file.read(9)
    except (OSError, ValueError):  # a path with a NUL is a ValueError
        return False
    return head.startswith((b"PK\x03\x04", b"\x80")) and head[8:] != b"{"  # .safetensors: 8 bytes of a length, then JSON


def read(path: str | os.PathLike[str], entry: str | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of a state dict by name.

    Parameters
    ----------
    path : str or path
        What ``torch.save`` wrote: a state dict, or a dictionary with one among its entries, as training scripts save.
    entry : str, optional
        Which of them, where there are several.

    Returns
    -------
    arrays : dict of ndarray
        In the file's order. They may share memory with each other, as the tensors did. bfloat16 comes as float32.

    Raises
    ------
    CheckpointError
        If the file cannot be read, is damaged, asks for code to be run, declares more than it holds, is no state dict, or
        PyTorch is not installed. Nothing in the file is executed.
    """
    return read_with_origin(path, entry)[0]


def read_with_origin(path: str | os.PathLike[str], entry: str | None = None) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return what `read` does, and the dtypes in the file of what was converted, by name."""
    where = str(path)
    size = _checked_size(path)
    torch = _torch(where)
    try:
        with warnings.catch_warnings(), open(path, "rb") as file:  # a path it would judge by its ending
            warnings.simplefilter("ignore")  # of how PyTorch stores things by now
            found = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file makes an unpickler raise nearly anything
        raise _refused(where, error) from None
    named = _chosen(where, found, entry, torch)
    if not named:
        raise CheckpointError("load", where, "a state dict of tensors", "an empty one")
    for name, tensor in named.items():
        _check_plain(where, name, tensor, torch)
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in named.values()}
    if sum(storages.values()) > size:
        raise CheckpointError("load", where, f"tensors that the file's {size} bytes hold", f"{sum(storages.values())} bytes")
    converted = {name: "bfloat16" for name, tensor in named.items() if tensor.dtype == torch.bfloat16}
    wide = {name: tensor.float() if name in converted else tensor for name, tensor in named.items()}
    return {name: tensor.detach().numpy() for name, tensor in wide.items()}, converted


def _checked_size(path: str | os.PathLike[str]) -> int:
    """Return the file's size, after a look at the archive's directory and checksums, if it is one: nothing is unpacked."""
    where, limit = str(path), limit_bytes()
    try:
        size = os.stat(path).st_size
        with open(path, "rb") as file:
            is_archive = file.read(4) == b"PK\x03\x04"
        if size > limit:
            expected = f"at most {limit} bytes (RAWSEG_MEMORY_LIMIT, else this machine's memory)"
            raise CheckpointError("load", where, expected, size)
        if not is_archive:
            return size
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except OSError as cause:
        name = errno.errorcode.get(cause.errno or 0, type(cause).__name__)
        raise CheckpointError("load", where, "a file that can be read", f"{name}: {cause.strerror or cause}") from cause
    except DAMAGED as cause:
        raise CheckpointError("load", where, "an intact file of torch.save", f"a damaged archive ({cause})") from None
    packed = [member.filename for member in members if member.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise CheckpointError("load", where, "an archive as torch.save writes it, not compressed", f"{packed[0]} compressed")
    declared = sum(member.file_size for member in members)
    if declared > size:
        raise CheckpointError("load", where, f"an archive that holds at most its own {size} bytes", f"{declared} bytes")
    _check_sums(path, members)
    return size


def _check_sums(path: str | os.PathLike[str], members: list[zipfile.ZipInfo]) -> None:
    """Read each member against its CRC, which PyTorch itself does not; 0 is that of none, see its ``set_crc32_options``."""
    try:
        with zipfile.ZipFile(path) as archive:
            for member in members:
                if member.CRC:
                    with archive.open(member) as file:
                        while file.read(1 << 20):
                            pass
    except (*DAMAGED, OSError, RuntimeError) as cause:
        raise CheckpointError(
            "load", str(path), "an intact file of torch.save", f"a damaged archive ({cause})"
        ) from None  # RuntimeError: encrypted


def _torch(where: str) -> Any:
    try:
        import torch
    except ImportError:
        convert = f'or convert the file where torch is installed: python -c "{CONVERT}"'
        expected = f"torch, which reads .pth files: pip install torch ({convert})"
        raise CheckpointError("load", where, expected, "no package torch") from None
    version = re.match(r"(\d+)\.(\d+)", torch.__version__)
    if version is None or (int(version[1]), int(version[2])) < SAFE:
        expected = f"torch {SAFE[0]}.{SAFE[1]} or newer: older ones can be made to run code even where they load weights only"
        raise CheckpointError("load", where, expected, f"torch {torch.__version__}")
    return torch


def _refused(where: str, error: Exception) -> CheckpointError:
    """Say in one line why PyTorch could not load a file; its own advice, to load it with code and all, is left out."""
    text = " ".join(str(error).split())
    asked = ASKS_FOR.search(text)
    if asked:
        expected = "a file of tensors only (save model.state_dict(), not the model)"
        return CheckpointError("load", where, expected, f"one that asks for {asked[1]}, which was not run")
    reason = ADVICE.sub("", text)[:200]
    return CheckpointError("load", where, "an intact file of torch.save", f"{type(error).__name__}: {reason}")


def _chosen(where: str, found: Any, entry: str | None, torch: Any) -> Mapping[str, Any]:
    """Return the state dict: what the file holds, or the one among its entries that is one."""
    if not isinstance(found, Mapping):
        raise CheckpointError("load", where, "a state dict: tensors by name", f"a {type(found).__name__}")
    if entry is None and _is_state_dict(found, torch):
        return found
    inside = {str(name): value for name, value in found.items() if _is_state_dict(value, torch) and value}
    if entry is not None:
        if entry not in inside:
            raise CheckpointError("load", where, f"an entry that is a state dict, one of {_some(inside)}", repr(entry))
        return inside[entry]
    if len(inside) != 1:
        expected = "one state dict of tensors by name among the entries" + (
            " (say which: entry=, or --pretrained FILE:ENTRY)" if inside else ""
        )
        raise CheckpointError("load", where, expected, f"several: {_some(inside)}" if inside else f"none: {_some(found)}")
    return next(iter(inside.values()))


def _is_state_dict(value: Any, torch: Any) -> bool:
    if not isinstance(value, Mapping):
        return False
    return all(isinstance(name, str) and isinstance(tensor, torch.Tensor) for name, tensor in value.items())


def _some(names: Any) -> str:
    shown = [repr(name)[:60] for name in list(names)[:NAMED]]
    return ", ".join(shown) + (", ..." if len(names) > NAMED else "") if shown else "no entries"


def _check_plain(where: str, name: str, tensor: Any, torch: Any) -> None:
    """Refuse what NumPy has no array for, and tensors that show a little memory as much."""
    kinds = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16, torch.int8)
    if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.dtype not in (*kinds, torch.uint8, torch.bool):
        got = f"{tensor.dtype}, {tensor.layout}, on {tensor.device}"
        raise CheckpointError("load", where, f"{name} to be a plain array of floats or whole numbers", got)
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        held = tensor.untyped_storage().nbytes()
        expected = f"{name} to be no larger than what the file holds of it, {held} bytes"
        raise CheckpointError("load", where, expected, f"shape {tuple(tensor.shape)}")
