"""The class Tensor for the modules that it is built from, and for it the backward pass: `tensor` and `engine` put them here.

Those cannot import it at their top, and an import inside a function takes as long as a small sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engine import backward as backward
    from .tensor import Tensor as Tensor
