"""Cases and bounds of activations, norms and losses: what is drawn, and how small a mistake is not taken for rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from testing.test_contracts_numbers import LABELS, OPS

from rawseg.testing import explain
from rawseg.testing.case import Case
from rawseg.testing.comparison import compare
from rawseg.testing.conformance.checks import directions_of
from rawseg.testing.contracts import contract_of
from rawseg.testing.definition import Definition

SMALL = {np.float32: 1e-4, np.float64: 1e-10}  # mistakes that shall not pass for rounding
SOON = "gelu", "softmax", "batch_norm", "linear", "cross_entropy", "huber_loss", "dice_loss"  # one of every kind, every time


@pytest.mark.parametrize("dtype", SMALL)
@pytest.mark.parametrize(
    "op", [pytest.param(op, marks=() if op in SOON else pytest.mark.release) for op in OPS if op not in LABELS]
)
def test_a_small_mistake_in_one_element_is_no_rounding(op, dtype):
    """In the largest element, of values and of gradients: in four cases out of five at least."""
    contract = contract_of(op)
    exact, found = Definition(contract), []

    @settings(max_examples=12)
    @given(contract.cases(dtype, lambda name: True))
    def look(case):
        values = exact.values(case)
        found.extend(map(differ, values, contract.rounding.of_values(exact, case, values, dtype)))
        directions = directions_of(values, case)
        gradients = exact.gradients(case, directions)
        found.extend(map(differ, gradients, contract.rounding.of_gradients(exact, case, directions, gradients, dtype)))

    def differ(want, bound):
        """Whether the mistake is found; None where there is no number to spoil."""
        if not np.abs(want).max(initial=0) > 0:
            return None
        spoilt = np.array(want)
        spoilt[np.unravel_index(np.abs(want).argmax(), want.shape)] *= 1 + SMALL[dtype]
        return not compare(spoilt, want, bound).explained

    look()
    known = [one for one in found if one is not None]
    assert len(known) >= 8
    assert sum(known) >= 0.8 * len(known)


@pytest.mark.parametrize("op", OPS)
def test_cases_have_what_is_needed_and_no_more_than_is_offered(op):
    contract = contract_of(op)
    shapes, seen = set(), set()

    @settings(max_examples=60)
    @given(contract.cases(np.float32, lambda name: name in contract.needed))
    def few(case):
        assert {*case.arrays, *case.options} <= set(contract.needed)
        shapes.add(tuple(np.shape(array) for array in case.values))

    @settings(max_examples=60)
    @given(contract.cases(np.float32, lambda name: True))
    def many(case):
        seen.update(name for name, value in (case.arrays | case.options).items() if value is not None)
        assert not {"inplace", "empty", "dtype"} & set(case.options)
        assert {array.dtype for array in case.values if array is not None and array.dtype.kind == "f"} <= {np.dtype("f")}

    few()
    many()
    assert len(shapes) > 3
    assert set(contract.needed) <= seen
    assert set(contract.gradients) <= seen | {"weight"}


@pytest.mark.parametrize("op", ["sigmoid", "gelu", "softplus"])
def test_a_large_result_of_an_activation_is_explained_element_by_element(op):
    x = np.linspace(-2, 3, 20_001, dtype=np.float32)
    theirs = getattr(torch.nn.functional, op)(torch.tensor(x)).numpy().copy()
    found = explain(op, [x], theirs)
    assert found.is_rounding, str(found)
    assert not found.partial
    theirs[20_000] *= 1.0001
    assert "at (20000,)" in str(explain(op, [x], theirs))


def test_a_slope_that_is_no_number_bounds_nothing_elsewhere():
    """The row of -inf is NaN; the other is compared as ever."""
    x = np.array([[-np.inf, -np.inf], [0.0, 1.0]])
    with np.errstate(invalid="ignore"):
        found = explain("softmax", [x], torch.softmax(torch.tensor(x), 1).numpy(), dim=1)
        assert found.is_rounding, str(found)
        other = explain("softmax", [x], np.array([[np.nan, np.nan], [0.25, 0.75]]), dim=1)
    assert "at (1, 0)" in str(other)


def test_what_is_computed_from_a_rounded_output_is_rounding():
    """1 - y**2 keeps few digits of the derivative of tanh where y is almost 1, whoever computes it."""
    contract, x = contract_of("tanh"), np.linspace(5, 9, 20)
    exact, case, directions = Definition(contract), Case("tanh", {"input": x}), [np.ones(20)]
    got, want = (1 - np.tanh(x)) * (1 + np.tanh(x)), 1 / np.cosh(x) ** 2
    (bound,) = contract.rounding.of_gradients(exact, case, directions, [want], np.float64)
    assert compare(got, want, bound).explained
    (narrow,) = contract.rounding._replace(from_output=False).of_gradients(exact, case, directions, [want], np.float64)
    assert not compare(got, want, narrow).explained
