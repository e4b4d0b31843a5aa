"""All CUDA files of the package, and the constants that they are compiled with."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

import numpy as np

import rawseg_kernels
from rawseg_kernels._cuda.source import Source
from rawseg_kernels._tensor_cores import LEAST

ROOT = Path(str(rawseg_kernels.__file__)).parent
SOURCES = [Source(str(path), path.name) for path in sorted(ROOT.rglob("*.cu"))]


def is_made(defines: tuple[tuple[str, int], ...], chip: str, dtype: np.dtype) -> bool:
    """Say whether a file is ever compiled so: tensor cores multiply float32, from a compute capability on."""
    on_tensor_cores = dict(defines).get("PRODUCTS", 0) > 0
    return not on_tensor_cores or (dtype == np.float32 and divmod(int(chip), 10) >= LEAST)


def variants(source: Source) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Return the constants of every way in which a file is compiled: its module says ``VARIANTS``, or there is one, without."""
    folder = source.path.parent
    package = ".".join(("rawseg_kernels", *folder.relative_to(ROOT).parts))
    names = [name for _, name, _ in pkgutil.iter_modules([str(folder)]) if name == source.path.stem or name.startswith("cuda")]
    tables = [getattr(import_module(f"{package}.{name}"), "VARIANTS", {}) for name in names]
    found = [tuple(sorted(constants.items())) for table in tables for constants in table.get(source.path.name, ())]
    return tuple(found) or ((),)
