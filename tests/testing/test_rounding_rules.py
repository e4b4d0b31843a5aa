"""The rules of rounding at the sizes of real layers: right results in float32 are inside, and 3 % off is a mistake."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from testing.large_cases import MULTILINEAR, NONE, SMOOTH, named, normal, theirs

import rawseg
from rawseg.testing import explain
from rawseg.testing.case import Case
from rawseg.testing.comparison import compare
from rawseg.testing.conformance.checks import directions_of
from rawseg.testing.contracts import contract_of, contracts
from rawseg.testing.definition import Definition
from rawseg.testing.rounding import Counted, Multilinear, Resampled, Resized, Smooth, smooth
from rawseg.testing.rounding.bounds import gamma, sum_bound
from rawseg.testing.rounding.coordinates import BILINEAR
from rawseg.testing.rounding.smooth import LEAST, MOST

SOON = "avg_pool2d", "softmax", "mse_loss"
CASES = named(MULTILINEAR + SMOOTH)


def cases() -> list:
    return [pytest.param(c, marks=() if c.op in SOON else pytest.mark.release, id=f"{c.op}-{i}") for i, c in enumerate(CASES)]


def ours(case: Case) -> np.ndarray:
    rawseg.set_precision("exact")  # Winograd's result is no direct sum, and has a bound of its own
    try:
        return contract_of(case.op).function(**case.arrays, **case.options).numpy()
    finally:
        rawseg.set_precision("fast")


def said(case: Case, got: np.ndarray):
    return explain(case.op, case.arrays, got, **case.options)


@pytest.mark.parametrize("case", cases())
def test_a_right_result_of_a_real_layer_is_inside_and_one_element_that_is_3_percent_off_is_not(case):
    got = ours(case)
    assert got.dtype == np.float32
    for right in (got, theirs(case)):
        if right is not None:
            found = said(case, right)
            assert found.is_rounding, str(found)
            assert found.outputs[0].unbounded < 0.01 * got.size  # elements near 0, too many to look at every one
    wrong = got.copy()
    wrong.flat[np.abs(wrong).argmax()] *= np.float32(1.03)
    assert str(said(case, wrong)).startswith("cannot be rounding")


@pytest.mark.parametrize("case", [case for case in CASES if case.op in ("avg_pool2d", "softmax")], ids=lambda c: c.op)
def test_a_result_that_is_3_percent_off_everywhere_is_a_mistake(case):
    found = said(case, ours(case) * np.float32(1.03))
    assert not found.is_rounding
    assert found.outputs[0].wrong >= LEAST


def test_every_operation_that_sums_has_a_case_of_a_real_layer():
    rules = Multilinear, Resampled, Resized, Smooth
    summing = {op for op, contract in contracts().items() if isinstance(contract.rounding, rules)}
    assert summing - {case.op for case in CASES} == {"border_weights"}  # float64 alone


def test_every_element_has_its_own_number_of_products():
    """A padded window of 3 x 3 in the corner sees 4 pixels of 2 channels; a weight in a corner meets 4 x 5 of 3 images."""
    contract = contract_of("conv2d")
    exact = Definition(contract)
    case = Case("conv2d", {"input": normal(3, 2, 5, 6), "weight": normal(4, 2, 3, 3)}, {"padding": 1})
    want = exact.values(case)
    (count,) = Counted().of_values(exact, case, want)
    assert count[0, 0, 0, 0] == 2 * 4
    assert count[2, 3, 2, 3] == 2 * 9
    by_input, by_weight = Counted().of_gradients(exact, case, want)
    assert by_weight[0, 0, 1, 1] == 3 * 5 * 6
    assert by_weight[3, 1, 0, 2] == 3 * 4 * 5
    assert by_input[0, 0, 2, 2] == 4 * 9
    on_seeds = Counted().of_second(exact, case, want, [case.arrays["input"], case.arrays["weight"]])
    assert [array.shape for array in on_seeds] == [(3, 2, 5, 6), (4, 2, 3, 3), (3, 4, 5, 6)]
    assert on_seeds[2][2, 3, 2, 3] == 2 * 2 * 9  # weights on seeds of the input, and seeds of the weights on the input


@pytest.mark.parametrize("override", [None, 7])
def test_a_mean_has_as_many_products_as_pixels(override):
    contract = contract_of("avg_pool2d")
    options = {"kernel_size": (3, 2), "padding": 1, "stride": 2, "count_include_pad": False, "divisor_override": override}
    case = Case("avg_pool2d", {"input": normal(1, 1, 4, 6)}, options)
    exact = Definition(contract)
    want = exact.values(case)
    (count,) = contract.rounding.terms.of_values(exact, case, want)
    assert count[0, 0].tolist() == [[2, 4, 4, 2], [3, 6, 6, 3]]  # 3 x 2 pixels, less those above, left and right of the image
    (windows,) = contract.rounding.terms.of_gradients(exact, case, want)
    assert windows[0, 0].tolist() == [[1] * 6, [2] * 6, [1] * 6, [1] * 6]  # the second row is in two windows


@pytest.mark.parametrize(
    "op",
    [
        *("linear", "avg_pool2d"),
        *(pytest.param(op, marks=pytest.mark.release) for op in ("conv2d", "fold", "adaptive_avg_pool2d", "interpolate")),
    ],
)
def test_gradients_of_pytorch_are_inside_and_3_percent_off_are_not(op):
    case = next(case for case in CASES if case.op == op)
    contract, tensors = contract_of(op), {n: torch.from_numpy(a).requires_grad_() for n, a in case.arrays.items()}
    exact, out = Definition(contract), getattr(torch.nn.functional, op)(**tensors, **case.options)
    directions = directions_of([out.detach().numpy()], case)
    got = [g.numpy() for g in torch.autograd.grad(out, list(tensors.values()), torch.from_numpy(directions[0]))]
    want = exact.gradients(case, directions)
    for one, other, bound in zip(got, want, contract.rounding.of_gradients(exact, case, directions, want, np.float32)):
        assert compare(one, other, bound).explained
        spoilt = one.copy()
        spoilt.flat[np.abs(spoilt).argmax()] *= np.float32(1.03)
        assert not compare(spoilt, other, bound).explained


@pytest.mark.parametrize("shape", [(1, 1, 2, 9), (1, 1, 3, 4), (1, 1, 1, 1), (1, 1, 7, 5)])
@pytest.mark.parametrize("options", [{"size": (13, 40)}, {"size": (13, 40), "align_corners": True}, {"scale_factor": 3.7}])
def test_no_pixel_takes_part_in_more_outputs_than_are_stated(shape, options):
    """Counted by what a pixel of 1 in an image of zeros changes."""
    contract, pixels, most = contract_of("interpolate"), int(np.prod(shape)), 0
    options = {"mode": "bilinear", **options}
    for at in range(pixels):
        case = Case("interpolate", {"input": np.eye(pixels)[at].reshape(shape)}, options)
        (out,) = Definition(contract).values(case)
        most = max(most, np.count_nonzero(out))
    assert most <= BILINEAR.terms.of_gradients(Definition(contract), case, [out])[0]


@pytest.mark.parametrize("sizes", [(7, 5, 3, 4), (3, 1, 7, 3), (8, 8, 4, 2), (5, 9, 5, 1)])
def test_no_bin_has_more_pixels_than_are_stated_and_no_pixel_more_bins(sizes):
    contract, (h, w, *bins) = contract_of("adaptive_avg_pool2d"), sizes
    seen = np.stack([
        Definition(contract).values(Case(contract.op, {"input": one.reshape(1, 1, h, w)}, {"output_size": tuple(bins)}))[0]
        for one in np.eye(h * w)
    ])  # fmt: skip
    case, terms = Case(contract.op, {"input": np.ones((1, 1, h, w))}, {"output_size": tuple(bins)}), contract.rounding.terms
    assert np.count_nonzero(seen, 0).max() <= terms.of_values(Definition(contract), case, [seen[0]])[0]
    assert np.count_nonzero(seen.reshape(h * w, -1), 1).max() <= terms.of_gradients(Definition(contract), case, [seen[0]])[0]


def test_where_nothing_is_known_no_result_is_a_mistake():
    assert gamma(2**24 - 1, np.float32) == 2**24 - 1
    assert gamma(2**24, np.float32) == gamma(2**25, np.float32) == np.inf
    assert gamma(np.array([1, 2**24]), np.float64).tolist() == [2**-53 / (1 - 2**-53), 2**-29 / (1 - 2**-29)]
    assert sum_bound(2**24, np.zeros(1), np.float32)[0] < 1e-30


@pytest.mark.release
def test_a_mean_of_more_elements_than_float32_can_count_is_no_mistake():
    x = np.full((1, 1, 4600, 4600), 0.5, np.float32)
    found = explain("avg_pool2d", [x], np.full((1, 1, 1, 1), 0.5, np.float32), kernel_size=4600)
    assert found.is_rounding
    found = explain("avg_pool2d", [x], np.full((1, 1, 1, 1), 0.6, np.float32), kernel_size=4600)
    assert found.is_rounding
    assert str(found) == "inside the provable bound (ratio 0) (0 of 1 elements were compared)"


def test_small_elements_do_not_hide_behind_large_ones():
    """By absolute error the large ones come first; the small ones are twice what they should be."""
    x = np.concatenate([np.zeros((2, 1000)), np.full((2, 1000), -8.0)], 1)
    got = Definition(contract_of("softmax")).values(Case("softmax", {"input": x}, {"dim": 1}))[0].astype(np.float32)
    got[:, 1000:] *= 2
    found = explain("softmax", [x.astype(np.float32)], got, dim=1)
    assert not found.is_rounding
    assert found.outputs[0].at[1] >= 1000


def test_the_largest_errors_in_parts_of_their_elements_come_first(monkeypatch):
    """Of one element that may be looked at it is the one that is doubled, not the one whose error is larger, by 1 %."""
    monkeypatch.setattr(smooth, "MOST", 1)
    monkeypatch.setattr(smooth, "LEAST", 1)
    x = np.array([[0.0, -10.0]], np.float32)
    (want,) = Definition(contract_of("softmax")).values(Case("softmax", {"input": x}, {"dim": 1}))
    found = explain("softmax", [x], want.astype(np.float32) * np.float32([1.01, 2]), dim=1)
    assert (found.outputs[0].at, found.outputs[0].wrong, found.outputs[0].unbounded) == ((0, 1), 1, 1)


def test_equal_errors_are_not_all_looked_at():
    x = np.zeros((64, 64), np.float32)
    found = explain("softmax", [x], np.full((64, 64), 1 / 32, np.float32), dim=1)
    assert found.outputs[0].wrong == MOST
    assert found.outputs[0].unbounded == 64 * 64 - MOST
    assert str(found).endswith(f"({MOST} of 4096 elements were compared)")


def test_an_exact_result_takes_no_pass_of_its_own(monkeypatch):
    x, passes = normal(64, 64), []
    want = Definition(contract_of("softmax")).values(Case("softmax", {"input": x}, {"dim": 1}))[0]
    monkeypatch.setattr(Definition, "gradients", lambda *a: passes.append(a))
    assert explain("softmax", [x], want, dim=1).ratio == 0
    assert passes == []


def test_a_loss_that_is_not_reduced_has_the_bound_of_an_element():
    contract = contract_of("mse_loss")
    case = Case("mse_loss", {"input": normal(30), "target": normal(30, seed=1)}, NONE)
    assert contract.rounding.terms(case) == 0
    assert contract.rounding.terms(Case(case.op, case.arrays)) == 30
