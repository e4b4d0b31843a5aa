"""SegNet-Basic (Badrinarayanan, Kendall, Cipolla 2017, arXiv 1511.00561, table 1): one small encoder, eight ways back up.

Four 7x7 convolutions of 64 channels, small enough to compare decoders. One that is told the pooling indices keeps two bits a
window; one that adds the encoder's maps keeps them, 128 bits a window and channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rawseg_kernels._arrays import integer

from .. import functional as F
from .. import nn
from ..autograd import Tensor, no_grad
from ..errors import ArgumentError
from .inference import as_input, evaluating
from .packed_indices import PackedIndices, packed, unpacked
from .segmenter import Segmenter

__all__ = ["VARIANTS", "SegNetBasic", "Variant", "segnet_basic", "storage"]

WIDTH, LEVELS = 64, 4


@dataclass(frozen=True)
class Variant:
    """A row of the paper's table 1.

    Attributes
    ----------
    title : str
        Its name there.
    up : str
        ``"unpool"``: unpooling by stored indices, then a 7x7 convolution and batch norm; ``"depthwise"``: the same, each
        channel alone; ``"learned"``: 8x8 transposed convolutions; ``"fixed"``: bilinear interpolation.
    added : bool
        Whether each level adds the encoder's map of its size.
    reduced : bool
        Whether the decoder works on one map a class; for ``added`` the encoder's maps are brought to as many.
    millions, multiplier, mean_iou : float or None
        The paper's millions of parameters, storage in units of the indices, and mean IoU on CamVid in per cent.
    """

    title: str
    up: str
    added: bool
    reduced: bool
    millions: float
    multiplier: int | None
    mean_iou: float


VARIANTS = {
    "bilinear": Variant("bilinear interpolation, fixed", "fixed", False, True, 0.625, 0, 43.3),
    "segnet": Variant("SegNet-Basic", "unpool", False, False, 1.425, 1, 47.7),
    "encoder_addition": Variant("SegNet-Basic-EncoderAddition", "unpool", True, False, 1.425, 64, 48.5),
    "single_channel": Variant("SegNet-Basic-SingleChannelDecoder", "depthwise", False, False, 0.625, 1, 46.1),
    "fcn": Variant("FCN-Basic", "learned", True, True, 0.65, 11, 47.3),
    "fcn_no_addition": Variant("FCN-Basic-NoAddition", "learned", False, True, 0.65, None, 44.1),
    "fcn_no_reduction": Variant("FCN-Basic-NoDimReduction", "learned", True, False, 1.625, 64, 50.1),
    "fcn_neither": Variant("FCN-Basic-NoAddition-NoDimReduction", "learned", False, False, 1.625, 0, 45.9),
}


class SegNetBasic(Segmenter):
    """Four convolutions down, four steps up; no biases, batch norm after every convolution, no ReLU on the way up.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    classes : int
        Logits per pixel.
    variant : str
        One of `VARIANTS`: the way up.

    Notes
    -----
    1,414,336 convolution weights without the classifier for the variant "segnet" and 3 channels. A pixel of the deepest map
    sees 106 x 106 pixels of the image.
    """

    name = "segnet_basic"
    multiple = 2**LEVELS
    typical_size = (352, 480)  # CamVid has 360 x 480

    def __init__(self, in_channels: int = 3, classes: int = 11, variant: str = "segnet") -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ArgumentError(self.name, "variant", f"one of {sorted(VARIANTS)}", repr(variant))
        integer(self.name, "in_channels", in_channels, 1)
        integer(self.name, "classes", classes, 1)
        self.config = {"in_channels": in_channels, "classes": classes, "variant": variant}
        self.plan = plan = VARIANTS[variant]
        self.encoder = nn.ModuleList([_filtered(in_channels if i == 0 else WIDTH) for i in range(LEVELS)])
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)
        width = classes if plan.reduced else WIDTH
        grow: dict[str, Callable[[], nn.Module]] = {
            "unpool": lambda: _filtered(WIDTH),
            "depthwise": lambda: _filtered(WIDTH, groups=WIDTH),
            "learned": lambda: _doubling(width),
            "fixed": lambda: nn.Upsample(scale_factor=2, mode="bilinear"),
        }
        self.decoder = nn.ModuleList([grow[plan.up]() for _ in range(LEVELS)])
        reductions = LEVELS if plan.added and plan.reduced else 0
        self.reduce = nn.ModuleList([nn.Conv2d(WIDTH, classes, 1, bias=False) for _ in range(reductions)])
        self.score = nn.Conv2d(WIDTH, classes, 1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes, H, W)."""
        return self.decode(*self.encode(x))

    def encode(self, x: Tensor) -> tuple[Tensor, list[tuple]]:
        """Return the deepest map, and for each level what the decoder must keep: indices or None, a map or None."""
        self.check(x)
        kept = []
        for level, layer in enumerate(self.encoder):
            y = F.relu(layer(x))
            if self.plan.up in ("unpool", "depthwise"):
                x, indices = self.pool(y)
                indices = packed(indices)
            else:
                x, indices = F.max_pool2d(y, 2), None
            added = None
            if self.plan.added:
                added = self.reduce[level](y) if self.plan.reduced else y
            kept.append((indices, added))
        return x, kept

    def decode(self, x: Tensor, kept: list[tuple]) -> Tensor:
        """Return logits for the deepest map and what was kept."""
        x = self.score(x) if self.plan.reduced else x
        for layer, (indices, added) in zip(self.decoder, reversed(kept)):
            x = layer(x if indices is None else self.unpool(x, unpacked(indices)))
            x = x if added is None else x + added
        return x if self.plan.reduced else self.score(x)


def _filtered(in_channels: int, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, WIDTH, 7, padding=3, groups=groups, bias=False), nn.BatchNorm2d(WIDTH))


def _doubling(channels: int) -> nn.ConvTranspose2d:
    """Return an 8x8 transposed convolution of stride 2 that begins as bilinear interpolation, each channel by itself."""
    layer = nn.ConvTranspose2d(channels, channels, 8, stride=2, padding=3, bias=False)
    kernel = np.zeros((channels, channels, 8, 8), np.float32)
    hat = np.array([0.25, 0.75, 0.75, 0.25])
    kernel[np.arange(channels), np.arange(channels), 2:6, 2:6] = np.outer(hat, hat)
    layer.weight.array = kernel
    return layer


def storage(model: Any, size: tuple[int, int]) -> int:
    """Return how many bytes an inference keeps from the encoder for the decoder: measured on what is kept.

    Parameters
    ----------
    model : SegNetBasic or SegNet
        Of any variant.
    size : (int, int)
        Height and width of one image.
    """
    image = as_input(np.zeros((1, model.config["in_channels"], *size)), model)
    with no_grad(), evaluating(model):
        _, kept = model.encode(image)
    held = [thing for level in kept for thing in level if thing is not None]
    return sum(thing.nbytes if isinstance(thing, PackedIndices) else thing.array.nbytes for thing in held)


def segnet_basic(**options: Any) -> SegNetBasic:
    """Return SegNet-Basic with one of eight ways back up (variant=): 1,416,064 parameters with unpooling."""
    return SegNetBasic(**options)
