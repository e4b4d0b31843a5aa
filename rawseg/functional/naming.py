"""Errors in the words of the caller: kernels say ``x`` where the public functions say ``input``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import ParamSpec, TypeVar

from ..errors import RawsegError

P = ParamSpec("P")
R = TypeVar("R")
NAMES = MappingProxyType({"x": "input"})


def operation(function: Callable[P, R], names: Mapping[str, str] = NAMES) -> Callable[P, R]:
    """Decorate a public function: an error of a kernel below it names this function, and ``input`` for ``x``.

    Where the kernel has still other words for the arguments, ``@partial(operation, names={...})`` tells them.
    """

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except RawsegError as error:
            argument = names.get(error.argument, error.argument)
            expected = re.sub(r"\bof x\b", "of input", error.expected)
            error.__init__(function.__name__, argument, expected, error.got)  # the same error, so that its traceback stays
            raise
        except MemoryError as error:
            raise MemoryError(re.sub(r"^\w+: ", f"{function.__name__}: ", str(error))) from None

    return call
