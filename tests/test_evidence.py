"""No operation without its proofs: the columns of the table of evidence that every one must fill, from what pytest collects."""

from __future__ import annotations

import inspect
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import evidence
import pytest
from functional.test_every_operation import WITHOUT_GRADIENT

import rawseg_kernels
from rawseg import functional, ops

ROOT = Path(__file__).parents[1]
PUBLIC = [name for module in (functional, ops) for name in module.__all__ if inspect.isfunction(getattr(module, name))]
ROOMS = [name for _, name, package in pkgutil.iter_modules(rawseg_kernels.__path__) if package and name[0] != "_"]
SAID_AS = {"resize": "interpolate", "roi_align_max": "roi_align"}  # room -> the public name that its tests prove


@pytest.fixture(scope="module")
def proved(request, tmp_path_factory) -> dict[str, set[str]]:
    """What the whole suite promises to prove: this run has collected it, unless it is of some files only."""
    config = request.config
    if set(config.getini("testpaths")) <= set(config.args) and not config.option.keyword:
        return _by_operation(evidence.plan)
    plan = tmp_path_factory.mktemp("plan") / "plan.json"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", "-p", "no:cacheprovider", "tests"]
    environment |= {"RAWSEG_EVIDENCE_PLAN": str(plan)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
    return _by_operation(json.loads(plan.read_text()))


def _by_operation(plan: dict[str, list[str]]) -> dict[str, set[str]]:
    return {op: set(columns) for op, columns in plan.items()}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_function(proved, name):
    needed = {"bad input"} if name in WITHOUT_GRADIENT else {"bad input", "determinism", "first order", "second order", "torch"}
    assert needed - proved[name] == set()


@pytest.mark.parametrize("room", ROOMS)
def test_every_kernel(proved, room):
    assert {"reference", "cpu", "determinism", "bad input"} - proved[SAID_AS.get(room, room)] == set()
