// Matrix products by tiles: a block computes a tile of the result, a thread ROWS x COLUMNS elements of it in registers.
// Shared memory holds STEPS columns of the left matrix and rows of the right one, twice: while one pair is multiplied, the next
// is fetched.
//
// No size of a tile reaches the bits. How many PRODUCTS of tensor cores there are for one of float32 decides what a sum is:
//     0    one chain of fused multiply-adds in the order of the steps
//     1    of numbers rounded to TF32, eight steps at a time
//     3    of numbers split into two of TF32, lo hi + hi lo + hi hi: eight steps on tensor cores, which may truncate, added to
//          the sum before by a rounded addition
// Compiled with PRODUCTS, ROWS, COLUMNS and ACROSS (threads side by side); tensor_cores.cuh is included before. The matrices
// need not exist: what is multiplied is a type with
//     int row(int i)                 what row i of the left matrix adds to an offset; negative beyond its end
//     Place column(int j)            the same for column j of the right matrix
//     Step step(int k, int last)     the same for step k, for both
//     real left(int, Step), real right(Place, Step)    their elements, 0 beyond an end
//     bool meets(Place, Step)                            whether there is a product, or 0 stands for one that is left out
//     bool left_by_steps(), right_by_steps()             whether steps, not rows or columns, are neighbours in memory

constexpr int THREADS = 256, DOWN = THREADS / ACROSS, STEPS = 8;
constexpr int TILE_ROWS = ROWS * DOWN, TILE_COLUMNS = COLUMNS * ACROSS;
constexpr int LEFT = TILE_ROWS * STEPS / THREADS, RIGHT = TILE_COLUMNS * STEPS / THREADS;  // elements that a thread fetches
constexpr int RESIDENT = ROWS * COLUMNS * sizeof(real) <= 128 ? 2 : 1;  // blocks whose registers must find room at once
// Threads that read neighbouring steps of fragments, or store them, reach other banks.
constexpr int PADDING = PRODUCTS ? 8 : 4;
constexpr int OUTSIDE = -(1 << 30);

struct Place { int64 offset; int down, along; };
struct Step { int64 left, right; int down, along; };

struct Tiles {
    __align__(16) real left[2][STEPS][TILE_ROWS + PADDING];
    __align__(16) real right[2][STEPS][TILE_COLUMNS + PADDING];
    Step steps[2][STEPS];
};

// The i-th of the elements that this thread fetches: its step, and its row or column.
__device__ inline int fetched_step(int i, int size, bool by_steps) {
    return by_steps ? threadIdx.x % STEPS : threadIdx.x / size + i * (THREADS / size);
}
__device__ inline int fetched_line(int i, int size, bool by_steps) {
    return by_steps ? threadIdx.x / STEPS + i * (THREADS / STEPS) : threadIdx.x % size;
}

#if PRODUCTS
// A warp has a rectangle of the tile, by fragments: see tensor_cores.cuh.
constexpr int WARP_ROWS = 8 * ROWS, WARP_COLUMNS = 4 * COLUMNS, WARPS_ACROSS = TILE_COLUMNS / WARP_COLUMNS;
__device__ inline int warp_row() { return threadIdx.x / 32 / WARPS_ACROSS * WARP_ROWS; }
__device__ inline int warp_column() { return threadIdx.x / 32 % WARPS_ACROSS * WARP_COLUMNS; }
__device__ inline int lane_row() { return threadIdx.x % 32 / 4; }
__device__ inline int lane_step() { return threadIdx.x % 4; }
__device__ inline int row_of(int i) { return warp_row() + 8 * i + lane_row(); }  // of the tile
__device__ inline int column_of(int j) { return warp_column() + j / 2 * 8 + lane_step() * 2 + j % 2; }
#else
__device__ inline int row_of(int i) { return threadIdx.x / ACROSS * ROWS + i; }        // of the tile: ROWS neighbours,
__device__ inline int column_of(int j) { return threadIdx.x % ACROSS + j * ACROSS; }  // but columns lie apart: stores are whole
#endif

// All sums of this thread, unrolled: they are registers, which have no index.
template <class Work>
__device__ inline void for_each_row(const Work& work) {
#pragma unroll
    for (int i = 0; i < ROWS; ++i) work(i);
}
template <class Work>
__device__ inline void for_each_sum(const Work& work) {
#pragma unroll
    for (int i = 0; i < ROWS; ++i)
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) work(i, j);
}

__device__ inline bool is_finite(real x) { return x - x == 0; }

__device__ inline bool are_finite(const real (&sums)[ROWS][COLUMNS]) {
    bool all = true;
    for_each_sum([&](int i, int j) { all &= is_finite(sums[i][j]); });
    return all;
}

// One sum again, as a chain, without products that are left out: it is rare, and must not cost a kernel registers.
template <class Product>
__device__ __noinline__ real sum_alone(Product product, int i, int j, int first, int last) {
    const int row = product.row(i);
    const Place column = product.column(j);
    real sum = 0;
    for (int k = first; k < last; ++k) {
        const Step step = product.step(k, last);
        if (product.meets(column, step)) sum = fma(product.left(row, step), product.right(column, step), sum);
    }
    return sum;
}

