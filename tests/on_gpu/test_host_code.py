"""What stands around the kernels, on arrays that are no NumPy arrays: checks, choices, tables, launches."""

from __future__ import annotations

import numpy as np
import pytest
from catalogue.collected import KERNELS
from on_gpu.test_kernels import CALLS
from promises import outputs_of

from rawseg_kernels import _algorithms, avg_pool2d, grid_sample, max_pool2d, max_unpool2d, pad
from rawseg_kernels._cuda import scatter
from rawseg_kernels._errors import ArgumentError, BackendError, IndexRangeError

ENTRIES = [
    entry
    for entry in KERNELS
    if entry.of_algorithm and _algorithms.cuda_algorithms(f"rawseg_kernels.{entry.name.partition('.')[0]}")
]


@pytest.mark.gate
@pytest.mark.parametrize("entry", ENTRIES, ids=[entry.name for entry in ENTRIES])
def test_arrays_of_a_gpu_stay_there_and_give_the_same(cupy, entry, request):
    arrays = entry.arrays(np.float32)
    assert entry.of_algorithm is not None
    got = outputs_of(entry.of_algorithm(*map(cupy.asarray, arrays), "auto"))
    assert all(isinstance(out, cupy.ndarray) for out in got)
    found = [out.get() for out in got]
    expected = [outputs_of(call.run(*arrays)) for call in CALLS if call.entry is entry]
    if request.config.getoption("device") == "cuda":  # whose exp and log have last places of their own
        assert any(all(map(near, found, outputs)) for outputs in expected)
    else:
        assert any([out.tobytes() for out in found] == [out.tobytes() for out in outputs] for outputs in expected)


def near(got: np.ndarray, want: np.ndarray) -> bool:
    return bool(np.allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max(initial=0), equal_nan=True))


X = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
INDICES = np.array([[[[0, 1], [2, 3]], [[0, 1], [1, 3]]]])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x, i: max_unpool2d.forward(x, i, 2), ArgumentError, r"got 1 at \(0, 1, 0, 1\) and at \(0, 1, 1, 0\)"),
        (lambda x, i: max_unpool2d.forward(x, i, (1, 2)), IndexRangeError, r"got 2 at \(0, 0, 1, 0\)"),
        (lambda x, i: max_pool2d.backward(x, i - 2, x.shape), IndexRangeError, r"got -2 at \(0, 0, 0, 0\)"),
        (lambda x, i: grid_sample.forward(x[:, :0], i + 3, x), IndexRangeError, r"got 5 at \(0, 0, 1, 0\)"),
        (
            lambda x, i: max_pool2d.backward_taps(x, i.astype(np.uint8), (1, 2, 4, 3), 2, ceil_mode=True),
            IndexRangeError,
            r"taps of a window \(2, 2\) on the plane \(4, 3\), got 1 at \(0, 0, 0, 1\)",
        ),
        (lambda x, i: max_pool2d.forward(x, 2, algorithm="direct"), BackendError, "forward has .* on a GPU, and 'direct' was"),
        (lambda x, i: avg_pool2d.forward(x, 2, algorithm="reference"), BackendError, "and 'reference' was asked for"),
    ],
)
def test_errors_are_those_of_numpys_arrays(cupy, call, error, message):
    with pytest.raises(error, match=message):
        call(cupy.asarray(X), cupy.asarray(INDICES))
    if error is not BackendError:
        with pytest.raises(error, match=message):
            call(X, INDICES)


def test_a_batch_without_images(cupy):
    x, indices = (cupy.asarray(array[:0]) for array in (X, INDICES))
    for out in (
        max_unpool2d.forward(x, indices, 3),
        max_unpool2d.backward(x, indices, "last"),
        max_pool2d.backward(x, indices, (0, 2, 3, 3)),
        grid_sample.backward_input(x, indices, x, 3),
        pad.forward(x, [(0, 0), (0, 0), (1, 1), (2, 0)], "replicate"),
    ):
        assert isinstance(out, cupy.ndarray)
        assert out.shape[0] == 0


@pytest.mark.parametrize(("policy", "sorts"), [("raise", 1), ("last", 1), ("sum", 1)])
def test_unpooling_sorts_once(cupy, monkeypatch, policy, sorts):
    seen, stable = [], scatter.stable
    monkeypatch.setattr(scatter, "stable", lambda keys: seen.append(1) or stable(keys))
    apart = np.array([[[[0, 5], [2, 3]], [[8, 1], [4, 3]]]])
    got = max_unpool2d.forward(cupy.asarray(X), cupy.asarray(apart), 3, policy).get()
    assert len(seen) == sorts
    assert got.tobytes() == max_unpool2d.forward(X, apart, 3, policy).tobytes()


@pytest.mark.stand_in
def test_no_array_of_a_gpu_becomes_one_of_numpy(cupy):
    x = cupy.asarray(X)
    for wrong in (lambda: np.asarray(x), lambda: float(x), lambda: x + X, lambda: X + x, lambda: np.concatenate([x, X])):
        with pytest.raises(TypeError):
            wrong()
