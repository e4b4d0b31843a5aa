"""The demo data: a fluorescence microscopy image of cell nuclei with 125 outlined by hand, from an installed package.

The image is from the 2018 Data Science Bowl and comes with the package ``stardist``, which is not imported: only its two
data files are read, and only if they are the ones that they should be.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..errors import DataError
from .images import read_mask

HASHES = {
    "img2d.tif": "f9ccc1571b92c861ff87e28463068b43f61bd47357ed0503f711e5cd1eb97750",
    "mask2d.tif": "59ad5e820b7982ca9d13e946fa6e7f64e2714899e00a2ae6c69aa79aad53d46f",
}
FIX = "the package stardist: pip install 'rawseg[demo]'"
TRAIN_COLUMNS = 384  # the left three quarters of 512
PERCENTILES = (1.0, 99.8)  # of the training part: mapped to 0 and 1


class Nuclei(NamedTuple):
    """An image of nuclei and what is known of it.

    Parameters
    ----------
    image : ndarray, shape (1, H, W)
        float32 in [0, 1].
    instances : ndarray of int64, shape (H, W)
        0 for background, else the number of the nucleus.
    mask : ndarray of int64, shape (H, W)
        Class ids: 0 for background, 1 for nucleus.
    """

    image: np.ndarray
    instances: np.ndarray
    mask: np.ndarray


def nuclei() -> Nuclei:
    """Return the whole image, 512 x 512.

    Raises
    ------
    DataError
        If the package is missing, or its files are not the known ones.

    Notes
    -----
    The brightness is normalised by percentiles of the training part alone, so that the held-out part has no influence
    on training, not even through the contrast.
    """
    counts = _read("img2d.tif").astype(np.float64)
    low, high = np.percentile(counts[:, :TRAIN_COLUMNS], PERCENTILES)
    image = np.clip((counts - low) / (high - low), 0, 1).astype(np.float32)[None]  # (1, 512, 512)
    instances = _read("mask2d.tif")
    return Nuclei(image, instances, (instances > 0).astype(np.int64))


def nuclei_split() -> tuple[Nuclei, Nuclei]:
    """Return the training part, the left 384 columns, and the held-out part, the right 128.

    A nucleus on the border between them is cut: each part has its own piece.
    """
    whole = nuclei()
    train = Nuclei(*(array[..., :TRAIN_COLUMNS].copy() for array in whole))
    held_out = Nuclei(*(array[..., TRAIN_COLUMNS:].copy() for array in whole))
    return train, held_out


def _read(name: str) -> np.ndarray:
    """Return the stored 16-bit numbers of one file as int64."""
    spec = find_spec("stardist")  # finds a package's folder without running its code
    folders = [Path(folder) / "data" / "images" for folder in (spec.submodule_search_locations or ())] if spec else []
    path = next((folder / name for folder in folders if (folder / name).is_file()), None)
    if path is None:
        raise DataError("nuclei", "data", FIX, "no such package" if spec is None else f"a stardist without {name}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != HASHES[name]:
        expected = f"SHA-256 {HASHES[name][:16]}..., the file of stardist 0.9.2 (pip install --force-reinstall stardist==0.9.2)"
        raise DataError("nuclei", str(path), expected, f"{digest[:16]}...")
    return read_mask(path)
