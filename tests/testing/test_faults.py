"""The public catalogue of planted faults: every one fits the sources, is found, and leaves nothing behind."""

from __future__ import annotations

import gc
import sys
import threading
from types import FunctionType

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError
from rawseg.testing.contracts import contracts
from rawseg.testing.faults import Fault, faults, measure, planted
from rawseg.testing.faults.fault import target
from rawseg.testing.faults.loops import SMALL, Loops
from rawseg.testing.plain import plain_kernels
from rawseg_kernels._jit import compiled
from rawseg_kernels._jit_cache import KernelCache

FAULTS = {fault.name: fault for fault in faults()}
MODULES = sorted({fault.module for fault in faults()})
RNG = np.random.default_rng(0)
X, WEIGHT = RNG.standard_normal((2, 4, 5, 7)), RNG.standard_normal((6, 2, 3, 2))
# One of each place a fault can be in: loops, a method, a table's function, a size that kernels remember, a value, a check.
PLACES = {
    "conv2d.stride-axes": lambda: F.conv2d(X, WEIGHT, stride=(2, 1), groups=2),
    "conv2d.same-side": lambda: F.conv2d(X, WEIGHT, padding="same", groups=2),
    "grid_sample.taps": lambda: F.grid_sample(X, np.full((2, 1, 1, 2), 0.3)),
    "interpolate.half-pixel": lambda: F.interpolate(X, (7, 4), mode="bilinear"),
    "pad.edge-repeated": lambda: F.pad(X, (1, 2), "reflect"),
    "mse_loss.half": lambda: F.mse_loss(X, X + 1),
}


def bits(call):
    return call().numpy().tobytes()


@pytest.mark.parametrize("module", MODULES)
def test_every_fault_fits_the_source_and_changes_the_code(module):
    for fault in faults():
        if fault.module == module:
            found = target(fault)
            if isinstance(found, FunctionType):
                before, after = found.__code__, fault.code()
                assert (before.co_code, before.co_consts, before.co_names) != (after.co_code, after.co_consts, after.co_names)
                assert before.co_freevars == after.co_freevars
            else:
                assert fault.value() is not found


def test_the_catalogue_is_large_and_names_things_once():
    names = [fault.name for fault in faults()]
    assert len(set(names)) == len(names) >= 70
    assert len({fault.op for fault in faults()}) >= 25
    assert all(fault.name.startswith(f"{fault.op}.") for fault in faults())
    assert all(fault.what and not fault.what.endswith(".") for fault in faults())


def test_every_operation_with_a_contract_has_a_fault():
    assert {fault.op for fault in faults()} == set(contracts())


@pytest.mark.parametrize("name", PLACES)
def test_a_planted_fault_changes_the_result_and_leaves_nothing_behind(name):
    before = bits(PLACES[name])
    for _ in range(2):
        with planted(name):
            assert bits(PLACES[name]) != before
        assert bits(PLACES[name]) == before


@pytest.mark.parametrize("name", PLACES)
def test_definitions_are_right_whatever_is_planted(name):
    with plain_kernels():
        right = bits(PLACES[name])
    with planted(name):
        with plain_kernels():
            assert bits(PLACES[name]) == right
        wrong = bits(PLACES[name])
        assert wrong != right
    with plain_kernels(), planted(name):
        assert bits(PLACES[name]) == right
        with plain_kernels():
            assert bits(PLACES[name]) == right
        assert bits(PLACES[name]) == right


def test_the_later_one_of_two_faults_in_a_function_counts_however_they_are_taken_out():
    call = PLACES["interpolate.half-pixel"]
    before = bits(call)
    first, second = planted("interpolate.half-pixel"), planted("interpolate.weights-exchanged")
    with first:
        alone = bits(call)
        second.__enter__()
        assert bits(call) not in (before, alone)
        both = bits(call)
    assert bits(call) == both
    second.__exit__(None, None, None)
    assert bits(call) == before


