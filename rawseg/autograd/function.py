"""Function: an operation on arrays with a written derivative; Node: one recorded application of it."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from ..device import array_module
from ..errors import GraphError
from . import late
from .deferred import Deferred
from .grad_mode import modes
from .operands import is_floating

if TYPE_CHECKING:
    from .tensor import Tensor

_creation_order = count()
NOT_FREED = "a graph that was not freed by an earlier backward (pass retain_graph=True there)"


class Node:
    """One recorded application of a Function.

    ``order`` grows with every application, so a node's inputs always have lower numbers: walking the numbers downwards *is* a
    topological order, and backward needs neither recursion nor a sort.
    """

    __slots__ = ("ctx", "edges", "function", "hooks", "order", "outputs")

    def __init__(self, function: type[Function], ctx: Context, edges: list, outputs: list) -> None:
        self.function, self.ctx = function, ctx
        self.edges = edges  # per input: None, a leaf Tensor, or (Node, output slot)
        self.outputs = outputs  # per output: (shape, dtype, device), to check and to fill in gradients
        self.order = next(_creation_order)
        self.hooks: dict[int, dict[int, Any]] | None = None  # slot -> {handle: function}

    def __repr__(self) -> str:
        return f"<{self.function.__name__}>"


class Context:
    """What forward leaves for backward.

    Attributes
    ----------
    needs_grad : tuple of bool
        For each input of forward, whether its gradient is wanted: backward may return None for the others.
    saved : tuple of Tensor or None
        What forward saved, as Tensors: an input or an output of this application comes back connected to the graph, so that
        backward can be differentiated itself.
    """

    def __init__(self, needs_grad: tuple[bool, ...]) -> None:
        self.needs_grad = needs_grad
        self._arrays: tuple = ()
        self._records: list | None = []
        self._node: Node | None = None  # set by the engine while backward runs; a lasting link would be a reference cycle

    def save(self, *arrays: Any) -> None:
        """Keep arrays for backward: inputs, outputs or intermediate results of this forward."""
        self._arrays = arrays

    def _resolve(self, function: type[Function], inputs: tuple, given: list, outputs: tuple, results: tuple) -> None:
        """Tell which saved arrays are inputs, ``given`` to forward, or outputs, and note the versions that they have now."""
        records = []
        for array in self._arrays:
            for tensor, seen in zip(inputs, given):
                if seen is not None and seen is array:
                    tensor._version[1] = True
                    records.append((function, tensor, None, tensor._version[0]))
                    break
            else:
                slot = next((i for i, out in enumerate(outputs) if out is array), None)
                if slot is None:
                    records.append((function, array, None, None))
                else:  # not the output Tensor itself: output -> node -> context -> output would be a reference cycle
                    results[slot]._version[1] = True
                    records.append((function, results[slot].array, slot, results[slot]._version))
        self._arrays, self._records = (), records

    @property
    def saved(self) -> tuple:
        """The saved arrays as Tensors."""
        if self._records is None:
            raise GraphError("backward", "graph", NOT_FREED, "freed")
        return tuple(self._restore(*record) for record in self._records)

    def _restore(self, function: type[Function], kept: Any, slot: int | None, version: Any) -> Any:
        if kept is None:
            return None
        if isinstance(kept, late.Tensor):
            _check_version(function, version, kept._version[0])
            return kept
        tensor = late.Tensor(kept)
        if slot is not None and version is not None:
            _check_version(function, 0, version[0])
            tensor._version = version
            if self._node is not None and is_floating(kept):
                tensor._connect(self._node, slot)
        return tensor

    def free(self) -> None:
        """Drop what was saved."""
        self._records = None

    @property
    def freed(self) -> bool:
        """Whether backward has dropped what was saved."""
        return self._records is None


def _check_version(function: type[Function], saved: int, now: int) -> None:
    if saved != now:
        raise GraphError(
            function.name(), "saved array", f"version {saved}, as forward saw it", f"version {now}: it was changed in place"
        )


class Function:
    """An operation with a derivative. Subclass it with two static methods and call ``apply``.

    ``forward(ctx, *arrays, **options)`` sees NumPy or CuPy arrays (or None) and returns an array or a tuple of arrays.
    ``backward(ctx, *grad_outputs)`` sees Tensors and returns one gradient (or None) per input; written with differentiable
    operations it has derivatives of every order. A Function whose backward is not differentiable sets ``second_order = False``
    and a backward with ``create_graph=True`` then says so.

    Examples
    --------
    >>> import rawseg
    >>> class Cube(rawseg.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save(x)
    ...         return x**3
    ...     @staticmethod
    ...     def backward(ctx, grad_output):
    ...         (x,) = ctx.saved
    ...         return 3 * x * x * grad_output
    >>> x = rawseg.tensor([2.0], requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor([12.])
    """

    second_order = True
    takes_deferred = False  # forward may see a `deferred.Deferred` in an array's place
    anywhere = False  # forward may see arrays of another GPU than the current one
    is_view = False  # the output may share memory with the first input, and then shares its version counter

    @staticmethod
    def forward(ctx: Context, *arrays: Any, **options: Any) -> Any:
        """Compute the output arrays."""
        raise TypeError("a Function needs a static method forward(ctx, *arrays, **options)")

    @staticmethod
    def backward(ctx: Context, *grad_outputs: Any) -> Any:
        """Compute the gradients of the inputs from those of the outputs."""
        raise TypeError("a Function needs a static method backward(ctx, *grad_outputs)")

    @classmethod
    def name(cls) -> str:
        """Return the operation's name in error messages."""
        return cls.__name__

    @classmethod
    def apply(cls, *inputs: Tensor | None, **options: Any) -> Any:
        """Run forward on the Tensors' arrays and, where a gradient may be asked for, record a node."""
        recorder, anomaly = modes.recorder, modes.anomaly
        recording = modes.grad and recorder is None
        needs = tuple([recording and t is not None and t._requires_grad for t in inputs])
        ctx = Context(needs)
        given = _arrays_of(inputs, cls.takes_deferred, cls.anywhere, True in needs)
        with np.errstate(all="ignore"):  # inf and NaN follow IEEE rules and are answers; detect_anomaly finds them
            out = cls.forward(ctx, *given, **options)
        arrays = out if isinstance(out, tuple) else (out,)
        results = tuple([late.Tensor(array) for array in arrays])
        if anomaly:
            check_finite(cls.name(), "out", tuple(t.array for t in results))
        if cls.is_view and inputs[0] is not None and _share_memory(results[0].array, inputs[0].array):
            results[0]._version = inputs[0]._version
        if True in needs:
            cls._record(ctx, inputs, given, arrays, results)
        if recorder is not None:
            recorder.applied(cls, inputs, options, results)
        return results if isinstance(out, tuple) else results[0]

    @classmethod
    def _record(cls, ctx: Context, inputs: tuple, given: list, arrays: tuple, results: tuple) -> None:
        """Connect the results to a new node of the graph."""
        edges = [_edge(t) if need else None for t, need in zip(inputs, ctx.needs_grad)]
        node = Node(cls, ctx, edges, [(t.shape, t.dtype, t.device) for t in results])
        ctx._resolve(cls, inputs, given, arrays, results)
        for slot, result in enumerate(results):
            if is_floating(result):
                result._connect(node, slot)


def _arrays_of(inputs: tuple, deferred: bool, anywhere: bool, recording: bool) -> list:
    """Return the inputs' arrays; of two Tensors on one array object the second gives a view, to tell what forward saves."""
    given = []
    for tensor in inputs:
        array = None
        if tensor is not None:
            array = tensor._array
            if type(array) is not np.ndarray and not (deferred and _waits(array)):
                array = tensor.anywhere if anywhere else tensor.array
        given.append(array)
    if recording:
        owners: dict[int, Tensor] = {}
        for i, tensor in enumerate(inputs):
            if tensor is not None and owners.setdefault(id(given[i]), tensor) is not tensor:
                given[i] = given[i].view()
    return given


def _waits(array: Any) -> bool:
    return isinstance(array, Deferred) and not array.settled


def _share_memory(a: Any, b: Any) -> bool:
    return array_module(a).may_share_memory(a, b)


def _edge(tensor: Tensor) -> Any:
    return tensor if tensor._node is None else (tensor._node, tensor._slot)


def check_finite(op: str, what: str, arrays: tuple) -> None:
    """Raise a GraphError if a floating array holds inf or NaN."""
    for array in arrays:
        if array is not None and is_floating(array) and not array_module(array).isfinite(array).all():
            raise GraphError(op, what, "finite values (anomaly detection is on)", "inf or NaN")
