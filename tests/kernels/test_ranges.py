"""Free places of a stretch of memory against a byte map: none is given twice, none is lost, and the smallest that fits is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rawseg_kernels._ranges import Ranges

SIZE = 24
FREE, USED = 0, 1
STEPS = st.lists(st.tuples(st.sampled_from(["take", "give back", "forget"]), st.integers(1, 6)), min_size=30, max_size=60)


often = settings(max_examples=max(100, settings.default.max_examples))  # each takes a millisecond


def runs(used):
    """Return start and size of every stretch of free bytes below the last one in use."""
    top = int(np.flatnonzero(used)[-1]) + 1 if used.any() else 0
    edges = np.flatnonzero(np.diff(np.concatenate(([USED], used[:top], [USED]))))
    return top, [(int(a), int(b - a)) for a, b in zip(edges[::2], edges[1::2])]


def take(ranges, size):
    """Do as the arena: the smallest place, or else above all."""
    room = ranges.room(size)
    if room >= 0:
        return ranges.take(size, room)
    return ranges.extend(size) if ranges.top + size <= ranges.size else None


@pytest.mark.parametrize("page", [1, 4])
@often
@given(steps=STEPS)
def test_places_are_those_of_a_map_of_bytes(page, steps):
    ranges, used, held = Ranges(SIZE, page), np.zeros(SIZE, np.int8), []
    touched = np.zeros(SIZE, bool)  # bytes that were in use since they were last given up
    cached = 0
    for what, number in steps:
        if what == "take":
            smallest = min((size for _, size in runs(used)[1] if size >= number), default=None)
            found = take(ranges, number)
            if found is None:
                assert smallest is None
                continue
            start, kept = found
            assert not used[start : start + number].any()
            assert smallest is None or (start, smallest) in runs(used)[1]
            used[start : start + number], cached = USED, cached - kept
            touched[start : start + number] = True
            held.append((start, number))
        elif what == "give back" and held:
            start, size = held.pop(number % len(held))
            used[start : start + size], cached = FREE, cached + ranges.give_back(start, size)
        elif what == "forget":
            given_up = list(ranges.forget(number))
            for start, end, kept in given_up:
                assert not used[start:end].any()
                touched[start:end] = False
                cached -= kept
            assert sum(kept for _, _, kept in given_up) >= min(number, cached + sum(kept for _, _, kept in given_up))
        top, free = runs(used)
        assert (ranges.top, list(zip(ranges.starts, ranges.sizes))) == (top, free)
        assert ranges.cached == cached >= (touched & (used == FREE)).sum()


@often
@given(STEPS)
def test_without_giving_up_what_counts_as_kept_is_what_was_used(steps):
    ranges, used, held = Ranges(SIZE, 1), np.zeros(SIZE, np.int8), []
    touched = np.zeros(SIZE, bool)
    for what, number in steps:
        if what == "take":
            found = take(ranges, number)
            if found is not None:
                start, kept = found
                assert kept == touched[start : start + number].sum()
                used[start : start + number], touched[start : start + number] = USED, True
                held.append((start, number))
        elif held:
            start, size = held.pop(number % len(held))
            ranges.give_back(start, size)
            used[start : start + size] = FREE
        assert ranges.cached == (touched & (used == FREE)).sum()


def test_what_is_given_up_is_counted_once():
    ranges = Ranges(100, 1)
    places = [ranges.extend(10)[0] for _ in range(5)]
    ranges.give_back(places[1], 10)
    ranges.give_back(places[4], 10)
    assert list(ranges.forget(4)) == [(46, 50, 4)]
    assert list(ranges.forget(100)) == [(40, 46, 6), (10, 20, 10)]
    assert list(ranges.forget(100)) == []
    assert ranges.take(6, ranges.room(6)) == (10, 0)
    assert ranges.extend(20) == (40, 0)
    assert ranges.cached == 0


def test_whole_pages_are_given_up():
    ranges = Ranges(100, 16)
    ranges.extend(10)
    ranges.give_back(ranges.extend(60)[0], 60)
    assert list(ranges.forget(4)) == [(64, 70, 6)]
    assert list(ranges.forget(1)) == [(48, 64, 16)]
    assert list(ranges.forget(40)) == [(10, 48, 38)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 0, 2)])
def test_neighbours_become_one(order):
    ranges = Ranges(100, 1)
    places = [ranges.extend(10)[0] for _ in range(4)]
    for i in order:
        ranges.give_back(places[i], 10)
    assert (ranges.starts, ranges.sizes, ranges.kept) == ([0], [30], [30])
    ranges.give_back(places[3], 10)
    assert (ranges.top, ranges.starts, ranges.cached) == (0, [], 40)
