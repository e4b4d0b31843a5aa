"""The command line: ``rawseg demo | train | predict | evaluate | models | doctor``.

A user's mistake ends in one line on standard error and exit code 2; Ctrl-C in 130.
"""

from __future__ import annotations

import sys

import click
import typer

from ..errors import RawsegError
from . import demo, doctor, evaluate, models, predict, train

app = typer.Typer(
    name="rawseg",
    help="Image segmentation from scratch: train, predict and look inside.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
for command in (demo.demo, train.train, predict.predict, evaluate.evaluate, models.models, doctor.doctor):
    app.command()(command)

USER_ERROR, INTERRUPTED = 2, 130


def main() -> None:
    """Run the command line and exit."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        code = app(arguments, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return _say("interrupted", INTERRUPTED)
    except (RawsegError, MemoryError, OSError) as error:
        return _say(" ".join(str(error).split()), USER_ERROR)


def _say(message: str, code: int) -> int:
    print(f"rawseg: {message}", file=sys.stderr)
    return code
