"""Files that are never half written: the old content or the new one, whatever happens in between."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import ArgumentTypeError, DataError, RawsegError

TEMPORARY = re.compile(r"\.rawseg-(\d+)-[0-9a-f]{16}\.tmp")
_open: set[str] = set()  # names of this process's temporary files


@contextmanager
def atomic_write(path: str | os.PathLike[str], error: type[RawsegError] = DataError) -> Iterator[BinaryIO]:
    """Open a file for writing that takes the place of ``path`` only when the block ends well.

    Parameters
    ----------
    path : str or path
        The file to make or to replace; a symbolic link is followed, not replaced, and a device is refused.
    error : type
        The error class that an OSError is turned into, e.g. CheckpointError.

    Yields
    ------
    file : binary file
        A temporary file ``.rawseg-<process id>-<random>.tmp`` in the same folder, open for writing and reading.

    Raises
    ------
    ArgumentTypeError
        If ``path`` is no path.
    DataError
        Or ``error``: if the system refuses any step (no such folder, no permission, disk full); ``path`` is then as it was.

    Notes
    -----
    The order is write, flush, fsync, rename, fsync of the folder: after a power cut the name leads to one complete
    file. The temporary file is removed after any failure, KeyboardInterrupt included.
    """
    target = _target(path, error)
    temporary = target.with_name(f".rawseg-{os.getpid()}-{secrets.token_hex(8)}.tmp")
    _open.add(temporary.name)
    try:
        try:
            # Mode 0o666 lets the umask decide, as for any new file; tempfile would make it private.
            with open(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666), "w+b") as file:
                if target.is_file():
                    os.fchmod(file.fileno(), target.stat().st_mode & 0o777)  # what few may read stays so
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(target.parent)
    except OSError as cause:
        name = errno.errorcode.get(cause.errno or 0, type(cause).__name__)
        raise error("write", str(path), "a file that can be written", f"{name}: {cause.strerror or cause}") from cause
    finally:
        _open.discard(temporary.name)


def check_path(op: str, path: object) -> None:
    """Raise an ArgumentTypeError unless something is a path: neither bytes nor the number of an open file."""
    if not isinstance(path, (str, os.PathLike)):
        raise ArgumentTypeError(op, "path", "a path", f"{path!r:.60}")


def _target(path: str | os.PathLike[str], error: type[RawsegError]) -> Path:
    """Return where a path leads, which may be nothing, a file, or a folder (that the system refuses), but no device."""
    check_path("write", path)
    try:
        target = Path(os.path.realpath(path))
        special = target.exists() and not (target.is_file() or target.is_dir())
    except ValueError as cause:  # a null character, which no path holds
        raise error("write", repr(path), "a path", str(cause)) from cause
    if special:  # to rename a file onto it would put the file in its place
        raise error("write", str(path), "a file that can be written", "a device, a pipe or a socket")
    return target


def write_bytes_atomically(path: str | os.PathLike[str], data: bytes, error: type[RawsegError] = DataError) -> None:
    """Write a whole file with `atomic_write`."""
    with atomic_write(path, error) as file:
        file.write(data)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as cause:
        if cause.errno != errno.EINVAL:  # some network file systems cannot sync a folder, and say so with EINVAL
            raise
    finally:
        os.close(descriptor)


def sweep_temporaries(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files that processes which no longer live have left in a folder.

    Parameters
    ----------
    folder : str or path
        Only this folder, not those in it. What cannot be listed or removed is left alone.
    """
    with suppress(OSError):
        for name in os.listdir(folder):
            match = TEMPORARY.fullmatch(name)
            if match and _is_stale(int(match[1]), name):
                with suppress(OSError):
                    os.unlink(os.path.join(folder, name))


def _is_stale(process: int, name: str) -> bool:
    """Return whether a temporary file's process has ended; in a container the next one often has the same number."""
    if process == os.getpid():
        return name not in _open
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it lives but belongs to someone else, or is no process number
        return False
    return False
