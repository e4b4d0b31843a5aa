// Windows as columns: a thread an element of the columns. Backward gathers: a thread an input pixel adds up the elements that
// were read from it, tap by tap in row-major order.

RS_KERNEL unfold_forward(const real* x, real* out, int64 count, int h, int w, int out_h, int out_w, int kernel_h, int kernel_w,
                         int dilation_h, int dilation_w, int padding_h, int padding_w, int stride_h, int stride_w) {
    RS_FOR_EACH(i, count) {
        const int64 ow = i % out_w, oh = i / out_w % out_h;
        const int64 row = i / ((int64)out_h * out_w);  // of the columns, counted over the batch: (plane, kh, kw)
        const int64 kw = row % kernel_w, kh = row / kernel_w % kernel_h, plane = row / ((int64)kernel_h * kernel_w);
        const int64 ih = oh * stride_h - padding_h + kh * dilation_h;
        const int64 iw = ow * stride_w - padding_w + kw * dilation_w;
        out[i] = ih >= 0 && ih < h && iw >= 0 && iw < w ? x[(plane * h + ih) * w + iw] : (real)0;
    }
}

// The window whose tap lies over a pixel, along one axis, or -1: out = (at + padding - tap * dilation) / stride, if it divides.
__device__ inline int64 window_over(int64 at, int size, int64 tap, int stride, int padding, int dilation) {
    const int64 start = at + padding - tap * dilation;
    return start >= 0 && start % stride == 0 && start / stride < size ? start / stride : -1;
}

RS_KERNEL unfold_backward(const real* grad_output, real* grad_input, int64 count, int h, int w, int out_h, int out_w,
                          int kernel_h, int kernel_w, int dilation_h, int dilation_w, int padding_h, int padding_w,
                          int stride_h, int stride_w) {
    RS_FOR_EACH(i, count) {
        const int64 plane = i / ((int64)h * w), ih = i / w % h, iw = i % w;
        wide sum = 0;
        for (int64 kh = 0; kh < kernel_h; ++kh) {
            const int64 oh = window_over(ih, out_h, kh, stride_h, padding_h, dilation_h);
            if (oh < 0) continue;
            for (int64 kw = 0; kw < kernel_w; ++kw) {
                const int64 ow = window_over(iw, out_w, kw, stride_w, padding_w, dilation_w);
                const int64 row = (plane * kernel_h + kh) * kernel_w + kw;
                if (ow >= 0) sum += grad_output[(row * out_h + oh) * out_w + ow];
            }
        }
        grad_input[i] = sum;
    }
}
