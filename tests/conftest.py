"""Hypothesis profiles, one place: `ci` is derandomised (the default), `release` draws many examples, `dev` few."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import evidence
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

import rawseg
from rawseg.device import move
from rawseg.errors import BackendError

slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
many = int(os.environ.get("RAWSEG_EXAMPLES") or 12000)
# deadline=None: the first example of a kernel compiles it.
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=40, suppress_health_check=slow, database=None)
settings.register_profile("dev", deadline=None, max_examples=15, suppress_health_check=slow)
settings.register_profile("release", deadline=None, max_examples=many, suppress_health_check=slow, print_blob=True)
# The examples of `ci`, but a failing one is not made smaller: whether a planted fault is found is all that is asked.
settings.register_profile("faults", settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("RAWSEG_HYPOTHESIS", "ci"))


def pytest_addoption(parser):
    told = "Where the tests of arrays on a GPU run: a stand-in for CuPy, whose device is this process; or the GPU that is here."
    parser.addoption("--device", choices=("pretended", "cuda"), default="pretended", help=told)


def pytest_configure(config):
    if config.getoption("device") == "cuda":
        try:
            move(np.zeros(0), "cuda")
        except BackendError as error:
            raise pytest.UsageError(f"--device cuda: expected {error.expected}, got {error.got}") from None


LONG = (  # what checks the checks and the bench, what runs on a GPU's stand-ins, and commands that train several times
    *("tests/testing", "tests/benchmark", "tests/on_gpu", "tests/xray"),
    *(f"tests/cli/test_{name}.py" for name in ("demos", "instances", "pretrained", "xray")),
)


def pytest_ignore_collect(collection_path):
    """Helpers have no examples to run; collected for them, each would be imported a second time, under another name."""
    return True if collection_path.suffix == ".py" and not collection_path.name.startswith("test_") else None


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_as_in_a_terminal():
    """A shell starts background jobs with Ctrl-C ignored; the tests of interrupts, and what they start, need it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def takes_stand_in(item):
    """Return whether a test is of the stand-in for CuPy, which must not meet the real one in a process."""
    return item.get_closest_marker("stand_in") is not None or "stand_in" in getattr(item, "fixturenames", ())


def is_in_double(item):
    """Return whether a parametrised test runs in float64."""
    parameters = getattr(item, "callspec", None)
    return parameters is not None and any(value is np.float64 for value in parameters.params.values())


def is_long(item, device):
    """Return whether a test is of what takes minutes, so that the default tier does not: CI runs it with the gates."""
    return device != "cuda" and any(f"{place}/" in f"{item.nodeid.partition('::')[0]}/" for place in LONG)


@pytest.hookimpl(tryfirst=True)  # before marks select
def pytest_collection_modifyitems(config, items):
    for item in items:  # in float64 it is the same code as in float32, compiled anew: that is most of the time
        if (is_in_double(item) or is_long(item, config.getoption("device"))) and item.get_closest_marker("release") is None:
            item.add_marker(pytest.mark.gate)
    if config.getoption("device") == "cuda":
        only_pretended = [item for item in items if takes_stand_in(item)]
        config.hook.pytest_deselected(items=only_pretended)
        items[:] = [item for item in items if item not in only_pretended]
    evidence.count_examples(items)
    evidence.note_promises([item for item in items if item.get_closest_marker("release") is None])  # gates are run, too
    if plan := os.environ.get("RAWSEG_EVIDENCE_PLAN"):
        Path(plan).write_text(json.dumps(evidence.plan))


def pytest_runtest_setup():
    """Whatever a test draws is the same, alone and after any others."""
    rawseg.manual_seed(0)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        evidence.record_outcome(item, outcome.get_result().passed)


def pytest_sessionfinish():
    evidence.write()
