"""Faults in the kernels of convolution and matrix products, and in what all kernels stand on."""

from __future__ import annotations

CONV = "kernels/test_conv2d.py -k 'by_hand or whole_numbers'"
DEPTHWISE = "kernels/test_depthwise.py -k 'whole_numbers or never or meet'"
CONV_CUT = "kernels/test_conv2d.py -k cut_up"
CONV_POINTS = "kernels/test_conv2d.py -k many"
CONV_PATCHES = "kernels/test_conv2d.py -k patches"
CONV_PADDING = "kernels/test_conv2d.py -k padding"
CONV_SAME = "kernels/test_conv2d.py -k same_puts"
TRANSPOSED = "kernels/test_conv_transpose2d.py -k 'by_hand or whole_numbers'"
ROOM = "kernels/rawseg_kernels"

FAULTS = [
    (
        f"{ROOM}/conv2d/direct.py",
        CONV,
        [
            ("off by one", "(size - 1 - offset) // stride + 1)", "(size - 1 - offset) // stride)"),
            ("height for width", "- padding[0] + kh * dilation[0]", "- padding[0] + kh * dilation[1]"),
            ("group offset", "channel = k // (out_channels // groups) * depth\n", "channel = 0\n"),
            (
                "group offset",
                "channel = k // (out_channels // groups) * depth + c",
                "channel = k // (out_channels // groups) + c",
            ),
            ("group offset", "weight[k, c % depth, kh, kw]", "weight[k, depth - 1 - c % depth, kh, kw]"),
            (
                "flip or transposition",
                "weight[k, c, kh, kw], right",
                "weight[k, c, kernel_h - 1 - kh, kernel_w - 1 - kw], right",
            ),
            ("missing step", "out_row[:] = bias[k] if bias.size else 0", "out_row[:] = 0"),
            ("= for +=", "lanes[i] += row[i]", "lanes[i] = row[i]"),
        ],
    ),
    (
        f"{ROOM}/conv2d/depthwise.py",
        DEPTHWISE,
        [
            ("group offset", "task // share if share > 1", "task if share > 1"),
            ("group offset", "number // share * h * w", "number * h * w // share"),
            ("missing step", "k = k + planes if k + planes < channels else 0", "k = k + planes"),
            ("missing step", "0 if table.covered else planes", "0"),
            ("missing step", "fill(sums, 0, count * taps * BLOCK, x.dtype.type(0))", "pass"),
            ("missing step", "* out_w + first_w, p * size", "* out_w, p * size"),
            ("= for +=", "count, resume + tap,", "count, resume,"),
            ("missing step", "residue, start = 0, start + pitch", "residue = 0"),
            ("wrong order", "to + stride[0] * out_w, place", "to + out_w, place"),
            ("off by one", "(w - first + step_w - 1) // step_w", "(w - first) // step_w"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_plane_tables.py",
        DEPTHWISE,
        [
            ("off by one", "& (w < size[1])", "& (w <= size[1])"),
            ("missing check", "& (h < size[0])", ""),
            ("missing check", ") & (column < phase.count[1])", ")"),
            ("wrong mask", "row % phase.count[0] * step[0]", "row * step[0]"),
            ("wrong mask", "(1 << BLOCK) - (1 << after % BLOCK)", "(1 << after % BLOCK) - 1"),
            ("off by one", "end + max(offs)]", "end + max(offs) - 1]"),
            (
                "flip or transposition",
                "off_h % step[0] * step[1] + off_w % step[1]",
                "off_w % step[1] * step[0] + off_h % step[0]",
            ),
            ("missing check", "in_place = step == (1, 1) and pitch == size[1]", "in_place = step == (1, 1)"),
        ],
    ),
    (
        f"{ROOM}/_simd_rows.py",
        DEPTHWISE,
        [
            ("wrong mask", "[self.tap]), _INDEX(2 + t))", "[self.tap]), _INDEX(2))"),
            ("wrong order", "builder.select(mask, two, one)", "builder.select(mask, one, two)"),
            ("wrong order", "[2 * lane + half for lane", "[2 * lane + 1 - half for lane"),
            ("= for +=", "builder.fadd(emitter.load(sums, at, emitter.vector), builder.load(cell))", "builder.load(cell)"),
            ("wrong order", "lane // 2 + lane % 2 * lanes + i", "lane // 2 + (1 - lane % 2) * lanes + i"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_phases.py",
        CONV,
        [
            ("height for width", "kw * dilation[1] - padding[1])", "kw * dilation[0] - padding[1])"),
            ("height for width", "kh * dilation[0] - padding[0]", "kh * dilation[0] - padding[1]"),
            ("flip or transposition", "(tap, -offset)", "(tap, offset)"),
            ("wrong sign", "divmod(tap * dilation - padding, stride)", "divmod(tap * dilation + padding, stride)"),
            ("floor for ceil", "-(-(size[0] - h0) // stride[0])", "(size[0] - h0) // stride[0]"),
        ],
    ),
    (
        f"{ROOM}/conv2d/im2col.py",
        CONV_CUT,
        [
            ("height for width", "x[:, :, :: stride[0], :: stride[1]]", "x[:, :, :: stride[1], :: stride[0]]"),
        ],
    ),
    (
        f"{ROOM}/conv2d/im2col.py",
        CONV_PADDING,
        [
            (
                "missing check",
                "padded = max(padding) > 0 or last[0] >= x.shape[2] or last[1] >= x.shape[3]",
                "padded = False",
            )
        ],
    ),
    (f"{ROOM}/conv2d/im2col.py", TRANSPOSED, [("missing step", "if bias is not None and not covered:", "if False:")]),
    (
        f"{ROOM}/conv2d/_correlation.py",
        "kernels/test_conv2d.py kernels/test_conv2d_edges.py -k 'by_hand or whole_numbers or cut_up or end_with_it'",
        [
            (
                "group offset",
                "panel * ROWS), group * tile.channels + panel * ROWS\n        plane_at",
                "panel * ROWS), panel * ROWS\n        plane_at",
            ),
            ("stale padding", "outside and tile.down > 1", "outside and tile.down > 2"),
            ("stale padding", "if tile.across > 1 or", "if tile.across > 2 or"),
            ("missing check", "count % lanes == 0 and ", ""),
            ("wrong place", "(out, plane_at + i0 * out_w, out_h * out_w)", "(out, plane_at, out_h * out_w)"),
            ("missing bias", "steps, starts, tile, channels, c + bias.size)", "steps, starts, tile, channels, c)"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_correlation.py",
        "kernels/test_conv2d_edges.py -k end_with_it",  # nothing else, for what is written behind an array may be anybody's
        [("missing check", " and channels % ROWS == 0", "")],
    ),
    (
        f"{ROOM}/conv2d/_points.py",
        "kernels/test_conv2d.py -k wherever_their_pixels_lie",
        [
            ("off by one", "bias[channel + r] if r < rows", "bias[channel] if r < rows"),
            ("missing step", "finish(out, at + r * step, count, channel + r, after)", "finish(out, at, count, channel, after)"),
            (
                "= for +=",
                "depth, resume = min(points.block, points.depth - k), bias.size + k",
                "depth, resume = points.block, bias.size",
            ),
            (
                "group offset",
                "(group * points.all_panels + panel) * points.depth * ROWS\n"
                "    pack_own(group, panel, packed, weight, packing, points)\n    begin(out",
                "panel * points.depth * ROWS\n    pack_own(group, panel, packed, weight, packing, points)\n    begin(out",
            ),
            ("missing step", "        if rows > whole:", "        if False:"),
            ("off by one", "rest // points.pieces, rest % points.pieces * points.pixels", "rest // points.pieces, 0"),
            ("off by one", "copy(bias, channel, 1, sums, i * panels * ROWS", "copy(bias, channel, 1, sums, 0"),
            ("= for +=", "step, x, seen + k * points.plane + count, points)", "step, x, seen + count, points)"),
            ("wrong order", "sums, (i * panels + p) * ROWS)", "sums, i * panels * ROWS)"),
            ("missing step", "    if points.weights_alone:\n", "    if False:\n"),
            ("group offset", "rest // (near * points.blocks) * near + rest % near", "rest % near"),
            ("wrong order", "block, pair = rest // near % points.blocks", "block, pair = rest // points.pairs % points.blocks"),
            ("group offset", "first = group * points.all_panels + panel\n", "first = panel\n"),
            ("count", "rows, count + single, channel, after)", "rows, count, channel, after)"),
            ("count", "min(points.pixels, points.plane - start)", "points.pixels"),
            (
                "group offset",
                "plane = ((first + i) * points.groups + group) * points.depth + k + c",
                "plane = ((first + i) * points.groups) * points.depth + k + c",
            ),
            ("missing step", "multiply(whole, depth, bias.size + k, *left", "multiply(whole, depth, bias.size, *left"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_points.py",
        CONV_CUT,
        [
            ("missing check", "if is_second and c > 0:", "if is_second:"),
            ("missing check", "if both and line + whole <= end:", "if both:"),
        ],
    ),
    (
        f"{ROOM}/_simd_columns.py",
        "kernels/test_conv2d.py -k wherever_their_pixels_lie",
        [
            ("wrong order", "builder.mul(a_step, _INDEX(p))", "builder.mul(a_step, _INDEX(0))"),
            (
                "= for +=",
                "builder.store(emitter.load(c, _INDEX(p * ROWS), kind), cell)",
                "builder.store(ir.Constant(kind, [0.0] * ROWS), cell)",
            ),
        ],
    ),
    (
        f"{ROOM}/conv2d/_patches.py",
        CONV_PATCHES,
        [
            (
                "height for width",
                "to, start = (plane * rows * columns + p) * down * across, (plane * h + p // columns)",
                "to, start = (plane * rows * columns + p) * down * across, (plane * h + p // rows)",
            ),
            ("missing check", "fits and tuple(kernel_size) == tuple(stride)", "fits"),
            ("swapped stride axes", "copy(x, start + i * rows * w", "copy(x, start + i * columns * w"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_points.py",
        CONV_PATCHES,
        [
            ("height for width", "channel // patch.columns % patch.rows", "channel // patch.rows % patch.rows"),
            ("missing step", "row * patch.line * patch.columns + channel % patch.columns", "row * patch.line * patch.columns"),
            ("missing step", "channel // area * area * plane + row", "channel // area * plane + row"),
            ("missing check", "if patch.columns == 2 and channel % 2 == 1:", "if patch.columns == 1:"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_packing.py",
        "kernels/test_conv2d.py -k 'wherever_their_pixels_lie or nothing_beyond'",
        [
            ("wrong axis", "gather_rows(weight, source + c * depth_step", "gather_rows(weight, source + c"),
            ("wrong axis", "copy(weight, source + c * depth_step", "copy(weight, source + c"),
            ("group offset", "source = group * channels * depth +", "source ="),
            ("missing step", "rows, to = min(ROWS, channels - panel * ROWS)", "rows, to = ROWS"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_packing.py",
        CONV_CUT,
        [
            ("missing step", "task // chunks, task % chunks * TOGETHER", "task // chunks, task % chunks"),
            ("wrong group", "group * shape.group_size, group *", "0, group *"),
            ("wrong order", "c * shape.panels + panel * size\n", "c * shape.panels + (begin + end - 1 - panel) * size\n"),
            ("missing step", "        taps_at += count", "        taps_at += 0"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_packing.py",
        "kernels/test_conv2d_edges.py -k not_finite_is_seen",
        [
            ("missing step", " + shape.depth * shape.depth_step\n", " + shape.depth_step\n"),
            ("off by one", "source + seen, source + behind))", "source + seen, source + behind - 1))"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_finite.py",
        "kernels/test_conv2d_edges.py -k finite",
        [
            ("wrong comparison", ") < INTEGERS", ") <= INTEGERS"),
            ("missing step", "found = max(found, row[i] & without_sign)", "found = max(found, row[i])"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_tiles.py",
        CONV_CUT,
        [
            ("missing step", "(0, w) if apart", "(0, w // step[1]) if apart"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_tiles.py",
        "kernels/test_conv2d_edges.py -k 'clash or gaps or worthwhile'",
        [
            ("missing check", "if most <= lines.size // LINES + UNEVEN:", "if True:"),
            ("missing check", "if threads > 1 else 1", ""),
            ("missing check", "panels * ROWS >= APART_CHANNELS and ", ""),
        ],
    ),
    (
        f"{ROOM}/conv2d/_weight_sums.py",
        CONV_CUT,
        [
            ("= for +=", "sums[tap] += row[columns[c, tap]]", "sums[tap] = row[columns[c, tap]]"),
            ("wrong place", "(kw * kernel_h + kh[:, None]) * tile.block", "(kw + kernel_w * kh[:, None]) * tile.block"),
            ("wrong step", "(1 if tile.stacked else stride[0])", "stride[0]"),
            ("wrong place", "kh[:, None] * dilation[0] + c * tile.strip_h", "kh[:, None] + c * tile.strip_h"),
            ("off by one", "range(size + begin, shares.size, size)", "range(2 * size + begin, shares.size, size)"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_weight_strips.py",
        CONV_CUT,
        [
            ("off by one", "max(0, min(g * ROWS, tile.cells - ROWS))", "g * ROWS"),
            ("missing zero", "fill(planes, at, at + width, 0)\n", "pass\n"),
            ("wrong step", "i * stride_h * width + j", "i * width + j"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_point_products.py",
        CONV_POINTS,
        [
            ("= for +=", "total[place + i] += results[row + i]", "total[place + i] = results[row + i]"),
            ("missing step", "resume = done if inside else 0", "resume = done"),
            ("missing check", "if anew and whole else (results, 0", "if whole else (results, 0"),
            ("missing check", "min(blocks.together, blocks.images - image)", "blocks.together"),
            ("missing check", "min(blocks.pixels, plane - start)", "blocks.pixels"),
            ("wrong group", "group * blocks.depth + c\n", "c\n"),
            ("swapped axes", "plane, blocks.channels_out * plane\n", "plane, blocks.channels_in * plane\n"),
            ("wrong place", "image * pixels * blocks.pitch + c", "image * blocks.pixels * blocks.pitch"),
            ("rests on threads", "shares = max(1, min(chunks // span,", "shares = max(1, min(chunks // span, threads,"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_point_weights.py",
        CONV_POINTS,
        [
            ("swapped axes", "columns, to, row, rows)", "columns, to, row, columns)"),
            ("missing check", "min(ROWS, rows - row)", "ROWS"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_point_sums.py",
        CONV_CUT,
        [
            ("missing check", "min(chunk.images, images - first), min(", "chunk.images, min("),
            ("missing check", "min(chunk.pixels, plane - start)", "chunk.pixels"),
            ("swapped axes", "(plane, channels_in * plane), into", "(plane, channels_out * plane), into"),
            ("wrong group", "group * depth + c, out, into", "c, out, into"),
        ],
    ),
    (
        f"{ROOM}/_simd_dots.py",
        CONV_CUT,
        [
            ("missing step", "_add_lanes(emitter, a, b, whole, masks, cells)", "pass"),
            (
                "= for +=",
                "emitter.store(builder.fadd(emitter.load(to, at, row.type), row), to, at)",
                "emitter.store(row, to, at)",
            ),
            ("wrong order", "[lane + half for lane in lower]", "lower"),
            ("wrong row", "vectors[min(number + 1, len(vectors) - 1)]", "vectors[number]"),
            ("swapped axes", "for run in (left_run, right_run)]", "for run in (right_run, left_run)]"),
        ],
    ),
    (
        f"{ROOM}/conv2d/_known.py",
        CONV,
        [("height for width", "(sides[0], sides[2])", "(sides[0], sides[1])")],
    ),
    (
        f"{ROOM}/conv2d/_known.py",
        "kernels/test_conv2d_known.py",
        [
            ("missing check", "and first.shape != found.out_shape", "and False"),
            ("missing check", "if not type(x_shape) is type(weight_shape) is tuple or not", "if not"),
            ("missing check", "if get_autotune() or are", "if are"),
            ("missing check", "get_autotune() or are_substituted():", "get_autotune():"),
            ("missing check", " or not _arrays.are_plain((x_shape, weight_shape, *options)):", ":"),
            ("missing step", "first.dtype, get_precision(), options)", "first.dtype, None, options)"),
        ],
    ),
    (
        f"{ROOM}/_convolution.py",
        CONV,
        [
            (
                "floor for ceil",
                "out.append((padded - reach) // stride[axis] + 1)",
                "out.append(-(-(padded - reach) // stride[axis]) + 1)",
            ),
            ("wrong comparison", "if padded < reach:", "if padded <= reach:"),
        ],
    ),
    (
        f"{ROOM}/_convolution.py",
        CONV_SAME,
        [
            ("wrong tie", "return total_h // 2, total_h - total_h // 2,", "return total_h - total_h // 2, total_h // 2,"),
        ],
    ),
    (
        f"{ROOM}/_convolution.py",
        TRANSPOSED,
        [
            ("missing step", "smallest[1] + output_padding[1]", "smallest[1]"),
        ],
    ),
    (
        f"{ROOM}/_convolution.py",
        "kernels/test_conv_transpose2d_errors.py",
        [
            ("wrong comparison", "both[axis] >= max(stride", "both[axis] > max(stride"),
            ("wrong comparison", "< smallest[axis] + stride[axis]:", "<= smallest[axis] + stride[axis]:"),
        ],
    ),
    (
        f"{ROOM}/_convolution.py",
        "kernels/test_conv2d_errors.py",
        [
            ("missing check", "if count % groups:", "if count % groups == count:"),
        ],
    ),
    (
        f"{ROOM}/conv_transpose2d/__init__.py",
        "kernels/test_conv_transpose2d_errors.py",
        [
            ("missing check", "if weight_shape[0] != in_channels:", "if weight_shape[0] > in_channels:"),
        ],
    ),
    (
        f"{ROOM}/matmul/panels.py",
        "kernels/test_matmul.py",
        [
            ("missing step", "multiply(rows_here, count, k, packed", "multiply(rows_here, count, 1, packed"),
            ("= for +=", "multiply(rows_here, count, k, packed", "multiply(rows_here, count, 0, packed"),
            ("off by one", "to, here = first * steps,", "to, here = first * (steps - 1),"),
            ("wrong order", "v // VECTORS * deep * panel", "v // VECTORS * panel"),
            ("count", "-(-width // panel) * panel\n", "width // panel * panel\n"),
            ("missing check", "if transposed or not (whole and few):", "if not (whole and few):"),
            ("missing step", "        if not direct:\n", "        if False:\n"),
        ],
    ),
    (
        f"{ROOM}/matmul/few_rows.py",
        "kernels/test_matmul.py -k 'cut_up or neighbours or few_rows'",
        [
            ("off by one", "there = min(column, columns - lanes)", "there = min(column, columns - lanes + 1)"),
            ("missing step", "row * lanes + column - there, 1, out", "row * lanes, 1, out"),
            ("swapped numbers", "pairs[pair, 1] * columns", "pairs[pair, 0] * columns"),
        ],
    ),
    (
        f"{ROOM}/_arrays.py",
        "kernels/test_foundation.py -k 'pairs or agree or 64_bit'",
        [
            ("height for width", "height, width = integer(op", "width, height = integer(op"),
            ("wrong comparison", "if max(height, width) > LARGEST:", "if max(height, width) > LARGEST + 1:"),
            ("missing check", "if isinstance(value, (bool, np.bool_)):", "if isinstance(value, np.bool_):"),
            ("wrong comparison", "if number < minimum:", "if number <= minimum:"),
            ("missing check", "elif array.dtype != first.dtype:", "elif array.dtype.kind != first.dtype.kind:"),
        ],
    ),
    (
        f"{ROOM}/_memory.py",
        "kernels/test_foundation.py",
        [
            ("wrong comparison", "spanned > limit_bytes()", "spanned >= limit_bytes()"),
            ("missing check", " or spanned > LARGEST_SPAN:", ":"),
        ],
    ),
]
