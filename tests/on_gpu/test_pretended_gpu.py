"""Everything above the kernels on device arrays: a pretended CuPy finds whatever mixes host and device, without a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from catalogue.collected import OPS, differentiable
from on_gpu.on_device import moved_function

import rawseg
from rawseg import Tensor, nn, optim
from rawseg import functional as F
from rawseg.autograd import grad
from rawseg.errors import DeviceError

# Results differ from the CPU's where sums have another order: in float64, that is all.
CLOSE = {"rtol": 1e-9, "atol": 1e-12}


def tensors(result: Any) -> list[Tensor]:
    return [part for part in (result if isinstance(result, tuple) else (result,)) if isinstance(part, Tensor)]


def assert_close(on_device: Tensor | None, on_host: Tensor | None) -> None:
    assert (on_device is None) == (on_host is None)
    if on_device is not None and on_host is not None:
        assert on_device.device == "cuda:0"
        np.testing.assert_allclose(on_device.to("cpu").numpy(), on_host.numpy(), **CLOSE)


def second(call: Any, arrays: list[Tensor], wanted: tuple[bool, ...]) -> tuple[list[Tensor], list[Tensor | None], list]:
    """Return outputs, gradients of their squares, and gradients of the gradients' squares."""
    outputs = tensors(call(*arrays))
    inputs = [array for array, flag in zip(arrays, wanted) if flag]
    if not inputs or not any(out.requires_grad for out in outputs):
        return outputs, [], []
    total = sum((out * out).sum() for out in outputs if out.requires_grad)
    first = grad(total, inputs, create_graph=True, allow_unused=True)  # type: ignore[arg-type]
    again = [g for g in first if g is not None and g.requires_grad]
    if not again:
        return outputs, list(first), []
    return outputs, list(first), list(grad(sum((g * g).sum() for g in again), inputs, allow_unused=True))  # type: ignore[arg-type]


@pytest.mark.gate
@pytest.mark.parametrize("entry", OPS, ids=lambda entry: entry.name)
def test_every_operation_and_its_derivatives(cupy, entry):
    wanted = differentiable(entry)
    host = [rawseg.tensor(array, requires_grad=flag) for array, flag in zip(entry.arrays, wanted)]
    device = [rawseg.tensor(array).to("cuda").requires_grad_(flag) for array, flag in zip(entry.arrays, wanted)]
    found = second(moved_function(entry.call, cupy), device, wanted)
    for got, want in zip(found, second(entry.call, host, wanted), strict=True):
        for one, other in zip(got, want, strict=True):
            assert_close(one, other)


