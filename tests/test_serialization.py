"""safetensors files: the format as its own library has it, and no damage that goes unseen."""

from __future__ import annotations

import errno
import hashlib
import itertools
import json
import os
import resource
import signal
import stat
import struct
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

import rawseg
from rawseg.errors import ArgumentError, ArgumentTypeError, CheckpointError, DTypeError
from rawseg.files import sweep_temporaries
from rawseg.serialization import load_metadata

RNG = np.random.default_rng(0)
ARRAYS = {
    "b.weight": RNG.standard_normal((2, 3)).astype(np.float32),
    "a": RNG.standard_normal((4,)),
    "half": np.float16([1.5, -0.0, np.nan]),
    "count": np.array(7),
    "labels": np.array([[1, 0], [3, 255]], np.uint8),
    "flags": np.array([True, False, True]),
    "empty": np.zeros((0, 3), np.float32),
    "Ü": np.array([-1, 2], np.int16),
}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        (a.dtype, a.shape, a.tobytes()) == (other[name].dtype, other[name].shape, other[name].tobytes())
        for name, a in one.items()
    )


def digest(path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# the format


def test_what_was_saved_comes_back_in_its_order(tmp_path):
    path = tmp_path / "a.safetensors"
    rawseg.save(ARRAYS, path, metadata={"epoch": 3, "names": ["a", None]})
    loaded = rawseg.load(path)
    assert list(loaded) == list(ARRAYS)
    assert same({name: tensor.array for name, tensor in loaded.items()}, ARRAYS)
    assert load_metadata(path) == {"epoch": 3, "names": ["a", None]}
    assert os.listdir(tmp_path) == ["a.safetensors"]


def test_the_formats_own_library_reads_it(tmp_path):
    path = tmp_path / "a.safetensors"
    rawseg.save(ARRAYS, path)
    assert same(dict(safetensors.numpy.load_file(path)), ARRAYS)


def test_files_of_the_formats_own_library_are_read(tmp_path):
    path = tmp_path / "a.safetensors"
    safetensors.numpy.save_file(ARRAYS, path, metadata={"format": "np"})
    assert same({name: tensor.array for name, tensor in rawseg.load(path).items()}, ARRAYS)
    assert load_metadata(path) == {}


def test_equal_contents_give_equal_bytes_whatever_their_memory_looks_like(tmp_path):
    array = RNG.standard_normal((4, 6))
    views = [array, np.asfortranarray(array), np.repeat(array, 2, axis=0)[::2], array.astype(">f8"), rawseg.tensor(array)]
    for number, view in enumerate(views):
        rawseg.save({"x": view}, tmp_path / f"{number}")
    assert len({digest(tmp_path / f"{number}") for number in range(len(views))}) == 1


def test_nothing_to_save_is_a_file_too(tmp_path):
    rawseg.save({}, tmp_path / "a")
    assert rawseg.load(tmp_path / "a") == {}


def test_every_array_is_aligned(tmp_path):
    rawseg.save(ARRAYS, tmp_path / "a")
    raw = (tmp_path / "a").read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + length])
    for name, array in ARRAYS.items():
        assert (8 + length + header[name]["data_offsets"][0]) % array.itemsize == 0


# arguments


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        (
            rawseg.nn.Linear(2, 2),
            ArgumentTypeError,
            r"save: tensors: expected a dict of Tensors, e.g. model.state_dict\(\), got Linear",
        ),
        ({1: np.zeros(1)}, ArgumentTypeError, "save: tensors: expected names that are text, got 1"),
        ({"a": [1.0]}, ArgumentTypeError, "save: a: expected a Tensor or an array, got list"),
        ({"__metadata__": np.zeros(1)}, ArgumentError, "expected another name: the format keeps this one for itself"),
        ({"a": np.zeros(1, complex)}, DTypeError, "save: a: expected one of float64, float32, .*, got complex128"),
        ({"a": np.array(["x"])}, DTypeError, "save: a: expected one of"),
    ],
)
def test_what_cannot_be_saved(tmp_path, tensors, error, message):
    with pytest.raises(error, match=message):
        rawseg.save(tensors, tmp_path / "a")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("metadata", [{"x": np.float32(1)}, {"x": float("nan")}])
def test_metadata_is_what_json_can_hold(tmp_path, metadata):
    with pytest.raises(ArgumentError, match=r"save: metadata: expected what JSON can hold \(None for NaN\)"):
        rawseg.save({}, tmp_path / "a", metadata)
    assert os.listdir(tmp_path) == []


# writing


