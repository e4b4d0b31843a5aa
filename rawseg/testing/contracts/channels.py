"""Normalisation of channels: over batches, groups and images, with running statistics and without."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...autograd.arithmetic import where
from ...errors import ArgumentError, DTypeError, ShapeError
from ..case import Case
from ..rounding import Smooth
from ..strategies import rows
from .additions import (
    over_batch,
    over_batch_gradient,
    over_group,
    over_group_gradient,
    over_image,
    over_image_gradient,
    over_statistics,
)
from .contract import Contract, Edge, Refusal
from .planes import spoilt

INF, NAN = np.inf, np.nan
MEAN, VAR = "running_mean", "running_var"


def batch_norm_written(
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """Return what batch_norm leaves in the running statistics."""
    axes = (0, *range(2, input.ndim))
    return _moved(input, (running_mean, running_var), axes, momentum, training)


def instance_norm_written(
    input: Tensor,
    running_mean: Tensor,
    running_var: Tensor,
    weight: Any = None,
    bias: Any = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """Return what instance_norm leaves in the running statistics."""
    return _moved(input, (running_mean, running_var), tuple(range(2, input.ndim)), momentum, use_input_stats)


def _moved(x: Tensor, running: tuple[Tensor, Tensor], axes: tuple[int, ...], momentum: float, training: bool) -> Any:
    """Return ``(1 - momentum) * running + momentum * batch``: of several images the means of means and unbiased variances."""
    if not training or not x.size:
        return running
    count = math.prod(x.shape[axis] for axis in axes)
    mean = x.mean(axes, keepdim=True)
    variance = ((x - mean) * (x - mean)).sum(axes) / (count - 1)
    moments = mean.reshape(*variance.shape), variance
    batch = [m.mean(0) if m.ndim > 1 else m for m in moments]
    moved = [(1 - momentum) * old + momentum * new for old, new in zip(running, batch)]
    usable = Tensor(np.isfinite(moved[1].numpy()))  # a channel that would not be finite keeps both
    return tuple(where(usable, new, old) for new, old in zip(moved, running))


def _case(op: str, shape: tuple[int, ...], stats: bool = False, affine: bool = False, /, **options: Any) -> Case:
    rng = np.random.default_rng(sum(shape))
    channels, arrays = shape[1], {"input": rng.standard_normal(shape) + 0.5}
    if op != "group_norm":
        mean, var = rng.standard_normal(channels), rng.random(channels) + 0.5
        arrays |= {MEAN: mean if stats else None, VAR: var if stats else None}
    if affine:
        arrays |= {name: rng.standard_normal(channels) for name in ("weight", "bias")}
    return Case(op, arrays, options)


def _spoilt(case: Case, name: str, number: float, at: Any = 0) -> Case:
    return case.having(**{name: spoilt(case.arrays[name], at, number)})


def _far(case: Case) -> Case:
    """Return the case in float32, with means of 4096 and deviations of 1."""
    return case.having(input=case.arrays["input"] + 4096).astype(np.float32)


def _shift_alone(case: Case) -> Case:
    return case.having(weight=None)


def _batch_norm_edges() -> list[Edge]:
    op, train = "batch_norm", {"training": True}
    learned = _case(op, (3, 2, 2), True, True, **train)
    spoilt = [(bad, _spoilt(_case(op, (3, 2, 2), True, **train), "input", bad, (0, 1, 1))) for bad in (INF, NAN)]
    plain, row = _case(op, (3, 2), False, **train), "batch_norm.training"
    return [
        Edge(row, "the variance is the biased one", plain, True),
        Edge(row, "every channel by itself, then weight and bias", learned, True),
        Edge(row, "a mean far above the deviation, in float32", _far(_case(op, (4, 2, 2), False, **train))),
        Edge(row, "a channel of equal numbers", plain.having(input=np.ones((3, 2)))),
        Edge(row, "a shift without a scale", _shift_alone(learned), True),
        Edge("batch_norm.one-value", "no image leaves the statistics", _case(op, (0, 2, 2), True, True, **train), True),
        Edge("batch_norm.running", "the unbiased variance", _case(op, (3, 2), True, training=True, momentum=1.0)),
        Edge("batch_norm.momentum", "0 leaves the statistics", _case(op, (3, 2), True, training=True, momentum=0.0)),
        *(
            Edge("batch_norm.nonfinite-batch", f"a channel with {bad} keeps its statistics", case, own=True)
            for bad, case in spoilt
        ),
        Edge(
            "batch_norm.evaluation", "the statistics, not those of the batch", _case(op, (1, 2, 3), True, True, eps=0.5), True
        ),
        Edge("batch_norm.evaluation", "one value a channel", _case(op, (1, 3), True), True),
        Edge("batch_norm.backward", "through mean and variance", _case(op, (5, 1), False, training=True, eps=0.5), True),
    ]


def _batch_norm_refusals() -> list[Refusal]:
    op, train = "batch_norm", {"training": True}
    fits = _case(op, (3, 2), True, True)
    bad_variance = [("a negative variance", -1.0), ("an infinite variance", INF), ("a variance that is no number", NAN)]
    return [
        Refusal("batch_norm.one-value", "one value", _case(op, (1, 2), True, True, **train), "input", ShapeError),
        Refusal("batch_norm.running", "no statistics in evaluation", _case(op, (3, 2)), MEAN, ArgumentError),
        Refusal("batch_norm.running", "a mean without a variance", fits.having(running_var=None), VAR, ArgumentError),
        *(
            Refusal("batch_norm.domain", what, _spoilt(fits, VAR, bad), VAR, ArgumentError, own=True)
            for what, bad in bad_variance
        ),
        Refusal("batch_norm.domain", "an infinite mean", _spoilt(fits, MEAN, INF), MEAN, ArgumentError, own=True),
        Refusal("batch_norm.domain", "an eps of 0", _case(op, (3, 2), True, eps=0.0), "eps", ArgumentError, own=True),
        Refusal(
            "batch_norm.domain", "an eps of 0 in training", _case(op, (3, 2), eps=0.0, training=True), "eps", ArgumentError
        ),
        *(
            Refusal(
                "batch_norm.domain",
                what,
                _case(op, (3, 2), True, momentum=share, training=True),
                "momentum",
                ArgumentError,
                own=True,
            )
            for what, share in (("more than all", 1.5), ("less than nothing", -0.5))
        ),
        Refusal("all.layout", "statistics for other channels", fits.having(running_mean=np.zeros(3)), MEAN, ShapeError),
        Refusal("all.layout", "weights for other channels", fits.having(weight=np.ones(3)), "weight", ShapeError),
        Refusal("all.layout", "two dtypes", fits.having(weight=np.ones(2, np.float32)), "weight", DTypeError),
    ]


def _group_norm_edges() -> list[Edge]:
    op, row = "group_norm", "group_norm.statistics"
    return [
        Edge(row, "neighbouring channels together, weights a channel", _case(op, (2, 4, 2), False, True, num_groups=2), True),
        Edge(row, "one group", _case(op, (2, 3, 1, 2), False, True, num_groups=1), True),
        Edge(row, "a channel a group", _case(op, (2, 3, 2, 2), False, True, num_groups=3), True),
        Edge(row, "the variance is the biased one", _case(op, (1, 3), num_groups=1), True),
        Edge(row, "a mean far above the deviation, in float32", _far(_case(op, (2, 4, 2), num_groups=2))),
        Edge(row, "a shift without a scale", _shift_alone(_case(op, (2, 4, 2), False, True, num_groups=2)), True, own=True),
        Edge("group_norm.empty", "no image", _case(op, (0, 4, 2), False, True, num_groups=2), True),
        Edge("group_norm.backward", "through mean and variance", _case(op, (1, 4, 2), num_groups=2, eps=0.5), True),
    ]


def _group_norm_refusals() -> list[Refusal]:
    op, domain = "group_norm", "group_norm.domain"
    short = _case(op, (2, 4, 2), False, True, num_groups=2).having(weight=np.ones(2))
    return [
        Refusal(domain, "groups that do not divide", _case(op, (2, 4, 2), num_groups=3), "num_groups", ArgumentError),
        Refusal(domain, "no groups", _case(op, (2, 4, 2), num_groups=0), "num_groups", ArgumentError),
        Refusal(domain, "an eps of 0", _case(op, (2, 4, 2), num_groups=2, eps=0.0), "eps", ArgumentError, own=True),
        Refusal("group_norm.one-value", "one value of one image", _case(op, (1, 4, 1), num_groups=4), "input", ShapeError),
        Refusal(
            "group_norm.one-value", "one value of two images", _case(op, (2, 4, 1), num_groups=4), "input", ShapeError, own=True
        ),
        Refusal("group_norm.statistics", "a weight a group", short, "weight", ShapeError),
    ]


def _instance_norm_edges() -> list[Edge]:
    op, row, running = "instance_norm", "instance_norm.statistics", "instance_norm.running"
    spoilt = _spoilt(_case(op, (2, 2, 3), True), "input", NAN, (0, 1, 1))
    return [
        Edge(row, "every channel of every image", _case(op, (2, 3, 2, 2), False, True), True),
        Edge(row, "the variance is the biased one", _case(op, (1, 1, 3)), True),
        Edge(row, "a mean far above the deviation, in float32", _far(_case(op, (2, 2, 4)))),
        Edge(running, "means over the images", _case(op, (3, 2, 3), True, momentum=1.0)),
        Edge(running, "given statistics", _case(op, (2, 2, 3), True, True, use_input_stats=False), True),
        Edge(running, "no image leaves the statistics", _case(op, (0, 2, 4), True, True), own=True),
        Edge(running, "a channel that is not finite keeps its statistics", spoilt, own=True),
    ]


def _instance_norm_refusals() -> list[Refusal]:
    op, running = "instance_norm", "instance_norm.running"
    fits = _case(op, (2, 2, 3), True, True, use_input_stats=False)
    return [
        Refusal("instance_norm.one-value", "one pixel", _case(op, (2, 4, 1)), "input", ShapeError),
        Refusal("instance_norm.statistics", "no spatial axis", _case(op, (2, 4)), "input", ShapeError),
        Refusal("instance_norm.statistics", "an eps of 0", _case(op, (2, 4, 3), eps=0.0), "eps", ArgumentError, own=True),
        Refusal(running, "none to normalise by", _case(op, (2, 2, 3), use_input_stats=False), MEAN, ArgumentError),
        Refusal(running, "a mean without a variance", fits.having(running_var=None), VAR, ArgumentError),
        Refusal(running, "a negative variance", _spoilt(fits, VAR, -1.0), VAR, ArgumentError, own=True),
    ]


AFFINE = "input", "weight", "bias"
CONTRACTS = [
    Contract(
        "batch_norm",
        F.batch_norm,
        rows.batch_norm,
        AFFINE,
        Smooth(over_batch, over_batch_gradient),
        _batch_norm_edges,
        _batch_norm_refusals,
        needed=("input", MEAN, VAR),
        writes=(MEAN, VAR),
        written=(batch_norm_written, Smooth(over_statistics)),
    ),
    Contract(
        "group_norm",
        F.group_norm,
        rows.group_norm,
        AFFINE,
        Smooth(over_group, over_group_gradient),
        _group_norm_edges,
        _group_norm_refusals,
        needed=("input", "num_groups"),
    ),
    Contract(
        "instance_norm",
        F.instance_norm,
        rows.instance_norm,
        AFFINE,
        Smooth(over_image, over_image_gradient),
        _instance_norm_edges,
        _instance_norm_refusals,
        writes=(MEAN, VAR),
        written=(instance_norm_written, Smooth(over_statistics)),
    ),
]
