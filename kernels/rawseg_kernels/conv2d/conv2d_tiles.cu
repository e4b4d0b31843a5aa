// Convolution as products of matrices that are never written: see tiles.cuh.
//
// What an output sees of x is a place in the plane that moves with the output, plus one that moves with the channel and the
// tap: columns and steps of the right matrix. Forward and backward_input have columns of pixels and steps of taps, and the
// weights on the left; backward_weight has columns of taps and steps of pixels, and the gradient on the left. Places outside
// the plane are fetched as 0. That is wrong beside an infinite weight, whose taps there must be left out: a thread with a sum
// that is not finite computes its sums again, one by one.
#include "tensor_cores.cuh"
#include "tiles.cuh"
#include "epilogue.cuh"

// A plane, and how places in it move.
struct Plane {
    const real* values;
    int h, w;

    __device__ inline bool holds(const Place& at, const Step& by) const {
        return (unsigned)(at.down + by.down) < (unsigned)h && (unsigned)(at.along + by.along) < (unsigned)w;
    }
    __device__ inline real value(const Place& at, const Step& by) const {
        return holds(at, by) ? values[at.offset + by.right] : 0;
    }
    __device__ inline int64 offset(int64 plane, int64 down, int64 along) const { return (plane * h + down) * w + along; }
};

// Rows are output channels of a group, columns are output pixels of all images, steps are input channels and taps.
struct Correlation {
    Plane plane;
    const real* weight;
    int rows, columns, channels, first_channel;
    int count_h, count_w, step_h, step_w, base_h, base_w;                // of pixels
    int taps_h, taps_w, move_h, move_w;                                  // of taps
    int64 weight_row, weight_channel, weight_first, weight_h, weight_w;  // where their weights lie

    __device__ inline int row(int i) const { return i < rows ? i * weight_row + weight_first : -1; }
    __device__ inline Place column(int j) const {
        if (j >= columns) return {0, OUTSIDE, 0};
        const int along = j % count_w * step_w + base_w, down = j / count_w % count_h * step_h + base_h;
        const int64 image = j / count_w / count_h;
        return {plane.offset(image * channels + first_channel, down, along), down, along};
    }
    __device__ inline Step step(int k, int last) const {
        if (k >= last) return {-1, 0, OUTSIDE, 0};
        const int kw = k % taps_w, kh = k / taps_w % taps_h, c = k / taps_w / taps_h;
        const int down = kh * move_h, along = kw * move_w;
        return {c * weight_channel + kh * weight_h + kw * weight_w, plane.offset(c, down, along), down, along};
    }
    __device__ inline real left(int i, const Step& k) const { return i >= 0 && k.left >= 0 ? weight[i + k.left] : 0; }
    __device__ inline real right(const Place& j, const Step& k) const { return plane.value(j, k); }
    __device__ inline bool meets(const Place& j, const Step& k) const { return plane.holds(j, k); }
    __device__ inline bool left_by_steps() const { return true; }
    __device__ inline bool right_by_steps() const { return false; }
};

// out[b, k, origin + i * to] is a sum over taps of x at i * step + base + tap * move, for i below count.
RS_KERNEL __launch_bounds__(THREADS, RESIDENT) conv2d_tiles_correlate(
    const real* x, const real* weight, const real* bias, const wide* centre, const wide* scale, const wide* shift, real low,
    real high, real* out, int columns, int groups, int depth, int h, int w, int rows, int out_h, int out_w, int count_h,
    int count_w, int step_h, int step_w, int base_h, int base_w, int taps_h, int taps_w, int move_h, int move_w,
    int64 group_of_weights, int64 weight_row, int64 weight_channel, int64 weight_first, int64 weight_h, int64 weight_w,
    int origin_h, int origin_w, int to_h, int to_w) {
    __shared__ Tiles tiles;
    const int down = (rows + TILE_ROWS - 1) / TILE_ROWS;
    const int row = blockIdx.x % down * TILE_ROWS, group = blockIdx.x / down % groups;
    const int column = blockIdx.x / down / groups * TILE_COLUMNS;
    const Correlation product = {{x, h, w}, weight + group * group_of_weights, rows, columns, depth * groups, group * depth,
                                 count_h, count_w, step_h, step_w, base_h, base_w, taps_h, taps_w, move_h, move_w,
                                 weight_row, weight_channel, weight_first, weight_h, weight_w};
    const int steps = depth * taps_h * taps_w;
    real sums[ROWS][COLUMNS];
    sum_tile(product, tiles, row, column, 0, steps, sums);

    const Epilogue after = {centre, scale, shift, low, high};
    const int last = group * rows + rows - 1, first = group * rows + row;  // output channels
    const bool finite = are_finite(sums);
    const int64 plane = (int64)out_h * out_w;
#pragma unroll
    for (int j = 0; j < COLUMNS; ++j) {
        const int pixel = column + column_of(j);
        if (pixel >= columns) break;
        const int64 ow = pixel % count_w * to_w + origin_w, oh = pixel / count_w % count_h * to_h + origin_h;
        real* to = out + ((int64)(pixel / count_w / count_h) * groups * rows + first) * plane + oh * out_w + ow;
        if (finite) {
            if (bias) for_each_row([&](int i) { sums[i][j] += bias[min(first + row_of(i), last)]; });
            if (scale) for_each_row([&](int i) { sums[i][j] = after.normalised(sums[i][j], min(first + row_of(i), last)); });
            for_each_row([&](int i) {
                if (first + row_of(i) <= last) to[row_of(i) * plane] = after.clamped(sums[i][j]);
            });
        } else {
#pragma unroll 1
            for (int i = 0; i < ROWS && first + row_of(i) <= last; ++i) {
                const int k = first + row_of(i);
                const real sum = sum_alone(product, row + row_of(i), pixel, 0, steps);
                to[row_of(i) * plane] = after.finished(bias ? sum + bias[k] : sum, k);
            }
        }
    }
}

