"""Modules whose forward and backward pass are a CUDA graph each, and which are called as before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rawseg_kernels._arrays import integer

from ..autograd import Function, Tensor, grad, is_grad_enabled
from ..errors import ArgumentTypeError, GraphError, type_of
from ..nn import Module
from .fixed import Fixed
from .graphs import CUDAGraph, graph

__all__ = ["GraphedCallable", "make_graphed_callables"]

OP = "make_graphed_callables"


def make_graphed_callables(callables: Any, sample_args: Any, num_warmup_iters: int = 3) -> Any:
    """Return callables that replay CUDA graphs.

    Parameters
    ----------
    callables : Module, callable, or tuple of them
        Take Tensors and return one, or a tuple of them. Only a Module's parameters get gradients.
    sample_args : tuple of Tensor, or a tuple of such tuples
        Arguments on a GPU for each, of the shapes, dtypes and ``requires_grad`` of all later calls.
    num_warmup_iters : int
        Calls before the capture, which compile kernels and bring tables to the GPU. They leave weights, buffers and rawseg's
        random numbers as they were.

    Returns
    -------
    GraphedCallable, or a tuple of them
        Called, and differentiated, as the originals; captured under `no_grad`, for calls under `no_grad`.

    Raises
    ------
    BackendError
        If an operation cannot be captured; see `rawseg.cuda.graph`.
    DeviceError, ArgumentTypeError
        If a sample is not a Tensor on a GPU.

    Notes
    -----
    As ``torch.cuda.make_graphed_callables``, which patches modules in place and hands out its own arrays; here the module stays
    as it is, and outputs and gradients are copies, which no later call overwrites.
    """
    warmups = integer(OP, "num_warmup_iters", num_warmup_iters, 1)
    if not isinstance(callables, tuple):
        return GraphedCallable(callables, sample_args, warmups)
    return tuple(GraphedCallable(one, samples, warmups) for one, samples in zip(callables, sample_args, strict=True))


class GraphedCallable:
    """A callable as two CUDA graphs, forward and backward; made by `make_graphed_callables`.

    Calling it raises a GraphError, ShapeError or DTypeError if the call is not the captured one with other values.
    Backward is for the last call, and once: its arrays may lie where intermediate results did. A second one is a GraphError.
    """

    def __init__(self, function: Callable[..., Any], sample_args: Sequence[Tensor], warmups: int) -> None:
        if not isinstance(sample_args, (tuple, list)):
            raise ArgumentTypeError(OP, "sample_args", "a tuple of Tensors", type_of(sample_args))
        modules = [function] if isinstance(function, Module) else []
        self.fixed, self.function = Fixed(OP, modules, sample_args), function
        self.turn, self.spent = 0, False
        self.wanted = [tensor for tensor in (*self.fixed.inputs, *self.fixed.parameters) if tensor.requires_grad]
        self._forward, self._backward = CUDAGraph(), CUDAGraph()
        with self.fixed.unchanged():
            with self.fixed.place.entered():
                for _ in range(warmups):
                    self._differentiated([out.ones_like() for out in self._computed()])
            with graph(self._forward, self.fixed.place):
                outputs = self._computed()
            roots = [out for out in outputs if out.requires_grad]
            self._grad_outputs = [out.detach().clone() for out in outputs]
            self._grads: list[Tensor | None] = []
            if roots:
                with graph(self._backward, self.fixed.place):
                    self._grads = self._differentiated(self._grad_outputs, outputs)
        self._last = []
        self._outputs = [(out.array, out.requires_grad) for out in outputs]

    def _computed(self) -> list[Tensor]:
        """Call the function on the fixed inputs."""
        out = self.function(*self.fixed.inputs)
        self._single = isinstance(out, Tensor)
        outputs = [out] if self._single else list(out) if isinstance(out, (tuple, list)) else [out]
        for one in outputs:
            if not isinstance(one, Tensor):
                raise ArgumentTypeError(OP, "output", "a Tensor or a tuple of Tensors", type_of(one))
        self._last = outputs
        return outputs

    def _differentiated(self, grad_outputs: list[Tensor], outputs: list[Tensor] | None = None) -> list[Tensor | None]:
        """Return the gradients of what is wanted."""
        pairs = [(out, g) for out, g in zip(outputs or self._last, grad_outputs) if out.requires_grad]
        self._last = []
        if not pairs or not self.wanted:
            return []
        return list(grad([out for out, _ in pairs], self.wanted, [g for _, g in pairs], allow_unused=True))

    def __call__(self, *args: Tensor) -> Any:
        """Replay with these arguments."""
        self.fixed.check(args)
        if not self._grads and is_grad_enabled() and any(t.requires_grad for t in (*args, *self.fixed.parameters)):
            raise GraphError(OP, "grad mode", "a call under no_grad(), as captured", "one that wants gradients")
        outputs = Replay.apply(*args, *self.fixed.parameters, graphed=self)
        outputs = [out if wanted else out.detach() for out, (_, wanted) in zip(outputs, self._outputs)]
        return outputs[0] if self._single else tuple(outputs)

    def forward(self, arrays: Sequence[Any]) -> tuple[tuple[Any, ...], int]:
        """Replay on arrays; return the outputs, and which replay it was."""
        self.turn, self.spent = self.turn + 1, False
        self.fixed.fill([Tensor(array) for array in arrays[: len(self.fixed.inputs)]])
        self._forward.replay()
        with self.fixed.place.device:
            return tuple(array.copy() for array, _ in self._outputs), self.turn

    def backward(self, grad_outputs: Sequence[Tensor], turn: int) -> list[Tensor | None]:
        """Replay the backward pass of the last forward pass, once; return a gradient for each of the inputs and parameters."""
        if turn != self.turn or self.spent:
            got = "an earlier one's" if turn != self.turn else "its second one: the first has written to them"
            raise GraphError(OP, "backward", "that of the last call, whose intermediate results are there", got)
        self.spent = True
        with self.fixed.place.device:
            for static, given in zip(self._grad_outputs, grad_outputs):
                static.array[...] = given.array
            self._backward.replay()
            found = {id(tensor): g for tensor, g in zip(self.wanted, self._grads)}
            everything = (*self.fixed.inputs, *self.fixed.parameters)
            return [None if (g := found.get(id(tensor))) is None else Tensor(g.array.copy()) for tensor in everything]


class Replay(Function):
    """A replay with a place in the autograd graph."""

    second_order = False

    @staticmethod
    def forward(ctx, *arrays, graphed):
        out, turn = graphed.forward(arrays)
        ctx.graphed, ctx.turn = graphed, turn
        ctx.save(*arrays)  # backward must see the weights that forward saw
        return out

    @staticmethod
    def backward(ctx: Any, *grad_outputs):
        _ = ctx.saved  # raises if one was changed in place
        gradients = ctx.graphed.backward(grad_outputs, ctx.turn)
        return tuple(g if need else None for g, need in zip(gradients, ctx.needs_grad, strict=True))
