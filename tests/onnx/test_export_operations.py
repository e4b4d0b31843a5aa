"""Every translated operation by itself: ONNX Runtime gives what rawseg gives, for any batch."""

from __future__ import annotations

import numpy as np
import pytest
from exported_networks import TOLERANCE, Applied, checker, difference, run

import rawseg
from rawseg import Tensor, no_grad, onnx, ops
from rawseg import functional as F
from rawseg.autograd.linear import MatMul
from rawseg.autograd.shaping import cat, stack
from rawseg.errors import GraphError

RNG = np.random.default_rng(0)
X = RNG.normal(0, 1, (2, 4, 9, 12)).astype(np.float32)
OTHER = RNG.normal(0, 1, (3, 4, 9, 12)).astype(np.float32)
SCALE, SHIFT = (rawseg.tensor(RNG.normal(0, 1, 4).astype(np.float32)) for _ in range(2))
KERNEL = rawseg.tensor(RNG.normal(0, 1, (4, 2, 3, 2)).astype(np.float32))
ROIS = np.array([[0, 1, 2, 20, 30], [1, 0, 0, 40, 33.5], [0, 10, 5, 11, 6], [1, 3, 3, 3, 9], [1, -9, -3, 60, 50]], np.float32)


def changed_in_place(x):
    y = x * 2
    y += x
    y.mul_(3.0)
    y.clamp_(-1, 1)
    z = y + 0
    z.copy_(x)
    return y + z


