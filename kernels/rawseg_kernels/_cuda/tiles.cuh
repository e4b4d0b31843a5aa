// Matrix products by tiles: a block computes a tile of the result, a thread ROWS x COLUMNS elements of it in registers.
// Shared memory holds STEPS columns of the left matrix and rows of the right one, twice: while one pair is multiplied, the next
// is fetched.
//
// Every element is one chain of fused multiply-adds in the order of the steps, so no size of a tile reaches the bits. Compiled
// with ROWS, COLUMNS and ACROSS (threads side by side). The matrices need not exist: what is multiplied is a type with
//     int row(int i)                 what row i of the left matrix adds to an offset; negative beyond its end
//     Place column(int j)            the same for column j of the right matrix
//     Step step(int k, int last)     the same for step k, for both
//     real left(int, Step), real right(Place, Step)    their elements, 0 beyond an end
//     bool left_by_steps(), right_by_steps()             whether steps, not rows or columns, are neighbours in memory

constexpr int THREADS = 256, DOWN = THREADS / ACROSS, STEPS = 8;
constexpr int TILE_ROWS = ROWS * DOWN, TILE_COLUMNS = COLUMNS * ACROSS;
constexpr int LEFT = TILE_ROWS * STEPS / THREADS, RIGHT = TILE_COLUMNS * STEPS / THREADS;  // elements that a thread fetches
constexpr int RESIDENT = ROWS * COLUMNS * sizeof(real) <= 128 ? 2 : 1;  // blocks whose registers must find room at once
constexpr int PADDING = 4;  // threads that store neighbouring steps reach different banks
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

__device__ inline int row_of(int i) { return threadIdx.x / ACROSS * ROWS + i; }        // of the tile: ROWS neighbours,
__device__ inline int column_of(int j) { return threadIdx.x % ACROSS + j * ACROSS; }  // but columns lie apart: stores are whole

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
            tiles.left[next][fetched_step(i, TILE_ROWS, left_by)][fetched_line(i, TILE_ROWS, left_by)] = left[i];
#pragma unroll
        for (int j = 0; j < RIGHT; ++j)
            tiles.right[next][fetched_step(j, TILE_COLUMNS, right_by)][fetched_line(j, TILE_COLUMNS, right_by)] = right[j];
        if (k < STEPS) tiles.steps[half][k] = product.step(first + (tile + 2) * STEPS + k, last);
        __syncthreads();
    }
}
