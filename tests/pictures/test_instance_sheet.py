"""Sheets of objects, and scores as bars: what is drawn, and what is refused."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from PIL import Image

import rawseg
from rawseg import pictures
from rawseg.errors import ArgumentError, ShapeError
from rawseg.pictures import grids, instance_sheet
from rawseg.pictures.figure import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION
from rawseg.pictures.masks import colour

module = importlib.import_module("rawseg.pictures.instance_sheet")  # rawseg.pictures.instance_sheet is the function
LEGIBLE = module.LEGIBLE
GREY = np.full((1, 12, 16), 0.5, np.float32)


def objects(*boxes, size=(12, 16)):
    """Return instances that fill their boxes, as a data set gives them."""
    masks = np.zeros((len(boxes), *size), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes):
        mask[y1:y2, x1:x2] = True
    return {"boxes": np.array(boxes, np.float32).reshape(-1, 4), "labels": np.ones(len(boxes), np.int64), "masks": masks}


def answered(there, score=0.75):
    """Return the same as a network does."""
    count = len(there["labels"])
    arrays = {**there, "masks": there["masks"][:, None].astype(np.float32), "scores": np.full(count, score, np.float32)}
    return {name: rawseg.tensor(array) for name, array in arrays.items()}


def places_of(path, rgb):
    """Return the rows and columns of a picture with this colour, and its size."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return *np.nonzero((pixels == rgb).all(-1)), pixels.shape[:2]


def test_the_truth_is_above_what_was_found_and_every_image_has_a_column(tmp_path):
    path, box = tmp_path / "sheet.png", objects((3, 2, 12, 10))
    instance_sheet([GREY, GREY], [box, objects()], [answered(objects()), answered(box)], path)
    rows, columns, (height, width) = places_of(path, colour(1))
    upper, left = rows < height / 2, columns < width / 2
    assert (upper == left).all()  # the truth of the first image is above, what was found in the second is below
    assert (upper & left).sum() > 100
    assert (~upper & ~left).sum() > 100
    instance_sheet([GREY, GREY], [box, objects()], [answered(box), answered(objects())], tmp_path / "left.png")
    rows, columns, (height, width) = places_of(tmp_path / "left.png", colour(1))
    assert (columns < width / 2).all()
    assert set(rows < height / 2) == {True, False}
    before = path.read_bytes()
    instance_sheet([GREY, GREY], [box, objects()], [answered(objects()), answered(box)], path)
    assert path.read_bytes() == before


