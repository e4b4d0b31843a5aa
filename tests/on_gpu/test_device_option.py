"""``pytest --device``: refused without a GPU, and with one the tests of device arrays run on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
HERE = "tests/on_gpu/test_host_code.py"
ALL = "tests/on_gpu"
AS_IF_INSTALLED = "from on_gpu.pretended_cupy import pretended\nkept = pretended()\nkept.__enter__()\n"

pytestmark = pytest.mark.stand_in


def suite(*options: str, tests: str = HERE, plugins: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run tests in a process of their own."""
    paths = [str(plugins), *sys.path] if plugins else sys.path
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", tests, *options]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    return subprocess.run(command, cwd=TESTS.parent, env=environment, capture_output=True, text=True, check=False)


def test_without_cupy_it_is_a_usage_error_that_says_what_is_missing():
    done = suite("--device", "cuda")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--device cuda: expected CuPy to be installed: pip install 'rawseg[cuda12]', got no cupy module" in done.stderr


def test_another_word_is_a_usage_error():
    done = suite("--device", "tpu")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "invalid choice: 'tpu'" in done.stderr


@pytest.mark.release
def test_with_cupy_the_tests_run_on_it_and_those_of_the_stand_in_are_left_out(tmp_path):
    (tmp_path / "as_if_installed.py").write_text(AS_IF_INSTALLED)
    done = suite("--device", "cuda", "-p", "as_if_installed", "-k", "images or numpy", plugins=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout  # errors, and a batch without images; not "no array of a GPU becomes one of NumPy"


# Says of every selected test whether it, its fixtures or the functions that these call know a part of the stand-in: by what its
# names refer to, so that another name for it, or a fixture without the marker, is found as well.
KNOWS = """
import dis
import inspect
from types import FunctionType, ModuleType


def is_stand_in(value):
    home = value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", None) or ""
    return home.startswith("on_gpu.pretended_") or (home == "cupy" and isinstance(value, type))


def known(function, seen):
    function = inspect.unwrap(getattr(function, "__func__", function))
    if not isinstance(function, FunctionType) or function in seen or "on_gpu" not in function.__code__.co_filename:
        return []
    seen.add(function)
    codes, names = [function.__code__], set()
    while codes:
        code = codes.pop()
        names |= {each.argval for each in dis.get_instructions(code) if each.opname == "LOAD_GLOBAL"}  # not attributes
        codes += [part for part in code.co_consts if inspect.iscode(part)]
    values = [(name, function.__globals__[name]) for name in names if name in function.__globals__]
    found = [name for name, value in values if is_stand_in(value)]
    return found + [name for _, value in values if isinstance(value, FunctionType) for name in known(value, seen)]


def pytest_collection_finish(session):
    for item in session.items:
        if not hasattr(item, "function"):
            continue
        seen = set()
        fixtures = [one.func for name, all in item._fixtureinfo.name2fixturedefs.items() if name != "cupy" for one in all]
        own = [one.func for one in item._fixtureinfo.name2fixturedefs.get("cupy", ()) if not one.baseid.endswith("on_gpu")]
        found = [name for function in (item.function, *fixtures, *own) for name in known(function, seen)]
        print("SELECTED", item.path.name, *([item.name, *found] if found else []))
"""


@pytest.mark.gate
def test_no_test_of_the_stand_in_is_left_beside_a_real_cupy(tmp_path):
    (tmp_path / "as_if_installed.py").write_text(AS_IF_INSTALLED)
    (tmp_path / "knows.py").write_text(KNOWS)
    chosen = ("--collect-only", "--device", "cuda", "-m", "", "-p", "as_if_installed", "-p", "knows")
    done = suite(*chosen, tests=ALL, plugins=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    selected = {line.removeprefix("SELECTED ") for line in done.stdout.splitlines() if line.startswith("SELECTED ")}
    files = {line for line in selected if " " not in line}
    assert selected == files  # no line tells what a test knows
    assert files >= {"test_foreach.py", "test_pretended_models.py", "test_prefetch.py", "test_dlpack.py"}
    assert not files & {"test_devices.py", "test_gpu_check.py", "test_device_option.py"}
