"""Every row of the ledger: parameters and multiply-adds, exact; names and shapes as torchvision's."""

from __future__ import annotations

import hashlib
import json

import pytest

from rawseg import models
from rawseg.models.sweeps import MEASURED
from rawseg.nn.init import skipped


def parameters_of(name, **options):
    with skipped():
        return sum(p.size for p in models.build(name, **options).parameters())


@pytest.mark.parametrize(
    ("name", "options", "parameters"),
    [
        ("autoencoder", {}, 50_992),
        ("unet_paper", {}, 31_030_658),
        ("encoder_unet", {}, 12_627_873),
        ("mobilenet_v1", {}, 4_231_976),
        ("mobilenet_v2", {}, 3_504_872),
        ("mobilenet_v2", {"width_mult": 0.75}, 2_636_424),
        ("mobilenet_v2", {"width_mult": 0.5}, 1_968_680),
        ("mobilenet_v2", {"width_mult": 0.35}, 1_677_128),
        ("mobilenet_v2", {"width_mult": 1.4}, 6_108_776),
        ("mobilenet_v3_large", {}, 5_483_032),
        ("mobilenet_v3_small", {}, 2_542_856),
        ("resnet18", {}, 11_689_512),
        ("resnet34", {}, 21_797_672),
        ("resnet50", {}, 25_557_032),
        ("resnet101", {}, 44_549_160),
        ("vgg16", {}, 138_365_992),
        ("deeplabv3", {}, 39_638_869),
    ],
)
def test_parameters(name, options, parameters):
    assert parameters_of(name, **options) == parameters


def test_the_encoder_unet_in_parts():
    net = models.build("encoder_unet")
    buffers = sum(b.size for name, b in net.named_buffers() if "running" in name)
    encoder = sum(p.size for p in net.encoder.parameters())
    assert buffers == 21_888
    assert encoder + buffers == 3_228_864
    assert parameters_of("encoder_unet") - encoder == 9_420_897


def test_mobilenet_v1_the_whole_grid():
    """The ledger's table: parameters in millions, and millions of multiply-adds at four sizes."""
    want = {
        "1": (4.233, 568.7, 418.1, 290.7, 186.4),
        "0.75": (2.586, 325.4, 239.3, 166.4, 106.8),
        "0.5": (1.332, 149.5, 110.0, 76.5, 49.2),
        "0.25": (0.470, 41.0, 30.2, 21.1, 13.6),
    }
    rows = {row[0]: (round(row[1] / 1e6, 3), *row[2:]) for row in models.sweep("mobilenet_v1").rows}
    full = rows.pop("1, full convolutions")
    assert rows == want
    assert (round(full[0], 1), round(full[1] / 10) * 10) == (29.3, 4870)  # the paper's table 4: 29.3 and 4866


def test_mobilenet_v2_the_whole_grid():
    rows = {row[0]: row for row in models.sweep("mobilenet_v2").rows}
    assert [int(x) for x in rows["1"][2:]] == [300, 221, 154, 99, 56]
    assert {alpha: (int(row[2]), row[1]) for alpha, row in rows.items() if alpha != "1"} == {
        "1.4": (582, 6_108_776),
        "0.75": (209, 2_636_424),
        "0.5": (97, 1_968_680),
        "0.35": (59, 1_677_128),
    }


