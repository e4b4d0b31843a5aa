"""CUDA graphs on a pretended CuPy, which computes nothing during a capture: a replay has the bits of a call."""

from __future__ import annotations

import gc
import re
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cuda.pretended_cupy import pretended

import rawseg
from rawseg import Tensor, models, nn, no_grad
from rawseg import functional as F
from rawseg.autograd import grad
from rawseg.cuda import CUDAGraph, GraphedStep, graph, make_graphed_callables
from rawseg.errors import ArgumentError, BackendError, DeviceError, DTypeError, GraphError, IndexRangeError, ShapeError
from rawseg_kernels import cross_entropy
from rawseg_kernels._cuda import tables

BLOCKS = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[2] / "CUDA.md").read_text(), re.DOTALL)


@pytest.fixture(scope="module")
def cupy():
    with pretended() as module:
        yield module


def small() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.5),
        nn.ConvTranspose2d(3, 2, 2, 2),
    )


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "a few layers": (small, (2, 1, 4, 4)),
    "unet": (lambda: models.unet(width=2, depth=1, classes=2), (1, 1, 8, 8)),
    "unet bilinear": (lambda: models.unet(width=2, depth=1, classes=2, up="bilinear"), (1, 1, 8, 8)),
    "mobilenet_v2": (lambda: models.mobilenet_v2(width_mult=0.25, classes=5), (2, 3, 32, 32)),
    "segnet_basic": (lambda: models.segnet_basic(classes=3), (1, 3, 16, 16)),
    "deeplabv3": (lambda: models.build("deeplabv3", backbone="mobilenet_v3_large", width=16, classes=2), (2, 3, 32, 32)),
    "resnet18": (lambda: models.build("resnet18", width=8, classes=5), (2, 3, 32, 32)),
}
LONG = {"mobilenet_v2", "segnet_basic", "deeplabv3", "resnet18"}
CASES = [pytest.param(name, marks=[pytest.mark.release] if name in LONG else []) for name in NETWORKS]


def made(name: str, training: bool = True) -> tuple[nn.Module, list[Tensor]]:
    rawseg.manual_seed(0)
    make, shape = NETWORKS[name]
    return make().train(training).to("cuda"), [rawseg.randn(*shape).to("cuda") for _ in range(3)]


def bytes_of(*tensors: Tensor | None) -> list[bytes]:
    return [b"" if t is None else t.to("cpu").numpy().tobytes() for t in tensors]


def state_of(net: nn.Module) -> list[bytes]:
    return bytes_of(*net.state_dict().values())


@pytest.mark.parametrize("name", CASES)
def test_a_captured_prediction_has_the_bits_of_a_call(cupy, name):
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
def test_a_captured_training_step_has_the_bits_of_a_call(cupy, name):
    net, inputs = made(name)
    wanted = trained(net, net, inputs)
    net, inputs = made(name)
    before = state_of(net), rawseg.get_rng_state()
    graphed = make_graphed_callables(net, (inputs[0].detach().requires_grad_(),), num_warmup_iters=1)
    assert (state_of(net), rawseg.get_rng_state()) == before  # warming up is no training
    assert trained(net, graphed, inputs) == wanted


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_with_its_loss_has_the_bits_of_a_call(cupy, weighted):
    masks = [rawseg.tensor(np.random.default_rng(i).integers(0, 2, (2, 4, 4))).to("cuda") for i in range(3)]
    masks[2] = masks[2] * 0 - 100  # nothing is kept
    weight = rawseg.tensor([0.25, 2.0]).to("cuda") if weighted else None

    def criterion(logits: Tensor, mask: Tensor) -> Tensor:
        return F.cross_entropy(logits, mask, weight=weight, label_smoothing=0.1 * weighted, empty="zero")

    def steps(call: Any, net: nn.Module, inputs: list[Tensor]) -> list[list[bytes]]:
        rawseg.manual_seed(1)
        update, found = rawseg.optim.Adam(net.parameters(), lr=0.1), []
        for x, mask in zip(inputs, masks, strict=True):
            update.zero_grad()
            loss = call(x, mask)
            update.step()
            found.append(bytes_of(loss, *(p.grad for p in net.parameters())) + state_of(net))
        return found

    net, inputs = made("a few layers")

    def eager(x: Tensor, mask: Tensor) -> Tensor:
        loss = criterion(net(x), mask)
        loss.backward()
        return loss

    wanted = steps(eager, net, inputs)
    net, inputs = made("a few layers")
    assert steps(GraphedStep(net, criterion, inputs[0], masks[0], num_warmup_iters=1), net, inputs) == wanted


