"""Layers: the function each applies, what it counts, and how its weights begin."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma

import rawseg
from rawseg import functional as F
from rawseg import nn
from rawseg.errors import ArgumentError, ArgumentTypeError, ShapeError

RNG = np.random.default_rng(0)

# layer of either library, input shape
TWINS = [
    (lambda n: n.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2), 2), (2, 4, 6, 5)),
    (lambda n: n.Conv2d(2, 3, 3, padding="same", dilation=2), (1, 2, 5, 6)),
    (lambda n: n.Conv2d(2, 3, (3, 2), padding=(2, 1), padding_mode="reflect"), (1, 2, 5, 6)),
    (lambda n: n.Conv2d(2, 3, (3, 5), padding="same", padding_mode="circular"), (1, 2, 5, 6)),
    (lambda n: n.Conv2d(2, 3, 3, padding="valid", padding_mode="replicate"), (2, 5, 6)),
    (lambda n: n.ConvTranspose2d(4, 6, 3, (2, 3), 1, (1, 0), 2, False, (1, 2)), (2, 4, 3, 4)),
    (lambda n: n.BatchNorm2d(3), (2, 3, 4, 5)),
    (lambda n: n.BatchNorm2d(3, 1e-3, None), (2, 3, 4, 5)),
    (lambda n: n.BatchNorm2d(3, affine=False, track_running_stats=False), (2, 3, 4, 5)),
    (lambda n: n.Linear(5, 3), (2, 4, 5)),
    (lambda n: n.MaxPool2d((3, 2), 2, (1, 0), ceil_mode=True), (2, 3, 6, 5)),
    (lambda n: n.AvgPool2d((3, 2), 2, (1, 0), True, False), (2, 3, 6, 5)),
    (lambda n: n.Upsample((7, 9), mode="bilinear", align_corners=True), (1, 2, 3, 4)),
    (lambda n: n.Upsample(scale_factor=2), (1, 2, 3, 4)),
    (lambda n: n.Flatten(), (2, 3, 4)),
    (lambda n: n.ReLU(), (3, 4)),
    (lambda n: n.ReLU6(), (3, 4)),
    (lambda n: n.LeakyReLU(0.2), (3, 4)),
    (lambda n: n.Hardtanh(-0.5, 0.25), (3, 4)),
    (lambda n: n.ELU(1.5), (3, 4)),
    (lambda n: n.CELU(alpha=0.5), (3, 4)),
    (lambda n: n.SELU(), (3, 4)),
    (lambda n: n.GELU(), (3, 4)),
    (lambda n: n.GELU("tanh"), (3, 4)),
    (lambda n: n.SiLU(), (3, 4)),
    (lambda n: n.Mish(), (3, 4)),
    (lambda n: n.Hardswish(), (3, 4)),
    (lambda n: n.Hardsigmoid(), (3, 4)),
    (lambda n: n.Sigmoid(), (3, 4)),
    (lambda n: n.LogSigmoid(), (3, 4)),
    (lambda n: n.Softplus(2, 1.5), (3, 4)),
    (lambda n: n.Tanh(), (3, 4)),
    (lambda n: n.Softmax(1), (3, 4)),
    (lambda n: n.LogSoftmax(dim=0), (3, 4)),
    (lambda n: n.Dropout(0.0), (3, 4)),
]


@pytest.mark.parametrize(("make", "shape"), TWINS, ids=[repr(make(nn)) for make, _ in TWINS])
def test_as_torch(make, shape):
    ours, theirs = make(nn).double(), make(torch.nn).double()
    ours.load_state_dict({name: tensor.numpy() for name, tensor in theirs.state_dict().items()})
    for training in (True, True, False):  # twice, so that running averages have two terms
        x = RNG.standard_normal(shape)
        got = ours.train(training)(rawseg.Tensor(x)).numpy()
        want = theirs.train(training)(torch.tensor(x)).detach().numpy()
        # sums of at most 60 products of values below 5; batch normalisation divides by deviations near 1
        assert_within(got, want, 2 * gamma(80, np.float64) * 60 * 5, "out")
    for name, tensor in theirs.state_dict().items():
        assert_within(ours.state_dict()[name].numpy(), tensor.numpy(), 2 * gamma(80, np.float64) * 25, name)
    if not isinstance(ours, (nn.Upsample, nn.Softplus, nn.Hardtanh, nn.ReLU6, nn.BatchNorm2d)):  # torch says more or less
        assert repr(ours) == repr(theirs)


def test_batches_are_counted_but_empty_ones_are_not():
    layer = nn.BatchNorm2d(2, momentum=None)
    layer(rawseg.full((1, 2, 1, 2), 4.0))
    layer(rawseg.zeros(0, 2, 1, 2))
    layer(rawseg.full((1, 2, 1, 2), 8.0))
    assert layer.num_batches_tracked.item() == 2
    assert layer.running_mean.tolist() == [6, 6]  # the plain average
    layer.eval()(rawseg.zeros(1, 2, 1, 2))
    assert layer.num_batches_tracked.item() == 2
    with pytest.raises(ShapeError, match=r"got 1 \(input shape \(1, 2, 1, 1\)\)"):
        layer.train()(rawseg.zeros(1, 2, 1, 1))
    assert layer.num_batches_tracked.item() == 2
    layer.reset_parameters()
    assert (layer.num_batches_tracked.item(), layer.running_mean.tolist()) == (0, [0, 0])


def test_dropout_rests_in_evaluation():
    x = rawseg.randn(4, 3, 5, 5)
    for layer in (nn.Dropout(0.5), nn.Dropout2d(0.5)):
        assert (layer(x).numpy() == 0).any()
        assert layer.eval()(x) is x


def test_pool_indices_are_returned_on_request():
    values, indices = nn.MaxPool2d(2, return_indices=True)(rawseg.randn(1, 1, 4, 6))
    assert values.shape == indices.shape == (1, 1, 2, 3)
    assert indices.plane == (4, 6)


def test_an_output_size_replaces_the_output_padding():
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=1)
    x = rawseg.randn(1, 1, 3, 4)
    assert layer(x).shape == (1, 1, 6, 8)
    assert layer(x, output_size=(5, 8)).shape == (1, 1, 5, 8)


LOSSES = [
    (lambda n: n.CrossEntropyLoss(torch.ones(3).numpy() if n is nn else torch.ones(3), label_smoothing=0.1), "ids"),
    (lambda n: n.NLLLoss(reduction="sum"), "ids"),
    (lambda n: n.BCEWithLogitsLoss(), "probabilities"),
    (lambda n: n.MSELoss(), "probabilities"),
    (lambda n: n.L1Loss("sum") if n is nn else n.L1Loss(reduction="sum"), "probabilities"),
    (lambda n: n.SmoothL1Loss(beta=0.5), "probabilities"),
    (lambda n: n.HuberLoss(delta=0.5), "probabilities"),
]


@pytest.mark.parametrize(("make", "kind"), LOSSES)
def test_losses_as_torch(make, kind):
    x = RNG.standard_normal((4, 3)).astype(np.float32)
    target = RNG.integers(0, 3, 4) if kind == "ids" else RNG.random((4, 3)).astype(np.float32)
    got = make(nn)(rawseg.Tensor(x), rawseg.Tensor(target)).numpy()
    want = make(torch.nn)(torch.tensor(x), torch.tensor(target)).numpy()
    assert_within(got, want, 2 * gamma(30, np.float32) * 12 * 5, "loss")  # 12 losses below 5 summed, 18 roundings each


def test_segmentation_losses_hold_their_options():
    p, ids = F.softmax(rawseg.randn(2, 3, 4, 4), 1), rawseg.randint(0, 3, (2, 4, 4))
    dice = nn.DiceLoss(0.5, "class", ignore_index=0)(p, ids)
    assert dice.item() == F.dice_loss(p, ids, 0.5, "class", ignore_index=0).item()
    assert nn.JaccardLoss(reduction="none")(p, ids).tolist() == F.jaccard_loss(p, ids, reduction="none").tolist()
    tversky = nn.TverskyLoss(0.25, 0.75, 0.5, "batch", "sum", ignore_index=0)(p, ids)
    assert tversky.item() == F.tversky_loss(p, ids, 0.25, 0.75, 0.5, "batch", "sum", ignore_index=0).item()
    lovasz = nn.LovaszSoftmaxLoss("all", True, 0)(p, ids)
    assert lovasz.item() == F.lovasz_softmax(p, ids, "all", True, 0).item()
    hinge = nn.LovaszHingeLoss(False, 2, empty="raise")(p[:, 0], ids)
    assert hinge.item() == F.lovasz_hinge(p[:, 0], ids, False, 2).item()
    assert nn.BCELoss()(p, p).item() == F.binary_cross_entropy(p, p).item()
    weighted = nn.CrossEntropyLoss(rawseg.ones(3))
    assert list(weighted.state_dict()) == ["weight"]
    assert weighted.double().weight.dtype == np.float64


def test_layers_begin_as_torchs_do():
    """Uniform within 1 / sqrt(fan_in): the extremes come within 1 % of the bound and the deviation is bound / sqrt(3)."""
    rawseg.manual_seed(0)
    for make, fan in (
        (lambda n: n.Conv2d(8, 64, 5, groups=2), 4 * 25),
        (lambda n: n.ConvTranspose2d(8, 64, 5), 64 * 25),
        (lambda n: n.Linear(64, 64), 64),
    ):
        for values in (make(nn).weight.numpy(), make(torch.nn).weight.detach().numpy()):
            bound = 1 / math.sqrt(fan)
            assert 0.99 * bound < np.abs(values).max() <= bound
            assert abs(values.std() * math.sqrt(3) / bound - 1) < 5 / math.sqrt(values.size)
    assert 0 < np.abs(nn.Linear(4, 500).bias.numpy()).max() <= 0.5
    rawseg.manual_seed(5)
    first = nn.Conv2d(2, 3, 3).weight.numpy()
    rawseg.manual_seed(5)
    assert np.array_equal(nn.Conv2d(2, 3, 3, dtype=np.float64).weight.numpy().astype(np.float32), first)


@pytest.mark.parametrize(
    ("fill", "deviation"),
    [
        (lambda t: nn.init.kaiming_normal_(t, nonlinearity="relu"), math.sqrt(2 / (20 * 9))),
        (lambda t: nn.init.kaiming_normal_(t, mode="fan_out", nonlinearity="relu"), math.sqrt(2 / (60 * 9))),
        (lambda t: nn.init.kaiming_uniform_(t, a=1.0), math.sqrt(1 / (20 * 9))),
        (lambda t: nn.init.xavier_normal_(t, 2.0), 2 * math.sqrt(2 / (80 * 9))),
        (lambda t: nn.init.xavier_uniform_(t), math.sqrt(2 / (80 * 9))),
        (lambda t: nn.init.normal_(t, 1.0, 3.0), 3.0),
        (lambda t: nn.init.uniform_(t, -1.0, 1.0), 1 / math.sqrt(3)),
        (lambda t: nn.init.trunc_normal_(t, 0.0, 1.0), 0.8796),  # of a standard normal cut at two deviations
    ],
)
def test_initialisers_have_their_variance(fill, deviation):
    rawseg.manual_seed(0)
    values = fill(rawseg.zeros(60, 20, 3, 3)).numpy()  # 10,800 values: one deviation of theirs is 0.7 %
    assert abs(values.std() / deviation - 1) < 0.035  # five of them


def test_constants_and_gains():
    t = rawseg.zeros(2, 3)
    assert nn.init.constant_(t, 0.5) is t
    assert t.numpy().tolist() == [[0.5] * 3] * 2
    assert nn.init.ones_(t).numpy().min() == 1
    assert nn.init.zeros_(t).numpy().max() == 0
    for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name), rel=1e-15)
    assert nn.init.calculate_gain("leaky_relu", 0.3) == pytest.approx(
        torch.nn.init.calculate_gain("leaky_relu", 0.3), rel=1e-15
    )
    assert np.abs(nn.init.trunc_normal_(rawseg.zeros(5000), 0.0, 1.0, -0.5, 1.0).numpy() - 0.25).max() <= 0.75
    parameter = nn.Parameter(rawseg.zeros(3, 3))
    assert nn.init.xavier_uniform_(parameter) is parameter
    assert parameter.requires_grad


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Conv2d(3, 4, 3, groups=2), ArgumentError, "Conv2d: in_channels: expected a multiple of groups=2, got 3"),
        (lambda: nn.Conv2d(2, 3, 3, groups=2), ArgumentError, "Conv2d: out_channels: expected a multiple of groups=2, got 3"),
        (lambda: nn.Conv2d(0, 3, 3), ArgumentError, "Conv2d: in_channels: expected at least 1, got 0"),
        (lambda: nn.Conv2d(1, 3, 1.5), ArgumentTypeError, "Conv2d: kernel_size: expected an int, got 1.5"),
        (
            lambda: nn.Conv2d(1, 3, 3, 2, "same"),
            ArgumentError,
            "padding: expected an int, a pair, 'valid', or 'same' with stride 1",
        ),
        (lambda: nn.Conv2d(1, 3, 3, padding_mode="mirror"), ArgumentError, "padding_mode: expected one of .* got 'mirror'"),
        (lambda: nn.BatchNorm2d(3)(rawseg.ones(2, 4, 1, 1)), ShapeError, r"input: expected shape \(N, 3, H, W\), got shape"),
        (lambda: nn.Dropout2d(2), ArgumentError, "Dropout2d: p: expected a probability, 0 to 1, got 2"),
        (lambda: nn.init.kaiming_normal_(rawseg.ones(3)), ShapeError, r"tensor: expected shape \(out, in, ...\), not empty"),
        (lambda: nn.init.kaiming_normal_(rawseg.ones(3, 3), mode="in"), ArgumentError, "mode: expected 'fan_in' or 'fan_out'"),
        (lambda: nn.init.calculate_gain("gelu"), ArgumentError, "nonlinearity: expected one of .* got 'gelu'"),
        (lambda: nn.init.trunc_normal_(rawseg.ones(3), 0, 1, 3, 4), ArgumentError, "a: expected an interval"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_batch_norm_may_learn_a_scale_alone():
    norm, twin = nn.BatchNorm2d(2, bias=False), torch.nn.BatchNorm2d(2, bias=False)
    assert list(norm.state_dict()) == list(twin.state_dict())
    norm.reset_parameters()
    assert norm(rawseg.randn(2, 2, 3, 3)).shape == (2, 2, 3, 3)


def test_transposed_convolution_has_torchs_argument_order():
    assert nn.ConvTranspose2d(2, 4, 3, 2, 1, 1, 2, False, 1, "zeros").padding_mode == "zeros"
    with pytest.raises(ArgumentError, match="ConvTranspose2d: padding_mode: expected 'zeros', as in PyTorch, got 'reflect'"):
        nn.ConvTranspose2d(1, 1, 3, padding_mode="reflect")
