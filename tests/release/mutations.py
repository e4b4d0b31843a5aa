"""Planted faults: what one is, and all of them. Each is a small edit of a source that named tests must not survive.

``old`` occurs exactly once in its file, which a test of the default run keeps true.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeAlias

from release.faults import (
    activations,
    autograd,
    boxes,
    cuda,
    data,
    detectors,
    functional,
    learning,
    losses,
    memory,
    networks,
    norms,
    planes,
    products,
    regions,
    sampling,
    threads,
    windows,
    winograd,
)

Fault: TypeAlias = tuple[str, str, str]  # family, old text, new text
Group: TypeAlias = tuple[str, str, list[Fault]]  # file; arguments of pytest: files below tests/, perhaps -k; its faults


class Mutation(NamedTuple):
    """One fault."""

    family: str
    file: str  # from the repository's root
    old: str
    new: str
    tests: str

    @property
    def name(self) -> str:
        """What pytest calls it; the line of the catalogue is found by its text."""
        return f"{self.file.removeprefix('kernels/').removesuffix('.py')}: {self.family}: {' '.join(self.old.split())[:60]}"

    @property
    def in_kernels(self) -> bool:
        """Whether kernels are compiled anew: their cache has a hash of all Python sources; of CUDA's each has its own."""
        return self.file.startswith("kernels/") and self.file.endswith(".py")

    def applied(self, root: Path) -> str:
        """Return the faulty source."""
        source = (root / self.file).read_text()
        count = source.count(self.old)
        assert count == 1, f"{self.file}: the catalogue of faults is out of date: {self.old!r} occurs {count} times, not once"
        return source.replace(self.old, self.new)


FAMILIES = (
    planes,
    windows,
    regions,
    boxes,
    sampling,
    norms,
    products,
    winograd,
    threads,
    autograd,
    activations,
    functional,
    losses,
    memory,
    learning,
    data,
    networks,
    detectors,
    cuda,
)
GROUPS: list[Group] = [group for family in FAMILIES for group in family.FAULTS]
MUTATIONS = [Mutation(family, file, old, new, tests) for file, tests, faults in GROUPS for family, old, new in faults]
