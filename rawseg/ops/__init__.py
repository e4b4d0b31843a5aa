"""Operations on boxes and regions, under torchvision.ops' names, argument order and defaults."""

from ..functional.focal_loss import sigmoid_focal_loss
from .box_coder import BoxCoder
from .boxes import box_area, box_convert, clip_boxes_to_image, masks_to_boxes, remove_small_boxes
from .frozen_norm import FrozenBatchNorm2d
from .levels import roi_levels
from .mask_pasting import paste_masks
from .overlap import box_iou, generalized_box_iou
from .roi_layers import RoIAlign, RoIPool, RoIWarp
from .roi_pooling import roi_pool
from .roi_sampling import roi_align, roi_warp
from .suppression import batched_nms, nms

__all__ = [
    "BoxCoder",
    "FrozenBatchNorm2d",
    "RoIAlign",
    "RoIPool",
    "RoIWarp",
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "generalized_box_iou",
    "masks_to_boxes",
    "nms",
    "paste_masks",
    "remove_small_boxes",
    "roi_align",
    "roi_levels",
    "roi_pool",
    "roi_warp",
    "sigmoid_focal_loss",
]
