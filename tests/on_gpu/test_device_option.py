"""``pytest --device``: refused without a GPU, and with one the tests of device arrays run on it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
HERE = "tests/on_gpu/test_host_code.py"
AS_IF_INSTALLED = "from on_gpu.pretended_cupy import pretended\nkept = pretended()\nkept.__enter__()\n"

pytestmark = pytest.mark.stand_in


def suite(*options: str, plugins: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run tests in a process of their own."""
    paths = [str(plugins), *sys.path] if plugins else sys.path
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", HERE, *options]
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
