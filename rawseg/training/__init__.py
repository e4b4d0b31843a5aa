"""Training: the loop, checkpoints that continue bit for bit, and pictures of what came of it."""

from ..models import load_weights
from .checkpoint import load_checkpoint, save_checkpoint
from .errors import TrainingError
from .evaluation import evaluate
from .loop import Trainer
from .plots import learning_curves, overlay, overlay_sheet
from .progress import Progress, Result
from .run_folder import BEST, HISTORY, LAST

__all__ = [
    "BEST",
    "HISTORY",
    "LAST",
    "Progress",
    "Result",
    "Trainer",
    "TrainingError",
    "evaluate",
    "learning_curves",
    "load_checkpoint",
    "load_weights",
    "overlay",
    "overlay_sheet",
    "save_checkpoint",
]
