"""The region proposal network (Ren et al. 2015, arXiv 1506.01497): where could objects be, whatever they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ... import functional as F
from ... import nn
from ...autograd import Tensor
from ...autograd.shaping import cat
from ...device import move
from ...errors import ArgumentError
from ...ops import BoxCoder
from .anchors import Anchors
from .losses import proposal_losses
from .matching import BalancedSampler, Sampler
from .selection import Selection, best_of_groups, select
from .targets import anchor_targets

__all__ = ["RPNHead", "RegionProposals"]


class RPNHead(nn.Module):
    """A 3x3 convolution, and 1x1 ones for a logit and four codes of each anchor; the same at all levels.

    Parameters
    ----------
    channels : int
        Of every level.
    anchors : int
        Around every pixel.
    """

    def __init__(self, channels: int, anchors: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()))
        self.cls_logits = nn.Conv2d(channels, anchors, 1)
        self.bbox_pred = nn.Conv2d(channels, 4 * anchors, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return logits (N, K) and codes (N, K, 4) of the anchors of all levels, in the order of `Anchors`."""
        objectness, deltas = [], []
        for x in maps:
            y = self.conv(x)
            objectness.append(_by_pixel(self.cls_logits(y), 1))
            deltas.append(_by_pixel(self.bbox_pred(y), 4))
        return cat(objectness, 1).squeeze(2), cat(deltas, 1)


def _by_pixel(x: Tensor, numbers: int) -> Tensor:
    """Return (N, h w A, numbers) of (N, A numbers, h, w)."""
    n, channels, h, w = x.shape
    anchors = channels // numbers
    apart = x.reshape(n, anchors, numbers, h, w).permute(0, 3, 4, 1, 2)  # (n, h, w, A, numbers)
    return apart.reshape(n, h * w * anchors, numbers)


class RegionProposals(nn.Module):
    """The head, its anchors, and what is made of its answers.

    Parameters
    ----------
    channels : int
        Of every level.
    anchors : Anchors
        Boxes to begin from.
    proposals : (int, int)
        How many go on in training and in evaluation: the best of every level to the suppression, and of an image after it.

    Attributes
    ----------
    sampler : Sampler
        Draws the anchors that a step learns from: 256 an image, at most half of them on objects.
    overlap : float
        Above this intersection over union the worse of two proposals of a level is suppressed.
    smallest : float
        Proposals narrower or lower than so many pixels are dropped.
    object_from, background_below : float
        Intersections over union of an anchor with an object; between them it counts nowhere.
    """

    overlap, smallest = 0.7, 1e-3
    object_from, background_below = 0.7, 0.3

    def __init__(self, channels: int, anchors: Anchors, proposals: tuple[int, int] = (2000, 1000)) -> None:
        super().__init__()
        self.head, self.anchors, self.proposals = RPNHead(channels, anchors.per_pixel), anchors, tuple(proposals)
        self.coder, self.sampler = BoxCoder((1.0, 1.0, 1.0, 1.0)), BalancedSampler(256, 0.5)
        self.sampler: Sampler

    def propose(
        self, objectness: np.ndarray, deltas: np.ndarray, anchors: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]]
    ) -> list[Selection]:
        """Return the proposals of every image, best first.

        Parameters
        ----------
        objectness : ndarray, shape (N, K)
            Logits.
        deltas : ndarray, shape (N, K, 4)
            Codes.
        anchors : sequence of ndarray
            Those of each level.
        sizes : sequence of (int, int)
            Heights and widths of the images in the batch.
        """
        check_finite(objectness=objectness, deltas=deltas)
        lengths, every = [len(level) for level in anchors], np.concatenate(anchors)
        levels = np.repeat(np.arange(len(lengths)), lengths)
        most = self.proposals[0 if self.training else 1]
        found = []
        for logits, codes, size in zip(objectness, deltas, sizes):
            candidates = best_of_groups(logits, lengths, most)
            boxes, scores = np.zeros_like(every), np.zeros_like(logits)
            boxes[candidates] = self.coder.decode_single(codes[candidates], every[candidates]).array
            scores[candidates] = F.sigmoid(Tensor(logits[candidates])).array
            limits = {"smallest": self.smallest, "overlap": self.overlap, "most": most}
            found.append(select(boxes, scores, levels, candidates, size, **limits))
        return found

    def losses(
        self,
        objectness: Tensor,
        deltas: Tensor,
        anchors: Sequence[np.ndarray],
        targets: Sequence[dict[str, np.ndarray]],
        rng: np.random.Generator,
    ) -> tuple[Tensor, Tensor]:
        """Return the losses of objectness and of boxes; ``targets`` are in pixels of the batch."""
        every = np.concatenate(anchors)
        wanted = [anchor_targets(every, t["boxes"], self.object_from, self.background_below, self.coder) for t in targets]
        drawn = [self.sampler(one.labels, rng) for one in wanted]
        positive, negative = (np.concatenate([i * len(every) + d[kind] for i, d in enumerate(drawn)]) for kind in (0, 1))
        labels, codes = (np.concatenate([one[kind] for one in wanted]) for kind in (0, 1))
        return proposal_losses(objectness.reshape(-1), deltas.reshape(-1, 4), labels, codes, positive, negative)


def check_finite(**answers: np.ndarray) -> None:
    """Raise an ArgumentError if a network answered inf or NaN, of which no boxes can be chosen."""
    for name, array in answers.items():
        if not np.isfinite(array).all():
            raise ArgumentError("mask_rcnn", name, "finite numbers (did training diverge?)", "inf or NaN")


def on_cpu(x: Tensor) -> np.ndarray:
    """Return a Tensor's array on the CPU, where boxes are chosen."""
    return move(x.array, "cpu")
