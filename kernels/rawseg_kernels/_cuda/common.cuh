// The words that all kernels share. This text stands before every .cu file: NVRTC has no headers, and CuPy's cache of compiled
// kernels does not look into included files.

typedef RS_REAL real;  // float or double: every file is compiled for each
typedef double wide;   // in what sums are kept, to be rounded once
typedef long long int64;
typedef unsigned char uint8;

#define RS_KERNEL extern "C" __global__ void

// One thread an element; the grid goes on where it ends.
#define RS_FOR_EACH(i, count) \
    for (int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += (int64)gridDim.x * blockDim.x)

#ifndef RS_ON_CPU
#define RS_DYNAMIC_SHARED(type, name)                                  \
    extern __shared__ __align__(16) unsigned char rs_dynamic_shared[]; \
    type* name = reinterpret_cast<type*>(rs_dynamic_shared)
#endif

__device__ inline bool is_nan(float x) { return x != x; }
__device__ inline bool is_nan(double x) { return x != x; }

// The sum over the block, for all its threads: halves are added to halves, in an order that the size of the block alone fixes,
// a power of two. `shared` has room for a number of each thread.
__device__ inline wide block_sum(wide value, wide* shared) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] += shared[threadIdx.x + half];
        __syncthreads();
    }
    const wide sum = shared[0];
    __syncthreads();  // nobody writes the next value before all have read this sum
    return sum;
}

// The threads of a block walk over numbers that stand in pieces of one length: each begins with its own number and goes on by
// the size of the block, to number i of a piece, without a division on the way.
struct Walk {
    int64 length, piece, i, pieces, rest;
};

__device__ inline Walk walk_from(int64 first, int64 length) {
    const int64 own = first + threadIdx.x, step = blockDim.x;
    return {length, own / length, own % length, step / length, step % length};
}

__device__ inline void go_on(Walk& walk) {
    walk.piece += walk.pieces;
    walk.i += walk.rest;
    if (walk.i >= walk.length) {
        walk.i -= walk.length;
        ++walk.piece;
    }
}

// Intersection over union of two boxes (x1, y1, x2, y2), in double precision; 0 where both have no area.
__device__ inline wide overlap(const real* one, const real* other) {
    const wide x1 = one[0], y1 = one[1], x2 = one[2], y2 = one[3];
    const wide left = x1 < other[0] ? other[0] : x1, right = x2 > other[2] ? other[2] : x2;
    const wide top = y1 < other[1] ? other[1] : y1, bottom = y2 > other[3] ? other[3] : y2;
    const wide w = right - left > 0 ? right - left : 0, h = bottom - top > 0 ? bottom - top : 0;
    const wide area = ((wide)other[2] - other[0]) * ((wide)other[3] - other[1]);
    const wide all = (x2 - x1) * (y2 - y1) + area - w * h;
    return all > 0 ? w * h / all : 0;
}

// The four pixels beside a sample of a plane of width w, each times its weight: h is the lower pixel's, l the higher one's.
__device__ inline wide interpolated(const real* plane, int64 w, int64 y1, int64 y2, int64 x1, int64 x2, wide hy, wide ly,
                                    wide hx, wide lx) {
    const wide upper = hy * hx * plane[y1 * w + x1] + hy * lx * plane[y1 * w + x2];
    return upper + ly * hx * plane[y2 * w + x1] + ly * lx * plane[y2 * w + x2];
}
