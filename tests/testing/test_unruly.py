"""Implementations that do not behave: they change from call to call, write to what they are given, or end the process."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

from rawseg.testing import Case, adapt, check
from rawseg.testing.conformance.copies import copied
from rawseg.testing.conformance.partly import _found
from rawseg.testing.contracts import contract_of


def found(function, name, backward=None, op="relu", **how):
    return check(op, function, backward, only=name, framework="numpy", **how).of(name)


def in_turn(*results):
    """Return a function that returns one result after the other."""
    turns = itertools.cycle(results)
    return lambda x: next(turns)(x)


def relu(x):
    return np.maximum(x, 0)


def test_a_failure_that_does_not_come_again_is_a_failure():
    calls = itertools.count()
    outcome = found(lambda x: relu(x) + (next(calls) == 9), "values")
    assert outcome.state == "failed"
    assert outcome.message.startswith("not the same twice: output: cannot be rounding: ")
    assert outcome.case is not None


def test_noise_that_is_seldom_seen():
    rng = np.random.default_rng(0)
    outcome = found(lambda x: relu(x) + (1e-9 if rng.random() < 0.15 else 0), "determinism")
    assert outcome.state == "failed"
    assert "two runs differ: output 0 at " in outcome.message


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            in_turn(lambda x: np.full(x.shape, 0.0), lambda x: np.full(x.shape, -0.0)),
            r"output 0 at .* is 0 in one call and -0 in the next",
        ),
        (
            in_turn(lambda x: np.zeros(2), lambda x: np.zeros(3)),
            r"output 0 is float64 \(2,\) in one call and float64",
        ),
        (in_turn(relu, lambda x: (relu(x), relu(x))), "one call gives 1 results, the next 2"),
    ],
    ids=["sign of zero", "shape", "number"],
)
def test_two_calls_that_differ_in_any_way(function, message):
    outcome = found(function, "determinism")
    assert outcome.state == "failed"
    assert outcome.message.startswith("two runs differ: ")
    assert re.search(message, outcome.message), outcome.message


def test_two_gradients_that_differ():
    turn = itertools.count()
    outcome = found(relu, "determinism", lambda g, x: g * (x > 0) * (1 + next(turn) % 2 * np.finfo(x.dtype).eps))
    assert outcome.message.startswith("two runs differ: gradient of input at ")


def in_place(x):
    np.maximum(x, 0, out=x)
    return x + 1


@pytest.mark.parametrize("name", ["values", "edges", "determinism"])
def test_an_input_that_is_written_to_and_the_case_as_it_was(name):
    outcome = found(in_place, name)
    assert outcome.state == "failed"
    assert "arguments: input was written to" in outcome.message
    assert (outcome.case.arrays["input"] < 0).any(), "the case is as it was before the call"


def test_a_gradient_of_the_output_that_is_written_to():
    def backward(grad_output, x):
        grad_output *= x > 0
        return grad_output

    outcome = found(relu, "gradients", backward)
    assert outcome.message == "arguments: the gradient of the output was written to"


def test_contracts_keep_what_their_edges_are_made_of():
    edges = contract_of("grid_sample").edges()
    before = [edge.case.arrays["input"].copy() for edge in edges]

    def overwrites(input, grid, mode="bilinear", padding_mode="zeros", align_corners=False):
        input[...] = 0
        raise ValueError("too late")

    assert found(overwrites, "edges", op="grid_sample").state == "failed"
    assert "an argument was written to before the error" in found(overwrites, "bad input", op="grid_sample").message
    after = [edge.case.arrays["input"] for edge in edges]
    assert all(np.array_equal(one, other, equal_nan=True) for one, other in zip(before, after))


def quits(x, *others, **options):
    raise SystemExit(0)


def quitting_backward(*arrays, **options):
    raise SystemExit(0)


@pytest.mark.parametrize("name", ["values", "edges", "determinism"])
def test_a_function_that_ends_the_process_fails(name):
    outcome = found(quits, name)
    assert outcome.state == "failed"
    assert "raised SystemExit: 0" in outcome.message


def test_an_ended_process_refuses_nothing():
    outcome = found(quits, "bad input", op="mse_loss")
    assert outcome.state == "failed"
    assert "the process would have ended (exit code 0)" in outcome.message


def test_a_backward_that_ends_the_process_fails():
    assert found(relu, "gradients", quitting_backward).message == "raised SystemExit: 0"
    assert found(relu, "differences", quitting_backward).message == "raised SystemExit: 0"
    steep = in_turn(relu, relu, relu, quits)  # in the middle of the differences
    assert found(steep, "differences", lambda g, x: g * (x > 0)).state == "failed"


def test_a_backward_that_ends_the_process_is_not_taken_for_one_that_is_lacking():
    case = Case("relu", {"input": np.array([1.0, -2.0])})
    assert _found(adapt(relu, quitting_backward), case, [True], [np.ones(2)])
    assert not _found(adapt(relu, lambda g, x: 0 * x), case, [True], [np.ones(2)])


@pytest.mark.parametrize(
    "change",
    [
        lambda a: a,
        lambda a: a[::-1, :, ::-2],
        lambda a: np.asfortranarray(a),
        lambda a: np.broadcast_to(a[:1], (5, *a.shape[1:])),
        lambda a: a[:0],
        lambda a: a[1, 2, 3],
        lambda a: a.T[1:, ::2],
    ],
)
def test_copies_have_the_strides_and_share_no_memory(change):
    array = change(np.arange(60.0).reshape(3, 4, 5))
    copy = copied(array)
    assert np.array_equal(copy, array)
    assert copy.dtype == array.dtype
    if array.size:
        assert copy.strides == array.strides
    assert copy.flags.writeable == array.flags.writeable
    assert not np.shares_memory(copy, array)
    assert copied(array, True).flags.writeable
