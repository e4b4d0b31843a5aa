"""The folder of golden vectors: one .npz an operation, cases.json, and how to read and replay them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from ... import __version__
from ...errors import DataError
from ...files import sweep_temporaries, write_bytes_atomically
from ..contracts import contract_of, contracts
from .shelf import Entry
from .vectors import vectors_of

INDEX = "cases.json"
BESIDE = ("replay.py", "README.txt")  # package data, copied into the folder


def write(folder: str | os.PathLike[str], ops: Sequence[str] = ()) -> int:
    """Write the cases of contracts into a folder, with what is exact and how far rounding may take a result.

    Parameters
    ----------
    folder : str or path
        Made if it is not there. ``cases.json`` comes last and holds the SHA-256 of the others: where it is, an export is whole.
    ops : sequence of str
        Public names of operations; every contract, unless given.

    Returns
    -------
    int
        How many cases were written. The same versions of rawseg, NumPy and hypothesis write the same bytes.

    Raises
    ------
    ArgumentError
        If there is no contract of a name.
    DataError
        If a file cannot be written, or would replace one that no earlier export wrote.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     number = write(folder, ["conv2d"])
    ...     sorted(os.listdir(folder))
    ['README.txt', 'cases.json', 'conv2d.npz', 'replay.py']
    """
    folder, chosen = Path(folder), [contract_of(op) for op in dict.fromkeys(ops or contracts())]
    folder.mkdir(parents=True, exist_ok=True)
    earlier = _of_an_earlier_export(folder, [f"{contract.op}.npz" for contract in chosen])
    sweep_temporaries(folder)
    for name in (INDEX, *earlier):  # the index first: it belongs to the files that it was written with, and to no others
        (folder / name).unlink(missing_ok=True)
    sums, defaults, cases = {}, {}, []
    for contract in chosen:
        entries, defaults[contract.op], shelf = vectors_of(contract)
        sums[f"{contract.op}.npz"] = _put(folder / f"{contract.op}.npz", shelf.packed())
        cases += entries
    for name in BESIDE:
        sums[name] = _put(folder / name, (files("rawseg.testing.golden") / name).read_bytes())
    _put(folder / INDEX, _index({"rawseg": __version__, "sha256": sums, "defaults": defaults}, cases))
    return len(cases)


def _of_an_earlier_export(folder: Path, vectors: list[str]) -> list[str]:
    """Return the files that an earlier export wrote and that are as it wrote them; refuse to replace anybody else's."""
    try:
        sums = json.loads((folder / INDEX).read_text())["sha256"]
        written = [name for name in sums if "/" not in name and _sum(folder / name) == sums[name]]
    except (OSError, ValueError, TypeError, LookupError):
        written = None
    for name in (INDEX, *BESIDE, *vectors):
        if (folder / name).exists() and (written is None or name not in (INDEX, *written)):
            raise DataError("golden", str(folder), "an empty folder, or one of an earlier export as it was written", name)
    return written or []


def _sum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _put(path: Path, data: bytes) -> str:
    write_bytes_atomically(path, data)
    return hashlib.sha256(data).hexdigest()


def _index(head: Entry, cases: list[Entry]) -> bytes:
    """Return cases.json: a line a case, so that two exports can be compared line by line."""
    start = json.dumps(head, allow_nan=False)[:-1]
    lines = ",\n".join(json.dumps(case, allow_nan=False) for case in cases)
    return f'{start}, "cases": [\n{lines}\n]}}\n'.encode()
