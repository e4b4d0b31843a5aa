// Stochastic gradient descent with momentum, for all parameters at once: columns gradient, x, and the buffer if one is kept.
// per element: 2 reads and 1 write, 4 bytes each; 3 and 2 with a buffer
#include "chunks.cuh"
#include "descent.cuh"

RS_KERNEL sgd_update(const int64* chunks, const int64* addresses, int64 count, int64 rows, real lr, real momentum, real share,
                     real weight_decay, bool decays, bool keeps, bool nesterov, bool maximize) {
    RS_FOR_EACH_CHUNK(c, count) {
        const Chunk chunk = chunk_at(chunks, c);
        const real* __restrict__ gradient = array_at(addresses, rows, 0, chunk.row);
        real* __restrict__ x = array_at(addresses, rows, 1, chunk.row);
        real* __restrict__ buffer = keeps ? array_at(addresses, rows, 2, chunk.row) : nullptr;
        RS_FOR_EACH_OF(i, chunk) {
            real g = direction(gradient[i], x[i], maximize, decays, weight_decay);
            if (keeps) {
                const real b = buffer[i] * momentum + g * share;
                buffer[i] = b;
                g = nesterov ? b * momentum + g : b;
            }
            x[i] -= g * lr;
        }
    }
}
