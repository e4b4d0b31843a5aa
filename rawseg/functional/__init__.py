"""Differentiable operations on Tensors, under torch.nn.functional's names, argument order and defaults."""

from .activation import hardtanh, leaky_relu, relu, relu6, tanh
from .binary_loss import binary_cross_entropy, binary_cross_entropy_with_logits
from .border import border_weights
from .classification_loss import cross_entropy, nll_loss
from .convolution import conv2d, conv_transpose2d
from .dropout import dropout, dropout2d
from .linear import linear
from .logistic import log_softmax, logsigmoid, sigmoid, softmax, softplus
from .normalization import batch_norm
from .padding import pad
from .pooling import PoolIndices, avg_pool2d, max_pool2d
from .regression_loss import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from .resize import interpolate
from .segmentation_loss import dice_loss, jaccard_loss, weighted_cross_entropy

__all__ = [
    "PoolIndices",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "border_weights",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "dice_loss",
    "dropout",
    "dropout2d",
    "hardtanh",
    "huber_loss",
    "interpolate",
    "jaccard_loss",
    "l1_loss",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "pad",
    "relu",
    "relu6",
    "sigmoid",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
    "weighted_cross_entropy",
]
