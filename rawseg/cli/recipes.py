"""What a run is made of, by name: the network, its augmentation, the update rule and its schedule."""

from __future__ import annotations

from typing import Any

from .options import model_options


def make_model(name: str, channels: int, classes: int, given: dict[str, Any], options: list[str] | None) -> Any:
    """Build the network for segmentation that the options ask for."""
    from .. import models
    from ..errors import ArgumentError

    if name == "unet" and (given.get("encoder") or given.get("frozen")):
        name = "encoder_unet"
    named = {"in_channels": channels, "classes": classes, **given}
    net = models.build(name, **model_options("train", name, named, options))
    if not isinstance(net, models.Segmenter):
        expected = "a network for segmentation"
        raise ArgumentError("train", "--model", expected, f"{name}, which is none")
    return net


def make_augmentation(side: int, augment: bool) -> Any:
    """Return the transformation of training samples to crops of ``side`` pixels."""
    from .. import data

    if not augment:
        return data.ScaleCrop(side)
    return data.Compose(
        [
            data.ScaleCrop(side, scale=(0.8, 1.25)),
            data.Flip(horizontal=True, vertical=True),
            data.Rotate90(),
            data.ElasticDeform(),
            data.Brightness(),
            data.Contrast(),
        ]
    )


def make_optimizer(name: str, parameters: Any, lr: float, weight_decay: float) -> Any:
    """Return an optimiser by its name."""
    from .. import optim
    from ..errors import ArgumentError

    makers = {
        "adam": lambda: optim.Adam(parameters, lr, weight_decay=weight_decay),
        "adamw": lambda: optim.AdamW(parameters, lr, weight_decay=weight_decay),
        # momentum 0.99: section 3 of the U-Net paper
        "sgd": lambda: optim.SGD(parameters, lr, momentum=0.99, weight_decay=weight_decay),
    }
    if name not in makers:
        raise ArgumentError("train", "optimizer", f"one of {sorted(makers)}", repr(name))
    return makers[name]()


def make_schedule(name: str, optimizer: Any, batches: int, epochs: int) -> Any:
    """Return a learning-rate schedule by its name, stepped every batch, after a linear warm-up of one epoch."""
    from ..errors import ArgumentError
    from ..optim import lr_scheduler as schedules

    warm, rest = batches, max(1, batches * (epochs - 1))
    makers = {
        "constant": lambda: schedules.LambdaLR(optimizer, lambda _: 1.0),
        "cosine": lambda: schedules.CosineAnnealingLR(optimizer, T_max=rest),
        "poly": lambda: schedules.PolynomialLR(optimizer, total_iters=rest, power=0.9),
        "step": lambda: schedules.StepLR(optimizer, step_size=max(1, rest // 3), gamma=0.1),
    }
    if name not in makers:
        raise ArgumentError("train", "schedule", f"one of {sorted(makers)}", repr(name))
    rise = schedules.LinearLR(optimizer, start_factor=0.05, total_iters=warm)
    return schedules.SequentialLR(optimizer, [rise, makers[name]()], milestones=[warm])
