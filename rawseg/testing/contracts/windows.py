"""Sliding windows as columns, columns as images, and frames around arrays."""

from __future__ import annotations

import numpy as np

from ... import functional as F
from ...errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from ..rounding import Counted, Moved, Multilinear
from ..strategies import windows
from .contract import Contract, Edge, Refusal
from .planes import plane, shuffled


def _unfold_edges() -> list[Edge]:
    op, nan, inf = "unfold", np.nan, np.inf
    bent = {"dilation": (2, 1), "padding": (1, 2), "stride": (1, 2)}
    return [
        Edge("unfold.layout", "channel, then row, then column", shuffled(op, (2, 2, 3, 4), kernel_size=(2, 3)), True),
        Edge("unfold.layout", "taps in the padding are 0", shuffled(op, (1, 2, 3, 4), kernel_size=(2, 3), **bent), True),
        Edge("unfold.layout", "windows in the padding alone", shuffled(op, (1, 1, 1, 2), kernel_size=1, padding=(1, 2)), True),
        Edge("unfold.layout", "one window", shuffled(op, (1, 2, 3, 2), kernel_size=(3, 2))),
        Edge("unfold.layout", "a batch without images", shuffled(op, (0, 2, 3, 4), kernel_size=(2, 3)), True),
        Edge("unfold.adjoint", "pixels in several windows, and in none", shuffled(op, (1, 1, 5, 4), **_gaps()), True),
        Edge("all.nonfinite", "beside NaN and inf padding is 0", plane(op, [[nan, 1, -inf]], kernel_size=2, padding=1)),
    ]


def _gaps() -> dict:
    return {"kernel_size": (1, 2), "stride": (2, 1)}


def _unfold_refusals() -> list[Refusal]:
    op, shape = "unfold", (1, 2, 4, 5)
    return [
        Refusal("unfold.layout", "two axes", shuffled(op, (4, 5), kernel_size=2), "input", ShapeError),
        Refusal("unfold.layout", "a window larger than the image", shuffled(op, shape, kernel_size=5), "input", ShapeError),
        Refusal("unfold.layout", "no channel", shuffled(op, (1, 0, 4, 5), kernel_size=2), "input", ShapeError),
        Refusal("unfold.layout", "a window of 0", shuffled(op, shape, kernel_size=(2, 0)), "kernel_size", ArgumentError),
        Refusal("unfold.layout", "a stride of 0", shuffled(op, shape, kernel_size=2, stride=0), "stride", ArgumentError),
        Refusal("unfold.layout", "a dilation of 0", shuffled(op, shape, kernel_size=2, dilation=0), "dilation", ArgumentError),
        Refusal("unfold.layout", "padding of -1", shuffled(op, shape, kernel_size=2, padding=-1), "padding", ArgumentError),
        Refusal("all.integers", "half a pixel", shuffled(op, shape, kernel_size=1.5), "kernel_size", ArgumentTypeError),
        Refusal("all.integers", "a pair of one", shuffled(op, shape, kernel_size=(2,)), "kernel_size", ArgumentError),
    ]


