"""Arrays laid out in memory in other ways: whoever reads memory in its own order is found."""

from __future__ import annotations

import numpy as np
import pytest

from rawseg.testing import check
from rawseg.testing.conformance.determinism import LAYOUTS

ARRAY = np.arange(24.0).reshape(2, 3, 4)


def relu(x):
    return np.maximum(x, 0)


def determinism(function, backward=None):
    return check("relu", function, backward, only="determinism", framework="numpy").of("determinism")


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_has_the_same_elements(name):
    for array in (ARRAY, np.array(3.0), ARRAY[:0], np.full((2, 3), 7.0)):
        other = LAYOUTS[name](array)
        assert np.array_equal(other, array)
        assert other.shape == array.shape
        assert other.dtype == array.dtype


def test_what_each_layout_is():
    strides = {name: laid_out(ARRAY).strides for name, laid_out in LAYOUTS.items()}
    assert strides["column-major"] == (8, 16, 48)
    assert strides["every second element of larger ones"] == (768, 128, 16)
    assert strides["reversed in memory"] == (-96, -32, -8)
    assert not LAYOUTS["read-only"](ARRAY).flags.writeable
    equal = np.repeat(np.array([[1.0], [2.0]]), 3, 1)
    assert LAYOUTS["broadcast"](equal).strides[1] == 0
    assert LAYOUTS["broadcast"](equal).strides[0] != 0
    assert LAYOUTS["broadcast"](np.array([0.0, -0.0])).strides == (8,)


def test_a_gradient_that_reads_memory_in_its_own_order_is_wrong():
    def backward(grad_output, x):
        return (grad_output.ravel(order="K") * (x.ravel(order="K") > 0)).reshape(x.shape)

    outcome = determinism(relu, backward)
    assert outcome.state == "failed"
    assert outcome.message.startswith("arrays that are column-major: gradient of input: ")


def refusing(wrong):
    """Return relu's backward that refuses gradients of the output of some kind."""

    def backward(grad_output, x):
        if grad_output.size > 1 and wrong(grad_output):
            raise RuntimeError("not this one")
        return grad_output * (x > 0)

    return backward


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        (lambda g: any(0 < s < g.itemsize * 2 for s in g.strides) is False and min(g.strides) > 0, "every second"),
        (lambda g: min(g.strides) < 0, "reversed in memory"),
        (lambda g: not g.flags.writeable and 0 not in g.strides, "read-only"),
        (lambda g: g.size > 6 and not any(g.strides), "broadcast"),
    ],
    ids=["gaps", "negative", "read-only", "zero"],
)
def test_gradients_of_the_output_come_in_every_layout(wrong, name):
    outcome = determinism(relu, refusing(wrong))
    assert outcome.state == "failed"
    assert outcome.message.startswith(f"arrays that are {name}")
    assert outcome.message.endswith("raised RuntimeError: not this one")


def test_values_of_a_function_that_looks_at_memory():
    def from_memory(x):
        return np.maximum(np.ndarray(x.shape, x.dtype, x.base if x.base is not None else x), 0)

    assert determinism(from_memory).message.startswith("arrays that are ")


def test_a_right_pair_takes_all_layouts():
    assert determinism(relu, lambda g, x: g * (x > 0)).state == "passed"
