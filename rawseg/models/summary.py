"""What a network costs, layer by layer, for one input size: counted on a batch of no images, so at once and in no memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from rawseg_kernels._memory import check_size

from .. import nn
from ..autograd import Tensor, enable_grad
from .inference import as_input, evaluating
from .receptive_field import EVERYTHING, rows_seen

__all__ = ["LayerRow", "Totals", "context_of", "summary", "totals"]

Call: TypeAlias = tuple[str, Any, tuple[int, ...], Tensor]  # a layer's name, the layer, shape of its input, output
PHASES = 64  # neighbouring output pixels whose receptive fields are compared; the largest counts


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
    receptive_field : (int, int) or None
        Height and width of the part of the image that an output pixel can depend on; None for all of it.
    stride : (float, float) or None
        Image pixels from one output pixel to the next, down and across; None where the output is no map.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int
    activation_bytes: int
    receptive_field: tuple[int, int] | None
    stride: tuple[float, float] | None


def summary(model: Any, input_shape: tuple[int, ...]) -> list[LayerRow]:
    """Run a network once on no images and return one row a leaf layer, in the order of execution.

    Parameters
    ----------
    model : Module
        Any network with parameters; it is put into eval mode and back. Its weights do not matter.
    input_shape : tuple of int
        ``(N, C, H, W)``.

    Examples
    --------
    >>> from rawseg import nn
    >>> [(row.output, row.receptive_field) for row in summary(nn.Conv2d(3, 8, 3, stride=2), (1, 3, 33, 65))]
    [((1, 8, 16, 32), (3, 3))]
    """
    image = no_images(model, input_shape)
    return [_row(*call, image, input_shape[0], input_shape[0] * _uses(model, call[0])) for call in _calls(model, image)]


@dataclass(frozen=True)
class Totals:
    """What a network costs as a whole: the sums of `summary`, with every parameter counted once."""

    parameters: int
    multiply_adds: int
    activation_bytes: int


def totals(model: Any, input_shape: tuple[int, ...]) -> Totals:
    """Return a network's parameters, multiply-adds and the memory of all layers' outputs; arguments as for `summary`."""
    work = memory = 0
    for name, module, seen, out in _calls(model, no_images(model, input_shape)):
        n = input_shape[0] * _uses(model, name)
        work += multiply_adds(module, (n, *seen[1:]), (n, *out.shape[1:]))
        memory += n * math.prod(out.shape[1:]) * out.dtype.itemsize
    return Totals(sum(p.size for p in model.parameters()), work, memory)


def _calls(model: Any, image: Tensor) -> list[Call]:
    """Run the network and return its leaf layers, in the order of execution."""
    calls: list[Call] = []
    leaves = [(name, m) for name, m in model.named_modules() if not list(m.children()) and not isinstance(m, nn.Identity)]
    hooks = [module.register_forward_hook(_recorder(calls, name)) for name, module in leaves]
    try:
        with enable_grad(), evaluating(model):
            getattr(model, "visit_layers", model)(image)  # a detector does not look at regions of no images by itself
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _uses(model: Any, layer: str) -> int:
    """Return how often a layer is used for an image: once, but for the heads of a detector, which see many regions."""
    return model.times_used(layer) if hasattr(model, "times_used") else 1


def no_images(model: Any, input_shape: tuple[int, ...]) -> Tensor:
    """Return a batch of 0 images, whose graph tells shapes and who reads what."""
    check_size("summary", (1, *input_shape[1:]), np.dtype(np.float64))
    image = as_input(np.zeros((0, *input_shape[1:])), model)
    image.requires_grad = True
    return image


def context_of(model: Any, size: tuple[int, int], channels: int, pixels: int) -> int | None:
    """Return how far from an output pixel the image pixels lie that it can depend on, in any direction.

    Parameters
    ----------
    model : Module
        Its output has the size of its input.
    size : (int, int)
        A size that it takes.
    channels : int
        Channels of the image.
    pixels : int
        After how many output pixels the pattern repeats: the largest total stride.

    Returns
    -------
    int or None
        None if every output pixel depends on the whole image.
    """
    image = no_images(model, (0, channels, *size))
    with enable_grad(), evaluating(model):
        output = model(image)
    reach = 0
    for axis, length in enumerate(size):
        rows = length // 2 // pixels * pixels + np.arange(pixels)
        first, last = rows_seen(output, image, rows, axis)
        reach = max(reach, int((rows - first).max()), int((last - rows).max()))
    return None if reach > EVERYTHING // 2 else reach


def _recorder(calls: list, name: str) -> Any:
    def record(module: Any, inputs: tuple, output: Any) -> None:
        calls.append((name, module, inputs[0].shape, output[0] if isinstance(output, tuple) else output))

    return record


def _row(name: str, module: Any, seen: tuple[int, ...], out: Tensor, image: Tensor, per_batch: int, n: int) -> LayerRow:
    shape = (n, *out.shape[1:])
    views = [_view(out, image, axis) for axis in (0, 1)] if out.ndim == 4 else [None, None]
    fields = [view[0] for view in views if view is not None]
    return LayerRow(
        name,
        type(module).__name__,
        shape,
        sum(p.size for p in module.parameters()),
        multiply_adds(module, (n, *seen[1:]), shape),
        math.prod(shape) * out.dtype.itemsize,
        None if len(fields) < 2 or max(fields) > EVERYTHING // 2 else (fields[0], fields[1]),
        None if n != per_batch or views[0] is None or views[1] is None else (views[0][1], views[1][1]),  # none in a region
    )


def _view(out: Tensor, image: Tensor, axis: int) -> tuple[int, float] | None:
    """Return the receptive field along an axis, and how far it moves from one output pixel to the next."""
    middle = out.shape[2 + axis] // 2
    first, last = rows_seen(out, image, middle + np.arange(PHASES + 1), axis)
    field = int((last - first + 1)[:PHASES].max())
    if field > EVERYTHING // 2:
        return field, image.shape[2 + axis] / out.shape[2 + axis]
    return field, float(Fraction(int(first[PHASES] - first[0]), PHASES))


def multiply_adds(module: Any, input_shape: tuple[int, ...], output_shape: tuple[int, ...]) -> int:
    """Return the products of one layer: every weight of a convolution is used once an output pixel."""
    if isinstance(module, nn.ConvTranspose2d):  # each input pixel meets every weight that leads out of it
        return math.prod(input_shape) * math.prod(module.weight.shape[1:])
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        return math.prod(output_shape) * math.prod(module.weight.shape[1:])
    return 0
