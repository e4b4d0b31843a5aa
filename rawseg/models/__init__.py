"""Networks, composed of `rawseg.nn` only; every one is built by name and remembers its configuration.

>>> from rawseg import models
>>> sum(p.size for p in models.build("unet_paper").parameters())
31030658
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..errors import ArgumentError
from .mobilenet_v2 import MobileNetV2, mobilenet_v2
from .summary import LayerRow, summary
from .tiling import predict_tiled
from .unet import UNet, unet, unet_paper
from .weights import describe, load_model, load_weights, save_model

MODELS: dict[str, Callable[..., Any]] = {"unet": unet, "unet_paper": unet_paper}


def build(name: str, **options: Any) -> Any:
    """Return a model by its name.

    Parameters
    ----------
    name : str
        One of ``MODELS``.
    **options
        The model's own parameters.

    Raises
    ------
    ArgumentError
        If there is no such model, or the model has no such option.
    """
    if name not in MODELS:
        raise ArgumentError("build", "name", f"one of {sorted(MODELS)}", repr(name))
    function = MODELS[name]
    target = UNet if function is unet else function  # unet(**options) hands everything to UNet
    known = [p for p in inspect.signature(target).parameters if p != "self"]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ArgumentError("build", "options", f"options of {name}: {known}", unknown)
    model = function(**options)
    model.name = name
    return model


__all__ = [
    "MODELS",
    "LayerRow",
    "MobileNetV2",
    "UNet",
    "build",
    "describe",
    "load_model",
    "load_weights",
    "mobilenet_v2",
    "predict_tiled",
    "save_model",
    "summary",
    "unet",
    "unet_paper",
]
