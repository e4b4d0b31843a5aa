"""Training: the loop, checkpoints that continue bit for bit, and pictures of what came of it."""

from ..models import load_weights
from ..pictures import overlay, overlay_sheet
from .checkpoint import load_checkpoint, save_checkpoint
from .curves import learning_curves
from .detection import Detection
from .errors import TrainingError
from .evaluation import evaluate
from .loop import Trainer
from .progress import Progress, Result
from .run_folder import BEST, HISTORY, LAST
from .tasks import Classification, Reconstruction, Segmentation

__all__ = [
    "BEST",
    "HISTORY",
    "LAST",
    "Classification",
    "Detection",
    "Progress",
    "Reconstruction",
    "Result",
    "Segmentation",
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