def test_a_wrong_class_raises_after_the_replay_that_met_it(cupy):
    net, inputs = made("a few layers")
    mask = rawseg.zeros(2, 4, 4, dtype="int64").to("cuda")
    step = GraphedStep(net, F.cross_entropy, inputs[0], mask, num_warmup_iters=1)
    wrong = mask.clone()
    wrong[1, 2, 3] = 7
    with pytest.raises(IndexRangeError, match=r"class ids 0\.\.1, got 7 at \(1, 2, 3\)"):
        step(inputs[0], wrong)
    assert np.isfinite(step(inputs[0], mask).item())


def test_running_statistics_that_are_not_finite_raise(cupy):
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
        (lambda x: F.binary_cross_entropy(F.sigmoid(x), x), "binary_cross_entropy"),
    ],
)
def test_what_needs_the_host_is_named(cupy, layer, op):
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
def test_another_call_than_the_captured_one_is_refused(cupy, call, error, message):
    net, inputs = made("a few layers")
    graphed = make_graphed_callables(net, (inputs[0],), num_warmup_iters=1)
    with pytest.raises(error, match=f"make_graphed_callables: .*{message}"):
        call(graphed, inputs[0])


def test_backward_belongs_to_the_last_call_and_to_its_weights(cupy):
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


def test_gradients_are_wanted_where_none_were_captured(cupy):
    net, inputs = made("a few layers", training=False)
    with no_grad():
        graphed = make_graphed_callables(net, (inputs[0],), num_warmup_iters=1)
    with pytest.raises(GraphError, match="grad mode: expected a call under no_grad"):
        graphed(inputs[0])


def test_several_outputs_and_an_unused_parameter(cupy):
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


def test_a_graph_keeps_the_tables_that_it_reads(cupy):
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


def test_a_graph_is_captured_once(cupy):
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


def test_a_kernel_that_a_graph_holds_does_not_read_beyond_its_classes(cupy):
    """The check comes after the replay: until then a wrong class is the first one."""
    x = cupy.asarray(np.arange(8.0, dtype=np.float32).reshape(2, 2, 2) ** 2)
    target, one = cupy.zeros((2, 2), np.int64), cupy.ones((2, 2))
    arguments = x, target, one > 0, one, one[:0, 0]
    cross_entropy.forward(*arguments)
    captured = CUDAGraph()
    with graph(captured):
        losses, _ = cross_entropy.forward(*arguments)
    captured.replay()
    wanted = losses.get()
    for wrong in (2, -1):
        target[0, 1] = wrong
        with pytest.raises(IndexRangeError, match=rf"target: expected a class in range\(2\), got {wrong} at \(0, 1\)"):
            captured.replay()
        assert losses.get().tobytes() == wanted.tobytes()


def test_launches_that_wait_do_not_wait_in_a_capture(cupy, monkeypatch):
    monkeypatch.setenv("RAWSEG_SYNC", "1")
    x, captured = rawseg.ones(1, 1, 4, 4).to("cuda"), CUDAGraph()
    F.max_pool2d(x, 2)
    with graph(captured):
        out = F.max_pool2d(x, 2)
    x *= 3
    captured.replay()
    assert out.tolist() == [[[[3, 3], [3, 3]]]]


def test_samples_must_be_on_the_gpu(cupy):
    for samples, error in (((rawseg.ones(3),), DeviceError), ((), ArgumentError)):
        with pytest.raises(error, match="make_graphed_callables: sample_args"):
            make_graphed_callables(lambda x: x, samples)


def test_the_example_of_the_page(cupy, capsys):
    (example,) = [block for block in BLOCKS if "GraphedStep" in block]
    exec(compile(example, "CUDA.md", "exec"), {})
    assert "allocated_bytes.all.current" in capsys.readouterr().out
