"""The stages of an inference, one after the other: what each reads, what it gives, and how.

The network runs over this list; whoever wants to see or to change what passes between two stages runs over it too
(``rawseg xray``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...device import move
from ...ops import paste_masks
from .rpn import on_cpu
from .transform import resized_boxes

__all__ = ["STAGES", "Stage", "run"]


class Stage(NamedTuple):
    """A step from some named values to others.

    Parameters
    ----------
    name : str
        What it is called.
    reads, gives : tuple of str
        Names of the values.
    run : callable
        ``(model, *values read) -> tuple of the values given``.
    """

    name: str
    reads: tuple[str, ...]
    gives: tuple[str, ...]
    run: Callable[..., tuple]


def run(model: Any, values: Mapping[str, Any], seen: Callable[[Stage, dict[str, Any]], None] | None = None) -> dict[str, Any]:
    """Run all stages.

    Parameters
    ----------
    model : MaskRCNN
        In eval mode.
    values : mapping
        ``images``: a list of arrays (C, H, W).
    seen : callable, optional
        Called after each stage with the stage and the values that it has given; they are let go after their last reader.

    Returns
    -------
    dict
        ``results``.
    """
    held = dict(values)
    for number, stage in enumerate(STAGES):
        given = dict(zip(stage.gives, stage.run(model, *(held[name] for name in stage.reads))))
        if seen is not None:
            seen(stage, given)
        held |= given
        wanted = {name for later in STAGES[number + 1 :] for name in later.reads} | {"results"}
        held = {name: value for name, value in held.items() if name in wanted}
    return held


def _transform(model: Any, images: list[Any]) -> tuple:
    parameter = next(model.parameters())
    batch, sizes = model.transform.batch(images, parameter.dtype, parameter.device)
    return batch, sizes, [tuple(image.shape[1:]) for image in images]


def _backbone(model: Any, batch: Tensor) -> tuple:
    return (model.backbone(batch),)


def _anchors(model: Any, batch: Tensor, maps: list[Tensor]) -> tuple:
    return (model.rpn.anchors.of(batch, maps),)


def _rpn_head(model: Any, maps: list[Tensor]) -> tuple:
    return model.rpn.head(maps)


def _proposals(model: Any, objectness: Tensor, deltas: Tensor, anchors: list, sizes: list) -> tuple:
    found = model.rpn.propose(on_cpu(objectness), on_cpu(deltas), anchors, sizes)
    return [f.boxes for f in found], [f.scores for f in found], [f.indices for f in found], [f.fates for f in found]


def _box_pooling(model: Any, maps: list[Tensor], proposals: list[np.ndarray]) -> tuple:
    pooling = model.roi_heads.box_pooling
    return pooling(maps, proposals), pooling.levels(proposals)


def _box_head(model: Any, features: Tensor) -> tuple:
    return model.roi_heads.classify(features)


def _detections(model: Any, class_logits: Tensor, box_codes: Tensor, proposals: list, sizes: list) -> tuple:
    parts = Tensor(on_cpu(class_logits)), Tensor(on_cpu(box_codes))
    found = model.roi_heads.detect(*parts, proposals, sizes)
    return tuple([d[i] for d in found] for i in range(5))


def _mask_pooling(model: Any, maps: list[Tensor], boxes: list[np.ndarray]) -> tuple:
    return (model.roi_heads.mask_pooling(maps, boxes),)


def _mask_head(model: Any, features: Tensor) -> tuple:
    return (model.roi_heads.segment(features),)


def _mask_choice(model: Any, mask_logits: Tensor, labels: list[np.ndarray]) -> tuple:
    every = np.concatenate(labels)
    own = F.sigmoid(mask_logits[np.arange(len(every)), every].unsqueeze(1))  # (D, 1, M, M)
    return (np.split(on_cpu(own), np.cumsum([len(image) for image in labels])[:-1]),)


def _pasting(model: Any, probabilities: list, boxes: list, scores: list, labels: list, sizes: list, originals: list) -> tuple:
    results = []
    for small, own, likely, classes, size, original in zip(probabilities, boxes, scores, labels, sizes, originals):
        own = resized_boxes(own, size, original)
        masks = paste_masks(small, own, original).array[:, None]  # (D, 1, H, W)
        results.append({"boxes": own, "labels": classes, "scores": likely, "masks": masks})
    device = next(model.parameters()).device
    return ([{name: Tensor(move(array, device)) for name, array in result.items()} for result in results],)


DETECTED = ("boxes", "scores", "labels", "regions", "detection_fates")
STAGES = (
    Stage("transform", ("images",), ("batch", "sizes", "original_sizes"), _transform),
    Stage("backbone", ("batch",), ("maps",), _backbone),
    Stage("anchors", ("batch", "maps"), ("anchors",), _anchors),
    Stage("rpn head", ("maps",), ("objectness", "deltas"), _rpn_head),
    Stage(
        "proposals",
        ("objectness", "deltas", "anchors", "sizes"),
        ("proposals", "proposal_scores", "proposal_anchors", "anchor_fates"),
        _proposals,
    ),
    Stage("box pooling", ("maps", "proposals"), ("box_features", "levels"), _box_pooling),
    Stage("box head", ("box_features",), ("class_logits", "box_codes"), _box_head),
    Stage("detections", ("class_logits", "box_codes", "proposals", "sizes"), DETECTED, _detections),
    Stage("mask pooling", ("maps", "boxes"), ("mask_features",), _mask_pooling),
    Stage("mask head", ("mask_features",), ("mask_logits",), _mask_head),
    Stage("mask choice", ("mask_logits", "labels"), ("mask_probabilities",), _mask_choice),
    Stage(
        "pasting",
        ("mask_probabilities", "boxes", "scores", "labels", "sizes", "original_sizes"),
        ("results",),
        _pasting,
    ),
)
