"""Non-maximum suppression: who suppresses whom, and that nothing but the overlap and the scores decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from box_cases import exact_nms, torch_nms
from hypothesis import event, given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg.testing.strategies.boxes import grid_boxes, scattered_boxes
from rawseg_kernels import nms
from rawseg_kernels._cuda import emulator
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.nms import cuda, direct, reference

DTYPES = [np.float32, np.float64]
THRESHOLDS = st.sampled_from([0.0, 1 / 7, 1 / 3, 0.5, 0.75, 1.0])
BOXES = np.array([[0, 0, 4, 4], [0, 0, 4, 5], [0, 0, 2, 4], [6, 6, 8, 8]], np.float32)
SCORES = np.array([0.5, 0.9, 0.7, 0.1], np.float32)


@pytest.mark.spec("nms.order")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_by_hand(algorithm):
    # by score: 1, 2, 0, 3. Box 1 overlaps 0 by 16/20 and 2 by 8/20; box 2 overlaps 0 by 8/16; box 3 stands alone
    kept = {0.85: [1, 2, 0, 3], 0.8: [1, 2, 0, 3], 0.75: [1, 2, 3], 0.4: [1, 2, 3], 0.375: [1, 3], 0.0: [1, 3]}
    for threshold, indices in kept.items():
        assert nms.forward(BOXES, SCORES, threshold, algorithm=algorithm).tolist() == indices, threshold


@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_a_suppressed_box_suppresses_nobody(algorithm):
    boxes = np.array([[0, 0, 4, 1], [1, 0, 5, 1], [2, 0, 6, 1]], np.float32)  # neighbours overlap by 3/5, the outer by 2/6
    assert nms.forward(boxes, np.array([3, 2, 1], np.float32), 0.5, algorithm=algorithm).tolist() == [0, 2]
    assert nms.forward(boxes, np.array([1, 3, 2], np.float32), 0.5, algorithm=algorithm).tolist() == [1]


@pytest.mark.spec("nms.order")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_ties_keep_the_first_index_and_threshold_is_strict(algorithm):
    boxes = np.array([[0, 0, 2, 1], [1, 0, 3, 1], [0, 0, 2, 1.0]])  # the first two overlap by exactly 1/3
    same = np.zeros(3)
    assert nms.forward(boxes, same, 1 / 3, algorithm=algorithm).tolist() == [0, 1]
    assert nms.forward(boxes, same, np.nextafter(1 / 3, 0), algorithm=algorithm).tolist() == [0]
    assert nms.forward(boxes, same, 1.0, algorithm=algorithm).tolist() == [0, 1, 2]  # no overlap exceeds 1
    scores = np.array([-np.inf, np.inf, -np.inf])
    assert nms.forward(boxes, scores, 1.0, algorithm=algorithm).tolist() == [1, 0, 2]
    assert nms.forward(boxes, np.array([-0.0, 0.0, -0.0]), 1.0, algorithm=algorithm).tolist() == [0, 1, 2]


@pytest.mark.spec("box_iou.empty-boxes")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_boxes_without_an_area_stay(algorithm):
    boxes = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 3], [0, 0, 2, 2]], np.float32)
    assert nms.forward(boxes, np.arange(4, dtype=np.float32), 0.0, algorithm=algorithm).tolist() == [3, 2, 1, 0]


@pytest.mark.spec("batched_nms.groups")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_groups_do_not_meet(algorithm):
    boxes, scores = np.repeat(BOXES[:1], 5, 0), np.array([1, 5, 2, 4, 3], np.float32)
    groups = np.array([7, -2, 7, 2**62, -2])
    assert nms.forward(boxes, scores, 0.5, groups, algorithm=algorithm).tolist() == [1, 3, 2]


@pytest.mark.spec("nms.domain")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_no_boxes_give_no_indices(algorithm):
    kept = nms.forward(BOXES[:0], SCORES[:0], 0.5, algorithm=algorithm)
    assert (kept.dtype, kept.shape) == (np.dtype(np.int64), (0,))


def changed(array, index, value):
    copy = array.copy()
    copy[index] = value
    return copy


@pytest.mark.spec("nms.domain")
@pytest.mark.proves("nms", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nms.forward(None, SCORES, 0.5), ArgumentTypeError, "nms: boxes: expected a NumPy or CuPy array, got NoneType"),
        (lambda: nms.forward(BOXES, None, 0.5), ArgumentTypeError, "scores: expected a NumPy or CuPy array, got NoneType"),
        (lambda: nms.forward(BOXES.astype(int), SCORES, 0.5), DTypeError, "boxes: expected float32 or float64, got int64"),
        (lambda: nms.forward(BOXES, SCORES.astype(float), 0.5), DTypeError, "scores: expected float32, the dtype of boxes"),
        (lambda: nms.forward(BOXES[0], SCORES, 0.5), ShapeError, r"boxes: expected shape \(N, 4\), got shape \(4,\)"),
        (lambda: nms.forward(BOXES[:, :3], SCORES, 0.5), ShapeError, r"boxes: expected shape \(N, 4\), got shape \(4, 3\)"),
        (lambda: nms.forward(BOXES, SCORES[:3], 0.5), ShapeError, r"scores: expected shape \(4,\), got shape \(3,\)"),
        (lambda: nms.forward(BOXES, SCORES[:, None], 0.5), ShapeError, r"scores: expected shape \(N,\), got shape \(4, 1\)"),
        (
            lambda: nms.forward(changed(BOXES, (2, 1), np.nan), SCORES, 0.5),
            ArgumentError,
            r"boxes: expected finite corners, got nan at \(2, 1\)",
        ),
        (
            lambda: nms.forward(changed(BOXES, (3, 2), np.inf), SCORES, 0.5),
            ArgumentError,
            r"boxes: expected finite corners, got inf at \(3, 2\)",
        ),
        (
            lambda: nms.forward(changed(BOXES.astype(float), (3, 2), 1e200), SCORES.astype(float), 0.5),
            ArgumentError,
            r"boxes: expected corners of at most 3.27\S+e\+150, got 1e\+200 at \(3, 2\)",
        ),
        (
            lambda: nms.forward(changed(BOXES, (1, 2), -1), SCORES, 0.5),
            ArgumentError,
            r"boxes: expected x1 <= x2 and y1 <= y2, got \(0.0, 0.0, -1.0, 5.0\) at 1",
        ),
        (lambda: nms.forward(changed(BOXES, (3, 3), 5), SCORES, 0.5), ArgumentError, r"got \(6.0, 6.0, 8.0, 5.0\) at 3"),
        (lambda: nms.forward(BOXES, changed(SCORES, 2, np.nan), 0.5), ArgumentError, "scores: expected no NaN, got nan at 2"),
        (lambda: nms.forward(BOXES, SCORES, 1.5), ArgumentError, "iou_threshold: expected 0 to 1, got 1.5"),
        (lambda: nms.forward(BOXES, SCORES, -0.1), ArgumentError, "iou_threshold: expected 0 to 1, got -0.1"),
        (lambda: nms.forward(BOXES, SCORES, np.nan), ArgumentError, "iou_threshold: expected a finite number, got nan"),
        (lambda: nms.forward(BOXES, SCORES, None), ArgumentTypeError, "iou_threshold: expected a real number, got None"),
        (
            lambda: nms.forward(BOXES, SCORES, 0.5, [0] * 4),
            ArgumentTypeError,
            "groups: expected a NumPy or CuPy array, got list",
        ),
        (lambda: nms.forward(BOXES, SCORES, 0.5, SCORES), DTypeError, "groups: expected int64, got float32"),
        (
            lambda: nms.forward(BOXES, SCORES, 0.5, np.zeros(3, np.int64)),
            ShapeError,
            r"groups: expected shape \(4,\), got shape \(3,\)",
        ),
        (lambda: nms.forward(BOXES, SCORES, 0.5, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.spec("nms.order", "batched_nms.groups")
@pytest.mark.proves("nms", "reference", "cpu", "torch")
@pytest.mark.parametrize("dtype", DTYPES)
@given(grid_boxes(), THRESHOLDS, st.booleans(), st.integers(0, 2**16))
def test_selection_equals_loops_and_exact_fractions_and_torch(dtype, boxes, threshold, grouped, seed):
    rng = np.random.default_rng(seed)
    boxes, scores = boxes.astype(dtype), rng.choice([0.25, 0.5, 0.5, 1, -1], len(boxes)).astype(dtype)
    groups = rng.integers(0, 3, len(boxes)) if grouped else None
    got = nms.forward(boxes, scores, threshold, groups)
    event("suppressed" if len(got) < len(boxes) else "all kept")
    event("ties" if len(set(scores)) < len(scores) else "no ties")
    assert_same_bits(got, reference.forward(boxes, scores, threshold, np.zeros(len(boxes)) if groups is None else groups))
    assert got.tolist() == exact_nms(boxes, scores, threshold, groups)
    assert_same_bits(got, nms.forward(boxes, scores, threshold, groups, "cuda"))
    if groups is None:
        assert got.tolist() == torch_nms(*(torch.from_numpy(a.astype(np.float64)) for a in (boxes, scores)), threshold)


@pytest.mark.proves("nms", "reference", "cpu", "bound")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("groups", [1, 3])
def test_more_boxes_than_a_block_and_a_tile(dtype, groups):
    count = direct.BLOCK + direct.TILE + 100
    boxes = scattered_boxes(groups, count, dtype, 40.0)
    rng = np.random.default_rng(0)
    scores, group = rng.integers(0, 200, count).astype(dtype), rng.integers(0, groups, count)
    got = nms.forward(boxes, scores, 0.3, group)
    assert direct.BLOCK < len(got) < count - direct.BLOCK  # survivors of one block and victims in others
    assert_same_bits(got, nms.forward(boxes, scores, 0.3, group, algorithm="reference"))


@pytest.mark.parametrize("strip", [64, 128, 192])
@pytest.mark.parametrize("count", [63, 64, 65, 128, 300])
def test_bits_of_words_and_of_strips_of_words(monkeypatch, strip, count):
    monkeypatch.setattr(cuda, "STRIP", strip)
    boxes, rng = scattered_boxes(count, count, np.float32, 20.0), np.random.default_rng(0)
    scores, groups = rng.integers(0, 50, count).astype(np.float32), rng.integers(0, 2, count)
    for order in emulator.ORDERS:
        with emulator.ordered(order, 3):
            got = nms.forward(boxes, scores, 0.2, groups, "cuda")
        assert_same_bits(got, nms.forward(boxes, scores, 0.2, groups, "reference"))


@given(grid_boxes(), THRESHOLDS, st.integers(0, 2**16))
def test_what_is_kept_is_kept_again(boxes, threshold, seed):
    scores = np.random.default_rng(seed).integers(0, 4, len(boxes)).astype(np.float64)
    kept = nms.forward(boxes, scores, threshold)
    assert nms.forward(boxes[kept], scores[kept], threshold).tolist() == list(range(len(kept)))


@pytest.mark.spec("batched_nms.groups")
@given(grid_boxes(), THRESHOLDS, st.integers(0, 2**16))
def test_groups_together_are_groups_apart(boxes, threshold, seed):
    rng = np.random.default_rng(seed)
    scores, groups = rng.integers(0, 4, len(boxes)).astype(np.float64), rng.integers(-1, 2, len(boxes))
    apart = [np.flatnonzero(groups == g)[nms.forward(boxes[groups == g], scores[groups == g], threshold)] for g in (-1, 0, 1)]
    merged = sorted(np.concatenate(apart), key=lambda i: (-scores[i], i))
    assert nms.forward(boxes, scores, threshold, groups).tolist() == merged


@pytest.mark.spec("nms.order")
def test_overlaps_of_float32_boxes_are_decided_in_float64():
    # 3/4 exactly, and just above: at float32 the sums of these areas round the difference away
    x = np.float32(2**24)
    boxes = np.array([[0, 0, x, 4], [0, 0, x, 3], [0, 0, x - 1, 3]], np.float32)
    order = np.array([3, 2, 1], np.float32)
    assert nms.forward(boxes, order, 0.75).tolist() == [0, 1]  # box 2 falls to box 1, not to box 0
    assert nms.forward(boxes[[0, 2]], order[:2], 0.75).tolist() == [0, 1]
    assert nms.forward(boxes[[0, 2]], order[:2], np.nextafter(0.75 * (2.0**24 - 1) / 2.0**24, 0)).tolist() == [0]


@pytest.mark.proves("nms", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
def test_promises(monkeypatch, dtype):
    boxes, rng = scattered_boxes(0, 700, dtype, 30.0), np.random.default_rng(1)
    scores, groups = rng.integers(0, 50, 700).astype(dtype), rng.integers(0, 2, 700)
    monkeypatch.setattr(direct, "BLOCK", 64)
    assert_promises(monkeypatch, lambda b, s: nms.forward(b, s, 0.4), boxes, scores)
    assert_promises(monkeypatch, lambda b, s, g: nms.forward(b, s, 0.4, g), boxes, scores, groups)


def test_the_compiled_loops_are_the_plain_loops():
    boxes, groups = scattered_boxes(3, 40, np.float32), np.arange(40) % 2
    scores = np.random.default_rng(1).integers(0, 9, 40).astype(np.float32)
    want = reference.forward(boxes, scores, 0.25, groups)
    assert_same_bits(nms.forward(boxes, scores, 0.25, groups, algorithm="reference"), want)
    assert 0 < len(want) < 40
