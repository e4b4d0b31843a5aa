"""The contracts as a whole: none is missing, and each says what it says of rows that exist."""

from __future__ import annotations

import inspect
from collections import Counter
from pathlib import Path

import pytest

from rawseg import functional, ops
from rawseg.testing.contracts import WITHOUT_CONTRACT, contracts

SEMANTICS = Path(__file__).parents[2] / "SEMANTICS.md"
CALLS = [(op, one) for op, contract in contracts().items() for one in (*contract.edges(), *contract.refusals())]


def test_every_public_function_has_one():
    public = {name for room in (functional, ops) for name in room.__all__ if inspect.isfunction(getattr(room, name))}
    assert public - set(contracts()) == set(WITHOUT_CONTRACT)
    assert not set(WITHOUT_CONTRACT) & set(contracts())


@pytest.mark.parametrize("op", sorted(contracts()))
def test_arguments_are_those_of_the_function(op):
    contract = contracts()[op]
    names = list(inspect.signature(contract.function).parameters)
    assert {*contract.gradients, *contract.needed, *contract.writes} <= set(names)
    for one in (*contract.edges(), *contract.refusals()):
        assert {*one.case.arrays, *one.case.options} <= set(names), one.what
        order = [names.index(name) for name in one.case.arrays]
        assert order == sorted(order), f"{one.what}: arrays are handed over in the order of the signature"


def test_rows_exist_and_no_two_calls_have_one_name():
    rows = {line.split("`")[1] for line in SEMANTICS.read_text().splitlines() if line.startswith("| `")}
    assert {one.row for _, one in CALLS} <= rows
    names = Counter((op, type(one).__name__, one.row, one.what) for op, one in CALLS)
    assert [name for name, count in names.items() if count > 1] == []


def test_there_are_edges_and_refusals_of_nearly_everything():
    assert len(CALLS) > 800
    assert [op for op, contract in contracts().items() if not contract.edges()] == []
