"""Training of networks that find single objects: what is minimised, what is counted, and a small Mask R-CNN, bit for bit."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_run import digest

import rawseg
from rawseg import data, models, optim
from rawseg.data.instances import target_of
from rawseg.errors import ArgumentError
from rawseg.training import Detection, Trainer, evaluate, learning_curves
from rawseg.training.display import line
from rawseg.training.progress import best_score, score_keys

TINY = {"classes": 2, "in_channels": 1, "backbone": "mobilenet_v2", "width_mult": 0.25, "frozen_norm": False, "channels": 8}
TINY |= {"hidden": 16, "mask_layers": 1, "min_size": 32, "max_size": 64, "proposals": (20, 10), "regions": 8}
TINY |= {"anchor_sizes": (8, 16, 24, 32, 48)}
LOSSES = ("loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg")
SCORES = [f"{kind}_{name}" for name in ("ap", "ap50", "ap75") for kind in ("mask", "box")]


# By hand


def target(*boxes, labels=None, image_id=0, size=(8, 10)):
    """Return instances that fill their boxes."""
    masks = np.zeros((len(boxes), *size), bool)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes):
        mask[y1:y2, x1:x2] = True
    return target_of([1] * len(boxes) if labels is None else labels, masks, range(len(boxes)), image_id)


def found(annotated, scores):
    """Return just these objects as a network does."""
    return {
        "boxes": rawseg.tensor(annotated["boxes"]),
        "labels": rawseg.tensor(annotated["labels"]),
        "scores": rawseg.tensor(np.array(scores, np.float32)),
        "masks": rawseg.tensor(annotated["masks"][:, None].astype(np.float32)),
    }


class Stub:
    """Remembers what it is called with, and answers."""

    def __init__(self, answer: Any):
        self.answer, self.calls, self.training, self.modes = answer, [], True, []

    def __call__(self, *arguments):
        self.calls.append(arguments)
        self.modes.append(self.training)
        return self.answer

    def modules(self):
        return [self]

    def train(self, mode=True):
        self.training = mode
        return self

    def eval(self):
        return self.train(False)


def truth_of(*targets, names=("a", "b")):
    images = [np.zeros((1, *t["masks"].shape[1:]), np.float32) for t in targets]

    class Kept:
        def __len__(self):
            return len(targets)

        def __getitem__(self, index):
            return images[index], targets[index]

    return data.ground_truth_of(Kept(), names)


def test_the_sum_of_the_networks_losses_is_minimised():
    weight = rawseg.tensor(np.array(3.0), requires_grad=True)
    model = Stub({"one": weight * 2.0, "two": weight * 0.5, "three": weight * weight})
    images, targets = (np.zeros((1, 4, 4)), np.ones((1, 5, 4))), ({"labels": 1}, {"labels": 2})
    loss = Detection().loss(model, None, images, targets)
    assert loss.item() == 6 + 1.5 + 9
    loss.backward()
    assert weight.grad.item() == 2 + 0.5 + 6
    assert model.calls == [(list(images), list(targets))]


def test_a_mask_r_cnns_loss_is_the_sum_of_its_five():
    rawseg.manual_seed(0)
    net = models.build("mask_rcnn", **TINY)
    images, targets = zip(*[blobs(1)[0], blobs(2)[0]])
    rawseg.manual_seed(1)
    parts = net(list(images), list(targets))
    assert tuple(parts) == LOSSES
    rawseg.manual_seed(1)
    total = Detection().loss(net, None, images, targets).item()
    # Four additions in float32 round by at most 2**-24 of the sum each, here and there.
    assert total == pytest.approx(sum(part.item() for part in parts.values()), rel=2**-21)


def test_scores_are_those_of_masks_and_of_boxes():
    there = target((1, 1, 5, 5), (6, 2, 10, 8), labels=[1, 2])
    answer = found(there, [0.9, 0.8])
    answer["masks"].array[0, 0, :, 4:] = 0  # a mask of 3 x 4 of 4 x 4 pixels: .75
    tally = Detection(truth_of(there)).tally()
    tally.update([answer], [there])
    scores = tally.scores()
    assert list(scores) == [*SCORES, "mask_ap_by_class", "box_ap_by_class"]
    # pycocotools adds 2**-52 to what it divides by.
    assert [scores[name] for name in SCORES] == pytest.approx([0.8, 1, 1, 1, 1, 1], abs=1e-12)
    assert scores["mask_ap_by_class"] == pytest.approx([0.6, 1], abs=1e-12)
    assert scores["box_ap_by_class"] == pytest.approx([1, 1], abs=1e-12)


def test_every_batch_counts_for_its_own_images():
    targets = [target((1, 1, 5, 5), image_id=7), target((0, 0, 4, 4), image_id=3), target((2, 2, 9, 8), image_id=5)]
    tally = Detection(truth_of(*targets, names=["a"])).tally()
    tally.update([found(targets[0], [0.9]), found(target(), [])], targets[:2])
    assert tally.scores()["box_ap"] == pytest.approx(34 / 101, abs=1e-12)  # 1 of 3 is found: recalls .00 to .33
    tally.update([found(targets[2], [0.9])], targets[2:])
    assert tally.scores()["box_ap"] == pytest.approx(67 / 101, abs=1e-12)


def test_labels_are_the_categories_in_ascending_order_unless_told_otherwise():
    there = target((1, 1, 5, 5), labels=[2])
    truth = truth_of(there)
    for category, identity in zip(truth["categories"], (50, 20)):
        category["id"] = identity
    truth["annotations"][0]["category_id"] = 50
    assert Detection(truth).category_ids == [20, 50]
    for ids, want in ((None, 1), ([20, 50], 1), ([50, 20], 0)):
        tally = Detection(truth, ids).tally()
        tally.update([found(there, [0.5])], [there])
        assert tally.scores()["box_ap50"] == pytest.approx(want, abs=1e-12)


def test_without_annotations_there_are_no_scores():
    with pytest.raises(ArgumentError, match="Detection: truth: expected annotations of the images to be scored, got none"):
        evaluate(Stub([]), None, [], Detection())


def test_evaluation_is_in_eval_mode_without_gradients_and_without_a_loss():
    there, other = target((1, 1, 5, 5), image_id=0), target((2, 2, 7, 7), image_id=1)
    weight = rawseg.tensor(np.ones((1, 4), np.float32), requires_grad=True)

    class Net(Stub):
        def __call__(self, images):
            super().__call__(images)
            objects = found(there if len(self.calls) == 1 else other, [0.9])
            self.answer = objects["boxes"] * weight
            return [{**objects, "boxes": self.answer}]

    model, images = Net(None), np.zeros((1, 8, 10), np.float32)
    batches = [([images], [there]), ([images], [other])]
    scores = evaluate(model, None, batches, Detection(truth_of(there, other, names=["a"])))
    assert scores is not None
    assert "loss" not in scores
    assert scores["mask_ap"] == scores["box_ap"] == pytest.approx(1, abs=1e-12)
    assert model.calls == [([images],), ([images],)]
    assert model.modes == [False, False]
    assert model.training
    assert not model.answer.requires_grad
    assert evaluate(model, None, batches, Detection(truth_of(there)), stop=lambda: True) is None


def test_what_an_epoch_shows_without_a_validation_loss():
    record = {"epoch": 2, "loss": 0.5, "lr": 0.001, "images_per_second": 2.0, "seconds": 3.0}
    record |= {"val_mask_ap": 0.25, "val_box_ap": 0.125, "val_mask_ap50": 0.75, "best": True}
    assert line(record, 9) == "epoch 2/9  loss 0.5000  mask AP 0.2500  box AP 0.1250  lr 1.00e-03  2.0 images/s  3.0 s  best"
    assert score_keys(record) == ["val_mask_ap", "val_box_ap"]
    assert best_score(record) == 0.25


def test_curves_without_a_validation_loss(tmp_path, monkeypatch):
    figures = []
    monkeypatch.setattr("rawseg.training.curves.write_figure", lambda figure, path: figures.append(figure))
    history = [{"epoch": e, "loss": 3.0 / e, "val_mask_ap": ap, "val_box_ap": ap / 2, "best": e < 3} for e, ap in AP]
    learning_curves(history, tmp_path / "curves.png")
    loss, score = figures[0].axes
    assert [(drawn.get_label(), list(drawn.get_ydata())) for drawn in loss.lines] == [("training", [3.0, 1.5, 1.0])]
    assert [(drawn.get_label(), list(drawn.get_ydata())) for drawn in score.lines] == [
        ("box AP", [0.0, 0.25, 0.125]),
        ("mask AP", [0.0, 0.5, 0.25]),
        ("best mask AP 0.500, epoch 2", [0.5]),
    ]
    learning_curves([{k: v for k, v in record.items() if "val" not in k} for record in history], tmp_path / "curves.png")
    assert len(figures[1].axes) == 1


AP = [(1, 0.0), (2, 0.5), (3, 0.25)]


# A small network


def blobs(seed: int, count: int = 1):
    """Return bright rectangles on noise, numbered."""
    rng = np.random.default_rng(seed)
    images, maps = [], []
    for _ in range(count):
        numbers = np.zeros((40, 32), np.int64)
        for number, (x, y, w, h) in enumerate(rng.integers([0, 0, 8, 8], [20, 26, 16, 16], (3, 4)), 1):
            numbers[y : y + h, x : x + w] = number
        images.append(np.clip(0.2 + 0.5 * (numbers > 0) + rng.normal(0, 0.1, numbers.shape), 0, 1)[None].astype(np.float32))
        maps.append(numbers)
    return data.InstanceArrays(images, maps)


def trainer(folder: Path, workers: int = 0, held_out: Any = None) -> Trainer:
    """Return a run that is about to begin, of 3 batches an epoch; every call returns the same one."""
    rawseg.manual_seed(5)
    net = models.build("mask_rcnn", **TINY)
    net.roi_heads.score_from = 0.0  # so that an untrained network finds something
    optimizer = optim.AdamW(net.parameters(), lr=0.002)
    moves = data.Compose([data.FlipInstances(True, True), data.TurnInstances(), data.Brightness(), data.Contrast()])
    validation = blobs(9, 2) if held_out is None else held_out
    return Trainer(
        net,
        None,
        optimizer,
        data.Loader(blobs(3, 5), 2, transform=moves, seed=3, workers=workers),
        data.Loader(validation, 2, shuffle=False),
        folder=folder,
        task=Detection(data.ground_truth_of(validation, ["blob"])),
        schedule=optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=12),
        clip_norm=5.0,
        about=models.describe(net, ["background", "blob"]),
        plain=True,
    )


def timeless(history):
    return [{k: v for k, v in record.items() if k not in ("seconds", "images_per_second")} for record in history]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Two epochs in one go: folder, digest and history."""
    folder = tmp_path_factory.mktemp("whole")
    run = trainer(folder)
    result = run.fit(2)
    return folder, digest(run), timeless(result.history), result


