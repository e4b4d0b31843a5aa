"""Convolution, norm and clamp as one node of a graph in training: the bits, gradients, statistics and errors of one by one."""

from __future__ import annotations

import numpy as np
import pytest
from nn.test_fused import BAD, ROWS, one_by_one, row_of
from promises import assert_same_bits

import rawseg
from rawseg import functional as F
from rawseg import nn
from rawseg.autograd.deferred import Deferred
from rawseg.errors import ArgumentError, GraphError, RawsegError
from rawseg_kernels._algorithms import substituted

ONE_NODE = "convolution, norm and clamp"
SHAPE = 2, 3, 9, 7


def training(name=ONE_NODE, dtype=np.float32):
    return row_of(name, dtype).train()


def image(dtype=np.float32, shape=SHAPE, requires_grad=True):
    return rawseg.tensor(np.random.default_rng(0).standard_normal(shape).astype(dtype), requires_grad=requires_grad)


def step(forward, row, x):
    """Every number that a step leaves: output, gradients, statistics."""
    for tensor in (x, *row.parameters()):
        tensor.grad = None
    out = forward(x)
    (out * rawseg.tensor(np.random.default_rng(1).standard_normal(out.shape).astype(out.dtype))).sum().backward()
    grads = [tensor.grad for tensor in (x, *row.parameters()) if tensor.grad is not None]
    return copies(out, *grads, *row.buffers())


def copies(*tensors):
    return tuple(tensor.detach().numpy().copy() for tensor in tensors)


def together_and_apart(make, x, after=lambda y: y):
    """One step of a row that is called, and one of its twin whose layers are called one by one."""
    row, twin = make(), make()
    return step(lambda x: after(row(x)), row, x), step(lambda x: after(one_by_one(twin, x)), twin, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ROWS)
def test_the_bits_of_layers_one_by_one(name, dtype):
    assert_same_bits(*together_and_apart(lambda: training(name, dtype), image(dtype)))


def node_of(row, x):
    return row(x)._node.function.__name__


def test_it_is_one_node():
    row, x = training(), image()
    assert node_of(row, x) == "NormalisedConvolution"
    assert node_of(training("no clamp"), x) != "NormalisedConvolution"  # its convolution has a bias
    assert node_of(row.eval(), x) == "hardtanh"
    assert node_of(training("another padding"), x) == "relu"
    assert node_of(training("a layer of one's own"), x) == "relu"


def changed(what):
    """Rows of which something is not as usual."""
    row = training()
    what(row)
    return row


UNUSUAL = {
    "no momentum": lambda row: setattr(row[1], "momentum", None),
    "momentum 1": lambda row: setattr(row[1], "momentum", 1),
    "frozen kernels": lambda row: row[0].requires_grad_(False),
    "frozen norm": lambda row: row[1].requires_grad_(False),
    "only kernels": lambda row: row[1].bias.requires_grad_(False),
    "statistics of views": lambda row: setattr(row[1], "running_mean", rawseg.tensor(np.zeros(12, np.float32))[::2]),
    "an evaluated norm": lambda row: row[1].eval(),
    "an evaluated norm of batches": lambda row: setattr(row[1].eval(), "track_running_stats", False),
    "no kernel's padding": lambda row: setattr(row[0], "padding", "valid"),
}


@pytest.mark.parametrize("requires_grad", [True, False])
@pytest.mark.parametrize("name", UNUSUAL)
def test_the_bits_of_unusual_rows(name, requires_grad):
    assert_same_bits(*together_and_apart(lambda: changed(UNUSUAL[name]), image(requires_grad=requires_grad)))


@pytest.mark.parametrize("shape", [(0, 3, 9, 7), (1, 3, 3, 3), (2, 3, 200, 5)])
def test_the_bits_of_unusual_batches(shape):
    assert_same_bits(*together_and_apart(training, image(shape=shape)))


def without_clamp():
    return training()[:2]


@pytest.mark.parametrize("clamp", [F.relu, F.relu6, lambda y: F.relu(y + 1), lambda y: F.relu(y) + y, lambda y: y * y])
def test_a_clamp_may_follow_from_elsewhere(clamp):
    class Net(nn.Module):
        def __init__(self, row, run) -> None:
            super().__init__()
            self.row, self.run = row, run

        def forward(self, x):
            return clamp(self.run(self.row, x))

    x, called = image(), Net(without_clamp(), lambda row, x: row(x))
    apart = Net(without_clamp(), one_by_one)
    assert_same_bits(step(called, called, x), step(apart, apart, x))


def test_a_norm_without_a_clamp_waits_for_one():
    waited = []

    class Net(nn.Module):
        def forward(self, x):
            y = without_clamp()(x)
            waited.append(isinstance(y._array, Deferred))
            return F.relu(y)

    Net()(image())
    assert waited == [True]


