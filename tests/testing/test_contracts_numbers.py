"""Contracts of activations, norms and losses: what rawseg and PyTorch keep, and which check finds which mistake."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from testing import my_numbers

from rawseg.testing.conformance import check
from rawseg.testing.contracts import contract_of
from rawseg.testing.strategies.elementwise import ACTIVATIONS

NORMS = "softmax", "log_softmax", "batch_norm", "group_norm", "instance_norm", "layer_norm", "linear"
LOSSES = (
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
)
OWN_LOSSES = (
    "weighted_cross_entropy",
    "focal_loss",
    "sigmoid_focal_loss",
    "dice_loss",
    "jaccard_loss",
    "tversky_loss",
    "lovasz_softmax",
    "lovasz_hinge",
)
LABELS = "one_hot", "border_weights"
OPS = *ACTIVATIONS, *NORMS, *LOSSES, *OWN_LOSSES, *LABELS
TORCHS = *ACTIVATIONS, *NORMS, *LOSSES, "one_hot"
# What PyTorch has not, or not in all digits: tests/deviations.
WITHOUT = {
    "hardsigmoid": ("gradients", "second order", "differences", "determinism"),  # its layouts look at gradients, too
    "binary_cross_entropy": ("second order",),
    "nll_loss": ("determinism",),  # "grad_input must be contiguous", of one that is column-major
}
NOT_ONE_CALL = {"elementwise.rounding", "lovasz.derivatives", "mish.large"}  # bits, and derivatives of derivatives
FAMILIES = (
    *("relu", "relu6", "hardswish", "activation", "gelu", "mish", "hardsigmoid", "softmax", "elementwise", "linear"),
    *("batch_norm", "group_norm", "instance_norm", "layer_norm", "cross_entropy", "weighted_cross_entropy", "focal_loss"),
    *("bce", "sigmoid_focal_loss", "regression", "smooth_l1_loss", "dice_loss", "tversky_loss", "lovasz", "one_hot"),
    "border_weights",
)
ROW = re.compile(r"^\| `([a-z0-9_.-]+)`( \*\*≠\*\*)? \|", re.MULTILINE)


def entries(op):
    contract = contract_of(op)
    return [*contract.edges(), *contract.refusals()]


def found_by(op, name, *function, examples=20):
    found = check(op, *function, only=(name,), examples=examples).of(name)
    assert found.state == "failed", str(found)
    return found


@pytest.mark.gate
@pytest.mark.parametrize("op", OPS)
def test_rawseg_conforms(op):
    report = check(op, examples=4)
    assert report.passed, str(report)
    missing = {"gradients", "second order", "differences"} if op in LABELS else set()
    missing |= {"bad input"} if not contract_of(op).refusals() else set()
    assert {outcome.check for outcome in report.outcomes if outcome.state != "passed"} == missing
    assert [note for outcome in report.outcomes for note in outcome.notes] == []


@pytest.mark.release
@pytest.mark.parametrize("op", OPS)
def test_rawseg_conforms_in_many_cases(op):
    report = check(op, examples=100)
    assert report.passed, str(report)


def held(op, examples):
    """PyTorch's function in all that it has; what it has not fails."""
    function = getattr(TF, op, None) or getattr(torch, op)
    report = check(op, function, framework="torch", examples=examples)
    assert tuple(outcome.check for outcome in report.outcomes if outcome.state == "failed") == WITHOUT.get(op, ()), str(report)
    return report


@pytest.mark.parametrize("op", TORCHS)
def test_torch_conforms_but_where_the_contract_says_that_it_differs(op):
    report = held(op, 4)
    notes = [note for outcome in report.outcomes for note in outcome.notes]
    own = [f"{entry.what} ({entry.row})" for entry in entries(op) if entry.own and "empty" not in entry.case.options]
    if torch.backends.cpu.get_cpu_capability() != "AVX512":  # PyTorch's code for other CPUs has no NaN there
        own = [what for what in own if what != "infinity in float32 (gelu.large)"]
    assert [what for what in own if not any(what in note for note in notes)] == [], "PyTorch does as rawseg there"


@pytest.mark.release
@pytest.mark.parametrize("op", TORCHS)
def test_torch_conforms_in_many_cases(op):
    assert held(op, 60).of("values").state == "passed"


def test_rows_are_those_of_the_page_and_all_of_them():
    text = (Path(__file__).parents[2] / "SEMANTICS.md").read_text().partition("## Where rawseg differs")[0]
    page: dict[str, str] = dict(ROW.findall(text))
    found = {entry.row for op in OPS for entry in entries(op)}
    assert sorted(found - set(page)) == []
    assert {entry.row for op in OPS for entry in entries(op) if entry.own and not page[entry.row]} == set()
    assert {row for row in page if row.partition(".")[0] in FAMILIES} - found == NOT_ONE_CALL


