# ruff: noqa: D101, D102 (modules of PyTorch: the class's name says it)
"""rawseg's models written in PyTorch with the same names, so that one state_dict fits both: oracles for tests and benches."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class DoubleConv(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, padding: int, norm: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=padding, bias=not norm)
        self.norm1 = nn.BatchNorm2d(out_channels) if norm else nn.Identity()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=padding, bias=not norm)
        self.norm2 = nn.BatchNorm2d(out_channels) if norm else nn.Identity()

    def forward(self, x):
        return F.relu(self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x))))))


class BilinearUp(nn.Module):
    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x):
        return F.interpolate(self.conv(x), scale_factor=2, mode="bilinear", align_corners=False)


class UNet(nn.Module):
    def __init__(self, in_channels=1, classes=2, width=64, depth=4, padded=True, norm=True, up="transposed") -> None:
        super().__init__()
        padding = int(padded)
        widths = [width * 2**level for level in range(depth + 1)]
        starts = [in_channels, *widths[: depth - 1]]
        self.encoder = nn.ModuleList([DoubleConv(i, o, padding, norm) for i, o in zip(starts, widths[:depth])])
        self.bottom = DoubleConv(widths[depth - 1], widths[depth], padding, norm)
        back = list(reversed(widths[:depth]))
        grow = BilinearUp if up == "bilinear" else (lambda i, o: nn.ConvTranspose2d(i, o, 2, stride=2))
        self.up = nn.ModuleList([grow(2 * o, o) for o in back])
        self.decoder = nn.ModuleList([DoubleConv(2 * o, o, padding, norm) for o in back])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, x):
        skips = []
        for block in self.encoder:
            x = block(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for grow, block in zip(self.up, self.decoder):
            x = grow(x)
            skip = skips.pop()
            top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
            x = block(torch.cat([skip[:, :, top : top + x.shape[2], left : left + x.shape[3]], x], 1))
        return self.head(x)


def load_from_rawseg(twin: nn.Module, model) -> nn.Module:
    """Give a twin the weights of a rawseg model; every key must fit."""
    twin.load_state_dict({name: torch.tensor(value.numpy()) for name, value in model.state_dict().items()}, strict=True)
    return twin


def _mobile_layer(i: int, o: int, k: int = 1, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(i, o, k, stride, (k - 1) // 2, groups=groups, bias=False), nn.BatchNorm2d(o), nn.ReLU6(True))


class InvertedResidual(nn.Module):
    def __init__(self, i: int, o: int, stride: int, expansion: int) -> None:
        super().__init__()
        inside = i * expansion
        expand = [] if expansion == 1 else [_mobile_layer(i, inside)]
        filtered = _mobile_layer(inside, inside, 3, stride, groups=inside)
        self.conv = nn.Sequential(*expand, filtered, nn.Conv2d(inside, o, 1, bias=False), nn.BatchNorm2d(o))
        self.skip = stride == 1 and i == o

    def forward(self, x):
        return x + self.conv(x) if self.skip else self.conv(x)


class MobileNetV2(nn.Module):
    """Width 1, by the paper's table 2 written out: (channels before, after, stride, expansion) of every block."""

    blocks = (
        [(32, 16, 1, 1), (16, 24, 2, 6), (24, 24, 1, 6), (24, 32, 2, 6), (32, 32, 1, 6), (32, 32, 1, 6), (32, 64, 2, 6)]
        + [(64, 64, 1, 6)] * 3
        + [(64, 96, 1, 6), (96, 96, 1, 6), (96, 96, 1, 6), (96, 160, 2, 6)]
        + [(160, 160, 1, 6), (160, 160, 1, 6), (160, 320, 1, 6)]
    )

    def __init__(self, classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        layers = [_mobile_layer(3, 32, 3, 2), *(InvertedResidual(*block) for block in self.blocks), _mobile_layer(320, 1280)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(1280, classes))

    def forward(self, x):
        return self.classifier(F.adaptive_avg_pool2d(self.features(x), 1).flatten(1))
