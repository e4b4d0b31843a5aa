"""The losses by name: what each is, in the words of rawseg.functional."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError
from rawseg.training.objectives import OBJECTIVES, objective


def case():
    rng = np.random.default_rng(0)
    logits = rawseg.tensor(rng.standard_normal((2, 3, 12, 10)), requires_grad=True)
    masks = rawseg.tensor(rng.integers(0, 3, (2, 12, 10)))
    return logits, masks


def test_names_mean_what_functional_computes():
    logits, masks = case()
    p = F.softmax(logits, 1)
    assert objective("cross_entropy")(logits, masks).item() == F.cross_entropy(logits, masks).item()
    assert objective("dice")(logits, masks).item() == F.dice_loss(p, masks).item()
    assert objective("jaccard")(logits, masks).item() == F.jaccard_loss(p, masks).item()
    both = F.cross_entropy(logits, masks) + F.dice_loss(p, masks)
    assert objective("cross_entropy+dice")(logits, masks).item() == both.item()


@pytest.mark.parametrize("name", sorted(OBJECTIVES))
def test_ignored_pixels_have_no_gradient(name):
    logits, masks = case()
    marked = masks.numpy().copy()
    marked[:, :4] = 7
    if name == "bce-log_dice":  # of two classes
        logits, marked = rawseg.tensor(logits.numpy()[:, :2], requires_grad=True), np.where(marked == 2, 0, marked)
    objective(name, ignore_index=7)(logits, rawseg.tensor(marked)).backward()
    assert np.abs(logits.grad.numpy()[:, :, :4]).max() == 0
    assert np.abs(logits.grad.numpy()[:, :, 4:]).max() > 0


def test_the_border_loss_weighs_the_gap_between_two_objects():
    mask = np.zeros((1, 20, 20), np.int64)
    mask[0, 5:15, 3:9] = mask[0, 5:15, 11:17] = 1  # a gap of two pixels, columns 9 and 10
    logits = rawseg.zeros(1, 2, 20, 20, requires_grad=True)
    objective("border")(logits, rawseg.tensor(mask)).backward()
    push = np.abs(logits.grad.numpy()[0, 0])
    assert push[10, 9] > 5 * push[0, 0]
    assert push[10, 9] > push[10, 5]  # though the rarer class weighs more


def test_class_weights_reach_the_cross_entropy():
    logits, masks = case()
    weights = [1.0, 5.0, 0.5]
    single = rawseg.tensor(logits.numpy().astype(np.float32))
    got = objective("cross_entropy", class_weights=weights)(single, masks).item()
    assert got == F.cross_entropy(single, masks, weight=np.array(weights, np.float32)).item()


@pytest.mark.parametrize("channels", [1, 2])
def test_the_mask_loss_is_the_entropy_minus_the_logarithm_of_the_batchs_overlap(channels):
    rng = np.random.default_rng(3)
    logits, masks = rng.standard_normal((2, channels, 5, 4)), rng.integers(0, 2, (2, 5, 4))
    masks[0, 0] = -100  # not counted
    x = logits[:, 0] if channels == 1 else logits[:, 1] - logits[:, 0]
    kept = masks >= 0
    p, g = 1 / (1 + np.exp(-x[kept])), masks[kept]
    entropy = -(g * np.log(p) + (1 - g) * np.log(1 - p)).mean()
    overlap = (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1)  # of all images together
    got = objective("bce-log_dice")(rawseg.tensor(logits), rawseg.tensor(masks)).item()
    assert got == pytest.approx(entropy - np.log(overlap), rel=1e-13)


def test_the_mask_loss_is_for_a_mask():
    with pytest.raises(ArgumentError, match=r"one for several classes .*, got 3 classes"):
        objective("bce-log_dice")(*case())


def test_unknown_names_are_refused():
    with pytest.raises(ArgumentError, match=r"train: loss: expected one of .*'border'.*, got 'hinge'"):
        objective("hinge")
