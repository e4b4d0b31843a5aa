"""What all update rules share: parameter groups, state by parameter, and a step that is applied whole or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ..autograd.grad_mode import enable_grad, no_grad
from ..autograd.tensor import Tensor
from ..device import array_module, device_of, move
from ..errors import ArgumentError, ArgumentTypeError, CheckpointError, DeviceError, DTypeError, GraphError, ShapeError

Group = dict[str, Any]
State = dict[str, Any]


class Optimizer:
    """Base of the update rules; a rule defines ``check``, ``slots`` and ``update``.

    It may have ``update_together(group, states, table, fresh)``, too: its ``update`` for many parameters in one launch. The
    table is a `rawseg_kernels._foreach.rows.Rows` on the CPU and a `rawseg_kernels._foreach.table.Table` on a GPU.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        Leaves that require a gradient, or groups ``{"params": [...], "lr": ...}`` with options of their own.
    defaults : dict
        The options of a group that does not say otherwise.

    Attributes
    ----------
    param_groups : list of dict
        The options of each group, which may be changed between steps, and its parameters under ``"params"``.
    state : dict
        For each parameter that was ever stepped: its slots, arrays of the parameter's shape and dtype, and plain numbers.
    """

    def __init__(self, params: Iterable[Tensor] | Iterable[Group], defaults: Group) -> None:
        self.defaults = defaults
        self.param_groups: list[Group] = []
        self.state: dict[Tensor, State] = {}
        self._tables: list[Any] = []  # of launches, from step to step
        if isinstance(params, (Tensor, dict)):
            raise ArgumentTypeError(self.name, "params", "an iterable of Tensors or of groups", type(params).__name__)
        given: list[Any] = list(params)
        if not given:
            raise ArgumentError(self.name, "params", "at least one parameter", "none")
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    @property
    def name(self) -> str:
        """The rule's name in error messages."""
        return type(self).__name__

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with options of their own.

        Raises
        ------
        ArgumentTypeError, GraphError, ArgumentError
            If something is not a leaf that requires a gradient, is there already, or an option is outside its domain.
        """
        params = param_group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        seen = {id(param) for group in self.param_groups for param in group["params"]}
        for position, param in enumerate(params):
            argument = f"params[{position}]"
            if not isinstance(param, Tensor):
                raise ArgumentTypeError(self.name, argument, "a Tensor", type(param).__name__)
            if not param.is_leaf or not param.requires_grad:
                got = "a computed Tensor" if not param.is_leaf else "requires_grad=False"
                raise GraphError(self.name, argument, "a leaf with requires_grad=True", got)
            if id(param) in seen:
                raise ArgumentError(self.name, argument, "each parameter once", f"one of shape {param.shape} again")
            seen.add(id(param))
        group = {**self.defaults, **param_group, "params": params}
        self.check(group)
        self.param_groups.append(group)

    def check(self, group: Group) -> None:
        """Raise if an option of a group is outside its domain."""
        raise TypeError("an Optimizer needs a method check(group)")

    def slots(self, group: Group) -> tuple[str, ...]:
        """Return the names of the arrays that the rule keeps for each parameter of a group."""
        raise TypeError("an Optimizer needs a method slots(group)")

    def update(self, group: Group, state: State, x: Any, gradient: Any, fresh: bool) -> None:
        """Write one step into the array ``x`` and its slots; ``fresh`` tells that the slots are new, and hold zeros."""
        raise TypeError("an Optimizer needs a method update(group, state, x, gradient, fresh)")

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or fill them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none or param.grad is None:
                    param.grad = None
                else:
                    param.grad = param.grad.zeros_like()

    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Update every parameter that has a gradient.

        Parameters
        ----------
        closure : callable, optional
            Computes the loss and the gradients; called first.

        Returns
        -------
        loss : Tensor or None
            What the closure returned.

        Raises
        ------
        ShapeError, DTypeError, DeviceError, ArgumentError
            If a gradient does not fit its parameter, or a parameter's array is read-only. Then nothing has changed.

        Notes
        -----
        The arithmetic is in the parameter's dtype. Gradients that are not finite are applied like any other.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        work = [(group, param) for group in self.param_groups for param in group["params"] if param.grad is not None]
        devices = {self._check_gradient(param) for _, param in work}
        # Everything is allocated before anything is written, so that a step fails whole if memory runs out.
        prepared = [(group, param, *self._slots_of(group, param)) for group, param in work]
        batches: list[Any] = []
        if len(prepared) > 1 or devices - {"cpu"}:
            from .together import split

            batches, prepared = split(self, prepared)
        with no_grad(), np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            for group, param, state, fresh in prepared:
                if state:
                    self.state[param] = state
                self.update(group, state, param._write(self.name), param.grad.array, fresh)
            for batch in batches:
                batch.update(self)
        return loss

    def _check_gradient(self, param: Tensor) -> str:
        """Return the device of a parameter whose gradient fits it."""
        gradient: Tensor = param.grad  # type: ignore[assignment]
        array, device = param.array, param.device
        if isinstance(array, np.ndarray) and not array.flags.writeable:
            raise ArgumentError(self.name, "params", "writeable arrays", f"a read-only one of shape {param.shape}")
        if gradient._meta == param._meta:
            return device
        if gradient.shape != param.shape:
            raise ShapeError(self.name, "grad", f"shape {param.shape}, that of its parameter", f"shape {gradient.shape}")
        if gradient.dtype != param.dtype:
            raise DTypeError(self.name, "grad", f"{param.dtype}, that of its parameter", gradient.dtype)
        if gradient.device != device:
            raise DeviceError(self.name, "grad", f"{device}, the device of its parameter", gradient.device)
        return device

    def _slots_of(self, group: Group, param: Tensor) -> tuple[State, bool]:
        """Return the parameter's state with all its slots, and whether any of them is new."""
        state = self.state.get(param, {})
        missing = [name for name in self.slots(group) if name not in state]
        for name, value in state.items():
            if device_of(value) not in ("", param.device):
                raise DeviceError(self.name, name, f"{param.device}, the device of its parameter", device_of(value))
        if not missing:
            return state, False
        zeros = array_module(param.array).zeros
        return {**state, **{name: zeros(param.shape, param.dtype) for name in missing}}, True

    def state_dict(self) -> State:
        """Return the state as plain numbers and arrays, under the parameters' positions.

        The arrays are the optimizer's own, not copies: save them, or copy them, before the next step.
        """
        params = self._all_params()
        position = {id(param): index for index, param in enumerate(params)}
        groups = [{**group, "params": [position[id(param)] for param in group["params"]]} for group in self.param_groups]
        return {
            "state": {i: dict(self.state[param]) for i, param in enumerate(params) if param in self.state},
            "param_groups": groups,
        }

    def load_state_dict(self, state_dict: State) -> None:
        """Continue from a state that `state_dict` returned; its arrays are copied.

        Raises
        ------
        CheckpointError
            If it does not fit the parameters. Then nothing has changed.
        """
        self.adopt(self.fitted(state_dict))

    def fitted(self, state_dict: State) -> tuple[list[Group], dict[Tensor, State]]:
        """Return groups and state made from a state dict, after checking that they fit; see `load_state_dict`."""
        params, saved = self._all_params(), state_dict["param_groups"]
        sizes, saved_sizes = [[len(group["params"]) for group in groups] for groups in (self.param_groups, saved)]
        if sizes != saved_sizes:
            expected = f"groups of {sizes} parameters, as this optimizer has"
            raise CheckpointError(self.name, "param_groups", expected, saved_sizes)
        groups = [self._fitted_group(group, other) for group, other in zip(self.param_groups, saved)]
        rules = [group for group, now in zip(groups, self.param_groups) for _ in now["params"]]
        state = {}
        for index, slots in state_dict["state"].items():
            if not 0 <= int(index) < len(params):
                raise CheckpointError(self.name, "state", f"positions below {len(params)}", index)
            param, wanted = params[int(index)], set(self.slots(rules[int(index)]))
            if not wanted <= set(slots) <= wanted | {"step"}:
                raise CheckpointError(self.name, f"state {index}", f"the slots {sorted(wanted)}", sorted(slots))
            state[param] = {name: self._fitted_slot(f"state {index} {name}", value, param) for name, value in slots.items()}
        return groups, state

    def adopt(self, fitted: tuple[list[Group], dict[Tensor, State]]) -> None:
        """Take over what `fitted` returned; this cannot fail."""
        self.param_groups, self.state = fitted

    def _fitted_group(self, group: Group, saved: Group) -> Group:
        options = {
            name: tuple(value) if isinstance(value, list) else value for name, value in saved.items()
        }  # JSON has no tuples
        merged = {**options, "params": group["params"]}
        missing = sorted(set(group) - set(merged) - {"initial_lr"})
        if missing:
            raise CheckpointError(self.name, "param_groups", f"the options {sorted(self.defaults)}", f"none called {missing}")
        try:
            self.check(merged)
        except (ArgumentError, ArgumentTypeError) as error:
            raise CheckpointError(self.name, error.argument, error.expected, error.got) from error
        return merged

    def _fitted_slot(self, argument: str, value: Any, param: Tensor) -> Any:
        if isinstance(value, (int, float)):
            return value
        if not device_of(value) or value.shape != param.shape or value.dtype != param.dtype:
            got = f"{getattr(value, 'dtype', type(value).__name__)} of shape {getattr(value, 'shape', None)}"
            raise CheckpointError(self.name, argument, f"{param.dtype} of shape {param.shape}", got)
        return move(value.copy(), param.device)

    def _all_params(self) -> list[Tensor]:
        return [param for group in self.param_groups for param in group["params"]]

    def __repr__(self) -> str:
        options = [
            ", ".join(f"{name}={value}" for name, value in group.items() if name != "params") for group in self.param_groups
        ]
        return f"{self.name}({'; '.join(options)})"


def check_number(op: str, argument: str, value: Any, least: float = 0, below: float = math.inf) -> None:
    """Raise unless ``least <= value < below``; NaN is in no range."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ArgumentTypeError(op, argument, "a number", repr(value))
    if not least <= value < below:
        raise ArgumentError(op, argument, f"a number in [{least}, {below})", value)
