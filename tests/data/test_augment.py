"""Augmentations: exact cases by hand, and for any draw that image and mask stay together and no class id is invented."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from rawseg.data import Brightness, Compose, Contrast, ElasticDeform, Flip, Rotate, Rotate90, ScaleCrop
from rawseg.data.augment import resample
from rawseg.errors import ArgumentError, ArgumentTypeError

IMAGE = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5) / 32
MASK = np.arange(15).reshape(3, 5)

WARPS = [
    Flip(True, True),
    Rotate90(),
    Rotate(180),
    ScaleCrop((11, 6), (0.5, 2.0)),
    ElasticDeform(4.0),
    ElasticDeform(3.0, grid=5),
    Compose([ScaleCrop((12, 10), (0.7, 1.4)), ElasticDeform(2.0), Rotate(30), Flip(), Rotate90()]),
]
ALL = [*WARPS, Brightness(0.5), Contrast(0.9)]
SIZES = st.tuples(st.integers(1, 14), st.integers(1, 14))


class Chosen:
    """A generator whose draws are chosen."""

    def __init__(self, *values):
        self.values = list(values)

    def _next(self, *args, **options):
        return self.values.pop(0)

    random = integers = uniform = normal = _next


def drawn(*values) -> Any:
    return Chosen(*values)


def rng(seed):
    return np.random.default_rng(seed)


# By hand


@pytest.mark.parametrize(
    ("draws", "rows", "columns"), [((0.1, 0.9), 1, -1), ((0.9, 0.1), -1, 1), ((0.1, 0.1), -1, -1), ((0.5, 0.5), 1, 1)]
)
def test_flip(draws, rows, columns):
    image, mask = Flip(True, True)(IMAGE, MASK, drawn(np.array(draws)))
    np.testing.assert_array_equal(image, IMAGE[:, ::rows, ::columns])
    np.testing.assert_array_equal(mask, MASK[::rows, ::columns])


def test_flip_leaves_an_axis_alone_that_was_not_asked_for():
    np.testing.assert_array_equal(Flip(True, False)(IMAGE, MASK, drawn(np.zeros(2)))[1], MASK[:, ::-1])
    np.testing.assert_array_equal(Flip(False, True)(IMAGE, MASK, drawn(np.zeros(2)))[1], MASK[::-1])


def test_flip_and_rotate90_take_every_value_about_equally_often():
    counts = [0] * 4
    turns = [0] * 4
    for seed in range(400):
        flipped = Flip(True, True)(IMAGE, MASK, rng(seed))[1]
        counts[[0, 4, 10, 14].index(int(flipped[0, 0]))] += 1
        turns[[0, 4, 14, 10].index(int(Rotate90()(IMAGE, MASK, rng(seed))[1][0, 0]))] += 1
    assert min(counts + turns) > 60  # the chance that a fair draw of 400 fails here is below 1e-5


@pytest.mark.parametrize("quarters", range(4))
def test_rotate90_and_rotate_by_quarters_agree(quarters):
    image, mask = Rotate90()(IMAGE, MASK, drawn(quarters))
    np.testing.assert_array_equal(mask, np.rot90(MASK, quarters))
    np.testing.assert_array_equal(image[1], np.rot90(IMAGE[1], quarters))
    square, ids = IMAGE[:, :, 1:4], MASK[:, 1:4]
    image, mask = Rotate(360)(square, ids, drawn(90 * quarters))
    np.testing.assert_array_equal(mask, np.rot90(ids, quarters))
    # The sine of pi is off by 1.3e-16, so that places are off by less than 1e-15 pixels and levels by less than 1e-15.
    np.testing.assert_allclose(image, np.rot90(square, quarters, axes=(1, 2)), rtol=0, atol=1e-7)


def test_rotation_by_0_and_elastic_deformation_by_0_and_a_crop_at_scale_1_are_exact():
    for transform in (Rotate(0), ElasticDeform(0.0), ScaleCrop((3, 5)), Brightness(0)):
        image, mask = transform(IMAGE, MASK, rng(0))
        np.testing.assert_array_equal(image, IMAGE)
        np.testing.assert_array_equal(mask, MASK)
        assert image.dtype == np.float32
        assert mask.dtype == np.int64


def test_positive_angles_turn_counter_clockwise():
    mask = np.zeros((5, 5), int)
    mask[2, 4] = 1  # right of the centre; a turn by 30 degrees takes it to row 1 or 3, column 3.73
    for angle, row in ((30.0, 1), (-30.0, 3)):
        turned = Rotate(90)(mask[None].astype(np.float32), mask, drawn(angle))[1]
        assert turned[row, 4] == 1
        assert turned[4 - row, 4] == 0


def test_a_crop_at_scale_1_is_a_window_and_every_window_comes():
    seen = set()
    for seed in range(300):
        image, mask = ScaleCrop((2, 3))(IMAGE, MASK, rng(seed))
        top, left = divmod(int(mask[0, 0]), 5)
        np.testing.assert_array_equal(mask, MASK[top : top + 2, left : left + 3])
        np.testing.assert_array_equal(image, IMAGE[:, top : top + 2, left : left + 3])
        seen.add((top, left))
    assert seen == {(top, left) for top in range(2) for left in range(3)}


def test_a_window_larger_than_the_image_is_filled_by_mirroring():
    image, mask = ScaleCrop((3, 9))(IMAGE, MASK, drawn(1.0, 0, -2))  # scale, offset down, offset right
    np.testing.assert_array_equal(mask, np.pad(MASK, ((0, 0), (2, 2)), mode="reflect"))
    np.testing.assert_array_equal(image, np.pad(IMAGE, ((0, 0), (0, 0), (2, 2)), mode="reflect"))


def test_scale_2_doubles_pixels_and_interpolates_between_their_centres():
    image, mask = ScaleCrop((6, 10))(IMAGE, MASK, drawn(2.0, 0, 0))
    np.testing.assert_array_equal(mask, MASK.repeat(2, axis=0).repeat(2, axis=1))
    # Centres of output columns 1 and 2 lie 1/4 and 3/4 of the way from input column 0 to 1; levels are multiples of 1/32.
    np.testing.assert_array_equal(image[0, 1, 1:3] - image[0, 1, 1], np.array([0, 0.5 / 32], np.float32))


def test_elastic_displacements_are_as_drawn_at_the_grid_and_bicubic_between():
    ramp = np.stack(np.meshgrid(np.arange(9), np.arange(13), indexing="ij")).astype(np.float32)  # rows, columns
    middle = rng(0).normal(0, 0.3, (2, 3, 3))  # so small that nothing is mirrored but at the border
    image, _ = ElasticDeform()(ramp, np.zeros((9, 13), int), drawn(middle))
    for axis in range(2):  # the centre of the grid is the pixel (4, 6)
        assert abs(image[axis, 4, 6] - (4, 6)[axis] - middle[axis, 1, 1]) < 2**-20  # float32 levels below 8
        down = np.linspace(0, 2, 9)[2:7]
        right = np.linspace(0, 2, 13)[3:10]
        want = map_coordinates(middle[axis], np.meshgrid(down, right, indexing="ij"), order=3, mode="mirror")
        np.testing.assert_allclose(image[axis, 2:7, 3:10] - ramp[axis, 2:7, 3:10], want, rtol=0, atol=2**-19)


def test_elastic_displacements_have_the_asked_spread():
    seen = []

    class Spy:
        def normal(self, mean, sigma, shape):
            seen.append((mean, sigma, shape))
            return np.zeros(shape)

    spy: Any = Spy()
    ElasticDeform(7.0, grid=4)(IMAGE, MASK, spy)
    assert seen == [(0, 7.0, (2, 4, 4))]
    assert (ElasticDeform().sigma, ElasticDeform().grid) == (10.0, 3)  # the paper's


def test_brightness_and_contrast():
    image = np.array([[[0.25, 0.5, 0.75]]], np.float32)
    mask = np.zeros((1, 3), int)
    np.testing.assert_array_equal(Brightness(1)(image, mask, drawn(0.375))[0], [[[0.625, 0.875, 1.0]]])
    np.testing.assert_array_equal(Brightness(1)(image, mask, drawn(-0.5))[0], [[[0.0, 0.0, 0.25]]])
    np.testing.assert_array_equal(Contrast(1)(image, mask, drawn(0.5))[0], [[[0.375, 0.5, 0.625]]])
    np.testing.assert_array_equal(Contrast(1)(image, mask, drawn(4.0))[0], [[[0.0, 0.5, 1.0]]])
    assert Contrast(1)(image, mask, drawn(0.5))[1] is mask


def test_compose_goes_in_order_with_one_stream():
    _, mask = Compose([Rotate90(), Flip(True, False)])(IMAGE, MASK, drawn(1, np.zeros(2)))
    np.testing.assert_array_equal(mask, np.rot90(MASK)[:, ::-1])
    stream = rng(5)
    want = ElasticDeform(1.0)(*Rotate(9)(IMAGE, MASK, stream), stream)
    got = Compose([Rotate(9), ElasticDeform(1.0)])(IMAGE, MASK, rng(5))
    np.testing.assert_array_equal(got[0], want[0])


# For any draw


@given(st.sampled_from(ALL), SIZES, st.integers(0, 2**32))
def test_ids_are_never_invented_and_inputs_never_changed(transform, size, seed):
    stream = rng(seed)
    mask = stream.choice([-100, 0, 3, 255, 2**40], size)
    image = stream.random((2, *size), np.float32)
    before = image.copy(), mask.copy()
    out_image, out_mask = transform(image, mask, stream)
    assert set(np.unique(out_mask)) <= set(np.unique(mask))
    assert out_mask.dtype == np.int64
    assert out_image.dtype == np.float32
    assert out_image.shape == (2, *out_mask.shape)
    assert 0 <= out_image.min() <= out_image.max() <= 1
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(mask, before[1])


@given(st.sampled_from(WARPS[:-1]), SIZES, st.integers(0, 2**32))
def test_the_mask_shows_the_pixel_nearest_to_where_the_image_was_read(transform, size, seed):
    """An image of row and column numbers, bilinearly read, tells the place itself; the mask must hold its nearest pixel."""
    rows, columns = np.meshgrid(np.arange(size[0]), np.arange(size[1]), indexing="ij")
    image = np.stack([rows, columns]).astype(np.float32)
    mask = rows * 100 + columns
    image, mask = transform(image, mask, rng(seed))
    for read, nearest in zip(image, (mask // 100, mask % 100)):
        assert np.abs(read - nearest).max() <= 0.5 + 2**-19  # numbers below 16 in float32 are rounded by at most 2**-20


@given(st.sampled_from(ALL), SIZES, st.integers(0, 2**32))
def test_an_image_that_is_its_mask_stays_so(transform, size, seed):
    mask = rng(seed).integers(0, 2, size)
    image, warped = transform(mask[None].astype(np.float32), mask, rng(seed + 1))
    if transform in WARPS[:-1]:
        # The nearest of four pixels weighs at least 1/4.
        assert np.abs(image[0] - warped).max() <= 0.75 + 2**-20
    again = transform(mask[None].astype(np.float32), mask, rng(seed + 1))
    np.testing.assert_array_equal(image, again[0])  # the stream alone decides
    np.testing.assert_array_equal(warped, again[1])


def test_resample_reads_bilinearly_and_mirrors():
    image = np.array([[[0.0, 1.0, 4.0], [2.0, 3.0, 8.0]]], np.float32)
    mask = np.array([[1, 2, 3], [4, 5, 6]])
    rows, columns = np.array([[0.5], [-0.25]]), np.array([[0.25, 2.0, 2.75]])
    got_image, got_mask = resample(image, mask, rows, columns)
    # Row 0.5: columns average to 1, 2, 6; row -0.25 is row 0.25: 0.5, 1.5, 5. Column 2.75 is column 1.25.
    np.testing.assert_array_equal(got_image, [[[1.25, 6.0, 3.0], [0.75, 5.0, 2.375]]])
    assert got_mask[1].tolist() == [1, 3, 2]


def test_arguments_are_checked():
    for bad in (-1, float("nan"), float("inf")):
        with pytest.raises(ArgumentError, match="Rotate: degrees: expected a finite number of at least 0, got"):
            Rotate(bad)
    with pytest.raises(ArgumentError, match="ElasticDeform: sigma: expected a finite number"):
        ElasticDeform(-1)
    with pytest.raises(ArgumentError, match="ElasticDeform: grid: expected at least 2, got 1"):
        ElasticDeform(grid=1)
    with pytest.raises(ArgumentTypeError, match=r"ElasticDeform: grid: expected an int, got 2\.5"):
        ElasticDeform(grid=2.5)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"Brightness: amount: expected a finite number of at least 0, got -0\.1"):
        Brightness(-0.1)
    with pytest.raises(
        ArgumentError, match=r"Contrast: amount: expected a finite number of at least 0 and at most 1, got 1\.5"
    ):
        Contrast(1.5)
    for bad in ((0.0, 1.0), (2.0, 1.0), (1.0, float("inf")), (1.0, float("nan")), (1.0,)):
        with pytest.raises(ArgumentError, match=r"ScaleCrop: scale: expected a range \(low, high\) of positive numbers"):
            ScaleCrop(4, bad)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="ScaleCrop: size: expected at least 1, got 0"):
        ScaleCrop(0)