ONE_INPUT = {
    "sums": lambda x: (x + x * 2 - 1) / (x * x + 1),
    "powers": lambda x: (x * x + 0.5) ** 1.3 + (x * x) ** 0.5 + (x * x + 1) ** -1,
    "power of an array": lambda x: (x * x + 0.1) ** x,
    "extremes of two": lambda x: rawseg.maximum(x, x * 0.3).minimum(x * x),
    "logic": lambda x: rawseg.where((x > 0) & ~(x >= 1) | (x <= -1) ^ (x < -1.5), x, x * -3),
    "equality": lambda x: rawseg.where((x.round() == 0) | (x.round() != 1), x, 0.0),
    "steps": lambda x: x.floor() + x.ceil() * 2 + (x * 3).round() * 3 + x.sign() * 4,
    "whole quotients": lambda x: (x // 0.7) + x % 0.7,
    "number first": lambda x: 2 - x + 1 / (x * x + 1) + (x < 1.5).float(),
    "finite": lambda x: (
        cat([x / 0, (x - x) / 0, x], 1).isfinite().float().mean(1, keepdim=True)
        + rawseg.where((x - x) / 0 == x, 1.0, x.isnan().float())
    ),
    "elementary": lambda x: x.exp() + (x * x + 1).log() + (x * x).log1p() + x.sin() + x.cos() + x.tanh() + abs(x) - -x,
    "clamp": lambda x: x.clamp(-0.5, 0.7) + x.clamp(min=0.1) + x.clamp(max=-0.1),
    "casts": lambda x: (x > 0).float() + (x * 4).long().float() + (x * 4).astype(np.int32).float(),
    "integers": lambda x: (x * 9).long() % 4 + (x * 5).long() * 2 - 1,
    **{
        name: getattr(F, name)
        for name in (
            *("relu", "relu6", "hardtanh", "leaky_relu", "elu", "selu", "celu", "hardsigmoid", "hardswish"),
            *("silu", "gelu", "mish", "tanh", "sigmoid", "logsigmoid", "softplus"),
        )
    },
    "elu with alpha": lambda x: F.elu(x, 0.3),
    "celu with alpha": lambda x: F.celu(x, 0.3),
    "gelu by tanh": lambda x: F.gelu(x, "tanh"),
    "softplus with threshold": lambda x: F.softplus(x, 2.0, 1.0),
    "softmax": lambda x: F.softmax(x, 1) + F.softmax(x, 3),
    "log_softmax": lambda x: F.log_softmax(x, 1),
    "sum": lambda x: x.sum((1, 3)) + x.sum((1, 3), keepdim=True).squeeze((1, 3)),
    "mean": lambda x: x.mean((2, 3), keepdim=True) * x.mean(1, keepdim=True),
    "mean of all": lambda x: x.mean() + x.sum(),
    "spread": lambda x: x.var((2, 3)) + x.std((2, 3)),
    "extremes": lambda x: x.amax((1, 2)) - x.amin((1, 2)),
    "argmax": lambda x: x.argmax(1),
    "argmin": lambda x: x.argmin(2, keepdim=True),
    "argmax of all": lambda x: x[:1].argmax(),
    "max along": lambda x: x.max(1)[0] + x.min(-1, keepdim=True)[1].float().sum(1),
    "cumsum": lambda x: x.cumsum(2),
    "logsumexp": lambda x: x.logsumexp(1),
    "any and all": lambda x: rawseg.where((x > 2).any(1, keepdim=True), x, (x < 0).all((1,), keepdim=True).float()),
    "truth of numbers": lambda x: F.relu(x).all(3),
    "reshape": lambda x: x.reshape(x.shape[0], -1),
    "flatten": lambda x: x.flatten(2).permute(0, 2, 1).unsqueeze(1),
    "batch into channels": lambda x: x.reshape(x.shape[0] * 4, 9, 12),
    "flip": lambda x: x.flip((2, 3)),
    "cat": lambda x: cat([x, x * 2, x[:, :1]], 1),
    "cat of batches": lambda x: cat([x, x], 0),
    "stack": lambda x: stack([x, x * 2], 2),
    "split": lambda x: x.split(3, 3)[1] + x.chunk(4, 1)[2][:, :, :, :3],
    "expand": lambda x: x[:, :, :1, :1].expand(x.shape[0], 4, 5, 6) + x.mean((2, 3), keepdim=True).expand(-1, -1, 5, 6),
    "slices": lambda x: x[:, 1:, ::2, -3:],
    "integers and new axes": lambda x: x[:, -1, :, None, 2:-1],
    "backwards": lambda x: x[:, 3:0:-2, -2::-3, ::-1],
    "an array": lambda x: x[:, [2, 0, 2]],
    "an array of two axes": lambda x: x[:, :, np.array([[0, 1], [2, -1]]), :],
    "arrays side by side": lambda x: x[:, np.array([1, 0]), np.array([3, 4])],
    "arrays apart": lambda x: x[:, np.array([1, 0]), :, np.array([3, 4])],
    "arrays broadcast": lambda x: x[:, np.array([1, 0])[:, None], np.array([3, 4, 5])],
    "an integer beside an array": lambda x: x[:, 2, 1:, np.array([3, 4, 5])],
    "bools": lambda x: x[:, np.array([True, False, True, True])],
    "an index that is computed": lambda x: x[:, x[:1].mean((0, 2, 3)).argmax()[None]],
    "one image": lambda x: x[0],
    "matmul": lambda x: x @ x.swapaxes(-1, -2),
    "matmul, left one turned": lambda x: MatMul.apply(x, x, turned_a=True),
    "matmul, right one turned": lambda x: MatMul.apply(x, x, turned_b=True),
    "matrix and vector": lambda x: x.reshape(x.shape[0], -1)[:, :9] @ rawseg.tensor(np.arange(9, dtype=np.float32)),
    "einsum": lambda x: rawseg.einsum("bchw,bdhw->bcd", x, x),
    "linear": lambda x: F.linear(x, rawseg.tensor(np.ones((5, 12), np.float32)), rawseg.tensor(np.arange(5, dtype=np.float32))),
    "max_pool2d": lambda x: F.max_pool2d(x, 3, 2, 1),
    "dilated max_pool2d": lambda x: F.max_pool2d(x, 2, 1, 0, 2),
    "max_pool2d over the edge": lambda x: F.max_pool2d(x, 3, 2, 0, ceil_mode=True) + F.max_pool2d(x, (3, 2), 2, ceil_mode=True),
    "pooling indices": lambda x: F.max_pool2d(x, (2, 3), return_indices=True),
    "max_unpool2d": lambda x: F.max_unpool2d(*F.max_pool2d(x, 3, return_indices=True), 3),
    "max_unpool2d of odd planes": lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
    "max_unpool2d that keeps the last": lambda x: F.max_unpool2d(
        *F.max_pool2d(x, 3, 2, 1, return_indices=True), 3, 2, 1, duplicates="last"
    ),
    "max_unpool2d that adds": lambda x: F.max_unpool2d(
        *F.max_pool2d(x, 3, 2, 1, return_indices=True), 3, 2, 1, duplicates="sum"
    ),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 3, 2, 1),
    "avg_pool2d without its frame": lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    "avg_pool2d over the edge": lambda x: F.avg_pool2d(x[:, :, :8, :11], 3, 2, 1, True),
    "avg_pool2d over the edge without it": lambda x: F.avg_pool2d(x, 2, 2, 0, True, False),
    "avg_pool2d with a divisor": lambda x: F.avg_pool2d(x, 2, 2, 1, divisor_override=3),
    "one bin": lambda x: F.adaptive_avg_pool2d(x, 1) + F.adaptive_max_pool2d(x, 1),
    "equal bins": lambda x: F.adaptive_avg_pool2d(x, (3, 4)) + F.adaptive_max_pool2d(x, (3, 4)),
    "bins that overlap": lambda x: F.adaptive_avg_pool2d(x, (7, 5)) + F.adaptive_max_pool2d(x, (7, 5)),
    "more bins than pixels": lambda x: F.adaptive_avg_pool2d(x, (13, None)),
    "nearest, doubled": lambda x: F.interpolate(x, scale_factor=2),
    "nearest, three times": lambda x: F.interpolate(x, scale_factor=3),
    "nearest, any size": lambda x: F.interpolate(x, size=(13, 7)),
    "nearest, torch's": lambda x: F.interpolate(x, size=(27, 36), compat="torch"),
    "nearest, halved": lambda x: F.interpolate(x, scale_factor=0.5),
    "nearest-exact": lambda x: F.interpolate(x, scale_factor=1.7, mode="nearest-exact"),
    "nearest-exact, three times": lambda x: F.interpolate(x, size=(27, 36), mode="nearest-exact"),
    "bilinear, doubled": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "bilinear, any size": lambda x: F.interpolate(x, size=(13, 7), mode="bilinear"),
    "bilinear, corners": lambda x: F.interpolate(x, size=(13, 1), mode="bilinear", align_corners=True),
    "bilinear, by a factor": lambda x: F.interpolate(x, scale_factor=1.7, mode="bilinear"),
    "bilinear, factor of the sizes": lambda x: F.interpolate(x, None, 1.7, "bilinear", recompute_scale_factor=True),
    "bilinear, one axis": lambda x: F.interpolate(x, size=(9, 24), mode="bilinear"),
    "a size kept": lambda x: F.interpolate(x, size=(9, 12), mode="bilinear") + F.interpolate(x, size=(9, 12)),
    "zeros around": lambda x: F.pad(x, (1, 2, 0, 3)),
    "a number around": lambda x: F.pad(x, (1, 2), value=3.5),
    "cropped": lambda x: F.pad(x, (-1, 2, -2, -1)),
    "mirrored": lambda x: F.pad(x, (1, 2, 2, 1), "reflect"),
    "continued": lambda x: F.pad(x, (1, 2, 2, 1), "replicate"),
    "wrapped": lambda x: F.pad(x, (1, 2, 2, 0), "circular"),
    "pixels and channels": lambda x: F.pixel_unshuffle(F.interpolate(F.pixel_shuffle(x, 2), scale_factor=3), 2),
    "unfold": lambda x: F.unfold(x, (2, 3), 1, 1, 2),
    "dilated unfold": lambda x: F.unfold(x, 2, 2, (1, 0), (2, 1)),
    "fold": lambda x: F.fold(F.unfold(x, (2, 3), 1, 1, 2), (9, 12), (2, 3), 1, 1, 2),
    "group_norm": lambda x: F.group_norm(x, 2, SCALE, SHIFT),
    "group_norm of all": lambda x: F.group_norm(x, 1),
    "instance_norm": lambda x: F.instance_norm(x, weight=SCALE, bias=SHIFT) + F.instance_norm(x),
    "instance_norm by statistics": lambda x: F.instance_norm(x, SHIFT, SCALE * SCALE, use_input_stats=False),
    "layer_norm": lambda x: F.layer_norm(x, (9, 12)) + F.layer_norm(x, (12,), *(t[:1].expand(12) for t in (SCALE, SHIFT))),
    "batch_norm by the batch": lambda x: F.batch_norm(x, None, None, SCALE, SHIFT, training=True),
    "batch_norm without scale": lambda x: F.batch_norm(x, SHIFT, SCALE * SCALE, eps=0.1),
    "conv2d of the same size": lambda x: F.conv2d(x, KERNEL, SHIFT, padding="same", dilation=(1, 2), groups=2),
    "conv2d of one image": lambda x: F.conv2d(x[0], KERNEL, stride=(2, 1), padding=(1, 0), groups=2),
    "conv_transpose2d": lambda x: F.conv_transpose2d(x, KERNEL, None, 2, 1, 1, 2, 1),
    "conv_transpose2d to a size": lambda x: F.conv_transpose2d(x, KERNEL, stride=2, dilation=2, output_size=(22, 25)),
    "regions that are constant": lambda x: ops.roi_align(x, ROIS, 3, 0.25, 2),
    "changes in place": changed_in_place,
    "detached": lambda x: F.relu(x.detach()).detach() + x,
    "clones and layouts": lambda x: x.permute(0, 2, 3, 1).contiguous().clone() + 0,
    "several outputs": lambda x: {"sum": x + 1, "product": x * 2},
    "an output twice": lambda x: ((y := x + 1), y, x),
}
POINTS, MATRICES = (RNG.normal(0, 0.8, shape).astype(np.float32) for shape in ((3, 5, 6, 2), (3, 2, 3)))
PLACES = np.stack([np.arange(16).reshape(4, 2, 2)[::-1] % 9 for _ in range(3)]).astype(np.int64)  # of 3 x 3 planes
TWO_INPUTS = {  # an example, and one with another batch
    "grid_sample": (F.grid_sample, (X, POINTS[:2]), (OTHER, POINTS)),
    "nearest points": (lambda x, g: F.grid_sample(x, g, "nearest", "border", True), (X, POINTS[:2]), (OTHER, POINTS)),
    "mirrored points": (lambda x, g: F.grid_sample(x, g, padding_mode="reflection"), (X, POINTS[:2]), (OTHER, POINTS)),
    "affine_grid": (
        lambda x, t: F.grid_sample(x, F.affine_grid(t, (x.shape[0], 4, 5, 6))),
        (X, MATRICES[:2]),
        (OTHER, MATRICES),
    ),
    "roi_align": (lambda x, b: ops.roi_align(x, b, (3, 2), 0.25, 2), (X, ROIS), (OTHER, ROIS[:3])),
    "roi_align, adaptive": (lambda x, b: ops.roi_align(x, b, 3, 0.25), (X, ROIS), (OTHER, ROIS[:3])),
    "roi_align, aligned": (lambda x, b: ops.roi_align(x, b, 3, 0.25, -1, True), (X, ROIS), (OTHER, ROIS[:3])),
    "roi_align, largest": (lambda x, b: ops.roi_align(x, b, 3, 0.25, 2, mode="max"), (X, ROIS), (OTHER, ROIS[:3])),
    "roi_pool": (lambda x, b: ops.roi_pool(x, b, 3, 0.25), (X, ROIS), (OTHER, ROIS[:3])),
    "roi_warp": (lambda x, b: ops.roi_warp(x, b, 3, 0.3, 2), (X, ROIS), (OTHER, ROIS[:3])),
    "boxes of one image": (lambda x, b: ops.roi_align(x[:1], [b], 2, 0.25, 2), (X, ROIS[:, 1:]), (OTHER, ROIS[1:4, 1:])),
    "indices from outside": (
        lambda x, i: F.max_unpool2d(x, i, 2, output_size=(3, 3)),
        (X[:, :, :2, :2], PLACES[:2]),
        (OTHER[:, :, :2, :2], PLACES),
    ),
}
CASES = {name: (function, (X,), (OTHER,)) for name, function in ONE_INPUT.items()} | TWO_INPUTS


