"""Weights in TensorFlow.js's form: what comes back, and manifests that are damaged, forged or too large."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import tfjs_files
from tfjs_files import ARRAYS, NODES, manifest, refused

from rawseg import tfjs
from rawseg.tfjs import manifest as weights_manifest
from rawseg.tfjs import topology


def weight(**changes) -> list[dict]:
    """Return a manifest whose first weight is changed."""
    listed = manifest(ARRAYS)
    listed[0]["weights"][0].update(changes)
    return listed


def stored(folder, array: np.ndarray, dtype: str, quantization: dict | None, shape=None):
    """Return what a file of one weight holds."""
    (folder / "w.bin").write_bytes(array.tobytes())
    entry = {"name": "w", "shape": list(array.shape if shape is None else shape), "dtype": dtype}
    entry |= {} if quantization is None else {"quantization": quantization}
    return weights_manifest.read_weights([{"paths": ["w.bin"], "weights": [entry]}], folder)["w"]


def test_quantised_weights_come_back_as_tensorflow_js_brings_them_back(tmp_path):
    half = np.float16([[1.5, -2.25], [65504, 6e-8]])
    found = stored(tmp_path, half, "float32", {"dtype": "float16", "original_dtype": "float32"})
    assert (found.dtype, found.tolist()) == (np.float32, half.astype(np.float32).tolist())
    found = stored(tmp_path, np.uint8([0, 1, 255]), "float32", {"dtype": "uint8", "scale": 0.1, "min": -3.0})
    assert (found.dtype, found.tolist()) == (np.float32, [-3.0, np.float32(-2.9), np.float32(22.5)])
    found = stored(tmp_path, np.uint16([0, 65535]), "float32", {"dtype": "uint16", "scale": 0.5, "min": 1})
    assert found.tolist() == [1.0, 32768.5]
    found = stored(tmp_path, np.uint8([0, 1, 2, 3]), "int32", {"dtype": "uint8", "scale": 0.5, "min": -1.0})
    assert (found.dtype, found.tolist()) == (np.int32, [-1, 0, 0, 1])  # -0.5 and 0.5: JavaScript rounds halves up
    assert stored(tmp_path, np.array([True, False]), "bool", None).tolist() == [True, False]


def test_weights_may_lie_in_several_files_and_groups(tmp_path):
    path = tfjs_files.write(tmp_path, NODES, ARRAYS)
    raw = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "a.bin").write_bytes(raw[:10])
    (tmp_path / "b.bin").write_bytes(raw[10:24])
    (tmp_path / "c.bin").write_bytes(raw[24:])
    content = json.loads(path.read_text())
    first, second = content["weightsManifest"][0]["weights"]
    content["weightsManifest"] = [{"paths": ["a.bin", "b.bin"], "weights": [first]}, {"paths": ["c.bin"], "weights": [second]}]
    path.write_text(json.dumps(content))
    assert np.array_equal(tfjs.load(path).state_dict()["w"].numpy(), ARRAYS["w"].transpose(3, 2, 0, 1))


@pytest.mark.parametrize("change", [-1, 1, -24, 1000])
def test_a_file_of_another_size_than_the_weights_add_up_to_is_refused(change, tmp_path):
    path = tfjs_files.write(tmp_path, NODES, ARRAYS)
    raw = (tmp_path / "weights.bin").read_bytes()
    (tmp_path / "weights.bin").write_bytes(raw[:change] if change < 0 else raw + bytes(change))
    assert f"expected 28 bytes in 'weights.bin', as the weights add up to, got {28 + change}" in refused(path)


@pytest.mark.parametrize(
    "place", ["../outside.bin", "sub/../../outside.bin", "/etc/passwd", "", "a\0b", 3, "link.bin", "linked/outside.bin"]
)
def test_a_path_that_leaves_the_folder_is_refused_unopened(place, tmp_path):
    (tmp_path / "outside.bin").write_bytes(bytes(28))
    inside = tmp_path / "model"
    path = tfjs_files.write(inside, NODES, ARRAYS, weightsManifest=manifest(ARRAYS, [place]))
    os.symlink(tmp_path / "outside.bin", inside / "link.bin")
    os.symlink(tmp_path, inside / "linked")
    assert "expected paths of files in the folder of model.json, got" in refused(path)


def test_a_file_that_is_missing_is_named(tmp_path):
    path = tfjs_files.write(tmp_path, NODES, ARRAYS, weightsManifest=manifest(ARRAYS, ["no.bin"]))
    assert "no.bin: expected a file that can be read, got No such file or directory" in refused(path)
    path = tfjs_files.write(tmp_path, NODES, ARRAYS, weightsManifest=manifest(ARRAYS, ["."]))
    assert "tfjs:" in refused(path)  # a folder has another size, or cannot be read


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (weight(shape=[1 << 40, 1 << 40]), "w: expected at most"),
        (weight(shape=[0, 1 << 62, 1 << 62]), "w: expected at most"),
        (weight(shape=[-1, 6]), "expected a shape of at most 8 whole numbers, got [-1, 6]"),
        (weight(shape=[True, 6]), "expected a shape"),
        (weight(shape=[2.0, 3]), "expected a shape"),
        (weight(shape=[1] * 9), "expected a shape"),
        (weight(shape=None), "expected a shape"),
        (weight(dtype="string"), "expected a dtype of float32, int32, bool, uint8, got 'string'"),
        (weight(dtype=None), "expected a dtype"),
        (weight(dtype={}), "expected a dtype"),
        (weight(quantization={"dtype": []}), "expected a quantization to float16, uint8, uint16"),
        (weight(name=3), "expected weights with a name"),
        (weight(name="n"), "expected every weight once, got n twice"),
        (weight(quantization={"dtype": "uint4"}), "expected a quantization to float16, uint8, uint16"),
        (weight(quantization={"dtype": "uint8", "scale": 1e999, "min": 0}), "expected a quantization with numbers"),
        (weight(quantization={"dtype": "uint8", "scale": "1", "min": 0}), "expected a quantization with numbers"),
        (weight(quantization={"dtype": "uint8"}), "expected a quantization with numbers"),
        (weight(quantization=3), "expected a quantization to"),
        (weight(dtype="int32", quantization={"dtype": "float16"}), "expected quantised weights that were float32, got int32"),
        ({}, "expected a list of groups, got dict"),
        ([3], "expected groups with paths and weights"),
        ([{"paths": "weights.bin", "weights": []}], "expected groups with paths and weights"),
        (None, "expected a list of groups, got NoneType"),
    ],
)
def test_a_manifest_that_cannot_be_is_refused(changed, message, tmp_path):
    assert message in refused(tfjs_files.write(tmp_path, NODES, ARRAYS, weightsManifest=changed))


def test_weights_beyond_the_memory_limit_are_not_read(tmp_path, monkeypatch):
    path = tfjs_files.write(tmp_path, NODES, ARRAYS)
    monkeypatch.setattr(weights_manifest, "limit_bytes", lambda: 20)
    assert "expected at most 20 bytes (RAWSEG_MEMORY_LIMIT" in refused(path)
    monkeypatch.setattr(weights_manifest, "limit_bytes", lambda: 26)  # each fits, both do not
    assert "expected weights of at most 26 bytes (RAWSEG_MEMORY_LIMIT, else this machine's memory), got 28" in refused(path)
    monkeypatch.setattr(weights_manifest, "limit_bytes", lambda: 55)
    again = [
        {**group, "weights": [{**w, "name": name + w["name"]} for w in group["weights"]]}
        for group in manifest(ARRAYS)
        for name in "ab"
    ]
    path = tfjs_files.write(tmp_path, NODES, ARRAYS, weightsManifest=again)  # two groups of one file
    assert "expected weights of at most 55 bytes (RAWSEG_MEMORY_LIMIT, else this machine's memory), got 56" in refused(path)
    monkeypatch.undo()
    monkeypatch.setattr(topology, "limit_bytes", lambda: 20)
    assert "expected at most 20 bytes of JSON" in refused(path)
