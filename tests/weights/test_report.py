"""What of a file fits a network: the report, key by key, the table of it, and what is loaded of it."""

from __future__ import annotations

import numpy as np
import pth_files
import pytest
import torch

import rawseg
from rawseg import models, nn
from rawseg.errors import ArgumentError, ArgumentTypeError, CheckpointError
from rawseg.interchange import Report, layouts
from rawseg.models.mask_rcnn.backbone import maps_of


def network() -> nn.Sequential:
    rawseg.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1))


def arrays_of(net) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    state = {name: t.numpy() for name, t in net.state_dict().items()}
    return {n: rng.standard_normal(a.shape).astype(a.dtype) if a.dtype.kind == "f" else a + 5 for n, a in state.items()}


def saved(path, arrays):
    rawseg.save(arrays, path)
    return path


def same(net, arrays) -> bool:
    return all(np.array_equal(t.numpy(), arrays[name]) for name, t in net.state_dict().items())


def test_a_file_that_fits_is_loaded_whole(tmp_path):
    net, arrays = network(), arrays_of(network())
    report = models.load_pretrained(net, saved(tmp_path / "a", arrays))
    assert report.complete
    assert report.rows() == []
    assert report.loaded == list(net.state_dict())
    assert str(report) == "9 of 9 keys fit"
    assert same(net, arrays)


def test_what_does_not_fit_is_told_key_by_key_and_nothing_is_written(tmp_path):
    net, arrays = network(), arrays_of(network())
    before = {name: t.numpy().copy() for name, t in net.state_dict().items()}
    arrays["1.weights"] = arrays.pop("1.weight")
    arrays["2.bias"] = np.zeros(3, np.float32)
    arrays["head.weight"] = np.zeros((2, 2), np.float32)
    path = saved(tmp_path / "a", arrays)
    with pytest.raises(CheckpointError) as caught:
        models.load_pretrained(net, path)
    assert same(net, before)
    message = str(caught.value)
    assert message.startswith(f"load: {path}: expected the names, shapes and dtypes of Sequential, got 1 missing: 1.weight ")
    assert "(renamed from 1.weights?); 2 unexpected: 1.weights, head.weight; 1 mismatched: 2.bias ((3,) in the file" in message
    report = caught.value.report
    assert (report.missing, report.unexpected, list(report.mismatched)) == (
        ["1.weight"],
        ["1.weights", "head.weight"],
        ["2.bias"],
    )
    assert report.suggestions() == {"1.weight": "1.weights"}
    lines = str(report).splitlines()
    assert lines[0] == "7 of 9 keys fit"
    assert lines[1].split() == ["state", "key", "shape", "note"]
    assert lines[2].split() == ["mismatched", "2.bias", "3", "(3,)", "in", "the", "file,", "(2,)", "in", "the", "network"]
    assert "missing     1.weight     4      1.weights in the file?" in lines


def test_without_strict_what_fits_is_loaded_and_the_rest_is_reported(tmp_path):
    net, arrays = network(), arrays_of(network())
    kept = net[2].weight.numpy().copy()
    arrays["2.weight"] = np.zeros((7, 4, 1, 1), np.float32)
    report = models.load_pretrained(net, saved(tmp_path / "a", arrays), strict=False)
    assert list(report.mismatched) == ["2.weight"]
    assert np.array_equal(net[2].weight.numpy(), kept)
    assert np.array_equal(net[0].weight.numpy(), arrays["0.weight"])
    assert np.array_equal(net[2].bias.numpy(), arrays["2.bias"])


def test_a_file_of_which_nothing_fits_is_refused_even_without_strict(tmp_path):
    path = saved(tmp_path / "a", {"x": np.zeros(2, np.float32)})
    with pytest.raises(CheckpointError, match=r"a key that fits, by the names, shapes and dtypes of Sequential, got 8 missing"):
        models.load_pretrained(network(), path, strict=False)


