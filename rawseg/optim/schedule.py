"""What all learning-rate schedules share, and their joining end to end."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from rawseg_kernels._arrays import integer

from ..errors import ArgumentError, CheckpointError
from .optimizer import Optimizer


class LRScheduler:
    """Base of the schedules; a schedule defines ``lr_at``.

    Parameters
    ----------
    optimizer : Optimizer
        Whose groups' ``lr`` is set, now and at every ``step()``.
    last_epoch : int
        Number of steps done; -1 begins.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = optimizer
        self.last_epoch = integer(self.name, "last_epoch", last_epoch, -1)
        for group in optimizer.param_groups:
            if last_epoch >= 0 and "initial_lr" not in group:
                raise ArgumentError(self.name, "last_epoch", "-1 for an optimizer that never had a schedule", last_epoch)
            group.setdefault("initial_lr", group["lr"])
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.step()

    @property
    def name(self) -> str:
        """The schedule's name in error messages and checkpoints."""
        return type(self).__name__

    def lr_at(self, base_lr: float, epoch: int) -> float:
        """Return the learning rate after ``epoch`` steps."""
        raise TypeError("a schedule needs a method lr_at(base_lr, epoch)")

    def step(self) -> None:
        """Count one step and set the learning rates."""
        self.last_epoch += 1
        self._set()

    def _set(self) -> None:
        for group, base_lr in zip(self.optimizer.param_groups, self.base_lrs):
            group["lr"] = self.lr_at(base_lr, self.last_epoch)

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group as the last step set it."""
        return [self.lr_at(base_lr, self.last_epoch) for base_lr in self.base_lrs]

    def state_dict(self) -> dict[str, Any]:
        """Return the position and what the schedule was made with, fit for JSON; functions are left out."""
        position = {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}
        return {"schedule": self.name, "parameters": self.parameters(), **position}

    def parameters(self) -> dict[str, Any]:
        """Return the numbers that the schedule was made with."""
        own = {name: value for name, value in vars(self).items() if name not in ("last_epoch", "base_lrs")}
        return {name: value for name, value in own.items() if isinstance(value, (int, float, list))}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a position that `state_dict` returned, and set the learning rates.

        Raises
        ------
        CheckpointError
            If it is another schedule's, one made otherwise, or for another number of groups. Then nothing has changed.
        """
        self.check_state(state_dict)
        self.last_epoch, self.base_lrs = state_dict["last_epoch"], list(state_dict["base_lrs"])
        self._set()

    def check_state(self, state_dict: dict[str, Any]) -> None:
        """Raise a CheckpointError unless the state fits; see `load_state_dict`."""
        if state_dict["schedule"] != self.name:
            raise CheckpointError("schedule", "schedule", f"{self.name}, as it is now", state_dict["schedule"])
        if state_dict["parameters"] != self.parameters():
            raise CheckpointError(self.name, "parameters", f"{self.parameters()}, as they are now", state_dict["parameters"])
        steps, rates = state_dict["last_epoch"], state_dict["base_lrs"]
        if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
            raise CheckpointError(self.name, "last_epoch", "a number of steps", repr(steps))
        if len(rates) != len(self.base_lrs):
            expected = f"{len(self.base_lrs)} learning rates, one for each group"
            raise CheckpointError(self.name, "base_lrs", expected, len(rates))
        if not all(isinstance(rate, (int, float)) and rate >= 0 for rate in rates):
            raise CheckpointError(self.name, "base_lrs", "numbers of at least 0", rates)


class SequentialLR(LRScheduler):
    """One schedule after another, each counting from its own beginning.

    Parameters
    ----------
    optimizer : Optimizer
        Whose learning rates are set.
    schedulers : sequence of LRScheduler
        Made for the same optimizer, and stepped no more by themselves.
    milestones : sequence of int
        The steps at which the second, the third, ... takes over.
    last_epoch : int
        Number of steps done; -1 begins.

    Examples
    --------
    >>> import rawseg
    >>> from rawseg.optim import SGD, lr_scheduler
    >>> optimizer = SGD([rawseg.zeros(1, requires_grad=True)], lr=1.0)
    >>> warm_up = lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=3)
    >>> decay = lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
    >>> schedule = lr_scheduler.SequentialLR(optimizer, [warm_up, decay], milestones=[3])
    >>> rates = []
    >>> for _ in range(6):
    ...     rates.append(round(optimizer.param_groups[0]["lr"], 3))
    ...     schedule.step()
    >>> rates
    [0.25, 0.5, 0.75, 1.0, 0.854, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        self.schedulers = list(schedulers)
        self.milestones = [integer(self.name, "milestones", milestone, 1) for milestone in milestones]
        if not self.schedulers or len(self.milestones) != len(self.schedulers) - 1:
            expected = "one fewer than schedulers, of which there is at least one"
            raise ArgumentError(self.name, "milestones", expected, f"{len(self.milestones)} for {len(self.schedulers)}")
        if self.milestones != sorted(set(self.milestones)):
            raise ArgumentError(self.name, "milestones", "increasing numbers", self.milestones)
        if any(scheduler.optimizer is not optimizer for scheduler in self.schedulers):
            raise ArgumentError(self.name, "schedulers", "schedules of this optimizer", "one of another")
        super().__init__(optimizer, last_epoch)

    def parameters(self) -> dict[str, Any]:
        """Return the milestones, and the numbers of every schedule."""
        inner = [{"schedule": scheduler.name, **scheduler.parameters()} for scheduler in self.schedulers]
        return {"milestones": self.milestones, "schedulers": inner}

    def lr_at(self, base_lr: float, epoch: int) -> float:
        """Return the learning rate after ``epoch`` steps."""
        which = bisect_right(self.milestones, epoch)
        return self.schedulers[which].lr_at(base_lr, epoch - (self.milestones[which - 1] if which else 0))
