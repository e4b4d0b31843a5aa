// Max pooling: a thread an output. Backward gathers: a thread an input pixel adds up the windows that chose it, in their order,
// so that nobody writes where somebody else does.
#include "inside.cuh"
#include "windows.cuh"

// The largest value of a window, and its place; as in reference.py, a tap replaces the best before it if it is larger or NaN.
__device__ inline int64 chosen_tap(const real* plane, int h, int w, int64 oh, int64 ow, int kernel_h, int kernel_w,
                                   int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w,
                                   real* best, int* tap) {
    int64 chosen = -1;
    for (int kh = 0; kh < kernel_h; ++kh) {
        const int64 ih = oh * stride_h - padding_h + (int64)kh * dilation_h;
        if (ih < 0 || ih >= h) continue;
        for (int kw = 0; kw < kernel_w; ++kw) {
            const int64 iw = ow * stride_w - padding_w + (int64)kw * dilation_w;
            if (iw < 0 || iw >= w) continue;
            const real value = plane[ih * w + iw];
            if (chosen < 0 || value > *best || is_nan(value)) {
                *best = value;
                *tap = kh * kernel_w + kw;
                chosen = ih * w + iw;
            }
        }
    }
    return chosen;
}

RS_KERNEL max_pool2d_forward(const real* x, real* out, int64* indices, int64 count, int h, int w, int out_h, int out_w,
                             int kernel_h, int kernel_w, int stride_h, int stride_w, int padding_h, int padding_w,
                             int dilation_h, int dilation_w) {
    RS_FOR_EACH(i, count) {
        const int64 plane = i / ((int64)out_h * out_w), oh = i / out_w % out_h, ow = i % out_w;
        int tap = 0;
        real best = 0;
        indices[i] = chosen_tap(x + plane * h * w, h, w, oh, ow, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w,
                                dilation_h, dilation_w, &best, &tap);
        out[i] = best;
    }
}

RS_KERNEL max_pool2d_forward_taps(const real* x, real* out, uint8* taps, int64 count, int h, int w, int out_h, int out_w,
                                  int kernel_h, int kernel_w, int stride_h, int stride_w, int padding_h, int padding_w,
                                  int dilation_h, int dilation_w) {
    RS_FOR_EACH(i, count) {
        const int64 plane = i / ((int64)out_h * out_w), oh = i / out_w % out_h, ow = i % out_w;
        int tap = 0;
        real best = 0;
        chosen_tap(x + plane * h * w, h, w, oh, ow, kernel_h, kernel_w, stride_h, stride_w, padding_h, padding_w, dilation_h,
                   dilation_w, &best, &tap);
        out[i] = best;
        taps[i] = tap;
    }
}

RS_KERNEL max_pool2d_indices_of_taps(const uint8* taps, int64* indices, int64 count, int w, int out_h, int out_w, int kernel_w,
                                     int stride_h, int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w) {
    RS_FOR_EACH(i, count) {
        const int64 oh = i / out_w % out_h, ow = i % out_w;
        const int64 ih = oh * stride_h - padding_h + (int64)(taps[i] / kernel_w) * dilation_h;
        const int64 iw = ow * stride_w - padding_w + (int64)(taps[i] % kernel_w) * dilation_w;
        indices[i] = ih * w + iw;
    }
}

RS_KERNEL max_pool2d_backward_taps(const real* grad_output, const uint8* taps, real* grad_input, int64 count, int h, int w,
                                   int out_h, int out_w, int kernel_h, int kernel_w, int stride_h, int stride_w, int padding_h,
                                   int padding_w, int dilation_h, int dilation_w) {
    RS_FOR_EACH(i, count) {
        const int64 plane = i / ((int64)h * w) * out_h * out_w, ih = i / w % h, iw = i % w;
        int64 top, bottom, left, right;
        windows_over(ih, out_h, kernel_h, stride_h, padding_h, dilation_h, &top, &bottom);
        windows_over(iw, out_w, kernel_w, stride_w, padding_w, dilation_w, &left, &right);
        wide sum = 0;
        for (int64 oh = top; oh <= bottom; ++oh) {
            for (int64 ow = left; ow <= right; ++ow) {
                const int64 at = plane + oh * out_w + ow;
                const bool row = oh * stride_h - padding_h + (int64)(taps[at] / kernel_w) * dilation_h == ih;
                const bool column = ow * stride_w - padding_w + (int64)(taps[at] % kernel_w) * dilation_w == iw;
                if (row && column) sum += grad_output[at];
            }
        }
        grad_input[i] = sum;
    }
}

RS_KERNEL max_pool2d_gather(const real* grad_grad_input, const int64* indices, real* out, int64 count, int64 plane,
                            int64 out_plane) {
    RS_FOR_EACH(i, count)
        out[i] = inside(indices[i], plane) ? grad_grad_input[i / out_plane * plane + indices[i]] : (real)0;
}
