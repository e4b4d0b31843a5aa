"""Every fault of the public catalogue is found: by `rawseg check`, and by rawseg's own tests. Passed of all is the figure.

`pytest -m release tests/release/test_public_faults.py -k checks` takes minutes, `-k tests` hours.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rawseg.testing.faults import faults, measure

pytestmark = pytest.mark.release

TESTS = Path(__file__).parents[1]
EVERY = "functional/test_every_operation.py"  # first and second derivatives
ACTIVATIONS = "functional/test_activation.py kernels/test_activation.py kernels/test_kernel_promises.py"
WINDOWS = "functional/test_windows.py functional/test_windows_errors.py"
GROUPS = "kernels/test_group_norm.py functional/test_group_norms.py"
SAMPLING = "kernels/test_grid_sample.py functional/test_grid_sample.py"
BINS = "kernels/test_adaptive_pool2d.py functional/test_windows.py"
MASKS = "functional/test_segmentation_loss.py"
OVERLAPS = "ops/test_overlap.py kernels/test_nms.py"
OF = {
    "conv2d": "kernels/test_conv2d_edges.py kernels/test_conv2d.py kernels/test_conv2d_errors.py",
    "conv_transpose2d": "kernels/test_conv_transpose2d.py kernels/test_conv_transpose2d_errors.py",
    "linear": "kernels/test_matmul.py nn/test_layers.py",
    **dict.fromkeys(
        ["relu", "relu6", "hardtanh", "leaky_relu", "hardsigmoid", "hardswish", "elu", "celu", "selu"], ACTIVATIONS
    ),
    **dict.fromkeys(["sigmoid", "tanh", "softplus", "logsigmoid", "silu", "gelu", "mish"], ACTIVATIONS),
    **dict.fromkeys(("softmax", "log_softmax"), "kernels/test_softmax.py functional/test_activation.py"),
    "max_pool2d": "kernels/test_max_pool2d.py kernels/test_max_pool2d_taps.py",
    "avg_pool2d": "kernels/test_avg_pool2d.py",
    **dict.fromkeys(("adaptive_avg_pool2d", "adaptive_max_pool2d"), BINS),
    "max_unpool2d": f"kernels/test_max_unpool2d.py {WINDOWS}",
    **dict.fromkeys(("unfold", "fold"), f"kernels/test_unfold.py {WINDOWS}"),
    "pad": f"kernels/test_pad.py {WINDOWS}",
    **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle"), WINDOWS),
    "interpolate": "kernels/test_resize_tables.py kernels/test_resize.py functional/test_planes_parity.py",
    **dict.fromkeys(("grid_sample", "affine_grid"), SAMPLING),
    "batch_norm": "kernels/test_batch_norm.py functional/test_batch_norm_statistics.py",
    **dict.fromkeys(("group_norm", "instance_norm"), GROUPS),
    "layer_norm": "kernels/test_layer_norm.py",
    **dict.fromkeys(("cross_entropy", "nll_loss"), "kernels/test_cross_entropy.py functional/test_cross_entropy.py"),
    **dict.fromkeys(("binary_cross_entropy", "binary_cross_entropy_with_logits"), "functional/test_losses.py"),
    **dict.fromkeys(("mse_loss", "l1_loss", "huber_loss", "smooth_l1_loss"), "functional/test_losses.py"),
    **dict.fromkeys(("dice_loss", "jaccard_loss", "tversky_loss", "weighted_cross_entropy", "border_weights"), MASKS),
    **dict.fromkeys(("lovasz_softmax", "lovasz_hinge"), "functional/test_lovasz_loss.py"),
    **dict.fromkeys(("sigmoid_focal_loss", "focal_loss"), "ops/test_focal_loss.py"),
    "one_hot": "functional/test_one_hot.py",
    "roi_align": "ops/test_roi_align.py kernels/test_roi_align.py kernels/test_roi_align_max.py kernels/test_roi_grid.py",
    **dict.fromkeys(("roi_pool", "roi_warp"), "kernels/test_roi_pool.py ops/test_roi_pool.py kernels/test_roi_grid.py"),
    "box_iou": f"{OVERLAPS} kernels/test_box_iou.py",
    **dict.fromkeys(("generalized_box_iou", "nms", "batched_nms"), OVERLAPS),
    **dict.fromkeys(("box_convert", "box_area", "clip_boxes_to_image", "remove_small_boxes"), "ops/test_boxes.py"),
    **dict.fromkeys(("masks_to_boxes", "roi_levels"), "ops/test_boxes.py"),
    "paste_masks": "kernels/test_paste_masks.py ops/test_overlap.py",
    **dict.fromkeys(("BoxCoder.encode_single", "BoxCoder.decode_single"), "ops/test_box_coder.py"),
}
FAULTS = [pytest.param(fault, id=fault.name) for fault in faults()]


@pytest.mark.parametrize("fault", FAULTS)
def test_checks_find(fault):
    assert measure(fault, first=True), fault


@pytest.mark.parametrize("fault", FAULTS)
def test_tests_find(fault, monkeypatch):
    monkeypatch.setenv("RAWSEG_HYPOTHESIS", "faults")  # failing examples need not be made smaller
    files = " ".join(str(TESTS / file) for file in f"{OF[fault.op]} {EVERY}".split())
    assert measure(fault, suite=f"pytest -n 0 -p no:cacheprovider {files}"), fault