#if PRODUCTS
__device__ inline real kept(real x) { return PRODUCTS == 1 ? of_bits(to_tf32(x)) : x; }  // in shared memory: rounded once

// A number as one of TF32, or as two.
__device__ inline void take(real x, unsigned& hi, unsigned& lo) {
    if (PRODUCTS == 1) hi = bits_of(x);
    else split(x, hi, lo);
}

__device__ inline void multiply(const Tiles& tiles, int half, real (&sums)[ROWS][COLUMNS]) {
    static_assert(STEPS == 8 && ROWS % 2 == 0 && COLUMNS % 2 == 0 && WARP_ROWS * WARP_COLUMNS * 8 == TILE_ROWS * TILE_COLUMNS,
                  "tiles are whole fragments");
    RightFragment right[COLUMNS / 2], right_lo[COLUMNS / 2];
#pragma unroll
    for (int j = 0; j < COLUMNS / 2; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e)
            take(tiles.right[half][lane_step() + 4 * e][warp_column() + 8 * j + lane_row()], right[j].at[e], right_lo[j].at[e]);
#pragma unroll
    for (int i = 0; i < ROWS; i += 2) {
        LeftFragment left, left_lo;
#pragma unroll
        for (int e = 0; e < 4; ++e)
            take(tiles.left[half][lane_step() + e / 2 * 4][row_of(i + e % 2)], left.at[e], left_lo.at[e]);
#pragma unroll
        for (int j = 0; j < COLUMNS; j += 2) {
            real &a = sums[i][j], &b = sums[i][j + 1], &c = sums[i + 1][j], &d = sums[i + 1][j + 1];
            if (PRODUCTS == 1) {
                real all[4] = {a, b, c, d};
                multiply_fragments(left, right[j / 2], all);
                a = all[0], b = all[1], c = all[2], d = all[3];
            } else {
                real eight[4] = {0, 0, 0, 0};  // steps
                multiply_fragments(left_lo, right[j / 2], eight);
                multiply_fragments(left, right_lo[j / 2], eight);
                multiply_fragments(left, right[j / 2], eight);
                a += eight[0], b += eight[1], c += eight[2], d += eight[3];
            }
        }
    }
}
#else
__device__ inline real kept(real x) { return x; }

__device__ inline void multiply(const Tiles& tiles, int half, real (&sums)[ROWS][COLUMNS]) {
#pragma unroll
    for (int k = 0; k < STEPS; ++k) {
        real left[ROWS], right[COLUMNS];
#pragma unroll
        for (int i = 0; i < ROWS; ++i) left[i] = tiles.left[half][k][row_of(i)];
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) right[j] = tiles.right[half][k][column_of(j)];
        for_each_sum([&](int i, int j) { sums[i][j] = fma(left[i], right[j], sums[i][j]); });
    }
}
#endif

// Sums over steps first <= k < last, of the tile that begins at (row, column).
template <class Product>
__device__ inline void sum_tile(const Product& product, Tiles& tiles, int row, int column, int first, int last,
                                real (&sums)[ROWS][COLUMNS]) {
    const bool left_by = product.left_by_steps(), right_by = product.right_by_steps();
    int rows[LEFT];
    Place columns[RIGHT];
#pragma unroll
    for (int i = 0; i < LEFT; ++i) rows[i] = product.row(row + fetched_line(i, TILE_ROWS, left_by));
#pragma unroll
    for (int j = 0; j < RIGHT; ++j) columns[j] = product.column(column + fetched_line(j, TILE_COLUMNS, right_by));
    for_each_sum([&](int i, int j) { sums[i][j] = 0; });

    const int k = threadIdx.x, count = (last - first + STEPS - 1) / STEPS;
    if (k < STEPS) tiles.steps[0][k] = product.step(first + k, last);
    __syncthreads();
    for (int tile = -1; tile < count; ++tile) {  // multiply this one, none the first time, and fetch the next
        const int half = tile & 1, next = half ^ 1;
        real left[LEFT], right[RIGHT];
#pragma unroll
        for (int i = 0; i < LEFT; ++i) left[i] = product.left(rows[i], tiles.steps[next][fetched_step(i, TILE_ROWS, left_by)]);
#pragma unroll
        for (int j = 0; j < RIGHT; ++j)
            right[j] = product.right(columns[j], tiles.steps[next][fetched_step(j, TILE_COLUMNS, right_by)]);
        if (tile >= 0) multiply(tiles, half, sums);
#pragma unroll
        for (int i = 0; i < LEFT; ++i)
            tiles.left[next][fetched_step(i, TILE_ROWS, left_by)][fetched_line(i, TILE_ROWS, left_by)] = kept(left[i]);
#pragma unroll
        for (int j = 0; j < RIGHT; ++j)
            tiles.right[next][fetched_step(j, TILE_COLUMNS, right_by)][fetched_line(j, TILE_COLUMNS, right_by)] =
                kept(right[j]);
        if (k < STEPS) tiles.steps[half][k] = product.step(first + (tile + 2) * STEPS + k, last);
        __syncthreads();
    }
}
