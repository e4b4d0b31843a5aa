"""Golden vectors: what is in the folder, the same bytes every time, and rawseg's own results inside of all bounds."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import subprocess
import sys
from functools import cache
from inspect import signature

import numpy as np
import pytest

from rawseg.errors import ArgumentError, DataError
from rawseg.testing.adapters import adapt, placed
from rawseg.testing.case import Case
from rawseg.testing.contracts import contract_of, contracts
from rawseg.testing.golden import replay, write
from rawseg.testing.golden.shelf import Shelf
from rawseg.testing.golden.sources import drawn_cases, sources
from rawseg.testing.golden.vectors import vectors_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    assert write(folder, ["conv2d"]) == len(index(folder)["cases"])
    return folder


def index(folder):
    def refuse(constant):
        raise AssertionError(f"{constant} in JSON")

    return json.loads((folder / "cases.json").read_text(), parse_constant=refuse)


@pytest.mark.release
def test_writing_again_gives_the_same_bytes_in_another_process_too(folder, tmp_path):
    """Whatever was imported before, and wherever; and nothing but the folder is written."""
    (tmp_path / "numbers.py").write_text("MANY = [0, 1, 2, 3, 4, 5, 6, 7, 17, 23]")
    code = "import numbers_of_mine, sys; from rawseg.testing.golden import write; write('again', sys.argv[1:])"
    (tmp_path / "numbers.py").rename(tmp_path / "numbers_of_mine.py")
    command = [sys.executable, "-c", code, "conv2d"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "__pycache__") == ["again", "numbers_of_mine.py"]
    names = ["README.txt", "cases.json", "conv2d.npz", "replay.py"]
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == names
    assert all((tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes() for name in names)


def test_sums_are_those_of_the_files(folder):
    sums = index(folder)["sha256"]
    assert sorted(sums) == ["README.txt", "conv2d.npz", "replay.py"]
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == told for name, told in sums.items())


def test_convolutions_are_ragged():
    cases = drawn_cases(contract_of("conv2d"))
    assert {case.arrays["input"].dtype.name for case in cases} == {"float32", "float64"}
    shapes = [(case.arrays["input"].shape, case.arrays["weight"].shape, case.options) for case in cases]
    seen = {
        "an empty batch": any(x[0] == 0 for x, _, _ in shapes),
        "sides that differ": any(x[2] != x[3] and w[2] != w[3] for x, w, _ in shapes),
        "windows that overlap": any(o["stride"][0] < w[2] for _, w, o in shapes),
        "windows with gaps": any(o["stride"][0] > o["dilation"][0] * (w[2] - 1) + 1 for _, w, o in shapes),
        "unequal strides and dilations": any(len(set(o["stride"])) == len(set(o["dilation"])) == 2 for _, _, o in shapes),
        "groups": any(o["groups"] > 1 for _, _, o in shapes),
    }
    assert all(seen.values()), seen


def test_what_it_refuses(tmp_path):
    with pytest.raises(ArgumentError, match=r"op: expected one of .*conv2d.*, got 'convolve'"):
        write(tmp_path, ["convolve"])
    with pytest.raises(DataError, match=r"golden: 3\.size: expected a number, a word, an array, or several of them, got \{\}"):
        Shelf().plain("3.size", {})
    with pytest.raises(DataError, match=r"golden: 3\.x: expected an array of numbers under a name of its own, got object"):
        Shelf().put("3.x", np.array([None]))


@pytest.mark.parametrize("name", ["cases.json", "README.txt", "replay.py", "relu.npz"])
def test_files_of_somebody_else_are_not_replaced(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(DataError, match=f"expected an empty folder, or one of an earlier export as it was written, got {name}"):
        write(tmp_path, ["relu"])
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_an_earlier_export_is_replaced_whole_unless_somebody_changed_it(tmp_path):
    write(tmp_path, ["relu", "one_hot"])
    write(tmp_path, ["relu"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.txt", "cases.json", "relu.npz", "replay.py"]
    (tmp_path / "replay.py").write_text("mine")
    with pytest.raises(DataError, match=r"got replay\.py"):
        write(tmp_path, ["relu"])
    assert (tmp_path / "replay.py").read_text() == "mine"


def test_options_as_json_and_back():
    shelf, option = Shelf(), ((1, None), "same", 0.5, True, -np.inf, [np.array([[1.5]])], np.float32(2.0))
    plain = json.loads(json.dumps(shelf.plain("0.o", option), allow_nan=False))
    assert plain[:4] == [[1, None], "same", 0.5, True]
    back = replay.read(plain, shelf.arrays)
    assert back[:5] == option[:5]
    assert back[5][0].tolist() == [[1.5]]
    assert back[6] == 2.0


def test_the_example_is_short():
    lines = inspect.getsource(replay).splitlines()
    code = [line for line in lines if line.strip() and not line.strip().startswith(("import ", '"""'))]
    assert len(code) <= 60


