"""What threads say to each other in compiled code: words of memory, each read or written as a whole and in order."""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WORD = ir.IntType(64)
_HINTS = {"x86_64": ("llvm.x86.sse2.pause", ()), "aarch64": ("llvm.aarch64.hint", (1,)), "arm64": ("llvm.aarch64.hint", (1,))}
_machine = binding.get_process_triple().split("-")[0]

word_code: Any = intrinsic  # what it makes is called without the typing context, which type checkers cannot know
give_way = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())


def _place(builder, address, offset):
    return builder.inttoptr(builder.add(address, builder.mul(offset, WORD(8))), WORD.as_pointer())


@word_code
def look(typing_context, address, offset):
    """Return a word, and see all that was written before whoever wrote it did."""

    def generate(context, builder, signature, arguments):
        return builder.load_atomic(_place(builder, *arguments), "acquire", 8)

    return types.int64(types.int64, types.int64), generate


@word_code
def put(typing_context, address, offset, value):
    """Write a word, so that who sees it sees all that was written before."""

    def generate(context, builder, signature, arguments):
        builder.store_atomic(arguments[2], _place(builder, *arguments[:2]), "release", 8)
        return context.get_dummy_value()

    return types.void(*[types.int64] * 3), generate


@word_code
def add(typing_context, address, offset, value):
    """Add to a word; return what it was."""

    def generate(context, builder, signature, arguments):
        return builder.atomic_rmw("add", _place(builder, *arguments[:2]), arguments[2], "seq_cst")

    return types.int64(*[types.int64] * 3), generate


@word_code
def swap(typing_context, address, offset, expected, value):
    """Write a word if it is as expected; return whether it was."""

    def generate(context, builder, signature, arguments):
        place = _place(builder, *arguments[:2])
        return builder.extract_value(builder.cmpxchg(place, *arguments[2:], "seq_cst"), 1)

    return types.boolean(*[types.int64] * 4), generate


@word_code
def pause(typing_context):
    """Tell the core that this is a loop which waits."""

    def generate(context, builder, signature, arguments):
        if _machine in _HINTS:
            name, values = _HINTS[_machine]
            kind = ir.FunctionType(ir.VoidType(), [ir.IntType(32)] * len(values))
            builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [ir.IntType(32)(v) for v in values])
        return context.get_dummy_value()

    return types.void(), generate


@word_code
def call(typing_context, function, context, worker, first, last):
    """Call the machine code at an address with four words, as `_jit_entry` makes it."""

    def generate(target, builder, signature, arguments):
        kind = ir.FunctionType(ir.VoidType(), [WORD] * 4)
        builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), arguments[1:])
        return target.get_dummy_value()

    return types.void(*[types.int64] * 5), generate
