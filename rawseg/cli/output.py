"""The console of every command: text is printed as it is (paths may hold brackets), and tables are not squeezed into a pipe."""

from __future__ import annotations

import os
import sys

from rich.console import Console

PIPE_WIDTH = 120  # columns, where no terminal says otherwise


def console(least: int = 0) -> Console:
    """Return a console on standard output, of at least so many columns."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    screen = Console(markup=False, highlight=False, soft_wrap=True, width=width)
    screen.width = max(screen.width, least)
    return screen
