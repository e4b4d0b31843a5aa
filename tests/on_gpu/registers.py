"""What every kernel needs on every chip, as recorded.

``python tests/on_gpu/registers.py`` measures all anew, in some minutes; with names, ``max_pool2d.cu``, these files alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypedDict

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from on_gpu.nvrtc import PACKAGES, Compiled, compile_source
from on_gpu.sources import SOURCES, is_made, variants

from rawseg_kernels._cuda.source import Source

CHIPS = ("75", "80", "90", "100", "120")  # Turing, Ampere, Hopper, and two of Blackwell
DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
RECORD = Path(__file__).with_name("registers.json")


class Measured(TypedDict):
    """What is recorded of a file."""

    sha256: str  # of its source, as it was compiled
    kernels: dict[str, list[int]]  # name, dtype and constants: the most registers that either compiler takes, for each chip


def compiled(source: Source, major: str, chip: str, dtype: np.dtype) -> Iterable[tuple[str, Compiled]]:
    """Yield what the kernels of a file need, each in all its variants, under the name that the record has."""
    for defines in [defines for defines in variants(source) if is_made(defines, chip, dtype)]:
        options = (*Source.options(dtype, defines), f"-arch=sm_{chip}")
        constants = " ".join(f"{key}={value}" for key, value in defines)
        for name, needs in compile_source(major, source.whole, options).items():
            yield f"{name} {dtype} {constants}".strip(), needs


def measure(file: str) -> Measured:
    """Return the registers of all kernels of a file for all chips.

    Raises
    ------
    ValueError
        If a register is spilled: what is recorded has none.
    """
    (source,) = (source for source in SOURCES if source.path.name == file)
    found: dict[str, list[int]] = {}
    for place, chip in enumerate(CHIPS):
        for dtype in DTYPES:
            for major in PACKAGES:
                for name, needs in compiled(source, major, chip, dtype):
                    if needs.spilled:
                        raise ValueError(f"{name}, sm_{chip}, NVRTC {major}: {needs.spilled} bytes of registers are spilled")
                    row = found.setdefault(name, [0] * len(CHIPS))
                    row[place] = max(row[place], needs.registers)
    return {"sha256": source.digest, "kernels": found}


def recorded() -> dict[str, Measured]:
    """Return the record, by file."""
    return json.loads(RECORD.read_text())


def written(record: dict[str, Measured]) -> str:
    """Return the record's text, a line for each kernel."""
    files = []
    for file, of_file in sorted(record.items()):
        rows = ",\n".join(f'  "{name}": {row}' for name, row in sorted(of_file["kernels"].items()))
        files.append(f'"{file}": {{"sha256": "{of_file["sha256"]}", "kernels": {{\n{rows}\n}}}}')
    return "{\n" + ",\n".join(files) + "\n}\n"


def main() -> None:
    """Write the record."""
    names = sys.argv[1:] or [source.path.name for source in SOURCES]
    found = recorded() if sys.argv[1:] else {}
    with ProcessPoolExecutor() as pool:
        for name, of_file in zip(names, pool.map(measure, names)):
            found[name] = of_file
            print(f"{name}: {len(of_file['kernels'])} kernels", flush=True)
    RECORD.write_text(written(found))


if __name__ == "__main__":
    main()
