"""Anything in any argument's place: a result, or an error that names the function and the argument; nothing is changed."""

from __future__ import annotations

import inspect
import time
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from catalogue.plain_calls import plain_calls
from evidence import record_call

import rawseg
from rawseg import functional, ops
from rawseg.errors import RawsegError

MODULES = (functional, ops)
FUNCTIONS = {name: value for module in MODULES for name in module.__all__ if inspect.isfunction(value := getattr(module, name))}
HUGE = 2**70
NUMBERS = [None, True, 0, -1, 1, 3, 7, -7, 2**31, HUGE, -HUGE, 0.0, -0.5, 0.5, 2.5, 1e300, np.nan, np.inf, -np.inf, 1j]
SCALARS = [np.float32(0.5), np.float64(-1), np.int64(2), np.uint8(1), np.bool_(True), np.array(2), np.array(0.5)]
SEQUENCES = [
    (),
    (1,),
    (1, 2),
    (0, 0),
    (2, -1),
    (1.5, 2),
    (True, False),
    (1, 2, 3),
    [2, 2],
    (1, None),
    (None, None),
    (2**40, 2**40),
]
SEQUENCES += [(2**31 - 1, 1), (1, 2**31 - 1), (1, 1, HUGE, 1), range(2), {1, 2}, {"a": 1}, (1, "2"), ((1, 2), (3, 4))]
WORDS = ["", "same", "mean", "nearest", "none", "\x00", b"mean", object(), len, int, ...]
ARRAYS = [
    np.zeros(0),
    np.zeros((0, 2, 4, 5)),
    np.zeros((1, 0, 4, 5)),
    np.zeros((1, 2, 0, 5)),
    np.ones((1, 2, 4, 5), np.float32),
    np.ones((2, 4, 5)),
    np.ones((1, 1, 2, 4, 5)),
    np.ones((1, 2, 4, 5), np.float16),
    np.ones((1, 2, 4, 5), np.int64),
    np.ones((1, 2, 4, 5), complex),
    np.ones((2, 3), bool),
    np.ones((2, 3), np.int32),
    np.full((1, 2, 4, 5), np.nan),
    np.full((2, 4), np.inf),
    np.full((2, 5), -1e300),
    np.full((2, 3), 2**62),
    np.full((1, 2, 3), -5),
    np.array([["a"]]),
    np.array([None]),
    np.broadcast_to(np.float64(1), (1, 2, 4, 5)),
    [[1.0, 2.0], [3.0, 4.0]],
    [np.zeros((1, 4))],
    [],
]
HOSTILE: list[Any] = [*NUMBERS, *SCALARS, *SEQUENCES, *WORDS, *ARRAYS]


def test_every_function_has_a_plain_call():
    assert set(plain_calls()) == set(FUNCTIONS)


@pytest.mark.parametrize("name", sorted(plain_calls()))
def test_the_plain_call_works(name):
    arguments = plain_calls()[name]
    assert set(arguments) <= set(inspect.signature(FUNCTIONS[name]).parameters)
    assert FUNCTIONS[name](**arguments) is not None


def frozen(arguments: dict[str, Any]) -> list[bytes]:
    return [value.tobytes() for value in arguments.values() if isinstance(value, np.ndarray)]


def as_leaves(arguments: dict[str, Any]) -> dict[str, Any]:
    """Wrap floating arrays, so that what a graph records is tried too."""
    return {
        key: rawseg.Tensor(value, requires_grad=True) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value
        for key, value in arguments.items()
        if not key.startswith("running")
    } | {key: value for key, value in arguments.items() if key.startswith("running")}


def outcome(function: Any, arguments: dict[str, Any]) -> Exception | None:
    """Return what a call raises."""
    try:
        with np.errstate(all="ignore"):  # NaN and 1e300 among the values overflow by right, and warnings are errors here
            function(**as_leaves(arguments))
    except Exception as error:
        return error
    return None


@pytest.mark.spec("all.errors")
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.proves(name, "bad input")) for name in sorted(plain_calls())]
)
def test_anything_in_an_arguments_place_gives_a_result_or_a_clear_error(name):
    parameters, plain = inspect.signature(FUNCTIONS[name]).parameters, plain_calls()[name]
    for argument in parameters:
        for value in HOSTILE:
            arguments = deepcopy(plain) | {argument: value}
            before, start, what = frozen(arguments), time.monotonic(), f"{argument}={value!r}"
            error = outcome(FUNCTIONS[name], arguments)
            record_call()
            # An alarm for hangs, not a measurement: the first call of a kernel may compile it.
            assert time.monotonic() - start < 60, f"{what} took too long"
            if isinstance(error, RawsegError):
                assert error.op == name, f"{what}: {error!r}"
                assert error.argument.partition("[")[0] in parameters, f"{what}: {error!r}"
            elif error is not None:
                assert isinstance(error, MemoryError), f"{what}: {error!r}"
                assert str(error).startswith(f"{name}: "), f"{what}: {error!r}"
            if error is not None or not any(key.startswith("running") for key in arguments):  # success updates statistics
                assert frozen(arguments) == before, f"{what} changed an array"
