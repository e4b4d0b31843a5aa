"""What each weight of a graph is: a parameter to train, a running statistic, or a constant."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from .node import Node

__all__ = ["roles", "statistics"]

# Of operators with inputs that are settings rather than data, where those are. What is read there is not trained.
SETTINGS = MappingProxyType(
    {
        "CenterCropPad": (1,),
        "Clip": (1, 2),
        "ConstantOfShape": (0,),
        "DequantizeLinear": (1, 2),
        "Dropout": (1, 2),
        "Expand": (1,),
        "MaxRoiPool": (1,),
        "NonMaxSuppression": (2, 3, 4),
        "OneHot": (1, 2),
        "Pad": (1, 2, 3),
        "Pow": (1,),
        "QuantizeLinear": (1, 2),
        "Range": (0, 1, 2),
        "Resize": (1, 2, 3),
        "RoiAlign": (1, 2),
        "Tile": (1,),
        "Upsample": (1,),
    }
)
STATISTICS = MappingProxyType({"BatchNormalization": (3, 4)})  # mean and variance
TRAINABLE = (np.dtype(np.float32), np.dtype(np.float64))


def roles(
    nodes: Sequence[Node], weights: Mapping[str, np.ndarray], constants: Collection[str] = ()
) -> tuple[set[str], set[str]]:
    """Return the names of the parameters and those of the running statistics.

    A parameter is of float32 or float64, has at least one axis (numbers such as the 3 and the 6 of a hand-made hard swish have
    none), and is no setting or statistic of any node that reads it.
    """
    settings, moving = _read_as(nodes, SETTINGS) | set(constants), statistics(nodes)
    parameters = {
        name
        for name, array in weights.items()
        if array.dtype in TRAINABLE and array.ndim and name not in settings and name not in moving
    }
    return parameters, {name for name in weights if name in moving}


def statistics(nodes: Sequence[Node]) -> set[str]:
    """Return the names of what nodes read as running statistics."""
    return _read_as(nodes, STATISTICS)


def _read_as(nodes: Sequence[Node], slots: Mapping[str, tuple[int, ...]]) -> set[str]:
    """Return the names that nodes of some operators read in some of their inputs."""
    return {node.inputs[slot] for node in nodes for slot in slots.get(node.op, ()) if slot < len(node.inputs)}
