"""Four autoencoders with 32 numbers between: one of matrices, three of convolutions, and what unpooling is told besides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..output import console
from .request import Request, show_scores

IMAGES, BATCH, EPOCHS = 12_000, 64, 2  # of 60,000 images, of which the fully connected one sees 58,000
NETWORKS = {
    "fully connected": ("autoencoder", {}),
    "convolutions, nearest": ("conv_autoencoder", {"up": "nearest"}),
    "convolutions, transposed": ("conv_autoencoder", {"up": "transposed"}),
    "convolutions, unpooling": ("conv_autoencoder", {"up": "unpool"}),
}
LEARNING_RATE = 3e-3
SHOWN = 10
HEADINGS = {"parameters": "parameters", "psnr": "PSNR, dB", "squared_error": "squared error", "cross_entropy": "cross entropy"}


def run(request: Request) -> bool:
    """Train, test and draw; return whether Ctrl-C ended it early."""
    from ... import data
    from ...pictures import image_rows

    everything, test = data.fashion_mnist(request.data)
    folder, screen = request.folder("autoencoder"), console()
    last = len(everything) - max(1, len(everything) // 30)  # what comes after chooses the epoch
    pictures, unseen = everything.images, data.Images(test.images)
    small, large, held_out = (data.Images(part) for part in (pictures[: min(IMAGES, last)], pictures[:last], pictures[last:]))
    screen.print("Fashion-MNIST: 28 x 28 pixels through 32 numbers and back; the test images are in no training set.")
    shown = np.stack([unseen[i][0] for i in range(SHOWN)])
    rows, scores = [("image", shown)], {}
    for title, (name, options) in NETWORKS.items():
        screen.print(f"{title}; writing to {folder / slug(title)}")
        train = large if name == "autoencoder" else small
        result, best = trained(name, options, train, held_out, folder / slug(title), request)
        if result.interrupted:
            return True
        scores[title] = {"parameters": sum(p.size for p in best.parameters()), **tested(best, unseen, None)}
        rows.append((title, seen(best, shown, None)))
    mean = mean_code(best, unseen)
    scores["the same, told only where"] = {"parameters": None, **tested(best, unseen, mean)}
    rows.append(("the same,\ntold only where", seen(best, shown, mean)))
    image_rows(rows, folder / "reconstructions.png")
    show_scores(f"test: {len(test):,} images", scores, HEADINGS, folder, ("reconstructions.png",))
    screen.print("Told only where: every code is replaced by the mean of all codes; what is still right came with the indices.")
    return False


def slug(title: str) -> str:
    """Return a title as a folder's name."""
    return title.replace(", ", "-").replace(" ", "_")


def trained(name: str, options: dict[str, Any], train: Any, held_out: Any, folder: Path, request: Request) -> tuple[Any, Any]:
    """Train a network; return what came of it, and the network with its best weights."""
    from ... import data, manual_seed, models, optim
    from ... import functional as F
    from ...training import BEST, Reconstruction, Trainer, learning_curves
    from ..recipes import make_schedule

    manual_seed(request.seed)
    net = models.build(name, **options).to(request.device)
    optimizer, epochs = optim.Adam(net.parameters(), LEARNING_RATE), request.epochs or EPOCHS
    batches = data.Loader(train, BATCH, seed=request.seed)
    trainer = Trainer(
        net,
        F.binary_cross_entropy_with_logits,
        optimizer,
        batches,
        data.Loader(held_out, BATCH, shuffle=False),
        folder=folder,
        task=Reconstruction(),
        schedule=make_schedule("cosine", optimizer, len(batches), epochs),
        seed=request.seed,
        about=models.describe(net),
        plain=request.plain or None,
    )
    result = trainer.fit(epochs)
    if result.interrupted:
        return result, net
    learning_curves(result.history, folder / "learning_curves.png")
    return result, models.load_model(folder / BEST, request.device)


def decoded(model: Any, images: np.ndarray, code: np.ndarray | None) -> Any:
    """Return logits for images, by way of their codes or of one code for all of them."""
    from ... import no_grad, tensor
    from ...models.inference import as_input

    with no_grad():
        own, kept = model.encode(as_input(images, model))
        if code is not None:
            own = tensor(np.broadcast_to(code, own.shape).copy()).to(own.device)
        return model.decode(own, kept)


def mean_code(model: Any, images: Any) -> np.ndarray:
    """Return the mean of the first codes, shape (1, ...)."""
    from ... import no_grad
    from ...models.inference import as_input

    with no_grad():
        codes, _ = model.encode(as_input(np.stack([images[i][0] for i in range(min(1000, len(images)))]), model))
    return codes.numpy().mean(axis=0, keepdims=True)


def seen(model: Any, images: np.ndarray, code: np.ndarray | None) -> np.ndarray:
    """Return what comes back, in [0, 1]."""
    from ... import functional as F

    return F.sigmoid(decoded(model, images, code)).numpy()


def tested(model: Any, images: Any, code: np.ndarray | None) -> dict[str, float]:
    """Return the scores over a data set."""
    from ... import data, tensor
    from ... import functional as F
    from ...training import Reconstruction

    tally, entropy = Reconstruction().tally(), 0.0
    for batch, _ in data.Loader(images, 500, shuffle=False):
        logits, truth = decoded(model, batch, code), tensor(batch)
        tally.update(logits, truth)
        entropy += F.binary_cross_entropy_with_logits(logits.to("cpu"), truth).item() * len(batch)
    return {**tally.scores(), "cross_entropy": entropy / len(images)}
