"""Whether a result differs from the exact one by rounding, or by a mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, ShapeError
from .case import Case
from .comparison import Comparison, compare
from .contracts import contract_of
from .definition import Definition
from .rounding import Arrays, Smooth

MOST = 1024  # elements of a smooth function that are looked at one by one: those with the largest errors


class Explanation(NamedTuple):
    """What `explain` found: a `Comparison` for each output.

    ``partial`` tells that only the elements with the largest errors were compared with their bounds.
    """

    outputs: tuple[Comparison, ...]
    partial: bool = False

    @property
    def is_rounding(self) -> bool:
        """Whether rounding explains everything."""
        return all(output.explained for output in self.outputs)

    @property
    def ratio(self) -> float:
        """The largest error in parts of its bound."""
        return max(output.ratio for output in self.outputs)

    def __str__(self) -> str:
        lines = [str(output) for output in self.outputs]
        if len(lines) > 1:
            lines = [f"output {position}: {line}" for position, line in enumerate(lines)]
        return "\n".join(lines) + (f" (of the {MOST} elements with the largest errors)" if self.partial else "")


def explain(op: str, inputs: Sequence[Any] | Mapping[str, Any], got: Any, **options: Any) -> Explanation:
    """Compare a result with the exact one and with how far rounding can take it, whoever computed it and in whichever order.

    Parameters
    ----------
    op : str
        Public name in `rawseg.functional` or `rawseg.ops`.
    inputs : sequence of array_like, or mapping of str to array_like
        The array arguments, in the order of the signature or by name, as the result was computed from them.
    got : array_like, or a sequence of them
        The result, in the dtype that it was computed in.
    **options
        The other arguments of the operation.

    Returns
    -------
    Explanation
        ``str`` of it says "inside the provable bound (ratio 0.31)", or "cannot be rounding" and where.

    Raises
    ------
    ArgumentError, ShapeError
        If there is no such operation, or the result has another shape than the operation gives.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x, weight = (rng.standard_normal(shape).astype(np.float32) for shape in ((1, 8, 9, 9), (4, 8, 3, 3)))
    >>> windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (2, 3))  # (1, 8, 7, 7, 3, 3)
    >>> mine = np.einsum("nchwij,kcij->nkhw", windows, weight)
    >>> explain("conv2d", [x, weight], mine).is_rounding
    True
    >>> mine[0, 3, 6, 6] *= 1.001
    >>> print(str(explain("conv2d", [x, weight], mine)).partition(":")[0])
    cannot be rounding
    """
    contract = contract_of(op)
    if not isinstance(inputs, Mapping):
        names = [name for name in signature(contract.function).parameters if name not in options]
        inputs = dict(zip(names, inputs))
    arrays = {name: None if array is None else np.asarray(array) for name, array in inputs.items()}
    case, exact = Case(op, arrays, options), Definition(contract)
    results = [np.asarray(one) for one in (got if isinstance(got, (tuple, list)) else [got])]
    want = exact.values(case)
    if [one.shape for one in results] != [other.shape for other in want]:
        raise ShapeError("explain", "got", f"shapes {[w.shape for w in want]}", [g.shape for g in results])
    dtype = next((g.dtype for g in results if g.dtype.kind == "f"), np.dtype(np.float64))
    if dtype not in (np.float32, np.float64):
        raise ArgumentError("explain", "got", "a result in float32 or float64", dtype)
    errors = [_errors(one, other) for one, other in zip(results, want)]
    bounds, partial = _bounds(exact, case, want, errors, dtype)
    return Explanation(tuple(map(compare, results, want, bounds)), partial)


def _errors(got: np.ndarray, want: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.abs(np.asarray(got, np.float64) - np.asarray(want, np.float64))


def _bounds(exact: Definition, case: Case, want: Arrays, errors: Arrays, dtype: Any) -> tuple[Arrays, bool]:
    """Return a bound for every element; of a large result of a smooth function, for the elements that err most."""
    rule = exact.contract.rounding
    if not isinstance(rule, Smooth) or all(one.size <= MOST for one in want):
        return rule.of_values(exact, case, want, dtype), False
    where = [one >= np.partition(one.ravel(), max(one.size - MOST, 0))[max(one.size - MOST, 0)] for one in errors]
    return rule.of_values(exact, case, want, dtype, where), True
