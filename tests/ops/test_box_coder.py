"""Box codes: by hand, back to where they came from, as PyTorch, and at the clamp."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bounds import assert_within, gamma
from box_cases import torch_decode, torch_encode
from hypothesis import given
from hypothesis import strategies as st
from twins import DTYPES, SEEDS, numbers, ours, torchs

import rawseg
from rawseg import ops
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg.testing.strategies.boxes import scattered_boxes

HEADS = (10.0, 10.0, 5.0, 5.0)
UNEQUAL = (1.0, 2.0, 0.5, 4.0)
BOX, FROM = np.array([[2.0, 3, 6, 11]]), np.array([[0.0, 1, 2, 5]])


@pytest.mark.spec("box_coder.coding")
def test_by_hand():
    coder = ops.BoxCoder(UNEQUAL)
    # centres (4, 7) and (1, 3), sides 4 x 8 and 2 x 4
    codes = coder.encode_single(BOX, FROM)
    np.testing.assert_array_equal(codes.numpy(), [[1 * 3 / 2, 2 * 4 / 4, 0.5 * math.log(2), 4 * math.log(2)]])
    assert_within(coder.decode_single(codes, FROM).numpy(), BOX, 11 * gamma(8, np.float64))


@pytest.mark.spec("box_coder.coding")
def test_scalings_are_held_at_the_clamp():
    codes = rawseg.tensor([[0, 0, 100.0, -1000.0], [0, 0, 5 * math.log(1000 / 16), 2.0]], dtype="float64", requires_grad=True)
    out = ops.BoxCoder(HEADS).decode_single(codes, np.array([[0.0, 0, 16, 8]] * 2))
    assert_within(out.detach().numpy()[0], np.array([-492, 4, 508, 4]), 1e-12)  # 1000 wide, and next to no height
    out[:, 2].sum().backward()
    assert codes.grad[0, 2].item() == 0
    assert codes.grad[1, 2].item() > 0  # at the clamp itself
    assert ops.BoxCoder(HEADS, 0.0).decode_single(codes.detach(), FROM.repeat(2, 0)).numpy()[0, ::2].tolist() == [0, 2]


def test_images_are_split_and_joined():
    coder = ops.BoxCoder(HEADS)
    boxes, froms = scattered_boxes(0, 5, np.float32), scattered_boxes(1, 5, np.float32)
    codes = coder.encode([boxes[:2], boxes[2:2], boxes[2:]], [froms[:2], froms[2:2], froms[2:]])
    assert [image.shape for image in codes] == [(2, 4), (0, 4), (3, 4)]
    joined = rawseg.cat(codes)
    np.testing.assert_array_equal(joined.numpy(), coder.encode_single(boxes, froms).numpy())
    two_classes = rawseg.cat([joined, joined], 1)
    decoded = coder.decode(two_classes, [froms[:2], froms[2:]])
    assert decoded.shape == (5, 2, 4)
    np.testing.assert_array_equal(decoded[:, 1].numpy(), coder.decode_single(joined, froms).numpy())
    np.testing.assert_array_equal(coder.decode(two_classes.reshape(-1, 4), [froms]).numpy(), decoded.numpy())
    assert coder.decode(np.zeros((0, 12), np.float32), [froms[:0], froms[:0]]).shape == (0, 3, 4)


@pytest.mark.spec("box_coder.coding")
@pytest.mark.proves("BoxCoder", "torch", "first order", "bound")
@given(st.sampled_from([HEADS, UNEQUAL, (1.0,) * 4]), DTYPES, SEEDS)
def test_codes_as_torch(weights, dtype, seed):
    """Sides are 1 to 4 and corners below 12, so that no sum has more than 20 terms of 12**2 times a weight and a gradient."""
    arrays, g = [scattered_boxes(seed, 4, dtype), scattered_boxes(seed + 1, 4, dtype)], numbers(seed, 4, 4, dtype=dtype)
    out, gradients = ours(ops.BoxCoder(weights).encode_single, arrays, g)
    want, oracles = torchs(lambda b, f: torch_encode(b, f, weights), arrays, g)
    bound = gamma(20, dtype) * 144 * max(weights)
    assert_within(out, want, bound, "codes")
    for one, other in zip(gradients, oracles):
        assert_within(one, other, bound * abs(g).max(), "gradient")


@pytest.mark.proves("BoxCoder", "torch", "first order", "bound")
@given(st.sampled_from([HEADS, UNEQUAL]), st.integers(0, 3), st.integers(1, 2), DTYPES, SEEDS)
def test_boxes_as_torch(weights, count, classes, dtype, seed):
    """Codes are within 5 weights: scalings are below 63, and sums have at most 20 terms of 63 times 12, or a weight's part."""
    froms, codes = scattered_boxes(seed, count, dtype), numbers(seed + 1, count, 4 * classes, dtype=dtype)
    codes = np.clip(codes, -5, 5) * np.tile(weights, classes).astype(dtype)
    g = numbers(seed, count, 4 * classes, dtype=dtype)
    out, gradients = ours(ops.BoxCoder(weights).decode_single, [codes, froms], g)
    want, oracles = torchs(lambda c, f: torch_decode(c, f, weights), [codes, froms], g)
    bound = gamma(20, dtype) * 63 * 12
    assert_within(out, want, bound, "boxes")
    for one, other in zip(gradients, oracles):
        assert_within(one, other, 2 * bound / min(weights) * abs(g).max(initial=0), "gradient")


