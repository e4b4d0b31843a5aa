"""Faults in Winograd's convolution, in the residues that it makes of a dilated one, and in the choice of an algorithm."""

from __future__ import annotations

ROOM = "kernels/rawseg_kernels"

FAULTS = [
    (
        f"{ROOM}/_simd_winograd.py",
        "kernels/test_winograd.py",
        [
            ("wrong sign", "s.sub(d[2], d[1]), s.sub(d[1], d[3])]", "s.sub(d[2], d[1]), s.sub(d[3], d[1])]"),
            ("wrong constant", "s.plus(4, d[0], s.plus(-5, d[2], d[4]))", "s.plus(4, d[0], s.plus(-4, d[2], d[4]))"),
            ("wrong constant", "s.plus(8, far_odd, near_odd)", "s.plus(4, far_odd, near_odd)"),
            ("wrong constant", "far = s.plus(1 / 24, g[0]", "far = s.plus(1 / 12, g[0]"),
            ("wrong sign", "s.plus(-2, odd_far, even_far)", "s.plus(2, odd_far, even_far)"),
            ("wrong constant", "s.times(1 / 24, far)", "s.times(1 / 12, far)"),
            ("off by one", "_next(emitter, pixels[j], behind, j)", "_next(emitter, pixels[j], behind, 0)"),
            ("off by one", "emitter.between(builder.sub(begin, start)", "emitter.between(begin"),
            (
                "off by one",
                'icmp_signed(">=", end, _INDEX((size + 1) * lanes))',
                'icmp_signed(">=", end, _INDEX(size * lanes))',
            ),
            ("wrong comparison", 'icmp_signed(">=", count, _INDEX(m * emitter.lanes))', 'icmp_signed(">=", count, _INDEX(0))'),
            ("NaN rule", 'fcmp_unordered("!=", nothing', 'fcmp_ordered("!=", nothing'),
            ("missing bias", "builder.fadd(vector, shift)", "builder.fadd(vector, vector)"),
            ("missing mask", "emitter.write(vector, to, i, mask)", "emitter.write(vector, to, i, None)"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_winograd_tiles.py",
        "kernels/test_kernel_promises.py kernels/test_winograd.py -k 'winograd or memory'",
        [
            ("missing flip", "first_tap, tap_step = (8, -1) if adjoint", "first_tap, tap_step = (0, 1) if adjoint"),
            ("swapped axes", "i * grid.size + r - grid.top", "i * grid.size + r - grid.left"),
            ("wrong place", "(k - first) * columns + t * lanes", "t * lanes"),
            ("missing check", "if 0 <= ih < grid.h else -left", "if 0 <= ih else -left"),
            ("off by one", "step = (vectors + 1) * lanes", "step = vectors * lanes"),
            ("off by one", "min(grid.size, grid.out_h - oh), 0", "min(grid.size, grid.out_h - oh - 1), 0"),
            ("off by one", "grid.out_h - i * grid.size))", "grid.out_h - i * grid.size - 1))"),
            ("missing check", "out, to_at, count):", "out, to_at, count) < 0:"),
            ("wrong image", "        if bad:\n            broken[image] = 1", "        if bad:\n            broken[0] = 1"),
            ("wrong image", "count):\n                broken[image] = 1", "count):\n                broken[0] = 1"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_winograd.py",
        "kernels/test_winograd.py",
        [
            ("missing zero", "multiply(rows, grid.depth, 0, u", "multiply(rows, grid.depth, 1, u"),
            ("wrong panel", "place = at + first_channel * grid.depth", "place = at"),
            ("wrong place", "v, at + point * grid.seen_step, 1, grid.pitch)", "v, at, 1, grid.pitch)"),
            ("group offset", "x, group * grid.depth + c, channels", "x, c, channels"),
            ("group offset", "channel = group * grid.channels + first + k", "channel = first + k"),
            ("wrong panel", "group, panel + p, scratch", "group, panel, scratch"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_winograd_directions.py",
        "kernels/test_winograd.py",
        [
            ("wrong padding", "2 * dilation[1] - padding[1]", "2 - padding[1]"),
            ("missing step", "if dilation != (1, 1):\n            counts", "if False:\n            counts"),
            ("missing step", "    if dilation == (1, 1):\n", "    if True:\n"),
            (
                "wrong size",
                "x, dilation, padding, counts, (part[0] + 2, part[1] + 2))\n    parts",
                "x, dilation, padding, counts, part)\n    parts",
            ),
            ("wrong image", "broken.reshape(out.shape[0], -1).any(1)", "broken.reshape(-1, out.shape[0]).any(0)"),
            ("missing check", "if finite(grad_weight):", "if True:"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_residues.py",
        "kernels/test_winograd.py",
        [
            ("swapped axes", "residue % counts[1] - padding[1]", "residue % counts[0] - padding[1]"),
            ("wrong image", "plane // c * counts[0] * counts[1] + residue", "plane // c + residue"),
            ("off by one", "(w - 1 - left) // dilation[1] + 1) - begin)", "(w - 1 - left) // dilation[1]) - begin)"),
            ("missing check", "if 0 <= ih < h:", "if ih < h:"),
            ("swapped axes", "ih % dilation[0]) * counts[1] + left", "ih % dilation[0]) * counts[0] + left"),
            ("wrong number", "min(out_size[1], dilation[1])\n", "min(out_size[1], dilation[0])\n"),
            ("off by one", "(w - 1 - left) // dilation[1] + 1)\n", "(w - 2 - left) // dilation[1] + 1)\n"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_winograd_weight_sums.py",
        "kernels/test_winograd.py",
        [
            ("swapped axes", "i * sums.size + r - sums.top", "i * sums.size + r - sums.left"),
            ("missing zero", "add_block(m, block - first_block, v", "add_block(m, 1, v"),
            ("= for +=", "add_block(m, block - first_block, v", "add_block(m, 0, v"),
            (
                "group offset",
                "x_at = ((image * sums.groups + group) * sums.depth + c) * plane",
                "x_at = (image * sums.groups * sums.depth + c) * plane",
            ),
            ("wrong share", "(share + 1) * sums.blocks // sums.shares", "(share + 1) * sums.blocks // sums.shares - 1"),
            ("rests on threads", "shares = max(1, min(few, ENOUGH_TASKS", "shares = max(1, min(few, threads * ENOUGH_TASKS"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_choice.py",
        "kernels/test_winograd.py -k 'auto or few'",
        [
            ("missing check", " or stride != (1, 1):", ":"),
            ("missing check", 'if dilation != (1, 1) and winograd == "winograd2":', "if False:"),
            ("swapped axes", "pairs * width >= least.work", "pairs * height >= least.work"),
            ("swapped axes", "out_size[1] // dilation[1]", "out_size[1] // dilation[0]"),
            ("wrong comparison", "pairs >= least.pairs", "pairs > least.pairs"),
            ("wrong comparison", ">= least.work", "> least.work"),
            ("wrong formula", "SHORTEST_SIDE if dilation == (1, 1) and not of_weights else SHORTEST_PART", "SHORTEST_SIDE"),
            ("missing check", "dilation == (1, 1) and not of_weights else", "dilation == (1, 1) else"),
            ("wrong comparison", "min(height, width) >= shortest", "min(height, width) > shortest"),
        ],
    ),
]
