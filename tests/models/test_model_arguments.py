"""What the networks refuse, by name; and that every one of them is saved, loaded and described."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import models
from rawseg.errors import ArgumentError, ArgumentTypeError, CheckpointError, ShapeError
from rawseg.models.resnet import BasicBlock
from rawseg.nn.init import skipped
from rawseg.serialization import load_arrays, save

SMALL = {
    "unet": {"width": 2, "depth": 1},
    "encoder_unet": {"width_mult": 0.25, "decoder": (4, 4, 4, 4, 4), "frozen": True},
    "segnet_basic": {"variant": "single_channel"},
    "context": {"in_channels": 2, "dilations": (1, 2)},
    "conv_autoencoder": {"up": "unpool", "widths": (4, 3, 2)},
    "autoencoder": {"size": 8, "code": 3},
    "mobilenet_v1": {"width_mult": 0.25, "classes": 2},
    "mobilenet_v2": {"width_mult": 0.35, "classes": 2},
    "mobilenet_v3_small": {"width_mult": 0.5, "classes": 2},
    "resnet18": {"classes": 2},
}


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_network_is_built_again(name, tmp_path):
    rawseg.manual_seed(0)
    net = models.build(name, **SMALL[name])
    models.save_model(net, tmp_path / "net.safetensors")
    before = rawseg.randn(1).item()
    rawseg.manual_seed(0)
    net2 = models.load_model(tmp_path / "net.safetensors")
    assert rawseg.randn(1).item() != before  # loading has drawn nothing: these are the first numbers
    assert (net2.config, net2.name, net2.training) == (net.config, name, False)
    for key, tensor in net.state_dict().items():
        assert np.array_equal(tensor.numpy(), net2.state_dict()[key].numpy())


def test_a_file_whose_options_are_not_those_of_the_name_is_refused(tmp_path):
    models.save_model(models.build("resnet18", classes=2), tmp_path / "net.safetensors")
    arrays, about = load_arrays(tmp_path / "net.safetensors")
    about["config"]["output_stride"] = 8
    save(arrays, tmp_path / "other.safetensors", about)
    with pytest.raises(CheckpointError, match=r"expected options of resnet18, which \['output_stride'\] are not"):
        models.load_model(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: models.mobilenet_v1(width_mult=0),
            "mobilenet_v1: width_mult: expected a number above 0 and at most 16, got 0",
        ),
        (lambda: models.mobilenet_v1(classes=0), "mobilenet_v1: classes: expected at least 1, got 0"),
        (lambda: models.mobilenet_v3_small(width_mult=True), "mobilenet_v3_small: width_mult: expected a number"),
        (lambda: models.ResNet(20), r"resnet: layers: expected one of \[18, 34, 50, 101\], got 20"),
        (lambda: models.resnet50(output_stride=4), "resnet50: output_stride: expected 32, 16 or 8, got 4"),
        (lambda: models.ResNet(18, output_stride=8), "BasicBlock: dilation: expected 1: only bottlenecks are dilated, got 2"),
        (
            lambda: models.encoder_unet(encoder="vgg19"),
            "encoder_unet: encoder: expected one of .*'mobilenet_v1'.*, got 'vgg19'",
        ),
        (lambda: models.encoder_unet(encoder="resnet18", width_mult=0.5), "encoder_unet: width_mult: expected 1 .only"),
        (lambda: models.encoder_unet(decoder=(1, 2)), r"encoder_unet: decoder: expected five widths, .*, got \[1, 2\]"),
        (lambda: models.segnet_basic(variant="x"), "segnet_basic: variant: expected one of .*'segnet'.*, got 'x'"),
        (lambda: models.segnet(classes=0), "segnet: classes: expected at least 1, got 0"),
        (lambda: models.context(dilations=()), "context: dilations: expected seven for the large network, else at least one"),
        (lambda: models.context(large=True, dilations=(1, 2)), "context: dilations: expected seven"),
        (
            lambda: models.dilated_vgg16(context="huge"),
            "dilated_vgg16: context: expected 'basic', 'large' or 'none', got 'huge'",
        ),
        (lambda: models.deeplabv3(backbone="vgg16"), "deeplabv3: backbone: expected 'resnet50', .*, got 'vgg16'"),
        (lambda: models.conv_autoencoder(up="bilinear"), "conv_autoencoder: up: expected 'unpool', .*, got 'bilinear'"),
        (lambda: models.conv_autoencoder(widths=(1, 2)), r"conv_autoencoder: widths: expected three numbers .*, got \[1, 2\]"),
        (lambda: models.conv_autoencoder(size=4), "conv_autoencoder: size: expected at least 8, got 4"),
        (lambda: models.sweep("unet"), r"sweep: name: expected one of \['context', .*\], got 'unet'"),
    ],
)
def test_bad_options(make, message):
    with skipped(), pytest.raises((ArgumentError, ArgumentTypeError), match=message):
        make()


@pytest.mark.parametrize(
    ("make", "shape", "message"),
    [
        (lambda: models.mobilenet_v1(), (1, 1, 32, 32), r"mobilenet_v1: input: expected shape \(N, 3, H, W\)"),
        (lambda: models.resnet18(), (3, 32, 32), r"resnet18: input: expected shape \(N, 3, H, W\), got shape \(3, 32, 32\)"),
        (
            lambda: models.encoder_unet(),
            (1, 3, 32, 40),
            "encoder_unet: input: expected height and width that are multiples of 32",
        ),
        (lambda: models.segnet_basic(), (1, 3, 24, 32), "segnet_basic: input: expected .* multiples of 16, e.g. 32, got 24"),
        (lambda: models.autoencoder(), (1, 1, 28, 27), r"autoencoder: input: expected shape \(N, 1, 28, 28\)"),
        (lambda: models.conv_autoencoder(), (1, 3, 28, 28), r"conv_autoencoder: input: expected shape \(N, 1, 28, 28\)"),
        (lambda: models.dilated_vgg16(hidden=2), (1, 3, 12, 16), "dilated_vgg16: input: expected .* multiples of 8, e.g. 16"),
    ],
)
def test_bad_images(make, shape, message):
    with skipped():
        net = make()
    with pytest.raises(ShapeError, match=message):
        net(rawseg.zeros(*shape))


def test_a_residual_block_projects_where_the_size_changes():
    assert BasicBlock(4, 4, stride=2)(rawseg.zeros(2, 4, 6, 6)).shape == (2, 4, 3, 3)
    assert BasicBlock(4, 4).downsample is None


def test_skipped_weights_draw_nothing_and_the_block_ends():
    rawseg.manual_seed(1)
    with skipped():
        models.mobilenet_v1(width_mult=0.25)
        with skipped():
            pass
        first = rawseg.nn.Linear(3, 3)
    after = rawseg.randn(1).item()
    rawseg.manual_seed(1)
    assert rawseg.randn(1).item() == after
    second = rawseg.nn.Linear(3, 3)
    assert first.weight.shape == second.weight.shape
    assert np.abs(second.weight.numpy()).max() <= 1 / np.sqrt(3)


def test_influence_is_that_of_a_map():
    with (
        skipped(),
        pytest.raises(ShapeError, match=r"influence: model: expected a network with an output map, got .* \(1, 2\)"),
    ):
        models.influence(models.mobilenet_v1(classes=2, width_mult=0.25), (32, 32))
    with skipped():
        assert models.influence(models.conv_autoencoder(), (28, 28)).any()


def test_influence_shows_the_grid_of_equal_dilations():
    view = models.influence(models.context(1, dilations=(2, 2, 2)), (17, 17))
    rows, columns = np.nonzero(view)
    assert set((rows - 8) % 2) == set((columns - 8) % 2) == {0}  # three quarters of the pixels are never read
    assert (rows.min(), rows.max()) == (2, 14)
    smooth = models.influence(models.context(1, dilations=(1, 2, 4)), (17, 17))
    assert np.count_nonzero(smooth) == 15 * 15
    assert abs(view.sum() - 1) < 1e-12  # all paths
    channels = models.influence(models.context(3, dilations=(1,)), (5, 5))
    assert np.allclose(channels[1:4, 1:4], 1 / 9, rtol=1e-12, atol=0)
