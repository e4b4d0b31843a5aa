"""How good a segmentation is: confusion matrices, and IoU, Dice, precision, recall and pixel accuracy from them.

With the counts of pixels TP (in both), FP (only predicted) and FN (only true) of a class::

    IoU = TP / (TP + FP + FN)         precision = TP / (TP + FP)
    Dice = 2 TP / (2 TP + FP + FN)    recall    = TP / (TP + FN)

so that Dice = 2 IoU / (1 + IoU), and Dice is the F1 score, the harmonic mean of precision and recall. A class that occurs
in neither truth nor prediction has no score; what it counts as is the explicit option ``empty``:

``"nan"``
    NaN, and means leave it out (the default).
``"zero"``, ``"one"``
    0 or 1, and means count it.
``"raise"``
    DataError.

A class that occurs in only one of the two scores 0 everywhere, also where a formula would divide 0 by 0.

Single objects are scored by COCO's average precision, of their masks or of their boxes.
"""

from .accumulate import Metrics, Summary
from .average_precision import AveragePrecision, average_precision
from .confusion import confusion_matrix
from .scores import dice, iou, per_image, pixel_accuracy, precision, recall

__all__ = [
    "AveragePrecision",
    "Metrics",
    "Summary",
    "average_precision",
    "confusion_matrix",
    "dice",
    "iou",
    "per_image",
    "pixel_accuracy",
    "precision",
    "recall",
]
