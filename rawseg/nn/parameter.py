"""Parameter: a Tensor that a module trains."""

from __future__ import annotations

from typing import Any

from ..autograd import Tensor
from ..autograd.operands import as_tensor

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A leaf Tensor that a `Module` registers when it is set as an attribute.

    Parameters
    ----------
    data : Tensor or ndarray
        The values; the memory is shared.
    requires_grad : bool
        False freezes it.

    Examples
    --------
    >>> import rawseg
    >>> rawseg.nn.Parameter(rawseg.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        super().__init__(as_tensor("Parameter", "data", data).array, requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"
