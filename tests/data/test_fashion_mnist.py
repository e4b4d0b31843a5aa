"""Files in the IDX format: read as they are written, and refused when they are not."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from idx_files import write_idx, write_set

from rawseg import data
from rawseg.data.arrays import Images
from rawseg.errors import DataError, DTypeError, IndexRangeError, ShapeError


def test_a_set_is_read_as_it_is_written(tmp_path):
    write_set(tmp_path)
    train, test = data.fashion_mnist(tmp_path)
    assert (len(train), len(test)) == (12, 4)
    image, label = train[11]
    assert (image.shape, image.dtype, label.item(), label.dtype) == ((1, 28, 28), np.float32, 1, np.int64)
    assert np.array_equal(image[0], train.images[11, 0].astype(np.float32) / np.float32(255))
    images, labels = next(iter(data.Loader(train, 5, shuffle=False)))
    assert (images.shape, labels.tolist()) == ((5, 1, 28, 28), [0, 1, 2, 3, 4])


def test_a_missing_set_says_where_to_get_it(tmp_path):
    message = r"fashion_mnist: data: expected apt-get install dataset-fashion-mnist, or a folder .*, got no .*train-images"
    with pytest.raises(DataError, match=message):
        data.fashion_mnist(tmp_path)


ARRAY = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": 9}, r"expected an IDX file of bytes with 1 to 4 axes, got \(0, 9, 3\)"),
        ({"shape": (1, 1, 1, 1, 24)}, r"1 to 4 axes, got \(0, 8, 5\)"),
        ({"shape": (2**31, 2**31, 2**31)}, r"expected at most 1073741824 elements"),  # and nothing of that size is read
        ({"cut": 30}, r"expected 24 elements for shape \(2, 3, 4\), got 14"),
        ({"cut": 6}, "expected a gzip-compressed IDX file"),
        ({"cut": 2}, "expected a gzip-compressed IDX file"),
        ({"more": b"x"}, r"expected 24 elements for shape \(2, 3, 4\), got more"),
    ],
)
def test_damaged_files(options, message, tmp_path):
    write_idx(tmp_path / "file.gz", ARRAY, **options)
    with pytest.raises(DataError, match=message):
        data.read_idx(tmp_path / "file.gz")


def test_files_of_another_kind(tmp_path):
    for content in (b"", b"no gzip at all", gzip.compress(b"x" * 100)[:-30]):
        (tmp_path / "file.gz").write_bytes(content)
        with pytest.raises(DataError, match=r"read_idx: .*file\.gz: expected"):
            data.read_idx(tmp_path / "file.gz")


def test_sets_that_do_not_fit_together(tmp_path):
    write_set(tmp_path, labels=[1, 2, 3])
    with pytest.raises(
        DataError, match=r"expected as many images of shape \(H, W\) as labels, got shapes \(12, 28, 28\) and \(3,\)"
    ):
        data.fashion_mnist(tmp_path)
    write_set(tmp_path, images=4, labels=[1, 2, 3, 10])
    with pytest.raises(DataError, match=r"train labels: expected class ids 0..9, got 10 at \(3,\)"):
        data.fashion_mnist(tmp_path)


def test_images_that_are_their_own_targets():
    pictures = np.random.default_rng(0).random((3, 2, 4, 5)).astype(np.float32)
    image, target = Images(pictures)[2]
    assert target is image
    for images, targets in data.Loader(Images(pictures), 2, shuffle=False):
        assert np.array_equal(images, targets)
    assert Images(pictures, np.zeros((3, 4, 5), np.int64))[0][1].shape == (4, 5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Images(np.zeros((3, 4), np.float32)), ShapeError, r"Images: images: expected shape \(N, C, H, W\) or"),
        (lambda: Images(np.zeros((3, 4, 4))), DTypeError, "Images: images: expected float32 or uint8, got float64"),
        (
            lambda: Images(np.zeros((3, 4, 4), np.uint8), np.zeros(3)),
            DTypeError,
            "Images: targets: expected int64, got float64",
        ),
        (
            lambda: Images(np.zeros((3, 4, 4), np.uint8), np.zeros(2, np.int64)),
            ShapeError,
            r"Images: targets: expected shape \(3,\) or \(3, 4, 4\), got shape \(2,\)",
        ),
        (lambda: Images(np.zeros((3, 4, 4), np.uint8))[3], IndexRangeError, r"Images: index: expected 0..2, got 3"),
    ],
)
def test_images_refuse(make, error, message):
    with pytest.raises(error, match=message):
        make()
