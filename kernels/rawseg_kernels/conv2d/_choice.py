"""Which algorithm ``"auto"`` is: a rule of the shape without the batch, the dtype and the precision that was asked for.

Never of threads, vector widths or timings, so that the bits of a result do not depend on them. Winograd's transforms are work
for each channel on either side, the products for each pair of them: what decides is how many pairs there are for a channel,
and how well a row of tiles fills vectors. The limits are where one algorithm overtook the other on machines with AVX-512, for
batches of 1 to 4 and one or two threads alike; narrower vectors lose less of a narrow map and gain sooner.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._precision import get_precision

MOST_SHARES = 4  # output channels of one input channel, and
MOST_TAPS = 49  # of a kernel: above, matrix products are faster than planes
TILES = {"fast": "winograd4", "balanced": "winograd2"}
SHORTEST_SIDE = 8  # of the map that a dense convolution makes: of a single smaller one, the weights take most of the time
SHORTEST_PART = 7  # of a map whose weights' gradient is summed, and of each of those that a dilated convolution makes: many


class Limits(NamedTuple):
    """The least that pays."""

    pairs: int  # of channels, for each channel, however wide the map
    work: int  # the same times the pixels of a row


LIMITS = {
    ("winograd4", False): Limits(10, 640),  # forward and backward_input
    ("winograd2", False): Limits(64, 1536),
    ("winograd4", True): Limits(7, 256),  # backward_weight, whose direct sums are slower
    ("winograd2", True): Limits(16, 256),
}


def possible(verb, kernel_size, stride, dilation, channels, dtype):
    """Return the names that the precision allows and that can compute this; arguments as in `choose`."""
    names = ["im2col"]
    if channels[0] == 1:
        names.append("depthwise")
    if dtype == np.float32 and tuple(kernel_size) == (3, 3) and stride == (1, 1) and get_precision() != "exact":
        names += ["winograd2"] if dilation == (1, 1) else []
        names += ["winograd4"] if get_precision() == "fast" else []
    return names


def choose(verb, kernel_size, stride, dilation, channels, out_size, dtype):
    """Return the name of an algorithm.

    Parameters
    ----------
    verb : str
        "forward", "backward_input" or "backward_weight".
    kernel_size, stride, dilation, out_size : (int, int)
        Of the convolution.
    channels : (int, int)
        Of the input and of the output, of one group.
    dtype : dtype
        Of the arrays.
    """
    if channels[0] == 1 and channels[1] <= MOST_SHARES and kernel_size[0] * kernel_size[1] <= MOST_TAPS:
        return "depthwise"
    winograd, of_weights = TILES.get(get_precision()), verb == "backward_weight"
    if winograd is None or dtype != np.float32 or tuple(kernel_size) != (3, 3) or stride != (1, 1):
        return "im2col"
    if dilation != (1, 1) and winograd == "winograd2":  # no gain
        return "im2col"
    pairs = channels[0] * channels[1] // (channels[0] + channels[1])
    height, width = out_size[0] // dilation[0], out_size[1] // dilation[1]
    least = LIMITS[winograd, of_weights]
    shortest = SHORTEST_SIDE if dilation == (1, 1) and not of_weights else SHORTEST_PART
    pays = pairs >= least.pairs and pairs * width >= least.work and min(height, width) >= shortest
    return winograd if pays else "im2col"
