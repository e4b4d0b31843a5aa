"""Adam (Kingma and Ba 2015), AMSGrad (Reddi et al. 2018) and AdamW (Loshchilov and Hutter 2019), in torch's form."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from ..autograd.tensor import Tensor
from ..device import array_module
from ..errors import ArgumentError
from .blocks import blocks, direction, one_pass
from .optimizer import Group, Optimizer, State, check_number


class Adam(Optimizer):
    """Adaptive moments, as torch.optim.Adam.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to update.
    lr : float
        Learning rate, at least 0.
    betas : (float, float)
        beta1 and beta2, each in [0, 1).
    eps : float
        At least 0.
    weight_decay : float
        At least 0; the factor of the L2 penalty's gradient.
    amsgrad : bool
        Divide by the largest second moment so far.
    maximize : bool
        Climb instead.

    Notes
    -----
    In step t, with the gradient g (negated to climb)::

        g <- g + weight_decay x
        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g^2
        x <- x - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)

    and for ``amsgrad`` the largest v so far takes the place of v in the last line. The slots of m, v and the largest v are
    ``exp_avg``, ``exp_avg_sq`` and ``max_exp_avg_sq``; t is ``step``, an int.
    """

    decoupled = False  # weight decay outside the adaptive step

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def check(self, group: Group) -> None:
        """Raise if an option of a group is outside its domain."""
        for option in ("lr", "eps", "weight_decay"):
            check_number(self.name, option, group[option])
        if not isinstance(group["betas"], (tuple, list)) or len(group["betas"]) != 2:
            raise ArgumentError(self.name, "betas", "two numbers", group["betas"])
        for position, beta in enumerate(group["betas"]):
            check_number(self.name, f"betas[{position}]", beta, below=1)

    def slots(self, group: Group) -> tuple[str, ...]:
        """Return the names of the arrays that the rule keeps for each parameter of a group."""
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def update(self, group: Group, state: State, x: Any, gradient: Any, fresh: bool) -> None:
        """Write one step into the array ``x`` and its moments."""
        lr, eps, decay = float(group["lr"]), float(group["eps"]), float(group["weight_decay"])
        beta1, beta2 = map(float, group["betas"])
        state["step"] = step = state.get("step", 0) + 1
        moments = [state[name] for name in self.slots(group)]
        if compiled := one_pass(x, gradient, *moments):
            m, v, largest = (*moments, None)[:3]
            compiled.adam(x, gradient, m, v, largest, step, lr, (beta1, beta2), eps, decay, self.decoupled, group["maximize"])
            return
        xp = array_module(x)
        rate, root = lr / (1 - beta1**step), math.sqrt(1 - beta2**step)  # the corrections of moments that began at 0
        coupled = 0.0 if self.decoupled else decay
        for x_block, gradient_block, m, v, *largest, scratch, more in blocks(x, gradient, *moments):
            if self.decoupled and decay:
                x_block *= 1 - lr * decay
            g = direction(gradient_block, x_block, scratch, group["maximize"], coupled)
            m *= beta1
            m += xp.multiply(g, 1 - beta1, out=more)
            v *= beta2
            xp.multiply(g, g, out=more)
            more *= 1 - beta2
            v += more
            for top in largest:
                v = xp.maximum(top, v, out=top)
            xp.sqrt(v, out=more)
            more /= root
            more += eps
            xp.divide(m, more, out=more)
            more *= rate
            x_block -= more

    def update_together(self, group: Group, states: list[State], table: Any, fresh: bool) -> None:
        """Write one step into all arrays of a table."""
        from rawseg_kernels._foreach.rows import Rows

        lr, eps, decay = float(group["lr"]), float(group["eps"]), float(group["weight_decay"])
        betas = float(group["betas"][0]), float(group["betas"][1])
        step = states[0].get("step", 0) + 1
        options = step, lr, betas, eps, decay, self.decoupled, group["amsgrad"], group["maximize"]
        if isinstance(table, Rows):
            from rawseg_kernels._foreach import direct

            direct.update_adam(table, *options)
        else:
            from rawseg_kernels._foreach import adam

            adam.update(table, *options)
        for state in states:
            state["step"] = step


class AdamW(Adam):
    """Adam with decoupled weight decay: ``x <- (1 - lr weight_decay) x`` before the step, and none in the gradient.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to update.
    lr : float
        Learning rate, at least 0.
    betas : (float, float)
        beta1 and beta2, each in [0, 1).
    eps : float
        At least 0.
    weight_decay : float
        At least 0.
    amsgrad : bool
        Divide by the largest second moment so far.
    maximize : bool
        Climb instead.
    """

    decoupled = True

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[Group],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)
