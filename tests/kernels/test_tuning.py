"""Measured algorithms: who is chosen, what is remembered, and that nobody is asked unless it was wished."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import chain, repeat
from typing import Any

import numpy as np
import pytest
from convolution_cases import integers
from promises import assert_same_bits

import rawseg
from rawseg_kernels import _tuning, conv2d
from rawseg_kernels._errors import ArgumentTypeError

WRONG: Any = "yes"


@pytest.fixture
def measuring():
    rawseg.set_autotune(True)
    yield
    rawseg.set_autotune(False)


@pytest.fixture
def clock(monkeypatch):
    """Let every run take as long as a test says: one duration a call of it."""

    def tell(*durations: float) -> None:
        now = [0.0]
        left = chain(durations, repeat(0.0))
        starting = [True]

        def read() -> float:
            now[0] += 0.0 if starting[0] else next(left)
            starting[0] = not starting[0]
            return now[0]

        monkeypatch.setattr(_tuning, "perf_counter", read)

    return tell


def test_the_least_of_three_times_decides_and_the_first_wins_a_tie(measuring, clock):
    calls: list[str] = []
    runs = {name: lambda name=name: calls.append(name) for name in "abc"}
    clock(5, 4, 6, 9, 2, 9, 7, 7, 7)
    assert _tuning.fastest("one", runs) == "b"
    assert "".join(calls) == "aaaabbbbcccc"  # one to compile, three that count
    clock(3, 3, 3, 3, 3, 3, 3, 3, 3)
    assert _tuning.fastest("another", runs) == "a"
    assert _tuning.fastest("one", runs) == "b"  # remembered
    assert len(calls) == 24
    assert _tuning.fastest("alone", {"c": lambda: calls.append("c")}) == "c"
    assert len(calls) == 24  # nothing to compare with
    rawseg.set_autotune(True)  # forgets
    clock(1)
    _tuning.fastest("one", runs)
    assert len(calls) == 36


def test_a_setting_that_is_no_bool_changes_nothing():
    with pytest.raises(ArgumentTypeError, match="set_autotune: enabled: expected a bool, got 'yes'"):
        rawseg.set_autotune(WRONG)
    assert rawseg.get_autotune() is False


def test_the_environment_sets_it_from_the_start():
    code = "import rawseg; print(rawseg.get_autotune())"
    for value, said in (("1", "True"), ("0", "False"), ("", "False")):
        environment = {**os.environ, "RAWSEG_AUTOTUNE": value}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == said


@pytest.mark.parametrize(
    ("verb", "shapes", "options", "names"),
    [
        ("forward", ((1, 4, 9, 9), (4, 4, 3, 3)), {"padding": 1}, "im2col winograd2 winograd4"),
        ("forward", ((1, 4, 9, 9), (4, 4, 3, 3)), {"padding": 2, "dilation": 2}, "im2col winograd4"),
        ("backward_weight", ((1, 4, 9, 9), (4, 4, 3, 3)), {"padding": 2, "dilation": 2}, "im2col winograd4"),
        ("forward", ((1, 4, 9, 9), (4, 4, 3, 3)), {"stride": 2}, "im2col"),
        ("backward_input", ((1, 4, 9, 9), (4, 1, 5, 5)), {"groups": 4, "padding": 2}, "im2col depthwise"),
        ("forward", ((1, 4, 9, 9), (4, 4, 1, 1)), {}, "im2col"),
    ],
)
def test_all_that_can_compute_it_are_tried_once(measuring, monkeypatch, verb, shapes, options, names):
    """The clock says that the second takes no time."""
    timed: list[Any] = []
    monkeypatch.setattr(_tuning, "_time", lambda run: timed.append(run) or float(len(timed) != 2))
    x, weight = integers(0, *shapes)
    g = conv2d.forward(x, weight, **options, algorithm="direct")
    arguments = {"forward": (x, weight), "backward_input": (g, weight, x.shape), "backward_weight": (g, x, weight.shape)}[verb]
    chosen = names.split()[:2][-1]
    want = getattr(conv2d, verb)(*arguments, **options, algorithm=chosen)
    for _ in range(2):
        assert_same_bits(getattr(conv2d, verb)(*arguments, **options), want)
    assert len(timed) == (len(names.split()) if " " in names else 0)
    for run in timed:
        assert run().shape == want.shape  # they can


def test_another_batch_is_another_shape(measuring, monkeypatch):
    timed: list[Any] = []
    monkeypatch.setattr(_tuning, "_time", lambda run: timed.append(run) or 0.0)
    x, weight = integers(0, (2, 4, 9, 9), (4, 4, 3, 3))
    for batch in (x, x[:1], x, x[1:]):
        conv2d.forward(batch, weight)
    assert len(timed) == 2 * 3


def test_precision_limits_what_is_tried(measuring, monkeypatch):
    tried: list[list[str]] = []
    monkeypatch.setattr(conv2d, "fastest", lambda key, runs: tried.append(list(runs)) or "im2col")
    x, weight = integers(0, (1, 4, 9, 9), (4, 4, 3, 3))
    try:
        for precision in ("fast", "balanced", "exact"):
            rawseg.set_precision(precision)
            conv2d.forward(x, weight)
    finally:
        rawseg.set_precision("fast")
    conv2d.forward(x.astype(np.float64), weight.astype(np.float64))
    assert tried == [["im2col", "winograd2", "winograd4"], ["im2col", "winograd2"], ["im2col"], ["im2col"]]


def test_nobody_measures_unless_it_was_wished_or_where_an_algorithm_is_named(measuring, monkeypatch):
    def fail(key, runs):
        raise AssertionError(key)

    monkeypatch.setattr(conv2d, "fastest", fail)
    x, weight = integers(0, (1, 4, 9, 9), (4, 4, 3, 3))
    conv2d.forward(x, weight, algorithm="im2col")
    rawseg.set_autotune(False)
    conv2d.forward(x, weight)
    rawseg.set_autotune(True)
    with pytest.raises(AssertionError, match="forward"):
        conv2d.forward(x, weight)
