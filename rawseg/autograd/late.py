"""The class Tensor for the modules that it is built from; `tensor` puts it here as soon as there is one.

They cannot import it at their top, and an import inside a function takes as long as a small sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tensor import Tensor as Tensor
