"""The networks written out in PyTorch's functions, over the weights of ours: oracles that share no code with them."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F


class Weights:
    """The parameters and buffers of a rawseg model as float64 tensors, and layers that take them by name."""

    def __init__(self, model) -> None:
        self.parameters = {
            n: torch.tensor(p.numpy().astype(np.float64), requires_grad=True) for n, p in model.named_parameters()
        }
        self.buffers = {n: torch.tensor(b.numpy()) for n, b in model.named_buffers()}
        self.training = model.training

    def __contains__(self, name):
        return f"{name}.weight" in self.parameters

    def conv(self, name, x, stride=1, padding=0, dilation=1, groups=1):
        weight, bias = self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias")
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups)

    def transposed(self, name, x, stride, padding, output_padding=0):
        weight, bias = self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias")
        return F.conv_transpose2d(x, weight, bias, stride, padding, output_padding)

    def linear(self, name, x):
        return F.linear(x, self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"])

    def norm(self, name, x, eps=1e-5):
        mean, variance = (self.buffers[f"{name}.running_{what}"].clone() for what in ("mean", "var"))
        weight, bias = self.parameters[f"{name}.weight"], self.parameters[f"{name}.bias"]
        return F.batch_norm(x, mean, variance, weight, bias, self.training, 0.1, eps)

    def triple(self, name, x, act, kernel=1, stride=1, groups=1, dilation=1, eps=1e-5):
        """``name.0`` a convolution, ``name.1`` batch norm, then an activation."""
        y = self.conv(f"{name}.0", x, stride, dilation * (kernel - 1) // 2, dilation, groups)
        return act(self.norm(f"{name}.1", y, eps))


def same(x):
    return x


def mobilenet_v1_maps(w, x, prefix=""):
    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1]
    x = w.triple(f"{prefix}features.0", x, F.relu6, 3, 2)
    yield x
    for i, stride in enumerate(strides, 1):
        name = f"{prefix}features.{i}"
        if f"{name}.1.0.weight" in w.parameters:
            x = w.triple(f"{name}.0", x, F.relu6, 3, stride, groups=x.shape[1])
            x = w.triple(f"{name}.1", x, F.relu6)
        else:
            x = w.triple(name, x, F.relu6, 3, stride)
        yield x


def mobilenet_v1(w, x):
    *_, x = mobilenet_v1_maps(w, x)
    return w.linear("classifier.1", x.mean((2, 3)))


V3_LARGE = "3.16.R.1 3.24.R.2 3.24.R.1 5.40.RS.2 5.40.RS.1 5.40.RS.1 3.80.H.2 3.80.H.1 3.80.H.1 3.80.H.1 3.112.HS.1 3.112.HS.1"
V3_LARGE += " 5.160.HS.2 5.160.HS.1 5.160.HS.1"
V3_SMALL = "3.16.RS.2 3.24.R.2 3.24.R.1 5.40.HS.2 5.40.HS.1 5.40.HS.1 5.48.HS.1 5.48.HS.1 5.96.HS.2 5.96.HS.1 5.96.HS.1"


def mobilenet_v3_features(w, x, plan, prefix="features.", dilated=False):
    x = w.triple(f"{prefix}0", x, F.hardswish, 3, 2, eps=1e-3)
    blocks = plan.split()
    for i, text in enumerate(blocks, 1):
        kernel, _, kind, stride = text.split(".")
        kernel, stride, act = int(kernel), int(stride), F.relu if kind[0] == "R" else F.hardswish
        dilation = 2 if dilated and i > 12 else 1
        name, y, step = f"{prefix}{i}.block", x, 0
        if not (i == 1 and "3.16" in text):  # the first block does not expand
            y, step = w.triple(f"{name}.0", y, act, eps=1e-3), 1
        y = w.triple(f"{name}.{step}", y, act, kernel, 1 if dilation > 1 else stride, y.shape[1], dilation, 1e-3)
        if kind.endswith("S"):
            step += 1
            scale = F.relu(w.conv(f"{name}.{step}.fc1", y.mean((2, 3), keepdim=True)))
            y = y * F.hardsigmoid(w.conv(f"{name}.{step}.fc2", scale))
        y = w.triple(f"{name}.{step + 1}", y, same, eps=1e-3)
        x = x + y if x.shape == y.shape and (stride == 1 or dilation > 1) else y
    return w.triple(f"{prefix}{len(blocks) + 1}", x, F.hardswish, eps=1e-3)


def mobilenet_v3(plan):
    def forward(w, x):
        x = mobilenet_v3_features(w, x, plan).mean((2, 3))
        return w.linear("classifier.3", F.hardswish(w.linear("classifier.0", x)))

    return forward


def resnet_maps(w, x, prefix="", output_stride=32):
    x = F.relu(w.norm(f"{prefix}bn1", w.conv(f"{prefix}conv1", x, 2, 3)))
    yield x
    x = F.max_pool2d(x, 3, 2, 1)
    reached, dilation = 4, 1
    for stage in range(1, 5):
        block = 0
        while f"{prefix}layer{stage}.{block}.conv1" in w:
            name = f"{prefix}layer{stage}.{block}"
            stride, here = (2, dilation) if stage > 1 and block == 0 else (1, dilation)
            if stride == 2 and reached == output_stride:
                stride, dilation = 1, dilation * 2
            elif stride == 2:
                reached *= 2
            if f"{name}.conv3" in w:
                y = F.relu(w.norm(f"{name}.bn1", w.conv(f"{name}.conv1", x)))
                y = F.relu(w.norm(f"{name}.bn2", w.conv(f"{name}.conv2", y, stride, here, here)))
                y = w.norm(f"{name}.bn3", w.conv(f"{name}.conv3", y))
            else:
                y = F.relu(w.norm(f"{name}.bn1", w.conv(f"{name}.conv1", x, stride, 1)))
                y = w.norm(f"{name}.bn2", w.conv(f"{name}.conv2", y, 1, 1))
            if f"{name}.downsample.0" in w:
                x = w.norm(f"{name}.downsample.1", w.conv(f"{name}.downsample.0", x, stride))
            x = F.relu(x + y)
            block += 1
        yield x


def resnet(w, x):
    *_, x = resnet_maps(w, x)
    return w.linear("fc", x.mean((2, 3)))


def vgg_maps(w, x, prefix, pools=5, dilation=1):
    """Yield the map before every pooling, and the last one."""
    layer = 0
    for block, count in enumerate((2, 2, 3, 3, 3)):
        for _ in range(count):
            d = dilation if block == 4 else 1
            x = F.relu(w.norm(f"{prefix}{layer + 1}", w.conv(f"{prefix}{layer}", x, 1, d, d)))
            layer += 3
        layer += 1
        yield x
        x = F.max_pool2d(x, 2) if block < pools else x
    yield x


def encoder_unet(maps):
    """Return the decoder on what ``maps`` yields: the last map of each size counts."""

    def forward(w, x):
        stages = [x]
        for y in maps(w, x):
            if y.shape[2:] == stages[-1].shape[2:]:
                stages[-1] = y
            else:
                stages.append(y)
        y = stages.pop()
        for level in range(5):
            y = y.repeat_interleave(2, 2).repeat_interleave(2, 3)
            y = F.relu(w.conv(f"decoder.{level}", torch.cat([y, stages.pop()], 1), 1, 1))
        return w.conv("head", y, 1, 1)

    return forward


def autoencoder(w, x):
    y = w.linear("decoder", F.relu(w.linear("encoder", x.flatten(1))))
    return y.reshape(x.shape)


def conv_autoencoder(up):
    def forward(w, x):
        kept = []
        for i in range(3):
            x = F.relu(w.conv(f"encoder.{i}", x, 1, 1))
            size = x.shape[2:]
            x, indices = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
            kept.append((size, indices))
        for i, (size, indices) in enumerate(reversed(kept)):
            if up == "unpool":
                x = w.conv(f"decoder.{i}", F.max_unpool2d(x, indices, 2, output_size=size), 1, 1)
            elif up == "nearest":
                x = w.conv(f"decoder.{i}", F.interpolate(x, size=size), 1, 1)
            else:
                x = w.transposed(f"decoder.{i}", x, 2, 1, 1 - size[0] % 2)
            x = F.relu(x)
        return w.conv("head", x, 1, 1)

    return forward


def segnet_basic(variant):
    unpools = variant in ("segnet", "encoder_addition", "single_channel")
    reduced = variant in ("bilinear", "fcn", "fcn_no_addition")
    adds = variant in ("encoder_addition", "fcn", "fcn_no_reduction")

    def forward(w, x):
        kept = []
        for i in range(4):
            y = F.relu(w.norm(f"encoder.{i}.1", w.conv(f"encoder.{i}.0", x, 1, 3)))
            x, indices = F.max_pool2d(y, 2, return_indices=True)
            kept.append((w.conv(f"reduce.{i}", y) if variant == "fcn" else y, indices))
        x = w.conv("score", x) if reduced else x
        for i, (y, indices) in enumerate(reversed(kept)):
            if unpools:
                x = F.max_unpool2d(x, indices, 2)
                groups = 64 if variant == "single_channel" else 1
                x = w.norm(f"decoder.{i}.1", w.conv(f"decoder.{i}.0", x, 1, 3, groups=groups))
            elif variant == "bilinear":
                x = F.interpolate(x, scale_factor=2, mode="bilinear")
            else:
                x = w.transposed(f"decoder.{i}", x, 2, 3)
            x = x + y if adds else x
        return x if reduced else w.conv("score", x)

    return forward


def segnet(w, x):
    kept = []
    for y in list(vgg_maps(w, x, "encoder."))[:5]:
        x, indices = F.max_pool2d(y, 2, return_indices=True)
        kept.append(indices)
    for block, count in enumerate((3, 3, 3, 2, 2)):
        x = F.max_unpool2d(x, kept.pop(), 2)
        for i in range(count):
            name = f"decoder.{block}.{i}"
            x = w.conv(name, x, 1, 1) if f"{name}.0" not in w else w.triple(name, x, F.relu, 3)
    return x


def context_layers(w, x, dilations, prefix="layers."):
    for i, dilation in enumerate(dilations):
        x = F.relu(w.conv(f"{prefix}{2 * i}", x, 1, dilation, dilation))
    return w.conv(f"{prefix}{2 * len(dilations)}", x)


def context(w, x):
    return context_layers(w, x, (1, 1, 2, 4, 8, 16, 1))


def dilated_vgg16(w, x):
    *_, y = vgg_maps(w, x, "features.", pools=3, dilation=2)
    y = F.relu(w.conv("fc6", y, 1, 12, 4))
    y = w.conv("score", F.relu(w.conv("fc7", y)))
    y = context_layers(w, y, (1, 1, 2, 4, 8, 16, 1), "context.layers.")
    return F.interpolate(y, scale_factor=8, mode="bilinear")


def deeplabv3(backbone, rates):
    def forward(w, x):
        if backbone == "resnet":
            *_, y = resnet_maps(w, x, "backbone.", 8)
        else:
            y = mobilenet_v3_features(w, x, V3_LARGE, "backbone.", dilated=True)
        seen = [w.triple("classifier.0.convs.0", y, F.relu)]
        seen += [w.triple(f"classifier.0.convs.{i}", y, F.relu, 3, dilation=rate) for i, rate in enumerate(rates, 1)]
        mean = w.conv("classifier.0.convs.4.1", y.mean((2, 3), keepdim=True))
        mean = F.relu(w.norm("classifier.0.convs.4.2", mean))
        seen.append(mean.expand(*mean.shape[:2], *y.shape[2:]))
        y = w.triple("classifier.0.project", torch.cat(seen, 1), F.relu)
        y = F.relu(w.norm("classifier.2", w.conv("classifier.1", y, 1, 1)))
        return F.interpolate(w.conv("classifier.4", y), size=x.shape[2:], mode="bilinear")

    return forward
