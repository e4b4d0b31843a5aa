"""The order of integers by merging, which CUDA graphs take instead of CuPy's: there is one stable order, whoever finds it."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis.extra import numpy as npst
from on_gpu.pretended_cupy import ndarray
from on_gpu.sanitized_process import sanitized

import rawseg
from rawseg import functional as F
from rawseg.cuda import CUDAGraph, graph, make_graphed_callables
from rawseg_kernels._cuda import emulator, gpu
from rawseg_kernels._cuda.kernel import Kernel
from rawseg_kernels._cuda.order import by_merging, stable

KEYS = st.integers(-3, 3) | st.sampled_from([-(2**63), 2**63 - 1])


@given(npst.arrays(np.int64, st.integers(0, 70), elements=KEYS), st.sampled_from(["forward", "backward"]))
@example(np.arange(64)[::-1].copy(), "forward")
@example(np.zeros(65, np.int64), "backward")
def test_it_is_numpys(keys, order):
    before = keys.copy()
    with emulator.ordered(order):
        found = by_merging(keys)
    assert found.dtype == np.int64
    assert found.tolist() == np.argsort(keys, kind="stable").tolist()
    assert keys.tolist() == before.tolist()


def test_more_keys_than_a_grid_has_threads(monkeypatch):
    monkeypatch.setattr("rawseg_kernels._cuda.kernel.MOST_BLOCKS", 2)
    keys = np.random.default_rng(0).integers(0, 50, 1700)
    assert by_merging(keys).tolist() == np.argsort(keys, kind="stable").tolist()


@pytest.fixture
def launched(stand_in, monkeypatch):
    """Every launch of a kernel, by name; none has been compiled."""
    names, launch = [], Kernel.launch

    def counted(self, *arguments, **options):
        names.append(self.name)
        launch(self, *arguments, **options)

    monkeypatch.setattr(Kernel, "launch", counted)
    gpu._function.cache_clear()
    return names


def test_in_a_graph_it_takes_the_place_of_cupys(launched):
    keys, made = ndarray(np.array([2, 1, 2, 0, 1])), CUDAGraph()
    with graph(made):
        launched.clear()
        order = stable(keys)
    assert launched == ["order_begin", *["order_merge"] * 3]
    made.replay()
    assert order.get().tolist() == [3, 1, 4, 0, 2]


def test_elsewhere_cupys_is_taken(launched):
    assert stable(ndarray(np.array([2, 1, 2, 0, 1]))).get().tolist() == [3, 1, 4, 0, 2]
    assert launched == []


def test_what_sorts_can_be_captured_first_of_all(launched):
    x, indices = rawseg.randn(1, 1, 2, 2).to("cuda"), rawseg.tensor(np.array([[[[3, 3], [0, 1]]]])).to("cuda")
    graphed = make_graphed_callables(lambda x: F.max_unpool2d(x, indices, 2, duplicates="sum"), (x,))
    assert graphed(x).tolist() == F.max_unpool2d(x, indices, 2, duplicates="sum").tolist()


@pytest.mark.gate
@pytest.mark.spec("all.memory-safety")
def test_under_sanitizers():
    lines = sanitized("order")
    assert len(lines) == 7
