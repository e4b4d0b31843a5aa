"""What a file cannot say is refused, and named, before anything is written."""

from __future__ import annotations

import numpy as np
import pytest
from exported_networks import IMAGE, Applied, Cube, Outer, Square, difference, run

import rawseg
from rawseg import functional as F
from rawseg import nn, onnx
from rawseg.errors import ArgumentError, GraphError

FILTER = rawseg.ones(1, 1, 3, 3)


def test_an_array_that_numpy_computed_is_refused_and_its_module_named():
    model = Outer(F.relu, lambda x: x * rawseg.tensor(x.numpy().mean((2, 3), keepdims=True)))
    with pytest.raises(GraphError, match=r"rest\.1: expected constants that no input changes .*shape \(2, 2, 1, 1\)"):
        onnx.export(model, IMAGE)


def test_a_number_that_python_took_out_is_refused_too():
    model = Outer(lambda x: x / float(x.numpy().max()))
    with pytest.raises(GraphError, match=r"rest\.0: expected constants that no input changes"):
        onnx.export(model, IMAGE)


def test_an_index_that_numpy_computed_is_refused():
    model = Outer(lambda x: x[:, :, np.argsort(x.numpy().mean((0, 1, 3)))])
    with pytest.raises(GraphError, match=r"rest\.0, GetItem: expected arguments that are the same for every input"):
        onnx.export(model, IMAGE)


def test_dropout_in_training_is_named_as_what_it_may_be():
    with pytest.raises(GraphError, match=r"rest\.0: expected constants .*random numbers, as of dropout, cannot be followed"):
        onnx.export(Outer(lambda x: F.dropout(x, 0.5, training=True)), IMAGE)


def test_bins_of_maps_of_any_size_are_refused():
    message = (
        r"AdaptiveAvgPool2d: expected one bin, or \(without dynamic_size\) a map that does not follow the size of the input"
    )
    with pytest.raises(GraphError, match=message):
        onnx.export(Applied(lambda x: F.adaptive_avg_pool2d(x, 3)), IMAGE, dynamic_size=True)


def test_a_decision_by_value_is_refused():
    model = Outer(lambda x: F.relu(x) if x.numpy()[0, 0, 0, 0] == START else F.tanh(x))
    START = model.first(rawseg.tensor(IMAGE)).numpy()[0, 0, 0, 0]
    with pytest.raises(GraphError, match=r"rest\.0: expected the same operations for every input .*, got relu, then tanh"):
        onnx.export(model, IMAGE)
    model = Outer(lambda x: F.relu(x) if x.numpy()[0, 0, 0, 0] == START else x)
    START = model.first(rawseg.tensor(IMAGE)).numpy()[0, 0, 0, 0]
    with pytest.raises(GraphError, match=r"rest\.0: expected the same operations .*, got 2 operations, then 1"):
        onnx.export(model, IMAGE)