QUICK = ("conv2d", "relu", "max_pool2d", "layer_norm", "cross_entropy", "nms")  # of every rule of rounding; the others later
EVERY = [op if op in QUICK else pytest.param(op, marks=pytest.mark.release) for op in contracts()]


@pytest.mark.parametrize("op", contracts())
def test_every_case_can_be_told_as_json_and_arrays(op):
    kinds = []
    for source in sources(contract_of(op)):
        kinds.append(source.kind)
        shelf = Shelf()
        json.dumps({name: shelf.plain(name, value) for name, value in source.case.options.items()}, allow_nan=False)
        for name, array in source.case.arrays.items():
            assert array is None or shelf.put(f"array {name}", array)["shape"] == list(array.shape)
    assert kinds.count("drawn") >= 3
    assert {"drawn", "edge"} <= set(kinds)


class Exported:
    """The entries and arrays of one contract, as replay.py reads them."""

    def __init__(self, op):
        self.entries, _, shelf = vectors_of(contract_of(op))
        self.stored = dict(np.load(io.BytesIO(shelf.packed())))


@pytest.fixture(scope="module")
def exported():
    return cache(Exported)


@pytest.mark.parametrize("op", EVERY)
def test_every_array_is_finite_or_meant_not_to_be(exported, op):
    found = exported(op)
    for entry in found.entries:
        inputs = [found.stored[one["npz"]] for one in entry["arrays"] if one["npz"]]
        numbers = all(np.isfinite(array).all() for array in inputs)
        for one in [e for what in ("outputs", "directions", "gradients", "seeds", "second") for e in entry.get(what, ())]:
            array = found.stored[one["npz"]]
            assert numbers is False or np.isfinite(array).all() or entry["kind"] == "edge", (entry["what"], one)
        assert numbers or entry["kind"] != "drawn"
        assert entry["kind"] in ("drawn", "edge", "bad input")


@pytest.mark.gate
@pytest.mark.parametrize("op", EVERY)
def test_rawsegs_own_results_replay(exported, op):
    """Values and gradients of the fast kernels are inside of all bounds, and bad input is refused."""
    found, contract = exported(op), contract_of(op)
    adapter = adapt(contract.function, framework="rawseg")
    takes = signature(contract.function)
    names = [name for name in takes.parameters if any(name == one["name"] for e in found.entries for one in e["arrays"])]

    def split(arrays, options):
        """Return the case that a call is."""
        given = takes.bind_partial(*arrays, **options).arguments
        case = Case(op, {n: given.get(n) for n in names}, {n: value for n, value in given.items() if n not in names})
        return case, placed(adapter, case, contract.function)

    def own(*arrays, **options):
        case, function = split(arrays, options)
        return tuple(function.values(case.values, dict(case.options)))

    def backward(grad_output, *arrays, **options):
        case, function = split(arrays, options)
        ways = list(grad_output) if isinstance(grad_output, tuple) else [grad_output]
        flags = case.arguments(*contract.gradients)
        gradients = iter(function.gradients(case.values, dict(case.options), flags, ways))
        return tuple(next(gradients) if flag else None for flag in flags)

    own.__signature__ = takes
    said = {(e["number"], e["what"]): replay.replay(e, found.stored, own, backward) for e in found.entries}
    assert set(said.values()) == {"passed"}, {case: text for case, text in said.items() if text != "passed"}


@pytest.mark.release
def test_the_whole_export_is_small(tmp_path):
    assert write(tmp_path) > 10 * len(contracts())
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 10 * 2**20