def _fold_edges() -> list[Edge]:
    op, nan, inf = "fold", np.nan, np.inf
    bent = {"output_size": (3, 4), "kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 2), "stride": (1, 2)}
    broken = plane(op, [[1, 2, nan], [inf, 3, 4]], output_size=(1, 4), kernel_size=(1, 2))
    return [
        Edge("unfold.adjoint", "overlaps add up", shuffled(op, (1, 8, 6), output_size=(3, 4), kernel_size=2), True),
        Edge("unfold.adjoint", "what falls into the padding is dropped", shuffled(op, (2, 6, 9), **bent), True),
        Edge("unfold.adjoint", "a pixel without a window is 0", shuffled(op, (1, 2, 9), output_size=(5, 4), **_gaps()), True),
        Edge("fold.size", "rows of several channels", shuffled(op, (1, 12, 2), output_size=(2, 4), kernel_size=(2, 3)), True),
        Edge("fold.size", "a batch without images", shuffled(op, (0, 8, 6), output_size=(3, 4), kernel_size=2), True),
        Edge("all.nonfinite", "NaN and inf reach their pixels", broken.map(lambda array: array[0])),
    ]


def _fold_refusals() -> list[Refusal]:
    op, shape, fitting = "fold", (1, 8, 9), {"output_size": 4, "kernel_size": 2}
    other, tall = {**fitting, "output_size": (4, 3)}, {**fitting, "kernel_size": (3, 1)}
    integers = shuffled(op, shape, np.int64, **fitting)
    return [
        Refusal("fold.size", "columns for other windows", shuffled(op, shape, **other), "input", ShapeError),
        Refusal("fold.size", "rows that are no whole windows", shuffled(op, shape, **tall), "input", ShapeError),
        Refusal("fold.size", "four axes", shuffled(op, (1, 1, 8, 9), **fitting), "input", ShapeError),
        Refusal("fold.size", "no pixel", shuffled(op, shape, output_size=(4, 0), kernel_size=2), "output_size", ArgumentError),
        Refusal("fold.size", "a stride of 0", shuffled(op, shape, **fitting, stride=0), "stride", ArgumentError),
        Refusal("all.layout", "integers", integers, "input", DTypeError),
    ]


def _pad_edges() -> list[Edge]:
    op, shape, most = "pad", (1, 2, 3, 4), {"reflect": [3, 2, 1, 2], "circular": [4, 3, 2, 3], "replicate": [5, 1, 0, 6]}
    continued = {
        "reflect": "the edge is not repeated, up to all other pixels",
        "circular": "the opposite side, up to all of it",
        "replicate": "the edge, as often as is wished",
    }
    return [
        *(Edge("pad.modes", what, shuffled(op, shape, pad=most[mode], mode=mode), True) for mode, what in continued.items()),
        *(Edge("pad.modes", f"{mode} of no width", shuffled(op, shape, pad=[0] * 4, mode=mode)) for mode in continued),
        Edge("pad.widths", "a vector continued", shuffled(op, (4,), pad=[2, 1], mode="reflect"), True, own=True),
        Edge("pad.widths", "the last axis first", shuffled(op, shape, pad=[1, 2, 3, 0]), True),
        Edge("pad.widths", "every axis", shuffled(op, (2, 1, 3), pad=[0, 1, 2, 0, 1, 1]), True),
        Edge("pad.widths", "one side cropped, one framed", shuffled(op, shape, pad=[-3, 2, 1, -1]), True),
        Edge("pad.widths", "nothing left", shuffled(op, shape, pad=[-1, -3]), True),
        Edge("pad.widths", "a frame around nothing", shuffled(op, (0, 2), pad=[1, 0, 2, 1], value=3.0), True),
        Edge("pad.value", "infinite", shuffled(op, shape, pad=[1, 1], value=-np.inf), True),
        Edge("pad.value", "labels keep their dtype", shuffled(op, (2, 3), np.int64, pad=[1, 0, 0, 2], value=-100)),
        Edge("all.nonfinite", "the constant's neighbours stay", plane(op, [[np.nan, 1, np.inf]], pad=[1, 1], value=2.0)),
    ]


def _pad_refusals() -> list[Refusal]:
    op, shape, reflected = "pad", (1, 2, 3, 4), {"pad": [1, 1], "mode": "reflect"}
    integers = shuffled(op, (3,), np.int64, pad=[1, 1], value=0.5)
    return [
        Refusal("pad.widths", "a width too many", shuffled(op, shape, pad=[1, 1, 1]), "pad", ArgumentError),
        Refusal("pad.widths", "more axes than there are", shuffled(op, (3,), pad=[1, 1, 1, 1]), "pad", ArgumentError),
        Refusal("pad.widths", "more cropped than there is", shuffled(op, shape, pad=[-3, -2]), "pad", ShapeError),
        Refusal("pad.widths", "n reflected", shuffled(op, (1, 2, 4), pad=[4, 0], mode="reflect"), "pad", ArgumentError),
        Refusal("pad.widths", "more than a turn", shuffled(op, (1, 2, 4), pad=[5, 0], mode="circular"), "pad", ArgumentError),
        Refusal(
            "pad.widths",
            "a reflection cropped",
            shuffled(op, (1, 3, 4), pad=[-1, 2], mode="reflect"),
            "pad",
            ArgumentError,
            True,
        ),
        Refusal("pad.modes", "an unknown mode", shuffled(op, shape, pad=[1, 1], mode="mirror"), "mode", ArgumentError),
        Refusal("pad.value", "a value reflected", shuffled(op, (1, 3, 4), **reflected, value=1.0), "value", ArgumentError),
        Refusal("pad.value", "a value that integers cannot hold", integers, "value", ArgumentError, True),
        Refusal("all.integers", "half a pixel", shuffled(op, shape, pad=[0.5, 1]), "pad", ArgumentTypeError),
    ]


# A column or a frame is copied; a pixel of fold is a sum of columns, products of one factor.
CONTRACTS = [
    Contract(
        "unfold",
        F.unfold,
        windows.unfold,
        ("input",),
        Moved(),
        _unfold_edges,
        _unfold_refusals,
        needed=("input", "kernel_size"),
    ),
    Contract(
        "fold",
        F.fold,
        windows.fold,
        ("input",),
        Multilinear(1, Counted()),
        _fold_edges,
        _fold_refusals,
        needed=("input", "output_size", "kernel_size"),
    ),
    Contract("pad", F.pad, windows.pad, ("input",), Moved(), _pad_edges, _pad_refusals, needed=("input", "pad")),
]
