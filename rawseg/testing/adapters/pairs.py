"""The adapter of a function on NumPy's or CuPy's arrays that has its gradient beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import ArgumentError, BackendError
from .adapter import Adapter, Arrays, Given, GradientError, Options

NAMES = {"numpy": "NumPy", "cupy": "CuPy"}


class PairAdapter(Adapter):
    """``function(*arrays, **options)`` and, perhaps, ``backward(grad_output, *arrays, **options)``.

    Parameters
    ----------
    function, backward : callable
        As in `adapt`.
    framework : str
        "numpy": arrays are handed over as they are. "cupy": they are made and fetched by a module.
    module : module, optional
        With ``asarray`` and ``asnumpy``, in CuPy's place.
    """

    has_second = False

    def __init__(
        self,
        function: Callable[..., Any],
        backward: Callable[..., Any] | None = None,
        framework: str = "numpy",
        module: Any = None,
    ) -> None:
        super().__init__(function)
        self.framework = framework
        self.backward = backward
        self.has_gradients = backward is not None
        self._module = None if framework == "numpy" else module or _cupy()
        self._kinds = (np.ndarray, np.generic) if self._module is None else getattr(self._module, "ndarray", object)

    def values(self, arrays: Given, options: Options) -> Arrays:
        """Return all outputs."""
        return self._called([self._handed(array) for array in arrays], options)

    def gradients(self, arrays: Given, options: Options, wanted: Sequence[bool], directions: Arrays) -> Arrays:
        """Return the gradient for each wanted array."""
        if self.backward is None:
            expected = "a function that returns the gradients: backward(grad_output, *arrays, **options)"
            raise ArgumentError(self.name, "backward", expected, None)
        ways = [self._handed(direction) for direction in directions]
        given = [self._handed(array) for array in arrays]
        result = self.backward(ways[0] if len(ways) == 1 else tuple(ways), *given, **options)
        answer = list(result) if isinstance(result, (tuple, list)) else [result]
        while len(answer) > len(arrays) and answer[-1] is None:  # of an optional array that the call did without
            answer.pop()
        if len(answer) != len(arrays):
            raise GradientError(self.name, "backward", f"{len(arrays)} gradients, one for each array", len(answer))
        flags = enumerate(zip(arrays, answer, wanted, strict=True))
        return [self._gradient(position, array, gradient) for position, (array, gradient, flag) in flags if flag]

    def second(self, arrays: Given, options: Options, wanted: Sequence[bool], directions: Arrays, seeds: Arrays) -> Arrays:
        """Refuse: a gradient that is written in arrays has no gradient of its own."""
        expected = "a function of rawseg or PyTorch: a function and its backward on arrays have no second derivative"
        raise ArgumentError(self.name, "function", expected, f"a {NAMES[self.framework]} function with a written backward")

    def _gradient(self, position: int, array: np.ndarray, gradient: Any) -> np.ndarray:
        if gradient is None:
            expected = f"an array of shape {array.shape} (what has no gradient is given among the options)"
            raise GradientError(self.name, f"gradient of input {position}", expected, None)
        if not isinstance(gradient, self._kinds):
            expected = f"an array of {self.framework}"
            raise GradientError(self.name, f"gradient of input {position}", expected, type(gradient).__name__)
        return self.checked(position, array, self._fetched(gradient))

    def _called(self, given: list[Any], options: Options) -> Arrays:
        return [self._fetched(output) for output in self.outputs(self.function(*given, **options), self._kinds)]

    def _handed(self, array: Any) -> Any:
        return array if array is None or self._module is None else self._module.asarray(array)

    def _fetched(self, array: Any) -> np.ndarray:
        """Return a copy: a function may write its next result into the same memory."""
        return np.array(array if self._module is None else self._module.asnumpy(array))


def _cupy() -> Any:
    try:
        import cupy  # type: ignore[import-not-found]
    except ImportError:
        install = "CuPy to be installed: pip install 'rawseg[cuda12]'"
        raise BackendError("adapt", "framework", install, "no cupy module") from None
    return cupy