def test_a_run_leaves_its_files_and_its_scores(whole):
    folder, _, history, result = whole
    assert {path.name for path in folder.iterdir()} == {"best.safetensors", "last.safetensors", "metrics.jsonl"}
    records = [json.loads(text) for text in (folder / "metrics.jsonl").read_text().splitlines()]
    assert timeless(records) == history
    for record in records:
        assert math.isfinite(record["loss"])
        assert "val_loss" not in record
        for name in SCORES:
            assert 0 <= record[f"val_{name}"] <= 1
        assert record["val_mask_ap_by_class"] == [record["val_mask_ap"]]
    assert result.best_score == max(record["val_mask_ap"] for record in records)
    net = models.load_model(folder / "best.safetensors")
    assert (net.name, net.class_names) == ("mask_rcnn", ["background", "blob"])


@pytest.mark.release
def test_it_learns_and_the_best_weights_score_what_was_recorded(tmp_path):
    rawseg.manual_seed(5)
    wider = {"backbone": "resnet18", "channels": 16, "hidden": 32, "regions": 16, "proposals": (40, 20)}
    net = models.build("mask_rcnn", **TINY | wider | {"min_size": 64, "max_size": 80, "anchor_sizes": (12, 20, 28, 40, 60)})
    held_out = blobs(9, 4)
    batches = data.Loader(blobs(3, 24), 4, transform=data.FlipInstances(True, True), seed=3)
    task = Detection(data.ground_truth_of(held_out, ["blob"]))
    options = {"folder": tmp_path, "task": task, "clip_norm": 5.0, "plain": True}
    update = optim.AdamW(net.parameters(), lr=0.005)
    result = Trainer(net, None, update, batches, data.Loader(held_out, 2, shuffle=False), **options).fit(6)
    history = result.history
    assert history[-1]["loss"] < history[0]["loss"]
    assert max(record["val_mask_ap50"] for record in history) > 0.2  # before training it is 0
    assert result.best_score == max(record["val_mask_ap"] for record in history) > 0
    scores = evaluate(
        models.load_model(result.folder / "best.safetensors"), None, data.Loader(held_out, 1, shuffle=False), task
    )
    assert scores is not None
    best = history[result.best_epoch - 1]
    assert {f"val_{name}": score for name, score in scores.items()}.items() <= best.items()


