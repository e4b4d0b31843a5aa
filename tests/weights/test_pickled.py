"""Files of PyTorch: good ones of both forms load, and of hostile ones nothing is believed and nothing is run."""

from __future__ import annotations

import os
import struct
import sys
import zipfile

import numpy as np
import pth_files
import pytest
import torch

import rawseg
from rawseg import models
from rawseg.errors import ArgumentTypeError, CheckpointError
from rawseg.interchange import pickled

FORMS = list(pth_files.FORMS)
STATE = {
    "weight": torch.arange(6.0).reshape(2, 3),
    "bias": torch.tensor([0.5, -0.5], dtype=torch.float64),
    "count": torch.tensor(7),
    "turned": torch.arange(6.0).reshape(2, 3).T,
    "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
    "brain": torch.tensor([1.5, -3.0e38], dtype=torch.bfloat16),
}


def refused(path, **options) -> str:
    with pytest.raises(CheckpointError) as caught:
        pickled.read(path, **options)
    message = str(caught.value)
    assert str(path) in message
    assert "weights_only" not in message.partition("python -c")[0]  # PyTorch's advice is to run the code
    return message


# good files


@pytest.mark.parametrize("form", FORMS)
def test_every_dtype_and_order_of_axes_comes_back(form, tmp_path):
    path = pth_files.written(tmp_path / "a.pth", STATE, form)
    assert pickled.is_pickled(path)
    found = pickled.read(path)
    assert list(found) == list(STATE)
    for name, tensor in STATE.items():
        want = tensor.float().numpy() if tensor.dtype == torch.bfloat16 else tensor.numpy()
        assert (found[name].dtype, found[name].shape) == (want.dtype, want.shape)
        assert np.array_equal(found[name], want)


@pytest.mark.parametrize("form", FORMS)
def test_parameters_and_shared_tensors_load(form, tmp_path):
    layer = torch.nn.Linear(2, 2)
    path = pth_files.written(tmp_path / "a.pth", {"a": layer.weight, "b": layer.weight}, form)
    found = pickled.read(path)
    assert np.array_equal(found["a"], layer.weight.detach().numpy())
    assert np.array_equal(found["b"], found["a"])


@pytest.mark.parametrize("name", ["state_dict", "model", "model_state_dict", "anything"])
def test_a_state_dict_inside_a_checkpoint_of_training_is_found(name, tmp_path):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(2))], lr=0.1, momentum=0.9)
    content = {"epoch": 3, name: {"w": torch.ones(2)}, "optimizer": optimizer.state_dict(), "args": None, "empty": {}}
    assert np.array_equal(pickled.read(pth_files.written(tmp_path / "a.pth", content))["w"], [1, 1])


def test_of_several_state_dicts_one_has_to_be_chosen(tmp_path):
    path = pth_files.written(tmp_path / "a.pth", {"model": {"w": torch.ones(2)}, "ema": {"w": torch.zeros(2)}, "epoch": 1})
    message = refused(path)
    assert "expected one state dict of tensors by name among the entries" in message
    assert "(say which: entry=, or --pretrained FILE:ENTRY), got several: 'model', 'ema'" in message
    assert np.array_equal(pickled.read(path, "ema")["w"], [0, 0])
    assert "one of 'model', 'ema', got 'epoch'" in refused(path, entry="epoch")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([torch.ones(2)], "expected a state dict: tensors by name, got a list"),
        (torch.ones(2), "got a Tensor"),
        ({}, "expected a state dict of tensors, got an empty one"),
        ({"epoch": 1, "lr": 0.1}, "among the entries, got none: 'epoch', 'lr'"),
        ({1: torch.ones(2)}, "got none: 1"),
        ({"w": torch.ones(2, dtype=torch.complex64)}, "w to be a plain array of floats or whole numbers, got torch.complex64"),
        ({"w": torch.ones(2).to_sparse()}, "w to be a plain array"),
    ],
)
def test_what_is_no_state_dict_of_arrays_is_refused(content, message, tmp_path):
    assert message in refused(pth_files.written(tmp_path / "a.pth", content))


# hostile files


@pytest.mark.parametrize("form", FORMS)
def test_code_in_a_pickle_is_not_run(form, tmp_path):
    mark = tmp_path / "it ran"
    path = pth_files.written(tmp_path / "a.pth", {"w": torch.ones(2), "x": pth_files.Runs(mark)}, form)
    message = refused(path)
    assert not mark.exists()
    assert "expected a file of tensors only (save model.state_dict(), not the model), got one that asks for" in message
    assert "mkdir, which was not run" in message
    with pytest.raises(CheckpointError, match="which was not run"):
        models.load_weights(path, models.build("unet", width=2, depth=1))
    assert not mark.exists()
    assert mark.parent.exists()


def test_the_hostile_pickle_does_run_for_a_careless_reader(tmp_path):
    mark = tmp_path / "it ran"
    torch.load(pth_files.written(tmp_path / "a.pth", pth_files.Runs(mark)), weights_only=False)
    assert mark.exists()


