"""Published weights on real photographs. A test is skipped, with the package's name, where that is not installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rawseg
from rawseg import models
from rawseg.interchange import imagenet, packages

ROOT = Path(__file__).parents[2]
CATS, ESPRESSO = {281, 282, 285}, 967  # tabby, tiger cat, Egyptian cat


def package(name: str, monkeypatch) -> Path:
    """Return the file of an installed package; npm's are looked for beside the repository's files."""
    monkeypatch.chdir(ROOT)
    packaged = packages.PACKAGED[name]
    if packages.locate(packaged) is None:
        pytest.skip(f"the package {packaged.package} is not installed: {packaged.install}")
    return packages.find(name)


def photograph(name: str) -> np.ndarray:
    data = pytest.importorskip("skimage.data", reason="scikit-image, which has the photographs, is not installed")
    return getattr(data, name)().transpose(2, 0, 1).astype(np.float32) / 255


def test_mobilenet_v2_knows_a_cat_and_a_coffee(monkeypatch):
    net = models.mobilenet_v2()
    report = models.load_pretrained(net, package("mobilenet_v2", monkeypatch))
    assert report.complete
    assert len(report.loaded) == 314
    net.eval()
    with rawseg.no_grad():
        cat, coffee = (net(rawseg.tensor(imagenet.prepared(photograph(name)))).numpy()[0] for name in ("chelsea", "coffee"))
    assert set(np.argsort(-cat)[:3].tolist()) == CATS
    assert np.argmax(coffee) == ESPRESSO


@pytest.mark.parametrize("name", ["chelsea", "coffee", "rocket", "astronaut"])
def test_mobilenet_v2_says_what_torchvisions_says(name, monkeypatch):
    import torch

    from rawseg.benchmark.torchvision_on_cpu import torchvision

    path = package("mobilenet_v2", monkeypatch)
    theirs = torchvision().models.mobilenet_v2().eval()
    theirs.load_state_dict(torch.load(path, weights_only=True))
    ours = models.mobilenet_v2().eval()
    models.load_pretrained(ours, path)
    batch = imagenet.prepared(photograph(name))
    with rawseg.no_grad(), torch.no_grad():
        got, want = ours(rawseg.tensor(batch)).numpy(), theirs(torch.tensor(batch)).numpy()
    # 1.4e-5 at most in 1000 logits of up to 20: float32 through 53 layers, in two orders of the sums
    assert np.abs(got - want).max() < 1e-4
    assert np.argsort(-got[0])[:5].tolist() == np.argsort(-want[0])[:5].tolist()


# What TensorFlow.js 4.22 computes on its CPU backend for the astronaut at 256 x 256: row, column, probability of a person.
SELFIE = [
    (8, 108, 0.0807207),
    (28, 148, 0.0662642),
    (88, 128, 0.7614299),
    (90, 60, 0.3535401),
    (108, 48, 0.5913126),
    (148, 8, 0.3962209),
    (230, 250, 0.6943295),
    (40, 110, 1.0),
    (60, 30, 0.0),
]
SELFIE_MEAN = 0.5404116


def test_the_selfie_network_computes_what_tensorflow_js_does(monkeypatch):
    from rawseg import tfjs

    net = tfjs.load(package("selfie", monkeypatch))
    image = imagenet.resized(photograph("astronaut"), (256, 256))
    with rawseg.no_grad():
        found = net(rawseg.tensor(image[None])).numpy()
        exact = net.double()(rawseg.tensor(image[None].astype(np.float64))).numpy()
    for row, column, want in SELFIE:
        assert found[0, 0, row, column] == pytest.approx(want, abs=1e-4), (row, column)  # 9e-6: rounding in 43 convolutions
    assert found.mean(dtype=np.float64) == pytest.approx(SELFIE_MEAN, abs=1e-6)
    assert np.abs(found - exact).max() < 1e-4


def test_the_selfie_network_is_mediapipes_own(monkeypatch):
    """The same network in TensorFlow Lite's form; in that of TensorFlow.js its sixths are rounded to float16."""
    interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    from rawseg import tfjs

    net = tfjs.load(package("selfie", monkeypatch))
    lite = ROOT / "node_modules" / "@mediapipe" / "selfie_segmentation" / "selfie_segmentation.tflite"
    if not lite.exists():
        pytest.skip("the package @mediapipe/selfie_segmentation is not installed: npm install --ignore-scripts")
    theirs = interpreter.Interpreter(str(lite))
    theirs.allocate_tensors()
    image = imagenet.resized(photograph("astronaut"), (256, 256))
    theirs.set_tensor(theirs.get_input_details()[0]["index"], image.transpose(1, 2, 0)[None])
    theirs.invoke()
    want = theirs.get_tensor(theirs.get_output_details()[0]["index"]).transpose(0, 3, 1, 2)
    sixths = [buffer for name, buffer in net.named_buffers() if name.startswith("mul_") and buffer.ndim == 0]
    assert len(sixths) == 11
    with rawseg.no_grad():
        rounded = net(rawseg.tensor(image[None])).numpy()
        for sixth in sixths:
            assert float(sixth.numpy()) == np.float16(1 / 6)
            sixth.copy_(rawseg.tensor(np.float32(1 / 6)))
        found = net(rawseg.tensor(image[None])).numpy()
    assert np.abs(found - want).max() < 2e-4  # 2.1e-5: rounding, in two orders
    assert np.abs(rounded - want).max() < 0.05  # 0.013: a sixth that is 2.4e-4 too small, eleven times
