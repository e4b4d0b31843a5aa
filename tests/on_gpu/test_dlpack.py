"""Memory of the device in other hands, and that of others in ours: shared, never copied, never taken for the host's."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch

import rawseg
from rawseg.errors import BackendError, DeviceError, GraphError


def test_cupy_and_rawseg_share_memory_both_ways(cupy):
    theirs = cupy.asarray(np.arange(4, dtype=np.float32))
    x = rawseg.from_dlpack(theirs)
    assert x.device == "cuda:0"
    x += 1
    assert theirs.get().tolist() == [1, 2, 3, 4]
    back = cupy.from_dlpack(x)
    back[0] = 9
    assert x.tolist() == [9, 2, 3, 4]
    assert x.__dlpack_device__() == (2, 0)


def test_a_tensor_of_the_device_becomes_one_wherever_data_do(cupy):
    x = rawseg.from_dlpack(rawseg.tensor([1.0, 2.0]).to("cuda"))
    assert (x.device, x.tolist()) == ("cuda:0", [1, 2])
    exporter = type("Exporter", (), {"__dlpack__": x.__dlpack__, "__dlpack_device__": x.__dlpack_device__})()
    assert rawseg.tensor(exporter).device == "cuda:0"


def test_the_stream_and_all_else_that_a_consumer_asks_for_reaches_cupy(cupy):
    asked = []

    class Exporter:
        def __dlpack_device__(self):
            return 2, 0

        def __dlpack__(self, **options):
            asked.append(options)
            return rawseg.ones(2).to("cuda").__dlpack__(**options)

    assert rawseg.from_dlpack(Exporter()).tolist() == [1, 1]
    assert asked[0]["stream"] is not None  # the one that waits


@pytest.mark.stand_in
@pytest.mark.parametrize("consume", [np.from_dlpack, torch.from_dlpack])
def test_a_library_of_the_host_does_not_get_it(cupy, consume):
    with pytest.raises((BufferError, RuntimeError, TypeError, ValueError, AssertionError)):
        consume(rawseg.ones(2).to("cuda"))


def test_what_a_graph_depends_on_is_not_handed_over(cupy):
    with pytest.raises(GraphError, match="use detach"):
        cupy.from_dlpack(rawseg.ones(2).to("cuda").requires_grad_())


def test_memory_of_another_kind_of_device_is_refused():
    exporter = type("Metal", (), {"__dlpack__": None, "__dlpack_device__": lambda self: (8, 0)})()
    with pytest.raises(DeviceError, match="from_dlpack: source: expected memory of the CPU or of a GPU of CUDA, got DLPack's"):
        rawseg.from_dlpack(exporter)


@pytest.mark.stand_in
def test_memory_of_a_gpu_without_cupy_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    exporter = type("Gpu", (), {"__dlpack__": None, "__dlpack_device__": lambda self: (2, 0)})()
    with pytest.raises(BackendError, match="expected CuPy to be installed"):
        rawseg.from_dlpack(exporter)
