"""Batches from pinned memory, sent ahead: the loader's own; copies of the stand-in land only when they are waited for."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from on_gpu import pretended_memory
from on_gpu.pretended_streams import Event, Stream
from PIL import Image

import rawseg
from rawseg.cli import app
from rawseg.cuda import Prefetcher
from rawseg.data import Loader
from rawseg.errors import ArgumentError, BackendError


class Numbers:
    """Sample i is full of i; number 5 may fail."""

    def __init__(self, count: int, failing: bool = False) -> None:
        self.count, self.failing = count, failing

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.failing and index == 5:
            raise OSError("unreadable")
        return np.full((1, 2, 3), index, np.float32), np.full((2, 3), index, np.int64)


def content(batches: Any) -> list[tuple[bytes, bytes]]:
    """Return what the parts of batches hold, after an operation on them."""
    found = []
    for images, masks in batches:
        parts = (images + 0, masks + 0)
        found.append(tuple((part if isinstance(part, np.ndarray) else part.get()).tobytes() for part in parts))
    return found


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("drop_last", [False, True])
def test_batches_are_those_of_the_loader(cupy, workers, drop_last):
    options = {"seed": 3, "workers": workers, "drop_last": drop_last}
    plain, pinned = Loader(Numbers(11), 2, **options), Loader(Numbers(11), 2, pin_memory=True, **options)
    ahead = Prefetcher(pinned, "cuda:0")
    assert content(pinned) == content(plain)
    assert len(ahead) == len(plain)
    for epoch in (0, 1):
        ahead.set_epoch(epoch)
        assert content(ahead) == content(plain.iterate(epoch))
    assert content(ahead.iterate(2, 3)) == content(plain.iterate(2, 3))


def test_batches_are_on_the_gpu_and_stay_what_they_are(cupy):
    held = list(Prefetcher(Loader(Numbers(8), 2, shuffle=False, pin_memory=True)))
    assert all(isinstance(part, cupy.ndarray) for batch in held for part in batch)
    assert [int(masks[0, 0, 0]) for _, masks in held] == [0, 2, 4, 6]


@pytest.mark.stand_in
def test_a_copy_is_under_way_while_the_last_batch_is_at_work(cupy):
    ahead = Prefetcher(Loader(Numbers(6), 2, shuffle=False, workers=0, pin_memory=True))
    batches = iter(ahead)
    images, _ = next(batches)
    assert len(ahead._stream.copies) == 4  # images and masks of the first two batches: the host waits for none
    assert float(images.sum()) == 6
    assert len(ahead._stream.copies) == 2  # those of the second, for which nobody has waited
    batches.close()


def test_batches_without_pinned_memory_come_as_well(cupy):
    assert content(Prefetcher(Loader(Numbers(5), 2))) == content(Loader(Numbers(5), 2))


def test_an_error_comes_at_its_batchs_turn(cupy):
    batches = iter(Prefetcher(Loader(Numbers(8, failing=True), 2, shuffle=False, pin_memory=True)))
    assert [int(next(batches)[1][0, 0, 0]) for _ in range(2)] == [0, 2]
    with pytest.raises(OSError, match="unreadable"):
        next(batches)


@pytest.mark.stand_in
def test_pinned_memory_is_used_again_but_not_before_its_copy_has_landed(cupy, monkeypatch):
    monkeypatch.setattr(pretended_memory._Pinned, "free", {})
    made = []
    original = pretended_memory._Pinned.__init__
    monkeypatch.setattr(pretended_memory._Pinned, "__init__", lambda self, *a: made.append(original(self, *a)) or None)
    assert content(Prefetcher(Loader(Numbers(40), 2, workers=0, pin_memory=True))) == content(Loader(Numbers(40), 2))
    blocks = sum(len(blocks) for blocks in pretended_memory._Pinned.free.values())
    assert len(made) == 40
    assert blocks <= 8


@pytest.mark.stand_in
def test_the_stand_in_finds_what_is_not_waited_for(cupy):
    """Leave out one wait after the other: each would be a race on a GPU."""
    stream, source = Stream(non_blocking=True), pretended_memory.empty_pinned((3,), np.float32)
    source[:] = 1
    out = cupy.zeros(3, np.float32)
    with pytest.raises(RuntimeError, match="a race"):
        out.set(source, stream)
    stream.wait_event(Stream.null.record())
    out.set(source, stream)
    assert np.isnan(out.get()).all()  # read without waiting
    source[:] = 2
    event = stream.record()
    assert not event.done
    Stream.null.wait_event(event)
    assert not event.done  # the GPU waits, and not the host
    assert out.get().tolist() == [2, 2, 2]  # written to while it was being copied
    assert event.done
    stream.wait_event(Stream.null.record())
    out.set(source, stream)
    del source
    stream.synchronize()
    assert np.isnan(out.get()).any() or out.get()[0] > 1e38  # let go while it was being copied
    Stream.null.wait_event(Event())  # never recorded: nothing to wait for


@pytest.mark.parametrize(("device", "error"), [("cpu", ArgumentError), ("cuda:x", ArgumentError)])
def test_a_prefetcher_is_for_a_gpu(cupy, device, error):
    with pytest.raises(error, match="Prefetcher: device: expected 'cuda' or 'cuda:N'"):
        Prefetcher(Loader(Numbers(2), 1), device)


@pytest.mark.stand_in
def test_a_prefetcher_is_for_a_gpu_that_is_there(cupy):
    with pytest.raises(ArgumentError, match="Prefetcher: device: expected 'cuda:0', of which CuPy sees 1, got 'cuda:9'"):
        Prefetcher(Loader(Numbers(2), 1), "cuda:9")


def test_without_a_gpu_pinned_memory_is_a_warning_as_in_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.warns(UserWarning, match="pin_memory=True has no effect: Loader: device: expected CuPy to be installed"):
        pinned = Loader(Numbers(5), 2, pin_memory=True)
    assert content(pinned) == content(Loader(Numbers(5), 2))
    with pytest.raises(BackendError, match="Prefetcher: device"):
        Prefetcher(pinned)


def test_the_command_trains_on_batches_sent_ahead(cupy, tmp_path, monkeypatch, capsys):
    rng = np.random.default_rng(0)
    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
    for i in range(3):
        mask = (np.hypot(*(np.mgrid[:16, :16] - 8)) < 4 + i).astype(np.uint8)
        Image.fromarray((mask * 150 + rng.integers(0, 50, mask.shape)).astype(np.uint8)).save(tmp_path / f"data/images/{i}.png")
        Image.fromarray(mask).save(tmp_path / f"data/masks/{i}.png")
    seen = []
    original = Prefetcher._sent
    monkeypatch.setattr(Prefetcher, "_sent", lambda self, batch: seen.append(self.loader.pin_memory) or original(self, batch))
    before = rawseg.get_num_threads()
    small = [
        "--width",
        "2",
        "--depth",
        "1",
        "--channels",
        "1",
        "--crop",
        "8",
        "--crops",
        "2",
        "--batch-size",
        "2",
        "--epochs",
        "1",
    ]
    for device in ("cuda", "cpu"):
        command = ["train", str(tmp_path / "data"), "--out", str(tmp_path / device), "--device", device, *small]
        with pytest.raises(SystemExit) as leave:
            app(command)
        assert not leave.value.code, capsys.readouterr().err
    rawseg.set_num_threads(before)
    assert seen == [True] * 3  # two batches of four crops, one image held out
    losses = [json.loads(Path(tmp_path / device / "metrics.jsonl").read_text())["loss"] for device in ("cuda", "cpu")]
    np.testing.assert_allclose(*losses, rtol=1e-5)
