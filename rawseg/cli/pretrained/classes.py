"""What is on a photograph: the likeliest of ImageNet's classes, by MobileNetV2."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from ..output import console

RESULTS = "classes.json"
TOP = 5  # classes of an image


class ImageNetClasses:
    """MobileNetV2 with torchvision's weights for ImageNet.

    Parameters
    ----------
    path : Path
        The weights.
    device : str
        Where it runs.
    """

    def __init__(self, path: Path, device: str) -> None:
        from ... import models
        from ...interchange import imagenet
        from ...nn.init import skipped

        with skipped():  # the file brings every weight
            self.model = models.mobilenet_v2()
        models.load_pretrained(self.model, path)
        self.model.to(device).eval()
        self.names = imagenet.class_names()

    def predict(self, paths: list[Path], out: Path, overlay: bool) -> None:
        """Print the likeliest classes of every image; `RESULTS` holds them for other programs."""
        from ... import data
        from ...files import write_bytes_atomically

        screen, found = console(), []
        for path in paths:
            start = time.perf_counter()
            image = data.read_image(path, channels=3)
            probabilities = self.probabilities(image)
            best = np.argsort(-probabilities, kind="stable")[:TOP].tolist()
            rows = [{"id": i, "name": self.name(i), "probability": float(probabilities[i])} for i in best]
            found.append({"file_name": path.name, "classes": rows})
            what = ", ".join(f"{row['name']} {row['probability']:.1%}" for row in rows)
            seconds = time.perf_counter() - start
            screen.print(f"{path.name}: {image.shape[2]} x {image.shape[1]}, {what}, {seconds:.1f} s")
        write_bytes_atomically(out / RESULTS, json.dumps({"images": found}, indent=1).encode())
        if self.names is None:
            from ...interchange.imagenet import NAMES_FROM

            screen.print(f"no installed package has the classes' names: {NAMES_FROM}")
        screen.print(f"written to {out / RESULTS}")

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """Return the probability of every class, shape (1000,), for an image (3, H, W)."""
        from ... import functional as F
        from ... import no_grad
        from ...interchange import imagenet
        from ...models.inference import as_input

        with no_grad():
            logits = self.model(as_input(imagenet.prepared(image), self.model))
            return F.softmax(logits, 1).to("cpu").numpy()[0]

    def name(self, number: int) -> str:
        """Return a class's name, or its number where no package has the names."""
        return self.names[number] if self.names else f"class {number}"
