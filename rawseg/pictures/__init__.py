"""Pictures: masks and objects over images, networks layer by layer, what a pixel sees, images in rows, scores."""

from .grids import bars, confusion_picture, image_rows
from .instance_sheet import instance_sheet
from .instances import instances_overlay
from .ledger import ledger_picture
from .masks import overlay, overlay_sheet
from .view import influence_picture

__all__ = [
    "bars",
    "confusion_picture",
    "image_rows",
    "influence_picture",
    "instance_sheet",
    "instances_overlay",
    "ledger_picture",
    "overlay",
    "overlay_sheet",
]
