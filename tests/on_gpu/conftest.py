"""Where tests get the arrays of a device: the stand-in's, or with ``--device cuda`` those of the GPU that is here."""

from __future__ import annotations

import pytest
from on_gpu.pretended_cupy import pretended


@pytest.fixture(scope="module")
def cupy(request):
    """CuPy, or the stand-in for it; ``asarray`` makes arrays, and ``.to("cuda")`` brings Tensors there."""
    if request.config.getoption("device") == "cuda":
        import cupy  # type: ignore[import-not-found]

        yield cupy
    else:
        with pretended() as module:
            yield module
