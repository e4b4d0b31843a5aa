"""Golden vectors: every contract as files, for array libraries in any language."""

from .folder import write

__all__ = ["write"]
