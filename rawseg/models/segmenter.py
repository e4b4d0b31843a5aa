"""What all networks that label every pixel have in common: sizes that fit, and how much context a pixel needs."""

from __future__ import annotations

from typing import Any

from .. import nn
from ..autograd import Tensor
from ..errors import ShapeError
from .summary import context_of

__all__ = ["Segmenter"]


class Segmenter(nn.Module):
    """A network with one output for each pixel of the image.

    Attributes
    ----------
    name : str
        What `rawseg.models.build` makes it by, together with ``config``.
    config : dict
        Its options, ``in_channels`` and ``classes`` among them.
    multiple : int
        Heights, widths and the offsets of tiles are multiples of it: the strides multiply to it.
    padded : bool
        Whether the output has the image's size; otherwise the borders are missing that valid convolutions take.
    typical_size : (int, int)
        Height and width of the images that it was made for.
    """

    name = "segmenter"
    multiple = 1
    padded = True
    typical_size = (256, 256)
    _halo: int | str | None = "unknown"

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {}

    def check(self, x: Tensor) -> None:
        """Raise a ShapeError unless the network takes these images."""
        channels = self.config["in_channels"]
        if x.ndim != 4 or x.shape[1] != channels:
            raise ShapeError(self.name, "input", f"shape (N, {channels}, H, W)", f"shape {x.shape}")
        self.output_size(x.shape[2])
        self.output_size(x.shape[3])

    def output_size(self, size: int) -> int:
        """Return the output's height or width for an input's; ShapeError if the input does not fit."""
        if size % self.multiple or size == 0:
            good = self.input_size(max(size, 1))
            raise ShapeError(self.name, "input", f"height and width that are multiples of {self.multiple}, e.g. {good}", size)
        return size

    def input_size(self, output: int) -> int:
        """Return the smallest input size whose output covers at least ``output`` pixels."""
        return -(-output // self.multiple) * self.multiple

    @property
    def halo(self) -> int | None:
        """Pixels of context on each side that an output pixel can see, rounded up to ``multiple``; None: the whole image."""
        if not self.padded:  # exactly the border that valid convolutions take
            return (self.input_size(1) - self.output_size(self.input_size(1))) // 2
        if self._halo == "unknown":
            size = self.input_size(max(64, 4 * self.multiple))
            reach = context_of(self, (size, size), self.config["in_channels"], self.multiple)
            self._halo = None if reach is None else -(-reach // self.multiple) * self.multiple
        return self._halo  # type: ignore[return-value]
