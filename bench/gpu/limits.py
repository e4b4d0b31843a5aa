"""What bounds a pass on this device: the bytes that it must move, or the operations that it must do."""

from __future__ import annotations

from typing import Any

RATES = {"fp32": ("matmul_TFLOP_s", 1), "3xtf32": ("matmul_tf32_TFLOP_s", 3), "tf32": ("matmul_tf32_TFLOP_s", 1)}


def accuracy(name: str) -> str:
    """Return the accuracy of a side by its name."""
    return "3xtf32" if name.endswith("3xtf32") else "tf32" if name.endswith("tf32") else "fp32"


def limit(flops: float, moved: int, measured: dict[str, float]) -> dict[str, dict[str, Any]]:
    """Return the least microseconds at every accuracy, and by what: "bytes" or "flops".

    Every operand is read once and every result written once; products are done at the measured rate of large matrices, three
    for one where each number is split in two.
    """
    found = {}
    of_bytes = moved / measured["copy_TB_s"] / 1e6
    for name, (rate, products) in RATES.items():
        of_flops = products * flops / measured[rate] / 1e6
        by = "flops" if of_flops > of_bytes else "bytes"
        found[name] = {"us": max(of_bytes, of_flops), "by": by}
    return found


def reached(times: dict[str, float], flops: float, moved: int, measured: dict[str, float]) -> dict[str, Any]:
    """Return the limits, and how many per cent of its own every side reaches; small arrays stay in a cache, and reach more."""
    limits = limit(flops, moved, measured)
    return {"limit": limits, "reached": {name: 100 * limits[accuracy(name)]["us"] / us for name, us in times.items() if us}}
