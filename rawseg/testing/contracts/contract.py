"""What a contract says of an operation: its cases, what holds at its edges, what it refuses, how far it may err."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from inspect import signature
from typing import Any, NamedTuple

import numpy as np

from ...errors import RawsegError
from ..case import Case
from ..rounding import Rule

Offered = Callable[[str], bool]  # whether an implementation takes an argument of this name


class Edge(NamedTuple):
    """A case on which implementations like to differ; the plain loops say what is right.

    ``row`` is the row of SEMANTICS.md. Another implementation is told, and not failed, where ``own`` marks a choice of rawseg's
    in which PyTorch differs, and ``extra`` a convenience of the interface. ``gradients`` also compares those.
    """

    row: str
    what: str
    case: Case
    gradients: bool = False
    own: bool = False
    extra: bool = False


class Refusal(NamedTuple):
    """A call that must raise; rawseg itself raises ``error`` about ``argument``. ``own`` as in `Edge`."""

    row: str
    what: str
    case: Case
    argument: str
    error: type[RawsegError]
    own: bool = False


@dataclass(frozen=True)
class Contract:
    """An operation, as `rawseg check` knows it.

    Parameters
    ----------
    op : str
        Its public name.
    function : callable
        rawseg's own, on Tensors.
    cases : callable
        ``cases(dtype, offered)``: a strategy of valid cases, small, the degenerate included; arguments that an implementation
        does not take, as ``offered(name)`` says, have their defaults. Values keep a distance from kinks and ties.
    gradients : tuple of str
        The arrays that have a gradient.
    rounding : Rule
        How far a result may be from the exact one.
    edges, refusals : callable
        Lists of `Edge` and `Refusal`.
    dtypes : tuple
        What is drawn.
    second : bool
        Whether there are second derivatives.
    needed : tuple of str
        Arguments that no implementation can do without, whatever it calls them.
    writes : tuple of str
        Arrays that a call may write to.
    written : tuple of callable and Rule, optional
        A function of the same arguments on Tensors that returns what those arrays, if they are there, hold after the call; and
        how far that may be from the exact numbers.
    may_lack : tuple of str
        Arrays whose gradient an implementation may do without: it is told, and not failed.
    moving : mapping of str to index
        Of arrays with a part that cannot move a little, as the batch indices of boxes: the index of what can.
    """

    op: str
    function: Callable[..., Any]
    cases: Callable[[Any, Offered], Any]
    gradients: tuple[str, ...]
    rounding: Rule
    edges: Callable[[], list[Edge]] = list
    refusals: Callable[[], list[Refusal]] = list
    dtypes: tuple[Any, ...] = (np.float64, np.float32)
    second: bool = True
    needed: tuple[str, ...] = ("input",)
    writes: tuple[str, ...] = ()
    written: tuple[Callable[..., Any], Rule] | None = None
    may_lack: tuple[str, ...] = ()
    moving: Mapping[str, Any] = field(default_factory=dict)

    def after(self) -> Contract:
        """Return the contract of what a call writes: a function of what is written to as well."""
        assert self.written is not None, self.op
        function, rounding = self.written
        return replace(self, function=function, gradients=(*self.gradients, *self.writes), rounding=rounding, writes=())

    def arrays(self) -> list[str]:
        """Return the names of all array arguments, in the order of the signature: those that its edges have."""
        seen = {name for edge in self.edges() for name in edge.case.arrays} | {*self.gradients, *self.writes}
        return [name for name in signature(self.function).parameters if name in seen]
