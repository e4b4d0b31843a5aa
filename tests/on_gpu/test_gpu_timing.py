"""The steps of ``bench/gpu_check.py`` that compare with PyTorch and time, on a pretended GPU."""

from __future__ import annotations

import json

import gpu_check
import numpy as np
import pytest
import torch
from benchmark.test_cases import SMALL

import rawseg
from rawseg.benchmark.cases import Case, parse
from rawseg.benchmark.model_steps import TOLERANCE, gradient_differences
from rawseg.benchmark.subjects import Pair
from rawseg.benchmark.worker import passes_of
from rawseg.errors import DeviceError

pytestmark = pytest.mark.stand_in
FEW = {"batch_norm_relu", "cross_entropy", "sgd", "nms"}  # the others' tests take longer in all


def conv2d_case() -> Case:
    return Case("conv2d", "small", "small", (1, 3, 6, 7), {"out_channels": 4, "kernel_size": 3, "padding": 1})


@pytest.fixture
def timing(pretended_gpu, monkeypatch):
    from gpu import timing

    monkeypatch.setattr(torch.Tensor, "cuda", lambda tensor: tensor)
    rates = {"copy_TB_s": 4.0, "matmul_TFLOP_s": 50.0, "matmul_tf32_TFLOP_s": 400.0}
    monkeypatch.setattr(timing.device, "measured", lambda: rates)
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark
    yield timing
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = before


def test_times_are_of_equal_accuracy(timing, monkeypatch):
    """Both sides with TF32 are timed together, and both sides without."""
    groups = []
    monkeypatch.setattr(timing, "microseconds_of", lambda calls: [float(i + 1) for i in range(len(calls))])
    timed = timing.timed
    monkeypatch.setattr(timing, "timed", lambda calls, tf32: groups.append((tf32, list(calls))) or timed(calls, tf32))
    found = timing.time(conv2d_case())
    theirs = ["torch", "torch channels_last"]
    without = (False, ["cuda_tiles", "cuda_tiles_3xtf32", "cuda_im2col", "cuda", *theirs])
    assert groups[:2] == [without, (True, ["cuda_tiles_tf32", *(f"{name} tf32" for name in theirs)])]
    assert torch.backends.cudnn.allow_tf32
    assert [row["pass"] for row in found["rows"]] == ["forward", "grad input", "grad weight"]
    assert found["said"].startswith("forward 5.00 TF32 2.00, 0% of bytes; ")


def timed_by(timing, monkeypatch, op: str) -> list[dict]:
    """Return the rows of an operation's least case, all calls of which take a microsecond."""
    monkeypatch.setattr(timing, "microseconds_of", lambda calls: [float(call is not None) for call in calls])
    return timing.time(parse(op, SMALL[op]))["rows"]


@pytest.mark.parametrize("op", [pytest.param(op, marks=[] if op in FEW else [pytest.mark.gate]) for op in SMALL])
def test_every_operation_is_compared_and_timed_on_the_device(timing, monkeypatch, op):
    """Tensors of rawseg and PyTorch's state, too; a pass without times would be no row, or a row without ours."""
    rows = timed_by(timing, monkeypatch, op)
    items = passes_of(parse(op, SMALL[op]))
    assert [row["pass"] for row in rows] == [item.name for item in items]
    for row, item in zip(rows, items):
        sides = {name for name in row["us"] if not name.startswith("torch")}
        assert sides
        assert (item.theirs is not None) == ("torch" in row["us"])
        assert row["bytes_in"] > 0
        assert row["bytes_out"] > 0
        assert set(row["reached"]) == set(row["us"])


def steps(folder) -> list[dict]:
    """Return the steps of the file that was written."""
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text())["steps"]


def test_a_case_is_compared_and_then_timed(timing, tmp_path, monkeypatch):
    """From the command to the file, timed by events; what is wrong is neither compared with success nor timed."""
    monkeypatch.setattr(timing, "named", lambda *_: [parse("add", SMALL["add"])])
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    names = [f"{what} given add {SMALL['add']}" for what in ("beside PyTorch", "time")]
    assert gpu_check.main(["--out", str(tmp_path), "--only", " given add "]) == 0
    compared, timed = steps(tmp_path)
    assert [compared["name"], timed["name"]] == names
    assert compared["rows"][0]["oracle"] == "PyTorch in float64"
    assert compared["rows"][0]["ratios"]["composed"] <= 1
    assert compared["rows"][0]["PyTorch in float32"]["torch"] <= 1
    assert timed["rows"][0]["limit"]["fp32"]["by"] == "bytes"
    from gpu import beside

    beside._right.clear()
    monkeypatch.setattr(timing.sides, "on_host", lambda found: np.zeros((2, 3, 4, 4), np.float32))
    assert gpu_check.main(["--out", str(tmp_path), "--only", " given add "]) == 1
    assert [row["ok"] for row in steps(tmp_path)] == [False, False]


