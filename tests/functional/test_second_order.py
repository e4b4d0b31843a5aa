"""Every operation: first and second derivatives by finite differences; convolution and pooling a third time."""

from __future__ import annotations

import numpy as np
import pytest
from twins import spread

import rawseg
from rawseg import functional as F
from rawseg.testing import gradcheck, gradgradcheck

IDS = np.array([[[0, 2], [1, -100]]])  # (N, H, W), one pixel ignored
WEIGHTS = np.array([0.5, 2.0, 1.5])
TARGETS = spread((2, 3), 0.05, 0.95, seed=5)


def leaf(*shape, low=-2.0, high=2.0, seed=0):
    return rawseg.Tensor(spread(shape, low, high, seed), requires_grad=True)


def image(h, w, low=-2.0, high=2.0):
    return leaf(1, 2, h, w, low=low, high=high)


# name, function, inputs
CASES = [
    (
        "conv2d",
        lambda x, w, b: F.conv2d(x, w, b, (1, 2), (1, 0), (1, 2)),
        [image(3, 4), leaf(2, 2, 2, 1, seed=1), leaf(2, seed=2)],
    ),
    ("conv2d groups", lambda x, w: F.conv2d(x, w, groups=2), [image(3, 3), leaf(2, 1, 2, 2, seed=1)]),
    (
        "conv_transpose2d",
        lambda x, w, b: F.conv_transpose2d(x, w, b, (2, 1), (1, 0), (1, 0), 1, (1, 2)),
        [image(2, 2), leaf(2, 1, 2, 2, seed=1), leaf(1, seed=2)],
    ),
    (
        "conv_transpose2d output_size",
        lambda x, w: F.conv_transpose2d(x, w, stride=2, output_size=(4, 5)),
        [image(2, 2), leaf(2, 1, 2, 2, seed=1)],
    ),
    ("max_pool2d", lambda x: F.max_pool2d(x, (2, 3), (1, 2), (0, 1)), [image(3, 4)]),
    ("avg_pool2d", lambda x: F.avg_pool2d(x, (2, 3), (1, 2), (0, 1), True, False), [image(3, 4)]),
    ("bilinear", lambda x: F.interpolate(x, (3, 5), mode="bilinear"), [image(2, 3)]),
    ("bilinear corners", lambda x: F.interpolate(x, (3, 5), mode="bilinear", align_corners=True), [image(2, 3)]),
    ("nearest", lambda x: F.interpolate(x, scale_factor=(1.5, 2)), [image(2, 3)]),
    ("batch_norm training", lambda x, w, b: F.batch_norm(x, None, None, w, b, True), [leaf(2, 2, 2, 1), leaf(2), leaf(2)]),
    ("batch_norm training plain", lambda x: F.batch_norm(x, None, None, training=True), [leaf(3, 2)]),
    (
        "batch_norm evaluation",
        lambda x, w, b: F.batch_norm(x, np.array([0.5, -1.0]), np.array([2.0, 0.3]), w, b),
        [leaf(2, 2, 2, 1), leaf(2), leaf(2)],
    ),
    ("relu", F.relu, [leaf(3, 4)]),
    ("relu6", F.relu6, [leaf(3, 4, low=-3, high=9)]),
    ("hardtanh", F.hardtanh, [leaf(3, 4)]),
    ("leaky_relu", lambda x: F.leaky_relu(x, 0.3), [leaf(3, 4)]),
    ("sigmoid", F.sigmoid, [leaf(3, 4)]),
    ("tanh", F.tanh, [leaf(3, 4)]),
    ("logsigmoid", F.logsigmoid, [leaf(3, 4)]),
    ("softplus", lambda x: F.softplus(x, 2.0, 3.1), [leaf(3, 4)]),
    ("softmax", lambda x: F.softmax(x, 1), [leaf(2, 3, 2)]),
    ("log_softmax", lambda x: F.log_softmax(x, 0), [leaf(3, 2)]),
    ("linear", F.linear, [leaf(2, 3), leaf(2, 3, seed=1), leaf(2, seed=2)]),
    ("pad constant", lambda x: F.pad(x, (1, -1, 2, 0), value=3), [image(2, 3)]),
    ("pad reflect", lambda x: F.pad(x, (1, 2, 1, 0), "reflect"), [image(2, 3)]),
    ("pad replicate", lambda x: F.pad(x, (1, 2, 2, 0), "replicate"), [image(1, 2)]),
    ("cross_entropy", lambda x: F.cross_entropy(x, IDS, WEIGHTS), [leaf(1, 3, 2, 2)]),
    ("cross_entropy smoothed", lambda x: F.cross_entropy(x, IDS, WEIGHTS, label_smoothing=0.2), [leaf(1, 3, 2, 2)]),
    ("cross_entropy none", lambda x: F.cross_entropy(x, IDS, reduction="none"), [leaf(1, 3, 2, 2)]),
    (
        "cross_entropy probabilities",
        lambda x, t: F.cross_entropy(x, t, WEIGHTS, label_smoothing=0.1),
        [leaf(2, 3), leaf(2, 3, low=0.1, high=0.9)],
    ),
    ("nll_loss", lambda x: F.nll_loss(x, IDS, WEIGHTS), [leaf(1, 3, 2, 2)]),
    (
        "weighted_cross_entropy",
        lambda x, w: F.weighted_cross_entropy(x, IDS, w.detach(), WEIGHTS),
        [leaf(1, 3, 2, 2), rawseg.Tensor(spread((1, 2, 2), 0.1, 3))],
    ),
    ("binary_cross_entropy", F.binary_cross_entropy, [leaf(2, 3, low=0.1, high=0.9), leaf(2, 3, low=0.1, high=0.9, seed=1)]),
    (
        "bce with logits",
        lambda x, t, p: F.binary_cross_entropy_with_logits(x, t, WEIGHTS, "sum", p),
        [leaf(2, 3), leaf(2, 3, low=0.1, high=0.9, seed=1), leaf(3, low=0.5, high=3)],
    ),
    ("bce with logits plain", F.binary_cross_entropy_with_logits, [leaf(2, 3), leaf(2, 3, low=0.1, high=0.9, seed=1)]),
    ("mse_loss", F.mse_loss, [leaf(2, 3), leaf(2, 3, seed=1)]),
    ("l1_loss", lambda x: F.l1_loss(x, TARGETS), [leaf(2, 3)]),
    ("smooth_l1_loss", lambda x: F.smooth_l1_loss(x, TARGETS, beta=0.7), [leaf(2, 3)]),
    ("huber_loss", lambda x: F.huber_loss(x, TARGETS, "none", 0.7), [leaf(2, 3)]),
    ("dice_loss", lambda x: F.dice_loss(x, IDS, 0.5), [leaf(1, 3, 2, 2, low=0.1, high=0.9)]),
    ("jaccard_loss", lambda x: F.jaccard_loss(x, IDS, 0.5, "batch"), [leaf(1, 3, 2, 2, low=0.1, high=0.9)]),
]


