// The four pixels beside a sample of a plane of width w, each times its weight: h is the lower pixel's, l the higher one's.
__device__ inline wide interpolated(const real* plane, int64 w, int64 y1, int64 y2, int64 x1, int64 x2, wide hy, wide ly,
                                    wide hx, wide lx) {
    const wide upper = hy * hx * plane[y1 * w + x1] + hy * lx * plane[y1 * w + x2];
    return upper + ly * hx * plane[y2 * w + x1] + ly * lx * plane[y2 * w + x2];
}
