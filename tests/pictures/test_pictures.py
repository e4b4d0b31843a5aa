"""Pictures of networks, images in rows and confusion matrices: drawn, and refused when there is nothing to draw."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rawseg import models, pictures
from rawseg.errors import ArgumentError, ShapeError


def inked(path):
    """Return the share of pixels that are not white, and the picture's size."""
    picture = np.asarray(Image.open(path).convert("L"))
    return float((picture < 250).mean()), picture.shape


def test_a_ledger_has_four_panels(tmp_path):
    rows = models.summary(models.build("unet", width=2, depth=1), (1, 1, 16, 16))
    pictures.ledger_picture(rows, "a small one", tmp_path / "ledger.png")
    share, (height, width) = inked(tmp_path / "ledger.png")
    assert share > 0.02
    assert width > height > 500
    pictures.ledger_picture(models.summary(models.autoencoder(4, 2), (1, 1, 4, 4)), "x", tmp_path / "whole.png")
    with pytest.raises(ArgumentError, match="ledger_picture: rows: expected at least one layer, got none"):
        pictures.ledger_picture([], "nothing", tmp_path / "no.png")
    assert not (tmp_path / "no.png").exists()


def test_influence_is_drawn_where_it_is(tmp_path):
    view = np.zeros((9, 9))
    view[4, 2:7:2] = 1
    pictures.influence_picture([("a", view), ("b", view)], tmp_path / "view.png")
    assert inked(tmp_path / "view.png")[0] > 0.01
    for views, message in (
        ([], "views: expected at least one map"),
        ([("z", 0 * view)], "z: expected a map with some influence"),
    ):
        with pytest.raises(ArgumentError, match=message):
            pictures.influence_picture(views, tmp_path / "no.png")


def test_images_in_rows(tmp_path):
    rng = np.random.default_rng(0)
    rows = [("grey", rng.random((4, 1, 8, 8))), ("colour", rng.random((4, 3, 8, 8)))]
    pictures.image_rows(rows, tmp_path / "rows.png")
    assert inked(tmp_path / "rows.png")[0] > 0.2
    with pytest.raises(ShapeError, match=r"image_rows: odd: expected shape \(4, 1 or 3, H, W\), got shape \(3, 1, 8, 8\)"):
        pictures.image_rows([*rows, ("odd", rng.random((3, 1, 8, 8)))], tmp_path / "no.png")


def test_a_confusion_matrix_is_darkest_where_most_is(tmp_path):
    pictures.confusion_picture(np.array([[9, 1, 0], [0, 5, 5], [0, 0, 0]]), ["a", "b", "c"], tmp_path / "matrix.png")
    assert inked(tmp_path / "matrix.png")[0] > 0.05
