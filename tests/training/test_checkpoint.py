"""Checkpoints that do not fit change nothing, and those that do carry everything."""

from __future__ import annotations

import os

import pytest
from tiny_run import Net, digest, trainer

import rawseg
from rawseg import optim
from rawseg.errors import CheckpointError
from rawseg.training import load_checkpoint, load_weights, save_checkpoint


@pytest.fixture
def finished(tmp_path):
    trainer(tmp_path).fit(1)
    return tmp_path


def refuses(run, message: str) -> None:
    """Assert that a resume raises, and changes neither weights nor slots nor random numbers."""
    rawseg.manual_seed(1)
    before, state = digest(run), rawseg.get_rng_state()
    with pytest.raises(CheckpointError, match=message):
        run.fit(2, resume=True)
    assert digest(run) == before
    assert rawseg.get_rng_state() == state
    assert run.progress.epoch == 0


def test_there_is_nothing_to_resume(tmp_path):
    refuses(trainer(tmp_path), "load: .*last.safetensors: expected a file that can be read, got ENOENT")


@pytest.mark.spec("checkpoint.load")
def test_a_damaged_checkpoint(finished):
    path = finished / "last.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(raw)
    refuses(trainer(finished), f"load: {path}: expected arrays that match their SHA-256 in the manifest, got damage in ")


def test_weights_are_no_checkpoint(finished):
    os.replace(finished / "best.safetensors", finished / "last.safetensors")
    refuses(trainer(finished), "expected a checkpoint file of rawseg, got a weights file")


@pytest.mark.spec("checkpoint.load")
def test_another_model_lists_all_that_differs(finished):
    run = trainer(finished)
    del run.model.norm
    run.model.third = Net().second
    run.model.second = Net().first
    message = (
        "resume: .*last.safetensors: .*expected the names, shapes and dtypes of Net, got missing: third.weight, third.bias; "
        r"unexpected: norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.num_batches_tracked; "
        r"mismatched: second.weight \(\(2, 6, 3, 3\) float32 instead of \(6, 1, 3, 3\) float32\), second.bias \(.*\)"
    )
    refuses(run, message)
    with pytest.raises(CheckpointError, match=r"expected the names, shapes and dtypes of Net, got missing: third\.weight"):
        load_weights(finished / "best.safetensors", run.model)


def test_another_optimizer_schedule_or_loader(finished):
    refuses(trainer(finished, rule="SGD"), "resume: .*last.safetensors: optimizer: expected SGD, as it is now, got Adam")
    refuses(trainer(finished, schedule=None), "schedule: expected a schedule as in the run that is continued, got none")
    run = trainer(finished)
    run.files.schedule = optim.lr_scheduler.StepLR(run.optimizer, 3)
    refuses(run, "last.safetensors: schedule: expected StepLR, as it is now, got SequentialLR")
    run = trainer(finished)
    run.files.loader["seed"] = 4
    refuses(run, r"loader: expected \{'seed': 4, .*, as it is now, got \{'seed': 3, ")
    run = trainer(finished)
    run.optimizer.add_param_group({"params": [rawseg.zeros(1, requires_grad=True)]})
    refuses(run, r"param_groups: expected groups of \[6, 1\] parameters, as this optimizer has, got \[6\]")


@pytest.mark.spec("checkpoint.content")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rng", {"rawseg": {"bit_generator": "MT19937"}}),
        ("rng", {}),
        ("optimizer", {}),
        ("schedule", {}),
        ("user", {}),
        ("user", 3),
    ],
)
def test_a_state_with_holes(finished, key, value):
    from rawseg.serialization import load_arrays, save_arrays

    path = finished / "last.safetensors"
    arrays, state = load_arrays(path)
    save_arrays(path, arrays, "checkpoint", state | {key: value})
    refuses(trainer(finished), rf"resume: {path}: expected a checkpoint's state, got \w+Error")


def test_checkpoints_without_a_trainer(tmp_path):
    model = Net()
    optimizer = optim.SGD(model.parameters(), momentum=0.9)
    save_checkpoint(tmp_path / "a", model, optimizer, state={"epoch": 3})
    before = rawseg.get_rng_state()
    rawseg.randn(5)
    other = Net()
    assert load_checkpoint(tmp_path / "a", other, optim.SGD(other.parameters(), momentum=0.9)) == {"epoch": 3}
    assert rawseg.get_rng_state() == before
    assert all((a.array == b.array).all() for a, b in zip(model.state_dict().values(), other.state_dict().values()))
    third = Net()
    load_weights(tmp_path / "a", third)
    assert all((a.array == b.array).all() for a, b in zip(model.state_dict().values(), third.state_dict().values()))
