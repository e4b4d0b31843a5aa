"""``rawseg check``: operations, rawseg's own or anybody's, against their contracts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ArgumentError
from .options import Device, Threads, make_folder, refuse_given, use_threads
from .output import console, progress

Texts = list[str]
WRONG = 1  # exit code where something does not conform, or a planted fault survives
SIGNS = {"passed": "ok", "failed": "WRONG", "not offered": "-"}


def check(
    op: Annotated[Texts, typer.Option(help="An operation, e.g. conv2d; may be given again. All, unless named.")] = [],  # noqa: B006 (typer's)
    impl: Annotated[str, typer.Option(help="package.module:function, yours, in the place of rawseg's own.")] = "",
    framework: Annotated[
        str, typer.Option(help="What it takes: numpy, cupy, torch or rawseg; by its module, unless told.")
    ] = "",
    only: Annotated[Texts, typer.Option(help="Only this check, e.g. 'second order'; may be given again.")] = [],  # noqa: B006
    examples: Annotated[int, typer.Option(help="Drawn cases of a check.", min=1)] = 20,
    mutate: Annotated[bool, typer.Option("--mutate", help="Plant faults, and tell which check finds each.")] = False,
    suite: Annotated[
        str, typer.Option(help="With --mutate: a pytest command whose tests shall find them, e.g. 'pytest tests'.")
    ] = "",
    export: Annotated[Path | None, typer.Option(help="Write golden vectors into this folder instead.")] = None,
    device: Device = "cpu",
    threads: Threads = None,
) -> None:
    """Check values, derivatives of first and second order, edges, bad input and determinism of operations.

    Cases are drawn; of a failure the smallest one is told. A function of yours takes the arguments of the one in
    `rawseg.functional` or `rawseg.ops`; a NumPy function has its gradients beside it: `name_backward(grad_output, *arrays,
    **options)`. Exit code 1 if anything is wrong.
    """
    use_threads(threads)
    if export is not None:
        refuse_given("check", "nothing beside --export", {"--impl": impl or None, "--mutate": mutate, "--only": only or None})
        _export(op, make_folder(export))
    elif mutate:
        refuse_given("check", "nothing beside --mutate", {"--impl": impl or None, "--only": only or None})
        _mutate(op, suite, examples)
    else:
        refuse_given("check", "nothing without --mutate", {"--suite": suite or None})
        _check(op, impl, framework, only, examples, device)


def _check(op: Texts, impl: str, framework: str, only: Texts, examples: int, device: str) -> None:
    from ..testing.adapters import load
    from ..testing.conformance import CHECKS
    from ..testing.conformance import check as run
    from ..testing.contracts import contracts

    if impl and len(op) != 1:
        raise ArgumentError("check", "--op", "the one operation that --impl is of", op or "none")
    function = load(impl, framework or None, device) if impl else None
    reports, names = [], op or list(contracts())
    with progress(len(names)) as tell:
        for name in names:
            reports.append(run(name, function, examples=examples, only=tuple(only) or CHECKS, device=device))
            tell(name)
    screen = console()
    screen.print(_table(reports, tuple(only) or CHECKS))
    for report in reports:
        if not report.passed or any(outcome.notes for outcome in report.outcomes):
            screen.print(f"\n{report}")
    wrong = sum(not report.passed for report in reports)
    cases = sum(outcome.cases for report in reports for outcome in report.outcomes)
    seconds = sum(outcome.seconds for report in reports for outcome in report.outcomes)
    screen.print(f"\n{len(reports)} operation{'s' * (len(reports) > 1)}, {cases} cases, {wrong} wrong, {seconds:.0f} s")
    if wrong:
        raise typer.Exit(WRONG)


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

    chosen = [fault for fault in faults() if not op or fault.op in op]
    if not chosen:
        raise ArgumentError("check", "--op", f"one of {', '.join(dict.fromkeys(f.op for f in faults()))}", op)
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
