"""Real faces with drawn masks: 100 small portraits of Labeled Faces in the Wild, on which surgical masks are drawn at random.

The portraits (and 100 pictures that are no faces) come with the package ``scikit-image``, 25 x 25 pixels each; they are
enlarged. The masks are *synthetic*, so their outlines are known exactly: a network that finds them has learned to find such
drawings. For photographs of real masks, train on a folder of images and masks.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from rawseg_kernels._arrays import integer

from ..errors import ArgumentError, DataError, IndexRangeError
from .dataset import Sample, sample_rng

__all__ = ["MaskedFaces", "masked_faces"]

HASH = "9560ec2f5edfac01973f63a8a99d00053fecd11e21877e18038fbe500f8e872c"  # of lfw_subset.npy
FIX = "the package scikit-image: pip install 'rawseg[demo]'"
FACES, TRAINED, CHOSEN = 100, 70, 80  # pictures 0 to 99 are faces: 70 train, the next 10 choose the epoch, 20 are the test
MARGIN = 1.25  # pictures are enlarged to so many times the size of a sample, which is a random part of them
FINE = 4  # masks are drawn on a grid this many times finer, and averaged down

# The outline of a mask from the left ear over the nose to the right one and back under the chin, and its middle fold:
# (right of the face's axis, down from the bridge of the nose), in halves of the face's width and in heights of the mask.
OUTLINE = ((-1.0, 0.10), (-0.55, 0.06), (-0.22, -0.08), (0.0, -0.14), (0.22, -0.08), (0.55, 0.06), (1.0, 0.10))
OUTLINE += ((0.90, 0.62), (0.55, 0.93), (0.0, 1.06), (-0.55, 0.93), (-0.90, 0.62))
STRAPS = (((-1.0, 0.12), (-1.5, -0.18)), ((1.0, 0.12), (1.5, -0.18)), ((-0.9, 0.6), (-1.5, 0.3)), ((0.9, 0.6), (1.5, 0.3)))


class MaskedFaces:
    """Parts of pictures with masks drawn on most of them, new ones each epoch; half of the pictures are mirrored.

    Parameters
    ----------
    pictures : ndarray of float, shape (N, 25, 25)
        In [0, 1]; the first ``faces`` of them are faces.
    faces : int
        How many are; the others stay as they are.
    count : int
        Samples in an epoch; sample i is face ``i % faces``, or one of the others.
    size : int
        Height and width of a sample.
    bare : float
        Share of the faces that wear nothing.
    others : float
        Share of the samples that are no faces, if there are any such pictures.
    """

    def __init__(
        self, pictures: np.ndarray, faces: int, count: int, size: int = 64, bare: float = 0.15, others: float = 0.15
    ) -> None:
        self.count, self.size = integer("MaskedFaces", "count", count, 1), integer("MaskedFaces", "size", size, 16)
        self.faces = integer("MaskedFaces", "faces", faces, 1)
        for name, share in {"bare": bare, "others": others}.items():
            if not 0 <= share <= 1:
                raise ArgumentError("MaskedFaces", name, "a share in [0, 1]", share)
        self.bare, self.others = bare, others if len(pictures) > faces else 0.0
        self.pictures = np.stack([_enlarged(picture, round(MARGIN * size)) for picture in pictures])

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        """Return an image, float32 of shape (1, size, size), and its mask; that of seed 0 and epoch 0."""
        if not 0 <= index < self.count:
            raise IndexRangeError("MaskedFaces", "index", f"0..{self.count - 1}", index)
        return self.sample(index, sample_rng(0, 0, index))

    def sample(self, index: int, rng: np.random.Generator) -> Sample:
        """Return one picture; what is drawn on it is up to ``rng`` alone."""
        number, other = index % self.faces, rng.random() < self.others
        if other:
            number = int(rng.integers(self.faces, len(self.pictures)))
        image, mask = self.pictures[number], np.zeros(self.pictures.shape[1:], np.int64)
        if not other and rng.random() >= self.bare:
            image, mask = _dressed(image, rng)
        top, left = rng.integers(0, len(image) - self.size + 1, 2)
        part = slice(top, top + self.size), slice(left, left + self.size)
        image, mask = image[part], mask[part]
        image = image * rng.uniform(0.75, 1.25) + rng.normal(0, 0.02, image.shape)
        if rng.random() < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        return np.clip(image, 0, 1).astype(np.float32)[None], mask


def masked_faces(count: int = 640, size: int = 64) -> tuple[MaskedFaces, MaskedFaces, MaskedFaces]:
    """Return what to train on, 70 faces and 100 other pictures; 10 faces for validation; and 20 for the test, three times each.

    Parameters
    ----------
    count : int
        Samples in an epoch of training.
    size : int
        Height and width of a sample.

    Raises
    ------
    DataError
        If the package is missing, or its file is not the known one.
    """
    pictures = _read()
    train = np.concatenate([pictures[:TRAINED], pictures[FACES:]])
    validation, test = pictures[TRAINED:CHOSEN], pictures[CHOSEN:FACES]
    held_out = [MaskedFaces(faces, len(faces), 3 * len(faces), size, bare=0.0) for faces in (validation, test)]
    return MaskedFaces(train, TRAINED, count, size), held_out[0], held_out[1]


def _dressed(image: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw a shaded sheet with folds and straps on a face, turned a little; return the picture and where the sheet is."""
    from PIL import Image, ImageDraw

    size = len(image)
    unit, side = size / 64, size * FINE
    centre = 32 + rng.normal(0, 1.5)
    bridge, half, height = 34 + rng.normal(0, 1.5), 19 + rng.normal(0, 1.5), 24 + rng.normal(0, 1.5)
    angle = rng.normal(0, 0.06)
    stretch = np.array(OUTLINE) * rng.normal(1, 0.04, (len(OUTLINE), 2))

    def place(points: np.ndarray) -> list[tuple[float, float]]:
        right, down = points[:, 0] * half, points[:, 1] * height
        x = centre + right * np.cos(angle) - down * np.sin(angle)
        y = bridge + right * np.sin(angle) + down * np.cos(angle)
        return [(float(a * unit * FINE), float(b * unit * FINE)) for a, b in zip(x, y)]

    def drawn(draw_on: object) -> np.ndarray:
        canvas = Image.new("L", (side, side))
        draw_on(ImageDraw.Draw(canvas))  # type: ignore[operator]
        return np.asarray(canvas.reduce(FINE), np.float64) / 255

    sheet = drawn(lambda pen: pen.polygon(place(stretch), fill=255))
    folds = [np.array([(-0.9, y), (0.0, y - 0.04), (0.9, y)]) for y in (0.3, 0.5, 0.7)]
    lines = drawn(lambda pen: [pen.line(place(fold), fill=255, width=FINE) for fold in folds])
    straps = drawn(lambda pen: [pen.line(place(np.array(strap)), fill=255, width=FINE) for strap in STRAPS])
    tone = rng.uniform(0.15, 0.95)
    shade = np.linspace(0.06, -0.06, size)[:, None] - 0.12 * lines
    image = image * (1 - 0.8 * straps) + 0.8 * straps * tone
    return image * (1 - sheet) + sheet * np.clip(tone + shade, 0, 1), (sheet > 0.5).astype(np.int64)


def _enlarged(picture: np.ndarray, size: int) -> np.ndarray:
    from PIL import Image

    levels = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    return np.asarray(levels.resize((size, size), Image.Resampling.BICUBIC), np.float64) / 255


def _read() -> np.ndarray:
    """Return the 200 pictures, float64 of shape (200, 25, 25)."""
    spec = find_spec("skimage")  # finds a package's folder without running its code
    folders = [Path(folder) / "data" for folder in (spec.submodule_search_locations or ())] if spec else []
    path = next((folder / "lfw_subset.npy" for folder in folders if (folder / "lfw_subset.npy").is_file()), None)
    if path is None:
        raise DataError("masked_faces", "data", FIX, "no such package" if spec is None else "a scikit-image without the faces")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != HASH:
        raise DataError(
            "masked_faces", str(path), f"SHA-256 {HASH[:16]}..., the file of scikit-image 0.26", f"{digest[:16]}..."
        )
    return np.load(path, allow_pickle=False)
