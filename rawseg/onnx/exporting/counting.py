"""Whole numbers that are counted while the file runs."""

from __future__ import annotations

import numpy as np

from .model_builder import ModelBuilder

__all__ = ["numbers_below"]


def numbers_below(b: ModelBuilder, count: str) -> str:
    """Add 0, 1, 2 and so on, up to before a count, which is a vector of one int64 (``Range`` wants it without an axis)."""
    number = b.node("Reshape", count, b.constant(np.zeros(0, np.int64)))
    return b.node("Range", b.constant(0, np.int64), number, b.constant(1, np.int64))
