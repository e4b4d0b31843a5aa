"""Sampling on Tensors: values, gradients and second derivatives beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from bounds import assert_within, gamma, smallest, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from twins import DTYPES, SEEDS, numbers, ours, pairs, spread, torchs

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg.testing import gradgradcheck
from rawseg.testing.strategies.sampling import NOT_FINITE, OPTIONS, points


@pytest.mark.proves("grid_sample", "first order")
@pytest.mark.spec("grid_sample.gradient")
def test_by_hand():
    x = rawseg.tensor([[[[1.0, 2], [3, 5]]]], requires_grad=True)
    grid = rawseg.tensor([[[[0.0, 0.0], [0.25, -0.5]]]], requires_grad=True)  # pixels (0.5, 0.5) and (0.75, 0)
    y = F.grid_sample(x, grid)
    assert y.tolist() == [[[[2.75, 1.75]]]]
    y.sum().backward()
    assert x.grad.tolist() == [[[[0.5, 1], [0.25, 0.25]]]]
    # Half a map's width is one pixel: to the right x grows by 1 above and by 2 below, downwards by 2 and by 3.
    assert grid.grad.tolist() == [[[[1.5, 2.5], [1.0, 2.75]]]]


@pytest.mark.proves("grid_sample", "torch", "first order")
@pytest.mark.spec(
    "grid_sample.coordinates",
    "grid_sample.taps",
    "grid_sample.nearest",
    "grid_sample.border",
    "grid_sample.reflection",
    "grid_sample.gradient",
)
@pytest.mark.parametrize("options", OPTIONS)
@given(points())
def test_exactly_as_torch_where_everything_is_exact(options, case):
    """Coordinates of sixteenths, sizes and values of small integers: no rounding, so no bound; kinks and edges included."""
    want, wants = torchs(lambda x, g: TF.grid_sample(x, g, *options), [case.x, case.grid], case.grad_output)
    got, grads = ours(lambda x, g: F.grid_sample(x, g, *options), [case.x, case.grid], case.grad_output)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(grads[0], wants[0])
    np.testing.assert_array_equal(grads[1], wants[1])


@pytest.mark.proves("grid_sample", "torch", "bound")
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@given(pairs(1, 9), st.booleans(), DTYPES, SEEDS)
def test_values_as_torch_within_the_rounding_of_the_coordinates(padding, size, corners, dtype, seed):
    x, grid = numbers(seed, 2, 2, *size, dtype=dtype), 2 * numbers(seed + 1, 2, 4, 3, 2, dtype=dtype)
    got = F.grid_sample(x, grid, padding_mode=padding, align_corners=corners).numpy()
    want = TF.grid_sample(*(torch.tensor(a.astype(np.float64)) for a in (x, grid)), "bilinear", padding, corners).numpy()
    # A coordinate of at most (|g| + 3) size has seven roundings; a value changes by twice the largest of x per pixel and axis.
    # PyTorch's, in float64, may err as much as ours of float64.
    moved = 7 * (unit_roundoff(dtype) + unit_roundoff(np.float64)) * (abs(grid).max() + 3) * max(size)
    bound = (4 * moved + 2 * gamma(8, dtype)) * abs(x).max() + smallest(4, dtype)
    assert_within(got, want, bound)


@pytest.mark.proves("grid_sample", "second order", "torch")
@pytest.mark.spec("grid_sample.second-order")
@pytest.mark.parametrize("options", OPTIONS)
@given(points(np.float64, least=1), SEEDS)
def test_second_order_as_torch(options, case, seed):
    rng = np.random.default_rng(seed)
    grid = case.grid + 1 / 64  # off the kinks: sizes of at most 6 lack the factors of 2 that bring an odd sixty-fourth to one
    directions = [rng.integers(-3, 4, a.shape).astype(np.float64) for a in (case.x, grid)]

    def second(library, f, tensor, grad):
        x, g, seed_ = (tensor(a) for a in (case.x, grid, case.grad_output))
        out = f(x, g)
        first = grad((out * out * seed_).sum(), [x, g], True)
        mixed = sum(((a * tensor(d)).sum() for a, d in zip(first, directions)), start=0 * x.sum())
        return [out, *first, *grad(mixed, [x, g], False)]

    got = second(
        rawseg,
        lambda x, g: F.grid_sample(x, g, *options),
        lambda a: rawseg.Tensor(a, requires_grad=True),
        lambda out, inputs, graph: rawseg.grad(out, inputs, create_graph=graph),
    )
    want = second(
        torch,
        lambda x, g: TF.grid_sample(x, g, *options),
        lambda a: torch.tensor(a, requires_grad=True),
        lambda out, inputs, graph: torch.autograd.grad(
            out, inputs, create_graph=graph, allow_unused=True, materialize_grads=True
        ),
    )
    for name, one, other in zip(("value", "d x", "d grid", "dd x", "dd grid"), got, want):
        scale = max(1.0, float(abs(other.detach()).max()) if other.numel() else 1.0)
        assert_within(one.detach().numpy(), other.detach().numpy(), 1000 * unit_roundoff(np.float64) * scale, name)


@pytest.mark.spec("grid_sample.second-order")
def test_third_derivatives():
    x = rawseg.Tensor(spread((1, 1, 2, 3)), requires_grad=True)
    grid = rawseg.Tensor(np.array([[[[-0.31, 0.23], [0.47, -0.72]]]]), requires_grad=True)

    def gradient(*inputs):
        leaves = [t if t.requires_grad else rawseg.Tensor(t.array, requires_grad=True) for t in inputs]
        with rawseg.enable_grad():
            return rawseg.grad((F.grid_sample(*leaves) ** 3).sum(), leaves, create_graph=True)

    assert gradgradcheck(gradient, x, grid)


@pytest.mark.spec("grid_sample.nearest")
def test_a_grid_of_nearest_points_has_a_gradient_of_zeros():
    x, grid = rawseg.randn(1, 2, 3, 4), rawseg.Tensor(np.zeros((1, 2, 2, 2), np.float32), requires_grad=True)
    F.grid_sample(x * np.inf, grid, "nearest").sum().backward()
    assert grid.grad.tolist() == [[[[0, 0]] * 2] * 2]


@pytest.mark.spec("grid_sample.nonfinite")
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_points_that_are_not_finite_have_values_and_no_gradient(padding):
    x = rawseg.Tensor(np.arange(1.0, 13).reshape(1, 1, 3, 4), requires_grad=True)
    grid = rawseg.Tensor(np.array([[[[value, value] for value in NOT_FINITE]]]), requires_grad=True)
    y = F.grid_sample(x, grid, padding_mode=padding)
    assert y.tolist() == [[[{"zeros": [0, 0, 0], "border": [1, 12, 1], "reflection": [1, 1, 1]}[padding]]]]
    y.sum().backward()
    assert grid.grad.numpy().tolist() == [[[[0, 0]] * 3]]
    assert x.grad.numpy().sum() == (0 if padding == "zeros" else 3)


@pytest.mark.spec("grid_sample.shapes")
@pytest.mark.parametrize(
    ("shape", "points"), [((0, 2, 3, 4), (0, 2, 2, 2)), ((1, 0, 3, 4), (1, 2, 2, 2)), ((1, 2, 3, 4), (1, 0, 2, 2))]
)
def test_nothing_to_sample_gives_empty_samples_and_no_gradient(shape, points):
    x, grid = rawseg.zeros(*shape, requires_grad=True), rawseg.zeros(*points, requires_grad=True)
    y = F.grid_sample(x, grid)
    y.sum().backward()
    assert y.shape == (*shape[:2], *points[1:3])
    assert (x.grad.shape, grid.grad.shape) == (shape, points)
    assert not x.grad.numpy().any()
    assert not grid.grad.numpy().any()


X, GRID = rawseg.zeros(2, 3, 4, 5), rawseg.zeros(2, 6, 7, 2)


@pytest.mark.proves("grid_sample", "bad input")
@pytest.mark.spec("grid_sample.shapes")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.grid_sample(X[0], GRID), ShapeError, r"grid_sample: input: expected shape \(N, C, H, W\), got"),
        (lambda: F.grid_sample(X, GRID[:1]), ShapeError, r"grid: expected shape \(2, 6, 7, 2\), got shape \(1, 6, 7, 2\)"),
        (lambda: F.grid_sample(X[:, :, :, :0], GRID), ShapeError, "input: expected at least 1 along H and W"),
        (lambda: F.grid_sample(X, GRID.double()), DTypeError, "grid: expected float32, the dtype of input, got float64"),
        (lambda: F.grid_sample(X, GRID, "linear"), ArgumentError, "grid_sample: mode: expected one of"),
        (lambda: F.affine_grid(X[0], (3, 1, 2, 2)), ShapeError, r"affine_grid: theta: expected shape \(3, 2, 3\), got"),
        (lambda: F.affine_grid(rawseg.zeros(2, 3), (1, 1, 2, 2)), ShapeError, r"theta: expected shape \(N, 2, 3\), got"),
        (
            lambda: F.affine_grid(rawseg.zeros(1, 2, 3), (1, 2, 2)),
            ArgumentError,
            r"size: expected \(N, C, H, W\), got",
        ),
        (lambda: F.affine_grid(rawseg.zeros(1, 2, 3), (1, 1, 0, 2)), ArgumentError, "size: expected at least 1, got 0"),
        (lambda: F.affine_grid(rawseg.zeros(1, 2, 3), (1, 1, 1.0, 2)), ArgumentTypeError, "size: expected an int, got 1.0"),
        (lambda: F.affine_grid(rawseg.zeros(1, 2, 3).long(), (1, 1, 1, 2)), DTypeError, "theta: expected float32 or float64"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.proves("affine_grid", "reference")
@pytest.mark.spec("affine_grid.points")
def test_affine_points_by_hand():
    theta = rawseg.tensor([[[2.0, 0.0, 0.5], [0.0, 1.0, -1.0]]])  # x doubled and shifted, y shifted
    got = F.affine_grid(theta, (1, 3, 2, 4)).tolist()
    assert got == [[[[2 * x + 0.5, y - 1] for x in (-0.75, -0.25, 0.25, 0.75)] for y in (-0.5, 0.5)]]
    got = F.affine_grid(theta, (1, 3, 1, 3), align_corners=True).tolist()
    assert got == [[[[2 * x + 0.5, -1] for x in (-1, 0, 1)]]]  # a single row lies at 0


@pytest.mark.proves("affine_grid", "torch", "first order", "bound")
@pytest.mark.spec("affine_grid.points")
@given(st.integers(0, 3), pairs(2, 7), st.booleans(), DTYPES, SEEDS)
def test_affine_points_as_torch(n, size, corners, dtype, seed):
    theta, g = numbers(seed, n, 2, 3, dtype=dtype), numbers(seed + 1, n, *size, 2, dtype=dtype)
    got, (grad,) = ours(lambda t: F.affine_grid(t, (n, 1, *size), corners), [theta], g)
    assert got.shape == (n, *size, 2)
    if n:  # PyTorch refuses an empty batch
        want, (want_grad,) = torchs(lambda t: TF.affine_grid(t, [n, 1, *size], corners), [theta], g)
        # Points lie between -1 and 1; either side rounds each a few times, and then sums 3 or h * w products.
        bound = 2 * gamma(8, dtype) * abs(theta).sum(2)[:, None, None]
        assert_within(got, want, np.broadcast_to(bound, got.shape), "points")
        bound = 2 * gamma(8 + size[0] * size[1], dtype) * abs(g).sum((1, 2))[:, :, None]
        assert_within(grad, want_grad, np.broadcast_to(bound, grad.shape), "gradient")


@pytest.mark.spec("grid_sample.gradient")
def test_the_identity_samples_the_map_itself():
    x = numbers(0, 2, 3, 5, 7, dtype=np.float32)
    theta = np.broadcast_to(np.eye(2, 3, dtype=np.float32), (2, 2, 3))
    grid = F.affine_grid(theta, x.shape)
    places = F.grid_sample(x, grid, "nearest", "border")
    assert np.array_equal(places.numpy(), x)
    # A coordinate of at most 7 is off by four roundings, and neighbours differ by less than twice the largest.
    assert_within(F.grid_sample(x, grid, "bilinear", "border").numpy(), x, 2 * 4 * 7 * 2.0**-23 * 2 * abs(x).max())
