"""Images and masks in, batches out: reading, pairing, augmenting and loading, on plain NumPy arrays.

An image is float32 of shape (C, H, W) with values in [0, 1], a mask is int64 of shape (H, W) and holds class ids.
"""

from .arrays import Images
from .augment import Brightness, Compose, Contrast, ElasticDeform, Flip, Rotate, Rotate90, ScaleCrop
from .dataset import Crops, Dataset, Subset, split
from .faces import MaskedFaces, masked_faces
from .fashion_mnist import FASHION_CLASSES, fashion_mnist, read_idx
from .folder import SegmentationFolder
from .images import read_image, read_mask, write_image, write_mask
from .loader import Loader
from .nuclei import Nuclei, nuclei, nuclei_split
from .padding import PadForModel

__all__ = [
    "FASHION_CLASSES",
    "Brightness",
    "Compose",
    "Contrast",
    "Crops",
    "Dataset",
    "ElasticDeform",
    "Flip",
    "Images",
    "Loader",
    "MaskedFaces",
    "Nuclei",
    "PadForModel",
    "Rotate",
    "Rotate90",
    "ScaleCrop",
    "SegmentationFolder",
    "Subset",
    "fashion_mnist",
    "masked_faces",
    "nuclei",
    "nuclei_split",
    "read_idx",
    "read_image",
    "read_mask",
    "split",
    "write_image",
    "write_mask",
]
