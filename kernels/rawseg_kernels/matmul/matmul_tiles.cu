// Matrix products by tiles; see tiles.cuh. A sum of tensor cores that is not finite is computed again as a chain: the numbers
// that an infinity is split into, or the infinity that a large number is rounded to, may have met others than it would.
#include "tensor_cores.cuh"
#include "tiles.cuh"

struct Product {
    const real *a, *b;
    int rows, columns;
    int a_row, a_step, b_column, b_step;  // from one row, step, column to the next

    __device__ inline int row(int i) const { return i < rows ? i * a_row : -1; }
    __device__ inline Place column(int j) const { return {j < columns ? (int64)j * b_column : -1, 0, 0}; }
    __device__ inline Step step(int k, int last) const { return {k < last ? (int64)k * a_step : -1, (int64)k * b_step, 0, 0}; }
    __device__ inline real left(int i, const Step& k) const { return i >= 0 && k.left >= 0 ? a[i + k.left] : 0; }
    __device__ inline real right(const Place& j, const Step& k) const {
        return j.offset >= 0 && k.left >= 0 ? b[j.offset + k.right] : 0;
    }
    __device__ inline bool meets(const Place&, const Step&) const { return true; }
    __device__ inline bool left_by_steps() const { return a_step == 1; }
    __device__ inline bool right_by_steps() const { return b_step == 1; }
};

RS_KERNEL __launch_bounds__(THREADS, RESIDENT) matmul_tiles_forward(const real* a, const real* b, const int64* pairs, real* out,
                                                                    int rows, int columns, int depth, bool transpose_a,
                                                                    bool transpose_b) {
    __shared__ Tiles tiles;
    const int down = (rows + TILE_ROWS - 1) / TILE_ROWS, across = (columns + TILE_COLUMNS - 1) / TILE_COLUMNS;
    const int row = blockIdx.x % down * TILE_ROWS, column = blockIdx.x / down % across * TILE_COLUMNS;
    const int64 pair = blockIdx.x / down / across;
    const Product product = {a + pairs[2 * pair] * rows * depth, b + pairs[2 * pair + 1] * depth * columns,
                             rows, columns,
                             transpose_a ? 1 : depth, transpose_a ? rows : 1,
                             transpose_b ? depth : 1, transpose_b ? 1 : columns};
    real sums[ROWS][COLUMNS];
    sum_tile(product, tiles, row, column, 0, depth, sums);
    const bool again = PRODUCTS && !are_finite(sums);
    for_each_sum([&](int i, int j) {
        if (row + row_of(i) >= rows || column + column_of(j) >= columns) return;
        real* to = out + (pair * rows + row + row_of(i)) * columns + column + column_of(j);
        const bool alone = again && !is_finite(sums[i][j]);
        *to = alone ? sum_alone(product, row + row_of(i), column + column_of(j), 0, depth) : sums[i][j];
    });
}
