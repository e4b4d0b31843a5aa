"""One U-Net training step, rawseg beside PyTorch, in one process at equal threads.

    python bench/unet_step.py --width 32 --size 256 --batch 2 --threads 1

The losses and every gradient are compared first: a wrong step is not timed. Repeats are interleaved and medians are printed.
PyTorch is timed in its default layout and in channels_last.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from importlib import metadata

import numpy as np
import torch
import torch_twins
from llvmlite import binding

import rawseg
from rawseg import functional as F
from rawseg import models, optim


def rawseg_step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def torch_step(model, optimizer, x, y):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def build(args):
    """Return {name: a function that makes one step}, all from the same weights and data."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((args.batch, 1, args.size, args.size)).astype(np.float32)
    y = rng.integers(0, 2, (args.batch, args.size, args.size))
    rawseg.manual_seed(0)
    ours = models.unet(width=args.width)
    twins = {}
    for name, layout in (("torch", torch.contiguous_format), ("torch channels_last", torch.channels_last)):
        twin = torch_twins.load_from_rawseg(torch_twins.UNet(width=args.width), ours).to(memory_format=layout)  # type: ignore[call-overload]
        tx = torch.tensor(x).to(memory_format=layout)
        twins[name] = (twin, torch.optim.Adam(twin.parameters(), 1e-4), tx, torch.tensor(y))
    mine = (ours, optim.Adam(ours.parameters(), 1e-4), rawseg.tensor(x), rawseg.tensor(y))
    steps = {"rawseg": lambda: rawseg_step(*mine)}
    for name, parts in twins.items():
        steps[name] = lambda parts=parts: torch_step(*parts)
    return steps


def check(args) -> None:
    """Compare loss and all gradients in float64: float32 would flip a ReLU here and there, and that is no error."""
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 1, 64, 64)), rng.integers(0, 2, (2, 64, 64))
    ours = models.unet(width=args.width).double()
    twin = torch_twins.load_from_rawseg(torch_twins.UNet(width=args.width).double(), ours)
    loss = F.cross_entropy(ours(rawseg.tensor(x)), rawseg.tensor(y))
    loss.backward()
    want = torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(y))
    want.backward()
    worst = abs(loss.item() - want.item())
    for (name, p), q in zip(ours.named_parameters(), twin.parameters()):
        worst = max(worst, float(np.abs(p.grad.numpy() - q.grad.numpy()).max() / (q.grad.abs().max() + 1e-12)))
        assert worst < 1e-6, f"gradient of {name} differs by {worst:.1e}"  # 1e-16 through 20 batch norms of tiny maps
    print(f"checked in float64: loss {loss.item():.9f}, largest difference {worst:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("width", 32), ("size", 256), ("batch", 2), ("threads", 1), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", help="write the result here")
    args = parser.parse_args()
    rawseg.set_num_threads(args.threads)
    torch.set_num_threads(args.threads)
    check(args)
    steps = build(args)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()  # warm-up
    for _ in range(args.repeats):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            times[name].append(1e3 * (time.perf_counter() - start))
    ours = statistics.median(times["rawseg"])
    print(f"U-Net {args.width}, batch {args.batch}, {args.size} x {args.size}, {args.threads} threads")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:22s} {median:8.1f} ms   min {min(values):8.1f}   torch time / rawseg time {median / ours:5.2f}")
    if args.json:
        versions = {package: metadata.version(package) for package in ("numpy", "numba", "torch")}
        machine = f"{binding.get_host_cpu_name()}, {os.cpu_count()} cores, {platform.system()}"
        record = {"case": vars(args), "machine": machine, "versions": versions, "ms": times}
        with open(args.json, "w") as file:
            json.dump(record, file, indent=1)


if __name__ == "__main__":
    main()
