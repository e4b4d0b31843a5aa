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
from ..interchange import Report
from .autoencoder import Autoencoder, ConvAutoencoder, autoencoder, conv_autoencoder
from .classifier import Classifier
from .deeplabv3 import DeepLabV3, deeplabv3
from .dilated import ContextNetwork, DilatedVGG16, context, dilated_vgg16
from .encoder_unet import ENCODERS, EncoderUNet, encoder_unet
from .equal_weights import influence
from .mask_rcnn import MaskRCNN
from .mobilenet_v1 import MobileNetV1, mobilenet_v1
from .mobilenet_v2 import MobileNetV2, mobilenet_v2
from .mobilenet_v3 import MobileNetV3, mobilenet_v3_large, mobilenet_v3_small
from .pretrained import compare_keys, load_backbone, load_pretrained
from .resnet import ResNet, resnet18, resnet34, resnet50, resnet101
from .segmenter import Segmenter
from .segnet import SegNet, segnet
from .segnet_basic import SegNetBasic, segnet_basic
from .summary import LayerRow, Totals, summary, totals
from .sweeps import SWEEPS, Sweep, sweep
from .tiling import predict_tiled
from .unet import UNet, unet, unet_paper
from .vgg import VGG16, vgg16
from .weights import describe, load_model, load_weights, save_model

MODELS: dict[str, Callable[..., Any]] = {
    "unet": unet,
    "unet_paper": unet_paper,
    "encoder_unet": encoder_unet,
    "segnet": segnet,
    "segnet_basic": segnet_basic,
    "context": context,
    "dilated_vgg16": dilated_vgg16,
    "deeplabv3": deeplabv3,
    "autoencoder": autoencoder,
    "conv_autoencoder": conv_autoencoder,
    "mask_rcnn": MaskRCNN,
    **ENCODERS,  # the classifiers
}
TAKE_ALL = {
    unet: UNet,
    encoder_unet: EncoderUNet,
    segnet_basic: SegNetBasic,
    conv_autoencoder: ConvAutoencoder,
    deeplabv3: DeepLabV3,
}  # functions of **options, and the class that they hand them to


def options_of(name: str) -> dict[str, Any]:
    """Return a model's options and their defaults.

    Raises
    ------
    ArgumentError
        If there is no such model.
    """
    if name not in MODELS:
        raise ArgumentError("build", "name", f"one of {sorted(MODELS)}", repr(name))
    signature = inspect.signature(TAKE_ALL.get(MODELS[name], MODELS[name]))
    return {option: parameter.default for option, parameter in signature.parameters.items()}


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
    known = list(options_of(name))
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ArgumentError("build", "options", f"options of {name}: {known}", unknown)
    model = MODELS[name](**options)
    model.name = name
    return model


__all__ = [
    "MODELS",
    "SWEEPS",
    "VGG16",
    "Autoencoder",
    "Classifier",
    "ContextNetwork",
    "ConvAutoencoder",
    "DeepLabV3",
    "DilatedVGG16",
    "EncoderUNet",
    "LayerRow",
    "MaskRCNN",
    "MobileNetV1",
    "MobileNetV2",
    "MobileNetV3",
    "Report",
    "ResNet",
    "SegNet",
    "SegNetBasic",
    "Segmenter",
    "Sweep",
    "Totals",
    "UNet",
    "autoencoder",
    "build",
    "compare_keys",
    "context",
    "conv_autoencoder",
    "deeplabv3",
    "describe",
    "dilated_vgg16",
    "encoder_unet",
    "influence",
    "load_backbone",
    "load_model",
    "load_pretrained",
    "load_weights",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
    "options_of",
    "predict_tiled",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "save_model",
    "segnet",
    "segnet_basic",
    "summary",
    "sweep",
    "totals",
    "unet",
    "unet_paper",
    "vgg16",
]
