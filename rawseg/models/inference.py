"""What it takes to ask a model for a prediction: eval mode for a block, and images as the model's parameters want them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..device import move

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
    """Return images as a Tensor of the dtype and on the device of a model's parameters, or on ``device``."""
    parameter = next(iter(model.parameters()))
    return Tensor(move(images.astype(parameter.dtype, copy=False), device or parameter.device))
