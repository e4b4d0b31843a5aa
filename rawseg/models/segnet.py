"""SegNet (Badrinarayanan, Kendall, Cipolla 2017, arXiv 1511.00561): a decoder that is told where each maximum was."""

from __future__ import annotations

from rawseg_kernels._arrays import integer

from .. import nn
from ..autograd import Tensor
from .packed_indices import packed, unpacked
from .segmenter import Segmenter
from .vgg import BLOCKS, vgg16_features

__all__ = ["SegNet", "segnet"]


class SegNet(Segmenter):
    """VGG16's thirteen convolutions down, the same up again with unpooling between.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    classes : int
        Logits per pixel.

    Notes
    -----
    ``encoder`` has the names of VGG16's ``features``, so that its weights fit. Sides are multiples of 32.
    """

    name = "segnet"
    multiple = 32
    typical_size = (352, 480)

    def __init__(self, in_channels: int = 3, classes: int = 11) -> None:
        super().__init__()
        integer(self.name, "classes", classes, 1)
        self.config = {"in_channels": in_channels, "classes": classes}
        self.encoder = vgg16_features(in_channels, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)
        blocks = []
        for number, widths in reversed(list(enumerate(BLOCKS))):
            last = BLOCKS[number - 1][-1] if number else widths[0]  # what the next block up begins with
            outs = [*widths[1:], last]
            blocks.append(nn.Sequential(*[_conv_norm_relu(i, o) for i, o in zip(widths, outs)]))
        self.decoder = nn.ModuleList(blocks)
        self.decoder[-1][-1] = nn.Conv2d(BLOCKS[0][0], classes, 3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes, H, W)."""
        return self.decode(*self.encode(x))

    def encode(self, x: Tensor) -> tuple[Tensor, list[tuple]]:
        """Return the deepest map, and for each level the pooling indices and None."""
        self.check(x)
        kept = []
        for layer in self.encoder:
            if isinstance(layer, nn.MaxPool2d):
                x, indices = layer(x)
                kept.append((packed(indices), None))
            else:
                x = layer(x)
        return x, kept

    def decode(self, x: Tensor, kept: list[tuple]) -> Tensor:
        """Return logits for the deepest map and the indices."""
        for block, (indices, _) in zip(self.decoder, reversed(kept)):
            x = block(self.unpool(x, unpacked(indices)))
        return x


def _conv_norm_relu(in_channels: int, out_channels: int) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(out_channels), nn.ReLU())


def segnet(in_channels: int = 3, classes: int = 11) -> SegNet:
    """Return SegNet on VGG16: unpooling by stored indices, no skips."""
    return SegNet(in_channels, classes)
