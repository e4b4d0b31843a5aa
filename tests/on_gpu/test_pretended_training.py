"""The training loop on device arrays: files hold host arrays, and a run goes on wherever it is continued."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_run import digest, trainer

import rawseg
from rawseg import functional as F
from rawseg.errors import DeviceError
from rawseg.models import predict_tiled, unet
from rawseg.serialization import load_arrays
from rawseg.training import Classification, Reconstruction, Segmentation, TrainingError, evaluate
from rawseg.training.objectives import OBJECTIVES, objective

# Sums in another order than the CPU's, in float32, through a few steps of SGD. Not Adam: a bias before a batch norm has no
# gradient but roundings, and Adam takes steps of full length after these.
CLOSE = 1e-5
NEVER_THE_SAME = ("seconds", "images_per_second")


def timeless(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key not in NEVER_THE_SAME} for record in history]


def assert_near(got: dict[str, Any], want: dict[str, Any], relative: float = CLOSE) -> None:
    """Compare two records, some of whose values are lists."""
    assert list(got) == list(want)
    for key, value in want.items():
        np.testing.assert_allclose(got[key], value, rtol=relative, err_msg=key)


@pytest.fixture(scope="module")
def whole(cupy, tmp_path_factory) -> tuple[str, list[dict[str, Any]], Path]:
    """Three epochs on the device in one go: digest, history, folder."""
    folder = tmp_path_factory.mktemp("whole")
    run = trainer(folder, "SGD", device="cuda")
    history = run.fit(3).history
    return digest(run), timeless(history), folder


def test_a_run_has_the_numbers_of_the_cpu(whole, tmp_path):
    want = timeless(trainer(tmp_path, "SGD").fit(3).history)
    for got, record in zip(whole[1], want, strict=True):
        assert_near(got, record)


@pytest.mark.parametrize("rule", ["SGD", pytest.param("Adam", marks=pytest.mark.release)])
def test_a_resumed_run_has_the_bits_of_one_in_one_go(cupy, whole, tmp_path, rule):
    if rule == "SGD":
        want = whole[:2]
    else:
        run = trainer(tmp_path / "whole", rule, device="cuda")
        history = run.fit(3).history
        want = digest(run), timeless(history)
    trainer(tmp_path / "parts", rule, device="cuda").fit(1)
    run = trainer(tmp_path / "parts", rule, device="cuda")
    history = run.fit(3, resume=True).history
    assert (digest(run), timeless(history)) == want


def test_the_files_are_those_of_a_run_on_the_cpu(whole, tmp_path):
    """The same names, dtypes and shapes; whoever reads them needs no GPU."""
    trainer(tmp_path, "SGD").fit(3)
    for file, kind in (("best.safetensors", "weights"), ("last.safetensors", "checkpoint")):
        got, want = (load_arrays(folder / file, kind)[0] for folder in (whole[2], tmp_path))
        assert {name: (type(a), a.dtype, a.shape) for name, a in got.items()} == {
            name: (np.ndarray, a.dtype, a.shape) for name, a in want.items()
        }


def test_a_run_moves_from_device_to_device_and_loses_nothing(cupy, whole, tmp_path):
    """What a checkpoint holds is what the next one begins with, bit for bit; then each computes as its device does."""
    left = ""
    for epoch, at in enumerate(("cuda", "cpu", "cuda"), 1):
        run = trainer(tmp_path, "SGD", device=at)
        began, resume = [], run.files.resume
        run.files.resume = lambda run=run, resume=resume, began=began: (resume(), began.append(digest(run)))[0]
        history = run.fit(epoch, resume=epoch > 1).history
        assert began == [left] * (epoch > 1)
        slots = [value for one in run.optimizer.state.values() for value in one.values()]
        kind = cupy.ndarray if at == "cuda" else np.ndarray
        assert {type(array) for array in slots} | {type(p.array) for p in run.model.parameters()} == {kind}
        left = digest(run)
    for got, record in zip(timeless(history), whole[1], strict=True):
        assert_near(got, record)


def test_a_loss_that_is_not_finite_ends_the_run(cupy, tmp_path):
    run = trainer(tmp_path, device="cuda")
    run.loss = lambda logits, masks: F.cross_entropy(logits, masks) * math.nan
    with pytest.raises(TrainingError, match="fit: loss: expected finite numbers, got nan"):
        run.fit(1)
    run.loss = F.cross_entropy
    run.model.second.weight.register_hook(lambda gradient: gradient * math.inf)
    with pytest.raises(TrainingError, match=r"gradient of second\.weight: expected finite numbers, got inf or NaN"):
        run.fit(1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_takes_logits_of_the_device(cupy, name):
    rng = np.random.default_rng(0)
    masks = rawseg.tensor((rng.random((2, 6, 7)) < 0.4).astype(np.int64))
    masks[0, 0, :2] = -100
    loss = objective(name, class_weights=[1.0, 2.5])
    found = []
    for device in ("cpu", "cuda"):
        logits = rawseg.tensor(np.random.default_rng(1).standard_normal((2, 2, 6, 7)), device=device, requires_grad=True)
        value = loss(logits.astype("float32"), masks.to(device))
        value.backward()
        assert logits.grad is not None
        found.append((value.item(), logits.grad.to("cpu").numpy()))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-6)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("task", "channels", "targets"),
    [
        (Segmentation(3, -100), 3, (2, 6, 5)),
        (Segmentation(2), 1, (2, 6, 5)),
        (Classification(), 4, (2,)),
        (Reconstruction(), 1, (2, 1, 6, 5)),
    ],
)
def test_scores_of_outputs_on_the_device_are_those_of_the_cpu(cupy, task, channels, targets):
    rng = np.random.default_rng(0)
    output = rng.standard_normal((2, channels, *targets[1:][-2:])).astype(np.float32)
    truth = rng.random(targets, np.float32) if isinstance(task, Reconstruction) else rng.integers(0, 2, targets)
    scores = []
    for device in ("cpu", "cuda"):
        tally, logits = task.tally(), rawseg.tensor(output, device=device)
        tally.update(logits, task.target(truth, logits))
        scores.append(tally.scores())
    assert_near(scores[1], scores[0], 1e-6)


def test_evaluation_takes_host_batches(cupy):
    rawseg.manual_seed(0)
    net = unet(width=2, depth=1, classes=2)
    batches = [(np.random.default_rng(0).random((2, 1, 8, 8), np.float32), np.zeros((2, 8, 8), np.int64))]
    want = evaluate(net, F.cross_entropy, batches, Segmentation(2))
    assert want is not None
    assert_near(evaluate(net.to("cuda"), F.cross_entropy, batches, Segmentation(2)) or {}, want)


def test_a_model_is_where_the_caller_says_or_an_error_names_both(cupy):
    net, image = unet(width=2, depth=1, classes=2), np.zeros((1, 8, 8), np.float32)
    with pytest.raises(DeviceError, match=r"^predict: device: expected cpu, the device of the model, got cuda:0$"):
        predict_tiled(net, image, device="cuda")
    net.to("cuda")
    with pytest.raises(DeviceError, match=r"^predict: device: expected cuda:0, the device of the model, got cpu$"):
        predict_tiled(net, image, device="cpu")
    assert predict_tiled(net, image)[0].shape == (8, 8)
    with pytest.raises(DeviceError, match=r"^conv2d: weight: expected cpu, the device of input, got cuda:0$"):
        net(rawseg.tensor(image[None]))
