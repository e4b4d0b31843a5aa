"""Mask R-CNN whole beside torchvision's: timed where both agree, and not timed where they do not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rawseg.benchmark import detectors, machine, model_steps, report, torchvision_on_cpu
from rawseg.benchmark import run as benchmark
from rawseg.cli import app
from rawseg.cli.bench import _model_options
from rawseg.errors import BackendError
from rawseg.models.mask_rcnn.heads import RoIHeads
from rawseg.models.mask_rcnn.rpn import RegionProposals
from rawseg.ops import BoxCoder

MODEL = "mask_rcnn_mobilenet_v2"
REQUEST = {"model": MODEL, "width": 32, "kind": "model", "side": "", "threads": 1, "check": True, "repeats": 1, "modes": []}


@pytest.fixture
def oracle():
    try:
        return torchvision_on_cpu.torchvision()
    except BackendError as error:
        pytest.skip(f"torchvision is the oracle of this file: {error}")


@pytest.fixture
def unmeasured(monkeypatch):
    """What the machine can do takes seconds to measure and is nothing to these tests."""
    monkeypatch.setattr(machine, "facts", lambda threads: {"threads": threads})


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as leave:
        app([str(a) for a in arguments])
    return leave.value.code if isinstance(leave.value.code, int) else 0


@pytest.mark.usefixtures("oracle")
@pytest.mark.release  # a minute: four processes
def test_a_detector_is_timed_with_its_memory():
    few = {
        "proposals": (100, 50),
        "regions": 16,
        "detections": 5,
    }  # the command line has torchvision's numbers, which take minutes
    request = {**REQUEST, **few, "batch": 1, "size": 64, "modes": ["train", "infer"]}
    facts, result = benchmark.model(request, lambda name: None, tuned=False, cold=False)
    assert result["difference"] < 1e-9
    assert set(result["ms"]) == {"train", "infer"}
    for sides in (*result["ms"].values(), result["memory"]):
        assert set(sides) == {"rawseg", "torch", "torch channels_last"}
    assert all(set(peaks) == {"train", "infer"} for peaks in result["memory"].values())
    assert report.model(request, facts, result).row_count == 6


@pytest.mark.release
@pytest.mark.usefixtures("oracle", "unmeasured")
def test_a_fault_in_what_is_learned_is_told_and_nothing_timed(monkeypatch):
    before = RegionProposals.__init__

    def with_other_weights(self, *arguments):
        before(self, *arguments)
        self.coder = BoxCoder((1.0, 1.0, 1.0, 1.001))

    monkeypatch.setattr(RegionProposals, "__init__", with_other_weights)
    _, answer = model_steps.results(REQUEST)
    assert set(answer) == {"wrong"}
    assert "gradient of" in answer["wrong"]


@pytest.mark.release
@pytest.mark.usefixtures("oracle", "unmeasured")
def test_a_fault_in_what_is_found_is_told_and_nothing_timed(monkeypatch):
    monkeypatch.setattr(RoIHeads, "overlap", 0.6)  # of no meaning to a training step
    _, answer = model_steps.results(REQUEST)
    assert set(answer) == {"wrong"}
    assert "of image" in answer["wrong"]


def test_no_torchvision_is_told_before_anything_starts(monkeypatch, capsys):
    for module in (detectors, torchvision_on_cpu):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    monkeypatch.setattr(detectors, "torchvision", torchvision_on_cpu.torchvision.__wrapped__)  # whatever was loaded before
    assert run("bench", "--model", MODEL) == 2
    assert "pip install torchvision" in capsys.readouterr().err


def test_a_detector_has_a_size_of_its_own():
    assert _model_options("mask_rcnn", 32, 2, 0, "both")["size"] == model_steps.MODELS["mask_rcnn"].size == 320
    assert _model_options("unet", 32, 2, 0, "train")["size"] == 256


def test_scenes_are_seeded_smooth_images_with_true_targets():
    image, target = detectors.scene(64, np.random.default_rng(3))
    again, _ = detectors.scene(64, np.random.default_rng(3))
    assert np.array_equal(image, again)
    assert image.shape == (3, 64, 64)
    assert 0 <= image.min() < image.max() <= 1
    assert len(target["labels"]) == 8
    for mask, box in zip(target["masks"], target["boxes"]):
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        assert box.tolist() == [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]


def test_both_sides_draw_the_first_boxes_of_each_kind():
    labels, sampler = np.array([0, 5, -1, 1, 2, 0, 0, 0, 0]), detectors.First(4, 0.5)
    drawn = sampler(labels)
    assert (drawn.positive.tolist(), drawn.negative.tolist()) == ([1, 3], [0, 5])
    objects, background = sampler.for_torch([torch.tensor(labels)])
    assert np.flatnonzero(objects[0].numpy()).tolist() == [1, 3]
    assert np.flatnonzero(background[0].numpy()).tolist() == [0, 5]
