// Kernels that prove the emulator: right ones, and one for every mistake that it must see.
#include "blocks.cuh"

RS_KERNEL counted(real* out, int64 count) {
    RS_FOR_EACH(i, count) out[i] += 1;
}

RS_KERNEL row_sums(const real* x, real* out, int length) {
    RS_DYNAMIC_SHARED(real, parts);
    real sum = 0;
    for (int i = threadIdx.x; i < length; i += blockDim.x) sum += x[(int64)blockIdx.x * length + i];
    parts[threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (int i = 1; i < (int)blockDim.x; ++i) sum += parts[i];
    out[blockIdx.x] = sum;
}

RS_KERNEL warp_sums(const real* x, real* out, int length) {
    real sum = 0;
    for (int i = threadIdx.x; i < length; i += 32) sum += x[(int64)blockIdx.x * length + i];
    for (int distance = 16; distance > 0; distance /= 2) sum += __shfl_down_sync(0xffffffff, sum, distance);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

RS_KERNEL ballots(int64* out) {
    out[threadIdx.x] = __ballot_sync(0xffffffff, threadIdx.x % 2 == 0);
}

RS_KERNEL unwritten(float* out) {
    __shared__ float seen[32];
    if (threadIdx.x > 32) seen[0] = 1;
    __syncthreads();
    out[threadIdx.x] = seen[threadIdx.x];
}

RS_KERNEL some_leave(float* out) {
    if (threadIdx.x > 40) return;
    __syncthreads();
    out[0] = 1;
}

RS_KERNEL two_places(float* out) {
    if (threadIdx.x % 2) {
        __syncthreads();
        out[0] = 1;
    } else {
        __syncthreads();
        out[0] = 2;
    }
}

RS_KERNEL half_a_warp(float* out) {
    if (threadIdx.x < 16) out[0] = __shfl_sync(0xffffffff, 1.0f, 0);
    else __syncthreads();
}

RS_KERNEL not_in_the_mask(float* out) {
    out[threadIdx.x] = __shfl_sync(0x0000ffff, 1.0f, 0);
}

RS_KERNEL asks_outside_the_mask(float* out) {
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0x0000ffff, 1.0f, 20);
}

RS_KERNEL race(float* out) {
    __shared__ float row[64];
    row[threadIdx.x] = threadIdx.x;
    out[threadIdx.x] = row[63 - threadIdx.x];  // who comes before its writer reads what was there
}

RS_KERNEL reads_outside(float* out) {
    out[threadIdx.x] = out[threadIdx.x + 33];
}

RS_KERNEL reads_outside_shared(float* out) {
    __shared__ float row[16];
    row[threadIdx.x % 16] = 1;
    out[threadIdx.x] = row[threadIdx.x];
}

RS_KERNEL reads_outside_dynamic_shared(float* out) {
    RS_DYNAMIC_SHARED(float, row);
    row[threadIdx.x] = 1;
    out[threadIdx.x] = row[threadIdx.x + 1];
}

RS_KERNEL overflows(float* out) {
    int large = 2147483600 + threadIdx.x;
    out[threadIdx.x] = large + 20;
}

RS_KERNEL stays_inside(float* out) {
    RS_DYNAMIC_SHARED(float, row);
    row[threadIdx.x] = threadIdx.x;
    __syncthreads();
    out[threadIdx.x] = row[31 - threadIdx.x];
}

// Every thread uses two sums, one after the other.
RS_KERNEL block_sums(const real* x, real* out) {
    RS_DYNAMIC_SHARED(wide, shared);
    const wide once = block_sum(x[threadIdx.x], shared), twice = block_sum(2 * x[threadIdx.x], shared);
    out[threadIdx.x] = once + 10 * twice;
}

// The piece and the place of every number that a thread walks over.
RS_KERNEL walked(int64* out, int64 first, int64 count, int64 length) {
    Walk at = walk_from(first, length);
    for (int64 e = first + threadIdx.x; e < count; e += blockDim.x, go_on(at)) out[e] = at.piece * 1000 + at.i;
}
