"""SGD, Adam and AdamW: hand-computed steps, the published formulas with their rounding bounds, and torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, unit_roundoff
from optim.rule_cases import CASES, names, parameter
from running_error import Bounded

import rawseg
from rawseg.errors import ArgumentError, ArgumentTypeError
from rawseg.optim import SGD, Adam, AdamW, Optimizer
from rawseg_kernels._foreach import direct, reference, rows
from rawseg_kernels._threads import get_num_threads, set_num_threads

STEPS, SHAPE = 50, (3, 5)


def gradients(dtype, shape=SHAPE) -> np.ndarray:
    """Gradients that shrink, so that AMSGrad's maximum matters, with exact zeros among them."""
    rng = np.random.default_rng(7)
    scale = np.linspace(2, 0.1, STEPS).reshape(-1, *[1] * len(shape))
    return (rng.standard_normal((STEPS, *shape)) * scale * (rng.random((STEPS, *shape)) > 0.1)).astype(dtype)


def run(rule: type[Optimizer], start: np.ndarray, gradient_of_step: np.ndarray, options: dict) -> np.ndarray:
    x = parameter(start.copy())
    optimizer = rule([x], **options)
    for gradient in gradient_of_step:
        x.grad = rawseg.tensor(gradient)
        optimizer.step()
    return x.array


def run_torch(name: str, start: np.ndarray, gradient_of_step: np.ndarray, options: dict) -> np.ndarray:
    x = torch.tensor(start, requires_grad=True)
    optimizer = getattr(torch.optim, name)([x], foreach=False, **options)
    for gradient in gradient_of_step:
        x.grad = torch.tensor(gradient)
        optimizer.step()
    return x.detach().numpy()


# hand-computed


def test_sgd_by_hand():
    x = parameter([1.0])
    optimizer = SGD([x], lr=0.5, momentum=0.5, dampening=0.25, weight_decay=0.5)
    x.grad = rawseg.tensor(np.array([2.0]))
    optimizer.step()  # g = 2 + .5 = 2.5; b = 2.5 (no dampening in the first step); x = 1 - 1.25
    assert x.tolist() == [-0.25]
    optimizer.step()  # g = 2 - .125 = 1.875; b = 1.25 + .75 * 1.875 = 2.65625; x = -.25 - 1.328125
    assert x.tolist() == [-1.578125]
    assert optimizer.state[x]["momentum_buffer"].tolist() == [2.65625]


def test_nesterov_by_hand():
    x = parameter([1.0])
    optimizer = SGD([x], lr=0.5, momentum=0.5, nesterov=True)
    x.grad = rawseg.tensor(np.array([2.0]))
    optimizer.step()  # b = 2; x = 1 - .5 (2 + 1)
    optimizer.step()  # b = 3; x = -.5 - .5 (2 + 1.5)
    assert x.tolist() == [-2.25]


@pytest.mark.parametrize("rule", [Adam, AdamW])
def test_adams_first_step_is_the_learning_rate_in_the_gradients_direction(rule):
    x = parameter([1.0, 1.0, 1.0])
    optimizer = rule([x], lr=0.25, betas=(0.5, 0.75), eps=0.0, weight_decay=0.0)
    x.grad = rawseg.tensor(np.array([1024.0, -0.0009765625, 1.0]))
    optimizer.step()
    assert x.tolist() == [0.75, 1.25, 0.75]
    assert optimizer.state[x]["step"] == 1


def test_adamw_decays_the_weights_and_adam_the_gradient():
    # The second moments of the first step cancel the gradient's size, so only AdamW's decay is seen.
    for rule, want in ((Adam, 0.75), (AdamW, 1 - 0.25 * 0.5 - 0.25)):
        x = parameter([1.0])
        optimizer = rule([x], lr=0.25, betas=(0.5, 0.75), eps=0.0, weight_decay=0.5)
        x.grad = rawseg.tensor(np.array([2.0]))
        optimizer.step()
        assert x.tolist() == [want]


