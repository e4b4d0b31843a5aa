"""The networks that are timed whole: those of the bench, and others beside the same written in PyTorch's functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
import written_in_torch as written

import rawseg
from rawseg import models, nn
from rawseg.benchmark.model_steps import MODELS
from rawseg.benchmark.subjects import Pair, Request, Subject


class Layers(written.Weights):
    """Weights of a module as `written_in_torch` takes them; running statistics are updated, as by PyTorch's own layers."""

    def __init__(self, module: Written) -> None:
        own = module._parameters, module._buffers  # looked up without a check: this is timed
        self.parameters = {name: own[0][held] for name, held in module.held.items()}
        self.buffers = {name: own[1][held] for name, held in module.held_buffers.items()}
        self.training = module.training

    def norm(self, name, x, eps=1e-5):
        mean, variance = self.buffers[f"{name}.running_mean"], self.buffers[f"{name}.running_var"]
        weight, bias = self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]
        return torch.nn.functional.batch_norm(x, mean, variance, weight, bias, self.training, 0.1, eps)


class Written(torch.nn.Module):
    """A network of rawseg's in PyTorch's functions, with copies of its weights: ``function(weights, images)``."""

    def __init__(self, model: Any, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.held = {name: f"p{i}" for i, (name, _) in enumerate(model.named_parameters())}
        self.held_buffers = {name: f"b{i}" for i, (name, _) in enumerate(model.named_buffers())}
        for name, parameter in model.named_parameters():
            self.register_parameter(self.held[name], torch.nn.Parameter(torch.tensor(parameter.numpy())))
        for name, buffer in model.named_buffers():
            self.register_buffer(self.held_buffers[name], torch.tensor(buffer.numpy()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(Layers(self), x)


class Row(NamedTuple):
    """A network by its name in ``rawseg.models``, and what it is timed with."""

    name: str
    options: dict[str, Any]
    function: Callable[..., Any]  # of `written_in_torch`
    classes: int
    size: int  # of the images, and how many they are
    batch: int
    small: int  # where gradients are compared
    pixels: bool = True  # have a class each; else images do


class Network(Subject):
    """A network of a row, whose loss is cross entropy."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.small = {"size": row.small, "batch": 2}  # type: ignore[misc]  # the class's own is for all

    def pair(self, request: Request) -> Pair:
        """Return both networks, without dropout."""
        ours = models.build(self.row.name, **self.row.options)
        for module in ours.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        return Pair(ours, Written(ours, self.row.function))

    def data(self, request: Request, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return noise, and noise of classes."""
        batch, size = request["batch"], request["size"]
        shape = (batch, size, size) if self.row.pixels else (batch,)
        channels = self.row.options.get("in_channels", 3)
        return rng.standard_normal((batch, channels, size, size)), rng.integers(0, self.row.classes, shape)


V3 = written.mobilenet_v3(written.V3_LARGE), written.mobilenet_v3(written.V3_SMALL)
ENCODED = written.encoder_unet(lambda w, x: written.mobilenet_v1_maps(w, x, "encoder."))
ROWS = [  # those that most is asked about first: the time may be up
    Row("segnet", {"classes": 12}, written.segnet, 12, 352, 4, 32),
    Row("deeplabv3", {"classes": 21}, written.deeplabv3("resnet", (12, 24, 36)), 21, 512, 4, 64),
    Row("resnet50", {}, written.resnet, 1000, 224, 32, 64, pixels=False),
    Row("mobilenet_v3_large", {}, V3[0], 1000, 224, 32, 64, pixels=False),
    Row("encoder_unet", {"classes": 2}, ENCODED, 2, 256, 8, 64),
    Row("segnet_basic", {"classes": 12}, written.segnet_basic("segnet"), 12, 352, 4, 32),
    Row("dilated_vgg16", {}, written.dilated_vgg16, 21, 256, 2, 32),
    Row("context", {"in_channels": 21}, written.context, 21, 64, 8, 24),
    Row("resnet18", {}, written.resnet, 1000, 224, 32, 64, pixels=False),
    Row("mobilenet_v1", {}, written.mobilenet_v1, 1000, 224, 32, 64, pixels=False),
    Row("mobilenet_v3_small", {}, V3[1], 1000, 224, 32, 64, pixels=False),
]
WRITTEN = {row.name: Network(row) for row in ROWS}
NETWORKS: dict[str, Subject] = {**MODELS, **WRITTEN}


def pair(request: Request) -> Pair:
    """Return a network and its PyTorch twin with the same weights."""
    rawseg.manual_seed(0)
    return NETWORKS[request["model"]].pair(request)