@pytest.mark.parametrize("name", PLACES)
def test_an_exception_takes_a_fault_out(name):
    before = bits(PLACES[name])
    with pytest.raises(ZeroDivisionError), planted(name), planted(name):
        raise ZeroDivisionError
    assert bits(PLACES[name]) == before


def test_sources_are_parsed_by_many_threads_at_once():
    """A garbage collection in the middle of a parse lets another thread in."""
    some, wrong = faults()[:40], []

    def work():
        try:
            for fault in some:
                fault.code()
        except SystemError as error:
            wrong.append(error)

    def yielding(phase, info):
        sum(range(50))

    threads = [threading.Thread(target=work) for _ in range(8)]
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    gc.callbacks.append(yielding)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.callbacks.remove(yielding)
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)
    assert wrong == []


def test_threads_that_plant_and_define_at_once_leave_everything_as_it_was():
    before, wrong = {name: bits(call) for name, call in PLACES.items()}, []

    def work(name):
        for _ in range(20):
            with planted(name), plain_kernels():
                pass

    threads = [threading.Thread(target=work, args=(name,)) for name in [*PLACES, *PLACES]]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    wrong = [name for name, call in PLACES.items() if bits(call) != before[name]]
    assert not wrong


def test_no_faulty_kernel_reaches_the_cache_on_disk_nor_comes_from_it(monkeypatch):
    large = RNG.standard_normal((1, 4, 40, 30))
    before = F.conv2d(large, WEIGHT, groups=2, stride=(2, 1)).numpy()
    used = []
    for verb in ("load_overload", "save_overload"):
        monkeypatch.setattr(KernelCache, verb, lambda cache, *arguments: used.append(cache._name))
    assert large.size > SMALL
    with planted("conv2d.stride-axes"):
        assert F.conv2d(large, WEIGHT, groups=2, stride=(2, 1)).shape == before.shape
    assert used == []


def test_loops_have_the_same_bits_in_python_and_compiled():
    sound = target(FAULTS["conv2d.stride-axes"])
    arguments = X.astype(np.float32), WEIGHT.astype(np.float32), None, (2, 6), (2, 1), (0, 0), (1, 1), 2
    slow, fast = Loops(sound), Loops(sound)
    fast._seconds = 1e9
    assert slow(*arguments).tobytes() == fast(*arguments).tobytes() == compiled(sound)(*arguments).tobytes()


def test_an_index_out_of_its_array_raises_in_compiled_loops():
    wild = Fault(
        "conv2d.wild",
        "conv2d",
        "rawseg_kernels.conv2d.reference",
        "backward_bias",
        "b, k, oh, ow]",
        "b, k, oh + 9, ow]",
        "wild",
    )
    grad = np.ones((1, 2, 80, 40))
    with planted(wild), pytest.raises(IndexError):
        rawseg.functional.convolution.ChannelSum.apply(rawseg.Tensor(grad))


@pytest.mark.parametrize("old", ["oh * stride[7]", "ONE"])
def test_a_fault_that_does_not_fit_the_source_is_refused(old):
    fault = Fault("conv2d.mine", "conv2d", "rawseg_kernels.conv2d.reference", "forward", old, "0", "mine")
    with pytest.raises(ArgumentError, match=r"planted: fault: expected .* once in forward, got \d+ times"), planted(fault):
        pass


@pytest.mark.parametrize(
    ("module", "function", "old", "new"),
    [
        ("rawseg_kernels.nowhere", "forward", "a", "b"),
        ("rawseg.functional.activation", "nowhere", "a", "b"),
        ("rawseg.nn.convolution", "Conv2d.__init__", "super().__init__(", "print("),
    ],
)
def test_a_fault_that_cannot_be_planted_is_refused_and_leaves_nothing(module, function, old, new):
    with (
        pytest.raises(ArgumentError, match="planted: fault: expected"),
        planted(Fault("x", "relu", module, function, old, new, "x")),
    ):
        pass
    with planted("mse_loss.half"), plain_kernels():
        pass


