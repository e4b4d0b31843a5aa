"""What is told of a kernel that CuPy cannot compile or load, and for whom one is compiled."""

from __future__ import annotations

import numpy as np
import pytest

from rawseg.errors import BackendError
from rawseg_kernels._cuda import gpu
from rawseg_kernels.softmax.cuda import kernel

pytestmark = pytest.mark.stand_in


@pytest.fixture
def told(stand_in, monkeypatch):
    """Run a kernel whose compilation raises an error; return what is told of it."""

    def run(error: Exception) -> BackendError:
        class Failing:
            def __init__(self, **_options):
                pass

            def get_function(self, _name):
                raise error

        monkeypatch.setattr(stand_in, "RawModule", Failing)
        with pytest.raises(BackendError) as found:
            launched(stand_in)
        assert found.value.__cause__ is error
        return found.value

    return run


def launched(cupy) -> np.ndarray:
    """Return the softmax of (0, 0), from a kernel alone."""
    x, out = cupy.zeros((1, 2), np.float32), cupy.empty((1, 2), np.float32)
    kernel("softmax_forward", np.float32)(1, x, out, 1, 2, 1, False)
    return out.get()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError(
            "CuPy failed to load libnvrtc.so.12: OSError: libnvrtc.so.12: cannot open shared object file: No such file"
        ),
        OSError("libnvrtc.so.13: cannot open shared object file: No such file or directory"),
        ValueError("nvrtc: error: failed to open libnvrtc-builtins.so.12.9.\n  Make sure that it is installed correctly."),
        ImportError("libcuda.so.1: cannot open shared object file"),
        RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient for CUDA runtime version"),
        RuntimeError("CUDA_ERROR_UNSUPPORTED_PTX_VERSION: the provided PTX was compiled with an unsupported toolchain."),
    ],
    ids=lambda error: str(error)[:40],
)
def test_a_missing_library_is_said_to_be_missing(told, error):
    found, first = told(error), str(error).splitlines()[0]
    assert (found.op, found.argument) == ("softmax_forward", "device")
    assert "pip install 'rawseg[cuda12-ctk]' or 'rawseg[cuda13-ctk]'; nvidia-smi shows the driver" in str(found)
    assert str(found).endswith(f"got {type(error).__name__}: {first}")


@pytest.mark.parametrize(
    "words",
    [
        'softmax.cu(7): error: identifier "nobody" is undefined\n\n1 error detected in the compilation of "softmax.cu".',
        "CUDA_ERROR_ILLEGAL_ADDRESS: an illegal memory access was encountered",
        "[Errno 13] Permission denied: '/home/somebody/.cupy/kernel_cache'",
    ],
    ids=lambda words: words[:20],
)
def test_any_other_error_keeps_its_words(told, words):
    found = told(RuntimeError(words))
    assert str(found) == f"softmax_forward: source: expected softmax.cu to be compiled and loaded, got RuntimeError: {words}"


def test_a_capture_says_that_it_captures(told, monkeypatch):
    monkeypatch.setattr(gpu, "current", lambda: object())
    words = "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED: operation not permitted when stream is capturing"
    expected = "expected a call before the capture, which compiles and loads it"
    assert str(told(RuntimeError(words))) == f"softmax_forward: launch: {expected}, got RuntimeError: {words}"


def test_no_memory_is_no_matter_of_the_compiler(stand_in, monkeypatch):
    class Full:
        def __init__(self, **_options):
            raise stand_in.cuda.memory.OutOfMemoryError("Out of memory allocating 512 bytes")

    monkeypatch.setattr(stand_in, "RawModule", Full)
    with pytest.raises(MemoryError, match="Out of memory allocating 512 bytes"):
        launched(stand_in)


def test_what_one_cupy_has_compiled_is_not_handed_to_another(stand_in, monkeypatch):
    want, asked, before = launched(stand_in), [], stand_in.RawModule

    class Another(before):
        def get_function(self, name):
            asked.append(name)
            return super().get_function(name)

    monkeypatch.setattr(stand_in, "RawModule", Another)
    assert [launched(stand_in).tolist() for _ in range(2)] == [want.tolist()] * 2
    assert asked == ["softmax_forward"]
    monkeypatch.setattr(stand_in, "RawModule", before)
    launched(stand_in)
    assert asked == ["softmax_forward"]
