"""Stochastic gradient descent with momentum (Sutskever et al. 2013, in torch's form)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..autograd.tensor import Tensor
from ..device import array_module
from ..errors import ArgumentError
from .blocks import blocks, direction, one_pass
from .optimizer import Group, Optimizer, State, check_number


class SGD(Optimizer):
    """Stochastic gradient descent, as torch.optim.SGD.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to update.
    lr : float
        Learning rate, at least 0.
    momentum : float
        At least 0; 0 keeps no buffer.
    dampening : float
        In [0, 1]; how little of the gradient enters the buffer.
    weight_decay : float
        At least 0; the factor of the L2 penalty's gradient.
    nesterov : bool
        Look ahead; needs momentum and no dampening.
    maximize : bool
        Climb instead.

    Notes
    -----
    With the gradient g (negated to climb) and the slot b = ``momentum_buffer``::

        g <- g + weight_decay x
        b <- momentum b + (1 - dampening) g        (b <- g in the first step)
        x <- x - lr b                              (x - lr (g + momentum b) with nesterov)
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        """Raise if an option of a group is outside its domain."""
        for option in ("lr", "momentum", "dampening", "weight_decay"):
            check_number(self.name, option, group[option])
        if group["nesterov"] and (group["momentum"] == 0 or group["dampening"] != 0):
            got = f"momentum={group['momentum']}, dampening={group['dampening']}"
            raise ArgumentError(self.name, "nesterov", "momentum above 0 and no dampening", got)

    def slots(self, group: Group) -> tuple[str, ...]:
        """Return the names of the arrays that the rule keeps for each parameter of a group."""
        return ("momentum_buffer",) if group["momentum"] else ()

    def update(self, group: Group, state: State, x: Any, gradient: Any, fresh: bool) -> None:
        """Write one step into the array ``x`` and its momentum buffer."""
        lr, decay, momentum = float(group["lr"]), float(group["weight_decay"]), float(group["momentum"])
        share = 1.0 if fresh else 1 - float(group["dampening"])
        kept = [state["momentum_buffer"]] if momentum else []
        if compiled := one_pass(x, gradient, *kept):
            buffer = kept[0] if kept else None
            compiled.sgd(x, gradient, buffer, lr, momentum, share, decay, group["nesterov"], group["maximize"])
            return
        xp = array_module(x)
        for x_block, gradient_block, *buffers, scratch, more in blocks(x, gradient, *kept):
            g = direction(gradient_block, x_block, scratch, group["maximize"], decay)
            for b in buffers:
                b *= momentum
                b += g if share == 1 else xp.multiply(g, share, out=more)
                g = xp.add(xp.multiply(b, momentum, out=more), g, out=more) if group["nesterov"] else b
            x_block -= xp.multiply(g, lr, out=more)

    def update_together(self, group: Group, states: list[State], table: Any, fresh: bool) -> None:
        """Write one step into all arrays of a table."""
        lr, decay, momentum = float(group["lr"]), float(group["weight_decay"]), float(group["momentum"])
        dampening = 0.0 if fresh else float(group["dampening"])
        from rawseg_kernels._foreach.rows import Rows

        options = lr, momentum, 1 - dampening, decay, group["nesterov"], group["maximize"]
        if isinstance(table, Rows):
            from rawseg_kernels._foreach import direct

            direct.update_sgd(table, *options)
        else:
            from rawseg_kernels._foreach import sgd

            sgd.update(table, *options)
