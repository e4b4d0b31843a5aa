"""Kernels on the memory of PyTorch and JAX: the examples of CUDA.md, with stand-ins for all three, and on a GPU."""

from __future__ import annotations

import os
import re
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from on_gpu.pretended_streams import Stream, of_pointer

from rawseg_kernels import max_pool2d, softmax

PAGE = (Path(__file__).parents[2] / "CUDA.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
WITH_TORCH = next(block for block in BLOCKS if "import torch" in block)
WITH_JAX = next(block for block in BLOCKS if "import jax" in block)
IMAGES = np.random.default_rng(0).standard_normal((1, 8, 64, 64)).astype(np.float32)


def run(block: str) -> dict[str, Any]:
    """Run an example; return its names."""
    names: dict[str, Any] = {}
    exec(compile(block, "CUDA.md", "exec"), names)
    return names


class Theirs:
    """A tensor of another library, written on a stream of that library, which waits for nobody but as DLPack asks."""

    def __init__(self, array: Any, stream: Stream, asked: list[int]) -> None:
        self.array, self.stream, self.asked = array, stream, asked

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __dlpack__(self, *, stream: int, max_version: tuple[int, int], copy: Any = None):
        assert max_version >= (1, 0)
        assert copy is None
        self.asked.append(stream)
        with self.stream:  # is the current one of that library
            return self.array.__dlpack__(stream=stream)


class Library:
    """Another library: its current stream, and what was asked for in both directions."""

    def __init__(self, cupy: Any, stream: Stream) -> None:
        self.cupy, self.stream, self.asked, self.told = cupy, stream, [], []

    def tensor(self, host: np.ndarray) -> Theirs:
        self.stream.wait_event(self.cupy.cuda.get_current_stream().record())  # for the memory
        with self.stream:
            return Theirs(self.cupy.asarray(host), self.stream, self.asked)

    def from_dlpack(self, array: Any) -> Theirs:
        self.told.append(self.stream.ptr or 1)
        capsule = array.__dlpack__(stream=self.told[-1], max_version=(1, 0))
        return Theirs(self.cupy.ndarray(*capsule), self.stream, self.asked)

    def read(self, tensor: Theirs) -> np.ndarray:
        with self.stream:
            return tensor.array.get()


@pytest.fixture(params=["default stream", "stream of its own"])
def library(request, stand_in) -> Library:
    own = request.param == "stream of its own"
    return Library(stand_in, stand_in.cuda.Stream(non_blocking=True) if own else of_pointer(0))


@pytest.fixture
def torch(library, monkeypatch) -> Library:
    """PyTorch, with the names that the example has."""
    module = ModuleType("torch")
    module.rand = lambda *shape, device: library.tensor(IMAGES[:, : shape[1]])
    module.from_dlpack = library.from_dlpack
    module.cuda = ModuleType("torch.cuda")
    module.cuda.is_available = lambda: True
    module.cuda.current_stream = lambda: library.stream
    monkeypatch.setitem(sys.modules, "torch", module)
    return library


def test_the_example_with_pytorch(torch):
    names = run(WITH_TORCH)
    want, _ = max_pool2d.forward(IMAGES, 2)
    assert torch.read(names["pooled"]).tobytes() == want.tobytes()
    assert torch.asked == torch.told == [torch.stream.ptr or 1]  # the stream of both, so that nobody waits
    assert names["pooled"].array.data.ptr == names["out"].data.ptr
    assert torch.cupy.cuda.get_current_stream().ptr == 0


def test_the_hand_over_is_ordered_without_that_stream(torch):
    """And the stand-in tells of a race where it is not: by -1 a consumer would ask for nothing."""
    images = torch.tensor(IMAGES)
    out, _ = max_pool2d.forward(torch.cupy.from_dlpack(images), 2)
    pooled = torch.from_dlpack(out)
    assert torch.asked == [1]
    assert torch.told == [torch.stream.ptr or 1]
    assert torch.read(pooled).tobytes() == max_pool2d.forward(IMAGES, 2)[0].tobytes()
    if torch.stream.ptr:
        late = torch.tensor(IMAGES)
        unordered = late.__dlpack__(stream=-1, max_version=(1, 0))
        with pytest.raises(RuntimeError, match="a race"):
            max_pool2d.forward(torch.cupy.ndarray(*unordered), 2)


def test_the_example_with_jax(library, monkeypatch):
    module = ModuleType("jax")
    module.__spec__ = ModuleSpec("jax", None)
    module.numpy, module.dlpack = ModuleType("jax.numpy"), ModuleType("jax.dlpack")
    module.numpy.ones = lambda shape: library.tensor(np.ones(shape, np.float32))
    module.dlpack.from_dlpack = library.from_dlpack
    monkeypatch.setitem(sys.modules, "jax", module)
    names = run(WITH_JAX)
    assert library.asked == [1]
    assert library.told == [library.stream.ptr or 1]
    assert library.read(names["probabilities"]).tobytes() == softmax.forward(np.ones((4, 10), np.float32), 1).tobytes()
    assert names["probabilities"].array.data.ptr == names["out"].data.ptr


@pytest.fixture
def real(request, cupy):
    """CuPy on a GPU."""
    if request.config.getoption("device") != "cuda":
        pytest.skip("of a GPU that PyTorch or JAX shares: run with --device cuda")
    return cupy


@pytest.fixture
def torch_there(real):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    if not torch.cuda.is_available():
        pytest.skip("this PyTorch has no CUDA")
    return torch


@pytest.fixture
def jax_there(real, monkeypatch):
    if "XLA_PYTHON_CLIENT_PREALLOCATE" not in os.environ:
        monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    jax = pytest.importorskip("jax", reason="JAX is not installed")
    if jax.default_backend() != "gpu":
        pytest.skip("this JAX has no CUDA")
    return jax


@pytest.mark.parametrize("own", [False, True], ids=["default stream", "stream of its own"])
def test_pytorch_on_this_gpu(torch_there, own):
    torch = torch_there
    with torch.cuda.stream(torch.cuda.Stream() if own else torch.cuda.default_stream()):
        torch.cuda._sleep(10**8)  # the kernel would be done long before, if it did not wait
        names = run(WITH_TORCH)
        want = torch.nn.functional.max_pool2d(names["images"], 2)
        assert torch.equal(names["pooled"], want)
    assert names["pooled"].data_ptr() == names["out"].data.ptr


def test_pytorch_on_this_gpu_without_its_stream(torch_there, real):
    torch = torch_there
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(10**8)
        images = torch.rand(1, 8, 64, 64, device="cuda")
        out, _ = max_pool2d.forward(real.from_dlpack(images), 2)
        pooled = torch.from_dlpack(out)
        assert torch.equal(pooled, torch.nn.functional.max_pool2d(images, 2))
    real.cuda.get_current_stream().synchronize()


def test_jax_on_this_gpu(jax_there):
    names = run(WITH_JAX)
    np.testing.assert_allclose(np.asarray(names["probabilities"]), 0.1, rtol=1e-6)
    assert names["probabilities"].unsafe_buffer_pointer() == names["out"].data.ptr