def test_an_index_on_the_host_comes_to_the_device_and_repeated_places_add_up_in_order(cupy):
    x = rawseg.tensor(np.arange(12.0).reshape(3, 4)).to("cuda").requires_grad_()
    index = np.array([2, 0, 2])
    y = x[index, np.array([1, 1, 1])]
    (y * rawseg.tensor([1.0, 10.0, 100.0], dtype="float64").to("cuda")).sum().backward()
    assert y.to("cpu").numpy().tolist() == [9, 1, 9]
    assert x.grad is not None
    assert x.grad.to("cpu").numpy().tolist() == [[0, 10, 0, 0], [0, 0, 0, 0], [0, 101, 0, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: x + rawseg.zeros(2, 3), "add: other: expected cuda:0, the device of input, got cpu"),
        (
            lambda x: rawseg.where(rawseg.zeros(2, 3) > 0, x, x),
            "where: condition: expected cuda:0, the device of input, got cpu",
        ),
        (lambda x: F.cross_entropy(x, np.zeros(2, np.int64)), "cross_entropy: target: expected cuda:0, the device of input"),
        (lambda x: F.mse_loss(x, rawseg.zeros(2, 3)), "mse_loss: "),
        (lambda x: F.binary_cross_entropy_with_logits(x, rawseg.zeros(2, 3)), "target: expected cuda:0, the device of input"),
        (lambda x: F.linear(x, rawseg.zeros(4, 3)), "linear: weight: expected cuda:0, the device of input, got cpu"),
        (lambda x: F.cross_entropy(x, placed([0, 1]), weight=np.ones(3, np.float32)), "cross_entropy: weight: expected cuda:0"),
        (lambda x: F.nll_loss(x, placed([0, 1]), weight=np.ones(3, np.float32)), "nll_loss: weight: expected cuda:0"),
        (lambda x: F.focal_loss(x, placed([0, 1]), weight=np.ones(3, np.float32)), "focal_loss: weight: expected cuda:0"),
        (lambda x: F.mse_loss(x, x, weight=np.ones((2, 3), np.float32)), "mse_loss: weight: expected cuda:0"),
        (lambda x: F.binary_cross_entropy_with_logits(x, x, rawseg.ones(3)), "weight: expected cuda:0, the device of input"),
        (lambda x: F.binary_cross_entropy(x, x, rawseg.ones(3)), "binary_cross_entropy: weight: expected cuda:0, the device"),
        (lambda x: F.dice_loss(x, np.zeros(2, np.int64)), "dice_loss: target: expected cuda:0, the device of input, got cpu"),
        (lambda x: F.lovasz_softmax(x, np.zeros(2, np.int64)), "lovasz_softmax: target: expected cuda:0, the device of input"),
        (lambda x: F.lovasz_hinge(x, np.zeros((2, 3), np.int64)), "lovasz_hinge: target: expected cuda:0"),
    ],
)
def test_operands_on_two_devices_are_refused(cupy, call, message):
    with pytest.raises(DeviceError, match=message):
        call(rawseg.zeros(2, 3).to("cuda"))


def placed(values: Any) -> Tensor:
    return rawseg.tensor(values).to("cuda")


SEVERAL = [entry for entry in OPS if len(entry.arrays) > 1]


@pytest.mark.parametrize("entry", SEVERAL, ids=lambda entry: entry.name)
def test_any_argument_that_was_left_on_the_host_is_refused(cupy, entry):
    call = moved_function(entry.call, cupy)
    for left in range(len(entry.arrays)):
        arrays = [rawseg.tensor(array) for array in entry.arrays]
        with pytest.raises(DeviceError, match=r"expected (cpu|cuda:0).* got (cpu|cuda:0)"):
            call(*(array if i == left else array.to("cuda") for i, array in enumerate(arrays)))


def test_border_weights_are_found_on_the_cpu_wherever_the_mask_is(cupy):
    mask = np.array([[1, 0, 2]])
    for there in (cupy.asarray(mask), rawseg.tensor(mask).to("cuda")):
        assert F.border_weights(there).tobytes() == F.border_weights(mask).tobytes()


RULES = [
    lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    lambda p: optim.Adam(p, lr=0.01),
    lambda p: optim.AdamW(p, lr=0.01),
]


@pytest.mark.parametrize("rule", RULES)
def test_an_optimiser_that_has_stepped_elsewhere_is_refused_and_changes_nothing(cupy, rule):
    net = nn.Linear(3, 2)
    update = rule(net.parameters())
    net(rawseg.ones(1, 3)).sum().backward()
    update.step()
    net.to("cuda")
    before = net.weight.to("cpu").numpy().copy()
    with pytest.raises(DeviceError, match=r"\w+: \w+: expected cuda:0, the device of its parameter, got cpu"):
        update.step()
    assert (net.weight.to("cpu").numpy() == before).all()


@pytest.mark.parametrize("rule", RULES)
def test_optimisers_move_weights_as_on_the_cpu(cupy, rule):
    def trained(device: str) -> list[np.ndarray]:
        rawseg.manual_seed(0)
        net = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)).double().to(device)
        update, x = rule(net.parameters()), rawseg.randn(7, 6, dtype="float64").to(device)
        for _ in range(4):
            update.zero_grad()
            (net(x) ** 2).mean().backward()
            optim.clip_grad_norm_(net.parameters(), 0.5)
            update.step()
        return [parameter.to("cpu").numpy() for parameter in net.parameters()]

    for got, want in zip(trained("cuda"), trained("cpu"), strict=True):
        np.testing.assert_allclose(got, want, **CLOSE)
