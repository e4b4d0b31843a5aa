"""A case: its arrays and options, and how it is shown."""

from __future__ import annotations

import numpy as np

from rawseg.testing.case import Case

X, W = np.array([1.0, -2.0]), np.array([[2.0, 0.5]])


def test_other_arrays_in_a_case():
    case = Case("linear", {"input": X, "weight": W}, {"unused": 1})
    other = case.having(weight=2 * W, bias=None)
    assert list(other.arrays) == ["input", "weight", "bias"]
    assert other.arrays["input"] is X
    assert other.arrays["weight"].tolist() == [[4.0, 1.0]]
    assert other.arrays["bias"] is None
    assert other.options == {"unused": 1}
    assert case.arrays["weight"] is W


def test_cases_can_be_compared_and_be_keys():
    one, other = Case("relu", {"input": X}), Case("relu", {"input": X})
    assert one == one
    assert one != other
    assert len({one, other, one}) == 2


def test_it_is_shown_as_a_call():
    case = Case("softmax", {"input": X, "weight": None}, {"dim": 0})
    assert repr(case) == str(case) == "softmax(input=float64 [1.0, -2.0], dim=0)"
    assert str(case.having(input=np.zeros((5, 5)))) == "softmax(input=float64 (5, 5), dim=0)"
