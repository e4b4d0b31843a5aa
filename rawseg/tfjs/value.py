"""Value: what a translated operation writes, and how its elements lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Shape", "Value"]

Shape = tuple[int | None, ...]  # None: not known before the network runs


@dataclass(frozen=True)
class Value:
    """A result, or a constant.

    Attributes
    ----------
    name : str
        In the graph that is being made.
    shape : tuple
        As TensorFlow counts: images are (N, H, W, C).
    is_image : bool
        Whether it lies as (N, C, H, W) there, though its shape tells (N, H, W, C).
    array : ndarray, optional
        Of a constant, in TensorFlow's order.
    sizes : tuple, optional
        Of a list of whole numbers that is computed from shapes: what is known of them already.
    """

    name: str
    shape: Shape
    is_image: bool = False
    array: np.ndarray | None = None
    sizes: Shape | None = None

    @property
    def rank(self) -> int:
        """The number of axes."""
        return len(self.shape)
