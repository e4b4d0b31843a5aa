"""Faults in the operations on regions of interest."""

from __future__ import annotations

GRID, ALIGN = "kernels/test_roi_grid.py", "kernels/test_roi_align.py"
LARGEST, POOL = "kernels/test_roi_align_max.py", "kernels/test_roi_pool.py"
ALIGN_OP, POOL_OP = "ops/test_roi_align.py", "ops/test_roi_pool.py"
ROOM = "kernels/rawseg_kernels"

FAULTS = [
    (
        f"{ROOM}/_roi.py",
        GRID,
        [
            ("missing check", "xp.isfinite(scaled[:, 2:] - scaled[:, :2]).all(1)", "xp.isfinite(scaled).all(1)"),
            ("missing check", "~xp.isfinite(boxes).all(1)", "~xp.isfinite(boxes[:, 1:]).all(1)"),
            ("wrong comparison", "(batch < 0) | (batch >= images)", "(batch < 0) | (batch > images)"),
            ("missing check", "(batch != xp.floor(batch)) | (batch < 0)", "(batch < 0)"),
            ("wrong comparison", "boxes[:, high] < boxes[:, low]", "boxes[:, high] <= boxes[:, low]"),
            ("height for width", "COLUMNS = ((2, 4), (1, 3))", "COLUMNS = ((1, 3), (2, 4))"),
            ("wrong tie", "abs(values - whole) >= 0.5", "abs(values - whole) > 0.5"),
            ("wrong formula", "return whole + xp.where", "return xp.rint(values) + 0 * xp.where"),
            ("off by one", "(end - start + 1).clip(1)", "(end - start).clip(1)"),
        ],
    ),
    (
        f"{ROOM}/_roi.py",
        f"{ALIGN} {LARGEST} {POOL}",
        [("wrong order", 'np.argsort(batch, kind="stable"), starts', "np.arange(batch.size), starts")],
    ),
    (
        f"{ROOM}/_roi_grid.py",
        GRID,
        [
            ("half pixel", "(i.astype(dtype) + dtype.type(0.5)) * width", "i.astype(dtype) * width"),
            ("wrong comparison", "(position >= -1)", "(position > -1)"),
            ("wrong comparison", "(position <= size)", "(position < size)"),
            (
                "missing step",
                "xp.maximum(xp.where(valid, position, dtype.type(0)), dtype.type(0))",
                "xp.where(valid, position, 0)",
            ),
            ("off by one", "last = low == size - 1", "last = low == size"),
            (
                "wrong order",
                "xp.where(valid, 1 - high_weight, 0), xp.where(valid, high_weight, 0)",
                "xp.where(valid, high_weight, 0), xp.where(valid, 1 - high_weight, 0)",
            ),
            ("floor for ceil", "xp.ceil(step).astype", "xp.floor(step).astype"),
            ("wrong comparison", "if (total > LARGEST_GRID).any():", "if (total > 2 * LARGEST_GRID).any():"),
            ("missing check", "if asked * max(asked, 0) > LARGEST_GRID:", "if asked > LARGEST_GRID:"),
            ("count", "some = total > 0", "some = total >= 0"),
            ("height for width", "size = x.shape[2], x.shape[3]", "size = x.shape[3], x.shape[2]"),
        ],
    ),
    (
        f"{ROOM}/_roi_grid.py",
        ALIGN_OP,
        [
            ("missing step", "valid & ~last & (position >= 0)", "valid & ~last"),
            (
                "wrong order",
                "return box, place // counts[box], place % counts[box]",
                "return box, place % counts[box], place // counts[box]",
            ),
        ],
    ),
    (
        f"{ROOM}/roi_align/__init__.py",
        GRID,
        [
            ("half pixel", "boxes.dtype.type(0.5 if", "boxes.dtype.type(0 if"),
            ("missing step", "if aligned else (end - start).clip(1)", "if aligned else end - start"),
            ("wrong formula", "boxes[:, high] * scale - half", "(boxes[:, high] - half) * scale"),
        ],
    ),
    (
        f"{ROOM}/roi_align/warp.py",
        GRID,
        [("height for width", "(top, rows), (left, columns) =", "(left, columns), (top, rows) =")],
    ),
    (
        f"{ROOM}/roi_align/taps.py",
        ALIGN,
        [
            ("count", "weight[2 * begin + entry] = total[entry] / count", "weight[2 * begin + entry] = total[entry]"),
            ("= for +=", "total[entry] += share", "total[entry] = share"),
            ("missing step", " or (total[entry] == 0) != (share == 0)):", "):"),
            (
                "missing check",
                "if at < 0:\n                        tap[side, sample] = -1\n                        continue",
                "at = max(at, 0)",
            ),
        ],
    ),
    (
        f"{ROOM}/roi_align/direct.py",
        ALIGN,
        [
            ("off by one", "begin += 2\n", "begin += 1\n"),
            ("missing step", "((batch[k] * h + row) * w) * c + c0, c, across", "(row * w) * c + c0, c, across"),
            ("wrong order", "k, c0 = task % batch.size, task // batch.size * LANES", "k, c0 = task % batch.size, 0"),
            ("missing step", "_spread(lines, far, across, k, plane, far_row * w * lanes, lanes)\n", "pass\n"),
            ("missing step", "clear(lines, line, across.used.shape[1] * lanes)", "pass"),
            (
                "height for width",
                "plane, near_row * w * lanes, lanes)\n                        near",
                "plane, near_row * lanes, lanes)\n                        near",
            ),
            ("count", "across.used[k], lanes) / count", "across.used[k], lanes)"),
            ("NaN rule", "if used[pw] == 0:", "if used[pw] < 0:"),
            (
                "wrong axis",
                "return backward_rows(grad_output, x, batch, columns, rows, row_weights)",
                "return backward_rows(grad_output, x, batch, rows, columns, row_weights)",
            ),
            (
                "missing check",
                "gradients[tap - 2 * begin] if tap >= 0 else 0",
                "gradients[max(tap - 2 * begin, 0)] if gradients.size else 0",
            ),
        ],
    ),
    (
        f"{ROOM}/roi_align_max/direct.py",
        LARGEST,
        [
            ("wrong tie", "if one > most or one != one:", "if one >= most or one != one:"),
            ("NaN rule", "if one > most or one != one:", "if one > most:"),
            ("missing step", "value[:] = 0", "continue"),
            ("wrong order", "(hy * hx, hy * lx, ly * hx, ly * lx)", "(hy * hx, ly * hx, hy * lx, ly * lx)"),
            ("missing step", "held[i] if grid_h * grid_w else -1", "held[i]"),
            ("= for +=", "total[y2, x1] += lower", "total[y2, x1] = lower"),
            ("height for width", "own_step, other_step = (w, 1) if is_rows", "own_step, other_step = (1, w) if is_rows"),
            ("missing check", "if own.low[mine] < 0 or other.low[theirs] < 0:", "if own.low[mine] < 0:"),
        ],
    ),
    (
        f"{ROOM}/roi_align_max/__init__.py",
        GRID,
        [("wrong comparison", "wrong = (chosen >= samples)", "wrong = (chosen > samples)")],
    ),
    (
        f"{ROOM}/roi_pool/direct.py",
        POOL,
        [
            ("wrong tie", "if value > most or value != value:", "if value >= most or value != value:"),
            ("NaN rule", "if value > most or value != value:", "if value > most:"),
            ("missing step", "best[i], held[i] = -np.inf, top * w + left", "best[i], held[i] = -np.inf, 0"),
            ("missing check", "is_empty = bottom <= top or right <= left", "is_empty = bottom <= top"),
            ("= for +=", "total[where[i]] += part[i]", "total[where[i]] = part[i]"),
            ("off by one", "end = min(begin + together, c)", "end = min(begin + together, c - 1)"),
            ("wrong axis", "total = grad_input[image * c + channel]", "total = grad_input[image + channel]"),
            ("missing check", "source[where[i]] if where[i] >= 0 else 0", "source[max(where[i], 0)]"),
        ],
    ),
    (
        f"{ROOM}/roi_pool/__init__.py",
        POOL,
        [
            ("floor for ceil", "xp.ceil(place[1:] * step)", "xp.floor(place[1:] * step)"),
            ("off by one", "xp.floor(place[:-1] * step)", "xp.floor(place[1:] * step)"),
            ("missing step", ".clip(0, size).astype(np.int64) for edge", ".clip(-1, size).astype(np.int64) for edge"),
            (
                "missing check",
                '("indices", indices, -1, shape[2] * shape[3])',
                '("indices", indices, -1, shape[2] * shape[3] + 1)',
            ),
        ],
    ),
    (
        "rawseg/ops/roi_weights.py",
        ALIGN_OP,
        [
            ("wrong sign", "stack([-change, change])", "stack([change, -change])"),
            ("missing step", ".clamp(min=1.0)", ""),
            ("half pixel", "places = p + (i + 0.5) / samples.counts[box]", "places = p + i / samples.counts[box]"),
            ("missing step", "boxes[:, column] * scale - half for", "boxes[:, column] - half for"),
            ("missing step", "where(moves, coordinate", "where(moves == moves, coordinate"),
        ],
    ),
    (
        "rawseg/ops/roi_sums.py",
        ALIGN_OP,
        [
            (
                "wrong order",
                "Align.apply(x, grad_rows, columns, sums=ctx.sums)",
                "Align.apply(x, -grad_rows, columns, sums=ctx.sums)",
            ),
            ("missing step", "AlignColumns.apply(grad_output, x, grad_rows, sums=ctx.sums)", "None"),
            (
                "wrong order",
                "AlignInput.apply(grad_output, rows, grad_columns,",
                "AlignInput.apply(grad_output, rows, -grad_columns,",
            ),
            ("missing step", "AlignRows.apply(grad_output, grad_input, columns, sums=ctx.sums)", "None"),
            ("missing step", "if any(ctx.needs_grad[1:]) else None", "if True else None"),
        ],
    ),
    (
        "rawseg/ops/roi_boxes.py",
        ALIGN_OP,
        [
            ("missing check", "if x.ndim == 4 and len(boxes) != x.shape[0]:", "if x.ndim == 4 and len(boxes) < x.shape[0]:"),
            ("wrong order", "parts.append(cat([Tensor(index), entry], 1))", "parts.insert(0, cat([Tensor(index), entry], 1))"),
        ],
    ),
    ("rawseg/ops/roi_layers.py", POOL_OP, [("missing step", "*geometry, mode=self.mode)", "*geometry)")]),
]
