"""What can go wrong in training itself, rather than in its input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import RawsegError
from .progress import Progress


class TrainingError(RawsegError, RuntimeError):
    """The loss, a gradient or a weight is no longer finite."""


def not_finite(
    what: str, got: object, progress: Progress, last_loss: float | None, checkpoint: Path, rates: Sequence[float]
) -> TrainingError:
    """Return the error for a number that is not finite, with all that helps to find out why.

    Parameters
    ----------
    what : str
        Which number.
    got : object
        What it is.
    progress : Progress
        Where the run stands.
    last_loss : float, optional
        The loss of the step before.
    checkpoint : Path
        What is left of the run, if it exists.
    rates : sequence of float
        The learning rates.
    """
    place = f"{got} at epoch {progress.epoch + 1}, step {progress.step + 1}"
    before = "no step went well before" if last_loss is None else f"the last finite loss was {last_loss:.6g}"
    saved = f"no file was overwritten, {checkpoint} continues from before" if checkpoint.exists() else "no file was written"
    now = ", ".join(f"{rate:.3g}" for rate in rates)
    advice = f"try a lower learning rate (now {now}) or clip_norm, or find the cause with rawseg.detect_anomaly()"
    return TrainingError("fit", what, "finite numbers", f"{place}; {before}; {saved}; {advice}")
