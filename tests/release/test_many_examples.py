"""The property tests of kernels and functions once more, with many random examples, a file a test.

``RAWSEG_EXAMPLES`` says how many for each property; a failure prints the command that draws the same examples again.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.release

ROOT = Path(__file__).parents[2]
FILES = sorted(
    str(path.relative_to(ROOT))
    for folder in ("kernels", "functional")
    for path in (ROOT / "tests" / folder).glob("test_*.py")
    if "@given" in path.read_text()
)


def test_there_are_properties():
    assert len(FILES) >= 10


@pytest.mark.parametrize("file", FILES)
def test_properties_hold_for_many_examples(file):
    seed = secrets.randbelow(2**32)
    arguments = [
        "-m",
        "pytest",
        "-q",
        "-n",
        "0",
        "-p",
        "no:cacheprovider",
        "-m",
        "hypothesis",
        f"--hypothesis-seed={seed}",
        file,
    ]
    replay = f"RAWSEG_HYPOTHESIS=release RAWSEG_EXAMPLES={os.environ.get('RAWSEG_EXAMPLES', '')} python {' '.join(arguments)}"
    print(replay)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**environment, "RAWSEG_HYPOTHESIS": "release"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{replay}\n{done.stdout}\n{done.stderr}"
