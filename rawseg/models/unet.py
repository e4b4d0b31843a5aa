"""U-Net (Ronneberger, Fischer, Brox 2015, arXiv 1505.04597): a contracting path, an expanding path, and skips between them.

The figure of the paper, read as code::

    x0 = encoder[0](image)                         64 channels, full resolution
    x1 = encoder[1](pool(x0))                     128 channels, 1/2
    ...
    bottom(pool(x3))                             1024 channels, 1/16
    decoder[0](cat(crop(x3), up[0](bottom)))      512 channels, 1/8
    ...
    head(decoder[3](...))                         one logit a class and pixel
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg_kernels._memory import check_size

from .. import functional as F
from .. import nn
from ..autograd import Tensor
from ..autograd.shaping import cat
from ..errors import ArgumentError, ShapeError
from .segmenter import Segmenter

__all__ = ["DoubleConv", "UNet", "unet", "unet_paper"]


class DoubleConv(nn.Module):
    """Twice a 3x3 convolution and ReLU, with batch norm between where asked for.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    padding : int
        1 keeps the size; 0 takes one pixel from every border at each convolution, as in the paper.
    norm : bool
        Batch norm after each convolution, whose bias is then left out.
    """

    def __init__(self, in_channels: int, out_channels: int, padding: int = 1, norm: bool = True) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=padding, bias=not norm)
        self.norm1 = nn.BatchNorm2d(out_channels) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=padding, bias=not norm)
        self.norm2 = nn.BatchNorm2d(out_channels) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(x)))
        return F.relu(self.norm2(self.conv2(x)))


class BilinearUp(nn.Module):
    """Twice the size by bilinear interpolation, then a 1x1 convolution to half the channels: no checkerboards."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(self.conv(x), scale_factor=2, mode="bilinear", align_corners=False)


class UNet(Segmenter):
    """U-Net for images of any number of channels and classes.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    classes : int
        Channels of the output, logits per pixel.
    width : int
        Channels of the first level; each level down has twice as many.
    depth : int
        Number of poolings.
    padded : bool
        True: 3x3 convolutions keep the size, and H and W must be multiples of ``2 ** depth``. False: the paper's valid
        convolutions; 572 x 572 gives 388 x 388.
    norm : bool
        Batch norm after every 3x3 convolution.
    up : str
        ``"transposed"``: 2x2 transposed convolutions of stride 2, as in the paper; ``"bilinear"``: interpolation and a 1x1
        convolution.

    Attributes
    ----------
    multiple : int
        Sizes and offsets that the poolings divide evenly, ``2 ** depth``.
    halo : int
        Pixels of context on each side that an output pixel can depend on, rounded up to ``multiple``; without padding, exactly
        the border that is lost.
    """

    name = "unet"  # build("unet", **config) makes any of them
    typical_size = (388, 388)  # of the output, in the paper

    def __init__(
        self,
        in_channels: int = 1,
        classes: int = 2,
        width: int = 64,
        depth: int = 4,
        padded: bool = True,
        norm: bool = True,
        up: str = "transposed",
    ) -> None:
        super().__init__()
        for name, value in {"in_channels": in_channels, "classes": classes, "width": width, "depth": depth}.items():
            if not isinstance(value, int) or value < 1:
                raise ArgumentError("unet", name, "an int of at least 1", repr(value))
        if up not in ("transposed", "bilinear"):
            raise ArgumentError("unet", "up", "'transposed' or 'bilinear'", repr(up))
        self.config = {
            "in_channels": in_channels,
            "classes": classes,
            "width": width,
            "depth": depth,
            "padded": padded,
            "norm": norm,
            "up": up,
        }
        self.depth, self.padded, self.multiple = depth, padded, 2**depth
        padding = 1 if padded else 0
        widths = [width * 2**level for level in range(depth + 1)]
        check_size("unet", (8, widths[depth], widths[depth], 3, 3), np.dtype(np.float32))  # all weights, and making them
        self.encoder = nn.ModuleList(
            [DoubleConv(i, o, padding, norm) for i, o in zip([in_channels, *widths[: depth - 1]], widths[:depth])]
        )
        self.pool = nn.MaxPool2d(2)
        self.bottom = DoubleConv(widths[depth - 1], widths[depth], padding, norm)
        grow = {"transposed": lambda i, o: nn.ConvTranspose2d(i, o, 2, stride=2), "bilinear": BilinearUp}[up]
        self.up = nn.ModuleList([grow(2 * o, o) for o in reversed(widths[:depth])])
        self.decoder = nn.ModuleList([DoubleConv(2 * o, o, padding, norm) for o in reversed(widths[:depth])])
        self.head = nn.Conv2d(width, classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.weight.shape[-1] == 3:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # sqrt(2 / N), section 3 of the paper

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes, H', W')."""
        self.check(x)
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for grow, block in zip(self.up, self.decoder):
            x = grow(x)
            x = block(cat([_centre(skips.pop(), x.shape[2:]), x], 1))
        return self.head(x)

    def output_size(self, size: int) -> int:
        """Return the output's height or width for an input's; ShapeError if the input does not fit the poolings."""
        loss = 0 if self.padded else 4  # two valid 3x3 convolutions
        n = size
        for level in range(self.depth):
            n -= loss
            if n < 2 or n % 2:
                lost = 0 if self.padded else 2 * (self.halo or 0)
                good = self.input_size(max(1, size - lost))
                raise ShapeError(
                    "unet",
                    "input",
                    f"a size that {self.depth} poolings divide evenly, e.g. {good}",
                    f"{size} ({n} at level {level})",
                )
            n //= 2
        n -= loss
        for _ in range(self.depth):
            n = 2 * n - loss
        if n < 1:
            raise ShapeError("unet", "input", f"a larger size, e.g. {self.input_size(1)}", size)
        return n

    def input_size(self, output: int) -> int:
        """Return the smallest input size whose output covers at least ``output`` pixels."""
        if self.padded:
            return -(-output // self.multiple) * self.multiple
        n = output
        for _ in range(self.depth):
            n = -(-(n + 4) // 2)
        n += 4
        for _ in range(self.depth):
            n = 2 * n + 4
        return n


def _centre(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Crop the middle of a map: the paper's copy and crop."""
    if x.shape[2:] == tuple(size):
        return x
    top, left = (x.shape[2] - size[0]) // 2, (x.shape[3] - size[1]) // 2
    return x[:, :, top : top + size[0], left : left + size[1]]


def unet(**options: Any) -> UNet:
    """Return U-Net, padded and with batch norm: the output has the size of the image."""
    return UNet(**options)


def unet_paper(in_channels: int = 1, classes: int = 2) -> UNet:
    """Return U-Net as in its paper, with valid convolutions: 31,030,658 parameters for 1 channel and 2 classes."""
    return UNet(in_channels, classes, width=64, depth=4, padded=False, norm=False)
