"""Tables, files, and what counts as a change."""

from __future__ import annotations

import io
import json
import math
from types import SimpleNamespace

import pytest
from PIL import Image
from rich.console import Console

from rawseg.benchmark import pictures, report, timing
from rawseg.benchmark.timing import measure, median, spread
from rawseg.errors import DataError

MACHINE = {"cpu": "a processor", "threads": 1, "peak_flops": 1e11, "copy_bandwidth": 1e10}


def row(ms, torch=(), **changes):
    start = {"op": "conv2d", "family": "unet", "case": "3x3", "shape": [1, 2, 3, 4], "options": {}, "pass": "forward"}
    start |= {"algorithm": "im2col", "auto": True, "flops": 1e9, "bytes": 1e7, "workspace": 2**20, "ratio": 0.25}
    return {**start, "deterministic": True, "ms": list(ms), "torch": list(torch), **changes}


def text_of(*pieces):
    screen = Console(width=120, record=True, file=io.StringIO())
    for piece in pieces:
        screen.print(piece)
    return screen.export_text()


def test_the_table_says_what_was_measured():
    found = row([20.0, 21.0, 19.0], [30.0, 40.0, 50.0])
    found["torch channels_last"] = [10.0]
    found["tuned"] = {"ms": [20.0], "torch": [25.0], "torch channels_last": [15.0]}
    text = text_of(*report.tables([found, row([], wrong="it is green", algorithm="mine")], MACHINE))
    assert "a processor, 1 threads: 100 GFLOP/s, copies 10.0 GB/s" in text
    # 1e9 operations in 20 ms are 50 GFLOP/s, half of the peak; torch takes 40 ms, 10 and, tuned, 15
    (line,) = (line.split() for line in text.splitlines() if "im2col" in line)
    assert line == ["forward", "im2col*", "20", "50", "0.5", "50%", "1.0M", "0.2", "yes", "2.00", "0.50", "0.75"]
    assert "forward, mine: NOT TIMED: it is green" in text


def test_the_roof_is_the_lower_of_both_ceilings():
    assert report.share_of_roof(row([10.0]), MACHINE) == pytest.approx(1.0)  # 1e9 operations at 1e11 a second
    assert report.share_of_roof(row([10.0], flops=0.0), MACHINE) == pytest.approx(0.1)  # 1e7 bytes at 1e10 a second


def test_missing_sides_leave_their_cells_empty():
    assert math.isnan(report.ratio(row([1.0]), "torch"))
    assert math.isnan(report.tuned_ratio(row([1.0])))
    assert report.cells(row([1.0]), MACHINE)[-3:] == ["", "", ""]


def test_a_file_is_read_as_it_was_written(tmp_path):
    rows = [row([1.0, 2.0])]
    report.save(tmp_path / "a.json", MACHINE, rows=rows)
    assert report.load(tmp_path / "a.json") == {"version": report.VERSION, "machine": MACHINE, "rows": rows}


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b"\xff", b'{"version": 1, "rows": [{}]}', b'{"version": 99, "rows": []}', b'{"rows": 3}']
)
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match="a file that --save wrote"):
        report.load(tmp_path / "a.json")
    with pytest.raises(DataError, match="a file that --save wrote"):
        report.load(tmp_path / "none.json")


STEADY = [10.0, 10.1, 9.9, 10.0, 10.1, 9.9, 10.0]


def change(before, after):
    (found,) = report.changes({"rows": [before]}, [after])
    return found


def scaled(times, factor):
    return [factor * time for time in times]


def test_what_got_slower_beyond_noise_is_said():
    assert change(row(STEADY), row(scaled(STEADY, 1.2))).verdict == "slower"
    assert change(row(STEADY), row(scaled(STEADY, 0.8))).verdict == "faster"
    assert change(row(STEADY), row(scaled(STEADY, 1.04))).verdict == ""
    noisy = [10.0, 14.0, 8.0, 12.0, 7.0, 15.0, 10.0]
    assert change(row(noisy), row(scaled(noisy, 1.2))).verdict == ""


