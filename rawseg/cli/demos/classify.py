"""A small MobileNetV1 that tells ten kinds of clothes apart, beside what its factored convolutions saved."""

from __future__ import annotations

import numpy as np

from ..output import console
from .request import Request, show_scores

IMAGES, BATCH, EPOCHS = 28_000, 128, 2  # of 60,000 images
MODEL = {"classes": 10, "width_mult": 0.25, "in_channels": 1, "stem_stride": 1}
LEARNING_RATE, WEIGHT_DECAY = 4e-3, 1e-3
SHOWN = 10
HEADINGS = {"accuracy": "accuracy", "parameters": "parameters", "multiply_adds": "multiply-adds"}


def run(request: Request) -> bool:
    """Train, test and draw; return whether Ctrl-C ended it early."""
    from ... import data, models
    from ... import functional as F
    from ...training import BEST, Classification, Trainer, evaluate, learning_curves
    from ..recipes import make_schedule

    everything, test = data.fashion_mnist(request.data)
    folder, epochs, screen = request.folder("classify"), request.epochs or EPOCHS, console()
    last = len(everything) - max(1, len(everything) // 12)  # what comes after chooses the epoch
    pictures, labels = everything.images, everything.targets
    assert labels is not None
    train = data.Images(pictures[: min(IMAGES, last)], labels[: min(IMAGES, last)])
    held_out = data.Images(pictures[last:], labels[last:])
    net, optimizer = network(request)
    costs = {
        separable: models.totals(models.build("mobilenet_v1", **MODEL, separable=separable), (1, 1, 28, 28))
        for separable in (True, False)
    }
    parts = f"{len(train):,} images for training, {len(held_out):,} for choosing the epoch, {len(test):,} for the test"
    screen.print(f"Fashion-MNIST: {parts}.")
    screen.print(f"MobileNetV1, alpha 0.25, first stride 1: {costs[True].parameters:,} parameters; writing to {folder}")
    batches = data.Loader(train, BATCH, seed=request.seed)
    trainer = Trainer(
        net,
        F.cross_entropy,
        optimizer,
        batches,
        data.Loader(held_out, BATCH, shuffle=False),
        folder=folder,
        task=Classification(),
        schedule=make_schedule("cosine", optimizer, len(batches), epochs),
        seed=request.seed,
        about=models.describe(net, data.FASHION_CLASSES),
        plain=request.plain or None,
    )
    result = trainer.fit(epochs)
    if result.best_epoch is None:
        return True
    best = models.load_model(folder / BEST, request.device)
    score = evaluate(best, F.cross_entropy, data.Loader(test, 500, shuffle=False), Classification())
    assert score is not None
    learning_curves(result.history, folder / "learning_curves.png")
    draw(best, test, folder)
    scores = {
        "rawseg": {"accuracy": score["accuracy"], **cost(costs[True]), "accuracy_by_class": score["accuracy_by_class"]},
        "the same with full convolutions": {"accuracy": None, **cost(costs[False])},
        "chance": {"accuracy": 0.1},
    }
    files = ("confusion.png", "mistakes.png", "learning_curves.png", "metrics.jsonl", "best.safetensors")
    show_scores(f"test: {len(test):,} images", scores, HEADINGS, folder, files)
    return result.interrupted


def network(request: Request) -> tuple:
    """Return the network and its optimiser; everything random follows from the seed."""
    from ... import manual_seed, models, optim

    manual_seed(request.seed)
    net = models.build("mobilenet_v1", **MODEL).to(request.device)
    return net, optim.AdamW(net.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)


def cost(totals) -> dict[str, int]:
    """Return what is printed of a network's cost."""
    return {"parameters": totals.parameters, "multiply_adds": totals.multiply_adds}


def draw(model, test, folder) -> None:
    """Draw the confusion matrix, and for each class the pictures that were taken for another with the most confidence."""
    from ... import data, metrics, no_grad
    from ... import functional as F
    from ...models.inference import as_input
    from ...pictures import confusion_picture, image_rows

    sure = []
    with no_grad():
        for images, _ in data.Loader(test, 500, shuffle=False):
            sure.append(F.softmax(model(as_input(images, model)), 1).numpy())
    probability = np.concatenate(sure)
    found, truth = probability.argmax(1), test.targets
    names = data.FASHION_CLASSES
    confusion_picture(metrics.confusion_matrix(found[None], truth[None], len(names)), names, folder / "confusion.png")
    rows = []
    for number, name in enumerate(names):
        wrong = np.flatnonzero((truth == number) & (found != number))
        order = wrong[np.argsort(-probability[wrong, found[wrong]], kind="stable")][:SHOWN]
        if len(order) == SHOWN:
            rows.append((f"{name},\ntaken for others", np.stack([test[int(i)][0] for i in order])))
    if rows:
        image_rows(rows, folder / "mistakes.png")
