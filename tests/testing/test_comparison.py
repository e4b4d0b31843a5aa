"""A result beside the exact one: ratios, places, and what is no number."""

from __future__ import annotations

import numpy as np
import pytest

from rawseg.testing.comparison import compare


def test_the_element_furthest_beyond_its_bound_is_told():
    found = compare(np.array([1.0, 2.5, 3.0]), np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.0, 0.25]))
    assert (found.ratio, found.at, found.got, found.want, found.wrong, found.size) == (4.0, (2,), 3.0, 4.0, 1, 3)
    assert not found.explained
    assert str(found) == "cannot be rounding: ratio 4 at (2,): 3, exactly 4; 1 of 3 elements are wrong"


def test_a_wrong_element_is_told_before_a_larger_ratio_that_is_allowed_none():
    found = compare(np.array([0.5, 7.0]), np.array([0.0, 6.0]), np.array([1.0, 0.0]))
    assert found.at == (1,)
    assert str(found).startswith("cannot be rounding: 7 at (1,), exactly 6")


def test_inside_the_bound():
    found = compare(np.array([[1.0, 2.25]]), np.array([[1.0, 2.0]]), np.array([[0.0, 1.0]]))
    assert found.explained
    assert str(found) == "inside the provable bound (ratio 0.25)"


@pytest.mark.parametrize(("error", "explained"), [(0.999, True), (1.0, True), (1.001, False)])
def test_the_bound_itself_is_allowed_and_no_more(error, explained):
    assert compare(np.array([2.0 + error]), np.array([2.0]), np.array([1.0])).explained is explained


NAN, INF = np.nan, np.inf


@pytest.mark.parametrize(("got", "want"), [(NAN, 1), (INF, 1), (1, NAN), (1, INF), (-INF, INF), (NAN, INF)])
def test_what_is_no_number_must_be_the_same(got, want):
    found = compare(np.array([got]), np.array([want]), np.array([1e300]))
    assert not found.explained
    assert found.ratio == np.inf


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0, -0.0, 3.0])
def test_the_same_is_right_whatever_the_bound(value):
    assert compare(np.array([value]), np.array([value]), np.array([0.0])).explained
    assert compare(np.array([value]), np.array([value]), np.array([np.nan])).explained


def test_a_bound_that_is_no_number_allows_nothing():
    assert not compare(np.array([1.0]), np.array([1.0 + 1e-15]), np.array([np.nan])).explained


def test_nothing_is_right():
    found = compare(np.zeros((0, 3)), np.zeros((0, 3)), np.zeros((0, 3)))
    assert found.explained
    assert found.size == 0
