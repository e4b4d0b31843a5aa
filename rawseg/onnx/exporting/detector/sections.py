"""Sections: parts of a network that are recorded by themselves, and written into one graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....autograd import Tensor
from ..agreement import agreed
from ..model_builder import ModelBuilder
from ..plain import refuse_untranslated, state_of
from ..recording import record
from ..simplification import simplified
from ..writer import Writer

__all__ = ["ROWS", "some_boxes", "write_section"]

ROWS = 3, 4  # of the examples of a section that takes any number of regions: the number follows the input


def write_section(
    builder: ModelBuilder,
    model: Any,
    run: Callable[..., Any],
    examples: Sequence[Sequence[np.ndarray]],
    given: Sequence[str],
) -> list[str]:
    """Record a function of some layers and write it.

    Parameters
    ----------
    builder : ModelBuilder
        Receives the nodes.
    model : Module
        The whole network, for names.
    run : callable
        ``run(*Tensors)`` returns Tensors.
    examples : sequence of sequence of ndarray
        Inputs to record on; what differs among them follows the input.
    given : sequence of str
        Names of the inputs in the graph.

    Returns
    -------
    list of str
        Names of what ``run`` returns.
    """
    state = state_of(model)
    recordings = [record(model, run, state, [Tensor(array) for array in example])[0] for example in examples]
    program = simplified(agreed(recordings))
    refuse_untranslated(program)
    return Writer(builder, program, {value.number: name for value, name in zip(program.inputs, given)}).run()


def some_boxes(count: int, dtype: Any) -> np.ndarray:
    """Return boxes to record on, all different, shape (count, 4)."""
    start = np.arange(2 * count).reshape(count, 2)
    return np.concatenate([start, 3 * start + 5], 1).astype(dtype)
