"""Indices that point nowhere: a graph tells of them after its replay, and until then no kernel leaves its arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from on_gpu.pretended_cupy import ndarray
from on_gpu.sanitized_process import sanitized

from rawseg.cuda import CUDAGraph, graph
from rawseg_kernels import grid_sample, max_pool2d, max_unpool2d, roi_pool
from rawseg_kernels._errors import IndexRangeError
from rawseg_kernels.cross_entropy.cuda import kernel as of_cross_entropy
from rawseg_kernels.grid_sample.cuda import kernel as of_grid_sample
from rawseg_kernels.max_pool2d.cuda import kernel as of_max_pool2d
from rawseg_kernels.max_unpool2d.cuda import kernel as of_max_unpool2d
from rawseg_kernels.roi_pool.cuda import kernel as of_roi_pool

PIXELS, ELEMENTS = 5, 3  # of each of two planes
RIGHT = np.array([[0, 3, 4], [1, 0, 2]])
NEAR, FAR = (-1, -PIXELS, PIXELS, 2 * PIXELS), (-(2**40), 2**40, -(2**63), 2**63 - 1)
WRONG = [(at, index) for at in ((0, 0), (1, 2)) for index in NEAR]


def numbers(*shape: int) -> np.ndarray:
    return np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)


def framed(array: np.ndarray) -> np.ndarray:
    """Return a copy that has NaN before and behind it, more than the nearest wrong indices reach."""
    whole = np.full(array.size + 40, np.nan, array.dtype)
    view = whole[20 : 20 + array.size].reshape(array.shape)
    view[...] = array
    return view


def place(indices: np.ndarray, made: Callable = np.array) -> np.ndarray:
    out = made(np.zeros((2, PIXELS), np.float32))
    of_max_unpool2d("max_unpool2d_place", np.float32)(6, made(numbers(2, ELEMENTS)), indices, out, 6, ELEMENTS, PIXELS)
    return out


def backward_last(indices: np.ndarray, made: Callable = np.array) -> np.ndarray:
    out = made(np.zeros((2, ELEMENTS), np.float32))
    with np.errstate(over="ignore"):
        places = (indices + np.array([[0], [PIXELS]])).ravel()
    run = of_max_unpool2d("max_unpool2d_backward_last", np.float32)
    run(6, made(numbers(2, PIXELS)), places, np.arange(6), out, 6, 2 * PIXELS)
    return out


def gather(indices: np.ndarray, made: Callable = np.array) -> np.ndarray:
    out = made(np.zeros((2, ELEMENTS), np.float32))
    of_max_pool2d("max_pool2d_gather", np.float32)(6, made(numbers(2, PIXELS)), indices, out, 6, PIXELS, ELEMENTS)
    return out


def roi_gather(indices: np.ndarray, made: Callable = np.array) -> np.ndarray:
    out = made(np.zeros((2, ELEMENTS), np.float32))
    arrays = made(numbers(2, PIXELS)), indices, np.arange(2), out
    of_roi_pool("roi_pool_gather", np.float32)(6, *arrays, 6, 2, 1, PIXELS, ELEMENTS)
    return out


def roi_gather_maps(indices: np.ndarray, made: Callable = np.array) -> np.ndarray:
    """The same for the numbers of maps, of which there are as many as a plane has pixels."""
    out = made(np.zeros(6, np.float32))
    of_roi_pool("roi_pool_gather", np.float32)(
        6, made(numbers(PIXELS)), np.zeros(6, np.int64), indices.ravel(), out, 6, PIXELS, 1, 1, 1
    )
    return out.reshape(2, ELEMENTS)


def sample(indices: np.ndarray, made: Callable = np.array) -> np.ndarray:
    out = made(np.zeros((2, ELEMENTS), np.float32))
    arrays = made(numbers(2, PIXELS)), indices, np.ones((2, ELEMENTS), np.float32), out
    of_grid_sample("grid_sample_forward", np.float32)(6, *arrays, 6, 1, PIXELS, ELEMENTS, 1)
    return out


def sample_weights(indices: np.ndarray, made: Callable = np.array) -> np.ndarray:
    out = made(np.zeros((2, ELEMENTS), np.float32))
    arrays = np.ones((2, ELEMENTS), np.float32), made(numbers(2, PIXELS)), indices, out
    of_grid_sample("grid_sample_backward_weights", np.float32)(6, *arrays, 6, 1, PIXELS, ELEMENTS, 1)
    return out


def class_losses(indices: np.ndarray, made: Callable = np.array) -> np.ndarray:
    """Here an index is a class, and that of a wrong one is the first's loss."""
    losses, shifts, one = made(np.zeros((2, ELEMENTS), np.float32)), np.zeros((2, ELEMENTS)), np.ones((2, ELEMENTS))
    x = made(numbers(2, PIXELS, ELEMENTS))
    arrays = x, indices, one > 0, one, one[:0, 0], losses, shifts
    of_cross_entropy("cross_entropy_forward", np.float32)(6, *arrays, 6, PIXELS, ELEMENTS, False)
    return losses


GATHERS = (backward_last, gather, roi_gather, roi_gather_maps, sample, sample_weights)
LAUNCHES = (place, *GATHERS, class_losses)


def with_index(at: tuple[int, int], index: int) -> np.ndarray:
    indices = RIGHT.copy()
    indices[at] = index
    return indices


