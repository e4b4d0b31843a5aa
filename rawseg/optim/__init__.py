"""Update rules, learning-rate schedules and gradient clipping, under torch.optim's names.

>>> import rawseg
>>> from rawseg import optim
>>> x = rawseg.tensor([3.0], requires_grad=True)
>>> optimizer = optim.SGD([x], lr=0.5)
>>> (x * x).sum().backward()
>>> optimizer.step()
>>> x
tensor([0.], requires_grad=True)
"""

from . import lr_scheduler
from .adam import Adam, AdamW
from .clip_grad import clip_grad_norm_, clip_grad_value_
from .optimizer import Optimizer
from .sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm_", "clip_grad_value_", "lr_scheduler"]
