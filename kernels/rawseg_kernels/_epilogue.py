r"""What may follow a convolution's sum before it is stored: batch normalisation by constants, and a clamp.

.. math:: y_k \leftarrow \min(\max((y_k - \mu_k)\, s_k + t_k,\ low),\ high)

computed from the *rounded* sum, in float64, and rounded once: what `rawseg_kernels.batch_norm` and `rawseg_kernels.activation`
would make of it, bit for bit, without their passes over memory (for a transposed convolution: in one, in place).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np


class Epilogue(NamedTuple):
    """What follows the sums of an output; channels of an empty ``scale`` are not normalised.

    Attributes
    ----------
    centre, scale, shift : ndarray of float64, shape (C_out,) or (0,)
        Of every output channel.
    low, high : float
        Bounds, numbers of the array's dtype; infinite ones hold nothing. NaN passes.
    """

    centre: np.ndarray
    scale: np.ndarray
    shift: np.ndarray
    low: float
    high: float


_NONE = np.empty(0)
NOTHING = Epilogue(_NONE, _NONE, _NONE, -math.inf, math.inf)
