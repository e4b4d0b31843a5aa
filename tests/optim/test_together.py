"""One launch for all parameters on the CPU: the bits of each alone, what may not be in it, and what it holds."""

from __future__ import annotations

import copy
import pickle
import weakref

import numpy as np
import pytest
from optim.rule_cases import CASES, names, parameter

import rawseg
from rawseg.optim import SGD
from rawseg_kernels._foreach import direct, rows
from rawseg_kernels._foreach.overlap import are_apart


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("rule", "options"), CASES, ids=names)
def test_parameters_together_have_the_bits_of_each_alone(rule, options, dtype, monkeypatch):
    rng, sizes = np.random.default_rng(4), [(3,), (0,), (2, 5), (rows.BLOCK + 7,), (), (1, rows.BLOCK)]
    starts = [rng.standard_normal(size).astype(dtype) for size in sizes]
    together, alone = ([parameter(start.copy()) for start in starts] for _ in range(2))
    rule_of_all, rules = rule(together, **options), [rule([one], **options) for one in alone]
    for step in range(4):
        for i, (one, other) in enumerate(zip(together, alone)):
            gradient = rng.standard_normal(one.shape).astype(dtype)
            one.grad, other.grad = (None, None) if step == i == 2 else (rawseg.Tensor(gradient.copy()) for _ in range(2))
        with monkeypatch.context() as patched:
            patched.setattr(rule_of_all, "update", pytest.fail)
            rule_of_all.step()
        for each in rules:
            each.step()
        for one, other in zip(together, alone):
            assert one.numpy().tobytes() == other.numpy().tobytes()


def test_what_together_may_not_be_stepped_is_stepped_alone_and_later_together_again():
    """Gradients in the memory of a parameter, with strides, and of another layout; the arrays of parameters are replaced."""
    a, b = parameter(np.ones(6, np.float32)), parameter(np.ones(6, np.float32))
    sgd, stepped = SGD([a, b], lr=0.5), 1.0
    whole = np.ones(12, np.float32)
    plain, strided = np.ones(6, np.float32), np.ones(12, np.float32)[::2]
    for gradient in (plain, strided, plain, a.array, plain):
        a.grad, b.grad = rawseg.Tensor(gradient.copy() if gradient is plain else gradient), rawseg.Tensor(whole[6:])
        if gradient is a.array:
            stepped_a = stepped * 0.5
            sgd.step()
            assert a.numpy().tolist() == [stepped_a] * 6
            a.array[...] = stepped - 0.5
        else:
            sgd.step()
            assert a.numpy().tolist() == [stepped - 0.5] * 6
        stepped -= 0.5
        assert b.numpy().tolist() == [stepped] * 6
    a.array = whole[:6]
    a.grad, b.grad = rawseg.Tensor(plain), rawseg.Tensor(plain)
    sgd.step()
    assert whole.tolist() == [0.5] * 6 + [1.0] * 6


class Kind(np.ndarray):
    """A subclass, as np.memmap is one."""


@pytest.mark.parametrize("place", ["parameter", "gradient", "slot"])
@pytest.mark.parametrize("number", [1, 2])
def test_arrays_of_a_subclass_are_stepped_like_others(place, number):
    found = []
    for kind in (np.ndarray, Kind):
        given = [parameter(np.ones(3)) for _ in range(number)]
        rule = SGD(given, lr=0.25, momentum=0.5)
        for _ in range(2):
            for one in given:
                one.grad = rawseg.ones(3, dtype=np.float64)
                if place == "gradient":
                    one.grad.array = one.grad.array.view(kind)
                elif place == "parameter":
                    one.array = one.array.view(kind)
                elif one in rule.state:
                    rule.state[one]["momentum_buffer"] = rule.state[one]["momentum_buffer"].view(kind)
            rule.step()
        found.append([one.numpy().tolist() for one in given])
    assert found[0] == found[1] == [[0.375] * 3] * number


@pytest.mark.parametrize("number", [1, 2])
def test_a_slot_that_must_not_be_written_to_is_refused(number):
    given = [parameter(np.ones(3)) for _ in range(number)]
    rule = SGD(given, lr=0.25, momentum=0.5)
    for one in given:
        one.grad = rawseg.ones(3, dtype=np.float64)
    rule.step()
    rule.state[given[0]]["momentum_buffer"].flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        rule.step()
    assert rule.state[given[0]]["momentum_buffer"].tolist() == [1.0] * 3


def test_rows_keep_no_array_alive_but_for_a_launch():
    given = [parameter(np.ones(3)) for _ in range(2)]
    rule = SGD(given, lr=0.25)
    for one in given:
        one.grad = rawseg.ones(3, dtype=np.float64)
    rule.step()
    (table,) = rule._tables
    old = [weakref.ref(array) for one in given for array in (one.array, one.grad.array)]
    table.point_at([[one.grad.array for one in given]], [[one.array for one in given]])
    for one in given:
        one.array, one.grad = np.zeros(3), None
    assert all(one() is not None for one in old)
    direct.update_sgd(table, 0.25, 0.0, 1.0, 0.0, False, False)
    assert [one() for one in old] == [None] * 4
    with pytest.raises(ValueError, match="each launch to be told where"):
        direct.update_sgd(table, 0.25, 0.0, 1.0, 0.0, False, False)


OVERLAPS = [
    ([], [(0, 4), (4, 8)], True),
    ([], [(4, 8), (0, 4)], True),
    ([], [(0, 5), (4, 8)], False),
    ([], [(0, 4), (0, 4)], False),
    ([], [(0, 8), (2, 2), (8, 9)], True),
    ([], [(0, 8), (3, 4)], False),
    ([(0, 4), (0, 4)], [(4, 6), (6, 8)], True),
    ([(0, 4), (2, 6)], [(6, 8), (8, 9)], True),
    ([(0, 5)], [(4, 8)], False),
    ([(7, 9)], [(0, 8)], False),
    ([(3, 3)], [(0, 8)], True),
    ([(0, 1), (9, 16)], [(1, 4), (5, 9)], True),
    ([(0, 1), (8, 16)], [(1, 4), (5, 9)], False),
]


@pytest.mark.parametrize(("read", "written", "apart"), OVERLAPS, ids=str)
def test_arrays_that_overlap_are_found(read, written, apart):
    starts, ends = (np.array([pair[i] for pair in [*read, *written]]) * 4 + 4096 for i in (0, 1))
    assert are_apart(starts[:, None], ends[:, None], len(read)) == apart


def test_a_copied_rule_steps_its_own_parameters():
    a, b = parameter(np.ones(3)), parameter(np.ones(3))
    for one in (a, b):
        one.grad = rawseg.ones(3, dtype=np.float64)
    rule = SGD([a, b], lr=0.25)
    rule.step()
    other = copy.deepcopy(rule)
    other.step()
    assert [one.numpy().tolist() for one in (a, b)] == [[0.75] * 3] * 2
    assert [one.numpy().tolist() for one in other.param_groups[0]["params"]] == [[0.5] * 3] * 2
    assert rule._tables[0].apart
    assert not pickle.loads(pickle.dumps(rule._tables[0])).apart  # addresses mean nothing elsewhere
