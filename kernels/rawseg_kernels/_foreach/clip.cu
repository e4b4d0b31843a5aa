// The common norm of many arrays, and their scaling by it, without a number on the host; one column, the gradients. Compiled with
// NORM, which is 0 for the largest element, 1 and 2 for those norms, and 3 for any other p.
// per element: 1 read, 4 bytes; then 1 read and 1 write, if the norm is too large
#include "blocks.cuh"
#include "chunks.cuh"

// Add, or take the larger one; NaN stays.
__device__ inline wide joined(wide one, wide other) {
    if (NORM != 0) return one + other;
    return other > one || is_nan(other) ? other : one;
}

__device__ inline wide powered(wide size, wide p) {
    if (NORM == 2) return size * size;
    if (NORM == 3) return pow(size, p);
    return size;
}

// `block_sum`, for the largest element, too.
__device__ inline wide block_joined(wide value, wide* shared) {
    if (NORM != 0) return block_sum(value, shared);
    shared[threadIdx.x] = value;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] = joined(shared[threadIdx.x], shared[threadIdx.x + half]);
        __syncthreads();
    }
    const wide all = shared[0];
    __syncthreads();
    return all;
}

RS_KERNEL clip_chunks(const int64* chunks, const int64* addresses, int64 count, int64 rows, wide* partial, wide p) {
    RS_DYNAMIC_SHARED(wide, shared);
    RS_FOR_EACH_CHUNK(c, count) {
        const Chunk chunk = chunk_at(chunks, c);
        const real* gradient = array_at(addresses, rows, 0, chunk.row);
        wide sum = 0;
        RS_FOR_EACH_OF(i, chunk) sum = joined(sum, powered(fabs((wide)gradient[i]), p));
        sum = block_joined(sum, shared);
        if (threadIdx.x == 0) partial[c] = sum;
    }
}

// One block: the norm, and the factor that brings it down to the largest one allowed.
RS_KERNEL clip_factor(const wide* partial, wide* norm, wide* factor, int64 count, wide p, wide max_norm) {
    RS_DYNAMIC_SHARED(wide, shared);
    wide sum = 0;
    for (int64 c = threadIdx.x; c < count; c += blockDim.x) sum = joined(sum, partial[c]);
    sum = block_joined(sum, shared);
    if (threadIdx.x != 0) return;
    const wide root = NORM == 2 ? sqrt(sum) : NORM == 3 ? pow(sum, 1 / p) : sum;
    const wide wanted = max_norm / (root + 1e-6);
    *norm = root;
    *factor = wanted > 1 ? 1 : wanted;  // NaN stays
}

RS_KERNEL clip_scale(const int64* chunks, const int64* addresses, int64 count, int64 rows, const wide* factor) {
    if (*factor == 1) return;
    const real share = *factor;
    RS_FOR_EACH_CHUNK(c, count) {
        const Chunk chunk = chunk_at(chunks, c);
        real* gradient = array_at(addresses, rows, 0, chunk.row);
        RS_FOR_EACH_OF(i, chunk) gradient[i] *= share;
    }
}

RS_KERNEL clip_limit(const int64* chunks, const int64* addresses, int64 count, int64 rows, real largest) {
    RS_FOR_EACH_CHUNK(c, count) {
        const Chunk chunk = chunk_at(chunks, c);
        real* gradient = array_at(addresses, rows, 0, chunk.row);
        RS_FOR_EACH_OF(i, chunk) {
            const real value = gradient[i];
            gradient[i] = value > largest ? largest : value < -largest ? -largest : value;
        }
    }
}
