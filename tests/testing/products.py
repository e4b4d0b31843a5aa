"""One function, written for every framework: ``x * x * w * power``, with its gradients."""

from __future__ import annotations

import numpy as np
import torch

import rawseg

X, W = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([[2.0, 0.25], [-1.0, 4.0]])
UP, SEED = np.array([[1.0, 2.0], [3.0, -1.0]]), [np.array([[0.5, 1.0], [2.0, 1.0]]), np.array([[1.0, -3.0], [1.0, 2.0]])]


class Array:
    """What `Module` wraps arrays in, so that a NumPy array in its place is seen."""

    def __init__(self, array):
        self.array = array

    def __mul__(self, other):
        return Array(self.array * (other.array if isinstance(other, Array) else other))


class Module:
    """In CuPy's place."""

    ndarray = Array

    @staticmethod
    def asarray(array):
        assert isinstance(array, np.ndarray)
        return Array(array.copy())

    @staticmethod
    def asnumpy(array):
        return array.array


def product(x, w, power=1):
    return x * x * w * power


def product_backward(grad_output, x, w, power=1):
    return grad_output * x * w * (2 * power), grad_output * x * x * power


class Product(rawseg.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, power=1):
        ctx.save(x, w)
        ctx.power = power
        return x * x * w * power

    @staticmethod
    def backward(ctx, grad_output):
        x, w = ctx.saved
        return grad_output * x * w * (2 * ctx.power), grad_output * x * x * ctx.power


class TorchProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, power=1):
        ctx.save_for_backward(x, w)
        ctx.power = power
        return x * x * w * power

    @staticmethod
    def backward(ctx, grad_output):
        x, w = ctx.saved_tensors
        return grad_output * x * w * 2 * ctx.power, grad_output * x * x * ctx.power, None


class Pair:
    forward, backward = staticmethod(product), staticmethod(product_backward)
