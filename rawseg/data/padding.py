"""Whole images for a network that takes only some sizes: mirror the image, leave the rest of the mask uncounted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..models.tiling import mirror
from .dataset import Sample

__all__ = ["PadForModel"]


class PadForModel:
    """Pad a sample so that a model's output covers the whole image.

    Parameters
    ----------
    model : Module
        A `rawseg.models.Segmenter`.
    uncounted : int
        Class id of the padded pixels; losses and scores are told to ignore it.
    """

    def __init__(self, model: Any, uncounted: int) -> None:
        self.model, self.uncounted = model, uncounted

    def __call__(self, image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> Sample:
        """Return the sample in the next size that fits; ``rng`` is not used."""
        before = 0 if self.model.padded else self.model.halo  # valid convolutions eat this border
        height, width = mask.shape
        rows = mirror(-before, self.model.input_size(height) - before, height)
        columns = mirror(-before, self.model.input_size(width) - before, width)
        padded = np.full((len(rows), len(columns)), self.uncounted, np.int64)
        padded[before : before + height, before : before + width] = mask
        return np.ascontiguousarray(image[:, rows[:, None], columns]), padded
