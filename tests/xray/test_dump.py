"""Dumps: what is read back is what was recorded, and every stage run from it gives the same bits."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import models, xray
from rawseg.autograd import Tensor
from rawseg.errors import ArgumentError, ArgumentTypeError, CheckpointError, DataError, ShapeError
from rawseg.models.mask_rcnn import STAGES
from rawseg.serialization import load_arrays, save_arrays
from rawseg.xray.compare import same_bits
from rawseg.xray.dump import FILE, KIND, digest_of, stage_named

CASES = [
    {"neck": "fpn"},
    {"neck": "fpn", "in_channels": 1},
    {"neck": "c4", "roi": "roi_pool"},
    {"neck": "c5", "roi": "roi_warp", "score_from": 2.0},
    {"neck": "fpn", "score_from": 2.0},
]


@pytest.mark.parametrize("options", CASES, ids=str)
def test_every_stage_replays_to_the_same_bits(make_model, make_image, tmp_path, options):
    model = make_model(**options)
    recorded = xray.record(model, make_image(channels=options.get("in_channels", 3)), tmp_path)
    loaded, _ = xray.load(tmp_path)
    assert (len(recorded["boxes.0"]) > 0) == ("score_from" not in options)
    seen = {"images.0"}
    for stage in STAGES:
        given = xray.replay(model, stage.name, loaded)
        seen |= set(given)
        assert all(same_bits(given[name], recorded[name]) for name in given), stage.name
    assert seen == set(loaded)


def test_a_dump_is_read_as_it_was_recorded(dumped):
    folder, recorded = dumped
    loaded, about = xray.load(folder)
    assert list(loaded) == list(recorded)
    assert all(same_bits(loaded[name], recorded[name]) for name in recorded)
    assert about["image_size"] == [50, 71]
    assert about["model"] == "mask_rcnn"
    assert about["config"]["backbone"] == "mobilenet_v2"
    assert about["stages"] == [stage.name for stage in STAGES]
    assert len(about["weights"]) == 64


def test_one_inference_gives_one_file(dumped, model, make_image, tmp_path):
    xray.record(model, make_image(), tmp_path)
    assert (tmp_path / FILE).read_bytes() == (dumped[0] / FILE).read_bytes()


def test_the_dump_holds_what_the_model_returns(dumped, model, make_image):
    with rawseg.no_grad():
        (found,) = model([make_image()])
    for name, tensor in found.items():
        assert same_bits(tensor.numpy(), dumped[1][f"results.{name}"])
    assert dumped[1]["images.0"].tobytes() == make_image().tobytes()


def test_recording_changes_neither_mode_nor_weights_nor_image(model, make_image, tmp_path):
    model.train()
    model.rpn.eval()
    modes, digest, image = [module.training for module in model.modules()], digest_of(model), make_image()
    before = image.copy()
    xray.record(model, image, tmp_path)
    xray.replay(model, "backbone", xray.load(tmp_path)[0])
    assert [module.training for module in model.modules()] == modes
    assert digest_of(model) == digest
    assert np.array_equal(image, before)


def test_the_digest_is_of_every_weight_and_name(model):
    digests = {digest_of(model)}
    for parameter in (model.rpn.head.cls_logits.bias, next(model.parameters())):
        parameter.array.flat[0] += 1
        digests.add(digest_of(model))
    assert len(digests) == 3


def test_a_stage_runs_on_anothers_arrays(dumped, model, make_image, tmp_path):
    mine, others = dumped[1], xray.record(model, make_image(1), tmp_path)
    assert not same_bits(mine["class_logits"], others["class_logits"])
    given = xray.replay(model, "box head", mine | {"box_features": others["box_features"]})
    assert same_bits(given["class_logits"], others["class_logits"])


def test_inputs_are_what_the_stages_pass_on(dumped):
    arrays = dumped[1]
    objectness, _deltas, anchors, sizes = xray.inputs_of(stage_named("proposals"), arrays)
    assert isinstance(objectness, Tensor)
    assert [type(level) for level in anchors] == [np.ndarray] * 5
    assert sizes == [(64, 90)]
    assert type(sizes[0][0]) is int
    maps, proposals = xray.inputs_of(stage_named("box pooling"), arrays)
    assert [type(level) for level in maps] == [Tensor] * 5
    assert [p.shape for p in proposals] == [(30, 4)]


def test_missing_and_damaged_dumps_are_named(dumped, tmp_path):
    with pytest.raises(CheckpointError, match=rf"{tmp_path}/{FILE}: expected a file that can be read, got ENOENT"):
        xray.load(tmp_path)
    data = bytearray((dumped[0] / FILE).read_bytes())
    data[-3] ^= 1
    (tmp_path / FILE).write_bytes(data)
    with pytest.raises(CheckpointError, match="arrays that match their SHA-256 in the manifest, got damage in "):
        xray.load(tmp_path)
    (tmp_path / FILE).write_bytes(data[: len(data) // 2])
    with pytest.raises(CheckpointError, match=r"an intact .safetensors file"):
        xray.load(tmp_path)
    rawseg.save({"a": rawseg.ones(2)}, tmp_path / FILE)
    with pytest.raises(CheckpointError, match="expected a xray file of rawseg, got a weights file"):
        xray.load(tmp_path)


def test_dumps_of_another_version_are_refused(dumped, tmp_path):
    arrays, about = load_arrays(dumped[0] / FILE)
    save_arrays(tmp_path / FILE, arrays, KIND, about | {"stages": ["transform", "magic"]})
    with pytest.raises(DataError, match=r"the stages \['transform', .*, got \['transform', 'magic'\]: record it again"):
        xray.load(tmp_path)
    save_arrays(tmp_path / FILE, {k: v for k, v in arrays.items() if k != "mask_logits"}, KIND, about)
    with pytest.raises(DataError, match="every value of every stage, got none of mask_logits"):
        xray.load(tmp_path)
    save_arrays(tmp_path / FILE, arrays, KIND, {"model": 3})
    with pytest.raises(DataError, match=r"a dump that tells model, config, .*, got one that tells \['model'\]"):
        xray.load(tmp_path)


def test_what_cannot_be_recorded_or_replayed(dumped, model, tmp_path):
    with pytest.raises(ArgumentTypeError, match="xray: model: expected a MaskRCNN, got Autoencoder"):
        xray.record(models.autoencoder(4, 2), np.zeros((1, 4, 4), np.float32), tmp_path)
    with pytest.raises(ShapeError, match=r"images: expected shape \(3, H, W\) each, got shape \(1, 40, 40\)"):
        xray.record(model, np.zeros((1, 40, 40), np.float32), tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ArgumentError, match=r"xray: stage: expected one of \['transform', .*, got 'magic'"):
        xray.replay(model, "magic", dumped[1])
    with pytest.raises(DataError, match="xray: mask_features: expected arrays of what 'mask head' reads, got none"):
        xray.replay(model, "mask head", {"mask_logits": dumped[1]["mask_logits"]})
    with pytest.raises(CheckpointError, match="ENOENT"):
        xray.record(model, np.zeros((3, 40, 40), np.float32), tmp_path / "none")
