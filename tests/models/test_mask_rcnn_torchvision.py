"""Mask R-CNN beside torchvision's with the same weights: stage by stage on its tensors, and from end to end.

In float64 a tensor agrees to 1e-9 of its largest value; to 1e-6 where torchvision itself drops to float32: the loss of
objectness, and the factors by which it brings boxes back to the size of the photograph.
"""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import rawseg
from rawseg.benchmark.torchvision_on_cpu import torchvision
from rawseg.errors import BackendError
from rawseg.models import MaskRCNN
from rawseg.models.mask_rcnn.matching import Drawn
from rawseg.models.mask_rcnn.regions import RegionPooling

EXACT, FLOAT32 = 1e-9, 1e-6
SIZES = [(75, 110), (94, 63)]  # of the images: landscape and portrait, no multiples of 32
WHOLE = [(48, 80), (80, 64)]  # these are resized by 2 and by 1.5, factors that float32 has
LIMITS = {"min_size": 96, "max_size": 160}
BACKBONES = [pytest.param("resnet50", marks=pytest.mark.gate), pytest.param("mobilenet_v2", marks=pytest.mark.release)]
PROPOSALS, REGIONS, CLASSES = (300, 100), 64, 7


def oracle():
    try:
        return torchvision()
    except BackendError as error:
        pytest.skip(f"torchvision is the oracle of this file: {error}")


def difference(ours, theirs) -> float:
    """Return the largest difference over the largest value."""
    ours, theirs = np.asarray(getattr(ours, "array", ours)), theirs.detach().numpy()
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-300)) if ours.size else 0.0


def network(kind: str):
    """Return torchvision's network and ours with its weights, both in float64."""
    tv = oracle()
    torch.manual_seed(0)
    utils = tv.models.detection.backbone_utils
    if kind == "resnet50":
        backbone = utils._resnet_fpn_extractor(tv.models.resnet50(norm_layer=tv.ops.FrozenBatchNorm2d), 5)
    else:
        body = tv.models.mobilenet_v2(norm_layer=tv.ops.FrozenBatchNorm2d).features
        levels = {"3": "0", "6": "1", "13": "2", "18": "3"}
        backbone = utils.BackboneWithFPN(body, levels, [24, 32, 96, 1280], 256)
    counts = {"rpn_pre_nms_top_n_train": 300, "rpn_post_nms_top_n_train": 300, "box_batch_size_per_image": REGIONS}
    counts |= {"rpn_pre_nms_top_n_test": 100, "rpn_post_nms_top_n_test": 100}
    theirs = tv.models.detection.MaskRCNN(backbone, CLASSES, **LIMITS, **counts).double()
    for norm in (m for m in theirs.modules() if isinstance(m, tv.ops.FrozenBatchNorm2d)):
        norm.weight.uniform_(0.5, 1.0), norm.bias.normal_(0, 0.1), norm.running_mean.normal_(0, 0.1)
        norm.running_var.uniform_(0.5, 1.5)
    ours = MaskRCNN(CLASSES, backbone=kind, **LIMITS, proposals=PROPOSALS, regions=REGIONS).double()
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    return theirs, ours


def images(sizes=SIZES):
    rng = np.random.default_rng(5)
    return [rng.random((3, *size)) for size in sizes]


def targets():
    """Return two objects in the first image and none in the second."""
    height, width = WHOLE[0]
    rows, columns = np.mgrid[:height, :width]
    masks = np.stack([(rows - 20) ** 2 + (columns - 25) ** 2 < 200, (abs(rows - 28) < 17) & (abs(columns - 54) < 22)])
    boxes = np.array([[11.0, 6, 39, 34], [32, 11, 76, 45]])
    none = {"boxes": np.zeros((0, 4)), "labels": np.zeros(0, np.int64), "masks": np.zeros((0, *WHOLE[1]), bool)}
    return [{"boxes": boxes, "labels": np.array([2, 5]), "masks": masks}, none]


def as_torch(target):
    return {name: torch.tensor(value.astype(np.uint8) if name == "masks" else value) for name, value in target.items()}


