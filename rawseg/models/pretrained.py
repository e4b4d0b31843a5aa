"""Weights of elsewhere into rawseg's networks, with a report, key by key, of what fits and what does not.

The names of MobileNetV2 and V3, ResNet, VGG16, DeepLabV3 and Mask R-CNN are torchvision's, so that its files load as they are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..errors import ArgumentError, ArgumentTypeError, CheckpointError, type_of
from ..interchange import Report, compare, fitting, pickled
from ..nn import Module
from ..nn.state import saved_tensors
from .weights import weights_of

__all__ = ["compare_keys", "load_backbone", "load_pretrained"]


def load_pretrained(model: Any, path: str | os.PathLike[str], strict: bool = True, entry: str | None = None) -> Report:
    """Load a network's weights from a file that anybody wrote.

    Parameters
    ----------
    model : Module
        Receives the weights.
    path : str or path
        A .safetensors file, or a .pth file of PyTorch, which must then be installed. Nothing in it is executed.
    strict : bool
        Whether every key must fit. Else what fits is loaded, and the report tells the rest, such as a classifier of another
        number of classes.
    entry : str, optional
        Which entry of a .pth file is the state dict, where several could be.

    Returns
    -------
    report : Report
        What was loaded, renamed and left out; printed, it is a table.

    Raises
    ------
    CheckpointError
        If the file is damaged, or does not fit; the message names the first keys at fault, and the error's ``report`` is the
        table of all. Then the model is unchanged. With ``strict=False``, if nothing in the file fits.
    ArgumentTypeError
        If ``model`` is no Module.

    Notes
    -----
    Names that torchvision gave its weights earlier, and those of networks inside ``DataParallel``, are understood. Floats of a
    narrower type are widened, which changes no value; float64 is not narrowed.

    Examples
    --------
    >>> import tempfile, rawseg
    >>> from rawseg import models
    >>> two, ten = models.mobilenet_v2(classes=2), models.mobilenet_v2(classes=10)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rawseg.save(ten.state_dict(), folder + "/ten.safetensors")
    ...     print(models.load_pretrained(two, folder + "/ten.safetensors", strict=False))
    312 of 314 keys fit
    state       key                  shape      note
    mismatched  classifier.1.weight  10 x 1280  (10, 1280) in the file, (2, 1280) in the network
    mismatched  classifier.1.bias    10         (10,) in the file, (2,) in the network
    """
    wanted = _wanted("load_pretrained", model)
    arrays, report = _held_against(wanted, path, entry)
    what = f"the names, shapes and dtypes of {type(model).__name__}"
    if strict and not report.complete:
        raise _misfit(path, what, report)
    if not report.loaded:
        raise _misfit(path, f"a key that fits, by {what}", report)
    fitting.write(arrays, wanted, report.loaded)
    return report


def compare_keys(model: Any, path: str | os.PathLike[str], entry: str | None = None) -> Report:
    """Return how a file fits a network, and load nothing. Parameters and errors of the file are `load_pretrained`'s."""
    return _held_against(_wanted("compare_keys", model), path, entry)[1]


def load_backbone(model: Any, path: str | os.PathLike[str], entry: str | None = None) -> Report:
    """Load the classification network inside a segmenter or detector from a file of that network.

    Parameters
    ----------
    model : EncoderUNet, DeepLabV3 or MaskRCNN
        Whose encoder or backbone receives the weights.
    path : str or path
        As for `load_pretrained`: weights of the whole classifier, whose last layers are left out.
    entry : str, optional
        As for `load_pretrained`.

    Returns
    -------
    report : Report
        Under the classifier's own names; ``unexpected`` holds its last layers.

    Raises
    ------
    CheckpointError
        If the file is damaged, or a weight of the backbone is missing or of another shape. Then the model is unchanged.
    ArgumentTypeError, ArgumentError
        If the model has no such part, or takes images of other than three channels, which no published weights do.
    """
    if not hasattr(model, "backbone_parts"):
        expected = "an EncoderUNet, a DeepLabV3 or a MaskRCNN, which have a classifier inside"
        raise ArgumentTypeError("load_backbone", "model", expected, type_of(model))
    channels = model.config["in_channels"]
    if channels != 3:
        raise ArgumentError("load_backbone", "in_channels", "3: weights of elsewhere are for colour images", channels)
    wanted: dict[str, Tensor] = {}
    for prefix, part in model.backbone_parts():
        wanted |= saved_tensors(part, prefix)
    arrays, report = _held_against(wanted, path, entry)
    if report.missing or report.mismatched or not report.loaded:
        raise _misfit(path, f"the names, shapes and dtypes of the backbone of {type(model).__name__}", report)
    fitting.write(arrays, wanted, report.loaded)
    return report


def _wanted(op: str, model: Any) -> dict[str, Tensor]:
    """Return what a network keeps in a file, by name."""
    if not isinstance(model, Module):
        raise ArgumentTypeError(op, "model", "a rawseg.nn.Module", type_of(model))
    return dict(saved_tensors(model))


def _held_against(
    wanted: Mapping[str, Tensor], path: str | os.PathLike[str], entry: str | None
) -> tuple[dict[str, np.ndarray], Report]:
    """Return the arrays of a file under today's names, and how they fit."""
    given, origin = _read(path, entry)
    arrays, renamed = fitting.fitted(given, wanted)
    return arrays, compare(arrays, wanted, renamed, origin)


def _read(path: str | os.PathLike[str], entry: str | None) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the weights in a file of either kind, and what they were; which kind it is, its first bytes tell."""
    if pickled.is_pickled(path):
        return pickled.read_with_origin(path, entry)
    if entry is not None:
        raise CheckpointError("load", str(path), "a .pth file, which alone has entries", f"entry {entry!r} of another")
    return weights_of(path), {}


def _misfit(path: str | os.PathLike[str], what: str, report: Report) -> CheckpointError:
    error = CheckpointError("load", str(path), what, report.faults())
    error.report = report  # type: ignore[attr-defined]
    return error
