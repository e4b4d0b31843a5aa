// The mean of the samples of every bin: a thread an output. Backward gathers: a thread a pixel of a map goes over the boxes on
// it, in their order, and over those of their samples that read it, so that nobody writes where somebody else does.
//
// Samples of an axis stand box after box from starts[k], `counts[k]` to a bin; they read the pixels `low` and `high`, or none
// (-1). Weights have two rows, of `rows` or `columns` samples: those of the low pixels, then those of the high ones.
#include "samples.cuh"

RS_KERNEL roi_align_forward(const real* x, const int64* batch, const int64* row_starts, const int64* row_counts,
                            const int64* row_low, const int64* row_high, const int64* column_starts, const int64* column_counts,
                            const int64* column_low, const int64* column_high, const real* row_weights,
                            const real* column_weights, real* out, int64 size, int64 c, int64 h, int64 w, int64 out_h,
                            int64 out_w, int64 rows, int64 columns) {
    RS_FOR_EACH(i, size) {
        const int64 pw = i % out_w, ph = i / out_w % out_h, channel = i / out_w / out_h % c, k = i / out_w / out_h / c;
        const int64 grid_h = row_counts[k], grid_w = column_counts[k];
        const real* plane = x + (batch[k] * c + channel) * h * w;
        wide total = 0;
        for (int64 row = row_starts[k] + ph * grid_h, below = row + grid_h; row < below; ++row) {
            const wide hy = row_weights[row], ly = row_weights[rows + row];
            for (int64 column = column_starts[k] + pw * grid_w, right = column + grid_w; column < right; ++column) {
                if (row_low[row] < 0 || column_low[column] < 0) continue;
                total += interpolated(plane, w, row_low[row], row_high[row], column_low[column], column_high[column], hy, ly,
                                      column_weights[column], column_weights[columns + column]);
            }
        }
        out[i] = total / max(grid_h * grid_w, (int64)1);
    }
}

// For every box and every pixel of an axis: the first of the box's samples that read it, and the one after the last.
RS_KERNEL roi_align_readers(const int64* starts, const int64* low, const int64* high, int64* first, int64* last, int64 count,
                            int64 size) {
    RS_FOR_EACH(at, count) {
        const int64 k = at / size, pixel = at % size;
        int64 begin = 0, end = 0;
        for (int64 i = starts[k]; i < starts[k + 1]; ++i) {
            if (low[i] != pixel && high[i] != pixel) continue;
            if (end == 0) begin = i - starts[k];
            end = i - starts[k] + 1;
        }
        first[at] = begin;
        last[at] = end;
    }
}

RS_KERNEL roi_align_backward_input(const real* grad_output, const int64* boxes, const int64* first_box, const int64* row_starts,
                                   const int64* row_counts, const int64* row_low, const int64* row_high,
                                   const int64* column_starts, const int64* column_counts, const int64* column_low,
                                   const int64* column_high, const real* row_weights, const real* column_weights,
                                   const int64* first_row, const int64* last_row, const int64* first_column,
                                   const int64* last_column, real* grad_input, int64 size, int64 c, int64 h, int64 w,
                                   int64 out_h, int64 out_w, int64 rows, int64 columns) {
    RS_FOR_EACH(i, size) {
        const int64 z = i % w, y = i / w % h, channel = i / w / h % c, b = i / w / h / c;
        wide total = 0;
        for (int64 box = first_box[b]; box < first_box[b + 1]; ++box) {
            const int64 k = boxes[box], grid_h = row_counts[k], grid_w = column_counts[k];
            const int64 top = first_row[k * h + y], bottom = last_row[k * h + y];
            const int64 left = first_column[k * w + z], right = last_column[k * w + z];
            if (top == bottom || left == right) continue;
            for (int64 ph = top / grid_h; ph * grid_h < bottom; ++ph) {
                for (int64 pw = left / grid_w; pw * grid_w < right; ++pw) {
                    const real gradient = grad_output[((k * c + channel) * out_h + ph) * out_w + pw];
                    const wide share = (wide)gradient / max(grid_h * grid_w, (int64)1);
                    for (int64 iy = max(top, ph * grid_h); iy < min(bottom, (ph + 1) * grid_h); ++iy) {
                        for (int64 ix = max(left, pw * grid_w); ix < min(right, (pw + 1) * grid_w); ++ix) {
                            const int64 row = row_starts[k] + iy, column = column_starts[k] + ix;
                            for (int side = 0; side < 4; ++side) {  // of the row, then of the column
                                if ((side / 2 ? row_high[row] : row_low[row]) != y) continue;
                                if ((side % 2 ? column_high[column] : column_low[column]) != z) continue;
                                const wide weighted = share * row_weights[side / 2 * rows + row];
                                total += weighted * column_weights[side % 2 * columns + column];
                            }
                        }
                    }
                }
            }
        }
        grad_input[i] = total;
    }
}

