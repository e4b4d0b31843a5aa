"""The loop: it learns, it writes what it promises, it stops when something is wrong."""

from __future__ import annotations

import json
import math
import os
import threading

import numpy as np
import pytest
from tiny_run import Net, held_out, loader, trainer

import rawseg
from rawseg import functional as F
from rawseg import nn, optim
from rawseg.data import Loader
from rawseg.errors import ArgumentError, ArgumentTypeError, CheckpointError, ShapeError
from rawseg.serialization import load_metadata
from rawseg.training import Trainer, TrainingError, evaluate, load_weights


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
    scores = evaluate(model, F.cross_entropy, [held_out()], 2)
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
    run = trainer(tmp_path, validation=(images[:1], np.zeros_like(masks[:1])), num_classes=3)
    result = run.fit(2)
    assert math.isnan(result.history[0]["val_iou"][2])  # class 2 is nowhere
    assert lines(tmp_path)[0]["val_iou"][2] is None
    resumed = trainer(tmp_path, validation=(images[:1], np.zeros_like(masks[:1])), num_classes=3)
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


# what goes wrong


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_run_and_overwrites_nothing(tmp_path, bad):
    run = trainer(tmp_path)
    run.fit(1)
    before = {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)}
    weights = []

    def loss(logits, masks):
        weights.append({name: tensor.array.copy() for name, tensor in run.model.named_parameters()})
        return F.cross_entropy(logits, masks) * (bad if len(weights) == 3 else 1.0)

    run.loss = loss
    with pytest.raises(TrainingError) as caught:
        run.fit(3, resume=True)
    message = str(caught.value)
    last = tmp_path / "last.safetensors"
    assert message.startswith(f"fit: loss: expected finite numbers, got {bad} at epoch 2, step 8; the last finite loss was 0.")
    assert f"no file was overwritten, {last} continues from before" in message
    assert "try a lower learning rate (now 0.0" in message
    assert "clip_norm" in message
    assert "rawseg.detect_anomaly()" in message
    assert {name: (tmp_path / name).read_bytes() for name in os.listdir(tmp_path)} == before
    assert all((tensor.array == weights[-1][name]).all() for name, tensor in run.model.named_parameters())


def test_a_gradient_that_is_not_finite_is_not_applied(tmp_path):
    run = trainer(tmp_path)
    run.model.second.weight.register_hook(lambda gradient: gradient * math.inf)
    before = {name: tensor.array.copy() for name, tensor in run.model.named_parameters()}
    message = (
        r"fit: gradient of second.weight: expected finite numbers, got inf or NaN at epoch 1, step 1; no step went well before"
    )
    with pytest.raises(TrainingError, match=message) as caught:
        run.fit(1)
    assert "no file was written" in str(caught.value)
    assert os.listdir(tmp_path) == []
    assert all((tensor.array == before[name]).all() for name, tensor in run.model.named_parameters())


def test_weights_that_overflow_in_a_step_are_not_saved(tmp_path):
    run = trainer(tmp_path, rule="SGD", lr=1e38, schedule=None, validation=None)
    step = run.optimizer.step

    def last_step_only():
        if run.progress.step == 4:
            step()

    run.optimizer.step = last_step_only
    for parameter in run.model.parameters():
        parameter.register_hook(lambda gradient: gradient * 1e6)
    with pytest.raises(TrainingError, match=r"fit: (first|norm|second)\.\w+: expected finite numbers, got inf or NaN"):
        run.fit(1)
    assert os.listdir(tmp_path) == []


def test_a_run_is_not_overwritten_by_mistake(tmp_path):
    trainer(tmp_path).fit(1)
    before = (tmp_path / "last.safetensors").read_bytes()
    message = r"fit: resume: expected True, or another folder, or .*last.safetensors removed, got False, which would overwrite"
    with pytest.raises(ArgumentError, match=message):
        trainer(tmp_path).fit(1)
    assert (tmp_path / "last.safetensors").read_bytes() == before


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"fit: .*/file/run: expected a folder that can be made, got Not a directory"):
        trainer(tmp_path / "file" / "run").fit(1)


def test_a_checkpoint_that_cannot_be_written_ends_the_run_and_the_old_one_stays(tmp_path, monkeypatch):
    run = trainer(tmp_path)
    run.fit(1)
    before = (tmp_path / "last.safetensors").read_bytes()
    real = os.replace

    def full(source, target):
        if str(target).endswith("last.safetensors"):
            raise OSError(28, "No space left on device")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(
            CheckpointError, match=r"write: .*last.safetensors: expected .*, got ENOSPC: No space left on device"
        ):
            run.fit(2, resume=True)
    assert (tmp_path / "last.safetensors").read_bytes() == before
    assert trainer(tmp_path).fit(2, resume=True).history[-1]["epoch"] == 2


def test_arguments(tmp_path):
    with pytest.raises(ArgumentError, match="fit: epochs: expected at least 1, got 0"):
        trainer(tmp_path).fit(0)
    with pytest.raises(ArgumentTypeError, match="Trainer: num_classes: expected an int"):
        trainer(tmp_path, num_classes=2.0)
    with pytest.raises(ArgumentError, match="Trainer: num_classes: expected at least 2, got 1"):
        trainer(tmp_path, num_classes=1)


def loader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("rawseg-loader")]


def test_a_run_that_fails_ends_its_threads(tmp_path):
    run = trainer(tmp_path, workers=2)
    run.loss = lambda logits, masks: F.cross_entropy(logits, masks) * math.nan
    with pytest.raises(TrainingError) as caught:
        run.fit(1)
    assert not loader_threads()
    assert caught.tb  # which holds the loop's frame, and with it the loader's


def test_a_sample_that_cannot_be_loaded_ends_the_run_and_its_threads(tmp_path):
    run = trainer(tmp_path, workers=2)

    def broken(image, mask, rng):
        raise ValueError("broken sample")

    run.train.transform = broken
    with pytest.raises(ValueError, match="broken sample"):
        run.fit(1)
    assert not loader_threads()
