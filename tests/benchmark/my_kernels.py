"""Foreign kernels for the bench: a right one, a wrong one, one that raises, and one that prints."""

from __future__ import annotations

import numpy as np

from rawseg_kernels import conv2d


def right(x, weight, *geometry):
    print("not JSON")
    return conv2d.forward(x, weight, *geometry, algorithm="direct")


def wrong(x, weight, *geometry):
    return conv2d.forward(x, weight, *geometry) * np.float32(1.001)


def broken(x, weight, *geometry):
    raise RuntimeError("no such shape")


class Pair:
    """Forward and one gradient."""

    backward_weight = staticmethod(conv2d.backward_weight)

    def __call__(self, *arguments):
        return conv2d.forward(*arguments)


pair = Pair()
