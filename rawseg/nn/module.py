"""Module: the base class of layers and models, with torch.nn.Module's names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy as np

from ..autograd import Tensor
from ..autograd.deferred import deferring
from ..autograd.operands import dtype_of, is_dtype
from ..device import move
from ..errors import ArgumentTypeError
from . import state
from .hooks import RemovableHandle, call_with_backward_hooks
from .tree import Tree

__all__ = ["Module"]


class Module(Tree):
    """Base class of everything with parameters.

    A subclass calls ``super().__init__()``, sets parameters, buffers and other modules as attributes, and writes ``forward``.

    Attributes
    ----------
    training : bool
        Whether layers such as dropout and batch normalisation behave as in training; set by `train` and `eval`.

    Examples
    --------
    >>> import rawseg
    >>> from rawseg import nn
    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.scale = nn.Parameter(rawseg.full((), 2.0))
    ...     def forward(self, x):
    ...         return x * self.scale
    >>> [name for name, _ in Twice().named_parameters()]
    ['scale']
    """

    training: bool

    def __init__(self) -> None:
        super().__init__()
        self.training = True
        self._pre_hooks: dict[int, Callable] = {}
        self._forward_hooks: dict[int, Callable] = {}
        self._backward_hooks: dict[int, Callable] = {}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; call the module itself, not this, so that hooks run."""
        raise TypeError(f"{type(self).__name__} needs a method forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._pre_hooks:
            for hook in tuple(self._pre_hooks.values()):
                answer = hook(self, args)
                if answer is not None:
                    args = answer if isinstance(answer, tuple) else (answer,)
        with deferring():
            return self._call(args, kwargs)

    def _call(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        if self._backward_hooks:
            out = call_with_backward_hooks(self, self._backward_hooks, args, lambda *gated: self.forward(*gated, **kwargs))
        else:
            out = self.forward(*args, **kwargs)
        if self._forward_hooks:
            for hook in tuple(self._forward_hooks.values()):
                answer = hook(self, args, out)
                out = out if answer is None else answer
        return out

    # modes, places, gradients

    def train(self, mode: bool = True) -> Self:
        """Set ``training`` here and below."""
        if not isinstance(mode, bool):
            raise ArgumentTypeError("train", "mode", "a bool", repr(mode))
        for module in self.modules():
            if module.training is not mode:  # most of the time of an attribute is that of setting it
                module.training = mode
        return self

    def eval(self) -> Self:
        """Set ``training`` to False here and below."""
        return self.train(False)

    def apply(self, fn: Callable[[Module], Any]) -> Self:
        """Call a function on every module, children before their parents."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze or unfreeze every parameter."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget every gradient, or with ``set_to_none=False`` fill them with zeros."""
        for parameter in self.parameters():
            parameter.grad = None if set_to_none or parameter.grad is None else parameter.grad.zeros_like()

    def to(self, device: Any = None, dtype: Any = None) -> Self:
        """Move parameters, buffers and gradients to a device, or floating ones to a dtype; the module itself changes."""
        if is_dtype(device):
            device, dtype = None, device
        dtype = None if dtype is None else dtype_of("to", "dtype", dtype)
        converted: dict[int, Any] = {}  # everything first: a device without memory must leave the module as it was
        tensors = [*self.parameters(), *self.buffers()]
        tensors += [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        for tensor in tensors:
            array = tensor.anywhere if dtype is None or tensor.dtype.kind != "f" else tensor.array.astype(dtype, copy=False)
            converted[id(tensor)] = array if device is None else move(array, device)
        for tensor in tensors:
            if converted[id(tensor)] is not tensor.anywhere:
                tensor.array = converted[id(tensor)]
                tensor._version[0] += 1
        return self

    def float(self) -> Self:
        """Make floating parameters and buffers float32."""
        return self.to(dtype=np.float32)

    def double(self) -> Self:
        """Make floating parameters and buffers float64."""
        return self.to(dtype=np.float64)

    # weights

    def state_dict(self, prefix: str = "") -> dict[str, Tensor]:
        """Return parameters and persistent buffers by dotted name, detached; they share memory with the module."""
        return {name: tensor.detach() for name, tensor in state.saved_tensors(self, prefix)}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> state.IncompatibleKeys:
        """Overwrite parameters and buffers.

        Parameters
        ----------
        state_dict : mapping of str to Tensor or ndarray
            As from `state_dict`; anything with DLPack will do, so that of a PyTorch module loads as it is.
        strict : bool
            Refuse missing and unexpected keys; otherwise they are only returned.

        Returns
        -------
        IncompatibleKeys
            The names ``missing_keys`` and ``unexpected_keys``.

        Raises
        ------
        CheckpointError
            With everything that does not fit, shapes and dtypes included; then nothing was written.
        """
        return state.load(self, state_dict, strict)

    # hooks

    def register_forward_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, args)`` before forward; what it returns, if anything, replaces the arguments."""
        return RemovableHandle(self._pre_hooks, hook)

    def register_forward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after forward; what it returns, if anything, replaces the output."""
        return RemovableHandle(self._forward_hooks, hook)

    def register_full_backward_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` in backward; what it returns, if anything, replaces ``grad_input``.

        Both are tuples, one entry for each positional argument or output, with None for what needs no gradient.
        """
        return RemovableHandle(self._backward_hooks, hook)

    # text

    def extra_repr(self) -> str:
        """Return what ``repr`` prints in the module's parentheses."""
        return ""

    def __repr__(self) -> str:
        children = [f"({name}): {module!r}".replace("\n", "\n  ") for name, module in self.named_children()]
        if not children:
            return f"{type(self).__name__}({self.extra_repr()})"
        lines = [*filter(None, [self.extra_repr()]), *children]
        return "\n  ".join([f"{type(self).__name__}(", *lines]) + "\n)"
