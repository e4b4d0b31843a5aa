"""Foreign kernels for the bench: a right one, a wrong one, one that raises, and one that prints."""

from __future__ import annotations

import numpy as np

from rawseg_kernels import conv2d


def right(x, weight, bias, stride, padding, dilation, groups):
    print("not JSON")
    return conv2d.reference.forward(x, weight, bias, *geometry(x, weight, stride, padding, dilation, groups))


def geometry(x, weight, stride, padding, dilation, groups):
    reach = [(weight.shape[2 + i] - 1) * dilation[i] + 1 for i in (0, 1)]
    size = tuple((x.shape[2 + i] + 2 * padding[i] - reach[i]) // stride[i] + 1 for i in (0, 1))
    return size, stride, padding, dilation, groups


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
