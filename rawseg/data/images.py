"""Images and masks from files and to files: PNG, JPEG and TIFF, and nothing that is changed in silence.

A mask holds class ids, and most of what image libraries do to be helpful destroys them: a palette turned into grey
levels, 16 bits clipped to 8, four bits stretched to eight, an orientation applied to the image alone. Here the *stored*
numbers are the ids, and what has no such numbers is refused.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile, jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from ..errors import ArgumentError, DataError, DTypeError, RawsegError, ShapeError
from ..files import write_bytes_atomically

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
MAX_PIXELS = 89_478_485  # where Pillow begins to warn of a decompression bomb: 256 MiB of RGB
# The plugins are called directly: Image.open warns of bombs through the warnings filters, which threads share, and has a
# limit of its own beside ours.
PLUGINS = {
    b"\x89PNG\r\n\x1a\n": PngImageFile,
    b"\xff\xd8\xff": jpeg_factory,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
    b"II+\0": TiffImageFile,
    b"MM\0+": TiffImageFile,
}
GREY = ("1", "L", "LA")
COLOUR = ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
ORIENTATION = 0x0112  # the EXIF tag


def read_image(path: str | os.PathLike[str], channels: int | None = None, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a PNG, JPEG or TIFF file as an image.

    Parameters
    ----------
    path : str or path
        8 or 16 bits, grey, colour or palette. An EXIF orientation is applied.
    channels : {1, 3, None}
        Convert to grey (ITU-R 601 luma) or to RGB; None keeps grey as 1 channel and anything else as 3.
    max_pixels : int
        Refuse larger images from their header, before any memory is taken.

    Returns
    -------
    image : ndarray, shape (C, H, W)
        float32 in [0, 1]: 8-bit values over 255, 16-bit grey values over 65535.

    Raises
    ------
    DataError
        If the file is missing, no such image, damaged, too large, of several pages or of another depth.
    ArgumentError
        If ``channels`` is something else.

    Notes
    -----
    An alpha channel is dropped. Of colour with 16 bits a channel Pillow keeps the upper 8. Every bit of a PNG is covered
    by its checksums, which are verified; JPEG and TIFF have none, so only damage that breaks the coding is noticed there.
    """
    if channels not in (1, 3, None):
        raise ArgumentError("read_image", "channels", "1, 3 or None", repr(channels))
    with opened("read_image", path, max_pixels) as image:
        inverted = image.mode.startswith("I;16") and isinstance(image, TiffImageFile) and image.tag_v2.get(262) == 0
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode.startswith("I;16"):
            stored = np.asarray(image).astype(np.float32)  # (H, W)
            grey = (65535 - stored if inverted else stored) / 65535  # "white is zero" Pillow heeds for 8 bits only
            return np.repeat(grey[None], channels or 1, axis=0)
        if image.mode not in GREY + COLOUR:
            expected = "8 bits or unsigned 16-bit grey; scale the values to such a range and save them again"
            raise DataError("read_image", str(path), expected, f"Pillow mode {image.mode}")
        image.info.pop("transparency", None)  # else converting a palette warns of it
        grey_wanted = channels == 1 or (channels is None and image.mode in GREY)
        array = np.asarray(image.convert("L" if grey_wanted else "RGB")).astype(np.float32) / 255
    return array[None] if grey_wanted else np.ascontiguousarray(array.transpose(2, 0, 1))  # (C, H, W)