def test_a_weight_of_the_same_size_in_another_shape_does_not_fit(tmp_path):
    net, arrays = network(), arrays_of(network())
    arrays["0.weight"] = np.ascontiguousarray(arrays["0.weight"].transpose(3, 2, 1, 0))
    with pytest.raises(CheckpointError, match=r"0.weight \(\(3, 3, 3, 4\) in the file, \(4, 3, 3, 3\) in the network\)"):
        models.load_pretrained(net, saved(tmp_path / "a", arrays))


def test_keys_are_compared_without_loading(tmp_path):
    net, arrays = network(), arrays_of(network())
    del arrays["2.bias"]
    before = {name: t.numpy().copy() for name, t in net.state_dict().items()}
    report = models.compare_keys(net, saved(tmp_path / "a", arrays))
    assert report.missing == ["2.bias"]
    assert same(net, before)


def test_counters_of_batches_may_be_absent_or_left_over(tmp_path):
    net, arrays = network(), arrays_of(network())
    del arrays["1.num_batches_tracked"]
    arrays["0.num_batches_tracked"] = np.array(3)
    arrays["aux_classifier.0.weight"] = np.zeros(2, np.float32)
    report = models.load_pretrained(net, saved(tmp_path / "a", arrays))
    assert sorted(report.ignored) == ["0.num_batches_tracked", "1.num_batches_tracked", "aux_classifier.0.weight"]
    assert report.complete


def test_narrower_floats_are_widened_and_wider_ones_refused(tmp_path):
    net, arrays = network(), arrays_of(network())
    half = {n: a.astype(np.float16) if a.dtype.kind == "f" else a for n, a in arrays.items()}
    report = models.load_pretrained(net, saved(tmp_path / "half", half))
    assert set(report.converted.values()) == {"float16"}
    assert np.array_equal(net[0].weight.numpy(), half["0.weight"].astype(np.float32))
    assert ("converted", "0.weight", "4 x 3 x 3 x 3", "from float16") in report.rows()
    double = {n: a.astype(np.float64) if a.dtype.kind == "f" else a for n, a in arrays.items()}
    with pytest.raises(CheckpointError, match=r"network\.double\(\) takes it; .*0.weight \(float64 in the file, float32 in"):
        models.load_pretrained(net, saved(tmp_path / "double", double))
    models.load_pretrained(net.double(), tmp_path / "double")
    assert np.array_equal(net[0].weight.numpy(), double["0.weight"])


def test_halves_of_the_other_kind_are_told_too(tmp_path):
    net, arrays = network(), arrays_of(network())
    state = {"module." + name: torch.tensor(array) for name, array in arrays.items()}
    state["module.0.weight"] = state["module.0.weight"].bfloat16()
    report = models.load_pretrained(net, pth_files.written(tmp_path / "a.pth", state))
    assert report.converted == {"0.weight": "bfloat16"}


@pytest.mark.parametrize("word", ["with", "without"])
def test_a_beginning_that_all_names_lack_or_have_is_told_once(word, tmp_path):
    inner, outer = network(), nn.Sequential(network())
    net, other = (outer, inner) if word == "with" else (inner, outer)
    arrays = {**arrays_of(other), "fc.weight": np.zeros(2, np.float32)}
    with pytest.raises(CheckpointError) as caught:
        models.load_pretrained(net, saved(tmp_path / "a", arrays))
    assert f"got 8 of 9 unexpected keys would fit {word} '0.' before them; 8 missing: " in str(caught.value)
    assert "renamed" not in str(caught.value)
    assert f"8 of 9 unexpected keys would fit {word} '0.' before them" in str(caught.value.report).splitlines()[1]


def test_a_network_without_norms_is_recognised(tmp_path):
    rawseg.manual_seed(0)
    bare = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1))
    with pytest.raises(CheckpointError, match="got the file is of a network without batch norms; 4 missing") as caught:
        models.load_pretrained(network(), saved(tmp_path / "a", bare.state_dict()))
    assert "renamed" not in str(caught.value)


