"""What a run shows on a terminal, and where there is none."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rawseg.training.display import LiveDisplay, PlainDisplay, display, line

TESTS = Path(__file__).parents[1]
RECORD = {"epoch": 3, "loss": 0.25, "lr": 0.001, "images_per_second": 12.34, "seconds": 5.67}
SCORES = {"val_loss": 0.3, "val_mean_iou": 0.8, "val_mean_dice": float("nan"), "best": True}


def test_lines_by_hand():
    assert line(RECORD, 5) == "epoch 3/5  loss 0.2500  lr 1.00e-03  12.3 images/s  5.7 s"
    want = "epoch   3/100  loss 0.2500  val loss 0.3000  IoU 0.8000  Dice nan  lr 1.00e-03  12.3 images/s  5.7 s  best"
    assert line(RECORD | SCORES, 100) == want


@pytest.mark.parametrize(
    ("terminal", "environment", "plain", "kind"),
    [
        (False, {}, None, PlainDisplay),
        (True, {}, None, LiveDisplay),
        (True, {"NO_COLOR": "1"}, None, PlainDisplay),
        (True, {"TERM": "dumb"}, None, PlainDisplay),
        (True, {}, True, PlainDisplay),
        (False, {}, False, LiveDisplay),
    ],
)
def test_a_bar_on_terminals_only(monkeypatch, terminal, environment, plain, kind):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert type(display(3, 5, 0, plain)) is kind


def test_lines_appear_at_once(monkeypatch):
    flushed = []
    monkeypatch.setattr("builtins.print", lambda text, flush=False: flushed.append((text, flush)))
    with PlainDisplay(5) as screen:
        screen.batch(2, 0.5, 4)
        screen.epoch(RECORD)
    assert flushed == [(line(RECORD, 5), True)]


def test_a_real_terminal_shows_the_bar_the_loss_and_the_epochs(tmp_path):
    script = (
        "import sys; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from tiny_run import trainer\n"
        "trainer(Path(sys.argv[1])).fit(2)\n"
    )
    ours, theirs = pty.openpty()
    shown = []

    def listen():
        while True:
            try:
                shown.append(os.read(ours, 4096))
            except OSError:  # the other side is closed
                return

    listener = threading.Thread(target=listen)
    listener.start()
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    try:
        command = [sys.executable, "-c", script, str(tmp_path), str(TESTS)]
        subprocess.run(command, stdout=theirs, check=True, env={**environment, "TERM": "xterm", "COLUMNS": "120"})
    finally:
        os.close(theirs)
        listener.join()
        os.close(ours)
    text = b"".join(shown).decode()
    assert "epoch 1/2  loss 0." in text
    assert "epoch 2/2  loss 0." in text
    assert "━" in text
    assert "100%" in text
    assert "\x1b[?25l" in text  # the cursor is hidden, and shown again at the end
    assert text.rstrip().rfind("\x1b[?25h") > text.rfind("\x1b[?25l")
