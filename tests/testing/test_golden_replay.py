"""Golden vectors replayed by a program that has neither rawseg nor PyTorch, with right and wrong functions."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from rawseg.testing.golden import write

# Runs replay.py where rawseg and what it stands on cannot be imported, and looks that they were not.
ALONE = """
import runpy, sys

class Nothing:
    def find_spec(self, name, *where):
        if name.partition(".")[0] in ("rawseg", "rawseg_kernels", "torch", "numba", "hypothesis"):
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, Nothing())
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    assert "numpy" in sys.modules
    assert not {"rawseg", "rawseg_kernels", "torch", "numba", "hypothesis"} & set(sys.modules)
"""
RIGHT = """
import numpy as np


def pair(value):
    return value if isinstance(value, tuple) else (value, value)


def windows(x, weight, stride, padding, dilation, groups):
    reach = [dilation[i] * (weight.shape[2 + i] - 1) + 1 for i in (0, 1)]
    if padding == "same":
        frame = [((r - 1) // 2, r // 2) for r in reach]
    else:
        frame = [(p, p) for p in pair(padding)]
    if min(*stride, *dilation, *sum(frame, ())) < 0 or 0 in stride + dilation or x.dtype != weight.dtype:
        raise ValueError("a number outside of its domain")
    if x.ndim != 4 or x.shape[1] != weight.shape[1] * groups or len(weight) % groups:
        raise ValueError("channels that do not fit")
    x = np.pad(x, ((0, 0), (0, 0), *frame))
    seen = np.lib.stride_tricks.sliding_window_view(x, reach, (2, 3))
    return x, frame, seen[:, :, :: stride[0], :: stride[1], :: dilation[0], :: dilation[1]]


def my_conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    if x.ndim == 3:
        return my_conv2d(x[None], weight, bias, stride, padding, dilation, groups)[0]
    seen = windows(x, weight, pair(stride), padding, pair(dilation), groups)[2]
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError("a bias of another length")
    parts = zip(np.split(seen, groups, 1), np.split(weight, groups))
    out = np.concatenate([np.einsum("nchwij,kcij->nkhw", s, w) for s, w in parts], 1)
    return out if bias is None else out + bias[:, None, None]


def my_conv2d_backward(grad_output, x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    stride, dilation = pair(stride), pair(dilation)
    framed, frame, seen = windows(x, weight, stride, padding, dilation, groups)
    grads, grad_weight = np.split(grad_output, groups, 1), []
    grad_framed = np.zeros_like(framed)
    split = [np.split(seen, groups, 1), np.split(grad_framed, groups, 1), np.split(weight, groups)]
    for grad, part, into, kernel in zip(grads, *split):
        grad_weight.append(np.einsum("nkhw,nchwij->kcij", grad, part))
        for i, j in np.ndindex(*weight.shape[2:]):
            rows = slice(i * dilation[0], i * dilation[0] + stride[0] * grad.shape[2], stride[0])
            columns = slice(j * dilation[1], j * dilation[1] + stride[1] * grad.shape[3], stride[1])
            into[:, :, rows, columns] += np.einsum("nkhw,kc->nchw", grad, kernel[:, :, i, j])
    (top, _), (left, _) = frame
    grad_x = grad_framed[:, :, top : top + x.shape[2], left : left + x.shape[3]]
    return grad_x, np.concatenate(grad_weight), None if bias is None else grad_output.sum((0, 2, 3))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    write(folder, ["conv2d"])
    return folder


def replayed(folder, tmp_path, source, name="my_conv2d", op="conv2d"):
    (tmp_path / "mine.py").write_text(source)
    command = [sys.executable, "-I", "-c", ALONE, str(folder / "replay.py"), f"mine:{name}", "--op", op]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)


def test_a_right_function_passes_without_rawseg_or_torch(folder, tmp_path):
    done = replayed(folder, tmp_path, RIGHT)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = [line.partition(":")[0] for line in done.stdout.splitlines()]
    assert kinds == ["drawn", "edge", "edge", "bad input"]
    assert "edge: 1 may differ" in done.stdout
    assert not done.stderr


WRONG = {
    ":: stride[1]": (":: stride[0]", "output 0: float64 "),
    "zip(grads, *split)": ("zip(grads, split[0], split[1], [w[:, :, ::-1, ::-1] for w in split[2]])", "input at ("),
    "grad_output.sum((0, 2, 3))": ("grad_output.mean((0, 2, 3))", "bias at ("),
    "np.split(seen, groups, 1), np.split(weight": (
        "np.split(np.nan_to_num(seen), groups, 1), np.split(weight",
        "(all.nonfinite)",
    ),
    " or x.dtype != weight.dtype": (
        "",
        "(all.layout)\n  conv2d(input=float64 (1, 4, 5, 6), weight=float32 (6, 4, 3, 2))\n  accepted",
    ),
}


@pytest.mark.parametrize("old", WRONG)
def test_a_wrong_function_fails_and_the_case_is_named(folder, tmp_path, old):
    new, said = WRONG[old]
    assert RIGHT.count(old) == 1
    done = replayed(folder, tmp_path, RIGHT.replace(old, new))
    assert done.returncode == 1
    assert " failed\n" in done.stdout
    assert " failures: case " in done.stderr
    assert said in done.stderr


def test_the_module_may_lack_gradients_and_arguments(folder, tmp_path):
    few = (
        RIGHT.replace("my_conv2d_backward", "later")
        + "\ndef plain(x, weight, bias=None):\n    return my_conv2d(x, weight, bias)\n"
    )
    done = replayed(folder, tmp_path, few, "plain")
    assert done.returncode == 0, done.stderr
    found = re.match(r"drawn: (\d+) passed\ndrawn: (\d+) left out\n", done.stdout)
    assert found is not None
    assert replayed(folder, tmp_path, few).stdout.startswith(f"drawn: {int(found[1]) + int(found[2])} passed\n")


def test_a_function_that_fits_no_case_has_not_passed(folder, tmp_path):
    done = replayed(folder, tmp_path, "def my_conv2d(x):\n    return x\n")
    assert done.returncode == 1
    assert done.stderr == "replay: my_conv2d takes the arguments of no case\n"


def test_help_tells_how_to_call_it(folder):
    done = subprocess.run([sys.executable, str(folder / "replay.py"), "--help"], capture_output=True, text=True, timeout=60)
    assert "python replay.py mymodule:my_conv2d --op conv2d" in " ".join(done.stdout.split())
    assert "name_backward(grad_output, *arrays, **options)" in " ".join(done.stdout.split())


@pytest.mark.parametrize("damage", ["no vectors", "half of the vectors", "no cases", "half of the cases", "another operation"])
def test_a_damaged_folder_is_told_in_one_line(tmp_path, damage):
    write(tmp_path, ["relu" if damage == "another operation" else "conv2d"])
    name = "conv2d.npz" if "vectors" in damage else "cases.json"
    if damage.startswith("no "):
        (tmp_path / name).unlink()
    elif damage.startswith("half"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[: (tmp_path / name).stat().st_size // 2])
    done = replayed(tmp_path, tmp_path, RIGHT)
    assert done.returncode == 1
    assert done.stderr.startswith(f"replay: no conv2d in {tmp_path}, or a damaged file: ")
    assert done.stderr.count("\n") == 1
