"""``rawseg bench`` from its command line to its files, in processes of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rawseg.benchmark import processes, report
from rawseg.cli import app
from rawseg.errors import ArgumentError, BackendError

CONV = ("--op", "conv2d", "--shape", "1x4x12x12 out_channels=8 kernel_size=3 padding=1", "--threads", 1, "--repeats", 2)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leave:
        app([str(a) for a in arguments])
    return leave.value.code if isinstance(leave.value.code, int) else 0


def test_a_run_writes_its_table_file_and_pictures(tmp_path, capsys):
    file = tmp_path / "runs" / "a.json"
    code = run("bench", *CONV, "--save", file, "--plot", tmp_path / "pictures", "--pass", "forward")
    printed = capsys.readouterr()
    assert code == 0, printed.err
    for word in ("im2col", "winograd4", "direct", "1 threads", "err/bound", "tuned", "copies"):
        assert word in printed.out
    document = json.loads(file.read_text())
    assert document["machine"]["versions"]["torch"]
    assert {row["algorithm"] for row in document["rows"]} == {"im2col", "winograd4", "winograd2", "direct"}
    for row in document["rows"]:
        assert len(row["ms"]) == len(row["torch"]) == 2
        assert row["tuned"]["ms"]
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"roofline.png", "ratios.png"}


@pytest.mark.release
def test_first_calls_are_timed_with_and_without_a_cache(tmp_path, capsys):
    shape = "--op", "relu", "--shape", "1x4x12x12", "--threads", 1, "--repeats", 1, "--no-tuned", "--pass", "forward"
    assert run("bench", *shape, "--algorithm", "direct", "--cold", "--save", tmp_path / "a.json") == 0
    (row,) = json.loads((tmp_path / "a.json").read_text())["rows"]
    assert set(row["cold"]) == {"empty", "warm"}
    assert min(row["cold"].values()) > 0  # which is larger is for the bench to say, not for a test
    assert "empty" in capsys.readouterr().out


@pytest.mark.release
def test_an_older_file_is_compared_with(tmp_path, capsys):
    file = tmp_path / "a.json"
    assert run("bench", *CONV, "--no-tuned", "--pass", "forward", "--algorithm", "auto", "--save", file) == 0
    document = json.loads(file.read_text())
    for row in document["rows"]:
        row["ms"] = [time / 1000 for time in row["ms"]]
    file.write_text(json.dumps(document))
    arguments = "bench", *CONV, "--no-tuned", "--pass", "forward", "--algorithm", "im2col", "--compare", file
    assert run(*arguments) == 1
    assert "slower" in capsys.readouterr().out
    for row in document["rows"]:
        row["ms"] = [time * 1e6 for time in row["ms"]]
    file.write_text(json.dumps(document))
    assert run(*arguments) == 0
    assert "faster" in capsys.readouterr().out


def test_times_of_other_threads_are_not_compared_with(tmp_path, capsys):
    report.save(tmp_path / "a.json", {"threads": 2}, rows=[])
    assert run("bench", *CONV, "--compare", tmp_path / "a.json") == 2
    assert "a.json: expected times of 1 thread, as --threads says, got 2 threads" in capsys.readouterr().err


@pytest.mark.release
def test_foreign_kernels_stand_in_the_same_table_if_they_are_right(monkeypatch, capsys):
    monkeypatch.chdir(Path(__file__).parent)
    shared = ("bench", *CONV, "--no-tuned", "--algorithm", "im2col", "--impl")
    assert run(*shared, "my_kernels:pair") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    found = [line[: line.index("my_kernels:pair")] for line in lines if "my_kernels:pair" in line]
    assert found == [["forward"], ["grad", "weight"]]
    assert run(*shared, "my_kernels:wrong", "--pass", "forward") == 1
    assert "off by more than rounding can be" in capsys.readouterr().out


@pytest.mark.release
def test_foreign_kernels_are_timed_or_their_error_is_told(monkeypatch, capsys):
    monkeypatch.chdir(Path(__file__).parent)
    shared = ("bench", *CONV, "--no-tuned", "--algorithm", "im2col", "--pass", "forward", "--impl")
    assert run(*shared, "my_kernels:right") == 0
    assert run(*shared, "my_kernels:broken") == 1
    assert "RuntimeError: no such shape" in capsys.readouterr().out


@pytest.mark.release
def test_a_model_is_timed_with_its_memory(tmp_path, capsys):
    shared = "--batch", 1, "--size", 64, "--threads", 1, "--repeats", 1, "--no-tuned"
    file = tmp_path / "a.json"
    assert run("bench", "--model", "unet", "--width", 4, "--mode", "train", *shared, "--save", file) == 0
    document = json.loads(file.read_text())
    assert document["difference"] < 1e-9
    assert set(document["ms"]) == {"train"}
    assert document["memory"].keys() == document["ms"]["train"].keys() == {"rawseg", "torch", "torch channels_last"}
    assert "peak MiB" in capsys.readouterr().out


@pytest.mark.release
def test_growth_is_measured_and_drawn(tmp_path, capsys, monkeypatch):
    from rawseg.benchmark import run as runs

    monkeypatch.setattr(runs, "AXES", {"batch": (1, 2), "threads": ()})
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert run("bench", *CONV, "--scale", "batch", "--scale", "threads", "--plot", tmp_path, "--save", tmp_path / "g.json") == 0
    assert (tmp_path / "growth.png").exists()
    series = json.loads((tmp_path / "g.json").read_text())["series"]
    assert [point["at"] for point in series["batch"]] == [point["at"] for point in series["threads"]] == [1, 2]
    assert all(point["ms"] and point["torch"] and point["memory"] > 0 for points in series.values() for point in points)
    assert "threads" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--op", "fft"), "--op: expected one of"),
        (("--family", "lenet"), "--family: expected one of"),
        (("--shape", "1x4x9x9"), "--op: expected the one operation that --shape is of"),
        (("--op", "conv2d", "--shape", "4by4"), "--shape: expected sizes and options"),
        (("--op", "conv2d", "--shape", "1x4x9x9 colour=1"), "--shape: expected sizes and options of conv2d"),
        pytest.param(
            (*CONV, "--impl", "no_such_package:f"),
            "--impl: expected package.module:function that can be imported",
            marks=pytest.mark.release,  # as the next one
        ),
        ((*CONV, "--impl", "math"), "--impl: expected package.module:function that can be imported"),
        ((*CONV, "--pass", "sideways"), "of ('forward', 'grad input', 'grad weight'), got ['sideways']"),
        (("--op", "conv2d", "--shape", "1x4x9x9"), "(missing a required argument: 'out_channels')"),
        (("--impl", "my_kernels:right"), "--op: expected the one operation that --impl computes, got none"),
        ((*CONV, "--scale", "colour"), "--scale: expected one of"),
        (("--op", "linear", "--scale", "batch"), "--scale: expected a case of maps"),
        (("--op", "conv2d", "--shape", "1x4x9x9 out_channels=4 kernel_size=3 groups=0"), "sizes and options of conv2d"),
        ((*CONV, "--scale", "batch", "--compare", "a.json"), "--compare: expected nothing beside --scale"),
        (("--model", "unet", "--compare", "a.json"), "--compare: expected nothing beside --model"),
        (("--model", "unet", "--save", "."), "--save: expected a file"),
        (("--model", "lenet"), "--model: expected one of"),
        (("--model", "unet", "--mode", "dream"), "--mode: expected one of"),
        ((*CONV, "--compare", "none.json"), "none.json: expected a file that --save wrote"),
    ],
)
def test_mistakes_end_in_one_line(arguments, message, capsys):
    assert run("bench", *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1


def test_without_torch_there_is_nothing_to_compare_with(monkeypatch, capsys):
    monkeypatch.setattr(processes, "torch_is_there", lambda: False)
    assert run("bench", *CONV) == 2
    assert "pip install torch" in capsys.readouterr().err


def test_a_process_that_dies_is_told(monkeypatch):
    monkeypatch.setattr(processes.sys, "executable", "/bin/false")
    with pytest.raises(BackendError, match="measuring process: expected an end without an error, got exit code 1"):
        list(processes.ask({"cases": []}))


def test_what_a_process_refuses_is_raised_here():
    case = ("fft", "given", "fft", (4,), {})
    with pytest.raises(ArgumentError, match="--op"):
        list(processes.ask({"cases": [case]}))


def test_threads_are_pinned_and_equal(monkeypatch):
    monkeypatch.delenv("GOMP_CPU_AFFINITY", raising=False)
    variables = processes.environment(3)
    assert variables["OMP_NUM_THREADS"] == variables["RAWSEG_NUM_THREADS"] == "3"
    assert variables["GOMP_CPU_AFFINITY"]
    monkeypatch.setenv("GOMP_CPU_AFFINITY", "0")
    assert processes.environment(1)["GOMP_CPU_AFFINITY"] == "0"
