"""Contracts of poolings, windows, frames and resizing: what rawseg and PyTorch keep, and which check finds which mistake."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from testing import my_planes

from rawseg.testing import explain
from rawseg.testing.conformance import check
from rawseg.testing.contracts import contract_of
from rawseg.testing.strategies import pooling, resizing
from rawseg_kernels.resize import tables

OPS = (
    "max_pool2d",
    "avg_pool2d",
    "adaptive_max_pool2d",
    "adaptive_avg_pool2d",
    "max_unpool2d",
    "unfold",
    "fold",
    "pad",
    "interpolate",
    "pixel_shuffle",
    "pixel_unshuffle",
)
ENOUGH = 100  # every mistake shows in more than a tenth of the drawn cases
ROW = re.compile(r"^\| `([a-z0-9_.-]+)`( \*\*≠\*\*)? \|", re.MULTILINE)


def rows() -> dict[str, bool]:
    """The rows of SEMANTICS.md, and whether each is marked as a difference from PyTorch."""
    page = (Path(__file__).parents[2] / "SEMANTICS.md").read_text().partition("## Where rawseg differs")[0]
    return {name: bool(mark) for name, mark in ROW.findall(page)}


def entries(op):
    contract = contract_of(op)
    return [*contract.edges(), *contract.refusals()]


@pytest.mark.gate
@pytest.mark.parametrize("op", OPS)
def test_rawseg_conforms(op):
    report = check(op, examples=5)
    assert report.passed, str(report)
    assert [outcome.check for outcome in report.outcomes if outcome.state != "passed"] == []
    assert [note for outcome in report.outcomes for note in outcome.notes] == []


@pytest.mark.release
@pytest.mark.parametrize("op", OPS)
def test_torch_conforms_but_where_the_contract_says_that_it_differs(op):
    report = check(op, getattr(torch.nn.functional, op), examples=60)
    assert report.passed, str(report)
    notes = [note for outcome in report.outcomes for note in outcome.notes]
    own = [f"{entry.what} ({entry.row})" for entry in entries(op) if entry.own]
    assert [what for what in own if not any(what in note for note in notes)] == [], "PyTorch does as rawseg there"


def test_rows_are_those_of_the_page_and_all_of_them():
    found = {row for op in OPS for row in (entry.row for entry in entries(op))}
    page = rows()
    assert sorted(found - set(page)) == []
    assert sorted({entry.row for op in OPS for entry in entries(op) if entry.own and not page[entry.row]}) == []
    families = {row.partition(".")[0] for row in found} - {"all"}
    # A plane that indices carry with them is no argument: plain arrays cannot show it.
    assert {row for row in page if row.partition(".")[0] in families} - found == {"max_unpool2d.plane"}


@pytest.mark.parametrize(
    ("op", "name", "make", "wrong", "message"),
    [
        ("max_pool2d", "values", my_planes.largest, {"padded": True}, r"output(?: 0)?: cannot be rounding: 0 at .*, exactly -"),
        (
            "max_pool2d",
            "edges",
            my_planes.largest,
            {"ties": "last"},
            r"first of equal values, and its index .*output 1: cannot be rounding: 4 at .*, exactly 0",
        ),
        ("avg_pool2d", "values", my_planes.means, {"counting": False}, "output: cannot be rounding: ratio"),
        ("adaptive_avg_pool2d", "values", my_planes.bins, {"overlapping": False}, "output: cannot be rounding: ratio"),
        ("unfold", "values", my_planes.columns, {"rows_first": False}, "output: cannot be rounding: "),
        ("fold", "values", my_planes.images, {"adding": False}, "output: cannot be rounding: ratio"),
        ("pad", "values", my_planes.framed, {"repeating": True}, "output: cannot be rounding: "),
        ("interpolate", "values", my_planes.resized, {"half": 0.0}, "output: cannot be rounding: ratio"),
        ("pixel_shuffle", "values", my_planes.shuffled, {"channels_first": False}, "output: cannot be rounding: "),
    ],
)
def test_a_mistake_is_found_by_the_check_that_is_for_it(op, name, make, wrong, message):
    right = check(op, make(), only=(name,), examples=ENOUGH)
    assert right.passed, str(right)
    found = check(op, make(**wrong), only=(name,), examples=ENOUGH).of(name)
    assert found.state == "failed"
    assert re.search(message, found.message), found.message


def test_the_smallest_case_of_a_mistake_is_small():
    found = check("unfold", my_planes.columns(rows_first=False), only=("values",), examples=ENOUGH).of("values")
    assert found.case.options["kernel_size"] in ((2, 2), 2)
    found = check("max_pool2d", my_planes.largest(padded=True), only=("values",), examples=ENOUGH).of("values")
    assert found.case.arrays["input"].size <= 2


def test_an_index_that_is_not_checked_is_bad_input():
    right = check("max_unpool2d", my_planes.unpooled(), only=("values", "edges", "bad input"))
    assert right.passed, str(right)
    assert [note for note in right.of("bad input").notes if "max_unpool2d.duplicates" in note]
    found = check("max_unpool2d", my_planes.unpooled(checking=False), only=("bad input",)).of("bad input")
    assert found.state == "failed"
    assert re.match(r"an index below 0 \(max_unpool2d.indices\): accepted; returned float64 \(1, 1, 4, 4\)", found.message)


def test_a_gradient_that_spreads_over_ties_is_found_at_the_edges():
    pool = my_planes.largest()

    def backward(grad_output, input, kernel_size, stride=None, padding=0, return_indices=False):
        """All of the equal values get the gradient."""
        kernel, padding = my_planes.pair(kernel_size), my_planes.pair(padding)
        stride = kernel if stride is None else my_planes.pair(stride)
        out, grad = pool(input, kernel_size, stride, padding), np.zeros_like(input)
        spans = [my_planes.spans(input.shape[2 + i], kernel[i], stride[i], padding[i]) for i in (0, 1)]
        for b, k, i, j in np.ndindex(out.shape):
            part = np.s_[b, k, slice(*spans[0][i]), slice(*spans[1][j])]
            grad[part] += (input[part] == out[b, k, i, j]) * grad_output[b, k, i, j]
        return grad

    report = check("max_pool2d", pool, backward, only=("values", "gradients", "edges"))
    assert [outcome.state for outcome in report.outcomes] == ["passed", "passed", "failed"]
    assert re.match(r"the first of equal values \(max_pool2d.choice\): gradient of input: ", report.of("edges").message)


@pytest.mark.parametrize("align_corners", [False, True])
def test_coordinates_of_float32_are_rounding_and_half_a_pixel_is_not(align_corners):
    x = np.random.default_rng(0).standard_normal((1, 1, 3, 500)).astype(np.float32)
    resize, options = torch.nn.functional.interpolate, {"size": (3, 1499), "mode": "bilinear", "align_corners": align_corners}
    theirs = resize(torch.tensor(x), **options).numpy()
    exact = resize(torch.tensor(x, dtype=torch.float64), **options).numpy()
    assert abs(theirs - exact).max() > 1e-5
    found = explain("interpolate", [x], theirs, **options)
    assert found.is_rounding, str(found)
    other = explain("interpolate", [x], theirs, **{**options, "align_corners": not align_corners})
    assert not other.is_rounding


@given(st.sampled_from(["nearest", "nearest-exact"]), st.data())
def test_the_pixel_of_a_drawn_factor_does_not_depend_on_rounding(mode, data):
    n = data.draw(resizing.SIDES)
    factor = data.draw(st.sampled_from([f for f in resizing.FACTORS if n * f >= 1]))
    out, centre = int(n * factor), 0.5 * (mode == "nearest-exact")
    exact = (tables.nearest_exact if centre else tables.nearest)(n, out, 1 / factor)
    for dtype in (np.float32, np.float64):
        i = np.arange(out, dtype=dtype) + dtype(centre)
        for source in (i / dtype(factor), i * dtype(1 / factor)):
            np.testing.assert_array_equal(np.minimum(np.floor(source), n - 1), exact)


@given(pooling.max_unpool2d())
def test_drawn_indices_are_different_and_inside_of_the_plane(case):
    indices = case.arrays["indices"]
    assert indices.dtype == np.int64
    assert indices.size == 0 or indices.min() >= 0
    for plane in indices.reshape(-1, *indices.shape[2:]):
        assert len(np.unique(plane)) == plane.size
