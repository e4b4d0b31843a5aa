"""The backward pass: one loop over recorded nodes, newest first."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import Any

from rawseg_kernels._arena import memory_of

from ..device import zeros
from ..errors import ArgumentError, ArgumentTypeError, DTypeError, GraphError, ShapeError
from . import late
from .deferred import deferring
from .function import NOT_FREED, Node, check_finite
from .grad_mode import graph_kept, modes
from .tensor import Tensor

__all__ = ["backward", "grad"]


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Add the gradient of ``tensors`` to ``.grad`` of every leaf that they were computed from.

    Parameters
    ----------
    tensors : Tensor or sequence of Tensor
        What to differentiate.
    grad_tensors : Tensor or sequence of Tensor, optional
        The gradient of each, of its exact shape and dtype; 1 where a tensor has one element.
    retain_graph : bool, optional
        Keep what the graph saved, for another backward. Default: ``create_graph``.
    create_graph : bool
        Record the backward pass too, so that the gradients can be differentiated.
    inputs : Tensor or sequence of Tensor, optional
        Only these receive gradients.

    Raises
    ------
    GraphError
        If a tensor has no graph, the graph was freed, or a saved array was changed in place since. Then no ``.grad`` changes.
    """
    wanted = None if inputs is None else _as_list(inputs)
    if wanted is not None:
        _check_wanted("backward", wanted)
    roots, given = _as_list(tensors), [] if grad_tensors is None else _as_list(grad_tensors)
    found = _run("backward", roots, grad_tensors, wanted, retain_graph, create_graph)
    taken = {id(memory_of(g.array)) for g in given if g is not None}
    with graph_kept(create_graph):
        for tensor, gradient in found.values():
            tensor.grad = _own(gradient, taken) if tensor.grad is None else tensor.grad + gradient


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """Return the gradients of ``outputs`` with respect to ``inputs``; no ``.grad`` changes.

    Parameters are those of `backward`. With ``allow_unused=True`` an input that the outputs do not depend on gives None instead
    of a GraphError.

    Examples
    --------
    >>> import rawseg
    >>> x = rawseg.tensor([3.0], requires_grad=True)
    >>> (first,) = rawseg.grad(x**3, x, create_graph=True)
    >>> (second,) = rawseg.grad(first, x)
    >>> first.item(), second.item()
    (27.0, 18.0)
    """
    wanted = _as_list(inputs)
    _check_wanted("grad", wanted)
    found = _run("grad", _as_list(outputs), grad_outputs, wanted, retain_graph, create_graph)
    result = []
    for position, tensor in enumerate(wanted):
        entry = found.get(_key(tensor))
        if entry is None and not allow_unused:
            raise GraphError(
                "grad", f"inputs[{position}]", "an input that the outputs depend on (or allow_unused=True)", "an unused one"
            )
        result.append(None if entry is None else entry[1])
    return tuple(result)


def _run(op: str, roots: list[Tensor], root_grads: Any, wanted: list[Tensor] | None, retain: bool | None, create: bool) -> dict:
    """Walk the graph downwards; return ``{key: (tensor, gradient)}`` of the leaves, or of the wanted tensors."""
    retain = create if retain is None else retain
    found: dict[Any, tuple[Tensor, Tensor]] = {}
    targets = None if wanted is None else {_key(tensor): tensor for tensor in wanted}
    pending: dict[Node, list[Tensor | None]] = {}
    queue: list[tuple[int, Node]] = []  # newest first; a node is complete when it is popped, since all its users are newer

    def receive(edge: Any, gradient: Tensor) -> None:
        if type(edge) is not tuple:
            if targets is None or id(edge) in targets:
                before = found.get(id(edge))
                found[id(edge)] = (edge, gradient if before is None else before[1] + gradient)
            return
        node, slot = edge
        waiting = pending.get(node)
        if waiting is None:
            waiting = pending[node] = [None] * len(node.outputs)
            heapq.heappush(queue, (-node.order, node))
        before = waiting[slot]
        waiting[slot] = gradient if before is None else before + gradient

    with graph_kept(create), deferring():
        for tensor, gradient in zip(roots, _root_gradients(op, roots, root_grads)):
            receive(tensor if tensor._node is None else (tensor._node, tensor._slot), gradient)
        useful = None if targets is None else _leads_to(roots, targets)
        while queue:
            node = heapq.heappop(queue)[1]
            gradients = pending.pop(node)
            if node.hooks:
                gradients = _after_hooks(node.hooks, gradients)
            if targets is not None:
                for slot, gradient in enumerate(gradients):
                    if gradient is not None and (id(node), slot) in targets:
                        found[id(node), slot] = (targets[id(node), slot], gradient)
                if node not in useful:  # type: ignore[operator]
                    continue
            for edge, gradient in zip(node.edges, _differentiate(node, gradients, useful, targets, retain, create)):
                if edge is not None and gradient is not None:
                    receive(edge, gradient)
        gradients = gradient = None  # what they wait for was computed otherwise, if nobody else holds them
        return {key: (tensor, _after_leaf_hooks(tensor, gradient)) for key, (tensor, gradient) in found.items()}


