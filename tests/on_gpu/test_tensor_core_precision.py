"""Which products a GPU's tensor cores may compute: one setting, which the CPU does not know."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from convolution_cases import normals
from on_gpu.pretended_cupy import Device, ndarray

import rawseg
from rawseg_kernels import conv2d, conv_transpose2d, matmul
from rawseg_kernels._errors import ArgumentError, BackendError

PRECISIONS = {"fp32": "cuda_tiles", "3xtf32": "cuda_tiles_3xtf32", "tf32": "cuda_tiles_tf32"}
X, WEIGHT, GRAD, A, B = normals(0, (1, 4, 5, 6), (4, 4, 3, 3), (1, 4, 3, 4), (9, 11), (11, 10))
CALLS = {
    "conv2d.forward": (conv2d.forward, X, WEIGHT),
    "conv2d.backward_input": (lambda g, w, **o: conv2d.backward_input(g, w, X.shape, **o), GRAD, WEIGHT),
    "conv2d.backward_weight": (lambda g, x, **o: conv2d.backward_weight(g, x, WEIGHT.shape, **o), GRAD, X),
    "conv_transpose2d.forward": (conv_transpose2d.forward, GRAD, WEIGHT),
    "conv_transpose2d.backward_input": (lambda g, w, **o: conv_transpose2d.backward_input(g, w, GRAD.shape, **o), X, WEIGHT),
    "conv_transpose2d.backward_weight": (lambda g, x, **o: conv_transpose2d.backward_weight(g, x, WEIGHT.shape, **o), X, GRAD),
    "matmul.forward": (matmul.forward, A, B),
}
EVERY_CALL = pytest.mark.parametrize(("call", "one", "other"), CALLS.values(), ids=CALLS)


@pytest.fixture(autouse=True)
def as_before():
    yield
    rawseg.set_tensor_core_precision("fp32")
    rawseg.set_precision("fast")


def on_gpu(call, *arrays, **options) -> bytes:
    return call(*map(ndarray, arrays), **options).get().tobytes()


@pytest.mark.spec("all.tensor-cores")
@pytest.mark.gate
@EVERY_CALL
def test_auto_follows_it_on_a_gpu(stand_in, monkeypatch, call, one, other):
    named = {at: call(one, other, algorithm=name).tobytes() for at, name in PRECISIONS.items()}
    assert len(set(named.values())) == 3
    for at in PRECISIONS:
        rawseg.set_tensor_core_precision(at)
        assert rawseg.get_tensor_core_precision() == at
        assert on_gpu(call, one, other) == named[at]
    rawseg.set_precision("exact")
    assert on_gpu(call, one, other) == named["fp32"]
    rawseg.set_precision("balanced")
    assert on_gpu(call, one, other) == named["tf32"]
    monkeypatch.setattr(Device, "compute_capability", "75")  # has tensor cores, but not for TF32
    assert on_gpu(call, one, other) == named["fp32"]


@EVERY_CALL
def test_it_changes_nothing_on_the_cpu_and_in_float64(stand_in, call, one, other):
    wide = one.astype(np.float64), other.astype(np.float64)
    want, of_wide = call(one, other).tobytes(), on_gpu(call, *wide)
    for at, name in PRECISIONS.items():
        rawseg.set_tensor_core_precision(at)
        assert call(one, other).tobytes() == want
        assert on_gpu(call, *wide) == of_wide == call(*wide, algorithm=name).tobytes()


@EVERY_CALL
def test_a_gpu_without_them_refuses_the_algorithm(stand_in, monkeypatch, call, one, other):
    monkeypatch.setattr(Device, "compute_capability", "75")
    message = "algorithm: expected a GPU of compute capability 8.0 or higher for 'cuda_tiles_tf32', got 7.5 of cuda:0"
    with pytest.raises(BackendError, match=message) as found:
        on_gpu(call, one, other, algorithm="cuda_tiles_tf32")
    op = next(name for name, given in CALLS.items() if given[0] is call).partition(".")[0]
    assert str(found.value).startswith(f"{op}: ")
    monkeypatch.setattr(Device, "compute_capability", "120")
    assert on_gpu(call, one, other, algorithm="cuda_tiles_tf32") == call(one, other, algorithm="cuda_tiles_tf32").tobytes()


def test_depthwise_sums_are_no_matrix_products(stand_in):
    x, weight = normals(1, (1, 4, 5, 6), (4, 1, 3, 3))
    want = conv2d.forward(x, weight, groups=4, algorithm="cuda_depthwise").tobytes()
    rawseg.set_tensor_core_precision("tf32")
    assert on_gpu(conv2d.forward, x, weight, groups=4) == want


@pytest.mark.parametrize("wrong", ["TF32", "", None, 3, ["tf32"]])
def test_what_is_no_precision_is_refused(wrong):
    message = r"set_tensor_core_precision: precision: expected one of \('fp32', '3xtf32', 'tf32'\), got "
    with pytest.raises(ArgumentError, match=message):
        rawseg.set_tensor_core_precision(wrong)
    assert rawseg.get_tensor_core_precision() == "fp32"


def test_the_environment_sets_it_from_the_start():
    def said(value: str) -> subprocess.CompletedProcess:
        environment = {**os.environ, "RAWSEG_TENSOR_CORES": value, "PYTHONPATH": os.pathsep.join(sys.path)}
        code = "from rawseg_kernels._tensor_cores import get_tensor_core_precision as get; print(get())"
        return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert [said(value).stdout for value in ("", "3xtf32")] == ["fp32\n", "3xtf32\n"]
    assert "RAWSEG_TENSOR_CORES: expected one of ('fp32', '3xtf32', 'tf32'), got 'fast'" in said("fast").stderr


def test_the_driver_is_not_asked_by_who_lets_no_tensor_core_in(stand_in, monkeypatch):
    asked: list[int] = []
    monkeypatch.setattr(Device, "compute_capability", property(lambda device: asked.append(device.id) or "90"))
    want = on_gpu(matmul.forward, A, B)
    rawseg.set_tensor_core_precision("tf32")
    on_gpu(matmul.forward, A.astype(np.float64), B.astype(np.float64))
    assert not asked
    assert on_gpu(matmul.forward, A, B) != want
    assert asked == [0]
