"""Compiled kernels on disk, so that no state of the disk can fail a run: damaged, read-only, full, or shared by many processes.

Numba's own cache keeps an index of numbered files for each function: two processes that compile different signatures at once
can leave an index that leads to the other's machine code, and a file that was cut short raises whatever unpickling raises. Here
every signature has a file of its own, named for what it holds, that begins with the SHA-256 of the rest: what does not match
is thrown away and compiled again. Files are written under another name and renamed: whoever reads finds all of one or nothing.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import secrets
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from numba.core.caching import NullCache
from numba.core.serialize import dumps

from ._jit_part import rebuilt

UNUSED_DAYS = 30  # after which the kernels of another version of the sources are deleted
DIGEST = hashlib.sha256().digest_size
_told: set[str] = set()


class CacheWarning(UserWarning):
    """Something is wrong with the kernel cache; the run goes on, with kernels that it compiles itself."""


def tell_once(message: str) -> None:
    """Warn, once a process, however many kernels meet the same trouble."""
    if message not in _told:
        _told.add(message)
        warnings.warn(message, CacheWarning, stacklevel=2)


def _stamp(file: str) -> tuple[int, int] | None:
    """Return time and size of a file outside this package, whose kernels read its globals; ours are in the folder's name."""
    path = Path(file)
    if path.is_relative_to(Path(__file__).parent):
        return None
    try:
        state = path.stat()
    except OSError:  # an interpreter's or a notebook's
        return None
    return state.st_mtime_ns, state.st_size


class KernelCache(NullCache):
    """What Numba asks for the compiled signatures of one function.

    Parameters
    ----------
    function : callable
        The function, whose code is part of the names of its files.
    folder : path
        Where they lie; other functions may have theirs in it.
    """

    def __init__(self, function: Callable[..., Any], folder: Path) -> None:
        self._folder = folder
        code = function.__code__
        self._name = f"{function.__module__}.{function.__qualname__}".replace("<", "").replace(">", "")
        constants = [getattr(constant, "co_code", constant) for constant in code.co_consts]  # not the address of inner code
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        self._made_of = sys.version_info[:2], code.co_code, constants, code.co_names, cells, _stamp(code.co_filename)

    @property
    def cache_path(self) -> str:
        """The folder."""
        return str(self._folder)

    def _file(self, signature: Any, codegen: Any) -> Path:
        key = repr((self._made_of, signature, codegen.magic_tuple()))
        return self._folder / f"{self._name}.{hashlib.sha256(key.encode()).hexdigest()[:24]}.nbc"

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled signature, or None if it must be compiled."""
        target_context.refresh()  # Numba's functions must be known to it before code that calls them is
        path = self._file(sig, target_context.codegen())
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            tell_once(f"the kernel cache {self._folder} cannot be read ({error.strerror}); kernels are compiled again")
            return None
        if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            with suppress(OSError):
                path.unlink()
            tell_once(f"damaged files in the kernel cache {self._folder} are deleted; their kernels are compiled again")
            return None
        return rebuilt(target_context, *pickle.loads(content[DIGEST:]))

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled signature for the next process, if the disk lets it."""
        if data.library.has_dynamic_globals:  # machine code with addresses of this process in it
            return
        content = dumps(data._reduce())
        path = self._file(sig, data.codegen)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
            os.replace(temporary, path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            tell_once(f"the kernel cache {self._folder} cannot be written ({error.strerror}); no kernel is kept")


def prune(folder: Path) -> None:
    """Mark a cache folder as used, and delete its neighbours that no process has used for long."""
    limit = time.time() - 86400 * UNUSED_DAYS
    with suppress(OSError):
        os.utime(folder)
        for other in folder.parent.glob("kernels-*"):
            if other != folder and other.is_dir() and other.stat().st_mtime < limit:
                shutil.rmtree(other, ignore_errors=True)
