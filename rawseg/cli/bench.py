"""``rawseg bench``: how fast, how exact and how large, beside PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ArgumentError, BackendError, DataError
from .options import Threads, make_folder
from .output import console, progress

Texts = list[str]
IMPL = (
    "package.module:function, a kernel of yours in the same table, called as rawseg's own: of conv2d with (x, weight, bias, "
    "stride, padding, dilation, groups). Its attributes backward_input and backward_weight, if any, are the other passes."
)
WIDEST = 128  # columns: of a table that was cut to a narrow terminal nothing could be read
REGRESSION = 1  # exit code where --compare found something slower, or a kernel gave a wrong result


def bench(
    op: Annotated[Texts, typer.Option(help="An operation, e.g. conv2d; may be given again.")] = [],  # noqa: B006 (typer's)
    family: Annotated[Texts, typer.Option(help="Layers of unet, mobilenet_v2, mask_rcnn or others; all, unless named.")] = [],  # noqa: B006
    shape: Annotated[
        Texts, typer.Option(help="A case of --op instead: '2x64x128x128 out_channels=64 kernel_size=3 padding=1'.")
    ] = [],  # noqa: B006
    pass_: Annotated[Texts, typer.Option("--pass", help="'forward', 'grad input' or 'grad weight'; all, unless named.")] = [],  # noqa: B006
    algorithm: Annotated[
        Texts, typer.Option(help="Only these, auto among them; without, all but plain loops on large maps.")
    ] = [],  # noqa: B006
    impl: Annotated[str, typer.Option(help=IMPL)] = "",
    model: Annotated[
        str, typer.Option(help="A whole model instead: unet, mobilenet_v2, mask_rcnn or mask_rcnn_mobilenet_v2.")
    ] = "",
    width: Annotated[int, typer.Option(help="Channels of the U-Net's first level.", min=1)] = 32,
    batch: Annotated[int, typer.Option(help="Images of a model's batch.", min=1)] = 2,
    size: Annotated[
        int, typer.Option(help="Side of a model's images; 256 for unet, 224 for mobilenet_v2, 320 for mask_rcnn.", min=0)
    ] = 0,
    mode: Annotated[str, typer.Option(help="train, infer or both, of a model.")] = "both",
    scale: Annotated[Texts, typer.Option(help="How one case grows with batch, size, channels or threads.")] = [],  # noqa: B006
    threads: Threads = None,
    repeats: Annotated[int, typer.Option(help="Samples of each side, taken in turn.", min=1)] = 9,
    seconds: Annotated[float, typer.Option(help="A slow side gets three samples, and more within so long.", min=0)] = 2.0,
    tuned: Annotated[
        bool, typer.Option("--tuned/--no-tuned", help="Also beside PyTorch with an allocator that keeps memory.")
    ] = True,
    cold: Annotated[bool, typer.Option("--cold", help="Also first calls in new processes, which takes long.")] = False,
    save: Annotated[Path | None, typer.Option(help="Write all samples to this JSON file.")] = None,
    compare: Annotated[
        Path | None,
        typer.Option(help="A file of --save: what changed; exit code 1 if anything got slower by more than the noise."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="A folder for pictures: roofline and ratios, or growth.")] = None,
) -> None:
    """Check every kernel, then time it beside PyTorch: same process, same threads, samples taken in turn, medians.

    All of it on the CPU: for a GPU there is bench/gpu_check.py in the source.

    A kernel that is wrong is not timed. Results go to standard output, progress to standard error. All named layers take some
    twenty minutes; name an operation, a family or a shape.
    """
    from ..benchmark.processes import torch_is_there

    if not torch_is_there():
        raise BackendError("bench", "torch", "PyTorch to check and compare with (pip install torch)", "none")
    request: dict[str, Any] = {"threads": threads or _threads(), "repeats": repeats, "seconds": seconds}
    request |= {"algorithms": algorithm, "passes": pass_, "impl": impl}
    for folder in (save.parent if save else None, plot):
        if folder is not None:
            make_folder(folder)
    if save is not None and save.is_dir():
        raise DataError("bench", "--save", "a file", f"the folder {save}")
    if model:
        _refuse(
            "--model", {"--op": op, "--shape": shape, "--scale": scale, "--impl": impl, "--compare": compare, "--plot": plot}
        )
        _model(request | _model_options(model, width, batch, size, mode), tuned, cold, save)
        return
    if impl and len(op) != 1:
        raise ArgumentError("bench", "--op", "the one operation that --impl computes", op or "none")
    cases = _cases(op, family, shape)
    if scale:
        _refuse("--scale", {"--impl": impl, "--compare": compare, "--cold": cold})
        _growth(cases, scale, request, save, plot)
        return
    _operations(request, cases, tuned, cold, save, compare, plot)


def _threads() -> int:
    from rawseg_kernels._threads import get_num_threads

    return get_num_threads()


def _refuse(mode: str, given: dict[str, Any]) -> None:
    """Refuse what would be left out without a word."""
    for name, value in given.items():
        if value:
            raise ArgumentError("bench", name, f"nothing beside {mode}", value)


def _cases(op: Texts, family: Texts, shape: Texts) -> list[Any]:
    from ..benchmark.cases import named, parse

    if not shape:
        return named(family, op)
    if len(op) != 1:
        raise ArgumentError("bench", "--op", "the one operation that --shape is of", op or "none")
    return [parse(op[0], text) for text in shape]


def _operations(
    request: dict[str, Any],
    cases: list[Any],
    tuned: bool,
    cold: bool,
    save: Path | None,
    compare: Path | None,
    plot: Path | None,
) -> None:
    from ..benchmark import pictures, report, run

    old = report.load(compare) if compare else None
    if old is not None and old["machine"]["threads"] != request["threads"]:
        needed, got = (f"{count} thread{'s' * (count != 1)}" for count in (request["threads"], old["machine"]["threads"]))
        raise DataError("bench", str(compare), f"times of {needed}, as --threads says", got)
    with progress(len(cases) * (2 if tuned else 1)) as tell:
        machine, rows = run.operations({**request, "cases": cases}, tell, tuned=tuned, cold=cold)
    if not rows:
        raise ArgumentError("bench", "--pass, --algorithm", "something that these operations have", "no pass to time")
    screen = console(WIDEST)
    for piece in report.tables(rows, machine):
        screen.print(piece)
    legend = f"{report.LEGEND} {report.LEGEND_OF_COLD}" if cold else report.LEGEND
    screen.print(f"\n{legend}", soft_wrap=False)
    if save:
        report.save(save, machine, rows=rows)
    if plot:
        pictures.roofline(rows, machine, plot / "roofline.png")
        pictures.ratios(rows, machine, plot / "ratios.png")
    slower = []
    if old is not None:
        found = report.changes(old, rows)
        if not found:
            raise DataError("bench", str(compare), "a file with some of these cases", "none of them")
        screen.print(report.comparison(found))
        screen.print(report.LEGEND_OF_CHANGES, soft_wrap=False)
        slower = [change for change in found if change.verdict == "slower"]
    if slower or any("wrong" in row for row in rows):
        raise typer.Exit(REGRESSION)


def _growth(cases: list[Any], axes: Texts, request: dict[str, Any], save: Path | None, plot: Path | None) -> None:
    import os

    from ..benchmark import pictures, report, run

    for axis in axes:
        if axis not in run.AXES:
            raise ArgumentError("bench", "--scale", f"one of {tuple(run.AXES)}", repr(axis))
    if len(cases[0].shape) != 4:
        raise ArgumentError("bench", "--scale", "a case of maps, (N, C, H, W)", cases[0].shape)
    request = {**request, "passes": request["passes"] or ["forward"]}
    with progress(sum(len(run.AXES[axis]) or (os.cpu_count() or 1) for axis in axes)) as tell:
        machine, series = run.growth(cases[0], axes, request, os.cpu_count() or 1, tell)
    console(WIDEST).print(report.growth(cases[0], series))
    if save:
        report.save(save, machine, case=cases[0]._asdict(), series=series)
    if plot:
        pictures.growth(series, machine, plot / "growth.png")


def _model_options(model: str, width: int, batch: int, size: int, mode: str) -> dict[str, Any]:
    from ..benchmark.model_steps import MODELS

    if model not in MODELS:
        raise ArgumentError("bench", "--model", f"one of {tuple(MODELS)}", repr(model))
    MODELS[model].require()
    modes = {"train": ["train"], "infer": ["infer"], "both": ["train", "infer"]}
    if mode not in modes:
        raise ArgumentError("bench", "--mode", f"one of {tuple(modes)}", repr(mode))
    return {"model": model, "width": width, "batch": batch, "size": size or MODELS[model].size, "modes": modes[mode]}


def _model(request: dict[str, Any], tuned: bool, cold: bool, save: Path | None) -> None:
    from ..benchmark import report, run

    with progress(3 + len(request["modes"]) * (2 if tuned else 1)) as tell:
        machine, result = run.model(request, tell, tuned=tuned, cold=cold)
    console(WIDEST).print(report.model(request, machine, result))
    if save:
        report.save(save, machine, model={name: request[name] for name in ("model", "width", "batch", "size")}, **result)
    if "wrong" in result:
        raise typer.Exit(REGRESSION)
