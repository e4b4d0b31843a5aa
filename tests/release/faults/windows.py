"""Faults in windows as columns, unpooling, adaptive pooling, frames and shuffled pixels."""

from __future__ import annotations

UNFOLD = "kernels/test_unfold.py"
UNPOOL = "kernels/test_max_unpool2d.py"
ADAPTIVE = "kernels/test_adaptive_pool2d.py"
PAD = "kernels/test_pad.py"
WINDOWS = "functional/test_windows.py functional/test_windows_errors.py"
ROOM = "kernels/rawseg_kernels"

FAULTS = [
    (
        f"{ROOM}/unfold/direct.py",
        UNFOLD,
        [
            (
                "height for width",
                "left = kw * dilation[1] - padding[1]\n        ow_first",
                "left = kw * dilation[0] - padding[1]\n        ow_first",
            ),
            (
                "height for width",
                "oh * stride[0] - padding[0] + kh * dilation[0]",
                "oh * stride[0] - padding[1] + kh * dilation[0]",
            ),
            (
                "wrong order",
                "task // kernel_w % kernel_h, task % kernel_w",
                "task % kernel_h, task // kernel_h % kernel_w",
            ),
            ("wrong comparison", "if ih < 0 or ih >= h or", "if ih < 0 or ih > h - 2 or"),
            (
                "missing step",
                "for i in range(ow_last, out_w):\n                target[i] = 0",
                "for i in range(ow_last, out_w):\n                pass",
            ),
            ("wrong sign", "reach = ih + padding[0]", "reach = ih - padding[0]"),
            (
                "floor for ceil",
                "kh_first = max(0, -(((out_h - 1) * stride[0] - reach) // dilation[0]))",
                "kh_first = max(0, (reach - (out_h - 1) * stride[0]) // dilation[0] + 1)",
            ),
            ("off by one", "reach // dilation[0] + 1)", "reach // dilation[0])"),
            ("missing step", "if (reach - kh * dilation[0]) % stride[0]:", "if False:"),
            (
                "group offset",
                "row = (plane * kernel_size[0] + kh) * kernel_size[1] + kw",
                "row = (plane * kernel_size[0] + kh) * kernel_size[0] + kw",
            ),
            ("= for +=", "target[i * stride[1]] += part[i]", "target[i * stride[1]] = part[i]"),
            ("= for +=", "target[i] += part[i]", "target[i] = part[i]"),
        ],
    ),
    (
        f"{ROOM}/unfold/__init__.py",
        UNFOLD,
        [
            (
                "height for width",
                "sides = padding[0], padding[0], padding[1], padding[1]",
                "sides = padding[0], padding[1], padding[0], padding[1]",
            ),
            ("missing check", "if rows < 1 or rows % (kernel_h * kernel_w):", "if rows < 1:"),
            ("missing check", "if windows != out_size[0] * out_size[1]:", "if windows < out_size[0]:"),
        ],
    ),
    (
        f"{ROOM}/max_pool2d/direct.py",
        "kernels/test_max_pool2d_taps.py",
        [
            ("wrong tie", "best, tap = other, 3", "best, tap = other, 2"),
            (
                "early return",
                "            if oh >= out_h:\n                target[:] = zero",
                "            if oh >= out_h:\n                pass",
            ),
            ("missing step", "part = given[i] + zero", "part = given[i]"),
            ("height for width", "// kernel_size[1] * dilation[0] * w", "// kernel_size[1] * dilation[1] * w"),
            ("missing step", "where[ow] = corner + ow * stride[1]", "where[ow] = corner + ow"),
            ("= for +=", "offsets[chosen[ow]])] += part[ow]", "offsets[chosen[ow]])] = part[ow]"),
            ("missing step", "            target[2 * out_w :] = zero", "            pass"),
        ],
    ),
    (
        f"{ROOM}/max_pool2d/inside.py",
        "kernels/test_max_pool2d_taps.py",
        [
            ("wrong comparison", "0 <= ih < size[0] and", "0 <= ih <= size[0] and"),
            ("off by one", "(size[1] - 1 - reach + padding[1])", "(size[1] + reach + padding[1])"),
            ("missing check", "found = most >= count", "found = most > count"),
        ],
    ),
    (
        f"{ROOM}/max_pool2d/__init__.py",
        "kernels/test_max_pool2d_taps.py",
        [
            ("missing check", "    refuse(wrong, error)\n", ""),
            ("wrong comparison", "(columns < 0) | (columns >= size[1])", "(columns < 0) | (columns > size[1])"),
            ("wrong comparison", "reaches[i] >= shape[2 + i]", "reaches[i] > shape[2 + i]"),
        ],
    ),
    (
        f"{ROOM}/max_unpool2d/direct.py",
        UNPOOL,
        [
            (
                "missing step",
                "for i in range(count):  # not all pixels: fewer are taken\n            taken[where[i]] = False",
                "for i in range(count):  # not all pixels: fewer are taken\n            taken[where[i]] = True",
            ),
            ("missing check", "inside += 0 <= place < columns", "inside += place < columns"),
            ("missing check", "whole[plane] = inside == h * w", "whole[plane] = inside > 0"),
            ("missing step", "        out[plane, :, w * columns :] = 0", "        pass"),
            ("missing step", "        out[plane, h * rows :] = 0", "        pass"),
            ("off by one", "start = (i * rows + row) * size[1]", "start = i * rows * size[1]"),
            (
                "wrong order",
                "earlier, later = found[repeated[0]] + repeated[0] * elements",
                "earlier, later = found[repeated[-1]] + repeated[-1] * elements",
            ),
            ("missing step", "found[repeated[0]] + repeated[0] * elements", "found[repeated[0]]"),
            ("wrong comparison", "if where[i] == where[count]:", "if where[i] >= where[count]:"),
            ("= for +=", "target[where[i]] = values[i]", "target[where[i]] += values[i]"),
            ("missing step", "        for i in range(target.size):\n            target[i] = 0\n", ""),
            ("wrong tie", "for i in range(part.size - 1, -1, -1):", "for i in range(part.size):"),
            ("missing step", "part[i] = 0 if taken[where[i]] else source[where[i]]", "part[i] = source[where[i]]"),
            ("missing check", "if not last_wins:", "if True:"),
        ],
    ),
    (
        f"{ROOM}/_simd_pairs.py",
        UNPOOL,
        [
            ("wrong comparison", "for half in (0, 1)]\n            even", "for half in (0, 2)]\n            even"),
            ("off by one", "[2 * lane for lane in range(lanes)]", "[2 * lane + 1 for lane in range(lanes)]"),
        ],
    ),
    (
        f"{ROOM}/max_unpool2d/__init__.py",
        UNPOOL,
        [
            ("missing check", 'if policy == "raise":', 'if policy == "refuse":'),
            ("wrong order", 'shape, policy == "sum", policy', 'shape, policy != "last", policy'),
            (
                "missing check",
                "_pooling.check_indices(OP, indices, x.shape[:2], plane, device)",
                "_pooling.check_indices(OP, indices, x.shape[:2], (plane[0] + 1, plane[1]), device)",
            ),
            (
                "missing check",
                '_arrays.check_shape(OP, "indices", indices, x.shape)',
                '_arrays.check_rank(OP, "indices", indices, "(N, C, H, W)")',
            ),
        ],
    ),
    (f"{ROOM}/_arrays.py", ADAPTIVE, [("missing check", " and 0 not in array.shape[1:]", "")]),
    (
        f"{ROOM}/_pooling.py",
        ADAPTIVE,
        [
            ("floor for ceil", "-(-(index + 1) * size // count)", "(index + 1) * size // count"),
            ("missing check", "type(output_size) is int or", "isinstance(output_size, int) or"),
            ("missing check", "_known_plan(_memory.limit_bytes(), op", "_known_plan(0, op"),
            ("off by one", "-(-(index + 1) * size // count)", "-(-(index + 1) * size // count) - 1"),
            (
                "height for width",
                "_known_bins(shape[3], size[1])",
                "_known_bins(shape[3], size[0])",
            ),
            (
                "wrong axis",
                "side if new is None else new for side, new in zip(shape[2:], asked)",
                "side if new is None else new for side, new in zip(shape[:1:-1], asked)",
            ),
        ],
    ),
    (
        f"{ROOM}/adaptive_avg_pool2d/direct.py",
        ADAPTIVE,
        [
            ("count", "top[oh] * w, (bottom[oh] - top[oh]) * w", "top[oh] * w, size"),
            ("count", "value / (height * (right[ow] - left[ow]))", "value / (right[ow] - left[ow])"),
            ("= for +=", "total[i] += source[i]", "total[i] = source[i]"),
            ("count", "grad_output[plane] / grad_input.shape[1]", "grad_output[plane]"),
            ("missing check", "if (out_h, out_w) == (1, 1):", "if out_w == 1:"),
            ("= for +=", "part[i] += share[ow]", "part[i] = share[ow]"),
            ("= for +=", "share[i] += source[i] / (height", "share[i] = source[i] / (height"),
            ("missing step", "if task > first and ih > 0 and", "if ih > 0 and"),
            (
                "wrong comparison",
                "and oh_first[ih] == oh_first[ih - 1] and oh_last[ih] == oh_last[ih - 1]:",
                "and oh_first[ih] == oh_first[ih - 1]:",
            ),
            ("wrong axis", "*bins(out_h, h), work", "*bins(h, h), work"),
        ],
    ),
    (
        f"{ROOM}/adaptive_max_pool2d/direct.py",
        ADAPTIVE,
        [
            ("wrong tie", "if value > held or value != value:", "if value >= held or value != value:"),
            ("NaN rule", "if value > held or value != value:", "if value > held:"),
            ("wrong tie", "(best[i] == value and row[i] < ih)", "(best[i] == value and row[i] > ih)"),
            ("wrong tie", "wins = best[i] > value or (best[i] == value and row[i] < ih)", "wins = best[i] > value"),
            ("NaN rule", "wins = value == value or row[i] >= ih", "wins = value == value"),
            ("NaN rule", "value == value or row[i] >= ih", "True"),
            ("wrong comparison", "wins = value == value or row[i] >= ih", "wins = value == value or row[i] > ih"),
            ("height for width", "value, ih * w + iw", "value, ih * out_h + iw"),
            ("off by one", "for ih in range(top[oh] + 1, bottom[oh]):", "for ih in range(top[oh] + 1, bottom[oh] - 1):"),
        ],
    ),
    (
        f"{ROOM}/pad/direct.py",
        PAD,
        [
            (
                "missing step",
                "_copy_frame(source, origin, columns, at + count, out_w, fill, target, to)",
                "_copy_frame(source, origin, columns, at + count + 1, out_w, fill, target, to)",
            ),
            ("wrong comparison", "if columns[i] >= 0 else fill", "if columns[i] > 0 else fill"),
            ("missing step", "end == table.size or table[end - 1] < 0 or", "end == table.size or"),
            ("wrong comparison", "if oh + 1 < out_h else (plane + 1, 0)", "if oh + 1 < out_h else (plane, 0)"),
            ("wrong place", "origin + start, target, to + at, count)", "origin, target, to + at, count)"),
            ("= for +=", "row[i] += part[i]", "row[i] = part[i]"),
            ("= for +=", "target[i] += kept[i]", "target[i] = kept[i]"),
            ("= for +=", "total[columns[i]] += row[i]", "total[columns[i]] = row[i]"),
            ("missing step", "_add_frame(row[:at], columns[:at], total)", "_add_frame(row[:at], columns[:at], row)"),
        ],
    ),
    (
        f"{ROOM}/pad/tables.py",
        PAD,
        [
            ("off by one", "(n - 1) - np.abs(np.abs(i) - (n - 1))", "(n - 1) - np.abs(np.abs(i + (i < 0)) - (n - 1))"),
            ("off by one", "i.clip(0, n - 1)", "i.clip(1, n)"),
            ("wrong formula", "lambda i, n: i % n", "lambda i, n: (i + 1) % n"),
            ("wrong comparison", "(positions >= 0) & (positions < size)", "(positions > 0) & (positions < size)"),
            ("off by one", "lambda n: max(n - 1, 0)", "lambda n: n"),
        ],
    ),
    (
        f"{ROOM}/pad/__init__.py",
        PAD,
        [
            ("wrong sign", "[(-low, -high) for low, high in pairs]", "[(-high, -low) for low, high in pairs]"),
            (
                "wrong order",
                "for step in reversed(list(_passes(shape, pairs, mode))):",
                "for step in list(_passes(shape, pairs, mode)):",
            ),
            ("height for width", "for axis in (last - 1, last))", "for axis in (last, last - 1))"),
            ("missing step", "        sizes[axis] = rows.size\n", ""),
            ("missing check", "if n + min(low, 0) + min(high, 0) < 0 or", "if"),
        ],
    ),
    (
        "rawseg/functional/padding.py",
        f"{WINDOWS} functional/test_planes_parity.py",
        [
            ("height for width", "zip(numbers[0::2], numbers[1::2]))[::-1]", "zip(numbers[0::2], numbers[1::2]))"),
            ("wrong order", "zip(numbers[0::2], numbers[1::2])", "zip(numbers[1::2], numbers[0::2])"),
        ],
    ),
    (
        "rawseg/functional/unpooling.py",
        WINDOWS,
        [
            ("missing check", "if asked not in (None, size):", "if False:"),
            ("off by one", "sign * (stride[i] - 1)", "sign * stride[i]"),
            ("wrong sign", "* stride[i] - 2 * padding[i] + kernel_size[i]", "* stride[i] + 2 * padding[i] + kernel_size[i]"),
            ("missing check", "if len(sizes) == 4 and sizes[:2] != shape[:2]:", "if False:"),
            ("missing step", "size = indices.plane", "size = _plain_size(x, asked, kernel_size, stride, padding)"),
            (
                "shared memory",
                "size, duplicates\n        ctx.save(indices)",
                "size, duplicates\n        ctx.save(indices.copy())",
            ),
        ],
    ),
    (
        "rawseg/functional/shuffling.py",
        WINDOWS,
        [
            ("flip or transposition", "n + 3, n + 1, n + 4, n + 2)", "n + 3, n + 2, n + 4, n + 1)"),
            ("flip or transposition", "n + 2, n + 4, n + 1, n + 3)", "n + 4, n + 2, n + 1, n + 3)"),
            ("missing check", "if height % r or width % r:", "if height % r and width % r:"),
        ],
    ),
    (
        "rawseg/functional/windows.py",
        WINDOWS,
        [
            (
                "height for width",
                "ctx.size, ctx.geometry = x.shape[2:], geometry",
                "ctx.size, ctx.geometry = x.shape[:1:-1], geometry",
            ),
            ("missing step", '"input_size": "output_size", "x": "output_size"', '"input_size": "output_size", "x": "input"'),
        ],
    ),
    (
        "rawseg/functional/naming.py",
        WINDOWS,
        [
            ("missing step", "argument = names.get(error.argument, error.argument)", "argument = error.argument"),
            ("missing step", "error.__init__(function.__name__, argument,", "error.__init__(error.op, argument,"),
        ],
    ),
]
