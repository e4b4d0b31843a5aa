"""Modules that hold modules: in a row, in a list, in a dictionary."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from ..errors import ArgumentError, IndexRangeError
from .fused import run_layers
from .module import Module

__all__ = ["Identity", "ModuleDict", "ModuleList", "Sequential"]


class Identity(Module):
    """The input itself; any arguments are accepted, so that it can stand in for any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        return input


class _Numbered(Module):
    """Modules in order, addressed by position."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules.values())

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(*self._for_constructor(list(self._modules.items())[index]))
        return self._modules[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self.register_module(self._name(index), module)

    def __delitem__(self, index: Any) -> None:
        if isinstance(index, slice):
            for name in list(self._modules)[index]:
                del self._modules[name]
        else:
            del self._modules[self._name(index)]
        self._renumber(list(self._modules.values()))

    def append(self, module: Module) -> Self:
        """Add a module at the end."""
        self.register_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add modules at the end."""
        for module in list(modules):
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> Self:
        """Add a module before the one at ``index``."""
        modules = list(self)
        modules.insert(operator.index(index), module)
        self._renumber(modules)
        return self

    def _renumber(self, modules: list[Module]) -> None:
        self._modules.clear()
        self.extend(modules)

    def _name(self, index: int) -> str:
        position = operator.index(index)
        if not -len(self) <= position < len(self):
            raise IndexRangeError(type(self).__name__, "index", f"in [{-len(self)}, {len(self) - 1}]", position)
        return list(self._modules)[position]

    @staticmethod
    def _for_constructor(items: list) -> tuple:
        raise NotImplementedError


class Sequential(_Numbered):
    """Modules applied one after another.

    Parameters
    ----------
    *modules : Module
        Named "0", "1" and so on; or one dictionary of names and modules.

    Notes
    -----
    Where no graph is kept, a convolution, the batch norm in evaluation and the ReLU behind it run as one step; in training, a
    convolution without bias, the batch norm and the ReLU are one node of the graph. Results and gradients have the same bits;
    second derivatives may differ by rounding, and a row does not mind if its output is changed in place. Hooks, and a
    ``forward`` that somebody put in the place of a layer's, are called as ever.

    Examples
    --------
    >>> from rawseg import nn
    >>> nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU())
    Sequential(
      (0): Conv2d(1, 8, kernel_size=(3, 3), stride=(1, 1))
      (1): ReLU()
    )
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        named = modules[0].items() if len(modules) == 1 and isinstance(modules[0], Mapping) else enumerate(modules)
        for name, module in named:
            self.register_module(str(name), module)

    def forward(self, input: Any) -> Any:
        return run_layers(list(self), input)

    @staticmethod
    def _for_constructor(items: list) -> tuple:
        return (dict(items),)


class ModuleList(_Numbered):
    """A list of modules.

    Parameters
    ----------
    modules : iterable of Module, optional
        The first entries.
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules or ())

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    @staticmethod
    def _for_constructor(items: list) -> tuple:
        return ([module for _, module in items],)


class ModuleDict(Module):
    """A dictionary of modules.

    Parameters
    ----------
    modules : mapping of str to Module, optional
        The first entries.
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def __getitem__(self, key: str) -> Any:
        self._check(key)
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.register_module(key, module)

    def __delitem__(self, key: str) -> None:
        self._check(key)
        del self._modules[key]

    def _check(self, key: str) -> None:
        if key not in self._modules:
            raise ArgumentError("ModuleDict", "key", f"one of {list(self._modules)}", repr(key))

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """Return the modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return names and modules."""
        return self._modules.items()

    def pop(self, key: str) -> Module:
        """Remove a module and return it."""
        module = self[key]
        del self[key]
        return module

    def update(self, modules: Mapping[str, Module]) -> None:
        """Add or replace modules."""
        for key, module in modules.items():
            self[key] = module
