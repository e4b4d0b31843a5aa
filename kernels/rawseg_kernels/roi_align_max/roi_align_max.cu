// The largest sample of every bin, and, with the choice fixed, the sums that its derivatives are: a thread an output. Backward
// gathers: a thread a pixel of a map goes over the boxes on it, in their order, and over those bins that may have chosen a
// sample which reads it. Tables of samples as in roi_align.cu; sample `at` of a bin is (at / grid_w, at % grid_w).
#include "samples.cuh"

RS_KERNEL roi_align_max_forward(const real* x, const int64* batch, const int64* row_starts, const int64* row_counts,
                                const int64* row_low, const int64* row_high, const int64* column_starts,
                                const int64* column_counts, const int64* column_low, const int64* column_high,
                                const real* row_weights, const real* column_weights, real* out, int64* chosen, int64 size,
                                int64 c, int64 h, int64 w, int64 out_h, int64 out_w, int64 rows, int64 columns) {
    RS_FOR_EACH(i, size) {
        const int64 pw = i % out_w, ph = i / out_w % out_h, channel = i / out_w / out_h % c, k = i / out_w / out_h / c;
        const int64 grid_h = row_counts[k], grid_w = column_counts[k];
        const real* plane = x + (batch[k] * c + channel) * h * w;
        wide best = 0;
        int64 at = -1;
        for (int64 iy = 0; iy < grid_h; ++iy) {
            const int64 row = row_starts[k] + ph * grid_h + iy;
            const wide hy = row_weights[row], ly = row_weights[rows + row];
            for (int64 ix = 0; ix < grid_w; ++ix) {
                const int64 column = column_starts[k] + pw * grid_w + ix;
                const wide hx = column_weights[column], lx = column_weights[columns + column];
                wide value = 0;  // of a sample outside the map, which takes part
                if (row_low[row] >= 0 && column_low[column] >= 0)
                    value = interpolated(plane, w, row_low[row], row_high[row], column_low[column], column_high[column], hy, ly,
                                         hx, lx);
                if (at < 0 || value > best || is_nan(value)) {
                    best = value;
                    at = iy * grid_w + ix;
                }
            }
        }
        out[i] = best;
        chosen[i] = at;
    }
}

RS_KERNEL roi_align_max_gather(const real* x, const int64* chosen, const int64* batch, const int64* row_starts,
                               const int64* row_counts, const int64* row_low, const int64* row_high, const int64* column_starts,
                               const int64* column_counts, const int64* column_low, const int64* column_high,
                               const real* row_weights, const real* column_weights, real* out, int64 size, int64 c, int64 h,
                               int64 w, int64 out_h, int64 out_w, int64 rows, int64 columns) {
    RS_FOR_EACH(i, size) {
        const int64 pw = i % out_w, ph = i / out_w % out_h, channel = i / out_w / out_h % c, k = i / out_w / out_h / c;
        wide value = 0;
        if (chosen[i] >= 0) {
            const int64 row = row_starts[k] + ph * row_counts[k] + chosen[i] / column_counts[k];
            const int64 column = column_starts[k] + pw * column_counts[k] + chosen[i] % column_counts[k];
            if (row_low[row] >= 0 && column_low[column] >= 0)
                value = interpolated(x + (batch[k] * c + channel) * h * w, w, row_low[row], row_high[row], column_low[column],
                                     column_high[column], row_weights[row], row_weights[rows + row], column_weights[column],
                                     column_weights[columns + column]);
        }
        out[i] = value;
    }
}

