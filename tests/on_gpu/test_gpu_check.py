"""``bench/gpu_check.py`` on a machine without a GPU, and on a pretended one."""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import gpu_check
import numpy as np
import pytest
from on_gpu import foreach_calls

pytestmark = pytest.mark.stand_in


def test_without_a_gpu_nothing_is_claimed(tmp_path, capsys):
    assert gpu_check.main(["--out", str(tmp_path / "none")]) == 0
    assert (
        "nothing checked, nothing timed, no file written: ModuleNotFoundError: No module named 'cupy'"
        in capsys.readouterr().out
    )
    assert not (tmp_path / "none").exists()


def test_steps_are_written_as_they_end(pretended_gpu, tmp_path, capsys):
    assert gpu_check.main(["--out", str(tmp_path), "--only", "max_pool2d.gather"]) == 0
    printed = capsys.readouterr().out
    assert "ok  check max_pool2d.gather cuda" in printed
    assert "ok  special values max_pool2d.gather cuda" in printed
    assert gpu_check.main(["--out", str(tmp_path), "--only", "planted"]) == 0
    (path,) = tmp_path.iterdir()
    found = json.loads(path.read_text())
    assert found["device"] == "Pretended"
    assert path.name.startswith(f"gpu_{found['when'][:10]}_Pretended_cuda12090_")
    (row,) = found["steps"]
    assert row["ok"]
    assert "a wrong element: differs by " in row["said"]
    assert "allowed 1e-06" in row["said"]
    assert "a bit of the last run: run 21 has other bits than the first, float32" in row["said"]


def test_a_fault_that_is_not_found_fails_the_run(pretended_gpu, monkeypatch):
    from gpu import checks

    with monkeypatch.context() as blind:
        blind.setattr(checks, "difference", lambda *_: 0.0)
        with pytest.raises(AssertionError, match="wrong element: not found"):
            checks.planted()
    monkeypatch.setattr(checks, "repeated", lambda run, _dtype: run())
    with pytest.raises(AssertionError, match="other bit: not found"):
        checks.planted()