@pytest.fixture
def old(tmp_path):
    """A file that must survive whatever happens while it is replaced."""
    path = tmp_path / "a.safetensors"
    rawseg.save({"x": np.zeros(3)}, path)
    before = path.read_bytes()
    yield path
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.safetensors"]


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO, errno.EROFS])
def test_a_refused_system_call_names_path_and_cause(old, monkeypatch, call, number):
    def refuse(*_args, **_options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(CheckpointError) as caught:
            rawseg.save({"x": np.ones(3)}, old)
    cause = f"{errno.errorcode[number]}: {os.strerror(number)}"
    assert str(caught.value) == f"write: {old}: expected a file that can be written, got {cause}"


def test_a_file_that_outgrows_what_the_system_allows(old):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(
            CheckpointError, match=f"write: {old}: expected a file that can be written, got EFBIG: File too large"
        ):
            rawseg.save({"x": np.ones(100_000)}, old)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(CheckpointError, match="got ENOENT: No such file or directory"):
        rawseg.save({}, tmp_path / "no" / "a")


@pytest.mark.spec("checkpoint.atomic")
def test_a_disk_that_returns_other_bytes_is_caught(old, monkeypatch):
    real = hashlib.file_digest

    def wrong(file, name):
        file.read(10)
        return real(file, name)

    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "file_digest", wrong)
        with pytest.raises(CheckpointError, match="expected to read back what was written, got other bytes: check the disk"):
            rawseg.save({"x": np.ones(3)}, old)


@pytest.mark.spec("checkpoint.atomic")
def test_the_steps_of_a_save_come_in_an_order_that_a_power_cut_cannot_break(old, monkeypatch):
    steps = []

    def recorded(name, function):
        def call(*args):
            directory = name == "sync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            steps.append("sync folder" if directory else name)
            return function(*args)

        return call

    before = old.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", recorded("sync", os.fsync))
        patch.setattr(os, "replace", recorded("replace", os.replace))
        patch.setattr(hashlib, "file_digest", recorded("read back", hashlib.file_digest))
        rawseg.save({"x": np.ones(3)}, old)
    assert steps == ["sync", "read back", "sync", "replace", "sync folder"]
    old.write_bytes(before)


# Between the end of a with block and the call of __exit__ nobody can close the file; its memory being freed does.
@pytest.mark.spec("checkpoint.atomic")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_at_any_line_leaves_the_old_file_or_the_new_one(tmp_path):
    path, outcomes = tmp_path / "a.safetensors", []
    rawseg.save({"x": np.zeros(3)}, path)

    def interrupt_at(line: int) -> bool:
        """Save ones and raise KeyboardInterrupt before the given line of rawseg's own; return whether it came to that."""
        lines = itertools.count()

        def trace(frame, event, _argument):
            if not str(frame.f_globals.get("__name__")).startswith("rawseg"):
                return None
            if event == "line" and next(lines) == line:
                raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            rawseg.save({"x": np.ones(3)}, path)
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
        return False

    for line in itertools.count():
        interrupted = interrupt_at(line)
        got = rawseg.load(path)["x"].tolist()
        assert got in ([0.0] * 3, [1.0] * 3)
        assert os.listdir(tmp_path) == ["a.safetensors"], line
        outcomes.append(got[0])
        if not interrupted:
            break
        if got[0]:
            rawseg.save({"x": np.zeros(3)}, path)
    assert outcomes == sorted(outcomes)  # the old file up to the rename, the new one from there on
    assert outcomes.count(0.0) > 30
    assert outcomes.count(1.0) > 1


def test_what_a_killed_process_leaves_is_swept_and_nothing_else(tmp_path):
    script = (
        "import os, sys, numpy as np, rawseg, rawseg.tensorfile as t\n"
        "t.hashlib.file_digest = lambda *_: os.kill(os.getpid(), 9)\n"
        "rawseg.save({'x': np.zeros(3)}, sys.argv[1] + '/a')"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    (left,) = os.listdir(tmp_path)
    assert left.endswith(".tmp")
    mine = f".rawseg-{os.getpid()}-{'0' * 16}.tmp"  # of an earlier process that had this one's number
    alive = f".rawseg-{os.getppid()}-{'0' * 16}.tmp"
    others = ["notes.tmp", ".rawseg-x.tmp", ".rawseg-1-2.tmp", alive]
    for name in [mine, *others]:
        (tmp_path / name).touch()
    rawseg.save({}, tmp_path / "b")
    assert sorted(os.listdir(tmp_path)) == sorted(["b", *others])


def test_a_file_that_is_being_written_is_not_swept(tmp_path):
    from rawseg.files import atomic_write

    with atomic_write(tmp_path / "a") as file:
        file.write(b"new")
        sweep_temporaries(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"new"
    sweep_temporaries(tmp_path / "no such folder")
