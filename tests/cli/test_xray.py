"""``rawseg xray``: what it writes and prints, its exit codes, and how it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import rawseg
from rawseg import models
from rawseg.cli import app

OPTIONS = {"width_mult": 0.35, "frozen_norm": False, "channels": 8, "hidden": 8, "mask_layers": 1}


def run(*arguments: object) -> int:
    """Run one command in this process and return its exit code."""
    with pytest.raises(SystemExit) as leave:
        app([str(a) for a in arguments])
    code = leave.value.code
    return code if isinstance(code, int) else 0


def refused(capsys, *arguments) -> str:
    """Run a command that must end with one line and code 2; return the line."""
    assert run("xray", *arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Weights, other weights, two images."""
    folder = tmp_path_factory.mktemp("files")
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        Image.fromarray(rng.integers(0, 256, (40, 57, 3), np.uint8)).save(folder / f"{name}.png")
    rawseg.manual_seed(0)
    net = models.build("mask_rcnn", classes=3, backbone="mobilenet_v2", min_size=64, max_size=96, proposals=[40, 20], **OPTIONS)
    models.save_model(net, folder / "net.safetensors", ["ground", "cup", "<b>"])
    net.roi_heads.mask_predictor.mask_fcn_logits.bias.array[1:] += 1
    models.save_model(net, folder / "other.safetensors")
    models.save_model(models.autoencoder(8, 2), folder / "autoencoder.safetensors")
    return folder


@pytest.fixture(scope="module")
def dumps(files):
    for name, image, weights in (("a", "one", "net"), ("b", "two", "net"), ("c", "one", "other")):
        assert run("xray", files / f"{image}.png", "-w", files / f"{weights}.safetensors", "-o", files / name) == 0
    return files


def test_xray_writes_a_page(files, tmp_path, capsys):
    out = tmp_path / "deep" / "out"
    assert run("xray", files / "one.png", "--weights", files / "net.safetensors", "--out", out) == 0
    printed = capsys.readouterr().out
    assert "one.png: 57 x 40, 20 proposals, " in printed
    assert f"written to {out / 'index.html'}" in printed
    assert {"index.html", "stages.safetensors", "01_batch.png", "10_overlay.png"} <= {path.name for path in out.iterdir()}
    page = (out / "index.html").read_text()
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


@pytest.mark.gate
def test_no_stage_differs(dumps, capsys):
    assert run("xray", "--compare", dumps / "a", dumps / "a", "-w", dumps / "net.safetensors") == 0
    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == "no stage differs"
    for word in ("transform", "mask_logits", "results.masks"):
        assert word in printed


def test_the_first_stage_that_differs_is_named(dumps, capsys):
    assert run("xray", "--compare", dumps / "a", dumps / "b") == 1
    assert capsys.readouterr().out.splitlines()[-1] == "first stage that differs: transform (batch): inputs differ"
    assert run("xray", dumps / "a", dumps / "c", "--compare", "--weights", dumps / "net.safetensors") == 1
    printed = capsys.readouterr().out.splitlines()
    last = "first stage that differs: mask head (mask_logits): the stage itself differs (in B)"
    assert printed[-1] == last
    (row,) = [line for line in printed[:-1] if "mask_logits" in line]
    assert "float32" in row
    assert "the stage itself differs (in B)" in row


def test_wrong_combinations_are_refused(dumps, tmp_path, capsys):
    image, weights = dumps / "one.png", dumps / "net.safetensors"
    assert "--weights: expected weights that look at the image, got none" in refused(capsys, image)
    assert "IMAGE: expected one image" in refused(capsys, image, image, "-w", weights)
    assert "--compare: expected two folders, got 1" in refused(capsys, "--compare", dumps / "a")
    assert "--out: expected none with --compare" in refused(capsys, "--compare", dumps / "a", dumps / "b", "-o", tmp_path)
    got = refused(capsys, image, "-w", dumps / "autoencoder.safetensors", "-o", tmp_path)
    assert "--weights: expected those of a mask_rcnn, got those of autoencoder" in got
    assert str(tmp_path / "none.png") in refused(capsys, tmp_path / "none.png", "-w", weights, "-o", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_dumps_that_are_none_are_refused(dumps, tmp_path, capsys):
    assert f"{tmp_path}/stages.safetensors: expected a file that can be read" in refused(
        capsys, "--compare", dumps / "a", tmp_path
    )
    (tmp_path / "stages.safetensors").write_bytes((dumps / "net.safetensors").read_bytes())
    assert "expected a xray file of rawseg, got a weights file" in refused(capsys, "--compare", tmp_path, dumps / "a")
    (tmp_path / "stages.safetensors").write_bytes(b"nothing")
    assert "an intact .safetensors file" in refused(capsys, "--compare", tmp_path, dumps / "a")


def test_help_tells_both_uses(capsys):
    assert run("xray", "--help") == 0
    printed = capsys.readouterr().out
    assert "--compare" in printed
    assert "--weights" in printed