def test_what_the_tests_need_is_told_in_a_line(pretended_gpu, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu_check, "find_spec", lambda name: None if name in ("pytest", "torch") else name)
    assert gpu_check.main(["--out", str(tmp_path / "none")]) == 0
    assert "there is no pytest, no torch (pip install -e '.[cuda12,test]')" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_launches_over_many_arrays_are_checked(pretended_gpu, tmp_path, capsys, monkeypatch):
    from gpu import checks

    monkeypatch.setattr(checks, "REPEATS", 1)
    assert gpu_check.main(["--out", str(tmp_path), "--only", "check foreach clip scale"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("ok  check foreach clip scale ")
    assert "float32 0.0e+00, float64 0.0e+00, 2 runs equal" in said
    monkeypatch.setattr(checks.foreach_calls, "called", lambda _call, _columns: None)
    assert gpu_check.main(["--out", str(tmp_path), "--only", "check foreach clip scale"]) == 1
    assert "BAD check foreach clip scale" in capsys.readouterr().out


def test_a_budget_that_is_spent_leaves_steps_out(pretended_gpu, tmp_path):
    assert gpu_check.main(["--out", str(tmp_path), "--only", "max_pool2d.cu", "--budget", "1"]) == 0
    found = json.loads(next(tmp_path.iterdir()).read_text())
    assert not found["steps"]
    assert {"name": "build max_pool2d.cu", "not_run": "the time was up"} in found["skipped"]


@pytest.mark.release
def test_loops_run_in_processes_of_their_own(pretended_gpu, tmp_path, monkeypatch):
    from gpu import loops

    monkeypatch.setattr(loops, "ProcessPoolExecutor", ProcessPoolExecutor)
    assert gpu_check.main(["--out", str(tmp_path), "--only", "max_pool2d.gather"]) == 0


def test_a_kernel_that_is_wrong_fails_the_run(pretended_gpu, tmp_path, monkeypatch, capsys):
    from gpu import checks

    monkeypatch.setattr(checks, "on_device", lambda arrays: [pretended_gpu.asarray(np.zeros_like(a)) for a in arrays])
    assert gpu_check.main(["--out", str(tmp_path), "--only", "max_pool2d.gather"]) == 1
    printed = capsys.readouterr().out
    assert "BAD check max_pool2d.gather cuda" in printed
    assert "BAD special values max_pool2d.gather cuda" in printed


@pytest.fixture
def sanitizer(pretended_gpu, tmp_path, monkeypatch):
    """Return a function that puts a program in compute-sanitizer's place."""

    def put(*lines: str) -> None:
        program = tmp_path / "compute-sanitizer"
        program.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        program.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    return put


def rows(folder, kind: str) -> list[dict]:
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text())[kind]


def test_compute_sanitizer_runs_every_call(sanitizer, tmp_path, capsys):
    sanitizer("echo ========= COMPUTE-SANITIZER", "echo first float32", "echo first float64", f'echo "$@" >> {tmp_path}/asked')
    assert gpu_check.main(["--out", str(tmp_path), "--only", "compute-sanitizer"]) == 0
    assert capsys.readouterr().out.count("2 calls, nothing found") == 3
    asked = (tmp_path / "asked").read_text().splitlines()
    assert [line.split()[1] for line in asked] == ["memcheck", "racecheck", "synccheck"]
    assert all(line.endswith("-m gpu.calls") for line in asked)


def test_what_compute_sanitizer_finds_fails_and_names_the_call(sanitizer, tmp_path):
    report = "echo '========= Invalid __global__ read of size 4 bytes'"
    sanitizer("echo ========= COMPUTE-SANITIZER", "echo first", "echo second", report, "echo third", "exit 9")
    assert gpu_check.main(["--out", str(tmp_path), "--only", "compute-sanitizer memcheck"]) == 1
    (row,) = rows(tmp_path, "steps")
    assert "memcheck, after second began: ========= Invalid __global__ read of size 4 bytes" in row["said"]


def test_a_tool_that_takes_too_long_is_stopped_with_all_that_it_started(sanitizer, tmp_path, monkeypatch):
    from gpu import sanitizer as step

    monkeypatch.setattr(step, "SECONDS", 1)
    sanitizer("echo first", f"sleep 600 & echo $! > {tmp_path}/child", "wait")
    assert gpu_check.main(["--out", str(tmp_path), "--only", "compute-sanitizer racecheck"]) == 0
    (row,) = rows(tmp_path, "skipped")
    assert row["not_run"] == "1 s were too short: it came to call 1"
    state = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"  # killed, if not yet collected


def test_without_compute_sanitizer_nothing_is_claimed(pretended_gpu, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("CUDA_PATH", str(tmp_path))
    assert gpu_check.main(["--out", str(tmp_path), "--only", "compute-sanitizer racecheck"]) == 0
    (row,) = rows(tmp_path, "skipped")
    assert row["not_run"].startswith("there is no compute-sanitizer: pip install")
    assert "0 passed, 0 failed, 1 skipped" in capsys.readouterr().out


def test_the_sanitized_process_makes_every_call(pretended_gpu, monkeypatch, capsys):
    from gpu import calls

    allocators = []
    monkeypatch.setattr(pretended_gpu.cuda, "set_allocator", allocators.append, raising=False)
    monkeypatch.setattr(calls, "CALLS", [case for case in calls.CALLS if str(case).startswith("max_pool2d.gather")])
    calls.main()
    printed = capsys.readouterr().out.split("\n")
    of_all = [
        "max_pool2d.gather cuda",
        *(call.name for call in foreach_calls.CALLS),
        *(f"clip norm {p:g}" for p in foreach_calls.NORMS),
    ]
    sorted_keys = [f"order of {size} int64" for size in calls.SIZES]
    assert printed == [*(f"{name} {dtype}" for dtype in ("float32", "float64") for name in of_all), *sorted_keys, ""]
    assert allocators == [None]