RS_KERNEL roi_align_max_backward_input(const real* grad_output, const int64* chosen, const int64* boxes, const int64* first_box,
                                       const int64* row_starts, const int64* row_counts, const int64* row_low,
                                       const int64* row_high, const int64* column_starts, const int64* column_counts,
                                       const int64* column_low, const int64* column_high, const real* row_weights,
                                       const real* column_weights, const int64* first_row, const int64* last_row,
                                       const int64* first_column, const int64* last_column, real* grad_input, int64 size,
                                       int64 c, int64 h, int64 w, int64 out_h, int64 out_w, int64 rows, int64 columns) {
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
                    const int64 bin = ((k * c + channel) * out_h + ph) * out_w + pw, at = chosen[bin];
                    if (at < 0) continue;
                    const int64 row = row_starts[k] + ph * grid_h + at / grid_w;
                    const int64 column = column_starts[k] + pw * grid_w + at % grid_w;
                    for (int side = 0; side < 4; ++side) {  // of the row, then of the column
                        if ((side / 2 ? row_high[row] : row_low[row]) != y) continue;
                        if ((side % 2 ? column_high[column] : column_low[column]) != z) continue;
                        const wide share = (wide)grad_output[bin] * row_weights[side / 2 * rows + row];
                        total += share * column_weights[side % 2 * columns + column];
                    }
                }
            }
        }
        grad_input[i] = total;
    }
}

// A thread a side of a row sample: what the columns of the chosen samples made of its row.
RS_KERNEL roi_align_max_backward_rows(const real* grad_output, const real* x, const int64* chosen, const int64* batch,
                                      const int64* box_of_row, const int64* row_starts, const int64* row_counts,
                                      const int64* row_low, const int64* row_high, const int64* column_starts,
                                      const int64* column_counts, const int64* column_low, const int64* column_high,
                                      const real* column_weights, real* grad_weights, int64 c, int64 h, int64 w, int64 out_h,
                                      int64 out_w, int64 rows, int64 columns) {
    RS_FOR_EACH(i, 2 * rows) {
        const int64 row = i % rows, k = box_of_row[row], grid_h = row_counts[k], grid_w = column_counts[k];
        const int64 ph = (row - row_starts[k]) / grid_h, iy = (row - row_starts[k]) % grid_h;
        const int64 y = i < rows ? row_low[row] : row_high[row];
        wide total = 0;
        for (int64 channel = 0; y >= 0 && channel < c; ++channel) {
            const real* line = x + ((batch[k] * c + channel) * h + y) * w;
            for (int64 pw = 0; pw < out_w; ++pw) {
                const int64 bin = ((k * c + channel) * out_h + ph) * out_w + pw, at = chosen[bin];
                if (at < 0 || at / grid_w != iy) continue;
                const int64 column = column_starts[k] + pw * grid_w + at % grid_w;
                if (column_low[column] < 0) continue;
                const wide hx = column_weights[column], lx = column_weights[columns + column];
                total += (wide)grad_output[bin] * (hx * line[column_low[column]] + lx * line[column_high[column]]);
            }
        }
        grad_weights[i] = total;
    }
}

// The same for the sides of the column samples, over the rows.
RS_KERNEL roi_align_max_backward_columns(const real* grad_output, const real* x, const int64* chosen, const int64* batch,
                                         const int64* box_of_column, const int64* row_starts, const int64* row_counts,
                                         const int64* row_low, const int64* row_high, const int64* column_starts,
                                         const int64* column_counts, const int64* column_low, const int64* column_high,
                                         const real* row_weights, real* grad_weights, int64 c, int64 h, int64 w, int64 out_h,
                                         int64 out_w, int64 rows, int64 columns) {
    RS_FOR_EACH(i, 2 * columns) {
        const int64 column = i % columns, k = box_of_column[column], grid_h = row_counts[k], grid_w = column_counts[k];
        const int64 pw = (column - column_starts[k]) / grid_w, ix = (column - column_starts[k]) % grid_w;
        const int64 z = i < columns ? column_low[column] : column_high[column];
        wide total = 0;
        for (int64 channel = 0; z >= 0 && channel < c; ++channel) {
            const real* plane = x + (batch[k] * c + channel) * h * w;
            for (int64 ph = 0; ph < out_h; ++ph) {
                const int64 bin = ((k * c + channel) * out_h + ph) * out_w + pw, at = chosen[bin];
                if (at < 0 || at % grid_w != ix) continue;
                const int64 row = row_starts[k] + ph * grid_h + at / grid_w;
                if (row_low[row] < 0) continue;
                const wide hy = row_weights[row], ly = row_weights[rows + row];
                total += (wide)grad_output[bin] * (hy * plane[row_low[row] * w + z] + ly * plane[row_high[row] * w + z]);
            }
        }
        grad_weights[i] = total;
    }
}
