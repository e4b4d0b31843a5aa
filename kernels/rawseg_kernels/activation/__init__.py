r"""Activations: a function of one number, applied to every element, and the product of its derivative with a gradient.

=============== ======================================================= =======================================================
kind            f(x)                                                    source
=============== ======================================================= =======================================================
relu            max(x, 0)                                               Nair and Hinton, ICML 2010
hardtanh        x between min_val and max_val (relu6: 0 and 6)          Collobert 2004; Krizhevsky 2010
leaky_relu      x where x > 0, else negative_slope x                    Maas et al., ICML 2013
hardsigmoid     min(max(x + 3, 0), 6) / 6                               Howard et al., arXiv 1905.02244
hardswish       x hardsigmoid(x)                                        Howard et al., arXiv 1905.02244
elu             positive x, or negative (e**(rate x) - 1) for x <= 0    Clevert et al., arXiv 1511.07289; selu, celu too
sigmoid         1 / (1 + e**-x)
tanh            tanh x
softplus        log(1 + e**(beta x)) / beta; x if beta x > threshold    Dugas et al., NIPS 2000; beta -1: log of the sigmoid
silu            x sigmoid(x)                                            Elfwing et al., arXiv 1702.03118
gelu            x P(X < x), X standard normal                           Hendrycks and Gimpel, arXiv 1606.08415
gelu_tanh       x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))) / 2      the same, equation 2
mish            x tanh(log(1 + e**x))                                   Misra, arXiv 1908.08681
=============== ======================================================= =======================================================

``backward`` takes the *output* of relu, hardtanh, sigmoid and tanh, and the *input* of all others. Everything is computed in
float64 and rounded once, so float32 results are correctly rounded but for one in some 10**8. NaN gives NaN.

Algorithms: ``"direct"`` runs vector kernels over threads; ``"expressions"`` are NumPy's or CuPy's; ``"cuda"`` is for
GPUs, a thread an element.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

import numpy as np

from .. import _arrays, _memory
from .._algorithms import find
from .._errors import ArgumentError

OP = "activation"
ALGORITHMS = ("direct", "expressions")
CUDA_ALGORITHMS = ("cuda",)
LARGEST_SINGLE = float(np.finfo(np.float32).max)
# kind -> the names of its parameters
KINDS: dict[str, tuple[str, ...]] = {
    "relu": (),
    "hardtanh": ("min_val", "max_val"),
    "leaky_relu": ("negative_slope",),
    "hardsigmoid": (),
    "hardswish": (),
    "elu": ("positive", "negative", "rate"),
    "sigmoid": (),
    "tanh": (),
    "softplus": ("beta", "threshold"),
    "silu": (),
    "gelu": (),
    "gelu_tanh": (),
    "mish": (),
}
SAVES_OUTPUT = ("relu", "hardtanh", "sigmoid", "tanh")


def forward(x: Any, kind: str, parameters: tuple[float, ...] = (), algorithm: str = "auto") -> Any:
    """Apply an activation to every element.

    Parameters
    ----------
    x : ndarray, any shape
        float32 or float64.
    kind : str
        See the module's table.
    parameters : tuple of float
        Those that the table names, in its order.
    algorithm : {"auto", "direct", "expressions", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, the shape of ``x``
        f(x); what relu, hardtanh and leaky_relu select they select bit for bit.

    Raises
    ------
    ArgumentError
        If there is no such kind, or its parameters are outside their domain.
    """
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_array(OP, "x", x)
    parameters = _parameters(kind, parameters, x.dtype)
    _memory.check_size(OP, x.shape, x.dtype)
    run = _form(kind, algorithm, device)
    return run(_arrays.contiguous(x).reshape(-1), *parameters).reshape(x.shape)


def backward(grad_output: Any, saved: Any, kind: str, parameters: tuple[float, ...] = (), algorithm: str = "auto") -> Any:
    """Return ``grad_output * f'(x)``.

    Parameters
    ----------
    grad_output : ndarray, any shape
        Gradient with respect to the output.
    saved : ndarray, the shape of ``grad_output``
        The output of the kinds in ``SAVES_OUTPUT``, the input of the others.
    kind, parameters, algorithm
        As in `forward`.
    """
    device = _arrays.check_floating(OP, saved=saved, grad_output=grad_output)
    for name, array in (("saved", saved), ("grad_output", grad_output)):
        _arrays.check_array(OP, name, array)
    _arrays.check_shape(OP, "grad_output", grad_output, saved.shape)
    parameters = _parameters(kind, parameters, saved.dtype)
    run = _form(f"{kind}_backward", algorithm, device)
    arrays = (_arrays.contiguous(array).reshape(-1) for array in (grad_output, saved))
    return run(*arrays, *parameters).reshape(saved.shape)


def _form(verb: str, algorithm: str, device: str) -> Any:
    if device != "cpu" and algorithm == "expressions":
        return getattr(import_module(".expressions", __name__), verb)
    return find(__name__, verb, algorithm, ALGORITHMS, device)


def _parameters(kind: str, parameters: tuple[float, ...], dtype: Any) -> tuple[float, ...]:
    """Check kind and parameters; those that are compared with elements, or multiply them alone, are rounded to the dtype."""
    if kind not in KINDS:
        raise ArgumentError(OP, "kind", f"one of {tuple(KINDS)}", repr(kind))
    names = KINDS[kind]
    if len(parameters) != len(names):
        raise ArgumentError(OP, "parameters", f"{len(names)} numbers {names}", parameters)
    if not names:
        return ()
    numbers = tuple(map(_number, names, parameters))
    if kind == "hardtanh" and not numbers[0] <= numbers[1]:
        raise ArgumentError(OP, "min_val", f"at most max_val={parameters[1]}", parameters[0])
    if kind == "elu" and not numbers[2] >= 0:  # the kernels' exponential takes no positive argument
        raise ArgumentError(OP, "rate", "at least 0", parameters[2])
    if kind == "softplus" and (numbers[0] == 0 or math.isinf(numbers[0])):
        raise ArgumentError(OP, "beta", "a finite number other than 0", parameters[0])
    if kind in ("hardtanh", "leaky_relu") and dtype == np.float32:
        return tuple(map(_single, numbers))
    return numbers


def _single(number: float) -> float:
    """Return a number rounded to float32; one that is too large is inf."""
    if abs(number) <= LARGEST_SINGLE:
        return float(np.float32(number))
    with np.errstate(over="ignore"):
        return float(np.float32(number))


def _number(name: str, value: Any) -> float:
    """Return a float, inf included."""
    if type(value) is float and not math.isnan(value):
        return value
    if isinstance(value, (float, np.floating)) and math.isinf(value):
        return float(value)
    return _arrays.real(OP, name, value)
