"""Update rules that take many parameters in one launch have the CPU's bits."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from on_gpu.update_twins import RULES, SHAPES, Twins, arrays

import rawseg
from rawseg import optim
from rawseg_kernels._cuda import emulator
from rawseg_kernels._foreach import table


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rule", "options"), RULES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_five_steps_have_the_bits_of_the_cpu(rule, options, dtype, monkeypatch):
    monkeypatch.setattr(table, "CHUNK", 4)
    twins = Twins(rule, options, arrays(SHAPES, dtype))
    for step in range(5):
        with emulator.ordered("backward" if step % 2 else "forward"):
            twins.step()
        twins.assert_equal()


@pytest.mark.usefixtures("cupy")
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_shapes_dtypes_groups_and_missing_gradients(data):
    shapes = data.draw(st.lists(st.lists(st.integers(0, 5), max_size=3).map(tuple), min_size=1, max_size=8))
    dtypes = data.draw(st.lists(st.sampled_from([np.float32, np.float64]), min_size=len(shapes), max_size=len(shapes)))
    rule, options = data.draw(st.sampled_from(RULES))
    split = data.draw(st.integers(0, len(shapes) - 1))
    given_arrays = [array for shape, dtype in zip(shapes, dtypes) for array in arrays([shape], dtype, len(shape))]
    twins = Twins(rule, options, given_arrays, split, lr=0.25)
    for _ in range(4):
        twins.step(without=tuple(data.draw(st.sets(st.integers(0, len(shapes) - 1)))))
        for rule_of_both in twins.rules:
            rule_of_both.param_groups[0]["lr"] *= 0.5
    twins.assert_equal()


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize(("rule", "options"), [(optim.SGD, {"momentum": 0.9}), (optim.AdamW, {"amsgrad": True})])
def test_arrays_longer_than_a_chunk(rule, options):
    size = table.CHUNK
    twins = Twins(rule, options, arrays([(2 * size + 3,), (size,), (size + 1,), (5, size - 1)], np.float32))
    for _ in range(2):
        twins.step()
    twins.assert_equal()


def test_numbers_that_are_not_finite_are_the_cpus(cupy):
    bad = np.array([np.nan, np.inf, -np.inf, 3e38, 1e-45, -0.0], np.float32)
    for rule, options in RULES:
        twins = Twins(rule, options, [bad, bad[::-1].copy()])
        for _ in range(2):
            for one, other in zip(twins.host, twins.device):
                one.grad, other.grad = rawseg.tensor(bad), rawseg.tensor(bad).to("cuda")
            for each in twins.rules:
                each.step()
            for one, other in zip(twins.host, twins.device):
                np.testing.assert_array_equal(other.array.get(), one.array)
                for name in twins.rules[0].slots(twins.rules[0].param_groups[0]):
                    slots = [each.state[param][name] for each, param in zip(twins.rules, (one, other))]
                    np.testing.assert_array_equal(slots[1].get(), slots[0], name)
