"""Every operation of the catalogue: derivatives of first and second order, by differences and beside PyTorch's.

All of it is in float64, whose kernels take minutes to compile: these are gates.
"""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from bounds import assert_within, unit_roundoff
from catalogue.collected import OPS, differentiable
from catalogue.entry import OpCall

import rawseg
from rawseg import functional, ops
from rawseg.testing import gradcheck, gradgradcheck
from rawseg_kernels import _threads

# No element of these small cases comes of more than a few hundred sums of a few factors, on either side.
ROUNDINGS = 1000
WITHOUT_GRADIENT = {
    "border_weights",
    "masks_to_boxes",
    "nms",
    "batched_nms",
    "one_hot",
    "paste_masks",
    "remove_small_boxes",
    "roi_levels",
}


def calls(column: str, entries: list[OpCall] = OPS) -> list:
    proves = {entry.name: pytest.mark.proves(entry.op, *column.split(", ")) for entry in entries}
    return [pytest.param(entry, id=entry.name, marks=[proves[entry.name], pytest.mark.gate]) for entry in entries]


def leaves(entry: OpCall) -> list[rawseg.Tensor]:
    return [rawseg.Tensor(array, requires_grad=flag) for array, flag in zip(entry.arrays, differentiable(entry))]


def test_names_are_one_of_a_kind():
    names = [entry.name for entry in OPS]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("module", [functional, ops], ids=["functional", "ops"])
def test_every_public_function_is_here(module):
    public = {name for name in module.__all__ if inspect.isfunction(getattr(module, name))}
    assert public - WITHOUT_GRADIENT <= {entry.op for entry in OPS}


@pytest.mark.spec("all.derivatives")
@pytest.mark.parametrize("entry", calls("first order, second order"))
def test_derivatives_equal_differences(entry):
    def squared(*inputs):  # of a linear operation the second derivative would be 0 whatever the code says
        out = entry.call(*inputs)
        return out * out

    gradcheck(entry.call, *leaves(entry))
    gradgradcheck(squared, *leaves(entry))


def derivatives(call, inputs, grad, tensor, second: bool) -> list[np.ndarray]:
    """Return the value, the gradients, and the gradients of a sum over the gradients: one code for both libraries."""
    rng = np.random.default_rng(7)
    out = call(*inputs)
    wanted = [x for x in inputs if x.requires_grad]
    seed = tensor(rng.uniform(0.5, 1.5, tuple(out.shape)))
    first = grad(out, wanted, seed, second)
    results = [out, *first]
    if second:
        # seed and values enter both, so that the second derivatives of linear operations are not 0
        total = (out * out * seed).sum()
        again = grad(total, wanted, None, True)
        mixed = sum((g * tensor(rng.uniform(0.5, 1.5, tuple(g.shape)))).sum() for g in again)
        results += grad(mixed, wanted, None, False)
    return [np.asarray(result.detach().numpy()) for result in results]


def rawseg_grad(out, wanted, seed, create_graph):
    found = rawseg.grad(out, wanted, seed, create_graph=create_graph, allow_unused=True, retain_graph=True)
    return [w.zeros_like() if g is None else g for g, w in zip(found, wanted)]


def torch_grad(out, wanted, seed, create_graph):
    found = torch.autograd.grad(out, wanted, seed, create_graph=create_graph, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(w) if g is None else g for g, w in zip(found, wanted)]


@pytest.mark.spec("all.derivatives")
@pytest.mark.parametrize("entry", calls("torch", [entry for entry in OPS if entry.torch is not None]))
def test_values_and_derivatives_equal_pytorchs(entry):
    twins = [torch.tensor(array, requires_grad=flag) for array, flag in zip(entry.arrays, differentiable(entry))]
    ours = derivatives(entry.call, leaves(entry), rawseg_grad, rawseg.Tensor, entry.torch_second)
    theirs = derivatives(entry.torch, twins, torch_grad, torch.tensor, entry.torch_second)
    for position, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        scale = max(1.0, float(np.abs(other).max(initial=0)))
        bound = ROUNDINGS * unit_roundoff(np.float64) * scale
        assert_within(one, other, np.full(one.shape, bound), f"{entry.name} {position}")


@pytest.mark.parametrize("entry", calls("determinism"))
def test_values_and_gradients_have_the_same_bits_for_any_threads(monkeypatch, entry):
    monkeypatch.setattr(_threads, "SERIAL_WORK", 0)  # threads however small the arrays
    before = [array.tobytes() for array in entry.arrays]
    results, threads = [], _threads.get_num_threads()
    try:
        for count in (1, 2, 4):
            _threads.set_num_threads(count)
            inputs = leaves(entry)
            out = entry.call(*inputs)
            wanted = [x for x in inputs if x.requires_grad]
            gradients = rawseg_grad((out * out).sum(), wanted, None, False)
            results.append([tensor.detach().numpy().tobytes() for tensor in (out, *gradients)])
    finally:
        _threads.set_num_threads(threads)
    assert results[0] == results[1] == results[2]
    assert [array.tobytes() for array in entry.arrays] == before


@pytest.mark.parametrize("entry", calls("first order"))
def test_the_gradient_is_the_same_whether_it_is_recorded_or_not(entry):
    """The quick way and the composed way, within the roundings of the composed one."""
    inputs = leaves(entry)
    out = entry.call(*inputs)
    total = (out * rawseg.Tensor(np.random.default_rng(1).uniform(-1.5, 1.5, out.shape))).sum()
    wanted = [x for x in inputs if x.requires_grad]
    for one, other in zip(rawseg_grad(total, wanted, None, True), rawseg_grad(total, wanted, None, False)):
        assert not other.requires_grad
        scale = max(1.0, float(np.abs(other.numpy()).max(initial=0)))
        assert_within(one.detach().numpy(), other.numpy(), ROUNDINGS * unit_roundoff(np.float64) * scale)
