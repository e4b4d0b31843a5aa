"""The same bits twice, on any number of threads, and right results whatever the strides of the arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rawseg_kernels import _threads

from ..case import Case
from ..repeating import unequal_bits
from .checks import directions_of, gradients, values, wanted_names
from .outcome import Failure, failure_of
from .subject import Answer, Arrays, Subject

Layout = Callable[[np.ndarray], np.ndarray]


def repeatable(subject: Subject, case: Case) -> None:
    """Compare the bits of two calls: of the outputs, of what the operation writes to, and of the gradients."""
    first, again = (subject.call("values", case) for _ in range(2))
    _same(case, [f"output {i}" for i in range(len(first.results))], first.results, again.results)
    names = [f"{name} after the call" for name, flag in zip(case.arrays, case.arguments(*subject.contract.writes)) if flag]
    _same(case, names, _written(subject, case, first), _written(subject, case, again))
    if subject.differentiable(case):
        directions = directions_of(subject.exact.values(case), case)
        first, again = (subject.call("gradients", case, directions) for _ in range(2))
        _same(case, [f"gradient of {name}" for name in wanted_names(subject, case)], first.results, again.results)


def _written(subject: Subject, case: Case, answer: Answer) -> Arrays:
    return [array for array, flag in zip(answer.arrays, case.arguments(*subject.contract.writes)) if flag]


def _same(case: Case, names: list[str], first: Arrays, again: Arrays) -> None:
    if said := unequal_bits(names, first, again):
        raise failure_of("two runs differ", said, case)


def any_threads(subject: Subject, case: Case) -> None:
    """Compare the bits of rawseg's results on one, two and four threads, however small the arrays."""
    directions = directions_of(subject.exact.values(case), case)
    threads, serial, found = _threads.get_num_threads(), _threads.SERIAL_WORK, []
    _threads.SERIAL_WORK = 0
    try:
        for count in (1, 2, 4):
            _threads.set_num_threads(count)
            run = subject.call("values", case).results
            if any(subject.wanted(case)):
                run += subject.call("gradients", case, directions).results
            found.append([array.tobytes() for array in run])
    finally:
        _threads.set_num_threads(threads)
        _threads.SERIAL_WORK = serial
    if not found[0] == found[1] == found[2]:
        raise Failure("results differ between one, two and four threads", case)


def any_strides(subject: Subject, case: Case) -> None:
    """Compare values and gradients where arrays, and the gradients of the outputs, lie in memory in other ways.

    Who has the bits of C-contiguous arrays, which are compared first, is right; others need only be within the bounds, too.
    """
    directions = directions_of(subject.exact.values(case), case)
    _compared(subject, case, directions)
    bits = _bits(subject, case, directions)
    for name, laid_out in LAYOUTS.items():
        arrays = {name: None if array is None else laid_out(array) for name, array in case.arrays.items()}
        other = Case(case.op, arrays, case.options)
        ways = [laid_out(direction) for direction in directions]
        try:
            if _bits(subject, other, ways) != bits:
                _compared(subject, other, ways)
            if laid_out is _without_strides and subject.differentiable(case):  # as the gradient of a sum is
                gradients(subject, other, [laid_out(np.full_like(direction, 3)) for direction in directions])
        except Failure as failure:
            raise failure_of(f"arrays that are {name}", failure.message, failure.case) from failure


def _compared(subject: Subject, case: Case, directions: Arrays) -> None:
    """Compare with the definition."""
    values(subject, case)
    if subject.differentiable(case):
        gradients(subject, case, directions)


def _bits(subject: Subject, case: Case, directions: Arrays) -> list[tuple[tuple[int, ...], np.dtype, bytes]]:
    """Return all that an implementation answers, and what it writes."""
    answer = subject.call("values", case)
    arrays = answer.results + _written(subject, case, answer)
    if subject.differentiable(case):
        arrays += subject.call("gradients", case, directions).results
    return [(array.shape, array.dtype, array.tobytes()) for array in arrays]


def _column_major(array: np.ndarray) -> np.ndarray:
    return np.array(array, order="F")  # np.asfortranarray gives a number alone an axis


def _every_second(array: np.ndarray) -> np.ndarray:
    wide = np.zeros([2 * size for size in array.shape], array.dtype)
    view = wide[(*[slice(None, None, 2)] * array.ndim, ...)]
    view[...] = array
    return view


def _backwards(array: np.ndarray) -> np.ndarray:
    turned = (*[slice(None, None, -1)] * array.ndim, ...)
    return array[turned].copy()[turned]


def _read_only(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.flags.writeable = False
    return copy


def _without_strides(array: np.ndarray) -> np.ndarray:
    """Return the array with a stride of 0 along every axis along which all elements are equal."""
    for axis in range(array.ndim):
        once = np.broadcast_to(array[(*[slice(None)] * axis, slice(1))], array.shape) if array.size else array
        array = once if once.tobytes() == array.tobytes() else array
    return array


LAYOUTS: dict[str, Layout] = {
    "column-major": _column_major,
    "every second element of larger ones": _every_second,
    "reversed in memory": _backwards,
    "read-only": _read_only,
    "broadcast": _without_strides,
}
