"""U-Net on a classification network: its features on the way down, upsampling and convolutions on the way up.

With MobileNetV1 it is the small network for masks on faces. One level of the decoder, from the coarsest map to the image::

    x = upsample(x)                           twice the size, each pixel four times: no transposed convolution
    x = cat(x, the encoder's last map of that size)
    x = relu(conv3x3(x))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np

from rawseg_kernels._arrays import flag, integer

from .. import functional as F
from .. import nn
from ..autograd import Tensor
from ..autograd.shaping import cat
from ..errors import ArgumentError
from ..interchange.imagenet import COLOURS
from .classifier import Classifier
from .mobilenet_v1 import mobilenet_v1
from .mobilenet_v2 import mobilenet_v2
from .mobilenet_v3 import mobilenet_v3_large, mobilenet_v3_small
from .resnet import resnet18, resnet34, resnet50, resnet101
from .segmenter import Segmenter
from .vgg import vgg16

__all__ = ["ENCODERS", "EncoderUNet", "encoder_unet"]

ENCODERS: dict[str, Callable[..., Classifier]] = {
    "mobilenet_v1": mobilenet_v1,
    "mobilenet_v2": mobilenet_v2,
    "mobilenet_v3_large": mobilenet_v3_large,
    "mobilenet_v3_small": mobilenet_v3_small,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "vgg16": vgg16,
}
SCALABLE = tuple(name for name in ENCODERS if name.startswith("mobilenet"))


class EncoderUNet(Segmenter):
    """A decoder on any of rawseg's classifiers, without its last layers.

    Parameters
    ----------
    in_channels : int
        Channels of the image.
    classes : int
        Logits per pixel; 1 for a mask.
    encoder : str
        One of `ENCODERS`.
    width_mult : float
        alpha of a MobileNet encoder.
    decoder : sequence of int
        Channels of the decoder's levels, from the coarsest to the image's size.
    frozen : bool
        Train the decoder only: the encoder's weights *and* its batch statistics stay bit for bit.
    imagenet : bool
        Bring the image's colours, which are in [0, 1], to the mean and deviation of ImageNet's first, as encoders with weights
        of elsewhere (`rawseg.models.load_backbone`) expect them.

    Notes
    -----
    12,627,873 parameters with MobileNetV1 at width 1, three channels and one logit. Sides are multiples of 32.
    """

    name = "encoder_unet"
    multiple = 32
    typical_size = (224, 224)

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 1,
        encoder: str = "mobilenet_v1",
        width_mult: float = 1.0,
        decoder: Sequence[int] = (512, 256, 128, 64, 32),
        frozen: bool = False,
        imagenet: bool = False,
    ) -> None:
        super().__init__()
        if encoder not in ENCODERS:
            raise ArgumentError(self.name, "encoder", f"one of {sorted(ENCODERS)}", repr(encoder))
        if width_mult != 1 and encoder not in SCALABLE:
            raise ArgumentError(self.name, "width_mult", f"1 (only {SCALABLE} have one)", repr(width_mult))
        integer(self.name, "classes", classes, 1)
        if len(decoder) != 5:
            raise ArgumentError(self.name, "decoder", "five widths, one for each doubling", list(decoder))
        widths = [integer(self.name, "decoder", width, 1) for width in decoder]
        self.config = {"in_channels": in_channels, "classes": classes, "encoder": encoder, "width_mult": width_mult}
        self.config |= {"decoder": widths, "frozen": frozen}
        if flag(self.name, "imagenet", imagenet):
            if in_channels != 3:
                raise ArgumentError(self.name, "imagenet", "False but for images of 3 channels", f"{in_channels} channels")
            self.config["imagenet"] = True  # not where it is False: files from before this option lack it
            for name, values in zip(("mean", "deviation"), COLOURS):
                self.register_buffer(name, Tensor(np.array(values, np.float32).reshape(1, 3, 1, 1)), persistent=False)
        scale = {"width_mult": width_mult} if encoder in SCALABLE else {}
        self.encoder = _without_classifier(ENCODERS[encoder](in_channels=in_channels, classes=1, **scale))
        *skips, channels = self.encoder.stage_channels()
        convolutions: list[nn.Module] = []
        for skip, width in zip(reversed(skips), widths, strict=True):
            convolutions.append(nn.Conv2d(channels + skip, width, 3, padding=1))
            channels = width
        self.decoder = nn.ModuleList(convolutions)
        self.head = nn.Conv2d(channels, classes, 3, padding=1)
        for module in (*convolutions, self.head):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")  # type: ignore[attr-defined]
            nn.init.zeros_(module.bias)  # type: ignore[attr-defined]
        self.frozen = frozen
        if frozen:
            self.encoder.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Set the mode; a frozen encoder stays in eval mode, so that its batch statistics stay, too."""
        super().train(mode)
        if self.frozen:
            self.encoder.eval()
        return self

    def backbone_parts(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield what of a classifier is in here, with what its names begin with in the classifier's own files."""
        yield "", self.encoder

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes, H, W)."""
        self.check(x)
        if "imagenet" in self.config:
            x = (x - self.mean) / self.deviation
        *skips, x = self.encoder.stages(x)
        for skip, convolution in zip(reversed(skips), self.decoder):
            x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = F.relu(convolution(cat([x, skip], 1)))
        return self.head(x)


def _without_classifier(network: Any) -> Any:
    """Take the last layers off a classifier: its maps are all that is wanted."""
    for name in ("classifier", "fc"):
        if name in network._modules:
            delattr(network, name)
    return network


def encoder_unet(**options: Any) -> EncoderUNet:
    """Return a U-Net on a classification network (encoder=): 12,627,873 parameters on MobileNetV1, for masks on faces."""
    return EncoderUNet(**options)
