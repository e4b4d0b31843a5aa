"""How accurate products of float32 matrices must be on a GPU: one setting, read when ``algorithm="auto"`` chooses there.

``"fp32"`` is a chain of fused multiply-adds. ``"3xtf32"`` splits every number into two of TF32, which tensor cores multiply:
its error is bounded as that of a chain is, or better. ``"tf32"`` rounds every number to TF32, to 2^-11. Nothing changes for
float64, on the CPU, or for an operation that is no matrix product.
"""

from __future__ import annotations

import os
from typing import Any

from ._errors import ArgumentError, BackendError
from ._precision import get_precision

PRODUCTS = {"fp32": 0, "3xtf32": 3, "tf32": 1}  # of tensor cores, for one of float32
LEAST = 8, 0  # compute capability whose tensor cores multiply numbers of TF32


def _checked(argument: str, precision: object) -> str:
    if not isinstance(precision, str) or precision not in PRODUCTS:
        raise ArgumentError("set_tensor_core_precision", argument, f"one of {tuple(PRODUCTS)}", repr(precision))
    return precision


_precision = _checked("RAWSEG_TENSOR_CORES", os.environ.get("RAWSEG_TENSOR_CORES") or "fp32")


def get_tensor_core_precision() -> str:
    """Return ``"fp32"``, ``"3xtf32"`` or ``"tf32"`` as it was set; see `set_tensor_core_precision`."""
    return _precision


def set_tensor_core_precision(precision: str) -> None:
    """Say what tensor cores of a GPU may do to float32; the variable ``RAWSEG_TENSOR_CORES`` does so from the start.

    Convolutions, transposed convolutions and matrix products follow it where their algorithm is "auto". It changes nothing on
    the CPU, in float64, on a GPU of a compute capability below 8.0, or while `set_precision` asks for "exact".

    Parameters
    ----------
    precision : {"fp32", "3xtf32", "tf32"}
        Whether products are those of float32, of numbers split into two of TF32, with errors about as small, or of numbers
        rounded to TF32, with relative errors of 2^-11 each. Results have the same bits on every run at each setting.

    Raises
    ------
    ArgumentError
        If there is no such precision.
    """
    global _precision
    _precision = _checked("precision", precision)


def tiles_on(array: Any) -> str:
    """Return the name of the algorithm by tiles that "auto" is for an array on a GPU."""
    if _precision == "fp32" or get_precision() == "exact" or array.dtype != "float32" or capability(array) < LEAST:
        return "cuda_tiles"  # the driver is asked last, and only by who lets tensor cores in
    return f"cuda_tiles_{_precision}"


def chosen(op: str, algorithm: str, array: Any, device: str) -> str:
    """Return the algorithm's name: if it is left open, and the array on a GPU, that of tiles.

    Raises
    ------
    BackendError
        If it is one of tensor cores, and those of the array's GPU do not have TF32.
    """
    if device == "cpu":
        return algorithm
    if algorithm == "auto":
        return tiles_on(array)
    if algorithm.endswith("tf32") and capability(array) < LEAST:
        expected = f"a GPU of compute capability 8.0 or higher for {algorithm!r}"
        raise BackendError(op, "algorithm", expected, "{}.{} of {}".format(*capability(array), device))
    return algorithm


def products_for(precision: str, array: Any) -> int:
    """Return how many products of tensor cores stand for one product of an array's numbers; none for float64."""
    return PRODUCTS[precision] if array.dtype == "float32" else 0


def capability(array: Any) -> tuple[int, int]:
    """Return the compute capability of an array's GPU."""
    version = array.device.compute_capability  # "90", "120"
    return int(version[:-1]), int(version[-1])
