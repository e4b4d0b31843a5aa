"""VGG16 with batch norm (Simonyan and Zisserman 2015, arXiv 1409.1556): thirteen 3x3 convolutions, five poolings.

Parameters have torchvision's names, those of ``vgg16_bn``: the file of its ``vgg16``, which has no norms, does not fit.
"""

from __future__ import annotations

from .. import functional as F
from .. import nn
from ..autograd import Tensor
from .classifier import Classifier

__all__ = ["VGG16", "vgg16", "vgg16_features"]

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # configuration D of the paper's table 1


def vgg16_features(in_channels: int = 3, return_indices: bool = False) -> nn.Sequential:
    """Return the convolutions, each with batch norm and ReLU, and a 2x2 pooling after each block of them."""
    layers: list[nn.Module] = []
    for block in BLOCKS:
        for width in block:
            layers += [nn.Conv2d(in_channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            in_channels = width
        layers.append(nn.MaxPool2d(2, return_indices=return_indices))
    return nn.Sequential(*layers)


class VGG16(Classifier):
    """Configuration D with batch norm, which torchvision calls ``vgg16_bn``.

    Parameters
    ----------
    classes : int
        Logits of the output.
    in_channels : int
        Channels of the image.
    dropout : float
        Probability of a hidden unit to be dropped, in training.
    """

    name = "vgg16"

    def __init__(self, classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> None:
        super().__init__()
        self.remember(classes, in_channels, dropout=dropout)
        self.features = vgg16_features(in_channels)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(4096, classes),
        )
        self.initialise()

    def pooled(self, x: Tensor) -> Tensor:
        """Return the features of 7 x 7 parts of the image, shape (N, 512 * 49)."""
        return F.adaptive_avg_pool2d(self.last_map(x), 7).reshape(x.shape[0], 512 * 49)


def vgg16(classes: int = 1000, in_channels: int = 3, dropout: float = 0.5) -> VGG16:
    """Return VGG16 with batch norm, a classifier: 138,365,992 parameters for 1000 classes."""
    return VGG16(classes, in_channels, dropout)
