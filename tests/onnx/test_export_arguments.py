"""What a caller gives to an export: examples, options, float64, and a network that stays as it was."""

from __future__ import annotations

import types

import numpy as np
import pytest
from exported_networks import IMAGE, Applied, Outer, checker, difference, run, small_unet

import rawseg
from rawseg import functional as F
from rawseg import onnx
from rawseg.autograd.grad_mode import modes
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"input_names": ["a", "b"]}, ArgumentError, r"input_names: expected 1 names, got \['a', 'b'\]"),
        ({"input_names": "a"}, ArgumentError, "input_names: expected a list of different names, got 'a'"),
        ({"output_names": ["a", "a"]}, ArgumentError, "output_names: expected a list of different names"),
        ({"output_names": [""]}, ArgumentError, "output_names: expected a list of different names"),
        ({"output_names": ["input"]}, ArgumentError, "output_names: expected names that are neither inputs' nor parameters'"),
        ({"input_names": ["a"], "output_names": ["a"]}, ArgumentError, "output_names: expected names that no input has"),
        (
            {"input_names": ["first.bias"]},
            ArgumentError,
            r"input_names: expected names that no parameter has, got \['first.bias'\]",
        ),
        ({"dtype": "float64"}, DTypeError, r"model: expected float64, .*model\.double\(\).*, got float32 \(first\.weight\)"),
        ({"dtype": "float16"}, ArgumentError, "dtype: expected None, 'float32' or 'float64', got 'float16'"),
        ({"dynamic_batch": 1}, ArgumentTypeError, "dynamic_batch: expected a bool, got 1"),
        ({"dynamic_size": None}, ArgumentTypeError, "dynamic_size: expected a bool, got None"),
        ({"verify": "yes"}, ArgumentTypeError, "verify: expected a bool, got 'yes'"),
        ({"opset": 17.0}, ArgumentTypeError, "opset: expected an int, got 17.0"),
        ({"other_x": IMAGE[:1]}, ShapeError, r"other_x\[0\]: expected shape \(2, 1, 8, 8\), got shape \(1, 1, 8, 8\)"),
        ({"other_x": (IMAGE, IMAGE)}, ArgumentError, "other_x: expected 1 inputs, as in x, got 2"),
        ({"other_x": IMAGE.astype(np.float64)}, DTypeError, r"other_x\[0\]: expected float32, as in x, got float64"),
        (
            {"other_x": IMAGE, "dynamic_batch": True},
            ShapeError,
            r"other_x\[0\]: expected another length than 2 along axis 0, then \(1, 8, 8\), got shape \(2, 1, 8, 8\)",
        ),
    ],
)
def test_arguments_outside_their_domain_are_named(options, error, message):
    with pytest.raises(error, match=rf"onnx\.export: {message}"):
        onnx.export(Outer(F.relu), IMAGE, **options)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([], ArgumentError, "x: expected at least one input, got none"),
        ("image", ArgumentTypeError, "x: expected a Tensor, an array or a tuple of them, got str"),
        (
            types.SimpleNamespace(),
            ArgumentTypeError,
            "x: expected a Tensor, an array or a tuple of them, got types.SimpleNamespace",
        ),
        ((IMAGE, IMAGE), ArgumentError, r"x: expected one input for each argument of Outer\.forward\(x\), got 2"),
        (IMAGE[:0], ArgumentError, r"x\[0\]: expected at least one element, got shape \(0, 1, 8, 8\)"),
    ],
)
def test_examples_that_are_none_are_refused(x, error, message):
    with pytest.raises(error, match=rf"onnx\.export: {message}"):
        onnx.export(Outer(F.relu), x)


def test_the_model_must_be_a_module():
    with pytest.raises(ArgumentTypeError, match=r"onnx\.export: model: expected a rawseg\.nn\.Module, got function"):
        onnx.export(lambda x: x, IMAGE)


def test_an_error_of_the_network_on_the_first_example_is_its_own():
    with pytest.raises(ShapeError, match=r"^unet: input: expected shape"):
        onnx.export(small_unet(), IMAGE[0])


def test_random_numbers_that_a_network_refuses_are_blamed_on_the_missing_example():
    message = r"other_x: expected a network that takes .* if there is no other_x, got roi_align: boxes"
    with pytest.raises(ArgumentError, match=message):
        onnx.export(Applied(lambda x, b: rawseg.ops.roi_align(x, b, 2)), (IMAGE, np.array([[0, 1, 1, 3, 3]], np.float32)))


# float64


def test_float64_has_to_be_said():
    model = small_unet().double()
    wide = IMAGE.astype(np.float64)
    with pytest.raises(DTypeError, match=r"float32, or dtype='float32' to convert it .*, got float64 \(encoder"):
        onnx.export(model, wide)
    file = onnx.export(model, wide, dtype="float32", verify=True)
    assert {one.data_type for one in file.graph.initializer} <= {1, 7}  # float32 and int64
    (found,) = run(file, IMAGE)
    assert difference(found.astype(np.float64), model(rawseg.tensor(wide)).numpy()) <= 1e-5  # float32 against float64
    kept = onnx.export(model, wide, dtype="float64")
    checker.check_model(kept, full_check=True)
    assert kept.graph.input[0].type.tensor_type.elem_type == 11  # float64


def test_float64_has_to_be_said_of_an_input_too():
    with pytest.raises(DTypeError, match=r"x\[0\]: expected float32, or dtype='float32' to convert it .*, got float64"):
        onnx.export(Applied(lambda x: x * 2), IMAGE.astype(np.float64))


def test_a_function_of_float64_runs_in_float64():
    file = onnx.export(Applied(lambda x: x * 2 + x.mean()), IMAGE.astype(np.float64), dtype="float64", verify=True)
    assert run(file, IMAGE.astype(np.float64))[0].dtype == np.float64


# the network


def test_the_network_stays_as_it_was():
    model = small_unet().train()
    model.bottom.eval()
    before = {name: tensor.numpy().copy() for name, tensor in model.state_dict().items()}
    modes_before = [module.training for module in model.modules()]
    onnx.export(model, IMAGE)
    assert [module.training for module in model.modules()] == modes_before
    assert all(np.array_equal(tensor.numpy(), before[name]) for name, tensor in model.state_dict().items())
    assert not any(module._pre_hooks or module._forward_hooks for module in model.modules())
    model(rawseg.tensor(IMAGE)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_after_a_failure_graphs_are_kept_again():
    model = Outer(lambda x: x.reshape(7))
    with pytest.raises(ShapeError, match="reshape"):
        onnx.export(model, IMAGE)
    assert modes.recorder is None
    assert not any(module._pre_hooks or module._forward_hooks for module in model.modules())
    assert rawseg.tensor([1.0], requires_grad=True).exp().requires_grad


def test_an_example_that_is_a_tensor_with_a_gradient_stays_one():
    x = rawseg.tensor(IMAGE, requires_grad=True)
    onnx.export(Applied(lambda x: x.exp()), x)
    assert x.grad is None
    assert x.requires_grad


def test_a_network_may_write_to_its_input():
    def written(x):
        x += 1
        return x * 2

    given = IMAGE.copy()
    file = onnx.export(Applied(written), given, verify=True)
    assert np.array_equal(given, IMAGE)
    assert np.array_equal(run(file, given)[0], (IMAGE + 1) * 2)
