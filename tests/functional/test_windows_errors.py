"""What windows, bins, frames and shuffles refuse, and that every error names the public function."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, RawsegError, ShapeError

IMAGE, INDICES = rawseg.zeros(1, 2, 4, 4), np.zeros((1, 2, 4, 4), np.int64)
COLUMNS = rawseg.zeros(1, 8, 9)
ONE: Any = 1


@pytest.mark.spec("fold.size", "max_unpool2d.plain-indices", "max_unpool2d.indices")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.unfold(IMAGE[0, 0], 2), ShapeError, r"unfold: input: expected shape \(N, C, H, W\) or \(C, H, W\), got"),
        (lambda: F.unfold(IMAGE, 5), ShapeError, r"unfold: input: expected a padded height of at least 5"),
        (lambda: F.unfold(rawseg.zeros(1, 0, 4, 4), 2), ShapeError, "unfold: input: expected at least 1 along C"),
        (lambda: F.fold(IMAGE, 4, 2), ShapeError, r"fold: input: expected shape \(N, C \* kH \* kW, L\) or \(C \* kH"),
        (
            lambda: F.fold(COLUMNS, (4, 3), 2),
            ShapeError,
            "fold: input: expected 6 columns, one for each of 3 x 2 windows, got 9",
        ),
        (
            lambda: F.fold(COLUMNS, 4, (3, 1)),
            ShapeError,
            r"fold: input: expected a multiple of 3 rows \(kernel_size \(3, 1\)\)",
        ),
        (lambda: F.fold(COLUMNS, (4, 1), 2), ShapeError, "fold: output_size: expected a padded width of at least 2"),
        (lambda: F.fold(COLUMNS, (4, 0), 2), ArgumentError, "fold: output_size: expected at least 1, got 0"),
        (lambda: F.fold(COLUMNS.astype("int64"), 4, 2), DTypeError, "fold: input: expected float32 or float64, got int64"),
        (lambda: F.adaptive_avg_pool2d(IMAGE, (2, 0)), ArgumentError, "adaptive_avg_pool2d: output_size: expected at least 1"),
        (lambda: F.adaptive_max_pool2d(IMAGE, 2, ONE), ArgumentTypeError, "return_indices: expected a bool, got 1"),
        (lambda: F.max_pool2d(IMAGE, 2, return_indices=ONE), ArgumentTypeError, "return_indices: expected a bool, got 1"),
        (
            lambda: F.max_unpool2d(IMAGE, INDICES[..., 1:], 2),
            ShapeError,
            r"indices: expected shape \(1, 2, 4, 4\), that of input",
        ),
        (lambda: F.max_unpool2d(IMAGE, INDICES, 2, stride=0), ArgumentError, "stride: expected at least 1, got 0"),
        (lambda: F.max_unpool2d(IMAGE, INDICES, 2, padding=-1), ArgumentError, "padding: expected at least 0, got -1"),
        (
            lambda: F.max_unpool2d(IMAGE, INDICES + 64, 2),
            IndexRangeError,
            r"indices: expected 0 <= index < 64, the plane \(8, 8\), got 64 at \(0, 0, 0, 0\)",
        ),
        (
            lambda: F.max_unpool2d(IMAGE, INDICES, 2, output_size=(6, 8)),
            ArgumentError,
            r"output_size: expected between \(7, 7\) and \(9, 9\) \(and at least 1\), got \(6, 8\)",
        ),
        (lambda: F.max_unpool2d(IMAGE, INDICES, 2, output_size=(8, 10)), ArgumentError, "output_size: expected between"),
        (
            lambda: F.max_unpool2d(IMAGE, INDICES, 2, output_size=(1, 3, 8, 8)),
            ArgumentError,
            r"output_size: expected \(N, C\) = \(1, 2\) at the front, got \(1, 3, 8, 8\)",
        ),
        (lambda: F.max_unpool2d(IMAGE, INDICES, 2, output_size=8), ArgumentError, r"expected \(out_h, out_w\) or \(N, C, "),
        (
            lambda: F.max_unpool2d(IMAGE, INDICES, 2, padding=4),
            ShapeError,
            r"padding: expected an output of at least 1 x 1, got \(0, 0\)",
        ),
        (lambda: F.max_unpool2d(IMAGE, INDICES, 2, duplicates="first"), ArgumentError, "duplicates: expected one of"),
        (
            lambda: F.pixel_shuffle(IMAGE, 2),
            ShapeError,
            r"pixel_shuffle: input: expected a multiple of 4 channels \(upscale_factor 2\), got 2 \(shape \(1, 2, 4, 4\)\)",
        ),
        (lambda: F.pixel_shuffle(IMAGE[0, 0], 2), ShapeError, "input: expected at least three axes"),
        (lambda: F.pixel_shuffle(IMAGE, 0), ArgumentError, "upscale_factor: expected at least 1, got 0"),
        (
            lambda: F.pixel_unshuffle(IMAGE, 3),
            ShapeError,
            "pixel_unshuffle: input: expected height and width that are multiples of downscale_factor 3, got 4 and 4",
        ),
        (lambda: F.pixel_unshuffle(IMAGE[:, :, :3], 2), ShapeError, "multiples of downscale_factor 2, got 3 and 4"),
        (lambda: F.pixel_unshuffle(IMAGE[..., :3], 2), ShapeError, "multiples of downscale_factor 2, got 4 and 3"),
        (lambda: F.pixel_unshuffle(IMAGE, 2.0), ArgumentTypeError, "downscale_factor: expected an int, got 2.0"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.spec("all.errors")
@pytest.mark.parametrize(
    ("call", "op", "argument"),
    [
        (lambda: F.conv2d(IMAGE[:, :, :0], rawseg.ones(1, 2, 1, 1)), "conv2d", "input"),
        (lambda: F.conv2d(IMAGE.astype("int64"), rawseg.ones(1, 2, 1, 1)), "conv2d", "input"),
        (lambda: F.conv_transpose2d(IMAGE[:, :0], rawseg.ones(1, 2, 1, 1)), "conv_transpose2d", "input"),
        (lambda: F.max_pool2d(IMAGE[..., :0], 1), "max_pool2d", "input"),
        (lambda: F.max_pool2d(IMAGE, 5), "max_pool2d", "input"),
        (lambda: F.avg_pool2d(IMAGE, (1, 5)), "avg_pool2d", "input"),
        (lambda: F.interpolate(IMAGE[:, :0], 2), "interpolate", "input"),
        (lambda: F.interpolate(IMAGE, 2**40), "interpolate", "size"),
        (lambda: F.pad(IMAGE.astype("bool"), (1, 1), value=2), "pad", "value"),
        (lambda: F.pad(IMAGE, (-5, 0)), "pad", "pad"),
        (lambda: F.linear(IMAGE, rawseg.ones(3, 4).double()), "linear", "weight"),
    ],
)
def test_errors_of_kernels_speak_of_the_public_function(call, op, argument):
    with pytest.raises(RawsegError) as caught:
        call()
    assert (caught.value.op, caught.value.argument) == (op, argument)
    assert str(caught.value).startswith(f"{op}: {argument}: expected ")


def test_a_lack_of_memory_names_the_public_function():
    with pytest.raises(MemoryError, match="interpolate: out: expected at most"):
        F.interpolate(IMAGE, 2**31 - 1)
    with pytest.raises(MemoryError, match="fold: out: expected at most"):
        F.fold(COLUMNS[:, :, :1], 2**30, 2, stride=2**30)


def test_scale_factors_beyond_any_image_are_refused():
    with pytest.raises(ArgumentError, match="scale_factor: expected greater than 0, at most 2147483647"):
        F.interpolate(IMAGE, scale_factor=1e308)


def test_framed_labels_keep_their_dtype():
    ids = rawseg.tensor([[1, 2], [3, 4]])
    framed = F.pad(ids, (1, 1), value=-100)
    assert framed.dtype == np.int64
    assert framed.tolist() == [[-100, 1, 2, -100], [-100, 3, 4, -100]]
    assert F.pad(ids > 1, (0, 1), value=True).tolist() == [[False, True, True], [True, True, True]]
