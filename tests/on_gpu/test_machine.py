"""What is said of GPUs and their memory, on a pretended one and without any."""

from __future__ import annotations

import pytest
from on_gpu.pretended_cupy import pretended

import rawseg
from rawseg import cuda
from rawseg.cli import doctor
from rawseg.errors import ArgumentError, ArgumentTypeError, BackendError

pytestmark = pytest.mark.stand_in
MIB = 2**20


@pytest.fixture
def cupy():
    with pretended() as module:
        yield module


def test_without_a_gpu():
    assert (cuda.is_available(), cuda.device_count()) == (False, 0)
    names = ("current_device", "get_device_name", "synchronize", "memory_allocated", "memory_reserved", "mem_get_info")
    for name in (*names, "memory_stats", "empty_cache"):
        with pytest.raises(BackendError, match="device: expected CuPy to be installed"):
            getattr(cuda, name)()


def test_with_one(cupy):
    assert (cuda.is_available(), cuda.device_count(), cuda.current_device()) == (True, 1, 0)
    assert cuda.get_device_name() == cuda.get_device_name("cuda:0") == cuda.get_device_name(0) == "Pretended"
    assert cuda.mem_get_info() == (2**32, 2**33)
    with pytest.raises(ArgumentError, match="get_device_name: device: expected 'cuda:0', of which CuPy sees 1, got 'cuda:1'"):
        cuda.get_device_name(1)
    with pytest.raises(ArgumentTypeError, match=r"synchronize: device: expected a number, 'cuda' or 'cuda:N', got 1\.5"):
        cuda.synchronize(1.5)


def test_memory_of_arrays_and_of_the_pool(cupy):
    cuda.empty_cache()
    before, held = cuda.memory_allocated(), cuda.memory_reserved()
    x = rawseg.zeros(MIB // 4).to("cuda")
    assert cuda.memory_allocated() - before == MIB
    assert cuda.memory_reserved() - held == MIB
    stats = cuda.memory_stats()
    assert stats["allocated_bytes.all.current"] - before == MIB
    assert (stats["free"], stats["total"]) == (2**32, 2**33)
    del x
    assert cuda.memory_allocated() == before
    assert cuda.memory_stats()["inactive_bytes.all.current"] >= MIB
    cuda.empty_cache()
    assert (cuda.memory_allocated(), cuda.memory_reserved()) == (before, held)


def test_a_copy_lands_when_the_gpu_is_waited_for(cupy):
    stream = cupy.cuda.Stream(non_blocking=True)
    stream.wait_event(cupy.cuda.get_current_stream().record())
    x = cupy.empty(3, "float32")
    with stream:
        x.set(rawseg.ones(3).numpy())
    cuda.synchronize()
    assert x.get().tolist() == [1, 1, 1]


def test_doctor_tells_the_gpus_memory_and_software(cupy, monkeypatch):
    monkeypatch.setattr(doctor, "_version", lambda package: "14.2.0" if package == "cupy-cuda12x" else "")
    cuda.empty_cache()
    held = rawseg.zeros(2 * MIB // 4).to("cuda")
    first, second = doctor.gpu().split("\n")
    assert first == "1 x Pretended, compute capability 9.0; CUDA 12.9, driver for 12.9, NVRTC 12.9, CuPy 14.2.0"
    pool = cuda.memory_reserved() // MIB
    assert pool >= held.array.nbytes // MIB
    assert second == f"memory: 4096 of 8192 MiB free; CuPy's pool holds {pool} MiB, {pool} MiB in use"


@pytest.mark.parametrize(("package", "extra"), [("cupy-cuda12x", "cuda12-ctk"), ("cupy-cuda13x", "cuda13-ctk")])
def test_doctor_names_the_extra_with_the_compiler_where_there_is_none(cupy, monkeypatch, package, extra):
    def missing():
        raise RuntimeError("CuPy failed to load libnvrtc.so.12: OSError: libnvrtc.so.12: cannot open shared object file")

    monkeypatch.setattr(cupy.cuda.nvrtc, "getVersion", missing)
    monkeypatch.setattr(doctor, "_version", lambda name: "14.2.0" if name == package else "")
    first, _ = doctor.gpu().split("\n")
    told = "NO COMPILER, without which no kernel runs: RuntimeError: CuPy failed to load libnvrtc.so.12"
    assert first.startswith(f"1 x Pretended, compute capability 9.0; CUDA 12.9, driver for 12.9, {told}")
    assert f"(pip install 'rawseg[{extra}]' brings it)" in first


def test_doctor_reports_what_is_missing(monkeypatch):
    assert doctor.gpu().startswith("CuPy is not installed")
    monkeypatch.setattr(doctor, "_version", lambda package: "14.2.0" if package == "cupy-cuda12x" else "")
    assert doctor.gpu().startswith("CuPy finds no usable GPU: ModuleNotFoundError")