@contextmanager
def recorded(model):
    """Yield what torchvision's modules are given and return, by name; each call under the name of its module."""
    seen, hooks = {}, []
    parts = {
        "backbone": model.backbone,
        "rpn_head": model.rpn.head,
        "anchors": model.rpn.anchor_generator,
        "rpn": model.rpn,
        "box_pool": model.roi_heads.box_roi_pool,
        "box_head": model.roi_heads.box_head,
        "box_predictor": model.roi_heads.box_predictor,
        "mask_pool": model.roi_heads.mask_roi_pool,
        "mask_head": model.roi_heads.mask_head,
        "mask_predictor": model.roi_heads.mask_predictor,
        "transform": model.transform,
    }
    for name, module in parts.items():
        keep = lambda _, inputs, output, name=name: seen.__setitem__(name, SimpleNamespace(inputs=inputs, output=output))  # noqa: E731
        hooks.append(module.register_forward_hook(keep))
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@pytest.fixture(scope="module", params=BACKBONES)
def evaluated(request):
    theirs, ours = network(request.param)
    theirs.eval(), ours.eval()
    with recorded(theirs) as seen, torch.no_grad():
        results = theirs([torch.tensor(image) for image in images()])
    return theirs, ours, seen, results


def tensors(values):
    return [rawseg.tensor(v.numpy()) for v in values]


def test_each_stage_of_an_inference_agrees_on_torchvisions_tensors(evaluated):
    _, ours, seen, _ = evaluated
    batch, sizes = ours.transform.batch(images(), np.float64, "cpu")
    image_list = seen["transform"].output[0]
    assert sizes == [tuple(size) for size in image_list.image_sizes]
    assert difference(batch, image_list.tensors) < EXACT
    with rawseg.no_grad():
        maps = ours.backbone(rawseg.tensor(image_list.tensors.numpy()))
        their_maps = list(seen["backbone"].output.values())
        for level, their_level in zip(maps, their_maps, strict=True):
            assert difference(level, their_level) < EXACT
        maps = tensors(their_maps)
        objectness, deltas = ours.rpn.head(maps)
    logits, codes = seen["rpn_head"].output
    flat = [x.permute(0, 2, 3, 1).reshape(len(x), -1) for x in logits]
    assert difference(objectness, torch.cat(flat, 1)) < EXACT
    codes = [x.reshape(len(x), -1, 4, *x.shape[2:]).permute(0, 3, 4, 1, 2).reshape(len(x), -1, 4) for x in codes]
    assert difference(deltas, torch.cat(codes, 1)) < EXACT
    anchors = ours.rpn.anchors.on_maps([x.shape[2:] for x in maps], tuple(image_list.tensors.shape[2:]), np.float64)
    for own in seen["anchors"].output:
        assert difference(np.concatenate(anchors), own) == 0
    found = ours.rpn.propose(torch.cat(flat, 1).numpy(), torch.cat(codes, 1).numpy(), anchors, sizes)
    for own, theirs in zip(found, seen["rpn"].output[0], strict=True):
        assert difference(own.boxes, theirs) < EXACT


def test_each_stage_of_the_heads_agrees_on_torchvisions_tensors(evaluated):
    _, ours, seen, results = evaluated
    maps, sizes = tensors(seen["backbone"].output.values()), [tuple(s) for s in seen["box_pool"].inputs[2]]
    proposals = [p.numpy() for p in seen["rpn"].output[0]]
    heads = ours.roi_heads
    with rawseg.no_grad():
        assert difference(heads.box_pooling(maps, proposals), seen["box_pool"].output) < EXACT
        logits, codes = heads.classify(rawseg.tensor(seen["box_pool"].output.numpy()))
        assert difference(logits, seen["box_predictor"].output[0]) < EXACT
        assert difference(codes, seen["box_predictor"].output[1]) < EXACT
        found = heads.detect(*tensors(seen["box_predictor"].output), proposals, sizes)
        boxes = [b.numpy() for b in seen["mask_pool"].inputs[1]]
        for own, theirs in zip(found, seen["mask_pool"].inputs[1], strict=True):
            assert difference(own.boxes, theirs) < EXACT
        for own, theirs in zip(found, results, strict=True):
            assert own.labels.tolist() == theirs["labels"].tolist()
            assert difference(own.scores, theirs["scores"]) < EXACT
        assert sum(map(len, boxes)) > 20
        assert difference(heads.mask_pooling(maps, boxes), seen["mask_pool"].output) < EXACT
        assert difference(heads.segment(rawseg.tensor(seen["mask_pool"].output.numpy())), seen["mask_predictor"].output) < EXACT


