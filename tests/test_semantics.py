"""SEMANTICS.md and the tests that assert it: no row without a test, no mark without a row, no deviation untold.

``python tests/test_semantics.py`` prints the table of deviations that the page must hold.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "SEMANTICS.md"
DEVIATIONS = "## Where rawseg differs from PyTorch\n"
ROW = re.compile(r"^\| `([a-z0-9_.-]+)`( \*\*≠\*\*)? \|", re.MULTILINE)


def rows() -> dict[str, bool]:
    """Return the rows of the page, and whether each is marked as a deviation."""
    found = ROW.findall(PAGE.read_text().partition(DEVIATIONS)[0])
    names = [name for name, _ in found]
    assert sorted(names) == sorted(set(names)), "a row stands twice"
    return {name: bool(mark) for name, mark in found}


def marked_tests(folder: Path) -> list[tuple[str, str]]:
    """Return (row, docstring) for every mark of every test below a folder."""
    found = []
    for path in sorted(folder.rglob("test_*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            for node in [inner for decorator in function.decorator_list for inner in ast.walk(decorator)]:
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "spec":
                    for argument in node.args:
                        assert isinstance(argument, ast.Constant), f"{path}:{node.lineno}: a mark is plain text"
                        found.append((str(argument.value), " ".join((ast.get_docstring(function) or "").split())))
    return found


def table_of_deviations() -> str:
    told = marked_tests(ROOT / "tests" / "deviations")
    return "\n".join(["| row | difference |", "|---|---|", *(f"| `{row}` | {text} |" for row, text in sorted(told))]) + "\n"


def test_every_row_has_a_test_and_every_mark_a_row():
    marks = {row for row, _ in marked_tests(ROOT / "tests")}
    assert rows()
    assert sorted(set(rows()) - marks) == []
    assert sorted(marks - set(rows())) == []


def test_every_deviation_is_told_and_its_row_is_marked():
    told = marked_tests(ROOT / "tests" / "deviations")
    assert [text for _, text in told if not re.match(r"(PyTorch|torchvision).* rawseg", text)] == []
    assert {row for row, mark in rows().items() if mark} == {row for row, _ in told}
    assert PAGE.read_text().partition(DEVIATIONS)[2].strip().endswith(table_of_deviations().strip())


if __name__ == "__main__":
    print(table_of_deviations())