@pytest.mark.parametrize(
    ("op", "name", "make", "wrong", "message"),
    [
        (
            "softmax",
            "edges",
            my_numbers.softmax,
            {"shifted": False},
            r"at 1000, where e\*\*x overflows .*: output: cannot be rounding: nan at \(0, 1\), exactly 0\.731058579",
        ),
        ("gelu", "values", my_numbers.gelu, {"exact": False}, "output: cannot be rounding: ratio"),
        ("batch_norm", "values", my_numbers.batch_norm, {"biased": False}, "output: cannot be rounding: ratio"),
        (
            "batch_norm",
            "edges",
            my_numbers.batch_norm,
            {"passes": 1},
            r"a mean far above the deviation, in float32 \(batch_norm.training\): output: cannot be rounding: ",
        ),
        (
            "batch_norm",
            "values",
            my_numbers.batch_norm,
            {"corrected": False},
            "running_var after the call: cannot be rounding: ratio",
        ),
        ("batch_norm", "values", my_numbers.batch_norm, {"moving": False}, "running_mean after the call: cannot be rounding: "),
        ("batch_norm", "gradients", my_numbers.batch_norm, {"mean": False}, "gradient of input: cannot be rounding: ratio"),
        ("group_norm", "values", my_numbers.group_norm, {"weights": "place"}, "output: cannot be rounding: "),
        ("layer_norm", "values", my_numbers.layer_norm, {"last": False}, "output: cannot be rounding: "),
        ("elu", "gradients", my_numbers.elu, {"below": False}, "gradient of input: cannot be rounding: ratio"),
        ("elu", "differences", my_numbers.elu, {"below": False}, "(?s)wrong formula"),
        ("cross_entropy", "values", my_numbers.cross_entropy, {"weighted": False}, "output: cannot be rounding: ratio"),
        (
            "cross_entropy",
            "edges",
            my_numbers.cross_entropy,
            {"shifted": False},
            r"cross_entropy.infinite\): output: cannot be rounding: .*and 1 more",
        ),
        ("mse_loss", "values", my_numbers.mse_loss, {"by": "images"}, "output: cannot be rounding: ratio"),
        ("mse_loss", "gradients", my_numbers.mse_loss, {"by": "images"}, "times what it should be: every element"),
        (
            "binary_cross_entropy",
            "edges",
            my_numbers.binary_cross_entropy,
            {"floor": -np.inf},
            r"certain and wrong costs 100 \(bce.floor\): output: cannot be rounding: (nan|inf) at \(0,\), exactly 100",
        ),
        ("dice_loss", "values", my_numbers.dice_loss, {"ignoring": False}, "output: cannot be rounding: ratio"),
    ],
)
def test_a_mistake_is_found_by_the_check_that_is_for_it(op, name, make, wrong, message):
    right, mistaken = (one if isinstance(one, tuple) else (one,) for one in (make(), make(**wrong)))
    report = check(op, *right, only=(name,))
    assert report.passed, str(report)
    found = found_by(op, name, *mistaken, examples=60)
    assert re.search(message, found.message), found.message


def test_the_smallest_case_of_a_mistake_has_what_it_is_about():
    found = found_by("cross_entropy", "values", my_numbers.cross_entropy(weighted=False), examples=60)
    assert found.case.arrays["weight"] is not None
    assert found.case.arrays["target"].size == 1


def test_arrays_behind_other_arguments_go_by_name():
    """group_norm(input, num_groups, weight, bias): not by position, which would make groups of weights."""
    calls = []

    def group_norm(*arrays, **options):
        calls.append((len(arrays), sorted(options)))
        return my_numbers.group_norm()(*arrays, **options)

    assert check("group_norm", group_norm, only=("values",)).passed
    assert {count for count, _ in calls} == {1}
    assert (1, ["bias", "eps", "num_groups", "weight"]) in calls


def test_what_a_call_writes_is_no_change_of_its_arguments():
    report = check("batch_norm", *my_numbers.batch_norm(), only=("values", "gradients", "edges", "determinism"))
    assert report.passed, str(report)

    def spoiling(input, *rest, **options):
        out = my_numbers.batch_norm()[0](input, *rest, **options)
        input += 1
        return out

    assert found_by("batch_norm", "determinism", spoiling).message == "arguments: input was written to"
