"""What is timed: layers of real networks by name, and any other that a user describes in a line.

>>> parse("conv2d", "2x64x128x128 out_channels=64 kernel_size=3 padding=1").options
{'out_channels': 64, 'kernel_size': 3, 'padding': 1}
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from ..errors import ArgumentError

_SIZES = re.compile(r"\d{1,9}(x\d{1,9})*")


class Case(NamedTuple):
    """One operation at one shape.

    ``shape`` is the input's, ``(N, C, H, W)`` for maps; ``options`` are the operation's own arguments and what its other arrays
    need, e.g. ``out_channels``.
    """

    op: str
    family: str
    name: str
    shape: tuple[int, ...]
    options: dict[str, Any]


def _value(text: str) -> int | float | str | tuple[int, ...]:
    if _SIZES.fullmatch(text):
        numbers = tuple(map(int, text.split("x")))
        return numbers[0] if len(numbers) == 1 else numbers
    try:
        return float(text)
    except ValueError:
        return text


def parse(op: str, text: str) -> Case:
    """Return the case of a line ``SIZES name=value ...``: sizes are joined by x, pairs are (height, width).

    Raises
    ------
    ArgumentError
        If the line has another form.
    """
    first, *rest = text.split() or [""]
    pairs = [item.partition("=") for item in rest]
    if not _SIZES.fullmatch(first) or not all(name.isidentifier() and value for name, _, value in pairs):
        raise ArgumentError(
            "bench", "--shape", "sizes and options, such as '2x64x128x128 out_channels=64 kernel_size=3'", repr(text)
        )
    return Case(op, "given", text, tuple(map(int, first.split("x"))), {name: _value(value) for name, _, value in pairs})


def _convolution(
    family: str, name: str, shape: tuple[int, ...], out: int, kernel: int, stride: int = 1, **options: Any
) -> Case:
    padding = options.pop("padding", options.get("dilation", 1) * (kernel // 2))
    settings = {"out_channels": out, "kernel_size": kernel, "stride": stride, "padding": padding, **options}
    return Case("conv2d", family, name, shape, settings)


def _unet() -> list[Case]:
    """U-Net of width 64 at 256 x 256, batch 2 (Ronneberger et al. 2015, padded, with batch norm)."""
    sides = {64: 256, 128: 128, 256: 64, 512: 32, 1024: 16}
    cases = [_convolution("unet", "stem 1-64 at 256", (2, 1, 256, 256), 64, 3)]
    for channels, side in sides.items():
        cases.append(_convolution("unet", f"3x3 {channels}-{channels} at {side}", (2, channels, side, side), channels, 3))
    for channels, side in ((256, 64), (1024, 32)):
        half = channels // 2
        cases.append(_convolution("unet", f"3x3 {channels}-{half} at {side}", (2, channels, side, side), half, 3))
    cases.append(_convolution("unet", "1x1 64-2 at 256", (2, 64, 256, 256), 2, 1))
    for channels, side in ((128, 128), (256, 64), (512, 32), (1024, 16)):
        options = {"out_channels": channels // 2, "kernel_size": 2, "stride": 2}
        cases.append(
            Case("conv_transpose2d", "unet", f"2x2 s2 {channels}-{channels // 2} at {side}", (2, channels, side, side), options)
        )
    for channels, side in ((64, 256), (256, 64)):
        shape, where = (2, channels, side, side), f"{channels} at {side}"
        cases.append(Case("max_pool2d", "unet", f"2x2 {where}", shape, {"kernel_size": 2}))
        cases.append(Case("max_unpool2d", "unet", f"2x2 {where}", (2, channels, side // 2, side // 2), {"kernel_size": 2}))
        for op in ("batch_norm", "batch_norm_relu", "relu"):
            cases.append(Case(op, "unet", where, shape, {}))
    cases.append(Case("interpolate", "unet", "bilinear x2 64 at 64", (2, 64, 64, 64), {"scale": 2, "mode": "bilinear"}))
    cases.append(Case("cat", "unet", "64 and 64 at 256", (2, 64, 256, 256), {}))
    cases.append(Case("cross_entropy", "unet", "2 classes at 256", (4, 2, 256, 256), {}))
    cases.append(Case("cross_entropy", "unet", "21 classes at 256", (4, 21, 256, 256), {}))
    cases.append(Case("cross_entropy", "unet", "21 classes at 512", (2, 21, 512, 512), {}))
    cases.append(Case("softmax", "unet", "21 classes at 512", (2, 21, 512, 512), {}))
    cases.append(Case("adam", "unet", "7.8 million parameters", (7_800_000,), {}))
    return cases


def _mobilenet_v2() -> list[Case]:
    """MobileNetV2 of width 1.0 at 224 x 224, batch 8 (Sandler et al. 2018, table 2)."""
    family = "mobilenet_v2"
    cases = [_convolution(family, "stem 3-32 s2 at 224", (8, 3, 224, 224), 32, 3, 2)]
    pointwise = (
        (32, 16, 112),
        (16, 96, 112),
        (24, 144, 56),
        (144, 24, 56),
        (64, 384, 14),
        (384, 64, 14),
        (960, 320, 7),
        (320, 1280, 7),
    )
    for i, o, side in pointwise:
        cases.append(_convolution(family, f"1x1 {i}-{o} at {side}", (8, i, side, side), o, 1))
    for channels, side, stride in ((32, 112, 1), (96, 112, 2), (144, 56, 1), (144, 56, 2), (384, 14, 1), (960, 7, 1)):
        name = f"depthwise {channels} s{stride} at {side}"
        cases.append(_convolution(family, name, (8, channels, side, side), channels, 3, stride, groups=channels))
    for channels, side in ((96, 112), (384, 14)):
        shape = (8, channels, side, side)
        cases += [Case(op, family, f"{channels} at {side}", shape, {}) for op in ("batch_norm", "batch_norm_relu6", "relu6")]
    cases.append(Case("add", family, "24 at 56", (8, 24, 56, 56), {}))
    cases.append(Case("adaptive_avg_pool2d", family, "1280 at 7", (8, 1280, 7, 7), {"output_size": 1}))
    cases.append(Case("linear", family, "1280-1000", (8, 1280), {"out_features": 1000}))
    cases.append(Case("cross_entropy", family, "1000 classes", (8, 1000), {}))
    return cases


def _mask_rcnn() -> list[Case]:
    """Mask R-CNN with ResNet-50 and FPN (He et al. 2017): the backbone at 224 x 224, the rest at a photograph's size."""
    family = "mask_rcnn"
    cases = [_convolution(family, "stem 7x7 s2 3-64 at 224", (4, 3, 224, 224), 64, 7, 2)]
    for i, o, side in ((64, 256, 56), (256, 64, 56), (1024, 256, 14)):
        cases.append(_convolution(family, f"1x1 {i}-{o} at {side}", (4, i, side, side), o, 1))
    cases.append(_convolution(family, "3x3 s2 128-128 at 56", (4, 128, 56, 56), 128, 3, 2))
    cases.append(_convolution(family, "3x3 256-256 at 100 (FPN, RPN)", (1, 256, 100, 100), 256, 3))
    cases.append(_convolution(family, "3x3 256-256 at 14 (mask head)", (64, 256, 14, 14), 256, 3))
    cases.append(_convolution(family, "3x3 dilation 2 256-256 at 32", (2, 256, 32, 32), 256, 3, dilation=2))
    cases.append(_convolution(family, "3x3 dilation 4 512-512 at 28", (1, 512, 28, 28), 512, 3, dilation=4))
    cases.append(_convolution(family, "3x3 32 groups 256-256 at 28", (2, 256, 28, 28), 256, 3, groups=32))
    options = {"out_channels": 256, "kernel_size": 2, "stride": 2}
    cases.append(Case("conv_transpose2d", family, "2x2 s2 256-256 at 14 (mask head)", (64, 256, 14, 14), options))
    cases.append(
        Case("max_pool2d", family, "3x3 s2 64 at 112", (4, 64, 112, 112), {"kernel_size": 3, "stride": 2, "padding": 1})
    )
    cases.append(Case("interpolate", family, "nearest x2 256 at 50 (FPN)", (1, 256, 50, 50), {"scale": 2, "mode": "nearest"}))
    for boxes, size in ((512, 7), (128, 14)):
        name = f"{boxes} boxes to {size}x{size}, 256 at 50x76"
        options = {"boxes": boxes, "output_size": size, "sampling_ratio": 2, "spatial_scale": 0.0625}
        cases.append(Case("roi_align", family, name, (2, 256, 50, 76), options))
    options = {"boxes": 512, "output_size": 7, "spatial_scale": 0.0625}
    cases.append(Case("roi_pool", family, "512 boxes to 7x7, 256 at 50x76", (2, 256, 50, 76), options))
    cases.append(Case("nms", family, "1000 boxes", (1000,), {"iou_threshold": 0.7}))
    cases.append(Case("box_iou", family, "1000 boxes and 1000", (1000,), {"others": 1000}))
    cases.append(Case("paste_masks", family, "8 of 28x28 in 800x800", (8, 1, 28, 28), {"size": (800, 800)}))
    cases.append(Case("linear", family, "12544-1024 (box head)", (512, 12544), {"out_features": 1024}))
    return cases


