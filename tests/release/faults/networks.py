"""Faults in the networks, what is told of them, and what they are trained for."""

from __future__ import annotations

FIELDS, LEDGER, TWINS = "models/test_receptive_field.py", "models/test_ledger.py", "models/test_twins.py"
ARGUMENTS = "models/test_model_arguments.py"

FAULTS = [
    (
        "rawseg/models/receptive_field.py",
        FIELDS,
        [
            ("missing term", "last * stride - before + reach", "last * stride - before"),
            ("sign", "-((reach - first - before) // stride)", "-((reach - first + before) // stride)"),
            ("wrong rounding", "-((reach - first - before) // stride)", "(first + before - reach) // stride"),
            ("missing dilation", "[axis] * (kernel_size - 1)", "[0] * 0 + (kernel_size - 1)"),
            ("= for +=", "wanted[target] = _cover(wanted.get(target), read)", "wanted[target] = read"),
            ("off by one", "// window, last // window", "// window, last // window - 1"),
            ("half pixel", "((2 * first + 1) * height - out_height) // double", "(2 * first * height) // double"),
            ("missing step", "first + start, last + start", "first, last"),
            ("missing check", "and part.step in (None, 1)", ""),
            ("missing step", "    **dict.fromkeys(PIXELWISE, _pixelwise),\n", ""),
        ],
    ),
    (
        "rawseg/models/summary.py",
        f"{FIELDS} {LEDGER} models/test_unet.py",
        [
            ("wrong shape", "math.prod(input_shape) * math.prod(module.weight.shape[1:])", "math.prod(output_shape)"),
            (
                "wrong axis",
                "rows_seen(out, image, middle + np.arange(PHASES + 1), axis)",
                "rows_seen(out, image, middle + np.arange(PHASES + 1))",
            ),
            ("missing batch", "n = input_shape[0] * _uses(model, name)", "n = 0 * _uses(model, name)"),
            ("missing count", "n = input_shape[0] * _uses(model, name)", "n = input_shape[0]"),
            ("missing count", "input_shape[0], input_shape[0] * _uses(model, call[0])", "input_shape[0], input_shape[0]"),
            (
                "early return",
                "reach = max(reach, int((rows - first).max()), int((last - rows).max()))",
                "reach = int((last - rows).max())",
            ),
        ],
    ),
    (
        "rawseg/models/packed_indices.py",
        "models/test_packed_indices.py",
        [
            ("missing step", "return indices if is_grad_enabled() else PackedIndices(indices)", "return indices"),
            ("wrong bits", "places[:, 1] << 2", "places[:, 1] << 1"),
            ("wrong order", "places[:, 2] << 4 | places[:, 3] << 6", "places[:, 3] << 4 | places[:, 2] << 6"),
            ("height for width", "2 * rows[:, None] * self.plane[1]", "2 * rows[:, None] * self.plane[0]"),
            ("off by one", "below = inside >= width", "below = inside > width"),
        ],
    ),
    (
        "rawseg/models/segnet_basic.py",
        f"{TWINS} {LEDGER} models/test_packed_indices.py",
        [
            ("missing step", "x = x if added is None else x + added", "x = x"),
            (
                "wrong order",
                "zip(self.decoder, reversed(kept)):\n            x = layer",
                "zip(self.decoder, kept):\n            x = layer",
            ),
            ("missing groups", "_filtered(WIDTH, groups=WIDTH)", "_filtered(WIDTH)"),
        ],
    ),
    (
        "rawseg/models/segnet.py",
        TWINS,
        [
            ("wrong range", "outs = [*widths[1:], last]", "outs = [*widths[1:], widths[0]]"),
        ],
    ),
    (
        "rawseg/models/encoder_unet.py",
        f"{TWINS} {LEDGER}",
        [
            ("missing step", "            self.encoder.eval()\n", "            pass\n"),
            ("missing step", "            self.encoder.requires_grad_(False)\n", "            pass\n"),
            ("wrong order", "cat([x, skip], 1)", "cat([skip, x], 1)"),
            ("missing step", "F.relu(convolution(cat([x, skip], 1)))", "convolution(cat([x, skip], 1))"),
        ],
    ),
    (
        "rawseg/models/classifier.py",
        f"{TWINS} {LEDGER}",
        [
            ("missing step", "found[-1] = y", "pass"),
            ("wrong axis", "reshape(y.shape[:2])", "reshape(y.shape[1::-1])"),
        ],
    ),
    (
        "rawseg/models/resnet.py",
        f"{ARGUMENTS} {TWINS} {LEDGER}",
        [
            ("wrong stage", "stride, dilation = 1, dilation * 2", "stride, dilation = 1, dilation"),
            ("previous dilation", "block(channels, inside, stride, before)", "block(channels, inside, stride, dilation)"),
            ("missing step", "if stride == 1 and in_channels == out_channels:", "if in_channels == out_channels:"),
        ],
    ),
    (
        "rawseg/models/mobilenet_v3.py",
        f"{TWINS} {LEDGER}",
        [
            ("wrong slope", "F.hardsigmoid(self.fc2", "F.sigmoid(self.fc2"),
            ("off by one", "halvings == 5", "halvings == 4"),
            ("default", "partial(conv_norm, eps=0.001, momentum=0.01)", "partial(conv_norm, momentum=0.01)"),
        ],
    ),
    (
        "rawseg/models/deeplabv3.py",
        TWINS,
        [
            ("missing dilation", "padding=padding, dilation=dilation, bias=False", "padding=kernel_size // 2, bias=False"),
            ("missing step", "*_conv_norm_relu(width, width, 3).children(), ", ""),
        ],
    ),
    (
        "rawseg/models/dilated.py",
        f"{TWINS} {FIELDS} {ARGUMENTS}",
        [
            ("missing dilation", "padding=dilation, dilation=dilation), nn.ReLU()]", "padding=1), nn.ReLU()]"),
            ("off by one", "dilation = 2 if number == 4 else 1", "dilation = 2 if number == 3 else 1"),
        ],
    ),
    (
        "rawseg/models/autoencoder.py",
        TWINS,
        [
            (
                "wrong order",
                "zip(self.decoder, reversed(kept)):\n            if self.up",
                "zip(self.decoder, kept):\n            if self.up",
            ),
            ("missing step", "return F.relu(self.encoder(x", "return (self.encoder(x"),
        ],
    ),
    (
        "rawseg/models/weights.py",
        ARGUMENTS,
        [
            ("missing check", "    if differs:\n", "    if False:\n"),
            ("missing step", "        with skipped():  # the file brings every weight\n", "        if True:\n"),
        ],
    ),
    (
        "rawseg/models/tiling.py",
        "models/test_tiling.py",
        [
            ("wrong start", "mirror(first - halo, first - halo + full, length)", "mirror(first, first + full, length)"),
        ],
    ),
    (
        "rawseg/training/tasks.py",
        "training/test_tasks.py",
        [
            ("wrong class", "np.bincount(truth[found == truth]", "np.bincount(found[found != truth]"),
            ("sign", '"psnr": -10 * math', '"psnr": 10 * math'),
            ("missing step", "sigmoid(output).array", "output.array"),
        ],
    ),
    (
        "rawseg/training/objectives.py",
        "training/test_objectives.py",
        [
            ("sign", "return entropy - overlap.log()", "return entropy + overlap.log()"),
            ("wrong group", 'per="batch")', 'per="image")'),
            ("missing count", "max(int(kept.sum()), 1)", "max(int(kept.size), 1)"),
        ],
    ),
    (
        "rawseg/data/fashion_mnist.py",
        "data/test_fashion_mnist.py",
        [
            ("missing check", "if count > MOST:", "if False:"),
            ("missing check", "if len(data) != count:", "if len(data) < count:"),
            ("missing check", "or labels.shape != images.shape[:1]", ""),
        ],
    ),
    (
        "rawseg/data/faces.py",
        "data/test_faces.py",
        [
            (
                "leak",
                "validation, test = pictures[TRAINED:CHOSEN], pictures[CHOSEN:FACES]",
                "validation, test = pictures[:10], pictures[CHOSEN:FACES]",
            ),
            (
                "wrong mask",
                "image, mask = image[part], mask[part]",
                "image, mask = image[part], mask[: self.size, : self.size]",
            ),
        ],
    ),
]
