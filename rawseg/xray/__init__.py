"""Mask R-CNN laid open: every stage of an inference as arrays and pictures on a page, to be run again and compared."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..models.mask_rcnn import MaskRCNN
from .compare import Row, compare, first_difference
from .dump import inputs_of, load, record, replay

__all__ = ["Row", "compare", "first_difference", "inputs_of", "load", "record", "replay", "xray"]


def xray(
    model: MaskRCNN, image: Any, folder: str | os.PathLike[str], class_names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Run a model on one image and write all that happens in between.

    Parameters
    ----------
    model : MaskRCNN
        Run in eval mode.
    image : Tensor or ndarray, shape (C, H, W)
        Values in [0, 1].
    folder : str or path
        Exists. Gets ``stages.safetensors``, ten PNG files, and ``index.html``, which holds them too.
    class_names : sequence of str, optional
        Of the classes from 0, the background, on; else the model's own, if it has any.

    Returns
    -------
    dict of ndarray
        See `record`.

    Raises
    ------
    ArgumentTypeError, ShapeError
        If the model is no MaskRCNN or the image does not fit it.
    CheckpointError, DataError
        If a file cannot be written.

    Examples
    --------
    >>> import rawseg, tempfile
    >>> from rawseg import models, xray
    >>> rawseg.manual_seed(0)
    >>> small = {"width_mult": 0.35, "channels": 8, "hidden": 8, "mask_layers": 0, "min_size": 32, "max_size": 64}
    >>> model = models.MaskRCNN(2, backbone="mobilenet_v2", proposals=(9, 9), **small)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     arrays = xray.record(model, rawseg.ones(3, 32, 40), folder)
    ...     again = xray.replay(model, "rpn head", xray.load(folder)[0])
    >>> arrays["batch"].shape, bool((again["objectness"] == arrays["objectness"]).all())
    ((1, 3, 32, 64), True)
    """
    from .drawings import draw_all  # matplotlib and Pillow are for those who want pictures
    from .page import write_page

    names = class_names if class_names is not None else getattr(model, "class_names", None)
    arrays = record(model, image, folder)
    pictures = draw_all(model, arrays, Path(folder), names)
    write_page(folder, model, pictures, names)
    return arrays
