// Matrix products: a thread an element, summed in order of k, in double, rounded once.

RS_KERNEL matmul_forward(const real* a, const real* b, const int64* pairs, real* out, int64 count, int rows, int columns,
                         int depth, bool transpose_a, bool transpose_b) {
    const int64 a_row = transpose_a ? 1 : depth, a_step = transpose_a ? rows : 1;  // from one row, and from one k, to the next
    const int64 b_column = transpose_b ? depth : 1, b_step = transpose_b ? 1 : columns;
    RS_FOR_EACH(i, count) {
        const int64 column = i % columns, row = i / columns % rows, pair = i / columns / rows;
        const real* left = a + pairs[2 * pair] * rows * depth + row * a_row;
        const real* right = b + pairs[2 * pair + 1] * depth * columns + column * b_column;
        wide total = 0;
        for (int64 k = 0; k < depth; ++k) total += (wide)left[k * a_step] * right[k * b_step];
        out[i] = total;
    }
}
