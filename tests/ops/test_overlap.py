"""Overlaps of boxes and what is kept of them, as public functions: values, gradients, errors in the caller's words."""

from __future__ import annotations

import numpy as np
import pytest
from bounds import assert_within, gamma, unit_roundoff
from box_cases import exact_iou, exact_nms, torch_box_iou, torch_generalized_box_iou
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits
from twins import DTYPES, SEEDS, numbers, ours, torchs

import rawseg
from rawseg import ops
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg.testing.strategies.boxes import grid_boxes, scattered_boxes
from rawseg_kernels import _memory

ONE = np.array([[0, 0, 4, 4]], np.float32)
OTHER = np.array([[2, 1, 6, 3], [0, 0, 4, 4], [5, 4, 6, 8], [1, 1, 1, 1]], np.float32)
SCORES = np.array([1, 4, 3, 2], np.float32)


@pytest.mark.spec("generalized_box_iou.rule")
def test_generalized_overlaps_by_hand():
    # 4/20 in a hull of 6 x 4; the same; nothing of 20 in a hull of 6 x 8; a point inside
    want = np.array([[4 / 20 - 4 / 24, 1, -28 / 48, 0]])
    assert_within(ops.generalized_box_iou(ONE.astype(float), OTHER.astype(float)).numpy(), want, 4 * 2.0**-53)
    assert ops.generalized_box_iou(OTHER[3:], OTHER[3:]).tolist() == [[0]]  # no union, no hull


def test_gradients_by_hand():
    one = rawseg.tensor([[0.0, 0, 2, 2]], requires_grad=True)
    ops.box_iou(one, np.array([[1, 0, 3, 2]], np.float32)).sum().backward()
    # i = 2 (x2 - 1) = 2, u = 2 (x2 - x1) + 4 - i = 6, d(i / u) = ((u + i) di - i da) / u**2. For x2: di = da = 2; for x1:
    # di = 0, da = -2. The edges y1 and y2 are shared: half of di = 1 is theirs, and all of da = 2.
    y = (8 * 0.5 - 2 * 2) / 36
    want = np.array([4 / 36, -y, 12 / 36, y])
    assert_within(one.grad.numpy()[0], want, 4 * 2.0**-24)


@pytest.mark.spec("box_iou.empty-boxes")
def test_boxes_without_an_area_have_a_gradient_of_0():
    flat = rawseg.tensor([[1.0, 1, 1, 1], [1, 1, 1, 3], [0, 2, 5, 2]], requires_grad=True)
    for function in (ops.box_iou, ops.generalized_box_iou):
        for gradient in rawseg.grad(function(flat, flat).sum(), [flat], create_graph=True):
            assert np.isfinite(gradient.detach().numpy()).all()
    (gradient,) = rawseg.grad(ops.box_iou(flat, flat).sum(), [flat])
    assert not gradient.numpy().any()


@pytest.mark.proves("box_iou", "torch", "first order", "bound")
@pytest.mark.proves("generalized_box_iou", "torch", "first order", "bound")
@pytest.mark.parametrize(
    ("function", "twin"),
    [(ops.box_iou, torch_box_iou), (ops.generalized_box_iou, torch_generalized_box_iou)],
    ids=["box_iou", "generalized_box_iou"],
)
@given(DTYPES, SEEDS, st.integers(1, 4), st.integers(0, 3))
def test_overlaps_as_torch(function, twin, dtype, seed, n, m):
    """In float64, with sides of 1 to 4: areas below 200, slopes below 200 (unions are 1 or more), some 60 roundings."""
    boxes, g = [scattered_boxes(seed, n, dtype), scattered_boxes(seed + 1, m, dtype)], numbers(seed, n, m, dtype=dtype)
    out, gradients = ours(function, boxes, g)
    want, oracles = torchs(twin, boxes, g)
    once = unit_roundoff(dtype) if dtype == np.float32 else 0.0
    assert_within(out, want, gamma(60, np.float64) + once * abs(want), "value")
    for one, other in zip(gradients, oracles):
        assert_within(one, other, gamma(60, np.float64) * 200 * abs(g).sum() + once * abs(other), "gradient")


@given(grid_boxes(), grid_boxes(), st.sampled_from(["xyxy", "xywh", "cxcywh"]), DTYPES)
def test_recorded_or_not_the_bits_are_the_same(one, other, fmt, dtype):
    one, other = (ops.box_convert(boxes.astype(dtype), "xyxy", fmt).numpy() for boxes in (one, other))
    plain = ops.box_iou(one, other, fmt).numpy()
    recorded = ops.box_iou(rawseg.Tensor(one, requires_grad=True), other, fmt)
    assert recorded.requires_grad
    assert_same_bits(recorded.detach().numpy(), plain)
    corners = [ops.box_convert(boxes, fmt, "xyxy").numpy() for boxes in (one, other)]
    exact = np.array([[float(exact_iou(a, b)) for b in corners[1]] for a in corners[0]], np.float64).reshape(plain.shape)
    np.testing.assert_array_equal(plain, exact.astype(dtype))


