"""Batches that are on the GPU before they are asked for: copied on a stream of their own while the last one is computed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from ..device import gpu_module, named_gpu

__all__ = ["Prefetcher"]


class Prefetcher:
    """A loader whose batches come as CuPy arrays, each copied while the one before it is at work.

    Parameters
    ----------
    loader : Loader
        Its batches are tuples of arrays; whatever else is in them stays as it is. With ``pin_memory=True`` the copies overlap
        with computing.
    device : str
        ``"cuda"`` or ``"cuda:N"``.

    Raises
    ------
    ArgumentError
        If ``device`` is no such name, or there are not as many GPUs.
    BackendError
        If there is no GPU.

    Notes
    -----
    The same batches in the same order as the loader's. A copy begins when the GPU has done what it had been asked for by then:
    the memory that it writes to may have belonged to an earlier batch. Whoever gets a batch may use it on the stream that was
    current when it was asked for.
    """

    def __init__(self, loader: Any, device: str = "cuda") -> None:
        cupy, self._device = named_gpu(str(device), "Prefetcher", "'cuda' or 'cuda:N'")
        self.loader = loader
        self.batch_size, self.seed, self.shuffle = loader.batch_size, loader.seed, loader.shuffle
        with self._device:
            self._stream = cupy.cuda.Stream(non_blocking=True)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.loader)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next ``iter``; see `rawseg.data.Loader.set_epoch`."""
        self.loader.set_epoch(epoch)

    def __iter__(self) -> Generator[tuple[Any, ...], None, None]:
        return self.iterate(self.loader.epoch)

    def iterate(self, epoch: int, start_batch: int = 0) -> Generator[tuple[Any, ...], None, None]:
        """Yield the batches of an epoch, from one of them on; see `rawseg.data.Loader.iterate`."""
        return self._ahead(self.loader.iterate(epoch, start_batch))

    def _ahead(self, batches: Generator[tuple[Any, ...], None, None]) -> Generator[tuple[Any, ...], None, None]:
        with closing(batches):
            waiting, error = None, None
            while error is None:
                try:
                    sent = self._sent(next(batches))
                except Exception as raised:  # its turn comes after the batch that waits
                    sent, error = None, raised
                if waiting is not None:
                    yield waiting.received(self._device)
                    waiting.copied.synchronize()  # the host's memory may be used again from here on
                waiting = sent
            if not isinstance(error, StopIteration):
                raise error

    def _sent(self, batch: tuple[Any, ...]) -> _Sent:
        with self._device:
            self._stream.wait_event(gpu_module("Prefetcher").cuda.get_current_stream().record())
            with self._stream:
                arrays = tuple(_copied(part) if isinstance(part, np.ndarray) else part for part in batch)
            return _Sent(batch, arrays, self._stream.record())


class _Sent(NamedTuple):
    """A batch on its way."""

    host: tuple[Any, ...]  # whose memory is read until it has been copied
    arrays: tuple[Any, ...]
    copied: Any

    def received(self, device: Any) -> tuple[Any, ...]:
        """Return the arrays, for use on the current stream."""
        with device:
            gpu_module("Prefetcher").cuda.get_current_stream().wait_event(self.copied)
        return self.arrays


def _copied(array: np.ndarray) -> Any:
    """Ask the current stream for a copy of a host's array."""
    out = gpu_module("Prefetcher").empty(array.shape, array.dtype)
    out.set(array)
    return out