def test_a_key_is_another_ones_earlier_name_only_if_it_is_close():
    shapes = dict.fromkeys(["norm.3.bias", "norm.3.biases", "norm.2.bias", "layer.3.weight", "norm.3.biased"], (4,))
    report = Report([], missing=["norm.3.bias", "layer.3.weight", "norm.3.biased"], shapes=shapes)
    assert report.suggestions() == {}
    report.unexpected.extend(["norm.2.bias", "norm.3.biases"])
    assert report.suggestions() == {"norm.3.bias": "norm.3.biases"}  # once, and not for the third


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_names_of_wrapped_networks_are_understood(prefix, tmp_path):
    net, arrays = network(), arrays_of(network())
    state = {prefix + name: torch.tensor(array) for name, array in arrays.items()}
    report = models.load_pretrained(net, pth_files.written(tmp_path / "a.pth", state))
    assert report.renamed[prefix + "0.weight"] == "0.weight"
    assert same(net, arrays)


def test_a_prefix_that_only_some_names_have_is_part_of_them():
    assert layouts.without_prefix(["module.a", "b"]) == {"module.a": "module.a", "b": "b"}
    assert layouts.without_prefix(["module."]) == {"module.": "module."}
    assert layouts.without_prefix([]) == {}


def test_an_earlier_name_is_left_alone_where_the_network_has_it():
    names = ["rpn.head.conv.weight", "fpn.inner_blocks.0.bias", "roi_heads.mask_head.mask_fcn1.weight"]
    today = ["rpn.head.conv.0.0.weight", "fpn.inner_blocks.0.0.bias", "roi_heads.mask_head.0.0.weight"]
    assert layouts.current_names(names, today) == dict(zip(names, today))
    assert layouts.current_names(names, [*names, *today]) == {}
    assert layouts.current_names([*names, *today], today) == {}


def test_a_long_report_is_cut_in_print_but_not_in_rows():
    report = Report([], missing=[f"layer{i}.weight" for i in range(500)], unexpected=[f"layr{i}.weight" for i in range(500)])
    assert len(report.rows()) == 1000
    assert str(report).splitlines()[-1] == "... and 960 more: see rows()"
    assert report.faults().count("layer") == 6


def test_weights_load_from_files_of_pytorch_where_names_are_exact(tmp_path):
    net, arrays = network(), arrays_of(network())
    path = pth_files.written(tmp_path / "a.pth", {name: torch.tensor(array) for name, array in arrays.items()})
    models.load_weights(path, net)
    assert same(net, arrays)
    with pytest.raises(CheckpointError, match=r"expected a \.safetensors file that tells its model .* got a file of PyTorch"):
        models.load_model(path)
    with pytest.raises(CheckpointError, match=r"expected a \.pth file, which alone has entries, got entry 'model' of another"):
        models.load_pretrained(net, saved(tmp_path / "b", arrays), entry="model")


# backbones


SMALL = {"mobilenet_v2": {"width_mult": 0.25}, "resnet18": {"width": 16}, "mobilenet_v3_large": {}}


def loaded(name, net, tmp_path):
    """Return a classifier, a network with its features, and a photograph-like batch."""
    rawseg.manual_seed(3)
    classifier = models.build(name, classes=7, **SMALL[name]).eval()
    report = models.load_backbone(net, saved(tmp_path / "a", classifier.state_dict()))
    assert {key.split(".")[0] for key in report.unexpected} == {"fc" if name == "resnet18" else "classifier"}
    return classifier, net.eval(), rawseg.tensor(np.random.default_rng(0).random((1, 3, 64, 64)).astype(np.float32))


def test_an_encoder_computes_what_its_classifier_does(tmp_path):
    net = models.encoder_unet(encoder="mobilenet_v2", width_mult=0.25, decoder=(4, 4, 4, 4, 4))
    classifier, net, x = loaded("mobilenet_v2", net, tmp_path)
    for one, other in zip(net.encoder.stages(x), classifier.stages(x), strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


@pytest.mark.parametrize("name", ["mobilenet_v2", "resnet18"])
@pytest.mark.parametrize("neck", ["fpn", "c4"])
def test_a_detectors_body_computes_what_its_classifier_does(name, neck, tmp_path):
    net = models.MaskRCNN(3, backbone=name, neck=neck, width_mult=0.25, channels=8, hidden=8)
    classifier, net, x = loaded(name, net, tmp_path)
    last = maps_of(net.backbone.body, x)[-1]
    if neck == "c4":  # the last stage is the head of every region
        last = net.roi_heads.box_head.stage(last)
    assert np.array_equal(last.numpy(), classifier.last_map(x).numpy())


def test_a_dilated_backbone_gets_its_classifiers_weights(tmp_path):
    net = models.deeplabv3(backbone="mobilenet_v3_large", width=8)
    classifier, net, _ = loaded("mobilenet_v3_large", net, tmp_path)
    ours = {key.removeprefix("backbone."): t for key, t in net.state_dict().items() if key.startswith("backbone.")}
    theirs = {key.removeprefix("features."): t for key, t in classifier.state_dict().items() if key.startswith("features.")}
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(tensor.numpy(), theirs[key].numpy()) for key, tensor in ours.items())