@pytest.mark.spec("nms.order")
@given(grid_boxes(), st.sampled_from([0.0, 0.5, 1.0]), SEEDS)
def test_suppression_takes_tensors_and_arrays(boxes, threshold, seed):
    scores = np.random.default_rng(seed).integers(0, 4, len(boxes)).astype(np.float64)
    kept = ops.nms(rawseg.Tensor(boxes, requires_grad=True), scores, threshold)
    assert (kept.dtype, kept.requires_grad) == (np.int64, False)
    assert kept.tolist() == exact_nms(boxes, scores, threshold)
    idxs = np.random.default_rng(seed).integers(0, 3, len(boxes))
    assert ops.batched_nms(boxes, scores, rawseg.Tensor(idxs), threshold).tolist() == exact_nms(boxes, scores, threshold, idxs)


def test_masks_are_pasted():
    out = ops.paste_masks(rawseg.tensor(np.ones((1, 1, 2, 2)), requires_grad=True), np.array([[1.0, 0, 2, 1]]), (2, 4), 0)
    assert (out.tolist(), out.requires_grad) == ([[[0, 1, 1, 0], [0, 1, 1, 0]]], False)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.box_iou(np.full_like(ONE, np.nan), ONE),
            ArgumentError,
            "box_iou: boxes1: expected finite corners, got nan",
        ),
        (lambda: ops.box_iou(ONE, -OTHER), ArgumentError, r"box_iou: boxes2: expected x1 <= x2 and y1 <= y2, got \(-2.0"),
        (lambda: ops.box_iou(ONE, -OTHER, "cxcywh"), ArgumentError, r"box_iou: boxes2: expected x1 <= x2"),
        (lambda: ops.box_iou(ONE, OTHER.astype(float)), DTypeError, "box_iou: boxes2: expected float32, the dtype of boxes1"),
        (lambda: ops.box_iou(ONE, OTHER[0]), ShapeError, r"box_iou: boxes2: expected shape \(N, 4\)"),
        (lambda: ops.box_iou(ONE, OTHER[:, :3], "xywh"), ShapeError, r"box_iou: boxes2: expected shape \(..., 4\)"),
        (lambda: ops.box_iou(ONE, OTHER, "yx"), ArgumentError, "box_iou: fmt: expected one of"),
        (lambda: ops.generalized_box_iou(-ONE, ONE), ArgumentError, "generalized_box_iou: boxes1: expected x1 <= x2"),
        (lambda: ops.generalized_box_iou(ONE, ONE.astype(float)), DTypeError, "generalized_box_iou: boxes2: expected float32"),
        (lambda: ops.nms(OTHER, SCORES * np.float32(np.nan), 0.5), ArgumentError, "nms: scores: expected no NaN, got nan at 0"),
        (lambda: ops.nms([OTHER], SCORES, 0.5), ArgumentTypeError, "nms: boxes: expected a Tensor, an array"),
        (
            lambda: ops.batched_nms(OTHER, SCORES, SCORES, 0.5),
            DTypeError,
            "batched_nms: idxs: expected int64, got float32",
        ),
        (
            lambda: ops.batched_nms(OTHER, SCORES, np.zeros(3, np.int64), 0.5),
            ShapeError,
            r"batched_nms: idxs: expected shape \(4,\), got shape \(3,\)",
        ),
        (
            lambda: ops.batched_nms(OTHER, SCORES, np.zeros(4, np.int64), 2),
            ArgumentError,
            "batched_nms: iou_threshold: expected 0 to 1, got 2.0",
        ),
        (
            lambda: ops.paste_masks(np.ones((1, 1, 2, 2), np.float32), ONE, (0, 3)),
            ArgumentError,
            "paste_masks: image_size: expected at least 1, got 0",
        ),
    ],
)
def test_errors_are_in_the_words_of_the_caller(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.spec("all.memory")
def test_pairs_that_cannot_fit_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 63)
    one, pairs = rawseg.Tensor(ONE, requires_grad=True), r"got 64 bytes for shape \(1, 4, 2\)"
    with pytest.raises(MemoryError, match=f"^box_iou: out: .* {pairs}"):
        ops.box_iou(one, OTHER)
    with pytest.raises(MemoryError, match=f"^generalized_box_iou: out: .* {pairs}"):
        ops.generalized_box_iou(ONE, OTHER)
