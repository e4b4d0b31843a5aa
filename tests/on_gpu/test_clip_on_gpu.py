"""Gradients clipped on a device: the CPU's numbers, no number on the host, a few launches whatever their number."""

from __future__ import annotations

import math
import weakref

import numpy as np
import pytest
from on_gpu.pretended_cupy import ndarray

import rawseg
from rawseg.errors import ArgumentError, DataError
from rawseg.optim import clip_grad_norm_, clip_grad_value_
from rawseg_kernels._cuda.kernel import Kernel

SHAPES = [(3, 4), (), (50,), (0, 2), (4200,), (1,)]


@pytest.fixture
def no_number_on_the_host(monkeypatch):
    def refused(*_arguments):
        raise AssertionError("a number of the device was asked for, which waits for it")

    for name in ("get", "item", "tolist", "__float__", "__int__", "__bool__"):
        monkeypatch.setattr(ndarray, name, refused)


def arrays(*dtypes) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.standard_normal(shape).astype(dtypes[i % len(dtypes)]) for i, shape in enumerate(SHAPES)]


def with_gradients(given: list[np.ndarray], device: str = "cuda") -> list[rawseg.Tensor]:
    params = []
    for array in given:
        param = rawseg.Tensor(np.zeros_like(array)).to(device).requires_grad_()
        param.grad = rawseg.tensor(array).to(device)
        params.append(param)
    return params


def on_host(params: list[rawseg.Tensor]) -> list[np.ndarray]:
    return [param.grad.to("cpu").numpy() for param in params]


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize("dtypes", [(np.float32,), (np.float64,), (np.float64, np.float32)], ids=["32", "64", "both"])
@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, 0.5, math.inf])
def test_norm_and_gradients_are_the_cpus(p, dtypes):
    host, device = (with_gradients(arrays(*dtypes), where) for where in ("cpu", "cuda"))
    want, got = (clip_grad_norm_(params, 0.75, norm_type=p) for params in (host, device))
    assert (got.device, got.shape, got.dtype) == ("cuda:0", (), want.dtype)
    ulp = float(np.finfo(want.dtype).eps)
    assert got.item() == pytest.approx(want.item(), rel=max(1e-13, 2 * ulp))  # sums in float64, in another order
    for one, other in zip(on_host(device), on_host(host), strict=True):
        np.testing.assert_allclose(one, other, rtol=max(1e-13, 2 * np.finfo(one.dtype).eps), atol=0)


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize("p", [2.0, 1.0, math.inf])
def test_norms_that_are_exact_give_the_cpus_bits(p):
    whole = [np.round(array * 8) for array in arrays(np.float32)]
    host, device = (with_gradients(whole, where) for where in ("cpu", "cuda"))
    want, got = (clip_grad_norm_(params, 3.0, norm_type=p) for params in (host, device))
    assert got.item() == want.item()
    assert [one.tobytes() for one in on_host(device)] == [other.tobytes() for other in on_host(host)]


@pytest.mark.usefixtures("stand_in", "no_number_on_the_host")
@pytest.mark.parametrize("count", [1, 100])
def test_launches_do_not_grow_with_the_gradients_and_nobody_waits(launches, count):
    params = with_gradients([np.full(3, 2.0, np.float32)] * count)
    clip_grad_norm_(params, 1.0)
    assert launches == ["clip_chunks", "clip_factor", "clip_scale"]
    clip_grad_value_(params, 0.5)
    assert launches[3:] == ["clip_limit"]


