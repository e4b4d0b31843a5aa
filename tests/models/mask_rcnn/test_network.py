"""Mask R-CNN as a whole: what it trains on, what it refuses, and that its bits depend on the seed alone."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
import pytest
import torch

import rawseg
from rawseg import models, nn, ops, optim
from rawseg.errors import ArgumentError, ArgumentTypeError, ShapeError
from rawseg.models import MaskRCNN
from rawseg.models.mask_rcnn import STAGES, run
from rawseg.models.mask_rcnn.backbone import BODIES
from rawseg.models.mask_rcnn.regions import ROI_LAYERS

SMALL = {"classes": 3, "backbone": "mobilenet_v2", "width_mult": 0.25, "frozen_norm": False, "channels": 8, "hidden": 16}
SMALL |= {"mask_layers": 1, "min_size": 64, "max_size": 96, "proposals": (40, 20), "regions": 16}
SMALL |= {"anchor_sizes": (8, 16, 32, 64, 96)}


def small(**changes):
    rawseg.manual_seed(0)
    return MaskRCNN(**(SMALL | changes))


def image(height=60, width=80, seed=0, channels=3):
    return np.random.default_rng(seed).random((channels, height, width)).astype(np.float32)


def objects(height=60, width=80):
    masks = np.zeros((2, height, width), bool)
    masks[0, 10:40, 5:35] = True
    masks[1, 20:50, 40:75] = True
    boxes = np.array([[5, 10, 35, 40], [40, 20, 75, 50]], np.float32)
    return {"boxes": boxes, "labels": np.array([1, 2]), "masks": masks}


def nothing(height=60, width=80):
    return {"boxes": np.zeros((0, 4), np.float32), "labels": np.zeros(0, np.int64), "masks": np.zeros((0, height, width), bool)}


def gradients(model, images, targets):
    losses = model(images, targets)
    first, *others = losses.values()
    sum(others, first).backward()
    return losses


# training


PAIRS = [("fpn", "roi_align"), ("c4", "roi_pool"), ("c5", "roi_warp"), ("c4", "roi_align_max")]
OTHERS = [(neck, roi) for neck in ("fpn", "c4", "c5") for roi in ROI_LAYERS if (neck, roi) not in PAIRS]


@pytest.mark.parametrize(("neck", "roi"), [*PAIRS, *(pytest.param(*pair, marks=pytest.mark.release) for pair in OTHERS)])
def test_every_parameter_gets_a_gradient_whatever_the_neck_and_the_layer(neck, roi):
    model = small(neck=neck, roi=roi)
    losses = gradients(model, [image(), image(50, 64, 1)], [objects(), objects(50, 64)])
    assert all(np.isfinite(loss.item()) and loss.item() > 0 for loss in losses.values())
    for name, parameter in model.named_parameters():
        assert np.isfinite(parameter.grad.numpy()).all(), name
        assert parameter.grad.numpy().any(), name


@pytest.mark.spec("mask_rcnn.nothing")
def test_images_without_any_object_train_the_classifiers_alone():
    model = small()
    losses = gradients(model, [image(), image(48, 64, 1)], [nothing(), nothing(48, 64)])
    for name in ("loss_box_reg", "loss_mask", "loss_rpn_box_reg"):
        assert losses[name].item() == 0
    assert losses["loss_objectness"].item() > 0
    assert losses["loss_classifier"].item() > 0
    for name, parameter in model.named_parameters():
        silent = "mask" in name or "bbox_pred" in name
        assert parameter.grad.numpy().any() != silent, name


def test_a_batch_may_mix_sizes_and_images_with_and_without_objects():
    model = small()
    losses = gradients(model, [image(), image(96, 40, 1)], [objects(), nothing(96, 40)])
    assert losses["loss_mask"].item() > 0


def test_a_step_lowers_the_losses():
    model = small()
    optimizer = optim.AdamW(model.parameters(), 2e-3)
    totals = []
    for _ in range(8):
        optimizer.zero_grad()
        totals.append(sum(loss.item() for loss in gradients(model, [image()], [objects()]).values()))
        optimizer.step()
    assert totals[-1] < 0.8 * totals[0]


def test_grey_images_and_tensors_will_do():
    model = small(in_channels=1)
    gradients(model, [rawseg.tensor(image(channels=1))], [{k: rawseg.tensor(v) for k, v in objects().items()}])
    model.eval()
    with rawseg.no_grad():
        assert set(model([image(channels=1)])[0]) == {"boxes", "labels", "scores", "masks"}


# bits


def digest(model):
    return hashlib.sha256(b"".join(t.numpy().tobytes() for t in model.state_dict().values())).hexdigest()


def trained(threads, seed=3):
    before = rawseg.get_num_threads()
    rawseg.set_num_threads(threads)
    try:
        rawseg.manual_seed(seed)
        model = MaskRCNN(**SMALL)
        optimizer = optim.SGD(model.parameters(), 1e-2, momentum=0.9)
        for step in range(3):
            optimizer.zero_grad()
            gradients(model, [image(seed=step), image(72, 50, step)], [objects(), nothing(72, 50)])
            optimizer.step()
        return digest(model)
    finally:
        rawseg.set_num_threads(before)


def test_training_gives_the_same_bits_for_any_number_of_threads():
    assert trained(1) == trained(2) == trained(1)


def test_another_seed_gives_other_weights():
    assert trained(1, seed=3) != trained(1, seed=4)


def test_an_image_is_found_the_same_alone_and_in_a_batch_of_its_size():
    model = small().eval()
    model.roi_heads.score_from = 0.01
    with rawseg.no_grad():
        alone, (first, _) = model([image()])[0], model([image(), image(seed=1)])
    for name, value in alone.items():
        assert value.numpy().tobytes() == first[name].numpy().tobytes(), name


# inference


def test_regions_go_back_to_the_image_that_they_came_from():
    heads, rng = small().eval().roi_heads, np.random.default_rng(0)
    low = rng.uniform(0, 30, (8, 2))
    boxes = np.concatenate([low, low + 20], 1).astype(np.float32)
    logits, codes = (rawseg.Tensor(rng.standard_normal((8, count)).astype(np.float32)) for count in (3, 12))
    parts, sizes = (slice(2), slice(2, 5), slice(5, None)), [(60, 60), (50, 70), (60, 70)]
    proposals = [boxes[rows] for rows in parts]
    together = heads.detect(logits, codes, proposals, sizes)
    for found, rows, own, size in zip(together, parts, proposals, sizes):
        (alone,) = heads.detect(logits[rows], codes[rows], [own], [size])
        assert len(found.boxes)
        np.testing.assert_array_equal(found.boxes, alone.boxes)


def test_objects_come_best_first_inside_the_image_with_a_mask_each():
    model = small().eval()
    model.roi_heads.score_from = 0.01
    with rawseg.no_grad():
        found = {name: value.numpy() for name, value in model([image()])[0].items()}
    count = len(found["scores"])
    assert count > 5
    assert (np.diff(found["scores"]) <= 0).all()
    assert found["masks"].shape == (count, 1, 60, 80)
    assert (found["boxes"][:, :2] >= 0).all()
    assert (found["boxes"][:, 2:] <= [80, 60]).all()
    assert set(found["labels"].tolist()) <= {1, 2}
    assert found["masks"].min() >= 0
    assert found["masks"].max() <= 1


def test_nothing_found_is_empty_arrays():
    model = small().eval()
    model.roi_heads.score_from = 1.0
    with rawseg.no_grad():
        found = model([image()])[0]
    assert [found[name].shape for name in ("boxes", "labels", "scores", "masks")] == [(0, 4), (0,), (0,), (0, 1, 60, 80)]


def test_stages_read_only_what_earlier_ones_give():
    known = {"images"}
    for stage in STAGES:
        assert set(stage.reads) <= known, stage.name
        known |= set(stage.gives)
    assert "results" in known


def test_whoever_watches_sees_every_stage_once():
    model, seen = small().eval(), []
    with rawseg.no_grad():
        run(model, {"images": [image()]}, lambda stage, given: seen.append((stage.name, tuple(given))))
    assert seen == [(stage.name, stage.gives) for stage in STAGES]


# weights and parts


def test_every_backbone_is_built_and_counted():
    for backbone in BODIES:
        with nn.init.skipped():
            model = MaskRCNN(classes=2, backbone=backbone)
        assert sum(p.size for p in model.parameters()) > 1e7


def test_weights_are_saved_and_built_again_with_their_options(tmp_path):
    model = small(neck="c4")
    models.save_model(model, tmp_path / "w.safetensors", ["background", "cat", "dog"])
    again = models.load_model(tmp_path / "w.safetensors")
    assert again.config == model.config
    assert again.class_names == ["background", "cat", "dog"]
    assert digest(again) == digest(model)


def test_a_step_learns_from_as_many_boxes_as_in_the_papers():
    with nn.init.skipped():
        model = MaskRCNN()
    assert (model.rpn.sampler.count, model.rpn.sampler.positive) == (256, 0.5)
    assert (model.roi_heads.sampler.count, model.roi_heads.sampler.positive) == (512, 0.25)


def test_frozen_norms_are_buffers_that_load_a_batch_norms_weights():
    norm = nn.BatchNorm2d(3)
    norm.weight.array[:] = [1, 2, 3]
    norm.running_mean.array[:] = [4, 5, 6]
    frozen = ops.FrozenBatchNorm2d.of(norm)
    x = rawseg.tensor(image(5, 6), requires_grad=True)[None]
    assert np.array_equal(frozen(x).numpy(), norm.eval()(x).numpy())
    assert list(frozen.parameters()) == []
    assert list(frozen.state_dict()) == ["weight", "bias", "running_mean", "running_var"]
    assert repr(frozen) == "FrozenBatchNorm2d(3, eps=1e-05)"
    plain = ops.FrozenBatchNorm2d(3)
    assert plain.load_state_dict(norm.state_dict(), strict=False).unexpected_keys == ["num_batches_tracked"]
    assert np.array_equal(plain(x).numpy(), frozen(x).numpy())
    exact = ops.FrozenBatchNorm2d(3, eps=0)  # as torchvision's pretrained detectors
    exact.running_var.array[:] = 4
    assert np.array_equal(exact(x).numpy(), x.numpy() / 2)


def test_frozen_networks_have_no_norm_that_learns_and_keep_their_statistics():
    model = small(frozen_norm=True)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    before = {name: buffer.numpy().copy() for name, buffer in model.named_buffers()}
    gradients(model, [image()], [objects()])
    assert all(np.array_equal(before[name], buffer.numpy()) for name, buffer in model.named_buffers())


@pytest.mark.parametrize("backbone", ["resnet18", "mobilenet_v2"])
def test_frozen_stages_are_those_next_to_the_image(backbone):
    trained = []
    for count in range(6):
        model = small(backbone=backbone, frozen_stages=count)
        trained.append({name for name, p in model.named_parameters() if p.requires_grad and ".body." in name})
    assert not trained[5]
    for more, fewer in pairwise(trained):
        assert fewer < more
    if backbone == "resnet18":
        assert sorted({name.split(".")[2] for name in trained[2]}) == ["layer2", "layer3", "layer4"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"neck": "p5"}, r"mask_rcnn: neck: expected one of \('fpn', 'c4', 'c5'\), got 'p5'"),
        ({"backbone": "alexnet"}, "mask_rcnn: backbone: expected one of .* got 'alexnet'"),
        ({"roi": "crop"}, "mask_rcnn: roi: expected one of .* got 'crop'"),
        ({"classes": 1}, "mask_rcnn: classes: expected .*2.* got 1"),
        ({"anchor_sizes": (8, 16)}, r"mask_rcnn: anchor_sizes: expected 5, one a level, got \(8, 16\)"),
        ({"proposals": (10,)}, r"mask_rcnn: proposals: expected two numbers, in training and in evaluation, got \(10,\)"),
        ({"min_size": 100}, "mask_rcnn: min_size: expected from 1 to max_size, 96, got 100"),
        ({"width_mult": -1}, "mask_rcnn: width_mult: expected a number above 0"),
        ({"regions": 0}, "mask_rcnn: regions: expected .*1.* got 0"),
        ({"mask_layers": -1}, "mask_rcnn: mask_layers: expected .*0.* got -1"),
        ({"frozen_stages": -1}, "mask_rcnn: frozen_stages: expected .*0.* got -1"),
        ({"frozen_stages": 6}, "mask_rcnn: frozen_stages: expected at most 5, got 6"),
    ],
)
def test_options_outside_their_domain_are_refused(changes, message):
    with pytest.raises(ArgumentError, match=message):
        small(**changes)


def test_a_flag_is_a_bool():
    with pytest.raises(ArgumentTypeError, match="mask_rcnn: frozen_norm: expected a bool"):
        small(frozen_norm="false")


def test_answers_that_are_not_finite_are_told_from_what_follows_of_them():
    model = small()
    model.rpn.head.cls_logits.bias.array[:] = np.nan
    with pytest.raises(ArgumentError, match=r"mask_rcnn: objectness: expected finite numbers \(did training diverge\?\)"):
        model([image()], [objects()])
    model = small().eval()
    model.roi_heads.box_predictor.bbox_pred.bias.array[:] = np.inf
    with pytest.raises(ArgumentError, match="mask_rcnn: box_codes: expected finite numbers"):
        model([image()])


def test_images_of_pytorch_will_do():
    model = small().eval()
    with rawseg.no_grad():
        ours, theirs = model([image()])[0], model([torch.tensor(image())])[0]
    assert np.array_equal(ours["boxes"].numpy(), theirs["boxes"].numpy())


def test_calls_without_images_or_targets_are_refused():
    model = small()
    with pytest.raises(ArgumentTypeError, match="mask_rcnn: images: expected a list with at least one image, got ndarray"):
        model(image()[None])
    with pytest.raises(ArgumentTypeError, match="at least one image, got list"):
        model([])
    with pytest.raises(ArgumentError, match="targets: expected 1, one for each image, in training mode, got none"):
        model([image()])
    with pytest.raises(ArgumentError, match="targets: expected 2, one for each image, in training mode, got 1"):
        model([image(), image()], [objects()])
    with pytest.raises(ShapeError, match=r"images: expected shape \(3, H, W\) each, got shape \(1, 60, 80\)"):
        model([image(channels=1)], [objects()])
