"""Whole models, rawseg beside PyTorch, in one process at equal threads: a training step, and inference.

    python bench/model_step.py unet --width 32 --threads 1
    python bench/model_step.py mobilenet_v2 --batch 8 --threads 2 --malloc

All gradients are compared in float64 first: a wrong step is not timed. Repeats are interleaved, medians are printed; PyTorch is
timed in its default layout and in channels_last. ``--malloc`` starts the process again with an allocator that keeps its memory
(three settings of glibc), which takes page faults out of PyTorch's times; rawseg reuses memory by itself. Both sides have their
threads on CPUs of their own.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import numpy as np

import rawseg  # first: an OpenMP runtime that is told to will pin this thread to one CPU
from rawseg import functional as F
from rawseg import models, optim

TUNED = {"MALLOC_MMAP_THRESHOLD_": str(1 << 34), "MALLOC_TRIM_THRESHOLD_": str(1 << 34), "MALLOC_TOP_PAD_": str(1 << 28)}
TOLERANCE = 1e-6  # of the model's largest gradient, in float64: 1e-16 through 53 batch norms of tiny maps


def restart(environment: dict[str, str]) -> None:
    """Run this program again with settings that are read when a process starts."""
    if any(os.environ.get(name) != value for name, value in environment.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **environment})


def pair(args: argparse.Namespace) -> tuple[Any, Any, tuple[int, ...], tuple[int, ...], int]:
    """Return a model, its PyTorch twin with the same weights, the shapes of image and target, and how many classes."""
    import torch_twins

    rawseg.manual_seed(0)
    if args.model == "unet":
        ours, twin = models.unet(width=args.width), torch_twins.UNet(width=args.width)
        shape, target, classes = (args.batch, 1, args.size, args.size), (args.batch, args.size, args.size), 2
    else:
        ours, twin = models.mobilenet_v2(dropout=0.0), torch_twins.MobileNetV2(dropout=0.0)
        shape, target, classes = (args.batch, 3, args.size, args.size), (args.batch,), 1000
    return ours, torch_twins.load_from_rawseg(twin, ours), shape, target, classes


def check(args: argparse.Namespace) -> float:
    """Return the largest difference of a gradient in float64; float32 would flip a ReLU here and there, which is no error."""
    import torch

    small = argparse.Namespace(**{**vars(args), "size": 64, "batch": 2})
    ours, twin, shape, target, classes = pair(small)
    ours, twin = ours.double(), twin.double()
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(shape), rng.integers(0, classes, target)
    F.cross_entropy(ours(rawseg.tensor(x)), rawseg.tensor(y)).backward()
    torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(y)).backward()
    worst, largest = 0.0, max(float(q.grad.abs().max()) for q in twin.parameters())
    for (name, p), q in zip(ours.named_parameters(), twin.parameters()):
        difference = float(np.abs(p.grad.numpy() - q.grad.numpy()).max() / largest)
        assert difference < TOLERANCE, f"gradient of {name} differs by {difference:.1e}"
        worst = max(worst, difference)
    return worst


def rawseg_sides(model: Any, x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], None]]:
    """Return a training step and an inference."""
    optimizer, images, labels = optim.Adam(model.parameters(), 1e-4), rawseg.tensor(x), rawseg.tensor(y)

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    def infer() -> None:
        model.eval()
        with rawseg.no_grad():
            model(images)

    return {"train": train, "infer": infer}


def torch_sides(model: Any, x: np.ndarray, y: np.ndarray, layout: Any) -> dict[str, Callable[[], None]]:
    """Return the same two of PyTorch in a memory layout."""
    import torch

    model = model.to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    images, labels = torch.tensor(x).to(memory_format=layout), torch.tensor(y)

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    def infer() -> None:
        model.eval()
        with torch.no_grad():
            model(images)

    return {"train": train, "infer": infer}


def measure(sides: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Return the milliseconds of every repeat of every side, taken in turn."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for run in sides.values():
        run()  # warm-up
    for _ in range(repeats):
        for name, run in sides.items():
            start = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start))
    return times


def build(args: argparse.Namespace) -> dict[str, dict[str, Callable[[], None]]]:
    """Return {side: {mode: what to time}}, all from the same weights and data."""
    import torch

    rng = np.random.default_rng(0)
    ours, _, shape, target, classes = pair(args)
    x, y = rng.standard_normal(shape).astype(np.float32), rng.integers(0, classes, target)
    sides = {"rawseg": rawseg_sides(ours, x, y)}
    for name, layout in (("torch contiguous", torch.contiguous_format), ("torch channels_last", torch.channels_last)):
        sides[name] = torch_sides(pair(args)[1], x, y, layout)
    return sides


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=("unet", "mobilenet_v2"))
    for name, default in (("width", 32), ("size", 0), ("batch", 2), ("threads", 1), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--mode", choices=("train", "infer", "both"), default="both")
    parser.add_argument("--malloc", action="store_true", help="with an allocator that keeps its memory")
    parser.add_argument("--json", help="add the result to this file")
    args = parser.parse_args()
    args.size = args.size or {"unet": 256, "mobilenet_v2": 224}[args.model]
    return args


def main() -> None:
    args = arguments()
    cpus = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    restart({"GOMP_CPU_AFFINITY": cpus, **(TUNED if args.malloc else {})} if "GOMP_CPU_AFFINITY" not in os.environ else {})
    import torch

    rawseg.set_num_threads(args.threads)
    torch.set_num_threads(args.threads)
    print(f"{args.model}: largest difference of a gradient in float64 {check(args):.1e}")
    sides, record = build(args), {}
    for mode in ("train", "infer") if args.mode == "both" else (args.mode,):
        record[mode] = measure({name: side[mode] for name, side in sides.items()}, args.repeats)
        ours = statistics.median(record[mode]["rawseg"])
        for name, values in record[mode].items():
            median = statistics.median(values)
            print(f"{mode:5s} {name:20s} {median:8.1f} ms   min {min(values):8.1f}   time / rawseg's {median / ours:5.2f}")
    if args.json:
        save(args, record)


def save(args: argparse.Namespace, record: dict[str, Any]) -> None:
    """Add a case to a file of results, with the machine and the versions."""
    from llvmlite import binding

    versions = {package: metadata.version(package) for package in ("rawseg", "numpy", "numba", "torch")}
    machine = f"{binding.get_host_cpu_name()}, {os.cpu_count()} cores, {platform.system()}"
    case = {name: value for name, value in vars(args).items() if name not in ("json", "repeats", "mode")}
    known = []
    if os.path.exists(args.json):
        with open(args.json) as file:
            known = json.load(file)
    with open(args.json, "w") as file:
        json.dump([*known, {"case": case, "machine": machine, "versions": versions, "ms": record}], file, indent=1)


if __name__ == "__main__":
    main()
