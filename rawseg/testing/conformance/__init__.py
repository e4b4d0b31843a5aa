"""Implementations held to the contracts of operations."""

from .asserting import assert_conforms, each
from .outcome import Failure, Outcome, Report
from .run import CHECKS, check

__all__ = ["CHECKS", "Failure", "Outcome", "Report", "assert_conforms", "check", "each"]
