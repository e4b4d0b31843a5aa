"""Hold the arrays of a file against a network's tensors, and write those that fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..device import move
from .layouts import IGNORED, current_names, without_prefix
from .report import Report

__all__ = ["compare", "fitted", "write"]


def fitted(arrays: Mapping[str, np.ndarray], wanted: Mapping[str, Tensor]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return arrays under the names of today, and which names changed."""
    short = without_prefix(arrays)
    today = current_names(set(short.values()), wanted)
    names = {name: today.get(plain, plain) for name, plain in short.items()}
    return {new: arrays[old] for old, new in names.items()}, {old: new for old, new in names.items() if old != new}


def compare(
    arrays: Mapping[str, np.ndarray],
    wanted: Mapping[str, Tensor],
    renamed: Mapping[str, str] | None = None,
    origin: Mapping[str, str] | None = None,
) -> Report:
    """Return which arrays fit which tensors.

    Parameters
    ----------
    arrays : dict of ndarray
        Of the file, under today's names.
    wanted : dict of Tensor
        Of the network, as `rawseg.nn.Module.state_dict` names them.
    renamed : dict, optional
        Which names changed, for the report.
    origin : dict, optional
        Dtypes in the file of what was converted when it was read, by the file's names.
    """
    loaded, mismatched, converted = [], {}, {}
    read = {(renamed or {}).get(name, name): dtype for name, dtype in (origin or {}).items()}
    for name, tensor in wanted.items():
        if name not in arrays:
            continue
        array = arrays[name]
        if array.shape != tensor.shape:
            mismatched[name] = f"{array.shape} in the file, {tensor.shape} in the network"
        elif array.dtype != tensor.dtype and not _widens(array.dtype, tensor.dtype):
            mismatched[name] = f"{array.dtype} in the file, {tensor.dtype} in the network"
        else:
            loaded.append(name)
            if name in read or array.dtype != tensor.dtype:
                converted[name] = read.get(name, str(array.dtype))
    missing = [name for name in wanted if name not in arrays]
    unexpected = [name for name in arrays if name not in wanted]
    shapes = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    shapes |= {name: array.shape for name, array in arrays.items()}
    return Report(
        loaded,
        [name for name in missing if not IGNORED.fullmatch(name)],
        [name for name in unexpected if not IGNORED.fullmatch(name)],
        mismatched,
        dict(renamed or {}),
        converted,
        [name for name in [*missing, *unexpected] if IGNORED.fullmatch(name)],
        shapes,
    )


def write(arrays: Mapping[str, np.ndarray], wanted: Mapping[str, Tensor], names: list[str]) -> None:
    """Write arrays into the tensors of the same names; `compare` says which fit."""
    ready: dict[str, Any] = {name: _as_kept(arrays[name], wanted[name]) for name in names}
    with no_grad():
        for name, array in ready.items():
            wanted[name].copy_(Tensor(array))


def _as_kept(array: np.ndarray, tensor: Tensor) -> Any:
    return move(np.ascontiguousarray(array, tensor.dtype).reshape(tensor.shape), tensor.device)


def _widens(dtype: np.dtype, to: Any) -> bool:
    """Return whether every number of one kind of floats is one of another."""
    return dtype.kind == np.dtype(to).kind == "f" and np.can_cast(dtype, to, "safe")
