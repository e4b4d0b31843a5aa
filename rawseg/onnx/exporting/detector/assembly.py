"""All stages of Mask R-CNN, connected: an image in, boxes, labels, scores and masks out."""

from __future__ import annotations

from typing import Any

import numpy as np

from .... import functional as F
from ....autograd import Tensor, no_grad
from ....errors import ArgumentError, ShapeError
from ..checking import check, session
from ..counting import numbers_below
from ..description import about
from ..examples import as_inputs
from ..model_builder import OP, ModelBuilder, value_info
from ..plain import state_of
from ..settings import Settings, names_for
from .comparison import compare_detections
from .cutting import write_cutting
from .detections import write_detections
from .pasting import write_pasting
from .proposals import write_proposals
from .sections import ROWS, write_section

__all__ = ["export"]

OUTPUTS = ("boxes", "labels", "scores", "masks")
ONE_IMAGE = "a Mask R-CNN is written for one image of a fixed size"


def export(model: Any, x: Any, other_x: Any, settings: Settings) -> Any:
    """Return the checked ONNX model of a Mask R-CNN in eval mode; see `rawseg.onnx.export`."""
    image = _image(model, x, settings)
    if other_x is not None:
        raise ArgumentError(OP, "other_x", f"None: {ONE_IMAGE}", type(other_x).__name__)
    ins = names_for("input_names", settings.input_names, "image", 1)
    outs = names_for("output_names", settings.output_names, OUTPUTS, len(OUTPUTS))
    builder = ModelBuilder(settings.opset, settings.dtype, [*ins, *outs, *state_of(model)])
    names = _write(builder, model, image.numpy(), ins[0])
    for name, value in zip(outs, names):
        builder.give(name, value)
    dtype, (height, width) = builder.dtype(image.dtype), image.shape[1:]
    shapes = [["objects", 4], ["objects"], ["objects"], ["objects", 1, height, width]]
    kinds = [dtype, np.dtype(np.int64), dtype, dtype]
    described = [value_info(name, kind, shape) for name, kind, shape in zip(outs, kinds, shapes)]
    found = builder.model(model.name, [value_info(ins[0], dtype, image.shape)], described, about(model))
    check(found)
    if settings.verify:
        with no_grad():
            wanted = model([image])[0]
        run = session(found.SerializeToString())
        compare_detections(run, {ins[0]: image.numpy().astype(dtype)}, [wanted[name].numpy() for name in OUTPUTS])
    return found


def _image(model: Any, x: Any, settings: Settings) -> Tensor:
    """Return the example, one image."""
    images = as_inputs(x)
    channels = model.config["in_channels"]
    if len(images) != 1 or images[0].ndim != 3 or images[0].shape[0] != channels:
        raise ShapeError(OP, "x", f"one image of shape ({channels}, H, W)", [image.shape for image in images])
    for name in ("dynamic_batch", "dynamic_size"):
        if getattr(settings, name):
            raise ArgumentError(OP, name, f"False: {ONE_IMAGE}", True)
    return images[0]


def _write(b: ModelBuilder, model: Any, image: np.ndarray, name: str) -> list[str]:
    """Add everything; return the names of the outputs."""
    parameter, heads, original = next(model.parameters()), model.roi_heads, image.shape[1:]
    dtype = parameter.dtype
    with no_grad():
        batch, (size,) = model.transform.batch([Tensor(image)], dtype, parameter.device)
        maps = model.backbone(batch)
    objectness, deltas, *levels = _write_network(b, model, image, name)
    proposals = write_proposals(b, model, objectness, deltas, model.rpn.anchors.of(batch, maps), size)
    features = write_cutting(b, heads.box_pooling, levels, proposals, dtype, "/roi_heads/box_pooling")
    logits, codes = write_section(b, model, heads.classify, _features(maps, heads.box_pooling, dtype), [features])
    found = write_detections(b, model, logits, codes, proposals, size, dtype)
    features = write_cutting(b, heads.mask_pooling, levels, found.boxes, dtype, "/roi_heads/mask_pooling")
    masks, side = _write_masks(b, model, features, found.labels, _features(maps, heads.mask_pooling, dtype))
    down, across = (new / old for new, old in zip(original, size))
    boxes = b.node("Mul", found.boxes, b.constant([across, down, across, down], dtype))
    return [boxes, found.labels, found.scores, write_pasting(b, masks, boxes, side, original, dtype)]


def _write_network(b: ModelBuilder, model: Any, image: np.ndarray, name: str) -> list[str]:
    """Add what sees the whole image; return the names of logits (K,) and codes (K, 4) of the anchors, and of the maps."""
    parameter = next(model.parameters())

    def whole(one: Tensor) -> list[Any]:
        batch, _ = model.transform.batch([one], parameter.dtype, parameter.device)
        levels = model.backbone(batch)
        objectness, deltas = model.rpn.head(levels)
        return [objectness[0], deltas[0], *levels]

    other = np.random.default_rng(0).random(image.shape).astype(image.dtype)
    return write_section(b, model, whole, [[image], [other]], [name])


def _write_masks(b: ModelBuilder, model: Any, features: str, labels: str, examples: list) -> tuple[str, int]:
    """Add the head of masks; return the name of each object's own mask, (D, M, M) probabilities, and M."""

    def segment(own: Tensor) -> Tensor:
        return F.sigmoid(model.roi_heads.segment(own))

    (masks,) = write_section(b, model, segment, examples, [features])  # (D, classes, M, M)
    with no_grad():
        side = segment(Tensor(examples[0][0])).shape[-1]
    return _of_own_class(b, masks, labels), side


def _features(maps: list[Tensor], pooling: Any, dtype: np.dtype) -> list[list[np.ndarray]]:
    """Return features of some regions to record the heads on."""
    rng = np.random.default_rng(1)
    return [[rng.random((rows, maps[0].shape[1], pooling.size, pooling.size)).astype(dtype)] for rows in ROWS]


def _of_own_class(b: ModelBuilder, masks: str, labels: str) -> str:
    """Add the choice of each object's mask among those of all classes."""
    b.path = "/roi_heads/mask_choice"
    every = numbers_below(b, b.node("Shape", labels))
    pairs = [b.node("Reshape", name, b.ints(-1, 1)) for name in (every, labels)]
    return b.node("GatherND", masks, b.node("Concat", *pairs, axis=1))
