"""NaN, infinities, subnormals and -0 go through a CUDA kernel where they go through the loops."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from on_gpu.test_kernels import CALLS, CudaCall, tolerance
from promises import outputs_of

from rawseg_kernels._errors import ArgumentError

# NaN comes first and last: what looks for the largest begins with one, and meets the other.
SPECIAL = np.array([np.nan, np.inf, -np.inf, 1e-40, -0.0, np.nan], np.float32)
# A product of whole matrices multiplies what is padded, too: an infinite weight and a padded 0 are NaN.
SPOILED = [case for case in CALLS if case.algorithm != "cuda_im2col"]
QUICK = ("max_pool2d.forward", "conv2d.forward", "batch_norm.forward_train", "roi_align.forward", "softmax.forward")


def spoiled(case: CudaCall) -> Iterator[list[np.ndarray]]:
    """Yield the arrays of a call, special values in one of them at a time, where the operation allows them."""
    for place, array in enumerate(case.entry.arrays(np.float32)):
        if array.dtype.kind != "f" or array.size < len(SPECIAL):
            continue
        arrays = case.entry.arrays(np.float32)
        arrays[place] = array.copy()
        arrays[place].reshape(-1)[np.linspace(0, array.size - 1, len(SPECIAL)).astype(int)] = SPECIAL
        yield arrays


def loops(case: CudaCall, arrays: list[np.ndarray]) -> tuple[np.ndarray, ...] | None:
    """Return what the loops make of them, or None where they are refused: coordinates of boxes must be finite."""
    try:
        with np.errstate(all="ignore"):
            return outputs_of(case.entry.call(*arrays))
    except ArgumentError:
        return None


def assert_as_special(got: np.ndarray, want: np.ndarray, allowed: float) -> None:
    """Raise unless what is not finite is the same, and the rest is within a share of the largest finite element."""
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, want)
        return
    finite = np.isfinite(want)
    np.testing.assert_array_equal(np.where(finite, 0, got), np.where(finite, 0, want))
    largest = np.abs(want[finite], dtype=np.float64).max(initial=2.0**-126)
    np.testing.assert_allclose(got[finite], want[finite], rtol=0, atol=allowed * largest)


@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=() if str(case).startswith(QUICK) else pytest.mark.release) for case in SPOILED],
    ids=str,
)
def test_special_values_go_where_the_loops_say(case):
    for arrays in spoiled(case):
        want = loops(case, arrays)
        if want is None:
            with pytest.raises(ArgumentError):
                case.run(*arrays)
            continue
        for one, other in zip(outputs_of(case.run(*arrays)), want, strict=True):
            assert_as_special(one, other, tolerance(case, np.float32))


@pytest.mark.parametrize("name", QUICK)
def test_quick_ones_are_calls(name):
    assert any(str(case).startswith(name) for case in SPOILED)
