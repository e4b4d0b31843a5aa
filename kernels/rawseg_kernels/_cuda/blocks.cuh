// What `join` makes of the values of all threads of a block, for all of them: halves are joined with halves, in an order that
// the size of the block alone fixes, a power of two. `shared` has room for a number of each thread.
template <typename Join>
__device__ inline wide block_joined(wide value, wide* shared, Join join) {
    shared[threadIdx.x] = value;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) shared[threadIdx.x] = join(shared[threadIdx.x], shared[threadIdx.x + half]);
        __syncthreads();
    }
    const wide joined = shared[0];
    __syncthreads();  // nobody writes the next value before all have read this one
    return joined;
}

__device__ inline wide added(wide one, wide other) { return one + other; }

__device__ inline wide block_sum(wide value, wide* shared) { return block_joined(value, shared, added); }

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
