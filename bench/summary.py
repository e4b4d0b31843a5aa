"""The tables of the README, made from results: ``python bench/summary.py bench/results/emeraldrapids``.

Ratios are PyTorch's time divided by rawseg's: in its default layout, in channels_last, and in the faster of both with an
allocator that keeps its memory. Groups of layers are geometric means over forward and both gradients of what "auto" takes.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from rawseg.benchmark.report import ratio, tuned_ratio
from rawseg.benchmark.timing import median

COLUMNS = ("default", "channels_last", "best, tuned")
FAMILIES = ("unet", "mobilenet_v2", "mask_rcnn", "others")
MODELS = {
    "unet32": "U-Net, 32 channels, 256 x 256, batch 2",
    "unet64": "U-Net, 64 channels, 256 x 256, batch 2",
    "mobilenet_v2_b1": "MobileNetV2, 224 x 224, batch 1",
    "mobilenet_v2_b8": "MobileNetV2, 224 x 224, batch 8",
    "mobilenet_v2_b32": "MobileNetV2, 224 x 224, batch 32",
    "mask_rcnn": "Mask R-CNN on ResNet-50-FPN, 320 x 320, batch 2",
    "mask_rcnn_mobilenet_v2": "Mask R-CNN on MobileNetV2-FPN, 320 x 320, batch 2",
}


def group(row: dict[str, Any]) -> str:
    """Return the kind of layer that a row is of."""
    if row["op"] != "conv2d":
        return row["op"]
    options = row["options"]
    for word, found in (
        ("depthwise", options.get("groups", 1) == row["shape"][1] > 1),
        ("grouped", options.get("groups", 1) > 1),
        ("dilated", options.get("dilation", 1) != 1),
        ("1x1", options["kernel_size"] == 1),
        ("first layer", row["shape"][1] <= 3),
        ("stride 2", options.get("stride", 1) != 1),
    ):
        if found:
            return f"conv2d, {word}"
    return "conv2d, 3x3"


def mean(values: list[float]) -> str:
    """Return the geometric mean of the ratios that there are."""
    known = [value for value in values if not math.isnan(value)]
    return f"{math.exp(sum(map(math.log, known)) / len(known)):.2f}" if known else ""


def layers(folder: Path, threads: int) -> dict[str, list[str]]:
    """Return {kind of layer: its three means and the worst against the default}."""
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for family in FAMILIES:
        file = folder / f"{family}_layers_{threads}.json"
        for row in json.loads(file.read_text())["rows"] if file.exists() else ():
            if row["auto"] and row["ms"] and row.get("torch"):
                groups[group(row)].append(row)
    table = {}
    for name, rows in groups.items():
        sides = ("torch", "torch channels_last")
        worst = min(ratio(row, "torch") for row in rows)
        table[name] = [
            *(mean([ratio(row, s) for row in rows]) for s in sides),
            mean([tuned_ratio(row) for row in rows]),
            f"{worst:.2f}",
        ]
    return table


def model(document: dict[str, Any], mode: str) -> list[str]:
    """Return a model's milliseconds, its three ratios, and both sides' peak memory."""
    times, tuned = document["ms"][mode], document["tuned"].get(mode, {})
    ours = median(times["rawseg"])
    cells = [f"{ours:.0f}", *(f"{median(times[s]) / ours:.2f}" for s in ("torch", "torch channels_last"))]
    best = min(median(tuned[s]) for s in ("torch", "torch channels_last")) / median(tuned["rawseg"]) if tuned else math.nan
    memory = document["memory"]
    least = min(memory["torch"][mode], memory["torch channels_last"][mode])
    return [*cells, f"{best:.2f}", f"{max(0, memory['rawseg'][mode]) / 2**20:.0f}", f"{least / 2**20:.0f}"]


def main() -> None:
    folder = Path(sys.argv[1])
    for threads in (1, 2):
        print(f"\n| {threads} thread{'s' * (threads > 1)} | " + " | ".join(COLUMNS) + " | worst layer, default |")
        print("|---|---|---|---|---|")
        for name, cells in sorted(layers(folder, threads).items()):
            print(f"| {name} | " + " | ".join(cells) + " |")
        print("\n| | ms | " + " | ".join(COLUMNS) + " | peak MiB | PyTorch's |")
        print("|---|---|---|---|---|---|---|")
        for key, name in MODELS.items():
            file = folder / f"{key}_{threads}.json"
            if file.exists():
                document = json.loads(file.read_text())
                for mode in document["ms"]:
                    print(f"| {name}: {mode} | " + " | ".join(model(document, mode)) + " |")


if __name__ == "__main__":
    main()
