// Depthwise convolution: every output channel sees one input channel. A block has pixels of one plane, so that all its threads
// share the taps, which stand in registers if they fit; sums are chains of fused multiply-adds in the order of reference.py,
// and a tap outside the plane is left out. Compiled with KERNEL_H and KERNEL_W, or 0 for kernels of any size, whose taps stay
// in memory.
#include "epilogue.cuh"

constexpr int THREADS = 256, PIXELS = 4 * THREADS;  // of a block
constexpr int KEPT = KERNEL_H > 0 ? KERNEL_H * KERNEL_W : 1;
constexpr bool HELD = KERNEL_H > 0 && KEPT * sizeof(real) <= 256;  // in 64 registers: 7 x 7 doubles leave too few for the rest
constexpr int ROWS = HELD ? KERNEL_H : 1;  // of taps, at once

struct Taps {
    const real* weight;
    int width;
    real kept[HELD ? KEPT : 1];

    __device__ inline Taps(const real* given, int kernel_w) : weight(given), width(kernel_w) {
        if (HELD)
#pragma unroll
            for (int tap = 0; tap < KEPT; ++tap) kept[tap] = given[tap];
    }
    __device__ inline real operator()(int kh, int kw) const {
        return HELD ? kept[kh * KERNEL_W + kw] : weight[(int64)kh * width + kw];
    }
};

RS_KERNEL __launch_bounds__(256, 1) conv2d_depthwise_forward(
    const real* x, const real* weight, const real* bias, const wide* centre, const wide* scale, const wide* shift, real low,
    real high, real* out, int shares, int channels, int multiplier, int h, int w, int out_h, int out_w, int given_h,
    int given_w, int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w) {
    const int kernel_h = KERNEL_H > 0 ? KERNEL_H : given_h, kernel_w = KERNEL_W > 0 ? KERNEL_W : given_w;
    const Epilogue after = {centre, scale, shift, low, high};
    const int64 plane = blockIdx.x / shares;
    const int k = plane % ((int64)channels * multiplier), first = blockIdx.x % shares * PIXELS;
    const real* from = x + (plane / ((int64)channels * multiplier) * channels + k / multiplier) * h * w;
    const Taps taps(weight + (int64)k * kernel_h * kernel_w, kernel_w);
#pragma unroll 1
    for (int pixel = first + threadIdx.x; pixel < min(first + PIXELS, out_h * out_w); pixel += THREADS) {
        const int oh = pixel / out_w, ow = pixel % out_w;
        real sum = 0;
#pragma unroll ROWS
        for (int kh = 0; kh < kernel_h; ++kh) {
            const int ih = oh * stride_h - padding_h + kh * dilation_h;
#pragma unroll
            for (int kw = 0; kw < kernel_w; ++kw) {
                const int iw = ow * stride_w - padding_w + kw * dilation_w;
                if (ih >= 0 && ih < h && iw >= 0 && iw < w) sum = fma(from[(int64)ih * w + iw], taps(kh, kw), sum);
            }
        }
        if (bias) sum += bias[k];
        out[plane * out_h * out_w + pixel] = after.finished(sum, k);
    }
}

// The output that a place in the padded plane led to by a tap of this offset, or -1.
__device__ inline int output_of(int place, int offset, int stride, int size) {
    const int steps = place - offset;
    if (stride == 1) return steps >= 0 && steps < size ? steps : -1;
    return steps >= 0 && steps % stride == 0 && steps / stride < size ? steps / stride : -1;
}

RS_KERNEL __launch_bounds__(256, 1) conv2d_depthwise_backward_input(
    const real* grad_output, const real* weight, real* grad_input, int shares, int channels, int multiplier, int h, int w,
    int out_h, int out_w, int given_h, int given_w, int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h,
    int dilation_w) {
    const int kernel_h = KERNEL_H > 0 ? KERNEL_H : given_h, kernel_w = KERNEL_W > 0 ? KERNEL_W : given_w;
    const int64 plane = blockIdx.x / shares;
    const int c = plane % channels, first = blockIdx.x % shares * PIXELS;
#pragma unroll 1
    for (int pixel = first + threadIdx.x; pixel < min(first + PIXELS, h * w); pixel += THREADS) {
        const int ih = pixel / w, iw = pixel % w;
        real sum = 0;
        for (int m = 0; m < multiplier; ++m) {  // output channels of this one
            const int64 k = (int64)c * multiplier + m;
            const real* from = grad_output + (plane / channels * channels * multiplier + k) * out_h * out_w;
            const Taps taps(weight + k * kernel_h * kernel_w, kernel_w);
#pragma unroll ROWS
            for (int kh = 0; kh < kernel_h; ++kh) {
                const int oh = output_of(ih + padding_h, kh * dilation_h, stride_h, out_h);
#pragma unroll
                for (int kw = 0; kw < kernel_w; ++kw) {
                    const int ow = output_of(iw + padding_w, kw * dilation_w, stride_w, out_w);
                    if (oh >= 0 && ow >= 0) sum = fma(from[(int64)oh * out_w + ow], taps(kh, kw), sum);
                }
            }
        }
        grad_input[plane * h * w + pixel] = sum;
    }
}

