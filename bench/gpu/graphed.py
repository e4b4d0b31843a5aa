"""A training step whose forward pass, loss and backward pass are one CUDA graph, on either side; Adam's step is outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import rawseg
from rawseg import optim

WARM = 3  # steps before a capture


def rawseg_step(subject: Any, model: Any, data: Any) -> dict[str, Callable[[], Any]]:
    """Return the step of rawseg, after its gradients were found to have the bits of a call's."""
    images, targets = subject.for_rawseg(data, np.float32)
    model.train()
    step = rawseg.cuda.GraphedStep(model, lambda answer, y: subject.loss(lambda _: answer, None, y), images, targets)
    model.zero_grad()
    subject.loss(model, images, targets).backward()
    wanted = _bytes_of_gradients(model)
    step(images, targets)
    if _bytes_of_gradients(model) != wanted:
        raise AssertionError("the gradients of the graph have other bits than the call's")
    optimizer = optim.Adam(model.parameters(), subject.rate)

    def train() -> None:
        model.train()
        step(images, targets)
        optimizer.step()

    return {"train graphed": train}


def _bytes_of_gradients(model: Any) -> list[bytes]:
    return [p.grad.to("cpu").numpy().tobytes() for p in model.parameters() if p.grad is not None]


def torch_step(subject: Any, model: Any, data: Any, channels_last: bool) -> dict[str, Callable[[], Any]]:
    """Return the step of PyTorch in a memory layout, captured as its manual says."""
    import torch

    layout = torch.channels_last if channels_last else torch.contiguous_format
    model = model.to(memory_format=layout)
    images, targets = subject.for_torch(data, np.float32, layout)
    optimizer = torch.optim.Adam(model.parameters(), subject.rate)
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    model.train()
    with torch.enable_grad():
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM):
                optimizer.zero_grad()
                subject.torch_loss(model, images, targets).backward()
        torch.cuda.current_stream().wait_stream(stream)
        optimizer.zero_grad()
        with torch.cuda.graph(graph):
            subject.torch_loss(model, images, targets).backward()

    def train() -> None:
        graph.replay()
        optimizer.step()

    return {"train graphed": train}
