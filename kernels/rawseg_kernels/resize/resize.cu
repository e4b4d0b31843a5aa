// Bilinear resizing: a thread an output pixel, whose four pixels and weights the tables name. Backward gathers: a thread an
// input pixel adds up the terms of all output pixels that read it, in their order.
//
// Per output: 4 reads, which its neighbours share in the cache, and 1 write.

RS_KERNEL resize_forward_bilinear(const real* x, real* out, const int64* top, const int64* bottom, const int64* left,
                                  const int64* right, const real* top_weight, const real* bottom_weight,
                                  const real* left_weight, const real* right_weight, int64 count, int h, int w, int out_h,
                                  int out_w) {
    RS_FOR_EACH(i, count) {
        const int64 oh = i / out_w % out_h, ow = i % out_w;
        const real* plane = x + i / ((int64)out_h * out_w) * h * w;
        const real *above = plane + top[oh] * w, *below = plane + bottom[oh] * w;
        const real upper = left_weight[ow] * above[left[ow]] + right_weight[ow] * above[right[ow]];
        const real lower = left_weight[ow] * below[left[ow]] + right_weight[ow] * below[right[ow]];
        out[i] = top_weight[oh] * upper + bottom_weight[oh] * lower;
    }
}

// Output rows from first_oh[ih] up to last_oh[ih] read row ih as their upper or their lower one, or, at an edge, as both;
// columns likewise.
RS_KERNEL resize_backward_bilinear(const real* grad_output, real* grad_input, const int64* top, const int64* bottom,
                                   const int64* left, const int64* right, const int64* first_oh, const int64* last_oh,
                                   const int64* first_ow, const int64* last_ow, const real* top_weight,
                                   const real* bottom_weight, const real* left_weight, const real* right_weight, int64 count,
                                   int h, int w, int out_h, int out_w) {
    RS_FOR_EACH(i, count) {
        const int64 ih = i / w % h, iw = i % w;
        const real* plane = grad_output + i / ((int64)h * w) * out_h * out_w;
        wide sum = 0;
        for (int64 oh = first_oh[ih]; oh < last_oh[ih]; ++oh) {
            for (int64 ow = first_ow[iw]; ow < last_ow[iw]; ++ow) {
                const wide grad = plane[oh * out_w + ow], upper = grad * top_weight[oh], lower = grad * bottom_weight[oh];
                if (top[oh] == ih && left[ow] == iw) sum += upper * left_weight[ow];
                if (top[oh] == ih && right[ow] == iw) sum += upper * right_weight[ow];
                if (bottom[oh] == ih && left[ow] == iw) sum += lower * left_weight[ow];
                if (bottom[oh] == ih && right[ow] == iw) sum += lower * right_weight[ow];
            }
        }
        grad_input[i] = sum;
    }
}
