"""How Python enters a kernel: alone, or with other threads, and always through the same machine code.

A kernel ``kernel(first, last, *arrays)`` that Python calls with a negative ``first`` is run by ``-first`` threads for all tasks
below ``last``. Its arguments are laid out once, in the *context*, for the *trampoline*: machine code that any thread can call
for some of the tasks, without Python and its lock.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.core.callconv import excinfo_ptr_t
from numba.core.errors import TypingError

from ._desk import DESK, SHARE

_WORD, _CODE = ir.IntType(64), ir.IntType(32)
_SYMBOL = "rawseg_desk"
SCRATCH = "scratch"  # a third argument of this name is a flat array, of which each thread sees a piece of its own

binding.add_symbol(_SYMBOL, DESK)  # so that machine code from the disk finds it, too


def is_shared(names: Any) -> bool:
    """Say whether a function with these names of arguments is one whose tasks threads can share."""
    return tuple(names[:2]) == ("first", "last")


def shared_entry(target: Any, module: ir.Module, kernel: ir.Function, description: Any) -> ir.Function:
    """Return a function to be called like ``kernel`` that shares the tasks out if ``first`` is negative."""
    entry = ir.Function(module, kernel.function_type, f"{kernel.name}.entry")
    entry.linkage = "internal"
    builder = ir.IRBuilder(entry.append_basic_block())
    given = entry.args[2:]
    kind = ir.LiteralStructType([_WORD, excinfo_ptr_t, _WORD, *(argument.type for argument in given)])
    context = cgutils.alloca_once(builder, kind)
    first, last = given[0], given[1]
    desk = ir.GlobalVariable(module, ir.ArrayType(_WORD, SHARE + 1), _SYMBOL)
    share = builder.load(cgutils.gep_inbounds(builder, desk, 0, SHARE))
    positive = builder.icmp_signed(">=", first, _WORD(0))
    alone = builder.or_(positive, builder.icmp_unsigned("==", share, _WORD(0)))  # 0: nobody has opened the desk yet
    start = builder.select(positive, first, _WORD(0))
    threads = builder.select(alone, _WORD(1), builder.neg(first))
    for i, value in enumerate([_WORD(0), ir.Constant(excinfo_ptr_t, None), threads, *given]):
        builder.store(value, cgutils.gep_inbounds(builder, context, 0, i))
    trampoline = _trampoline(target, module, kernel, description, kind)
    where = builder.ptrtoint(context, _WORD)
    with builder.if_else(alone) as (single, several):
        with single:
            builder.call(trampoline, [where, _WORD(0), start, last])
        with several:
            shares = ir.FunctionType(_CODE, [_WORD.as_pointer(), excinfo_ptr_t.as_pointer(), *[_WORD] * 5]).as_pointer()
            unused = [cgutils.alloca_once(builder, _WORD), cgutils.alloca_once(builder, excinfo_ptr_t)]
            places = [builder.ptrtoint(place, _WORD) for place in (desk, trampoline)]
            builder.call(builder.inttoptr(share, shares), [*unused, *places, where, threads, last])
    error = builder.load(cgutils.gep_inbounds(builder, context, 0, 1))
    builder.store(error, entry.args[1])
    builder.ret(builder.trunc(builder.load(cgutils.gep_inbounds(builder, context, 0, 0)), _CODE))
    return entry


def _trampoline(target: Any, module: ir.Module, kernel: ir.Function, description: Any, kind: Any) -> ir.Function:
    """Return a function of (context, number of the thread, first, last) that runs the kernel for these tasks."""
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [_WORD] * 4), f"{kernel.name}.trampoline")
    function.linkage = "internal"
    where, thread, first, last = function.args
    builder = ir.IRBuilder(function.append_basic_block())
    context = builder.inttoptr(where, kind.as_pointer())
    status, error, threads, *given = (cgutils.gep_inbounds(builder, context, 0, i) for i in range(len(kind.elements)))
    failed = builder.icmp_unsigned("!=", builder.load_atomic(status, "monotonic", 8), _WORD(0))
    with builder.if_then(failed, likely=False):  # an earlier task has: the caller only waits to raise its error
        builder.ret_void()
    packer = target.get_arg_packer(description.argtypes)
    arguments = list(packer.from_arguments(builder, [builder.load(place) for place in given]))
    arguments = [_lent(target, builder, *argument) for argument in zip(description.argtypes, arguments)]
    arguments[:2] = first, last
    if description.args[2:3] == (SCRATCH,):
        arguments[2] = _piece(target, builder, description.argtypes[2], arguments[2], thread, builder.load(threads))
    convention = target.call_conv
    kinds = description.restype, description.argtypes
    result, _ = convention.call_function(builder, kernel, *kinds, arguments, attrs=("noinline",))  # else compiled twice
    with builder.if_then(result.is_error, likely=False):
        code = builder.sext(result.code, _WORD)
        won = builder.extract_value(builder.cmpxchg(status, _WORD(0), code, "seq_cst"), 1)
        with builder.if_then(won):  # of several threads' errors, the first
            builder.store(result.excinfoptr, error)
    builder.ret_void()
    return function


def _lent(target: Any, builder: ir.IRBuilder, kind: Any, value: Any) -> Any:
    """Return an argument whose arrays nobody counts: the caller holds them, and threads would take turns at every count."""
    if isinstance(kind, types.Array):
        array = target.make_array(kind)(target, builder, value)
        array.meminfo = ir.Constant(array.meminfo.type, None)
        return array._getvalue()
    if isinstance(kind, types.BaseTuple):
        parts: Any = kind  # iterates over what it is of
        for i, part in enumerate(parts):
            value = builder.insert_value(value, _lent(target, builder, part, builder.extract_value(value, i)), i)
    return value


def _piece(target: Any, builder: ir.IRBuilder, kind: Any, array: Any, thread: ir.Value, threads: ir.Value) -> Any:
    """Return the ``thread``-th of as many equal pieces of a flat array as there are threads."""
    whole = target.make_array(kind)(target, builder, array)
    piece = target.make_array(kind)(target, builder, array)
    size = builder.sdiv(whole.nitems, threads)
    piece.data = builder.gep(whole.data, [builder.mul(thread, size)])
    piece.nitems, piece.shape = size, cgutils.pack_array(builder, [size])
    return piece._getvalue()


def accepts(description: Any) -> bool:
    """Say whether threads can share the tasks of a compiled function; what looks as if they could must keep to the rules."""
    if not is_shared(description.args):
        return False
    if description.argtypes[:2] != (types.int64, types.int64) or description.restype is not types.none:
        name = description.qualname
        raise TypingError(f"{name}(first, last, ...) is a kernel of tasks: two ints come first, nothing is returned")
    return True
