"""Hints: every kind of mistake is planted into a gradient, and told."""

from __future__ import annotations

import numpy as np
import pytest

from rawseg.testing.gradients.hints import hints

RIGHT = np.random.default_rng(3).permutation(np.linspace(-2.0, 3.1, 72)).reshape(2, 4, 3, 3)


def changed(where, by):
    wrong = RIGHT.copy()
    wrong[where] = by(wrong[where])
    return wrong


def half(part):
    return part / 2


def test_a_right_gradient_has_no_hints():
    assert hints(RIGHT, RIGHT) == []
    assert hints(RIGHT * (1 + 1e-15), RIGHT) == []
    assert hints(RIGHT[:1], RIGHT) == []
    assert hints(RIGHT[:0], RIGHT[:0]) == []


WHOLE = [
    ("zero", 0 * RIGHT, "it is zero everywhere: never computed, or cut off from the output"),
    ("sign", -RIGHT, "its sign is wrong: every element"),
    ("twice", 2 * RIGHT, "it is 2 times what it should be: every element"),
    ("half", RIGHT / 2, "it is 1/2 of what it should be: every element"),
    ("mean", RIGHT / 72, "it is 1/72 of what it should be: every element (72 is the number of its elements)"),
    ("channels", RIGHT * 4, "it is 4 times what it should be: every element (4 is the length of axis 1)"),
    ("minus two", -2 * RIGHT, "it is -2 times what it should be: every element"),
    ("a little", 0.999 * RIGHT, "it is 0.999 of what it should be: every element"),
    ("too much", 1.5 * RIGHT, "it is 1.5 times what it should be: every element"),
    ("constant", RIGHT - 0.25, "every element has 0.25 too little: a term that is constant"),
    (
        "kernel",
        RIGHT[..., ::-1, ::-1],
        "it is flipped along axes 2 and 3 (a kernel turned around once too often, or not at all)",
    ),
    ("channels turned", RIGHT[:, ::-1], "it is flipped along axis 1"),
    ("transposed", RIGHT.swapaxes(2, 3), "axes 2 and 3 are exchanged"),
    ("down", np.roll(RIGHT, 1, 2), "it is shifted by one forwards along axis 2"),
    ("left", np.roll(RIGHT, -1, 3), "it is shifted by one backwards along axis 3"),
]


@pytest.mark.parametrize(("wrong", "hint"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE])
def test_a_relation_of_the_whole_gradient_is_the_only_hint(wrong, hint):
    assert hints(wrong, RIGHT) == [hint]


def test_a_gradient_where_there_is_none():
    assert hints(RIGHT, 0 * RIGHT) == ["it should be zero everywhere: the output does not depend on this input here"]


def test_channels_of_input_and_output_exchanged():
    right = RIGHT[:, :2]
    assert hints(right.swapaxes(0, 1), right) == ["axes 0 and 1 are exchanged"]


def test_height_and_width_mixed_up():
    right = RIGHT.reshape(4, 3, 6)
    wrong = right.swapaxes(1, 2).reshape(right.shape)
    assert hints(wrong, right) == ["axes 1 and 2 are mixed up (height and width?): the numbers are in the other one's order"]


def test_the_gradient_of_another_input():
    other = np.arange(72.0).reshape(RIGHT.shape)
    assert hints(other, RIGHT, others={"input 1 (weight)": other}) == [
        "it is the gradient of input 1 (weight): two gradients are exchanged"
    ]
    assert hints(other, RIGHT, others={"input 1": other[:1]}) == []


SMALL = "it is too small wherever it is wrong: terms of a sum are missing (= where += is meant?)"
LARGE = "it is too large wherever it is wrong: terms of a sum are counted twice"
BORDER = "it is wrong only at the border: the first or last row or column of the last two axes"
inside = np.zeros(RIGHT.shape, bool)
inside[..., 1, 1] = True
PLACES = [
    ("border", changed(~inside, half), [BORDER, SMALL]),
    ("second image", changed(1, half), ["it is wrong only where axis 0 is 1", SMALL]),
    ("last channel", changed((slice(None), 3), half), ["it is wrong only where axis 1 is 3", SMALL]),
    (
        "second group",
        changed((slice(None), slice(2, None)), half),
        ["it is right where axis 1 is 0, 1 and wrong where it is 2, 3", SMALL],
    ),
    ("some", changed(RIGHT > 0.5, half), [SMALL]),
    ("some twice", changed(RIGHT > 0.5, lambda part: 2 * part), [LARGE]),
    ("last row", changed((..., 2, slice(None)), half), ["it is wrong only where axis 2 is 2", BORDER, SMALL]),
]


