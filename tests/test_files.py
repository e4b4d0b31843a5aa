"""A file is the old one or the new one, never a part of either."""

from __future__ import annotations

import errno
import os
import resource
import stat

import pytest

from rawseg.errors import ArgumentTypeError, CheckpointError, DataError
from rawseg.files import atomic_write, write_bytes_atomically


def test_bytes_arrive_and_nothing_else_stays(tmp_path):
    write_bytes_atomically(tmp_path / "a.bin", b"old")
    write_bytes_atomically(tmp_path / "a.bin", b"new")
    assert (tmp_path / "a.bin").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_until_the_end_of_the_block_the_old_file_is_there(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with atomic_write(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        file.seek(0)
        assert file.read() == b"new"  # a checkpoint is read back before it counts
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_exception_in_the_block_leaves_the_old_file_and_no_temporary(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def interrupted():
        with atomic_write(path) as file:
            file.write(b"half of the n")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_refused_system_call_leaves_the_old_file_and_tells_the_cause(tmp_path, monkeypatch, call, number):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def refuse(*args, **options):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        with pytest.raises(DataError) as caught:
            write_bytes_atomically(path, b"new")
    message = str(caught.value)
    assert (
        message == f"write: {path}: expected a file that can be written, got {errno.errorcode[number]}: {os.strerror(number)}"
    )
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_folder_that_cannot_be_synced_is_an_error_unless_the_file_system_has_no_such_thing(tmp_path, monkeypatch):
    real = os.fsync

    def failing(number):
        def fsync(descriptor):
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, os.strerror(number))
            real(descriptor)

        return fsync

    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    write_bytes_atomically(tmp_path / "a.bin", b"new")
    monkeypatch.setattr(os, "fsync", failing(errno.EIO))
    with pytest.raises(DataError, match="EIO"):
        write_bytes_atomically(tmp_path / "a.bin", b"newer")
    assert (tmp_path / "a.bin").read_bytes() == b"newer"  # complete, though not known to survive a power cut


def test_file_and_folder_are_synced_in_this_order_around_the_rename(tmp_path, monkeypatch):
    calls = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(descriptor):
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else f"file of {os.fstat(descriptor).st_size}")
        real_fsync(descriptor)

    def replace(source, target):
        calls.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_bytes_atomically(tmp_path / "a.bin", b"12345")
    assert calls == ["file of 5", "rename", "folder"]


def test_a_write_that_hits_a_real_limit_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # the system itself cuts the write short
    try:
        with pytest.raises(DataError, match="EFBIG"):
            write_bytes_atomically(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_missing_folders_and_folders_in_the_way(tmp_path):
    with pytest.raises(DataError, match=r"a\.bin: expected a file that can be written, got ENOENT"):
        write_bytes_atomically(tmp_path / "missing" / "a.bin", b"")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match="got ENOTDIR"):
        write_bytes_atomically(tmp_path / "file" / "a.bin", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CheckpointError, match="got EISDIR"):
        write_bytes_atomically(tmp_path / "folder", b"", CheckpointError)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_a_symbolic_link_is_followed_and_the_umask_decides_the_mode_of_a_new_file(tmp_path):
    (tmp_path / "link").symlink_to("real")
    before = os.umask(0o027)
    try:
        write_bytes_atomically(tmp_path / "link", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o640


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names there")
def test_what_is_no_file_is_not_replaced_by_one(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    (tmp_path / "link").symlink_to(pipe)
    for path in (pipe, tmp_path / "link"):
        with pytest.raises(CheckpointError, match="expected a file that can be written, got a device, a pipe or a socket"):
            write_bytes_atomically(path, b"x", CheckpointError)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "pipe"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_a_file_that_is_replaced_keeps_its_mode(mode, tmp_path):
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    write_bytes_atomically(path, b"x")
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.parametrize("path", [5, b"bytes", None])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ArgumentTypeError, match="write: path: expected a path, got"):
        write_bytes_atomically(path, b"x")


def test_a_path_with_a_null_character_is_refused():
    with pytest.raises(DataError, match=r"write: 'a\\x00b': expected a path, got"):
        write_bytes_atomically("a\0b", b"x")
