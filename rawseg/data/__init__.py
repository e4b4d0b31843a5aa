"""Images and masks in, batches out: reading, pairing, augmenting and loading, on plain NumPy arrays.

An image is float32 of shape (C, H, W) with values in [0, 1], a mask is int64 of shape (H, W) and holds class ids. Instances are
a dictionary with a box, a label and a bool mask of every object.
"""

from .arrays import Images
from .augment import Brightness, Compose, Contrast, ElasticDeform, Flip, Rotate, Rotate90, ScaleCrop
from .coco import CocoInstances
from .coco_form import as_results, ground_truth_of
from .dataset import Crops, Dataset, Fixed, Subset, split
from .faces import MaskedFaces, masked_faces
from .fashion_mnist import FASHION_CLASSES, fashion_mnist, read_idx
from .folder import SegmentationFolder
from .images import read_image, read_mask, write_image, write_mask
from .instance_arrays import InstanceArrays, InstanceCrops
from .instance_augment import FlipInstances, TurnInstances
from .instance_folder import InstanceFolder
from .loader import Loader
from .nuclei import Nuclei, nuclei, nuclei_split
from .padding import PadForModel
from .scenes import CutOut, Scenes, backgrounds, cut_outs, scenes

__all__ = [
    "FASHION_CLASSES",
    "Brightness",
    "CocoInstances",
    "Compose",
    "Contrast",
    "Crops",
    "CutOut",
    "Dataset",
    "ElasticDeform",
    "Fixed",
    "Flip",
    "FlipInstances",
    "Images",
    "InstanceArrays",
    "InstanceCrops",
    "InstanceFolder",
    "Loader",
    "MaskedFaces",
    "Nuclei",
    "PadForModel",
    "Rotate",
    "Rotate90",
    "ScaleCrop",
    "Scenes",
    "SegmentationFolder",
    "Subset",
    "TurnInstances",
    "as_results",
    "backgrounds",
    "cut_outs",
    "fashion_mnist",
    "ground_truth_of",
    "masked_faces",
    "nuclei",
    "nuclei_split",
    "read_idx",
    "read_image",
    "read_mask",
    "scenes",
    "split",
    "write_image",
    "write_mask",
]
