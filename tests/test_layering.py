"""The architecture's promises about imports: light at the top, arrows in one direction."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = [
    "autograd",
    "functional",
    "nn",
    "ops",
    "optim",
    "cuda",
    "interchange",
    "models",
    "data",
    "metrics",
    "pictures",
    "xray",
    "training",
    "cli",
]
MAY_CALL_KERNELS = {"autograd", "functional", "ops"}  # autograd for matmul only
MAY_ASK_TORCH = {"benchmark", "testing"}  # the other side of every comparison; whose functions are checked
READS_TORCHS_FILES = ROOT / "rawseg" / "interchange" / "pickled.py"  # the one module that does


def imported(path: Path) -> set[str]:
    """Return the absolute names of the modules that a file imports."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return names


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def floor_of(path: Path) -> str:
    return path.relative_to(ROOT / "rawseg").parts[0].removesuffix(".py")


def test_import_rawseg_loads_nothing_heavy():
    script = (
        "import sys, rawseg; print([m for m in ('numba', 'cupy', 'torch', 'scipy', 'PIL', 'matplotlib') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_kernels_know_nothing_of_rawseg_and_only_jit_and_simd_know_numba():
    for path in files("kernels/rawseg_kernels"):
        names = imported(path)
        assert not any(name == "rawseg" or name.startswith("rawseg.") for name in names), path
        if path.name not in (
            "_jit.py",
            "_jit_cache.py",
            "_jit_compiler.py",
            "_jit_entry.py",
            "_jit_part.py",
            "_addresses.py",
            "_atomics.py",
            "_sharing.py",
            "_simd.py",
            "_simd_affine.py",
            "_simd_columns.py",
            "_simd_gathers.py",
            "_simd_maxima.py",
            "_simd_means.py",
            "_simd_copies.py",
            "_simd_dots.py",
            "_simd_doubling.py",
            "_simd_norms.py",
            "_simd_rows.py",
            "_simd_winograd.py",
            "_simd_pairs.py",
            "_simd_peak.py",
            "_simd_scalar.py",
            "_simd_sums.py",
        ):
            assert not any(name.split(".")[0] in ("numba", "llvmlite") for name in names), path
        assert not any(name.split(".")[0] in ("torch", "scipy") for name in names), path


@pytest.mark.parametrize("path", files("rawseg"), ids=lambda p: str(p.relative_to(ROOT)))
def test_arrows_never_point_up(path):
    floor, names = floor_of(path), imported(path)
    foreign = ("numba",) if floor in MAY_ASK_TORCH or path == READS_TORCHS_FILES else ("numba", "torch")
    assert not any(name.split(".")[0] in foreign for name in names)
    if floor in FLOORS:
        above = FLOORS[FLOORS.index(floor) + 1 :]
        assert not [n for n in names for f in above if n == f"rawseg.{f}" or n.startswith(f"rawseg.{f}.")]
    if floor in FLOORS and floor not in MAY_CALL_KERNELS:
        assert not [n for n in names if n.startswith("rawseg_kernels.") and not n.startswith("rawseg_kernels._")]


def test_no_room_is_a_junk_drawer():
    for path in [*files("rawseg"), *files("kernels")]:
        assert path.stem not in ("utils", "helpers", "common", "base", "misc"), path
    assert not (ROOT / "kernels" / "__init__.py").exists()
