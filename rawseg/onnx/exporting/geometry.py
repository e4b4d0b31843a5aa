"""Geometry of windows: pairs, and sizes as they were in each recording."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .program import Step, Varying
from .writer import refuse

__all__ = ["both", "in_each_recording", "pads_of"]


def both(value: Any) -> tuple[int, int]:
    """Return ``(height, width)`` of an int or a pair."""
    return (value[0], value[1]) if isinstance(value, (tuple, list)) else (value, value)


def pads_of(padding: Any, kernel_size: tuple[int, int], dilation: tuple[int, int]) -> list[int]:
    """Return ONNX's pads, ``[top, left, bottom, right]``, of an int, a pair, "valid" or "same"."""
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, kernel_size)]
        return [n // 2 for n in total] + [n - n // 2 for n in total]
    return [0, 0, 0, 0] if padding == "valid" else [*both(padding), *both(padding)]


def in_each_recording(step: Step, what: str, function: Callable[..., Any], *sizes: Any) -> Any:
    """Return ``function(*sizes)`` if it is the same for the sizes of every recording, or raise."""
    counts = {len(size.numbers) for size in sizes if isinstance(size, Varying)}
    found = [function(*_numbers(sizes, i)) for i in range(max(counts, default=1))]
    if any(one != found[0] for one in found):
        refuse(step, f"{what} that does not follow the size of the input", f"{found[0]}, then {found[-1]}")
    return found[0]


def _numbers(sizes: Sequence[Any], recording: int) -> list[int]:
    return [size.numbers[recording] if isinstance(size, Varying) else size for size in sizes]
