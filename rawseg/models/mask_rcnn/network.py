"""Mask R-CNN (He et al. 2017, arXiv 1703.06870): regions, what they show, exactly where, and which of their pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rawseg_kernels._arrays import flag, integer

from ... import nn
from ...autograd import Tensor
from ...errors import ArgumentError, ArgumentTypeError
from ...interchange.imagenet import COLOURS
from ...random import generator
from .anchors import Anchors
from .backbone import PyramidBackbone, SingleLevelBackbone, freeze_norms, freeze_stages, parts_of
from .heads import BoxPredictor, MaskHead, MaskPredictor, RoIHeads, StageHead, TwoLayerHead
from .regions import RegionPooling
from .rpn import RegionProposals, on_cpu
from .stages import run
from .targets import checked_target
from .transform import Transform

__all__ = ["MaskRCNN"]

NECKS = ("fpn", "c4", "c5")
STAGE_COUNT = 5  # of a backbone, each of half the size


class MaskRCNN(nn.Module):
    """Mask R-CNN, which finds boxes, classes and masks of single objects: images in, objects or (in training) losses out.

    Parameters
    ----------
    classes : int
        The background, class 0, among them.
    in_channels : int
        Channels of the images.
    backbone : str
        "resnet18", "resnet34", "resnet50", "resnet101" or "mobilenet_v2".
    neck : {"fpn", "c4", "c5"}
        A feature pyramid; or the map of stride 16, with the last stage as the head of every region; or that of stride 32.
    roi : {"roi_align", "roi_align_max", "roi_pool", "roi_warp"}
        How regions are cut out of the maps.
    frozen_norm : bool
        Fixed statistics in the backbone's norms, as with pretrained weights.
    frozen_stages : int
        How many of the backbone's five stages, from the image on, are not trained.
    width_mult : float
        Scales the backbone's channels.
    channels : int
        Of the pyramid's levels and of the masks' convolutions.
    hidden : int
        Of the boxes' two fully connected layers.
    mask_layers : int
        Convolutions of the masks' head.
    min_size, max_size : int
        The shorter side of an image becomes ``min_size`` pixels, unless the longer one would exceed ``max_size``.
    anchor_sizes : sequence of float
        One for each level of the pyramid; on a single level all of them.
    proposals : (int, int)
        How many of an image go on in training and in evaluation.
    regions : int
        How many of them a training step learns from.

    Notes
    -----
    Called with a list of images (C, H, W) in [0, 1], of any sizes. In training mode it takes ``targets`` too, a dictionary for
    each image with ``boxes`` (M, 4), ``labels`` (M,) of int64 from 1 on and ``masks`` (M, H, W), and returns a dictionary of
    losses; M may be 0. In eval mode it returns for each image ``boxes`` (D, 4), ``labels``, ``scores`` and ``masks``
    (D, 1, H, W), probabilities in the image's own pixels, best first. The rules and constants are those of torchvision's
    ``maskrcnn_resnet50_fpn``, whose state dict loads: 44,401,393 parameters with 91 classes and frozen norms. What torchvision
    draws by its global generator comes from `rawseg.manual_seed`.

    On a GPU, maps, heads, losses and gradients stay there. Boxes are matched, drawn, suppressed and pasted on the CPU, whose
    loops over a few thousand boxes are short: a training step brings there the logits and codes of the anchors, an inference
    those of the regions, too, and the masks' probabilities, each once for the whole batch. Images that are NumPy arrays go to
    the model's device, Tensors must be there (DeviceError); targets may be anywhere. The results are on the model's device.
    """

    name = "mask_rcnn"
    typical_size = (800, 1088)

    def __init__(
        self,
        classes: int = 91,
        in_channels: int = 3,
        backbone: str = "resnet50",
        neck: str = "fpn",
        roi: str = "roi_align",
        frozen_norm: bool = True,
        frozen_stages: int = 0,
        width_mult: float = 1.0,
        channels: int = 256,
        hidden: int = 1024,
        mask_layers: int = 4,
        min_size: int = 800,
        max_size: int = 1333,
        anchor_sizes: Sequence[float] = (32, 64, 128, 256, 512),
        proposals: Sequence[int] = (2000, 1000),
        regions: int = 512,
    ) -> None:
        super().__init__()
        self.config = {name: _plain(value) for name, value in locals().items() if name not in ("self", "__class__")}
        counts = self._checked()
        mean, std = COLOURS if in_channels == 3 else ((0.5,) * in_channels, (0.25,) * in_channels)
        self.transform = Transform(min_size, max_size, mean, std)
        if neck == "fpn":
            self.backbone = PyramidBackbone(backbone, in_channels, channels, width_mult)
            anchors = Anchors([(size,) for size in anchor_sizes])
            if len(anchor_sizes) != self.backbone.levels:
                raise ArgumentError(self.name, "anchor_sizes", f"{self.backbone.levels}, one a level", anchor_sizes)
        else:
            self.backbone = SingleLevelBackbone(backbone, in_channels, 16 if neck == "c4" else 32, width_mult)
            anchors = Anchors([tuple(anchor_sizes)])
        self.rpn = RegionProposals(self.backbone.out_channels, anchors, counts)
        freeze_stages(self.backbone.body, in_channels, frozen_stages)
        self.roi_heads = self._heads(classes, neck, roi, channels, hidden, mask_layers, regions)
        if frozen_norm:
            freeze_norms(self.backbone)
            freeze_norms(self.roi_heads)

    def _checked(self) -> tuple[int, int]:
        """Check the plain options; return how many proposals go on in training and in evaluation."""
        options = self.config
        if options["neck"] not in NECKS:
            raise ArgumentError(self.name, "neck", f"one of {NECKS}", repr(options["neck"]))
        least = dict.fromkeys(("in_channels", "channels", "hidden", "regions", "min_size", "max_size"), 1)
        for option, lowest in (least | {"classes": 2, "mask_layers": 0, "frozen_stages": 0}).items():
            integer(self.name, option, options[option], lowest)
        if options["frozen_stages"] > STAGE_COUNT:
            raise ArgumentError(self.name, "frozen_stages", f"at most {STAGE_COUNT}", options["frozen_stages"])
        flag(self.name, "frozen_norm", options["frozen_norm"])
        proposals = options["proposals"]
        if len(proposals) != 2:
            raise ArgumentError(self.name, "proposals", "two numbers, in training and in evaluation", tuple(proposals))
        return integer(self.name, "proposals", proposals[0], 1), integer(self.name, "proposals", proposals[1], 1)

    def _heads(self, classes, neck, roi, channels, hidden, mask_layers, regions) -> RoIHeads:
        width, strides = self.backbone.out_channels, {"fpn": (4, 8, 16, 32), "c4": (16,), "c5": (32,)}[neck]
        if neck == "c4":
            head = StageHead(self.backbone.without_last_stage())
            cut, last = RegionPooling(roi, 14, strides), self.backbone.last_channels
            boxes = cut, head, BoxPredictor(last, classes)
            return RoIHeads(*boxes, cut, head.stage, MaskPredictor(last, channels, classes), regions)
        boxes = RegionPooling(roi, 7, strides), TwoLayerHead(49 * width, hidden), BoxPredictor(hidden, classes)
        masks = MaskHead(width, channels, mask_layers), MaskPredictor(channels if mask_layers else width, channels, classes)
        return RoIHeads(*boxes, RegionPooling(roi, 14, strides), *masks, regions)

    def forward(self, images: Sequence[Any], targets: Sequence[Any] | None = None) -> Any:
        """Return the losses by name in training mode, the objects of each image in eval mode."""
        if not isinstance(images, (list, tuple)) or not images:
            raise ArgumentTypeError(self.name, "images", "a list with at least one image", type(images).__name__)
        images = [self.transform.beside(image, next(self.parameters()).device) for image in images]
        if not self.training:
            return run(self, {"images": list(images)})["results"]
        if targets is None or len(targets) != len(images):
            got = "none" if targets is None else f"{len(targets)}"
            raise ArgumentError(self.name, "targets", f"{len(images)}, one for each image, in training mode", got)
        return self.losses(images, targets)

    def backbone_parts(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield what of a classifier is in here, with what its names begin with in the classifier's own files."""
        yield from parts_of(self.backbone.body)
        if isinstance(self.roi_heads.box_head, StageHead):
            yield from parts_of(self.roi_heads.box_head.stage, after=self.backbone.body)

    def visit_layers(self, batch: Tensor) -> None:
        """Run every layer once on a batch of no images, so that `rawseg.models.summary` can count them."""
        nowhere = [np.zeros((0, 4), batch.dtype)]
        maps = self.backbone(batch)
        self.rpn.head(maps)
        self.roi_heads.classify(self.roi_heads.box_pooling(maps, nowhere))
        if isinstance(self.roi_heads.box_head, StageHead):  # the masks' head, too, so it was seen already
            width = self.roi_heads.mask_predictor.conv5_mask.in_channels
            self.roi_heads.mask_predictor(Tensor(np.zeros((0, width, 7, 7), batch.dtype)))
        else:
            self.roi_heads.segment(self.roi_heads.mask_pooling(maps, nowhere))

    def times_used(self, layer: str) -> int:
        """Return how often an inference uses a layer for an image, at most: once for each region in the heads."""
        boxes, masks = self.rpn.proposals[1], self.roi_heads.most
        if layer.startswith("roi_heads.box_head.stage"):
            return boxes + masks
        if layer.startswith("roi_heads."):
            return masks if ".mask_" in layer else boxes
        return 1

    def losses(self, images: Sequence[Any], targets: Sequence[Any]) -> dict[str, Tensor]:
        """Return what training minimises the sum of."""
        parameter, rng = next(self.parameters()), generator()
        own = [
            checked_target(target, i, tuple(image.shape[1:]), self.config["classes"], parameter.dtype)
            for i, (image, target) in enumerate(zip(images, targets))
        ]
        batch, sizes = self.transform.batch(images, parameter.dtype, parameter.device)
        own = [self.transform.target(t, tuple(image.shape[1:]), size) for t, image, size in zip(own, images, sizes)]

        maps = self.backbone(batch)
        anchors = self.rpn.anchors.of(batch, maps)
        objectness, deltas = self.rpn.head(maps)
        found = self.rpn.propose(on_cpu(objectness), on_cpu(deltas), anchors, sizes)
        loss_objectness, loss_rpn_box_reg = self.rpn.losses(objectness, deltas, anchors, own, rng)

        wanted = self.roi_heads.targets([f.boxes for f in found], own, rng)
        loss_classifier, loss_box_reg = self.roi_heads.box_losses(maps, wanted)
        loss_mask = self.roi_heads.mask_loss(maps, wanted, own)
        return {
            "loss_classifier": loss_classifier,
            "loss_box_reg": loss_box_reg,
            "loss_mask": loss_mask,
            "loss_objectness": loss_objectness,
            "loss_rpn_box_reg": loss_rpn_box_reg,
        }


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
