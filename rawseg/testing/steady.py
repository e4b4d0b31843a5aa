"""Hypothesis without a look at the code around it: the same draws wherever, and after whatever was imported."""

from __future__ import annotations

from typing import Any

from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, HypothesisProvider

STEADY = "rawseg-steady"  # for `settings(backend=...)`

# It is private, and would be overridden in vain under another name.
assert hasattr(HypothesisProvider, "_maybe_draw_constant"), "hypothesis draws constants in another way: see SteadyProvider"


class SteadyProvider(HypothesisProvider):
    """Hypothesis' own way to draw, less one thing.

    Since version 6.131 it also draws numbers that it finds in the sources of imported modules outside of site-packages. That
    finds more, but what is drawn then depends on the reader's files, and a folder .hypothesis is left where he stands.
    """

    def _maybe_draw_constant(self, *choice: Any, **options: Any) -> Any:
        return None


AVAILABLE_PROVIDERS[STEADY] = SteadyProvider
