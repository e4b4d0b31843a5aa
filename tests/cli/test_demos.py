"""The demos, on little data: what they write, print and refuse. Their real numbers are in the README."""

from __future__ import annotations

import json

import numpy as np
import pytest
from idx_files import write_set
from PIL import Image

from rawseg import data, models
from rawseg.cli import app
from rawseg.cli.demos import faces


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leave:
        app([str(a) for a in arguments])
    return leave.value.code or 0  # type: ignore[return-value]


def check_pictures(folder, names):
    for name in names:
        with Image.open(folder / name) as picture:
            assert min(picture.size) > 100


def test_classify(tmp_path, capsys):
    write_set(tmp_path, images=260, tests=200)
    assert run("demo", "--task", "classify", "--data", tmp_path, "--out", tmp_path / "out", "--epochs", 1, "--plain") == 0
    folder = tmp_path / "out" / "classify"
    check_pictures(folder, ["confusion.png", "learning_curves.png"])
    scores = json.loads((folder / "scores.json").read_text())
    assert 0 <= scores["rawseg"]["accuracy"] <= 1
    assert scores["rawseg"]["parameters"] < scores["the same with full convolutions"]["parameters"]
    net = models.load_model(folder / "best.safetensors")
    assert (net.name, net.class_names) == ("mobilenet_v1", data.FASHION_CLASSES)
    printed = capsys.readouterr().out
    assert "accuracy" in printed
    assert "239 images for training, 21 for choosing the epoch, 200 for the test" in printed
    record = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])
    assert len(record["val_accuracy_by_class"]) == 10


def test_autoencoder(tmp_path, capsys):
    write_set(tmp_path, images=130, tests=40)
    assert run("demo", "--task", "autoencoder", "--data", tmp_path, "--out", tmp_path / "out", "--epochs", 1, "--plain") == 0
    folder = tmp_path / "out" / "autoencoder"
    check_pictures(folder, ["reconstructions.png", "fully_connected/learning_curves.png"])
    scores = json.loads((folder / "scores.json").read_text())
    assert scores["fully connected"]["parameters"] == 50_992
    assert set(scores) == {
        "fully connected",
        "convolutions, nearest",
        "convolutions, transposed",
        "convolutions, unpooling",
        "the same, told only where",
    }
    assert all(0 < row["squared_error"] < 1 for row in scores.values())
    assert "PSNR" in capsys.readouterr().out


def test_faces(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(faces, "COUNT", 32)
    monkeypatch.setattr(faces, "SIZE", 32)
    assert run("demo", "--task", "faces", "--out", tmp_path, "--epochs", 1, "--plain") == 0
    check_pictures(tmp_path / "faces", ["predictions.png", "learning_curves.png"])
    scores = json.loads((tmp_path / "faces" / "scores.json").read_text())
    assert scores["no mask anywhere"]["iou_mask"] == 0
    assert 0.4 < scores["the usual place of a mask"]["iou_mask"] < 0.95  # what the picture adds is beyond this
    assert "synthetic" in capsys.readouterr().out
    assert run("demo", "--task", "faces", "--out", tmp_path, "--epochs", 1, "--plain") == 0
    assert (tmp_path / "faces-2" / "best.safetensors").exists()  # no run is overwritten
    first, second = (models.load_model(tmp_path / name / "best.safetensors") for name in ("faces", "faces-2"))
    for one, other in zip(first.state_dict().values(), second.state_dict().values()):
        assert np.array_equal(one.numpy(), other.numpy())


def test_missing_data_and_unknown_tasks_are_told(tmp_path, capsys):
    assert run("demo", "--task", "classify", "--data", tmp_path / "none", "--out", tmp_path / "out") == 2
    assert "apt-get install dataset-fashion-mnist" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert run("demo", "--task", "juggle") == 2
    assert "classify" in capsys.readouterr().err
