"""Files of every kind that users bring, made here with Pillow or byte by byte."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from rawseg.data import read_image, read_mask, write_image, write_mask
from rawseg.errors import ArgumentError, DataError, DTypeError, ShapeError

RAMP = np.arange(15, dtype=np.uint8).reshape(3, 5) * 17  # 0, 17, ..., 238: height and width differ
IDS = np.arange(15, dtype=np.uint8).reshape(3, 5)
ORIENTATION = 0x0112


def png(path, width, height, depth, colour, rows, chunks=()):
    """Write a PNG byte by byte, for what Pillow cannot write."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [chunk(b"IHDR", header), *(chunk(*each) for each in chunks), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def saved(path, array_or_image, **options):
    image = array_or_image if isinstance(array_or_image, Image.Image) else Image.fromarray(array_or_image)
    image.save(path, **options)
    return path


def palette_image(ids):
    image = Image.fromarray(ids.astype(np.uint8), "L")
    image = Image.frombytes("P", image.size, image.tobytes())
    image.putpalette([value for index in range(256) for value in (255 - index, index // 2, 7)])
    return image


def with_orientation(orientation):
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


# Images


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_8_bit(tmp_path, suffix):
    image = read_image(saved(tmp_path / f"a.{suffix}", RAMP))
    assert image.dtype == np.float32
    assert image.shape == (1, 3, 5)
    np.testing.assert_array_equal(image[0], RAMP.astype(np.float32) / 255)


@pytest.mark.spec("images.modes")
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_16_bit_is_scaled_by_65535(tmp_path, suffix):
    values = np.array([[0, 1, 255], [256, 40000, 65535]], np.uint16)
    image = read_image(saved(tmp_path / f"a.{suffix}", values))
    assert image.shape == (1, 2, 3)
    np.testing.assert_array_equal(image[0], values.astype(np.float32) / 65535)
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}", channels=3), np.repeat(image, 3, axis=0))


def test_big_endian_16_bit_tiff(tmp_path):
    values = np.array([[0, 1], [256, 65535]], np.uint16)
    saved(tmp_path / "a.tif", Image.frombytes("I;16B", (2, 2), values.astype(">u2").tobytes()))
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[0], values.astype(np.float32) / 65535)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), values)


def test_one_bit_is_0_and_1(tmp_path):
    saved(tmp_path / "a.png", Image.fromarray(IDS % 2 == 1))
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "1"
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[0], IDS % 2)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colour_keeps_its_channels_in_order(tmp_path, suffix):
    colours = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)
    image = read_image(saved(tmp_path / f"a.{suffix}", colours))
    np.testing.assert_array_equal(image, colours.transpose(2, 0, 1).astype(np.float32) / 255)
    assert image.flags.c_contiguous


def test_colour_to_grey_is_luma_and_grey_to_colour_repeats(tmp_path):
    saved(tmp_path / "a.png", np.full((2, 2, 3), (255, 0, 0), np.uint8))
    assert read_image(tmp_path / "a.png", channels=1).shape == (1, 2, 2)
    assert abs(float(read_image(tmp_path / "a.png", channels=1)[0, 0, 0]) - 0.299) <= 1 / 255
    saved(tmp_path / "b.png", RAMP)
    np.testing.assert_array_equal(read_image(tmp_path / "b.png", channels=3), np.stack([RAMP / np.float32(255)] * 3))


def test_alpha_is_dropped_not_blended(tmp_path):
    colours = np.stack([RAMP, RAMP, RAMP[::-1], np.full_like(RAMP, 7)], axis=-1)
    image = read_image(saved(tmp_path / "a.png", colours))
    np.testing.assert_array_equal(image, colours[..., :3].transpose(2, 0, 1).astype(np.float32) / 255)
    grey = read_image(saved(tmp_path / "b.png", np.stack([RAMP, 255 - RAMP], axis=-1)))
    np.testing.assert_array_equal(grey, RAMP[None].astype(np.float32) / 255)


