"""ONNX's operators on rawseg's kernels, a family a file; importing this room registers them all."""

import importlib
import pkgutil

from .registry import compute, known, missing, operator

for _family in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_family.name}")

__all__ = ["compute", "known", "missing", "operator"]
