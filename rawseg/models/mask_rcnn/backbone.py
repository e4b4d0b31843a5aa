"""Feature pyramids (Lin et al. 2017, arXiv 1612.03144): every level of a classification network, told what lies above it.

Parameters have torchvision's names: ``body.<the network's own>``, ``fpn.inner_blocks``, ``fpn.layer_blocks``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ... import functional as F
from ... import nn
from ...autograd import Tensor, no_grad
from ...errors import ArgumentError
from ...ops import FrozenBatchNorm2d
from ..classifier import width_multiplier
from ..inference import evaluating
from ..mobilenet_v2 import mobilenet_v2
from ..resnet import ResNet, resnet18, resnet34, resnet50, resnet101

__all__ = ["BODIES", "FPN", "PyramidBackbone", "SingleLevelBackbone", "freeze_norms", "freeze_stages", "parts_of"]

RESNETS = {"resnet18": resnet18, "resnet34": resnet34, "resnet50": resnet50, "resnet101": resnet101}
BODIES = (*RESNETS, "mobilenet_v2")


def body_of(name: str, in_channels: int, width_mult: float) -> tuple[Any, list[int]]:
    """Return a classification network without its classifier, and the channels of its maps of stride 4, 8, 16 and 32."""
    if name not in BODIES:
        raise ArgumentError("mask_rcnn", "backbone", f"one of {BODIES}", repr(name))
    width_mult = width_multiplier("mask_rcnn", width_mult)
    if name == "mobilenet_v2":
        network = mobilenet_v2(1, width_mult, in_channels)
        return network.features, network.stage_channels()[-4:]
    network = RESNETS[name](1, in_channels, width=max(1, round(64 * width_mult)))
    channels = network.stage_channels()[-4:]
    del network.fc
    return network, channels


def maps_of(body: Any, x: Tensor) -> list[Tensor]:
    """Return the last map of each size, from stride 4 on."""
    found: list[Tensor] = []
    for step in steps_of(body):
        y = step(x)
        if found and y.shape[2:] == x.shape[2:]:
            found[-1] = y
        else:
            found.append(y)
        x = y
    return found[1:]  # the first has stride 2


def freeze_norms(module: nn.Module) -> None:
    """Put a `rawseg.ops.FrozenBatchNorm2d` in the place of every batch norm inside a module."""
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, FrozenBatchNorm2d.of(child))


class FPN(nn.Module):
    """A 1x1 convolution of each map, sums from the coarsest level down, a 3x3 convolution of each sum, and one level more.

    Parameters
    ----------
    in_channels : list of int
        Channels of the maps, from the finest to the coarsest.
    channels : int
        Channels of every level.
    """

    def __init__(self, in_channels: list[int], channels: int) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList([nn.Sequential(nn.Conv2d(c, channels, 1)) for c in in_channels])
        self.layer_blocks = nn.ModuleList([nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1)) for _ in in_channels])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        """Return one level more than there are maps: the last is every other pixel of the one before."""
        inner: list[Any] = list(self.inner_blocks.children())
        outer: list[Any] = list(self.layer_blocks.children())
        summed = inner[-1](maps[-1])
        levels = [outer[-1](summed)]
        for i in reversed(range(len(maps) - 1)):
            own = inner[i](maps[i])
            summed = own + F.interpolate(summed, size=own.shape[2:], mode="nearest")
            levels.insert(0, outer[i](summed))
        return [*levels, F.max_pool2d(levels[-1], 1, 2)]


class PyramidBackbone(nn.Module):
    """A classification network and its `FPN`: levels of stride 4, 8, 16, 32 and 64.

    Parameters
    ----------
    name : str
        One of `BODIES`.
    in_channels : int
        Channels of the image.
    channels : int
        Channels of every level.
    width_mult : float
        Scales the channels of the classification network.
    """

    levels = 5
    pooled = 4  # levels that RoIs are taken from: all but the coarsest

    def __init__(self, name: str, in_channels: int, channels: int, width_mult: float) -> None:
        super().__init__()
        self.body, widths = body_of(name, in_channels, width_mult)
        self.fpn = FPN(widths, channels)
        self.out_channels = channels

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.fpn(maps_of(self.body, x))


class SingleLevelBackbone(nn.Module):
    """A classification network up to its map of stride 16 ("C4"), or with its last stage up to stride 32 ("C5").

    Parameters
    ----------
    name : str
        One of `BODIES`.
    in_channels : int
        Channels of the image.
    stride : {16, 32}
        Pixels of the image to one of the map.
    width_mult : float
        Scales the channels of the classification network.
    """

    levels = pooled = 1

    def __init__(self, name: str, in_channels: int, stride: int, width_mult: float) -> None:
        super().__init__()
        self.body, widths = body_of(name, in_channels, width_mult)
        self.out_channels, self.last_channels = widths[2 if stride == 16 else 3], widths[3]

    def forward(self, x: Tensor) -> list[Tensor]:
        return [maps_of(self.body, x)[-1]]

    def without_last_stage(self) -> nn.Sequential:
        """Take the stage of stride 32 out of the network and return it: the head of boxes and masks on C4."""
        if isinstance(self.body, ResNet):
            stage = self.body.layer4
            del self.body.layer4
            return stage
        first = next(i for i, stride in enumerate(strides_of(self.body, self.body[0][0].weight.shape[1])) if stride == 32)
        stage, self.body = self.body[first:], self.body[:first]
        return stage


def parts_of(part: Any, after: Any = None) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules of a body, or of the last stage taken out of one, with what their names begin with in its files."""
    if isinstance(part, ResNet):
        yield "", part
    elif isinstance(after, ResNet):
        yield "layer4.", part
    else:
        first = 0 if after is None else len(list(after.children()))
        for number, block in enumerate(part.children(), first):
            yield f"features.{number}.", block


def steps_of(body: Any) -> Iterator[nn.Module]:
    """Yield the blocks that take one map to the next."""
    return body.steps() if isinstance(body, ResNet) else body.children()


def strides_of(body: Any, in_channels: int) -> list[int]:
    """Return for every block how many pixels of the image lie between two of its output."""
    x = Tensor(np.zeros((0, in_channels, 64, 64), np.float32))
    found = []
    with no_grad(), evaluating(body):
        for step in steps_of(body):
            x = step(x)
            found.append(64 // x.shape[2])
    return found


def freeze_stages(body: Any, in_channels: int, count: int) -> None:
    """Stop the training of the blocks whose maps have a stride of at most ``2**count``."""
    for step, stride in zip(steps_of(body), strides_of(body, in_channels)):
        if stride <= 2**count:
            step.requires_grad_(False)
