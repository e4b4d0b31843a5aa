"""``rawseg predict``: images in, masks and overlays out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ..errors import ArgumentError, DataError
from .options import TILE, Device, Out, Threads, Tile, load_network, make_folder, refuse_given, use_threads
from .output import console


def predict(
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of them (PNG, JPEG, TIFF).")],
    weights: Annotated[
        Path | None,
        typer.Option("--weights", "-w", help="Weights that `rawseg train` or `demo` wrote; or those of the --model."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A network that a package brings: selfie (a mask of persons), mobilenet_v2 (classes).")
    ] = None,
    out: Out = Path("rawseg-out/predictions"),
    tile: Tile = None,
    overlay: Annotated[bool, typer.Option(help="Also write the image with masks (and boxes) drawn over it.")] = True,
    score: Annotated[
        float | None, typer.Option(help="Least score of an object, with weights of a mask_rcnn; 0.5.", min=0, max=1)
    ] = None,
    threads: Threads = None,
    device: Device = "cpu",
) -> None:
    """Segment images of any size: STEM_mask.png holds class ids, STEM_overlay.png is to look at.

    With weights of a mask_rcnn the overlays show single objects, and detections.json holds them in COCO's form. With --model
    mobilenet_v2 the classes are printed, and classes.json holds them. Nothing is ever downloaded.
    """
    from .. import models

    use_threads(threads)
    if model is not None:
        from .pretrained.networks import of_name

        refuse_given("predict", f"none with --model {model}, which sees an image at once", {"--tile": tile, "--score": score})
        network = of_name(model, weights, device)
        found = gather(images)
        network.predict(found, make_folder(out), overlay)
        return
    if weights is None:
        raise ArgumentError("predict", "--weights", "weights of `rawseg train`, or a --model", "neither")
    found = gather(images)
    make_folder(out)
    net = load_network(weights, device)
    if isinstance(net, models.MaskRCNN):
        from .instances.predict import predict as predict_instances

        refuse_given("predict", "none with weights of a mask_rcnn, which sees an image at once", {"--tile": tile})
        predict_instances(found, net, out, overlay, 0.5 if score is None else score)
        return
    refuse_given("predict", "none but with weights of a mask_rcnn", {"--score": score})
    label_pixels(found, net, out, tile or TILE, overlay, device)


def label_pixels(found: list[Path], model: Any, out: Path, tile: int, overlay: bool, device: str) -> None:
    """Write the mask of every image, and the overlay, and print what is in it."""
    from .. import data, models
    from ..pictures import overlay as draw

    screen = console()
    for path in found:
        start = time.perf_counter()
        image = data.read_image(path, channels=model.config["in_channels"])
        mask, confidence = models.predict_tiled(model, image, tile, device)
        data.write_mask(out / f"{path.stem}_mask.png", mask)
        if overlay:
            data.write_image(out / f"{path.stem}_overlay.png", draw(image, mask).transpose(2, 0, 1))
        shares = np.bincount(mask.ravel(), minlength=max(2, model.config["classes"])) / mask.size
        names = model.class_names or [f"class {i}" for i in range(len(shares))]
        what = ", ".join(f"{name} {share:.1%}" for name, share in zip(names, shares) if share > 0)
        height, width = mask.shape
        seconds = time.perf_counter() - start
        screen.print(f"{path.name}: {width} x {height}, {what}, mean confidence {confidence.mean():.3f}, {seconds:.1f} s")
    screen.print(f"written to {out}")


def gather(paths: list[Path]) -> list[Path]:
    """Return the image files named or inside named folders; DataError for none, or for two that would write one output."""
    from ..data.images import SUFFIXES

    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
            if not inside:
                raise DataError("predict", str(path), f"a folder with images ({', '.join(SUFFIXES)})", "one without")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise DataError("predict", str(path), "an image or a folder of images", "nothing there")
    by_stem: dict[str, Path] = {}
    for path in found:
        if path.stem in by_stem:
            expected = f"a name whose outputs do not overwrite those of {by_stem[path.stem]}"
            raise DataError("predict", str(path), expected, path.stem)
        by_stem[path.stem] = path
    return found
