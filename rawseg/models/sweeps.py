"""The table that a network's paper is about, counted and measured on the networks themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import ArgumentError
from ..nn import Module
from ..nn.init import skipped
from .dilated import DILATIONS, ContextNetwork
from .mobilenet_v1 import MobileNetV1
from .mobilenet_v2 import MobileNetV2
from .segnet_basic import VARIANTS, SegNetBasic, storage
from .summary import summary, totals

__all__ = ["SWEEPS", "Sweep", "sweep"]

MEASURED = (176, 240)  # height and width of the image with which SegNet's storage is measured, half of CamVid's


@dataclass(frozen=True)
class Sweep:
    """A table.

    Attributes
    ----------
    title : str
        What it shows.
    headings : tuple of str
        Of the columns; numbers stand in the rows as they are.
    rows : list of tuple
        The cells.
    notes : tuple of str
        What to know when reading it.
    """

    title: str
    headings: tuple[str, ...]
    rows: list[tuple]
    notes: tuple[str, ...] = ()


def sweep(name: str) -> Sweep:
    """Return the table of a model that has one.

    Parameters
    ----------
    name : str
        One of `SWEEPS`.

    Raises
    ------
    ArgumentError
        If the model has none.
    """
    if name not in SWEEPS:
        raise ArgumentError("sweep", "name", f"one of {sorted(SWEEPS)}", repr(name))
    with skipped():  # only shapes and sizes count
        return SWEEPS[name]()


def _mobilenet_v1() -> Sweep:
    """Tables 4, 6 and 7 of the paper: width and resolution multipliers, and the full convolutions that were factored."""
    sizes, classes = (224, 192, 160, 128), 1001
    nets: list[tuple[str, Module]] = [(f"{alpha:g}", MobileNetV1(classes, alpha)) for alpha in (1.0, 0.75, 0.5, 0.25)]
    nets.append(("1, full convolutions", MobileNetV1(classes, separable=False)))
    separable, full = (totals(net, (1, 3, 224, 224)) for _, net in (nets[0], nets[-1]))
    notes = (
        f"Factored convolutions save {full.multiply_adds / separable.multiply_adds:.1f} times the multiply-adds and "
        f"{full.parameters / separable.parameters:.1f} times the parameters.",
        "A factored 3x3 convolution to N channels costs 1 / N + 1 / 9 of the full one.",
    )
    return Sweep("MobileNetV1: alpha down, rho across, 1001 classes", *_grid(nets, sizes), notes)


def _mobilenet_v2() -> Sweep:
    """Width and resolution multipliers."""
    nets: list[tuple[str, Module]] = [(f"{alpha:g}", MobileNetV2(width_mult=alpha)) for alpha in (1.4, 1.0, 0.75, 0.5, 0.35)]
    return Sweep("MobileNetV2: alpha down, rho across, 1000 classes", *_grid(nets, (224, 192, 160, 128, 96)))


def _grid(nets: list[tuple[str, Module]], sizes: tuple[int, ...]) -> tuple[tuple[str, ...], list[tuple]]:
    """Return headings and rows: parameters, and millions of multiply-adds at each size."""
    headings = ("alpha", "parameters", *(f"M products at {size}" for size in sizes))
    rows: list[tuple] = []
    for label, net in nets:
        counted = [totals(net, (1, 3, size, size)) for size in sizes]
        rows.append((label, counted[0].parameters, *(round(total.multiply_adds / 1e6, 1) for total in counted)))
    return headings, rows


def _segnet_basic() -> Sweep:
    """Table 1 of the paper: what eight decoders have to keep from the encoder, measured in an inference."""
    height, width = MEASURED
    rows, unit = [], storage(SegNetBasic(), (height, width))
    for name, variant in VARIANTS.items():
        net = SegNetBasic(variant=name)
        parameters, kept = sum(p.size for p in net.parameters()), storage(net, (height, width))
        times = "-" if variant.multiplier is None else variant.multiplier
        rows.append((name, variant.title, parameters, variant.millions, kept, round(kept / unit, 2), times, variant.mean_iou))
    headings = ("variant", "name in the paper", "parameters", "paper, M", "bytes kept", "times", "paper", "paper's mIoU")
    notes = (
        "Indices are kept in two bits a window. Adding the encoder's maps keeps 64 times as much, and the indices, too.",
        "The paper's mean IoU is of CamVid, in per cent.",
    )
    return Sweep(f"SegNet-Basic: eight decoders, 11 classes, one image of {height} x {width}", headings, rows, notes)


def _context() -> Sweep:
    """Work for a unit of receptive field, beside that of plain layers and of one large kernel."""
    rows = []
    for depth in range(1, len(DILATIONS) + 1):
        net = ContextNetwork(1, dilations=DILATIONS[:depth])
        *layers, _ = summary(net, (1, 1, 64, 64))
        assert layers[-1].receptive_field is not None
        field = layers[-1].receptive_field[0]
        products = sum(layer.multiply_adds for layer in layers) // 64**2
        plain = ContextNetwork(1, dilations=(1,) * ((field - 1) // 2))
        *plain_layers, _ = summary(plain, (1, 1, 64, 64))
        stacked = sum(layer.multiply_adds for layer in plain_layers) // 64**2
        cost = round(products / field, 2), round(stacked / field, 2), field
        rows.append((depth, DILATIONS[depth - 1], field, products, stacked, field**2, *cost))
    headings = ("layer", "dilation", "field", "products", "plain stack", "one kernel", "per row", "plain", "kernel")
    notes = (
        "Products an output pixel and pair of channels, for one receptive field three ways: dilated 3x3 layers, plain 3x3",
        "layers (as many as it takes), one large kernel; and the same for each row of the field. A layer costs 9 whatever",
        "its dilation: dilation does not make an output cheaper, it makes its receptive field cheaper.",
    )
    return Sweep("Context network: what dilation saves", headings, rows, notes)


SWEEPS: dict[str, Callable[[], Sweep]] = {
    "context": _context,
    "mobilenet_v1": _mobilenet_v1,
    "mobilenet_v2": _mobilenet_v2,
    "segnet_basic": _segnet_basic,
}
