"""What every adapter promises: a function that takes and returns NumPy arrays, whatever it computes with."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import ArgumentError, ArgumentTypeError

Arrays = list[np.ndarray]
Given = Sequence[Any]  # NumPy arrays; None is an optional array that was left out
Options = Mapping[str, Any]


class GradientError(ArgumentError):
    """A function's gradients are too few or too many, or one has not the shape, the dtype or the kind of its input."""


class Adapter:
    """A function of anybody's, called with NumPy arrays.

    Attributes
    ----------
    function : callable
        What was adapted.
    name : str
        Its name, for messages.
    framework : str
        "rawseg", "torch", "numpy" or "cupy".
    device : str
        Where it computes.
    has_gradients, has_second : bool
        Whether there are first, and second derivatives to ask for.
    guessed : bool
        Whether nothing but the lack of another sign says that it takes NumPy's arrays.
    """

    framework = "numpy"
    device = "cpu"
    guessed = False
    has_gradients = True
    has_second = True

    def __init__(self, function: Any) -> None:
        self.function = function
        self.name: str = getattr(function, "__name__", None) or type(function).__name__

    @cached_property
    def signature(self) -> inspect.Signature | None:
        """What the function takes, of a layer its ``forward``; None if Python cannot tell, as of compiled functions."""
        own = inspect.unwrap(self.function)
        layer = not isinstance(own, type) and callable(getattr(own, "forward", None))
        try:
            return inspect.signature(own.forward if layer else self.function)
        except (TypeError, ValueError):
            return None

    def accepts(self, option: str) -> bool:
        """Return whether the function takes an argument of this name; one whose signature cannot be read takes every name."""
        if self.signature is None:
            return True
        kinds = [p.kind for p in self.signature.parameters.values()]
        named = self.signature.parameters.get(option)
        fits = named is not None and named.kind in (named.KEYWORD_ONLY, named.POSITIONAL_OR_KEYWORD)
        return fits or inspect.Parameter.VAR_KEYWORD in kinds

    def argument(self, position: int) -> str:
        """Return the name of a positional argument, "" if it has none."""
        parameters = list(self.signature.parameters.values()) if self.signature else []
        named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        return named[position] if position < len(named) else ""

    def values(self, arrays: Given, options: Options) -> Arrays:
        """Return all outputs of ``function(*arrays, **options)``."""
        raise NotImplementedError

    def gradients(self, arrays: Given, options: Options, wanted: Sequence[bool], directions: Arrays) -> Arrays:
        """Return the gradients of ``sum_i <output_i, direction_i>``, over the floating outputs, for each wanted array.

        Raises
        ------
        GradientError
            If the function's gradients are not what its arrays ask for.
        """
        raise NotImplementedError

    def second(self, arrays: Given, options: Options, wanted: Sequence[bool], directions: Arrays, seeds: Arrays) -> Arrays:
        """Return the gradients of ``sum_i <gradient_i, seed_i>`` for each wanted array, then for each direction."""
        raise NotImplementedError

    def outputs(self, result: Any, kinds: Any) -> list[Any]:
        """Return what a call returned as a list, or raise an ArgumentTypeError if it holds something else than arrays."""
        results = list(result) if isinstance(result, (tuple, list)) else [result]
        for position, one in enumerate(results):
            if not isinstance(one, kinds):
                expected = "a Tensor" if self.framework in ("rawseg", "torch") else f"an array of {self.framework}"
                raise ArgumentTypeError(self.name, f"output {position}", expected, type(one).__name__)
        return results

    def checked(self, position: int, array: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """Return the gradient of an input, or raise a GradientError if its shape or dtype is another."""
        for what in ("shape", "dtype"):
            want, got = getattr(array, what), getattr(gradient, what)
            if want != got:
                raise GradientError(self.name, f"gradient of input {position}", f"{what} {want}, the input's", got)
        return gradient
