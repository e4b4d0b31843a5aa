"""Loaded networks learn: what training changes in a graph, and that the loss falls."""

from __future__ import annotations

import numpy as np
import onnx_models
import pytest
from onnx_models import model, node, value

import rawseg
import rawseg.onnx
from rawseg import functional as F
from rawseg.errors import ShapeError
from rawseg.onnx import Node
from rawseg.onnx.operators import compute

RNG = np.random.default_rng(0)
IMAGES = RNG.standard_normal((8, 3, 8, 8)).astype(np.float32)
MASKS = (IMAGES.sum(1, keepdims=True) > 0).astype(np.float32)


def fine_tuned(graph: rawseg.onnx.Graph, steps: int) -> list[float]:
    optimizer = rawseg.optim.Adam(graph.parameters(), lr=0.02)
    losses = []
    for _ in range(steps):
        loss = F.binary_cross_entropy_with_logits(graph(IMAGES), rawseg.tensor(MASKS))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("training", [False, True])
def test_a_loaded_network_is_fine_tuned(training):
    rawseg.manual_seed(0)
    graph = rawseg.onnx.load(onnx_models.network()).train(training)
    before = {name: tensor.numpy().copy() for name, tensor in graph.state_dict().items()}
    losses = fine_tuned(graph, 40)
    assert losses[-1] < 0.6 * losses[0]
    moved = {name for name, tensor in graph.state_dict().items() if not np.array_equal(tensor.numpy(), before[name])}
    statistics = {"norm.mean", "norm.var"}
    assert moved == (set(before) if training else set(before) - statistics)


def test_training_repeats_bit_by_bit():
    runs = []
    for _ in range(2):
        rawseg.manual_seed(3)
        runs.append(fine_tuned(rawseg.onnx.load(onnx_models.network()).train(), 3))
    assert runs[0] == runs[1]


WEIGHTS = {"s": np.float32([1, 2]), "b": np.float32([0, 1]), "m": np.float32([0, 0]), "v": np.float32([1, 1])}


def normalising(**attributes) -> rawseg.onnx.Graph:
    nodes = [node("BatchNormalization", "x s b m v", "y", **attributes)]
    return rawseg.onnx.load(model(nodes, [value("x", ["N", 2])], ["y"], WEIGHTS, opset=15))


@pytest.mark.parametrize("mode", [0, 1])
def test_normalisation_trains_as_the_layer_of_rawseg_does(mode):
    """A node in training mode too: PyTorch writes such for its TrainingMode.TRAINING."""
    graph = normalising(momentum=0.7, epsilon=1e-3, training_mode=mode).train()
    layer = rawseg.nn.BatchNorm1d(2, eps=1e-3, momentum=0.3)
    layer.load_state_dict(
        {
            "weight": np.float32([1, 2]),
            "bias": np.float32([0, 1]),
            "running_mean": np.float32([0, 0]),
            "running_var": np.float32([1, 1]),
            "num_batches_tracked": np.array(0),
        }
    )
    x = RNG.standard_normal((6, 2)).astype(np.float32)
    np.testing.assert_array_equal(graph(x).numpy(), layer(rawseg.tensor(x)).numpy())
    # momentum is 1 - 0.7 there, which float64 does not give as 0.3
    np.testing.assert_allclose(graph.state_dict()["m"].numpy(), layer.running_mean.numpy(), rtol=1e-6)
    np.testing.assert_allclose(graph.state_dict()["v"].numpy(), layer.running_var.numpy(), rtol=1e-6)
    graph.eval()
    layer.train(mode == 1)
    np.testing.assert_allclose(graph(x).numpy(), layer(rawseg.tensor(x)).numpy(), rtol=1e-5, atol=1e-6)


def test_evaluation_changes_nothing():
    graph = normalising()
    graph(np.float32([[1, 2], [3, 5]]))
    assert graph.state_dict()["m"].tolist() == [0, 0]


def test_a_node_in_training_mode_returns_the_new_statistics_and_writes_nowhere():
    x, ones, zeros = rawseg.tensor([[1.0], [3.0]]), rawseg.ones(1), rawseg.zeros(1)
    node = Node(
        "BatchNormalization", ("x", "s", "b", "m", "v"), ("y", "m2", "v2"), {"training_mode": 1, "momentum": 0.5}, version=15
    )
    out, mean, variance = compute(node, x, ones, zeros, zeros, ones)
    np.testing.assert_allclose(out.numpy(), [[-1], [1]], rtol=1e-4)
    assert (mean.tolist(), variance.tolist()) == ([1.0], [1.0])  # half of 0 and 2; half of 1 and the biased 1
    assert (zeros.tolist(), ones.tolist()) == ([0.0], [1.0])