def _differentiate(
    node: Node, gradients: list, useful: Any, targets: Any, retain: bool, create: bool
) -> Sequence[Tensor | None]:
    """Call a node's backward and check what it returned."""
    function, ctx, op = node.function, node.ctx, node.function.name()
    if create and not function.second_order:
        raise GraphError(op, "create_graph", "False: this operation has no second derivative", True)
    if ctx.freed:
        raise GraphError(op, "graph", NOT_FREED, "freed")
    everything = ctx.needs_grad
    if targets is not None:  # do not compute what leads nowhere
        ctx.needs_grad = tuple(edge is not None and _is_useful(edge, useful, targets) for edge in node.edges)
    ctx._node, ctx.retained = node, retain
    anomaly, modes.anomaly = modes.anomaly, False  # an error should name this operation, not a step of its backward
    try:
        if not function.takes_none:
            for slot, gradient in enumerate(gradients):
                if gradient is None:
                    gradients[slot] = _zeros(node.outputs[slot])
        answer = function.backward(ctx, *gradients)
    finally:
        ctx._node, ctx.needs_grad, modes.anomaly = None, everything, anomaly
    answer = answer if isinstance(answer, tuple) else (answer,)
    _check_answer(op, node, answer)
    if not retain:
        ctx.free()
    return answer


def _check_answer(op: str, node: Node, answer: tuple) -> None:
    """Guard every edge: a gradient has its array's shape, dtype and device."""
    if len(answer) != len(node.edges):
        raise GraphError(op, "backward", f"{len(node.edges)} gradients, one for each input", len(answer))
    for position, (edge, gradient) in enumerate(zip(node.edges, answer)):
        if edge is None or gradient is None:
            continue
        if not isinstance(gradient, Tensor):
            raise ArgumentTypeError(op, f"gradient of input {position}", "a Tensor or None", type(gradient).__name__)
        want = edge[0].outputs[edge[1]] if type(edge) is tuple else edge._meta
        if gradient._meta != want:
            got = " ".join(map(str, gradient._meta))
            raise GraphError(op, f"gradient of input {position}", " ".join(map(str, want)), got)
    if modes.anomaly:
        check_finite(op, "gradient", tuple(None if g is None else g.array for g in answer))


def _own(gradient: Tensor, taken: set[int]) -> Tensor:
    """Return the gradient on memory of its own: one array may have reached several leaves, or be a view of another."""
    array = gradient.array
    memory = memory_of(array)
    if memory is None or id(memory) in taken or not array.flags.c_contiguous:
        gradient = gradient.clone()
        memory = memory_of(gradient.array)
    taken.add(id(memory))
    return gradient


def _root_gradients(op: str, roots: list[Tensor], given: Any) -> list[Tensor]:
    gradients = [None] * len(roots) if given is None else _as_list(given)
    if len(gradients) != len(roots):
        raise ArgumentError(op, "grad_tensors", f"{len(roots)}, one for each tensor", len(gradients))
    checked = []
    for tensor, gradient in zip(roots, gradients):
        if not tensor.requires_grad:
            raise GraphError(op, "tensor", "one with requires_grad=True", "one that has no graph")
        if gradient is None:
            if tensor.size != 1:
                raise ShapeError(op, "grad_tensors", f"a gradient of shape {tensor.shape} (only one element needs none)", None)
            gradient = tensor.ones_like()
        if gradient.shape != tensor.shape:
            raise ShapeError(op, "grad_tensors", f"shape {tensor.shape}", f"shape {gradient.shape}")
        if gradient.dtype != tensor.dtype:
            raise DTypeError(op, "grad_tensors", str(tensor.dtype), gradient.dtype)
        checked.append(gradient)
    return checked


def _leads_to(roots: Iterable[Tensor], targets: dict) -> set[Node]:
    """Return the nodes from which a wanted tensor can be reached."""
    reachable: set[Node] = set()
    stack = [tensor._node for tensor in roots if tensor._node is not None]
    while stack:
        node = stack.pop()
        if node not in reachable:
            reachable.add(node)
            stack.extend(edge[0] for edge in node.edges if isinstance(edge, tuple))
    useful: set[Node] = set()
    for node in sorted(reachable, key=lambda node: node.order):  # inputs before users
        if any(edge is not None and _is_useful(edge, useful, targets) for edge in node.edges):
            useful.add(node)
    return useful


def _is_useful(edge: Any, useful: set[Node], targets: dict) -> bool:
    if isinstance(edge, Tensor):
        return id(edge) in targets
    return edge[0] in useful or (id(edge[0]), edge[1]) in targets


def _after_hooks(hooks: dict, gradients: list) -> list:
    for slot, functions in hooks.items():
        for function in list(functions.values()):
            if gradients[slot] is not None:
                gradients[slot] = _replaced(function(gradients[slot]), gradients[slot])
    return gradients


def _after_leaf_hooks(tensor: Tensor, gradient: Tensor) -> Tensor:
    if tensor._node is None and tensor._leaf_hooks:
        for function in list(tensor._leaf_hooks.values()):
            gradient = _replaced(function(gradient), gradient)
    return gradient


def _replaced(answer: Tensor | None, gradient: Tensor) -> Tensor:
    """Return what a hook made of a gradient: None leaves it."""
    if answer is None:
        return gradient
    if not isinstance(answer, Tensor):
        raise ArgumentTypeError("hook", "gradient", "a Tensor or None", type(answer).__name__)
    if answer._meta != gradient._meta:
        raise GraphError("hook", "gradient", f"shape {gradient.shape} {gradient.dtype}", f"shape {answer.shape} {answer.dtype}")
    return answer


def _check_wanted(op: str, wanted: list[Tensor]) -> None:
    for position, tensor in enumerate(wanted):
        if not tensor.requires_grad:
            raise GraphError(op, f"inputs[{position}]", "a Tensor with requires_grad=True", "one without")


def _key(tensor: Tensor) -> Any:
    return id(tensor) if tensor._node is None else (id(tensor._node), tensor._slot)


def _zeros(meta: tuple) -> Tensor:
    shape, dtype, device = meta
    return Tensor(zeros(shape, dtype, device))


def _as_list(one_or_more: Any) -> list:
    return [one_or_more] if isinstance(one_or_more, Tensor) else list(one_or_more)


late.backward = backward
