"""Networks that are captured, and the bytes of what they give."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import rawseg
from rawseg import Tensor, models, nn


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
        nn.ConvTranspose2d(3, 2, 2, 2),
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "a few layers": (small, (2, 1, 4, 4)),
    "unet": (lambda: models.unet(width=2, depth=1, classes=2), (1, 1, 8, 8)),
    "unet bilinear": (lambda: models.unet(width=2, depth=1, classes=2, up="bilinear"), (1, 1, 8, 8)),
    "mobilenet_v2": (lambda: models.mobilenet_v2(width_mult=0.25, classes=5), (2, 3, 32, 32)),
    "segnet_basic": (lambda: models.segnet_basic(classes=3), (1, 3, 16, 16)),
    "deeplabv3": (lambda: models.build("deeplabv3", backbone="mobilenet_v3_large", width=16, classes=2), (2, 3, 32, 32)),
    "resnet18": (lambda: models.build("resnet18", width=8, classes=5), (2, 3, 32, 32)),
}
LONG = {"mobilenet_v2", "segnet_basic", "deeplabv3", "resnet18"}
CASES = [pytest.param(name, marks=[pytest.mark.release] if name in LONG else []) for name in NETWORKS]


def made(name: str, training: bool = True) -> tuple[nn.Module, list[Tensor]]:
    rawseg.manual_seed(0)
    make, shape = NETWORKS[name]
    return make().train(training).to("cuda"), [rawseg.randn(*shape).to("cuda") for _ in range(3)]


def bytes_of(*tensors: Tensor | None) -> list[bytes]:
    return [b"" if t is None else t.to("cpu").numpy().tobytes() for t in tensors]


def state_of(net: nn.Module) -> list[bytes]:
    return bytes_of(*net.state_dict().values())
