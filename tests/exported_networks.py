"""What the tests of `rawseg.onnx.export` share: networks as if trained, and ONNX Runtime's answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rawseg import Tensor, manual_seed, models, nn, no_grad, onnx
from rawseg.autograd import Function

__all__ = [
    "IMAGE",
    "TOLERANCE",
    "Applied",
    "Cube",
    "Outer",
    "Square",
    "check_everywhere",
    "difference",
    "label",
    "run",
    "small_unet",
    "trained",
]

checker = pytest.importorskip("onnx", reason="the package onnx is missing: nothing can be exported").checker
onnxruntime = pytest.importorskip("onnxruntime", reason="the package onnxruntime is missing: no file can be run")

# Of an output's largest number. float32 sums of K terms in another order differ by some sqrt(K) * 6e-8 of their terms; networks
# of a hundred layers were seen to reach 1.2e-5.
TOLERANCE = 5e-5
IMAGE = np.random.default_rng(0).random((2, 1, 8, 8), np.float32)  # a batch of two that small networks take
CLEAR = 5e-6  # rounding moves the elements of these networks by some 5e-7 of the largest


class Applied(nn.Module):
    """A function as a network."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args):
        return self.function(*args)


class Cube(Function):
    """An operation that has no translation."""

    @staticmethod
    def forward(ctx, x):
        return x**3

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


class Square(Cube):
    """Another one."""

    @staticmethod
    def forward(ctx, x):
        return x**2


class Outer(nn.Module):
    """A convolution, and functions as the layers of a list that is called ``rest``."""

    def __init__(self, *functions):
        super().__init__()
        self.first = nn.Conv2d(1, 2, 3)
        self.rest = nn.ModuleList([Applied(function) for function in functions])

    def forward(self, x):
        x = self.first(x)
        for layer in self.rest:
            x = layer(x)
        return x


def trained(model: Any, seed: int = 0) -> Any:
    """Give norms statistics, scales and shifts that are not 1 and 0, so that none can be left out unnoticed."""
    rng = np.random.default_rng(seed)
    for module in model.modules():
        if getattr(module, "running_mean", None) is None:
            continue
        shape = module.running_mean.shape
        module.running_mean.array[:] = rng.normal(0, 0.3, shape)
        module.running_var.array[:] = rng.uniform(0.5, 2, shape)
        if module.weight is not None:
            module.weight.array[:] = rng.uniform(0.5, 1.5, shape)
            module.bias.array[:] = rng.normal(0, 0.2, shape)
    return model.eval()


def small_unet() -> Any:
    """Return the same small network each time."""
    manual_seed(0)
    return trained(models.build("unet", width=4, depth=2))


def run(file: Any, *arrays: np.ndarray) -> list[np.ndarray]:
    """Return ONNX Runtime's outputs, on the CPU."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors: warnings of its optimiser are of no interest
    session = onnxruntime.InferenceSession(file.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {one.name: array for one, array in zip(session.get_inputs(), arrays, strict=True)})


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest difference as a share of the largest number; equal infinities and NaNs differ by 0."""
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    if not wanted.size:
        return 0.0
    a, b = found.astype(np.float64), wanted.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        return float(np.where(same, 0, abs(a - b)).max() / (np.abs(b[np.isfinite(b)]).max(initial=0) or 1))


def label(case: Any) -> str:
    """Return a case's name and options, for pytest."""
    name, options, *_ = case
    return "-".join([name, *(str(value) for value in options.values())])


def check_everywhere(name: str, options: dict[str, Any], shape: tuple[int, ...], any_size: bool) -> None:
    """Export a model with a free batch, and a free size where it has one, and compare at other batches and sizes, too."""
    manual_seed(0)
    model = trained(models.build(name, **options))
    rng = np.random.default_rng(1)
    file = onnx.export(model, rng.random(shape, np.float32), dynamic_batch=True, dynamic_size=any_size)
    checker.check_model(file, full_check=True)
    n, c, h, w = shape
    multiple = getattr(model, "multiple", 32)
    for size in (shape, (n + 2, c, h, w), *[(1, c, h + 2 * multiple, w + multiple)] * any_size):
        x, wanted = decided(model, size, rng)
        (found,) = run(file, x)
        assert difference(found, wanted) <= TOLERANCE


def decided(model: Any, size: tuple[int, ...], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return images and what a network makes of them.

    Unpooling puts an element elsewhere if another one of its window is equal to float32's last digits, and the output jumps. So
    each image is drawn until the largest two of all such windows differ by ten times as much as rounding could move them.
    """
    gaps: list[float] = []
    poolings = [module for module in model.modules() if isinstance(module, nn.MaxPool2d) and module.return_indices]
    handles = [module.register_forward_pre_hook(lambda _module, args: gaps.append(smallest_gap(*args))) for module in poolings]
    images = [drawn(model, size[1:], rng, gaps) for _ in range(size[0])]
    for handle in handles:
        handle.remove()
    x = np.stack(images)
    with no_grad():
        return x, model(Tensor(x)).numpy()


def drawn(model: Any, size: tuple[int, ...], rng: np.random.Generator, gaps: list[float]) -> np.ndarray:
    """Return an image that leaves no gap in ``gaps``, which the network fills, too small."""
    for _ in range(200):
        gaps.clear()
        image = rng.random(size, np.float32)
        with no_grad():
            model(Tensor(image[None]))
        if all(gap > CLEAR for gap in gaps):
            return image
    return pytest.fail(f"no image without near ties; the last one's gap was {min(gaps)}")


def smallest_gap(x: Any) -> float:
    """Return by how much the largest two elements of a 2 x 2 window differ at least, as a share of the largest of all."""
    n, c, h, w = x.shape
    even = x.numpy()[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2)
    ranked = np.sort(even.transpose(0, 1, 2, 4, 3, 5).reshape(-1, 4), axis=1)
    lively = ranked[ranked[:, 2] > 0]  # zeros are equal everywhere, and the first of them is chosen everywhere
    return float((lively[:, 3] - lively[:, 2]).min(initial=np.inf) / ranked.max())