def test_amsgrad_divides_by_the_largest_second_moment():
    x = parameter([0.0])
    optimizer = Adam([x], lr=1.0, betas=(0.0, 0.0), eps=0.0, amsgrad=True)
    for gradient in (4.0, 1.0):  # without amsgrad both steps are 1
        x.grad = rawseg.tensor(np.array([gradient]))
        optimizer.step()
    assert x.tolist() == [-1.25]
    assert optimizer.state[x]["max_exp_avg_sq"].tolist() == [16.0]
    assert optimizer.state[x]["exp_avg_sq"].tolist() == [1.0]


def test_maximize_climbs():
    for rule in (SGD, Adam, AdamW):
        x = parameter([0.0])
        optimizer = rule([x], lr=0.5, maximize=True)
        x.grad = rawseg.tensor(np.array([3.0]))
        optimizer.step()
        assert x.item() > 0


# the published formulas, with what rounding can do


def sgd(x: Bounded, gradient_of_step: np.ndarray, options: dict) -> Bounded:
    lr, momentum, decay = options["lr"], options.get("momentum", 0), options.get("weight_decay", 0)
    share = 1 - options.get("dampening", 0)
    b = None
    for gradient in gradient_of_step:
        g = Bounded(-gradient if options.get("maximize") else gradient, 0, x.u)
        g = g + decay * x if decay else g
        if momentum:
            b = g if b is None else momentum * b + share * g
            g = g + momentum * b if options.get("nesterov") else b
        x = x - lr * g
    return x


def adam(x: Bounded, gradient_of_step: np.ndarray, options: dict, decoupled: bool, lerp: bool) -> Bounded:
    lr, betas, eps = options["lr"], options.get("betas", (0.9, 0.999)), options.get("eps", 1e-8)
    decay = options.get("weight_decay", 0.01 if decoupled else 0.0)
    zero = Bounded(np.zeros(x.value.shape), 0, x.u)
    m, v, top = zero, zero, zero
    for t, gradient in enumerate(gradient_of_step, 1):
        g = Bounded(-gradient if options.get("maximize") else gradient, 0, x.u)
        if decoupled:
            x = (1 - lr * decay) * x
        elif decay:
            g = g + decay * x
        m = m + (1 - betas[0]) * (g - m) if lerp else betas[0] * m + (1 - betas[0]) * g  # torch's form; the paper's
        v = betas[1] * v + (1 - betas[1]) * (g * g)
        top = top.maximum(v)
        root = (top if options.get("amsgrad") else v).sqrt() / (1 - betas[1] ** t) ** 0.5 + eps
        x = x - lr / (1 - betas[0] ** t) * (m / root)
    return x


def oracle(rule: type[Optimizer], start, gradient_of_step, options, lerp: bool) -> Bounded:
    x = Bounded(start, 0, unit_roundoff(start.dtype))
    if rule is SGD:
        return sgd(x, gradient_of_step, options)
    return adam(x, gradient_of_step, options, rule is AdamW, lerp)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("rule", "options"), CASES, ids=names)
def test_fifty_steps_stay_inside_the_bound_of_the_formula_and_of_torch(rule, options, dtype):
    options = {"lr": 0.05, **options}
    start, gradient_of_step = np.random.default_rng(3).standard_normal(SHAPE).astype(dtype), gradients(dtype)
    got = run(rule, start, gradient_of_step, options)
    assert got.dtype == dtype
    paper, theirs = (oracle(rule, start, gradient_of_step, options, lerp) for lerp in (False, True))
    assert_within(got, paper.value.astype(np.float64), paper.error.astype(np.float64), "the formula")
    assert_within(
        run_torch(rule.__name__, start, gradient_of_step, options), got, (paper.error + theirs.error).astype(float), "torch"
    )
    # A bound that allows anything proves nothing: after 50 steps it is still far below one step.
    assert paper.error.max() < 1000 * unit_roundoff(dtype)


