"""Sampling at points."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch.nn.functional as TF
from twins import spread

from catalogue.entry import KernelCall, OpCall
from rawseg import functional as F
from rawseg.testing.strategies.sampling import OPTIONS
from rawseg_kernels import grid_sample

SIZE, POINTS = (7, 9), (2, 24, 25)  # 600 points an image: more than one segment


def grid(dtype: Any) -> np.ndarray:
    """Points of which a third lies outside."""
    return np.random.default_rng(0).uniform(-1.3, 1.3, (*POINTS, 2)).astype(dtype)


def taps(dtype: Any, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices, and weights of either sign."""
    indices, _, _ = grid_sample.locate(grid(dtype), SIZE, mode, "zeros", False)
    return indices, np.random.default_rng(1).standard_normal(indices.shape).astype(dtype)


def maps(dtype: Any) -> np.ndarray:
    return np.random.default_rng(2).standard_normal((2, 3, *SIZE)).astype(dtype)


def samples(dtype: Any) -> np.ndarray:
    return np.random.default_rng(3).standard_normal((2, 3, *POINTS[1:])).astype(dtype)


def _calls(mode: str, algorithm: str) -> list[KernelCall]:
    def call(name: str, function: Any, arrays: Any) -> KernelCall:
        run, of = partial(function, algorithm=algorithm), lambda *given: function(*given[:-1], algorithm=given[-1])
        title = f"grid_sample.{name} {mode} {algorithm}"
        return KernelCall("grid_sample", title, run, arrays, of if algorithm == "reference" else None)

    return [
        *(
            call(
                f"locate {padding}",
                partial(grid_sample.locate, size=SIZE, mode=mode, padding_mode=padding, align_corners=corners),
                lambda dtype: [grid(dtype)],
            )
            for padding, corners in (("zeros", False), ("border", True), ("reflection", False))
        ),
        call("forward", grid_sample.forward, lambda dtype: [maps(dtype), *taps(dtype, mode)]),
        call(
            "backward_input",
            partial(grid_sample.backward_input, input_size=SIZE),
            lambda dtype: [samples(dtype), *taps(dtype, mode)],
        ),
        call(
            "backward_weights",
            grid_sample.backward_weights,
            lambda dtype: [samples(dtype), maps(dtype), taps(dtype, mode)[0]],
        ),
    ]


KERNELS = [
    call for mode in ("bilinear", "nearest") for algorithm in ("direct", "reference") for call in _calls(mode, algorithm)
]

# Around both sides of every edge, none nearer than 1 / 100 to a pixel's centre or to a mirror.
PLACES = np.array([-1.83, -1.31, -0.94, -0.52, -0.11, 0.18, 0.57, 0.89, 1.13, 1.57, 2.36, -2.61])
POINTS_OF_ALL = np.stack([PLACES, np.roll(PLACES, 5)], -1).reshape(1, 3, 4, 2)

OPS = [
    *(
        OpCall(
            "grid_sample",
            f"grid_sample {mode} {padding}{' corners' if corners else ''}",
            partial(F.grid_sample, mode=mode, padding_mode=padding, align_corners=corners),
            [spread((1, 2, 3, 5)), POINTS_OF_ALL],
            partial(TF.grid_sample, mode=mode, padding_mode=padding, align_corners=corners),
        )
        for mode, padding, corners in OPTIONS
    ),
    OpCall(
        "affine_grid",
        "affine_grid",
        lambda theta: F.affine_grid(theta, (2, 1, 2, 3)),
        [spread((2, 2, 3))],
        lambda theta: TF.affine_grid(theta, [2, 1, 2, 3], align_corners=False),
    ),
    OpCall(
        "affine_grid",
        "affine_grid corners, sampled",
        lambda x, theta: F.grid_sample(x, F.affine_grid(theta, (1, 2, 3, 2), True), "bilinear", "border", True),
        [spread((1, 2, 3, 4)), np.array([[[0.83, -0.21, 0.13], [0.17, 0.71, -0.09]]])],
        lambda x, theta: TF.grid_sample(x, TF.affine_grid(theta, [1, 2, 3, 2], align_corners=True), "bilinear", "border", True),
    ),
]
