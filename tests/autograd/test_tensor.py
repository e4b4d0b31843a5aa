"""Tensor as an array: dtypes, scalars, conversion, protocols, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rawseg
from rawseg.autograd.indexing import interleave
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, GraphError, IndexRangeError, ShapeError


def test_default_dtypes():
    assert rawseg.tensor([1.0]).dtype == np.float32
    assert rawseg.tensor([1]).dtype == np.int64
    assert rawseg.tensor([True]).dtype == np.bool_
    assert rawseg.tensor(np.zeros(2)).dtype == np.float64
    assert rawseg.zeros(2).dtype == rawseg.randn(2).dtype == np.float32


def test_tensor_copies_and_from_numpy_shares():
    array = np.zeros(2)
    copied, shared = rawseg.tensor(array), rawseg.from_numpy(array)
    array[0] = 5
    assert copied.tolist() == [0.0, 0.0]
    assert shared.tolist() == [5.0, 0.0]


def test_python_scalars_are_weak():
    single, whole = rawseg.ones(2), rawseg.tensor([1, 2])
    assert (single * 2.5).dtype == (2 - single).dtype == (single / 3).dtype == np.float32
    assert (whole * 2).dtype == np.int64
    assert (whole * 2.5).dtype == (whole / 2).dtype == np.float32
    assert (single.double() + 1).dtype == np.float64
    assert (rawseg.tensor([True]) + 1).dtype == np.int64
    assert (rawseg.tensor([True]) * 0.5).dtype == np.float32


def test_mixed_dtypes_raise():
    with pytest.raises(DTypeError, match=r"add: other: expected float32, the dtype of input .*, got float64"):
        rawseg.ones(2) + rawseg.ones(2, dtype=np.float64)
    with pytest.raises(DTypeError, match="mul: other"):
        rawseg.ones(2) * np.ones(2)
    with pytest.raises(DTypeError, match="cat: tensors"):
        rawseg.cat([rawseg.ones(2), rawseg.ones(2, dtype=np.float64)])
    with pytest.raises(ArgumentTypeError, match="expected a Tensor, an array or a Python number, got str"):
        rawseg.ones(2) + "1"


def test_arrays_on_the_left_defer_to_the_tensor():
    x = rawseg.ones(2, requires_grad=True)
    y = np.full(2, 3.0, np.float32) * x
    assert isinstance(y, rawseg.Tensor)
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_only_floats_can_require_a_gradient():
    with pytest.raises(DTypeError, match="expected float32 or float64, got int64"):
        rawseg.tensor([1, 2], requires_grad=True)
    with pytest.raises(DTypeError, match="exp: input"):
        rawseg.tensor([1, 2]).exp()


def test_comparison_and_logic():
    a, b = rawseg.tensor([1.0, 2.0, 3.0]), rawseg.tensor([3.0, 2.0, 1.0])
    assert (a < b).tolist() == [True, False, False]
    assert (a == 2).tolist() == [False, True, False]
    assert ((a >= b) & ~(a == b)).tolist() == [False, False, True]
    assert bool((a != b).any())
    assert not bool((a != b).all())


def test_protocols():
    x = rawseg.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert len(x) == 2
    assert [row.tolist() for row in x] == [[1.0, 2.0], [3.0, 4.0]]
    assert float(x[0, 1]) == 2.0
    assert [10, 20, 30][rawseg.tensor(2)] == 30
    assert {x: 1}[x] == 1  # hashed by identity
    assert np.asarray(x).sum() == 10
    assert repr(x) == "tensor([[1., 2.],\n        [3., 4.]])"
    assert "requires_grad=True" in repr(rawseg.ones(1, requires_grad=True))
    assert "dtype=float64" in repr(x.double())
    with pytest.raises(ShapeError, match="exactly one element"):
        bool(x)
    with pytest.raises(ArgumentTypeError, match="integer dtype"):
        [1, 2][rawseg.tensor(1.0)]
    with pytest.raises(TypeError):
        np.exp(x)  # would lose the graph


def test_shapes_are_checked():
    x = rawseg.ones(2, 3)
    with pytest.raises(ShapeError, match=r"reshape: shape: expected sizes that hold 6 elements"):
        x.reshape(4, -1)
    with pytest.raises(ShapeError, match="matmul: other: expected 3 rows"):
        x @ x
    with pytest.raises(ArgumentError, match=r"sum: dim: expected an axis in \[-2, 1\], got 2"):
        x.sum(2)
    with pytest.raises(ShapeError, match=r"expand: shape"):
        x.expand(4, 3)
    with pytest.raises(ShapeError, match=r"cat: tensors\[1\]: expected shape \(2, -1\)"):
        rawseg.cat([x, rawseg.ones(3, 3)], 1)
    with pytest.raises(ShapeError, match=r"amax: input: expected at least one element"):
        rawseg.zeros(0, 3).amax(0)
    with pytest.raises(ArgumentError, match="permute: dims"):
        x.permute(0, 0)


def test_sums_do_not_depend_on_strides():
    rng = np.random.default_rng(0)
    base = rng.standard_normal((64, 48)).astype(np.float32)
    want = rawseg.tensor(base).sum(0).numpy()
    turned = rawseg.Tensor(np.asfortranarray(base)).sum(0).numpy()
    strided = rawseg.Tensor(np.repeat(base, 2, 1)[:, ::2]).sum(0).numpy()
    assert np.array_equal(want, turned)
    assert np.array_equal(want, strided)


def test_dlpack_shares_memory_with_torch_both_ways():
    source = torch.arange(4, dtype=torch.float32)
    x = rawseg.from_dlpack(source)
    source[0] = 9
    assert x.tolist() == [9.0, 1.0, 2.0, 3.0]
    mine = rawseg.zeros(3)
    theirs = torch.from_dlpack(mine)
    mine.add_(2)
    assert theirs.tolist() == [2.0, 2.0, 2.0]
    with pytest.raises(GraphError, match="detach"):
        torch.from_dlpack(rawseg.zeros(3, requires_grad=True))
    with pytest.raises(ArgumentTypeError, match="__dlpack__"):
        rawseg.from_dlpack([1])


def test_seeded_random_numbers_repeat():
    rawseg.manual_seed(3)
    first = rawseg.randn(5).tolist()
    state = rawseg.get_rng_state()
    second = rawseg.rand(5).tolist()
    rawseg.manual_seed(3)
    assert rawseg.randn(5).tolist() == first
    rawseg.set_rng_state(state)
    assert rawseg.rand(5).tolist() == second
    with pytest.raises(ArgumentError, match="at least 0"):
        rawseg.manual_seed(-1)


def test_devices():
    x = rawseg.ones(2)
    assert x.device == "cpu"
    assert x.to("cpu") is x
    with pytest.raises(ArgumentError, match="'cpu', 'cuda' or 'cuda:N'"):
        x.to("tpu")


def test_creation():
    assert rawseg.full((2,), 3.0).tolist() == [3.0, 3.0]
    assert rawseg.arange(3).dtype == np.int64
    assert rawseg.arange(0, 1, 0.5).dtype == np.float32
    assert rawseg.linspace(0, 1, 3).tolist() == [0.0, 0.5, 1.0]
    assert rawseg.eye(2).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert sorted(rawseg.randperm(4).tolist()) == [0, 1, 2, 3]
    assert rawseg.tensor([rawseg.tensor(1.0), rawseg.tensor(2.0)]).tolist() == [1.0, 2.0]
    with pytest.raises(DTypeError, match="numbers or bools"):
        rawseg.tensor(["a"])


def test_creation_takes_torchs_keywords():
    assert rawseg.full(size=(1, 2), fill_value=3).tolist() == [[3, 3]]
    assert rawseg.randint(2, 3, size=(2,)).tolist() == [2, 2]
    assert rawseg.zeros(np.int64(2), 0).shape == (2, 0)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: rawseg.zeros(2, -1), ArgumentError, "zeros: size: expected at least 0, got -1"),
        (lambda: rawseg.ones((2.5,)), ArgumentTypeError, "ones: size: expected an int, got 2.5"),
        (lambda: rawseg.empty("a"), ArgumentTypeError, "empty: size: expected an int, got 'a'"),
        (lambda: rawseg.full((-2,), 1.0), ArgumentError, "full: size: expected at least 0, got -2"),
        (lambda: rawseg.rand(-3), ArgumentError, "rand: size: expected at least 0, got -3"),
        (lambda: rawseg.randn(True), ArgumentTypeError, "randn: size: expected an int, got True"),
        (lambda: rawseg.randint(3, 3, (1,)), ArgumentError, "randint: high: expected greater than low=3, got 3"),
        (lambda: rawseg.eye(-1), ArgumentError, "eye: n: expected at least 0, got -1"),
        (lambda: rawseg.randperm(-1), ArgumentError, "randperm: n: expected at least 0, got -1"),
        (lambda: rawseg.linspace(0, 1, -1), ArgumentError, "linspace: steps: expected at least 0, got -1"),
        (lambda: rawseg.tensor([2, 3]) ** -1, ArgumentError, "power: other: expected exponents of at least 0 for integers"),
        (lambda: 2 ** rawseg.tensor([1, -2]), ArgumentError, r"power: other: .* \(or a floating base\), got -2"),
    ],
)
def test_errors_of_creation_and_powers_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_deviation_of_equal_elements_has_no_slope():
    x = rawseg.Tensor(np.array([[2.0, 2.0, 2.0], [0.0, 1.0, 2.0]]), requires_grad=True)
    deviation = x.std(1)
    assert deviation.tolist() == [0, 1]
    assert rawseg.grad(deviation.sum(), x)[0].tolist() == [[0, 0, 0], [-0.5, 0, 0.5]]  # as PyTorch


@pytest.mark.parametrize("value", [2.5, float("nan"), np.float64(1)])
def test_a_float_is_not_cut_to_an_integer_in_place(value):
    x = rawseg.tensor([1, 2])
    with pytest.raises(DTypeError, match="setitem: value: expected int64, got float32"):
        x[0] = value
    assert x.tolist() == [1, 2]


def test_flatten_wants_its_axes_in_order():
    with pytest.raises(ArgumentError, match="flatten: end_dim: expected not before start_dim=1, got 0"):
        rawseg.zeros(2, 3).flatten(1, 0)


def test_transpose_takes_torchs_keywords():
    assert rawseg.zeros(2, 3, 4).transpose(dim0=0, dim1=-1).shape == (4, 3, 2)


@pytest.mark.parametrize("array", [np.ones(2, complex), np.array(["a"]), np.array([None])], ids=["complex", "text", "object"])
def test_only_real_numbers_are_tensors(array):
    with pytest.raises(DTypeError, match="Tensor: array: expected bools, integers or floats, got"):
        rawseg.Tensor(array)


def test_a_float_that_another_package_registered_is_none_of_numpys():
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="the package ml_dtypes is missing: NumPy has no float8 without it")
    eighths = np.zeros(2, ml_dtypes.float8_e5m2)
    assert eighths.dtype.kind == "f"  # it passes for a float
    for make in (rawseg.Tensor, rawseg.tensor, rawseg.as_tensor, rawseg.from_numpy, rawseg.ones(2).__add__):
        with pytest.raises(DTypeError, match="expected bools, integers or floats, got float8_e5m2"):
            make(eighths)
    for call in (
        lambda dtype: rawseg.zeros(2, dtype=dtype),
        lambda dtype: rawseg.tensor([1.0], dtype=dtype),
        rawseg.ones(2).to,
    ):
        with pytest.raises(ArgumentTypeError, match="float8_e5m2"):
            call(ml_dtypes.float8_e5m2)


def test_numpy_and_torch_names_of_reductions():
    x = rawseg.tensor([[1.0, 5.0], [7.0, 3.0]])
    assert x.sum(axis=0).tolist() == x.sum(dim=0).tolist() == [8.0, 8.0]
    assert x.mean(axis=1, keepdims=True).shape == x.mean(1, keepdim=True).shape == (2, 1)
    largest = x.max(dim=1)
    assert largest.values.tolist() == [5.0, 7.0]
    assert largest.indices.tolist() == [1, 0]
    assert x.argmax(axis=0).tolist() == [1, 0]


def test_small_conveniences():
    x = rawseg.arange(6).reshape(2, 3)
    assert (x.numel(), x.dim(), x.size) == (6, 2, 6)
    assert [part.tolist() for part in x.chunk(2, 1)] == [[[0, 1], [3, 4]], [[2], [5]]]
    assert [row.tolist() for row in x.unbind()] == [[0, 1, 2], [3, 4, 5]]
    assert x.masked_fill(x > 3, 0).tolist() == [[0, 1, 2], [3, 0, 0]]
    assert x.mT.contiguous().array.flags.c_contiguous
    assert f"{rawseg.tensor(0.12345):.2f}" == "0.12"
    assert f"{x[0]}" == repr(x[0])
    assert rawseg.tensor([1.9]).long().dtype == np.int64
    assert (rawseg.tensor([3.0]).pow(2)).item() == 9.0


def test_a_dtype_in_the_place_of_a_device():
    x = rawseg.ones(2)
    assert x.to("float64").dtype == np.float64
    assert x.to(np.int64).dtype == np.int64
    assert x.to("cpu") is x


@pytest.mark.parametrize("wrong", [None, 3, "floaty", complex, [1]], ids=str)
def test_what_is_no_dtype_or_device_is_named(wrong):
    with pytest.raises((ArgumentError, ArgumentTypeError), match="to: device: expected 'cpu', 'cuda' or 'cuda:N', got"):
        rawseg.ones(2).to(wrong)
    if wrong is not None:
        for make in (rawseg.zeros, rawseg.rand, rawseg.tensor):
            with pytest.raises(ArgumentTypeError, match="dtype: expected a dtype of bools, integers or floats, got"):
                make(2, dtype=wrong)


def test_python_floats_keep_all_digits_for_a_dtype_that_has_them():
    assert rawseg.tensor(0.1, dtype="float64").item() == 0.1
    assert rawseg.tensor([[0.1, 1 / 3]], dtype=np.float64).numpy().tolist() == [[0.1, 1 / 3]]
    assert rawseg.as_tensor([0.1], dtype="float64").item() == 0.1
    assert rawseg.tensor(0.1).item() == rawseg.as_tensor(0.1).item() == np.float32(0.1)


def test_rows_are_interleaved_and_their_gradients_go_back_to_where_they_came_from():
    first = rawseg.tensor([[1.0, 2], [3, 4]], requires_grad=True)
    second, third = rawseg.tensor([[5.0, 6]], requires_grad=True), rawseg.zeros((0, 2), requires_grad=True)
    out = interleave([first, second, third], [np.array([2, 0]), np.array([1]), np.array([], np.int64)])
    assert out.numpy().tolist() == [[3, 4], [5, 6], [1, 2]]
    out.backward(rawseg.tensor([[1.0, 2], [3, 4], [5, 6]]))
    assert first.grad.numpy().tolist() == [[5, 6], [1, 2]]
    assert second.grad.numpy().tolist() == [[3, 4]]
    assert third.grad.shape == (0, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x < 256, ArgumentError, "less: other: expected a number of uint8, the dtype of the other operand, got 256"),
        (lambda x: x == -1, ArgumentError, "equal: other: expected a number of uint8, .*, got -1"),
        (lambda x: x[5], IndexRangeError, r"getitem: index: expected positions in shape \(3,\), got index 5 is out of"),
        (
            lambda x: x[np.array([True, False])],
            IndexRangeError,
            r"getitem: index: expected positions in shape \(3,\), got bool",
        ),
        (lambda x: x["a"], IndexRangeError, "getitem: index: .*only integers, slices"),
        (lambda x: x.__setitem__(7, 1), IndexRangeError, r"setitem: index: expected positions in shape \(3,\), got index 7"),
        (
            lambda x: x.__setitem__(slice(2), np.zeros(3, np.uint8)),
            ShapeError,
            "setitem: value: expected a shape that broadcasts",
        ),
        (lambda x: x.__setitem__(0, 256), ArgumentError, "setitem: value: expected a number of uint8"),
    ],
)
def test_wrong_numbers_and_positions_are_told_and_nothing_is_changed(call, error, message):
    x = rawseg.tensor(np.arange(3, dtype=np.uint8))
    before = list(x._version)
    with pytest.raises(error, match=message):
        call(x)
    assert x.tolist() == [0, 1, 2]
    assert x._version == before
    assert [row.item() for row in x] == [0, 1, 2]


def test_a_read_only_array_is_told_and_counts_no_change():
    array = np.zeros(3, np.float32)
    array.flags.writeable = False
    x = rawseg.Tensor(array)
    before = list(x._version)
    with pytest.raises(ArgumentError, match="setitem: tensor: expected an array that may be written to, got a read-only one"):
        x[0] = 1
    assert x._version == before
