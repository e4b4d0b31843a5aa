// Rows or columns of windows that a row or column of pixels may lie in: first <= o <= last.
__device__ inline void windows_over(int64 at, int size, int kernel, int stride, int padding, int dilation, int64* first,
                                    int64* last) {
    const int64 reach = (int64)(kernel - 1) * dilation;
    *first = at + padding - reach > 0 ? (at + padding - reach + stride - 1) / stride : 0;
    *last = min((at + padding) / stride, (int64)size - 1);
}
