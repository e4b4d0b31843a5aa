"""The error classes of rawseg: each names the operation, the argument, what was expected and what came."""

from __future__ import annotations


def type_of(value: object) -> str:
    """Return what messages call the type of a value: its name, and of another library's class the module too."""
    kind = type(value)
    own = kind.__module__.partition(".")[0] in ("builtins", "numpy", "rawseg", "__main__")
    return kind.__name__ if own else f"{kind.__module__}.{kind.__name__}"


class RawsegError(Exception):
    """Base of every error that rawseg raises about its input.

    Parameters
    ----------
    op : str
        The operation, e.g. ``"conv2d"``.
    argument : str
        The argument at fault, e.g. ``"weight"``.
    expected : str
        What it must be, with the numbers.
    got : object
        What it was.
    """

    def __init__(self, op: str, argument: str, expected: str, got: object) -> None:
        super().__init__(f"{op}: {argument}: expected {expected}, got {got}")
        self.op, self.argument, self.expected, self.got = op, argument, expected, got

    def __reduce__(self):  # exceptions cross process borders by their arguments
        return type(self), (self.op, self.argument, self.expected, self.got)


class ShapeError(RawsegError, ValueError):
    """An array has the wrong shape, or a geometry leaves no output."""


class ArgumentError(RawsegError, ValueError):
    """A plain argument (not an array's shape or dtype) is outside its domain."""


class ArgumentTypeError(RawsegError, TypeError):
    """A plain argument is of the wrong type, e.g. a float where an int is needed."""


class DTypeError(RawsegError, TypeError):
    """An array has a dtype that the operation refuses, or two arrays disagree."""


class DeviceError(RawsegError, TypeError):
    """Two arrays live on different devices."""


class IndexRangeError(RawsegError, IndexError):
    """A label, stored index or batch index points outside its range."""


class GraphError(RawsegError, RuntimeError):
    """The autograd graph cannot do what was asked: freed, changed in place, not differentiable."""


class CheckpointError(RawsegError, RuntimeError):
    """A weight file or checkpoint is damaged, or does not fit the model."""


class DataError(RawsegError, ValueError):
    """An image, mask or annotation that a user gave cannot be used."""


class BackendError(RawsegError, RuntimeError):
    """A device, driver or compiler that was asked for is missing."""
