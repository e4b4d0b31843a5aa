"""Faults in layers, update rules and training."""

from __future__ import annotations

RULES = "optim/test_rules.py"
OPTIMIZER = "optim/test_optimizer.py"
CLIP = "optim/test_clip_grad.py"
SCHEDULES = "optim/test_schedules.py"

FAULTS = [
    (
        "kernels/rawseg_kernels/_foreach/direct.py",
        RULES,
        [
            ("missing check", "return not any(np.may_share_memory(one, other)", "return not any(False"),
            ("missing check", "fits_a_row(gradient, x, False):", "True:"),
            ("wrong sign", "x * decay - g if maximize", "x * decay + g if maximize"),
            ("wrong operand", "g = b * momentum + g if nesterov", "g = g * momentum + b if nesterov"),
            ("missing step", " + g * share", " + g"),
            ("missing check", " or np.isnan(second):", ":"),
            ("wrong formula", "np.sqrt(second) / root + eps", "np.sqrt(second) / (root + eps)"),
            ("wrong formula", "1 - lr * weight_decay)", "1 - weight_decay)"),
            ("missing check", "bool(weight_decay and not decoupled)", "bool(weight_decay)"),
        ],
    ),
    (
        "kernels/rawseg_kernels/_foreach/overlap.py",
        "optim/test_together.py",
        [
            ("missing check", "if (begin[1:] < end[:-1]).any():", "if False:"),
            ("missing check", "return not (reached < others[:, 1]).any()", "return True"),
        ],
    ),
    (
        "kernels/rawseg_kernels/_foreach/rows.py",
        "optim/test_together.py optim/test_rules.py",
        [
            ("missing check", "flags.c_contiguous and flags.aligned)", "True)"),
            ("missing check", "flags.carray if is_written else", "flags.c_contiguous if is_written else"),
            ("missing check", " or array.shape != like.shape or", " or"),
            ("missing check", " or array.dtype != like.dtype:", ":"),
            ("missing check", "if known and found == self._addresses[0].tolist():", "if known:"),
            ("missing check", "all(array is seen() for", "all(True for"),
            ("missing step", "            self._held = ()\n", "            pass\n"),
            ("missing check", "if not self.apart or not self._held:", "if not self.apart:"),
            ("off by one", "min(BLOCK, size - start)", "min(BLOCK, size - start - 1)"),
            ("missing step", "        return Rows, ()  # a copy", "        return object.__reduce__(self)  # a copy"),
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
            ("missing step", "[gradient._write(op) for", "[gradient.array for"),
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
            ("missing check", "if gradient._meta == param._meta:", "if gradient.size == param.size:"),
            ("shared memory", "move(value.copy(), param.device)", "move(value, param.device)"),
            ("missing check", "if id(param) in seen:", "if False:"),
            ("missing check", "if gradient.shape != param.shape:", "if gradient.size != param.size:"),
        ],
    ),
    (
        "rawseg/nn/fused.py",
        "nn/test_fused.py",
        [
            ("missing check", '(hooks or "forward" in layer.__dict__)', "hooks"),
            ("missing check", "layer._pre_hooks or layer._forward_hooks", "layer._forward_hooks"),
            ("missing check", "type(layers[at]) is not Conv2d", "not isinstance(layers[at], Conv2d)"),
            ("missing check", 'if convolution.padding_mode != "zeros":', "if False:"),
            ("missing check", "(norm.training or not norm.track_running_stats):", "not norm.track_running_stats:"),
            ("wrong order", "convolution.padding, convolution.dilation", "convolution.dilation, convolution.padding"),
            ("missing check", "and type(layer).forward is FORWARDS[type(layer)]", ""),
            ("missing check", "_together(layers, at) if unwatched() else 1", "_together(layers, at)"),
        ],
    ),
    (
        "rawseg/nn/fused.py",
        "nn/test_fused_training.py",
        [
            ("missing check", "if bias is not None or not are_images", "if not are_images"),
            ("missing check", ' or norm.num_features not in getattr(weight, "shape", ())[:1]', ""),
            ("missing step", "        norm._count_batch()\n", "        pass\n"),
            ("missing check", "if out is not None and counting:", "if counting:"),
            ("missing check", "    if is_grad_enabled():\n        return None\n", ""),
        ],
    ),
    (
        "rawseg/functional/fused_training.py",
        "nn/test_fused_training.py",
        [
            ("missing check", "slope is not None and slope.origin is ctx.origin:", "slope is not None:"),
            ("missing step", "given, low, high = slope.grad_output, slope.low, slope.high", "given = slope.grad_output"),
            ("missing step", "shift is None else shift.copy()", "shift is None else shift"),
            ("missing check", "ctx.save(x if ctx.needs_grad[1] else None,", "ctx.save(x,"),
            ("missing check", "weight if ctx.needs_grad[0] else None, scale, y)", "weight, scale, y)"),
            ("missing step", "        if not ctx.retained:\n            ctx.free()\n", ""),
            ("missing check", "        if not ctx.retained:\n            ctx", "        if True:\n            ctx"),
            ("missing step", "        if running:\n", "        if False:\n"),
            ("wrong number", "y.size // y.shape[1]", "y.size"),
            ("missing step", "    if not math.isinf(low):\n        mean", "    if False:\n        mean"),
            ("missing step", "        tensor._connect(*edge)", "        pass"),
            ("missing check", "array.ndim == 4 and array.size > 0", "array.ndim == 4"),
            ("wrong order", "batch_norm_room.forward_held(y, scale, shift,", "batch_norm_room.forward_held(y, shift, scale,"),
        ],
    ),
    (
        "rawseg/functional/fused.py",
        "nn/test_fused.py",
        [
            ("missing check", "not (modes.anomaly or", "not ("),
            ("missing check", "modes.anomaly or modes.recorder is not None)", "modes.anomaly)"),
            ("missing check", "arrays[2].shape != shape[1:2] or", ""),
            ("missing check", "or arrays[2].dtype != x.dtype", ""),
            ("missing check", "if seen != now:", "if seen is None:"),
            ("missing step", "array.dtype, array.shape, array.tobytes()", "array.dtype, array.shape"),
            ("missing step", "after = Epilogue(*NOTHING[:3], low, high)", "after = NOTHING"),
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
            ("missing step", "Tensor(seen.array + 1)", "Tensor(seen.array + 0)"),
            ("missing step", "and input.size > 0", "and True"),
        ],
    ),
    (
        "rawseg/nn/normalization.py",
        "nn/test_layers.py",
        [
            ("off by one", "1 / (int(self.num_batches_tracked) + 1)", "1 / (int(self.num_batches_tracked) + 2)"),
            ("missing step", "from_batch = self.training or not self.track_running_stats", "from_batch = self.training"),
        ],
    ),
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
            ("wrong comparison", "best_score(scores) > before", "best_score(scores) < before"),
            ("missing step", "self.model.train()", "pass"),
        ],
    ),
]
