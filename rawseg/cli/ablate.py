"""``rawseg ablate``: the same small network trained again with one of its parts exchanged, and what that costs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Device, Out, Plain, Seed, Threads, use_threads
from .output import console

# Mask AP on COCO of the paper's ResNet-50 (He et al., arXiv 1703.06870): table 2c on C4, table 2d on C5.
PAPER = {
    16: {"roi_pool": 0.269, "roi_warp": 0.271, "roi_align_max": 0.302, "roi_align": 0.303},
    32: {"roi_pool": 0.236, "roi_align": 0.309},
}
LAYERS = {
    "roi_pool": "RoIPool, rounded and maximal",
    "roi_warp": "RoIWarp, rounded and bilinear",
    "roi_align_max": "RoIAlign, maximum of samples",
    "roi_align": "RoIAlign, mean of samples",
}
NECKS = {16: "c4", 32: "c5"}
# Images are enlarged, so that a nucleus has some three cells of stride 16.
NETWORK = {"min_size": 256, "max_size": 256, "anchor_sizes": (32, 48, 64, 96)}
HEADINGS = {"mask_ap": "mask AP", "mask_ap50": "AP50", "mask_ap75": "AP75", "box_ap": "box AP", "paper": "mask AP in the paper"}
COCO = "in the paper: ResNet-50 on COCO; here: a network and a data set some hundred times smaller"


class Part(StrEnum):
    """What is exchanged."""

    roi = "roi"


def ablate(
    part: Annotated[Part, typer.Argument(help="roi: how regions are cut out of the feature map.")],
    out: Out = Path("rawseg-out"),
    stride: Annotated[int, typer.Option(help="Of the feature map: 16 as in table 2c of the paper, 32 as in 2d.")] = 16,
    epochs: Annotated[int, typer.Option(help="Passes over 80 random parts of the image.", min=1)] = 5,
    layer: Annotated[list[str] | None, typer.Option(help="Only these; may be given again.")] = None,
    seed: Seed = 0,
    threads: Threads = None,
    device: Device = "cpu",
    plain: Plain = False,
) -> None:
    """Train a small Mask R-CNN on nuclei once for each way to cut out regions, all else being equal, weights and data too.

    The experiment of tables 2c and 2d of the Mask R-CNN paper, in minutes. It takes one map of a coarse stride without a
    pyramid, where rounding a region to whole cells costs most.
    """
    from ..errors import ArgumentError

    use_threads(threads)
    if stride not in NECKS:
        raise ArgumentError("ablate", "--stride", "16 or 32", stride)
    wanted = list(dict.fromkeys(LAYERS if layer is None else layer))
    for name in wanted:
        if name not in LAYERS:
            raise ArgumentError("ablate", "--layer", f"one of {tuple(LAYERS)}", repr(name))
    roi(out, stride, epochs, wanted, seed, device, plain)


def roi(out: Path, stride: int, epochs: int, wanted: list[str], seed: int, device: str, plain: bool) -> None:
    """Train with each layer, print the table, write scores and picture."""
    from ..pictures import bars
    from .demos import instance
    from .demos.request import Request, show_scores

    task, scores = instance.nuclei(), {}
    request = Request(out, None, epochs, seed, device, plain)
    folder, screen = request.folder(f"roi-stride-{stride}"), console()
    for name in wanted:
        screen.print(f"{LAYERS[name]}: {epochs} epochs of {len(task.train)} images")
        options = {**instance.MODEL, **NETWORK, "neck": NECKS[stride], "roi": name}
        trainer = instance.make_trainer(task, folder / name, epochs, request, options)
        trainer.validation = None  # nothing is chosen by it: all train equally long
        if trainer.fit(epochs).interrupted:
            raise typer.Exit(130)
        found: dict[str, Any] = instance.score(trainer.model, task)
        scores[LAYERS[name]] = {**found, "paper": PAPER[stride].get(name)}
    groups = {HEADINGS[key]: [row[key] for row in scores.values()] for key in ("mask_ap", "mask_ap50", "mask_ap75")}
    bars(groups, [label.partition(",")[0] + _kind(label) for label in scores], folder / "roi.png")
    show_scores(f"test: {len(task.test)} images, stride {stride}", scores, HEADINGS, folder, ("roi.png",))
    screen.print(COCO)


def _kind(label: str) -> str:
    return " (max)" if "maximum" in label else ""
