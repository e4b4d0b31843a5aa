"""One face for functions on everybody's arrays: rawseg's, PyTorch's, NumPy's, CuPy's, with or without a written gradient."""

from .adapter import Adapter, GradientError
from .adapting import FRAMEWORKS, adapt, framework_of, imported, load
from .placing import placed

__all__ = ["FRAMEWORKS", "Adapter", "GradientError", "adapt", "framework_of", "imported", "load", "placed"]
