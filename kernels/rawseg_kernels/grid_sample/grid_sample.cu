// Sampling at points: a thread a point finds its taps; a thread a sample sums them up. The gradient of the planes gathers: taps
// come sorted by their pixel, and every pixel fetches its own, in the order of the points and of their taps.
#include "inside.cuh"

enum { ZEROS, BORDER, REFLECTION };  // as in reference.py

// A coordinate in pixels, padded and rounded, and its slope: every operation in the type of the grid, as in reference.py.
__device__ inline real coordinate(real g, real extent, int taps, int padding, int align_corners, real* slope) {
    const real low = align_corners ? (real)0 : -(real)1 / 2, span = align_corners ? extent - 1 : extent;
    real c = align_corners ? (g + 1) / 2 * span : ((g + 1) * extent - 1) / 2;
    *slope = span / 2;
    if (padding == REFLECTION) {  // mirrors stand at low and at low + span
        if (c < low) *slope = -*slope;
        c = fmod(fabs(c - low), 2 * span);  // exact; NaN where span is 0
        if (c > span) {
            c = 2 * span - c;
            *slope = -*slope;
        }
        c = c + low;
    }
    bool held = taps == 1;  // where the coordinate does not follow the grid
    if (padding == ZEROS) {
        if (!(c >= -1 && c < extent)) {  // NaN too
            c = -2;                      // nowhere: its two neighbours, -2 and -1, both lie outside
            held = true;
        }
    } else if (!(c > 0)) {  // NaN too
        c = 0;
        held = true;
    } else if (c >= extent - 1) {
        c = extent - 1;
        held = true;
    }
    if (held) *slope = 0;
    return taps == 1 ? rint(c) : c;  // half-way: the even one
}

RS_KERNEL grid_sample_locate(const real* grid, int64* indices, real* fractions, real* slopes, int64 count, int h, int w,
                             int taps, int padding, int align_corners) {
    RS_FOR_EACH(i, count) {
        const real x = coordinate(grid[2 * i], w, taps, padding, align_corners, slopes + 2 * i);
        const real y = coordinate(grid[2 * i + 1], h, taps, padding, align_corners, slopes + 2 * i + 1);
        fractions[2 * i] = x - floor(x);
        fractions[2 * i + 1] = y - floor(y);
        for (int tap = 0; tap < taps; ++tap) {
            const int64 iw = (int64)floor(x) + tap % 2, ih = (int64)floor(y) + tap / 2;
            indices[i * taps + tap] = ih >= 0 && ih < h && iw >= 0 && iw < w ? ih * w + iw : (int64)h * w;
        }
    }
}

RS_KERNEL grid_sample_forward(const real* x, const int64* indices, const real* weights, real* out, int64 count, int64 channels,
                              int64 pixels, int64 points, int64 taps) {
    RS_FOR_EACH(i, count) {
        const int64 plane = i / points, point = plane / channels * points + i % points;
        wide total = 0;
        for (int64 tap = point * taps; tap < (point + 1) * taps; ++tap)
            if (inside(indices[tap], pixels)) total += (wide)weights[tap] * x[plane * pixels + indices[tap]];
        out[i] = total;
    }
}

// The taps at pixel p of image b are order[starts[b * (pixels + 1) + p]] up to the next start; those outside come after an
// image's last pixel.
RS_KERNEL grid_sample_backward_input(const real* grad_output, const int64* starts, const int64* order, const real* weights,
                                     real* grad_input, int64 count, int64 channels, int64 pixels, int64 points, int64 taps) {
    RS_FOR_EACH(i, count) {
        const int64 plane = i / pixels, b = plane / channels;
        const int64* start = starts + b * (pixels + 1) + i % pixels;
        wide sum = 0;
        for (int64 e = start[0]; e < start[1]; ++e) {
            const int64 tap = order[e], point = tap / taps - b * points;
            sum += (wide)weights[tap] * grad_output[plane * points + point];
        }
        grad_input[i] = sum;
    }
}

RS_KERNEL grid_sample_backward_weights(const real* grad_output, const real* x, const int64* indices, real* grad_weights,
                                       int64 count, int64 channels, int64 pixels, int64 points, int64 taps) {
    RS_FOR_EACH(i, count) {
        const int64 b = i / taps / points, point = i / taps % points;
        wide total = 0;
        for (int64 k = 0; k < channels && inside(indices[i], pixels); ++k) {
            const int64 plane = b * channels + k;
            total += (wide)grad_output[plane * points + point] * x[plane * pixels + indices[i]];
        }
        grad_weights[i] = total;
    }
}
