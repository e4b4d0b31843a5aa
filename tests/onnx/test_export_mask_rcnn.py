"""Mask R-CNN as one ONNX graph: the objects that ONNX Runtime finds in photographs are rawseg's."""

from __future__ import annotations

import numpy as np
import pytest
from exported_networks import checker, run

import rawseg
from rawseg import Tensor, models, no_grad, onnx
from rawseg.errors import ArgumentError, DTypeError, GraphError, ShapeError
from rawseg.models.mask_rcnn.regions import ROI_LAYERS
from rawseg.onnx.exporting.detector import comparison

photographs = pytest.importorskip("skimage.data", reason="scikit-image, which has the photographs, is not installed")

OUTPUTS = ("boxes", "labels", "scores", "masks")
SMALL = {"classes": 4, "backbone": "resnet18", "width_mult": 0.25, "channels": 16, "hidden": 32, "mask_layers": 1}
SMALL |= {"min_size": 128, "max_size": 192, "anchor_sizes": (16, 32, 64, 128, 256), "proposals": (100, 60)}
# Sums of some thousand float32 terms in another order move logits by some 1e-5 of their size, and so scores; sides of boxes are
# the exponentials of codes, in pixels of an image of some hundred. A planted fault of any stage is far beyond.
SCORES, CORNERS, PIXELS = 5e-5, 0.05, 1e-3


@pytest.fixture(scope="module")
def photograph():
    image = photographs.astronaut()[60:260, 120:400]
    return np.ascontiguousarray((image / 255).astype(np.float32).transpose(2, 0, 1))


def lively(**options):
    """Return a network that finds many objects: random weights, larger than those that training begins with."""
    rawseg.manual_seed(0)
    model = models.build("mask_rcnn", **SMALL | options).eval()
    rng = np.random.default_rng(0)
    for module in model.modules():
        if getattr(module, "running_mean", None) is not None:
            shape = module.running_mean.shape
            module.running_mean.array[:] = rng.normal(0, 0.3, shape)
            module.running_var.array[:] = rng.uniform(0.5, 2, shape)
            module.weight.array[:], module.bias.array[:] = rng.uniform(0.5, 1.5, shape), rng.normal(0, 0.2, shape)
    scales = {"rpn.head.cls_logits": 0.1, "rpn.head.bbox_pred": 0.1, "cls_score": 0.3, "box_predictor.bbox_pred": 0.1}
    for name, parameter in model.named_parameters():
        scale = next((s for part, s in {**scales, "mask_fcn_logits": 0.5}.items() if f"{part}.weight" in name), None)
        if scale is not None:
            parameter.array[:] = rng.normal(0, scale, parameter.shape)
    return model


def objects(model, image):
    with no_grad():
        found = model([Tensor(image)])[0]
    return [found[name].numpy() for name in OUTPUTS]


def assert_alike(found, wanted):
    """Compare object by object; of those whose scores rounding cannot tell apart the order is free."""
    assert [array.shape for array in found] == [array.shape for array in wanted]
    assert [array.dtype for array in found] == [array.dtype for array in wanted]
    assert np.abs(found[2] - wanted[2]).max(initial=0) <= SCORES
    order = comparison.paired(found, wanted)
    moved = np.flatnonzero(np.array(order) != np.arange(len(order)))
    assert all(abs(wanted[2][i] - wanted[2][order[i]]) <= 2 * SCORES for i in moved)
    boxes, labels, _, masks = (array[order] for array in found)
    assert np.array_equal(labels, wanted[1])
    assert np.abs(boxes - wanted[0]).max(initial=0) <= CORNERS
    assert not masks.size or np.abs(masks - wanted[3]).mean() <= PIXELS


@pytest.mark.parametrize("roi", ROI_LAYERS)
def test_a_pyramid_with_every_layer_for_regions(photograph, roi):
    model = lively(roi=roi, min_size=192, max_size=288, anchor_sizes=(48, 96, 144, 192, 256))
    file = onnx.export(model, photograph)
    checker.check_model(file, full_check=True)
    wanted = objects(model, photograph)
    assert len(wanted[0]) > 20
    assert len(set(wanted[1])) == 3
    levels = model.roi_heads.box_pooling.levels([wanted[0] * 192 / photograph.shape[1]])
    assert len(set(levels)) > 1  # so that regions are cut from several maps, and brought back into their order
    assert (np.diff(levels) < 0).any()
    assert_alike(run(file, photograph), wanted)


@pytest.mark.parametrize("neck", ["c4", "c5"])
def test_a_single_map(photograph, neck):
    model = lively(neck=neck)
    assert_alike(run(onnx.export(model, photograph), photograph), objects(model, photograph))


def test_other_photographs_of_the_size(photograph):
    model = lively()
    file = onnx.export(model, photograph)
    for image in (photograph[:, ::-1], 1 - photograph, photograph * 0):
        image = np.ascontiguousarray(image)
        assert_alike(run(file, image), objects(model, image))