@pytest.mark.usefixtures("cupy")
def test_small_gradients_are_not_touched():
    params = with_gradients([np.array([3.0, 4.0], np.float32)])
    assert clip_grad_norm_(params, 6.0).item() == 5.0
    assert on_host(params)[0].tolist() == [3.0, 4.0]


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_norm_that_is_not_finite(bad):
    given = [np.array([1.0, bad]), np.array([2.0])]
    device, host = with_gradients(given), with_gradients(given, "cpu")
    with pytest.raises(DataError, match="clip_grad_norm_: parameters: expected gradients with a finite norm, got"):
        clip_grad_norm_(device, 1.0, error_if_nonfinite=True)
    assert [one.tobytes() for one in on_host(device)] == [array.tobytes() for array in given]
    clip_grad_norm_(host, 1.0)
    clip_grad_norm_(device, 1.0)
    for one, other in zip(on_host(device), on_host(host), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize("limit", [1.0, 0.3, 0.0])
def test_values_are_cut_and_nan_stays(limit):
    given = [*arrays(np.float32, np.float64), np.array([-3.0, 0.5, np.nan, np.inf, -np.inf], np.float32)]
    device, host = with_gradients(given), with_gradients(given, "cpu")
    clip_grad_value_(device, limit)
    clip_grad_value_(host, limit)
    for one, other in zip(on_host(device), on_host(host), strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("cupy")
def test_gradients_with_strides_and_shared_ones(launches):
    """A shared gradient is scaled as often as it is there, as on the CPU, and not by threads that meet in it."""

    def odd(device: str) -> list[rawseg.Tensor]:
        params = with_gradients(arrays(np.float32), device)
        params[0].grad = params[0].grad.T
        params += with_gradients([np.arange(10, dtype=np.float32)], device)
        params[-1].grad.array = params[-1].grad.array[::2]
        params[1].grad = params[5].grad = params[1].grad.reshape(1)
        return params

    for change in (lambda params: clip_grad_norm_(params, 0.5), lambda params: clip_grad_value_(params, 0.2)):
        host, device = odd("cpu"), odd("cuda")
        change(host)
        change(device)
        assert not device[0].grad.array.flags.c_contiguous
        for one, other in zip(on_host(device), on_host(host), strict=True):
            np.testing.assert_allclose(one, other, rtol=3e-7, atol=0)
    assert launches == ["clip_chunks", "clip_factor"]


def test_copies_of_gradients_with_strides_live_until_they_are_read(stand_in, monkeypatch):
    copies, launch, seen = [], Kernel.launch, []

    def copied(array):
        copy = ndarray(np.ascontiguousarray(array.get()))
        copies.append(weakref.ref(copy))
        return copy

    def watched(self, *arguments, **options):
        if self.name == "clip_chunks":
            seen.append([copy() is not None for copy in copies])
        launch(self, *arguments, **options)

    params = with_gradients([np.ones((3, 4))] * 2)
    params[0].grad = params[0].grad.T
    monkeypatch.setattr(stand_in, "ascontiguousarray", copied)
    monkeypatch.setattr(Kernel, "launch", watched)
    assert clip_grad_norm_(params, 1.0, norm_type=1).item() == 24
    assert seen == [[True, True]]


@pytest.mark.usefixtures("cupy")
def test_gradients_on_both_devices_have_one_norm():
    params = [*with_gradients([np.array([3.0])], "cpu"), *with_gradients([np.array([4.0])])]
    assert clip_grad_norm_(params, 2.5).item() == 5.0
    assert [array.tolist() for array in on_host(params)] == [[3 * (2.5 / (5 + 1e-6))], [4 * (2.5 / (5 + 1e-6))]]
    clip_grad_value_(params, 0.5)
    assert [array.tolist() for array in on_host(params)] == [[0.5], [0.5]]


@pytest.mark.usefixtures("cupy")
def test_empty_gradients_have_no_norm():
    params = with_gradients([np.zeros((0, 2)), np.zeros(0)])
    for p in (1.0, 2.0, math.inf):
        assert clip_grad_norm_(params, 1.0, norm_type=p).item() == 0
    clip_grad_value_(params, 1.0)


@pytest.mark.usefixtures("cupy")
def test_clipping_counts_as_a_change_in_place_and_checks_its_arguments():
    params = with_gradients([np.array([3.0, 4.0])])
    version = params[0].grad._version[0]
    clip_grad_norm_(params, 1.0)
    clip_grad_value_(params, 0.1)
    assert params[0].grad._version[0] == version + 2
    with pytest.raises(ArgumentError, match="clip_grad_norm_: max_norm: expected a number"):
        clip_grad_norm_(params, -1.0)
    with pytest.raises(ArgumentError, match="clip_grad_value_: clip_value: expected a number"):
        clip_grad_value_(params, math.nan)
