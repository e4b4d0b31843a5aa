"""How far a result may be from the exact one: rules, of which every operation obeys one. Each file derives its own.

- `Moved`: numbers are chosen, copied or set to a constant.
- `Multilinear`: sums of products, as a convolution.
- `Pointwise`: a smooth function of one number, as a sigmoid.
- `Smooth`: any other smooth function, as a softmax or a loss.
- `Resampled` and `Resized`: sums whose weights come of coordinates that are rounded themselves.

`bounds` holds what all of them are made of, and `winograd` the bound of an algorithm that is no sum of products.
"""

from .coordinates import Resampled, Resized
from .moved import Moved
from .multilinear import Multilinear
from .pointwise import Pointwise
from .rule import Arrays, Exact, Rule
from .smooth import Smooth
from .terms import Counted, Stated

__all__ = [
    "Arrays",
    "Counted",
    "Exact",
    "Moved",
    "Multilinear",
    "Pointwise",
    "Resampled",
    "Resized",
    "Rule",
    "Smooth",
    "Stated",
]
