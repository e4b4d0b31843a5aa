"""ONNX both ways: networks of elsewhere on rawseg's kernels, and rawseg's networks for elsewhere.

>>> import rawseg.onnx
>>> network = rawseg.onnx.load("network.onnx")  # doctest: +SKIP
>>> network(image)  # doctest: +SKIP
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

from .exporting import export
from .graph import Graph
from .node import Node
from .package import require_onnx
from .signature import Signature


def __getattr__(name: str) -> Any:
    if name == "backend":  # when it is asked for: it imports this module
        return import_module(".backend", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["Graph", "Node", "Signature", "export", "load"]


def load(source: str | os.PathLike[str] | bytes | Any, *, free_dims: bool = False) -> Graph:
    """Return the network of an ONNX file, on rawseg's kernels.

    Parameters
    ----------
    source : str, path, bytes or onnx.ModelProto
        A ``.onnx`` file, its content, or what the onnx package read. Weights that lie in files of their own are read from the
        folder of the file, so they need a path.
    free_dims : bool
        Take inputs of any size, whatever sizes the file declares: many networks were exported with the sizes of one example
        image, though they can take others. The number of axes stays.

    Returns
    -------
    Graph
        In evaluation. Initializers and Constant nodes became its parameters and buffers, under their own names.

    Raises
    ------
    CheckpointError
        If the file cannot be read, is damaged, or contradicts itself or the format.
    ArgumentError
        If it uses operators that rawseg lacks (all of them are named), or control flow.
    BackendError
        If the onnx package is not installed.

    Notes
    -----
    Operator sets 6 to the newest of the installed onnx package are read. Functions of the model's own are expanded.
    Nothing in the file is executed, and only files in its own folder are opened.
    """
    require_onnx("load")
    from .reading import read

    return read(source, free_dims)
