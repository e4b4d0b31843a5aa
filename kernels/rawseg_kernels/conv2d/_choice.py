"""Which algorithm ``"auto"`` is: a rule of the shape without the batch, the dtype and the precision that was asked for.

Never of threads or timings, so that the bits of a result do not depend on them. The limits are where one algorithm overtook the
other on machines with AVX-512, at one and at two threads.
"""

from __future__ import annotations

import numpy as np

from .._precision import get_precision

FEWEST_CHANNELS = {"winograd4": 32, "winograd2": 64}  # on both sides of a group: the transforms must pay
SHORTEST_SIDE = 12  # of the pixels that one dense convolution makes: smaller maps are mostly the tiles' margins
MOST_SHARES = 4  # output channels of one input channel, and
MOST_TAPS = 49  # of a kernel: above, matrix products are faster than planes
TILES = {"fast": "winograd4", "balanced": "winograd2"}


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
    winograd = TILES.get(get_precision())
    if winograd is None or dtype != np.float32 or tuple(kernel_size) != (3, 3) or stride != (1, 1):
        return "im2col"
    if min(channels) < FEWEST_CHANNELS[winograd] or any(out_size[i] < SHORTEST_SIDE * dilation[i] for i in (0, 1)):
        return "im2col"
    return "im2col" if verb == "backward_weight" and dilation != (1, 1) else winograd
