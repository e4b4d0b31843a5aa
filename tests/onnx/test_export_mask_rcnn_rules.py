"""Mask R-CNN as one ONNX graph: what its choices are told, what it is called, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from exported_detectors import OUTPUTS, assert_alike, lively, objects, photograph
from exported_networks import run

from rawseg import onnx
from rawseg.errors import ArgumentError, DTypeError, GraphError, ShapeError


@pytest.fixture(scope="module", name="photograph")
def _photograph():
    return photograph()


@pytest.mark.parametrize(
    ("part", "limit", "value"),
    [
        *(("rpn", "overlap", 0.3), ("rpn", "smallest", 40.0), ("rpn", "proposals", (100, 7))),
        *(("roi_heads", "overlap", 0.1), ("roi_heads", "smallest", 30.0), ("roi_heads", "most", 5)),
        ("roi_heads", "score_from", 0.3),
    ],
)
def test_every_limit_of_the_choice_reaches_the_file(photograph, part, limit, value):
    model = lively()
    before = objects(model, photograph)
    setattr(getattr(model, part), limit, value)
    wanted = objects(model, photograph)
    assert wanted[0].shape != before[0].shape or not np.array_equal(wanted[0], before[0])
    assert_alike(run(onnx.export(model, photograph), photograph), wanted)


def test_names_and_bytes(photograph, tmp_path):
    file = onnx.export(lively(), photograph, tmp_path / "a.onnx")
    assert [one.name for one in (*file.graph.input, *file.graph.output)] == ["image", *OUTPUTS]
    named = onnx.export(lively(), [photograph], input_names=["x"], output_names=["b", "l", "s", "m"])
    assert [one.name for one in (*named.graph.input, *named.graph.output)] == ["x", "b", "l", "s", "m"]
    assert (tmp_path / "a.onnx").read_bytes() == onnx.export(lively(), photograph).SerializeToString()
    weights = {one.name for one in file.graph.initializer}
    assert {name for name, _ in lively().named_parameters()} <= weights
    assert {one.key for one in file.metadata_props} == {"model", "config"}
    paths = {node.name.split("/")[1] for node in file.graph.node}
    assert paths >= {"backbone", "rpn", "roi_heads", "pasting"}


def test_verify_compares_the_objects(photograph, monkeypatch):
    model = lively()
    onnx.export(model, photograph, verify=True)
    monkeypatch.setattr("rawseg.onnx.exporting.detector.pasting.PADDING", 2)
    with pytest.raises(GraphError, match="masks: expected a difference of at most"):
        onnx.export(model, photograph, verify=True)


def test_float64_becomes_float32(photograph):
    model = lively().double()
    wide = photograph.astype(np.float64)
    with pytest.raises(DTypeError, match="float32, or dtype='float32' to convert it"):
        onnx.export(model, wide)
    found = run(onnx.export(model, wide, dtype="float32"), photograph)
    wanted = [array if array.dtype == np.int64 else array.astype(np.float32) for array in objects(model, wide)]
    assert_alike(found, wanted)


def test_what_it_does_not_take_is_refused(photograph):
    model = lively()
    for option in ("dynamic_batch", "dynamic_size"):
        with pytest.raises(
            ArgumentError, match=f"{option}: expected False: a Mask R-CNN is written for one image of a fixed size"
        ):
            onnx.export(model, photograph, **{option: True})
    with pytest.raises(ArgumentError, match=r"other_x: expected None: a Mask R-CNN is written for one image .*, got ndarray"):
        onnx.export(model, photograph, other_x=photograph)
    for x in (photograph[None], photograph[:1], (photograph, photograph)):
        with pytest.raises(ShapeError, match=r"x: expected one image of shape \(3, H, W\), got "):
            onnx.export(model, x)
    with pytest.raises(ArgumentError, match=r"output_names: expected 4 names, got \['a'\]"):
        onnx.export(model, photograph, output_names=["a"])
