"""The order of integers by merging, which CUDA graphs take instead of CuPy's: there is one stable order, whoever finds it."""

from __future__ import annotations

import os
import subprocess
import sys

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis.extra import numpy as npst
from on_gpu.pretended_cupy import ndarray

from rawseg.cuda import CUDAGraph, graph
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


@pytest.mark.parametrize("captured", [False, True])
def test_cupys_is_taken_wherever_it_may_wait(stand_in, monkeypatch, captured):
    launched, launch = [], Kernel.launch

    def counted(self, *arguments, **options):
        launched.append(self.name)
        launch(self, *arguments, **options)

    monkeypatch.setattr(Kernel, "launch", counted)
    keys = ndarray(np.array([2, 1, 2, 0, 1]))
    by_merging(keys)
    begun, made = len(launched), CUDAGraph()
    if captured:
        with graph(made):
            order = stable(keys)
        made.replay()
    else:
        order = stable(keys)
    assert order.get().tolist() == [3, 1, 4, 0, 2]
    assert launched[begun:] == (["order_begin", *["order_merge"] * 3] if captured else [])


def test_nothing_is_compiled_during_a_capture(stand_in):
    """Whoever sorts for the first time in a capture: a call before it, which CuPy sorted for, has compiled nothing of this."""
    gpu._function.cache_clear()
    keys, made = ndarray(np.array([2, 1, 0])), CUDAGraph()
    assert stable(keys).get().tolist() == [2, 1, 0]
    with graph(made):
        order = stable(keys)
    made.replay()
    assert order.get().tolist() == [2, 1, 0]


@pytest.mark.gate
@pytest.mark.spec("all.memory-safety")
def test_under_sanitizers():
    environment = {**os.environ, **emulator.sanitizers(), "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "on_gpu.sanitized", "order"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 7
