"""Pictures: every pixel of the small ones by hand, and that the large ones are drawn at all."""

from __future__ import annotations

import io
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from rawseg.errors import ArgumentError, DataError, ShapeError
from rawseg.pictures import overlay, overlay_sheet
from rawseg.pictures.masks import CLASS_COLOURS, CONFUSED, FALSE_ALARM, MISS, NOTHING, RIGHT, colour, error_map
from rawseg.training import learning_curves

HISTORY = [
    {"epoch": 1, "loss": 1.0, "val_loss": 1.1, "val_mean_iou": 0.2, "val_mean_dice": 0.3, "best": True},
    {"epoch": 2, "loss": 0.5, "val_loss": None, "val_mean_iou": math.nan, "val_mean_dice": math.nan, "best": False},
    {"epoch": 3, "loss": 0.4, "val_loss": 0.6, "val_mean_iou": 0.7, "val_mean_dice": 0.8, "best": True},
]


def test_an_overlay_by_hand():
    image = np.full((1, 5, 5), 0.5, np.float32)
    image[0, 0, 0] = np.nan
    image[0, 0, 1] = 7.0
    mask = np.zeros((5, 5), np.int64)
    mask[1:4, 1:4] = 1
    mask[4, 4] = -1
    picture = overlay(image, mask)
    assert (picture.dtype, picture.shape) == (np.uint8, (5, 5, 3))
    assert picture[0, 0].tolist() == [0, 0, 0]
    assert picture[0, 1].tolist() == [255, 255, 255]
    assert picture[4, 4].tolist() == picture[0, 4].tolist() == [128, 128, 128]
    inside = [round(0.6 * 127.5 + 0.4 * level) for level in colour(1)]
    assert picture[2, 2].tolist() == inside
    for row, column in np.argwhere(mask == 1):
        if (row, column) != (2, 2):
            assert picture[row, column].tolist() == list(colour(1))


def test_touching_classes_have_an_outline_between_them():
    mask = np.array([[1, 1, 2, 2]] * 2)
    picture = overlay(np.zeros((3, 2, 4), np.float32), mask)
    assert picture[0, 1].tolist() == list(colour(1))
    assert picture[0, 2].tolist() == list(colour(2))
    assert picture[0, 0].tolist() == [round(0.4 * level) for level in colour(1)]


def test_three_channels_are_colours_and_of_others_the_first_is_grey():
    rgb = np.arange(3, dtype=np.float32).reshape(3, 1, 1) / 2
    mask = np.zeros((1, 1), np.uint8)
    assert overlay(rgb, mask).tolist() == [[[0, 128, 255]]]
    assert overlay(rgb[1:], mask).tolist() == [[[128, 128, 128]]]


def test_colours_differ_and_repeat_after_seven():
    assert len(set(CLASS_COLOURS)) == 7
    assert colour(8) == colour(1)
    assert len({RIGHT, FALSE_ALARM, MISS, CONFUSED, NOTHING}) == 5


def test_an_overlay_of_what_does_not_fit():
    with pytest.raises(ShapeError, match=r"overlay: image, mask: expected .*, got \(1, 2, 3\) and \(3, 2\)"):
        overlay(np.zeros((1, 2, 3)), np.zeros((3, 2), int))


def test_an_error_map_by_hand():
    truth = np.array([0, 1, 2, 0, 1, 1, -1, -1])[None]
    found = np.array([0, 1, 2, 1, 0, 2, 1, 0])[None]
    want = [NOTHING, RIGHT, RIGHT, FALSE_ALARM, MISS, CONFUSED, NOTHING, NOTHING]
    assert error_map(truth, found)[0].tolist() == [list(rgb) for rgb in want]


def size(path) -> tuple[int, int]:
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        picture.load()
        return picture.size


@pytest.mark.parametrize("history", [HISTORY, HISTORY[:1], [{"epoch": 1, "loss": 0.5}], HISTORY[1:2]])
def test_learning_curves_are_drawn_the_same_every_time(tmp_path, history):
    learning_curves(history, tmp_path / "a.png")
    learning_curves(history, tmp_path / "b.png")
    width, height = size(tmp_path / "a.png")
    assert width > height > 300
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_sheet_is_drawn_with_and_without_objects(tmp_path):
    rng = np.random.default_rng(0)
    images = [rng.random((channels, 24, 40), np.float32) for channels in (1, 3, 1)]
    truths = [rng.integers(0, 3, (24, 40)), np.zeros((24, 40), np.int64), rng.integers(-1, 2, (24, 40))]
    predictions = [truths[0], np.zeros((24, 40), np.uint8), rng.integers(0, 2, (24, 40))]
    overlay_sheet(images, truths, predictions, tmp_path / "a.png", ["ground", "cell"])
    one = size(tmp_path / "a.png")
    overlay_sheet(images[:1], truths[:1], predictions[:1], tmp_path / "b.png")
    two = size(tmp_path / "b.png")
    assert one[0] == two[0] > 1000
    assert one[1] > 2 * two[1]


def test_ignored_pixels_are_no_class_in_a_sheet(tmp_path):
    truth = np.full((8, 8), 255)
    truth[:4] = 1
    arguments = [np.zeros((1, 8, 8), np.float32)], [truth], [np.ones((8, 8), np.int64)]
    overlay_sheet(*arguments, tmp_path / "a.png", ignore_index=255)
    overlay_sheet(arguments[0], [np.where(truth == 255, -100, 1)], arguments[2], tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_nothing_to_draw(tmp_path):
    with pytest.raises(ArgumentError, match="learning_curves: history: expected at least one epoch, got none"):
        learning_curves([], tmp_path / "a.png")
    with pytest.raises(
        ArgumentError, match="expected the same number of images, truths and predictions, at least 1, got 0, 0 and 1"
    ):
        overlay_sheet([], [], [np.zeros((1, 1), int)], tmp_path / "a.png")
    with pytest.raises(DataError, match=r"write: .*/no/a.png: expected a file that can be written, got ENOENT"):
        learning_curves(HISTORY, tmp_path / "no" / "a.png")


def test_drawing_needs_no_pyplot_and_training_alone_no_matplotlib(tmp_path):
    script = (
        "import sys, rawseg.training as t\n"
        "print([m for m in ('matplotlib', 'rich', 'scipy', 'PIL') if m in sys.modules])\n"
        "t.learning_curves([{'epoch': 1, 'loss': 0.5}], sys.argv[1])\n"
        "print('matplotlib.pyplot' in sys.modules)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "False"]
