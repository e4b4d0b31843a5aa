"""Slices of an axis of any length mean in the file what they mean in Python, for lengths that no example had, too."""

from __future__ import annotations

import numpy as np
import pytest
from exported_networks import IMAGE, Applied, run

from rawseg import onnx

BOUNDS = {
    "shorter than any example": slice(2),
    "longer than the first example": slice(None, 3),
    "from behind the end": slice(5, None),
    "from far before the start": slice(-9, 2),
    "to before the start": slice(None, -9),
    "the last two": slice(-2, None),
    "all but the last": slice(None, -1),
    "every second": slice(1, 5, 2),
    "turned round": slice(None, None, -1),
    "turned round from a number on": slice(4, 1, -2),
    "turned round to the second": slice(None, 1, -1),
    "turned round from the end to a number": slice(-1, -4, -1),
    "turned round to far before the start": slice(None, -9, -1),
    "turned round in the wrong direction": slice(1, 4, -1),
}


@pytest.mark.parametrize("rows", [1, 2, 4])
@pytest.mark.parametrize("index", BOUNDS.values(), ids=BOUNDS)
def test_a_slice_means_the_same_for_any_length(index, rows):
    x = np.arange(21, dtype=np.float32).reshape(7, 3)
    file = onnx.export(Applied(lambda x: x[index]), x[:rows], dynamic_batch=True)
    for n in range(1, 8):
        assert np.array_equal(run(file, x[:n])[0], x[:n][index]), n


@pytest.mark.parametrize("index", [slice(-9, None, -1), slice(-9, -9, -1), slice(9, 9), slice(3, 1), *BOUNDS.values()])
def test_a_slice_means_the_same_for_the_only_length(index):
    x = np.arange(5, dtype=np.float32)
    assert np.array_equal(run(onnx.export(Applied(lambda x: x[index]), x), x)[0], x[index])


def test_a_bound_that_is_a_size_is_counted_from_the_end():
    higher = np.concatenate([IMAGE, IMAGE + 1], 2)
    for function in (
        lambda x: x[:, :, x.shape[2] - 1],
        lambda x: x[:, :, 1 : x.shape[2] - 1, : x.shape[3]],
        lambda x: x[:, :, x.shape[2] - 3 :: -1],
        lambda x: x[:, :, x.shape[2] :],
    ):
        file = onnx.export(Applied(function), IMAGE, dynamic_size=True, verify=True)
        assert np.array_equal(run(file, higher)[0], function(higher))
