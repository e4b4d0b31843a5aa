// The words of tensor_cores.cuh, one at a time.
#include "tensor_cores.cuh"

RS_KERNEL to_tf32s(const float* x, float* out, int64 count) {
    RS_FOR_EACH(i, count) out[i] = of_bits(to_tf32(x[i]));
}

RS_KERNEL splits(const float* x, float* hi, float* lo, int64 count) {
    RS_FOR_EACH(i, count) {
        unsigned high, low;
        split(x[i], high, low);
        hi[i] = of_bits(high);
        lo[i] = of_bits(low);
    }
}

// Every thread's fragments as it holds them: 4 numbers of left and of the sums, 2 of right. Left is doubled from time to time.
RS_KERNEL fragments(const float* left, const float* right, float* sums, int times) {
    LeftFragment a;
    RightFragment b;
    float c[4];
    for (int i = 0; i < 4; ++i) a.at[i] = bits_of(left[threadIdx.x * 4 + i]);
    for (int i = 0; i < 2; ++i) b.at[i] = bits_of(right[threadIdx.x * 2 + i]);
    for (int i = 0; i < 4; ++i) c[i] = sums[threadIdx.x * 4 + i];
    for (int n = 0; n < times; ++n) {
        multiply_fragments(a, b, c);
        for (int i = 0; i < 4; ++i) a.at[i] = bits_of(2 * of_bits(a.at[i]));
    }
    for (int i = 0; i < 4; ++i) sums[threadIdx.x * 4 + i] = c[i];
}

RS_KERNEL one_stays_away(float* out) {
    float sums[4] = {0, 0, 0, 0};
    if (threadIdx.x != 5) multiply_fragments(LeftFragment(), RightFragment(), sums);
    else __syncthreads();
    out[threadIdx.x] = sums[0];
}
