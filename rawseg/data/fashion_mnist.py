"""Fashion-MNIST (Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747): 70,000 grey pictures of clothes, 28 x 28, in ten classes.

It is read from the four gzip-compressed files that its authors and Debian's package ``dataset-fashion-mnist`` hand out.
"""

from __future__ import annotations

import gzip
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..labels import check_class_ids
from .arrays import Images

__all__ = ["FASHION_CLASSES", "fashion_mnist", "read_idx"]

FASHION_CLASSES = ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"]
FOLDER = Path("/usr/share/datasets/fashion-mnist")  # where Debian's package puts it
FIX = "apt-get install dataset-fashion-mnist, or a folder with train-images-idx3-ubyte.gz and the three files beside it"
MOST = 2**30  # bytes of one file, uncompressed


def fashion_mnist(folder: str | os.PathLike[str] | None = None) -> tuple[Images, Images]:
    """Return the 60,000 images to train on and the 10,000 of the test, with their labels.

    Parameters
    ----------
    folder : str or path, optional
        Holds ``{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz``; by default that of Debian's package.

    Raises
    ------
    DataError
        If a file is missing or damaged, or holds something else.
    """
    place = FOLDER if folder is None else Path(folder)
    return _part(place, "train"), _part(place, "t10k")


def _part(folder: Path, name: str) -> Images:
    images = read_idx(folder / f"{name}-images-idx3-ubyte.gz")
    labels = read_idx(folder / f"{name}-labels-idx1-ubyte.gz").astype(np.int64)
    if images.ndim != 3 or labels.shape != images.shape[:1]:
        expected = "as many images of shape (H, W) as labels"
        raise DataError("fashion_mnist", str(folder), expected, f"shapes {images.shape} and {labels.shape}")
    check_class_ids("fashion_mnist", f"{name} labels", labels, len(FASHION_CLASSES), None, DataError)
    return Images(images, labels)


def read_idx(path: str | os.PathLike[str]) -> np.ndarray:
    """Return the bytes of a gzip-compressed file in the IDX format of MNIST.

    Parameters
    ----------
    path : str or path
        The file: two zero bytes, 8 for "bytes", the number of axes, each axis's length in four bytes, the elements.

    Returns
    -------
    ndarray of uint8
        Of the shape that the file tells.

    Raises
    ------
    DataError
        If there is no such file, it is not of that format, or its length is not what it tells.
    """
    try:
        with gzip.open(path) as file:
            zeros, kind, axes = struct.unpack(">HBB", file.read(4))
            if (zeros, kind) != (0, 8) or not 1 <= axes <= 4:
                raise DataError("read_idx", str(path), "an IDX file of bytes with 1 to 4 axes", f"{(zeros, kind, axes)}")
            shape = struct.unpack(f">{axes}I", file.read(4 * axes))
            count = math.prod(shape)
            if count > MOST:
                raise DataError("read_idx", str(path), f"at most {MOST} elements", f"shape {shape}")
            data = file.read(count + 1)
    except FileNotFoundError:
        raise DataError("fashion_mnist", "data", FIX, f"no {path}") from None
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError("read_idx", str(path), "a gzip-compressed IDX file", error) from None
    if len(data) != count:
        got = f"{len(data)}" if len(data) < count else "more"
        raise DataError("read_idx", str(path), f"{count} elements for shape {shape}", got)
    return np.frombuffer(data, np.uint8).reshape(shape)
