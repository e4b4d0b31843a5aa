"""RoIAlign and RoIWarp on Tensors: values and gradients, of the maps and of the boxes, against PyTorch's primitives."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma
from hypothesis import given, settings
from hypothesis import strategies as st
from roi_cases import samples_near_kinks, torch_roi_align
from twins import ours, spread, torchs

import rawseg
from rawseg import ops
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError
from rawseg.testing.strategies.regions import exact_regions, regions

SEEDS = st.integers(0, 2**16)
MODES = st.sampled_from(["avg", "max"])
X = np.arange(16.0).reshape(1, 1, 4, 4)  # 4 y + x
ROIS = np.array([[0.0, 0.5, 0.75, 2.5, 2.25]])


@pytest.mark.spec("roi_align.gradient-boxes")
def test_gradients_of_a_box_on_a_slope_by_hand():
    # One bin inside of 4 y + x has the value at its centre, 4 (y1 + y2) / 2 + (x1 + x2) / 2 of half the coordinates.
    boxes = rawseg.Tensor(ROIS * [1, 2, 2, 2, 2], requires_grad=True)
    out = ops.roi_align(rawseg.Tensor(X), boxes, 1, 0.5)
    assert out.item() == 4 * 1.5 + 1.5
    out.backward()
    assert boxes.grad.tolist() == [[0, 0.25, 1, 0.25, 1]]  # the batch index has none


@pytest.mark.spec("roi_align.gradient-boxes")
def test_samples_that_do_not_move_have_no_gradient():
    def gradient(box, *options):
        boxes = rawseg.Tensor(np.array([[0.0, *box]]), requires_grad=True)
        ops.roi_align(rawseg.Tensor(X), boxes, 1, *options).sum().backward()
        return boxes.grad[0, 1:].tolist()

    assert gradient([-0.9, 1, -0.1, 2], 1.0, 1, True) == [0, 2, 0, 2]  # clamped at the left
    assert gradient([3.6, 1, 4.2, 2], 1.0, 1, True) == [0, 2, 0, 2]  # and at the right edge
    assert gradient([7, 1, 9, 2], 1.0, 1, True) == [0, 0, 0, 0]  # outside
    assert gradient([1, 1, 1.5, 1.25], 1.0, 1) == [1, 4, 0, 0]  # lengthened to one pixel: the far end does not count


@pytest.mark.proves("roi_align", "torch", "first order")
@pytest.mark.spec("roi_align.gradient-input", "roi_align.gradient-boxes")
@given(exact_regions(), SEEDS)
def test_values_and_gradients_are_exact_in_float32(case, seed):
    rng = np.random.default_rng(seed)
    x, boxes = rng.integers(-8, 9, case.shape).astype(np.float32), case.boxes.astype(np.float32)
    g = rng.integers(-8, 9, (len(boxes), 2, *case.options["output_size"]))
    got = ours(lambda x, b: ops.roi_align(x, b, **case.options), [x, boxes], g)
    want = torchs(lambda x, b: torch_roi_align(x, b, **case.options), [x, boxes], g)
    for one, other in zip((got[0], *got[1]), (want[0], *want[1])):
        np.testing.assert_array_equal(one, other)


@pytest.mark.proves("roi_align", "torch", "first order")
@pytest.mark.spec("roi_align.gradient-input", "roi_align.gradient-boxes", "roi_align.maximum")
@given(regions(), MODES, SEEDS)
def test_values_and_gradients_equal_torchs(case, mode, seed):
    case = case._replace(boxes=case.boxes[[not samples_near_kinks(case, k) for k in range(len(case.boxes))]])
    rng = np.random.default_rng(seed)
    x = spread(case.shape, seed=seed)
    g = rng.uniform(-1.5, 1.5, (len(case.boxes), 2, *case.options["output_size"]))
    got = ours(lambda x, b: ops.roi_align(x, b, **case.options, mode=mode), [x, case.boxes], g)
    want = torchs(lambda x, b: torch_roi_align(x, b, **case.options, mode=mode), [x, case.boxes], g)
    # A bin reads at most 16 * 16 samples of 4 terms, and a gradient adds up at most 3 boxes of 9 bins; values are below 2, and
    # a coordinate below 20 with some 12 roundings moves a value, or a gradient, by at most 4 * 20 * 12 u more.
    terms = 4 * 256 * 27 + 960
    magnitude = 27 * 2 * 2 * 1.5
    for one, other in zip((got[0], *got[1]), (want[0], *want[1])):
        assert_within(one, other, 2 * gamma(terms, np.float64) * magnitude)


@pytest.mark.proves("roi_align", "second order")
@pytest.mark.spec("roi_align.second-order")
@settings(max_examples=15)
@given(regions(bins=(1, 2), ratios=(-1, 1, 2)), MODES, SEEDS)
def test_mixed_second_derivatives_equal_torchs(case, mode, seed):
    case = case._replace(boxes=case.boxes[[not samples_near_kinks(case, k) for k in range(len(case.boxes))]])
    rng = np.random.default_rng(seed)
    arrays = spread(case.shape, seed=seed), case.boxes
    weights = [rng.uniform(-1, 1, array.shape) for array in arrays]

    def second(library, tensor, call):
        leaves = [tensor(array, requires_grad=True) for array in arrays]
        out = call(*leaves, **case.options, mode=mode)
        first = library.grad((out * out).sum(), leaves, create_graph=True)
        total = sum((one * tensor(weight)).sum() for one, weight in zip(first, weights))
        return [g.detach().numpy() for g in library.grad(total, leaves)]

    for one, other in zip(second(rawseg, rawseg.Tensor, ops.roi_align), second(torch.autograd, torch.tensor, torch_roi_align)):
        size = max(1.0, float(np.abs(other).max(initial=0)))
        assert_within(one, other, 2 * gamma(4 * 256 * 27 + 960, np.float64) * size * 27)


def test_third_derivatives_do_not_vanish_and_agree():
    x, boxes = rawseg.Tensor(spread((1, 1, 3, 4)), requires_grad=True), rawseg.Tensor(ROIS, requires_grad=True)
    twin, twin_boxes = torch.tensor(x.numpy().copy(), requires_grad=True), torch.tensor(ROIS, requires_grad=True)

    def thrice(grad, out, x, boxes):
        first = grad((out**3).sum(), [boxes], create_graph=True)[0]
        second = grad((first**2).sum(), [x], create_graph=True)[0]
        return grad((second**2).sum(), [boxes])[0]

    one = thrice(rawseg.grad, ops.roi_align(x, boxes, 2, aligned=True), x, boxes).numpy()
    other = thrice(torch.autograd.grad, torch_roi_align(twin, twin_boxes, (2, 2), aligned=True), twin, twin_boxes).numpy()
    assert np.abs(other[:, 1:]).min() > 0
    assert_within(one, other, 2 * gamma(1000, np.float64) * np.abs(other).max())


@pytest.mark.spec("roi_align.boxes")
def test_a_list_of_boxes_is_the_same_and_each_entry_has_its_gradient():
    x = spread((3, 2, 4, 5))
    lists = [np.array([[0.5, 0, 3, 2.5]]), np.zeros((0, 4)), np.array([[1, 1, 4, 3.0], [-1, 0, 2, 2]])]
    rois = np.concatenate([np.insert(part, 0, image, 1) for image, part in enumerate(lists)])
    whole, (grad_x, grad_rois) = ours(lambda x, b: ops.roi_align(x, b, (2, 1)), [x, rois])
    out, (same_x, *parts) = ours(lambda x, *b: ops.roi_align(x, list(b), (2, 1)), [x, *lists])
    np.testing.assert_array_equal(out, whole)
    np.testing.assert_array_equal(same_x, grad_x)
    np.testing.assert_array_equal(np.concatenate(parts), grad_rois[:, 1:])
    assert (grad_rois[:, 0] == 0).all()
    np.testing.assert_array_equal(ops.roi_align(x, tuple(lists), (2, 1)).numpy(), whole)  # arrays are constants


@pytest.mark.spec("roi_align.empty")
def test_no_boxes_and_no_images():
    x = rawseg.Tensor(np.ones((2, 3, 4, 5), np.float32), requires_grad=True)
    out = ops.roi_align(x, np.zeros((0, 5), np.float32), (2, 3))
    assert out.shape == (0, 3, 2, 3)
    out.sum().backward()
    assert (x.grad.numpy() == 0).all()
    assert ops.roi_align(np.zeros((0, 3, 4, 5), np.float32), [], 2).shape == (0, 3, 2, 2)
    boxes = rawseg.Tensor(np.zeros((0, 5), np.float32), requires_grad=True)
    ops.roi_align(x, boxes, 2).sum().backward()
    assert boxes.grad.shape == (0, 5)


def test_without_a_gradient_of_the_boxes_the_maps_are_not_kept():
    x = rawseg.Tensor(X, requires_grad=True)
    for mode in ("avg", "max"):
        assert ops.roi_align(x, ROIS, 2, mode=mode)._node.ctx.saved[0] is None
        assert ops.roi_align(x, rawseg.Tensor(ROIS, requires_grad=True), 2, mode=mode)._node.ctx.saved[0] is not None


@pytest.mark.proves("roi_align", "bad input")
@pytest.mark.spec("roi_align.boxes")
@pytest.mark.parametrize(
    ("boxes", "error", "message"),
    [
        ([ROIS[:, 1:]] * 2, ShapeError, "roi_align: boxes: expected 1 entries, one for each image of input, got 2"),
        ([ROIS], ShapeError, r"roi_align: boxes\[0\]: expected shape \(L, 4\), \(x1, y1, x2, y2\), got shape \(1, 5\)"),
        ([ROIS[0, 1:]], ShapeError, r"boxes\[0\]: expected shape \(L, 4\)"),
        ([ROIS[:, 1:].astype(np.float32)], DTypeError, r"boxes\[0\]: expected float64, the dtype of input, got float32"),
        ([None], ArgumentTypeError, r"boxes\[0\]: expected a Tensor, an array or a Python number, got NoneType"),
        ([1.0], ArgumentTypeError, r"boxes\[0\]: expected a Tensor or an array, got float"),
        ("boxes", ArgumentTypeError, "roi_align: boxes: expected a Tensor, an array or a Python number, got str"),
        (ROIS[:, 1:], ShapeError, r"roi_align: boxes: expected shape \(K, 5\)"),
        (ROIS.astype(np.float32), DTypeError, "roi_align: boxes: expected float64, the dtype of input, got float32"),
        (ROIS + 1, IndexRangeError, "roi_align: boxes: expected an integral batch index, 0 <= index < 1"),
        (
            [np.array([[2, 1, 1, 3.0]])],
            ArgumentError,
            r"boxes: expected x2 >= x1, got \(0.0, 2.0, 1.0, 1.0, 3.0\) in row 0",
        ),
    ],
)
def test_errors_name_the_argument_and_the_numbers(boxes, error, message):
    with pytest.raises(error, match=message):
        ops.roi_align(X, boxes, 2)


def test_other_errors_speak_of_the_public_names():
    with pytest.raises(ArgumentError, match="roi_align: mode: expected 'avg' or 'max', got 'mean'"):
        ops.roi_align(X, ROIS, 2, mode="mean")
    with pytest.raises(ShapeError, match=r"roi_align: input: expected shape \(N, C, H, W\), got shape \(1, 4, 4\)"):
        ops.roi_align(X[0], ROIS, 2)
    with pytest.raises(ArgumentError, match="roi_warp: boxes: expected y2 >= y1"):
        ops.roi_warp(X, ROIS * [1, 1, 1, 1, -1], 2)
    with pytest.raises(ShapeError, match="roi_warp: boxes: expected 1 entries"):
        ops.roi_warp(X, [], 2)


@pytest.mark.proves("roi_warp", "torch", "first order")
@pytest.mark.spec("roi_warp.samples")
def test_a_warped_box_by_hand():
    # x: 0.5 -> 1, 2.5 -> 3, so three columns from 1; y: 0.75 -> 1, 2.25 -> 2, two rows from 1; one sample at (2, 2.5)
    boxes = rawseg.Tensor(ROIS, requires_grad=True)
    x = rawseg.Tensor(X, requires_grad=True)
    out = ops.roi_warp(x, boxes, 1, sampling_ratio=1)
    assert out.item() == 4 * 2 + 2.5
    out.backward()
    assert boxes.grad is None
    assert x.grad[0, 0, 2].tolist() == [0, 0, 0.5, 0.5]
    np.testing.assert_array_equal(ops.roi_warp(X, ROIS, 2).numpy(), ops.roi_align(X, np.array([[0, 1, 1, 4, 3.0]]), 2).numpy())
