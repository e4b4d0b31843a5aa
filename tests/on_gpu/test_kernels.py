"""Every CUDA kernel, run from its source on the CPU, beside the plain loops: in any order of threads, and inside its arrays."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import numpy as np
import pytest
from catalogue.collected import KERNELS
from catalogue.entry import KernelCall
from on_gpu.sanitized_process import sanitized
from promises import assert_same_bits, outputs_of

from rawseg_kernels import _algorithms
from rawseg_kernels._cuda import emulator

DTYPES = [np.float32, np.float64]


class CudaCall(NamedTuple):
    """An entry of the catalogue with an algorithm in CUDA."""

    entry: KernelCall
    algorithm: str

    def __str__(self) -> str:
        return self.entry.name.replace("reference", self.algorithm)

    def run(self, *arrays: np.ndarray):
        assert self.entry.of_algorithm is not None
        return self.entry.of_algorithm(*arrays, self.algorithm)


def fits(algorithm: str, entry: KernelCall) -> bool:
    """Say whether an entry is for an algorithm: depthwise ones are for their own alone."""
    return algorithm.endswith("depthwise") == ("depthwise" in entry.name)


def calls() -> list[CudaCall]:
    found = []
    for entry in KERNELS:
        room, *words = entry.name.replace(".", " ").split()  # the verb is one of them, or the kind of activation
        for algorithm in _algorithms.cuda_algorithms(f"rawseg_kernels.{room}") if entry.of_algorithm else ():
            module = import_module(f"rawseg_kernels.{room}.{algorithm}")
            if fits(algorithm, entry) and any(hasattr(module, word) for word in words):
                found.append(CudaCall(entry, algorithm))
    return found


def room_of(case: CudaCall) -> str:
    return case.entry.name.partition(" ")[0].partition(".")[0]


CALLS = calls()
ROOMS = sorted({room_of(case) for case in CALLS})
CASES = pytest.mark.parametrize("case", CALLS, ids=str)
CALLED_BY_OTHERS = {
    "max_unpool2d.first_duplicate cuda",
    "conv2d.backward_bias cuda_depthwise",
}  # verbs that the call of another verb runs

CONVOLUTIONS, VERBS = ("conv2d", "conv_transpose2d"), ("forward", "backward_input", "backward_weight")
# Sums in another order or another precision than the loops': the largest error, in parts of the largest element, for which
# the operation's own tests have a bound, by verb, or by verb and algorithm. All others have the bits of the loops.
#
# Sums in double, in parts: the last bits of a double (7320 roundings of 1e-16 in the catalogue, a few 1e-15 in all), which may
# turn the one rounding to float32 to the other side (6e-8).
PARTS = 1e-6
# Chains of fused multiply-adds in the arrays' own precision: n roundings of 6e-8 of partial sums, which are some times the
# largest result; n is 9 to 154 in the catalogue, or those of a part of weights' gradients, whose errors mostly cancel.
CHAINS = 1e-5
# Numbers rounded to TF32, each by up to 2^-11 of itself: a sum is off by up to 2^-10 of what its products are without their
# signs, which is up to 4 times the largest result in the catalogue, and more for weights' gradients, whose errors cancel
# better. Split into two of TF32: 3 x 2^-22 of the same, and what eight truncated additions and a rounded one for every eight
# steps leave, (16 + n / 8) x 2^-24, in all no more than a chain's for n from 33 on: CHAINS holds them.
TF32 = 4e-3
# cuBLAS, or here NumPy: a sum in an order of its own, in the arrays' own precision.
ANY_ORDER = CHAINS
ROUNDED: dict[str, float] = {
    "conv2d.forward cuda_tiles": CHAINS,
    "conv2d.forward cuda_depthwise": CHAINS,
    "conv2d.backward_input cuda_tiles": CHAINS,
    "conv2d.backward_input cuda_depthwise": CHAINS,
    "conv2d.backward_weight cuda_tiles": CHAINS,
    "conv2d.backward_weight cuda_depthwise": CHAINS,
    "conv2d.backward_weight cuda": PARTS,
    "conv2d.backward_bias cuda_tiles": PARTS,
    "conv2d.backward_bias cuda": PARTS,
    "conv_transpose2d.forward cuda_tiles": CHAINS,
    "conv_transpose2d.backward_input cuda_tiles": CHAINS,
    "conv_transpose2d.backward_weight cuda_tiles": CHAINS,
    "conv_transpose2d.backward_weight cuda": PARTS,
    "batch_norm.forward_train": PARTS,
    "batch_norm.statistics": PARTS,
    "batch_norm.backward_train": PARTS,
    "batch_norm.backward_eval": PARTS,
    "group_norm.forward": PARTS,
    "group_norm.backward": PARTS,
    "layer_norm.forward": PARTS,
    "layer_norm.backward": PARTS,
    "matmul.forward cuda_tiles": CHAINS,
    "matmul.forward cuda_tiles_3xtf32": CHAINS,
    "matmul.forward cuda_tiles_tf32": TF32,
    **{f"{room}.{verb} cuda_tiles_3xtf32": CHAINS for room in CONVOLUTIONS for verb in VERBS},
    **{f"{room}.{verb} cuda_tiles_tf32": TF32 for room in CONVOLUTIONS for verb in VERBS},
    **{f"conv2d.{verb} cuda_im2col": ANY_ORDER for verb in VERBS},
    **{f"conv2d.backward_bias {name}": PARTS for name in ("cuda_tiles_3xtf32", "cuda_tiles_tf32", "cuda_im2col")},
}


def tolerance(case: CudaCall, dtype) -> float:
    verb = case.entry.name.partition(" ")[0]
    allowed = ROUNDED.get(f"{verb} {case.algorithm}", ROUNDED.get(verb, 0))
    if dtype == np.float64:  # has no tensor cores: summed as by cuda_tiles
        return min(allowed, CHAINS) * 1e-8
    return allowed


def test_every_verb_of_a_room_is_called():
    """An entry's name begins with its room and verb, ``room.verb``: one that does not is not among the calls."""
    called = set()
    for case in CALLS:
        words = case.entry.name.partition(".")[2].split()
        kinds = [f"{word}_backward" for word in words if "backward" in words]  # of activations
        called |= {f"{room_of(case)}.{word} {case.algorithm}" for word in (*words, *kinds)}
    for room in sorted({entry.name.partition(" ")[0].partition(".")[0] for entry in KERNELS}):
        for algorithm in _algorithms.cuda_algorithms(f"rawseg_kernels.{room}"):
            module = import_module(f"rawseg_kernels.{room}.{algorithm}")
            loops = import_module(f"rawseg_kernels.{room}.reference")
            defined = {name for name, value in vars(loops).items() if getattr(value, "__module__", "") == loops.__name__}
            verbs = {f"{room}.{name} {algorithm}" for name in defined if not name.startswith("_") and hasattr(module, name)}
            assert verbs - CALLED_BY_OTHERS <= called


