"""The compiler of kernels: what it leaves out must not be missed, and the first call must not wait for more than it needs."""

from __future__ import annotations

import gc
import operator
import os
import re
import subprocess
import sys

import numba
import numpy as np
import pytest
from numba.core import types
from numba.core.caching import NullCache
from numba.core.errors import TypingError
from numba.core.runtime import _nrt_python
from numba.core.runtime.nrt import rtsys
from numba.core.typing.context import Context
from numba.core.typing.templates import _OverloadFunctionTemplate
from numba.extending import intrinsic, overload

from rawseg_kernels._jit import inlined, kernel, piece
from rawseg_kernels._jit_part import Part, Whole


def fresh(dispatcher):
    """Return the function without its cache, so that it is compiled now."""
    dispatcher._cache = NullCache()
    return dispatcher


@fresh
@piece
def halved(number, less):
    return number // 2 - less


@inlined
def doubled(number):
    return 2 * number


@fresh
@kernel
def both(number):
    return halved(number, 0) + 100 * doubled(number) + 10000 * halved(number, 1)


def library_of(function):
    (compiled,) = function.overloads.values()
    return compiled.library


def test_what_only_kernels_call_is_a_part_of_them():
    assert both(7) == 3 + 1400 + 20000
    for function in (doubled, halved):
        for compiled in function.overloads.values():
            assert isinstance(compiled.library, Part)
            assert compiled.entry_point is compiled.library
    assert isinstance(library_of(both), Whole)
    assert not isinstance(library_of(both), Part)


def test_python_runs_parts_as_python():
    known = len(halved.overloads)
    assert (halved(9, 0), halved(9, less=2), doubled(number=1.5)) == (4, 2, 3.0)
    assert len(halved.overloads) == known


def test_a_part_returns_no_array():
    @piece
    def row(array):
        return array[0], 1

    @kernel
    def first(array):
        return row(array)[0][0]

    @piece
    def perhaps(array, index):
        if index:
            return array
        return None

    @kernel
    def chosen(array, index):
        found = perhaps(array, index)
        return 0.0 if found is None else found[0]

    with pytest.raises(TypingError, match=r"row\(\) is called by kernels, which count no arrays that they get"):
        first(np.ones((2, 2)))
    with pytest.raises(TypingError, match=r"perhaps\(\) is called by kernels"):
        chosen(np.ones(2), 1)


def test_who_counts_no_arrays_calls_nobody_who_returns_them():
    @fresh
    @kernel
    def made(number):
        return np.zeros(number)

    @fresh
    @kernel
    def filled(first, last, out):
        for task in range(first, last):
            out[task] = made(task + 1)[0]

    @fresh
    @kernel
    def filled_apart(first, last, out):
        spare = np.empty(1)
        for task in range(first, last):
            spare[0] = made(task + 1)[0]
            out[task] = spare[0]

    with pytest.raises(TypingError, match=r"filled\(\) makes no arrays, so it counts none"):
        filled(0, 2, np.ones(2))
    _nrt_python.memsys_enable_stats()
    out = np.ones(2)
    before = rtsys.get_allocation_stats()
    filled_apart(0, 2, out)
    after = rtsys.get_allocation_stats()
    assert out.tolist() == [0, 0]
    assert after.alloc - before.alloc == after.free - before.free >= 3


@numba.njit
def same(array):
    return array


@numba.njit
def first_of(array):
    return same(array)[0]


@numba.njit
def filled_twice(number):
    spare = np.full(number, 3.0)
    kept = same(spare)
    spare = np.full(number, 4.0)
    return kept.sum(), spare.sum()


def test_numbas_own_functions_count_whoever_called_them_before():
    @fresh
    @kernel
    def used(first, last, out):
        for task in range(first, last):
            out[task] = first_of(out) + 1

    @fresh
    @kernel
    def used_apart(first, last, out):
        spare = np.zeros(1)
        for task in range(first, last):
            out[task] = first_of(spare) + 1

    with pytest.raises(TypingError, match=r"first_of\(\) is compiled by numba.njit: what counts no arrays calls only"):
        used(0, 2, np.ones(2))
    out = np.zeros(2)
    used_apart(0, 2, out)
    assert out.tolist() == [1, 1]
    assert filled_twice(4) == (12, 16)


def test_what_makes_arrays_otherwise_is_told_the_rule():
    @fresh
    @kernel
    def ones(first, last, out):
        out[first] = np.ones(3)[0]

    @fresh
    @kernel
    def copied(first, last, out):
        out[first] = out.copy()[0]

    @fresh
    @kernel
    def failing(first, last, out):
        if last > 9:
            raise ValueError(last)

    for function in (ones, copied, failing):
        rule = rf"{function.__name__}\(\) is for threads or kernels, which count no arrays: make them by np.empty"
        with pytest.raises(TypingError, match=rule):
            function(0, 2, np.ones(2))


def test_functions_inside_are_compiled():
    @fresh
    @kernel
    def squares(number):
        return sum([i * i for i in range(number)])

    assert squares(4) == 14


@pytest.mark.parametrize("first", [True, False])
def test_other_makers_of_arrays_are_refused_whoever_called_them_before(first):
    @fresh
    @kernel
    def counting(number):
        return np.ones(number)[0]

    @fresh
    @kernel
    def ones(first, last, out):
        for task in range(first, last):
            out[task] = np.ones(task + 1)[0]

    if first:
        assert counting(2) == 1
    with pytest.raises(TypingError, match=r"ones\(\) is for threads or kernels, which count no arrays"):
        ones(0, 2, np.zeros(2))


@fresh
@kernel
def summed(first, last, a, out):
    for task in range(first, last):
        row = a[task]
        out[task] = row[0] + row[row.size - 1]


