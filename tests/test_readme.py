"""The blocks of README.md, CUDA.md and CHECKING.md run, top to bottom, as a reader would run them, and print what they promise.

In CHECKING.md a block may be a file (its first line is a comment with the name), a change of a file, a program, or a command;
the text below it is what it prints. ``python tests/test_readme.py`` runs them all and writes that text anew.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from rawseg.cli import app

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text()
PAGES = TEXT, (ROOT / "CUDA.md").read_text()
BLOCKS = [block for page in PAGES for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL)]
GUIDE = ROOT / "CHECKING.md"
FENCED = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w/]+\.py)\n")
SLOW = re.compile(r"^pytest |--mutate", re.MULTILINE)  # blocks of several seconds
# What differs from run to run, or from one hypothesis or processor to the next: seconds, how many cases were tried, and how far
# an honest sum is off.
CASES = r"(?<=\()\d+(?= cases\))|\d+(?= cases)|(?<=ok )\d+ *|(?<=WRONG )\d+ *|(?<=drawn: )\d+"
LONG = re.compile(r"-?\d+\.\d{5,}")  # the last digits of sums are another on a processor with wider vectors
VOLATILE = re.compile(rf"\d+(?:\.\d+)?(?= ?s\b)|{CASES}|(?<=\(ratio )[\d.e-]+")


class Block(NamedTuple):
    """A block of the guide: its language, its text, and what it is said to print, if anything is said."""

    kind: str
    text: str
    promised: str

    @property
    def file(self) -> str:
        """The file that a block is."""
        found = FILE.match(self.text)
        return found[1] if self.kind == "python" and found else ""


def blocks() -> list[Block]:
    return [Block(*found) for found in FENCED.findall(GUIDE.read_text())]


def prepare(block: Block, folder: Path) -> None:
    """Write the file that a block is, or change those that it changes."""
    if block.file:
        (folder / block.file).parent.mkdir(parents=True, exist_ok=True)
        (folder / block.file).write_text(block.text)
    elif block.kind == "diff":
        for hunk in block.text.split("\n\n"):
            lines = hunk.strip("\n").splitlines()
            old, new = ("".join(f"{line[1:]}\n" for line in lines if line[0] in kept) for kept in (" -", " +"))
            homes = [path for path in folder.glob("*.py") if path.read_text().count(old) == 1]
            assert len(homes) == 1, f"{old!r} is in {len(homes)} files once"
            homes[0].write_text(homes[0].read_text().replace(old, new))


def run(block: Block) -> str:
    """Run a block in the current folder, and return what it prints."""
    for name in [path.stem for path in Path().glob("*.py")]:
        sys.modules.pop(name, None)
    printed = io.StringIO()
    if block.kind == "python":
        with contextlib.redirect_stdout(printed):
            exec(compile(block.text, GUIDE.name, "exec"), {"__name__": "guide"})
    elif block.kind == "bash":
        for line in block.text.splitlines():
            words = shlex.split(line)
            printed.write(CliRunner().invoke(app, words[1:]).output if words[0] == "rawseg" else in_a_shell(line))
    return printed.getvalue()


def in_a_shell(line: str) -> str:
    """Return what a command prints where no configuration of this repository is near."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST")}
    done = subprocess.run(
        line,
        shell=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**variables, "PATH": path},
        timeout=300,
    )
    return done.stdout


def steady(text: str) -> str:
    """Return a text without what may differ from run to run."""
    text = LONG.sub(lambda number: f"{float(number[0]):.4g}", VOLATILE.sub("#", text))
    return re.sub(r"[━─ ]+", " ", text)


def commented(text: str) -> list[str]:
    """Return what comments beside ``print(...)`` say that it prints."""
    return re.findall(r"print\(.*\)\s+# (.*)", text)


def test_there_are_blocks():
    assert BLOCKS
    assert {block.kind for block in blocks()} == {"python", "diff", "bash"}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[0][:40])
def test_block_runs(block, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "a page", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.splitlines() == commented(block)


def programs():
    """Return the numbers of the blocks that are run."""
    marks = [[pytest.mark.release] if SLOW.search(block.text) else [] for block in blocks()]
    return [pytest.param(i, marks=marks[i]) for i, block in enumerate(blocks()) if block.kind != "diff" and not block.file]


@pytest.mark.parametrize("number", programs())
def test_block_of_the_guide_prints_what_it_says(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delenv("COLUMNS", raising=False)  # the width of the tables
    for block in blocks()[:number]:
        prepare(block, tmp_path)
    block = blocks()[number]
    assert steady(run(block)) == steady(block.promised or "".join(f"{line}\n" for line in commented(block.text)))


def rewritten() -> str:
    """Return the guide with what its blocks print today."""
    parts, end, text = [], 0, GUIDE.read_text()
    for found, block in zip(FENCED.finditer(text), blocks()):
        prepare(block, Path())
        if block.kind != "diff" and not block.file and found[3] is not None:
            parts += [text[end : found.start(3)], run(block)]
            end = found.end(3)
    return "".join([*parts, text[end:]])


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        sys.path.insert(0, folder)
        GUIDE.write_text(rewritten())
