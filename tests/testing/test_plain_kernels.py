"""Definitions count for the thread that asks, checks run one at a time, and draws come of nothing but the seed."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis.internal.conjecture.providers import HypothesisProvider

import rawseg
from rawseg import functional as F
from rawseg import testing
from rawseg.testing import check, plain_kernels, planted
from rawseg.testing.plain import definitions_count, definitions_count_somewhere
from rawseg.testing.steady import SteadyProvider
from rawseg_kernels._algorithms import substitute


def elsewhere(call):
    """Return what a call returns in another thread."""
    found = []
    thread = threading.Thread(target=lambda: found.append(call()))
    thread.start()
    thread.join(60)
    return found[0]


def relu_of_nan():
    return F.relu(rawseg.tensor([-1.0, float("nan")])).numpy().tolist()


def test_plain_loops_are_seen_by_the_thread_that_asks():
    with plain_kernels():
        assert definitions_count()
        assert substitute("conv2d", "forward") is not None
        assert not elsewhere(definitions_count)
        assert elsewhere(definitions_count_somewhere)
        assert elsewhere(lambda: substitute("conv2d", "forward")) is None
    assert not definitions_count_somewhere()
    assert substitute("conv2d", "forward") is None


def test_a_fault_in_loops_is_seen_by_all_threads_while_definitions_count_in_one():
    with planted("relu.nan-dropped"):
        assert elsewhere(relu_of_nan) == [0, 0]
        with plain_kernels():
            assert np.isnan(relu_of_nan()[1])
            assert elsewhere(relu_of_nan) == [0, 0]


@pytest.mark.parametrize("fault", ["relu.nan-dropped", "mse_loss.half"])
def test_checks_in_two_threads_both_find_what_is_wrong(fault):
    op, found = fault.partition(".")[0], []

    def work():
        found.append(check(op, only=("values", "edges"), examples=3).passed)

    with planted(fault):
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert found == [False] * 3


def test_a_check_waits_until_definitions_no_longer_count_elsewhere():
    found = []
    thread = threading.Thread(target=lambda: found.append(check("relu", only="values", examples=2).passed))
    with plain_kernels():
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join(60)
    assert found == [True]


def test_hypothesis_has_what_the_steady_provider_does_without():
    assert SteadyProvider._maybe_draw_constant is not HypothesisProvider._maybe_draw_constant
    assert SteadyProvider._maybe_draw_constant(None, "integer", {}, p=1.0) is None


def test_everything_public_is_listed_and_there():
    assert set(testing.__all__) <= set(dir(testing))
    assert all(getattr(testing, name) is not None for name in testing.__all__)
    assert testing.Fault is testing.faults.Fault
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        testing.nothing  # noqa: B018
