// What the gate of the compilers must refuse: 96 numbers are alive at once, in blocks of which two must have room.

RS_KERNEL __launch_bounds__(1024, 2) spilled_on_trial(const real* x, real* out, int64 n) {
    real held[96];
#pragma unroll
    for (int i = 0; i < 96; ++i) held[i] = x[i * n + threadIdx.x];
    __syncthreads();
#pragma unroll
    for (int i = 0; i < 96; ++i) out[i * n + threadIdx.x] = held[i] * held[95 - i];
}
