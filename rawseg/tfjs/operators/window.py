"""Windows over images as TensorFlow describes them: one number for each axis of (N, H, W, C), and paddings by name."""

from __future__ import annotations

from ..operation import Operation

__all__ = ["check_layout", "padding", "reduced", "spatial"]

Pair = tuple[int, int]
MOST = 2**31 - 1


def check_layout(operation: Operation) -> None:
    """Refuse images that lie otherwise than (N, H, W, C)."""
    layout = operation.text("data_format", "NHWC")
    if layout != "NHWC":
        operation.refuse("data_format", "NHWC", layout)


def spatial(operation: Operation, name: str, default: Pair | None = None) -> Pair:
    """Return the numbers of height and width among four."""
    if default is not None and name not in operation.attributes:
        return default
    numbers = operation.integers(name)
    if len(numbers) != 4 or numbers[0] != 1 or numbers[3] != 1 or not all(1 <= n <= MOST for n in numbers):
        operation.refuse(name, "(1, height, width, 1)", numbers)
    return numbers[1], numbers[2]


def padding(operation: Operation) -> tuple[Pair, Pair] | None:
    """Return what is added above and below, left and right; None for SAME, which follows from the size of the image."""
    kind = operation.text("padding")
    if kind == "SAME":
        return None
    if kind == "VALID":
        return (0, 0), (0, 0)
    numbers = operation.integers("explicit_paddings", ()) if kind == "EXPLICIT" else ()
    if len(numbers) != 8 or any(numbers[:2]) or any(numbers[6:]) or not all(0 <= n <= MOST for n in numbers):
        operation.refuse("padding", "SAME, VALID, or EXPLICIT with paddings of height and width", f"{kind} {numbers}")
    return (numbers[2], numbers[3]), (numbers[4], numbers[5])


def reduced(size: int | None, reach: int, stride: int, pads: Pair | None) -> int | None:
    """Return how many windows there are along an axis; None for an axis of unknown length."""
    if size is None:
        return None
    return -(-size // stride) if pads is None else max(0, (size + sum(pads) - reach) // stride + 1)
