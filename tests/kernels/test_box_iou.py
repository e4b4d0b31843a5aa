"""Overlap of boxes: exact where fractions are, a rounding or two elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, unit_roundoff
from box_cases import exact_iou, torch_intersection_union
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg.testing.strategies.boxes import grid_boxes, scattered_boxes
from rawseg_kernels import _memory, box_iou
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.box_iou import reference

DTYPES = [np.float32, np.float64]
ONE = np.array([[0, 0, 4, 4], [1, 1, 1, 3]], np.float32)
OTHER = np.array([[2, 1, 6, 3], [4, 0, 5, 4], [0, 0, 4, 4]], np.float32)


@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_by_hand(algorithm):
    # 4 of 16 + 8 - 4; an edge in common; the same box. The second of ONE is a line
    assert box_iou.forward(ONE, OTHER, algorithm=algorithm).tolist() == [[np.float32(0.2), 0, 1], [0, 0, 0]]


@pytest.mark.spec("box_iou.empty-boxes")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_boxes_without_an_area_overlap_by_nothing(algorithm):
    flat = np.array([[1, 1, 1, 1], [1, 1, 1, 3], [0, 2, 5, 2]], np.float64)
    np.testing.assert_array_equal(box_iou.forward(flat, flat, algorithm=algorithm), np.zeros((3, 3)))


@pytest.mark.parametrize(("n", "m"), [(0, 3), (2, 0), (0, 0)])
def test_no_boxes_give_no_pairs(n, m):
    assert box_iou.forward(ONE[:n], OTHER[:m]).shape == (n, m)


@pytest.mark.proves("box_iou", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: box_iou.forward(ONE, None),
            ArgumentTypeError,
            "box_iou: boxes2: expected a NumPy or CuPy array, got NoneType",
        ),
        (lambda: box_iou.forward(None, ONE), ArgumentTypeError, "boxes1: expected a NumPy or CuPy array, got NoneType"),
        (lambda: box_iou.forward(ONE.astype(int), ONE), DTypeError, "boxes1: expected float32 or float64, got int64"),
        (lambda: box_iou.forward(ONE, ONE.astype(float)), DTypeError, "boxes2: expected float32, the dtype of boxes1"),
        (lambda: box_iou.forward(ONE[0], ONE), ShapeError, r"boxes1: expected shape \(N, 4\), got shape \(4,\)"),
        (lambda: box_iou.forward(ONE, ONE[:, :2]), ShapeError, r"boxes2: expected shape \(N, 4\), got shape \(2, 2\)"),
        (
            lambda: box_iou.forward(ONE, ONE * np.float32(np.nan)),
            ArgumentError,
            r"boxes2: expected finite corners, got nan at \(0,",
        ),
        (
            lambda: box_iou.forward(ONE[:, [2, 1, 0, 3]], ONE),
            ArgumentError,
            r"boxes1: expected x1 <= x2 and y1 <= y2, got \(4.0,",
        ),
        (lambda: box_iou.forward(ONE, ONE, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 23)
    with pytest.raises(MemoryError, match=r"box_iou: out: expected at most 23 bytes, got 24 bytes for shape \(2, 3\)"):
        box_iou.forward(ONE, OTHER)


@pytest.mark.proves("box_iou", "reference", "cpu", "torch")
@pytest.mark.parametrize("dtype", DTYPES)
@given(grid_boxes(), grid_boxes())
def test_integers_give_the_nearest_number_to_the_fraction(dtype, one, other):
    got = box_iou.forward(one.astype(dtype), other.astype(dtype))
    assert_same_bits(got, reference.forward(one.astype(dtype), other.astype(dtype)))
    assert_same_bits(got, box_iou.forward(one.astype(dtype), other.astype(dtype), "cuda"))
    exact = np.array([[float(exact_iou(a, b)) for b in other] for a in one], np.float64).reshape(got.shape)
    np.testing.assert_array_equal(got, exact.astype(dtype))
    intersection, union = (part.numpy() for part in torch_intersection_union(torch.from_numpy(one), torch.from_numpy(other)))
    np.testing.assert_array_equal(got, np.divide(intersection, union, out=np.zeros_like(union), where=union > 0).astype(dtype))


@pytest.mark.proves("box_iou", "reference", "cpu", "bound")
@pytest.mark.parametrize("dtype", DTYPES)
@given(st.integers(0, 2**16), st.sampled_from([0.0, 1e3, 1e7]))
def test_overlaps_stay_within_the_rounding_bound(dtype, seed, offset):
    """Sides, areas and the sum of areas take at most 3, 4 and 2 roundings, and the union is half the sum or more."""
    one, other = scattered_boxes(seed, 5, dtype) + dtype(offset), scattered_boxes(seed + 1, 4, dtype) + dtype(offset)
    got = box_iou.forward(one, other)
    assert_same_bits(got, reference.forward(one, other))
    assert_same_bits(got, box_iou.forward(one, other, "cuda"))
    exact = np.array([[float(exact_iou(a, b)) for b in other] for a in one])
    assert_within(got, exact, (gamma(20, np.float64) + (unit_roundoff(dtype) if dtype == np.float32 else 0)) * exact)


def test_the_order_of_the_sets_does_not_matter():
    one, other = scattered_boxes(0, 9, np.float32), scattered_boxes(1, 7, np.float32)
    assert_same_bits(box_iou.forward(one, other).T, box_iou.forward(other, one))
    np.testing.assert_array_equal(np.diag(box_iou.forward(one, one)), 1)
    assert_same_bits(box_iou.forward(one[:, [1, 0, 3, 2]], other[:, [1, 0, 3, 2]]), box_iou.forward(one, other))


@pytest.mark.proves("box_iou", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
def test_promises(monkeypatch, dtype):
    assert_promises(monkeypatch, box_iou.forward, scattered_boxes(0, 9, dtype), scattered_boxes(1, 21, dtype))


def test_the_compiled_loops_are_the_plain_loops():
    one, other = scattered_boxes(0, 9, np.float32), np.concatenate([scattered_boxes(1, 7, np.float32), OTHER * 0])
    assert_same_bits(box_iou.forward(one, other, algorithm="reference"), reference.forward(one, other))
