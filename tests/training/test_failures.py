"""Runs that cannot go on say why, and leave what was good."""

from __future__ import annotations

import math
import os
import threading

import pytest
from tiny_run import trainer

from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, CheckpointError
from rawseg.training import Segmentation, Trainer, TrainingError


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
    with pytest.raises(ArgumentTypeError, match="Segmentation: num_classes: expected an int"):
        trainer(tmp_path, task=Segmentation(2.0))
    with pytest.raises(ArgumentError, match="Trainer: train: expected at least one batch, got none"):
        Trainer(None, None, None, [], folder=tmp_path)
    with pytest.raises(ArgumentError, match="Segmentation: num_classes: expected at least 2, got 1"):
        trainer(tmp_path, task=Segmentation(1))


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
