"""Contracts of regions, points and boxes: what rawseg, PyTorch and torchvision keep, and which check finds which mistake."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from roi_cases import sample_places
from testing import my_regions
from twins import torchs

from rawseg import ops
from rawseg.benchmark.torchvision_on_cpu import torchvision
from rawseg.errors import BackendError
from rawseg.ops import roi_sampling
from rawseg.testing import check, explain
from rawseg.testing.contracts import contract_of
from rawseg.testing.strategies.boxes import nms
from rawseg.testing.strategies.regions import off_the_kinks, regions

REGIONS = "roi_align", "roi_pool", "roi_warp"
BOXES = "box_area", "box_convert", "clip_boxes_to_image", "remove_small_boxes", "masks_to_boxes"
OVERLAPS = "box_iou", "generalized_box_iou"
DETECTION = "nms", "batched_nms", "roi_levels", "paste_masks", "BoxCoder.encode_single", "BoxCoder.decode_single"
OPS = *REGIONS, "grid_sample", "affine_grid", *BOXES, *OVERLAPS, *DETECTION
# Sums in an order, and derivatives of derivatives.
NOT_ONE_CALL = {"grid_sample.contractions", "grid_sample.order", "grid_sample.second-order", "roi_align.second-order"}
ROW = re.compile(r"^\| `([a-z0-9_.-]+)`( \*\*≠\*\*)? \|", re.MULTILINE)
CLIP = math.log(1000 / 16)


def entries(op):
    contract = contract_of(op)
    return [*contract.edges(), *contract.refusals()]


def found_by(op, name, *function):
    return check(op, *function, only=(name,)).of(name)


@pytest.mark.gate
@pytest.mark.parametrize("op", OPS)
def test_rawseg_conforms(op):
    report = check(op, examples=3)
    assert report.passed, str(report)
    missing = set() if contract_of(op).gradients else {"gradients", "second order", "differences"}
    assert {outcome.check for outcome in report.outcomes if outcome.state != "passed"} == missing
    assert [note for outcome in report.outcomes for note in outcome.notes] == []


@pytest.mark.release
@pytest.mark.parametrize("op", OPS)
def test_rawseg_conforms_in_many_cases(op):
    report = check(op, examples=150)
    assert report.passed, str(report)


@pytest.fixture(scope="module")
def theirs():
    """torchvision's operations, and PyTorch's."""
    try:
        module = torchvision()
    except BackendError as error:
        pytest.skip(f"torchvision is the subject of these tests: {error}")
    from torchvision.models.detection._utils import BoxCoder

    def encode(reference_boxes, proposals, weights):
        return BoxCoder(weights).encode_single(reference_boxes, proposals)

    def decode(rel_codes, boxes, weights, bbox_xform_clip=CLIP):
        return BoxCoder(weights, bbox_xform_clip).decode_single(rel_codes, boxes)

    def sampled(input, grid, mode="bilinear", padding_mode="zeros", align_corners=False):
        return torch.nn.functional.grid_sample(input, grid, mode, padding_mode, align_corners)  # the default warns

    def affine(theta, size, align_corners=False):
        return torch.nn.functional.affine_grid(theta, size, align_corners)

    found = {"BoxCoder.encode_single": encode, "BoxCoder.decode_single": decode, "grid_sample": sampled, "affine_grid": affine}
    return {op: found.get(op) or getattr(module.ops, op, None) for op in OPS}


THEIRS = [op for op in OPS if op not in ("roi_warp", "roi_levels", "paste_masks")]
ONCE = ("values", "gradients", "differences", "edges", "bad input", "determinism")  # torchvision's regions, differentiated


@pytest.mark.parametrize("op", ["roi_align", "roi_pool", "nms"])
def test_torchvision_conforms(op, theirs):
    report = check(op, theirs[op], framework="torch", only=ONCE, examples=10)
    assert report.passed, str(report)
    assert report.left_out == (("mode",) if op == "roi_align" else ())
    assert report.of("gradients").notes == (("gradient of boxes: not offered",) if op == "roi_align" else ())


@pytest.mark.release
@pytest.mark.parametrize("op", THEIRS)
def test_others_conform_but_where_the_contract_says_that_they_differ(op, theirs):
    checks = ONCE if op in REGIONS else (*ONCE, "second order")
    report = check(op, theirs[op], framework="torch", only=checks, examples=60)
    assert report.passed, str(report)
    notes = [note for outcome in report.outcomes for note in outcome.notes]
    own = [f"{entry.what} ({entry.row})" for entry in entries(op) if entry.own]
    assert [what for what in own if not any(what in note for note in notes)] == [], "they do as rawseg there"


def test_rows_are_those_of_the_page_and_all_that_one_call_can_show():
    page = dict(ROW.findall((Path(__file__).parents[2] / "SEMANTICS.md").read_text().partition("## Where rawseg differs")[0]))
    found = {entry.row for op in OPS for entry in entries(op)}
    assert sorted(found - set(page)) == []
    families = {row.partition(".")[0] for row in found} - {"all"}
    assert {row for row in page if row.partition(".")[0] in families} - found == NOT_ONE_CALL


def test_a_right_numpy_pair_conforms():
    right = my_regions.Aligned()
    report = check("roi_align", right.forward, right.backward, only=tuple(name for name in ONCE if name != "bad input"))
    assert report.passed, str(report)
    assert report.left_out == ("mode",)
    assert report.of("gradients").notes == ()


@pytest.mark.parametrize(
    ("op", "name", "wrong", "message"),
    [
        ("roi_align", "values", my_regions.Aligned(outside=False).forward, r"output: cannot be rounding: .*, exactly "),
        (
            "roi_align",
            "edges",
            my_regions.Aligned(outside=False).forward,
            r"samples beyond -1 and .*roi_align.sample",
        ),
        ("roi_align", "values", my_regions.Aligned(half=0.0).forward, r"output: cannot be rounding: ratio"),
        ("roi_align", "edges", my_regions.Aligned(half=0.0).forward, r"half a pixel \(roi_align.arithmetic\): output: cannot"),
        ("roi_align", "values", my_regions.Aligned(columns=(2, 1, 4, 3)).forward, r"output: cannot be rounding: "),
        ("roi_align", "edges", my_regions.Aligned(counted=False).forward, r"samples outside count in the mean .*: output: "),
        ("roi_align", "edges", my_regions.Aligned(first=True).forward, r"a map of one pixel .* \(and 1 more\)"),
        ("roi_pool", "values", my_regions.roi_pool(math.floor), r"output: cannot be rounding: .*, exactly "),
        ("roi_pool", "edges", my_regions.roi_pool(round), r"halves away from 0 \(roi_pool.quantisation\): output: cannot"),
        ("box_iou", "values", my_regions.box_iou(both=False), r"output: cannot be rounding: ratio"),
        (
            "nms",
            "edges",
            my_regions.nms(reaching=True),
            r"an overlap of the threshold stays .*: output: shape \(1,\), expected",
        ),
        ("nms", "edges", my_regions.nms(stable=False), r"of equal scores the first \(nms.order\): output: "),
        ("nms", "values", my_regions.nms(ordered=False), r"output: cannot be rounding: \d at \(\d,\), exactly \d"),
        ("grid_sample", "values", my_regions.grid_sample(exchanged=True), r"output: cannot be rounding: ratio"),
        ("grid_sample", "edges", my_regions.grid_sample(exchanged=True), r"the corners of the map \(grid_sample.coordinates\)"),
        ("grid_sample", "edges", my_regions.grid_sample(held=True), r"the corners of the map .*more\)"),
        ("grid_sample", "values", my_regions.grid_sample(xy=False), r"output: cannot be rounding: "),
    ],
)
def test_a_mistake_is_found_by_the_check_that_is_for_it(op, name, wrong, message):
    found = found_by(op, name, wrong)
    assert found.state == "failed"
    assert re.match(message, found.message), found.message


@pytest.mark.parametrize(
    ("op", "right"),
    [
        ("roi_pool", my_regions.roi_pool()),
        ("box_iou", my_regions.box_iou()),
        ("nms", my_regions.nms()),
        ("grid_sample", my_regions.grid_sample()),
    ],
)
def test_without_the_mistakes_they_conform(op, right):
    report = check(op, right, only=("values", "edges", "determinism"))
    assert report.passed, str(report)


def test_0_by_0_is_a_note_for_others():
    found = found_by("box_iou", "edges", my_regions.box_iou(empty=False))
    assert found.state == "passed"
    assert "two points (box_iou.empty-boxes): output: cannot be rounding: nan at (0, 0), exactly 0" in found.notes[0]


def test_a_gradient_of_boxes_without_the_scale():
    wrong = my_regions.Aligned(scaled=False)
    report = check("roi_align", wrong.forward, wrong.backward, only=("values", "gradients"))
    assert [outcome.state for outcome in report.outcomes] == ["passed", "failed"]
    found = report.of("gradients")
    assert found.message.startswith("gradient of boxes: cannot be rounding: ratio ")
    assert "it is 2 times what it should be" in found.message
    assert found.case.options["spatial_scale"] == 0.5


def test_no_gradient_of_boxes_is_told_and_not_failed():
    without = my_regions.Aligned(moving=False)
    report = check("roi_align", without.forward, without.backward, only=("values", "gradients", "differences", "edges"))
    assert report.passed, str(report)
    assert report.of("gradients").notes == ("gradient of boxes: not offered",)
    nothing = check("roi_align", without.forward, lambda g, x, boxes, *_, **__: (0 * x, None), only=("gradients",))
    assert nothing.of("gradients").message.startswith("gradient of input: ")


def test_rawsegs_own_gradient_of_boxes_may_not_be_lacking(monkeypatch):
    weights = roi_sampling.sample_weights
    monkeypatch.setattr(roi_sampling, "sample_weights", lambda grid, boxes, *how: weights(grid, boxes.detach(), *how))
    assert check("roi_align", only=("gradients",), examples=2).of("gradients").notes == ()  # left to the differences


@given(regions(scales=(1.0, 0.5, 2.0)), st.booleans())
def test_moved_boxes_are_off_the_kinks_and_exact_in_float32(drawn, aligned):
    moved = off_the_kinks(drawn._replace(options={**drawn.options, "aligned": aligned}))
    np.testing.assert_array_equal(moved.boxes.astype(np.float32), moved.boxes)
    assert (moved.boxes[:, 3:] > moved.boxes[:, 1:3]).all()
    scale, ratio = moved.options["spatial_scale"], moved.options["sampling_ratio"]
    for row in torch.tensor(moved.boxes):
        for low, high, bins in zip((2, 1), (4, 3), moved.options["output_size"]):
            places, side = sample_places(row[low], row[high], bins, ratio, scale, aligned), scale * (row[high] - row[low])
            assert ((places - places.round()).abs() > 1 / 18 - 1e-9).all()
            assert aligned or side != 1
            assert ratio > 0 or (side < 1 and not aligned) or abs(side / bins - (side / bins).round()) >= 0.25


@given(nms())
def test_thresholds_are_no_overlaps(case):
    overlaps = ops.box_iou(case.arrays["boxes"], case.arrays["boxes"]).numpy()
    assert (abs(overlaps - case.options["iou_threshold"]) > 1 / 6100).all()


@pytest.mark.parametrize("aligned", [False, True])
def test_a_float32_result_of_large_maps_is_explained_and_half_a_pixel_is_not(aligned):
    rng = np.random.default_rng(0)
    x, low = rng.standard_normal((1, 2, 30, 500)).astype(np.float32), rng.uniform(0, 12, (4, 2)) * [30, 1]
    boxes = np.concatenate([np.zeros((4, 1)), low, low + rng.uniform(3, 12, (4, 2))], 1).astype(np.float32)
    options = {"output_size": (3, 2), "sampling_ratio": 2}
    mine = my_regions.Aligned().forward(x, boxes, **options, aligned=aligned)
    assert mine.dtype == np.float32
    assert explain("roi_align", [x, boxes], mine, **options, aligned=aligned).is_rounding
    assert not explain("roi_align", [x, boxes], mine, **options, aligned=not aligned).is_rounding


def test_float32_coordinates_of_a_large_map_are_rounding():
    rng = np.random.default_rng(1)
    x, grid = rng.standard_normal((1, 1, 3, 900)).astype(np.float32), rng.uniform(-1, 1, (1, 1, 400, 2)).astype(np.float32)
    theirs = torch.nn.functional.grid_sample(torch.tensor(x), torch.tensor(grid), align_corners=False).numpy()
    exact = torchs(lambda a, g: torch.nn.functional.grid_sample(a, g, align_corners=False), [x, grid])[0]
    assert abs(theirs - exact).max() > 1e-5
    assert explain("grid_sample", [x, grid], theirs).is_rounding
    assert not explain("grid_sample", [x, grid], theirs, align_corners=True).is_rounding
