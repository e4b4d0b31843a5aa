// Adaptive max pooling: a thread a bin, whose sides the tables name. Backward is max pooling's.

// As in reference.py, a pixel replaces the best before it if it is larger or NaN.
RS_KERNEL adaptive_max_pool2d_forward(const real* x, real* out, int64* indices, const int64* top, const int64* bottom,
                                      const int64* left, const int64* right, int64 count, int h, int w, int out_h, int out_w) {
    RS_FOR_EACH(i, count) {
        const int64 oh = i / out_w % out_h, ow = i % out_w;
        const real* plane = x + i / ((int64)out_h * out_w) * h * w;
        int64 chosen = top[oh] * w + left[ow];
        real best = plane[chosen];
        for (int64 ih = top[oh]; ih < bottom[oh]; ++ih) {
            for (int64 iw = left[ow]; iw < right[ow]; ++iw) {
                const real value = plane[ih * w + iw];
                if (value > best || is_nan(value)) {
                    best = value;
                    chosen = ih * w + iw;
                }
            }
        }
        out[i] = best;
        indices[i] = chosen;
    }
}
