// Frames: a thread an element of the output, which the tables lead to its source. Backward gathers: a thread an element of the
// input adds up those that were copied from it, in row-major order.

// Where an output element comes from, in a stack of planes of h x w; -1 for the constant.
__device__ inline int64 source(int64 i, const int64* rows, const int64* columns, int64 h, int64 w, int64 out_h, int64 out_w) {
    const int64 plane = i / (out_h * out_w), ih = rows[i / out_w % out_h], iw = columns[i % out_w];
    return ih < 0 || iw < 0 ? -1 : (plane * h + ih) * w + iw;
}

RS_KERNEL pad_forward(const real* x, real* out, const int64* rows, const int64* columns, real fill, int64 count, int64 h,
                      int64 w, int64 out_h, int64 out_w) {
    RS_FOR_EACH(i, count) {
        const int64 from = source(i, rows, columns, h, w, out_h, out_w);
        out[i] = from < 0 ? fill : x[from];
    }
}

// The same for elements of any other type, each of `width` bytes, as `fill` is.
RS_KERNEL pad_forward_bytes(const uint8* x, uint8* out, const int64* rows, const int64* columns, const uint8* fill, int width,
                            int64 count, int64 h, int64 w, int64 out_h, int64 out_w) {
    RS_FOR_EACH(i, count) {
        const int64 from = source(i, rows, columns, h, w, out_h, out_w);
        for (int byte = 0; byte < width; ++byte) out[i * width + byte] = from < 0 ? fill[byte] : x[from * width + byte];
    }
}

// Row ih went to the rows row_outputs[row_starts[ih]] up to row_outputs[row_starts[ih + 1]]; columns likewise.
RS_KERNEL pad_backward(const real* grad_output, real* grad_input, const int64* row_starts, const int64* row_outputs,
                       const int64* column_starts, const int64* column_outputs, int64 count, int64 h, int64 w, int64 out_h,
                       int64 out_w) {
    RS_FOR_EACH(i, count) {
        const int64 ih = i / w % h, iw = i % w;
        const real* plane = grad_output + i / (h * w) * out_h * out_w;
        wide total = 0;
        for (int64 r = row_starts[ih]; r < row_starts[ih + 1]; ++r)
            for (int64 c = column_starts[iw]; c < column_starts[iw + 1]; ++c)
                total += plane[row_outputs[r] * out_w + column_outputs[c]];
        grad_input[i] = total;
    }
}
