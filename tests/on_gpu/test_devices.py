"""Two GPUs, one of them the current: whatever is computed, is computed there, or refused."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from on_gpu.pretended_cupy import pretended

import rawseg
from rawseg import Tensor, nn, optim
from rawseg import cli as command_line
from rawseg import functional as F
from rawseg.cli import app
from rawseg.cuda import GraphedStep, Prefetcher
from rawseg.data import Loader
from rawseg.errors import ArgumentError, BackendError, DeviceError
from rawseg_kernels import conv2d, softmax
from rawseg_kernels.softmax.cuda import kernel

pytestmark = pytest.mark.stand_in
NUMBERS = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4)
SAID = r"the current device \(rawseg\.cuda\.set_device\({there}\) makes another one current\), got one on cuda:{there}"
ELSEWHERE = "expected an array on cuda:0, " + SAID.format(there=1)


@pytest.fixture
def cupy():
    with pretended(device_count=2) as module:
        yield module


@pytest.fixture
def there(cupy) -> Tensor:
    """A Tensor on the device that is not current."""
    return Tensor(NUMBERS).to("cuda:1")


def test_a_tensor_can_be_brought_anywhere_and_looked_at(there):
    assert (there.device, there.shape, there.detach().device) == ("cuda:1", (1, 1, 3, 4), "cuda:1")
    assert there.numpy().tolist() == there.to("cpu").tolist() == there.tolist() == NUMBERS.tolist()
    assert "device='cuda:1'" in repr(there)
    assert there.to("cuda").device == there.to("cuda:0").device == "cuda:0"
    assert there.to("cuda:0").tolist() == NUMBERS.tolist()
    assert rawseg.zeros(3, device="cuda:1").device == rawseg.ones(3, device="cuda:1").device == "cuda:1"
    assert rawseg.zeros(1, device="cuda:1").item() == 0
    assert copy.deepcopy(there).device == "cuda:1"


COMPUTED: dict[str, Any] = {
    "sum of two": lambda x: x + x,
    "with a number": lambda x: 2 * x,
    "comparison": lambda x: x > 1,
    "reduction": lambda x: x.sum(),
    "argmax": lambda x: x.argmax(),
    "any": lambda x: x.any(),
    "element": lambda x: x[0],
    "dtype": lambda x: x.double(),
    "clone": lambda x: x.clone(),
    "like": lambda x: x.zeros_like(),
    "layer": lambda x: F.relu(x),
    "pooling": lambda x: F.max_pool2d(x, 2),
    "loss": lambda x: F.mse_loss(x, x),
    "in place": lambda x: x.add_(1),
    "assignment": lambda x: x.__setitem__(0, 1.0),
}


@pytest.mark.parametrize("name", COMPUTED)
def test_what_is_not_on_the_current_device_is_not_computed_with(there, name):
    with pytest.raises(DeviceError, match=ELSEWHERE):
        COMPUTED[name](there)
    assert there.tolist() == NUMBERS.tolist()
    with rawseg.cuda.device("cuda:1"):
        COMPUTED[name](there)


def test_kernels_refuse_it_too(there):
    with pytest.raises(DeviceError, match=f"softmax: x: {ELSEWHERE}"):
        softmax.forward(there.anywhere, 1)
    x, weight = (Tensor(NUMBERS).to("cuda:1").anywhere for _ in range(2))
    with pytest.raises(DeviceError, match="conv2d: x: expected an array on cuda:0"):
        conv2d.forward(x, weight)
    run = kernel("softmax_forward", np.float32)
    arguments = [x if parameter.is_array else 1 for parameter in run.parameters]
    with pytest.raises(DeviceError, match=f"softmax_forward: arrays: {ELSEWHERE}"):
        run(1, *arguments)


def test_the_current_device_is_where_cuda_is(cupy):
    assert rawseg.cuda.current_device() == 0
    with rawseg.cuda.device(1):
        assert rawseg.cuda.current_device() == 1
        assert rawseg.ones(2, device="cuda").device == "cuda:1"
        assert (rawseg.ones(2, device="cuda:1") + 1).tolist() == [2, 2]
        with rawseg.cuda.device("cuda:0"):
            assert rawseg.cuda.current_device() == 0
        assert rawseg.cuda.current_device() == 1
    assert rawseg.cuda.current_device() == 0
    rawseg.cuda.set_device("cuda:1")
    assert rawseg.cuda.current_device() == 1
    with pytest.raises(
        ArgumentError, match="set_device: device: expected 'cuda:0' to 'cuda:1', of which CuPy sees 2, got 'cuda:2'"
    ):
        rawseg.cuda.set_device(2)
    assert rawseg.cuda.current_device() == 1


def test_set_device_needs_a_gpu():
    for call in (rawseg.cuda.set_device, lambda number: rawseg.cuda.device(number).__enter__()):
        with pytest.raises(BackendError, match="device: expected CuPy to be installed"):
            call(0)


def trained(device: str) -> list[bytes]:
    """Return weights after two steps of training."""
    rawseg.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Dropout(0.5)).to(device)
    update, x = optim.Adam(net.parameters()), Tensor(NUMBERS).to(device)
    for _ in range(2):
        update.zero_grad()
        (net(x) ** 2).sum().backward()
        optim.clip_grad_norm_(net.parameters(), 0.5)
        update.step()
    return [p.numpy().tobytes() for p in net.parameters()]


def test_training_on_the_second_device(cupy):
    first = trained("cuda:0")
    with pytest.raises(DeviceError, match=ELSEWHERE):
        trained("cuda:1")
    with rawseg.cuda.device(1):
        assert trained("cuda:1") == trained("cuda") == first


def test_what_was_made_before_the_device_was_changed_is_refused(cupy):
    net = nn.Conv2d(1, 1, 1).to("cuda")
    loss, update = (net(Tensor(NUMBERS).to("cuda")) ** 2).sum(), optim.SGD(net.parameters(), 0.1)
    loss.backward(retain_graph=True)
    rawseg.cuda.set_device(1)
    for call in (loss.backward, update.step, lambda: optim.clip_grad_norm_(net.parameters(), 1.0)):
        with pytest.raises(DeviceError, match=f"an array on cuda:1, {SAID.format(there=0)}"):
            call()
    net.to("cuda")
    assert {p.device for p in net.parameters()} == {"cuda:1"}


def test_a_graph_belongs_to_its_device(cupy):
    rawseg.cuda.set_device(1)
    x, target = Tensor(NUMBERS).to("cuda"), rawseg.zeros(1, 3, 4, dtype="int64").to("cuda")
    step = GraphedStep(nn.Conv2d(1, 2, 1).to("cuda"), F.cross_entropy, x, target, num_warmup_iters=1)
    assert step(x, target).device == "cuda:1"
    rawseg.cuda.set_device(0)
    with pytest.raises(DeviceError, match="an array on cuda:0, the current device"):
        step(x, target)


class Numbers:
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full((1, 2, 3), index, np.float32), np.full((2, 3), index, np.int64)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_to_the_device_and_their_pinned_memory_is_made_for_it(cupy, monkeypatch, workers):
    import cupyx  # type: ignore[import-not-found]

    made, empty_pinned = [], cupyx.empty_pinned
    monkeypatch.setattr(
        cupyx, "empty_pinned", lambda *given: made.append(cupy.cuda.runtime.getDevice()) or empty_pinned(*given)
    )
    with rawseg.cuda.device(1):
        batches = list(Prefetcher(Loader(Numbers(), 2, shuffle=False, workers=workers, pin_memory=True), "cuda:1"))
        assert [int(masks[0, 0, 0]) for _, masks in batches] == [0, 2, 4]
    assert {part.device.id for batch in batches for part in batch} == {1}
    assert set(made) == {1}


@pytest.mark.parametrize("device", ["cpu", "cuda:0", "cuda:1"])
def test_a_command_makes_its_device_current(cupy, monkeypatch, tmp_path: Path, device):
    seen = []

    def predict(found: Any, model: Any, *_rest: Any) -> None:
        seen.append((rawseg.cuda.current_device(), model(Tensor(np.ones((1, 1, 16, 16), np.float32)).to(device)).device))

    weights = tmp_path / "weights.safetensors"
    rawseg.models.save_model(rawseg.models.unet(width=2, depth=1, classes=2), weights)
    (tmp_path / "image.png").write_bytes(b"")
    monkeypatch.setattr(command_line.predict, "label_pixels", predict)
    monkeypatch.setattr(command_line.predict, "gather", lambda images: images)
    with pytest.raises(SystemExit) as leave:
        app(["predict", str(tmp_path / "image.png"), "-w", str(weights), "-o", str(tmp_path / "out"), "--device", device])
    assert not leave.value.code
    assert seen == [(1 if device == "cuda:1" else 0, device)]
    assert rawseg.cuda.current_device() == 0


def test_a_command_refuses_a_device_that_is_none(cupy, capsys, tmp_path):
    with pytest.raises(SystemExit) as leave:
        app(["train", str(tmp_path), "--device", "cuda:2"])
    assert leave.value.code == 2
    assert "device: expected 'cuda:0' to 'cuda:1', of which CuPy sees 2, got 'cuda:2'" in capsys.readouterr().err
