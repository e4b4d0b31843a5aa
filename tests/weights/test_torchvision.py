"""torchvision's weights in rawseg's networks: the same keys, and the same outputs, whatever numbers the weights are.

In float64 an output agrees to 1e-12 of its largest value. In float32 both round, in other orders: either stays within 1e-5 of
the largest value of the float64 output of the same numbers, that is 84 roundings (2**-23) in up to a hundred layers.
"""

from __future__ import annotations

import numpy as np
import pth_files
import pytest
import torch

import rawseg
from rawseg import models
from rawseg.benchmark.torchvision_on_cpu import torchvision
from rawseg.errors import BackendError

SIDE = 64
EXACT, FLOAT32 = 1e-12, 1e-5
NETWORKS = {  # name of torchvision's maker: ours
    "mobilenet_v2": lambda: models.mobilenet_v2(),
    "mobilenet_v3_small": lambda: models.mobilenet_v3_small(),
    "resnet18": lambda: models.resnet18(),
}
LARGE = {
    "deeplabv3_mobilenet_v3_large": lambda: models.deeplabv3(backbone="mobilenet_v3_large"),
    "resnet50": lambda: models.resnet50(),
    "mobilenet_v3_large": lambda: models.mobilenet_v3_large(),
    "resnet34": lambda: models.resnet34(),
    "resnet101": lambda: models.resnet101(),
    "vgg16_bn": lambda: models.vgg16(),
    "deeplabv3_resnet50": lambda: models.deeplabv3(),
    "deeplabv3_resnet101": lambda: models.deeplabv3(backbone="resnet101"),
}


def oracle():
    try:
        return torchvision()
    except BackendError as error:
        pytest.skip(f"torchvision is the oracle of this file: {error}")


def drawn(name):
    """Return torchvision's network with weights of any kind and statistics of norms that matter."""
    tv = oracle()
    torch.manual_seed(0)
    with_pretrained = {"weights": None} | ({"weights_backbone": None, "aux_loss": True} if "deeplab" in name else {})
    room = tv.models.segmentation if "deeplab" in name else tv.models
    network = getattr(room, name)(**with_pretrained).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5), module.bias.data.normal_(0, 0.1)
            module.running_mean.normal_(0, 0.1), module.running_var.uniform_(0.5, 1.5)
    return network


def run(network, x):
    with torch.no_grad():
        out = network(torch.tensor(x))
    return (out["out"] if isinstance(out, dict) else out).numpy()


@pytest.mark.parametrize("name", [*NETWORKS, *(pytest.param(name, marks=pytest.mark.release) for name in LARGE)])
def test_an_output_is_torchvisions(name, tmp_path):
    theirs, ours = drawn(name), (NETWORKS | LARGE)[name]()
    report = models.load_pretrained(ours, pth_files.written(tmp_path / "a.pth", theirs.state_dict()))
    assert report.complete
    assert not report.renamed
    assert all(key.startswith("aux_classifier.") for key in report.ignored)
    x = np.random.default_rng(1).standard_normal((2, 3, SIDE, SIDE))
    with rawseg.no_grad():
        single = ours.eval()(rawseg.tensor(x.astype(np.float32))).numpy()
        double = ours.double()(rawseg.tensor(x)).numpy()
    their_single = run(theirs, x.astype(np.float32))
    want, rounded = run(theirs.double(), x), run(theirs, x.astype(np.float32).astype(np.float64))
    largest = np.abs(want).max()
    assert np.abs(double - want).max() < EXACT * largest
    assert np.abs(single - rounded).max() < FLOAT32 * largest
    assert np.abs(their_single - rounded).max() < FLOAT32 * largest


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
def test_rawsegs_weights_load_in_torch_and_back(name, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    rawseg.manual_seed(5)
    ours, theirs = NETWORKS[name](), drawn(name)
    rawseg.save(ours.state_dict(), tmp_path / "ours.safetensors")
    theirs.load_state_dict(safetensors.load_file(tmp_path / "ours.safetensors"))
    for key, tensor in ours.state_dict().items():
        assert np.array_equal(theirs.state_dict()[key].numpy(), tensor.numpy())
    other = drawn(name)
    safetensors.save_file(other.state_dict(), tmp_path / "theirs.safetensors", {"format": "pt"})
    assert models.load_pretrained(ours, tmp_path / "theirs.safetensors").complete
    for key, tensor in other.state_dict().items():
        assert np.array_equal(ours.state_dict()[key].numpy(), tensor.numpy())


def test_files_from_before_counters_of_batches_load(tmp_path):
    theirs, ours = drawn("resnet18"), models.resnet18()
    old = {key: tensor for key, tensor in theirs.state_dict().items() if "num_batches" not in key}
    report = models.load_pretrained(ours, pth_files.written(tmp_path / "a.pth", old, "pickles"))
    assert report.complete
    assert len(report.ignored) == 20
    assert np.array_equal(ours.fc.weight.numpy(), theirs.fc.weight.detach().numpy())


def earlier(key: str) -> str:
    """Return the name that a weight of maskrcnn_resnet50_fpn has in the file that torchvision published."""
    if key.startswith("rpn.head.conv.0.0."):
        return key.replace("conv.0.0.", "conv.")
    if "_blocks." in key:
        block, number, _, kind = key.rsplit(".", 3)
        return f"{block}.{number}.{kind}"
    if key.startswith("roi_heads.mask_head."):
        number, _, kind = key.removeprefix("roi_heads.mask_head.").split(".")
        return f"roi_heads.mask_head.mask_fcn{int(number) + 1}.{kind}"
    return key


def test_the_earlier_names_of_a_detector_load_as_torchvision_loads_them(tmp_path):
    tv = oracle()
    torch.manual_seed(0)
    body = tv.models.resnet18(norm_layer=tv.ops.FrozenBatchNorm2d)
    make = lambda: tv.models.detection.MaskRCNN(tv.models.detection.backbone_utils._resnet_fpn_extractor(body, 5), 5)  # noqa: E731
    theirs = make()
    old = {earlier(key): tensor.clone() for key, tensor in theirs.state_dict().items()}
    assert "roi_heads.mask_head.mask_fcn4.bias" in old
    assert "backbone.fpn.layer_blocks.3.weight" in old
    assert len(old.keys() - theirs.state_dict().keys()) == 2 + 16 + 8
    ours = models.MaskRCNN(5, backbone="resnet18")
    report = models.load_pretrained(ours, pth_files.written(tmp_path / "a.pth", old))
    assert report.complete
    assert len(report.renamed) == 26
    again = make()
    for tensor in again.state_dict().values():
        tensor.zero_()
    again.load_state_dict(old)  # torchvision's own understanding of the old names
    for key, tensor in again.state_dict().items():
        assert np.array_equal(ours.state_dict()[key].numpy(), tensor.numpy()), key
