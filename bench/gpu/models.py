"""Whole networks on the device: gradients are the CPU's, a second pass has the same bits; steps and inferences are timed.

Beside PyTorch in two layouts: fp32 and 3xTF32 beside PyTorch without TF32, TF32 beside PyTorch with it; a training step and one
image also as a CUDA graph of either side. A side that fails says why, and the others are timed. Mask R-CNN chooses its boxes on
the CPU, and has no graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import cupy  # type: ignore[import-not-found]
import numpy as np

import rawseg
from gpu import graphed, sides
from gpu.clock import microseconds_of
from gpu.networks import NETWORKS, ROWS, pair
from rawseg.benchmark.model_steps import rawseg_modes, torch_modes

LARGE: dict[str, dict[str, Any]] = {
    "unet": {"width": 64, "size": 256, "batch": 2},
    "mobilenet_v2": {"width": 1.0, "size": 224, "batch": 32},
    **{row.name: {"size": row.size, "batch": row.batch} for row in ROWS[:4]},
    "mask_rcnn": {"size": 800, "batch": 2},
    **{row.name: {"size": row.size, "batch": row.batch} for row in ROWS[4:]},
}
FIRST = "unet", "mobilenet_v2", "mask_rcnn"
GRAPHED = set(LARGE) - {"mask_rcnn"}
SMALL = {name: {**LARGE[name], **NETWORKS[name].small} for name in LARGE} | {"unet": {"width": 8, "size": 64, "batch": 2}}
ONE = {"mobilenet_v2": {"width": 1.0, "size": 224, "batch": 1}, "unet": {"width": 32, "size": 256, "batch": 1}}
CLOSE = 1e-4  # of the largest gradient, in float64: through 50 batch norms of tiny maps
PRECISIONS = ("fp32", "3xtf32", "tf32")

Step = tuple[str, Callable[[], dict[str, Any]]]


class OnDevice:
    """A model of the bench whose data lie on the device, on either side."""

    def __init__(self, name: str) -> None:
        self.subject = NETWORKS[name]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.subject, name)

    def for_rawseg(self, data: Any, dtype: Any) -> Any:
        """Return the data of rawseg's side; boxes and masks of objects, which are chosen on the CPU, stay there."""
        return tuple(moved(part, lambda tensor: tensor.to("cuda")) for part in self.subject.for_rawseg(data, dtype))

    def for_torch(self, data: Any, dtype: Any, layout: Any) -> Any:
        """Return the data of PyTorch's side."""
        return tuple(moved(part, lambda tensor: tensor.cuda()) for part in self.subject.for_torch(data, dtype, layout))


def moved(part: Any, move: Callable[[Any], Any]) -> Any:
    """Return Tensors moved, in lists and dicts, too."""
    if isinstance(part, list):
        return [moved(one, move) for one in part]
    if isinstance(part, dict):
        return {name: moved(one, move) for name, one in part.items()}
    return part if isinstance(part, np.ndarray) else move(part)


def checks() -> list[Step]:
    """Return the steps that compare the first networks, which have most kinds of layers."""
    return [(f"gradients of {name}", partial(gradients, name)) for name in FIRST]


def more_checks() -> list[Step]:
    """Return those of the others, whose passes on the CPU, compiled first, take longer than all that a GPU does here."""
    return [(f"gradients of {name}", partial(gradients, name)) for name in SMALL if name not in FIRST]


def steps() -> list[Step]:
    """Return the steps that time."""
    whole = [(f"model {name}", partial(timed, {"model": name, **sizes})) for name, sizes in LARGE.items()]
    return [*whole, *((f"one image of {name}", partial(timed_inference, {"model": name, **one})) for name, one in ONE.items())]


def gradients_on(name: str, device: str) -> list[np.ndarray]:
    """Return the gradients of all parameters after one backward pass in float64."""
    request = {"model": name, **SMALL[name]}
    subject = OnDevice(name) if device == "cuda" else NETWORKS[name]
    both = pair(request)
    subject.draw_alike(both)
    net = both.ours.double().to(device)
    x, y = subject.for_rawseg(subject.data(request, np.random.default_rng(1)), np.float64)
    subject.loss(net, x, y).backward()
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


@contextmanager
def accuracy_of(name: str) -> Iterator[None]:
    """Let both sides compute at an accuracy."""
    sides.let_torch(name == "tf32")
    with sides.precision(name):
        yield


