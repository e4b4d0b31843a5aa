"""A training step up to the gradients as one CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rawseg_kernels._arrays import integer

from ..autograd import Tensor, enable_grad, grad
from ..errors import ArgumentTypeError, GraphError, ShapeError, type_of
from ..nn import Module
from .fixed import Fixed
from .graphs import CUDAGraph, graph

__all__ = ["GraphedStep"]

OP = "GraphedStep"


class GraphedStep:
    """Forward pass, loss and backward pass, launched as one; the optimizer stays outside.

    Parameters
    ----------
    module : Module
        A network on a GPU, in the mode in which it will be trained.
    criterion : callable
        ``(output, *targets) -> scalar Tensor``.
    images, *targets : Tensor
        Samples of the shapes and dtypes of all batches.
    num_warmup_iters : int
        Steps before the capture; weights, buffers, gradients and random numbers are left as they were.

    Raises
    ------
    BackendError
        If an operation cannot be captured; see `rawseg.cuda.graph`.

    Notes
    -----
    Calling it returns the loss, and sets ``.grad`` of every parameter to its gradient: nothing is added to what was there, and
    the next call overwrites it. An optimizer's step depends on numbers of the host (its count, its learning rate), so it is not
    captured.

    Examples
    --------
    ::

        step = rawseg.cuda.GraphedStep(net, F.cross_entropy, images, masks)
        for images, masks in batches:
            loss = step(images, masks)
            optimizer.step()
    """

    def __init__(
        self,
        module: Module,
        criterion: Callable[..., Tensor],
        images: Tensor,
        *targets: Tensor,
        num_warmup_iters: int = 3,
    ) -> None:
        if not isinstance(module, Module):
            raise ArgumentTypeError(OP, "module", "a Module", type_of(module))
        warmups = integer(OP, "num_warmup_iters", num_warmup_iters, 1)
        self.fixed = Fixed(OP, [module], (images, *targets))
        self.module, self.criterion, self._graph = module, criterion, CUDAGraph()
        self._trained = [parameter for parameter in self.fixed.parameters if parameter.requires_grad]
        with self.fixed.unchanged(), enable_grad():
            with self.fixed.place.entered():
                for _ in range(warmups):
                    self._computed()
            with graph(self._graph, self.fixed.place):
                self._loss, self._grads = self._computed()

    def _computed(self) -> tuple[Any, list[Tensor | None]]:
        first, *others = self.fixed.inputs
        loss = self.criterion(self.module(first), *others)
        if not isinstance(loss, Tensor):
            raise ArgumentTypeError(OP, "criterion", "one that returns a Tensor", type_of(loss))
        if loss.size != 1:
            raise ShapeError(OP, "loss", "one number", f"shape {loss.shape}")
        if not loss.requires_grad:
            raise GraphError(OP, "loss", "one that depends on a parameter", "one that does not")
        return loss.array, list(grad(loss, self._trained, allow_unused=True))

    def __call__(self, images: Tensor, *targets: Tensor) -> Tensor:
        """Return a batch's loss, and leave its gradients in ``.grad``."""
        self.fixed.check((images, *targets))
        self.fixed.fill((images, *targets))
        self._graph.replay()
        for parameter, gradient in zip(self._trained, self._grads):
            parameter.grad = gradient
        with self.fixed.place.device:
            return Tensor(self._loss.copy())
