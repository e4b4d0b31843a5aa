"""MobileNetV3 (Howard et al. 2019, arXiv 1905.02244): inverted residuals found by search, hard swish, channel attention.

Attention ("squeeze and excitation") looks at the mean of every channel over the whole map and scales the channels by what two
small layers make of it; so every output depends on the whole image. Parameters have torchvision's names.
"""

from __future__ import annotations

from functools import partial

from .. import functional as F
from .. import nn
from ..autograd import Tensor
from .classifier import Classifier, width_multiplier
from .mobilenet_blocks import conv_norm, divisible

__all__ = ["Attention", "MobileNetV3", "SearchedResidual", "mobilenet_v3_large", "mobilenet_v3_small"]

conv_norm_v3 = partial(conv_norm, eps=0.001, momentum=0.01)  # as in the released networks
RE, HS = nn.ReLU, nn.Hardswish

# Tables 1 and 2 of the paper: kernel, channels inside, channels out, attention, activation, stride
LARGE = (
    (3, 16, 16, False, RE, 1),
    (3, 64, 24, False, RE, 2),
    (3, 72, 24, False, RE, 1),
    (5, 72, 40, True, RE, 2),
    (5, 120, 40, True, RE, 1),
    (5, 120, 40, True, RE, 1),
    (3, 240, 80, False, HS, 2),
    (3, 200, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1),
    (3, 184, 80, False, HS, 1),
    (3, 480, 112, True, HS, 1),
    (3, 672, 112, True, HS, 1),
    (5, 672, 160, True, HS, 2),
    (5, 960, 160, True, HS, 1),
    (5, 960, 160, True, HS, 1),
)
SMALL = (
    (3, 16, 16, True, RE, 2),
    (3, 72, 24, False, RE, 2),
    (3, 88, 24, False, RE, 1),
    (5, 96, 40, True, HS, 2),
    (5, 240, 40, True, HS, 1),
    (5, 240, 40, True, HS, 1),
    (5, 120, 48, True, HS, 1),
    (5, 144, 48, True, HS, 1),
    (5, 288, 96, True, HS, 2),
    (5, 576, 96, True, HS, 1),
    (5, 576, 96, True, HS, 1),
)


class Attention(nn.Module):
    """Scale each channel by a number in [0, 1] made of all channels' means (Hu et al. 2018, arXiv 1709.01507).

    Parameters
    ----------
    channels, squeezed : int
        Channels of the map, and of the layer between.
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        mean = F.adaptive_avg_pool2d(x, 1)  # (N, C, 1, 1)
        return x * F.hardsigmoid(self.fc2(F.relu(self.fc1(mean))))


class SearchedResidual(nn.Module):
    """Expand, filter depthwise, attend, project; with a skip where neither size nor channels change.

    Parameters
    ----------
    in_channels, inside, out_channels : int
        Channels before, within and after.
    kernel_size : int
        Of the depthwise convolution.
    attention : bool
        Whether channels are scaled by `Attention`.
    activation : Module class
        `nn.ReLU` or `nn.Hardswish`.
    stride, dilation : int
        Of the depthwise convolution.
    """

    def __init__(
        self,
        in_channels: int,
        inside: int,
        out_channels: int,
        kernel_size: int,
        attention: bool,
        activation: type[nn.Module],
        stride: int,
        dilation: int = 1,
    ) -> None:
        super().__init__()
        expand = [] if inside == in_channels else [conv_norm_v3(in_channels, inside, activation=activation)]
        self.block = nn.Sequential(
            *expand,
            conv_norm_v3(inside, inside, kernel_size, stride, inside, activation, dilation),
            *([Attention(inside, divisible(inside // 4))] if attention else []),
            conv_norm_v3(inside, out_channels, activation=None),
        )
        self.use_res_connect = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.use_res_connect else self.block(x)


class MobileNetV3(Classifier):
    """The network of the paper's table 1 (large) or 2 (small).

    Parameters
    ----------
    classes : int
        Logits of the output.
    width_mult : float
        Scales the channels of every layer.
    in_channels : int
        Channels of the image.
    dropout : float
        Probability of a feature to be dropped before the classifier, in training.
    large : bool
        Which of the two.
    dilated : bool
        Dilate the last stage by 2 in place of its stride, so that maps end at 1/16 of the image: for `DeepLabV3`.
    """

    def __init__(
        self,
        classes: int = 1000,
        width_mult: float = 1.0,
        in_channels: int = 3,
        dropout: float = 0.2,
        large: bool = True,
        dilated: bool = False,
    ) -> None:
        super().__init__()
        self.name = "mobilenet_v3_large" if large else "mobilenet_v3_small"
        alpha = width_multiplier(self.name, width_mult)
        self.remember(classes, in_channels, width_mult=width_mult, dropout=dropout, dilated=dilated)
        channels = divisible(16 * alpha)
        layers: list[nn.Module] = [conv_norm_v3(in_channels, channels, 3, 2, activation=HS)]
        halvings = 1
        for kernel, inside, out, attention, activation, stride in LARGE if large else SMALL:
            halvings += stride == 2
            dilation = 2 if dilated and halvings == 5 else 1
            widths = channels, divisible(inside * alpha), divisible(out * alpha)
            step = 1 if dilation > 1 else stride
            layers.append(SearchedResidual(*widths, kernel, attention, activation, step, dilation))
            channels = widths[2]
        features, hidden = 6 * channels, divisible((1280 if large else 1024) * alpha)
        layers.append(conv_norm_v3(channels, features, activation=HS))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(features, hidden), nn.Hardswish(), nn.Dropout(dropout), nn.Linear(hidden, classes)
        )
        self.initialise()


def mobilenet_v3_large(
    classes: int = 1000, width_mult: float = 1.0, in_channels: int = 3, dropout: float = 0.2, dilated: bool = False
) -> MobileNetV3:
    """Return MobileNetV3-Large, a classifier found by search: 5,483,032 parameters for 1000 classes."""
    return MobileNetV3(classes, width_mult, in_channels, dropout, True, dilated)


def mobilenet_v3_small(
    classes: int = 1000, width_mult: float = 1.0, in_channels: int = 3, dropout: float = 0.2, dilated: bool = False
) -> MobileNetV3:
    """Return MobileNetV3-Small, a classifier found by search: 2,542,856 parameters for 1000 classes."""
    return MobileNetV3(classes, width_mult, in_channels, dropout, False, dilated)
