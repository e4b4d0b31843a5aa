"""Layers that run in one step: the bits, the hooks and the errors of those that run one by one."""

from __future__ import annotations

import numpy as np
import pytest
from promises import assert_same_bits

import rawseg
from rawseg import functional as F
from rawseg import nn
from rawseg.autograd.deferred import Deferred
from rawseg.autograd.recording import recording
from rawseg.errors import GraphError, RawsegError
from rawseg.functional import fused


class Own(nn.Conv2d):
    """A convolution of somebody's own."""

    def forward(self, input):
        return super().forward(input) + 1


ROWS = {
    "convolution, norm and clamp": lambda: [nn.Conv2d(3, 6, 3, padding=1, bias=False), nn.BatchNorm2d(6), nn.ReLU6()],
    "a bias, no norm": lambda: [nn.Conv2d(3, 6, 3, 2), nn.ReLU()],
    "no clamp": lambda: [nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6)],
    "a norm without numbers": lambda: [nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6, affine=False), nn.ReLU()],
    "a norm without a shift": lambda: [nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6, eps=0.1, bias=False), nn.ReLU()],
    "planes": lambda: [nn.Conv2d(3, 3, 3, 1, 1, 2, 3), nn.BatchNorm2d(3), nn.ReLU6()],
    "the same size": lambda: [nn.Conv2d(3, 2, (2, 4), padding="same"), nn.BatchNorm2d(2), nn.ReLU()],
    "several rows": lambda: [
        nn.ReLU(),
        nn.Conv2d(3, 6, 1),
        nn.ReLU(),
        nn.Conv2d(6, 2, 1),
        nn.BatchNorm2d(2),
        nn.Conv2d(2, 2, 1),
    ],
    "other layers behind": lambda: [nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6), nn.Hardswish(), nn.MaxPool2d(2)],
    "statistics of the input": lambda: [nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6, track_running_stats=False), nn.ReLU()],
    "another padding": lambda: [nn.Conv2d(3, 6, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(6), nn.ReLU()],
    "a layer of one's own": lambda: [Own(3, 6, 1), nn.BatchNorm2d(6), nn.ReLU()],
}


def row_of(name, dtype=np.float32):
    """A row with statistics and numbers that are not those of a new one."""
    rawseg.manual_seed(0)
    row, rng = nn.Sequential(*ROWS[name]()).to(dtype=dtype), np.random.default_rng(1)
    for tensor in [*row.parameters(), *row.buffers()]:
        if tensor.dtype == dtype:
            tensor.array[...] = rng.uniform(0.1, 1, tensor.shape)
    return row.eval()


def one_by_one(row, x):
    for layer in row:
        x = layer(x)
    return x


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("images", [2, 0])
@pytest.mark.parametrize("name", ROWS)
def test_the_bits_of_layers_one_by_one(name, images, dtype):
    row, x = row_of(name, dtype), rawseg.tensor(np.random.default_rng(0).standard_normal((images, 3, 9, 7)).astype(dtype))
    with rawseg.no_grad():
        assert_same_bits(row(x).numpy(), one_by_one(row, x).numpy())


def test_a_single_image_needs_no_batch():
    row, x = row_of("a bias, no norm"), rawseg.randn(3, 9, 7)
    with rawseg.no_grad():
        assert_same_bits(row(x).numpy(), one_by_one(row, x).numpy())


@pytest.fixture
def steps(monkeypatch):
    """The rows that ran in one step."""
    seen = []
    real = fused.convolved

    def convolved(*arguments):
        out = real(*arguments)
        seen.append(out is not None)
        return out

    monkeypatch.setattr("rawseg.nn.fused.convolved", convolved)
    return seen


def test_they_do_run_in_one_step(steps):
    row, x = row_of("convolution, norm and clamp"), rawseg.randn(2, 3, 9, 7)
    row(x)
    assert steps == []  # with a graph, a norm by constants is a step of its own
    with rawseg.no_grad():
        row(x)
        assert steps == [True]
        row(np.zeros((2, 3, 9, 7), np.float32))  # an array is no Tensor: the layers take it as ever
        assert steps == [True, False]
        row.train()(x)
        assert steps == [True, False]


@pytest.mark.parametrize("name", ["weight", "bias", "running_mean", "running_var"])
def test_what_a_norm_came_to_is_forgotten_when_any_of_its_numbers_changes(steps, name):
    """However it changes: here nobody is told that it did."""
    row, x = row_of("convolution, norm and clamp"), rawseg.randn(2, 3, 9, 7)
    with rawseg.no_grad():
        assert_same_bits(row(x).numpy(), one_by_one(row, x).numpy())
        getattr(row[1], name).array[1] *= 2
        assert_same_bits(row(x).numpy(), one_by_one(row, x).numpy())
        row[1].eps = 0.5
        assert_same_bits(row(x).numpy(), one_by_one(row, x).numpy())
        assert steps == [True] * 3
        row[1].running_var.array[0] = -1
        with pytest.raises(RawsegError, match="running_var: expected no negative value"):
            row(x)


