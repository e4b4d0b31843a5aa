"""Results that wait for the next operation: never seen outside a module's call, never computed from memory that has changed."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg import nn
from rawseg.autograd import deferred
from rawseg.autograd.deferred import Deferred, deferring
from rawseg.errors import GraphError


class Calling(nn.Module):
    """Calls a function as a module would."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


@pytest.fixture
def x():
    return rawseg.tensor(np.random.default_rng(0).standard_normal((2, 3, 5, 6)))


@pytest.fixture
def weight():
    return rawseg.tensor(np.random.default_rng(1).standard_normal((4, 3, 3, 3)))


def waits(tensor):
    return isinstance(tensor._array, Deferred) and not tensor._array.settled


def test_a_convolution_without_a_graph_waits_inside_a_module_and_nowhere_else(x, weight):
    seen = []
    out = Calling(lambda x: seen.append(F.conv2d(x, weight)) or seen[0])(x)
    assert isinstance(seen[0]._array, Deferred)
    assert not waits(out)
    assert isinstance(F.conv2d(x, weight)._array, np.ndarray)
    assert np.array_equal(out.numpy(), F.conv2d(x, weight).numpy())


def test_shape_dtype_and_device_are_known_before(x, weight):
    def check(x):
        y = F.conv2d(x, weight, stride=2)
        found = y.shape, y.ndim, y.size, y.dtype, y.device, y.dim(), y.numel()
        assert waits(y)
        return y, found

    y, found = Calling(check)(x)
    assert found == (y.array.shape, 4, y.array.size, np.float64, "cpu", 4, y.array.size)


def test_what_a_module_returns_does_not_follow_its_weights(x):
    layer = nn.Conv2d(3, 2, 3, dtype=np.float64)
    with rawseg.no_grad():
        out = layer(x)
        before = out.numpy().copy()
        layer.weight.array[...] = 0
    assert np.array_equal(out.numpy(), before)


@pytest.mark.parametrize("change", ["mul_", "setitem", "view"])
def test_an_array_that_changes_inside_a_module_is_read_before(x, weight, change):
    want = F.conv2d(x, weight).numpy()

    def forward(x):
        y = F.conv2d(x, weight)
        assert waits(y)
        if change == "mul_":
            x.mul_(2)
        elif change == "setitem":
            x[0] = 0
        else:
            x.reshape(-1).fill_(1)
        assert not waits(y)
        return y

    assert np.array_equal(Calling(forward)(x).numpy(), want)


def test_a_change_elsewhere_leaves_what_waits_alone(x, weight):
    def forward(x):
        y, other = F.conv2d(x, weight), rawseg.ones(2)
        other.mul_(2)
        assert waits(y)
        return y

    Calling(forward)(x)


def test_two_users_of_a_waiting_result_see_the_same(x, weight):
    out = Calling(lambda x: (lambda y: F.relu(y) + y)(F.conv2d(x, weight)))(x)
    y = F.conv2d(x, weight)
    assert np.array_equal(out.numpy(), (F.relu(y) + y).numpy())


def test_a_forward_that_fails_leaves_no_block_open(x, weight):
    def forward(x):
        kept.append(F.conv2d(x, weight))
        raise RuntimeError("stop")

    kept = []
    with pytest.raises(RuntimeError, match="stop"):
        Calling(forward)(x)
    assert deferred._scope.depth == 0
    assert not waits(kept[0])


def test_blocks_nest_and_only_the_outermost_computes(x, weight):
    with deferring():
        y = Calling(lambda x: F.conv2d(x, weight))(x)
        assert waits(y)
    assert not waits(y)


def test_a_block_is_its_threads_own(x, weight):
    found = []
    with deferring():
        thread = threading.Thread(target=lambda: found.append(waits(F.conv2d(x, weight))))
        thread.start()
        thread.join()
        assert waits(F.conv2d(x, weight))
    assert found == [False]


def test_nothing_waits_while_anomalies_are_looked_for(x, weight):
    x.array[0, 0, 0, 0] = np.inf
    with rawseg.autograd.detect_anomaly(), pytest.raises(GraphError, match="conv2d: out: expected finite values"):
        Calling(lambda x: F.relu(F.conv2d(x, weight)))(x)


def test_a_result_that_nobody_asks_for_costs_nothing(x, weight, monkeypatch):
    computed = []
    with deferring():
        y = F.conv2d(x, weight)
        monkeypatch.setattr(type(y._array), "compute", lambda self: computed.append(self))
        del y
    assert computed == []


def test_a_deferred_must_say_how_it_is_computed():
    with deferring():
        result = Deferred((2,), np.dtype(np.float32))
        with pytest.raises(TypeError, match="Deferred needs a method compute"):
            result.settle()
        del result
