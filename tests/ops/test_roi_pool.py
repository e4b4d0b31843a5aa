"""RoIPool on Tensors, and the layers of all operations on regions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from roi_cases import torch_roi_pool
from twins import DTYPES, ours, spread, torchs

import rawseg
from rawseg import ops
from rawseg.errors import ArgumentError, ShapeError
from rawseg.testing.strategies.regions import regions

X = spread((2, 3, 5, 6))
ROIS = np.array([[1, 0.5, 0, 4.4, 3], [0, 1, 1, 5, 2.0]])


@pytest.mark.proves("roi_pool", "torch", "first order")
@pytest.mark.spec("roi_pool.quantisation", "roi_pool.empty-bin")
@given(regions(ratios=(1,)), DTYPES, st.integers(0, 2**16))
def test_values_and_gradients_equal_torchs(case, dtype, seed):
    x, boxes = spread(case.shape, seed=seed, dtype=dtype), case.boxes.astype(dtype)
    options = {name: case.options[name] for name in ("output_size", "spatial_scale")}
    g = np.random.default_rng(seed).integers(-8, 9, (len(boxes), 2, *options["output_size"]))
    got = ours(lambda x: ops.roi_pool(x, boxes, **options), [x], g)
    want = torchs(lambda x: torch_roi_pool(x, boxes, **options) + 0 * x.sum(), [x], g)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1][0], want[1][0])


def test_the_second_derivative_reads_where_the_first_wrote():
    x = rawseg.Tensor(X, requires_grad=True)
    out = ops.roi_pool(x, ROIS, 2)
    (first,) = rawseg.grad((out**3).sum(), [x], create_graph=True)
    (second,) = rawseg.grad(first.sum(), [x])
    plane = np.zeros(X.shape)
    for k, b in enumerate((1, 0)):
        for c in range(3):
            for value in out.numpy()[k, c].ravel():
                plane[b, c][X[b, c] == value] += 6 * value
    # Each addend is a product of a few factors, rounded at most 8 times in either order, and at most four meet in a pixel.
    assert np.abs(second.numpy() - plane).max() <= 12 * 2.0**-53 * np.abs(plane).max()


def test_a_list_of_boxes_is_the_same():
    lists = [ROIS[1:, 1:], ROIS[:1, 1:]]
    np.testing.assert_array_equal(ops.roi_pool(X, lists, 2).numpy(), ops.roi_pool(X, ROIS[::-1], 2).numpy())
    with pytest.raises(ShapeError, match="roi_pool: boxes: expected 2 entries, one for each image of input, got 1"):
        ops.roi_pool(X, lists[:1], 2)


def test_boxes_are_constants():
    boxes = rawseg.Tensor(ROIS, requires_grad=True)
    assert not ops.roi_pool(X, boxes, 2).requires_grad
    with pytest.raises(ArgumentError, match="roi_pool: boxes: expected x2 >= x1"):
        ops.roi_pool(X, ROIS * [1, 1, 1, 0, 1], 2)


def test_layers_print_as_torchvisions_and_call_the_functions():
    align, pool, warp = ops.RoIAlign((2, 3), 0.5, 2, aligned=True), ops.RoIPool(2, 1.0), ops.RoIWarp(2, 0.5, 1)
    assert repr(align) == "RoIAlign(output_size=(2, 3), spatial_scale=0.5, sampling_ratio=2, aligned=True)"
    assert repr(pool) == "RoIPool(output_size=2, spatial_scale=1.0)"
    assert repr(warp) == "RoIWarp(output_size=2, spatial_scale=0.5, sampling_ratio=1)"
    assert repr(ops.RoIAlign(1, 1.0, -1, mode="max")).endswith("aligned=False, mode=max)")
    x = rawseg.Tensor(X)
    pairs = [
        (align(x, ROIS), ops.roi_align(x, ROIS, (2, 3), 0.5, 2, True)),
        (ops.RoIAlign(2, 1.0, -1, mode="max")(x, ROIS), ops.roi_align(x, ROIS, 2, mode="max")),
        (pool(x, ROIS), ops.roi_pool(x, ROIS, 2)),
        (warp(x, ROIS), ops.roi_warp(x, ROIS, 2, 0.5, 1)),
    ]
    for one, other in pairs:
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert not np.array_equal(pairs[1][0].numpy(), ops.roi_align(x, ROIS, 2).numpy())
