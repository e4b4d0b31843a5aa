"""Losses in CUDA graphs: what they check on the host is checked after the replay that met it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from on_gpu.graphed_networks import bytes_of, made, state_of

import rawseg
from rawseg import Tensor, nn
from rawseg import functional as F
from rawseg.cuda import CUDAGraph, GraphedStep, graph
from rawseg.errors import ArgumentError, IndexRangeError
from rawseg_kernels import cross_entropy

Criterion = Callable[[Tensor, Tensor], Tensor]


def probabilities(loss: Any, **options: Any) -> Criterion:
    return lambda logits, mask: loss(F.softmax(logits, 1), mask, **options)


def one_plane(loss: Any, **options: Any) -> Criterion:
    """Of the first class's logits; the mask's ids, less than 0 where it is to be ignored, become 0 and 1."""
    return lambda logits, mask: loss(logits[:, 0], (mask > 0).astype("float32"), **options)


@lru_cache
def weight() -> Tensor:
    return rawseg.tensor([0.25, 2.0]).to("cuda")


def class_weights(loss: Any, **options: Any) -> Criterion:
    return lambda logits, mask: loss(logits, mask, weight=weight(), empty="zero", **options)


def pixel_weights(logits: Tensor, mask: Tensor) -> Tensor:
    """Weights that have a gradient of their own."""
    return F.weighted_cross_entropy(logits, mask, F.sigmoid(logits[:, 1]), empty="zero")


LOSSES: dict[str, Criterion] = {
    "cross entropy": lambda logits, mask: F.cross_entropy(logits, mask, empty="zero"),
    "smoothed": class_weights(F.cross_entropy, label_smoothing=0.1),
    "of log probabilities": lambda logits, mask: F.nll_loss(F.log_softmax(logits, 1), mask, empty="zero"),
    "focal": lambda logits, mask: F.focal_loss(logits, mask, empty="zero"),
    "weighted focal": class_weights(F.focal_loss, gamma=1.5),
    "weights of pixels": pixel_weights,
    "dice": probabilities(F.dice_loss),
    "dice of what is there": probabilities(F.dice_loss, smooth=0.0, per="class", empty="zero"),
    "jaccard": probabilities(F.jaccard_loss, per="image"),
    "tversky": probabilities(F.tversky_loss, alpha=0.3, beta=0.7, reduction="sum"),
    "binary": one_plane(F.binary_cross_entropy_with_logits),
    "binary focal": one_plane(F.sigmoid_focal_loss, alpha=0.25, reduction="mean"),
    "binary of probabilities": lambda logits, mask: F.binary_cross_entropy(
        F.sigmoid(logits[:, 1]), (mask > 0).astype("float32")
    ),
}


def steps(call: Criterion, net: nn.Module, inputs: list[Tensor], masks: list[Tensor]) -> list[list[bytes]]:
    """Return losses, gradients and weights of training steps."""
    rawseg.manual_seed(1)
    update, found = rawseg.optim.Adam(net.parameters(), lr=0.1), []
    for x, mask in zip(inputs, masks, strict=True):
        update.zero_grad()
        loss = call(x, mask)
        update.step()
        found.append(bytes_of(loss, *(p.grad for p in net.parameters())) + state_of(net))
    return found


@pytest.mark.parametrize("name", LOSSES)
def test_a_step_with_its_loss_has_the_bits_of_a_call(cupy, name):
    masks = [rawseg.tensor(np.random.default_rng(i).integers(0, 2, (2, 4, 4))).to("cuda") for i in range(3)]
    masks[1][0] = -100
    masks[2] = masks[2] * 0 - 100  # nothing is kept
    net, inputs = made("a few layers")

    def eager(x: Tensor, mask: Tensor) -> Tensor:
        loss = LOSSES[name](net(x), mask)
        loss.backward()
        return loss

    wanted = steps(eager, net, inputs, masks)
    net, inputs = made("a few layers")
    assert steps(GraphedStep(net, LOSSES[name], inputs[0], masks[0], num_warmup_iters=1), net, inputs, masks) == wanted


def target_of(value: float, ids: bool) -> Tensor:
    target = rawseg.zeros(2, 4, 4, dtype="int64" if ids else "float32").to("cuda")
    target[1, 2, 3] = value
    return target


NOT_OF_2 = r"class ids 0\.\.1, got 7 at \(1, 2, 3\)"
NO_PROBABILITY = r"targets?: expected probabilities, 0 to 1, got 7.0 at \(1, 2, 3\)"
WRONG: list[tuple[Criterion, bool, type[Exception], str]] = [
    (F.cross_entropy, True, IndexRangeError, NOT_OF_2),
    (F.focal_loss, True, IndexRangeError, NOT_OF_2),
    (probabilities(F.dice_loss), True, IndexRangeError, NOT_OF_2),
    (class_weights(F.focal_loss), True, IndexRangeError, NOT_OF_2),
    (class_weights(lambda x, t, **o: F.weighted_cross_entropy(x, t, x[:, 0] * 0 + 1, **o)), True, IndexRangeError, NOT_OF_2),
    (lambda x, t: F.dice_loss(F.softmax(x, 1)[:, :1], t[:, None]), False, ArgumentError, "target: expected 0 or 1"),
    (
        lambda x, t: F.dice_loss(t[:, None] + 0 * x[:, :1], t[:, None] * 0),
        False,
        ArgumentError,
        "input: expected probabilities, 0 to 1",
    ),
    (lambda x, t: F.binary_cross_entropy_with_logits(x[:, 0], t), False, ArgumentError, NO_PROBABILITY),
    (lambda x, t: F.binary_cross_entropy(F.sigmoid(x[:, 0]), t), False, ArgumentError, NO_PROBABILITY),
    (lambda x, t: F.sigmoid_focal_loss(x[:, 0], t), False, ArgumentError, NO_PROBABILITY),
    (lambda x, t: F.weighted_cross_entropy(x, (t * 0).astype("int64"), 1 - t), False, ArgumentError, "pixel_weight: expected"),
]


@pytest.mark.parametrize(("criterion", "ids", "error", "message"), WRONG)
def test_a_wrong_value_raises_after_the_replay_that_met_it(cupy, criterion, ids, error, message):
    net, inputs = made("a few layers")
    right = target_of(0, ids)
    step = GraphedStep(net, lambda x, t: criterion(x, t).mean(), inputs[0], right, num_warmup_iters=1)
    with pytest.raises(error, match=message):
        step(inputs[0], target_of(7, ids))
    assert np.isfinite(step(inputs[0], right).item())


def test_groups_with_nothing_to_compare_raise_after_the_replay_that_met_them(cupy):
    probability, target = rawseg.zeros(2, 1, 3).to("cuda"), rawseg.ones(2, 1, 3).to("cuda")
    F.dice_loss(probability, target, smooth=0.0)
    captured = CUDAGraph()
    with graph(captured):
        loss = F.dice_loss(probability, target, smooth=0.0)
    captured.replay()
    assert loss.item() == 1
    target[1] = 0
    with pytest.raises(ArgumentError, match="target: expected a prediction or a target to compare"):
        captured.replay()


def test_a_kernel_that_a_graph_holds_does_not_read_beyond_its_classes(cupy):
    """The check comes after the replay: until then a wrong class is the first one."""
    x = cupy.asarray(np.arange(8.0, dtype=np.float32).reshape(2, 2, 2) ** 2)
    target, one = cupy.zeros((2, 2), np.int64), cupy.ones((2, 2))
    arguments = x, target, one > 0, one, one[:0, 0]
    cross_entropy.forward(*arguments)
    captured = CUDAGraph()
    with graph(captured):
        losses, _ = cross_entropy.forward(*arguments)
    captured.replay()
    wanted = losses.get()
    for wrong in (2, -1):
        target[0, 1] = wrong
        with pytest.raises(IndexRangeError, match=rf"target: expected a class in range\(2\), got {wrong} at \(0, 1\)"):
            captured.replay()
        assert losses.get().tobytes() == wanted.tobytes()
