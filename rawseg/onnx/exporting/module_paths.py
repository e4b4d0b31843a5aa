"""Which module of a network is running: kept by hooks, so that every operation can be told where it belongs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["following", "spelled"]


@contextmanager
def following(model: Any) -> Iterator[list[str]]:
    """Give a list whose last entry is, inside the ``with`` block, the dotted path of the innermost module that runs."""
    running = [""]
    handles = []

    def entered(path: str) -> Any:
        return lambda _module, _args: running.append(path)

    def left(_module: Any, _args: Any, _out: Any) -> None:
        running.pop()

    for path, module in model.named_modules() if hasattr(model, "named_modules") else ():
        handles += [module.register_forward_pre_hook(entered(path)), module.register_forward_hook(left)]
    try:
        yield running
    finally:
        for handle in handles:
            handle.remove()


def spelled(path: str) -> str:
    """Return a dotted path as the beginning of node names: "/encoder/features.0/conv".

    Examples
    --------
    >>> spelled("encoder.features.0.conv"), spelled("")
    ('/encoder/features.0/conv', '')
    """
    parts: list[str] = []
    for part in path.split(".") if path else ():
        if part.isdecimal() and parts:
            parts[-1] += f".{part}"
        else:
            parts.append(part)
    return "".join(f"/{part}" for part in parts)
