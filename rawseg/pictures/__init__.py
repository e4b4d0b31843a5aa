"""Pictures: masks over images, networks layer by layer, what a pixel sees, images in rows, confusion matrices."""

from .grids import confusion_picture, image_rows
from .ledger import ledger_picture
from .masks import overlay, overlay_sheet
from .view import influence_picture

__all__ = ["confusion_picture", "image_rows", "influence_picture", "ledger_picture", "overlay", "overlay_sheet"]