@given(SEEDS)
def test_there_and_back(seed):
    coder, boxes, froms = ops.BoxCoder(HEADS), *(scattered_boxes(s, 5, np.float64) for s in (seed, seed + 1))
    assert_within(coder.decode_single(coder.encode_single(boxes, froms), froms).numpy(), boxes, 12 * gamma(30, np.float64))


CODER = ops.BoxCoder(HEADS)
FLAT = np.array([[1.0, 1, 1, 3]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ops.BoxCoder((1, 1, 1)), ArgumentError, r"BoxCoder: weights: expected four numbers .*, got \(1, 1, 1\)"),
        (lambda: ops.BoxCoder((1, 1, 1, 0)), ArgumentError, "BoxCoder: weights: expected numbers greater than 0"),
        (lambda: ops.BoxCoder((1, 1, 1, None)), ArgumentTypeError, "BoxCoder: weights: expected a real number, got None"),
        (lambda: ops.BoxCoder(HEADS, math.nan), ArgumentError, "bbox_xform_clip: expected a finite number, got nan"),
        (lambda: CODER.encode_single(FLAT, BOX), ArgumentError, "BoxCoder: reference_boxes: expected x1 < x2 and y1 < y2, got"),
        (lambda: CODER.encode_single(BOX, FLAT), ArgumentError, r"proposals: expected x1 < x2 and y1 < y2, got \(1.0, .* at 0"),
        (
            lambda: CODER.encode_single(BOX, BOX * np.nan),
            ArgumentError,
            r"proposals: expected finite corners, got nan at \(0, 0\)",
        ),
        (
            lambda: CODER.encode_single(BOX, BOX.repeat(2, 0)),
            ShapeError,
            r"proposals: expected shape \(1, 4\), got shape \(2, 4\)",
        ),
        (lambda: CODER.encode_single(BOX, BOX.astype(np.float32)), DTypeError, "proposals: expected float64, the dtype of"),
        (lambda: CODER.encode([BOX], [BOX, BOX]), ArgumentError, "proposals: expected 1 images, as reference_boxes, got 2"),
        (
            lambda: CODER.encode(BOX, [BOX]),
            ArgumentTypeError,
            "reference_boxes: expected a list with a Tensor of boxes for each",
        ),
        (lambda: CODER.decode(BOX, []), ArgumentError, "BoxCoder: boxes: expected at least one image, got none"),
        (lambda: CODER.decode(BOX[:, :3], [BOX]), ShapeError, r"rel_codes: expected 4 numbers or more .* got shape \(1, 3\)"),
        (lambda: CODER.decode_single(BOX[0], BOX), ShapeError, r"rel_codes: expected shape \(1, 4 C\), got shape \(4,\)"),
        (lambda: CODER.decode_single(BOX[:, :3], BOX), ShapeError, r"rel_codes: expected shape \(1, 4 C\), got shape \(1, 3\)"),
        (lambda: CODER.decode_single(BOX, BOX[:0]), ShapeError, r"rel_codes: expected shape \(0, 4 C\), got shape \(1, 4\)"),
        (
            lambda: CODER.decode_single(BOX, BOX.astype(np.float32)),
            DTypeError,
            "boxes: expected float64, the dtype of rel_codes",
        ),
        (lambda: CODER.decode_single(BOX, -BOX), ArgumentError, "boxes: expected x1 <= x2 and y1 <= y2"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()
