"""``rawseg check``: operations, rawseg's own or anybody's, against their contracts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ArgumentError, ArgumentTypeError
from .options import Threads, make_folder, refuse_given, use_threads
from .output import console, progress

Texts = list[str]
EXAMPLES = 20
WRONG = 1  # exit code where something does not conform, or a planted fault survives
SIGNS = {"passed": "ok", "failed": "WRONG", "not offered": "-"}


def check(
    op: Annotated[Texts, typer.Option(help="An operation, e.g. conv2d; may be given again. All, unless named.")] = [],  # noqa: B006 (typer's)
    impl: Annotated[str | None, typer.Option(help="package.module:function, yours, in the place of rawseg's own.")] = None,
    framework: Annotated[
        str | None, typer.Option(help="What it takes: numpy, cupy, torch or rawseg; by its module, unless told.")
    ] = None,
    only: Annotated[Texts, typer.Option(help="Only this check, e.g. 'second order'; may be given again.")] = [],  # noqa: B006
    examples: Annotated[int | None, typer.Option(help="Drawn cases of a check; 20, unless told.", min=1)] = None,
    mutate: Annotated[bool, typer.Option("--mutate", help="Plant faults, and tell which check finds each.")] = False,
    suite: Annotated[
        str | None, typer.Option(help="With --mutate: a pytest command whose tests should find them, e.g. 'pytest tests'.")
    ] = None,
    export: Annotated[Path | None, typer.Option(help="Write golden vectors into this folder instead.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda or cuda:N; cpu, unless told.")] = None,
    threads: Threads = None,
) -> None:
    """Check values, derivatives of first and second order, edges, bad input and determinism of operations.

    Cases are drawn; of a failure the smallest one is told. A function of yours takes the arguments of the one in
    `rawseg.functional` or `rawseg.ops`; a NumPy function has its gradients beside it: `name_backward(grad_output, *arrays,
    **options)`. Exit code 1 if anything is wrong.
    """
    use_threads(threads)
    ops = list(dict.fromkeys(op))
    mine = {"--impl": impl, "--framework": framework, "--only": only or None, "--device": device}
    if export is not None:
        aside = {"--mutate": mutate, "--suite": suite, "--examples": examples}
        refuse_given("check", "nothing beside --export but --op", {**mine, **aside})
        _export(ops, make_folder(export))
    elif mutate:
        refuse_given("check", "nothing beside --mutate but --op, --suite and --examples", mine)
        _mutate(ops, suite or "", examples or EXAMPLES)
    else:
        refuse_given("check", "nothing without --mutate", {"--suite": suite})
        refuse_given("check", "nothing without --impl", {"--framework": framework if impl is None else None})
        _check(ops, impl, framework, only, examples or EXAMPLES, device or "cpu")


def _check(op: Texts, impl: str | None, framework: str | None, only: Texts, examples: int, device: str) -> None:
    from ..testing.adapters import load
    from ..testing.conformance import CHECKS
    from ..testing.conformance import check as run
    from ..testing.conformance.run import chosen
    from ..testing.contracts import contract_of, contracts

    if impl and len(op) != 1:
        raise ArgumentError("check", "--op", "the one operation that --impl is of", op or "none")
    reports, names = [], op or list(contracts())
    with _blaming("--op"):
        for name in names:
            contract_of(name)  # a word that is none is told before anything runs
    with _blaming("--only"):
        chosen(tuple(only) or CHECKS)
    with _blaming("--impl", impl or ""):
        function = load(impl, framework, device) if impl else None
    with progress(len(names)) as tell:
        for name in names:
            reports.append(run(name, function, examples=examples, only=tuple(only) or CHECKS, device=device))
            tell(name)
    screen = console()
    screen.print(_table(reports, tuple(only) or CHECKS))
    for report in reports:
        if not report.passed or report.lacks or any(outcome.notes for outcome in report.outcomes):
            screen.print(f"\n{report}")
    wrong = sum(not report.passed for report in reports)
    cases = sum(outcome.cases for report in reports for outcome in report.outcomes)
    seconds = sum(outcome.seconds for report in reports for outcome in report.outcomes)
    screen.print(f"\n{len(reports)} operation{'s' * (len(reports) > 1)}, {cases} cases, {wrong} wrong, {seconds:.0f} s")
    if wrong:
        raise typer.Exit(WRONG)


@contextmanager
def _blaming(option: str, given: str = "") -> Iterator[None]:
    """Let an error name the option that was at fault, and what was given there."""
    try:
        yield
    except (ArgumentError, ArgumentTypeError) as error:
        wrong = "--framework" if error.argument == "framework" else option
        got = f"{given!r}, of type {error.got}" if isinstance(error, ArgumentTypeError) else error.got
        raise type(error)("check", wrong, error.expected, got) from error


def _table(reports: list[Any], checks: tuple[str, ...]) -> Any:
    from rich.table import Table

    table = Table("operation", *checks)
    for report in reports:
        cells = []
        for name in checks:
            outcome = report.of(name)
            cells.append(f"{SIGNS[outcome.state]} {outcome.cases}" if outcome.cases else SIGNS[outcome.state])
        table.add_row(report.op if report.name == report.op else f"{report.op}: {report.name}", *cells)
    return table


def _mutate(op: Texts, suite: str, examples: int) -> None:
    from rich.table import Table

    from ..testing.faults import faults, measure

    known = dict.fromkeys(fault.op for fault in faults())
    for name in op:
        if name not in known:
            raise ArgumentError("check", "--op", f"one of {', '.join(known)}", name)
    chosen = [fault for fault in faults() if not op or fault.op in op]
    table, survived = Table("fault", "what is wrong", "found by"), 0
    with progress(len(chosen)) as tell:
        for fault in chosen:
            found = measure(fault, suite=suite, examples=examples)
            survived += not found
            table.add_row(fault.name, fault.what, ", ".join(found) or "NOTHING")
            tell(fault.name)
    screen = console()
    screen.print(table)
    screen.print(f"\n{len(chosen) - survived} of {len(chosen)} planted faults found")
    if survived:
        raise typer.Exit(WRONG)


def _export(op: Texts, folder: Path) -> None:
    from ..testing.golden import write

    with progress(1) as tell:
        written = write(folder, op)
        tell("")
    console().print(f"{written} cases in {folder}; `python {folder}/replay.py --help` says how to replay them")
