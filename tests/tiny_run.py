"""A network, data and a run small enough to train in a second, with all that can go wrong on resuming: dropout, batch norm,
shuffling, augmentation and a schedule."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

import rawseg
from rawseg import functional as F
from rawseg import nn, optim
from rawseg.data import Crops, Flip, Loader
from rawseg.device import move
from rawseg.training import Trainer


class Net(nn.Module):
    """Two convolutions."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.dropout = nn.Dropout2d(dropout)
        self.second = nn.Conv2d(6, 2, 3, padding=1)

    def forward(self, x):
        return self.second(self.dropout(F.relu(self.norm(self.first(x)))))


def scene(seed: int, size: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return bright discs on a noisy ground, (1, size, size), and their mask."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    mask = np.zeros((size, size), np.int64)
    for row, column, radius in rng.uniform([0, 0, 3], [size, size, 7], (6, 3)):
        mask[(rows - row) ** 2 + (columns - column) ** 2 < radius**2] = 1
    image = 0.2 + 0.5 * mask + rng.normal(0, 0.1, mask.shape)
    return np.clip(image, 0, 1).astype(np.float32)[None], mask


def loader(workers: int = 0) -> Loader:
    """Return 5 batches of 4 crops of 16 x 16, the last of 2."""
    return Loader(Crops(*scene(1), size=16, count=18), 4, transform=Flip(), seed=3, workers=workers)


def held_out() -> tuple[np.ndarray, np.ndarray]:
    image, mask = scene(2)
    parts = [np.s_[..., row : row + 16, column : column + 16] for row in (0, 16) for column in (0, 16)]
    return np.stack([image[part] for part in parts]), np.stack([mask[part] for part in parts])


def trainer(
    folder: Path, rule: str = "Adam", workers: int = 0, lr: float | None = None, device: str = "cpu", **options
) -> Trainer:
    """Return a run that is about to begin; every call returns the same one."""
    rawseg.manual_seed(5)
    model = Net().to(device)
    if rule == "SGD":
        optimizer = optim.SGD(model.parameters(), lr=lr or 0.05, momentum=0.9, nesterov=True, weight_decay=1e-3)
    else:
        optimizer = optim.Adam(model.parameters(), lr=lr or 0.01)
    warm = optim.lr_scheduler.LinearLR(optimizer, 0.2, total_iters=4)
    cosine = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=30)
    options.setdefault("schedule", optim.lr_scheduler.SequentialLR(optimizer, [warm, cosine], [4]))
    options.setdefault("validation", held_out())
    return Trainer(model, F.cross_entropy, optimizer, loader(workers), folder=folder, **options)


def digest(run: Trainer) -> str:
    """Of all weights, buffers and optimizer slots."""
    found = hashlib.sha256()
    for name, tensor in run.model.state_dict().items():
        found.update(name.encode() + tensor.to("cpu").array.tobytes())
    for position, slots in run.optimizer.state_dict()["state"].items():
        for name, value in sorted(slots.items()):
            found.update(
                f"{position} {name}".encode()
                + (repr(value).encode() if isinstance(value, int) else move(value, "cpu").tobytes())
            )
    return found.hexdigest()
