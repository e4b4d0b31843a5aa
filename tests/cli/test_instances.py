"""Single objects from the command line: what is written and printed, and how it refuses. Networks and images are tiny."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import rawseg
from rawseg import data, models
from rawseg.cli import ablate, app
from rawseg.cli.demos import instance
from rawseg.data.instances import rle_decode, rle_encode
from rawseg.metrics import average_precision
from rawseg.pictures.instances import LEGIBLE, instances_overlay


def run(*arguments: object) -> int:
    """Run one command in this process and return its exit code."""
    with pytest.raises(SystemExit) as leave:
        app([str(a) for a in arguments])
    code = leave.value.code
    return code if isinstance(code, int) else 0


def refused(capsys, *arguments) -> str:
    """Run a command that must end with one line and code 2; return the line."""
    assert run(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "Traceback" not in captured.err
    return captured.err


@pytest.fixture(autouse=True)
def _same_threads_after():
    before = rawseg.get_num_threads()
    yield
    rawseg.set_num_threads(before)


SIZES = [(40, 50), (48, 48), (33, 61), (50, 40), (40, 40)]
NETWORK = {"backbone": "mobilenet_v2", "width_mult": 0.25, "channels": 8, "hidden": 16, "mask_layers": 1, "regions": 8}
NETWORK |= {"min_size": 32, "max_size": 64, "proposals": (20, 10), "anchor_sizes": (8, 16, 24, 32, 48)}


def as_options(values) -> list[str]:
    texts = {k: ",".join(map(str, v)) if isinstance(v, tuple) else str(v) for k, v in values.items()}
    return [part for name, text in texts.items() for part in ("-O", f"{name}={text}")]


TINY = ("--model", "mask_rcnn", *as_options(NETWORK), "--batch-size", 2, "--epochs", 1, "--plain")


def numbered(rng, size):
    """Return an image uint8 (H, W, 3) with up to three bright rectangles, and a mask that numbers them."""
    numbers = np.zeros(size, np.uint8)
    for number, (x, y, w, h) in enumerate(rng.integers([0, 0, 8, 8], [20, 16, 20, 16], (3, 4)), 1):
        numbers[y : y + h, x : x + w] = number
    image = np.clip(60 + 120 * (numbers > 0)[..., None] + rng.normal(0, 15, (*size, 3)), 0, 255)
    return image.astype(np.uint8), numbers


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Five images of different sizes with numbered masks."""
    root, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for name in ("images", "masks"):
        (root / name).mkdir()
    for i, size in enumerate(SIZES):
        image, numbers = numbered(rng, size)
        Image.fromarray(image).save(root / "images" / f"scan{i}.png")
        Image.fromarray(numbers).save(root / "masks" / f"scan{i}.png")
    return root


@pytest.fixture(scope="module")
def coco(folder) -> Path:
    """The same as a COCO file beside the folder of images: odd instances are cells, even ones debris."""
    images, annotations = [], []
    for i, (height, width) in enumerate(SIZES):
        images.append({"id": 10 + i, "file_name": f"scan{i}.png", "height": height, "width": width})
        numbers = data.read_mask(folder / "masks" / f"scan{i}.png")
        for number in np.unique(numbers[numbers > 0]).tolist():
            mask, common = numbers == number, {"id": len(annotations) + 1, "image_id": 10 + i, "iscrowd": 0}
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            box = [columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]]
            category = 7 if number % 2 else 3
            annotations.append(
                {**common, "category_id": category, "bbox": [int(v) for v in box], "segmentation": rle_encode(mask)}
            )
    categories = [{"id": 7, "name": "cell"}, {"id": 3, "name": "debris"}]
    path = folder / "objects.json"
    path.write_text(json.dumps({"images": images, "categories": categories, "annotations": annotations}))
    return path


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "tiny"
    assert run("train", folder, "--out", out, *TINY, "--class-names", "blob") == 0
    return out


