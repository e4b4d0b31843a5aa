"""Drawn masks on real faces: exact outlines, the same for the same numbers, no face in two sets."""

from __future__ import annotations

import numpy as np
import pytest

from rawseg import data
from rawseg.data import faces
from rawseg.errors import ArgumentError, DataError, IndexRangeError


def test_no_face_is_in_two_sets():
    train, validation, test = data.masked_faces(90, 32)
    assert [part.faces for part in (train, validation, test)] == [70, 10, 20]
    assert [len(part) for part in (train, validation, test)] == [90, 30, 60]
    pictures = np.concatenate([part.pictures[: part.faces] for part in (train, validation, test)])
    assert len(np.unique(pictures.reshape(100, -1), axis=0)) == 100
    others = train.pictures[70:]
    assert len(others) == 100
    assert not (others[:, None] == pictures[None]).all((2, 3)).any()


def test_samples_are_images_with_masks_and_follow_from_their_numbers():
    train, validation, _ = data.masked_faces(40, 48)
    for dataset in (train, validation):
        for index in range(20):
            image, mask = dataset[index]
            assert (image.shape, image.dtype, mask.shape, mask.dtype) == ((1, 48, 48), np.float32, (48, 48), np.int64)
            assert image.min() >= 0
            assert image.max() <= 1
            again = dataset[index]
            assert np.array_equal(image, again[0])
            assert np.array_equal(mask, again[1])
    worn = [validation[i][1].mean() for i in range(30)]
    assert min(worn) > 0.08  # every held-out face wears one, of a sensible size
    assert max(worn) < 0.45
    bare = [not train[i][1].any() for i in range(40)]
    assert 3 < sum(bare) < 25  # bare faces and other pictures


def test_the_mask_is_where_the_picture_was_changed():
    _, _, test = data.masked_faces(1, 64)
    image, mask = test.pictures[3], None
    rng = np.random.default_rng(5)
    drawn, mask = faces._dressed(image, rng)
    assert np.abs(drawn - image)[mask == 1].mean() > 0.05
    assert np.array_equal((drawn - image)[:20], np.zeros((20, 80)))  # the forehead
    rows, columns = np.nonzero(mask)
    assert 30 < rows.min() < 50  # from the bridge of the nose
    assert rows.max() > 60  # to the chin
    assert abs(columns.mean() - 40) < 8


def test_the_mask_of_a_sample_lies_where_its_picture_has_one():
    dark = data.MaskedFaces(np.zeros((1, 25, 25)), 1, 12, 64, bare=0.0)
    for index in range(12):
        image, mask = dark[index]
        bright = image[0] > image[0][mask == 1].mean() / 2
        assert (bright & (mask == 1)).sum() / (bright | (mask == 1)).sum() > 0.8  # the straps are bright, too


def test_what_is_refused(monkeypatch, tmp_path):
    pictures = np.zeros((2, 25, 25))
    for options, message in (
        ({"count": 0}, "MaskedFaces: count: expected at least 1, got 0"),
        ({"size": 8}, "MaskedFaces: size: expected at least 16, got 8"),
        ({"bare": 1.5}, r"MaskedFaces: bare: expected a share in \[0, 1\], got 1.5"),
        ({"others": -1}, r"MaskedFaces: others: expected a share in \[0, 1\], got -1"),
    ):
        with pytest.raises(ArgumentError, match=message):
            data.MaskedFaces(pictures, **{"faces": 2, "count": 3, **options})
    with pytest.raises(IndexRangeError, match=r"MaskedFaces: index: expected 0..2, got 3"):
        data.MaskedFaces(pictures, 2, 3)[3]
    monkeypatch.setattr(faces, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"masked_faces: data: expected the package scikit-image: .*, got no such package"):
        data.masked_faces()


def test_another_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    np.save(tmp_path / "data" / "lfw_subset.npy", np.zeros((200, 25, 25)))

    class Spec:
        submodule_search_locations = (str(tmp_path),)

    monkeypatch.setattr(faces, "find_spec", lambda name: Spec)
    with pytest.raises(DataError, match=r"lfw_subset.npy: expected SHA-256 9560ec2f5edfac01"):
        data.masked_faces()
