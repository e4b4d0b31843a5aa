// Average pooling: a thread an output. Backward gathers: a thread an input pixel adds up its share of every window over it, in
// the order of the windows.
//
// Per output: its window is read, most of it from the cache, where windows overlap; 1 write.
#include "windows.cuh"

// What the sum of a window is divided by. What ceil_mode lets hang over the right padding is never counted.
__device__ inline wide divisor(int64 top, int64 left, int64 bottom, int64 right, int h, int w, int padding_h, int padding_w,
                               int count_include_pad, int divisor_override) {
    if (divisor_override) return divisor_override;
    if (count_include_pad) return (min(bottom, (int64)h + padding_h) - top) * (min(right, (int64)w + padding_w) - left);
    return (min(bottom, (int64)h) - max(top, (int64)0)) * (min(right, (int64)w) - max(left, (int64)0));
}

RS_KERNEL avg_pool2d_forward(const real* x, real* out, int64 count, int h, int w, int out_h, int out_w, int kernel_h,
                             int kernel_w, int stride_h, int stride_w, int padding_h, int padding_w, int count_include_pad,
                             int divisor_override) {
    RS_FOR_EACH(i, count) {
        const int64 oh = i / out_w % out_h, ow = i % out_w;
        const int64 top = oh * stride_h - padding_h, left = ow * stride_w - padding_w;
        const int64 bottom = top + kernel_h, right = left + kernel_w;
        const real* plane = x + i / ((int64)out_h * out_w) * h * w;
        wide total = 0;
        for (int64 ih = max(top, (int64)0); ih < min(bottom, (int64)h); ++ih)
            for (int64 iw = max(left, (int64)0); iw < min(right, (int64)w); ++iw) total += plane[ih * w + iw];
        out[i] = total / divisor(top, left, bottom, right, h, w, padding_h, padding_w, count_include_pad, divisor_override);
    }
}

RS_KERNEL avg_pool2d_backward(const real* grad_output, real* grad_input, int64 count, int h, int w, int out_h, int out_w,
                              int kernel_h, int kernel_w, int stride_h, int stride_w, int padding_h, int padding_w,
                              int count_include_pad, int divisor_override) {
    RS_FOR_EACH(i, count) {
        const int64 ih = i / w % h, iw = i % w;
        const real* plane = grad_output + i / ((int64)h * w) * out_h * out_w;
        int64 first_oh, last_oh, first_ow, last_ow;
        windows_over(ih, out_h, kernel_h, stride_h, padding_h, 1, &first_oh, &last_oh);
        windows_over(iw, out_w, kernel_w, stride_w, padding_w, 1, &first_ow, &last_ow);
        wide sum = 0;
        for (int64 oh = first_oh; oh <= last_oh; ++oh) {
            for (int64 ow = first_ow; ow <= last_ow; ++ow) {
                const int64 top = oh * stride_h - padding_h, left = ow * stride_w - padding_w;
                sum += plane[oh * out_w + ow] / divisor(top, left, top + kernel_h, left + kernel_w, h, w, padding_h, padding_w,
                                                        count_include_pad, divisor_override);
            }
        }
        grad_input[i] = sum;
    }
}
