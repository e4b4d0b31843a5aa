"""Batches from a dataset, prepared ahead by threads, and the same batches for any number of threads."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias

import numpy as np

from rawseg_kernels._arrays import flag, integer

from ..errors import ArgumentError, DataError
from .augment import Transform
from .dataset import Dataset, Sample, draw, sample_rng
from .pinned import stacking

Batch: TypeAlias = tuple[Any, Any]  # images (N, C, H, W) float32, targets (N, ...); or a list of each
THREADS = "rawseg-loader"
MOST = 2**32  # seeds and epochs are below it: one word of entropy each, so that no two streams can coincide


class Loader:
    """Iterate over batches of a dataset.

    Parameters
    ----------
    dataset : Dataset
        Has ``len`` and gives (image, mask) by index; in a mask's place may stand a label, an image, or a dictionary of
        instances (`rawseg.data.CocoInstances`), whose images may differ in size.
    batch_size : int
        Samples in a batch; the last one may have fewer.
    transform : callable, optional
        ``(image, mask, rng) -> (image, mask)``, e.g. `Compose`; called from several threads at once.
    shuffle : bool
        A new order every epoch.
    seed : int
        Decides, together with the epoch, the order and all augmentation.
    workers : int
        Threads that prepare batches ahead, one batch each; 0 prepares each batch when it is asked for.
    drop_last : bool
        Leave out a last batch that is not full.
    pin_memory : bool
        Put batches into memory from which a GPU copies by itself, while others compute (`rawseg.cuda.Prefetcher`). Without a
        GPU there is a warning, and batches are where they always are, as in PyTorch.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If a number is not an int in its range, or no batch at all would come.

    Notes
    -----
    Every sample has random numbers of its own, made from seed, epoch and its index in the dataset. The order, the crops
    and the augmentation therefore depend on these three alone: not on the workers, on timing, or on what ran before. To
    resume, remember the epoch and the number of batches done, and call ``iterate(epoch, start_batch)``.

    Examples
    --------
    >>> import numpy as np
    >>> from rawseg.data import Crops, Loader
    >>> crops = Crops(np.zeros((1, 64, 64), np.float32), np.zeros((64, 64), np.int64), size=32, count=10)
    >>> [images.shape for images, masks in Loader(crops, batch_size=4)]
    [(4, 1, 32, 32), (4, 1, 32, 32), (2, 1, 32, 32)]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        transform: Transform | None = None,
        shuffle: bool = True,
        seed: int = 0,
        workers: int = 2,
        drop_last: bool = False,
        pin_memory: bool = False,
    ) -> None:
        self.dataset, self.transform, self.shuffle, self.drop_last = dataset, transform, shuffle, drop_last
        self.batch_size = integer("Loader", "batch_size", batch_size, 1)
        self.seed = _word("seed", seed)
        self.workers = integer("Loader", "workers", workers, 0)
        self.epoch, self.pin_memory = 0, flag("Loader", "pin_memory", pin_memory)
        self._stack = stacking(pin_memory)
        if len(self) == 0:
            expected = (
                f"at least {self.batch_size if drop_last else 1} samples (batch_size={batch_size}, drop_last={drop_last})"
            )
            raise ArgumentError("Loader", "dataset", expected, len(dataset))

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return len(self.dataset) // self.batch_size if self.drop_last else -(-len(self.dataset) // self.batch_size)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next ``iter(loader)``, which is 0 until then: iterating alone does not advance it."""
        self.epoch = _word("epoch", epoch)

    def __iter__(self) -> Generator[Batch, None, None]:
        return self.iterate(self.epoch)

    def iterate(self, epoch: int, start_batch: int = 0) -> Generator[Batch, None, None]:
        """Yield the batches of an epoch, from one of them on.

        Parameters
        ----------
        epoch : int
            0 or more.
        start_batch : int
            Number of batches to leave out.

        Yields
        ------
        images : ndarray, shape (N, C, H, W)
            float32.
        targets : ndarray
            int64 masks of shape (N, H, W) or labels of shape (N,), or float32 images of shape (N, C, H, W). With instances
            both are lists, of images (C, H, W) and of dictionaries.

        Raises
        ------
        DataError
            If the samples of a batch differ in size. This and whatever else a sample raises comes when its batch's turn
            has come, with a note which sample it was.
        """
        epoch = _word("epoch", epoch)
        start_batch = integer("Loader", "start_batch", start_batch, 0)
        if start_batch > len(self):
            raise ArgumentError("Loader", "start_batch", f"at most {len(self)}, the number of batches", start_batch)
        order = self.order(epoch)
        starts = range(start_batch * self.batch_size, len(self) * self.batch_size, self.batch_size)
        batches = [order[start : start + self.batch_size] for start in starts]
        if self.workers == 0:
            return (self._load(epoch, batch) for batch in batches)
        return self._prefetch(epoch, batches)

    def order(self, epoch: int) -> list[int]:
        """Return the dataset's indices in the order of an epoch."""
        if not self.shuffle:
            return list(range(len(self.dataset)))
        # The spawn key sets this stream apart from those of the samples.
        sequence = np.random.SeedSequence([self.seed, epoch], spawn_key=(0,))
        return np.random.default_rng(sequence).permutation(len(self.dataset)).tolist()

    def _prefetch(self, epoch: int, batches: list[list[int]]) -> Generator[Batch, None, None]:
        """Load every batch in a thread, one batch a worker ahead of the caller."""
        pool = ThreadPoolExecutor(self.workers, thread_name_prefix=THREADS)
        ahead: deque[Future[Batch]] = deque()
        try:
            for batch in batches:
                ahead.append(pool.submit(self._load, epoch, batch))
                if len(ahead) > self.workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            # An abandoned iterator may be collected inside a worker, which cannot wait for itself.
            inside = threading.current_thread().name.startswith(THREADS)
            pool.shutdown(wait=not inside, cancel_futures=True)

    def _load(self, epoch: int, batch: list[int]) -> Batch:
        images, masks = zip(*[self._sample(epoch, index) for index in batch])
        if isinstance(masks[0], dict):  # instances: images keep their sizes
            return list(images), list(masks)
        shapes = sorted({image.shape for image in images})
        if len(shapes) > 1:
            expected = "samples of one shape in a batch: crop them (ScaleCrop) and choose channels, or use batch_size=1"
            raise DataError("Loader", "batch", expected, f"image shapes {', '.join(map(str, shapes))}")
        return self._stack(images), self._stack(masks)

    def _sample(self, epoch: int, index: int) -> Sample:
        rng = sample_rng(self.seed, epoch, index)
        try:
            image, mask = draw(self.dataset, index, rng)
            if self.transform is not None:
                image, mask = self.transform(image, mask, rng)
        except Exception as error:
            error.add_note(f"while loading sample {index} of epoch {epoch}")
            raise
        if image.ndim != 3 or image.dtype != np.float32 or not _belongs(mask, image):
            expected = "a float32 image (C, H, W) and an int64 mask (H, W), a label, a float32 image, or instances with masks"
            got = f"{type(mask).__name__} {sorted(mask)}" if isinstance(mask, dict) else f"{mask.dtype} {mask.shape}"
            raise DataError("Loader", f"sample {index}", expected, f"{image.dtype} {image.shape} and {got}")
        return image, mask


def _belongs(target: Any, image: np.ndarray) -> bool:
    """Tell whether something is a mask of an image, a label, an image of the same size, or its instances."""
    if isinstance(target, dict):
        masks = target.get("masks")
        return isinstance(masks, np.ndarray) and masks.dtype == bool and masks.shape[1:] == image.shape[1:]
    if target.dtype == np.int64:
        return target.shape in ((), image.shape[1:])
    return target.dtype == np.float32 and target.ndim == 3 and target.shape[1:] == image.shape[1:]


def _word(argument: str, value: int) -> int:
    value = integer("Loader", argument, value, 0)
    if value >= MOST:
        raise ArgumentError("Loader", argument, f"less than {MOST}", value)
    return value
