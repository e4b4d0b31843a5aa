"""Frames: what they hold on axes of any number, what they refuse, and the adjoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bounds import assert_within, gamma, smallest, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits

from rawseg.testing.strategies.windows import frames
from rawseg_kernels import _memory, pad
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.pad import direct, reference

DTYPES = [np.float32, np.float64]
NUMPY: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
CASES = st.sampled_from(pad.MODES).flatmap(lambda mode: st.tuples(st.just(mode), frames(mode)))
SPECIAL = [np.nan, -np.inf, np.inf, -0.0, 1.0, 2.0]


def numpys(x, widths, mode, value=0):
    """Return the same from np.pad."""
    if not x.ndim:  # np.pad asks for an axis
        return x.copy()
    if mode != "constant":
        return np.pad(x, widths, mode=NUMPY[mode])
    inner = x[tuple(slice(max(0, -low), n - max(0, -high)) for n, (low, high) in zip(x.shape, widths))]
    return np.pad(inner, [(max(0, low), max(0, high)) for low, high in widths], constant_values=value)


@pytest.mark.spec("pad.modes")
def test_by_hand():
    row = np.array([1, 2, 3.0])
    assert pad.forward(row, [(2, 1)], "reflect").tolist() == [3, 2, 1, 2, 3, 2]
    assert pad.forward(row, [(2, 1)], "replicate").tolist() == [1, 1, 1, 2, 3, 3]
    assert pad.forward(row, [(2, 1)], "circular").tolist() == [2, 3, 1, 2, 3, 1]
    assert pad.forward(row, [(2, -1)], value=7).tolist() == [7, 7, 1, 2]
    plane = np.array([[1, 2], [3, 4.0]])
    assert pad.forward(plane, [(0, 1), (1, 0)], "circular").tolist() == [[2, 1, 2], [4, 3, 4], [2, 1, 2]]
    grad = np.array([1, 10, 100, 1000, 10000, 100000.0])
    assert pad.backward(grad, [(2, 1)], "reflect").tolist() == [100, 101010, 10001]
    assert pad.backward(grad, [(2, 1)], "replicate").tolist() == [111, 1000, 110000]
    assert pad.backward(grad, [(2, 1)], "circular").tolist() == [100100, 1001, 10010]
    assert pad.backward(grad[:4], [(2, -1)]).tolist() == [100, 1000, 0]


def test_a_stretch_that_counts_up_is_found():
    assert direct.longest_run(np.array([2, 1, 0, 1, 2, 3, 2])) == (2, 0, 4)
    assert direct.longest_run(np.array([-1, 0, 1, -1])) == (1, 0, 2)
    assert direct.longest_run(np.array([-1, -1])) == (0, 0, 0)
    assert direct.longest_run(np.array([-1, 0])) == (0, 0, 0)  # as good as any: the rest goes through the table
    assert direct.longest_run(np.zeros(0, np.int64)) == (0, 0, 0)


X = np.zeros((2, 3, 4), np.float32)
NOT_A_MODE: Any = 3


@pytest.mark.spec("pad.widths", "pad.value")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: pad.forward([1.0], [(0, 0)]), ArgumentTypeError, "pad: x: expected a NumPy or CuPy array, got list"),
        (lambda: pad.forward(X.astype(complex), [(0, 0)] * 3), DTypeError, "x: expected float32, float64, integers or bools"),
        (lambda: pad.forward(X, [(0, 0)] * 2), ArgumentError, "widths: expected a pair for each of 3 axes"),
        (lambda: pad.forward(X, [(0, 0), (0, 0), (1,)]), ArgumentError, r"widths: expected pairs \(low, high\), got \(1,\)"),
        (lambda: pad.forward(X, [(0, 0), (0, 0), (1.5, 0)]), ArgumentTypeError, "widths: expected an int, got 1.5"),
        (
            lambda: pad.forward(X, [(0, 0), (0, 0), (-3, -2)]),
            ShapeError,
            r"widths: expected at most 4 cropped from axis 2, got \(-3, -2\)",
        ),
        (lambda: pad.forward(X, [(0, 0), (-4, 3), (0, 0)]), ShapeError, "expected at most 3 cropped from axis 1"),
        (
            lambda: pad.forward(X, [(0, 0), (0, 0), (4, 0)], "reflect"),
            ArgumentError,
            r"widths: expected 0 to 3 for axis 2 of size 4 and 'reflect', got \(4, 0\)",
        ),
        (lambda: pad.forward(X, [(0, 0), (0, 4), (0, 0)], "circular"), ArgumentError, "expected 0 to 3 for axis 1 of size 3"),
        (lambda: pad.forward(X, [(0, 0), (0, 0), (-1, 0)], "replicate"), ArgumentError, "expected 0 to inf for axis 2"),
        (lambda: pad.forward(X[..., :0], [(0, 0), (0, 0), (1, 0)], "replicate"), ArgumentError, "expected 0 to 0 for axis 2"),
        (lambda: pad.forward(X, [(0, 0)] * 3, "mirror"), ArgumentError, r"mode: expected one of \('constant', 'reflect', "),
        (lambda: pad.forward(X, [(0, 0)] * 3, NOT_A_MODE), ArgumentError, "mode: expected one of .*, got 3"),
        (lambda: pad.forward(X, [(0, 0)] * 3, "reflect", 3), ArgumentError, "value: expected None with mode 'reflect', got 3"),
        (lambda: pad.forward(X, [(1, 0)] * 3, value="1"), ArgumentTypeError, "value: expected a real number, got '1'"),
        (lambda: pad.forward(X, [(1, 0)] * 3, value=1e300), ArgumentError, "value: expected a number that float32 holds"),
        (
            lambda: pad.forward(X.astype(np.uint8), [(1, 0)] * 3, value=0.5),
            ArgumentError,
            "value: expected a number that uint8 holds, got 0.5",
        ),
        (lambda: pad.forward(X.astype(np.uint8), [(1, 0)] * 3, value=-1), ArgumentError, "value: expected a number that uint8"),
        (lambda: pad.forward(X.astype(int), [(1, 0)] * 3, value=np.nan), ArgumentError, "value: expected a number that int64"),
        (lambda: pad.forward(X.astype(int), [(1, 0)] * 3, value=2**70), ArgumentError, "value: expected a number that int64"),
        (lambda: pad.forward(X, [(1, 0)] * 3, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (lambda: pad.backward(X.astype(int), [(0, 0)] * 3), DTypeError, "grad_output: expected float32 or float64"),
        (lambda: pad.backward(X, [(0, 0), (2, 2), (0, 0)]), ShapeError, "grad_output: expected at least the widths"),
        (lambda: pad.backward(X, [(0, 0), (1, 1), (0, 0)], "reflect"), ArgumentError, "expected 0 to 0 for axis 1 of size 1"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    with pytest.raises(MemoryError, match=r"pad: out: expected at most .* for shape"):
        pad.forward(X[:0], [(0, 0), (0, 0), (2**61, 2**61)])  # empty, but its tables would not be
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 159)
    with pytest.raises(MemoryError, match=r"pad: out: .* got 160 bytes for shape \(2, 4, 5\)"):
        pad.forward(X, [(0, 0), (1, 0), (0, 1)])


@pytest.mark.proves("pad", "reference")
@pytest.mark.spec("pad.modes", "pad.widths")
@pytest.mark.parametrize("dtype", [*DTYPES, np.int64, np.int16, np.uint8, np.bool_])
@given(CASES, st.integers(0, 2**16))
def test_any_rank_as_numpy(dtype, case, seed):
    mode, (shape, widths) = case
    rng = np.random.default_rng(seed)
    floats = np.dtype(dtype).kind == "f"
    x = np.asarray(rng.choice(np.array(SPECIAL), shape) if floats else rng.integers(0, 2, shape)).astype(dtype)
    value = (np.inf if floats else 1) if mode == "constant" else None
    got = pad.forward(x, widths, mode, value)
    assert_same_bits(got, np.ascontiguousarray(numpys(x, widths, mode, value)).reshape(got.shape))
    assert not np.shares_memory(got, x)
    assert_same_bits(pad.forward(x, widths, mode, value, "cuda"), got)
    if floats:
        assert_same_bits(pad.forward(x, widths, mode, value, algorithm="reference"), got)


@pytest.mark.proves("pad", "adjoint", "bound")
@pytest.mark.parametrize("dtype", DTYPES)
@given(CASES, st.integers(0, 2**16))
def test_backward_is_the_exact_adjoint_within_the_rounding_bound(dtype, case, seed):
    mode, (shape, widths) = case
    rng = np.random.default_rng(seed)
    x = np.asarray(rng.integers(-8, 9, shape)).astype(dtype)
    out = pad.forward(x, widths, mode)
    grad = np.asarray(rng.integers(-8, 9, out.shape)).astype(dtype)
    back = pad.backward(grad, widths, mode)
    assert back.shape == shape
    assert np.vdot(out, grad) == np.vdot(x, back)
    np.testing.assert_array_equal(back, pad.backward(grad, widths, mode, algorithm="reference"))

    spread = np.asarray(rng.standard_normal(out.shape) * 10.0 ** rng.integers(-6, 7, out.shape)).astype(dtype)
    got = pad.backward(spread, widths, mode)
    wide = np.asarray(spread, np.float64), np.asarray(np.abs(spread), np.float64)
    want, magnitude = (pad.backward(array, widths, mode, algorithm="reference") for array in wide)
    assert_same_bits(pad.backward(spread, widths, mode, "cuda"), pad.backward(spread, widths, mode, "reference"))
    # A frame of at most 3 on either side (5 circular) copies an element at most 7 times along an axis: two axes in a pass sum
    # 49 of them in double precision, and each of at most three passes rounds once to the dtype.
    bound = (3 * unit_roundoff(dtype) * 1.01 + 2 * gamma(147, np.float64)) * magnitude + smallest(147, dtype)
    assert_within(got, want, bound)


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 4, 5)).astype(np.float32)
    rows, columns = np.array([2, 0, 1, 3]), np.array([1, 0, 1, 2, 3, 4, 3])
    want = reference.forward(x, np.append(rows, -1), np.append(columns, -1), np.float32(7))
    assert want[:, -1].max() == want[:, :, -1].min() == 7
    np.testing.assert_array_equal(want[:, :-1, :-1], x[:, rows[:, None], columns])
    reflected = pad.forward(x, [(0, 0), (0, 0), (1, 1)], "reflect", algorithm="reference")
    assert_same_bits(reflected, reference.forward(x, np.arange(4), columns, np.float32(0)))
    back = pad.backward(reflected, [(0, 0), (0, 0), (1, 1)], "reflect", algorithm="reference")
    assert_same_bits(back, reference.backward(reflected, (4, 5), np.arange(4), columns))


@pytest.mark.proves("pad", "complex step")
def test_complex_numbers_pass_through_the_loops():
    grad, rows, columns = np.arange(12.0).reshape(1, 3, 4), np.array([1, 0, 1]), np.array([0, 0, 1, 0])
    back = reference.backward(grad, (2, 2), rows, columns)
    assert_same_bits(reference.backward(grad * (1 + 2j), (2, 2), rows, columns), back * (1 + 2j))
