"""The standard's own cases, replayed through `rawseg.onnx.backend`; run as a script it prints the table ``node_cases.txt``.

    python tests/onnx_node_cases.py > tests/onnx/node_cases.txt

The table has a line for each case that rawseg refuses or answers otherwise, with the reason; every other case passes.
"""

from __future__ import annotations

import glob
import importlib
import os
import pkgutil
import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import onnx.backend.test
from onnx import numpy_helper
from onnx.backend.test.case import node as nodes
from onnx.backend.test.runner import Runner

from rawseg.errors import ArgumentError, RawsegError
from rawseg.onnx import backend

TABLE = Path(__file__).with_name("onnx") / "node_cases.txt"
DATA = Path(onnx.backend.test.__file__).parent / "data"
FOLDERS = ("pytorch-converted", "pytorch-operator", "simple")
SLOW = ("averagepool", "lppool", "maxpool")  # modules whose import computes pools in Python loops, half a minute together
ATTENTION = re.compile(r"attention")  # a hundred cases, of which each expands to dozens of nodes


class Case(NamedTuple):
    """A model, what goes in and what comes out, and how exactly."""

    name: str
    model: onnx.ModelProto
    data: list[tuple[list, list]]
    rtol: float
    atol: float


@cache
def written_cases(slow: bool) -> tuple[Case, ...]:
    """Return the cases that the onnx package computes; the slow ones only if asked for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their expected values are computed on import, with overflows
        modules = [module.name for module in pkgutil.iter_modules(nodes.__path__)]
        for name in modules:
            if slow or name not in SLOW:
                imported = importlib.import_module(f"{nodes.__name__}.{name}")
                for inner in pkgutil.iter_modules(getattr(imported, "__path__", ())):
                    importlib.import_module(f"{imported.__name__}.{inner.name}")
    cases = [Case(case.name, case.model, case.data_sets, case.rtol, case.atol) for case in nodes._NodeTestCases]
    return tuple(case for case in cases if slow or not ATTENTION.search(case.name))


def stored_cases() -> Iterator[Case]:
    """Yield the cases that the onnx package holds as files."""
    for folder in FOLDERS:
        for path in sorted((DATA / folder).iterdir()):
            sets = [
                tuple(_stored(path / part, kind) for kind in ("input", "output"))
                for part in sorted(os.listdir(path))
                if part.startswith("test_data_set")
            ]
            yield Case(f"{folder}/{path.name}", onnx.load(path / "model.onnx"), sets, 1e-3, 1e-7)  # the runner's own


def _stored(folder: Path, kind: str) -> list:
    count = len(glob.glob(str(folder / f"{kind}_*.pb")))
    return [(folder / f"{kind}_{i}.pb").read_bytes() for i in range(count)]


def outcome(case: Case) -> str:
    """Return "" for a case that passes, else why it does not."""
    try:
        prepared = backend.prepare(case.model)
        for inputs, outputs in case.data:
            found = prepared.run([_array(value) for value in inputs])
            Runner.assert_similar_outputs([_array(value) for value in outputs], found, case.rtol, case.atol)
    except RawsegError as error:
        return reason(error)
    except AssertionError:
        return "other values"
    return ""


def _array(value: Any) -> Any:
    if isinstance(value, bytes):
        value = onnx.load_tensor_from_string(value)
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def reason(error: RawsegError) -> str:
    """Return why rawseg refuses a case, in a few words."""
    text = str(error.got)
    if error.expected == "operators that rawseg has":
        lacking = re.findall(r"([\w.]+) of version", text)
        return f"no operator {', '.join(sorted(set(lacking)))}"
    if "volumes" in error.expected:
        return "volumes"
    if isinstance(error, ArgumentError) and error.argument == "to":
        return f"no dtype {text}"
    if "bools, integers or floats" in error.expected:
        return f"no dtype {text}"
    if "a tensor as input" in error.expected:
        return f"no {text.removesuffix('_type')}"
    if "operator set from" in error.expected:
        return f"operator set {text}"
    return f"{type(error).__name__}: {error}"


def table() -> dict[str, str]:
    """Return the committed table: why each case does not pass."""
    lines = [line for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("\t") for line in lines)


if __name__ == "__main__":
    found = {case.name: outcome(case) for case in (*written_cases(True), *stored_cases())}
    failing = {name: why for name, why in sorted(found.items()) if why}
    print(f"# onnx {onnx.__version__}: {len(found) - len(failing)} of {len(found)} cases pass; these do not, and why")
    for name, why in failing.items():
        print(f"{name}\t{why}")
