"""All that the README says of speed, measured anew: ``python bench/publish.py bench/results`` takes some two hours.

Each step is a command that anybody may run alone; it is printed before it runs. Files are named for what they hold and for the
number of threads, and each says which machine, versions and commit it is of.
"""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LAYER = "2x64x128x128 out_channels=64 kernel_size=3 padding=1"
MODELS = {
    "unet32": ("unet", "--width", "32"),
    "unet64": ("unet", "--width", "64"),
    "mobilenet_v2_b1": ("mobilenet_v2", "--batch", "1"),
    "mobilenet_v2_b8": ("mobilenet_v2", "--batch", "8"),
    "mobilenet_v2_b32": ("mobilenet_v2", "--batch", "32"),
    "mask_rcnn": ("mask_rcnn", "--repeats", "3"),
    "mask_rcnn_mobilenet_v2": ("mask_rcnn_mobilenet_v2", "--repeats", "3"),
}
FAMILIES = ("unet", "mobilenet_v2", "mask_rcnn", "others")


def commands(folder: Path) -> Iterator[list[str]]:
    """Yield the arguments of every run."""
    for threads in ("2", "1"):
        for family in FAMILIES:
            place = f"{folder}/{family}_layers_{threads}"
            shared = "--threads", threads, "--repeats", "5", "--seconds", "0.5", "--algorithm", "auto"
            yield ["--family", family, *shared, "--save", f"{place}.json", "--plot", place]
    for threads in ("2", "1"):
        for name, model in MODELS.items():
            repeats = () if "--repeats" in model else ("--repeats", "5")
            yield ["--model", *model, "--threads", threads, *repeats, "--save", f"{folder}/{name}_{threads}.json"]
    axes = [word for axis in ("batch", "size", "channels", "threads") for word in ("--scale", axis)]
    files = "--save", f"{folder}/growth.json", "--plot", f"{folder}/growth"
    yield ["--op", "conv2d", "--shape", LAYER, *axes, "--threads", "2", *files]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="only commands that contain this")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for command in commands(args.folder):
        line = shlex.join(["rawseg", "bench", *command])
        if args.only in line:
            print(line, flush=True)
            subprocess.run([sys.executable, "-m", "rawseg", "bench", *command], check=True)


if __name__ == "__main__":
    main()
