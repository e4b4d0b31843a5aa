"""How many additions lead to one result of a smooth function: of a softmax, a norm, or a loss; see `rawseg.testing.rounding`.

A mean and then a variance, sums of as many elements as are normalised together, lead to every output of a norm: twice their
number. Back through both are two more such sums, and a weight's gradient sums over all images and positions.
"""

from __future__ import annotations

import math

import numpy as np

from ..case import Case


def over_softmax(case: Case) -> int:
    """Return those of a row's exponentials."""
    return case.arrays["input"].shape[case.options["dim"]]


def over_softmax_gradient(case: Case) -> int:
    """Return those of the row, and of the row of products with gradients."""
    return 2 * over_softmax(case)


def over_layer(case: Case) -> int:
    """Return those of a mean and a variance of the last axes."""
    return 2 * int(np.prod(case.options["normalized_shape"]))


def over_layer_gradient(case: Case) -> int:
    """Return those of two more such sums, and of all rows."""
    return 2 * over_layer(case) + 2 * case.arrays["input"].size // max(1, over_layer(case))


def over_batch(case: Case) -> int:
    """Return those of a mean and a variance of a channel; given ones take none."""
    return over_statistics(case) if case.options.get("training", False) else 0


def over_batch_gradient(case: Case) -> int:
    """Return those of two more such sums."""
    return 2 * over_statistics(case)


def over_group(case: Case) -> int:
    """Return those of a mean and a variance of a group of one image."""
    x = case.arrays["input"]
    return 2 * x.size // max(1, x.shape[0] * case.options["num_groups"])


def over_group_gradient(case: Case) -> int:
    """Return those of two more such sums, and of a channel of all images."""
    return 2 * over_group(case) + over_statistics(case)


def over_image(case: Case) -> int:
    """Return those of a mean and a variance of a channel of one image; given ones take none."""
    return 2 * math.prod(case.arrays["input"].shape[2:]) if case.options.get("use_input_stats", True) else 0


def over_image_gradient(case: Case) -> int:
    """Return those of two more such sums, and of a channel of all images."""
    return 2 * over_image(case) + over_statistics(case)


def over_statistics(case: Case) -> int:
    """Return those of a mean and a variance of a channel of all images."""
    x = case.arrays["input"]
    return 2 * x.size // max(1, x.shape[1])


def over_elements(case: Case, usual: str = "mean") -> int:
    """Return those of a sum over all elements; their mean is divided by how many there are."""
    return 0 if case.options.get("reduction", usual) == "none" else case.values[0].size


def over_classes(case: Case) -> int:
    """Return those of the classes' exponentials and of smoothed labels, and then of two sums over all positions.

    A weighted mean is the sum of losses by the sum of their weights.
    """
    x = case.arrays["input"]
    classes = x.shape[1 if x.ndim > 1 else 0]
    positions = 0 if case.options.get("reduction", "mean") == "none" else x.size // max(1, classes)
    return 2 * classes + 2 * positions


def over_masks(case: Case) -> int:
    """Return those of an overlap and then of what it is divided by, and of the mean of overlaps."""
    x = case.arrays["input"]
    pixels, per = x.size // max(1, x.shape[0] * x.shape[1]), case.options.get("per", "image-class")
    together = (
        pixels * (1 if per in ("image-class", "class") else x.shape[1]) * (x.shape[0] if per in ("class", "batch") else 1)
    )
    overlaps = 0 if case.options.get("reduction", "mean") == "none" else x.size // max(1, together)
    return 2 * together + overlaps


def over_ranks(case: Case) -> int:
    """Return those of Lovász's extension: two sums along the ranks of all elements, and the products with errors."""
    return 3 * case.arrays["input"].size
