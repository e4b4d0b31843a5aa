"""What "package.module:name" names, imported from the current folder or from what is installed."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import ArgumentError


def imported(text: str, op: str = "load", argument: str = "text") -> tuple[Any, str]:
    """Return the module or class that holds what "package.module:name" names, and the last part of the name.

    Errors that a module's own lines raise are passed on as they are, but that another module is missing, and that the module
    ends the process.

    Parameters
    ----------
    text : str
        The name.
    op, argument : str
        Who asks, for the error.

    Raises
    ------
    ArgumentError
        If it has another form, or cannot be imported.
    """
    expected = "package.module:function that can be imported"
    module, colon, names = text.partition(":")
    if not (module and colon and names) or module.startswith("."):
        raise ArgumentError(op, argument, expected, repr(text))
    try:
        with _current_folder():
            holder: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ArgumentError(op, argument, expected, f"{text!r} ({error})") from error
    except SystemExit as error:
        got = f"{text!r}: it ends the process when it is imported (exit code {error.code})"
        raise ArgumentError(op, argument, expected, got) from error
    try:
        *path, name = names.split(".")
        for part in path:
            holder = getattr(holder, part)
        getattr(holder, name)
    except AttributeError as error:
        raise ArgumentError(op, argument, expected, f"{text!r} ({error})") from error
    return holder, name


@contextmanager
def _current_folder() -> Iterator[None]:
    """Look for modules in the current folder first, as ``python -m`` does, while this lasts."""
    folder = os.getcwd()
    if "" in sys.path or folder in sys.path:
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
