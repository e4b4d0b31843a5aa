"""The command line on real files: what it writes, what it prints, and how it refuses."""

from __future__ import annotations

import hashlib
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rawseg
from rawseg import data, models
from rawseg.cli import COMMANDS, app


def run(*arguments: object) -> int:
    """Run one command in this process and return its exit code."""
    with pytest.raises(SystemExit) as leave:
        app([str(a) for a in arguments])
    code = leave.value.code
    return code if isinstance(code, int) else 0


@pytest.fixture(autouse=True)
def _same_threads_after():
    before = rawseg.get_num_threads()
    yield
    rawseg.set_num_threads(before)


def blobs(rng: np.random.Generator, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A bright ellipse on noise: image uint8 (H, W, 3), mask uint8 (H, W)."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    centre = rng.uniform(0.3, 0.7, 2) * size
    mask = ((rows - centre[0]) / 9) ** 2 + ((columns - centre[1]) / 7) ** 2 < 1
    image = np.clip(60 + 120 * mask[..., None] + rng.normal(0, 15, (*size, 3)), 0, 255)
    return image.astype(np.uint8), mask.astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Six images of different sizes with masks."""
    root = tmp_path_factory.mktemp("data")
    (root / "images").mkdir()
    (root / "masks").mkdir()
    rng = np.random.default_rng(0)
    for i, size in enumerate([(40, 50), (48, 48), (33, 61), (50, 40), (40, 40), (64, 37)]):
        image, mask = blobs(rng, size)
        Image.fromarray(image).save(root / "images" / f"scan{i}.png")
        Image.fromarray(mask).save(root / "masks" / f"scan{i}.png")
    return root


TINY = ("--width", 4, "--depth", 2, "--crop", 32, "--batch-size", 2, "--epochs", 2, "--plain")


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    assert run("train", folder, "--out", out, *TINY, "--class-names", "ground,blob") == 0
    return out


def test_train_leaves_weights_scores_and_pictures(trained):
    assert {p.name for p in trained.iterdir()} == {
        "best.safetensors",
        "last.safetensors",
        "metrics.jsonl",
        "learning_curves.png",
        "predictions.png",
    }
    records = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert [record["epoch"] for record in records] == [1, 2]
    assert all(np.isfinite(record["loss"]) for record in records)
    for name in ("learning_curves.png", "predictions.png"):
        with Image.open(trained / name) as picture:
            assert min(picture.size) > 300
    net = models.load_model(trained / "best.safetensors")
    assert net.class_names == ["ground", "blob"]
    assert net.config["width"] == 4


def test_training_again_gives_the_same_bits_for_any_thread_count(folder, trained, tmp_path):
    for threads, workers in ((1, 0), (2, 3)):
        out = tmp_path / f"{threads}"
        assert (
            run(
                "train", folder, "--out", out, *TINY, "--class-names", "ground,blob", "--threads", threads, "--workers", workers
            )
            == 0
        )
        for name in ("best.safetensors",):
            want = hashlib.sha256((trained / name).read_bytes()).hexdigest()
            assert hashlib.sha256((out / name).read_bytes()).hexdigest() == want


def test_resume_continues_with_the_same_bits(folder, trained, tmp_path, capsys):
    options = [*TINY]
    options[options.index("--epochs") + 1] = 1
    common = ("--schedule", "constant", "--class-names", "ground,blob")
    straight, halves = tmp_path / "straight", tmp_path / "halves"
    assert run("train", folder, "--out", straight, *TINY, *common) == 0
    assert run("train", folder, "--out", halves, *options, *common) == 0
    assert run("train", folder, "--out", halves, *TINY, *common) == 2  # never overwrites a run by accident
    assert "resume" in capsys.readouterr().err
    assert run("train", folder, "--out", halves, *TINY, *common, "--resume") == 0
    one, two = (rawseg.load(path / "last.safetensors") for path in (straight, halves))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name].numpy(), two[name].numpy()) for name in one)


def test_predict_writes_masks_of_the_images_size(folder, trained, tmp_path, capsys):
    out = tmp_path / "predictions"
    assert run("predict", folder / "images", "-w", trained / "best.safetensors", "-o", out) == 0
    printed = capsys.readouterr().out
    for i in range(6):
        image = data.read_image(folder / "images" / f"scan{i}.png")
        mask = data.read_mask(out / f"scan{i}_mask.png")
        assert mask.shape == image.shape[1:]
        assert set(np.unique(mask)) <= {0, 1}
        with Image.open(out / f"scan{i}_overlay.png") as picture:
            assert picture.size == (mask.shape[1], mask.shape[0])
        assert f"scan{i}.png: {mask.shape[1]} x {mask.shape[0]}" in printed


def test_a_checkpoint_predicts_too(folder, trained, tmp_path):
    net = models.load_model(trained / "last.safetensors")
    assert net.name == "unet"
    assert not net.training


def test_evaluate_prints_and_writes_scores(folder, trained, tmp_path, capsys):
    assert run("evaluate", folder, "-w", trained / "best.safetensors", "--json", tmp_path / "s.json") == 0
    printed = capsys.readouterr().out
    assert "blob" in printed
    scores = json.loads((tmp_path / "s.json").read_text())
    assert scores["n_images"] == 6
    assert 0 <= scores["mean_iou"] <= 1
    means = [f"{scores[f'mean_{name}']:.4f}" for name in ("iou", "dice", "precision", "recall")]
    assert ["mean", "of", "2", *means] in [line.replace("│", " ").split() for line in printed.splitlines()]


def test_models_prints_the_ledger(capsys):
    assert run("models") == 0
    assert "31,030,658" in capsys.readouterr().out
    assert run("models", "unet", "--width", 4, "--depth", 1, "--size", "32x64") == 0
    printed = capsys.readouterr().out
    assert "4 x 32 x 64" in printed
    assert "1,682" in printed


def test_models_writes_the_ledger_as_csv_and_as_pictures(tmp_path, capsys):
    files = [tmp_path / name for name in ("ledger.csv", "ledger.png", "view.png")]
    options = ("-O", "dilations=1,2,4", "--size", 32, "--csv", files[0], "--picture", files[1], "--view", files[2])
    assert run("models", "context", "-O", "in_channels=2", *options) == 0
    lines = files[0].read_text().splitlines()
    assert lines[0] == "layer,kind,output,parameters,M products,MiB,field,stride"
    assert lines[1].startswith("layers.0,Conv2d,2 x 32 x 32,38,")
    assert lines[-1].split(",")[3] == str(3 * 38 + 6)
    assert [line.split(",")[6] for line in lines[1:-1:2]] == ["3", "7", "15", "15"]
    for file in files[1:]:
        with Image.open(file) as picture:
            assert min(picture.size) > 300


def test_models_prints_the_tables_of_the_papers(tmp_path, capsys):
    assert run("models", "mobilenet_v1", "--sweep", "--csv", tmp_path / "sweep.csv") == 0
    printed = capsys.readouterr().out
    for figure in ("568.7", "418.1", "13.6", "4,233,001", "470,329", "4,867.3"):
        assert figure in printed
    assert (tmp_path / "sweep.csv").read_text().splitlines()[2] == "0.75,2586329,325.4,239.3,166.4,106.8"
    assert run("models", "segnet_basic", "--sweep") == 0
    assert "65.0" in capsys.readouterr().out


def test_options_of_models_are_read_as_their_defaults_are(capsys):
    assert run("models", "mobilenet_v1", "-O", "width_mult=0.25", "-O", "separable=false", "--size", 64) == 0
    assert "features.13.0" in capsys.readouterr().out
    for given, message in (
        ("width=3", "--option: expected name=value, with a name of ['classes'"),
        ("width_mult", "--option: expected name=value"),
        ("width_mult=wide", "--option width_mult: expected a number, got 'wide'"),
        ("separable=maybe", "--option separable: expected true or false, got 'maybe'"),
        ("stem_stride=1.5", "--option stem_stride: expected a whole number, got '1.5'"),
    ):
        assert message in refused(capsys, "models", "mobilenet_v1", "-O", given)
    message = refused(capsys, "models", "unet", "--width", 4, "-O", "width=8")
    assert "models: --option: expected each option once, got 'width=8', but width is 4 already" in message
    assert "--option dilations: expected whole numbers" in refused(capsys, "models", "context", "-O", "dilations=1;2")


def test_a_frozen_encoder_trains_predicts_and_evaluates(folder, tmp_path, capsys):
    encoder = ("--encoder", "mobilenet_v1", "-O", "width_mult=0.25", "-O", "decoder=8,8,8,8,8", "--frozen")
    options = ("--crop", 32, "--batch-size", 2, "--epochs", 2, "--plain", "--loss", "bce-log_dice")
    out = tmp_path / "run"
    assert run("train", folder, "--out", out, *encoder, *options, "--class-names", "ground,blob") == 0
    net = models.load_model(out / "best.safetensors")
    assert (net.name, net.config["classes"], net.config["frozen"]) == ("encoder_unet", 1, True)
    rawseg.manual_seed(0)
    fresh = models.build("encoder_unet", **net.config)
    for name, tensor in net.encoder.state_dict().items():
        assert np.array_equal(tensor.numpy(), fresh.encoder.state_dict()[name].numpy()), name
    assert not np.array_equal(net.head.weight.numpy(), fresh.head.weight.numpy())
    assert run("evaluate", folder, "-w", out / "best.safetensors", "--json", tmp_path / "scores.json") == 0
    assert len(json.loads((tmp_path / "scores.json").read_text())["iou"]) == 2
    assert run("predict", folder / "images" / "scan0.png", "-w", out / "best.safetensors", "-o", tmp_path / "masks") == 0
    assert "ground " in capsys.readouterr().out
    assert data.read_mask(tmp_path / "masks" / "scan0_mask.png").shape == (40, 50)
    assert run("train", folder, "--out", out, *encoder, *options, "--class-names", "ground,blob", "--resume") == 0
    assert "--frozen True" in refused(capsys, "train", folder, "--out", out, *encoder[:-1], *options, "--resume")


def test_only_networks_for_segmentation_are_trained_on_masks(folder, tmp_path, capsys):
    message = refused(capsys, "train", folder, "--out", tmp_path / "run", "--model", "mobilenet_v1")
    assert "--model: expected a network for segmentation, got mobilenet_v1" in message
    models.save_model(models.autoencoder(8, 2), tmp_path / "net.safetensors")
    for command in (("evaluate", folder), ("predict", folder / "images")):
        message = refused(capsys, *command, "-w", tmp_path / "net.safetensors")
        assert "--weights: expected those of a network for segmentation, got those of autoencoder" in message
    message = refused(capsys, "train", folder, "--out", tmp_path / "run", "-O", "in_channels=1")
    assert "train: --option: expected each option once, got 'in_channels=1', but in_channels is 3 already" in message
    message = refused(capsys, "train", folder, "--out", tmp_path / "run", "--classes", 3, "--loss", "bce-log_dice", *TINY)
    assert "one for several classes" in message


def test_doctor_reports_every_part(capsys):
    assert run("doctor") == 0
    printed = capsys.readouterr().out
    for part in ("rawseg", "packages", "cpu", "threads", "blas", "gpu", "cache"):
        assert f"{part} " in printed
    assert "numba" in printed


def refused(capsys, *arguments) -> str:
    """Run a command that must end with one line and code 2; return the line."""
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


def test_mistakes_end_in_one_line(folder, trained, tmp_path, capsys):
    weights = trained / "best.safetensors"
    assert "expected an image or a folder" in refused(capsys, "predict", tmp_path / "none.png", "-w", weights)
    broken = tmp_path / "broken.png"
    broken.write_bytes((folder / "images" / "scan0.png").read_bytes()[:900])
    assert "broken.png" in refused(capsys, "predict", broken, "-w", weights, "-o", tmp_path / "o")
    assert "safetensors" in refused(capsys, "predict", folder / "images", "-w", broken)
    assert str(tmp_path / "none") in refused(capsys, "evaluate", tmp_path / "none", "-w", weights)
    assert "one of" in refused(capsys, "models", "vnet")
    assert "512x256" in refused(capsys, "models", "unet", "--size", "big")
    assert "one of" in refused(capsys, "train", folder, "--out", tmp_path / "a", "--loss", "hinge")
    assert "one of" in refused(capsys, "train", folder, "--out", tmp_path / "b", "--optimizer", "lion")
    assert "'transposed' or 'bilinear'" in refused(capsys, "train", folder, "--out", tmp_path / "c", "--up", "nearest")


def test_two_images_of_one_stem_are_refused_before_anything_is_written(trained, tmp_path, capsys):
    for suffix in ("png", "jpg"):
        Image.new("RGB", (32, 32)).save(tmp_path / f"a.{suffix}")
    out = tmp_path / "out"
    message = refused(capsys, "predict", tmp_path, "-w", trained / "best.safetensors", "-o", out)
    assert "do not overwrite" in message
    assert not out.exists()


def test_a_run_is_continued_only_with_its_own_options(folder, trained, capsys):
    common = ("train", folder, "--out", trained, *TINY, "--class-names", "ground,blob", "--resume")
    before = (trained / "last.safetensors").read_bytes()
    message = refused(capsys, *common, "--lr", 0.5, "--loss", "dice")
    assert "begun with: --loss cross_entropy+dice, --lr 0.001, got --loss dice, --lr 0.5" in message
    assert "--width 4" in refused(capsys, *common, "--width", 8)
    assert (trained / "last.safetensors").read_bytes() == before


def test_a_run_is_continued_only_with_its_own_images(folder, trained, tmp_path, capsys):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    for kind in ("images", "masks"):
        (other / kind / "scan3.png").rename(other / kind / "scan9.png")
    common = ("--out", trained, *TINY, "--class-names", "ground,blob", "--resume")
    assert "begun with: images 5+1 #" in refused(capsys, "train", other, *common)


@pytest.mark.parametrize("names", ["a", "a,b,c", "a,a", "a,"])
def test_class_names_must_name_every_class_once(folder, tmp_path, capsys, names):
    message = refused(capsys, "train", folder, "--out", tmp_path / "run", *TINY, "--class-names", names)
    assert "--class-names: expected 2 different names" in message


def test_sizes_beyond_the_machine_are_refused(capsys):
    assert "bytes for shape" in refused(capsys, "models", "unet", "--depth", 10, "--width", 4096)
    assert "bytes for shape" in refused(capsys, "models", "unet", "--size", 99999998)


def test_masks_that_do_not_fit_are_refused(folder, tmp_path, capsys):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "images" / "a.png")
    Image.new("L", (30, 32)).save(tmp_path / "masks" / "a.png")
    for i in range(4):
        Image.new("RGB", (32, 32)).save(tmp_path / "images" / f"b{i}.png")
        Image.new("L", (32, 32)).save(tmp_path / "masks" / f"b{i}.png")
    message = refused(capsys, "train", tmp_path, "--out", tmp_path / "run", *TINY)
    assert "a.png" in message
    assert "32" in message
    assert "30" in message
    Image.fromarray(np.full((32, 32), 255, np.uint8)).save(tmp_path / "masks" / "a.png")
    message = refused(capsys, "train", tmp_path, "--out", tmp_path / "run2", *TINY)
    assert "255" in message


def test_an_output_folder_that_cannot_be_made_is_told_before_any_work(folder, tmp_path, capsys):
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    message = refused(capsys, "train", folder, "--out", blocker / "run", *TINY)
    assert "a folder that can be made" in message
    assert blocker.read_text() == "in the way"


def test_a_loss_that_is_not_finite_stops_and_says_what_to_try(folder, tmp_path, capsys):
    out = tmp_path / "run"
    assert (
        run("train", folder, "--out", out, *TINY, "--lr", 1e30, "--optimizer", "sgd", "--clip", 0, "--schedule", "constant")
        == 2
    )
    message = capsys.readouterr().err
    assert "finite" in message
    assert "lower learning rate" in message


def test_ctrl_c_leaves_a_checkpoint_that_continues(folder, tmp_path):
    out = tmp_path / "run"
    options = [str(o) for o in ("train", folder, "--out", out, *TINY, "--schedule", "constant")]
    options[options.index("--epochs") + 1] = "500"
    script = "from rawseg.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", script, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 120
    while not (out / "metrics.jsonl").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.05)  # waits for a file of another process; nothing is timed
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    assert process.returncode == 130, printed
    assert "Traceback" not in printed
    done = len((out / "metrics.jsonl").read_text().splitlines())
    options[options.index("--epochs") + 1] = str(done + 1)
    result = subprocess.run([sys.executable, "-c", script, *options, "--resume"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert len((out / "metrics.jsonl").read_text().splitlines()) == done + 1
    assert "Traceback" not in result.stderr


def test_help_of_every_command(capsys):
    commands = ["demo", "train", "predict", "evaluate", "xray", "ablate", "models", "bench", "check", "doctor"]
    assert [command.__name__ for command in COMMANDS] == commands
    for command in commands:
        assert run(command, "--help") == 0
        assert command in capsys.readouterr().out
