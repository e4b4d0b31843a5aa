"""The console of every command: text is printed as it is (paths may hold brackets), and tables are not squeezed into a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console

PIPE_WIDTH = 120  # columns, where no terminal says otherwise


def console(least: int = 0) -> Console:
    """Return a console on standard output, of at least so many columns."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    screen = Console(markup=False, highlight=False, soft_wrap=True, width=width)
    screen.width = max(screen.width, least)
    return screen


@contextmanager
def progress(total: int) -> Iterator[Any]:
    """Show what is done on standard error: a bar on a terminal, nothing in a pipe."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    screen = Console(stderr=True)
    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False)
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        task = progress.add_task("", total=total)
        yield lambda name: progress.update(task, advance=1, description=name)
