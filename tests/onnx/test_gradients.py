"""Gradients through operators and whole graphs: central differences, and PyTorch's own."""

from __future__ import annotations

import numpy as np
import onnx_models
import pytest
import torch
from onnx import numpy_helper

import rawseg
import rawseg.onnx
from rawseg.onnx import Node
from rawseg.onnx.operators import compute
from rawseg.testing import gradcheck

RNG = np.random.default_rng(0)


def apart(*shape: int) -> rawseg.Tensor:
    """Return different numbers, none of them near another or 0, so that no difference crosses a kink."""
    count = int(np.prod(shape))
    values = (RNG.permutation(count) - count / 2 + 0.37) * (4 / count)
    return rawseg.tensor(values.reshape(shape), requires_grad=True)


def positive(*shape: int) -> rawseg.Tensor:
    return rawseg.tensor(RNG.uniform(0.5, 1.5, shape), requires_grad=True)


def fixed(*numbers, dtype=np.int64) -> rawseg.Tensor:
    return rawseg.tensor(np.array(numbers, dtype))


UNEVEN = {"kernel_shape": (3, 2), "strides": (2, 1), "pads": (1, 0, 2, 1)}
FLOW = {"mode": "linear", "coordinate_transformation_mode": "asymmetric"}
MOVES = rawseg.tensor(RNG.uniform(0.2, 0.4, (1, 8, 3, 3)), requires_grad=True)  # of taps: none of them meets a pixel
POINTS = rawseg.tensor(RNG.uniform(-0.7, 0.7, (1, 2, 2, 2)), requires_grad=True)
BOX = rawseg.tensor(np.array([[0.3, 0.4, 3.1, 3.7]]), requires_grad=True)
STATISTICS = fixed(0, 0.1, 1, dtype=float), fixed(1, 2, 0.5, dtype=float)
CASES = {
    "Conv": (11, {**UNEVEN, "group": 2}, [apart(1, 4, 3, 3), apart(2, 2, 3, 2), apart(2)]),
    "ConvTranspose": (11, {**UNEVEN, "output_padding": (1, 0)}, [apart(1, 2, 3, 2), apart(2, 2, 3, 2), apart(2)]),
    "MaxPool": (12, UNEVEN, [apart(1, 2, 4, 3)]),
    "AveragePool": (19, {**UNEVEN, "dilations": (1, 2)}, [apart(1, 2, 4, 4)]),
    "LpPool": (18, {**UNEVEN, "p": 2}, [positive(1, 2, 4, 3)]),
    "GlobalAveragePool": (1, {}, [apart(2, 2, 3, 3)]),
    "GlobalMaxPool": (1, {}, [apart(2, 2, 3, 3)]),
    "GlobalLpPool": (2, {"p": 3}, [positive(2, 2, 3, 3)]),
    "MaxUnpool": (
        11,
        {"kernel_shape": (2, 2), "strides": (2, 2)},
        [apart(1, 1, 2, 2), fixed(0, 3, 13, 10).reshape(1, 1, 2, 2)],
    ),
    "BatchNormalization": (15, {}, [apart(2, 3, 2, 2), apart(3), apart(3), *STATISTICS]),
    "InstanceNormalization": (6, {}, [apart(2, 2, 3, 3), apart(2), apart(2)]),
    "GroupNormalization": (21, {"num_groups": 2}, [apart(2, 4, 3, 2), apart(4), apart(4)]),
    "LayerNormalization": (17, {"axis": 1}, [apart(2, 3, 4), apart(3, 4), apart(3, 4)]),
    "RMSNormalization": (23, {}, [apart(2, 3, 4), apart(4)]),
    "MeanVarianceNormalization": (13, {}, [apart(2, 2, 3, 3)]),
    "LpNormalization": (22, {"p": 2}, [apart(2, 5)]),
    "LRN": (13, {"size": 4}, [apart(1, 5, 2, 2)]),
    "Resize": (19, {**FLOW, "antialias": 1}, [apart(1, 2, 5, 6), None, None, fixed(1, 2, 3, 4)]),
    "Upsample": (9, {"mode": "nearest"}, [apart(1, 1, 3, 3), fixed(1, 1, 2, 1.5, dtype=float)]),
    "Pad": (19, {"mode": "wrap"}, [apart(3, 4), fixed(1, 2, 0, 3)]),
    "CenterCropPad": (18, {}, [apart(3, 4), fixed(5, 2)]),
    "DepthToSpace": (13, {"blocksize": 2, "mode": "CRD"}, [apart(1, 8, 2, 2)]),
    "SpaceToDepth": (13, {"blocksize": 2}, [apart(1, 2, 4, 4)]),
    "Col2Im": (18, {"pads": (1, 0, 0, 1)}, [apart(1, 4, 9), fixed(3, 3), fixed(2, 2)]),
    "GridSample": (16, {"mode": "bicubic", "padding_mode": "border"}, [apart(1, 1, 3, 4), POINTS]),
    "AffineGrid": (20, {}, [apart(1, 2, 3), fixed(1, 1, 3, 4)]),
    "DeformConv": (19, {"pads": (1, 0, 0, 1)}, [apart(1, 2, 3, 3), apart(1, 2, 2, 2), MOVES, apart(1), positive(1, 4, 3, 3)]),
    "RoiAlign": (16, {"output_height": 2, "output_width": 2, "sampling_ratio": 2}, [apart(1, 1, 5, 5), BOX, fixed(0)]),
    "MaxRoiPool": (9, {"pooled_shape": (2, 2)}, [apart(1, 2, 5, 5), fixed([0, 0, 1, 3, 4], dtype=float)]),
    "Gemm": (13, {"alpha": 0.5, "beta": 2.0, "transA": 1}, [apart(3, 2), apart(3, 4), apart(4)]),
    "MatMul": (13, {}, [apart(2, 1, 2, 3), apart(3, 3, 2)]),
    "Einsum": (12, {"equation": "...ii,...ij->...j"}, [apart(2, 3, 3), apart(1, 3, 2)]),
    "Softmax": (11, {"axis": 1}, [apart(2, 2, 3)]),
    "LogSoftmax": (13, {"axis": 0}, [apart(3, 2)]),
    "Dropout": (7, {}, [apart(3, 2)]),
}


