"""The rounding bounds of Winograd's convolution, computed from its matrices tile by tile.

With K roundings behind every product, |error| <= gamma_K |A^T| [sum_c (|G||w||G^T|) * (|B^T||x||B|)] |A|, elementwise. K
counts, at most, along any path from an input to an output: 2 in each of the two passes of B^T (a sum of two terms that are
themselves rounded once), 5 in each pass of G (a sum of three, a product, and the rounding of 1/6 and its kin), one a channel
(fused multiply-adds), 3 in each pass of A^T, and the bias: channels + 4 + 10 + 6 + 1. The gradient of the weights has 2 in each
pass of A, 2 in each of B^T, 6 in each of G^T, one a tile and one a share: tiles + 4 + 4 + 12 + 8.

What underflows comes beside it, half the smallest number a multiplication. A and B hold whole numbers, whose products are
exact where numbers are smallest. Behind an entry of G w G^T are at most three in each pass, and no row of |G| sums to more
than 3/2: less than four of the smallest numbers, which then meet |B^T||x||B| however large that is. Every product of the sum
has one of its own. G^T doubles those of the sum at most twice, and has up to four in each pass.
"""

from __future__ import annotations

import numpy as np

from rawseg_kernels._simd_winograd import MATRICES

from .bounds import gamma, smallest


def _patches(x, size, span, padding, tiles):
    """(span, span, N * th * tw, C): what every tile sees of x, zero outside."""
    top, left = padding
    reach_h, reach_w = tiles[0] * size + span, tiles[1] * size + span
    padded = np.zeros((*x.shape[:2], reach_h, reach_w))
    seen = x[:, :, max(0, -top) : reach_h - top, max(0, -left) : reach_w - left]
    at_h, at_w = max(0, top), max(0, left)
    padded[:, :, at_h : at_h + seen.shape[2], at_w : at_w + seen.shape[3]] = seen
    out = np.empty((span, span, x.shape[0] * tiles[0] * tiles[1], x.shape[1]))
    for r, s in np.ndindex(span, span):
        pixels = padded[:, :, r : r + tiles[0] * size : size, s : s + tiles[1] * size : size]  # (N, C, th, tw)
        out[r, s] = pixels.transpose(0, 2, 3, 1).reshape(out.shape[2:])
    return out


def _tiles(size, out_size):
    return -(-out_size[0] // size), -(-out_size[1] // size)


def _both(matrix, blocks):
    """``matrix @ block @ matrix.T`` for every block, whose axes come first."""
    return np.tensordot(matrix, np.tensordot(matrix, blocks, 1), (1, 1)).swapaxes(0, 1)


def forward_bound(size, x, weight, bias, padding, out_size):
    """Of a dense convolution, groups = 1: an array of the output's shape."""
    m = {name: np.abs(matrix.astype(np.float64)) for name, matrix in MATRICES[size].items()}
    th, tw = _tiles(size, out_size)
    seen = _both(m["B"].T, _patches(np.abs(x), size, size + 2, padding, (th, tw)))  # (points, tiles, C)
    products = seen @ _both(m["G"], np.abs(weight, dtype=np.float64).transpose(2, 3, 1, 0))  # (points, tiles, K)
    relative, terms = gamma(x.shape[1] + 21, np.float32), x.shape[1]
    lost = smallest(4, np.float32) * seen.sum(-1, keepdims=True) + smallest(terms, np.float32)
    tiles = _both(m["A"].T, relative * products + lost).reshape(size, size, x.shape[0], th, tw, len(weight))
    whole = tiles.transpose(2, 5, 3, 0, 4, 1).reshape(x.shape[0], len(weight), th * size, tw * size)
    return whole[:, :, : out_size[0], : out_size[1]] + relative * np.abs(bias)[:, None, None]


def weight_bound(size, grad_output, x, padding):
    """Of the gradient of the weights, groups = 1, shape (K, C, 3, 3)."""
    m = {name: np.abs(matrix.astype(np.float64)) for name, matrix in MATRICES[size].items()}
    tiles = _tiles(size, grad_output.shape[2:])
    seen = _both(m["B"].T, _patches(np.abs(x), size, size + 2, padding, tiles))  # (points, tiles, C)
    given = _both(m["A"], _patches(np.abs(grad_output), size, size, (0, 0), tiles))  # (points, tiles, K)
    sums = _both(m["G"].T, given.swapaxes(-1, -2) @ seen)  # (3, 3, K, C)
    terms = x.shape[0] * tiles[0] * tiles[1] + 28
    return gamma(terms, np.float32) * sums.transpose(2, 3, 0, 1) + smallest(2 * terms, np.float32)