def derivatives(forward, row, x):
    """First derivatives, and the derivatives of their squares in all that they depend on."""
    leaves = [x, *row.parameters()]
    first = rawseg.grad(((forward(x) + 1) ** 2).sum(), leaves, create_graph=True)  # not flat where a clamp holds
    total = sum((gradient * gradient).sum() for gradient in first)
    return copies(*first), rawseg.grad(total, leaves, allow_unused=True)


@pytest.mark.parametrize("make", [training, without_clamp])
def test_second_derivatives(make):
    row, twin, x = make().double(), make().double(), image(np.float64)
    (first, second), (want_first, want_second) = derivatives(row, row, x), derivatives(lambda x: one_by_one(twin, x), twin, x)
    assert_same_bits(first, want_first)
    for got, want in zip(second, want_second, strict=True):
        # The convolution is differentiated once for the sum of what reaches it, or once for each: rounding alone differs.
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=0, atol=1e-12 * abs(want.numpy()).max())


PARTS = {  # of what is trained: the leaves that are not
    "all": lambda row, x: [],
    "not the image": lambda row, x: [x],
    "not the kernels": lambda row, x: [row[0].weight],
    "the norm": lambda row, x: [x, row[0].weight],
    "the image": lambda row, x: [*row.parameters()],
    "the kernels": lambda row, x: [x, row[1].weight, row[1].bias],
}


def freeze(leaves):
    for leaf in leaves:
        leaf.requires_grad_(False)


@pytest.mark.parametrize("image_is_computed", [False, True])
@pytest.mark.parametrize("part", PARTS)
def test_second_derivatives_of_a_part(part, image_is_computed):
    def run(forward, row, x):
        freeze(PARTS[part](row, x))
        leaves = [leaf for leaf in (x, *row.parameters()) if leaf.requires_grad]
        out = forward(x * 1 if image_is_computed else x)
        first = rawseg.grad(((out + 1) ** 2).sum(), leaves, create_graph=True)
        (sum((gradient * gradient).sum() for gradient in first)).backward()
        return copies(*first), copies(*(leaf.grad for leaf in leaves))

    row, twin = training().double(), training().double()
    got, want = run(row, row, image(np.float64)), run(lambda x: one_by_one(twin, x), twin, image(np.float64))
    assert_same_bits(got[0], want[0])
    for one, other in zip(got[1], want[1], strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12 * abs(other).max())  # rounding: see above


def convolutions(run):
    """The convolution kernels that run, in order."""
    seen = []

    def choose(op, verb):
        seen.append(verb if op == "conv2d" else None)

    with substituted(choose):
        run()
    return [verb for verb in seen if verb is not None]


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("part", PARTS)
def test_no_kernel_runs_that_would_not_run_one_by_one(part, create_graph):
    def run(forward, row, x):
        freeze(PARTS[part](row, x))
        out = forward(x).sum()
        return convolutions(lambda: out.backward(create_graph=create_graph))

    row, twin = training(), training()
    assert run(row, row, image()) == run(lambda x: one_by_one(twin, x), twin, image())


