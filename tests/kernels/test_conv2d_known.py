"""A call whose shapes were seen before has the results, errors and choices of one that looks at everything."""

from __future__ import annotations

import numpy as np
import pytest
from promises import assert_same_bits

from rawseg_kernels import conv2d
from rawseg_kernels._algorithms import reference, substituted
from rawseg_kernels._errors import RawsegError, ShapeError
from rawseg_kernels._precision import set_precision
from rawseg_kernels._tuning import set_autotune
from rawseg_kernels.conv2d import _known

X, WEIGHT, OUT = (2, 16, 40, 40), (16, 16, 3, 3), (2, 16, 40, 40)
VERBS = {
    "forward": lambda x, weight, grad, *options: conv2d.forward(x, weight, None, *options),
    "backward_input": lambda x, weight, grad, *options: conv2d.backward_input(grad, weight, x.shape, *options),
    "backward_weight": lambda x, weight, grad, *options: conv2d.backward_weight(grad, x, weight.shape, *options),
}
USUAL = 1, 1, 1, 1


def arrays(dtype=np.float32, shapes=(X, WEIGHT, OUT)):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


UNUSUAL = {
    "not contiguous": lambda array: np.repeat(array, 2, axis=3)[..., ::2],
    "another order": np.asfortranarray,
    "read-only": read_only,
    "unaligned": lambda array: np.frombuffer(b"x" + array.tobytes(), array.dtype, offset=1).reshape(array.shape),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("which", range(3))
@pytest.mark.parametrize("kind", UNUSUAL)
def test_unusual_arrays_have_the_same_bits(kind, which, verb):
    usual = arrays()
    unusual = [UNUSUAL[kind](array) if at == which else array for at, array in enumerate(usual)]
    assert_same_bits(VERBS[verb](*unusual, *USUAL), VERBS[verb](*usual, *USUAL))


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("options", [((1, 1), (1, 1), (1, 1), 1), (1, "same", 1, 1), ([1, 1], np.int64(1), 1, np.int8(1))])
def test_options_may_be_spelled_in_any_way(options, verb):
    assert_same_bits(VERBS[verb](*arrays(), *options), VERBS[verb](*arrays(), *USUAL))


WRONG = {
    "bool for a stride": (arrays, (True, 1, 1, 1)),
    "float for a padding": (arrays, (1, 1.0, 1, 1)),
    "groups that do not divide": (arrays, (1, 1, 1, 3)),
    "whole numbers": (lambda: arrays(np.int64), USUAL),
    "half precision": (lambda: arrays(np.float16), USUAL),
    "another output": (lambda: arrays(shapes=(X, (16, 16, 44, 3), (2, 16, 39, 40))), USUAL),
    "another channel": (lambda: arrays(shapes=(X, (16, 15, 3, 3), OUT)), USUAL),
    "three axes": (lambda: arrays(shapes=(X[1:], WEIGHT, OUT[1:])), USUAL),
    "no channels": (lambda: arrays(shapes=((2, 0, 40, 40), (16, 0, 3, 3), OUT)), USUAL),
    "a kernel that is too large": (lambda: arrays(shapes=(X, (16, 16, 43, 43), OUT)), USUAL),
    "dtypes that differ": (lambda: [array.astype(kind) for array, kind in zip(arrays(), "fdh")], USUAL),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_refused_after_a_call_was_seen(name, verb):
    make, options = WRONG[name]
    x, weight, grad = make()
    VERBS[verb](*arrays(), *USUAL)
    with pytest.raises(RawsegError):
        VERBS[verb](x, weight, grad, *options)


@pytest.mark.parametrize("verb", ["backward_input", "backward_weight"])
def test_a_gradient_of_another_size_is_refused(verb):
    x, weight, grad = arrays()
    VERBS[verb](x, weight, grad, *USUAL)
    with pytest.raises(ShapeError, match="grad_output"):
        VERBS[verb](x, weight, grad[:, :, 1:].copy(), *USUAL)


@pytest.mark.parametrize("asked", [None, 5, "abcd", 1.5, (2, 16, 40), (2, 16, 40, "40"), (2, 16, 40, -40)])
@pytest.mark.parametrize("verb", [conv2d.backward_input, conv2d.backward_weight])
def test_a_shape_that_is_none_is_refused(verb, asked):
    x, weight, grad = arrays()
    with pytest.raises(RawsegError, match="_shape"):
        verb(grad, weight if verb is conv2d.backward_input else x, asked, 1, 1)


def test_a_shape_is_looked_at_once():
    usual = arrays(shapes=((3, 16, 41, 40), WEIGHT, (3, 16, 41, 40)))
    _known._known_shapes.cache_clear()
    for _ in range(3):
        for verb in VERBS.values():
            verb(*usual, *USUAL)
    found = _known._known_shapes.cache_info()
    assert (found.hits, found.misses) == (6, 3)


@pytest.mark.parametrize("verb", VERBS)
def test_precision_is_that_of_the_call(verb):
    shapes = (1, 64, 40, 40), (64, 64, 3, 3), (1, 64, 40, 40)

    def run():
        return VERBS[verb](*arrays(shapes=shapes), *USUAL)

    fast = run()
    try:
        set_precision("exact")
        exact = run()
    finally:
        set_precision("fast")
    assert conv2d.algorithm_for(verb, *shapes[:2], 1, 1) == "winograd4"
    assert not np.array_equal(fast, exact)
    assert_same_bits(run(), fast)


def test_substitutes_are_called():
    usual, called = arrays(), []

    def choose(op, verb):
        called.append((op, verb))
        return reference(op, verb)

    for verb in VERBS.values():
        verb(*usual, *USUAL)
    with substituted(choose):
        for verb in VERBS.values():
            verb(*usual, *USUAL)
    assert {("conv2d", verb) for verb in VERBS} <= set(called)


def test_autotuning_measures(monkeypatch):
    asked = []
    monkeypatch.setattr("rawseg_kernels.conv2d.fastest", lambda key, runs: asked.append(key[0]) or next(iter(runs)))
    for verb in VERBS.values():
        verb(*arrays(), *USUAL)
    assert asked == []
    try:
        set_autotune(True)
        for verb in VERBS.values():
            verb(*arrays(), *USUAL)
    finally:
        set_autotune(False)
    assert asked == [*VERBS]
