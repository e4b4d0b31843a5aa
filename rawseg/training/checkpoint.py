"""A training checkpoint: one file with weights, buffers, optimizer slots, schedule, random state and position.

The arrays are named ``model.<key>`` and ``optimizer.<position>.<slot>``; all that is not an array is in the manifest's
state. Loading checks everything first and then changes everything, so a checkpoint that does not fit changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .. import random
from ..errors import CheckpointError
from ..models.weights import MODEL_PREFIX, of_model
from ..nn.state import check as check_weights
from ..optim import Optimizer
from ..optim.lr_scheduler import LRScheduler
from ..serialization import load_arrays, save_arrays

__all__ = ["load_checkpoint", "save_checkpoint"]

KIND = "checkpoint"
OPTIMIZER = "optimizer."


def save_checkpoint(
    path: str | os.PathLike[str],
    model: Any,
    optimizer: Optimizer,
    schedule: LRScheduler | None = None,
    state: Mapping[str, Any] | None = None,
) -> None:
    """Write everything that a run needs to continue with the same bits.

    Parameters
    ----------
    path : str or path
        A .safetensors file, replaced in one step.
    model : Module
        Whose parameters and buffers are kept.
    optimizer : Optimizer
        Whose slots and options are kept.
    schedule : LRScheduler, optional
        Whose position is kept.
    state : dict, optional
        Anything else that JSON can hold, e.g. epoch and batch.

    Raises
    ------
    CheckpointError
        If the file cannot be written; a file that was there is as it was.
    """
    arrays: dict[str, Any] = {MODEL_PREFIX + name: tensor for name, tensor in model.state_dict().items()}
    saved, numbers = optimizer.state_dict(), {}
    for position, slots in saved["state"].items():
        for name, value in slots.items():
            if isinstance(value, (int, float)):
                numbers.setdefault(str(position), {})[name] = value
            else:
                arrays[f"{OPTIMIZER}{position}.{name}"] = value
    everything = {
        "optimizer": {"rule": optimizer.name, "param_groups": saved["param_groups"], "numbers": numbers},
        "schedule": None if schedule is None else schedule.state_dict(),
        "rng": {"rawseg": random.get_rng_state()},
        "user": dict(state or {}),
    }
    save_arrays(path, arrays, KIND, everything)


def load_checkpoint(
    path: str | os.PathLike[str],
    model: Any,
    optimizer: Optimizer,
    schedule: LRScheduler | None = None,
    check: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Continue from a checkpoint: model, optimizer, schedule and rawseg's generator.

    Parameters
    ----------
    path : str or path
        What `save_checkpoint` wrote.
    model, optimizer, schedule
        Made as they were for the run that is continued.
    check : callable, optional
        Given the state, before anything changes; raises a CheckpointError if it does not fit either.

    Returns
    -------
    state : dict
        As given to `save_checkpoint`.

    Raises
    ------
    CheckpointError
        If the file is damaged or does not fit; the message lists every key that is missing, unexpected or different.
        Then nothing has changed.
    """
    arrays, state = load_arrays(path, KIND)
    weights = of_model(arrays)
    try:
        check_weights(model, weights, strict=True)
        fitted = optimizer.fitted(_optimizer_state(optimizer, state["optimizer"], arrays))
        if (schedule is None) != (state["schedule"] is None):
            expected = "a schedule as in the run that is continued"
            raise CheckpointError("resume", "schedule", expected, "none" if schedule is None else "one, where there was none")
        if schedule is not None:
            schedule.check_state(state["schedule"])
        np.random.PCG64().state = state["rng"]["rawseg"]  # refuses what is no state of this generator
        user = dict(state["user"])
        if check is not None:
            check(user)
    except CheckpointError as error:
        raise CheckpointError("resume", f"{path}: {error.argument}", error.expected, error.got) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError("resume", str(path), "a checkpoint's state", f"{type(error).__name__}: {error}") from error
    model.load_state_dict(weights)
    optimizer.adopt(fitted)
    if schedule is not None:
        schedule.load_state_dict(state["schedule"])
    random.set_rng_state(state["rng"]["rawseg"])
    return user


def _optimizer_state(optimizer: Optimizer, saved: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Put numbers and arrays together again."""
    if saved["rule"] != optimizer.name:
        raise CheckpointError("resume", "optimizer", f"{optimizer.name}, as it is now", saved["rule"])
    slots: dict[int, dict[str, Any]] = {int(position): dict(numbers) for position, numbers in saved["numbers"].items()}
    for name, array in arrays.items():
        if name.startswith(OPTIMIZER):
            position, _, slot = name.removeprefix(OPTIMIZER).partition(".")
            slots.setdefault(int(position), {})[slot] = array
    return {"state": slots, "param_groups": saved["param_groups"]}
