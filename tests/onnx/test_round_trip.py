"""Out as an ONNX file and in again: rawseg's own networks come back as graphs that give the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import models, onnx
from rawseg.models.inference import evaluating
from rawseg.onnx import Graph, Node

RNG = np.random.default_rng(0)
NETWORKS = [
    ("unet", {"width": 4, "depth": 2}, (2, 1, 16, 24)),
    ("segnet_basic", {"classes": 3}, (1, 3, 16, 32)),
    ("deeplabv3", {"backbone": "mobilenet_v3_large", "width": 16}, (1, 3, 40, 72)),
    ("encoder_unet", {"encoder": "mobilenet_v1", "width_mult": 0.25, "decoder": [16] * 5}, (1, 3, 64, 32)),
    ("mobilenet_v2", {"classes": 10, "width_mult": 0.25}, (2, 3, 32, 32)),
]


@pytest.mark.parametrize(("name", "options", "shape"), NETWORKS, ids=[name for name, _, _ in NETWORKS])
def test_networks_come_back(name, options, shape):
    rawseg.manual_seed(0)
    network = models.build(name, **options)
    image = RNG.standard_normal(shape).astype(np.float32)
    graph = onnx.load(onnx.export(network, image))
    with rawseg.no_grad(), evaluating(network):
        np.testing.assert_array_equal(graph(image).numpy(), network(rawseg.tensor(image)).numpy())
    assert {key for key, _ in graph.named_parameters()} == {key for key, _ in network.named_parameters()}
    graph.load_state_dict({key: network.state_dict()[key] for key in graph.state_dict()})


def test_a_network_that_came_back_learns_as_before():
    rawseg.manual_seed(0)
    network = models.build("unet", width=4, depth=2)
    image = RNG.standard_normal((2, 1, 16, 24)).astype(np.float32)
    graph = onnx.load(onnx.export(network, image))
    for each in (graph.eval(), network.eval()):
        (each(rawseg.tensor(image)) ** 2).sum().backward()
    for key, parameter in network.named_parameters():
        # the same kernels in the same order
        np.testing.assert_array_equal(graph.get_parameter(key).grad.numpy(), parameter.grad.numpy(), err_msg=key)


def test_a_detector_comes_back():
    rawseg.manual_seed(0)
    small = {"classes": 3, "backbone": "resnet18", "width_mult": 0.25, "channels": 16, "hidden": 32, "mask_layers": 1}
    network = models.build("mask_rcnn", **small, min_size=64, max_size=96, proposals=(50, 20)).eval()
    network.roi_heads.score_from = 0.0  # untrained, it is sure of nothing
    image = RNG.uniform(0, 1, (3, 64, 80)).astype(np.float32)
    graph = onnx.load(onnx.export(network, image))
    with rawseg.no_grad():
        wanted, found = network([rawseg.tensor(image)])[0], dict(zip(graph.output_names, graph(image)))
    assert len(wanted["boxes"]) > 5
    for key in ("boxes", "labels", "scores", "masks"):
        assert found[key].shape == wanted[key].shape
        # the file computes coordinates in steps of its own, each rounded
        np.testing.assert_allclose(found[key].numpy(), wanted[key].numpy(), rtol=1e-4, atol=1e-3, err_msg=key)


def test_a_graph_keeps_the_names_of_its_inputs_and_outputs_when_it_is_exported_again():
    nodes = [Node("MatMul", ("left", "w"), ("product",)), Node("Relu", ("product",), ("positive",))]
    weights, x = {"w": np.ones((2, 2), np.float32)}, np.ones((1, 2), np.float32)

    def names(outputs, **options):
        file = onnx.export(Graph(nodes, ["left"], outputs, weights), x, **options)
        return [one.name for one in file.graph.input], [one.name for one in file.graph.output]

    assert names(["product", "positive"]) == (["left"], ["product", "positive"])
    assert names(["positive"], output_names=["mine"]) == (["left"], ["mine"])
    assert names(["positive", "left"]) == (["left"], ["output_0", "output_1"])  # an input that is handed on has a name already
