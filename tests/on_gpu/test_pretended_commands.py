"""``rawseg ... --device cuda`` on a pretended GPU: the commands print and write what they do on the CPU."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rawseg.cli import app
from rawseg.cli.demos import nuclei
from rawseg.tensorfile import read

SIZES = (24, 30), (32, 24), (21, 37), (24, 24)
SEGMENTER = ("--width", 2, "--depth", 1, "--crop", 16, "--crops", 1)
DETECTOR = ("--model", "mask_rcnn", "-O", "backbone=resnet18", "-O", "width_mult=0.0625", "-O", "channels=4", "-O", "hidden=8")
DETECTOR += ("-O", "mask_layers=1", "-O", "regions=8", "-O", "min_size=32", "-O", "max_size=48", "-O", "proposals=16,10")
DETECTOR += ("-O", "anchor_sizes=8,16,24,32,48")
# Not Adam's: see test_pretended_training.
RUN = ("--batch-size", 2, "--optimizer", "sgd", "--lr", 0.01, "--schedule", "constant", "--workers", 0, "--plain")


@pytest.fixture(scope="module", autouse=True)
def _on_a_device(cupy):
    """Every command below may be told ``--device cuda``."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Four images of different sizes, each with one bright rectangle, and masks that are 1 there."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for i, size in enumerate(SIZES):
        mask = np.zeros(size, np.uint8)
        mask[4:18, 5:20] = 1
        image = np.clip(60 + 120 * mask[..., None] + rng.normal(0, 15, (*size, 3)), 0, 255).astype(np.uint8)
        for name, array in (("images", image), ("masks", mask)):
            (root / name).mkdir(exist_ok=True)
            Image.fromarray(array).save(root / name / f"scan{i}.png")
    return root


def run(*arguments: object) -> int:
    """Run one command in this process and return its exit code."""
    with pytest.raises(SystemExit) as leave:
        app([str(argument) for argument in arguments])
    return leave.value.code if isinstance(leave.value.code, int) else 0


