// Layer normalisation: rows are those of group normalisation with one number a channel (group_norm.cu); here are the sums over
// columns. A thread adds up one column of one part of the rows, in order: neighbours read neighbouring numbers.

RS_KERNEL layer_norm_backward_columns(const real* grad_output, const real* x, const wide* mean, const wide* inv_std, wide* sums,
                                      wide* moments, int64 rows, int64 length, int64 parts) {
    RS_FOR_EACH(at, parts * length) {
        const int64 i = at % length, each = (rows + parts - 1) / parts, first = at / length * each;
        const int64 last = min(first + each, rows);
        wide sum = 0, moment = 0;
        for (int64 row = first; row < last; ++row) {
            const real gradient = grad_output[row * length + i];
            moment += gradient * ((x[row * length + i] - mean[row]) * inv_std[row]);
            sum += gradient;
        }
        sums[at] = sum;
        moments[at] = moment;
    }
}

RS_KERNEL layer_norm_backward_affine(const wide* sums, const wide* moments, real* grad_weight, real* grad_bias, int64 length,
                                     int64 parts) {
    RS_FOR_EACH(i, length) {
        wide sum = 0, moment = 0;
        for (int64 part = 0; part < parts; ++part) {
            sum += sums[part * length + i];
            moment += moments[part * length + i];
        }
        grad_bias[i] = sum;
        grad_weight[i] = moment;
    }
}
