"""What all networks that classify images share: features, their mean over the map, logits; and, as encoders, stages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rawseg_kernels._arrays import integer

from .. import functional as F
from .. import nn
from ..autograd import Tensor, enable_grad
from ..errors import ArgumentError, ShapeError
from .inference import evaluating
from .summary import no_images

__all__ = ["Classifier"]


class Classifier(nn.Module):
    """Images (N, in_channels, H, W) in, logits (N, classes) out, by way of five halvings.

    A subclass sets ``config`` with `remember` and makes ``features`` and ``classifier``.

    Attributes
    ----------
    name : str
        What `rawseg.models.build` makes it by, together with ``config``.
    typical_size : (int, int)
        Height and width of the images that it was made for.
    """

    name = "classifier"
    typical_size = (224, 224)
    features: nn.Sequential
    classifier: nn.Sequential

    def remember(self, classes: int, in_channels: int, **options: Any) -> None:
        """Keep the options in ``config``, those that every classifier has after a check."""
        for option, value in {"classes": classes, "in_channels": in_channels}.items():
            integer(self.name, option, value, 1)
        self.config = {"classes": classes, **options, "in_channels": in_channels}

    def initialise(self) -> None:
        """Draw convolutions by He's rule, backwards (arXiv 1502.01852), and linear layers with a deviation of 0.01."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0, 0.01)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, shape (N, classes)."""
        return self.classifier(self.pooled(x))

    def pooled(self, x: Tensor) -> Tensor:
        """Return the mean of each feature map, shape (N, C)."""
        y = self.last_map(x)
        return F.adaptive_avg_pool2d(y, 1).reshape(y.shape[:2])

    def last_map(self, x: Tensor) -> Tensor:
        """Return the map after the last block; each one before is let go when the next one is there."""
        for y in self.maps(x):
            last = y
        return last

    def steps(self) -> Iterator[nn.Module]:
        """Yield the blocks that take one map to the next."""
        return self.features.children()  # type: ignore[return-value]

    def maps(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the image and the map after every block."""
        channels = self.config["in_channels"]
        if x.ndim != 4 or x.shape[1] != channels:
            raise ShapeError(self.name, "input", f"shape (N, {channels}, H, W)", f"shape {x.shape}")
        yield x
        for step in self.steps():
            x = step(x)
            yield x

    def stages(self, x: Tensor) -> list[Tensor]:
        """Return the last map of each size, from the finest to the coarsest: what a decoder takes up again.

        The first is the image itself where the first block already halves it.
        """
        found: list[Tensor] = []
        for y in self.maps(x):
            if found and found[-1].shape[2:] == y.shape[2:]:
                found[-1] = y
            else:
                found.append(y)
        return found

    def stage_channels(self) -> list[int]:
        """Return the channels of `stages`."""
        with enable_grad(), evaluating(self):
            return [y.shape[1] for y in self.stages(no_images(self, (0, self.config["in_channels"], 64, 64)))]


def width_multiplier(op: str, width_mult: float) -> float:
    """Return alpha, after a check."""
    if isinstance(width_mult, bool) or not isinstance(width_mult, (int, float)) or not 0 < width_mult <= 16:
        raise ArgumentError(op, "width_mult", "a number above 0 and at most 16", repr(width_mult))
    return width_mult