@pytest.mark.gate
def test_products_of_tensors_are_timed_at_every_accuracy(timing, monkeypatch):
    for row in timed_by(timing, monkeypatch, "linear"):
        assert list(row["us"]) == ["composed", "composed_3xtf32", "torch", "composed_tf32", "torch tf32"]


def test_a_step_without_a_row_fails(timing, monkeypatch):
    monkeypatch.setattr(timing, "passes", lambda _case: [])
    with pytest.raises(AssertionError, match="nothing was timed"):
        timing.time(parse("add", SMALL["add"]))
    monkeypatch.setattr(timing.sides, "result", lambda *_: None)
    from gpu import beside

    with pytest.raises(AssertionError, match="forward: no algorithm has this geometry"):
        beside.compare(parse("relu", SMALL["relu"]))


def test_host_and_device_mixed_up_is_no_missing_geometry(timing, monkeypatch):
    from rawseg.benchmark import planes

    monkeypatch.setattr(planes, "beside", lambda _like, given: given)
    with pytest.raises(DeviceError):
        timing.time(parse("roi_align", SMALL["roi_align"]))


def test_limits_are_the_larger_of_bytes_and_flops(pretended_gpu):
    from gpu import limits

    rates = {"copy_TB_s": 4.0, "matmul_TFLOP_s": 50.0, "matmul_tf32_TFLOP_s": 300.0}
    found = limits.reached({"cuda": 4.0, "cuda_tiles_tf32": 2.0, "torch": 1.0}, 1e8, 4_000_000, rates)
    assert found["limit"] == {
        "fp32": {"us": 2.0, "by": "flops"},
        "3xtf32": {"us": 1.0, "by": "bytes"},
        "tf32": {"us": 1.0, "by": "bytes"},
    }
    assert found["reached"] == {"cuda": 50.0, "cuda_tiles_tf32": 50.0, "torch": 200.0}


def test_ceilings_are_of_both_accuracies(pretended_gpu, monkeypatch):
    from gpu import device

    monkeypatch.setattr(torch.Tensor, "cuda", lambda tensor: tensor)
    monkeypatch.setattr(device, "SIDE", 8)
    monkeypatch.setattr(device, "ELEMENTS", 64)
    monkeypatch.setattr(device, "microseconds", lambda call, repeats=20: 2.0 if call() is None else 4.0)
    flops = 2 * 8**3 / 1e6
    found = device.ceilings()
    assert found["matmul_TFLOP_s"] == found["matmul_tf32_TFLOP_s"] == flops / 4
    assert found["copy_TB_s"] == 2 * 256 / 2 / 1e6
    assert "with TF32" in found["said"]


def test_a_wrong_kernel_is_not_timed(timing, monkeypatch):
    """What is within the bound of TF32 is not within that of float32."""
    from rawseg_kernels.conv2d import cuda_tiles, cuda_tiles_tf32

    monkeypatch.setattr(cuda_tiles, "forward", cuda_tiles_tf32.forward)
    with pytest.raises(AssertionError, match=r"forward cuda_tiles: element .* off by more than rounding can be"):
        timing.time(conv2d_case())


@pytest.mark.gate
def test_the_gradients_of_a_network_are_compared(pretended_gpu, tmp_path, monkeypatch, capsys):
    from gpu import models

    monkeypatch.setitem(models.SMALL, "unet", {"width": 2, "size": 16, "batch": 2})
    assert gpu_check.main(["--out", str(tmp_path), "--only", "gradients of unet"]) == 0
    assert "of the largest, two passes equal" in capsys.readouterr().out
    want = models.gradients_on("unet", "cpu")
    monkeypatch.setattr(models, "gradients_on", lambda name, device: [w * (1 + (device == "cuda") * 1e-3) for w in want])
    with pytest.raises(AssertionError, match=r"gradients differ by 1.0e-03 of the largest"):
        models.gradients("unet")


