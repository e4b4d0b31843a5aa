"""Every planted fault is found by the tests named for it: the figure that says whether the others can be trusted.

The packages and the tests are copied, one copy for all faults of a process, and a fault is planted in the copy alone. With
``pytest -m release -n 2 --dist=load tests/release/test_mutations.py`` two processes share the work.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from release.mutations import MUTATIONS, Mutation

pytestmark = pytest.mark.release

ROOT = Path(__file__).parents[2]
# A fault that does not even run is found by anything, and proves nothing.
BROKEN = re.compile(
    r"\b(Syntax|Indentation|Name|UnboundLocal|Import|ModuleNotFound|Attribute|Typing|Lowering|Unsupported)Error|Flaky"
)


class Copy:
    """A copy of the repository to plant faults in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("rawseg", "kernels", "tests", "bench"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy2(ROOT / "pyproject.toml", folder)

    @contextmanager
    def planted(self, mutation: Mutation) -> Iterator[None]:
        """Plant a fault; afterwards the file has its old content and time, so that what was compiled before stays valid."""
        path, faulty = self.folder / mutation.file, mutation.applied(self.folder)
        kept = path.with_suffix(".kept")
        shutil.copy2(path, kept)
        try:
            path.write_text(faulty)
            yield
        finally:
            kept.replace(path)

    def run(self, *command: str, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run Python in the copy, with the copy's packages in its subprocesses too."""
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(str(self.folder / name) for name in (".", "kernels")),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RAWSEG_CACHE_DIR": str(cache or self.folder / "cache"),
            "RAWSEG_HYPOTHESIS": "faults",
            "COLUMNS": "400",  # pytest cuts its summary to the terminal's width
        }
        for name in [name for name in environment if name.startswith("PYTEST_")]:
            del environment[name]
        arguments = [sys.executable, *command]
        return subprocess.run(
            arguments, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=900, check=False
        )

    def test(self, tests: str, cache: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run some of the tests up to the first failure; a test found by its file's name is one of tests/."""
        arguments = [f"tests/{word}" if word.endswith(".py") else word for word in shlex.split(tests)]
        options = "-x", "-q", "-n", "0", "-p", "no:cacheprovider", "--tb=short", "-m", "not release"  # gates, too
        return self.run("-m", "pytest", *options, *arguments, cache=cache)


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> Copy:
    return Copy(tmp_path_factory.mktemp("copy"))


def test_what_runs_in_the_copy_is_the_copy(copy):
    done = copy.run("-c", "import rawseg, rawseg_kernels; print(rawseg.__file__, rawseg_kernels.__file__)")
    assert all(Path(line).is_relative_to(copy.folder) for line in done.stdout.split()), done.stdout
    assert len(done.stdout.split()) == 2, done.stderr


@pytest.mark.parametrize("tests", sorted({mutation.tests for mutation in MUTATIONS}))
def test_where_nothing_is_planted_nothing_is_found(copy, tests):
    done = copy.test(tests)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[mutation.name for mutation in MUTATIONS])
def test_a_planted_fault_is_found(copy, tmp_path, mutation):
    cache = tmp_path / "cache" if mutation.in_kernels else None
    with copy.planted(mutation):
        done = copy.test(mutation.tests, cache)
    shutil.rmtree(tmp_path)
    failures = [line for line in done.stdout.splitlines() if line.startswith("FAILED ")]
    assert done.returncode != 0, f"survived: {mutation}\n{done.stdout}"
    assert done.returncode == 1, f"no test failed, but the run broke down: {mutation}\n{done.stdout}\n{done.stderr}"
    assert failures, f"no test failed, but the run broke down: {mutation}\n{done.stdout}"
    assert not any(map(BROKEN.search, failures)), f"the fault does not run: {mutation}\n{done.stdout}"