def _others() -> list[Case]:
    """Operations that these three networks do not have, at the shapes of others that do."""
    family = "others"
    return [
        # Wu and He 2018: a ResNet-50 with 32 groups
        Case("group_norm", family, "32 groups of 256 at 56", (4, 256, 56, 56), {"num_groups": 32}),
        # ConvNeXt-T (Liu et al. 2022), whose maps have their channels last
        Case("layer_norm", family, "96 of 8x56x56 pixels", (8 * 56 * 56, 96), {}),
        # DenseNet-121 (Huang et al. 2017): between its first two blocks
        Case("avg_pool2d", family, "2x2 128 at 56", (8, 128, 56, 56), {"kernel_size": 2}),
        # CycleGAN (Zhu et al. 2017): its residual blocks
        Case("pad", family, "reflect 1 256 at 64", (2, 256, 64, 64), {"width": 1, "mode": "reflect"}),
        Case("unfold", family, "3x3 64 at 128", (2, 64, 128, 128), {"kernel_size": 3, "padding": 1}),
        Case("grid_sample", family, "64 at 128", (2, 64, 128, 128), {}),
        # ResNet-50 (He et al. 2016)
        Case("sgd", family, "25.6 million parameters", (25_600_000,), {}),
    ]


FAMILIES = {"unet": _unet, "mobilenet_v2": _mobilenet_v2, "mask_rcnn": _mask_rcnn, "others": _others}


def named(families: list[str], ops: list[str]) -> list[Case]:
    """Return the cases of some families, of some operations if any are named.

    Raises
    ------
    ArgumentError
        If there is no such family, or no case of such an operation in them.
    """
    for family in families:
        if family not in FAMILIES:
            raise ArgumentError("bench", "--family", f"one of {tuple(FAMILIES)}", repr(family))
    cases = [case for family in families or FAMILIES for case in FAMILIES[family]()]
    for op in ops:
        if op not in {case.op for case in cases}:
            raise ArgumentError("bench", "--op", f"one of {sorted({case.op for case in cases})}", repr(op))
    return [case for case in cases if not ops or case.op in ops]
