"""The text of a report: everything that is known about a wrong gradient, in lines that can be read."""

from __future__ import annotations

import numpy as np
from testing.products import W, X, product, product_backward

from rawseg.testing import examine
from rawseg.testing.gradients.report import GradientReport, Rung, percent


def test_a_wrong_formula_in_full():
    def backward(grad_output, x, w):
        dx, dw = product_backward(grad_output, x, w)
        return dx, dw / 2

    lines = str(examine(product, X, W, backward=backward)).splitlines()
    first = "gradcheck: input 1 (w) at (1, 1): analytic gradient "
    assert lines[0].startswith(first)
    analytic, numeric = (float(part.split()[-1]) for part in lines[0].split(", finite differences "))
    assert analytic * 2 == numeric or abs(analytic * 2 - numeric) < 1e-10
    assert (
        lines[1] == "  verdict    wrong formula: as the step falls the differences settle, at a number that is not the gradient"
    )
    assert lines[2].endswith("(50 % of the gradient)")
    assert lines[3].startswith("  tolerance  ")
    assert lines[3].endswith(" rounding, float64")
    assert lines[4].startswith("             a relative error of ")
    assert lines[5] == "  ladder     step h      difference quotient      error      slope"
    assert len(lines[6:15]) == 9
    assert all(line.startswith(13 * " ") for line in lines[6:15])
    assert lines[7].endswith("  0.0")
    assert lines[15] == "  wrong      all 4 elements of this input"
    assert lines[16] == "  hint       it is 1/2 of what it should be: every element"
    assert len(lines) == 17


def test_at_most_two_hints_are_told():
    def backward(grad_output, x):
        dx = 2 * grad_output * x
        dx[..., 0] /= 2  # the first column of a border, too small
        return dx

    image = np.linspace(0.5, 2, 24).reshape(2, 3, 4)
    report = examine(lambda x: x * x, image, backward=backward)
    assert report.hints == (
        "it is wrong only where axis 2 is 0",
        "it is wrong only at the border: the first or last row or column of the last two axes",
    )
    assert str(report).count("  hint  ") == 2
    assert "  wrong      6 of 24 elements of this input: (0, 0, 0), (0, 1, 0), " in str(report)


def test_exchanged_gradients_are_told_from_the_other_input():
    def function(x, y):
        return x * x * y

    report = examine(function, X, W, backward=lambda g, x, y: (g * x * x, 2 * g * x * y))
    assert report.hints == ("it is the gradient of input 1 (y): two gradients are exchanged",)


def test_long_texts_are_wrapped():
    report = GradientReport(False, "kink", "at this point " + "the slope is what it is and " * 12, element=(0,), input=0)
    lines = str(report).splitlines()
    assert max(map(len, lines)) <= 110
    assert all(line.startswith(13 * " ") for line in lines[2:])
    assert len(lines) > 3


def test_elements_are_counted():
    base = {"passed": False, "verdict": "kink", "words": "why", "element": (0,), "input": 2, "elements": 1, "wrong": 1}
    assert "  wrong      the only element of this input" in str(GradientReport(**base))
    assert "gradcheck: input 2 at (0,): " in str(GradientReport(**base))
    assert "gradgradcheck: input 2 at (0,): " in str(GradientReport(**base, order=2))
    few = {**base, "elements": 9, "wrong": 2, "where": ((0,), (3,))}
    assert "  wrong      2 of 9 elements of this input: (0,), (3,)" in str(GradientReport(**few))
    many = {**base, "elements": 9, "wrong": 8, "where": ()}
    assert str(GradientReport(**many)).endswith("  wrong      8 of 9 elements of this input")


def test_slopes_are_powers_of_the_step():
    ladder = (Rung(1e-1, 3.0, 1e-2), Rung(1e-2, 3.0, 1e-4), Rung(1e-3, 3.0, 1e-4), Rung(1e-4, 3.0, 0.0), Rung(1e-5, 3.0, 1e-3))
    text = str(GradientReport(False, "wrong formula", "why", element=(0,), input=0, error=1e-4, tolerance=1e-9, ladder=ladder))
    slopes = [line[59:].strip() for line in text.splitlines() if line.startswith(13 * " ")]
    assert slopes == ["", "2.0", "0.0", "", ""]


def test_what_passed_is_said_in_a_line():
    assert str(GradientReport(True, "right", "", checked=1, resolution=0.012)) == (
        "gradcheck: 1 element agrees with finite differences (float64); "
        "in any of them an error of 1.2 % of the typical gradient would have been seen"
    )
    noted = GradientReport(True, "kink", "a kink", 2, 0, "x", (1,), checked=5, resolution=3e-9, dtype="float32")
    assert str(noted) == (
        "gradgradcheck: 5 elements agree with finite differences (float32); "
        "in any of them an error of 3.0e-09 of the typical gradient would have been seen\n"
        "  note       input 0 (x) at (1,): a kink"
    )


def test_shares():
    assert [percent(share) for share in (1.5, 0.12345, 1e-3, 1e-4, 9e-5)] == ["150 %", "12.3 %", "0.1 %", "0.01 %", "9.0e-05"]