@pytest.mark.parametrize(("f", "inputs"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_first_and_second_derivatives(f, inputs):
    def squared(*inputs):  # of a linear operation the second derivative would be 0 whatever the code says
        out = f(*inputs)
        return out * out

    gradcheck(f, *inputs)
    gradgradcheck(squared, *inputs)


def test_the_gradient_is_the_same_whether_it_is_recorded_or_not():
    """The quick way and the composed way, within the roundings of the composed one: at most 40 on values below 4."""
    for name, f, inputs in CASES:
        values = [rawseg.Tensor(tensor.array, requires_grad=True) for tensor in inputs]
        out = f(*values)
        total = (out * rawseg.Tensor(np.random.default_rng(1).uniform(-1.5, 1.5, out.shape))).sum()
        wanted = [v for v, tensor in zip(values, inputs) if tensor.requires_grad]
        recorded = rawseg.grad(total, wanted, create_graph=True)
        plain = rawseg.grad(total, wanted)
        for one, other in zip(recorded, plain):
            assert not other.requires_grad
            assert np.abs(one.numpy() - other.numpy()).max() <= 40 * 4 * 2.0**-53 * (1 + np.abs(other.numpy()).max()), name


@pytest.mark.parametrize(
    "f",
    [
        lambda x, w: F.conv2d(x, w, padding=1),
        lambda x, w: F.conv_transpose2d(x, w, stride=2),
        lambda x, w: F.batch_norm(F.conv2d(x, w), None, None, training=True),
        lambda x, w: F.avg_pool2d(F.max_pool2d(F.conv2d(x, w, padding=1), 2, 1), 1, 1),
    ],
    ids=["conv2d", "conv_transpose2d", "batch_norm", "pooling"],
)
def test_third_derivatives(f):
    x, w = leaf(1, 1, 3, 2), leaf(1, 1, 2, 1, seed=1)

    def gradient(x, w):
        x, w = (t if t.requires_grad else rawseg.Tensor(t.array, requires_grad=True) for t in (x, w))
        with rawseg.enable_grad():
            return rawseg.grad((f(x, w) ** 4).sum(), [x, w], create_graph=True)

    gradgradcheck(gradient, x, w)


def test_a_frozen_convolution_keeps_only_what_its_gradient_needs():
    x, weight = image(3, 3), leaf(2, 2, 2, 2)
    out = F.conv2d(x.detach(), weight)
    kept = out._node.ctx.saved
    assert kept[0] is not None
    assert kept[1] is None  # the weight is only needed for the gradient of the input
