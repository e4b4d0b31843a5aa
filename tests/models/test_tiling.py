"""Overlap-tile prediction: no seams means that the tiling cannot be seen in the bits."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg import models
from rawseg.errors import ArgumentError, ShapeError
from rawseg.models.tiling import mirror
from rawseg.training import Segmentation, evaluate


def trained_a_little(**options):
    """A net whose batch norm has seen data, so that eval mode is not degenerate."""
    rawseg.manual_seed(5)
    net = models.UNet(width=3, depth=2, classes=3, **options)
    if options.get("norm", True):
        with rawseg.no_grad():
            net(rawseg.randn(2, net.config["in_channels"], 32, 32))
    return net


def picture(h, w, c=1, seed=0):
    return np.random.default_rng(seed).random((c, h, w)).astype(np.float32)


def test_mirror_folds_without_repeating_the_border():
    assert mirror(-3, 6, 3).tolist() == [1, 2, 1, 0, 1, 2, 1, 0, 1]
    assert mirror(-2, 3, 1).tolist() == [0, 0, 0, 0, 0]
    want = np.pad(np.arange(5), 4, mode="reflect")
    assert mirror(-4, 9, 5).tolist() == want.tolist()


@pytest.mark.parametrize("options", [{}, {"up": "bilinear"}, {"padded": False, "norm": False}], ids=str)
def test_the_tiling_cannot_be_seen(options):
    net = trained_a_little(**options)
    image = picture(70, 45)
    whole = models.predict_tiled(net, image, tile=128)
    for tile in (4, 12, 32, 37):
        mask, confidence = models.predict_tiled(net, image, tile=tile)
        assert np.array_equal(mask, whole[0]), tile
        assert np.array_equal(confidence, whole[1]), tile
    assert len(np.unique(whole[1])) > 100  # there is something to see


def test_the_middle_equals_a_plain_forward_pass():
    net = trained_a_little().eval()
    image = picture(96, 64)
    mask, confidence = models.predict_tiled(net, image, tile=16)
    with rawseg.no_grad():
        plain = F.softmax(net(rawseg.tensor(image[None])), 1).numpy()[0]
    middle = np.s_[..., net.halo : -net.halo, net.halo : -net.halo]
    assert np.array_equal(mask[middle], plain.argmax(0)[middle])
    assert np.array_equal(confidence[middle], plain.max(0)[middle])


def test_a_smaller_halo_would_show(monkeypatch):
    net = trained_a_little()
    image = picture(70, 45)
    whole = models.predict_tiled(net, image, tile=128)[1]
    monkeypatch.setattr(models.UNet, "halo", 4)
    assert not np.array_equal(models.predict_tiled(net, image, tile=12)[1], whole)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (17, 3)])
def test_tiny_images(shape):
    mask, confidence = models.predict_tiled(trained_a_little(), picture(*shape), tile=16)
    assert mask.shape == confidence.shape == shape
    assert mask.dtype == np.uint8
    assert ((confidence > 1 / 3 - 1e-6) & (confidence <= 1)).all()  # of three classes the winner has at least a third


def test_the_mode_of_the_model_is_restored_and_progress_reported():
    net = trained_a_little()
    seen = []
    models.predict_tiled(net.train(), picture(20, 20), tile=16, progress=lambda done, total: seen.append((done, total)))
    assert net.training
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_errors():
    net = trained_a_little()
    with pytest.raises(ShapeError, match=r"predict_tiled: image: expected shape \(1, H, W\), got shape \(3, 8, 8\)"):
        models.predict_tiled(net, picture(8, 8, 3))
    with pytest.raises(ArgumentError, match="predict_tiled: tile: expected at least 4, the model's stride, got 3"):
        models.predict_tiled(net, picture(8, 8), tile=3)


def test_a_submodule_that_was_frozen_stays_frozen():
    model = models.build("unet", width=4, depth=1)
    model.encoder.eval()
    models.predict_tiled(model, np.zeros((1, 4, 4), np.float32))
    models.summary(model, (1, 1, 4, 4))
    evaluate(model, F.cross_entropy, [(np.zeros((1, 1, 4, 4), np.float32), np.zeros((1, 4, 4), np.int64))], Segmentation())
    assert (model.training, model.bottom.training, model.encoder.training) == (True, True, False)


def test_a_single_logit_is_a_class_above_zero():
    rawseg.manual_seed(0)
    model = models.build("unet", classes=1, width=4, depth=1).eval()
    image = np.random.default_rng(0).random((1, 8, 8)).astype(np.float32)
    mask, confidence = models.predict_tiled(model, image)
    assert set(np.unique(mask)) == {0, 1}
    assert confidence.min() >= 0.5
    assert confidence.max() < 1


def test_a_float64_model_sees_float64():
    model = models.build("unet", width=4, depth=1).double()
    assert models.predict_tiled(model, np.zeros((1, 5, 3), np.float32))[0].shape == (5, 3)
    assert models.summary(model, (1, 1, 4, 4))[0].activation_bytes == 8 * 4 * 4 * 4
