"""Mask R-CNN beside torchvision's: lists of images, losses of their own, samplers that draw at random, and detections.

Random weights are made to work like trained ones: the norms are frozen with the statistics of a batch, so that no map fades
or grows from layer to layer, and the classes' logits are scaled, so that an image has the most detections there can be, a
hundred. Adam's rate is 0: it does all its work and changes no weight; else the random draws of each side would lead it to
weights, proposals and detections of its own, and so to other work. While they are timed the samplers do draw at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

import rawseg

from .. import models, nn
from ..models.mask_rcnn.backbone import freeze_norms
from ..models.mask_rcnn.matching import Drawn
from .subjects import Difference, Pair, Request, Subject
from .torchvision_on_cpu import torchvision

CLASSES, OBJECTS, WAVES = 91, 8, 6
# Of an image at most: proposals in training and in evaluation, regions of a training step, detections. torchvision's defaults.
LIMITS = {"proposals": (2000, 1000), "regions": 512, "detections": 100}
LOGITS = 10.0  # factor of the classes' weights: the best class of a region gets about half of the probability, not 1/91
LEVELS = {"3": "0", "6": "1", "13": "2", "18": "3"}  # of torchvision's MobileNetV2: strides 4, 8, 16 and 32
WIDTHS = [24, 32, 96, 1280]


class Detector(Subject):
    """Mask R-CNN on a feature pyramid, all stages trained.

    Parameters
    ----------
    backbone : {"resnet50", "mobilenet_v2"}
        The classification network.
    """

    size = 320
    # Twice as large as the images: 2 is a factor that torchvision, which scales boxes by a float32, has exactly.
    small: ClassVar[Request] = {"size": 128, "batch": 2, "image": 64, "proposals": (300, 100), "regions": 32, "detections": 20}
    rate = 0.0

    def __init__(self, backbone: str) -> None:
        self.backbone = backbone

    def require(self) -> None:
        """Raise `BackendError` if torchvision is missing."""
        if find_spec("torchvision") is None:
            torchvision()  # raises; a torchvision that is there is loaded by the measuring process only

    def pair(self, request: Request) -> Pair:
        """Return both networks; ``size`` is the shorter and the longer side that images are resized to."""
        from .torch_twins import load_from_rawseg

        sides = {"min_size": request["size"], "max_size": request["size"]}
        proposals, regions, detections = (request.get(name, limit) for name, limit in LIMITS.items())
        options = {"proposals": proposals, "regions": regions, **sides}
        ours = models.MaskRCNN(CLASSES, backbone=self.backbone, frozen_norm=False, **options)
        ours.roi_heads.most = detections
        _work_like_trained(ours)
        counts = {"box_batch_size_per_image": regions, "box_detections_per_img": detections}
        for mode, count in zip(("train", "test"), proposals):
            counts |= {f"rpn_pre_nms_top_n_{mode}": count, f"rpn_post_nms_top_n_{mode}": count}
        twin = torchvision().models.detection.MaskRCNN(_pyramid(self.backbone), CLASSES, **sides, **counts)
        return Pair(ours, load_from_rawseg(twin, ours))

    def data(self, request: Request, rng: np.random.Generator) -> tuple[Any, Any]:
        """Return smooth images with objects on them, of side ``image`` where a request has one, and the objects."""
        side = request.get("image", request["size"])
        scenes = [scene(side, rng) for _ in range(request["batch"])]
        return [image for image, _ in scenes], [objects for _, objects in scenes]

    def for_rawseg(self, data: tuple[Any, Any], dtype: Any) -> tuple[Any, Any]:
        """Return the data as rawseg's model takes it."""
        images, targets = data
        return [rawseg.tensor(image.astype(dtype)) for image in images], _cast(targets, dtype)

    def for_torch(self, data: tuple[Any, Any], dtype: Any, layout: Any) -> tuple[Any, Any]:
        """Return the data as the twin takes it; the batch it makes of single images is contiguous in any layout."""
        import torch

        images, targets = data
        own = [{name: torch.tensor(value) for name, value in target.items()} for target in _cast(targets, dtype)]
        return [torch.tensor(image.astype(dtype)) for image in images], own

    def loss(self, model: Any, x: Any, y: Any) -> Any:
        """Return the sum of the five losses."""
        return sum(model(x, y).values())

    def torch_loss(self, twin: Any, x: Any, y: Any) -> Any:
        """Return the same of the twin."""
        return sum(twin(x, y).values())

    def settled(self, answer: Any) -> Any:
        """Return rawseg's answer with nothing left to compute."""
        return [{name: value.array for name, value in image.items()} for image in answer]

    def draw_alike(self, pair: Pair) -> None:
        """Let both networks draw the first boxes of each kind instead of any."""
        for ours, twin in ((pair.ours.rpn, pair.twin.rpn), (pair.ours.roi_heads, pair.twin.roi_heads)):
            ours.sampler = First(ours.sampler.count, ours.sampler.positive)
            twin.fg_bg_sampler = ours.sampler.for_torch

    def other_differences(self, pair: Pair, x: Any, theirs: Any) -> Iterator[Difference]:
        """Yield the differences of all detections, relative to the largest value."""
        import torch

        pair.ours.eval()
        pair.twin.eval()
        with rawseg.no_grad(), torch.no_grad():
            found, wanted = pair.ours(x), pair.twin(theirs)
        for i, (own, other) in enumerate(zip(found, wanted)):
            for name, value in other.items():
                yield _difference(own[name].numpy(), value.numpy()), f"{name} of image {i}"


