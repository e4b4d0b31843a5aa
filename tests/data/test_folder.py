"""Pairs of images and masks from folders, and every way in which the folders can be wrong."""

from __future__ import annotations

import numpy as np
import pytest

from rawseg.data import SegmentationFolder, read_image, write_image, write_mask
from rawseg.errors import ArgumentError, ArgumentTypeError, DataError


def fill(root, names=("a",), shape=(3, 5), ids=2):
    """Write an image and a mask for each name; the image's level is the name's place."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(exist_ok=True)
    for place, name in enumerate(names):
        write_image(root / "images" / f"{name}.png", np.full((3, *shape), place, np.uint8))
        write_mask(root / "masks" / f"{name}.png", np.arange(shape[0] * shape[1]).reshape(shape) % ids)
    return root


def test_samples_come_in_natural_order_with_their_own_masks(tmp_path):
    names = ["cell10", "cell2", "cell1", "b", "cell01"]
    dataset = SegmentationFolder(fill(tmp_path, names), classes=["background", "cell"])
    assert dataset.names == ["b", "cell01", "cell1", "cell2", "cell10"]
    assert len(dataset) == 5
    assert dataset.num_classes == 2
    for index, name in enumerate(dataset.names):
        image, mask = dataset[index]
        assert image.shape == (3, 3, 5)
        assert image.dtype == np.float32
        assert mask.dtype == np.int64
        assert (image == np.float32(names.index(name)) / 255).all()
        np.testing.assert_array_equal(mask, np.arange(15).reshape(3, 5) % 2)


def test_folders_of_any_name_other_suffixes_and_hidden_files(tmp_path):
    fill(tmp_path)
    (tmp_path / "images" / ".DS_Store").write_bytes(b"")
    (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "a.PNG")
    dataset = SegmentationFolder(tmp_path / "images", tmp_path / "masks", channels=1)
    assert dataset[0][0].shape == (1, 3, 5)
    assert dataset.num_classes is None
    np.testing.assert_array_equal(dataset[0][0], read_image(tmp_path / "images" / "a.PNG", channels=1))
    with pytest.raises(IndexError):
        dataset[1]


def test_missing_partners_are_listed_on_either_side(tmp_path):
    fill(tmp_path, [f"c{number}" for number in range(12)])
    for number in range(2, 12):
        (tmp_path / "masks" / f"c{number}.png").unlink()
    message = r"masks: expected a mask for every image, of the same name .* got none for c2, c3, .*, c9 and 2 more$"
    with pytest.raises(DataError, match=message):
        SegmentationFolder(tmp_path)
    for number in range(1, 12):
        (tmp_path / "images" / f"c{number}.png").unlink()
    with pytest.raises(DataError, match=r"images: expected an image for every mask, .* got none for c1$"):
        SegmentationFolder(tmp_path)


def test_two_files_of_one_stem_are_refused(tmp_path):
    fill(tmp_path)
    (tmp_path / "images" / "a.tif").write_bytes(b"")
    with pytest.raises(DataError, match=r"images: expected one file for each stem, got a\.png and a\.tif"):
        SegmentationFolder(tmp_path)


def test_what_would_be_lost_in_silence_is_refused(tmp_path):
    fill(tmp_path)
    (tmp_path / "masks" / "b.bmp").write_bytes(b"")
    with pytest.raises(DataError, match=r"masks: expected nothing but \.png, \.jpg, .* files, got b\.bmp"):
        SegmentationFolder(tmp_path)


def test_missing_and_empty_folders_are_refused(tmp_path):
    with pytest.raises(DataError, match="images: expected a folder of image files, got no such folder"):
        SegmentationFolder(tmp_path)
    (tmp_path / "images").mkdir()
    with pytest.raises(DataError, match=r"images: expected \.png, .* files, got none"):
        SegmentationFolder(tmp_path)


@pytest.mark.spec("images.pairs")
def test_a_mask_of_another_size_names_both_files_and_sizes(tmp_path):
    fill(tmp_path)
    write_mask(tmp_path / "masks" / "a.png", np.zeros((5, 3), int))
    message = r"masks.a\.png: expected the size of its image .*images.a\.png, 3 x 5 \(height x width\), got 5 x 3"
    with pytest.raises(DataError, match=message):
        SegmentationFolder(tmp_path)[0]


def test_a_class_id_out_of_range_names_file_id_and_position(tmp_path):
    fill(tmp_path)
    ids = np.zeros((3, 5), int)
    ids[1, 4] = 7
    write_mask(tmp_path / "masks" / "a.png", ids)
    with pytest.raises(DataError, match=r"masks.a\.png: expected class ids 0\.\.2, got 7 at \(1, 4\)$"):
        SegmentationFolder(tmp_path, classes=3)[0]
    assert SegmentationFolder(tmp_path, classes=3, ignore_index=7)[0][1][1, 4] == 7
    assert SegmentationFolder(tmp_path, classes=8)[0][1].max() == 7


def test_a_mask_of_0_and_255_is_recognised(tmp_path):
    fill(tmp_path)
    write_mask(tmp_path / "masks" / "a.png", np.array([[0, 255, 0, 0, 0]] * 3))
    with pytest.raises(DataError, match=r"got 255 at \(0, 1\); it looks like a 0/255 mask: divide it by 255"):
        SegmentationFolder(tmp_path, classes=2)[0]


def test_arguments_are_checked(tmp_path):
    fill(tmp_path)
    with pytest.raises(ArgumentError, match="SegmentationFolder: channels: expected 1, 3 or None, got 2"):
        SegmentationFolder(tmp_path, channels=2)
    with pytest.raises(ArgumentError, match="SegmentationFolder: classes: expected at least 1, got 0"):
        SegmentationFolder(tmp_path, classes=0)
    with pytest.raises(ArgumentTypeError, match="SegmentationFolder: classes: expected an int, got 'cell'"):
        SegmentationFolder(tmp_path, classes="cell")


def test_the_pixel_limit_holds_for_images_and_for_masks(tmp_path):
    fill(tmp_path)
    with pytest.raises(DataError, match=r"^read_image: .*: expected 1 to 14 pixels"):
        SegmentationFolder(tmp_path, max_pixels=14)[0]
    write_mask(tmp_path / "masks" / "a.png", np.zeros((4, 5), int))
    with pytest.raises(DataError, match=r"^read_mask: .*: expected 1 to 15 pixels"):
        SegmentationFolder(tmp_path, max_pixels=15)[0]
