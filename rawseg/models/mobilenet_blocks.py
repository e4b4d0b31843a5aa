"""What the three MobileNets share: channel counts in steps of eight, and convolution, batch norm and activation in a row."""

from __future__ import annotations

from collections.abc import Callable

from .. import nn

__all__ = ["conv_norm", "divisible"]


def divisible(channels: float, divisor: int = 8) -> int:
    """Return the multiple of ``divisor`` nearest to a number of channels, never more than a tenth below it.

    Examples
    --------
    >>> divisible(24 * 0.75), divisible(32 * 0.35), divisible(10)
    (24, 16, 16)
    """
    nearest = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * channels else nearest


def conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 1,
    stride: int = 1,
    groups: int = 1,
    activation: Callable[[], nn.Module] | None = nn.ReLU6,
    dilation: int = 1,
    eps: float = 1e-5,
    momentum: float = 0.1,
) -> nn.Sequential:
    """Return a convolution that keeps the size (up to its stride), batch norm, and an activation if there is one."""
    padding = dilation * (kernel_size - 1) // 2
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups, "bias": False}
    layers = [nn.Conv2d(in_channels, out_channels, kernel_size, **geometry), nn.BatchNorm2d(out_channels, eps, momentum)]
    return nn.Sequential(*layers, *([] if activation is None else [activation()]))
