"""Tensor: an array that remembers how it was computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from rawseg_kernels._arrays import FLOATING, check_current, filled

from ..device import array_module, device_of
from ..errors import ArgumentTypeError, DTypeError, GraphError, ShapeError
from . import late
from .deferred import Deferred
from .elementwise import Move
from .function import Node
from .hooks import KeepGradient, RemovableHandle
from .in_place import InPlace
from .methods import Methods
from .operands import DEFAULT_DTYPE, has_numbers, is_dtype
from .operators import Operators

__all__ = ["Tensor"]

USUAL = (*FLOATING, np.dtype(np.int64), np.dtype(np.bool_))  # dtypes of most arrays, which a Tensor may have


class Tensor(Operators, InPlace, Methods):
    """A NumPy or CuPy array with a gradient.

    Made by `rawseg.tensor` and by operations; the constructor wraps an array without copying it.

    Parameters
    ----------
    array : ndarray
        A NumPy or CuPy array of bools, integers or floats; only float32 and float64 can require a gradient.
    requires_grad : bool
        Record what is computed from it.

    Attributes
    ----------
    array : ndarray
        The array itself. Writing to it goes unnoticed by the graph: use ``copy_``, ``add_`` or item assignment.
    grad : Tensor or None
        The gradient that `backward` has accumulated, for a leaf.
    """

    __slots__ = ("__weakref__", "_array", "_leaf_hooks", "_node", "_requires_grad", "_slot", "_version", "grad")

    def __init__(self, array: Any, requires_grad: bool = False) -> None:
        usual = type(array) is np.ndarray and array.dtype in USUAL  # soon told: an operation makes several
        self._array = array if usual else _checked(array)
        self.grad: Tensor | None = None
        self._node: Node | None = None
        self._slot = 0
        self._version = [0, False]  # of the memory, so shared with views: changes in place, and whether a graph has saved it
        self._leaf_hooks: dict[int, Callable] | None = None
        self._requires_grad = False
        if requires_grad:
            self.requires_grad = True

    # what it is

    @property
    def array(self) -> Any:
        """The array; one that waited for the next operation (`rawseg.autograd.deferred`) is computed now.

        Raises
        ------
        DeviceError
            If it is on another GPU than the current one, where CuPy would compute: see `rawseg.cuda.set_device`.
        """
        array = self._array
        if type(array) is not np.ndarray:
            array = self.anywhere
            if not isinstance(array, np.ndarray):
                check_current("Tensor", "array", array)
        return array

    @array.setter
    def array(self, array: Any) -> None:
        self._array = array

    @property
    def anywhere(self) -> Any:
        """The array, to be moved or looked at: it may be on another GPU than the current one."""
        if isinstance(self._array, Deferred):
            self._array = self._array.settle()
        return self._array

    def deferred(self, kind: type) -> Any:
        """Return what the array waits as, if it is of this kind and not computed yet; else None."""
        waiting: Any = self._array
        return waiting if isinstance(waiting, kind) and not waiting.settled else None

    @property
    def shape(self) -> tuple[int, ...]:
        """The sizes of the axes."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self._array.size

    def numel(self) -> int:
        """Return the number of elements."""
        return self._array.size

    def dim(self) -> int:
        """Return the number of axes."""
        return self._array.ndim

    @property
    def dtype(self) -> np.dtype:
        """The NumPy dtype."""
        return self._array.dtype

    @property
    def device(self) -> str:
        """``"cpu"`` or ``"cuda:N"``."""
        array = self._array
        return "cpu" if type(array) is np.ndarray else device_of(array) or "cpu"  # only what the CPU computes is deferred

    @property
    def _meta(self) -> tuple[tuple[int, ...], np.dtype, str]:
        """Shape, dtype and device: what a gradient has in common with its array."""
        array = self._array
        return array.shape, array.dtype, "cpu" if type(array) is np.ndarray else self.device

    @property
    def is_leaf(self) -> bool:
        """Whether it was made by the user rather than by a recorded operation."""
        return self._node is None

    @property
    def requires_grad(self) -> bool:
        """Whether what is computed from it is recorded; settable on leaves."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if not value and self._node is not None:
            raise GraphError("requires_grad", "tensor", "a leaf (use detach() on a computed Tensor)", "a computed Tensor")
        if value and self.dtype not in (np.float32, np.float64):
            raise DTypeError("requires_grad", "tensor", "float32 or float64", self.dtype)
        self._requires_grad = bool(value)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set ``requires_grad`` and return the Tensor."""
        self.requires_grad = requires_grad
        return self

    def _connect(self, node: Node, slot: int) -> None:
        """Become output ``slot`` of a recorded operation."""
        self._node, self._slot, self._requires_grad = node, slot, True

    # out of the graph

    def numpy(self) -> np.ndarray:
        """Return the elements as a NumPy array that shares memory; read-only if a graph depends on it."""
        array = self.anywhere if isinstance(self.anywhere, np.ndarray) else self.anywhere.get()
        view = array.view()
        view.flags.writeable = array.flags.writeable and not (self._requires_grad or self._version[1])
        return view

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __dlpack__(self, **options: Any) -> Any:
        """Hand over the memory as NumPy or CuPy does, which orders its stream and the one that is asked for."""
        if self._requires_grad:
            raise GraphError("dlpack", "tensor", "one without a graph (use detach())", "requires_grad=True")
        return self.anywhere.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.anywhere.__dlpack_device__()

    def item(self) -> Any:
        """Return the only element as a Python number.

        Raises
        ------
        ShapeError
            If there is not exactly one.
        """
        if self.size != 1:
            raise ShapeError("item", "tensor", "exactly one element", f"shape {self.shape}")
        return self.anywhere.item()

    def tolist(self) -> Any:
        """Return nested lists of Python numbers."""
        return self.numpy().tolist()

    def detach(self) -> Tensor:
        """Return a Tensor on the same memory without the graph."""
        twin = Tensor(self.anywhere)
        twin._version = self._version
        return twin

    def to(self, device: Any) -> Tensor:
        """Return it on ``"cpu"``, ``"cuda"`` or ``"cuda:N"``, or in the dtype that is given in a device's place."""
        if is_dtype(device):
            return self.astype(device)
        return self if device == self.device else Move.apply(self, device=device)

    def cpu(self) -> Tensor:
        """Return it on the CPU."""
        return self.to("cpu")

    def cuda(self) -> Tensor:
        """Return it on the current GPU."""
        return self.to("cuda")

    # backwards

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Tensor | Sequence[Tensor] | None = None,
    ) -> None:
        """Add this Tensor's gradient to ``.grad`` of the leaves; see `rawseg.autograd.backward`."""
        late.backward(self, None if gradient is None else [gradient], retain_graph, create_graph, inputs)

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Call ``hook(gradient)`` when the gradient is complete; a Tensor that it returns replaces the gradient.

        Returns
        -------
        RemovableHandle
            ``handle.remove()`` removes the hook.
        """
        if not self._requires_grad:
            raise GraphError("register_hook", "tensor", "one with requires_grad=True", "one without")
        if self._node is None:
            self._leaf_hooks = hooks = self._leaf_hooks or {}
        else:
            self._node.hooks = self._node.hooks or {}
            hooks = self._node.hooks.setdefault(self._slot, {})
        return RemovableHandle(hooks, hook)

    def retain_grad(self) -> None:
        """Let a computed Tensor keep its gradient in ``.grad``, as leaves do anyway; a second call changes nothing."""
        if self._node is None:
            return
        hooks = (self._node.hooks or {}).get(self._slot, {})
        if not any(isinstance(hook, KeepGradient) for hook in hooks.values()):
            self.register_hook(KeepGradient(self))

    # new ones like it

    def zeros_like(self) -> Tensor:
        """Return zeros of this shape, dtype and device."""
        return Tensor(array_module(self.array).zeros(self.shape, self.dtype))

    def ones_like(self) -> Tensor:
        """Return ones of this shape, dtype and device."""
        return Tensor(filled(self.array, self.shape, 1))

    # Python's protocols

    def __reduce_ex__(self, protocol: Any) -> Any:
        if self._node is not None:
            raise GraphError("copy", "tensor", "a leaf (use clone() or detach())", "a computed Tensor")
        return super().__reduce_ex__(protocol)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise ArgumentTypeError("len", "tensor", "at least one axis", "a 0-d Tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self.dtype.kind not in "iu":
            raise ArgumentTypeError("index", "tensor", "an integer dtype", self.dtype)
        return int(self.item())

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec else str(self)

    def __repr__(self) -> str:
        array = self.anywhere if isinstance(self.anywhere, np.ndarray) else self.anywhere.get()
        text = np.array2string(array, separator=", ", prefix="tensor(", threshold=100, precision=4)
        notes = [] if self.dtype in (DEFAULT_DTYPE, np.int64, np.bool_) else [f"dtype={self.dtype}"]
        if self.device != "cpu":
            notes.append(f"device={self.device!r}")
        if self._node is not None:
            notes.append(f"grad_fn={self._node!r}")
        elif self._requires_grad:
            notes.append("requires_grad=True")
        return f"tensor({', '.join([text, *notes])})"


def _checked(array: Any) -> Any:
    """Return what a Tensor may hold: an array of numbers, or one that is not computed yet."""
    if isinstance(array, np.generic):
        array = np.asarray(array)
    if not (isinstance(array, (np.ndarray, Deferred)) or device_of(array)):
        raise ArgumentTypeError("Tensor", "array", "a NumPy or CuPy array", type(array).__name__)
    if not has_numbers(array.dtype):
        raise DTypeError("Tensor", "array", "bools, integers or floats", array.dtype)
    return array


late.Tensor = Tensor
