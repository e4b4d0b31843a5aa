"""What is timed: the named layers exist as operations, and lines of a user are read or refused."""

from __future__ import annotations

import pytest

from rawseg.benchmark import run
from rawseg.benchmark.cases import FAMILIES, Case, named, parse
from rawseg.benchmark.passes import array, first
from rawseg.benchmark.worker import PASSES, passes_of
from rawseg.errors import ArgumentError

SMALL = {  # the least that still has every pass
    "conv2d": "1x4x9x9 out_channels=4 kernel_size=3 padding=1",
    "conv_transpose2d": "1x4x5x5 out_channels=3 kernel_size=2 stride=2",
    "max_pool2d": "1x2x6x6 kernel_size=2",
    "max_unpool2d": "1x2x3x3 kernel_size=2",
    "adaptive_avg_pool2d": "2x3x5x5 output_size=1",
    "interpolate": "1x2x4x4 scale=2 mode=bilinear",
    "roi_align": "1x3x8x8 boxes=4 output_size=2",
    "batch_norm": "2x3x4x4",
    "batch_norm_relu": "2x3x4x4",
    "batch_norm_relu6": "2x3x4x4",
    "relu": "2x3x4x4",
    "relu6": "2x3x4x4",
    "add": "2x3x4x4",
    "cat": "2x3x4x4",
    "linear": "3x5 out_features=4",
    "cross_entropy": "2x3x4x4",
    "softmax": "2x3x4x4",
    "layer_norm": "6x5",
    "group_norm": "2x4x4x4 num_groups=2",
    "avg_pool2d": "1x2x6x6 kernel_size=2",
    "unfold": "1x2x5x5 kernel_size=3 padding=1",
    "pad": "1x2x5x5 width=1 mode=reflect",
    "grid_sample": "1x2x6x7",
    "nms": "30 iou_threshold=0.5 size=60x80",
    "box_iou": "12 others=5 size=60x80",
    "roi_pool": "1x3x8x8 boxes=4 output_size=2",
    "paste_masks": "3x1x5x5 size=20x24",
    "adam": "100",
    "sgd": "100",
}
MORE = (  # where an option changes what is right
    ("conv2d", "1x4x9x9 out_channels=4 kernel_size=3 padding=2 dilation=2 groups=2"),
    ("conv2d", "2x3x12x9 out_channels=5 kernel_size=3x2 stride=2x1 padding=1x0"),
    ("conv2d", "1x16x24x40 out_channels=16 kernel_size=3"),
    ("conv_transpose2d", "1x4x5x5 out_channels=4 kernel_size=3 stride=2 padding=1 output_padding=1 groups=2"),
    ("max_pool2d", "1x2x7x7 kernel_size=3 stride=2 padding=1"),
    ("interpolate", "1x2x4x4 scale=3 mode=nearest"),
    ("avg_pool2d", "1x2x7x7 kernel_size=3 stride=2 padding=1"),
    ("pad", "1x2x5x5 width=2"),
)
LAYOUTS = "torch", "torch channels_last"


def test_every_operation_has_a_small_case():
    assert set(SMALL) == set(PASSES)


def test_named_cases_are_of_known_operations_and_no_two_are_alike():
    cases = named([], [])
    assert {case.op for case in cases} <= set(PASSES)
    assert len({(case.op, case.name) for case in cases}) == len(cases)
    assert {case.family for case in cases} == set(FAMILIES)
    assert [case.name for case in named(["mobilenet_v2"], ["conv2d"])] == [
        case.name for case in FAMILIES["mobilenet_v2"]() if case.op == "conv2d"
    ]


def request(**changes):
    return {"threads": 1, "repeats": 1, "seconds": 0.0, "algorithms": [], "torch": True, "check": True, **changes}


