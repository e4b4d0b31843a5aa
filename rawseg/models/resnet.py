"""ResNet (He et al. 2016, arXiv 1512.03385): blocks that add what they compute to what they are given.

The stride of a bottleneck lies on its 3x3 convolution, as in the weights that everybody uses ("ResNet v1.5"). Parameters have
torchvision's names. The last stages can dilate in place of their strides (Yu, Koltun, Funkhouser 2017, arXiv 1705.09914).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rawseg_kernels._arrays import integer

from .. import functional as F
from .. import nn
from ..autograd import Tensor
from ..errors import ArgumentError
from .classifier import Classifier

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "resnet18", "resnet34", "resnet50", "resnet101"]


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a skip.

    Parameters
    ----------
    in_channels, width : int
        Channels before, and after.
    stride : int
        Of the first convolution, and of the 1x1 one on the skip, which is there where size or channels change.
    dilation : int
        Must be 1.
    """

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        if dilation != 1:
            raise ArgumentError("BasicBlock", "dilation", "1: only bottlenecks are dilated", dilation)
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _projection(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """A 1x1 convolution to fewer channels, a 3x3 one, a 1x1 one to four times as many, and a skip.

    Parameters are those of `BasicBlock`; the output has ``4 * width`` channels, and the 3x3 convolution the dilation.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _projection(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def _projection(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """Return the 1x1 convolution of a skip across which size or channels change."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels))


PLANS: dict[int, tuple[Any, tuple[int, ...]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
}


class ResNet(Classifier):
    """The networks of the paper's table 1.

    Parameters
    ----------
    layers : {18, 34, 50, 101}
        Which of them.
    classes : int
        Logits of the output.
    in_channels : int
        Channels of the image.
    output_stride : {32, 16, 8}
        Pixels of the image to a pixel of the last map: 16 and 8 dilate the last stage, or the last two (50 and 101 only).
    width : int
        Channels of the first stage, which every later one doubles.
    """

    def __init__(
        self, layers: int = 50, classes: int = 1000, in_channels: int = 3, output_stride: int = 32, width: int = 64
    ) -> None:
        super().__init__()
        if layers not in PLANS:
            raise ArgumentError("resnet", "layers", f"one of {sorted(PLANS)}", repr(layers))
        self.name = f"resnet{layers}"
        if output_stride not in (32, 16, 8):
            raise ArgumentError(self.name, "output_stride", "32, 16 or 8", repr(output_stride))
        width = integer(self.name, "width", width, 1)
        self.remember(classes, in_channels, output_stride=output_stride, width=width)
        block, counts = PLANS[layers]
        self.conv1 = nn.Conv2d(in_channels, width, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels, reached, dilation = width, 4, 1
        for stage, count in enumerate(counts):
            inside, stride, before = width * 2**stage, 1 if stage == 0 else 2, dilation
            if stride == 2 and reached == output_stride:
                stride, dilation = 1, dilation * 2
            reached *= stride
            blocks: list[nn.Module] = [block(channels, inside, stride, before)]
            channels = inside * block.expansion
            blocks += [block(channels, inside, 1, dilation) for _ in range(count - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, classes)
        self.initialise()

    def steps(self) -> Iterator[nn.Module]:
        yield nn.Sequential(self.conv1, self.bn1, self.relu)
        yield self.maxpool
        for name in ("layer1", "layer2", "layer3", "layer4"):
            if hasattr(self, name):  # a detector uses the last one elsewhere
                yield from getattr(self, name).children()

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes)."""
        return self.fc(self.pooled(x))


def resnet18(classes: int = 1000, in_channels: int = 3, width: int = 64) -> ResNet:
    """Return ResNet-18, a classifier of residual blocks: 11,689,512 parameters for 1000 classes."""
    return ResNet(18, classes, in_channels, width=width)


def resnet34(classes: int = 1000, in_channels: int = 3, width: int = 64) -> ResNet:
    """Return ResNet-34, a classifier of residual blocks: 21,797,672 parameters for 1000 classes."""
    return ResNet(34, classes, in_channels, width=width)


def resnet50(classes: int = 1000, in_channels: int = 3, output_stride: int = 32, width: int = 64) -> ResNet:
    """Return ResNet-50, a classifier of residual bottlenecks: 25,557,032 parameters for 1000 classes."""
    return ResNet(50, classes, in_channels, output_stride, width)


def resnet101(classes: int = 1000, in_channels: int = 3, output_stride: int = 32, width: int = 64) -> ResNet:
    """Return ResNet-101, a classifier of residual bottlenecks: 44,549,160 parameters for 1000 classes."""
    return ResNet(101, classes, in_channels, output_stride, width)