@pytest.mark.parametrize("transparency", [None, 3, b"\x00\x80\xff"])
def test_palette_images_show_their_colours(tmp_path, transparency):
    options = {} if transparency is None else {"transparency": transparency}
    image = read_image(saved(tmp_path / "a.png", palette_image(IDS), **options))
    want = np.stack([255 - IDS, IDS // 2, np.full_like(IDS, 7)])
    np.testing.assert_array_equal(image, want.astype(np.float32) / 255)


@pytest.mark.spec("images.modes")
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, RAMP),
        (2, RAMP[:, ::-1]),
        (3, RAMP[::-1, ::-1]),
        (4, RAMP[::-1]),
        (5, RAMP.T),
        (6, np.rot90(RAMP, -1)),  # stored lying on its side: turn it clockwise
        (7, RAMP[::-1, ::-1].T),
        (8, np.rot90(RAMP, 1)),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_exif_orientation_is_applied(tmp_path, suffix, orientation, upright):
    path = saved(tmp_path / f"a.{suffix}", RAMP, exif=with_orientation(orientation))
    np.testing.assert_array_equal(read_image(path)[0], upright.astype(np.float32) / 255)


def test_jpeg_with_orientation_6_is_turned_clockwise(tmp_path):
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:, :16, 0] = 255  # the left half is red
    path = saved(tmp_path / "a.jpg", picture, quality=95, exif=with_orientation(6))
    image = read_image(path)
    assert image.shape == (3, 32, 16)
    assert image[0, :12].min() > 0.9  # now the upper half is
    assert image[:, 20:].max() < 0.1


def test_white_is_zero_is_heeded_for_8_and_for_16_bits(tmp_path):
    for values in (RAMP, RAMP.astype(np.uint16) * 257):
        path = saved(tmp_path / "a.tif", values, tiffinfo={262: 0})
        with Image.open(path) as image:
            assert image.tag_v2[262] == 0  # type: ignore[attr-defined]
        white = np.iinfo(values.dtype).max
        np.testing.assert_array_equal(read_image(path)[0], (white - read_mask(path)).astype(np.float32) / white)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_depths_without_a_known_range_are_refused(tmp_path, mode):
    path = saved(tmp_path / "a.tif", Image.new(mode, (2, 2)))
    with pytest.raises(
        DataError, match=rf"read_image: .*a\.tif: expected 8 bits or unsigned 16-bit grey.* got Pillow mode {mode}"
    ):
        read_image(path)


def test_channels_are_1_or_3(tmp_path):
    with pytest.raises(ArgumentError, match="read_image: channels: expected 1, 3 or None, got 4"):
        read_image(saved(tmp_path / "a.png", RAMP), channels=4)


# Masks: the stored numbers are the ids


@pytest.mark.spec("images.modes")
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_palette_masks_are_read_as_indices(tmp_path, suffix):
    mask = read_mask(saved(tmp_path / f"a.{suffix}", palette_image(IDS)))
    assert mask.dtype == np.int64
    np.testing.assert_array_equal(mask, IDS)


def test_palette_masks_with_transparency_are_read_as_indices(tmp_path):
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "a.png", palette_image(IDS), transparency=2)), IDS)


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("colour", [0, 3])
def test_png_masks_of_every_depth_are_read_as_stored(tmp_path, depth, colour):
    if colour == 3 and depth == 16:
        depth = 8  # there is no 16-bit palette
    ids = np.arange(16).reshape(2, 8) * 4657 % 2**depth
    bits = ((ids[:, :, None] >> np.arange(depth)[::-1]) & 1).astype(np.uint8).reshape(2, -1)
    palette = [(b"PLTE", bytes(range(255, -1, -1)) * 3)] if colour == 3 else []
    path = png(tmp_path / "a.png", 8, 2, depth, colour, [row.tobytes() for row in np.packbits(bits, axis=1)], palette)
    np.testing.assert_array_equal(read_mask(path), ids)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_tiff_masks_of_every_depth_are_read_as_stored(tmp_path, depth, photometric):
    ids = np.arange(16).reshape(2, 8) * 4657 % 2**depth
    if depth == 16:
        pixels = ids.astype("<u2").tobytes()
    else:
        bits = ((ids[:, :, None] >> np.arange(depth)[::-1]) & 1).astype(np.uint8).reshape(2, -1)
        pixels = np.packbits(bits, axis=1).tobytes()
    tags = {256: 8, 257: 2, 258: depth, 259: 1, 262: photometric, 273: 200, 277: 1, 278: 2, 279: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0)
    (tmp_path / "a.tif").write_bytes(head.ljust(200, b"\0") + pixels)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), ids)


def test_compressed_white_is_zero_tiff_masks_are_read_as_stored(tmp_path):
    ids = IDS % 2
    path = saved(tmp_path / "a.tif", Image.fromarray(ids == 1), compression="group4")
    with Image.open(path) as image:
        inverted = image.tag_v2[262] == 0  # type: ignore[attr-defined]
    np.testing.assert_array_equal(read_mask(path), 1 - ids if inverted else ids)


