// Mean and deviation of groups of numbers, in two passes as the loops have them, each in parts that blocks add up. Parts and
// blocks follow from the shape alone, so that sums have the same bits on every GPU.
// per number: 2 reads, 4 bytes each; the second comes from the cache, if the array fits into it
#include "blocks.cuh"

RS_KERNEL moments_sums(const real* x, wide* partial, int64 groups, int parts, int64 count, int64 length, int64 stride,
                       int64 step) {
    RS_DYNAMIC_SHARED(wide, shared);
    for (int64 block = blockIdx.x; block < groups * parts; block += gridDim.x) {
        const int64 group = block / parts, each = (count + parts - 1) / parts, first = block % parts * each;
        const int64 last = min(first + each, count);
        wide sum = 0;
        Walk at = walk_from(first, length);
        for (int64 e = first + threadIdx.x; e < last; e += blockDim.x, go_on(at))
            sum += x[group * step + at.piece * stride + at.i];
        sum = block_sum(sum, shared);
        if (threadIdx.x == 0) partial[block] = sum;
    }
}

RS_KERNEL moments_squares(const real* x, const wide* mean, wide* partial, int64 groups, int parts, int64 count, int64 length,
                          int64 stride, int64 step) {
    RS_DYNAMIC_SHARED(wide, shared);
    for (int64 block = blockIdx.x; block < groups * parts; block += gridDim.x) {
        const int64 group = block / parts, each = (count + parts - 1) / parts, first = block % parts * each;
        const int64 last = min(first + each, count);
        wide sum = 0;
        Walk at = walk_from(first, length);
        for (int64 e = first + threadIdx.x; e < last; e += blockDim.x, go_on(at)) {
            const wide distance = x[group * step + at.piece * stride + at.i] - mean[group];
            sum += distance * distance;
        }
        sum = block_sum(sum, shared);
        if (threadIdx.x == 0) partial[block] = sum;
    }
}

// The parts of a group, in order.
__device__ inline wide sum_of_parts(const wide* partial, int64 group, int parts) {
    wide sum = 0;
    for (int part = 0; part < parts; ++part) sum += partial[group * parts + part];
    return sum;
}

RS_KERNEL moments_mean(const wide* partial, wide* mean, int64 groups, int parts, int64 count) {
    RS_FOR_EACH(j, groups) mean[j] = sum_of_parts(partial, j, parts) / max(count, (int64)1);
}

RS_KERNEL moments_deviation(const wide* partial, wide* inv_std, wide* variance, int64 groups, int parts, int64 count,
                            wide eps) {
    RS_FOR_EACH(j, groups) {
        variance[j] = sum_of_parts(partial, j, parts) / max(count, (int64)1);
        inv_std[j] = 1 / sqrt(variance[j] + eps);
    }
}

RS_KERNEL moments_totals(const wide* partial, wide* total, int64 groups, int parts) {
    RS_FOR_EACH(j, groups) total[j] = sum_of_parts(partial, j, parts);
}
