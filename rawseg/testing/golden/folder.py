"""The folder of golden vectors: one .npz an operation, cases.json, and how to read and replay them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from ... import __version__
from ...files import sweep_temporaries, write_bytes_atomically
from ..contracts import contract_of, contracts
from .shelf import Entry
from .vectors import vectors_of

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
        If a file cannot be written.

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
    sweep_temporaries(folder)
    (folder / "cases.json").unlink(missing_ok=True)  # it belongs to the files that it was written with, and to no others
    sums, defaults, cases = {}, {}, []
    for contract in chosen:
        entries, defaults[contract.op], shelf = vectors_of(contract)
        sums[f"{contract.op}.npz"] = _put(folder / f"{contract.op}.npz", shelf.packed())
        cases += entries
    for name in BESIDE:
        sums[name] = _put(folder / name, (files("rawseg.testing.golden") / name).read_bytes())
    _put(folder / "cases.json", _index({"rawseg": __version__, "sha256": sums, "defaults": defaults}, cases))
    return len(cases)


def _put(path: Path, data: bytes) -> str:
    write_bytes_atomically(path, data)
    return hashlib.sha256(data).hexdigest()


def _index(head: Entry, cases: list[Entry]) -> bytes:
    """Return cases.json: a line a case, so that two exports can be compared line by line."""
    start = json.dumps(head, allow_nan=False)[:-1]
    lines = ",\n".join(json.dumps(case, allow_nan=False) for case in cases)
    return f'{start}, "cases": [\n{lines}\n]}}\n'.encode()
