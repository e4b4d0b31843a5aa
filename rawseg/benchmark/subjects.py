"""The models that are timed whole: both networks with the same weights, their data, and what a step of either side is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple

import numpy as np

import rawseg

from .. import functional as F
from .. import models

Request = dict[str, Any]
Difference = tuple[float, str]  # how large, and of what


class Pair(NamedTuple):
    """A model and its PyTorch twin with the same weights, in training mode."""

    ours: Any
    twin: Any


class Subject:
    """A model to time; this one has maps or an image's class as its answer, and cross entropy as its loss.

    Attributes
    ----------
    size : int
        Side of its images, unless another is asked for.
    small : dict
        What of a request is replaced where gradients are compared, and where a process starts.
    rate : float
        Adam's.
    """

    size: int
    small: ClassVar[Request] = {"size": 64, "batch": 2}
    rate = 1e-4

    def require(self) -> None:
        """Raise `BackendError` if something beside PyTorch is missing."""

    def pair(self, request: Request) -> Pair:
        """Return both networks."""
        raise NotImplementedError

    def data(self, request: Request, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return images and targets as arrays, floats among them in float64."""
        raise NotImplementedError

    def for_rawseg(self, data: tuple[Any, Any], dtype: Any) -> tuple[Any, Any]:
        """Return the data as rawseg's model takes it."""
        x, y = data
        return rawseg.tensor(x.astype(dtype)), rawseg.tensor(y)

    def for_torch(self, data: tuple[Any, Any], dtype: Any, layout: Any) -> tuple[Any, Any]:
        """Return the data as the twin takes it, maps in a memory layout."""
        import torch

        x, y = data
        return torch.tensor(x.astype(dtype)).to(memory_format=layout), torch.tensor(y)

    def loss(self, model: Any, x: Any, y: Any) -> Any:
        """Return what rawseg's training step minimises."""
        return F.cross_entropy(model(x), y)

    def torch_loss(self, twin: Any, x: Any, y: Any) -> Any:
        """Return what the twin's training step minimises."""
        import torch

        return torch.nn.functional.cross_entropy(twin(x), y)

    def settled(self, answer: Any) -> Any:
        """Return rawseg's answer with nothing left to compute."""
        return answer.array

    def draw_alike(self, pair: Pair) -> None:
        """Take chance out of both networks, where a step has any."""

    def other_differences(self, pair: Pair, x: Any, theirs: Any) -> Iterator[Difference]:
        """Yield what else has to agree, beside the gradients."""
        yield from ()


class UNet(Subject):
    """A U-Net of two classes on grey images."""

    size = 256

    def pair(self, request: Request) -> Pair:
        """Return both networks."""
        from . import torch_twins

        ours = models.unet(width=request["width"])
        return Pair(ours, torch_twins.load_from_rawseg(torch_twins.UNet(width=request["width"]), ours))

    def data(self, request: Request, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return noise, and noise of classes."""
        batch, size = request["batch"], request["size"]
        return rng.standard_normal((batch, 1, size, size)), rng.integers(0, 2, (batch, size, size))


class MobileNetV2(Subject):
    """MobileNetV2 of ImageNet's thousand classes."""

    size = 224

    def pair(self, request: Request) -> Pair:
        """Return both networks, without dropout."""
        from . import torch_twins

        ours = models.mobilenet_v2(dropout=0.0)
        return Pair(ours, torch_twins.load_from_rawseg(torch_twins.MobileNetV2(dropout=0.0), ours))

    def data(self, request: Request, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return noise, and noise of classes."""
        batch, size = request["batch"], request["size"]
        return rng.standard_normal((batch, 3, size, size)), rng.integers(0, 1000, (batch,))
