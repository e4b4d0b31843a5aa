"""Where persons are on a photograph: MediaPipe's network for selfies."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from ..output import console

SIDE = 256  # pixels of what the network sees, whatever the shape of the photograph
PERSON_FROM = 0.5


class Persons:
    """MediaPipe's selfie segmentation, from TensorFlow.js's form of it.

    Parameters
    ----------
    path : Path
        The model's .json file, with its .bin beside it.
    device : str
        Where it runs.
    """

    def __init__(self, path: Path, device: str) -> None:
        from ... import tfjs

        self.model, self.path, self.device = tfjs.load(path).to(device).eval(), path, device

    def predict(self, paths: list[Path], out: Path, overlay: bool) -> None:
        """Write STEM_mask.png, 1 where a person is, and STEM_overlay.png for every image."""
        from ... import data
        from ...pictures import overlay as draw

        screen = console()
        for path in paths:
            start = time.perf_counter()
            image = data.read_image(path, channels=3)
            probability = self.probability(image)
            mask = (probability >= PERSON_FROM).astype(np.uint8)
            data.write_mask(out / f"{path.stem}_mask.png", mask)
            if overlay:
                data.write_image(out / f"{path.stem}_overlay.png", draw(image, mask).transpose(2, 0, 1))
            sure = np.maximum(probability, 1 - probability).mean()
            size, seconds = f"{image.shape[2]} x {image.shape[1]}", time.perf_counter() - start
            screen.print(f"{path.name}: {size}, person {mask.mean():.1%}, mean confidence {sure:.3f}, {seconds:.1f} s")
        screen.print(f"written to {out}")

    def probability(self, image: np.ndarray) -> np.ndarray:
        """Return how likely each pixel shows a person, shape (H, W), for an image (3, H, W) in [0, 1]."""
        from ... import Tensor, no_grad
        from ... import functional as F
        from ...errors import CheckpointError
        from ...interchange.imagenet import resized

        with no_grad():
            small = self.model(Tensor(resized(image, (SIDE, SIDE))[None]).to(self.device))
            if not isinstance(small, Tensor) or small.shape != (1, 1, SIDE, SIDE):
                got = small.shape if isinstance(small, Tensor) else f"{len(small)} outputs"
                raise CheckpointError("predict", str(self.path), f"a network with one map of {SIDE} x {SIDE} pixels", got)
            return F.interpolate(small, size=image.shape[1:], mode="bilinear").to("cpu").numpy()[0, 0]
