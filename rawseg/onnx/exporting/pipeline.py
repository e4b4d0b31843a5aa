"""From a network to a file: recorded, translated, checked, and only then written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ...files import write_bytes_atomically
from ..package import require_onnx

__all__ = ["export"]


def export(
    model: Any,
    x: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    opset: int = 17,
    dynamic_batch: bool = False,
    dynamic_size: bool = False,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
    dtype: str | None = None,
    other_x: Any = None,
    verify: bool = False,
) -> Any:
    """Write a network down as an ONNX model that computes what it computes in eval mode.

    Parameters
    ----------
    model : Module
        Any network of rawseg's operations. Its mode and its weights stay as they are.
    x : Tensor or ndarray, or tuple of them
        Example for each argument, such as images (N, C, H, W); for `rawseg.models.MaskRCNN` one image (C, H, W).
    path : str or path, optional
        Where to write the file; one that is there is replaced when the new one is complete and checked.
    opset : int
        Version of ONNX's operator set, 11 or newer.
    dynamic_batch : bool
        Let axis 0 of every input have any length.
    dynamic_size : bool
        Let height and width of every input (N, C, H, W) vary in steps of the network's ``multiple``, 32 where it has none.
    input_names, output_names : sequence of str, optional
        One for each input and each output; "input" and "output" by default, with a number behind if there are several, or
        the keys of a dictionary that the network returns. A `Graph` has names of its own, which its values keep; its nodes are
        named anew.
    dtype : {"float32", "float64"}, optional
        What a float64 network becomes: ONNX Runtime lacks many float64 kernels, so that has to be said.
    other_x : as x, optional
        A second example, where random numbers of the range of ``x`` would make no sense, as for boxes; with ``dynamic_batch``
        of other lengths along axis 0. Not for a MaskRCNN, which is written for one image.
    verify : bool
        Run the model with ONNX Runtime on all examples, and compare. Needs the package onnxruntime.

    Returns
    -------
    onnx.ModelProto
        The model; ``model.SerializeToString()`` are the bytes of the file, the same for the same network.

    Raises
    ------
    GraphError
        If an operation has no translation (the message names all of them, and where they are used), if what the network
        computes depends on its input in a way that cannot be written down, or if the model fails a check. No file is written.
    ArgumentError, ArgumentTypeError, DTypeError
        If an argument is outside its domain, or the weights exceed the 2 GB of one file.
    BackendError
        If the package onnx is missing.
    DataError
        If the file cannot be written.

    Notes
    -----
    The network runs on ``x`` and on random images while its operations are recorded. Python's decisions are taken then, and
    hold for the file: a loop or an ``if`` that depends on values is frozen as the example went. Where the random images take
    another way, or give another array that NumPy computed, an error says so and names the module.

    Other sums round otherwise. A network that chooses, by unpooling to where maxima were or by suppressing boxes, can choose
    otherwise where two candidates are equal to the last digits of float32.

    Parameters keep the names of `Module.state_dict`, nodes have the path of their module. ``metadata_props`` hold name and
    configuration of a model of `rawseg.models` as JSON.

    Examples
    --------
    >>> import numpy as np
    >>> from rawseg import models, onnx
    >>> network = models.build("mobilenet_v2", classes=10, width_mult=0.25)
    >>> file = onnx.export(network, np.zeros((1, 3, 32, 32), np.float32), dynamic_batch=True)
    >>> file.graph.node[0].op_type, file.graph.node[0].name, file.graph.node[0].input[1]
    ('Conv', '/features.0.0/Conv', 'features.0.0.weight')
    """
    require_onnx("onnx.export")
    from ...models import MaskRCNN
    from ...models.inference import evaluating
    from . import plain
    from .settings import settings_of

    settings = settings_of(model, opset, dynamic_batch, dynamic_size, input_names, output_names, dtype, verify)
    with evaluating(model):
        if isinstance(model, MaskRCNN):
            from . import detector

            found = detector.export(model, x, other_x, settings)
        else:
            found = plain.export(model, x, other_x, settings)
    if path is not None:
        write_bytes_atomically(path, found.SerializeToString(deterministic=True))
    return found
