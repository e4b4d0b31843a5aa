"""What every kernel needs on every chip, as recorded.

``python tests/cuda/registers.py`` measures all anew, in some ten minutes; with names, ``max_pool2d.cu``, these files alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from cuda.nvrtc import PACKAGES, Compiled, compile_source
from cuda.sources import SOURCES, is_made, variants

from rawseg_kernels._cuda.source import Source

CHIPS = ("75", "80", "90", "100", "120")  # Turing, Ampere, Hopper, and two of Blackwell
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
RECORD = Path(__file__).with_name("registers.json")
Record = dict[str, dict[str, list[int]]]  # file: kernel, dtype and constants: the most of both compilers for each chip


def compiled(source: Source, major: str, chip: str, dtype: np.dtype) -> Iterable[tuple[str, Compiled]]:
    """Yield what the kernels of a file need, each in all its variants, under the name that the record has."""
    for defines in [defines for defines in variants(source) if is_made(defines, chip, dtype)]:
        options = (*Source.options(dtype, defines), f"-arch=sm_{chip}")
        constants = " ".join(f"{key}={value}" for key, value in defines)
        for name, needs in compile_source(major, source.whole, options).items():
            yield f"{name} {dtype} {constants}".strip(), needs


def measure(file: str) -> dict[str, list[int]]:
    """Return the registers of all kernels of a file for all chips."""
    (source,) = (source for source in SOURCES if source.path.name == file)
    found: dict[str, list[int]] = {}
    for place, chip in enumerate(CHIPS):
        for dtype in DTYPES:
            for major in PACKAGES:
                for name, needs in compiled(source, major, chip, dtype):
                    row = found.setdefault(name, [0] * len(CHIPS))
                    row[place] = max(row[place], needs.registers)
    return found


def recorded() -> Record:
    """Return the record."""
    return json.loads(RECORD.read_text())


def main() -> None:
    """Write the record."""
    names = sys.argv[1:] or [source.path.name for source in SOURCES]
    found: Record = recorded() if sys.argv[1:] else {}
    with ProcessPoolExecutor() as pool:
        for name, rows in zip(names, pool.map(measure, names)):
            found[name] = rows
            print(f"{name}: {len(rows)} kernels", flush=True)
    lines = [
        f'"{file}": {{\n' + ",\n".join(f'  "{name}": {row}' for name, row in sorted(rows.items())) + "\n}"
        for file, rows in sorted(found.items())
    ]
    RECORD.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
