"""Whether a result differs from the exact one by rounding, or by a mistake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import Signature, signature
from typing import Any, NamedTuple

import numpy as np

from ..errors import ArgumentError, ShapeError
from .case import Case
from .comparison import Comparison, compare
from .contracts import Contract, contract_of
from .definition import Definition
from .rounding import Arrays


class Explanation(NamedTuple):
    """What `explain` found: a `Comparison` for each output."""

    outputs: tuple[Comparison, ...]

    @property
    def partial(self) -> bool:
        """Whether only some elements were compared: those with the largest errors, where every one takes a pass of its own."""
        return any(output.unbounded for output in self.outputs)

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
        return "\n".join(lines)


def explain(op: str, inputs: Sequence[Any] | Mapping[str, Any], got: Any, **options: Any) -> Explanation:
    """Compare a result with the exact one and with how far rounding can take it, whoever computed it and in whichever order.

    Parameters
    ----------
    op : str
        Public name in `rawseg.functional` or `rawseg.ops`.
    inputs : sequence of array_like, or mapping of str to array_like
        The array arguments, in the order of the signature or by name, as the result was computed from them: arrays or tensors
        of any library, or lists of numbers. None leaves an optional one out.
    got : array_like, or a sequence of them
        The result, or all of several outputs, in the dtype that it was computed in; lists of numbers are float64.
    **options
        The other arguments of the operation.

    Returns
    -------
    Explanation
        ``str`` of it says "inside the provable bound (ratio 0.31)", or "cannot be rounding" and where.

    Raises
    ------
    ArgumentError, ShapeError
        If there is no such operation, arguments of it are missing or too many, or the result has another shape or number of
        outputs than the operation gives, or is no float32 or float64.

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
    contract = contract_of(op, "explain")
    case, exact = _case(contract, inputs, options), Definition(contract)
    want = exact.values(case)
    results = _results(got, [one.shape for one in want])
    dtype = next((g.dtype for g in results if g.dtype.kind == "f"), np.dtype(np.float64))
    if dtype not in (np.float32, np.float64):
        raise ArgumentError("explain", "got", "a result in float32 or float64", dtype)
    bounds = contract.rounding.of_values(exact, case, want, dtype, results)
    return Explanation(tuple(map(compare, results, want, bounds)))


def _case(contract: Contract, inputs: Any, options: dict[str, Any]) -> Case:
    """Return the call; it has every argument that the operation needs, and none that it does not have."""
    parameters, names = signature(contract.function), contract.arrays()
    if isinstance(inputs, Mapping):
        arrays = dict(inputs)
    else:
        taken, given = [name for name in names if name not in options], list(inputs)
        if len(given) > len(taken):
            raise ArgumentError("explain", "inputs", f"{len(taken)} arrays at most ({', '.join(taken)})", f"{len(given)}")
        arrays = dict(zip(taken, given))
    arrays |= {name: options[name] for name in options if name in names}
    if strange := [name for name in arrays if name not in names]:
        raise ArgumentError("explain", "inputs", f"arrays named {', '.join(names)}", ", ".join(map(repr, strange)))
    options = {name: value for name, value in options.items() if name not in names}
    try:
        parameters.bind(**arrays, **options)
    except TypeError as error:
        expected = f"with the options what {contract.op}{_shown(parameters)} takes"
        raise ArgumentError("explain", "inputs", expected, f"a call with {error}") from error
    arrays = {name: arrays[name] for name in names if name in arrays}
    return Case(contract.op, {name: None if a is None else _array(a, "inputs") for name, a in arrays.items()}, options)


def _shown(parameters: Signature) -> str:
    return f"({', '.join(parameters.parameters)})"


def _array(values: Any, argument: str) -> np.ndarray:
    """Return an array of NumPy, of a tensor that records a graph or lies on a GPU too."""
    for step in ("detach", "cpu", "get"):
        values = getattr(values, step)() if hasattr(values, step) else values
    try:
        return np.asarray(values)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            "explain", argument, "what NumPy makes an array of", f"{type(values).__name__} ({error})"
        ) from error


def _results(got: Any, shapes: list[tuple[int, ...]]) -> Arrays:
    """Return the outputs: a single one may be nested lists of numbers, or the only element of a sequence."""
    several = isinstance(got, (tuple, list)) and len(got) == len(shapes)
    if len(shapes) == 1 and not (several and np.shape(got[0]) == shapes[0] and shapes[0]):
        got = [got]
    elif not several:
        raise ArgumentError("explain", "got", f"a sequence of {len(shapes)} outputs", type(got).__name__)
    results = [_array(one, "got") for one in got]
    if [one.shape for one in results] != shapes:
        raise ShapeError("explain", "got", f"shapes {shapes}", [one.shape for one in results])
    return results