# options


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (SGD, {"lr": -1.0}, r"SGD: lr: expected a number in \[0, inf\), got -1.0"),
        (SGD, {"lr": float("nan")}, r"SGD: lr: expected a number in \[0, inf\), got nan"),
        (SGD, {"momentum": -0.1}, "SGD: momentum: expected a number"),
        (SGD, {"weight_decay": -0.1}, "SGD: weight_decay: expected a number"),
        (SGD, {"nesterov": True}, "SGD: nesterov: expected momentum above 0 and no dampening, got momentum=0, dampening=0"),
        (SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "got momentum=0.9, dampening=0.1"),
        (Adam, {"betas": (1.0, 0.9)}, r"Adam: betas\[0\]: expected a number in \[0, 1\), got 1.0"),
        (Adam, {"betas": (0.9, -0.1)}, r"Adam: betas\[1\]: expected a number in \[0, 1\), got -0.1"),
        (Adam, {"betas": (0.9,)}, r"Adam: betas: expected two numbers, got \(0.9,\)"),
        (AdamW, {"eps": -1e-8}, r"AdamW: eps: expected a number in \[0, inf\), got -1e-08"),
        (AdamW, {"weight_decay": float("inf")}, "AdamW: weight_decay: expected a number"),
    ],
)
def test_options_outside_their_domain(rule, options, message):
    with pytest.raises(ArgumentError, match=message):
        rule([parameter([1.0])], **options)


def test_options_of_the_wrong_type():
    with pytest.raises(ArgumentTypeError, match=r"SGD: lr: expected a number, got '0\.1'"):
        SGD([parameter([1.0])], lr="0.1")
    with pytest.raises(ArgumentTypeError, match="SGD: momentum: expected a number, got True"):
        SGD([parameter([1.0])], momentum=True)


def test_defaults_are_torchs():
    for name in ("SGD", "Adam", "AdamW"):
        ours = getattr(rawseg.optim, name)([parameter([1.0])]).defaults
        theirs = getattr(torch.optim, name)([torch.zeros(1, requires_grad=True)]).defaults
        assert ours == {option: theirs[option] for option in ours}


# one pass, and blocks


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("rule", "options"), CASES, ids=names)
def test_one_pass_has_the_bits_of_blocks_at_any_size_and_number_of_threads(rule, options, dtype, monkeypatch):
    size = 3 * rows.BLOCK + 5
    start = np.random.default_rng(3).standard_normal(size).astype(dtype)
    start[:4] = np.inf, np.nan, -0.0, np.finfo(dtype).tiny
    gradient_of_step = gradients(dtype, (size,))[:3]
    gradient_of_step[1, -3:] = np.nan, 0.0, np.finfo(dtype).max
    threads, found = get_num_threads(), []
    try:
        for count in (1, 3):
            set_num_threads(count)
            found.append(run(rule, start, gradient_of_step, options))
    finally:
        set_num_threads(threads)
    monkeypatch.setattr(direct, "fits", lambda *arrays: False)
    plain = run(rule, start, gradient_of_step, options)
    for got in found:
        np.testing.assert_array_equal(got, plain)  # NaN in the same places; of a NaN's bits nothing is promised
        assert np.array_equal(np.signbit(got[~np.isnan(got)]), np.signbit(plain[~np.isnan(plain)]))


def test_the_largest_moment_keeps_nan_as_the_loops_do():
    x, gradient, m, v = np.random.default_rng(0).random((4, 3))
    v[0], largest = np.nan, np.array([0.5, np.nan, 0.5])
    want = [array.copy() for array in (x, gradient, m, v, largest)]
    numbers = 3, 0.1, (0.9, 0.999), 1e-8, 0.0, False, False
    reference.adam(*want, *numbers)
    direct.adam(x, gradient, m, v, largest, *numbers)
    for got, wanted in zip((x, gradient, m, v, largest), want):
        np.testing.assert_array_equal(got, wanted)
    assert np.isnan(largest).tolist() == [True, True, False]


def test_arrays_that_share_memory_or_have_strides_go_through_blocks(monkeypatch):
    whole = np.ones(12, np.float32)
    assert direct.fits(whole[:6], whole[6:])
    assert not direct.fits(whole[:7], whole[6:])
    assert not direct.fits(whole[:6], whole[6:11])
    assert not direct.fits(whole[:7], whole[5:])
    assert not direct.fits(whole[6:], whole[:6].astype(np.float64))
    assert not direct.fits(np.ones(6, np.float32), whole[::2])
    assert not direct.fits(np.ones(6, np.int64), np.ones(6, np.int64))
    monkeypatch.setattr(direct, "sgd", pytest.fail)
    x = rawseg.Tensor(whole, requires_grad=True)
    x.grad = rawseg.Tensor(whole)
    SGD([x], lr=0.5).step()
    assert (whole == 0.5).all()


