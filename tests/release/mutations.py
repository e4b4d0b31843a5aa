"""Planted faults: what one is, and all of them. Each is a small edit of a source that named tests must not survive.

``old`` occurs exactly once in its file, which a test of the default run keeps true.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, TypeAlias

from release.faults_in_kernels import FAULTS_IN_KERNELS
from release.faults_in_rawseg import FAULTS_IN_RAWSEG

# (file, pytest's arguments: files below tests/, then perhaps -k and an expression, [(family, old, new), ...])
Catalogue: TypeAlias = list[tuple[str, str, list[tuple[str, str, str]]]]


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
        """Whether kernels are compiled anew: their cache carries a hash of all sources of the package."""
        return self.file.startswith("kernels/")

    def applied(self, root: Path) -> str:
        """Return the faulty source."""
        source = (root / self.file).read_text()
        count = source.count(self.old)
        assert count == 1, f"{self.file}: the catalogue of faults is out of date: {self.old!r} occurs {count} times, not once"
        return source.replace(self.old, self.new)


def _all(catalogue: Catalogue) -> list[Mutation]:
    return [Mutation(family, file, old, new, tests) for file, tests, faults in catalogue for family, old, new in faults]


MUTATIONS = _all(FAULTS_IN_KERNELS) + _all(FAULTS_IN_RAWSEG)
