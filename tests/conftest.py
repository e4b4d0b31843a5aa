"""Hypothesis profiles, one place: `ci` is derandomised (the default), `release` draws many examples, `dev` few."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import evidence
import pytest
from hypothesis import HealthCheck, Phase, settings

slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
many = int(os.environ.get("RAWSEG_EXAMPLES") or 12000)
# deadline=None: the first example of a kernel compiles it.
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=40, suppress_health_check=slow, database=None)
settings.register_profile("dev", deadline=None, max_examples=15, suppress_health_check=slow)
settings.register_profile("release", deadline=None, max_examples=many, suppress_health_check=slow, print_blob=True)
# The examples of `ci`, but a failing one is not made smaller: whether a planted fault is found is all that is asked.
settings.register_profile("faults", settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate))
settings.load_profile(os.environ.get("RAWSEG_HYPOTHESIS", "ci"))


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_as_in_a_terminal():
    """A shell starts background jobs with Ctrl-C ignored; the tests of interrupts, and what they start, need it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_collection_modifyitems(items):
    evidence.count_examples(items)
    if plan := os.environ.get("RAWSEG_EVIDENCE_PLAN"):
        Path(plan).write_text(json.dumps(evidence.promised(items)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    if call.when == "call":
        evidence.record_outcome(item, outcome.get_result().passed)


def pytest_sessionfinish():
    evidence.write()
