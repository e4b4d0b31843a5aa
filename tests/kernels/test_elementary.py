"""Elementary functions in plain arithmetic: their errors in units in the last place, by 50-digit numbers, and their edges."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from rawseg_kernels import _elementary
from rawseg_kernels._jit import kernel

mpmath.mp.dps = 50
INF, NAN = np.inf, np.nan


@kernel
def exp(x, out, elements):
    for i in range(out.size):
        out[i] = _elementary.exp(x[i], elements[i])


@kernel
def expm1(x, out, elements):
    for i in range(out.size):
        out[i] = _elementary.expm1(x[i], elements[i])


@kernel
def log(x, out):
    for i in range(out.size):
        out[i] = _elementary.log(x[i])


@kernel
def log1p(x, out):
    for i in range(out.size):
        out[i] = _elementary.log1p(x[i])


@kernel
def sigmoid(x, out, elements):
    for i in range(out.size):
        out[i] = _elementary.sigmoid(x[i], elements[i])


@kernel
def softplus(x, out, elements):
    for i in range(out.size):
        out[i] = _elementary.softplus(x[i], elements[i])


@kernel
def tanh(x, out, elements):
    for i in range(out.size):
        out[i] = _elementary.tanh(x[i], elements[i])


@kernel
def below(x, out):
    for i in range(out.size):
        out[i] = _elementary.normal(x[i])[0]


@kernel
def density(x, out):
    for i in range(out.size):
        out[i] = _elementary.normal(x[i])[1]


FOR_ELEMENTS = exp, expm1, sigmoid, softplus, tanh


def applied(run, values, dtype=np.float64) -> np.ndarray:
    values = np.asarray(values, np.float64)
    out = np.empty_like(values)
    run(values, out, *([np.zeros(values.size, dtype)] if run in FOR_ELEMENTS else []))
    return out


def drawn(*ranges, small=()) -> np.ndarray:
    """Uniform numbers from ranges, and numbers of every size with the given signs."""
    rng = np.random.default_rng(0)
    uniform = [rng.uniform(low, high, 1500) for low, high in ranges]
    return np.concatenate([*uniform, *(sign * 10 ** rng.uniform(-307, 0, 500) for sign in small)])


# function, exact function, points of its domain, promised error in ulp: what its docstring says
CASES = [
    (exp, mpmath.exp, drawn((-708, 709.7), (-1, 1), small=(1, -1)), 0.65),
    (expm1, mpmath.expm1, drawn((-60, 0), (-1, 0), small=(-1,)), 2),
    (log, mpmath.log, np.concatenate([drawn((0.2, 5), (1, 1000), small=(1,)), 1 / drawn(small=(1,))]), 2),
    (log1p, mpmath.log1p, drawn((0, 1), small=(1,)), 2),
    (sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), drawn((-700, 40), (-5, 5)), 2.5),
    (softplus, lambda x: mpmath.log1p(mpmath.exp(x)), drawn((-700, 40), (-5, 5)), 3),
    (tanh, mpmath.tanh, drawn((-20, 20), (-1, 1), small=(1, -1)), 3),
    (below, lambda x: mpmath.erfc(-x / mpmath.sqrt(2)) / 2, drawn((-37, 9), (-3, 3), small=(1, -1)), 6),
    (density, lambda x: mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi), drawn((-37, 37), (-3, 3)), 3),
]


@pytest.mark.proves("activation", "bound")
@pytest.mark.parametrize(("run", "exact", "points", "ulp"), CASES, ids=[case[0].__name__ for case in CASES])
def test_errors_in_units_in_the_last_place(run, exact, points, ulp):
    for x, got in zip(points.tolist(), applied(run, points).tolist()):
        want = exact(mpmath.mpf(x))
        assert abs(got - want) <= ulp * float(np.spacing(abs(float(want)))), f"{run.__name__}({x!r}) = {got!r}"


@pytest.mark.proves("activation", "bound")
@pytest.mark.parametrize(("run", "exact", "points", "ulp"), [case for case in CASES if case[0] in FOR_ELEMENTS])
def test_errors_where_float32_is_asked_for(run, exact, points, ulp):
    """Arguments of float32, results that float32 has."""
    points = points[np.abs(points) < 80].astype(np.float32).astype(np.float64)
    for x, got in zip(points.tolist(), applied(run, points, np.float32).tolist()):
        want = exact(mpmath.mpf(x))
        assert abs(got - want) <= 2.0**-35 * abs(want), f"{run.__name__}({x!r}) = {got!r}"


def test_edges_where_float32_is_asked_for():
    def rounded(run, values):
        return applied(run, values, np.float32).astype(np.float32)

    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(rounded(exp, [-INF, -800, 0, -0.0, 88.8, INF, NAN]), [0, 0, 1, 1, INF, INF, NAN])
    np.testing.assert_array_equal(applied(exp, [-INF, -709], np.float32), [0, 0])  # an infinity times it is NaN
    np.testing.assert_array_equal(rounded(exp, [np.log(2.0**-149)]), [2.0**-149])  # the smallest subnormal
    np.testing.assert_array_equal(rounded(expm1, [-INF, -50, 0, NAN]), [-1, -1, 0, NAN])
    np.testing.assert_array_equal(rounded(sigmoid, [-INF, -800, 0, 40, INF, NAN]), [0, 0, 0.5, 1, 1, NAN])
    np.testing.assert_array_equal(rounded(softplus, [-INF, -800, 800, INF, NAN]), [0, 0, 800, INF, NAN])
    np.testing.assert_array_equal(rounded(tanh, [-INF, -30, 30, INF, NAN]), [-1, -1, 1, 1, NAN])


def test_the_edges():
    np.testing.assert_array_equal(applied(exp, [-INF, -800, 0, -0.0, 709.8, 800, INF, NAN]), [0, 0, 1, 1, INF, INF, INF, NAN])
    assert applied(exp, [-745.13]).item() == 5e-324  # the smallest subnormal
    np.testing.assert_array_equal(applied(expm1, [-INF, -50, 0, NAN]), [-1, -1, 0, NAN])
    np.testing.assert_array_equal(applied(log, [1, INF, NAN]), [0, NAN, NAN])
    np.testing.assert_array_equal(applied(log1p, [0, NAN]), [0, NAN])
    np.testing.assert_array_equal(applied(sigmoid, [-INF, -800, 0, 40, INF, NAN]), [0, 0, 0.5, 1, 1, NAN])
    np.testing.assert_array_equal(applied(softplus, [-INF, -800, 800, INF, NAN]), [0, 0, 800, INF, NAN])
    np.testing.assert_array_equal(applied(tanh, [-INF, -30, 30, INF, NAN]), [-1, -1, 1, 1, NAN])
    np.testing.assert_array_equal(applied(below, [-INF, -40, 0, 40, INF, NAN]), [0, 0, 0.5, 1, 1, NAN])
    np.testing.assert_array_equal(applied(density, [-INF, -40, 40, INF, NAN]), [0, 0, 0, 0, NAN])


def test_zeros_keep_their_sign():
    for run in (expm1, tanh):
        for dtype in (np.float32, np.float64):
            assert np.signbit(applied(run, [-0.0], dtype)).all()
            assert not np.signbit(applied(run, [0.0], dtype)).any()


def test_the_tail_of_the_normal_distribution_is_approximated_where_the_table_says():
    """The table is the interpolation at 64 Chebyshev points, cut after the 24th degree."""

    def scaled(u):
        a = 5 * (1 + u) / (1 - u)
        return (1 + a * mpmath.sqrt(mpmath.pi / 2)) * mpmath.exp(a * a / 2) * mpmath.erfc(a / mpmath.sqrt(2)) / 2

    points = [mpmath.cos(mpmath.pi * (j + mpmath.mpf(1) / 2) / 64) for j in range(64)]
    values = [scaled(u) for u in points]
    coefficients = [
        mpmath.mpf(1 if k == 0 else 2)
        / 64
        * sum(v * mpmath.cos(mpmath.pi * k * (j + mpmath.mpf(1) / 2) / 64) for j, v in enumerate(values))
        for k in range(25)
    ]
    previous, power = [mpmath.mpf(1)], [mpmath.mpf(0), mpmath.mpf(1)]  # T_0, T_1 in powers of u
    total = [coefficients[0], coefficients[1], *[mpmath.mpf(0)] * 23]
    for coefficient in coefficients[2:]:  # T_n = 2 u T_(n-1) - T_(n-2)
        doubled = [mpmath.mpf(0), *(2 * c for c in power)]
        previous, power = power, [d - (previous[i] if i < len(previous) else 0) for i, d in enumerate(doubled)]
        total = [t + coefficient * (power[i] if i < len(power) else 0) for i, t in enumerate(total)]
    assert tuple(float(t) for t in total[0::2])[::-1] == _elementary.TAIL_EVEN
    assert tuple(float(t) for t in total[1::2])[::-1] == _elementary.TAIL_ODD