def flat(out):
    return list(out.values()) if isinstance(out, dict) else list(out) if isinstance(out, tuple) else [out]


def check(name, opset, batch, runs=True):
    function, example, other = CASES[name]
    file = onnx.export(Applied(function), example, opset=opset, dynamic_batch=batch, other_x=other if batch else example)
    checker.check_model(file, full_check=True)
    assert [one.version for one in file.opset_import] == [opset]
    unseen = tuple(np.concatenate(pair) for pair in zip(example, other))  # of a length that neither example had
    for arrays in ((example, other, unseen) if batch else (example,)) if runs else ():
        with no_grad():
            wanted = flat(function(*(Tensor(array.copy()) for array in arrays)))
        found = run(file, *arrays)
        assert len(found) == len(wanted)
        for ours, theirs in zip(wanted, found):
            assert difference(theirs, ours.numpy()) <= TOLERANCE


@pytest.mark.gate
@pytest.mark.parametrize("name", CASES)
def test_onnx_runtime_gives_what_the_operation_gives(name):
    check(name, 17, batch=True)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: F.pixel_unshuffle(x, 2),
        lambda x: F.interpolate(x, size=(x.shape[2] // 4, x.shape[3] // 2), mode="bilinear"),
        lambda x: x.reshape(*x.shape[:2], x.shape[2] // 2, 2, x.shape[3] // 4, 4).sum((3, 5)),
    ],
)
def test_a_size_may_be_an_equal_part_of_the_inputs(function):
    x, larger = (RNG.normal(0, 1, (2, 3, *size)).astype(np.float32) for size in ((32, 32), (96, 64)))
    file = onnx.export(Applied(function), x, dynamic_size=True)
    for image in (x, larger):
        assert difference(run(file, image)[0], function(Tensor(image)).numpy()) <= TOLERANCE


@pytest.mark.parametrize("size", [(64, 64), (64, 60), (320, 320), (40, 40)])
def test_heights_and_widths_of_small_maps_are_told_apart(size):
    """At strides of 16 and 64 sizes that differ by few pixels are equal, and halves of even sizes are however rounded."""

    def coarse(x):
        maps = [F.max_pool2d(x, 2), F.max_pool2d(x, 3, 2, 1), x]  # half of it, rounded down and up, and all of it
        for _ in range(3):
            maps.append(F.max_pool2d(maps[-1], 5, 4, 2))
        means = [one.mean((2, 3), keepdim=True) for one in maps]
        return [F.interpolate(mean, size=one.shape[2:], mode="bilinear") for mean, one in zip(means, maps)]

    model, image = Applied(coarse), RNG.random((1, 1, 97, 201), np.float32)
    model.multiple = 1
    file = onnx.export(model, RNG.random((1, 1, *size), np.float32), dynamic_size=True)
    for found, wanted in zip(run(file, image), coarse(Tensor(image)), strict=True):
        assert difference(found, wanted.numpy()) <= TOLERANCE


@pytest.mark.parametrize("opset", [11, 21])
@pytest.mark.parametrize(
    "name",
    [
        *("softmax", "sum", "spread", "extremes", "arrays apart", "hardswish", "gelu", "mish", "logic", "layer_norm"),
        *("bilinear, any size", "nearest, doubled", "zeros around", "max_unpool2d of odd planes"),
    ],
)
def test_of_the_oldest_and_a_new_operator_set(name, opset):
    check(name, opset, batch=False)


SINCE = {"einsum": 12, "max_unpool2d that adds": 16, "roi_align, aligned": 16}  # what older operator sets cannot say
SINCE |= dict.fromkeys(("grid_sample", "nearest points", "mirrored points", "affine_grid"), 16)
REGIONS = {name for name in CASES if name.startswith(("roi", "regions", "boxes"))}


@pytest.mark.release
@pytest.mark.parametrize("opset", [11, 12, 13, 15, 18, 20, 21, 24, 26])
@pytest.mark.parametrize("name", CASES)
def test_of_every_operator_set(name, opset):
    if opset < SINCE.get(name, 11):
        with pytest.raises(GraphError, match=f"opset: expected at least {SINCE[name]}, for .* in the model, got {opset}"):
            check(name, opset, batch=False)
    else:
        check(name, opset, batch=False, runs=opset < 22 or name not in REGIONS)  # ONNX Runtime 1.32 has not these of 22
