"""What of a weight file fits a network, key by key: to read before, after, and when it does not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches

__all__ = ["Report"]

SHOWN = 40  # rows of the printed table
NAMED = 6  # keys of a kind in a message
COMPARED = 16  # missing keys for which a renamed one is looked for: every comparison costs
CLOSE = 0.8  # share of equal letters from which on one name may be another one's


@dataclass(frozen=True)
class Report:
    """The keys of a weight file beside those of a network.

    Attributes
    ----------
    loaded : list of str
        Keys that are in both, with one shape, in the network's order.
    missing : list of str
        Keys of the network that the file lacks.
    unexpected : list of str
        Keys of the file that the network lacks.
    mismatched : dict
        Keys that are in both, and how they differ.
    renamed : dict
        Keys of the file and what the network calls them: earlier names of torchvision, and those of wrapped networks.
    converted : dict
        Keys and the dtype that they have in the file, where the network's is wider.
    ignored : list of str
        Keys that were left out and need not be told: counters of batches, a classifier for training alone.
    shapes : dict
        Shape of every key, the file's where both have one.

    Examples
    --------
    >>> report = Report(["a.weight"], missing=["head.weight"], unexpected=["heads.weight"])
    >>> report.complete
    False
    >>> print(report)
    1 of 2 keys fit
    state       key           shape  note
    missing     head.weight          heads.weight in the file?
    unexpected  heads.weight
    """

    loaded: list[str]
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    converted: dict[str, str] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every key of the network is loaded and none of the file is left over."""
        return not (self.missing or self.unexpected or self.mismatched)

    def suggestions(self) -> dict[str, str]:
        """Return for missing keys the leftover key of the file that is most like each: of its shape, with the same numbers."""
        found: dict[str, str] = {}
        for name in self.missing[: 0 if self._prefixes() else COMPARED]:
            alike = [other for other in self.unexpected if self._is_alike(name, other) and other not in found.values()]
            close = get_close_matches(name, alike[: 4 * COMPARED], n=1, cutoff=CLOSE)
            if close:
                found[name] = close[0]
        return found

    def _is_alike(self, name: str, other: str) -> bool:
        same_numbers = re.findall(r"\d+", name) == re.findall(r"\d+", other)  # layer 3 is not what layer 2 is called elsewhere
        return same_numbers and self.shapes.get(name) == self.shapes.get(other)

    def hints(self) -> list[str]:
        """Return what would help, in words, where many keys have one fault."""
        found = self._prefixes()
        norms = [name for name in self.missing if name.endswith("running_mean")]
        if norms and self.loaded and not any(name.endswith("running_mean") for name in (*self.loaded, *self.unexpected)):
            found.append("the file is of a network without batch norms")
        if any(note.startswith("float64") for note in self.mismatched.values()):
            found.append("float64 is not narrowed: network.double() takes it")
        return found

    def _prefixes(self) -> list[str]:
        """Return what to put before the names of the file, or to leave out there, for most of those left over to fit."""
        found = []
        for word, long, short in (("with", self.missing, self.unexpected), ("without", self.unexpected, self.missing)):
            for prefix, count in self._shared_prefixes(long, set(short)).most_common(1):
                if 2 * count > len(self.unexpected):
                    found.append(f"{count} of {len(self.unexpected)} unexpected keys would fit {word} {prefix!r} before them")
        return found

    def _shared_prefixes(self, long: Collection[str], short: Collection[str]) -> Counter[str]:
        """Count the beginnings of long names that end in one of the short ones, of the same shape."""
        counts: Counter[str] = Counter()
        for name in long:
            for dot in re.finditer(r"\.", name):
                rest = name[dot.end() :]
                if rest in short and self.shapes.get(rest) == self.shapes.get(name):
                    counts[name[: dot.end()]] += 1
        return counts

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return state, key, shape and a note of everything that is not plainly loaded."""
        close = self.suggestions()
        rows = [("mismatched", name, note) for name, note in self.mismatched.items()]
        rows += [("missing", name, f"{close[name]} in the file?" if name in close else "") for name in self.missing]
        rows += [("unexpected", name, "") for name in self.unexpected]
        rows += [("renamed", new, f"{old} in the file") for old, new in self.renamed.items()]
        rows += [("converted", name, f"from {dtype}") for name, dtype in self.converted.items()]
        rows += [("ignored", name, "") for name in self.ignored]
        return [(state, name, _text(self.shapes, name), note) for state, name, note in rows]

    def __str__(self) -> str:
        """Return the table; of very many rows, the first."""
        rows = self.rows()
        total = len(self.loaded) + len(self.missing) + len(self.mismatched)
        lines = [f"{len(self.loaded)} of {total} keys fit", *self.hints()]
        if rows:
            table = [("state", "key", "shape", "note"), *rows[:SHOWN]]
            widths = [max(len(row[i]) for row in table) for i in range(4)]
            lines += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table]
        if len(rows) > SHOWN:
            lines.append(f"... and {len(rows) - SHOWN} more: see rows()")
        return "\n".join(lines)

    def faults(self) -> str:
        """Return what does not fit in one line, for a message: of many keys the first."""
        close = self.suggestions()
        lists = {
            "missing": [f"{name} (renamed from {close[name]}?)" if name in close else name for name in self.missing],
            "unexpected": self.unexpected,
            "mismatched": [f"{name} ({note})" for name, note in self.mismatched.items()],
        }
        told = [f"{len(names)} {kind}: {_first(names)}" for kind, names in lists.items() if names]
        return "; ".join([*self.hints(), *told])


def _first(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _text(shapes: Mapping[str, tuple[int, ...]], name: str) -> str:
    return " x ".join(map(str, shapes[name])) if shapes.get(name) else "" if name not in shapes else "scalar"
