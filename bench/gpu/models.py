"""Whole networks on the device: gradients are the CPU's, a second pass has the same bits; a step's time beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import rawseg
from gpu.clock import microseconds_of
from rawseg.benchmark.model_steps import MODELS, pair

SMALL = {"unet": {"width": 8, "size": 64, "batch": 2}, "mobilenet_v2": {"width": 1.0, "size": 64, "batch": 2}}
LARGE = {"unet": {"width": 64, "size": 256, "batch": 2}, "mobilenet_v2": {"width": 1.0, "size": 224, "batch": 32}}
CLOSE = 1e-4  # of the largest gradient, in float64: through 50 batch norms of tiny maps

Step = tuple[str, Callable[[], dict[str, Any]]]


def checks() -> list[Step]:
    """Return the steps that compare."""
    return [(f"gradients of {name}", partial(gradients, name)) for name in SMALL]


def steps() -> list[Step]:
    """Return the steps that time."""
    return [(f"training step of {name}", partial(training_step, name)) for name in LARGE]


def gradients_on(name: str, device: str) -> list[np.ndarray]:
    """Return the gradients of all parameters after one backward pass in float64."""
    request = {"model": name, **SMALL[name]}
    subject, net = MODELS[name], pair(request).ours.double().to(device)
    x, y = subject.for_rawseg(subject.data(request, np.random.default_rng(1)), np.float64)
    subject.loss(net, x.to(device), y.to(device)).backward()
    return [p.grad.to("cpu").numpy() for p in net.parameters() if p.grad is not None]


def gradients(name: str) -> dict[str, Any]:
    """Compare with the CPU's, and a second pass with the first."""
    first, again, want = gradients_on(name, "cuda"), gradients_on(name, "cuda"), gradients_on(name, "cpu")
    if any(a.tobytes() != b.tobytes() for a, b in zip(first, again, strict=True)):
        raise AssertionError("a second pass has other bits")
    largest = max(np.abs(gradient).max() for gradient in want)
    worst = max(float(np.abs(a - b).max() / largest) for a, b in zip(first, want, strict=True))
    if not worst <= CLOSE:
        raise AssertionError(f"gradients differ by {worst:.1e} of the largest")
    return {"worst": worst, "said": f"{worst:.1e} of the largest, two passes equal"}


def training_step(name: str) -> dict[str, Any]:
    """Time forward, backward and Adam of both sides."""
    import torch

    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    request = {"model": name, **LARGE[name]}
    subject, both = MODELS[name], pair(request)
    data = subject.data(request, np.random.default_rng(1))
    ours, x, y = both.ours.to("cuda"), *(part.to("cuda") for part in subject.for_rawseg(data, np.float32))
    update = rawseg.optim.Adam(ours.parameters(), lr=subject.rate)
    twin = both.twin.cuda()
    their_x, their_y = (part.cuda() for part in subject.for_torch(data, np.float32, torch.contiguous_format))
    their_update = torch.optim.Adam(twin.parameters(), lr=subject.rate)

    def step() -> None:
        update.zero_grad()
        subject.loss(ours, x, y).backward()
        update.step()

    def their_step() -> None:
        their_update.zero_grad()
        subject.torch_loss(twin, their_x, their_y).backward()
        their_update.step()

    found = dict(zip(("rawseg", "torch"), microseconds_of([step, their_step], repeats=5)))
    return {"us": found, "said": f"torch / rawseg {found['torch'] / found['rawseg']:.2f}"}
