"""Faults in the CUDA source, which the tests run on the CPU."""

from __future__ import annotations

ROOM = "kernels/rawseg_kernels"
LOOPS = "on_gpu/test_kernels.py -k 'as_the_loops and {}'"
IN_DOUBLE = "on_gpu/test_kernels.py -m 'not gate' -k 'as_the_loops and {} and float64'"  # where an order of sums shows
SPECIAL = "on_gpu/test_special_values.py -k {}"

FAULTS = [
    (
        f"{ROOM}/max_pool2d/max_pool2d.cu",
        SPECIAL.format("max_pool2d"),
        [("NaN rule", "value > *best || is_nan(value)", "value > *best")],
    ),
    (
        f"{ROOM}/max_pool2d/max_pool2d.cu",
        "kernels/test_max_pool2d.py -k 'ties and cuda'",
        [("wrong tie", "value > *best || is_nan(value)", "value >= *best || is_nan(value)")],
    ),
    (
        f"{ROOM}/max_pool2d/max_pool2d.cu",
        LOOPS.format("max_pool2d"),
        [("height for width", "*tap = kh * kernel_w + kw", "*tap = kw * kernel_h + kh")],
    ),
    (
        f"{ROOM}/pad/pad.cu",
        LOOPS.format("pad."),
        [
            ("height for width", "(plane * h + ih) * w + iw", "(plane * w + iw) * h + ih"),
            ("off by one", "r < row_starts[ih + 1]", "r + 1 < row_starts[ih + 1]"),
        ],
    ),
    (
        f"{ROOM}/conv2d/conv2d.cu",
        LOOPS.format("conv2d"),
        [
            ("off by one", "iw >= w) continue;  // never", "iw >= w - 1) continue;  // never"),
            ("group offset", "k / (out_channels / groups) * depth;  // of", "k % groups * depth;  // of"),
            ("missing check", "steps >= 0 && steps % stride == 0 &&", "steps >= 0 &&"),
            ("count", "part < parts; ++part) total += sums", "part + 1 < parts; ++part) total += sums"),
        ],
    ),
    (
        f"{ROOM}/avg_pool2d/avg_pool2d.cu",
        LOOPS.format("avg_pool2d"),
        [
            (
                "height for width",
                "left = ow * stride_w - padding_w;\n        const int64 bottom",
                "left = ow * stride_h - padding_w;\n        const int64 bottom",
            ),
            ("off by one", "oh <= last_oh", "oh < last_oh"),
        ],
    ),
    (
        f"{ROOM}/unfold/unfold.cu",
        IN_DOUBLE.format("unfold"),
        [("wrong order", "int64 kh = 0; kh < kernel_h; ++kh", "int64 kh = kernel_h - 1; kh >= 0; --kh")],
    ),
    (
        f"{ROOM}/nms/nms.cu",
        LOOPS.format("nms"),
        [
            ("shared memory", "* words + word];\n        __syncthreads();", "* words + word];"),
        ],
    ),
    (
        f"{ROOM}/nms/nms.cu",
        "kernels/test_nms.py -k cuda",
        [
            ("off by one", "max(start, best + 1)", "max(start, best + 2)"),
            ("wrong comparison", "> iou_threshold", ">= iou_threshold"),
        ],
    ),
    (
        f"{ROOM}/cross_entropy/cross_entropy.cu",
        LOOPS.format("cross_entropy"),
        [("wrong sign", "if (k == target[i]) grad -= sharp[i]", "if (k == target[i]) grad += sharp[i]")],
    ),
    (
        f"{ROOM}/batch_norm/batch_norm.cu",
        LOOPS.format("batch_norm"),
        [("wrong axis", "i / length % c;\n        real value", "i % c;\n        real value")],
    ),
    (
        f"{ROOM}/_cuda/moments.cu",
        "on_gpu/test_moments.py",
        [("= for +=", "sum += partial[group * parts + part]", "sum = partial[group * parts + part]")],
    ),
    (
        f"{ROOM}/_foreach/clip.cu",
        "on_gpu/test_clip_on_gpu.py on_gpu/test_foreach_kernels.py",
        [
            ("NaN rule", "other > one || is_nan(other) ? other : one", "other > one ? other : one"),
            (
                "shared memory",
                "sum = block_norm(sum, p, shared);\n    if (threadIdx.x != 0) return;",
                "if (threadIdx.x != 0) return;\n    sum = block_norm(sum, p, shared);",
            ),
        ],
    ),
    (
        f"{ROOM}/matmul/matmul_tiles.cu",
        "on_gpu/test_special_values.py -m 'not gate' -k 'matmul and tf32'",
        [("missing step", "PRODUCTS && !are_finite(sums)", "false")],
    ),
]