def test_images_that_the_network_shrinks_and_grows(photograph):
    model = lively(min_size=96, max_size=128, backbone="mobilenet_v2", width_mult=0.35)
    for image in (photograph[:, :50, :70], photograph[:, ::2, :40]):
        image = np.ascontiguousarray(image)
        assert_alike(run(onnx.export(model, image), image), objects(model, image))


def test_nothing_found(photograph):
    model = lively()
    model.roi_heads.score_from = 1.0  # no probability is above it
    found = run(onnx.export(model, photograph), photograph)
    assert [array.shape for array in found] == [(0, 4), (0,), (0,), (0, 1, *photograph.shape[1:])]
    assert_alike(found, objects(model, photograph))
    model.rpn.smallest = 1e9  # no proposal is left
    assert_alike(run(onnx.export(model, photograph), photograph), objects(model, photograph))


def test_every_limit_of_the_choice_reaches_the_file(photograph):
    model = lively()
    before = len(objects(model, photograph)[0])
    model.rpn.overlap, model.rpn.smallest = 0.4, 30.0
    model.roi_heads.overlap, model.roi_heads.smallest, model.roi_heads.most, model.roi_heads.score_from = 0.4, 12.0, 5, 0.3
    wanted = objects(model, photograph)
    assert len(wanted[0]) == 5 < before
    assert_alike(run(onnx.export(model, photograph), photograph), wanted)


def test_one_class_and_one_channel(photograph):
    grey = np.ascontiguousarray(photograph.mean(0, keepdims=True))
    model = lively(classes=2, in_channels=1, frozen_norm=False)
    assert_alike(run(onnx.export(model, grey), grey), objects(model, grey))


@pytest.mark.parametrize("opset", [11, *(pytest.param(opset, marks=pytest.mark.release) for opset in (12, 13, 16, 18, 21))])
def test_operator_sets(photograph, opset):
    model = lively()
    file = onnx.export(model, photograph, opset=opset)
    assert file.opset_import[0].version == opset
    assert_alike(run(file, photograph), objects(model, photograph))


def test_names_and_bytes(photograph, tmp_path):
    file = onnx.export(lively(), photograph, tmp_path / "a.onnx")
    assert [one.name for one in (*file.graph.input, *file.graph.output)] == ["image", *OUTPUTS]
    named = onnx.export(lively(), [photograph], input_names=["x"], output_names=["b", "l", "s", "m"])
    assert [one.name for one in (*named.graph.input, *named.graph.output)] == ["x", "b", "l", "s", "m"]
    assert (tmp_path / "a.onnx").read_bytes() == onnx.export(lively(), photograph).SerializeToString()
    weights = {one.name for one in file.graph.initializer}
    assert {name for name, _ in lively().named_parameters()} <= weights
    assert {one.key for one in file.metadata_props} == {"model", "config"}
    paths = {node.name.split("/")[1] for node in file.graph.node}
    assert paths >= {"backbone", "rpn", "roi_heads", "pasting"}


def test_verify_compares_the_objects(photograph, monkeypatch):
    model = lively()
    onnx.export(model, photograph, verify=True)
    monkeypatch.setattr("rawseg.onnx.exporting.detector.pasting.PADDING", 2)
    with pytest.raises(GraphError, match="masks: expected a difference of at most"):
        onnx.export(model, photograph, verify=True)


def test_float64_becomes_float32(photograph):
    model = lively().double()
    wide = photograph.astype(np.float64)
    with pytest.raises(DTypeError, match="float32, or dtype='float32' to convert it"):
        onnx.export(model, wide)
    found = run(onnx.export(model, wide, dtype="float32"), photograph)
    wanted = [array if array.dtype == np.int64 else array.astype(np.float32) for array in objects(model, wide)]
    assert_alike(found, wanted)


def test_what_it_does_not_take_is_refused(photograph):
    model = lively()
    for option in ("dynamic_batch", "dynamic_size"):
        with pytest.raises(
            ArgumentError, match=f"{option}: expected False: a Mask R-CNN is written for one image of a fixed size"
        ):
            onnx.export(model, photograph, **{option: True})
    for x in (photograph[None], photograph[:1], (photograph, photograph)):
        with pytest.raises(ShapeError, match=r"x: expected one image of shape \(3, H, W\), got "):
            onnx.export(model, x)
    with pytest.raises(ArgumentError, match=r"output_names: expected 4 names, got \['a'\]"):
        onnx.export(model, photograph, output_names=["a"])


@pytest.mark.release
def test_the_size_of_torchvision(photograph):
    rawseg.manual_seed(1)
    model = models.build("mask_rcnn").eval()
    rng = np.random.default_rng(0)
    for name, parameter in model.named_parameters():
        if "cls_score.weight" in name:
            parameter.array[:] = rng.normal(0, 0.02, parameter.shape)
    image = np.ascontiguousarray((photographs.astronaut() / 255).astype(np.float32).transpose(2, 0, 1))
    assert_alike(run(onnx.export(model, image), image), objects(model, image))
