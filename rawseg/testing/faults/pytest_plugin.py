"""Plants the fault that ``RAWSEG_FAULT`` names for a whole session of pytest, and writes which test failed first.

For `measure`; also by hand: ``RAWSEG_FAULT=conv2d.stride-axes pytest -p rawseg.testing.faults.pytest_plugin tests``.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

_planted = ExitStack()


def pytest_configure(config: Any) -> None:
    """Plant it before any test module is imported: the name of one of the catalogue, or all that a `Fault` is, as JSON."""
    if wanted := os.environ.get("RAWSEG_FAULT"):
        from . import Fault, planted

        _planted.enter_context(planted(Fault(*json.loads(wanted)) if wanted.startswith("[") else wanted))


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Leave out the tests that ``RAWSEG_FAULT_MUTE`` names."""
    if path := os.environ.get("RAWSEG_FAULT_MUTE"):
        mute = set(json.loads(Path(path).read_text()))
        items[:] = [item for item in items if item.nodeid not in mute]


def pytest_unconfigure(config: Any) -> None:
    """Take it out again."""
    _planted.close()


def pytest_runtest_logreport(report: Any) -> None:
    """Write down a failed test, or one whose fixture failed."""
    if report.failed and (path := os.environ.get("RAWSEG_FAULT_REPORT")):
        with Path(path).open("a") as file:
            file.write(f"{report.nodeid}\n")
