"""Tree: the parameters, buffers and submodules of a module, by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..autograd import Tensor
from ..errors import ArgumentError, ArgumentTypeError
from .parameter import Parameter

__all__ = ["Tree"]

REGISTRIES = ("_parameters", "_buffers", "_modules")


class Tree:
    """The part of a `Module` that keeps attributes in their registries and walks them; every order is that of registration."""

    def __init__(self) -> None:
        for registry in REGISTRIES:
            object.__setattr__(self, registry, {})
        object.__setattr__(self, "_not_saved", set())  # buffers registered with persistent=False

    # attributes

    def __setattr__(self, name: str, value: Any) -> None:
        if "_parameters" not in self.__dict__:
            raise ArgumentError(type(self).__name__, name, "super().__init__() before the first attribute", "none")
        if isinstance(value, Parameter):
            self._place("_parameters", name, value)
        elif isinstance(value, Tree):
            self._place("_modules", name, value)
        elif name in self._parameters and value is None:
            self._parameters[name] = None
        elif name in self._parameters:
            raise ArgumentTypeError(type(self).__name__, name, "a Parameter or None", type(value).__name__)
        elif name in self._buffers:
            self.register_buffer(name, value, name not in self._not_saved)
        else:
            self._modules.pop(name, None)
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:  # only called where Python found no ordinary attribute
        for registry in REGISTRIES:
            if name in self.__dict__.get(registry, ()):
                return self.__dict__[registry][name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _several(self, *names: str) -> list[Any]:
        """Return registered attributes without the search for an ordinary one that Python begins with: most of a look-up."""
        own = self.__dict__
        parameters, buffers = own["_parameters"], own["_buffers"]
        return [
            parameters[name] if name in parameters else buffers[name] if name in buffers else getattr(self, name)
            for name in names
        ]

    def __delattr__(self, name: str) -> None:
        for registry in (self._parameters, self._buffers, self._modules):
            if name in registry:
                del registry[name]
                self._not_saved.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._buffers, *self._modules})

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter; None keeps the name free for one."""
        if param is not None and not isinstance(param, Parameter):
            raise ArgumentTypeError("register_parameter", name, "a Parameter or None", type(param).__name__)
        self._refuse_taken("_parameters", name)
        self._place("_parameters", name, param)

    def register_module(self, name: str, module: Tree | None) -> None:
        """Add a submodule."""
        if module is not None and not isinstance(module, Tree):
            raise ArgumentTypeError("register_module", name, "a Module or None", type(module).__name__)
        self._refuse_taken("_modules", name)
        self._place("_modules", name, module)

    add_module = register_module

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a Tensor that is saved and moved with the module but not trained.

        Parameters
        ----------
        name : str
            The attribute's name.
        tensor : Tensor or None
            Its value.
        persistent : bool
            Whether `state_dict` includes it.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ArgumentTypeError("register_buffer", name, "a Tensor or None", type(tensor).__name__)
        self._refuse_taken("_buffers", name)
        self._place("_buffers", name, tensor)
        (self._not_saved.discard if persistent else self._not_saved.add)(name)

    def _refuse_taken(self, registry: str, name: str) -> None:
        """Refuse to register a name that is another kind of attribute; setting the attribute replaces it."""
        if isinstance(name, str) and name not in self.__dict__[registry] and hasattr(self, name):
            raise ArgumentError(type(self).__name__, "name", "one that is no attribute yet", repr(name))

    def _place(self, kind: str, name: str, value: Any) -> None:
        registry = self.__dict__[kind]
        if not isinstance(name, str) or not name or "." in name:
            raise ArgumentError(type(self).__name__, "name", "a name without dots", repr(name))
        if name not in registry and hasattr(self, name):
            if name not in self.__dict__ and not any(name in self.__dict__[other] for other in REGISTRIES):
                raise ArgumentError(type(self).__name__, "name", "one that is no method of the class", repr(name))
            delattr(self, name)
        registry[name] = value

    # the tree

    def named_modules(self, memo: set | None = None, prefix: str = "") -> Iterator[tuple[str, Tree]]:
        """Yield every module below this one, itself first, each once, with its dotted name."""
        memo = set() if memo is None else memo
        waiting: list[tuple[str, Tree]] = [(prefix, self)]
        while waiting:
            path, module = waiting.pop()
            if id(module) not in memo:
                memo.add(id(module))
                yield path, module
                children = [(f"{path}.{name}" if path else name, child) for name, child in module.named_children()]
                waiting += reversed(children)

    def modules(self) -> Iterator[Tree]:
        """Yield every module below this one, itself first, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Tree]]:
        """Yield the submodules of this module with their names."""
        return ((name, module) for name, module in self._modules.items() if module is not None)

    def children(self) -> Iterator[Tree]:
        """Yield the submodules of this module."""
        return (module for _, module in self.named_children())

    def named_parameters(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter once, with its dotted name."""
        return self._named("_parameters", prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Yield every parameter once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(self, prefix: str = "", recurse: bool = True) -> Iterator[tuple[str, Tensor]]:
        """Yield every buffer once, with its dotted name."""
        return self._named("_buffers", prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """Yield every buffer once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def _named(self, registry: str, prefix: str, recurse: bool) -> Iterator[tuple[str, Any]]:
        seen = set()
        for path, module in self.named_modules(prefix=prefix) if recurse else [(prefix, self)]:
            for name, value in module.__dict__[registry].items():
                if value is not None and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{path}.{name}" if path else name, value

    def get_parameter(self, target: str) -> Parameter:
        """Return the parameter of a dotted name."""
        return self._get("_parameters", "get_parameter", "a parameter", target)

    def get_buffer(self, target: str) -> Tensor:
        """Return the buffer of a dotted name."""
        return self._get("_buffers", "get_buffer", "a buffer", target)

    def _get(self, registry: str, op: str, what: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        if owner.__dict__[registry].get(name) is None:
            raise ArgumentError(op, "target", f"{what} of {type(owner).__name__}", repr(target))
        return owner.__dict__[registry][name]

    def get_submodule(self, target: str) -> Tree:
        """Return the module of a dotted name; "" is this one."""
        module = self
        for name in target.split(".") if target else ():
            if module._modules.get(name) is None:
                raise ArgumentError("get_submodule", "target", f"a child of {type(module).__name__}", repr(target))
            module = module._modules[name]
        return module