@pytest.mark.parametrize("form", FORMS)
def test_a_whole_model_is_refused(form, tmp_path):
    path = pth_files.written(tmp_path / "a.pth", torch.nn.Linear(2, 2), form)
    assert "one that asks for torch.nn.modules.linear.Linear, which was not run" in refused(path)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_cut_off_anywhere_is_refused(form, tmp_path):
    whole = pth_files.written(tmp_path / "a.pth", STATE, form).read_bytes()
    path = tmp_path / "cut.pth"
    for kept in [*range(9, len(whole), max(1, len(whole) // 40)), len(whole) - 1]:
        path.write_bytes(whole[:kept])
        with pytest.raises(CheckpointError):
            pickled.read(path)


def test_a_byte_that_fell_over_is_found(tmp_path):
    """In a weight, where PyTorch cannot see it: it holds no checksum against what it reads."""
    source = pth_files.written(tmp_path / "a.pth", {"w": torch.arange(300.0)})
    raw = bytearray(source.read_bytes())
    raw[raw.index(struct.pack("<f", 150.0))] ^= 1
    path = tmp_path / "b.pth"
    path.write_bytes(raw)
    assert torch.load(path, weights_only=True)["w"][150] != 150
    assert "got a damaged archive (Bad CRC-32 for file 'a/data/0')" in refused(path)


def test_an_archive_without_checksums_loads(tmp_path):
    torch.serialization.set_crc32_options(False)
    try:
        path = pth_files.written(tmp_path / "a.pth", STATE)
    finally:
        torch.serialization.set_crc32_options(True)
    assert list(pickled.read(path)) == list(STATE)


def test_an_archive_with_packed_members_is_not_unpacked(tmp_path):
    source = pth_files.written(tmp_path / "a.pth", {"w": torch.zeros(100_000)})
    bomb = pth_files.rewritten(source, tmp_path / "b.pth", lambda name, data: data, zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 10_000
    assert "expected an archive as torch.save writes it, not compressed, got a/data.pkl compressed" in refused(bomb)


def test_an_archive_that_declares_more_than_it_holds_is_refused(tmp_path):
    """Many members that are one place in the file: 32 of 40 kB each in a file of 45 kB."""
    source = pth_files.written(tmp_path / "a.pth", {"w": torch.zeros(10_000)})
    raw = source.read_bytes()
    with zipfile.ZipFile(source) as archive:
        begin, count = archive.start_dir, len(archive.infolist())
        names = [member.filename for member in archive.infolist()]
        assert "a/data/0" in names
    end = raw.index(b"PK\6\6") if b"PK\6\6" in raw else raw.rindex(b"PK\5\6")
    directory = raw[begin:end].split(b"PK\1\2")[1:]
    again = b"".join(b"PK\1\2" + entry for entry in [*directory, *([directory[names.index("a/data/0")]] * 31)])
    tail = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count + 31, count + 31, len(again), begin, 0)
    path = tmp_path / "b.pth"
    path.write_bytes(raw[:begin] + again + tail)
    assert "expected an archive that holds at most its own" in refused(path)


@pytest.mark.parametrize("form", FORMS)
def test_a_little_memory_that_is_shown_as_much_is_refused(form, tmp_path):
    path = pth_files.written(tmp_path / "a.pth", {"w": torch.zeros(1).expand(1 << 20, 1 << 20)}, form)
    assert "w to be no larger than what the file holds of it, 4 bytes, got shape (1048576, 1048576)" in refused(path)


def test_a_storage_that_is_declared_larger_than_it_is_is_refused(tmp_path):
    source = pth_files.written(tmp_path / "a.pth", {"w": torch.zeros(300)})
    change = lambda name, data: data.replace(b"M" + struct.pack("<H", 300), b"M" + struct.pack("<H", 60_000))  # noqa: E731
    assert "expected an intact file of torch.save" in refused(pth_files.rewritten(source, tmp_path / "b.pth", change))


def test_storages_that_the_older_form_declares_but_does_not_hold_are_refused(tmp_path):
    """PyTorch leaves their memory as it finds it."""
    raw = pth_files.written(tmp_path / "a.pth", {"w": torch.zeros(60_000)}, "pickles").read_bytes()
    declared = b"M" + struct.pack("<H", 60_000)
    keys_at = raw.index(b"\x80\x02]", raw.index(declared))  # the list of the storages that follow
    path = tmp_path / "b.pth"
    path.write_bytes(raw[:keys_at] + b"\x80\x02]q\x00.")
    assert "expected tensors that the file's" in refused(path)


def test_a_file_larger_than_the_memory_limit_is_not_read(tmp_path, monkeypatch):
    path = pth_files.written(tmp_path / "a.pth", STATE)
    monkeypatch.setattr(pickled, "limit_bytes", lambda: 500)
    assert "expected at most 500 bytes (RAWSEG_MEMORY_LIMIT" in refused(path)


def test_a_file_that_cannot_be_opened(tmp_path):
    assert "expected a file that can be read, got ENOENT" in refused(tmp_path / "no.pth")
    assert not pickled.is_pickled(tmp_path / "no.pth")
    for name, content in {"empty": b"", "text": b"hello, world", "zip": b"PK\3\4" + bytes(40)}.items():
        path = tmp_path / name
        path.write_bytes(content)
        refused(path)


@pytest.mark.parametrize(
    ("name", "content", "got"),
    [
        ("photo.pth", b"\xff\xd8\xff\xe0 of a camera", "one that is neither that nor a file of torch.save$"),
        ("empty.pth", b"", "an empty file"),
        ("net.onnx", b"\x08\x07\x12\x07pytorch", r"nor a file of torch.save; rawseg\.onnx\.load reads \.onnx files"),
        ("model.json", b'{"format": "graph-model"}', r"nor a file of torch.save; rawseg\.tfjs\.load reads \.json files"),
    ],
)
def test_a_file_of_neither_kind_is_called_so(name, content, got, tmp_path):
    (tmp_path / name).write_bytes(content)
    for read in (rawseg.load, lambda path: models.load_pretrained(models.build("unet", width=4, depth=2), path)):
        with pytest.raises(CheckpointError, match=f"expected an intact .safetensors file, got .*{got}"):
            read(tmp_path / name)


def test_the_ending_of_a_name_decides_nothing(tmp_path):
    path = pth_files.written(tmp_path / "a.safetensors", STATE)
    assert list(pickled.read(path)) == list(STATE)
    with pytest.raises(CheckpointError, match=r"got a file of torch\.save, which rawseg\.models\.load_pretrained reads"):
        rawseg.load(path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(CheckpointError, match=f"load: {path}: expected a file, got a pipe or a device"):
            models.load_pretrained(models.mobilenet_v2(width_mult=0.25), path)
    with pytest.raises(CheckpointError, match="embedded null byte"):
        models.load_pretrained(models.mobilenet_v2(width_mult=0.25), "a\0b")


@pytest.mark.parametrize("path", [None, 5, b"a.pth", []])
def test_what_is_no_path_is_refused(path):
    net = models.build("unet", width=4, depth=2)
    for read in (rawseg.load, models.load_model, lambda path: models.load_pretrained(net, path), rawseg.tfjs.load):
        with pytest.raises(ArgumentTypeError, match="path: expected a path, got "):
            read(path)
    with pytest.raises(ArgumentTypeError, match="write: path: expected a path, got "):
        models.save_model(net, path)
    with pytest.raises(ArgumentTypeError, match=r"load_weights: model: expected a rawseg\.nn\.Module, got torch\.nn.*Linear"):
        models.load_weights("a.pth", torch.nn.Linear(1, 1))


def test_the_two_kinds_of_files_are_told_apart_by_their_beginning(tmp_path):
    """A .safetensors file begins with the length of its header, which may be the first bytes of a pickle or an archive."""
    for length in (128, int.from_bytes(b"PK\3\4", "little"), 0x200280):
        (tmp_path / "a").write_bytes(struct.pack("<Q", length) + b'{"w":')
        assert not pickled.is_pickled(tmp_path / "a")
    for form in FORMS:
        assert pickled.is_pickled(pth_files.written(tmp_path / "a", STATE, form))


def test_without_pytorch_the_message_says_how_to_convert(tmp_path, monkeypatch):
    path = pth_files.written(tmp_path / "a.pth", STATE)
    monkeypatch.setitem(sys.modules, "torch", None)
    message = refused(path)
    assert (
        "expected torch, which reads .pth files: pip install torch (or convert the file where torch is installed: python -c"
        in message
    )
    assert "got no package torch" in message


@pytest.mark.parametrize(
    ("version", "accepted"), [("2.5.1", False), ("1.13.0+cpu", False), ("2.6.0", True), ("2.13.0+cu130", True)]
)
def test_a_pytorch_that_can_be_made_to_run_code_is_not_asked(version, accepted, tmp_path, monkeypatch):
    path = pth_files.written(tmp_path / "a.pth", STATE)
    monkeypatch.setattr(torch, "__version__", version)
    if accepted:
        assert list(pickled.read(path)) == list(STATE)
    else:
        message = refused(path)
        assert "expected torch 2.6 or newer: older ones can be made to run code" in message
        assert f"got torch {version}" in message


def test_the_line_that_converts_does(tmp_path, monkeypatch):
    pytest.importorskip("safetensors.torch")
    monkeypatch.chdir(tmp_path)
    pth_files.written(tmp_path / "net.pth", {name: STATE[name] for name in ("weight", "bias", "count")})
    exec(pickled.CONVERT)
    found = rawseg.load(tmp_path / "net.safetensors")
    assert np.array_equal(found["weight"].numpy(), STATE["weight"].numpy())
    assert not pickled.is_pickled(tmp_path / "net.safetensors")
