"""Whole models beside their PyTorch twins: a training step and an inference, after all gradients were compared."""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

import rawseg

from .. import optim
from .detectors import Detector
from .subjects import Difference, MobileNetV2, Pair, Request, Subject, UNet
from .timing import measure

MODELS: dict[str, Subject] = {
    "unet": UNet(),
    "mobilenet_v2": MobileNetV2(),
    "mask_rcnn": Detector("resnet50"),
    "mask_rcnn_mobilenet_v2": Detector("mobilenet_v2"),
}
# Of the model's largest gradient, in float64: 1e-16 through 53 batch norms of tiny maps. Also of torchvision's float32 where it
# drops to it, in the loss of objectness: 6e-8.
TOLERANCE = 1e-6
SIDES = ("rawseg", "torch", "torch channels_last")
STEPS = 3  # of a process whose memory is measured: the first makes an optimiser's state


def pair(request: Request) -> Pair:
    """Return a model and its PyTorch twin with the same weights."""
    rawseg.manual_seed(0)
    return MODELS[request["model"]].pair(request)


def difference(request: Request) -> Difference:
    """Return the largest difference in float64, of a gradient or what else a model is compared by, and what it is of.

    It is relative to the largest gradient or value. float32 would flip a ReLU here and there, which is no error.
    """
    import torch

    subject, request = MODELS[request["model"]], {**request, **MODELS[request["model"]].small}
    both = Pair(*(network.double() for network in pair(request)))
    subject.draw_alike(both)
    data = subject.data(request, np.random.default_rng(1))
    x, y = subject.for_rawseg(data, np.float64)
    their_x, their_y = subject.for_torch(data, np.float64, torch.contiguous_format)
    subject.loss(both.ours, x, y).backward()
    with torch.enable_grad():
        subject.torch_loss(both.twin, their_x, their_y).backward()
    found = [*gradient_differences(both), *subject.other_differences(both, x, their_x)]
    return max(found, key=lambda one: np.inf if np.isnan(one[0]) else one[0])  # NaN is as different as can be


def gradient_differences(both: Pair) -> Iterator[Difference]:
    """Yield how far every parameter's gradient differs, relative to the largest gradient of all."""
    wanted = [parameter.grad for parameter in both.twin.parameters()]
    largest = max(float(grad.abs().max()) for grad in wanted)
    for (name, parameter), grad in zip(both.ours.named_parameters(), wanted):
        yield float(np.abs(parameter.grad.numpy() - grad.numpy()).max() / largest), f"gradient of {name}"


def rawseg_modes(subject: Subject, model: Any, data: tuple[Any, Any]) -> dict[str, Callable[[], Any]]:
    """Return a training step and an inference."""
    optimizer = optim.Adam(model.parameters(), subject.rate)
    images, targets = subject.for_rawseg(data, np.float32)

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        subject.loss(model, images, targets).backward()
        optimizer.step()

    def infer() -> Any:
        model.eval()
        with rawseg.no_grad():
            return subject.settled(model(images))

    return {"train": train, "infer": infer}


def torch_modes(subject: Subject, model: Any, data: tuple[Any, Any], channels_last: bool) -> dict[str, Callable[[], Any]]:
    """Return the same two of PyTorch in a memory layout."""
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    optimizer = torch.optim.Adam(model.parameters(), subject.rate)
    images, targets = subject.for_torch(data, np.float32, layout)

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        with torch.enable_grad():
            subject.torch_loss(model, images, targets).backward()
        optimizer.step()

    def infer() -> Any:
        model.eval()
        return model(images)

    return {"train": train, "infer": infer}


def modes_of(side: str, request: Request) -> dict[str, Callable[[], Any]]:
    """Return what to time of a side, from the same weights and data as the other sides."""
    subject, (ours, twin) = MODELS[request["model"]], pair(request)
    data = subject.data(request, np.random.default_rng(0))
    if side == "rawseg":
        return rawseg_modes(subject, ours, data)
    return torch_modes(subject, twin, data, side.endswith("channels_last"))


def results(request: Request) -> Iterator[dict[str, Any]]:
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
        right = worst < TOLERANCE  # no NaN is
        yield {"difference": worst} if right else {"wrong": f"{name} differs by {worst:.1e}"}
        if not right:
            return
    sides = {side: modes_of(side, request) for side in SIDES}
    for mode in request["modes"]:
        yield {"mode": mode, "ms": measure({side: runs[mode] for side, runs in sides.items()}, request["repeats"], np.inf)}


def first_step(request: Request) -> dict[str, Any]:
    """Return the milliseconds of the first inference and the first training step in this process."""
    runs, first = modes_of("rawseg", request), {}
    for mode in request["modes"]:
        start = time.perf_counter()
        runs[mode]()
        first[mode] = 1e3 * (time.perf_counter() - start)
    return {"first": first}


def run_once(side: str, request: Request) -> None:
    """Run every mode once: what is compiled or loaded then belongs to no step."""
    for run in modes_of(side, request).values():
        run()


def memory(request: Request) -> dict[str, Any]:
    """Return the bytes that a few steps add, at most, to a process that holds a model and its data."""
    run_once(request["side"], {**request, **MODELS[request["model"]].small, "batch": 1})
    runs = modes_of(request["side"], request)
    _let_go()
    before, peaks = _resident(), {}
    for mode in ("infer", "train"):  # the larger one last: the peak never falls
        for _ in range(STEPS):
            runs[mode]()
        peaks[mode] = _most_resident() - before
    return {"side": request["side"], "memory": peaks}


def _let_go() -> None:
    """Give back what is kept for later, and forget the peak, where the system can: a step begins with nothing of another's."""
    gc.collect()
    rawseg.empty_cache()
    if sys.platform.startswith("linux"):
        getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)(0)
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def _resident() -> int:
    """Return the bytes of physical memory that this process has now."""
    if sys.platform.startswith("linux"):
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    return _most_resident()


def _most_resident() -> int:
    """Return the most that there were, since `_let_go` where the system can tell."""
    if sys.platform.startswith("linux"):
        lines = Path("/proc/self/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
