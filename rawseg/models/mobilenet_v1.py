"""MobileNetV1 (Howard et al. 2017, arXiv 1704.04861): every 3x3 convolution factored into a depthwise and a 1x1 one.

A full convolution costs ``9 M N`` products a pixel for M channels in and N out; filtering each channel alone and then mixing
them costs ``9 M + M N``, which is ``1 / N + 1 / 9`` of it. Two numbers trade accuracy for cost: the width multiplier alpha
scales all channels, the resolution multiplier rho the image.
"""

from __future__ import annotations

from .. import nn
from .classifier import Classifier, width_multiplier
from .mobilenet_blocks import conv_norm

__all__ = ["MobileNetV1", "mobilenet_v1"]


class MobileNetV1(Classifier):
    """The network of the paper's table 1, with ReLU6 as in the released weights.

    Parameters
    ----------
    classes : int
        Logits of the output.
    width_mult : float
        alpha, which scales the channels of every layer.
    in_channels : int
        Channels of the image.
    dropout : float
        Probability of a feature to be dropped before the classifier, in training.
    separable : bool
        False: full 3x3 convolutions in place of the factored ones, the paper's table 4.
    stem_stride : int
        Of the first convolution; 1 for images of some 30 pixels.
    """

    name = "mobilenet_v1"
    widths = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5, (1024, 2), (1024, 1))  # and strides
    stem = 32

    def __init__(
        self,
        classes: int = 1000,
        width_mult: float = 1.0,
        in_channels: int = 3,
        dropout: float = 0.001,
        separable: bool = True,
        stem_stride: int = 2,
    ) -> None:
        super().__init__()
        alpha = width_multiplier(self.name, width_mult)
        options = {"width_mult": width_mult, "dropout": dropout, "separable": separable, "stem_stride": stem_stride}
        self.remember(classes, in_channels, **options)
        channels = max(1, int(self.stem * alpha))
        blocks = [conv_norm(in_channels, channels, 3, stride=stem_stride)]
        for width, stride in self.widths:
            out_channels = max(1, int(width * alpha))
            blocks.append((_separable if separable else _full)(channels, out_channels, stride))
            channels = out_channels
        self.features = nn.Sequential(*blocks)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(channels, classes))
        self.initialise()


def _separable(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    """Return a depthwise 3x3 and a pointwise 1x1 convolution."""
    depthwise = conv_norm(in_channels, in_channels, 3, stride, groups=in_channels)
    return nn.Sequential(depthwise, conv_norm(in_channels, out_channels))


def _full(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return conv_norm(in_channels, out_channels, 3, stride)


def mobilenet_v1(
    classes: int = 1000,
    width_mult: float = 1.0,
    in_channels: int = 3,
    dropout: float = 0.001,
    separable: bool = True,
    stem_stride: int = 2,
) -> MobileNetV1:
    """Return MobileNetV1, a classifier of depthwise separable convolutions: 4,231,976 parameters for 1000 classes."""
    return MobileNetV1(classes, width_mult, in_channels, dropout, separable, stem_stride)