def test_one_epoch_and_one_more_are_two(tmp_path, whole):
    trainer(tmp_path).fit(1)
    run = trainer(tmp_path)
    for parameter in run.model.parameters():  # whatever it begins with
        parameter.requires_grad_(False).fill_(7.0).requires_grad_(True)
    rawseg.manual_seed(99)
    result = run.fit(2, resume=True)
    assert (digest(run), timeless(result.history)) == whole[1:3]
    best = [hashlib.sha256((folder / "best.safetensors").read_bytes()).digest() for folder in (tmp_path, whole[0])]
    assert best[0] == best[1]


@pytest.mark.parametrize(("threads", "workers"), [(1, 2), (2, 0)])
def test_the_bits_do_not_depend_on_threads(tmp_path, whole, threads, workers, monkeypatch):
    monkeypatch.setattr("rawseg_kernels._threads.SERIAL_WORK", 0)  # even these few pixels are spread
    before = rawseg.get_num_threads()
    rawseg.set_num_threads(threads)
    try:
        run = trainer(tmp_path, workers)
        result = run.fit(2)
    finally:
        rawseg.set_num_threads(before)
    assert (digest(run), timeless(result.history)) == whole[1:3]


def test_all_parts_of_the_network_learn(whole):
    rawseg.manual_seed(5)
    fresh, trained = models.build("mask_rcnn", **TINY), rawseg.load(whole[0] / "last.safetensors")
    for name, parameter in fresh.named_parameters():
        assert not np.array_equal(parameter.numpy(), trained[f"model.{name}"].numpy()), name


def test_held_out_images_without_objects_have_no_score(tmp_path):
    empty = data.InstanceArrays([np.full((1, 40, 32), 0.5, np.float32)], [np.zeros((40, 32), np.int64)])
    result = trainer(tmp_path, held_out=empty).fit(1)
    assert result.best_epoch == 1
    assert math.isnan(result.best_score)
    record = json.loads((tmp_path / "metrics.jsonl").read_text())
    assert record["val_mask_ap"] is record["val_box_ap"] is None
    assert record["val_mask_ap_by_class"] == [None]
    learning_curves(result.history, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > 1000  # both panels
    assert trainer(tmp_path, held_out=empty).fit(2, resume=True).best_epoch == 1  # NaN is never better
