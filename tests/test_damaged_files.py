"""Files that are damaged, forged, foreign or too large are refused, with the file's name and what is wrong."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import safetensors.numpy

import rawseg
from rawseg import tensorfile
from rawseg.errors import CheckpointError
from rawseg.serialization import load_arrays, save_arrays, signed


@pytest.mark.spec("checkpoint.load")
def test_every_flipped_bit_is_seen(tmp_path):
    path = tmp_path / "a.safetensors"
    save_arrays(path, {"w": np.arange(3, dtype=np.float32), "n": np.array(5)}, "checkpoint", {"step": 3})
    good = path.read_bytes()
    for position in range(len(good)):
        spoiled = bytearray(good)
        spoiled[position] ^= 1 << (position % 8)
        path.write_bytes(spoiled)
        with pytest.raises(CheckpointError, match=rf"load: {path}: expected"):
            load_arrays(path, "checkpoint")
    assert len(good) > 500


def test_every_truncation_and_extension_is_seen(tmp_path):
    path = tmp_path / "a.safetensors"
    save_arrays(path, {"w": np.arange(3, dtype=np.float32)}, "checkpoint", {})
    good = path.read_bytes()
    for contents in [*(good[:size] for size in range(len(good))), good + b"\0"]:
        path.write_bytes(contents)
        with pytest.raises(CheckpointError, match=f"load: {path}: expected"):
            load_arrays(path, "checkpoint")


def test_in_a_weight_file_too(tmp_path):
    path = tmp_path / "a.safetensors"
    rawseg.save({"w": np.arange(3, dtype=np.float32)}, path)
    good = path.read_bytes()
    for position in range(0, len(good), 2):
        spoiled = bytearray(good)
        spoiled[position] ^= 1 << (position // 2 % 8)
        path.write_bytes(spoiled)
        with pytest.raises(CheckpointError, match=rf"load: {path}: expected"):
            rawseg.load(path)


def test_random_bytes_are_refused(tmp_path):
    path = tmp_path / "a"
    rng = np.random.default_rng(2)
    for size in (0, 1, 7, 8, 9, 100, 5000):
        for _ in range(20):
            path.write_bytes(rng.bytes(size))
            with pytest.raises(CheckpointError, match=f"load: {path}: expected"):
                rawseg.load(path)


def header_file(path, header: object, data: bytes = b"") -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def entry(shape, begin, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b"not json", b""),
        (b"\xff\xff\xff", b""),
        (b"[" * 100_000, b""),
        (b'{"a": ' + b"9" * 5000 + b"}", b""),
        ([1, 2], b""),
        ({"__metadata__": {"x": 1}}, b""),
        ({"a": 1}, b""),
        ({"a": {"dtype": "F32"}}, b""),
        ({"a": entry([1], 0, 2, "BF16")}, b"12"),
        ({"a": entry([1], 0, 4, ["F32"])}, b"1234"),
        ({"a": entry([-1], 0, 4)}, b"1234"),
        ({"a": entry([1.5], 0, 4)}, b"1234"),
        ({"a": entry([1] * 70, 0, 4)}, b"1234"),
        ({"a": entry([2**40, 2**40], 0, 0)}, b""),
        ({"a": entry([2], 0, 4)}, b"1234"),
        ({"a": entry([1], 4, 0)}, b"1234"),
        ({"a": entry([1], 0, 4), "b": entry([1], 0, 4)}, b"1234"),
        ({"a": entry([1], 4, 8)}, b"12345678"),
        ({"a": entry([1], 0, 4)}, b"12345"),
        ({"a": entry([2**40], 0, 2**42)}, b"1234"),
    ],
)
def test_headers_that_contradict_the_format(tmp_path, header, data):
    path = tmp_path / "a"
    header_file(path, header, data)
    with pytest.raises(CheckpointError, match=rf"load: {path}: expected an intact \.safetensors file, got .+"):
        rawseg.load(path)


@pytest.mark.parametrize("text", ["[1]", "{}", "no json", "[" * 100_000, '{"format": "1"}'])
def test_a_manifest_of_another_kind_is_refused_although_its_hash_is_right(tmp_path, text):
    tensorfile.write(tmp_path / "a", {}, {"rawseg": signed(text)})
    with pytest.raises(CheckpointError, match="expected a manifest with format, kind"):
        rawseg.load(tmp_path / "a")


def test_a_file_of_a_later_version_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("rawseg.serialization.FORMAT", 2)
    rawseg.save({}, tmp_path / "a")
    monkeypatch.undo()
    with pytest.raises(CheckpointError, match=r"expected a manifest of format 1 or older, got 2, of rawseg .*: update rawseg"):
        rawseg.load(tmp_path / "a")


def test_a_file_of_another_kind_is_refused(tmp_path):
    rawseg.save({}, tmp_path / "a")
    with pytest.raises(CheckpointError, match="expected a checkpoint file of rawseg, got a weights file"):
        load_arrays(tmp_path / "a", "checkpoint")
    safetensors.numpy.save_file({"x": np.zeros(1)}, tmp_path / "b")
    with pytest.raises(CheckpointError, match="got a foreign file"):
        load_arrays(tmp_path / "b", "checkpoint")


def test_a_file_larger_than_the_memory_limit_is_not_read(tmp_path, monkeypatch):
    rawseg.save({"x": np.zeros(1000)}, tmp_path / "a")
    monkeypatch.setattr(tensorfile, "limit_bytes", lambda: 5000)
    with pytest.raises(CheckpointError, match=r"expected at most 5000 bytes \(RAWSEG_MEMORY_LIMIT, .*, got \d+"):
        rawseg.load(tmp_path / "a")


def test_a_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(
        CheckpointError, match=f"load: {tmp_path}/no: expected a file that can be read, got ENOENT: No such file"
    ):
        rawseg.load(tmp_path / "no")
    with pytest.raises(CheckpointError, match="got EISDIR"):
        rawseg.load(tmp_path)


def test_nothing_is_unpickled(tmp_path):
    import pickle

    path = tmp_path / "a"
    path.write_bytes(pickle.dumps({"w": np.zeros(2)}))
    with pytest.raises(CheckpointError):
        rawseg.load(path)
