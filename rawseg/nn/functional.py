"""`rawseg.functional`, where users of ``torch.nn.functional`` look for it."""

from ..functional import *  # noqa: F403
from ..functional import __all__ as __all__
