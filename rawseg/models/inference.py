"""What it takes to ask a model for a prediction: eval mode for a block, and images as the model's parameters want them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..device import move
from ..errors import DeviceError

__all__ = ["as_input", "evaluating"]


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """Put a module into eval mode inside a ``with`` block; after it, every submodule has the mode that it had before.

    Parameters
    ----------
    model : Module
        Any module; one of its submodules may have been frozen by its own ``eval()``, and stays so.
    """
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training


def as_input(images: np.ndarray, model: Any, device: str | None = None) -> Tensor:
    """Return images as a Tensor of the dtype and on the device of a model's parameters.

    Parameters
    ----------
    images : ndarray, shape (N, C, H, W)
        On any device.
    model : Module
        What will look at them.
    device : str, optional
        Where the caller says that the model is.

    Raises
    ------
    DeviceError
        If the model is somewhere else.
    """
    parameter = next(iter(model.parameters()))
    x = Tensor(move(images.astype(parameter.dtype, copy=False), device or parameter.device))
    if x.device != parameter.device:
        raise DeviceError("predict", "device", f"{parameter.device}, the device of the model", x.device)
    return x
