"""The proof of a file: what ONNX's checker refuses, and what ONNX Runtime answers otherwise, is not returned."""

from __future__ import annotations

import types

import numpy as np
import pytest
from exported_networks import IMAGE, Applied, Outer, onnxruntime

from rawseg import functional as F
from rawseg import onnx
from rawseg.errors import BackendError, GraphError
from rawseg.onnx.exporting import checking
from rawseg.onnx.exporting.translations import activations


def test_verify_finds_an_operator_that_computes_something_else(monkeypatch):
    monkeypatch.setitem(activations.KINDS, "relu", lambda w, step, x: w.node("LeakyRelu", x, alpha=0.01))
    file = onnx.export(Outer(F.relu), IMAGE)  # the checker cannot know
    assert file.graph.node[-1].op_type == "LeakyRelu"
    with pytest.raises(
        GraphError, match=r"output: expected differences of at most 0\.0001 of the largest number from ONNX Runtime"
    ):
        onnx.export(Outer(F.relu), IMAGE, verify=True)


class Answers:
    """ONNX Runtime's side of a comparison."""

    def __init__(self, *outputs):
        self.outputs = outputs

    def get_outputs(self):
        return [types.SimpleNamespace(name=f"output_{i}") for i in range(len(self.outputs))]

    def run(self, _names, _inputs):
        return list(self.outputs)


def test_one_pixel_that_jumps_is_a_fault_unless_the_network_unpools():
    ours = np.ones((1, 1, 20, 20), np.float32)
    theirs = ours.copy()
    theirs[0, 0, 3, 4] = 0.5
    with pytest.raises(GraphError, match=r"output_1: expected differences of at most 0\.0001 .*, got 0\.5"):
        checking.compare(Answers(ours, theirs), {}, [ours, ours])
    assert checking.compare(Answers(ours, theirs), {}, [ours, ours], jumps=True) == pytest.approx(0.5 / 400)
    with pytest.raises(GraphError, match=r"output_0: expected mean differences of at most 0\.01 .*, got 0\.5"):
        checking.compare(Answers(ours / 2), {}, [ours], jumps=True)
    with pytest.raises(
        GraphError, match=r"output_0: expected shape \(1, 1, 20, 20\) from ONNX Runtime, got shape \(1, 1, 20\)"
    ):
        checking.compare(Answers(ours[..., 0]), {}, [ours])


def test_verify_takes_the_mean_where_maxima_are_remembered(monkeypatch):
    model = Applied(lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2))
    kinds = []
    monkeypatch.setattr("rawseg.onnx.exporting.plain.compare", lambda *arguments: kinds.append(arguments[3]))
    onnx.export(model, IMAGE, verify=True)
    onnx.export(Applied(F.relu), IMAGE, verify=True)
    assert kinds == [True, True, False, False]


def test_what_the_checker_refuses_is_not_returned(monkeypatch):
    monkeypatch.setitem(activations.KINDS, "relu", lambda w, step, x: w.node("Relu", x, x))
    with pytest.raises(GraphError, match=r"model: expected a model that onnx\.checker passes, got "):
        onnx.export(Outer(F.relu), IMAGE)


def test_a_shape_that_onnx_infers_otherwise_is_not_returned(monkeypatch):
    monkeypatch.setitem(activations.KINDS, "relu", lambda w, step, x: w.node("Transpose", x, perm=[1, 0, 2, 3]))
    with pytest.raises(GraphError, match=r"model: expected a model that onnx\.checker passes, got .*[Ss]hape"):
        onnx.export(Applied(F.relu), IMAGE)


def test_what_onnx_runtime_cannot_run_is_told(monkeypatch):
    def lacking(*_args, **_options):
        raise RuntimeError("no implementation of RoiAlign(22)")

    monkeypatch.setattr(onnxruntime, "InferenceSession", lacking)
    message = r"verify: expected a model that this version of ONNX Runtime runs .*, got RuntimeError: no implementation"
    with pytest.raises(GraphError, match=message):
        onnx.export(Applied(F.relu), IMAGE, verify=True)


def test_verify_without_onnxruntime_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(checking.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(BackendError, match=r"verify: expected the onnxruntime package \(pip install onnxruntime\)"):
        checking.session(b"")
