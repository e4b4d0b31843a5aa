"""What `torch.cuda` offers, on CuPy: which GPUs there are, what their memory holds, CUDA graphs, and batches sent ahead.

Everything of the engine runs on CuPy's current device, the first one unless `set_device` names another, and on its current
stream; a Tensor of another device is refused wherever it would be computed with.
"""

from .graphed import GraphedCallable, make_graphed_callables
from .graphs import CUDAGraph, graph
from .machine import (
    current_device,
    device,
    device_count,
    empty_cache,
    get_device_name,
    is_available,
    mem_get_info,
    memory_allocated,
    memory_reserved,
    memory_stats,
    set_device,
    synchronize,
)
from .prefetch import Prefetcher
from .step import GraphedStep

__all__ = [
    "CUDAGraph",
    "GraphedCallable",
    "GraphedStep",
    "Prefetcher",
    "current_device",
    "device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "graph",
    "is_available",
    "make_graphed_callables",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "set_device",
    "synchronize",
]
