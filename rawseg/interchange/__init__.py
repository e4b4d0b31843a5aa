"""Weights of elsewhere: PyTorch's files, names of other versions, and packages that networks come in."""

from .fitting import compare
from .pickled import is_pickled
from .report import Report

__all__ = ["Report", "compare", "is_pickled"]
