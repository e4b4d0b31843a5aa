"""What the regions are, exactly where, and which of their pixels: the heads for boxes and for masks.

Parameters of the heads on a pyramid have torchvision's names.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ... import functional as F
from ... import nn
from ...autograd import Tensor
from ...ops import BoxCoder
from .detections import Detections, detect
from .losses import box_losses, mask_loss
from .matching import BalancedSampler, Sampler
from .regions import RegionPooling
from .rpn import check_finite
from .targets import RoITargets, mask_targets, roi_targets

__all__ = ["BoxPredictor", "MaskHead", "MaskPredictor", "RoIHeads", "StageHead", "TwoLayerHead"]


class TwoLayerHead(nn.Module):
    """Two fully connected layers (arXiv 1612.03144, section 5.2).

    Parameters
    ----------
    features : int
        Numbers of a region.
    hidden : int
        Numbers after each layer.
    """

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.fc6 = nn.Linear(features, hidden)
        self.fc7 = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.fc7(F.relu(self.fc6(x.reshape(x.shape[0], self.fc6.in_features)))))


class StageHead(nn.Module):
    """The last stage of a classification network on every region, and the mean of its map (arXiv 1703.06870, figure 4, left).

    Parameters
    ----------
    stage : Module
        Halves the region; the mask head is the same stage, with the same weights.
    """

    def __init__(self, stage: nn.Module) -> None:
        super().__init__()
        self.stage = stage

    def forward(self, x: Tensor) -> Tensor:
        y = self.stage(x)
        return F.adaptive_avg_pool2d(y, 1).reshape(y.shape[:2])


class BoxPredictor(nn.Module):
    """Logits of every class, and four codes for each.

    Parameters
    ----------
    features : int
        Numbers of a region.
    classes : int
        The background among them.
    """

    def __init__(self, features: int, classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(features, classes)
        self.bbox_pred = nn.Linear(features, 4 * classes)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.cls_score(x), self.bbox_pred(x)


class MaskHead(nn.Sequential):
    """3x3 convolutions with ReLU, which keep the size (arXiv 1703.06870, figure 4, right).

    Parameters
    ----------
    in_channels, channels : int
        Before the first, and after each.
    layers : int
        How many.
    """

    def __init__(self, in_channels: int, channels: int, layers: int) -> None:
        widths = [in_channels, *[channels] * layers]
        super().__init__(*(nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.ReLU()) for a, b in pairwise(widths)))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]


class MaskPredictor(nn.Module):
    """A transposed convolution to twice the size, ReLU, and a logit for every class.

    Parameters
    ----------
    in_channels, channels : int
        Before and after the transposed convolution.
    classes : int
        The background among them, which keeps its place unused.
    """

    def __init__(self, in_channels: int, channels: int, classes: int) -> None:
        super().__init__()
        self.conv5_mask = nn.ConvTranspose2d(in_channels, channels, 2, 2)
        self.mask_fcn_logits = nn.Conv2d(channels, classes, 1)
        for module in (self.conv5_mask, self.mask_fcn_logits):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        return self.mask_fcn_logits(F.relu(self.conv5_mask(x)))


class RoIHeads(nn.Module):
    """Both heads, and what is made of their answers.

    Parameters
    ----------
    box_head, mask_head : Module
        Features of regions in; numbers, and maps.
    box_predictor, mask_predictor : Module
        Their last layers.
    box_pooling, mask_pooling : RegionPooling
        Cut the regions out.
    regions : int
        How many of an image a step learns from, at most a quarter of them on objects.

    Attributes
    ----------
    sampler : Sampler
        Draws them.
    object_from : float
        From this intersection over union on a region shows the object.
    score_from, overlap, smallest, most : float, float, float, int
        See `detect`.
    """

    object_from = 0.5
    score_from, overlap, smallest, most = 0.05, 0.5, 1e-2, 100

    def __init__(
        self,
        box_pooling: RegionPooling,
        box_head: nn.Module,
        box_predictor: nn.Module,
        mask_pooling: RegionPooling,
        mask_head: nn.Module,
        mask_predictor: nn.Module,
        regions: int = 512,
    ) -> None:
        super().__init__()
        self.box_pooling, self.box_head, self.box_predictor = box_pooling, box_head, box_predictor
        self.mask_pooling, self.mask_head, self.mask_predictor = mask_pooling, mask_head, mask_predictor
        self.coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
        self.sampler: Sampler = BalancedSampler(regions, 0.25)

    def classify(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (K, classes) and codes (K, 4 * classes) of regions."""
        return self.box_predictor(self.box_head(features))

    def segment(self, features: Tensor) -> Tensor:
        """Return mask logits (K, classes, M, M) of regions."""
        return self.mask_predictor(self.mask_head(features))

    def detect(
        self, class_logits: Tensor, deltas: Tensor, proposals: Sequence[np.ndarray], sizes: Sequence[tuple[int, int]]
    ) -> list[Detections]:
        """Return the objects of every image, in pixels of the batch."""
        check_finite(class_logits=class_logits.array, box_codes=deltas.array)
        scores = F.softmax(class_logits.detach(), 1)
        boxes = self.coder.decode(deltas.detach(), [Tensor(p) for p in proposals])
        ends = np.cumsum([len(p) for p in proposals])[:-1]
        limits: dict[str, Any] = {"score_from": self.score_from, "smallest": self.smallest}
        limits |= {"overlap": self.overlap, "most": self.most}
        parts = zip(np.split(boxes.array, ends), np.split(scores.array, ends), sizes)
        return [detect(own, likely, size, **limits) for own, likely, size in parts]

    def targets(
        self, proposals: Sequence[np.ndarray], targets: Sequence[dict[str, np.ndarray]], rng: np.random.Generator
    ) -> list[RoITargets]:
        """Return the regions that a step learns from, and what they show."""
        pairs = zip(proposals, targets)
        return [roi_targets(p, t, self.object_from, self.sampler, self.coder, rng) for p, t in pairs]

    def box_losses(self, maps: Sequence[Tensor], wanted: Sequence[RoITargets]) -> tuple[Tensor, Tensor]:
        """Return the losses of classes and of boxes."""
        logits, deltas = self.classify(self.box_pooling(maps, [w.boxes for w in wanted]))
        labels, codes = (np.concatenate([getattr(w, name) for w in wanted]) for name in ("labels", "codes"))
        return box_losses(logits, deltas, labels, codes)

    def mask_loss(
        self, maps: Sequence[Tensor], wanted: Sequence[RoITargets], targets: Sequence[dict[str, np.ndarray]]
    ) -> Tensor:
        """Return the loss of the masks, which only regions with an object have."""
        shown = [np.flatnonzero(w.labels) for w in wanted]
        boxes = [w.boxes[own] for w, own in zip(wanted, shown)]
        logits = self.segment(self.mask_pooling(maps, boxes))
        labels = np.concatenate([w.labels[own] for w, own in zip(wanted, shown)])
        parts = zip(targets, boxes, wanted, shown)
        cells = [mask_targets(t["masks"], b, w.objects[own], logits.shape[-1]) for t, b, w, own in parts]
        return mask_loss(logits, labels, np.concatenate(cells))
