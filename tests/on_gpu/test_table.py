"""CUDA.md says of every kernel what was seen, and nothing that was not."""

from __future__ import annotations

import re
import sys

import pytest
from on_gpu.pretended_cupy import pretended
from on_gpu.sources import SOURCES
from on_gpu.table import PAGE, checks_of, on_a_gpu, with_table

SOURCE = next(source for source in SOURCES if source.path.name == "max_pool2d.cu")


def result(when: str, sha256: str, wrong: str = "", left_out: str = "") -> dict:
    """Return a results file in which one call is wrong, or was not run."""
    checks = [{"name": name, "ok": name != wrong} for name in checks_of(SOURCE) if name != left_out]
    return {"when": when, "device": "A GPU", "steps": [{"name": "build max_pool2d.cu", "ok": True, "sha256": sha256}, *checks]}


def test_the_page_holds_the_table():
    page = PAGE.read_text()
    assert with_table(page) == page, "python tests/on_gpu/table.py writes it anew"


def test_the_debugger_stops_where_the_page_says():
    """At the first statement of a function of the source, with the arguments that it has."""
    page, lines = PAGE.read_text(), SOURCE.text.splitlines()
    stop = re.search(r"'break (\w+)'.*\n.*Breakpoint 1, (\w+) \((.*), \.\.\.\n(\d+)\t(.*)\n", page)
    assert stop is not None
    function, stopped_in, arguments, number, line = stop.groups()
    assert function == stopped_in
    assert lines[int(number) - 1] == line
    head = SOURCE.text.partition(f" {function}(")[2].partition(") {\n")[0]
    assert SOURCE.text.partition(head)[0].count("\n") + head.count("\n") + 2 == int(number)
    parameters = [part.split()[-1].lstrip("*") for part in head.split(",")]
    assert [part.partition("=")[0] for part in arguments.split(", ")] == parameters[: arguments.count("=")]


def test_a_kernel_is_verified_by_a_run_of_its_very_source():
    assert on_a_gpu(SOURCE, []) == "not yet"
    assert on_a_gpu(SOURCE, [result("2026-01-01T", SOURCE.digest)]) == "verified: A GPU, 2026-01-01"
    assert on_a_gpu(SOURCE, [result("2026-01-01T", "of another")]) == "changed since A GPU, 2026-01-01"
    both = [result("2026-01-01T", SOURCE.digest), result("2026-01-02T", "of another")]
    assert on_a_gpu(SOURCE, both) == "verified: A GPU, 2026-01-01"


@pytest.mark.parametrize("what", ["wrong", "left_out"])
def test_a_call_that_is_wrong_or_left_out_verifies_nothing(what):
    for name in checks_of(SOURCE):
        assert on_a_gpu(SOURCE, [result("2026-01-01T", SOURCE.digest, **{what: name})]) == "not yet"
    assert len(checks_of(SOURCE)) > 5


@pytest.mark.stand_in
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.path.stem)
def test_every_file_has_checks_that_gpu_check_makes(source):
    assert checks_of(source)
    with pretended():
        from gpu import checks

        assert set(checks_of(source)) <= {name for name, _ in checks.steps()}
    for name in [name for name in sys.modules if name == "gpu" or name.startswith("gpu.")]:
        del sys.modules[name]  # they hold the stand-in