def _difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    if ours.shape != theirs.shape:
        return np.inf
    return float(np.abs(ours - theirs).max(initial=0.0) / max(np.abs(theirs).max(initial=0.0), 1e-300))


def _cast(targets: list[dict[str, np.ndarray]], dtype: Any) -> list[dict[str, np.ndarray]]:
    return [{**target, "boxes": target["boxes"].astype(dtype)} for target in targets]


def _pyramid(backbone: str) -> Any:
    """Return torchvision's backbone with random weights, all of them trained."""
    module = torchvision()
    utils = module.models.detection.backbone_utils
    if backbone == "resnet50":
        return utils.resnet_fpn_backbone(backbone_name="resnet50", weights=None, trainable_layers=5)
    body = module.models.mobilenet_v2(norm_layer=module.ops.FrozenBatchNorm2d).features
    return utils.BackboneWithFPN(body, LEVELS, WIDTHS, 256)


def _work_like_trained(model: Any) -> None:
    """Freeze the norms with the statistics of a batch, and scale the logits of classes."""
    norms = [module for module in model.backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    rng = np.random.default_rng(2)
    images = [rawseg.tensor(scene(128, rng)[0].astype(np.float32)) for _ in range(2)]
    with rawseg.no_grad():
        model.backbone(model.transform.batch(images, np.float32, "cpu")[0])
    freeze_norms(model.backbone)
    weight = model.roi_heads.box_predictor.cls_score.weight
    weight.array = weight.array * np.float32(LOGITS)


class First:
    """A sampler that draws the first boxes of each kind, as many as the random one draws.

    Parameters
    ----------
    count, positive : int, float
        See `rawseg.models.mask_rcnn.matching.BalancedSampler`.
    """

    def __init__(self, count: int, positive: float) -> None:
        self.count, self.positive = count, positive

    def __call__(self, labels: np.ndarray, rng: Any = None) -> Drawn:
        """Return the boxes of an image."""
        objects = np.flatnonzero(labels >= 1)[: int(self.count * self.positive)]
        return Drawn(objects, np.flatnonzero(labels == 0)[: self.count - len(objects)])

    def for_torch(self, labels: list[Any]) -> tuple[list[Any], list[Any]]:
        """Return the boxes of all images as torchvision's sampler does: a mask for each image and kind."""
        import torch

        masks: tuple[list[Any], list[Any]] = ([], [])
        for own in labels:
            for kind, indices in zip(masks, self(own.numpy())):
                mask = torch.zeros(own.shape, dtype=torch.uint8)
                mask[torch.from_numpy(indices)] = 1
                kind.append(mask)
        return masks


def scene(side: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return an image (3, side, side) in [0, 1] of smooth waves with rectangles and ellipses on it, and these as a target."""
    y, x = np.mgrid[:side, :side] / side
    down, across, phase = (
        rng.uniform(-3, 3, (3, WAVES, 1, 1)),
        rng.uniform(-3, 3, (3, WAVES, 1, 1)),
        rng.uniform(0, 1, (3, WAVES)),
    )
    waves = np.cos(2 * np.pi * (down * y + across * x + phase[..., None, None])).sum(1)
    image = (waves + WAVES) / (2 * WAVES)
    masks, boxes = np.zeros((OBJECTS, side, side), np.uint8), np.zeros((OBJECTS, 4))
    for i in range(OBJECTS):
        height, width = rng.integers(max(1, side // 8), max(2, side // 2), 2)
        top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
        inside = np.ones((height, width), bool) if i % 2 else _ellipse(height, width)
        masks[i, top : top + height, left : left + width] = inside
        boxes[i] = left, top, left + width, top + height
        image = np.where(masks[i], 0.5 * image + 0.5 * rng.random((3, 1, 1)), image)
    return image, {"boxes": boxes, "labels": rng.integers(1, CLASSES, OBJECTS), "masks": masks}


def _ellipse(height: int, width: int) -> np.ndarray:
    y, x = ((2 * np.arange(count) + 1) / count - 1 for count in (height, width))  # of the pixels' centres
    return y[:, None] ** 2 + x**2 <= 1
