"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381): inverted residuals, wide inside and narrow between.

A block expands its channels t times with a 1x1 convolution, filters each alone with a 3x3 depthwise one, and projects back with
a linear 1x1: most products are in matrices, and what passes from block to block is small. Parameters have torchvision's names.
"""

from __future__ import annotations

from .. import functional as F
from .. import nn
from ..autograd import Tensor
from ..errors import ArgumentError, ShapeError

__all__ = ["InvertedResidual", "MobileNetV2", "mobilenet_v2"]


def divisible(channels: float, divisor: int = 8) -> int:
    """Return the multiple of ``divisor`` nearest to a number of channels, never more than a tenth below it.

    Examples
    --------
    >>> divisible(24 * 0.75), divisible(32 * 0.35), divisible(10)
    (24, 16, 16)
    """
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


def _convolution(in_channels: int, out_channels: int, kernel_size: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return convolution, batch norm and ReLU6."""
    padding = (kernel_size - 1) // 2
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU6())


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
        expand = [] if expansion == 1 else [_convolution(in_channels, inside)]
        self.conv = nn.Sequential(
            *expand,
            _convolution(inside, inside, 3, stride, groups=inside),
            nn.Conv2d(inside, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.use_res_connect = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
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
        for name, value in {"classes": classes, "in_channels": in_channels}.items():
            if not isinstance(value, int) or value < 1:
                raise ArgumentError("mobilenet_v2", name, "an int of at least 1", repr(value))
        if not 0 < width_mult <= 16:
            raise ArgumentError("mobilenet_v2", "width_mult", "a number above 0 and at most 16", repr(width_mult))
        self.config = {"classes": classes, "width_mult": width_mult, "in_channels": in_channels, "dropout": dropout}
        channels = divisible(self.stem * width_mult)
        layers: list[nn.Module] = [_convolution(in_channels, channels, 3, stride=2)]
        for t, c, n, s in self.settings:
            for block in range(n):
                out_channels = divisible(c * width_mult)
                layers.append(InvertedResidual(channels, out_channels, s if block == 0 else 1, t))
                channels = out_channels
        features = divisible(self.last * max(1.0, width_mult))
        layers.append(_convolution(channels, features))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(features, classes))
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes)."""
        channels = self.config["in_channels"]
        if x.ndim != 4 or x.shape[1] != channels:
            raise ShapeError("mobilenet_v2", "input", f"shape (N, {channels}, H, W)", f"shape {x.shape}")
        x = F.adaptive_avg_pool2d(self.features(x), 1)
        return self.classifier(x.reshape(x.shape[0], -1))


def mobilenet_v2(classes: int = 1000, width_mult: float = 1.0, in_channels: int = 3, dropout: float = 0.2) -> MobileNetV2:
    """Return MobileNetV2; parameters as in `MobileNetV2`. 3,504,872 of them for 1000 classes at width 1."""
    return MobileNetV2(classes, width_mult, in_channels, dropout)