def test_an_unknown_name_is_refused():
    with pytest.raises(ArgumentError, match="planted: fault: expected the name of one"), planted("conv2d.none"):
        pass
    with pytest.raises(ArgumentError, match="planted: fault: expected the name of one"):
        measure("conv2d.none")


FOUND = {
    "conv_transpose2d.assigned": "values",
    "avg_pool2d.gradient-sum": "gradients",
    "max_pool2d.second-channel": "second order",
    "relu.gradient-at-zero": "edges",
    "fold.more-windows": "bad input",
    "roi_pool.assigned": "gradients",
    "grid_sample.second-grid": "second order",
    "layer_norm.variance-constant": "gradients",
    "cross_entropy.upstream": "gradients",
    "nms.unstable": "edges",
}


CHECKED = [n for n in FOUND if FAULTS[n].op in contracts()]


@pytest.mark.gate
@pytest.mark.parametrize("name", CHECKED)
def test_checks_find_a_fault(name):
    assert FOUND[name] in measure(name)


def test_the_first_check_will_do():
    assert measure("conv2d.stride-axes", first=True) == ("values",)


def test_what_changes_nothing_survives():
    same = Fault("relu.same", "relu", "rawseg_kernels.activation._pieces_reference", "relu", "x[i] < 0", "0 > x[i]", "nothing")
    assert measure(same, examples=2) == ()


SUITE = """
import numpy as np
from rawseg import functional as F

def test_nothing_is_lost():
    assert F.mse_loss(np.ones(3), np.ones(3)).item() == 0

def test_a_square():
    assert F.mse_loss(np.ones(3), np.full(3, 3.0)).item() == 4
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "test_mine.py"
    path.write_text(SUITE)
    return f"python -m pytest {path}"


@pytest.fixture
def quick(monkeypatch):
    """Of what a pytest in a process of its own takes, loading hypothesis and other plugins is most."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")


@pytest.mark.usefixtures("quick")
def test_the_first_failing_test_of_a_suite_is_told(suite):
    assert measure("mse_loss.half", suite=suite) == ("test_mine.py::test_a_square",)


@pytest.mark.usefixtures("quick")
def test_a_fault_that_no_test_looks_for_survives(suite):
    assert measure("mse_loss.weight-count", suite=suite) == ()


@pytest.mark.usefixtures("quick")
def test_a_fault_of_ones_own_reaches_a_suite(suite):
    mine = FAULTS["mse_loss.half"]._replace(name="mine", new="difference**4")
    assert measure(mine, suite=suite) == ("test_mine.py::test_a_square",)


WRONG = {
    "fails": ("def test_wrong():\n    assert False", "got test_suite.py::test_wrong of"),
    "is empty": ("", "got no test in"),
    "breaks down": ("import nothing_of_this_name", "got exit code 2 of"),
    "breaks down with the fault": (
        "import os\n\ndef test():\n    if os.environ['RAWSEG_FAULT']:\n        os._exit(7)",
        "got activation.right-loops: ",
    ),
}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("what", WRONG)
def test_a_suite_that_is_wrong_by_itself_is_refused(what, tmp_path):
    source, got = WRONG[what]
    (tmp_path / "test_suite.py").write_text(source)
    with pytest.raises(ArgumentError, match=f"measure: suite: expected a pytest suite that passes without a fault.*{got}"):
        measure("relu.nan-dropped", suite=f"pytest {tmp_path}")


def test_a_command_that_is_not_pytest_is_refused():
    with pytest.raises(ArgumentError, match="measure: suite: expected a command that begins with 'pytest'"):
        measure("relu.nan-dropped", suite="make test")


def test_a_fault_is_seen_though_tables_of_sound_calls_are_kept():
    x = rawseg.randn(1, 1, 5, 5)
    sound = rawseg.functional.adaptive_avg_pool2d(x, 3).numpy()
    with planted("adaptive_avg_pool2d.floor-for-ceil"):
        assert not np.array_equal(rawseg.functional.adaptive_avg_pool2d(x, 3).numpy(), sound)
    assert np.array_equal(rawseg.functional.adaptive_avg_pool2d(x, 3).numpy(), sound)
