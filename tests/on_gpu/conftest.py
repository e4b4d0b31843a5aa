"""Where tests get the arrays of a device: the stand-in's, or with ``--device cuda`` those of the GPU that is here."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from on_gpu.pretended_cupy import pretended

from rawseg_kernels._cuda.kernel import Kernel


@pytest.fixture(scope="module")
def cupy(request):
    """CuPy, or the stand-in for it; ``asarray`` makes arrays, and ``.to("cuda")`` brings Tensors there."""
    if request.config.getoption("device") == "cuda":
        import cupy  # type: ignore[import-not-found]

        yield cupy
    else:
        with pretended() as module:
            yield module


@pytest.fixture(scope="module")
def stand_in():
    """The stand-in for CuPy, in tests that ``--device cuda`` leaves out, like those marked ``stand_in``."""
    with pretended() as module:
        yield module


@pytest.fixture
def launches(monkeypatch):
    """Every launch of a kernel, by name."""
    seen: list[str] = []
    launch = Kernel.launch

    def counted(self, *arguments, **options):
        seen.append(self.name)
        launch(self, *arguments, **options)

    monkeypatch.setattr(Kernel, "launch", counted)
    return seen


@pytest.fixture
def pretended_gpu(monkeypatch):
    with pretended() as cupy:
        from gpu import loops

        monkeypatch.setattr(loops, "ProcessPoolExecutor", lambda *_: ThreadPoolExecutor(1))  # has compiled kernels already
        yield cupy
    for name in [name for name in sys.modules if name == "gpu" or name.startswith("gpu.")]:
        del sys.modules[name]  # they hold the stand-in
