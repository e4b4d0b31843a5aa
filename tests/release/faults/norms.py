"""Faults in normalisation: the sums of rows, groups and layers, the gradients of gradients, and running statistics."""

from __future__ import annotations

BATCH_NORM, GROUP_NORM, LAYER_NORM = (f"kernels/test_{op}_norm.py" for op in ("batch", "group", "layer"))
GROUPS, STATISTICS = "functional/test_group_norms.py", "functional/test_batch_norm_statistics.py"
EVERY = "functional/test_every_operation.py -k norm"
LAYERS = "nn/test_norm_layers.py"
ROOM = "kernels/rawseg_kernels"

FAULTS = [
    (
        f"{ROOM}/_row_moments.py",
        LAYER_NORM,
        [
            ("wrong formula", "row * length, length, mean[row], to) / count", "row * length, length, 0.0, to) / count"),
            ("biased for unbiased", "length, mean[row], to) / count", "length, mean[row], to) / max(count - 1, 1)"),
            ("missing step", "np.sqrt(variance[row] + eps)", "np.sqrt(variance[row])"),
        ],
    ),
    (
        f"{ROOM}/_simd_affine.py",
        LAYER_NORM,
        [
            ("off by one", "builder, whole, count, _INDEX(1)", "builder, whole, builder.sub(count, _INDEX(1)), _INDEX(1)"),
            ("wrong sign", "self.builder.fneg(shift), self.builder.fneg(slope)", "self.builder.fneg(shift), slope"),
            ("wrong place", "[_INDEX(4 * r + i)]", "[_INDEX(i)]"),
            ("missing step", "emitter.inside(mask, builder.fmul(weighted,", "(builder.fmul(weighted,"),
            ("missing step", "emitter.store(total, totals, i)", "emitter.store(gradient, totals, i)"),
            ("wrong order", "place = builder.add(start, i)", "place = builder.add(starts[0], i)"),
        ],
    ),
    (
        f"{ROOM}/_simd_affine.py",
        GROUP_NORM,
        [
            ("wrong sign", "self.fused(gradient, weight, less_shift)", "self.fused(gradient, weight, less_slope)"),
            ("missing step", "weight = emitter.spread(arguments[5], lanes)", "weight = emitter.spread(arguments[6], lanes)"),
        ],
    ),
    (
        f"{ROOM}/group_norm/direct.py",
        GROUP_NORM,
        [
            ("group offset", "(row * segments + s) % weight.size", "s"),
            ("group offset", "factor = weight[at % weight.size]", "factor = weight[s]"),
            ("group offset", "shift += weight[at % weight.size] * totals[at]", "shift += weight[s] * totals[at]"),
            ("= for +=", "slope += weight[at", "slope = weight[at"),
            ("count", "slope * inv_std[row] / count", "slope * inv_std[row] / length"),
            ("= for +=", "summed + part[0], moment + part[1]", "part[0], part[1]"),
            ("wrong axis", "sums.reshape(2, images, weight.size).sum(1)", "sums.reshape(2, weight.size, images).sum(2)"),
        ],
    ),
    (
        f"{ROOM}/group_norm/__init__.py",
        GROUP_NORM,
        [
            ("missing check", "if x.shape[1] % groups:", "if x.shape[1] < groups:"),
            ("wrong comparison", "if eps <= 0:", "if eps < 0:"),
            ("missing check", "if x.shape[1] == groups and math", "if x.shape[:2] == (1, groups) and math"),
        ],
    ),
    (
        f"{ROOM}/layer_norm/direct.py",
        LAYER_NORM,
        [
            ("wrong formula", "moment * scale * scale / count", "moment * scale / count"),
            ("off by one", "1 + rows // PART_ROWS)", "rows // PART_ROWS)"),
            (
                "off by one",
                "until = rows * (part + 1) // parts\n        for",
                "until = rows * (part + 1) // (parts + 1)\n        for",
            ),
            ("= for +=", "summed + pair[0], moment + pair[1]", "pair[0], pair[1]"),
            ("wrong place", "mean[row], weight, start)", "mean[row], weight, 0)"),
            ("wrong place", "(sums.shape[1] + part) * length + start", "(sums.shape[1] + part) * length"),
            ("missing step", "end = min(start + NEAR, length)", "end = min(start + NEAR, length - 1)"),
            ("wrong place", "flat, 4 * row, weight", "flat, 4 * begin, weight"),
        ],
    ),
    (
        f"{ROOM}/layer_norm/__init__.py",
        LAYER_NORM,
        [
            ("missing check", "if x.shape[max(0, x.ndim - len(shape)) :] != shape:", "if x.ndim < len(shape):"),
            ("wrong comparison", "if eps <= 0:", "if eps < 0:"),
        ],
    ),
    (
        "rawseg/functional/normalization_gradient.py",
        EVERY,
        [
            ("missing step", "scaled.sum(axes, keepdim=True) / count - z * moment", "z * moment"),
            ("missing step", "1 / (((x - mean) * (x - mean)).mean(", "1 / (((x - mean) * (x - mean)).detach().mean("),
            ("wrong order", "moment = (scaled * z).sum(axes", "moment = (grad_output * z).sum(axes"),
            ("wrong axis", "(grad_output * z).sum(shared)", "(grad_output * z).detach().sum(shared)"),
        ],
    ),
    (
        "rawseg/functional/running_statistics.py",
        STATISTICS,
        [
            ("wrong order", "zip(running, moved)", "zip(running[::-1], moved)"),
            ("missing check", "    batch_norm_room.check_statistics(*arrays)\n", ""),
            ("missing check", "if tensors and updating and x.size == 0:", "if False:"),
            ("wrong formula", "variance * (count / (count - 1))", "variance"),
            ("missing step", "        settle_readers(array)\n", "        pass\n"),
            ("missing step", "        tensor._version[0] += 1\n", "        pass\n"),
            ("missing check", "(updating and not array.flags.writeable)", "False"),
            ("missing check", "if updating and isinstance", "if not updating and isinstance"),
        ],
    ),
    (
        "rawseg/functional/group_normalization.py",
        GROUPS,
        [
            ("wrong operand", "var.array.mean(0), count, share", "var.array.mean(0), count + 1, share"),
            ("count", "count = math.prod(x.shape[2:])", "count = x.size // x.shape[1]"),
            ("missing step", "if running and x.size:", "if running:"),
            ("wrong axis", "update(running, mean.array.mean(0)", "update(running, mean.array[0]"),
        ],
    ),
    (
        "rawseg/nn/normalization.py",
        LAYERS,
        [
            ("wrong formula", "momentum = 0.0 if self.momentum is None else self.momentum", "momentum = self.momentum or 0.1"),
            ("wrong axis", '3: ("(C, H, W)", 0)', '3: ("(C, H, W)", 1)'),
            ("missing step", "from_input = self.training or not self.track_running_stats", "from_input = True"),
        ],
    ),
]