@pytest.mark.parametrize(("wrong", "expected"), [case[1:] for case in PLACES], ids=[case[0] for case in PLACES])
def test_where_it_is_wrong_and_how(wrong, expected):
    assert hints(wrong, RIGHT) == expected


def test_nothing_is_said_of_random_mistakes_or_of_one_element():
    assert hints(RIGHT[::-1, ::-1, ::-1, ::-1] * 1.3, RIGHT) == []
    assert hints(changed((0, 1, 1, 2), lambda one: one + 7), RIGHT) == []
    assert hints(np.full(RIGHT.shape, np.nan), RIGHT) == []


def test_one_number_has_a_sign_and_whole_factors_but_no_other():
    one = np.array(0.7)
    assert hints(-one, one) == ["its sign is wrong: every element"]
    assert hints(3 * one, one) == ["it is 3 times what it should be: every element"]
    assert hints(0.98 * one, one) == []


def test_relations_hold_within_the_tolerance_of_each_element():
    noise = 1e-3 * np.random.default_rng(0).standard_normal(RIGHT.shape)
    assert hints(2 * RIGHT + noise, RIGHT) == [LARGE]
    assert hints(2 * RIGHT + noise, RIGHT, np.full(RIGHT.shape, 5e-3)) == ["it is 2 times what it should be: every element"]


def test_the_tolerance_is_that_of_the_right_gradient_wherever_its_numbers_went():
    noise = 1e-3 * np.random.default_rng(1).standard_normal(RIGHT.shape)
    sure = np.full(RIGHT.shape, 5e-3)
    assert hints(40 * RIGHT, RIGHT + noise, sure) == ["it is 40 times what it should be: every element"]
    shifted = ["it is shifted by one forwards along axis 2"]
    assert hints(np.roll(RIGHT, 1, 2), RIGHT + noise, sure) == shifted
    one = np.zeros(RIGHT.shape)
    one[0, 0, 0, 0] = 0.5  # a number that nobody knows well
    unsure = 1e-9 + 2 * one
    assert hints((RIGHT + one)[:, ::-1], RIGHT, unsure) == ["it is flipped along axis 1"]
    assert hints((RIGHT + one)[:, ::-1], RIGHT, 1e-9) == []


def test_float32_has_a_tolerance_of_its_own():
    right = RIGHT.astype(np.float32)
    assert hints(right * np.float32(1 + 1e-6), right) == []
    assert hints(right / np.float32(3), right) == ["it is 1/3 of what it should be: every element (3 is the length of axis 2)"]


def test_numbers_at_the_ends_of_the_range():
    assert hints(np.array([1e-320, 2e-320]), np.array([1.0, 2.0])) == ["it is 9.99989e-321 of what it should be: every element"]
    assert hints(np.array([1e300, 2e300]), np.array([1.0, 2.0])) == ["it is 1e+300 times what it should be: every element"]
    assert hints(np.array([2e-200, 4e-200]), np.array([1e-200, 2e-200])) == ["it is 2 times what it should be: every element"]
    assert hints(np.array([2e200, 4e200]), np.array([1e200, 2e200])) == ["it is 2 times what it should be: every element"]


def test_a_shift_of_fewer_than_three_different_numbers_is_chance():
    assert hints(np.array([9.0, 1.0, 2.0]), np.array([1.0, 2.0, 7.0])) == []
    assert hints(np.array([9.0, 1.0, 2.0, 0.0, 1.0]), np.array([1.0, 2.0, 0.0, 1.0, 7.0])) == []
    shifted = np.array([9.0, 1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 7.0])
    assert hints(*shifted) == ["it is shifted by one forwards along axis 0"]
