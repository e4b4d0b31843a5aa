// The largest pixel of every bin of a box: a thread an output.
#include "inside.cuh"

RS_KERNEL roi_pool_forward(const real* x, const int64* batch, const int64* first_row, const int64* last_row,
                           const int64* first_column, const int64* last_column, real* out, int64* indices, int64 size, int64 c,
                           int64 h, int64 w, int64 out_h, int64 out_w) {
    RS_FOR_EACH(i, size) {
        const int64 pw = i % out_w, ph = i / out_w % out_h, channel = i / out_w / out_h % c, k = i / out_w / out_h / c;
        const real* plane = x + (batch[k] * c + channel) * h * w;
        real best = 0;
        int64 chosen = -1;
        for (int64 ih = first_row[k * out_h + ph]; ih < last_row[k * out_h + ph]; ++ih) {
            for (int64 iw = first_column[k * out_w + pw]; iw < last_column[k * out_w + pw]; ++iw) {
                const real value = plane[ih * w + iw];
                if (chosen < 0 || value > best || is_nan(value)) {
                    best = value;
                    chosen = ih * w + iw;
                }
            }
        }
        out[i] = best;
        indices[i] = chosen;
    }
}

RS_KERNEL roi_pool_gather(const real* grad_grad_input, const int64* indices, const int64* batch, real* out, int64 size,
                          int64 images, int64 c, int64 plane, int64 bins) {
    RS_FOR_EACH(i, size) {
        const int64 channel = i / bins % c, k = i / bins / c;
        const bool there = inside(indices[i], plane) && inside(batch[k], images);  // -1: an empty bin
        out[i] = there ? grad_grad_input[(batch[k] * c + channel) * plane + indices[i]] : (real)0;
    }
}
