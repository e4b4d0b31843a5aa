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
    retained : bool
        While backward runs: whether what was saved is kept for another one. Else backward may `free` it before it returns.
    """

    retained = False
    _arrays: tuple = ()
    _records: list | tuple | None = ()
    _node: Node | None = None  # set by the engine while backward runs; a lasting link would be a reference cycle

    def __init__(self, needs_grad: tuple[bool, ...]) -> None:
        self.needs_grad = needs_grad

    def save(self, *arrays: Any) -> None:
        """Keep arrays for backward: inputs, outputs or intermediate results of this forward."""
        self._arrays = arrays

    def _resolve(self, function: type[Function], owners: dict[int, Tensor], outputs: tuple, results: tuple) -> None:
        """Tell which saved arrays are outputs, or inputs, those of ``owners``, and note the versions that they have now."""
        records = []
        for array in self._arrays:
            tensor = owners.get(id(array))
            if tensor is not None:
                tensor._version[1] = True
                records.append((function, tensor, None, tensor._version[0]))
            else:
                for slot, out in enumerate(outputs):
                    if out is array:  # not the output Tensor itself: output -> node -> context -> output would be a cycle
                        results[slot]._version[1] = True
                        records.append((function, results[slot].array, slot, results[slot]._version))
                        break
                else:
                    records.append((function, array, None, None))
        self._arrays, self._records = (), records

    @property
    def saved(self) -> tuple:
        """The saved arrays as Tensors."""
        if self._records is None:
            raise GraphError("backward", "graph", NOT_FREED, "freed")
        restored = []
        for record in self._records:
            restored.append(self._restore(*record))
        return tuple(restored)

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
    takes_none = False  # backward may see None for the gradient of an output that nothing depends on, in zeros' place
    compiled = False  # forward computes in kernels alone, whose infinities and NaN NumPy does not warn of
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
        may_record = recorder is None and modes.grad
        needs, given = [], []
        for tensor in inputs:  # a loop: Python 3.11 calls a function for every comprehension
            if tensor is None:
                needs.append(False)
                given.append(None)
                continue
            array = tensor._array
            needs.append(may_record and tensor._requires_grad)
            given.append(array if type(array) is np.ndarray else _array_of(tensor, cls.takes_deferred, cls.anywhere))
        recording = True in needs
        ctx = Context(tuple(needs))
        owners = _owners(inputs, given) if recording else {}
        if cls.compiled:
            out = cls.forward(ctx, *given, **options)
        else:
            with np.errstate(all="ignore"):  # inf and NaN follow IEEE rules and are answers; detect_anomaly finds them
                out = cls.forward(ctx, *given, **options)
        single = not isinstance(out, tuple)
        arrays = (out,) if single else out
        results = (late.Tensor(out),) if single else tuple(map(late.Tensor, arrays))
        if anomaly:
            check_finite(cls.name(), "out", tuple(t.array for t in results))
        if cls.is_view and inputs[0] is not None and _share_memory(results[0].array, inputs[0].array):
            results[0]._version = inputs[0]._version
        if recording:
            cls._record(ctx, inputs, owners, arrays, results)
        if recorder is not None:
            recorder.applied(cls, inputs, options, results)
        return results[0] if single else results

    @classmethod
    def _record(cls, ctx: Context, inputs: tuple, owners: dict[int, Tensor], arrays: tuple, results: tuple) -> None:
        """Connect the results to a new node of the graph."""
        edges: list[Any] = []
        for tensor, need in zip(inputs, ctx.needs_grad):
            edges.append(None if not need else tensor if tensor._node is None else (tensor._node, tensor._slot))
        outputs: list[tuple] = []
        node = Node(cls, ctx, edges, outputs)
        if ctx._arrays:
            ctx._resolve(cls, owners, arrays, results)
        for slot, result in enumerate(results):
            outputs.append(result._meta)
            if outputs[slot][1].kind == "f":
                result._connect(node, slot)


def _array_of(tensor: Tensor, deferred: bool, anywhere: bool) -> Any:
    if deferred and _waits(tensor._array):
        return tensor._array
    return tensor.anywhere if anywhere else tensor.array


def _owners(inputs: tuple, given: list) -> dict[int, Tensor]:
    """Return whose array is which, by its id; of two Tensors on one array the second gives a view, to tell them apart."""
    owners: dict[int, Tensor] = {}
    for i, tensor in enumerate(inputs):
        if tensor is not None and owners.setdefault(id(given[i]), tensor) is not tensor:
            given[i] = given[i].view()
            owners[id(given[i])] = tensor
    return owners


def _waits(array: Any) -> bool:
    return isinstance(array, Deferred) and not array.settled


def _share_memory(a: Any, b: Any) -> bool:
    return array_module(a).may_share_memory(a, b)


def check_finite(op: str, what: str, arrays: tuple) -> None:
    """Raise a GraphError if a floating array holds inf or NaN."""
    for array in arrays:
        if array is not None and is_floating(array) and not array_module(array).isfinite(array).all():
            raise GraphError(op, what, "finite values (anomaly detection is on)", "inf or NaN")
