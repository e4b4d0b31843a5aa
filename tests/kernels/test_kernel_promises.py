"""Every kernel of the catalogue: same bits for any threads, processes and layouts, and never outside its memory."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import os
import pkgutil
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from catalogue.collected import KERNELS
from promises import assert_promises

import rawseg_kernels
from rawseg_kernels import _algorithms

CALLS = [pytest.param(entry, id=entry.name, marks=pytest.mark.proves(entry.op, "determinism", "cpu")) for entry in KERNELS]
FIND = _algorithms.find
ROOMS = [name for _, name, package in pkgutil.iter_modules(rawseg_kernels.__path__) if package and name[0] != "_"]


def test_names_are_one_of_a_kind():
    names = [entry.name for entry in KERNELS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.gate
@pytest.mark.spec("all.fresh", "all.strides", "all.bits")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("entry", CALLS)
def test_promises(monkeypatch, entry, dtype):
    assert_promises(monkeypatch, entry.call, *entry.arrays(dtype))


def verbs(room: str) -> set[tuple[str, str, str]]:
    """Return every (room, verb, algorithm) that a room offers, by its modules."""
    package = importlib.import_module(f"rawseg_kernels.{room}")
    algorithms = ("reference", *package.ALGORITHMS)
    modules = {algorithm: importlib.import_module(f"rawseg_kernels.{room}.{algorithm}") for algorithm in algorithms}
    names = {name for name, value in inspect.getmembers(modules["reference"], inspect.isfunction) if not name.startswith("_")}
    return {(room, name, algorithm) for algorithm in algorithms for name in names if hasattr(modules[algorithm], name)}


class Dispatched(Exception):
    """A call has found the kernel that it is named for, and need not run it: nothing is compiled."""


def spy(seen, call, room, verb, algorithm, choices, device):
    """Note what is dispatched in the place of `find`; what ``call`` is named for is not run."""
    op, chosen = room.rpartition(".")[2], choices[0] if algorithm == "auto" and choices else algorithm
    seen.add((op, verb, "reference" if chosen == "auto" else chosen))
    if call.startswith(f"{op}.{verb} ") and f" {algorithm}" in call:
        raise Dispatched
    return FIND(room, verb, algorithm, choices, device)


@pytest.fixture(scope="module")
def found():
    """What the catalogue's calls dispatch to."""
    seen: set[tuple[str, str, str]] = set()
    rooms = [importlib.import_module(f"rawseg_kernels.{room}") for room in ROOMS]
    for entry in KERNELS:
        arrays = entry.arrays(np.float32)
        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(Dispatched):
            for room in rooms:
                patch.setattr(room, "find", partial(spy, seen, entry.name), raising=False)
            entry.call(*arrays)
    return seen


@pytest.mark.parametrize("room", ROOMS)
def test_the_catalogue_has_every_verb_and_algorithm(found, room):
    assert verbs(room)
    assert not verbs(room) - found


def run_catalogue(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, "-m", module, *arguments], env=env, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.gate
@pytest.mark.spec("all.bits")
def test_processes_and_threads_give_the_same_bits():
    digests = []
    for threads in ("1", "4"):
        done = run_catalogue("catalogue.digest", threads, PYTHONHASHSEED=threads)
        assert done.returncode == 0, done.stderr
        digests.append(json.loads(done.stdout))
    assert len(digests[0]) == 2 * len(KERNELS)
    assert digests[0] == digests[1]


@pytest.mark.spec("all.memory-safety")
@pytest.mark.gate
@pytest.mark.parametrize("side", ["front", "end"])
def test_no_kernel_leaves_its_memory(side):
    """Inputs and outputs lie flush against pages that kill the process when touched; outputs are made of NaN."""
    done = run_catalogue("catalogue.guarded", side)
    lines = done.stdout.splitlines() or ["nothing"]
    assert done.returncode == 0, f"died in {lines[-1]}: {done.stderr}"
    assert len(lines) == 2 * len(KERNELS)