def timed(request: dict[str, Any]) -> dict[str, Any]:
    """Time forward, backward and Adam, call by call and graphed, and an inference, of all sides at every accuracy."""
    found: dict[str, float] = {}
    failed: dict[str, str] = {}
    for accuracy in PRECISIONS:
        with accuracy_of(accuracy):
            for (side, kind), modes in modes_of(request).items():
                try:
                    found |= {f"{mode}, {accuracy}, {side}": us for mode, us in times(modes).items()}
                except Exception as error:  # the other sides have their turn
                    failed[f"{kind}{accuracy}, {side}"] = f"{type(error).__name__}: {error}"[:300]
                cupy.get_default_memory_pool().free_all_blocks()
    if not any(key.endswith(", rawseg") for key in found):
        raise AssertionError(f"nothing of rawseg ran: {failed}")
    return {"request": request, "us": found, "failed": failed, "said": ratios(found)}


def modes_of(request: dict[str, Any]) -> dict[tuple[str, str], Callable[[], dict[str, Callable[[], Any]]]]:
    """Return what makes the training step and the inference of each side, and its graphed step: by side and kind."""
    subject: Any = OnDevice(request["model"])
    both, data = pair(request), subject.data(request, np.random.default_rng(1))
    ours, twin = both.ours.to("cuda"), both.twin.cuda()
    found: dict[tuple[str, str], Any] = {
        ("rawseg", ""): partial(rawseg_modes, subject, ours, data),
        ("torch", ""): partial(torch_modes, subject, twin, data, channels_last=False),
        ("torch channels_last", ""): partial(torch_modes, subject, twin, data, channels_last=True),
    }
    if request["model"] in GRAPHED:
        graphs = {
            ("rawseg", "graphed, "): partial(graphed.rawseg_step, subject, ours, data),
            ("torch", "graphed, "): partial(graphed.torch_step, subject, twin, data, channels_last=False),
            ("torch channels_last", "graphed, "): partial(graphed.torch_step, subject, twin, data, channels_last=True),
        }
        found |= graphs
    return found


def times(modes: Callable[[], dict[str, Callable[[], Any]]]) -> dict[str, float]:
    """Return the time of every mode of a side."""
    import torch

    found = {}
    for mode, call in modes().items():
        with torch.set_grad_enabled(mode.startswith("train")):
            found[mode] = microseconds_of([call], repeats=5)[0]
    return found


def timed_inference(request: dict[str, Any]) -> dict[str, Any]:
    """Time one image, call by call and as a CUDA graph, on both sides; the graph's answer has the bits of the call's."""
    import torch

    subject, both = OnDevice(request["model"]), pair(request)
    ours, twin = both.ours.to("cuda"), both.twin.cuda()
    data = subject.data(request, np.random.default_rng(1))
    ours.eval()
    twin.eval()
    (x, _), (their_x, _) = (
        subject.for_rawseg(data, np.float32),
        subject.for_torch(data, np.float32, torch.contiguous_format),
    )
    with accuracy_of("fp32"), rawseg.no_grad(), torch.no_grad():
        graphed, graph = rawseg.cuda.make_graphed_callables(ours, (x,)), torch.cuda.CUDAGraph()
        if graphed(x).to("cpu").numpy().tobytes() != ours(x).to("cpu").numpy().tobytes():
            raise AssertionError("the graph's answer has other bits than the call's")
        twin(their_x)
        torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            twin(their_x)
        calls = {
            "rawseg": lambda: subject.settled(ours(x)),
            "rawseg, graph": lambda: subject.settled(graphed(x)),
            "torch": lambda: twin(their_x),
            "torch, graph": graph.replay,
        }
        found = dict(zip(calls, microseconds_of(list(calls.values()), repeats=20)))
    said = f"torch / rawseg {found['torch'] / found['rawseg']:.2f}, graphs {found['torch, graph'] / found['rawseg, graph']:.2f}"
    return {"request": request, "us": found, "said": said}


def ratios(found: dict[str, float]) -> str:
    """Return how many times as long PyTorch's better layout takes, of every mode and accuracy."""
    words = []
    for key, ours in found.items():
        what, _, side = key.rpartition(", ")
        theirs = [us for other, us in found.items() if other.startswith(f"{what}, torch")]
        if side == "rawseg" and theirs:
            words.append(f"{what} {min(theirs) / ours:.2f}")
    return "torch / rawseg: " + "; ".join(words)
