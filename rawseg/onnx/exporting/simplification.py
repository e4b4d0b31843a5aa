"""A program without what does nothing, and with several steps as one where ONNX has one operator for them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ...autograd.arithmetic import Add, Div
from ...autograd.elementwise import Cast, Clone, Move
from ...autograd.linear import MatMul
from ...autograd.reductions import Sum
from ...autograd.shaping import Expand, Permute, Reshape
from ...nn.hooks import Gate
from .program import Program, Reference, Step, Value, Varying

__all__ = ["linear", "mean", "simplified"]


def linear(x: Any, weight: Any, bias: Any = None) -> Any:
    """Stand for ``x @ weight.T + bias`` of matrices: a step's operation, never called."""
    raise TypeError("linear is only a name for three steps")


def mean(x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Stand for a sum divided by the number of its terms: a step's operation, never called."""
    raise TypeError("mean is only a name for two steps")


def simplified(program: Program) -> Program:
    """Return a program that gives the same outputs in fewer steps."""
    for change in (_without_idle_steps, _needed, _with_linear_layers, _with_means, _needed):
        program = change(program)
    return program


def _is_idle(step: Step) -> bool:
    """Return whether the output is the input."""
    x, out = step.x, step.out
    if x is None or x.shape != out.shape or x.dtype != out.dtype:
        return False
    if step.operation is Permute:
        return list(step.options["axes"]) == sorted(step.options["axes"])
    return step.operation in (Clone, Move, Cast, Reshape, Expand)


def _without_idle_steps(program: Program) -> Program:
    instead: dict[int, Value] = {}
    steps = []
    for step in program.steps:
        step = step.reading(instead)
        if step.operation is Gate:
            instead |= {out.number: x for out, x in zip(step.outputs, step.inputs) if x is not None}
        elif step.inputs and _is_idle(step):
            instead[step.out.number] = step.x
        else:
            steps.append(step)
    outputs = [instead.get(value.number, value) for value in program.outputs]
    return replace(program, steps=_with_options(steps, instead), outputs=outputs)


def _with_options(steps: list[Step], instead: dict[int, Value]) -> list[Step]:
    """Return steps whose options refer to no value that is gone."""

    def changed(option: Any) -> Any:
        if isinstance(option, Reference):
            return Reference(instead[option.number].number) if option.number in instead else option
        if isinstance(option, dict):
            return {name: changed(part) for name, part in option.items()}
        return type(option)([changed(part) for part in option]) if isinstance(option, (tuple, list)) else option

    return [replace(step, options=changed(step.options)) for step in steps]


def _needed(program: Program) -> Program:
    """Leave out what no output depends on."""
    wanted = {value.number for value in program.outputs}
    steps = []
    for step in reversed(program.steps):
        if any(value.number in wanted for value in step.outputs):
            wanted.update(step.read())
            steps.append(step)
    return replace(program, steps=steps[::-1])


def _merged(program: Program, merge: Callable[[Step, dict[int, Step], dict[int, int]], Step | None]) -> Program:
    """Return the program with some steps replaced by ``merge(step, makers, readers)``; what they alone needed stays behind."""
    makers, readers = program.makers(), program.readers()
    return replace(program, steps=[merge(step, makers, readers) or step for step in program.steps])


def _with_linear_layers(program: Program) -> Program:
    products = _merged(program, _product)
    return _merged(products, _sum_with_bias)


def _product(step: Step, makers: dict[int, Step], _readers: dict[int, int]) -> Step | None:
    if step.operation is not MatMul or step.out.ndim != 2 or any(step.options.values()):
        return None
    x, weight = step.inputs
    turned = makers.get(weight.number) if weight is not None else None
    if turned is None or turned.operation is not Permute or tuple(turned.options["axes"]) != (1, 0):
        return None
    return replace(step, operation=linear, inputs=(x, turned.inputs[0]))


def _sum_with_bias(step: Step, makers: dict[int, Step], readers: dict[int, int]) -> Step | None:
    if step.operation is not Add:
        return None
    product, bias = step.inputs
    made = makers.get(product.number) if product is not None else None
    if made is None or bias is None or made.operation is not linear or readers[made.out.number] != 1:
        return None
    if bias.shape != made.out.shape[1:]:
        return None
    return replace(step, operation=linear, inputs=(*made.inputs, bias))


def _with_means(program: Program) -> Program:
    return _merged(program, _mean)


def _mean(step: Step, makers: dict[int, Step], readers: dict[int, int]) -> Step | None:
    if step.operation is not Div:
        return None
    total, count = step.inputs
    made = makers.get(total.number) if total is not None else None
    if made is None or count is None or made.operation is not Sum or readers[made.out.number] != 1 or count.shape:
        return None
    terms = [made.x.shape[axis] for axis in made.options["axes"]]
    numbers = count.frozen or (() if count.array is None else (count.array,))
    for recording, number in enumerate(numbers):
        sizes = [size.numbers[recording] if isinstance(size, Varying) else size for size in terms]
        if math.prod(sizes) != number:
            return None
    return replace(step, operation=mean, inputs=made.inputs, options=made.options) if numbers else None
