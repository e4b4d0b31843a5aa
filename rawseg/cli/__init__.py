"""The command line: ``rawseg demo | train | predict | evaluate | xray | ablate | models | bench | check | doctor``.

A user's mistake ends in one line on standard error and exit code 2; Ctrl-C in 130.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Annotated, Any

import typer

from .. import __version__
from ..errors import RawsegError
from . import ablate, bench, check, demo, doctor, evaluate, models, predict, train, xray

USER_ERROR, INTERRUPTED = 2, 130

app = typer.Typer(
    name="rawseg",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what a user can cause into one line and an exit code; a bug keeps its traceback."""

    @functools.wraps(command)
    def run_command(*args: Any, **options: Any) -> None:
        try:
            with on_device(options.get("device")):
                command(*args, **options)
        except KeyboardInterrupt:
            _leave("interrupted", INTERRUPTED)
        except (RawsegError, MemoryError, OSError) as error:
            _leave(" ".join(str(error).split()), USER_ERROR)

    return run_command


def on_device(name: str | None) -> AbstractContextManager[None]:
    """Make the GPU of ``--device cuda:N`` the current one while this lasts."""
    if name is None or not re.fullmatch(r"cuda:\d+", name):
        return nullcontext()  # the command tells what is no device
    from ..cuda import device

    return device(name)


def _leave(message: str, code: int) -> None:
    print(f"rawseg: {message}", file=sys.stderr)
    raise typer.Exit(code)


def _version(asked: bool) -> None:
    if asked:
        print(f"rawseg {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Image segmentation from scratch: train, predict and look inside."""


COMMANDS = (
    demo.demo,
    train.train,
    predict.predict,
    evaluate.evaluate,
    xray.xray,
    ablate.ablate,
    models.models,
    bench.bench,
    check.check,
    doctor.doctor,
)
for command in COMMANDS:
    app.command()(guarded(command))


def main() -> None:
    """Run the command line and exit."""
    app()
