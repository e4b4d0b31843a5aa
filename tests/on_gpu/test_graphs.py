"""CUDA graphs on a pretended CuPy, which computes nothing during a capture: a replay has the bits of a call."""

from __future__ import annotations

import gc
import re
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from on_gpu.graphed_networks import CASES, bytes_of, made, state_of

import rawseg
from rawseg import Tensor, nn, no_grad
from rawseg import functional as F
from rawseg.autograd import grad
from rawseg.cuda import CUDAGraph, graph, make_graphed_callables
from rawseg.errors import ArgumentError, BackendError, DeviceError, DTypeError, GraphError, ShapeError
from rawseg_kernels._cuda import tables

BLOCKS = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[2] / "CUDA.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("name", CASES)
def test_a_captured_prediction_has_the_bits_of_a_call(stand_in, name):
    net, inputs = made(name, training=False)
    with no_grad():
        wanted = [bytes_of(net(x)) for x in inputs]
        graphed = make_graphed_callables(net, (inputs[0],), num_warmup_iters=1)
        outputs = [graphed(x) for x in inputs]
    assert [bytes_of(out) for out in outputs] == wanted  # no later call has written to them


def trained(net: nn.Module, call: Any, inputs: list[Tensor]) -> list[list[bytes]]:
    """Return outputs, gradients and buffers of three training steps, the second of which adds to the first's gradients."""
    rawseg.manual_seed(1)
    found = []
    for step, x in enumerate(inputs):
        if step != 1:
            net.zero_grad()
        leaf = x.detach().requires_grad_()
        out = call(leaf)
        (out * out).mean().backward()
        found.append(bytes_of(out, leaf.grad, *(p.grad for p in net.parameters())) + state_of(net))
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_captured_training_step_has_the_bits_of_a_call(stand_in, name):
    net, inputs = made(name)
    wanted = trained(net, net, inputs)
    net, inputs = made(name)
    before = state_of(net), rawseg.get_rng_state()
    graphed = make_graphed_callables(net, (inputs[0].detach().requires_grad_(),), num_warmup_iters=1)
    assert (state_of(net), rawseg.get_rng_state()) == before  # warming up is no training
    assert trained(net, graphed, inputs) == wanted


def test_running_statistics_that_are_not_finite_raise(stand_in):
    net, inputs = made("a few layers", training=False)
    with no_grad():
        graphed = make_graphed_callables(net, (inputs[0],), num_warmup_iters=1)
        dict(net.named_buffers())["1.running_var"][0] = np.inf
        with pytest.raises(ArgumentError, match="running_var: expected finite values"):
            graphed(inputs[0])


class Host(nn.Module):
    """A layer that asks the GPU for a number."""

    def forward(self, x):
        return x * 2 if x.sum().item() > 0 else x


@pytest.mark.parametrize(
    ("layer", "op"),
    [
        (Host(), "item"),
        (lambda x: x[x > 0], "GetItem"),
        (lambda x: F.one_hot((x > 0).astype("int64")), "one_hot"),
        (lambda x: rawseg.einsum("nchw,nchw->nc", x, x), "Einsum"),
        (lambda x: x + rawseg.ones(4).to("cuda"), "Move"),
        (lambda x: F.lovasz_hinge(x[:, 0], (x[:, 0] > 0)), "LovaszExtension"),
    ],
)
def test_what_needs_the_host_is_named(stand_in, layer, op):
    x = rawseg.ones(1, 1, 4, 4).to("cuda")
    for _ in range(2):  # the second time, too: the stream has left its capture
        captured = CUDAGraph()
        layer(x)
        with pytest.raises(BackendError, match=f"{op}: graph: expected an operation that stays on the GPU"), graph(captured):
            layer(x)
        with pytest.raises(GraphError, match="expected one that was captured"):
            captured.replay()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda g, x: g(x[:1]),
            ShapeError,
            r"argument 0: expected shape \(2, 1, 4, 4\), as captured, got shape \(1, 1, 4, 4\)",
        ),
        (lambda g, x: g(x.double()), DTypeError, "argument 0: expected float32, as captured, got float64"),
        (lambda g, x: g(x.to("cpu")), DeviceError, "argument 0: expected cuda:0, as captured, got cpu"),
        (lambda g, x: g(x, x), ArgumentError, "arguments: expected 1, as captured, got 2"),
        (lambda g, x: g.function.eval() and g(x), GraphError, "expected in training mode, as captured, got in eval mode"),
        (lambda g, x: g.function[4].eval() and g(x), GraphError, "module '4': expected in training mode"),
        (lambda g, x: g.function.to("cpu").to("cuda") and g(x), GraphError, "0.weight: expected the array that was captured"),
    ],
)
def test_another_call_than_the_captured_one_is_refused(stand_in, call, error, message):
    net, inputs = made("a few layers")
    graphed = make_graphed_callables(net, (inputs[0],), num_warmup_iters=1)
    with pytest.raises(error, match=f"make_graphed_callables: .*{message}"):
        call(graphed, inputs[0])