def test_less_memory_is_held_than_one_by_one():
    def peak(called):
        rows, x = [nn.Sequential(nn.Conv2d(8, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()) for _ in range(3)], None
        x = image(shape=(2, 8, 128, 128))
        push, out = rawseg.ones(2, 8, 128, 128), x
        for row in rows:
            out = row(out) if called else one_by_one(row, out)
        rawseg.reset_peak_memory_stats()
        out.backward(push)
        return rawseg.memory_stats()["peak"] - rawseg.memory_stats()["live"]

    peak(True)  # what is kept for the next kernel is there
    assert peak(True) < peak(False)  # what the norm saved is let go before the convolution is differentiated


def test_first_derivatives_are_right():
    row, x = training(dtype=np.float64), image(np.float64)
    row[2] = nn.ReLU()
    assert rawseg.testing.gradcheck(row, x)


def test_only_what_is_wanted_is_differentiated():
    row, x = training(), image()
    (alone,) = rawseg.grad(row(x).sum(), row[0].weight)
    assert_same_bits(alone.numpy(), rawseg.grad(row(x).sum(), [x, row[0].weight])[1].numpy())


@pytest.mark.parametrize("changing", ["0.weight", "1.weight"])
def test_a_change_in_place_before_backward_is_found(changing):
    row, x = training(), image()
    out = row(x).sum()
    with rawseg.no_grad():
        row.get_parameter(changing).mul_(2)
    with pytest.raises(GraphError, match="changed in place"):
        out.backward()


def test_what_backward_does_not_read_may_change():
    row, x = training(), image(requires_grad=False)
    out = row(x).sum()
    with rawseg.no_grad():
        row[0].weight.mul_(2)
    out.backward()
    row[0].requires_grad_(False)
    x = image(requires_grad=False)
    out = row(x).sum()
    assert x.numpy().flags.writeable
    with rawseg.no_grad():
        x.mul_(2)
    out.backward()
    assert row[1].weight.grad is not None


def test_a_shift_that_moves_before_backward_changes_nothing():
    row, x = training(), image()
    want = step(row, row, x)[2]
    row.zero_grad()
    out = row(x)
    push = rawseg.tensor(np.random.default_rng(1).standard_normal(out.shape).astype(np.float32))
    with rawseg.no_grad():
        row[1].bias.add_(3)
    (out * push).sum().backward()
    assert_same_bits(row[0].weight.grad.numpy(), want)


def test_what_was_saved_may_be_kept():
    row, x = training(), image()
    out = row(x).sum()
    out.backward(retain_graph=True)
    once = copies(x.grad, *(p.grad for p in row.parameters()))
    out.backward()
    assert_same_bits(copies(x.grad, *(p.grad for p in row.parameters())), tuple(2 * gradient for gradient in once))


def test_what_was_saved_is_let_go():
    out = training()(image()).sum()
    out.backward()
    with pytest.raises(GraphError, match="freed"):
        out.backward()


@pytest.mark.parametrize("layer", range(3))
def test_hooks_see_what_they_saw(layer):
    row, twin, x, seen = training(), training(), image(), []
    for layers in (row, twin):
        layers[layer].register_forward_hook(lambda module, args, out: seen.append(out.detach().numpy().copy()))
    assert_same_bits(step(row, row, x), step(lambda x: one_by_one(twin, x), twin, x))
    assert_same_bits(*seen)


@pytest.mark.parametrize("name", BAD)
def test_errors_are_those_of_the_layers(name):
    row, twin = (nn.Sequential(*without_bias(BAD[name]()), nn.ReLU()) for _ in range(2))
    before = copies(*row.buffers())
    with pytest.raises(RawsegError) as alone:
        one_by_one(twin, image())
    with pytest.raises(type(alone.value)) as together:
        row(image())
    assert str(together.value) == str(alone.value)
    assert_same_bits(copies(*row.buffers()), before)


def without_bias(layers):
    layers[0].bias = None
    return layers


def test_a_norm_of_other_channels_is_refused():
    plain = {"affine": False, "track_running_stats": False}
    with pytest.raises(RawsegError, match=r"BatchNorm2d: input: expected shape \(N, 5, H, W\)"):
        nn.Sequential(nn.Conv2d(3, 6, 1, bias=False), nn.BatchNorm2d(5, **plain))(image())


@pytest.mark.parametrize("weight", [None, rawseg.tensor(1.0), np.ones((6, 3, 1, 1), np.float32), rawseg.ones(6, 3, 1)])
def test_wrong_kernels_are_refused_as_one_by_one(weight):
    row, twin = training(), training()
    for layers in (row, twin):
        del layers[0].weight
        layers[0].weight = weight
    assert outcome(row) == outcome(lambda x: one_by_one(twin, x))


def outcome(forward):
    """What comes of an image: bytes, or an error."""
    try:
        return forward(image()).numpy().tobytes()
    except RawsegError as error:
        return type(error), str(error)


def test_a_single_value_of_a_channel_has_no_statistics():
    with pytest.raises(RawsegError, match="more than 1 value per channel"):
        training()(image(shape=(1, 3, 1, 1)))


@pytest.mark.parametrize("momentum", [2, "1", np.nan])
def test_a_wrong_momentum_is_refused(momentum):
    row = training()
    row[1].momentum = momentum
    with pytest.raises(RawsegError, match="momentum"):
        row(image())


def test_read_only_statistics_are_refused():
    row = training()
    row[1].running_var.array.flags.writeable = False
    with pytest.raises(ArgumentError, match="writeable"):
        row(image())


def test_half_of_the_statistics_is_refused():
    row = training()
    row[1].running_mean = None
    with pytest.raises(ArgumentError, match="running_mean"):
        row(image())


def test_too_little_memory_is_said_by_the_convolution(monkeypatch):
    row = training()
    monkeypatch.setattr("rawseg_kernels._memory.limit_bytes", lambda: 1000)
    with pytest.raises(MemoryError, match="conv2d"):
        row(image())


def test_what_is_not_finite_is_found_where_it_arises():
    with rawseg.autograd.detect_anomaly(), pytest.raises(GraphError, match="conv2d: out"):
        training()(rawseg.full(SHAPE, 3e38))