@pytest.mark.parametrize("op", CASES)
def test_gradients_are_those_of_central_differences(op):
    version, attributes, inputs = CASES[op]
    node = Node(op, tuple(f"x{i}" for i in range(len(inputs))), ("y",), attributes, version=version)
    present = [i for i, x in enumerate(inputs) if x is not None and x.requires_grad]

    def function(*tensors):
        given = list(inputs)
        for i, tensor in zip(present, tensors):
            given[i] = tensor
        return compute(node, *given)[0]

    assert gradcheck(function, *[inputs[i] for i in present])


def test_gradients_of_a_loaded_network_are_those_of_central_differences():
    graph = rawseg.onnx.load(onnx_models.network(), free_dims=True).double()
    image = rawseg.tensor(RNG.standard_normal((1, 3, 4, 4)), requires_grad=True)
    assert gradcheck(graph, image)


def test_gradients_of_a_loaded_network_are_those_of_torch():
    proto = onnx_models.network()
    graph = rawseg.onnx.load(proto).double()
    image = RNG.standard_normal((2, 3, 8, 8))
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    weights["head.weight"] = graph._parameters["head.weight"].numpy().astype(np.float32)
    twins = {name: torch.tensor(array.astype(np.float64), requires_grad=True) for name, array in weights.items()}
    logits = in_torch(torch.tensor(image), twins)
    out = graph(image)
    np.testing.assert_allclose(out.numpy(), logits.detach(), rtol=1e-9)
    (out * out).sum().backward()
    (logits * logits).sum().backward()
    for name, parameter in graph.named_parameters():
        # float64, sums of some hundred terms in another order
        np.testing.assert_allclose(parameter.grad.numpy(), twins[name].grad, rtol=1e-8, atol=1e-8, err_msg=name)


def in_torch(image: torch.Tensor, w: dict[str, torch.Tensor]) -> torch.Tensor:
    """The small network once more, by hand."""
    F = torch.nn.functional
    a = F.conv2d(image, w["enc.weight"], w["enc.bias"], padding=1)
    c = F.relu(F.batch_norm(a, w["norm.mean"].detach(), w["norm.var"].detach(), w["norm.weight"], w["norm.bias"]))
    d = F.max_pool2d(c, 2)
    e = F.conv_transpose2d(d, w["up.weight"], stride=2)
    f = F.interpolate(d, scale_factor=2, mode="bilinear", align_corners=False)
    return F.conv2d(torch.cat([c, e, f], 1), w["head.weight"], w["head.bias"]) * 3
