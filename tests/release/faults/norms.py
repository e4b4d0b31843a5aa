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
        BATCH_NORM,
        [
            ("wrong formula", "(part[i] - centre) * (part[i] - centre)", "part[i] * part[i] - centre * centre"),
            ("= for +=", "lanes[i] += factor[i] * (part[i] - centre)", "lanes[i] = factor[i] * (part[i] - centre)"),
            ("missing step", "        lanes[i] = 0", "        pass"),
        ],
    ),
    (
        f"{ROOM}/_row_moments.py",
        LAYER_NORM,
        [
            ("= for +=", "lower[i] += upper[i]", "lower[i] = upper[i]"),
            ("biased for unbiased", "return mean, total(lanes) / count", "return mean, total(lanes) / max(count - 1, 1)"),
            ("missing step", "    add_squares(row, mean, lanes)", "    add_squares(row, 0.0, lanes)"),
        ],
    ),
    (
        f"{ROOM}/group_norm/direct.py",
        GROUP_NORM,
        [
            ("group offset", "k = (row * segments + s) % weight.size", "k = s"),
            ("group offset", "np.float64(weight[(row * segments + s) % weight.size])", "np.float64(weight[s])"),
            ("group offset", "shift += weight[at % weight.size] * totals[at]", "shift += weight[s] * totals[at]"),
            ("= for +=", "slope += weight[at", "slope = weight[at"),
            ("count", "slope * inv_std[row] / count", "slope * inv_std[row] / length"),
            ("missing step", "(factor * part[i] - shift - (values", "(part[i] - shift - (values"),
            (
                "wrong sign",
                "part[i] - shift - (values[i] - mean[row]) * slope",
                "part[i] - shift + (values[i] - mean[row]) * slope",
            ),
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
            (
                "wrong order",
                "(values[i] - centre) * scale * weight[i] + bias[i]",
                "((values[i] - centre) * scale + bias[i]) * weight[i]",
            ),
            ("wrong formula", "slope = total(lanes) * scale * scale / count", "slope = total(lanes) * scale / count"),
            ("off by one", "1 + rows // PART_ROWS)", "rows // PART_ROWS)"),
            ("off by one", "rows * (task + 1) // parts", "rows * (task + 1) // (parts + 1)"),
            ("= for +=", "gradient[i] += part[i]", "gradient[i] = part[i]"),
            (
                "missing step",
                "moment[i] += part[i] * ((values[i] - centre) * scale)",
                "moment[i] += part[i] * (values[i] - centre)",
            ),
            ("missing step", "np.float64(part[i]) * weight[i]", "np.float64(part[i])"),
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
            ("missing check", "if updating and tensors:  # who only", "if False:  # who only"),
            ("missing check", "(updating and not array.flags.writeable)", "False"),
            ("missing check", "if updating and isinstance", "if not updating and isinstance"),
        ],
    ),
    (
        "rawseg/functional/group_normalization.py",
        GROUPS,
        [
            ("biased for unbiased", "var.array.mean(0) * (count / (count - 1))", "var.array.mean(0)"),
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
