"""Results of two calls that differ in a bit."""

from __future__ import annotations

import numpy as np
import pytest

from rawseg.testing.repeating import unequal_bits

NAN = np.array([np.nan, 1.0])


@pytest.mark.parametrize(
    ("first", "again", "said"),
    [
        ([0.5], [0.5], ""),
        ([np.nan], [np.nan], ""),
        ([np.nan, 1.0], [np.nan, 2.0], "out at (1,) is 1 in one call and 2 in the next, with the same inputs"),
        ([0.0], [-0.0], "out at (0,) is 0 in one call and -0 in the next, with the same inputs"),
        (0.1, 0.3, "out at () is 0.10000000000000001 in one call and 0.29999999999999999 in the next, with the same inputs"),
        ([1, 2], [1, 3], "out at (1,) is 2 in one call and 3 in the next, with the same inputs"),
        ([True], [False], "out at (0,) is True in one call and False in the next, with the same inputs"),
        ([[1.0]], [1.0], "out is float64 (1, 1) in one call and float64 (1,) in the next"),
        ([], [], ""),
    ],
)
def test_one_result(first, again, said):
    assert unequal_bits(["out"], [np.array(first)], [np.array(again)]) == said


def test_float32_needs_nine_digits():
    one, other = np.float32([0.1]), np.nextafter(np.float32([0.1]), np.float32(1))
    assert "is 0.100000001 in one call and 0.100000009 in the next" in unequal_bits(["out"], [one], [other])


def test_another_dtype_and_another_number_of_results():
    assert unequal_bits(["a"], [NAN], [NAN.astype("f")]) == "a is float64 (2,) in one call and float32 (2,) in the next"
    assert unequal_bits(["a"], [NAN], [NAN, NAN]) == "one call gives 1 results, the next 2, with the same inputs"


def test_the_second_of_two_results():
    assert unequal_bits(["a", "b"], [NAN, NAN], [NAN, NAN[::-1]]).startswith("b at (0,) is nan in one call and 1 in the next")
