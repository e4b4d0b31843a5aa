// Masks pasted into images: a thread a pixel of an image, in the dtype of the masks; outside its box it is 0.
// per pixel: 1 write of 4 bytes; masks and tables come from the cache

RS_KERNEL paste_masks_forward(const real* masks, const int64* row_inside, const int64* top, const int64* bottom,
                              const real* top_weight, const real* bottom_weight, const int64* column_inside, const int64* left,
                              const int64* right, const real* left_weight, const real* right_weight, real* out, int64 size,
                              int64 cells, int64 h, int64 w) {
    RS_FOR_EACH(i, size) {
        const int64 k = i / w / h, oh = i / w % h, ow = i % w;
        const bool in_rows = oh >= row_inside[2 * k] && oh < row_inside[2 * k + 1];
        const bool in_columns = ow >= column_inside[2 * k] && ow < column_inside[2 * k + 1];
        if (!in_rows || !in_columns) {
            out[i] = 0;
            continue;
        }
        const int64 row = k * h + oh, column = k * w + ow;
        const real *above = masks + (k * cells + top[row]) * cells, *below = masks + (k * cells + bottom[row]) * cells;
        const real upper = left_weight[column] * above[left[column]] + right_weight[column] * above[right[column]];
        const real lower = left_weight[column] * below[left[column]] + right_weight[column] * below[right[column]];
        out[i] = top_weight[row] * upper + bottom_weight[row] * lower;
    }
}
