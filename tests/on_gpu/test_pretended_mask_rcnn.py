"""Mask R-CNN on device arrays: losses, gradients and objects are the CPU's; boxes are chosen on the CPU, in few trips there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rawseg
from rawseg import no_grad, optim, xray
from rawseg.errors import DeviceError
from rawseg.models import MaskRCNN
from rawseg.models.mask_rcnn import STAGES
from rawseg.models.mask_rcnn.regions import ROI_LAYERS

# Sums in another order, in float64, through dozens of layers: of the largest gradient 8e-14 was seen, of a loss 1e-14.
CLOSE = 1e-11
SMALL: dict[str, Any] = {"classes": 3, "backbone": "resnet18", "width_mult": 1 / 16, "channels": 4, "hidden": 8}
SMALL |= {"frozen_norm": False, "mask_layers": 1, "min_size": 32, "max_size": 48, "proposals": (16, 10), "regions": 8}
SMALL |= {"anchor_sizes": (8, 16, 24, 32, 48)}
SIZES = (40, 56), (32, 40)
OTHERS = [{"neck": neck, "roi": roi} for neck in ("fpn", "c4", "c5") for roi in ROI_LAYERS][1:]
OTHERS += [{"backbone": "mobilenet_v2", "width_mult": 0.25}, {"frozen_norm": True}]
NETWORKS: list[Any] = [{}]
NETWORKS += [pytest.param(given, marks=pytest.mark.release, id="-".join(map(str, given.values()))) for given in OTHERS]


def network(device: str = "cpu", **changes: Any) -> MaskRCNN:
    """Every proposal is detected: with random weights each class has a third of the probability."""
    rawseg.manual_seed(0)
    model = MaskRCNN(**(SMALL | changes)).double().to(device)
    model.roi_heads.score_from = 0.0
    return model


def images() -> list[np.ndarray]:
    return [np.random.default_rng(i).random((3, *size)) for i, size in enumerate(SIZES)]


def annotated() -> list[dict[str, np.ndarray]]:
    found = []
    for height, width in SIZES:
        boxes = np.array([[3, 5, 20, 25], [16, 8, 38, 30]], np.float64)
        masks = np.zeros((2, height, width), bool)
        for mask, (x1, y1, x2, y2) in zip(masks, boxes.astype(int)):
            mask[y1:y2, x1:x2] = True
        found.append({"boxes": boxes, "labels": np.array([1, 2]), "masks": masks})
    return found


def step(model: MaskRCNN, shown: list[Any], targets: list[Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the losses and the gradients of a training step, on the CPU."""
    rawseg.manual_seed(3)
    model.train().zero_grad()
    losses = model(shown, targets)
    first, *others = losses.values()
    sum(others, first).backward()
    gradients = {name: p.grad.to("cpu").numpy() for name, p in model.named_parameters() if p.grad is not None}
    return losses, gradients


def found_in(model: MaskRCNN, shown: list[Any]) -> list[dict[str, rawseg.Tensor]]:
    with no_grad():
        return model.eval()(shown)


@pytest.mark.parametrize("options", NETWORKS)
def test_losses_gradients_and_objects_are_the_cpus(cupy, options):
    host, device = network(**options), network("cuda", **options)
    (want, slopes), (got, same) = step(host, images(), annotated()), step(device, images(), annotated())
    assert len(want) == 5
    for name, loss in want.items():
        assert got[name].device == "cuda:0"
        assert got[name].item() == pytest.approx(loss.item(), rel=CLOSE, abs=CLOSE), name
    largest = max(np.abs(gradient).max() for gradient in slopes.values())
    assert list(same) == list(slopes) == [name for name, p in host.named_parameters() if p.requires_grad]
    for name, gradient in slopes.items():
        np.testing.assert_allclose(same[name], gradient, rtol=0, atol=CLOSE * largest, err_msg=name)
    for one, other in zip(found_in(host, images()), found_in(device, images()), strict=True):
        assert len(one["boxes"])
        for name, value in one.items():
            assert other[name].device == "cuda:0"
            exact = value.dtype.kind == "i"  # labels, and so the order of the objects
            np.testing.assert_allclose(other[name].to("cpu").numpy(), value.numpy(), rtol=0, atol=0 if exact else 64 * CLOSE)


