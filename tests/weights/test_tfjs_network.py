"""A network of TensorFlow.js as a Module: its weights by name, its derivatives, training, saving."""

from __future__ import annotations

import numpy as np
import tfjs_files
from tfjs_files import node, placeholder, whole

import rawseg
from rawseg import functional as F
from rawseg import optim, tfjs
from rawseg.testing import gradcheck


def little(folder):
    """Write two convolutions with a hard swish between; return the path and the arrays."""
    arrays = {
        "a/filter": whole(0, 3, 3, 2, 4) / 4,
        "a/bias": whole(1, 4),
        "three": np.array(3, np.float32),
        "sixth": np.array(1 / 6, np.float32),
        "b/filter": whole(2, 1, 1, 4, 1) / 4,
    }
    conv = {"strides": [1, 2, 2, 1], "padding": "SAME"}
    nodes = [
        placeholder((1, 8, 8, 2)),
        node("a", "_FusedConv2D", ["x", "a/filter", "a/bias"], fused_ops=["BiasAdd"], **conv),
        node("up", "AddV2", ["a", "three"]),
        node("clip", "Relu6", ["up"]),
        node("swish", "Mul", ["a", "clip"]),
        node("part", "Mul", ["sixth", "swish"]),
        node("b", "Conv2D", ["part", "b/filter"], **conv),
        node("y", "Identity", ["b"]),
    ]
    return tfjs_files.write(folder, nodes, arrays, ["y"]), arrays


def test_weights_have_the_names_of_the_file_and_numbers_are_not_trained(tmp_path):
    path, arrays = little(tmp_path)
    net = tfjs.load(path)
    assert [name for name, _ in net.named_parameters()] == ["a/filter", "a/bias", "b/filter"]
    assert list(net.state_dict()) == ["a/filter", "a/bias", "b/filter"]
    assert np.array_equal(net.state_dict()["a/filter"].numpy(), arrays["a/filter"].transpose(3, 2, 0, 1))
    assert net.output_names == ["y"]
    assert not net.training


def test_a_network_is_differentiated(tmp_path):
    net = tfjs.load(little(tmp_path)[0]).double()
    names = [name for name, _ in net.named_parameters()]

    def function(x, *weights):
        net._parameters.update(zip(names, weights))
        return net(x)

    x = rawseg.tensor(np.random.default_rng(0).standard_normal((2, 2, 8, 8)), requires_grad=True)
    gradcheck(function, x, *[rawseg.tensor(parameter.numpy(), requires_grad=True) for parameter in net.parameters()])


def test_a_network_learns(tmp_path):
    net = tfjs.load(little(tmp_path)[0])
    x, want = rawseg.tensor(whole(5, 4, 2, 8, 8)), rawseg.tensor(whole(6, 4, 1, 2, 2))
    update, losses = optim.Adam(net.parameters(), 0.05), []
    for _ in range(30):
        loss = F.mse_loss(net(x), want)
        update.zero_grad()
        loss.backward()
        update.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
    rawseg.save(net.state_dict(), tmp_path / "tuned.safetensors")
    again = tfjs.load(tmp_path / "model.json")
    again.load_state_dict(rawseg.load(tmp_path / "tuned.safetensors"))
    assert np.array_equal(again(x).numpy(), net(x).numpy())
