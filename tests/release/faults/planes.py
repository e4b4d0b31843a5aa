"""Faults in the kernels of pooling, batch normalisation and resizing."""

from __future__ import annotations

MAX_POOL = "kernels/test_max_pool2d.py"
AVG_POOL = "kernels/test_avg_pool2d.py"
BATCH_NORM = "kernels/test_batch_norm.py"
RESIZE, TABLES = "kernels/test_resize.py", "kernels/test_resize_tables.py"
ROOM = "kernels/rawseg_kernels"

FAULTS = [
    (
        f"{ROOM}/_simd_rows.py",
        RESIZE,
        [("off by one", "write(whole, self.first(rest))", "write(whole, self.first(builder.sub(rest, _INDEX(1))))")],
    ),
    (
        f"{ROOM}/_simd_gathers.py",
        RESIZE,
        [
            ("wrong operand", "self.builder.ptrtoint(pointer, _INDEX)", "self.builder.ptrtoint(places, _INDEX)"),
            (
                "= for +=",
                "emitter.write(builder.fadd(emitter.read(sums, i, mask), product), sums",
                "emitter.write(product, sums",
            ),
        ],
    ),
    (
        f"{ROOM}/_simd_doubling.py",
        RESIZE,
        [
            ("wrong formula", "sides = ((NEAR, FAR), (FAR, NEAR))", "sides = ((FAR, NEAR), (NEAR, FAR))"),
            ("off by one", "for ahead in (0, 2):", "for ahead in (0, 1):"),
        ],
    ),
    (
        f"{ROOM}/max_pool2d/direct.py",
        MAX_POOL,
        [
            ("= for +=", "total[np.uint64(where[i])] += part[i]", "total[np.uint64(where[i])] = part[i]"),
            ("height for width", "*(pair[1] for pair in geometry), steps", "*(pair[0] for pair in geometry), steps"),
        ],
    ),
    (
        f"{ROOM}/max_pool2d/rows.py",
        MAX_POOL,
        [
            ("height for width", "top = oh * stride[0] - padding[0]", "top = oh * stride[1] - padding[0]"),
            ("floor for ceil", "kh_first = max(0, -(top // dilation_h))", "kh_first = max(0, -top // dilation_h)"),
            ("floor for ceil", "-(starts // dilation_w)) * step", "-starts // dilation_w) * step"),
            ("off by one", "(h - 1 - top) // dilation_h + 1)", "(h - 1 - top) // dilation_h)"),
            ("wrong sign", "top * w - padding[1], stride[1]", "top * w + padding[1], stride[1]"),
            ("wrong formula", "lowest = x.dtype.type(-np.inf)", "lowest = x.dtype.type(0)"),
            ("missing step", "if holds[slot] != row:", "if holds[slot] < 0:"),
        ],
    ),
    (
        f"{ROOM}/_phases.py",
        "kernels/test_phases.py",
        [
            ("off by one", "min((kernel_h - 1) * dilation_h + 1, h)", "min(kernel_h - 1, h)"),
            ("missing step", "-(-padding_w // stride_w) + _whole(-(-w // stride_w))", "_whole(-(-w // stride_w))"),
            ("wrong order", "key=lambda phase: (phase - padding_w) % stride_w", "key=lambda phase: phase % stride_w"),
            (
                "off by one",
                "count = (w - 1 + padding_w - phase) // stride_w + 1",
                "count = (w + padding_w - phase) // stride_w + 1",
            ),
            ("wrong formula", "column // stride_w, kw) for", "column // stride_w + kw // 4, kw) for"),
        ],
    ),
    (
        f"{ROOM}/_simd_maxima.py",
        MAX_POOL,
        [
            ("wrong tie", 'fcmp_ordered(">", values, best)', 'fcmp_ordered(">=", values, best)'),
            ("NaN rule", 'fcmp_unordered("uno", values, values)', 'fcmp_unordered("uno", best, best)'),
            ("missing step", "emitter.same(builder.mul(row, step))", "emitter.same(step)"),
            ("off by one", "emitter.each_masked(count, write)", "emitter.each_masked(builder.sub(count, _INDEX(1)), write)"),
        ],
    ),
    (
        f"{ROOM}/max_pool2d/large_windows.py",
        MAX_POOL,
        [
            ("wrong tie", "if value > held or", "if value >= held or"),
            ("NaN rule", "value > held or value != value:", "value > held:"),
            ("height for width", "top = oh * stride[0] - padding[0]", "top = oh * stride[1] - padding[0]"),
            (
                "height for width",
                "kernel_size[1], stride[1], padding[1], dilation[1])",
                "kernel_size[1], stride[1], padding[0], dilation[1])",
            ),
            ("height for width", "offset, line, kernel_size[1], stride[1]", "offset, line, kernel_size[0], stride[1]"),
            ("height for width", "padding[1], dilation[1])", "padding[1], dilation[0])"),
            ("height for width", "kh_last = min(kernel_size[0],", "kh_last = min(kernel_size[1],"),
            ("wrong sign", "corner = top * w - padding[1]", "corner = top * w + padding[1]"),
            ("floor for ceil", "kh_first = max(0, -(top // dilation[0]))", "kh_first = max(0, -top // dilation[0])"),
            ("wrong formula", "best[i] = -np.inf", "best[i] = 0"),
            ("off by one", "(h - 1 - top) // dilation[0] + 1)", "(h - 1 - top) // dilation[0])"),
        ],
    ),
    (
        f"{ROOM}/_pooling_rows.py",
        MAX_POOL,
        [
            ("off by one", "(w - 1 - left) // stride_w + 1", "(w - 1 - left) // stride_w"),
            ("wrong sign", "(w - 1 + padding_w) // dilation_w", "(w - 1 - padding_w) // dilation_w"),
        ],
    ),
    (
        f"{ROOM}/_arrays.py",
        f"{MAX_POOL} kernels/test_roi_pool.py",
        [
            ("missing step", "offsets.view(np.uint64).max()", "offsets.max()"),
            ("off by one", ">= end - least, error", "> end - least, error"),
            ("missing step", "array - least if least else array", "array"),
        ],
    ),
    (
        f"{ROOM}/_pooling.py",
        MAX_POOL,
        [
            ("floor for ceil", "(stride[axis] - 1 if ceil_mode else 0)", "(stride[axis] - 1 if not ceil_mode else 0)"),
            ("off by one", "room + (stride[axis] - 1", "room + (stride[axis]"),
            (
                "wrong comparison",
                "* stride[axis] >= size[axis] + padding[axis]:",
                "* stride[axis] > size[axis] + padding[axis]:",
            ),
            ("height for width", "or padding[1] > kernel_size[1] // 2", "or padding[0] > kernel_size[0] // 2"),
            ("wrong comparison", "padding[0] > kernel_size[0] // 2", "padding[0] >= kernel_size[0] // 2"),
            ("off by one", "start + tap * step >= size[axis]", "start + tap * step > size[axis]"),
            ("floor for ceil", "tap = -(start // step)", "tap = -start // step"),
            ("off by one", "room = size[axis] + 2 * padding[axis] - reach", "room = size[axis] + padding[axis] - reach"),
        ],
    ),
    (
        f"{ROOM}/avg_pool2d/rows.py",
        AVG_POOL,
        [
            ("height for width", "top = oh * stride[0] - padding[0]", "top = oh * stride[0] - padding[1]"),
            (
                "missing step",
                "if holds[slot] != row:\n                holds[slot] = row\n                lay_row",
                "if holds[slot] < 0:\n                holds[slot] = row\n                lay_row",
            ),
            (
                "missing step",
                "if holds[slot] != row:\n                holds[slot] = row\n                source",
                "if holds[slot] < 0:\n                holds[slot] = row\n                source",
            ),
            ("missing step", "    if phases.shape[0] < stride_w:\n        values[:] = 0\n", ""),
            ("missing step", "        if values.size % 2:\n            values[values.size - 1] = even[values.size // 2]\n", ""),
            ("off by one", "min(top + kernel_h, h)", "min(top + kernel_h, h - 1)"),
        ],
    ),
    (
        f"{ROOM}/_simd_means.py",
        AVG_POOL,
        [
            ("wrong operand", "builder.fmul(height, emitter.load(widths, i, doubles))", "emitter.load(widths, i, doubles)"),
            ("wrong order", "[2 * lane + half for lane in range(lanes)]", "[2 * lane for lane in range(lanes)]"),
            ("missing step", "share = emitter.narrow(builder.fadd(zero, share))", "share = emitter.narrow(share)"),
            ("off by one", "emitter.each_masked(count, write)", "emitter.each_masked(builder.sub(count, _INDEX(1)), write)"),
        ],
    ),
    (
        f"{ROOM}/avg_pool2d/direct.py",
        AVG_POOL,
        [
            ("count", "np.minimum(reach, size[axis]) - np.maximum(start, 0)", "np.minimum(reach, size[axis]) - start"),
            ("count", "count = np.minimum(reach, size[axis] + padding[axis]) - start", "count = reach - start"),
            ("count", "if count_include_pad:", "if not count_include_pad:"),
            ("= for +=", "target[i * stride[1]] += part[i]", "target[i * stride[1]] = part[i]"),
            ("= for +=", "share[i] += source[i] /", "share[i] = source[i] /"),
            ("height for width", "top = oh * stride[0] - padding[0]", "top = oh * stride[0] - padding[1]"),
            ("wrong constant", "EXACT = (0, 1, 2, 4)", "EXACT = (0, 1, 2, 3, 4)"),
            ("missing step", "        grad_input[plane, :, 2 * out_w :] = 0", "        pass"),
            ("missing step", "        grad_input[plane, 2 * out_h :] = 0", "        pass"),
            ("off by one", "(ih + padding[0]) // stride[0] + 1)", "(ih + padding[0]) // stride[0])"),
            (
                "floor for ceil",
                "-((kernel_size[0] - 1 - ih - padding[0]) // stride[0])",
                "(ih + padding[0] + 1 - kernel_size[0]) // stride[0]",
            ),
            ("missing step", "total[i] / (rows[oh] * columns[i])", "total[i] / rows[oh]"),
        ],
    ),
    (
        f"{ROOM}/batch_norm/direct.py",
        BATCH_NORM,
        [
            ("biased for unbiased", "variance[k] = total / count", "variance[k] = total / max(count - 1, 1)"),
            ("wrong formula", "inv_std[k] = 1 / np.sqrt(variance[k] + eps)", "inv_std[k] = 1 / (np.sqrt(variance[k]) + eps)"),
            ("= for +=", "total += sum_row(", "total = sum_row("),
            ("= for +=", "total += sum_squares(", "total = sum_squares("),
            ("wrong formula", "moved = kind((1 - momentum) * running_mean[k]", "moved = kind(momentum * running_mean[k]"),
            ("missing check", "sound = np.isfinite(moved_var)", "sound = True"),
            (
                "missing check",
                "    if not are_statistics(running_mean, running_var):\n        return False\n    _move",
                "    _move",
            ),
            ("wrong operand", "(variance[k] * factor))", "variance[k])"),
            ("missing step", "-math.inf, math.inf, False)", "-math.inf, math.inf, True)"),
        ],
    ),
    (
        f"{ROOM}/batch_norm/gradient.py",
        BATCH_NORM,
        [
            ("other order", "min(size, NEAR) if size", "size if size"),
            ("off by one", "min(line, n * size - start)", "min(line, n * size - start - 1)"),
            ("off by one", "rows, at, length, mean[k], least", "rows, at, length - 1, mean[k], least"),
            ("wrong constant", "inv_std * weight, summed / count, moment", "inv_std * weight, 0.0, moment"),
            ("missing step", "moment * inv_std * inv_std / count", "moment * inv_std * inv_std"),
            ("wrong place", "widen_gradient(given, rows, place", "widen_gradient(given, rows, at"),
        ],
    ),
    (
        f"{ROOM}/batch_norm/passing.py",
        BATCH_NORM,
        [
            ("wrong sign", "-scale, -shift, -high, -low", "-scale, -shift, high, low"),
            ("missing check", "if scale == 0:", "if False:"),
            ("wrong comparison", "value >= rounded(high, like)", "value > rounded(high, like)"),
            ("off by one", "low, False, like) + 1, most)", "low, False, like), most)"),
            ("wrong comparison", "not value >= bound if reaches", "not value > bound if reaches"),
            ("missing step", "return last if guess - 2 < last < guess + 1 else", "return last if True else"),
            ("wrong comparison", "while below < above - 1:", "while below < above - 2:"),
        ],
    ),
    (
        f"{ROOM}/_simd_norms.py",
        BATCH_NORM,
        [
            ("off by one", "last = builder.sub(count, _INDEX(size))", "last = builder.sub(count, _INDEX(size + 1))"),
            ("missing step", "if some else ():", "if False else ():"),
            ("wrong comparison", '(("<", least), (">", most))', '(("<", least), (">=", most))'),
            (
                "wrong sign",
                "products = [scale, *(self.builder.fmul(less, number)",
                "products = [scale, *(self.builder.fmul(scale, number)",
            ),
        ],
    ),
    (
        f"{ROOM}/_simd_sums.py",
        BATCH_NORM,
        [
            ("off by one", "self.first(builder.sub(rest, _INDEX(place)))", "self.first(builder.sub(rest, _INDEX(place + 1)))"),
            ("wrong comparison", '">=", rest, _INDEX(place + self.lanes)', '">", rest, _INDEX(place + self.lanes + 1)'),
            (
                "missing step",
                "[emitter.inside(mask, emitter.builder.fmul(distance, distance))]",
                "[emitter.builder.fmul(distance, distance)]",
            ),
            ("wrong order", "for at in (0, half))", "for at in (0, 0))"),
        ],
    ),
    (
        f"{ROOM}/batch_norm/gathered.py",
        BATCH_NORM,
        [
            ("= for +=", "variance[k] += sum_squares(", "variance[k] = sum_squares("),
            ("= for +=", "mean[k] += sum_row(", "mean[k] = sum_row("),
            ("wrong place", "((k - begin) * planes + b) * size, size)", "((k - begin) + b) * size, size)"),
        ],
    ),
    (
        f"{ROOM}/batch_norm/__init__.py",
        BATCH_NORM,
        [
            ("missing check", "refuse(running_var < 0,", "refuse(running_var < -1,"),
            ("wrong comparison", "if eps <= 0:", "if eps < 0:"),
        ],
    ),
    (
        f"{ROOM}/resize/tables.py",
        RESIZE,
        [
            ("half pixel", "else scale) - 0.5)", "else scale))"),
            ("half pixel", "(dst + 0.5) * (in_size", "dst * (in_size"),
            ("missing step", "np.maximum(0.0, (dst", "np.add(0.0, (dst"),
            ("off by one", "((in_size - 1) / (out_size - 1)", "(in_size / out_size"),
            (
                "wrong order",
                "(1 - fraction).astype(dtype), fraction.astype(dtype)",
                "fraction.astype(dtype), (1 - fraction).astype(dtype)",
            ),
            ("off by one", "second = np.minimum(first + 1,", "second = np.minimum(first,"),
        ],
    ),
    (
        f"{ROOM}/resize/tables.py",
        TABLES,
        [
            (
                "half pixel",
                "(2 * np.arange(out_size, dtype=np.int64) + 1) * in_size",
                "(2 * np.arange(out_size, dtype=np.int64)) * in_size",
            ),
            (
                "wrong formula",
                "return np.arange(out_size, dtype=np.int64) * in_size // out_size",
                "return (np.arange(out_size) * (in_size / out_size)).astype(np.int64)",
            ),
            ("missing step", "np.minimum(source - first, 1.0)", "source - first"),
        ],
    ),
    (
        f"{ROOM}/resize/tables.py",
        "deviations/test_resize.py",
        [("wrong formula", "np.arange(out_size, dtype=np.float32)", "np.arange(out_size, dtype=np.float64)")],
    ),
    (
        f"{ROOM}/resize/direct.py",
        RESIZE,
        [
            ("missing step", "if task > first and oh > 0 and", "if oh > 0 and"),
            ("wrong comparison", "and oh > 0 and rows[oh] == rows[oh - 1]:", "and rows[oh] == rows[oh - 1]:"),
            ("missing step", "number = plane * h + row", "number = row"),
            ("wrong operand", "upper, lower = lines[(plane * h + top[oh]) % 2]", "upper, lower = lines[top[oh] % 2]"),
            ("= for +=", "down[i] += weight * part[i]", "down[i] = weight * part[i]"),
            ("off by one", "entry += 2", "entry += 1"),
            ("off by one", "total, 2 * ENDS - 1, sums, ENDS)", "total, 2 * ENDS, sums, ENDS)"),
            ("= for +=", "value += weights[at]", "value = weights[at]"),
            ("missing check", "if begins.size < 2 or (np.diff(begins) != 4).any():", "if begins.size < 2:"),
            ("wrong operand", "np.full(end - begin, shape[1], np.uint32)", "np.zeros(end - begin, np.uint32)"),
            ("missing step", "            sums[:] = 0\n", ""),
            ("wrong formula", "np.array_equal(columns, np.arange(2 * w) // 2)", "columns.size == 2 * w"),
            ("off by one", "for i in (0, target.size - 1):", "for i in (0, target.size - 2):"),
            ("height for width", "_along(x[plane, row], left", "_along(x[plane, top[oh]], left"),
            ("off by one", "+ total[2 * iw + 1]", "+ total[2 * iw]"),
            ("missing check", "bool(twice and np.array_equal(outputs", "bool(np.array_equal(outputs"),
        ],
    ),
]