def test_a_choice_between_weights_is_refused():
    class Choosing(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Parameter(rawseg.ones(1)), nn.Parameter(rawseg.zeros(1))

        def forward(self, x):
            return x * (self.first if x.numpy()[0, 0, 0, 0] == IMAGE[0, 0, 0, 0] else self.second)

    with pytest.raises(GraphError, match=r"model: expected the same weights for every input .*, got first, then second"):
        onnx.export(Choosing(), IMAGE)


def test_outputs_that_change_their_names_are_refused():
    model = Applied(lambda x: {"known" if x.numpy()[0, 0, 0, 0] == IMAGE[0, 0, 0, 0] else "new": x * 2})
    with pytest.raises(GraphError, match=r"outputs of the same names and nesting .*, got \{'known': 0\}, then \{'new': 0\}"):
        onnx.export(model, IMAGE)


def test_a_constant_is_no_reason_to_refuse():
    weights = np.linspace(0, 1, 6, dtype=np.float32)
    model = Outer(lambda x: x * rawseg.tensor(weights))
    file = onnx.export(model, IMAGE)
    (found,) = run(file, IMAGE)
    assert difference(found, model(rawseg.tensor(IMAGE)).numpy()) <= 1e-6  # one product behind nine terms


def test_a_constant_of_one_number_grows_with_the_input():
    def joined(x):  # a concatenation does not broadcast: what did not grow would not fit
        return rawseg.cat([x, rawseg.full((x.shape[0], 2, x.shape[2], 8), 2.0)], 1)

    file = onnx.export(Applied(joined), IMAGE, dynamic_batch=True, verify=True)
    more = np.concatenate([IMAGE, IMAGE, IMAGE])
    assert np.array_equal(run(file, more)[0], joined(rawseg.tensor(more)).numpy())


def test_a_constant_that_is_the_output_grows_too():
    file = onnx.export(Applied(lambda x: (x + 1, rawseg.full((x.shape[0], 3), 0.5))), IMAGE, dynamic_batch=True)
    assert np.array_equal(run(file, IMAGE[:1])[1], np.full((1, 3), 0.5, np.float32))


@pytest.mark.parametrize("number", [lambda n: rawseg.arange(float(n)), lambda n: rawseg.full((n,), float(n))])
def test_a_constant_whose_numbers_follow_the_size_is_refused(number):
    with pytest.raises(GraphError, match=r"expected constants that no input changes .*shape \(2,\)"):
        onnx.export(Applied(lambda x: x + number(x.shape[0]).reshape(-1, 1, 1, 1)), IMAGE, dynamic_batch=True)


@pytest.mark.parametrize(
    ("function", "option", "got"),
    [
        (lambda x: x.clamp(0, x.shape[2]), "dynamic_size", r"Clamp: .*, got high=8 or 8 or 104"),
        (lambda x: x ** x.shape[0], "dynamic_batch", r"PowScalar: .*, got exponent=2 or 3"),
        (lambda x: F.leaky_relu(x, x.shape[0]), "dynamic_batch", r"leaky_relu: .*, got parameters=\(2 or 3,\)"),
        (lambda x: F.conv2d(x, FILTER, padding=x.shape[2] // 8), "dynamic_size", r"Convolution: .*'padding': 1 or 1 or 13"),
        (lambda x: x[:, :, x.shape[2] // 2], "dynamic_size", r"GetItem: expected the start of a slice that does not follow"),
        (lambda x: x[:, :, :: x.shape[2] // 4], "dynamic_size", r"GetItem: expected the step of a slice .*, got 2 or 2 or 26"),
        (lambda x: x[-3::-1], "dynamic_batch", r"GetItem: expected no start below -1 of a slice that goes backwards"),
    ],
)
def test_an_argument_that_follows_the_size_is_named(function, option, got):
    with pytest.raises(GraphError, match=rf"model, {got}"):
        onnx.export(Applied(function), IMAGE, **{option: True})


def test_what_another_batch_cannot_be_given_is_told():
    """An error of the network's own, on the second example."""
    model = Applied(lambda x: x[np.array([True, False])])
    with pytest.raises(
        ArgumentError,
        match=r"other_x: expected a network that takes inputs of shapes .*, got getitem: index: .*, got boolean",
    ):
        onnx.export(model, IMAGE, dynamic_batch=True)


def test_all_unknown_operations_are_named_with_their_modules(tmp_path):
    model = Outer(Cube.apply, lambda x: Square.apply(Cube.apply(x)))
    with pytest.raises(GraphError, match=r"got Cube \(in rest\.0, rest\.1\); Square \(in rest\.1\)$"):
        onnx.export(model, IMAGE, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())


def test_an_unknown_operation_that_no_output_needs_is_left_out():
    file = onnx.export(Applied(lambda x: (Cube.apply(x), x + 1)[1]), IMAGE)
    assert [node.op_type for node in file.graph.node] == ["Add"]


def test_a_loss_in_training_is_unknown():
    model = Applied(lambda x: F.binary_cross_entropy_with_logits(x, rawseg.tensor(np.ones(IMAGE.shape, np.float32))))
    with pytest.raises(
        GraphError, match=r"operations that have a translation to ONNX, got LogitCrossEntropy \(in the model itself\)"
    ):
        onnx.export(model, IMAGE)


def test_assignment_to_a_part_is_refused():
    def assigned(x):
        y = x * 2
        y[:, :1] = x[:, :1]
        return y

    with pytest.raises(GraphError, match=r"rest\.0: expected assignment to all elements of a Tensor"):
        onnx.export(Outer(assigned), IMAGE)


def test_a_change_that_another_name_sees_is_refused():
    def through_a_view(x):
        y = x * 2
        y.reshape(-1).mul_(2.0)
        return y

    with pytest.raises(GraphError, match=r"Tensors that are not changed through a view or another name"):
        onnx.export(Outer(through_a_view), IMAGE)


def test_a_network_that_counts_its_calls_is_refused():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("calls", rawseg.zeros(1))

        def forward(self, x):
            self.calls.add_(1.0)
            return x * self.calls

    with pytest.raises(GraphError, match="parameters and buffers that a call leaves alone, got changes of calls"):
        onnx.export(Counting(), IMAGE)


def test_a_size_that_follows_the_input_in_no_simple_way_is_refused():
    model = Applied(lambda x: x.mean((2, 3)).reshape(x.shape[0] * x.shape[1]).expand(x.shape[2] ** 2, x.shape[0] * x.shape[1]))
    assert onnx.export(model, IMAGE).graph.output[0].type.tensor_type.shape.dim[0].dim_value == 64
    with pytest.raises(GraphError, match="sizes that are those of some array, multiples of them or equal parts"):
        onnx.export(model, IMAGE, dynamic_size=True)


def test_a_network_must_give_tensors():
    with pytest.raises(GraphError, match="Tensors as outputs, in tuples, lists or dictionaries, got ndarray"):
        onnx.export(Applied(lambda x: x.numpy()), IMAGE)
