"""The contracts of all operations, by public name."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from ...errors import ArgumentError
from .contract import Contract, Edge, Refusal

__all__ = ["WITHOUT_CONTRACT", "Contract", "Edge", "Refusal", "contract_of", "contracts"]


# Public functions that have none, and why.
WITHOUT_CONTRACT = {
    "dropout": "which elements it drops is drawn, by everybody's own generator",
    "dropout2d": "which channels it drops is drawn, by everybody's own generator",
}


@cache
def contracts() -> dict[str, Contract]:
    """Return every contract by the name of its operation, family by family."""
    families = [import_module(f".{module.name}", __name__) for module in iter_modules(__path__)]
    return {contract.op: contract for family in families for contract in getattr(family, "CONTRACTS", ())}


def contract_of(op: str, caller: str = "check") -> Contract:
    """Return the contract of an operation.

    Parameters
    ----------
    op : str
        Its public name.
    caller : str
        Who is told where there is none.

    Raises
    ------
    ArgumentError
        If there is none; it says which names are like it.
    """
    if op not in contracts():
        like = get_close_matches(str(op), contracts(), cutoff=0.5)
        named = f"{', '.join(like)}?" if like else "public functions of rawseg.functional and rawseg.ops"
        raise ArgumentError(caller, "op", f"one of the {len(contracts())} operations ({named})", repr(op))
    return contracts()[op]