def test_a_backbone_of_another_kind_is_refused(tmp_path):
    net = models.encoder_unet(encoder="mobilenet_v2", decoder=(4, 4, 4, 4, 4))
    path = saved(tmp_path / "a", models.build("resnet18").state_dict())
    with pytest.raises(CheckpointError, match="the names, shapes and dtypes of the backbone of EncoderUNet, got 260 missing"):
        models.load_backbone(net, path)


@pytest.mark.parametrize("change", ["missing", "mismatched"])
def test_a_backbone_is_loaded_whole_or_not_at_all(change, tmp_path):
    net = models.encoder_unet(encoder="mobilenet_v2", width_mult=0.25, decoder=(4, 4, 4, 4, 4))
    arrays = arrays_of(models.mobilenet_v2(width_mult=0.25))
    before = {name: t.numpy().copy() for name, t in net.state_dict().items()}
    first = arrays.pop("features.0.0.weight")
    if change == "mismatched":
        arrays["features.0.0.weight"] = first[:, :1]
    with pytest.raises(CheckpointError) as caught:
        models.load_backbone(net, saved(tmp_path / "a", arrays))
    assert f"1 {change}: features.0.0.weight" in str(caught.value)
    assert same(net, before)


@pytest.mark.parametrize("call", [models.load_pretrained, models.compare_keys])
def test_weights_are_loaded_into_modules(call, tmp_path):
    with pytest.raises(ArgumentTypeError, match=rf"{call.__name__}: model: expected a rawseg\.nn\.Module, got dict"):
        call({}, tmp_path / "none.safetensors")


def test_a_backbone_for_grey_images_takes_none(tmp_path):
    path = saved(tmp_path / "a", {})
    net = models.encoder_unet(in_channels=1, width_mult=0.25)
    with pytest.raises(ArgumentError, match="in_channels: expected 3: weights of elsewhere are for colour images, got 1"):
        models.load_backbone(net, path)
    with pytest.raises(ArgumentError, match="imagenet: expected False but for images of 3 channels, got 1 channels"):
        models.encoder_unet(in_channels=1, imagenet=True)
    with pytest.raises(ArgumentTypeError, match="model: expected an EncoderUNet, a DeepLabV3 or a MaskRCNN"):
        models.load_backbone(models.unet(), path)


def test_an_encoder_sees_the_colours_that_its_weights_were_made_for(tmp_path):
    plain = models.encoder_unet(width_mult=0.25, decoder=(4, 4, 4, 4, 4)).eval()
    normalised = models.encoder_unet(width_mult=0.25, decoder=(4, 4, 4, 4, 4), imagenet=True).eval()
    normalised.load_state_dict(plain.state_dict())
    x = np.random.default_rng(0).random((1, 3, 32, 32)).astype(np.float32)
    mean, deviation = (np.float32(v).reshape(3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    assert np.array_equal(normalised(rawseg.tensor(x)).numpy(), plain(rawseg.tensor((x - mean) / deviation)).numpy())
    models.save_model(normalised, tmp_path / "a")
    again = models.load_model(tmp_path / "a")
    assert again.config["imagenet"] is True
    assert np.array_equal(again(rawseg.tensor(x)).numpy(), normalised(rawseg.tensor(x)).numpy())
    assert "imagenet" not in plain.config  # as in files from before there was a choice
