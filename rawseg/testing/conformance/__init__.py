"""Implementations held to the contracts of operations."""

from .outcome import Failure, Outcome, Report
from .run import CHECKS, assert_conforms, check, each

__all__ = ["CHECKS", "Failure", "Outcome", "Report", "assert_conforms", "check", "each"]
