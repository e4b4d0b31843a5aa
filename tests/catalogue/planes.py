"""Convolution, pooling, resizing and matrix products; linear and pad among the functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as TF
from convolution_cases import normals
from twins import spread

from catalogue.entry import KernelCall, OpCall
from rawseg import functional as F
from rawseg_kernels import avg_pool2d, conv2d, conv_transpose2d, matmul, max_pool2d, resize

CONV: dict[str, Any] = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2}  # (2, 6, 13, 11) -> (2, 8, 7, 11)
X, WEIGHT, OUT = (2, 6, 13, 11), (8, 3, 3, 3), (2, 8, 7, 11)
POOL: dict[str, Any] = {"kernel_size": (3, 2), "stride": (1, 2), "padding": 1, "ceil_mode": True}  # (13, 11) -> (13, 6)
POOLED = (2, 6, 13, 6)


def floats(*shapes: tuple[int, ...]) -> Any:
    return lambda dtype: normals(0, *shapes, dtype=dtype)


def pooled(pixels: int) -> Any:
    """A gradient and indices into planes of ``pixels``."""
    indices = np.random.default_rng(1).integers(0, pixels, POOLED)
    return lambda dtype: [*normals(0, POOLED, dtype=dtype), indices]


def tapped(dtype: Any = np.float32) -> list[Any]:
    """A gradient and the taps that it goes back to."""
    return [*normals(0, POOLED, dtype=dtype), max_pool2d.forward_taps(*normals(1, X), **POOL)[1]]


# room, verb, call with the algorithm as its last argument, arrays
KERNEL_CALLS: list[tuple[Any, str, Any, Any]] = [
    (conv2d, "forward", lambda x, w, b, a: conv2d.forward(x, w, b, **CONV, algorithm=a), floats(X, WEIGHT, (8,))),
    (conv2d, "backward_input", lambda g, w, a: conv2d.backward_input(g, w, X, **CONV, algorithm=a), floats(OUT, WEIGHT)),
    (conv2d, "backward_weight", lambda g, x, a: conv2d.backward_weight(g, x, WEIGHT, **CONV, algorithm=a), floats(OUT, X)),
    (
        conv_transpose2d,
        "forward",
        lambda x, w, b, a: conv_transpose2d.forward(x, w, b, **CONV, output_padding=(0, 0), algorithm=a),
        floats(OUT, WEIGHT, (6,)),
    ),
    (
        conv_transpose2d,
        "backward_input",
        lambda g, w, a: conv_transpose2d.backward_input(g, w, OUT, **CONV, algorithm=a),
        floats(X, WEIGHT),
    ),
    (
        conv_transpose2d,
        "backward_weight",
        lambda g, x, a: conv_transpose2d.backward_weight(g, x, WEIGHT, **CONV, algorithm=a),
        floats(X, OUT),
    ),
    (max_pool2d, "forward", lambda x, a: max_pool2d.forward(x, **POOL, algorithm=a), floats(X)),
    (max_pool2d, "backward", lambda g, i, a: max_pool2d.backward(g, i, X, algorithm=a), pooled(13 * 11)),
    (max_pool2d, "forward_taps", lambda x, a: max_pool2d.forward_taps(x, **POOL, algorithm=a), floats(X)),
    (max_pool2d, "backward_taps", lambda g, t, a: max_pool2d.backward_taps(g, t, X, **POOL, algorithm=a), tapped),
    (
        max_pool2d,
        "indices_of_taps",
        lambda t, a: max_pool2d.indices_of_taps(t, X, **POOL, algorithm=a),
        lambda _: [tapped()[1]],
    ),
    (
        max_pool2d,
        "gather",
        lambda x, i, a: max_pool2d.gather(x, i, algorithm=a),
        lambda dtype: [*floats(X)(dtype), *pooled(143)(dtype)[1:]],
    ),
    (avg_pool2d, "forward", lambda x, a: avg_pool2d.forward(x, **POOL, algorithm=a), floats(X)),
    (avg_pool2d, "backward", lambda g, a: avg_pool2d.backward(g, X, **POOL, algorithm=a), floats(POOLED)),
    (matmul, "forward", lambda a, b, by: matmul.forward(a, b, False, True, algorithm=by), floats((3, 40, 30), (1, 50, 30))),
]
for rounding, ceil_mode in (("down", False), ("up", True)):  # windows that a kernel of their own may take, on an odd plane
    halves = {"kernel_size": 2, "ceil_mode": ceil_mode}
    taps = max_pool2d.forward_taps(*normals(1, X), **halves)[1]
    KERNEL_CALLS += [
        (max_pool2d, f"forward {rounding}", lambda x, a, o=halves: max_pool2d.forward(x, **o, algorithm=a), floats(X)),
        (
            max_pool2d,
            f"forward_taps {rounding}",
            lambda x, a, o=halves: max_pool2d.forward_taps(x, **o, algorithm=a),
            floats(X),
        ),
        (
            max_pool2d,
            f"backward_taps {rounding}",
            lambda g, t, a, o=halves: max_pool2d.backward_taps(g, t, X, **o, algorithm=a),
            lambda dtype, t=taps: [*normals(0, t.shape, dtype=dtype), t],
        ),
    ]
for mode in ("nearest", "bilinear"):
    KERNEL_CALLS += [
        (resize, f"forward_{mode}", lambda x, a, m=mode: resize.forward(x, (9, 20), m, algorithm=a), floats(X)),
        (
            resize,
            f"backward_{mode}",
            lambda g, a, m=mode: resize.backward(g, (13, 11), m, algorithm=a),
            floats((2, 6, 9, 20)),
        ),
    ]


WINOGRAD = ("winograd4", "winograd2")
NARROW = (*WINOGRAD, "depthwise")  # algorithms that cannot do every geometry
TILED, SQUARE = (2, 9, 43, 63), (20, 9, 3, 3)


def single(*shapes: tuple[int, ...]) -> Any:
    """Return a function that makes float32 arrays for every dtype."""
    return lambda dtype: floats(*shapes)(np.float32)


def every_algorithm(calls: list[tuple[Any, str, Any, Any]]) -> list[KernelCall]:
    """Turn (room, verb, call, arrays) into an entry for each algorithm of the room that does it all."""
    entries = []
    for room, verb, call, arrays in calls:
        for algorithm in (*(name for name in room.ALGORITHMS if name not in NARROW), "reference"):
            name = room.__name__.rpartition(".")[2]
            run = lambda *arrays, call=call, algorithm=algorithm: call(*arrays, algorithm)  # noqa: E731
            op = "interpolate" if room is resize else name  # what users call it
            entries.append(
                KernelCall(op, f"{name}.{verb} {algorithm}", run, arrays, call if algorithm == "reference" else None)
            )
    return entries


KERNELS = every_algorithm(KERNEL_CALLS) + [
    KernelCall(
        "conv2d",
        f"conv2d.backward_bias {algorithm}",
        lambda g, a=algorithm: conv2d.backward_bias(g, a),
        floats((2, 8, 60, 61)),
        conv2d.backward_bias if algorithm == "reference" else None,
    )
    for algorithm in ("direct", "reference")
]
for stride, mapped in ((1, (2, 18, 43, 63)), (2, (2, 18, 22, 32))):
    options: dict[str, Any] = {"stride": stride, "padding": 1, "groups": 9}
    x, weight = (2, 9, 43, 63), (18, 1, 3, 3)
    for verb, call, arrays in (
        ("forward", lambda x, w, b, a, o=options: conv2d.forward(x, w, b, **o, algorithm=a), floats(x, weight, (18,))),
        (
            "backward_input",
            lambda g, w, a, s=x, o=options: conv2d.backward_input(g, w, s, **o, algorithm=a),
            floats(mapped, weight),
        ),
        (
            "backward_weight",
            lambda g, x, a, s=weight, o=options: conv2d.backward_weight(g, x, s, **o, algorithm=a),
            floats(mapped, x),
        ),
    ):
        KERNELS += [
            KernelCall(
                "conv2d",
                f"conv2d.{verb} {algorithm}, depthwise, stride {stride}",
                lambda *arrays, a=algorithm, call=call: call(*arrays, a),
                arrays,
                call if algorithm == "reference" else None,
            )
            for algorithm in ("depthwise", "reference")
        ]
for name in WINOGRAD:  # in float32, whatever dtype is asked for
    KERNELS += [
        KernelCall("conv2d", f"conv2d.{verb} {name}", lambda *arrays, a=name, call=call: call(*arrays, a), arrays)
        for verb, call, arrays in (
            ("forward", lambda x, w, b, a: conv2d.forward(x, w, b, padding=(1, 0), algorithm=a), single(TILED, SQUARE, (20,))),
            (
                "backward_input",
                lambda g, w, a: conv2d.backward_input(g, w, TILED, padding=(1, 0), algorithm=a),
                single((2, 20, 43, 61), SQUARE),
            ),
            (
                "backward_weight",
                lambda g, x, a: conv2d.backward_weight(g, x, SQUARE, padding=(1, 0), algorithm=a),
                single((2, 20, 43, 61), TILED),
            ),
        )
    ]


def image(h: int, w: int) -> np.ndarray:
    return spread((1, 2, h, w))


OPS = [
    OpCall(
        "conv2d",
        "conv2d",
        lambda x, w, b: F.conv2d(x, w, b, (1, 2), (1, 0), (1, 2)),
        [image(3, 4), spread((2, 2, 2, 1), seed=1), spread((2,), seed=2)],
        lambda x, w, b: TF.conv2d(x, w, b, (1, 2), (1, 0), (1, 2)),
    ),
    OpCall(
        "conv2d",
        "conv2d groups",
        lambda x, w: F.conv2d(x, w, groups=2),
        [image(3, 3), spread((2, 1, 2, 2), seed=1)],
        lambda x, w: TF.conv2d(x, w, groups=2),
    ),
    OpCall(
        "conv2d",
        "conv2d same",
        lambda x, w: F.conv2d(x, w, padding="same"),
        [image(2, 3), spread((1, 2, 2, 3), seed=1)],
        lambda x, w: TF.conv2d(TF.pad(x, (1, 1, 0, 1)), w),
    ),
    OpCall(
        "conv_transpose2d",
        "conv_transpose2d",
        lambda x, w, b: F.conv_transpose2d(x, w, b, (2, 1), (1, 0), (1, 0), 1, (1, 2)),
        [image(2, 2), spread((2, 1, 2, 2), seed=1), spread((1,), seed=2)],
        lambda x, w, b: TF.conv_transpose2d(x, w, b, (2, 1), (1, 0), (1, 0), 1, (1, 2)),
    ),
    OpCall(
        "conv_transpose2d",
        "conv_transpose2d output_size",
        lambda x, w: F.conv_transpose2d(x, w, stride=2, output_size=(4, 5)),
        [image(2, 2), spread((2, 1, 2, 2), seed=1)],
        lambda x, w: TF.conv_transpose2d(x, w, stride=2, output_padding=(0, 1)),
    ),
    OpCall(
        "max_pool2d",
        "max_pool2d",
        lambda x: F.max_pool2d(x, (2, 3), (1, 2), (0, 1)),
        [image(3, 4)],
        lambda x: TF.max_pool2d(x, (2, 3), (1, 2), (0, 1)),
    ),
    OpCall(
        "avg_pool2d",
        "avg_pool2d",
        lambda x: F.avg_pool2d(x, (2, 3), (1, 2), (0, 1), True, False),
        [image(3, 4)],
        lambda x: TF.avg_pool2d(x, (2, 3), (1, 2), (0, 1), True, False),
    ),
    OpCall(
        "linear",
        "linear",
        F.linear,
        [spread((2, 3)), spread((2, 3), seed=1), spread((2,), seed=2)],
        TF.linear,
    ),
]
for name, options in {
    "bilinear": {"size": (3, 5), "mode": "bilinear"},
    "bilinear corners": {"size": (3, 5), "mode": "bilinear", "align_corners": True},
    "bilinear scale": {"scale_factor": (1.6, 2.5), "mode": "bilinear"},
    "nearest": {"scale_factor": (1.5, 2)},
    "nearest-exact": {"size": (3, 2), "mode": "nearest-exact"},
}.items():
    OPS.append(
        OpCall(
            "interpolate",
            f"interpolate {name}",
            lambda x, options=options: F.interpolate(x, **options),
            [image(2, 3)],
            lambda x, options=options: TF.interpolate(x, **options),
        )
    )
for mode, widths in {
    "constant": (1, -1, 2, 0),
    "reflect": (1, 2, 1, 0),
    "replicate": (1, 2, 2, 0),
    "circular": (3, 1, 0, 2),
}.items():
    OPS.append(
        OpCall(
            "pad",
            f"pad {mode}",
            lambda x, widths=widths, mode=mode: F.pad(x, widths, mode, 3 if mode == "constant" else None),
            [image(2, 3)],
            lambda x, widths=widths, mode=mode: TF.pad(x, widths, mode, 3 if mode == "constant" else None),
        )
    )