// A thread a side of a row sample: the bins' shares of what the columns made of its row.
RS_KERNEL roi_align_backward_rows(const real* grad_output, const real* x, const int64* batch, const int64* box_of_row,
                                  const int64* row_starts, const int64* row_counts, const int64* row_low, const int64* row_high,
                                  const int64* column_starts, const int64* column_counts, const int64* column_low,
                                  const int64* column_high, const real* column_weights, real* grad_weights, int64 c, int64 h,
                                  int64 w, int64 out_h, int64 out_w, int64 rows, int64 columns) {
    RS_FOR_EACH(i, 2 * rows) {
        const int64 row = i % rows, k = box_of_row[row], grid_h = row_counts[k], grid_w = column_counts[k];
        const int64 ph = (row - row_starts[k]) / grid_h, y = i < rows ? row_low[row] : row_high[row];
        wide total = 0;
        for (int64 channel = 0; y >= 0 && channel < c; ++channel) {
            const real* line = x + ((batch[k] * c + channel) * h + y) * w;
            for (int64 pw = 0; pw < out_w; ++pw) {
                const real gradient = grad_output[((k * c + channel) * out_h + ph) * out_w + pw];
                const wide share = (wide)gradient / max(grid_h * grid_w, (int64)1);
                for (int64 column = column_starts[k] + pw * grid_w, right = column + grid_w; column < right; ++column) {
                    if (column_low[column] < 0) continue;
                    const wide hx = column_weights[column], lx = column_weights[columns + column];
                    total += share * (hx * line[column_low[column]] + lx * line[column_high[column]]);
                }
            }
        }
        grad_weights[i] = total;
    }
}

// The same for the sides of the column samples, over the rows.
RS_KERNEL roi_align_backward_columns(const real* grad_output, const real* x, const int64* batch, const int64* box_of_column,
                                     const int64* row_starts, const int64* row_counts, const int64* row_low,
                                     const int64* row_high, const int64* column_starts, const int64* column_counts,
                                     const int64* column_low, const int64* column_high, const real* row_weights,
                                     real* grad_weights, int64 c, int64 h, int64 w, int64 out_h, int64 out_w, int64 rows,
                                     int64 columns) {
    RS_FOR_EACH(i, 2 * columns) {
        const int64 column = i % columns, k = box_of_column[column], grid_h = row_counts[k], grid_w = column_counts[k];
        const int64 pw = (column - column_starts[k]) / grid_w, z = i < columns ? column_low[column] : column_high[column];
        wide total = 0;
        for (int64 channel = 0; z >= 0 && channel < c; ++channel) {
            const real* plane = x + (batch[k] * c + channel) * h * w;
            for (int64 ph = 0; ph < out_h; ++ph) {
                const real gradient = grad_output[((k * c + channel) * out_h + ph) * out_w + pw];
                const wide share = (wide)gradient / max(grid_h * grid_w, (int64)1);
                for (int64 row = row_starts[k] + ph * grid_h, below = row + grid_h; row < below; ++row) {
                    if (row_low[row] < 0) continue;
                    const wide hy = row_weights[row], ly = row_weights[rows + row];
                    total += share * (hy * plane[row_low[row] * w + z] + ly * plane[row_high[row] * w + z]);
                }
            }
        }
        grad_weights[i] = total;
    }
}
