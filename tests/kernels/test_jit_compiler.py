"""The compiler of kernels: what it leaves out must not be missed, and the first call must not wait for more than it needs."""

from __future__ import annotations

import gc
import operator
import os
import subprocess
import sys

import numpy as np
import pytest
from numba.core import types
from numba.core.caching import NullCache
from numba.core.errors import TypingError
from numba.core.typing.context import Context
from numba.extending import intrinsic

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

    with pytest.raises(TypingError, match=r"row\(\) is called by kernels, which count no arrays that they get"):
        first(np.ones((2, 2)))


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
    kernel_itself = written[summed].split("define")[1]
    assert "summed" in kernel_itself
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

@kernel
def one(number):
    return checked(number) + 1

@kernel
def two(number):
    return checked(number) + 2

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
from numba.core import event
import rawseg
from rawseg_kernels._jit_part import Part, Whole

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
