"""Every CUDA file is compiled by NVIDIA's compilers, as a gate for every chip that is served; no GPU is needed.

A kernel that begins to need many more registers than are recorded fails: ``python tests/on_gpu/registers.py`` records anew.
"""

from __future__ import annotations

import pkgutil
from importlib import metadata

import pytest
from on_gpu import registers
from on_gpu.nvrtc import PACKAGES, Compiled, compile_source
from on_gpu.registers import CHIPS, DTYPES, compiled, recorded
from on_gpu.sources import ROOT, SOURCES

import rawseg_kernels
from rawseg_kernels._algorithms import cuda_algorithms
from rawseg_kernels._cuda.source import Source

MOST_REGISTERS = 255  # of a thread: what does not fit is spilled
MOST_SHARED = 48 * 1024  # bytes of a block, without asking for more
SLACK = 16  # registers more than are recorded that need no new record


def installed(major: str) -> bool:
    try:
        return bool(metadata.version(PACKAGES[major]))
    except metadata.PackageNotFoundError:
        return False


PRESENT = {
    major: pytest.mark.skipif(not installed(major), reason=f"{package} is not installed") for major, package in PACKAGES.items()
}
VERSIONS = [pytest.param(major, marks=mark) for major, mark in PRESENT.items()]


def assert_fits(need: Compiled, registers: int) -> None:
    """Raise if registers are spilled, or are many more than are recorded, or shared memory must be asked for."""
    assert need.spilled == 0, need
    assert need.shared <= MOST_SHARED, need
    assert need.registers <= min(MOST_REGISTERS, registers + SLACK), need


def test_lines_are_no_longer_than_those_of_python():
    files = [path for pattern in ("*.cu", "*.cuh", "*.h") for path in ROOT.rglob(pattern)]
    assert [path.name for path in files if any(len(line) > 128 for line in path.read_text().splitlines())] == []


def test_every_file_is_found():
    names = [source.path.name for source in SOURCES]
    assert "max_pool2d.cu" in names
    assert len(set(names)) == len(names)


@pytest.mark.gate
@pytest.mark.parametrize("major", VERSIONS)
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.path.stem)
def test_a_file_compiles_without_spills(source, major):
    record = recorded()[source.path.name]["kernels"]
    for chip in CHIPS:
        for dtype in DTYPES:
            needs = dict(compiled(source, major, chip, dtype))
            assert {name.partition(" ")[0] for name in needs} == set(source.signatures)
            for name, need in needs.items():
                assert_fits(need, record[name][CHIPS.index(chip)])


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.path.stem)
def test_the_record_is_of_this_very_source(source):
    """All chips and dtypes were compiled from it, and nothing was spilled."""
    record = recorded()[source.path.name]
    assert record["sha256"] == source.digest, f"python tests/on_gpu/registers.py {source.path.name}"
    assert {name.partition(" ")[0] for name in record["kernels"]} == set(source.signatures)


def test_nothing_else_is_recorded():
    assert set(recorded()) == {source.path.name for source in SOURCES}


SPILLED = Source(__file__, "spilled_on_trial.cu")


@pytest.mark.parametrize("major", VERSIONS)
def test_a_planted_spill_is_refused(major):
    for dtype in DTYPES:
        needs = compile_source(major, SPILLED.whole, (*SPILLED.options(dtype), "-arch=sm_90"))["spilled_on_trial"]
        assert needs.registers <= 32  # of 65,536, with two blocks of 1,024 threads
        with pytest.raises(AssertionError, match=f"spilled={needs.spilled}"):
            assert_fits(needs, MOST_REGISTERS)


@pytest.mark.parametrize("major", VERSIONS)
def test_a_spill_is_not_recorded(monkeypatch, major):
    monkeypatch.setattr(registers, "SOURCES", [SPILLED])
    monkeypatch.setattr(registers, "PACKAGES", {major: PACKAGES[major]})
    monkeypatch.setattr(registers, "variants", lambda _source: ((),))
    with pytest.raises(
        ValueError, match=rf"spilled_on_trial float32, sm_75, NVRTC {major}: \d+ bytes of registers are spilled"
    ):
        registers.measure("spilled_on_trial.cu")


@pytest.mark.parametrize(
    "need",
    [Compiled(80, 4, 0), Compiled(80 + SLACK + 1, 0, 0), Compiled(80, 0, MOST_SHARED + 1)],
    ids=["spilled", "registers", "shared memory"],
)
def test_each_need_has_a_limit(need):
    assert_fits(Compiled(80 + SLACK, 0, MOST_SHARED), 80)
    with pytest.raises(AssertionError):
        assert_fits(need, 80)


@pytest.mark.parametrize("major", VERSIONS)
def test_what_is_wrong_is_told(major):
    with pytest.raises(SyntaxError, match=r'identifier "nobody" is undefined'):
        compile_source(major, 'extern "C" __global__ void f(float* x) { x[0] = nobody; }', ("-arch=sm_90",))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.path.stem)
def test_every_kernel_is_named_for_its_file_and_launched(source):
    """A kernel that nothing launches is never tested."""
    module = source.path.with_suffix(".py")
    text = "".join(path.read_text(encoding="utf-8") for path in source.path.parent.glob("*.py"))
    assert module.exists() or source.path.parent.name != "_cuda"
    for name in source.signatures:
        assert name.startswith(source.path.stem), name
        assert name.removeprefix(source.path.stem) in text, name


def test_algorithms_are_those_that_have_a_module():
    for _, room, is_package in pkgutil.iter_modules(rawseg_kernels.__path__):
        names = cuda_algorithms(f"rawseg_kernels.{room}") if is_package and not room.startswith("_") else ()
        found = {path.stem for path in (ROOT / room).glob("cuda*.py")}
        assert set(names) == found, room
