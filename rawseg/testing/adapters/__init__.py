"""One face for functions on everybody's arrays: rawseg's, PyTorch's, NumPy's, CuPy's, with or without a written gradient."""

from .adapter import Adapter, GradientError
from .adapting import adapt, load
from .guessing import FRAMEWORKS, framework_of, imported_frameworks
from .importing import imported
from .placing import placed

__all__ = [
    "FRAMEWORKS",
    "Adapter",
    "GradientError",
    "adapt",
    "framework_of",
    "imported",
    "imported_frameworks",
    "load",
    "placed",
]