@pytest.mark.spec("images.modes")
def test_16_and_32_bit_masks_keep_large_ids(tmp_path):
    ids = np.array([[0, 300], [65535, 7]])
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "a.png", ids.astype(np.uint16))), ids)
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "a.tif", ids.astype(np.uint16))), ids)
    signed = np.array([[0, -1], [70000, 7]], np.int32)
    np.testing.assert_array_equal(read_mask(saved(tmp_path / "b.tif", signed)), signed)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_colour_masks_are_refused_with_advice(tmp_path, mode):
    path = saved(tmp_path / "a.png", Image.new(mode, (5, 3)))
    with pytest.raises(DataError, match=rf"read_mask: .*a\.png: .*map each colour to its id .*write_mask.* mode {mode}"):
        read_mask(path)


def test_jpeg_masks_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"read_mask: .*a\.jpg: expected a lossless PNG or TIFF .* got a JPEG"):
        read_mask(saved(tmp_path / "a.jpg", IDS))


@pytest.mark.spec("images.modes")
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_an_orientation_on_a_mask_is_refused_but_1_is_not(tmp_path, suffix):
    path = saved(tmp_path / f"a.{suffix}", IDS, exif=with_orientation(6))
    with pytest.raises(DataError, match=rf"read_mask: .*a\.{suffix}: expected no EXIF orientation .* got orientation 6"):
        read_mask(path)
    np.testing.assert_array_equal(read_mask(saved(tmp_path / f"b.{suffix}", IDS, exif=with_orientation(1))), IDS)


# Files that cannot be used

READERS = [read_image, read_mask]


@pytest.mark.parametrize("read", READERS)
def test_missing_files_folders_and_other_things_are_named(tmp_path, read):
    with pytest.raises(DataError, match=r"none\.png: expected a file that can be read, got No such file or directory"):
        read(tmp_path / "none.png")
    with pytest.raises(DataError, match="got Is a directory"):
        read(tmp_path)
    for content in (b"", b"GIF89a....", b"hello, this is no image"):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.png: expected a PNG, JPEG or TIFF file, got a file that begins with b'"):
            read(tmp_path / "a.png")


@pytest.mark.spec("images.pairs")
@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_files_cut_short_anywhere_are_refused(tmp_path, read, suffix):
    if suffix == "jpg" and read is read_mask:
        return
    whole = saved(tmp_path / f"a.{suffix}", np.random.default_rng(0).integers(0, 256, (20, 30)).astype(np.uint8)).read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    for length in [*range(0, len(whole) - 12, 23), len(whole) - 13]:
        cut.write_bytes(whole[:length])
        with pytest.raises(DataError, match=rf"{cut}: [^\n]*$"):
            read(cut)


def test_a_flipped_bit_of_a_png_never_loads_another_mask(tmp_path):
    whole = bytearray(
        saved(tmp_path / "a.png", np.random.default_rng(0).integers(0, 5, (20, 20)).astype(np.uint8)).read_bytes()
    )
    want = read_mask(tmp_path / "a.png")
    refused = 0
    for position in range(len(whole)):
        whole[position] ^= 1 << position % 8
        (tmp_path / "b.png").write_bytes(whole)
        try:
            np.testing.assert_array_equal(read_mask(tmp_path / "b.png"), want)
        except DataError:
            refused += 1
        whole[position] ^= 1 << position % 8
    assert refused > 0.9 * len(whole)


@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_damage_anywhere_ends_in_a_data_error_or_an_image(tmp_path, suffix):
    noise = np.random.default_rng(0)
    whole = bytearray(saved(tmp_path / f"a.{suffix}", noise.integers(0, 256, (8, 9)).astype(np.uint8)).read_bytes())
    for position in range(len(whole)):
        damaged = whole.copy()
        damaged[position] = int(noise.integers(256))
        (tmp_path / "b").write_bytes(damaged)
        with suppress(DataError), warnings.catch_warnings():  # Pillow warns of odd metadata
            warnings.simplefilter("ignore")
            assert read_image(tmp_path / "b", max_pixels=100_000).dtype == np.float32


