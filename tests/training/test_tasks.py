"""What the tasks count, by hand, and runs of those that are no segmentation."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import rawseg
from rawseg import data, models, nn, optim
from rawseg import functional as F
from rawseg.training import Classification, Reconstruction, Segmentation, Trainer, evaluate, learning_curves
from rawseg.training.progress import best_score, score_keys


def test_classification_by_hand():
    tally = Classification().tally()
    assert math.isnan(tally.scores()["accuracy"])
    logits = np.eye(3)[[0, 1, 2, 0]] * 5  # the classes 0, 1, 2, 0
    tally.update(rawseg.tensor(logits), rawseg.tensor(np.array([0, 1, 1, 1])))
    tally.update(rawseg.tensor(logits[:1]), rawseg.tensor(np.array([0])))
    scores = tally.scores()
    assert scores["accuracy"] == 3 / 5
    assert scores["accuracy_by_class"][:2] == [1.0, 1 / 3]
    assert math.isnan(scores["accuracy_by_class"][2])  # there is none


def test_reconstruction_by_hand():
    tally = Reconstruction().tally()
    tally.update(rawseg.zeros(2, 1, 1, 2), rawseg.tensor(np.array([0.5, 0.5, 0.5, 0.6], np.float32).reshape(2, 1, 1, 2)))
    scores = tally.scores()  # sigmoid(0) is 1/2
    assert scores["squared_error"] == pytest.approx(0.01 / 4, rel=1e-6)  # 0.6 and 0.1 are rounded to float32
    assert scores["psnr"] == -10 * math.log10(scores["squared_error"])
    perfect = Reconstruction().tally()
    perfect.update(rawseg.zeros(1, 1, 1, 1), rawseg.tensor(np.full((1, 1, 1, 1), 0.5, np.float32)))
    assert perfect.scores() == {"psnr": math.inf, "squared_error": 0.0}


def test_a_segmentations_target_is_the_middle_of_the_mask():
    masks = np.arange(36).reshape(1, 6, 6)
    target = Segmentation(2).target(masks, rawseg.zeros(1, 2, 2, 4))
    assert target.numpy().tolist() == masks[:, 2:4, 1:5].tolist()


def test_the_score_that_decides():
    assert score_keys({"val_mean_dice": 1, "val_mean_iou": 2}) == ["val_mean_iou", "val_mean_dice"]
    assert best_score({"val_accuracy": 0.25, "val_loss": 3.0}) == 0.25


def stripes(count, seed):
    """Images of horizontal or vertical stripes, and which they are."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, count)
    images = rng.random((count, 1, 1, 8)).astype(np.float32) * np.ones((1, 1, 8, 1), np.float32)
    images = np.where(labels[:, None, None, None] == 1, images, images.swapaxes(2, 3))
    return data.Images(np.ascontiguousarray(images), labels)


def run(tmp_path, net, loss, train, held_out, task, epochs=4):
    batches, validation = data.Loader(train, 16, seed=1), data.Loader(held_out, 16, shuffle=False)
    optimizer = optim.Adam(net.parameters(), 0.02)
    return Trainer(net, loss, optimizer, batches, validation, folder=tmp_path, task=task, plain=True).fit(epochs)


def test_a_classifier_learns_and_its_best_accuracy_is_kept(tmp_path):
    rawseg.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    result = run(tmp_path, net, F.cross_entropy, stripes(160, 1), stripes(48, 2), Classification(), epochs=10)
    assert result.best_score == max(record["val_accuracy"] for record in result.history) > 0.9
    records = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert records[-1]["val_accuracy"] == result.history[-1]["val_accuracy"]
    learning_curves(result.history, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 5000


def test_an_autoencoder_learns(tmp_path, capsys):
    rawseg.manual_seed(0)
    net = models.autoencoder(8, 8)
    train, held_out = (data.Images(stripes(count, seed).images) for count, seed in ((160, 1), (48, 2)))
    result = run(tmp_path, net, F.binary_cross_entropy_with_logits, train, held_out, Reconstruction())
    decibels = [record["val_psnr"] for record in result.history]
    assert decibels[-1] > decibels[0]
    assert result.best_score == max(decibels)
    assert "PSNR" in capsys.readouterr().out
    scores = evaluate(
        models.load_model(tmp_path / "best.safetensors"),
        F.binary_cross_entropy_with_logits,
        data.Loader(held_out, 16, shuffle=False),
        Reconstruction(),
    )
    assert scores is not None
    assert scores["psnr"] == result.best_score
    learning_curves(result.history, tmp_path / "curves.png")
