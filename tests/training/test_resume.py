"""The same bits: for any number of threads, and whether or not a run was stopped."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tiny_run import Net, trainer

import rawseg
from rawseg import optim
from rawseg.errors import CheckpointError
from rawseg.training import load_checkpoint, load_weights, save_checkpoint
from rawseg.training.interrupt import Interrupt

TESTS = Path(__file__).parents[1]


def digest(run) -> str:
    """Of all weights, buffers and optimizer slots."""
    found = hashlib.sha256()
    for name, tensor in run.model.state_dict().items():
        found.update(name.encode() + tensor.array.tobytes())
    for position, slots in run.optimizer.state_dict()["state"].items():
        for name, value in sorted(slots.items()):
            found.update(f"{position} {name}".encode() + (repr(value).encode() if isinstance(value, int) else value.tobytes()))
    return found.hexdigest()


def timeless(history: list[dict]) -> list[dict]:
    return [{k: v for k, v in record.items() if k not in ("seconds", "images_per_second")} for record in history]


def press_ctrl_c_after(run, steps: int, presses: int = 1) -> None:
    step = run.optimizer.step

    def pressing():
        step()
        if run.progress.step + 1 == steps:
            for _ in range(presses):
                os.kill(os.getpid(), signal.SIGINT)

    run.optimizer.step = pressing


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> dict:
    """Four epochs in one go, for each rule: digest, history, SHA-256 of the best weights."""
    found = {}
    for rule in ("SGD", "Adam"):
        folder = tmp_path_factory.mktemp(rule)
        run = trainer(folder, rule)
        history = run.fit(4).history
        best = hashlib.sha256((folder / "best.safetensors").read_bytes()).hexdigest()
        found[rule] = digest(run), timeless(history), best
    return found


@pytest.mark.parametrize("rule", ["SGD", "Adam"])
def test_two_epochs_and_two_more_are_four(tmp_path, whole, rule):
    trainer(tmp_path, rule).fit(2)
    run = trainer(tmp_path, rule)
    for parameter in run.model.parameters():  # whatever it begins with
        parameter.requires_grad_(False).fill_(7.0).requires_grad_(True)
    rawseg.manual_seed(99)
    result = run.fit(4, resume=True)
    assert (digest(run), timeless(result.history)) == whole[rule][:2]
    assert hashlib.sha256((tmp_path / "best.safetensors").read_bytes()).hexdigest() == whole[rule][2]


@pytest.mark.parametrize(("rule", "steps"), [("SGD", 1), ("Adam", 7), ("Adam", 10), ("SGD", 13)])
def test_ctrl_c_saves_and_a_resumed_run_has_the_same_bits(tmp_path, whole, rule, steps, capfd):
    run = trainer(tmp_path, rule)
    press_ctrl_c_after(run, steps)
    result = run.fit(4)
    assert result.interrupted
    assert run.progress.step == steps
    assert len(result.history) == (steps - 1) // 5  # Ctrl-C in the last batch of an epoch comes before its validation
    out, err = capfd.readouterr()
    assert "stopping after this batch; Ctrl-C again stops at once" in err
    last = tmp_path / "last.safetensors"
    assert out.splitlines()[-1] == f"interrupted in epoch {len(result.history) + 1}; {last} continues it (resume)"
    again = trainer(tmp_path, rule)
    result = again.fit(4, resume=True)
    assert not result.interrupted
    assert (digest(again), timeless(result.history)) == whole[rule][:2]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_validation_and_after_the_last_epoch(tmp_path, whole):
    run = trainer(tmp_path)
    forward, asked = run.model.forward, []

    def pressing(x):
        if not run.model.training and not asked:
            asked.append(os.kill(os.getpid(), signal.SIGINT))
        return forward(x)

    run.model.forward = pressing
    run.validation = tuple(array[[0, 1, 2, 3, 0]] for array in run.validation)  # two batches
    assert run.fit(4).interrupted
    assert (run.progress.epoch, run.progress.batch) == (0, 5)
    again = trainer(tmp_path)
    press_ctrl_c_after(again, 1000)
    result = again.fit(4, resume=True, on_epoch=lambda record: record["epoch"] == 4 and os.kill(os.getpid(), signal.SIGINT))
    assert not result.interrupted  # it was done
    assert (digest(again), timeless(result.history)) == whole["Adam"][:2]


def test_a_second_ctrl_c_stops_at_once_and_the_last_epoch_stays(tmp_path, whole):
    run = trainer(tmp_path)
    press_ctrl_c_after(run, 8, presses=2)
    with pytest.raises(KeyboardInterrupt):
        run.fit(4)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    again = trainer(tmp_path)
    again.fit(4, resume=True)
    assert digest(again) == whole["Adam"][0]


def test_outside_the_main_thread_and_beside_another_handler_ctrl_c_is_left_alone():
    def inside():
        with Interrupt() as interrupt:
            found.append((interrupt.requested, signal.getsignal(signal.SIGINT) is signal.default_int_handler))

    found: list = []
    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    assert found == [(False, True)]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupt():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("threads", "workers"), [(1, 0), (2, 2), (4, 3)])
def test_the_bits_do_not_depend_on_threads(tmp_path, whole, threads, workers, monkeypatch):
    monkeypatch.setattr("rawseg_kernels._threads.SERIAL_WORK", 0)  # even these few pixels are spread
    before = rawseg.get_num_threads()
    rawseg.set_num_threads(threads)
    try:
        run = trainer(tmp_path, workers=workers)
        run.fit(4)
    finally:
        rawseg.set_num_threads(before)
    assert digest(run) == whole["Adam"][0]
    assert hashlib.sha256((tmp_path / "best.safetensors").read_bytes()).hexdigest() == whole["Adam"][2]


def test_the_bits_follow_from_the_seeds_whatever_happened_before(tmp_path, whole):
    run = trainer(tmp_path)
    run.model.eval()
    rawseg.randn(7)
    run.fit(4)
    assert digest(run) == whole["Adam"][0]
    other = trainer(tmp_path / "other", seed=1)  # other dropout
    other.fit(4)
    assert digest(other) != whole["Adam"][0]


def test_another_process_that_is_killed_and_resumed_has_the_same_bits(tmp_path, whole):
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from tiny_run import trainer\n"
        "run = trainer(Path(sys.argv[1]), workers=1)\n"
        "step = run.optimizer.step\n"
        "run.optimizer.step = lambda: os.kill(os.getpid(), 9) if run.progress.step == 12 else step()\n"
        "run.fit(4)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path), str(TESTS)], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    run = trainer(tmp_path)
    result = run.fit(4, resume=True)
    assert (digest(run), timeless(result.history)) == whole["Adam"][:2]


def test_a_finished_run_is_resumed_into_nothing(tmp_path):
    trainer(tmp_path).fit(1)
    run = trainer(tmp_path)
    result = run.fit(1, resume=True)
    assert len(result.history) == 1
    assert not result.interrupted


# what does not fit


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


def test_a_damaged_checkpoint(finished):
    path = finished / "last.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-5] ^= 1
    path.write_bytes(raw)
    refuses(trainer(finished), f"load: {path}: expected arrays that match their SHA-256 in the manifest, got damage in ")


def test_weights_are_no_checkpoint(finished):
    os.replace(finished / "best.safetensors", finished / "last.safetensors")
    refuses(trainer(finished), "expected a checkpoint file of rawseg, got a weights file")


def test_another_model_lists_all_that_differs(finished):
    run = trainer(finished)
    del run.model.norm
    run.model.third = Net().second
    run.model.second = Net().first
    message = (
        "load: .*last.safetensors: expected the keys of this model, got missing: third.weight, third.bias; "
        r"unexpected: norm.weight, norm.bias, norm.running_mean, norm.running_var, norm.num_batches_tracked; "
        r"of another dtype or shape: second.weight \(float32 \(2, 6, 3, 3\) for float32 \(6, 1, 3, 3\)\), second.bias \(.*\)"
    )
    refuses(run, message)
    with pytest.raises(CheckpointError, match=r"expected the keys of this model, got missing: third\.weight"):
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
