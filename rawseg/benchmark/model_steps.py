"""Whole models beside their PyTorch twins: a training step and an inference, after all gradients were compared."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import rawseg

from .. import functional as F
from .. import models, optim
from .timing import measure

MODELS = ("unet", "mobilenet_v2")
TOLERANCE = 1e-6  # of the model's largest gradient, in float64: 1e-16 through 53 batch norms of tiny maps
SIDES = ("rawseg", "torch", "torch channels_last")
SMALL = {"size": 64, "batch": 2}  # what gradients are compared at, and what a process starts with
STEPS = 3  # of a process whose memory is measured: the first makes an optimiser's state


def pair(request: dict[str, Any]) -> tuple[Any, Any, tuple[int, ...], tuple[int, ...], int]:
    """Return a model, its PyTorch twin with the same weights, the shapes of image and target, and how many classes."""
    from . import torch_twins

    rawseg.manual_seed(0)
    batch, size = request["batch"], request["size"]
    if request["model"] == "unet":
        ours, twin = models.unet(width=request["width"]), torch_twins.UNet(width=request["width"])
        shape, target, classes = (batch, 1, size, size), (batch, size, size), 2
    else:
        ours, twin = models.mobilenet_v2(dropout=0.0), torch_twins.MobileNetV2(dropout=0.0)
        shape, target, classes = (batch, 3, size, size), (batch,), 1000
    return ours, torch_twins.load_from_rawseg(twin, ours), shape, target, classes


def difference(request: dict[str, Any]) -> tuple[float, str]:
    """Return the largest difference of a gradient in float64, relative to the largest gradient, and the parameter's name.

    float32 would flip a ReLU here and there, which is no error.
    """
    import torch

    ours, twin, shape, target, classes = pair({**request, **SMALL})
    ours, twin = ours.double(), twin.double()
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(shape), rng.integers(0, classes, target)
    F.cross_entropy(ours(rawseg.tensor(x)), rawseg.tensor(y)).backward()
    with torch.enable_grad():
        torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(y)).backward()
    largest = max(float(q.grad.abs().max()) for q in twin.parameters())
    pairs = zip(ours.named_parameters(), twin.parameters())
    return max((float(np.abs(p.grad.numpy() - q.grad.numpy()).max() / largest), name) for (name, p), q in pairs)


def rawseg_modes(model: Any, x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], None]]:
    """Return a training step and an inference."""
    optimizer, images, labels = optim.Adam(model.parameters(), 1e-4), rawseg.tensor(x), rawseg.tensor(y)

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    def infer() -> Any:
        model.eval()
        with rawseg.no_grad():
            return model(images).array

    return {"train": train, "infer": infer}


def torch_modes(model: Any, x: np.ndarray, y: np.ndarray, channels_last: bool) -> dict[str, Callable[[], None]]:
    """Return the same two of PyTorch in a memory layout."""
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4)
    images, labels = torch.tensor(x).to(memory_format=layout), torch.tensor(y)

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        with torch.enable_grad():
            torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()

    def infer() -> Any:
        model.eval()
        return model(images)

    return {"train": train, "infer": infer}


def modes_of(side: str, request: dict[str, Any]) -> dict[str, Callable[[], None]]:
    """Return what to time of a side, from the same weights and data as the other sides."""
    rng = np.random.default_rng(0)
    ours, twin, shape, target, classes = pair(request)
    x, y = rng.standard_normal(shape).astype(np.float32), rng.integers(0, classes, target)
    return rawseg_modes(ours, x, y) if side == "rawseg" else torch_modes(twin, x, y, side.endswith("channels_last"))


def results(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the times of every mode; or, from a process of its own, the memory of one side or rawseg's first steps."""
    if request["side"]:
        yield memory(request)
        return
    if request["kind"] == "first step":
        yield first_step(request)
        return
    from .machine import facts

    yield {"machine": facts(request["threads"])}
    if request["check"]:
        worst, name = difference(request)
        yield {"difference": worst} if worst < TOLERANCE else {"wrong": f"gradient of {name} differs by {worst:.1e}"}
        if worst >= TOLERANCE:
            return
    sides = {side: modes_of(side, request) for side in SIDES}
    for mode in request["modes"]:
        yield {"mode": mode, "ms": measure({side: runs[mode] for side, runs in sides.items()}, request["repeats"], np.inf)}


def first_step(request: dict[str, Any]) -> dict[str, Any]:
    """Return the milliseconds of the first inference and the first training step in this process."""
    runs, first = modes_of("rawseg", request), {}
    for mode in request["modes"]:
        start = time.perf_counter()
        runs[mode]()
        first[mode] = 1e3 * (time.perf_counter() - start)
    return {"first": first}


def memory(request: dict[str, Any]) -> dict[str, Any]:
    """Return the bytes that a few steps add, at most, to a process that holds a model and its data."""
    for run in modes_of(request["side"], {**request, **SMALL, "batch": 1}).values():
        run()  # what is compiled or loaded once belongs to no step
    runs = modes_of(request["side"], request)
    before, peaks = _resident(), {}
    for mode in ("infer", "train"):  # the larger one last: the peak never falls
        for _ in range(STEPS):
            runs[mode]()
        peaks[mode] = _most_resident() - before
    return {"side": request["side"], "memory": peaks}


def _resident() -> int:
    """Return the bytes of physical memory that this process has now."""
    if sys.platform.startswith("linux"):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return _most_resident()


def _most_resident() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