def test_segnet_basic_the_papers_table_of_decoders():
    rows = {row[0]: row for row in models.sweep("segnet_basic").rows}
    # exact: 9,408 + 3 * 200,704 of the encoder; 4 * 200,704 back; 704 of the classifier; 8 * 128 of batch norms
    assert rows["segnet"][2] == 9_408 + 7 * 200_704 + 704 + 8 * 128 == 1_416_064
    assert rows["single_channel"][2] == 9_408 + 3 * 200_704 + 4 * 64 * 49 + 704 + 8 * 128
    assert rows["bilinear"][2] == 9_408 + 3 * 200_704 + 704 + 4 * 128
    assert rows["fcn"][2] == rows["bilinear"][2] + 4 * 704 + 4 * 11 * 11 * 64
    assert rows["fcn_no_addition"][2] == rows["bilinear"][2] + 4 * 11 * 11 * 64
    assert rows["fcn_neither"][2] == rows["fcn_no_reduction"][2] == rows["bilinear"][2] + 4 * 64 * 64 * 64
    for _, _, parameters, millions, *_ in rows.values():
        assert abs(parameters / 1e6 - millions) < 0.04
    # what an inference kept, in units of the indices: a float of 32 bits against two bits for four of them
    times = {name: row[5] for name, row in rows.items()}
    assert times == {
        "bilinear": 0,
        "segnet": 1,
        "encoder_addition": 65,  # 64 for the maps, 1 for the indices
        "single_channel": 1,
        "fcn": 11,
        "fcn_no_addition": 0,
        "fcn_no_reduction": 64,
        "fcn_neither": 0,
    }
    height, width = MEASURED
    assert rows["segnet"][4] == sum(64 * (height >> level) * (width >> level) // 4 for level in (1, 2, 3, 4))


def test_dilation_saves_work_for_a_unit_of_receptive_field():
    rows = models.sweep("context").rows
    assert [row[2] for row in rows] == [3, 5, 9, 17, 33, 65, 67]
    assert [row[3] for row in rows] == [9 * depth for depth in range(1, 8)]  # whatever the dilation
    for _, _, field, products, plain, kernel, *per_row in rows:
        assert plain == 9 * (field - 1) // 2
        assert kernel == field**2
        assert per_row == [round(products / field, 2), round(plain / field, 2), field]


def test_multiply_adds_of_the_others():
    """As published with the weights, in thousands of millions: torchvision's "GFLOPS", which are multiply-adds."""
    published = {"resnet18": 1.81, "resnet34": 3.66, "resnet50": 4.09, "resnet101": 7.80, "vgg16": 15.47}
    published |= {"mobilenet_v3_large": 0.22, "mobilenet_v3_small": 0.06}
    for name, billions in published.items():
        with skipped():
            work = models.totals(models.build(name), (1, 3, 224, 224)).multiply_adds
        assert round(work / 1e9, 2) == billions, name


@pytest.mark.parametrize(
    ("name", "options", "digest"),
    [
        ("mobilenet_v2", {}, "e52f94162299c371"),
        ("mobilenet_v3_large", {}, "2df3de647be35ea8"),
        ("mobilenet_v3_small", {}, "ad4ca700d5160c57"),
        ("resnet18", {}, "78751369115ef90b"),
        ("resnet34", {}, "39c24ce46fae2f7c"),
        ("resnet50", {}, "3ee6c80130e2d8cf"),
        ("resnet101", {}, "726221d40d16c089"),
        ("vgg16", {}, "9a6389529132105b"),
        ("deeplabv3", {}, "53e30cc56365adda"),
        ("deeplabv3", {"backbone": "mobilenet_v3_large"}, "b5f583a23dbd3923"),
    ],
)
def test_names_and_shapes_are_torchvisions(name, options, digest):
    """The digest is of the sorted names and shapes in torchvision 0.28.0's state dict, without the counters of batches."""
    with skipped():
        state = models.build(name, **options).state_dict()
    shapes = sorted((key, tensor.shape) for key, tensor in state.items() if not key.endswith("num_batches_tracked"))
    assert hashlib.sha256(json.dumps(shapes).encode()).hexdigest()[:16] == digest


def test_the_heads_of_a_detector_are_counted_once_for_every_region():
    with skipped():
        net = models.build("mask_rcnn")
    rows = {row.name: row for row in models.summary(net, (1, 3, 128, 160))}
    fc6, mask = rows["roi_heads.box_head.fc6"], rows["roi_heads.mask_head.0.0"]
    assert fc6.multiply_adds == 1000 * 256 * 7 * 7 * 1024
    assert fc6.output == (1000, 1024)
    assert mask.multiply_adds == 100 * 14 * 14 * 256 * 256 * 9
    assert mask.stride is None  # a region's cells are as large as the region
    stem = rows["backbone.body.conv1"]
    assert stem.multiply_adds == 64 * 80 * 64 * 3 * 49
    with skipped():
        shared = models.build("mask_rcnn", backbone="resnet18", neck="c4")
    rows = [row for row in models.summary(shared, (1, 3, 128, 160)) if row.name == "roi_heads.box_head.stage.0.conv1"]
    assert [row.output for row in rows] == [(1100, 512, 7, 7)]  # once for both heads, which share it
    cost = models.totals(net, (2, 3, 128, 160))
    assert cost.parameters == 44_401_393
    assert cost.multiply_adds == 2 * sum(row.multiply_adds for row in models.summary(net, (1, 3, 128, 160)))
