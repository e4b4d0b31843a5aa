// Adam, AMSGrad and AdamW for all parameters at once: columns gradient, x, m, v, and the largest v if it is kept.
// per element: 4 reads and 3 writes, 4 bytes each; 5 and 4 with the largest v
#include "chunks.cuh"
#include "descent.cuh"

RS_KERNEL adam_update(const int64* chunks, const int64* addresses, int64 count, int64 rows, real rate, real root, real beta1,
                      real share1, real beta2, real share2, real eps, real shrink, bool shrinks, real weight_decay, bool decays,
                      bool amsgrad, bool maximize) {
    RS_FOR_EACH_CHUNK(c, count) {
        const Chunk chunk = chunk_at(chunks, c);
        const real* __restrict__ gradient = array_at(addresses, rows, 0, chunk.row);
        real* __restrict__ x = array_at(addresses, rows, 1, chunk.row);
        real* __restrict__ m = array_at(addresses, rows, 2, chunk.row);
        real* __restrict__ v = array_at(addresses, rows, 3, chunk.row);
        real* __restrict__ largest = amsgrad ? array_at(addresses, rows, 4, chunk.row) : nullptr;
        RS_FOR_EACH_OF(i, chunk) {
            const real weight = shrinks ? x[i] * shrink : x[i];
            const real g = direction(gradient[i], weight, maximize, decays, weight_decay);
            const real first = m[i] * beta1 + g * share1;
            real second = v[i] * beta2 + g * g * share2;
            m[i] = first;
            v[i] = second;
            if (amsgrad) {
                if (!is_nan(second) && !(largest[i] < second)) second = largest[i];  // NaN stays, in either
                largest[i] = second;
            }
            const real deviation = sqrt(second);
            x[i] = weight - first / (deviation / root + eps) * rate;
        }
    }
}