// Rows are output channels of a group, columns are input channels and taps, steps are output pixels of all images.
struct WeightSum {
    Plane plane;
    const real* grad_output;
    int rows, columns, channels, first_channel, out_channels, first_out_channel, out_h, out_w;
    int kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;

    __device__ inline int row(int i) const { return i < rows ? (first_out_channel + i) * out_h * out_w : -1; }
    __device__ inline Place column(int j) const {
        if (j >= columns) return {0, OUTSIDE, 0};
        const int along = j % kernel_w * dilation_w, down = j / kernel_w % kernel_h * dilation_h;
        return {plane.offset(first_channel + j / kernel_w / kernel_h, down, along), down, along};
    }
    __device__ inline Step step(int k, int last) const {
        if (k >= last) return {-1, 0, OUTSIDE, 0};
        const int ow = k % out_w, oh = k / out_w % out_h;
        const int64 b = k / out_w / out_h;
        const int down = oh * stride_h - padding_h, along = ow * stride_w - padding_w;
        return {(b * out_channels * out_h + oh) * out_w + ow, plane.offset(b * channels, down, along), down, along};
    }
    __device__ inline real left(int i, const Step& k) const { return i >= 0 && k.left >= 0 ? grad_output[i + k.left] : 0; }
    __device__ inline real right(const Place& j, const Step& k) const { return plane.value(j, k); }
    __device__ inline bool meets(const Place& j, const Step& k) const { return plane.holds(j, k); }
    __device__ inline bool left_by_steps() const { return true; }
    __device__ inline bool right_by_steps() const { return true; }
};

__device__ inline WeightSum weight_sum(const real* grad_output, const real* x, int group, int groups, int depth, int h, int w,
                                       int rows, int out_h, int out_w, int kernel_h, int kernel_w, int stride_h, int stride_w,
                                       int padding_h, int padding_w, int dilation_h, int dilation_w) {
    return {{x, h, w}, grad_output, rows, depth * kernel_h * kernel_w, depth * groups, group * depth, rows * groups,
            group * rows, out_h, out_w, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w};
}

// Pixels from part * length on, so many, are one part.
RS_KERNEL __launch_bounds__(THREADS, RESIDENT) conv2d_tiles_backward_weight_parts(
    const real* grad_output, const real* x, real* sums_of_parts, int pixels, int length, int groups, int depth, int h, int w,
    int rows, int out_h, int out_w, int kernel_h, int kernel_w, int stride_h, int stride_w, int padding_h, int padding_w,
    int dilation_h, int dilation_w) {
    __shared__ Tiles tiles;
    const int columns = depth * kernel_h * kernel_w;
    const int down = (rows + TILE_ROWS - 1) / TILE_ROWS, across = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const int row = blockIdx.x % down * TILE_ROWS, column = blockIdx.x / down % across * TILE_COLUMNS;
    const int group = blockIdx.x / down / across % groups, part = blockIdx.x / down / across / groups;
    const WeightSum product = weight_sum(grad_output, x, group, groups, depth, h, w, rows, out_h, out_w, kernel_h, kernel_w,
                                         stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w);
    const int first = part * length;
    real sums[ROWS][COLUMNS];
    sum_tile(product, tiles, row, column, first, min(length, pixels - first) + first, sums);
    real* to = sums_of_parts + ((int64)part * groups + group) * rows * columns;
    for_each_sum([&](int i, int j) {
        if (row + row_of(i) < rows && column + column_of(j) < columns)
            to[(int64)(row + row_of(i)) * columns + column + column_of(j)] = sums[i][j];
    });
}

RS_KERNEL conv2d_tiles_sum_of_parts(const real* sums_of_parts, const real* grad_output, const real* x, real* grad_weight,
                                    int64 count, int parts, int pixels, int groups, int depth, int h, int w, int rows,
                                    int out_h, int out_w, int kernel_h, int kernel_w, int stride_h, int stride_w, int padding_h,
                                    int padding_w, int dilation_h, int dilation_w) {
    RS_FOR_EACH(i, count) {
        wide total = 0;
        for (int64 part = 0; part < parts; ++part) total += sums_of_parts[part * count + i];
        real sum = total;
        if (!is_finite(sum)) {
            const int columns = depth * kernel_h * kernel_w, column = i % columns, k = i / columns;
            const WeightSum product = weight_sum(grad_output, x, k / rows, groups, depth, h, w, rows, out_h, out_w, kernel_h,
                                                 kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w);
            sum = sum_alone(product, k % rows, column, 0, pixels);
        }
        grad_weight[i] = sum;
    }
}
