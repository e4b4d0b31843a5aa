"""The one generator behind `rand`, `randn`, initialisers and dropout: seed it and everything repeats, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np

from .errors import ArgumentError, ArgumentTypeError

__all__ = ["generator", "get_rng_state", "manual_seed", "set_rng_state"]

_generator = np.random.Generator(np.random.PCG64())


def generator() -> np.random.Generator:
    """Return rawseg's own NumPy generator; NumPy's global one is never touched."""
    return _generator


def manual_seed(seed: int) -> None:
    """Start the generator anew, so that random numbers, initial weights and dropout repeat.

    Raises
    ------
    ArgumentTypeError
        If the seed is not an int.
    ArgumentError
        If it is negative.
    """
    global _generator
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)):
        raise ArgumentTypeError("manual_seed", "seed", "an int", repr(seed))
    if seed < 0:
        raise ArgumentError("manual_seed", "seed", "at least 0", seed)
    _generator = np.random.Generator(np.random.PCG64(int(seed)))


def get_rng_state() -> dict[str, Any]:
    """Return the generator's state: plain numbers and strings, fit for JSON."""
    return dict(_generator.bit_generator.state)


def set_rng_state(state: dict[str, Any]) -> None:
    """Continue from a state that `get_rng_state` returned."""
    _generator.bit_generator.state = state
