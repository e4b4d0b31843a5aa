"""What does not fit on a GPU: CuPy's free blocks are given back, it is tried once more, and the error has the sizes."""

from __future__ import annotations

import numpy as np
import pytest
from on_gpu.pretended_memory import DEFAULT, Memory

import rawseg
from rawseg import device, nn, optim
from rawseg_kernels import pad
from rawseg_kernels._cuda import empty, zeros

pytestmark = pytest.mark.stand_in
MIB = 2**20
HOST = np.ones((2, MIB // 4), np.float32)  # 2 MiB

MAKE = {
    "to": lambda _: rawseg.tensor(HOST).to("cuda").array,
    "move": lambda _: device.move(HOST, "cuda:0"),
    "device.zeros": lambda _: device.zeros(HOST.shape, np.float32, "cuda"),
    "zeros": lambda _: rawseg.zeros(*HOST.shape, device="cuda").array,
    "full": lambda _: rawseg.full(HOST.shape, 1.0, device="cuda").array,
    "tensor": lambda _: rawseg.tensor(HOST, device="cuda").array,
    "randn": lambda _: rawseg.randn(*HOST.shape, device="cuda").array,
    "kernels' empty": lambda like: empty(like, HOST.shape),
    "kernels' zeros": lambda like: zeros(like, HOST.shape),
}
OPS = {"device.zeros": "zeros", "kernels' empty": "cuda", "kernels' zeros": "cuda"}


@pytest.fixture
def room(stand_in, monkeypatch):
    """Let the device have room for so many bytes more, of which blocks of 1 MiB, which fit nothing here, are free."""

    def leave(size: int, free_blocks: int = 0) -> None:
        DEFAULT.free_all_blocks()
        kept = [stand_in.zeros(MIB // 4, np.float32) for _ in range(free_blocks)]
        del kept
        monkeypatch.setattr(Memory, "limit", Memory.on_device + size)

    return leave


@pytest.mark.parametrize("name", MAKE)
def test_free_blocks_are_given_back_first(stand_in, room, monkeypatch, name):
    like = stand_in.zeros(1, np.float32)
    room(MIB // 2, free_blocks=2)
    # as CuPy's, whose own attempts do not always help: a pool that gives nothing back by itself
    monkeypatch.setattr(type(DEFAULT), "_from_device", from_device_once)
    assert MAKE[name](like).nbytes == HOST.nbytes


def from_device_once(self, size):
    from on_gpu.pretended_memory import CUDARuntimeError, OutOfMemoryError

    try:
        return self._allocator(size).mem
    except CUDARuntimeError:
        raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes") from None


@pytest.mark.parametrize("name", MAKE)
def test_the_error_has_the_operation_and_the_sizes(stand_in, room, name):
    like = stand_in.zeros(1, np.float32)
    room(MIB)
    got = rf"got {2**32} free of {2**33} on <CUDA Device 0>"
    with pytest.raises(
        MemoryError, match=rf"^{OPS.get(name, 'to')}: out: expected room for {2 * MIB} bytes for shape \(2, "
    ) as found:
        MAKE[name](like)
    assert str(found.value).endswith(got)
    assert type(found.value) is MemoryError


def test_it_is_tried_once_more_and_not_for_ever(stand_in, room, monkeypatch):
    tries = []
    room(MIB)
    before = stand_in.zeros
    monkeypatch.setattr(stand_in, "zeros", lambda *given: tries.append(given) or before(*given))
    with pytest.raises(MemoryError):
        device.zeros(HOST.shape, np.float32, "cuda")
    assert len(tries) == 2


def test_the_public_function_is_named_where_a_kernel_has_no_room(stand_in, room):
    x = rawseg.ones(1, 1, 8, 8).to("cuda")
    room(MIB)
    with pytest.raises(MemoryError, match=r"pad: out: expected room for \d+ bytes for shape \(1, 1032, 1032\)"):
        rawseg.functional.pad(x, (512,) * 4)
    with pytest.raises(MemoryError, match="cuda: out: expected room"):
        pad.forward(x.array, ((0, 0), (0, 0), (512, 512), (512, 512)))


def test_a_model_that_does_not_fit_stays_usable(stand_in, room):
    net = nn.Sequential(nn.Linear(4, 2), nn.Linear(512, 1024))
    room(MIB)
    with pytest.raises(MemoryError, match=rf"to: out: expected room for {2 * MIB} bytes for shape \(1024, 512\)"):
        net.to("cuda")
    net.to("cpu")
    assert net[0](rawseg.ones(1, 4)).shape == (1, 2)
    optim.SGD(net.parameters(), 0.1)
