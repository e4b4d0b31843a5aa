"""``bench/gpu_check.py`` on a machine without a GPU, and on a pretended one."""

from __future__ import annotations

import json
import sys

import gpu_check
import numpy as np
import pytest
from cuda.pretended_cupy import pretended

pytestmark = pytest.mark.stand_in


@pytest.fixture
def pretended_gpu():
    with pretended() as cupy:
        yield cupy
    for name in [name for name in sys.modules if name == "gpu" or name.startswith("gpu.")]:
        del sys.modules[name]  # they hold the stand-in


def test_without_a_gpu_nothing_is_claimed(tmp_path, capsys):
    assert gpu_check.main(["--out", str(tmp_path / "none")]) == 0
    assert (
        "nothing checked, nothing timed, no file written: ModuleNotFoundError: No module named 'cupy'"
        in capsys.readouterr().out
    )
    assert not (tmp_path / "none").exists()


def test_steps_are_written_as_they_end(pretended_gpu, tmp_path, capsys):
    assert gpu_check.main(["--out", str(tmp_path), "--only", "max_pool2d.gather"]) == 0
    assert gpu_check.main(["--out", str(tmp_path), "--only", "planted"]) == 0
    (path,) = tmp_path.iterdir()
    found = json.loads(path.read_text())
    assert found["device"] == "Pretended"
    assert path.name.startswith(f"gpu_{found['when'][:10]}_Pretended_cuda12090_")
    (row,) = found["steps"]
    assert row["ok"]
    assert "allowed 1e-06" in row["said"]
    assert "ok  check max_pool2d.gather cuda" in capsys.readouterr().out


def test_a_budget_that_is_spent_leaves_steps_out(pretended_gpu, tmp_path):
    assert gpu_check.main(["--out", str(tmp_path), "--only", "max_pool2d", "--budget", "1"]) == 0
    found = json.loads(next(tmp_path.iterdir()).read_text())
    assert not found["steps"]
    assert "build max_pool2d.cu" in found["skipped"]


def test_a_kernel_that_is_wrong_fails_the_run(pretended_gpu, tmp_path, monkeypatch, capsys):
    from gpu import checks

    monkeypatch.setattr(checks, "on_device", lambda arrays: [pretended_gpu.asarray(np.zeros_like(a)) for a in arrays])
    assert gpu_check.main(["--out", str(tmp_path), "--only", "check max_pool2d.gather"]) == 1
    assert "BAD check max_pool2d.gather cuda" in capsys.readouterr().out
