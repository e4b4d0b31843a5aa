"""Annotated images from the command line: a COCO file, or a folder of images and masks that number the objects."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..output import console

__all__ = ["annotated", "part_of"]


def annotated(
    command: str, path: Path, images: Path | None, channels: int, names: list[str] | None, skip_invalid: bool = False
) -> Any:
    """Return the data set.

    Parameters
    ----------
    command : str
        Whose options they are.
    path : Path
        A COCO file (.json), or a folder with images/ and masks/.
    images : Path or None
        Folder of a COCO file's images; by default the file's own.
    channels : int
        1 or 3.
    names : list of str or None
        Of the classes, without the background; a COCO file brings its own, of a folder there is one, "object", unless named.
    skip_invalid : bool
        Leave out annotations of a COCO file that are not valid, and print how many.

    Returns
    -------
    CocoInstances or InstanceFolder
    """
    from ...data import CocoInstances, InstanceFolder
    from ...errors import ArgumentError

    if path.suffix.lower() == ".json":
        if names is not None:
            raise ArgumentError(command, "--class-names", "none with a COCO file, which brings them", names)
        found = CocoInstances(path, path.parent if images is None else images, channels, skip_invalid)
        if found.skipped:
            number, reason = found.skipped[0]
            console().print(f"{len(found.skipped)} annotations left out, the first is {number}: {reason}")
        return found
    if images is not None:
        raise ArgumentError(command, "--images", "none with a folder, whose images are in images/", images)
    if skip_invalid:
        raise ArgumentError(command, "--skip-invalid", "none with a folder", "given")
    return InstanceFolder(path, ["object"] if names is None else names, channels)


def part_of(truth: dict[str, Any], image_ids: Iterable[int]) -> dict[str, Any]:
    """Return the annotations of some images, with all categories."""
    wanted = set(image_ids)
    images = [image for image in truth["images"] if image["id"] in wanted]
    annotations = [annotation for annotation in truth["annotations"] if annotation["image_id"] in wanted]
    return {**truth, "images": images, "annotations": annotations}