@pytest.mark.parametrize(("rule", "options"), [(SGD, {"momentum": 0.9, "nesterov": True}), (Adam, {"amsgrad": True})])
def test_blocks_and_memory_order_do_not_change_a_bit(rule, options, monkeypatch):
    start = np.random.default_rng(0).standard_normal((7, 11)).astype(np.float32)
    gradient_of_step = gradients(np.float32, (7, 11))[:5]
    whole = run(rule, start, gradient_of_step, options)
    monkeypatch.setattr("rawseg.optim.blocks.BLOCK", 10)
    assert run(rule, start, gradient_of_step, options).tobytes() == whole.tobytes()
    x = rawseg.Tensor(np.asfortranarray(start), requires_grad=True)
    optimizer = rule([x], **options)
    for gradient in gradient_of_step:
        x.grad = rawseg.tensor(gradient)
        optimizer.step()
    assert x.array.flags.f_contiguous
    assert np.ascontiguousarray(x.array).tobytes() == whole.tobytes()


def step_by_loops(rule: type[Optimizer], x: np.ndarray, gradient: np.ndarray, slots: list, t: int, options: dict) -> None:
    """Do step ``t`` by the loops that define the rules for a GPU, too; ``slots`` are changed."""
    numbers = {**rule([parameter([1.0])], **options).param_groups[0]}
    if rule is SGD:
        share = 1.0 if t == 1 else 1 - numbers["dampening"]
        buffer = slots[0] if numbers["momentum"] else None
        names = numbers["weight_decay"], numbers["nesterov"], numbers["maximize"]
        reference.sgd(x, gradient, buffer, numbers["lr"], numbers["momentum"], share, *names)
    else:
        largest = slots[2] if numbers["amsgrad"] else None
        names = numbers["eps"], numbers["weight_decay"], rule is AdamW, numbers["maximize"]
        reference.adam(x, gradient, *slots[:2], largest, t, numbers["lr"], numbers["betas"], *names)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("rule", "options"), CASES, ids=names)
def test_five_steps_have_the_bits_of_the_loops(rule, options, dtype):
    start, gradient_of_step = np.random.default_rng(3).standard_normal(SHAPE).astype(dtype), gradients(dtype)[:5]
    want, slots = start.copy(), [np.zeros(SHAPE, dtype) for _ in range(3)]
    for t, gradient in enumerate(gradient_of_step, 1):
        step_by_loops(rule, want, gradient, slots, t, options)
    assert run(rule, start, gradient_of_step, options).tobytes() == want.tobytes()


@pytest.mark.parametrize("rule", [SGD, Adam, AdamW])
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3)])
def test_scalars_and_empty_parameters(rule, shape):
    x = parameter(np.ones(shape))
    optimizer = rule([x], lr=0.5, **({"momentum": 0.9} if rule is SGD else {}))
    x.grad = rawseg.tensor(np.ones(shape))
    optimizer.step()
    assert x.shape == shape
    assert np.all(x.array < 1)


@pytest.mark.parametrize("rule", [SGD, Adam, AdamW])
def test_numpy_numbers_as_options_do_not_widen_the_arithmetic(rule):
    start, gradient_of_step = np.ones(4, np.float32), gradients(np.float32, (4,))
    plain = run(rule, start, gradient_of_step, {"lr": 0.1, "weight_decay": 0.01})
    typed = run(rule, start, gradient_of_step, {"lr": np.float64(0.1), "weight_decay": np.float64(0.01)})
    assert plain.tobytes() == typed.tobytes()


def test_gradients_that_are_not_finite_follow_the_formula_without_a_warning():
    for rule in (SGD, Adam):
        x = parameter(np.array([1.0, 1.0, 1.0], np.float32))
        optimizer = rule([x])
        x.grad = rawseg.tensor(np.array([np.nan, 1.0, 3e38], np.float32))
        optimizer.step()
        assert np.isnan(x.array[0])
        assert np.isfinite(x.array[1])
