"""Who holds the memory of CUDA graphs, and until when, on a pretended CuPy whose pools keep free blocks until told."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from on_gpu import pretended_devices as devices
from on_gpu.pretended_devices import Device
from on_gpu.pretended_memory import DEFAULT, Memory, OutOfMemoryError

import rawseg
from rawseg import Tensor, nn
from rawseg import functional as F
from rawseg.autograd import grad
from rawseg.cuda import CUDAGraph, GraphedStep, graph, make_graphed_callables
from rawseg.errors import BackendError, GraphError
from rawseg_kernels._cuda import tables

pytestmark = pytest.mark.stand_in
ELEMENTS, MIB = 1 << 18, 1 << 20  # of float32


@pytest.fixture(autouse=True, scope="module")
def _collections_are_quick():
    """What was there before is left out of them; there are many here, and PyTorch alone is a million objects."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def held() -> int:
    """Return the bytes that graphs have of the device, or had and did not give back."""
    gc.collect()
    DEFAULT.free_all_blocks()
    return Memory.on_device - DEFAULT.total_bytes()


def captured_sum(x: Tensor, place=None) -> tuple[CUDAGraph, Tensor]:
    made = CUDAGraph()
    with graph(made, place):
        out = (x + 1) * 2
    return made, out


def test_reset_gives_the_memory_back(cupy):
    before, x = held(), rawseg.ones(ELEMENTS).to("cuda")
    made, out = captured_sum(x)
    made.replay()
    assert out[0].item() == 4
    assert held() - before >= 2 * MIB  # what died during the capture, too
    made.reset()
    assert out[0].item() == 4
    assert held() - before == MIB  # its array is still used
    del out
    assert held() == before


def test_what_dies_in_a_capture_is_used_again_in_it(cupy):
    before, x, made = held(), rawseg.ones(ELEMENTS).to("cuda"), CUDAGraph()
    with graph(made):
        for _ in range(3):
            x + 1
    assert MIB <= held() - before < 2 * MIB


def test_a_graph_that_dies_gives_the_memory_back(cupy):
    before, x = held(), rawseg.ones(ELEMENTS).to("cuda")
    made, out = captured_sum(x)
    del out
    assert held() > before
    del made
    assert held() == before


def test_graphs_that_share_a_place_share_its_end(cupy):
    before, x = held(), rawseg.ones(ELEMENTS).to("cuda")
    first, a = captured_sum(x)
    second, b = captured_sum(a, first.pool())
    first.replay()
    first.reset()
    del a
    second.replay()  # where a was, its graph reads still
    assert b[0].item() == 10
    assert held() > before
    second.reset()
    del b
    assert held() == before


def test_a_capture_that_fails_gives_the_memory_back(cupy):
    before, x, made = held(), rawseg.ones(ELEMENTS).to("cuda"), CUDAGraph()
    with pytest.raises(BackendError, match="item"), graph(made):
        (x + 1).sum().item()
    assert held() == before
    with graph(made):
        out = x + 1
    made.replay()
    assert out[0].item() == 2


@pytest.mark.parametrize("kind", ["step", "callable"])
def test_a_graphed_network_that_dies_gives_the_memory_back(cupy, kind):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Dropout(0.5), nn.ReLU()).to("cuda")
    x = rawseg.ones(1, 1, 6, 6).to("cuda")
    before = held()
    if kind == "step":
        graphed = GraphedStep(net, lambda out: out.mean(), x, num_warmup_iters=1)
        graphed(x)
    else:
        graphed = make_graphed_callables(net, (x,), num_warmup_iters=1)
        graphed(x).sum().backward()
    assert held() > before
    del graphed
    net.zero_grad()
    assert held() == before


def test_memory_that_runs_out_in_a_capture_is_not_taken_from_the_graph(cupy, monkeypatch):
    x, made = rawseg.ones(ELEMENTS).to("cuda"), CUDAGraph()
    DEFAULT.free_all_blocks()
    monkeypatch.setattr(Memory, "limit", Memory.on_device + 2 * MIB + MIB // 2)  # the half for what every capture loads

    def two_mib_after_one() -> None:
        y = x + 1
        del y  # CuPy would give this block back, and try again, but the graph writes to it
        cupy.empty((2, ELEMENTS), np.float32)

    with pytest.raises(OutOfMemoryError), graph(made):
        two_mib_after_one()
    with graph(made):  # all was given back
        kept = cupy.empty((2, ELEMENTS), np.float32)
    assert kept.shape == (2, ELEMENTS)


def test_tables_for_everybody_are_not_in_a_graphs_pool(cupy):
    made = CUDAGraph()
    tables._sent.cache_clear()
    with made.pool().entered():
        table = tables._sent(cupy, 0, np.dtype("int64"), bytes(16))
        other = cupy.zeros(2)
    assert table._block.pool is DEFAULT
    assert other._block.pool is made.pool().pool


def test_backward_is_done_once(cupy):
    """Its graph's own arrays may lie where the forward pass left what it reads."""
    rawseg.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 1, 3)).to("cuda")  # some of 16 channels are above 0
    graphed = make_graphed_callables(net, (rawseg.randn(1, 1, 6, 6).to("cuda"),), num_warmup_iters=1)
    loss = (graphed(rawseg.ones(1, 1, 6, 6).to("cuda")) ** 2).sum()
    loss.backward(retain_graph=True)
    with pytest.raises(GraphError, match=r"backward: expected that of the last call.*got its second one"):
        loss.backward(retain_graph=True)
    net.zero_grad()
    graphed.spent = False
    loss.backward()  # what would be returned
    assert any(np.isnan(p.grad.to("cpu").numpy()).any() for p in net.parameters())
    net.zero_grad()
    (graphed(rawseg.ones(1, 1, 6, 6).to("cuda")) ** 2).sum().backward()
    assert all(np.isfinite(p.grad.to("cpu").numpy()).all() for p in net.parameters())


def test_dropout_in_a_graph_does_not_keep_its_input(cupy):
    x, made = rawseg.ones(3).to("cuda"), CUDAGraph()
    with graph(made):
        y = x + 1
        gone = weakref.ref(y)
        F.dropout(y, 0.5)
        del y
    gc.collect()
    assert gone() is None
    assert len(made._capture.drawn) == 1


@pytest.fixture
def second_device(cupy):
    devices.provide(2)
    with Device(1):
        yield
    devices.provide(1)


def test_a_graph_is_captured_where_its_inputs_are(second_device):
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    net, x = net.to("cuda:1"), rawseg.ones(1, 1, 4, 4).to("cuda:1")
    wanted = net(x).mean().item()
    before = held()
    step = GraphedStep(net, lambda out: out.mean(), x, num_warmup_iters=1)
    place = step.fixed.place
    assert (step._graph.pool(), place.device.id, place.stream.device_id) == (place, 1, 1)
    loss = step(x)
    assert (loss.device, loss.item()) == ("cuda:1", wanted)
    assert {p.grad.device for p in net.parameters()} == {"cuda:1"}
    leaf = x.detach().requires_grad_()
    graphed = make_graphed_callables(net, (leaf,), num_warmup_iters=1)
    out = graphed(leaf)
    (gradient,) = grad(out, [leaf], [out.detach()])
    assert out.device == gradient.device == "cuda:1"
    del step, loss, graphed, out, place, gradient
    net.zero_grad()
    assert held() == before
