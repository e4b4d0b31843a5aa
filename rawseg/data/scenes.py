"""Scenes of real cut-outs on real photographs: animals, food and flowers with their alpha masks, one over another.

The cut-outs are stamps of Tux Paint, Debian's package ``tuxpaint-stamps-default`` (GPL-2, data that the user installs); the
backgrounds are photographs of the package ``scikit-image``. The scenes are *composed*: objects, outlines and backgrounds are
real, that they meet is not; in return every mask is exact, under occlusion too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from rawseg_kernels._arrays import integer

from ..errors import ArgumentError, DataError, IndexRangeError
from .dataset import Fixed, sample_rng
from .images import MAX_PIXELS, opened, read_image
from .instances import target_of

__all__ = ["CutOut", "Scenes", "backgrounds", "cut_outs", "scenes"]

STAMPS = Path("/usr/share/tuxpaint/stamps")
FIX = "Debian's stamps (apt install tuxpaint-stamps-default), or a folder with a folder of cut-outs (RGBA PNG) for each class"
CLASSES: Mapping[str, Sequence[str]] = {  # folders of the stamps
    "animal": ("animals/birds", "animals/fish", "animals/mammals"),
    "fruit or vegetable": ("food/fruit", "food/vegetables"),
    "flower": ("plants/flowers",),
}
PHOTOGRAPHS = ("brick.png", "coffee.png", "grass.png", "gravel.png", "hubble_deep_field.jpg", "rocket.jpg")
OPAQUE = 127  # an alpha value above it belongs to the object
COVERED = 0.05, 0.97  # a cut-out covers some of its picture, and not all of it: else it has no outline
HELD_OUT = 5  # every fifth cut-out of a class is for the test
SHORTEST_SIDE = 4  # pixels, of a cut-out in a scene


class CutOut(NamedTuple):
    """A photograph of one object without its background.

    Parameters
    ----------
    label : int
        Its class, from 1 on.
    picture : PIL image
        RGBA.
    name : str
        Its file.
    """

    label: int
    picture: Image.Image
    name: str


def cut_outs(folder: str | os.PathLike[str] | None = None) -> tuple[list[CutOut], list[str]]:
    """Return cut-outs and the names of their classes.

    Parameters
    ----------
    folder : str or path, optional
        Tux Paint's stamps, or a folder that holds a folder of RGBA PNG files for each class. Default: where Debian installs the
        stamps.

    Raises
    ------
    DataError
        If there is no such folder, or no cut-out in it.
    """
    root = STAMPS if folder is None else Path(folder)
    if not root.is_dir():
        raise DataError("cut_outs", "folder", FIX, f"no folder {root}")
    stamps = all((root / part).is_dir() for parts in CLASSES.values() for part in parts)
    if stamps:
        classes = {name: [root / part for part in parts] for name, parts in CLASSES.items()}
    else:
        classes = {path.name: [path] for path in sorted(root.iterdir()) if path.is_dir()}
    found = []
    for label, folders in enumerate(classes.values(), 1):
        for path in sorted(p for part in folders for p in part.rglob("*.png")):
            picture = None if stamps and _is_no_photograph(path.relative_to(root)) else _read(path)
            if picture is not None:
                found.append(CutOut(label, picture, path.stem))
    if not found:
        raise DataError("cut_outs", str(root), FIX, "no RGBA PNG file that is partly transparent")
    return found, list(classes)


def _is_no_photograph(stamp: Path) -> bool:
    """Tell whether a stamp is drawn, or the mirror image of another: ``cartoon/duck.png``, ``duck_mirror.png``."""
    return not {"cartoon", "mirror"}.isdisjoint(stamp.with_suffix("").as_posix().replace("_", "/").split("/"))


def _read(path: Path, largest: int = 512) -> Image.Image | None:
    """Return a cut-out of at most ``largest`` pixels a side, cropped to its object; None for a picture without an outline."""
    with opened("cut_outs", path, MAX_PIXELS) as image:
        if image.mode not in ("RGBA", "LA", "PA", "P"):
            return None
        picture = image.convert("RGBA")
    alpha = picture.getchannel("A").point([255 if value > OPAQUE else 0 for value in range(256)])
    box = alpha.getbbox()
    share = np.asarray(alpha).mean() / 255
    if box is None or not COVERED[0] <= share <= COVERED[1]:
        return None
    picture = picture.crop(box)
    picture.thumbnail((largest, largest))
    return picture


def backgrounds() -> list[np.ndarray]:
    """Return photographs without objects in the foreground, float32 of shape (3, H, W).

    Raises
    ------
    DataError
        If the package scikit-image is missing.
    """
    spec = find_spec("skimage")  # finds a package's folder without running its code
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else None
    if folder is None or not folder.is_dir():
        raise DataError("backgrounds", "data", "the package scikit-image: pip install 'rawseg[demo]'", "no such package")
    return [read_image(folder / name, channels=3) for name in PHOTOGRAPHS]


class Scenes:
    """Photographs with one to four cut-outs on them, new ones each epoch; what lies behind another is hidden.

    Parameters
    ----------
    objects : sequence of CutOut
        To choose from; every class is as likely as any other.
    photographs : sequence of ndarray, shape (3, H, W)
        To put them on.
    count : int
        Scenes in an epoch.
    size : int
        Height and width of a scene.
    most : int
        Largest number of objects.
    seed : int
        Of the scenes that are the same each time, as a test set must be.
    scale : (float, float)
        Longer side of an object over that of the scene, from this to that.
    """

    def __init__(
        self,
        objects: Sequence[CutOut],
        photographs: Sequence[np.ndarray],
        count: int,
        size: int = 128,
        most: int = 4,
        seed: int = 0,
        scale: tuple[float, float] = (0.3, 0.6),
    ) -> None:
        self.count, self.size = integer("Scenes", "count", count, 1), integer("Scenes", "size", size, 32)
        self.most, self.seed = integer("Scenes", "most", most, 1), integer("Scenes", "seed", seed, 0)
        if len(scale) != 2 or not 0 < scale[0] <= scale[1] <= 1:
            raise ArgumentError("Scenes", "scale", "a range (low, high) in (0, 1]", scale)
        self.scale = scale
        if not objects or not photographs:
            expected, got = "at least one of each", f"{len(objects)} and {len(photographs)}"
            raise ArgumentError("Scenes", "objects, photographs", expected, got)
        self.by_class = [[o for o in objects if o.label == label] for label in sorted({o.label for o in objects})]
        self.photographs = [Image.fromarray(np.rint(255 * p.transpose(1, 2, 0)).astype(np.uint8)) for p in photographs]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, Any]]:
        """Return a scene that is always the same."""
        if not 0 <= index < self.count:
            raise IndexRangeError("Scenes", "index", f"0..{self.count - 1}", index)
        return self.sample(index, sample_rng(self.seed, 0, index))

    def sample(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, dict[str, Any]]:
        """Return an image, float32 of shape (3, size, size), and its objects as `rawseg.data.CocoInstances` gives them."""
        scene, labels, masks = self._background(rng), [], []
        for _ in range(rng.integers(1, self.most, endpoint=True)):
            kind = self.by_class[rng.integers(len(self.by_class))]
            label, picture, _ = kind[rng.integers(len(kind))]
            picture, place = self._placed(picture, rng)
            scene.paste(picture, place, picture)
            alpha = Image.new("L", scene.size)
            alpha.paste(picture.getchannel("A"), place)
            mask = np.asarray(alpha) > OPAQUE
            masks = [below & ~mask for below in masks] + [mask]
            labels.append(label)
        seen = [i for i, mask in enumerate(masks) if mask.sum() >= (self.size / 16) ** 2]  # else hidden behind others
        visible = np.stack([masks[i] for i in seen]) if seen else np.zeros((0, self.size, self.size), bool)
        image = np.asarray(scene).transpose(2, 0, 1).astype(np.float32) / np.float32(255)
        return image, target_of(np.array([labels[i] for i in seen], np.int64), visible, np.arange(len(seen)), index)

    def _background(self, rng: np.random.Generator) -> Image.Image:
        photograph = self.photographs[rng.integers(len(self.photographs))]
        side = int(rng.integers(min(self.size, *photograph.size), min(photograph.size), endpoint=True))
        left, top = (int(rng.integers(length - side + 1)) for length in photograph.size)
        return photograph.resize((self.size, self.size), box=(left, top, left + side, top + side))

    def _placed(self, picture: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, tuple[int, int]]:
        """Return a cut-out resized, mirrored and turned, and where its corner lies: at most a fifth of it is outside."""
        scale = rng.uniform(*self.scale) * self.size / max(picture.size)
        width, height = (max(SHORTEST_SIDE, round(side * scale)) for side in picture.size)
        picture = picture.resize((width, height))
        if rng.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        picture = picture.rotate(rng.uniform(-25, 25), Image.Resampling.BILINEAR, expand=True)
        places = (int(rng.integers(-(side // 5), max(1, self.size - side * 4 // 5))) for side in picture.size)
        return picture, tuple(places)  # type: ignore[return-value]


def scenes(
    train: int,
    held_out: int,
    size: int = 128,
    folder: str | os.PathLike[str] | None = None,
    most: int = 4,
    scale: tuple[float, float] = (0.3, 0.6),
) -> tuple[Scenes, Fixed, list[str]]:
    """Return scenes to train on, fixed ones of cut-outs that training never sees, and the names of the classes.

    Parameters
    ----------
    train, held_out : int
        How many scenes.
    size : int
        Height and width of a scene.
    folder : str or path, optional
        See `cut_outs`.
    most, scale
        See `Scenes`.

    Raises
    ------
    DataError
        If there are no cut-outs, or only one of a class, which cannot be in both.
    """
    objects, names = cut_outs(folder)
    by_class = [[o for o in objects if o.label == label] for label in range(1, len(names) + 1)]
    for name, kind in zip(names, by_class):
        if len(kind) < 2:
            raise DataError("scenes", name, "at least 2 cut-outs of the class, one of them for the test", len(kind))
    known = [o for kind in by_class for i, o in enumerate(kind) if i % HELD_OUT]
    new = [o for kind in by_class for i, o in enumerate(kind) if i % HELD_OUT == 0]
    photographs = backgrounds()
    kinds = {"most": most, "scale": scale}
    return (
        Scenes(known, photographs, train, size, **kinds),
        Fixed(Scenes(new, photographs, held_out, size, seed=1, **kinds)),
        names,
    )