@fresh
@kernel
def summed_apart(first, last, a, out):
    spare = np.zeros(a.shape[1])
    for task in range(first, last):
        spare[:] = a[task]
        out[task] = spare.sum()


def test_kernels_count_only_the_arrays_that_they_make():
    a, out = np.arange(6.0).reshape(2, 3), np.zeros(2)
    summed(0, 2, a, out)
    assert out.tolist() == [2, 8]
    summed_apart(0, 2, a, out)
    assert out.tolist() == [3, 12]
    written = {function: library_of(function).get_llvm_str() for function in (summed, summed_apart)}
    assert "@NRT_decref" in written[summed_apart]
    ((_, compiled),) = summed.overloads.items()
    (kernel_itself,) = re.findall(rf'define [^\n]*"?{compiled.fndesc.llvm_func_name}"?\(.*?\n}}', written[summed], re.DOTALL)
    assert "fadd" in kernel_itself
    assert "NRT_" not in kernel_itself


@pytest.fixture
def seen():
    """Kernels that call ``look`` put down whether garbage was collected while they were compiled."""
    found = []

    @intrinsic
    def look(typing_context):
        def generate(context, builder, signature, arguments):
            found.append(gc.isenabled())
            return context.get_constant(types.int64, 0)

        return types.int64(), generate

    found.append(look)
    return found


@pytest.mark.parametrize("enabled", [True, False])
def test_nobody_looks_for_garbage_meanwhile(seen, enabled):
    look = seen.pop()

    @fresh
    @kernel
    def looking(number):
        return number + look()

    @kernel
    def failing(number):
        return number + look() + "text"

    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        assert looking(3) == 3
        assert (seen, gc.isenabled()) == ([False], enabled)
        with pytest.raises(TypingError):
            failing(3)
        assert gc.isenabled() == enabled
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is nothing to fork")
@pytest.mark.parametrize("enabled", [True, False])
def test_a_child_looks_for_garbage_whatever_its_parent_is_at(enabled):
    script = (
        "import gc, os, rawseg_kernels._jit_compiler as compiler\n"
        f"(gc.enable if {enabled} else gc.disable)()\n"
        "with compiler.no_collections():\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        f"        os._exit(gc.isenabled() != {enabled})\n"
        "    assert not gc.isenabled()\n"
        "    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_functions_of_arrays_are_made_ready_once(monkeypatch):
    built = []
    build = _OverloadFunctionTemplate._build_impl

    def noting(self, key, args, kws):
        built.append(getattr(self.key, "__func__", self.key))
        return build(self, key, args, kws)

    monkeypatch.setattr(_OverloadFunctionTemplate, "_build_impl", noting)

    def length(a):
        return len(a)

    @overload(length)
    def length_of(a):
        return lambda a: a.size

    def measuring():
        @fresh
        @kernel
        def measured(a):
            return length(a)

        return measured

    assert [measuring()(np.arange(3.0)) for _ in range(2)] == [3, 3]
    assert built.count(length) == 1


def test_arithmetic_is_asked_for_once(monkeypatch):
    asked = []
    resolve = Context.resolve_function_type

    def listening(self, func, args, kws):
        asked.append((getattr(func, "typing_key", None), args))
        return resolve(self, func, args, kws)

    monkeypatch.setattr(Context, "resolve_function_type", listening)

    @fresh
    @kernel
    def added(a, b):
        return (a - b) * (a - b) * (a - b) - b + max(a, 3, b) + min(b, 7) + max(b, 5)

    assert added(np.int16(5), np.int16(3)) == 8 - 3 + 5 + 3 + 5
    sums = [args for key, args in asked if key is operator.sub]
    assert len(sums) == len(set(sums))
    assert not [args for key, args in asked if key is max for argument in args if isinstance(argument, types.Literal)]


KEPT = """
import sys
from rawseg_kernels._jit import kernel, piece

@piece
def checked(number):
    if number < 0:
        raise ValueError("a negative number", 7)
    return number

@piece
def checked_twice(number):
    return checked(number) + checked(2 * number) - 2 * number

@kernel
def one(number):
    return checked_twice(number) + 1

@kernel
def two(number):
    return checked_twice(number) + 2

function = globals()[sys.argv[1]]
try:
    function(-1)
except ValueError as error:
    print(function(1), error.args, sum(checked.stats.cache_hits.values()), sum(checked.stats.cache_misses.values()))
"""


def in_a_new_process(folder, script, *arguments):
    variables = {**os.environ, "RAWSEG_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, check=True, env=variables)
    return done.stdout.splitlines()


def test_kept_parts_serve_other_kernels(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(KEPT)
    assert in_a_new_process(tmp_path, script, "one") == ["2 ('a negative number', 7) 0 1"]
    assert in_a_new_process(tmp_path, script, "two") == ["3 ('a negative number', 7) 1 0"]
    assert in_a_new_process(tmp_path, script, "two") == ["3 ('a negative number', 7) 0 0"]  # the kernel has it in it


FIRST = """
import sys
import rawseg
from rawseg_kernels._jit_part import Whole

compiled = []
finish = Whole._finalize_specific
def note(library):
    compiled.append(library.name)
    finish(library)
Whole._finalize_specific = note
size = int(sys.argv[1])
rawseg.functional.conv2d(rawseg.ones(1, 3, 256, 256), rawseg.ones(16, 3, size, size), padding=size // 2)
print(*sorted(compiled))
"""


@pytest.mark.parametrize(("size", "needed"), [(3, "_pack_rows correlate_tiles"), (1, "correlate_vectors pack_points")])
def test_the_first_convolution_compiles_what_it_needs(tmp_path, size, needed):
    script = tmp_path / "script.py"
    script.write_text(FIRST)
    assert in_a_new_process(tmp_path, script, str(size)) == [f"{needed} serve share"]