def test_a_slower_machine_is_no_slower_kernel():
    before, after = row(STEADY, scaled(STEADY, 3)), row(scaled(STEADY, 1.5), scaled(STEADY, 4.5))
    assert change(before, after).verdict == ""
    assert change(before, row(scaled(STEADY, 1.5), scaled(STEADY, 3))).verdict == "slower"


def test_only_what_both_have_is_compared():
    assert report.changes({"rows": [row(STEADY)]}, [row(STEADY, algorithm="direct")]) == []
    assert report.changes({"rows": [row([])]}, [row(STEADY)]) == []
    assert "slower" in text_of(report.comparison([change(row(STEADY), row(scaled(STEADY, 2)))]))


def test_pictures_are_drawn(tmp_path):
    rows = [
        row(STEADY, STEADY, **{"torch channels_last": STEADY}),
        row(STEADY, STEADY, **{"pass": "grad weight"}),
        row(STEADY, op="relu", flops=0.0),
        row([], wrong="wrong"),
    ]
    pictures.roofline(rows, MACHINE, tmp_path / "roofline.png")
    pictures.ratios(rows, MACHINE, tmp_path / "ratios.png")
    points = [{"at": at, "memory": 1000 * at, "ms": [float(at)], "torch": [2.0 * at]} for at in (1, 2, 4)]
    pictures.growth({"batch": points, "threads": points[:1]}, MACHINE, tmp_path / "growth.png")
    for name in ("roofline", "ratios", "growth"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert min(picture.size) > 100
            assert len(set(picture.convert("L").tobytes())) > 8  # something is on it


def test_growth_and_models_have_tables():
    from rawseg.benchmark.cases import parse

    points = [{"at": 2, "memory": 3 * 2**20, "ms": [1.5], "torch": [3.0]}]
    text = text_of(report.growth(parse("conv2d", "1x2x3x3"), {"batch": points}))
    assert ["batch", "2", "1.5", "3.0", "2.00"] in [line.split() for line in text.splitlines()]
    sides = {"rawseg": [10.0], "torch": [15.0], "torch channels_last": [5.0]}
    result = {"ms": {"train": sides}, "tuned": {}, "memory": {side: {"train": 2**20} for side in sides}}
    result["cold"] = {"empty": {"train": 2000.0}, "warm": {"train": 500.0}}
    asked = {"model": "unet", "width": 8, "batch": 2, "size": 64}
    lines = [line.split() for line in text_of(report.model(asked, MACHINE, result)).splitlines()]
    assert ["train", "rawseg", "10.0", "1.00", "1", "2.00", "0.50"] in lines
    assert ["train", "torch", "15.0", "1.50", "1"] in lines
    assert "not timed: so it is" in text_of(report.model(asked, MACHINE, {"ms": {}, "wrong": "so it is"}))


def test_sides_are_timed_in_turn_and_slow_ones_less_often(monkeypatch):
    now, order = 0.0, []

    def wait(seconds):
        nonlocal now
        now += seconds

    def side(name, seconds):
        def run():
            order.append(name)
            wait(seconds)

        return run

    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: now, sleep=wait))
    sides = {"slow": side("slow", 0.5), "quick": side("quick", 0.004), "short": side("short", 0.001)}
    times = measure(sides, 6, seconds=1.0)
    assert times == {"slow": [500.0] * 3, "quick": [4.0] * 6, "short": [1.0] * 6}
    assert order[:10] == ["slow"] * 2 + ["quick"] * 2 + ["short"] * 2 + ["slow"] * 2 + ["quick"] * 2  # warm-up; then samples
    assert order.count("slow") == 2 + 2 * 3
    assert order.count("quick") == 2 + 2 * 6
    assert order.count("short") == 2 + (5 + 2) * 6  # calls that warm the caches, and those that are timed


def test_the_spread_is_a_share_of_the_median():
    assert median([3.0, 1.0, 2.0]) == 2.0
    assert spread([8.0, 10.0, 12.0]) == pytest.approx(0.2)
    assert json.dumps(spread([1.0])) == "0.0"
