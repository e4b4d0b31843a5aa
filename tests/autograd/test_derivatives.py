"""Every differentiable Tensor operation: first and second derivatives by finite differences, values and gradients as torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma

import rawseg
import rawseg.functional as F
from rawseg.autograd.linear import MatMul
from rawseg.testing import gradcheck, gradgradcheck


def leaf(*shape, low=0.2, high=2.0, seed=0):
    """Distinct values away from 0 and from each other, so that no stencil crosses a kink or a tie."""
    rng = np.random.default_rng(seed)
    values = np.linspace(low, high, int(np.prod(shape)))
    return rawseg.Tensor(rng.permutation(values).reshape(shape), requires_grad=True)


# name, rawseg function, torch function, arguments (shapes)
UNARY = [
    ("neg", lambda x: -x),
    ("abs", lambda x: (x - 1.05).abs()),
    ("exp", lambda x: x.exp()),
    ("log", lambda x: x.log()),
    ("log1p", lambda x: x.log1p()),
    ("sqrt", lambda x: x.sqrt()),
    ("sin", lambda x: x.sin()),
    ("cos", lambda x: x.cos()),
    ("tanh", lambda x: x.tanh()),
    ("clamp", lambda x: x.clamp(0.55, 1.55)),
    ("pow 3", lambda x: x**3),
    ("pow -1.5", lambda x: x**-1.5),
    ("2 to the x", lambda x: 2.0**x),
    ("rsub rdiv", lambda x: 1 - 3 / x),
    ("remainder", lambda x: x % 0.33),
    ("sum", lambda x: x.sum(1)),
    ("mean", lambda x: x.mean((0, 2))),
    ("var", lambda x: x.var()),
    ("amax", lambda x: x.amax((1, 2))),
    ("max", lambda x: x.max(1)[0]),
    ("min", lambda x: x.min(2)[0]),
    ("cumsum", lambda x: x.cumsum(1)),
    ("logsumexp", lambda x: x.logsumexp(1)),
    ("reshape", lambda x: x.reshape(6, 4)),
    ("permute", lambda x: x.permute(2, 0, 1)),
    ("transpose", lambda x: x.transpose(0, 2) * 2),
    ("flatten", lambda x: x.flatten(1)),
    ("expand", lambda x: x.unsqueeze(1).expand(2, 5, 3, 4)),
    ("flip", lambda x: x.flip((0, 2))),
    ("slice", lambda x: x[:, 1:, 3]),
    ("split", lambda x: x.split([1, 3], 2)[1]),
    ("clone", lambda x: x.clone()),
]


@pytest.mark.parametrize(("name", "f"), UNARY, ids=[name for name, _ in UNARY])
def test_unary(name, f):
    x = leaf(2, 3, 4)
    gradcheck(lambda x: f(x) * f(x), x)  # squared: a linear operation has a second derivative to check then
    gradgradcheck(lambda x: f(x) * f(x), x)
    twin = torch.tensor(x.numpy(), requires_grad=True)
    want = f(twin)
    got = f(x)
    # 24 terms at most, each a few roundings: 64 roundings of the largest magnitude bound both sides
    bound = gamma(64, np.float64) * 50
    assert_within(got.numpy(), want.detach().numpy(), bound, name)
    got.sum().backward()
    want.sum().backward()
    assert_within(x.grad.numpy(), twin.grad.numpy(), bound, f"{name} gradient")


BINARY = [
    ("add", lambda a, b: a + b),
    ("sub", lambda a, b: a - b),
    ("mul", lambda a, b: a * b),
    ("div", lambda a, b: a / b),
    ("pow", lambda a, b: a**b),
    ("maximum", lambda a, b: (rawseg if isinstance(a, rawseg.Tensor) else torch).maximum(a, b)),
    ("minimum", lambda a, b: (rawseg if isinstance(a, rawseg.Tensor) else torch).minimum(a, b)),
    ("where", lambda a, b: (rawseg if isinstance(a, rawseg.Tensor) else torch).where(a > 1.0, a, b)),
]


@pytest.mark.parametrize(("name", "f"), BINARY, ids=[name for name, _ in BINARY])
@pytest.mark.parametrize("shapes", [((2, 3), (2, 3)), ((2, 3), (3,)), ((2, 1, 3), (4, 1)), ((), (2, 2))], ids=str)
def test_binary_broadcasts(name, f, shapes):
    a, b = leaf(*shapes[0], seed=1), leaf(*shapes[1], low=0.31, high=1.73, seed=2)
    gradcheck(f, a, b)
    gradgradcheck(f, a, b)
    ta, tb = torch.tensor(a.numpy(), requires_grad=True), torch.tensor(b.numpy(), requires_grad=True)
    out, want = f(a, b), f(ta, tb)
    out.sum().backward()
    want.sum().backward()
    bound = gamma(64, np.float64) * 50
    assert_within(out.numpy(), want.detach().numpy(), bound, name)
    assert_within(a.grad.numpy(), ta.grad.numpy(), bound, "left")
    assert_within(b.grad.numpy(), tb.grad.numpy(), bound, "right")


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3,), (3,)),
        ((2, 3), (3,)),
        ((3,), (3, 2)),
        ((2, 3), (3, 4)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (5, 3, 1)),
        ((2, 1, 2, 3), (4, 3, 2)),
    ],
)
def test_matmul(left, right):
    a, b = leaf(*left, seed=1), leaf(*right, seed=2)
    gradcheck(lambda a, b: a @ b, a, b)
    gradgradcheck(lambda a, b: a @ b, a, b)
    want = a.numpy() @ b.numpy()
    assert_within((a @ b).numpy(), want, gamma(8, np.float64) * (np.abs(a.numpy()) @ np.abs(b.numpy())), "matmul")


@pytest.mark.parametrize("turned_a", [False, True])
@pytest.mark.parametrize("turned_b", [False, True])
def test_a_product_of_turned_matrices(turned_a, turned_b):
    a, b = leaf(*((2, 4, 3) if turned_a else (2, 3, 4))), leaf(*((2, 5, 4) if turned_b else (2, 4, 5)), seed=1)

    def turned(a, b):
        return MatMul.apply(a, b, turned_a=turned_a, turned_b=turned_b)

    def composed(a, b):
        return (a.mT if turned_a else a) @ (b.mT if turned_b else b)

    np.testing.assert_array_equal(turned(a, b).numpy(), composed(a, b).numpy())
    for got, want in zip(rawseg.grad((turned(a, b) ** 2).sum(), (a, b)), rawseg.grad((composed(a, b) ** 2).sum(), (a, b))):
        np.testing.assert_array_equal(got.numpy(), want.numpy())
    gradgradcheck(lambda a, b: turned(a, b) * turned(a, b), a, b)


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (0, 4), (2, 0, 4)])
@pytest.mark.parametrize("bias", [False, True])
def test_a_linear_layer_is_a_product_and_a_sum(shape, bias):
    x, w, b = leaf(*shape), leaf(5, 4, seed=1), leaf(5, seed=2) if bias else None
    given = [x, w, b] if bias else [x, w]
    got, want = F.linear(*given), x @ w.T + b if bias else x @ w.T
    np.testing.assert_array_equal(got.numpy(), want.numpy())
    assert got.shape == (*shape[:-1], 5)
    weight = leaf(*got.shape, seed=3) if got.size else rawseg.zeros(*got.shape, dtype=np.float64)
    for ours, theirs in zip(rawseg.grad((got * weight).sum(), given), rawseg.grad((want * weight).sum(), given)):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    if got.size:
        gradgradcheck(lambda *given: F.linear(*given) * F.linear(*given), *given)


def test_a_linear_layer_keeps_only_what_a_gradient_needs():
    x, w, b = rawseg.ones(2, 4, dtype=np.float64), rawseg.ones(5, 4, dtype=np.float64), leaf(5)
    out = F.linear(x, w, b)
    x.add_(1.0)  # only the bias is trained: nobody reads the rows again
    w.add_(1.0)
    out.sum().backward()
    assert b.grad.numpy().tolist() == [2.0] * 5


def test_a_linear_layer_of_matrices_that_lie_turned_or_strided():
    x, w = rawseg.Tensor(np.arange(12.0).reshape(4, 3).T), rawseg.Tensor(np.arange(20.0).reshape(4, 5).T)
    want = x.numpy() @ w.numpy().T
    np.testing.assert_array_equal(F.linear(x, w).numpy(), want)
    strided = rawseg.Tensor(np.repeat(w.numpy(), 2, 1)[:, ::2])
    np.testing.assert_array_equal(F.linear(x, strided).numpy(), want)


@pytest.mark.parametrize("equation", ["ij,jk->ik", "ij,ij->", "ij,kj->ikj", "ij,jk", "ji,jk->i"])
def test_einsum(equation):
    a, b = leaf(3, 3, seed=1), leaf(3, 3, seed=2)
    gradcheck(lambda a, b: rawseg.einsum(equation, a, b), a, b)
    gradgradcheck(lambda a, b: rawseg.einsum(equation, a, b), a, b)
    want = torch.einsum(equation, torch.tensor(a.numpy()), torch.tensor(b.numpy())).numpy()
    assert_within(rawseg.einsum(equation, a, b).numpy(), want, gamma(20, np.float64) * 40, equation)


def test_einsum_of_one_operand_spreads_the_gradient_of_a_summed_index():
    x = leaf(2, 3)
    gradcheck(lambda x: rawseg.einsum("ij->i", x) ** 2, x)


@pytest.mark.parametrize(
    "index",
    [
        (slice(None), [0, 2, 0]),  # a row taken twice adds up
        (np.array([1, 0]), np.array([2, 2])),
        (np.array([[True, False, True], [False, True, True]]),),
        (Ellipsis, None, 1),
        (slice(None, None, -2),),
        1,
    ],
    ids=str,
)
def test_indexing(index):
    x = leaf(2, 3)
    gradcheck(lambda x: x[index] ** 2, x)
    gradgradcheck(lambda x: x[index] ** 2, x)
    assert np.array_equal(x[index].numpy(), x.numpy()[index])


def test_joining():
    a, b = leaf(2, 3, seed=1), leaf(2, 2, seed=2)
    gradcheck(lambda a, b: rawseg.cat([a, b, a], 1) ** 2, a, b)
    gradgradcheck(lambda a, b: rawseg.cat([a, b, a], 1) ** 2, a, b)
    gradcheck(lambda a: rawseg.stack([a, a * a], -1), a)


@pytest.mark.spec("abs.kink", "clamp.bounds", "max.ties", "sqrt.zero")
def test_gradient_conventions_at_ties_and_bounds():
    x = rawseg.tensor([1.0, 3.0, 3.0], requires_grad=True)
    x.amax().backward()
    assert x.grad.tolist() == [0.0, 0.5, 0.5]  # amax shares
    x.grad = None
    x.max(0)[0].backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]  # max(dim) sends it to the index that it returns
    a, b = rawseg.tensor([2.0], requires_grad=True), rawseg.tensor([2.0], requires_grad=True)
    rawseg.maximum(a, b).backward()
    assert (a.grad.item(), b.grad.item()) == (0.5, 0.5)
    c = rawseg.tensor([-1.0, 0.0, 1.0, 2.0, 3.0], requires_grad=True)
    c.clamp(0.0, 2.0).sum().backward()
    assert c.grad.tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    z = rawseg.tensor([0.0], requires_grad=True)
    (z.abs() + z.sqrt() * 0).sum().backward()
    assert np.isnan(z.grad.item())  # 0 * inf, by IEEE
    z.grad = None
    z.abs().backward()
    assert z.grad.item() == 0.0


def test_a_largest_that_is_nan_sends_its_gradient_there():
    x = rawseg.tensor([1.0, np.nan, 3.0, np.nan], requires_grad=True)
    x.amax().backward()
    assert x.grad.tolist() == [0.0, 0.5, 0.0, 0.5]


def test_a_power_of_zero_has_no_slope_in_its_exponent():
    base, exponent = rawseg.tensor([0.0, 0.0]), rawseg.tensor([0.0, 2.0], requires_grad=True)
    (base**exponent).sum().backward()
    assert exponent.grad.tolist() == [0.0, 0.0]


def test_logsumexp_at_infinity():
    infinity = np.inf
    rows = rawseg.tensor([[-infinity, -infinity], [infinity, 0.0], [-infinity, 3.0]])
    assert rows.logsumexp(1).tolist() == [-infinity, infinity, 3.0]


@pytest.mark.spec("elementwise.rounding")
def test_transcendentals_of_float32_are_rounded_once():
    x = np.linspace(-20, 20, 4001, dtype=np.float32)
    for name in ("exp", "tanh", "sin", "cos"):
        got = getattr(rawseg.tensor(x), name)().numpy()
        assert np.array_equal(got, getattr(np, name)(x.astype(np.float64)).astype(np.float32)), name


def test_gradcheck_sees_a_wrong_gradient_and_a_kink():
    class Wrong(rawseg.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save(x)
            return x * x

        @staticmethod
        def backward(ctx, grad_output):
            (x,) = ctx.saved
            return grad_output * x * 1.999999

    x = leaf(3)
    with pytest.raises(AssertionError, match=r"input 0 at \(\d,\): analytic gradient .* finite differences"):
        gradcheck(Wrong.apply, x)
    there = float(x.numpy()[1])
    with pytest.raises(AssertionError, match="kink"):
        gradcheck(lambda x: (x - there).abs(), x)
    assert gradcheck(lambda x: (x - (there + 3e-5)).abs(), x)  # less than a step away: smaller steps are taken


@pytest.mark.parametrize(
    "function",
    [abs, lambda x: x.clamp(0, 6), lambda x: x.clamp(max=6), lambda x: x**0],
    ids=["abs", "clamp 0 6", "clamp max", "power 0"],
)
def test_at_nan_and_signed_zero_as_torch(function):
    values = np.array([np.nan, -0.0, 0.0, 6.0, 7.0, -1.0, np.inf, -np.inf])
    x, t = rawseg.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    y, want = function(x), function(t)
    y.sum().backward()
    want.sum().backward()
    np.testing.assert_array_equal(y.numpy(), want.detach().numpy())
    np.testing.assert_array_equal(np.signbit(y.numpy()), np.signbit(want.detach().numpy()))
    np.testing.assert_array_equal(x.grad.numpy(), t.grad.numpy())


@pytest.mark.parametrize("exponent", [-4, -3, -2, -1, 0, 1, 2, 3, 4, 0.5])
def test_powers_of_float32_are_rounded_once(exponent):
    x = np.random.default_rng(0).uniform(0.1, 10, 10_000).astype(np.float32)
    np.testing.assert_array_equal((rawseg.tensor(x) ** exponent).numpy(), (x.astype(np.float64) ** exponent).astype(np.float32))


def test_the_gradient_of_a_transposed_matrix_lies_as_the_matrix_does():
    """So that its owner, the weight of a linear layer, say, keeps it without a copy."""
    a, b = (rawseg.randn(*shape, dtype=np.float64, requires_grad=True) for shape in ((3, 4), (5, 4)))
    gradcheck(lambda a, b: (a @ b.T) * (a @ b.T), a, b)
    gradgradcheck(lambda a, b: (a @ b.T) * (a @ b.T), a, b)
    seen = []
    turned = b.T
    turned.register_hook(seen.append)
    (a @ turned).sum().backward()
    assert seen[0].array.T.flags.c_contiguous
    assert not seen[0].array.flags.c_contiguous
