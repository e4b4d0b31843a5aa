"""The roofline of a run (Williams, Waterman and Patterson 2009), and how time and memory grow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..files import write_bytes_atomically
from .timing import median

PASSES = {"forward": "o", "grad input": "v", "grad weight": "s"}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999")  # Okabe and Ito's palette
RAWSEG, TORCH, TORCH_LAST = COLOURS[1], COLOURS[0], COLOURS[5]


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(1, columns, squeeze=False)[0]


def _write(figure: Any, path: Path) -> None:
    memory = io.BytesIO()
    figure.savefig(memory, format="png", dpi=130)
    write_bytes_atomically(path, memory.getvalue())


def threads(machine: dict[str, Any]) -> str:
    """Return how many, in words."""
    return "1 thread" if machine["threads"] == 1 else f"{machine['threads']} threads"


def _plain_numbers(axis: Any) -> None:
    """Label a logarithmic axis with numbers, however short it is."""
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(ScalarFormatter())
    axis.set_minor_formatter(NullFormatter())


def roofline(rows: list[dict[str, Any]], machine: dict[str, Any], path: Path) -> None:
    """Draw every pass that multiplies, by what "auto" takes: operations a second over operations a byte."""
    figure, (axes,) = _figure(9, 5.5)
    peak, bandwidth = machine["peak_flops"] / 1e9, machine["copy_bandwidth"] / 1e9
    shown = [row for row in rows if row.get("ms") and row["flops"] and row["auto"]]
    ops = list(dict.fromkeys(row["op"] for row in shown))
    marks: dict[str, Any] = {}
    for row in shown:
        intensity, rate = row["flops"] / row["bytes"], row["flops"] / median(row["ms"]) / 1e6
        colour, mark = COLOURS[ops.index(row["op"]) % len(COLOURS)], PASSES.get(row["pass"], "D")
        marks[row["op"]] = axes.scatter(intensity, rate, color=colour, marker=mark, s=28, linewidth=0, alpha=0.85)
        if row.get("torch"):
            theirs = row["flops"] / median(row["torch"]) / 1e6
            axes.plot([intensity, intensity], [theirs, rate], color=colour, linewidth=0.6, alpha=0.5)
    intensities = [row["flops"] / row["bytes"] for row in shown] or [1.0]
    reach = np.geomspace(min(*intensities, peak / bandwidth) / 2, max(*intensities, peak / bandwidth) * 2, 100)
    axes.plot(reach, np.minimum(peak, reach * bandwidth), color="#333333", linewidth=1.2)
    axes.annotate(
        f"{peak:.0f} GFLOP/s: fused multiply-adds in registers",
        (reach[-1], peak),
        (0, 4),
        ha="right",
        fontsize=8,
        textcoords="offset points",
    )
    axes.annotate(
        f"{bandwidth:.1f} GB/s: a copy", (reach[4], reach[4] * bandwidth), (6, -10), fontsize=8, textcoords="offset points"
    )
    axes.set(
        xscale="log", yscale="log", xlabel="operations per byte of operands and result", ylabel="GFLOP/s of the definition"
    )
    axes.set_title(f"{machine['cpu']}, {threads(machine)}; lines end at PyTorch's default layout", fontsize=9)
    for name, mark in PASSES.items():
        marks[name] = axes.scatter([], [], color="#777777", marker=mark, s=28)
    axes.legend(marks.values(), marks.keys(), fontsize=8, frameon=False, loc="lower right")
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    _write(figure, path)


def ratios(rows: list[dict[str, Any]], machine: dict[str, Any], path: Path) -> None:
    """Draw PyTorch's time over rawseg's for every pass, three columns of PyTorch side by side; 1 is a tie."""
    from .report import ratio, tuned_ratio

    shown = [row for row in rows if row.get("ms") and row["auto"] and row.get("torch")]
    figure, (axes,) = _figure(10, 0.6 + 0.155 * max(len(shown), 4))
    places = np.arange(len(shown))[::-1]
    for label, colour, value in (
        ("torch, default", TORCH, lambda row: ratio(row, "torch")),
        ("torch, channels_last", TORCH_LAST, lambda row: ratio(row, "torch channels_last")),
        ("torch, faster layout, tuned allocator", RAWSEG, tuned_ratio),
    ):
        axes.scatter([value(row) for row in shown], places, color=colour, s=16, label=label, zorder=3)
    axes.axvline(1, color="#333333", linewidth=1)
    axes.set(xscale="log", xlabel="time of PyTorch / time of rawseg", ylim=(-1, len(shown)))
    axes.set_xticks([0.25, 0.5, 1, 2, 4, 8, 16], ["1/4", "1/2", "1", "2", "4", "8", "16"])
    axes.set_yticks(places, [f"{row['op']} {row['case']}: {row['pass']}" for row in shown], fontsize=6)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    figure.legend(fontsize=8, frameon=False, loc="outside upper center", ncols=3)
    axes.set_title(f"{machine['cpu']}, {threads(machine)}", fontsize=9)
    _write(figure, path)


def growth(series: dict[str, list[dict[str, Any]]], machine: dict[str, Any], path: Path) -> None:
    """Draw time and memory of a pass as batch, size, channels and threads grow.

    Parameters
    ----------
    series : dict
        {axis: points}; a point has ``at`` (the value along the axis), ``ms``, PyTorch's times, and ``memory`` in bytes.
    machine : dict
        From `machine.facts`.
    path : path
        A PNG.
    """
    figure, all_axes = _figure(3.4 * len(series), 3.6, len(series))
    for axes, (name, points) in zip(all_axes, series.items()):
        at = [point["at"] for point in points]
        for label, side, colour in (
            ("rawseg", "ms", RAWSEG),
            ("torch", "torch", TORCH),
            ("torch channels_last", "torch channels_last", TORCH_LAST),
        ):
            values = [median(point[side]) if point.get(side) else np.nan for point in points]
            axes.plot(at, values, marker="o", markersize=3, linewidth=1.2, color=colour, label=label)
        axes.set(xscale="log", yscale="log", xlabel=name)
        axes.set_xticks(at, [str(value) for value in at], fontsize=8)
        axes.minorticks_off()
        _plain_numbers(axes.yaxis)
        axes.grid(color="#e4e4e4", linewidth=0.6)
        if points and points[0].get("memory"):
            memory = axes.twinx()
            memory.plot(
                at,
                [point["memory"] / 2**20 for point in points],
                color="#999999",
                linewidth=1,
                linestyle="--",
                label="rawseg's memory",
            )
            memory.set_yscale("log")
            _plain_numbers(memory.yaxis)
            memory.set_ylim(*(limit * factor for limit, factor in zip(memory.get_ylim(), (0.5, 2))))
            memory.set_ylabel("MiB, operands aside", fontsize=8, color="#777777")
    all_axes[0].set_ylabel("milliseconds")
    all_axes[0].legend(fontsize=7, frameon=False)
    figure.suptitle(f"{machine['cpu']}, {threads(machine)} unless they grow; dashed: memory", fontsize=9)
    _write(figure, path)