def test_an_inference_agrees_from_end_to_end(evaluated):
    """No score of proposals or detections ties here: they would be ranked alike, but for their rounding."""
    _, ours, _, results = evaluated
    with rawseg.no_grad():
        found = ours(images())
    for own, theirs in zip(found, results, strict=True):
        assert own["labels"].numpy().tolist() == theirs["labels"].tolist()
        assert difference(own["scores"], theirs["scores"]) < EXACT
        assert difference(own["boxes"], theirs["boxes"]) < FLOAT32
        assert own["masks"].shape == tuple(theirs["masks"].shape)
        same_places = np.round(own["boxes"].numpy()) == np.round(theirs["boxes"].numpy())
        assert same_places.all(), "a corner within 1e-6 of a half would be pasted a pixel off"
        assert difference(own["masks"], theirs["masks"]) < FLOAT32


class Replayed:
    """A sampler that returns what torchvision's drew."""

    def __init__(self, drawn):
        self.drawn = iter(drawn)

    def __call__(self, labels, rng):
        positive, negative = next(self.drawn)
        assert (labels[positive] >= 1).all()
        assert (labels[negative] == 0).all()
        return Drawn(positive, negative)


def drawn_by(sampler):
    """Return a list that fills with what torchvision's sampler draws for each image."""
    found, call = [], sampler.__call__

    class Spy(type(sampler)):
        def __call__(self, labels):
            positive, negative = call(labels)
            pairs = zip(positive, negative)
            found.extend((np.flatnonzero(p.numpy()), np.flatnonzero(n.numpy())) for p, n in pairs)
            return positive, negative

    sampler.__class__ = Spy
    return found


@pytest.mark.parametrize("kind", BACKBONES)
def test_all_five_losses_and_every_gradient_agree_in_training(kind):
    theirs, ours = network(kind)
    theirs.train(), ours.train()
    drawn = drawn_by(theirs.rpn.fg_bg_sampler), drawn_by(theirs.roi_heads.fg_bg_sampler)
    with torch.enable_grad():
        want = theirs([torch.tensor(image) for image in images(WHOLE)], [as_torch(t) for t in targets()])
        sum(want.values()).backward()
    ours.rpn.sampler, ours.roi_heads.sampler = (Replayed(pairs) for pairs in drawn)
    got = ours(images(WHOLE), targets())
    sum(got.values()).backward()
    assert list(got) == ["loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg"]
    for name, value in want.items():
        bound = FLOAT32 if name == "loss_objectness" else EXACT
        assert got[name].item() == pytest.approx(value.item(), rel=bound), name
        assert value.item() > 0
    wanted = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        untouched = name.startswith(("roi_heads.", "rpn.head.bbox_pred"))  # by the loss of objectness
        assert difference(parameter.grad, wanted[name].grad) < (EXACT if untouched else FLOAT32), name


def test_a_proposal_of_any_size_is_cut_from_torchvisions_level():
    mapper = oracle().ops.poolers.LevelMapper(2, 5)
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 400, (500, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(1, 900, (500, 2))], 1)
    ours = RegionPooling("roi_align", 7, (4, 8, 16, 32)).levels([boxes])
    assert ours.tolist() == mapper([torch.tensor(boxes)]).tolist()
    assert set(ours.tolist()) == {0, 1, 2, 3}


def test_parameters_are_counted_as_torchvisions():
    frozen = MaskRCNN()
    assert sum(p.size for p in frozen.parameters()) == 44_401_393
    assert sum(p.size for p in MaskRCNN(frozen_norm=False).parameters()) == 44_454_513
