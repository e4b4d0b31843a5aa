"""Seeds of arrays.

hypothesis takes integers of a hundred and more from the source files around it now and then. Seeds stay below, so that the same
cases are drawn in every folder.
"""

from __future__ import annotations

from hypothesis import strategies as st

SEEDS = st.integers(0, 99)
