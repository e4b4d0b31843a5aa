"""Winograd's convolution: its matrices, its own rounding bound, every edge, and what it leaves to direct sums."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from bounds import assert_within
from convolution_cases import normals, torch_gradients
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg.testing.rounding.winograd import forward_bound, weight_bound
from rawseg_kernels import _precision, _simd, conv2d
from rawseg_kernels._errors import ArgumentError, DTypeError
from rawseg_kernels._simd_winograd import MATRICES
from rawseg_kernels.conv2d._choice import choose
from rawseg_kernels.conv2d._residues import parted

SIZES = [2, 4]
torch_conv2d: Any = torch.nn.functional.conv2d


class Case(NamedTuple):
    n: int
    depth: int
    channels: int
    size: tuple[int, int]
    padding: tuple[int, int]

    @property
    def shapes(self):
        out = tuple(self.size[i] + 2 * self.padding[i] - 2 for i in (0, 1))
        first = self.n, self.depth, *self.size
        return first, (self.channels, self.depth, 3, 3), (self.channels,), (self.n, self.channels, *out)


@st.composite
def cases(draw) -> Case:
    padding = draw(st.tuples(st.integers(0, 3), st.integers(0, 3)))
    size = tuple(max(1, 3 - 2 * padding[i]) + draw(st.sampled_from([0, 0, 1, 2, 3, 5, 9, 18])) for i in (0, 1))
    n, depth, channels = draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 3, 9])), draw(st.sampled_from([1, 2, 5, 9]))
    return Case(n, depth, channels, size, padding)  # type: ignore[arg-type]


LARGE = [
    ("blocks of tile rows", Case(2, 3, 9, (121, 70), (1, 1))),
    ("blocks of tile columns", Case(1, 2, 3, (9, 1400), (1, 0))),
    ("panels of output channels", Case(2, 5, 150, (13, 17), (1, 1))),
    ("sums in blocks", Case(1, 300, 9, (13, 14), (1, 1))),
    ("channels in blocks, tiles in shares", Case(3, 130, 120, (26, 29), (1, 1))),
    ("short rows of tiles in blocks", Case(70, 2, 9, (13, 7), (1, 1))),
    ("rows that end where vectors begin", Case(1, 2, 3, (6, 128), (1, 1))),
    ("many panels in blocks", Case(2, 90, 150, (40, 44), (1, 1))),
]


def results(case, algorithm, x, weight, bias, grad_output):
    options: dict[str, Any] = {"padding": case.padding, "algorithm": algorithm}
    return [
        conv2d.forward(x, weight, bias, **options),
        conv2d.backward_input(grad_output, weight, x.shape, **options),
        conv2d.backward_weight(grad_output, x, weight.shape, **options),
    ]


@pytest.mark.parametrize("size", SIZES)
def test_the_matrices_compute_a_correlation_exactly(size):
    """Bilinear maps agree everywhere if they agree on the basis: here in rational arithmetic."""
    g, b, a = ([[Fraction(float(v)).limit_denominator(24) for v in row] for row in MATRICES[size][name]] for name in "GBA")
    for tap in range(3):
        for pixel in range(size + 2):
            for out in range(size):
                value = sum(g[p][tap] * b[pixel][p] * a[p][out] for p in range(size + 2))
                assert value == (pixel == out + tap)


def check_bounds(case, arrays):
    """Both tile sizes and all three passes, each within its own bound of the float64 answer."""
    x, _, _, grad_output = arrays
    wide = [array.astype(np.float64) for array in arrays]
    truth = torch_gradients(lambda *leaves: torch_conv2d(*leaves, padding=case.padding), wide[3], *wide[:3])
    turned = wide[1].transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    for size in SIZES:
        got = results(case, f"winograd{size}", *arrays)
        bounds = [
            forward_bound(size, wide[0], wide[1], wide[2], case.padding, grad_output.shape[2:]),
            forward_bound(size, wide[3], turned, np.zeros(x.shape[1]), (2 - case.padding[0], 2 - case.padding[1]), x.shape[2:]),
            weight_bound(size, wide[3], wide[0], case.padding),
        ]
        for name, one, want, bound in zip(("forward", "backward_input", "backward_weight"), got, truth, bounds):
            assert one.dtype == np.float32
            assert_within(one, want, bound, f"winograd{size} {name}")


@pytest.mark.proves("conv2d", "bound", "torch")
@pytest.mark.spec("conv2d.precision")
@given(case=cases(), seed=st.integers(0, 99))
def test_rounding_stays_in_winograds_bound(case, seed):
    check_bounds(case, normals(seed, *case.shapes))


@pytest.mark.proves("conv2d", "bound", "torch")
@given(
    case=cases(), seed=st.integers(0, 99), scales=st.sampled_from([(40, -145), (-145, 40), (-75, -75), (-20, -127), (40, 40)])
)
def test_the_bound_holds_where_numbers_are_smallest(case, seed, scales):
    """Weights below the normal numbers lose digits in the transform, and large pixels then multiply what was lost."""
    of_pixels, of_weights = (np.float32(2.0) ** np.float32(scale) for scale in scales)
    x, weight, bias, grad_output = normals(seed, *case.shapes)
    check_bounds(case, [x * of_pixels, weight * of_weights, bias * of_pixels * of_weights, grad_output * of_pixels])


@pytest.mark.proves("conv2d", "bound", "torch")
@pytest.mark.parametrize(("what", "case"), LARGE, ids=[what for what, _ in LARGE])
def test_however_the_tiles_are_cut_up(what, case):
    check_bounds(case, normals(1, *case.shapes))


@given(
    n=st.integers(0, 2),
    groups=st.integers(1, 3),
    dilation=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    extra=st.tuples(st.integers(0, 11), st.integers(0, 11)),
    seed=st.integers(0, 99),
)
def test_dilation_groups_and_empty_batches(n, groups, dilation, padding, extra, seed):
    """Every residue lands in its place, and groups have the bits of convolutions of their own."""
    size = [max(1, 2 * dilation[i] + 1 - 2 * padding[i]) + extra[i] for i in (0, 1)]
    rng = np.random.default_rng(seed)
    shapes = (n, 2 * groups, *size), (3 * groups, 2, 3, 3), (3 * groups,)
    x, weight, bias = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    options: dict[str, Any] = {"padding": padding, "dilation": dilation}
    wide = [array.astype(np.float64) for array in (x, weight, bias)]
    want = conv2d.forward(*wide, **options, groups=groups)
    grad_output = rng.standard_normal(want.shape).astype(np.float32)
    want_input = conv2d.backward_input(grad_output.astype(np.float64), wide[1], x.shape, **options, groups=groups)
    want_weight = conv2d.backward_weight(grad_output.astype(np.float64), wide[0], weight.shape, **options, groups=groups)
    for algorithm in ("winograd2", "winograd4"):
        out = conv2d.forward(x, weight, bias, **options, groups=groups, algorithm=algorithm)
        grad_input = conv2d.backward_input(grad_output, weight, x.shape, **options, groups=groups, algorithm=algorithm)
        grad_weight = conv2d.backward_weight(grad_output, x, weight.shape, **options, groups=groups, algorithm=algorithm)
        # 1e-3: the outputs are sums of 18 or 27 normal products; wrong places differ by about 4, roundings by less than 1e-4
        np.testing.assert_allclose(out, want, atol=1e-3)
        np.testing.assert_allclose(grad_input, want_input, atol=1e-3)
        np.testing.assert_allclose(grad_weight, want_weight, rtol=1e-4, atol=1e-2)  # sums of up to 800 such products
        for g in range(groups):
            own_x, own_out = slice(2 * g, 2 * g + 2), slice(3 * g, 3 * g + 3)
            alone = conv2d.forward(x[:, own_x], weight[own_out], bias[own_out], **options, algorithm=algorithm)
            assert_same_bits(alone, out[:, own_out])
            alone = conv2d.backward_weight(
                grad_output[:, own_out], x[:, own_x], weight[own_out].shape, **options, algorithm=algorithm
            )
            assert_same_bits(alone, grad_weight[own_out])


@pytest.mark.parametrize("size", SIZES)
def test_a_dilation_beyond_the_map_has_no_more_residues_than_the_map_has_pixels(size):
    x, weight, grad_output = normals(12, (2, 3, 5, 6), (4, 3, 3, 3), (2, 4, 5, 6))
    options: dict[str, Any] = {"padding": (90, 70), "dilation": (90, 70)}
    assert parted((5, 6), (90, 70)) == ((5, 6), (1, 1))
    got = [
        conv2d.forward(x, weight, **options, algorithm=f"winograd{size}"),
        conv2d.backward_input(grad_output, weight, x.shape, **options, algorithm=f"winograd{size}"),
        conv2d.backward_weight(grad_output, x, weight.shape, **options, algorithm=f"winograd{size}"),
    ]
    want = [
        conv2d.forward(x, weight, **options, algorithm="im2col"),
        conv2d.backward_input(grad_output, weight, x.shape, **options, algorithm="im2col"),
        conv2d.backward_weight(grad_output, x, weight.shape, **options, algorithm="im2col"),
    ]
    for one, other in zip(got, want):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3 * np.abs(other).max())  # a single tap meets the map


@pytest.mark.proves("conv2d", "determinism")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("case", [LARGE[0][1], LARGE[2][1], LARGE[4][1], LARGE[5][1]])
def test_promises(monkeypatch, case, size):
    x, weight, bias, grad_output = normals(5, *case.shapes)
    options: dict[str, Any] = {"padding": case.padding, "algorithm": f"winograd{size}"}
    assert_promises(monkeypatch, lambda x, w, b: conv2d.forward(x, w, b, **options), x, weight, bias)
    assert_promises(monkeypatch, lambda g, w: conv2d.backward_input(g, w, x.shape, **options), grad_output, weight)
    assert_promises(monkeypatch, lambda g, x: conv2d.backward_weight(g, x, weight.shape, **options), grad_output, x)


@pytest.mark.parametrize("size", SIZES)
def test_images_do_not_meet(size):
    case = LARGE[0][1]
    x, weight, bias, grad_output = normals(6, *case.shapes)
    whole = results(case, f"winograd{size}", x, weight, bias, grad_output)
    for b in range(2):
        single = results(case, f"winograd{size}", x[b : b + 1], weight, bias, grad_output[b : b + 1])
        assert_same_bits((single[0], single[1]), (whole[0][b : b + 1], whole[1][b : b + 1]))


@pytest.mark.spec("conv2d.nonfinite")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e38])
@pytest.mark.parametrize("width", [23, 128])  # short rows of tiles, and rows that fill vectors
def test_what_is_no_number_or_overflows_stays_in_its_windows_and_its_image(width, size, value):
    case = Case(3, 2, 9, (20, width), (1, 1))
    x, weight, bias, grad_output = normals(7, *case.shapes)
    clean = results(case, f"winograd{size}", x, weight, bias, grad_output)
    x[1, 1, 10, 7] = grad_output[1, 3, 4, 22] = value
    got = results(case, f"winograd{size}", x, weight, bias, grad_output)
    want = results(case, "im2col", x, weight, bias, grad_output)
    for one, before, direct in zip(got[:2], clean, want):
        assert_same_bits(one[[0, 2]], before[[0, 2]])
        if not np.isfinite(value):
            assert_same_bits(one[1], direct[1])
    if np.isfinite(value):  # too large for the transforms, not for direct sums
        assert np.isfinite(got[0]).sum() == np.isfinite(want[0]).sum()
    assert_same_bits(got[2], want[2])


@pytest.mark.parametrize("size", SIZES)
def test_an_infinity_under_a_dilated_kernel_stays_in_its_image(size):
    """An image has one part a residue: whichever part is broken, the image is done again, and no other is."""
    x, weight, grad_output = normals(11, (3, 2, 20, 23), (9, 2, 3, 3), (3, 9, 20, 23))
    options: dict[str, Any] = {"padding": (2, 3), "dilation": (2, 3)}
    verbs = (
        (conv2d.forward, lambda: (x, weight)),
        (conv2d.backward_input, lambda: (grad_output, weight, x.shape)),
        (conv2d.backward_weight, lambda: (grad_output, x, weight.shape)),
    )
    run = lambda name: [verb(*arrays(), **options, algorithm=name) for verb, arrays in verbs]  # noqa: E731
    clean = run(f"winograd{size}")
    x[1, 1, 11, 8] = grad_output[1, 3, 4, 21] = np.inf
    got, want = run(f"winograd{size}"), run("im2col")
    for one, before, direct in zip(got[:2], clean, want):
        assert_same_bits(one[[0, 2]], before[[0, 2]])
        assert_same_bits(one[1], direct[1])
    assert_same_bits(got[2], want[2])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("image", [(6, 7), (1, 1), (2, 70)])  # whatever is left of a tile at the edges
def test_an_infinite_weight_is_left_to_direct_sums(size, image):
    """Nobody looks for it: wherever it is in its kernel, no tile of its channel has a first pixel that is a number."""
    case = Case(2, 2, 3, image, (1, 1))
    for kh, kw in np.ndindex(3, 3):
        x, weight, bias, grad_output = normals(8, *case.shapes)
        weight[0, 1, kh, kw] = np.nan if kh == kw else np.inf
        x[0], grad_output[0] = 0, 0
        got = results(case, f"winograd{size}", x, weight, bias, grad_output)
        want = results(case, "im2col", x, weight, bias, grad_output)
        assert_same_bits(tuple(got[:2]), tuple(want[:2]))  # the third has no weight in it


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("images", "options"), [((2, 9, 13), {"dilation": 2}), ((3, 130, 70), {})])  # and in several blocks
def test_an_infinite_weight_of_one_group_is_left_to_direct_sums(size, images, options):
    n, *plane = images
    options = {"padding": 2, "groups": 2, **options}
    x, weight = normals(12, (n, 6, *plane), (10, 3, 3, 3))
    weight[7, 2, 1, 0] = -np.inf
    grad_output = np.ones_like(conv2d.forward(x, weight, **options, algorithm="im2col"))
    got, want = (
        (
            conv2d.forward(x, weight, **options, algorithm=name),
            conv2d.backward_input(grad_output, weight, x.shape, **options, algorithm=name),
        )
        for name in (f"winograd{size}", "im2col")
    )
    assert_same_bits(got, want)


def test_what_it_cannot_do_is_an_error_by_name():
    x, weight = np.ones((1, 1, 5, 5), np.float32), np.ones((1, 1, 3, 3), np.float32)
    message = r"conv2d: stride: expected stride of \(1, 1\) for algorithm 'winograd4', got \(2, 2\)"
    with pytest.raises(ArgumentError, match=message):
        conv2d.forward(x, weight, stride=2, algorithm="winograd4")
    with pytest.raises(ArgumentError, match=r"conv2d: weight: expected a kernel of \(3, 3\) for algorithm 'winograd2', got"):
        conv2d.forward(x, weight[:, :, :2], algorithm="winograd2")
    with pytest.raises(DTypeError, match="conv2d: x: expected float32 for algorithm 'winograd4', got float64"):
        conv2d.forward(x.astype(np.float64), weight.astype(np.float64), algorithm="winograd4")
    with pytest.raises(ArgumentError, match="conv2d: stride"):
        conv2d.backward_input(x[:, :, :2, :2], weight, x.shape, stride=2, algorithm="winograd2")
    with pytest.raises(ArgumentError, match="conv2d: stride"):
        conv2d.backward_weight(x[:, :, :2, :2], x, weight.shape, stride=2, algorithm="winograd2")


@pytest.fixture
def precision():
    before = _precision.get_precision()
    yield _precision.set_precision
    _precision.set_precision(before)


@pytest.mark.spec("conv2d.precision")
def test_auto_depends_on_precision_dtype_and_shape_alone(precision):
    plain: tuple[Any, ...] = "forward", (3, 3), (1, 1), (1, 1), (64, 64), (32, 40), np.float32
    assert choose(*plain) == "winograd4"
    for position, value in ((1, (3, 1)), (2, (1, 2)), (6, np.float64)):
        assert choose(*plain[:position], value, *plain[position + 1 :]) == "im2col"
    precision("balanced")
    assert choose("backward_weight", *plain[1:]) == "winograd2"
    precision("exact")
    assert choose(*plain) == "im2col"
    with pytest.raises(ArgumentError, match=r"set_precision: precision: expected one of \('fast', 'balanced', 'exact'\), got"):
        precision("faster")
    assert _precision.get_precision() == "exact"


@pytest.mark.parametrize(
    ("asked", "verb", "dilation", "channels", "smallest"),
    [
        ("fast", "forward", (1, 1), (64, 64), (8, 20)),  # 32 pairs a channel, times 20, is 640
        ("fast", "backward_input", (1, 2), (64, 64), (7, 40)),
        ("fast", "forward", (2, 1), (20, 20), (14, 64)),
        ("fast", "forward", (1, 1), (160, 160), (8, 8)),
        ("fast", "backward_weight", (1, 1), (14, 14), (7, 37)),
        ("fast", "backward_weight", (2, 2), (20, 20), (14, 52)),
        ("balanced", "forward", (1, 1), (128, 128), (8, 24)),
        ("balanced", "backward_weight", (1, 1), (32, 32), (7, 16)),
    ],
)
def test_auto_takes_winograd_from_where_it_pays(precision, asked, verb, dilation, channels, smallest):
    precision(asked)
    winograd = {"fast": "winograd4", "balanced": "winograd2"}[asked]
    chosen = lambda channels, size: choose(verb, (3, 3), (1, 1), dilation, channels, size, np.float32)  # noqa: E731
    assert chosen(channels, smallest) == chosen(channels, (8000, 8000)) == winograd
    assert chosen(channels, (smallest[0] - 1, 8000)) == chosen(channels, (8000, smallest[1] - 1)) == "im2col"
    assert chosen((channels[0] - 2, channels[1] - 2), smallest) == "im2col"
    if asked == "balanced":
        assert choose(verb, (3, 3), (1, 1), (1, 2), channels, (8000, 8000), np.float32) == "im2col"


def test_few_channels_are_summed_directly_however_large_the_map(precision):
    for asked, verb, fewest in (("fast", "forward", 20), ("fast", "backward_weight", 14), ("balanced", "forward", 128)):
        precision(asked)
        chosen = [choose(verb, (3, 3), (1, 1), (1, 1), (c, c), (8000, 8000), np.float32) for c in (fewest - 2, fewest)]
        assert chosen[0] == "im2col" != chosen[1]


@pytest.mark.spec("conv2d.precision")
@pytest.mark.parametrize(("asked", "algorithm"), [("fast", "winograd4"), ("balanced", "winograd2"), ("exact", "im2col")])
def test_auto_is_what_the_rule_says(precision, asked, algorithm):
    precision(asked)
    case = Case(1, 130, 130, (9, 25), (1, 1))
    arrays = normals(9, *case.shapes)
    assert_same_bits(tuple(results(case, "auto", *arrays)), tuple(results(case, algorithm, *arrays)))


WIDTHS = """
import hashlib
from convolution_cases import normals
from test_winograd import LARGE, results
digest = hashlib.sha256()
for case in (LARGE[0][1], LARGE[4][1], LARGE[5][1]):
    for name in ("winograd2", "winograd4"):
        for array in results(case, name, *normals(3, *case.shapes)):
            digest.update(array.tobytes())
print(digest.hexdigest())
"""


NARROWER = list(_simd.TILES)[list(_simd.TILES).index(_simd.host_tile()) + 1 :]


@pytest.mark.release  # each width compiles everything anew
@pytest.mark.parametrize("name", NARROWER)
def test_the_width_of_the_vectors_does_not_reach_the_bits(name):
    def digest(name: str) -> str:
        folders = os.pathsep.join([str(Path(__file__).parent), *sys.path])
        environment = {**os.environ, "RAWSEG_SIMD": name, "PYTHONPATH": folders}
        done = subprocess.run([sys.executable, "-c", WIDTHS], env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    assert digest(name) == digest(_simd.host_tile())
