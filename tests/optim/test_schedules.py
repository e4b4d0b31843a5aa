"""Schedules against closed forms in exact arithmetic and against torch, step by step."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from bounds import unit_roundoff

import rawseg
from rawseg.errors import ArgumentError, ArgumentTypeError, CheckpointError
from rawseg.optim import SGD
from rawseg.optim import lr_scheduler as ours

theirs = torch.optim.lr_scheduler
STEPS = 50
BASES = (0.3, 7.0)
CASES = [
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 1, "gamma": 0.9}),
    ("MultiStepLR", {"milestones": [30, 4, 4, 17], "gamma": 0.3}),
    ("MultiStepLR", {"milestones": []}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.01, "total_iters": 20}),
    ("LinearLR", {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 60}),
    ("PolynomialLR", {"total_iters": 30, "power": 0.9}),
    ("PolynomialLR", {}),
    ("CosineAnnealingLR", {"T_max": 60, "eta_min": 0.01}),
    ("CosineAnnealingLR", {"T_max": 12}),
    ("LambdaLR", {"lr_lambda": lambda step: 1 / (1 + step)}),
]
names = [f"{name}-{i}" for i, (name, _) in enumerate(CASES)]


def our_optimizer(bases=BASES) -> SGD:
    return SGD([{"params": [rawseg.zeros(1, requires_grad=True)], "lr": lr} for lr in bases])


def their_optimizer(bases=BASES) -> torch.optim.SGD:
    return torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in bases])


def rates(optimizer, schedule) -> np.ndarray:
    """Return the learning rates that the optimizer has before each of the steps, shape (STEPS + 1, groups)."""
    found = []
    for _ in range(STEPS + 1):
        found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return np.array(found)


@pytest.mark.parametrize(("name", "options"), CASES[:-1], ids=names[:-1])  # torch has no closed form of LambdaLR
def test_the_closed_form_is_torchs_bit_for_bit(name, options):
    optimizer, other = our_optimizer(), their_optimizer()
    schedule, oracle = getattr(ours, name)(optimizer, **options), getattr(theirs, name)(other, **options)
    for step, got in enumerate(rates(optimizer, schedule)):
        oracle.last_epoch = step
        assert got.tolist() == oracle._get_closed_form_lr(), step


@pytest.mark.parametrize(("name", "options"), CASES, ids=names)
def test_torchs_recursion_drifts_from_it_by_its_own_rounding_only(name, options):
    optimizer, other = our_optimizer(), their_optimizer()
    schedule, oracle = getattr(ours, name)(optimizer, **options), getattr(theirs, name)(other, **options)
    got, want = rates(optimizer, schedule), rates(other, oracle)
    # A step of torch's recursion multiplies by a quotient of two numbers that are at least 1 / 60 of 1 (cosine: of its
    # square), and a rounding of the rate is carried on: at most 8 roundings a step, each grown by that quotient's.
    bound = (8 * (np.arange(STEPS + 1) + 1) * 60**2 * unit_roundoff(np.float64))[:, None] * np.array(BASES)
    assert (abs(got - want) <= (0 if name == "LambdaLR" else bound)).all()


def test_cosine_in_exact_places():
    optimizer = our_optimizer((1.0,))
    got = rates(optimizer, ours.CosineAnnealingLR(optimizer, T_max=6, eta_min=0.25))[:, 0]
    want = [Fraction(1), None, Fraction(13, 16), Fraction(5, 8), Fraction(7, 16), None, Fraction(1, 4)]  # cos = 1, 1/2, 0, ...
    for step, exact in enumerate(want):
        assert exact is None or abs(got[step] - float(exact)) <= 4 * unit_roundoff(np.float64)
    assert got[12] == got[0]  # and up again


@pytest.mark.parametrize("decay", ["CosineAnnealingLR", "StepLR", "PolynomialLR"])
def test_a_warm_up_and_then_a_decay_are_torchs(decay):
    options = {"CosineAnnealingLR": {"T_max": 41}, "StepLR": {"step_size": 5}, "PolynomialLR": {"total_iters": 41}}[decay]
    found = []
    for library, optimizer in ((ours, our_optimizer()), (theirs, their_optimizer())):
        warm = library.LinearLR(optimizer, start_factor=0.1, total_iters=10)
        then = getattr(library, decay)(optimizer, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's SequentialLR calls its parts in a way that torch deprecates
            found.append(rates(optimizer, library.SequentialLR(optimizer, [warm, then], milestones=[10])))
    bound = (8 * (np.arange(STEPS + 1) + 1) * 60**2 * unit_roundoff(np.float64))[:, None] * np.array(BASES)
    assert (abs(found[0] - found[1]) <= bound).all()
    assert found[0][10].tolist() == list(BASES)


def test_three_in_a_row_count_from_their_own_beginnings():
    optimizer = our_optimizer((1.0,))
    parts = [ours.LambdaLR(optimizer, lambda t, k=k: 10 * k + t) for k in range(3)]
    schedule = ours.SequentialLR(optimizer, parts, milestones=[2, 5])
    assert rates(optimizer, schedule)[:8, 0].tolist() == [0, 1, 10, 11, 12, 20, 21, 22]


def make(optimizer) -> ours.LRScheduler:
    parts = [ours.LinearLR(optimizer, total_iters=4), ours.CosineAnnealingLR(optimizer, T_max=20)]
    return ours.SequentialLR(optimizer, parts, milestones=[4])


def test_a_loaded_schedule_continues_exactly():
    optimizer = our_optimizer()
    schedule = make(optimizer)
    for _ in range(9):
        schedule.step()
    saved = json.loads(json.dumps(schedule.state_dict()))
    other = our_optimizer((1.0, 1.0))
    continued = make(other)
    continued.load_state_dict(saved)
    assert continued.get_last_lr() == schedule.get_last_lr() == [group["lr"] for group in other.param_groups]
    for _ in range(5):
        schedule.step()
        continued.step()
        assert continued.get_last_lr() == schedule.get_last_lr()


def test_last_epoch_continues_with_an_optimizer_that_knows_its_first_rate():
    optimizer = our_optimizer()
    with pytest.raises(
        ArgumentError, match="StepLR: last_epoch: expected -1 for an optimizer that never had a schedule, got 3"
    ):
        ours.StepLR(optimizer, 2, last_epoch=3)
    schedule = ours.StepLR(optimizer, 2)
    for _ in range(4):
        schedule.step()
    assert ours.StepLR(optimizer, 2, last_epoch=3).get_last_lr() == schedule.get_last_lr()


def test_a_state_that_does_not_fit_changes_nothing():
    optimizer = our_optimizer()
    schedule = ours.StepLR(optimizer, 2)
    before = schedule.state_dict()
    with pytest.raises(CheckpointError, match="schedule: expected StepLR, as it is now, got SequentialLR"):
        schedule.load_state_dict(make(our_optimizer()).state_dict())
    with pytest.raises(CheckpointError, match="base_lrs: expected 2 learning rates, one for each group, got 1"):
        schedule.load_state_dict(ours.StepLR(our_optimizer((1.0,)), 2).state_dict())
    assert schedule.state_dict() == before


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ({"last_epoch": "3"}, "StepLR: last_epoch: expected a number of steps, got '3'"),
        ({"last_epoch": -2}, "StepLR: last_epoch: expected a number of steps, got -2"),
        ({"base_lrs": ["1", 1.0]}, "StepLR: base_lrs: expected numbers of at least 0"),
    ],
)
def test_a_state_of_other_types_changes_nothing(damage, message):
    optimizer = our_optimizer((1.0, 1.0))
    schedule = ours.StepLR(optimizer, 2)
    before = schedule.state_dict()
    with pytest.raises(CheckpointError, match=message):
        schedule.load_state_dict({**before, **damage})
    assert schedule.state_dict() == before


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("StepLR", {"step_size": 0}, "StepLR: step_size: expected at least 1, got 0"),
        ("StepLR", {"step_size": 1, "gamma": -1}, "StepLR: gamma: expected a number"),
        ("MultiStepLR", {"milestones": [-1]}, "MultiStepLR: milestones: expected at least 0, got -1"),
        ("LinearLR", {"start_factor": 0}, r"LinearLR: start_factor: expected a number in \(0, 1\], got 0"),
        ("LinearLR", {"end_factor": 1.5}, r"LinearLR: end_factor: expected a number in \[0, 1\], got 1.5"),
        ("PolynomialLR", {"power": -1.0}, "PolynomialLR: power: expected a number"),
        ("CosineAnnealingLR", {"T_max": 0}, "CosineAnnealingLR: T_max: expected at least 1, got 0"),
        ("CosineAnnealingLR", {"T_max": 1, "eta_min": -1}, "CosineAnnealingLR: eta_min: expected a number"),
    ],
)
def test_parameters_outside_their_domain(name, options, message):
    with pytest.raises(ArgumentError, match=message):
        getattr(ours, name)(our_optimizer(), **options)


def test_a_float_for_a_number_of_steps_is_refused():
    with pytest.raises(ArgumentTypeError, match=r"CosineAnnealingLR: T_max: expected an int, got 1\.5"):
        ours.CosineAnnealingLR(our_optimizer(), T_max=1.5)  # type: ignore[arg-type]


def test_parts_that_cannot_be_joined():
    optimizer = our_optimizer()
    part = ours.StepLR(optimizer, 2)
    with pytest.raises(ArgumentError, match=r"milestones: expected one fewer than schedulers, of which .*, got 1 for 1"):
        ours.SequentialLR(optimizer, [part], [3])
    with pytest.raises(ArgumentError, match="got 0 for 0"):
        ours.SequentialLR(optimizer, [], [])
    with pytest.raises(ArgumentError, match=r"milestones: expected increasing numbers, got \[3, 3\]"):
        ours.SequentialLR(optimizer, [part] * 3, [3, 3])
    with pytest.raises(ArgumentError, match="schedulers: expected schedules of this optimizer, got one of another"):
        ours.SequentialLR(our_optimizer(), [part], [])


def test_a_schedule_made_otherwise_does_not_take_over_the_position():
    first, second = SGD([rawseg.zeros(1, requires_grad=True)], 1.0), SGD([rawseg.zeros(1, requires_grad=True)], 1.0)
    state = json.loads(json.dumps(ours.StepLR(first, 1).state_dict()))
    with pytest.raises(CheckpointError, match=r"StepLR: parameters: expected .*'step_size': 5.*, got .*'step_size': 1"):
        ours.StepLR(second, 5).load_state_dict(state)
    joined = [
        ours.SequentialLR(o, [ours.LinearLR(o), ours.CosineAnnealingLR(o, T_max=n)], milestones=[5])
        for o, n in ((first, 10), (second, 20))
    ]
    with pytest.raises(CheckpointError, match="'T_max': 20"):
        joined[1].load_state_dict(json.loads(json.dumps(joined[0].state_dict())))