def read_mask(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Read a PNG or TIFF file as a mask of class ids: the numbers that the file stores.

    Parameters
    ----------
    path : str or path
        Grey of 1 to 32 bits, or a palette, whose indices are the ids.
    max_pixels : int
        Refuse larger masks from their header.

    Returns
    -------
    mask : ndarray of int64, shape (H, W)
        Class ids.

    Raises
    ------
    DataError
        If the file is missing, damaged or too large, or holds no ids: a JPEG (its compression changes them), a colour
        mask, floats, or an EXIF orientation, of which nobody knows whether it was meant for the mask.
    """
    with opened("read_mask", path, max_pixels) as image:
        if isinstance(image, JpegImageFile):
            expected = "a lossless PNG or TIFF file of class ids"
            raise DataError("read_mask", str(path), expected, "a JPEG, whose compression changes ids")
        if image.mode not in ("1", "L", "P", "I") and not image.mode.startswith("I;16"):
            expected = "class ids as grey levels or palette indices; map each colour to its id and save that with write_mask"
            raise DataError("read_mask", str(path), expected, f"Pillow mode {image.mode}")
        scale, inverted = _unpacking(image)
        orientation = image.getexif().get(ORIENTATION, 1)
        if 2 <= orientation <= 8:
            expected = "no EXIF orientation on a mask; turn its pixels to where they belong and save it without EXIF"
            raise DataError("read_mask", str(path), expected, f"orientation {orientation}")
        image.load()
        ids = np.asarray(image).astype(np.int64)  # (H, W)
    if inverted:
        ids = (1 if image.mode == "1" else 255) - ids
    return ids // scale


def _unpacking(image: ImageFile) -> tuple[int, bool]:
    """Return how Pillow changes grey levels of up to 8 bits when it loads them: by what factor, and whether inverted.

    Its raw modes tell, e.g. ``L;4`` stretches 0..15 to 0..255, and ``L;I`` (TIFF, "white is zero") inverts.
    """
    if image.mode not in ("1", "L"):
        return 1, False
    arguments = image.tile[0].args
    rawmode = str(arguments[0] if isinstance(arguments, tuple) else arguments)
    suffix = rawmode.partition(";")[2]
    bits = int("".join(filter(str.isdigit, suffix)) or 8)
    return 255 // (2**bits - 1) if image.mode == "L" else 1, "I" in suffix


@contextmanager
def opened(op: str, path: str | os.PathLike[str], max_pixels: int) -> Iterator[ImageFile]:
    """Open an image whose header has been checked; whatever a decoder raises in the block becomes a DataError."""
    try:
        with open(path, "rb") as file:
            image = _identified(op, str(path), file)
            width, height = image.size
            if not 1 <= width * height <= max_pixels:
                raise DataError(op, str(path), f"1 to {max_pixels} pixels (argument max_pixels)", f"{width} x {height}")
            pages = getattr(image, "n_frames", 1)
            if pages != 1 and not isinstance(image, JpegImageFile):  # cameras put previews behind a JPEG's first image
                raise DataError(op, str(path), "one page; save each page as a file of its own", f"{pages} pages")
            yield image
    except (RawsegError, MemoryError):
        raise
    except Exception as error:  # a damaged file makes decoders raise nearly anything
        if isinstance(error, OSError) and error.strerror:  # the system's own: no such file, no permission
            raise DataError(op, str(path), "a file that can be read", error.strerror) from error
        cause = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise DataError(op, str(path), "an undamaged image file", cause) from error


def _identified(op: str, path: str, file: BinaryIO) -> ImageFile:
    head = file.read(8)
    plugin = next((plugin for signature, plugin in PLUGINS.items() if head.startswith(signature)), None)
    if plugin is None:
        raise DataError(op, path, "a PNG, JPEG or TIFF file", f"a file that begins with {head!r}")
    file.seek(0)
    if plugin is PngImageFile:  # loading alone does not look at the checksums of the pixel data
        PngImageFile(file).verify()
        file.seek(0)
    return plugin(file)


def write_mask(path: str | os.PathLike[str], mask: np.ndarray) -> None:
    """Write class ids as a grey PNG file, with 8 bits if they suffice, else with 16.

    Parameters
    ----------
    path : str or path
        Ends with ``.png``; replaced in one step.
    mask : ndarray of integers or bool, shape (H, W)
        Ids from 0 to 65535.

    Raises
    ------
    ShapeError, DTypeError
        If ``mask`` is no such array.
    DataError
        If an id does not fit into 16 bits, or the file cannot be written.
    """
    mask = np.asarray(mask)
    if mask.ndim != 2 or mask.size == 0:
        raise ShapeError("write_mask", "mask", "shape (H, W), not empty", f"shape {mask.shape}")
    if mask.dtype.kind not in "iub":
        raise DTypeError("write_mask", "mask", "integer class ids", mask.dtype)
    low, high = int(mask.min()), int(mask.max())
    if low < 0 or high > 65535:
        raise DataError("write_mask", str(path), "ids from 0 to 65535", low if low < 0 else high)
    _write_png("write_mask", path, mask.astype(np.uint8 if high < 256 else np.uint16))


def write_image(path: str | os.PathLike[str], image: np.ndarray) -> None:
    """Write an image as a PNG file with 8 bits a channel.

    Parameters
    ----------
    path : str or path
        Ends with ``.png``; replaced in one step.
    image : ndarray, shape (1 or 3, H, W)
        uint8, or floats in [0, 1], which are rounded to the nearest of 256 levels.

    Raises
    ------
    ShapeError, DTypeError
        If ``image`` is no such array.
    DataError
        If a value is outside [0, 1] or NaN, or the file cannot be written.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[0] not in (1, 3) or image.size == 0:
        raise ShapeError("write_image", "image", "shape (1 or 3, H, W), not empty", f"shape {image.shape}")
    if image.dtype.kind == "f":
        low, high = float(image.min()), float(image.max())
        if not (low >= 0 and high <= 1):  # written so that NaN is caught
            raise DataError("write_image", str(path), "values in [0, 1]", f"values from {low} to {high}")
        image = np.rint(image * 255).astype(np.uint8)
    if image.dtype != np.uint8:
        raise DTypeError("write_image", "image", "floats in [0, 1] or uint8", image.dtype)
    _write_png("write_image", path, image[0] if image.shape[0] == 1 else image.transpose(1, 2, 0))


def _write_png(op: str, path: str | os.PathLike[str], pixels: np.ndarray) -> None:
    if Path(path).suffix.lower() != ".png":
        raise DataError(op, str(path), "a name that ends with .png", f"{Path(path).suffix or 'no suffix'}")
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG")
    write_bytes_atomically(path, buffer.getvalue())
