"""Differentiable operations on Tensors, under torch.nn.functional's names, argument order and defaults."""

from .activation import (
    celu,
    elu,
    gelu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    mish,
    relu,
    relu6,
    selu,
    silu,
    tanh,
)
from .adaptive_pooling import adaptive_avg_pool2d, adaptive_max_pool2d
from .binary_loss import binary_cross_entropy, binary_cross_entropy_with_logits
from .border import border_weights
from .classification_loss import cross_entropy, nll_loss
from .convolution import conv2d, conv_transpose2d
from .dropout import dropout, dropout2d
from .focal_loss import focal_loss, sigmoid_focal_loss
from .group_normalization import group_norm, instance_norm
from .layer_normalization import layer_norm
from .linear import linear
from .logistic import log_softmax, logsigmoid, sigmoid, softmax, softplus
from .lovasz_loss import lovasz_hinge, lovasz_softmax
from .normalization import batch_norm
from .one_hot import one_hot
from .padding import pad
from .pooling import PoolIndices, avg_pool2d, max_pool2d
from .regression_loss import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from .resize import interpolate
from .sampling import affine_grid, grid_sample
from .segmentation_loss import dice_loss, jaccard_loss, tversky_loss, weighted_cross_entropy
from .shuffling import pixel_shuffle, pixel_unshuffle
from .unpooling import max_unpool2d
from .windows import fold, unfold

__all__ = [
    "PoolIndices",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "affine_grid",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "border_weights",
    "celu",
    "conv2d",
    "conv_transpose2d",
    "cross_entropy",
    "dice_loss",
    "dropout",
    "dropout2d",
    "elu",
    "focal_loss",
    "fold",
    "gelu",
    "grid_sample",
    "group_norm",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "jaccard_loss",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "lovasz_hinge",
    "lovasz_softmax",
    "max_pool2d",
    "max_unpool2d",
    "mish",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "sigmoid_focal_loss",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "tanh",
    "tversky_loss",
    "unfold",
    "weighted_cross_entropy",
]
