// Group normalisation: x is (rows, S, L), a row is a group, S its channels, L the pixels. Sums are made of parts, a block each;
// the rest is a thread an element. Layer normalisation is this with L = 1: as many channels as a row has numbers.
// per element: forward 3 reads and 1 write, backward 6 reads and 1 write, 4 bytes each
#include "blocks.cuh"

RS_KERNEL group_norm_forward(const real* x, const real* weight, const real* bias, const wide* mean, const wide* inv_std,
                             real* out, int64 size, int64 segments, int64 length, int64 channels) {
    RS_FOR_EACH(i, size) {
        const int64 segment = i / length, row = segment / segments, k = segment % channels;
        out[i] = (x[i] - mean[row]) * inv_std[row] * weight[k] + bias[k];
    }
}

// Sums over a row's parts: of weighted gradients, and of those times the normalised x.
RS_KERNEL group_norm_backward_rows(const real* grad_output, const real* x, const real* weight, const wide* mean,
                                   const wide* inv_std, wide* sums, wide* moments, int64 segments, int64 channels, int64 rows,
                                   int parts, int64 count, int64 length, int64 stride, int64 step) {
    RS_DYNAMIC_SHARED(wide, shared);
    for (int64 block = blockIdx.x; block < rows * parts; block += gridDim.x) {
        const int64 row = block / parts, each = (count + parts - 1) / parts, first = block % parts * each;
        const int64 last = min(first + each, count);
        const int64 first_channel = row * segments % channels;
        wide sum = 0, moment = 0;
        Walk at = walk_from(first, length);
        for (int64 e = first + threadIdx.x; e < last; e += blockDim.x, go_on(at)) {
            const int64 i = row * step + at.piece * stride + at.i;
            const wide weighted = (wide)grad_output[i] * weight[first_channel + at.piece];
            sum += weighted;
            moment += weighted * ((x[i] - mean[row]) * inv_std[row]);
        }
        sum = block_sum(sum, shared);
        moment = block_sum(moment, shared);
        if (threadIdx.x == 0) {
            sums[block] = sum;
            moments[block] = moment;
        }
    }
}

// Sums over a channel's parts, image after image: of the gradients, and of their products with the normalised x.
RS_KERNEL group_norm_backward_channels(const real* grad_output, const real* x, const wide* mean, const wide* inv_std,
                                       wide* sums, wide* moments, int64 segments, int64 channels, int parts, int64 count,
                                       int64 length, int64 stride, int64 step) {
    RS_DYNAMIC_SHARED(wide, shared);
    for (int64 block = blockIdx.x; block < channels * parts; block += gridDim.x) {
        const int64 k = block / parts, each = (count + parts - 1) / parts, first = block % parts * each;
        const int64 last = min(first + each, count), groups = channels / segments;
        wide sum = 0, moment = 0;
        Walk at = walk_from(first, length);
        for (int64 e = first + threadIdx.x; e < last; e += blockDim.x, go_on(at)) {
            const int64 i = k * step + at.piece * stride + at.i, row = at.piece * groups + k / segments;
            sum += grad_output[i];
            moment += grad_output[i] * ((x[i] - mean[row]) * inv_std[row]);
        }
        sum = block_sum(sum, shared);
        moment = block_sum(moment, shared);
        if (threadIdx.x == 0) {
            sums[block] = sum;
            moments[block] = moment;
        }
    }
}

RS_KERNEL group_norm_backward_affine(const wide* sums, const wide* moments, real* grad_weight, real* grad_bias,
                                     int64 channels) {
    RS_FOR_EACH(k, channels) {
        grad_weight[k] = moments[k];
        grad_bias[k] = sums[k];
    }
}

RS_KERNEL group_norm_backward_input(const real* grad_output, const real* x, const real* weight, const wide* mean,
                                    const wide* inv_std, const wide* sums, const wide* moments, real* grad_input, int64 size,
                                    int64 segments, int64 length, int64 channels) {
    RS_FOR_EACH(i, size) {
        const int64 segment = i / length, row = segment / segments, k = segment % channels, count = segments * length;
        const wide z = (x[i] - mean[row]) * inv_std[row];
        grad_input[i] = inv_std[row] * ((wide)grad_output[i] * weight[k] - sums[row] / count - z * (moments[row] / count));
    }
}
