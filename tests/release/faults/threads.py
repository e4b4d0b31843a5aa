"""Mistakes in how threads share tasks."""

from __future__ import annotations

ROOM = "kernels/rawseg_kernels"
TESTS = "kernels/test_threads.py"

FAULTS = [
    (
        f"{ROOM}/_threads.py",
        TESTS,
        [
            ("missing check", " or work < SERIAL_WORK or not", " or not"),
            ("missing check", "        if waking:\n", "        if True:\n"),
            ("missing check", "tasks <= 1 or shared is None or", "tasks <= 1 or"),
            ("missing check", "    if shared is False:\n", "    if False:\n"),
            ("missing step", "* line * threads, dtype)", "* line, dtype)"),
            ("wrong sign", "kernel(-threads, tasks", "kernel(-threads, tasks - 1"),
        ],
    ),
    (
        f"{ROOM}/_workers.py",
        TESTS,
        [
            ("missing step", "                _asleep.pop().wake()", "                _asleep.pop()"),
            ("missing step", "            _asleep.append(self)\n", ""),
            ("missing check", "except RuntimeError:", "except KeyError:"),
            ("missing step", "    callers.clear()\n", ""),
            ("missing step", "\n    clear()\n", "\n"),
            ("missing step", "        self._go.release()\n", "        pass\n"),
            (
                "missing step",
                "        self._thread.start()\n        self._avoid_this_cpu()\n",
                "        self._thread.start()\n",
            ),
            ("missing step", "_asleep, _workers, _lock = [], 0, threading.Lock()", "_asleep, _lock = [], threading.Lock()"),
        ],
    ),
    (
        f"{ROOM}/_sharing.py",
        TESTS,
        [
            ("off by one", "while portion < end:", "while portion < end - 1:"),
            ("off by one", "(turned + 1) * tasks // portions)", "(turned + 1) * tasks // portions - 1)"),
            ("off by one", "begin + end - 1 - portion if", "begin + end - portion if"),
            ("missing step", "backwards = look(desk, STATE) >> 32 & 1", "backwards = 0"),
            ("missing check", " and joined < look(desk, GUESTS):", ":"),
            ("swapped numbers", "work(desk, joined + 1, ", "work(desk, joined, "),
            ("wrong order", "side = (seat + turn) % seats", "side = turn"),
            ("missing step", "for turn in range(seats):", "for turn in range(1):"),
            ("off by one", "1 + place % (look(desk, SEATS) - 1)", "place % (look(desk, SEATS) - 1)"),
            ("missing check", "if not swap(desk, TAKEN, 0, 1):", "if False:"),
            ("missing step", "        put(desk, NEXT + seat * LINE, seat * portions // seats)\n", "        pass\n"),
            ("missing step", "number << 32 | OPEN)", "number << 32)"),
        ],
    ),
    (
        f"{ROOM}/_jit_entry.py",
        TESTS,
        [
            ("missing check", "if description.args[2:3] == (SCRATCH,):", "if False:"),
            ("missing step", "        array.meminfo = ir.Constant(array.meminfo.type, None)\n", ""),
            ("missing step", "    if isinstance(kind, types.BaseTuple):\n", "    if False:\n"),
            ("missing step", "cmpxchg(status, _WORD(0), code, ", "cmpxchg(status, _WORD(0), _WORD(0), "),
            ("wrong operand", "[builder.mul(thread, size)]", "[_WORD(0)]"),
            ("missing step", "    arguments[:2] = first, last\n", ""),
            ("wrong comparison", '"!=", builder.load_atomic(status', '"<", builder.load_atomic(status'),
            ("missing check", " or description.restype is not types.none:", ":"),
        ],
    ),
    (
        f"{ROOM}/_jit_compiler.py",
        "kernels/test_jit_compiler.py",
        [
            ("missing step", "            args = tuple(map(types.unliteral, args))\n", "            pass\n"),
            ("missing check", "        if known is None:\n", "        if True:\n"),
            ("missing check", " and isinstance(known.return_type, types.Number | types.Boolean)", ""),
            ("missing check", "state.flags.no_cpython_wrapper and is_counted(state.return_type)", "False"),
            ("missing check", "isinstance(called, types.Dispatcher) and is_counted(signature.return_type)", "False"),
            ("missing step", "_typing = cache(_Typing)", "_typing = _Typing"),
            ("missing check", 'not hasattr(dispatcher, "is_shared") and', "False and"),
            ("missing check", "() if any(map(iscode, self.state.func_id.code.co_consts)) else NEEDLESS", "NEEDLESS"),
            ("missing step", '"NRT required", "Only', '"Only'),
            ("missing step", "        gc.disable()\n", ""),
            ("missing check", "            if enabled:\n", "            if True:\n"),
            ("missing step", "    os.register_at_fork(after_in_child=_after_fork)\n", "    pass\n"),
        ],
    ),
    (
        f"{ROOM}/_jit_part.py",
        "kernels/test_jit_compiler.py",
        [
            ("missing step", "        self._finished()\n\n    def", "        super().finalize()\n\n    def"),
            ("missing check", "    if form != _FORM:\n", "    if True:\n"),
        ],
    ),
    (
        f"{ROOM}/_jit.py",
        "kernels/test_jit_compiler.py",
        [
            ("missing check", "= not lent or not MAKERS", "= True or not MAKERS"),
            ("missing step", "    dispatcher._insert = lambda *_: None", "    return dispatcher"),
        ],
    ),
]
