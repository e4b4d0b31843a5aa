// Convolution and its gradients as in reference.py: a thread an element of the result, sums in double, rounded once. The
// gradient of the weight is summed in two passes, each in a fixed order: parts of the output's rows, then the parts.
#include "epilogue.cuh"

RS_KERNEL conv2d_forward(const real* x, const real* weight, const real* bias, const wide* centre, const wide* scale,
                         const wide* shift, real low, real high, real* out, int64 count, int h, int w, int out_channels,
                         int out_h, int out_w, int depth, int kernel_h, int kernel_w, int stride_h, int stride_w, int padding_h,
                         int padding_w, int dilation_h, int dilation_w, int groups) {
    const Epilogue after = {centre, scale, shift, low, high};
    RS_FOR_EACH(i, count) {
        const int64 ow = i % out_w, oh = i / out_w % out_h, b = i / out_w / out_h / out_channels;
        const int k = i / out_w / out_h % out_channels;
        const int64 first = k / (out_channels / groups) * depth;  // of the input channels of this group
        wide total = 0;
        for (int c = 0; c < depth; ++c) {
            const real* plane = x + (b * depth * groups + first + c) * h * w;
            const real* taps = weight + ((int64)k * depth + c) * kernel_h * kernel_w;
            for (int kh = 0; kh < kernel_h; ++kh) {
                const int64 ih = oh * stride_h - padding_h + (int64)kh * dilation_h;
                if (ih < 0 || ih >= h) continue;
                for (int kw = 0; kw < kernel_w; ++kw) {
                    const int64 iw = ow * stride_w - padding_w + (int64)kw * dilation_w;
                    if (iw < 0 || iw >= w) continue;  // never multiplied: an infinite weight meets no padded zero
                    total += (wide)plane[ih * w + iw] * taps[(int64)kh * kernel_w + kw];
                }
            }
        }
        if (bias) total += bias[k];
        out[i] = after.finished(total, k);
    }
}

// The output that a tap of this offset led to: an input pixel of place `at` was its tap if that is a whole number inside.
__device__ inline int64 output_of(int64 at, int64 offset, int stride, int size) {
    const int64 steps = at - offset;
    return steps >= 0 && steps % stride == 0 && steps / stride < size ? steps / stride : -1;
}

RS_KERNEL conv2d_backward_input(const real* grad_output, const real* weight, const real* bias, real* grad_input, int64 count,
                                int channels, int h, int w, int out_channels, int out_h, int out_w, int depth, int kernel_h,
                                int kernel_w, int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h,
                                int dilation_w, int groups) {
    const int per_group = out_channels / groups;
    RS_FOR_EACH(i, count) {
        const int64 iw = i % w, ih = i / w % h, b = i / w / h / channels;
        const int c = i / w / h % channels;
        const int64 first = c / depth * per_group;  // of the output channels of this group
        wide total = 0;
        for (int64 k = first; k < first + per_group; ++k) {
            const real* plane = grad_output + (b * out_channels + k) * out_h * out_w;
            const real* taps = weight + (k * depth + c % depth) * kernel_h * kernel_w;
            for (int kh = 0; kh < kernel_h; ++kh) {
                const int64 oh = output_of(ih + padding_h, (int64)kh * dilation_h, stride_h, out_h);
                if (oh < 0) continue;
                for (int kw = 0; kw < kernel_w; ++kw) {
                    const int64 ow = output_of(iw + padding_w, (int64)kw * dilation_w, stride_w, out_w);
                    if (ow >= 0) total += (wide)plane[oh * out_w + ow] * taps[(int64)kh * kernel_w + kw];
                }
            }
        }
        if (bias) total += bias[c];
        grad_input[i] = total;
    }
}

// Rows of all images are counted through: a part is some of them. A thread has one tap of one part.
RS_KERNEL conv2d_backward_weight_parts(const real* grad_output, const real* x, wide* sums, int64 count, int64 rows, int parts,
                                       int h, int w, int out_channels, int out_h, int out_w, int depth, int kernel_h,
                                       int kernel_w, int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h,
                                       int dilation_w, int groups) {
    const int64 taps = count / parts;
    RS_FOR_EACH(i, count) {
        const int64 part = i / taps, tap = i % taps;
        const int64 kw = tap % kernel_w, kh = tap / kernel_w % kernel_h, c = tap / kernel_w / kernel_h % depth;
        const int64 k = tap / kernel_w / kernel_h / depth;
        const int64 channel = k / (out_channels / groups) * depth + c;
        wide total = 0;
        for (int64 row = rows * part / parts; row < rows * (part + 1) / parts; ++row) {
            const int64 b = row / out_h, oh = row % out_h;
            const int64 ih = oh * stride_h - padding_h + kh * dilation_h;
            if (ih < 0 || ih >= h) continue;
            const real* grad_row = grad_output + ((b * out_channels + k) * out_h + oh) * out_w;
            const real* x_row = x + ((b * depth * groups + channel) * h + ih) * w;
            for (int64 ow = 0; ow < out_w; ++ow) {
                const int64 iw = ow * stride_w - padding_w + kw * dilation_w;
                if (iw >= 0 && iw < w) total += (wide)grad_row[ow] * x_row[iw];
            }
        }
        sums[i] = total;
    }
}

RS_KERNEL conv2d_backward_bias_parts(const real* grad_output, wide* sums, int64 count, int64 rows, int parts, int out_channels,
                                     int out_h, int out_w) {
    RS_FOR_EACH(i, count) {
        const int64 part = i / out_channels, k = i % out_channels;
        wide total = 0;
        for (int64 row = rows * part / parts; row < rows * (part + 1) / parts; ++row) {
            const real* grad_row = grad_output + ((row / out_h * out_channels + k) * out_h + row % out_h) * out_w;
            for (int64 ow = 0; ow < out_w; ++ow) total += grad_row[ow];
        }
        sums[i] = total;
    }
}

RS_KERNEL conv2d_sum_of_parts(const wide* sums, real* out, int64 count, int parts) {
    RS_FOR_EACH(i, count) {
        wide total = 0;
        for (int64 part = 0; part < parts; ++part) total += sums[part * count + i];
        out[i] = total;
    }
}