@pytest.mark.parametrize("layer", range(3))
@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_hooks_see_what_they_saw(steps, layer, kind):
    row, x, seen = row_of("convolution, norm and clamp"), rawseg.randn(2, 3, 9, 7), []
    with rawseg.no_grad():
        want = row(x).numpy()
        handle = getattr(row[layer], kind)(
            lambda module, args, *out: seen.append(tuple(t.numpy().copy() for t in (*args, *out)))
        )
        assert_same_bits(row(x).numpy(), want)
        got = seen.pop()
        one_by_one(row, x)
        assert_same_bits(got, seen.pop())
        handle.remove()
        row(x)
    assert seen == []
    assert steps[-1] is True


def test_a_forward_of_its_own_is_called():
    row, x = row_of("convolution, norm and clamp"), rawseg.randn(2, 3, 9, 7)
    row[1].forward = lambda input: input * 0
    with rawseg.no_grad():
        assert not row(x).numpy().any()


def test_a_forward_that_replaces_that_of_a_class_is_called(monkeypatch):
    row, x = row_of("convolution, norm and clamp"), rawseg.randn(2, 3, 9, 7)
    monkeypatch.setattr(nn.BatchNorm2d, "forward", lambda self, input: input * 0)
    with rawseg.no_grad():
        assert not row(x).numpy().any()


def test_parameters_may_have_been_replaced(steps):
    row, x = row_of("a bias, no norm"), rawseg.randn(2, 3, 9, 7)
    weight = row[0].weight.detach() * 2
    del row[0].weight
    row[0].weight = weight
    with rawseg.no_grad():
        assert_same_bits(row(x).numpy(), one_by_one(row, x).numpy())
    assert steps == [True]


def test_a_graph_that_begins_in_the_row_is_kept():
    class Switch(nn.Module):
        def forward(self, input):
            rawseg.set_grad_enabled(True)
            return input

    row = nn.Sequential(Switch(), nn.Conv2d(3, 6, 1), nn.ReLU())
    with rawseg.no_grad():
        assert row(rawseg.randn(2, 3, 9, 7)).requires_grad


def test_a_clamp_behind_the_row_takes_no_pass_of_its_own():
    row, x, waited = row_of("no clamp"), rawseg.randn(2, 3, 9, 7), []

    class Net(nn.Module):
        def forward(self, input):
            y = row(input)
            waited.append(isinstance(y._array, Deferred))
            return F.relu(y)

    with rawseg.no_grad():
        assert_same_bits(Net()(x).numpy(), F.relu(one_by_one(row, x)).numpy())
    assert waited == [True]


def test_a_recorder_sees_every_operation():
    seen = []

    class Names:
        def applied(self, operation, inputs, options, outputs):
            seen.append(operation.__name__)

        def overwritten(self, tensor, index, value):
            raise AssertionError

    row, x = row_of("convolution, norm and clamp"), rawseg.randn(2, 3, 9, 7)
    with recording(Names()), rawseg.no_grad():
        row(x)
    assert seen == ["Convolution", "BatchNormEvaluation", "hardtanh"]


def test_what_is_not_finite_is_found_where_it_arises():
    row, x = row_of("convolution, norm and clamp"), rawseg.full((1, 3, 4, 4), 3e38)
    with rawseg.no_grad(), rawseg.autograd.detect_anomaly(), pytest.raises(GraphError, match="conv2d: out"):
        row(x)


BAD = {
    "channels": lambda: (nn.Conv2d(4, 6, 1), nn.BatchNorm2d(6)),
    "features": lambda: (nn.Conv2d(3, 6, 1), nn.BatchNorm2d(5)),
    "dtype of the norm": lambda: (nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6, dtype=np.float64)),
    "dtype of the convolution": lambda: (nn.Conv2d(3, 6, 1, dtype=np.float64), nn.BatchNorm2d(6)),
    "kernel": lambda: (nn.Conv2d(3, 6, 11), nn.BatchNorm2d(6)),
    "variance": lambda: (nn.Conv2d(3, 6, 1), with_variance(nn.BatchNorm2d(6), -1)),
    "epsilon": lambda: (nn.Conv2d(3, 6, 1), nn.BatchNorm2d(6, eps=0)),
}


def with_variance(norm, value):
    norm.running_var.fill_(value)
    return norm


@pytest.mark.parametrize("name", BAD)
def test_errors_are_those_of_the_layers(name):
    row, x = nn.Sequential(*BAD[name](), nn.ReLU()).eval(), rawseg.randn(2, 3, 9, 7)
    with rawseg.no_grad():
        with pytest.raises(RawsegError) as alone:
            one_by_one(row, x)
        with pytest.raises(type(alone.value)) as together:
            row(x)
    assert str(together.value) == str(alone.value)


def test_a_network_has_the_bits_of_one_that_is_watched(monkeypatch):
    rawseg.manual_seed(0)
    net, x = rawseg.models.mobilenet_v2(width_mult=0.35, classes=5).eval(), rawseg.randn(2, 3, 64, 32)
    with rawseg.no_grad():
        together = net(x).numpy()
        monkeypatch.setattr("rawseg.nn.fused.unwatched", lambda: False)
        assert_same_bits(together, net(x).numpy())
