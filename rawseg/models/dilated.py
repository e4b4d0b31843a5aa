"""Dilated convolutions (Yu and Koltun 2016, arXiv 1511.07122): wide context without losing resolution.

Taps that lie d pixels apart cost no more than taps that touch, so the receptive field of a stack doubles with each layer whose
dilation doubles, where that of a plain stack grows by two. What is saved is not work for an output, but work for a unit of
receptive field. Dilations with a common factor see the image through a grid, and miss what lies between its lines.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rawseg_kernels._arrays import integer

from .. import functional as F
from .. import nn
from ..autograd import Tensor
from ..errors import ArgumentError
from .segmenter import Segmenter
from .vgg import BLOCKS

__all__ = ["ContextNetwork", "DilatedVGG16", "context", "dilated_vgg16"]

DILATIONS = (1, 1, 2, 4, 8, 16, 1)  # table 1 of the paper; after them comes a 1x1 convolution
LARGE_WIDTHS = (2, 2, 4, 8, 16, 32, 32)  # of the large one, in units of the classes


class ContextNetwork(Segmenter):
    """Dilated 3x3 convolutions that refine class maps at their own resolution; it begins as the identity.

    Parameters
    ----------
    in_channels : int
        Maps in, and as many out: scores of classes.
    large : bool
        More channels inside, up to 32 times as many.
    dilations : sequence of int
        Of the 3x3 convolutions; for ``large`` seven of them.

    Notes
    -----
    A pixel sees 67 x 67. Identity: section 3 of the paper, equations 4 and 5, without its noise in the basic form.
    """

    name = "context"
    typical_size = (64, 64)

    def __init__(self, in_channels: int = 21, large: bool = False, dilations: Sequence[int] = DILATIONS) -> None:
        super().__init__()
        channels = integer(self.name, "in_channels", in_channels, 1)
        steps = [integer(self.name, "dilations", dilation, 1) for dilation in dilations]
        if not steps or (large and len(steps) != len(LARGE_WIDTHS)):
            raise ArgumentError(self.name, "dilations", "seven for the large network, else at least one", list(dilations))
        self.config = {"in_channels": channels, "classes": channels, "large": large, "dilations": steps}
        widths = [channels * factor for factor in LARGE_WIDTHS] if large else [channels] * len(steps)
        layers: list[nn.Module] = []
        for i, o, dilation in zip([channels, *widths], widths, steps):
            layers += [nn.Conv2d(i, o, 3, padding=dilation, dilation=dilation), nn.ReLU()]
        layers.append(nn.Conv2d(widths[-1], channels, 1))
        self.layers = nn.Sequential(*layers)
        for layer in self.layers:
            if isinstance(layer, nn.Conv2d):
                _begin_as_identity(layer, channels, noise=0.01 if large else 0.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return refined maps, of the shape of ``x``."""
        self.check(x)
        return self.layers(x)


def _begin_as_identity(layer: nn.Conv2d, classes: int, noise: float) -> None:
    """Let every output pass on its share of the class that it belongs to, from the middle tap."""
    outs, ins, kernel_h, kernel_w = layer.weight.shape
    nn.init.normal_(layer.weight, 0.0, noise)
    same = np.arange(outs)[:, None] * classes // outs == np.arange(ins)[None, :] * classes // ins  # (outs, ins)
    weight = layer.weight.numpy().copy()
    weight[:, :, kernel_h // 2, kernel_w // 2][same] = classes / max(ins, classes)
    layer.weight.array = weight
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


class DilatedVGG16(Segmenter):
    """VGG16 without its last two poolings, whose strides became dilations, and a context network on its scores.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    classes : int
        Logits per pixel.
    context : str
        ``"basic"``, ``"large"`` or ``"none"``: the `ContextNetwork` on top.
    hidden : int
        Channels of the two layers that were fully connected.

    Notes
    -----
    Section 4 of the paper: convolutions after a removed pooling are dilated by 2 for each, so that their taps fall on the
    pixels that they would have seen; scores on an eighth of the image's size are interpolated. Zero padding keeps the size
    where the paper mirrors the image, and batch norm is as in `VGG16`, whose ``features`` fit.
    """

    name = "dilated_vgg16"
    multiple = 8
    typical_size = (512, 512)

    def __init__(self, in_channels: int = 3, classes: int = 21, context: str = "basic", hidden: int = 4096) -> None:
        super().__init__()
        if context not in ("basic", "large", "none"):
            raise ArgumentError(self.name, "context", "'basic', 'large' or 'none'", repr(context))
        for option, value in {"in_channels": in_channels, "classes": classes, "hidden": hidden}.items():
            integer(self.name, option, value, 1)
        self.config = {"in_channels": in_channels, "classes": classes, "context": context, "hidden": hidden}
        layers: list[nn.Module] = []
        channels = in_channels
        for number, block in enumerate(BLOCKS):
            dilation = 2 if number == 4 else 1
            for width in block:
                convolution = nn.Conv2d(channels, width, 3, padding=dilation, dilation=dilation)
                layers += [convolution, nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
            layers.append(nn.MaxPool2d(2) if number < 3 else nn.Identity())
        self.features = nn.Sequential(*layers)
        self.fc6 = nn.Conv2d(channels, hidden, 7, padding=12, dilation=4)
        self.fc7 = nn.Conv2d(hidden, hidden, 1)
        self.dropout = nn.Dropout()
        self.score = nn.Conv2d(hidden, classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        self.context = nn.Identity() if context == "none" else ContextNetwork(classes, context == "large")

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes, H, W)."""
        self.check(x)
        y = self.features(x)
        y = self.dropout(F.relu(self.fc6(y)))
        y = self.dropout(F.relu(self.fc7(y)))
        y = self.context(self.score(y))
        return F.interpolate(y, scale_factor=8, mode="bilinear")


def context(in_channels: int = 21, large: bool = False, dilations: Sequence[int] = DILATIONS) -> ContextNetwork:
    """Return the context network, dilated convolutions on class maps: 28,392 parameters for 21 classes."""
    return ContextNetwork(in_channels, large, dilations)


def dilated_vgg16(in_channels: int = 3, classes: int = 21, context: str = "basic", hidden: int = 4096) -> DilatedVGG16:
    """Return VGG16 with dilations in place of its last strides, and a context network on top."""
    return DilatedVGG16(in_channels, classes, context, hidden)
