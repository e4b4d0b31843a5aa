"""Damaged models end in an error of rawseg's, or are models: hundreds of drawn damages, loaded and run."""

from __future__ import annotations

import collections
import warnings

import numpy as np
import onnx_models
import onnx_mutations
import pytest

import rawseg
import rawseg.onnx
from rawseg.errors import RawsegError
from rawseg_kernels._memory import limit_bytes

IMAGE = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)


@pytest.fixture(autouse=True)
def _little_memory(monkeypatch):
    """A damaged size may be a valid one; what it asks for shall be small beside the machine."""
    monkeypatch.setenv("RAWSEG_MEMORY_LIMIT", str(1 << 28))
    limit_bytes.cache_clear()
    yield
    monkeypatch.undo()
    limit_bytes.cache_clear()


def ends(sources) -> collections.Counter[str]:
    """Load and run each; anything but a result and a RawsegError fails the test."""
    found: collections.Counter[str] = collections.Counter()
    for source in sources:
        try:
            graph = rawseg.onnx.load(source)
            with rawseg.no_grad():
                graph(*[IMAGE] * len(graph.input_names))
            found["ran"] += 1
        except RawsegError as error:
            found["refused" if ": expected " in str(error) else "unclear"] += 1
    assert found["unclear"] == 0
    return found


def test_damaged_bytes():
    content = onnx_models.network().SerializeToString()
    found = ends(onnx_mutations.spoiled_bytes(content, 300, seed=0))
    assert found["refused"] > 200
    assert found["ran"] > 3  # a bit of a weight: still a network


def test_damaged_fields():
    found = ends(onnx_mutations.spoiled_fields(onnx_models.network(), 300, seed=0))
    assert found["refused"] > 200
    assert found["ran"] > 10


@pytest.mark.release
@pytest.mark.parametrize("seed", range(1, 11))
def test_much_damage(seed):
    network = onnx_models.network()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ends(onnx_mutations.spoiled_bytes(network.SerializeToString(), 3000, seed))
        found = ends(onnx_mutations.spoiled_fields(network, 3000, seed))
    assert found["ran"] + found["refused"] == 3000
