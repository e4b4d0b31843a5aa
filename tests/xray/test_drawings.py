"""Pictures of a dump: what is computed for them by hand, and that each is drawn for every kind of network."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rawseg import xray
from rawseg.errors import ShapeError
from rawseg.models.mask_rcnn import STAGES
from rawseg.ops import roi_align
from rawseg.pictures.instances import instances_overlay
from rawseg.pictures.masks import FILLED, colour, overlay
from rawseg.xray.drawings import PICTURES, class_name, draw_all, objectness_maps
from rawseg.xray.region_drawings import batch_picture, sample_points

CASES = [
    {"neck": "fpn"},
    {"neck": "fpn", "in_channels": 1, "score_from": 2.0},
    {"neck": "fpn", "in_channels": 2, "roi": "roi_align_max"},
    {"neck": "c4", "roi": "roi_pool"},
    {"neck": "c5", "roi": "roi_warp", "score_from": 2.0},
]


MORE = [pytest.param(options, marks=pytest.mark.release, id=str(options)) for options in CASES[:1] + CASES[3:4]]


@pytest.mark.parametrize("options", [*CASES[1:3], CASES[4], *MORE], ids=str)
def test_every_picture_is_drawn(make_model, make_image, tmp_path, options):
    model = make_model(**options)
    arrays = xray.record(model, make_image(channels=options.get("in_channels", 3)), tmp_path)
    drawn = draw_all(model, arrays, tmp_path, ["ground", "a $cup", "<b>"])
    assert [(picture.stage, picture.file[3:-4]) for picture in drawn] == [entry[:2] for entry in PICTURES]
    assert sorted(path.name for path in tmp_path.glob("*.png")) == [picture.file for picture in drawn]
    assert {picture.stage for picture in drawn} <= {stage.name for stage in STAGES}
    for picture in drawn:
        assert picture.caption.endswith(".")
        pixels = np.asarray(Image.open(tmp_path / picture.file).convert("L"))
        assert (pixels < 250).mean() > 0.001, picture.file
        assert min(pixels.shape) >= 50
    detected = len(arrays["boxes.0"])
    assert (detected == 0) == ("score_from" in options)
    assert drawn[-1].caption.startswith(f"{detected} objects")


def test_no_proposals_are_drawn_too(make_model, make_image, tmp_path):
    model = make_model()
    model.rpn.smallest = 1e9
    arrays = xray.record(model, make_image(), tmp_path)
    assert len(arrays["proposals.0"]) == 0
    drawn = draw_all(model, arrays, tmp_path)
    assert "No region was proposed." in [picture.caption for picture in drawn]


@pytest.mark.release
def test_pictures_are_the_same_every_time(dumped, model, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        drawn = draw_all(model, dumped[1], tmp_path / name)
    for picture in drawn:
        assert (tmp_path / "a" / picture.file).read_bytes() == (tmp_path / "b" / picture.file).read_bytes()


def test_the_batch_is_shown_in_the_colours_of_the_image(dumped, model, make_image):
    picture, image = batch_picture(model, dumped[1]), make_image().transpose(1, 2, 0)
    assert picture.shape == (64, 96, 3)
    assert picture[:, :90].mean((0, 1)) == pytest.approx(image.mean((0, 1)), abs=0.02)
    assert picture[:, 90:] == pytest.approx(np.broadcast_to(model.transform.mean, (64, 6, 3)), abs=1e-6)


def test_objectness_by_hand():
    logits = np.array([[0, 1, -2, -3, 5, 4, 9, 8, -1, -1]], np.float32)  # 2 x 2 pixels and one, two anchors each
    arrays = {"objectness": logits, "anchors.0": np.zeros((8, 4)), "anchors.1": np.zeros((2, 4))}
    arrays |= {"maps.0": np.zeros((1, 3, 2, 2)), "maps.1": np.zeros((1, 3, 1, 1))}
    first, second = objectness_maps(arrays)
    assert first == pytest.approx(1 / (1 + np.exp([[-1.0, 2.0], [-5.0, -9.0]])))
    assert second == pytest.approx(np.array([[1 / (1 + np.e)]]))


def test_sample_points_by_hand():
    # 2 cells of 2 points on 0..8 and 0..16; a region of 2 pixels is sampled as one pixel of the map, of stride 4
    x, y = sample_points(np.array([0.0, 0.0, 8.0, 16.0]), 4, 2, 2)
    assert x.tolist() == [1, 3, 5, 7]
    assert y.tolist() == [2, 6, 10, 14]
    x, _ = sample_points(np.array([10.0, 0.0, 12.0, 16.0]), 4, 1, 2)
    assert x.tolist() == [11, 13]


@pytest.mark.parametrize("box", [[5.0, 9.0, 41.0, 30.0], [20.0, 8.0, 21.5, 40.0]])
def test_roi_align_reads_at_the_sample_points(box):
    # the map holds its own coordinates, which interpolation leaves as they are: a bin's value is the mean of its points
    stride, bins, samples = 4, 3, 2
    rows, columns = np.mgrid[:16, :16].astype(np.float64) * stride
    rois = np.array([[0.0, *box]])
    found = roi_align(np.stack([columns, rows])[None], rois, bins, 1 / stride, samples).numpy()[0]
    x, y = (points.reshape(bins, samples).mean(1) for points in sample_points(np.array(box), stride, bins, samples))
    assert found[0] == pytest.approx(np.broadcast_to(x, (bins, bins)))
    assert found[1] == pytest.approx(np.broadcast_to(y[:, None], (bins, bins)))


def instances(count: int = 2):
    """Two masks that overlap, on an image where no text reaches them."""
    masks = np.zeros((2, 1, 200, 200), np.float32)
    masks[0, 0, 100:150, 100:150] = 0.5
    masks[1, 0, 120:180, 120:180] = 1.0
    boxes = np.array([[0.0, 20.0, 200.0, 200.0], [0.0, 50.0, 190.0, 200.0]])
    return boxes[:count], np.array([1, 7])[:count], np.array([0.9, 0.4])[:count], masks[:count]


def test_objects_by_hand():
    image = np.full((1, 200, 200), 0.5)
    picture = instances_overlay(image, *instances(), ["ground", "cup"])
    assert (picture.dtype, picture.shape) == (np.uint8, (200, 200, 3))
    one, two = (np.rint((1 - FILLED) * 128 + FILLED * np.array(colour(k))) for k in (1, 2))
    assert picture[110, 110].tolist() == one.tolist()
    assert picture[170, 170].tolist() == two.tolist()
    assert picture[135, 135].tolist() == np.rint((1 - FILLED) * two + FILLED * np.array(colour(1))).tolist()
    assert picture[100, 100].tolist() == picture[149, 120].tolist() == list(colour(1))  # outlines
    assert picture[120, 160].tolist() == list(colour(2))
    assert picture[90, 90].tolist() == [128, 128, 128]
    assert picture[199, 100].tolist() == picture[150, 199].tolist() == list(colour(1))  # the box's far edges
    assert picture[150, 189].tolist() == list(colour(2))


def test_the_text_has_a_plate_of_the_objects_colour():
    boxes, _, scores, masks = instances(1)
    pictures = [
        instances_overlay(np.zeros((3, 200, 200)), boxes, np.array([label]), scores, 0 * masks, ["ground", "cup", "spoon"])
        for label in (1, 2, 3)
    ]
    plates = [(picture[:20] == colour(1)).all(-1).sum() for picture in pictures]
    assert min(plates) > 150
    assert len({picture.tobytes() for picture in pictures}) == 3
    assert class_name(3, ["ground", "cup"]) == class_name(3, None) == "class 3"


def test_objects_at_and_beyond_the_edges():
    image, masks = np.zeros((3, 30, 20)), np.ones((3, 1, 30, 20))
    boxes = np.array([[-9.0, -9.0, 99.0, 99.0], [19.5, 29.5, 20.0, 30.0], [5.0, 5.0, 5.0, 5.0]])
    picture = instances_overlay(image, boxes, np.ones(3, int), np.ones(3), masks)
    assert picture[29, 10].tolist() == list(colour(1))
    nothing = instances_overlay(image, boxes[:0], np.ones(0, int), np.ones(0), masks[:0])
    assert np.array_equal(nothing, overlay(image, np.zeros((30, 20), int)))


def test_objects_that_do_not_fit():
    boxes, labels, scores, masks = instances()
    with pytest.raises(ShapeError, match=r"instances_overlay: boxes, .*\(2, 1, 200, 200\), got .*\(2, 200, 199\)"):
        instances_overlay(np.zeros((3, 200, 200)), boxes, labels, scores, masks[..., :199])
    with pytest.raises(ShapeError, match=r"got \(\(2, 4\), \(1,\)"):
        instances_overlay(np.zeros((3, 200, 200)), boxes, labels[:1], scores, masks)
