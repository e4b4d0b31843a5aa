"""rawseg's operations as ONNX nodes, a family a file; importing this room registers them all."""

import importlib
import pkgutil

from .registry import translates, translation, untranslated

for _family in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_family.name}")

__all__ = ["translates", "translation", "untranslated"]
