"""The kernel cache: whatever the disk holds or refuses, a run gives its result, and says once what is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from rawseg_kernels import _jit, _jit_cache
from rawseg_kernels._jit import kernel, specialised

SCRIPT = """
import warnings
import numpy as np
from rawseg_kernels._jit import kernel

@kernel
def added(a, b):
    return a + b

@kernel
def doubled(a):
    return added(a, a) + added(a, a)

with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    print(doubled(np.arange(3.0)), doubled(np.arange(3)))
compiled = sum(sum(f.stats.cache_misses.values()) for f in (added, doubled))
print(compiled, [str(w.message).replace(__import__("os").environ["RAWSEG_CACHE_DIR"], "CACHE") for w in told])
"""
RESULT = "[0. 4. 8.] [0 4 8]"


def run(tmp_path: Path) -> list[str]:
    """Run the script in a process of its own; return the lines that it prints."""
    file = tmp_path / "script.py"
    tmp_path.mkdir(exist_ok=True)
    if not file.exists():  # an edit would make other kernels of it
        file.write_text(SCRIPT)
    variables = {**os.environ, "RAWSEG_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=True, env=variables)
    return done.stdout.splitlines()


def kernels(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.nbc"))


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory):
    """A script, the cache with what it compiles (two functions of two dtypes), and a copy of both."""
    folder = tmp_path_factory.mktemp("filled")
    assert run(folder / "used") == [RESULT, "4 []"]
    assert len(kernels(folder / "used")) == 4
    shutil.copytree(folder / "used", folder / "kept")
    return folder


@pytest.fixture
def filled(compiled_once):
    """The folder of the script and its cache, as they were: kernels know the path of their file, so it is always the same."""
    shutil.rmtree(compiled_once / "used")
    shutil.copytree(compiled_once / "kept", compiled_once / "used")  # with the files' times: the cache looks at them
    return compiled_once / "used"


def test_a_second_process_compiles_nothing(filled):
    assert run(filled) == [RESULT, "0 []"]


def test_a_constant_that_changed_is_compiled_anew(filled):
    script = filled / "script.py"
    script.write_text(SCRIPT.replace("return a + b", "return a + b + MORE").replace("@kernel", "MORE = 1\n\n@kernel", 1))
    assert run(filled)[0] == "[ 2.  6. 10.] [ 2  6 10]"
    script.write_text(script.read_text().replace("MORE = 1", "MORE = 20"))
    assert run(filled)[0] == "[40. 44. 48.] [40 44 48]"


def test_kernels_of_one_code_differ_by_what_they_close_over(tmp_path):
    def adding(number):
        @kernel
        def added(a):
            return a + number

        added._cache = _jit_cache.KernelCache(added.py_func, tmp_path)
        return added

    assert [adding(number)(1) for number in (1, 2, 1)] == [2, 3, 2]
    assert len(list(tmp_path.iterdir())) == 2


LONG = pytest.mark.release  # everything is compiled again, for each


@pytest.mark.parametrize("damage", ["one bit", *(pytest.param(how, marks=LONG) for how in ("empty", "cut", "other bytes"))])
def test_damaged_files_are_thrown_away_and_made_again(filled, damage):
    for path in kernels(filled):
        content = bytearray(path.read_bytes())
        if damage == "empty":
            content = b""
        elif damage == "cut":
            content = content[: len(content) // 2]
        elif damage == "one bit":
            content[len(content) // 2] ^= 4
        else:
            content = b"not a kernel" * 100
        path.write_bytes(content)
    result, told = run(filled)
    assert result == RESULT
    assert told.startswith("4 ['damaged files in the kernel cache CACHE")
    assert told.count("damaged") == 1  # once a process
    assert run(filled) == [RESULT, "0 []"]


def test_the_checksum_is_compared_before_anything_is_unpickled(filled):
    for path in kernels(filled):
        path.write_bytes(bytes(32) + b"cos\nsystem\n(S'touch " + str(filled / "executed").encode() + b"'\ntR.")
    assert run(filled)[0] == RESULT
    assert not (filled / "executed").exists()


@pytest.mark.skipif(os.name == "nt", reason="folders have other permissions there")
def test_a_file_that_cannot_be_read_or_replaced_is_told(filled):
    for path in kernels(filled):
        path.unlink()
        path.mkdir()  # reading fails, and so does putting a file in its place: for root, too
    result, told = run(filled)
    assert result == RESULT
    assert told.startswith("4 ['the kernel cache CACHE")
    assert told.count("cannot be read (Is a directory)") == told.count("cannot be written (Is a directory)") == 1
    assert not list((filled / "cache").rglob("*.tmp"))


def test_a_full_disk_is_told(tmp_path, monkeypatch):
    @kernel
    def tripled(a):
        return 3 * a

    tripled._cache = _jit_cache.KernelCache(tripled.py_func, tmp_path)
    monkeypatch.setattr(_jit_cache, "_told", set())

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_jit_cache.os, "replace", full)
    with pytest.warns(_jit_cache.CacheWarning, match=r"cannot be written \(No space left on device\)"):
        assert tripled(2) == 6
    assert not list(tmp_path.iterdir())


@pytest.mark.release
def test_many_processes_at_once_find_whole_files_only(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: run(tmp_path), range(4)))
    assert {lines[0] for lines in results} == {RESULT}
    assert all(lines[1].endswith(" []") for lines in results)
    assert len(kernels(tmp_path)) == 4
    assert run(tmp_path) == [RESULT, "0 []"]


def test_folders_that_nobody_used_for_long_are_deleted(tmp_path):
    now = time.time()
    for name, days in (("kernels-old", 40), ("kernels-new", 10), ("kernels-this", 50), ("mine", 60)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
        os.utime(tmp_path / name, (now - 86400 * days,) * 2)
    _jit_cache.prune(tmp_path / "kernels-this")
    assert {path.name for path in tmp_path.iterdir()} == {"kernels-new", "kernels-this", "mine"}
    assert (tmp_path / "kernels-this").stat().st_mtime > now - 60


@kernel
def plain(array, number):
    return array[0] + number


@specialised
def unrolled(array, number):
    return array[0] + number


def test_numbers_in_calls_are_arguments_unless_a_kernel_asks_for_more(monkeypatch, tmp_path):
    monkeypatch.setattr(_jit, "cache_folder", lambda: tmp_path)  # a kernel that comes from the disk compiles no call

    @kernel
    def calls(array):
        return plain(array, 1) + plain(array, 2) + unrolled(array, 1) + unrolled(array, 2)

    assert calls(np.ones(1)) == 10
    assert len(plain.signatures) == 1
    assert len(unrolled.signatures) == 2


@pytest.mark.release
def test_doctor_compiles_every_kernel_of_the_list_once(tmp_path):
    variables = {**os.environ, "RAWSEG_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    script = "from rawseg.cli.warm import tasks\nfor name, run in list(tasks())[:2]:\n    run('float32')"
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script], check=True, env=variables)
    assert len(list(tmp_path.rglob("*.nbc"))) > 10


def test_every_task_of_the_warm_list_runs():
    from rawseg.cli.warm import tasks

    names = [name for name, _ in tasks()]
    assert len(set(names)) == len(names)
    for _, task in tasks():
        task("float32")
