"""What a network costs, layer by layer: parameters, multiply-adds, activation memory, for one input size."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rawseg_kernels._memory import check_size

from .. import nn
from ..autograd import no_grad
from .inference import as_input, evaluating

__all__ = ["LayerRow", "summary"]


@dataclass(frozen=True)
class LayerRow:
    """One layer of a network.

    Attributes
    ----------
    name, kind : str
        Path in the network, and class.
    output : tuple of int
        Shape of the output.
    parameters : int
        Trained numbers.
    multiply_adds : int
        Of convolutions and linear layers, for the whole batch; a bias adds none, as papers count.
    activation_bytes : int
        Memory of the output.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int
    activation_bytes: int


def summary(model: Any, input_shape: tuple[int, ...]) -> list[LayerRow]:
    """Run a network once on zeros and return one row a leaf layer, in the order of execution.

    Parameters
    ----------
    model : Module
        Any network with parameters; it is put into eval mode and back.
    input_shape : tuple of int
        ``(N, C, H, W)``.
    """
    rows: list[LayerRow] = []
    hooks = []
    for name, module in model.named_modules():
        if not list(module.children()) and not isinstance(module, nn.Identity):
            hooks.append(module.register_forward_hook(_recorder(rows, name)))
    try:
        with no_grad(), evaluating(model):
            check_size("summary", input_shape, np.dtype(np.float64))
            model(as_input(np.zeros(input_shape), model))
    finally:
        for hook in hooks:
            hook.remove()
    return rows


def _recorder(rows: list[LayerRow], name: str) -> Any:
    def record(module: Any, inputs: tuple, output: Any) -> None:
        out = output[0] if isinstance(output, tuple) else output
        parameters = sum(p.size for p in module.parameters())
        work = multiply_adds(module, inputs[0].shape, out.shape)
        rows.append(LayerRow(name, type(module).__name__, out.shape, parameters, work, out.array.nbytes))

    return record


def multiply_adds(module: Any, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
    """Return the products of one layer: every weight of a convolution is used once an output pixel."""
    if isinstance(module, nn.ConvTranspose2d):  # each input pixel meets every weight that leads out of it
        return math.prod(input_shape) * math.prod(module.weight.shape[1:])
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        return math.prod(output_shape) * math.prod(module.weight.shape[1:])
    return 0
