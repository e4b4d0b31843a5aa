"""Learning-rate schedules under torch.optim.lr_scheduler's names, each a closed formula of the number of steps.

A schedule is stepped after the optimizer and sets the learning rate of every group to ``lr_at(base, step)``, where base is
the group's learning rate before any schedule (``initial_lr``). Because the formula is closed, no rounding builds up and
the whole state is one number; for the same reason two schedules are joined with `SequentialLR`, not by stepping both.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

from rawseg_kernels._arrays import integer

from ..errors import ArgumentError
from .optimizer import Optimizer, check_number
from .schedule import LRScheduler, SequentialLR

__all__ = [
    "CosineAnnealingLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "PolynomialLR",
    "SequentialLR",
    "StepLR",
]


class StepLR(LRScheduler):
    """``base gamma^floor(t / step_size)``.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates are set.
    step_size : int
        Steps between two drops.
    gamma : float
        Factor of a drop.
    last_epoch : int
        Number of steps done; -1 begins.
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = integer(self.name, "step_size", step_size, 1)
        check_number(self.name, "gamma", gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        """Return the learning rate after ``epoch`` steps."""
        return base_lr * self.gamma ** (epoch // self.step_size)


class MultiStepLR(LRScheduler):
    """``base gamma^(number of milestones up to t)``.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates are set.
    milestones : sequence of int
        Steps at which the rate drops; one that occurs twice drops it twice.
    gamma : float
        Factor of a drop.
    last_epoch : int
        Number of steps done; -1 begins.
    """

    def __init__(self, optimizer: Optimizer, milestones: Sequence[int], gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.milestones = sorted(integer(self.name, "milestones", milestone, 0) for milestone in milestones)
        check_number(self.name, "gamma", gamma)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        """Return the learning rate after ``epoch`` steps."""
        return base_lr * self.gamma ** bisect_right(self.milestones, epoch)


class LinearLR(LRScheduler):
    """From ``start_factor base`` straight to ``end_factor base`` in ``total_iters`` steps: a warm-up, by its defaults.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates are set.
    start_factor : float
        In (0, 1].
    end_factor : float
        In [0, 1].
    total_iters : int
        Steps until the end factor, which then stays.
    last_epoch : int
        Number of steps done; -1 begins.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ArgumentError(self.name, "start_factor", "a number in (0, 1]", start_factor)
        if not 0 <= end_factor <= 1:
            raise ArgumentError(self.name, "end_factor", "a number in [0, 1]", end_factor)
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = integer(self.name, "total_iters", total_iters, 1)
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        """Return the learning rate after ``epoch`` steps."""
        span = self.end_factor - self.start_factor
        return base_lr * (self.start_factor + span * min(self.total_iters, epoch) / self.total_iters)


class PolynomialLR(LRScheduler):
    """``base (1 - t / total_iters)^power``, then 0.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates are set.
    total_iters : int
        Steps until 0.
    power : float
        At least 0; 1 is a straight line, 0.9 is usual in segmentation.
    last_epoch : int
        Number of steps done; -1 begins.
    """

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters = integer(self.name, "total_iters", total_iters, 1)
        check_number(self.name, "power", power)
        self.power = power
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        """Return the learning rate after ``epoch`` steps."""
        return base_lr * (1.0 - min(self.total_iters, epoch) / self.total_iters) ** self.power


class CosineAnnealingLR(LRScheduler):
    """``eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2`` (Loshchilov and Hutter 2017, without restarts).

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates are set.
    T_max : int
        Steps until ``eta_min``; beyond them the rate rises again, as in torch.
    eta_min : float
        The lowest rate.
    last_epoch : int
        Number of steps done; -1 begins.
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = integer(self.name, "T_max", T_max, 1)
        check_number(self.name, "eta_min", eta_min)
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        """Return the learning rate after ``epoch`` steps."""
        return self.eta_min + (base_lr - self.eta_min) * (1 + math.cos(math.pi * epoch / self.T_max)) / 2


class LambdaLR(LRScheduler):
    """``base f(t)``.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates are set.
    lr_lambda : callable
        ``f(t) -> float``, the same for all groups; it is not part of the state.
    last_epoch : int
        Number of steps done; -1 begins.
    """

    def __init__(self, optimizer: Optimizer, lr_lambda: Callable[[int], float], last_epoch: int = -1) -> None:
        self.lr_lambda = lr_lambda
        super().__init__(optimizer, last_epoch)

    def lr_at(self, base_lr: float, epoch: int) -> float:
        """Return the learning rate after ``epoch`` steps."""
        return base_lr * self.lr_lambda(epoch)
