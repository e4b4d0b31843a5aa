"""All CUDA files of the package, and the constants that they are compiled with."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path

import rawseg_kernels
from rawseg_kernels._cuda.source import Source

ROOT = Path(str(rawseg_kernels.__file__)).parent
SOURCES = [Source(str(path), path.name) for path in sorted(ROOT.rglob("*.cu"))]


def variants(source: Source) -> tuple[tuple[tuple[str, int], ...], ...]:
    """Return the constants of every way in which a file is compiled: its module says ``VARIANTS``, or there is one, without."""
    folder = source.path.parent
    package = ".".join(("rawseg_kernels", *folder.relative_to(ROOT).parts))
    names = [name for _, name, _ in pkgutil.iter_modules([str(folder)]) if name == source.path.stem or name.startswith("cuda")]
    tables = [getattr(import_module(f"{package}.{name}"), "VARIANTS", {}) for name in names]
    found = [tuple(sorted(constants.items())) for table in tables for constants in table.get(source.path.name, ())]
    return tuple(found) or ((),)
