"""Two bits a window hold what a decoder must know."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg import models
from rawseg.models.packed_indices import PackedIndices
from rawseg.models.segnet_basic import storage


@pytest.mark.parametrize("shape", [(1, 1, 2, 2), (2, 3, 6, 10), (1, 5, 2, 8), (0, 2, 4, 4), (1, 1, 8, 2)])
def test_indices_come_back_as_they_were(shape):
    x = rawseg.tensor(np.random.default_rng(0).standard_normal(shape))
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    packed = PackedIndices(indices)
    assert packed.nbytes == -(-indices.size // 4)
    back = packed.unpack()
    assert np.array_equal(back.numpy(), indices.numpy())
    assert (back.plane, back.dtype) == (indices.plane, np.int64)
    assert np.array_equal(F.max_unpool2d(y, back, 2).numpy(), F.max_unpool2d(y, indices, 2).numpy())


def test_by_hand():
    x = rawseg.tensor([[[[9.0, 0, 0, 9], [0, 0, 0, 0], [0, 0, 0, 0], [9, 0, 0, 9]]]])
    _, indices = F.max_pool2d(x, 2, return_indices=True)
    assert indices.numpy().ravel().tolist() == [0, 3, 12, 15]
    assert PackedIndices(indices).codes.tolist() == [0b11_10_01_00]  # the last window's code is the highest


@pytest.mark.parametrize("name", ["segnet_basic", "segnet"])
def test_an_inference_has_the_bits_of_one_with_a_graph(name):
    rawseg.manual_seed(0)
    net = models.build(name, classes=3).eval()
    x = rawseg.tensor(np.random.default_rng(0).random((2, 3, 32, 64)).astype(np.float32))
    with_graph = net(x).numpy()
    with rawseg.no_grad():
        assert np.array_equal(net(x).numpy(), with_graph)
        _, kept = net.encode(x)
    assert all(isinstance(indices, PackedIndices) for indices, _ in kept)


def test_storage_is_that_of_one_image():
    net = models.segnet_basic(classes=2)
    assert storage(net, (32, 48)) == sum(64 * (32 >> level) * (48 >> level) // 4 for level in (1, 2, 3, 4))
    assert net.training