@pytest.mark.parametrize(("at", "index"), WRONG)
@pytest.mark.parametrize("launch", GATHERS, ids=lambda launch: launch.__name__)
def test_what_points_nowhere_is_read_as_0(launch, at, index):
    wanted = launch(RIGHT)
    assert wanted.all()
    wanted[at] = 0
    if launch is backward_last and 0 <= at[0] * PIXELS + index < 2 * PIXELS:
        assert np.isfinite(launch(with_index(at, index), framed)).all()  # it is in another plane
        return
    assert launch(with_index(at, index), framed).tolist() == wanted.tolist()


@pytest.mark.parametrize(("at", "index"), WRONG)
def test_what_points_nowhere_is_not_written(at, index):
    wanted = np.zeros((2, PIXELS))
    for plane, element in np.ndindex(2, ELEMENTS):
        if (plane, element) != at:
            wanted[plane, RIGHT[plane, element]] = numbers(2, ELEMENTS)[plane, element]
    out = place(with_index(at, index), framed)
    assert out.tolist() == wanted.tolist()
    assert out.base is not None
    assert np.isnan(out.base).sum() == 40


@pytest.mark.parametrize(("at", "index"), WRONG)
def test_the_loss_of_a_class_that_is_none_is_that_of_the_first(at, index):
    assert class_losses(with_index(at, index), framed).tolist() == class_losses(with_index(at, 0)).tolist()


# Graphs


X, PLANE = numbers(1, 2, 1, ELEMENTS), numbers(1, 2, 1, PIXELS)
INDICES, MAPS = RIGHT.reshape(1, 2, 1, ELEMENTS), np.array([1, 0])
POINTS, BINS = RIGHT.reshape(2, 1, ELEMENTS, 1), RIGHT.reshape(2, 1, 1, ELEMENTS)
CALLS: dict[str, tuple[Callable, np.ndarray, np.ndarray]] = {
    "unpool": (lambda x, i: max_unpool2d.forward(x, i, (1, PIXELS)), X, INDICES),
    "unpool last": (lambda x, i: max_unpool2d.forward(x, i, (1, PIXELS), "last"), X, INDICES),
    "unpool sum": (lambda x, i: max_unpool2d.forward(x, i, (1, PIXELS), "sum"), X, INDICES),
    "unpool backward": (max_unpool2d.backward, PLANE, INDICES),
    "unpool backward last": (lambda g, i: max_unpool2d.backward(g, i, "last"), PLANE, INDICES),
    "pool backward": (lambda g, i: max_pool2d.backward(g, i, PLANE.shape), X, INDICES),
    "pool gather": (max_pool2d.gather, PLANE, INDICES),
    "roi backward": (
        lambda g, i: roi_pool.backward(g, i, i.reshape(-1)[:2] * 0, (2, 1, 1, PIXELS)),
        numbers(2, 1, 1, ELEMENTS),
        BINS,
    ),
    "roi gather": (lambda x, i: roi_pool.gather(x, i, i.reshape(-1)[:2] * 0), numbers(2, 1, 1, PIXELS), BINS),
    "roi backward maps": (
        lambda g, maps: roi_pool.backward(g, maps[:, None, None, None] * 0, maps, (2, 1, 1, PIXELS)),
        numbers(2, 1, 1, 1),
        MAPS,
    ),
    "roi gather maps": (
        lambda x, maps: roi_pool.gather(x, maps[:, None, None, None] * 0, maps),
        numbers(2, 1, 1, PIXELS),
        MAPS,
    ),
    "sample": (lambda x, i: grid_sample.forward(x, i, i.astype(np.float32) * 0 + 1), numbers(2, 1, 1, PIXELS), POINTS),
    "sample backward input": (
        lambda g, i: grid_sample.backward_input(g, i, i.astype(np.float32) * 0 + 1, (1, PIXELS)),
        numbers(2, 1, 1, ELEMENTS),
        POINTS,
    ),
    "sample backward weights": (
        lambda x, i: grid_sample.backward_weights(x[..., :ELEMENTS] * 0 + 1, x, i),
        numbers(2, 1, 1, PIXELS),
        POINTS,
    ),
    "taps": (lambda g, t: max_pool2d.backward_taps(g, t.astype(np.uint8), (1, 2, 1, 9), (1, 3)), X, RIGHT.reshape(X.shape) % 3),
}


@pytest.mark.parametrize("index", [-3, 6, 7])
@pytest.mark.parametrize("name", CALLS)
def test_a_replay_tells_of_it_and_stays_inside(stand_in, name, index):
    call, x, right = CALLS[name]
    on_gpu, indices = ndarray(framed(x)), stand_in.asarray(right)
    wanted = call(on_gpu, indices).get().tobytes()
    captured = CUDAGraph()
    with graph(captured):
        out = call(on_gpu, indices)
    captured.replay()
    assert out.get().tobytes() == wanted
    for at in ((0,) * right.ndim, tuple(length - 1 for length in right.shape)):
        indices[at] = index
        with pytest.raises(IndexRangeError, match=rf"expected .*, got {index % 256 if name == 'taps' else index} at "):
            captured.replay()
        assert np.isfinite(out.get()).all()
        indices[at] = int(right[at])
    captured.replay()
    assert out.get().tobytes() == wanted


def run_far() -> None:
    """Launch with indices that would end the process if they were followed; see ``sanitized.py``."""
    for launch in LAUNCHES:
        for index in (*NEAR, *FAR):
            print(f"{launch.__name__} {index}", flush=True)
            launch(with_index((0, 0), index))
            launch(with_index((1, 2), index))


@pytest.mark.gate
@pytest.mark.spec("all.memory-safety")
def test_under_sanitizers():
    lines = sanitized("wrong_indices")
    assert len(lines) == len(LAUNCHES) * len((*NEAR, *FAR))