@pytest.fixture(scope="module")
def trained_on_coco(coco, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "coco"
    assert run("train", coco, "--images", coco.parent / "images", "--out", out, *TINY) == 0
    return out


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("unet") / "unet.safetensors"
    models.save_model(models.build("unet", in_channels=3, classes=2, width=2, depth=1), path)
    return path


# train


def test_train_leaves_weights_scores_and_pictures(trained):
    assert {path.name for path in trained.iterdir()} == {
        "best.safetensors",
        "last.safetensors",
        "metrics.jsonl",
        "learning_curves.png",
        "predictions.png",
    }
    record = json.loads((trained / "metrics.jsonl").read_text())
    assert np.isfinite(record["loss"])
    assert 0 <= record["val_mask_ap"] <= 1
    assert 0 <= record["val_box_ap"] <= 1
    assert "val_loss" not in record
    for name in ("learning_curves.png", "predictions.png"):
        with Image.open(trained / name) as picture:
            assert min(picture.size) > 300
    net = models.load_model(trained / "best.safetensors")
    assert (net.name, net.class_names) == ("mask_rcnn", ["background", "blob"])
    assert net.config["frozen_norm"] is False  # there are no pretrained norms to freeze
    assert net.config["proposals"] == [20, 10]


def test_the_same_bits_for_any_threads_and_workers_and_when_resumed(folder, tmp_path, capsys):
    constant = ("--class-names", "blob", "--schedule", "constant")
    straight, halves = tmp_path / "straight", tmp_path / "halves"
    more = [*TINY]
    more[more.index("--epochs") + 1] = 2
    assert run("train", folder, "--out", straight, *more, *constant, "--threads", 1, "--workers", 0) == 0
    assert run("train", folder, "--out", halves, *TINY, *constant, "--threads", 2, "--workers", 3) == 0
    assert "resume" in refused(capsys, "train", folder, "--out", halves, *more, *constant)
    assert run("train", folder, "--out", halves, *more, *constant, "--resume") == 0
    one, two = (rawseg.load(path / "last.safetensors") for path in (straight, halves))
    assert one.keys() == two.keys()
    assert all(np.array_equal(one[name].numpy(), two[name].numpy()) for name in one)
    with_other = refused(capsys, "train", folder, "--out", halves, *more, *constant, "--resume", "--lr", 0.5)
    assert "begun with: --lr 0.001, got --lr 0.5" in with_other
    options = ["-O", "roi=roi_pool", *more]
    assert "--options" in refused(capsys, "train", folder, "--out", halves, *options, *constant, "--resume")


def test_train_on_a_coco_file_takes_its_classes(trained_on_coco):
    net = models.load_model(trained_on_coco / "best.safetensors")
    assert net.class_names == ["background", "debris", "cell"]  # categories 3 and 7
    assert net.config["classes"] == 3
    record = json.loads((trained_on_coco / "metrics.jsonl").read_text())
    assert len(record["val_mask_ap_by_class"]) == 2


def test_a_coco_file_may_lie_beside_its_images(coco, tmp_path, capsys):
    place = tmp_path / "together"
    place.mkdir()
    for path in (coco, *(coco.parent / "images").iterdir()):
        (place / path.name).write_bytes(path.read_bytes())
    assert run("train", place / coco.name, "--out", tmp_path / "run", *TINY, "--no-augment") == 0
    objects = len(json.loads(coco.read_text())["annotations"])
    printed = capsys.readouterr().out
    assert "4 images to train on, " in printed
    held_out = int(printed.split("to train on, ")[1].split(" objects in 1 images held out")[0])
    assert 0 < held_out <= 3 < objects


def test_invalid_annotations_are_left_out_only_on_request_and_told(coco, tmp_path, capsys):
    content = json.loads(coco.read_text())
    content["annotations"][0]["bbox"][3] = 0
    bad = coco.parent / "bad.json"
    bad.write_text(json.dumps(content))
    number = content["annotations"][0]["id"]
    assert run("train", bad, "--out", tmp_path / "no", "--images", coco.parent / "images", *TINY) == 2
    assert f"annotation {number}" in capsys.readouterr().err
    assert run("train", bad, "--out", tmp_path / "run", "--images", coco.parent / "images", *TINY, "--skip-invalid") == 0
    assert f"1 annotations left out, the first is {number}: " in capsys.readouterr().out


def test_held_out_images_without_any_object_are_refused(folder, tmp_path, monkeypatch, capsys):
    empty = {"images": [], "categories": [], "annotations": []}
    monkeypatch.setattr("rawseg.cli.instances.train.part_of", lambda truth, ids: empty)
    assert run("train", folder, "--out", tmp_path / "run", *TINY) == 2
    assert "train: --validation: expected an object in the images that are held out, got none" in capsys.readouterr().err


# evaluate


def scores_of(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def close(one, other):
    """Compare scores that were computed in the same way, but in another place."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert value == other[name], name


def test_evaluate_prints_and_writes_what_the_detections_score(folder, trained, tmp_path, capsys):
    files = tmp_path / "deep" / "scores.json", tmp_path / "found.json"
    command = ("evaluate", folder, "-w", trained / "best.safetensors", "--json", files[0], "--detections", files[1])
    assert run(*command) == 0
    printed = capsys.readouterr().out
    found = json.loads(files[1].read_text())
    pairs = data.InstanceFolder(folder, ["blob"])
    assert found
    assert {result["image_id"] for result in found} <= set(pairs.image_ids)
    assert {result["category_id"] for result in found} == {1}
    truth = pairs.ground_truth()
    for kind in ("masks", "boxes"):
        close(scores_of(files[0])[kind], average_precision(truth, found, kind).as_dict())
    assert f"5 images, {len(truth['annotations'])} objects, {len(found)} found" in printed
    row = next(line.replace("│", " ").split() for line in printed.splitlines() if " masks " in line)
    names = ("ap", "ap50", "ap75", "small", "medium", "large", "recall")
    values = [scores_of(files[0])["masks"][name] for name in names]
    assert row == ["masks", *("-" if value is None else f"{value:.4f}" for value in values)]
    for result in found:
        size = SIZES[result["image_id"] - 1]
        assert rle_decode(result["segmentation"]).shape == size
        x, y, w, h = result["bbox"]
        assert 0 <= x < x + w <= size[1] + 1e-4  # x + w is rounded
        assert 0 <= y < y + h <= size[0] + 1e-4


def test_evaluate_on_a_coco_file_uses_its_categories(coco, trained_on_coco, tmp_path, capsys):
    files = tmp_path / "scores.json", tmp_path / "found.json"
    weights, images = trained_on_coco / "best.safetensors", coco.parent / "images"
    command = ("evaluate", coco, "--images", images, "-w", weights, "--json", files[0], "--detections", files[1])
    assert run(*command) == 0
    printed = capsys.readouterr().out
    assert "AP by class" in printed
    assert "debris" in printed
    found = json.loads(files[1].read_text())
    assert found
    assert {result["category_id"] for result in found} <= {3, 7}
    truth = data.CocoInstances(coco, images).ground_truth()
    for kind in ("masks", "boxes"):
        close(scores_of(files[0])[kind], average_precision(truth, found, kind).as_dict())


def test_other_classes_than_those_of_the_weights_are_refused(folder, coco, trained, trained_on_coco, capsys):
    images = ("--images", coco.parent / "images")
    message = refused(capsys, "evaluate", coco, *images, "-w", trained / "best.safetensors")
    assert f"evaluate: {coco}: expected the classes of the weights, ['blob'], got ['debris', 'cell']" in message
    message = refused(capsys, "evaluate", folder, "-w", trained_on_coco / "best.safetensors")
    assert "1000 * class + instance, classes 1 to 2" in message


# predict


def test_predict_writes_overlays_and_a_coco_file_that_loads(folder, trained_on_coco, tmp_path, capsys):
    weights, out = trained_on_coco / "best.safetensors", tmp_path / "found"
    assert run("predict", folder / "images", "-w", weights, "-o", out, "--score", 0.1) == 0
    printed = capsys.readouterr().out
    assert {path.name for path in out.iterdir()} == {*(f"scan{i}_overlay.png" for i in range(5)), "detections.json"}
    content = json.loads((out / "detections.json").read_text())
    assert content["categories"] == [{"id": 1, "name": "debris"}, {"id": 2, "name": "cell"}]
    assert [image["file_name"] for image in content["images"]] == [f"scan{i}.png" for i in range(5)]
    assert len(content["annotations"]) > 0
    assert min(entry["score"] for entry in content["annotations"]) >= 0.1
    from pycocotools.coco import COCO

    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO(str(out / "detections.json"))
    assert sorted(known.anns) == list(range(1, 1 + len(content["annotations"])))
    dataset = data.CocoInstances(out / "detections.json", folder / "images", skip_invalid=True)
    net = models.load_model(weights)
    for i, (height, width) in enumerate(SIZES):
        image, target = dataset[i]
        with rawseg.no_grad():
            objects = {name: value.numpy() for name, value in net([image])[0].items()}
        likely = {name: value[objects["scores"] >= 0.1] for name, value in objects.items()}
        counts = np.bincount(likely["labels"], minlength=3)
        for name, count in zip(("debris", "cell"), counts[1:]):
            assert (f"{count} {name}" in printed) or count == 0
        masks = likely["masks"][:, 0] >= 0.5
        entries = [entry for entry in content["annotations"] if entry["image_id"] == i + 1]
        assert [entry["area"] for entry in entries] == masks.sum((1, 2)).tolist()
        assert [entry["category_id"] for entry in entries] == likely["labels"].tolist()
        np.testing.assert_array_equal(target["masks"], masks[masks.any((1, 2))])
        picture = instances_overlay(image, **likely, names=net.class_names, least=LEGIBLE)
        assert (picture.shape[0] // height, picture.shape[1] // width) == (LEGIBLE // max(height, width),) * 2
        np.testing.assert_array_equal(np.asarray(Image.open(out / f"scan{i}_overlay.png")), picture)


def test_predict_without_overlays_and_without_objects(folder, trained, tmp_path, capsys):
    image, weights = folder / "images" / "scan2.png", trained / "best.safetensors"
    assert run("predict", image, "-w", weights, "-o", tmp_path, "--no-overlay", "--score", 1) == 0
    assert "scan2.png: 61 x 33, nothing found, " in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["detections.json"]
    content = json.loads((tmp_path / "detections.json").read_text())
    assert content["annotations"] == []
    assert content["images"] == [{"id": 1, "file_name": "scan2.png", "height": 33, "width": 61}]


# What is refused


@pytest.mark.parametrize(
    "options",
    [
        ("--classes", 3),
        ("--crop", 32),
        ("--crops", 2),
        ("--ignore-index", 255),
        ("--encoder", "mobilenet_v2"),
        ("--frozen",),
        ("--width", 4),
        ("--depth", 2),
        ("--up", "bilinear"),
        ("--loss", "dice"),
    ],
    ids=lambda options: options[0],
)
def test_options_of_networks_that_label_pixels_are_refused(folder, tmp_path, capsys, options):
    message = refused(capsys, "train", folder, "--out", tmp_path / "run", *TINY, *options)
    value = options[1] if len(options) > 1 else True
    assert f"train: {options[0]}: expected none with --model mask_rcnn (see -O and --class-names), got {value}" in message
    assert not (tmp_path / "run").exists()


def test_options_that_do_not_go_together_are_refused(folder, coco, trained, segmenter, tmp_path, capsys):
    out, weights = ("--out", tmp_path / "run"), trained / "best.safetensors"
    assert "train: --class-names: expected none with a COCO file" in refused(
        capsys, "train", coco, *out, *TINY, "--class-names", "a"
    )
    assert "train: --images: expected none with a folder" in refused(capsys, "train", folder, *out, *TINY, "--images", folder)
    assert "train: --images: expected none but with --model mask_rcnn" in refused(
        capsys, "train", folder, *out, "--images", folder
    )
    assert "each option once, got 'classes=3', but classes is 2" in refused(
        capsys, "train", folder, *out, *TINY, "-O", "classes=3"
    )
    assert "--class-names: expected 2 different names" in refused(capsys, "train", folder, *out, *TINY, "--class-names", "a,a")
    assert "evaluate: --images: expected none with a folder" in refused(
        capsys, "evaluate", folder, "-w", weights, "--images", folder
    )
    message = refused(capsys, "evaluate", folder, "-w", weights, "--ignore-index", 3)
    assert "evaluate: --ignore-index: expected none with weights of a mask_rcnn, got 3" in message
    for option in ("--images", "--detections"):
        message = refused(capsys, "evaluate", folder, "-w", segmenter, option, tmp_path / "x.json")
        assert f"evaluate: {option}: expected none but with weights of a mask_rcnn" in message
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "x.json").exists()


def test_data_that_are_wrong_are_told_before_anything_is_written(folder, coco, tmp_path, capsys):
    out = ("--out", tmp_path / "run")
    assert "scan0.png" in refused(capsys, "train", coco, *out, *TINY)  # the images are in a folder of their own
    assert "no.json" in refused(capsys, "train", tmp_path / "no.json", *out, *TINY)
    assert str(tmp_path / "none") in refused(capsys, "train", tmp_path / "none", *out, *TINY)
    message = refused(capsys, "train", folder, *out, *TINY, "--class-names", "a,b")
    assert "1000 * class + instance" in message
    assert "--validation" in refused(capsys, "train", folder, *out, *TINY, "--validation", 0.05)
    assert not (tmp_path / "run").exists()


def test_a_segmenters_weights_still_label_pixels(folder, segmenter, tmp_path):
    assert run("predict", folder / "images" / "scan0.png", "-w", segmenter, "-o", tmp_path) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"scan0_mask.png", "scan0_overlay.png"}


# demo and ablate


@pytest.fixture
def small_demo(monkeypatch):
    monkeypatch.setattr(instance, "MODEL", NETWORK | {"frozen_norm": False})
    monkeypatch.setattr(instance, "CROPS", 4)


def same_weights(*files: Path) -> bool:
    return len({hashlib.sha256(file.read_bytes()).digest() for file in files}) == 1


def test_demo_instance_on_nuclei(small_demo, tmp_path, capsys):
    pytest.importorskip("stardist")
    assert run("demo", "--task", "instance", "--out", tmp_path, "--epochs", 1, "--plain") == 0
    printed = capsys.readouterr().out
    assert "columns 0 to 319 train, to 383 choose the epoch, to 511 are the test" in printed
    assert "test: 4 images that training has not seen" in printed
    out = tmp_path / "instance"
    for name in ("predictions.png", "learning_curves.png"):
        with Image.open(out / name) as picture:
            assert min(picture.size) > 300
    scores = json.loads((out / "scores.json").read_text())
    assert list(scores) == ["rawseg", "before training"]
    assert {"mask_ap", "mask_ap50", "box_ap", "box_ap50"} <= scores["rawseg"].keys()
    net = models.load_model(out / "best.safetensors")
    assert (net.class_names, net.config["in_channels"]) == (["background", "nucleus"], 1)


def test_the_parts_of_the_nuclei_share_no_column():
    pytest.importorskip("stardist")
    task, whole = instance.nuclei(), data.nuclei()
    assert (len(task.train), len(task.validation), len(task.test)) == (80, 4, 4)
    np.testing.assert_array_equal(task.train.image, whole.image[..., :320])
    np.testing.assert_array_equal(task.train.instances, whole.instances[..., :320])
    for part, columns in ((task.validation, slice(320, 384)), (task.test, slice(384, 512))):
        rows = [part[i] for i in range(len(part))]
        np.testing.assert_array_equal(np.concatenate([image for image, _ in rows], 1), whole.image[..., columns])
        for i, (_, target) in enumerate(rows):
            instances = whole.instances[128 * i : 128 * i + 128, columns]
            values, counts = np.unique(instances[instances > 0], return_counts=True)
            assert target["ids"].tolist() == values[counts >= 20].tolist()
            assert target["image_id"] == i


def test_demo_instance_on_cut_outs(small_demo, tmp_path, capsys, monkeypatch):
    for kind, rgb in (("fish", (250, 20, 20)), ("bird", (20, 20, 250))):
        (tmp_path / "stamps" / kind).mkdir(parents=True)
        for number in range(3):
            picture = Image.new("RGBA", (40, 40))
            picture.paste((*rgb, 255), (6, 4, 30, 20 + 5 * number))
            picture.save(tmp_path / "stamps" / kind / f"{number}.png")
    grey = np.full((3, 160, 160), 0.25, np.float32)
    monkeypatch.setattr(importlib.import_module("rawseg.data.scenes"), "backgrounds", lambda: [grey])
    monkeypatch.setattr(instance, "SCENES", 4)
    monkeypatch.setattr(instance, "HELD_OUT", 10)
    command = ("demo", "--task", "instance", "--data", tmp_path / "stamps", "--epochs", 1, "--plain", "--seed", 3)
    assert run(*command, "--out", tmp_path / "out") == 0
    printed = capsys.readouterr().out
    assert "1 epochs of 4 images" in printed
    assert "test: 6 images that training has not seen" in printed
    out = tmp_path / "out" / "instance"
    assert models.load_model(out / "best.safetensors").class_names == ["background", "bird", "fish"]
    assert len(json.loads((out / "scores.json").read_text())["rawseg"]["mask_ap_by_class"]) == 2
    assert run(*command, "--out", tmp_path / "out") == 0
    assert same_weights(out / "best.safetensors", tmp_path / "out" / "instance-2" / "best.safetensors")
    task = instance.cut_outs(tmp_path / "stamps")
    assert [task.validation[i][1]["image_id"] for i in range(4)] == [0, 1, 2, 3]
    assert [task.test[i][1]["image_id"] for i in range(6)] == [4, 5, 6, 7, 8, 9]


def test_demo_instance_tells_a_missing_folder(tmp_path, capsys):
    message = refused(capsys, "demo", "--task", "instance", "--data", tmp_path / "none", "--out", tmp_path / "out")
    assert f"no folder {tmp_path / 'none'}" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.release
def test_ablate_exchanges_the_layer_and_nothing_else(small_demo, tmp_path, capsys, monkeypatch):
    pytest.importorskip("stardist")
    monkeypatch.setattr(ablate, "NETWORK", {"min_size": 32, "max_size": 32, "anchor_sizes": (8, 16)})
    built = []
    build = models.build
    monkeypatch.setattr(models, "build", lambda name, **options: built.append(options) or build(name, **options))
    layers = ("--layer", "roi_align_max", "--layer", "roi_pool", "--layer", "roi_pool")
    assert run("ablate", "roi", "--stride", 32, *layers, "--epochs", 1, "--out", tmp_path, "--plain") == 0
    printed = capsys.readouterr().out
    assert "test: 4 images, stride 32" in printed
    assert "ResNet-50 on COCO" in printed
    out = tmp_path / "roi-stride-32"
    assert {path.name for path in out.iterdir()} == {"roi_align_max", "roi_pool", "roi.png", "scores.json"}
    assert [(options["roi"], options["neck"]) for options in built] == [("roi_align_max", "c5"), ("roi_pool", "c5")]
    assert {**built[0], "roi": 0} == {**built[1], "roi": 0}
    scores = json.loads((out / "scores.json").read_text())
    assert list(scores) == ["RoIAlign, maximum of samples", "RoIPool, rounded and maximal"]
    assert [row["paper"] for row in scores.values()] == [None, 0.236]
    assert all(0 <= row["mask_ap"] <= 1 for row in scores.values())
    with Image.open(out / "roi.png") as picture:
        assert min(picture.size) > 300
    for name in ("roi_align_max", "roi_pool"):  # nothing is chosen: all train equally long
        assert {path.name for path in (out / name).iterdir()} == {"last.safetensors", "metrics.jsonl"}
    assert not same_weights(*(out / name / "last.safetensors" for name in ("roi_align_max", "roi_pool")))


def test_ablate_without_a_layer_takes_all(small_demo, tmp_path, capsys, monkeypatch):
    pytest.importorskip("stardist")
    monkeypatch.setattr(ablate, "NETWORK", {"min_size": 32, "max_size": 32, "anchor_sizes": (8, 16)})
    monkeypatch.setattr(instance, "CROPS", 2)
    assert run("ablate", "roi", "--epochs", 1, "--out", tmp_path, "--plain") == 0
    scores = json.loads((tmp_path / "roi-stride-16" / "scores.json").read_text())
    assert [row["paper"] for row in scores.values()] == [0.269, 0.271, 0.302, 0.303]
    assert list(scores) == list(ablate.LAYERS.values())


def test_what_ablate_refuses(tmp_path, capsys):
    for options, message in (
        (("--stride", 8), "ablate: --stride: expected 16 or 32, got 8"),
        (("--layer", "roi_crop"), "ablate: --layer: expected one of ('roi_pool', 'roi_warp', 'roi_align_max', 'roi_align')"),
    ):
        assert message in refused(capsys, "ablate", "roi", "--out", tmp_path / "out", *options)
    assert run("ablate", "neck", "--out", tmp_path / "out") == 2
    assert "roi" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
