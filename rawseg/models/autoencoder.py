"""Autoencoders: an image through a few numbers and back; one of matrices, one of convolutions with three ways back up."""

from __future__ import annotations

from typing import Any

from rawseg_kernels._arrays import integer

from .. import functional as F
from .. import nn
from ..autograd import Tensor
from ..errors import ArgumentError, ShapeError

__all__ = ["Autoencoder", "ConvAutoencoder", "autoencoder", "conv_autoencoder"]


class Autoencoder(nn.Module):
    """Two linear layers with a ReLU between: every pixel meets every number of the code.

    Parameters
    ----------
    size : int
        Height and width of the images, which have one channel.
    code : int
        Numbers between.

    Notes
    -----
    The output holds logits: `F.sigmoid` of it is the image, `F.binary_cross_entropy_with_logits` the loss. 784-32-784 has
    50,992 parameters.
    """

    name = "autoencoder"

    def __init__(self, size: int = 28, code: int = 32) -> None:
        super().__init__()
        self.size = integer(self.name, "size", size, 1)
        self.config = {"size": size, "code": integer(self.name, "code", code, 1)}
        self.typical_size = (size, size)
        self.encoder = nn.Linear(size * size, code)
        self.decoder = nn.Linear(code, size * size)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, of the images' shape (N, 1, size, size)."""
        return self.decode(self.encode(x)[0])

    def encode(self, x: Tensor) -> tuple[Tensor, list]:
        """Return the codes, shape (N, code), and nothing else that the decoder would need."""
        _check(self.name, x, self.size)
        return F.relu(self.encoder(x.reshape(x.shape[0], self.size**2))), []

    def decode(self, code: Tensor, kept: list | None = None) -> Tensor:
        """Return logits for codes."""
        return self.decoder(code).reshape(code.shape[0], 1, self.size, self.size)


class ConvAutoencoder(nn.Module):
    """Three convolutions with pooling, and three back up: 32 numbers between for 28 x 28 pixels, as in `Autoencoder`.

    Parameters
    ----------
    size : int
        Height and width of the images, which have one channel.
    widths : (int, int, int)
        Channels after each convolution; those of the last, on an eighth of the size, are the code.
    up : str
        ``"unpool"``: elements go back to where the poolings found them, so the decoder is told more than the code;
        ``"nearest"``: each pixel is copied to four; ``"transposed"``: transposed convolutions of stride 2.

    Notes
    -----
    The output holds logits, as that of `Autoencoder`.
    """

    name = "conv_autoencoder"

    def __init__(self, size: int = 28, widths: tuple[int, int, int] = (32, 16, 2), up: str = "nearest") -> None:
        super().__init__()
        if up not in ("unpool", "nearest", "transposed"):
            raise ArgumentError(self.name, "up", "'unpool', 'nearest' or 'transposed'", repr(up))
        if len(widths) != 3:
            raise ArgumentError(self.name, "widths", "three numbers of channels", list(widths))
        self.size, self.up = integer(self.name, "size", size, 8), up
        a, b, c = (integer(self.name, "widths", width, 1) for width in widths)
        self.config = {"size": size, "widths": [a, b, c], "up": up}
        self.typical_size = (size, size)
        self.encoder = nn.ModuleList([nn.Conv2d(i, o, 3, padding=1) for i, o in ((1, a), (a, b), (b, c))])
        self.pool = nn.MaxPool2d(2, ceil_mode=True, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)
        if up == "transposed":
            self.decoder = nn.ModuleList([nn.ConvTranspose2d(i, o, 3, 2, 1) for i, o in ((c, b), (b, a), (a, a))])
        else:
            self.decoder = nn.ModuleList([nn.Conv2d(i, o, 3, padding=1) for i, o in ((c, b), (b, a), (a, a))])
        self.head = nn.Conv2d(a, 1, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, of the images' shape (N, 1, size, size)."""
        return self.decode(*self.encode(x))

    def encode(self, x: Tensor) -> tuple[Tensor, list]:
        """Return the codes, shape (N, widths[2], H / 8, W / 8), and what the decoder must be told besides: sizes or indices."""
        _check(self.name, x, self.size)
        kept = []
        for convolution in self.encoder:
            x = F.relu(convolution(x))
            size = x.shape[2:]
            x, indices = self.pool(x)
            kept.append(indices if self.up == "unpool" else size)
        return x, kept

    def decode(self, code: Tensor, kept: list) -> Tensor:
        """Return logits for codes."""
        x = code
        for layer, told in zip(self.decoder, reversed(kept)):
            if self.up == "unpool":
                x = layer(self.unpool(x, told))
            elif self.up == "nearest":
                x = layer(F.interpolate(x, size=told, mode="nearest"))
            else:
                x = layer(x, output_size=told)
            x = F.relu(x)
        return self.head(x)


def _check(op: str, x: Tensor, size: int) -> None:
    if x.ndim != 4 or x.shape[1:] != (1, size, size):
        raise ShapeError(op, "input", f"shape (N, 1, {size}, {size})", f"shape {x.shape}")


def autoencoder(size: int = 28, code: int = 32) -> Autoencoder:
    """Return the fully connected autoencoder: 50,992 parameters for 784-32-784."""
    return Autoencoder(size, code)


def conv_autoencoder(**options: Any) -> ConvAutoencoder:
    """Return the convolutional autoencoder, with one of three ways back up (up=)."""
    return ConvAutoencoder(**options)