@CASES
@pytest.mark.parametrize(
    "dtype",
    [pytest.param(np.float32, marks=pytest.mark.gate), pytest.param(np.float64, marks=pytest.mark.release)],
    ids=["float32", "float64"],
)
def test_as_the_loops_in_any_order_of_threads(case, dtype):
    arrays = case.entry.arrays(dtype)
    before = [array.tobytes() for array in arrays]
    want = outputs_of(case.entry.call(*arrays))
    first = outputs_of(case.run(*arrays))
    for order in ("backward", "shuffled") if dtype == np.float64 else ("backward",):
        with emulator.ordered(order, 5):
            assert_same_bits(case.run(*arrays), first, order)
    assert [array.tobytes() for array in arrays] == before
    allowed = tolerance(case, dtype)
    if not allowed:
        assert_same_bits(first, want)
        return
    for one, other in zip(first, want, strict=True):
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(one, other, rtol=0, atol=allowed * np.abs(other).max(initial=0))


@pytest.mark.release
@CASES
def test_arrays_may_have_any_strides(case):
    """Kernels see C-contiguous arrays only: what calls them sees to it."""
    arrays = case.entry.arrays(np.float32)
    want = case.run(*arrays)
    views = [np.asfortranarray(array) for array in arrays]
    assert_same_bits(case.run(*views), want)


@pytest.mark.gate
@pytest.mark.spec("all.memory-safety")
@pytest.mark.parametrize("room", ROOMS)
def test_under_sanitizers(room):
    lines = sanitized(room)
    assert len(lines) == 2 * sum(room_of(case) == room for case in CALLS)