def test_titles_tell_how_many(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr(module, "write_figure", lambda figure, path: figures.append(figure))
    three = objects((0, 0, 3, 3), (4, 4, 8, 8), (9, 2, 14, 12))
    instance_sheet([GREY, GREY], [three, objects()], [answered(objects((0, 0, 9, 9))), answered(three)], tmp_path / "no.png")
    assert [axes.get_title() for axes in figures[0].axes] == ["truth: 3", "found: 1", "truth: 0", "found: 3"]


def test_small_images_are_enlarged_pixel_by_pixel():
    there = {**objects((3, 2, 12, 10)), "masks": objects((6, 5, 8, 7))["masks"]}  # the box is larger than the mask
    image = np.linspace(0, 1, 12 * 16, dtype=np.float32).reshape(1, 12, 16)
    times = LEGIBLE // 16
    picture = pictures.instances_overlay(
        image, there["boxes"], there["labels"], np.ones(1), there["masks"], ["ground", "a"], LEGIBLE
    )
    assert picture.shape == (12 * times, 16 * times, 3)
    for row, column in ((0, 15), (11, 0), (11, 15), (5, 14)):  # outside the object, and away from its text
        part = picture[row * times : (row + 1) * times, column * times : (column + 1) * times]
        assert (part == np.rint(255 * image[0, row, column])).all()
    # The box is around the object, outlined in its colour from its first pixel to its last.
    top, left, bottom, right = 2 * times, 3 * times, 10 * times - 1, 12 * times - 1
    middle = (top + bottom) // 2
    for row, column in ((middle, left), (middle, right), (bottom, left + 9), (bottom, right)):
        assert tuple(picture[row, column]) == colour(1)
    for row, column in ((middle, left - 1), (middle, right + 1), (bottom + 1, left + 9)):
        assert tuple(picture[row, column]) != colour(1)
    for row, column in ((5 * times, 7 * times), (7 * times - 1, 7 * times), (6 * times, 6 * times), (6 * times, 8 * times - 1)):
        assert tuple(picture[row, column]) == colour(1)  # the mask's outline
    assert (picture[8 * times + 1, 9 * times] == np.rint(255 * image[0, 8, 9])).all()  # in the box, outside of the mask


def test_names_and_scores_are_written(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        module,
        "instances_overlay",
        lambda image, boxes, labels, scores, masks, names, least: (
            seen.append((boxes, labels, scores, names, least)) or np.zeros((4, 4, 3))
        ),
    )
    there = objects((3, 2, 12, 10))
    instance_sheet([GREY], [there], [answered(there, 0.25)], tmp_path / "a.png", ["ground", "cell"])
    for (boxes, labels, scores, names, least), score in zip(seen, (None, 0.25), strict=True):
        assert least == LEGIBLE
        assert boxes.tolist() == [[3, 2, 12, 10]]
        assert (labels.tolist(), names) == ([1], ["ground", "cell"])
        assert scores is None if score is None else scores.tolist() == [score]


def test_a_sheet_of_nothing_is_refused(tmp_path):
    there = objects((3, 2, 12, 10))
    for images, truths, found, got in (
        ([], [], [], "0, 0 and 0"),
        ([GREY], [there, there], [answered(there)], "1, 2 and 1"),
        ([GREY], [there], [], "1, 1 and 0"),
    ):
        message = f"instance_sheet: images: expected at least one, and as many truths and results, got {got}"
        with pytest.raises(ArgumentError, match=message):
            instance_sheet(images, truths, found, tmp_path / "no.png")
    with pytest.raises(ShapeError, match="instances_overlay: boxes, labels, scores, masks"):
        instance_sheet([GREY[:, :, :9]], [there], [answered(there)], tmp_path / "no.png")
    assert not (tmp_path / "no.png").exists()


# Bars


@pytest.fixture
def drawn(monkeypatch):
    """The figures of `bars`, which are written nonetheless."""
    figures, write = [], grids.write_figure
    monkeypatch.setattr(grids, "write_figure", lambda figure, path: (figures.append(figure), write(figure, path)))
    return figures


def rectangles(axes):
    """Return for each name its bars: (middle, height, colour)."""
    return {
        container.get_label(): [
            (bar.get_x() + bar.get_width() / 2, bar.get_height(), tuple(round(255 * c) for c in bar.get_facecolor()[:3]))
            for bar in container
        ]
        for container in axes.containers
    }


def test_bars_are_as_high_as_their_scores_and_grouped(tmp_path, drawn):
    pictures.bars({"AP": [0.2, 0.4], "AP50": [0.6, 0.8], "AP75": [0.0, 0.1]}, ["pool", "align"], tmp_path / "bars.png")
    (axes,) = drawn[0].axes
    bars = rectangles(axes)
    assert [(height, rgb) for _, height, rgb in bars["pool"]] == [(0.2, VERMILLION), (0.6, VERMILLION), (0.0, VERMILLION)]
    assert [(height, rgb) for _, height, rgb in bars["align"]] == [(0.4, ORANGE), (0.8, ORANGE), (0.1, ORANGE)]
    # Two bars share 0.8 of each group, around its number.
    assert [x for x, *_ in bars["pool"]] == pytest.approx([-0.2, 0.8, 1.8])
    assert [x for x, *_ in bars["align"]] == pytest.approx([0.2, 1.2, 2.2])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["AP", "AP50", "AP75"]
    assert [text.get_text() for text in axes.texts] == ["0.20", "0.60", "0.00", "0.40", "0.80", "0.10"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["pool", "align"]
    low, high = axes.get_ylim()
    assert low == 0
    assert 0.8 < high < 1
    rows, _, (height, _) = places_of(tmp_path / "bars.png", VERMILLION)
    assert np.ptp(rows) > height / 3


def test_six_names_have_six_colours(tmp_path, drawn):
    names = [f"name {i}" for i in range(6)]
    pictures.bars({"all": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}, names, tmp_path / "bars.png")
    bars = rectangles(drawn[0].axes[0])
    assert list(bars) == names
    assert [bars[name][0][2] for name in names] == [VERMILLION, ORANGE, SKY, BLUE, GREEN, PURPLE]
    middles = [bars[name][0][0] for name in names]
    assert np.diff(middles) == pytest.approx([0.8 / 6] * 5)


def test_a_missing_score_hides_no_other_bar(tmp_path, drawn):
    pictures.bars({"a": [float("nan"), 0.5], "b": [float("nan"), 0.9]}, ["x", "y"], tmp_path / "bars.png")
    assert 0.9 < drawn[0].axes[0].get_ylim()[1] < 1.1
    pictures.bars({"a": [float("nan")], "b": [0.0]}, ["x"], tmp_path / "bars.png")
    assert 0 < drawn[1].axes[0].get_ylim()[1] < 0.1


def test_bars_that_cannot_be_drawn_are_refused(tmp_path):
    path = tmp_path / "no.png"
    for groups, names, got in (
        ({}, ["a"], "0 and 1"),
        ({"g": []}, [], "1 and 0"),
        ({"g": [0.1] * 7}, list("abcdefg"), "1 and 7"),
    ):
        with pytest.raises(ArgumentError, match=f"bars: groups, names: expected .* 1 to 6 names, got {got}"):
            pictures.bars(groups, names, path)
    with pytest.raises(ShapeError, match="bars: second: expected 2 scores, one for each name, got 1"):
        pictures.bars({"first": [0.1, 0.2], "second": [0.1]}, ["a", "b"], path)
    assert not path.exists()
