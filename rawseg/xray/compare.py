"""Two dumps side by side: the first stage that differs, and whether it is the stage itself or what it was given."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, DataError, RawsegError
from ..models.mask_rcnn import STAGES, MaskRCNN, Stage
from .dump import digest_of, load, parts_of, replay

__all__ = ["INPUTS", "ITSELF", "Row", "compare", "first_difference", "same_bits"]

ITSELF, INPUTS = "the stage itself differs", "inputs differ"
Arrays = Mapping[str, np.ndarray]


class Row(NamedTuple):
    """An array of two dumps.

    Parameters
    ----------
    stage, name : str
        The stage that gives it, and its name in the dumps.
    a, b : str
        Its dtype and shape in each dump; "none" where there is no such array.
    count : int
        Elements that are not bitwise equal (NaN equals NaN); all of the larger one where dtypes or shapes differ.
    largest, relative : float
        The largest difference, and that over the largest finite value of both; NaN where dtypes or shapes differ.
    verdict : str
        Of a stage that differs: "the stage itself differs" or "inputs differ"; else empty.
    """

    stage: str
    name: str
    a: str
    b: str
    count: int
    largest: float
    relative: float
    verdict: str

    @property
    def equal(self) -> bool:
        """Whether both dumps hold the same bits."""
        return self.count == 0 and self.a == self.b


def compare(folder_a: str | os.PathLike[str], folder_b: str | os.PathLike[str], model: MaskRCNN | None = None) -> list[Row]:
    """Compare two dumps array by array, in the stages' order.

    Parameters
    ----------
    folder_a, folder_b : str or path
        Folders that `record` wrote to.
    model : MaskRCNN, optional
        Every stage that differs is run again by it on A's inputs and on B's: only a stage that gives something else than its
        dump holds differs itself. Without it a stage whose inputs differ is not looked into.

    Returns
    -------
    list of Row
        All arrays, the equal ones too.

    Raises
    ------
    CheckpointError, DataError
        If a dump is missing, damaged or of another version.
    ArgumentError
        If the model is of another configuration than a dump, or has the weights of neither.
    """
    (a, about_a), (b, about_b) = load(folder_a), load(folder_b)
    if model is not None:
        _check(model, about_a, about_b)
    rows = []
    for stage in STAGES:
        own = [_row(stage.name, name, a.get(name), b.get(name)) for name in _names(stage.gives, a, b)]
        verdict = "" if all(row.equal for row in own) else _verdict(stage, a, b, model)
        rows += [row._replace(verdict=verdict) for row in own]
    return rows


def first_difference(rows: Sequence[Row]) -> Row | None:
    """Return the first row whose arrays differ, None if there is none."""
    return next((row for row in rows if not row.equal), None)


def same_bits(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    """Return whether two arrays have one dtype, one shape and the same bits; NaN equals NaN."""
    return a is not None and b is not None and _described(a) == _described(b) and not _differs(a, b).any()


def _check(model: MaskRCNN, about_a: dict[str, Any], about_b: dict[str, Any]) -> None:
    """Refuse a model by which nothing could be told."""
    for dump, about in (("A", about_a), ("B", about_b)):
        other = sorted(k for k in {*model.config, *about["config"]} if model.config.get(k) != about["config"].get(k))
        if other:
            got = ", ".join(f"{name} {model.config.get(name)}, not {about['config'].get(name)}" for name in other)
            raise ArgumentError("xray", "model", f"one of the configuration of dump {dump}", got)
    if digest_of(model) not in (about_a["weights"], about_b["weights"]):
        raise ArgumentError("xray", "model", "the weights of one of the dumps", "others")


def _names(values: Sequence[str], a: Arrays, b: Arrays) -> list[str]:
    """Return the names of values' arrays in either dump."""
    return list(dict.fromkeys(name for value in values for dump in (a, b) for name in parts_of(value, dump)))


def _row(stage: str, name: str, a: np.ndarray | None, b: np.ndarray | None) -> Row:
    if a is None or b is None or _described(a) != _described(b):
        count = max(0 if array is None else array.size for array in (a, b))
        return Row(stage, name, _described(a), _described(b), count, math.nan, math.nan, "")
    differs = _differs(a, b)
    count = int(differs.sum())
    largest = _largest_difference(a[differs], b[differs])
    values = np.concatenate([a.ravel(), b.ravel()]).astype(np.float64)
    scale = np.abs(values[np.isfinite(values)]).max(initial=0)
    relative = largest / scale if largest and scale else largest
    return Row(stage, name, _described(a), _described(b), count, largest, float(relative), "")


def _described(array: np.ndarray | None) -> str:
    return "none" if array is None else f"{array.dtype.name} {array.shape}"


def _differs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return where two arrays of one dtype and shape differ in a bit."""
    bits = f"u{a.dtype.itemsize}"
    differs = a.view(bits) != b.view(bits)
    return differs & ~(np.isnan(a) & np.isnan(b)) if a.dtype.kind == "f" else differs


def _largest_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference; a number and NaN, or and infinity, are infinitely far from each other."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(a.astype(np.float64) - b.astype(np.float64))
    return float(np.nan_to_num(apart, nan=math.inf, posinf=math.inf).max(initial=0))


def _verdict(stage: Stage, a: Arrays, b: Arrays, model: MaskRCNN | None) -> str:
    """Return why a stage that differs does so."""
    same_inputs = all(same_bits(a.get(name), b.get(name)) for name in _names(stage.reads, a, b))
    if model is None:
        return ITSELF if same_inputs else INPUTS
    others = [dump for dump, arrays in (("A", a), ("B", b)) if not _reproduced(model, stage, arrays)]
    if others:
        return f"{ITSELF} (in {' and '.join(others)})"
    return ITSELF if same_inputs else INPUTS


def _reproduced(model: MaskRCNN, stage: Stage, arrays: Arrays) -> bool:
    """Return whether a stage, run on a dump's inputs, gives what the dump holds."""
    try:
        given = replay(model, stage, arrays)
    except (IndexError, TypeError, ValueError) as error:
        if isinstance(error, RawsegError):
            raise
        raise DataError("xray", stage.name, "arrays of a dump, which the stage can read", error) from error
    return set(given) == set(_names(stage.gives, arrays, {})) and all(same_bits(given[name], arrays[name]) for name in given)
