"""Two dumps: the first stage that differs is named, and a fault is told from what follows of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rawseg import xray
from rawseg.errors import ArgumentError, CheckpointError
from rawseg.models.mask_rcnn import STAGES, MaskRCNN
from rawseg.serialization import load_arrays, save_arrays
from rawseg.xray.compare import INPUTS, ITSELF, same_bits
from rawseg.xray.dump import FILE, KIND


def verdicts(rows) -> dict[str, str]:
    """Return the verdict on each stage that differs."""
    return {row.stage: row.verdict for row in rows if row.verdict}


def changed(folder, out, name, change):
    """Write a dump like another, with one array changed."""
    arrays, about = load_arrays(folder / FILE)
    arrays[name] = change(arrays[name].copy())
    save_arrays(out / FILE, arrays, KIND, about)


def put(index, value):
    """Return a change of one element."""

    def change(array):
        array.flat[index] = value
        return array

    return change


def test_a_dump_equals_itself(dumped, model):
    rows = xray.compare(dumped[0], dumped[0], model)
    assert xray.first_difference(rows) is None
    assert all(row.equal and row.verdict == "" for row in rows)
    assert list(dict.fromkeys(row.stage for row in rows)) == [stage.name for stage in STAGES]
    assert [row.name for row in rows] == [name for name in dumped[1] if name != "images.0"]


def test_a_difference_by_hand(dumped, tmp_path):
    logits = dumped[1]["class_logits"]
    top = np.abs(logits).max()
    changed(dumped[0], tmp_path, "class_logits", put([0, 5], [logits.flat[0] + 10, logits.flat[5] - 10]))
    row = xray.first_difference(xray.compare(dumped[0], tmp_path))
    assert (row.stage, row.name, row.count, row.verdict) == ("box head", "class_logits", 2, ITSELF)
    assert row.largest == pytest.approx(10, rel=1e-6)
    assert 10 / (10 + top) <= row.relative <= 1
    assert row.a == row.b == "float32 (30, 3)"


@pytest.mark.parametrize(
    ("one", "other", "count", "largest"),
    [
        (np.nan, np.nan, 0, 0.0),
        (np.inf, np.inf, 0, 0.0),
        (0.0, -0.0, 1, 0.0),
        (1.0, np.nan, 1, math.inf),
        (np.inf, -np.inf, 1, math.inf),
    ],
)
def test_special_values(dumped, tmp_path, one, other, count, largest):
    for name, value in (("a", one), ("b", other)):
        (tmp_path / name).mkdir()
        changed(dumped[0], tmp_path / name, "mask_logits", put(3, value))
    (row,) = [r for r in xray.compare(tmp_path / "a", tmp_path / "b") if r.name == "mask_logits"]
    assert (row.count, row.largest, row.equal) == (count, largest, count == 0)


def test_two_nans_of_different_bits_are_equal():
    nans = np.array([0x7FC00000, 0x7FC00001], np.uint32).view(np.float32)
    assert same_bits(nans[:1], nans[1:])
    assert not same_bits(nans, nans[:1])
    assert not same_bits(nans, nans.astype(np.float64))
    assert not same_bits(nans, None)


def test_other_shapes_and_missing_levels(dumped, make_model, make_image, tmp_path):
    xray.record(make_model(neck="c4"), make_image(), tmp_path)
    rows = {row.name: row for row in xray.compare(dumped[0], tmp_path)}
    assert (rows["maps.0"].a, rows["maps.0"].b) == ("float32 (1, 16, 16, 24)", "float32 (1, 32, 4, 6)")
    assert rows["maps.0"].count == 16 * 16 * 24
    assert math.isnan(rows["maps.0"].largest)
    assert (rows["maps.3"].b, rows["maps.3"].equal) == ("none", False)
    assert xray.first_difference(list(rows.values())).stage == "backbone"
    assert rows["maps.0"].verdict == ITSELF  # the batch is the same


FAULTS = {
    "rpn head": ("rpn.head.forward", lambda given: (given[0] + 1e-3, given[1])),
    "box pooling": ("roi_heads.box_pooling.levels", lambda given: np.ones_like(given)),
    "box head": ("roi_heads.classify", lambda given: (given[0] * 1.5, given[1])),
    "mask head": ("roi_heads.segment", lambda given: given * 2.0),
}


def plant(monkeypatch, model, stage):
    """Change what a part of a model returns."""
    path, change = FAULTS[stage]
    *parents, name = path.split(".")
    part = model
    for parent in parents:
        part = getattr(part, parent)
    right = getattr(part, name)
    monkeypatch.setattr(part, name, lambda *inputs: change(right(*inputs)))


@pytest.mark.parametrize("stage", FAULTS)
def test_a_planted_fault_is_the_first_difference_and_the_stage_itself(
    dumped, model, make_model, make_image, tmp_path, monkeypatch, stage
):
    faulty = make_model()
    plant(monkeypatch, faulty, stage)
    xray.record(faulty, make_image(), tmp_path)
    row = xray.first_difference(xray.compare(dumped[0], tmp_path))
    assert (row.stage, row.verdict) == (stage, ITSELF)
    rows = xray.compare(dumped[0], tmp_path, model)
    assert xray.first_difference(rows).stage == stage
    found = verdicts(rows)
    assert found.pop(stage) == f"{ITSELF} (in B)"
    assert found  # what follows differs as well
    assert set(found.values()) == {INPUTS}


def test_another_limit_is_a_difference_of_the_proposals(dumped, model, make_image, tmp_path):
    model.rpn.overlap = 0.5
    xray.record(model, make_image(), tmp_path)
    row = xray.first_difference(xray.compare(tmp_path, dumped[0], model))
    assert (row.stage, row.verdict) == ("proposals", f"{ITSELF} (in B)")  # the model is the one that made A


def test_another_image_differs_from_the_first_stage_on(dumped, model, make_image, tmp_path):
    xray.record(model, make_image(1), tmp_path)
    for judge in (None, model):
        rows = xray.compare(dumped[0], tmp_path, judge)
        assert xray.first_difference(rows).stage == "transform"
        assert set(verdicts(rows).values()) == {INPUTS}
        assert "anchors" not in verdicts(rows)  # of one size, one grid


def test_a_fault_behind_another_image_is_found_by_replay(dumped, model, make_model, make_image, tmp_path, monkeypatch):
    faulty = make_model()
    plant(monkeypatch, faulty, "mask head")
    xray.record(faulty, make_image(1), tmp_path)
    found = verdicts(xray.compare(dumped[0], tmp_path, model))
    assert found["mask head"] == f"{ITSELF} (in B)"
    assert {v for stage, v in found.items() if stage != "mask head"} == {INPUTS}
    assert set(verdicts(xray.compare(dumped[0], tmp_path)).values()) == {INPUTS}  # without a model nothing tells


def test_other_weights_differ_where_they_are_used(dumped, model, make_image, tmp_path):
    model.roi_heads.box_predictor.cls_score.bias.array[1] += 1
    xray.record(model, make_image(), tmp_path)
    found = verdicts(xray.compare(tmp_path, dumped[0], model))
    assert found.pop("box head") == f"{ITSELF} (in B)"
    assert set(found.values()) == {INPUTS}


def test_a_model_that_could_tell_nothing_is_refused(dumped, model, make_model, tmp_path):
    with pytest.raises(ArgumentError, match="one of the configuration of dump A, got min_size 32, not 64"):
        xray.compare(dumped[0], dumped[0], make_model(min_size=32))
    next(model.parameters()).array.flat[0] += 1
    assert isinstance(model, MaskRCNN)
    with pytest.raises(ArgumentError, match="xray: model: expected the weights of one of the dumps, got others"):
        xray.compare(dumped[0], dumped[0], model)
    with pytest.raises(CheckpointError, match=str(tmp_path)):
        xray.compare(dumped[0], tmp_path)