@pytest.mark.gate
def test_steps_and_inferences_of_all_sides_are_timed(pretended_gpu, monkeypatch):
    from gpu import models

    def of_torch(_subject, _twin, _data, channels_last):
        if channels_last:
            raise RuntimeError("this side has no such kernel")
        return {"train": lambda: None, "infer": lambda: None}

    monkeypatch.setattr(models, "torch_modes", of_torch)
    monkeypatch.setattr(models.graphed, "torch_step", lambda *_, channels_last: {"train graphed": lambda: None})
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda module: module)
    request = {"model": "unet", "width": 2, "size": 16, "batch": 2}
    found = models.timed(request)
    eager = [f"{m}, {{}}, {s}" for s in ("rawseg", "torch") for m in ("train", "infer")]
    replayed = [f"train graphed, {{}}, {s}" for s in ("rawseg", "torch", "torch channels_last")]
    assert list(found["us"]) == [key.format(a) for a in models.PRECISIONS for key in (*eager, *replayed)]
    assert list(found["failed"]) == [f"{accuracy}, torch channels_last" for accuracy in models.PRECISIONS]
    assert found["failed"]["fp32, torch channels_last"] == "RuntimeError: this side has no such kernel"
    assert found["said"].startswith("torch / rawseg: train, fp32 ")
    assert "train graphed, tf32" in found["said"]
    assert rawseg.get_tensor_core_precision() == "fp32"


def on_the_device(models, name: str, **sizes):
    """Return a small network on the stand-in, its subject and its data."""
    subject = models.OnDevice(name)
    request = {"model": name, **models.SMALL[name], **sizes}
    return subject, models.pair(request).ours.to("cuda"), subject.data(request, np.random.default_rng(1))


@pytest.mark.gate
@pytest.mark.parametrize("name", ["segnet_basic", "context"])
def test_a_graphed_step_of_a_network_is_the_step(pretended_gpu, name):
    from gpu import models

    assert name in models.GRAPHED
    subject, net, data = on_the_device(models, name, size=32)
    modes = models.graphed.rawseg_step(subject, net, data)  # which compares the gradients
    before = [p.to("cpu").numpy() for p in net.parameters()]
    modes["train graphed"]()
    assert any((p.to("cpu").numpy() != old).any() for p, old in zip(net.parameters(), before))


def test_a_graph_with_other_gradients_is_not_timed(pretended_gpu, monkeypatch):
    from gpu import models

    bits = iter(([b"one"], [b"another"]))
    monkeypatch.setattr(models.graphed, "_bytes_of_gradients", lambda _model: next(bits))
    with pytest.raises(AssertionError, match="the gradients of the graph have other bits than the call's"):
        models.graphed.rawseg_step(*on_the_device(models, "unet", width=2, size=16))


LARGE_TWINS = (
    "segnet_basic",
    "encoder_unet",
    "resnet18",
    "segnet",
    "deeplabv3",
    "resnet50",
    "dilated_vgg16",
    "mobilenet_v3_large",
)


def network_names() -> list:
    """Return the networks that are written in PyTorch's functions; the large ones' tests are gates."""
    names = ("context", "mobilenet_v1", "mobilenet_v3_small")
    return [*names, *(pytest.param(name, marks=pytest.mark.gate) for name in LARGE_TWINS)]


@pytest.mark.parametrize("name", network_names())
def test_networks_and_their_twins_have_equal_gradients(pretended_gpu, name):
    """In float64; batch norm of maps of one pixel magnifies roundings."""
    from gpu import networks

    subject = networks.WRITTEN[name]
    request = {"model": name, **subject.small}
    both = Pair(*(net.double() for net in networks.pair(request)))
    data = subject.data(request, np.random.default_rng(1))
    subject.loss(both.ours, *subject.for_rawseg(data, np.float64)).backward()
    subject.torch_loss(both.twin, *subject.for_torch(data, np.float64, torch.contiguous_format)).backward()
    assert max(gradient_differences(both))[0] < TOLERANCE
    for held, buffer in both.twin.held_buffers.items():
        assert "running_mean" not in held or both.twin._buffers[buffer].abs().max() > 0  # the twin updates its own, too


def test_every_written_network_is_timed_and_compared(pretended_gpu):
    from gpu import models, networks

    names = {param if isinstance(param, str) else param.values[0] for param in network_names()}
    assert names == set(networks.WRITTEN)
    assert [name for name, _ in models.steps()][: len(models.LARGE)] == [f"model {name}" for name in models.LARGE]
    assert {"segnet", "deeplabv3", "resnet50", "mobilenet_v3_large"} <= models.GRAPHED
    checks = [name for name, _ in (*models.checks(), *models.more_checks())]
    assert sorted(checks) == sorted(f"gradients of {name}" for name in models.LARGE)
