"""Pasting masks: which pixels a box has, and what each of them shows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma
from box_cases import torch_paste
from hypothesis import event, given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg_kernels import _memory, paste_masks
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.paste_masks import direct, reference, tables

DTYPES = [np.float32, np.float64]
MASKS, BOXES = np.ones((2, 1, 2, 2), np.float32), np.array([[1, 1, 3, 4], [0, 0, 2, 2]], np.float32)


def twin(masks, boxes, image_size, padding, dtype=torch.float64):
    """Paste with PyTorch: boxes round in their own dtype, pixels in ``dtype``."""
    pairs = zip(torch.from_numpy(masks[:, 0]).to(dtype), torch.from_numpy(boxes))
    return torch.stack([torch_paste(mask, box, image_size, padding) for mask, box in pairs]).numpy()


@pytest.mark.spec("paste_masks.rule")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_by_hand(algorithm):
    masks = np.array([[[[8.0]]], [[[16.0]]]], np.float32)
    boxes = np.array([[3, 0, 3, 0], [2, 2, 4, 4]], np.float32)
    # A frame of one cell makes 3 x 3 cells of the mask, and the second box three times as wide: 0 to 6, seven pixels, of which
    # six are in the image. Pixel i reads at cell 3/7 (i + 1/2) - 1/2 = (6 i - 4) / 14, the mask being cell 1: shares of it are
    # 0, 1/7, 4/7, 1, 4/7, 1/7, 0. The first box is one pixel that reads the middle cell.
    out = paste_masks.forward(masks, boxes, (4, 6), algorithm=algorithm)
    assert out[0].tolist() == [[0, 0, 0, 8, 0, 0]] + [[0] * 6] * 3
    share = np.array([0, 1 / 7, 4 / 7, 1, 4 / 7, 1 / 7], np.float32)
    assert_within(out[1], 16 * share[:4, None] * share, 8 * 16 * 2.0**-24)  # shares rounded, and four terms of at most 16


@pytest.mark.spec("paste_masks.rule")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_pixels_are_counted_from_the_corners_cut_towards_zero(algorithm):
    out = paste_masks.forward(MASKS[:1], np.array([[-0.9, 0.9, 1.9, 2.0]], np.float32), (4, 4), 0, algorithm)
    assert out[0].tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]  # columns 0 to 1, rows 0 to 2


@pytest.mark.spec("paste_masks.outside")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
@pytest.mark.parametrize("box", [[-9, 1, -5, 3], [9, 1, 12, 3], [1, -9, 3, -6], [1, 9, 3, 12], [-9, -9, 20, -6]])
def test_a_box_outside_leaves_zeros(algorithm, box):
    out = paste_masks.forward(MASKS[:1], np.array([box], np.float32), (4, 5), algorithm=algorithm)
    assert (out.shape, out.any()) == ((1, 4, 5), False)


def test_a_box_far_larger_than_the_image_costs_no_more_than_the_image():
    mask = np.arange(4.0).reshape(1, 1, 2, 2)
    out = paste_masks.forward(mask, np.array([[-1e9, -1e9, 1e9, 1e9]]), (3, 2), 0)
    np.testing.assert_allclose(out[0], 1.5, rtol=1e-8)  # the middle of the mask


def test_no_masks_give_no_images():
    assert paste_masks.forward(MASKS[:0], BOXES[:0], (3, 4)).shape == (0, 3, 4)


ONE, FLAT = np.ones((1, 1, 2, 2)), np.zeros((1, 4))


@pytest.mark.proves("paste_masks", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: paste_masks.forward(None, BOXES, 4), ArgumentTypeError, "paste_masks: masks: expected a NumPy or CuPy array"),
        (lambda: paste_masks.forward(MASKS, None, 4), ArgumentTypeError, "boxes: expected a NumPy or CuPy array, got NoneType"),
        (lambda: paste_masks.forward(MASKS > 0, BOXES, 4), DTypeError, "masks: expected float32 or float64, got bool"),
        (lambda: paste_masks.forward(MASKS, BOXES.astype(float), 4), DTypeError, "boxes: expected float32, the dtype of masks"),
        (
            lambda: paste_masks.forward(MASKS[:, 0], BOXES, 4),
            ShapeError,
            r"masks: expected shape \(K, 1, M, M\), got shape \(2, 2,",
        ),
        (
            lambda: paste_masks.forward(MASKS[..., :1], BOXES, 4),
            ShapeError,
            r"masks: expected .* M at least 1, got shape \(2, 1, 2, 1",
        ),
        (lambda: paste_masks.forward(MASKS[..., :0, :0], BOXES, 4), ShapeError, r"M at least 1, got shape \(2, 1, 0, 0\)"),
        (lambda: paste_masks.forward(np.ones((1, 3, 2, 2)), FLAT, 4), ShapeError, r"M at least 1, got shape \(1, 3, 2, 2\)"),
        (lambda: paste_masks.forward(MASKS, BOXES[:1], 4), ShapeError, r"boxes: expected shape \(2, 4\), got shape \(1, 4\)"),
        (
            lambda: paste_masks.forward(MASKS, BOXES[:, :3], 4),
            ShapeError,
            r"boxes: expected shape \(N, 4\), got shape \(2, 3\)",
        ),
        (
            lambda: paste_masks.forward(ONE, FLAT * np.nan, 4),
            ArgumentError,
            r"boxes: expected finite corners, got nan at \(0, 0\)",
        ),
        (lambda: paste_masks.forward(MASKS, -BOXES, 4), ArgumentError, r"boxes: expected x1 <= x2 and y1 <= y2, got \(-1.0,"),
        (
            lambda: paste_masks.forward(ONE, np.array([[0, 0, 2e9, 1]]), 4),
            ArgumentError,
            r"boxes: expected corners of at most 2147483647 after widening, got \(0.0, 0.0, 2000000000.0, 1.0\) at 0",
        ),
        (lambda: paste_masks.forward(ONE, np.array([[0, -2e9, 1, 0]]), 4), ArgumentError, r"got \(0.0, -2000000000.0, 1.0, 0"),
        (
            lambda: paste_masks.forward(MASKS, np.array([[0, 0, 1, 1], [-3e38, 0, 3e38, 1]], np.float32), 4),
            ArgumentError,
            r"after widening, got \(-3\S+e\+38, 0.0, 3\S+e\+38, 1.0\) at 1",
        ),
        (lambda: paste_masks.forward(MASKS, BOXES, (4, 0)), ArgumentError, "image_size: expected at least 1, got 0"),
        (lambda: paste_masks.forward(MASKS, BOXES, 4.0), ArgumentTypeError, "image_size: expected an int, got 4.0"),
        (lambda: paste_masks.forward(MASKS, BOXES, (1, 2, 3)), ArgumentError, "image_size: expected an int or a pair"),
        (lambda: paste_masks.forward(MASKS, BOXES, 4, -1), ArgumentError, "padding: expected at least 0, got -1"),
        (lambda: paste_masks.forward(MASKS, BOXES, 4, 1.0), ArgumentTypeError, "padding: expected an int, got 1.0"),
        (lambda: paste_masks.forward(MASKS, BOXES, 4, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("size", "padding"), [((4, 5), 0), ((1, 1), 2)], ids=["images", "framed masks"])
def test_what_cannot_fit_is_refused_before_it_is_made(monkeypatch, size, padding):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 159)
    with pytest.raises(MemoryError, match=r"paste_masks: out: expected at most 159 bytes, got (160|288) bytes"):
        paste_masks.forward(MASKS, BOXES, size, padding)


def test_tables_of_a_long_image_must_fit_even_without_masks(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 4000)
    with pytest.raises(MemoryError, match=r"paste_masks: out: .* for shape \(101, 12\)"):
        paste_masks.forward(MASKS[:0], BOXES[:0], (1, 100))


@st.composite
def pastings(draw):
    """Boxes in the image, over its edges, around it and beside it by less than a pixel; with and without an area."""
    size = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    cells, padding, count = draw(st.integers(1, 5)), draw(st.integers(0, 2)), draw(st.integers(1, 3))
    quarter = st.integers(0, 4 * 8)
    rows = []
    for _ in range(count):
        x, y = (draw(st.integers(-8, 4 * edge + 3)) / 4 for edge in size[::-1])  # the centre of a pixel inside, or nearly
        w, h = draw(quarter) / 4, draw(quarter) / 8
        rows.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
    return np.array(rows), cells, padding, size


@pytest.mark.spec("paste_masks.rule")
@pytest.mark.proves("paste_masks", "reference", "cpu", "torch", "bound")
@pytest.mark.parametrize("dtype", DTYPES)
@given(pastings(), st.integers(0, 2**16))
def test_images_equal_loops_and_torch(dtype, case, seed):
    """Each of two weights an axis is rounded once, and so are four products and two sums: ten roundings of values up to 1."""
    boxes, cells, padding, size = case
    boxes, masks = boxes.astype(dtype), np.random.default_rng(seed).random((len(case[0]), 1, cells, cells)).astype(dtype)
    out = paste_masks.forward(masks, boxes, size, padding)
    low, high = tables.widened(boxes, cells, padding)
    framed = np.pad(masks[:, 0], ((0, 0), (padding, padding), (padding, padding)))
    rows, columns = (tables.bilinear(low[:, a], high[:, a], framed.shape[1], size[1 - a], dtype) for a in (1, 0))
    assert_same_bits(out, reference.forward(framed, rows, columns))
    beside = (high[:, 0] < 0) | (high[:, 1] < 0) | (low[:, 0] >= size[1]) | (low[:, 1] >= size[0])
    event("beside the image" if beside.any() else "inside")
    if not beside.all():  # PyTorch has no rule for boxes outside
        want = twin(masks[~beside], boxes[~beside], size, padding)
        # the coordinate, below the number of cells, errs by some roundings of float64; neighbours differ by 1 at most
        assert_within(out[~beside], want, gamma(10, dtype) + gamma(8, np.float64) * framed.shape[1])
    assert not out[beside].any()


@pytest.mark.proves("paste_masks", "torch")
@pytest.mark.parametrize("dtype", DTYPES)
@given(
    st.tuples(st.sampled_from([1, 2, 4, 8]), st.sampled_from([1, 2, 4, 8])),
    st.tuples(st.integers(-5, 5), st.integers(-5, 5)),
    st.integers(0, 2**16),
)
def test_powers_of_two_are_exact(dtype, sides, corner, seed):
    """Masks of 2 x 2 cells and a frame of 1 are 4 x 4 cells: scales of 1/2, 1, 2 and 4 give weights of few bits."""
    low = np.array(corner)
    high = low + np.array(sides) - 1
    centre, half = (low + high) / 2, (high - low) / 4  # the frame doubles the sides
    boxes = np.concatenate([centre - half, centre + half])[None].astype(dtype)
    masks = np.random.default_rng(seed).integers(0, 17, (1, 1, 2, 2)).astype(dtype)
    out = paste_masks.forward(masks, boxes, (6, 7))
    if (high >= 0).all() and (low < (7, 6)).all():
        kind = torch.float32 if dtype == np.float32 else torch.float64
        np.testing.assert_array_equal(out, twin(masks, boxes, (6, 7), 1, kind))
    else:
        assert not out.any()


def test_transposed_boxes_give_transposed_images():
    rng = np.random.default_rng(5)
    masks, boxes = rng.random((3, 1, 5, 5)), np.array([[1, 2, 7, 4.5], [-3, 0, 5, 9], [0.5, 0.25, 0.75, 3]])
    out = paste_masks.forward(masks, boxes, (8, 6))
    turned = paste_masks.forward(masks.swapaxes(2, 3), boxes[:, [1, 0, 3, 2]], (6, 8))
    assert_within(turned.swapaxes(1, 2), out, 2 * gamma(6, np.float64))


def test_nan_stays_in_its_box():
    out = paste_masks.forward(np.full((1, 1, 2, 2), np.nan), np.array([[1.0, 1, 2, 2]]), (4, 5), 0)
    assert np.isnan(out[0, 1:3, 1:3]).all()
    assert np.isnan(out).sum() == 4


@pytest.mark.proves("paste_masks", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
def test_promises(monkeypatch, dtype):
    rng = np.random.default_rng(2)
    low = rng.uniform(-10, 60, (4, 2))
    boxes = np.concatenate([low, low + rng.uniform(0, 150, (4, 2))], 1).astype(dtype)
    masks, size = rng.random((4, 1, 6, 6)).astype(dtype), (2 * direct.BAND + 9, 70)
    assert_promises(monkeypatch, lambda m, b: paste_masks.forward(m, b, size), masks, boxes)


def test_more_rows_than_a_band():
    rng = np.random.default_rng(2)
    masks, boxes = rng.random((1, 1, 7, 7)), np.array([[-4.0, -20, 30, 200]])
    size = 2 * direct.BAND + 9, 20
    out = paste_masks.forward(masks, boxes, size)
    assert_same_bits(out, paste_masks.forward(masks, boxes, size, algorithm="reference"))
    assert_same_bits(out, paste_masks.forward(masks, boxes, size, algorithm="cuda"))
    assert_within(out, twin(masks, boxes, size, 1), gamma(10, np.float64) + gamma(8, np.float64) * 9)


def test_the_compiled_loops_are_the_plain_loops():
    low, high = tables.widened(BOXES, 2, 1)
    framed = np.pad(MASKS[:, 0], ((0, 0), (1, 1), (1, 1)))
    rows, columns = (tables.bilinear(low[:, a], high[:, a], 4, (5, 6)[1 - a], np.float32) for a in (1, 0))
    want = reference.forward(framed, rows, columns)
    assert_same_bits(paste_masks.forward(MASKS, BOXES, (5, 6), algorithm="reference"), want)
