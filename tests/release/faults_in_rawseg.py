"""Faults to plant in the package: (file, tests, its faults), a fault being (family, old, new)."""

from __future__ import annotations

ENGINE, DERIVATIVES, TENSOR = "autograd/test_engine.py", "autograd/test_derivatives.py", "autograd/test_tensor.py"
ACTIVATION, CLASSES, LOSSES = "functional/test_activation.py", "functional/test_cross_entropy.py", "functional/test_losses.py"
MASKS, STATISTICS = "functional/test_segmentation_loss.py", "functional/test_batch_norm_statistics.py"
PLANES, SECOND = "functional/test_planes_parity.py", "functional/test_second_order.py"
RULES, OPTIMIZER, CLIP, SCHEDULES = (f"optim/test_{name}.py" for name in ("rules", "optimizer", "clip_grad", "schedules"))
AUGMENT, LOADER, IMAGES = "data/test_augment.py", "data/test_loader.py", "data/test_images.py"
METRICS, FILES, SAVING, DAMAGE = "test_metrics.py", "test_files.py", "test_serialization.py", "test_damaged_files.py"

FAULTS_IN_RAWSEG = [
    (
        "rawseg/autograd/engine.py",
        ENGINE,
        [
            ("= for +=", "if tensor.grad is None else tensor.grad + gradient", "if tensor.grad is None else gradient"),
            ("= for +=", "(edge, gradient if before is None else before[1] + gradient)", "(edge, gradient)"),
            ("= for +=", "= gradient if before is None else before + gradient", "= gradient"),
            ("missing step", "gradients[slot] = _replaced(function", "_replaced(function"),
            ("missing step", "gradient = _replaced(function(gradient), gradient)", "_replaced(function(gradient), gradient)"),
            ("wrong order", "(-node.order, node)", "(node.order, node)"),
            ("shared memory", "if array.base is not None or id(array) in taken or", "if array.base is not None or"),
            ("missing step", "if not retain:", "if retain:"),
            ("missing check", "if create and not function.second_order:", "if False:"),
            ("missing check", ") != want:", ") == ():"),
            ("missing check", "if gradient.shape != tensor.shape:", "if gradient.size != tensor.size:"),
            ("missing step", "if targets is None or id(edge) in targets:", "if True:"),
        ],
    ),
    (
        "rawseg/autograd/tensor.py",
        ENGINE,
        [
            ("missing check", "and not (self._requires_grad or self._held)", "and not self._held"),
            ("missing step", "twin._version, twin._held = self._version, self._held", "twin._held = self._held"),
        ],
    ),
    (
        "rawseg/autograd/in_place.py",
        ENGINE,
        [
            ("missing step", "self._version[0] += 1", "pass"),
            ("missing check", "if modes.grad and self._requires_grad:", "if False:"),
        ],
    ),
    (
        "rawseg/autograd/function.py",
        ENGINE,
        [
            ("missing step", "results[0]._version = inputs[0]._version", "pass"),
            ("missing check", "_check_version(function, version, kept._version[0])", "pass"),
            ("missing check", "_check_version(function, 0, version[0])", "pass"),
        ],
    ),
    (
        "rawseg/autograd/arithmetic.py",
        DERIVATIVES,
        [
            ("wrong sign", "-grad_output * a / (b * b)", "grad_output * a / (b * b)"),
            ("wrong sign", "sum_to(-grad_output, ctx.shapes[1])", "sum_to(grad_output, ctx.shapes[1])"),
            ("wrong formula", "sum_to(grad_output * a, b.shape)", "sum_to(grad_output * b, b.shape)"),
            ("wrong tie", "half = grad_output * 0.5", "half = grad_output"),
            ("off by one", "x ** (ctx.exponent - 1) * ctx.exponent", "x ** (ctx.exponent - 1) * (ctx.exponent - 1)"),
            ("missing step", "where(zero_base, 0.0, grad_output * out * logarithm)", "grad_output * out * logarithm"),
        ],
    ),
    (
        "rawseg/autograd/elementwise.py",
        DERIVATIVES,
        [
            ("wrong comparison", "inside &= x >= low", "inside &= x > low"),
            ("wrong comparison", "inside &= x <= high", "inside &= x < high"),
            ("wrong sign", "return -grad_output * x.sin()", "return grad_output * x.sin()"),
            ("wrong formula", "grad_output * (1 - out * out)", "grad_output * (1 - out)"),
            ("wrong formula", "return grad_output / (out * 2)", "return grad_output / out"),
            ("missing step", "wide(array_module(x).exp, x)", "array_module(x).exp(x)"),
        ],
    ),
    (
        "rawseg/autograd/reductions.py",
        DERIVATIVES,
        [
            ("biased for unbiased", "max(0, count - correction)", "max(0, count)"),
            ("count", "sum(x, axes, keepdim) / count", "sum(x, axes, keepdim) / x.size"),
            ("wrong tie", "ctx.share = chosen / chosen.sum(axis=axes, keepdims=True)", "ctx.share = chosen"),
            (
                "flip or transposition",
                "CumSum.apply(grad_output.flip(ctx.axis), axis=ctx.axis).flip(ctx.axis)",
                "CumSum.apply(grad_output, axis=ctx.axis)",
            ),
            ("NaN rule", "chosen = (x == out) | (x != x)", "chosen = x == out"),
            ("missing step", "where(top.isfinite(), top, 0.0)", "top"),
        ],
    ),
    (
        "rawseg/autograd/reductions.py",
        TENSOR,
        [("wrong order", "_ordered(x).sum(axis=axes, keepdims=keepdims)", "x.sum(axis=axes, keepdims=keepdims)")],
    ),
    (
        "rawseg/autograd/indexing.py",
        DERIVATIVES,
        [("= for +=", "xp.add.at(out, index, x)", "out[index] = x")],
    ),
    (
        "rawseg/autograd/shaping.py",
        DERIVATIVES,
        [
            ("flip or transposition", "np.argsort(ctx.axes)", "ctx.axes"),
            ("missing step", "start += size", "start += 0"),
            (
                "wrong sign",
                "widths=[(-low, -high) for low, high in ctx.widths]",
                "widths=[(-high, -low) for low, high in ctx.widths]",
            ),
        ],
    ),
    (
        "rawseg/autograd/linear.py",
        DERIVATIVES,
        [
            ("flip or transposition", "MatMul.apply(a.swapaxes(-1, -2), grad_output)", "MatMul.apply(a, grad_output)"),
            ("flip or transposition", "MatMul.apply(grad_output, b.swapaxes(-1, -2))", "MatMul.apply(grad_output, b)"),
            ("missing step", "partial = partial.unsqueeze(axis)", "pass"),
        ],
    ),
    (
        "rawseg/functional/activation.py",
        ACTIVATION,
        [
            ("wrong comparison", "keep=~(out.array <= 0)", "keep=~(out.array < 0)"),
            ("NaN rule", "keep=~(out.array <= 0)", "keep=out.array > 0"),
            ("NaN rule", "_zero_unless(~(x < 0), x)", "_zero_unless(x >= 0, x)"),
            ("wrong comparison", "ctx.positive = slope, x > 0", "ctx.positive = slope, x >= 0"),
            ("wrong comparison", "~((x <= low) |", "~((x < low) |"),
            ("wrong comparison", "| (x >= high))", "| (x > high))"),
            ("missing step", "return (x.view(bits) * keep).view(x.dtype)", "return x * keep"),
        ],
    ),
    (
        "rawseg/functional/logistic.py",
        ACTIVATION,
        [
            ("missing step", "return weighted - out * weighted.sum(ctx.axis, keepdim=True)", "return weighted"),
            ("wrong axis", "out.exp() * grad_output.sum(ctx.axis, keepdim=True)", "out.exp() * grad_output.sum(keepdim=True)"),
            ("missing step", "exp(x - x.max(axis, keepdims=True))", "exp(x)"),
            ("missing step", "xp.exp(-abs(x))  # in", "xp.exp(-x)  # in"),
            ("wrong comparison", "xp.where(x < 0, small, 1)", "xp.where(x < 0, 1, small)"),
            ("wrong formula", "grad_output * (out * (1 - out))", "grad_output * (out * (1 + out))"),
        ],
    ),
    (
        "rawseg/functional/classification_loss.py",
        CLASSES,
        [
            ("count", "float(sharp.sum()), empty)", "float(sharp.size), empty)"),
            ("count", "sharp = weights[ids] * kept", "sharp = weights[ids]"),
            ("count", "float((sharp * kept).sum(", "float(sharp.sum("),
            ("count", "losses.sum(), losses.size, empty) if reduction", "losses.sum(), x.size, empty) if reduction"),
            ("missing step", "sharp=sharp * (1 - label_smoothing)", "sharp=sharp"),
            ("missing step", "losses[b] = xp.where(kept[b], loss, 0)", "losses[b] = loss"),
            ("missing step", "grad_input[b] = xp.where(kept[b], gradient, 0)", "grad_input[b] = gradient"),
            ("missing step", "gradient *= grad_output[b]", "pass"),
            ("missing step", "top = logits.max(0)", "top = logits.max(0) * 0"),
            ("missing step", "(label_smoothing / len(weights)) if", "label_smoothing if"),
            ("wrong formula", "* (sharp[b] + mass)", "* sharp[b]"),
            ("wrong axis", "axis = 0 if x.ndim == 1 else 1\n", "axis = 0 if x.ndim == 1 else -1\n"),
            ("missing check", "check_class_ids(op,", "(op,"),
        ],
    ),
    (
        "rawseg/labels.py",
        METRICS,
        [
            ("wrong comparison", "(ids >= num_classes)", "(ids > num_classes)"),
            ("missing step", "bad &= kept", "pass"),
        ],
    ),
    (
        "rawseg/functional/binary_loss.py",
        LOSSES,
        [
            ("missing step", "= t if positive is None else t * positive", "= t"),
            ("missing step", "target if positive is None else target * positive", "target"),
            ("missing step", "xp.exp(-abs(wide_x))", "xp.exp(-wide_x)"),
            ("wrong sign", "grad_output * (x - target) /", "grad_output * (target - x) /"),
            ("missing step", "xp.maximum(wide(xp.log, x), LOG_FLOOR)", "wide(xp.log, x)"),
        ],
    ),
    (
        "rawseg/functional/regression_loss.py",
        LOSSES,
        [
            ("wrong formula", "small * (size - small / 2)", "small * (size - small)"),
            ("missing step", "delta=beta) / beta if beta", "delta=beta) if beta"),
            ("wrong formula", "x.clamp(-ctx.delta, ctx.delta)", "x.clamp(0, ctx.delta)"),
        ],
    ),
    (
        "rawseg/functional/reduction.py",
        LOSSES,
        [
            ("wrong axis", 'losses.mean() if reduction == "mean"', 'losses.mean(0) if reduction == "mean"'),
            ("wrong formula", 'if reduction == "mean" else losses.sum()', 'if reduction == "sum" else losses.sum()'),
        ],
    ),
    (
        "rawseg/functional/segmentation_loss.py",
        MASKS,
        [
            ("missing step", "2 * common + smooth, p + g + smooth", "2 * common, p + g + smooth"),
            ("missing step", "p + g - common + smooth", "p + g + smooth"),
            ("wrong axis", '"image": (1,), "class": (0,)', '"image": (0,), "class": (1,)'),
            ("missing step", "== classes) & kept[:, None]", "== classes)"),
            ("missing step", "p = x if kept is None else where(kept, x, 0.0)", "p = x"),
            ("count", "total = weights * (ids != ignore_index)", "total = weights"),
        ],
    ),
    (
        "rawseg/functional/border.py",
        MASKS,
        [
            ("wrong formula", "(2 * sigma**2)", "sigma**2"),
            ("missing step", "np.minimum(second, np.maximum(nearest, distance))", "np.minimum(second, nearest)"),
            ("wrong order", "background, foreground = _class_weights", "foreground, background = _class_weights"),
        ],
    ),
    (
        "rawseg/functional/normalization.py",
        STATISTICS,
        [
            ("biased for unbiased", "var.array * (count / (count - 1))", "var.array"),
            ("shared memory", "(mean.copy(), var.copy())", "(mean, var)"),
            ("missing step", "if running and x.size:", "if running:"),
        ],
    ),
    (
        "rawseg/functional/normalization.py",
        f"{SECOND} -k batch_norm",
        [
            ("missing step", "grad_output - total / count - z * (moment / count) if", "grad_output - z * (moment / count) if"),
            ("missing step", "spread = ((x - centre) * (x - centre))", "spread = ((x - centre) * (x - centre)).detach()"),
        ],
    ),
    (
        "rawseg/functional/convolution.py",
        f"{SECOND} -k conv",
        [
            (
                "wrong sign",
                "ConvolutionBackwardInput.apply(grad_output, grad_weight,",
                "ConvolutionBackwardInput.apply(-grad_output, grad_weight,",
            ),
            ("wrong formula", "first = Convolution.apply(x, grad_weight,", "first = Convolution.apply(x * 2, grad_weight,"),
            (
                "wrong sign",
                "ConvolutionBackwardWeight.apply(grad_output, grad_x,",
                "ConvolutionBackwardWeight.apply(grad_output, -grad_x,",
            ),
        ],
    ),
    (
        "rawseg/functional/pooling.py",
        f"{SECOND} -k pool",
        [
            (
                "wrong sign",
                "Scatter.apply(grad_output, indices=ctx.indices,",
                "Scatter.apply(-grad_output, indices=ctx.indices,",
            ),
            (
                "missing step",
                "return AvgPool2d.apply(grad_input, geometry=ctx.geometry)",
                "return AvgPool2d.apply(grad_input.detach(), geometry=ctx.geometry)",
            ),
        ],
    ),
    (
        "rawseg/functional/resize.py",
        PLANES,
        [
            ("height for width", "(1 / factors[0], 1 / factors[1])", "(1 / factors[1], 1 / factors[0])"),
            ("floor for ceil", "math.floor(length * factor)", "math.ceil(length * factor)"),
        ],
    ),
    (
        "rawseg/functional/padding.py",
        PLANES,
        [
            ("height for width", "zip(numbers[0::2], numbers[1::2]))[::-1]", "zip(numbers[0::2], numbers[1::2]))"),
            ("off by one", "(n - 1) - np.abs(np.abs(i) - (n - 1))", "n - 1 - np.abs(np.abs(i + 0.5).astype(int) - (n - 1))"),
        ],
    ),
    (
        "rawseg/functional/dropout.py",
        "functional/test_dropout.py",
        [
            ("missing step", "1 / (1 - p))", "1)"),
            ("wrong axis", "(*x.shape[:-2], 1, 1)", "(1, 1, *x.shape[-2:])"),
            ("wrong comparison", "np.float32) >= p", "np.float32) < p"),
        ],
    ),
    (
        "rawseg/optim/sgd.py",
        RULES,
        [
            ("wrong formula", "b += g if share == 1 else xp", "b += xp.multiply(g, 1 - momentum) if share == 1 else xp"),
            ("wrong formula", "share = 1.0 if fresh else 1 - float", "share = 1 - float"),
            ("missing step", 'if group["nesterov"] else b', "if False else b"),
            ("missing step", "b *= momentum", "pass"),
        ],
    ),
    (
        "rawseg/optim/adam.py",
        RULES,
        [
            ("missing step", "lr / (1 - beta1**step)", "lr"),
            ("missing step", "math.sqrt(1 - beta2**step)", "1.0"),
            ("off by one", 'state.get("step", 0) + 1', 'state.get("step", 0) + 2'),
            ("wrong formula", "more /= root\n            more += eps", "more += eps\n            more /= root"),
            ("wrong formula", "xp.maximum(top, v, out=top)", "xp.minimum(top, v, out=top)"),
            ("wrong formula", "x_block *= 1 - lr * decay", "x_block *= 1 - decay"),
            ("missing step", "0.0 if self.decoupled else decay", "decay"),
        ],
    ),
    (
        "rawseg/optim/blocks.py",
        RULES,
        [
            (
                "wrong sign",
                "xp.subtract(scratch, gradient, out=scratch) if maximize",
                "xp.add(scratch, gradient, out=scratch) if maximize",
            ),
            ("off by one", "count = min(BLOCK, first.size - start)", "count = min(BLOCK, first.size - start - 1)"),
        ],
    ),
    (
        "rawseg/optim/clip_grad.py",
        CLIP,
        [
            ("missing step", "min(1.0, float(max_norm) / (norm + 1e-6)) if", "float(max_norm) / (norm + 1e-6) if"),
            ("missing step", "** (1 / p)", "** 1"),
            ("missing step", "change(gradient._write(op))", "change(gradient.array)"),
        ],
    ),
    (
        "rawseg/optim/lr_scheduler.py",
        SCHEDULES,
        [
            ("off by one", "bisect_right(self.milestones, epoch)", "bisect_right(self.milestones, epoch - 1)"),
            ("wrong sign", "(1 + math.cos(", "(1 - math.cos("),
            ("missing step", "span * min(self.total_iters, epoch)", "span * epoch"),
        ],
    ),
    (
        "rawseg/optim/schedule.py",
        SCHEDULES,
        [
            ("missing step", "epoch - (self.milestones[which - 1] if which else 0)", "epoch"),
            ("missing step", 'group.setdefault("initial_lr", group["lr"])', 'group["initial_lr"] = group["lr"]'),
        ],
    ),
    (
        "rawseg/optim/optimizer.py",
        OPTIMIZER,
        [
            ("missing step", "param._write(self.name), param.grad", "param.array, param.grad"),
            ("shared memory", "move(value.copy(), param.device)", "move(value, param.device)"),
            ("missing check", "if id(param) in seen:", "if False:"),
            ("missing check", "if gradient.shape != param.shape:", "if gradient.size != param.size:"),
        ],
    ),
    ("rawseg/nn/hooks.py", "nn/test_hooks.py", [("missing step", "grad_input = _same_count(answer", "_same_count(answer")]),
    (
        "rawseg/nn/module.py",
        "nn/test_hooks.py",
        [
            ("missing step", "out = out if answer is None else answer", "pass"),
            ("missing step", "args = answer if isinstance(answer, tuple) else (answer,)", "pass"),
        ],
    ),
    (
        "rawseg/nn/normalization.py",
        "nn/test_layers.py -k batches_are_counted",
        [
            ("missing step", "self.num_batches_tracked.add_(1)", "pass"),
            ("missing step", "and input.size > 0", "and True"),
        ],
    ),
    (
        "rawseg/nn/normalization.py",
        "nn/test_layers.py",
        [
            ("off by one", "1 / (int(self.num_batches_tracked) + 1)", "1 / (int(self.num_batches_tracked) + 2)"),
            ("missing step", "self.training or not self.track_running_stats", "self.training"),
        ],
    ),
    (
        "rawseg/metrics/confusion.py",
        METRICS,
        [
            (
                "flip or transposition",
                "target[kept].astype(np.int64) * num_classes + prediction[kept].astype(np.int64)",
                "prediction[kept].astype(np.int64) * num_classes + target[kept].astype(np.int64)",
            ),
            ("missing check", 'check_class_ids(op, "prediction", prediction', 'check_class_ids(op, "prediction", target'),
        ],
    ),
    (
        "rawseg/metrics/scores.py",
        METRICS,
        [
            (
                "wrong axis",
                "matrix.sum(axis=-2) - hits, matrix.sum(axis=-1) - hits",
                "matrix.sum(axis=-1) - hits, matrix.sum(axis=-2) - hits",
            ),
            ("wrong order", '"precision": (1, 1, 0)', '"precision": (1, 0, 1)'),
            ("wrong formula", '"dice": (2, 1, 1)', '"dice": (1, 1, 1)'),
            ("count", ".sum(axis=-1) / np.maximum(many, 1)", ".sum(axis=-1) / scores.shape[-1]"),
            ("missing step", "np.where(absent, EMPTY[empty], hits", "np.where(False, EMPTY[empty], hits"),
        ],
    ),
    (
        "rawseg/metrics/accumulate.py",
        METRICS,
        [
            ("= for +=", "self._matrix += matrix", "self._matrix = matrix"),
            ("shared memory", "matrix=self._matrix.copy()", "matrix=self._matrix"),
            ("wrong formula", 'evaluate(name, by_image, "macro"', 'evaluate(name, by_image, "micro"'),
        ],
    ),
    (
        "rawseg/data/augment.py",
        AUGMENT,
        [
            (
                "wrong formula",
                'map_coordinates(mask, places, order=0, mode="mirror")',
                'map_coordinates(mask, places, order=1, mode="mirror")',
            ),
            ("missing step", "return image[:, rows, columns], mask[rows, columns]", "return image[:, rows, columns], mask"),
            ("half pixel", "(np.arange(out) + offset + 0.5) / scale - 0.5", "(np.arange(out) + offset) / scale"),
            ("wrong sign", "centre_row + math.sin(angle) * right", "centre_row - math.sin(angle) * right"),
            ("height for width", "-1 if vertically and self.vertical", "-1 if horizontally and self.vertical"),
            ("off by one", "max(slack, 0) + 1))", "max(slack, 1)))"),
            ("half pixel", "(mask.shape[0] - 1) / 2,", "mask.shape[0] / 2,"),
            (
                "wrong formula",
                'map_coordinates(channel, places, order=1, mode="mirror")',
                'map_coordinates(channel, places, order=1, mode="reflect")',
            ),
        ],
    ),
    (
        "rawseg/data/loader.py",
        LOADER,
        [
            ("floor for ceil", "-(-len(self.dataset) // self.batch_size)", "len(self.dataset) // self.batch_size"),
            ("missing step", "sample_rng(self.seed, epoch, index)", "sample_rng(self.seed, 0, index)"),
            (
                "wrong order",
                "if len(ahead) > self.workers:\n                    yield ahead.popleft()",
                "if len(ahead) > self.workers:\n                    yield ahead.pop()",
            ),
            ("missing step", "range(start_batch * self.batch_size,", "range(0,"),
            ("missing step", "SeedSequence([self.seed, epoch]", "SeedSequence([self.seed]"),
        ],
    ),
    (
        "rawseg/data/dataset.py",
        "data/test_dataset.py",
        [
            ("off by one", "self.mask.shape[0] - height + 1)", "self.mask.shape[0] - height)"),
            ("height for width", "self.mask.shape[1] - width + 1)", "self.mask.shape[0] - width + 1)"),
        ],
    ),
    (
        "rawseg/data/images.py",
        IMAGES,
        [
            ("missing check", "PngImageFile(file).verify()", "pass"),
            ("floor for ceil", "np.rint(image * 255)", "np.floor(image * 255)"),
            ("missing step", "ImageOps.exif_transpose(image, in_place=True)", "pass"),
            ("missing step", "return ids // scale", "return ids"),
            ("missing step", "if inverted:", "if False:"),
            ("wrong comparison", "np.uint8 if high < 256 else", "np.uint8 if high <= 256 else"),
        ],
    ),
    (
        "rawseg/models/tiling.py",
        "models/test_tiling.py",
        [
            ("off by one", "period = 2 * (size - 1)", "period = 2 * size"),
            (
                "missing step",
                "columns = mirror(left - halo, left - halo + full, width)",
                "columns = mirror(left, left + full, width)",
            ),
        ],
    ),
    (
        "rawseg/serialization.py",
        DAMAGE,
        [
            ("missing check", "described.get(name) != _description(array)", "name not in described"),
            ("missing check", "if signed(text) != metadata.get(MANIFEST):", "if False:"),
            ("missing check", 'if manifest["format"] > FORMAT:', "if False:"),
        ],
    ),
    (
        "rawseg/serialization.py",
        SAVING,
        [
            ("wrong order", "{name: arrays[name] for name in described}", "{name: arrays[name] for name in arrays}"),
        ],
    ),
    (
        "rawseg/tensorfile.py",
        SAVING,
        [
            ("missing check", "if digest != hashlib.sha256(contents).digest():", "if False:"),
            ("missing step", "sweep_temporaries(Path", "(Path"),
        ],
    ),
    (
        "rawseg/files.py",
        FILES,
        [
            (
                "wrong order",
                "    os.fsync(file.fileno())\n            os.replace(temporary, target)",
                "    os.replace(temporary, target)\n                os.fsync(file.fileno())",
            ),
            ("missing step", "_sync_folder(target.parent)", "pass"),
            ("missing step", "os.unlink(temporary)", "pass"),
            ("missing step", "Path(os.path.realpath(path))", "Path(path)"),
            ("missing check", "if cause.errno != errno.EINVAL:", "if False:"),
        ],
    ),
    ("rawseg/files.py", SAVING, [("missing check", "return name not in _open", "return True")]),
    (
        "rawseg/training/checkpoint.py",
        "training/test_checkpoint.py training/test_resume.py",
        [
            ("missing step", 'random.set_rng_state(state["rng"]["rawseg"])', "pass"),
            ("missing step", "optimizer.adopt(fitted)", "pass"),
            ("missing check", "schedule.check_state(", "("),
        ],
    ),
    (
        "rawseg/training/loop.py",
        "training/test_loop.py training/test_failures.py",
        [
            ("count", "progress.loss_sum += loss * len(images)", "progress.loss_sum += loss"),
            ("missing check", "if not math.isfinite(value):", "if False:"),
            ("wrong comparison", 'scores["val_mean_iou"] > before', 'scores["val_mean_iou"] < before'),
            ("missing step", "self.model.train()", "pass"),
        ],
    ),
    (
        "rawseg/testing/gradcheck.py",
        "autograd/test_derivatives.py -k gradcheck",
        [
            ("missing check", "if kink or not error <= tolerance:", "if kink:"),
            ("missing check", "if kink or not error", "if not error"),
        ],
    ),
]
