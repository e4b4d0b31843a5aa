"""TensorFlow's operations as ONNX's, a family a file; importing this room registers them all."""

import importlib
import pkgutil

for _family in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_family.name}")
