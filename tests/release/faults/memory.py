"""Mistakes in how memory is used again."""

from __future__ import annotations

ROOM = "kernels/rawseg_kernels"

FAULTS = [
    (
        f"{ROOM}/_stretches.py",
        "kernels/test_whole_arrays.py",
        [
            ("off by one", "(piece + 1) * size // pieces", "(piece + 1) * size // pieces - 1"),
            ("wrong axis", "array.shape[axis] * inner, out, 0", "size * inner, out, 0"),
            ("missing step", "        at += size\n", ""),
            ("wrong formula", "out, at, out.shape[axis] * inner, size)", "out, at, size, size)"),
        ],
    ),
    (
        f"{ROOM}/_arithmetic.py",
        "kernels/test_whole_arrays.py",
        [
            ("wrong sign", "left[i] - right[i]", "right[i] - left[i]"),
            ("wrong formula", "left[i] / right[i]", "left[i] * (1 / right[i])"),
        ],
    ),
    (
        f"{ROOM}/_bounds.py",
        "kernels/test_whole_arrays.py",
        [
            ("wrong comparison", "outside[task] = most >= room", "outside[task] = most > room"),
            ("missing step", "np.uint64(part[i] - least)", "np.uint64(part[i])"),
            (
                "off by one",
                "outside = np.ones(-(-array.size // PIECE), np.bool_)",
                "outside = np.ones(array.size // PIECE, np.bool_)",
            ),
        ],
    ),
    (
        "rawseg/autograd/memory.py",
        "kernels/test_whole_arrays.py",
        [
            ("missing check", " or not array.flags.carray:", ":"),
            ("missing check", "array.dtype != dtype or not array.flags", "not array.flags"),
            ("missing check", "    return dtype in FLOATING\n", "    return True\n"),
            ("missing check", " if whole.flags.carray and x.flags.carray else x.reshape(shape)", ""),
        ],
    ),
    (
        f"{ROOM}/_ranges.py",
        "kernels/test_ranges.py",
        [
            ("wrong comparison", "length >= size and (length < best", "length > size and (length < best"),
            ("wrong comparison", "(length < best or best < 0)", "(length > best or best < 0)"),
            ("off by one", "start + size, room - size", "start, room - size"),
            ("count", "min(kept, room - size)", "kept"),
            ("count", "kept = min(self.high, self.top) - start", "kept = size"),
            ("missing step", "self.high = max(self.high, self.top)", "self.high = self.top"),
            ("missing check", "self.starts[at] == start + size:", "False:"),
            ("missing check", "if at and self.starts[at - 1] + self.sizes[at - 1] == start:", "if False:"),
            ("count", "return given + size - kept", "return given"),
            ("missing step", "self.kept[at] = self.kept[at], 0", "self.kept[at] = self.kept[at], self.kept[at]"),
            ("count", "max(self.top, (self.high - size) // self.page * self.page)", "self.high - size"),
            ("off by one", "// self.page * self.page)", "// self.page * self.page + 1)"),
        ],
    ),
    (
        f"{ROOM}/_arena.py",
        "kernels/test_arena.py",
        [
            ("missing step", "            self.dead.append(place)\n", "            pass\n"),
            ("wrong comparison", "if kept is None or kept.size < size:", "if kept is None:"),
            ("missing check", "if kept.nbytes <= LARGEST_SCRATCH:", "if True:"),
            ("missing step", "    _scratch.kept.clear()\n", ""),
            ("missing check", "class _Scratch(threading.local):", "class _Scratch:"),
            ("missing check", "    elif _arena.poison:\n        kept", "    elif False:\n        kept"),
            ("missing check", "if array is None or array.size < size:", "if array is None:"),
            ("shared memory", "array = _scratch.lent.pop(dtype, None)", "array = _scratch.lent.get(dtype)"),
            ("missing check", "if self.array.nbytes <= LARGEST_SCRATCH:", "if True:"),
            ("missing step", "    _scratch.lent.clear()\n", ""),
            ("missing step", 'if not hasattr(block, "place"):', "if False:"),
            (
                "missing step",
                "            place.segment.arena.give_back(place)\n        raise",
                "            pass\n        raise",
            ),
            ("missing step", "self.cached -= kept\n            self.live", "self.live"),
            ("missing step", "            self.live += size\n", ""),
            ("wrong comparison", "if spare[at].room == size:", "if spare[at].room >= size:"),
            ("missing step", "place = spare.pop(at)", "place = spare[at]"),
            ("missing check", "if len(self.spare) > SPARE or", "if"),
            ("count", "segment.ranges.give_back(start, room) - room", "segment.ranges.give_back(start, room)"),
            ("wrong comparison", "(found < room or segment is None)", "(found > room or segment is None)"),
            ("missing check", " if segment.ranges.size - segment.ranges.top >= size]", "]"),
            ("missing step", "            if length == size:\n", "            if False:\n"),
            ("wrong order", "next((s for s in fitting if s.ranges.high - s.ranges.top >= size), fitting[0])", "fitting[0]"),
            ("missing step", "_arena.abandoned = True", "pass"),
            ("missing step", "for length in (max(SEGMENT, size), size, size):", "for length in (max(SEGMENT, size),):"),
            ("missing step", "segment.forget(start, end)", "pass"),
            ("wrong order", "reversed(self.segments[:])", "self.segments[:]"),
            ("missing check", "if self.cached > self.limit:", "if False:"),
            ("missing check", "if _arena.lock.acquire(blocking=False):", "if True:"),
        ],
    ),
]
