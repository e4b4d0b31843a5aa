"""Functions by the names of their modules, and what is imported for them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from testing.products import UP, X

from rawseg.errors import ArgumentError
from rawseg.testing import load


@pytest.fixture
def package(tmp_path, monkeypatch):
    (tmp_path / "my_layers_by_name.py").write_text(
        "import numpy as np\n"
        "def square(x, power=2): return x**power\n"
        "def square_backward(grad_output, x, power=2): return grad_output * power * x ** (power - 1)\n"
        "def cube(x): return x**3\n"
        "cube.backward = lambda grad_output, x: grad_output * 3 * x * x\n"
        "def alone(x): return x + 1\n"
        "class Layers:\n"
        "    def __init__(self): raise RuntimeError('nobody makes one')\n"
        "    @staticmethod\n"
        "    def double(x): return 2 * x\n"
        "    @staticmethod\n"
        "    def double_backward(grad_output, x): return 2 * grad_output\n"
    )
    (tmp_path / "broken_by_name.py").write_text("import not_installed_anywhere\n")
    (tmp_path / "quits_by_name.py").write_text("import sys\nsys.exit(0)\n")
    (tmp_path / "raises_by_name.py").write_text("value = int('three')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield tmp_path
    for name in ("my_layers_by_name", "broken_by_name", "quits_by_name", "raises_by_name"):
        sys.modules.pop(name, None)


def test_functions_are_found_by_name_with_the_gradient_beside_them(package):
    for name, slope in (("square", 2.0 * X), ("cube", 3 * X * X), ("Layers.double", 0 * X + 2)):
        (dx,) = load(f"my_layers_by_name:{name}").gradients([X], {}, [True], [UP])
        assert np.array_equal(dx, UP * slope)
    assert not load("my_layers_by_name:alone").has_gradients
    assert load("my_layers_by_name:alone", "rawseg").framework == "rawseg"
    assert load("torch:conv2d").framework == "torch"
    assert load("rawseg.functional:conv2d").has_second
    assert str(package) not in sys.path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("my_layers_by_name", "'my_layers_by_name'"),
        ("my_layers_by_name:", "'my_layers_by_name:'"),
        (":square", "':square'"),
        ("my_layers_by_name:nothing", r"has no attribute 'nothing'"),
        ("my_layers_by_name:Layers.nothing", r"has no attribute 'nothing'"),
        ("my_layers_by_name:square.", r"has no attribute ''"),
        ("nowhere_to_be_found:square", "No module named 'nowhere_to_be_found'"),
        ("broken_by_name:square", "No module named 'not_installed_anywhere'"),
        (".relative:square", "'.relative:square'"),
        ("quits_by_name:square", r"it ends the process when it is imported \(exit code 0\)"),
    ],
)
def test_names_that_lead_nowhere(package, text, reason):
    expected = r"load: text: expected package.module:function that can be imported, got .*"
    with pytest.raises(ArgumentError, match=expected + reason):
        load(text)
    assert str(package) not in sys.path


def test_errors_of_a_module_are_its_own(package):
    with pytest.raises(ValueError, match="invalid literal for int") as raised:
        load("raises_by_name:square")
    assert raised.traceback[-1].path.name == "raises_by_name.py"
    assert str(package) not in sys.path


def test_adapters_of_arrays_import_neither_torch_nor_numba_nor_hypothesis():
    script = (
        "import sys; import numpy as np; from rawseg.testing import gradcheck, adapt\n"
        "assert gradcheck(np.sin, np.ones(2), backward=lambda g, x: g * np.cos(x))\n"
        "print([m for m in ('torch', 'cupy', 'numba', 'hypothesis', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