def test_backward_belongs_to_the_last_call_and_to_its_weights(stand_in):
    net, inputs = made("a few layers")
    graphed = make_graphed_callables(net, (inputs[0],), num_warmup_iters=1)
    first = graphed(inputs[0]).sum()
    second = graphed(inputs[1]).sum()
    with pytest.raises(GraphError, match="backward: expected that of the last call"):
        first.backward()
    with no_grad():
        next(net.parameters()).mul_(2)
    with pytest.raises(GraphError, match="it was changed in place"):
        second.backward()


def test_gradients_are_wanted_where_none_were_captured(stand_in):
    net, inputs = made("a few layers", training=False)
    with no_grad():
        graphed = make_graphed_callables(net, (inputs[0],), num_warmup_iters=1)
    with pytest.raises(GraphError, match="grad mode: expected a call under no_grad"):
        graphed(inputs[0])


def test_several_outputs_and_an_unused_parameter(stand_in):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Parameter(rawseg.full((3,), 2.0)), nn.Parameter(rawseg.ones(3))

        def forward(self, x, y):
            return x * self.used, (x + y).detach()

    net = Two().to("cuda")
    x, y = (rawseg.full((3,), n).to("cuda") for n in (3.0, 4.0))
    graphed = make_graphed_callables((net,), ((x, y),), num_warmup_iters=1)[0]
    a, b = graphed(y, x)
    assert (a.tolist(), b.tolist(), b.requires_grad) == ([8, 8, 8], [7, 7, 7], False)
    assert [None if g is None else g.tolist() for g in grad(a.sum(), [net.used, net.idle], allow_unused=True)] == [
        [4] * 3,
        None,
    ]


def test_a_graph_keeps_the_tables_that_it_reads(stand_in):
    x = rawseg.randn(1, 1, 3, 3).to("cuda")
    captured, wanted = CUDAGraph(), bytes_of(F.pad(x, (1, 1, 1, 1), "reflect"))
    F.pad(x, (1, 1, 1, 1), "reflect")
    with graph(captured):
        out = F.pad(x, (1, 1, 1, 1), "reflect")
    held = [weakref.ref(table._host) for table in captured._capture.kept]
    tables._sent.cache_clear()
    gc.collect()
    assert held
    assert all(table() is not None for table in held)
    captured.replay()
    assert bytes_of(out) == wanted
    captured.reset()
    gc.collect()
    with pytest.raises(GraphError, match="an empty one"):
        captured.replay()


def test_a_graph_is_captured_once(stand_in):
    x, captured = rawseg.ones(3).to("cuda"), CUDAGraph()
    with graph(captured):
        y = x + 1
    with pytest.raises(GraphError, match="expected an empty one"), graph(captured):
        y = x + 2
    other = CUDAGraph()
    with graph(other, captured.pool()):
        z = y * 10
    assert other.pool() is captured.pool()
    x[0] = 5
    captured.replay()
    other.replay()
    assert z.tolist() == [60, 20, 20]


def test_launches_that_wait_do_not_wait_in_a_capture(stand_in, monkeypatch):
    monkeypatch.setenv("RAWSEG_SYNC", "1")
    x, captured = rawseg.ones(1, 1, 4, 4).to("cuda"), CUDAGraph()
    F.max_pool2d(x, 2)
    with graph(captured):
        out = F.max_pool2d(x, 2)
    x *= 3
    captured.replay()
    assert out.tolist() == [[[[3, 3], [3, 3]]]]


def test_samples_must_be_on_the_gpu(stand_in):
    for samples, error in (((rawseg.ones(3),), DeviceError), ((), ArgumentError)):
        with pytest.raises(error, match="make_graphed_callables: sample_args"):
            make_graphed_callables(lambda x: x, samples)


def test_the_example_of_the_page(stand_in, capsys):
    (example,) = [block for block in BLOCKS if "GraphedStep" in block]
    exec(compile(example, "CUDA.md", "exec"), {})
    assert "allocated_bytes.all.current" in capsys.readouterr().out
