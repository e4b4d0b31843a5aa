"""Mask R-CNN as one ONNX graph: the objects that ONNX Runtime finds in photographs are rawseg's."""

from __future__ import annotations

import numpy as np
import pytest
from exported_detectors import CORNERS, assert_alike, lively, objects, photograph
from exported_networks import checker, run

import rawseg
from rawseg import models, onnx
from rawseg.models.mask_rcnn.regions import ROI_LAYERS


@pytest.fixture(scope="module", name="photograph")
def _photograph():
    return photograph()


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


def test_equal_scores_are_ranked_by_their_places(photograph):
    model = lively()
    for layer in (model.rpn.head.cls_logits, model.roi_heads.box_predictor.cls_score):
        layer.weight.array[:], layer.bias.array[:] = 0, 0
    found, wanted = run(onnx.export(model, photograph), photograph), objects(model, photograph)
    assert len(set(wanted[2])) == 1
    assert len(wanted[1]) > 20
    assert np.array_equal(found[1], wanted[1])
    assert np.abs(found[0] - wanted[0]).max() <= CORNERS


def test_scores_that_rounding_makes_equal_are_equal_here_too(photograph):
    """Probabilities near 1 have few float32 numbers: they are rounded once, from float64, on both sides."""
    model = lively()
    model.rpn.head.cls_logits.bias.array[:] = 16
    found, wanted = run(onnx.export(model, photograph), photograph), objects(model, photograph)
    assert_alike(found, wanted)


def test_nothing_found(photograph):
    model = lively()
    model.roi_heads.score_from = 1.0  # no probability is above it
    found = run(onnx.export(model, photograph), photograph)
    assert [array.shape for array in found] == [(0, 4), (0,), (0,), (0, 1, *photograph.shape[1:])]
    assert_alike(found, objects(model, photograph))
    model.rpn.smallest = 1e9  # no proposal is left
    assert_alike(run(onnx.export(model, photograph), photograph), objects(model, photograph))


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


@pytest.mark.release
def test_the_size_of_torchvision():
    rawseg.manual_seed(1)
    model = models.build("mask_rcnn").eval()
    rng = np.random.default_rng(0)
    for name, parameter in model.named_parameters():
        if "cls_score.weight" in name:
            parameter.array[:] = rng.normal(0, 0.02, parameter.shape)
    image = photograph(...)
    assert_alike(run(onnx.export(model, image), image), objects(model, image))
