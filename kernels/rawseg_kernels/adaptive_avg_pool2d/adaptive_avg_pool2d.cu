// Adaptive average pooling: a thread a bin, whose sides the tables name. Backward gathers: a thread an input pixel adds up its
// share of every bin that holds it, in the order of the bins.

RS_KERNEL adaptive_avg_pool2d_forward(const real* x, real* out, const int64* top, const int64* bottom, const int64* left,
                                      const int64* right, int64 count, int h, int w, int out_h, int out_w) {
    RS_FOR_EACH(i, count) {
        const int64 oh = i / out_w % out_h, ow = i % out_w;
        const real* plane = x + i / ((int64)out_h * out_w) * h * w;
        wide total = 0;
        for (int64 ih = top[oh]; ih < bottom[oh]; ++ih)
            for (int64 iw = left[ow]; iw < right[ow]; ++iw) total += plane[ih * w + iw];
        out[i] = total / (wide)((bottom[oh] - top[oh]) * (right[ow] - left[ow]));
    }
}

// The bins that hold row ih are those from first_oh[ih] up to last_oh[ih]; those of a column likewise.
RS_KERNEL adaptive_avg_pool2d_backward(const real* grad_output, real* grad_input, const int64* top, const int64* bottom,
                                       const int64* left, const int64* right, const int64* first_oh, const int64* last_oh,
                                       const int64* first_ow, const int64* last_ow, int64 count, int h, int w, int out_h,
                                       int out_w) {
    RS_FOR_EACH(i, count) {
        const int64 ih = i / w % h, iw = i % w;
        const real* plane = grad_output + i / ((int64)h * w) * out_h * out_w;
        wide sum = 0;
        for (int64 oh = first_oh[ih]; oh < last_oh[ih]; ++oh)
            for (int64 ow = first_ow[iw]; ow < last_ow[iw]; ++ow)
                sum += plane[oh * out_w + ow] / (wide)((bottom[oh] - top[oh]) * (right[ow] - left[ow]));
        grad_input[i] = sum;
    }
}
