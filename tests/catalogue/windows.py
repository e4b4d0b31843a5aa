"""Windows as columns, unpooling, adaptive pooling, frames, and pixels as channels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as TF
from convolution_cases import normals
from twins import spread

from catalogue.entry import OpCall
from catalogue.planes import every_algorithm, floats, image
from rawseg import functional as F
from rawseg_kernels import adaptive_avg_pool2d, adaptive_max_pool2d, max_unpool2d, pad, unfold

SLIDING: dict[str, Any] = {"kernel_size": (3, 2), "dilation": (1, 2), "padding": (1, 2), "stride": (2, 1)}  # 9 x 10 -> 5 x 12
X, COLUMNS = (2, 3, 9, 10), (2, 18, 60)
FRAME = [(0, 0), (1, 0), (2, 3), (4, 1)]
FRAMED = (2, 4, 14, 15)
POLICIES = ("raise", "last", "sum")


def scattered(policy: str) -> np.ndarray:
    """Indices of 4 x 5 elements into planes of 9 x 10; different ones where the policy asks for it."""
    rng = np.random.default_rng(2)
    return np.stack([rng.choice(90, 20, replace=policy != "raise") for _ in range(6)]).reshape(2, 3, 4, 5)


def side_by_side() -> np.ndarray:
    """Indices of 4 x 5 elements into planes of 9 x 10, each into a window of 2 x 2."""
    rows, columns = np.random.default_rng(3).integers(0, 2, (2, 2, 3, 4, 5))
    return (2 * np.arange(4)[:, None] + rows) * 10 + 2 * np.arange(5) + columns


KERNEL_CALLS: list[tuple[Any, str, Any, Any]] = [
    (unfold, "forward", lambda x, a: unfold.forward(x, **SLIDING, algorithm=a), floats(X)),
    (unfold, "backward", lambda g, a: unfold.backward(g, (9, 10), **SLIDING, algorithm=a), floats(COLUMNS)),
    (adaptive_avg_pool2d, "forward", lambda x, a: adaptive_avg_pool2d.forward(x, (4, 7), a), floats(X)),
    (adaptive_avg_pool2d, "forward global", lambda x, a: adaptive_avg_pool2d.forward(x, 1, a), floats(X)),
    (adaptive_avg_pool2d, "backward", lambda g, a: adaptive_avg_pool2d.backward(g, X, a), floats((2, 3, 4, 7))),
    (adaptive_max_pool2d, "forward", lambda x, a: adaptive_max_pool2d.forward(x, (4, 7), a), floats(X)),
]
for policy in POLICIES:
    KERNEL_CALLS += [
        (
            max_unpool2d,
            f"forward {policy}",
            lambda x, i, a, p=policy: max_unpool2d.forward(x, i, (9, 10), p, a),
            lambda dtype, p=policy: [*normals(0, (2, 3, 4, 5), dtype=dtype), scattered(p)],
        ),
        (
            max_unpool2d,
            f"backward {policy}",
            lambda g, i, a, p=policy: max_unpool2d.backward(g, i, p, a),
            lambda dtype, p=policy: [*normals(0, X, dtype=dtype), scattered(p)],
        ),
    ]
KERNEL_CALLS.append(
    (
        max_unpool2d,
        "forward apart",
        lambda x, i, a: max_unpool2d.forward(x, i, (9, 10), "raise", a),
        lambda dtype: [*normals(0, (2, 3, 4, 5), dtype=dtype), side_by_side()],
    )
)
for mode in pad.MODES:
    KERNEL_CALLS += [
        (pad, f"forward {mode}", lambda x, a, m=mode: pad.forward(x, FRAME, m, algorithm=a), floats(X)),
        (pad, f"backward {mode}", lambda g, a, m=mode: pad.backward(g, FRAME, m, a), floats(FRAMED)),
    ]

KERNELS = every_algorithm(KERNEL_CALLS)

DISTINCT = np.array([[[[3, 11], [0, 7]], [[5, 1], [2, 10]]]])  # in planes of 3 x 4
REPEATED = np.array([[[[3, 11], [3, 7]], [[5, 5], [2, 5]]]])
GEOMETRY: Any = (2, 2), (1, 2)  # kernel_size and stride whose default size for 2 x 2 elements is 3 x 4


def winners() -> torch.Tensor:
    """1 for the last element of each index of ``REPEATED``, else 0."""
    keep = np.zeros((2, 4))
    for plane, indices in enumerate(REPEATED.reshape(2, 4)):
        for position, index in enumerate(indices):
            keep[plane, position] = index not in indices[position + 1 :]
    return torch.tensor(keep.reshape(REPEATED.shape))


def added(x: torch.Tensor) -> torch.Tensor:
    """The elements of x added where ``REPEATED`` points."""
    zeros = torch.zeros(1, 2, 12, dtype=x.dtype)
    return zeros.scatter_add(2, torch.tensor(REPEATED).flatten(2), x.flatten(2)).reshape(1, 2, 3, 4)


OPS = [
    OpCall(
        "unfold",
        "unfold",
        lambda x: F.unfold(x, (2, 3), (1, 2), (1, 2), (2, 1)),
        [image(3, 2)],
        lambda x: TF.unfold(x, (2, 3), (1, 2), (1, 2), (2, 1)),
    ),
    OpCall(
        "fold",
        "fold",
        lambda x: F.fold(x, (3, 4), (2, 3), 1, (0, 1), (1, 2)),
        [spread((1, 6, 4))],
        lambda x: TF.fold(x, (3, 4), (2, 3), 1, (0, 1), (1, 2)),
    ),
    OpCall(
        "max_unpool2d",
        "max_unpool2d",
        lambda x: F.max_unpool2d(x, DISTINCT, *GEOMETRY),
        [image(2, 2)],
        lambda x: TF.max_unpool2d(x, torch.tensor(DISTINCT), *GEOMETRY),
    ),
    OpCall(
        "max_unpool2d",
        "max_unpool2d last",
        lambda x: F.max_unpool2d(x, REPEATED, *GEOMETRY, duplicates="last"),
        [image(2, 2)],
        lambda x: added(x * winners()),
    ),
    OpCall(
        "max_unpool2d",
        "max_unpool2d sum",
        lambda x: F.max_unpool2d(x, REPEATED, *GEOMETRY, duplicates="sum"),
        [image(2, 2)],
        added,
    ),
    OpCall(
        "adaptive_avg_pool2d",
        "adaptive_avg_pool2d",
        lambda x: F.adaptive_avg_pool2d(x, (2, 4)),
        [image(3, 3)],
        lambda x: TF.adaptive_avg_pool2d(x, (2, 4)),
    ),
    OpCall(
        "adaptive_avg_pool2d",
        "adaptive_avg_pool2d global",
        lambda x: F.adaptive_avg_pool2d(x, 1),
        [image(3, 4)],
        lambda x: TF.adaptive_avg_pool2d(x, 1),
    ),
    OpCall(
        "adaptive_max_pool2d",
        "adaptive_max_pool2d",
        lambda x: F.adaptive_max_pool2d(x, (2, None)),
        [image(3, 4)],
        lambda x: TF.adaptive_max_pool2d(x, (2, 4)),
    ),
    OpCall(
        "pixel_shuffle",
        "pixel_shuffle",
        lambda x: F.pixel_shuffle(x, 2),
        [spread((1, 8, 1, 2))],
        lambda x: TF.pixel_shuffle(x, 2),
    ),
    OpCall(
        "pixel_unshuffle",
        "pixel_unshuffle",
        lambda x: F.pixel_unshuffle(x, 2),
        [spread((2, 1, 2, 4))],
        lambda x: TF.pixel_unshuffle(x, 2),
    ),
]