def test_a_second_run_has_the_same_bits_wherever_images_and_targets_are(cupy):
    """Arrays of the host go to the model's device; targets may be anywhere, since they are read on the CPU."""
    model = network("cuda")
    first, slopes = step(model, images(), annotated())
    placed = [rawseg.tensor(image).to("cuda") for image in images()]
    targets = [{name: cupy.asarray(array) for name, array in target.items()} for target in annotated()]
    again, same = step(model, placed, targets)
    assert {name: loss.item() for name, loss in again.items()} == {name: loss.item() for name, loss in first.items()}
    assert {name: array.tobytes() for name, array in same.items()} == {name: array.tobytes() for name, array in slopes.items()}


@pytest.mark.stand_in
def test_boxes_are_chosen_on_the_cpu_in_few_trips(cupy, monkeypatch):
    """Those that the docstring of MaskRCNN names, and no others, however many images there are."""
    trips = []
    get = cupy.ndarray.get
    monkeypatch.setattr(cupy.ndarray, "get", lambda array: trips.append(array.shape) or get(array))
    model = network("cuda").eval()
    with no_grad():
        model(images())
    assert len(trips) == 5
    trips.clear()
    model.train()(images(), annotated())
    assert len(trips) == 2


@pytest.mark.parametrize("there", ["cpu", "cuda"])
def test_an_image_on_another_device_than_the_model_is_refused(cupy, there):
    model = network("cuda" if there == "cpu" else "cpu")
    other = "cuda:0" if there == "cpu" else "cpu"
    got = "cpu" if there == "cpu" else "cuda:0"
    message = f"^mask_rcnn: images: expected {other}, the device of the parameters, got {got}$"
    with pytest.raises(DeviceError, match=message):
        found_in(model, [rawseg.tensor(images()[0]).to(there)])


def test_images_without_objects_train_and_images_in_which_nothing_is_found(cupy):
    model = network("cuda")
    nothing = [{name: array[:0] for name, array in target.items()} for target in annotated()]
    losses, gradients = step(model, images(), nothing)
    assert losses["loss_mask"].item() == losses["loss_box_reg"].item() == 0
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())
    model.roi_heads.score_from = 2.0
    for objects in found_in(model, images()):
        assert {name: (value.shape[0], value.device) for name, value in objects.items()} == dict.fromkeys(
            objects, (0, "cuda:0")
        )


@pytest.mark.release
def test_it_learns(cupy):
    model = network("cuda")
    update = optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    losses = []
    for _ in range(3):
        found, _ = step(model, images(), annotated())
        update.step()
        losses.append(sum(loss.item() for loss in found.values()))
    assert losses[-1] < losses[0]
    assert all(parameter.device == "cuda:0" for parameter in model.parameters())


def test_xray_of_a_model_on_the_device_is_that_of_the_cpu(cupy, tmp_path):
    """A dump holds arrays of the host; each stage, run again on the device on what it was given, gives the dump's bits."""
    image, model = images()[0], network("cuda").eval()
    (tmp_path / "host").mkdir()
    (tmp_path / "device").mkdir()
    want, got = xray.record(network().eval(), image, tmp_path / "host"), xray.record(model, image, tmp_path / "device")
    assert list(got) == list(want)
    for name, array in got.items():
        assert type(array) is np.ndarray
        if array.dtype.kind == "f":
            scale = max(1.0, np.abs(want[name]).max(initial=0))
            np.testing.assert_allclose(array, want[name], rtol=0, atol=CLOSE * scale, err_msg=name)
        else:
            assert (array == want[name]).all(), name
    for stage in STAGES:
        for name, array in xray.replay(model, stage, got).items():
            assert array.tobytes() == got[name].tobytes(), name
    rows = {row.name: row for row in xray.compare(tmp_path / "host", tmp_path / "device", model)}
    assert rows["anchors.0"].equal  # it compares dumps of two devices, with a model on either
    assert rows["maps.0"].verdict in ("", "the stage itself differs (in A)")
