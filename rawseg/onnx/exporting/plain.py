"""Networks that are one program from their inputs to their outputs: all but detectors."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from ...autograd import Tensor
from ...errors import ArgumentError, DTypeError, GraphError, RawsegError
from ...functional.unpooling import MaxUnpool2d
from ..graph import Graph
from .agreement import agreed
from .checking import check, compare, session
from .description import about, symbols_of
from .examples import as_inputs, more_examples
from .model_builder import OP, ModelBuilder, value_info
from .program import Program
from .recording import Recording, record
from .settings import FLOAT64_HAS_TO_BE_SAID, Settings, names_for
from .simplification import simplified
from .translations import untranslated
from .writer import Writer

__all__ = ["export", "refuse_untranslated", "state_of"]

MULTIPLE = 32  # of the sizes that a network takes if it does not say


def export(model: Any, x: Any, other_x: Any, settings: Settings) -> Any:
    """Return the checked ONNX model of a network in eval mode; see `rawseg.onnx.export`."""
    inputs, state = as_inputs(x), state_of(model)
    _check_count(model, inputs)
    _check_widths(inputs, settings)
    multiple = _multiple(model) if settings.dynamic_size else None
    examples = [inputs, *more_examples(inputs, other_x, settings.dynamic_batch, multiple)]
    recordings, form = _recorded(model, state, examples)
    program = simplified(agreed(recordings))
    refuse_untranslated(program)
    found = _written(model, program, form, state, settings)
    check(found)
    if settings.verify:
        run = session(found.SerializeToString())
        names = [one.name for one in found.graph.input]
        jumps = any(step.operation is MaxUnpool2d for step in program.steps)
        for example, recording in zip(examples, recordings):
            arrays = [one.numpy().astype(_dtype_in(settings, one), copy=False) for one in example]
            compare(run, dict(zip(names, arrays)), recording.results, jumps)
    return found


def _check_count(model: Any, inputs: Sequence[Tensor]) -> None:
    """Refuse more or fewer inputs than the network takes."""
    signature = inspect.signature(model.forward)
    try:
        signature.bind(*inputs)
    except TypeError as error:
        expected = f"one input for each argument of {type(model).__name__}.forward({', '.join(signature.parameters)})"
        raise ArgumentError(OP, "x", expected, len(inputs)) from error


def _check_widths(inputs: Sequence[Tensor], settings: Settings) -> None:
    """Refuse float64 inputs, which a function without parameters takes, unless it was said what becomes of float64."""
    for i, one in enumerate(inputs):
        if settings.is_float64_open and one.dtype == "float64":
            raise DTypeError(OP, f"x[{i}]", FLOAT64_HAS_TO_BE_SAID, one.dtype)


def state_of(model: Any) -> dict[str, Tensor]:
    """Return all parameters and buffers by name."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


def _multiple(model: Any) -> tuple[int, int]:
    multiple = getattr(model, "multiple", MULTIPLE)
    return multiple, multiple


def _dtype_in(settings: Settings, x: Tensor) -> Any:
    return settings.dtype if x.dtype == "float64" else x.dtype


def _recorded(model: Any, state: dict[str, Tensor], examples: Sequence[Sequence[Tensor]]) -> tuple[list[Recording], Any]:
    """Record the network on all examples; the first one's errors are the caller's, later ones' tell what it cannot take."""
    recordings, form = [], None
    for number, example in enumerate(examples):
        try:
            recording, returned = record(model, model, state, example)
        except Exception as error:  # of the network, which may be anybody's
            if number == 0 or (isinstance(error, GraphError) and error.op == OP):
                raise
            shapes = [one.shape for one in example]
            expected = f"a network that takes inputs of shapes {shapes}"
            if number == 1:
                expected += ", of random numbers if there is no other_x"
            got = str(error) if isinstance(error, RawsegError) else f"{type(error).__name__}: {error}"
            raise ArgumentError(OP, "other_x" if number == 1 else "dynamic_size", expected, got) from error
        if number and returned != form:
            raise GraphError(OP, "model", "outputs of the same names and nesting for every input", f"{form}, then {returned}")
        recordings.append(recording)
        form = returned
    return recordings, form


def refuse_untranslated(program: Program) -> None:
    """Raise a GraphError that names all operations without a translation."""
    missing = untranslated(program.steps)
    if missing:
        raise GraphError(OP, "model", "operations that have a translation to ONNX", "; ".join(missing))


def _written(model: Any, program: Program, form: Any, state: dict[str, Tensor], settings: Settings) -> Any:
    ins, outs = _names(model, program, form, state, settings)
    builder = ModelBuilder(settings.opset, settings.dtype, [*ins, *outs, *state])
    names = Writer(builder, program, {value.number: name for value, name in zip(program.inputs, ins)}).run()
    for name, value in zip(outs, names):
        builder.give(name, value)
    shapes = symbols_of(program, ins, outs)
    inputs, outputs = (
        [value_info(name, builder.dtype(value.dtype), shape) for value, name, shape in zip(values, group, own)]
        for values, group, own in ((program.inputs, ins, shapes[0]), (program.outputs, outs, shapes[1]))
    )
    return builder.model(getattr(model, "name", type(model).__name__), inputs, outputs, about(model))


def _names(
    model: Any, program: Program, form: Any, state: dict[str, Tensor], settings: Settings
) -> tuple[list[str], list[str]]:
    """Return the names of inputs and outputs, none of which may be another's or a parameter's."""
    given, made = (model.input_names, model.output_names) if isinstance(model, Graph) else ([], [])
    ins = names_for("input_names", settings.input_names, given or "input", len(program.inputs))
    own = made if not set(made) & {*ins, *state} else []  # a Graph may hand on an input or a weight as it is
    outs = names_for("output_names", settings.output_names, own or _keys(form) or "output", len(program.outputs))
    if taken := sorted(set(ins) & set(state)):
        raise ArgumentError(OP, "input_names", "names that no parameter has", taken)
    if taken := sorted(set(outs) & {*ins, *state}):
        raise ArgumentError(OP, "output_names", "names that are neither inputs' nor parameters'", taken)
    return ins, outs


def _keys(form: Any) -> list[str]:
    """Return the keys of a dictionary of Tensors, which name the outputs; nothing for what has no such keys."""
    if not isinstance(form, dict) or not all(isinstance(part, int) for part in form.values()):
        return []
    return list(form) if all(isinstance(key, str) and key for key in form) else []