// The sum of a block's threads, in a fixed order: halves of a warp onto each other, then the warps one after the other.
__device__ inline wide sum_of_block(wide value, wide* of_warps) {
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_down_sync(~0u, value, distance);
    __syncthreads();  // the sums before have been read
    if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
    __syncthreads();
    wide total = 0;
    for (int warp = 0; warp < THREADS / 32; ++warp) total += of_warps[warp];
    return total;
}

// A block has one part of the pixels of all images, of one output channel, and all taps, or one of a kernel of any size.
RS_KERNEL __launch_bounds__(256, 1) conv2d_depthwise_backward_weight_parts(
    const real* grad_output, const real* x, wide* sums_of_parts, int parts, int length, int64 pixels, int channels,
    int multiplier, int h, int w, int out_h, int out_w, int given_h, int given_w, int stride_h, int stride_w, int padding_h,
    int padding_w, int dilation_h, int dilation_w) {
    __shared__ wide of_warps[THREADS / 32];
    constexpr int taps_h = KERNEL_H > 0 ? KERNEL_H : 1, taps_w = KERNEL_W > 0 ? KERNEL_W : 1;
    const int64 taps = (int64)given_h * given_w;
    const int64 first_tap = KERNEL_H > 0 ? 0 : blockIdx.x % taps, block = KERNEL_H > 0 ? blockIdx.x : blockIdx.x / taps;
    const int first_h = first_tap / given_w, first_w = first_tap % given_w;
    const int64 out_channels = (int64)channels * multiplier, k = block % out_channels, part = block / out_channels;
    real sums[KEPT] = {};
    const int64 end = min((part + 1) * length, pixels);
    for (int64 pixel = part * length + threadIdx.x; pixel < end; pixel += THREADS) {
        const int64 b = pixel / out_w / out_h;
        const int oh = pixel / out_w % out_h, ow = pixel % out_w;
        const real grad = grad_output[((b * out_channels + k) * out_h + oh) * out_w + ow];
        const real* from = x + (b * channels + k / multiplier) * h * w;
#pragma unroll
        for (int u = 0; u < taps_h; ++u) {
            const int ih = oh * stride_h - padding_h + (first_h + u) * dilation_h;
#pragma unroll
            for (int v = 0; v < taps_w; ++v) {
                const int iw = ow * stride_w - padding_w + (first_w + v) * dilation_w;
                if (ih >= 0 && ih < h && iw >= 0 && iw < w)
                    sums[u * taps_w + v] = fma(grad, from[(int64)ih * w + iw], sums[u * taps_w + v]);
            }
        }
    }
#pragma unroll
    for (int tap = 0; tap < KEPT; ++tap) {
        const wide total = sum_of_block(sums[tap], of_warps);
        if (threadIdx.x == 0) sums_of_parts[(part * out_channels + k) * taps + first_tap + tap] = total;
    }
}

RS_KERNEL __launch_bounds__(256, 1) conv2d_depthwise_backward_bias_parts(
    const real* grad_output, wide* sums_of_parts, int parts, int length, int64 pixels, int channels, int64 plane) {
    __shared__ wide of_warps[THREADS / 32];
    const int64 k = blockIdx.x % channels, part = blockIdx.x / channels;
    const int64 end = min((part + 1) * length, pixels);
    wide sum = 0;
    for (int64 pixel = part * length + threadIdx.x; pixel < end; pixel += THREADS)
        sum += grad_output[(pixel / plane * channels + k) * plane + pixel % plane];
    const wide total = sum_of_block(sum, of_warps);
    if (threadIdx.x == 0) sums_of_parts[part * channels + k] = total;
}
