"""The stages of Mask R-CNN one by one, on cases that a hand can compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rawseg
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg.models.mask_rcnn import FATES
from rawseg.models.mask_rcnn.anchors import Anchors
from rawseg.models.mask_rcnn.detections import detect
from rawseg.models.mask_rcnn.losses import box_losses, mask_loss, proposal_losses
from rawseg.models.mask_rcnn.matching import BETWEEN, NOTHING, BalancedSampler, match
from rawseg.models.mask_rcnn.regions import RegionPooling
from rawseg.models.mask_rcnn.selection import best_of_groups, select
from rawseg.models.mask_rcnn.targets import anchor_targets, checked_target, mask_targets, roi_targets
from rawseg.models.mask_rcnn.transform import Transform, resized_boxes
from rawseg.ops import BoxCoder

CODER = BoxCoder((1.0, 1.0, 1.0, 1.0))


def rng():
    return np.random.default_rng(0)


# anchors


def test_anchors_stand_at_every_pixel_row_by_row():
    found = Anchors([(4,)], (1.0,)).on_maps([(2, 3)], (16, 48), "float32")[0]
    centres = (found[:, :2] + found[:, 2:]) / 2
    assert centres.tolist() == [[0, 0], [16, 0], [32, 0], [0, 8], [16, 8], [32, 8]]
    assert (found[:, 2:] - found[:, :2] == 4).all()


def test_anchors_have_every_shape_for_every_size():
    found = Anchors([(32, 64)], (0.5, 2.0)).around_zero(0, "float64")
    sides = found[:, 2:] - found[:, :2]  # heights over widths are the ratios, but for whole corners
    assert sides.tolist() == [[46, 22], [90, 46], [22, 46], [46, 90]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([(0,)],), "sizes: expected finite numbers greater than 0"),
        (([(8,)], (-1.0,)), "aspect_ratios: expected finite numbers greater than 0"),
        (([(8,), (8, 16)],), "sizes: expected as many at every level"),
    ],
)
def test_anchors_refuse(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Anchors(*arguments)


def test_anchors_need_a_size_for_every_map():
    with pytest.raises(ArgumentError, match="map_sizes: expected 1 levels"):
        Anchors([(8,)]).on_maps([(1, 1), (2, 2)], (8, 8), "float32")


# matching and sampling


def test_a_box_stands_for_the_object_that_it_overlaps_most():
    overlaps = np.array([[0.8, 0.1, 0.4, 0.2], [0.7, 0.2, 0.5, 0.2]])
    assert match(overlaps, 0.7, 0.3, rescue=False).tolist() == [0, NOTHING, BETWEEN, NOTHING]


@pytest.mark.spec("mask_rcnn.matching")
def test_thresholds_belong_to_the_upper_side():
    assert match(np.array([[0.7, 0.3]]), 0.7, 0.3, rescue=False).tolist() == [0, BETWEEN]


@pytest.mark.spec("mask_rcnn.matching")
def test_no_object_is_left_out_and_all_boxes_that_tie_are_rescued():
    overlaps = np.array([[0.9, 0.2, 0.1, 0.2], [0.0, 0.25, 0.25, 0.0]])
    assert match(overlaps, 0.7, 0.3, rescue=True).tolist() == [0, 1, 1, NOTHING]


def test_a_rescued_box_stands_for_the_object_that_it_overlaps_most_itself():
    overlaps = np.array([[0.6], [0.5]])  # the only box is the best of both objects
    assert match(overlaps, 0.7, 0.3, rescue=True).tolist() == [0]


def test_an_object_that_no_box_touches_makes_no_box_its_own():
    overlaps = np.array([[0.0, 0.0], [0.8, 0.1]])
    assert match(overlaps, 0.7, 0.3, rescue=True).tolist() == [1, NOTHING]


def test_without_objects_or_boxes_there_is_nothing():
    assert match(np.zeros((0, 3)), 0.7, 0.3, rescue=True).tolist() == [NOTHING] * 3
    assert match(np.zeros((2, 0)), 0.7, 0.3, rescue=True).tolist() == []


@pytest.mark.spec("mask_rcnn.sampling")
@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 5), st.integers(1, 10), st.integers(0, 99))
def test_a_sampler_draws_at_most_its_share_and_never_what_is_neither(objects, background, neither, count, seed):
    labels = np.array([2] * objects + [0] * background + [-1] * neither)
    labels = np.random.default_rng(seed).permutation(labels)
    drawn = BalancedSampler(count, 0.5)(labels, np.random.default_rng(seed))
    assert len(drawn.positive) == min(objects, count // 2)
    assert len(drawn.negative) == min(background, count - len(drawn.positive))
    assert (labels[drawn.positive] == 2).all()
    assert (labels[drawn.negative] == 0).all()
    for indices in drawn:
        assert (np.diff(indices) > 0).all()  # ascending, each once


def test_a_sampler_draws_by_the_generator_alone():
    labels = np.zeros(100)
    sampler = BalancedSampler(10, 0.5)
    one, same, other = (sampler(labels, np.random.default_rng(seed)).negative.tolist() for seed in (1, 1, 2))
    assert one == same != other


# selection


@pytest.mark.spec("mask_rcnn.ties")
def test_the_best_of_every_group_come_in_order_and_ties_by_their_place():
    ranks = np.array([1.0, 3.0, 3.0, 2.0, 9.0, np.nan, 8.0])
    assert best_of_groups(ranks, [4, 3], 2).tolist() == [1, 2, 4, 6]
    assert best_of_groups(ranks, [4, 3], 9).tolist() == [1, 2, 3, 0, 4, 6, 5]


def test_every_box_is_told_what_became_of_it():
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [30, 30, 50, 50], [5, 5, 5, 9], [60, 0, 70, 10], [0, 0, 1, 1.0]])
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.99])
    groups, candidates = np.zeros(6, np.int64), np.array([0, 1, 2, 3, 4])
    found = select(boxes, scores, groups, candidates, (40, 100), smallest=1, overlap=0.5, most=2)
    assert [FATES[fate] for fate in found.fates] == [
        "kept",
        "overlaps a better one",
        "kept",
        "too small",
        "too many",
        "not among the best of its level",
    ]
    assert found.indices.tolist() == [0, 2]
    assert found.boxes.tolist() == [[0, 0, 10, 10], [30, 30, 50, 40]]  # clipped to the image's 40 rows
    assert found.scores.tolist() == [0.9, 0.7]


def test_boxes_of_another_group_do_not_suppress():
    boxes, scores = np.array([[0, 0, 10, 10.0]] * 2), np.array([0.9, 0.8])
    found = select(boxes, scores, np.array([0, 1]), np.arange(2), (20, 20), smallest=0, overlap=0.5, most=9)
    assert found.indices.tolist() == [0, 1]


def test_nothing_in_nothing_out():
    none = np.zeros(0, np.int64)
    found = select(np.zeros((0, 4)), np.zeros(0), none, none, (9, 9), smallest=0, overlap=0.5, most=9)
    assert [len(part) for part in found] == [0, 0, 0, 0]


# detections


@pytest.mark.spec("mask_rcnn.order")
def test_a_region_may_be_one_object_of_each_class_but_never_background():
    boxes = np.zeros((2, 3, 4))
    boxes[..., 2:] = 10
    boxes[1] += 20
    scores = np.array([[0.2, 0.5, 0.3], [0.94, 0.05, 0.01]])
    found = detect(boxes, scores, (40, 40), score_from=0.05, smallest=0.01, overlap=0.5, most=10)
    assert found.labels.tolist() == [1, 2]
    assert found.regions.tolist() == [0, 0]
    assert found.scores.tolist() == [0.5, 0.3]
    assert [[FATES[fate] for fate in row] for row in found.fates] == [["kept", "kept"], ["score too low", "score too low"]]


def test_detections_without_regions():
    found = detect(np.zeros((0, 3, 4)), np.zeros((0, 3)), (9, 9), score_from=0.05, smallest=0.01, overlap=0.5, most=10)
    assert [part.shape for part in found] == [(0, 4), (0,), (0,), (0,), (0, 2)]


# transform


@pytest.mark.spec("mask_rcnn.size")
def test_the_shorter_side_decides_unless_the_longer_would_exceed_its_limit():
    transform = Transform(100, 150, (0.0,), (1.0,))
    assert transform.size_of((50, 60)) == (100, 120)
    assert transform.size_of((60, 50)) == (120, 100)
    assert transform.size_of((50, 100)) == (75, 150)
    assert transform.size_of((1, 1000)) == (1, 150)


def test_a_batch_holds_images_of_any_size_in_its_upper_left_corner():
    transform = Transform(20, 50, (0.25,), (0.5,))
    images = [np.full((1, 20, 30), 0.75, np.float32), np.full((1, 40, 20), 0.25, np.float32)]
    batch, sizes = transform.batch(images, np.float32, "cpu")
    assert sizes == [(20, 30), (40, 20)]
    assert batch.shape == (2, 1, 64, 32)  # multiples of 32
    assert (batch.numpy()[0, 0, :20, :30] == 1).all()
    assert batch.numpy()[0].sum() == 20 * 30
    assert not batch.numpy()[1].any()  # the mean becomes 0, as the padding


def test_boxes_and_masks_are_resized_with_their_image():
    masks = np.zeros((1, 4, 6), bool)
    masks[0, 1:3, 2:5] = True
    target = {"boxes": np.array([[2.0, 1, 5, 3]]), "labels": np.array([1]), "masks": masks}
    found = Transform(8, 12, (0.0,), (1.0,)).target(target, (4, 6), (8, 12))
    assert found["boxes"].tolist() == [[4, 2, 10, 6]]
    assert np.array_equal(found["masks"][0], np.kron(masks[0], np.ones((2, 2), bool)))


def test_a_box_is_resized_across_by_widths_and_down_by_heights():
    assert resized_boxes(np.array([[1.0, 2, 3, 4]]), (10, 20), (20, 100)).tolist() == [[5, 4, 15, 8]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((10, 9, (0.0,), (1.0,)), "min_size: expected from 1 to max_size, 9, got 10"),
        ((5, 9, (0.0, 0.0), (1.0,)), "std: expected a number greater than 0 for each channel"),
        ((5, 9, (0.0,), (0.0,)), "std: expected a number greater than 0 for each channel"),
    ],
)
def test_the_transform_refuses(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        Transform(*arguments)


def test_an_image_of_other_channels_is_refused():
    with pytest.raises(ShapeError, match=r"images: expected shape \(1, H, W\) each, got shape \(3, 8, 8\)"):
        Transform(8, 8, (0.0,), (1.0,)).batch([np.zeros((3, 8, 8))], np.float32, "cpu")


def test_an_image_of_whole_numbers_is_refused():
    with pytest.raises(DTypeError, match=r"images: expected floats in \[0, 1\], got uint8"):
        Transform(8, 8, (0.0,), (1.0,)).batch([np.zeros((1, 8, 8), np.uint8)], np.float32, "cpu")


# targets


def test_anchors_learn_objects_background_and_where_the_objects_lie():
    anchors = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [50, 50, 60, 60], [1, 0, 11, 10.0]])
    found = anchor_targets(anchors, np.array([[0, 0, 10, 10.0]]), 0.7, 0.3, CODER)
    assert found.labels.tolist() == [1, -1, 0, 1]  # the last overlaps by 90 / 110
    np.testing.assert_allclose(found.codes[3], [-0.1, 0, 0, 0], atol=1e-15)  # one pixel of ten to the left
    assert not found.codes[[0, 1, 2]].any()


def test_without_objects_all_anchors_are_background():
    found = anchor_targets(np.array([[0, 0, 10, 10.0]]), np.zeros((0, 4)), 0.7, 0.3, CODER)
    assert found.labels.tolist() == [0]
    assert found.codes.tolist() == [[0, 0, 0, 0]]


def test_the_objects_own_boxes_are_among_the_regions():
    target = {"boxes": np.array([[0, 0, 10, 10], [20, 20, 30, 40.0]]), "labels": np.array([3, 1])}
    proposals = np.array([[0, 0, 10, 9], [50, 50, 60, 60.0]])
    found = roi_targets(proposals, target, 0.5, BalancedSampler(8, 0.5), CODER, rng())
    assert found.labels.tolist() == [3, 0, 3, 1]
    assert found.objects.tolist() == [0, 0, 0, 1]
    assert found.boxes[2:].tolist() == target["boxes"].tolist()
    assert not found.codes[1:].any()
    np.testing.assert_allclose(found.codes[0], [0, 0.5 / 9, 0, np.log(10 / 9)], atol=1e-15)


def test_an_image_without_objects_has_only_background():
    target = {"boxes": np.zeros((0, 4)), "labels": np.zeros(0, np.int64)}
    found = roi_targets(np.array([[0, 0, 5, 5.0]]), target, 0.5, BalancedSampler(8, 0.25), CODER, rng())
    assert found.labels.tolist() == [0]
    nothing = roi_targets(np.zeros((0, 4)), target, 0.5, BalancedSampler(8, 0.25), CODER, rng())
    assert [len(part) for part in nothing] == [0, 0, 0, 0]


def test_a_mask_is_cut_out_of_its_object_cell_by_cell():
    masks = np.zeros((2, 8, 8), bool)
    masks[0, :, :4] = True  # the left half
    masks[1, :4] = True  # the upper half
    boxes = np.array([[0, 0, 8, 8], [0, 0, 8, 8], [0, 0, 4, 4.0]])
    found = mask_targets(masks, boxes, np.array([0, 1, 0]), 2)
    # Without alignment a sample at 3.5 lies between pixels 3 and 4, one inside and one outside: the last of four counts half.
    assert found[0].tolist() == [[0.875, 0], [0.875, 0]]
    assert found[1].tolist() == [[0.875, 0.875], [0, 0]]
    assert found[2].tolist() == [[1, 0.75], [1, 0.75]]
    assert mask_targets(masks, np.zeros((0, 4)), np.zeros(0, np.int64), 2).shape == (0, 2, 2)


def test_masks_of_a_crowded_image_are_cut_out_in_parts(monkeypatch):
    masks = rng().random((5, 8, 6)) < 0.5
    boxes, objects = np.tile([[0, 1, 5, 7.5]], (7, 1)), np.array([4, 0, 2, 2, 1, 4, 0])
    whole = mask_targets(masks, boxes, objects, 3)
    monkeypatch.setattr("rawseg.models.mask_rcnn.targets.AT_ONCE", 2 * 48)
    assert np.array_equal(mask_targets(masks, boxes, objects, 3), whole)
    for cut, number in zip(whole, objects):
        assert np.array_equal(cut, mask_targets(masks[[number]], boxes[:1], np.zeros(1, np.int64), 3)[0])


def target(**changes):
    box, mask = np.array([[1, 1, 3, 3], [0, 0, 2, 2]], np.float32), np.ones((2, 4, 5), bool)
    return {"boxes": box, "labels": np.array([1, 2]), "masks": mask, "ids": np.array([17, 42])} | changes


def check(value):
    return checked_target(value, 3, (4, 5), 3, np.dtype(np.float64))


def test_a_target_comes_as_arrays_of_the_networks_dtype():
    found = check({name: rawseg.tensor(value) for name, value in target().items()})
    assert found["boxes"].dtype == np.float64
    assert found["masks"].dtype == bool
    assert found["labels"].tolist() == [1, 2]
    assert check(target(masks=np.ones((2, 4, 5), np.uint8)))["masks"].all()


BAD_BOX = np.array([[1, 1, 3, 3], [2, 0, 2, 2]], np.float32)
NAN_BOX = np.array([[1, 1, np.nan, 3], [0, 0, 2, 2]], np.float32)


@pytest.mark.spec("mask_rcnn.targets")
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"boxes": BAD_BOX}, ArgumentError, r"targets\[3\]\['boxes'\]: expected x2 > x1 .* of annotation 42"),
        ({"boxes": NAN_BOX}, ArgumentError, r"'boxes'\]: expected .*, all finite, got .*nan.* of annotation 17"),
        ({"labels": np.array([1, 3])}, ArgumentError, r"'labels'\]: expected classes 1..2, got 3 of annotation 42"),
        ({"labels": np.array([0, 1])}, ArgumentError, r"'labels'\]: expected classes 1..2, got 0 of annotation 17"),
        ({"labels": np.array([1.0, 2.0])}, DTypeError, r"'labels'\]: expected int64, got float64"),
        ({"masks": np.full((2, 4, 5), 9)}, ArgumentError, r"'masks'\]: expected zeros and ones, got 9 to 9 of annotation 17"),
        ({"masks": np.ones((2, 5, 4), bool)}, ShapeError, r"'masks'\]: expected shape \(2, 4, 5\), got shape \(2, 5, 4\)"),
        ({"boxes": np.zeros((1, 4))}, ShapeError, r"'boxes'\]: expected shape \(2, 4\), got shape \(1, 4\)"),
    ],
)  # fmt: skip
def test_a_target_is_refused_by_the_id_of_its_annotation(changes, error, message):
    with pytest.raises(error, match=message):
        check(target(**changes))


@pytest.mark.parametrize("value", [None, {"boxes": np.zeros((0, 4))}])
def test_a_target_is_a_dictionary_of_three(value):
    with pytest.raises(ArgumentTypeError, match=r"targets\[3\]: expected a dictionary with boxes, labels and masks"):
        check(value)


# regions


def test_regions_come_back_in_their_order_from_whatever_level():
    maps = [rawseg.tensor(np.full((2, 1, 320 // stride, 320 // stride), stride, np.float64)) for stride in (4, 8, 16, 32)]
    for x in maps:
        x.array[1] += 0.5  # the second image's
    small, large = [0, 0, 20, 20], [0, 0, 300, 300]
    boxes = [np.array([large, small], np.float64), np.array([small, [0, 0, 120, 120], large], np.float64)]
    pooling = RegionPooling("roi_align", 2, (4, 8, 16, 32))
    assert pooling.levels(boxes).tolist() == [2, 0, 0, 1, 2]
    assert pooling(maps, boxes).numpy()[:, 0].mean((1, 2)).tolist() == [16, 4, 4.5, 8.5, 16.5]


@pytest.mark.parametrize("layer", ["roi_align", "roi_align_max", "roi_pool", "roi_warp"])
def test_every_layer_cuts_regions_of_a_constant_map_into_that_constant(layer):
    x = rawseg.tensor(np.full((1, 3, 8, 8), 7.0), requires_grad=True)
    out = RegionPooling(layer, 3, (4,))([x], [np.array([[3.0, 5, 20, 29]])])
    assert out.shape == (1, 3, 3, 3)
    np.testing.assert_allclose(out.numpy(), 7, rtol=1e-15)  # a mean of weights that sum to 1 within rounding
    out.sum().backward()
    assert x.grad.numpy().sum() == pytest.approx(27)


def test_no_regions_have_features_too():
    x = rawseg.tensor(np.zeros((1, 3, 8, 8)), requires_grad=True)
    out = RegionPooling("roi_align", 3, (4, 8))([x, x], [np.zeros((0, 4))])
    assert out.shape == (0, 3, 3, 3)
    out.sum().backward()
    assert not x.grad.numpy().any()


def test_an_unknown_layer_is_refused():
    with pytest.raises(ArgumentError, match=r"roi: expected one of .* got 'roi_cut'"):
        RegionPooling("roi_cut", 7, (4,))


# losses


def test_the_proposals_are_judged_on_what_was_drawn():
    logits, deltas = rawseg.tensor([0.0, 5.0, 0.0], requires_grad=True), rawseg.zeros((3, 4))
    codes = np.array([[1.0, 0, 0, 0.05], [9, 9, 9, 9], [9, 9, 9, 9]], np.float32)
    labels = np.array([1, -1, 0], np.float32)
    objectness, boxes = proposal_losses(logits, deltas, labels, codes, np.array([0]), np.array([2]))
    assert objectness.item() == pytest.approx(np.log(2))
    # smooth L1: a line of |1| - 1/18 and a parabola of 9/2 * .05**2, over two that were drawn
    assert boxes.item() == pytest.approx((1 - 1 / 18 + 4.5 * 0.05**2) / 2)
    objectness.backward()
    assert logits.grad.numpy().tolist() == [-0.25, 0, 0.25]


def test_boxes_are_judged_as_the_true_class_and_over_all_regions():
    logits = rawseg.zeros((2, 3), dtype="float64")
    deltas = rawseg.tensor(np.arange(24.0).reshape(2, 12))
    codes = np.array([[0, 0, 0, 0], [8.0, 9, 10, 10]])
    classes, boxes = box_losses(logits, deltas[[0, 0]], np.array([0, 2]), codes)
    assert classes.item() == pytest.approx(np.log(3))
    assert boxes.item() == pytest.approx((1 - 1 / 18) / 2)


def test_a_mask_is_judged_as_the_true_class():
    logits = rawseg.zeros((1, 3, 2, 2), dtype="float64", requires_grad=True)
    loss = mask_loss(logits, np.array([2]), np.array([[[1.0, 0], [0, 0.5]]]))
    assert loss.item() == pytest.approx(np.log(2))
    loss.backward()
    assert not logits.grad.numpy()[:, :2].any()
    assert logits.grad.numpy()[0, 2].tolist() == [[-0.125, 0.125], [0.125, 0]]


def test_without_regions_every_loss_is_zero_with_a_zero_gradient():
    none = np.zeros(0, np.int64)
    logits, deltas = rawseg.zeros((0, 3), requires_grad=True), rawseg.zeros((0, 12), requires_grad=True)
    masks = rawseg.zeros((0, 3, 2, 2), requires_grad=True)
    losses = [*box_losses(logits, deltas, none, np.zeros((0, 4), np.float32))]
    losses.append(mask_loss(masks, none, np.zeros((0, 2, 2), np.float32)))
    everywhere = rawseg.ones(2, requires_grad=True), rawseg.ones((2, 4), requires_grad=True)
    empty = np.zeros(2, np.float32), np.zeros((2, 4), np.float32)
    losses += proposal_losses(*everywhere, *empty, none, none)
    for loss in losses:
        assert loss.item() == 0
        loss.backward()
    for tensor in (logits, deltas, masks, *everywhere):
        assert not tensor.grad.numpy().any()
