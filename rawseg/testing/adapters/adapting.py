"""One function, whoever wrote it: `adapt` gives it the face of an `Adapter`, `load` finds it by the name of its module."""

from __future__ import annotations

from typing import Any

from ...errors import ArgumentError, ArgumentTypeError
from .adapter import Adapter
from .guessing import FRAMEWORKS, framework_of
from .importing import imported
from .pairs import PairAdapter
from .recording import KINDS


def adapt(
    function: Any, backward: Any = None, *, framework: str | None = None, device: str = "cpu", module: Any = None
) -> Adapter:
    """Return an Adapter of a function, of an object with ``forward`` and ``backward``, or of what is one already.

    Parameters
    ----------
    function : callable, Function, object with forward and backward, or Adapter
        Called as ``function(*arrays, **options)``. A ``Function`` of rawseg or PyTorch is called through its ``apply``.
    backward : callable, optional
        Of a function on NumPy's or CuPy's arrays: ``backward(grad_output, *arrays, **options)`` returns a tuple with a gradient
        for each array, None where there is none; of a single array the gradient alone will do. ``grad_output`` is a tuple where
        there are several floating outputs.
    framework : str, optional
        Whose arrays it takes: "rawseg", "torch", "numpy" or "cupy". Unless given, that of the module in which it was defined:
        "rawseg" and "torch" are known, everything else is "numpy".
    device : str
        Where functions of rawseg and PyTorch compute.
    module : module, optional
        With "cupy": what has ``asarray`` and ``asnumpy``, in CuPy's place.

    Returns
    -------
    Adapter
        With ``values``, ``gradients`` and ``second``, which take and return NumPy arrays.

    Raises
    ------
    ArgumentError, ArgumentTypeError
        If the framework is unknown or brings gradients of its own beside ``backward``, or nothing here can be called.
    BackendError
        If CuPy or PyTorch is asked for and missing.

    Examples
    --------
    >>> import numpy as np
    >>> square = adapt(lambda x: x * x, lambda grad_output, x: 2 * x * grad_output)
    >>> square.gradients([np.array([3.0])], {}, [True], [np.array([1.0])])
    [array([6.])]
    """
    if isinstance(function, Adapter):
        return function
    guessed = framework is None and backward is None and not _is_pair(function)
    framework = framework or ("numpy" if backward is not None else framework_of(function))
    if framework not in FRAMEWORKS:
        raise ArgumentError("adapt", "framework", f"one of {FRAMEWORKS}", repr(framework))
    if framework in KINDS:
        if backward is not None:
            raise ArgumentError("adapt", "backward", f"None: {framework} finds gradients itself", repr(backward))
        return KINDS[framework](_callable("function", function), device)
    if backward is None and _is_pair(function):
        function, backward = function.forward, function.backward
    backward = None if backward is None else _callable("backward", backward)
    adapter = PairAdapter(_callable("function", function), backward, framework, module)
    adapter.guessed = guessed
    return adapter


def load(text: str, framework: str | None = None, device: str = "cpu") -> Adapter:
    """Return an Adapter of a function by its name, with the gradient that stands beside it.

    Parameters
    ----------
    text : str
        "package.module:name"; the current folder is looked into as ``python -m`` does, and ``name`` may have dots. The gradient
        of a function on arrays is ``name.backward`` or ``name_backward``.
    framework, device
        As in `adapt`.

    Raises
    ------
    ArgumentError
        If the text has another form, or there is no such module or name.

    Examples
    --------
    >>> load("rawseg.functional:relu").framework
    'rawseg'
    """
    holder, name = imported(text)
    function = getattr(holder, name)
    if isinstance(function, type) and hasattr(function, "forward") and not _is_pair(function):
        expected = "a function or a layer (make one, layer = ReLU(), and name it)"
        raise ArgumentError("load", "text", expected, f"{text!r}, the class of a layer")
    if (framework or framework_of(function)) in KINDS or _is_pair(function):
        return adapt(function, framework=framework, device=device)
    backward = getattr(function, "backward", None) or getattr(holder, f"{name}_backward", None)
    return adapt(function, backward, framework=framework, device=device)


def _is_pair(function: Any) -> bool:
    return hasattr(function, "forward") and hasattr(function, "backward")


def _callable(argument: str, function: Any) -> Any:
    if not callable(function):
        raise ArgumentTypeError("adapt", argument, "something to call", type(function).__name__)
    return function
