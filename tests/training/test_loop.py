"""The loop: it learns, it writes what it promises, it stops when something is wrong."""

from __future__ import annotations

import json
import math
import os

import numpy as np
import pytest
from tiny_run import Net, held_out, loader, trainer

import rawseg
from rawseg import functional as F
from rawseg import nn, optim
from rawseg.data import Loader
from rawseg.errors import ShapeError
from rawseg.serialization import load_metadata
from rawseg.training import Segmentation, Trainer, evaluate, load_weights


def lines(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_it_learns_and_writes_what_it_promises(tmp_path, capsys):
    run = trainer(tmp_path, about={"model": "net", "config": {"width": 6}})
    seen = []
    result = run.fit(6, on_epoch=lambda record: seen.append(record["epoch"]))
    assert sorted(os.listdir(tmp_path)) == ["best.safetensors", "last.safetensors", "metrics.jsonl"]
    assert seen == [1, 2, 3, 4, 5, 6]
    first, last = result.history[0], result.history[-1]
    assert last["loss"] < first["loss"] / 2
    assert last["val_mean_iou"] > 0.8
    assert (last["step"], last["epoch"]) == (30, 6)
    assert not result.interrupted
    written = lines(tmp_path)
    assert written == result.history
    assert [record["best"] for record in written] == [
        record["val_mean_iou"] > max((r["val_mean_iou"] for r in written[:i]), default=-1) for i, record in enumerate(written)
    ]
    best = max(written, key=lambda record: record["val_mean_iou"])
    assert (result.best_epoch, result.best_score) == (best["epoch"], best["val_mean_iou"])
    about = load_metadata(tmp_path / "best.safetensors")
    assert about == {"model": "net", "config": {"width": 6}} | {name: best[name] for name in ("epoch", "step", "val_mean_iou")}
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 6
    assert printed[0].startswith(f"epoch 1/6  loss {first['loss']:.4f}  val loss {first['val_loss']:.4f}  IoU ")
    assert printed[best["epoch"] - 1].endswith("  best")


def test_the_best_weights_score_what_the_history_says(tmp_path):
    result = trainer(tmp_path).fit(3)
    model = Net()
    load_weights(tmp_path / "best.safetensors", model)
    scores = evaluate(model, F.cross_entropy, [held_out()], Segmentation())
    assert scores is not None
    best = result.history[result.best_epoch - 1]
    assert scores["mean_iou"] == best["val_mean_iou"] == result.best_score
    assert scores["iou"] == best["val_iou"]
    assert model.training  # as it was before


def test_validation_is_the_same_from_arrays_and_from_a_loader(tmp_path):
    images, masks = held_out()

    class Held:
        batch_size, seed, shuffle = 3, 0, False

        def __len__(self):
            return 2

        def iterate(self, epoch, start_batch=0):
            yield images[:3], masks[:3]
            yield images[3:], masks[3:]

    one = trainer(tmp_path / "one").fit(1).history[0]
    two = trainer(tmp_path / "two", validation=Held()).fit(1).history[0]
    assert one["val_iou"] == two["val_iou"]
    assert one["val_loss"] == pytest.approx(two["val_loss"], rel=1e-6)  # other batches, other sums of float32
    assert one["loss"] == two["loss"]


def test_without_validation_there_are_no_scores_and_no_best(tmp_path):
    result = trainer(tmp_path, validation=None).fit(1)
    assert sorted(os.listdir(tmp_path)) == ["last.safetensors", "metrics.jsonl"]
    assert result.best_epoch is None
    assert not any(name.startswith("val_") for name in result.history[0])


def test_the_history_has_null_where_there_is_no_score(tmp_path):
    images, masks = held_out()
    run = trainer(tmp_path, validation=(images[:1], np.zeros_like(masks[:1])), task=Segmentation(3))
    result = run.fit(2)
    assert math.isnan(result.history[0]["val_iou"][2])  # class 2 is nowhere
    assert lines(tmp_path)[0]["val_iou"][2] is None
    resumed = trainer(tmp_path, validation=(images[:1], np.zeros_like(masks[:1])), task=Segmentation(3))
    np.testing.assert_equal(resumed.fit(2, resume=True).history, result.history)


def test_the_loss_of_an_epoch_is_the_mean_over_its_images(tmp_path):
    run, seen = trainer(tmp_path, validation=None), []
    loss = run.loss

    def spy(logits, masks):
        value = loss(logits, masks)
        seen.append((value.item(), len(masks)))
        return value

    run.loss = spy
    for epoch, record in enumerate(run.fit(2).history):
        batches = seen[5 * epoch : 5 * epoch + 5]
        assert [count for _, count in batches] == [4, 4, 4, 4, 2]
        assert record["loss"] == sum(value * count for value, count in batches) / 18


def test_every_epoch_has_its_own_order_and_validation_always_the_same(tmp_path, monkeypatch):
    asked = []

    def spying(this, epoch, start_batch=0, iterate=Loader.iterate):
        asked.append((this is run.train, epoch, start_batch))
        return iterate(this, epoch, start_batch)

    monkeypatch.setattr(Loader, "iterate", spying)
    run = trainer(tmp_path, validation=loader())
    run.fit(2)
    assert asked == [(True, 0, 0), (False, 0, 0), (True, 1, 0), (False, 0, 0)]


def test_the_schedule_counts_steps_and_the_gradients_are_clipped(tmp_path):
    run = trainer(tmp_path, clip_norm=1e-3)
    norms = []
    step = run.optimizer.step

    def spy():
        squares = [float((parameter.grad.array.astype(np.float64) ** 2).sum()) for parameter in run.model.parameters()]
        norms.append(math.sqrt(sum(squares)))
        step()

    run.optimizer.step = spy
    run.fit(2)
    assert max(norms) <= 1e-3 * (1 + 1e-6)
    assert run.schedule.last_epoch == 10


def test_a_mask_is_cropped_to_what_valid_convolutions_leave(tmp_path):
    rawseg.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 1, (5, 3)))  # 16 x 16 to 10 x 12, one logit
    seen = []

    def loss(logits, masks):
        seen.append(masks.numpy().copy())
        return F.binary_cross_entropy_with_logits(logits[:, 0], masks.float())

    run = Trainer(model, loss, optim.Adam(model.parameters(), lr=0.02), loader(), held_out(), folder=tmp_path)
    result = run.fit(2)
    _, masks = next(loader().iterate(0))
    assert (seen[0] == masks[:, 3:13, 2:14]).all()
    assert result.history[-1]["val_mean_iou"] > result.history[0]["val_mean_iou"] > 0.2


def test_a_model_left_in_evaluation_is_trained_in_training(tmp_path):
    run = trainer(tmp_path)
    run.model.eval()
    run.fit(1)
    assert run.model.norm.num_batches_tracked.item() == len(run.train)


def test_logits_larger_than_the_mask_are_an_error(tmp_path):
    model = nn.Conv2d(1, 2, 1, padding=1)
    run = Trainer(model, F.cross_entropy, optim.SGD(model.parameters()), loader(), folder=tmp_path)
    with pytest.raises(
        ShapeError, match=r"target: logits: expected at most the size \(16, 16\) of the masks, got size \(18, 18\)"
    ):
        run.fit(1)


def test_a_float64_model_gets_float64_images(tmp_path):
    model = Net().to(np.float64)
    run = Trainer(model, F.cross_entropy, optim.SGD(model.parameters()), loader(), held_out(), folder=tmp_path)
    assert math.isfinite(run.fit(1).history[0]["val_loss"])
