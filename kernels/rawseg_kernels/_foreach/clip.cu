// The common p-norm of many arrays, and their scaling by it, without a number on the host; one column, the gradients.
// per element: 1 read, 4 bytes; then 1 read and 1 write, if the norm is too large
#include "blocks.cuh"
#include "chunks.cuh"

// What an element adds to the norm to the power of p. Of the norm for p = infinity there are no sums, but the largest element.
__device__ inline wide powered(wide size, wide p) { return p == 2 ? size * size : p == 1 ? size : pow(size, p); }

__device__ inline wide larger(wide one, wide other) { return other > one || is_nan(other) ? other : one; }  // NaN stays

__device__ inline bool infinite(wide p) { return p - p != 0; }

// What the threads of a block found, joined as the norm wants it.
__device__ inline wide block_norm(wide value, wide p, wide* shared) {
    return infinite(p) ? block_joined(value, shared, larger) : block_sum(value, shared);
}

// A block a chunk: the sum of its powers, or its largest element, goes to partial (count,). `shared` has a number a thread.
RS_KERNEL clip_chunks(const int64* chunks, const int64* addresses, int64 count, int64 rows, wide* partial, wide p) {
    RS_DYNAMIC_SHARED(wide, shared);
    RS_FOR_EACH_CHUNK(c, count) {
        const Chunk chunk = chunk_at(chunks, c);
        const real* gradient = array_at(addresses, rows, 0, chunk.row);
        wide sum = 0;
        RS_FOR_EACH_OF(i, chunk) {
            const wide size = fabs((wide)gradient[i]);
            sum = infinite(p) ? larger(sum, size) : sum + powered(size, p);
        }
        sum = block_norm(sum, p, shared);
        if (threadIdx.x == 0) partial[c] = sum;
    }
}

// One block: the norm () of partial (count,), the chunks of all tables, and the factor () that brings it down to max_norm.
RS_KERNEL clip_factor(const wide* partial, wide* norm, wide* factor, int64 count, wide p, wide max_norm) {
    RS_DYNAMIC_SHARED(wide, shared);
    wide sum = 0;
    for (int64 c = threadIdx.x; c < count; c += blockDim.x) sum = infinite(p) ? larger(sum, partial[c]) : sum + partial[c];
    sum = block_norm(sum, p, shared);
    if (threadIdx.x != 0) return;
    *norm = infinite(p) || p == 1 ? sum : p == 2 ? sqrt(sum) : pow(sum, 1 / p);
    const wide wanted = max_norm / (*norm + 1e-6);
    *factor = wanted > 1 ? 1 : wanted;  // NaN stays
}

// Multiply all elements by the factor (), rounded to their type.
RS_KERNEL clip_scale(const int64* chunks, const int64* addresses, int64 count, int64 rows, const wide* factor) {
    if (*factor == 1) return;
    const real share = *factor;
    RS_FOR_EACH_CHUNK(c, count) {
        const Chunk chunk = chunk_at(chunks, c);
        real* gradient = array_at(addresses, rows, 0, chunk.row);
        RS_FOR_EACH_OF(i, chunk) gradient[i] *= share;
    }
}

// Bring all elements into [-largest, largest]; NaN stays.
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
