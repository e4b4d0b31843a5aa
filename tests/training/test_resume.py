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
from tiny_run import digest, trainer

import rawseg
from rawseg.training.interrupt import Interrupt

TESTS = Path(__file__).parents[1]


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


@pytest.mark.spec("checkpoint.resume", "checkpoint.content")
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


@pytest.mark.spec("checkpoint.resume")
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
    assert (
        out.splitlines()[-1] == f"interrupted in epoch {len(result.history) + 1}; {last} continues it (resume=True, --resume)"
    )
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
