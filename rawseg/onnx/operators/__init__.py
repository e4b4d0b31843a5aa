"""ONNX's operators on rawseg's kernels, a family a file; importing this room registers them all."""

from . import convolution
from .registry import compute, known, operator

__all__ = ["compute", "convolution", "known", "operator"]