def history(out: Path) -> list[dict[str, Any]]:
    lines = (out / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [{key: v for key, v in record.items() if key not in ("seconds", "images_per_second")} for record in records]


def numbers(path: Path) -> list[float]:
    """Return all numbers of a JSON file, in their order."""
    found: list[float] = []
    json.loads(
        path.read_text(), parse_float=lambda text: found.append(float(text)), parse_int=lambda text: found.append(int(text))
    )
    return found


def train(folder: Path, out: Path, device: str, epochs: int, *more: object) -> Path:
    assert run("train", folder, "--out", out, *more, *RUN, "--epochs", epochs, "--device", device) == 0
    return out


NETWORKS = {"segmenter": SEGMENTER, "detector": DETECTOR}


@pytest.fixture(scope="module", params=["segmenter", pytest.param("detector", marks=pytest.mark.release)])
def trained(request, folder, tmp_path_factory) -> tuple[str, Path]:
    """Two epochs of a network on the device."""
    return request.param, train(folder, tmp_path_factory.mktemp("runs") / "cuda", "cuda", 2, *NETWORKS[request.param])


def test_train_writes_the_numbers_of_the_cpu(trained, folder, tmp_path):
    name, out = trained
    want = train(folder, tmp_path / "cpu", "cpu", 2, *NETWORKS[name])
    for got, record in zip(history(out), history(want), strict=True):
        assert list(got) == list(record)
        for key, value in record.items():
            np.testing.assert_allclose(got[key], value, rtol=1e-5, atol=1e-6, err_msg=key)
    assert sorted(path.name for path in out.iterdir()) == sorted(path.name for path in want.iterdir())
    assert {k: a.shape for k, a in read(out / "last.safetensors")[0].items()} == {
        k: a.shape for k, a in read(want / "last.safetensors")[0].items()
    }


LONG = [("cuda", "cuda"), ("cpu", "cuda")]


@pytest.mark.parametrize(
    ("first", "second"), [("cuda", "cpu"), *(pytest.param(*pair, marks=pytest.mark.release) for pair in LONG)]
)
def test_a_run_is_resumed_on_the_same_device_with_the_same_bits_or_on_the_other(trained, folder, tmp_path, first, second):
    name, out = trained
    parts = train(folder, tmp_path / "parts", first, 1, *NETWORKS[name])
    train(folder, parts, second, 2, *NETWORKS[name], "--resume")
    tolerance = 0 if first == second else 1e-5
    for got, record in zip(history(parts), history(out), strict=True):
        for key, value in record.items():
            np.testing.assert_allclose(got[key], value, rtol=tolerance, atol=tolerance / 10, err_msg=key)
    if first == second:
        files = [[read(path / file)[0] for file in ("best.safetensors", "last.safetensors")] for path in (parts, out)]
        got, want = ([{name: array.tobytes() for name, array in file.items()} for file in pair] for pair in files)
        assert got == want


def test_evaluate_and_predict_are_those_of_the_cpu(trained, folder, tmp_path):
    name, out = trained
    weights = ("--weights", out / "best.safetensors")
    for device in ("cpu", "cuda"):
        assert run("evaluate", folder, *weights, "--json", tmp_path / f"{device}.json", "--device", device) == 0
        score = ("--score", 0.6) if name == "detector" else ()
        assert run("predict", folder / "images", *weights, "--out", tmp_path / device, "--device", device, *score) == 0
    for got, want in zip(numbers(tmp_path / "cuda.json"), numbers(tmp_path / "cpu.json"), strict=True):
        assert got == pytest.approx(want, abs=0.02, nan_ok=True)  # of a pixel whose classes are equally likely rounding decides
    files = sorted(path.name for path in (tmp_path / "cpu").iterdir())
    assert sorted(path.name for path in (tmp_path / "cuda").iterdir()) == files
    for file in files:
        if file.endswith(".png"):
            got, want = (np.asarray(Image.open(tmp_path / device / file)) for device in ("cuda", "cpu"))
            assert (got == want).mean() > 0.98, file


@pytest.mark.release
def test_xray_writes_a_page_and_compares_devices(folder, tmp_path, capsys):
    out = train(folder, tmp_path / "run", "cuda", 1, *DETECTOR)
    weights = ("--weights", out / "best.safetensors")
    for device in ("cpu", "cuda"):
        image = folder / "images" / "scan0.png"
        assert run("xray", image, *weights, "--out", tmp_path / device, "--device", device) == 0
        assert (tmp_path / device / "index.html").exists()
    capsys.readouterr()
    again = ("xray", "--compare", tmp_path / "cuda", tmp_path / "cuda", *weights, "--device", "cuda")
    assert run(*again) == 0
    assert "no stage differs" in capsys.readouterr().out


@pytest.mark.release
def test_the_demo_trains_on_the_device(tmp_path, monkeypatch):
    small = {"WIDTH": 2, "DEPTH": 1, "CROP": 16, "BATCH": 2, "CROPS": 4}
    for name, value in small.items():
        monkeypatch.setattr(nuclei, name, value)
    scores = {}
    for device in ("cpu", "cuda"):
        out = tmp_path / device
        assert run("demo", "--out", out, "--epochs", 1, "--plain", "--device", device) == 0
        scores[device] = json.loads((out / "nuclei" / "scores.json").read_text())
    for name, row in scores["cpu"].items():
        assert scores["cuda"][name] == pytest.approx(row, abs=0.02)  # pixels of two equally likely classes


def test_check_holds_operations_to_their_contracts_on_the_device(capsys):
    assert run("check", "--op", "relu", "--op", "max_pool2d", "--examples", 2, "--only", "values", "--device", "cuda") == 0
    assert "2 operations" in capsys.readouterr().out


COMMANDS = {
    "train": lambda f: ("train", f, "--out", f / "new", *SEGMENTER),
    "demo": lambda f: ("demo", "--out", f / "new"),
    "demo instance": lambda f: ("demo", "--task", "instance", "--out", f / "new"),
    "ablate": lambda f: ("ablate", "roi", "--out", f / "new"),
    "check": lambda f: ("check", "--op", "relu", "--only", "values"),
}
WRONG = {
    "cuda:x": r"device: expected 'cpu', 'cuda' or 'cuda:N', got 'cuda:x'",
    "cuda:3": r"device: expected 'cuda:0', of which CuPy sees 1, got 'cuda:3'",
    "tpu": r"device: expected 'cpu', 'cuda' or 'cuda:N', got 'tpu'",
}


@pytest.mark.stand_in
@pytest.mark.parametrize("device", WRONG)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_device_that_is_none_is_told_before_anything_is_written(folder, capsys, command, device):
    assert run(*COMMANDS[command](folder), "--device", device) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert WRONG[device] in error
    assert not (folder / "new").exists()


def test_bench_measures_the_cpu_alone_and_says_where_a_gpu_is_measured(capsys):
    assert run("bench", "--device", "cuda") == 2
    assert run("bench", "--help") == 0
    assert "gpu_check.py" in " ".join(capsys.readouterr().out.split())
