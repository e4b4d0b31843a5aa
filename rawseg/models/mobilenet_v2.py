"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381): inverted residuals, wide inside and narrow between.

A block expands its channels t times with a 1x1 convolution, filters each alone with a 3x3 depthwise one, and projects back with
a linear 1x1: most products are in matrices, and what passes from block to block is small. Parameters have torchvision's names.
"""

from __future__ import annotations

from .. import nn
from ..autograd import Tensor
from .classifier import Classifier, width_multiplier
from .mobilenet_blocks import conv_norm, divisible

__all__ = ["InvertedResidual", "MobileNetV2", "mobilenet_v2"]


class InvertedResidual(nn.Module):
    """Expand, filter depthwise, project; with a skip where neither size nor channels change (figure 4d of the paper).

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    stride : int
        1, or 2 to halve the map.
    expansion : int
        t, how many times wider the block is inside; 1 leaves the expansion out.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = in_channels * expansion
        expand = [] if expansion == 1 else [conv_norm(in_channels, inside)]
        self.conv = nn.Sequential(
            *expand,
            conv_norm(inside, inside, 3, stride, groups=inside),
            nn.Conv2d(inside, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.use_res_connect = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(Classifier):
    """A classifier of images whose sides are at least 32 pixels, or so: each side is halved five times.

    Parameters
    ----------
    classes : int
        Logits of the output.
    width_mult : float
        alpha, which scales the channels of every layer but the last feature map, which never has less than 1280.
    in_channels : int
        Channels of the image.
    dropout : float
        Probability of a feature to be dropped before the classifier, in training.
    """

    name = "mobilenet_v2"
    settings = (  # table 2 of the paper: expansion t, channels c, blocks n, stride s of the first
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    )
    stem, last = 32, 1280

    def __init__(self, classes: int = 1000, width_mult: float = 1.0, in_channels: int = 3, dropout: float = 0.2) -> None:
        super().__init__()
        width_mult = width_multiplier(self.name, width_mult)
        self.remember(classes, in_channels, width_mult=width_mult, dropout=dropout)
        channels = divisible(self.stem * width_mult)
        layers: list[nn.Module] = [conv_norm(in_channels, channels, 3, stride=2)]
        for t, c, n, s in self.settings:
            for block in range(n):
                out_channels = divisible(c * width_mult)
                layers.append(InvertedResidual(channels, out_channels, s if block == 0 else 1, t))
                channels = out_channels
        features = divisible(self.last * max(1.0, width_mult))
        layers.append(conv_norm(channels, features))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, classes))
        self.initialise()


def mobilenet_v2(classes: int = 1000, width_mult: float = 1.0, in_channels: int = 3, dropout: float = 0.2) -> MobileNetV2:
    """Return MobileNetV2, a classifier of inverted residuals: 3,504,872 parameters for 1000 classes."""
    return MobileNetV2(classes, width_mult, in_channels, dropout)