@pytest.mark.gate
@pytest.mark.parametrize(("op", "text"), [*SMALL.items(), *MORE])
def test_every_algorithm_of_every_pass_is_right_and_timed_beside_both_layouts(op, text):
    import torch

    from rawseg.benchmark.worker import rows

    with torch.no_grad():
        case = parse(op, text)
        items = passes_of(case)
        for item in items:
            found = list(rows(case, item, request(), None))
            assert found
            for row in found:
                assert "wrong" not in row, row
                assert row["ratio"] <= 1
                assert row["deterministic"]
                assert len(row["ms"]) == 1
                assert row["bytes"] > 0
                if item.theirs is not None:
                    assert row["torch"][0] > 0
            assert sum(row["auto"] for row in found) == 1
            assert ("torch channels_last" in found[0]) == (item.theirs is not None and any(a.ndim == 4 for a in item.arrays))


@pytest.mark.parametrize("op", SMALL)
def test_a_result_that_is_off_by_more_than_rounding_is_found(op):
    import torch

    from rawseg.benchmark.worker import check

    with torch.no_grad():
        for item in passes_of(parse(op, SMALL[op])):
            exact = item.exact()
            function = getattr(item.room, item.verb, None)
            right = array(item.ours(function, *item.arrays)()).copy()
            assert "wrong" not in check(item, item.chosen, right, exact)
            right.flat[0] += 1 if right.dtype.kind == "i" else 1e-2 * max(1.0, float(abs(exact).max()))
            assert "off by more than rounding" in check(item, item.chosen, right, exact)["wrong"]
            assert f"expected {right.dtype}" in check(item, item.chosen, right[:0], exact)["wrong"]
            if right.dtype.kind == "f":
                right.flat[0] = float("nan")
                assert "wrong" in check(item, item.chosen, right, exact)


@pytest.mark.parametrize("op", sorted(set(SMALL) - {"nms"}))  # how many boxes stay, only numbers tell
def test_pytorchs_side_stays_where_its_operands_are(op):
    """On a device without numbers, where an operand of the CPU is refused; a GPU would refuse it, too."""
    import torch

    with torch.no_grad():
        for item in passes_of(parse(op, SMALL[op])):
            if item.theirs is not None:
                operands = [torch.from_numpy(array).to("meta") for array in item.arrays]
                assert first(item.theirs(*operands)()).device.type == "meta"


def test_lines_are_read():
    case = parse("conv2d", "2x3x12x9 out_channels=5 kernel_size=3x2 stride=2")
    assert case == Case(
        "conv2d",
        "given",
        "2x3x12x9 out_channels=5 kernel_size=3x2 stride=2",
        (2, 3, 12, 9),
        {"out_channels": 5, "kernel_size": (3, 2), "stride": 2},
    )
    assert parse("interpolate", "1x2x4x4 scale=2 mode=bilinear").options == {"scale": 2, "mode": "bilinear"}
    assert parse("roi_align", "1x2x4x4 spatial_scale=0.5").options == {"spatial_scale": 0.5}


@pytest.mark.parametrize("text", ["", "2x", "axb", "2x3x4x4 padding", "2x3x4x4 =1", "2x3x4x4 padding=", "2x3x4x4 a-b=1"])
def test_lines_of_another_form_are_refused(text):
    with pytest.raises(ArgumentError, match="bench: --shape: expected sizes and options"):
        parse("conv2d", text)


def test_options_that_do_not_fit_are_refused():
    with pytest.raises(ArgumentError, match="sizes and options of conv2d"):
        passes_of(parse("conv2d", "1x4x9x9 colour=4"))
    with pytest.raises(ArgumentError, match="sizes and options of conv2d"):
        passes_of(parse("conv2d", "4 out_channels=4 kernel_size=3"))
    with pytest.raises(ArgumentError, match="--op: expected one of"):
        passes_of(parse("fft", "4"))
    with pytest.raises(ArgumentError, match="--family: expected one of"):
        named(["lenet"], [])
    with pytest.raises(ArgumentError, match="--op: expected one of"):
        named(["unet"], ["roi_align"])


def test_a_case_grows_along_one_axis():
    case = parse("conv2d", "2x8x16x16 out_channels=16 kernel_size=3 groups=8")
    assert run.scaled(case, "batch", 5).shape == (5, 8, 16, 16)
    assert run.scaled(case, "size", 7).shape == (2, 8, 7, 7)
    wide = run.scaled(case, "channels", 32)
    assert wide.shape == (2, 32, 16, 16)
    assert wide.options == {"out_channels": 64, "kernel_size": 3, "groups": 32}
