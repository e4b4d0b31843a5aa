"""What stands around the kernels, on arrays that are no NumPy arrays: checks, choices, tables, launches."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from catalogue.collected import KERNELS
from cuda import stand_in
from promises import assert_same_bits, outputs_of

from rawseg_kernels import _algorithms
from rawseg_kernels._cuda import gpu

ENTRIES = [
    entry
    for entry in KERNELS
    if entry.of_algorithm and _algorithms.cuda_algorithms(f"rawseg_kernels.{entry.name.partition('.')[0]}")
]


@pytest.fixture
def cupy(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", stand_in.module())
    gpu._function.cache_clear()
    yield sys.modules["cupy"]
    gpu._function.cache_clear()


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_arrays_of_a_gpu_stay_there_and_give_the_same(cupy, entry):
    arrays = entry.arrays(np.float32)
    assert entry.of_algorithm is not None
    got = outputs_of(entry.of_algorithm(*map(stand_in.wrapped, arrays), "auto"))
    assert all(isinstance(out, cupy.ndarray) for out in got)
    algorithm = _algorithms.cuda_algorithms(f"rawseg_kernels.{entry.name.partition('.')[0]}")[0]
    assert_same_bits(tuple(out.get() for out in got), outputs_of(entry.of_algorithm(*arrays, algorithm)))
