"""Fused operations have the bits, the gradients and the graph of those that they consist of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits

import rawseg
from rawseg import functional as F
from rawseg import models, nn
from rawseg.autograd import deferred
from rawseg.functional import convolution, nonlinearity, normalization
from rawseg_kernels import activation, batch_norm

ROOMS = (convolution, nonlinearity, normalization)


def never(*arrays):
    return False


def step(model, x, y):
    """The output, the loss's gradients and the running statistics after one training step's passes."""
    out = model(x)
    loss = F.cross_entropy(out, y)
    loss.backward()
    arrays = [out.detach().numpy(), *(p.grad.numpy() for p in model.parameters()), *(b.numpy() for b in model.buffers())]
    return tuple(array.copy() for array in arrays)


def networks():
    return {
        "unet": (models.unet(width=4, depth=2), (2, 1, 32, 24), (2, 32, 24), 2),
        "mobilenet_v2": (models.mobilenet_v2(classes=5, dropout=0.0), (2, 3, 64, 32), (2,), 5),
        "a batch norm without numbers": (
            nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3, affine=False), nn.Hardtanh(-0.5, 0.7)),
            (2, 1, 12, 9),
            (2, 10, 7),
            3,
        ),
    }


@pytest.mark.parametrize("name", networks())
def test_a_training_step_and_an_evaluation_have_the_bits_of_unfused_ones(monkeypatch, name):
    def passes():
        rawseg.manual_seed(0)
        model, shape, target, classes = networks()[name]
        rng = np.random.default_rng(0)
        x = rawseg.tensor(rng.standard_normal(shape).astype(np.float32))
        y = rawseg.tensor(rng.integers(0, classes, target))
        trained = step(model, x, y)
        model.eval()
        frozen = step(model, x, y)  # running statistics as constants, with a graph
        with rawseg.no_grad():
            return *trained, *frozen, model(x).numpy()

    fused = passes()
    for room in ROOMS:
        monkeypatch.setattr(room, "may_defer", never)
    monkeypatch.setattr("rawseg.nn.fused.unwatched", never)
    assert_same_bits(fused, passes())


OPERATIONS = {  # of what there is so far, the last first; all of one shape
    "batch norm": lambda net, a, b: net.norm(a),
    "convolution": lambda net, a, b: net.conv(a),
    "transposed": lambda net, a, b: net.back(a),
    "relu": lambda net, a, b: F.relu(a),
    "relu6": lambda net, a, b: F.relu6(a),
    "sum": lambda net, a, b: a + b,
    "product": lambda net, a, b: a * b,
    "double": lambda net, a, b: a + a,
    "shapes": lambda net, a, b: a.reshape(2, 3, 5, 4).reshape(*a.shape),
    "halves": lambda net, a, b: rawseg.cat([a[:, :1], b[:, 1:]], 1),
}


class Drawn(nn.Module):
    """A network of drawn operations, each on the newest result and an older one."""

    def __init__(self, steps) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(3), nn.Conv2d(3, 3, 3, padding=1)
        self.back = nn.ConvTranspose2d(3, 3, 3, padding=1)
        self.steps = steps

    def forward(self, x):
        results = [x]
        for name, older in self.steps:
            results.append(OPERATIONS[name](self, results[-1], results[-1 - older % len(results)]))
        return results[-1]


def step_of(*names):
    return st.tuples(st.sampled_from(names), st.integers(0, 3))


# What may be fused, something between (a sum of two, more often than not), and what it may be fused with.
BETWEEN = st.lists(st.one_of(st.tuples(st.just("sum"), st.integers(1, 3)), step_of(*OPERATIONS)), max_size=1)
BLOCKS = st.tuples(step_of("batch norm", "convolution", "transposed"), BETWEEN, step_of("relu", "relu6"))
DRAWN = st.lists(BLOCKS.map(lambda block: [block[0], *block[1], block[2]]), min_size=1, max_size=3)


@given(DRAWN, st.integers(0, 99))
def test_any_network_has_the_bits_of_one_without_fusion(blocks, seed):
    steps = [step for block in blocks for step in block]

    def passes():
        rawseg.manual_seed(seed)
        net = Drawn(steps)
        rng = np.random.default_rng(seed)
        x = rawseg.tensor(rng.standard_normal((2, 3, 4, 5)).astype(np.float32), requires_grad=True)
        push = rawseg.tensor(rng.standard_normal((2, 3, 4, 5)).astype(np.float32))
        out = net(x)
        (out * push).sum().backward()
        grads = [x.grad, *(p.grad for p in net.parameters())]
        net.eval()
        with rawseg.no_grad():
            evaluated = net(x).numpy()
        return out.detach().numpy(), evaluated, *(g.numpy() for g in grads if g is not None)

    fused = passes()
    with pytest.MonkeyPatch.context() as patch:
        for room in ROOMS:
            patch.setattr(room, "may_defer", never)
        assert_same_bits(fused, passes())


def test_a_clamp_of_a_sum_is_not_a_clamp_of_its_terms():
    """Of ``relu(batch_norm(x) + y)``, the end of a residual block: the sum hands the clamped gradient on as it is."""

    class Block(nn.Module):
        def forward(self, x, y):
            return F.relu(F.batch_norm(x, None, None, training=True) + y)

    x = rawseg.randn(2, 3, 4, 5, dtype="float64", requires_grad=True)
    y = rawseg.randn(2, 3, 4, 5, dtype="float64", requires_grad=True)
    assert rawseg.testing.gradcheck(Block(), x, y)


def test_layers_outside_of_a_module_may_be_followed_by_anything():
    layer, norm, x = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4).eval(), rawseg.randn(2, 3, 8, 8)
    with rawseg.no_grad():
        for after in (F.relu, F.relu6, norm, lambda y: y + 1):
            assert_same_bits(after(layer(x)).numpy(), after(rawseg.tensor(layer(x).numpy())).numpy())
            assert_same_bits(after(norm(layer(x))).numpy(), after(rawseg.tensor(norm(layer(x)).numpy())).numpy())


def test_batch_norm_and_relu_take_one_pass_each_way(monkeypatch):
    calls = []
    for verb in ("forward", "backward"):
        real = getattr(activation, verb)
        monkeypatch.setattr(activation, verb, lambda *a, verb=verb, real=real, **k: calls.append(verb) or real(*a, **k))
    model = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU(), nn.BatchNorm2d(2), nn.ReLU6())
    model(rawseg.randn(2, 2, 5, 4, requires_grad=True)).sum().backward()
    assert calls == []


def test_the_graph_keeps_both_operations():
    model = nn.Sequential(nn.BatchNorm2d(2), nn.ReLU())
    out = model(rawseg.randn(2, 2, 5, 4, requires_grad=True))
    assert repr(out._node) == "<relu>"
    assert "BatchNorm" in repr(out._node.edges[0][0])


def test_a_normalised_batch_with_two_users_is_not_lost():
    x = rawseg.randn(2, 3, 4, 5, dtype="float64", requires_grad=True)

    def forward(x):
        y = F.batch_norm(x, None, None, training=True)
        return F.relu(y) + y * y

    class Both(nn.Module):
        def forward(self, x):
            return forward(x)

    (fused,) = rawseg.grad(Both()(x).sum(), x)
    (plain,) = rawseg.grad(forward(x).sum(), x)
    assert_same_bits(fused.numpy(), plain.numpy())


def test_second_derivatives_go_through():
    x = rawseg.randn(2, 2, 3, 3, dtype="float64", requires_grad=True)
    model = nn.Sequential(nn.BatchNorm2d(2, dtype=np.float64), nn.ReLU())

    def second(model):
        (first,) = rawseg.grad((model(x) ** 3).sum(), x, create_graph=True)
        (result,) = rawseg.grad((first * first).sum(), x)
        return result.numpy()

    plain = second(lambda x: F.relu(F.batch_norm(x, None, None, model[0].weight, model[0].bias, training=True)))
    assert_same_bits(second(model), plain)


def test_a_hook_between_sees_the_gradient_of_the_normalised_batch():
    seen = []

    class Hooked(nn.Module):
        def forward(self, x):
            y = F.batch_norm(x, None, None, training=True)
            y.register_hook(lambda g: seen.append(g.numpy().copy()) or g * 2)
            return F.relu(y)

    x = rawseg.randn(2, 1, 3, 3, requires_grad=True)
    (doubled,) = rawseg.grad(Hooked()(x).sum(), x)
    y = F.batch_norm(x, None, None, training=True)
    (plain,) = rawseg.grad((F.relu(y) * 2).sum(), x)
    assert np.array_equal(seen[0], (y.detach().numpy() > 0).astype(np.float32))
    assert_same_bits(doubled.numpy(), plain.numpy())
    assert deferred._scope.depth == 0


@pytest.mark.proves("batch_norm", "reference")
@given(
    seed=st.integers(0, 999),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 4), st.sampled_from([2, 3, 17, 600])),
    bounds=st.sampled_from([(0.0, math.inf), (0.0, 6.0), (-0.25, 0.5), (-math.inf, math.inf)]),
    dtype=st.sampled_from([np.float32, np.float64]),
    special=st.booleans(),
)
def test_normalise_is_batch_norm_and_an_activation(seed, shape, bounds, dtype, special):
    rng = np.random.default_rng(seed)
    x, grad_output = rng.standard_normal((2, *shape)).astype(dtype)
    weight, bias = rng.standard_normal((2, shape[1])).astype(dtype)
    if special:
        weight[0], bias[0] = 0, rng.choice([0.0, -0.0, 6.0, np.nan, np.inf])
    kind, parameters = ("relu", ()) if bounds == (0.0, math.inf) else ("hardtanh", bounds)
    for algorithm in ("direct", "reference"):
        out, mean, inv_std, var = batch_norm.forward_train(x, weight, bias, algorithm=algorithm)
        assert_same_bits(batch_norm.statistics(x, algorithm=algorithm), (mean, inv_std, var))
        held = activation.forward(out, kind, parameters) if bounds[0] > -math.inf else out
        assert_same_bits(batch_norm.normalise(x, weight, bias, mean, inv_std, *bounds, algorithm), held)
        passed = activation.backward(grad_output, held, kind, parameters) if bounds[0] > -math.inf else grad_output
        want = batch_norm.backward_train(passed, x, weight, mean, inv_std, algorithm)
        clamp = {"bias": bias, "low": bounds[0], "high": bounds[1]}
        assert_same_bits(batch_norm.backward_train(grad_output, x, weight, mean, inv_std, algorithm, **clamp), want)
