"""Images and masks in, batches out: reading, pairing, augmenting and loading, on plain NumPy arrays.

An image is float32 of shape (C, H, W) with values in [0, 1], a mask is int64 of shape (H, W) and holds class ids.
"""

from .augment import Brightness, Compose, Contrast, ElasticDeform, Flip, Rotate, Rotate90, ScaleCrop
from .dataset import Crops, Dataset, Subset, split
from .folder import SegmentationFolder
from .images import read_image, read_mask, write_image, write_mask
from .loader import Loader
from .nuclei import Nuclei, nuclei, nuclei_split
from .padding import PadForModel

__all__ = [
    "Brightness",
    "Compose",
    "Contrast",
    "Crops",
    "Dataset",
    "ElasticDeform",
    "Flip",
    "Loader",
    "Nuclei",
    "PadForModel",
    "Rotate",
    "Rotate90",
    "ScaleCrop",
    "SegmentationFolder",
    "Subset",
    "nuclei",
    "nuclei_split",
    "read_image",
    "read_mask",
    "split",
    "write_image",
    "write_mask",
]
