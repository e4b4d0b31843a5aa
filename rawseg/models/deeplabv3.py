"""DeepLabV3 (Chen et al. 2017, arXiv 1706.05587): a dilated backbone, and its last map seen at several rates at once.

Parameters have torchvision's names (``deeplabv3_resnet50`` and so on, without the auxiliary classifier).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rawseg_kernels._arrays import integer

from .. import functional as F
from .. import nn
from ..autograd import Tensor
from ..autograd.shaping import cat
from ..errors import ArgumentError
from .mobilenet_v3 import mobilenet_v3_large
from .resnet import ResNet, resnet50, resnet101
from .segmenter import Segmenter

__all__ = ["ASPP", "DeepLabV3", "deeplabv3"]

RATES = {8: (12, 24, 36), 16: (6, 12, 18)}  # section 4.1 of the paper: twice as wide where maps are twice as fine
WIDTH = 256


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: a 1x1 convolution, three dilated ones and the mean of the whole map, side by side.

    Parameters
    ----------
    in_channels : int
        Channels of the map.
    rates : sequence of int
        Dilations of the 3x3 convolutions.
    out_channels : int
        Channels of each branch, and of the result.
    """

    def __init__(self, in_channels: int, rates: Sequence[int] = RATES[8], out_channels: int = WIDTH) -> None:
        super().__init__()
        branches = [_conv_norm_relu(in_channels, out_channels, 1)]
        branches += [_conv_norm_relu(in_channels, out_channels, 3, rate) for rate in rates]
        branches.append(nn.Sequential(nn.AdaptiveAvgPool2d(1), *_conv_norm_relu(in_channels, out_channels, 1).children()))
        self.convs = nn.ModuleList(branches)
        joined = len(branches) * out_channels
        self.project = nn.Sequential(*_conv_norm_relu(joined, out_channels, 1).children(), nn.Dropout(0.5))

    def forward(self, x: Tensor) -> Tensor:
        seen = [branch(x) for branch in self.convs]
        seen[-1] = F.interpolate(seen[-1], size=x.shape[2:], mode="bilinear")  # one pixel, spread over the map
        return self.project(cat(seen, 1))


class DeepLabV3(Segmenter):
    """A dilated network, `ASPP`, a 3x3 convolution, a classifier, and bilinear interpolation to the image's size.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    classes : int
        Logits per pixel.
    backbone : {"resnet50", "resnet101", "mobilenet_v3_large"}
        The last map has 1/8 of the image's size, that of MobileNetV3 1/16.
    rates : sequence of int
        Dilations of `ASPP`.
    width : int
        Channels of each branch of `ASPP` and of the convolution after it.

    Notes
    -----
    Any size of image will do. The mean of the whole map makes every output pixel depend on the whole image. 39,638,869
    parameters with ResNet-50 and 21 classes.
    """

    name = "deeplabv3"
    typical_size = (512, 512)

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 21,
        backbone: str = "resnet50",
        rates: Sequence[int] = RATES[8],
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        if backbone not in ("resnet50", "resnet101", "mobilenet_v3_large"):
            expected = "'resnet50', 'resnet101' or 'mobilenet_v3_large'"
            raise ArgumentError(self.name, "backbone", expected, repr(backbone))
        integer(self.name, "classes", classes, 1)
        steps = [integer(self.name, "rates", rate, 1) for rate in rates]
        width = integer(self.name, "width", width, 1)
        self.config = {"in_channels": in_channels, "classes": classes, "backbone": backbone, "rates": steps, "width": width}
        self.backbone, channels = _backbone(backbone, in_channels)
        self.classifier = nn.Sequential(
            ASPP(channels, steps, width), *_conv_norm_relu(width, width, 3).children(), nn.Conv2d(width, classes, 1)
        )

    def backbone_parts(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield what of a classifier is in here, with what its names begin with in the classifier's own files."""
        yield "" if isinstance(self.backbone, ResNet) else "features.", self.backbone

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes, H, W)."""
        self.check(x)
        y = self.backbone.last_map(x) if isinstance(self.backbone, ResNet) else self.backbone(x)
        return F.interpolate(self.classifier(y), size=x.shape[2:], mode="bilinear")


def _backbone(name: str, in_channels: int) -> tuple[Any, int]:
    """Return a network without its classifier, and the channels of its last map."""
    if name == "mobilenet_v3_large":
        network = mobilenet_v3_large(1, in_channels=in_channels, dilated=True)
        return network.features, network.stage_channels()[-1]
    network = {"resnet50": resnet50, "resnet101": resnet101}[name](1, in_channels, output_stride=8)
    channels = network.stage_channels()[-1]
    del network.fc
    return network, channels


def _conv_norm_relu(in_channels: int, out_channels: int, kernel_size: int, dilation: int = 1) -> nn.Sequential:
    padding = dilation * (kernel_size // 2)
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU())


def deeplabv3(**options: Any) -> DeepLabV3:
    """Return DeepLabV3, a dilated network (backbone=) seen at several rates: 39,638,869 parameters on ResNet-50."""
    return DeepLabV3(**options)
