"""The interface by which the onnx package asks a runtime: `rawseg.onnx.backend`."""

from __future__ import annotations

import numpy as np
import onnx_models
import pytest
from onnx import helper
from onnx_models import model, node, value

import rawseg.onnx.backend as backend
from rawseg.errors import ArgumentError, CheckpointError

IMAGE = np.random.default_rng(1).standard_normal((2, 3, 8, 8)).astype(np.float32)
X = np.float32([1, -2])


def test_a_prepared_model_runs_again_and_again():
    prepared = backend.prepare(onnx_models.network(), "CPU")
    first, again = prepared.run([IMAGE]), prepared.run({"image": IMAGE})
    assert isinstance(first, tuple)
    assert type(first[0]) is np.ndarray
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(prepared.run(IMAGE)[0], first[0])


def test_results_are_the_callers_own():
    prepared = backend.prepare(model([node("Identity", "w", "y")], [], ["y"], {"w": X}))
    out = prepared.run([])[0]
    out[:] = 7
    np.testing.assert_array_equal(prepared.run([])[0], X)


def test_no_graph_is_recorded():
    prepared = backend.prepare(onnx_models.network())
    assert prepared.run([IMAGE])[0].flags.writeable


def test_run_model_returns_all_outputs():
    proto = model([node("Relu", "x", "y"), node("Neg", "x", "z")], [value("x", [2])], ["y", "z"])
    assert [out.tolist() for out in backend.run_model(proto, [X])] == [[1, 0], [-1, 2]]


def test_run_node():
    assert [out.tolist() for out in backend.run_node(node("Relu", "x", "y"), [X])] == [[1, 0]]
    clip = node("Clip", "x - high", "y")
    assert backend.run_node(clip, [X, np.array(0.5, np.float32)])[0].tolist() == [0.5, -2]
    assert backend.run_node(clip, {"x": X, "high": np.array(0.5, np.float32)})[0].tolist() == [0.5, -2]
    softmax = node("Softmax", "x", "y")
    twos = np.zeros((2, 2), np.float32)
    twos_of = [backend.run_node(softmax, [twos.reshape(1, 2, 2)], opset_version=version)[0][0, 0, 0] for version in (11, 13)]
    assert twos_of == [0.25, 0.5]
    with pytest.raises(ArgumentError, match="Fancy of version 1"):
        backend.run_node(helper.make_node("Fancy", ["x"], ["y"], domain="my.own"), [X])


def test_run_node_takes_as_many_inputs_as_the_node_reads():
    relu = node("Relu", "x", "y")
    assert backend.run_node(relu, X)[0].tolist() == [1, 0]  # a single array stands alone, and is no list of its rows
    for inputs in ([X, X], []):
        with pytest.raises(ArgumentError, match=rf"run_node: inputs: expected 1: x, got {len(inputs)}"):
            backend.run_node(relu, inputs)


def test_onnxs_own_domain_has_two_names():
    assert backend.run_node(helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx"), [X])[0].tolist() == [1, 0]


def test_devices():
    assert backend.supports_device("CPU")
    assert backend.supports_device("CPU:0")
    assert backend.run_node(node("Relu", "x", "y"), [X], "CPU:0")[0].tolist() == [1, 0]
    assert not backend.supports_device("TPU")
    assert isinstance(backend.supports_device("CUDA"), bool)


def test_compatible_is_what_loads():
    assert backend.is_compatible(onnx_models.network())
    assert not backend.is_compatible(model([node("StringNormalizer", "x", "y")], [value("x")], ["y"]))
    assert not backend.is_compatible(onnx_models.network(), "TPU")


def test_errors_are_those_of_loading():
    with pytest.raises(CheckpointError):
        backend.prepare(b"nothing")
