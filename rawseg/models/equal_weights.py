"""How much each pixel of the image counts for one pixel of the output, if all weights were equal: what a pixel sees."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from ..autograd import enable_grad
from ..autograd.tensor import Tensor
from ..device import move
from ..errors import ShapeError
from .inference import evaluating

__all__ = ["influence"]


def influence(model: Any, size: tuple[int, int]) -> np.ndarray:
    """Return the gradient of a middle output pixel in the image, with every weight the mean of its layer's inputs.

    Parameters
    ----------
    model : Module
        A network on the CPU with an output map; its weights are overwritten.
    size : (int, int)
        Height and width of the image.

    Returns
    -------
    ndarray of float64, shape (H, W)
        The share of the paths from each pixel, of all channels, to the output pixel; 0 where there is none. Pooling takes
        the first pixel of a window, all being equal.

    Raises
    ------
    ShapeError
        If the network classifies images.

    Examples
    --------
    >>> from rawseg import models
    >>> models.influence(models.context(1, dilations=(2, 2)), (9, 9))[4].round(3).tolist()
    [0.037, 0.0, 0.074, 0.0, 0.111, 0.0, 0.074, 0.0, 0.037]
    """
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            module.weight.array = np.full(module.weight.shape, 1 / np.prod(module.weight.shape[1:]))
            if module.bias is not None:
                module.bias.array = np.zeros(module.bias.shape)
    model.double()
    parameter = next(iter(model.parameters()))
    ones = np.ones((1, model.config.get("in_channels", 1), *size))
    image = Tensor(move(ones, parameter.device), requires_grad=True)
    with enable_grad(), evaluating(model):
        out = model(image)
        if out.ndim != 4:
            raise ShapeError("influence", "model", "a network with an output map", f"an output of shape {out.shape}")
        middle = out.shape[2] // 2, out.shape[3] // 2
        out[0, 0, middle[0], middle[1]].backward()
    assert image.grad is not None
    return np.asarray(image.grad.numpy()[0].sum(axis=0))
