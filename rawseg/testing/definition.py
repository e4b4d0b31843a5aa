"""The exact side of every comparison: rawseg's function in float64 with every kernel as its plain loops."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .adapters import Adapter, adapt, placed
from .case import Case
from .contracts.contract import Contract
from .plain import plain_kernels
from .rounding import Arrays


class Definition:
    """What a contract's operation is by definition.

    Parameters
    ----------
    contract : Contract
        The operation.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._function: Adapter = adapt(contract.function, framework="rawseg")

    def wanted(self, case: Case) -> list[bool]:
        """Return which arrays of the case have a gradient."""
        return case.arguments(*self.contract.gradients)

    def values(self, case: Case) -> Arrays:
        """Return the outputs in float64 (integers as they are)."""
        wide = case.astype(np.float64)
        with plain_kernels():
            return self._called_as(case).values(wide.values, dict(wide.options))

    def gradients(self, case: Case, directions: Sequence[np.ndarray]) -> Arrays:
        """Return the gradients of the sum of outputs times directions, for the arrays of the contract that are there."""
        wide, wanted = case.astype(np.float64), self.wanted(case)
        with plain_kernels():
            return self._called_as(case).gradients(wide.values, dict(wide.options), wanted, _wide(directions))

    def second(self, case: Case, directions: Sequence[np.ndarray], seeds: Sequence[np.ndarray]) -> Arrays:
        """Return the gradients of the sum of gradients times seeds: for the arrays, then for the directions."""
        wide, wanted = case.astype(np.float64), self.wanted(case)
        with plain_kernels():
            return self._called_as(case).second(wide.values, dict(wide.options), wanted, _wide(directions), _wide(seeds))

    def _called_as(self, case: Case) -> Adapter:
        return placed(self._function, case, self.contract.function)


def _wide(arrays: Sequence[np.ndarray]) -> Arrays:
    return [np.asarray(array, np.float64) for array in arrays]
