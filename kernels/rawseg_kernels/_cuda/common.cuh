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