def test_statistics_that_are_stored_once_move_by_themselves():
    """PyTorch stores equal tensors once, with an Identity for each further name."""
    nodes = [
        node("Identity", "m", "m2"),
        node("Identity", "v", "v2"),
        node("Identity", "s", "s2"),
        node("BatchNormalization", "x s b m v", "y"),
        node("BatchNormalization", "y s2 b m2 v2", "z"),
    ]
    graph = rawseg.onnx.load(model(nodes, [value("x", ["N", 2])], ["z"], WEIGHTS, opset=15)).train()
    assert {name for name, _ in graph.named_buffers()} == {"m", "v", "m2", "v2"}
    graph(np.float32([[1, 2], [3, 6]]))
    state = {name: tensor.tolist() for name, tensor in graph.state_dict().items()}
    np.testing.assert_allclose(state["m"], [0.2, 0.4], rtol=1e-6)  # a tenth of the means 2 and 4
    np.testing.assert_allclose(state["m2"], [0, 0.1], atol=1e-6)  # the first norm's bias is what the second one sees
    assert [one.op for one in graph.nodes] == ["Identity", "BatchNormalization", "BatchNormalization"]  # scales stay shared


def test_a_batch_of_one_value_cannot_train_a_normalisation():
    with pytest.raises(ShapeError, match=r"^BatchNormalization: batch_norm: input: expected"):
        normalising().train()(np.float32([[1, 2]]))


@pytest.mark.parametrize("opset", [9, 13])
def test_dropout_drops_in_training_only(opset):
    weights = {} if opset == 9 else {"r": np.array(0.25, np.float32)}
    attributes = {"ratio": 0.25} if opset == 9 else {}
    graph = rawseg.onnx.load(
        model([node("Dropout", " ".join(["x", *weights]), "y", **attributes)], [value("x")], ["y"], weights, opset=opset)
    )
    x = np.ones(2000, np.float32)
    assert graph(x).tolist() == x.tolist()
    rawseg.manual_seed(0)
    out = graph.train()(x).numpy()
    assert set(out.tolist()) == {0.0, float(np.float32(1 / 0.75))}
    assert 0.2 < (out == 0).mean() < 0.3


# Inputs that hold floats and are no data, as (operator, how many inputs, which of them): what is read there is not trained.
SETTINGS = [
    *[("Clip", 3, slot) for slot in (1, 2)],
    *[("DequantizeLinear", 2, 1), ("QuantizeLinear", 2, 1), ("Dropout", 2, 1), ("MaxRoiPool", 2, 1)],
    *[("NonMaxSuppression", 5, slot) for slot in (3, 4)],
    *[("OneHot", 3, slot) for slot in (1, 2)],
    *[("Pad", 3, 2), ("Pow", 2, 1), ("Upsample", 2, 1), ("RoiAlign", 3, 1)],
    *[("Range", 3, slot) for slot in (0, 1, 2)],
    *[("Resize", 3, slot) for slot in (1, 2)],
]


@pytest.mark.parametrize(("op", "count", "setting"), SETTINGS)
def test_settings_of_an_operator_are_not_trained(op, count, setting):
    names = [f"input {slot}" for slot in range(count)]
    weights = {names[setting]: np.ones(1, np.float32), "bias": np.ones(1, np.float32)}
    nodes = [Node(op, tuple(names), ("y",), version=17), Node("Add", ("y", "bias"), ("z",))]
    graph = rawseg.onnx.Graph(nodes, [name for name in names if name not in weights], ["z"], weights)
    assert [name for name, _ in graph.named_parameters()] == ["bias"]
    assert not set(graph.state_dict()) & set(names)


def test_frozen_parameters_stay():
    graph = rawseg.onnx.load(onnx_models.network())
    graph.requires_grad_(False)
    graph._parameters["head.bias"].requires_grad_(True)
    graph(IMAGES).sum().backward()
    assert [name for name, parameter in graph.named_parameters() if parameter.grad is not None] == ["head.bias"]


def test_a_trained_network_is_saved_and_loaded(tmp_path):
    graph = rawseg.onnx.load(onnx_models.network())
    fine_tuned(graph, 2)
    rawseg.save(graph.state_dict(), tmp_path / "weights.safetensors")
    fresh = rawseg.onnx.load(onnx_models.network())
    fresh.load_state_dict(rawseg.load(tmp_path / "weights.safetensors"))
    np.testing.assert_array_equal(fresh(IMAGES).numpy(), graph(IMAGES).numpy())