@pytest.mark.spec("images.limits")
@pytest.mark.parametrize("read", READERS)
def test_bombs_are_refused_from_the_header(tmp_path, read):
    path = png(tmp_path / "a.png", 20_000, 20_000, 8, 0, [])  # claims 400 megapixels in 70 bytes
    with pytest.raises(
        DataError, match=rf"^{read.__name__}: {path}: expected 1 to 89478485 pixels \(argument max_pixels\), got 20000 x 20000"
    ):
        read(path)
    saved(tmp_path / "b.png", IDS)
    with pytest.raises(DataError, match=r"expected 1 to 14 pixels .* got 5 x 3"):
        read(tmp_path / "b.png", max_pixels=14)
    assert read(tmp_path / "b.png", max_pixels=15).shape[-2:] == (3, 5)


@pytest.mark.parametrize("read", READERS)
def test_no_limit_of_pillow_stands_beside_ours(tmp_path, read, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    assert read(saved(tmp_path / "a.png", IDS)).shape[-2:] == (3, 5)


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_files_of_several_pages_are_refused(tmp_path, read, suffix):
    pages = [Image.fromarray(IDS), Image.fromarray(RAMP)]
    pages[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=pages[1:])
    with pytest.raises(DataError, match="expected one page; save each page as a file of its own, got 2 pages"):
        read(tmp_path / f"a.{suffix}")


# Writing


@given(hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 65535)))
def test_masks_come_back_as_they_were_written(tmp_path_factory, mask):
    path = tmp_path_factory.mktemp("masks") / "a.png"
    write_mask(path, mask)
    np.testing.assert_array_equal(read_mask(path), mask)
    assert os.listdir(path.parent) == ["a.png"]


@pytest.mark.parametrize(("high", "mode"), [(255, "L"), (256, "I;16")])
def test_masks_are_plain_grey_of_the_depth_that_they_need(tmp_path, high, mode):
    write_mask(tmp_path / "a.png", np.array([[0, high]]))
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == mode
        assert image.size == (2, 1)


@pytest.mark.parametrize("channels", [1, 3])
def test_images_come_back_rounded_to_256_levels(tmp_path, channels):
    image = np.random.default_rng(0).random((channels, 4, 7), np.float32)
    before = image.copy()
    write_image(tmp_path / "a.png", image)
    levels = np.rint(image * 255).astype(np.uint8)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), levels.astype(np.float32) / 255)
    write_image(tmp_path / "b.png", levels)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    np.testing.assert_array_equal(image, before)


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ShapeError, match=r"write_mask: mask: expected shape \(H, W\), not empty, got shape \(1, 2, 2\)"):
        write_mask(tmp_path / "a.png", np.zeros((1, 2, 2), int))
    with pytest.raises(DTypeError, match="write_mask: mask: expected integer class ids, got float64"):
        write_mask(tmp_path / "a.png", np.zeros((2, 2)))
    for bad in (-1, 65536):
        with pytest.raises(DataError, match=rf"write_mask: .*a\.png: expected ids from 0 to 65535, got {bad}"):
            write_mask(tmp_path / "a.png", np.array([[3, bad]]))
    with pytest.raises(ShapeError, match=r"write_image: image: expected shape \(1 or 3, H, W\), not empty, got shape \(2, 2\)"):
        write_image(tmp_path / "a.png", np.zeros((2, 2)))
    with pytest.raises(DTypeError, match=r"write_image: image: expected floats in \[0, 1\] or uint8, got int64"):
        write_image(tmp_path / "a.png", np.zeros((1, 2, 2), np.int64))
    for bad in (-0.1, 1.1, np.nan):
        with pytest.raises(DataError, match=r"write_image: .*a\.png: expected values in \[0, 1\]"):
            write_image(tmp_path / "a.png", np.array([[[0.5, bad]]]))
    with pytest.raises(DataError, match=r"write_mask: .*a\.jpg: expected a name that ends with \.png, got \.jpg"):
        write_mask(tmp_path / "a.jpg", IDS)
    with pytest.raises(DataError, match=r"write: .*none.a\.png: expected a file that can be written, got ENOENT"):
        write_mask(tmp_path / "none" / "a.png", IDS)
    assert os.listdir(tmp_path) == []


def test_an_old_file_survives_a_failed_write(tmp_path, monkeypatch):
    write_mask(tmp_path / "a.png", IDS)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", lambda *names: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(DataError, match="ENOSPC: No space left on device"):
            write_mask(tmp_path / "a.png", IDS + 1)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), IDS)


def test_a_path_may_be_a_string(tmp_path):
    write_mask(str(tmp_path / "a.png"), IDS)
    np.testing.assert_array_equal(read_mask(str(tmp_path / "a.png")), IDS)
