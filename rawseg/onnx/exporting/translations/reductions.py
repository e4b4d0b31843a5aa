"""From many elements to fewer."""

from __future__ import annotations

from ....autograd import reductions
from ....functional.logistic import LogSoftmax, Softmax
from ..program import Step
from ..simplification import mean
from ..versions import reduced
from ..writer import Writer
from .registry import translates


def average(w: Writer, x: str, axes: tuple[int, ...], keepdims: bool) -> str:
    """Add a mean over axes."""
    return reduced(w.builder, "ReduceMean", x, axes, keepdims)


@translates(reductions.Sum)
def total(w: Writer, step: Step) -> str:
    """Translate a sum."""
    return reduced(w.builder, "ReduceSum", w.name(step.x), step.options["axes"], step.options["keepdims"])


@translates(mean)
def mean_over_axes(w: Writer, step: Step) -> str:
    """Translate a sum that is divided by the number of its terms."""
    return average(w, w.name(step.x), step.options["axes"], step.options["keepdims"])


@translates(reductions.CumSum)
def cumsum(w: Writer, step: Step) -> str:
    """Translate running sums."""
    return w.node("CumSum", *w.inputs(step), w.builder.constant(step.options["axis"], "int64"))


@translates(reductions.Extremum)
def extremum(w: Writer, step: Step) -> str:
    """Translate the largest or the smallest over axes."""
    op = {"amax": "ReduceMax", "amin": "ReduceMin"}[step.options["name"]]
    return reduced(w.builder, op, w.name(step.x), step.options["axes"], step.options["keepdims"])


@translates(reductions.position)
def position(w: Writer, step: Step) -> str:
    """Translate where the largest or the smallest is; ONNX takes the first of equal ones, too."""
    op = {"argmax": "ArgMax", "argmin": "ArgMin"}[step.options["name"]]
    (x,), dim, keepdim = w.inputs(step), step.options["dim"], step.options["keepdim"]
    if dim is not None:
        return w.node(op, x, axis=dim, keepdims=int(keepdim))
    found = w.node(op, w.node("Reshape", x, w.builder.ints(-1)), axis=0, keepdims=0)
    return w.node("Reshape", found, w.builder.ints(*[1] * step.out.ndim)) if keepdim else found


@translates(reductions.along)
def along(w: Writer, step: Step) -> list[str]:
    """Translate the largest or the smallest along an axis, together with where it is."""
    (x,), name = w.inputs(step), step.options["name"]
    axis, keepdim = step.options["dim"], step.options["keepdim"]
    axis = axis % step.x.ndim
    values = reduced(w.builder, {"max": "ReduceMax", "min": "ReduceMin"}[name], x, (axis,), keepdim)
    return [values, w.node({"max": "ArgMax", "min": "ArgMin"}[name], x, axis=axis, keepdims=int(keepdim))]


@translates(reductions.truth)
def truth(w: Writer, step: Step) -> str:
    """Translate ``all`` and ``any``: the smallest and the largest of zeros and ones."""
    (x,) = w.inputs(step)
    value = step.x
    if value.dtype.kind != "b":
        x = w.node("Not", w.node("Equal", x, w.number(0, value)))  # type: ignore[arg-type]
    dim = step.options["dim"]
    axes = tuple(range(value.ndim)) if dim is None else tuple(dim) if isinstance(dim, (tuple, list)) else (dim,)
    op = {"all": "ReduceMin", "any": "ReduceMax"}[step.options["name"]]
    return w.builder.cast(reduced(w.builder, op, w.builder.cast(x, "float32"), axes, step.options["keepdim"]), "bool")


@translates(Softmax, LogSoftmax)
def softmax(w: Writer, step: Step) -> str:
    """Translate probabilities and their logarithms; before opset 13 the operator takes all axes from one on as one."""
    op = "Softmax" if step.operation is Softmax else "LogSoftmax"
    (x,), axis, last = w.inputs(step), step.options["axis"], step.out.ndim - 1
    if w.opset >= 13 or axis == last:
        return w.node(op, x, axis=axis)
    order = [last if i == axis else axis if i == last else i for i in range(last + 1)]
    return w.node("Transpose", w.node(op, w.node("Transpose", x, perm=order), axis=last), perm=order)
