// Batch normalisation: x is (N, C, L). Sums over a channel are made of parts, a block each; the rest is a thread an element.
// per element: forward 3 reads and 1 write, backward 4 reads and 1 write, 4 bytes each
#include "blocks.cuh"

RS_KERNEL batch_norm_normalise(const real* x, const real* weight, const real* bias, const wide* mean, const wide* inv_std,
                               wide low, wide high, real* out, int64 size, int64 c, int64 length) {
    RS_FOR_EACH(i, size) {
        const int64 k = i / length % c;
        real value = (x[i] - mean[k]) * inv_std[k] * weight[k] + bias[k];
        if (value < low) value = low;
        else if (value > high) value = high;
        out[i] = value;
    }
}

// The gradient where the forward pass held its result between no bounds, else 0; a bound that is NaN holds nothing.
__device__ inline real passed(real gradient, real x, real weight, real bias, wide mean, wide inv_std, wide low, wide high) {
    const real out = (x - mean) * inv_std * weight + bias;
    return out <= low || out >= high ? (real)0 : gradient;
}

// Sums over a channel's parts: of the gradients, and of their products with the normalised x.
RS_KERNEL batch_norm_backward_sums(const real* grad_output, const real* x, const real* weight, const real* bias,
                                   const wide* mean, const wide* inv_std, wide low, wide high, wide* sums, wide* moments,
                                   int64 c, int parts, int64 count, int64 length, int64 stride, int64 step) {
    RS_DYNAMIC_SHARED(wide, shared);
    for (int64 block = blockIdx.x; block < c * parts; block += gridDim.x) {
        const int64 k = block / parts, each = (count + parts - 1) / parts, first = block % parts * each;
        const int64 last = min(first + each, count);
        wide sum = 0, moment = 0;
        Walk at = walk_from(first, length);
        for (int64 e = first + threadIdx.x; e < last; e += blockDim.x, go_on(at)) {
            const int64 i = k * step + at.piece * stride + at.i;
            const real gradient = passed(grad_output[i], x[i], weight[k], bias[k], mean[k], inv_std[k], low, high);
            sum += gradient;
            moment += gradient * ((x[i] - mean[k]) * inv_std[k]);
        }
        sum = block_sum(sum, shared);
        moment = block_sum(moment, shared);
        if (threadIdx.x == 0) {
            sums[block] = sum;
            moments[block] = moment;
        }
    }
}

// The gradients of bias and weight are the sums of a channel.
RS_KERNEL batch_norm_backward_affine(const wide* sums, const wide* moments, real* grad_weight, real* grad_bias, int64 c) {
    RS_FOR_EACH(k, c) {
        grad_bias[k] = sums[k];
        grad_weight[k] = moments[k];
    }
}

RS_KERNEL batch_norm_backward_train(const real* grad_output, const real* x, const real* weight, const real* bias,
                                    const wide* mean, const wide* inv_std, wide low, wide high, const wide* sums,
                                    const wide* moments, real* grad_input, int64 size, int64 count, int64 c, int64 length) {
    RS_FOR_EACH(i, size) {
        const int64 k = i / length % c;
        const real gradient = passed(grad_output[i], x[i], weight[k], bias[k], mean[k], inv_std[k], low, high);
        const wide normalised = (x[i] - mean[k]) * inv_std[k];
        const wide centred = gradient - sums[k] / count - normalised * (moments[k] / count);
        grad_input[i] = weight[k] * inv_std[k] * centred;
    }
}

RS_KERNEL batch_norm_backward_eval(const real* grad_output, const real* weight, const wide* inv_std, real* grad_input,
                                   int64 size, int64 c, int64 length) {
    RS_FOR_EACH(i, size) {
        const int64 k = i / length % c;
        grad_input[i] = grad_output[i] * (inv_std[k] * weight[k]);
    }
}
