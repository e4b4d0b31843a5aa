"""Faults in sampling at points."""

from __future__ import annotations

KERNEL, ERRORS = "kernels/test_grid_sample.py", "kernels/test_grid_sample_errors.py"
FUNCTION = "functional/test_grid_sample.py"
ROOM = "kernels/rawseg_kernels/grid_sample"

FAULTS = [
    (
        f"{ROOM}/direct.py",
        KERNEL,
        [
            ("height for width", "grid[point, 1], grid.dtype.type(h)", "grid[point, 1], grid.dtype.type(w)"),
            ("height for width", "ih * w + iw if 0 <= iw < w and 0 <= ih < h", "ih * h + iw if 0 <= iw < w and 0 <= ih < h"),
            ("wrong comparison", "0 <= iw < w and 0 <= ih < h else", "0 <= iw <= w and 0 <= ih < h else"),
            (
                "off by one",
                "np.int64(left) + tap % 2, np.int64(top) + tap // 2",
                "np.int64(left) + tap // 2, np.int64(top) + tap % 2",
            ),
            ("wrong order", "x - left, y - top", "y - top, x - left"),
            ("half pixel", "((g + one) * extent - one) / two", "(g + one) * extent / two"),
            ("half pixel", "zero if align_corners else -one / two", "zero"),
            ("off by one", "span = extent - one if align_corners", "span = extent if align_corners"),
            ("wrong comparison", "if not -1 <= c < extent:", "if not -1 <= c <= extent:"),
            ("NaN rule", "        if not c > 0:\n", "        if c <= 0:\n"),
            ("wrong comparison", "elif c >= extent - one:", "elif c > extent - one:"),
            ("wrong tie", "np.rint(c)", "np.floor(c + one / two)"),
            ("wrong sign", "        slope = -slope\n", "        pass\n"),
            ("wrong sign", "(span + span - over + low, -slope)", "(span + span - over + low, slope)"),
            ("wrong formula", "np.fmod(abs(c - low), span + span)", "np.fmod(abs(c - low), span)"),
            ("= for +=", "total += factors[i, tap] * source[index]", "total = factors[i, tap] * source[index]"),
            ("= for +=", "total[index] += factors[i, tap] * part[i]", "total[index] = factors[i, tap] * part[i]"),
            ("= for +=", "total[i, tap] += part[i] * source[index]", "total[i, tap] = part[i] * source[index]"),
            ("missing step", "        total[:] = 0\n", ""),
            (
                "group offset",
                "indices[plane // channels], weights[plane // channels], total, 4)",
                "indices[0], weights[0], total, 4)",
            ),
            ("off by one", "for k in range(together, x.shape[1]):", "for k in range(together + 1, x.shape[1]):"),
            ("wrong channel", "total_3 += factor * three[index]", "total_3 += factor * two[index]"),
            ("missing check", "if index < np.uint64(source.shape[1]):", "if True:"),
            ("wrong order", "up * left, up * right\n", "up * left, down * left\n"),
            ("count", "-(-points // SEGMENT), *views", "points // SEGMENT + 1 - 1, *views"),
        ],
    ),
    (
        f"{ROOM}/__init__.py",
        ERRORS,
        [
            ("wrong comparison", "indices, 0, pixels + 1, expected", "indices, 0, pixels + 2, expected"),
            ("missing check", "if grid.shape[3] != 2:", "if grid.shape[3] > 2:"),
            ("missing check", "    if weights is not None:\n", "    if weights is None:\n"),
        ],
    ),
    (
        f"{ROOM}/__init__.py",
        KERNEL,
        [("wrong number", "(*fractions.shape[:3], 1), 1)", "(*fractions.shape[:3], 1), 0)")],
    ),
    (
        "rawseg/functional/sampling.py",
        FUNCTION,
        [
            ("missing step", "upper * (1 - down) + lower * down", "upper + lower"),
            ("off by one", "- grad_weights[..., tap] for tap in (0, 1))", "- grad_weights[..., tap] for tap in (1, 0))"),
            ("missing step", "return grad_fractions * slopes", "return grad_fractions"),
            ("missing step", "return fractions.zeros_like()", "return grad_weights * fractions"),
            ("wrong sign", "Sample.apply(grad_input, weights, indices", "Sample.apply(-grad_input, weights, indices"),
            (
                "missing step",
                "SampleInput.apply(grad_output, grad_weights, indices",
                "SampleInput.apply(grad_output, 2 * grad_weights, indices",
            ),
            (
                "missing step",
                "SampleWeights.apply(grad_output, grad_input, indices",
                "SampleWeights.apply(grad_output.detach(), grad_input, indices",
            ),
            ("off by one", "pixels - 1 if align_corners else pixels)", "pixels)"),
            (
                "height for width",
                "_centres(xp, w, corners), _centres(xp, h, corners)[:, None]",
                "_centres(xp, h, corners)[:, None], _centres(xp, w, corners)",
            ),
        ],
    ),
]
