"""``rawseg check`` as it is typed: tables, failures, exit codes, and what it refuses."""

from __future__ import annotations

import sys

import pytest
from typer.testing import CliRunner

from rawseg.cli import app

LAYERS = """
import numpy as np

def my_relu(x):
    return np.maximum(x, 0)

def my_relu_backward(grad_output, x):
    return grad_output * ~(x <= 0)

def leaky(x):
    return np.where(x > 0, x, 0.01 * x)
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs the command in a folder with layers of somebody's."""
    (tmp_path / "layers_of_mine.py").write_text(LAYERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def run_check(*arguments: str):
        return CliRunner().invoke(app, ["check", *arguments])

    yield run_check
    sys.modules.pop("layers_of_mine", None)


def test_some_of_rawsegs_own(run):
    done = run("--op", "relu", "--op", "conv2d", "--examples", "3")
    assert done.exit_code == 0, done.output
    assert [line.split("│")[1].strip() for line in done.output.splitlines() if line.startswith("│")] == ["relu", "conv2d"]
    assert "WRONG" not in done.output
    assert "\n2 operations, " in done.output
    assert ", 0 wrong, " in done.output


def test_a_right_function_of_somebody(run):
    done = run("--op", "relu", "--impl", "layers_of_mine:my_relu", "--examples", "3")
    assert done.exit_code == 0, done.output
    assert "relu: my_relu" in done.output


def test_a_wrong_function_of_somebody(run):
    done = run("--op", "relu", "--impl", "layers_of_mine:leaky", "--only", "values")
    assert done.exit_code == 1
    assert "WRONG" in done.output
    assert "leaky as relu: does not conform" in done.output
    assert "cannot be rounding: " in done.output
    assert "smallest case: relu(input=" in done.output
    assert ", 1 wrong, " in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--op", "sharpen"), "check: --op: expected one of "),
        (("--impl", "layers_of_mine:relu"), "check: --op: expected the one operation that --impl is of, got none"),
        (("--op", "relu", "--impl", "layers_of_mine:nothing"), "'layers_of_mine:nothing'"),
        (
            ("--op", "relu", "--impl", "nowhere:relu"),
            "check: --impl: expected package.module:function that can be imported, got",
        ),
        (("--op", "relu", "--impl", "math:pi"), "check: --impl: expected something to call, got 'math:pi', of type float"),
        (("--op", "relu", "--impl", "rawseg.nn:ReLU"), "--impl: expected a function or a layer (make one, layer = ReLU(), and"),
        (("--op", "relu", "--impl", "math:sin", "--framework", "jax"), "check: --framework: expected one of "),
        (("--op", "relu", "--only", "speed"), "check: --only: expected some of "),
        (("--suite", "pytest"), "check: --suite: expected nothing without --mutate, got pytest"),
        (("--mutate", "--impl", "layers_of_mine:relu"), "check: --impl: expected nothing beside --mutate"),
        (("--export", "folder", "--only", "values"), "check: --only: expected nothing beside --export"),
        (("--mutate", "--op", "sharpen"), "check: --op: expected one of "),
        (("--mutate", "--op", "relu", "--op", "sharpen"), "check: --op: expected one of "),
        (("--op", "relu", "--op", "sharpen"), "check: --op: expected one of "),
        (("--mutate", "--device", "cuda"), "check: --device: expected nothing beside --mutate"),
        (("--export", "folder", "--suite", "pytest"), "check: --suite: expected nothing beside --export"),
        (("--op", "relu", "--framework", "torch"), "check: --framework: expected nothing without --impl"),
    ],
)
def test_what_it_refuses(run, arguments, message):
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert done.output.startswith("rawseg: ")
    assert len(done.output.splitlines()) == 1


def test_planted_faults(run):
    done = run("--op", "relu6", "--mutate", "--examples", "5")
    assert done.exit_code == 0, done.output
    assert "NOTHING" not in done.output
    found, planted = done.output.rstrip().splitlines()[-1].split(" planted")[0].split(" of ")
    assert int(found) == int(planted) > 0


def test_golden_vectors(run, tmp_path):
    done = run("--op", "relu", "--export", "golden")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "golden" / "cases.json").is_file()
    assert "cases in golden; " in done.output
