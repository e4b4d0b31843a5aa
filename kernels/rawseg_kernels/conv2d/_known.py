"""The size arithmetic of a call, and what a call of usual arrays needs to know: found once for its shapes, then looked up."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from .. import _arrays, _convolution
from .._algorithms import algorithm_module, are_substituted
from .._errors import RawsegError, ShapeError
from .._precision import get_precision
from .._tuning import get_autotune
from ._choice import choose

OP = "conv2d"


def geometry_of(x_shape, weight_shape, *options):
    """Normalise the plain arguments: ``(out_size, stride, (top, left), dilation, groups)``."""
    known = _arrays.are_plain(options)  # True is no 1, although it is as good a key
    return (_known_geometry if known else _checked_geometry)(tuple(x_shape), tuple(weight_shape), *options)


def _checked_geometry(x_shape, weight_shape, stride, padding, dilation, groups):
    stride = _arrays.pair(OP, "stride", stride, 1)
    dilation = _arrays.pair(OP, "dilation", dilation, 1)
    groups = _convolution.channels(OP, x_shape[1], weight_shape[0], groups)
    if weight_shape[1] * groups != x_shape[1]:
        expected = f"{x_shape[1] // groups} input channels per group (input has {x_shape[1]}, groups={groups})"
        raise ShapeError(OP, "weight", expected, f"{weight_shape[1]} (weight shape {tuple(weight_shape)})")
    kernel_size = weight_shape[2], weight_shape[3]
    sides = _convolution.paddings(OP, padding, kernel_size, stride, dilation)
    out_size = _convolution.output_size(OP, (x_shape[2], x_shape[3]), kernel_size, stride, sides, dilation)
    return out_size, stride, (sides[0], sides[2]), dilation, groups


_known_geometry = lru_cache(maxsize=1024)(_checked_geometry)


def chosen(verb, weight_shape, geometry, dtype):
    """Return the algorithm's name, by `_choice`."""
    out_size, stride, _, dilation, groups = geometry
    return choose(verb, weight_shape[2:], stride, dilation, (weight_shape[1], weight_shape[0] // groups), out_size, dtype)


class Known(NamedTuple):
    """What the shapes of a call say.

    Attributes
    ----------
    out_shape : (int, int, int, int)
        Of the convolution's output.
    geometry : tuple
        As `geometry_of` returns it.
    module : module
        Where the algorithm's functions are.
    """

    out_shape: tuple[int, int, int, int]
    geometry: tuple
    module: ModuleType


def known(verb: str, algorithm: Any, first: Any, second: Any, asked: Any, options: tuple) -> Known | None:
    """Return what is known of a call; None: something is not as it usually is, and has to be looked at with care.

    Parameters
    ----------
    verb, algorithm : str
        As in `choose`, and what the caller asked for.
    first, second : ndarray
        The arrays of the call but the bias.
    asked : tuple of int
        The shape that a gradient is to have; nothing is asked of "forward".
    options : tuple
        Stride, padding, dilation and groups.
    """
    if algorithm != "auto" or not (_is_usual(first) and _is_usual(second)) or first.dtype is not second.dtype:
        return None
    x_shape = {"forward": first.shape, "backward_input": asked, "backward_weight": second.shape}[verb]
    weight_shape = asked if verb == "backward_weight" else second.shape
    if not type(x_shape) is type(weight_shape) is tuple or not _arrays.are_plain((x_shape, weight_shape, *options)):
        return None
    if get_autotune() or are_substituted():
        return None
    found = _known_shapes(verb, x_shape, weight_shape, first.dtype, get_precision(), options)
    return None if found is None or (verb != "forward" and first.shape != found.out_shape) else found


def _is_usual(array: Any) -> bool:
    """Return whether an array is NumPy's own, and lies as kernels read it."""
    return type(array) is np.ndarray and array.flags.carray


@lru_cache(maxsize=1024)
def _known_shapes(verb, x_shape, weight_shape, dtype, _precision, options):
    if dtype not in _arrays.FLOATING or len(x_shape) != 4 or len(weight_shape) != 4 or min(*x_shape, *weight_shape) < 1:
        return None
    try:
        geometry = _checked_geometry(x_shape, weight_shape, *options)
    except RawsegError:
        return None
    module = algorithm_module(__package__, chosen(verb, weight_shape, geometry, dtype))
    return Known((x_shape[0], weight_shape[0], *geometry[0]), geometry, module)
