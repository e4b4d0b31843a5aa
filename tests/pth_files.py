"""Files of torch.save as tests need them: good ones in both of its forms, and hostile ones."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import torch

FORMS = {"archive": True, "pickles": False}  # PyTorch's form since 1.6, and the one before


def written(path: Path, content: Any, form: str = "archive") -> Path:
    """Save with PyTorch; return the path."""
    torch.save(content, path, _use_new_zipfile_serialization=FORMS[form])
    return path


class Runs:
    """An object whose pickle makes a file when it is loaded by a careless reader."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.mark),)


def rewritten(source: Path, target: Path, change: Any, compression: int = zipfile.ZIP_STORED) -> Path:
    """Copy an archive, each member through ``change(name, data)``; return the target."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(source) as before, zipfile.ZipFile(buffer, "w", compression) as after:
        for member in before.infolist():
            after.writestr(member.filename, change(member.filename, before.read(member)))
    target.write_bytes(buffer.getvalue())
    return target
