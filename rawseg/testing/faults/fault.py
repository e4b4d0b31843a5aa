"""What a planted fault is: a small edit of one function's source, and the code that comes of it."""

from __future__ import annotations

import ast
import inspect
import threading
from collections.abc import Iterator
from importlib import import_module
from types import CodeType, ModuleType
from typing import Any, NamedTuple

from ...errors import ArgumentError

# CPython 3.11 counts the depth of every thread's syntax trees in one place and raises SystemError where two threads cross;
# modules that are imported may parse, too.
_ONE_TREE = threading.RLock()


class Fault(NamedTuple):
    """A mistake that somebody who writes an operation could make.

    Parameters
    ----------
    name : str
        Operation and mistake, e.g. "conv2d.stride-axes".
    op : str
        The operation whose contract must find it.
    module, function : str
        Where it is planted; ``function`` may be a method, "Class.method", or a name that the module assigns. In a module of
        loops, "rawseg_kernels.conv2d.reference", the faulty loops then stand in for every algorithm.
    old, new : str
        The edit; ``old`` occurs exactly once in the function's source.
    what : str
        What was done, in plain words.
    seen : str
        Where it was found in the wild.
    """

    name: str
    op: str
    module: str
    function: str
    old: str
    new: str
    what: str
    seen: str = ""

    @property
    def in_loops(self) -> bool:
        """Whether it is planted in the loops that define a kernel."""
        return self.module.endswith("reference")

    @property
    def in_kernels(self) -> bool:
        """Whether it is planted below the operations that are differentiated."""
        return self.module.startswith("rawseg_kernels.")

    @property
    def room(self) -> str:
        """The kernel that these loops define."""
        return self.module.split(".")[-2]

    def source(self) -> str:
        """Return the module's source with the fault in it.

        Raises
        ------
        ArgumentError
            If ``old`` is not there exactly once: the source has changed.
        """
        with _ONE_TREE:
            text = inspect.getsource(import_module(self.module))
        first, last = lines_of(text, self.function)
        lines = text.splitlines(keepends=True)
        part = "".join(lines[first:last])
        if part.count(self.old) != 1:
            raise ArgumentError("planted", "fault", f"{self.old!r} once in {self.function}", f"{part.count(self.old)} times")
        return "".join([*lines[:first], part.replace(self.old, self.new), *lines[last:]])

    def code(self) -> CodeType:
        """Return the faulty function's code."""
        found = [code for code in _codes(self._compiled()) if code.co_qualname == self.function]
        return found[-1]

    def value(self) -> Any:
        """Return what a faulty assignment gives, in the names of its module; nothing else of it runs again."""
        statement = _node(_parsed(self.source()), self.function)
        names = dict(vars(import_module(self.module)))
        with _ONE_TREE:
            code = compile(ast.Module([statement], []), self._file, "exec")
        exec(code, names)
        return names[self.function]

    @property
    def _file(self) -> str:
        return f"<fault {self.name}>"

    def _compiled(self) -> CodeType:
        return compile(self.source(), self._file, "exec", dont_inherit=True)


def mistakes(op: str, module: str, function: str, *edits: tuple[str, ...]) -> list[Fault]:
    """Return faults of one function: of each the mistake's name, ``old``, ``new``, ``what``, and perhaps ``seen``."""
    return [Fault(f"{op}.{name}", op, module, function, *edit) for name, *edit in edits]


def target(fault: Fault) -> Any:
    """Return what a fault is planted in: a plain function below its decorators, or a value."""
    try:
        with _ONE_TREE:
            found: ModuleType | Any = import_module(fault.module)
        for name in fault.function.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        expected = "a module that can be imported, and a function in it"
        raise ArgumentError("planted", "fault", expected, f"{fault.module}: {fault.function} ({error})") from None
    return inspect.unwrap(found) if callable(found) else found


def lines_of(text: str, name: str) -> tuple[int, int]:
    """Return the lines of a function, a method or an assignment: the first, counted from 0, and the one behind the last."""
    node = _node(_parsed(text), name)
    return node.lineno - 1, node.end_lineno or node.lineno


def _parsed(text: str) -> ast.Module:
    with _ONE_TREE:
        return ast.parse(text)


def _node(tree: ast.AST, path: str) -> ast.stmt:
    found: Any = tree
    for name in path.split("."):
        found = next((statement for statement in found.body if name in _names(statement)), None)
        if found is None:
            raise ArgumentError("planted", "fault", "a function that its module's source holds", path)
    return found


def _names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    return [node.id for node in targets if isinstance(node, ast.Name)]


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)
