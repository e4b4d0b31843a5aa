"""From a loss for each element to one number, and what that number is where nothing is left to average."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rawseg_kernels._capture import current, refuse

from ..autograd import Tensor
from ..autograd.arithmetic import where
from ..device import array_module, device_of
from ..errors import ArgumentError, DeviceError, DTypeError, ShapeError

__all__ = ["check_choice", "check_probabilities", "check_same", "mean_over", "reduced"]

REDUCTIONS = ("none", "mean", "sum")
EMPTY = ("nan", "zero", "raise")


def check_choice(op: str, argument: str, value: Any, choices: tuple[str, ...]) -> None:
    """Check a named option."""
    if not isinstance(value, str) or value not in choices:
        raise ArgumentError(op, argument, f"one of {choices}", repr(value))


def check_same(op: str, input: Tensor, target: Tensor, argument: str = "target") -> None:
    """Check that prediction and target have one shape, floating dtype and device (PyTorch broadcasts, with a warning)."""
    if input.dtype.kind != "f":
        raise DTypeError(op, "input", "float32 or float64", input.dtype)
    if target.shape != input.shape:
        raise ShapeError(op, argument, f"shape {input.shape}, that of input", f"shape {target.shape}")
    if target.dtype != input.dtype:
        raise DTypeError(op, argument, f"{input.dtype}, the dtype of input", target.dtype)
    check_device(op, input, target, argument)


def check_device(op: str, input: Tensor, other: Tensor, argument: str) -> None:
    """Check that an argument is where the input is."""
    if other.device != input.device:
        raise DeviceError(op, argument, f"{input.device}, the device of input", other.device)


def check_probabilities(op: str, argument: str, tensor: Tensor, hint: str = "", *, nan: bool = False) -> None:
    """Check that all elements are 0 to 1, or NaN if that may be; while a CUDA graph is captured, after each replay."""
    array = tensor.array
    wrong = (array < 0) | (array > 1) if nan else ~((array >= 0) & (array <= 1))

    def error() -> ArgumentError:
        at = tuple(int(i) for i in np.unravel_index(int(wrong.argmax()), wrong.shape))
        return ArgumentError(op, argument, f"probabilities, 0 to 1{hint}", f"{array[at]} at {at}")

    refuse(wrong, error)


def reduced(op: str, losses: Tensor, reduction: str) -> Tensor:
    """Return the losses, their mean (NaN of none) or their sum."""
    check_choice(op, "reduction", reduction, REDUCTIONS)
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def mean_over(op: str, total: Tensor, weight: Any, empty: str) -> Tensor:
    """Return ``total / weight``, or what the policy says where the weight is 0: with a gradient of 0, not of 0/0.

    The weight is a number, or an array of shape () in float64; while a CUDA graph is captured, it stays where it is.
    """
    nothing = ArgumentError(op, "target", "at least one kept element with a weight above 0", "none")
    otherwise = 0.0 if empty == "zero" else math.nan
    if current() is not None and device_of(weight):
        if empty == "raise":
            refuse(weight == 0, lambda: nothing)
        divisor = array_module(weight).where(weight == 0, 1.0, weight).astype(total.dtype)
        return where(Tensor(weight != 0), total / Tensor(divisor), otherwise)
    weight = float(weight)
    if weight != 0:
        return total / weight
    if empty == "raise":
        raise nothing
    nowhere = Tensor(array_module(total.array).zeros(total.shape, bool))
    return where(nowhere, total, otherwise)
